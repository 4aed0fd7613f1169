//! `ss -l`: who listens in a network namespace.
//!
//! Only listening sockets are modelled: requests are a flow without connections of their own.

use crate::base::arrange::Arrange;
use crate::base::sentence::catalogue;
use crate::base::sorted::SortedSet;
use crate::console::{Output, after};
use crate::engine::command::Orchestrator;
use crate::substrate::cgroup::settings::Sharing;
use crate::substrate::order::{ContainerId, Entry, SandboxId};
use crate::substrate::process::container_pid;

use super::net::network;
use super::place::Place;
use super::sight::Sight;

/// A listening socket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Socket {
    port: u16,
    address: &'static str,
    program: String,
    pid: u32,
}

/// Ports of the machines' own services: number, address, program, process, whether of a manager.
type Own = (u16, &'static str, &'static str, u32);

/// Source: `pkg/cluster/ports/ports.go`, `cmd/kubeadm/app/constants`.
const KUBERNETES: [Own; 5] = [
    (22, "0.0.0.0", "sshd", 1),
    (10_248, "127.0.0.1", "kubelet", 1),
    (10_249, "127.0.0.1", "kube-proxy", 1),
    (10_250, "*", "kubelet", 1),
    (10_256, "*", "kube-proxy", 1),
];

/// The control plane's own, all behind the node's network.
const CONTROL: [Own; 5] = [
    (2_379, "0.0.0.0", "etcd", 1),
    (2_380, "0.0.0.0", "etcd", 1),
    (6_443, "*", "kube-apiserver", 1),
    (10_257, "127.0.0.1", "kube-controller", 1),
    (10_259, "127.0.0.1", "kube-scheduler", 1),
];

/// Source: reference of Swarm's ports (moby `daemon/cluster`).
const SWARM: [Own; 2] = [(22, "0.0.0.0", "sshd", 1), (7_946, "*", "dockerd", 1)];

const DOCKER: [Own; 1] = [(22, "0.0.0.0", "sshd", 1)];

/// Runs `ss` with its options.
pub fn run(sight: &Sight<'_>, words: &[&str]) -> Output {
    let flags: String = words
        .iter()
        .filter(|word| word.starts_with('-') && !word.starts_with("--"))
        .flat_map(|word| word.chars().skip(1))
        .collect();
    let has = |flag: char, long: &str| flags.contains(flag) || words.contains(&long);
    if !has('l', "--listening") && !has('a', "--all") {
        return Output::error(1, after("ss: ", catalogue::CONNECTIONS.plain()));
    }
    let shows_udp_only = has('u', "--udp") && !has('t', "--tcp");
    let with_process = has('p', "--processes");
    let mut rows = if shows_udp_only {
        Vec::new()
    } else {
        sockets(sight)
    };
    rows.arrange();
    rows.dedup();
    let mut text = format!(
        "{:<7}{:<7}{:<7}{:>21} {:>18}{}\n",
        "State",
        "Recv-Q",
        "Send-Q",
        "Local Address:Port",
        "Peer Address:Port",
        if with_process { " Process" } else { "" }
    );
    for row in rows {
        let peer = if row.address == "*" {
            "*:*"
        } else {
            "0.0.0.0:*"
        };
        let process = if with_process {
            format!(" users:((\"{}\",pid={},fd=3))", row.program, row.pid)
        } else {
            String::new()
        };
        text.push_str(&format!(
            "{:<7}{:<7}{:<7}{:>21} {:>18}{process}\n",
            "LISTEN",
            "0",
            "4096",
            format!("{}:{}", row.address, row.port),
            peer
        ));
    }
    Output::text(text)
}

fn sockets(sight: &Sight<'_>) -> Vec<Socket> {
    let place = sight.place;
    let mut all = Vec::new();
    if let Some(sandbox) = network(sight) {
        listening(place, sandbox, &mut all);
        if place.world.orchestrator != Orchestrator::Kubernetes
            && super::embedded::has_server(place, sandbox)
        {
            // The engine's own server; its port is chosen anew for each container.
            all.push(Socket {
                port: 40_000 + u16::try_from(sandbox.slot() % 20_000).unwrap_or(0),
                address: "127.0.0.11",
                program: "dockerd".to_owned(),
                pid: 1,
            });
        }
        return all;
    }
    let world = place.world;
    let control = world
        .substrate
        .machine(place.machine)
        .is_some_and(|row| row.control);
    let own: Vec<Own> = match world.orchestrator {
        Orchestrator::Kubernetes if control => KUBERNETES.into_iter().chain(CONTROL).collect(),
        Orchestrator::Kubernetes => KUBERNETES.to_vec(),
        Orchestrator::Swarm if control => SWARM
            .into_iter()
            .chain([(2_377, "*", "dockerd", 1)])
            .collect(),
        Orchestrator::Swarm => SWARM.to_vec(),
        Orchestrator::Compose => DOCKER.to_vec(),
    };
    all.extend(own.into_iter().map(|(port, address, program, pid)| Socket {
        port,
        address,
        program: program.to_owned(),
        pid,
    }));
    for (sandbox, row) in world.substrate.sandboxes_on(place.machine) {
        if row.spec.network == Sharing::Host {
            listening(place, sandbox, &mut all);
        }
    }
    // Published ports are held by a process of the engine.
    let mut ports: SortedSet<(u16, &'static str)> = SortedSet::new();
    if world.orchestrator == Orchestrator::Compose
        && let Some(row) = world.substrate.machine(place.machine)
    {
        ports.extend(row.ports.iter().map(|(port, _)| (*port, "docker-proxy")));
    }
    if world.orchestrator == Orchestrator::Swarm {
        for (_, row) in world.substrate.balancers() {
            match row.entry {
                Entry::EveryMachine(port) => ports.insert((port, "dockerd")),
                Entry::OneMachine(machine, port) if machine == place.machine => {
                    ports.insert((port, "docker-proxy"))
                }
                Entry::OneMachine(..) | Entry::Inside => false,
            };
        }
    }
    all.extend(ports.into_iter().map(|(port, program)| Socket {
        port,
        address: if program == "dockerd" { "*" } else { "0.0.0.0" },
        program: program.to_owned(),
        pid: 1,
    }));
    all
}

fn listening(place: &Place<'_>, sandbox: SandboxId, all: &mut Vec<Socket>) {
    let machines = &place.world.substrate;
    for (id, row) in machines.containers_in(sandbox) {
        for port in row.behaviour.ports.iter() {
            if machines.listening(id, *port, place.now) {
                all.push(Socket {
                    port: *port,
                    address: "0.0.0.0",
                    program: program(row, id),
                    pid: container_pid(id),
                });
            }
        }
    }
}

fn program(row: &crate::substrate::container::Container, id: ContainerId) -> String {
    let name: &str = &row.behaviour.program;
    if name.is_empty() {
        format!("pid-{}", container_pid(id))
    } else {
        name.rsplit('/').next().unwrap_or(name).to_owned()
    }
}
