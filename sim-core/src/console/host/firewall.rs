//! Rules of a machine's packet filter, and the way of one packet through machines.
//!
//! Sources of the engine's rules: moby `integration/network/bridge/iptablesdoc`.

use std::net::Ipv4Addr;

use crate::console::Output;
use crate::engine::command::Orchestrator;
use crate::engine::world::World;
use crate::kube::proxy::rules;
use crate::substrate::cgroup::settings::Sharing;
use crate::substrate::net::filter::{Cidr, End, Match, Packet, Rule, Ruleset, Target, Way, walk};
use crate::substrate::order::{MachineId, SandboxId};

use super::names::objects;
use super::net::{bridge, machine_address, subnet, veth};
use super::place::Place;

/// Range of pods' addresses: what nodes' subnets are cut from.
fn cluster_range(place: &Place<'_>) -> Cidr {
    let first = place.world.substrate.network();
    Cidr {
        base: first & 0xffff_0000,
        prefix: 16,
    }
}

/// The rules of a machine.
pub fn ruleset(place: &Place<'_>, cluster: Option<Cidr>) -> Ruleset {
    let mut all = Ruleset::default();
    match place.world.orchestrator {
        Orchestrator::Kubernetes => {
            let (services, slices) = (objects(place, "services"), objects(place, "endpointslices"));
            rules::write(
                &rules::Known {
                    node: place.node_name(),
                    cluster: cluster.unwrap_or_else(|| cluster_range(place)),
                    services: &services,
                    slices: &slices,
                },
                &mut all,
            );
        }
        Orchestrator::Swarm | Orchestrator::Compose => engine(place, &mut all),
    }
    all
}

/// A port of the machine that leads to a container.
#[derive(Clone, Debug)]
struct Published {
    port: u16,
    target: u16,
    protocol: &'static str,
    address: u32,
}

fn published(place: &Place<'_>) -> Vec<Published> {
    let mut all = Vec::new();
    let Some(plane) = place.world.compose() else {
        return all;
    };
    for row in plane.containers() {
        let Some(sandbox) = row
            .sandbox
            .filter(|_| row.process.is_some())
            .and_then(|sandbox| place.world.substrate.sandbox(sandbox))
        else {
            continue;
        };
        for port in row.ports.iter() {
            all.push(Published {
                port: port.published,
                target: port.target,
                protocol: if port.protocol == "udp" { "udp" } else { "tcp" },
                address: sandbox.address,
            });
        }
    }
    all.sort_by_key(|one| one.port);
    all
}

fn through(input: Option<(&str, bool)>, output: Option<(&str, bool)>) -> Match {
    let own = |name: Option<(&str, bool)>| name.map(|(name, not)| (name.to_owned(), not));
    Match {
        input: own(input),
        output: own(output),
        ..Match::default()
    }
}

/// The engine's own chains.
fn engine(place: &Place<'_>, all: &mut Ruleset) {
    let jump = |name: &str| Target::Jump(name.to_owned());
    let own = bridge(place);
    let bridges = ["docker0", own];
    let swarm = place.world.orchestrator == Orchestrator::Swarm;
    let filter = &mut all.filter;
    // The engine lets nothing through that it does not allow, when it is the one that turned on
    // forwarding.
    for (hook, pass) in &mut filter.hooks {
        *pass = *hook != "FORWARD";
    }
    for name in [
        "DOCKER",
        "DOCKER-BRIDGE",
        "DOCKER-CT",
        "DOCKER-INTERNAL",
        "DOCKER-USER",
    ] {
        filter.chain(name);
    }
    filter.add("FORWARD", Match::default(), jump("DOCKER-USER"));
    filter.add("FORWARD", Match::default(), jump("DOCKER-FORWARD"));
    if swarm {
        filter.add("DOCKER-FORWARD", Match::default(), jump("DOCKER-INGRESS"));
        filter.add("DOCKER-INGRESS", Match::default(), Target::Return);
    }
    for name in ["DOCKER-CT", "DOCKER-INTERNAL", "DOCKER-BRIDGE"] {
        filter.add("DOCKER-FORWARD", Match::default(), jump(name));
    }
    let ports = published(place);
    for port in &ports {
        filter.add(
            "DOCKER",
            Match {
                destination: Some((Cidr::host(port.address), false)),
                protocol: Some(port.protocol),
                port: Some(port.target),
                ..through(Some((own, true)), Some((own, false)))
            },
            Target::Accept,
        );
    }
    for name in bridges {
        filter.add(
            "DOCKER-FORWARD",
            through(Some((name, false)), None),
            Target::Accept,
        );
        filter.add(
            "DOCKER-BRIDGE",
            through(None, Some((name, false))),
            jump("DOCKER"),
        );
        filter.add(
            "DOCKER-CT",
            Match {
                states: Some(("RELATED,ESTABLISHED", false)),
                ..through(None, Some((name, false)))
            },
            Target::Accept,
        );
        filter.add(
            "DOCKER",
            through(Some((name, true)), Some((name, false))),
            Target::Drop,
        );
    }
    let nat = &mut all.nat;
    nat.chain("DOCKER");
    if swarm {
        for hook in ["PREROUTING", "OUTPUT"] {
            nat.add(
                hook,
                Match {
                    to_local: Some(true),
                    ..Match::default()
                },
                jump("DOCKER-INGRESS"),
            );
        }
        ingress(place, nat);
    }
    nat.add(
        "PREROUTING",
        Match {
            to_local: Some(true),
            ..Match::default()
        },
        jump("DOCKER"),
    );
    nat.add(
        "OUTPUT",
        Match {
            destination: Some((
                Cidr {
                    base: 127 << 24,
                    prefix: 8,
                },
                true,
            )),
            to_local: Some(true),
            ..Match::default()
        },
        jump("DOCKER"),
    );
    let ranges = [Some((172 << 24 | 17 << 16, 16)), subnet(place)];
    for (name, range) in bridges.into_iter().zip(ranges) {
        let Some((base, prefix)) = range else {
            continue;
        };
        nat.add(
            "POSTROUTING",
            Match {
                source: Some((Cidr { base, prefix }, false)),
                ..through(None, Some((name, true)))
            },
            Target::Masquerade,
        );
    }
    for port in &ports {
        nat.add(
            "DOCKER",
            Match {
                protocol: Some(port.protocol),
                port: Some(port.port),
                ..through(Some((own, true)), None)
            },
            Target::Destination(port.address, port.target),
        );
        all.raw.chain("PREROUTING").push(Rule::new(
            Match {
                destination: Some((Cidr::host(port.address), false)),
                ..through(Some((own, true)), None)
            },
            Target::Drop,
        ));
    }
}

/// Published ports of a swarm lead into the namespace of its mesh.
fn ingress(place: &Place<'_>, nat: &mut crate::substrate::net::filter::Table) {
    nat.chain("DOCKER-INGRESS");
    let Some((base, _)) = subnet(place) else {
        return;
    };
    let mut ports: Vec<u16> = place
        .world
        .substrate
        .balancers()
        .filter_map(|(_, row)| match row.entry {
            crate::substrate::order::Entry::EveryMachine(port) => Some(port),
            _ => None,
        })
        .collect();
    ports.sort_unstable();
    ports.dedup();
    for port in ports {
        nat.add(
            "DOCKER-INGRESS",
            Match {
                protocol: Some("tcp"),
                port: Some(port),
                ..Match::default()
            },
            // The mesh's namespace is the second address of the gateway's bridge.
            Target::Destination(base + 2, port),
        );
    }
    nat.add("DOCKER-INGRESS", Match::default(), Target::Return);
}

/// `iptables-save [-t TABLE]`.
pub fn save(place: &Place<'_>, words: &[&str]) -> Output {
    let only = words
        .iter()
        .position(|word| *word == "-t" || *word == "--table")
        .and_then(|at| words.get(at + 1))
        .copied();
    if let Some(table) = only.filter(|table| !matches!(*table, "raw" | "mangle" | "nat" | "filter"))
    {
        return Output::error(1, format!("iptables-save: table '{table}' does not exist"));
    }
    let mut output = Output::text(ruleset(place, None).save(only));
    let linked = place
        .world
        .substrate
        .machine(place.machine)
        .is_some_and(|row| row.connected);
    if !linked && place.world.orchestrator == Orchestrator::Kubernetes {
        output.stderr = "this machine is cut off from the control plane; rules are shown as its proxy would write them from the objects of now\n".to_owned();
    }
    output
}

/// `iptables -S|-L [CHAIN] [-t TABLE]`: rules of one table.
pub fn list(place: &Place<'_>, words: &[&str]) -> Output {
    let table = words
        .iter()
        .position(|word| *word == "-t")
        .and_then(|at| words.get(at + 1))
        .copied()
        .unwrap_or("filter");
    let wanted = words
        .iter()
        .position(|word| {
            matches!(
                *word,
                "-S" | "-L" | "--list-rules" | "--list" | "-nL" | "-vnL"
            )
        })
        .and_then(|at| words.get(at + 1))
        .filter(|word| !word.starts_with('-'))
        .copied();
    let saved = ruleset(place, None).save(Some(table));
    let mut text = String::new();
    let mut found = false;
    for line in saved.lines() {
        let of = |name: &str| wanted.is_none_or(|wanted| wanted == name);
        if let Some(rest) = line.strip_prefix(':') {
            let mut parts = rest.split(' ');
            let (name, policy) = (parts.next().unwrap_or(""), parts.next().unwrap_or("-"));
            if of(name) {
                found = true;
                text.push_str(&if policy == "-" {
                    format!("-N {name}\n")
                } else {
                    format!("-P {name} {policy}\n")
                });
            }
        } else if let Some(rest) = line.strip_prefix("-A ")
            && of(rest.split(' ').next().unwrap_or(""))
        {
            text.push_str(line);
            text.push('\n');
        }
    }
    if !found {
        return Output::error(1, "iptables: No chain/target/match by that name.");
    }
    Output::text(text)
}

/// Where a packet starts.
struct Origin {
    machine: MachineId,
    source: u32,
    /// The sandbox that sends it; none: the machine, or somebody outside.
    sandbox: Option<SandboxId>,
    /// Whether it comes in from outside.
    outside: bool,
    text: String,
}

/// An address outside all machines, of the range for documentation.
const USERS: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);

fn sandbox_of(world: &World, address: u32) -> Option<SandboxId> {
    world
        .substrate
        .sandboxes()
        .find(|(_, row)| row.address == address && row.spec.network != Sharing::Host)
        .map(|(id, _)| id)
}

fn machine_of(world: &World, address: u32) -> Option<MachineId> {
    world.substrate.machines().map(|(id, _)| id).find(|id| {
        world.substrate.machine_address(*id) == Some(Ipv4Addr::from(address).to_string())
    })
}

/// The machine and sandbox of an owner's name: a pod, or a container.
fn named(
    world: &World,
    name: &str,
    now: crate::base::time::SimTime,
) -> Option<(MachineId, SandboxId)> {
    let plain = name.rsplit('/').next().unwrap_or(name);
    world.substrate.machines().find_map(|(machine, _)| {
        let place = Place::new(world, machine, now);
        let found = place
            .units
            .iter()
            .find(|(_, unit)| unit.name == plain)
            .map(|(sandbox, _)| *sandbox)?;
        Some((machine, found))
    })
}

/// `sim packet from A to B:port [udp|tcp] [on NODE]`: follows one packet. `A` and `B` are pods,
/// containers, services, machines or addresses; `outside` is a user.
pub fn packet(world: &World, now: crate::base::time::SimTime, words: &[&str]) -> Output {
    let usage = || {
        Output::error(
            2,
            "usage: sim packet from A to B:PORT [tcp|udp|sctp] [on NODE] [cluster-cidr RANGE]; A and B are pods, containers, services, machines or addresses",
        )
    };
    let ["from", from, "to", to, rest @ ..] = words else {
        return usage();
    };
    let mut protocol = "tcp";
    let (mut node, mut cluster) = (None, None);
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        match *word {
            "tcp" => protocol = "tcp",
            "udp" => protocol = "udp",
            "sctp" => protocol = "sctp",
            "on" => node = rest.next().copied(),
            "cluster-cidr" => match rest.next().and_then(|text| Cidr::parse(text)) {
                Some(range) => cluster = Some(range),
                None => return usage(),
            },
            _ => return usage(),
        }
    }
    let Some((target, port)) = to
        .rsplit_once(':')
        .and_then(|(target, port)| Some((target, port.parse::<u16>().ok()?)))
    else {
        return usage();
    };
    let entry = match node {
        None => None,
        Some(name) => match world.machine(name) {
            Some(machine) => Some(machine),
            None => return Output::error(2, format!("there is no machine \"{name}\"")),
        },
    };
    let origin = match origin(world, now, from, entry) {
        Ok(origin) => origin,
        Err(why) => return Output::error(2, why),
    };
    let place = Place::new(world, origin.machine, now);
    let destination = match destination(&place, target, now) {
        Ok(destination) => destination,
        Err(why) => return Output::error(2, why),
    };
    follow(&place, &origin, destination, port, protocol, cluster)
}

fn origin(
    world: &World,
    now: crate::base::time::SimTime,
    from: &str,
    entry: Option<MachineId>,
) -> Result<Origin, String> {
    let first = || {
        let worker = world
            .substrate
            .machines()
            .find(|(_, row)| row.is_on() && !row.control);
        worker
            .or_else(|| world.substrate.machines().find(|(_, row)| row.is_on()))
            .map(|(id, _)| id)
            .ok_or_else(|| "no machine runs".to_owned())
    };
    if matches!(from, "outside" | "users" | "internet") {
        return Ok(Origin {
            machine: entry.map_or_else(first, Ok)?,
            source: u32::from(USERS),
            sandbox: None,
            outside: true,
            text: "a user outside".to_owned(),
        });
    }
    if let Some(machine) = world.machine(from) {
        let place = Place::new(world, machine, now);
        return Ok(Origin {
            machine,
            source: machine_address(&place).unwrap_or(0),
            sandbox: None,
            outside: false,
            text: format!("machine {from}"),
        });
    }
    if let Ok(address) = from.parse::<Ipv4Addr>() {
        let source = u32::from(address);
        if let Some(machine) = machine_of(world, source) {
            return Ok(Origin {
                machine,
                source,
                sandbox: None,
                outside: false,
                text: format!("machine {}", world.machine_text(machine)),
            });
        }
        let sandbox = sandbox_of(world, source);
        let machine = sandbox.and_then(|sandbox| Some(world.substrate.sandbox(sandbox)?.machine));
        let is_known = machine.is_some();
        return Ok(Origin {
            machine: match (entry, machine) {
                (Some(machine), _) | (None, Some(machine)) => machine,
                (None, None) => first()?,
            },
            source,
            sandbox,
            outside: !is_known,
            text: if is_known {
                "a container".to_owned()
            } else {
                "an address that no machine here has".to_owned()
            },
        });
    }
    let (machine, sandbox) = named(world, from, now).ok_or_else(|| {
        format!("\"{from}\" is neither a pod, a container, a machine nor an address")
    })?;
    let source = world
        .substrate
        .sandbox(sandbox)
        .map_or(0, |row| row.address);
    Ok(Origin {
        machine,
        source,
        sandbox: Some(sandbox),
        outside: false,
        text: from.to_owned(),
    })
}

fn destination(
    place: &Place<'_>,
    target: &str,
    now: crate::base::time::SimTime,
) -> Result<u32, String> {
    if let Ok(address) = target.parse::<Ipv4Addr>() {
        return Ok(u32::from(address));
    }
    let world = place.world;
    if let Some(machine) = world.machine(target) {
        let other = Place::new(world, machine, now);
        return machine_address(&other).ok_or_else(|| format!("{target} has no address"));
    }
    if world.orchestrator == Orchestrator::Kubernetes {
        let (name, namespace) = match target.split_once('/') {
            Some(("svc" | "service", name)) => (name, "default"),
            Some((namespace, name)) => (name, namespace),
            None => (target, "default"),
        };
        let full = if name.contains(".svc") {
            name.trim_end_matches(".cluster.local").to_owned() + ".cluster.local"
        } else {
            format!("{name}.{namespace}.svc.cluster.local")
        };
        if let super::names::Answer::Addresses(list) = super::names::cluster(place, &full, "A")
            && let Some(first) = list.first()
        {
            return Ok(u32::from(*first));
        }
    }
    let found = named(world, target, now)
        .and_then(|(_, sandbox)| Some(world.substrate.sandbox(sandbox)?.address));
    found.filter(|address| *address != 0).ok_or_else(|| {
        format!("\"{target}\" is neither a service, a pod, a container, a machine nor an address")
    })
}

/// Follows a packet from its first machine to where it ends.
fn follow(
    place: &Place<'_>,
    origin: &Origin,
    destination: u32,
    port: u16,
    protocol: &'static str,
    cluster: Option<Cidr>,
) -> Output {
    let rules = ruleset(place, cluster);
    let own = machine_address(place).unwrap_or(0);
    let gateway = subnet(place).map(|(base, _)| base + 1);
    let local = |address: u32| address == own || Some(address) == gateway || address >> 24 == 127;
    let input = match (origin.outside, origin.sandbox) {
        (true, _) => "eth0".to_owned(),
        (false, Some(_)) => bridge(place).to_owned(),
        (false, None) => String::new(),
    };
    let packet = Packet {
        source: origin.source,
        destination,
        port,
        protocol,
        mark: 0,
        input: input.clone(),
        output: String::new(),
        redirected: false,
    };
    let mut text = format!(
        "packet {}:* -> {}:{port}/{protocol} from {}\n",
        Ipv4Addr::from(origin.source),
        Ipv4Addr::from(destination),
        origin.text
    );
    match (origin.outside, origin.sandbox) {
        (true, _) => text.push_str(&format!("hop {}: in by eth0\n", place.node_name())),
        (false, Some(sandbox)) => text.push_str(&format!(
            "hop {}: eth0 of the sandbox -> {} -> {}\n",
            place.node_name(),
            veth(sandbox),
            bridge(place)
        )),
        (false, None) => {
            text.push_str(&format!("hop {}: made on the machine\n", place.node_name()))
        }
    }
    let hook = if input.is_empty() {
        "OUTPUT"
    } else {
        "PREROUTING"
    };
    let mut ways = walk("raw", &rules.raw, hook, packet, &local);
    ways = on(ways, |packet| walk("nat", &rules.nat, hook, packet, &local));
    // The route is chosen by what the packet says by now.
    for way in &mut ways {
        way.packet.output = route(place, way.packet.destination, own);
    }
    ways = on(ways, |packet| {
        let chain = match (input.is_empty(), local(packet.destination)) {
            (true, _) => "OUTPUT",
            (false, true) => "INPUT",
            (false, false) => "FORWARD",
        };
        walk("filter", &rules.filter, chain, packet, &local)
    });
    ways = on(ways, |packet| {
        if local(packet.destination) && !input.is_empty() {
            // It does not leave the machine.
            return vec![Way {
                packet,
                end: End::Passed,
                steps: Vec::new(),
                chance: (1, 1),
                masquerade: false,
            }];
        }
        walk("nat", &rules.nat, "POSTROUTING", packet, &local)
    });
    let mut code = 1;
    for way in &ways {
        let (line, arrived) = verdict(place, way, own);
        if arrived {
            code = 0;
        }
        for step in &way.steps {
            text.push_str(&format!("  {step}\n"));
        }
        let (top, bottom) = way.chance;
        let chance = if top == bottom {
            String::new()
        } else {
            format!("chance {top}/{bottom}: ")
        };
        text.push_str(&format!("=> {chance}{line}\n"));
    }
    Output {
        stdout: text,
        code,
        ..Output::default()
    }
}

/// Goes on with the ways that passed.
fn on(ways: Vec<Way>, next: impl Fn(Packet) -> Vec<Way>) -> Vec<Way> {
    let mut all = Vec::new();
    for way in ways {
        if way.end != End::Passed {
            all.push(way);
            continue;
        }
        for mut later in next(way.packet.clone()) {
            let mut steps = way.steps.clone();
            steps.append(&mut later.steps);
            later.steps = steps;
            later.masquerade |= way.masquerade;
            later.chance = (way.chance.0 * later.chance.0, way.chance.1 * later.chance.1);
            all.push(later);
        }
    }
    all
}

/// Interface that a packet leaves by.
fn route(place: &Place<'_>, destination: u32, own: u32) -> String {
    if destination == own || destination >> 24 == 127 {
        return "lo".to_owned();
    }
    let here = subnet(place).is_some_and(|(base, prefix)| Cidr { base, prefix }.holds(destination));
    if here {
        bridge(place).to_owned()
    } else {
        "eth0".to_owned()
    }
}

/// What becomes of a packet behind the rules, in words; whether it arrives.
fn verdict(place: &Place<'_>, way: &Way, own: u32) -> (String, bool) {
    let world = place.world;
    let packet = &way.packet;
    let target = format!("{}:{}", Ipv4Addr::from(packet.destination), packet.port);
    match way.end {
        End::Dropped => return (format!("DROP on {}: {target}", place.node_name()), false),
        End::Rejected => {
            return (
                format!(
                    "REJECT on {}: {target}: icmp port unreachable",
                    place.node_name()
                ),
                false,
            );
        }
        End::Passed => {}
    }
    let source = if way.masquerade {
        format!("MASQUERADE: source {}", Ipv4Addr::from(own))
    } else {
        format!("source {}", Ipv4Addr::from(packet.source))
    };
    if let Some(sandbox) = sandbox_of(world, packet.destination) {
        let Some(row) = world.substrate.sandbox(sandbox) else {
            return (format!("{target}: no answer"), false);
        };
        let machine = world.machine_text(row.machine);
        let way_there = if row.machine == place.machine {
            format!("{} -> {}", bridge(place), veth(sandbox))
        } else {
            format!("eth0 -> {machine} -> {}", veth(sandbox))
        };
        if !world.substrate.connects(place.machine, row.machine) {
            return (
                format!(
                    "{target}: lost between {} and {machine}; {source}",
                    place.node_name()
                ),
                false,
            );
        }
        let listens = world
            .substrate
            .containers_in(sandbox)
            .any(|(id, _)| world.substrate.listening(id, packet.port, place.now));
        let end = if listens {
            "accepted"
        } else {
            "connection refused: nobody listens"
        };
        return (
            format!("{target} on {machine} by {way_there}; {source}; {end}"),
            listens,
        );
    }
    if let Some(machine) = machine_of(world, packet.destination) {
        let name = world.machine_text(machine);
        return (
            format!(
                "{target} on {name} itself; {source}; connection refused: no process of the machine listens there in this model"
            ),
            false,
        );
    }
    // An endpoint that was only described, not run here, or an address outside.
    (
        format!("{target}; {source}; leaves by eth0: no machine of this world has the address"),
        packet.redirected,
    )
}
