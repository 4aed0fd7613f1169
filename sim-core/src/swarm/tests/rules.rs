//! Arithmetic that needs no machines.

use super::*;
use crate::swarm::orchestrator::job::tasks_to_create;
use crate::swarm::orchestrator::replicated::{SlotView, keep_order};
use crate::swarm::orchestrator::restart::History;

fn slot(number: u32, node: Option<u32>, running: bool) -> SlotView {
    SlotView {
        slot: number,
        node: node.map(NodeId),
        running,
    }
}

#[test]
fn crowded_nodes_lose_first() {
    // Node 1 has three copies, node 2 one: the third and second copies on node 1 go first.
    let slots = [
        slot(1, Some(1), true),
        slot(2, Some(1), true),
        slot(3, Some(1), true),
        slot(4, Some(2), true),
    ];
    assert_eq!(keep_order(&slots), [1, 4, 2, 3]);
}

#[test]
fn unassigned_and_ambiguous_slots_go_before_all() {
    let slots = [
        slot(1, None, false),
        slot(2, Some(1), true),
        slot(3, Some(2), false),
    ];
    assert_eq!(keep_order(&slots), [2, 3, 1]);
}

#[test]
fn running_copies_come_before_others_of_the_same_index() {
    let slots = [slot(1, Some(1), false), slot(2, Some(2), true)];
    assert_eq!(keep_order(&slots), [2, 1]);
}

#[test]
fn history_without_window_counts_all() {
    let mut history = History::default();
    let at = |seconds| SimTime::ZERO + secs(seconds);
    for seconds in [10, 20] {
        history.record(1, SimDuration::ZERO, at(seconds));
    }
    assert!(history.allows(1, 3, SimDuration::ZERO, at(30)));
    history.record(1, SimDuration::ZERO, at(30));
    assert!(!history.allows(1, 3, SimDuration::ZERO, at(40)));
    assert!(
        history.allows(2, 3, SimDuration::ZERO, at(40)),
        "another version starts from zero"
    );
}

#[test]
fn history_with_window_forgets() {
    let mut history = History::default();
    let at = |seconds| SimTime::ZERO + secs(seconds);
    for seconds in [10, 20, 30] {
        history.record(1, secs(60), at(seconds));
    }
    assert!(!history.allows(1, 3, secs(60), at(35)));
    assert!(
        history.allows(1, 3, secs(60), at(75)),
        "the first is too old"
    );
}

#[test]
fn jobs_make_no_more_than_is_left() {
    assert_eq!(tasks_to_create(10, 3, 0, 0), 3);
    assert_eq!(tasks_to_create(10, 3, 1, 8), 1);
    assert_eq!(tasks_to_create(10, 3, 3, 0), 0);
    assert_eq!(tasks_to_create(10, 3, 0, 10), 0);
}

/// Tasks of the service by node, as the scheduler places them.
fn placed(rig: &Rig, name: &str) -> Vec<(String, u32)> {
    let id = rig.plane.find_service(name).expect("the service is there");
    rig.plane
        .store
        .nodes()
        .filter(|(_, node)| node.role == Role::Worker)
        .map(|(_, node)| (node.hostname.to_string(), node.active_of(id)))
        .collect()
}

#[test]
fn eighteen_tasks_on_five_nodes() {
    let mut rig = Rig::new(5);
    rig.create(spec("web", "nginx:alpine", 18));
    rig.run_for(secs(1));
    let counts: Vec<u32> = placed(&rig, "web")
        .into_iter()
        .map(|(_, count)| count)
        .collect();
    assert_eq!(counts, [4, 4, 4, 3, 3]);
}

#[test]
fn total_counts_break_ties() {
    let mut rig = Rig::new(3);
    rig.create(spec("a", "nginx:alpine", 1));
    rig.run_for(secs(1));
    rig.create(spec("b", "nginx:alpine", 1));
    rig.run_for(secs(1));
    assert_eq!(placed(&rig, "b")[1].1, 1, "worker-1 is the busier one");
}

#[test]
fn preferences_balance_branches_not_nodes() {
    let mut rig = Rig::new(5);
    for number in 1..=5 {
        let zone = if number == 1 { "az1" } else { "az2" };
        let labels_add = vec![("az".into(), zone.into())];
        let change = control_api::NodeChange {
            labels_add,
            ..Default::default()
        };
        let node = format!("worker-{number}").as_str().into();
        rig.request(Request::UpdateNode {
            node,
            version: None,
            change,
        })
        .expect("labelled");
    }
    let mut web = spec("web", "nginx:alpine", 8);
    web.task.placement.preferences.push("node.labels.az".into());
    rig.create(web);
    rig.run_for(secs(1));
    let counts: Vec<u32> = placed(&rig, "web")
        .into_iter()
        .map(|(_, count)| count)
        .collect();
    // The drained manager lacks the label and is a branch of its own that has no room.
    assert_eq!(counts, [4, 1, 1, 1, 1]);
}

#[test]
fn at_most_so_many_on_a_node() {
    let mut rig = Rig::new(2);
    let mut web = spec("web", "nginx:alpine", 5);
    web.task.placement.max_replicas_per_node = 2;
    rig.create(web);
    rig.run_for(secs(2));
    let counts: Vec<u32> = placed(&rig, "web")
        .into_iter()
        .map(|(_, count)| count)
        .collect();
    assert_eq!(counts, [2, 2]);
    let rows = rig.ps("web");
    assert!(
        rows[4].ends_with("\"no suitable node (max replicas per node limit exceed; 1 node not available for new tasks)\""),
        "{rows:?}"
    );
}

#[test]
fn constraints_compare_as_upstream_does() {
    let rig = Rig::new(1);
    let (_, node) = rig.plane.store.nodes().nth(1).expect("a worker");
    let holds = |text: &str| {
        let parsed = constraint::parse(&[text.into()]).expect("it parses");
        constraint::node_matches(&parsed, node, "abc")
    };
    assert!(holds("node.role == worker"));
    assert!(holds("node.role!=MANAGER"));
    assert!(!holds("node.role!=boss"));
    assert!(holds("node.hostname==WORKER-1"));
    assert!(!holds("node.labels.x==y"));
    assert!(holds("node.labels.x!=y"));
    assert!(!holds("node.foo!=bar"));
    assert!(!holds("node.platform.arch==amd64"));
    let error = |text: &str| constraint::parse(&[text.into()]).expect_err("it does not parse");
    assert_eq!(
        error("node.role=worker"),
        "constraint expected one operator from ==, !="
    );
    assert_eq!(error("a==b"), "key 'a' is invalid");
}

#[test]
fn identifiers_have_25_characters() {
    let identity = Identity::draw(Seed(1), "test", "a", 0);
    assert_eq!(identity.text().len(), identity::ID_LENGTH);
    assert_ne!(
        identity.text(),
        Identity::draw(Seed(1), "test", "a", 1).text()
    );
    assert!(identity.text().starts_with(&identity.short()));
}
