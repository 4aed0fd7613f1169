//! A merged project in canonical form: what `docker compose config` prints.
//!
//! Short forms are expanded, casts are done, paths are absolute, names have the project's prefix.
//! Keys stand in the order in which the real tool's encoder writes them: that of compose-go's
//! structures (`types/types.go`, `types/project.go`), maps by key. The rules of expansion are those
//! of `transform/canonical.go` and `loader/normalize.go`.

pub mod shape;

use std::sync::Arc;

use crate::api::compose::service::Service;
use crate::base::arrange::Arrange;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::manifest::compose::loaded::{Variables, relative};
use crate::manifest::compose::part::truth_of;
use crate::manifest::decode::duration;
use crate::manifest::json::write_string;
use crate::manifest::tree::{Node, NodeValue};
use crate::manifest::value::{Map, Value};

use shape::{Field, REQUEST, SERVICE, Shape};

/// Where a project lies, and what its values are resolved with.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// Project name.
    pub project: &'a str,
    /// Folder that relative paths are seen from, absolute.
    pub folder: &'a str,
    /// Variables of the environment.
    pub variables: &'a Variables,
}

/// One service in canonical form. `read` is the same service as the decoder has it: its environment
/// holds what `env_file` gives.
pub fn service(node: &Node, read: &Service, place: Place<'_>) -> Value {
    let mut map = object(node, SERVICE, place);
    let mut environment: SortedMap<&str, Value> = read
        .environment
        .iter()
        .map(|(key, value)| (&**key, Value::string(value)))
        .collect();
    // A name without a value anywhere stays, as null: the container is not given it.
    let written = node.get("environment").map(pairs).unwrap_or_default();
    for (key, _) in &written {
        environment.entry(key).or_insert(Value::Null);
    }
    place_at(
        &mut map,
        "environment",
        (!environment.is_empty()).then(|| Value::object(environment)),
    );
    // Files of labels are dropped for what they give.
    if node.get("label_file").is_some() {
        let labels = read.labels.iter();
        let labels = labels.map(|(key, value)| (key.clone(), Value::string(value)));
        place_at(&mut map, "labels", Some(Value::object(labels)));
    }
    let depends_on = read.depends_on.iter().map(|(name, dependency)| {
        use crate::api::compose::service::DependencyCondition as Condition;
        let condition = match dependency.condition {
            Condition::Started => "service_started",
            Condition::Healthy => "service_healthy",
            Condition::CompletedSuccessfully => "service_completed_successfully",
        };
        let mut entry = vec![("condition", Value::string(condition))];
        if dependency.restart {
            entry.push(("restart", Value::Bool(true)));
        }
        entry.push(("required", Value::Bool(dependency.required)));
        (name.clone(), Value::object(entry))
    });
    let depends_on = Value::object(depends_on);
    place_at(
        &mut map,
        "depends_on",
        Some(depends_on).filter(|value| !is_zero(value)),
    );
    if map.get("networks").is_none() && !read.networks.is_empty() {
        let joined = read.networks.iter().map(|name| (name.clone(), Value::Null));
        place_at(&mut map, "networks", Some(Value::object(joined)));
    }
    Value::from(map)
}

/// A value as compact JSON, keys as stored.
pub fn text(value: &Value) -> Arc<str> {
    let mut out = String::new();
    write(&mut out, value);
    out.into()
}

fn write(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Number(text) => out.push_str(text),
        Value::String(text) => write_string(out, text, false),
        Value::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(out, item);
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (index, (key, item)) in map.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_string(out, key, false);
                out.push(':');
                write(out, item);
            }
            out.push('}');
        }
    }
}

/// Puts a value at the place of its key in the order of a service's fields; `None` takes it away.
fn place_at(map: &mut Map, key: &str, value: Option<Value>) {
    let order = |name: &str| SERVICE.iter().position(|field| field.name == name);
    let mut changed = Map::new();
    let mut value = value;
    for (name, old) in map.iter() {
        if &**name == key {
            continue;
        }
        if value.is_some()
            && order(name).unwrap_or(usize::MAX) > order(key).unwrap_or(usize::MAX)
            && let Some(new) = value.take()
        {
            changed.insert(key, new);
        }
        changed.insert(name, old.clone());
    }
    if let Some(new) = value {
        changed.insert(key, new);
    }
    *map = changed;
}

/// Networks, volumes, secrets or configs of the top level; only those that `used` names, if it does.
pub fn resources(
    root: &Node,
    key: &str,
    fields: &'static [Field],
    used: Option<&SortedSet<Arc<str>>>,
    place: Place<'_>,
) -> Value {
    let none = Node::new(NodeValue::Null, root.span);
    let mut found: SortedMap<Arc<str>, Value> = SortedMap::new();
    for entry in root.get(key).and_then(Node::as_map).unwrap_or_default() {
        if used.is_none_or(|used| used.contains(&entry.key.text)) {
            let value = resource(&entry.key.text, &entry.value, fields, place);
            found.insert(entry.key.text.clone(), value);
        }
    }
    if key == "networks" && used.is_some_and(|used| used.contains("default")) {
        found
            .entry("default".into())
            .or_insert_with(|| resource("default", &none, fields, place));
    }
    Value::object(found)
}

fn resource(key: &str, node: &Node, fields: &'static [Field], place: Place<'_>) -> Value {
    let mut map = object(node, fields, place);
    let external = node.get("external");
    let outside = external.is_some_and(|node| {
        node.as_map().is_some() || node.scalar_text().as_deref() == Some("true")
    });
    let old_name = external
        .and_then(|node| node.get("name"))
        .and_then(Node::scalar_text);
    let name = node.get("name").and_then(Node::scalar_text).or(old_name);
    let name = match name {
        Some(name) => name,
        None if outside => key.into(),
        None => format!("{}_{key}", place.project).into(),
    };
    map.remove("name");
    map.remove("external");
    let mut all = Map::new();
    all.insert("name", Value::String(name));
    for field in fields {
        if field.name == "external" && outside {
            all.insert("external", Value::Bool(true));
        } else if let Some(value) = map.remove(field.name) {
            all.insert(field.name, value);
        }
    }
    for (key, value) in map.iter() {
        all.insert(key, value.clone());
    }
    Value::from(all)
}

/// A mapping by its fields, then the author's own keys.
fn object(node: &Node, fields: &'static [Field], place: Place<'_>) -> Map {
    let mut map = Map::new();
    for field in fields {
        let Some(inner) = node.get(field.name).filter(|inner| !inner.is_null()) else {
            continue;
        };
        let value = expand(inner, &field.shape, place);
        // The encoder leaves out what is zero, but not a pointer to it.
        if field.keeps_zero || !is_zero(&value) {
            map.insert(field.name, value);
        }
    }
    let mut own: Vec<_> = node
        .as_map()
        .unwrap_or_default()
        .iter()
        .filter(|entry| entry.key.text.starts_with("x-"))
        .collect();
    own.arrange_by(|one, two| one.key.text.cmp(&two.key.text));
    for entry in own {
        map.insert(&entry.key.text, entry.value.to_value());
    }
    map
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) | Value::Int(0) => true,
        Value::Bool(true) | Value::Int(_) => false,
        Value::Number(text) => text.bytes().all(|byte| matches!(byte, b'0' | b'.')),
        Value::String(text) => text.is_empty(),
        Value::List(items) => items.is_empty(),
        Value::Map(map) => map.is_empty(),
    }
}

/// A value by its shape. What does not fit stays as it is: the checks have told about it.
fn expand(node: &Node, shape: &'static Shape, place: Place<'_>) -> Value {
    let text = || node.scalar_text().unwrap_or_else(|| "".into());
    match shape {
        Shape::Text => match node.scalar_text() {
            Some(text) => Value::String(text),
            None => node.to_value(),
        },
        Shape::Whole => whole(node),
        Shape::Decimal => decimal(&text()).unwrap_or_else(|| node.to_value()),
        Shape::Flag => truth_of(node).map_or_else(|| node.to_value(), Value::Bool),
        Shape::Bytes => match bytes(&text()) {
            Some(0) => Value::Int(0),
            Some(bytes) => Value::string(&bytes.to_string()),
            None => node.to_value(),
        },
        Shape::Span => match duration::parse(&text()) {
            Ok(span) => Value::string(&span.exact()),
            Err(_) => node.to_value(),
        },
        Shape::Mode => mode(node),
        Shape::Path => Value::string(&absolute(&text(), place)),
        Shape::Texts => Value::list(texts(node).into_iter().map(Value::String).collect()),
        Shape::Command => command(node),
        Shape::Test => test(node),
        Shape::Pairs => Value::object(pairs_sorted(node).into_iter().map(|(key, value)| {
            let value = value.unwrap_or_else(|| "".into());
            (key, Value::String(value))
        })),
        Shape::Arguments => {
            let known = pairs_sorted(node).into_iter().filter_map(|(key, value)| {
                let value = value.or_else(|| place.variables.get(&key).cloned())?;
                Some((key, Value::String(value)))
            });
            Value::object(known)
        }
        Shape::Hosts => hosts(node),
        Shape::Ports => ports(node, place),
        Shape::Mount => mount(node, place),
        Shape::Device => device(node, place),
        Shape::Requests => {
            let one = std::slice::from_ref(node);
            let requests = node.as_seq().unwrap_or(one).iter();
            Value::list(requests.map(|item| request(item, place)).collect())
        }
        Shape::Secret | Shape::Config => grant(node, shape, place),
        Shape::Limit => limit(node),
        Shape::Build => build(node, place),
        Shape::Object(fields) => Value::from(object(node, fields, place)),
        Shape::List(inner) => Value::list(
            node.as_seq()
                .unwrap_or_default()
                .iter()
                .map(|item| expand(item, inner, place))
                .collect(),
        ),
        Shape::MapOf(inner) => map_of(node, inner, place),
        Shape::Any => node.to_value(),
    }
}

/// A request for devices: of all of them if it neither counts nor names them. Source: compose-go
/// `transform/devices.go`, `types/device.go`.
fn request(node: &Node, place: Place<'_>) -> Value {
    let mut map = object(node, REQUEST, place);
    let count = node.get("count");
    let is_all = match count.and_then(Node::as_str) {
        Some(text) => text.eq_ignore_ascii_case("all"),
        None => count.is_none() && node.get("device_ids").is_none(),
    };
    if !is_all {
        return Value::from(map);
    }
    let mut all = Map::new();
    for field in REQUEST {
        let value = map.remove(field.name);
        let value = (field.name == "count").then_some(Value::Int(-1)).or(value);
        if let Some(value) = value {
            all.insert(field.name, value);
        }
    }
    Value::from(all)
}

fn whole(node: &Node) -> Value {
    match node.scalar_text().and_then(|text| text.trim().parse().ok()) {
        Some(number) => Value::Int(number),
        None => node.to_value(),
    }
}

/// A decimal number as the encoder writes it: no zeros at the end.
fn decimal(text: &str) -> Option<Value> {
    let text = text.trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() {
        return whole.parse().ok().map(Value::Int);
    }
    Some(Value::Number(format!("{whole}.{fraction}").into()))
}

fn bytes(text: &str) -> Option<i64> {
    match text.trim().parse() {
        Ok(number) => Some(number),
        Err(_) => crate::manifest::decode::amount::parse_bytes(text)
            .and_then(|bytes| i64::try_from(bytes).ok()),
    }
}

/// File modes are octal, also as text.
fn mode(node: &Node) -> Value {
    let number = match &node.value {
        NodeValue::Int(number) => Some(*number),
        NodeValue::Str { text, .. } => i64::from_str_radix(text.trim_start_matches("0o"), 8).ok(),
        _ => None,
    };
    match number {
        Some(number) => Value::string(&format!("0{number:o}")),
        None => node.to_value(),
    }
}

/// A path from the project's folder, absolute.
pub fn absolute(path: &str, place: Place<'_>) -> String {
    if path.starts_with('/') || path.starts_with('~') || path.contains("://") {
        return path.to_owned();
    }
    relative(&format!("{}/file", place.folder), path)
}

/// A text, or a list of scalars.
fn texts(node: &Node) -> Vec<Arc<str>> {
    match node.as_seq() {
        Some(items) => items.iter().filter_map(Node::scalar_text).collect(),
        None => node.scalar_text().into_iter().collect(),
    }
}

fn command(node: &Node) -> Value {
    let words = match node.as_seq() {
        Some(_) => texts(node),
        None => crate::manifest::compose::words::split(&node.scalar_text().unwrap_or_default())
            .unwrap_or_default(),
    };
    Value::list(words.into_iter().map(Value::String).collect())
}

fn test(node: &Node) -> Value {
    match node.as_seq() {
        Some(_) => Value::list(texts(node).into_iter().map(Value::String).collect()),
        None => {
            let line = node.scalar_text().unwrap_or_default();
            Value::list(vec![Value::string("CMD-SHELL"), Value::String(line)])
        }
    }
}

/// `K: V` or a list of `K=V`, in the order written.
fn pairs(node: &Node) -> Vec<(Arc<str>, Option<Arc<str>>)> {
    let whole = crate::manifest::compose::merge::key_values(node.clone());
    whole
        .as_map()
        .unwrap_or_default()
        .iter()
        .map(|entry| (entry.key.text.clone(), entry.value.scalar_text()))
        .collect()
}

fn pairs_sorted(node: &Node) -> SortedMap<Arc<str>, Option<Arc<str>>> {
    pairs(node).into_iter().collect()
}

/// `extra_hosts`: `host=address`, sorted.
fn hosts(node: &Node) -> Value {
    let mut lines: Vec<String> = Vec::new();
    match node.as_map() {
        Some(entries) => {
            for entry in entries {
                for address in texts(&entry.value) {
                    lines.push(format!("{}={address}", entry.key.text));
                }
            }
        }
        None => {
            for text in texts(node) {
                let split = text.split_once('=').or_else(|| text.split_once(':'));
                let (host, addresses) = split.unwrap_or((&text, ""));
                lines.extend(
                    addresses
                        .split(',')
                        .map(|address| format!("{host}={}", address.trim_matches(['[', ']']))),
                );
            }
        }
    }
    lines.arrange();
    lines.dedup();
    Value::list(lines.iter().map(|line| Value::string(line)).collect())
}

fn ports(node: &Node, place: Place<'_>) -> Value {
    let mut found: Vec<Value> = Vec::new();
    for item in node.as_seq().unwrap_or_default() {
        if item.as_map().is_some() {
            let written = object(item, shape::PORT, place);
            let mut map = Map::new();
            for field in shape::PORT {
                let default = match field.name {
                    "mode" => Some("ingress"),
                    "protocol" => Some("tcp"),
                    _ => None,
                };
                match (written.get(field.name), default) {
                    (Some(value), _) => {
                        map.insert(field.name, value.clone());
                    }
                    (None, Some(default)) => {
                        map.insert(field.name, Value::string(default));
                    }
                    (None, None) => {}
                }
            }
            found.push(Value::from(map));
            continue;
        }
        let text = item.scalar_text().unwrap_or_default();
        for port in crate::manifest::compose::port::parse(&text).unwrap_or_default() {
            let mut map = vec![("mode", Value::string("ingress"))];
            if !port.host_ip.is_empty() {
                map.push(("host_ip", Value::String(port.host_ip.clone())));
            }
            map.push(("target", Value::Int(i64::from(port.target))));
            if let Some(range) = port.published {
                let text = if range.first == range.last {
                    range.first.to_string()
                } else {
                    format!("{}-{}", range.first, range.last)
                };
                map.push(("published", Value::string(&text)));
            }
            let protocol = crate::manifest::compose::port::protocol_word(port.protocol);
            map.push(("protocol", Value::string(protocol)));
            found.push(Value::object(map));
        }
    }
    let mut once: Vec<Value> = Vec::new();
    for port in found {
        if !once.contains(&port) {
            once.push(port);
        }
    }
    Value::list(once)
}

fn mount(node: &Node, place: Place<'_>) -> Value {
    if node.as_map().is_some() {
        let mut map = object(node, shape::MOUNT, place);
        let is_bind = map.get("type").and_then(Value::as_str) == Some("bind");
        if let (true, Some(source)) = (is_bind, map.get("source").and_then(Value::as_str)) {
            let source = absolute(source, place);
            map.insert("source", Value::string(&source));
        }
        // An optional switch that is on when absent.
        if node
            .path(&["bind", "create_host_path"])
            .is_some_and(|on| on.as_bool() == Some(false))
        {
            let mut bind = map
                .get("bind")
                .and_then(Value::as_map)
                .cloned()
                .unwrap_or_default();
            bind.insert("create_host_path", Value::Bool(false));
            map.insert("bind", Value::from(bind));
        }
        return Value::from(map);
    }
    let text = node.scalar_text().unwrap_or_default();
    let mut parts = text.splitn(3, ':');
    let first = parts.next().unwrap_or("");
    let (source, target, options) = match parts.next() {
        None => ("", first, ""),
        Some(target) => (first, target, parts.next().unwrap_or("")),
    };
    let is_path = source.starts_with(['.', '/', '~']);
    let mut map = Map::new();
    map.insert(
        "type",
        Value::string(if is_path { "bind" } else { "volume" }),
    );
    if !source.is_empty() {
        let source = if is_path {
            absolute(source, place)
        } else {
            source.to_owned()
        };
        map.insert("source", Value::string(&source));
    }
    map.insert("target", Value::string(&clean(target)));
    let mut bind = Map::new();
    let mut volume = Map::new();
    for option in options.split(',') {
        match option {
            "ro" => {
                map.insert("read_only", Value::Bool(true));
            }
            "nocopy" => {
                volume.insert("nocopy", Value::Bool(true));
            }
            "z" | "Z" => {
                bind.insert("selinux", Value::string(option));
            }
            "rprivate" | "private" | "rshared" | "shared" | "rslave" | "slave" => {
                bind.insert("propagation", Value::string(option));
            }
            _ => {}
        }
    }
    if is_path {
        map.insert("bind", Value::from(bind));
    } else {
        map.insert("volume", Value::from(volume));
    }
    Value::from(map)
}

/// A path without doubled or trailing slashes. Source: Go `path.Clean`.
fn clean(path: &str) -> String {
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !matches!(*part, "" | "."))
        .collect();
    format!(
        "{}{}",
        if path.starts_with('/') { "/" } else { "" },
        parts.join("/")
    )
}

fn device(node: &Node, place: Place<'_>) -> Value {
    if node.as_map().is_some() {
        return Value::from(object(node, shape::DEVICE, place));
    }
    let text = node.scalar_text().unwrap_or_default();
    let mut parts = text.split(':');
    let source = parts.next().unwrap_or("");
    let target = parts.next().unwrap_or(source);
    let permissions = parts.next().unwrap_or("rwm");
    Value::object([
        ("source", Value::string(source)),
        ("target", Value::string(target)),
        ("permissions", Value::string(permissions)),
    ])
}

fn grant(node: &Node, shape: &'static Shape, place: Place<'_>) -> Value {
    let mut map = if node.as_map().is_some() {
        object(node, shape::GRANT, place)
    } else {
        let mut map = Map::new();
        map.insert(
            "source",
            Value::String(node.scalar_text().unwrap_or_default()),
        );
        map
    };
    if matches!(shape, Shape::Secret) && map.get("target").is_none() {
        let source = map
            .get("source")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let target = format!("/run/secrets/{source}");
        let mut all = Map::new();
        for (key, value) in map.iter() {
            all.insert(key, value.clone());
            if &**key == "source" {
                all.insert("target", Value::string(&target));
            }
        }
        map = all;
    }
    Value::from(map)
}

fn limit(node: &Node) -> Value {
    match node.as_map() {
        Some(_) => {
            let part = |key: &str| node.get(key).map_or(Value::Int(0), whole);
            Value::object([("soft", part("soft")), ("hard", part("hard"))])
        }
        None => whole(node),
    }
}

fn build(node: &Node, place: Place<'_>) -> Value {
    let mut map = if node.as_map().is_some() {
        object(node, shape::BUILD, place)
    } else {
        let mut map = Map::new();
        let context = node.scalar_text().unwrap_or_default();
        map.insert("context", Value::string(&absolute(&context, place)));
        map
    };
    let mut all = Map::new();
    let context = map.remove("context");
    all.insert(
        "context",
        context.unwrap_or_else(|| Value::string(&absolute(".", place))),
    );
    if map.get("dockerfile").is_none() && map.get("dockerfile_inline").is_none() {
        all.insert("dockerfile", Value::string("Dockerfile"));
    }
    for (key, value) in map.iter() {
        all.insert(key, value.clone());
    }
    Value::from(all)
}

fn map_of(node: &Node, inner: &'static Shape, place: Place<'_>) -> Value {
    let mut found: SortedMap<Arc<str>, Value> = SortedMap::new();
    match node.as_map() {
        Some(entries) => {
            for entry in entries {
                let value = expand(&entry.value, inner, place);
                let value = if is_zero(&value) { Value::Null } else { value };
                found.insert(entry.key.text.clone(), value);
            }
        }
        None => {
            for name in texts(node) {
                found.insert(name, Value::Null);
            }
        }
    }
    Value::object(found)
}
