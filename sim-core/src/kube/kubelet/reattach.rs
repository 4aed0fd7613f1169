//! A kubelet that starts anew on a machine whose containers ran on: it finds them in the runtime and
//! takes them over, with what ended meanwhile. Back-offs were in its memory and are gone; statuses
//! come from the API server and stand until a probe says otherwise.
//! Sources: `pkg/kubelet/kuberuntime/kuberuntime_manager.go` (`GetPodStatus`),
//! `pkg/kubelet/prober/prober_manager.go` (`ChangeContainerStatusOnKubeletRestart`, off).

use crate::kube::rows::pod::ContainerState;
use crate::substrate::container::ContainerState as Found;
use crate::substrate::sandbox::SandboxState;

use super::desk::Desk;
use super::lower::{LIVENESS, READINESS, STARTUP};
use super::worker::{Step, Worker};
use super::{Settings, worker::ContainerWork};
use super::{lifecycle, probes, stop};

/// Takes over what a pod has on the machine.
pub fn reattach(worker: &mut Worker, settings: &Settings, desk: &mut Desk<'_, '_>) {
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
    let now = desk.now();
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
            work.terminate(137, "ContainerStatusUnknown", now);
            work.step = if again { Step::Idle } else { Step::Done };
            // The status counts the restart at once, and the runtime knows of no attempt before it.
            // As `pkg/kubelet/kubelet_pods.go` (convertToAPIContainerStatuses).
            work.restarts += u32::from(again);
            work.was_made = false;
        }
    }
}

/// Verdicts that changed while nobody listened.
fn hear_probes(worker: &mut Worker, settings: &Settings, desk: &mut Desk<'_, '_>) {
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
