//! Rows: what machines make and controllers count, kept small; full objects are rendered on demand.

pub mod daemon_set;
pub mod job;
pub mod node;
pub mod pod;
pub mod read;
pub mod service;
pub mod stateful_set;
pub mod watched;
pub mod workload;

use crate::base::id::Id;

/// Names a pod.
pub type PodId = Id<pod::PodRow>;
/// Names a node.
pub type NodeId = Id<node::NodeRow>;
/// Names a Deployment.
pub type DeploymentId = Id<workload::DeploymentRow>;
/// Names a ReplicaSet or another controller of pods.
pub type ReplicaSetId = Id<workload::ReplicaSetRow>;
/// Names a Service.
pub type ServiceId = Id<service::ServiceRow>;
/// Names a document that a loop follows.
pub type WatchedId = Id<watched::WatchedRow>;
