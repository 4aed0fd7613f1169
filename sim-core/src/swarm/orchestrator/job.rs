//! Jobs: tasks that run to completion.
//! Source: swarmkit `manager/orchestrator/jobs/{replicated,global}/reconciler.go`.

use crate::api::swarm::service::ServiceMode;
use crate::substrate::{Context, PlaneOutbox};
use crate::swarm::orchestrator::Place;
use crate::swarm::state::{Availability, TaskState};
use crate::swarm::store::{NodeId, ServiceId, TaskId};
use crate::swarm::{Event, SwarmPlane};

/// Tasks that a replicated job makes now: no more at a time than allowed, no more in total than
/// wanted.
pub(crate) fn tasks_to_create(total: u32, concurrent: u32, running: u32, completed: u32) -> u32 {
    let left = total.saturating_sub(completed).saturating_sub(running);
    concurrent.saturating_sub(running).min(left)
}

impl SwarmPlane {
    /// Brings a job one step further.
    pub(crate) fn reconcile_job(
        &mut self,
        service: ServiceId,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let Some(object) = self.store.service(service) else {
            return;
        };
        let current = object.template;
        let tasks: Vec<TaskId> = object.slots.values().flatten().copied().collect();
        let mode = object.spec.mode;
        // Every accepted update is a new iteration, and an iteration has a template of its own.
        let (mut running, mut completed) = (0, 0);
        let mut used = crate::base::sorted::SortedSet::new();
        let mut nodes_used = crate::base::sorted::SortedSet::new();
        for task in tasks {
            let row = self.store.tasks[task];
            if row.template != current {
                self.set_desired(task, TaskState::Remove);
                continue;
            }
            nodes_used.extend(row.node);
            if row.desired == TaskState::Shutdown || row.desired == TaskState::Remove {
                continue;
            }
            used.insert(row.slot);
            if row.state == TaskState::Complete {
                completed += 1;
            } else {
                running += 1;
            }
        }
        match mode {
            ServiceMode::ReplicatedJob {
                total_completions,
                max_concurrent,
            } => {
                let count = tasks_to_create(total_completions, max_concurrent, running, completed);
                let mut slot = 0;
                for _ in 0..count {
                    while used.contains(&slot) {
                        slot += 1;
                    }
                    used.insert(slot);
                    self.create_task(
                        Place {
                            service,
                            slot,
                            node: None,
                        },
                        TaskState::Complete,
                        ctx,
                        out,
                    );
                }
            }
            ServiceMode::GlobalJob => {
                let nodes: Vec<(NodeId, Availability)> = self
                    .store
                    .nodes()
                    .filter(|(_, node)| node.state == crate::swarm::state::NodeState::Ready)
                    .map(|(id, node)| (id, node.availability))
                    .collect();
                for (node, availability) in nodes {
                    if availability == Availability::Active
                        && !nodes_used.contains(&node)
                        && self.node_fits(service, node)
                    {
                        self.create_task(
                            Place {
                                service,
                                slot: 0,
                                node: Some(node),
                            },
                            TaskState::Complete,
                            ctx,
                            out,
                        );
                    }
                }
            }
            ServiceMode::Replicated { .. } | ServiceMode::Global => {}
        }
    }
}
