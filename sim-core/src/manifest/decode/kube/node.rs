//! Nodes, as an imported cluster or a manifest gives them.

use crate::api::kube::node::Node;
use crate::manifest::decode::amount;
use crate::manifest::decode::kube::affinity;
use crate::manifest::decode::scribe::{Field, Scribe};

/// `spec` and the amounts of `status`.
pub fn node(field: &Field<'_>, scribe: &Scribe) -> Node {
    let spec = field.get(scribe, "spec");
    let status = field.get(scribe, "status");
    let list = ["allocatable", "capacity"]
        .into_iter()
        .map(|key| status.peek(key))
        .find(Field::exists);
    Node {
        unschedulable: spec.get(scribe, "unschedulable").truth(scribe),
        taints: affinity::taints(&spec.get(scribe, "taints"), scribe),
        allocatable: list.map(|list| amount::amounts(&list, scribe)),
    }
}
