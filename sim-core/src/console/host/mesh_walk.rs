//! A packet's way through a swarm's load balancers: the mesh behind a published port, and the
//! virtual address of a service on an overlay.
//!
//! ```text
//! DNAT to ingress_sbox ─▶ mangle: mark by port ─▶ IPVS by mark ─▶ SNAT to the node's end ─▶ VXLAN ─▶ task
//! VIP from a container ─▶ lb_…: mark by address ─▶ IPVS by mark ─▶ SNAT ─▶ VXLAN ─▶ task
//! ```
//! Source: moby `daemon/libnetwork/service_linux.go`.

use std::net::Ipv4Addr;

use crate::console::Output;
use crate::engine::command::Orchestrator;
use crate::substrate::net::filter::{Cidr, End, Way};
use crate::substrate::order::SandboxId;
use crate::swarm::addresses::{GATEWAY, INGRESS};

use super::engine_rules::INGRESS_BOX;
use super::networks::{Net, Virtual, balancer_address, balancer_namespace, on_machine, virtuals};
use super::place::Place;

/// Address of a swarm's service by its name: the virtual one on its first network.
pub fn service_address(place: &Place<'_>, name: &str) -> Option<u32> {
    virtuals(place)
        .into_iter()
        .filter(|row| row.network != INGRESS)
        .find(|row| row.service == name || row.service.ends_with(&format!("_{name}")))
        .map(|row| row.address)
}

/// Goes on where a packet has come to the mesh's namespace; none: it has not. Whether it arrives.
pub fn ingress(place: &Place<'_>, way: &Way) -> Option<(String, bool)> {
    let packet = &way.packet;
    let swarm = place.world.orchestrator == Orchestrator::Swarm;
    if !swarm || packet.destination != INGRESS_BOX || way.end != End::Passed {
        return None;
    }
    let net = on_machine(place)
        .into_iter()
        .find(|net| net.name == INGRESS)?;
    let found = virtuals(place).into_iter().find_map(|row| {
        let (published, target, protocol) =
            row.ports.iter().copied().find(|(published, _, protocol)| {
                *published == packet.port && *protocol == packet.protocol
            })?;
        Some((row, published, target, protocol))
    });
    let Some((row, published, target, protocol)) = found else {
        let line = format!(
            "=> ingress_sbox: nobody has port {}: connection refused\n",
            packet.port
        );
        return Some((line, false));
    };
    let mut text = format!("hop {}: {GATEWAY} -> ingress_sbox\n", place.node_name());
    text.push_str(&format!(
        "  mangle: -A PREROUTING -p {protocol} -m {protocol} --dport {published} -j MARK --set-xmark {:#x}/0xffffffff\n",
        row.mark
    ));
    let (more, arrived) = spread(place, &net, &row, target);
    Some((text + &more, arrived))
}

/// A container's packet within its overlay networks; none: it goes another way.
pub fn inside(
    place: &Place<'_>,
    sandbox: SandboxId,
    destination: u32,
    port: u16,
    protocol: &str,
) -> Option<Output> {
    let machines = &place.world.substrate;
    let plugs = machines.plugs(sandbox);
    let (number, source, net) =
        plugs
            .iter()
            .enumerate()
            .find_map(|(number, (plug, address))| {
                let range = Cidr {
                    base: plug.base,
                    prefix: plug.prefix,
                };
                let net = on_machine(place)
                    .into_iter()
                    .find(|net| net.name == *plug.network && !net.overlay.is_empty())?;
                range.holds(destination).then_some((number, *address, net))
            })?;
    let id: String = net.overlay.chars().take(10).collect();
    let mut text = format!(
        "packet {}:* -> {}:{port}/{protocol} on network {}\nhop {}: eth{number} of the sandbox -> br0 of 1-{id}\n",
        Ipv4Addr::from(source),
        Ipv4Addr::from(destination),
        net.name,
        place.node_name()
    );
    let virtual_one = virtuals(place)
        .into_iter()
        .find(|row| row.network == net.name && row.address == destination);
    let arrived = if let Some(row) = virtual_one {
        text.push_str(&format!(
            "hop {}: {}\n  mangle: -A PREROUTING -d {}/32 -j MARK --set-xmark {:#x}/0xffffffff\n",
            place.node_name(),
            balancer_namespace(&net),
            Ipv4Addr::from(destination),
            row.mark
        ));
        let (more, arrived) = spread(place, &net, &row, port);
        text.push_str(&more);
        arrived
    } else {
        let receiver = machines
            .sandboxes()
            .map(|(id, _)| id)
            .find(|id| machines.has_address(*id, destination));
        let (line, arrived) = match receiver {
            Some(receiver) => arrives(place, receiver, destination, port, source),
            None => (
                format!(
                    "{}: no route to host: nobody has the address",
                    Ipv4Addr::from(destination)
                ),
                false,
            ),
        };
        text.push_str(&format!("=> {line}\n"));
        arrived
    };
    Some(Output {
        stdout: text.into(),
        code: i32::from(!arrived),
        ..Output::default()
    })
}

/// From a firewall mark to each of the receivers.
fn spread(place: &Place<'_>, net: &Net, row: &Virtual, port: u16) -> (String, bool) {
    let from = balancer_address(place, &net.name).unwrap_or(net.base + 1);
    let mut text = format!(
        "  ipvs: FWM {} rr, {} receivers\n",
        row.mark,
        row.receivers.len()
    );
    if row.receivers.is_empty() {
        text.push_str(&format!(
            "=> REJECT on {}: service {} has no receiver: icmp port unreachable\n",
            place.node_name(),
            row.service
        ));
        return (text, false);
    }
    text.push_str(&format!(
        "  nat: -A POSTROUTING -d {}/{} -m ipvs --ipvs -j SNAT --to-source {}\n",
        Ipv4Addr::from(net.base),
        net.prefix,
        Ipv4Addr::from(from)
    ));
    let mut any = false;
    for (sandbox, address) in &row.receivers {
        let (line, arrived) = arrives(place, *sandbox, *address, port, from);
        any |= arrived;
        text.push_str(&format!("=> turn 1/{}: {line}\n", row.receivers.len()));
    }
    (text, any)
}

/// The last stretch: over VXLAN to the receiver's machine, and to who listens there.
fn arrives(
    place: &Place<'_>,
    sandbox: SandboxId,
    address: u32,
    port: u16,
    source: u32,
) -> (String, bool) {
    let world = place.world;
    let target = format!("{}:{port}", Ipv4Addr::from(address));
    let source = Ipv4Addr::from(source);
    let Some(row) = world.substrate.sandbox(sandbox) else {
        return (format!("{target}: no answer"), false);
    };
    let machine = world.machine_text(row.machine);
    if row.machine != place.machine && !world.substrate.connects(place.machine, row.machine) {
        let line = format!(
            "{target}: lost between {} and {machine} (4789/udp); source {source}",
            place.node_name()
        );
        return (line, false);
    }
    let by = if row.machine == place.machine {
        "br0".to_owned()
    } else {
        format!("vxlan0 -> eth0 -> {machine} (4789/udp) -> br0")
    };
    let listens = world
        .substrate
        .containers_in(sandbox)
        .any(|(id, _)| world.substrate.listening(id, port, place.now));
    let end = if listens {
        "accepted"
    } else {
        "connection refused: nobody listens"
    };
    (
        format!("{target} on {machine} by {by}; source {source}; {end}"),
        listens,
    )
}
