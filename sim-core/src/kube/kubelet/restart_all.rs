//! An exit that restarts all containers of a pod, where it is (`restartPolicyRules` with the action
//! `RestartAllContainers`, feature gate `RestartAllContainersOnContainerExits`, on since 1.36).
//!
//! What runs is killed, one container after the other, without hooks and without the pod's grace; then all
//! containers are taken from the runtime, and once the kubelet has seen them gone the pod begins anew with its
//! init containers, in the same sandbox and without back-off. Ephemeral containers stay.
//! Sources: `pkg/kubelet/kuberuntime/kuberuntime_manager.go` (`computePodActions`, `getContainersToReset`,
//! `SyncPod`), `pkg/kubelet/kubelet_pods.go` (`convertToAPIContainerStatuses`).

use crate::api::kube::container::RestartAction;
use crate::des::notice::Detail;
use crate::kube::rows::pod::{ContainerState, Phase};
use crate::kube::store::events::Message;
use crate::substrate::order::Order;

use super::desk::{Desk, Report};
use super::lifecycle::{MINIMUM_GRACE, advance};
use super::settings::WorkerSettings;
use super::worker::{Step, StopReason, Worker};

/// Reason of a container's last end and of its waiting. Source: `pkg/kubelet/kubelet_pods.go`.
pub const REASON: &str = "RestartingAllContainers";
/// What is said beside the reason. Source: as above.
pub const MESSAGE: &str = "The container is removed because RestartAllContainers in place";
/// Exit code that the last end is given. Source: as above.
pub const EXIT_CODE: i32 = 137;

/// Condition AllContainersRestarting; none where no rule can make it true.
/// Source: `pkg/kubelet/status/generate.go` (`GenerateAllContainersRestartingCondition`).
pub fn condition(worker: &Worker, phase: Phase) -> Option<bool> {
    let mut rules = worker.lowered.iter().flat_map(|one| &*one.restart_rules);
    let may = rules.any(|rule| rule.action == RestartAction::RestartAllContainers);
    may.then(|| worker.aside.restarting_all && !phase.is_terminal())
}

/// Whether a container has ended so that all are to restart.
/// Source: `pkg/kubelet/container/helpers.go` (`ShouldAllContainersRestart`).
pub fn is_due(worker: &Worker) -> bool {
    let asks = |index: usize| match &worker.containers[index].state {
        ContainerState::Terminated(end) => {
            let action = worker.lowered[index].action_after(end.exit_code);
            action == Some(RestartAction::RestartAllContainers)
        }
        ContainerState::Running { .. } | ContainerState::Waiting { .. } => false,
    };
    (0..worker.containers.len()).any(asks) && !worker.phase().is_terminal()
}

/// Says that all restart, and kills the first.
pub fn begin(worker: &mut Worker, desk: &mut Desk<'_, '_>) {
    if !worker.aside.restarting_all {
        worker.aside.write().restarting_all = true;
        desk.note("reset", worker, Detail::None, None);
    }
    desk.request_status(worker);
    go_on(worker, desk);
}

/// Kills the next container that runs, once the one before it is gone and what was being started has come up;
/// after the last one, waits for the kubelet's next look at the runtime.
pub fn go_on(worker: &mut Worker, desk: &mut Desk<'_, '_>) {
    let busy = worker.containers.iter().any(|work| {
        matches!(work.step, Step::Pulling(_) | Step::Starting)
            || work.step == Step::Running && work.stopping.is_some()
    });
    if busy {
        return;
    }
    let inits_last = |index: &usize| {
        let one = &worker.lowered[*index];
        one.init || one.sidecar
    };
    let runs = |index: &usize| {
        !worker.lowered[*index].ephemeral && worker.containers[*index].step == Step::Running
    };
    let all = 0..worker.containers.len();
    let next = all
        .filter(runs)
        .min_by_key(|index| (inits_last(index), *index));
    let Some(index) = next else {
        desk.request_relist(worker);
        return;
    };
    let work = &mut worker.containers[index];
    let Some(container) = work.container else {
        desk.request_relist(worker);
        return;
    };
    work.stopping = Some(StopReason::RestartAll);
    let name = worker.lowered[index].name;
    let killing = Report::normal("Killing", Message::Plain("killing"));
    desk.record(worker, Some(name), killing);
    desk.note("kill", worker, Detail::Text(name), None);
    desk.order(Order::Stop {
        container,
        grace: MINIMUM_GRACE,
    });
}

/// The kubelet looks at the runtime: where nothing is left, the pod begins anew.
pub fn look(worker: &mut Worker, settings: &WorkerSettings, desk: &mut Desk<'_, '_>) {
    let left = (0..worker.containers.len()).any(|index| {
        let step = worker.containers[index].step;
        !worker.lowered[index].ephemeral
            && matches!(step, Step::Running | Step::Starting | Step::Pulling(_))
    });
    if left {
        return;
    }
    worker.aside.write().restarting_all = false;
    worker.initialized = false;
    let lowered = worker.lowered.clone();
    for (work, lowered) in worker.containers.iter_mut().zip(&*lowered) {
        if lowered.ephemeral {
            continue;
        }
        if let Some(container) = work.container {
            desk.order(Order::RemoveContainer { container });
        }
        work.reset();
    }
    desk.request_status(worker);
    advance(worker, settings, desk);
}
