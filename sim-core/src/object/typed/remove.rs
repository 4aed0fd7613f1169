//! Taking fields out of a value.

use crate::manifest::value::{Map, Value};
use crate::object::fields::{FieldSet, named};

use super::{Atom, Typed};

/// The value without the fields of a set. What has nothing left in it goes with them.
pub fn remove(value: &Value, set: &FieldSet, typed: Typed<'_>) -> Value {
    node(value, set, typed).unwrap_or_default()
}

fn node(value: &Value, set: &FieldSet, typed: Typed<'_>) -> Option<Value> {
    let atom = typed.atom(value);
    match (&atom, value) {
        (Atom::Map, Value::Map(map)) => {
            let mut left = Map::new();
            for (name, inner) in map.iter() {
                let element = named(name);
                if set.has(&element) {
                    continue;
                }
                let kept = match set.below(&element) {
                    Some(below) => node(inner, below, typed.entry(name)),
                    None => Some(inner.clone()),
                };
                if let Some(kept) = kept {
                    left.insert(name, kept);
                }
            }
            (!left.is_empty()).then(|| Value::from(left))
        }
        (Atom::Set | Atom::List(_), Value::List(items)) => {
            let mut left = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                let Ok(element) = typed.element(&atom, index, item) else {
                    left.push(item.clone());
                    continue;
                };
                if set.has(&element) {
                    continue;
                }
                let kept = match set.below(&element) {
                    Some(below) => node(item, below, typed.item()),
                    None => Some(item.clone()),
                };
                left.extend(kept);
            }
            (!left.is_empty()).then(|| Value::list(left))
        }
        _ => Some(value.clone()),
    }
}
