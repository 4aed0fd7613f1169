//! The end of a pod: hooks, stop signals, sidecars last, and the last status.
//!
//! Sources: `pkg/kubelet/kuberuntime/kuberuntime_container.go` (`killContainersWithSyncResult`),
//! `pkg/kubelet/pod_workers.go` (`UpdatePod`, `podWorkerLoop`).

use crate::base::time::SimTime;
use crate::des::notice::Detail;
use crate::kube::rows::pod::{ContainerState, PodRow};
use crate::kube::store::events::Message;
use crate::substrate::container::ContainerState as Found;
use crate::substrate::order::Order;

use super::Event;
use super::active_deadline;
use super::desk::{Desk, Report, naming};
use super::lifecycle::{MINIMUM_GRACE, reason_of, tell_failed_start};
use super::lower::Lowered;
use super::worker::{ContainerWork, Step, StopReason, Worker};

/// The pod is to go: stops what runs, within the grace.
/// Source: `pkg/kubelet/kuberuntime/kuberuntime_container.go` (`killContainersWithSyncResult`).
pub fn terminate(worker: &mut Worker, deadline: SimTime, desk: &mut Desk<'_, '_>) {
    let shortened = worker.deadline.is_some_and(|known| known > deadline);
    if worker.deadline.is_some() && !shortened {
        return;
    }
    worker.deadline = Some(deadline);
    if let Some(aside) = worker.aside.written() {
        aside.restarting_all = false;
    }
    let deleted = desk.store.pod(worker.pod);
    let deleted = deleted.is_some_and(PodRow::is_terminating);
    let mut news = false;
    for work in &mut worker.containers {
        if matches!(work.step, Step::Idle | Step::Pulling(_)) {
            work.step = Step::Done;
            // What is not started again does not wait for it any more.
            // Source: `pkg/kubelet/container/helpers.go` (`ShouldContainerBeRestarted`).
            let ended = work.last.clone().filter(|end| end.container.is_some());
            if let (true, Some(end)) = (deleted, ended) {
                work.state = ContainerState::Terminated(end);
                news = true;
            }
        }
    }
    if news {
        desk.request_status(worker);
    }
    note_ends(worker);
    desk.note(
        "kill",
        worker,
        Detail::Span(deadline.since(desk.now())),
        None,
    );
    if shortened {
        for index in 0..worker.containers.len() {
            if worker.containers[index].step == Step::Running {
                worker.containers[index].stopping = None;
            }
        }
    }
    if cancel_hooks(worker, desk) {
        // The worker's last turn ends now: its next one waits for a look at the runtime after that.
        desk.request_relist(worker);
        return;
    }
    stop_next(worker, desk);
}

/// Gives up hooks after a start that still run: their containers count as those of failed hooks, and the
/// kill that follows from that is given up, too, with its own hook. Answers whether there was one.
/// Source: `pkg/kubelet/kuberuntime/kuberuntime_container.go` (`startContainer`), whose context
/// `UpdatePod` cancels.
fn cancel_hooks(worker: &mut Worker, desk: &mut Desk<'_, '_>) -> bool {
    let mut found = false;
    for index in 0..worker.containers.len() {
        let lowered = &worker.lowered[index];
        let work = &mut worker.containers[index];
        let row = work
            .container
            .and_then(|container| desk.ctx.machines.container(container));
        // One whose start the worker has not heard of has no hook yet.
        let runs = row.is_some_and(
            |row| matches!(row.state, Found::Running { since } if work.since >= since),
        );
        if work.step != Step::Starting || lowered.post_start.is_nothing() || !runs {
            continue;
        }
        work.step = Step::Running;
        found = true;
        tell_failed_start(worker, lowered.name, desk);
        if lowered.pre_stop.ends_early {
            let failed = Report::warning("FailedPreStopHook", Message::Plain("PreStopHook failed"));
            desk.record(worker, Some(lowered.name), failed);
        }
    }
    found
}

/// The kubelet looks at a pod that is to go.
pub fn look(worker: &mut Worker, desk: &mut Desk<'_, '_>) {
    note_ends(worker);
    stop_next(worker, desk);
}

/// Notes what has ended by itself.
fn note_ends(worker: &mut Worker) {
    for work in &mut worker.containers {
        if work.step == Step::Exited
            && let Some((code, oom, at)) = work.ended
        {
            work.terminate(code, reason_of(code, oom), at);
            work.step = Step::Done;
        }
    }
}

/// Stops all regular containers, then sidecars from the last to the first; at the end closes the pod.
pub fn stop_next(worker: &mut Worker, desk: &mut Desk<'_, '_>) {
    let deadline = worker.deadline.unwrap_or(desk.now());
    let mut left = false;
    for index in 0..worker.containers.len() {
        if worker.lowered[index].sidecar {
            continue;
        }
        left |= matches!(
            worker.containers[index].step,
            Step::Running | Step::Starting
        );
        stop(worker, index, deadline, desk);
    }
    for index in (0..worker.containers.len()).rev() {
        if left || !worker.lowered[index].sidecar {
            continue;
        }
        left = matches!(
            worker.containers[index].step,
            Step::Running | Step::Starting
        );
        stop(worker, index, deadline, desk);
    }
    if !left {
        active_deadline::told_again(worker, desk);
        close(worker, desk);
        desk.request_relist_for_end(worker);
    }
}

/// What a pod's containers were for is done: what looked on goes, then the sidecars from the last to the
/// first; at the end closes the pod.
pub fn wind_up(worker: &mut Worker, desk: &mut Desk<'_, '_>) {
    let by = desk.now() + worker.recipe.grace;
    let deadline = *worker.aside.write().end_by.get_or_insert(by);
    let mut left = false;
    for index in (0..worker.containers.len()).rev() {
        let step = &mut worker.containers[index].step;
        if matches!(step, Step::Idle | Step::Pulling(_)) {
            *step = Step::Done;
        }
        let runs = matches!(step, Step::Running | Step::Starting);
        let sidecar = worker.lowered[index].sidecar;
        if runs && !(left && sidecar) {
            stop(worker, index, deadline, desk);
        }
        left |= runs && sidecar;
    }
    if !worker.is_stopped() {
        return;
    }
    account(worker);
    // Its containers stay, with what they printed, until its object is gone.
    if worker.sandbox_ready
        && let Some(sandbox) = worker.sandbox
    {
        worker.sandbox_ready = false;
        desk.order(Order::StopSandbox { sandbox });
    }
}

/// Stops one container: its hook, then the stop signal with what is left of the grace.
pub fn stop(worker: &mut Worker, index: usize, deadline: SimTime, desk: &mut Desk<'_, '_>) {
    let lowered = &worker.lowered[index];
    let work = &mut worker.containers[index];
    let (Step::Running, Some(container)) = (work.step, work.container) else {
        return;
    };
    if work.stopping == Some(StopReason::Pod) {
        return;
    }
    work.stopping = Some(StopReason::Pod);
    desk.record(
        worker,
        Some(lowered.name),
        Report::normal("Killing", naming("Stopping container {}", lowered.name)),
    );
    let grace = deadline.max(desk.now()).since(desk.now());
    let hook = lowered.pre_stop.span.min(grace);
    if lowered.pre_stop.fails && lowered.pre_stop.span < grace {
        let failed = Report::warning("FailedPreStopHook", Message::Plain("PreStopHook failed"));
        desk.record(worker, Some(lowered.name), failed);
    }
    if hook.is_zero() {
        desk.order(Order::Stop {
            container,
            grace: grace.max(MINIMUM_GRACE),
        });
    } else {
        let at = desk.now() + hook;
        desk.at(at, Event::HookEnded(worker.pod, index as u8));
    }
}

/// The hook before the stop has run: the stop signal.
pub fn hook_ended(worker: &mut Worker, index: usize, desk: &mut Desk<'_, '_>) {
    let Some(work) = worker.containers.get(index) else {
        return;
    };
    if let (Step::Running, Some(container), Some(deadline)) = (
        work.step,
        work.container,
        worker.deadline.or(worker.aside.end_by),
    ) {
        let grace = deadline.max(desk.now()).since(desk.now());
        desk.order(Order::Stop {
            container,
            grace: grace.max(MINIMUM_GRACE),
        });
    }
}

/// Everything has stopped: the sandbox goes.
pub fn close(worker: &mut Worker, desk: &mut Desk<'_, '_>) {
    if let Some(sandbox) = worker.sandbox.take() {
        desk.order(Order::RemoveSandbox { sandbox });
    }
    worker.sandbox_ready = false;
    for work in &mut worker.containers {
        work.container = None;
    }
}

impl Desk<'_, '_> {
    /// The last status and the removal of the object come after the next relist: the kubelet waits
    /// until it has seen the containers gone and the pod's directories are cleaned up.
    fn request_relist_for_end(&mut self, worker: &mut Worker) {
        if worker.finished {
            return;
        }
        worker.finished = true;
        account(worker);
        worker.relist_at = None;
        self.request_relist(worker);
    }
}

/// At a pod's end each container of it that had its turn has ended: what waits is said to have failed.
/// Source: `pkg/kubelet/status/status_manager.go` (`TerminatePod`).
fn account(worker: &mut Worker) {
    let waits = |work: &ContainerWork| matches!(work.state, ContainerState::Waiting { .. });
    let has_begun = |work: &ContainerWork| !waits(work) || work.last.is_some();
    let all = worker.containers.iter().zip(&worker.lowered[..]);
    let is_early = |lowered: &Lowered| lowered.init || lowered.sidecar;
    let early = all.clone().filter(|(_, lowered)| is_early(lowered)).count();
    // Init containers up to the last one that has begun, but one at least.
    let mut begun = 1;
    let mut initialized = early == 0;
    for (index, (work, lowered)) in all.enumerate() {
        if has_begun(work) && !lowered.ephemeral {
            begun = index + 1;
            let well = work.termination().is_some_and(|end| end.exit_code == 0);
            initialized |= index >= early || index + 1 == early && lowered.init && well;
        }
    }
    for (index, work) in worker.containers.iter_mut().enumerate() {
        let lowered = &worker.lowered[index];
        let counts = if index < early {
            index < begun
        } else {
            initialized && !lowered.ephemeral
        };
        if counts && waits(work) {
            work.lose();
        }
    }
}

/// The object may go: says how it ended and deletes it with grace zero.
pub fn finish(worker: &mut Worker, desk: &mut Desk<'_, '_>) {
    let at = desk.now() + desk.write_time(worker.machine);
    desk.at(at, Event::Delete(worker.pod));
}
