//! Deployments and the controllers of pods as their loops see them.

use std::sync::Arc;

use crate::base::symbol::Symbol;
use crate::base::time::SimTime;
use crate::kube::selector::Selector;
use crate::kube::template::TemplateId;

use super::daemon_set::DaemonSetPart;
use super::job::JobPart;
use super::node::ConditionStatus;
use super::pod::NO_POD;
use super::stateful_set::StatefulSetPart;
use super::{DeploymentId, ReplicaSetId};

/// A number or a percentage of the replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Amount {
    /// As it is.
    Count(i64),
    /// Per cent.
    Percent(i64),
}

impl Amount {
    /// Rounded up. Source: `staging/src/k8s.io/apimachinery/pkg/util/intstr/intstr.go`.
    pub const fn ceiling(self, total: i64) -> i64 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => (percent * total + 99).div_euclid(100),
        }
    }

    /// Rounded down.
    pub const fn floor(self, total: i64) -> i64 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => (percent * total).div_euclid(100),
        }
    }

    /// Reads `3` or `25%`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_suffix('%') {
            Some(number) => number.parse().ok().map(Self::Percent),
            None => text.parse().ok().map(Self::Count),
        }
    }
}

/// One condition of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadCondition {
    /// `Available`, `Progressing`, `ReplicaFailure`.
    pub kind: &'static str,
    /// Its value.
    pub status: ConditionStatus,
    /// Why.
    pub reason: &'static str,
    /// The same in words.
    pub message: Arc<str>,
    /// When it was refreshed last.
    pub updated: SimTime,
    /// When its value changed last.
    pub transition: SimTime,
}

/// A Deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentRow {
    /// Namespace.
    pub namespace: Symbol,
    /// Name.
    pub name: Symbol,
    /// `spec.replicas`.
    pub replicas: i64,
    /// Recreate instead of RollingUpdate.
    pub recreate: bool,
    /// `maxSurge`.
    pub surge: Amount,
    /// `maxUnavailable`.
    pub unavailable: Amount,
    /// `minReadySeconds`.
    pub min_ready_s: i64,
    /// `progressDeadlineSeconds`; `None`: no deadline.
    pub deadline_s: Option<i64>,
    /// `revisionHistoryLimit`; `None`: keep all.
    pub history: Option<i64>,
    /// `spec.paused`.
    pub paused: bool,
    /// `spec.selector`.
    pub selector: Arc<Selector>,
    /// `spec.template`.
    pub template: TemplateId,
    /// `metadata.generation`.
    pub generation: i64,
    /// When it was created.
    pub created: SimTime,
    /// Whether it is being deleted: it has a deletionTimestamp.
    pub deleting: bool,
    /// Whether its dependents are deleted before it is.
    pub foreground: bool,
    /// Its ReplicaSets, oldest first.
    pub replica_sets: Vec<ReplicaSetId>,
    /// `deployment.kubernetes.io/revision`.
    pub revision_number: i64,
    /// `status.observedGeneration`.
    pub observed: i64,
    /// `status.replicas`.
    pub status_replicas: i64,
    /// `status.updatedReplicas`.
    pub updated: i64,
    /// `status.readyReplicas`.
    pub ready: i64,
    /// `status.availableReplicas`.
    pub available: i64,
    /// `status.unavailableReplicas`.
    pub missing: i64,
    /// `status.terminatingReplicas`.
    pub terminating: i64,
    /// `status.collisionCount`.
    pub collisions: i64,
    /// `status.conditions`.
    pub conditions: Vec<WorkloadCondition>,
    /// When the progress deadline is looked at next.
    pub deadline_check: Option<SimTime>,
    /// `resourceVersion`.
    pub revision: u32,
}

/// Kinds that control pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OwnerKind {
    /// `apps/v1` ReplicaSet.
    #[default]
    ReplicaSet,
    /// `v1` ReplicationController.
    ReplicationController,
    /// `apps/v1` StatefulSet.
    StatefulSet,
    /// `apps/v1` DaemonSet.
    DaemonSet,
    /// `batch/v1` Job.
    Job,
}

impl OwnerKind {
    /// The kind of that name.
    pub fn parse(kind: &str) -> Option<Self> {
        Some(match kind {
            "ReplicaSet" => Self::ReplicaSet,
            "ReplicationController" => Self::ReplicationController,
            "StatefulSet" => Self::StatefulSet,
            "DaemonSet" => Self::DaemonSet,
            "Job" => Self::Job,
            _ => return None,
        })
    }

    /// `kind`.
    pub const fn text(self) -> &'static str {
        match self {
            Self::ReplicaSet => "ReplicaSet",
            Self::ReplicationController => "ReplicationController",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::Job => "Job",
        }
    }

    /// `apiVersion`.
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::ReplicationController => "v1",
            Self::ReplicaSet | Self::StatefulSet | Self::DaemonSet => "apps/v1",
            Self::Job => "batch/v1",
        }
    }

    /// Plural in lower case.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::ReplicaSet => "replicasets",
            Self::ReplicationController => "replicationcontrollers",
            Self::StatefulSet => "statefulsets",
            Self::DaemonSet => "daemonsets",
            Self::Job => "jobs",
        }
    }

    /// Plural and group: the resource of its documents.
    pub const fn resource(self) -> &'static str {
        match self {
            Self::ReplicaSet => "replicasets.apps",
            Self::ReplicationController => "replicationcontrollers",
            Self::StatefulSet => "statefulsets.apps",
            Self::DaemonSet => "daemonsets.apps",
            Self::Job => "jobs.batch",
        }
    }

    /// Its word in the trace.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ReplicaSet => "replicaset",
            Self::ReplicationController => "replicationcontroller",
            Self::StatefulSet => "statefulset",
            Self::DaemonSet => "daemonset",
            Self::Job => "job",
        }
    }
}

/// What one kind of controller of pods wants and remembers besides what all have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// Nothing: ReplicaSet, ReplicationController.
    #[default]
    None,
    /// A StatefulSet's.
    StatefulSet(Arc<StatefulSetPart>),
    /// A DaemonSet's.
    DaemonSet(Arc<DaemonSetPart>),
    /// A Job's.
    Job(Arc<JobPart>),
}

/// A controller of pods: a ReplicaSet, or what the other kinds have in common with one. The
/// document holds the rest of those.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaSetRow {
    /// Which kind it is.
    pub kind: OwnerKind,
    /// What its kind wants besides.
    pub part: Part,
    /// Namespace.
    pub namespace: Symbol,
    /// Name.
    pub name: Symbol,
    /// The Deployment that controls it.
    pub owner: Option<DeploymentId>,
    /// Value of the label `pod-template-hash`, when a Deployment made it.
    pub hash: Option<Symbol>,
    /// The Deployment's template that it was made from.
    pub source: Option<TemplateId>,
    /// `spec.selector`.
    pub selector: Arc<Selector>,
    /// `spec.template`, with the hash label.
    pub template: TemplateId,
    /// `spec.replicas`.
    pub replicas: i64,
    /// `minReadySeconds`.
    pub min_ready_s: i64,
    /// Annotation `deployment.kubernetes.io/desired-replicas`.
    pub desired: Option<i64>,
    /// Annotation `deployment.kubernetes.io/max-replicas`.
    pub max: Option<i64>,
    /// Annotation `deployment.kubernetes.io/revision`.
    pub revision_number: i64,
    /// Annotation `deployment.kubernetes.io/revision-history`.
    pub revision_history: Vec<i64>,
    /// `metadata.generation`.
    pub generation: i64,
    /// When it was created.
    pub created: SimTime,
    /// Whether it is being deleted: it has a deletionTimestamp.
    pub deleting: bool,
    /// That time, of a ReplicaSet without a document.
    pub deleted: Option<SimTime>,
    /// Whether its dependents are deleted before it is.
    pub foreground: bool,
    /// Whether its labels or its owner were written since Deployments looked at them.
    pub stray: bool,
    /// `status.observedGeneration`.
    pub observed: i64,
    /// Whether its pods' labels may lack some of its template's.
    pub mixed: bool,
    /// Status numbers as last written.
    pub status: PodCounts,
    /// How many of the pods of the status lack a label of the template.
    pub unlabelled: i64,
    /// Status conditions.
    pub conditions: Vec<WorkloadCondition>,
    /// What its pods are now, kept up with every write to a pod.
    pub pods: PodCounts,
    /// How often the sandboxes of its active pods became others: whoever counted something about them
    /// knows by it whether the count still holds.
    pub turnover: u32,
    /// Slot of its first pod.
    pub first_pod: u32,
    /// Pods in all, ended ones too.
    pub pods_all: u32,
    /// Pods made so far: names and luck come from this.
    pub ordinal: u32,
    /// Creations decided and not yet carried out.
    pub creating: u32,
    /// Deletions decided and not yet carried out.
    pub deleting_pods: u32,
    /// Creations left in this wave of the slow start, and the size of the wave.
    pub wave: (u32, u32),
    /// Where the walk through the five letters of its pods' names begins, and its step: found when
    /// creations are decided.
    pub letters: (u32, u32),
    /// `resourceVersion`.
    pub revision: u32,
}

impl ReplicaSetRow {
    /// A ReplicaSet without pods that nobody owns, of namespace and name.
    pub fn new(
        (namespace, name): (Symbol, Symbol),
        selector: Selector,
        template: TemplateId,
        created: SimTime,
    ) -> Self {
        Self {
            kind: OwnerKind::ReplicaSet,
            part: Part::None,
            namespace,
            name,
            owner: None,
            hash: None,
            source: None,
            selector: Arc::new(selector),
            template,
            replicas: 0,
            min_ready_s: 0,
            desired: None,
            max: None,
            revision_number: 0,
            revision_history: Vec::new(),
            generation: 1,
            created,
            deleting: false,
            deleted: None,
            foreground: false,
            stray: false,
            observed: 0,
            mixed: false,
            status: PodCounts::default(),
            unlabelled: 0,
            conditions: Vec::new(),
            pods: PodCounts::default(),
            turnover: 0,
            first_pod: NO_POD,
            pods_all: 0,
            ordinal: 0,
            creating: 0,
            deleting_pods: 0,
            wave: (0, 0),
            letters: (0, 0),
            revision: 0,
        }
    }
}

/// Numbers of pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PodCounts {
    /// Neither ended nor being deleted.
    pub active: i64,
    /// Of those, ready.
    pub ready: i64,
    /// Of those, available.
    pub available: i64,
    /// Being deleted and not ended.
    pub terminating: i64,
    /// Of those, on a node whose kubelet has not been heard of: only the node can finish them.
    pub stranded: i64,
}
