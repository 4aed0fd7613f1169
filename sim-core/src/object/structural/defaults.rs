//! Defaults of a schema. Source: `…/apiserver/schema/defaulting/algorithm.go`.

use crate::manifest::value::Value;

use super::{Additional, Structural};

/// Fills in what is missing where its parent exists. A null where null is not allowed gives way to
/// the default.
pub fn apply(value: &mut Value, schema: &Structural) {
    if value.as_map().is_some() {
        for (name, property) in &schema.properties {
            let Some(default) = &property.default else {
                continue;
            };
            let missing = match value.get(name) {
                None => true,
                Some(Value::Null) => !property.nullable,
                Some(_) => false,
            };
            if missing {
                value.set(name, default.clone());
            }
        }
        let names: Vec<_> = match value.as_map() {
            Some(map) => map.iter().map(|(name, _)| name.clone()).collect(),
            None => Vec::new(),
        };
        for name in names {
            let inner = match (schema.properties.get(&name), &schema.additional) {
                (Some(property), _) => property,
                (None, Some(Additional::Of(inner))) => inner,
                (None, Some(Additional::Any) | None) => continue,
            };
            if let Some(below) = value.as_map_mut().and_then(|map| map.get_mut(&name)) {
                if below.is_null()
                    && !inner.nullable
                    && let Some(default) = &inner.default
                {
                    *below = default.clone();
                }
                apply(below, inner);
            }
        }
    } else if let (Some(items), Some(inner)) = (value.as_list_mut(), schema.items.as_deref()) {
        for item in items {
            if item.is_null()
                && !inner.nullable
                && let Some(default) = &inner.default
            {
                *item = default.clone();
            }
            apply(item, inner);
        }
    }
}

/// Removes nulls where null is not allowed and nothing is the default.
/// Source: `…/apiserver/schema/defaulting/prunenulls.go`.
pub fn prune_nulls(value: &mut Value, schema: &Structural) {
    if let Some(map) = value.as_map_mut() {
        map.retain(|name, inner| {
            !inner.is_null()
                || schema
                    .field(name)
                    .is_none_or(|property| property.nullable || property.default.is_some())
        });
        for (name, inner) in map.iter_mut() {
            if let Some(property) = schema.field(name) {
                prune_nulls(inner, property);
            }
        }
    } else if let (Some(items), Some(inner)) = (value.as_list_mut(), schema.items.as_deref()) {
        for item in items {
            prune_nulls(item, inner);
        }
    }
}
