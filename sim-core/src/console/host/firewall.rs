//! Rules of a machine's packet filter, and the way of one packet through machines.
//!
//! Sources of the engine's rules: moby `integration/network/bridge/iptablesdoc`.

use std::fmt::Display;
use std::net::Ipv4Addr;

use crate::base::sentence::passage::Passage;
use crate::base::sentence::{Sentence, catalogue};
use crate::console::Output;
use crate::engine::command::Orchestrator;
use crate::engine::world::World;
use crate::kube::KubePlane;
use crate::kube::apiserver::own_service;
use crate::kube::apiserver::refusal::UNREACHABLE;
use crate::kube::proxy::rules;
use crate::substrate::cgroup::settings::Sharing;
use crate::substrate::net::filter::{Cidr, End, Packet, Ruleset, Way, walk};
use crate::substrate::order::{MachineId, SandboxId};

use super::names::objects;
use super::net::{bridge_of, bridges, driver, ends, machine_address, veth};
use super::place::Place;
use super::{engine_rules, mesh_walk, policy_walk};

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
        Orchestrator::Swarm | Orchestrator::Compose => engine_rules::write(place, &mut all),
    }
    all
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
        output.stderr.push(catalogue::CUT_OFF.plain());
        output.stderr.push("\n");
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
    /// What it is.
    said: Sentence,
}

/// An address outside all machines, of the range for documentation.
const USERS: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);

/// The sandbox that has an address: one of this machine, where bridges of several machines have the
/// same range; else the only one.
pub(super) fn sandbox_of(place: &Place<'_>, address: u32) -> Option<SandboxId> {
    let machines = &place.world.substrate;
    let here = machines
        .sandboxes_on(place.machine)
        .map(|(id, _)| id)
        .find(|id| machines.has_address(*id, address));
    // An address of this machine's own bridges is nobody's elsewhere.
    if here.is_some() || bridge_of(place, address).is_some() {
        return here;
    }
    machines
        .sandboxes()
        .filter(|(_, row)| row.spec.network != Sharing::Host)
        .map(|(id, _)| id)
        .find(|id| machines.has_address(*id, address))
}

fn machine_of(world: &World, address: u32) -> Option<MachineId> {
    world
        .substrate
        .machines()
        .find(|(_, row)| row.address == address)
        .map(|(id, _)| id)
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
            .find(|(_, unit)| {
                // A task's container is called after the task and its identifier.
                unit.name == plain || unit.name.starts_with(&format!("{plain}."))
            })
            .map(|(sandbox, _)| *sandbox)?;
        Some((machine, found))
    })
}

/// `sim packet from A to B:port [udp|tcp] [on NODE]`: follows one packet. `A` and `B` are pods,
/// containers, services, machines or addresses; `outside` is a user.
pub fn packet(world: &World, now: crate::base::time::SimTime, words: &[&str]) -> Output {
    let usage = || {
        let usage = "sim packet from A to B:PORT [tcp|udp|sctp] [on NODE] [cluster-cidr RANGE]";
        let usage = catalogue::USAGE.with(&[("usage", &usage)]);
        Output::error(2, usage.advise(catalogue::PACKET_ENDS.plain()))
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
            None => return Output::error(2, catalogue::NO_MACHINE.with(&[("word", &name)])),
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
) -> Result<Origin, Sentence> {
    let first = || {
        let worker = world
            .substrate
            .machines()
            .find(|(_, row)| row.is_on() && !row.control);
        worker
            .or_else(|| world.substrate.machines().find(|(_, row)| row.is_on()))
            .map(|(id, _)| id)
            .ok_or_else(|| catalogue::NO_MACHINE_RUNS.plain())
    };
    if matches!(from, "outside" | "users" | "internet") {
        return Ok(Origin {
            machine: entry.map_or_else(first, Ok)?,
            source: u32::from(USERS),
            sandbox: None,
            outside: true,
            said: catalogue::FROM_OUTSIDE.plain(),
        });
    }
    if let Some(machine) = world.machine(from) {
        let place = Place::new(world, machine, now);
        return Ok(Origin {
            machine,
            source: machine_address(&place).unwrap_or(0),
            sandbox: None,
            outside: false,
            said: catalogue::FROM_MACHINE.with(&[("name", &from)]),
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
                said: catalogue::FROM_MACHINE.with(&[("name", &world.machine_text(machine))]),
            });
        }
        let near = entry.map_or_else(first, Ok)?;
        let sandbox = sandbox_of(&Place::new(world, near, now), source);
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
            said: if is_known {
                catalogue::FROM_CONTAINER.plain()
            } else {
                catalogue::FROM_NOBODY.plain()
            },
        });
    }
    let (machine, sandbox) =
        named(world, from, now).ok_or_else(|| catalogue::NO_ORIGIN.with(&[("word", &from)]))?;
    let on_host = world
        .substrate
        .sandbox(sandbox)
        .is_some_and(|row| row.spec.network == Sharing::Host);
    let source = world
        .substrate
        .sandbox(sandbox)
        .map_or(0, |row| row.address);
    Ok(Origin {
        machine,
        source,
        sandbox: Some(sandbox).filter(|_| !on_host),
        outside: false,
        said: Sentence::quoted(from),
    })
}

fn destination(
    place: &Place<'_>,
    target: &str,
    now: crate::base::time::SimTime,
) -> Result<u32, Sentence> {
    if let Ok(address) = target.parse::<Ipv4Addr>() {
        return Ok(u32::from(address));
    }
    let world = place.world;
    if let Some(machine) = world.machine(target) {
        let other = Place::new(world, machine, now);
        return machine_address(&other)
            .ok_or_else(|| catalogue::NO_ADDRESS.with(&[("word", &target)]));
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
    if let Some(address) = mesh_walk::service_address(place, target) {
        return Ok(address);
    }
    let found = named(world, target, now)
        .and_then(|(_, sandbox)| Some(world.substrate.sandbox(sandbox)?.address));
    found
        .filter(|address| *address != 0)
        .ok_or_else(|| catalogue::NO_DESTINATION.with(&[("word", &target)]))
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
    let gateways: Vec<u32> = bridges(place).iter().map(|(_, base, _)| base + 1).collect();
    let local =
        |address: u32| address == own || gateways.contains(&address) || address >> 24 == 127;
    if let Some(sandbox) = origin.sandbox
        && let Some(output) = mesh_walk::inside(place, sandbox, destination, port, protocol)
    {
        return output;
    }
    let door = origin
        .sandbox
        .map(|sandbox| way_out(place, sandbox, destination));
    let input = match (origin.outside, &door) {
        (true, _) => "eth0".to_owned(),
        (false, Some(door)) => door.bridge.clone(),
        (false, None) => String::new(),
    };
    let source = door.as_ref().map_or(origin.source, |door| door.address);
    let packet = Packet {
        source,
        destination,
        port,
        protocol,
        mark: 0,
        input: input.clone(),
        output: String::new(),
        redirected: false,
    };
    let target = format!("{}:{port}/{protocol}", Ipv4Addr::from(destination));
    let header =
        catalogue::PACKET.with(&[("source", &Ipv4Addr::from(source)), ("target", &target)]);
    let mut text = Passage::from(header.and("origin", origin.said.clone())).then("\n");
    let first = match (origin.outside, &door) {
        (true, _) => catalogue::HOP_IN.with(&[("interface", &"eth0")]),
        (false, Some(door)) => {
            let way = format!("{} -> {}", door.veth, door.bridge);
            catalogue::HOP_OUT.with(&[("interface", &door.interface), ("way", &way)])
        }
        (false, None) => catalogue::HOP_MADE.plain(),
    };
    text.push(hop(place, first));
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
        let steps: String = way.steps.iter().map(|step| format!("  {step}\n")).collect();
        text.push(steps);
        if let Some((more, arrived)) = mesh_walk::ingress(place, way) {
            text.push(more);
            code = if arrived { 0 } else { code };
            continue;
        }
        let (mut line, mut arrived) = verdict(place, way, own);
        let said = policy_walk::ask(place, origin.sandbox, way, own);
        text.push(said.steps);
        if let Some(why) = said.dropped {
            (line, arrived) = (why, false);
        }
        if arrived {
            code = 0;
        }
        let (top, bottom) = way.chance;
        if top != bottom {
            let share = [("share", &format!("{top}/{bottom}") as &dyn Display)];
            line = catalogue::CHANCE.with(&share).and("what", line);
        }
        text.push(end(line));
    }
    Output {
        stdout: text,
        code,
        ..Output::default()
    }
}

/// The line of a machine or a namespace that a packet passes.
pub(super) fn hop(place: &Place<'_>, what: impl Into<Sentence>) -> Passage {
    let hop = catalogue::HOP.with(&[("machine", &place.node_name())]);
    Passage::from(hop.and("what", what.into())).then("\n")
}

/// The line of what became of it.
pub(super) fn end(what: Sentence) -> Passage {
    Passage::from("=> ").then(what).then("\n")
}

/// One thing, and then another.
pub(super) fn also(one: Sentence, other: Sentence) -> Sentence {
    catalogue::ALSO.plain().and("one", one).and("other", other)
}

/// Somebody who listens, or nobody.
pub(super) fn listener(listens: bool) -> Sentence {
    if listens {
        catalogue::ACCEPTED.plain()
    } else {
        catalogue::NOBODY_LISTENS.plain()
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
    bridge_of(place, destination).unwrap_or_else(|| "eth0".to_owned())
}

/// The interface by which a sandbox sends a packet.
struct Door {
    interface: String,
    veth: String,
    bridge: String,
    address: u32,
}

/// By the network that the destination is in, else by the one that has the default route.
fn way_out(place: &Place<'_>, sandbox: SandboxId, destination: u32) -> Door {
    let ends = ends(place, sandbox);
    let near = ends.iter().position(|(address, prefix, _)| {
        Cidr {
            base: *address,
            prefix: *prefix,
        }
        .holds(destination)
    });
    let number = near
        .or_else(|| ends.iter().position(|(_, _, overlay)| !overlay))
        .unwrap_or(0);
    let address = ends.get(number).map_or(0, |(address, _, _)| *address);
    let short = u32::try_from(number).unwrap_or(0);
    Door {
        interface: format!("eth{number}"),
        veth: veth(sandbox, short),
        bridge: bridge_of(place, address).unwrap_or_else(|| "eth0".to_owned()),
        address,
    }
}

/// Number of a sandbox's interface with this address.
fn number_of(place: &Place<'_>, sandbox: SandboxId, address: u32) -> u32 {
    let found = ends(place, sandbox)
        .iter()
        .position(|(other, _, _)| *other == address);
    found.and_then(|at| u32::try_from(at).ok()).unwrap_or(0)
}

/// Whether a container on the machine's own network listens at a port.
fn listens_on_host(place: &Place<'_>, machine: MachineId, port: u16) -> bool {
    let machines = &place.world.substrate;
    let is_served = |plane: &KubePlane| {
        plane
            .refusal()
            .is_none_or(|refusal| refusal.reason != UNREACHABLE)
    };
    // The API server is a process of the control machine that no sandbox here stands for.
    if i64::from(port) == own_service::PORT
        && machines.control_machines().contains(&machine)
        && place.world.kube().is_some_and(is_served)
    {
        return true;
    }
    machines
        .sandboxes_on(machine)
        .filter(|(_, row)| row.spec.network == Sharing::Host)
        .flat_map(|(sandbox, _)| machines.containers_in(sandbox))
        .any(|(id, _)| machines.listening(id, port, place.now))
}

/// What becomes of a packet behind the rules; whether it arrives.
fn verdict(place: &Place<'_>, way: &Way, own: u32) -> (Sentence, bool) {
    let world = place.world;
    let packet = &way.packet;
    let target = format!("{}:{}", Ipv4Addr::from(packet.destination), packet.port);
    let ended = |verdict: &str, what: String| {
        let machine = place.node_name();
        let parts: [(_, &dyn Display); 3] = [
            ("verdict", &verdict),
            ("machine", &machine),
            ("what", &what),
        ];
        (catalogue::ENDS_ON.with(&parts), false)
    };
    match way.end {
        End::Dropped => return ended("DROP", target),
        End::Rejected => return ended("REJECT", format!("{target}: icmp port unreachable")),
        End::Passed => {}
    }
    let source = if way.masquerade { own } else { packet.source };
    let source = catalogue::SOURCE.with(&[("address", &Ipv4Addr::from(source))]);
    let source = if way.masquerade {
        source.at("MASQUERADE")
    } else {
        source
    };
    let lost = |name: &str| {
        let ends = [
            ("one", &place.node_name() as &dyn Display),
            ("other", &name),
        ];
        catalogue::LOST.with(&ends).at(&target)
    };
    if let Some(sandbox) = sandbox_of(place, packet.destination) {
        let Some(row) = world.substrate.sandbox(sandbox) else {
            return (catalogue::NO_ANSWER.plain().at(&target), false);
        };
        let machine = world.machine_text(row.machine);
        let driver = driver(place);
        let end = number_of(place, sandbox, packet.destination);
        let way_there = if row.machine == place.machine {
            format!("{} -> {}", packet.output, veth(sandbox, end))
        } else {
            let device = driver.device;
            let wrapped = if device.is_empty() {
                String::new()
            } else {
                format!("{device} -> ")
            };
            format!("{wrapped}eth0 -> {machine} -> {}", veth(sandbox, end))
        };
        if world.substrate.reachable(place.machine, row.machine)
            && !world.substrate.connects(place.machine, row.machine)
        {
            let alone = if world.substrate.crosses(place.machine) {
                row.machine
            } else {
                place.machine
            };
            let kind = world
                .substrate
                .machine(alone)
                .and_then(|row| row.profile.network);
            let driver = kind.map_or(driver.name, |kind| kind.driver().name);
            let parts: [(_, &dyn Display); 2] =
                [("driver", &driver), ("machine", &world.machine_text(alone))];
            let alone = catalogue::DRIVER_ALONE.with(&parts).at(&target);
            return (also(alone, source), false);
        }
        if !world.substrate.connects(place.machine, row.machine) {
            return (also(lost(machine), source), false);
        }
        let listens = world
            .substrate
            .containers_in(sandbox)
            .any(|(id, _)| world.substrate.listening(id, packet.port, place.now));
        let parts: [(_, &dyn Display); 3] = [
            ("target", &target),
            ("machine", &machine),
            ("way", &way_there),
        ];
        let there = also(catalogue::ARRIVES.with(&parts), source);
        return (also(there, listener(listens)), listens);
    }
    if let Some(machine) = machine_of(world, packet.destination) {
        let name = world.machine_text(machine);
        if !world.substrate.connects(place.machine, machine) {
            return (also(lost(name), source), false);
        }
        let parts: [(_, &dyn Display); 2] = [("target", &target), ("machine", &name)];
        let there = also(catalogue::ARRIVES_ITSELF.with(&parts), source);
        let listens = listens_on_host(place, machine, packet.port);
        let end = if listens {
            catalogue::ACCEPTED
        } else {
            catalogue::NOTHING_LISTENS
        };
        return (also(there, end.plain()), listens);
    }
    // An endpoint that was only described, not run here, or an address outside.
    let leaves = catalogue::LEAVES.with(&[("interface", &"eth0")]);
    let there = also(Sentence::quoted(&target), source);
    (also(there, leaves), packet.redirected)
}
