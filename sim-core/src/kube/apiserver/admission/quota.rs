//! Quotas of a namespace, asked before an object is created.
//! Sources: `staging/src/k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go`,
//! `pkg/quota/v1/evaluator/core/pods.go`.

use crate::base::arrange::Arrange;
use crate::base::sorted::SortedMap;
use crate::kube::controllers::quota::{claim_share, claims_share, scope, shown};
use crate::kube::kinds::Kind;
use crate::kube::rows::workload::OwnerKind;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

/// Resources that every container must state when a quota limits them, with where they are stated.
const STATED: [(&str, &str, &str); 8] = [
    ("cpu", "requests", "cpu"),
    ("ephemeral-storage", "requests", "ephemeral-storage"),
    ("limits.cpu", "limits", "cpu"),
    ("limits.ephemeral-storage", "limits", "ephemeral-storage"),
    ("limits.memory", "limits", "memory"),
    ("memory", "requests", "memory"),
    ("requests.cpu", "requests", "cpu"),
    ("requests.memory", "requests", "memory"),
];

/// Whether a pod states all that its namespace's quotas count.
///
/// # Errors
/// `failed quota: …`, with the containers that do not.
pub fn states_enough(namespace: &str, pod: &Value, turn: &Turn<'_, '_>) -> Result<(), String> {
    let quotas = turn
        .store
        .documents()
        .of("resourcequotas")
        .filter(|(key, _)| &*key.namespace == namespace);
    for (key, document) in quotas {
        let scoped_out = pod
            .get("spec")
            .is_some_and(|spec| !scope::counts(&document.value, spec));
        if scoped_out {
            continue;
        }
        let mut missing: SortedMap<&str, Vec<String>> = SortedMap::new();
        for (resource, field, name) in STATED {
            if document.value.path(&["spec", "hard", resource]).is_none() {
                continue;
            }
            for list in ["containers", "initContainers"] {
                let containers = pod.path(&["spec", list]).and_then(Value::as_list);
                for container in containers.unwrap_or(&[]) {
                    if container.path(&["resources", field, name]).is_none() {
                        let own = container.str_at(&["name"]).unwrap_or("").to_owned();
                        missing.entry(resource).or_default().push(own);
                    }
                }
            }
        }
        if !missing.is_empty() {
            let parts: Vec<String> = missing
                .iter()
                .map(|(resource, names)| format!("{resource} for: {}", names.join(",")))
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

/// Whether one more object of a kind fits.
///
/// # Errors
/// `exceeded quota: …`.
pub fn fits(
    kind: &Kind,
    namespace: &str,
    object: &Value,
    turn: &Turn<'_, '_>,
) -> Result<(), String> {
    if !kind.namespaced || kind.kind == "Pod" {
        return Ok(());
    }
    let mut names = vec![format!("count/{}", kind.resource())];
    match kind.kind {
        "ConfigMap"
        | "Secret"
        | "PersistentVolumeClaim"
        | "ReplicationController"
        | "ResourceQuota" => names.push(kind.plural.to_owned()),
        "Service" => {
            names.push("services".to_owned());
            match object.str_at(&["spec", "type"]) {
                Some("NodePort") => names.push("services.nodeports".to_owned()),
                Some("LoadBalancer") => {
                    names.push("services.loadbalancers".to_owned());
                    names.push("services.nodeports".to_owned());
                }
                _ => {}
            }
        }
        _ => {}
    }
    let quotas = turn
        .store
        .documents()
        .of("resourcequotas")
        .filter(|(key, document)| {
            &*key.namespace == namespace && !scope::is_scoped(&document.value)
        });
    for (key, document) in quotas {
        let mut over = Vec::new();
        for name in &names {
            let Some(limit) = amount(document.value.path(&["spec", "hard", name])) else {
                continue;
            };
            let used = count(kind, namespace, name, turn);
            if used + 1 > limit {
                over.push((name.as_str(), 1, used, limit));
            }
        }
        let hard = document.value.path(&["spec", "hard"]);
        let claims = hard
            .and_then(Value::as_map)
            .filter(|_| kind.kind == "PersistentVolumeClaim");
        for (name, limit) in claims.into_iter().flat_map(|map| map.iter()) {
            if let (Some(share), Some(limit)) = (claim_share(name, object), amount(Some(limit))) {
                let used = claims_share(name, namespace, turn);
                if used.saturating_add(share) > limit {
                    over.push((name, share, used, limit));
                }
            }
        }
        over.arrange();
        if over.is_empty() {
            continue;
        }
        let list = |value: &dyn Fn(&(&str, i64, i64, i64)) -> i64| {
            let parts: Vec<String> = over
                .iter()
                .map(|one| {
                    let text = shown(one.0, value(one).saturating_mul(1_000));
                    format!("{}={text}", one.0)
                })
                .collect();
            parts.join(",")
        };
        return Err(format!(
            "exceeded quota: {}, requested: {}, used: {}, limited: {}",
            key.name,
            list(&|one| one.1),
            list(&|one| one.2),
            list(&|one| one.3)
        ));
    }
    Ok(())
}

fn amount(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::Int(number) => Some(*number),
        Value::String(text) => crate::base::quantity::Quantity::parse(text)
            .ok()
            .map(|amount| amount.value()),
        _ => None,
    }
}

fn count(kind: &Kind, namespace: &str, name: &str, turn: &Turn<'_, '_>) -> i64 {
    if kind.kind == "ReplicaSet" {
        let symbol = turn.ctx.symbols.get(namespace);
        let sets = turn
            .store
            .replica_sets()
            .filter(|(_, row)| row.kind == OwnerKind::ReplicaSet && Some(row.namespace) == symbol);
        return i64::try_from(sets.count()).unwrap_or(i64::MAX);
    }
    let resource = kind.resource();
    let all = turn
        .store
        .documents()
        .of(&resource)
        .filter(|(key, _)| &*key.namespace == namespace);
    let counted = all.filter(|(_, document)| {
        let service = document.value.str_at(&["spec", "type"]);
        match name {
            "services.nodeports" => matches!(service, Some("NodePort" | "LoadBalancer")),
            "services.loadbalancers" => service == Some("LoadBalancer"),
            _ => true,
        }
    });
    i64::try_from(counted.count()).unwrap_or(i64::MAX)
}
