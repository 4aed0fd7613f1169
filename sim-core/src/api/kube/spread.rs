//! How a pod wants its kind spread over the cluster: `topologySpreadConstraints`.

use std::sync::Arc;

use crate::api::selector::LabelSelector;

/// One constraint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SpreadConstraint {
    /// How many more pods a domain may have than the emptiest one.
    pub max_skew: u32,
    /// Node label whose values are the domains.
    pub topology_key: Arc<str>,
    /// `DoNotSchedule` instead of `ScheduleAnyway`.
    pub hard: bool,
    /// Which pods count; absent: none.
    pub selector: Option<LabelSelector>,
    /// Domains below which the emptiest one counts as 0. Default 1.
    pub min_domains: u32,
    /// `nodeAffinityPolicy: Honor`, the default: nodes that the pod may not use are no domains.
    pub honor_affinity: bool,
    /// `nodeTaintsPolicy: Honor`; the default is `Ignore`.
    pub honor_taints: bool,
    /// Labels of the pod whose values are added to the selector.
    pub match_label_keys: Vec<Arc<str>>,
}
