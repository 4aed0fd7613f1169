//! A node as the control plane knows it. The machine below it is another thing, in another layer.

use std::sync::Arc;

use crate::api::kube::affinity::{Taint, TaintEffect};
use crate::base::resources::ResourceVector;
use crate::base::symbol::Symbol;
use crate::base::time::SimTime;
use crate::substrate::order::MachineId;

/// A condition's three values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ConditionStatus {
    /// True.
    True,
    /// False.
    #[default]
    False,
    /// The writer has not been heard of.
    Unknown,
}

impl ConditionStatus {
    /// Upstream's word.
    pub const fn text(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// Upstream's word for an effect.
pub const fn effect_text(effect: TaintEffect) -> &'static str {
    match effect {
        TaintEffect::NoSchedule => "NoSchedule",
        TaintEffect::PreferNoSchedule => "PreferNoSchedule",
        TaintEffect::NoExecute => "NoExecute",
    }
}

/// The effect that a word names.
pub fn parse_effect(text: &str) -> Option<TaintEffect> {
    match text {
        "NoSchedule" => Some(TaintEffect::NoSchedule),
        "PreferNoSchedule" => Some(TaintEffect::PreferNoSchedule),
        "NoExecute" => Some(TaintEffect::NoExecute),
        _ => None,
    }
}

/// Taint of a node whose kubelet has not been heard of.
/// Source: `staging/src/k8s.io/api/core/v1/well_known_taints.go`, as the others.
pub const TAINT_UNREACHABLE: &str = "node.kubernetes.io/unreachable";
/// Taint of a node whose kubelet says that it is not ready.
pub const TAINT_NOT_READY: &str = "node.kubernetes.io/not-ready";
/// Taint of a cordoned node.
pub const TAINT_UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";
/// Taint that a person sets on a node that will not come back.
pub const TAINT_OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// The conditions that every kubelet writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeCondition {
    /// MemoryPressure.
    MemoryPressure,
    /// DiskPressure.
    DiskPressure,
    /// PIDPressure.
    PidPressure,
    /// Ready.
    Ready,
}

/// Number of [`NodeCondition`]s.
pub const NODE_CONDITIONS: usize = 4;

/// One condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeConditionState {
    /// Its value.
    pub status: ConditionStatus,
    /// Why.
    pub reason: &'static str,
    /// The same in words.
    pub message: &'static str,
    /// When the value changed last.
    pub transition: SimTime,
}

/// Images of a node, the largest first: each with its names, digests before tags, and its size in bytes.
pub type NodeImages = Arc<[(Arc<[Arc<str>]>, u64)]>;

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRow {
    /// Its name.
    pub name: Symbol,
    /// The machine it stands for.
    pub machine: MachineId,
    /// Labels, sorted by key.
    pub labels: Arc<[(Arc<str>, Arc<str>)]>,
    /// Annotations, sorted by key.
    pub annotations: Arc<[(Arc<str>, Arc<str>)]>,
    /// Taints in the order in which they were added.
    pub taints: Arc<[Taint]>,
    /// When a controller added each of them; none: it was somebody else.
    pub taint_times: Arc<[Option<SimTime>]>,
    /// When the first NoExecute taint that it carries was added.
    pub no_execute_since: Option<SimTime>,
    /// Ranges of its pods' addresses that are no machine's.
    pub pod_ranges: Arc<[Arc<str>]>,
    /// `spec.unschedulable`.
    pub unschedulable: bool,
    /// What the machine has.
    pub capacity: ResourceVector,
    /// What pods may ask for.
    pub allocatable: ResourceVector,
    /// `status.images`.
    pub images: NodeImages,
    /// Conditions by [`NodeCondition`].
    pub conditions: [NodeConditionState; NODE_CONDITIONS],
    /// When the kubelet last posted a status that changed something.
    pub heartbeat: SimTime,
    /// Slot of the first pod bound here.
    pub first_pod: u32,
    /// Pods bound here.
    pub pods: u32,
    /// When it was registered.
    pub created: SimTime,
    /// `resourceVersion`.
    pub revision: u32,
    /// Whether the machine was made as part of the control plane.
    pub control: bool,
    /// Whether somebody has written it by hand, so that no kubelet stands behind it.
    pub by_hand: bool,
    /// Region and zone labels joined; empty when there are none.
    pub zone: Symbol,
    /// Sum of what the pods here ask for.
    pub requested: ResourceVector,
}

impl NodeRow {
    /// Value of condition Ready.
    pub const fn ready(&self) -> ConditionStatus {
        self.conditions[NodeCondition::Ready as usize].status
    }

    /// Whether somebody has said how it is.
    pub const fn has_conditions(&self) -> bool {
        !self.conditions[NodeCondition::Ready as usize]
            .reason
            .is_empty()
    }

    /// Whether it carries a taint with this key and effect.
    pub fn has_taint(&self, key: &str, effect: TaintEffect) -> bool {
        self.taints
            .iter()
            .any(|taint| &*taint.key == key && taint.effect == effect)
    }
}
