//! Crashes of tasks and machines.

use super::*;

#[test]
fn a_dead_node_is_noticed_within_the_documented_bounds() {
    for seed in 0..40 {
        let mut rig = Rig::seeded(2, seed);
        rig.run_for(secs(100 + seed));
        let crash = rig.now;
        rig.fault(SubstrateFault::Crash(rig.id("worker-1")));
        rig.run_for(secs(30));
        let down = rig.noted("swarm.dispatcher", "down");
        assert_eq!(down.len(), 1);
        // The last beat is at most 5.5 s old when the machine dies.
        let waited = down[0].since(crash);
        assert!(waited <= SimDuration::from_millis(16_500), "{waited}");
        assert!(waited >= SimDuration::from_millis(8_000), "{waited}");
    }
}

#[test]
fn expiry_is_three_periods_after_the_last_beat() {
    let base = secs(5);
    for key in 0..50 {
        let now = SimTime::ZERO + secs(1000);
        let (at, beat, expiry) = dispatcher::last_beat(Seed(1), key, (SimTime::ZERO, 0), base, now);
        assert!(at <= now);
        assert!(now.since(at) <= SimDuration::from_millis(5_500));
        assert!((181..=223).contains(&beat), "{beat}");
        let grace = expiry.since(at);
        assert!(
            grace >= SimDuration::from_millis(13_500) && grace <= SimDuration::from_millis(16_500)
        );
        // Computing in two steps gives the same beats.
        let half = SimTime::ZERO + secs(500);
        let (at2, beat2, _) = dispatcher::last_beat(Seed(1), key, (SimTime::ZERO, 0), base, half);
        assert_eq!(
            dispatcher::last_beat(Seed(1), key, (at2, beat2), base, now),
            (at, beat, expiry)
        );
    }
}

#[test]
fn tasks_of_a_dead_node_move_after_the_delay_and_do_not_come_back() {
    let mut rig = Rig::new(3);
    rig.create(spec("web", "nginx:alpine", 3));
    rig.run_for(secs(60));
    rig.fault(SubstrateFault::Crash(rig.id("worker-1")));
    rig.run_for(secs(60));
    let down = rig.noted("swarm.dispatcher", "down")[0];
    let restart = rig.noted("swarm.restart", "restart")[0];
    let wait = restart.since(down);
    assert!(
        wait >= secs(5) && wait < SimDuration::from_millis(5_010),
        "{wait}"
    );
    assert_eq!(
        rig.ps("web"),
        [
            "web.1 worker-2 Running Running",
            "\\_ web.1 worker-1 Shutdown Running",
            "web.2 worker-2 Running Running",
            "web.3 worker-3 Running Running"
        ]
    );
    assert_eq!(
        rig.service("web").counts.running,
        4,
        "the dead task is still counted"
    );
    assert_eq!(rig.service("web").counts.blocked, 1);
    assert_eq!(rig.plane.unmet(), 0);
    rig.check_counts();
    rig.fault(SubstrateFault::PowerOn(rig.id("worker-1")));
    rig.run_for(secs(60));
    assert_eq!(rig.noted("swarm.dispatcher", "ready").len(), 5);
    assert_eq!(
        rig.ps("web"),
        [
            "web.1 worker-2 Running Running",
            // Its agent finds the container dead before it hears of the manager's wish.
            "\\_ web.1 worker-1 Shutdown Failed \"task: non-zero exit (255)\"",
            "web.2 worker-2 Running Running",
            "web.3 worker-3 Running Running"
        ]
    );
    rig.check_counts();
}

#[test]
fn tasks_of_a_node_that_stays_down_are_orphaned_after_a_day() {
    let mut rig = Rig::new(2);
    rig.create(spec("web", "nginx:alpine", 2));
    rig.run_for(secs(60));
    rig.fault(SubstrateFault::Crash(rig.id("worker-1")));
    rig.run_for(secs(25 * 3600));
    assert_eq!(rig.ps("web")[1], "\\_ web.1 worker-1 Shutdown Orphaned");
    assert_eq!(rig.service("web").counts.blocked, 0);
    rig.check_counts();
}

#[test]
fn a_crash_loop_keeps_five_tasks() {
    let mut rig = Rig::new(2);
    let mut bad = spec("bad", "busybox:latest", 1);
    bad.task.container.command = vec!["sh".into(), "-c".into(), "sleep 2; exit 1".into()];
    rig.create(bad);
    rig.run_for(secs(120));
    let rows = rig.ps("bad");
    assert_eq!(rows.len(), 5, "{rows:?}");
    assert!(
        rows[1].ends_with("Shutdown Failed \"task: non-zero exit (1)\""),
        "{rows:?}"
    );
    let restarts = rig.noted("swarm.restart", "restart");
    let cycle = restarts[4].since(restarts[3]);
    assert!(cycle >= secs(7) && cycle < secs(9), "{cycle}");
    rig.check_counts();
}

#[test]
fn max_attempts_counts_replacements() {
    let mut rig = Rig::new(2);
    let mut bad = spec("bad", "busybox:latest", 1);
    bad.task.container.command = vec!["sh".into(), "-c".into(), "sleep 2; exit 1".into()];
    bad.task.restart_policy.max_attempts = 3;
    rig.create(bad);
    rig.run_for(secs(300));
    let rows = rig.ps("bad");
    assert_eq!(rows.len(), 4, "{rows:?}");
    assert_eq!(rig.noted("swarm.restart", "restart").len(), 3);
    assert_eq!(rig.noted("swarm.restart", "give-up").len(), 1);
}

#[test]
fn a_missing_image_is_tried_every_five_seconds() {
    let mut rig = Rig::new(2);
    rig.create(spec("bad", "nginx:does-not-exist", 1));
    rig.run_for(secs(62));
    let rejected = rig.noted("swarm.agent", "reject");
    // The first two follow at once, because a successor prepares during its delay; then one for
    // each delay.
    assert!((13..=14).contains(&rejected.len()), "{}", rejected.len());
    let rows = rig.ps("bad");
    assert!(rows[1].contains("Rejected"), "{rows:?}");
    assert!(rows.len() >= 5 && rows.len() <= 6, "{rows:?}");
}

#[test]
fn a_short_cut_is_not_noticed_and_a_long_one_moves_tasks() {
    let mut rig = Rig::new(2);
    rig.create(spec("web", "nginx:alpine", 2));
    rig.run_for(secs(60));
    let machine = rig.id("worker-1");
    rig.swarm(|plane, ctx, out| {
        plane.upcall(
            Upcall::ControlLink {
                machine,
                connected: false,
            },
            ctx,
            out,
        )
    });
    rig.run_for(secs(4));
    rig.swarm(|plane, ctx, out| {
        plane.upcall(
            Upcall::ControlLink {
                machine,
                connected: true,
            },
            ctx,
            out,
        )
    });
    rig.run_for(secs(60));
    assert!(rig.noted("swarm.dispatcher", "down").is_empty());
    rig.swarm(|plane, ctx, out| {
        plane.upcall(
            Upcall::ControlLink {
                machine,
                connected: false,
            },
            ctx,
            out,
        )
    });
    rig.run_for(secs(60));
    assert_eq!(
        rig.machines.containers().count(),
        3,
        "a cut-off agent keeps its container"
    );
    rig.swarm(|plane, ctx, out| {
        plane.upcall(
            Upcall::ControlLink {
                machine,
                connected: true,
            },
            ctx,
            out,
        )
    });
    rig.run_for(secs(60));
    assert_eq!(rig.noted("swarm.dispatcher", "ready").len(), 4);
    assert_eq!(rig.ps("web")[1], "\\_ web.1 worker-1 Shutdown Shutdown");
    assert_eq!(rig.service("web").counts.good, 2);
    rig.check_counts();
}

#[test]
fn a_rebooted_node_reports_lost_tasks_as_failed_when_it_was_not_missed() {
    let mut rig = Rig::new(1);
    rig.create(spec("web", "nginx:alpine", 1));
    rig.run_for(secs(60));
    rig.fault(SubstrateFault::Reboot(
        rig.id("worker-1"),
        SimDuration::ZERO,
    ));
    rig.run_for(secs(120));
    assert_eq!(rig.service("web").counts.good, 1);
    assert_eq!(rig.plane.unmet(), 0);
    rig.check_counts();
}

#[test]
fn a_drained_node_gives_its_tasks_away_without_delay() {
    let mut rig = Rig::new(2);
    rig.create(spec("web", "nginx:alpine", 2));
    rig.run_for(secs(60));
    let drained = rig.now;
    let change = control_api::NodeChange {
        availability: Some(Availability::Drain),
        ..Default::default()
    };
    rig.request(Request::UpdateNode {
        node: "worker-1".into(),
        version: None,
        change,
    })
    .expect("drained");
    rig.run_for(secs(30));
    let start = rig.noted("swarm.restart", "start")[0];
    assert!(
        start.since(drained) < secs(2),
        "no restart delay: {}",
        start.since(drained)
    );
    assert_eq!(rig.service("web").counts.good, 2);
    rig.check_counts();
}

#[test]
fn a_task_that_fits_nowhere_says_why_and_waits() {
    let mut rig = Rig::new(2);
    let mut big = spec("big", "nginx:alpine", 1);
    big.task.resources.requests.memory_bytes = Some(16 << 30);
    rig.create(big);
    rig.run_for(secs(10));
    assert_eq!(
        rig.ps("big"),
        [
            "big.1  Running Pending \"no suitable node (insufficient resources on 2 nodes; 1 node not available for new tasks)\""
        ]
    );
    let mut narrow = spec("narrow", "nginx:alpine", 1);
    narrow
        .task
        .placement
        .constraints
        .push("node.labels.zone==a".into());
    rig.create(narrow);
    rig.run_for(secs(10));
    assert!(rig.ps("narrow")[0].contains("scheduling constraints not satisfied on 2 nodes"));
    let labels_add = vec![("zone".into(), "a".into())];
    let change = control_api::NodeChange {
        labels_add,
        ..Default::default()
    };
    rig.request(Request::UpdateNode {
        node: "worker-2".into(),
        version: None,
        change,
    })
    .expect("labelled");
    rig.run_for(secs(10));
    assert_eq!(rig.ps("narrow"), ["narrow.1 worker-2 Running Running"]);
    let change = control_api::NodeChange {
        labels_remove: vec!["zone".into()],
        ..Default::default()
    };
    rig.request(Request::UpdateNode {
        node: "worker-2".into(),
        version: None,
        change,
    })
    .expect("unlabelled");
    rig.run_for(secs(20));
    let rows = rig.ps("narrow");
    assert!(
        rows[1].contains("Rejected \"assigned node no longer meets constraints\""),
        "{rows:?}"
    );
    assert!(rows[0].contains("Pending"), "{rows:?}");
    rig.check_counts();
}

/// A check that never passes: probes at 30, 60 and 90 s, then the container is stopped.
#[test]
fn a_failing_health_check_ends_the_task() {
    use crate::api::health::{HealthCheck, HealthTest};
    let mut rig = Rig::new(1);
    let mut web = spec("web", "nginx:alpine", 1);
    web.task.container.health_check = Some(HealthCheck {
        test: Some(HealthTest::Shell("exit 1".into())),
        interval: secs(30),
        timeout: secs(30),
        retries: 3,
        start_period: SimDuration::ZERO,
        start_interval: secs(5),
    });
    rig.create(web.clone());
    rig.run_for(secs(120));
    let start = rig.noted("swarm.agent", "start")[0];
    let unhealthy = rig.noted("swarm.agent", "unhealthy")[0];
    let wait = unhealthy.since(start);
    assert!(wait >= secs(90) && wait < secs(92), "{wait}");
    assert_eq!(
        rig.service("web").counts.running,
        0,
        "it is never behind the balancer"
    );
    let rows = rig.ps("web");
    assert!(
        rows[1].contains("Failed \"task: non-zero exit ("),
        "{rows:?}"
    );
    assert!(
        rows[1].ends_with("dockerexec: unhealthy container\""),
        "{rows:?}"
    );

    let mut good = web;
    good.name = "good".into();
    if let Some(check) = &mut good.task.container.health_check {
        check.test = Some(HealthTest::Shell("exit 0".into()));
    }
    rig.create(good);
    rig.run_for(secs(25));
    assert_eq!(rig.service("good").counts.running, 0);
    rig.run_for(secs(20));
    assert_eq!(rig.service("good").counts.running, 1);
}

#[test]
fn peers_drop_a_dead_node_from_the_mesh_before_the_manager_does() {
    let mut rig = Rig::new(2);
    let mut web = spec("web", "nginx:alpine", 2);
    web.ports.push(ingress(80));
    rig.create(web);
    rig.run_for(secs(60));
    let backends = |rig: &Rig| {
        rig.machines
            .balancers()
            .map(|(_, balancer)| balancer.backends().len())
            .sum::<usize>()
    };
    assert_eq!(backends(&rig), 2);
    let crash = rig.now;
    rig.fault(SubstrateFault::Crash(rig.id("worker-1")));
    rig.run_for(secs(7));
    assert_eq!(backends(&rig), 1);
    rig.run_for(secs(60));
    assert_eq!(backends(&rig), 2);
    let lost = rig.noted("swarm.mesh", "lost")[0].since(crash);
    assert_eq!(lost, mesh::detection(3));
}

#[test]
fn a_job_runs_to_completion_and_no_further() {
    let mut rig = Rig::new(2);
    let mut job = spec("job", "busybox:latest", 0);
    job.mode = ServiceMode::ReplicatedJob {
        total_completions: 5,
        max_concurrent: 2,
    };
    job.task.container.command = vec!["sh".into(), "-c".into(), "sleep 1".into()];
    rig.create(job);
    rig.run_for(secs(120));
    assert_eq!(rig.service("job").counts.completed, 5);
    assert_eq!(rig.ps("job").len(), 5);
    assert_eq!(rig.plane.unmet(), 0);
    rig.check_counts();
}

#[test]
fn a_removed_node_leaves_orphans_that_are_replaced() {
    let mut rig = Rig::new(2);
    rig.create(spec("web", "nginx:alpine", 2));
    rig.run_for(secs(60));
    rig.request(Request::RemoveNode {
        node: "worker-1".into(),
        force: true,
    })
    .expect("forced");
    rig.run_for(secs(60));
    assert_eq!(rig.service("web").counts.good, 2);
    assert!(rig.ps("web")[1].contains("Orphaned"), "{:?}", rig.ps("web"));
    rig.check_counts();
}

#[test]
fn host_ports_allow_one_task_for_each_node() {
    let mut rig = Rig::new(2);
    let mut web = spec("web", "nginx:alpine", 3);
    web.ports.push(PublishedPort {
        mode: PublishMode::Host,
        ..ingress(80)
    });
    rig.create(web);
    rig.run_for(secs(60));
    assert_eq!(rig.service("web").counts.running, 2);
    assert!(
        rig.ps("web")[2].contains("host-mode port already in use on 2 nodes"),
        "{:?}",
        rig.ps("web")
    );
    rig.check_counts();
}

#[test]
fn objects_render_as_the_api_shows_them() {
    let mut rig = Rig::new(1);
    rig.create(spec("web", "nginx:alpine", 1));
    rig.run_for(secs(30));
    let service = rig.plane.find_service("web").expect("the service is there");
    let value = rig.plane.inspect_service(service).expect("it renders");
    assert_eq!(
        value.i64_at(&["Spec", "Mode", "Replicated", "Replicas"]),
        Some(1)
    );
    assert_eq!(
        value.i64_at(&["Spec", "TaskTemplate", "RestartPolicy", "Delay"]),
        Some(5_000_000_000)
    );
    let task = rig
        .plane
        .find_task("web.1", &rig.symbols)
        .expect("the task is there");
    let value = rig
        .plane
        .inspect_task(task, &rig.symbols, &rig.machines)
        .expect("it renders");
    assert_eq!(value.str_at(&["Status", "State"]), Some("running"));
    assert_eq!(value.str_at(&["Status", "Message"]), Some("started"));
    let node = rig.plane.find_node("control-1").expect("the node is there");
    let value = rig.plane.inspect_node(node).expect("it renders");
    assert_eq!(value.str_at(&["Spec", "Availability"]), Some("drain"));
    assert_eq!(
        value.str_at(&["ManagerStatus", "Reachability"]),
        Some("reachable")
    );
}
