//! How far workloads are from what is wanted of them.

use crate::api::status::WorkloadStatus;
use crate::base::arrange::Arrange;
use crate::base::name::Suffix;
use crate::base::symbol::Symbols;
use crate::base::time::SimTime;

use super::KubePlane;
use super::rows::pod::{Phase, PodRow};
use super::rows::workload::{DeploymentRow, OwnerKind, Part, PodCounts, ReplicaSetRow};
use super::rows::{DeploymentId, PodId, ReplicaSetId};
use super::store::Store;
use super::store::document::{DocumentKey, RowReference};
use super::store::events::{Message, NewEvent};

/// Newest events among which an obstacle is looked for: what is in the way is told again and again.
const WARNINGS_LOOKED_AT: usize = 512;
/// What the kubelet says of an image that it could not pull, without the cause.
/// Source: `pkg/kubelet/kuberuntime/kuberuntime_container.go` with `pkg/kubelet/images/types.go`.
const PULL_FAILED: [&str; 2] = ["Error: ImagePullBackOff", "Error: ErrImagePull"];
/// What it says of the cause begins so. Source: `pkg/kubelet/images/image_manager.go`.
const PULL_CAUSE: &str = "Failed to pull image";

/// One workload's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Distance {
    /// Replicas wanted.
    pub desired: u64,
    /// Replicas ready.
    pub ready: u64,
    /// What is missing, superfluous, stale or on its way out.
    pub unmet: u64,
    /// What only a lost node could finish.
    pub blocked: u64,
}

fn natural(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// What keeps a set of pods from being `wanted` available ones and no others.
fn share(pods: PodCounts, wanted: i64) -> u64 {
    let missing = natural(wanted - pods.available);
    let surplus = natural(pods.active - wanted);
    missing + surplus + natural(pods.terminating - pods.stranded)
}

/// A Deployment.
pub fn deployment(id: DeploymentId, store: &Store) -> Option<Distance> {
    Some(of_deployment(store.deployment(id)?, store))
}

fn of_deployment(row: &DeploymentRow, store: &Store) -> Distance {
    let mut distance = Distance {
        desired: natural(row.replicas),
        ready: 0,
        unmet: 0,
        blocked: 0,
    };
    let mut found = false;
    for set in &row.replica_sets {
        let Some(set) = store.replica_set(*set) else {
            continue;
        };
        distance.ready += natural(set.pods.ready);
        distance.blocked += natural(set.pods.stranded);
        let is_new = !found && set.source == Some(row.template);
        found |= is_new;
        distance.unmet += share(set.pods, if is_new { row.replicas } else { 0 });
    }
    if !found && !row.paused {
        distance.unmet += natural(row.replicas).max(1);
    }
    if row.deleting {
        distance.unmet += 1;
    }
    distance
}

/// A ReplicaSet that no Deployment controls, or whose Deployment counts it.
pub fn replica_set(id: ReplicaSetId, store: &Store) -> Option<Distance> {
    of_replica_set(store.replica_set(id)?, store)
}

fn of_replica_set(row: &ReplicaSetRow, store: &Store) -> Option<Distance> {
    if row
        .owner
        .is_some_and(|owner| store.deployment(owner).is_some())
    {
        return None;
    }
    let outdated = match &row.part {
        Part::None | Part::Job(_) => 0,
        Part::StatefulSet(part) => part.outdated,
        Part::DaemonSet(part) => part.outdated,
    };
    Some(Distance {
        desired: natural(row.replicas),
        ready: natural(row.pods.ready),
        unmet: share(row.pods, row.replicas) + outdated + u64::from(row.deleting),
        blocked: natural(row.pods.stranded),
    })
}

fn pod(row: &PodRow) -> Distance {
    let met = match row.phase {
        Phase::Succeeded => true,
        Phase::Running => row.is_ready(),
        Phase::Pending | Phase::Unknown | Phase::Failed => false,
    };
    let ready = u64::from(row.is_ready() && !row.is_terminating());
    Distance {
        desired: 1,
        ready,
        unmet: u64::from(!met || row.is_terminating()),
        blocked: 0,
    }
}

/// One workload's distance; `None`: it is gone, or another one counts it.
pub fn distance(workload: WorkloadKey, store: &Store) -> Option<Distance> {
    match workload {
        WorkloadKey::Deployment(id) => deployment(id, store),
        WorkloadKey::Set(id) => replica_set(id, store),
        WorkloadKey::Pod(id) => Some(pod(store.pod(id)?)),
    }
}

/// Which workload, by its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WorkloadKey {
    /// A Deployment.
    Deployment(DeploymentId),
    /// Another controller of pods.
    Set(ReplicaSetId),
    /// A pod of its own.
    Pod(PodId),
}

impl KubePlane {
    /// Every workload's distance, in the order of their rows and without their names.
    pub fn distances(&self) -> impl Iterator<Item = (WorkloadKey, Distance)> {
        let store = &self.store;
        let deployments = store
            .deployments()
            .map(|(id, row)| (WorkloadKey::Deployment(id), of_deployment(row, store)));
        let sets = store
            .pod_controllers()
            .filter_map(|(id, row)| Some((WorkloadKey::Set(id), of_replica_set(row, store)?)));
        let pods = store
            .lonely_pods()
            .iter()
            .filter_map(|id| Some((WorkloadKey::Pod(*id), pod(store.pod(*id)?))));
        deployments.chain(sets).chain(pods)
    }

    /// One of them.
    pub fn distance_of(&self, key: WorkloadKey) -> Option<Distance> {
        distance(key, &self.store)
    }

    /// Those that are pods without a controller.
    pub fn lonely_workloads(&self) -> impl ExactSizeIterator<Item = WorkloadKey> {
        let pods = self.store.lonely_pods().iter();
        pods.map(|id| WorkloadKey::Pod(*id))
    }

    /// The others that came, changed or went since the last call, in no order that means anything.
    pub fn take_moved(&mut self) -> Vec<WorkloadKey> {
        self.controllers.take_moved(&self.store)
    }

    /// What stands in a workload's way: the name of one that is not as it is wanted, and reason and
    /// message of the newest warning about it, its ReplicaSets or a pod of it. What only says that an
    /// image could not be pulled gives way to the newest one that says why.
    pub fn obstacle(&self, symbols: &Symbols, now: SimTime) -> Option<(String, String)> {
        let newest = self.store.events().iter(now).rev().take(WARNINGS_LOOKED_AT);
        let mut warnings = newest.filter(|row| row.event.warning).map(|row| &row.event);
        let (key, mut event) = warnings.by_ref().find_map(|event| {
            let key = self.workload_told_of(event, symbols)?;
            (self.distance_of(key)?.unmet > 0).then_some((key, event))
        })?;
        // That it stands for many like it is no part of what it says.
        let text = |event: &NewEvent| match &event.message {
            Message::Combined(latest) => latest.text(symbols),
            message => message.text(symbols),
        };
        let mut message = text(event);
        if PULL_FAILED.contains(&message.as_str()) {
            let cause = warnings.find_map(|event| {
                let message = text(event);
                let tells = message.starts_with(PULL_CAUSE)
                    && self.workload_told_of(event, symbols) == Some(key);
                tells.then_some((event, message))
            });
            if let Some(cause) = cause {
                (event, message) = cause;
            }
        }
        // The sentence around it ends by itself.
        let message = message.trim_end_matches(['.', ':', ' ']);
        let said = format!("{}: {message}", event.reason);
        Some((self.workload_name(key, symbols)?, said))
    }

    /// The workload whose pods an event is about: of a pod, of a controller of pods or of a
    /// Deployment.
    fn workload_told_of(&self, event: &NewEvent, symbols: &Symbols) -> Option<WorkloadKey> {
        if let Some(pod) = event.pod {
            return self.workload_of(pod.id);
        }
        if event.name.suffix != Suffix::None {
            return None;
        }
        let (namespace, name) = (event.namespace, event.name.prefix);
        if let Some(kind) = OwnerKind::parse(event.kind) {
            let set = self.store.pod_controller_named(kind, namespace, name)?;
            return self.workload_of_set(set);
        }
        if event.kind != "Deployment" {
            return None;
        }
        let key = DocumentKey {
            resource: "deployments.apps".into(),
            namespace: symbols.text(namespace).into(),
            name: symbols.text(name).into(),
        };
        match self.store.documents().get(&key)?.row {
            RowReference::Deployment(id) => Some(WorkloadKey::Deployment(id)),
            _ => None,
        }
    }

    /// The workload that a pod is a replica of; `None`: its controller is gone.
    pub fn workload_of(&self, pod: PodId) -> Option<WorkloadKey> {
        match self.store.pod(pod)?.owner {
            Some(owner) => self.workload_of_set(owner),
            None => Some(WorkloadKey::Pod(pod)),
        }
    }

    fn workload_of_set(&self, id: ReplicaSetId) -> Option<WorkloadKey> {
        let owner = self.store.replica_set(id)?.owner;
        let counts = owner.filter(|owner| self.store.deployment(*owner).is_some());
        Some(counts.map_or(WorkloadKey::Set(id), WorkloadKey::Deployment))
    }

    /// The name of one of [`Self::distances`].
    pub fn workload_name(&self, key: WorkloadKey, symbols: &Symbols) -> Option<String> {
        Some(match key {
            WorkloadKey::Deployment(id) => symbols.text(self.store.deployment(id)?.name).to_owned(),
            WorkloadKey::Set(id) => symbols.text(self.store.replica_set(id)?.name).to_owned(),
            WorkloadKey::Pod(id) => self.store.pod(id)?.name.text(symbols),
        })
    }

    /// Every workload's wanted and present state: Deployments, then ReplicaSets and pods that
    /// nobody controls, with the other kinds between them, each by namespace and name.
    pub fn workloads(&self, symbols: &Symbols) -> Vec<WorkloadStatus> {
        let store = &self.store;
        let mut lines: Vec<(u8, String, String, &'static str, Distance)> = Vec::new();
        for (id, row) in store.deployments() {
            if let Some(distance) = deployment(id, store) {
                lines.push((
                    0,
                    symbols.text(row.namespace).to_owned(),
                    symbols.text(row.name).to_owned(),
                    "Deployment",
                    distance,
                ));
            }
        }
        for (id, row) in store.pod_controllers() {
            if let Some(distance) = replica_set(id, store) {
                lines.push((
                    1 + row.kind as u8,
                    symbols.text(row.namespace).to_owned(),
                    symbols.text(row.name).to_owned(),
                    row.kind.text(),
                    distance,
                ));
            }
        }
        for id in store.lonely_pods() {
            if let Some(row) = store.pod(*id) {
                let namespace = symbols
                    .text(store.template(row.template).namespace)
                    .to_owned();
                lines.push((9, namespace, row.name.text(symbols), "Pod", pod(row)));
            }
        }
        lines.arrange_by(|one, two| (one.0, &one.1, &one.2).cmp(&(two.0, &two.1, &two.2)));
        let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        lines
            .into_iter()
            .map(|(_, _, name, kind, distance)| WorkloadStatus {
                name,
                kind,
                desired: narrow(distance.desired),
                ready: narrow(distance.ready),
                unmet: narrow(distance.unmet),
                blocked: narrow(distance.blocked),
            })
            .collect()
    }
}
