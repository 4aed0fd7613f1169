//! Nodes and pods.

use std::borrow::Cow;

use crate::base::arrange::Arrange;
use crate::engine::world::World;
use crate::kube::KubePlane;
use crate::kube::pod_word::{self, Container, Doing};
use crate::kube::rows::PodId;
use crate::kube::rows::node::{ConditionStatus, NodeRow};
use crate::kube::rows::pod::{ContainerState, ContainerStatus, Phase, PodFlags, PodRow};
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
            if node.unschedulable {
                frame.closed = "SchedulingDisabled".to_owned();
            }
            frame.cpu_permille = permille(node.requested.milli_cpu, node.allocatable.milli_cpu);
            frame.memory_permille = permille(node.requested.memory, node.allocatable.memory);
            if !wanted.is_named() {
                for (pod_id, pod) in store.pods_on(node_id) {
                    frame.counts[group(plane, pod_id, pod, Some(node)) as usize] += 1;
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
    let workload = plane
        .workload_of(pod_id)
        .and_then(|key| plane.workload_name(key, &world.symbols));
    let name = pod.name.text(&world.symbols);
    Unit {
        kind: "pod".to_owned(),
        workload: workload.unwrap_or_else(|| name.clone()),
        name,
        group: group(plane, pod_id, pod, node),
        state: word(plane, pod_id, pod).into_owned(),
    }
}

/// The palette's group of a pod.
fn group(plane: &KubePlane, pod_id: PodId, pod: &PodRow, node: Option<&NodeRow>) -> StateGroup {
    let lost = node.is_some_and(|node| node.ready() != ConditionStatus::True);
    match pod.phase {
        Phase::Succeeded => StateGroup::Completed,
        Phase::Failed => StateGroup::Failed,
        Phase::Pending | Phase::Running | Phase::Unknown if lost => StateGroup::Unknown,
        Phase::Pending | Phase::Running | Phase::Unknown if pod.is_terminating() => {
            StateGroup::Terminating
        }
        Phase::Pending if pod.node.is_none() => StateGroup::Pending,
        Phase::Pending | Phase::Running | Phase::Unknown if pod.is_ready() => StateGroup::Ready,
        Phase::Pending | Phase::Running | Phase::Unknown => {
            if is_failure(&word(plane, pod_id, pod)) {
                StateGroup::Failed
            } else {
                StateGroup::Progressing
            }
        }
    }
}

/// Whether a word says that a container cannot be run, or does not stay.
/// Sources: `pkg/kubelet/images/types.go`, `pkg/kubelet/kuberuntime/kuberuntime_container.go`,
/// `pkg/kubelet/container/sync_result.go`.
fn is_failure(word: &str) -> bool {
    let word = word.strip_prefix("Init:").unwrap_or(word);
    word.starts_with("ExitCode:")
        || word.starts_with("Signal:")
        || matches!(
            word,
            "CrashLoopBackOff"
                | "ErrImagePull"
                | "ErrImageNeverPull"
                | "ImageInspectError"
                | "ImagePullBackOff"
                | "InvalidImageName"
                | "CreateContainerConfigError"
                | "CreateContainerError"
                | "PostStartHookError"
                | "RunContainerError"
                | "StartError"
                | "ContainerStatusUnknown"
                | "Error"
                | "OOMKilled"
        )
}

/// The word in kubectl's STATUS column.
fn word<'a>(plane: &'a KubePlane, pod_id: PodId, pod: &PodRow) -> Cow<'a, str> {
    let details = plane.store().pod_details(pod_id);
    let spec = &plane.store().template(pod.template).spec;
    let (inits, rest) =
        (details.containers).split_at(spec.init_containers.len().min(details.containers.len()));
    let seen = pod_word::Pod {
        phase: pod.phase.text(),
        reason: details.aside.reason.unwrap_or(""),
        gated: pod.node.is_none() && !spec.scheduling_gates.is_empty(),
        initialized: pod.flags.has(PodFlags::INITIALIZED),
        ready: pod.is_ready(),
        deleting: pod.is_terminating(),
        inits: spec.init_containers.len(),
    };
    let of = |status: &'a ContainerStatus, sidecar: bool| Container {
        doing: match &status.state {
            ContainerState::Waiting { reason, .. } => Doing::Waiting(reason),
            ContainerState::Running { .. } => Doing::Running,
            ContainerState::Terminated(end) => Doing::Ended {
                reason: end.reason,
                signal: 0,
                exit_code: end.exit_code.into(),
            },
        },
        ready: status.ready,
        started: status.started,
        sidecar,
    };
    let (word, _) = pod_word::word(
        &seen,
        (inits.iter().zip(&spec.init_containers)).map(|(status, it)| of(status, it.sidecar)),
        (rest.iter().take(spec.containers.len())).map(|status| of(status, false)),
    );
    word
}
