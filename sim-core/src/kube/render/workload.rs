//! Deployments and ReplicaSets as objects.

use crate::kube::rows::workload::{DeploymentRow, ReplicaSetRow, WorkloadCondition};
use crate::kube::rows::{ReplicaSetId, read};
use crate::kube::selector::{Requirement, Selector};
use crate::kube::store::document::DocumentKey;
use crate::manifest::value::Value;

use super::pod::owner_reference;
use super::{View, number_or_null, object, text_map, time, uid, uid_text};

fn conditions(list: &[WorkloadCondition], updates: bool) -> Value {
    if list.is_empty() {
        return Value::Null;
    }
    let render = |condition: &WorkloadCondition| {
        object([
            ("lastTransitionTime", time(condition.transition)),
            (
                "lastUpdateTime",
                if updates {
                    time(condition.updated)
                } else {
                    Value::Null
                },
            ),
            ("message", Value::String(condition.message.clone())),
            ("reason", condition.reason.into()),
            ("status", condition.status.text().into()),
            ("type", condition.kind.into()),
        ])
    };
    Value::list(list.iter().map(render).collect())
}

/// Puts the row's numbers into a Deployment's document.
pub fn deployment(_view: &View<'_>, row: &DeploymentRow, value: &mut Value) {
    value.set_path(&["spec", "replicas"], row.replicas.into());
    if row.revision_number > 0 {
        value.set_path(
            &[
                "metadata",
                "annotations",
                "deployment.kubernetes.io/revision",
            ],
            row.revision_number.to_string().into(),
        );
    }
    let status = object([
        ("availableReplicas", number_or_null(row.available)),
        ("collisionCount", number_or_null(row.collisions)),
        ("conditions", conditions(&row.conditions, true)),
        ("observedGeneration", number_or_null(row.observed)),
        ("readyReplicas", number_or_null(row.ready)),
        ("replicas", number_or_null(row.status_replicas)),
        (
            "terminatingReplicas",
            if row.observed == 0 {
                Value::Null
            } else {
                row.terminating.into()
            },
        ),
        ("unavailableReplicas", number_or_null(row.missing)),
        ("updatedReplicas", number_or_null(row.updated)),
    ]);
    value.set("status", status);
}

/// A ReplicaSet, complete.
pub fn replica_set(view: &View<'_>, id: ReplicaSetId) -> Value {
    let Some(row) = view.store.replica_set(id) else {
        return Value::Null;
    };
    let (namespace, name) = (
        view.symbols.text(row.namespace),
        view.symbols.text(row.name),
    );
    let key = DocumentKey {
        resource: "replicasets.apps".into(),
        namespace: namespace.into(),
        name: name.into(),
    };
    let mut value = match view.store.documents().get(&key) {
        Some(document) => document.value.clone(),
        None => made(row, view, name),
    };
    own(view, id, row, &mut value);
    value.set_path(&["metadata", "creationTimestamp"], time(row.created));
    value.set_path(&["metadata", "generation"], row.generation.into());
    value.set_path(
        &["metadata", "resourceVersion"],
        row.revision.to_string().into(),
    );
    value.set_path(
        &["metadata", "uid"],
        uid_text(uid(
            view.seed,
            "replicasets",
            namespace,
            name,
            row.created.as_micros(),
        ))
        .into(),
    );
    if let Some(deleted) = row.deleted {
        value.set_path(&["metadata", "deletionTimestamp"], time(deleted));
        value.set_path(&["metadata", "deletionGracePeriodSeconds"], 0.into());
    }
    if row.foreground {
        // Source: `pkg/controller/garbagecollector/graph_builder.go`.
        let path = ["metadata", "finalizers"];
        let mut finalizers = value
            .path(&path)
            .and_then(Value::as_list)
            .map_or_else(Vec::new, <[Value]>::to_vec);
        finalizers.push("foregroundDeletion".into());
        value.set_path(&path, Value::list(finalizers));
    }
    value.set_path(&["spec", "replicas"], row.replicas.into());
    value.set("status", replica_status(row, true));
    value
}

/// Status of a ReplicaSet, or of a ReplicationController, which does not count terminating pods.
pub fn replica_status(row: &ReplicaSetRow, terminating: bool) -> Value {
    object([
        ("availableReplicas", number_or_null(row.status.available)),
        ("conditions", conditions(&row.conditions, false)),
        (
            "fullyLabeledReplicas",
            number_or_null(row.status.active - row.unlabelled),
        ),
        ("observedGeneration", number_or_null(row.observed)),
        ("readyReplicas", number_or_null(row.status.ready)),
        ("replicas", row.status.active.into()),
        (
            "terminatingReplicas",
            if row.observed == 0 || !terminating {
                Value::Null
            } else {
                row.status.terminating.into()
            },
        ),
    ])
}

/// What a Deployment makes of the metadata of a ReplicaSet.
fn own(view: &View<'_>, id: ReplicaSetId, row: &ReplicaSetRow, value: &mut Value) {
    if let Some(labels) = view.store.kept(id, "labels") {
        value.set_path(&["metadata", "labels"], labels.clone());
    }
    let namespace = view.symbols.text(row.namespace);
    let owner = row.owner.and_then(|owner| view.store.deployment(owner));
    let mut annotations = value
        .path(&["metadata", "annotations"])
        .or_else(|| view.store.kept(id, "annotations"))
        .cloned()
        .unwrap_or_else(Value::map);
    if let Some(map) = annotations.as_map_mut() {
        map.retain(|key, _| {
            !key.strip_prefix(OWN)
                .is_some_and(|key| NUMBERS.contains(&key))
        });
    }
    // The newest one follows its Deployment; an older one keeps what it had when it was that.
    if let Some(deployment) = owner.filter(|owner| row.source == Some(owner.template)) {
        let key = DocumentKey {
            resource: "deployments.apps".into(),
            namespace: namespace.into(),
            name: view.symbols.text(deployment.name).into(),
        };
        let copied = view.store.documents().get(&key);
        let copied = copied.and_then(|document| document.value.path(&["metadata", "annotations"]));
        let entries = copied.and_then(Value::as_map).into_iter();
        for (key, value) in entries.flat_map(|map| map.iter()) {
            if &**key != "kubectl.kubernetes.io/last-applied-configuration" && !key.starts_with(OWN)
            {
                annotations.set(key, value.clone());
            }
        }
    }
    let mut number = |key: &str, value: Option<i64>| {
        if let Some(value) = value {
            annotations.set(&format!("{OWN}{key}"), value.to_string().into());
        }
    };
    number("desired-replicas", row.desired);
    number("max-replicas", row.max);
    number(
        "revision",
        Some(row.revision_number).filter(|number| *number > 0),
    );
    if !row.revision_history.is_empty() {
        let history: Vec<String> = row
            .revision_history
            .iter()
            .map(ToString::to_string)
            .collect();
        annotations.set(&format!("{OWN}revision-history"), history.join(",").into());
    }
    if annotations.as_map().is_some_and(|map| !map.is_empty()) {
        value.set_path(&["metadata", "annotations"], annotations);
    }
    if let Some(deployment) = owner {
        let owner_name = view.symbols.text(deployment.name);
        let reference = owner_reference(
            view,
            "apps/v1",
            "Deployment",
            "deployments",
            namespace,
            owner_name,
            deployment.created.as_micros(),
        );
        let path = ["metadata", "ownerReferences"];
        let owners = owners(read::list(value, &path), reference);
        value.set_path(&path, owners);
    }
}

/// The references of an object that a controller has taken: its own is merged by its uid, else behind
/// the others. Source: `pkg/controller/controller_ref_manager.go` (`ownerRefControllerPatch`).
pub fn owners(others: &[Value], reference: Value) -> Value {
    let mut owners = others.to_vec();
    let uid = reference.str_at(&["uid"]);
    owners.retain(|owner| owner.str_at(&["uid"]) != uid && !read::truth(owner, &["controller"]));
    owners.push(reference);
    Value::list(owners)
}

/// A ReplicaSet that nobody wrote.
fn made(row: &ReplicaSetRow, view: &View<'_>, name: &str) -> Value {
    let template = view.store.template(row.template);
    let metadata = object([
        ("labels", text_map(&template.labels)),
        ("name", name.into()),
        ("namespace", view.symbols.text(row.namespace).into()),
    ]);
    let spec = object([
        ("minReadySeconds", number_or_null(row.min_ready_s)),
        ("replicas", row.replicas.into()),
        ("selector", selector(&row.selector)),
        ("template", Value::clone(&template.document)),
    ]);
    object([
        ("apiVersion", "apps/v1".into()),
        ("kind", "ReplicaSet".into()),
        ("metadata", metadata),
        ("spec", spec),
    ])
}

/// How the Deployment controller's annotations begin.
const OWN: &str = "deployment.kubernetes.io/";
/// What Deployments keep there, besides.
const NUMBERS: [&str; 4] = [
    "desired-replicas",
    "max-replicas",
    "revision",
    "revision-history",
];

/// A selector as it is written: single values as `matchLabels`.
fn selector(selector: &Selector) -> Value {
    let mut labels = Value::map();
    let mut expressions = Vec::new();
    for requirement in &selector.0 {
        let (key, operator, values) = match requirement {
            Requirement::In(key, values) if values.len() == 1 => {
                labels.set(key, Value::String(values[0].clone()));
                continue;
            }
            Requirement::In(key, values) => (key, "In", Some(values)),
            Requirement::NotIn(key, values) => (key, "NotIn", Some(values)),
            Requirement::Exists(key) => (key, "Exists", None),
            Requirement::DoesNotExist(key) => (key, "DoesNotExist", None),
        };
        let values = values.map_or(Value::Null, |values| {
            Value::list(values.iter().cloned().map(Value::String).collect())
        });
        expressions.push(object([
            ("key", Value::String(key.clone())),
            ("operator", operator.into()),
            ("values", values),
        ]));
    }
    object([
        (
            "matchExpressions",
            if expressions.is_empty() {
                Value::Null
            } else {
                Value::list(expressions)
            },
        ),
        (
            "matchLabels",
            if labels.as_map().is_some_and(|map| map.is_empty()) {
                Value::Null
            } else {
                labels
            },
        ),
    ])
}
