//! The garbage collector: what an owner leaves behind goes after it.
//! Source: `pkg/controller/garbagecollector/garbagecollector.go`.

use crate::base::name::Name;
use crate::des::notice::Detail;
use crate::kube::apiserver::delete::{forget_deployment, hold, is_held};
use crate::kube::controllers::deployment::claim::remove;
use crate::kube::rows::{DeploymentId, PodId, ReplicaSetId, read};
use crate::kube::store::document::{DocumentKey, RowReference};
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

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
            remove(set, turn);
        }
    }

    /// Pods of a ReplicaSet that is gone.
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
            let (namespace, name) = (
                turn.ctx.symbols.text(row.namespace).to_owned(),
                turn.ctx.symbols.text(row.name).to_owned(),
            );
            forget_deployment(&namespace, &name, turn);
            turn.store.remove_deployment(id);
            return;
        }
        for set in sets {
            if turn
                .store
                .replica_set(set)
                .is_some_and(|row| !row.foreground)
            {
                turn.store.write_replica_set(set, true, |row| {
                    row.deleting = true;
                    row.foreground = true;
                });
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
            if let Some(row) = turn.store.replica_set(id) {
                let key = super::stateful_set::key(row, turn);
                turn.store.remove_document(&key);
            }
            turn.store.remove_replica_set(id);
            return;
        }
        self.delete_pods(&pods, turn);
    }

    /// Documents of which every owner is gone go too; references to owners that are gone are
    /// dropped from those that have others.
    pub fn documents(&self, turn: &mut Turn<'_, '_>) {
        let owned: Vec<(DocumentKey, Vec<bool>)> = turn
            .store
            .documents()
            .iter()
            .filter_map(|(key, document)| {
                let owners = read::list(&document.value, &["metadata", "ownerReferences"]);
                let solid: Vec<bool> = owners
                    .iter()
                    .map(|owner| exists(owner, &key.namespace, turn))
                    .collect();
                solid.contains(&false).then(|| (key.clone(), solid))
            })
            .collect();
        for (key, solid) in owned {
            if solid.contains(&true) {
                turn.store.change_document(&key, |value| {
                    let list = value
                        .path_mut(&["metadata", "ownerReferences"])
                        .and_then(Value::as_list_mut);
                    if let Some(list) = list {
                        let mut solid = solid.iter();
                        list.retain(|_| solid.next().copied().unwrap_or(true));
                    }
                });
                continue;
            }
            self.delete_document(&key, turn);
        }
    }

    fn delete_document(&self, key: &DocumentKey, turn: &mut Turn<'_, '_>) {
        let Some(document) = turn.store.documents().get(key) else {
            return;
        };
        let kind = turn.store.kind_of_word(&key.resource);
        let kind = kind.map_or("object", |kind| kind.plural);
        if is_held(&document.value) {
            hold(key, turn);
            return;
        }
        let row = document.row;
        let name = Name::plain(turn.ctx.symbols.intern(&key.name));
        turn.note("kube.garbage-collector", "delete", kind, name, Detail::None);
        match row {
            RowReference::ReplicaSet(id) => turn.store.remove_replica_set(id),
            RowReference::Watched(id) => turn.store.remove_watched(id),
            RowReference::Deployment(id) => turn.store.remove_deployment(id),
            RowReference::Service(id) => turn.store.remove_service(id),
            RowReference::None | RowReference::Pod(_) | RowReference::Node(_) => {}
        }
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

/// Whether the owner that a reference names is there. Kinds that are not known are taken to be.
fn exists(owner: &Value, namespace: &str, turn: &Turn<'_, '_>) -> bool {
    let (kind, name) = (read::text(owner, &["kind"]), read::text(owner, &["name"]));
    let symbols = &turn.ctx.symbols;
    match kind {
        "Pod" => turn.store.pod_named(namespace, name, symbols).is_some(),
        "Node" => symbols
            .get(name)
            .is_some_and(|name| turn.store.node_named(name).is_some()),
        "ReplicaSet" => {
            symbols
                .get(namespace)
                .zip(symbols.get(name))
                .is_some_and(|(namespace, name)| {
                    turn.store.replica_set_named(namespace, name).is_some()
                })
        }
        _ => {
            let version = read::text(owner, &["apiVersion"]);
            let Some(found) = turn.store.kind_of_object(version, kind) else {
                return true;
            };
            let key = DocumentKey {
                resource: found.resource().into(),
                namespace: if found.namespaced { namespace } else { "" }.into(),
                name: name.into(),
            };
            turn.store.documents().get(&key).is_some()
        }
    }
}
