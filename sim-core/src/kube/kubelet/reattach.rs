//! A kubelet that starts anew on a machine whose containers ran on: it finds them in the runtime and
//! takes them over, with what ended meanwhile. Back-offs were in its memory and are gone; statuses
//! come from the API server and stand until a probe says otherwise.
//! Sources: `pkg/kubelet/kuberuntime/kuberuntime_manager.go` (`GetPodStatus`),
//! `pkg/kubelet/prober/prober_manager.go` (`ChangeContainerStatusOnKubeletRestart`, off).

use crate::api::kube::pod::RestartPolicy;
use crate::base::name::Name;
use crate::des::notice::Detail;
use crate::kube::rows::pod::ContainerState;
use crate::kube::store::events::Message;
use crate::substrate::container::ContainerState as Found;
use crate::substrate::sandbox::SandboxState;

use super::backoff;
use super::desk::{Desk, Report};
use super::lower::{LIVENESS, READINESS, STARTUP};
use super::settings::WorkerSettings;
use super::worker::ContainerWork;
use super::worker::{Step, Worker};
use super::{lifecycle, probes, stop};

/// Takes over what a pod has on the machine.
pub fn reattach(worker: &mut Worker, settings: &WorkerSettings, desk: &mut Desk<'_, '_>) {
    worker.status_pending = false;
    worker.relist_at = None;
    worker.wake_at = None;
    if worker.aside.rejected.is_some() {
        desk.request_status(worker);
        return;
    }
    find_sandbox(worker, desk);
    for index in 0..worker.containers.len() {
        find_container(worker, index, desk);
    }
    if let Some(deadline) = worker.deadline.take() {
        if worker.finished {
            worker.deadline = Some(deadline);
            stop::finish(worker, desk);
            return;
        }
        for work in &mut worker.containers {
            work.stopping = None;
        }
        stop::terminate(worker, deadline, desk);
        return;
    }
    desk.request_status(worker);
    desk.request_relist(worker);
    hear_probes(worker, settings, desk);
    lifecycle::advance(worker, settings, desk);
}

fn find_sandbox(worker: &mut Worker, desk: &Desk<'_, '_>) {
    let row = worker
        .sandbox
        .and_then(|sandbox| desk.ctx.machines.sandbox(sandbox));
    match row.map(|row| (row.state, row.address)) {
        Some((SandboxState::Ready, address)) => {
            worker.sandbox_ready = true;
            worker.ip = address;
        }
        Some((SandboxState::Creating | SandboxState::Stopped, _)) => {}
        Some((SandboxState::Failed, _)) | None => {
            worker.sandbox = None;
            worker.sandbox_ordered = false;
            worker.sandbox_ready = false;
        }
    }
}

fn find_container(worker: &mut Worker, index: usize, desk: &Desk<'_, '_>) {
    let again = worker.restarts(index, 137);
    let work: &mut ContainerWork = &mut worker.containers[index];
    work.waits.clear();
    match work.step {
        Step::Idle | Step::Done => return,
        Step::Pulling(_) => {
            work.step = Step::Idle;
            return;
        }
        Step::Starting | Step::Running | Step::Exited => {}
    }
    let found = work
        .container
        .and_then(|container| desk.ctx.machines.container(container));
    match found.map(|row| row.state) {
        Some(Found::Created) => work.step = Step::Starting,
        Some(Found::Running { since }) => {
            work.step = Step::Running;
            work.since = since;
        }
        Some(Found::Exited {
            since,
            at,
            code,
            oom,
        }) => {
            work.since = since.unwrap_or(at);
            work.step = Step::Exited;
            work.ended = Some((code, oom, at));
        }
        None => {
            work.lose();
            work.step = if again { Step::Idle } else { Step::Done };
            // The status counts the restart at once, and the runtime knows of no attempt before it.
            // As `pkg/kubelet/kubelet_pods.go` (convertToAPIContainerStatuses).
            work.restarts += u32::from(again);
            work.was_made = false;
        }
    }
}

/// Verdicts that changed while nobody listened.
fn hear_probes(worker: &mut Worker, settings: &WorkerSettings, desk: &mut Desk<'_, '_>) {
    for index in 0..worker.containers.len() {
        let work = &worker.containers[index];
        let (Step::Running, Some(container)) = (work.step, work.container) else {
            continue;
        };
        if !matches!(work.state, ContainerState::Running { .. }) {
            continue;
        }
        let (ready, started) = (work.ready, work.started);
        for which in [STARTUP, LIVENESS, READINESS] {
            let verdict = desk.ctx.machines.probe_verdict(container, which);
            let news = verdict.filter(|(success, _)| match which {
                STARTUP => !*success || !started,
                LIVENESS => !*success,
                _ => *success != ready,
            });
            if let Some((success, flaw)) = news {
                let verdict = probes::Verdict {
                    which,
                    success,
                    changed: true,
                    failures: u32::from(!success),
                    flaw,
                };
                probes::probed(worker, index, container, verdict, settings, desk);
            }
        }
    }
}

/// The kubelet has started anew on a machine that lost everything: what ran has ended, unseen.
/// Sources: containerd reports such tasks with code 255 and reason Unknown;
/// `pkg/kubelet/kuberuntime/kuberuntime_manager.go` (`computePodActions`).
pub fn lost(worker: &mut Worker, desk: &mut Desk<'_, '_>) {
    let now = desk.now();
    // That it was to end was in the agent's memory only.
    if !worker.is_stopped()
        && let Some(aside) = worker.aside.written()
    {
        aside.evicted = None;
        aside.disruption = None;
    }
    let had_sandbox = worker.sandbox_ordered;
    let over = worker.phase().is_terminal();
    // A new sandbox is made for whatever the pod's own policy lets run again, and then for all of it: what
    // its containers say of themselves is asked only of those that have succeeded.
    let anew = !over
        && (worker.recipe.restart_policy != RestartPolicy::Never
            || worker.containers.iter().all(|work| !work.was_made));
    worker.sandbox = None;
    // As if there were one: nothing is to be made.
    worker.sandbox_ordered = !anew && !over;
    worker.sandbox_ready = false;
    worker.ip = 0;
    worker.status_pending = false;
    worker.relist_at = None;
    worker.wake_at = None;
    worker.initialized &= !anew;
    if let Some(aside) = worker.aside.written() {
        aside.restarting_all = false;
    }
    let was_going = worker.deadline.take().is_some();
    worker.finished = false;
    for index in 0..worker.containers.len() {
        let known = matches!(
            worker.containers[index].state,
            ContainerState::Running { .. }
        );
        let again = anew && !worker.lowered[index].ephemeral;
        let lowered = &worker.lowered[index];
        let succeeded = matches!(
            &worker.containers[index].state,
            ContainerState::Terminated(end) if end.exit_code == 0
        );
        let runs_once = worker.policy_of(index) == RestartPolicy::OnFailure && !lowered.init;
        let work = &mut worker.containers[index];
        match work.step {
            Step::Running | Step::Exited | Step::Starting if known || work.step == Step::Exited => {
                work.terminate(255, "Unknown", now);
                work.step = if again { Step::Idle } else { Step::Done };
            }
            Step::Running | Step::Exited | Step::Starting | Step::Pulling(_) => {
                work.step = Step::Idle
            }
            // So do init containers, and what its own policy has kept from running again.
            Step::Done if again && !(runs_once && succeeded) => work.step = Step::Idle,
            Step::Idle | Step::Done => {}
        }
        work.container = None;
        work.stopping = None;
        if let Some(waits) = work.waits.written() {
            waits.not_before = None;
            waits.waited = None;
            waits.pull_failed = None;
            // The kubelet keeps back-offs in memory only.
            waits.crashes = backoff::Backoff::default();
            waits.pulls = backoff::Backoff::default();
        }
    }
    let over = worker.phase().is_terminal();
    for work in &mut worker.containers {
        if over && work.step == Step::Idle {
            work.step = Step::Done;
        }
    }
    if had_sandbox && !was_going && anew && !over {
        let text = "Pod sandbox changed, it will be killed and re-created.";
        desk.record(
            worker,
            None,
            Report::normal("SandboxChanged", Message::Plain(text)),
        );
        desk.note(
            "restart",
            worker,
            Detail::To(Name::plain(worker.host)),
            None,
        );
    }
}
