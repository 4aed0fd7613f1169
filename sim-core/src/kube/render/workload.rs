//! Deployments and ReplicaSets as objects.

use crate::kube::rows::ReplicaSetId;
use crate::kube::rows::workload::{DeploymentRow, ReplicaSetRow, WorkloadCondition};
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
        None => made(view, id, row, namespace, name),
    };
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
    value.set_path(&["spec", "replicas"], row.replicas.into());
    value.set("status", replica_status(row, true));
    value
}

/// Status of a ReplicaSet, or of a ReplicationController, which does not count terminating pods.
pub fn replica_status(row: &ReplicaSetRow, terminating: bool) -> Value {
    object([
        ("availableReplicas", number_or_null(row.status.available)),
        ("conditions", conditions(&row.conditions, false)),
        ("fullyLabeledReplicas", number_or_null(row.status.active)),
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

fn made(
    view: &View<'_>,
    id: ReplicaSetId,
    row: &ReplicaSetRow,
    namespace: &str,
    name: &str,
) -> Value {
    let template = view.store.template(row.template);
    let mut annotations = Value::map();
    let owner = row.owner.and_then(|owner| view.store.deployment(owner));
    if let Some(deployment) = owner {
        let key = DocumentKey {
            resource: "deployments.apps".into(),
            namespace: namespace.into(),
            name: view.symbols.text(deployment.name).into(),
        };
        // The newest one follows its Deployment; an older one keeps what it had when it was that.
        let own = if row.source == Some(deployment.template) {
            view.store
                .documents()
                .get(&key)
                .and_then(|document| document.value.path(&["metadata", "annotations"]).cloned())
        } else {
            view.store.kept_annotations(id).cloned()
        };
        for (key, value) in own
            .as_ref()
            .and_then(Value::as_map)
            .into_iter()
            .flat_map(|map| map.iter())
        {
            let skipped = [
                "kubectl.kubernetes.io/last-applied-configuration",
                "deployment.kubernetes.io/revision",
            ];
            if !skipped.contains(&&**key) && !key.starts_with("deployment.kubernetes.io/") {
                annotations.set(key, value.clone());
            }
        }
    }
    let mut number = |key: &str, value: Option<i64>| {
        if let Some(value) = value {
            annotations.set(key, value.to_string().into());
        }
    };
    number("deployment.kubernetes.io/desired-replicas", row.desired);
    number("deployment.kubernetes.io/max-replicas", row.max);
    number(
        "deployment.kubernetes.io/revision",
        Some(row.revision_number).filter(|number| *number > 0),
    );
    if !row.revision_history.is_empty() {
        let history: Vec<String> = row
            .revision_history
            .iter()
            .map(ToString::to_string)
            .collect();
        annotations.set(
            "deployment.kubernetes.io/revision-history",
            history.join(",").into(),
        );
    }
    let owners = owner.map_or(Value::Null, |deployment| {
        let owner_name = view.symbols.text(deployment.name);
        Value::list(vec![owner_reference(
            view,
            "apps/v1",
            "Deployment",
            "deployments",
            namespace,
            owner_name,
            deployment.created.as_micros(),
        )])
    });
    let metadata = object([
        ("annotations", annotations),
        ("labels", text_map(&template.labels)),
        ("name", name.into()),
        ("namespace", namespace.into()),
        ("ownerReferences", owners),
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
