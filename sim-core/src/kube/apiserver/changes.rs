//! What a write made of an object, field by field, and who owned each field before it.
//!
//! Told by comparing two versions as the server's field management does, and by the owners that it
//! kept with the first of them; nothing is concluded from a manifest.

use std::sync::Arc;

use crate::kube::kinds::Kind;
use crate::kube::render::View;
use crate::kube::store::managed::{Owner, Subresource};
use crate::manifest::value::Value;
use crate::object::fields::{FieldSet, shown};
use crate::object::typed::compare::compare;

use super::managed::{Schema, has_status, stripped};

/// Fields that are told of one object at most.
const FIELDS_MAX: usize = 100;

/// What became of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nobody had it.
    Added,
    /// The writer itself, or nobody, owned it.
    Changed,
    /// Another manager owned it; it is the writer's now.
    Overwrote,
    /// It is gone.
    Removed,
    /// Another manager owns it; the write left it alone.
    Kept,
}

impl Fate {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Overwrote => "overwrote",
            Self::Removed => "removed",
            Self::Kept => "kept",
        }
    }
}

/// One field of an object that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// As messages of the server have it: `.spec.replicas`.
    pub path: String,
    /// What became of it.
    pub fate: Fate,
    /// Its value before.
    pub before: Option<Value>,
    /// Its value now.
    pub after: Option<Value>,
    /// Managers that owned it before; of what was kept, that own it.
    pub owners: Vec<String>,
}

/// A version of an object with its owners.
#[derive(Clone, Debug)]
pub struct Owned {
    object: Value,
    owners: Vec<Owner>,
}

impl View<'_> {
    /// An object as it is, with its owners.
    pub fn owned(&self, kind: &Kind, namespace: &str, name: &str) -> Option<Owned> {
        let object = self.get(kind, namespace, name)?;
        let owners = self.owners(kind, &object);
        Some(Owned { object, owners })
    }

    /// What the write of `manager` between two versions did.
    pub fn changes(
        &self,
        kind: &Kind,
        before: &Owned,
        after: &Owned,
        manager: &str,
    ) -> Vec<FieldChange> {
        let version = self.store.definitions().of_kind(kind).map(|found| found.1);
        let schema = Schema::of(kind, version);
        let has_status = has_status(kind, version);
        let found = compare(&before.object, &after.object, schema.typed());
        let mut changes = Vec::new();
        let mut list = |set: FieldSet, fate: Fate, known: &[Owner]| {
            stripped(set, has_status).each(&mut Vec::new(), &mut |path| {
                let text: String = path.iter().map(|element| shown(element)).collect();
                if changes.len() >= FIELDS_MAX || text.ends_with("last-applied-configuration") {
                    return;
                }
                let owners = known.iter().filter(|owner| owner.fields.holds(path));
                let owners: Vec<&Owner> = match fate {
                    Fate::Kept => owners.filter(|owner| &*owner.manager != manager).collect(),
                    _ => owners.collect(),
                };
                let is_others =
                    !owners.is_empty() && owners.iter().all(|owner| &*owner.manager != manager);
                changes.push(FieldChange {
                    path: text,
                    fate: match fate {
                        Fate::Changed if is_others => Fate::Overwrote,
                        fate => fate,
                    },
                    before: at(&before.object, path).cloned(),
                    after: at(&after.object, path).cloned(),
                    owners: owners.into_iter().map(named).collect(),
                });
            });
        };
        let written = found.added.union(&found.modified);
        list(found.added, Fate::Added, &before.owners);
        list(found.modified, Fate::Changed, &before.owners);
        list(found.removed, Fate::Removed, &before.owners);
        let others = after
            .owners
            .iter()
            .filter(|owner| &*owner.manager != manager && owner.subresource != Subresource::Status)
            .fold(FieldSet::new(), |set, owner| set.union(&owner.fields));
        list(others.difference(&written), Fate::Kept, &after.owners);
        changes
    }
}

/// A manager, and where it wrote unless that is the object itself.
fn named(owner: &Owner) -> String {
    match owner.subresource {
        Subresource::Main => owner.manager.to_string(),
        part => format!("{} ({})", owner.manager, part.text()),
    }
}

/// The value at a path of fields.
fn at<'v>(value: &'v Value, path: &[Arc<str>]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, element| {
        let (head, rest) = element.split_once(':')?;
        match head {
            "f" => value.get(rest),
            "i" => value.as_list()?.get(rest.parse::<usize>().ok()?),
            "k" => {
                let keys = Value::parse_json(rest).ok()?;
                let keys = keys.as_map()?;
                value.as_list()?.iter().find(|item| {
                    keys.iter()
                        .all(|(key, wanted)| item.get(key) == Some(wanted))
                })
            }
            _ => {
                let wanted = Value::parse_json(rest).ok()?;
                value.as_list()?.iter().find(|item| **item == wanted)
            }
        }
    })
}
