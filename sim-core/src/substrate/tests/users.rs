//! What users get: balancers, partitions, stale rules, sums.

use super::*;

/// Starts nginx on these machines and puts a balancer in front.
fn served(entry: Entry, on: &[usize], workers: u32) -> (Rig, Vec<MachineId>, Vec<SandboxId>) {
    let (mut rig, machines) = Rig::new(workers);
    let mut sandboxes = Vec::new();
    for machine in on {
        let sandbox = rig.sandbox(machines[*machine]);
        let spec = rig.spec("nginx", &[]);
        rig.start(sandbox, spec);
        sandboxes.push(sandbox);
    }
    program(&mut rig, entry, &sandboxes);
    (rig, machines, sandboxes)
}

fn program(rig: &mut Rig, entry: Entry, sandboxes: &[SandboxId]) {
    let backends = sandboxes
        .iter()
        .map(|sandbox| Backend {
            sandbox: *sandbox,
            port: 80,
        })
        .collect();
    let name = rig.symbols.intern("web");
    let spec = BalancerSpec {
        name,
        mode: BalanceMode::Random,
        entry,
        backends,
    };
    rig.order(Order::SetBalancer {
        key: 1,
        spec: Arc::new(spec),
    });
}

fn share(rig: &Rig) -> Share {
    rig.substrate.flows().next().expect("one flow").1.share
}

const EVERY: Entry = Entry::EveryMachine(30_000);

#[test]
fn only_ready_backends_answer_and_sums_are_exact() {
    let (mut rig, machines, sandboxes) = served(EVERY, &[1, 2, 3], 3);
    assert_eq!(share(&rig), Share::NONE);
    rig.run_until(100);
    assert_eq!(share(&rig), Share::ALL);
    let first = rig
        .substrate
        .flows()
        .next()
        .expect("one flow")
        .1
        .first_answered
        .expect("answered");
    let before = rig
        .substrate
        .flows()
        .next()
        .expect("one flow")
        .1
        .totals(rig.now);
    rig.fault(SubstrateFault::Crash(machines[1]));
    assert_eq!(share(&rig), Share::new(2, 3));
    rig.run_until(130);
    program(&mut rig, EVERY, &sandboxes[1..]);
    rig.run_until(200);
    let flow = rig.substrate.flows().next().expect("one flow").1;
    assert_eq!(flow.share, Share::ALL);
    let lost = flow.totals(rig.now).since(before);
    let per_second = u128::from(DEFAULT_RATE) * 1_000_000;
    assert_eq!(lost.offered, 100 * per_second);
    assert_eq!(lost.answered, 90 * per_second);
    assert_eq!(lost.unserved, second(30));
    assert_eq!(lost.availability_millionths(), 900_000);
    assert!(first.since(SimTime::ZERO) < second(1));
    let permille: Vec<i64> = rig
        .notices
        .iter()
        .filter(|notice| notice.verb == "served")
        .map(|notice| match notice.detail {
            crate::des::notice::Detail::Change(_, to) => to,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(permille, [333, 666, 1_000, 666, 1_000]);
}

#[test]
fn one_entry_goes_down_with_its_machine() {
    let (mut rig, machines) = Rig::new(2);
    let sandbox = rig.sandbox(machines[2]);
    let spec = rig.spec("nginx", &[]);
    let container = rig.start(sandbox, spec);
    program(&mut rig, Entry::OneMachine(machines[1], 80), &[sandbox]);
    rig.run_until(10);
    assert_eq!(share(&rig), Share::ALL);
    rig.fault(SubstrateFault::Reboot(machines[1], second(10)));
    assert_eq!(share(&rig), Share::NONE);
    rig.run_until(60);
    assert_eq!(share(&rig), Share::ALL);
    rig.order(Order::Stop {
        container,
        grace: second(10),
    });
    assert_eq!(share(&rig), Share::NONE);
}

#[test]
fn a_partition_leaves_stale_rules_behind_it() {
    let (mut rig, machines, sandboxes) = served(EVERY, &[1, 2], 2);
    rig.run_until(10);
    let a = Side {
        machines: vec![machines[1]],
        users: false,
    };
    let b = Side {
        machines: vec![machines[0], machines[2]],
        users: false,
    };
    let rule = rig.with(|substrate, scope| substrate.add_rule(Rule::Partition { a, b }, scope));
    assert!(!rig.substrate.control_reachable(machines[1]));
    assert!(!rig.substrate.reachable(machines[1], machines[2]));
    let cut = Upcall::ControlLink {
        machine: machines[1],
        connected: false,
    };
    assert!(rig.heard.contains(&(rig.now, cut)));
    // Three entries, each finds its own side's backend half the time.
    assert_eq!(share(&rig), Share::new(1, 2));
    // New rules reach the two connected machines; the third keeps both backends.
    program(&mut rig, EVERY, &sandboxes[1..]);
    assert_eq!(share(&rig), Share::new(5, 6));
    // The stale rules follow what their backends do.
    rig.order(Order::RemoveSandbox {
        sandbox: sandboxes[0],
    });
    assert_eq!(share(&rig), Share::new(2, 3));
    rig.run_until(20);
    assert!(rig.with(|substrate, scope| substrate.remove_rule(rule, scope)));
    assert_eq!(share(&rig), Share::ALL);
    assert!(rig.heard.contains(&(
        rig.now,
        Upcall::ControlLink {
            machine: machines[1],
            connected: true
        }
    )));
}

#[test]
fn users_on_one_side_reach_that_side_only() {
    let (mut rig, machines, _) = served(EVERY, &[1], 2);
    rig.run_until(10);
    let a = Side {
        machines: Vec::new(),
        users: true,
    };
    let b = Side {
        machines: machines.clone(),
        users: false,
    };
    let rule = rig.with(|substrate, scope| substrate.add_rule(Rule::Partition { a, b }, scope));
    assert_eq!(share(&rig), Share::NONE);
    assert!(rig.substrate.control_reachable(machines[1]));
    rig.with(|substrate, scope| substrate.remove_rule(rule, scope));
    assert_eq!(share(&rig), Share::ALL);
}

#[test]
fn counts_equal_a_scan_after_any_changes() {
    let (mut rig, machines) = Rig::new(6);
    let mut sandboxes = Vec::new();
    let mut rules = Vec::new();
    for step in 0_u64..400 {
        let dice = crate::base::rng::mix(step.wrapping_mul(77)) as usize;
        let machine = machines[1 + dice % 6];
        match dice / 7 % 9 {
            0..=2 if rig.substrate.is_on(machine) => {
                let sandbox = rig.sandbox(machine);
                let spec = rig.spec("nginx", &[]);
                rig.start(sandbox, spec);
                sandboxes.push(sandbox);
            }
            3 if !sandboxes.is_empty() => {
                let sandbox = sandboxes.swap_remove(dice / 63 % sandboxes.len());
                rig.order(Order::RemoveSandbox { sandbox });
            }
            4 => rig.fault(SubstrateFault::Reboot(machine, second(3))),
            5 if rules.len() < 2 => {
                let a = Side {
                    machines: machines[1 + dice % 3..4].to_vec(),
                    users: dice.is_multiple_of(2),
                };
                let b = Side {
                    machines: vec![machines[0], machines[4]],
                    users: false,
                };
                let rule = Rule::Partition { a, b };
                rules.push(rig.with(|substrate, scope| substrate.add_rule(rule, scope)));
            }
            6 if !rules.is_empty() => {
                let rule = rules.remove(0);
                rig.with(|substrate, scope| substrate.remove_rule(rule, scope));
            }
            _ => program(&mut rig, EVERY, &sandboxes),
        }
        rig.run_until((step + 1) * 2);
        let kept = share_or_none(&rig);
        let now = rig.now;
        // A second copy of the machines recounts from nothing.
        let mut copy = rig.substrate.clone();
        let mut out = SubstrateOutbox::new();
        let mut scope = Scope {
            now,
            seed: Seed(7),
            symbols: &rig.symbols,
            out: &mut out,
        };
        copy.recount(&mut scope);
        assert_eq!(
            copy.flows().next().map(|(_, flow)| flow.share),
            kept,
            "step {step}"
        );
    }
}

fn share_or_none(rig: &Rig) -> Option<Share> {
    rig.substrate.flows().next().map(|(_, flow)| flow.share)
}
