//! ReplicaSet, `apps/v1`.

use crate::api::kube::pod::PodTemplate;
use crate::api::selector::LabelSelector;

/// `spec` of a ReplicaSet. Default of `replicas`: `pkg/apis/apps/v1/defaults.go`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReplicaSet {
    /// Pods wanted. Default 1.
    pub replicas: u32,
    /// Seconds that a pod must be ready before it is available. Default 0.
    pub min_ready_seconds: u32,
    /// Which pods are its own.
    pub selector: LabelSelector,
    /// What the pods are.
    pub template: PodTemplate,
}
