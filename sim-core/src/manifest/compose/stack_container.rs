//! A stack's service to what its containers are told.
//! Source: docker/cli `cli/compose/convert/{service,volume}.go`.

use std::sync::Arc;

use crate::api::health::HealthCheck;
use crate::api::swarm::options::{ContainerOptions, LogDriver, effective_capabilities};
use crate::base::sorted::SortedMap;
use crate::base::time::SimDuration;
use crate::manifest::compose::part;
use crate::manifest::decode::scribe::{Field, Scribe};
use crate::manifest::diagnostic::Code;
use crate::manifest::tree::Node;

/// Everything but secrets and configs; `stack` becomes a label.
pub fn options(service: &Field<'_>, stack: &str, scribe: &Scribe) -> ContainerOptions {
    let scalar = |key: &str| -> Arc<str> {
        let value = service.get(scribe, key).scalar(scribe);
        value.unwrap_or_else(|| "".into())
    };
    let truth = |key: &str| part::truth(&service.get(scribe, key), scribe);
    let integer = |field: &Field<'_>| part::integer(field, scribe).unwrap_or(0);
    let list = |key: &str| texts(&service.get(scribe, key), scribe);
    let mut labels = part::labels(&service.get(scribe, "labels"), scribe);
    labels.insert("com.docker.stack.namespace".into(), stack.into());
    let (capabilities_add, capabilities_drop) =
        effective_capabilities(&list("cap_add"), &list("cap_drop"));
    let limits = service
        .get(scribe, "deploy")
        .get(scribe, "resources")
        .get(scribe, "limits");
    ContainerOptions {
        labels,
        hostname: scalar("hostname"),
        directory: scalar("working_dir"),
        user: scalar("user"),
        stop_signal: scalar("stop_signal"),
        tty: truth("tty").unwrap_or(false),
        read_only: truth("read_only").unwrap_or(false),
        init: truth("init"),
        hosts: hosts(&service.get(scribe, "extra_hosts"), scribe),
        dns_servers: list("dns"),
        dns_search: list("dns_search"),
        sysctls: part::labels(&service.get(scribe, "sysctls"), scribe),
        ulimits: ulimits(&service.get(scribe, "ulimits"), scribe),
        capabilities_add,
        capabilities_drop,
        oom_score_adjustment: integer(&service.get(scribe, "oom_score_adj")),
        pids_limit: integer(&limits.get(scribe, "pids")),
        log_driver: log_driver(&service.get(scribe, "logging"), scribe),
        ..ContainerOptions::default()
    }
}

/// A text, or a list of texts.
fn texts(field: &Field<'_>, scribe: &Scribe) -> Vec<Arc<str>> {
    match field.node {
        Some(node) if node.as_seq().is_none() => field.scalar(scribe).into_iter().collect(),
        _ => field.texts(scribe),
    }
}

/// `NAME:ADDRESS` or a mapping, as lines of `/etc/hosts`; a list keeps its order.
fn hosts(field: &Field<'_>, scribe: &Scribe) -> Vec<Arc<str>> {
    let line = |name: &str, address: &str| -> Arc<str> { format!("{address} {name}").into() };
    if field.node.is_some_and(|node| node.as_map().is_some()) {
        let entries = field.entries(scribe);
        let pairs: SortedMap<&str, Arc<str>> = entries
            .iter()
            .filter_map(|(key, value)| Some((&*key.text, value.scalar(scribe)?)))
            .collect();
        return pairs
            .iter()
            .map(|(name, address)| line(name, address))
            .collect();
    }
    let split = |text: Arc<str>| {
        let halves = text.split_once('=').or_else(|| text.split_once(':'));
        halves.map(|(name, address)| line(name, address))
    };
    field.texts(scribe).into_iter().filter_map(split).collect()
}

fn ulimits(field: &Field<'_>, scribe: &Scribe) -> SortedMap<Arc<str>, (i64, i64)> {
    let limits = |limit: &Field<'_>| {
        if limit.node.is_some_and(|node| node.as_map().is_some()) {
            let read = |key: &str| part::integer(&limit.get(scribe, key), scribe).unwrap_or(0);
            (read("soft"), read("hard"))
        } else {
            let both = part::integer(limit, scribe).unwrap_or(0);
            (both, both)
        }
    };
    let entries = field.entries(scribe).into_iter();
    entries
        .map(|(key, limit)| (key.text.clone(), limits(&limit)))
        .collect()
}

fn log_driver(field: &Field<'_>, scribe: &Scribe) -> Option<LogDriver> {
    if !field.exists() {
        return None;
    }
    let name = field.get(scribe, "driver").scalar(scribe);
    Some(LogDriver {
        name: name.unwrap_or_else(|| "".into()),
        options: part::labels(&field.get(scribe, "options"), scribe),
    })
}

/// A health check with what the file states; the rest is the engine's to choose.
pub fn health(field: &Field<'_>, scribe: &Scribe, code: Code) -> Option<HealthCheck> {
    let check = part::health(field, scribe, code)?;
    let stated = |key: &str, span: SimDuration| {
        if field.peek(key).exists() {
            span
        } else {
            SimDuration::ZERO
        }
    };
    Some(HealthCheck {
        interval: stated("interval", check.interval),
        timeout: stated("timeout", check.timeout),
        start_period: stated("start_period", check.start_period),
        start_interval: stated("start_interval", check.start_interval),
        retries: if field.peek("retries").exists() {
            check.retries
        } else {
            0
        },
        test: check.test,
    })
}

/// Options of one type of mount do not go with another's.
pub fn check_mounts(service: &Field<'_>, scribe: &Scribe, code: Code) {
    for item in service.peek("volumes").items(scribe) {
        let kind = item.peek("type");
        let Some(kind) = kind.node.and_then(|node| node.as_str()) else {
            continue;
        };
        let others: &[&str] = match kind {
            "volume" => &["tmpfs", "bind"],
            "bind" => &["volume", "tmpfs"],
            "tmpfs" => &["bind", "volume"],
            _ => &[],
        };
        if kind == "tmpfs" && item.peek("source").exists() {
            let message = "invalid tmpfs source, source must be empty";
            scribe.error(code, item.peek("source").span, message);
        } else if let Some(other) = others.iter().find(|other| item.peek(other).exists()) {
            let message = format!("{other} options are incompatible with type {kind}");
            scribe.error(code, item.peek(other).span, message);
        }
    }
}

/// What is made elsewhere is not described here, and its name has one place.
/// Source: docker/cli `cli/compose/loader/loader.go` (`LoadVolumes`, `LoadNetworks`).
pub fn check_external(resources: &Field<'_>, word: &str, scribe: &Scribe, code: Code) {
    for entry in resources.node.and_then(Node::as_map).unwrap_or_default() {
        let (name, span) = (&*entry.key.text, entry.key.span);
        let fields = &entry.value;
        let is_external = fields.get("external").is_some_and(|external| {
            external.as_map().is_some() || external.as_bool() == Some(true)
        });
        if !is_external {
            continue;
        }
        let other = ["driver", "driver_opts", "labels"]
            .into_iter()
            .find(|key| word == "volume" && fields.get(key).is_some());
        if let Some(other) = other {
            let message = format!(
                "conflicting parameters \"external\" and {other:?} specified for volume {name:?}"
            );
            scribe.error(code, span, message);
        } else if fields.path(&["external", "name"]).is_some() && fields.get("name").is_some() {
            let message = format!(
                "{word} {name}: {word}.external.name and {word}.name conflict; only use {word}.name"
            );
            scribe.error(code, span, message);
        }
    }
}
