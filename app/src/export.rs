//! What leaves the page as a file or a line: figures, a scenario, a command.

use std::fmt::Write as _;

use sim_core::protocol::{Deed, Recording};

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

/// Faults as they were planned and as they were injected, in the command line's words.
fn faults(recording: &Recording) -> Vec<String> {
    let mut faults = recording.project.faults.clone();
    for act in &recording.acts {
        if let Deed::Inject(text) = &act.deed {
            faults.push(timed(text, act.at_us));
        }
    }
    faults
}

fn timed(text: &str, at_us: u64) -> String {
    let at = format!("at {}us", at_us);
    match text.split_once(" for ") {
        _ if text.contains(" at ") => text.to_owned(),
        Some((what, long)) => format!("{what} {at} for {long}"),
        None => format!("{text} {at}"),
    }
}

/// A command that runs the same experiment in the folder where the files are.
#[must_use]
pub fn command(recording: &Recording) -> String {
    let project = &recording.project;
    if let [file] = project.files.as_slice()
        && file.name.ends_with(".md")
    {
        return format!("podium run {}", quoted(&file.name));
    }
    let mut line = format!(
        "podium compare . --nodes {} --seed {}",
        project.nodes, project.seed
    );
    for fault in faults(recording) {
        let _ = write!(line, " --fault {}", quoted(&fault));
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
    if let [file] = recording.project.files.as_slice()
        && file.name.ends_with(".md")
    {
        return file.text.clone();
    }
    let project = permalink::latest(&Recording {
        acts: Vec::new(),
        ..recording.clone()
    });
    let mut text = format!(
        "# An experiment from the page\n\n```cluster\nnodes {}\nseed {}\n```\n",
        project.nodes, project.seed
    );
    for file in &project.files {
        let end = if file.text.ends_with('\n') { "" } else { "\n" };
        let _ = write!(
            text,
            "\n```yaml name={}\n{}{end}```\n",
            file.name, file.text
        );
    }
    text.push_str("\n```sim\n");
    for file in &project.files {
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
    for fault in &project.faults {
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
