//! What the page writes on a pod is kubectl's word for it.

use super::{at, file, frame_now, loaded, look, say};
use crate::host::EngineHost;
use crate::protocol::{Frame, Project, Reply, Request, StateGroup, View, WorldFrame};

/// Pods that go through many states: init containers that run, fail, have no image or stay as
/// sidecars; containers that end, fail or have no program; one that fits nowhere, one that is held.
const PODS: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: init-runs}
spec:
  initContainers:
    - {name: one, image: busybox, command: [sleep, "20"]}
    - {name: two, image: busybox, command: [sleep, "20"]}
  containers: [{name: main, image: nginx}]
---
apiVersion: v1
kind: Pod
metadata: {name: init-fails}
spec:
  initContainers: [{name: one, image: busybox, command: [sh, -c, "exit 3"]}]
  containers: [{name: main, image: nginx}]
---
apiVersion: v1
kind: Pod
metadata: {name: init-image}
spec:
  initContainers: [{name: one, image: "busybox:no-such-tag"}]
  containers: [{name: main, image: nginx}]
---
apiVersion: v1
kind: Pod
metadata: {name: helped}
spec:
  initContainers: [{name: side, image: nginx, restartPolicy: Always}]
  containers: [{name: main, image: nginx}]
---
apiVersion: v1
kind: Pod
metadata: {name: half}
spec:
  restartPolicy: Never
  containers:
    - {name: main, image: nginx}
    - {name: short, image: busybox, command: [sleep, "5"]}
---
apiVersion: v1
kind: Pod
metadata: {name: done}
spec:
  restartPolicy: Never
  containers: [{name: main, image: busybox, command: [sleep, "5"]}]
---
apiVersion: v1
kind: Pod
metadata: {name: crashes}
spec:
  containers: [{name: main, image: busybox, command: [sh, -c, "sleep 2; exit 1"]}]
---
apiVersion: v1
kind: Pod
metadata: {name: unmade}
spec:
  containers: [{name: main, image: busybox, command: [no-such-program]}]
---
apiVersion: v1
kind: Pod
metadata: {name: large}
spec:
  containers: [{name: main, image: nginx, resources: {requests: {cpu: "400"}}}]
---
apiVersion: v1
kind: Pod
metadata: {name: held}
spec:
  schedulingGates: [{name: example.com/wait}]
  containers: [{name: main, image: nginx}]
"#;

fn replicas(frame: &Frame) -> Vec<(String, String, StateGroup)> {
    let world = &frame.worlds[0];
    let placed = world.machines.iter().flat_map(|machine| &machine.units);
    let mut all: Vec<_> = placed
        .chain(&world.unplaced)
        .map(|unit| (unit.name.clone(), unit.state.clone(), unit.group))
        .collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all
}

#[test]
fn a_replica_has_the_word_that_kubectl_prints() {
    let mut host = EngineHost::new();
    let replies = host.handle(Request::Load(Project {
        files: vec![file("pods.yaml", PODS)],
        nodes: 2,
        seed: 7,
        faults: vec!["node-crash of:helped at 100s".to_owned()],
        length_us: 600_000_000,
    }));
    assert!(
        matches!(&replies[..], [Reply::Checked { applied: true, .. }]),
        "{replies:?}"
    );
    host.handle(Request::Watch(View::default()));
    let mut words = Vec::new();
    for second in (1..60).chain([90, 130, 170, 500, 590]) {
        let shown = replicas(&at(&mut host, second));
        let table = look(&mut host, "watch kubectl get pods --no-headers").stdout;
        let rows = table.lines().filter_map(|line| {
            let mut cells = line.split_whitespace();
            let name = cells.next()?;
            cells.next().filter(|ready| ready.contains('/'))?;
            Some((name.to_owned(), cells.next()?.to_owned()))
        });
        let rows: Vec<_> = rows.collect();
        let said: Vec<_> = (shown.iter())
            .map(|(name, word, _)| (name.clone(), word.clone()))
            .collect();
        assert_eq!(said, rows, "at {second} s");
        words.extend(shown.into_iter().map(|(_, word, group)| (word, group)));
    }
    let of = |word: &str| words.iter().filter(|(known, _)| known == word).count();
    for word in [
        "Init:0/2",
        "Init:1/2",
        "Init:Error",
        "Init:CrashLoopBackOff",
        "Init:ImagePullBackOff",
        "PodInitializing",
        "NotReady",
        "Completed",
        "CrashLoopBackOff",
        "Pending",
        "SchedulingGated",
        "Terminating",
    ] {
        assert!(of(word) > 0, "{word} was never shown");
    }
    let failed = words.contains(&("Init:CrashLoopBackOff".to_owned(), StateGroup::Failed));
    assert!(failed);
}

#[test]
fn a_machine_that_takes_nothing_new_says_so_in_its_orchestrators_word() {
    let mut host = loaded();
    for line in [
        "kubectl cordon worker-1",
        "docker node update --availability drain worker-2",
        "docker node update --availability pause worker-3",
    ] {
        let printed = say(&mut host, line);
        assert_eq!(printed.code, 0, "{line}: {printed:?}");
    }
    let frame = frame_now(&mut host);
    let words = |orchestrator: &str| -> Vec<(&str, &str, &str)> {
        let world = |it: &&WorldFrame| it.orchestrator == orchestrator;
        let world = frame.worlds.iter().find(world).expect("it runs");
        let machines = world.machines.iter().filter(|machine| !machine.control);
        machines
            .map(|it| (it.name.as_str(), it.state.as_str(), it.closed.as_str()))
            .collect()
    };
    let kubernetes = words("kubernetes");
    assert_eq!(kubernetes[0], ("worker-1", "Ready", "SchedulingDisabled"));
    assert_eq!(kubernetes[1], ("worker-2", "Ready", ""));
    let swarm = words("swarm");
    let of = |name: &str| swarm.iter().find(|it| it.0 == name).map(|it| it.2);
    assert_eq!(of("worker-2"), Some("Drain"));
    assert_eq!(of("worker-3"), Some("Pause"));
}
