//! What an autoscaler scales: its size, its pods, its selector.

use crate::base::arrange::Arrange;
use crate::base::symbol::Symbol;
use crate::kube::rows::pod::PodRow;
use crate::kube::rows::watched::WatchedKind;
use crate::kube::rows::workload::OwnerKind;
use crate::kube::rows::{PodId, ReplicaSetId, read};
use crate::kube::selector::{Requirement, Selector};
use crate::kube::store::document::{DocumentKey, RowReference};
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

/// A target.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its kind.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `spec.replicas`.
    pub replicas: i64,
    /// `status.replicas`.
    pub status_replicas: i64,
    /// Its pods.
    pub pods: Vec<PodId>,
    selector: Selector,
}

/// Resource with group of a kind that can be scaled.
pub fn resource(kind: &str) -> String {
    match kind {
        "Deployment" => "deployments.apps".to_owned(),
        _ => OwnerKind::parse(kind).map_or_else(
            || format!("{}s", kind.to_lowercase()),
            |kind| kind.resource().to_owned(),
        ),
    }
}

impl Target {
    /// The target of an autoscaler; `None`: there is none, or it cannot be scaled.
    pub fn find(autoscaler: &Value, own: &DocumentKey, turn: &Turn<'_, '_>) -> Option<Self> {
        let reference = autoscaler.path(&["spec", "scaleTargetRef"])?;
        let (kind, name) = (
            read::text(reference, &["kind"]),
            read::text(reference, &["name"]),
        );
        let namespace = turn.ctx.symbols.get(&own.namespace)?;
        if kind == "Deployment" {
            let key = DocumentKey {
                resource: "deployments.apps".into(),
                namespace: own.namespace.clone(),
                name: name.into(),
            };
            let RowReference::Deployment(id) = turn.store.documents().get(&key)?.row else {
                return None;
            };
            let row = turn.store.deployment(id)?;
            return Some(Self {
                kind: kind.to_owned(),
                namespace: own.namespace.to_string(),
                name: name.to_owned(),
                replicas: row.replicas,
                status_replicas: row.status_replicas,
                pods: pods(&row.replica_sets, &row.selector, namespace, turn),
                selector: Selector::clone(&row.selector),
            });
        }
        let owner = OwnerKind::parse(kind)
            .filter(|kind| !matches!(kind, OwnerKind::DaemonSet | OwnerKind::Job))?;
        let id = turn
            .store
            .pod_controller_named(owner, namespace, turn.ctx.symbols.get(name)?)?;
        let row = turn.store.replica_set(id)?;
        Some(Self {
            kind: kind.to_owned(),
            namespace: own.namespace.to_string(),
            name: name.to_owned(),
            replicas: row.replicas,
            status_replicas: match owner {
                OwnerKind::StatefulSet => i64::from(row.pods_all),
                _ => row.status.active,
            },
            pods: pods(&[id], &row.selector, namespace, turn),
            selector: Selector::clone(&row.selector),
        })
    }

    /// Ready pods that run.
    pub fn ready(&self, turn: &Turn<'_, '_>) -> i64 {
        let ready = self.pods.iter().filter(|pod| {
            turn.store.pod(**pod).is_some_and(|row| {
                row.is_ready() && row.phase == crate::kube::rows::pod::Phase::Running
            })
        });
        i64::try_from(ready.count()).unwrap_or(i64::MAX)
    }

    /// Names of all autoscalers that select these pods, if there are several.
    pub fn rivals(&self, own: Symbol, key: &DocumentKey, turn: &Turn<'_, '_>) -> Option<String> {
        let mut names: Vec<String> = turn
            .store
            .all_watched()
            .filter(|(_, row)| {
                row.kind == WatchedKind::Autoscaler
                    && row.key.namespace == key.namespace
                    && row.name != own
            })
            .filter(|(id, row)| {
                let other = turn
                    .store
                    .watched_document(*id)
                    .and_then(|document| Self::find(&document.value, &row.key, turn));
                other.is_some_and(|other| other.pods.iter().any(|pod| self.pods.contains(pod)))
            })
            .map(|(_, row)| format!("{}/{}", key.namespace, turn.ctx.symbols.text(row.name)))
            .collect();
        if names.is_empty() {
            return None;
        }
        names.push(format!("{}/{}", key.namespace, turn.ctx.symbols.text(own)));
        names.arrange();
        Some(names.join(" "))
    }

    /// The selector as it is written.
    pub fn selector_text(&self, _turn: &Turn<'_, '_>) -> String {
        let parts: Vec<String> = self
            .selector
            .0
            .iter()
            .map(|requirement| match requirement {
                Requirement::In(key, values) if values.len() == 1 => format!("{key}={}", values[0]),
                Requirement::In(key, values) => format!("{key} in ({})", values.join(",")),
                Requirement::NotIn(key, values) => format!("{key} notin ({})", values.join(",")),
                Requirement::Exists(key) => key.to_string(),
                Requirement::DoesNotExist(key) => format!("!{key}"),
            })
            .collect();
        parts.join(",")
    }
}

/// Pods of these controllers, and pods without one that the selector takes.
fn pods(
    owners: &[ReplicaSetId],
    selector: &Selector,
    namespace: Symbol,
    turn: &Turn<'_, '_>,
) -> Vec<PodId> {
    let mut found: Vec<PodId> = owners
        .iter()
        .flat_map(|owner| turn.store.pods_of(*owner).map(|(pod, _)| pod))
        .collect();
    let taken = |row: &PodRow| {
        let template = turn.store.template(row.template);
        template.namespace == namespace && selector.matches(&template.labels)
    };
    let lonely = turn.store.lonely_pods().iter().copied();
    found.extend(lonely.filter(|pod| turn.store.pod(*pod).is_some_and(taken)));
    found.arrange();
    found.dedup();
    found
}
