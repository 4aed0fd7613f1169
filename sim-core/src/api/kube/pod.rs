//! Pods and the templates they are made from.

use std::sync::Arc;

use crate::api::kube::affinity::{Affinity, Toleration};
use crate::api::kube::container::Container;
use crate::api::kube::spread::SpreadConstraint;
use crate::api::kube::volume::Volume;
use crate::api::resources::ResourceAmounts;
use crate::base::sorted::SortedMap;

/// What controllers stamp pods from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PodTemplate {
    /// Labels of each pod.
    pub labels: SortedMap<Arc<str>, Arc<str>>,
    /// Annotations of each pod.
    pub annotations: SortedMap<Arc<str>, Arc<str>>,
    /// The pods themselves.
    pub spec: PodSpec,
}

/// `spec` of a pod. Defaults: `pkg/apis/core/v1/defaults.go`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PodSpec {
    /// Containers that run side by side; at least one.
    pub containers: Vec<Container>,
    /// Containers that run before, one after the other; sidecars stay.
    pub init_containers: Vec<Container>,
    /// Containers that were added to look inside, and are never started again.
    pub ephemeral_containers: Vec<Container>,
    /// Whether exited containers are started again. Default `Always`.
    pub restart_policy: RestartPolicy,
    /// Seconds between the stop signal and the kill. Default 30.
    pub termination_grace_period_seconds: u32,
    /// Seconds that it may be on its node; absent: as many as it wants.
    pub active_deadline_seconds: Option<u64>,
    /// Node that the pod is bound to without a scheduler; absent: not bound.
    pub node_name: Option<Arc<str>>,
    /// Labels that the node must have.
    pub node_selector: SortedMap<Arc<str>, Arc<str>>,
    /// Affinity rules.
    pub affinity: Affinity,
    /// Tolerations as written; admission adds the two of five minutes for not-ready and unreachable.
    pub tolerations: Vec<Toleration>,
    /// Name of its priority class; absent: the default, priority 0.
    pub priority_class_name: Option<Arc<str>>,
    /// Which scheduler is to bind it. Default `default-scheduler`.
    pub scheduler_name: Arc<str>,
    /// `priority`, if the object states it; admission fills it from the class.
    pub priority: Option<i32>,
    /// `preemptionPolicy`, if stated: whether it may evict pods of lower priority.
    pub preempts: Option<bool>,
    /// How its kind is to be spread.
    pub topology_spread: Vec<SpreadConstraint>,
    /// Names of the gates that keep it from being tried.
    pub scheduling_gates: Vec<Arc<str>>,
    /// Types of conditions that must be True besides its containers being ready.
    pub readiness_gates: Vec<Arc<str>>,
    /// Its volumes.
    pub volumes: Vec<Volume>,
    /// What its runtime takes beside its containers.
    pub overhead: ResourceAmounts,
    /// Limits of the pod as a whole.
    pub pod_limits: ResourceAmounts,
    /// `resources` of the pod as a whole: requests that replace the sum over containers.
    pub pod_requests: ResourceAmounts,
}

/// Whether exited containers are started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RestartPolicy {
    /// After every exit.
    Always,
    /// After an exit other than 0.
    OnFailure,
    /// Not at all.
    Never,
}
