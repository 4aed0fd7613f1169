//! The engine's embedded name server at 127.0.0.11: containers and services of the networks that the
//! asker is on. The default bridge has none: there, names are the machine's server's business.
//! Source: moby `daemon/libnetwork/{resolver,sandbox_dns_unix,service_common}.go`.

use std::net::Ipv4Addr;

use crate::base::arrange::Arrange;
use crate::engine::command::Orchestrator;
use crate::substrate::order::SandboxId;
use crate::swarm::addresses::INGRESS;

use super::names::Answer;
use super::net::network;
use super::place::Place;
use super::sight::Sight;

/// Where it answers.
pub const SERVER: &str = "127.0.0.11";

/// Whether a sandbox has the server: on the default bridge alone it has not.
pub fn has_server(place: &Place<'_>, sandbox: SandboxId) -> bool {
    place.world.orchestrator != Orchestrator::Kubernetes
        && !place.world.substrate.named_networks(sandbox).is_empty()
}

/// Looks a name up. None: the asker has no such server.
pub fn lookup(sight: &Sight<'_>, name: &str) -> Option<Answer> {
    let sandbox = network(sight)?;
    let place = sight.place;
    if !has_server(place, sandbox) {
        return None;
    }
    let networks = place.world.substrate.named_networks(sandbox);
    let mut found = containers(place, &networks, name);
    found.extend(services(place, &networks, name));
    found.arrange();
    found.dedup();
    Some(if !found.is_empty() {
        Answer::Addresses(found)
    } else if name.contains('.') {
        Answer::Outside
    } else {
        Answer::Unknown
    })
}

/// Containers that the engine of this machine runs, by name, short identifier, host name and the
/// names that each network gives.
fn containers(place: &Place<'_>, networks: &[String], name: &str) -> Vec<Ipv4Addr> {
    let world = place.world;
    let Some(plane) = world.compose() else {
        return Vec::new();
    };
    let named = plane.containers_called(networks, name, &world.symbols, world.seed);
    let addresses = named.iter().filter_map(|(sandbox, network)| {
        let address = world.substrate.address_in(*sandbox, network);
        address.map(Ipv4Addr::from)
    });
    addresses.collect()
}

/// Services of the swarm: their virtual addresses, or those of their tasks.
fn services(place: &Place<'_>, networks: &[String], name: &str) -> Vec<Ipv4Addr> {
    let world = place.world;
    let Some(plane) = world.swarm() else {
        return Vec::new();
    };
    let (tasks, wanted) = match name.strip_prefix("tasks.") {
        Some(rest) => (true, rest),
        None => (false, name),
    };
    let usable = |network: &str| network != INGRESS && networks.iter().any(|own| own == network);
    let mut found = Vec::new();
    for (id, service) in plane.services_called(wanted) {
        let virtuals: Vec<Ipv4Addr> = service
            .virtual_addresses
            .iter()
            .filter(|(network, _)| usable(network))
            .map(|(_, address)| Ipv4Addr::from(*address))
            .collect();
        if !tasks && !virtuals.is_empty() {
            found.extend(virtuals);
            continue;
        }
        for (_, sandbox) in plane.receivers(id) {
            for (plug, address) in world.substrate.plugs(sandbox) {
                if usable(&plug.network) {
                    found.push(Ipv4Addr::from(address));
                }
            }
        }
    }
    found
}
