//! `podium bench`: runs workloads of fixed shape and measures time and memory.

mod api;

use std::fs;
use std::time::Instant;

use sha2::{Digest, Sha256};

use crate::bench::{self, Outcome, SIZES, SWARM_SIZE, Size, Workload};
use crate::console::table::Table;
use crate::manifest::value::Value;
use crate::object::print::{KeyOrder, json_pretty, yaml};

use super::options::{BenchOptions, Format};
use super::{Stop, note, print};

/// Clock ticks in a second of `/proc/self/stat` (`USER_HZ`): 100 on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// What one run cost.
struct Measured {
    outcome: Outcome,
    wall_s: f64,
    /// `None` where the host has no `/proc`.
    cpu_s: Option<f64>,
    /// Highest resident memory during the run.
    peak_memory: Option<u64>,
    /// By how much that is above what was resident before.
    own_memory: Option<u64>,
}

pub(crate) fn run(options: &BenchOptions) -> Result<u8, Stop> {
    if options.workloads.iter().any(|name| name == api::NAME) {
        return api::run(options);
    }
    let workloads = workloads(&options.workloads)?;
    let sizes = sizes(options)?;
    let mut all = Vec::new();
    for workload in workloads {
        // A swarm is measured at a size of its own.
        let own = [SWARM_SIZE];
        let sizes = match (workload, options.nodes) {
            (Workload::Swarm, None) => &own[..],
            _ => &sizes[..],
        };
        for size in sizes {
            note(&format!(
                "{} {}/{} …",
                workload.name(),
                size.nodes,
                size.pods
            ));
            all.push(measure(workload, *size, options.seed));
        }
    }
    match options.output {
        Format::Json => print(&json_pretty(&document(&all), KeyOrder::Stored)),
        Format::Yaml => print(&yaml(&document(&all))),
        Format::Table | Format::Wide | Format::Name => print(&table(&all)),
    }
    let stuck = all.iter().any(|measured| measured.outcome.unmet > 0);
    Ok(u8::from(stuck))
}

fn workloads(names: &[String]) -> Result<Vec<Workload>, Stop> {
    if names.is_empty() {
        return Ok(Workload::ALL
            .into_iter()
            .map(|(workload, _)| workload)
            .collect());
    }
    names
        .iter()
        .map(|name| {
            Workload::parse(name).ok_or_else(|| {
                let known: Vec<&str> = Workload::ALL.into_iter().map(|(_, name)| name).collect();
                Stop::usage(format!(
                    "unknown workload \"{name}\"; known: {}, and {} by itself",
                    known.join(", "),
                    api::NAME
                ))
            })
        })
        .collect()
}

fn sizes(options: &BenchOptions) -> Result<Vec<Size>, Stop> {
    match (options.nodes, options.pods) {
        (None, None) if options.all => Ok(SIZES.to_vec()),
        (None, None) => Ok(SIZES[..2].to_vec()),
        (Some(nodes), Some(pods)) => Ok(vec![Size { nodes, pods }]),
        (Some(_), None) | (None, Some(_)) => Err(Stop::usage("--nodes and --pods go together")),
    }
}

fn measure(workload: Workload, size: Size, seed: u64) -> Measured {
    // Forgets the highest resident memory so far; where that cannot be done it stays the process's.
    let _ = fs::write("/proc/self/clear_refs", "5");
    let (before, cpu, start) = (status("VmRSS:"), cpu_seconds(), Instant::now());
    let outcome = bench::run(workload, size, seed);
    let wall_s = start.elapsed().as_secs_f64();
    let cpu_s = cpu_seconds().zip(cpu).map(|(after, before)| after - before);
    let peak_memory = status("VmHWM:");
    let own_memory = peak_memory
        .zip(before)
        .map(|(peak, before)| peak.saturating_sub(before));
    Measured {
        outcome,
        wall_s,
        cpu_s,
        peak_memory,
        own_memory,
    }
}

/// A figure of `/proc/self/status` in bytes.
fn status(key: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// User and system time of this process so far.
fn cpu_seconds() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in parentheses and may hold blanks.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(ticks as f64 / TICKS_PER_SECOND)
}

impl Measured {
    fn events_per_second(&self) -> u64 {
        (self.outcome.events as f64 / self.wall_s.max(1e-6)) as u64
    }

    fn bytes_per_pod(&self) -> Option<u64> {
        Some(self.own_memory? / u64::from(self.outcome.size.pods.max(1)))
    }

    /// SHA-256 of the lines `pod_i node_j`.
    fn placements_sha256(&self) -> Option<String> {
        if self.outcome.workload != Workload::Burst {
            return None;
        }
        let mut hash = Sha256::new();
        for (pod, node) in self.outcome.placements.iter().enumerate() {
            hash.update(format!("pod_{pod} node_{node}\n"));
        }
        Some(
            hash.finalize()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        )
    }

    fn value(&self) -> Value {
        let outcome = &self.outcome;
        let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        let seconds = |seconds: f64| Value::Number(format!("{seconds:.3}").into());
        let or_null = |figure: Option<u64>| figure.map_or(Value::Null, number);
        let mut value = Value::object([
            ("workload", Value::string(outcome.workload.name())),
            ("nodes", number(outcome.size.nodes.into())),
            ("pods", number(outcome.size.pods.into())),
            ("events", number(outcome.events)),
            ("simulated_s", number(outcome.simulated_s)),
            ("wall_s", seconds(self.wall_s)),
            ("cpu_s", self.cpu_s.map_or(Value::Null, seconds)),
            ("events_per_s", number(self.events_per_second())),
            ("peak_memory_bytes", or_null(self.peak_memory)),
            ("bytes_per_pod", or_null(self.bytes_per_pod())),
            ("unmet", number(outcome.unmet)),
            ("hash", Value::string(&outcome.hash)),
        ]);
        if let Some(hash) = self.placements_sha256() {
            value.set("placements_sha256", Value::string(&hash));
        }
        value
    }
}

fn document(all: &[Measured]) -> Value {
    // One run is one object, so that a script need not look into a list.
    if let [only] = all {
        let mut value = Value::object([("schemaVersion", Value::Int(1))]);
        if let Some(map) = only.value().as_map() {
            for (key, entry) in map.iter() {
                value.set(key, entry.clone());
            }
        }
        return value;
    }
    Value::object([
        ("schemaVersion", Value::Int(1)),
        (
            "runs",
            Value::list(all.iter().map(Measured::value).collect()),
        ),
    ])
}

fn table(all: &[Measured]) -> String {
    let mut table = Table::new(&[
        "WORKLOAD",
        "NODES",
        "PODS",
        "SIMULATED",
        "EVENTS",
        "WALL",
        "CPU",
        "EVENTS/S",
        "PEAK MEMORY",
        "BYTES/POD",
        "UNMET",
        "HASH",
    ]);
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    for measured in all {
        let outcome = &measured.outcome;
        table.rows.push(vec![
            outcome.workload.name().to_owned(),
            outcome.size.nodes.to_string(),
            outcome.size.pods.to_string(),
            format!("{}s", outcome.simulated_s),
            outcome.events.to_string(),
            format!("{:.3}s", measured.wall_s),
            or_dash(measured.cpu_s.map(|seconds| format!("{seconds:.2}s"))),
            measured.events_per_second().to_string(),
            or_dash(
                measured
                    .peak_memory
                    .map(|bytes| format!("{}MiB", bytes >> 20)),
            ),
            or_dash(measured.bytes_per_pod().map(|bytes| bytes.to_string())),
            outcome.unmet.to_string(),
            outcome.hash.clone(),
        ]);
    }
    let mut text = table.kubectl(true);
    for measured in all {
        if let Some(hash) = measured.placements_sha256() {
            text.push_str(&format!(
                "burst {}/{} placements {hash}\n",
                measured.outcome.size.nodes, measured.outcome.size.pods
            ));
        }
    }
    text
}
