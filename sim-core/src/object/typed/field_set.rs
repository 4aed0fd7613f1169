//! The fields that a value has, and those of a set that the schema names.

use std::sync::Arc;

use crate::base::sorted::SortedSet;
use crate::manifest::value::Value;
use crate::object::fields::{FieldSet, name_of, named, placed, shown};

use super::{Atom, Typed};

/// Nesting that is looked into; deeper values are owned whole.
const DEPTH_MAX: usize = 200;

/// The fields of a value.
///
/// # Errors
/// What keeps items of a list from being told apart, one line each.
pub fn field_set(value: &Value, typed: Typed<'_>) -> Result<FieldSet, Vec<String>> {
    let mut walk = Walk::default();
    walk.node(value, typed);
    if walk.errors.is_empty() {
        Ok(walk.set)
    } else {
        Err(walk.errors)
    }
}

/// Whether a value has only fields that its schema has.
/// Source: `sigs.k8s.io/structured-merge-diff/typed/validate.go`.
///
/// # Errors
/// The others, one line each.
pub fn declared(value: &Value, typed: Typed<'_>) -> Result<(), Vec<String>> {
    let mut walk = Walk::default();
    walk.undeclared(value, typed);
    if walk.errors.is_empty() {
        Ok(())
    } else {
        Err(walk.errors)
    }
}

/// The fields of a value; lists whose items cannot be told apart go by place.
pub fn field_set_lax(value: &Value, typed: Typed<'_>) -> FieldSet {
    let mut walk = Walk::default();
    walk.node(value, typed);
    walk.set
}

#[derive(Default)]
struct Walk {
    path: Vec<Arc<str>>,
    set: FieldSet,
    errors: Vec<String>,
}

impl Walk {
    fn node(&mut self, value: &Value, typed: Typed<'_>) {
        let atom = typed.atom(value);
        match (&atom, value) {
            _ if self.path.len() > DEPTH_MAX => self.set.insert(&self.path),
            (Atom::Leaf, _) => self.set.insert(&self.path),
            (Atom::Map, Value::Map(map)) => {
                for (name, inner) in map.iter() {
                    self.path.push(named(name));
                    self.node(inner, typed.entry(name));
                    let is_hollow = match inner {
                        Value::Null => true,
                        Value::Map(map) => map.is_empty(),
                        _ => false,
                    };
                    if is_hollow || typed.named(name).is_none() {
                        self.set.insert(&self.path);
                    }
                    self.path.pop();
                }
            }
            (Atom::Set | Atom::List(_), Value::List(items)) => {
                let mut seen = SortedSet::new();
                for (index, item) in items.iter().enumerate() {
                    let element = match typed.element(&atom, index, item) {
                        Ok(element) => element,
                        Err(why) => {
                            self.wrong(&why);
                            continue;
                        }
                    };
                    if !seen.insert(element.clone()) {
                        let key = shown(&element);
                        self.wrong(&format!("duplicate entries for key {key}"));
                        continue;
                    }
                    self.path.push(element);
                    self.node(item, typed.item());
                    self.set.insert(&self.path);
                    self.path.pop();
                }
            }
            (_, Value::Null) => {}
            // Of a form that the schema does not have: decoding will say so.
            _ => self.set.insert(&self.path),
        }
    }

    fn undeclared(&mut self, value: &Value, typed: Typed<'_>) {
        if self.path.len() > DEPTH_MAX {
            return;
        }
        for (name, inner) in value.as_map().unwrap_or_default().iter() {
            self.path.push(named(name));
            if typed.declares(name) {
                self.undeclared(inner, typed.entry(name));
            } else {
                self.wrong("field not declared in schema");
            }
            self.path.pop();
        }
        let atom = typed.atom(value);
        for (index, item) in value.as_list().unwrap_or(&[]).iter().enumerate() {
            let element = typed.element(&atom, index, item);
            self.path.push(element.unwrap_or_else(|_| placed(index)));
            self.undeclared(item, typed.item());
            self.path.pop();
        }
    }

    fn wrong(&mut self, why: &str) {
        let path: String = self.path.iter().map(|element| shown(element)).collect();
        self.errors.push(format!("{path}: {why}"));
    }
}

/// The set with those fields added that the schema names and that have something below them in it.
pub fn with_named(set: &FieldSet, typed: Typed<'_>) -> FieldSet {
    set.mapped(
        &|element| name_of(element).is_some_and(|name| typed.named(name).is_some()),
        &|element, below| with_named(below, typed.below(element)),
    )
}
