//! `podium bench api`: each task prepared once and done five times; the median counts.

use std::time::Instant;

use crate::bench::Size;
use crate::bench::api::{Done, Task, prepare};
use crate::cli::options::{BenchOptions, Format};
use crate::cli::{Stop, note, print};
use crate::console::table::Table;
use crate::manifest::value::Value;
use crate::object::print::{KeyOrder, json_pretty, yaml};

/// Its name among the workloads.
pub(crate) const NAME: &str = "api";

/// Times that a task is done. Odd, so that there is a middle one.
const RUNS: usize = 5;

struct Measured {
    task: &'static str,
    done: Done,
    wall_s: f64,
}

pub(crate) fn run(options: &BenchOptions) -> Result<u8, Stop> {
    if options.workloads.len() > 1 {
        return Err(Stop::usage("api is measured by itself"));
    }
    let pods = match (options.nodes, options.pods) {
        (None, None) => None,
        (Some(nodes), Some(pods)) => Some(Size { nodes, pods }),
        _ => return Err(Stop::usage("--nodes and --pods go together")),
    };
    let all: Vec<Measured> = Task::ALL
        .into_iter()
        .map(|(task, name)| measure(task, name, pods))
        .collect();
    match options.output {
        Format::Json => print(&json_pretty(&document(&all), KeyOrder::Stored)),
        Format::Yaml => print(&yaml(&document(&all))),
        Format::Table | Format::Wide | Format::Name => print(&table(&all)),
    }
    Ok(u8::from(all.iter().any(|measured| !measured.done.good)))
}

fn measure(task: Task, name: &'static str, pods: Option<Size>) -> Measured {
    note(&format!("{name} …"));
    let prepared = prepare(task, pods);
    let mut walls = Vec::new();
    let mut last = None;
    for _ in 0..RUNS {
        let once = prepared.clone();
        let start = Instant::now();
        last = Some(once.run());
        walls.push(start.elapsed().as_secs_f64());
    }
    walls.sort_by(f64::total_cmp);
    Measured {
        task: name,
        done: last.expect("it runs more than once"),
        wall_s: walls[RUNS / 2],
    }
}

fn document(all: &[Measured]) -> Value {
    let tasks = all.iter().map(|measured| {
        Value::object([
            ("task", Value::string(measured.task)),
            (
                "items",
                Value::Int(i64::try_from(measured.done.items).unwrap_or(i64::MAX)),
            ),
            (
                "wall_s",
                Value::Number(format!("{:.4}", measured.wall_s).into()),
            ),
            ("good", Value::Bool(measured.done.good)),
            ("hash", Value::string(&measured.done.hash)),
        ])
    });
    Value::object([
        ("schemaVersion", Value::Int(1)),
        ("workload", Value::string(NAME)),
        ("tasks", Value::list(tasks.collect())),
    ])
}

fn table(all: &[Measured]) -> String {
    let mut table = Table::new(&["TASK", "ITEMS", "WALL", "GOOD", "HASH"]);
    for measured in all {
        table.rows.push(vec![
            measured.task.to_owned(),
            measured.done.items.to_string(),
            format!("{:.4}s", measured.wall_s),
            if measured.done.good { "yes" } else { "no" }.to_owned(),
            measured.done.hash.clone(),
        ]);
    }
    table.kubectl(true)
}
