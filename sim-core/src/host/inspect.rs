//! What the real tools would tell about an object, and what can follow in a console line.
//!
//! Owns the choice of lines and words only: the console runs the lines on a copy of the session, so
//! that looking changes nothing.

use crate::base::arrange::Arrange;
use crate::console::Session;
use crate::engine::command::FaultKind;
use crate::protocol::{Answer, Said, Sheet, Word};

use super::view;

/// Longest sheet, in bytes.
const SHEET_BYTES_MAX: usize = 64 << 10;

/// Words offered at most.
const WORDS_MAX: usize = 40;

/// What the tools print about `kind/name`.
pub fn sheets(session: &Session, orchestrator: &str, object: &str) -> Answer {
    let Some((kind, name)) = object.split_once('/') else {
        return Answer::Nothing;
    };
    // A name from a message is put into a line only if it is a name.
    let is_name = |text: &str| {
        !text.is_empty()
            && text.len() <= 300
            && text
                .chars()
                .all(|letter| letter.is_alphanumeric() || "-._/:@".contains(letter))
    };
    if !is_name(kind) || !is_name(name) || name.starts_with('-') {
        return Answer::Nothing;
    }
    let lines = lines(orchestrator, kind, name);
    let sheets = lines.into_iter().map(|line| {
        let output = session.clone().run(&line);
        let mut text = String::from(output.stdout);
        if output.code != 0 {
            text.push_str(&output.stderr);
        }
        if text.len() > SHEET_BYTES_MAX {
            let mut end = SHEET_BYTES_MAX;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
        }
        Sheet { line, text }
    });
    Answer::Sheets(sheets.collect())
}

fn lines(orchestrator: &str, kind: &str, name: &str) -> Vec<String> {
    match (orchestrator, kind) {
        ("kubernetes", _) => {
            // `kind/namespace/name` where the namespace is not the default one.
            let (name, namespace) = match name.split_once('/') {
                Some((namespace, name)) => (name, format!(" -n {namespace}")),
                None => (name, String::new()),
            };
            let mut lines = vec![
                format!("kubectl describe {kind} {name}{namespace}"),
                format!("kubectl get {kind} {name}{namespace} -o yaml"),
            ];
            if kind == "pod" {
                lines.push(format!("kubectl logs {name}{namespace}"));
            }
            lines
        }
        ("swarm", "node") => vec![
            format!("docker node inspect --pretty {name}"),
            format!("docker node ps {name}"),
        ],
        ("swarm", "service") => vec![
            format!("docker service inspect --pretty {name}"),
            format!("docker service ps {name}"),
        ],
        ("swarm", _) => {
            let service = name.rsplit_once('.').map_or(name, |(service, _)| service);
            vec![
                format!("docker service ps --no-trunc {service}"),
                format!("docker service inspect --pretty {service}"),
                format!("docker service logs {service}"),
            ]
        }
        (_, "node" | "host") => vec!["docker ps -a".to_owned(), "docker compose ls".to_owned()],
        _ => vec![
            format!("docker inspect {name}"),
            format!("docker logs {name}"),
        ],
    }
}

const PROGRAMS: [&str; 4] = ["kubectl", "docker", "sim", "watch"];

const KUBECTL: [&str; 20] = [
    "get", "describe", "apply", "delete", "scale", "rollout", "logs", "exec", "set", "edit",
    "patch", "label", "annotate", "cordon", "drain", "uncordon", "explain", "create", "top",
    "wait",
];

const KINDS: [&str; 20] = [
    "pods",
    "deployments",
    "replicasets",
    "statefulsets",
    "daemonsets",
    "jobs",
    "cronjobs",
    "services",
    "endpointslices",
    "nodes",
    "events",
    "leases",
    "configmaps",
    "secrets",
    "namespaces",
    "persistentvolumeclaims",
    "persistentvolumes",
    "horizontalpodautoscalers",
    "poddisruptionbudgets",
    "all",
];

const DOCKER: [&str; 12] = [
    "ps", "service", "stack", "node", "compose", "inspect", "logs", "exec", "stop", "kill",
    "restart", "rm",
];

const SIM: [&str; 12] = [
    "advance", "fault", "heal", "faults", "events", "why", "hash", "until", "expect", "now", "set",
    "trace",
];

/// What can follow: the words of the grammar, and the names of what is there now.
pub fn words(session: &Session, line: &str) -> Answer {
    let start = line.rfind([' ', '/', ',']).map_or(0, |at| at + 1);
    let (before, typed) = line.split_at(start);
    let mut given: Vec<&str> = before.split_whitespace().collect();
    // What a watch repeats is completed as if it stood alone.
    if given.first() == Some(&"watch") {
        let options = if given.get(1) == Some(&"-n") { 3 } else { 1 };
        given.drain(..options.min(given.len()));
    }
    let fixed: Vec<&str> = match given.as_slice() {
        [] => PROGRAMS.to_vec(),
        ["kubectl"] => KUBECTL.to_vec(),
        ["kubectl", "rollout"] => vec!["status", "history", "undo", "restart", "pause", "resume"],
        [
            "kubectl",
            "get" | "describe" | "delete" | "scale" | "edit" | "label" | "annotate" | "explain",
        ] => KINDS.to_vec(),
        ["docker"] => DOCKER.to_vec(),
        ["docker", "service"] => vec![
            "ls", "ps", "scale", "inspect", "update", "logs", "rm", "rollback",
        ],
        ["docker", "stack"] => vec!["deploy", "ls", "ps", "services", "rm"],
        ["docker", "node"] => vec!["ls", "ps", "inspect", "update", "rm"],
        ["docker", "compose"] => vec![
            "up", "ps", "down", "logs", "ls", "stop", "start", "restart", "config",
        ],
        ["sim"] => SIM.to_vec(),
        ["sim", "fault"] => FaultKind::ALL.iter().map(|(_, name)| *name).collect(),
        _ => Vec::new(),
    };
    let mut found: Vec<Word> = fixed
        .into_iter()
        .filter(|word| word.starts_with(typed))
        .map(|word| plain(word, Said::default()))
        .collect();
    if given.len() >= 2 {
        for (name, kind) in names(session) {
            if name.starts_with(typed) && !found.iter().any(|word| word.label == name) {
                found.push(plain(&name, Said::own(kind, [])));
            }
        }
        for name in session.files.keys().filter(|name| name.starts_with(typed)) {
            found.push(plain(name, Said::own("is-file", [])));
        }
    }
    found.truncate(WORDS_MAX);
    if found.is_empty() {
        return Answer::Nothing;
    }
    let units: usize = before.chars().map(char::len_utf16).sum();
    Answer::Words {
        from: u32::try_from(units).unwrap_or(u32::MAX),
        words: found,
    }
}

fn plain(word: &str, detail: Said) -> Word {
    Word {
        label: word.to_owned(),
        detail,
        text: word.to_owned(),
    }
}

/// Names of workloads, units and machines of all worlds, each with the key of what it is.
fn names(session: &Session) -> Vec<(String, &'static str)> {
    let mut names = Vec::new();
    for world in &session.history.lab().worlds {
        names.extend(
            world
                .workloads()
                .iter()
                .map(|workload| (workload.name.to_string(), "is-workload")),
        );
        let machines = world.substrate.machines();
        names.extend(machines.map(|(_, row)| {
            let name = world.symbols.text(row.name);
            (name.to_owned(), "is-machine")
        }));
        let units = view::units(world).into_iter();
        names.extend(units.map(|unit| (unit.name, "is-unit")));
    }
    names.arrange();
    names.dedup();
    names
}
