//! A pod: 64 hot bytes, and beside them what only some readers want.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::base::name::Name;
use crate::base::rare::{Nothing, Rare};
use crate::base::time::{SimDuration, SimTime};
use crate::kube::template::TemplateId;
use crate::manifest::value::Value;
use crate::substrate::order::{ContainerId, SandboxId};

use super::{NodeId, ReplicaSetId, read};

/// `status.phase`. The order is the one in which a ReplicaSet gives pods up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Accepted; not all containers have been started once.
    #[default]
    Pending,
    /// The state cannot be known. Not written by anybody any more.
    Unknown,
    /// Bound, and at least one container runs or restarts.
    Running,
    /// All containers ended with success and will not restart.
    Succeeded,
    /// All containers ended, at least one of them in failure.
    Failed,
}

impl Phase {
    /// Upstream's word.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Unknown => "Unknown",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
        }
    }

    /// Succeeded or Failed.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}

/// Yes-or-no facts of a pod, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PodFlags(pub u16);

impl PodFlags {
    /// Condition Ready is True.
    pub const READY: Self = Self(1);
    /// Condition ContainersReady is True.
    pub const CONTAINERS_READY: Self = Self(2);
    /// Condition Initialized is True.
    pub const INITIALIZED: Self = Self(4);
    /// Condition PodReadyToStartContainers is True: the sandbox has its network.
    pub const SANDBOX_READY: Self = Self(8);
    /// `deletionTimestamp` is set.
    pub const TERMINATING: Self = Self(16);
    /// Condition PodScheduled is False with reason Unschedulable.
    pub const UNSCHEDULABLE: Self = Self(32);
    /// Condition DisruptionTarget is True.
    pub const DISRUPTION_TARGET: Self = Self(64);
    /// The kubelet has written a status: startTime and its conditions exist.
    pub const ACKNOWLEDGED: Self = Self(128);
    /// Ready for `minReadySeconds` or more.
    pub const AVAILABLE: Self = Self(256);
    /// Somebody wrote this pod by hand: it has a document of its own.
    pub const DOCUMENT: Self = Self(512);

    /// Admission has given it a token for the API server.
    pub const TOKEN: Self = Self(2048);

    /// Its controller is nothing that has a row, so that nobody takes it over.
    pub const FOREIGN: Self = Self(1024);

    /// It has had twice the time to go that it has: quotas count it no longer.
    pub const OVERDUE: Self = Self(4096);

    /// Whether all bits of `other` are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Sets or clears the bits of `other`.
    pub fn set(&mut self, other: Self, on: bool) {
        if on {
            self.0 |= other.0;
        } else {
            self.0 &= !other.0;
        }
    }
}

/// The hot part of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PodRow {
    /// Its name; the namespace is the template's.
    pub name: Name,
    /// What it was made from.
    pub template: TemplateId,
    /// The ReplicaSet that controls it.
    pub owner: Option<ReplicaSetId>,
    /// The node it is bound to.
    pub node: Option<NodeId>,
    /// Slot of the next pod on the same node, [`NO_POD`] at the end.
    pub node_next: u32,
    /// Slot of the previous pod on the same node.
    pub node_previous: u32,
    /// Slot of the next pod of the same ReplicaSet.
    pub owner_next: u32,
    /// Slot of the previous pod of the same ReplicaSet.
    pub owner_previous: u32,
    /// `creationTimestamp`: whole seconds, as the API keeps it.
    pub created_s: u32,
    /// `resourceVersion`.
    pub revision: u32,
    /// `status.phase`.
    pub phase: Phase,
    /// Containers that are ready.
    pub ready_containers: u8,
    /// Yes-or-no facts.
    pub flags: PodFlags,
}

/// End of an intrusive list.
pub const NO_POD: u32 = u32::MAX;

const _: () = assert!(size_of::<PodRow>() <= 64);

impl PodRow {
    /// Whether condition Ready is True.
    pub const fn is_ready(&self) -> bool {
        self.flags.has(PodFlags::READY)
    }

    /// Whether it has a token for the API server.
    pub const fn has_token(&self) -> bool {
        self.flags.has(PodFlags::TOKEN)
    }

    /// Whether `deletionTimestamp` is set.
    pub const fn is_terminating(&self) -> bool {
        self.flags.has(PodFlags::TERMINATING)
    }

    /// Whether controllers count it: neither ended nor being deleted.
    /// Source: `pkg/controller/controller_utils.go`.
    pub const fn is_active(&self) -> bool {
        !self.phase.is_terminal() && !self.is_terminating()
    }
}

/// Conditions whose last transition is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PodCondition {
    /// PodReadyToStartContainers.
    SandboxReady,
    /// Initialized.
    Initialized,
    /// Ready.
    Ready,
    /// ContainersReady.
    ContainersReady,
    /// PodScheduled.
    Scheduled,
    /// DisruptionTarget.
    DisruptionTarget,
}

/// Seconds from the epoch as rows keep them: what lies before the run is in two's complement.
pub const fn signed_s(seconds: u32) -> i64 {
    seconds.cast_signed() as i64
}

/// Number of [`PodCondition`]s.
pub const POD_CONDITIONS: usize = 6;

/// What a container does, as its status says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ContainerState {
    /// Not running, and why: `ContainerCreating`, `ImagePullBackOff`, `CrashLoopBackOff`, …
    Waiting {
        /// `reason`.
        reason: &'static str,
        /// `message`.
        message: Option<Arc<str>>,
    },
    /// Running since.
    Running {
        /// `startedAt`.
        started: SimTime,
    },
    /// Ended.
    Terminated(Arc<Termination>),
}

impl Default for ContainerState {
    fn default() -> Self {
        Self::Waiting {
            reason: "ContainerCreating",
            message: None,
        }
    }
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Termination {
    /// Exit code; 128 + signal when a signal ended it.
    pub exit_code: i32,
    /// `Completed`, `Error`, `OOMKilled`, `ContainerStatusUnknown`, …
    pub reason: &'static str,
    /// Text beside the reason.
    pub message: Option<Arc<str>>,
    /// When it had started; none: nobody knows.
    pub started: Option<SimTime>,
    /// When it ended; none: nobody knows.
    pub finished: Option<SimTime>,
    /// Which container of the machine it was.
    pub container: Option<ContainerId>,
}

/// Status of one container, in the order of the template: init containers first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ContainerStatus {
    /// What it does.
    pub state: ContainerState,
    /// How its last run ended.
    pub last: Option<Arc<Termination>>,
    /// Whether it is ready.
    pub ready: bool,
    /// Whether it has started (and its startup probe, if it has one, succeeded).
    pub started: bool,
    /// How often it was restarted.
    pub restarts: u32,
    /// The machine's container.
    pub container: Option<ContainerId>,
}

/// The cold part of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodDetails {
    /// `status.containerStatuses` and, before them, `initContainerStatuses`; empty until the
    /// kubelet has written.
    pub containers: Arc<[ContainerStatus]>,
    /// The sandbox, once there is one.
    pub sandbox: Option<SandboxId>,
    /// `status.podIP`, 0 when there is none.
    pub ip: u32,
    /// `status.startTime`.
    pub started: Option<SimTime>,
    /// `lastTransitionTime` by [`PodCondition`], in whole seconds.
    pub transitions_s: [u32; POD_CONDITIONS],
    /// When it was asked to go.
    pub terminating_since: Option<SimTime>,
    /// `deletionGracePeriodSeconds`.
    pub deletion_grace: SimDuration,
    /// What most pods have nothing of.
    pub aside: Rare<PodAside>,
}

const _: () = assert!(size_of::<PodDetails>() <= 112, "150,000 of these are kept");

/// What most pods have nothing of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodAside {
    /// `status.reason`, e.g. `Evicted`.
    pub reason: Option<&'static str>,
    /// `status.message`.
    pub message: Option<Arc<str>>,
    /// Message of PodScheduled=False.
    pub unschedulable: Option<Arc<str>>,
    /// Reason and message of DisruptionTarget.
    pub disruption: Option<(&'static str, Arc<str>)>,
    /// `status.nominatedNodeName`.
    pub nominated: Option<NodeId>,
    /// `metadata.uid` of a pod that was taken over; others have one made from their name.
    pub uid: Option<Arc<str>>,
    /// `metadata.finalizers`.
    pub finalizers: Option<Arc<[Arc<str>]>>,
    /// Only its finalizers keep it.
    pub held: bool,
    /// How often its spec was written since its creation.
    pub respecified: u32,
    /// Its sizes, where they are not what its spec asks for.
    pub sizes: Option<Arc<Sizes>>,
    /// Condition AllContainersRestarting and since when, in whole seconds; none: it has none.
    pub restarting_all: Option<(bool, u32)>,
    /// Conditions that others than the kubelet and the control plane wrote, as they wrote them.
    pub conditions: Option<Arc<Vec<Value>>>,
    /// `metadata.ownerReferences` but for that of the controller with a row.
    pub owners: Option<Arc<[Value]>>,
}

impl Nothing for PodAside {
    const NOTHING: &'static Self = &Self {
        reason: None,
        message: None,
        unschedulable: None,
        disruption: None,
        nominated: None,
        uid: None,
        finalizers: None,
        held: false,
        respecified: 0,
        sizes: None,
        restarting_all: None,
        conditions: None,
        owners: None,
    };
}

impl PodDetails {
    /// `metadata.finalizers`.
    pub fn finalizers(&self) -> &[Arc<str>] {
        self.aside.finalizers.as_deref().unwrap_or_default()
    }

    /// `metadata.ownerReferences` but for that of the controller with a row.
    pub fn owners(&self) -> &[Value] {
        self.aside.owners.as_deref().unwrap_or_default()
    }

    /// A condition that somebody else wrote.
    pub fn condition(&self, kind: &str) -> Option<&Value> {
        let mut conditions = self.aside.conditions.iter().flat_map(|list| list.iter());
        conditions.find(|condition| read::text(condition, &["type"]) == kind)
    }

    /// Whether all gates are open. Source: `pkg/kubelet/status/generate.go` (`GeneratePodReadyCondition`).
    pub fn opens(&self, gates: &[Arc<str>]) -> bool {
        let is_true = |found: &Value| read::text(found, &["status"]) == "True";
        gates
            .iter()
            .all(|gate| self.condition(gate).is_some_and(is_true))
    }
}

/// A size that is asked for and was not granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Why.
    pub message: Arc<str>,
    /// Since when.
    pub since: SimTime,
    /// When that was found last.
    pub looked: SimTime,
    /// Generation of the pod that asks for it.
    pub generation: u32,
}

/// Sizes of a pod that are not, or were not, its spec's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Whose containers' sizes the agent has granted.
    pub allocated: TemplateId,
    /// Whose containers' sizes the control groups have.
    pub actual: TemplateId,
    /// What is asked for and was not granted.
    pub pending: Option<Pending>,
    /// Since when the groups are being changed.
    pub progress: Option<SimTime>,
    /// Why they are not.
    pub error: Option<Arc<str>>,
}

/// A status as the kubelet writes it: replaces the one before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodStatus {
    /// `status.phase`.
    pub phase: Phase,
    /// Containers in the order of the template, init containers first.
    pub containers: SmallVec<[ContainerStatus; 1]>,
    /// The sandbox, once there is one.
    pub sandbox: Option<SandboxId>,
    /// Its address, 0 when there is none.
    pub ip: u32,
    /// When the kubelet acknowledged the pod.
    pub started: Option<SimTime>,
    /// Condition PodReadyToStartContainers.
    pub sandbox_ready: bool,
    /// Condition Initialized.
    pub initialized: bool,
    /// Condition ContainersReady.
    pub containers_ready: bool,
    /// Condition Ready.
    pub ready: bool,
    /// `status.reason`.
    pub reason: Option<&'static str>,
    /// `status.message`.
    pub message: Option<Arc<str>>,
    /// Sizes, where they are not what the spec asks for.
    pub sizes: Option<Arc<Sizes>>,
    /// Condition AllContainersRestarting, of pods that may restart so.
    pub restarting_all: Option<bool>,
}
