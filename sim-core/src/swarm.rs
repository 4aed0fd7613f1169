//! The SwarmKit control plane and its agents.
//!
//! ```text
//! Request ──▶ store ──change log──▶ orchestrators, restart supervisor, updater, reaper, enforcer
//!               ▲  ▲                      │ tasks NEW
//!               │  └── allocator (PENDING) ◀┘ ──▶ scheduler (ASSIGNED) ──▶ dispatcher ──▶ agents
//!               └───────────────── status reports, every 100 ms ◀────────────────────────┘
//! ```
//!
//! Only the manager that leads runs the loops ([`raft`]). The loops share one process and
//! one store with their leader, so they see a write one [`WATCH_LAG`] later, one event for each key.
//!
//! Cost: an event about a task looks at that task, its slot and its node. Only a change of a
//! service's specification looks at all its slots, and only a scheduling pass at all nodes.

pub mod addresses;
pub mod agent;
pub mod allocator;
pub mod cluster;
pub mod constraint;
pub mod control_api;
pub mod dispatcher;
pub mod identity;
pub mod inspect;
pub mod mesh;
pub mod names;
pub mod orchestrator;
pub mod raft;
pub mod reaper;
pub mod scheduler;
pub mod settings;
pub mod stack;
pub mod state;
pub mod store;
#[cfg(test)]
mod tests;
pub mod view;

use std::sync::Arc;

use crate::api::node::NodeSetup;
use crate::api::status::WorkloadStatus;
use crate::base::id::Id;
use crate::base::name::{Name, Rule, Suffix};
use crate::base::sentence::Sentence;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::symbol::Symbols;
use crate::base::table::Table;
use crate::base::time::SimDuration;
use crate::des::notice::{Detail, Notice, Subject};
use crate::substrate::order::{MachineId, Upcall};
use crate::substrate::{Context, PlaneOutbox};

use agent::AgentTask;
use allocator::Allocator;
use cluster::Cluster;
use dispatcher::{Reports, Session};
use identity::Identity;
use mesh::Mesh;
use orchestrator::restart::Restarts;
use orchestrator::update::Update;
use raft::Raft;
use reaper::Reaper;
use scheduler::Scheduler;
use settings::Settings;
use state::{Availability, NodeState, Role, TaskState};
use store::{Change, Node, NodeId, Reserved, ServiceId, Store, TaskError, TaskId};

/// Failed tasks of a service that is not as it is wanted among which an obstacle is looked for.
const TASKS_LOOKED_AT: usize = 512;

/// What the console asks of the control API.
pub type Request = control_api::Request;
/// What the control API answers.
pub type Response = control_api::Response;
/// Why the control API refuses.
pub type Refusal = control_api::Refusal;

/// Time from a write to the loop that is told of it: they share a process and a watch queue.
/// Modelled; upstream has no timer here.
pub const WATCH_LAG: SimDuration = SimDuration::from_millis(1);

/// Everything that Swarm schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A service changed.
    Service(ServiceId),
    /// A service was deleted.
    ServiceDeleted(ServiceId),
    /// A task changed in a way that may need an answer.
    Task(TaskId),
    /// A node changed.
    Node(NodeId),
    /// New tasks become pending.
    Allocate,
    /// The scheduler's debouncing timer.
    Schedule,
    /// The reaper's batching timer.
    Reap,
    /// A node's assignments are sent.
    Assign(NodeId),
    /// Reported statuses are written.
    Reports,
    /// A restart delay, or the wait for an old task, is over.
    Delay(TaskId),
    /// A worker of an update has slept: its epoch and number.
    Worker(ServiceId, u32),
    /// The last monitor period of an update is over.
    Monitor(ServiceId, u32),
    /// A silent node's heartbeats are overdue.
    Expire(NodeId, u32),
    /// A node has been down for a day.
    Orphan(NodeId, u32),
    /// A node's agent registers.
    Register(NodeId, u32),
    /// A silent node's peers find it dead.
    Gossip(NodeId, u32),
    /// A stopping task is off the load balancers.
    Drained(Id<AgentTask>),
    /// A service's load balancer entries have spread.
    Balance(ServiceId),
    /// The managers' election is over.
    Elect(u32),
    /// Lost heartbeats make the leader step down, or are drawn anew.
    Unrest(u32, bool),
}

const _: () = assert!(size_of::<Event>() <= 16);

/// A swarm with its managers' loops and its nodes' agents.
#[derive(Clone, Debug, Default)]
pub struct SwarmPlane {
    /// The cluster's settings.
    pub settings: Settings,
    /// The objects.
    pub store: Store,
    pub(crate) restarts: Restarts,
    pub(crate) updates: SortedMap<ServiceId, Update>,
    pub(crate) update_epoch: u32,
    pub(crate) scheduler: Scheduler,
    pub(crate) allocator: Allocator,
    pub(crate) addresses: addresses::Addresses,
    pub(crate) reaper: Reaper,
    pub(crate) reports: Reports,
    pub(crate) sessions: SortedMap<NodeId, Session>,
    pub(crate) agents: Table<AgentTask>,
    pub(crate) mesh: Mesh,
    pub(crate) raft: Raft,
    pub(crate) cluster: Cluster,
    machines: SortedMap<MachineId, NodeId>,
    due_services: SortedSet<ServiceId>,
    due_tasks: SortedSet<TaskId>,
    due_nodes: SortedSet<NodeId>,
}

impl SwarmPlane {
    /// Bytes of rows that `later`, a clone that went on, no longer shares.
    pub fn bytes_apart(&self, later: &Self) -> usize {
        self.store.tasks.bytes_apart(&later.store.tasks) + self.agents.bytes_apart(&later.agents)
    }

    /// A swarm without nodes.
    pub fn new() -> Self {
        let mut plane = Self::default();
        plane.create_ingress();
        plane
    }

    /// Handles a scheduled event.
    pub fn handle(&mut self, event: Event, ctx: &mut Context<'_>, out: &mut PlaneOutbox<Event>) {
        if self.waits_for_leader(event) {
            return;
        }
        match event {
            Event::Service(service) => {
                self.due_services.remove(&service);
                self.reconcile_service(service, ctx, out);
            }
            Event::ServiceDeleted(service) => self.remove_tasks_of(service),
            Event::Task(task) => {
                self.due_tasks.remove(&task);
                self.task_changed(task, ctx, out);
            }
            Event::Node(node) => {
                self.due_nodes.remove(&node);
                self.node_changed(node, ctx, out);
            }
            Event::Allocate => self.allocate(ctx),
            Event::Schedule => self.schedule(ctx, out),
            Event::Reap => self.reap(),
            Event::Assign(node) => self.assign(node, ctx, out),
            Event::Reports => self.write_reports(ctx, out),
            Event::Delay(task) => self.delay_over(task, ctx, out),
            Event::Worker(service, which) => self.worker_wakes(service, which, ctx, out),
            Event::Monitor(service, epoch) => self.monitor_over(service, epoch, ctx, out),
            Event::Expire(node, epoch) => self.expire(node, epoch, ctx, out),
            Event::Orphan(node, epoch) => self.orphan(node, epoch, ctx, out),
            Event::Register(node, epoch) => self.register(node, epoch, ctx, out),
            Event::Gossip(node, epoch) => {
                let session = self.sessions.get(&node);
                if session.is_some_and(|session| session.epoch == epoch) && !self.gossips(node, ctx)
                {
                    self.mesh_buries(node, out);
                }
            }
            Event::Drained(agent) => self.drained(agent, out),
            Event::Balance(service) => self.balance(service, ctx, out),
            Event::Elect(epoch) => self.elect(epoch, ctx, out),
            Event::Unrest(plan, is_heard) => self.unrest(plan, is_heard, ctx, out),
        }
        self.settle(ctx, out);
    }

    /// Links delay or lose packets otherwise than before.
    pub fn links_changed(&mut self, ctx: &mut Context<'_>, out: &mut PlaneOutbox<Event>) {
        self.raft_links_changed(ctx, out);
        self.gossip_anew(ctx, out);
        self.settle(ctx, out);
    }

    /// Hears what the machines report.
    pub fn upcall(&mut self, upcall: Upcall, ctx: &mut Context<'_>, out: &mut PlaneOutbox<Event>) {
        match upcall {
            Upcall::MachineDown { machine } => {
                let Some(node) = self.node_of(machine) else {
                    return;
                };
                self.cluster.loses_power(node);
                if let Some(session) = self.sessions.get_mut(&node) {
                    session.up = false;
                }
                self.agent_loses_power(node);
                self.node_falls_silent(node, ctx, out);
                if self.is_member(node) {
                    self.raft_check(ctx, out);
                }
            }
            Upcall::MachineUp { machine } => {
                let Some(node) = self.node_of(machine) else {
                    return;
                };
                if self.cluster.has_left(node) || self.boots_locked(node) {
                    return;
                }
                let connected = self.sessions.get(&node).is_some_and(|row| row.connected);
                if connected {
                    self.cluster.joins(node);
                }
                self.node_boots(node, ctx, out);
            }
            Upcall::ControlLink { machine, connected } => {
                let Some(node) = self.node_of(machine) else {
                    return;
                };
                let Some(session) = self.sessions.get_mut(&node) else {
                    return;
                };
                if session.connected == connected {
                    // Partitions came or went: managers may have lost each other.
                    if self.is_member(node) {
                        self.raft_check(ctx, out);
                        self.settle(ctx, out);
                    }
                    return;
                }
                session.connected = connected;
                if connected && self.cluster.joins(node) || self.is_member(node) {
                    self.raft_check(ctx, out);
                }
                if !connected {
                    self.node_falls_silent(node, ctx, out);
                } else {
                    self.node_speaks(node, false, ctx, out);
                }
            }
            other => self.agent_upcall(other, ctx, out),
        }
        self.settle(ctx, out);
    }

    /// A machine joins the swarm: as a drained manager if it is the control machine.
    pub fn machine_added(
        &mut self,
        machine: MachineId,
        setup: &NodeSetup,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let description = describe(machine, ctx);
        let hostname: Arc<str> = description.hostname.as_str().into();
        let version = self.store.next_version();
        let node = Node {
            identity: Identity::draw(ctx.seed, "swarm.node-id", &hostname, 0),
            machine,
            name: ctx.symbols.intern(&hostname),
            hostname: hostname.clone(),
            version,
            created_at: ctx.now,
            updated_at: ctx.now,
            role: if setup.control || setup.manager {
                Role::Manager
            } else {
                Role::Worker
            },
            availability: if setup.control {
                Availability::Drain
            } else {
                Availability::Active
            },
            labels: setup.labels.iter().cloned().collect(),
            engine_labels: setup.engine_labels.iter().cloned().collect(),
            os: setup.os.clone().unwrap_or_else(|| "linux".into()),
            architecture: setup
                .architecture
                .clone()
                .unwrap_or_else(|| "x86_64".into()),
            address: setup
                .address
                .clone()
                .unwrap_or_else(|| description.address.as_str().into()),
            state: NodeState::Ready,
            message: "",
            state_since: ctx.now,
            cpu_milli: description.cpu_milli,
            memory_bytes: description.memory_bytes,
            generic: description.generic,
            reserved: Reserved::default(),
            active: 0,
            active_by_service: SortedMap::new(),
            host_ports: SortedMap::new(),
            failures: SortedMap::new(),
            tasks: Vec::new(),
        };
        let id = self.store.add_node(node);
        self.node_joins_network(id, &addresses::INGRESS.into());
        self.machines.insert(machine, id);
        self.sessions.insert(id, Session::new(&hostname, ctx.now));
        self.note_node(out, "swarm.dispatcher", "ready", id, None);
        if self.is_member(id) {
            self.raft_check(ctx, out);
        }
        self.settle(ctx, out);
    }

    /// A machine has more or less than before: its agent tells the manager.
    pub fn machine_changed(
        &mut self,
        machine: MachineId,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let Some(node) = self.node_of(machine) else {
            return;
        };
        let description = describe(machine, ctx);
        self.store.update_node(node, ctx.now, |node| {
            node.cpu_milli = description.cpu_milli;
            node.memory_bytes = description.memory_bytes;
            node.generic = description.generic;
        });
        self.settle(ctx, out);
    }

    /// A machine is taken away for good: to the swarm it is a node that falls silent.
    #[inline(never)]
    pub fn machine_removed(
        &mut self,
        machine: MachineId,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let Some(node) = self.machines.remove(&machine) else {
            return;
        };
        if let Some(session) = self.sessions.get_mut(&node) {
            session.up = false;
        }
        self.agent_loses_power(node);
        self.node_falls_silent(node, ctx, out);
        if self.is_member(node) {
            self.raft_check(ctx, out);
        }
        self.settle(ctx, out);
    }

    /// Carries out a request of the console.
    pub fn request(
        &mut self,
        request: &Request,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) -> Result<Response, Refusal> {
        let result = match request {
            Request::Cluster(change) => self.change_cluster(change, ctx, out),
            _ => {
                self.require_leader(ctx.now)?;
                self.carry_out(request, ctx, out)
            }
        };
        self.settle(ctx, out);
        result
    }

    /// Changes a setting of the cluster.
    #[inline(never)]
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), Sentence> {
        self.settings.set(key, value)
    }

    /// The cluster's settings.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        self.settings.list()
    }

    /// What each service has and wants, by name.
    pub fn workloads(&self, symbols: &Symbols) -> Vec<WorkloadStatus> {
        if self.is_over() {
            return Vec::new();
        }
        self.store
            .services_by_name()
            .filter_map(|(_, id)| self.store.service(id))
            .map(|service| WorkloadStatus {
                name: symbols.text(service.short_name).to_owned(),
                kind: "service",
                desired: service.wanted,
                ready: service.counts.good,
                unmet: service.unmet(),
                blocked: service.counts.blocked,
            })
            .collect()
    }

    /// What stands in a service's way: the newest error of a task of one that is not as it is wanted,
    /// and that service's name.
    pub fn obstacle(&self, symbols: &Symbols) -> Option<(String, String)> {
        let behind = self
            .store
            .services()
            .map(|(_, it)| it)
            .filter(|it| it.unmet() > 0);
        let tasks = behind.flat_map(|service| {
            let tasks = service.slots.values().flat_map(|slot| slot.iter());
            // However many serve, those that do not are looked at.
            let failed = tasks.filter_map(move |task| {
                let task = self.store.tasks.get(*task)?;
                (task.error != TaskError::None).then_some((task, service))
            });
            failed.take(TASKS_LOOKED_AT)
        });
        let (task, service) = tasks.max_by_key(|(task, _)| task.status_at)?;
        let error = view::error_text(task.error, symbols);
        Some((symbols.text(service.short_name).to_owned(), error))
    }

    /// Distance to the desired state that the swarm can still close by itself; 0 is converged.
    pub fn unmet(&self) -> u64 {
        if self.is_over() {
            return 0;
        }
        self.store.unmet()
    }

    /// Leaves a line of the trace about a task.
    pub(crate) fn note_task(
        &self,
        out: &mut PlaneOutbox<Event>,
        source: &'static str,
        verb: &'static str,
        task: TaskId,
        detail: Detail,
        rule: Option<Rule>,
    ) {
        let Some(row) = self.store.tasks.get(task) else {
            return;
        };
        let template = self.store.template(row.template);
        let suffix = if template.is_global() {
            row.node.map_or(0, |node| node.0 + 1)
        } else {
            row.slot
        };
        let name = Name {
            prefix: template.name,
            suffix: Suffix::Dot(suffix),
        };
        out.notice(Notice {
            source,
            verb,
            subject: Subject { kind: "task", name },
            detail,
            rule,
        });
    }

    /// A node's daemon starts.
    pub(crate) fn node_boots(
        &mut self,
        node: NodeId,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        if let Some(session) = self.sessions.get_mut(&node) {
            session.up = true;
        }
        self.agent_boots(node, ctx, out);
        self.node_speaks(node, true, ctx, out);
        if self.is_member(node) {
            self.raft_check(ctx, out);
        }
    }

    fn node_of(&self, machine: MachineId) -> Option<NodeId> {
        self.machines.get(&machine).copied()
    }

    /// Tells every loop of the writes of this event.
    fn settle(&mut self, ctx: &mut Context<'_>, out: &mut PlaneOutbox<Event>) {
        if self.store.changes.is_empty() {
            return;
        }
        let mut changes = std::mem::take(&mut self.store.changes);
        for change in changes.drain(..) {
            match change {
                Change::TaskCreated(task) => {
                    self.allocator_sees(task, out);
                    self.reaper_sees_created(task, out);
                }
                Change::TaskUpdated {
                    task,
                    state,
                    desired,
                    node,
                } => self.task_written(task, (state, desired, node), ctx, out),
                Change::TaskDeleted(task, service) => {
                    self.addresses_back(task, out);
                    self.restarts.cancel(task);
                    let replicated = self
                        .store
                        .service(service)
                        .is_some_and(|service| !service.is_global());
                    if replicated {
                        self.wake_service(service, out);
                    }
                }
                Change::TaskForgotten(task, node) => {
                    self.scheduler_retries();
                    self.assignments_changed(node, Some(task), ctx, out);
                }
                Change::Service(service) => self.wake_service(service, out),
                Change::ServiceDeleted(service) => {
                    self.free_service_addresses(service);
                    self.rebalance(service, out);
                    out.after(WATCH_LAG, Event::ServiceDeleted(service));
                }
                Change::Node(node) => {
                    self.scheduler_retries();
                    if self.due_nodes.insert(node) {
                        out.after(WATCH_LAG, Event::Node(node));
                    }
                }
            }
        }
        assert!(
            self.store.changes.is_empty(),
            "telling the loops writes nothing"
        );
        self.store.changes = changes;
        self.scheduler_debounces(ctx, out);
    }

    fn task_written(
        &mut self,
        task: TaskId,
        (state, desired, node): (TaskState, TaskState, Option<NodeId>),
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let Some(row) = self.store.tasks.get(task).copied() else {
            return;
        };
        let changed = state != row.state;
        if row.state > TaskState::Running {
            self.addresses_back(task, out);
        }
        if row.state == TaskState::Pending && (changed || desired != row.desired) {
            self.scheduler_enqueues(task);
        }
        if row.state > TaskState::Running && state <= TaskState::Running {
            self.scheduler_retries();
            if matches!(row.state, TaskState::Failed | TaskState::Rejected) && !row.preassigned {
                self.remember_failure(&row, ctx);
            }
        }
        if let Some(on) = row.node
            && row.state >= TaskState::Assigned
            && (node.is_none()
                || desired != row.desired
                || (changed && row.state == TaskState::Assigned))
        {
            self.assignments_changed(on, Some(task), ctx, out);
        }
        if row.desired == TaskState::Remove {
            self.reaper_sees_updated(task, out);
        }
        if changed && row.state >= TaskState::Running && self.due_tasks.insert(task) {
            out.after(WATCH_LAG, Event::Task(task));
        }
    }

    fn remember_failure(&mut self, row: &store::TaskRow, ctx: &Context<'_>) {
        let Some(node) = row.node else { return };
        let key = (row.service, self.store.template(row.template).spec_version);
        self.store.touch_node(node, |node| {
            let times = node.failures.entry(key).or_default();
            times.retain(|time| ctx.now.since(*time) < scheduler::MONITOR_FAILURES);
            times.push(ctx.now);
        });
    }

    fn wake_service(&mut self, service: ServiceId, out: &mut PlaneOutbox<Event>) {
        if self.due_services.insert(service) {
            out.after(WATCH_LAG, Event::Service(service));
        }
    }
}

/// What an agent tells about its machine when it registers.
struct Description {
    hostname: String,
    address: String,
    cpu_milli: u64,
    memory_bytes: u64,
    generic: SortedMap<Arc<str>, u64>,
}

fn describe(machine: MachineId, ctx: &Context<'_>) -> Description {
    let row = ctx
        .machines
        .machine(machine)
        .expect("a machine that joins is there");
    let amount = |value: i64| u64::try_from(value).unwrap_or(0);
    Description {
        hostname: ctx.symbols.text(row.name).to_owned(),
        address: ctx.machines.machine_address(machine).unwrap_or_default(),
        cpu_milli: amount(row.capacity.milli_cpu),
        memory_bytes: amount(row.capacity.memory),
        generic: row
            .capacity
            .extended
            .iter()
            .map(|(name, value)| (Arc::from(ctx.symbols.text(*name)), amount(*value)))
            .collect(),
    }
}
