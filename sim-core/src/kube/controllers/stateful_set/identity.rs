//! What makes one pod of a set differ from the next: name, labels, host name, claims.
//! Source: `pkg/controller/statefulset/stateful_set_utils.go`.

use crate::kube::apiserver::workload::keep_template;
use crate::kube::rows::ReplicaSetId;
use crate::kube::rows::stateful_set::StatefulSetPart;
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
    let labels = [
        ("apps.kubernetes.io/pod-index", ordinal.to_string()),
        (
            "controller-revision-hash",
            turn.ctx.symbols.text(revision).to_owned(),
        ),
        ("statefulset.kubernetes.io/pod-name", pod.clone()),
    ];
    for (label, value) in labels {
        document.set_path(&["metadata", "labels", label], value.into());
    }
    document.set_path(&["spec", "hostname"], pod.into());
    if !part.service.is_empty() {
        document.set_path(&["spec", "subdomain"], Value::from(&*part.service));
    }
    mount(part, &set, ordinal, &mut document);
    keep_template(&document, &namespace, turn)
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
