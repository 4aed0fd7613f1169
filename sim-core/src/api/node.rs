//! What a machine is set up as, in terms every plane understands.

use std::sync::Arc;

/// How a machine joins a plane.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct NodeSetup {
    /// Whether it carries the control plane (Kubernetes) or is a manager (Swarm).
    pub control: bool,
    /// Labels in the order given; a plane adds its own well-known ones.
    pub labels: Vec<(Arc<str>, Arc<str>)>,
    /// Whether it is a manager of Swarm that also takes tasks, as a node that was promoted.
    pub manager: bool,
    /// Labels of the engine, which only Swarm has.
    pub engine_labels: Vec<(Arc<str>, Arc<str>)>,
    /// Address that Swarm's agent says it has; absent: the machine's own.
    pub address: Option<Arc<str>>,
    /// Operating system that Swarm's agent says it has; absent: `linux`.
    pub os: Option<Arc<str>>,
    /// Architecture that Swarm's agent says it has, as `uname -m` writes it; absent: `x86_64`.
    pub architecture: Option<Arc<str>>,
    /// Taints as `key=value:effect` or `key:effect`. Only Kubernetes has them.
    pub taints: Vec<Arc<str>>,
    /// What workloads may ask for where that is not what follows from the machine: thousandths of
    /// `cpu`, whole units of everything else. Only Kubernetes reads it.
    pub allocatable: Vec<(Arc<str>, i64)>,
    /// Images that are said to be there, each with its names and its size in bytes. Only Kubernetes'
    /// scheduler reads it.
    pub images: Vec<(Arc<[Arc<str>]>, u64)>,
}
