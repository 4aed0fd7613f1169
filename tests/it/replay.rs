//! A run is its seed and its log of inputs: every way to a moment gives the same fingerprint.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use sim_core::base::rng::Seed;
use sim_core::base::time::{SimDuration, SimTime};
use sim_core::console::Session;
use sim_core::console::open::{Experiment, open};
use sim_core::engine::command::{Command, FaultSpec};
use sim_core::engine::history::History;
use sim_core::engine::lab::Input;

fn at(seconds: u64) -> SimTime {
    SimTime::ZERO + SimDuration::from_secs(seconds)
}

/// The poll on three orchestrators, a machine lost at 40 s for two minutes.
fn poll(seed: u64) -> Session {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/poll");
    let mut experiment = Experiment::new(Seed(seed));
    for name in ["compose.yaml", "kubernetes.yaml", "stack.yml"] {
        let text: Arc<str> = fs::read_to_string(folder.join(name))
            .expect("example")
            .into();
        experiment.files.push((name.to_owned(), text));
    }
    experiment
        .faults
        .push(FaultSpec::parse("node-crash worker-1 at 40s for 120s").expect("fault"));
    let mut opened = open(&experiment).expect("the example opens");
    assert!(
        opened.valid(),
        "the example is valid: {:?}",
        opened
            .diagnostics()
            .map(|(_, problem)| problem)
            .collect::<Vec<_>>()
    );
    let output = opened.deploy();
    assert!(output.code == 0, "the example deploys: {}", &*output.stderr);
    opened.session
}

fn hash(history: &History) -> String {
    history.lab().fingerprint().hex()
}

fn run_to(seed: u64, seconds: u64) -> History {
    let mut history = poll(seed).history;
    history.advance_to(at(seconds));
    history
}

#[test]
fn equal_seeds_give_equal_runs_and_other_seeds_others() {
    let first = run_to(7, 300);
    let second = run_to(7, 300);
    assert!(first.lab().worlds.len() == 3, "all three orchestrators run");
    assert_eq!(hash(&first), hash(&second));
    for (left, right) in first.lab().worlds.iter().zip(&second.lab().worlds) {
        assert!(
            left.trace.iter().eq(right.trace.iter()),
            "{}: traces differ",
            left.orchestrator.name()
        );
        assert!(
            left.trace.len() > 20,
            "{}: something happened",
            left.orchestrator.name()
        );
    }
    assert_ne!(
        hash(&first),
        hash(&run_to(8, 300)),
        "another seed is another run"
    );
}

#[test]
fn slices_of_any_size_give_the_same_run() {
    let whole = run_to(3, 200);
    for budget in [1, 7, 61] {
        let mut history = poll(3).history;
        let mut rounds = 0_u32;
        while !history.advance_some(at(200), budget) {
            rounds += 1;
            assert!(
                rounds < 1_000_000,
                "slices of {budget} events make no progress"
            );
        }
        assert_eq!(hash(&whole), hash(&history), "slices of {budget} events");
        assert_eq!(whole.now(), history.now());
    }
}

#[test]
fn many_short_steps_give_the_same_run() {
    let whole = run_to(5, 120);
    let mut history = poll(5).history;
    let mut now = SimTime::ZERO;
    while now < at(120) {
        now = (now + SimDuration::from_micros(1_234_567)).min(at(120));
        history.advance_to(now);
    }
    assert_eq!(hash(&whole), hash(&history));
}

#[test]
fn a_snapshot_run_on_is_the_run() {
    let whole = run_to(11, 240);
    for moment in [0, 13, 41, 90, 170] {
        let mut lab = run_to(11, moment).lab().clone();
        lab.advance_to(at(240));
        assert_eq!(
            hash(&whole),
            lab.fingerprint().hex(),
            "snapshot at {moment} s"
        );
    }
}

#[test]
fn seeking_gives_what_a_run_gives() {
    let mut history = run_to(13, 240);
    for moment in [180, 20, 41, 5, 200, 240, 0, 240] {
        history.seek(at(moment));
        assert_eq!(
            hash(&history),
            hash(&run_to(13, moment)),
            "seek to {moment} s"
        );
        assert_eq!(history.now(), at(moment));
    }
}

#[test]
fn a_fork_without_input_is_its_parent() {
    let whole = run_to(17, 240);
    let mut history = run_to(17, 240);
    history.seek(at(60));
    history.fork();
    history.advance_to(at(240));
    assert_eq!(hash(&whole), hash(&history));
}

#[test]
fn a_fork_with_an_input_leaves_its_parent_alone() {
    let whole = run_to(19, 240);
    let mut history = run_to(19, 240);
    history.seek(at(60));
    let fault = FaultSpec::parse("node-crash worker-2").expect("fault");
    history.input(Input {
        only: None,
        command: Command::Inject(fault),
    });
    history.advance_to(at(240));
    let (branches, current) = history.branches();
    assert_eq!((branches.len(), current), (2, 1));
    assert_ne!(
        hash(&whole),
        hash(&history),
        "the fork lost another machine"
    );
    assert!(history.switch(0));
    history.advance_to(at(240));
    assert_eq!(hash(&whole), hash(&history), "the parent kept its future");
}

#[test]
fn the_log_alone_is_the_run() {
    let whole = run_to(23, 240);
    let mut lab =
        sim_core::engine::lab::Lab::new(&sim_core::engine::command::Orchestrator::ALL, Seed(23));
    for logged in whole.log() {
        lab.advance_to(logged.at);
        lab.input(&logged.input);
    }
    lab.advance_to(at(240));
    assert_eq!(hash(&whole), lab.fingerprint().hex());
}

/// The poll's placements on Kubernetes at 30 s when these choices go another way.
fn chosen(script: &[(u64, u32)], record: bool) -> sim_core::engine::world::World {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/poll");
    let mut experiment = Experiment::new(Seed(7));
    let text = fs::read_to_string(folder.join("kubernetes.yaml")).expect("example");
    experiment
        .files
        .push(("kubernetes.yaml".to_owned(), text.into()));
    if !script.is_empty() {
        experiment
            .choices
            .insert("kubernetes", script.iter().copied().collect());
    }
    experiment.record_choices = record;
    let mut opened = open(&experiment).expect("the example opens");
    assert!(opened.deploy().code == 0, "the example deploys");
    opened.session.history.advance_to(at(30));
    opened.session.history.lab().worlds[0].clone()
}

#[test]
fn an_open_choice_can_go_another_way_and_only_then_changes_the_run() {
    let plain = chosen(&[], false);
    let recorded = chosen(&[], true);
    assert_eq!(
        plain.fingerprint(),
        recorded.fingerprint(),
        "recording changes nothing"
    );
    assert!(plain.choices.recorded().is_empty(), "off unless asked for");
    let made = recorded.choices.recorded();
    let tie = made
        .iter()
        .position(|choice| choice.point == "scheduler-tie")
        .expect("three equal nodes tie");
    let other = (made[tie].taken + 1) % made[tie].arity;
    let default = chosen(&[(tie as u64, made[tie].taken)], false);
    assert_eq!(
        plain.fingerprint(),
        default.fingerprint(),
        "the default, said"
    );
    let turned = chosen(&[(tie as u64, other)], false);
    assert_ne!(plain.fingerprint(), turned.fingerprint());
    let again = chosen(&[(tie as u64, other)], false);
    assert_eq!(
        turned.fingerprint(),
        again.fingerprint(),
        "and reproducibly"
    );
}
