//! Judging an object by its schema, in the words of the API server.
//! Sources: `k8s.io/kube-openapi/pkg/validation/validate`, `…/apiserver/validation/validation.go`,
//! `…/apiserver/schema/listtype/validation.go`.

use std::cmp::Ordering;

use crate::base::double;
use crate::manifest::schema::table::ListType;
use crate::manifest::value::Value;
use crate::object::print::{KeyOrder, json};

use super::prune::join;
use super::{Fault, Structural, Type, fault};

/// What is wrong with an object, in the order of its fields' names.
pub fn validate(value: &Value, schema: &Structural) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (name, property) in &schema.properties {
        if let Some(inner) = value.get(name).filter(|_| !is_meta(name)) {
            node(inner, property, name, &mut faults);
        }
    }
    required(value, schema, "", &mut faults);
    logic(value, schema, "", &mut faults);
    list_types(value, schema, "", &mut faults);
    faults
}

/// What is wrong with a value by itself, which stands at `at`.
pub fn alone(value: &Value, schema: &Structural, at: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    node(value, schema, "", &mut faults);
    list_types(value, schema, "", &mut faults);
    for fault in &mut faults {
        fault.field = match fault.field.as_str() {
            "" | "<nil>" => at.to_owned(),
            below if below.starts_with('[') => format!("{at}{below}"),
            below => join(at, below),
        };
    }
    faults
}

/// Whether a fault keeps the rules from being asked. Source: `hasBlockingErr` in
/// `…/registry/customresource/strategy.go`.
pub fn blocks(fault: &Fault) -> bool {
    [
        "Unsupported value",
        "Required value",
        "Too long",
        "Too many",
    ]
    .iter()
    .any(|start| fault.message.starts_with(start))
        || fault.message.contains(" in body must be of type ")
}

/// The server looks at these itself.
fn is_meta(name: &str) -> bool {
    matches!(name, "apiVersion" | "kind" | "metadata")
}

/// How a value is shown in a message.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text:?}"),
        other => json(other, KeyOrder::Sorted),
    }
}

/// The JSON type of a value.
fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Int(_) => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) => "object",
    }
}

fn fits(value: &Value, schema: &Structural) -> bool {
    if schema.int_or_string {
        return matches!(value, Value::Int(_) | Value::String(_));
    }
    match (schema.kind, value) {
        (Type::Any, _)
        | (Type::Object, Value::Map(_))
        | (Type::Array, Value::List(_))
        | (Type::String, Value::String(_))
        | (Type::Integer, Value::Int(_))
        | (Type::Number, Value::Int(_) | Value::Number(_))
        | (Type::Boolean, Value::Bool(_)) => true,
        (_, Value::Null) => schema.nullable,
        _ => false,
    }
}

fn node(value: &Value, schema: &Structural, path: &str, faults: &mut Vec<Fault>) {
    if value.is_null() && schema.nullable {
        return;
    }
    if !fits(value, schema) {
        let wanted = if schema.int_or_string {
            "integer,string"
        } else {
            schema.kind.text()
        };
        let is = type_of(value);
        faults.push(fault(
            path,
            format!("Invalid value: \"{is}\": {path} in body must be of type {wanted}: \"{is}\""),
        ));
        return;
    }
    let invalid = |value: String, rest: String| {
        fault(
            path,
            format!("Invalid value: {value}: {path} in body {rest}"),
        )
    };
    match value {
        Value::String(text) => string(text, schema, path, faults),
        Value::Int(_) | Value::Number(_) => number(value, schema, path, faults),
        Value::List(items) => {
            let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
            if let Some(most) = schema.items_count.1.filter(|most| count > *most) {
                faults.push(too_many(path, count, most));
            }
            if let Some(least) = schema.items_count.0.filter(|least| count < *least) {
                faults.push(invalid(
                    count.to_string(),
                    format!("should have at least {least} items"),
                ));
            }
            if let Some(inner) = &schema.items {
                for (index, item) in items.iter().enumerate() {
                    node(item, inner, &format!("{path}[{index}]"), faults);
                }
            }
        }
        Value::Map(map) => {
            let count = i64::try_from(map.len()).unwrap_or(i64::MAX);
            if let Some(most) = schema.properties_count.1.filter(|most| count > *most) {
                faults.push(too_many(path, count, most));
            }
            if let Some(least) = schema.properties_count.0.filter(|least| count < *least) {
                faults.push(invalid(
                    count.to_string(),
                    format!("should have at least {least} properties"),
                ));
            }
            for (name, inner) in map.sorted() {
                if schema.embedded && is_meta(name) {
                    continue;
                }
                if let Some(property) = schema.field(name) {
                    node(inner, property, &join(path, name), faults);
                }
            }
            required(value, schema, path, faults);
        }
        Value::Null | Value::Bool(_) => {}
    }
    if !schema.allowed.is_empty() && !schema.allowed.contains(value) {
        let list: Vec<String> = schema.allowed.iter().map(shown).collect();
        faults.push(fault(
            path,
            format!(
                "Unsupported value: {}: supported values: {}",
                shown(value),
                list.join(", ")
            ),
        ));
    }
    logic(value, schema, path, faults);
}

fn too_many(path: &str, count: i64, most: i64) -> Fault {
    fault(
        path,
        format!("Too many: {count}: must have at most {most} items"),
    )
}

fn required(value: &Value, schema: &Structural, path: &str, faults: &mut Vec<Fault>) {
    if value.as_map().is_none() {
        return;
    }
    for name in &schema.required {
        if value.get(name).is_none() {
            faults.push(fault(join(path, name), "Required value"));
        }
    }
}

fn string(text: &str, schema: &Structural, path: &str, faults: &mut Vec<Fault>) {
    let count = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    if let Some(most) = schema.length.1.filter(|most| count > *most) {
        faults.push(fault(
            path,
            format!("Too long: may not be more than {most} bytes"),
        ));
    }
    let quoted = shown(&text.into());
    if let Some(least) = schema.length.0.filter(|least| count < *least) {
        faults.push(fault(
            path,
            format!(
                "Invalid value: {quoted}: {path} in body should be at least {least} chars long"
            ),
        ));
    }
    if let Some((written, regex)) = &schema.pattern
        && !regex.is_match(text)
    {
        faults.push(fault(
            path,
            format!("Invalid value: {quoted}: {path} in body should match '{written}'"),
        ));
    }
    if let Some(format) = &schema.format
        && !has_format(text, format)
    {
        faults.push(fault(
            path,
            format!("Invalid value: {quoted}: {path} in body must be of type {format}: {quoted}"),
        ));
    }
}

/// Formats of text that the server knows; others are ignored.
/// Source: `…/apiserver/validation/formats.go`.
fn has_format(text: &str, format: &str) -> bool {
    match format {
        "date" => text.len() == 10 && is_date(text),
        "date-time" | "datetime" => {
            let Some((date, time)) = text.split_once(['T', 't', ' ']) else {
                return false;
            };
            let end = time.find(['Z', 'z', '+', '-']);
            let Some(end) = end else { return false };
            let parts: Vec<&str> = time[..end].split(':').collect();
            is_date(date)
                && parts.len() == 3
                && parts[0].parse::<u32>().is_ok_and(|hour| hour < 24)
                && parts[1].parse::<u32>().is_ok_and(|minute| minute < 60)
                && parts[2]
                    .split('.')
                    .next()
                    .is_some_and(|second| second.parse::<u32>().is_ok_and(|second| second <= 60))
        }
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<std::net::Ipv6Addr>().is_ok(),
        "cidr" => text.split_once('/').is_some_and(|(address, bits)| {
            address.parse::<std::net::IpAddr>().is_ok()
                && bits.parse::<u8>().is_ok_and(|bits| bits <= 128)
        }),
        "uuid" | "uuid3" | "uuid4" | "uuid5" => {
            text.len() == 36
                && text.char_indices().all(|(at, letter)| {
                    if matches!(at, 8 | 13 | 18 | 23) {
                        letter == '-'
                    } else {
                        letter.is_ascii_hexdigit()
                    }
                })
        }
        "duration" => crate::base::time::SimDuration::parse(text).is_ok(),
        "uri" => text.contains(':'),
        "email" => text.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty() && !host.is_empty() && !host.contains('@')
        }),
        "hostname" => {
            !text.is_empty()
                && text.split('.').all(|part| {
                    !part.is_empty()
                        && part
                            .chars()
                            .all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
                })
        }
        _ => true,
    }
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.len() == 3
        && parts[0].len() == 4
        && parts[0].bytes().all(|byte| byte.is_ascii_digit())
        && parts[1]
            .parse::<u32>()
            .is_ok_and(|month| (1..=12).contains(&month))
        && parts[2]
            .parse::<u32>()
            .is_ok_and(|day| (1..=31).contains(&day))
}

/// Numbers by size. Both are parsed the same way everywhere, so that the order is too.
pub fn compare(one: &Value, two: &Value) -> Option<Ordering> {
    if let (Value::Int(one), Value::Int(two)) = (one, two) {
        return Some(one.cmp(two));
    }
    let float = |value: &Value| match value {
        Value::Int(number) => Some(*number as f64),
        Value::Number(text) => double::parse(text),
        _ => None,
    };
    float(one)?.partial_cmp(&float(two)?)
}

fn number(value: &Value, schema: &Structural, path: &str, faults: &mut Vec<Fault>) {
    let mut say = |rest: String| {
        faults.push(fault(
            path,
            format!("Invalid value: {}: {path} in body {rest}", shown(value)),
        ));
    };
    if let Some(bound) = &schema.minimum {
        let order = compare(value, &bound.value);
        if order == Some(Ordering::Less) || bound.exclusive && order == Some(Ordering::Equal) {
            let word = if bound.exclusive {
                "greater than"
            } else {
                "greater than or equal to"
            };
            say(format!("should be {word} {}", shown(&bound.value)));
        }
    }
    if let Some(bound) = &schema.maximum {
        let order = compare(value, &bound.value);
        if order == Some(Ordering::Greater) || bound.exclusive && order == Some(Ordering::Equal) {
            let word = if bound.exclusive {
                "less than"
            } else {
                "less than or equal to"
            };
            say(format!("should be {word} {}", shown(&bound.value)));
        }
    }
    if let (Some(Value::Int(step)), Value::Int(number)) = (&schema.multiple_of, value)
        && *step > 0
        && number % step != 0
    {
        say(format!("should be a multiple of {step}"));
    }
}

fn logic(value: &Value, schema: &Structural, path: &str, faults: &mut Vec<Fault>) {
    let passes = |inner: &Structural| {
        let mut found = Vec::new();
        node(value, inner, path, &mut found);
        found.is_empty()
    };
    let say = |rest: &str| {
        fault(
            if path.is_empty() { "<nil>" } else { path },
            format!("Invalid value: \"\": \"{path}\" {rest}"),
        )
    };
    if !schema.all_of.is_empty() && !schema.all_of.iter().all(passes) {
        faults.push(say("must validate all the schemas (allOf)"));
        for inner in &schema.all_of {
            node(value, inner, path, faults);
        }
    }
    if !schema.any_of.is_empty() && !schema.any_of.iter().any(passes) {
        faults.push(say("must validate at least one schema (anyOf)"));
        if let Some(first) = schema.any_of.first() {
            node(value, first, path, faults);
        }
    }
    if !schema.one_of.is_empty() {
        let count = schema.one_of.iter().filter(|inner| passes(inner)).count();
        if count == 0 {
            faults.push(say(
                "must validate one and only one schema (oneOf). Found none valid",
            ));
            if let Some(first) = schema.one_of.first() {
                node(value, first, path, faults);
            }
        } else if count > 1 {
            faults.push(say(&format!(
                "must validate one and only one schema (oneOf). Found {count} valid alternatives"
            )));
        }
    }
    if schema.not.as_deref().is_some_and(passes) {
        faults.push(say("must not validate the schema (not)"));
    }
}

/// Items that are there twice in lists that may not have them twice.
fn list_types(value: &Value, schema: &Structural, path: &str, faults: &mut Vec<Fault>) {
    match value {
        Value::Map(map) => {
            for (name, inner) in map.sorted() {
                if let Some(property) = schema.field(name) {
                    list_types(inner, property, &join(path, name), faults);
                }
            }
        }
        Value::List(items) => {
            let key_of = |item: &Value| match schema.list_type {
                ListType::Atomic => None,
                ListType::Set => Some(item.clone()),
                ListType::Map => {
                    Some(Value::object(schema.list_keys.iter().filter_map(|key| {
                        item.get(key).map(|value| (key.clone(), value.clone()))
                    })))
                }
            };
            let keys: Vec<Option<Value>> = items.iter().map(key_of).collect();
            for (index, key) in keys.iter().enumerate() {
                if let Some(key) = key
                    && keys[..index].contains(&Some(key.clone()))
                {
                    faults.push(fault(
                        format!("{path}[{index}]"),
                        format!("Duplicate value: {}", shown(key)),
                    ));
                }
            }
            if let Some(inner) = &schema.items {
                for (index, item) in items.iter().enumerate() {
                    list_types(item, inner, &format!("{path}[{index}]"), faults);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Number(_) | Value::String(_) => {}
    }
}
