//! One pod's way on its node: sandbox, init containers, pulls, starts, exits, restarts, stop.
//!
//! Everything here is level-triggered: [`advance`] looks at what there is and does the next thing.
//! As upstream's worker it does one thing at a time: containers are pulled and started one after
//! another, and no container waits for another one's readiness.
//! Source: `pkg/kubelet/kuberuntime/kuberuntime_manager.go` (`SyncPod`, `computePodActions`).

use crate::api::kube::probe::ProbeHandler;
use crate::base::name::{Name, Rule};
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::Detail;
use crate::kube::render::{uid, uid_text};
use crate::kube::rows::pod::ContainerState;
use crate::kube::store::events::Message;
use crate::substrate::image::ImageRef;
use crate::substrate::order::{ContainerId, Order, PullError, PullPolicy, SandboxId};

use super::backoff;
use super::desk::{Desk, Report, naming, owner, sentence};
use super::lower::{LIVENESS, READINESS, STARTUP};
use super::needs;
use super::worker::{Step, StopReason, Worker};
use super::{Event, Settings};

/// Time that a container gets at least when it is told to stop.
/// Source: `pkg/kubelet/kuberuntime/kuberuntime_container.go` (`minimumGracePeriodInSeconds`).
const MINIMUM_GRACE: SimDuration = SimDuration::from_secs(2);
/// Time after which a worker whose last turn ended in an error looks again, before its jitter.
/// Source: `pkg/kubelet/kubelet.go` (`backOffPeriod`).
const ERROR_PERIOD: SimDuration = SimDuration::from_secs(10);

/// Does the next thing for a pod.
pub fn advance(worker: &mut Worker, settings: &Settings, desk: &mut Desk<'_, '_>) {
    if worker.deadline.is_some() || worker.rejected.is_some() || worker.finished {
        return;
    }
    if !worker.sandbox_ordered {
        if worker.phase().is_terminal() || needs::waits_for_volumes(worker, desk) {
            return;
        }
        worker.sandbox_ordered = true;
        desk.order(Order::CreateSandbox {
            owner: owner(worker, 0),
            machine: worker.machine,
            spec: worker.place.clone(),
        });
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
    for index in 0..worker.containers.len() {
        let lowered = &worker.lowered[index];
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

fn ended_well(worker: &Worker, index: usize) -> bool {
    matches!(&worker.containers[index].state, ContainerState::Terminated(end) if end.exit_code == 0)
}

/// Whether a back-off keeps a container from its start; then the worker wakes at its end.
fn is_blocked(worker: &mut Worker, index: usize, desk: &mut Desk<'_, '_>) -> bool {
    match worker.containers[index].not_before {
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
    settings: &Settings,
    desk: &mut Desk<'_, '_>,
) {
    let _ = sandbox;
    let now = desk.now();
    let lowered = worker.lowered[index].clone();
    let work = &mut worker.containers[index];
    work.not_before = None;
    let waited = work.waited.take();
    if let Some(end) = work.termination().map(|end| end.finished)
        && work.pull_failed.is_none()
    {
        work.crashes.step(end, now, settings.max_restart_period);
    }
    work.step = Step::Pulling(now);
    if let Some(wait) = waited {
        let key = if work.pull_failed.is_some() {
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

/// Whether getting the image means asking a registry.
fn goes_to_registry(worker: &Worker, index: usize, desk: &Desk<'_, '_>) -> bool {
    let lowered = &worker.lowered[index];
    match lowered.pull {
        PullPolicy::Always => true,
        PullPolicy::IfNotPresent => !desk.ctx.machines.has_image(worker.machine, lowered.image),
        PullPolicy::Never => false,
    }
}

/// Size of an image that the machine has.
fn image_bytes(worker: &Worker, text: &str, desk: &Desk<'_, '_>) -> u64 {
    let reference = ImageRef::parse(text);
    let mut images = desk.ctx.machines.images_on(worker.machine);
    images
        .find(|image| image.reference == reference)
        .map_or(0, |image| image.program.size_bytes)
}

/// The image is there: creates and starts the container.
pub fn pulled(worker: &mut Worker, index: usize, settings: &Settings, desk: &mut Desk<'_, '_>) {
    let Step::Pulling(since) = worker.containers[index].step else {
        return;
    };
    let Some(sandbox) = worker.sandbox else {
        return;
    };
    let lowered = worker.lowered[index].clone();
    let took = desk.now().since(since);
    if took.is_zero() && lowered.pull != PullPolicy::Always {
        let text =
            "Container image \"{}\" already present on machine and can be accessed by the pod";
        desk.record(
            worker,
            Some(lowered.name),
            Report::normal("Pulled", naming(text, lowered.image)),
        );
    } else {
        let took = SimDuration::from_millis(took.as_millis()).exact();
        let image = desk.ctx.symbols.text(lowered.image);
        let size = image_bytes(worker, image, desk);
        let text = format!(
            "Successfully pulled image \"{image}\" in {took} ({took} including waiting). Image size: {size} bytes."
        );
        desk.record(
            worker,
            Some(lowered.name),
            Report::normal("Pulled", sentence(text)),
        );
    }
    if let Some((_, cause)) = needs::missing(&lowered.variables, worker.namespace, desk) {
        wait_for_variables(worker, index, cause, settings, desk);
        return;
    }
    let work = &mut worker.containers[index];
    work.pull_failed = None;
    work.step = Step::Starting;
    desk.order(Order::Start {
        owner: owner(worker, index),
        sandbox,
        spec: lowered.spec,
    });
}

/// What a variable is taken from is not there: the next turn of the worker tries again.
fn wait_for_variables(
    worker: &mut Worker,
    index: usize,
    cause: String,
    settings: &Settings,
    desk: &mut Desk<'_, '_>,
) {
    let name = worker.lowered[index].name;
    let event = Report::warning("Failed", sentence(format!("Error: {cause}")));
    desk.record(worker, Some(name), event);
    let until = desk.now() + desk.jitter(worker, ERROR_PERIOD);
    let work = &mut worker.containers[index];
    work.pull_failed = None;
    work.step = Step::Idle;
    work.not_before = Some(until);
    work.wait("CreateContainerConfigError", Some(cause.into()));
    desk.request_status(worker);
    advance(worker, settings, desk);
}

/// The image could not be had.
pub fn pull_failed(
    worker: &mut Worker,
    index: usize,
    error: PullError,
    settings: &Settings,
    desk: &mut Desk<'_, '_>,
) {
    let Step::Pulling(_) = worker.containers[index].step else {
        return;
    };
    let now = desk.now();
    let lowered = worker.lowered[index].clone();
    let image = desk.ctx.symbols.text(lowered.image).to_owned();
    if error == PullError::NotPresent {
        let text = format!("Container image \"{image}\" is not present with pull policy of Never");
        desk.record(
            worker,
            Some(lowered.name),
            Report::warning("ErrImageNeverPull", sentence(text.clone())),
        );
        desk.record(
            worker,
            Some(lowered.name),
            Report::warning("Failed", Message::Plain("Error: ErrImageNeverPull")),
        );
        wait_for_image(
            worker,
            index,
            "ErrImageNeverPull",
            text,
            None,
            settings,
            desk,
        );
        return;
    }
    if error == PullError::InvalidName {
        let text = format!(
            "Failed to apply default image tag \"{image}\": couldn't parse image name \"{image}\": invalid reference format"
        );
        desk.record(
            worker,
            Some(lowered.name),
            Report::warning("InspectFailed", sentence(text.clone())),
        );
        desk.record(
            worker,
            Some(lowered.name),
            Report::warning("Failed", Message::Plain("Error: InvalidImageName")),
        );
        wait_for_image(
            worker,
            index,
            "InvalidImageName",
            text,
            None,
            settings,
            desk,
        );
        return;
    }
    let cause = match error {
        PullError::Denied => {
            "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed"
        }
        PullError::ManifestUnknown => "not found",
        PullError::RegistryDown => "dial tcp: i/o timeout",
        // As containerd reports a full disk.
        PullError::NoSpace => {
            "failed to copy: failed to send write: write /var/lib/containerd/io.containerd.content.v1.content/ingest/data: no space left on device: unknown"
        }
        PullError::NotPresent | PullError::InvalidName => unreachable!("answered above"),
    };
    let text = format!(
        "Failed to pull image \"{image}\": failed to pull and unpack image \"{image}\": {cause}"
    );
    desk.record(
        worker,
        Some(lowered.name),
        Report::warning("Failed", sentence(text.clone())),
    );
    desk.record(
        worker,
        Some(lowered.name),
        Report::warning("Failed", Message::Plain("Error: ErrImagePull")),
    );
    let work = &mut worker.containers[index];
    work.pulls.step(now, now, backoff::MAX);
    let wait = work
        .pulls
        .wait_since(now, backoff::MAX)
        .unwrap_or(backoff::INITIAL);
    work.pull_failed = Some(now);
    desk.note("pull-failed", worker, Detail::Text(lowered.image), None);
    let message = text
        .split_once(": ")
        .map_or_else(|| text.clone(), |(_, cause)| cause.to_owned());
    wait_for_image(
        worker,
        index,
        "ErrImagePull",
        message,
        Some(wait),
        settings,
        desk,
    );
}

/// Says why the image is missing and waits for the first turn of the worker after the back-off.
fn wait_for_image(
    worker: &mut Worker,
    index: usize,
    reason: &'static str,
    message: String,
    wait: Option<SimDuration>,
    settings: &Settings,
    desk: &mut Desk<'_, '_>,
) {
    let now = desk.now();
    let expiry = now + wait.unwrap_or(SimDuration::ZERO);
    let mut turn = now + desk.jitter(worker, ERROR_PERIOD);
    while turn < expiry {
        turn += desk.jitter(worker, ERROR_PERIOD);
    }
    let work = &mut worker.containers[index];
    work.step = Step::Idle;
    work.not_before = Some(turn);
    work.waited = wait;
    work.wait(reason, Some(message.into()));
    desk.request_status(worker);
    if wait.is_some() {
        desk.request_relist(worker);
    }
    advance(worker, settings, desk);
}

/// The container has its process.
pub fn started(
    worker: &mut Worker,
    index: usize,
    container: ContainerId,
    settings: &Settings,
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

/// The hook after a container's start has run.
/// Source: `pkg/kubelet/kuberuntime/kuberuntime_container.go` (`startContainer`).
pub fn post_started(
    worker: &mut Worker,
    index: usize,
    settings: &Settings,
    desk: &mut Desk<'_, '_>,
) {
    let Some(work) = worker.containers.get_mut(index) else {
        return;
    };
    let (Step::Starting, Some(container)) = (work.step, work.container) else {
        return;
    };
    work.step = Step::Running;
    let lowered = worker.lowered[index].clone();
    if lowered.post_start.fails {
        work.stopping = Some(StopReason::Hook);
        let failed = Report::warning(
            "FailedPostStartHook",
            Message::Plain("PostStartHook failed"),
        );
        desk.record(worker, Some(lowered.name), failed);
        let killing = Report::normal("Killing", Message::Plain("FailedPostStartHook"));
        desk.record(worker, Some(lowered.name), killing);
        desk.note("kill", worker, Detail::Text(lowered.name), None);
        let grace = worker.grace.max(MINIMUM_GRACE);
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
    settings: &Settings,
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
    settings: &Settings,
    desk: &mut Desk<'_, '_>,
) {
    let work = &mut worker.containers[index];
    if work.container != Some(container) || !matches!(work.step, Step::Running | Step::Starting) {
        return;
    }
    desk.note("exit", worker, Detail::Exit(code), None);
    let work = &mut worker.containers[index];
    if work.stopping.is_some() {
        ended(worker, index, code, oom, reason_of(code, oom), desk);
        after_end(worker, settings, desk);
    } else {
        work.step = Step::Exited;
        work.ended = Some((code, oom, desk.now()));
        desk.request_relist(worker);
    }
}

/// Reason of an end. Source: containerd `internal/cri/server/helpers.go`.
const fn reason_of(code: i32, oom: bool) -> &'static str {
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
    let again = worker.restarts(index, code) || changed && worker.deadline.is_none();
    let work = &mut worker.containers[index];
    work.terminate(code, if oom { "OOMKilled" } else { reason }, finished);
    work.step = if again { Step::Idle } else { Step::Done };
    if again {
        work.restarts += 1;
    }
}

/// What follows when containers have ended: back-offs, or the pod's end.
fn after_end(worker: &mut Worker, settings: &Settings, desk: &mut Desk<'_, '_>) {
    if worker.deadline.is_some() {
        stop_next(worker, desk);
        return;
    }
    for index in 0..worker.containers.len() {
        back_off(worker, index, settings, desk);
    }
    if worker.phase().is_terminal() && worker.is_stopped() {
        close(worker, desk);
    }
    desk.request_status(worker);
    advance(worker, settings, desk);
}

/// Puts a container that is to run again into its back-off, if it has one.
fn back_off(worker: &mut Worker, index: usize, settings: &Settings, desk: &mut Desk<'_, '_>) {
    let work = &worker.containers[index];
    let ContainerState::Terminated(end) = &work.state else {
        return;
    };
    if work.step != Step::Idle || work.not_before.is_some() {
        return;
    }
    let finished = end.finished;
    let Some(wait) = work
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
    let lowered = worker.lowered[index].clone();
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
    work.not_before = Some(until);
    work.waited = Some(wait);
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

/// The relist: starts and ends since the last one become known.
pub fn relist(worker: &mut Worker, settings: &Settings, desk: &mut Desk<'_, '_>) {
    let mut ends = false;
    for index in 0..worker.containers.len() {
        let lowered = worker.lowered[index].clone();
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
            (Step::Idle, _) if work.pull_failed.is_some() && work.not_before.is_some() => {
                if matches!(
                    &work.state,
                    ContainerState::Waiting {
                        reason: "ErrImagePull",
                        ..
                    }
                ) {
                    let image = desk.ctx.symbols.text(lowered.image);
                    // What the last pull said is kept beside the wait.
                    let cause = match &work.state {
                        ContainerState::Waiting { message, .. } => message.clone(),
                        ContainerState::Running { .. } | ContainerState::Terminated(_) => None,
                    };
                    let message = match cause {
                        Some(cause) => {
                            format!("Back-off pulling image \"{image}\": ErrImagePull: {cause}")
                        }
                        None => format!("Back-off pulling image \"{image}\""),
                    };
                    work.wait("ImagePullBackOff", Some(message.into()));
                    desk.record(
                        worker,
                        Some(lowered.name),
                        Report::normal(
                            "BackOff",
                            naming("Back-off pulling image \"{}\"", lowered.image),
                        ),
                    );
                    desk.record(
                        worker,
                        Some(lowered.name),
                        Report::warning("Failed", Message::Plain("Error: ImagePullBackOff")),
                    );
                }
            }
            _ => {}
        }
    }
    desk.request_status(worker);
    if ends {
        after_end(worker, settings, desk);
    } else {
        advance(worker, settings, desk);
    }
}

/// A probe's verdict changed.
pub fn probed(
    worker: &mut Worker,
    index: usize,
    container: ContainerId,
    which: u8,
    success: bool,
    settings: &Settings,
    desk: &mut Desk<'_, '_>,
) {
    let lowered = worker.lowered[index].clone();
    let work = &mut worker.containers[index];
    if work.container != Some(container) || work.step != Step::Running {
        return;
    }
    let (kind, probe) = match which {
        STARTUP => ("Startup", &lowered.startup),
        LIVENESS => ("Liveness", &lowered.liveness),
        _ => ("Readiness", &lowered.readiness),
    };
    let Some(probe) = probe else { return };
    if !success {
        let text = format!("{kind} probe failed: {}", failure_text(&probe.handler));
        desk.record(
            worker,
            Some(lowered.name),
            Report::warning("Unhealthy", sentence(text)),
        );
    }
    let work = &mut worker.containers[index];
    match (which, success) {
        (READINESS, _) => {
            work.ready = success;
            desk.request_status(worker);
        }
        (STARTUP, true) => {
            work.started = true;
            if lowered.readiness.is_some() {
                desk.order(Order::ProbeNow {
                    container,
                    which: READINESS,
                });
            } else {
                work.ready = true;
            }
            desk.request_status(worker);
            advance(worker, settings, desk);
        }
        (STARTUP | LIVENESS, false) if worker.deadline.is_none() => {
            let text = if which == STARTUP {
                "Container {} failed startup probe, will be restarted"
            } else {
                "Container {} failed liveness probe, will be restarted"
            };
            let grace = probe
                .termination_grace_period_seconds
                .map_or(worker.grace, |grace| {
                    SimDuration::from_secs(u64::from(grace))
                });
            let period = SimDuration::from_secs(
                u64::from(probe.period_seconds) * u64::from(probe.failure_threshold),
            );
            let key = if which == STARTUP {
                "startupProbe.periodSeconds*failureThreshold"
            } else {
                "livenessProbe.periodSeconds*failureThreshold"
            };
            desk.record(
                worker,
                Some(lowered.name),
                Report::normal("Killing", naming(text, lowered.name)),
            );
            desk.note(
                "kill",
                worker,
                Detail::Text(lowered.name),
                Some(Rule { key, value: period }),
            );
            worker.containers[index].stopping = Some(StopReason::Probe);
            desk.order(Order::Stop {
                container,
                grace: grace.max(MINIMUM_GRACE),
            });
        }
        _ => {}
    }
}

/// What a failed probe says; the program's own words are not modelled.
const fn failure_text(handler: &ProbeHandler) -> &'static str {
    match handler {
        ProbeHandler::HttpGet { .. } => "HTTP probe failed with statuscode: 503",
        ProbeHandler::TcpSocket { .. } => "dial tcp: connect: connection refused",
        ProbeHandler::Grpc { .. } => "service unhealthy (responded with \"NOT_SERVING\")",
        ProbeHandler::Exec { .. } => "command terminated with a non-zero exit code",
    }
}

/// The pod is to go: stops what runs, within the grace.
/// Source: `pkg/kubelet/kuberuntime/kuberuntime_container.go` (`killContainersWithSyncResult`).
pub fn terminate(worker: &mut Worker, deadline: SimTime, desk: &mut Desk<'_, '_>) {
    let shortened = worker.deadline.is_some_and(|known| known > deadline);
    if worker.deadline.is_some() && !shortened {
        return;
    }
    worker.deadline = Some(deadline);
    for work in &mut worker.containers {
        if matches!(work.step, Step::Idle | Step::Pulling(_)) {
            work.step = Step::Done;
        }
        if work.step == Step::Exited
            && let Some((code, oom, at)) = work.ended
        {
            work.terminate(code, reason_of(code, oom), at);
            work.step = Step::Done;
        }
    }
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
    stop_next(worker, desk);
}

/// Stops all regular containers, then sidecars from the last to the first; at the end closes the pod.
fn stop_next(worker: &mut Worker, desk: &mut Desk<'_, '_>) {
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
        close(worker, desk);
        desk.request_relist_for_end(worker);
    }
}

/// Stops one container: its hook, then the stop signal with what is left of the grace.
fn stop(worker: &mut Worker, index: usize, deadline: SimTime, desk: &mut Desk<'_, '_>) {
    let lowered = worker.lowered[index].clone();
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
    if let (Step::Running, Some(container), Some(deadline)) =
        (work.step, work.container, worker.deadline)
    {
        let grace = deadline.max(desk.now()).since(desk.now());
        desk.order(Order::Stop {
            container,
            grace: grace.max(MINIMUM_GRACE),
        });
    }
}

/// Everything has stopped: the sandbox goes.
fn close(worker: &mut Worker, desk: &mut Desk<'_, '_>) {
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
        worker.relist_at = None;
        self.request_relist(worker);
    }
}

/// The object may go: says how it ended and deletes it with grace zero.
pub fn finish(worker: &mut Worker, desk: &mut Desk<'_, '_>) {
    let at = desk.now() + desk.write_time();
    desk.at(at, Event::Delete(worker.pod));
}

/// The sandbox has its network.
pub fn sandbox_ready(
    worker: &mut Worker,
    sandbox: SandboxId,
    settings: &Settings,
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
        let handler = &worker.place.runtime;
        format!(
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox runtime: no runtime for \"{handler}\" is configured"
        )
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

/// The kubelet has started anew on a machine that lost everything: what ran has ended, unseen.
/// Source: containerd reports such tasks with code 255 and reason Unknown.
pub fn lost(worker: &mut Worker, desk: &mut Desk<'_, '_>) {
    let now = desk.now();
    let had_sandbox = worker.sandbox_ordered;
    worker.sandbox = None;
    worker.sandbox_ordered = false;
    worker.sandbox_ready = false;
    worker.ip = 0;
    worker.status_pending = false;
    worker.relist_at = None;
    worker.wake_at = None;
    worker.initialized = false;
    let was_going = worker.deadline.take().is_some();
    worker.finished = false;
    for index in 0..worker.containers.len() {
        let known = matches!(
            worker.containers[index].state,
            ContainerState::Running { .. }
        );
        let again = worker.restarts(index, 255);
        let init = worker.lowered[index].init;
        let work = &mut worker.containers[index];
        match work.step {
            Step::Running | Step::Exited | Step::Starting if known || work.step == Step::Exited => {
                work.terminate(255, "Unknown", now);
                work.step = if again { Step::Idle } else { Step::Done };
                work.restarts += u32::from(again);
            }
            Step::Running | Step::Exited | Step::Starting | Step::Pulling(_) => {
                work.step = Step::Idle
            }
            // A new sandbox means that init containers run again.
            Step::Done if init => work.step = Step::Idle,
            Step::Idle | Step::Done => {}
        }
        work.container = None;
        work.stopping = None;
        work.not_before = None;
        work.pull_failed = None;
        // The kubelet keeps back-offs in memory only.
        work.crashes = backoff::Backoff::default();
        work.pulls = backoff::Backoff::default();
    }
    if had_sandbox && !was_going && !worker.phase().is_terminal() {
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
