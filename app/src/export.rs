//! What leaves the page as a file or a line: figures, a scenario, a command.

use std::fmt::Write as _;

use sim_core::protocol::{Deed, File, Project, Recording, is_fault};

use crate::files::{CLUSTER, said, tabs};
use crate::model::Model;
use crate::permalink;

/// The charts' figures: a row for each point of each service of each orchestrator.
#[must_use]
pub fn csv(model: &Model) -> String {
    let mut text = String::from("orchestrator,service,seconds,desired,ready,answered\n");
    for world in &model.shown.worlds {
        for series in &world.series {
            // Names are the orchestrators' own: letters, digits, `-`, `_` and `.`.
            let points = series
                .at_us
                .iter()
                .zip(&series.desired)
                .zip(&series.ready)
                .zip(&series.answered_ppm);
            for (((at, desired), ready), answered) in points {
                let share = if *answered == u32::MAX {
                    String::new()
                } else {
                    format!("{}.{:06}", answered / 1_000_000, answered % 1_000_000)
                };
                let _ = writeln!(
                    text,
                    "{},{},{}.{:06},{desired},{ready},{share}",
                    world.orchestrator,
                    series.name,
                    at / 1_000_000,
                    at % 1_000_000
                );
            }
        }
    }
    text
}

/// The files but for the cluster's description.
fn files(project: &Project) -> Vec<&File> {
    let files = project.files.iter();
    files.filter(|file| file.name != CLUSTER).collect()
}

/// A command that runs the same experiment in the folder where the files are.
#[must_use]
pub fn command(recording: &Recording) -> String {
    let project = &recording.project;
    if let [file] = files(project).as_slice()
        && file.name.ends_with(".md")
    {
        return format!("podium run {}", quoted(&file.name));
    }
    let mut line = format!(
        "podium compare . --nodes {} --seed {}",
        said(project, "nodes", project.nodes.into()),
        said(project, "seed", project.seed)
    );
    for fault in recording.script().iter().filter(|line| is_fault(line)) {
        let fault = fault.trim();
        let _ = write!(line, " --fault {}", quoted(fault));
    }
    let _ = write!(line, " --for {}s", project.length_us / 1_000_000);
    line
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// The experiment as a scenario: files, machines, and a script that does what was done.
#[must_use]
pub fn scenario(recording: &Recording) -> String {
    if let [file] = files(&recording.project).as_slice()
        && file.name.ends_with(".md")
    {
        return file.text.clone();
    }
    let project = permalink::latest(&Recording {
        acts: Vec::new(),
        ..recording.clone()
    });
    let cluster = tabs(&project).into_iter().find(|file| file.name == CLUSTER);
    let mut text = format!(
        "# An experiment from the page\n\n```cluster\n{}\n```\n",
        cluster.map_or_else(String::new, |file| file.text.trim_end().to_owned())
    );
    for file in files(&project) {
        let end = if file.text.ends_with('\n') { "" } else { "\n" };
        let _ = write!(
            text,
            "\n```yaml name={}\n{}{end}```\n",
            file.name, file.text
        );
    }
    text.push_str("\n```sim\n");
    for file in files(&project) {
        if file.text.trim().is_empty() {
            continue;
        }
        let head = |key: &str| file.text.lines().any(|line| line.starts_with(key));
        if head("apiVersion:") || head("kind:") {
            let _ = writeln!(text, "kubectl apply -f {}", file.name);
        } else if file.text.lines().any(|line| line.trim() == "deploy:") {
            let _ = writeln!(text, "docker stack deploy -c {} app", file.name);
        } else {
            let _ = writeln!(text, "docker compose -f {} -p app up -d", file.name);
        }
    }
    for fault in project.faults.iter().filter(|line| is_fault(line)) {
        let _ = writeln!(text, "sim fault {fault}");
    }
    for act in &recording.acts {
        let at = format!("at {}us", act.at_us);
        match &act.deed {
            Deed::Inject(what) => {
                let _ = writeln!(text, "{at} sim fault {what}");
            }
            Deed::Heal(Some(number)) => {
                let _ = writeln!(text, "{at} sim heal {number}");
            }
            Deed::Heal(None) => {
                let _ = writeln!(text, "{at} sim heal");
            }
            Deed::Console(line) => {
                let _ = writeln!(text, "{at} {line}");
            }
            // The file's later text is told where it was applied.
            Deed::Edit(file) => {
                let _ = writeln!(
                    text,
                    "{at} kubectl apply -f - <<'END'\n{}\nEND",
                    file.text.trim_end()
                );
            }
        }
    }
    let _ = writeln!(text, "sim advance {}s\n```", project.length_us / 1_000_000);
    text
}
