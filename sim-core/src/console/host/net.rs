//! Interfaces, addresses and routes: `ip addr|link|route`.

use std::net::Ipv4Addr;

use crate::base::rng::stable_key_with;
use crate::console::Output;
use crate::engine::command::Orchestrator;
use crate::substrate::cgroup::settings::Sharing;
use crate::substrate::order::SandboxId;

use super::place::Place;
use super::sight::Sight;

/// One interface.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Number.
    pub index: u32,
    /// Name.
    pub name: String,
    /// The other end of a pair: its number.
    pub peer: Option<u32>,
    /// The bridge that it is in.
    pub bridge: Option<String>,
    /// Address and length of the prefix.
    pub address: Option<(u32, u8)>,
    /// Whether something is plugged into it.
    pub up: bool,
}

/// Name of the bridge that a machine's sandboxes are in.
pub fn bridge(place: &Place<'_>) -> &'static str {
    match place.world.orchestrator {
        Orchestrator::Kubernetes => "cni0",
        Orchestrator::Swarm => "docker_gwbridge",
        Orchestrator::Compose => "br-podium",
    }
}

/// Name of the end of a pair that lies on the machine.
pub fn veth(sandbox: SandboxId) -> String {
    format!(
        "veth{:08x}",
        stable_key_with(sandbox.bits(), 0x7665_7468) as u32
    )
}

/// Number of that end.
fn index(sandbox: SandboxId) -> u32 {
    5 + sandbox.slot() % 1_000_000
}

/// The machine's subnet for sandboxes: first address and length.
pub fn subnet(place: &Place<'_>) -> Option<(u32, u8)> {
    let text = place.world.substrate.subnet(place.machine)?;
    let (base, prefix) = text.split_once('/')?;
    Some((
        u32::from(base.parse::<Ipv4Addr>().ok()?),
        prefix.parse().ok()?,
    ))
}

/// The machine's own address.
pub fn machine_address(place: &Place<'_>) -> Option<u32> {
    place
        .world
        .substrate
        .machine_address(place.machine)?
        .parse::<Ipv4Addr>()
        .ok()
        .map(u32::from)
}

/// The sandbox whose network a process has; none: the machine's.
fn network(sight: &Sight<'_>) -> Option<SandboxId> {
    let machines = &sight.place.world.substrate;
    let sandbox = machines.container(sight.inside?)?.sandbox;
    let row = machines.sandbox(sandbox)?;
    (row.spec.network != Sharing::Host).then_some(sandbox)
}

/// The first address of a process's network that is not its loopback.
pub fn address(sight: &Sight<'_>) -> Option<Ipv4Addr> {
    match network(sight) {
        Some(sandbox) => {
            let row = sight.place.world.substrate.sandbox(sandbox)?;
            (row.address != 0).then(|| Ipv4Addr::from(row.address))
        }
        None => machine_address(sight.place).map(Ipv4Addr::from),
    }
}

/// Interfaces of a process's network, by number.
pub fn interfaces(sight: &Sight<'_>) -> Vec<Interface> {
    let place = sight.place;
    let plain = |index: u32, name: &str, address: Option<(u32, u8)>| Interface {
        index,
        name: name.to_owned(),
        peer: None,
        bridge: None,
        address,
        up: true,
    };
    let mut all = vec![plain(1, "lo", Some((u32::from(Ipv4Addr::LOCALHOST), 8)))];
    if let Some(sandbox) = network(sight) {
        let address = place
            .world
            .substrate
            .sandbox(sandbox)
            .map_or(0, |row| row.address);
        let mut own = plain(2, "eth0", (address != 0).then_some((address, 24)));
        own.peer = Some(index(sandbox));
        all.push(own);
        return all;
    }
    all.push(plain(
        2,
        "eth0",
        machine_address(place).map(|address| (address, 16)),
    ));
    let mut ends = Vec::new();
    for (sandbox, row) in place.world.substrate.sandboxes_on(place.machine) {
        if row.address == 0 || row.spec.network == Sharing::Host {
            continue;
        }
        ends.push(Interface {
            index: index(sandbox),
            name: veth(sandbox),
            peer: Some(2),
            bridge: Some(bridge(place).to_owned()),
            address: None,
            up: true,
        });
    }
    ends.sort_by_key(|end| end.index);
    if place.world.orchestrator != Orchestrator::Kubernetes {
        let mut docker = plain(
            3,
            "docker0",
            Some((u32::from(Ipv4Addr::new(172, 17, 0, 1)), 16)),
        );
        docker.up = false;
        all.push(docker);
    }
    if let Some((base, prefix)) = subnet(place) {
        let mut own = plain(4, bridge(place), Some((base + 1, prefix)));
        own.up = !ends.is_empty();
        all.push(own);
    }
    all.extend(ends);
    all
}

/// A made-up hardware address.
fn mac(interface: &Interface) -> String {
    let [a, b, c, d] = interface
        .address
        .map_or(interface.index, |(address, _)| address)
        .to_be_bytes();
    format!("02:42:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

fn flags(interface: &Interface) -> &'static str {
    match (interface.name.as_str(), interface.up) {
        ("lo", _) => "LOOPBACK,UP,LOWER_UP",
        (_, true) => "BROADCAST,MULTICAST,UP,LOWER_UP",
        (_, false) => "NO-CARRIER,BROADCAST,MULTICAST,UP",
    }
}

fn state(interface: &Interface) -> &'static str {
    match (interface.name.as_str(), interface.up) {
        ("lo", _) => "UNKNOWN",
        (_, true) => "UP",
        (_, false) => "DOWN",
    }
}

fn title(interface: &Interface) -> String {
    match interface.peer {
        Some(peer) => format!("{}@if{peer}", interface.name),
        None => interface.name.clone(),
    }
}

fn broadcast(address: u32, prefix: u8) -> Ipv4Addr {
    let mask = if prefix == 0 {
        0
    } else {
        u32::MAX << (32 - prefix)
    };
    Ipv4Addr::from(address | !mask)
}

fn whole(interface: &Interface, with_addresses: bool) -> String {
    let loopback = interface.name == "lo";
    let (mtu, queue) = if loopback {
        (65_536, "noqueue")
    } else if interface.peer.is_some() || interface.index > 2 {
        (1_500, "noqueue")
    } else {
        (1_500, "fq_codel")
    };
    let master = interface
        .bridge
        .as_ref()
        .map_or_else(String::new, |bridge| format!(" master {bridge}"));
    let mut text = format!(
        "{}: {}: <{}> mtu {mtu} qdisc {queue}{master} state {} group default",
        interface.index,
        title(interface),
        flags(interface),
        state(interface)
    );
    if loopback || interface.index == 2 {
        text.push_str(" qlen 1000");
    }
    text.push('\n');
    if loopback {
        text.push_str("    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n");
    } else {
        text.push_str(&format!(
            "    link/ether {} brd ff:ff:ff:ff:ff:ff",
            mac(interface)
        ));
        if interface.peer.is_some() {
            text.push_str(" link-netnsid 0");
        }
        text.push('\n');
    }
    if let Some((address, prefix)) = interface.address.filter(|_| with_addresses) {
        let dotted = Ipv4Addr::from(address);
        let scope = if loopback {
            "scope host lo".to_owned()
        } else {
            format!(
                "brd {} scope global {}",
                broadcast(address, prefix),
                interface.name
            )
        };
        text.push_str(&format!(
            "    inet {dotted}/{prefix} {scope}\n       valid_lft forever preferred_lft forever\n"
        ));
    }
    text
}

fn brief(interface: &Interface) -> String {
    let address = interface
        .address
        .map_or_else(String::new, |(address, prefix)| {
            format!("{}/{prefix}", Ipv4Addr::from(address))
        });
    format!(
        "{:<16} {:<14} {address}",
        title(interface),
        state(interface)
    )
    .trim_end()
    .to_owned()
        + "\n"
}

/// `ip [-4] [-br] addr|link|route|neigh`.
pub fn ip(sight: &Sight<'_>, words: &[&str]) -> Output {
    let is_brief = words.iter().any(|word| matches!(*word, "-br" | "-brief"));
    let plain: Vec<&str> = words
        .iter()
        .filter(|word| !word.starts_with('-'))
        .copied()
        .collect();
    let Some((object, rest)) = plain.split_first() else {
        return Output::error(
            255,
            "Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }; addr, link and route are modelled",
        );
    };
    let wanted = rest
        .iter()
        .find(|word| !matches!(**word, "show" | "list" | "ls" | "dev"))
        .copied();
    match *object {
        "addr" | "address" | "a" | "link" | "l" => {
            let addresses = object.starts_with('a');
            let all = interfaces(sight);
            let shown: Vec<&Interface> = all
                .iter()
                .filter(|one| wanted.is_none_or(|wanted| one.name == wanted))
                .collect();
            if let (true, Some(wanted)) = (shown.is_empty(), wanted) {
                return Output::error(1, format!("Device \"{wanted}\" does not exist."));
            }
            Output::text(
                shown
                    .iter()
                    .map(|one| {
                        if is_brief {
                            brief(one)
                        } else {
                            whole(one, addresses)
                        }
                    })
                    .collect::<String>(),
            )
        }
        "route" | "r" => Output::text(routes(sight)),
        other => Output::error(1, format!("ip {other} is not modelled")),
    }
}

/// The routes of a process's network.
fn routes(sight: &Sight<'_>) -> String {
    let place = sight.place;
    if let Some(sandbox) = network(sight) {
        let address = place
            .world
            .substrate
            .sandbox(sandbox)
            .map_or(0, |row| row.address);
        let base = address & 0xffff_ff00;
        return format!(
            "default via {} dev eth0\n{}/24 dev eth0 proto kernel scope link src {}\n",
            Ipv4Addr::from(base + 1),
            Ipv4Addr::from(base),
            Ipv4Addr::from(address)
        );
    }
    let own = machine_address(place).unwrap_or(0);
    let net = own & 0xffff_0000;
    let mut text = format!("default via {} dev eth0\n", Ipv4Addr::from(net + 1));
    if let Some((base, prefix)) = subnet(place) {
        text.push_str(&format!(
            "{}/{prefix} dev {} proto kernel scope link src {}\n",
            Ipv4Addr::from(base),
            bridge(place),
            Ipv4Addr::from(base + 1)
        ));
    }
    if place.world.orchestrator == Orchestrator::Kubernetes {
        // Each other node's subnet lies behind that node.
        for (id, _) in place.world.substrate.machines() {
            if id == place.machine {
                continue;
            }
            let other = place
                .world
                .substrate
                .subnet(id)
                .zip(place.world.substrate.machine_address(id));
            if let Some((subnet, via)) = other {
                text.push_str(&format!("{subnet} via {via} dev eth0\n"));
            }
        }
    } else {
        text.push_str(
            "172.17.0.0/16 dev docker0 proto kernel scope link src 172.17.0.1 linkdown\n",
        );
    }
    text.push_str(&format!(
        "{}/16 dev eth0 proto kernel scope link src {}\n",
        Ipv4Addr::from(net),
        Ipv4Addr::from(own)
    ));
    text
}
