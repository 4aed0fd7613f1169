//! A packet's way through a swarm's load balancers: the mesh behind a published port, and the
//! virtual address of a service on an overlay.
//!
//! ```text
//! DNAT to ingress_sbox ─▶ mangle: mark by port ─▶ IPVS by mark ─▶ SNAT to the node's end ─▶ VXLAN ─▶ task
//! VIP from a container ─▶ lb_…: mark by address ─▶ IPVS by mark ─▶ SNAT ─▶ VXLAN ─▶ task
//! ```
//! Source: moby `daemon/libnetwork/service_linux.go`.

use std::fmt::Display;
use std::net::Ipv4Addr;

use crate::base::sentence::passage::Passage;
use crate::base::sentence::{Sentence, catalogue};
use crate::console::Output;
use crate::engine::command::Orchestrator;
use crate::substrate::net::filter::{Cidr, End, Way};
use crate::substrate::order::SandboxId;
use crate::swarm::addresses::{GATEWAY, INGRESS};

use super::engine_rules::INGRESS_BOX;
use super::firewall::{also, end, hop, listener};
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
pub fn ingress(place: &Place<'_>, way: &Way) -> Option<(Passage, bool)> {
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
        let nobody = catalogue::NO_PORT.with(&[("port", &packet.port)]);
        return Some((end(nobody.at("ingress_sbox")), false));
    };
    let mut text = hop(place, format!("{GATEWAY} -> ingress_sbox"));
    text.push(format!(
        "  mangle: -A PREROUTING -p {protocol} -m {protocol} --dport {published} -j MARK --set-xmark {:#x}/0xffffffff\n",
        row.mark
    ));
    let (more, arrived) = spread(place, &net, &row, target);
    Some((text.then(more), arrived))
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
    let target = format!("{}:{port}/{protocol}", Ipv4Addr::from(destination));
    let header = catalogue::PACKET_ON.with(&[
        ("source", &Ipv4Addr::from(source)),
        ("target", &target),
        ("network", &net.name),
    ]);
    let way = [
        ("interface", &format!("eth{number}") as &dyn Display),
        ("way", &format!("br0 (1-{id})")),
    ];
    let mut text = Passage::from(header).then("\n");
    text.push(hop(place, catalogue::HOP_OUT.with(&way)));
    let virtual_one = virtuals(place)
        .into_iter()
        .find(|row| row.network == net.name && row.address == destination);
    let arrived = if let Some(row) = virtual_one {
        text.push(hop(place, balancer_namespace(&net)));
        text.push(format!(
            "  mangle: -A PREROUTING -d {}/32 -j MARK --set-xmark {:#x}/0xffffffff\n",
            Ipv4Addr::from(destination),
            row.mark
        ));
        let (more, arrived) = spread(place, &net, &row, port);
        text.push(more);
        arrived
    } else {
        let receiver = machines
            .sandboxes()
            .map(|(id, _)| id)
            .find(|id| machines.has_address(*id, destination));
        let (line, arrived) = match receiver {
            Some(receiver) => arrives(place, receiver, destination, port, source),
            None => {
                let address = Ipv4Addr::from(destination);
                (catalogue::NO_ROUTE.plain().at(address), false)
            }
        };
        text.push(end(line));
        arrived
    };
    Some(Output {
        stdout: text,
        code: i32::from(!arrived),
        ..Output::default()
    })
}

/// From a firewall mark to each of the receivers.
fn spread(place: &Place<'_>, net: &Net, row: &Virtual, port: u16) -> (Passage, bool) {
    let from = balancer_address(place, &net.name).unwrap_or(net.base + 1);
    let receivers = catalogue::RECEIVERS.with(&[("count", &row.receivers.len())]);
    let mut text = Passage::from(format!("  ipvs: FWM {} rr, ", row.mark));
    text.push(receivers);
    text.push("\n");
    if row.receivers.is_empty() {
        let nobody = catalogue::NO_RECEIVER.with(&[("service", &row.service)]);
        let parts: [(_, &dyn Display); 2] =
            [("verdict", &"REJECT"), ("machine", &place.node_name())];
        let ended = catalogue::ENDS_ON.with(&parts).and("what", nobody);
        return (text.then(end(ended)), false);
    }
    text.push(format!(
        "  nat: -A POSTROUTING -d {}/{} -m ipvs --ipvs -j SNAT --to-source {}\n",
        Ipv4Addr::from(net.base),
        net.prefix,
        Ipv4Addr::from(from)
    ));
    let mut any = false;
    for (sandbox, address) in &row.receivers {
        let (line, arrived) = arrives(place, *sandbox, *address, port, from);
        any |= arrived;
        let share = [(
            "share",
            &format!("1/{}", row.receivers.len()) as &dyn Display,
        )];
        text.push(end(catalogue::TURN.with(&share).and("what", line)));
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
) -> (Sentence, bool) {
    let world = place.world;
    let target = format!("{}:{port}", Ipv4Addr::from(address));
    let source = catalogue::SOURCE.with(&[("address", &Ipv4Addr::from(source))]);
    let Some(row) = world.substrate.sandbox(sandbox) else {
        return (catalogue::NO_ANSWER.plain().at(target), false);
    };
    let machine = world.machine_text(row.machine);
    if row.machine != place.machine && !world.substrate.connects(place.machine, row.machine) {
        let ends: [(_, &dyn Display); 2] = [
            ("one", &place.node_name()),
            ("other", &format!("{machine} (4789/udp)")),
        ];
        let lost = catalogue::LOST.with(&ends).at(target);
        return (also(lost, source), false);
    }
    let way = if row.machine == place.machine {
        "br0".to_owned()
    } else {
        format!("vxlan0 -> eth0 -> {machine} (4789/udp) -> br0")
    };
    let listens = world
        .substrate
        .containers_in(sandbox)
        .any(|(id, _)| world.substrate.listening(id, port, place.now));
    let parts: [(_, &dyn Display); 3] = [("target", &target), ("machine", &machine), ("way", &way)];
    let there = also(catalogue::ARRIVES.with(&parts), source);
    (also(there, listener(listens)), listens)
}
