//! The closed set of modelled kinds.

use crate::api::kube::deployment::Deployment;
use crate::api::kube::node::Node;
use crate::api::kube::pod::PodSpec;
use crate::api::kube::replica_set::ReplicaSet;
use crate::api::kube::service::Service;

/// What an object wants, by kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KubeSpec {
    /// `apps/v1` Deployment.
    Deployment(Box<Deployment>),
    /// `apps/v1` ReplicaSet.
    ReplicaSet(Box<ReplicaSet>),
    /// `v1` Pod.
    Pod(Box<PodSpec>),
    /// `v1` Service.
    Service(Service),
    /// `v1` Node.
    Node(Node),
    /// `v1` Namespace: its name is all that is read.
    Namespace,
    /// `v1` ConfigMap: kept as a document; pods ask whether it exists.
    ConfigMap,
    /// `v1` Secret: kept as a document; pods ask whether it exists.
    Secret,
    /// A kind that no loop reads; kept as a document and listed as not modelled.
    Other,
}
