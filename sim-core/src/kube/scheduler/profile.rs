//! A scheduler profile: which plugins are on, what their scores weigh, and their arguments.
//!
//! Defaults: `pkg/scheduler/apis/config/v1/{defaults,default_plugins}.go`.

use std::sync::Arc;

use crate::api::kube::affinity::Affinity;
use crate::api::kube::spread::SpreadConstraint;

use super::plugins::resources::ShapePoint;
use super::plugins::{PLUGINS, Plugin, PluginSet};

/// A resource with its weight in a score.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceWeight {
    /// Its name.
    pub name: Arc<str>,
    /// Its weight.
    pub weight: i64,
}

/// How NodeResourcesFit scores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Prefers empty nodes.
    LeastAllocated,
    /// Prefers full nodes.
    MostAllocated,
    /// Prefers what a broken line says.
    RequestedToCapacityRatio(Vec<ShapePoint>),
}

/// One profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// `schedulerName` of its pods.
    pub name: Arc<str>,
    /// Plugins whose filters run.
    pub filters: PluginSet,
    /// Weight of each plugin's score; 0: it does not score.
    pub weights: [u32; PLUGINS],
    /// `percentageOfNodesToScore`, if the profile has its own.
    pub percentage: Option<u32>,
    /// `NodeResourcesFitArgs.scoringStrategy`.
    pub strategy: Strategy,
    /// Its resources.
    pub fit_resources: Vec<ResourceWeight>,
    /// `NodeResourcesFitArgs.ignoredResources`.
    pub ignored_resources: Vec<Arc<str>>,
    /// `NodeResourcesFitArgs.ignoredResourceGroups`.
    pub ignored_groups: Vec<Arc<str>>,
    /// `NodeResourcesBalancedAllocationArgs.resources`.
    pub balanced_resources: Vec<Arc<str>>,
    /// `PodTopologySpreadArgs.defaultConstraints`, or the system's.
    pub default_constraints: Vec<SpreadConstraint>,
    /// `defaultingType: System`.
    pub system_defaults: bool,
    /// `InterPodAffinityArgs.hardPodAffinityWeight`.
    pub hard_pod_affinity_weight: i64,
    /// `InterPodAffinityArgs.ignorePreferredTermsOfExistingPods`.
    pub ignore_preferred: bool,
    /// `NodeAffinityArgs.addedAffinity`.
    pub added_affinity: Affinity,
    /// `DefaultPreemptionArgs.minCandidateNodesPercentage`.
    pub candidates_percentage: u32,
    /// `DefaultPreemptionArgs.minCandidateNodesAbsolute`.
    pub candidates_absolute: u32,
}

impl Default for Profile {
    fn default() -> Self {
        let constraint = |key: &str, max_skew| SpreadConstraint {
            max_skew,
            topology_key: key.into(),
            hard: false,
            selector: None,
            min_domains: 1,
            honor_affinity: true,
            honor_taints: false,
            match_label_keys: Vec::new(),
        };
        let mut filters = PluginSet::NONE;
        for plugin in Plugin::ALL {
            filters = filters.with(plugin);
        }
        Self {
            name: "default-scheduler".into(),
            filters,
            weights: Plugin::ALL.map(Plugin::weight),
            percentage: None,
            strategy: Strategy::LeastAllocated,
            fit_resources: cpu_and_memory(),
            ignored_resources: Vec::new(),
            ignored_groups: Vec::new(),
            balanced_resources: vec!["cpu".into(), "memory".into()],
            default_constraints: vec![
                constraint("kubernetes.io/hostname", 3),
                constraint("topology.kubernetes.io/zone", 5),
            ],
            system_defaults: true,
            hard_pod_affinity_weight: 1,
            ignore_preferred: false,
            added_affinity: Affinity::default(),
            candidates_percentage: 10,
            candidates_absolute: 100,
        }
    }
}

impl Profile {
    /// Whether the two resource scores are the default ones, which have a quick way.
    pub fn has_plain_resources(&self) -> bool {
        let are = |one: &str, other: &str| one == "cpu" && other == "memory";
        self.strategy == Strategy::LeastAllocated
            && matches!(&*self.fit_resources, [one, other]
                if are(&one.name, &other.name) && (one.weight, other.weight) == (1, 1))
            && matches!(&*self.balanced_resources, [one, other] if are(one, other))
    }

    /// Whether filters leave any resource out.
    pub const fn ignores_any(&self) -> bool {
        !(self.ignored_resources.is_empty() && self.ignored_groups.is_empty())
    }

    /// Whether filters leave a resource out.
    pub fn ignores(&self, resource: &str) -> bool {
        let group = resource.split_once('/').map_or("", |(group, _)| group);
        self.ignored_resources
            .iter()
            .any(|name| &**name == resource)
            || self.ignored_groups.iter().any(|name| &**name == group)
    }

    /// Weight of a plugin's score.
    pub const fn weight(&self, plugin: Plugin) -> u32 {
        self.weights[plugin as usize]
    }
}

/// The two resources that count by default.
pub fn cpu_and_memory() -> Vec<ResourceWeight> {
    ["cpu", "memory"]
        .map(|name| ResourceWeight {
            name: name.into(),
            weight: 1,
        })
        .into()
}
