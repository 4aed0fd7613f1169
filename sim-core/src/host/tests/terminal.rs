use super::{asked, at, frame_now, loaded, look, say};
use crate::base::sentence::catalogue;
use crate::protocol::{Answer, Printed, Query, Said};

#[test]
fn a_watch_shows_each_moment_and_changes_nothing() {
    let mut host = loaded();
    let hash = at(&mut host, 400).hash;
    let line = "watch -n 1 kubectl get nodes";
    let late = say(&mut host, line);
    assert_eq!((late.every_us, late.at_us), (1_000_000, 400_000_000));
    assert!(
        late.stdout.starts_with("Every 1.0s: kubectl get nodes"),
        "{}",
        late.stdout
    );
    assert!(late.stdout.contains("NotReady"));
    // Scrubbed: the same line at another time, and back.
    at(&mut host, 50);
    let early = look(&mut host, line);
    assert!(!early.stdout.contains("NotReady"), "{}", early.stdout);
    assert!(early.stdout.contains("00:00:50 2026"));
    at(&mut host, 400);
    assert_eq!(look(&mut host, line), late);
    assert_eq!(frame_now(&mut host).hash, hash);
    assert_eq!(
        asked(&mut host, Query::Look("kubectl get nodes".to_owned())),
        Answer::Nothing
    );
}

#[test]
fn a_watch_of_what_acts_is_refused() {
    let mut host = loaded();
    let hash = at(&mut host, 30).hash;
    let printed = say(&mut host, "watch kubectl delete pod --all");
    assert_eq!((printed.code, printed.every_us), (1, 0));
    let Said::Own { key, .. } = &printed.stderr[1] else {
        panic!("{printed:?}")
    };
    assert_eq!(*key, catalogue::WATCH_CHANGES.number.to_string());
    assert_eq!(frame_now(&mut host).hash, hash);
    // One that has begun ends when its command can no longer be repeated.
    assert_eq!(say(&mut host, "watch").code, 1);
}

/// What each name in an output leads to.
fn names(printed: &Printed) -> Vec<(&str, &str)> {
    let names = printed.names.iter();
    names
        .map(|name| {
            let text = &printed.stdout[name.from as usize..name.to as usize];
            (text, name.object.as_str())
        })
        .collect()
}

#[test]
fn names_in_an_output_are_those_of_objects() {
    let mut host = loaded();
    at(&mut host, 30);
    let printed = say(&mut host, "kubectl get deployments,services");
    let found = names(&printed);
    assert!(found.contains(&("poll", "deployment/poll")), "{found:?}");
    let printed = say(&mut host, "kubectl get services");
    let found = names(&printed);
    assert!(found.contains(&("poll", "service/poll")), "{found:?}");
    assert!(!printed.stdout.is_empty() && found.iter().all(|(text, _)| *text != "ClusterIP"));
    let printed = say(&mut host, "kubectl get pods -o wide");
    let found = names(&printed);
    let pods = found
        .iter()
        .filter(|(text, object)| *object == format!("pod/{text}"));
    assert_eq!(
        pods.count(),
        printed.stdout.lines().count() - 1,
        "{found:?}"
    );
    assert!(found.contains(&("worker-1", "node/worker-1")));
    let lit = printed
        .names
        .iter()
        .find(|name| name.object.starts_with("pod/poll-"));
    assert_eq!(lit.map(|name| name.workload.as_str()), Some("poll"));
    let printed = say(&mut host, "docker service ls");
    assert!(names(&printed).contains(&("app_poll", "service/app_poll")));
    assert!(
        printed
            .names
            .iter()
            .all(|name| name.orchestrator == "swarm")
    );
    let printed = say(&mut host, "docker compose -p app ps");
    let found = names(&printed);
    assert!(
        found.contains(&("app-poll-1", "container/app-poll-1")),
        "{found:?}"
    );
    // Nothing of that name is there, however much it looks like a name.
    let printed = say(&mut host, "kubectl get pod no-such-pod-7c9d");
    assert_eq!((printed.code, printed.names.len()), (1, 0));
    assert!(names(&say(&mut host, "echo worker-1 poll-7c9d")).is_empty());
}

#[test]
fn a_watched_command_is_completed_as_if_it_stood_alone() {
    let mut host = loaded();
    for (line, word) in [
        ("wat", "watch"),
        ("watch ku", "kubectl"),
        ("watch -n 5 kubectl get dep", "deployments"),
    ] {
        let Answer::Words { words, .. } = asked(&mut host, Query::Words(line.to_owned())) else {
            panic!("{line}: nothing")
        };
        assert_eq!(words[0].label, word, "{line}");
    }
}
