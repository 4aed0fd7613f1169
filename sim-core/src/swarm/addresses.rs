//! Addresses in the swarm's networks: of services, of tasks, and of each node's load balancer.
//! Source: swarmkit `manager/allocator/network.go`, moby `daemon/cluster/cnmallocator`.
//!
//! ```text
//! ingress 10.0.0.0/24   10.0.0.1 gateway   10.0.0.2 node's endpoint   10.0.0.3 service   10.0.0.4 task
//! ```
//!
//! A range gives its addresses in turn, so that one that has become free is not used again at once.
//! A task for which a network has none left stays NEW until one becomes free.

use std::sync::Arc;

use crate::api::swarm::service::PublishMode;
use crate::base::rng::{mix, stable_hash};
use crate::base::sorted::{SortedMap, SortedSet};
use crate::substrate::cgroup::settings::{Plug, SandboxSpec, Sharing};
use crate::swarm::SwarmPlane;
use crate::swarm::allocator::POOL_FIRST;
use crate::swarm::identity::Identity;
use crate::swarm::store::{NodeId, ServiceId, TaskId};

/// Name of the network that the routing mesh uses.
pub const INGRESS: &str = "ingress";

/// Networks of every node: what a service can be attached to beside the swarm's
/// own. Source: moby `daemon/cluster/cnmallocator/networkallocator.go` PredefinedNetworks.
pub const PREDEFINED: [&str; 2] = ["bridge", "host"];

/// Name of the bridge by which tasks on overlay networks reach beyond them.
pub const GATEWAY: &str = "docker_gwbridge";

/// Range of that bridge on each node: the first of the engine's pools behind `docker0`'s.
pub const GATEWAY_BASE: u32 = (172 << 24) | (18 << 16);

/// Range of the engine's default bridge.
pub const BRIDGE_BASE: u32 = (172 << 24) | (17 << 16);

/// Length of the prefix of the engine's own bridges.
pub const BRIDGE_PREFIX: u8 = 16;

/// Length of the prefix of the swarm's networks.
pub const OVERLAY_PREFIX: u8 = 24;

/// Last host part of a /24 that is given out.
const LAST_HOST: u32 = 254;

/// Addresses of one network.
#[derive(Clone, Debug, Default)]
struct Pool {
    last: u32,
    used: SortedSet<u32>,
}

impl Pool {
    /// The next free host part after the last one given out; 1 is the gateway's.
    fn take(&mut self) -> Option<u32> {
        for step in 1..LAST_HOST {
            let host = (self.last.max(1) - 1 + step) % LAST_HOST + 1;
            if host >= 2 && self.used.insert(host) {
                self.last = host;
                return Some(host);
            }
        }
        None
    }
}

/// What is given out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses {
    pools: SortedMap<Arc<str>, Pool>,
    tasks: SortedMap<TaskId, Arc<[(Arc<str>, u32)]>>,
    services: SortedMap<ServiceId, Vec<(Arc<str>, u32)>>,
    nodes: SortedMap<(NodeId, Arc<str>), u32>,
    /// How the sandbox of a task without networks is plugged in: one for all such tasks.
    plain: Option<Arc<SandboxSpec>>,
}

impl SwarmPlane {
    /// The identifier of a network that a service can be attached to.
    pub fn network_identity(&self, name: &str) -> Option<Identity> {
        if let Some(network) = self.store.networks.get(name) {
            return Some(network.identity);
        }
        // The swarm made its objects for these along with the mesh's.
        let mesh = self.store.networks.get(INGRESS)?.identity.key();
        PREDEFINED
            .contains(&name)
            .then(|| Identity::of(mix(mesh ^ stable_hash(name))))
    }

    fn take_address(&mut self, network: &Arc<str>) -> Option<u32> {
        let subnet = self
            .store
            .networks
            .get(network)
            .map_or(POOL_FIRST, |network| network.subnet);
        let pool = self.addresses.pools.entry(network.clone()).or_default();
        Some(subnet + pool.take()?)
    }

    fn free_address(&mut self, network: &str, address: u32) {
        if let Some(pool) = self.addresses.pools.get_mut(network) {
            pool.used.remove(&(address & 0xff));
        }
    }

    /// Virtual addresses of a service in these networks; what it has it keeps, what it has no use for
    /// becomes free.
    pub(crate) fn service_addresses(
        &mut self,
        service: ServiceId,
        networks: &[Arc<str>],
    ) -> Vec<(Arc<str>, u32)> {
        let mut held = self.addresses.services.remove(&service).unwrap_or_default();
        for (network, address) in &held {
            if !networks.contains(network) {
                self.free_address(network, *address);
            }
        }
        held.retain(|(network, _)| networks.contains(network));
        for network in networks {
            if held.iter().all(|(other, _)| other != network)
                && let Some(address) = self.take_address(network)
            {
                held.push((network.clone(), address));
            }
        }
        if !held.is_empty() {
            self.addresses.services.insert(service, held.clone());
        }
        held
    }

    /// The service is gone.
    pub(crate) fn free_service_addresses(&mut self, service: ServiceId) {
        for (network, address) in self.addresses.services.remove(&service).unwrap_or_default() {
            self.free_address(&network, address);
        }
    }

    /// The end of each node's load balancer in a network: made for a node when first asked for.
    pub(crate) fn node_joins_network(&mut self, node: NodeId, network: &Arc<str>) {
        if !self.addresses.nodes.contains_key(&(node, network.clone()))
            && let Some(address) = self.take_address(network)
        {
            self.addresses
                .nodes
                .insert((node, network.clone()), address);
        }
    }

    /// A node that gets a task gets an end in each of its networks.
    pub(crate) fn node_takes_task(&mut self, node: NodeId, task: TaskId) {
        let held = self.addresses.tasks.get(&task).cloned();
        for (network, _) in held.iter().flat_map(|held| held.iter()) {
            self.node_joins_network(node, network);
        }
    }

    /// Networks of a task of a service: those of its specification, and that of the mesh if it
    /// publishes a port there.
    fn task_networks(&self, service: ServiceId) -> Vec<Arc<str>> {
        let Some(object) = self.store.service(service) else {
            return Vec::new();
        };
        let mut all: Vec<Arc<str>> = object
            .spec
            .task
            .networks
            .iter()
            .filter(|network| self.store.networks.contains_key(*network))
            .cloned()
            .collect();
        let meshed = object
            .ports
            .iter()
            .any(|port| port.mode == PublishMode::Ingress);
        if meshed {
            all.push(INGRESS.into());
        }
        all
    }

    /// Gives a task its addresses; false if a network has none left.
    pub(crate) fn give_task_addresses(&mut self, task: TaskId) -> bool {
        let Some(row) = self.store.tasks.get(task).copied() else {
            return true;
        };
        if self.addresses.tasks.contains_key(&task) {
            return true;
        }
        let networks = self.task_networks(row.service);
        if networks.is_empty() {
            return true;
        }
        let mut given: Vec<(Arc<str>, u32)> = Vec::with_capacity(networks.len());
        for network in networks {
            match self.take_address(&network) {
                Some(address) => given.push((network, address)),
                None => {
                    for (network, address) in given {
                        self.free_address(&network, address);
                    }
                    return false;
                }
            }
        }
        self.addresses.tasks.insert(task, given.into());
        true
    }

    /// The task has ended or is gone: its addresses are free. Source: `taskDead`.
    pub(crate) fn free_task_addresses(&mut self, task: TaskId) {
        let Some(held) = self.addresses.tasks.remove(&task) else {
            return;
        };
        for (network, address) in held.iter() {
            self.free_address(network, *address);
        }
    }

    /// How a task's sandbox is plugged in: its networks, and behind them the node's gateway; without
    /// any, the engine's default bridge.
    pub(crate) fn sandbox_of_task(&mut self, task: TaskId, service: ServiceId) -> Arc<SandboxSpec> {
        let is_plain = !self.addresses.tasks.contains_key(&task)
            && self.store.service(service).is_some_and(|object| {
                object.spec.task.networks.is_empty()
                    && object.spec.task.container.options.hosts.is_empty()
            });
        if !is_plain {
            return Arc::new(self.plugged_sandbox(task, service));
        }
        let plain = || {
            Arc::new(SandboxSpec {
                plugs: vec![bridge("bridge", BRIDGE_BASE)],
                ..SandboxSpec::default()
            })
        };
        self.addresses.plain.get_or_insert_with(plain).clone()
    }

    fn plugged_sandbox(&self, task: TaskId, service: ServiceId) -> SandboxSpec {
        let on_host = self.store.service(service).is_some_and(|object| {
            object
                .spec
                .task
                .networks
                .iter()
                .any(|name| &**name == "host")
        });
        if on_host {
            return SandboxSpec {
                network: Sharing::Host,
                ..SandboxSpec::default()
            };
        }
        let host_aliases = self.store.service(service).map_or_else(Vec::new, |object| {
            let lines = object.spec.task.container.options.hosts.iter();
            lines
                .filter_map(|line| {
                    let (address, names) = line.split_once(' ')?;
                    let names = names.split_whitespace().map(Arc::from).collect();
                    Some((Arc::from(address), names))
                })
                .collect()
        });
        let Some(held) = self.addresses.tasks.get(&task) else {
            return SandboxSpec {
                plugs: vec![bridge("bridge", BRIDGE_BASE)],
                host_aliases,
                ..SandboxSpec::default()
            };
        };
        let mut plugs: Vec<Plug> = held
            .iter()
            .map(|(network, address)| Plug {
                network: network.clone(),
                base: address & 0xffff_ff00,
                prefix: OVERLAY_PREFIX,
                address: *address,
            })
            .collect();
        plugs.push(bridge(GATEWAY, GATEWAY_BASE));
        SandboxSpec {
            plugs,
            host_aliases,
            ..SandboxSpec::default()
        }
    }

    /// Address of a node's load balancer in a network.
    pub fn balancer_address(&self, node: NodeId, network: &str) -> Option<u32> {
        self.addresses.nodes.get(&(node, network.into())).copied()
    }
}

fn bridge(name: &str, base: u32) -> Plug {
    Plug {
        network: name.into(),
        base,
        prefix: BRIDGE_PREFIX,
        address: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_gives_its_addresses_in_turn_and_ends() {
        let mut pool = Pool::default();
        let first: Vec<u32> = (0..3).filter_map(|_| pool.take()).collect();
        assert_eq!(first, [2, 3, 4]);
        pool.used.remove(&3);
        assert_eq!(pool.take(), Some(5), "not again at once");
        let rest = std::iter::from_fn(|| pool.take()).count();
        assert_eq!(rest, 250);
        assert_eq!(pool.take(), None);
        pool.used.remove(&17);
        assert_eq!(pool.take(), Some(17));
    }
}
