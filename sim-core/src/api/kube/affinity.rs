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
    /// `podAffinity.requiredDuringSchedulingIgnoredDuringExecution`: all must hold.
    pub pod_required: Vec<PodAffinityTerm>,
    /// `podAffinity.preferredDuringSchedulingIgnoredDuringExecution`.
    pub pod_preferred: Vec<WeightedPodAffinityTerm>,
    /// `podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution`: none may hold.
    pub anti_required: Vec<PodAffinityTerm>,
    /// `podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution`.
    pub anti_preferred: Vec<WeightedPodAffinityTerm>,
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

/// Pods whose neighbourhood is wanted or shunned.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PodAffinityTerm {
    /// Which pods; absent matches none.
    pub label_selector: Option<LabelSelector>,
    /// Namespaces of those pods; empty together with no `namespace_selector`: the pod's own.
    pub namespaces: Vec<Arc<str>>,
    /// Namespaces by label, added to `namespaces`.
    pub namespace_selector: Option<LabelSelector>,
    /// Node label whose equal value makes two nodes neighbours.
    pub topology_key: Arc<str>,
}

/// A neighbourhood wish with a weight from 1 to 100.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WeightedPodAffinityTerm {
    /// Added to or taken from the score.
    pub weight: u32,
    /// Which neighbourhood.
    pub term: PodAffinityTerm,
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

/// A rule of `topologySpreadConstraints`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TopologySpread {
    /// Largest difference allowed between any two domains.
    pub max_skew: u32,
    /// Node label whose values are the domains.
    pub topology_key: Arc<str>,
    /// Whether the rule forbids (`DoNotSchedule`) or only prefers (`ScheduleAnyway`).
    pub required: bool,
    /// Which pods are counted; absent counts none.
    pub label_selector: Option<LabelSelector>,
    /// Domains that must exist before the global minimum counts; absent: 1.
    pub min_domains: Option<u32>,
}
