//! `host NODE COMMAND`: a shell on one machine, in every world that has it.
//!
//! Answers come from machines as the substrate knows them; what it does not know is refused.

pub mod clients;
pub mod disk;
pub mod embedded;
pub mod engine_rules;
pub mod etc;
pub mod firewall;
pub mod ipvs;
pub mod jobs;
pub mod listing;
pub mod mounts;
pub mod names;
pub mod mesh_walk;
pub mod net;
pub mod networks;
pub mod place;
pub mod policy_walk;
pub mod procfs;
pub mod provided;
pub mod ps;
pub mod shell;
pub mod sight;
pub mod sockets;
pub mod space;
pub mod tools;
pub mod tree;
pub mod usage;

use super::docker::container;
use super::docker::container::row::Engine;
use super::docker::flags::{Grammar, parse};
use super::docker::words::human;
use super::table::Table;
use super::{Output, Session};
use crate::base::sentence::catalogue;
use crate::base::sentence::passage::Passage;
use crate::base::time::SimTime;
use crate::engine::command::{
    Answer, Command, FaultKind, FaultSpec, FileChange, FileWrite, Orchestrator, Strength,
};
use crate::engine::world::World;
use crate::substrate::container::ContainerState;
use crate::substrate::machine::Power;
use crate::substrate::order::{ContainerId, MachineId};
use crate::substrate::script::hands::Done;

use place::Place;
use shell::{Outcome, Wish};
use sight::Sight;

const PS: Grammar = Grammar {
    path: "docker ps",
    usage: "[OPTIONS]",
    flags: "all,a filter,f=* format= last,n= latest,l no-trunc quiet,q",
    least: 0,
    most: Some(0),
    interspersed: true,
};

/// Runs one command on one machine.
pub fn run(session: &mut Session, words: &[String], input: &str) -> Output {
    let [node, command @ ..] = words else {
        return Output::error(2, catalogue::HOST_USAGE.plain());
    };
    if command.is_empty() {
        return Output::error(
            2,
            catalogue::HOST_COMMANDS.with(&[(
                "names",
                &"cat, ls, find, tee, sh -c, ps, lsns, nsenter, mount, df, free, ip, iptables-save, iptables, ipvsadm, hostname, uname, uptime, docker ps, crictl ps",
            )]),
        );
    }
    let lab = session.history.lab();
    let found: Vec<(&World, MachineId)> = lab
        .worlds
        .iter()
        .filter_map(|world| Some((world, world.machine(node)?)))
        .collect();
    let Some(_) = found.first() else {
        return Output::error(
            255,
            format!("ssh: Could not resolve hostname {node}: Name or service not known"),
        );
    };
    let found = in_use(found);
    let several = found.len() > 1;
    let mut all = Output::default();
    let mut writes = Vec::new();
    for (world, machine) in found {
        let mut wishes = Vec::new();
        let output = one(world, machine, node, command, input, lab.now, &mut wishes);
        writes.extend(
            wishes
                .into_iter()
                .map(|(node, wish)| (world.orchestrator, node, wish)),
        );
        if several {
            all.stdout
                .push(format!("# {}\n", world.orchestrator.name()));
        }
        all.stdout.push(&output.stdout);
        all.stderr.push(&output.stderr);
        all.code = all.code.max(output.code);
    }
    for (orchestrator, node, wish) in writes {
        write(session, orchestrator, &node, &wish, &mut all);
    }
    all
}

/// Of the worlds that have the machine, those in which something runs; if nothing does anywhere,
/// the first.
fn in_use(mut found: Vec<(&World, MachineId)>) -> Vec<(&World, MachineId)> {
    let busy = |world: &World| world.substrate.sandboxes().next().is_some();
    if found.iter().any(|(world, _)| busy(world)) {
        found.retain(|(world, _)| busy(world));
    } else {
        found.truncate(1);
    }
    found
}

fn one(
    world: &World,
    machine: MachineId,
    node: &str,
    command: &[String],
    input: &str,
    now: SimTime,
    wishes: &mut Vec<(String, Wish)>,
) -> Output {
    let Some(row) = world.substrate.machine(machine) else {
        return Output::error(
            255,
            format!("ssh: connect to host {node} port 22: No route to host"),
        );
    };
    let Power::On { since } = row.power else {
        return Output::error(
            255,
            format!("ssh: connect to host {node} port 22: No route to host"),
        );
    };
    let place = Place::new(world, machine, now);
    let sight = Sight::machine(&place);
    let command = shell::globbed(&sight, command);
    let command = command.as_slice();
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["uptime", "-p" | "--pretty"] | ["uptime"] => {
            let minutes = now.since(since).as_secs() / 60;
            Output::text(format!(
                "up {} days, {} hours, {} minutes\n",
                minutes / 1_440,
                minutes / 60 % 24,
                minutes % 60
            ))
        }
        ["systemctl", "poweroff"] | ["poweroff"] | ["shutdown", ..]
            if world.orchestrator == Orchestrator::Kubernetes =>
        {
            wishes.push((node.to_owned(), Wish::Shutdown));
            Output::default()
        }
        ["iptables-save", rest @ ..] => firewall::save(&place, rest),
        ["iptables", rest @ ..] => firewall::list(&place, rest),
        ["ipvsadm", rest @ ..] => ipvs::run(&place, None, rest),
        ["ls", path]
            if path.trim_start_matches("/var").trim_end_matches('/') == networks::NETNS =>
        {
            networks::namespaces(&place)
        }
        ["nsenter", ..] => match space::nsenter(&place, &command[1..], input) {
            Some(outcome) => carried(outcome, node, wishes),
            None => not_known(&words),
        },
        ["docker", "ps", ..] if world.orchestrator != Orchestrator::Kubernetes => {
            match parse(&PS, &command[2..]) {
                Ok(parsed) => container::list(
                    &Engine {
                        world,
                        machine,
                        now,
                    },
                    &parsed,
                )
                .unwrap_or_else(|output| output),
                Err(output) => output,
            }
        }
        ["docker", ..] if world.orchestrator == Orchestrator::Kubernetes => {
            Output::error(127, "docker: command not found")
        }
        ["crictl", ..] if world.orchestrator != Orchestrator::Kubernetes => {
            Output::error(127, "crictl: command not found")
        }
        ["crictl", "ps", rest @ ..] => crictl(world, machine, rest.contains(&"-a"), now),
        _ => match shell::run(&sight, command, input) {
            Some(outcome) => carried(outcome, node, wishes),
            None => not_known(&words),
        },
    }
}

fn not_known(words: &[&str]) -> Output {
    let what = catalogue::ON_MACHINE.with(&[("command", &words.join(" "))]);
    Output::error(1, super::not_modelled(what))
}

/// Keeps a command's writes for later and returns what it printed.
fn carried(outcome: Outcome, node: &str, wishes: &mut Vec<(String, Wish)>) -> Output {
    wishes.extend(
        outcome
            .wishes
            .into_iter()
            .map(|wish| (node.to_owned(), wish)),
    );
    outcome.output
}

/// Carries out the writes that a command on a machine wanted.
fn write(
    session: &mut Session,
    orchestrator: Orchestrator,
    node: &str,
    wish: &Wish,
    output: &mut Output,
) {
    let (command, path) = command_of(node, wish);
    match session.command(orchestrator, command) {
        // The command itself has said so.
        Ok(Answer::Refused(_)) if path.is_empty() => {}
        Ok(Answer::Refused(why)) => {
            let head = format!("sh: 1: echo: echo: I/O error: {path}: ");
            output.stderr.push(Passage::from(head).then(why).then("\n"));
            output.code = 1;
        }
        Ok(_) => {}
        Err(error) => *output = error,
    }
}

/// The engine's command for a wish, and the path that it is about.
fn command_of<'w>(node: &str, wish: &'w Wish) -> (Command, &'w str) {
    match wish {
        Wish::Group { target, text, path } => (
            Command::WriteFile(FileWrite {
                machine: node.into(),
                group: target.group.clone(),
                file: target.file.as_str().into(),
                text: text.as_str().into(),
            }),
            path.as_str(),
        ),
        Wish::Shutdown => (
            Command::Inject(FaultSpec {
                kind: FaultKind::NodeShutdown,
                target: node.into(),
                at: None,
                duration: None,
                strength: Strength::Usual,
            }),
            "",
        ),
        Wish::Process { container, act } => (Command::Process(*container, act.clone()), ""),
        Wish::File { spot, change, by } => (
            Command::ChangeFile(FileChange {
                machine: node.into(),
                spot: spot.clone(),
                change: change.clone(),
                by: *by,
            }),
            spot.path.as_str(),
        ),
    }
}

/// Carries out a command line of a container's own script: the engine's hands.
pub fn hands(world: &World, container: ContainerId, line: &str) -> Option<(Done, Vec<Command>)> {
    let words = ["sh", "-c", line].map(str::to_owned);
    let outcome = inside(world, container, world.now, &words, "")?;
    let node = machine_of(world, container);
    let wishes = outcome.wishes.iter();
    let wanted = wishes.map(|wish| command_of(&node, wish).0).collect();
    let done = Done {
        printed: outcome.output.stdout.to_string(),
        complained: outcome.output.stderr.to_string(),
        code: outcome.output.code,
        took: outcome.takes,
    };
    Some((done, wanted))
}

/// Carries out what a command inside a container wanted.
pub fn carry(
    session: &mut Session,
    orchestrator: Orchestrator,
    node: &str,
    outcome: Outcome,
) -> Output {
    let mut output = outcome.output;
    for wish in outcome.wishes {
        write(session, orchestrator, node, &wish, &mut output);
    }
    if session.wait && !outcome.takes.is_zero() {
        let end = session.history.now() + outcome.takes;
        session.history.advance_to(end);
    }
    output
}

/// Writes text to a file of a machine: what a redirection behind `host NODE …` means.
pub fn redirect(session: &mut Session, node: &str, path: &str, text: &str) -> Output {
    let words = [node.to_owned(), "tee".to_owned(), path.to_owned()];
    let mut output = run(session, &words, text);
    output.stdout = Passage::default();
    output
}

/// What a command prints that runs inside a container; none: it is not one that is known.
pub fn inside(
    world: &World,
    container: ContainerId,
    now: SimTime,
    words: &[String],
    input: &str,
) -> Option<Outcome> {
    let place = Place::of_container(world, container, now)?;
    let sight = Sight::container(&place, container);
    let mut outcome = shell::run(&sight, words, input)?;
    if let Some(row) = world.substrate.container(container)
        && row.running_since().is_none()
    {
        outcome = Output::error(1, catalogue::NOT_RUNNING.plain()).into();
    }
    Some(outcome)
}

/// What a command line that is left behind in a container wants.
pub fn left(world: &World, container: ContainerId, now: SimTime, line: &str) -> Option<Outcome> {
    let place = Place::of_container(world, container, now)?;
    let sight = Sight::container(&place, container);
    Some(match jobs::leave(&sight, line) {
        Ok(wish) => Outcome {
            wishes: vec![wish],
            ..Outcome::default()
        },
        Err(outcome) => outcome,
    })
}

/// Name of the machine that a container runs on.
pub fn machine_of(world: &World, container: ContainerId) -> String {
    world
        .substrate
        .container(container)
        .and_then(|row| world.substrate.sandbox(row.sandbox))
        .map(|row| world.machine_text(row.machine).to_owned())
        .unwrap_or_default()
}

/// Containers of the machine's sandboxes. Columns that only the kubelet could fill are left out.
fn crictl(world: &World, machine: MachineId, all: bool, now: SimTime) -> Output {
    let mut table = Table::new(&["IMAGE", "CREATED", "STATE", "NAME"]);
    for (sandbox, place) in world.substrate.sandboxes_on(machine) {
        for (_, container) in world.substrate.containers_in(sandbox) {
            let (state, since) = match container.state {
                ContainerState::Created => ("Created", place.created),
                ContainerState::Running { since } => ("Running", since),
                ContainerState::Exited { since, at, .. } => ("Exited", since.unwrap_or(at)),
            };
            if !all && state != "Running" {
                continue;
            }
            let age = format!("{} ago", human(now.since(since)));
            table.rows.push(vec![
                world.symbols.text(container.spec.image).to_owned(),
                age,
                state.to_owned(),
                world.symbols.text(container.spec.name).to_owned(),
            ]);
        }
    }
    Output::text(table.docker())
}

#[cfg(test)]
mod tests;
