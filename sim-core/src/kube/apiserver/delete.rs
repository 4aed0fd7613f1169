//! Delete: grace, propagation, namespaces.

use crate::base::time::SimDuration;
use crate::kube::controllers::deployment::claim::release;
use crate::kube::controllers::garbage_collector::graph;
use crate::kube::controllers::service_cidr;
use crate::kube::kinds::Kind;
use crate::kube::rows::read as fields;
use crate::kube::rows::{DeploymentId, PodId, ReplicaSetId};
use crate::kube::store::dependents::{FOREGROUND, ORPHAN};
use crate::kube::store::document::{DocumentKey, RowReference};
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

use super::write::lease;
use super::{ApiServer, BUILT_IN_NAMESPACES, Propagation, Refusal, Response, known, note, read};

impl ApiServer {
    /// DELETE.
    #[inline(never)]
    pub(super) fn delete(
        &mut self,
        kind: &str,
        namespace: &str,
        name: &str,
        propagation: Option<Propagation>,
        grace_seconds: Option<i64>,
        turn: &mut Turn<'_, '_>,
    ) -> Result<Response, Refusal> {
        let kind = known(kind, turn)?;
        let namespace = if kind.namespaced { namespace } else { "" };
        let Some(object) = read(kind, namespace, name, turn) else {
            return Err(lease::missing(kind, namespace, name, turn));
        };
        let attempt = super::admission::policy::Attempt {
            user: super::admission::policy::ADMINISTRATOR,
            who: self.who.as_deref(),
            operation: "DELETE",
            kind,
            namespace,
            name,
            object: None,
            old: Some(&object),
        };
        super::admission::policy::check(&attempt, turn)?;
        let key = DocumentKey {
            resource: kind.resource().into(),
            namespace: namespace.into(),
            name: name.into(),
        };
        let propagation = policy(kind, propagation, &object);
        let is_row = super::load::is_row_kind(kind) && !super::load::is_bare(&key, turn);
        if propagation == Propagation::Orphan && is_row {
            graph::orphan(fields::text(&object, &["metadata", "uid"]), turn);
        }
        if kind.kind == "Event" {
            super::event::forget(&key, turn);
        }
        match kind.kind {
            _ if super::load::is_row_kind(kind) && !is_row => {
                self.delete_document(&key, propagation, turn);
            }
            "Pod" => delete_pod(&key, grace_seconds, turn),
            "Node" => {
                if let Some(node) = turn
                    .ctx
                    .symbols
                    .get(name)
                    .and_then(|name| turn.store.node_named(name))
                {
                    turn.store.remove_node(node);
                }
            }
            // One that a Deployment has made has no document.
            "ReplicaSet" if turn.store.documents().get(&key).is_none() => {
                let id = turn
                    .ctx
                    .symbols
                    .get(namespace)
                    .zip(turn.ctx.symbols.get(name))
                    .and_then(|(namespace, name)| turn.store.replica_set_named(namespace, name));
                if let Some(id) = id {
                    delete_replica_set(id, propagation, turn);
                }
            }
            "Namespace" => self.delete_namespace(kind, name, turn)?,
            "CustomResourceDefinition" => self.delete_definition(&key, turn),
            _ => self.delete_document(&key, propagation, turn),
        }
        match kind.kind {
            "APIService" => super::api_services::sync(turn),
            "IPAddress" => service_cidr::repair(&key, turn),
            _ => {}
        }
        note("delete", kind, name, turn);
        Ok(Response {
            object,
            changed: true,
        })
    }

    /// Removes a pod that was taken over; no kubelet has to finish it.
    pub(super) fn delete_bare(&mut self, key: &DocumentKey, turn: &mut Turn<'_, '_>) {
        self.delete_document(key, Propagation::Background, turn);
    }

    pub(super) fn delete_document(
        &mut self,
        key: &DocumentKey,
        propagation: Propagation,
        turn: &mut Turn<'_, '_>,
    ) {
        let Some(document) = turn.store.documents().get(key) else {
            return;
        };
        let row = document.row;
        // Controllers of pods have rows that say how they go.
        let has_row = matches!(
            row,
            RowReference::Deployment(_) | RowReference::ReplicaSet(_)
        );
        let wanted = match propagation {
            _ if has_row => None,
            Propagation::Foreground => Some(FOREGROUND),
            Propagation::Orphan => Some(ORPHAN),
            Propagation::Background => None,
        };
        set_finalizer(key, wanted, turn);
        if wanted.is_some() {
            hold(key, turn);
            turn.store.owners_changed();
            return;
        }
        let Some(document) = turn.store.documents().get(key) else {
            return;
        };
        let (is_held, uid) = (
            is_held(&document.value),
            graph::own_uid(key, document, turn),
        );
        if propagation == Propagation::Orphan {
            graph::orphan(&uid, turn);
            orphan(row, turn);
        }
        // Its dependents go all the same, and then its finalizers are waited for.
        if is_held && !(has_row && propagation == Propagation::Foreground) {
            hold(key, turn);
            return;
        }
        if propagation == Propagation::Foreground
            && let RowReference::Deployment(id) = row
            && (is_held
                || turn
                    .store
                    .deployment(id)
                    .is_some_and(|row| !row.replica_sets.is_empty())
                || graph::is_blocked(key, turn))
        {
            foreground_deployment(id, key, turn);
            return;
        }
        match row {
            RowReference::Deployment(id) => turn.store.remove_deployment(id),
            RowReference::ReplicaSet(id) => {
                if propagation == Propagation::Foreground {
                    let now = turn.now();
                    if let Some(mut document) = turn.store.documents_mut().get_mut(key) {
                        document.deletion.get_or_insert(now);
                    }
                    delete_replica_set(id, propagation, turn);
                    return;
                }
                delete_replica_set(id, propagation, turn);
            }
            RowReference::Watched(id) => turn.store.remove_watched(id),
            RowReference::Service(id) => turn.store.remove_service(id),
            RowReference::None | RowReference::Pod(_) | RowReference::Node(_) => {
                let document = turn.store.documents().get(key);
                if &*key.resource == "services"
                    && let Some(held) =
                        document.and_then(|document| super::service::held(&document.value))
                {
                    self.allocations.release(&held);
                }
                turn.store.bump();
            }
        }
        turn.store.remove_document(key);
    }

    /// Removes an object whose last finalizer is off.
    pub(super) fn finish_document(&mut self, key: &DocumentKey, turn: &mut Turn<'_, '_>) {
        self.delete_document(key, Propagation::Background, turn);
        let definition = DocumentKey {
            resource: "customresourcedefinitions.apiextensions.k8s.io".into(),
            namespace: "".into(),
            name: key.resource.clone(),
        };
        let waiting = turn.store.documents().get(&definition);
        if waiting.is_some_and(|document| document.deletion.is_some()) {
            self.delete_definition(&definition, turn);
        }
    }

    /// A definition takes its objects with it, and goes when the last is gone.
    fn delete_definition(&mut self, key: &DocumentKey, turn: &mut Turn<'_, '_>) {
        let objects: Vec<DocumentKey> = turn
            .store
            .documents()
            .of(&key.name)
            .map(|(key, _)| key.clone())
            .collect();
        for object in objects {
            self.delete_document(&object, Propagation::Background, turn);
        }
        if turn.store.documents().of(&key.name).next().is_some() {
            let now = turn.now();
            if let Some(mut document) = turn.store.documents_mut().get_mut(key) {
                document.deletion.get_or_insert(now);
            }
            return;
        }
        turn.store.definitions_mut().remove(&key.name);
        turn.store.remove_document(key);
        super::api_services::sync(turn);
    }

    fn delete_namespace(
        &mut self,
        kind: &Kind,
        name: &str,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), Refusal> {
        if BUILT_IN_NAMESPACES.contains(&name) && name != "kube-node-lease" {
            return Err(Refusal::forbidden(
                kind,
                name,
                "this namespace may not be deleted",
            ));
        }
        let now = turn.now();
        let key = DocumentKey {
            resource: "namespaces".into(),
            namespace: "".into(),
            name: name.into(),
        };
        let Some(mut document) = turn.store.documents_mut().get_mut(&key) else {
            return Ok(());
        };
        if document.deletion.is_some() {
            return Ok(());
        }
        document.deletion = Some(now);
        drop(document);
        turn.store.namespace_terminates();
        self.namespace_written(name, turn);
        Ok(())
    }
}

fn delete_pod(key: &DocumentKey, grace_seconds: Option<i64>, turn: &mut Turn<'_, '_>) {
    let found = turn
        .store
        .pod_named(&key.namespace, &key.name, turn.ctx.symbols);
    let Some(pod) = found else {
        return;
    };
    // A negative grace means one second.
    let grace =
        grace_seconds.map(|seconds| SimDuration::from_secs(u64::try_from(seconds).unwrap_or(1)));
    let now = turn.now();
    turn.store.mark_terminating(pod, grace, now);
}

fn foreground_deployment(id: DeploymentId, key: &DocumentKey, turn: &mut Turn<'_, '_>) {
    let now = turn.now();
    if let Some(mut document) = turn.store.documents_mut().get_mut(key) {
        document.deletion.get_or_insert(now);
    }
    turn.store.write_deployment(id, true, |row| {
        row.deleting = true;
        row.foreground = true;
    });
    turn.store.owners_changed();
}

fn delete_replica_set(id: ReplicaSetId, propagation: Propagation, turn: &mut Turn<'_, '_>) {
    match propagation {
        Propagation::Background => turn.store.remove_replica_set(id),
        Propagation::Foreground => {
            let now = turn.now();
            turn.store.write_replica_set(id, true, |row| {
                row.deleting = true;
                row.deleted.get_or_insert(now);
                row.foreground = true;
            });
            turn.store.owners_changed();
        }
        Propagation::Orphan => {
            let pods: Vec<PodId> = turn.store.pods_of(id).map(|(pod, _)| pod).collect();
            for pod in pods {
                turn.store.orphan(pod);
            }
            turn.store.remove_replica_set(id);
        }
    }
}

/// Removes the row of a document that goes.
pub fn remove_row(key: &DocumentKey, turn: &mut Turn<'_, '_>) {
    match turn.store.documents().get(key).map(|document| document.row) {
        Some(RowReference::ReplicaSet(id)) => turn.store.remove_replica_set(id),
        Some(RowReference::Watched(id)) => turn.store.remove_watched(id),
        Some(RowReference::Deployment(id)) => turn.store.remove_deployment(id),
        Some(RowReference::Service(id)) => turn.store.remove_service(id),
        None | Some(RowReference::None | RowReference::Pod(_) | RowReference::Node(_)) => {}
    }
}

/// Lets an object go once its dependents have.
pub fn wait_for_dependents(key: &DocumentKey, turn: &mut Turn<'_, '_>) {
    match turn.store.documents().get(key).map(|document| document.row) {
        Some(RowReference::Deployment(id)) => foreground_deployment(id, key, turn),
        Some(RowReference::ReplicaSet(id)) => {
            let now = turn.now();
            if let Some(mut document) = turn.store.documents_mut().get_mut(key) {
                document.deletion.get_or_insert(now);
            }
            delete_replica_set(id, Propagation::Foreground, turn);
        }
        _ => {
            set_finalizer(key, Some(FOREGROUND), turn);
            hold(key, turn);
            turn.store.owners_changed();
        }
    }
}

/// Leaves of the collector's own finalizers the one that a deletion asks for.
/// Source: apiserver `pkg/registry/generic/registry/store.go`
/// (`deletionFinalizersForGarbageCollection`).
fn set_finalizer(key: &DocumentKey, wanted: Option<&str>, turn: &mut Turn<'_, '_>) {
    let path = ["metadata", "finalizers"];
    let Some(document) = turn.store.documents().get(key) else {
        return;
    };
    let before = fields::list(&document.value, &path);
    let mut after = before.to_vec();
    after.retain(|one| !matches!(one.as_str(), Some(FOREGROUND | ORPHAN)));
    after.extend(wanted.map(Value::from));
    if before == after {
        return;
    }
    turn.store
        .change_document(key, |value| value.set_list(&path, after));
}

/// How an object goes: as the request says, else as its finalizers say, else as is usual for its kind.
/// Source: as above, `shouldOrphanDependents` and `shouldDeleteDependents`.
fn policy(kind: &Kind, asked: Option<Propagation>, object: &Value) -> Propagation {
    let of_finalizers = || {
        fields::list(object, &["metadata", "finalizers"])
            .iter()
            .find_map(|one| match one.as_str() {
                Some(FOREGROUND) => Some(Propagation::Foreground),
                Some(ORPHAN) => Some(Propagation::Orphan),
                _ => None,
            })
    };
    // Source: `pkg/registry/{batch/job,core/replicationcontroller}/strategy.go`.
    let default = match kind.kind {
        "Job" | "ReplicationController" => Propagation::Orphan,
        _ => Propagation::Background,
    };
    asked.or_else(of_finalizers).unwrap_or(default)
}

/// Whether finalizers keep an object; a namespace has some in its spec, too.
pub fn is_held(value: &Value) -> bool {
    let lists = |path: &[&str]| !fields::list(value, path).is_empty();
    lists(&["metadata", "finalizers"])
        || lists(&["spec", "finalizers"]) && fields::text(value, &["kind"]) == "Namespace"
}

/// Marks an object that finalizers keep as being deleted.
pub fn hold(key: &DocumentKey, turn: &mut Turn<'_, '_>) {
    let now = turn.now();
    let Some(mut document) = turn.store.documents_mut().get_mut(key) else {
        return;
    };
    if document.deletion.is_some() {
        return;
    }
    document.deletion = Some(now);
    if document.generation > 0 {
        document.generation += 1;
    }
    let row = document.row;
    drop(document);
    let revision = turn.store.bump();
    if let Some(mut document) = turn.store.documents_mut().get_mut(key) {
        document.revision = revision;
    }
    // Its controller leaves its dependents alone from now on.
    match row {
        RowReference::Deployment(id) => turn
            .store
            .write_deployment(id, true, |row| row.deleting = true),
        RowReference::ReplicaSet(id) => turn.store.write_replica_set(id, true, |row| {
            row.deleting = true;
            row.deleted.get_or_insert(now);
        }),
        _ => {}
    }
}

/// Leaves the rows that a row owns which is about to go without an owner.
fn orphan(row: RowReference, turn: &mut Turn<'_, '_>) {
    match row {
        RowReference::Deployment(id) => release_replica_sets(id, turn),
        RowReference::ReplicaSet(id) => {
            let pods: Vec<PodId> = turn.store.pods_of(id).map(|(pod, _)| pod).collect();
            for pod in pods {
                turn.store.orphan(pod);
            }
        }
        _ => {}
    }
}

fn release_replica_sets(id: DeploymentId, turn: &mut Turn<'_, '_>) {
    let sets = turn
        .store
        .deployment(id)
        .map_or_else(Vec::new, |row| row.replica_sets.clone());
    for set in sets {
        release(set, turn);
    }
}
