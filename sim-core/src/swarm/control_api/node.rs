//! What a client may ask about nodes. Source: swarmkit `manager/controlapi/node.go`.

use crate::substrate::{Context, PlaneOutbox};
use crate::swarm::state::{Availability, Message, NodeState, Role, TaskState};
use crate::swarm::store::TaskError;
use crate::swarm::{Event, SwarmPlane};

use super::{Code, NodeChange, Refusal, Response, in_sequence};

impl SwarmPlane {
    #[inline(never)]
    pub(super) fn change_node(
        &mut self,
        text: &str,
        version: Option<u64>,
        change: &NodeChange,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) -> Result<Response, Refusal> {
        let Some(id) = self.find_node(text) else {
            return Err(Refusal::new(
                Code::NotFound,
                format!("node {text} not found"),
            ));
        };
        let node = self.store.node(id).expect("the node was just found");
        if self.is_member(id) && change.role == Some(Role::Worker) {
            let nodes = self.store.nodes();
            let managers = nodes.filter(|(id, _)| self.is_member(*id)).count();
            if managers == 1 {
                return Err(Refusal::new(
                    Code::FailedPrecondition,
                    "attempting to demote the last manager of the swarm",
                ));
            }
            if !self.can_remove_member(id) {
                return Err(Refusal::new(
                    Code::FailedPrecondition,
                    "can't remove member from the raft: this would result in a loss of quorum",
                ));
            }
        }
        if let Some(version) = version {
            in_sequence(node.version, version)?;
        }
        let (identity, was) = (node.identity, node.role);
        self.store.update_node(id, ctx.now, |node| {
            if let Some(availability) = change.availability {
                node.availability = availability;
            }
            if let Some(role) = change.role {
                node.role = role;
            }
            for label in &change.labels_remove {
                node.labels.remove(label);
            }
            node.labels.extend(change.labels_add.iter().cloned());
        });
        let verb = change.availability.map_or("update", Availability::word);
        self.note_node(out, "swarm.control-api", verb, id, None);
        if let Some(role) = change.role {
            let session = self.sessions.get(&id);
            let hears = session.is_some_and(|session| session.up && session.connected);
            if was != role {
                self.cluster.role_changes(id, role, hears);
            }
            self.raft_check(ctx, out);
        }
        Ok(Response::Id(identity.text()))
    }

    #[inline(never)]
    pub(super) fn delete_node(
        &mut self,
        text: &str,
        force: bool,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) -> Result<Response, Refusal> {
        let Some(id) = self.find_node(text) else {
            return Err(Refusal::new(
                Code::NotFound,
                format!("node {text} not found"),
            ));
        };
        let node = self.store.node(id).expect("the node was just found");
        let identity = node.identity.text();
        if self.is_member(id) {
            return Err(Refusal::new(
                Code::FailedPrecondition,
                format!(
                    "node {identity} is a cluster manager and is a member of the raft cluster. \
                     It must be demoted to worker before removal"
                ),
            ));
        }
        if !force && node.state == NodeState::Ready {
            return Err(Refusal::new(
                Code::FailedPrecondition,
                format!("node {identity} is not down and can't be removed"),
            ));
        }
        self.note_node(out, "swarm.control-api", "remove", id, None);
        for task in self.tasks_on(id) {
            if self.store.tasks[task].state < TaskState::Complete {
                self.store.update_task(task, |row| {
                    row.state = TaskState::Orphaned;
                    row.message = Message::NodeDeleted;
                    row.error = TaskError::None;
                    row.status_at = ctx.now;
                });
            }
        }
        self.agent_removed(id, out);
        self.store.remove_node(id);
        Ok(Response::Done)
    }
}
