//! Parts of a service that Compose and stack files write the same way.

use std::sync::Arc;

use crate::api::health::{HealthCheck, HealthTest};
use crate::api::resources::{ResourceAmounts, ResourceNeeds};
use crate::api::swarm::options::FileTarget;
use crate::api::swarm::service::{Mount, MountKind};
use crate::base::sentence::catalogue;
use crate::base::sorted::SortedMap;
use crate::base::time::SimDuration;
use crate::manifest::compose::loaded::{OtherFiles, Variables, relative};
use crate::manifest::compose::{dotenv, merge, words};
use crate::manifest::decode::scribe::{Field, Scribe};
use crate::manifest::decode::{amount, duration, image};
use crate::manifest::diagnostic::Code;
use crate::manifest::explain;
use crate::manifest::lines::Span;
use crate::manifest::tree::{Node, NodeValue};

/// A whole number, also as text: the loaders cast what interpolation gave.
pub fn integer(field: &Field<'_>, scribe: &Scribe) -> Option<i64> {
    let node = field.node?;
    let number = match &node.value {
        NodeValue::Str { text, .. } => text.trim().parse().ok(),
        _ => node.as_i64(),
    };
    if number.is_none() {
        field.wrong_type(scribe, catalogue::KIND_WHOLE);
    }
    number
}

/// A count from 0; nothing if absent or wrong.
pub fn count(field: &Field<'_>, scribe: &Scribe, code: Code) -> Option<u64> {
    let number = integer(field, scribe)?;
    let count = u64::try_from(number).ok();
    if count.is_none() {
        scribe.error(
            code,
            field.span,
            format!("{}: must be greater than or equal to 0", field.path),
        );
    }
    count
}

/// A truth value, also as text, with the words of YAML 1.1.
/// Source: compose-go `loader/interpolate.go` (`toBoolean`).
pub fn truth(field: &Field<'_>, scribe: &Scribe) -> Option<bool> {
    let truth = truth_of(field.node?);
    if truth.is_none() {
        field.wrong_type(scribe, catalogue::KIND_TRUTH);
    }
    truth
}

/// A node as a truth value.
pub fn truth_of(node: &Node) -> Option<bool> {
    let lower = node.as_str().map(str::to_ascii_lowercase);
    match lower.as_deref() {
        Some("true" | "y" | "yes" | "on") => Some(true),
        Some("false" | "n" | "no" | "off") => Some(false),
        _ => node.as_bool(),
    }
}

/// A duration; the default if absent or wrong.
pub fn duration(
    field: &Field<'_>,
    scribe: &Scribe,
    code: Code,
    default: SimDuration,
) -> SimDuration {
    let Some(text) = field.scalar(scribe) else {
        return default;
    };
    duration::parse(&text).unwrap_or_else(|message| {
        let message = format!("{}: {message}", field.path);
        scribe.error_with_help(
            code,
            field.span,
            message,
            catalogue::EXAMPLES.with(&[("examples", &"30s, 1m30s")]),
        );
        default
    })
}

/// A command: a list of words, or a line that is split; nothing if absent.
pub fn command(field: &Field<'_>, scribe: &Scribe, code: Code) -> Option<Vec<Arc<str>>> {
    let node = field.node?;
    if node.as_seq().is_some() {
        return Some(
            field
                .items(scribe)
                .iter()
                .filter_map(|item| item.scalar(scribe))
                .collect(),
        );
    }
    let line = field.scalar(scribe)?;
    let split = words::split(&line);
    if split.is_none() {
        scribe.error(
            code,
            field.span,
            format!("{}: invalid command line string", field.path),
        );
    }
    split
}

/// `K: V` or a list of `K=V`, as texts; a key without a value has none.
pub fn key_values(field: &Field<'_>, scribe: &Scribe) -> Vec<(Arc<str>, Option<Arc<str>>)> {
    let Some(node) = field.node else {
        return Vec::new();
    };
    let owned;
    let field = if node.as_seq().is_some() {
        owned = merge::key_values(node.clone());
        if owned.as_map().is_none() {
            field.wrong_type(scribe, catalogue::KIND_MAP);
            return Vec::new();
        }
        Field {
            node: Some(&owned),
            span: field.span,
            path: field.path.clone(),
        }
    } else {
        field.clone()
    };
    field
        .entries(scribe)
        .into_iter()
        .map(|(key, inner)| {
            (
                key.text.clone(),
                if inner.exists() {
                    inner.scalar(scribe)
                } else {
                    None
                },
            )
        })
        .collect()
}

/// Labels; a key without a value has an empty one.
pub fn labels(field: &Field<'_>, scribe: &Scribe) -> SortedMap<Arc<str>, Arc<str>> {
    let pairs = key_values(field, scribe).into_iter();
    pairs
        .map(|(key, value)| (key, value.unwrap_or_else(|| "".into())))
        .collect()
}

/// `label_file` and `labels` of a service: the latter win, later files win. Source: compose-go
/// `types/project.go` WithServicesLabelsResolved.
pub fn service_labels(
    service: &Field<'_>,
    scribe: &Scribe,
    others: OtherFiles<'_>,
    file: &str,
) -> SortedMap<Arc<str>, Arc<str>> {
    let mut found = Variables::new();
    let files = service.get(scribe, "label_file");
    let items = match files.node {
        Some(node) if node.as_seq().is_none() => vec![files],
        _ => files.items(scribe),
    };
    for item in items {
        let Some(path) = item.text(scribe) else {
            continue;
        };
        match others(&relative(file, &path)) {
            Some(text) => {
                let given = dotenv::parse(&text, &found);
                found.extend(given);
            }
            None => scribe.error(
                explain::FILES_MISSING,
                item.span,
                format!("label file {path} not found: stat {path}: no such file or directory"),
            ),
        }
    }
    found.extend(labels(&service.get(scribe, "labels"), scribe));
    found
}

/// `env_file` and `environment` of a service: the latter wins, later files win.
pub fn environment(
    service: &Field<'_>,
    scribe: &Scribe,
    variables: &Variables,
    others: OtherFiles<'_>,
    file: &str,
) -> SortedMap<Arc<str>, Arc<str>> {
    let mut environment = SortedMap::new();
    let files = service.get(scribe, "env_file");
    let items = match files.node {
        Some(node) if node.as_seq().is_none() => vec![files],
        _ => files.items(scribe),
    };
    for item in items {
        let is_map = item.node.is_some_and(|node| node.as_map().is_some());
        let path_field = if is_map {
            item.get(scribe, "path")
        } else {
            item.clone()
        };
        let required = if is_map {
            truth(&item.get(scribe, "required"), scribe).unwrap_or(true)
        } else {
            true
        };
        let Some(path) = path_field.text(scribe) else {
            continue;
        };
        match others(&relative(file, &path)) {
            Some(text) => environment.extend(dotenv::parse(&text, variables)),
            None if required => scribe.error_with_help(
                explain::FILES_MISSING,
                path_field.span,
                format!("env file {path} not found: stat {path}: no such file or directory"),
                catalogue::GIVE_FILE_OPTIONAL.plain(),
            ),
            None => {}
        }
    }
    for (key, value) in key_values(&service.get(scribe, "environment"), scribe) {
        match value.or_else(|| variables.get(&key).cloned()) {
            Some(value) => environment.insert(key, value),
            None => environment.remove(&key),
        };
    }
    environment
}

/// An image reference, checked; empty if absent.
pub fn image(
    field: &Field<'_>,
    scribe: &Scribe,
    code: Code,
    message: &dyn Fn(&str) -> String,
) -> Arc<str> {
    let text = field.text_or_empty(scribe);
    // What could not be interpolated has been told already.
    if !text.is_empty() && !text.contains('$') && !image::is_reference(&text) {
        let lower = text.to_lowercase();
        let help = if image::is_reference(&lower) {
            catalogue::IMAGE_LOWER.with(&[("image", &lower)])
        } else {
            catalogue::EXAMPLES.with(&[("examples", &"registry.example/team/web:1.2")])
        };
        scribe.error_with_help(code, field.span, message(&text), help);
    }
    text
}

/// `healthcheck`. Defaults: moby `daemon/health.go`.
pub fn health(field: &Field<'_>, scribe: &Scribe, code: Code) -> Option<HealthCheck> {
    if !field.expect_map(scribe) {
        return None;
    }
    let disable = truth(&field.get(scribe, "disable"), scribe).unwrap_or(false);
    let test_field = field.get(scribe, "test");
    if disable && test_field.exists() {
        scribe.error(
            code,
            test_field.span,
            "test and disable can't be set at the same time",
        );
    }
    let test = if disable {
        Some(HealthTest::Disabled)
    } else {
        health_test(&test_field, scribe, code)
    };
    let span = |key: &str, default| {
        let inner = field.get(scribe, key);
        let value = duration(&inner, scribe, code, default);
        // Zero is absence here, as the engine has it.
        if value.is_zero() { default } else { value }
    };
    let retries = count(&field.get(scribe, "retries"), scribe, code)
        .filter(|retries| *retries > 0)
        .unwrap_or(3);
    Some(HealthCheck {
        test,
        interval: span("interval", SimDuration::from_secs(30)),
        timeout: span("timeout", SimDuration::from_secs(30)),
        retries: u32::try_from(retries).unwrap_or(u32::MAX),
        start_period: span("start_period", SimDuration::ZERO),
        start_interval: span("start_interval", SimDuration::from_secs(5)),
    })
}

fn health_test(field: &Field<'_>, scribe: &Scribe, code: Code) -> Option<HealthTest> {
    let node = field.node?;
    if node.as_seq().is_none() {
        return field.scalar(scribe).map(HealthTest::Shell);
    }
    let words: Vec<Arc<str>> = field
        .items(scribe)
        .iter()
        .filter_map(|item| item.scalar(scribe))
        .collect();
    match words.first().map(|word| &**word) {
        None => None,
        Some("NONE") => Some(HealthTest::Disabled),
        Some("CMD") => Some(HealthTest::Command(words[1..].to_vec())),
        Some("CMD-SHELL") => Some(HealthTest::Shell(words[1..].join(" ").into())),
        Some(_) => {
            let message = r#"healthcheck.test must start either by "CMD", "CMD-SHELL" or "NONE""#;
            scribe.error(code, field.span, message);
            None
        }
    }
}

/// A mount and, for a named volume, its key at the top level.
#[derive(Clone, Debug)]
pub struct WrittenMount {
    /// The mount; the source of a named volume is still its key.
    pub mount: Mount,
    /// Whether the source is a key that must be declared.
    pub named: bool,
    /// Where it is written.
    pub span: Span,
    /// Its path, e.g. `services.web.volumes[0]`.
    pub path: String,
}

/// `volumes` and `tmpfs` of a service.
pub fn mounts(service: &Field<'_>, scribe: &Scribe, code: Code) -> Vec<WrittenMount> {
    let mut found = tmpfs(service, scribe);
    for item in service.get(scribe, "volumes").items(scribe) {
        let mount = match item.node {
            Some(node) if node.as_map().is_some() => long_mount(&item, scribe, code),
            Some(_) => item.scalar(scribe).and_then(|text| {
                let mount = short_mount(&text);
                if mount.is_none() {
                    scribe.error(
                        code,
                        item.span,
                        format!("{}: invalid volume specification: '{text}'", item.path),
                    );
                }
                mount
            }),
            None => None,
        };
        if let Some(mount) = mount {
            let named = mount.kind == MountKind::Volume && !mount.source.is_empty();
            found.push(WrittenMount {
                mount,
                named,
                span: item.span,
                path: item.path.clone(),
            });
        }
    }
    check_targets(&found, scribe);
    found
}

/// `tmpfs`: memory file systems, which the checks look at first.
fn tmpfs(service: &Field<'_>, scribe: &Scribe) -> Vec<WrittenMount> {
    let mut found = Vec::new();
    let tmpfs = service.get(scribe, "tmpfs");
    let items = match tmpfs.node {
        Some(node) if node.as_seq().is_none() => vec![tmpfs],
        _ => tmpfs.items(scribe),
    };
    for item in items {
        let Some(text) = item.scalar(scribe) else {
            continue;
        };
        let target = text.split(':').next().unwrap_or("").into();
        let mount = Mount {
            kind: MountKind::Tmpfs,
            source: "".into(),
            target,
            read_only: false,
        };
        found.push(WrittenMount {
            mount,
            named: false,
            span: item.span,
            path: if item.path.ends_with(']') {
                item.path.clone()
            } else {
                format!("{}[0]", item.path)
            },
        });
    }
    found
}

fn check_targets(mounts: &[WrittenMount], scribe: &Scribe) {
    for (index, mount) in mounts.iter().enumerate() {
        if let Some(first) = mounts[..index]
            .iter()
            .find(|first| first.mount.target == mount.mount.target)
        {
            let message = format!(
                "{}: target {} already mounted as {}",
                mount.path, mount.mount.target, first.path
            );
            scribe.error(explain::COMPOSE_CONFLICT, mount.span, message);
        }
    }
}

fn long_mount(item: &Field<'_>, scribe: &Scribe, code: Code) -> Option<Mount> {
    let kind_field = item.get(scribe, "type");
    let source = item.get(scribe, "source").text_or_empty(scribe);
    let kind = match kind_field.text(scribe).as_deref() {
        Some("bind" | "npipe" | "cluster") => MountKind::Bind,
        Some("tmpfs") => MountKind::Tmpfs,
        Some("volume" | "image") => MountKind::Volume,
        Some(other) => {
            scribe.error(
                code,
                kind_field.span,
                format!("{}: unknown mount type '{other}'", kind_field.path),
            );
            return None;
        }
        None => {
            let message = format!("{}: missing required property 'type'", item.path);
            scribe.error(explain::COMPOSE_MISSING_PROPERTY, item.span, message);
            return None;
        }
    };
    let target = item.get(scribe, "target").text_or_empty(scribe);
    if kind == MountKind::Bind && source.is_empty() {
        scribe.error(
            code,
            item.span,
            format!(
                "{}: invalid mount config for type \"bind\": field Source must not be empty",
                item.path
            ),
        );
    }
    let read_only = truth(&item.get(scribe, "read_only"), scribe).unwrap_or(false);
    Some(Mount {
        kind,
        source,
        target,
        read_only,
    })
}

/// `[source:]target[:options]`. Source: compose-go `format/volume.go`.
fn short_mount(text: &str) -> Option<Mount> {
    let mut parts = text.split(':');
    let first = parts.next().filter(|first| !first.is_empty())?;
    let Some(target) = parts.next() else {
        return Some(Mount {
            kind: MountKind::Volume,
            source: "".into(),
            target: first.into(),
            read_only: false,
        });
    };
    if target.is_empty() {
        return None;
    }
    let read_only = parts
        .next()
        .is_some_and(|options| options.split(',').any(|option| option == "ro"));
    if parts.next().is_some() {
        return None;
    }
    let is_path = first.starts_with(['.', '/', '~']);
    let kind = if is_path {
        MountKind::Bind
    } else {
        MountKind::Volume
    };
    Some(Mount {
        kind,
        source: first.into(),
        target: target.into(),
        read_only,
    })
}

/// `deploy.resources`.
pub fn needs(field: &Field<'_>, scribe: &Scribe, code: Code) -> ResourceNeeds {
    let limits_field = field.get(scribe, "limits");
    let reservations = field.get(scribe, "reservations");
    let mut requests = amounts(&reservations, scribe, code);
    requests.extended = amount::generic(&reservations.get(scribe, "generic_resources"), scribe)
        .into_iter()
        .collect();
    ResourceNeeds {
        requests,
        limits: amounts(&limits_field, scribe, code),
    }
}

fn amounts(field: &Field<'_>, scribe: &Scribe, code: Code) -> ResourceAmounts {
    ResourceAmounts {
        cpu_milli: amount::cpu_milli(&field.get(scribe, "cpus"), scribe, code),
        memory_bytes: amount::bytes(&field.get(scribe, "memory"), scribe, code),
        ..ResourceAmounts::default()
    }
}

/// Names that a list or a mapping gives, with their positions; values below stay unread.
pub fn names(field: &Field<'_>, scribe: &Scribe) -> Vec<(Arc<str>, Span)> {
    match field.node {
        Some(node) if node.as_map().is_some() => field
            .entries(scribe)
            .into_iter()
            .map(|(key, _)| (key.text.clone(), key.span))
            .collect(),
        _ => field
            .items(scribe)
            .iter()
            .filter_map(|item| item.text(scribe).map(|text| (text, item.span)))
            .collect(),
    }
}

/// Sources of `configs` or `secrets` of a service, and the files that they become, looked at only.
/// Source: docker/cli `cli/compose/convert/service.go` (convertFileObject).
pub fn grants(field: &Field<'_>, scribe: &Scribe) -> Vec<(Arc<str>, Span, FileTarget)> {
    let mut found = Vec::new();
    for item in field.items(scribe) {
        let is_long = item.node.is_some_and(|node| node.as_map().is_some());
        let source = if is_long {
            item.get(scribe, "source")
        } else {
            item.clone()
        };
        let Some(name) = source.text(scribe) else {
            continue;
        };
        let mut file = FileTarget::named(&name);
        if is_long {
            let text = |key: &str| item.peek(key).scalar(scribe);
            file.name = text("target").unwrap_or(file.name);
            file.uid = text("uid").unwrap_or(file.uid);
            file.gid = text("gid").unwrap_or(file.gid);
            let mode = item.peek("mode").integer(scribe);
            file.mode = mode
                .and_then(|mode| u32::try_from(mode).ok())
                .unwrap_or(file.mode);
        }
        found.push((name, source.span, file));
    }
    found
}
