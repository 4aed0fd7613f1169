//! Laying what a manager applies over what is there.

use std::sync::Arc;

use crate::base::sorted::SortedSet;
use crate::manifest::value::{Map, Value};

use super::{Atom, Typed, is_empty};

/// The live value with the applied one over it.
pub fn merge(live: &Value, applied: &Value, typed: Typed<'_>) -> Value {
    node(Some(live), Some(applied), typed).unwrap_or_default()
}

fn node(live: Option<&Value>, applied: Option<&Value>, typed: Typed<'_>) -> Option<Value> {
    let form = applied.filter(|value| !value.is_null()).or(live)?;
    let atom = typed.atom(form);
    let is_leaf = match (&atom, form) {
        (Atom::Map, Value::Map(_)) | (Atom::Set | Atom::List(_), Value::List(_)) => {
            is_empty(live) && is_empty(applied)
        }
        _ => true,
    };
    if is_leaf {
        return applied.or(live).cloned();
    }
    if atom == Atom::Map {
        let (left, right) = (
            live.and_then(Value::as_map),
            applied.and_then(Value::as_map),
        );
        let mut result = Map::new();
        for (name, value) in left.unwrap_or_default().iter() {
            let over = right.and_then(|map| map.get(name));
            if let Some(merged) = node(Some(value), over, typed.entry(name)) {
                result.insert(name, merged);
            }
        }
        for (name, value) in right.unwrap_or_default().iter() {
            if left.is_none_or(|map| !map.contains_key(name))
                && let Some(merged) = node(None, Some(value), typed.entry(name))
            {
                result.insert(name, merged);
            }
        }
        return Some(Value::from(result));
    }
    let (left, right) = (
        live.and_then(Value::as_list).unwrap_or(&[]),
        applied.and_then(Value::as_list).unwrap_or(&[]),
    );
    Some(Value::list(list(left, right, &atom, typed)))
}

/// Items that both have stand in the applied order; items of the live list alone keep their place
/// between them; new ones go where the applied list has them.
fn list(left: &[Value], right: &[Value], atom: &Atom, typed: Typed<'_>) -> Vec<Value> {
    let (old, new) = (typed.index(atom, left), typed.index(atom, right));
    let mut shared = new
        .order
        .iter()
        .filter(|element| old.first.contains_key(*element));
    let mut next_shared = shared.next();
    let mut done: SortedSet<Arc<str>> = SortedSet::new();
    let mut result = Vec::with_capacity(left.len().max(right.len()));
    let (mut at_old, mut at_new) = (0, 0);
    while at_old < left.len() || at_new < right.len() {
        if let (Some(here), Some(there)) = (old.order.get(at_old), new.order.get(at_new)) {
            if here == there {
                let merged = node(
                    old.first.get(here).copied(),
                    new.first.get(here).copied(),
                    typed.item(),
                );
                result.extend(merged);
                done.insert(here.clone());
                at_old += 1;
                at_new += 1;
                next_shared = shared.next();
                continue;
            }
            if new.first.contains_key(here) && next_shared.is_some_and(|wanted| wanted != here) {
                // It has its turn later, where the applied list has it.
                at_old += 1;
                continue;
            }
        }
        if let Some(here) = old.order.get(at_old) {
            if !new.first.contains_key(here) {
                result.push(left[at_old].clone());
                at_old += 1;
                continue;
            }
            if done.contains(here) {
                at_old += 1;
            }
        }
        if let Some(there) = new.order.get(at_new) {
            let merged = node(
                old.first.get(there).copied(),
                new.first.get(there).copied(),
                typed.item(),
            );
            result.extend(merged);
            done.insert(there.clone());
            at_new += 1;
            if next_shared == Some(there) {
                next_shared = shared.next();
            }
        }
    }
    result
}
