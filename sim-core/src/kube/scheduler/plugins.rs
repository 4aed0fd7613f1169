//! The plugins of the default profile: what each of them says of one node, as plain arithmetic.
//!
//! Owns names, order and weights. The functions below know numbers and labels only; which nodes are
//! asked, and in which order, is `cycle`'s business.

pub mod affinity;
pub mod images;
pub mod interpod;
pub mod logarithm;
pub mod resources;
pub mod spread;
pub mod taints;

/// A plugin of the default profile that a decision shows, in filter order.
/// Source: `pkg/scheduler/apis/config/v1/default_plugins.go`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Plugin {
    /// Keeps pods with gates out of the queue.
    SchedulingGates,
    /// Keeps pods off cordoned nodes.
    NodeUnschedulable,
    /// `spec.nodeName`.
    NodeName,
    /// Taints and tolerations.
    TaintToleration,
    /// `nodeSelector` and node affinity.
    NodeAffinity,
    /// Host ports.
    NodePorts,
    /// Requests against allocatable; scores by a strategy.
    NodeResourcesFit,
    /// Disks that one pod, or one node, can have only.
    VolumeRestrictions,
    /// Volumes that a driver can attach to one node.
    NodeVolumeLimits,
    /// Claims and the volumes for them.
    VolumeBinding,
    /// Zones of volumes.
    VolumeZone,
    /// Spread over topology domains.
    PodTopologySpread,
    /// Affinity and anti-affinity to other pods.
    InterPodAffinity,
    /// Evicts pods of lower priority.
    DefaultPreemption,
    /// Balance of the resources' use.
    NodeResourcesBalancedAllocation,
    /// Images that are there already.
    ImageLocality,
}

/// Number of [`Plugin`]s.
pub const PLUGINS: usize = 16;

impl Plugin {
    /// All, in filter order.
    pub const ALL: [Self; PLUGINS] = [
        Self::SchedulingGates,
        Self::NodeUnschedulable,
        Self::NodeName,
        Self::TaintToleration,
        Self::NodeAffinity,
        Self::NodePorts,
        Self::NodeResourcesFit,
        Self::VolumeRestrictions,
        Self::NodeVolumeLimits,
        Self::VolumeBinding,
        Self::VolumeZone,
        Self::PodTopologySpread,
        Self::InterPodAffinity,
        Self::DefaultPreemption,
        Self::NodeResourcesBalancedAllocation,
        Self::ImageLocality,
    ];

    /// Those that score, in the order of the default profile.
    pub const SCORERS: [Self; SCORERS] = [
        Self::TaintToleration,
        Self::NodeAffinity,
        Self::NodeResourcesFit,
        Self::PodTopologySpread,
        Self::InterPodAffinity,
        Self::NodeResourcesBalancedAllocation,
        Self::ImageLocality,
    ];

    /// Upstream's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SchedulingGates => "SchedulingGates",
            Self::NodeUnschedulable => "NodeUnschedulable",
            Self::NodeName => "NodeName",
            Self::TaintToleration => "TaintToleration",
            Self::NodeAffinity => "NodeAffinity",
            Self::NodePorts => "NodePorts",
            Self::NodeResourcesFit => "NodeResourcesFit",
            Self::VolumeRestrictions => "VolumeRestrictions",
            Self::NodeVolumeLimits => "NodeVolumeLimits",
            Self::VolumeBinding => "VolumeBinding",
            Self::VolumeZone => "VolumeZone",
            Self::PodTopologySpread => "PodTopologySpread",
            Self::InterPodAffinity => "InterPodAffinity",
            Self::DefaultPreemption => "DefaultPreemption",
            Self::NodeResourcesBalancedAllocation => "NodeResourcesBalancedAllocation",
            Self::ImageLocality => "ImageLocality",
        }
    }

    /// Weight of its score in the default profile; 0 for plugins that only filter.
    pub const fn weight(self) -> u32 {
        match self {
            Self::TaintToleration => 3,
            Self::NodeAffinity | Self::PodTopologySpread | Self::InterPodAffinity => 2,
            Self::NodeResourcesFit
            | Self::NodeResourcesBalancedAllocation
            | Self::ImageLocality => 1,
            Self::SchedulingGates
            | Self::NodeUnschedulable
            | Self::NodeName
            | Self::NodePorts
            | Self::VolumeRestrictions
            | Self::NodeVolumeLimits
            | Self::VolumeBinding
            | Self::VolumeZone
            | Self::DefaultPreemption => 0,
        }
    }
}

/// Number of plugins that score.
pub const SCORERS: usize = 7;

/// A set of plugins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PluginSet(u32);

impl PluginSet {
    /// No plugin.
    pub const NONE: Self = Self(0);

    /// This set and one more.
    #[must_use]
    pub const fn with(self, plugin: Plugin) -> Self {
        Self(self.0 | 1 << plugin as u32)
    }

    /// This set and one less.
    #[must_use]
    pub const fn without(self, plugin: Plugin) -> Self {
        Self(self.0 & !(1 << plugin as u32))
    }

    /// Whether some plugin is in both.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether a plugin is in it.
    pub const fn has(self, plugin: Plugin) -> bool {
        self.0 & 1 << plugin as u32 != 0
    }
}

/// Highest score of a plugin. Source: `staging/src/k8s.io/kube-scheduler/framework/interface.go`.
pub const MAX_NODE_SCORE: i64 = 100;

/// Scales raw scores to 0..=100 by the largest; `reverse` makes the smallest the best.
/// Source: `pkg/scheduler/framework/plugins/helper/normalize_score.go`.
pub fn normalize(scores: &mut [i64], order: ScoreOrder) {
    let max = scores.iter().copied().max().unwrap_or(0);
    for score in scores {
        *score = match (max, order) {
            (0, ScoreOrder::MoreIsBetter) => 0,
            (0, ScoreOrder::LessIsBetter) => MAX_NODE_SCORE,
            (_, ScoreOrder::MoreIsBetter) => MAX_NODE_SCORE * *score / max,
            (_, ScoreOrder::LessIsBetter) => MAX_NODE_SCORE - MAX_NODE_SCORE * *score / max,
        };
    }
}

/// What a raw score means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScoreOrder {
    /// The largest raw score gets 100.
    MoreIsBetter,
    /// A raw score of zero gets 100.
    LessIsBetter,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference 23.4 and 23.5.
    #[test]
    fn normalising_truncates() {
        let mut taints = [0, 1, 2];
        normalize(&mut taints, ScoreOrder::LessIsBetter);
        assert_eq!(taints, [100, 50, 0]);
        let mut affinity = [30, 20, 0];
        normalize(&mut affinity, ScoreOrder::MoreIsBetter);
        assert_eq!(affinity, [100, 66, 0]);
        let mut nothing = [0, 0];
        normalize(&mut nothing, ScoreOrder::LessIsBetter);
        assert_eq!(nothing, [100, 100]);
        normalize(&mut nothing[..0], ScoreOrder::MoreIsBetter);
    }

    #[test]
    fn the_order_is_the_index() {
        for (index, plugin) in Plugin::ALL.into_iter().enumerate() {
            assert_eq!(plugin as usize, index);
        }
    }
}
