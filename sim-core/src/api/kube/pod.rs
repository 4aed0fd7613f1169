//! Pods and the templates they are made from.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::kube::affinity::{Affinity, Toleration, TopologySpread};
use crate::api::kube::container::Container;

/// What controllers stamp pods from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PodTemplate {
    /// Labels of each pod.
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// Annotations of each pod.
    pub annotations: BTreeMap<Arc<str>, Arc<str>>,
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
    /// Volumes, in the order written.
    pub volumes: Vec<Volume>,
    /// Whether exited containers are started again. Default `Always`.
    pub restart_policy: RestartPolicy,
    /// Seconds between the stop signal and the kill. Default 30.
    pub termination_grace_period_seconds: u32,
    /// Node that the pod is bound to without a scheduler; absent: not bound.
    pub node_name: Option<Arc<str>>,
    /// Labels that the node must have.
    pub node_selector: BTreeMap<Arc<str>, Arc<str>>,
    /// Affinity rules.
    pub affinity: Affinity,
    /// Tolerations as written; admission adds the two of five minutes for not-ready and unreachable.
    pub tolerations: Vec<Toleration>,
    /// Spreading over domains.
    pub topology_spread_constraints: Vec<TopologySpread>,
    /// Name of its priority class; absent: the default, priority 0.
    pub priority_class_name: Option<Arc<str>>,
    /// Whether the pod uses the node's network, and so its ports.
    pub host_network: bool,
    /// Which scheduler is to bind it. Default `default-scheduler`.
    pub scheduler_name: Arc<str>,
}

/// A volume of a pod, by what it needs from outside.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Volume {
    /// Name that the containers' mounts use.
    pub name: Arc<str>,
    /// Where its content comes from.
    pub source: VolumeSource,
}

/// Content of a volume.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum VolumeSource {
    /// Made empty with the pod and gone with it; also the default when no source is written.
    EmptyDir,
    /// From a ConfigMap that must exist, unless optional.
    ConfigMap {
        /// Its name.
        name: Arc<str>,
        /// Whether the pod starts without it.
        optional: bool,
    },
    /// From a Secret that must exist, unless optional.
    Secret {
        /// Its name.
        name: Arc<str>,
        /// Whether the pod starts without it.
        optional: bool,
    },
    /// From a claim.
    PersistentVolumeClaim {
        /// Its name.
        claim_name: Arc<str>,
    },
    /// A source of which only the key is kept, e.g. `hostPath`.
    Other(Arc<str>),
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
