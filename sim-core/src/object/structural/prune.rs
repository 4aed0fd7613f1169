//! Removing what a schema does not know. Source: `…/apiserver/schema/pruning/algorithm.go`.

use crate::base::arrange::Arrange;
use crate::manifest::schema::table::{Shape, kubernetes};
use crate::manifest::value::Value;

use super::{Additional, Structural};

/// Fields that every object has, whatever its schema says.
const OBJECT_FIELDS: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Removes unknown fields and returns their paths, sorted. `metadata` at the root is the server's.
pub fn prune(value: &mut Value, schema: &Structural) -> Vec<String> {
    let mut gone = Vec::new();
    node(value, schema, true, "", &mut gone);
    gone.arrange();
    gone
}

/// The same for a value inside an object, which has no fields of its own accord.
pub fn below(value: &mut Value, schema: &Structural) -> Vec<String> {
    let mut gone = Vec::new();
    node(value, schema, false, "", &mut gone);
    gone
}

/// Source: `…/apiserver/schema/objectmeta/coerce.go`.
fn object_meta(value: &mut Value, path: &str, gone: &mut Vec<String>) {
    let table = kubernetes();
    let pod = table.kind("v1", "Pod").and_then(|kind| kind.root);
    let shape = pod.and_then(|root| Some(&table.get(root).field("metadata")?.shape));
    let (Some(Shape::Type(meta)), Some(map)) = (shape, value.as_map_mut()) else {
        return;
    };
    map.retain(|name, _| {
        let known = table.get(*meta).field(name).is_some();
        if !known {
            gone.push(join(path, name));
        }
        known
    });
}

fn node(value: &mut Value, schema: &Structural, root: bool, path: &str, gone: &mut Vec<String>) {
    let embedded = root || schema.embedded;
    if let Some(map) = value.as_map_mut() {
        let keeps_all = schema.preserve || matches!(schema.additional, Some(Additional::Any));
        map.retain(|name, _| {
            let known = (embedded && OBJECT_FIELDS.contains(&name))
                || keeps_all
                || schema.field(name).is_some();
            if !known {
                gone.push(join(path, name));
            }
            known
        });
        for (name, inner) in map.iter_mut() {
            if embedded && OBJECT_FIELDS.contains(&&**name) {
                if &**name == "metadata" {
                    object_meta(inner, &join(path, name), gone);
                }
                continue;
            }
            if let Some(property) = schema.field(name) {
                node(inner, property, false, &join(path, name), gone);
            }
        }
    } else if let (Some(items), Some(inner)) = (value.as_list_mut(), schema.items.as_deref()) {
        for (index, item) in items.iter_mut().enumerate() {
            node(item, inner, false, &format!("{path}[{index}]"), gone);
        }
    }
}

/// `spec.size` of `spec` and `size`.
pub fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}
