use super::{KUBERNETES, STACK, at, file, frame_now, loaded, poll, recorded};
use crate::host::EngineHost;
use crate::protocol::{Change, Deed, Diagnostic, FAULTS, Reply, Request};

struct Edited {
    applied: bool,
    restarted: bool,
    diagnostics: Vec<Diagnostic>,
    changes: Vec<Change>,
}

fn edit(host: &mut EngineHost, name: &str, text: &str) -> Edited {
    let request = Request::Edit {
        revision: 1,
        file: file(name, text),
    };
    match host.handle(request).pop() {
        Some(Reply::Checked {
            applied,
            restarted,
            diagnostics,
            changes,
            ..
        }) => Edited {
            applied,
            restarted,
            diagnostics,
            changes,
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_mistake_that_is_taken_back_from_the_script_leaves_the_branches() {
    let mut host = loaded();
    at(&mut host, 20);
    host.handle(Request::Inject("node-crash worker-2".to_owned()));
    at(&mut host, 30);
    host.handle(Request::Fork);
    let before = at(&mut host, 40);
    assert_eq!(before.branches.len(), 2);
    let recording = recorded(&mut host);
    let script = recording.script().join("\n");
    assert!(!edit(&mut host, FAULTS, &format!("{script}\nno-such worker-1")).applied);
    assert!(edit(&mut host, FAULTS, &script).applied);
    settle(&mut host);
    let after = at(&mut host, 40);
    assert_eq!((after.branches.len(), after.branch), (2, before.branch));
    assert_eq!(after.hash, before.hash);
    assert_eq!(recorded(&mut host), recording, "the fault is told once");
}

/// Ticks until everything is done again.
fn settle(host: &mut EngineHost) {
    while host.is_busy() && (host.is_behind() || host.record.is_pending()) {
        for reply in host.tick(16_000) {
            if let Reply::Frame(frame) = reply {
                host.handle(Request::Ack(frame.number));
            }
        }
    }
}

#[test]
fn an_edited_fault_script_is_run_from_the_start_up_to_the_time_shown() {
    let mut host = loaded();
    at(&mut host, 90);
    let script = "# later\nnode-crash of:poll at 80s for 30s\n\nregistry-down at 85s";
    let edited = edit(&mut host, FAULTS, script);
    assert!(edited.applied && edited.restarted);
    settle(&mut host);
    let shown = frame_now(&mut host);
    assert_eq!(shown.now_us, 90_000_000);
    let begun: Vec<u64> = shown.faults.iter().map(|fault| fault.begun_us).collect();
    assert_eq!(begun[..2], [80_000_000, 85_000_000]);
    // It is what the script gives when the experiment begins with it.
    let mut project = poll();
    project.faults = script.split('\n').map(str::to_owned).collect();
    let mut fresh = EngineHost::new();
    fresh.handle(Request::Load(project.clone()));
    assert_eq!(at(&mut fresh, 90).hash, shown.hash);
    assert_eq!(recorded(&mut host).project.faults, project.faults);
    assert_eq!(recorded(&mut host).script().join("\n"), script);
}

#[test]
fn what_is_injected_is_a_line_of_the_script() {
    let mut host = loaded();
    at(&mut host, 30);
    host.handle(Request::Inject("node-crash worker-2 for 20s".to_owned()));
    at(&mut host, 40);
    let script = recorded(&mut host).script();
    assert_eq!(
        script,
        [
            "node-crash of:poll at 60s",
            "node-crash worker-2 at 30s for 20s"
        ]
    );
    // Each fault knows its line, and when it will end.
    let shown = frame_now(&mut host).faults;
    let known: Vec<(u32, u64)> = shown
        .iter()
        .filter(|fault| fault.orchestrator == "kubernetes")
        .map(|fault| (fault.line, fault.until_us))
        .collect();
    let never = u64::MAX;
    assert_eq!(known, [(0, never), (1, 50_000_000)]);
    // Taken out of the text, it has never happened.
    assert!(edit(&mut host, FAULTS, &script[0]).applied);
    settle(&mut host);
    let mut fresh = loaded();
    assert_eq!(at(&mut host, 40).hash, at(&mut fresh, 40).hash);
    assert!(recorded(&mut host).acts.is_empty());
    // One of the console's is no line.
    host.handle(Request::Console("sim fault registry-down".to_owned()));
    let last = frame_now(&mut host).faults.pop().expect("a fault");
    assert_eq!((last.text.trim(), last.line), ("registry-down", u32::MAX));
}

#[test]
fn a_script_that_is_written_on_loses_nothing_that_was_done() {
    let mut host = loaded();
    at(&mut host, 30);
    host.handle(Request::Console(
        "kubectl scale deployment poll --replicas=5".to_owned(),
    ));
    at(&mut host, 300);
    host.handle(Request::Run { speed_milli: 1_000 });
    for letter in ["1", "15", "150"] {
        let script = format!("node-crash worker-1 at {letter}s");
        assert!(edit(&mut host, FAULTS, &script).applied);
        // Some of it is done again before the next letter comes.
        host.tick(16_000);
    }
    settle(&mut host);
    assert!(host.is_playing());
    host.handle(Request::Pause);
    let recording = recorded(&mut host);
    assert_eq!(recording.acts.len(), 1);
    assert!(recording.at_us >= 300_000_000, "{}", recording.at_us);
    let shown = frame_now(&mut host);
    assert_eq!(shown.faults[0].begun_us, 150_000_000);
}

#[test]
fn a_wrong_script_keeps_the_last_valid_state() {
    let mut host = loaded();
    let hash = at(&mut host, 30).hash;
    let edited = edit(
        &mut host,
        FAULTS,
        "# 故障\nnode-crash worker-9 at 5s\npod-kill",
    );
    assert!(!edited.applied);
    let places: Vec<(u32, u32, u32)> = edited
        .diagnostics
        .iter()
        .map(|found| (found.line, found.from, found.to))
        .collect();
    assert_eq!(
        places,
        [(2, 16, 24), (3, 31, 39)],
        "{:?}",
        edited.diagnostics
    );
    assert_eq!(at(&mut host, 30).hash, hash);
    // Comments alone change nothing, and are kept.
    let edited = edit(&mut host, FAULTS, "# 故障\nnode-crash of:poll at 60s");
    assert!(edited.applied && !host.record.is_pending());
    assert_eq!(at(&mut host, 30).hash, hash);
    assert_eq!(recorded(&mut host).project.faults[0], "# 故障");
}

#[test]
fn an_edited_cluster_is_run_from_the_start_with_what_was_done() {
    let mut host = loaded();
    at(&mut host, 20);
    let text = KUBERNETES.replacen("replicas: 3", "replicas: 5", 1);
    assert!(edit(&mut host, "kubernetes.yaml", &text).applied);
    at(&mut host, 40);
    host.handle(Request::Run { speed_milli: 1_000 });
    let cluster = "nodes 2\nworker cpu=8 memory=16Gi\nnode-ready soon\n";
    let edited = edit(&mut host, "cluster", cluster);
    assert!(!edited.applied && host.is_playing());
    let found = &edited.diagnostics[0];
    assert_eq!((&*found.file, &*found.code), ("cluster", "CLU001"));
    assert_eq!((found.line, found.from, found.to), (3, 33, 43));
    let edited = edit(
        &mut host,
        "cluster",
        "nodes 2\nseed 7\nworker cpu=8 memory=16Gi\n",
    );
    assert!(edited.applied && edited.restarted);
    settle(&mut host);
    assert!(host.is_playing(), "the clock runs on");
    host.handle(Request::Pause);
    let shown = at(&mut host, 60);
    let kubernetes = &shown.worlds[0];
    assert_eq!(kubernetes.machines.len(), 3);
    assert_eq!(super::units(&shown, "kubernetes", "poll"), 5);
    let recording = recorded(&mut host);
    assert!(matches!(&recording.acts[0].deed, Deed::Edit(file) if file.name == "kubernetes.yaml"));
    assert!(
        recording
            .project
            .files
            .iter()
            .any(|file| file.name == "cluster")
    );
    // A fault on a machine that is gone is told in its own tab.
    assert!(edit(&mut host, FAULTS, "node-crash worker-2 at 50s").applied);
    settle(&mut host);
    let edited = edit(&mut host, "cluster", "nodes 1\n");
    assert!(!edited.applied);
    assert_eq!(edited.diagnostics[0].file, FAULTS);
}

fn fates<'c>(change: &'c Change, path: &str) -> Vec<(&'c str, String)> {
    let fields = change.fields.iter().filter(|field| field.path == path);
    fields
        .map(|field| (field.fate.as_str(), field.owners.join(",")))
        .collect()
}

#[test]
fn an_edit_tells_whose_fields_it_took() {
    let mut host = loaded();
    at(&mut host, 30);
    for line in [
        "kubectl scale deployment poll --replicas=7",
        "kubectl annotate deployment poll team=blue",
    ] {
        host.handle(Request::Console(line.to_owned()));
    }
    let text = KUBERNETES.replacen("replicas: 3", "replicas: 4\n  revisionHistoryLimit: 3", 1);
    let edited = edit(&mut host, "kubernetes.yaml", &text);
    let [change] = edited.changes.as_slice() else {
        panic!("{:?}", edited.changes)
    };
    assert_eq!(
        (&*change.object, &*change.word),
        ("deployment/poll", "configured")
    );
    assert_eq!(
        fates(change, ".spec.replicas"),
        [("overwrote", "kubectl (scale)".to_owned())]
    );
    let replicas = change
        .fields
        .iter()
        .find(|field| field.path == ".spec.replicas");
    let values = replicas.map(|field| (&*field.before, &*field.after));
    assert_eq!(values, Some(("7", "4")));
    assert_eq!(
        fates(change, ".metadata.annotations.team"),
        [("kept", "kubectl-annotate".to_owned())]
    );
    let limit = fates(change, ".spec.revisionHistoryLimit");
    assert_eq!(limit, [("changed", "kubectl-client-side-apply".to_owned())]);
    // What the file no longer says is taken back, for the first apply remembers it.
    let shorter = text.replacen("\n  revisionHistoryLimit: 3", "", 1);
    let edited = edit(&mut host, "kubernetes.yaml", &shorter);
    assert_eq!(edited.changes.len(), 1, "{:?}", edited.changes);
    // The same text again changes nothing.
    assert!(
        edit(&mut host, "kubernetes.yaml", &shorter)
            .changes
            .is_empty()
    );
}

#[test]
fn an_edited_stack_tells_what_became_of_its_specification() {
    let mut host = loaded();
    at(&mut host, 30);
    let edited = edit(
        &mut host,
        "stack.yml",
        &STACK.replacen("replicas: 3", "replicas: 5", 1),
    );
    let [change] = edited.changes.as_slice() else {
        panic!("{:?}", edited.changes)
    };
    assert_eq!(change.object, "service/app_poll");
    assert_eq!(change.word, "updated");
    assert!(change.versions.0 < change.versions.1, "{change:?}");
    assert!(
        change.text.contains("-    Replicas: 3\n+    Replicas: 5\n"),
        "{}",
        change.text
    );
}
