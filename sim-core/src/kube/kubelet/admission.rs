//! What a node's agent asks of a pod before it takes it.
//! Sources: `pkg/kubelet/lifecycle/predicate.go`, `pkg/kubelet/eviction/eviction_manager.go`.

use std::sync::Arc;

use crate::base::name::Name;
use crate::kube::apiserver::priority::SYSTEM_CLUSTER_CRITICAL;
use crate::kube::rows::node::NodeRow;
use crate::kube::rows::pod::PodRow;
use crate::kube::rows::{NodeId, PodId};
use crate::kube::scheduler::demand::host_ports;
use crate::kube::scheduler::plugins::{affinity, taints};
use crate::kube::store::Store;
use crate::kube::template::{PodTemplate, QosClass, TemplateId};

use crate::substrate::order::MachineId;

use super::Kubelets;
use super::desk::Desk;
use super::preemption::Room;
use super::recipe::Recipe;
use super::statics::is_mirror;

/// Reason and message of a pod that its node refuses.
pub(super) type Rejection = (&'static str, Arc<str>);

/// Why, when the agent's own Node is gone. Source: `pkg/kubelet/lifecycle/predicate.go`.
pub(super) const NO_NODE: &str = "Kubelet cannot get node info.";

/// What becomes of a pod that is new to its agent.
pub(super) enum Admission {
    /// It is taken.
    Taken,
    /// It is refused.
    Refused(Rejection),
    /// It waits until those that were put out for it have ended.
    Waits,
}

impl Kubelets {
    /// Asks everything that a node's agent asks of a pod, in upstream's order, and makes room for one
    /// that the node cannot do without. A pod that it cannot do without and that fails for something
    /// else than room, fails for that.
    /// Sources: `pkg/kubelet/kubelet.go` (admit handlers), `pkg/kubelet/preemption/preemption.go`
    /// (`HandleAdmissionFailure`).
    pub(super) fn admit(
        &mut self,
        (pod, name): (PodId, Name),
        (template, recipe): (TemplateId, &Recipe),
        (node, machine): (NodeId, MachineId),
        is_counted: bool,
        desk: &mut Desk<'_, '_>,
    ) -> Admission {
        let template = desk.store.template(template);
        if let Some(refused) = self.refuse_under_pressure(node, template) {
            return Admission::Refused(refused);
        }
        let Some(row) = desk.store.node(node) else {
            return Admission::Refused(("InvalidNodeInfo", NO_NODE.into()));
        };
        if let Some((reason, text)) = recipe.foreign {
            return Admission::Refused((reason, text.into()));
        }
        let mut failed = self.failures(pod, (template, recipe), (node, row), desk, is_counted);
        let is_room = |(reason, _): &Rejection| OUT_OF.contains(reason);
        if failed.iter().any(is_room) && is_critical(template) {
            failed.retain(|one| !is_room(one));
            if failed.is_empty() {
                let template = template.clone();
                match self.make_room((pod, name), &template, (node, machine), desk) {
                    Room::Waits => return Admission::Waits,
                    Room::Refused(text) => failed.push(("UnexpectedAdmissionError", text)),
                }
            }
        }
        match failed
            .into_iter()
            .next()
            .or_else(|| self.refuse_at_shutdown(machine))
        {
            Some(refused) => Admission::Refused(refused),
            None => Admission::Taken,
        }
    }

    /// The node's own check of a pod that was bound to it: the general predicates once more, all that
    /// fail, in upstream's order. `is_counted`: the pod is among those that the API server has on this node.
    /// Sources: `pkg/kubelet/lifecycle/predicate.go` (`generalFilter`), `pkg/scheduler/eventhandlers.go`
    /// (`AdmissionCheck`).
    fn failures(
        &self,
        pod: PodId,
        (template, recipe): (&PodTemplate, &Recipe),
        (node, row): (NodeId, &NodeRow),
        desk: &Desk<'_, '_>,
        is_counted: bool,
    ) -> Vec<Rejection> {
        let store = &*desk.store;
        let mut found = Vec::new();
        if !(is_counted && row.allocatable.fits(&row.requested)) {
            found.extend(self.no_devices(pod, template, (node, row), desk));
            let amounts = self.amounts(pod, template, node, row, store);
            let short = (0..).zip(&amounts).filter(|(_, amounts)| is_short(amounts));
            found.extend(short.map(|(at, [asked, used, have]): (usize, _)| {
                let resource = NAMES[at];
                let text = format!(
                    "Node didn't have enough resource: {resource}, requested: {asked}, used: {used}, capacity: {have}"
                );
                (OUT_OF[at], text.into())
            }));
        }
        let mut predicate = |fails: bool, name: &'static str, why: &str| {
            if fails {
                found.push((name, format!("Predicate {name} failed: {why}").into()));
            }
        };
        if recipe.is_picky {
            let name = desk.ctx.symbols.text(row.name);
            predicate(
                !affinity::allowed(&template.spec, name, &row.labels),
                "NodeAffinity",
                "node(s) didn't match Pod's node affinity/selector",
            );
            predicate(
                !self.has_ports(pod, template, node, store),
                "NodePorts",
                "node(s) didn't have free ports for the requested pod ports",
            );
        }
        predicate(
            !row.taints.is_empty() && !taints::tolerated(&no_execute(row), &template.tolerations),
            "TaintToleration",
            "node(s) had taints that the pod didn't tolerate",
        );
        found
    }

    /// A pod that asks for more devices than are left. What a node has of other resources counts as
    /// devices of a plugin's.
    /// Source: `pkg/kubelet/cm/devicemanager/manager.go` (`devicesToAllocate`).
    fn no_devices(
        &self,
        pod: PodId,
        template: &PodTemplate,
        (node, row): (NodeId, &NodeRow),
        desk: &Desk<'_, '_>,
    ) -> Option<Rejection> {
        template.requests.extended.iter().find_map(|(name, asked)| {
            let mut all = row.allocatable.extended.iter();
            let (_, have) = all.find(|(known, _)| known == name)?;
            let others = self.others(pod, node, desk.store);
            let used: i64 = others.map(|it| it.requests.extended(*name)).sum();
            let name = desk.ctx.symbols.text(*name);
            let left = (have - used).max(0);
            (*asked > left && !name.starts_with("hugepages-")).then(|| {
                let text = format!(
                    "Allocate failed due to requested number of devices unavailable for {name}. Requested: {asked}, Available: {left}, which is unexpected"
                );
                ("UnexpectedAdmissionError", text.into())
            })
        })
    }

    /// Whether no other pod of a node holds a port that a pod asks for.
    fn has_ports(&self, pod: PodId, template: &PodTemplate, node: NodeId, store: &Store) -> bool {
        let wanted = host_ports(&template.spec);
        wanted.is_empty()
            || !self
                .others(pod, node, store)
                .flat_map(|template| host_ports(&template.spec))
                .any(|held| wanted.iter().any(|wanted| wanted.conflicts(&held)))
    }

    /// What a pod asks for, what others use, what there is: pods, thousandths of CPUs, bytes of memory,
    /// bytes of scratch space.
    pub(super) fn amounts(
        &self,
        pod: PodId,
        template: &PodTemplate,
        node: NodeId,
        row: &NodeRow,
        store: &Store,
    ) -> [[i64; 3]; 4] {
        let mut used = crate::base::resources::ResourceVector::new();
        for template in self.others(pod, node, store) {
            used.add(&template.requests);
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

    /// Templates of the other pods that an agent has taken, in the sizes that it has granted; it counts
    /// none that it has not heard of.
    fn others<'a>(
        &'a self,
        pod: PodId,
        node: NodeId,
        store: &'a Store,
    ) -> impl Iterator<Item = &'a PodTemplate> {
        let taken = move |(other, row): (PodId, &PodRow)| {
            let worker = self.worker(other);
            let granted = worker.map_or(row.template, |worker| worker.allocated);
            let template = &**store.template(granted);
            let is_taken = worker.map_or_else(
                || is_mirror(template),
                |worker| worker.aside.rejected.is_none(),
            );
            (other != pod && !row.phase.is_terminal() && is_taken).then_some(template)
        };
        store.pods_on(node).filter_map(taken)
    }

    /// A node short of memory takes no pod without requests; one short of something else takes only
    /// pods that it cannot do without.
    /// Source: `pkg/kubelet/eviction/eviction_manager.go` (`Admit`).
    pub(super) fn refuse_under_pressure(
        &self,
        node: NodeId,
        template: &PodTemplate,
    ) -> Option<Rejection> {
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

/// Resources that an agent counts, in its order.
pub(super) const NAMES: [&str; 4] = ["pods", "cpu", "memory", "ephemeral-storage"];

/// Why a pod is refused that finds too little of each.
const OUT_OF: [&str; 4] = [
    "OutOfpods",
    "OutOfcpu",
    "OutOfmemory",
    "OutOfephemeral-storage",
];

/// How much of a resource a node lacks for a pod.
pub(super) fn lacking(amounts: [i64; 3]) -> i64 {
    let [asked, used, have] = amounts;
    if is_short(&amounts) {
        asked + used - have
    } else {
        0
    }
}

const fn is_short([asked, used, have]: &[i64; 3]) -> bool {
    *asked > 0 && *asked + *used > *have
}

fn no_execute(row: &NodeRow) -> Vec<crate::api::kube::affinity::Taint> {
    let evicting = crate::api::kube::affinity::TaintEffect::NoExecute;
    row.taints
        .iter()
        .filter(|taint| taint.effect == evicting)
        .cloned()
        .collect()
}
