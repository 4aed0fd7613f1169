//! Nodes, as an imported cluster or a manifest gives them.

use std::sync::Arc;

use crate::api::kube::node::Node;
use crate::manifest::decode::amount;
use crate::manifest::decode::kube::affinity;
use crate::manifest::decode::kube::rules::network;
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
        pod_ranges: pod_ranges(&spec, scribe),
        unschedulable: spec.get(scribe, "unschedulable").truth(scribe),
        taints: affinity::taints(&spec.get(scribe, "taints"), scribe),
        allocatable: list.map(|list| amount::amounts(&list, scribe)),
    }
}

/// The list, unless the older field says something else.
/// Source: `pkg/apis/core/v1/conversion.go` (`Convert_v1_NodeSpec_To_core_NodeSpec`).
fn pod_ranges(spec: &Field<'_>, scribe: &Scribe) -> Vec<Arc<str>> {
    let one = spec.get(scribe, "podCIDR").text_or_empty(scribe);
    let list = spec.get(scribe, "podCIDRs");
    let all = list.texts(scribe);
    let all = if one.is_empty() || all.first() == Some(&one) {
        all
    } else {
        vec![one]
    };
    network::pod_ranges(&list, &all, scribe);
    all
}
