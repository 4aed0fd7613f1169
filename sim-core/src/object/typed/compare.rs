//! What differs between two values, as sets of fields.

use std::sync::Arc;

use crate::base::sorted::SortedSet;
use crate::manifest::value::Value;
use crate::object::fields::{FieldSet, named};

use super::{Atom, Typed, is_empty};

/// What differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Fields that only the second has.
    pub added: FieldSet,
    /// Fields that both have, with different values.
    pub modified: FieldSet,
    /// Fields that only the first has.
    pub removed: FieldSet,
}

/// Compares two values of one schema.
pub fn compare(one: &Value, two: &Value, typed: Typed<'_>) -> Comparison {
    let mut walk = Walk::default();
    walk.node(Some(one), Some(two), typed);
    walk.found
}

#[derive(Default)]
struct Walk {
    path: Vec<Arc<str>>,
    found: Comparison,
}

impl Walk {
    fn node(&mut self, one: Option<&Value>, two: Option<&Value>, typed: Typed<'_>) {
        let form = two.filter(|two| !two.is_null()).or(one);
        let Some(form) = form else { return };
        let atom = typed.atom(form);
        let both_empty = is_empty(one) && is_empty(two);
        let is_leaf = match (&atom, form) {
            (Atom::Leaf, _) => true,
            (Atom::Map, Value::Map(_)) | (Atom::Set | Atom::List(_), Value::List(_)) => both_empty,
            _ => true,
        };
        if is_leaf {
            self.leaf(one, two);
            return;
        }
        if let (Atom::Map, _) = (&atom, form) {
            let (left, right) = (one.and_then(Value::as_map), two.and_then(Value::as_map));
            let names: SortedSet<&Arc<str>> = left
                .into_iter()
                .chain(right)
                .flat_map(|map| map.iter().map(|(name, _)| name))
                .collect();
            for name in names {
                self.path.push(named(name));
                self.node(
                    left.and_then(|map| map.get(name)),
                    right.and_then(|map| map.get(name)),
                    typed.entry(name),
                );
                self.path.pop();
            }
        } else {
            let items = |side: Option<&'_ Value>| -> Vec<Value> {
                side.and_then(Value::as_list).unwrap_or(&[]).to_vec()
            };
            let (left, right) = (items(one), items(two));
            let (left, right) = (typed.index(&atom, &left), typed.index(&atom, &right));
            let elements: SortedSet<&Arc<str>> = left.order.iter().chain(&right.order).collect();
            for element in elements {
                self.path.push(element.clone());
                self.node(
                    left.first.get(element).copied(),
                    right.first.get(element).copied(),
                    typed.item(),
                );
                self.path.pop();
            }
        }
        if one.is_none() {
            self.found.added.insert(&self.path);
        } else if two.is_none() {
            self.found.removed.insert(&self.path);
        }
    }

    fn leaf(&mut self, one: Option<&Value>, two: Option<&Value>) {
        let list = match (one, two) {
            (None, _) => &mut self.found.added,
            (_, None) => &mut self.found.removed,
            (Some(one), Some(two)) if one != two => &mut self.found.modified,
            _ => return,
        };
        list.insert(&self.path);
    }
}
