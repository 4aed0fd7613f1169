//! The constraint enforcer: tasks whose node no longer fits are rejected.
//! Source: swarmkit `manager/orchestrator/constraintenforcer/constraint_enforcer.go`.

use crate::des::notice::Detail;
use crate::substrate::{Context, PlaneOutbox};
use crate::swarm::constraint;
use crate::swarm::state::{Availability, Message, TaskState};
use crate::swarm::store::{NodeId, TaskError};
use crate::swarm::{Event, SwarmPlane};

impl SwarmPlane {
    /// Looks at the tasks of a node that was written. Drained and paused nodes are left alone.
    pub(crate) fn enforce_constraints(
        &mut self,
        node: NodeId,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let Some(object) = self.store.node(node) else {
            return;
        };
        if object.availability != Availability::Active {
            return;
        }
        let id = object.identity.text();
        let (mut cpu_milli, mut memory_bytes) = (object.cpu_milli, object.memory_bytes);
        let mut generic = object.generic.clone();
        let mut rejected = Vec::new();
        for task in self.tasks_on(node) {
            let row = self.store.tasks[task];
            if row.desired < TaskState::Assigned
                || row.desired > TaskState::Complete
                || row.state >= TaskState::Complete
            {
                continue;
            }
            let template = self.store.template(row.template);
            // The service's own constraints, not the task's: they may have changed without a
            // new task.
            let constraints = match self.store.service(row.service) {
                Some(service) => &self.store.template(service.template).constraints,
                None => &template.constraints,
            };
            let object = self.store.node(node).expect("the node was just there");
            let mut fits = constraint::node_matches(constraints, object, &id);
            fits &= template.reserved_cpu_milli <= cpu_milli
                && template.reserved_memory_bytes <= memory_bytes;
            let wishes = &template.spec.task.resources.requests.extended;
            fits &= wishes
                .iter()
                .all(|(kind, amount)| generic.get(kind).copied().unwrap_or(0) >= *amount);
            if !fits {
                rejected.push(task);
                continue;
            }
            cpu_milli -= template.reserved_cpu_milli;
            memory_bytes -= template.reserved_memory_bytes;
            for (kind, amount) in wishes {
                if let Some(left) = generic.get_mut(kind) {
                    *left -= amount;
                }
            }
        }
        for task in rejected {
            self.store.update_task(task, |row| {
                row.state = TaskState::Rejected;
                row.message = Message::Enforced;
                row.error = TaskError::Enforced;
                row.status_at = ctx.now;
            });
            self.note_task(out, "swarm.enforcer", "reject", task, Detail::None, None);
        }
    }
}
