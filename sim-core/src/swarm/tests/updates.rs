//! Rolling updates and rollbacks.

use super::*;
use crate::swarm::orchestrator::update::{exceeds_ratio, final_monitor};
use crate::swarm::state::UpdateState;

fn status(rig: &Rig, name: &str) -> (UpdateState, String) {
    let status = rig
        .service(name)
        .update_status
        .clone()
        .expect("an update was started");
    (status.state, status.message)
}

#[test]
fn ratio_is_strictly_greater() {
    assert!(exceeds_ratio(1, 3, 0));
    assert!(!exceeds_ratio(0, 3, 0));
    assert!(!exceeds_ratio(1, 4, 250_000));
    assert!(exceeds_ratio(2, 4, 250_000));
    assert!(!exceeds_ratio(4, 4, 1_000_000));
}

#[test]
fn the_last_watch_outlasts_the_delay() {
    let mut config = spec("a", "b", 1).update_config;
    assert_eq!(final_monitor(&config), secs(5));
    config.delay = secs(5);
    assert_eq!(final_monitor(&config), secs(6));
    config.delay = secs(30);
    assert_eq!(final_monitor(&config), secs(31));
}

#[test]
fn a_rolling_update_replaces_slot_by_slot() {
    let mut rig = Rig::new(3);
    rig.create(spec("web", "nginx:1.14.2", 3));
    rig.run_for(secs(60));
    rig.update(spec("web", "nginx:1.16.1", 3));
    rig.run_for(secs(1));
    assert_eq!(
        status(&rig, "web"),
        (UpdateState::Updating, "update in progress".to_owned())
    );
    assert!(rig.plane.unmet() > 0);
    rig.run_for(secs(120));
    assert_eq!(
        status(&rig, "web"),
        (UpdateState::Completed, "update completed".to_owned())
    );
    let rows = rig.ps("web");
    assert_eq!(rows.len(), 6, "{rows:?}");
    assert!(rows[1].contains("Shutdown Shutdown"), "{rows:?}");
    assert_eq!(rig.plane.unmet(), 0);
    rig.check_counts();
}

#[test]
fn start_first_never_has_fewer_tasks() {
    let mut rig = Rig::new(3);
    let mut web = spec("web", "nginx:1.14.2", 3);
    web.update_config.order = UpdateOrder::StartFirst;
    rig.create(web.clone());
    rig.run_for(secs(60));
    web.task.container.image = "nginx:1.16.1".into();
    rig.update(web);
    for _ in 0..600 {
        rig.run_for(SimDuration::from_millis(100));
        assert!(rig.service("web").counts.running >= 3);
    }
    assert_eq!(status(&rig, "web").0, UpdateState::Completed);
}

#[test]
fn a_missing_image_pauses_the_update() {
    let mut rig = Rig::new(3);
    rig.create(spec("web", "nginx:1.14.2", 3));
    rig.run_for(secs(60));
    rig.update(spec("web", "nginx:does-not-exist", 3));
    rig.run_for(secs(60));
    let (state, message) = status(&rig, "web");
    assert_eq!(state, UpdateState::Paused);
    assert!(message.starts_with("update paused due to failure or early termination of task "));
    assert_eq!(
        rig.service("web").counts.running,
        2,
        "the other slots stay as they were"
    );
    rig.check_counts();
}

#[test]
fn a_failing_update_rolls_back_and_forgets_the_way() {
    let mut rig = Rig::new(3);
    let mut web = spec("web", "nginx:1.14.2", 3);
    web.update_config.failure_action = FailureAction::Rollback;
    rig.create(web.clone());
    rig.run_for(secs(60));
    web.task.container.image = "nginx:does-not-exist".into();
    rig.update(web);
    rig.run_for(secs(120));
    assert_eq!(
        status(&rig, "web"),
        (
            UpdateState::RollbackCompleted,
            "rollback completed".to_owned()
        )
    );
    let service = rig.service("web");
    assert_eq!(&*service.spec.task.container.image, "nginx:1.14.2");
    assert!(service.previous.is_none());
    assert_eq!(service.counts.good, 3);
    assert_eq!(rig.plane.unmet(), 0);
    rig.check_counts();
}

#[test]
fn manual_rollback_swaps() {
    let mut rig = Rig::new(3);
    rig.create(spec("web", "nginx:1.14.2", 2));
    rig.run_for(secs(60));
    rig.update(spec("web", "nginx:1.16.1", 3));
    rig.run_for(secs(120));
    for (image, replicas) in [("nginx:1.14.2", 2), ("nginx:1.16.1", 3)] {
        let version = rig.service("web").version;
        rig.request(Request::RollbackService {
            service: "web".into(),
            version,
        })
        .expect("rolled back");
        rig.run_for(secs(120));
        let service = rig.service("web");
        assert_eq!(&*service.spec.task.container.image, image);
        assert_eq!(service.counts.good, replicas);
        assert_eq!(status(&rig, "web").0, UpdateState::RollbackCompleted);
    }
    rig.check_counts();
}

#[test]
fn labels_and_replicas_restart_nothing() {
    let mut rig = Rig::new(3);
    let mut web = spec("web", "nginx:1.14.2", 3);
    rig.create(web.clone());
    rig.run_for(secs(60));
    web.labels.insert("a".into(), "b".into());
    web.update_config.delay = secs(1);
    rig.update(web.clone());
    rig.run_for(secs(60));
    assert!(rig.service("web").update_status.is_none());
    assert_eq!(rig.ps("web").len(), 3);
    web.task.force_update = 1;
    rig.update(web);
    rig.run_for(secs(120));
    assert_eq!(rig.ps("web").len(), 6);
    rig.check_counts();
}

#[test]
fn a_stack_is_deployed_in_order_and_stops_at_the_first_refusal() {
    use crate::api::swarm::stack::{Stack, StackNetwork};
    let mut rig = Rig::new(2);
    let mut vote = spec("s_vote", "nginx:alpine", 2);
    vote.ports.push(ingress(5000));
    vote.task.networks.push("s_default".into());
    let mut result = spec("s_result", "nginx:alpine", 1);
    result.task.networks.push("s_default".into());
    let mut stack = Stack {
        name: "s".into(),
        services: vec![result, vote],
        networks: vec![StackNetwork {
            name: "s_default".into(),
            external: false,
        }],
        configs: Vec::new(),
        secrets: Vec::new(),
        contents: Default::default(),
    };
    let outcome = rig.swarm(|plane, ctx, out| plane.deploy_stack(&stack, false, ctx, out));
    assert_eq!(
        outcome.lines,
        [
            "Creating network s_default",
            "Creating service s_result",
            "Creating service s_vote"
        ]
    );
    assert_eq!(outcome.error, None);
    rig.run_for(secs(60));
    let workloads = rig.plane.workloads(&rig.symbols);
    let names: Vec<&str> = workloads
        .iter()
        .map(|workload| workload.name.as_str())
        .collect();
    assert_eq!(names, ["result", "vote"]);
    assert_eq!(rig.plane.unmet(), 0);
    let mut extra = spec("s_extra", "nginx:alpine", 1);
    extra.ports.push(ingress(5000));
    stack.services.push(extra);
    let outcome = rig.swarm(|plane, ctx, out| plane.deploy_stack(&stack, false, ctx, out));
    assert_eq!(outcome.lines, ["Creating service s_extra"]);
    let error = outcome.error.expect("refused");
    assert!(error.starts_with(
        "failed to create service s_extra: Error response from daemon: rpc error: code = InvalidArgument desc = port '5000' is already in use by service 's_vote'"
    ), "{}", &*error);
    let Ok(Response::Stack(outcome)) = rig.request(Request::RemoveStack("s".into())) else {
        panic!("a stack's removal answers with what was printed");
    };
    assert_eq!(
        outcome.lines[..2],
        ["Removing service s_result", "Removing service s_vote"]
    );
}
