//! Objects that a command's output names, so that a page can make the names lead to them.
//!
//! A word is a name only if an object of that name is there now, in a world that the command asked;
//! which of several objects is meant is told by the kinds that the command names. Nothing is
//! concluded from how a word looks.

use crate::base::arrange::Arrange;
use crate::base::limits::MAX_CONSOLE_LINE;
use crate::console::{Output, Session, watch};
use crate::engine::command::Orchestrator;
use crate::engine::world::{Plane, World};
use crate::kube::kinds::Kind;
use crate::protocol::{self, DENSE_UNITS, Mention, Printed, WatchOptions};

use super::{EngineHost, view};

/// Names found in one output at most.
const MENTIONS_MAX: usize = 400;

/// Bytes of an output that are looked at.
const BYTES_MAX: usize = 64 << 10;

/// Kinds of Kubernetes whose names are known even if the command does not say them.
const USUAL: [&str; 7] = [
    "deployment",
    "statefulset",
    "daemonset",
    "replicaset",
    "job",
    "cronjob",
    "service",
];

/// An object under one of its names.
struct Known {
    name: String,
    /// Objects of kinds that the command names go first.
    rank: u32,
    orchestrator: &'static str,
    object: String,
    workload: String,
}

impl EngineHost {
    /// What a line printed, with the names in it.
    #[inline(never)]
    pub(super) fn printed(&self, line: String, output: Output) -> Printed {
        Printed {
            names: mentions(&self.session, &line, &output.stdout),
            line,
            said: match output.stdout.says() {
                true => protocol::spoken(&output.stdout),
                false => Vec::new(),
            },
            stdout: output.stdout.into(),
            stderr: protocol::spoken(&output.stderr),
            code: output.code,
            at_us: self.session.history.now().as_micros(),
            every_us: 0,
            watch: WatchOptions::default(),
        }
    }

    /// What a `watch` line shows now; none: it is no such line.
    #[inline(never)]
    pub(super) fn look(&self, line: &str) -> Option<Printed> {
        // Longer lines are the session's to refuse.
        if line.len() > MAX_CONSOLE_LINE {
            return None;
        }
        let watch = match watch::parse(line)? {
            Ok(watch) => watch,
            Err(refusal) => return Some(self.printed(line.to_owned(), refusal)),
        };
        let (output, beeps) = watch.frame(&self.session);
        let mut printed = self.printed(line.to_owned(), output);
        printed.watch.beeps = beeps;
        if printed.code == 0 {
            printed.every_us = watch.interval_us;
            printed.watch = WatchOptions {
                header_rows: watch.head(),
                differences: watch.differences,
                permanent: watch.permanent,
                until_change: watch.until_change,
                until_equal: watch.until_equal,
                beeps,
            };
        }
        Some(printed)
    }
}

/// The names in `text`, which `line` printed.
pub fn mentions(session: &Session, line: &str, text: &str) -> Vec<Mention> {
    let mut end = text.len().min(BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = &text[..end];
    let mut known = Vec::new();
    for world in &session.history.lab().worlds {
        if asks(line, world.orchestrator) {
            names(world, line, &mut known);
        }
    }
    known.arrange_by(|one, two| (&one.name, one.rank).cmp(&(&two.name, two.rank)));
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find(is_part).map(|offset| at + offset) {
        let rest = &text[start..];
        at = start + rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
        let word = text[start..at].trim_end_matches('.');
        let to = start + word.len();
        // `name:tag` and `host/name` of an image are no object's name.
        let tagged = text[to..].starts_with(':')
            && text[to + 1..].starts_with(|next: char| !next.is_whitespace());
        let first = known.partition_point(|one| one.name.as_str() < word);
        if let Some(one) = known.get(first).filter(|one| one.name == word && !tagged) {
            found.push(Mention {
                from: u32::try_from(start).unwrap_or(u32::MAX),
                to: u32::try_from(to).unwrap_or(u32::MAX),
                orchestrator: one.orchestrator.to_owned(),
                object: one.object.clone(),
                workload: one.workload.clone(),
            });
            if found.len() >= MENTIONS_MAX {
                break;
            }
        }
    }
    found
}

/// Whether a line's program asks this orchestrator.
fn asks(line: &str, orchestrator: Orchestrator) -> bool {
    let has = |name: &str| {
        line.split_whitespace()
            .any(|word| word.trim_matches(['\'', '"']) == name)
    };
    match orchestrator {
        _ if has("sim") || has("host") => true,
        Orchestrator::Kubernetes => has("kubectl") || has("k"),
        Orchestrator::Swarm => has("docker") && !has("compose"),
        Orchestrator::Compose => has("docker-compose") || has("docker"),
    }
}

fn names(world: &World, line: &str, known: &mut Vec<Known>) {
    let orchestrator = world.orchestrator.name();
    let mut add = |name: &str, rank: u32, object: String, workload: &str| {
        known.push(Known {
            name: name.to_owned(),
            rank,
            orchestrator,
            object,
            workload: workload.to_owned(),
        });
    };
    for (_, row) in world.substrate.machines() {
        let name = world.symbols.text(row.name);
        add(name, 1, format!("node/{name}"), "");
    }
    let count = match &world.plane {
        Plane::Kubernetes(plane) => {
            let count = plane.store().pod_count();
            let view = plane.view(&world.symbols, &world.substrate, world.now, world.seed);
            let words: Vec<&str> = line
                .split([' ', ',', '/', '\'', '"'])
                .filter_map(|word| word.split('.').next())
                .collect();
            let mut kinds: Vec<(u32, &Kind)> = Vec::new();
            let asked = words
                .iter()
                .filter_map(|word| view.store.kind_of_word(word));
            kinds.extend(asked.map(|kind| (0, kind)));
            let usual = USUAL
                .iter()
                .filter_map(|word| view.store.kind_of_word(word));
            kinds.extend(usual.map(|kind| (2, kind)));
            // Pods are units, below; of events nobody is led anywhere.
            kinds.retain(|(_, kind)| match kind.kind {
                "Pod" | "Event" => false,
                "ReplicaSet" => count <= DENSE_UNITS,
                _ => true,
            });
            for (rank, kind) in kinds {
                let word = kind.kind.to_lowercase();
                for object in view.list(kind, None) {
                    let name = object.str_at(&["metadata", "name"]).unwrap_or("");
                    let owner = object
                        .path(&["metadata", "ownerReferences"])
                        .and_then(|list| list.as_list()?.first()?.str_at(&["name"]));
                    add(name, rank, format!("{word}/{name}"), owner.unwrap_or(name));
                }
            }
            count
        }
        Plane::Swarm(plane) => {
            for service in plane.service_views() {
                let short = plane
                    .store
                    .service(service.id)
                    .map_or("", |row| crate::swarm::control_api::short_name(&row.spec));
                add(&service.name, 0, format!("service/{}", service.name), short);
            }
            plane.store.tasks.len()
        }
        Plane::Compose(_) => {
            for workload in world.workloads() {
                let name = &workload.name;
                add(name, 2, format!("service/{name}"), name);
            }
            0
        }
    };
    if count <= DENSE_UNITS {
        for unit in view::units(world) {
            let object = format!("{}/{}", unit.kind, unit.name);
            add(&unit.name, 1, object, &unit.workload);
        }
    }
}
