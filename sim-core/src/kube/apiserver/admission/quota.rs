//! Quotas of a namespace, asked before an object is created or grows.
//! Sources: `staging/src/k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go`,
//! `pkg/quota/v1/evaluator/core/pods.go`.

use crate::base::sorted::{SortedMap, SortedSet};
use crate::kube::controllers::quota::{
    Over, at_least, exceeded, is_late, limits_of, object_share, objects_share, scope, written_of,
};
use crate::kube::kinds::Kind;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

/// Resources that every container must state when a quota limits them, with where they are stated.
/// Source: `pkg/quota/v1/evaluator/core/pods.go` (`validationSet`).
const STATED: [(&str, &str, &str); 6] = [
    ("cpu", "requests", "cpu"),
    ("limits.cpu", "limits", "cpu"),
    ("limits.memory", "limits", "memory"),
    ("memory", "requests", "memory"),
    ("requests.cpu", "requests", "cpu"),
    ("requests.memory", "requests", "memory"),
];

/// Whether a pod states all that its namespace's quotas count: each container, or the pod as a whole.
///
/// # Errors
/// `failed quota: …`, with the containers that do not.
pub fn states_enough(namespace: &str, pod: &Value, turn: &Turn<'_, '_>) -> Result<(), String> {
    if says_for_all(pod) {
        return Ok(());
    }
    let quotas = turn.store.documents().within("resourcequotas", namespace);
    for (key, document) in quotas {
        let scoped_out = pod
            .get("spec")
            .is_some_and(|spec| !scope::counts(&document.value, spec));
        if scoped_out {
            continue;
        }
        let mut missing: SortedMap<&str, SortedSet<&str>> = SortedMap::new();
        for (resource, field, name) in STATED {
            if document.value.path(&["spec", "hard", resource]).is_none() {
                continue;
            }
            for list in ["containers", "initContainers"] {
                let containers = pod.path(&["spec", list]).and_then(Value::as_list);
                for container in containers.unwrap_or(&[]) {
                    if container.path(&["resources", field, name]).is_none() {
                        let own = container.str_at(&["name"]).unwrap_or("");
                        missing.entry(resource).or_default().insert(own);
                    }
                }
            }
        }
        if !missing.is_empty() {
            let parts: Vec<String> = missing
                .iter()
                .map(|(resource, names)| {
                    let names: Vec<&str> = names.iter().copied().collect();
                    format!("{resource} for: {}", names.join(","))
                })
                .collect();
            return Err(format!(
                "failed quota: {}: must specify {}",
                key.name,
                parts.join("; ")
            ));
        }
    }
    Ok(())
}

/// Whether a pod states resources as a whole.
/// Source: `staging/src/k8s.io/component-helpers/resource/helpers.go` (`IsPodLevelResourcesSet`).
fn says_for_all(pod: &Value) -> bool {
    ["requests", "limits"].iter().any(|field| {
        let stated = pod.path(&["spec", "resources", field]);
        let mut names = stated.and_then(Value::as_map).unwrap_or_default().iter();
        names.any(|(name, _)| matches!(&**name, "cpu" | "memory") || name.starts_with("hugepages-"))
    })
}

/// Whether one more object of a kind fits, or what one takes more than it did.
///
/// # Errors
/// `exceeded quota: …`.
pub fn fits(
    kind: &Kind,
    namespace: &str,
    (old, object): (Option<&Value>, &Value),
    turn: &Turn<'_, '_>,
) -> Result<(), String> {
    if !kind.namespaced || kind.kind == "Pod" {
        return Ok(());
    }
    let documents = turn.store.documents();
    for (key, document) in documents.within("resourcequotas", namespace) {
        let counts = |object: &Value| scope::counts_object(&document.value, kind, object);
        if !counts(object) {
            continue;
        }
        let late = turn
            .ctx
            .symbols
            .get(namespace)
            .is_some_and(|it| is_late(document, it, turn));
        let written = written_of(document, late);
        let judge = |(resource, limit): (String, _)| {
            let mut share = object_share(kind, &resource, object)?;
            let old = old.filter(|old| counts(old));
            if let Some(had) = old.and_then(|old| object_share(kind, &resource, old)) {
                share.sub(&had);
            }
            let used = objects_share(kind, &resource, &document.value, namespace, turn);
            let used = at_least(used, written.get(&resource));
            Over::judge(resource, share, used, limit)
        };
        let over: Vec<Over> = limits_of(document, late)
            .into_iter()
            .filter_map(judge)
            .collect();
        if !over.is_empty() {
            return Err(exceeded(&key.name, &over));
        }
    }
    Ok(())
}

/// Whether quotas are asked as well when an object of a kind is written.
/// Sources: `pkg/quota/v1/evaluator/core/{persistent_volume_claims,services}.go` (`Handles`).
pub fn counts_writes(kind: &Kind) -> bool {
    matches!(kind.kind, "PersistentVolumeClaim" | "Service")
}
