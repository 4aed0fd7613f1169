//! Disks over the network that a machine loses, and what signals do meanwhile.

use super::*;
use crate::substrate::cgroup::settings::{GroupSettings, SandboxSpec};
use crate::substrate::pressure::Resource;
use crate::substrate::root_fs::{Change, From, Mount, RootSpec};

/// A container with a disk over the network on the first worker, running for ten seconds.
fn remote(rig: &mut Rig, machine: MachineId, image: &str, command: &[&str]) -> ContainerId {
    let sandbox = rig.sandbox(machine);
    let mut spec = rig.spec(image, command);
    spec.root = Arc::new(mounted(&[("/data", From::Remote("disk".into(), 1 << 30))]));
    rig.start(sandbox, spec)
}

fn mounted(mounts: &[(&str, From)]) -> RootSpec {
    RootSpec {
        mounts: mounts
            .iter()
            .map(|(target, from)| Mount {
                target: (*target).into(),
                from: from.clone(),
                sub: "".into(),
                read_only: false,
            })
            .collect(),
        ..RootSpec::default()
    }
}

/// Second, code and cause of a container's end.
fn end(rig: &Rig, container: ContainerId) -> Option<(u64, i32, bool)> {
    rig.heard.iter().find_map(|(at, upcall)| match upcall {
        Upcall::Exited {
            container: of,
            code,
            oom,
            ..
        } if *of == container => Some((at.whole_seconds(), *code, *oom)),
        _ => None,
    })
}

fn stop(rig: &mut Rig, container: ContainerId, grace: u64) {
    let grace = second(grace);
    rig.order(Order::Stop { container, grace });
}

/// The kernel keeps signals of a process that sleeps in a request; each is what it is on waking.
#[test]
fn a_sleeping_process_takes_its_signals_when_it_wakes() {
    type Case = (&'static str, fn(&mut Rig, ContainerId), (u64, i32, bool));
    let cases: [Case; 6] = [
        // Grace left on waking: the handler ends it in order.
        ("stop", |rig, id| stop(rig, id, 60), (50, 0, false)),
        // The grace was over: SIGKILL was waiting, too.
        ("late", |rig, id| stop(rig, id, 10), (50, 137, false)),
        (
            "kill",
            |rig, id| rig.order(Order::Kill { container: id }),
            (50, 137, false),
        ),
        (
            "oom",
            |rig, id| rig.with(|machines, scope| machines.oom_kill(id, scope)),
            (50, 137, true),
        ),
        // The kernel's kill keeps its cause beside a stop that came before it.
        (
            "stop, oom",
            |rig, id| {
                stop(rig, id, 60);
                rig.with(|machines, scope| machines.oom_kill(id, scope));
            },
            (50, 137, true),
        ),
        (
            "kill after stop",
            |rig, id| {
                stop(rig, id, 60);
                rig.order(Order::Kill { container: id });
            },
            (50, 137, false),
        ),
    ];
    for (name, act, expected) in cases {
        let (mut rig, machines) = Rig::new(1);
        let container = remote(&mut rig, machines[1], "nginx", &[]);
        rig.run_until(10);
        rig.fault(SubstrateFault::CutStorage(machines[1], true));
        rig.run_until(20);
        act(&mut rig, container);
        rig.run_until(49);
        assert_eq!(end(&rig, container), None, "{name}");
        rig.run_until(50);
        rig.fault(SubstrateFault::CutStorage(machines[1], false));
        rig.run_until(500);
        assert_eq!(end(&rig, container), Some(expected), "{name}");
    }
}

/// Requests fail after two minutes: who was killed goes then, and no later.
#[test]
fn a_sleeping_process_wakes_when_requests_fail() {
    let (mut rig, machines) = Rig::new(1);
    let killed = remote(&mut rig, machines[1], "nginx", &[]);
    let stopped = remote(&mut rig, machines[1], "nginx", &[]);
    let sleeper = remote(&mut rig, machines[1], "busybox", &["sleep", "30"]);
    rig.run_until(10);
    rig.fault(SubstrateFault::CutStorage(machines[1], true));
    rig.order(Order::Kill { container: killed });
    stop(&mut rig, stopped, 200);
    rig.run_until(500);
    assert_eq!(end(&rig, killed), Some((130, 137, false)));
    assert_eq!(end(&rig, stopped), Some((210, 137, false)));
    assert_eq!(end(&rig, sleeper), Some((130, 0, false)));
}

/// A stop that was under way when the disk went does not end a process that sleeps.
#[test]
fn a_stop_before_the_cut_waits_with_the_process() {
    let (mut rig, machines) = Rig::new(1);
    let stopped = remote(&mut rig, machines[1], "nginx", &[]);
    let sleeper = remote(&mut rig, machines[1], "busybox", &["sleep", "30"]);
    rig.run_until(10);
    stop(&mut rig, stopped, 60);
    rig.fault(SubstrateFault::CutStorage(machines[1], true));
    rig.run_until(50);
    assert_eq!((end(&rig, stopped), end(&rig, sleeper)), (None, None));
    rig.fault(SubstrateFault::CutStorage(machines[1], false));
    rig.run_until(100);
    assert_eq!(end(&rig, stopped), Some((50, 0, false)));
    assert_eq!(end(&rig, sleeper), Some((50, 0, false)));
}

/// What does not run yet does not sleep: killing it takes no time.
#[test]
fn a_container_that_is_only_made_is_killed_at_once() {
    let (mut rig, machines) = Rig::new(1);
    rig.run_until(1);
    rig.fault(SubstrateFault::CutStorage(machines[1], true));
    let container = remote(&mut rig, machines[1], "nginx", &[]);
    rig.order(Order::Kill { container });
    rig.run_until(500);
    assert_eq!(end(&rig, container), Some((1, 137, false)));
}

/// A program that hangs, and one that lacks its disk, are silent for reasons of their own.
#[test]
fn a_cut_and_a_hang_do_not_heal_each_other() {
    let (mut rig, machines) = Rig::new(1);
    let container = remote(&mut rig, machines[1], "nginx", &[]);
    rig.run_until(10);
    let silent = |rig: &Rig| rig.substrate.container(container).unwrap().is_silent();
    assert!(!silent(&rig));
    rig.fault(SubstrateFault::Hang(container));
    rig.fault(SubstrateFault::CutStorage(machines[1], true));
    rig.fault(SubstrateFault::CutStorage(machines[1], false));
    assert!(silent(&rig));
    rig.fault(SubstrateFault::CutStorage(machines[1], true));
    rig.fault(SubstrateFault::Unhang(container));
    assert!(silent(&rig));
    rig.fault(SubstrateFault::CutStorage(machines[1], false));
    assert!(!silent(&rig));
}

/// Waits for a disk are counted from falling asleep until requests fail, also of who starts late.
#[test]
fn waits_for_a_lost_disk_end_when_requests_fail() {
    let (mut rig, machines) = Rig::new(1);
    let early = remote(&mut rig, machines[1], "nginx", &[]);
    rig.run_until(10);
    rig.fault(SubstrateFault::CutStorage(machines[1], true));
    rig.run_until(70);
    let late = remote(&mut rig, machines[1], "nginx", &[]);
    rig.run_until(400);
    let never = remote(&mut rig, machines[1], "nginx", &[]);
    rig.run_until(500);
    let waited = |container| {
        let pressure = rig.substrate.container_pressure(container, rig.now);
        pressure[Resource::Io as usize].full.total()
    };
    assert_eq!(waited(early), second(120));
    let fails = SimTime::ZERO + second(130);
    assert_eq!(waited(late), fails.since(rig.started(late)));
    assert_eq!(waited(never), SimDuration::ZERO);
}

/// What a script writes into memory, or onto a disk that is elsewhere, takes no room on its machine.
#[test]
fn a_script_fills_the_disk_that_it_writes_to() {
    let (mut rig, machines) = Rig::new(1);
    let sandbox = rig.sandbox(machines[1]);
    let before = rig.substrate.written_bytes(machines[1], rig.now);
    let script = "dd if=/dev/zero of=/memory/a bs=1M count=8; dd if=/dev/zero of=/far/b bs=1M \
                  count=16; dd if=/dev/zero of=/own/d bs=1M count=2; sleep infinity";
    let mut spec = rig.spec("busybox", &["sh", "-c", script]);
    spec.root = Arc::new(mounted(&[
        ("/memory", From::Memory(0)),
        ("/far", From::Remote("disk".into(), 1 << 30)),
        ("/own", From::Volume("own".into())),
    ]));
    let container = rig.start(sandbox, spec);
    rig.run_until(100);
    assert_eq!(
        rig.substrate.container_disk_below(container, "/", rig.now) >> 20,
        26
    );
    let after = rig.substrate.written_bytes(machines[1], rig.now);
    assert_eq!((after - before) >> 20, 2);
}

/// A limit of the sandbox slows from when it is set, not from when its mark was passed.
#[test]
fn a_sandbox_limit_slows_from_now_on() {
    let (mut rig, machines) = Rig::new(1);
    let mut capacity = ResourceVector::new();
    capacity.memory = 16 << 30;
    rig.substrate.set_capacity(machines[1], capacity);
    let sandbox = rig.sandbox(machines[1]);
    let spec = rig.spec("busybox", &["sleep", "infinity"]);
    let container = rig.start(sandbox, spec);
    rig.run_until(10);
    rig.fault(SubstrateFault::Leak(container, 1 << 20));
    rig.run_until(60);
    let set = |rig: &mut Rig, memory_high| {
        rig.order(Order::ResizeSandbox {
            sandbox,
            spec: Arc::new(SandboxSpec {
                group: GroupSettings {
                    memory_high,
                    ..GroupSettings::default()
                },
                ..SandboxSpec::default()
            }),
        });
    };
    set(&mut rig, Some(16 << 20));
    rig.run_until(90);
    set(&mut rig, None);
    rig.run_until(200);
    let pressure = rig.substrate.container_pressure(container, rig.now);
    let waited = pressure[Resource::Memory as usize].full.total();
    assert_eq!(waited, second(30));
}

/// Memory that a pod's containers share counts for the oldest that has it, and for nobody else.
#[test]
fn shared_memory_counts_for_the_oldest() {
    let (mut rig, machines) = Rig::new(1);
    let mut pods = Vec::new();
    for part in 0..3 {
        rig.order(Order::CreateSandbox {
            owner: Owner { part, ..OWNER },
            machine: machines[1],
            spec: Arc::new(SandboxSpec {
                holder: true,
                ..SandboxSpec::default()
            }),
        });
        let Some((_, Upcall::SandboxCreated { sandbox, .. })) = rig.heard.last() else {
            panic!("no sandbox");
        };
        let sandbox = *sandbox;
        let [oldest, other] = [(); 2].map(|()| {
            let spec = rig.spec("busybox", &["sleep", "infinity"]);
            rig.start(sandbox, spec)
        });
        pods.push((oldest, other));
    }
    rig.run_until(10);
    let write = |rig: &mut Rig, container: ContainerId, bytes| {
        let spot = rig.substrate.spot(container, "/dev/shm/a").expect("a spot");
        rig.with(|substrate, scope| {
            let change = Change::Fill(bytes);
            substrate.change_file(machines[1], &spot, &change, Some(container), scope)
        })
        .expect("room");
    };
    write(&mut rig, pods[0].1, 1 << 20);
    write(&mut rig, pods[2].0, 2 << 20);
    let shared = |container| rig.substrate.container_memory(container, rig.now).shared >> 20;
    let all: Vec<_> = pods
        .iter()
        .map(|(one, two)| (shared(*one), shared(*two)))
        .collect();
    assert_eq!(all, [(1, 0), (0, 0), (2, 0)]);
}
