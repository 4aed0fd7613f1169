//! Whom references of objects that were taken over mean: uids of owners before and after the load,
//! and owners that the load does not hold.
//!
//! ```text
//! owner in the load              ──▶ its uid as it is shown now
//! node of that name              ──▶ that node's uid
//! neither, and nothing else of its name, in a load of a part ──▶ it cannot be told
//! ```

use crate::base::sorted::{SortedMap, SortedSet};
use crate::kube::apiserver::{read, write};
use crate::kube::controllers::garbage_collector::graph;
use crate::kube::rows::read as fields;
use crate::kube::store::document::DocumentKey;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

/// How much of a cluster a load holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Some kinds or names of it, as a dump does.
    Part,
    /// All that there is: somebody looks at what single loops do about it.
    Whole,
}

/// Uids that objects were taken over with, and those that they have with a row.
#[derive(Debug, Default)]
pub struct Uids {
    by_key: SortedMap<DocumentKey, (String, Value)>,
    fresh: SortedMap<String, Value>,
    /// Those of all objects, old and new.
    known: SortedSet<String>,
}

impl Uids {
    /// Notes what documents are there.
    pub fn know(&mut self, turn: &Turn<'_, '_>) {
        let documents = turn.store.documents().iter();
        let uids =
            documents.map(|(_, document)| fields::text(&document.value, &["metadata", "uid"]));
        self.known
            .extend(uids.filter(|uid| !uid.is_empty()).map(str::to_owned));
    }

    /// Notes the old uid of an object that has a row now, and the one that it is shown with.
    pub fn note(&mut self, key: &DocumentKey, old: String, turn: &Turn<'_, '_>) {
        if old.is_empty() {
            return;
        }
        let Some(kind) = turn.store.kind_of_word(&key.resource) else {
            return;
        };
        let Some(object) = read(kind, &key.namespace, &key.name, turn) else {
            return;
        };
        let fresh = object.path(&["metadata", "uid"]).cloned();
        let fresh = fresh.unwrap_or_default();
        self.known.extend(fresh.as_str().map(str::to_owned));
        self.fresh.insert(old.clone(), fresh.clone());
        self.by_key.insert(key.clone(), (old, fresh));
    }

    /// An object's references, with the uids that owners have now.
    pub fn references(&self, value: &Value, turn: &Turn<'_, '_>) -> Vec<Value> {
        let mut list = fields::list(value, &["metadata", "ownerReferences"]).to_vec();
        for reference in &mut list {
            let fresh = self.fresh.get(fields::text(reference, &["uid"]));
            if let Some(fresh) = fresh.cloned().or_else(|| self.of_node(reference, turn)) {
                reference.set("uid", fresh);
            }
        }
        list
    }

    /// The uid of a node that a machine has taken over, or that was not in the dump.
    fn of_node(&self, reference: &Value, turn: &Turn<'_, '_>) -> Option<Value> {
        let name = fields::text(reference, &["name"]);
        if fields::text(reference, &["kind"]) != "Node"
            || fields::text(reference, &["apiVersion"]) != "v1"
        {
            return None;
        }
        let key = DocumentKey {
            resource: "nodes".into(),
            namespace: "".into(),
            name: name.into(),
        };
        if self.by_key.contains_key(&key) {
            return None;
        }
        let kind = turn.store.kind_of_word("nodes")?;
        read(kind, "", name, turn)?
            .path(&["metadata", "uid"])
            .cloned()
    }

    /// Whether an object of that name was taken over that is not the one that the controller's
    /// reference means.
    pub fn is_another(&self, owner: &DocumentKey, dependent: &Value) -> bool {
        let references = fields::list(dependent, &["metadata", "ownerReferences"]);
        let wanted = references
            .iter()
            .find(|reference| fields::truth(reference, &["controller"]))
            .map_or("", |reference| fields::text(reference, &["uid"]));
        !wanted.is_empty()
            && self
                .by_key
                .get(owner)
                .is_some_and(|(old, fresh)| old != wanted && fresh.as_str() != Some(wanted))
    }

    /// Gives references of all documents the uids that owners have now, and tells the collector of
    /// them.
    pub fn rewrite(&self, turn: &mut Turn<'_, '_>) {
        // Pods get theirs with their rows.
        let owned: Vec<(DocumentKey, Vec<Value>)> = turn
            .store
            .documents()
            .iter()
            .filter(|(key, _)| &*key.resource != "pods")
            .map(|(key, document)| (key.clone(), self.references(&document.value, turn)))
            .filter(|(_, references)| !references.is_empty())
            .collect();
        for (key, references) in owned {
            let Some(mut document) = turn.store.documents_mut().get_mut(&key) else {
                continue;
            };
            let path = ["metadata", "ownerReferences"];
            document.value.set_path(&path, Value::list(references));
            let value = document.value.clone();
            drop(document);
            turn.store.references_written(&value);
        }
        // Those of an earlier load, whose owners may have come with this one.
        for pod in turn.store.referring_pods() {
            let mut value = Value::map();
            let owners = turn.store.pod_details(pod).owners().to_vec();
            value.set_path(&["metadata", "ownerReferences"], Value::list(owners));
            let fresh = self.references(&value, turn);
            let Some(row) = turn.store.pod(pod) else {
                continue;
            };
            if fresh == turn.store.pod_details(pod).owners() || row.owner.is_some() {
                continue;
            }
            let namespace = turn.store.template(row.template).namespace;
            let namespace = turn.ctx.symbols.text(namespace).to_owned();
            value.set_path(&["metadata", "ownerReferences"], Value::list(fresh));
            write::pod::update_owners(pod, &value, &namespace, turn);
        }
    }

    /// Tells the collector which of the owners that were `named` cannot be told to be gone.
    pub fn settle(&self, extent: Extent, named: &SortedSet<String>, turn: &mut Turn<'_, '_>) {
        let mut absent = SortedSet::new();
        let mut left = Vec::new();
        for (namespace, references) in graph::owned(turn) {
            for reference in references {
                let uid = fields::text(&reference, &["uid"]);
                let may_be_there = extent == Extent::Part
                    && named.contains(uid)
                    && !self.known.contains(uid)
                    && graph::is_missing(&reference, &namespace, turn);
                if may_be_there {
                    absent.insert(uid.to_owned());
                }
                left.push(reference);
            }
        }
        turn.store.references_loaded(absent, &self.known, &left);
    }
}
