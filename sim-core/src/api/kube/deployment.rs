//! Deployment, `apps/v1`.

use crate::api::kube::pod::PodTemplate;
use crate::api::selector::LabelSelector;

/// `spec` of a Deployment. Defaults: `pkg/apis/apps/v1/defaults.go`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Deployment {
    /// Pods wanted. Default 1.
    pub replicas: u32,
    /// Which pods are its own.
    pub selector: LabelSelector,
    /// How old pods give way to new ones. Default: rolling, 25 % and 25 %.
    pub strategy: Strategy,
    /// Seconds that a pod must be ready before it is available. Default 0.
    pub min_ready_seconds: u32,
    /// Old ReplicaSets kept. Default 10; 2147483647 keeps all.
    pub revision_history_limit: u32,
    /// Seconds without progress after which the rollout counts as failed. Default 600;
    /// 2147483647: no deadline.
    pub progress_deadline_seconds: u32,
    /// Whether changes of the template are held back.
    pub paused: bool,
    /// What the pods are.
    pub template: PodTemplate,
}

/// How old pods give way to new ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// All old pods go before the first new one comes.
    Recreate,
    /// Step by step within two bounds.
    RollingUpdate {
        /// Pods allowed above `replicas`; a percentage is rounded up.
        max_surge: CountOrPercent,
        /// Pods allowed to be unavailable; a percentage is rounded down.
        max_unavailable: CountOrPercent,
    },
}

/// A number of pods, or a share of `replicas`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CountOrPercent {
    /// So many pods.
    Count(u32),
    /// So many per cent.
    Percent(u32),
}
