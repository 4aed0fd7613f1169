//! Kinds that loops read and that are documents first: what a write to one comes down to.

use std::sync::Arc;

use crate::kube::kinds::Kind;
use crate::kube::render::{uid, uid_text};
use crate::kube::rows::ReplicaSetId;
use crate::kube::rows::daemon_set::DaemonSetPart;
use crate::kube::rows::job::JobPart;
use crate::kube::rows::read;
use crate::kube::rows::stateful_set::StatefulSetPart;
use crate::kube::rows::watched::{WatchedKind, WatchedPart, WatchedRow};
use crate::kube::rows::workload::{OwnerKind, Part, ReplicaSetRow};
use crate::kube::selector::Selector;
use crate::kube::store::document::{Document, DocumentKey, RowReference};
use crate::kube::template::TemplateId;
use crate::kube::turn::Turn;
use crate::manifest::decode::kube::decode_template;
use crate::manifest::value::Value;

use super::template::build;

/// Finishes an object before it is stored: what the server's own strategies fill in.
/// Source: `pkg/registry/batch/job/strategy.go`, `pkg/apis/{batch,core}/v1/defaults.go`.
pub fn prepare(kind: &Kind, key: &DocumentKey, value: &mut Value, turn: &Turn<'_, '_>) {
    match kind.kind {
        "Job" if !read::truth(value, &["spec", "manualSelector"]) => {
            let uid = uid_text(uid(
                turn.ctx.seed,
                kind.plural,
                &key.namespace,
                &key.name,
                turn.now().as_micros(),
            ));
            let name: Value = (&*key.name).into();
            let labels = ["spec", "template", "metadata", "labels"];
            for (label, value_of) in [
                (
                    "batch.kubernetes.io/controller-uid",
                    Value::from(uid.as_str()),
                ),
                ("batch.kubernetes.io/job-name", name.clone()),
                ("controller-uid", Value::from(uid.as_str())),
                ("job-name", name),
            ] {
                let path = [labels[0], labels[1], labels[2], labels[3], label];
                value.set_path(&path, value_of);
            }
            value.set_path(
                &[
                    "spec",
                    "selector",
                    "matchLabels",
                    "batch.kubernetes.io/controller-uid",
                ],
                uid.as_str().into(),
            );
        }
        "ReplicationController" if value.path(&["spec", "selector"]).is_none() => {
            if let Some(labels) = value.path(&["spec", "template", "metadata", "labels"]) {
                let labels = labels.clone();
                value.set_path(&["spec", "selector"], labels);
            }
        }
        _ => {}
    }
    // Those of the template, with what was added to them.
    // Sources: `SetDefaults_Job` and `SetDefaults_ReplicationController` of `pkg/apis`.
    let own = ["metadata", "labels"];
    if matches!(kind.kind, "Job" | "ReplicationController")
        && read::text_map(value.path(&own)).is_empty()
        && let Some(labels) = value.path(&["spec", "template", "metadata", "labels"])
    {
        let labels = labels.clone();
        value.set_path(&own, labels);
    }
}

/// Makes or renews the row of a stored document; called after every write to it. `spec` says
/// whether its spec changed.
pub fn attach(kind: &str, key: &DocumentKey, spec: bool, turn: &mut Turn<'_, '_>) {
    if let Some(owner) = OwnerKind::parse(kind).filter(|kind| *kind != OwnerKind::ReplicaSet) {
        attach_owner(owner, key, spec, turn);
    } else if let Some(watched) = WatchedKind::parse(kind) {
        attach_watched(watched, key, spec, turn);
    }
}

fn attach_watched(kind: WatchedKind, key: &DocumentKey, spec: bool, turn: &mut Turn<'_, '_>) {
    let Some(document) = turn.store.documents().get(key) else {
        return;
    };
    let row = document.row;
    if let RowReference::Watched(id) = row {
        let old = turn.store.watched(id).map(|row| row.part.clone());
        let part = WatchedPart::read(kind, &document.value, old);
        if let Some(row) = turn.store.watched_mut(id) {
            row.part = part;
        }
        turn.store.tell_watched(id, spec);
        return;
    }
    let part = WatchedPart::read(kind, &document.value, None);
    let row = WatchedRow {
        kind,
        namespace: turn.ctx.symbols.intern(&key.namespace),
        name: turn.ctx.symbols.intern(&key.name),
        key: key.clone(),
        part,
    };
    let id = turn.store.add_watched(row);
    if let Some(mut document) = turn.store.documents_mut().get_mut(key) {
        document.row = RowReference::Watched(id);
    }
}

fn attach_owner(kind: OwnerKind, key: &DocumentKey, spec: bool, turn: &mut Turn<'_, '_>) {
    let Some(document) = turn.store.documents().get(key).cloned() else {
        return;
    };
    let value = &document.value;
    let Some(template) = template(value, key, turn) else {
        return;
    };
    let selector = match (kind, value.path(&["spec", "selector"])) {
        (_, None) => Selector::default(),
        (OwnerKind::ReplicationController, Some(map)) => read::plain_selector(map),
        (_, Some(selector)) => read::selector(selector),
    };
    let replicas = value.i64_at(&["spec", "replicas"]);
    let min_ready_s = read::number(value, &["spec", "minReadySeconds"]);
    let generation = document.generation;
    let RowReference::ReplicaSet(id) = document.row else {
        create(kind, key, &document, (template, selector), turn);
        return;
    };
    turn.store.write_replica_set(id, false, |row| {
        row.template = template;
        row.selector = Arc::new(selector);
        row.min_ready_s = min_ready_s;
        row.generation = generation;
        if let (Some(replicas), OwnerKind::StatefulSet | OwnerKind::ReplicationController) =
            (replicas, kind)
        {
            row.replicas = replicas;
        }
        match &mut row.part {
            Part::None => {}
            Part::StatefulSet(part) => Arc::make_mut(part).read(value),
            Part::DaemonSet(part) => Arc::make_mut(part).read(value),
            Part::Job(part) => Arc::make_mut(part).read(value),
        }
    });
    if spec {
        turn.store.nudge(id);
    }
}

fn create(
    kind: OwnerKind,
    key: &DocumentKey,
    document: &Document,
    (template, selector): (TemplateId, Selector),
    turn: &mut Turn<'_, '_>,
) -> ReplicaSetId {
    let value = &document.value;
    let status = value.get("status").cloned().unwrap_or_default();
    let part = match kind {
        OwnerKind::ReplicaSet | OwnerKind::ReplicationController => Part::None,
        OwnerKind::StatefulSet => {
            let mut part = StatefulSetPart::default();
            part.read(value);
            part.resume(&status, &mut |text| turn.ctx.symbols.intern(text));
            Part::StatefulSet(Arc::new(part))
        }
        OwnerKind::DaemonSet => {
            let mut part = DaemonSetPart::default();
            part.read(value);
            Part::DaemonSet(Arc::new(part))
        }
        OwnerKind::Job => {
            let mut part = JobPart::default();
            part.read(value);
            part.resume(&status);
            part.cron_job =
                controller_of(value, "CronJob").map(|name| turn.ctx.symbols.intern(name));
            Part::Job(Arc::new(part))
        }
    };
    let replicas = match kind {
        OwnerKind::DaemonSet | OwnerKind::Job => 0,
        _ => value.i64_at(&["spec", "replicas"]).unwrap_or(1),
    };
    let names = (
        turn.ctx.symbols.intern(&key.namespace),
        turn.ctx.symbols.intern(&key.name),
    );
    let row = ReplicaSetRow {
        kind,
        part,
        replicas,
        min_ready_s: read::number(value, &["spec", "minReadySeconds"]),
        generation: document.generation,
        deleting: document.deletion.is_some(),
        observed: read::number(&status, &["observedGeneration"]),
        ..ReplicaSetRow::new(names, selector, template, document.created)
    };
    let id = turn.store.add_replica_set(row);
    if let Some(mut document) = turn.store.documents_mut().get_mut(key) {
        document.row = RowReference::ReplicaSet(id);
    }
    id
}

/// Name of the controlling owner of that kind.
pub fn controller_of<'a>(value: &'a Value, kind: &str) -> Option<&'a str> {
    read::list(value, &["metadata", "ownerReferences"])
        .iter()
        .find(|owner| read::truth(owner, &["controller"]) && read::text(owner, &["kind"]) == kind)?
        .str_at(&["name"])
}

/// The template of a document at `spec.template`, kept.
fn template(value: &Value, key: &DocumentKey, turn: &mut Turn<'_, '_>) -> Option<TemplateId> {
    let document = value.path(&["spec", "template"])?;
    let claims = read::list(value, &["spec", "volumeClaimTemplates"]);
    if claims.is_empty() {
        return keep_template(document, &key.namespace, turn);
    }
    // The pods will have a volume for each claim; until then the template only names them.
    let mut whole = document.clone();
    let mut volumes = read::list(document, &["spec", "volumes"]).to_vec();
    for claim in claims {
        let name = read::text(claim, &["metadata", "name"]);
        if !volumes.iter().any(|one| read::text(one, &["name"]) == name) {
            volumes.push(Value::object([
                ("name", Value::from(name)),
                ("emptyDir", Value::map()),
            ]));
        }
    }
    whole.set_path(&["spec", "volumes"], volumes.into());
    let decoded = decode_template(&whole)?;
    let namespace = turn.ctx.symbols.intern(&key.namespace);
    let template = build(namespace, &decoded, document.clone(), turn);
    Some(turn.store.intern_template(template))
}

/// A ReplicaSet's template without the hash that its Deployment put in.
pub fn source(template: TemplateId, turn: &mut Turn<'_, '_>) -> Option<TemplateId> {
    let template = turn.store.template(template);
    let mut document = Value::clone(&template.document);
    let namespace = turn.ctx.symbols.text(template.namespace).to_owned();
    document.remove_path(&["metadata", "labels", "pod-template-hash"]);
    keep_template(&document, &namespace, turn)
}

/// Keeps a template written as a document: `metadata` and `spec`.
pub fn keep_template(
    document: &Value,
    namespace: &str,
    turn: &mut Turn<'_, '_>,
) -> Option<TemplateId> {
    let decoded = decode_template(document)?;
    let namespace = turn.ctx.symbols.intern(namespace);
    let template = build(namespace, &decoded, document.clone(), turn);
    Some(turn.store.intern_template(template))
}

/// How often a DaemonSet's template has changed, which only the server says.
/// Sources: `pkg/registry/apps/daemonset/strategy.go`, `pkg/apis/apps/v1/conversion.go`.
pub const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// Counts the templates of a DaemonSet.
pub fn count_template(kind: &str, old: Option<&Value>, value: &mut Value) {
    if kind != "DaemonSet" {
        return;
    }
    let path = ["metadata", "annotations", TEMPLATE_GENERATION];
    let number = |object: &Value| -> i64 {
        let text = object.str_at(&path).unwrap_or("");
        text.parse().unwrap_or(0)
    };
    let count = match old {
        None => number(value).max(1),
        Some(old) => {
            let template = ["spec", "template"];
            let changed = old.path(&template) != value.path(&template);
            number(old).max(1) + i64::from(changed)
        }
    };
    value.set_path(&path, count.to_string().into());
}
