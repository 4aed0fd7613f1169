//! Which pod goes first, and how its end is worded.
//! Source: `pkg/kubelet/eviction/helpers.go` (`rankMemoryPressure`, `rankDiskPressureFunc`,
//! `rankPIDPressure`, `evictionMessage`).

use std::cmp::Reverse;

use crate::base::arrange::Arrange;
use crate::base::symbol::Symbol;
use crate::kube::kubelet::Kubelets;
use crate::kube::kubelet::desk::Desk;
use crate::kube::kubelet::resources;
use crate::kube::kubelet::worker::Worker;
use crate::kube::rows::pod::ContainerState;
use crate::kube::rows::{NodeId, PodId};
use crate::kube::store::events::Annotated;
use crate::kube::thresholds::Signal;

use super::{binary, limits, may_go};

/// A pod that could go, and how bad it is.
struct Candidate {
    pod: PodId,
    usage: i64,
    /// What it asked for; none: not looked at for this signal.
    request: Option<i64>,
    priority: i32,
}

impl Candidate {
    /// Over its request first, then low priority, then much over its request.
    fn rank(&self) -> (bool, i32, Reverse<i64>, PodId) {
        let over = self.usage - self.request.unwrap_or(0);
        let within = self.request.is_some_and(|request| self.usage <= request);
        (within, self.priority, Reverse(over), self.pod)
    }
}

/// Pods that may go, the first to go first.
pub fn candidates(
    kubelets: &Kubelets,
    node: NodeId,
    signal: Signal,
    desk: &Desk<'_, '_>,
) -> Vec<PodId> {
    let mut candidates: Vec<Candidate> = Vec::new();
    for (pod, row) in desk.store.pods_on(node) {
        let Some(worker) = kubelets.worker(pod).filter(|worker| may_go(worker, desk)) else {
            continue;
        };
        let template = desk.store.template(row.template);
        let request = match signal {
            Signal::Memory => Some(template.requests.memory),
            Signal::Pids => None,
            Signal::Nodefs | Signal::NodefsInodes | Signal::Imagefs | Signal::ImagefsInodes => {
                Some(template.requests.ephemeral_storage)
            }
        };
        let directories = if matches!(signal, Signal::Memory | Signal::Pids) {
            0
        } else {
            limits::directories(worker, template, desk)
        };
        let containers = usage(worker, signal, desk);
        candidates.push(Candidate {
            pod,
            usage: containers.iter().map(|(_, amount)| amount).sum::<i64>()
                + i64::try_from(directories).unwrap_or(i64::MAX),
            request,
            priority: template.priority,
        });
    }
    candidates.arrange_by_key(Candidate::rank);
    candidates
        .into_iter()
        .map(|candidate| candidate.pod)
        .collect()
}

/// What a pod's containers use: those that run or may run again.
pub fn usage(worker: &Worker, signal: Signal, desk: &Desk<'_, '_>) -> Vec<(Symbol, i64)> {
    let (machines, now) = (desk.ctx.machines, desk.ctx.now);
    let containers = worker.lowered.iter().zip(&worker.containers);
    containers
        .filter(|(_, work)| !matches!(work.state, ContainerState::Terminated(_)))
        .filter_map(|(lowered, work)| {
            let container = work.container?;
            let amount = match signal {
                Signal::Memory => machines.container_memory(container, now).working_set(),
                Signal::Pids => machines.container_tasks(container, now),
                Signal::Nodefs | Signal::NodefsInodes | Signal::Imagefs | Signal::ImagefsInodes => {
                    machines.container_disk(container, now)
                }
            };
            Some((lowered.name, i64::try_from(amount).unwrap_or(i64::MAX)))
        })
        .collect()
}

/// Why a pod was evicted: the node's need, the pod over its own request, and each container over its
/// request; the annotations name them again.
pub fn message(worker: &Worker, need: &str, signal: Signal, desk: &Desk<'_, '_>) -> Annotated {
    let mut text = format!("The node was low on resource: {need}");
    let mut annotations = Vec::new();
    let row = desk.store.pod(worker.pod);
    let template = row.map(|row| desk.store.template(row.template));
    let using = match signal {
        // Nobody measures a container's processes or inodes.
        Signal::Pids | Signal::NodefsInodes | Signal::ImagefsInodes => Vec::new(),
        Signal::Memory | Signal::Nodefs | Signal::Imagefs => usage(worker, signal, desk),
    };
    let resource = signal.resource();
    let level = template.and_then(|template| resources::pod_memory_request(template));
    let mut pod = Vec::new();
    if let (Signal::Memory, Some(request), Some(row)) = (signal, level, row) {
        let name = row.name.text(desk.ctx.symbols);
        let amount = binary(using.iter().map(|(_, amount)| amount).sum());
        text += &format!(
            "Pod {name} was using {amount}, request is {}, has larger consumption of {resource}. ",
            binary(request)
        );
        pod = vec![("offending_pod", name), ("offending_pod_usage", amount)];
    }
    let (mut names, mut amounts) = (Vec::new(), Vec::new());
    for (container, amount) in using {
        let name = desk.ctx.symbols.text(container);
        let spec = template.map(|template| &template.spec);
        // Ephemeral containers cannot ask for anything, and are not blamed.
        let found = spec.and_then(|spec| {
            let mut all = spec.containers.iter().chain(&spec.init_containers);
            all.find(|it| *it.name == *name)
        });
        let Some(requests) = found.map(|it| &it.resources.requests) else {
            continue;
        };
        let request = if signal == Signal::Memory {
            requests.memory_bytes
        } else {
            requests.ephemeral_storage_bytes
        };
        let request = request.map_or(0, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
        if amount > request {
            text += &format!(
                "Container {name} was using {}, request is {}, has larger consumption of {resource}. ",
                binary(amount),
                binary(request),
            );
            names.push(name.to_owned());
            amounts.push(binary(amount));
        }
    }
    annotations.push(("offending_containers", names.join(",")));
    annotations.push(("offending_containers_usage", amounts.join(",")));
    annotations.extend(pod);
    annotations.push(("starved_resource", resource.to_owned()));
    Annotated {
        text: text.into(),
        annotations,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    /// Reference 14.10.
    #[test]
    fn over_the_request_goes_before_priority_and_size() {
        let candidate = |slot, usage, request, priority| Candidate {
            pod: PodId::new(slot, NonZeroU32::MIN),
            usage,
            request: Some(request),
            priority,
        };
        let mut all = [
            candidate(0, 199, 200, -1),
            candidate(1, 101, 100, 1),
            candidate(2, 600, 100, 1),
            candidate(3, 50, 0, -1),
            candidate(4, 500, 0, -1),
            candidate(5, 800, 1000, 1),
        ];
        all.arrange_by_key(Candidate::rank);
        assert_eq!(all.map(|it| it.pod.slot()), [4, 3, 2, 1, 0, 5]);
    }
}
