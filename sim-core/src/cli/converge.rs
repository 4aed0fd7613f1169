//! `podium converge`: brings every Compose and stack file up, each on machines of its own, and says
//! whether it comes to run, and if not, why not.

use std::sync::Arc;

use crate::base::rng::Seed;
use crate::base::time::{SimDuration, SimTime};
use crate::console::Session;
use crate::console::open::{Experiment, PROJECT, open};
use crate::console::table::Table;
use crate::engine::command::Orchestrator;
use crate::manifest::detect::{Wishes, detect};
use crate::manifest::diagnostic::Severity;

use super::options::ConvergeOptions;
use super::{Stop, load, print};

/// Time between two looks.
const LOOK: SimDuration = SimDuration::from_secs(5);

/// What became of one file.
struct Row {
    file: String,
    orchestrator: Orchestrator,
    services: usize,
    result: &'static str,
    at: Option<SimTime>,
    why: String,
}

pub(crate) fn run(options: &ConvergeOptions) -> Result<u8, Stop> {
    let within = load::duration("--within", &options.within)?;
    let mut rows = Vec::new();
    for path in &options.paths {
        let mut read = load::Files::default();
        read.read(path, true)?;
        let files = read.files;
        for (name, text) in &files {
            let Some(orchestrator) = dialect(name, text) else {
                continue;
            };
            let mut experiment = Experiment::new(Seed(options.seed));
            experiment.only = Some(orchestrator);
            experiment.files.clone_from(&files);
            match orchestrator {
                Orchestrator::Swarm => experiment.stack = Some(name.clone()),
                Orchestrator::Compose | Orchestrator::Kubernetes => {
                    experiment.compose = vec![name.clone()];
                }
            }
            rows.push(bring_up(&experiment, name, orchestrator, within));
        }
    }
    if rows.is_empty() {
        return Err(Stop::input("there is no Compose or stack file"));
    }
    print(&table(&rows));
    Ok(u8::from(rows.iter().any(|row| row.result != "converged")))
}

/// Whose file it is; none if it has no services.
fn dialect(name: &str, text: &Arc<str>) -> Option<Orchestrator> {
    let file = [(Arc::from(name), text.clone())];
    let (inputs, _) = detect(&file, Wishes::default());
    if inputs.stack.is_some() {
        Some(Orchestrator::Swarm)
    } else if !inputs.compose.is_empty() {
        Some(Orchestrator::Compose)
    } else {
        None
    }
}

fn bring_up(
    experiment: &Experiment,
    name: &str,
    orchestrator: Orchestrator,
    within: SimDuration,
) -> Row {
    let mut row = Row {
        file: name.to_owned(),
        orchestrator,
        services: 0,
        result: "refused",
        at: None,
        why: String::new(),
    };
    let opened = match open(experiment) {
        Ok(opened) => opened,
        Err(message) => {
            row.why = message.to_string();
            return row;
        }
    };
    let error = opened
        .diagnostics()
        .find(|(_, problem)| problem.severity == Severity::Error)
        .map(|(_, problem)| problem.message.to_string());
    if let Some(message) = error {
        row.why = message.to_string();
        return row;
    }
    let mut session = opened.session;
    let output = match orchestrator {
        Orchestrator::Swarm => session.run(&format!("docker stack deploy -c '{name}' {PROJECT}")),
        Orchestrator::Compose | Orchestrator::Kubernetes => {
            session.run(&format!("docker compose -f '{name}' up -d"))
        }
    };
    let deadline = session.history.now() + within;
    while unmet(&session, orchestrator) > 0 && session.history.now() < deadline && output.code == 0
    {
        let next = session.history.now() + LOOK;
        session.history.advance_to(next);
    }
    row.services = workloads(&session, orchestrator);
    if output.code != 0 {
        row.result = "failed";
        let lines = output.stderr.lines().chain(output.stdout.lines());
        let last = lines.rev().find(|line| !line.trim().is_empty());
        row.why = last.unwrap_or_default().trim().to_owned();
    }
    if unmet(&session, orchestrator) == 0 && output.code == 0 {
        row.result = "converged";
        let world = session.history.lab().world(orchestrator);
        row.at = world.and_then(|world| world.observer.converged_at);
        return row;
    }
    if output.code == 0 {
        row.result = "not converged";
    }
    let missing = missing(&mut session, orchestrator);
    if !missing.is_empty() {
        row.why = format!("{} [{}]", row.why, missing.join("; "))
            .trim()
            .to_owned();
    }
    row
}

fn unmet(session: &Session, orchestrator: Orchestrator) -> u64 {
    let world = session.history.lab().world(orchestrator);
    world.map_or(0, |world| world.unmet())
}

fn workloads(session: &Session, orchestrator: Orchestrator) -> usize {
    let world = session.history.lab().world(orchestrator);
    world.map_or(0, |world| world.workloads().len())
}

/// What does not run, in Docker's own words.
fn missing(session: &mut Session, orchestrator: Orchestrator) -> Vec<String> {
    let world = session.history.lab().world(orchestrator);
    let names: Vec<String> = world
        .map(|world| world.workloads())
        .unwrap_or_default()
        .into_iter()
        .filter(|workload| workload.unmet > 0)
        .map(|workload| workload.name)
        .collect();
    let mut lines = Vec::new();
    for name in names {
        let (line, log) = match orchestrator {
            Orchestrator::Swarm => (
                format!(
                    "docker service ps {PROJECT}_{name} --no-trunc --format '{{{{.Name}}}} {{{{.CurrentState}}}} {{{{.Error}}}}'"
                ),
                None,
            ),
            Orchestrator::Compose | Orchestrator::Kubernetes => (
                format!(
                    "docker ps -a --filter name={PROJECT}-{name}- --format '{{{{.Names}}}} {{{{.Status}}}}'"
                ),
                Some(format!("docker logs --tail 1 {PROJECT}-{name}-1")),
            ),
        };
        let state = session.run(&line);
        let mut text = state.stdout.lines().next().unwrap_or(&name).to_owned();
        if let Some(log) = log {
            let output = session.run(&log);
            let last = output.stdout.lines().chain(output.stderr.lines()).last();
            if let Some(last) = last {
                text.push_str(": ");
                text.push_str(last);
            }
        }
        lines.push(text);
    }
    lines
}

fn table(rows: &[Row]) -> String {
    let mut table = Table::new(&["FILE", "ORCHESTRATOR", "SERVICES", "RESULT", "AT", "WHY"]);
    for row in rows {
        table.rows.push(vec![
            row.file.clone(),
            row.orchestrator.name().to_owned(),
            row.services.to_string(),
            row.result.to_owned(),
            row.at.map_or_else(|| "-".to_owned(), |at| at.to_string()),
            if row.why.is_empty() {
                "-".to_owned()
            } else {
                row.why.clone()
            },
        ]);
    }
    let converged = rows.iter().filter(|row| row.result == "converged").count();
    format!(
        "{}{converged} of {} files converged\n",
        table.kubectl(true),
        rows.len()
    )
}
