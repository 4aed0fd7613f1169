//! Interfaces, addresses and routes: `ip addr|link|route`.

use std::net::Ipv4Addr;

use crate::base::arrange::Arrange;
use crate::base::rng::stable_key_with;
use crate::base::sentence::catalogue;
use crate::console::{Output, after, not_modelled};
use crate::engine::command::Orchestrator;
use crate::substrate::cgroup::settings::Sharing;
use crate::substrate::machine::MACHINE_NETWORK;
use crate::substrate::net::filter::Cidr;
use crate::substrate::order::SandboxId;
use crate::substrate::profile::network::{NetworkDriver, NetworkKind};
use crate::swarm::addresses::GATEWAY;

use super::networks;
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
    /// Largest packet, in bytes.
    pub mtu: u32,
    /// Whether something is plugged into it.
    pub up: bool,
}

/// Name of the bridge that a machine's pods are in.
pub const POD_BRIDGE: &str = "cni0";

/// Interfaces that a sandbox has at most, besides its loopback: what its numbers leave room for.
const PLUGS_MAX: u32 = 8;

/// The machine's router.
pub const ROUTER: u32 = MACHINE_NETWORK + 1;

/// Name of the end of a pair that lies on the machine: that of a sandbox's interface of this number.
pub fn veth(sandbox: SandboxId, number: u32) -> String {
    format!(
        "veth{:07x}",
        stable_key_with(sandbox.bits(), 0x7665_7468 + u64::from(number)) as u32 & 0xfff_ffff
    )
}

/// What joins the sandboxes of several machines: with Kubernetes routes, unless the machine is said
/// to have another. Docker's engine has its own, network by network.
pub fn driver(place: &Place<'_>) -> NetworkDriver {
    place
        .world
        .substrate
        .machine(place.machine)
        .and_then(|row| row.profile.network)
        .unwrap_or(NetworkKind::Routed)
        .driver()
}

/// Number of that end.
fn index(sandbox: SandboxId, number: u32) -> u32 {
    40 + (sandbox.slot() % 1_000_000) * PLUGS_MAX + number.min(PLUGS_MAX - 1)
}

/// The machine's subnet for pods: first address and length.
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
    Some(place.world.substrate.machine(place.machine)?.address)
}

/// Bridges in the machine's own namespace: name, first address and length of the prefix.
pub fn bridges(place: &Place<'_>) -> Vec<(String, u32, u8)> {
    if place.world.orchestrator == Orchestrator::Kubernetes {
        let own = subnet(place);
        return own
            .map(|(base, prefix)| vec![(POD_BRIDGE.to_owned(), base, prefix)])
            .unwrap_or_default();
    }
    networks::on_machine(place)
        .into_iter()
        .filter(|net| !net.bridge.is_empty())
        .map(|net| (net.bridge, net.base, net.prefix))
        .collect()
}

/// The bridge of the machine whose range holds an address.
pub fn bridge_of(place: &Place<'_>, address: u32) -> Option<String> {
    bridges(place)
        .into_iter()
        .find(|(_, base, prefix)| {
            Cidr {
                base: *base,
                prefix: *prefix,
            }
            .holds(address)
        })
        .map(|(name, _, _)| name)
}

/// The sandbox whose network a process has; none: the machine's.
pub fn network(sight: &Sight<'_>) -> Option<SandboxId> {
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

/// Addresses of a sandbox's interfaces in their order, each with the length of its prefix and
/// whether it lies in an overlay.
pub fn ends(place: &Place<'_>, sandbox: SandboxId) -> Vec<(u32, u8, bool)> {
    let machines = &place.world.substrate;
    let overlays = networks::on_machine(place);
    let plugs = machines.plugs(sandbox);
    if plugs.is_empty() {
        let address = machines.sandbox(sandbox).map_or(0, |row| row.address);
        return if address == 0 {
            Vec::new()
        } else {
            vec![(address, 24, false)]
        };
    }
    plugs
        .iter()
        .map(|(plug, address)| {
            let overlay = overlays
                .iter()
                .any(|net| net.name == *plug.network && !net.overlay.is_empty());
            (*address, plug.prefix, overlay)
        })
        .collect()
}

fn plain(index: u32, name: &str, address: Option<(u32, u8)>) -> Interface {
    Interface {
        index,
        name: name.to_owned(),
        peer: None,
        bridge: None,
        address,
        mtu: MTU,
        up: true,
    }
}

/// Largest packet of an Ethernet.
const MTU: u32 = 1_500;
/// The same within VXLAN: 50 bytes less for its headers.
const OVERLAY_MTU: u32 = 1_450;

/// Interfaces of a process's network, by number.
pub fn interfaces(sight: &Sight<'_>) -> Vec<Interface> {
    let place = sight.place;
    let mut all = vec![plain(1, "lo", Some((u32::from(Ipv4Addr::LOCALHOST), 8)))];
    if let Some(sandbox) = network(sight) {
        for (number, (address, prefix, overlay)) in (0_u32..).zip(ends(place, sandbox)) {
            let mut own = plain(2 + number, &format!("eth{number}"), Some((address, prefix)));
            own.peer = Some(index(sandbox, number));
            own.mtu = if overlay { OVERLAY_MTU } else { MTU };
            if place.world.orchestrator == Orchestrator::Kubernetes {
                own.mtu -= driver(place).header_bytes;
            }
            all.push(own);
        }
        return all;
    }
    all.push(plain(
        2,
        "eth0",
        machine_address(place).map(|address| (address, MACHINE_PREFIX)),
    ));
    let mut pairs = Vec::new();
    for (sandbox, row) in place.world.substrate.sandboxes_on(place.machine) {
        if row.address == 0 || row.spec.network == Sharing::Host {
            continue;
        }
        for (number, (address, _, overlay)) in (0_u32..).zip(ends(place, sandbox)) {
            // The other end of an overlay's pair is in the overlay's own namespace.
            if let Some(bridge) = bridge_of(place, address).filter(|_| !overlay) {
                pairs.push(Interface {
                    peer: Some(2 + number),
                    bridge: Some(bridge),
                    ..plain(index(sandbox, number), &veth(sandbox, number), None)
                });
            }
        }
    }
    if place.world.orchestrator == Orchestrator::Swarm {
        // The mesh's namespace stands on the gateway's bridge like a container.
        pairs.push(Interface {
            peer: Some(3),
            bridge: Some(GATEWAY.to_owned()),
            ..plain(39, "veth0000001", None)
        });
    }
    pairs.arrange_by_key(|end| end.index);
    let device = driver(place).device;
    if place.world.orchestrator == Orchestrator::Kubernetes
        && !device.is_empty()
        && let Some((base, _)) = subnet(place)
    {
        let mut own = plain(38, device, Some((base, 32)));
        own.mtu = MTU - driver(place).header_bytes;
        pairs.push(own);
    }
    for (number, (name, base, prefix)) in (3_u32..).zip(bridges(place)) {
        let mut own = plain(number, &name, Some((base + 1, prefix)));
        own.up = pairs
            .iter()
            .any(|end| end.bridge.as_deref() == Some(name.as_str()));
        all.push(own);
    }
    all.extend(pairs);
    all
}

/// Length of the prefix of the machines' network.
const MACHINE_PREFIX: u8 = 16;

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
        (interface.mtu, "noqueue")
    } else {
        (interface.mtu, "fq_codel")
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
            after(
                "Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }; ",
                catalogue::IP_MODELLED.plain(),
            ),
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
        other => Output::error(1, not_modelled(format!("ip {other}"))),
    }
}

/// The routes of a process's network.
fn routes(sight: &Sight<'_>) -> String {
    let place = sight.place;
    if let Some(sandbox) = network(sight) {
        return inner_routes(place, sandbox);
    }
    let own = machine_address(place).unwrap_or(0);
    let mut text = format!("default via {} dev eth0\n", Ipv4Addr::from(ROUTER));
    let interfaces = interfaces(sight);
    let mut links: Vec<(u32, String)> = bridges(place)
        .into_iter()
        .map(|(name, base, prefix)| {
            let up = interfaces.iter().any(|one| one.name == name && one.up);
            let down = if up { "" } else { " linkdown" };
            let line = format!(
                "{}/{prefix} dev {name} proto kernel scope link src {}{down}\n",
                Ipv4Addr::from(base),
                Ipv4Addr::from(base + 1)
            );
            (base, line)
        })
        .collect();
    if place.world.orchestrator == Orchestrator::Kubernetes {
        // Each other node's subnet lies behind that node.
        for (id, row) in place.world.substrate.machines() {
            let Some(subnet) = place.world.substrate.subnet(id) else {
                continue;
            };
            let first = subnet.split('/').next();
            let base = first.and_then(|text| text.parse::<Ipv4Addr>().ok());
            if let Some(base) = base.map(u32::from).filter(|_| id != place.machine) {
                let driver = driver(place);
                if !driver.crosses {
                    continue;
                }
                let line = if driver.device.is_empty() {
                    format!("{subnet} via {} dev eth0\n", Ipv4Addr::from(row.address))
                } else {
                    format!(
                        "{subnet} via {} dev {} onlink\n",
                        Ipv4Addr::from(base),
                        driver.device
                    )
                };
                links.push((base, line));
            }
        }
    }
    links.push((
        own & 0xffff_0000,
        format!(
            "{}/{MACHINE_PREFIX} dev eth0 proto kernel scope link src {}\n",
            Ipv4Addr::from(own & 0xffff_0000),
            Ipv4Addr::from(own)
        ),
    ));
    links.arrange();
    text.extend(links.into_iter().map(|(_, line)| line));
    text
}

/// Those of a sandbox: the way out is by the first network that is not an overlay.
fn inner_routes(place: &Place<'_>, sandbox: SandboxId) -> String {
    let ends = ends(place, sandbox);
    let mask = |prefix: u8| u32::MAX << (32 - u32::from(prefix.clamp(1, 32)));
    let mut text = String::new();
    let out = (0_u32..).zip(&ends).find(|(_, (_, _, overlay))| !overlay);
    if let Some((number, (address, prefix, _))) = out {
        text.push_str(&format!(
            "default via {} dev eth{number}\n",
            Ipv4Addr::from((address & mask(*prefix)) + 1)
        ));
    }
    let mut links: Vec<(u32, String)> = (0_u32..)
        .zip(&ends)
        .map(|(number, (address, prefix, _))| {
            let base = address & mask(*prefix);
            let line = format!(
                "{}/{prefix} dev eth{number} proto kernel scope link src {}\n",
                Ipv4Addr::from(base),
                Ipv4Addr::from(*address)
            );
            (base, line)
        })
        .collect();
    links.arrange();
    text.extend(links.into_iter().map(|(_, line)| line));
    text
}
