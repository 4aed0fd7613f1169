//! Read-only views: what the client's tables are printed from.

use std::sync::Arc;

use crate::api::swarm::service::{PublishMode, PublishedPort, ServiceMode};
use crate::base::arrange::Arrange;
use crate::base::symbol::Symbols;
use crate::base::time::SimTime;
use crate::substrate::Substrate;
use crate::substrate::order::{ContainerId, SandboxId};
use crate::swarm::SwarmPlane;
use crate::swarm::identity::Identity;
use crate::swarm::state::{Availability, NodeState, Role, TaskState};
use crate::swarm::store::{NodeId, ServiceId, TaskError, TaskId, TaskRow};

/// A row of `docker service ls`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceView {
    /// The service.
    pub id: ServiceId,
    /// Its identifier.
    pub identity: Identity,
    /// Its name.
    pub name: Arc<str>,
    /// Its mode.
    pub mode: ServiceMode,
    /// Tasks observed running, whatever is desired.
    pub running: u32,
    /// Tasks desired.
    pub desired: u32,
    /// Completed tasks of a job's iteration.
    pub completed: u32,
    /// Limit of tasks for one node; 0: none.
    pub max_per_node: u64,
    /// Image, without digest.
    pub image: Arc<str>,
    /// Ports published through the routing mesh.
    pub ports: Vec<PublishedPort>,
}

/// A row of `docker service ps`, `docker stack ps` and `docker node ps`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskView {
    /// The task.
    pub id: TaskId,
    /// Its identifier.
    pub identity: Identity,
    /// `service.slot`, or `service.node-id` for a global service.
    pub name: String,
    /// Whether a newer task stands in the same slot: printed as ` \_ name`.
    pub historic: bool,
    /// Image.
    pub image: Arc<str>,
    /// Host name of the node; empty before it has one, the identifier if the node is gone.
    pub node: String,
    /// Desired state.
    pub desired: TaskState,
    /// Observed state.
    pub state: TaskState,
    /// When the status was last changed.
    pub since: SimTime,
    /// Error; empty: none.
    pub error: String,
    /// Host-mode ports while it runs.
    pub ports: Vec<PublishedPort>,
    /// Slot.
    pub slot: u32,
    /// Container.
    pub container: Option<ContainerId>,
}

/// A row of `docker node ls`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeView {
    /// The node.
    pub id: NodeId,
    /// Its identifier.
    pub identity: Identity,
    /// Its host name.
    pub hostname: Arc<str>,
    /// What the manager thinks of it.
    pub state: NodeState,
    /// Availability.
    pub availability: Availability,
    /// `Leader`, `Reachable`, or empty for a worker.
    pub manager_status: &'static str,
}

impl SwarmPlane {
    /// All services, in natural order of their names.
    pub fn service_views(&self) -> Vec<ServiceView> {
        let mut views: Vec<ServiceView> = self
            .store
            .services()
            .map(|(id, service)| ServiceView {
                id,
                identity: service.identity,
                name: service.spec.name.clone(),
                mode: service.spec.mode,
                running: service.counts.running,
                desired: self.desired_tasks(id),
                completed: service.counts.completed,
                max_per_node: service.spec.task.placement.max_replicas_per_node,
                image: service.spec.task.container.image.clone(),
                ports: service
                    .ports
                    .iter()
                    .filter(|port| port.mode == PublishMode::Ingress)
                    .copied()
                    .collect(),
            })
            .collect();
        views.arrange_by(|a, b| natural(&a.name, &b.name));
        views
    }

    /// Tasks that a service should have. Source: swarmkit `manager/controlapi/service.go`
    /// ListServiceStatuses.
    pub fn desired_tasks(&self, id: ServiceId) -> u32 {
        let Some(service) = self.store.service(id) else {
            return 0;
        };
        let desired = |state: TaskState| {
            service
                .slots
                .values()
                .flatten()
                .filter(|task| self.store.tasks[**task].desired == state)
                .count() as u32
        };
        match service.spec.mode {
            ServiceMode::Replicated { replicas } => replicas,
            ServiceMode::ReplicatedJob { max_concurrent, .. } => max_concurrent,
            ServiceMode::Global => desired(TaskState::Running),
            ServiceMode::GlobalJob => desired(TaskState::Complete) - service.counts.completed,
        }
    }

    /// A service's tasks: by slot, newest first.
    pub fn task_views(&self, service: ServiceId) -> Vec<TaskView> {
        self.views(self.task_rows(service))
    }

    /// A service's tasks by slot, newest first, each with whether a newer one stands in its slot.
    pub fn task_rows(
        &self,
        service: ServiceId,
    ) -> impl Iterator<Item = (TaskId, TaskRow, bool)> + '_ {
        let object = self.store.service(service);
        let slots = object.into_iter().flat_map(|object| object.slots.values());
        slots.flat_map(|slot| self.slot_rows(slot.iter().copied()))
    }

    /// A node's tasks: by service and slot, newest first.
    pub fn node_task_views(&self, node: NodeId) -> Vec<TaskView> {
        self.views(self.node_task_rows(node).into_iter())
    }

    /// A node's tasks by service and slot, newest first, each with whether a newer one of the node
    /// stands in its slot.
    pub fn node_task_rows(&self, node: NodeId) -> Vec<(TaskId, TaskRow, bool)> {
        let tasks = self.tasks_on(node);
        tasks
            .chunk_by(|a, b| {
                let (a, b) = (&self.store.tasks[*a], &self.store.tasks[*b]);
                (a.service, a.slot) == (b.service, b.slot)
            })
            .flat_map(|slot| self.slot_rows(slot.iter().copied()))
            .collect()
    }

    fn views(&self, rows: impl Iterator<Item = (TaskId, TaskRow, bool)>) -> Vec<TaskView> {
        rows.map(|(id, row, historic)| self.task_view(id, &row, historic))
            .collect()
    }

    fn slot_rows(
        &self,
        tasks: impl DoubleEndedIterator<Item = TaskId>,
    ) -> Vec<(TaskId, TaskRow, bool)> {
        let mut rows: Vec<(TaskId, TaskRow)> = tasks.map(|id| (id, self.store.tasks[id])).collect();
        rows.reverse();
        // A task that shall run comes before those that ended after it was made.
        rows.arrange_by_key(|(_, row)| row.desired > TaskState::Complete);
        rows.into_iter()
            .enumerate()
            .map(|(number, (id, row))| (id, row, number > 0))
            .collect()
    }

    /// The time that a task's status bears: its agent's clock says it once the agent has the task.
    pub fn status_time(&self, task: TaskId, machines: &Substrate) -> SimTime {
        let Some(row) = self.store.tasks.get(task) else {
            return SimTime::ZERO;
        };
        let is_agents = (TaskState::Accepted..TaskState::Remove).contains(&row.state);
        let node = row.node.filter(|_| is_agents);
        node.and_then(|node| self.store.node(node))
            .map_or(row.status_at, |node| {
                machines.wall(node.machine, row.status_at)
            })
    }

    fn task_view(&self, id: TaskId, row: &TaskRow, historic: bool) -> TaskView {
        let template = self.store.template(row.template);
        let node = row.node.and_then(|id| match self.store.node(id) {
            Some(node) => Some(node.hostname.to_string()),
            None => self.store.node_identity(id).map(|identity| identity.text()),
        });
        TaskView {
            id,
            identity: row.identity,
            name: self.task_name(row),
            historic,
            image: template.spec.task.container.image.clone(),
            node: node.unwrap_or_default(),
            desired: row.desired,
            state: row.state,
            since: row.status_at,
            error: String::new(),
            ports: if row.state == TaskState::Running {
                template.host_ports().copied().collect()
            } else {
                Vec::new()
            },
            slot: row.slot,
            container: row.container,
        }
    }

    /// Fills in errors, whose text is interned.
    pub fn with_errors(&self, mut views: Vec<TaskView>, symbols: &Symbols) -> Vec<TaskView> {
        for view in &mut views {
            view.error = error_text(self.store.tasks[view.id].error, symbols);
        }
        views
    }

    /// `service.slot`, or `service.node-id` for a global service.
    pub fn task_name(&self, row: &TaskRow) -> String {
        let template = self.store.template(row.template);
        match row.node.and_then(|node| self.store.node_identity(node)) {
            Some(identity) if template.is_global() => {
                format!("{}.{}", template.spec.name, identity.text())
            }
            Some(_) | None => format!("{}.{}", template.spec.name, row.slot),
        }
    }

    /// Puts identifiers in place of the names of the service and the node.
    pub fn unresolve(&self, view: &mut TaskView) {
        let Some(row) = self.store.tasks.get(view.id) else {
            return;
        };
        let text = |identity: Option<Identity>| identity.map(Identity::text).unwrap_or_default();
        let node = text(row.node.and_then(|node| self.store.node_identity(node)));
        let service = text(
            self.store
                .service(row.service)
                .map(|object| object.identity),
        );
        view.name = match row.slot {
            0 => format!("{service}.{node}"),
            slot => format!("{service}.{slot}"),
        };
        view.node = node;
    }

    /// All nodes, in natural order of their host names.
    pub fn node_views(&self) -> Vec<NodeView> {
        let leader = self.leader();
        let mut views: Vec<NodeView> = self
            .store
            .nodes()
            .map(|(id, node)| NodeView {
                id,
                identity: node.identity,
                hostname: node.hostname.clone(),
                state: node.state,
                availability: node.availability,
                manager_status: match node.role {
                    _ if !self.is_member(id) => "",
                    Role::Manager if Some(id) == leader => "Leader",
                    Role::Manager if self.is_reachable(id) => "Reachable",
                    Role::Manager => "Unreachable",
                    Role::Worker => "",
                },
            })
            .collect();
        views.arrange_by(|a, b| natural(&a.hostname, &b.hostname));
        views
    }

    /// What the manager thinks of a node: `Ready`, `Down`, `Unknown`, `Disconnected`.
    pub fn node_state(&self, name: &str, _symbols: &Symbols) -> Option<&'static str> {
        let id = self.find_node(name)?;
        self.store.node(id).map(|node| node.state.title())
    }

    /// Observed state of the current task of `service.slot` (with or without its stack's prefix), or
    /// of the task with this identifier.
    pub fn task_state(&self, name: &str, symbols: &Symbols) -> Option<&'static str> {
        let id = self.find_task(name, symbols)?;
        Some(self.store.tasks[id].state.word())
    }

    /// The current task of `service.slot`, or the task with this identifier or beginning of one.
    pub fn find_task(&self, name: &str, symbols: &Symbols) -> Option<TaskId> {
        if let Some((service, slot)) = name.rsplit_once('.') {
            let found = self.store.service_named(service).or_else(|| {
                self.store
                    .services()
                    .find(|(_, object)| symbols.text(object.short_name) == service)
                    .map(|(id, _)| id)
            });
            if let Some(object) = found.and_then(|id| self.store.service(id)) {
                let key = if object.is_global() {
                    self.find_node(slot)?.0
                } else {
                    slot.parse().ok()?
                };
                let slot = object.slots.get(&key)?;
                let live = slot
                    .iter()
                    .rev()
                    .find(|task| self.store.tasks[**task].desired <= TaskState::Complete);
                return live.or(slot.last()).copied();
            }
        }
        let mut found = self
            .store
            .tasks
            .iter()
            .filter(|(_, row)| row.identity.text().starts_with(name))
            .map(|(id, _)| id);
        let first = found.next()?;
        found.next().is_none().then_some(first)
    }

    /// Sandboxes of a service's tasks by slot, the newest task of a slot first. The name may lack its
    /// stack's prefix.
    pub fn sandboxes_of(&self, workload: &str, symbols: &Symbols) -> Vec<SandboxId> {
        let found = self.store.service_named(workload).or_else(|| {
            self.store
                .services()
                .find(|(_, object)| symbols.text(object.short_name) == workload)
                .map(|(id, _)| id)
        });
        let Some(id) = found else {
            return Vec::new();
        };
        let Some(object) = self.store.service(id) else {
            return Vec::new();
        };
        object
            .slots
            .values()
            .flat_map(|slot| slot.iter().rev())
            .filter_map(|task| self.sandbox_of(*task))
            .collect()
    }

    /// The sandbox of a task, named as for [`Self::find_task`].
    pub fn sandbox_named(&self, name: &str, symbols: &Symbols) -> Option<SandboxId> {
        self.sandbox_of(self.find_task(name, symbols)?)
    }

    fn sandbox_of(&self, task: TaskId) -> Option<SandboxId> {
        self.agents.get(self.store.tasks.get(task)?.agent?)?.sandbox
    }

    /// Containers of a service's tasks that run, by slot, for faults that are aimed at one.
    pub fn running_containers(&self, service: ServiceId) -> Vec<(TaskId, NodeId, ContainerId)> {
        let Some(object) = self.store.service(service) else {
            return Vec::new();
        };
        object
            .slots
            .values()
            .flatten()
            .filter_map(|task| {
                let row = &self.store.tasks[*task];
                (row.state == TaskState::Running).then_some((*task, row.node?, row.container?))
            })
            .collect()
    }
}

/// The text of a task's error; empty: none.
pub fn error_text(error: TaskError, symbols: &Symbols) -> String {
    match error {
        TaskError::None => String::new(),
        TaskError::Text(text) => symbols.text(text).to_owned(),
        TaskError::Exit(code) => format!("task: non-zero exit ({code})"),
        TaskError::Unhealthy(code) => {
            format!("task: non-zero exit ({code}): dockerexec: unhealthy container")
        }
        TaskError::Enforced => "assigned node no longer meets constraints".to_owned(),
    }
}

/// Order in which `a2` comes before `a10`.
pub fn natural(a: &str, b: &str) -> std::cmp::Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (x, y) = (chunk(left), chunk(right));
        if x.is_empty() || y.is_empty() {
            return x.len().cmp(&y.len()).then_with(|| a.cmp(b));
        }
        let order = match (x.parse::<u64>(), y.parse::<u64>()) {
            (Ok(x), Ok(y)) => x.cmp(&y),
            _ => x.cmp(y),
        };
        if order.is_ne() {
            return order;
        }
        left = &left[x.len()..];
        right = &right[y.len()..];
    }
}

/// The leading run of digits, or of anything else.
fn chunk(text: &str) -> &str {
    let digits = text.starts_with(|letter: char| letter.is_ascii_digit());
    let end = text
        .find(|letter: char| letter.is_ascii_digit() != digits)
        .unwrap_or(text.len());
    &text[..end]
}
