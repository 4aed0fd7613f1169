//! Dropping fields that a built-in kind does not have, as decoding without strictness does.

use crate::manifest::schema::table::{Shape, Table, kubernetes};
use crate::manifest::value::Value;

/// Removes unknown fields from an object of a kind in the table.
pub fn prune(value: &mut Value, api_version: &str, kind: &str) {
    let table = kubernetes();
    if let Some(root) = table.kind(api_version, kind).and_then(|kind| kind.root) {
        node(value, &Shape::Type(root), table);
    }
}

fn node(value: &mut Value, shape: &Shape, table: &Table) {
    match shape {
        Shape::Type(id) => {
            let structure = table.get(*id);
            // Looked at first: a map is copied when it is opened for writing.
            let Some(map) = value.as_map() else { return };
            if !structure.is_open
                && map.iter().any(|(key, _)| structure.field(key).is_none())
                && let Some(map) = value.as_map_mut()
            {
                map.retain(|key, _| structure.field(key).is_some());
            }
            if let Some(map) = value.as_map_mut() {
                for (key, inner) in map.iter_mut() {
                    if let Some(field) = structure.field(key) {
                        node(inner, &field.shape, table);
                    }
                }
            }
        }
        Shape::List(items) => {
            if let Some(list) = value.as_list_mut() {
                for item in list {
                    node(item, items, table);
                }
            }
        }
        Shape::Map { values, .. } => {
            if let Some(map) = value.as_map_mut() {
                for (_, inner) in map.iter_mut() {
                    node(inner, values, table);
                }
            }
        }
        _ => {}
    }
}
