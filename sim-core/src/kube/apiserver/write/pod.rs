//! Pods: made, and changed where an update may change them.

use std::sync::Arc;

use crate::api::kube::object::KubeSpec;
use crate::api::kube::pod::{PodSpec, PodTemplate as ApiTemplate};
use crate::base::name::Name;
use crate::kube::apiserver::refusal::cause;
use crate::kube::apiserver::template::{build, labels};
use crate::kube::apiserver::{Refusal, known, priority, read};
use crate::kube::controllers::quota;
use crate::kube::render::{token, uid};
use crate::kube::rows::pod::PodRow;
use crate::kube::rows::read::{list, text, truth};
use crate::kube::rows::workload::OwnerKind;
use crate::kube::rows::{NodeId, PodId, ReplicaSetId};
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

use super::parse::{Old, parse};
use super::rows::template_id;
use super::{Parsed, is_current};

/// The document that a pod is rendered from: what a template would say.
pub(crate) fn pod_document(value: &Value) -> Value {
    let mut document = Value::map();
    for field in ["labels", "annotations", "finalizers"] {
        if let Some(map) = value.path(&["metadata", field]) {
            document.set_path(&["metadata", field], map.clone());
        }
    }
    document.set("spec", value.get("spec").cloned().unwrap_or_default());
    document
}

/// The document of a pod that is there, without what it is only shown with.
pub(crate) fn own_document(value: &Value, row: &PodRow, turn: &mut Turn<'_, '_>) -> Value {
    let mut document = pod_document(value);
    let namespace = turn.store.template(row.template).namespace;
    let namespace = turn.ctx.symbols.text(namespace);
    let name = row.name.text(turn.ctx.symbols);
    let created = u64::from(row.created_s);
    let uid = uid(turn.ctx.seed, "pods", namespace, &name, created);
    if let Some(spec) = document.path_mut(&["spec"]) {
        token::remove(spec, uid);
    }
    document
}

/// The pod that a request on one of its subresources is about.
pub(crate) struct Target {
    /// What was asked for.
    pub(in crate::kube::apiserver) asked: Parsed,
    /// The object as it is.
    pub(in crate::kube::apiserver) current: Value,
    /// Its row.
    pub(in crate::kube::apiserver) pod: PodId,
    /// Its row as it is.
    pub(in crate::kube::apiserver) row: PodRow,
}

/// Reads a PUT to a pod's subresource.
///
/// # Errors
/// Other kinds, a pod that is not there, another version.
pub(crate) fn target(
    object: &Value,
    namespace: &str,
    turn: &mut Turn<'_, '_>,
) -> Result<Target, Refusal> {
    let asked = parse(object, namespace, Old::Stored, turn)?;
    let (kind, key) = (asked.kind, &asked.key);
    if kind.kind != "Pod" {
        return Err(Refusal::no_such_resource());
    }
    let missing = || Refusal::not_found(kind, &key.name);
    let current = read(kind, &key.namespace, &key.name, turn).ok_or_else(missing)?;
    is_current(object, &current, (kind, &key.name))?;
    let pod = turn
        .store
        .pod_named(&key.namespace, &key.name, turn.ctx.symbols)
        .ok_or_else(missing)?;
    let row = turn.store.pod(pod).copied().ok_or_else(missing)?;
    Ok(Target {
        asked,
        current,
        pod,
        row,
    })
}

pub(super) fn create_pod(
    spec: &PodSpec,
    parsed: &Parsed,
    turn: &mut Turn<'_, '_>,
) -> Result<(), Refusal> {
    if !spec.ephemeral_containers.is_empty() {
        let why = "Forbidden: cannot be set on create";
        return Err(Refusal::invalid(
            parsed.kind,
            &parsed.key.name,
            vec![cause("spec.ephemeralContainers", why)],
        ));
    }
    priority::admit(spec, turn.store)
        .map_err(|why| Refusal::forbidden(parsed.kind, &parsed.key.name, &why))?;
    let written = ApiTemplate {
        labels: parsed.meta.labels.clone(),
        annotations: parsed.meta.annotations.clone(),
        spec: spec.clone(),
    };
    let template = template_id(
        &written,
        Some(&pod_document(&parsed.value)),
        &parsed.key,
        turn,
    );
    let name = Name::plain(turn.ctx.symbols.intern(&parsed.key.name));
    let now = turn.now();
    quota::admit(template, name, turn)
        .map_err(|why| Refusal::forbidden_text(parsed.kind, &parsed.key.name, why))?;
    let flags = crate::kube::controllers::admission::flags(template, turn);
    let pod = turn.store.create_pod(name, template, None, flags, now);
    own(pod, &parsed.value, &parsed.key.namespace, turn);
    if let Some(node) = &spec.node_name {
        let node: Option<NodeId> = turn
            .ctx
            .symbols
            .get(node)
            .and_then(|name| turn.store.node_named(name));
        if let Some(node) = node {
            turn.store
                .bind(pod, node, now)
                .expect("a fresh pod can be bound");
        }
    }
    Ok(())
}

/// Gives a pod the owners that its object names: the controller that has a row takes it, other
/// references are kept as they are.
fn own(pod: PodId, value: &Value, namespace: &str, turn: &mut Turn<'_, '_>) {
    let listed = list(value, &["metadata", "ownerReferences"]);
    if listed.is_empty() {
        return;
    }
    let mut kept = listed.to_vec();
    let controller = listed
        .iter()
        .position(|owner| truth(owner, &["controller"]));
    if let Some(at) = controller
        && let Some(owner) = owner_row(&listed[at], namespace, turn)
    {
        kept.remove(at);
        turn.store.adopt_pod(pod, owner);
    }
    turn.store.set_owners(pod, kept);
}

/// The row of a controller of pods that a reference names with its uid.
fn owner_row(reference: &Value, namespace: &str, turn: &Turn<'_, '_>) -> Option<ReplicaSetId> {
    let kind = OwnerKind::parse(text(reference, &["kind"]))?;
    let name = text(reference, &["name"]);
    let object = read(known(kind.text(), turn).ok()?, namespace, name, turn)?;
    let symbols = &turn.ctx.symbols;
    (object.str_at(&["metadata", "uid"]) == Some(text(reference, &["uid"])))
        .then(|| {
            turn.store
                .pod_controller_named(kind, symbols.get(namespace)?, symbols.get(name)?)
        })
        .flatten()
}

/// Writes the owners that an update gives a pod.
pub fn update_owners(pod: PodId, value: &Value, namespace: &str, turn: &mut Turn<'_, '_>) {
    let mut kept = list(value, &["metadata", "ownerReferences"]).to_vec();
    let controller = kept.iter().position(|owner| truth(owner, &["controller"]));
    let named = controller.and_then(|at| owner_row(&kept[at], namespace, turn));
    let owner = turn.store.pod(pod).and_then(|row| row.owner);
    if owner.is_some() && owner != named {
        turn.store.orphan(pod);
    }
    if let (Some(at), Some(named)) = (controller, named) {
        kept.remove(at);
        turn.store.adopt_pod(pod, named);
    }
    turn.store.set_owners(pod, kept);
}

/// Of a pod, labels and annotations can be changed, tolerations added, gates taken away, images
/// replaced. A container that runs goes on with its image until it restarts.
pub(super) fn update_pod(
    parsed: &Parsed,
    current: &Value,
    turn: &mut Turn<'_, '_>,
) -> Result<bool, Refusal> {
    let (kind, key) = (parsed.kind, &parsed.key);
    let same = |path: &[&str]| parsed.value.path(path) == current.path(path);
    let same_spec = same(&["spec"]);
    if !same_spec {
        let causes = super::pod_changes::check(current, &parsed.value);
        if !causes.is_empty() {
            return Err(Refusal::invalid(kind, &key.name, causes));
        }
    }
    let same_labels = same(&["metadata", "labels"]) && same(&["metadata", "annotations"]);
    let same_finalizers = same(&["metadata", "finalizers"]);
    let same_owners = same(&["metadata", "ownerReferences"]);
    if same_spec && same_labels && same_finalizers && same_owners {
        return Ok(false);
    }
    let found = turn
        .store
        .pod_named(&key.namespace, &key.name, turn.ctx.symbols)
        .and_then(|pod| Some((pod, *turn.store.pod(pod)?)));
    let Some((pod, row)) = found else {
        return Err(Refusal::not_found(kind, &key.name));
    };
    if !same_owners {
        update_owners(pod, &parsed.value, &key.namespace, turn);
        if same_spec && same_labels && same_finalizers {
            return Ok(true);
        }
    }
    let row = turn.store.pod(pod).copied().unwrap_or(row);
    let (owner, old) = (row.owner, row.template);
    if !same_finalizers {
        let tracking = "batch.kubernetes.io/job-tracking";
        let list = parsed.value.path(&["metadata", "finalizers"]);
        let list = list.and_then(Value::as_list).unwrap_or(&[]);
        let names = list.iter().filter_map(Value::as_str);
        let finalizers = names
            .filter(|name| *name != tracking)
            .map(Arc::from)
            .collect();
        turn.store.set_finalizers(pod, finalizers);
        if same_spec && same_labels || turn.store.pod(pod).is_none() {
            return Ok(true);
        }
    }
    let mut template = (**turn.store.template(old)).clone();
    template.labels = labels(&parsed.meta.labels);
    template.annotations = labels(&parsed.meta.annotations);
    let mut document = own_document(&parsed.value, &row, turn);
    if let (false, KubeSpec::Pod(spec)) = (same_spec, &parsed.spec) {
        let written = ApiTemplate {
            labels: parsed.meta.labels.clone(),
            annotations: parsed.meta.annotations.clone(),
            spec: (**spec).clone(),
        };
        // Sizes are written elsewhere: what the pod counts for stays.
        let counted = template.requests;
        template = build(template.namespace, &written, document, turn);
        template.requests = counted;
        turn.store.bump_generation(pod);
    } else {
        document.set(
            "spec",
            template.document.get("spec").cloned().unwrap_or_default(),
        );
        template.document = Arc::new(document);
    }
    let cost = parsed
        .meta
        .annotations
        .get("controller.kubernetes.io/pod-deletion-cost");
    template.deletion_cost = cost.and_then(|text| text.parse().ok()).unwrap_or(0);
    let released = owner
        .and_then(|owner| turn.store.replica_set(owner))
        .is_some_and(|set| !set.selector.matches(&template.labels));
    let template = turn.store.intern_template(template);
    quota::admit_write(old, template, row.name, turn)
        .map_err(|why| Refusal::forbidden_text(kind, &key.name, why))?;
    turn.store.set_pod_template(pod, template);
    if released {
        turn.store.orphan(pod);
    }
    Ok(true)
}
