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

/// A text as JSON has it.
fn json_text(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '\n' => out.push_str("\\n"),
            _ if letter.is_control() => drop(write!(out, "\\u{:04x}", u32::from(letter))),
            _ => out.push(letter),
        }
    }
    out.push('"');
    out
}

/// The run as JSON: what it takes to run it again, the `report` of `sim metrics -o json`, and the
/// charts' figures in the columns of [`csv`].
#[must_use]
pub fn json(model: &Model, report: &str) -> String {
    let recording = model.recording.as_deref();
    let command = recording.map(command).unwrap_or_default();
    let scenario = recording.map(scenario).unwrap_or_default();
    let figures = csv(model);
    let mut rows = figures.lines();
    let names = rows.next().unwrap_or_default().split(',').map(json_text);
    let names: Vec<String> = names.collect();
    let rows: Vec<String> = rows.map(row).collect();
    format!(
        "{{\n\"schemaVersion\": 1,\n\"command\": {},\n\"scenario\": {},\n\"report\": {},\n\"columns\": [{}],\n\"rows\": [\n{}\n]\n}}\n",
        json_text(&command),
        json_text(&scenario),
        report.trim_end(),
        names.join(", "),
        rows.join(",\n")
    )
}

/// A row of [`csv`] as JSON: two names, then numbers; nobody asked: null.
fn row(line: &str) -> String {
    let fields = line.split(',').enumerate();
    let fields: Vec<String> = fields
        .map(|(place, field)| match field {
            _ if place < 2 => json_text(field),
            "" => "null".to_owned(),
            number => number.to_owned(),
        })
        .collect();
    format!("[{}]", fields.join(", "))
}

/// The files but for the cluster's description.
fn files(project: &Project) -> Vec<&File> {
    let files = project.files.iter();
    files.filter(|file| file.name != CLUSTER).collect()
}

/// Name of the scenario that is taken away.
pub const SCENARIO: &str = "podium.md";

/// Whether all that was done are faults: a command line can say them.
#[must_use]
pub fn is_line(recording: &Recording) -> bool {
    let mut acts = recording.acts.iter();
    acts.all(|act| matches!(act.deed, Deed::Inject(_)))
}

/// A command that runs the same experiment in the folder where the files are, or where the scenario is.
#[must_use]
pub fn command(recording: &Recording) -> String {
    let project = &recording.project;
    if let [file] = files(project).as_slice()
        && file.name.ends_with(".md")
    {
        return format!("podium run {}", quoted(&file.name));
    }
    if !is_line(recording) {
        return format!("podium run {SCENARIO}");
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

/// The line that applies a file, found under this name.
fn applied(file: &File, name: &str) -> String {
    let head = |key: &str| file.text.lines().any(|line| line.starts_with(key));
    if head("apiVersion:") || head("kind:") {
        format!("kubectl apply -f {name}")
    } else if file.text.lines().any(|line| line.trim() == "deploy:") {
        format!("docker stack deploy -c {name} app")
    } else {
        format!("docker compose -f {name} -p app up -d")
    }
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
        let _ = writeln!(text, "{}", applied(file, &file.name));
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
                let (line, said) = (applied(file, "-"), file.text.trim_end());
                let _ = writeln!(text, "{at} {line} <<'END'\n{said}\nEND");
            }
        }
    }
    let _ = writeln!(text, "sim advance {}s\n```", project.length_us / 1_000_000);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files;
    use sim_core::protocol::Act;

    #[test]
    fn json_escapes_what_json_must() {
        assert_eq!(json_text("a \"b\"\\\n\u{1}é"), r#""a \"b\"\\\n\u0001é""#);
        assert_eq!(
            row("swarm,web,1.500000,3,2,"),
            r#"["swarm", "web", 1.500000, 3, 2, null]"#
        );
    }

    #[test]
    fn a_command_says_faults_and_a_scenario_says_everything() {
        let act = |deed| Act {
            at_us: 5_000_000,
            deed,
        };
        let mut recording = Recording {
            project: files::poll(),
            acts: vec![act(Deed::Inject("node-crash worker-2".to_owned()))],
            at_us: 0,
        };
        assert!(command(&recording).starts_with("podium compare . --nodes 3 --seed 42 "));
        assert!(command(&recording).contains(" --fault 'node-crash worker-2 at 5s'"));
        recording
            .acts
            .push(act(Deed::Console("kubectl get pods".to_owned())));
        let stack = recording.project.files.last().expect("a stack").clone();
        recording.acts.push(act(Deed::Edit(stack)));
        assert_eq!(command(&recording), "podium run podium.md");
        let text = scenario(&recording);
        for line in [
            "at 5000000us sim fault node-crash worker-2\n",
            "at 5000000us kubectl get pods\n",
            "at 5000000us docker stack deploy -c - app <<'END'\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
