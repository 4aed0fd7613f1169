mod editing;
mod terminal;
mod words;

use std::fmt::Display;

use super::EngineHost;
use crate::base::sentence::{Form, catalogue};
use crate::protocol::{
    Answer, File, Frame, Printed, Project, Query, Recording, Reply, Request, Said, StateGroup,
    Target, View, Why,
};

const KUBERNETES: &str = include_str!("../../../examples/poll/kubernetes.yaml");
const STACK: &str = include_str!("../../../examples/poll/stack.yml");
const COMPOSE: &str = include_str!("../../../examples/poll/compose.yaml");

fn file(name: &str, text: &str) -> File {
    File {
        name: name.to_owned(),
        text: text.to_owned(),
    }
}

fn poll() -> Project {
    Project {
        files: vec![
            file("kubernetes.yaml", KUBERNETES),
            file("stack.yml", STACK),
            file("compose.yaml", COMPOSE),
        ],
        nodes: 3,
        seed: 42,
        faults: vec!["node-crash of:poll at 60s".to_owned()],
        length_us: 900_000_000,
    }
}

/// A host with the poll loaded and everything on screen.
fn loaded() -> EngineHost {
    let mut host = EngineHost::new();
    let replies = host.handle(Request::Load(poll()));
    let [
        Reply::Checked {
            diagnostics,
            applied,
            output,
            ..
        },
    ] = replies.as_slice()
    else {
        panic!("{replies:?}")
    };
    assert!(*applied, "{diagnostics:?} {output:?}");
    host.handle(Request::Watch(View {
        events: 50,
        why: None,
        points: 200,
        anatomy: None,
    }));
    host
}

/// Ticks until a frame comes that is no longer on its way, acknowledging those before.
fn frame(host: &mut EngineHost) -> Frame {
    for _ in 0..10_000 {
        for reply in host.tick(16_000) {
            let Reply::Frame(frame) = reply else {
                panic!("{reply:?}")
            };
            host.handle(Request::Ack(frame.number));
            if !frame.seeking {
                return *frame;
            }
        }
    }
    panic!("no frame");
}

fn at(host: &mut EngineHost, seconds: u64) -> Frame {
    host.handle(Request::Seek(seconds * 1_000_000));
    let frame = frame(host);
    assert_eq!(frame.now_us, seconds * 1_000_000);
    frame
}

fn units(frame: &Frame, orchestrator: &str, workload: &str) -> usize {
    let world = frame
        .worlds
        .iter()
        .find(|world| world.orchestrator == orchestrator)
        .expect("the world runs");
    let placed = world.machines.iter().flat_map(|machine| &machine.units);
    placed
        .chain(&world.unplaced)
        .filter(|unit| unit.workload == workload && unit.group == StateGroup::Ready)
        .count()
}

#[test]
fn three_planes_serve_before_the_fault() {
    let mut host = loaded();
    let frame = at(&mut host, 55);
    for orchestrator in ["kubernetes", "swarm"] {
        assert_eq!(
            units(&frame, orchestrator, "poll"),
            3,
            "{:#?}",
            frame.worlds
        );
    }
    assert_eq!(units(&frame, "compose", "poll"), 1);
    assert!(
        frame.worlds.iter().all(|world| world.converged),
        "{:#?}",
        frame.worlds
    );
    assert!(frame.worlds.iter().all(|world| !world.series.is_empty()));
    assert_eq!(frame.events.len(), 50);
}

#[test]
fn the_same_time_is_the_same_state_however_it_was_reached() {
    let mut host = loaded();
    let first = at(&mut host, 41);
    at(&mut host, 0);
    at(&mut host, 200);
    let mut again = at(&mut host, 41);
    again.number = first.number;
    again.tip_us = first.tip_us;
    assert_eq!(first, again);
}

#[test]
fn an_act_on_the_way_back_is_done_where_the_way_leads() {
    let mut host = loaded();
    at(&mut host, 120);
    host.handle(Request::Seek(40_000_000));
    assert!(host.session.history.now().as_micros() < 40_000_000);
    host.handle(Request::Inject("node-crash worker-1".to_owned()));
    assert_eq!(frame(&mut host).now_us, 40_000_000);
    let acts = recorded(&mut host).acts;
    assert_eq!(acts.last().map(|act| act.at_us), Some(40_000_000));
}

#[test]
fn a_live_edit_goes_to_the_running_worlds() {
    let mut host = loaded();
    at(&mut host, 30);
    let text = KUBERNETES.replacen("replicas: 3", "replicas: 5", 1);
    let replies = host.handle(Request::Edit {
        revision: 7,
        file: file("kubernetes.yaml", &text),
    });
    let [
        Reply::Checked {
            revision: 7,
            applied: true,
            restarted: false,
            output,
            ..
        },
    ] = replies.as_slice()
    else {
        panic!("{replies:?}")
    };
    assert!(
        matches!(&output[..], [Said::Plain(text)] if text.contains("deployment.apps/poll configured")),
        "{output:?}"
    );
    let frame = at(&mut host, 55);
    assert_eq!(units(&frame, "kubernetes", "poll"), 5);
    assert_eq!(units(&frame, "swarm", "poll"), 3);
}

#[test]
fn a_wrong_edit_leaves_the_last_valid_state_running() {
    let mut host = loaded();
    let before = at(&mut host, 30);
    let text = KUBERNETES.replacen("replicas: 3", "replicas: \"x\"", 1);
    let replies = host.handle(Request::Edit {
        revision: 8,
        file: file("kubernetes.yaml", &text),
    });
    let [
        Reply::Checked {
            applied: false,
            diagnostics,
            ..
        },
    ] = replies.as_slice()
    else {
        panic!("{replies:?}")
    };
    let found = diagnostics
        .iter()
        .find(|found| found.severity == "error")
        .expect("an error");
    let units: Vec<u16> = text.encode_utf16().collect();
    let marked = String::from_utf16(&units[found.from as usize..found.to as usize])
        .expect("whole characters");
    assert_eq!(marked, "\"x\"", "{found:?}");
    assert_eq!(found.line, 10);
    assert_eq!(frame(&mut host).hash, before.hash);
}

#[test]
fn a_frame_waits_until_the_one_before_was_acknowledged() {
    let mut host = loaded();
    let first = host.tick(16_000);
    assert_eq!(first.len(), 1);
    host.handle(Request::Run {
        speed_milli: 10_000,
    });
    assert!(host.tick(16_000).is_empty());
    assert!(host.tick(16_000).is_empty());
    host.handle(Request::Ack(1));
    assert_eq!(host.tick(16_000).len(), 1);
}

#[test]
fn machines_and_containers_are_taken_apart_at_the_time_shown() {
    let mut host = loaded();
    let frame = at(&mut host, 40);
    assert!(frame.anatomy.is_none(), "nobody asked");
    let world = frame
        .worlds
        .iter()
        .find(|world| world.orchestrator == "kubernetes")
        .expect("a world");
    let unit = world
        .machines
        .iter()
        .flat_map(|machine| &machine.units)
        .find(|unit| unit.group == StateGroup::Ready)
        .expect("a pod");
    for (object, whole) in [
        ("node/worker-1".to_owned(), true),
        (format!("pod/{}", unit.name), false),
    ] {
        host.handle(Request::Watch(View {
            anatomy: Some(Target {
                orchestrator: "kubernetes".to_owned(),
                object: object.clone(),
            }),
            ..View::default()
        }));
        let parts = self::frame(&mut host).anatomy.expect("it is there");
        assert_eq!(parts.object, object);
        assert_eq!(parts.spaces.len(), 8);
        assert_eq!(parts.spaces.iter().any(|space| space.own), !whole);
        assert!(
            parts
                .groups
                .iter()
                .all(|group| !group.values.is_empty() || group.depth == 0)
        );
        assert_eq!(parts.groups.len() > 3, whole, "{:?}", parts.groups);
        assert!(parts.interfaces.iter().any(|line| line.starts_with("eth0")));
        assert_eq!(parts.rules.contains("KUBE-SVC"), whole);
        assert!(!parts.processes.is_empty() && !parts.mounts.is_empty());
    }
    host.handle(Request::Watch(View {
        anatomy: Some(Target {
            orchestrator: "kubernetes".to_owned(),
            object: "pod/nobody".to_owned(),
        }),
        ..View::default()
    }));
    assert!(self::frame(&mut host).anatomy.is_none());
}

#[test]
fn a_broken_machine_is_shown_and_explained() {
    let mut host = loaded();
    let frame = at(&mut host, 400);
    let mark = frame
        .faults
        .iter()
        .find(|mark| mark.orchestrator == "kubernetes")
        .expect("a fault");
    assert!(mark.active && mark.applicable, "{mark:?}");
    for world in &frame.worlds {
        let lost = world
            .machines
            .iter()
            .filter(|machine| !machine.powered)
            .count();
        assert_eq!(lost, 1, "{}", world.orchestrator);
    }
    let evict = frame
        .events
        .iter()
        .rev()
        .find(|event| event.orchestrator == "kubernetes")
        .expect("events");
    let why = Why {
        orchestrator: "kubernetes".to_owned(),
        seq: evict.seq,
        object: evict.subject.clone(),
    };
    host.handle(Request::Watch(View {
        events: 5,
        why: Some(why),
        points: 10,
        anatomy: None,
    }));
    let explained = self::frame(&mut host);
    assert_eq!(explained.why.last().map(|line| line.seq), Some(evict.seq));
    assert!(
        explained
            .worlds
            .iter()
            .flat_map(|world| &world.series)
            .all(|series| series.at_us.len() <= 10)
    );
}

#[test]
fn a_branch_keeps_its_future() {
    let mut host = loaded();
    let future = at(&mut host, 100);
    at(&mut host, 30);
    host.handle(Request::Inject("node-crash worker-1".to_owned()));
    let other = at(&mut host, 100);
    assert_eq!(other.branch, 1);
    assert_ne!(other.hash, future.hash);
    host.handle(Request::Switch(0));
    assert_eq!(at(&mut host, 100).hash, future.hash);
}

#[test]
fn refusals_are_sentences() {
    let mut host = loaded();
    for request in [
        Request::Inject("node-crash nowhere".to_owned()),
        Request::Inject("nonsense".to_owned()),
        Request::Switch(9),
    ] {
        let replies = host.handle(request);
        assert!(
            matches!(replies.as_slice(), [Reply::Refused(said)] if !said.is_empty()),
            "{replies:?}"
        );
    }
    let replies = host.handle(Request::Load(Project {
        files: vec![file("a.txt", "text")],
        ..poll()
    }));
    assert!(
        matches!(replies.as_slice(), [Reply::Checked { applied: false, .. }]),
        "{replies:?}"
    );
}

/// The findings of a project that is refused.
fn refused(host: &mut EngineHost, project: Project) -> Vec<crate::protocol::Diagnostic> {
    let replies = host.handle(Request::Load(project));
    let [
        Reply::Checked {
            diagnostics,
            applied: false,
            restarted: false,
            ..
        },
    ] = replies.as_slice()
    else {
        panic!("{replies:?}")
    };
    diagnostics.clone()
}

#[test]
fn a_fault_that_cannot_be_carried_out_is_shown_at_its_place_and_the_last_state_stays() {
    let mut host = loaded();
    let hash = at(&mut host, 30).hash;
    let mut project = poll();
    project
        .faults
        .push("node-crash worker-99 at 60s".to_owned());
    let found = refused(&mut host, project);
    let [found] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!((&*found.file, found.line, found.column), ("faults", 2, 12));
    // Offsets count from the script's begin.
    assert_eq!((found.from, found.to), (37, 46));
    let word: (_, &dyn Display) = ("word", &"worker-99");
    let own = |form: Form, parts: &[(&'static str, &dyn Display)]| Said::from(&form.with(parts));
    assert_eq!(found.message, own(catalogue::NO_MACHINE, &[word]));
    let names = "control-1, worker-1, worker-2, worker-3";
    let help = own(catalogue::MACHINES_ARE, &[("names", &names)]);
    assert_eq!(found.help, Some(help));
    let mut project = poll();
    project.faults = vec!["node-crush worker-1 at 60s".to_owned()];
    let found = refused(&mut host, project);
    assert_eq!((found[0].line, found[0].column), (1, 1));
    assert_eq!(at(&mut host, 30).hash, hash);
}

#[test]
fn a_mistake_in_the_faults_hides_none_of_the_files() {
    let mut project = poll();
    project.faults = vec!["node-crush worker-1 at 60s".to_owned()];
    project.files.push(file("cluster", "nodes many\n"));
    let kubernetes = &mut project.files[0];
    assert_eq!(kubernetes.name, "kubernetes.yaml");
    kubernetes.text = kubernetes.text.replacen("replicas: 3", "replica: 3", 1);
    let found = refused(&mut loaded(), project);
    let mut places: Vec<(&str, &str)> = found
        .iter()
        .map(|found| (&*found.file, &*found.code))
        .collect();
    places.sort_unstable();
    let expected = [
        ("cluster", "CLU001"),
        ("faults", ""),
        ("kubernetes.yaml", "K8S001"),
    ];
    assert_eq!(places, expected);
}

fn asked(host: &mut EngineHost, query: Query) -> Answer {
    match host.handle(Request::Ask { number: 1, query }).pop() {
        Some(Reply::Answer { answer, .. }) => answer,
        other => panic!("{other:?}"),
    }
}

fn say(host: &mut EngineHost, line: &str) -> Printed {
    let replies = host.handle(Request::Console(line.to_owned()));
    let [Reply::Output(printed)] = replies.as_slice() else {
        panic!("{replies:?}")
    };
    (**printed).clone()
}

fn look(host: &mut EngineHost, line: &str) -> Printed {
    match asked(host, Query::Look(line.to_owned())) {
        Answer::Printed(printed) => *printed,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_text_that_is_being_written_is_checked_and_not_run() {
    let mut host = loaded();
    let before = (
        host.project.clone(),
        host.session.history.lab().fingerprint(),
    );
    let bad = KUBERNETES.replacen("replicas: 3", "replicas: x", 1);
    let Answer::Found(found) = asked(&mut host, Query::Check(file("kubernetes.yaml", &bad))) else {
        panic!("nothing")
    };
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].from > 0 && found[0].severity == "error");
    // What is wrong elsewhere is not this text's.
    let good = Query::Check(file("stack.yml", STACK));
    assert_eq!(asked(&mut host, good), Answer::Found(Vec::new()));
    let script = Query::Check(file(crate::protocol::FAULTS, "# why\nno-such worker-1"));
    let Answer::Found(found) = asked(&mut host, script) else {
        panic!("nothing")
    };
    assert_eq!(found[0].line, 2);
    let after = (
        host.project.clone(),
        host.session.history.lab().fingerprint(),
    );
    assert_eq!(before, after);
}

#[test]
fn every_loop_says_what_it_saw_and_did() {
    let mut host = loaded();
    at(&mut host, 420);
    let Answer::Loops(loops) = asked(&mut host, Query::Loops) else {
        panic!("no loops")
    };
    let scheduler = loops
        .iter()
        .find(|found| found.source == "kube.scheduler")
        .expect("the scheduler acts");
    assert_eq!(scheduler.did[0].verb, "bind");
    let saw = scheduler.saw.as_ref().expect("a pod was made before");
    assert_eq!((&*saw.source, &*saw.verb), ("kube.replicaset", "create"));
    assert!(loops.iter().any(|found| found.orchestrator == "swarm"));
    assert!(loops.iter().all(|found| found.count > 0));
}

#[test]
fn a_graph_of_causes_holds_the_chain_and_what_else_came_of_it() {
    let mut host = loaded();
    at(&mut host, 420);
    let why = Why {
        orchestrator: "kubernetes".to_owned(),
        seq: 0,
        object: "node/worker-1".to_owned(),
    };
    let Answer::Graph(graph) = asked(&mut host, Query::Causes(why)) else {
        panic!("no graph")
    };
    assert!(graph.nodes.iter().filter(|node| node.chosen).count() >= 2);
    assert!(graph.nodes.iter().any(|node| !node.chosen));
    for edge in &graph.edges {
        let [from, to] = [edge.from, edge.to].map(|end| graph.nodes[end as usize].layer);
        assert!(from < to);
    }
}

#[test]
fn services_of_compose_stand_below_what_they_wait_for() {
    let mut host = loaded();
    at(&mut host, 55);
    let Answer::Graph(graph) = asked(&mut host, Query::Dependencies) else {
        panic!("no graph")
    };
    assert_eq!(graph.nodes.len(), 5);
    assert!(!graph.edges.is_empty());
    assert!(
        graph
            .nodes
            .iter()
            .all(|node| node.group == Some(StateGroup::Ready))
    );
}

#[test]
fn a_scenario_has_a_picture_of_its_own_run() {
    let mut host = EngineHost::new();
    let scenarios = [
        (
            include_str!("../../../tests/scenarios/node-loss-swarm.md"),
            StateGroup::Progressing,
        ),
        (
            include_str!("../../../tests/scenarios/node-loss-kubernetes.md"),
            StateGroup::Unknown,
        ),
    ];
    for (text, seen) in scenarios {
        let query = Query::Picture(file("scenario.md", text));
        let Answer::Picture(picture) = asked(&mut host, query) else {
            panic!("no picture")
        };
        assert!(!picture.faults_us.is_empty());
        assert!(picture.rows.iter().all(|row| row.cells.len() == 60));
        let cells = picture.rows.iter().flat_map(|row| row.cells.iter());
        let states: Vec<_> = cells.flatten().collect();
        assert!(
            states.contains(&&StateGroup::Ready) && states.contains(&&seen),
            "{picture:?}"
        );
    }
    let none = asked(&mut host, Query::Picture(file("a.yaml", "kind: Pod")));
    assert_eq!(none, Answer::Nothing);
}

#[test]
fn service_that_is_back_counts_when_it_has_lasted() {
    let mut host = loaded();
    let mut told: Vec<&str> = Vec::new();
    let mut began = Vec::new();
    for seconds in 60..=130 {
        let frame = at(&mut host, seconds);
        let swarm = frame
            .worlds
            .iter()
            .find(|world| world.orchestrator == "swarm");
        let Said::Own { key, .. } = &swarm.expect("all three run").mechanism else {
            panic!("words of no tool")
        };
        let forms = [
            (catalogue::NOT_REACTED_YET, "not-reacted-yet"),
            (catalogue::NOT_SERVED, "not-served"),
            (catalogue::SERVED_SINCE, "served-since"),
        ];
        let form = forms
            .into_iter()
            .find(|(form, _)| *key == form.number.to_string())
            .map_or("over", |(_, name)| name);
        if told.last() != Some(&form) {
            told.push(form);
            began.push(seconds);
        }
    }
    assert_eq!(
        told,
        ["not-reacted-yet", "not-served", "served-since", "over"]
    );
    // Looks are whole seconds.
    assert!((30..=31).contains(&(began[3] - began[2])), "{began:?}");
}

#[test]
fn a_branch_is_told_without_leaving_the_present() {
    let mut host = loaded();
    let future = at(&mut host, 100).hash;
    at(&mut host, 30);
    host.handle(Request::Fork);
    host.handle(Request::Inject("node-crash worker-2".to_owned()));
    let here = at(&mut host, 50).hash;
    let Answer::Outcome(old) = asked(&mut host, Query::Outcome(0)) else {
        panic!("no branch")
    };
    assert_eq!(
        (old.tip_us, old.hash.as_str()),
        (100_000_000, future.as_str())
    );
    assert!(
        old.worlds
            .iter()
            .all(|world| world.machines.is_empty() && !world.series.is_empty())
    );
    assert_eq!(asked(&mut host, Query::Outcome(9)), Answer::Nothing);
    assert_eq!(at(&mut host, 50).hash, here);
}

fn recorded(host: &mut EngineHost) -> Recording {
    let replies = host.handle(Request::Record);
    let [Reply::Recorded(recording)] = replies.as_slice() else {
        panic!("{replies:?}")
    };
    (**recording).clone()
}

/// A machine of one world is switched off there only; a line that is refused makes no fault.
#[test]
fn a_number_names_one_fault_in_all_worlds_and_its_line() {
    let mut host = loaded();
    at(&mut host, 30);
    for line in ["sim fault nonsense", "host worker-1 poweroff"] {
        host.handle(Request::Console(line.to_owned()));
    }
    host.handle(Request::Inject("registry-down".to_owned()));
    let frame = frame_now(&mut host);
    let injected: Vec<_> = frame
        .faults
        .iter()
        .filter(|fault| fault.text.starts_with("registry-down"))
        .map(|fault| (fault.number, fault.line))
        .collect();
    let script = recorded(&mut host).script();
    let line = script
        .iter()
        .position(|line| line.starts_with("registry-down"));
    let line = u32::try_from(line.expect("a line")).unwrap();
    let number = injected[0].0;
    assert!(injected.len() > 1, "more worlds than one");
    assert!(
        injected.iter().all(|known| *known == (number, line)),
        "{injected:?}"
    );
    let off = frame
        .faults
        .iter()
        .filter(|fault| fault.number == number - 1);
    assert_eq!(off.filter(|fault| fault.applicable).count(), 1);
}

#[test]
fn a_recording_is_whole_before_it_has_been_done_again() {
    let mut host = loaded();
    at(&mut host, 30);
    host.handle(Request::Edit {
        revision: 1,
        file: file(
            "kubernetes.yaml",
            &KUBERNETES.replacen("replicas: 3", "replicas: 5", 1),
        ),
    });
    at(&mut host, 40);
    assert!(
        host.handle(Request::Inject("node-crash worker-2".to_owned()))
            .is_empty()
    );
    let hash = at(&mut host, 50).hash;
    let recording = recorded(&mut host);
    assert_eq!(recording.acts.len(), 2);
    let mut again = EngineHost::new();
    again.handle(Request::Replay(recording.clone()));
    assert_eq!(recorded(&mut again), recording);
    while again.is_busy() {
        for reply in again.tick(16_000) {
            if let Reply::Frame(frame) = reply {
                again.handle(Request::Ack(frame.number));
            }
        }
    }
    assert_eq!(recorded(&mut again), recording);
    assert_eq!(frame_now(&mut again).hash, hash);
}

/// The frame of the present.
fn frame_now(host: &mut EngineHost) -> Frame {
    host.handle(Request::Watch(View::default()));
    frame(host)
}

#[test]
fn a_large_world_is_counted_instead_of_named() {
    let mut host = EngineHost::new();
    let mut project = poll();
    project.nodes = 300;
    project.faults.clear();
    host.handle(Request::Load(project));
    let frame = at(&mut host, 55);
    let world = &frame.worlds[0];
    assert_eq!(world.machines.len(), 301);
    assert!(
        world
            .machines
            .iter()
            .all(|machine| machine.units.is_empty())
    );
    let ready: u32 = world
        .machines
        .iter()
        .map(|machine| machine.counts[StateGroup::Ready as usize])
        .sum();
    assert_eq!(ready, 8);
    let busy = world.machines.iter().find(|machine| machine.counts[0] > 0);
    let query = Query::Machine {
        orchestrator: "kubernetes".to_owned(),
        machine: busy.expect("pods run somewhere").name.clone(),
    };
    let Answer::Machine(machine) = asked(&mut host, query) else {
        panic!("no machine")
    };
    assert!(!machine.units.is_empty());
}

#[test]
fn another_branch_is_told_with_what_was_done_on_it() {
    let mut host = loaded();
    at(&mut host, 30);
    host.handle(Request::Fork);
    host.handle(Request::Inject("registry-down".to_owned()));
    at(&mut host, 40);
    host.handle(Request::Switch(0));
    let told = |host: &mut EngineHost, branch: u32| match asked(host, Query::Branch(branch)) {
        Answer::Recording(recording) => *recording,
        other => panic!("{other:?}"),
    };
    let other = told(&mut host, 1);
    assert_eq!((other.acts.len(), other.at_us), (1, 40_000_000));
    assert_eq!(told(&mut host, 0).acts, []);
    assert_eq!(asked(&mut host, Query::Branch(2)), Answer::Nothing);
}

#[test]
fn events_are_counted_where_they_happened_and_a_short_way_shows_nothing_of_itself() {
    let mut host = loaded();
    let frame = at(&mut host, 90);
    let noted = |frame: &Frame| -> Vec<u32> {
        let worlds = frame.density.iter();
        worlds.map(|(_, cells)| cells.iter().sum()).collect()
    };
    let worlds = &host.session.history.lab().worlds;
    let known: Vec<u32> = worlds
        .iter()
        .map(|world| world.trace.len() as u32)
        .collect();
    assert_eq!(noted(&frame), known);
    // A cell is 7.5 s long: nothing has happened behind the clock.
    let (_, kubernetes) = &frame.density[0];
    assert!(
        kubernetes[13..].iter().all(|count| *count == 0),
        "{kubernetes:?}"
    );
    assert!(kubernetes[8] > 0, "the fault at 60 s: {kubernetes:?}");
    host.handle(Request::Seek(80_000_000));
    let mut frames = Vec::new();
    while host.is_busy() {
        for reply in host.tick(16_000) {
            if let Reply::Frame(frame) = reply {
                host.handle(Request::Ack(frame.number));
                frames.push((frame.now_us, frame.seeking));
            }
        }
    }
    assert_eq!(frames, [(80_000_000, false)]);
}
