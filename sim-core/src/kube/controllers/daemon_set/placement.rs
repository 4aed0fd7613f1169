//! Which nodes a daemon pod belongs on. Resources are not looked at: the scheduler binds.
//! Sources: `pkg/controller/daemon/daemon_controller.go`, `util/daemonset_util.go`.

use crate::api::kube::affinity::{TaintEffect, Toleration, TolerationOperator};
use crate::kube::apiserver::workload::{TEMPLATE_GENERATION, keep_template};
use crate::kube::rows::NodeId;
use crate::kube::rows::node::{
    TAINT_NOT_READY, TAINT_UNREACHABLE, TAINT_UNSCHEDULABLE, effect_text,
};
use crate::kube::rows::pod::PodRow;
use crate::kube::rows::read;
use crate::kube::scheduler::plugins::affinity;
use crate::kube::store::document::DocumentKey;
use crate::kube::template::{TemplateId, tolerates};
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

use super::Pass;

/// What a node makes of a set's pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// One is to run there.
    Run,
    /// None is started there, one that is there stays.
    Continue,
    /// None may be there.
    Refuse,
}

/// Taints that every daemon pod tolerates for ever.
const TOLERATED: [(&str, TaintEffect); 6] = [
    (TAINT_NOT_READY, TaintEffect::NoExecute),
    (TAINT_UNREACHABLE, TaintEffect::NoExecute),
    ("node.kubernetes.io/disk-pressure", TaintEffect::NoSchedule),
    (
        "node.kubernetes.io/memory-pressure",
        TaintEffect::NoSchedule,
    ),
    ("node.kubernetes.io/pid-pressure", TaintEffect::NoSchedule),
    (TAINT_UNSCHEDULABLE, TaintEffect::NoSchedule),
];

/// Tolerated besides by pods of the host's network.
const NETWORK: (&str, TaintEffect) = (
    "node.kubernetes.io/network-unavailable",
    TaintEffect::NoSchedule,
);

fn added(template: TemplateId, turn: &Turn<'_, '_>) -> Vec<(&'static str, TaintEffect)> {
    let host = read::truth(
        &turn.store.template(template).document,
        &["spec", "hostNetwork"],
    );
    let mut list = TOLERATED.to_vec();
    if host {
        list.push(NETWORK);
    }
    list
}

/// What the set's pods tolerate, before admission.
pub fn tolerations(template: TemplateId, turn: &Turn<'_, '_>) -> Vec<Toleration> {
    let mut list = turn.store.template(template).spec.tolerations.clone();
    list.extend(
        added(template, turn)
            .into_iter()
            .map(|(key, effect)| Toleration {
                key: key.into(),
                operator: TolerationOperator::Exists,
                value: "".into(),
                effect: Some(effect),
                seconds: None,
            }),
    );
    list
}

/// What a node makes of pods of this template with these tolerations.
pub fn fit(
    template: TemplateId,
    tolerations: &[Toleration],
    node: NodeId,
    turn: &Turn<'_, '_>,
) -> Fit {
    let Some(row) = turn.store.node(node) else {
        return Fit::Refuse;
    };
    let spec = &turn.store.template(template).spec;
    let name = turn.ctx.symbols.text(row.name);
    let named = spec
        .node_name
        .as_ref()
        .is_none_or(|wanted| **wanted == *name);
    if !named || !affinity::allowed(spec, name, &row.labels) {
        return Fit::Refuse;
    }
    let tolerated = |effects: &[TaintEffect]| {
        row.taints
            .iter()
            .filter(|taint| effects.contains(&taint.effect))
            .all(|taint| {
                tolerations
                    .iter()
                    .any(|toleration| tolerates(toleration, taint))
            })
    };
    if tolerated(&[TaintEffect::NoSchedule, TaintEffect::NoExecute]) {
        Fit::Run
    } else if tolerated(&[TaintEffect::NoExecute]) {
        Fit::Continue
    } else {
        Fit::Refuse
    }
}

/// The node that a daemon pod is on, or that its affinity names; `None`: it is gone.
pub fn target(pod: &PodRow, turn: &Turn<'_, '_>) -> Option<NodeId> {
    if let Some(node) = pod.node {
        return Some(node);
    }
    let spec = &turn.store.template(pod.template).spec;
    let field = spec
        .affinity
        .node_required
        .iter()
        .flatten()
        .flat_map(|term| &term.match_fields)
        .find(|field| &*field.key == "metadata.name")?;
    let name = turn.ctx.symbols.get(field.values.first()?)?;
    turn.store.node_named(name)
}

/// The template of the pod of one node: bound there by a term that replaces its required ones.
pub(super) fn template(pass: &Pass, node: NodeId, turn: &mut Turn<'_, '_>) -> Option<TemplateId> {
    let base = pass.row.template;
    let name = turn
        .ctx
        .symbols
        .text(turn.store.node(node)?.name)
        .to_owned();
    let added = added(base, turn);
    let mut document = Value::clone(&turn.store.template(base).document);
    document.set_path(
        &["metadata", "labels", "controller-revision-hash"],
        pass.hash.as_str().into(),
    );
    if let Some(count) = template_generation(pass, turn) {
        // Source: `pkg/controller/daemon/util/daemonset_util.go` (`CreatePodTemplate`).
        document.set_path(&["metadata", "labels", "pod-template-generation"], count);
    }
    let field = Value::object([
        ("key", Value::from("metadata.name")),
        ("operator", "In".into()),
        ("values", Value::list(vec![name.into()])),
    ]);
    let term = Value::object([("matchFields", Value::list(vec![field]))]);
    document.set_path(
        &[
            "spec",
            "affinity",
            "nodeAffinity",
            "requiredDuringSchedulingIgnoredDuringExecution",
            "nodeSelectorTerms",
        ],
        Value::list(vec![term]),
    );
    let mut tolerations = read::list(&document, &["spec", "tolerations"]).to_vec();
    for (key, effect) in added {
        let toleration = Value::object([
            ("effect", Value::from(effect_text(effect))),
            ("key", key.into()),
            ("operator", "Exists".into()),
        ]);
        let known = |other: &Value| {
            ["key", "effect", "operator"]
                .iter()
                .all(|field| other.get(field) == toleration.get(field))
        };
        if let Some(position) = tolerations.iter().position(known) {
            tolerations[position] = toleration;
        } else {
            tolerations.push(toleration);
        }
    }
    document.set_path(&["spec", "tolerations"], Value::list(tolerations));
    let namespace = turn.ctx.symbols.text(pass.row.namespace).to_owned();
    keep_template(&document, &namespace, turn)
}

/// How often the set's template has changed, as the server counts it.
fn template_generation(pass: &Pass, turn: &Turn<'_, '_>) -> Option<Value> {
    let key = DocumentKey {
        resource: pass.row.kind.resource().into(),
        namespace: turn.ctx.symbols.text(pass.row.namespace).into(),
        name: turn.ctx.symbols.text(pass.row.name).into(),
    };
    let document = turn.store.documents().get(&key)?;
    let path = ["metadata", "annotations", TEMPLATE_GENERATION];
    document.value.path(&path).cloned()
}
