//! The ReplicaSet of a new template, and what becomes of one that the API server refuses.
//! Source: `pkg/controller/deployment/sync.go` (`getNewReplicaSet`).

use std::sync::Arc;

use crate::base::name::Name;
use crate::base::symbol::Symbol;
use crate::des::notice::Detail;
use crate::kube::apiserver::admission::quota;
use crate::kube::controllers::{admission, hands};
use crate::kube::event::{Event, Key};
use crate::kube::rows::node::ConditionStatus;
use crate::kube::rows::workload::{DeploymentRow, ReplicaSetRow};
use crate::kube::rows::{DeploymentId, ReplicaSetId};
use crate::kube::selector::{Requirement, Selector};
use crate::kube::store::document::DocumentKey;
use crate::kube::store::events::Message;
use crate::kube::template::TemplateId;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

use super::{DeploymentController, bounds, progress, template_hash, total, with_hash};

/// Reason of the event and the condition when a ReplicaSet is refused.
const REFUSED: &str = "ReplicaSetCreateError";

/// Tries of one Deployment before it is dropped from the queue.
/// Source: `pkg/controller/deployment/deployment_controller.go` (`maxRetries`).
const RETRIES_MAX: u32 = 15;

impl DeploymentController {
    /// A fresh ReplicaSet; none if the API server refuses it.
    pub(super) fn create(
        &mut self,
        id: DeploymentId,
        row: &DeploymentRow,
        number: i64,
        turn: &mut Turn<'_, '_>,
    ) -> Option<ReplicaSetId> {
        let bounds = bounds(row);
        let wanted = if row.recreate {
            row.replicas
        } else {
            row.replicas.min(bounds.ceiling() - total(id, turn)).max(0)
        };
        let mut collisions = row.collisions;
        let (hash, name) = loop {
            let hash = template_hash(row.template, collisions, turn);
            let name = set_name(turn.ctx.symbols.text(row.name), &hash);
            let name = turn.ctx.symbols.intern(&name);
            if turn.store.replica_set_named(row.namespace, name).is_none() {
                break (hash, name);
            }
            collisions += 1;
        };
        if collisions != row.collisions
            && let Some(row) = turn.store.deployment_mut(id)
        {
            row.collisions = collisions;
        }
        let template = with_hash(row.template, &hash, turn);
        let mut selector = Selector::clone(&row.selector);
        let hash: Arc<str> = hash.into();
        selector.0.push(Requirement::In(
            "pod-template-hash".into(),
            [hash.clone()].into(),
        ));
        self.limiter.take(turn.now());
        if let Err(refusal) = judged(row, name, &hash, template, wanted, turn) {
            self.refused(id, name, &refusal, turn);
            return None;
        }
        self.refusals.remove(&id);
        let hash = turn.ctx.symbols.intern(&hash);
        let set = turn.store.add_replica_set(ReplicaSetRow {
            owner: Some(id),
            hash: Some(hash),
            source: Some(row.template),
            replicas: wanted,
            min_ready_s: row.min_ready_s,
            desired: Some(row.replicas),
            max: Some(bounds.ceiling()),
            revision_number: number,
            ..ReplicaSetRow::new((row.namespace, name), selector, template, turn.now())
        });
        turn.note(
            "kube.deployment",
            "create",
            "replicaset",
            Name::plain(name),
            Detail::Number(wanted),
        );
        if wanted > 0 {
            self.report(
                ("Deployment", row.namespace, Name::plain(row.name)),
                name,
                0,
                wanted,
                turn,
            );
        }
        self.number(id, number, turn);
        if row.deadline_s.is_some() {
            let text = format!(
                "Created new replica set \"{}\"",
                turn.ctx.symbols.text(name)
            );
            progress::set(
                id,
                "Progressing",
                ConditionStatus::True,
                "NewReplicaSetCreated",
                &text,
                turn,
            );
        }
        Some(set)
    }

    /// The API server refused a ReplicaSet: it is tried again after waits that double, and given up
    /// after fifteen. Source: `pkg/controller/deployment/{sync,deployment_controller}.go`.
    fn refused(&mut self, id: DeploymentId, name: Symbol, refusal: &str, turn: &mut Turn<'_, '_>) {
        let text: Arc<str> = format!(
            "Failed to create new replica set \"{}\": {refusal}",
            turn.ctx.symbols.text(name)
        )
        .into();
        let Some(row) = turn.store.deployment(id) else {
            return;
        };
        let object = ("Deployment", row.namespace, Name::plain(row.name));
        if row.deadline_s.is_some() {
            let status = ConditionStatus::False;
            progress::set(id, "Progressing", status, REFUSED, &text, turn);
        }
        turn.warning(
            object,
            "deployment-controller",
            REFUSED,
            Message::Text(text),
        );
        self.retry(id, turn);
    }

    /// A pass ended in an error: the next comes after a wait that doubles.
    pub(super) fn retry(&mut self, id: DeploymentId, turn: &mut Turn<'_, '_>) {
        let times = self.refusals.entry(id).or_insert(0);
        if *times < RETRIES_MAX {
            let wait = hands::RETRY.0.saturating_mul(1 << *times);
            *times += 1;
            turn.at(turn.now() + wait, Event::Sync(Key::Deployment(id)));
        }
    }
}

/// A ReplicaSet's name: of the Deployment's as much as leaves room for the hash.
/// Source: `pkg/controller/deployment/sync.go` (`generateReplicaSetName`).
fn set_name(deployment: &str, hash: &str) -> String {
    /// Bytes of a name at most. Source: `apimachinery/pkg/util/validation/validation.go`.
    const NAME_MAX: usize = 253;
    let kept = deployment.len().min(NAME_MAX - 1 - hash.len());
    format!("{}-{hash}", &deployment[..kept])
}

/// Whether bound policies and quotas let a ReplicaSet be made.
fn judged(
    row: &DeploymentRow,
    name: Symbol,
    hash: &str,
    template: TemplateId,
    replicas: i64,
    turn: &Turn<'_, '_>,
) -> Result<(), String> {
    let text = |symbol: Symbol| Value::from(turn.ctx.symbols.text(symbol));
    let document = turn.store.template(template).document.clone();
    let key = DocumentKey {
        resource: "deployments.apps".into(),
        namespace: turn.ctx.symbols.text(row.namespace).into(),
        name: turn.ctx.symbols.text(row.name).into(),
    };
    let own = turn.store.documents().get(&key);
    let own = own.and_then(|document| document.value.path(&["spec", "selector"]));
    let mut object = Value::object([
        ("apiVersion", Value::from("apps/v1")),
        ("kind", "ReplicaSet".into()),
    ]);
    object.set_path(&["metadata", "name"], text(name));
    object.set_path(&["metadata", "namespace"], text(row.namespace));
    if let Some(labels) = document.path(&["metadata", "labels"]) {
        object.set_path(&["metadata", "labels"], labels.clone());
    }
    object.set_path(&["spec", "replicas"], replicas.into());
    object.set_path(&["spec", "selector"], own.cloned().unwrap_or_default());
    object.set_path(
        &["spec", "selector", "matchLabels", "pod-template-hash"],
        hash.into(),
    );
    object.set_path(&["spec", "template"], Value::clone(&document));
    admission::judge(admission::DEPLOYMENTS, "ReplicaSet", &object, turn)?;
    let Some(kind) = turn.store.kind_of_object("apps/v1", "ReplicaSet") else {
        return Ok(());
    };
    let namespace = turn.ctx.symbols.text(row.namespace);
    quota::fits(kind, namespace, (None, &object), turn).map_err(|why| {
        format!(
            "{} \"{}\" is forbidden: {why}",
            kind.resource(),
            turn.ctx.symbols.text(name)
        )
    })
}
