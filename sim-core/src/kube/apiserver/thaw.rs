//! From documents that were taken over to rows that loops and kubelets act on.
//!
//! The status goes along as far as rows have a place for it. What rows have no place for is made
//! anew by whoever owns it: uids of all but pods (and with them owner references), EndpointSlices. A
//! pod whose node has no machine stays as it is, bound to a name, unless nodes were taken over, too, and
//! that one not: it is an orphan then.

pub mod uids;

use std::sync::Arc;

use smallvec::SmallVec;

use crate::api::kube::object::KubeSpec;
use crate::base::name::{Name, Suffix};
use crate::base::time::{SimDuration, SimTime};
use crate::kube::kinds::Kind;
use crate::kube::kubelet::statics::is_mirror;
use crate::kube::rows::pod::{
    ContainerState, ContainerStatus, Phase, PodFlags, PodStatus, Termination,
};
use crate::kube::rows::read as fields;
use crate::kube::rows::watched::WatchedPart;
use crate::kube::rows::workload::{OwnerKind, PodCounts};
use crate::kube::rows::{DeploymentId, NodeId, PodId, ReplicaSetId, WatchedId};
use crate::kube::store::dependents::FOREGROUND;
use crate::kube::store::document::{Document, DocumentKey, RowReference};
use crate::kube::turn::Turn;
use crate::manifest::decode::kube::decode_value;
use crate::manifest::decode::kube::defaults::apply_defaults;
use crate::manifest::value::Value;

use uids::{Extent, Uids};

use super::service::Luck;
use super::write::rows;
use super::{ApiServer, conditions, revive, workload};

/// Resources in the order in which they are given rows: owners before what they own.
const ORDER: [&str; 11] = [
    "services",
    "deployments.apps",
    "replicasets.apps",
    "statefulsets.apps",
    "daemonsets.apps",
    "replicationcontrollers",
    "jobs.batch",
    "cronjobs.batch",
    "horizontalpodautoscalers.autoscaling",
    "poddisruptionbudgets.policy",
    "resourcequotas",
];

/// Number from which controllers count the pods that they make here, so that names drawn by it are
/// not those that the same draws have given already.
const FIRST_ORDINAL: u32 = 10_000;

/// What a deployment controller adds to a template.
const HASH: &str = "pod-template-hash";

impl ApiServer {
    /// Gives rows to all documents that were taken over. Returns the pods that were running on a
    /// simulated machine. Of a part of a cluster, an owner that is not there may still be.
    pub fn thaw(&mut self, extent: Extent, turn: &mut Turn<'_, '_>) -> Vec<PodId> {
        let mut uids = Uids::default();
        uids.know(turn);
        for resource in ORDER {
            for (key, document) in bare(resource, turn) {
                let old = fields::text(&document.value, &["metadata", "uid"]).to_owned();
                self.thaw_one(&key, document, turn);
                uids.note(&key, old, turn);
            }
        }
        let nodes = bare("nodes", turn);
        revive::nodes(turn);
        for (key, document) in nodes {
            let old = fields::text(&document.value, &["metadata", "uid"]).to_owned();
            uids.note(&key, old, turn);
        }
        uids.rewrite(turn);
        let budgets = granted(turn);
        let mut running = Vec::new();
        let known: Vec<NodeId> = turn.store.nodes().map(|(id, _)| id).collect();
        for (key, document) in bare("pods", turn) {
            running.extend(pod(&key, &document, &uids, turn));
        }
        for (budget, pods) in budgets {
            grant(budget, &pods, turn);
        }
        // Where the nodes were taken over with the pods, one that only a pod names has gone.
        let stand_ins = turn.store.nodes().map(|(id, _)| id);
        let gone: Vec<NodeId> = stand_ins.filter(|id| !known.contains(id)).collect();
        for node in gone.into_iter().filter(|_| self.knows_nodes) {
            turn.store.remove_node(node);
        }
        // The kubelets that have come up renew their own.
        let leases: Vec<DocumentKey> = bare("leases.coordination.k8s.io", turn)
            .into_iter()
            .map(|(key, _)| key)
            .filter(|key| {
                let node = turn.ctx.symbols.get(&key.name);
                &*key.namespace == "kube-node-lease"
                    && node.is_some_and(|node| turn.store.node_named(node).is_some())
            })
            .collect();
        for key in leases {
            turn.store.documents_mut().remove(&key);
        }
        let named = std::mem::take(&mut self.owners_loaded);
        if !named.is_empty() {
            uids.settle(extent, &named, turn);
        }
        running
    }

    fn thaw_one(&mut self, key: &DocumentKey, document: Document, turn: &mut Turn<'_, '_>) {
        let Some(kind) = turn.store.kind_of_word(&key.resource) else {
            return;
        };
        let value = plain(kind, &document.value);
        let (decoded, _) = decode_value(&value);
        let Some(decoded) = decoded else {
            // What would not be accepted today stays as it was read. A CronJob's controller sees for
            // itself what is wrong with a schedule or a time zone.
            if kind.kind == "CronJob" {
                store(key, value, RowReference::None, turn);
                workload::attach(kind.kind, key, true, turn);
            }
            return;
        };
        match decoded.spec {
            KubeSpec::Service(spec) => {
                let luck = Luck {
                    seed: turn.ctx.seed,
                    namespace: &key.namespace,
                    name: &key.name,
                };
                let Ok(allocated) = self.allocate(&spec, luck, turn.store) else {
                    return;
                };
                let id = rows::create_service(&spec, &allocated, key, turn);
                // Those of a Service without a selector are somebody else's.
                if value.path(&["spec", "selector"]).is_some() {
                    forget_endpoints(key, turn);
                }
                store(key, value, RowReference::Service(id), turn);
            }
            KubeSpec::Deployment(spec) => {
                let id = rows::create_deployment(&spec, key, &value, turn);
                resume_deployment(id, &document, turn);
                let mut value = value;
                value.remove("status");
                value.remove_path(&[
                    "metadata",
                    "annotations",
                    "deployment.kubernetes.io/revision",
                ]);
                let foreground = take_foreground(&document, &mut value);
                turn.store.write_deployment(id, false, |row| {
                    row.deleting = document.deletion.is_some();
                    row.foreground = foreground;
                });
                store(key, value, RowReference::Deployment(id), turn);
            }
            KubeSpec::ReplicaSet(spec) => {
                let mut row = rows::replica_set_row(&spec, key, &value, turn);
                row.created = revive::created(&document.value, turn);
                row.conditions = revive::conditions(&document.value, turn);
                row.generation = document.generation.max(1);
                row.observed = fields::number(&document.value, &["status", "observedGeneration"]);
                let number = |path: &[&str]| fields::number(&document.value, path);
                row.status = PodCounts {
                    active: number(&["status", "replicas"]),
                    ready: number(&["status", "readyReplicas"]),
                    available: number(&["status", "availableReplicas"]),
                    ..PodCounts::default()
                };
                let mut value = value;
                row.deleting = document.deletion.is_some();
                row.deleted = document.deletion;
                row.foreground = take_foreground(&document, &mut value);
                row.mixed = true;
                row.unlabelled = row.status.active - number(&["status", "fullyLabeledReplicas"]);
                let owner = deployment_of(key, &document.value, turn);
                let Some(owner) = owner else {
                    row.ordinal = FIRST_ORDINAL;
                    let id = turn.store.add_replica_set(row);
                    store(key, value, RowReference::ReplicaSet(id), turn);
                    return;
                };
                row.owner = Some(owner);
                row.hash = value
                    .str_at(&["metadata", "labels", HASH])
                    .map(|hash| turn.ctx.symbols.intern(hash));
                row.source = workload::source(row.template, turn);
                row.ordinal = FIRST_ORDINAL;
                let id = turn.store.add_replica_set(row);
                if let Some(labels) = document.value.path(&["metadata", "labels"]) {
                    turn.store.keep(id, "labels", labels.clone());
                }
                if let Some(annotations) = document.value.path(&["metadata", "annotations"]) {
                    turn.store.keep(id, "annotations", annotations.clone());
                }
                turn.store.documents_mut().remove(key);
            }
            _ => {
                store(key, value, RowReference::None, turn);
                workload::attach(kind.kind, key, true, turn);
                let row = turn.store.documents().get(key).map(|document| document.row);
                if let Some(RowReference::ReplicaSet(id)) = row {
                    turn.store
                        .write_replica_set(id, false, |row| row.ordinal = FIRST_ORDINAL);
                }
            }
        }
    }
}

/// Whether an object that is being deleted waits for its dependents; its row says so from now on.
fn take_foreground(document: &Document, value: &mut Value) -> bool {
    let path = ["metadata", "finalizers"];
    let mut finalizers = fields::list(value, &path).to_vec();
    let before = finalizers.len();
    finalizers.retain(|one| one.as_str() != Some(FOREGROUND));
    if document.deletion.is_none() || finalizers.len() == before {
        return false;
    }
    value.set_list(&path, finalizers);
    true
}

/// Documents of a resource that have no row.
fn bare(resource: &str, turn: &Turn<'_, '_>) -> Vec<(DocumentKey, Document)> {
    turn.store
        .documents()
        .of(resource)
        .filter(|(_, document)| document.row == RowReference::None)
        .map(|(key, document)| (key.clone(), document.clone()))
        .collect()
}

/// The object as the server would store it: defaults filled in, without what rows make.
fn plain(kind: &Kind, object: &Value) -> Value {
    let mut value = object.clone();
    apply_defaults(kind.kind, &mut value);
    for field in ["uid", "creationTimestamp"] {
        value.remove_path(&["metadata", field]);
    }
    value
}

fn store(key: &DocumentKey, value: Value, row: RowReference, turn: &mut Turn<'_, '_>) {
    if let Some(mut document) = turn.store.documents_mut().get_mut(key) {
        document.value = value;
        document.row = row;
    }
}

/// Endpoints of a Service are written anew by their controller.
fn forget_endpoints(service: &DocumentKey, turn: &mut Turn<'_, '_>) {
    let label = ["metadata", "labels", "kubernetes.io/service-name"];
    let gone: Vec<DocumentKey> = ["endpointslices.discovery.k8s.io", "endpoints"]
        .into_iter()
        .flat_map(|resource| bare(resource, turn))
        .filter(|(key, document)| {
            key.namespace == service.namespace
                && (document.value.str_at(&label) == Some(&*service.name)
                    || &*key.resource == "endpoints" && key.name == service.name)
        })
        .map(|(key, _)| key)
        .collect();
    for key in gone {
        turn.store.documents_mut().remove(&key);
    }
}

fn resume_deployment(id: DeploymentId, document: &Document, turn: &mut Turn<'_, '_>) {
    let number = |path: &[&str]| fields::number(&document.value, path);
    let revision = document
        .value
        .str_at(&[
            "metadata",
            "annotations",
            "deployment.kubernetes.io/revision",
        ])
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let (created, conditions) = (
        revive::created(&document.value, turn),
        revive::conditions(&document.value, turn),
    );
    turn.store.write_deployment(id, false, |row| {
        row.created = created;
        row.conditions = conditions;
        row.generation = document.generation.max(1);
        row.observed = number(&["status", "observedGeneration"]);
        row.revision_number = revision;
        row.status_replicas = number(&["status", "replicas"]);
        row.updated = number(&["status", "updatedReplicas"]);
        row.ready = number(&["status", "readyReplicas"]);
        row.available = number(&["status", "availableReplicas"]);
        row.missing = number(&["status", "unavailableReplicas"]);
        row.collisions = number(&["status", "collisionCount"]);
    });
}

/// The controlling owner: its kind and name.
fn controller(value: &Value) -> Option<(&str, &str)> {
    let owner = fields::list(value, &["metadata", "ownerReferences"])
        .iter()
        .find(|owner| fields::truth(owner, &["controller"]))?;
    Some((
        fields::text(owner, &["kind"]),
        fields::text(owner, &["name"]),
    ))
}

fn deployment_of(key: &DocumentKey, value: &Value, turn: &Turn<'_, '_>) -> Option<DeploymentId> {
    let (kind, name) = controller(value)?;
    if kind != "Deployment" {
        return None;
    }
    let owner = DocumentKey {
        resource: "deployments.apps".into(),
        namespace: key.namespace.clone(),
        name: name.into(),
    };
    match turn.store.documents().get(&owner)?.row {
        RowReference::Deployment(id) => Some(id),
        _ => None,
    }
}

fn owner_of(
    key: &DocumentKey,
    value: &Value,
    uids: &Uids,
    turn: &Turn<'_, '_>,
) -> Option<ReplicaSetId> {
    let (kind, name) = controller(value)?;
    let kind = OwnerKind::parse(kind)?;
    let owner = DocumentKey {
        resource: kind.resource().into(),
        namespace: key.namespace.clone(),
        name: name.into(),
    };
    if uids.is_another(&owner, value) {
        return None;
    }
    let (namespace, name) = (
        turn.ctx.symbols.get(&key.namespace)?,
        turn.ctx.symbols.get(name)?,
    );
    turn.store
        .pod_controllers()
        .find(|(_, row)| row.kind == kind && row.namespace == namespace && row.name == name)
        .map(|(id, _)| id)
}

/// Evictions that budgets which were taken over have granted: pods by name, and when.
fn granted(turn: &Turn<'_, '_>) -> Vec<(WatchedId, Vec<(String, SimTime)>)> {
    let budgets = turn.store.documents().of("poddisruptionbudgets.policy");
    budgets
        .filter_map(|(_, document)| {
            let RowReference::Watched(id) = document.row else {
                return None;
            };
            let pods = document.value.path(&["status", "disruptedPods"])?;
            let pods = pods
                .as_map()?
                .iter()
                .filter_map(|(name, at)| Some((name.to_string(), revive::time(at.as_str()?)?)));
            Some((id, pods.collect()))
        })
        .collect()
}

fn grant(budget: WatchedId, pods: &[(String, SimTime)], turn: &mut Turn<'_, '_>) {
    let Some(namespace) = turn.store.watched(budget).map(|row| row.namespace) else {
        return;
    };
    let namespace = turn.ctx.symbols.text(namespace).to_owned();
    let found: Vec<(PodId, SimTime)> = pods
        .iter()
        .filter_map(|(name, at)| {
            let pod = turn.store.pod_named(&namespace, name, turn.ctx.symbols)?;
            Some((pod, *at))
        })
        .collect();
    if let Some(row) = turn.store.watched_mut(budget)
        && let WatchedPart::Budget(part) = &mut row.part
    {
        part.disrupted.extend(found);
    }
}

/// A pod; `Some` if a simulated machine runs it.
fn pod(
    key: &DocumentKey,
    document: &Document,
    uids: &Uids,
    turn: &mut Turn<'_, '_>,
) -> Option<PodId> {
    let kind = turn.store.kind_of_word("pods")?;
    let value = plain(kind, &document.value);
    let (decoded, _) = decode_value(&value);
    let KubeSpec::Pod(spec) = decoded?.spec else {
        return None;
    };
    let mut template = Value::map();
    for field in ["labels", "annotations"] {
        if let Some(map) = value.path(&["metadata", field]) {
            template.set_path(&["metadata", field], map.clone());
        }
    }
    template.set("spec", value.get("spec").cloned().unwrap_or_default());
    let containers = spec.init_containers.len() + spec.containers.len();
    let template = workload::keep_template(&template, &key.namespace, turn)?;
    let owner = owner_of(key, &value, uids, turn);
    let name = pod_name(&key.name, owner, turn);
    let flags = PodFlags::default();
    let pod = turn
        .store
        .create_pod(name, template, owner, flags, document.created);
    if let Some(set) = owner.and_then(|owner| turn.store.replica_set_mut(owner)) {
        set.mixed = true;
    }
    let status = document.value.get("status").cloned().unwrap_or_default();
    let now = turn.now();
    let node = spec
        .node_name
        .as_ref()
        .map(|node| revive::node_named(node, turn));
    if let Some(node) = node {
        let bound = transition(&status, "PodScheduled").unwrap_or(document.created);
        if turn.store.bind(pod, node, bound).is_err() {
            return None;
        }
    }
    let mut others = uids.references(&value, turn);
    others.retain(|reference| owner.is_none() || !fields::truth(reference, &["controller"]));
    // A mirror is shown with its node as owner.
    let mirror = is_mirror(turn.store.template(template));
    let own_node = spec.node_name.as_deref().unwrap_or_default();
    others.retain(|one| {
        !mirror
            || fields::text(one, &["kind"]) != "Node"
            || fields::text(one, &["name"]) != own_node
    });
    turn.store.set_owners(pod, others);
    // A phase that only a kubelet writes tells that one has looked at the pod.
    let phase = fields::text(&status, &["phase"]);
    let known = status.get("startTime").is_some()
        || status.get("conditions").is_some()
        || status.get("containerStatuses").is_some()
        || !matches!(phase, "" | "Pending");
    if known {
        let at = transition(&status, "Ready").unwrap_or(now);
        let status = pod_status(&value, &status, containers);
        turn.store.set_pod_status(pod, status, at);
    }
    let others = conditions::of_others(&status);
    if !others.is_empty() {
        turn.store.set_conditions(pod, others);
    }
    if let Some(disrupted) = condition(&status, "DisruptionTarget") {
        let message = fields::text(disrupted, &["message"]);
        let at = transition(&status, "DisruptionTarget").unwrap_or(now);
        let reason = known_disruption(fields::text(disrupted, &["reason"]));
        turn.store.set_disruption(pod, reason, message.into(), at);
        if fields::text(disrupted, &["status"]) == "False" {
            turn.store.clear_disruption(pod, at);
        }
    }
    match fields::text(&status, &["nominatedNodeName"]) {
        "" => {}
        node => {
            let node = revive::node_named(node, turn);
            turn.store.set_nominated(pod, Some(node));
        }
    }
    turn.store
        .restore_pod(pod, revive::restored(&document.value));
    if let Some(owner) = owner {
        revive::counted(pod, owner, &document.value, turn);
    }
    turn.store.documents_mut().remove(key);
    // A Job's own finalizer is kept by its controller.
    let finalizers: Arc<[Arc<str>]> = fields::list(&value, &["metadata", "finalizers"])
        .iter()
        .filter_map(Value::as_str)
        .filter(|name| *name != "batch.kubernetes.io/job-tracking")
        .map(Arc::from)
        .collect();
    if !finalizers.is_empty() {
        turn.store.set_finalizers(pod, finalizers);
    }
    if value.path(&["metadata", "deletionTimestamp"]).is_some() {
        let grace = value
            .i64_at(&["metadata", "deletionGracePeriodSeconds"])
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map(SimDuration::from_secs);
        let grace = grace.unwrap_or(SimDuration::ZERO);
        let until = fields::text(&value, &["metadata", "deletionTimestamp"]);
        let since = revive::time(until)
            .map_or(now, |until| until.shifted(-grace.as_micros().cast_signed()));
        turn.store.restore_terminating(pod, since, grace);
        return None;
    }
    let machine = turn.store.node(node?)?.machine;
    turn.ctx.machines.machine(machine).map(|_| pod)
}

/// `web-0` of a StatefulSet `web` is its pod of that ordinal.
fn pod_name(name: &str, owner: Option<ReplicaSetId>, turn: &mut Turn<'_, '_>) -> Name {
    let set = owner.and_then(|owner| turn.store.replica_set(owner));
    if let Some(set) = set.filter(|set| set.kind == OwnerKind::StatefulSet) {
        let ordinal = name
            .strip_prefix(turn.ctx.symbols.text(set.name))
            .and_then(|rest| rest.strip_prefix('-'))
            .and_then(|rest| rest.parse().ok());
        if let Some(ordinal) = ordinal {
            return Name {
                prefix: set.name,
                suffix: Suffix::Dash(ordinal),
            };
        }
    }
    Name::plain(turn.ctx.symbols.intern(name))
}

fn condition<'a>(status: &'a Value, kind: &str) -> Option<&'a Value> {
    fields::list(status, &["conditions"])
        .iter()
        .find(|one| fields::text(one, &["type"]) == kind)
}

fn transition(status: &Value, kind: &str) -> Option<SimTime> {
    revive::time(fields::text(
        condition(status, kind)?,
        &["lastTransitionTime"],
    ))
}

fn pod_status(pod: &Value, status: &Value, containers: usize) -> PodStatus {
    let is =
        |kind| condition(status, kind).is_some_and(|one| fields::text(one, &["status"]) == "True");
    let phase = match fields::text(status, &["phase"]) {
        "Running" => Phase::Running,
        "Succeeded" => Phase::Succeeded,
        "Failed" => Phase::Failed,
        "Unknown" => Phase::Unknown,
        _ => Phase::Pending,
    };
    let mut list = SmallVec::with_capacity(containers);
    for (spec, statuses) in [
        ("initContainers", "initContainerStatuses"),
        ("containers", "containerStatuses"),
    ] {
        let statuses = fields::list(status, &[statuses]);
        for container in fields::list(pod, &["spec", spec]) {
            let name = fields::text(container, &["name"]);
            let found = statuses
                .iter()
                .find(|one| fields::text(one, &["name"]) == name);
            list.push(found.map(container_status).unwrap_or_default());
        }
    }
    let ip: Option<std::net::Ipv4Addr> = fields::text(status, &["podIP"]).parse().ok();
    PodStatus {
        sizes: None,
        restarting_all: condition(status, RESTARTING_ALL).map(|_| is(RESTARTING_ALL)),
        phase,
        containers: list,
        sandbox: None,
        ip: ip.map_or(0, u32::from),
        started: revive::time(fields::text(status, &["startTime"])),
        sandbox_ready: is("PodReadyToStartContainers") || is("Initialized"),
        initialized: is("Initialized"),
        containers_ready: is("ContainersReady") || is("Ready"),
        ready: is("Ready"),
        reason: status.str_at(&["reason"]).map(known_reason),
        message: status.str_at(&["message"]).map(Arc::from),
    }
}

const RESTARTING_ALL: &str = "AllContainersRestarting";

fn container_status(status: &Value) -> ContainerStatus {
    let state = status.get("state");
    let part = |key: &str| state.and_then(|state| state.get(key));
    let state = if let Some(running) = part("running") {
        ContainerState::Running {
            started: revive::time(fields::text(running, &["startedAt"])).unwrap_or(SimTime::ZERO),
        }
    } else if let Some(ended) = part("terminated") {
        ContainerState::Terminated(Arc::new(termination(ended)))
    } else {
        let waiting = part("waiting");
        let reason = waiting.and_then(|waiting| waiting.str_at(&["reason"]));
        let message = waiting.and_then(|waiting| waiting.str_at(&["message"]));
        ContainerState::Waiting {
            reason: reason.map_or("ContainerCreating", known_reason),
            message: message.map(Arc::from),
        }
    };
    let ready = fields::truth(status, &["ready"]);
    ContainerStatus {
        last: status
            .path(&["lastState", "terminated"])
            .map(|ended| Arc::new(termination(ended))),
        ready,
        started: status
            .get("started")
            .and_then(Value::as_bool)
            .unwrap_or(ready),
        restarts: u32::try_from(fields::number(status, &["restartCount"])).unwrap_or(0),
        container: None,
        state,
    }
}

fn termination(ended: &Value) -> Termination {
    let time = |key| revive::time(fields::text(ended, &[key]));
    let exit_code = i32::try_from(fields::number(ended, &["exitCode"])).unwrap_or(1);
    Termination {
        exit_code,
        reason: ended.str_at(&["reason"]).map_or(
            if exit_code == 0 { "Completed" } else { "Error" },
            known_reason,
        ),
        message: ended.str_at(&["message"]).map(Arc::from),
        started: time("startedAt"),
        finished: time("finishedAt"),
        container: None,
    }
}

/// Who may disrupt a pod. Source: `staging/src/k8s.io/api/core/v1/types.go` and those who write it.
fn known_disruption(text: &str) -> &'static str {
    const KNOWN: [&str; 5] = [
        "DeletionByPodGC",
        "DeletionByTaintManager",
        "EvictionByEvictionAPI",
        "PreemptionByScheduler",
        "TerminationByKubelet",
    ];
    KNOWN
        .into_iter()
        .find(|known| *known == text)
        .unwrap_or("Unknown")
}

/// Reasons that components give; one that none of them gives reads as unknown.
fn known_reason(text: &str) -> &'static str {
    const KNOWN: [&str; 25] = [
        "Completed",
        "CrashLoopBackOff",
        "ContainerCreating",
        "ContainerStatusUnknown",
        "CreateContainerConfigError",
        "CreateContainerError",
        "DeadlineExceeded",
        "ErrImageNeverPull",
        "ErrImagePull",
        "Error",
        "Evicted",
        "ImagePullBackOff",
        "InvalidImageName",
        "NodeAffinity",
        "NodeLost",
        "NodeShutdown",
        "OOMKilled",
        "OutOfcpu",
        "OutOfmemory",
        "OutOfpods",
        "PodInitializing",
        "Preempting",
        "RestartingAllContainers",
        "RunContainerError",
        "UnexpectedAdmissionError",
    ];
    KNOWN
        .into_iter()
        .find(|known| *known == text)
        .unwrap_or("Unknown")
}
