//! The poll on each orchestrator under every kind of fault: every run says what was responsible, and
//! says it from its own record of causes.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use sim_core::base::rng::Seed;
use sim_core::console::open::{Experiment, open};
use sim_core::engine::command::FaultKind;
use sim_core::engine::report::RunReport;
use sim_core::engine::world::World;

const CLUSTER: &str = "# The poll\n\n```cluster\nnode worker-1 zone=a\nnode worker-2 zone=b\nnode worker-3 zone=c\n```\n";

/// What each kind hits, and how.
fn fault(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::NodeCrash => "node-crash worker-1 for 5m",
        FaultKind::NodeReboot => "node-reboot worker-1",
        FaultKind::Partition => "partition worker-1|control-1,worker-2,worker-3 for 5m",
        FaultKind::PodKill => "pod-kill of:poll",
        FaultKind::ContainerKill => "container-kill of:poll",
        FaultKind::RegistryDown => "registry-down for 5m",
        FaultKind::ImageMissing => "image-missing redis:alpine for 5m",
        FaultKind::ZoneOutage => "zone-outage a for 5m",
        FaultKind::LeaderLoss => "leader-loss for 5m",
        FaultKind::Oom => "oom of:queue",
        FaultKind::CpuHog => "cpu-hog worker-1 cores=8 for 5m",
        FaultKind::MemoryLeak => "memory-leak of:queue rate=200Mi for 5m",
        FaultKind::DiskFill => "disk-fill worker-1 size=1Ti for 5m",
        FaultKind::Delay => "delay of:poll 2s for 5m",
        FaultKind::Loss => "loss worker-1 60% for 10m",
        FaultKind::DiskSlow => "disk-slow worker-1 5Mi for 5m",
        FaultKind::ClockSkew => "clock-skew worker-1 +10m for 5m",
        FaultKind::StorageLoss => "storage-loss worker-1 for 5m",
        FaultKind::ApiserverDown => "apiserver-down for 5m",
        FaultKind::EtcdSlow => "etcd-slow for 5m",
        FaultKind::ApiserverSlow => "apiserver-slow delay=1s for 5m",
        FaultKind::WatchStale => "watch-stale kube-controller-manager lag=5s for 5m",
        FaultKind::EtcdMemberLoss => "etcd-member-loss control-1 for 5m",
        FaultKind::ControllerRestart => "controller-restart",
        FaultKind::SchedulerDown => "scheduler-down for 5m",
        FaultKind::KubeletKill => "kubelet-kill worker-1 for 5m",
        FaultKind::RuntimeKill => "runtime-kill worker-1 for 5m",
        FaultKind::NodeDrain => "node-drain worker-1",
        // Kinds that hit a machine.
        _ => "",
    }
}

fn play(kind: FaultKind) -> Vec<(RunReport, World)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/poll");
    let mut scenario = CLUSTER.to_owned();
    for name in ["kubernetes.yaml", "stack.yml", "compose.yaml"] {
        let text = fs::read_to_string(root.join(name)).expect("an example");
        scenario.push_str(&format!("\n```yaml name={name}\n{text}```\n"));
    }
    let mut experiment = Experiment::new(Seed(42));
    experiment
        .files
        .push(("poll.md".to_owned(), Arc::from(scenario)));
    let mut session = open(&experiment).expect("the example").session;
    for line in [
        "kubectl apply -f kubernetes.yaml",
        "docker stack deploy --detach=true -c stack.yml app",
        "docker compose -f compose.yaml up -d",
        "sim advance 2m",
        &match fault(kind) {
            "" => format!("sim fault {} worker-1", kind.name()),
            words => format!("sim fault {words}"),
        },
        "sim advance 15m",
    ] {
        let output = session.run(line);
        assert_eq!(
            output.code, 0,
            "{line}: {}{}",
            &*output.stdout, &*output.stderr
        );
    }
    let worlds = session.history.lab().worlds.iter();
    worlds
        .map(|world| (RunReport::of(world), world.clone()))
        .collect()
}

/// Whether the words that name a source and an object stand together in a line of the trace that
/// the fault led to, or that came after it.
fn is_recorded(report: &RunReport, world: &World) -> bool {
    let Some(began) = report.faults[0].at else {
        return false;
    };
    let said = report.mechanism.to_string();
    world
        .trace
        .iter()
        .filter(|entry| entry.at >= began)
        .any(|entry| {
            let name = entry.notice.subject.name.text(&world.symbols);
            said.contains(entry.notice.source) && said.contains(&name)
        })
}

/// The timers that Swarm's and Compose's runs must name.
const TIMERS: [(FaultKind, &str, &[&str]); 6] = [
    (
        FaultKind::NodeCrash,
        "swarm",
        &["dispatcher heartbeat × 3 15s", "restart_policy.delay 5s"],
    ),
    (FaultKind::NodeCrash, "compose", &["engine start 2s"]),
    (
        FaultKind::Partition,
        "swarm",
        &["dispatcher heartbeat × 3 15s", "restart_policy.delay 5s"],
    ),
    (FaultKind::PodKill, "swarm", &["restart_policy.delay 5s"]),
    (FaultKind::PodKill, "compose", &["restart back-off 100ms"]),
    (FaultKind::Oom, "swarm", &["restart_policy.delay 5s"]),
];

#[test]
fn every_run_names_its_mechanism_from_recorded_causes() {
    for (kind, name) in FaultKind::ALL {
        for (report, world) in play(kind) {
            let who = report.orchestrator.name();
            assert_eq!(report.faults.len(), 1, "{name} {who}");
            let said = report.mechanism.to_string();
            if report.faults[0].applicable == Some(false) {
                assert_eq!(
                    said, "the fault has no target in this world",
                    "{name} {who}"
                );
                continue;
            }
            let quiet = said.starts_with("service was never below") || said.starts_with("nothing ");
            assert!(
                quiet || is_recorded(&report, &world),
                "{name} {who}: {said}"
            );
            // The agent that starts the container again has noticed.
            assert!(
                kind != FaultKind::Oom || report.faults[0].detected.is_some(),
                "{name} {who}: nobody noticed"
            );
            let timers = TIMERS
                .iter()
                .filter(|(of, by, _)| *of == kind && *by == who);
            for word in timers.flat_map(|(.., words)| *words) {
                assert!(said.contains(word), "{name} {who}: {said}");
            }
        }
    }
}
