//! The routing mesh and service discovery: who receives a service's requests.
//! Source: moby `daemon/libnetwork/{service_common,agent}.go`, hashicorp/memberlist.
//!
//! A task's agent announces it when the task runs (and is healthy) and withdraws it before stopping
//! it; the announcement spreads by gossip. Entries of a node that died go when its peers' failure
//! detection finds it dead: not when the manager does, which takes longer.
//!
//! Gossip goes in single packets, beside all connections: what holds a session up does not keep a node
//! from answering its peers' suspicion, unless nearly all of its packets get lost, or they come too late.
//!
//! Modelled with memberlist's LAN defaults: a probe every second finds no answer within half a
//! second, then the node is suspect for 4 s x max(1, log10 of the number of nodes), then dead.

use std::sync::Arc;

use crate::api::swarm::service::{EndpointMode, PublishMode};
use crate::base::id::Id;
use crate::base::rng::Stream;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::symbol::Symbol;
use crate::base::time::SimDuration;
use crate::substrate::net::wire::{WHOLE, Wire};
use crate::substrate::order::{
    Backend, BalanceMode, BalancerSpec, Entry, MachineId, Order, SandboxId,
};
use crate::substrate::{Context, PlaneOutbox};
use crate::swarm::agent::AgentTask;
use crate::swarm::store::{NodeId, ServiceId};
use crate::swarm::{Event, SwarmPlane};

/// Time until an announcement has reached the other nodes: one round of gossip.
/// Source: memberlist `config.go` DefaultLANConfig GossipInterval.
pub const GOSSIP_INTERVAL: SimDuration = SimDuration::from_millis(200);

/// Time until a dead node is first suspected: one probe interval and one probe time-out.
/// Source: memberlist `config.go` DefaultLANConfig ProbeInterval, ProbeTimeout.
pub const PROBE: SimDuration = SimDuration::from_millis(1500);

/// Time for which a node of a small cluster is suspect.
/// Source: memberlist `config.go` SuspicionMult 4, ProbeInterval 1 s.
pub const SUSPICION: SimDuration = SimDuration::from_secs(4);

/// Who is announced, and what was programmed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mesh {
    announced: SortedMap<ServiceId, SortedMap<(NodeId, Id<AgentTask>), Receiver>>,
    /// Whether peers have found a node dead, by the node's number; those behind the end live.
    dead: Vec<bool>,
    due: SortedSet<ServiceId>,
    /// How much longer a node's announcements take to its peers.
    lags: SortedMap<NodeId, SimDuration>,
    keys: SortedMap<(ServiceId, Face), u32>,
    next_key: u32,
}

/// Where a task that is announced takes requests.
#[derive(Clone, Copy, Debug)]
struct Receiver {
    machine: MachineId,
    /// Its sandbox; none once its machine has lost power.
    sandbox: Option<SandboxId>,
}

impl Mesh {
    fn is_dead(&self, node: NodeId) -> bool {
        self.dead.get(node.0 as usize) == Some(&true)
    }
}

/// One way into a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Face {
    /// A published port of every node.
    Ingress(u16),
    /// A published port of one node.
    Host(MachineId, u16),
    /// The name inside the networks.
    Inside,
}

/// How long peers take to find a node dead, in a cluster of so many nodes.
pub(crate) fn detection(nodes: u32) -> SimDuration {
    // Thousandths of log10, linear between powers of ten.
    let mut power = 10_u32;
    let mut scale = 1000_u64;
    while nodes >= power.saturating_mul(10) {
        power *= 10;
        scale += 1000;
    }
    if nodes > power {
        scale += u64::from(nodes - power) * 1000 / u64::from(power * 9);
    }
    PROBE + SUSPICION.scaled(scale, 1000)
}

impl SwarmPlane {
    /// A task's agent announces it, or withdraws it.
    pub(crate) fn announce(
        &mut self,
        id: Id<AgentTask>,
        serves: bool,
        out: &mut PlaneOutbox<Event>,
    ) {
        let Some(agent) = self.agents.get(id).copied() else {
            return;
        };
        let receivers = self.mesh.announced.entry(agent.service).or_default();
        let receiver = Receiver {
            machine: agent.machine,
            sandbox: agent.sandbox,
        };
        let changed = if serves {
            receivers.insert((agent.node, id), receiver).is_none()
        } else {
            receivers.remove(&(agent.node, id)).is_some()
        };
        if changed {
            let lag = self.mesh.lags.get(&agent.node).copied();
            self.rebalance_after(lag.unwrap_or(SimDuration::ZERO), agent.service, out);
        }
    }

    /// The service's entries changed: they are spread with the next round of gossip.
    pub(crate) fn rebalance(&mut self, service: ServiceId, out: &mut PlaneOutbox<Event>) {
        self.rebalance_after(SimDuration::ZERO, service, out);
    }

    fn rebalance_after(
        &mut self,
        lag: SimDuration,
        service: ServiceId,
        out: &mut PlaneOutbox<Event>,
    ) {
        if self.mesh.due.insert(service) {
            out.after(GOSSIP_INTERVAL + lag, Event::Balance(service));
        }
    }

    /// The ways between a node and each of the others, there and back.
    fn ways(&self, node: NodeId, ctx: &Context<'_>) -> Vec<(Wire, Wire)> {
        let machine = |id| self.store.node(id).map(|row| row.machine);
        let Some(own) = machine(node) else {
            return Vec::new();
        };
        let others = self
            .sessions
            .iter()
            .filter(|(id, row)| **id != node && row.up);
        let others = others.filter_map(|(id, _)| machine(*id));
        others
            .map(|other| {
                let (a, b) = (Some(own), Some(other));
                (ctx.machines.wire(a, b), ctx.machines.wire(b, a))
            })
            .collect()
    }

    /// Whether a node that runs answers its peers' suspicion in time: each round it sends to three of
    /// them, and hears of three.
    /// Source: memberlist `config.go` DefaultLANConfig GossipNodes.
    pub(crate) fn gossips(&self, node: NodeId, ctx: &Context<'_>) -> bool {
        let runs = self.sessions.get(&node).is_some_and(|session| session.up);
        runs && answers(node, &self.ways(node, ctx), ctx)
    }

    /// Links have changed: announcements take another time, and peers may find a node dead, or alive.
    pub(crate) fn gossip_anew(&mut self, ctx: &Context<'_>, out: &mut PlaneOutbox<Event>) {
        self.mesh.lags.clear();
        let nodes: Vec<NodeId> = self.sessions.keys().copied().collect();
        let shapes = ctx.machines.shapes_links();
        for node in nodes {
            let ways = if shapes {
                self.ways(node, ctx)
            } else {
                Vec::new()
            };
            let lag = ways.iter().map(|(there, _)| lag(*there)).min();
            if let Some(lag) = lag.filter(|lag| !lag.is_zero()) {
                self.mesh.lags.insert(node, lag);
            }
            let Some(session) = self.sessions.get(&node).filter(|session| session.up) else {
                continue;
            };
            let (epoch, speaks) = (session.epoch, session.silent_since.is_none());
            let gossips = !shapes || answers(node, &ways, ctx);
            if gossips && speaks {
                self.mesh_regains(node, out);
            } else if !gossips && speaks {
                self.mesh_loses(node, epoch, out);
            }
        }
    }

    /// The node fell silent for its peers as well.
    pub(crate) fn mesh_loses(&mut self, node: NodeId, epoch: u32, out: &mut PlaneOutbox<Event>) {
        out.after(
            detection(self.sessions.len() as u32),
            Event::Gossip(node, epoch),
        );
    }

    /// Peers have found the node dead.
    pub(crate) fn mesh_buries(&mut self, node: NodeId, out: &mut PlaneOutbox<Event>) {
        if self.mesh.is_dead(node) {
            return;
        }
        let number = node.0 as usize;
        self.mesh
            .dead
            .resize(self.mesh.dead.len().max(number + 1), false);
        self.mesh.dead[number] = true;
        self.rebalance_node(node, out);
        self.note_node(
            out,
            "swarm.mesh",
            "lost",
            node,
            Some(crate::base::name::Rule {
                key: "gossip failure detection",
                value: detection(self.sessions.len() as u32),
            }),
        );
    }

    /// The node is heard again.
    pub(crate) fn mesh_regains(&mut self, node: NodeId, out: &mut PlaneOutbox<Event>) {
        if self.mesh.is_dead(node) {
            self.mesh.dead[node.0 as usize] = false;
            self.rebalance_node(node, out);
        }
    }

    /// An announced task's sandbox is gone with its machine's power.
    pub(crate) fn receiver_lost(&mut self, agent: &AgentTask, id: Id<AgentTask>) {
        if let Some(receivers) = self.mesh.announced.get_mut(&agent.service)
            && let Some(receiver) = receivers.get_mut(&(agent.node, id))
        {
            receiver.sandbox = None;
        }
    }

    fn rebalance_node(&mut self, node: NodeId, out: &mut PlaneOutbox<Event>) {
        let Some(session) = self.sessions.get(&node) else {
            return;
        };
        let announced = |id: &Id<AgentTask>| {
            let service = self.agents.get(*id)?.service;
            let receivers = self.mesh.announced.get(&service)?;
            receivers.contains_key(&(node, *id)).then_some(service)
        };
        let services: SortedSet<ServiceId> = session.agents.iter().filter_map(announced).collect();
        for service in services {
            self.rebalance(service, out);
        }
    }

    /// Tasks that are announced as taking a service's requests, by node.
    pub fn receivers(&self, service: ServiceId) -> Vec<(MachineId, SandboxId)> {
        let announced = self.mesh.announced.get(&service);
        announced
            .into_iter()
            .flatten()
            .filter(|((node, _), _)| !self.mesh.is_dead(*node))
            .filter_map(|(_, receiver)| Some((receiver.machine, receiver.sandbox?)))
            .collect()
    }

    /// Programs the rules of a service.
    pub(crate) fn balance(
        &mut self,
        service: ServiceId,
        _ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        self.mesh.due.remove(&service);
        let mut wanted: SortedMap<Face, BalancerSpec> = SortedMap::new();
        if let Some(object) = self.store.service(service) {
            let backends = self.receivers(service);
            let name = object.short_name;
            let to = |port: u16| -> Arc<[Backend]> {
                backends
                    .iter()
                    .map(|(_, sandbox)| Backend {
                        sandbox: *sandbox,
                        port,
                    })
                    .collect()
            };
            for port in &object.ports {
                match port.mode {
                    PublishMode::Ingress => {
                        let spec = balancer(
                            name,
                            BalanceMode::RoundRobin,
                            Entry::EveryMachine(port.published),
                            to(port.target),
                        );
                        wanted.insert(Face::Ingress(port.published), spec);
                    }
                    PublishMode::Host if port.published != 0 => {
                        for (machine, sandbox) in &backends {
                            let only: Arc<[Backend]> = Arc::new([Backend {
                                sandbox: *sandbox,
                                port: port.target,
                            }]);
                            let entry = Entry::OneMachine(*machine, port.published);
                            wanted.insert(
                                Face::Host(*machine, port.published),
                                balancer(name, BalanceMode::RoundRobin, entry, only),
                            );
                        }
                    }
                    PublishMode::Host => {}
                }
            }
            if wanted.is_empty() {
                let mode = match object.spec.endpoint_mode {
                    EndpointMode::Vip => BalanceMode::RoundRobin,
                    EndpointMode::Dnsrr => BalanceMode::Dns,
                };
                wanted.insert(Face::Inside, balancer(name, mode, Entry::Inside, to(0)));
            }
        } else {
            self.mesh.announced.remove(&service);
        }
        let gone: Vec<(ServiceId, Face)> = self
            .mesh
            .keys
            .since(&(service, Face::Ingress(0)))
            .map(|(key, _)| *key)
            .take_while(|(of, _)| *of == service)
            .filter(|(_, face)| !wanted.contains_key(face))
            .collect();
        for key in gone {
            if let Some(number) = self.mesh.keys.remove(&key) {
                out.order(Order::RemoveBalancer { key: number });
            }
        }
        for (face, spec) in wanted {
            let next = &mut self.mesh.next_key;
            let key = *self.mesh.keys.entry((service, face)).or_insert_with(|| {
                *next += 1;
                *next
            });
            out.order(Order::SetBalancer {
                key,
                spec: Arc::new(spec),
            });
        }
    }
}

/// Whether a node gets a packet through to one of its peers, and one back, before it is found dead;
/// without peers there is nobody to find it dead.
fn answers(node: NodeId, ways: &[(Wire, Wire)], ctx: &Context<'_>) -> bool {
    let packets = 3 * SUSPICION.as_micros() / GOSSIP_INTERVAL.as_micros();
    let mut stream = Stream::new(ctx.seed, "gossip", u64::from(node.0), 0);
    let mut passes =
        |wire: Wire| wire.loss == 0 || (0..packets).any(|_| stream.below(WHOLE) >= wire.loss);
    ways.is_empty()
        || ways.iter().any(|(there, back)| {
            let in_time = there.delay + back.delay < SUSPICION;
            in_time && passes(*there) && passes(*back)
        })
}

/// How much longer an announcement takes on such a way to the first of the peers: rounds of which all
/// three packets get lost, as many as are likely.
fn lag(there: Wire) -> SimDuration {
    let whole = u64::from(WHOLE);
    let loss = u64::from(there.loss);
    let round = loss * loss / whole * loss / whole;
    let (mut none, mut rounds) = (round, 0);
    while none > whole / 2 && rounds < 100 {
        none = none * round / whole;
        rounds += 1;
    }
    there.delay + GOSSIP_INTERVAL * rounds
}

fn balancer(
    name: Symbol,
    mode: BalanceMode,
    entry: Entry,
    backends: Arc<[Backend]>,
) -> BalancerSpec {
    BalancerSpec {
        name,
        mode,
        entry,
        backends,
    }
}
