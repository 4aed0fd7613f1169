//! What a node's agent asks of a pod before it takes it.
//! Sources: `pkg/kubelet/lifecycle/predicate.go`, `pkg/kubelet/eviction/eviction_manager.go`.

use std::sync::Arc;

use crate::kube::apiserver::priority::SYSTEM_CLUSTER_CRITICAL;
use crate::kube::rows::node::NodeRow;
use crate::kube::rows::{NodeId, PodId};
use crate::kube::scheduler::plugins::{affinity, taints};
use crate::kube::store::Store;
use crate::kube::template::{PodTemplate, QosClass};

use super::Kubelets;

impl Kubelets {
    /// A node short of memory takes no pod without requests; one short of something else takes only
    /// pods that it cannot do without.
    /// Source: `pkg/kubelet/eviction/eviction_manager.go` (`Admit`).
    pub(super) fn refuse_under_pressure(
        &self,
        node: NodeId,
        template: &PodTemplate,
    ) -> Option<(&'static str, Arc<str>)> {
        let health = self.evictions.health(node);
        let pressures = [
            (health.memory, "MemoryPressure"),
            (health.disk, "DiskPressure"),
            (health.pids, "PIDPressure"),
        ];
        let names: Vec<&str> = pressures
            .into_iter()
            .filter_map(|(is, name)| is.then_some(name))
            .collect();
        if names.is_empty() || is_critical(template) {
            return None;
        }
        let tolerated = template.tolerations.iter().any(|toleration| {
            toleration.key.is_empty() || &*toleration.key == "node.kubernetes.io/memory-pressure"
        });
        if names == ["MemoryPressure"] && (template.qos != QosClass::BestEffort || tolerated) {
            return None;
        }
        let text = format!("The node had condition: [{}]. ", names.join(" "));
        Some(("Evicted", Arc::from(text)))
    }
}

/// Whether a node cannot do without a pod: a static one, its mirror, or one of the highest classes.
/// Source: `pkg/kubelet/types/pod_update.go` (`IsCriticalPod`).
pub fn is_critical(template: &PodTemplate) -> bool {
    let own = ["kubernetes.io/config.mirror", "kubernetes.io/config.source"];
    template.priority >= SYSTEM_CLUSTER_CRITICAL
        || template
            .annotations
            .iter()
            .any(|(key, value)| own.contains(&&**key) && &**value != "api")
}

/// The node's own check of a pod that was bound to it: the general predicates once more.
/// `is_counted`: the pod is among those that the API server has on this node.
/// Source: `pkg/kubelet/lifecycle/predicate.go`.
pub fn admit(
    pod: PodId,
    template: &PodTemplate,
    node: NodeId,
    row: &NodeRow,
    store: &Store,
    is_counted: bool,
) -> Option<(&'static str, Arc<str>)> {
    let refuse = |reason: &'static str, text: String| {
        Some((reason, Arc::from(format!("Pod was rejected: {text}"))))
    };
    let name = &*template.spec;
    if !taints::tolerated(&no_execute(row), &template.tolerations) {
        let text =
            "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate"
                .to_owned();
        return refuse("TaintToleration", text);
    }
    if !affinity::allowed(name, "", &row.labels) && name.affinity.node_required.is_none() {
        let text =
            "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"
                .to_owned();
        return refuse("NodeAffinity", text);
    }
    if is_counted && row.allocatable.fits(&row.requested) {
        return None;
    }
    let amounts = amounts(pod, template, node, row, store);
    let at = amounts.iter().position(is_short)?;
    let [asked, used, have] = amounts[at];
    let reasons = [
        "OutOfpods",
        "OutOfcpu",
        "OutOfmemory",
        "OutOfephemeral-storage",
    ];
    let resource = NAMES[at];
    refuse(
        reasons[at],
        format!(
            "Node didn't have enough resource: {resource}, requested: {asked}, used: {used}, capacity: {have}"
        ),
    )
}

/// Resources that an agent counts, in its order.
pub(super) const NAMES: [&str; 4] = ["pods", "cpu", "memory", "ephemeral-storage"];

/// How much of each resource a node lacks for a pod.
pub(super) fn lacks(
    pod: PodId,
    template: &PodTemplate,
    node: NodeId,
    row: &NodeRow,
    store: &Store,
) -> [i64; 4] {
    amounts(pod, template, node, row, store).map(|amounts| {
        let [asked, used, have] = amounts;
        if is_short(&amounts) {
            asked + used - have
        } else {
            0
        }
    })
}

const fn is_short([asked, used, have]: &[i64; 3]) -> bool {
    *asked > 0 && *asked + *used > *have
}

/// What a pod asks for, what others use, what there is.
fn amounts(
    pod: PodId,
    template: &PodTemplate,
    node: NodeId,
    row: &NodeRow,
    store: &Store,
) -> [[i64; 3]; 4] {
    let mut used = crate::base::resources::ResourceVector::new();
    for (other, other_row) in store.pods_on(node) {
        if other != pod && !other_row.phase.is_terminal() {
            used.add(&store.template(other_row.template).requests);
        }
    }
    let (asked, have) = (&template.requests, &row.allocatable);
    [
        [asked.pods, used.pods, have.pods],
        [asked.milli_cpu, used.milli_cpu, have.milli_cpu],
        [asked.memory, used.memory, have.memory],
        [
            asked.ephemeral_storage,
            used.ephemeral_storage,
            have.ephemeral_storage,
        ],
    ]
}

fn no_execute(row: &NodeRow) -> Vec<crate::api::kube::affinity::Taint> {
    let evicting = crate::api::kube::affinity::TaintEffect::NoExecute;
    row.taints
        .iter()
        .filter(|taint| taint.effect == evicting)
        .cloned()
        .collect()
}
