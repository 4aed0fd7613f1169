//! The garbage collector: what an owner leaves behind goes after it.
//! Source: `pkg/controller/garbagecollector/garbagecollector.go`.

use crate::base::name::Name;
use crate::des::notice::Detail;
use crate::kube::apiserver::delete::forget_deployment;
use crate::kube::rows::{DeploymentId, PodId, ReplicaSetId};
use crate::kube::turn::Turn;

/// The collector. It keeps nothing: ownership is in the rows.
#[derive(Clone, Copy, Debug, Default)]
pub struct GarbageCollector {}

impl GarbageCollector {
    /// ReplicaSets of a Deployment that is gone.
    pub fn orphaned_replica_sets(&self, id: DeploymentId, turn: &mut Turn<'_, '_>) {
        let sets: Vec<ReplicaSetId> = turn
            .store
            .replica_sets()
            .filter(|(_, row)| row.owner == Some(id))
            .map(|(set, _)| set)
            .collect();
        for set in sets {
            let name = turn.store.replica_set(set).expect("listed above").name;
            turn.note(
                "kube.garbage-collector",
                "delete",
                "replicaset",
                Name::plain(name),
                Detail::None,
            );
            turn.store.remove_replica_set(set);
        }
    }

    /// Pods of a ReplicaSet that is gone.
    pub fn orphaned_pods(&self, id: ReplicaSetId, turn: &mut Turn<'_, '_>) {
        let pods = turn.store.take_orphans(id);
        self.delete_pods(&pods, turn);
    }

    /// A Deployment in foreground deletion goes when nothing is left below it.
    pub fn deployment(&self, id: DeploymentId, turn: &mut Turn<'_, '_>) {
        let Some(row) = turn.store.deployment(id).filter(|row| row.deleting) else {
            return;
        };
        let sets = row.replica_sets.clone();
        if sets.is_empty() {
            let (namespace, name) = (
                turn.ctx.symbols.text(row.namespace).to_owned(),
                turn.ctx.symbols.text(row.name).to_owned(),
            );
            forget_deployment(&namespace, &name, turn);
            turn.store.remove_deployment(id);
            return;
        }
        for set in sets {
            if turn.store.replica_set(set).is_some_and(|row| !row.deleting) {
                turn.store
                    .write_replica_set(set, true, |row| row.deleting = true);
            }
        }
    }

    /// A ReplicaSet in foreground deletion likewise.
    pub fn replica_set(&self, id: ReplicaSetId, turn: &mut Turn<'_, '_>) {
        if !turn.store.replica_set(id).is_some_and(|row| row.deleting) {
            return;
        }
        let pods: Vec<PodId> = turn.store.pods_of(id).map(|(pod, _)| pod).collect();
        if pods.is_empty() {
            turn.store.remove_replica_set(id);
            return;
        }
        self.delete_pods(&pods, turn);
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
