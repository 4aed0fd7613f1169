//! `host NODE COMMAND`: a shell on one machine, in every world that has it.
//!
//! Answers come from machines as the substrate knows them; what it does not know is refused.

use super::docker::container;
use super::docker::container::row::Engine;
use super::docker::flags::{Grammar, parse};
use super::docker::words::human;
use super::table::Table;
use super::{Output, Session};
use crate::base::time::SimTime;
use crate::engine::command::Orchestrator;
use crate::engine::world::World;
use crate::substrate::container::ContainerState;
use crate::substrate::machine::Power;
use crate::substrate::order::MachineId;

const PS: Grammar = Grammar {
    path: "docker ps",
    usage: "[OPTIONS]",
    flags: "all,a filter,f=* format= last,n= latest,l no-trunc quiet,q",
    least: 0,
    most: Some(0),
    interspersed: true,
};

/// Runs one command on one machine.
pub fn run(session: &mut Session, words: &[String], _input: &str) -> Output {
    let [node, command @ ..] = words else {
        return Output::error(2, "usage: host NODE COMMAND, e.g. host worker-1 docker ps");
    };
    if command.is_empty() {
        return Output::error(
            2,
            "usage: host NODE COMMAND; commands are hostname, uptime, free, ip addr, docker ps, crictl ps",
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
    let several = found.len() > 1;
    let mut all = Output::default();
    for (world, machine) in found {
        let output = one(world, machine, node, command, lab.now);
        if several {
            all.stdout
                .push_str(&format!("# {}\n", world.orchestrator.name()));
        }
        all.stdout.push_str(&output.stdout);
        all.stderr.push_str(&output.stderr);
        all.code = all.code.max(output.code);
    }
    all
}

fn one(world: &World, machine: MachineId, node: &str, command: &[String], now: SimTime) -> Output {
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
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["hostname"] => Output::text(format!("{node}\n")),
        ["uptime", "-p" | "--pretty"] | ["uptime"] => {
            let minutes = now.since(since).as_secs() / 60;
            Output::text(format!(
                "up {} days, {} hours, {} minutes\n",
                minutes / 1_440,
                minutes / 60 % 24,
                minutes % 60
            ))
        }
        ["free", ..] => {
            let total = row.capacity.memory.unsigned_abs() / 1_024;
            let used = world.substrate.memory_used(machine) / 1_024;
            Output::text(format!(
                "               total        used        free\nMem:    {total:>12}{used:>12}{:>12}\n",
                total.saturating_sub(used)
            ))
        }
        ["ip", "addr" | "address" | "a", ..]
        | ["ip", "-brief" | "-br", ..]
        | ["hostname", "-I"] => match world.substrate.machine_address(machine) {
            Some(address) => Output::text(format!(
                "lo               UNKNOWN        127.0.0.1/8\neth0             UP             {address}\n"
            )),
            None => Output::error(1, "this machine has no address"),
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
        _ => Output::error(
            1,
            format!("{} on a machine is not modelled", words.join(" ")),
        ),
    }
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
