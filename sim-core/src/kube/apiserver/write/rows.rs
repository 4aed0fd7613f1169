//! Rows of the kinds that controllers work on: Deployments, ReplicaSets, Services.

use std::sync::Arc;

use crate::api::kube::deployment::{Deployment, Strategy};
use crate::api::kube::pod::PodTemplate as ApiTemplate;
use crate::api::kube::replica_set::ReplicaSet;
use crate::api::kube::service::{ClusterIp, Service};
use crate::base::sorted::SortedMap;
use crate::kube::apiserver::delete::is_held;
use crate::kube::apiserver::refusal::cause;
use crate::kube::apiserver::service::Allocated;
use crate::kube::apiserver::template::{amount, build, labels, selector};
use crate::kube::apiserver::{Refusal, workload};
use crate::kube::controllers::deployment::claim::keep_annotations;
use crate::kube::rows::service::ServiceRow;
use crate::kube::rows::workload::{Amount, DeploymentRow, ReplicaSetRow};
use crate::kube::rows::{DeploymentId, ReplicaSetId, ServiceId, read};
use crate::kube::selector::Selector;
use crate::kube::store::document::{Document, DocumentKey, RowReference};
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

use super::Parsed;

/// No deadline, or all history: the largest 32-bit number. Source: `deployment_util.go`.
const UNLIMITED: u32 = 2_147_483_647;

pub(super) fn template_id(
    written: &ApiTemplate,
    document: Option<&Value>,
    key: &DocumentKey,
    turn: &mut Turn<'_, '_>,
) -> crate::kube::template::TemplateId {
    let namespace = turn.ctx.symbols.intern(&key.namespace);
    let template = build(
        namespace,
        written,
        document.cloned().unwrap_or_default(),
        turn,
    );
    turn.store.intern_template(template)
}

struct Knobs {
    recreate: bool,
    surge: Amount,
    unavailable: Amount,
    deadline_s: Option<i64>,
    history: Option<i64>,
}

fn knobs(spec: &Deployment) -> Knobs {
    let (recreate, surge, unavailable) = match spec.strategy {
        Strategy::Recreate => (true, Amount::Count(0), Amount::Count(0)),
        Strategy::RollingUpdate {
            max_surge,
            max_unavailable,
        } => (false, amount(max_surge), amount(max_unavailable)),
    };
    let limited = |number: u32| (number < UNLIMITED).then_some(i64::from(number));
    Knobs {
        recreate,
        surge,
        unavailable,
        deadline_s: limited(spec.progress_deadline_seconds),
        history: limited(spec.revision_history_limit),
    }
}

pub(in crate::kube::apiserver) fn create_deployment(
    spec: &Deployment,
    key: &DocumentKey,
    value: &Value,
    turn: &mut Turn<'_, '_>,
) -> DeploymentId {
    let template = template_id(&spec.template, value.path(&["spec", "template"]), key, turn);
    let knobs = knobs(spec);
    let row = DeploymentRow {
        namespace: turn.ctx.symbols.intern(&key.namespace),
        name: turn.ctx.symbols.intern(&key.name),
        replicas: spec.replicas.into(),
        recreate: knobs.recreate,
        surge: knobs.surge,
        unavailable: knobs.unavailable,
        min_ready_s: spec.min_ready_seconds.into(),
        deadline_s: knobs.deadline_s,
        history: knobs.history,
        paused: spec.paused,
        selector: Arc::new(selector(&spec.selector)),
        template,
        generation: 1,
        created: turn.now(),
        deleting: false,
        foreground: false,
        replica_sets: Vec::new(),
        revision_number: 0,
        observed: 0,
        status_replicas: 0,
        updated: 0,
        ready: 0,
        available: 0,
        missing: 0,
        terminating: 0,
        collisions: 0,
        conditions: Vec::new(),
        deadline_check: None,
        revision: 0,
    };
    turn.store.add_deployment(row)
}

pub(super) fn update_deployment(
    id: DeploymentId,
    spec: &Deployment,
    key: &DocumentKey,
    value: &Value,
    bump: bool,
    turn: &mut Turn<'_, '_>,
) {
    let template = template_id(&spec.template, value.path(&["spec", "template"]), key, turn);
    let knobs = knobs(spec);
    // What was copied to a ReplicaSet stays there. Source:
    // `pkg/controller/deployment/util/deployment_util.go` (`copyDeploymentAnnotationsToReplicaSet`).
    let annotations = |value: &Value| read::text_map(value.path(&["metadata", "annotations"]));
    let (old, new) = (turn.store.documents().get(key), annotations(value));
    let old = old.map(|document| annotations(&document.value));
    let lost = old.is_some_and(|old| old.keys().any(|name| !new.contains_key(name)));
    let newest = turn
        .store
        .deployment(id)
        .filter(|row| lost || row.template != template)
        .and_then(|row| {
            let is_newest = |set: &&ReplicaSetId| {
                let set = turn.store.replica_set(**set);
                set.is_some_and(|set| set.source == Some(row.template))
            };
            row.replica_sets.iter().find(is_newest).copied()
        });
    if let Some(set) = newest {
        keep_annotations(set, key, turn);
    }
    turn.store.write_deployment(id, bump, |row| {
        row.replicas = spec.replicas.into();
        row.recreate = knobs.recreate;
        row.surge = knobs.surge;
        row.unavailable = knobs.unavailable;
        row.min_ready_s = spec.min_ready_seconds.into();
        row.deadline_s = knobs.deadline_s;
        row.history = knobs.history;
        row.paused = spec.paused;
        row.template = template;
    });
}

pub(super) fn create_replica_set(
    spec: &ReplicaSet,
    key: &DocumentKey,
    value: &Value,
    turn: &mut Turn<'_, '_>,
) -> ReplicaSetId {
    let row = replica_set_row(spec, key, value, turn);
    turn.store.add_replica_set(row)
}

/// A fresh ReplicaSet that nobody owns.
pub(in crate::kube::apiserver) fn replica_set_row(
    spec: &ReplicaSet,
    key: &DocumentKey,
    value: &Value,
    turn: &mut Turn<'_, '_>,
) -> ReplicaSetRow {
    let template = template_id(&spec.template, value.path(&["spec", "template"]), key, turn);
    let names = (
        turn.ctx.symbols.intern(&key.namespace),
        turn.ctx.symbols.intern(&key.name),
    );
    let mut row = ReplicaSetRow {
        replicas: spec.replicas.into(),
        min_ready_s: spec.min_ready_seconds.into(),
        stray: true,
        ..ReplicaSetRow::new(names, selector(&spec.selector), template, turn.now())
    };
    read_annotations(&mut row, |name| {
        value.str_at(&["metadata", "annotations", name])
    });
    row
}

/// Takes over what Deployments write into annotations; what is no number of theirs is as if it were not
/// there. Source: `pkg/controller/deployment/util/deployment_util.go` (`getIntFromAnnotation`, `Revision`).
pub(in crate::kube::apiserver) fn read_annotations<'a>(
    row: &mut ReplicaSetRow,
    text: impl Fn(&str) -> Option<&'a str>,
) {
    let text = |name: &str| text(&format!("deployment.kubernetes.io/{name}"));
    let size = |name: &str| {
        let number: i32 = text(name)?.parse().ok()?;
        (number >= 0).then_some(i64::from(number))
    };
    (row.desired, row.max) = (size("desired-replicas"), size("max-replicas"));
    let revision = text("revision").and_then(|text| text.parse().ok());
    row.revision_number = revision.unwrap_or(0);
}

pub(super) fn find_replica_set(
    namespace: &str,
    name: &str,
    turn: &Turn<'_, '_>,
) -> Option<ReplicaSetId> {
    turn.store.replica_set_named(
        turn.ctx.symbols.get(namespace)?,
        turn.ctx.symbols.get(name)?,
    )
}

pub(super) fn update_replica_set(
    spec: &ReplicaSet,
    parsed: &Parsed,
    current: &Value,
    turn: &mut Turn<'_, '_>,
) -> Result<bool, Refusal> {
    let (kind, key) = (parsed.kind, &parsed.key);
    let missing = || Refusal::not_found(kind, &key.name);
    let id = find_replica_set(&key.namespace, &key.name, turn).ok_or_else(missing)?;
    let row = turn.store.replica_set(id).ok_or_else(missing)?;
    if *row.selector != selector(&spec.selector) {
        return Err(Refusal::invalid(
            kind,
            &key.name,
            vec![cause("spec.selector", "Invalid value: field is immutable")],
        ));
    }
    let (owned, before) = (row.owner.is_some(), row.template);
    let made = !has_document(id, parsed, current, turn);
    let described = describe_replica_set(id, (parsed, current), made, turn);
    let template = template_id(
        &spec.template,
        parsed.value.path(&["spec", "template"]),
        key,
        turn,
    );
    let source = (owned && template != before)
        .then(|| workload::source(template, turn))
        .flatten();
    let row = turn.store.replica_set(id).ok_or_else(missing)?;
    let changed = row.replicas != i64::from(spec.replicas)
        || row.min_ready_s != i64::from(spec.min_ready_seconds)
        || template != before;
    if made && template != before && turn.store.kept(id, "labels").is_none() {
        // Those of the template that it was made from.
        let labels = text_map(&turn.store.template(before).labels.iter().cloned().collect());
        turn.store.keep(id, "labels", labels);
    }
    if changed {
        turn.store.write_replica_set(id, true, |row| {
            row.replicas = spec.replicas.into();
            row.min_ready_s = spec.min_ready_seconds.into();
            row.mixed |= template != before;
            row.template = template;
            row.source = source.or(row.source);
        });
    }
    let (marked, disowned) = write_document(parsed, owned, turn);
    if marked && !(changed || described) {
        turn.store
            .write_replica_set(id, false, |row| row.stray |= disowned);
    }
    Ok(changed || described || marked)
}

/// Whether a ReplicaSet has a document. One that a Deployment made gets it for what its row has no place
/// for: finalizers and other owners.
fn has_document(
    id: ReplicaSetId,
    parsed: &Parsed,
    current: &Value,
    turn: &mut Turn<'_, '_>,
) -> bool {
    let key = &parsed.key;
    if turn.store.documents().get(key).is_some() {
        return true;
    }
    let differs = ["finalizers", "ownerReferences"].iter().any(|field| {
        let path = ["metadata", field];
        parsed.value.path(&path) != current.path(&path)
    });
    let row = turn.store.replica_set(id).filter(|_| differs);
    let Some((created, generation)) = row.map(|row| (row.created, row.generation)) else {
        return false;
    };
    let mut document = Document::new(Value::map(), generation, created, turn.store.bump());
    document.row = RowReference::ReplicaSet(id);
    turn.store.documents_mut().insert(key.clone(), document);
    true
}

/// Writes a ReplicaSet's labels and annotations. Whether they differ.
fn describe_replica_set(
    id: ReplicaSetId,
    (parsed, current): (&Parsed, &Value),
    made: bool,
    turn: &mut Turn<'_, '_>,
) -> bool {
    let mut described = false;
    for field in ["labels", "annotations"] {
        let of = |object: &Value| read::text_map(object.path(&["metadata", field]));
        let wanted = of(&parsed.value);
        if of(current) == wanted {
            continue;
        }
        described = true;
        if made || turn.store.kept(id, field).is_some() {
            turn.store.keep(id, field, text_map(&wanted));
        }
        turn.store.write_replica_set(id, false, |row| {
            row.stray = true;
            if field == "annotations" {
                read_annotations(row, |name| wanted.get(name).map(|text| &**text));
            }
        });
    }
    described
}

/// Writes a ReplicaSet's document, if it has one. Whether its finalizers or owners differ, and whether
/// its owners do.
fn write_document(parsed: &Parsed, owned: bool, turn: &mut Turn<'_, '_>) -> (bool, bool) {
    let Some(mut document) = turn.store.documents_mut().get_mut(&parsed.key) else {
        return (false, false);
    };
    let mut value = parsed.value.clone();
    value.remove("status");
    let owners = ["metadata", "ownerReferences"];
    if owned && let Some(list) = value.path_mut(&owners).and_then(Value::as_list_mut) {
        // The Deployment's own is its row's.
        list.retain(|owner| !read::truth(owner, &["controller"]));
    }
    let finalizers = ["metadata", "finalizers"];
    let [disowned, marked] =
        [owners, finalizers].map(|path| document.value.path(&path) != value.path(&path));
    document.value = value;
    drop(document);
    if disowned {
        turn.store.references_written(&parsed.value);
    }
    (disowned || marked, disowned)
}

/// Whether a ReplicaSet that is being deleted has lost its last finalizer; the garbage collector looks
/// at one that waits for its pods.
pub(super) fn is_released(key: &DocumentKey, turn: &mut Turn<'_, '_>) -> bool {
    let document = turn.store.documents().get(key);
    let goes =
        document.is_some_and(|document| document.deletion.is_some() && !is_held(&document.value));
    let set = find_replica_set(&key.namespace, &key.name, turn);
    let waits = set
        .and_then(|id| turn.store.replica_set(id))
        .is_some_and(|set| set.foreground);
    if waits {
        turn.store.owners_changed();
    }
    goes && !waits
}

fn text_map(map: &SortedMap<Arc<str>, Arc<str>>) -> Value {
    let mut value = Value::map();
    for (key, text) in map {
        value.set(key, Value::String(text.clone()));
    }
    value
}

pub(super) fn service_row(
    spec: &Service,
    allocated: &Allocated,
    key: &DocumentKey,
    turn: &mut Turn<'_, '_>,
) -> ServiceRow {
    let headless = matches!(spec.cluster_ip, ClusterIp::Headless);
    ServiceRow {
        namespace: turn.ctx.symbols.intern(&key.namespace),
        name: turn.ctx.symbols.intern(&key.name),
        kind: spec.kind,
        cluster_ip: if headless { 0 } else { allocated.cluster_ip },
        ports: allocated.ports.clone().into(),
        selector: spec
            .selector
            .as_ref()
            .filter(|map| !map.is_empty())
            .map(|map| Arc::new(Selector::from_labels(&labels(map)))),
        publish_not_ready: spec.publish_not_ready_addresses,
        endpoints: Arc::default(),
        dirty: Vec::new(),
        dirty_all: true,
        not_before: turn.now(),
        slice_generation: 0,
        slices_written: None,
        triggers: [None; 2],
        created: turn.now(),
        revision: 0,
    }
}

pub(in crate::kube::apiserver) fn create_service(
    spec: &Service,
    allocated: &Allocated,
    key: &DocumentKey,
    turn: &mut Turn<'_, '_>,
) -> ServiceId {
    let row = service_row(spec, allocated, key, turn);
    turn.store.add_service(row)
}
