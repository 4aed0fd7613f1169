//! Writes to documents that loops follow, and the documents that loops make themselves.

use crate::base::sorted::SortedSet;
use crate::base::symbol::{Symbol, Symbols};
use crate::base::time::SimTime;
use crate::kube::rows::watched::{WatchedKind, WatchedRow};
use crate::kube::rows::{ReplicaSetId, WatchedId};
use crate::manifest::value::Value;

use super::document::{Document, DocumentKey, RowReference};
use super::{Change, Store};

impl Store {
    /// A followed document's row.
    pub fn watched(&self, id: WatchedId) -> Option<&WatchedRow> {
        self.watched.get(id)
    }

    /// All followed documents.
    pub fn all_watched(&self) -> impl Iterator<Item = (WatchedId, &WatchedRow)> {
        self.watched.iter()
    }

    /// A namespace's quotas.
    pub fn quotas_of(&self, namespace: Symbol) -> &[WatchedId] {
        self.quotas.get(&namespace).map_or(&[], Vec::as_slice)
    }

    /// Something without a document came or went that a namespace's quotas count.
    pub(super) fn count(&mut self, namespace: Symbol) {
        let quotas = self.quotas.get(&namespace).into_iter().flatten();
        self.counted.extend(quotas.copied());
    }

    /// Whether something came or went that a quota may count.
    pub fn has_counted(&self) -> bool {
        !self.counted.is_empty() || self.documents.has_counted()
    }

    /// Whether something was written besides what the change log tells.
    pub fn has_news(&self) -> bool {
        self.has_counted() || self.has_services_gone() || self.documents.has_news()
    }

    /// Quotas that have something to count since the last call.
    pub fn take_counted(&mut self, symbols: &Symbols) -> SortedSet<WatchedId> {
        for namespace in self.documents.take_counted() {
            if let Some(namespace) = symbols.get(&namespace) {
                self.count(namespace);
            }
        }
        std::mem::take(&mut self.counted)
    }

    /// The CronJob of that name.
    pub fn cron_job_named(&self, namespace: Symbol, name: Symbol) -> Option<WatchedId> {
        self.watched
            .iter()
            .find(|(_, row)| {
                row.kind == WatchedKind::CronJob && row.name == name && row.namespace == namespace
            })
            .map(|(id, _)| id)
    }

    /// Follows a document.
    pub fn add_watched(&mut self, row: WatchedRow) -> WatchedId {
        let quota_of = (row.kind == WatchedKind::Quota).then_some(row.namespace);
        let id = self.watched.insert(row);
        if let Some(namespace) = quota_of {
            let quotas = self.quotas.entry(namespace).or_default();
            quotas.push(id);
            if quotas.len() == 1 {
                self.begin_tally(namespace);
            }
        }
        self.log.push(Change::Watched(id, true));
        id
    }

    /// Changes what its loop remembers.
    pub fn watched_mut(&mut self, id: WatchedId) -> Option<&mut WatchedRow> {
        self.watched.get_mut(id)
    }

    /// Says that a followed document was written.
    pub fn tell_watched(&mut self, id: WatchedId, spec: bool) {
        self.log.push(Change::Watched(id, spec));
    }

    /// Stops following.
    pub fn remove_watched(&mut self, id: WatchedId) {
        if let Some(row) = self.watched.remove(id) {
            if let Some(quotas) = self.quotas.get_mut(&row.namespace) {
                quotas.retain(|quota| *quota != id);
                if quotas.is_empty() {
                    self.quotas.remove(&row.namespace);
                }
                if row.kind == WatchedKind::Quota {
                    self.end_tally(row.namespace, id);
                }
            }
            self.revision.bump();
            self.log.push(Change::WatchedRemoved(id));
        }
    }

    /// A followed document.
    pub fn watched_document(&self, id: WatchedId) -> Option<&Document> {
        self.documents.get(&self.watched.get(id)?.key)
    }

    /// Writes the status of a document; an equal one is no write. Returns whether it wrote.
    pub fn write_status(&mut self, key: &DocumentKey, status: Value) -> bool {
        let Some(document) = self.documents.get(key) else {
            return false;
        };
        if document.value.get("status") == Some(&status) {
            return false;
        }
        let row = document.row;
        let revision = self.revision.bump();
        if let Some(mut document) = self.documents.get_mut(key) {
            document.value.set("status", status);
            document.revision = revision;
        }
        match row {
            RowReference::ReplicaSet(id) => self.log.push(Change::ReplicaSet(id, false)),
            RowReference::Watched(id) => self.log.push(Change::Watched(id, false)),
            RowReference::None
            | RowReference::Deployment(_)
            | RowReference::Pod(_)
            | RowReference::Service(_)
            | RowReference::Node(_) => {}
        }
        true
    }

    /// Adds a document that a loop made.
    pub fn add_document(&mut self, key: DocumentKey, value: Value, generation: i64, now: SimTime) {
        let revision = self.revision.bump();
        self.documents
            .insert(key, Document::new(value, generation, now, revision));
    }

    /// Says that a namespace was made.
    pub fn namespace_added(&mut self) {
        self.log.push(Change::NamespaceAdded);
    }

    /// Changes a document that a loop made.
    pub fn change_document(&mut self, key: &DocumentKey, change: impl FnOnce(&mut Value)) {
        let revision = self.revision.bump();
        if let Some(mut document) = self.documents.get_mut(key) {
            change(&mut document.value);
            document.revision = revision;
        }
    }

    /// Removes a document, and says so to the garbage collector.
    pub fn remove_document(&mut self, key: &DocumentKey) -> Option<Document> {
        let gone = self.documents.remove(key)?;
        self.revision.bump();
        self.log.push(Change::OwnerRemoved);
        Some(gone)
    }

    /// Says that a controller of pods is to be looked at although nothing of it was written.
    pub fn nudge(&mut self, id: ReplicaSetId) {
        self.log.push(Change::ReplicaSet(id, true));
    }
}
