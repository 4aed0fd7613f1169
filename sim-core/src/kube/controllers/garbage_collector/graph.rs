//! Who owns whom among documents, and pods whose owners have no row: what one pass does about it.
//! Source: `pkg/controller/garbagecollector/{garbagecollector,graph_builder}.go`.
//!
//! ```text
//! references of an item ──▶ solid │ dangling │ waiting (its owner goes in the foreground)
//!   any solid                     ──▶ the others are taken off
//!   waiting, and it has dependents ──▶ it goes in the foreground, too
//!   none solid                    ──▶ it goes as its finalizers say
//! ```

use crate::base::name::Name;
use crate::base::sorted::SortedMap;
use crate::des::notice::Detail;
use crate::kube::apiserver::{delete, read, singular};
use crate::kube::kinds::Kind;
use crate::kube::render::{uid, uid_text};
use crate::kube::rows::read::{list, text, truth};
use crate::kube::rows::{PodId, read as fields};
use crate::kube::store::document::{Document, DocumentKey, RowReference};
use crate::kube::store::events::Message;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

use super::GarbageCollector;

/// Finalizer of an object whose dependents are to go first.
/// Source: `staging/src/k8s.io/apimachinery/pkg/apis/meta/v1/types.go` (`FinalizerDeleteDependents`).
pub const FOREGROUND: &str = "foregroundDeletion";

/// Finalizer of an object whose dependents are to stay. Source: as above, `FinalizerOrphanDependents`.
pub const ORPHAN: &str = "orphan";

const REFERENCES: [&str; 2] = ["metadata", "ownerReferences"];

const COMPONENT: &str = "garbage-collector-controller";

/// Something that has owners.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Document(DocumentKey),
    Pod(PodId),
}

/// An item with what a pass asks of it.
struct Node {
    item: Item,
    uid: String,
    namespace: String,
    references: Vec<Value>,
    /// A controller with a row has it.
    owned: bool,
    /// `deletionTimestamp` is set.
    goes: bool,
    /// It waits for its dependents.
    waits: bool,
}

/// What a reference comes down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Solid,
    Dangling,
    Waiting,
}

impl GarbageCollector {
    /// One look at everything that has owners, and at what waits for its dependents.
    pub fn look(&mut self, turn: &mut Turn<'_, '_>) {
        orphan_dependents(turn);
        let nodes = nodes(turn);
        let mut blocked: SortedMap<String, bool> = SortedMap::new();
        let mut waiting_dependents: SortedMap<String, bool> = SortedMap::new();
        for node in &nodes {
            for reference in &node.references {
                let of = text(reference, &["uid"]).to_owned();
                let blocks = truth(reference, &["blockOwnerDeletion"]);
                *blocked.entry(of.clone()).or_default() |= blocks;
                *waiting_dependents.entry(of).or_default() |= node.waits;
            }
        }
        for node in &nodes {
            if node.goes {
                continue;
            }
            let Some(owners) = self.classify(node, turn) else {
                continue;
            };
            self.judge(node, &owners, waiting_dependents.get(&node.uid), turn);
        }
        self.finish_waiting(&blocked, turn);
    }

    fn judge(
        &self,
        node: &Node,
        owners: &[Owner],
        dependents: Option<&bool>,
        turn: &mut Turn<'_, '_>,
    ) {
        if owners.is_empty() || owners.iter().all(|owner| *owner == Owner::Solid) {
            return;
        }
        if node.owned || owners.contains(&Owner::Solid) {
            let mut kept = node.references.clone();
            let mut owners = owners.iter();
            kept.retain(|_| owners.next() == Some(&Owner::Solid));
            write(&node.item, kept, turn);
            return;
        }
        let waiting = owners.contains(&Owner::Waiting);
        match (&node.item, dependents) {
            (Item::Document(key), Some(dependent_waits)) if waiting => {
                // So that a circle of owners does not wait for itself.
                if *dependent_waits {
                    let mut free = node.references.clone();
                    for reference in &mut free {
                        if truth(reference, &["blockOwnerDeletion"]) {
                            reference.set("blockOwnerDeletion", false.into());
                        }
                    }
                    write(&node.item, free, turn);
                }
                tell(key, turn);
                delete::wait_for_dependents(key, turn);
            }
            (Item::Document(key), _) => self.delete_document(key, turn),
            (Item::Pod(pod), _) => self.delete_pods(&[*pod], turn),
        }
    }

    /// What the references of an item come down to; none if one of them cannot be told, because its
    /// kind is not served, because it is namespaced and the item is not, or because the object came
    /// with a dump that does not hold its owner.
    fn classify(&mut self, node: &Node, turn: &mut Turn<'_, '_>) -> Option<Vec<Owner>> {
        let mut owners = Some(Vec::with_capacity(node.references.len()));
        for reference in &node.references {
            if turn.store.is_absent(text(reference, &["uid"])) {
                return None;
            }
            let version = text(reference, &["apiVersion"]);
            let kind = text(reference, &["kind"]);
            let kind = turn.store.kind_of_object(version, kind)?;
            let misplaced = kind.namespaced && node.namespace.is_empty();
            let owner = if misplaced {
                Owner::Dangling
            } else {
                find(kind, &node.namespace, reference, turn)
            };
            if owner == Owner::Dangling && is_elsewhere(kind, &node.namespace, reference, turn) {
                self.tell_of_namespace(node, reference, turn);
            }
            if misplaced {
                owners = None;
            }
            owners.iter_mut().for_each(|owners| owners.push(owner));
        }
        owners
    }

    /// Says once of an item that its owner is in another namespace.
    fn tell_of_namespace(&mut self, node: &Node, reference: &Value, turn: &mut Turn<'_, '_>) {
        let part = |field: &str| text(reference, &[field]);
        if !self.told.insert((node.uid.clone(), part("uid").to_owned())) {
            return;
        }
        let message = format!(
            "ownerRef [{}/{}, namespace: {}, name: {}, uid: {}] does not exist in namespace {:?}",
            part("apiVersion"),
            part("kind"),
            node.namespace,
            part("name"),
            part("uid"),
            node.namespace,
        );
        let message = Message::Text(message.into());
        match &node.item {
            Item::Pod(pod) => {
                if let Some(object) = turn.pod_object(*pod) {
                    turn.warning(object, COMPONENT, "OwnerRefInvalidNamespace", message);
                }
            }
            Item::Document(key) => {
                let Some(own) = turn.store.kind_of_word(&key.resource) else {
                    return;
                };
                let object = (
                    own.kind,
                    turn.ctx.symbols.intern(&key.namespace),
                    Name::plain(turn.ctx.symbols.intern(&key.name)),
                );
                turn.warning(object, COMPONENT, "OwnerRefInvalidNamespace", message);
            }
        }
    }

    /// Lets go what waits for dependents of which none is left that may hold it up.
    fn finish_waiting(&self, blocked: &SortedMap<String, bool>, turn: &mut Turn<'_, '_>) {
        let rows: Vec<RowReference> = turn
            .store
            .documents()
            .iter()
            .filter(|(_, document)| document.deletion.is_some())
            .map(|(_, document)| document.row)
            .collect();
        let bare = turn.store.replica_sets().filter(|(_, row)| row.foreground);
        let bare: Vec<RowReference> = bare.map(|(id, _)| RowReference::ReplicaSet(id)).collect();
        for row in rows.into_iter().chain(bare) {
            match row {
                RowReference::Deployment(id) => self.deployment(id, turn),
                RowReference::ReplicaSet(id) => self.replica_set(id, turn),
                _ => {}
            }
        }
        for key in held_by(FOREGROUND, turn) {
            let Some(document) = turn.store.documents().get(&key) else {
                continue;
            };
            let uid = own_uid(&key, document, turn);
            if blocked.get(&uid) != Some(&true) {
                release(&key, FOREGROUND, turn);
            }
        }
    }
}

/// The uid that a pod is shown with.
fn pod_uid(pod: PodId, turn: &Turn<'_, '_>) -> String {
    let details = turn.store.pod_details(pod);
    let Some(row) = turn.store.pod(pod) else {
        return String::new();
    };
    if let Some(given) = &details.aside.uid {
        return given.to_string();
    }
    let namespace = turn.store.template(row.template).namespace;
    let namespace = turn.ctx.symbols.text(namespace);
    let name = row.name.text(turn.ctx.symbols);
    let created = u64::from(row.created_s);
    uid_text(uid(turn.ctx.seed, "pods", namespace, &name, created))
}

/// Whether something that refers to an object is to go before it.
pub fn is_blocked(key: &DocumentKey, turn: &Turn<'_, '_>) -> bool {
    let kind = turn.store.kind_of_word(&key.resource);
    let Some(object) = kind.and_then(|kind| read(kind, &key.namespace, &key.name, turn)) else {
        return false;
    };
    let uid = text(&object, &["metadata", "uid"]);
    nodes(turn).iter().any(|node| {
        node.references.iter().any(|reference| {
            text(reference, &["uid"]) == uid && truth(reference, &["blockOwnerDeletion"])
        })
    })
}

/// The references of everything that has owners, with its namespace.
pub fn owned(turn: &Turn<'_, '_>) -> Vec<(String, Vec<Value>)> {
    let nodes = nodes(turn).into_iter();
    nodes
        .map(|node| (node.namespace, node.references))
        .collect()
}

/// Whether nothing has the name of an owner of a kind that is served.
pub fn is_missing(reference: &Value, namespace: &str, turn: &Turn<'_, '_>) -> bool {
    let (version, kind) = (text(reference, &["apiVersion"]), text(reference, &["kind"]));
    turn.store
        .kind_of_object(version, kind)
        .is_some_and(|kind| {
            let namespace = if kind.namespaced { namespace } else { "" };
            read(kind, namespace, text(reference, &["name"]), turn).is_none()
        })
}

/// Everything that has owners, documents first.
fn nodes(turn: &Turn<'_, '_>) -> Vec<Node> {
    let mut nodes = Vec::new();
    for (key, document) in turn.store.documents().iter() {
        let references = list(&document.value, &REFERENCES);
        if references.is_empty() {
            continue;
        }
        nodes.push(Node {
            uid: own_uid(key, document, turn),
            namespace: key.namespace.to_string(),
            references: references.to_vec(),
            owned: false,
            goes: is_going(document),
            waits: waits(document, turn),
            item: Item::Document(key.clone()),
        });
    }
    for pod in turn.store.referring_pods() {
        let Some(row) = turn.store.pod(pod) else {
            continue;
        };
        let details = turn.store.pod_details(pod);
        let namespace = turn.store.template(row.template).namespace;
        nodes.push(Node {
            item: Item::Pod(pod),
            uid: pod_uid(pod, turn),
            namespace: turn.ctx.symbols.text(namespace).to_owned(),
            references: details.owners().to_vec(),
            owned: row.owner.is_some(),
            goes: row.is_terminating(),
            waits: false,
        });
    }
    nodes
}

/// The owner that a reference names: by name, and the same object by uid.
fn find(kind: &'static Kind, namespace: &str, reference: &Value, turn: &Turn<'_, '_>) -> Owner {
    let name = text(reference, &["name"]);
    let wanted = text(reference, &["uid"]);
    let key = DocumentKey {
        resource: kind.resource().into(),
        namespace: if kind.namespaced { namespace } else { "" }.into(),
        name: name.into(),
    };
    let (uid, waits) = match turn.store.documents().get(&key) {
        Some(document) => (own_uid(&key, document, turn), waits(document, turn)),
        None => match read(kind, &key.namespace, name, turn) {
            Some(object) => (
                text(&object, &["metadata", "uid"]).to_owned(),
                waits_as_row(kind, namespace, name, turn),
            ),
            None => return Owner::Dangling,
        },
    };
    match () {
        // An object that was taken over may name its owner by name alone.
        () if !wanted.is_empty() && uid != wanted => Owner::Dangling,
        () if waits => Owner::Waiting,
        () => Owner::Solid,
    }
}

/// Whether the owner that a reference names is in another namespace than its dependent.
fn is_elsewhere(kind: &'static Kind, own: &str, reference: &Value, turn: &Turn<'_, '_>) -> bool {
    kind.namespaced
        && !text(reference, &["uid"]).is_empty()
        && turn.store.documents().of("namespaces").any(|(key, _)| {
            *key.name != *own && find(kind, &key.name, reference, turn) != Owner::Dangling
        })
}

fn write(item: &Item, references: Vec<Value>, turn: &mut Turn<'_, '_>) {
    match item {
        Item::Pod(pod) => turn.store.set_owners(*pod, references),
        Item::Document(key) => {
            turn.store
                .change_document(key, |value| value.set_list(&REFERENCES, references));
            turn.store.owners_changed();
        }
    }
}

/// Takes the references to objects that go and leave their dependents off these.
fn orphan_dependents(turn: &mut Turn<'_, '_>) {
    for key in held_by(ORPHAN, turn) {
        let Some(document) = turn.store.documents().get(&key) else {
            continue;
        };
        let uid = own_uid(&key, document, turn);
        orphan(&uid, turn);
        release(&key, ORPHAN, turn);
    }
}

/// Takes the references to an owner that goes without its dependents off all of these.
/// Source: `pkg/controller/garbagecollector/garbagecollector.go` (`orphanDependents`).
pub fn orphan(uid: &str, turn: &mut Turn<'_, '_>) {
    for node in nodes(turn) {
        let mut kept = node.references.clone();
        kept.retain(|reference| text(reference, &["uid"]) != uid);
        if kept.len() < node.references.len() {
            write(&node.item, kept, turn);
        }
    }
}

/// Objects that are being deleted and have a finalizer of the collector's.
fn held_by(finalizer: &str, turn: &Turn<'_, '_>) -> Vec<DocumentKey> {
    turn.store
        .documents()
        .iter()
        .filter(|(_, document)| is_going(document) && has(document, finalizer))
        .map(|(key, _)| key.clone())
        .collect()
}

/// Says that an object goes.
pub fn tell(key: &DocumentKey, turn: &mut Turn<'_, '_>) {
    let kind = turn.store.kind_of_word(&key.resource);
    let kind = kind.map_or("object", singular);
    let name = Name::plain(turn.ctx.symbols.intern(&key.name));
    turn.note("kube.garbage-collector", "delete", kind, name, Detail::None);
}

/// Takes a finalizer of the collector's off; the object goes if it was the last.
fn release(key: &DocumentKey, finalizer: &str, turn: &mut Turn<'_, '_>) {
    turn.store.change_document(key, |value| {
        value.take_off(&["metadata", "finalizers"], finalizer);
    });
    let held = turn
        .store
        .documents()
        .get(key)
        .is_none_or(|document| delete::is_held(&document.value));
    if !held {
        tell(key, turn);
        delete::remove_row(key, turn);
        turn.store.remove_document(key);
    }
}

fn has(document: &Document, finalizer: &str) -> bool {
    list(&document.value, &["metadata", "finalizers"])
        .iter()
        .any(|one| one.as_str() == Some(finalizer))
}

fn is_going(document: &Document) -> bool {
    document.deletion.is_some()
        || document
            .value
            .path(&["metadata", "deletionTimestamp"])
            .is_some()
}

/// Whether an object goes once its dependents have.
fn waits(document: &Document, turn: &Turn<'_, '_>) -> bool {
    let foreground = match document.row {
        RowReference::Deployment(id) => turn.store.deployment(id).is_some_and(|row| row.foreground),
        RowReference::ReplicaSet(id) => {
            turn.store.replica_set(id).is_some_and(|row| row.foreground)
        }
        _ => false,
    };
    foreground || is_going(document) && has(document, FOREGROUND)
}

/// The same of a ReplicaSet that a Deployment has made, which has no document.
fn waits_as_row(kind: &Kind, namespace: &str, name: &str, turn: &Turn<'_, '_>) -> bool {
    let symbols = &turn.ctx.symbols;
    let (Some(namespace), Some(name)) = (symbols.get(namespace), symbols.get(name)) else {
        return false;
    };
    kind.kind == "ReplicaSet"
        && turn
            .store
            .replica_set_named(namespace, name)
            .and_then(|id| turn.store.replica_set(id))
            .is_some_and(|row| row.foreground)
}

/// The uid that an object is shown with.
pub fn own_uid(key: &DocumentKey, document: &Document, turn: &Turn<'_, '_>) -> String {
    match fields::text(&document.value, &["metadata", "uid"]) {
        "" => {
            let kind = turn.store.kind_of_word(&key.resource);
            let plural = kind.map_or("", |kind| kind.plural);
            let created = document.created.as_micros();
            uid_text(uid(
                turn.ctx.seed,
                plural,
                &key.namespace,
                &key.name,
                created,
            ))
        }
        given => given.to_owned(),
    }
}
