//! ControllerRevisions: the versions of a StatefulSet's or DaemonSet's template.
//! Sources: `pkg/controller/history/controller_history.go`, `pkg/controller/statefulset/stateful_set_control.go`.

use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::symbol::Symbol;
use crate::kube::apiserver::workload::keep_template;
use crate::kube::render::{uid, uid_text};
use crate::kube::rows::ReplicaSetId;
use crate::kube::rows::read;
use crate::kube::rows::stateful_set::Revision;
use crate::kube::rows::workload::OwnerKind;
use crate::kube::store::document::DocumentKey;
use crate::kube::template::TemplateId;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

use super::deployment::template_hash;

const RESOURCE: &str = "controllerrevisions.apps";

/// Revisions that are there already for a controller: of a loaded cluster, or left behind by another.
/// Those that match its selector and that nobody controls are taken over.
/// Source: `pkg/controller/history/controller_history.go` (`ListControllerRevisions`,
/// `AdoptControllerRevision`).
pub fn load(id: ReplicaSetId, turn: &mut Turn<'_, '_>) -> Vec<Revision> {
    let Some(row) = turn.store.replica_set(id) else {
        return Vec::new();
    };
    let (kind, namespace, name) = (
        row.kind.text(),
        turn.ctx.symbols.text(row.namespace).to_owned(),
        turn.ctx.symbols.text(row.name).to_owned(),
    );
    let selector = row.selector.clone();
    let deleting = row.deleting;
    let mut found: Vec<(String, i64, Value)> = Vec::new();
    let mut orphans: Vec<DocumentKey> = Vec::new();
    for (key, document) in turn.store.documents().of(RESOURCE) {
        let owners = read::list(&document.value, &["metadata", "ownerReferences"]);
        let mut owned = owners.iter().any(|owner| {
            read::text(owner, &["kind"]) == kind && read::text(owner, &["name"]) == name
        });
        if !owned
            && !deleting
            && *key.namespace == *namespace
            && document.deletion.is_none()
            && !owners
                .iter()
                .any(|owner| read::truth(owner, &["controller"]))
            && selector.matches(&labels(&document.value))
        {
            owned = true;
            orphans.push(key.clone());
        }
        if let (true, true, Some(template)) = (
            *key.namespace == *namespace,
            owned,
            document.value.path(&["data", "spec", "template"]),
        ) {
            let mut template = template.clone();
            template.remove("$patch");
            found.push((
                key.name.to_string(),
                read::number(&document.value, &["revision"]),
                template,
            ));
        }
    }
    for key in orphans {
        if let Some(owner) = owner_reference(id, turn) {
            let path = ["metadata", "ownerReferences"];
            turn.store.change_document(&key, |value| {
                let mut owners = read::list(value, &path).to_vec();
                owners.push(owner);
                value.set_list(&path, owners);
            });
        }
    }
    found.arrange_by(|one, two| (one.1, &one.0).cmp(&(two.1, &two.0)));
    found
        .into_iter()
        .filter_map(|(name, number, document)| {
            Some(Revision {
                name: turn.ctx.symbols.intern(&name),
                number,
                template: keep_template(&document, &namespace, turn)?,
            })
        })
        .collect()
}

/// Labels of an object, sorted by key.
fn labels(object: &Value) -> Vec<(Arc<str>, Arc<str>)> {
    let map = object.path(&["metadata", "labels"]).and_then(Value::as_map);
    let pairs = map.unwrap_or_default().iter();
    pairs
        .filter_map(|(key, value)| Some((Arc::from(&**key), Arc::from(value.as_str()?))))
        .collect()
}

/// The revision of the present template: the one there is, brought to the end, or a fresh one. A name that
/// another revision has counts as a collision.
/// Source: `pkg/controller/history/controller_history.go` (`CreateControllerRevision`).
pub fn update(
    id: ReplicaSetId,
    revisions: &mut Vec<Revision>,
    collisions: &mut i64,
    turn: &mut Turn<'_, '_>,
) -> Option<Symbol> {
    let row = turn.store.replica_set(id)?;
    let template = row.template;
    let next = revisions.last().map_or(1, |last| last.number + 1);
    if let Some(position) = revisions
        .iter()
        .position(|revision| revision.template == template)
    {
        let mut revision = revisions.remove(position);
        if position < revisions.len() {
            revision.number = next;
            let key = key(id, revision.name, turn)?;
            turn.store
                .change_document(&key, |value| value.set("revision", next.into()));
        }
        revisions.push(revision.clone());
        return Some(revision.name);
    }
    let name = loop {
        let hash = template_hash(template, *collisions, turn);
        let row = turn.store.replica_set(id)?;
        let name = format!("{}-{hash}", turn.ctx.symbols.text(row.name));
        let name = turn.ctx.symbols.intern(&name);
        match turn.store.documents().get(&key(id, name, turn)?) {
            None => break name,
            // One that its labels hide from the selector, or that is another's.
            Some(there) if there.value.path(&["data"]) == Some(&data(template, turn)) => {
                revisions.push(Revision {
                    name,
                    number: read::number(&there.value, &["revision"]),
                    template,
                });
                return Some(name);
            }
            Some(_) => *collisions += 1,
        }
    };
    write(id, name, next, template, turn)?;
    revisions.push(Revision {
        name,
        number: next,
        template,
    });
    Some(name)
}

fn key(id: ReplicaSetId, name: Symbol, turn: &Turn<'_, '_>) -> Option<DocumentKey> {
    let row = turn.store.replica_set(id)?;
    Some(DocumentKey {
        resource: RESOURCE.into(),
        namespace: turn.ctx.symbols.text(row.namespace).into(),
        name: turn.ctx.symbols.text(name).into(),
    })
}

fn write(
    id: ReplicaSetId,
    name: Symbol,
    number: i64,
    template: TemplateId,
    turn: &mut Turn<'_, '_>,
) -> Option<()> {
    let key = key(id, name, turn)?;
    let row = turn.store.replica_set(id)?;
    let owner = owner_reference(id, turn)?;
    let hash = hash_of(row.name, name, turn).to_owned();
    let document = turn.store.template(template).document.clone();
    let mut labels = document
        .path(&["metadata", "labels"])
        .cloned()
        .unwrap_or_else(Value::map);
    let label = match row.kind {
        crate::kube::rows::workload::OwnerKind::DaemonSet => "controller-revision-hash",
        _ => "controller.kubernetes.io/hash",
    };
    labels.set(label, hash.into());
    // Upstream's snapshots carry their owner's annotations, the cause of the change among them.
    let owner_key = DocumentKey {
        resource: row.kind.resource().into(),
        namespace: key.namespace.clone(),
        name: turn.ctx.symbols.text(row.name).into(),
    };
    let annotations = turn.store.documents().get(&owner_key);
    let annotations = annotations
        .and_then(|document| document.value.path(&["metadata", "annotations"]))
        .cloned();
    let mut value = Value::map();
    value.set("apiVersion", "apps/v1".into());
    value.set("kind", "ControllerRevision".into());
    value.set(
        "metadata",
        Value::object([
            ("labels", labels),
            ("name", Value::from(&*key.name)),
            ("namespace", Value::from(&*key.namespace)),
            ("ownerReferences", Value::list(vec![owner])),
        ]),
    );
    if let Some(annotations) = annotations {
        value.set_path(&["metadata", "annotations"], annotations);
    }
    value.set("data", data(template, turn));
    value.set("revision", number.into());
    let now = turn.now();
    turn.store.add_document(key, value, 0, now);
    Some(())
}

/// `data` of a template's revision.
fn data(template: TemplateId, turn: &Turn<'_, '_>) -> Value {
    let mut kept = Value::clone(&turn.store.template(template).document);
    kept.set("$patch", "replace".into());
    let mut data = Value::map();
    data.set_path(&["spec", "template"], kept);
    data
}

/// What follows the controller's name in a revision's.
pub fn hash_of<'a>(owner: Symbol, revision: Symbol, turn: &'a Turn<'_, '_>) -> &'a str {
    let text = turn.ctx.symbols.text(revision);
    text.strip_prefix(turn.ctx.symbols.text(owner))
        .and_then(|rest| rest.strip_prefix('-'))
        .unwrap_or(text)
}

/// Reference to a controller of pods, as its dependents carry it.
pub fn owner_reference(id: ReplicaSetId, turn: &Turn<'_, '_>) -> Option<Value> {
    let row = turn.store.replica_set(id)?;
    let (namespace, name) = (
        turn.ctx.symbols.text(row.namespace),
        turn.ctx.symbols.text(row.name),
    );
    let uid = uid(
        turn.ctx.seed,
        row.kind.plural(),
        namespace,
        name,
        row.created.as_micros(),
    );
    Some(Value::object([
        ("apiVersion", Value::from(row.kind.api_version())),
        ("blockOwnerDeletion", true.into()),
        ("controller", true.into()),
        ("kind", row.kind.text().into()),
        ("name", name.into()),
        ("uid", uid_text(uid).into()),
    ]))
}

/// Deletes the oldest revisions beyond the limit that nothing lives on.
pub fn trim(
    id: ReplicaSetId,
    revisions: &mut Vec<Revision>,
    live: &[Symbol],
    limit: i64,
    turn: &mut Turn<'_, '_>,
) {
    let idle: Vec<Symbol> = revisions
        .iter()
        .map(|revision| revision.name)
        .filter(|name| !live.contains(name))
        .collect();
    let row = turn.store.replica_set(id);
    // A DaemonSet counts all but the newest, a StatefulSet those that nothing lives on.
    // Sources: `pkg/controller/daemon/update.go` (`cleanupHistory`),
    // `pkg/controller/statefulset/stateful_set_control.go` (`truncateHistory`).
    let counted = match row.map(|row| row.kind) {
        Some(OwnerKind::DaemonSet) => revisions.len().saturating_sub(1),
        _ if limit < 0 => 0,
        _ => idle.len(),
    };
    let excess = counted.saturating_sub(usize::try_from(limit.max(0)).unwrap_or(usize::MAX));
    for name in idle.into_iter().take(excess) {
        revisions.retain(|revision| revision.name != name);
        if let Some(key) = key(id, name, turn) {
            turn.store.remove_document(&key);
        }
    }
}
