//! ConfigMaps and Secrets that a kustomization generates, and the digests in their names.
//! Sources: `sigs.k8s.io/kustomize/api/{internal/generators,hasher,kv}`.

use crate::base::arrange::Arrange;
use crate::base::base64;
use crate::base::sha256;
use crate::console::kubectl::name_of;
use crate::console::kubectl::problem::Problem;
use crate::manifest::value::Value;
use crate::object::print::{KeyOrder, json};

use super::{Given, inside, list, text};

/// Annotation that marks an object until the end of a build, as kustomize's own does.
const NEEDS_HASH: &str = "internal.config.kubernetes.io/needsHashSuffix";

/// Adds what a kustomization generates, or merges it into what is there.
///
/// # Errors
/// Files that are not there, pairs that are none, and objects to merge with that are not there.
pub(super) fn generate(
    given: Given<'_>,
    folder: &str,
    plan: &Value,
    objects: &mut Vec<Value>,
) -> Result<(), Problem> {
    for (field, kind) in [
        ("configMapGenerator", "ConfigMap"),
        ("secretGenerator", "Secret"),
    ] {
        for entry in list(plan, field) {
            let made = one(given, folder, plan, entry, kind)?;
            let behavior = text(entry, &["behavior"]);
            let there = objects.iter_mut().find(|object| {
                text(object, &["kind"]) == kind && name_of(object) == name_of(&made)
            });
            match (behavior, there) {
                ("" | "unspecified" | "create", None) => objects.push(made),
                ("" | "unspecified" | "create", Some(_)) => {
                    return Err(Problem::error(format!(
                        "id resid.ResId{{Kind:\"{kind}\", Name:\"{}\"}} exists; behavior must be merge or replace",
                        name_of(&made)
                    )));
                }
                ("replace", Some(there)) => *there = made,
                ("merge", Some(there)) => merge(there, &made),
                ("replace" | "merge", None) => {
                    return Err(Problem::error(format!(
                        "id resid.ResId{{Kind:\"{kind}\", Name:\"{}\"}} does not exist; cannot merge or replace",
                        name_of(&made)
                    )));
                }
                (other, _) => {
                    return Err(Problem::error(format!("unknown behavior \"{other}\"")));
                }
            }
        }
    }
    Ok(())
}

fn merge(there: &mut Value, made: &Value) {
    for path in [
        &["data"][..],
        &["metadata", "labels"],
        &["metadata", "annotations"],
    ] {
        let map = made.path(path).and_then(Value::as_map);
        for (key, value) in map.unwrap_or_default().iter() {
            let full: Vec<&str> = path.iter().copied().chain([&**key]).collect();
            there.set_path(&full, value.clone());
        }
    }
}

fn one(
    given: Given<'_>,
    folder: &str,
    plan: &Value,
    entry: &Value,
    kind: &str,
) -> Result<Value, Problem> {
    let name = text(entry, &["name"]);
    if name.is_empty() {
        return Err(Problem::error("missing name in generator args"));
    }
    let mut object = Value::object([("apiVersion", Value::from("v1")), ("kind", kind.into())]);
    object.set_path(&["metadata", "name"], name.into());
    let namespace = text(entry, &["namespace"]);
    if !namespace.is_empty() {
        object.set_path(&["metadata", "namespace"], namespace.into());
    }
    if kind == "Secret" {
        let own = text(entry, &["type"]);
        object.set("type", if own.is_empty() { "Opaque" } else { own }.into());
    }
    for (key, value) in pairs(given, folder, entry)? {
        if object.path(&["data", &key]).is_some() {
            return Err(Problem::error(format!(
                "configmap {name} illegally repeats the key `{key}`"
            )));
        }
        let value = if kind == "Secret" {
            base64::encode(value.as_bytes())
        } else {
            value
        };
        object.set_path(&["data", &key], value.into());
    }
    let mut hashed = true;
    for options in [plan.get("generatorOptions"), entry.get("options")] {
        let Some(options) = options else { continue };
        for field in ["labels", "annotations"] {
            let map = options.get(field).and_then(Value::as_map);
            for (key, value) in map.unwrap_or_default().iter() {
                object.set_path(&["metadata", field, key], value.clone());
            }
        }
        let on = |field: &str| options.get(field).and_then(Value::as_bool);
        hashed = on("disableNameSuffixHash").map_or(hashed, |off| !off);
        if on("immutable") == Some(true) {
            object.set("immutable", true.into());
        }
    }
    if hashed {
        object.set_path(&["metadata", "annotations", NEEDS_HASH], "enabled".into());
    }
    Ok(object)
}

/// Keys and values of literals, files and files of variables.
fn pairs(given: Given<'_>, folder: &str, entry: &Value) -> Result<Vec<(String, String)>, Problem> {
    let read = |path: &str| {
        let found = given.own(folder, path).map(ToString::to_string);
        found.map_err(|why| {
            let path = inside(folder, path);
            Problem::error(format!("loading KV pairs: file sources: [{path}]: {why}"))
        })
    };
    let mut found = Vec::new();
    for source in list(entry, "literals") {
        let literal = source.as_str().unwrap_or("");
        let (key, value) = literal.split_once('=').ok_or_else(|| {
            Problem::error(format!(
                "invalid literal source {literal}, expected key=value"
            ))
        })?;
        found.push((key.to_owned(), unquoted(value).to_owned()));
    }
    for source in list(entry, "files") {
        let source = source.as_str().unwrap_or("");
        let (key, path) = source
            .split_once('=')
            .unwrap_or((source.rsplit('/').next().unwrap_or(source), source));
        found.push((key.to_owned(), read(path)?));
    }
    let single = entry.get("env").into_iter();
    for source in single.chain(list(entry, "envs")) {
        for line in read(source.as_str().unwrap_or(""))?.lines() {
            let line = line.trim_start();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (key, value) = match line.split_once('=') {
                Some((key, value)) => (key, value.to_owned()),
                // A name alone takes the value of the environment.
                None => {
                    let own = given.environment.get(line);
                    (line, own.cloned().unwrap_or_default())
                }
            };
            found.push((key.to_owned(), value));
        }
    }
    Ok(found)
}

fn unquoted(value: &str) -> &str {
    for quote in ['\'', '"'] {
        let inner = value.strip_prefix(quote);
        if let Some(inner) = inner.and_then(|rest| rest.strip_suffix(quote)) {
            return inner;
        }
    }
    value
}

/// Ends a build: marked objects get their digest, and what refers to them is renamed.
pub(super) fn finish(objects: &mut [Value]) {
    let mut renamed = Vec::new();
    for object in objects.iter_mut() {
        let path = ["metadata", "annotations", NEEDS_HASH];
        if object.remove_path(&path).is_none() {
            continue;
        }
        let annotations = ["metadata", "annotations"];
        let map = object.path(&annotations).and_then(Value::as_map);
        if map.is_some_and(|map| map.is_empty()) {
            object.remove_path(&annotations);
        }
        let old = name_of(object).to_owned();
        let new = format!("{old}-{}", digest(object));
        object.set_path(&["metadata", "name"], new.as_str().into());
        renamed.push((text(object, &["kind"]).to_owned(), old, new));
    }
    if !renamed.is_empty() {
        for object in objects {
            super::refer(object, &renamed);
        }
    }
}

/// Ten letters that stand for the contents. The name is not among them: upstream looks for it under a
/// path that no object has. Source: `api/hasher/hasher.go`.
fn digest(object: &Value) -> String {
    let kind = text(object, &["kind"]);
    let data = object.get("data").cloned().unwrap_or_else(|| "".into());
    let mut encoded = Value::object([("data", data), ("kind", kind.into()), ("name", "".into())]);
    if kind == "Secret" {
        encoded.set("type", text(object, &["type"]).into());
    }
    // As Go's encoder writes texts: safe inside HTML.
    let written = json(&encoded, KeyOrder::Sorted)
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026");
    sha256::sha256(written.as_bytes())
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .take(10)
        .map(|digit| match digit {
            0 => 'g',
            1 => 'h',
            3 => 'k',
            10 => 'm',
            14 => 't',
            other => char::from_digit(u32::from(other), 16).unwrap_or('?'),
        })
        .collect()
}

/// Kinds that come first, in this order, and last; others between by name.
/// Source: `api/internal/builtins/SortOrderTransformer.go`.
const FIRST: [&str; 22] = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

/// Puts objects into the order in which they are printed and applied.
pub(super) fn sort(objects: &mut [Value]) {
    objects.arrange_by_key(|object| {
        let kind = text(object, &["kind"]).to_owned();
        let place = FIRST.iter().position(|known| *known == kind);
        let last = kind.ends_with("WebhookConfiguration");
        (
            last,
            place.unwrap_or(FIRST.len()),
            kind,
            text(object, &["metadata", "namespace"]).to_owned(),
            name_of(object).to_owned(),
        )
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of upstream's `hasher_test.go`.
    #[test]
    fn digests_are_upstreams() {
        for (text, expected) in [
            (r#"{"kind":"ConfigMap"}"#, "6ct58987ht"),
            (r#"{"kind":"ConfigMap","data":{"one":""}}"#, "9g67k2htb6"),
            (
                r#"{"kind":"ConfigMap","data":{"two":"2","one":"","three":"3"}}"#,
                "f5h7t85m9b",
            ),
            (
                r#"{"kind":"Secret","type":"my-type","data":{"one":""}}"#,
                "74bd68bm66",
            ),
        ] {
            assert_eq!(digest(&Value::parse_json(text).expect("JSON")), expected);
        }
    }
}
