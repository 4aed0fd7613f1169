//! Pulls, starts, stops, crashes and boots.

use super::*;
use crate::substrate::script::hands::OWN;

fn pull(rig: &mut Rig, part: u32, machine: MachineId, image: &str, policy: PullPolicy) {
    let image = rig.symbols.intern(image);
    rig.order(Order::Pull {
        owner: Owner { part, ..OWNER },
        machine,
        image,
        policy,
    });
}

fn pulled(rig: &Rig) -> Vec<(u64, u32)> {
    let of = |(at, upcall): &(SimTime, Upcall)| match upcall {
        Upcall::Pulled { owner, .. } => Some((at.as_micros() / 1_000, owner.part)),
        _ => None,
    };
    rig.heard.iter().filter_map(of).collect()
}

#[test]
fn pulls_of_one_image_share_and_others_queue() {
    let (mut rig, machines) = Rig::new(1);
    pull(&mut rig, 0, machines[1], "nginx", PullPolicy::IfNotPresent);
    pull(
        &mut rig,
        1,
        machines[1],
        "docker.io/library/nginx:latest",
        PullPolicy::Always,
    );
    pull(
        &mut rig,
        2,
        machines[1],
        "redis:alpine",
        PullPolicy::IfNotPresent,
    );
    rig.run_until(60);
    // Round trip 400 ms, then 72 MB and 45 MB at 25 MB/s.
    assert_eq!(pulled(&rig), [(3_280, 0), (3_280, 1), (5_080, 2)]);
    pull(&mut rig, 3, machines[1], "nginx", PullPolicy::IfNotPresent);
    pull(&mut rig, 4, machines[1], "nginx", PullPolicy::Always);
    rig.run_until(70);
    assert_eq!(pulled(&rig)[3..], [(60_000, 3), (60_400, 4)]);
}

#[test]
fn a_pull_fails_as_the_registry_says() {
    let (mut rig, machines) = Rig::new(1);
    for image in ["ngnix", "nginx:1.161", "UPPER", "memcached"] {
        let policy = if image == "memcached" {
            PullPolicy::Never
        } else {
            PullPolicy::Always
        };
        pull(&mut rig, 0, machines[1], image, policy);
    }
    rig.run_until(10);
    let rule = rig.with(|substrate, scope| substrate.add_rule(Rule::RegistryDown, scope));
    pull(&mut rig, 0, machines[1], "redis", PullPolicy::Always);
    rig.run_until(20);
    assert!(rig.with(|substrate, scope| substrate.remove_rule(rule, scope)));
    let missing = Rule::ImageMissing {
        image: Arc::from("redis:7"),
    };
    rig.with(|substrate, scope| substrate.add_rule(missing, scope));
    pull(&mut rig, 0, machines[1], "redis:7", PullPolicy::Always);
    pull(&mut rig, 1, machines[1], "redis:6", PullPolicy::Always);
    rig.run_until(30);
    let of = |(_, upcall): &(SimTime, Upcall)| match upcall {
        Upcall::PullFailed { error, .. } => Some(*error),
        _ => None,
    };
    let errors: Vec<PullError> = rig.heard.iter().filter_map(of).collect();
    assert_eq!(
        errors,
        [
            PullError::InvalidName,
            PullError::NotPresent,
            PullError::Denied,
            PullError::ManifestUnknown,
            PullError::RegistryDown,
            PullError::ManifestUnknown,
        ]
    );
    assert_eq!(pulled(&rig).len(), 1);
}

#[test]
fn commands_decide_the_course() {
    type Case = (&'static str, &'static [&'static str], Option<(u64, i32)>);
    let cases: [Case; 9] = [
        ("busybox", &[], Some((7, 0))),
        ("busybox", &["sleep", "5"], Some((5_002, 0))),
        ("busybox", &["sleep", "infinity"], None),
        (
            "busybox",
            &["sh", "-c", "echo hello; sleep 2 && exit 3"],
            Some((2_002, 3)),
        ),
        ("busybox", &["sh", "-c", "false || exit 4"], Some((2, 4))),
        (
            "busybox",
            &["sh", "-c", "while true; do echo hi; sleep 5; done"],
            None,
        ),
        ("nginx", &[], None),
        ("python:3.12", &["python", "app.py"], None),
        (
            "perl:5.34.0",
            &["perl", "-Mbignum=bpi", "-wle", "print bpi(2000)"],
            Some((1_002, 0)),
        ),
    ];
    for (image, command, expected) in cases {
        let (mut rig, machines) = Rig::new(1);
        let sandbox = rig.sandbox(machines[1]);
        let spec = rig.spec(image, command);
        let container = rig.start(sandbox, spec);
        rig.run_until(100);
        assert_eq!(rig.exited(container), expected, "{image} {command:?}");
    }
}

#[test]
fn a_loop_that_never_ends_prints_as_long_as_it_runs() {
    let touches = format!(
        "for i in 1 2; do echo $i; done; while :; do [ -f {OWN}a ] && echo there || touch {OWN}a; sleep 9; done"
    );
    let cases: [(&str, u64, &[&str]); 5] = [
        (
            "i=0; while true; do echo $i $(date +%S); i=$((i+1)); sleep 4; done",
            10,
            &["0 00", "1 04", "2 08"],
        ),
        (
            "echo begin; while sleep 3; do echo turn; done",
            10,
            &["begin", "turn", "turn", "turn"],
        ),
        (&touches, 20, &["1", "2", "there", "there"]),
        // Nobody can tell how much this has printed.
        ("echo begin; while true; do echo x; done", 10, &["begin"]),
        ("(while true; do echo in; sleep 9; done)", 10, &["in", "in"]),
    ];
    for (script, seconds, expected) in cases {
        let (mut rig, machines) = Rig::new(1);
        let sandbox = rig.sandbox(machines[1]);
        let spec = rig.spec("busybox", &["sh", "-c", script]);
        let container = rig.start(sandbox, spec);
        rig.run_until(seconds);
        let row = rig.substrate.container(container).expect("it runs");
        let log = row.log(rig.now);
        let lines: Vec<&str> = log.iter().map(|(_, line)| &**line).collect();
        assert_eq!(lines, expected, "{script}");
    }
}

#[test]
fn a_stop_waits_for_the_grace_only_where_it_must() {
    let (mut rig, machines) = Rig::new(1);
    let sandbox = rig.sandbox(machines[1]);
    let nginx = rig.spec("nginx", &[]);
    let nginx = rig.start(sandbox, nginx);
    let sleeper = rig.spec("busybox", &["sleep", "infinity"]);
    let sleeper = rig.start(sandbox, sleeper);
    rig.run_until(10);
    for container in [nginx, sleeper] {
        rig.order(Order::Stop {
            container,
            grace: second(30),
        });
    }
    rig.run_until(100);
    let since_order = |container| {
        let (span, code) = rig.exited(container).expect("it ended");
        let at = rig.started(container) + SimDuration::from_millis(span);
        (at.as_micros().div_ceil(1_000) - 10_000, code)
    };
    // nginx handles the signal in 50 ms; sleep as the first process ignores it.
    assert_eq!(since_order(nginx), (60, 0));
    assert_eq!(since_order(sleeper), (30_010, 137));
}

#[test]
fn memory_below_the_program_is_a_kill() {
    let (mut rig, machines) = Rig::new(1);
    let sandbox = rig.sandbox(machines[1]);
    let mut spec = rig.spec("mysql:8", &[]);
    spec.limits.memory = 64 << 20;
    let container = rig.start(sandbox, spec);
    rig.run_until(60);
    assert_eq!(rig.exited(container), Some((1_000, 137)));
    assert!(
        rig.heard
            .iter()
            .any(|(_, upcall)| matches!(upcall, Upcall::Exited { oom: true, .. }))
    );
}

#[test]
fn a_crash_forgets_what_ran_and_a_reboot_brings_the_machine_back() {
    let (mut rig, machines) = Rig::new(2);
    let sandbox = rig.sandbox(machines[1]);
    let spec = rig.spec("nginx", &[]);
    let container = rig.start(sandbox, spec);
    pull(&mut rig, 0, machines[1], "nginx", PullPolicy::IfNotPresent);
    rig.run_until(10);
    assert_eq!(
        rig.substrate.sandbox_address(sandbox).as_deref(),
        Some("10.244.1.2")
    );
    rig.fault(SubstrateFault::Reboot(machines[1], second(30)));
    assert!(rig.substrate.container(container).is_none());
    assert!(!rig.substrate.is_on(machines[1]));
    rig.order(Order::Stop {
        container,
        grace: second(1),
    });
    rig.run_until(100);
    assert!(rig.substrate.is_on(machines[1]));
    assert!(
        rig.substrate
            .has_image(machines[1], "docker.io/library/nginx", &rig.symbols)
    );
    rig.fault(SubstrateFault::Crash(machines[2]));
    rig.run_until(200);
    rig.fault(SubstrateFault::PowerOn(machines[2]));
    rig.run_until(300);
    let of = |(at, upcall): &(SimTime, Upcall)| match upcall {
        Upcall::MachineDown { machine } => Some((at.whole_seconds(), *machine, false)),
        Upcall::MachineUp { machine } => Some((at.whole_seconds(), *machine, true)),
        _ => None,
    };
    let power: Vec<(u64, MachineId, bool)> = rig.heard.iter().filter_map(of).collect();
    let expected = [
        (10, machines[1], false),
        (60, machines[1], true),
        (100, machines[2], false),
        (220, machines[2], true),
    ];
    assert_eq!(power, expected);
    assert!(
        !rig.heard
            .iter()
            .any(|(_, upcall)| matches!(upcall, Upcall::Exited { .. }))
    );
    assert!(rig.pending.is_empty(), "what stays as it is costs nothing");
}

#[test]
fn a_port_is_taken_once() {
    let (mut rig, machines) = Rig::new(1);
    let (first, second) = (rig.sandbox(machines[1]), rig.sandbox(machines[1]));
    for sandbox in [first, second] {
        rig.order(Order::BindPort {
            owner: OWNER,
            sandbox,
            port: 8080,
        });
    }
    assert_eq!(
        rig.heard.last().map(|(_, upcall)| *upcall),
        Some(Upcall::PortTaken {
            owner: OWNER,
            sandbox: second,
            port: 8080
        })
    );
    rig.order(Order::RemoveSandbox { sandbox: first });
    let count = rig.heard.len();
    rig.order(Order::BindPort {
        owner: OWNER,
        sandbox: second,
        port: 8080,
    });
    assert_eq!(rig.heard.len(), count);
}

#[test]
fn a_subnet_has_253_addresses() {
    let (mut rig, machines) = Rig::new(1);
    for _ in 0..254 {
        rig.sandbox(machines[1]);
    }
    rig.run_until(10);
    let failed = rig
        .heard
        .iter()
        .filter(|(_, upcall)| matches!(upcall, Upcall::SandboxFailed { .. }))
        .count();
    assert_eq!(failed, 1);
}

/// Of what is taken over, addresses stay: in the machine's subnet, outside of it, and once only.
#[test]
fn a_wanted_address_is_kept_unless_somebody_has_it() {
    let (mut rig, machines) = Rig::new(1);
    let with = |rig: &mut Rig, address: [u8; 4]| {
        rig.order(Order::CreateSandbox {
            owner: OWNER,
            machine: machines[1],
            spec: Arc::new(crate::substrate::cgroup::settings::SandboxSpec {
                address: u32::from_be_bytes(address),
                ..Default::default()
            }),
        });
        match rig.heard.last() {
            Some((_, Upcall::SandboxCreated { sandbox, .. })) => *sandbox,
            other => panic!("no sandbox: {other:?}"),
        }
    };
    let own = with(&mut rig, [10, 244, 1, 9]);
    rig.run_until(5);
    let again = with(&mut rig, [10, 244, 1, 9]);
    rig.run_until(10);
    let foreign = with(&mut rig, [192, 168, 7, 3]);
    let any = rig.sandbox(machines[1]);
    rig.run_until(15);
    let text = |rig: &Rig, sandbox| rig.substrate.sandbox_address(sandbox).unwrap();
    assert_eq!(text(&rig, own), "10.244.1.9");
    assert_eq!(text(&rig, again), "10.244.1.10");
    assert_eq!(text(&rig, foreign), "192.168.7.3");
    assert_eq!(text(&rig, any), "10.244.1.11");
    // Given back, it does not free its namesake in the machine's subnet.
    rig.order(Order::RemoveSandbox { sandbox: foreign });
    let third = with(&mut rig, [192, 168, 7, 3]);
    let ninth = with(&mut rig, [10, 244, 1, 9]);
    rig.run_until(20);
    assert_eq!(text(&rig, third), "192.168.7.3");
    assert_eq!(text(&rig, ninth), "10.244.1.12");
    // A machine that joins later with the subnet: what lies in it is taken already.
    let late = rig.machine("worker-9", false);
    let base = u32::from_be_bytes([10, 244, 2, 0]);
    assert_eq!(rig.substrate.machine_of_subnet(base), Some(late));
    let early = with(&mut rig, [10, 244, 3, 2]);
    rig.run_until(25);
    assert_eq!(text(&rig, early), "10.244.3.2");
    let owner = rig.machine("worker-10", false);
    let own = |rig: &mut Rig| {
        rig.order(Order::CreateSandbox {
            owner: OWNER,
            machine: owner,
            spec: Arc::new(crate::substrate::cgroup::settings::SandboxSpec {
                address: u32::from_be_bytes([10, 244, 3, 2]),
                ..Default::default()
            }),
        });
        match rig.heard.last() {
            Some((_, Upcall::SandboxCreated { sandbox, .. })) => *sandbox,
            other => panic!("no sandbox: {other:?}"),
        }
    };
    let other = own(&mut rig);
    rig.run_until(30);
    assert_eq!(text(&rig, other), "10.244.3.3");
}

/// What a machine's clock showed, and when it showed it, are each other's opposite; a time that it was
/// turned past is that of the turn.
#[test]
fn a_clock_that_was_turned_is_read_backwards() {
    let (mut rig, machines) = Rig::new(1);
    let machine = machines[0];
    let at = |seconds| SimTime::ZERO + SimDuration::from_secs(seconds);
    rig.run_until(100);
    rig.fault(SubstrateFault::TurnClock(machine, 50_000_000));
    rig.run_until(200);
    rig.fault(SubstrateFault::TurnClock(machine, -80_000_000));
    for seconds in [10, 99, 200, 300] {
        let clock = rig.substrate.wall(machine, at(seconds));
        assert_eq!(rig.substrate.when(machine, clock), at(seconds), "{seconds}");
    }
    assert_eq!(rig.substrate.when(machine, at(120)), at(100));
}
