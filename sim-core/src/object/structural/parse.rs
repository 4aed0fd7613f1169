//! Reading a schema and checking that it is structural.
//! Sources: `…/apiserver/schema/convert.go`, `…/apiserver/schema/validation.go`,
//! `…/apis/apiextensions/validation/validation.go`.

use std::sync::Arc;

use crate::base::sentence::catalogue;
use crate::base::sentence::passage::Passage;
use crate::base::sorted::SortedMap;
use crate::manifest::schema::table::ListType;
use crate::manifest::value::Value;
use crate::object::print::{KeyOrder, json};

use super::regex::Regex;
use super::{Additional, Bound, Fault, Structural, Type, fault, prune, rules, validate};

/// Nesting of a schema; upstream is bounded by the size of a request.
pub const DEPTH_MAX: u32 = 64;

/// Reads the schema of a version. `path` names it in faults, e.g. `spec.validation.openAPIV3Schema`.
///
/// # Errors
/// What is not structural, in order.
pub fn parse(schema: &Value, path: &str) -> Result<Structural, Vec<Fault>> {
    let mut faults = Vec::new();
    let parsed = node(schema, path, Place::Root, 0, &mut faults);
    if parsed.kind != Type::Object {
        let shown = parsed.kind.text();
        if shown.is_empty() {
            faults.insert(
                0,
                fault(
                    format!("{path}.type"),
                    "Required value: must not be empty at the root",
                ),
            );
        } else {
            faults.push(fault(
                format!("{path}.type"),
                format!("Invalid value: \"{shown}\": must be object at the root"),
            ));
        }
    }
    if let Some(metadata) = schema.path(&["properties", "metadata"]) {
        let allowed = |key: &str| matches!(key, "type" | "properties" | "description");
        let extra = metadata
            .as_map()
            .is_some_and(|map| map.iter().any(|(key, _)| !allowed(key)));
        let fields = metadata
            .get("properties")
            .and_then(Value::as_map)
            .is_some_and(|map| {
                map.iter()
                    .any(|(key, _)| !matches!(&**key, "name" | "generateName"))
            });
        if extra || fields {
            faults.push(fault(format!("{path}.properties[metadata]"), "Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified"));
        }
    }
    rules::correlatable(&parsed, path, None, &mut faults);
    if faults.is_empty() {
        Ok(parsed)
    } else {
        Err(faults)
    }
}

/// Where a node stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The whole.
    Root,
    /// A specified field, item or value.
    Field,
    /// Inside `allOf`, `anyOf`, `oneOf` or `not`.
    Logic,
}

fn node(
    schema: &Value,
    path: &str,
    place: Place,
    depth: u32,
    faults: &mut Vec<Fault>,
) -> Structural {
    let mut made = Structural::anything();
    made.preserve = false;
    if depth > DEPTH_MAX {
        faults.push(fault(
            path,
            Passage::from("Forbidden: ").then(
                catalogue::MORE_THAN
                    .with(&[("most", &DEPTH_MAX)])
                    .and("what", catalogue::LEVELS.plain()),
            ),
        ));
        return made;
    }
    let on = |key: &str| schema.get(key).and_then(Value::as_bool) == Some(true);
    made.nullable = on("nullable");
    made.preserve = on("x-kubernetes-preserve-unknown-fields");
    made.int_or_string = on("x-kubernetes-int-or-string");
    made.embedded = on("x-kubernetes-embedded-resource");
    made.kind = kind(schema, path, faults);
    if place == Place::Field && made.kind == Type::Any && !made.int_or_string && !made.preserve {
        let whose = if path.ends_with(".items") {
            "array items"
        } else {
            "object fields"
        };
        faults.push(fault(
            format!("{path}.type"),
            format!("Required value: must not be empty for specified {whose}"),
        ));
    }
    forbidden(schema, path, place, faults);
    checks(schema, path, &mut made, faults);
    made.default = schema.get("default").cloned();
    children(schema, path, place, depth, &mut made, faults);
    lists(schema, path, &mut made, faults);
    for (key, list) in [
        ("allOf", &mut made.all_of),
        ("anyOf", &mut made.any_of),
        ("oneOf", &mut made.one_of),
    ] {
        for (index, inner) in schema
            .get(key)
            .and_then(Value::as_list)
            .unwrap_or(&[])
            .iter()
            .enumerate()
        {
            let at = format!("{path}.{key}[{index}]");
            list.push(node(inner, &at, Place::Logic, depth + 1, faults));
        }
    }
    made.not = schema.get("not").map(|inner| {
        Box::new(node(
            inner,
            &format!("{path}.not"),
            Place::Logic,
            depth + 1,
            faults,
        ))
    });
    if place != Place::Logic {
        default(path, &made, faults);
    }
    if place == Place::Logic && schema.get("x-kubernetes-validations").is_some() {
        faults.push(fault(
            format!("{path}.x-kubernetes-validations"),
            "Forbidden: must be empty to be structural",
        ));
    } else {
        made.rules = rules::parse(schema, path, &made, place == Place::Root, faults);
    }
    made
}

/// A default must be what it would be in an object: known and valid.
/// Source: `…/apiserver/schema/defaulting/validation.go`.
fn default(path: &str, made: &Structural, faults: &mut Vec<Fault>) {
    let Some(default) = &made.default else { return };
    let at = format!("{path}.default");
    let mut pruned = default.clone();
    if !prune::below(&mut pruned, made).is_empty() {
        let shown = json(default, KeyOrder::Sorted);
        faults.push(fault(
            &at,
            format!("Invalid value: {shown}: must not have unknown fields"),
        ));
    }
    faults.extend(validate::alone(default, made, &at));
}

fn kind(schema: &Value, path: &str, faults: &mut Vec<Fault>) -> Type {
    match schema.str_at(&["type"]) {
        None | Some("") => Type::Any,
        Some("object") => Type::Object,
        Some("array") => Type::Array,
        Some("string") => Type::String,
        Some("integer") => Type::Integer,
        Some("number") => Type::Number,
        Some("boolean") => Type::Boolean,
        Some("null") => {
            faults.push(fault(
                format!("{path}.type"),
                "Forbidden: type cannot be set to null, use nullable as an alternative",
            ));
            Type::Any
        }
        Some(other) => {
            faults.push(fault(format!("{path}.type"), format!("Unsupported value: \"{other}\": supported values: \"array\", \"boolean\", \"integer\", \"number\", \"object\", \"string\"")));
            Type::Any
        }
    }
}

fn forbidden(schema: &Value, path: &str, place: Place, faults: &mut Vec<Fault>) {
    if schema.get("uniqueItems").and_then(Value::as_bool) == Some(true) {
        faults.push(fault(format!("{path}.uniqueItems"), "Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic"));
    }
    if schema.get("properties").is_some() && schema.get("additionalProperties").is_some() {
        let extra = schema.get("additionalProperties");
        if extra.and_then(Value::as_bool) == Some(false) {
            faults.push(fault(
                format!("{path}.additionalProperties"),
                "Forbidden: additionalProperties cannot be set to false",
            ));
        } else if extra.and_then(Value::as_bool).is_none() {
            faults.push(fault(
                format!("{path}.additionalProperties"),
                "Forbidden: additionalProperties and properties are mutual exclusive",
            ));
        }
    } else if schema.get("additionalProperties").and_then(Value::as_bool) == Some(false) {
        faults.push(fault(
            format!("{path}.additionalProperties"),
            "Forbidden: additionalProperties cannot be set to false",
        ));
    }
    for key in ["$ref", "$schema", "id"] {
        if schema.get(key).is_some() {
            faults.push(fault(
                format!("{path}.{key}"),
                format!("Forbidden: {key} is not supported"),
            ));
        }
    }
    for key in ["definitions", "dependencies", "patternProperties"] {
        if schema.get(key).is_some() {
            faults.push(fault(
                format!("{path}.{key}"),
                format!("Forbidden: {key} is not supported"),
            ));
        }
    }
    if place == Place::Logic {
        for key in [
            "type",
            "title",
            "description",
            "default",
            "nullable",
            "x-kubernetes-preserve-unknown-fields",
            "x-kubernetes-embedded-resource",
            "additionalProperties",
        ] {
            if schema.get(key).is_some_and(|value| {
                let is_unset = matches!(value, Value::Null | Value::Bool(false));
                let is_arm = key == "type" && int_or_string_arm(schema);
                !is_unset && !is_arm
            }) {
                faults.push(fault(
                    format!("{path}.{key}"),
                    "Forbidden: must be empty to be structural",
                ));
            }
        }
    }
}

/// `anyOf: [{type: integer}, {type: string}]` is how an int-or-string is written out.
fn int_or_string_arm(schema: &Value) -> bool {
    schema
        .as_map()
        .is_some_and(|map| map.len() == 1 && map.contains_key("type"))
        && matches!(schema.str_at(&["type"]), Some("integer" | "string"))
}

fn checks(schema: &Value, path: &str, made: &mut Structural, faults: &mut Vec<Fault>) {
    let texts = |key: &str| -> Vec<Arc<str>> {
        schema
            .get(key)
            .and_then(Value::as_list)
            .unwrap_or(&[])
            .iter()
            .filter_map(Value::as_str)
            .map(Into::into)
            .collect()
    };
    made.required = texts("required");
    made.list_keys = texts("x-kubernetes-list-map-keys");
    made.allowed = schema
        .get("enum")
        .and_then(Value::as_list)
        .unwrap_or(&[])
        .to_vec();
    made.format = schema.str_at(&["format"]).map(Into::into);
    if let Some(pattern) = schema.str_at(&["pattern"]) {
        match Regex::parse(pattern) {
            Ok(regex) => made.pattern = Some((pattern.into(), Arc::new(regex))),
            Err(why) => faults.push(fault(
                format!("{path}.pattern"),
                format!("Invalid value: \"{pattern}\": must be a valid regular expression, but isn't: {why}"),
            )),
        }
    }
    let bound = |key: &str, exclusive: &str| {
        schema.get(key).map(|value| Bound {
            value: value.clone(),
            exclusive: schema.get(exclusive).and_then(Value::as_bool) == Some(true),
        })
    };
    made.minimum = bound("minimum", "exclusiveMinimum");
    made.maximum = bound("maximum", "exclusiveMaximum");
    made.multiple_of = schema.get("multipleOf").cloned();
    let pair = |low: &str, high: &str| (schema.i64_at(&[low]), schema.i64_at(&[high]));
    made.length = pair("minLength", "maxLength");
    made.items_count = pair("minItems", "maxItems");
    made.properties_count = pair("minProperties", "maxProperties");
}

fn children(
    schema: &Value,
    path: &str,
    place: Place,
    depth: u32,
    made: &mut Structural,
    faults: &mut Vec<Fault>,
) {
    let inside = if place == Place::Logic {
        Place::Logic
    } else {
        Place::Field
    };
    let mut properties = SortedMap::new();
    if let Some(map) = schema.get("properties").and_then(Value::as_map) {
        for (name, inner) in map.sorted() {
            let at = format!("{path}.properties[{name}]");
            properties.insert(name.clone(), node(inner, &at, inside, depth + 1, faults));
        }
    }
    made.properties = properties;
    made.additional = match schema.get("additionalProperties") {
        Some(Value::Bool(true)) => Some(Additional::Any),
        Some(inner @ Value::Map(_)) => {
            let at = format!("{path}.additionalProperties");
            Some(Additional::Of(Box::new(node(
                inner,
                &at,
                inside,
                depth + 1,
                faults,
            ))))
        }
        _ => None,
    };
    made.items = match schema.get("items") {
        Some(inner @ Value::Map(_)) => Some(Box::new(node(
            inner,
            &format!("{path}.items"),
            inside,
            depth + 1,
            faults,
        ))),
        Some(Value::List(_)) => {
            faults.push(fault(
                format!("{path}.items"),
                "Forbidden: items must be a schema object and not an array",
            ));
            None
        }
        _ => {
            if made.kind == Type::Array && place != Place::Logic {
                faults.push(fault(
                    format!("{path}.items"),
                    "Required value: must be specified",
                ));
            }
            None
        }
    };
}

fn lists(schema: &Value, path: &str, made: &mut Structural, faults: &mut Vec<Fault>) {
    let at = format!("{path}.x-kubernetes-list-type");
    made.list_type = match schema.str_at(&["x-kubernetes-list-type"]) {
        None => ListType::Atomic,
        Some("atomic") => ListType::Atomic,
        Some("set") => ListType::Set,
        Some("map") => ListType::Map,
        Some(other) => {
            faults.push(fault(
                &at,
                format!(
                    "Unsupported value: \"{other}\": supported values: \"atomic\", \"map\", \"set\""
                ),
            ));
            ListType::Atomic
        }
    };
    if made.list_type != ListType::Atomic && made.kind != Type::Array {
        let shown = made.kind.text();
        faults.push(fault(
            format!("{path}.type"),
            format!(
                "Invalid value: \"{shown}\": must be array if x-kubernetes-list-type is specified"
            ),
        ));
    }
    let keys_at = format!("{path}.x-kubernetes-list-map-keys");
    if made.list_type == ListType::Map {
        if made.list_keys.is_empty() {
            faults.push(fault(
                &keys_at,
                "Required value: must not be empty if x-kubernetes-list-type is map",
            ));
        }
        let item = made.items.as_deref();
        for (index, key) in made.list_keys.iter().enumerate() {
            let property = item.and_then(|item| item.properties.get(key));
            match property {
                None => faults.push(fault(
                    format!("{keys_at}[{index}]"),
                    format!(
                        "Invalid value: \"{key}\": entries must all be names of item properties"
                    ),
                )),
                Some(property) => {
                    let needed = item.is_some_and(|item| item.required.contains(key));
                    if !needed && property.default.is_none() {
                        faults.push(fault(
                            format!("{path}.items.properties[{key}].default"),
                            "Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
                        ));
                    }
                }
            }
        }
    } else if !made.list_keys.is_empty() {
        faults.push(fault(
            &at,
            "Required value: must be map if x-kubernetes-list-map-keys is non-empty",
        ));
    }
    match schema.str_at(&["x-kubernetes-map-type"]) {
        None | Some("granular") => {}
        Some("atomic") => made.atomic_map = true,
        Some(other) => faults.push(fault(
            format!("{path}.x-kubernetes-map-type"),
            format!("Unsupported value: \"{other}\": supported values: \"atomic\", \"granular\""),
        )),
    }
}
