//! Health checks: verdicts and their times.

use super::*;

const TICKS: ProbeSpec = ProbeSpec {
    which: 0,
    action: ProbeAction::Tcp { port: 0 },
    initial_delay: SimDuration::ZERO,
    period: SimDuration::from_secs(10),
    timeout: SimDuration::from_secs(1),
    success_threshold: 1,
    failure_threshold: 3,
    start_period: SimDuration::ZERO,
    start_interval: SimDuration::ZERO,
    pacing: ProbePacing::Ticks,
    initial: Some(false),
    after: None,
    once: false,
    each: false,
};

fn http(path: &str) -> ProbeAction {
    ProbeAction::Http {
        port: 80,
        path: Arc::from(path),
    }
}

fn exec(words: &[&str]) -> ProbeAction {
    ProbeAction::Exec {
        command: words.iter().map(|word| Arc::from(*word)).collect(),
    }
}

/// Verdicts as (milliseconds since the sandbox was ordered, number, success).
fn verdicts(rig: &Rig) -> Vec<(u64, u8, bool)> {
    let of = |(at, upcall): &(SimTime, Upcall)| match upcall {
        Upcall::Probe { which, success, .. } => Some((at.as_micros() / 1_000, *which, *success)),
        _ => None,
    };
    rig.heard.iter().filter_map(of).collect()
}

fn run(image: &str, command: &[&str], mounts: &[&str], probes: &[ProbeSpec]) -> (Rig, ContainerId) {
    let (mut rig, machines) = Rig::new(1);
    let sandbox = rig.sandbox(machines[1]);
    let spec = rig.spec(image, command);
    let mounts = mounts.iter().map(|path| Arc::from(*path)).collect();
    let container = rig.start(
        sandbox,
        ContainerSpec {
            mounts,
            joins: None,
            probes: probes.into(),
            ..spec
        },
    );
    rig.run_until(120);
    (rig, container)
}

#[test]
fn readiness_comes_with_the_first_tick_after_the_program_is_ready() {
    let (rig, _) = run(
        "nginx",
        &[],
        &[],
        &[ProbeSpec {
            action: http("/"),
            ..TICKS
        }],
    );
    assert_eq!(verdicts(&rig), [(10_001, 0, true)]);
    let delayed = ProbeSpec {
        action: http("/"),
        initial_delay: second(15),
        success_threshold: 2,
        ..TICKS
    };
    let (rig, _) = run("nginx", &[], &[], &[delayed]);
    assert_eq!(verdicts(&rig), [(30_001, 0, true)]);
    assert!(rig.pending.is_empty());
}

#[test]
fn liveness_fails_after_the_threshold() {
    let liveness = |action| ProbeSpec {
        action,
        initial: Some(true),
        ..TICKS
    };
    // A gRPC client tries to connect until its time is over.
    for (action, at_ms) in [
        (http("/nope"), 30_001),
        (ProbeAction::Tcp { port: 81 }, 30_001),
        (ProbeAction::Grpc { port: 9 }, 31_000),
    ] {
        let (rig, _) = run("nginx", &[], &[], &[liveness(action)]);
        assert_eq!(verdicts(&rig), [(at_ms, 0, false)]);
    }
    // With its own files mounted, what a server answers is not known, and taken to be well.
    let (rig, _) = run(
        "nginx",
        &[],
        &["/etc/nginx/conf.d"],
        &[liveness(http("/nope"))],
    );
    assert_eq!(verdicts(&rig), []);
}

#[test]
fn the_file_that_a_script_removes_fails_its_check() {
    let probe = ProbeSpec {
        action: exec(&["cat", "/tmp/healthy"]),
        initial: Some(true),
        initial_delay: second(5),
        period: second(5),
        ..TICKS
    };
    let script = "touch /tmp/healthy; sleep 30; rm -f /tmp/healthy; sleep 600";
    let (rig, container) = run(
        "registry.k8s.io/busybox",
        &["/bin/sh", "-c", script],
        &[],
        &[probe],
    );
    // Removed 30 s after the start: ticks 35, 40 and 45 fail, each taking 40 ms.
    assert_eq!(verdicts(&rig), [(45_040, 0, false)]);
    assert!(rig.started(container) > SimTime::ZERO);
}

#[test]
fn a_startup_probe_holds_the_others_back_and_stops() {
    let probes = [
        ProbeSpec {
            which: 0,
            action: http("/"),
            initial: None,
            period: second(3),
            once: true,
            ..TICKS
        },
        ProbeSpec {
            which: 1,
            action: http("/"),
            after: Some(0),
            period: second(2),
            ..TICKS
        },
    ];
    let (rig, _) = run("nginx", &[], &[], &probes);
    assert_eq!(verdicts(&rig), [(3_001, 0, true), (4_001, 1, true)]);
    let failing = [
        ProbeSpec {
            action: http("/nope"),
            period: second(3),
            ..probes[0].clone()
        },
        probes[1].clone(),
    ];
    let (rig, _) = run("nginx", &[], &[], &failing);
    assert_eq!(verdicts(&rig), [(9_001, 0, false)]);
}

#[test]
fn a_hang_is_found_by_http_and_not_by_tcp() {
    let probes = [
        ProbeSpec {
            which: 0,
            action: http("/"),
            ..TICKS
        },
        ProbeSpec {
            which: 1,
            action: ProbeAction::Tcp { port: 80 },
            ..TICKS
        },
    ];
    let (mut rig, container) = run("nginx", &[], &[], &probes);
    rig.fault(SubstrateFault::Hang(container));
    rig.run_until(145);
    rig.fault(SubstrateFault::Unhang(container));
    rig.run_until(500);
    // Hung at 120: the ticks at 120, 130 and 140 time out after a second; well again at 145.
    assert_eq!(
        verdicts(&rig),
        [
            (10_001, 0, true),
            (10_001, 1, true),
            (141_000, 0, false),
            (150_001, 0, true)
        ]
    );
}

#[test]
fn a_manual_probe_starts_the_timer_anew() {
    let (mut rig, machines) = Rig::new(1);
    let sandbox = rig.sandbox(machines[1]);
    let spec = rig.spec("nginx", &[]);
    let probes = Arc::from([ProbeSpec {
        action: http("/"),
        ..TICKS
    }]);
    let container = rig.start(sandbox, ContainerSpec { probes, ..spec });
    rig.run_until(3);
    rig.order(Order::ProbeNow {
        container,
        which: 0,
    });
    rig.run_until(60);
    assert_eq!(verdicts(&rig), [(3_001, 0, true)]);
}

#[test]
fn docker_waits_a_full_interval_and_protects_the_start() {
    let docker = ProbeSpec {
        period: second(5),
        timeout: second(30),
        pacing: ProbePacing::Gaps,
        initial: None,
        ..TICKS
    };
    let script = exec(&["/healthchecks/redis.sh"]);
    let mounted = ProbeSpec {
        action: script,
        ..docker.clone()
    };
    let (rig, container) = run(
        "redis:alpine",
        &[],
        &["/healthchecks"],
        std::slice::from_ref(&mounted),
    );
    let since = |rig: &Rig, container| rig.started(container).as_micros() / 1_000;
    assert_eq!(verdicts(&rig), [(since(&rig, container) + 5_040, 0, true)]);
    // Without the mount the script is not there: unhealthy at the third try, each try 5.04 s on.
    let (rig, container) = run("redis:alpine", &[], &[], &[mounted]);
    assert_eq!(
        verdicts(&rig),
        [(since(&rig, container) + 3 * 5_040, 0, false)]
    );
    // In the start period probes come each second and failures do not count.
    let protected = ProbeSpec {
        start_period: second(20),
        start_interval: second(1),
        action: exec(&["false"]),
        ..docker
    };
    let (rig, container) = run("redis:alpine", &[], &[], &[protected]);
    // Tries start each 1.04 s from 1 s on; the 20th, at 20.76 s, is the first that counts, and it
    // ends 0.04 s later; full intervals follow.
    let first_counted = 20 * 1_040;
    assert_eq!(
        verdicts(&rig),
        [(since(&rig, container) + first_counted + 2 * 5_040, 0, false)]
    );
}

/// An official image's files are known; what others put at the root of theirs is not.
#[test]
fn a_script_of_an_image_answers_as_its_program_does() {
    let probe = |path: &str| ProbeSpec {
        action: exec(&[path]),
        period: SimDuration::from_secs(10),
        ..TICKS
    };
    let ends_well = |image: &str, path: &str| {
        let (rig, _) = run(image, &[], &[], &[probe(path)]);
        verdicts(&rig).last().is_some_and(|verdict| verdict.2)
    };
    assert!(!ends_well("nginx:1.27", "/ready.sh"));
    assert!(ends_well("nginx:1.27", "/docker-entrypoint.sh"));
    assert!(ends_well(
        "gcr.io/google-samples/cassandra:v14",
        "/ready-probe.sh"
    ));
    assert!(ends_well("registry.example/team/shop:7", "/healthy.sh"));
}
