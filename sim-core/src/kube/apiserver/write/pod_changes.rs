//! What an update may change of a pod, and of one that waits behind its gates.
//!
//! Where the server shows the difference of the specs, nothing is shown.
//! Source: `pkg/apis/core/validation/validation.go` (`ValidatePodUpdate`).

use crate::kube::apiserver::Cause;
use crate::kube::apiserver::immutable::invalid;
use crate::kube::apiserver::refusal::cause;
use crate::kube::rows::read::{list, text};
use crate::manifest::value::Value;

const SELECTOR: [&str; 2] = ["spec", "nodeSelector"];
const TERMS: [&str; 5] = [
    "spec",
    "affinity",
    "nodeAffinity",
    "requiredDuringSchedulingIgnoredDuringExecution",
    "nodeSelectorTerms",
];

/// What is wrong with writing one pod over another.
pub fn check(old: &Value, new: &Value) -> Vec<Cause> {
    for part in ["containers", "initContainers"] {
        if list(old, &["spec", part]).len() != list(new, &["spec", part]).len() {
            let why = "Forbidden: pod updates may not add or remove containers";
            return vec![cause(format!("spec.{part}"), why)];
        }
    }
    let mut causes = Vec::new();
    if let Some(why) = deadline(old, new) {
        causes.push(cause("spec.activeDeadlineSeconds", why));
    }
    tolerations(old, new, &mut causes);
    gates(old, new, &mut causes);
    let (mut before, mut after) = (fixed(old), fixed(new));
    if !list(old, &["spec", "schedulingGates"]).is_empty() {
        selector(old, new, &mut causes);
        terms(old, new, &mut causes);
        for object in [&mut before, &mut after] {
            object.remove_path(&SELECTOR);
            object.remove_path(&TERMS[..3]);
            let affinity = object.path(&TERMS[..2]).and_then(Value::as_map);
            if affinity.is_some_and(|fields| fields.is_empty()) {
                object.remove_path(&TERMS[..2]);
            }
        }
    }
    if before != after || !keeps_grace(old, new) {
        let message = "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
        causes.push(cause("spec", message));
    }
    causes
}

/// A pod's spec without what an update may change.
fn fixed(object: &Value) -> Value {
    let mut only = Value::map();
    let mut spec = object.get("spec").cloned().unwrap_or_default();
    for field in [
        "activeDeadlineSeconds",
        "tolerations",
        "terminationGracePeriodSeconds",
        "schedulingGates",
    ] {
        spec.remove(field);
    }
    for list in ["containers", "initContainers"] {
        let containers = spec.path_mut(&[list]).and_then(Value::as_list_mut);
        for container in containers.into_iter().flatten() {
            container.remove("image");
        }
    }
    only.set("spec", spec);
    only
}

/// One that was negative may become a second.
fn keeps_grace(old: &Value, new: &Value) -> bool {
    let path = ["spec", "terminationGracePeriodSeconds"];
    let was_negative = old.i64_at(&path).is_some_and(|seconds| seconds < 0);
    old.path(&path) == new.path(&path) || was_negative && new.i64_at(&path) == Some(1)
}

/// A pod's time may be given or shortened only.
fn deadline(old: &Value, new: &Value) -> Option<String> {
    let path = ["spec", "activeDeadlineSeconds"];
    let old = old.i64_at(&path)?;
    match new.i64_at(&path) {
        None => Some(
            "Invalid value: null: must not update from a positive integer to nil value".to_owned(),
        ),
        Some(new) if new > old => Some(format!(
            "Invalid value: {new}: must be less than or equal to previous value"
        )),
        Some(_) => None,
    }
}

fn tolerations(old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    let path = ["spec", "tolerations"];
    let untimed = |one: &Value| {
        let mut one = one.clone();
        one.remove("tolerationSeconds");
        one
    };
    let after: Vec<Value> = list(new, &path).iter().map(untimed).collect();
    if !list(old, &path)
        .iter()
        .all(|one| after.contains(&untimed(one)))
    {
        let why = "Forbidden: existing toleration can not be modified except its tolerationSeconds";
        causes.push(cause(path.join("."), why));
    }
}

fn gates(old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    let path = ["spec", "schedulingGates"];
    let had: Vec<&str> = list(old, &path)
        .iter()
        .map(|gate| text(gate, &["name"]))
        .collect();
    for (index, gate) in list(new, &path).iter().enumerate() {
        let name = text(gate, &["name"]);
        if !had.contains(&name) {
            causes.push(cause(
                format!("spec.schedulingGates[{index}].name"),
                format!(
                    "Forbidden: only deletion is allowed, but found new scheduling gate '{name}'"
                ),
            ));
        }
    }
}

/// Source: `validateNodeSelectorMutation`.
fn selector(old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    let had = old.path(&SELECTOR).and_then(Value::as_map);
    let has = new.path(&SELECTOR);
    let keeps = had
        .unwrap_or_default()
        .iter()
        .all(|(key, value)| has.and_then(|all| all.get(key)) == Some(value));
    if !keeps {
        let why = "only additions to spec.nodeSelector are allowed (no mutations or deletions)";
        causes.push(cause(SELECTOR.join("."), invalid(has, why)));
    }
}

/// Source: `validateNodeAffinityMutation`.
fn terms(old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    let (had, has) = (list(old, &TERMS), list(new, &TERMS));
    if had.is_empty() {
        return;
    }
    if had.len() != has.len() {
        let shown = internal_list(has, internal_term);
        let why = "no additions/deletions to non-empty NodeSelectorTerms list are allowed";
        causes.push(cause(TERMS.join("."), invalid(Some(&shown), why)));
        return;
    }
    for (index, (had, has)) in had.iter().zip(has).enumerate() {
        if !only_adds(had, has) {
            let why = "only additions are allowed (no mutations or deletions)";
            let shown = internal_term(has);
            let at = format!("{}[{index}]", TERMS.join("."));
            causes.push(cause(at, invalid(Some(&shown), why)));
        }
    }
}

/// Source: `validateNodeSelectorTermHasOnlyAdditions`.
fn only_adds(old: &Value, new: &Value) -> bool {
    let parts = [["matchExpressions"], ["matchFields"]];
    let was_empty = parts.iter().all(|part| list(old, part).is_empty());
    let is_empty = parts.iter().all(|part| list(new, part).is_empty());
    (!was_empty || is_empty)
        && parts
            .iter()
            .all(|part| list(new, part).starts_with(list(old, part)))
}

/// A term as the server's own type prints, which has no names of fields but Go's.
fn internal_term(term: &Value) -> Value {
    let mut shown = Value::map();
    for (field, own) in [
        ("matchExpressions", "MatchExpressions"),
        ("matchFields", "MatchFields"),
    ] {
        shown.set(own, internal_list(list(term, &[field]), requirement));
    }
    shown
}

fn requirement(one: &Value) -> Value {
    let mut shown = Value::map();
    for (field, own) in [
        ("key", "Key"),
        ("operator", "Operator"),
        ("values", "Values"),
    ] {
        shown.set(own, one.get(field).cloned().unwrap_or_default());
    }
    shown
}

fn internal_list(items: &[Value], shown: fn(&Value) -> Value) -> Value {
    if items.is_empty() {
        Value::Null
    } else {
        Value::list(items.iter().map(shown).collect())
    }
}
