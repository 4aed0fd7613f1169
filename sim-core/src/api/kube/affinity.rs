//! Rules about where a pod may go: affinity and tolerations.

use std::sync::Arc;

use crate::api::selector::{LabelSelector, Requirement};

/// A pod's `affinity`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Affinity {
    /// `nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms`: one of them
    /// must match. Absent: no such rule; present and empty: no node matches.
    pub node_required: Option<Vec<NodeSelectorTerm>>,
    /// `nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution`.
    pub node_preferred: Vec<PreferredNodeTerm>,
    /// `podAffinity.requiredDuringSchedulingIgnoredDuringExecution`.
    pub pod_required: Vec<PodAffinityTerm>,
    /// `podAffinity.preferredDuringSchedulingIgnoredDuringExecution`.
    pub pod_preferred: Vec<WeightedPodTerm>,
    /// `podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution`.
    pub anti_required: Vec<PodAffinityTerm>,
    /// `podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution`.
    pub anti_preferred: Vec<WeightedPodTerm>,
}

/// Pods to be near to, or far from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PodAffinityTerm {
    /// Which pods; absent: none; empty: all.
    pub selector: Option<LabelSelector>,
    /// Namespaces by name.
    pub namespaces: Vec<Arc<str>>,
    /// Namespaces by label; empty: all. Neither this nor names: the pod's own.
    pub namespace_selector: Option<LabelSelector>,
    /// Node label whose equal values make a neighbourhood.
    pub topology_key: Arc<str>,
    /// Labels of the pod whose values are added to the selector.
    pub match_label_keys: Vec<Arc<str>>,
    /// Labels of the pod whose values the others must not have.
    pub mismatch_label_keys: Vec<Arc<str>>,
}

/// A wish with a weight from 1 to 100.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WeightedPodTerm {
    /// Added to, or taken from, the score of a node.
    pub weight: u32,
    /// Which pods.
    pub term: PodAffinityTerm,
}

/// Requirements on one node, all of which must hold. A term without any matches nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct NodeSelectorTerm {
    /// On the node's labels.
    pub match_expressions: Vec<Requirement>,
    /// On the node's fields; upstream knows `metadata.name` only.
    pub match_fields: Vec<Requirement>,
}

/// A wish with a weight from 1 to 100.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PreferredNodeTerm {
    /// Added to the score of a node that matches.
    pub weight: u32,
    /// Which nodes.
    pub preference: NodeSelectorTerm,
}

/// What a taint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaintEffect {
    /// Not scheduled there.
    NoSchedule,
    /// Scheduled there only if nowhere else.
    PreferNoSchedule,
    /// Not scheduled there, and removed if already there.
    NoExecute,
}

/// A taint of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Taint {
    /// Its key.
    pub key: Arc<str>,
    /// Its value; often empty.
    pub value: Arc<str>,
    /// What it does to pods without a toleration.
    pub effect: TaintEffect,
}

/// What a pod tolerates.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Toleration {
    /// Taint key; empty with `Exists`: every key.
    pub key: Arc<str>,
    /// How the value is compared.
    pub operator: TolerationOperator,
    /// The value for `Equal`.
    pub value: Arc<str>,
    /// Only taints of this effect; absent: all effects.
    pub effect: Option<TaintEffect>,
    /// How long a `NoExecute` taint is tolerated, in seconds; absent: for ever; 0 or less: not at all.
    pub seconds: Option<i64>,
}

/// Comparison of a toleration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TolerationOperator {
    /// Key and value are equal.
    Equal,
    /// The key is there.
    Exists,
}
