//! Which ReplicaSets are a Deployment's: it takes those that match and that nobody controls, and lets
//! go of its own that match no longer.
//! Source: `pkg/controller/controller_ref_manager.go` (`ReplicaSetControllerRefManager`).

use std::sync::Arc;

use crate::base::name::Name;
use crate::des::notice::Detail;
use crate::kube::apiserver::delete::{hold, is_held};
use crate::kube::apiserver::workload::source;
use crate::kube::rows::workload::{DeploymentRow, OwnerKind, ReplicaSetRow};
use crate::kube::rows::{DeploymentId, ReplicaSetId, read};
use crate::kube::store::document::DocumentKey;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

use super::DeploymentController;

impl DeploymentController {
    /// Sees a ReplicaSet that was written. Deployments that match one that nobody controls look at it.
    pub fn observe(&mut self, id: ReplicaSetId, turn: &mut Turn<'_, '_>) -> Vec<DeploymentId> {
        let is_orphan = |row: &&ReplicaSetRow| {
            row.owner.is_none() && row.kind == OwnerKind::ReplicaSet && !row.deleting
        };
        let Some(row) = turn.store.replica_set(id).filter(is_orphan) else {
            self.forget(id);
            return Vec::new();
        };
        // A controller that has come up knows of none.
        if !self.orphans.insert(id) && !row.stray {
            return Vec::new();
        }
        let found: Vec<DeploymentId> = turn
            .store
            .deployments()
            .filter(|(_, deployment)| matches(deployment, id, row, turn))
            .map(|(deployment, _)| deployment)
            .collect();
        if let Some(row) = turn.store.replica_set_mut(id) {
            row.stray = false;
        }
        if found.is_empty() {
            self.wanted.remove(&id);
        } else {
            self.wanted.insert(id);
        }
        found
    }

    fn forget(&mut self, id: ReplicaSetId) {
        self.orphans.remove(&id);
        self.wanted.remove(&id);
    }

    /// Brings the list of a Deployment's ReplicaSets up to date. Whether one was let go or taken.
    pub(super) fn claim(
        &mut self,
        id: DeploymentId,
        row: &DeploymentRow,
        turn: &mut Turn<'_, '_>,
    ) -> bool {
        let mut changed = false;
        if row.deleting {
            return changed;
        }
        for set in &row.replica_sets {
            let Some(known) = turn.store.replica_set(*set).filter(|set| set.stray) else {
                continue;
            };
            if matches(row, *set, known, turn) {
                if let Some(known) = turn.store.replica_set_mut(*set) {
                    known.stray = false;
                }
                continue;
            }
            self.limiter.take(turn.now());
            note("release", *set, turn);
            release(*set, turn);
            changed = true;
        }
        // A Deployment that was seen before is told of those that it matches.
        let orphans = if row.observed == row.generation {
            &self.wanted
        } else {
            &self.orphans
        };
        let orphans: Vec<ReplicaSetId> = orphans.iter().copied().collect();
        for set in orphans {
            let takes = turn.store.replica_set(set).is_some_and(|known| {
                known.owner.is_none() && !known.deleting && matches(row, set, known, turn)
            });
            if takes {
                self.limiter.take(turn.now());
                note("adopt", set, turn);
                adopt(id, set, turn);
                changed = true;
            }
            let is_orphan = |row: &ReplicaSetRow| row.owner.is_none();
            if !turn.store.replica_set(set).is_some_and(is_orphan) {
                self.forget(set);
            }
        }
        changed
    }
}

/// The document of a ReplicaSet that somebody wrote.
fn key(row: &ReplicaSetRow, turn: &Turn<'_, '_>) -> DocumentKey {
    DocumentKey {
        resource: "replicasets.apps".into(),
        namespace: turn.ctx.symbols.text(row.namespace).into(),
        name: turn.ctx.symbols.text(row.name).into(),
    }
}

fn matches(
    deployment: &DeploymentRow,
    set: ReplicaSetId,
    row: &ReplicaSetRow,
    turn: &Turn<'_, '_>,
) -> bool {
    if deployment.namespace != row.namespace {
        return false;
    }
    let document = turn.store.documents().get(&key(row, turn));
    let owners = document.map_or(&[][..], |document| {
        read::list(&document.value, &["metadata", "ownerReferences"])
    });
    // Another controller's; its Deployment's own reference is not kept in the document.
    if row.owner.is_none()
        && owners
            .iter()
            .any(|owner| read::truth(owner, &["controller"]))
    {
        return false;
    }
    let own = match document {
        Some(document) => document.value.path(&["metadata", "labels"]),
        None => turn.store.kept(set, "labels"),
    };
    match own {
        None if document.is_none() => {
            let template = turn.store.template(row.template);
            deployment.selector.matches(&template.labels)
        }
        own => {
            let labels: Vec<(Arc<str>, Arc<str>)> = read::text_map(own).into_iter().collect();
            deployment.selector.matches(&labels)
        }
    }
}

fn adopt(id: DeploymentId, set: ReplicaSetId, turn: &mut Turn<'_, '_>) {
    let Some(row) = turn.store.replica_set(set) else {
        return;
    };
    let from = source(row.template, turn);
    turn.store.write_replica_set(set, false, |set| {
        set.owner = Some(id);
        set.source = from;
    });
    if let Some(row) = turn.store.deployment_mut(id) {
        row.replica_sets.push(set);
    }
}

/// Takes a ReplicaSet away from its Deployment, with the annotations that it has.
pub fn release(set: ReplicaSetId, turn: &mut Turn<'_, '_>) {
    let Some(row) = turn.store.replica_set(set) else {
        return;
    };
    let owner = row
        .owner
        .and_then(|owner| Some((owner, turn.store.deployment(owner)?)));
    let Some((owner, deployment)) = owner else {
        return;
    };
    if row.source == Some(deployment.template) {
        let own = DocumentKey {
            resource: "deployments.apps".into(),
            namespace: turn.ctx.symbols.text(deployment.namespace).into(),
            name: turn.ctx.symbols.text(deployment.name).into(),
        };
        keep_annotations(set, &own, turn);
    }
    if let Some(row) = turn.store.deployment_mut(owner) {
        row.replica_sets.retain(|other| *other != set);
    }
    turn.store.write_replica_set(set, false, |row| {
        row.owner = None;
        row.stray = true;
    });
}

/// Keeps what a ReplicaSet that is no longer its Deployment's newest has of its annotations.
pub fn keep_annotations(set: ReplicaSetId, deployment: &DocumentKey, turn: &mut Turn<'_, '_>) {
    let Some(row) = turn.store.replica_set(set) else {
        return;
    };
    let path = ["metadata", "annotations"];
    let written = key(row, turn);
    let document = turn.store.documents().get(&written);
    let kept = match document {
        Some(document) => document.value.path(&path),
        None => turn.store.kept(set, "annotations"),
    };
    let is_written = document.is_some();
    let mut kept = kept.cloned().unwrap_or_else(Value::map);
    let own = turn.store.documents().get(deployment);
    let own = own.and_then(|own| own.value.path(&["metadata", "annotations"]));
    let own = own.and_then(Value::as_map).into_iter();
    for (key, value) in own.flat_map(|map| map.iter()) {
        if &**key != "kubectl.kubernetes.io/last-applied-configuration" {
            kept.set(key, value.clone());
        }
    }
    if !is_written {
        turn.store.keep(set, "annotations", kept);
    } else if let Some(mut document) = turn.store.documents_mut().get_mut(&written) {
        document.value.set_path(&path, kept);
    }
}

fn note(word: &'static str, set: ReplicaSetId, turn: &mut Turn<'_, '_>) {
    if let Some(row) = turn.store.replica_set(set) {
        let name = Name::plain(row.name);
        turn.note("kube.deployment", word, "replicaset", name, Detail::None);
    }
}

/// Removes a ReplicaSet, and its document, if it has one; finalizers keep it.
pub fn remove(set: ReplicaSetId, turn: &mut Turn<'_, '_>) {
    if let Some(row) = turn.store.replica_set(set) {
        let key = key(row, turn);
        let document = turn.store.documents().get(&key);
        if document.is_some_and(|document| is_held(&document.value)) {
            hold(&key, turn);
            return;
        }
        turn.store.remove_document(&key);
    }
    turn.store.remove_replica_set(set);
}
