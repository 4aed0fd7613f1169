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
use crate::base::sorted::{SortedMap, SortedSet};
use crate::des::notice::Detail;
use crate::kube::apiserver::{delete, read, singular};
use crate::kube::kinds::Kind;
use crate::kube::render::{uid, uid_text};
use crate::kube::rows::read::{list, text, truth};
use crate::kube::rows::{PodId, read as fields};
use crate::kube::store::dependents::{Dependent, FOREGROUND, ORPHAN, REFERENCES};
use crate::kube::store::document::{Document, DocumentKey, RowReference};
use crate::kube::store::events::Message;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

use super::GarbageCollector;

const COMPONENT: &str = "garbage-collector-controller";

/// An item with what a pass asks of it.
struct Node {
    item: Dependent,
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

/// What a pass has found out so far.
#[derive(Default)]
struct Pass {
    /// Owners that something names and that have gone since the last pass.
    gone: SortedSet<DocumentKey>,
    /// What was changed: whether it waited for its dependents before.
    changed: SortedMap<DocumentKey, bool>,
}

impl Pass {
    /// Whether something referred to an object when the pass began; of that, whether any waited for
    /// its own dependents.
    fn dependents_wait(&self, uid: &str, turn: &Turn<'_, '_>) -> Option<bool> {
        let taken = turn.store.dependents_taken(uid);
        let all = turn.store.dependents_of(uid).chain(taken);
        all.fold(None, |any, (item, _)| {
            let waited = match item {
                Dependent::Pod(_) => false,
                Dependent::Document(key) => match self.changed.get(key) {
                    Some(waited) => *waited,
                    None => {
                        let document = turn.store.documents().get(key);
                        document.is_some_and(|document| waits(document, turn))
                    }
                },
            };
            Some(any.unwrap_or(false) | waited)
        })
    }
}

impl GarbageCollector {
    /// One look at what has owners and was written, or whose owners were, since the last one, and at
    /// what waits for its dependents.
    pub fn look(&mut self, turn: &mut Turn<'_, '_>) {
        orphan_dependents(turn);
        let mut pass = Pass {
            gone: turn.store.begin_pass(),
            ..Pass::default()
        };
        let mut last = None;
        // What the pass itself changes and is before the one that it is at is the next pass's.
        while let Some(item) = turn.store.next_fresh(last.as_ref(), turn.ctx.symbols) {
            if let Some(node) = node(&item, turn).filter(|node| !node.goes)
                && let Some(owners) = self.classify(&node, &pass, turn)
            {
                self.judge(&node, &owners, &mut pass, turn);
            }
            last = Some(item);
        }
        self.finish_waiting(turn);
        turn.store.end_pass();
    }

    fn judge(&self, node: &Node, owners: &[Owner], pass: &mut Pass, turn: &mut Turn<'_, '_>) {
        if owners.is_empty() || owners.iter().all(|owner| *owner == Owner::Solid) {
            return;
        }
        if let Dependent::Document(key) = &node.item {
            pass.changed.insert(key.clone(), node.waits);
        }
        if node.owned || owners.contains(&Owner::Solid) {
            let mut kept = node.references.clone();
            let mut owners = owners.iter();
            kept.retain(|_| owners.next() == Some(&Owner::Solid));
            write(&node.item, kept, turn);
            return;
        }
        let waiting = owners.contains(&Owner::Waiting);
        let dependents = if waiting {
            pass.dependents_wait(&node.uid, turn)
        } else {
            None
        };
        match (&node.item, dependents) {
            (Dependent::Document(key), Some(dependent_waits)) => {
                // So that a circle of owners does not wait for itself.
                if dependent_waits {
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
            (Dependent::Document(key), _) => self.delete_document(key, turn),
            (Dependent::Pod(pod), _) => self.delete_pods(&[*pod], turn),
        }
    }

    /// What the references of an item come down to; none if one of them cannot be told, because its
    /// kind is not served, because it is namespaced and the item is not, or because the object came
    /// with a dump that does not hold its owner.
    fn classify(
        &mut self,
        node: &Node,
        pass: &Pass,
        turn: &mut Turn<'_, '_>,
    ) -> Option<Vec<Owner>> {
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
            if owner == Owner::Dangling
                && !was_here(kind, &node.namespace, reference, pass, turn)
                && is_elsewhere(kind, &node.namespace, reference, turn)
            {
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
            Dependent::Pod(pod) => {
                if let Some(object) = turn.pod_object(*pod) {
                    turn.warning(object, COMPONENT, "OwnerRefInvalidNamespace", message);
                }
            }
            Dependent::Document(key) => {
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
    fn finish_waiting(&self, turn: &mut Turn<'_, '_>) {
        let rows: Vec<RowReference> = turn
            .store
            .waiting()
            .iter()
            .filter_map(|key| turn.store.documents().get(key))
            .filter(|document| document.deletion.is_some())
            .map(|document| document.row)
            .collect();
        let bare = turn.store.foreground_sets().into_iter();
        let bare = bare.map(RowReference::ReplicaSet);
        for row in rows.into_iter().chain(bare) {
            match row {
                RowReference::Deployment(id) => self.deployment(id, turn),
                RowReference::ReplicaSet(id) => self.replica_set(id, turn),
                _ => {}
            }
        }
        for key in turn.store.waiting() {
            let document = turn.store.documents().get(&key);
            let Some(document) = document.filter(|document| document.has_finalizer(FOREGROUND))
            else {
                continue;
            };
            let uid = own_uid(&key, document, turn);
            // What has just let go of it is seen by the next pass.
            let taken = turn.store.dependents_taken(&uid);
            let mut links = turn.store.dependents_of(&uid).chain(taken);
            let blocked = links.any(|(_, blocks)| blocks);
            drop(links);
            if !blocked {
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
    turn.store.dependents_of(uid).any(|(_, blocks)| blocks)
}

/// The references of everything that has owners, with its namespace.
pub fn owned(turn: &Turn<'_, '_>) -> Vec<(String, Vec<Value>)> {
    let items = turn.store.dependents().into_iter();
    items
        .filter_map(|item| node(&item, turn))
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

/// What a pass asks of an item that has owners.
fn node(item: &Dependent, turn: &Turn<'_, '_>) -> Option<Node> {
    match item {
        Dependent::Document(key) => {
            let document = turn.store.documents().get(key)?;
            let set = match document.row {
                RowReference::ReplicaSet(id) => turn.store.replica_set(id),
                _ => None,
            };
            Some(Node {
                uid: own_uid(key, document, turn),
                namespace: key.namespace.to_string(),
                references: list(&document.value, &REFERENCES).to_vec(),
                owned: set.is_some_and(|set| set.owner.is_some()),
                goes: document.is_going(),
                waits: waits(document, turn),
                item: item.clone(),
            })
        }
        Dependent::Pod(pod) => {
            let row = turn.store.pod(*pod)?;
            let namespace = turn.store.template(row.template).namespace;
            Some(Node {
                uid: pod_uid(*pod, turn),
                namespace: turn.ctx.symbols.text(namespace).to_owned(),
                references: turn.store.pod_details(*pod).owners().to_vec(),
                owned: row.owner.is_some(),
                goes: row.is_terminating(),
                waits: false,
                item: item.clone(),
            })
        }
    }
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

/// Whether an owner of the name that a reference gives has just gone from where its dependent is.
fn was_here(
    kind: &Kind,
    namespace: &str,
    reference: &Value,
    pass: &Pass,
    turn: &Turn<'_, '_>,
) -> bool {
    let key = DocumentKey {
        resource: kind.resource().into(),
        namespace: if kind.namespaced { namespace } else { "" }.into(),
        name: text(reference, &["name"]).into(),
    };
    pass.gone.contains(&key) || turn.store.has_gone(&key)
}

/// Whether the owner that a reference names is in another namespace than its dependent.
fn is_elsewhere(kind: &'static Kind, own: &str, reference: &Value, turn: &Turn<'_, '_>) -> bool {
    kind.namespaced
        && !text(reference, &["uid"]).is_empty()
        && turn.store.documents().of("namespaces").any(|(key, _)| {
            *key.name != *own && find(kind, &key.name, reference, turn) != Owner::Dangling
        })
}

fn write(item: &Dependent, references: Vec<Value>, turn: &mut Turn<'_, '_>) {
    match item {
        Dependent::Pod(pod) => turn.store.set_owners(*pod, references),
        Dependent::Document(key) => {
            turn.store
                .change_document(key, |value| value.set_list(&REFERENCES, references));
            turn.store.owners_changed();
        }
    }
}

/// Takes the references to objects that go and leave their dependents off these.
fn orphan_dependents(turn: &mut Turn<'_, '_>) {
    for key in turn.store.orphaning() {
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
    let items = turn.store.dependents_of(uid);
    let items: Vec<Dependent> = items.map(|(item, _)| item.clone()).collect();
    for node in items
        .iter()
        .filter_map(|item| node(item, turn))
        .collect::<Vec<_>>()
    {
        let mut kept = node.references.clone();
        kept.retain(|reference| text(reference, &["uid"]) != uid);
        if kept.len() < node.references.len() {
            write(&node.item, kept, turn);
        }
    }
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

/// Whether an object goes once its dependents have.
fn waits(document: &Document, turn: &Turn<'_, '_>) -> bool {
    let foreground = match document.row {
        RowReference::Deployment(id) => turn.store.deployment(id).is_some_and(|row| row.foreground),
        RowReference::ReplicaSet(id) => {
            turn.store.replica_set(id).is_some_and(|row| row.foreground)
        }
        _ => false,
    };
    foreground || document.is_going() && document.has_finalizer(FOREGROUND)
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
