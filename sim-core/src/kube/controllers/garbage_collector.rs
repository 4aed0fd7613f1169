//! The garbage collector: what an owner leaves behind goes after it.
//! Source: `pkg/controller/garbagecollector/garbagecollector.go`.

pub mod graph;

use crate::base::name::Name;
use crate::base::sorted::SortedSet;
use crate::des::notice::Detail;
use crate::kube::apiserver::delete::{hold, is_held, remove_row};
use crate::kube::controllers::deployment::claim::remove;
use crate::kube::rows::{DeploymentId, PodId, ReplicaSetId};
use crate::kube::store::document::DocumentKey;
use crate::kube::turn::Turn;

/// The collector. Ownership is in the rows and in the documents.
#[derive(Clone, Debug, Default)]
pub struct GarbageCollector {
    /// What was told to have an owner in another namespace: uids of both.
    told: SortedSet<(String, String)>,
}

impl GarbageCollector {
    /// ReplicaSets of a Deployment that is gone.
    #[inline(never)]
    pub fn orphaned_replica_sets(&self, id: DeploymentId, turn: &mut Turn<'_, '_>) {
        for set in turn.store.take_orphan_sets(id) {
            let row = turn.store.replica_set(set);
            let Some(row) = row.filter(|row| row.owner == Some(id)) else {
                continue;
            };
            let name = row.name;
            turn.note(
                "kube.garbage-collector",
                "delete",
                "replicaset",
                Name::plain(name),
                Detail::None,
            );
            remove(set, turn);
        }
    }

    /// Pods of a ReplicaSet that is gone.
    #[inline(never)]
    pub fn orphaned_pods(&self, id: ReplicaSetId, turn: &mut Turn<'_, '_>) {
        let pods = turn.store.take_orphans(id);
        self.delete_pods(&pods, turn);
    }

    /// A Deployment in foreground deletion goes when nothing is left below it.
    pub fn deployment(&self, id: DeploymentId, turn: &mut Turn<'_, '_>) {
        let Some(row) = turn.store.deployment(id).filter(|row| row.foreground) else {
            return;
        };
        let sets = row.replica_sets.clone();
        if sets.is_empty() {
            let key = DocumentKey {
                resource: "deployments.apps".into(),
                namespace: turn.ctx.symbols.text(row.namespace).into(),
                name: turn.ctx.symbols.text(row.name).into(),
            };
            if is_kept(&key, turn) {
                return;
            }
            turn.store.remove_document(&key);
            turn.store.remove_deployment(id);
            return;
        }
        for set in sets {
            if turn
                .store
                .replica_set(set)
                .is_some_and(|row| !row.foreground)
            {
                let now = turn.now();
                turn.store.write_replica_set(set, true, |row| {
                    row.deleting = true;
                    row.deleted.get_or_insert(now);
                    row.foreground = true;
                });
                // What else names it as owner goes before it.
                turn.store.owners_changed();
            }
        }
    }

    /// A ReplicaSet in foreground deletion likewise.
    pub fn replica_set(&self, id: ReplicaSetId, turn: &mut Turn<'_, '_>) {
        if !turn.store.replica_set(id).is_some_and(|row| row.foreground) {
            return;
        }
        let pods: Vec<PodId> = turn.store.pods_of(id).map(|(pod, _)| pod).collect();
        if pods.is_empty() {
            let key = turn
                .store
                .replica_set(id)
                .map(|row| super::stateful_set::key(row, turn));
            if let Some(key) = key {
                if is_kept(&key, turn) {
                    return;
                }
                turn.store.remove_document(&key);
            }
            turn.store.remove_replica_set(id);
            return;
        }
        self.delete_pods(&pods, turn);
    }

    fn delete_document(&self, key: &DocumentKey, turn: &mut Turn<'_, '_>) {
        let Some(document) = turn.store.documents().get(key) else {
            return;
        };
        let is_held = is_held(&document.value);
        graph::tell(key, turn);
        if is_held {
            hold(key, turn);
            // Its own finalizers are the next pass's.
            turn.store.owners_changed();
            return;
        }
        remove_row(key, turn);
        turn.store.remove_document(key);
    }

    fn delete_pods(&self, pods: &[PodId], turn: &mut Turn<'_, '_>) {
        let now = turn.now();
        for pod in pods {
            let Some(row) = turn.store.pod(*pod).filter(|row| !row.is_terminating()) else {
                continue;
            };
            turn.note(
                "kube.garbage-collector",
                "delete",
                "pod",
                row.name,
                Detail::None,
            );
            turn.store.mark_terminating(*pod, None, now);
        }
    }
}

/// Whether an object that goes in the foreground has finalizers or dependents still.
fn is_kept(key: &DocumentKey, turn: &Turn<'_, '_>) -> bool {
    let document = turn.store.documents().get(key);
    document.is_some_and(|document| is_held(&document.value)) || graph::is_blocked(key, turn)
}
