//! Admission of priorities: a pod's number comes from its class, or from the default class.
//! Source: `plugin/pkg/admission/priority/admission.go`, `pkg/apis/scheduling/types.go`.

use std::sync::Arc;

use crate::api::kube::pod::PodSpec;
use crate::kube::store::Store;
use crate::manifest::value::Value;

/// Value of `system-cluster-critical`. Source: `pkg/apis/scheduling/types.go`.
pub const SYSTEM_CLUSTER_CRITICAL: i32 = 2_000_000_000;
/// Value of `system-node-critical`. Source: `pkg/apis/scheduling/types.go`.
pub const SYSTEM_NODE_CRITICAL: i32 = 2_000_001_000;

/// Resource under which classes are stored.
pub const CLASSES: &str = "priorityclasses.scheduling.k8s.io";

/// A pod's priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Resolved {
    /// `spec.priority`.
    pub value: i32,
    /// Whether it may evict pods of lower priority: `spec.preemptionPolicy`.
    pub preempts: bool,
}

/// What admission makes of a pod's class.
///
/// # Errors
/// Why the pod is forbidden.
pub fn admit(spec: &PodSpec, store: &Store) -> Result<Resolved, String> {
    let computed = match spec.priority_class_name.as_deref() {
        Some("system-cluster-critical") => built_in(SYSTEM_CLUSTER_CRITICAL),
        Some("system-node-critical") => built_in(SYSTEM_NODE_CRITICAL),
        Some(name) => {
            let mut classes = store.documents().of(CLASSES);
            let class = classes.find(|(key, _)| &*key.name == name);
            let (_, class) =
                class.ok_or_else(|| format!("no PriorityClass with name {name} was found"))?;
            of_class(&class.value)
        }
        None => default_class(store).map_or(built_in(0), |(_, class)| class),
    };
    if let Some(stated) = spec.priority.filter(|stated| *stated != computed.value) {
        return Err(format!(
            "the integer value of priority ({stated}) must not be provided in pod spec; priority admission controller computed {} from the given PriorityClass name",
            computed.value
        ));
    }
    if let Some(stated) = spec.preempts.filter(|stated| *stated != computed.preempts) {
        return Err(format!(
            "the string value of PreemptionPolicy ({}) must not be provided in pod spec; priority admission controller computed {} from the given PriorityClass name",
            policy(stated),
            policy(computed.preempts)
        ));
    }
    Ok(computed)
}

/// The same for templates and imported pods, which nothing refuses: what the object states counts.
pub fn resolve(spec: &PodSpec, store: &Store) -> Resolved {
    let unstated = PodSpec {
        priority: None,
        preempts: None,
        ..spec.clone()
    };
    let computed = admit(&unstated, store).unwrap_or(built_in(0));
    Resolved {
        value: spec.priority.unwrap_or(computed.value),
        preempts: spec.preempts.unwrap_or(computed.preempts),
    }
}

/// Upstream's word for a preemption policy.
pub const fn policy(preempts: bool) -> &'static str {
    if preempts {
        "PreemptLowerPriority"
    } else {
        "Never"
    }
}

const fn built_in(value: i32) -> Resolved {
    Resolved {
        value,
        preempts: true,
    }
}

fn of_class(class: &Value) -> Resolved {
    let value = class.i64_at(&["value"]).unwrap_or(0);
    Resolved {
        value: i32::try_from(value).unwrap_or(0),
        preempts: class.str_at(&["preemptionPolicy"]) != Some("Never"),
    }
}

/// Whether there is a default class.
pub fn has_default(store: &Store) -> bool {
    default_class(store).is_some()
}

/// Gives a pod that names no class the default one.
pub fn fill(pod: &mut Value, store: &Store) {
    if pod
        .str_at(&["spec", "priorityClassName"])
        .unwrap_or("")
        .is_empty()
        && let Some((name, _)) = default_class(store)
    {
        pod.set_path(&["spec", "priorityClassName"], (&*name).into());
    }
}

/// Whether a class may be the default one: there is no other.
///
/// # Errors
/// Why it is forbidden.
pub fn check_class(name: &str, class: &Value, store: &Store) -> Result<(), String> {
    let wants = class.get("globalDefault").and_then(Value::as_bool) == Some(true);
    let other = default_class(store).filter(|(other, _)| wants && **other != *name);
    other.map_or(Ok(()), |(other, _)| {
        Err(format!(
            "PriorityClass {other} is already marked as default. Only one default can exist"
        ))
    })
}

/// The classes that every cluster has.
/// Source: `pkg/apis/scheduling/v1/helpers.go` (`SystemPriorityClasses`).
pub fn system_classes() -> [Value; 2] {
    let class = |name: &str, value: i32, why: &str| {
        let mut class = Value::object([
            ("apiVersion", Value::from("scheduling.k8s.io/v1")),
            ("kind", "PriorityClass".into()),
            ("value", Value::Int(value.into())),
            ("description", why.into()),
            ("preemptionPolicy", policy(true).into()),
        ]);
        class.set_path(&["metadata", "name"], name.into());
        class
    };
    [
        class(
            "system-cluster-critical",
            SYSTEM_CLUSTER_CRITICAL,
            "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
        ),
        class(
            "system-node-critical",
            SYSTEM_NODE_CRITICAL,
            "Used for system critical pods that must not be moved from their current node.",
        ),
    ]
}

/// The class with `globalDefault`; of several, the one of the lowest value.
fn default_class(store: &Store) -> Option<(Arc<str>, Resolved)> {
    let defaults = store.documents().of(CLASSES).filter(|(_, class)| {
        class
            .value
            .get("globalDefault")
            .and_then(Value::as_bool)
            .unwrap_or(false)
    });
    defaults
        .map(|(key, class)| (key.name.clone(), of_class(&class.value)))
        .min_by_key(|(_, class)| class.value)
}
