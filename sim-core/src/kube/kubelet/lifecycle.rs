//! One pod's way on its node: sandbox, init containers, pulls, starts, exits, restarts, stop.
//!
//! Everything here is level-triggered: [`advance`] looks at what there is and does the next thing.
//! As upstream's worker it does one thing at a time: containers are pulled and started one after
//! another, and no container waits for another one's readiness.
//! Source: `pkg/kubelet/kuberuntime/kuberuntime_manager.go` (`SyncPod`, `computePodActions`).

use std::sync::Arc;

use crate::base::name::Rule;
use crate::base::symbol::Symbol;
use crate::base::time::SimDuration;
use crate::des::notice::Detail;
use crate::kube::apiserver::admission::runtime_class;
use crate::kube::render::{uid, uid_text};
use crate::kube::rows::pod::ContainerState;
use crate::kube::store::events::Message;
use crate::substrate::order::{ContainerId, Order, SandboxId};

use super::Event;
use super::active_deadline;
use super::content;
use super::desk::{Desk, Report, naming, owner, sentence};
use super::images::{goes_to_registry, holds_back, tell_first_back_off};
use super::lower::READINESS;
use super::needs;
use super::resize;
use super::restart_all;
use super::settings::WorkerSettings;
use super::stop::{stop, stop_next, wind_up};
use super::worker::{Step, StopReason, Worker};

/// Time that a container gets at least when it is told to stop.
/// Source: `pkg/kubelet/kuberuntime/kuberuntime_container.go` (`minimumGracePeriodInSeconds`).
pub const MINIMUM_GRACE: SimDuration = SimDuration::from_secs(2);
/// Time after which a worker whose last turn ended in an error looks again, before its jitter.
/// Source: `pkg/kubelet/kubelet.go` (`backOffPeriod`).
pub const ERROR_PERIOD: SimDuration = SimDuration::from_secs(10);

/// Does the next thing for a pod.
pub fn advance(worker: &mut Worker, settings: &WorkerSettings, desk: &mut Desk<'_, '_>) {
    if worker.deadline.is_some() || worker.aside.rejected.is_some() || worker.finished {
        return;
    }
    if worker
        .active_deadline
        .is_some_and(|deadline| active_deadline::is_over(worker, deadline, desk))
    {
        return;
    }
    if worker.aside.restarting_all {
        restart_all::go_on(worker, desk);
        return;
    }
    if !worker.sandbox_ordered {
        if worker.phase().is_terminal() || needs::waits_for_volumes(worker, desk) {
            return;
        }
        worker.sandbox_ordered = true;
        worker.taken = content::take(worker, worker.taken.as_ref(), desk);
        // Each sandbox looks its class up anew; who names none has the default one.
        if worker.recipe.refers {
            let runtime = handler(worker, desk).unwrap_or_default();
            if worker.recipe.place.runtime != runtime {
                worker.own_place().runtime = runtime;
            }
        }
        desk.order(Order::CreateSandbox {
            owner: owner(worker, 0),
            machine: worker.machine,
            spec: worker.recipe.place.clone(),
        });
        // The next sandbox of the pod gets whatever address is free.
        if worker.recipe.place.address != 0 {
            worker.own_place().address = 0;
        }
        return;
    }
    let Some(sandbox) = worker.sandbox.filter(|_| worker.sandbox_ready) else {
        return;
    };
    let busy = |work: &super::worker::ContainerWork| {
        matches!(work.step, Step::Pulling(_) | Step::Starting)
    };
    if worker.containers.iter().any(busy) {
        return;
    }
    if !worker.initialized && worker.is_initialized() {
        worker.initialized = true;
    }
    // Ephemeral containers wait for nobody.
    for index in 0..worker.containers.len() {
        let due = worker.lowered[index].ephemeral && worker.containers[index].step == Step::Idle;
        if due && !is_blocked(worker, index, desk) && !holds_back(worker, index, desk) {
            start(worker, index, sandbox, settings, desk);
            return;
        }
    }
    for index in 0..worker.containers.len() {
        let lowered = &worker.lowered[index];
        if lowered.ephemeral {
            continue;
        }
        let (init, sidecar) = (lowered.init, lowered.sidecar);
        match worker.containers[index].step {
            Step::Done if init && !ended_well(worker, index) => return,
            Step::Idle => {
                if is_blocked(worker, index, desk) {
                    if init || sidecar && !worker.initialized {
                        return;
                    }
                    continue;
                }
                if holds_back(worker, index, desk) {
                    desk.request_status(worker);
                    if init || sidecar && !worker.initialized {
                        return;
                    }
                    continue;
                }
                start(worker, index, sandbox, settings, desk);
                return;
            }
            Step::Running | Step::Exited if init => return,
            Step::Running | Step::Exited
                if sidecar && !worker.initialized && !worker.containers[index].started =>
            {
                return;
            }
            Step::Done | Step::Running | Step::Exited | Step::Pulling(_) | Step::Starting => {}
        }
    }
}

/// The runtime's handler for a pod's sandbox; `None`: the pod names no class and has the default one. A
/// class that is gone has no handler, and a path is never one's name.
/// Source: `pkg/kubelet/runtimeclass/runtimeclass_manager.go`.
fn handler(worker: &Worker, desk: &Desk<'_, '_>) -> Option<Arc<str>> {
    let template = desk.store.template(worker.template);
    let class = template.document.str_at(&["spec", "runtimeClassName"]);
    class.map(|name| {
        runtime_class::handler(name, desk.store)
            .unwrap_or_else(|| format!("runtimeclass/{name}").into())
    })
}

fn ended_well(worker: &Worker, index: usize) -> bool {
    matches!(&worker.containers[index].state, ContainerState::Terminated(end) if end.exit_code == 0)
}

/// Whether a back-off keeps a container from its start; then the worker wakes at its end.
fn is_blocked(worker: &mut Worker, index: usize, desk: &mut Desk<'_, '_>) -> bool {
    match worker.containers[index].waits.not_before {
        Some(until) if until > desk.now() => {
            desk.wake(worker, until);
            true
        }
        Some(_) | None => false,
    }
}

/// Takes a container's turn: its image first.
fn start(
    worker: &mut Worker,
    index: usize,
    sandbox: SandboxId,
    settings: &WorkerSettings,
    desk: &mut Desk<'_, '_>,
) {
    let _ = sandbox;
    let now = desk.now();
    let lowered = &worker.lowered[index];
    let work = &mut worker.containers[index];
    let waited = work.waits.written().and_then(|waits| {
        waits.not_before = None;
        waits.waited.take()
    });
    if let Some(end) = work.termination().and_then(|end| end.finished)
        && work.waits.pull_failed.is_none()
    {
        let crashes = &mut work.waits.write().crashes;
        crashes.step(end, now, settings.max_restart_period);
    }
    work.step = Step::Pulling(now);
    if let Some(wait) = waited {
        let key = if work.waits.pull_failed.is_some() {
            "ImagePullBackOff"
        } else {
            "CrashLoopBackOff"
        };
        desk.note(
            "retry",
            worker,
            Detail::Text(lowered.name),
            Some(Rule { key, value: wait }),
        );
    }
    if goes_to_registry(worker, index, desk) {
        desk.record(
            worker,
            Some(lowered.name),
            Report::normal("Pulling", naming("Pulling image \"{}\"", lowered.image)),
        );
    }
    desk.order(Order::Pull {
        owner: owner(worker, index),
        machine: worker.machine,
        image: lowered.image,
        policy: lowered.pull,
    });
}

/// The container has its process.
pub fn started(
    worker: &mut Worker,
    index: usize,
    container: ContainerId,
    settings: &WorkerSettings,
    desk: &mut Desk<'_, '_>,
) {
    if worker.containers[index].container != Some(container)
        || worker.containers[index].step != Step::Starting
    {
        return;
    }
    let name = worker.lowered[index].name;
    let hook = worker.lowered[index].post_start;
    let now = desk.now();
    let work = &mut worker.containers[index];
    work.since = now;
    work.resize_waits = false;
    if hook.is_nothing() || worker.deadline.is_some() {
        worker.containers[index].step = Step::Running;
    }
    desk.record(
        worker,
        Some(name),
        Report::normal("Started", Message::Plain("Container started")),
    );
    desk.note("started", worker, Detail::Text(name), None);
    if let Some(deadline) = worker.deadline {
        stop(worker, index, deadline, desk);
        return;
    }
    if !hook.is_nothing() {
        // The worker waits for the hook: until then the container does not count as running.
        desk.at(now + hook.span, Event::PostStarted(worker.pod, index as u8));
        return;
    }
    desk.request_relist(worker);
    advance(worker, settings, desk);
}

/// Tells of a hook after a container's start that failed, and of the kill that follows.
pub fn tell_failed_start(worker: &Worker, container: Symbol, desk: &mut Desk<'_, '_>) {
    let failed = Report::warning(
        "FailedPostStartHook",
        Message::Plain("PostStartHook failed"),
    );
    desk.record(worker, Some(container), failed);
    let killing = Report::normal("Killing", Message::Plain("FailedPostStartHook"));
    desk.record(worker, Some(container), killing);
}

/// The hook after a container's start has run.
/// Source: `pkg/kubelet/kuberuntime/kuberuntime_container.go` (`startContainer`).
pub fn post_started(
    worker: &mut Worker,
    index: usize,
    settings: &WorkerSettings,
    desk: &mut Desk<'_, '_>,
) {
    let Some(work) = worker.containers.get_mut(index) else {
        return;
    };
    let (Step::Starting, Some(container)) = (work.step, work.container) else {
        return;
    };
    // The hook of a start before this one has nothing to say of it.
    if desk.now() != work.since + worker.lowered[index].post_start.span {
        return;
    }
    work.step = Step::Running;
    let lowered = &worker.lowered[index];
    if lowered.post_start.fails {
        work.stopping = Some(StopReason::Hook);
        tell_failed_start(worker, lowered.name, desk);
        desk.note("kill", worker, Detail::Text(lowered.name), None);
        let grace = worker.recipe.grace.max(MINIMUM_GRACE);
        desk.order(Order::Stop { container, grace });
        return;
    }
    desk.request_relist(worker);
    advance(worker, settings, desk);
}

/// The container was made but its process could not be started.
pub fn start_failed(
    worker: &mut Worker,
    index: usize,
    container: ContainerId,
    code: i32,
    settings: &WorkerSettings,
    desk: &mut Desk<'_, '_>,
) {
    if worker.containers[index].container != Some(container) {
        return;
    }
    let name = worker.lowered[index].name;
    let cause = if code == 126 {
        "permission denied"
    } else {
        "executable file not found in $PATH"
    };
    let text = format!(
        "Error: failed to create containerd task: failed to create shim task: OCI runtime create failed: exec: {cause}"
    );
    desk.record(
        worker,
        Some(name),
        Report::warning("Failed", sentence(text)),
    );
    let now = desk.now();
    worker.containers[index].since = now;
    worker.containers[index].step = Step::Running;
    ended(worker, index, code, false, "StartError", desk);
    after_end(worker, settings, desk);
}

/// A container's process ended. Ends that the kubelet waits for are seen at once, others by the next
/// relist.
pub fn exited(
    worker: &mut Worker,
    index: usize,
    container: ContainerId,
    code: i32,
    oom: bool,
    settings: &WorkerSettings,
    desk: &mut Desk<'_, '_>,
) {
    let work = &mut worker.containers[index];
    if work.container != Some(container) || !matches!(work.step, Step::Running | Step::Starting) {
        return;
    }
    desk.note("exit", worker, Detail::Exit(code), None);
    let work = &mut worker.containers[index];
    if work.stopping == Some(StopReason::RestartAll) {
        // Nothing is told of it before all of them are gone.
        work.step = Step::Exited;
        work.ended = Some((code, oom, desk.now()));
        restart_all::go_on(worker, desk);
    } else if work.stopping.is_some() {
        ended(worker, index, code, oom, reason_of(code, oom), desk);
        after_end(worker, settings, desk);
    } else {
        work.step = Step::Exited;
        work.ended = Some((code, oom, desk.now()));
        desk.request_relist(worker);
    }
}

/// Reason of an end. Source: containerd `internal/cri/server/helpers.go`.
pub const fn reason_of(code: i32, oom: bool) -> &'static str {
    if oom {
        "OOMKilled"
    } else if code == 0 {
        "Completed"
    } else {
        "Error"
    }
}

/// Notes an end and decides whether the container runs again.
fn ended(
    worker: &mut Worker,
    index: usize,
    code: i32,
    oom: bool,
    reason: &'static str,
    desk: &mut Desk<'_, '_>,
) {
    let now = desk.now();
    let finished = worker.containers[index].ended.map_or(now, |(_, _, at)| at);
    let changed = worker.containers[index].stopping == Some(StopReason::Changed);
    let stopped = worker.containers[index].stopping == Some(StopReason::Pod);
    let again = !stopped && worker.restarts(index, code) || changed && worker.deadline.is_none();
    let work = &mut worker.containers[index];
    work.terminate(code, if oom { "OOMKilled" } else { reason }, finished);
    work.step = if again { Step::Idle } else { Step::Done };
}

/// What follows when containers have ended: back-offs, or the pod's end.
fn after_end(worker: &mut Worker, settings: &WorkerSettings, desk: &mut Desk<'_, '_>) {
    if worker.deadline.is_some() {
        stop_next(worker, desk);
        return;
    }
    if worker.aside.restarting_all || restart_all::is_due(worker) {
        restart_all::begin(worker, desk);
        return;
    }
    for index in 0..worker.containers.len() {
        back_off(worker, index, settings, desk);
    }
    if worker.phase().is_terminal() {
        wind_up(worker, desk);
    }
    desk.request_status(worker);
    advance(worker, settings, desk);
}

/// Puts a container that is to run again into its back-off, if it has one.
fn back_off(worker: &mut Worker, index: usize, settings: &WorkerSettings, desk: &mut Desk<'_, '_>) {
    let work = &worker.containers[index];
    let ContainerState::Terminated(end) = &work.state else {
        return;
    };
    if work.step != Step::Idle || work.waits.not_before.is_some() {
        return;
    }
    let Some(finished) = end.finished else {
        return;
    };
    let Some(wait) = work
        .waits
        .crashes
        .wait_since(finished, settings.max_restart_period)
    else {
        return;
    };
    if finished + wait <= desk.now() {
        return;
    }
    let remaining = (finished + wait).since(desk.now());
    let until = desk.now() + desk.jitter(worker, remaining);
    let lowered = &worker.lowered[index];
    let (container, pod) = (
        desk.ctx.symbols.text(lowered.name).to_owned(),
        worker.name.text(desk.ctx.symbols),
    );
    let namespace = desk.ctx.symbols.text(worker.namespace).to_owned();
    let created = desk.store.pod(worker.pod).map_or(0, |row| row.created_s);
    let uid = uid_text(uid(
        desk.ctx.seed,
        "pods",
        &namespace,
        &pod,
        u64::from(created),
    ));
    let text =
        format!("Back-off restarting failed container {container} in pod {pod}_{namespace}({uid})");
    desk.record(
        worker,
        Some(lowered.name),
        Report::warning("BackOff", sentence(text)),
    );
    let message = format!(
        "back-off {} restarting failed container={container} pod={pod}_{namespace}({uid})",
        wait.exact()
    );
    let work = &mut worker.containers[index];
    let waits = work.waits.write();
    waits.not_before = Some(until);
    waits.waited = Some(wait);
    work.wait("CrashLoopBackOff", Some(message.into()));
    desk.note(
        "back-off",
        worker,
        Detail::Span(wait),
        Some(Rule {
            key: "CrashLoopBackOff",
            value: wait,
        }),
    );
}

/// The relist: starts and ends since the last one become known. Answers whether a new size has become
/// true.
pub fn relist(worker: &mut Worker, settings: &WorkerSettings, desk: &mut Desk<'_, '_>) -> bool {
    if worker.aside.restarting_all {
        restart_all::look(worker, settings, desk);
        return false;
    }
    let mut ends = false;
    for index in 0..worker.containers.len() {
        let lowered = &worker.lowered[index];
        let work = &mut worker.containers[index];
        match (work.step, work.ended) {
            (Step::Running, _) if !matches!(work.state, ContainerState::Running { .. }) => {
                if let ContainerState::Terminated(end) = &work.state {
                    work.last = Some(end.clone());
                }
                work.state = ContainerState::Running {
                    started: work.since,
                };
                work.started |= lowered.startup.is_none();
                work.ready |= lowered.readiness.is_none();
                // Each look at a pod that is not ready runs its readiness probe and restarts its
                // timer. Source: `pkg/kubelet/prober/prober_manager.go` (`UpdatePodStatus`).
                if lowered.readiness.is_some() && !work.ready && work.started {
                    let container = work.container.expect("a running container has an id");
                    desk.order(Order::ProbeNow {
                        container,
                        which: READINESS,
                    });
                }
            }
            (Step::Exited, Some((code, oom, _))) => {
                ended(worker, index, code, oom, reason_of(code, oom), desk);
                ends = true;
            }
            (Step::Idle, _)
                if work.waits.pull_failed.is_some() && work.waits.not_before.is_some() =>
            {
                tell_first_back_off(worker, index, desk);
            }
            _ => {}
        }
    }
    let resized = resize::look(worker, desk);
    desk.request_status(worker);
    if ends || worker.aside.end_by.is_some() {
        after_end(worker, settings, desk);
    } else {
        advance(worker, settings, desk);
    }
    resized
}

/// The sandbox has its network.
pub fn sandbox_ready(
    worker: &mut Worker,
    sandbox: SandboxId,
    settings: &WorkerSettings,
    desk: &mut Desk<'_, '_>,
) {
    if worker.sandbox != Some(sandbox) {
        return;
    }
    worker.sandbox_ready = true;
    worker.ip = desk
        .ctx
        .machines
        .sandbox(sandbox)
        .map_or(0, |row| row.address);
    advance(worker, settings, desk);
}

/// The sandbox could not be made: the worker tries again.
pub fn sandbox_failed(worker: &mut Worker, sandbox: SandboxId, desk: &mut Desk<'_, '_>) {
    if worker.sandbox != Some(sandbox) {
        return;
    }
    worker.sandbox = None;
    worker.sandbox_ordered = false;
    // Source: containerd `internal/cri/server/sandbox_run.go`.
    let text = if desk.ctx.machines.runtime_of(sandbox).is_none() {
        let handler = &worker.recipe.place.runtime;
        match handler.strip_prefix("runtimeclass/") {
            // Source: `pkg/kubelet/kuberuntime/kuberuntime_sandbox.go` (`createPodSandbox`).
            Some(class) => format!(
                "Failed to create pod sandbox: failed to create sandbox for pod: runtimeclass.node.k8s.io \"{class}\" not found"
            ),
            None => format!(
                "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox runtime: no runtime for \"{handler}\" is configured"
            ),
        }
    } else {
        "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox: no IP addresses available in range set".to_owned()
    };
    desk.record(
        worker,
        None,
        Report::warning("FailedCreatePodSandBox", Message::Text(text.into())),
    );
    let at = desk.now() + desk.jitter(worker, ERROR_PERIOD);
    desk.wake(worker, at);
}
