//! Networks of a machine with Docker's engine: its bridges, and the swarm's overlays with their load
//! balancers.
//!
//! ```text
//! host namespace         docker0, docker_gwbridge, br-…   one bridge per local network
//! 1-<network id>         br0, vxlan0                      one namespace per overlay in use here
//! ingress_sbox, lb_<id>  IPVS                             one per overlay: where services are spread
//! ```
//! Source: moby `daemon/libnetwork/drivers/{bridge,overlay}`, `service_linux.go`.

use crate::base::arrange::Arrange;
use crate::compose::pools::DEFAULT_RANGE;
use crate::compose::view::network_id;
use crate::console::Output;
use crate::engine::command::Orchestrator;
use crate::substrate::order::SandboxId;
use crate::swarm::addresses::{BRIDGE_PREFIX, GATEWAY, GATEWAY_BASE, INGRESS, OVERLAY_PREFIX};

use super::place::Place;

/// Part of a path that names a network namespace of the engine's.
pub const NETNS: &str = "/run/docker/netns";

/// One network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Net {
    /// Its name.
    pub name: String,
    /// Name of its interface in the machine's own namespace; empty: it has none there.
    pub bridge: String,
    /// First address of its range; the next one is the gateway's.
    pub base: u32,
    /// Length of the range's prefix.
    pub prefix: u8,
    /// Whether containers cannot reach beyond it.
    pub internal: bool,
    /// Identifier of an overlay; empty: a bridge.
    pub overlay: String,
}

/// A service's entry in a load balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Virtual {
    /// The overlay.
    pub network: String,
    /// The service.
    pub service: String,
    /// Its virtual address there.
    pub address: u32,
    /// Its firewall mark.
    pub mark: u32,
    /// Published ports, on the mesh's network only: published and target.
    pub ports: Vec<(u16, u16, &'static str)>,
    /// Who takes its connections: their addresses there.
    pub receivers: Vec<(SandboxId, u32)>,
}

/// First firewall mark. Source: moby `daemon/libnetwork/service.go` (`fwMarkCtr`).
const FIRST_MARK: u32 = 256;

/// The networks of a machine, `docker0` first; none with Kubernetes.
pub fn on_machine(place: &Place<'_>) -> Vec<Net> {
    let world = place.world;
    if world.orchestrator == Orchestrator::Kubernetes {
        return Vec::new();
    }
    let bridge = |name: &str, bridge: String, base: u32, prefix: u8, internal: bool| Net {
        name: name.to_owned(),
        bridge,
        base,
        prefix,
        internal,
        overlay: String::new(),
    };
    let (first, length) = DEFAULT_RANGE;
    let mut all = vec![bridge("bridge", "docker0".to_owned(), first, length, false)];
    if let Some(plane) = world.swarm() {
        all.push(bridge(
            GATEWAY,
            GATEWAY.to_owned(),
            GATEWAY_BASE,
            BRIDGE_PREFIX,
            false,
        ));
        for (name, object) in &plane.store.networks {
            let used = world
                .substrate
                .sandboxes_on(place.machine)
                .any(|(sandbox, _)| world.substrate.address_in(sandbox, name).is_some());
            if used || &**name == INGRESS {
                all.push(Net {
                    name: name.to_string(),
                    bridge: String::new(),
                    base: object.subnet,
                    prefix: OVERLAY_PREFIX,
                    internal: false,
                    overlay: object.identity.text(),
                });
            }
        }
    }
    if let Some(plane) = world
        .compose()
        .filter(|plane| plane.host() == Some(place.machine))
    {
        for (name, made) in plane.networks() {
            let (base, prefix) = made.range;
            if prefix > 0 {
                let id = network_id(name, world.seed);
                all.push(bridge(
                    name,
                    format!("br-{}", &id[..12]),
                    base,
                    prefix,
                    made.internal,
                ));
            }
        }
    }
    all
}

/// Services as the load balancers of a node have them: marks count up in the order of making.
pub fn virtuals(place: &Place<'_>) -> Vec<Virtual> {
    let world = place.world;
    let Some(plane) = world.swarm() else {
        return Vec::new();
    };
    let mut all = Vec::new();
    let mut mark = FIRST_MARK;
    for (id, service) in plane.store.services() {
        let tasks = plane.receivers(id);
        for (network, address) in &service.virtual_addresses {
            let meshed = &**network == INGRESS;
            let ports = service.ports.iter().filter(|port| {
                meshed && port.mode == crate::api::swarm::service::PublishMode::Ingress
            });
            all.push(Virtual {
                network: network.to_string(),
                service: service.spec.name.to_string(),
                address: *address,
                mark,
                ports: ports
                    .map(|port| {
                        (
                            port.published,
                            port.target,
                            crate::compose::lower::protocol(port.protocol),
                        )
                    })
                    .collect(),
                receivers: tasks
                    .iter()
                    .filter_map(|(_, sandbox)| {
                        let address = world.substrate.address_in(*sandbox, network)?;
                        Some((*sandbox, address))
                    })
                    .collect(),
            });
            mark += 1;
        }
    }
    all
}

/// Name of the namespace in which an overlay's connections are spread.
pub fn balancer_namespace(net: &Net) -> String {
    if net.name == INGRESS {
        "ingress_sbox".to_owned()
    } else {
        format!("lb_{}", net.overlay.chars().take(9).collect::<String>())
    }
}

/// `ls /run/docker/netns`: the namespaces that the engine keeps.
pub fn namespaces(place: &Place<'_>) -> Output {
    let mut names = vec!["default".to_owned()];
    for net in on_machine(place)
        .iter()
        .filter(|net| !net.overlay.is_empty())
    {
        names.push(format!(
            "1-{}",
            net.overlay.chars().take(10).collect::<String>()
        ));
        names.push(balancer_namespace(net));
    }
    for unit in place.units.values() {
        names.push(unit.id.chars().take(12).collect());
    }
    names.arrange();
    if place.world.orchestrator == Orchestrator::Kubernetes {
        return Output::error(
            2,
            format!("ls: cannot access '{NETNS}': No such file or directory"),
        );
    }
    Output::text(names.join("\n") + "\n")
}

/// Address of this node's load balancer in a network; connections come from there.
pub fn balancer_address(place: &Place<'_>, network: &str) -> Option<u32> {
    let plane = place.world.swarm()?;
    let (node, _) = plane
        .store
        .nodes()
        .find(|(_, node)| node.machine == place.machine)?;
    plane.balancer_address(node, network)
}
