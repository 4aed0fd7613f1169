//! The swarm's object store: services, tasks, nodes, networks, secrets and configs, each with a
//! version. Source: swarmkit `manager/state/store`.
//!
//! Owns the objects and every number derived from them: tasks by slot and by node, reservations,
//! distance to the desired state. All writes to tasks go through [`Store::update_task`], which
//! keeps those numbers and the change log; the loops read the log and nothing else.
//!
//! Bytes: a task is one row of at most 96 bytes; what its specification says is shared by all
//! tasks of one version of a service. Nodes and services are few and shared by snapshots.

pub mod count;

use std::sync::Arc;

use smallvec::SmallVec;

use crate::api::swarm::service::{PublishMode, PublishedPort, ServiceMode, ServiceSpec};
use crate::base::arrange::Arrange;
use crate::base::id::Id;
use crate::base::sorted::SortedMap;
use crate::base::symbol::Symbol;
use crate::base::table::Table;
use crate::base::time::SimTime;
use crate::substrate::order::{self, ContainerId, MachineId};
use crate::swarm::agent::AgentTask;
use crate::swarm::constraint::{Constraint, Preference};
use crate::swarm::identity::Identity;
use crate::swarm::state::{Availability, Message, NodeState, Role, TaskState, UpdateState};

/// Names a task.
pub type TaskId = Id<TaskRow>;

/// Names a service. Numbers are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId(pub u32);

/// Names a node. Numbers are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// Names one version of a service's specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TemplateId(pub u32);

/// Where a task stands within its service: the slot of a replicated service, the node's number for
/// a global one.
pub type SlotKey = u32;

/// Why a task is in an error state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskError {
    /// No error.
    None,
    /// This text.
    Text(Symbol),
    /// The container ended with this code.
    Exit(i32),
    /// The container was stopped because its health check failed, and ended with this code.
    Unhealthy(i32),
    /// The constraint enforcer's text.
    Enforced,
}

/// A task, as the manager knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TaskRow {
    /// Its identifier.
    pub identity: Identity,
    /// Its service, which may be gone.
    pub service: ServiceId,
    /// What it was made from.
    pub template: TemplateId,
    /// Its slot; zero for a task of a global service.
    pub slot: u32,
    /// The node it is or shall be on.
    pub node: Option<NodeId>,
    /// What it shall become.
    pub desired: TaskState,
    /// What it was last seen as.
    pub state: TaskState,
    /// Whether an orchestrator, not the scheduler, chose the node.
    pub preassigned: bool,
    /// The status' message.
    pub message: Message,
    /// The status' error.
    pub error: TaskError,
    /// Version of the object.
    pub version: u64,
    /// When it was made.
    pub created_at: SimTime,
    /// Timestamp of its status.
    pub status_at: SimTime,
    /// The agent's own row for it, once it has been handed out. Control loops never follow it.
    pub agent: Option<Id<AgentTask>>,
    /// Its container, once reported.
    pub container: Option<ContainerId>,
}

const _: () = assert!(size_of::<TaskRow>() <= 96);

/// One version of a service's specification, with what is derived from it once.
#[derive(Clone, Debug)]
pub struct Template {
    /// The service.
    pub service: ServiceId,
    /// The specification.
    pub spec: Arc<ServiceSpec>,
    /// Version of the specification.
    pub spec_version: u64,
    /// Full name of the service.
    pub name: Symbol,
    /// The image.
    pub image: Symbol,
    /// Parsed placement constraints; those that do not parse are dropped, as the scheduler does.
    pub constraints: Vec<Constraint>,
    /// Parsed placement preferences.
    pub preferences: Vec<Preference>,
    /// Reserved CPU in thousandths.
    pub reserved_cpu_milli: u64,
    /// Reserved memory in bytes.
    pub reserved_memory_bytes: u64,
    /// The container as the machines run it.
    pub container: Arc<order::ContainerSpec>,
    /// Whether stopping waits for the load balancers to hear of it: it is on an overlay network.
    pub balanced: bool,
}

impl Template {
    /// Ports in host mode as (protocol, port).
    pub fn host_ports(&self) -> impl Iterator<Item = &PublishedPort> {
        self.spec
            .ports
            .iter()
            .filter(|port| port.mode == PublishMode::Host && port.published != 0)
    }

    /// Whether it is a global service or job.
    pub fn is_global(&self) -> bool {
        is_global(&self.spec.mode)
    }

    /// Whether it is a job.
    pub fn is_job(&self) -> bool {
        matches!(
            self.spec.mode,
            ServiceMode::ReplicatedJob { .. } | ServiceMode::GlobalJob
        )
    }
}

/// Whether tasks go one to a node.
pub fn is_global(mode: &ServiceMode) -> bool {
    matches!(mode, ServiceMode::Global | ServiceMode::GlobalJob)
}

/// Tasks of one slot, oldest first.
pub type Slot = SmallVec<[TaskId; 4]>;

/// Status of an update or a rollback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateStatus {
    /// Where it is.
    pub state: UpdateState,
    /// When it started.
    pub started_at: SimTime,
    /// When it ended.
    pub completed_at: Option<SimTime>,
    /// What is said about it.
    pub message: String,
}

/// Counts of a service's tasks that the distance to its desired state is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Observed running, whatever is desired: `RunningTasks` of the API.
    pub running: u32,
    /// Desired and observed running, made from a specification that needs no update.
    pub good: u32,
    /// Desired at most running and not ended.
    pub live: u32,
    /// To be stopped, and still on a node that answers.
    pub stopping: u32,
    /// To be stopped, on a node that is down.
    pub blocked: u32,
    /// Completed tasks of a job.
    pub completed: u32,
}

/// A service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its identifier.
    pub identity: Identity,
    /// Version of the object.
    pub version: u64,
    /// When it was made.
    pub created_at: SimTime,
    /// When it was last written.
    pub updated_at: SimTime,
    /// Specification in force.
    pub spec: Arc<ServiceSpec>,
    /// Version of the specification in force.
    pub spec_version: u64,
    /// The specification before, with its version.
    pub previous: Option<(Arc<ServiceSpec>, u64)>,
    /// The specification in force as a template.
    pub template: TemplateId,
    /// Templates whose tasks need no update.
    pub clean: SmallVec<[TemplateId; 4]>,
    /// Every template it has had, newest last; bounded by [`TEMPLATES_MAX`].
    pub templates: SmallVec<[TemplateId; 4]>,
    /// Update or rollback.
    pub update_status: Option<UpdateStatus>,
    /// Published ports with the numbers that were allocated.
    pub ports: Vec<PublishedPort>,
    /// Virtual addresses by network.
    pub virtual_addresses: Vec<(Arc<str>, u32)>,
    /// Tasks by slot.
    pub slots: SortedMap<SlotKey, Slot>,
    /// Counts over its tasks.
    pub counts: Counts,
    /// Tasks it should have: replicas, or nodes that fit.
    pub wanted: u32,
    /// Number of tasks ever made: draws identifiers.
    pub made: u32,
    /// Iteration of a job.
    pub job_iteration: u64,
    /// Name without its stack's prefix.
    pub short_name: Symbol,
}

/// Templates of one service that are remembered for comparison with its tasks.
pub const TEMPLATES_MAX: usize = 16;

impl Service {
    /// Distance to the desired state that the swarm can still close by itself.
    pub fn unmet(&self) -> u32 {
        let missing = self.wanted.saturating_sub(
            self.counts.good
                + if self.is_job() {
                    self.counts.completed
                } else {
                    0
                },
        );
        let extra = self
            .counts
            .live
            .saturating_sub(self.wanted.max(self.counts.good));
        // Nobody updates the tasks of a job: a status that a rollback leaves says nothing.
        let updating = !self.is_job()
            && self.update_status.as_ref().is_some_and(|status| {
                matches!(
                    status.state,
                    UpdateState::Updating | UpdateState::RollbackStarted
                )
            });
        missing + extra + self.counts.stopping + u32::from(updating)
    }

    /// Whether it is a global service or job.
    pub fn is_global(&self) -> bool {
        is_global(&self.spec.mode)
    }

    /// Whether it is a job.
    pub fn is_job(&self) -> bool {
        matches!(
            self.spec.mode,
            ServiceMode::ReplicatedJob { .. } | ServiceMode::GlobalJob
        )
    }

    /// Whether a task from this template needs no update, placement aside.
    pub fn is_clean(&self, template: TemplateId) -> bool {
        self.clean.contains(&template)
    }
}

/// A node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its identifier.
    pub identity: Identity,
    /// The machine.
    pub machine: MachineId,
    /// Host name.
    pub hostname: Arc<str>,
    /// Host name, interned.
    pub name: Symbol,
    /// Version of the object.
    pub version: u64,
    /// When it joined.
    pub created_at: SimTime,
    /// When it was last written.
    pub updated_at: SimTime,
    /// Manager or worker.
    pub role: Role,
    /// What its operator wants of it.
    pub availability: Availability,
    /// Labels of the node object.
    pub labels: SortedMap<Arc<str>, Arc<str>>,
    /// Labels of its engine.
    pub engine_labels: SortedMap<Arc<str>, Arc<str>>,
    /// Operating system.
    pub os: Arc<str>,
    /// Architecture as the node reports it, e.g. `x86_64`.
    pub architecture: Arc<str>,
    /// Address.
    pub address: Arc<str>,
    /// What the manager thinks of it.
    pub state: NodeState,
    /// Why.
    pub message: &'static str,
    /// When `state` last changed.
    pub state_since: SimTime,
    /// CPU it advertises, in thousandths.
    pub cpu_milli: u64,
    /// Memory it advertises, in bytes.
    pub memory_bytes: u64,
    /// Generic resources it advertises.
    pub generic: SortedMap<Arc<str>, u64>,
    /// Reservations of its tasks.
    pub reserved: Reserved,
    /// Tasks on it that hold resources.
    pub active: u32,
    /// The same by service.
    pub active_by_service: SortedMap<ServiceId, u32>,
    /// Host ports in use as (protocol and port).
    pub host_ports: SortedMap<(crate::api::swarm::service::PortProtocol, u16), u32>,
    /// Recent failures by service and version of its specification.
    pub failures: SortedMap<(ServiceId, u64), SmallVec<[SimTime; 4]>>,
    /// All its tasks, in no order.
    pub tasks: Vec<TaskId>,
}

/// Reservations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reserved {
    /// CPU in thousandths.
    pub cpu_milli: u64,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Generic resources.
    pub generic: SortedMap<Arc<str>, u64>,
}

impl Node {
    /// Whether orchestrators must take tasks away: down or drained.
    /// Source: swarmkit `manager/orchestrator/task.go` InvalidNode.
    pub fn is_invalid(&self) -> bool {
        self.state == NodeState::Down || self.availability == Availability::Drain
    }

    /// Active tasks of a service.
    pub fn active_of(&self, service: ServiceId) -> u32 {
        self.active_by_service.get(&service).copied().unwrap_or(0)
    }
}

/// A network, secret or config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its identifier.
    pub identity: Identity,
    /// Version of the object.
    pub version: u64,
    /// When it was made.
    pub created_at: SimTime,
    /// Labels.
    pub labels: SortedMap<Arc<str>, Arc<str>>,
    /// What is in a secret or config; nothing for others.
    pub data: Arc<str>,
    /// A network's /24 as the number of its first address; zero for others.
    pub subnet: u32,
}

/// What changed, for the loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// A task was made.
    TaskCreated(TaskId),
    /// A task was written; the states before.
    TaskUpdated {
        /// The task.
        task: TaskId,
        /// Observed state before.
        state: TaskState,
        /// Desired state before.
        desired: TaskState,
        /// Node before.
        node: Option<NodeId>,
    },
    /// A task was deleted while its desired state was at most running.
    TaskDeleted(TaskId, ServiceId),
    /// A task was deleted; its node's agent must forget it.
    TaskForgotten(TaskId, NodeId),
    /// A service was made or written.
    Service(ServiceId),
    /// A service was deleted.
    ServiceDeleted(ServiceId),
    /// A node was made or written.
    Node(NodeId),
}

/// All objects.
#[derive(Clone, Debug, Default)]
pub struct Store {
    /// Tasks.
    pub tasks: Table<TaskRow>,
    services: Vec<Option<Arc<Service>>>,
    service_names: SortedMap<Arc<str>, ServiceId>,
    nodes: Vec<Option<Arc<Node>>>,
    /// Identifiers of nodes that were removed: their tasks name them still.
    departed: SortedMap<NodeId, Identity>,
    /// Places of nodes by host name, by number; none: a node has joined or gone since.
    name_ranks: Option<Arc<[u32]>>,
    templates: Vec<Arc<Template>>,
    /// Networks by name.
    pub networks: SortedMap<Arc<str>, Named>,
    /// Secrets by name.
    pub secrets: SortedMap<Arc<str>, Named>,
    /// Configs by name.
    pub configs: SortedMap<Arc<str>, Named>,
    /// Version of the last write.
    pub index: u64,
    /// Changes the loops have not seen.
    pub changes: Vec<Change>,
    unmet: u64,
}

impl Store {
    /// A service.
    pub fn service(&self, id: ServiceId) -> Option<&Service> {
        self.services.get(id.0 as usize)?.as_deref()
    }

    /// Services in the order they were made.
    pub fn services(&self) -> impl Iterator<Item = (ServiceId, &Service)> {
        self.services
            .iter()
            .enumerate()
            .filter_map(|(number, service)| Some((ServiceId(number as u32), service.as_deref()?)))
    }

    /// The service of this name.
    pub fn service_named(&self, name: &str) -> Option<ServiceId> {
        self.service_names.get(name).copied()
    }

    /// Services by name.
    pub fn services_by_name(&self) -> impl Iterator<Item = (&Arc<str>, ServiceId)> {
        self.service_names.iter().map(|(name, id)| (name, *id))
    }

    /// A node.
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.0 as usize)?.as_deref()
    }

    /// The identifier of a node, also of one that was removed.
    pub fn node_identity(&self, id: NodeId) -> Option<Identity> {
        let departed = || self.departed.get(&id).copied();
        self.node(id).map(|node| node.identity).or_else(departed)
    }

    /// Nodes in the order they joined.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        self.nodes
            .iter()
            .enumerate()
            .filter_map(|(number, node)| Some((NodeId(number as u32), node.as_deref()?)))
    }

    /// Places of nodes among all by host name, then by number, at their numbers. Sorted once for
    /// each set of nodes.
    pub fn name_ranks(&mut self) -> Arc<[u32]> {
        if let Some(ranks) = &self.name_ranks {
            return ranks.clone();
        }
        let mut by_name: Vec<(&str, u32)> = self
            .nodes()
            .map(|(id, node)| (&*node.hostname, id.0))
            .collect();
        by_name.arrange();
        let mut ranks = vec![0; self.nodes.len()];
        for ((_, number), rank) in by_name.into_iter().zip(0..) {
            ranks[number as usize] = rank;
        }
        let ranks: Arc<[u32]> = ranks.into();
        self.name_ranks = Some(ranks.clone());
        ranks
    }

    /// A template.
    pub fn template(&self, id: TemplateId) -> &Arc<Template> {
        &self.templates[id.0 as usize]
    }

    /// Keeps a template.
    pub fn add_template(&mut self, template: Template) -> TemplateId {
        self.templates.push(Arc::new(template));
        TemplateId(self.templates.len() as u32 - 1)
    }

    /// Number of the next service.
    pub fn next_service(&self) -> ServiceId {
        ServiceId(self.services.len() as u32)
    }

    /// The next version of an object.
    pub fn next_version(&mut self) -> u64 {
        self.index += 1;
        self.index
    }

    /// Distance to the desired state over all services.
    pub fn unmet(&self) -> u64 {
        self.unmet
    }

    /// Adds a service. Its id must be [`Store::next_service`].
    pub fn add_service(&mut self, service: Service) -> ServiceId {
        let id = self.next_service();
        self.service_names.insert(service.spec.name.clone(), id);
        self.unmet += u64::from(service.unmet());
        self.services.push(Some(Arc::new(service)));
        self.changes.push(Change::Service(id));
        id
    }

    /// Writes a service and tells the loops. Gives it a new version.
    pub fn update_service(
        &mut self,
        id: ServiceId,
        now: SimTime,
        write: impl FnOnce(&mut Service),
    ) {
        let version = self.next_version();
        self.touch_service(id, |service| {
            service.version = version;
            service.updated_at = now;
            write(service);
        });
        self.changes.push(Change::Service(id));
    }

    /// Writes what is derived from a service: no version, no change for the loops.
    pub fn touch_service(&mut self, id: ServiceId, write: impl FnOnce(&mut Service)) {
        let Some(service) = self
            .services
            .get_mut(id.0 as usize)
            .and_then(Option::as_mut)
        else {
            return;
        };
        let service = Arc::make_mut(service);
        let before = u64::from(service.unmet());
        write(service);
        self.unmet = self.unmet + u64::from(service.unmet()) - before;
    }

    /// Deletes a service; its tasks stay.
    pub fn remove_service(&mut self, id: ServiceId) {
        let Some(service) = self.services.get_mut(id.0 as usize).and_then(Option::take) else {
            return;
        };
        self.index += 1;
        self.service_names.remove(&service.spec.name);
        self.unmet -= u64::from(service.unmet());
        self.changes.push(Change::ServiceDeleted(id));
        // What is still stopping is no longer part of any service's distance.
    }

    /// Adds a node.
    pub fn add_node(&mut self, node: Node) -> NodeId {
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(Some(Arc::new(node)));
        self.name_ranks = None;
        self.changes.push(Change::Node(id));
        id
    }

    /// Writes a node and tells the loops. Gives it a new version.
    pub fn update_node(&mut self, id: NodeId, now: SimTime, write: impl FnOnce(&mut Node)) {
        let version = self.next_version();
        let Some(node) = self.nodes.get_mut(id.0 as usize).and_then(Option::as_mut) else {
            return;
        };
        let node = Arc::make_mut(node);
        let was_down = node.state == NodeState::Down;
        node.version = version;
        node.updated_at = now;
        write(node);
        let is_down = node.state == NodeState::Down;
        if was_down != is_down {
            node.state_since = now;
            let tasks = node.tasks.clone();
            for task in tasks {
                let row = self.tasks[task];
                self.count(&row, was_down, is_down);
            }
        }
        self.changes.push(Change::Node(id));
    }

    /// Writes what is derived for a node: no version, no change for the loops.
    pub fn touch_node(&mut self, id: NodeId, write: impl FnOnce(&mut Node)) {
        if let Some(node) = self.nodes.get_mut(id.0 as usize).and_then(Option::as_mut) {
            write(Arc::make_mut(node));
        }
    }

    /// Deletes a node; its tasks stay, with the node's number.
    pub fn remove_node(&mut self, id: NodeId) {
        if let Some(node) = self.nodes.get_mut(id.0 as usize).and_then(Option::take) {
            self.departed.insert(id, node.identity);
            self.name_ranks = None;
            self.index += 1;
            self.changes.push(Change::Node(id));
        }
    }

    /// Adds a task.
    pub fn add_task(&mut self, mut row: TaskRow) -> TaskId {
        row.version = self.next_version();
        let id = self.tasks.insert(row);
        let key = self.slot_key(&row);
        if let Some(service) = self
            .services
            .get_mut(row.service.0 as usize)
            .and_then(Option::as_mut)
        {
            let service = Arc::make_mut(service);
            service.slots.entry(key).or_default().push(id);
            service.made += 1;
        }
        self.add_contribution(&row);
        if let Some(node) = row.node {
            self.touch_node(node, |node| node.tasks.push(id));
        }
        self.changes.push(Change::TaskCreated(id));
        id
    }

    /// Where a task stands within its service.
    pub fn slot_key(&self, row: &TaskRow) -> SlotKey {
        if self.template(row.template).is_global() {
            row.node.map_or(0, |node| node.0)
        } else {
            row.slot
        }
    }

    /// Writes a task. Returns whether the task exists.
    pub fn update_task(&mut self, id: TaskId, write: impl FnOnce(&mut TaskRow)) -> bool {
        let Some(before) = self.tasks.get(id).copied() else {
            return false;
        };
        let version = self.next_version();
        let mut row = before;
        row.version = version;
        write(&mut row);
        self.move_contribution(&before, &row);
        if before.node != row.node {
            assert!(before.node.is_none(), "a task never moves to another node");
            let node = row.node.expect("a task is assigned to a node");
            self.touch_node(node, |node| node.tasks.push(id));
        }
        self.tasks[id] = row;
        self.changes.push(Change::TaskUpdated {
            task: id,
            state: before.state,
            desired: before.desired,
            node: before.node,
        });
        true
    }

    /// Writes what the manager keeps beside a task: no version, no change.
    pub fn touch_task(&mut self, id: TaskId, write: impl FnOnce(&mut TaskRow)) {
        if let Some(row) = self.tasks.get_mut(id) {
            write(row);
        }
    }

    /// Deletes a task.
    pub fn remove_task(&mut self, id: TaskId) {
        let Some(row) = self.tasks.get(id).copied() else {
            return;
        };
        self.index += 1;
        self.remove_contribution(&row);
        let key = self.slot_key(&row);
        if let Some(service) = self
            .services
            .get_mut(row.service.0 as usize)
            .and_then(Option::as_mut)
        {
            let service = Arc::make_mut(service);
            if let Some(slot) = service.slots.get_mut(&key) {
                slot.retain(|other| *other != id);
                if slot.is_empty() {
                    service.slots.remove(&key);
                }
            }
        }
        if let Some(node) = row.node {
            self.touch_node(node, |node| {
                if let Some(position) = node.tasks.iter().position(|other| *other == id) {
                    node.tasks.swap_remove(position);
                }
            });
            self.changes.push(Change::TaskForgotten(id, node));
        }
        self.tasks.remove(id);
        if row.desired <= TaskState::Running {
            self.changes.push(Change::TaskDeleted(id, row.service));
        }
    }
}
