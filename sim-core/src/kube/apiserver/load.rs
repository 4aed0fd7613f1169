//! Objects taken over as they were read from a live cluster: status, uid, times and all.
//!
//! What is taken over is kept as a document and has no row, so that no loop and no kubelet acts on
//! it until it is given one (`thaw`). Writes to it are requests like any other; a pod that is deleted
//! is gone at once, since the kubelet that would finish it is not simulated.

use crate::kube::kinds::{Kind, convert};
use crate::kube::rows::NodeId;
use crate::kube::rows::node::{ConditionStatus, NodeCondition, NodeConditionState};
use crate::kube::rows::read as fields;
use crate::kube::store::document::{Document, DocumentKey, RowReference};
use crate::kube::turn::Turn;
use crate::manifest::value::Value;
use crate::substrate::order::MachineId;

use super::write::parse;
use super::{ApiServer, Refusal, Response, note, read, revive};

/// Fields of `metadata` that a write to an object leaves as they were taken over.
const KEPT: [&str; 4] = [
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

impl ApiServer {
    /// Takes an object over, in place of one of its name that has no row.
    #[inline(never)]
    pub(super) fn load(
        &mut self,
        object: &Value,
        turn: &mut Turn<'_, '_>,
    ) -> Result<Response, Refusal> {
        let mut value = convert::to_stored(object);
        let kind = turn
            .store
            .kind_of_object(
                fields::text(&value, &["apiVersion"]),
                fields::text(&value, &["kind"]),
            )
            .ok_or_else(Refusal::no_such_resource)?;
        let name = fields::text(&value, &["metadata", "name"]).to_owned();
        if name.is_empty() {
            let causes = vec![super::refusal::cause(
                "metadata.name",
                "Required value: name or generateName is required",
            )];
            return Err(Refusal::invalid(kind, "", causes));
        }
        let mut namespace = String::new();
        if kind.namespaced {
            fields::text(&value, &["metadata", "namespace"]).clone_into(&mut namespace);
            if namespace.is_empty() {
                "default".clone_into(&mut namespace);
                value.set_path(&["metadata", "namespace"], "default".into());
            }
            ensure_namespace(&namespace, turn);
        }
        let key = DocumentKey {
            resource: kind.resource().into(),
            namespace: namespace.as_str().into(),
            name: name.as_str().into(),
        };
        parse::define(kind, &key, &mut value, turn)?;
        let simulated = match turn.store.documents().get(&key) {
            Some(document) => document.row != RowReference::None,
            None => read(kind, &namespace, &name, turn).is_some(),
        };
        if simulated {
            return Err(Refusal::already_exists(kind, &name));
        }
        let created = fields::signed_time(fields::text(&value, &["metadata", "creationTimestamp"]))
            .unwrap_or(turn.now());
        let generation = value
            .i64_at(&["metadata", "generation"])
            .unwrap_or_else(|| i64::from(kind.generation));
        value.remove_path(&["metadata", "resourceVersion"]);
        value.remove_path(&["metadata", "generation"]);
        let revision = turn.store.bump();
        let deleted = fields::text(&value, &["metadata", "deletionTimestamp"]);
        let deletion = fields::signed_time(deleted);
        let mut document = Document::new(value, generation, created, revision);
        document.deletion = deletion;
        turn.store.documents_mut().insert(key.clone(), document);
        if deletion.is_some() && kind.kind == "Namespace" {
            turn.store.namespace_terminates();
            self.namespace_written(&name, turn);
        }
        self.knows_nodes |= kind.kind == "Node";
        let owners = fields::list(object, &["metadata", "ownerReferences"]).iter();
        let owners = owners.map(|owner| fields::text(owner, &["uid"]).to_owned());
        self.owners_loaded
            .extend(owners.filter(|uid| !uid.is_empty()));
        note("load", kind, &name, turn);
        let object =
            read(kind, &namespace, &name, turn).ok_or_else(|| Refusal::not_found(kind, &name))?;
        Ok(Response {
            object,
            changed: true,
        })
    }
}

/// A dump of some kinds need not hold the namespaces of its objects.
fn ensure_namespace(name: &str, turn: &mut Turn<'_, '_>) {
    let key = DocumentKey {
        resource: "namespaces".into(),
        namespace: "".into(),
        name: name.into(),
    };
    if turn.store.documents().get(&key).is_some() {
        return;
    }
    let value = parse::namespace_object(name);
    let now = turn.now();
    turn.store.add_document(key, value, 0, now);
}

/// Whether an object is kept without a row: taken over, or of a kind that no loop reads.
pub fn is_bare(key: &DocumentKey, turn: &Turn<'_, '_>) -> bool {
    turn.store
        .documents()
        .get(key)
        .is_some_and(|document| document.row == RowReference::None)
}

/// Puts back what a write to an object must leave alone.
pub fn keep(old: &Value, value: &mut Value) {
    for field in KEPT {
        if let Some(kept) = old.path(&["metadata", field]) {
            let kept = kept.clone();
            value.set_path(&["metadata", field], kept);
        }
    }
}

/// Whether the kind is one whose objects normally are rows.
pub fn is_row_kind(kind: &Kind) -> bool {
    matches!(kind.kind, "Pod" | "Node" | "ReplicaSet")
}

/// The kubelet that comes up takes the node object that waited for it.
pub fn join(machine: MachineId, turn: &mut Turn<'_, '_>) {
    let Some(node) = turn.store.node_of(machine) else {
        return;
    };
    let Some(name) = turn.store.node(node).map(|row| row.name) else {
        return;
    };
    let key = DocumentKey {
        resource: "nodes".into(),
        namespace: "".into(),
        name: turn.ctx.symbols.text(name).into(),
    };
    let Some(document) = turn.store.documents_mut().remove(&key) else {
        return;
    };
    turn.store.set_node_created(node, document.created);
    keep_not_ready(node, &document.value, turn);
    if fields::truth(&document.value, &["spec", "unschedulable"]) {
        turn.store.set_unschedulable_node(node, true);
    }
    let annotations = fields::text_map(document.value.path(&["metadata", "annotations"]));
    let Some(row) = turn.store.node(node) else {
        return;
    };
    let (labels, zone) = (row.labels.clone(), row.zone);
    if !annotations.is_empty() {
        let annotations = annotations.into_iter().collect();
        turn.store.set_node_labels(node, labels, annotations, zone);
    }
}

/// A node that was not ready stays so: its machine has no power, so that no kubelet writes what it finds.
fn keep_not_ready(node: NodeId, value: &Value, turn: &mut Turn<'_, '_>) {
    let found = fields::list(value, &["status", "conditions"]);
    let found = found
        .iter()
        .find(|one| fields::text(one, &["type"]) == "Ready");
    let Some(found) = found else {
        return;
    };
    let status = revive::status(fields::text(found, &["status"]));
    let Some(row) = turn.store.node(node) else {
        return;
    };
    let (mut conditions, heartbeat) = (row.conditions, row.heartbeat);
    if status == ConditionStatus::True {
        return;
    }
    let (reason, message) = match status {
        ConditionStatus::Unknown => ("NodeStatusUnknown", "Kubelet stopped posting node status."),
        _ => ("KubeletNotReady", ""),
    };
    let transition = fields::text(found, &["lastTransitionTime"]);
    conditions[NodeCondition::Ready as usize] = NodeConditionState {
        status,
        reason,
        message,
        transition: revive::time(transition).unwrap_or_else(|| revive::created(value, turn)),
    };
    turn.store.set_node_conditions(node, conditions, heartbeat);
}
