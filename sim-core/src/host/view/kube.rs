//! Nodes and pods.

use crate::base::arrange::Arrange;
use crate::engine::world::World;
use crate::kube::KubePlane;
use crate::kube::rows::PodId;
use crate::kube::rows::node::{ConditionStatus, NodeRow};
use crate::kube::rows::pod::{ContainerState, Phase, PodRow};
use crate::protocol::{MachineFrame, StateGroup, Unit};

use super::{Wanted, machine, permille};

/// Machines in the order in which they were added, with the pods bound to each, or their counts.
pub(super) fn machines(world: &World, plane: &KubePlane, wanted: Wanted) -> Vec<MachineFrame> {
    let store = plane.store();
    let frames = world
        .substrate
        .machines()
        .filter(|(_, row)| wanted.wants(row))
        .map(|(id, row)| {
            let mut frame = machine(world, row);
            let Some((node_id, node)) = store
                .node_of(id)
                .and_then(|node_id| Some((node_id, store.node(node_id)?)))
            else {
                return frame;
            };
            frame.state = match node.ready() {
                ConditionStatus::True => "Ready",
                ConditionStatus::False | ConditionStatus::Unknown => "NotReady",
            }
            .to_owned();
            frame.cpu_permille = permille(node.requested.milli_cpu, node.allocatable.milli_cpu);
            frame.memory_permille = permille(node.requested.memory, node.allocatable.memory);
            if !wanted.is_named() {
                for (pod_id, pod) in store.pods_on(node_id) {
                    frame.counts[group(plane, pod_id, pod, Some(node)).0 as usize] += 1;
                }
                return frame;
            }
            frame.units = store
                .pods_on(node_id)
                .map(|(pod_id, pod)| unit(world, plane, pod_id, pod, Some(node)))
                .collect();
            frame.units.arrange_by(|one, two| one.name.cmp(&two.name));
            frame
        });
    frames.collect()
}

/// Pods that no node has been chosen for: at most `named` of them, and how many there are.
pub(in crate::host) fn unplaced(
    world: &World,
    plane: &KubePlane,
    named: usize,
) -> (Vec<Unit>, usize) {
    let mut count = 0;
    let mut units = Vec::new();
    for (pod_id, pod) in plane.store().pods().filter(|(_, pod)| pod.node.is_none()) {
        if count < named {
            units.push(unit(world, plane, pod_id, pod, None));
        }
        count += 1;
    }
    units.arrange_by(|one, two| one.name.cmp(&two.name));
    (units, count)
}

fn unit(
    world: &World,
    plane: &KubePlane,
    pod_id: PodId,
    pod: &PodRow,
    node: Option<&NodeRow>,
) -> Unit {
    let (group, state) = group(plane, pod_id, pod, node);
    Unit {
        kind: "pod".to_owned(),
        name: pod.name.text(&world.symbols),
        workload: workload(world, plane, pod),
        group,
        state: state.to_owned(),
    }
}

/// The palette's group of a pod, and kubectl's word for its state.
fn group(
    plane: &KubePlane,
    pod_id: PodId,
    pod: &PodRow,
    node: Option<&NodeRow>,
) -> (StateGroup, &'static str) {
    let state = word(plane, pod_id, pod);
    let lost = node.is_some_and(|node| node.ready() != ConditionStatus::True);
    let group = match pod.phase {
        Phase::Succeeded => StateGroup::Completed,
        Phase::Failed => StateGroup::Failed,
        Phase::Pending | Phase::Running | Phase::Unknown if lost => StateGroup::Unknown,
        Phase::Pending | Phase::Running | Phase::Unknown if pod.is_terminating() => {
            StateGroup::Terminating
        }
        Phase::Pending if pod.node.is_none() => StateGroup::Pending,
        Phase::Pending | Phase::Running | Phase::Unknown => match state {
            "CrashLoopBackOff"
            | "ErrImagePull"
            | "ImagePullBackOff"
            | "InvalidImageName"
            | "Error"
            | "OOMKilled"
            | "CreateContainerConfigError"
            | "CreateContainerError"
            | "RunContainerError" => StateGroup::Failed,
            _ if pod.is_ready() => StateGroup::Ready,
            _ => StateGroup::Progressing,
        },
    };
    (group, state)
}

/// The word in kubectl's STATUS column. Source: `pkg/printers/internalversion/printers.go` printPod.
fn word(plane: &KubePlane, pod_id: PodId, pod: &PodRow) -> &'static str {
    if pod.is_terminating() {
        return "Terminating";
    }
    let details = plane.store().pod_details(pod_id);
    let mut word = details.aside.reason.unwrap_or(pod.phase.text());
    for container in details.containers.iter() {
        match &container.state {
            ContainerState::Waiting { reason, .. } => word = reason,
            ContainerState::Terminated(end)
                if !pod.phase.is_terminal() || end.reason != "Completed" =>
            {
                word = end.reason
            }
            ContainerState::Terminated(_) | ContainerState::Running { .. } => {}
        }
    }
    word
}

/// The Deployment, the ReplicaSet, or the pod itself.
fn workload(world: &World, plane: &KubePlane, pod: &PodRow) -> String {
    let store = plane.store();
    let Some(set) = pod.owner.and_then(|owner| store.replica_set(owner)) else {
        return pod.name.text(&world.symbols);
    };
    let name = set
        .owner
        .and_then(|owner| store.deployment(owner))
        .map_or(set.name, |deployment| deployment.name);
    world.symbols.text(name).to_owned()
}
