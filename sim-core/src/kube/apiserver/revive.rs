//! What objects that were taken over bring with them: times before the run (kept as two's
//! complement, see [`SimTime::signed_micros`]), conditions, uids, and nodes that no machine stands
//! for. On such a node no kubelet starts or ends a container. A node that a pod names and that was
//! not taken over gets a stand-in, which goes again if others were.

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::api::kube::object::KubeSpec;
use crate::base::id::Id;
use crate::base::name::Name;
use crate::base::quantity::Quantity;
use crate::base::resources::ResourceVector;
use crate::base::symbol::Symbol;
use crate::base::time::{EPOCH_UNIX_SECONDS, SimDuration, SimTime};
use crate::kube::event::Event;
use crate::kube::heartbeat::{healthy, tick_after, zone_key};
use crate::kube::kinds::KINDS;
use crate::kube::rows::node::{ConditionStatus, NodeCondition, NodeRow};
use crate::kube::rows::pod::{NO_POD, POD_CONDITIONS, PodCondition};
use crate::kube::rows::read;
use crate::kube::rows::workload::{Part, WorkloadCondition};
use crate::kube::rows::{NodeId, PodId, ReplicaSetId};
use crate::kube::store::document::{Document, DocumentKey, RowReference};
use crate::kube::store::events::Message;
use crate::kube::store::pods::Restored;
use crate::kube::turn::Turn;
use crate::manifest::decode::kube::decode_value;
use crate::manifest::value::Value;

use super::template::labels;

/// Time that a node has before its kubelet must have said how it is.
/// Source: `pkg/controller/nodelifecycle/config/v1alpha1/defaults.go` (`NodeStartupGracePeriod`).
const STARTUP_GRACE: SimDuration = SimDuration::from_secs(60);

/// Makes rows of the nodes that no machine stands for.
pub fn nodes(turn: &mut Turn<'_, '_>) {
    for key in bare("Node", turn) {
        node(&key, stand_in, turn);
    }
}

/// Makes a row of a node that somebody has written by hand. No kubelet posts anything of it: it has what
/// its status says, and in time the node lifecycle controller says that nobody has.
pub fn by_hand(key: &DocumentKey, turn: &mut Turn<'_, '_>) {
    node(key, unsaid, turn);
    let Some(name) = turn.ctx.symbols.get(&key.name) else {
        return;
    };
    let plain = Name::plain(name);
    let text = Message::Names(
        "Node {} event: Registered Node {} in Controller",
        plain,
        plain,
    );
    let object = ("Node", Symbol::EMPTY, plain);
    turn.normal(object, "node-controller", "RegisteredNode", text);
    if let Some(node) = turn.store.node_named(name) {
        let period = turn.settings.node_monitor_period;
        let said = turn.store.node(node).is_some_and(NodeRow::has_conditions);
        let at = if said {
            let seen = tick_after(turn.now(), period);
            tick_after(seen + turn.settings.node_monitor_grace_period, period)
        } else {
            tick_after(turn.now() + STARTUP_GRACE, period)
        };
        turn.at(at, Event::NodeCheck(node));
    }
}

/// A node of which nothing is known.
fn unsaid(name: &str, turn: &mut Turn<'_, '_>) -> NodeRow {
    let mut row = stand_in(name, turn);
    row.by_hand = true;
    (row.capacity, row.allocatable) = (ResourceVector::new(), ResourceVector::new());
    for condition in &mut row.conditions {
        condition.status = ConditionStatus::Unknown;
        (condition.reason, condition.message) = ("", "");
    }
    row
}

/// Documents of a kind that have no row.
fn bare(kind: &str, turn: &Turn<'_, '_>) -> Vec<DocumentKey> {
    let Some(kind) = KINDS.iter().find(|known| known.kind == kind) else {
        return Vec::new();
    };
    turn.store
        .documents()
        .of(&kind.resource())
        .filter(|(_, document)| document.row == RowReference::None)
        .map(|(key, _)| key.clone())
        .collect()
}

fn document(key: &DocumentKey, turn: &Turn<'_, '_>) -> Option<Document> {
    turn.store.documents().get(key).cloned()
}

/// An API time, before the run as well.
pub fn time(text: &str) -> Option<SimTime> {
    read::signed_time(text)
}

/// The same in whole seconds.
fn seconds(text: &str) -> Option<u32> {
    let unix = read::unix_seconds(text)?;
    let seconds = i32::try_from(unix - EPOCH_UNIX_SECONDS.cast_signed()).ok()?;
    Some(seconds.cast_unsigned())
}

/// When an object was created, before the run as well.
pub fn created(value: &Value, turn: &Turn<'_, '_>) -> SimTime {
    time(read::text(value, &["metadata", "creationTimestamp"])).unwrap_or(turn.now())
}

/// A machine that is not there.
fn no_machine(turn: &Turn<'_, '_>) -> crate::substrate::order::MachineId {
    let mut machine = Id::new(u32::MAX - turn.store.node_count(), NonZeroU32::MIN);
    while turn.store.node_of(machine).is_some() {
        machine = Id::new(machine.slot() - 1, NonZeroU32::MIN);
    }
    machine
}

fn node(key: &DocumentKey, blank: fn(&str, &mut Turn<'_, '_>) -> NodeRow, turn: &mut Turn<'_, '_>) {
    let Some(document) = document(key, turn) else {
        return;
    };
    let value = &document.value;
    let (decoded, _) = decode_value(value);
    let Some(decoded) = decoded else { return };
    let KubeSpec::Node(spec) = &decoded.spec else {
        return;
    };
    let mut row = blank(&key.name, turn);
    row.labels = labels(&decoded.meta.labels);
    row.annotations = labels(&decoded.meta.annotations);
    row.zone = turn.ctx.symbols.intern(&zone_key(&row.labels));
    row.taints = spec.taints.clone().into();
    row.unschedulable = spec.unschedulable;
    row.pod_ranges = spec.pod_ranges.clone().into();
    row.created = created(value, turn);
    for (path, vector) in [
        ("capacity", &mut row.capacity),
        ("allocatable", &mut row.allocatable),
    ] {
        if let Some(amounts) = value.path(&["status", path]) {
            *vector = resources(amounts, vector);
        }
    }
    for condition in read::list(value, &["status", "conditions"]) {
        let which = match read::text(condition, &["type"]) {
            "MemoryPressure" => NodeCondition::MemoryPressure,
            "DiskPressure" => NodeCondition::DiskPressure,
            "PIDPressure" => NodeCondition::PidPressure,
            "Ready" => NodeCondition::Ready,
            _ => continue,
        };
        let mut said = healthy(turn.now())[which as usize];
        said.status = status(read::text(condition, &["status"]));
        row.conditions[which as usize] = said;
    }
    turn.store.documents_mut().remove(key);
    let now = turn.now();
    let taints = row.taints.to_vec();
    // What is decoded has the order of what was written, and may be less.
    let mut written = read::list(value, &["spec", "taints"]).iter();
    let times: Vec<_> = taints
        .iter()
        .map(|taint| {
            let own = written.find(|one| read::text(one, &["key"]) == &*taint.key);
            own.and_then(|one| time(read::text(one, &["timeAdded"])))
        })
        .collect();
    row.taints = Arc::default();
    let id = turn.store.add_node(row);
    turn.store.set_taints(id, taints, None, now);
    turn.store.set_taint_times(id, times.into());
}

fn stand_in(name: &str, turn: &mut Turn<'_, '_>) -> NodeRow {
    let mut capacity = ResourceVector::new();
    capacity.milli_cpu = 4_000;
    capacity.memory = 8 << 30;
    capacity.pods = 110;
    let host: (Arc<str>, Arc<str>) = ("kubernetes.io/hostname".into(), name.into());
    NodeRow {
        name: turn.ctx.symbols.intern(name),
        machine: no_machine(turn),
        labels: [host].into(),
        annotations: Arc::default(),
        taints: Arc::default(),
        taint_times: Arc::default(),
        no_execute_since: None,
        unschedulable: false,
        allocatable: capacity.clone(),
        capacity,
        images: Arc::default(),
        conditions: healthy(turn.now()),
        heartbeat: turn.now(),
        first_pod: NO_POD,
        pods: 0,
        created: turn.now(),
        revision: 0,
        control: false,
        pod_ranges: Arc::default(),
        by_hand: false,
        zone: Symbol::EMPTY,
        requested: ResourceVector::default(),
    }
}

fn resources(amounts: &Value, default: &ResourceVector) -> ResourceVector {
    let mut vector = default.clone();
    for (name, amount) in amounts.as_map().unwrap_or_default().iter() {
        let text = match amount {
            Value::Int(number) => number.to_string(),
            other => other.as_str().unwrap_or("").to_owned(),
        };
        let Ok(quantity) = Quantity::parse(&text) else {
            continue;
        };
        match &**name {
            "cpu" => vector.milli_cpu = quantity.milli_value(),
            "memory" => vector.memory = quantity.value(),
            "pods" => vector.pods = quantity.value(),
            "ephemeral-storage" => vector.ephemeral_storage = quantity.value(),
            _ => {}
        }
    }
    vector
}

/// A condition's status; whatever is neither of the others is unknown.
pub fn status(text: &str) -> ConditionStatus {
    match text {
        "True" => ConditionStatus::True,
        "False" => ConditionStatus::False,
        _ => ConditionStatus::Unknown,
    }
}

/// Conditions of a workload; one whose words are not known here is left out.
pub fn conditions(value: &Value, turn: &Turn<'_, '_>) -> Vec<WorkloadCondition> {
    const KINDS: [&str; 3] = ["Available", "Progressing", "ReplicaFailure"];
    const REASONS: [&str; 12] = [
        "MinimumReplicasAvailable",
        "MinimumReplicasUnavailable",
        "NewReplicaSetAvailable",
        "ReplicaSetUpdated",
        "NewReplicaSetCreated",
        "FoundNewReplicaSet",
        "ProgressDeadlineExceeded",
        "DeploymentPaused",
        "DeploymentResumed",
        "ReplicaSetCreateError",
        "FailedCreate",
        "FailedDelete",
    ];
    let known = |list: &[&'static str], text: &str| list.iter().copied().find(|it| *it == text);
    read::list(value, &["status", "conditions"])
        .iter()
        .filter_map(|condition| {
            let text = |field| read::text(condition, &[field]);
            let transition = time(text("lastTransitionTime")).unwrap_or(turn.now());
            Some(WorkloadCondition {
                kind: known(&KINDS, text("type"))?,
                status: status(text("status")),
                reason: known(&REASONS, text("reason"))?,
                message: text("message").into(),
                updated: time(text("lastUpdateTime")).unwrap_or(transition),
                transition,
            })
        })
        .collect()
}

/// The node of that name, or a stand-in for it.
pub fn node_named(name: &str, turn: &mut Turn<'_, '_>) -> NodeId {
    let symbol = turn.ctx.symbols.intern(name);
    match turn.store.node_named(symbol) {
        Some(node) => node,
        None => {
            let row = stand_in(name, turn);
            turn.store.add_node(row)
        }
    }
}

/// A Job's pod that has no finalizer of its is one that its Job has counted or given up.
/// Source: `pkg/controller/job/job_controller.go`, `trackJobStatusAndRemoveFinalizers`.
pub fn counted(pod: PodId, owner: ReplicaSetId, value: &Value, turn: &mut Turn<'_, '_>) {
    const TRACKING: &str = "batch.kubernetes.io/job-tracking";
    let tracked = read::list(value, &["metadata", "finalizers"])
        .iter()
        .any(|finalizer| finalizer.as_str() == Some(TRACKING));
    let Some(set) = turn.store.replica_set_mut(owner).filter(|_| !tracked) else {
        return;
    };
    if let Part::Job(part) = &mut set.part {
        Arc::make_mut(part).counted.insert(pod);
    }
}

/// What a pod brings with it that a fresh one does not have.
pub fn restored(pod: &Value) -> Restored {
    let condition = |kind: &str| {
        read::list(pod, &["status", "conditions"])
            .iter()
            .find(|condition| read::text(condition, &["type"]) == kind)
    };
    let mut transitions = [None; POD_CONDITIONS];
    for (which, kind) in [
        (PodCondition::SandboxReady, "PodReadyToStartContainers"),
        (PodCondition::Initialized, "Initialized"),
        (PodCondition::Ready, "Ready"),
        (PodCondition::ContainersReady, "ContainersReady"),
        (PodCondition::Scheduled, "PodScheduled"),
        (PodCondition::DisruptionTarget, "DisruptionTarget"),
    ] {
        transitions[which as usize] =
            condition(kind).and_then(|found| seconds(read::text(found, &["lastTransitionTime"])));
    }
    Restored {
        created_s: seconds(read::text(pod, &["metadata", "creationTimestamp"])),
        transitions,
        uid: pod.str_at(&["metadata", "uid"]).map(Arc::from),
    }
}
