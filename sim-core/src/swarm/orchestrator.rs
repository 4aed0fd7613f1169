//! The orchestrators: how many tasks a service has, and on which slots or nodes.
//! Source: swarmkit `manager/orchestrator`.
//!
//! Owns the decision to make, stop and remove tasks. Knows nodes as objects of the store only.

pub mod enforcer;
pub mod global;
pub mod job;
pub mod replicated;
pub mod restart;
pub mod update;

use crate::api::swarm::service::{RestartCondition, ServiceMode};
use crate::base::arrange::Arrange;
use crate::des::notice::Detail;
use crate::substrate::{Context, PlaneOutbox};
use crate::swarm::constraint;
use crate::swarm::identity::Identity;
use crate::swarm::state::{Availability, Message, TaskState, UpdateState};
use crate::swarm::store::{NodeId, ServiceId, Slot, SlotKey, TaskError, TaskId, TaskRow, Template};
use crate::swarm::{Event, SwarmPlane};

impl SwarmPlane {
    /// Makes a task of the service as it is now specified. Source: `manager/orchestrator/task.go`.
    pub(crate) fn create_task(
        &mut self,
        place: Place,
        desired: TaskState,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) -> Option<TaskId> {
        let service = self.store.service(place.service)?;
        let identity = Identity::draw(ctx.seed, "swarm.task-id", &service.spec.name, service.made);
        let row = TaskRow {
            identity,
            service: place.service,
            template: service.template,
            slot: place.slot,
            node: place.node,
            desired,
            state: TaskState::New,
            preassigned: place.node.is_some(),
            message: Message::Created,
            error: TaskError::None,
            version: 0,
            created_at: ctx.now,
            status_at: ctx.now,
            agent: None,
            container: None,
        };
        let id = self.store.add_task(row);
        self.note_task(out, "swarm.orchestrator", "create", id, Detail::None, None);
        Some(id)
    }

    /// Sets what a task shall become.
    pub(crate) fn set_desired(&mut self, task: TaskId, desired: TaskState) {
        if self
            .store
            .tasks
            .get(task)
            .is_some_and(|row| row.desired != desired)
        {
            self.store.update_task(task, |row| row.desired = desired);
        }
    }

    /// The tasks of a slot that an update would have to look at; empty if the slot is dead.
    /// Source: `manager/orchestrator/restart/restart.go` UpdatableTasksInSlot.
    pub(crate) fn updatable(&self, slot: &Slot, service: ServiceId) -> Slot {
        let live: Slot = slot
            .iter()
            .copied()
            .filter(|task| self.store.tasks[*task].desired <= TaskState::Running)
            .collect();
        if !live.is_empty() {
            return live;
        }
        let Some(object) = self.store.service(service) else {
            return Slot::new();
        };
        if object
            .update_status
            .as_ref()
            .is_some_and(|status| status.state == crate::swarm::state::UpdateState::RollbackStarted)
        {
            return Slot::new();
        }
        let newest = slot.iter().copied().max_by_key(|task| {
            (
                self.store.tasks[*task].status_at,
                self.store.tasks[*task].created_at,
            )
        });
        match newest {
            Some(newest) if !self.should_restart(newest) => Slot::from_slice(&[newest]),
            Some(_) | None => Slot::new(),
        }
    }

    /// Slots that a service lacks and that nobody makes. One that was being scaled away counted as taken
    /// when its number was wanted again, since its newest task was not to be restarted; when that task
    /// is gone at last, nobody counts again. Sources: `manager/orchestrator/restart/restart.go`
    /// (UpdatableTasksInSlot), `manager/orchestrator/replicated/tasks.go` (EventDeleteTask).
    pub fn overlooked(&self, service: ServiceId) -> u32 {
        let Some(object) = self.store.service(service) else {
            return 0;
        };
        let policy = object.spec.task.restart_policy;
        let refuses = policy.condition != RestartCondition::Any || policy.max_attempts > 0;
        if !refuses || !matches!(object.spec.mode, ServiceMode::Replicated { .. }) {
            return 0;
        }
        let slots = object.slots.values().filter(|slot| !slot.is_empty());
        object.wanted.saturating_sub(slots.count() as u32)
    }

    /// Whether a global service's status tells of an update that nobody carries out, while no task is
    /// left to be replaced: it was asked for while no node could take one, and a node that comes back
    /// gets its task by itself. The next update of the service, or the next leader, ends it.
    /// As swarmkit `manager/orchestrator/global/global.go` (reconcileServices: `len(updateTasks) > 0`).
    pub fn is_status_left(&self, service: ServiceId) -> bool {
        let Some(object) = self.store.service(service) else {
            return false;
        };
        let status = object.update_status.as_ref();
        let tells = status.is_some_and(|status| {
            matches!(
                status.state,
                UpdateState::Updating | UpdateState::RollbackStarted
            )
        });
        let live = |task: &TaskId| {
            let row = self.store.tasks.get(*task);
            row.is_some_and(|row| row.desired <= TaskState::Running)
        };
        let mut tasks = object.slots.values().flatten().filter(|task| live(task));
        tells
            && object.is_global()
            && !object.is_job()
            && !self.updates.contains_key(&service)
            && !tasks.any(|task| self.is_dirty(*task))
    }

    /// Slots of a service whose tasks have all ended and that get no other one: the restart policy
    /// refuses it, or has refused it and would not any more, but nothing happens that would make
    /// anybody look again.
    pub fn given_up(&self, service: ServiceId) -> u32 {
        let Some(object) = self.store.service(service) else {
            return 0;
        };
        let wanted = |key: SlotKey| match object.spec.mode {
            ServiceMode::Replicated { .. } => true,
            ServiceMode::Global => self.store.node(NodeId(key)).is_some_and(|node| {
                !node.is_invalid() && node.availability == Availability::Active
            }),
            // Whoever makes a job's tasks makes new ones instead.
            ServiceMode::ReplicatedJob { .. } | ServiceMode::GlobalJob => false,
        };
        let limited = object.spec.task.restart_policy.max_attempts > 0;
        let over = |slot: &Slot| {
            let ended = slot.iter().all(|task| {
                let row = self.store.tasks[*task];
                row.desired > TaskState::Running && row.state > TaskState::Running
            });
            ended && (limited || !self.updatable(slot, service).is_empty())
        };
        let slots = object.slots.iter();
        slots
            .filter(|(key, slot)| wanted(**key) && over(slot))
            .count() as u32
    }

    /// Whether the service's specification asks for another task than this one.
    /// Source: `manager/orchestrator/task.go` IsTaskDirty.
    pub(crate) fn is_dirty(&self, task: TaskId) -> bool {
        let row = self.store.tasks[task];
        let Some(service) = self.store.service(row.service) else {
            return false;
        };
        if row.template == service.template {
            return false;
        }
        if !service.is_clean(row.template) {
            return true;
        }
        let (new, old) = (
            self.store.template(service.template),
            self.store.template(row.template),
        );
        if new.spec_version == old.spec_version {
            return false;
        }
        let auth = |template: &Template| template.spec.task.container.options.registry_auth;
        if auth(new) != auth(old) {
            // Other credentials are no reason to replace a task that has its image.
            let has_image = (TaskState::Ready..=TaskState::Running).contains(&row.state)
                && row.desired <= TaskState::Running;
            return !has_image || new.spec.task.placement != old.spec.task.placement;
        }
        if new.spec.task.placement == old.spec.task.placement {
            return false;
        }
        // Only the placement changed: the task may stay where the new constraints hold.
        match row.node.and_then(|node| self.store.node(node)) {
            Some(node) => !constraint::node_matches(&new.constraints, node, &node.identity.text()),
            None => true,
        }
    }

    /// A service was made or written.
    pub(crate) fn reconcile_service(
        &mut self,
        service: ServiceId,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let Some(object) = self.store.service(service) else {
            return;
        };
        match (object.is_global(), object.is_job()) {
            (false, false) => self.reconcile_replicated(service, ctx, out),
            (true, false) => self.reconcile_global(service, ctx, out),
            (_, true) => self.reconcile_job(service, ctx, out),
        }
    }

    /// A service was deleted: all its tasks go.
    pub(crate) fn remove_tasks_of(&mut self, service: ServiceId) {
        self.updates.remove(&service);
        self.restarts.forget_service(service);
        let tasks: Vec<TaskId> = self
            .store
            .tasks
            .iter()
            .filter(|(_, row)| row.service == service)
            .map(|(id, _)| id)
            .collect();
        for task in tasks {
            self.set_desired(task, TaskState::Remove);
        }
    }

    /// A task changed in a way that may need an answer: it ended, it runs, or it is to be removed.
    pub(crate) fn task_changed(
        &mut self,
        task: TaskId,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let Some(row) = self.store.tasks.get(task).copied() else {
            self.old_task_stopped(task, ctx, out);
            return;
        };
        if row.state > TaskState::Running {
            self.old_task_stopped(task, ctx, out);
        }
        self.update_sees(task, ctx, out);
        let Some(row) = self.store.tasks.get(task).copied() else {
            return;
        };
        if row.desired > TaskState::Complete || row.state <= TaskState::Running {
            return;
        }
        let Some(service) = self.store.service(row.service) else {
            return;
        };
        if service.is_job() {
            if row.state == TaskState::Complete {
                self.reconcile_job(row.service, ctx, out);
            } else {
                self.restart(task, ctx, out);
            }
        } else if service.is_global() {
            self.restart_global(task, ctx, out);
        } else if row.desired <= TaskState::Running {
            self.restart(task, ctx, out);
        }
    }

    /// A node was made, written or deleted.
    pub(crate) fn node_changed(
        &mut self,
        node: NodeId,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let tasks = self.tasks_on(node);
        let gone_or_down = self
            .store
            .node(node)
            .is_none_or(|object| object.state == crate::swarm::state::NodeState::Down);
        if gone_or_down {
            for task in &tasks {
                self.old_task_stopped(*task, ctx, out);
            }
        }
        if self
            .store
            .node(node)
            .is_none_or(|object| object.is_invalid())
        {
            for task in &tasks {
                let row = self.store.tasks[*task];
                let replicated = self
                    .store
                    .service(row.service)
                    .is_some_and(|service| !service.is_global());
                if replicated
                    && row.desired <= TaskState::Complete
                    && row.state != TaskState::Complete
                {
                    self.restart(*task, ctx, out);
                }
            }
        }
        self.reconcile_global_node(node, ctx, out);
        self.enforce_constraints(node, ctx, out);
        self.count_wanted();
    }

    /// Tasks with this node's number, by service, slot and age. Also for nodes that are gone.
    pub(crate) fn tasks_on(&self, node: NodeId) -> Vec<TaskId> {
        let mut tasks: Vec<TaskId> = match self.store.node(node) {
            Some(object) => object.tasks.clone(),
            None => self
                .store
                .tasks
                .iter()
                .filter(|(_, row)| row.node == Some(node))
                .map(|(id, _)| id)
                .collect(),
        };
        tasks.arrange_by_key(|task| {
            let row = &self.store.tasks[*task];
            (row.service, row.slot, row.created_at, row.identity)
        });
        tasks
    }
}

/// Where a new task goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Its service.
    pub(crate) service: ServiceId,
    /// Its slot; zero for a global service.
    pub(crate) slot: u32,
    /// Its node, if the orchestrator chooses it.
    pub(crate) node: Option<NodeId>,
}
