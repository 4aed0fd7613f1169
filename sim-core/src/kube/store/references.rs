//! Who refers to owners that are not rows of pods: what the garbage collector has to look at.
//!
//! Documents carry their references themselves. Pods do so only where a request or a load gave them
//! some; pods of a controller with a row are not here, and a cluster without such pods pays nothing.

use std::sync::Arc;

use crate::base::sorted::SortedSet;
use crate::kube::rows::{PodId, read};
use crate::manifest::value::Value;

use super::dependents::{Dependent, RowOwner};
use super::{Change, Store};

/// Kinds of owners that are rows without a document, whose going nobody else tells of.
const ROWS: [&str; 3] = ["Pod", "Node", "ReplicaSet"];

/// What refers to owners.
#[derive(Clone, Debug, Default)]
pub struct References {
    /// Whether anything named an owner of [`ROWS`] since the last load.
    to_rows: bool,
    /// Uids of owners that objects of a dump name and that the dump does not hold.
    absent: Arc<SortedSet<String>>,
}

impl References {
    pub(super) fn see(&mut self, owners: &[Value]) {
        self.to_rows |= owners
            .iter()
            .any(|owner| ROWS.contains(&read::text(owner, &["kind"])));
    }
}

impl Store {
    /// Pods with references of their own, by id.
    pub fn referring_pods(&self) -> Vec<PodId> {
        let items = self.dependents().into_iter();
        let pods = items.filter_map(|item| match item {
            Dependent::Pod(pod) => Some(pod),
            Dependent::Document(_) => None,
        });
        pods.collect()
    }

    /// Whether the going of a pod, a node or a ReplicaSet may leave something without an owner.
    pub const fn rows_own(&self) -> bool {
        self.references.to_rows
    }

    /// Whether an owner is known only by its name in a dump of some kinds: it may well be there in
    /// the cluster that the dump is of.
    pub fn is_absent(&self, uid: &str) -> bool {
        self.references.absent.contains(uid)
    }

    /// Takes up what a load leaves: owners that are not in the dump, and those that are `known` now.
    /// `left` are the references that there are.
    pub fn references_loaded(
        &mut self,
        absent: SortedSet<String>,
        known: &SortedSet<String>,
        left: &[Value],
    ) {
        let kept = Arc::make_mut(&mut self.references.absent);
        kept.extend(absent);
        kept.retain(|uid| !known.contains(uid));
        self.references.to_rows = false;
        let told = left
            .iter()
            .filter(|one| !self.is_absent(read::text(one, &["uid"])));
        let told: Vec<Value> = told.cloned().collect();
        self.references.see(&told);
        self.look_at_all_dependents();
        self.log.push(Change::OwnerRemoved);
    }

    /// Says that a document with references was written.
    pub fn references_written(&mut self, value: &Value) {
        self.references
            .see(read::list(value, &["metadata", "ownerReferences"]));
        self.owners_changed();
    }

    /// Says that an object waits for its dependents, or that references were taken off.
    pub fn owners_changed(&mut self) {
        self.log.push(Change::OwnerRemoved);
    }

    /// Says that a row without a document is gone, which something may name as its owner.
    pub(super) fn row_gone(&mut self, owner: RowOwner) {
        if self.references.to_rows {
            self.documents.dependents_mut().row(owner);
        }
    }
}
