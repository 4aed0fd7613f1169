//! Node, `v1`.

use std::sync::Arc;

use crate::api::kube::affinity::Taint;
use crate::api::resources::ResourceAmounts;

/// `spec` of a Node and the part of its `status` that an imported object brings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Node {
    /// Whether new pods are kept away (`kubectl cordon`).
    pub unschedulable: bool,
    /// Ranges of its pods' addresses, one per family.
    pub pod_ranges: Vec<Arc<str>>,
    /// Taints.
    pub taints: Vec<Taint>,
    /// `status.allocatable`, else `status.capacity`; absent: the machine's own.
    pub allocatable: Option<ResourceAmounts>,
}
