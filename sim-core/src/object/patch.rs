//! Patches: what `kubectl apply` and `kubectl patch` make of an object.
//!
//! [`three_way`] merges what was applied before, what is to be applied and what is there;
//! [`strategic`] applies a strategic merge patch with its directives; [`merge`] is RFC 7386 and
//! [`json_patch`] RFC 6902. Lists merge by the keys of the schema tables.
//! Source: `k8s.io/apimachinery/pkg/util/strategicpatch/patch.go`.

use crate::base::arrange::Arrange;
use crate::manifest::schema::table::{Field, Shape, Table, kubernetes};
use crate::manifest::value::{Map, Value};
use crate::object::print::go;

/// What is known about a value: nothing for kinds without a schema.
type Known<'t> = Option<&'t Shape>;

fn table() -> &'static Table {
    kubernetes()
}

/// The shape of an object of a kind, for [`strategic`] and [`three_way`].
pub fn schema(api_version: &str, kind: &str) -> Option<Shape> {
    table().kind(api_version, kind)?.root.map(Shape::Type)
}

fn field_of<'t>(known: Known<'t>, name: &str) -> Option<&'t Field> {
    match known? {
        Shape::Type(id) => table().get(*id).field(name),
        _ => None,
    }
}

fn below<'t>(known: Known<'t>, name: &str) -> Known<'t> {
    match known? {
        Shape::Map { values, .. } => Some(values),
        _ => field_of(known, name).map(|field| &field.shape),
    }
}

fn item<'t>(known: Known<'t>) -> Known<'t> {
    match known? {
        Shape::List(item) => Some(item),
        _ => None,
    }
}

/// Without the null fields of maps.
pub fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Map(map) => Value::object(
            map.iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key.clone(), without_nulls(value))),
        ),
        Value::List(items) => Value::list(items.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

/// The object that applying `modified` over `current` gives, when `original` was applied before.
/// Equal to `current` exactly if the patch is empty.
pub fn three_way(
    original: &Value,
    modified: &Value,
    current: &Value,
    known: Option<&Shape>,
) -> Value {
    map_three_way(original, modified, current, known, false)
}

fn map_three_way(
    original: &Value,
    modified: &Value,
    current: &Value,
    known: Known<'_>,
    retain: bool,
) -> Value {
    let (Some(wanted), Some(live)) = (modified.as_map(), current.as_map()) else {
        return without_nulls(modified);
    };
    let mut result: Map = live.clone();
    for (key, value) in original.as_map().unwrap_or_default().iter() {
        if !value.is_null() && !wanted.contains_key(key) {
            result.remove(key);
        }
    }
    for (key, value) in wanted.iter() {
        if value.is_null() {
            result.remove(key);
            continue;
        }
        let before = original.get(key).unwrap_or(&Value::Null);
        let field = field_of(known, key);
        let shape = below(known, key);
        let merged = match (live.get(key), value) {
            (Some(Value::Map(_)), Value::Map(_)) if replaces(field) => without_nulls(value),
            (Some(there @ Value::Map(_)), Value::Map(_)) => map_three_way(
                before,
                value,
                there,
                shape,
                field.is_some_and(|field| field.retains_keys),
            ),
            (Some(there @ Value::List(_)), Value::List(_)) => {
                list_three_way(before, value, there, field, shape)
            }
            (Some(there), _) if there == value => continue,
            _ => without_nulls(value),
        };
        result.insert(key, merged);
    }
    let result = Value::from(result);
    if retain && result != *current {
        return retained(
            result,
            wanted
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, _)| &**key),
        );
    }
    result
}

fn retained<'k>(value: Value, keys: impl Iterator<Item = &'k str>) -> Value {
    let keys: Vec<&str> = keys.collect();
    let mut value = value;
    if let Some(map) = value.as_map_mut() {
        map.retain(|key, _| keys.contains(&key));
    }
    value
}

/// What tells an item of a merged list apart.
fn key_of<'v>(item: &'v Value, merge_key: Option<&str>) -> Option<&'v Value> {
    match merge_key {
        Some(key) => item.get(key),
        None => Some(item),
    }
}

fn find<'v>(items: &'v [Value], merge_key: Option<&str>, wanted: &Value) -> Option<&'v Value> {
    items
        .iter()
        .find(|item| key_of(item, merge_key) == Some(wanted))
}

fn list_three_way(
    original: &Value,
    modified: &Value,
    current: &Value,
    field: Option<&Field>,
    known: Known<'_>,
) -> Value {
    let (wanted, live) = (
        modified.as_list().unwrap_or(&[]),
        current.as_list().unwrap_or(&[]),
    );
    let Some(field) = field.filter(|field| field.merges) else {
        return modified.clone();
    };
    let merge_key = field.merge_key.as_deref();
    if wanted
        .iter()
        .chain(live)
        .any(|item| key_of(item, merge_key).is_none())
    {
        return modified.clone();
    }
    let before = original.as_list().unwrap_or(&[]);
    // An item of the manifest that is a directive to delete takes nothing away: it only has a place.
    let wanted: Vec<Value> = wanted
        .iter()
        .filter(|one| one.get("$patch").is_none())
        .cloned()
        .collect();
    let wanted = wanted.as_slice();
    let mut merged: Vec<Value> = Vec::with_capacity(wanted.len());
    for (index, one) in wanted.iter().enumerate() {
        let key = key_of(one, merge_key).unwrap_or(&Value::Null);
        let same = |item: &&Value| key_of(item, merge_key) == Some(key);
        if wanted[..index].iter().any(|item| same(&item)) {
            continue;
        }
        // Duplicates come to stand together, as upstream orders what is there by the keys' first places.
        let mut asked = wanted.iter().filter(same);
        let old = find(before, merge_key, key).unwrap_or(&Value::Null);
        let mut found = live.iter().filter(same).peekable();
        if found.peek().is_none() {
            merged.push(without_nulls(one));
        }
        for there in found {
            merged.push(match asked.next().filter(|_| merge_key.is_some()) {
                Some(one) => map_three_way(old, one, there, item(known), field.retains_keys),
                None => there.clone(),
            });
        }
    }
    let live_only: Vec<Value> = live
        .iter()
        .filter(|one| {
            let key = key_of(one, merge_key).unwrap_or(&Value::Null);
            find(wanted, merge_key, key).is_none() && find(before, merge_key, key).is_none()
        })
        .cloned()
        .collect();
    let gone = live.iter().filter(|one| {
        let key = key_of(one, merge_key).unwrap_or(&Value::Null);
        find(wanted, merge_key, key).is_none() && find(before, merge_key, key).is_some()
    });
    let freed = if merge_key.is_some() { gone.count() } else { 0 };
    Value::list(interleaved(merged, live_only, live, (merge_key, freed)))
}

/// Named items in their order; the others before a named one only where the live list has it so.
/// As upstream deletes in place, new items fall into the slots that deleted ones have `freed` at the
/// end of the live list, and count as standing there.
fn interleaved(
    named: Vec<Value>,
    others: Vec<Value>,
    live: &[Value],
    (merge_key, freed): (Option<&str>, usize),
) -> Vec<Value> {
    let among = |items: &[Value], item: &Value| {
        let key = key_of(item, merge_key);
        items
            .iter()
            .position(|other| key_of(other, merge_key) == key)
    };
    let added: Vec<Value> = named
        .iter()
        .filter(|item| among(live, item).is_none())
        .take(freed)
        .cloned()
        .collect();
    let place =
        |item: &Value| among(live, item).or_else(|| among(&added, item).map(|at| live.len() + at));
    let mut result = Vec::with_capacity(named.len() + others.len());
    let mut others = others.into_iter().peekable();
    for item in named {
        while let Some(other) = others.peek() {
            match (place(other), place(&item)) {
                (Some(left), Some(right)) if left < right => result.extend(others.next()),
                _ => break,
            }
        }
        result.push(item);
    }
    result.extend(others);
    result
}

/// RFC 7386.
pub fn merge(current: &Value, patch: &Value) -> Value {
    let Some(changes) = patch.as_map() else {
        return patch.clone();
    };
    let mut result = current.as_map().cloned().unwrap_or_default();
    for (key, value) in changes.iter() {
        if value.is_null() {
            result.remove(key);
        } else {
            let there = result.get(key).cloned().unwrap_or_default();
            result.insert(key, merge(&there, value));
        }
    }
    Value::from(result)
}

/// The merge patch of a three-way apply where no schema tells how lists merge: what `modified`
/// changes of `current`, and what it has no longer of `original`.
/// Source: `k8s.io/apimachinery/pkg/util/jsonmergepatch/patch.go`.
pub fn three_way_merge(original: &Value, modified: &Value, current: &Value) -> Value {
    let added = nulls(&difference(current, modified), false);
    let original = if original.is_null() {
        Value::map()
    } else {
        original.clone()
    };
    let removed = nulls(&difference(&original, modified), true);
    joined(&removed, &added)
}

/// A merge patch with only its nulls, or without them.
fn nulls(patch: &Value, keep: bool) -> Value {
    let Some(map) = patch.as_map() else {
        return patch.clone();
    };
    let mut result = Map::new();
    for (key, value) in map.iter() {
        match value {
            Value::Null if keep => drop(result.insert(key, Value::Null)),
            Value::Null => {}
            Value::Map(inner) => {
                let below = nulls(value, keep);
                let is_empty = below.as_map().is_some_and(Map::is_empty);
                // A map that was empty from the start is a value of its own.
                if !is_empty || !keep && inner.is_empty() {
                    result.insert(key, below);
                }
            }
            other if !keep => drop(result.insert(key, other.clone())),
            _ => {}
        }
    }
    Value::from(result)
}

/// Two merge patches as one; the second wins.
fn joined(first: &Value, second: &Value) -> Value {
    let (Some(_), Some(changes)) = (first.as_map(), second.as_map()) else {
        return second.clone();
    };
    let mut result = first.as_map().cloned().unwrap_or_default();
    for (key, value) in changes.iter() {
        let merged = match result.get(key) {
            Some(there @ Value::Map(_)) => joined(there, value),
            _ => value.clone(),
        };
        result.insert(key, merged);
    }
    Value::from(result)
}

/// The merge patch that makes one map of another; lists that differ are given whole.
pub fn difference(from: &Value, to: &Value) -> Value {
    let (Some(old), Some(new)) = (from.as_map(), to.as_map()) else {
        return to.clone();
    };
    let mut result = Map::new();
    for (key, _) in old.iter().filter(|(key, _)| !new.contains_key(key)) {
        result.insert(key, Value::Null);
    }
    for (key, value) in new.iter() {
        match old.get(key) {
            Some(there) if there == value => {}
            Some(there @ Value::Map(_)) => drop(result.insert(key, difference(there, value))),
            _ => drop(result.insert(key, value.clone())),
        }
    }
    Value::from(result)
}

/// Applies a strategic merge patch.
///
/// # Errors
/// Upstream's text for directives that make no sense and items without their key.
pub fn strategic(current: &Value, patch: &Value, known: Option<&Shape>) -> Result<Value, String> {
    let Some(changes) = patch.as_map() else {
        return Ok(patch.clone());
    };
    match changes.get("$patch").and_then(Value::as_str) {
        None | Some("merge") => {}
        Some("replace") => return Ok(without_nulls(&retained_without(patch, "$patch"))),
        Some("delete") => return Ok(Value::map()),
        Some(other) => {
            return Err(format!(
                "unknown patch type: {other} in map: {}",
                super::print::json(patch, super::print::KeyOrder::Sorted)
            ));
        }
    }
    let mut result = current.as_map().cloned().unwrap_or_default();
    if let Some(keys) = changes.get("$retainKeys").and_then(Value::as_list) {
        let keys: Vec<&str> = keys.iter().filter_map(Value::as_str).collect();
        let extra = changes.iter().any(|(key, value)| {
            !key.starts_with('$') && !value.is_null() && !keys.contains(&&**key)
        });
        if extra {
            return Err(format!(
                "the keys in the patch [{}] are not all in $retainKeys [{}]",
                changes
                    .iter()
                    .filter(|(key, _)| !key.starts_with('$'))
                    .map(|(key, _)| key.to_string())
                    .collect::<Vec<_>>()
                    .join(" "),
                keys.join(" ")
            ));
        }
        result.retain(|key, _| keys.contains(&key));
    }
    for (key, value) in changes.iter() {
        if let Some(field) = key.strip_prefix("$setElementOrder/") {
            // Without a patch of the list itself its items are put in order.
            if changes.contains_key(field) {
                continue;
            }
            let items = result.get(field).and_then(Value::as_list);
            if let (Some(items), Some(order)) = (items, value.as_list()) {
                let sorted = strategic_list(
                    items,
                    &[],
                    Some(order),
                    field_of(known, field),
                    below(known, field),
                )?;
                result.insert(field, sorted);
            }
            continue;
        }
        if let Some(field) = key.strip_prefix("$deleteFromPrimitiveList/") {
            let gone = value.as_list().unwrap_or(&[]);
            if let Some(items) = result.get_mut(field).and_then(Value::as_list_mut) {
                items.retain(|item| !gone.contains(item));
            }
            continue;
        }
        if key.starts_with('$') {
            continue;
        }
        if value.is_null() {
            result.remove(key);
            continue;
        }
        let there = result.get(key).cloned().unwrap_or_default();
        let field = field_of(known, key);
        let merged = match (&there, value) {
            (_, Value::Map(_)) if replaces(field) => without_nulls(value),
            (_, Value::Map(_)) => strategic(&there, value, below(known, key))?,
            (_, Value::List(items)) => {
                let order = changes
                    .get(&format!("$setElementOrder/{key}"))
                    .and_then(Value::as_list);
                strategic_list(
                    there.as_list().unwrap_or(&[]),
                    items,
                    order,
                    field,
                    below(known, key),
                )?
            }
            _ => value.clone(),
        };
        result.insert(key, merged);
    }
    Ok(Value::from(result))
}

fn replaces(field: Option<&Field>) -> bool {
    field.is_some_and(|field| field.replaces)
}

fn retained_without(value: &Value, key: &str) -> Value {
    let mut value = value.clone();
    value.remove(key);
    value
}

fn strategic_list(
    live: &[Value],
    patch: &[Value],
    order: Option<&[Value]>,
    field: Option<&Field>,
    known: Known<'_>,
) -> Result<Value, String> {
    let directive = |item: &Value| item.str_at(&["$patch"]).map(str::to_owned);
    if patch
        .iter()
        .any(|item| directive(item).as_deref() == Some("replace"))
    {
        return Ok(Value::list(
            patch
                .iter()
                .filter(|item| directive(item).as_deref() != Some("replace"))
                .map(without_nulls)
                .collect(),
        ));
    }
    let Some(field) = field.filter(|field| field.merges) else {
        return Ok(Value::list(patch.iter().map(without_nulls).collect()));
    };
    let merge_key = field.merge_key.as_deref();
    if let Some(order) = order {
        check_order(patch, order, merge_key)?;
    }
    let mut result: Vec<Value> = live.to_vec();
    let mut freed = 0;
    let mut touched: Vec<Value> = Vec::new();
    for change in patch {
        let Some(key) = key_of(change, merge_key).cloned() else {
            let shown = go(change);
            return Err(format!(
                "map: {shown} does not contain declared merge key: {}",
                merge_key.unwrap_or("")
            ));
        };
        match directive(change).as_deref() {
            Some("delete") => {
                let before = result.len();
                result.retain(|item| key_of(item, merge_key) != Some(&key));
                freed += before - result.len();
                continue;
            }
            Some("merge") => {
                return Err("merging lists cannot yet be specified in the patch".to_owned());
            }
            _ => {}
        }
        match result
            .iter()
            .position(|item| key_of(item, merge_key) == Some(&key))
        {
            Some(at) if merge_key.is_some() => {
                result[at] = strategic(&result[at], change, item(known))?
            }
            Some(_) => {}
            None => result.push(without_nulls(change)),
        }
        touched.push(key);
    }
    let order: Vec<Value> = match (order, merge_key) {
        (Some(order), Some(key)) => order
            .iter()
            .filter_map(|item| item.get(key).cloned())
            .collect(),
        (Some(order), None) => order.to_vec(),
        (None, _) => touched,
    };
    let (mut named, others): (Vec<Value>, Vec<Value>) = result
        .into_iter()
        .partition(|item| key_of(item, merge_key).is_some_and(|key| order.contains(key)));
    named.arrange_by_key(|item| {
        order
            .iter()
            .position(|key| Some(key) == key_of(item, merge_key))
    });
    Ok(Value::list(interleaved(
        named,
        others,
        live,
        (merge_key, freed),
    )))
}

/// A patch's items must stand in the order that it asks for.
fn check_order(patch: &[Value], order: &[Value], merge_key: Option<&str>) -> Result<(), String> {
    let keys: Vec<Option<&Value>> = order.iter().map(|item| key_of(item, merge_key)).collect();
    let mut from = 0;
    for item in patch {
        if item.get("$patch").is_some() {
            continue;
        }
        let key = key_of(item, merge_key);
        match keys[from..].iter().position(|known| *known == key) {
            Some(at) => from += at + 1,
            None => {
                let shown = |items: &[Value]| {
                    let items: Vec<String> = items.iter().map(go).collect();
                    format!("[{}]", items.join(" "))
                };
                return Err(format!(
                    "The order in patch list:\n{}\n doesn't match $setElementOrder list:\n{}\n",
                    shown(patch),
                    shown(order)
                ));
            }
        }
    }
    Ok(())
}

/// RFC 6902.
///
/// # Errors
/// A sentence when a path or a test does not hold.
pub fn json_patch(current: &Value, operations: &Value) -> Result<Value, String> {
    let mut result = current.clone();
    for operation in operations
        .as_list()
        .ok_or("a JSON patch is a list of operations")?
    {
        let path = operation.str_at(&["path"]).ok_or("missing path")?;
        let from = operation.str_at(&["from"]).unwrap_or("");
        let value = operation.get("value").cloned().unwrap_or_default();
        match operation.str_at(&["op"]) {
            Some("add") => add(&mut result, path, value)?,
            Some("remove") => drop(take(&mut result, path)?),
            Some("replace") => {
                take(&mut result, path)?;
                add(&mut result, path, value)?;
            }
            Some("move") => {
                let moved = take(&mut result, from)?;
                add(&mut result, path, moved)?;
            }
            Some("copy") => {
                let copied = look(&result, from)
                    .cloned()
                    .ok_or_else(|| format!("missing path {from}"))?;
                add(&mut result, path, copied)?;
            }
            Some("test") => {
                if look(&result, path).unwrap_or(&Value::Null) != &value {
                    return Err(format!("testing path {path} failed"));
                }
            }
            other => return Err(format!("unexpected kind: {}", other.unwrap_or("unknown"))),
        }
    }
    Ok(result)
}

fn segments(path: &str) -> Vec<String> {
    path.split('/')
        .skip(1)
        .map(|part| part.replace("~1", "/").replace("~0", "~"))
        .collect()
}

fn look<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    segments(path)
        .iter()
        .try_fold(value, |value, part| match value {
            Value::List(items) => items.get(part.parse::<usize>().ok()?),
            _ => value.get(part),
        })
}

fn parent<'v>(value: &'v mut Value, parts: &[String]) -> Option<&'v mut Value> {
    let mut current = value;
    for part in parts {
        current = match current {
            Value::List(_) => current
                .as_list_mut()?
                .get_mut(part.parse::<usize>().ok()?)?,
            _ => current.as_map_mut()?.get_mut(part)?,
        };
    }
    Some(current)
}

fn add(value: &mut Value, path: &str, added: Value) -> Result<(), String> {
    let mut parts = segments(path);
    let Some(last) = parts.pop() else {
        *value = added;
        return Ok(());
    };
    let missing =
        || format!("add operation does not apply: doc is missing path: \"{path}\": missing value");
    let holder = parent(value, &parts).ok_or_else(missing)?;
    if let Some(items) = holder.as_list_mut() {
        let at = if last == "-" {
            items.len()
        } else {
            last.parse().map_err(|_| missing())?
        };
        if at > items.len() {
            return Err(missing());
        }
        items.insert(at, added);
        return Ok(());
    }
    holder
        .as_map_mut()
        .ok_or_else(missing)?
        .insert(&last, added);
    Ok(())
}

fn take(value: &mut Value, path: &str) -> Result<Value, String> {
    let mut parts = segments(path);
    let missing = || {
        format!("remove operation does not apply: doc is missing path: \"{path}\": missing value")
    };
    let last = parts.pop().ok_or_else(missing)?;
    let holder = parent(value, &parts).ok_or_else(missing)?;
    if let Some(items) = holder.as_list_mut() {
        let at = last.parse::<usize>().map_err(|_| missing())?;
        return if at < items.len() {
            Ok(items.remove(at))
        } else {
            Err(missing())
        };
    }
    holder
        .as_map_mut()
        .and_then(|map| map.remove(&last))
        .ok_or_else(missing)
}

#[cfg(test)]
mod tests;
