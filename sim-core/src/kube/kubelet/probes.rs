//! What follows from a container's probes: events, readiness, and the end of containers that fail.
//! Sources: `pkg/kubelet/prober`, `pkg/kubelet/kuberuntime/kuberuntime_manager.go`.

use crate::api::kube::probe::ProbeHandler;
use crate::api::kube::service::PortTarget;
use crate::base::name::Rule;
use crate::base::rng::{Stream, stable_hash_parts};
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::Detail;
use crate::substrate::order::{ContainerId, ContainerSpec, Flaw, Order, ProbeAction};

use super::desk::{Desk, Report, naming, sentence};
use super::lifecycle::{MINIMUM_GRACE, advance};
use super::lower::{LIVENESS, READINESS, STARTUP};
use super::settings::WorkerSettings;
use super::worker::{Step, StopReason, Worker};

/// What a probe has found.
#[derive(Clone, Copy, Debug)]
pub struct Verdict {
    /// Its number.
    pub which: u8,
    /// Whether it succeeds.
    pub success: bool,
    /// Whether that was otherwise before.
    pub changed: bool,
    /// How often it failed since it was heard of.
    pub failures: u32,
    /// How it failed last.
    pub flaw: Flaw,
}

/// A probe's verdict changed, or it failed.
pub fn probed(
    worker: &mut Worker,
    index: usize,
    container: ContainerId,
    verdict: Verdict,
    settings: &WorkerSettings,
    desk: &mut Desk<'_, '_>,
) {
    let Verdict { which, success, .. } = verdict;
    let lowered = &worker.lowered.clone()[index];
    let work = &mut worker.containers[index];
    if work.container != Some(container)
        || work.step != Step::Running
        || work.stopping == Some(StopReason::RestartAll)
    {
        return;
    }
    let (kind, probe) = match which {
        STARTUP => ("Startup", &lowered.startup),
        LIVENESS => ("Liveness", &lowered.liveness),
        _ => ("Readiness", &lowered.readiness),
    };
    let Some(probe) = probe else { return };
    // Whether a pod lives is not asked any more when it is deleted.
    let over = which != READINESS && worker.deadline.is_some();
    if verdict.failures > 0 && !over {
        let text = match (&probe.handler, verdict.flaw) {
            (
                ProbeHandler::HttpGet {
                    port: PortTarget::Name(name),
                    ..
                }
                | ProbeHandler::TcpSocket {
                    port: PortTarget::Name(name),
                },
                Flaw::Unstarted,
            ) => no_port(name),
            _ => failure_text(worker, &lowered.spec, verdict, container, desk),
        };
        let report = Report::warning("Unhealthy", sentence(format!("{kind} probe {text}")));
        let name = Some(lowered.name);
        let next = desk.record_often(worker, name, report, verdict.failures);
        // Each failure is an event; those that the API server is not told of need not be heard. After
        // its verdict a container is not asked whether it lives.
        let until = match which {
            READINESS => next,
            _ if verdict.changed => SimTime::MAX,
            _ => next,
        };
        if until > desk.now() {
            desk.order(Order::ProbeQuiet {
                container,
                which,
                until,
            });
        }
    }
    if !verdict.changed {
        return;
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
            // Source: `pkg/kubelet/kuberuntime/kuberuntime_manager.go` (`computePodActions`).
            let text = match (which, worker.restarts_on_failure(index)) {
                (STARTUP, true) => "Container {} failed startup probe, will be restarted",
                (STARTUP, false) => "Container {} failed startup probe",
                (_, true) => "Container {} failed liveness probe, will be restarted",
                (_, false) => "Container {} failed liveness probe",
            };
            let grace = probe
                .termination_grace_period_seconds
                .map_or(worker.recipe.grace, |grace| {
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

/// What it says where no port of the container has the name: the name is no number either.
/// Source: `pkg/probe/util.go` (`ResolveContainerPort`).
fn no_port(name: &str) -> String {
    format!(
        "errored and resulted in unknown state: strconv.Atoi: parsing \"{name}\": invalid syntax"
    )
}

/// What the kubelet says of a failed probe after its kind. Sources: `pkg/kubelet/prober/prober.go`
/// (`probe`), `pkg/probe/{http,tcp,grpc,exec}`, `staging/src/k8s.io/cri-client/pkg/remote_runtime.go`
/// (`execSync`), containerd `internal/cri/server/container_execsync.go`.
fn failure_text(
    worker: &Worker,
    spec: &ContainerSpec,
    verdict: Verdict,
    container: ContainerId,
    desk: &Desk<'_, '_>,
) -> String {
    let host = std::net::Ipv4Addr::from(worker.ip);
    let mut specs = spec.probes.iter();
    let Some(spec) = specs.find(|spec| spec.which == verdict.which) else {
        return String::new();
    };
    let refused = |port: &u16| format!("dial tcp {host}:{port}: connect: connection refused");
    let why = match (&spec.action, verdict.flaw) {
        (ProbeAction::Http { port, path }, Flaw::Refused) => {
            format!("Get \"http://{host}:{port}{path}\": {}", refused(port))
        }
        (_, Flaw::Status(code)) => format!("HTTP probe failed with statuscode: {code}"),
        (ProbeAction::Http { port, path }, _) => format!(
            "Get \"http://{host}:{port}{path}\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        ),
        (ProbeAction::Tcp { port }, Flaw::Refused) => refused(port),
        (ProbeAction::Tcp { port }, _) => format!("dial tcp {host}:{port}: i/o timeout"),
        (ProbeAction::Grpc { .. }, Flaw::NotServing) => {
            "service unhealthy (responded with \"NOT_SERVING\")".to_owned()
        }
        (ProbeAction::Grpc { port }, Flaw::Refused) => format!(
            "timeout: failed to connect service \"{host}:{port}\" within {}: context deadline exceeded",
            spec.timeout
        ),
        (ProbeAction::Grpc { .. }, _) => {
            format!(
                "timeout: health rpc did not complete within {}",
                spec.timeout
            )
        }
        (ProbeAction::Exec { command }, Flaw::Late) => format!(
            "command timed out: \"{}\" timed out after {}",
            command.join(" "),
            spec.timeout.exact()
        ),
        (ProbeAction::Exec { command }, Flaw::Unstarted) => {
            let name = command.first().map_or("", |word| word);
            let key = stable_hash_parts(&[&worker.name.text(desk.ctx.symbols), name]);
            let at = desk.now().as_micros() / 1_000_000;
            let mut id = Stream::new(desk.ctx.seed, "kubelet.exec", key, at as u32);
            let id: String = (0..4).map(|_| format!("{:016x}", id.bits())).collect();
            return format!(
                "errored and resulted in unknown state: rpc error: code = Unknown desc = failed to exec in container: failed to start exec \"{id}\": OCI runtime exec failed: exec failed: unable to start container process: exec: \"{name}\": executable file not found in $PATH",
            );
        }
        // What a program of the image prints is not modelled.
        (ProbeAction::Exec { .. }, _) => desk
            .ctx
            .machines
            .probe_said(container, verdict.which, desk.now())
            .unwrap_or_else(|| "command terminated with a non-zero exit code".to_owned()),
    };
    format!("failed: {why}")
}
