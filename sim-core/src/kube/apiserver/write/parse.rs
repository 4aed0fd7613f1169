//! A request's object: read, defaulted, validated, pruned; and what the server says of it before it
//! writes anything.

use std::sync::Arc;

use crate::base::sentence::Sentence;
use crate::base::sentence::passage::{Passage, Stretch};
use crate::kube::apiserver::refusal::cause;
use crate::kube::apiserver::{Cause, Refusal, admission, api_services, custom, known, read};
use crate::kube::kinds::Kind;
use crate::kube::store::document::DocumentKey;
use crate::kube::turn::Turn;
use crate::manifest::decode::kube::decode_value;
use crate::manifest::decode::kube::defaults::apply_defaults;
use crate::manifest::diagnostic::Severity;
use crate::manifest::schema::prune;
use crate::manifest::value::Value;
use crate::object::structural;

use super::{Custom, Parsed};

/// A custom object without what its generation does not count.
pub(super) fn without_meta(value: &Value) -> Value {
    let mut value = value.clone();
    value.remove("metadata");
    value.remove("apiVersion");
    value
}

/// Whether a PUT must say which version it replaces.
/// Source: `AllowUnconditionalUpdate` of `pkg/registry/*/*/strategy.go`.
pub(super) fn must_state_version(kind: &Kind) -> bool {
    kind.custom
        || matches!(
            kind.kind,
            "CustomResourceDefinition" | "PodDisruptionBudget" | "Lease" | "RuntimeClass"
        )
}

/// A written CustomResourceDefinition is what requests are served by from now on.
pub(in crate::kube::apiserver) fn define(
    kind: &Kind,
    key: &DocumentKey,
    value: &mut Value,
    turn: &mut Turn<'_, '_>,
) -> Result<(), Refusal> {
    if kind.kind != "CustomResourceDefinition" {
        return Ok(());
    }
    custom::apply_defaults(value);
    let refused = |causes| Refusal::invalid(kind, &key.name, causes);
    let old = turn.store.documents().get(key);
    let old = old.and_then(|old| old.value.get("status").cloned());
    let status = custom::remember(old.unwrap_or_default(), value);
    let definition = custom::check(value).map_err(refused)?;
    let causes = custom::check_stored(&status, value);
    if !causes.is_empty() {
        return Err(refused(causes));
    }
    value.set("status", status);
    turn.store.definitions_mut().insert(definition);
    api_services::sync(turn);
    Ok(())
}

/// An object as the server's decoder hands it on: known fields and their defaults, nothing that
/// admission or allocation adds later.
pub(in crate::kube::apiserver) fn defaulted(
    object: &Value,
    namespace: &str,
    turn: &Turn<'_, '_>,
) -> Option<Value> {
    let parsed = parse(object, namespace, Old::Stored, turn).ok()?;
    Some(without_allocated(object, parsed.value))
}

/// The same of what [`parse`] made of an object.
pub(in crate::kube::apiserver) fn without_allocated(object: &Value, mut value: Value) -> Value {
    if value.str_at(&["kind"]) == Some("Service") {
        for field in ["ipFamilies", "ipFamilyPolicy"] {
            if object.path(&["spec", field]).is_none() {
                value.remove_path(&["spec", field]);
            }
        }
    }
    value
}

/// What an object that is written is compared with by rules about changes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::kube::apiserver) enum Old {
    /// Nothing: it is new.
    None,
    /// The one that is stored.
    Stored,
}

/// Drops what a set asks for that its feature gate does not let it, unless it is stored already.
/// Source: `pkg/registry/apps/statefulset/strategy.go` (`dropStatefulSetDisabledFields`).
fn drop_disabled(value: &mut Value, kind: &Kind, name: &Arc<str>, turn: &Turn<'_, '_>) {
    let path = ["spec", "updateStrategy", "rollingUpdate", "maxUnavailable"];
    let namespace = value.str_at(&["metadata", "namespace"]).unwrap_or("");
    let key = DocumentKey {
        resource: kind.resource().into(),
        namespace: namespace.into(),
        name: name.clone(),
    };
    let stored = turn.store.documents().get(&key);
    if stored.is_none_or(|stored| stored.value.path(&path).is_none()) {
        value.remove_path(&path);
    }
}

/// Reads a request's object, with its defaults and without what its kind does not know.
pub(in crate::kube::apiserver) fn parse(
    object: &Value,
    namespace: &str,
    old: Old,
    turn: &Turn<'_, '_>,
) -> Result<Parsed, Refusal> {
    let api_version = object.str_at(&["apiVersion"]).unwrap_or("");
    let kind_name = object.str_at(&["kind"]).unwrap_or("");
    let Some(kind) = turn.store.kind_of_object(api_version, kind_name) else {
        return Err(Refusal::no_such_resource());
    };
    let mut value = crate::kube::kinds::convert::to_stored(object);
    let written = value
        .str_at(&["metadata", "namespace"])
        .unwrap_or("")
        .to_owned();
    if kind.namespaced {
        if !written.is_empty() && !namespace.is_empty() && written != namespace {
            return Err(Refusal::bad_request("the namespace of the provided object does not match the namespace sent on the request".to_owned()));
        }
        let namespace = if written.is_empty() {
            namespace
        } else {
            &written
        };
        let namespace = if namespace.is_empty() {
            "default"
        } else {
            namespace
        };
        value.set_path(&["metadata", "namespace"], namespace.into());
    }
    if kind.kind == "Secret" {
        write_out(&mut value);
    }
    let version = turn.store.definitions().of_kind(kind);
    match version {
        None => {
            prune::prune(&mut value, kind.api_version, kind.kind);
            apply_defaults(kind.kind, &mut value);
            if kind.kind == "CustomResourceDefinition" {
                custom::apply_defaults(&mut value);
            }
        }
        Some((_, version)) => {
            structural::prune::prune(&mut value, &version.schema);
            structural::defaults::prune_nulls(&mut value, &version.schema);
            structural::defaults::apply(&mut value, &version.schema);
        }
    }
    let name: Arc<str> = value.str_at(&["metadata", "name"]).unwrap_or("").into();
    if kind.kind == "StatefulSet" && !turn.settings.max_unavailable_stateful_set {
        drop_disabled(&mut value, kind, &name, turn);
    }
    let (decoded, diagnostics) = decode_value(&value);
    let Some(decoded) = decoded else {
        let errors = diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == Severity::Error);
        let causes = errors
            .map(|diagnostic| split(&diagnostic.message))
            .collect();
        return Err(Refusal::invalid(kind, &name, causes));
    };
    if let Some((_, version)) = version {
        let mut faults = structural::validate::validate(&value, &version.schema);
        if structural::rules::any(&version.schema) {
            if faults.iter().any(structural::validate::blocks) {
                faults.push(structural::rules::not_asked());
            } else {
                let namespace = value.str_at(&["metadata", "namespace"]).unwrap_or("");
                let before = match old {
                    Old::None => None,
                    Old::Stored => read(kind, namespace, &name, turn),
                };
                let schema = &version.schema;
                faults.extend(structural::rules::judge(&value, before.as_ref(), schema));
            }
        }
        if !faults.is_empty() {
            let causes = faults.into_iter().map(|one| cause(one.field, one.message));
            return Err(Refusal::invalid(kind, &name, causes.collect()));
        }
    }
    let mut causes = admission::policy::validate(kind, &value);
    causes.extend(admission::runtime_class::validate(kind, &value));
    if !causes.is_empty() {
        return Err(Refusal::invalid(kind, &name, causes));
    }
    let namespace = if kind.namespaced {
        value
            .str_at(&["metadata", "namespace"])
            .unwrap_or("default")
    } else {
        ""
    };
    let key = DocumentKey {
        resource: kind.resource().into(),
        namespace: namespace.into(),
        name,
    };
    Ok(Parsed {
        kind,
        key,
        value,
        meta: decoded.meta,
        spec: decoded.spec,
        custom: version.map(|(_, version)| Custom {
            status: version.status,
        }),
    })
}

/// `stringData` is for writing only: it goes into `data`, over what is there.
/// Source: `pkg/apis/core/v1/conversion.go`.
fn write_out(secret: &mut Value) {
    let Some(plain) = secret.remove("stringData") else {
        return;
    };
    for (key, value) in plain.as_map().unwrap_or_default().iter() {
        let text = crate::base::base64::encode(value.as_str().unwrap_or("").as_bytes());
        secret.set_path(&["data", key], text.into());
    }
}

/// A diagnostic's message is `path: what is wrong`.
fn split(message: &Sentence) -> Cause {
    let message = Passage::from(message.statement());
    match message.stretches().next() {
        Some(Stretch::Text(text)) => match text.split_once(": ") {
            Some((field, rest)) => {
                let start = text.len() - rest.len();
                cause(field, message.clone().without_start(&text[..start]))
            }
            None => cause("", &message),
        },
        Some(Stretch::Said(_)) | None => match message.split_once(": ") {
            Some((field, rest)) => cause(field, rest),
            None => cause("", &message),
        },
    }
}

/// Whether the namespace is there and takes objects.
pub(super) fn check_namespace(parsed: &Parsed, turn: &Turn<'_, '_>) -> Result<(), Refusal> {
    if !parsed.kind.namespaced {
        return Ok(());
    }
    let namespace = &parsed.key.namespace;
    let key = DocumentKey {
        resource: "namespaces".into(),
        namespace: "".into(),
        name: namespace.clone(),
    };
    match turn.store.documents().get(&key) {
        None => Err(Refusal::not_found(known("Namespace", turn)?, namespace)),
        Some(document) if document.deletion.is_some() => {
            let why = format!(
                "unable to create new content in namespace {namespace} because it is being terminated"
            );
            Err(Refusal::forbidden(parsed.kind, &parsed.key.name, &why))
        }
        Some(_) => Ok(()),
    }
}

/// Whether the name is taken.
pub(super) fn exists(parsed: &Parsed, turn: &Turn<'_, '_>) -> bool {
    match parsed.kind.kind {
        "Pod" | "ReplicaSet" | "Node" => {
            read(parsed.kind, &parsed.key.namespace, &parsed.key.name, turn).is_some()
        }
        _ => turn.store.documents().get(&parsed.key).is_some(),
    }
}

/// A namespace as an object.
pub(in crate::kube::apiserver) fn namespace_object(name: &str) -> Value {
    let mut value = Value::map();
    value.set("apiVersion", "v1".into());
    value.set("kind", "Namespace".into());
    value.set_path(&["metadata", "name"], name.into());
    value.set_path(
        &["metadata", "labels", "kubernetes.io/metadata.name"],
        name.into(),
    );
    value.set_path(
        &["spec", "finalizers"],
        Value::list(vec!["kubernetes".into()]),
    );
    value
}
