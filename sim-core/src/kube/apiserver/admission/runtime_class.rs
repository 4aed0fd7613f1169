//! RuntimeClasses: what they add to pods, and pods that name one that is not there.
//! Source: `plugin/pkg/admission/runtimeclass/admission.go`, `pkg/apis/node/validation/validation.go`.

use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::quantity::Quantity;
use crate::kube::apiserver::Cause;
use crate::kube::apiserver::refusal::cause;
use crate::kube::kinds::Kind;
use crate::kube::store::Store;
use crate::kube::store::document::DocumentKey;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

/// The class that a pod names; `Err`: there is none of the name.
fn class<'a>(pod: &Value, store: &'a Store) -> Result<Option<&'a Value>, String> {
    let Some(name) = pod.str_at(&["spec", "runtimeClassName"]) else {
        return Ok(None);
    };
    match named(name, store) {
        Some(class) => Ok(Some(class)),
        None => Err(format!("pod rejected: RuntimeClass \"{name}\" not found")),
    }
}

/// A class by its name.
pub fn named<'a>(name: &str, store: &'a Store) -> Option<&'a Value> {
    let key = DocumentKey {
        resource: "runtimeclasses.node.k8s.io".into(),
        namespace: "".into(),
        name: name.into(),
    };
    store.documents().get(&key).map(|document| &document.value)
}

/// The handler of the class of that name.
pub fn handler(name: &str, store: &Store) -> Option<Arc<str>> {
    named(name, store)?.str_at(&["handler"]).map(Arc::from)
}

/// Adds a class's overhead, node selector and tolerations to a pod.
pub fn fill(pod: &mut Value, turn: &Turn<'_, '_>) {
    let Ok(Some(class)) = class(pod, turn.store) else {
        return;
    };
    if let Some(overhead) = class.path(&["overhead", "podFixed"])
        && pod.path(&["spec", "overhead"]).is_none()
    {
        pod.set_path(&["spec", "overhead"], overhead.clone());
    }
    let selector = class.path(&["scheduling", "nodeSelector"]);
    for (key, value) in selector.and_then(Value::as_map).unwrap_or_default().iter() {
        let path = ["spec", "nodeSelector", key];
        if pod.path(&path).is_none() {
            pod.set_path(&path, value.clone());
        }
    }
    let more = class
        .path(&["scheduling", "tolerations"])
        .and_then(Value::as_list)
        .unwrap_or(&[]);
    if more.is_empty() {
        return;
    }
    let path = ["spec", "tolerations"];
    let mut all = pod
        .path(&path)
        .and_then(Value::as_list)
        .unwrap_or(&[])
        .to_vec();
    for toleration in more {
        if !all.contains(toleration) {
            all.push(toleration.clone());
        }
    }
    pod.set_path(&path, Value::list(all));
}

/// Whether a pod may be created as far as its class goes.
///
/// # Errors
/// Why not, in upstream's words.
pub fn check(pod: &Value, turn: &Turn<'_, '_>) -> Result<(), String> {
    let class = class(pod, turn.store)?;
    let own = pod.path(&["spec", "overhead"]);
    let fixed = class.and_then(|class| class.path(&["overhead", "podFixed"]));
    match (fixed, own) {
        (Some(fixed), Some(own)) if same(fixed, own) => {}
        (Some(_), _) => {
            return Err(
                "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
                    .to_owned(),
            );
        }
        (None, Some(_)) => {
            return Err(
                "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
                    .to_owned(),
            );
        }
        (None, None) => {}
    }
    let selector = class.and_then(|class| class.path(&["scheduling", "nodeSelector"]));
    for (key, value) in selector.and_then(Value::as_map).unwrap_or_default().iter() {
        let wanted = value.as_str().unwrap_or("");
        let stated = pod.str_at(&["spec", "nodeSelector", key]).unwrap_or("");
        if stated != wanted {
            return Err(format!(
                "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {wanted}; pod.spec.nodeSelector[{key}] = {stated}"
            ));
        }
    }
    Ok(())
}

/// Whether two lists of amounts say the same.
fn same(one: &Value, other: &Value) -> bool {
    let amounts = |value: &Value| -> Vec<(String, Option<i64>)> {
        let map = value.as_map();
        let mut all: Vec<(String, Option<i64>)> = map
            .unwrap_or_default()
            .iter()
            .map(|(key, amount)| {
                let text = match amount {
                    Value::Int(number) => number.to_string(),
                    other => other.as_str().unwrap_or("").to_owned(),
                };
                let parsed = Quantity::parse(&text).ok();
                (key.to_string(), parsed.map(|amount| amount.milli_value()))
            })
            .collect();
        all.arrange();
        all
    };
    amounts(one) == amounts(other)
}

/// What is wrong with a class.
pub fn validate(kind: &Kind, object: &Value) -> Vec<Cause> {
    if kind.kind != "RuntimeClass" {
        return Vec::new();
    }
    let handler = object.str_at(&["handler"]).unwrap_or("");
    let is_label = !handler.is_empty()
        && handler.len() <= 63
        && handler
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !handler.starts_with('-')
        && !handler.ends_with('-');
    if is_label {
        return Vec::new();
    }
    let message = if handler.is_empty() {
        "Required value".to_owned()
    } else {
        format!(
            "Invalid value: \"{handler}\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
        )
    };
    vec![cause("handler", message)]
}
