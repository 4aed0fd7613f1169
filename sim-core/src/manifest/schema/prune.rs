//! What decoding makes of an object of a built-in kind: fields that it does not have are dropped, and
//! quantities are written as the server writes them.

use crate::base::quantity::Quantity;
use crate::manifest::schema::table::{Shape, Table, kubernetes};
use crate::manifest::value::Value;

/// Removes unknown fields from an object of a kind in the table and normalises its quantities.
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
                    if **values == Shape::Quantity {
                        // Source: `SetDefaults_ResourceList` of `pkg/apis/core/v1/defaults.go`.
                        quantity(inner, Quantity::rounded_to_milli);
                    } else {
                        node(inner, values, table);
                    }
                }
            }
        }
        Shape::Quantity => quantity(value, |amount| amount),
        _ => {}
    }
}

/// A quantity in the server's words; what is none is left for validation.
fn quantity(value: &mut Value, round: impl Fn(Quantity) -> Quantity) {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Number(text) => text.to_string(),
        _ => return,
    };
    if let Ok(amount) = Quantity::parse(&text) {
        *value = Value::from(round(amount).to_string());
    }
}
