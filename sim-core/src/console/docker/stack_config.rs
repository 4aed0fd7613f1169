//! `docker stack config`: the merged and interpolated file as the legacy loader understood it, short
//! forms written out. Source: docker/cli `cli/command/stack/config.go`, `cli/compose/loader/loader.go`.

use std::sync::Arc;

use crate::manifest::compose::loaded::{Texts, Variables};
use crate::manifest::compose::{interpolate, port, stack_merge, words};
use crate::manifest::decode::scribe::Scribe;
use crate::manifest::explain;
use crate::manifest::lines::Source;
use crate::manifest::value::Value;
use crate::object::print::yaml;

/// Top-level keys in the order of the loader's type; what is not among them follows.
const ORDER: [&str; 6] = [
    "version", "services", "networks", "volumes", "secrets", "configs",
];

/// The version that a file without one is taken to have. Source: `cli/compose/schema/schema.go`.
const NEWEST: &str = "3.13";

/// The text; none if no file has a mapping. Without interpolation variables stay as written.
pub fn config(files: &[Source], variables: Option<&Variables>) -> Option<String> {
    let mut texts = Texts::default();
    let documents: Vec<_> = files
        .iter()
        .filter_map(|file| texts.read(&file.name, &file.text).into_iter().next())
        .collect();
    let scribe = Scribe::new(explain::STACK_WRONG_TYPE, texts.iter());
    let mut merged = None;
    for mut document in documents {
        if let Some(variables) = variables {
            interpolate::tree(&mut document, variables, &scribe);
        }
        merged = Some(match merged {
            None => document,
            Some(base) => stack_merge::merge(base, document),
        });
    }
    let root = merged.filter(|root| root.as_map().is_some())?;
    let mut value = root.to_value();
    if value.get("version").is_none() {
        value.set("version", Value::string(NEWEST));
    }
    if let Some(services) = value.path_mut(&["services"]).and_then(Value::as_map_mut) {
        for (_, service) in services.iter_mut() {
            write_out(service);
        }
    }
    let mut text = String::new();
    for key in ORDER {
        if let Some(part) = value.remove(key) {
            text.push_str(&yaml(&Value::object([(key, part)])));
        }
    }
    if value.as_map().is_some_and(|rest| !rest.is_empty()) {
        text.push_str(&yaml(&value));
    }
    Some(text)
}

/// Writes out a service's short forms.
fn write_out(service: &mut Value) {
    for key in ["command", "entrypoint"] {
        change(service, &[key], |value| {
            words::split(value.as_str()?).map(|words| texts(&words))
        });
    }
    for key in ["dns", "dns_search", "tmpfs", "env_file"] {
        change(service, &[key], |value| {
            Some(Value::list(vec![Value::string(value.as_str()?)]))
        });
    }
    for path in [
        &["environment"][..],
        &["labels"],
        &["deploy", "labels"],
        &["sysctls"],
    ] {
        change(service, path, pairs);
    }
    change(service, &["networks"], |value| {
        let names = value.as_list()?.iter().filter_map(Value::as_str);
        Some(Value::object(names.map(|name| (name, Value::Null))))
    });
    change(service, &["healthcheck", "test"], |value| {
        let line = value.as_str()?;
        Some(texts(&["CMD-SHELL".into(), line.into()]))
    });
    change(service, &["ports"], |value| {
        let ports = value.as_list()?.iter().flat_map(long_ports);
        Some(Value::list(ports.collect()))
    });
    change(service, &["volumes"], |value| {
        let volumes = value.as_list()?.iter().map(long_volume);
        Some(Value::list(volumes.collect()))
    });
    for key in ["secrets", "configs"] {
        change(service, &[key], |value| {
            let grants = value.as_list()?.iter().map(|grant| match grant.as_str() {
                Some(name) => Value::object([("source", Value::string(name))]),
                None => grant.clone(),
            });
            Some(Value::list(grants.collect()))
        });
    }
}

/// Replaces what stands at a path, if it is there and has a short form.
fn change(service: &mut Value, path: &[&str], long: impl Fn(&Value) -> Option<Value>) {
    if let Some(value) = service.path_mut(path)
        && let Some(changed) = long(value)
    {
        *value = changed;
    }
}

fn texts(words: &[Arc<str>]) -> Value {
    Value::list(words.iter().map(|word| Value::string(word)).collect())
}

/// `KEY=VALUE` lines, or a mapping with values of any kind, as a mapping of texts.
fn pairs(value: &Value) -> Option<Value> {
    if let Some(lines) = value.as_list() {
        let pairs = lines.iter().filter_map(Value::as_str).map(|line| {
            let (key, text) = line.split_once('=').unzip();
            (key.unwrap_or(line), text.map_or(Value::Null, Value::string))
        });
        return Some(Value::object(pairs));
    }
    let pairs = value.as_map()?.iter().map(|(key, value)| {
        let text = match value {
            Value::Null | Value::List(_) | Value::Map(_) | Value::String(_) => value.clone(),
            Value::Bool(truth) => Value::string(&truth.to_string()),
            Value::Int(number) => Value::string(&number.to_string()),
            Value::Number(number) => Value::String(number.clone()),
        };
        (key.clone(), text)
    });
    Some(Value::object(pairs))
}

fn long_ports(value: &Value) -> Vec<Value> {
    let text = match value {
        Value::Int(number) => number.to_string(),
        Value::String(text) => text.to_string(),
        _ => return vec![value.clone()],
    };
    let Ok(ports) = port::parse(&text) else {
        return vec![value.clone()];
    };
    let long = ports.into_iter().map(|port| {
        let mut long = Value::object([
            ("mode", Value::string("ingress")),
            ("target", Value::Int(i64::from(port.target))),
        ]);
        if let Some(published) = port.published {
            long.set("published", Value::Int(i64::from(published.first)));
        }
        long.set(
            "protocol",
            Value::string(port::protocol_word(port.protocol)),
        );
        long
    });
    long.collect()
}

/// `source:target:ro` in its long form; a name is a volume, a path is bound.
fn long_volume(value: &Value) -> Value {
    let Some(text) = value.as_str() else {
        return value.clone();
    };
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, mode) = match parts.as_slice() {
        [target] => (None, *target, ""),
        [source, target] => (Some(*source), *target, ""),
        [source, target, mode, ..] => (Some(*source), *target, *mode),
        [] => (None, "", ""),
    };
    let is_path = source.is_some_and(|source| source.starts_with(['/', '.', '~']));
    let mut long = Value::object([(
        "type",
        Value::string(if is_path { "bind" } else { "volume" }),
    )]);
    if let Some(source) = source {
        long.set("source", Value::string(source));
    }
    long.set("target", Value::string(target));
    if mode.split(',').any(|word| word == "ro") {
        long.set("read_only", Value::Bool(true));
    }
    long
}
