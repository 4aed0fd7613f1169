//! What makes one pod of a set differ from the next: name, labels, host name, claims.
//! Source: `pkg/controller/statefulset/stateful_set_utils.go`.

use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::symbol::Symbol;
use crate::kube::apiserver::workload::keep_template;
use crate::kube::rows::stateful_set::StatefulSetPart;
use crate::kube::rows::{PodId, ReplicaSetId};
use crate::kube::template::TemplateId;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

use super::claims;

/// The template of the pod of an ordinal: the current revision where the strategy holds it back,
/// else the update revision.
pub fn template(
    id: ReplicaSetId,
    part: &StatefulSetPart,
    ordinal: i64,
    turn: &mut Turn<'_, '_>,
) -> Option<TemplateId> {
    let held_back = if part.on_delete {
        false
    } else if part.rolling {
        ordinal < part.start.saturating_add(part.partition)
    } else {
        ordinal < part.start.saturating_add(part.current_replicas)
    };
    let name = if held_back { part.current } else { part.update };
    let revision = part.revision(name)?;
    let (base, revision) = (revision.template, revision.name);
    let row = turn.store.replica_set(id)?;
    let (set, namespace) = (
        turn.ctx.symbols.text(row.name).to_owned(),
        turn.ctx.symbols.text(row.namespace).to_owned(),
    );
    let pod = format!("{set}-{ordinal}");
    let mut document = Value::clone(&turn.store.template(base).document);
    let revision = turn.ctx.symbols.text(revision);
    document.set_path(
        &["metadata", "labels", "controller-revision-hash"],
        revision.into(),
    );
    for (label, value) in labels(&set, ordinal) {
        document.set_path(&["metadata", "labels", label], value.into());
    }
    document.set_path(&["spec", "hostname"], pod.into());
    if !part.service.is_empty() {
        document.set_path(&["spec", "subdomain"], Value::from(&*part.service));
    }
    mount(part, &set, ordinal, &mut document);
    keep_template(&document, &namespace, turn)
}

/// Labels that say which pod of a set one is.
fn labels(set: &str, ordinal: i64) -> [(&'static str, String); 2] {
    [
        ("apps.kubernetes.io/pod-index", ordinal.to_string()),
        (
            "statefulset.kubernetes.io/pod-name",
            format!("{set}-{ordinal}"),
        ),
    ]
}

/// Puts back the labels of a pod's identity. Whether there was need to.
/// Source: `stateful_set_utils.go` (`identityMatches`, `updateIdentity`).
pub fn restore(set: Symbol, ordinal: i64, pod: PodId, turn: &mut Turn<'_, '_>) -> bool {
    let Some(row) = turn.store.pod(pod) else {
        return false;
    };
    let mut template = (**turn.store.template(row.template)).clone();
    let wanted = labels(turn.ctx.symbols.text(set), ordinal);
    let mut found = template.labels.to_vec();
    found.retain(|(key, _)| wanted.iter().all(|(label, _)| **key != **label));
    found.extend(
        wanted
            .iter()
            .map(|(key, text)| ((*key).into(), text.as_str().into())),
    );
    found.arrange();
    if *found == *template.labels {
        return false;
    }
    template.labels = found.into();
    let mut document = Value::clone(&template.document);
    for (label, text) in wanted {
        document.set_path(&["metadata", "labels", label], text.into());
    }
    template.document = Arc::new(document);
    let template = turn.store.intern_template(template);
    turn.store.set_pod_template(pod, template);
    true
}

/// Volumes of the claims; one of the template with a claim's name gives way.
fn mount(part: &StatefulSetPart, set: &str, ordinal: i64, document: &mut Value) {
    let mut volumes: Vec<Value> = Vec::new();
    for claim in part.claims.iter() {
        let name = claims::template_name(claim);
        let source = Value::object([("claimName", Value::from(claims::name(name, set, ordinal)))]);
        volumes.push(Value::object([
            ("name", Value::from(name)),
            ("persistentVolumeClaim", source),
        ]));
    }
    if volumes.is_empty() {
        return;
    }
    let written = document
        .path(&["spec", "volumes"])
        .and_then(Value::as_list)
        .unwrap_or(&[]);
    let kept = written.iter().filter(|volume| {
        !part
            .claims
            .iter()
            .any(|claim| volume.str_at(&["name"]) == Some(claims::template_name(claim)))
    });
    volumes.extend(kept.cloned());
    document.set_path(&["spec", "volumes"], Value::list(volumes));
}
