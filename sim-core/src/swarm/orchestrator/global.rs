//! Global services: one task on every node that fits.
//! Source: swarmkit `manager/orchestrator/global/global.go`.

use crate::api::swarm::service::ServiceMode;
use crate::substrate::{Context, PlaneOutbox};
use crate::swarm::constraint;
use crate::swarm::orchestrator::Place;
use crate::swarm::state::{Availability, TaskState};
use crate::swarm::store::{NodeId, ServiceId, Slot, TaskId};
use crate::swarm::{Event, SwarmPlane};

impl SwarmPlane {
    /// Whether the service's constraints hold on the node.
    pub(crate) fn node_fits(&self, service: ServiceId, node: NodeId) -> bool {
        let (Some(service), Some(node)) = (self.store.service(service), self.store.node(node))
        else {
            return false;
        };
        let template = self.store.template(service.template);
        template.constraints.is_empty()
            || constraint::node_matches(&template.constraints, node, &node.identity.text())
    }

    /// Brings one task to each node that fits and hands outdated ones to the updater.
    pub(crate) fn reconcile_global(
        &mut self,
        service: ServiceId,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let Some(object) = self.store.service(service) else {
            return;
        };
        let mut slots: crate::base::sorted::SortedMap<u32, Slot> = object
            .slots
            .iter()
            .map(|(key, slot)| (*key, slot.clone()))
            .collect();
        let keys: Vec<u32> = slots.keys().copied().collect();
        for key in keys {
            let updatable = self.updatable(&slots[&key], service);
            if updatable.is_empty() {
                slots.remove(&key);
            } else {
                slots.insert(key, updatable);
            }
        }
        let nodes: Vec<(NodeId, Availability)> = self
            .store
            .nodes()
            .filter(|(_, node)| !node.is_invalid())
            .map(|(id, node)| (id, node.availability))
            .collect();
        let mut updates = Vec::new();
        for (node, availability) in nodes {
            let tasks = slots.remove(&node.0);
            if !self.node_fits(service, node) {
                self.shut_down(tasks.iter().flatten().copied());
                continue;
            }
            if availability == Availability::Pause {
                continue;
            }
            match tasks {
                Some(tasks) => updates.push((node.0, tasks)),
                None => {
                    self.create_task(
                        Place {
                            service,
                            slot: 0,
                            node: Some(node),
                        },
                        TaskState::Running,
                        ctx,
                        out,
                    );
                }
            }
        }
        // What is left is on nodes that are drained, down or gone.
        self.shut_down(slots.values().flatten().copied());
        if !updates.is_empty() {
            self.update_slots(service, updates, ctx, out);
        }
    }

    /// Looks at all global services on one node. Not a rolling update: outdated tasks are replaced
    /// at once.
    pub(crate) fn reconcile_global_node(
        &mut self,
        node: NodeId,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let services: Vec<(ServiceId, bool)> = self
            .store
            .services()
            .filter(|(_, service)| service.is_global())
            .map(|(id, service)| (id, service.is_job()))
            .collect();
        let Some(object) = self.store.node(node) else {
            for task in self.tasks_on(node) {
                let row = self.store.tasks[task];
                if services.iter().any(|(service, _)| *service == row.service) {
                    self.store.remove_task(task);
                }
            }
            return;
        };
        let (invalid, paused) = (
            object.is_invalid(),
            object.availability == Availability::Pause,
        );
        for (service, job) in services {
            if job {
                self.reconcile_job(service, ctx, out);
                continue;
            }
            let slot = self
                .store
                .service(service)
                .and_then(|object| object.slots.get(&node.0))
                .cloned()
                .unwrap_or_default();
            if invalid {
                self.shut_down(slot.iter().copied());
                continue;
            }
            if paused || !self.node_fits(service, node) {
                continue;
            }
            let tasks = self.updatable(&slot, service);
            let (mut outdated, mut current): (Vec<TaskId>, Vec<TaskId>) =
                tasks.iter().partition(|task| self.is_dirty(**task));
            if current.is_empty() {
                self.create_task(
                    Place {
                        service,
                        slot: 0,
                        node: Some(node),
                    },
                    TaskState::Running,
                    ctx,
                    out,
                );
            } else {
                outdated.extend(current.drain(1..));
            }
            self.shut_down(outdated.into_iter());
        }
    }

    /// A task of a global service ended.
    pub(crate) fn restart_global(
        &mut self,
        task: TaskId,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let row = self.store.tasks[task];
        if row.desired > TaskState::Running {
            return;
        }
        let Some(node) = row.node.filter(|node| {
            self.store
                .node(*node)
                .is_some_and(|node| !node.is_invalid())
        }) else {
            return;
        };
        let paused = self
            .store
            .node(node)
            .is_some_and(|node| node.availability == Availability::Pause);
        if paused || !self.node_fits(row.service, node) {
            self.set_desired(task, TaskState::Shutdown);
        } else {
            self.restart(task, ctx, out);
        }
    }

    pub(crate) fn shut_down(&mut self, tasks: impl Iterator<Item = TaskId>) {
        for task in tasks.collect::<Vec<_>>() {
            if self
                .store
                .tasks
                .get(task)
                .is_some_and(|row| row.desired < TaskState::Shutdown)
            {
                self.set_desired(task, TaskState::Shutdown);
            }
        }
    }

    /// How many tasks each service should have, where that depends on the nodes.
    pub(crate) fn count_wanted(&mut self) {
        let services: Vec<(ServiceId, ServiceMode)> = self
            .store
            .services()
            .map(|(id, service)| (id, service.spec.mode))
            .collect();
        for (service, mode) in services {
            let wanted = match mode {
                ServiceMode::Replicated { replicas } => replicas,
                ServiceMode::ReplicatedJob {
                    total_completions, ..
                } => total_completions,
                ServiceMode::Global | ServiceMode::GlobalJob => {
                    let nodes: Vec<NodeId> = self
                        .store
                        .nodes()
                        .filter(|(_, node)| {
                            !node.is_invalid() && node.availability == Availability::Active
                        })
                        .map(|(id, _)| id)
                        .collect();
                    nodes
                        .into_iter()
                        .filter(|node| self.node_fits(service, *node))
                        .count() as u32
                }
            };
            if self
                .store
                .service(service)
                .is_some_and(|service| service.wanted != wanted)
            {
                self.store
                    .touch_service(service, |service| service.wanted = wanted);
            }
        }
    }
}
