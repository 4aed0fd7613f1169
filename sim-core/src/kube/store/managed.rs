//! Who owns which field, of objects that requests have written.
//!
//! Kept beside the objects, because some are rows that nobody writes as a document. What controllers
//! make is not here: its owner is told from what made it when somebody asks.

use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::sorted::SortedMap;
use crate::base::time::SimTime;
use crate::object::fields::FieldSet;

use super::document::DocumentKey;

/// Endpoint that a manager wrote through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subresource {
    /// The object itself.
    Main,
    /// Its scale.
    Scale,
    /// Its status.
    Status,
    /// A pod's resources.
    Resize,
    /// A pod's ephemeral containers.
    Ephemeral,
}

impl Subresource {
    /// As `managedFields` has it; empty for the object itself.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Main => "",
            Self::Scale => "scale",
            Self::Status => "status",
            Self::Resize => "resize",
            Self::Ephemeral => "ephemeralcontainers",
        }
    }

    /// Reads it.
    pub fn parse(text: &str) -> Self {
        match text {
            "scale" => Self::Scale,
            "status" => Self::Status,
            "resize" => Self::Resize,
            "ephemeralcontainers" => Self::Ephemeral,
            _ => Self::Main,
        }
    }
}

/// One manager's fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its name.
    pub manager: Arc<str>,
    /// Whether it applies; else it updates.
    pub applies: bool,
    /// Where it wrote.
    pub subresource: Subresource,
    /// `apiVersion` of its fields.
    pub api_version: Arc<str>,
    /// When it wrote last.
    pub time: SimTime,
    /// Its fields.
    pub fields: FieldSet,
}

impl Owner {
    /// Whether two entries are one manager's. Those who apply keep their version's fields in one.
    pub fn is(&self, other: &Self) -> bool {
        self.manager == other.manager
            && self.applies == other.applies
            && self.subresource == other.subresource
            && (self.applies || self.api_version == other.api_version)
    }

    /// Order in `managedFields`. Source: `…/managedfields/internal/managedfields.go`.
    fn place(&self) -> (bool, SimTime, &str, &str, &str) {
        (
            !self.applies,
            self.time,
            &self.manager,
            &self.api_version,
            self.subresource.text(),
        )
    }
}

/// Sorts owners as `managedFields` lists them.
pub fn sort(owners: &mut [Owner]) {
    owners.arrange_by(|one, two| one.place().cmp(&two.place()));
}

/// Owners of one object, and the uid that tells it from a later one of its name.
#[derive(Clone, Debug)]
struct Entry {
    uid: Arc<str>,
    owners: Arc<Vec<Owner>>,
}

/// All owners.
#[derive(Clone, Debug, Default)]
pub struct ManagedFields {
    by_key: Arc<SortedMap<DocumentKey, Entry>>,
}

impl ManagedFields {
    /// Owners of an object; nothing if no request has written it.
    pub fn get(&self, key: &DocumentKey, uid: &str) -> Option<&Arc<Vec<Owner>>> {
        let entry = self.by_key.get(key)?;
        (*entry.uid == *uid).then_some(&entry.owners)
    }

    /// Sets an object's owners.
    pub fn set(&mut self, key: DocumentKey, uid: &str, owners: Vec<Owner>) {
        let entry = Entry {
            uid: uid.into(),
            owners: Arc::new(owners),
        };
        Arc::make_mut(&mut self.by_key).insert(key, entry);
    }

    /// Forgets an object.
    pub fn remove(&mut self, key: &DocumentKey) {
        if self.by_key.contains_key(key) {
            Arc::make_mut(&mut self.by_key).remove(key);
        }
    }
}
