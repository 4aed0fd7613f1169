//! Checks across the services of a project. Source: compose-go `loader/validate.go`, `graph/cycle.go`.

use std::sync::Arc;

use crate::api::compose::service::Port;
use crate::base::sentence::{Sentence, catalogue};
use crate::base::sorted::{SortedMap, SortedSet};
use crate::manifest::compose::service::WrittenService;
use crate::manifest::decode::scribe::{Field, Scribe};
use crate::manifest::diagnostic::Severity;
use crate::manifest::explain;
use crate::manifest::schema::suggest::nearest;
use crate::manifest::tree::{Key, Node};

/// Names that the top level declares.
#[derive(Clone, Debug)]
pub struct Declared {
    /// Networks, with `default`.
    pub networks: SortedSet<Arc<str>>,
    /// Volumes.
    pub volumes: SortedSet<Arc<str>>,
    /// Configs.
    pub configs: SortedSet<Arc<str>>,
    /// Secrets.
    pub secrets: SortedSet<Arc<str>>,
}

/// Every name that a service uses is declared.
pub fn names(services: &SortedMap<Arc<str>, WrittenService>, declared: &Declared, scribe: &Scribe) {
    let code = explain::COMPOSE_UNDEFINED_NAME;
    let undefined = |service: &str, word: &str, name: &str, span, known: &SortedSet<Arc<str>>| {
        let message = format!(
            "service {service:?} refers to undefined {word} {name}: invalid compose project"
        );
        let help = match nearest(name, known.iter().map(|known| &**known)) {
            Some(near) => catalogue::NEAR.with(&[("near", &near)]),
            None => {
                let text = format!("{word}s: {{{name}: }}");
                catalogue::DECLARE.with(&[("text", &text)])
            }
        };
        scribe.error_with_help(code, span, message, help);
    };
    for (key, written) in services {
        for (name, span) in written
            .networks
            .iter()
            .filter(|(name, _)| !declared.networks.contains(name))
        {
            undefined(key, "network", name, *span, &declared.networks);
        }
        for mount in written.mounts.iter().filter(|mount| mount.named) {
            if !declared.volumes.contains(&mount.mount.source) {
                undefined(
                    key,
                    "volume",
                    &mount.mount.source,
                    mount.span,
                    &declared.volumes,
                );
            }
        }
        for (word, name, span) in &written.grants {
            let known = if *word == "config" {
                &declared.configs
            } else {
                &declared.secrets
            };
            if !known.contains(name) {
                undefined(key, word, name, *span, known);
            }
        }
        for (name, span) in &written.depends_on {
            let required = written
                .service
                .depends_on
                .get(name)
                .is_none_or(|dependency| dependency.required);
            if required && !services.contains_key(name) {
                let message = format!(
                    "service {key:?} depends on undefined service {name:?}: invalid compose project"
                );
                let near = nearest(name, services.keys().map(|known| &**known));
                let help = near.map_or_else(
                    || catalogue::DECLARE_SERVICE.plain(),
                    |near| catalogue::NEAR.with(&[("near", &near)]),
                );
                scribe.error_with_help(code, *span, message, help);
            }
        }
    }
}

/// A secret says where it comes from.
pub fn secret(key: &Key, node: &Node, scribe: &Scribe) {
    let name = &*key.text;
    let has = |key: &str| node.get(key).is_some_and(|value| !value.is_null());
    if !["file", "environment", "external", "driver"]
        .into_iter()
        .any(has)
    {
        scribe.error_with_help(
            explain::COMPOSE_MISSING_PROPERTY,
            key.span,
            format!("secret {name:?} must declare either `file` or `environment`: invalid compose project"),
            catalogue::SECRET_SOURCE.plain(),
        );
    }
}

/// What is made elsewhere has a name here and nothing else; the name has one place.
/// Source: compose-go `validation/external.go`, `transform/external.go`.
pub fn external(resources: &Field<'_>, kind: &str, scribe: &Scribe) {
    for entry in resources.node.and_then(Node::as_map).unwrap_or_default() {
        let (node, path) = (&entry.value, format!("{kind}.{}", entry.key.text));
        let Some(external) = node.get("external") else {
            continue;
        };
        if let Some(below) = external.get("name").and_then(Node::scalar_text) {
            let message =
                format!("{path}: external.name is deprecated. Please set name and external: true");
            scribe.warning(explain::COMPOSE_OBSOLETE, entry.key.span, message);
            let name = node.get("name").and_then(Node::scalar_text);
            if name.is_some_and(|name| name != below) {
                let message = format!("{path}: name and external.name conflict; only use name");
                scribe.error(explain::COMPOSE_CONFLICT, entry.key.span, message);
            }
        }
        // Secrets and configs are looked at in another way, networks not at all.
        if kind != "volumes" || external.as_bool() == Some(false) {
            continue;
        }
        let known = |name: &str| matches!(name, "name" | "external") || name.starts_with("x-");
        let fields = node.as_map().unwrap_or_default();
        if let Some(other) = fields.iter().find(|field| !known(&field.key.text)) {
            let message = format!(
                "{path}: conflicting parameters \"external\" and {:?} specified",
                &*other.key.text
            );
            scribe.error(explain::COMPOSE_CONFLICT, other.key.span, message);
        }
    }
}

/// A path that is watched says where its files go, unless it only causes a build or a restart.
pub fn watch(service: &str, field: &Field<'_>, scribe: &Scribe) {
    for trigger in field.peek("develop").peek("watch").items(scribe) {
        let action = trigger.peek("action");
        let action = action.node.and_then(Node::as_str);
        let needs_none = matches!(action, None | Some("rebuild" | "restart"));
        if !needs_none && !trigger.peek("target").exists() {
            let message = format!(
                "services.{service}.develop.watch: target is required for non-rebuild actions: invalid compose project"
            );
            scribe.error(explain::COMPOSE_MISSING_PROPERTY, trigger.span, message);
        }
    }
}

/// Devices are asked for by number or by name. Source: compose-go `validation/validation.go`.
pub fn devices(service: &Field<'_>, scribe: &Scribe) {
    let reservations = service
        .peek("deploy")
        .peek("resources")
        .peek("reservations");
    for list in [reservations.peek("devices"), service.peek("gpus")] {
        let items = list.node.and_then(Node::as_seq).unwrap_or_default();
        for item in items {
            if item.get("count").is_some() && item.get("device_ids").is_some() {
                let message = format!(
                    "{}.[]: \"count\" and \"device_ids\" attributes are exclusive",
                    list.path
                );
                scribe.error(explain::COMPOSE_CONFLICT, item.span, message);
            }
            let count = item.get("count");
            let Some(text) = count.and_then(Node::as_str) else {
                continue;
            };
            if !text.eq_ignore_ascii_case("all") && text.parse::<i64>().is_err() {
                let message =
                    format!("invalid value {text:?}, the only value allowed is 'all' or a number");
                let span = count.map_or(item.span, |count| count.span);
                scribe.error(explain::COMPOSE_UNSUPPORTED_VALUE, span, message);
            }
        }
    }
}

/// No service waits for itself. Each circle is told once, at the link that closes it.
pub fn cycles(services: &SortedMap<Arc<str>, WrittenService>, scribe: &Scribe) {
    let mut done = SortedSet::new();
    for start in services.keys() {
        let mut path: Vec<&Arc<str>> = Vec::new();
        // The names still to try at each depth, last first.
        let mut todo: Vec<Vec<&Arc<str>>> = vec![vec![start]];
        while let Some(level) = todo.last_mut() {
            let Some(name) = level.pop() else {
                todo.pop();
                if let Some(left) = path.pop() {
                    done.insert(left.clone());
                }
                continue;
            };
            if let Some(at) = path.iter().position(|open| *open == name) {
                report_cycle(&path[at..], services, scribe);
                continue;
            }
            let Some((name, written)) = services
                .get_key_value(name)
                .filter(|_| !done.contains(name))
            else {
                continue;
            };
            path.push(name);
            todo.push(written.service.depends_on.keys().rev().collect());
        }
    }
}

fn report_cycle(
    circle: &[&Arc<str>],
    services: &SortedMap<Arc<str>, WrittenService>,
    scribe: &Scribe,
) {
    let (Some(first), Some(last)) = (circle.first(), circle.last()) else {
        return;
    };
    let chain: Vec<&str> = circle
        .iter()
        .map(|name| &***name)
        .chain([&***first])
        .collect();
    let Some(span) = services
        .get(*last)
        .and_then(|written| written.depends_on.get(*first))
    else {
        return;
    };
    scribe.error_with_help(
        explain::COMPOSE_DEPENDENCY_CYCLE,
        *span,
        format!("dependency cycle detected: {}", chain.join(" -> ")),
        catalogue::BREAK_CIRCLE.with(&[("service", last), ("other", first)]),
    );
}

/// What an enabled service requires is enabled too.
pub fn profiles(
    enabled: &SortedMap<&Arc<str>, &WrittenService>,
    all: &SortedMap<Arc<str>, WrittenService>,
    scribe: &Scribe,
) {
    for (key, written) in enabled {
        for (name, dependency) in &written.service.depends_on {
            let Some(other) = all
                .get(name)
                .filter(|_| dependency.required && !enabled.contains_key(name))
            else {
                continue;
            };
            let profiles: Vec<&str> = other
                .service
                .profiles
                .iter()
                .map(|profile| &**profile)
                .collect();
            let message = format!(
                "service {name:?} is required by {key:?} but is disabled. Can be enabled by profiles [{}]",
                profiles.join(" ")
            );
            let span = written
                .depends_on
                .get(name)
                .copied()
                .unwrap_or(written.span);
            scribe.error(explain::COMPOSE_CONFLICT, span, message);
        }
    }
}

/// No two containers want the same port of the host.
pub fn ports(enabled: &SortedMap<&Arc<str>, &WrittenService>, scribe: &Scribe) {
    let mut taken: Vec<(&Arc<str>, &Port)> = Vec::new();
    for (key, written) in enabled {
        for port in &written.ports {
            let Some(range) = port
                .port
                .published
                .filter(|range| range.first == range.last)
            else {
                continue;
            };
            let clash = taken.iter().find(|(_, other)| clashes(other, &port.port));
            if let Some((owner, _)) = clash {
                let address = if port.port.host_ip.is_empty() {
                    "0.0.0.0"
                } else {
                    &port.port.host_ip
                };
                let message = format!(
                    "Bind for {address}:{} failed: port is already allocated",
                    range.first
                );
                let help = catalogue::PORT_TAKEN.with(&[("service", owner)]);
                // The file is valid: the engine refuses whichever container starts second.
                let severity = Severity::Warning;
                scribe.note(
                    explain::COMPOSE_PORT_TAKEN,
                    severity,
                    port.span,
                    Sentence::from(message).advise(help),
                );
            } else if written.service.scale > 1 {
                let message = catalogue::PORT_OF_MANY.with(&[
                    ("service", key),
                    ("count", &written.service.scale),
                    ("port", &range.first),
                ]);
                scribe.warning(explain::COMPOSE_PORT_TAKEN, port.span, message);
            }
            taken.push((key, &port.port));
        }
    }
}

fn clashes(one: &Port, two: &Port) -> bool {
    let everywhere = |address: &str| matches!(address, "" | "0.0.0.0" | "::");
    let single = |port: &Port| port.published.filter(|range| range.first == range.last);
    one.protocol == two.protocol
        && single(one).is_some()
        && single(one) == single(two)
        && (one.host_ip == two.host_ip || everywhere(&one.host_ip) || everywhere(&two.host_ip))
}

/// No two services claim one container name.
pub fn container_names(enabled: &SortedMap<&Arc<str>, &WrittenService>, scribe: &Scribe) {
    let mut taken: SortedMap<&Arc<str>, &Arc<str>> = SortedMap::new();
    for (key, written) in enabled {
        let Some(name) = &written.service.container_name else {
            continue;
        };
        if let Some(owner) = taken.insert(name, key) {
            // The stray quote is the real tool's.
            let message = format!(
                "services.{key}: container name {name:?} is already in use by service {owner}\""
            );
            scribe.error(explain::COMPOSE_CONFLICT, written.container_name, message);
        }
    }
}
