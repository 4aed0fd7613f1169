//! Everything the Kubernetes plane schedules. Closed, `Copy`, ids only.

use super::rows::{DeploymentId, NodeId, PodId, ReplicaSetId, ServiceId, WatchedId};
use super::{control_plane, kubelet, scheduler};

/// A key of a control loop's work queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// The deployment controller.
    Deployment(DeploymentId),
    /// The controller of this kind of pods: ReplicaSet, StatefulSet, DaemonSet, Job.
    ReplicaSet(ReplicaSetId),
    /// The loop that follows this kind of document.
    Watched(WatchedId),
    /// The garbage collector: documents whose owners may be gone.
    Owners,
    /// The endpoint slice controller.
    Service(ServiceId),
    /// The garbage collector: dependents of a ReplicaSet that is gone.
    OrphanedPods(ReplicaSetId),
    /// The garbage collector: dependents of a Deployment that is gone.
    OrphanedReplicaSets(DeploymentId),
    /// The node lifecycle controller's taint pass over one node.
    NodeTaints(NodeId),
    /// The taint eviction controller, after a change of a node's taints or pods.
    NodeEvictions(NodeId),
    /// The namespace controller: terminating namespaces that may be empty.
    Namespaces,
    /// The service account controller: namespaces that may lack their account.
    ServiceAccounts,
    /// The aggregation of ClusterRoles.
    ClusterRoles,
    /// Endpoints that people keep, and the slices made of them.
    Endpoints,
    /// Operators: objects that they look after, and that may not be as planned.
    Operators,
    /// The node IPAM controller, after a write of a node that no machine stands for.
    NodeRange(NodeId),
    /// The controller of the ranges of Services' addresses.
    ServiceCidrs,
}

/// A scheduled fact of this plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A loop takes a key.
    Sync(Key),
    /// A controller's client lets its next creation through.
    CreatePod(ReplicaSetId),
    /// A controller's client lets a deletion through.
    DeletePod(PodId),
    /// A ready pod has been ready for `minReadySeconds`.
    PodAvailable(PodId),
    /// The node lifecycle controller's tick at which this node's silence exceeds the grace period.
    NodeCheck(NodeId),
    /// The node lifecycle controller's zone pass; scheduled only for ticks that matter.
    MonitorTick,
    /// The node lifecycle controller takes nodes off its eviction queues.
    EvictionTick,
    /// The kubelet posts a node status that differs from what is stored.
    NodeStatus(NodeId),
    /// A pod's toleration of its node's taint ends.
    TolerationEnds(PodId),
    /// The pod garbage collector's round.
    PodGc,
    /// All kube-proxies write what has changed.
    ProxySync,
    /// The network drivers' agents write what policies say.
    PolicySync,
    /// The volume controller looks at what was written.
    VolumeSync,
    /// The attach/detach controller looks at its work.
    AttachPass,
    /// The scheduler's.
    Scheduler(scheduler::Event),
    /// The kubelets'.
    Kubelet(kubelet::Event),
    /// The control plane's own processes'.
    ControlPlane(control_plane::Event),
    /// A pod that was to be disrupted has stayed for too long.
    DisruptionStale(PodId),
}

const _: () = assert!(size_of::<Event>() <= 24);

impl Event {
    /// The pod whose rows its handler reads first.
    pub const fn pod(self) -> Option<PodId> {
        match self {
            Self::DeletePod(pod)
            | Self::PodAvailable(pod)
            | Self::TolerationEnds(pod)
            | Self::DisruptionStale(pod)
            | Self::Scheduler(
                scheduler::Event::PodSeen(pod)
                | scheduler::Event::PodGoing(pod)
                | scheduler::Event::Bind(pod),
            ) => Some(pod),
            Self::Kubelet(event) => event.pod(),
            _ => None,
        }
    }
}
