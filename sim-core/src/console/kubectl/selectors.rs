//! Selectors: labels and fields that objects are chosen by, and what the server says of those that it cannot
//! take.

use crate::base::labels::Selector;
use crate::kube::kinds::Kind;
use crate::manifest::value::Value;

use super::Call;
use super::get::text_pairs;
use super::problem::Problem;

/// Whether a selector takes an object.
pub fn selected(selector: &Selector, object: &Value) -> bool {
    selector.matches(&text_pairs(object, "labels"))
}

/// `-l`, which the server reads.
///
/// # Errors
/// The server's text.
pub fn selector(call: &Call<'_>, kind: &Kind) -> Result<Option<Selector>, Problem> {
    call.selector().map_err(|problem| {
        let said = problem.text.strip_prefix("error: ");
        unfindable(call, kind, said.unwrap_or(&problem.text))
    })
}

/// Whether a kind can be chosen by these fields.
///
/// # Errors
/// The server's text.
pub fn check_fields(
    call: &Call<'_>,
    kind: &Kind,
    fields: &[(String, String, bool)],
) -> Result<(), Problem> {
    match unselectable(call, kind, fields) {
        None => Ok(()),
        Some(said) => Err(unfindable(call, kind, &said)),
    }
}

/// What the server says of the first field that a kind cannot be chosen by.
pub fn unselectable(
    call: &Call<'_>,
    kind: &Kind,
    fields: &[(String, String, bool)],
) -> Option<String> {
    let view = call.view().ok()?;
    let custom = view.store.definitions().of_kind(kind);
    let own = custom.map_or(&[][..], |(_, version)| &version.selectable);
    let (key, ..) = fields
        .iter()
        .find(|(key, ..)| !selectable(kind, key) && !own.contains(key))?;
    Some(format!("field label not supported: {key}"))
}

/// What the server says of selectors that it cannot take.
/// Source: `k8s.io/cli-runtime/pkg/resource/selector.go`.
fn unfindable(call: &Call<'_>, kind: &Kind, said: &str) -> Problem {
    let slash = if kind.group().is_empty() { "/" } else { "" };
    let flag = |name: &str| call.arguments.flag(name).unwrap_or("").to_owned();
    Problem::said(
        format!(
            "Error from server (BadRequest): Unable to find \"{slash}{}, Resource={}\" that match label selector {:?}, field selector {:?}: {said}",
            kind.api_version,
            kind.plural,
            flag("selector"),
            flag("field-selector")
        ),
        "BadRequest",
    )
}

/// What follows `--field-selector`: key, value, and whether it shall be equal.
///
/// # Errors
/// A part without `=`.
pub fn field_selector(text: &str) -> Result<Vec<(String, String, bool)>, Problem> {
    let parts = text.split(',').filter(|part| !part.is_empty());
    let parsed = parts.map(|part| {
        let (key, value, wanted) = if let Some((key, value)) = part.split_once("!=") {
            (key, value, false)
        } else if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
            (key, value, true)
        } else {
            return Err(Problem::error(format!("invalid field selector \"{part}\"")));
        };
        Ok((key.to_owned(), value.to_owned(), wanted))
    });
    parsed.collect()
}

/// Fields that a kind can be selected by. Source: `pkg/apis/*/v1/conversion.go`.
pub fn selectable(kind: &Kind, field: &str) -> bool {
    let more: &[&str] = match kind.kind {
        "Pod" => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        "Event" if !kind.group().is_empty() => &[
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "regarding.resourceVersion",
            "regarding.fieldPath",
            "reason",
            "reportingController",
            "type",
        ],
        "Event" => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        "Node" => &["spec.unschedulable"],
        "Namespace" => &["status.phase"],
        "Secret" => &["type"],
        "ReplicaSet" => &["status.replicas"],
        "Service" => &["spec.clusterIP", "spec.type"],
        _ => &[],
    };
    matches!(field, "metadata.name" | "metadata.namespace") || more.contains(&field)
}

/// Whether an object's fields are as asked.
pub fn fields_match(fields: &[(String, String, bool)], object: &Value) -> bool {
    for (key, value, wanted) in fields {
        let path: Vec<&str> = if key == "source" {
            vec!["source", "component"]
        } else {
            key.split('.').collect()
        };
        // Source: `pkg/registry/core/event/strategy.go` (`ToSelectableFields`).
        let beside = || object.get("reportingComponent").filter(|_| key == "source");
        let found = object
            .path(&path)
            .or_else(beside)
            .map(crate::object::jsonpath::text)
            .unwrap_or_default();
        let found = if found.is_empty()
            && matches!(key.as_str(), "spec.unschedulable" | "spec.hostNetwork")
        {
            "false".to_owned()
        } else {
            found
        };
        if (found == *value) != *wanted {
            return false;
        }
    }
    true
}
