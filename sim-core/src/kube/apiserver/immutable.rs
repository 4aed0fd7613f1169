//! What an update may not change, kind by kind.
//! Sources: `ValidateUpdate` of `pkg/registry/*/*/strategy.go` and `pkg/apis/*/validation`.

use crate::kube::kinds::Kind;
use crate::manifest::value::Value;
use crate::object::print::{KeyOrder, json};

use super::Cause;
use super::refusal::cause;

/// Fields that stay what they were, by kind: path, and why in upstream's words.
const FIXED: &[(&str, &[&str], &str)] = &[
    ("Deployment", &["spec", "selector"], IMMUTABLE),
    ("ReplicaSet", &["spec", "selector"], IMMUTABLE),
    ("DaemonSet", &["spec", "selector"], IMMUTABLE),
    ("Secret", &["type"], IMMUTABLE),
    ("Job", &["spec", "selector"], IMMUTABLE),
    ("Job", &["spec", "completionMode"], IMMUTABLE),
    ("Job", &["spec", "podFailurePolicy"], IMMUTABLE),
    ("Job", &["spec", "backoffLimitPerIndex"], IMMUTABLE),
    ("Job", &["spec", "managedBy"], IMMUTABLE),
    ("Job", &["spec", "successPolicy"], IMMUTABLE),
    ("RoleBinding", &["roleRef"], "cannot change roleRef"),
    ("ClusterRoleBinding", &["roleRef"], "cannot change roleRef"),
    ("RuntimeClass", &["handler"], IMMUTABLE),
    ("IngressClass", &["spec", "controller"], IMMUTABLE),
    ("EndpointSlice", &["addressType"], IMMUTABLE),
    ("ControllerRevision", &["data"], IMMUTABLE),
    ("IPAddress", &["spec", "parentRef"], IMMUTABLE),
    ("ResourceQuota", &["spec", "scopes"], IMMUTABLE),
    ("PersistentVolume", &["spec", "volumeMode"], IMMUTABLE),
    ("PersistentVolume", &["spec", "nodeAffinity"], IMMUTABLE),
    ("CustomResourceDefinition", &["spec", "group"], IMMUTABLE),
    ("CustomResourceDefinition", &["spec", "scope"], IMMUTABLE),
    (
        "CustomResourceDefinition",
        &["spec", "names", "kind"],
        IMMUTABLE,
    ),
    (
        "CustomResourceDefinition",
        &["spec", "names", "plural"],
        IMMUTABLE,
    ),
];

/// Fields whose change is forbidden: kind, field, why.
const FORBIDDEN: &[(&str, &str, &str)] = &[
    ("PriorityClass", "value", "may not be changed in an update."),
    (
        "PriorityClass",
        "preemptionPolicy",
        "may not be changed in an update.",
    ),
    (
        "StorageClass",
        "parameters",
        "updates to parameters are forbidden.",
    ),
    (
        "StorageClass",
        "provisioner",
        "updates to provisioner are forbidden.",
    ),
    (
        "StorageClass",
        "reclaimPolicy",
        "updates to reclaimPolicy are forbidden.",
    ),
];

const IMMUTABLE: &str = "field is immutable";

/// What is wrong with writing `new` over `old`.
pub fn check(kind: &Kind, old: &Value, new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    finalizers(old, new, &mut causes);
    if kind.custom {
        return causes;
    }
    for (_, path, why) in FIXED.iter().filter(|(name, _, _)| *name == kind.kind) {
        if differs(old, new, path) {
            causes.push(cause(path.join("."), invalid(new.path(path), why)));
        }
    }
    for (_, field, why) in FORBIDDEN.iter().filter(|(name, _, _)| *name == kind.kind) {
        if differs(old, new, &[field]) {
            causes.push(cause(*field, format!("Forbidden: {why}")));
        }
    }
    match kind.kind {
        "ConfigMap" | "Secret" => sealed(old, new, &mut causes),
        "StatefulSet" => stateful_set(old, new, &mut causes),
        "Job" => job(old, new, &mut causes),
        "PersistentVolumeClaim" => claim(old, new, &mut causes),
        "ServiceCIDR" => ranges(old, new, &mut causes),
        "PersistentVolume" => volume(old, new, &mut causes),
        "Service" => service(old, new, &mut causes),
        "Node" => node(old, new, &mut causes),
        "StorageClass" if differs(old, new, &["volumeBindingMode"]) => causes.push(cause(
            "volumeBindingMode",
            invalid(new.get("volumeBindingMode"), IMMUTABLE),
        )),
        _ => {}
    }
    causes
}

/// A node keeps the ranges of its pods' addresses once it has some.
/// Source: `pkg/apis/core/validation/validation.go` (`ValidateNodeUpdate`).
fn node(old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    const WHY: &str = "Forbidden: node updates may not change podCIDR except from \"\" to valid";
    let path = ["spec", "podCIDRs"];
    let (had, mut has) = (texts(old, &path), texts(new, &path));
    let one = new.str_at(&["spec", "podCIDR"]).unwrap_or("");
    if !one.is_empty() && has.first().is_none_or(|first| first != one) {
        has = vec![one.to_owned()];
    }
    let moved = had.iter().zip(&has).filter(|(had, has)| had != has).count();
    let faults = if had.len() == has.len() { moved } else { 1 };
    if !had.is_empty() {
        causes.extend((0..faults).map(|_| cause(path.join("."), WHY)));
    }
}

/// What is wrong with the selector of a workload that is written over `old`.
pub fn selector(kind: &Kind, old: &Value, new: &Value) -> Option<Cause> {
    let path = ["spec", "selector"];
    let fixed = matches!(kind.kind, "DaemonSet" | "Deployment" | "ReplicaSet");
    (fixed && differs(old, new, &path))
        .then(|| cause(path.join("."), invalid(new.path(&path), IMMUTABLE)))
}

/// What is wrong if a field is not what it was.
pub fn fixed(old: &Value, new: &Value, field: &str) -> Option<Cause> {
    differs(old, new, &[field]).then(|| cause(field, invalid(new.get(field), IMMUTABLE)))
}

fn differs(old: &Value, new: &Value, path: &[&str]) -> bool {
    let plain = |value: &Value| value.path(path).filter(|value| !value.is_null()).cloned();
    plain(old) != plain(new)
}

pub(super) fn invalid(value: Option<&Value>, why: &str) -> String {
    let shown = value.map_or_else(|| "null".to_owned(), |value| json(value, KeyOrder::Sorted));
    format!("Invalid value: {shown}: {why}")
}

/// A range may get one of the other family beside it.
fn ranges(old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    let path = ["spec", "cidrs"];
    let (before, after) = (texts(old, &path), texts(new, &path));
    if before.len() != after.len() && (before.len(), after.len()) != (1, 2) {
        causes.push(cause("spec.cidrs", invalid(new.path(&path), IMMUTABLE)));
        return;
    }
    for (at, (old, new)) in before.iter().zip(&after).enumerate() {
        if old != new {
            let shown = Value::from(new.as_str());
            causes.push(cause(
                format!("spec.cidrs[{at}]"),
                invalid(Some(&shown), IMMUTABLE),
            ));
        }
    }
}

fn texts(value: &Value, path: &[&str]) -> Vec<String> {
    let list = value.path(path).and_then(Value::as_list).unwrap_or(&[]);
    list.iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// A Service keeps its address, and a load balancer its class, as long as its type has one. What the
/// writer left out is kept. Sources: `pkg/apis/core/validation/validation.go`
/// (`validateUpgradeDowngradeClusterIPs`, `validateLoadBalancerClassField`),
/// `pkg/api/service/util.go` and `pkg/registry/core/service/storage/storage.go` (`patchAllocatedValues`).
fn service(old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    const KEPT: &str = "may not change once set";
    let is = |object: &Value, kind: &str| {
        object.str_at(&["spec", "type"]).unwrap_or("ClusterIP") == kind
    };
    let class = ["spec", "loadBalancerClass"];
    if is(old, "LoadBalancer") && is(new, "LoadBalancer") && differs(old, new, &class) {
        causes.push(cause(class.join("."), invalid(new.path(&class), KEPT)));
    }
    if is(old, "ExternalName") || is(new, "ExternalName") {
        return;
    }
    let several = ["spec", "clusterIPs"];
    let one = |object: &Value| {
        object
            .str_at(&["spec", "clusterIP"])
            .unwrap_or("")
            .to_owned()
    };
    let (had, mut wanted) = (texts(old, &several), texts(new, &several));
    let address = one(new);
    if wanted.is_empty() || (!address.is_empty() && address != one(old) && wanted == had) {
        wanted = if address.is_empty() {
            had.clone()
        } else {
            vec![address]
        };
    }
    let changed = had.iter().zip(&wanted).position(|(old, new)| old != new);
    if let Some(index) = changed {
        let shown = Value::list(wanted.iter().map(|text| text.as_str().into()).collect());
        causes.push(cause(
            format!("spec.clusterIPs[{index}]"),
            invalid(Some(&shown), KEPT),
        ));
    }
}

fn finalizers(old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    if old.path(&["metadata", "deletionTimestamp"]).is_none() {
        return;
    }
    let path = ["metadata", "finalizers"];
    let had = texts(old, &path);
    let added: Vec<String> = texts(new, &path)
        .into_iter()
        .filter(|one| !had.contains(one))
        .map(|one| format!("{one:?}"))
        .collect();
    if !added.is_empty() {
        causes.push(cause("metadata.finalizers", format!("Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}", added.join(", "))));
    }
}

/// `immutable: true` seals the contents; labels may still change.
fn sealed(old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    let on = |value: &Value| value.get("immutable").and_then(Value::as_bool) == Some(true);
    if !on(old) {
        return;
    }
    let why = "Forbidden: field is immutable when `immutable` is set";
    if !on(new) {
        causes.push(cause("immutable", why));
    }
    let empty = |value: &Value, key: &str| {
        value
            .get(key)
            .and_then(Value::as_map)
            .is_none_or(|map| map.is_empty())
    };
    for key in ["data", "binaryData"] {
        if differs(old, new, &[key]) && !(empty(old, key) && empty(new, key)) {
            causes.push(cause(key, why));
        }
    }
}

fn stateful_set(old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    const MAY_CHANGE: [&str; 7] = [
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    ];
    let fixed = |value: &Value| {
        let mut spec = value.get("spec").cloned().unwrap_or_default();
        if let Some(map) = spec.as_map_mut() {
            map.retain(|key, _| !MAY_CHANGE.contains(&key));
        }
        spec
    };
    if fixed(old) != fixed(new) {
        causes.push(cause("spec", "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"));
    }
}

fn job(old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    let completions = ["spec", "completions"];
    if differs(old, new, &completions) {
        let shown = new.path(&completions);
        if new.str_at(&["spec", "completionMode"]) != Some("Indexed") {
            causes.push(cause("spec.completions", invalid(shown, IMMUTABLE)));
        } else if shown != new.path(&["spec", "parallelism"]) {
            let why = "can only be modified in tandem with spec.parallelism";
            causes.push(cause("spec.completions", invalid(shown, why)));
        }
    }
    // While a suspended job has not started, where its pods run and how large they are may still be
    // decided. Sources: `pkg/registry/batch/job/strategy.go` (`shouldAllowMutablePodTemplate`),
    // `pkg/apis/batch/validation/validation.go` (`validatePodTemplateUpdate`).
    let open = old.path(&["spec", "suspend"]).and_then(Value::as_bool) == Some(true)
        && old.path(&["status", "startTime"]).is_none();
    let template: &[&str] = if open {
        &["spec", "template", "spec"]
    } else {
        &["spec", "template"]
    };
    let fixed = |value: &Value| {
        let mut fixed = value.path(template).cloned().unwrap_or_default();
        if !open {
            return fixed;
        }
        for path in [
            &["nodeSelector"][..],
            &["tolerations"],
            &["schedulingGates"],
            &["affinity", "nodeAffinity"],
        ] {
            fixed.remove_path(path);
        }
        if fixed
            .get("affinity")
            .and_then(Value::as_map)
            .is_some_and(|map| map.is_empty())
        {
            fixed.remove("affinity");
        }
        for list in ["containers", "initContainers"] {
            let containers = fixed.path_mut(&[list]).and_then(Value::as_list_mut);
            for container in containers.into_iter().flatten() {
                container.remove("resources");
            }
        }
        fixed
    };
    if fixed(old) != fixed(new) {
        causes.push(cause(
            template.join("."),
            invalid(new.path(template), IMMUTABLE),
        ));
    }
}

fn claim(old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    let storage = ["spec", "resources", "requests", "storage"];
    let is_bound = old.str_at(&["status", "phase"]) == Some("Bound");
    let fixed = |value: &Value| {
        let mut spec = value.get("spec").cloned().unwrap_or_default();
        if is_bound {
            spec.remove_path(&["resources", "requests"]);
            spec.remove("volumeAttributesClassName");
        }
        // Bound by the server, not by the user.
        for field in ["volumeName", "storageClassName"] {
            if old.path(&["spec", field]).is_none() {
                spec.remove(field);
            }
        }
        spec
    };
    if fixed(old) != fixed(new) {
        causes.push(cause("spec", "Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"));
    }
    let amount = |value: &Value, path: &[&str]| {
        let text = match value.path(path)? {
            Value::String(text) => text.to_string(),
            other => json(other, KeyOrder::Sorted),
        };
        crate::base::quantity::Quantity::parse(&text)
            .ok()
            .map(|amount| amount.value())
    };
    if let (Some(before), Some(after)) = (amount(old, &storage), amount(new, &storage))
        && after < before
    {
        let held = amount(old, &["status", "capacity", "storage"]).unwrap_or(0);
        if after <= held {
            causes.push(cause(
                "spec.resources.requests.storage",
                "Forbidden: field can not be less than status.capacity",
            ));
        }
    }
}

fn volume(old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    const NO_SOURCE: [&str; 9] = [
        "capacity",
        "accessModes",
        "claimRef",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "mountOptions",
        "volumeMode",
        "nodeAffinity",
        "volumeAttributesClassName",
    ];
    let source = |value: &Value| {
        let mut spec = value.get("spec").cloned().unwrap_or_default();
        if let Some(map) = spec.as_map_mut() {
            map.retain(|key, _| !NO_SOURCE.contains(&key));
        }
        spec
    };
    if source(old) != source(new) {
        causes.push(cause(
            "spec.persistentvolumesource",
            "Forbidden: spec.persistentvolumesource is immutable after creation",
        ));
    }
}
