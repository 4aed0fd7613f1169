//! Scopes of a ResourceQuota: which pods it counts. With scopes it counts pods only.
//! Sources: `pkg/quota/v1/evaluator/core/pods.go` (`podMatchesScopeFunc`), `pkg/quota/v1/generic/evaluator.go`.

use crate::kube::kinds::Kind;
use crate::kube::rows::read;
use crate::kube::volumes::claim::attributes_of;
use crate::manifest::value::Value;

/// One requirement of `spec.scopeSelector`, or one entry of `spec.scopes`.
struct Requirement<'a> {
    scope: &'a str,
    operator: &'a str,
    values: Vec<&'a str>,
}

fn requirements(quota: &Value) -> Vec<Requirement<'_>> {
    let plain = read::list(quota, &["spec", "scopes"])
        .iter()
        .filter_map(Value::as_str)
        .map(|scope| Requirement {
            scope,
            operator: "Exists",
            values: Vec::new(),
        });
    let selected = read::list(quota, &["spec", "scopeSelector", "matchExpressions"])
        .iter()
        .map(|one| Requirement {
            scope: read::text(one, &["scopeName"]),
            operator: read::text(one, &["operator"]),
            values: read::list(one, &["values"])
                .iter()
                .filter_map(Value::as_str)
                .collect(),
        });
    plain.chain(selected).collect()
}

/// A quota's scopes alone, in an object of its shape.
pub fn of(quota: &Value) -> Value {
    let mut scopes = Value::map();
    for field in ["scopes", "scopeSelector"] {
        if let Some(own) = quota.path(&["spec", field]) {
            scopes.set_path(&["spec", field], own.clone());
        }
    }
    scopes
}

/// Whether a quota has scopes at all.
pub fn is_scoped(quota: &Value) -> bool {
    !requirements(quota).is_empty()
}

/// Whether a quota counts a pod of this `spec`: all its scopes must hold.
pub fn counts(quota: &Value, spec: &Value) -> bool {
    requirements(quota).iter().all(|one| holds(one, spec))
}

/// Whether a quota counts an object that is no pod: with scopes it counts claims by their attributes
/// classes only.
/// Source: `pkg/quota/v1/evaluator/core/persistent_volume_claims.go` (`pvcMatchesScopeFunc`).
pub fn counts_object(quota: &Value, kind: &Kind, object: &Value) -> bool {
    let attributes =
        |one: &Requirement<'_>| one.scope == "VolumeAttributesClass" && has_attributes(one, object);
    let requirements = requirements(quota);
    requirements.is_empty()
        || kind.kind == "PersistentVolumeClaim" && requirements.iter().all(attributes)
}

/// Whether one of the classes that a claim has, wants or is changing to is meant.
fn has_attributes(requirement: &Requirement<'_>, claim: &Value) -> bool {
    let names = attributes_of(claim);
    let listed = |name: &&str| requirement.values.contains(name);
    match requirement.operator {
        "In" => names.iter().any(listed),
        "NotIn" => names.is_empty() || !names.iter().all(listed),
        "DoesNotExist" => names.is_empty(),
        _ => !names.is_empty(),
    }
}

fn holds(requirement: &Requirement<'_>, spec: &Value) -> bool {
    match requirement.scope {
        "Terminating" => ends(spec),
        "NotTerminating" => !ends(spec),
        "BestEffort" => is_best_effort(spec),
        "NotBestEffort" => !is_best_effort(spec),
        "PriorityClass" => {
            let class = read::text(spec, &["priorityClassName"]);
            let listed = requirement.values.contains(&class) && !class.is_empty();
            match requirement.operator {
                "In" => listed,
                "NotIn" => !listed,
                "DoesNotExist" => class.is_empty(),
                _ => !class.is_empty(),
            }
        }
        "CrossNamespacePodAffinity" => names_namespaces(spec),
        _ => false,
    }
}

/// Whether neither the pod nor a container asks for any CPU or memory, nor is limited in them.
/// Source: `pkg/apis/core/v1/helper/qos/qos.go` (`ComputePodQOS`).
fn is_best_effort(spec: &Value) -> bool {
    let states_none = |owner: &Value| {
        let none = |amount: &Value| super::read(amount).is_none_or(|amount| amount.is_zero());
        ["requests", "limits"].iter().all(|field| {
            ["cpu", "memory"].iter().all(|name| {
                let stated = owner.path(&["resources", *field, *name]);
                stated.is_none_or(none)
            })
        })
    };
    states_none(spec)
        && ["containers", "initContainers"]
            .iter()
            .all(|list| read::list(spec, &[*list]).iter().all(states_none))
}

/// Whether a pod has a time to end in.
/// Source: `pkg/quota/v1/evaluator/core/pods.go` (`IsTerminating`).
pub fn ends(spec: &Value) -> bool {
    let seconds = spec.i64_at(&["activeDeadlineSeconds"]);
    seconds.is_some_and(|seconds| seconds >= 0)
}

/// Whether a term of the pod's (anti-)affinity looks into other namespaces.
fn names_namespaces(spec: &Value) -> bool {
    ["podAffinity", "podAntiAffinity"].iter().any(|kind| {
        let required = [
            "affinity",
            *kind,
            "requiredDuringSchedulingIgnoredDuringExecution",
        ];
        let preferred = [
            "affinity",
            *kind,
            "preferredDuringSchedulingIgnoredDuringExecution",
        ];
        let wide = |term: &Value| {
            !read::list(term, &["namespaces"]).is_empty()
                || term
                    .get("namespaceSelector")
                    .is_some_and(|selector| !selector.is_null())
        };
        read::list(spec, &required).iter().any(wide)
            || read::list(spec, &preferred)
                .iter()
                .any(|one| one.get("podAffinityTerm").is_some_and(wide))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        Value::parse_json(text).unwrap()
    }

    #[test]
    fn all_scopes_must_hold() {
        let quota = value(r#"{"spec":{"scopes":["BestEffort","NotTerminating"]}}"#);
        let plain = value(r#"{"containers":[{"name":"c"}]}"#);
        let ends = value(r#"{"activeDeadlineSeconds":5,"containers":[{"name":"c"}]}"#);
        let asks = value(r#"{"containers":[{"name":"c","resources":{"requests":{"cpu":"1m"}}}]}"#);
        assert!(is_scoped(&quota) && counts(&quota, &plain));
        assert!(!counts(&quota, &ends) && !counts(&quota, &asks));
    }

    #[test]
    fn priority_classes_are_listed_or_excluded() {
        let quota = |operator: &str, values: &str| {
            value(&format!(
                r#"{{"spec":{{"scopeSelector":{{"matchExpressions":[{{"scopeName":"PriorityClass","operator":"{operator}","values":[{values}]}}]}}}}}}"#
            ))
        };
        let high = value(r#"{"priorityClassName":"high","containers":[]}"#);
        let none = value(r#"{"containers":[]}"#);
        assert!(counts(&quota("In", "\"high\""), &high));
        assert!(!counts(&quota("In", "\"low\""), &high));
        assert!(counts(&quota("NotIn", "\"low\""), &high));
        assert!(counts(&quota("Exists", ""), &high) && !counts(&quota("Exists", ""), &none));
        assert!(counts(&quota("DoesNotExist", ""), &none));
    }
}
