//! One service of a Compose project. Source: compose-go `types/types.go`, `loader/normalize.go`.

use std::sync::Arc;

use crate::api::compose::service::{Dependency, DependencyCondition, PullPolicy, Restart, Service};
use crate::api::swarm::service::PortProtocol;
use crate::base::arrange::Arrange;
use crate::base::limits::MAX_REPLICAS;
use crate::base::sentence::catalogue;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::time::SimDuration;
use crate::manifest::compose::loaded::{OtherFiles, Variables};
use crate::manifest::compose::part::{self, WrittenMount};
use crate::manifest::compose::port::{self, WrittenPort};
use crate::manifest::decode::amount;
use crate::manifest::decode::scribe::{Field, Scribe};
use crate::manifest::explain;
use crate::manifest::lines::Span;
use crate::manifest::schema::suggest::nearest;

/// A service and where its parts are written, for the checks across services.
#[derive(Clone, Debug)]
pub struct WrittenService {
    /// The service.
    pub service: Service,
    /// Position of its key.
    pub span: Span,
    /// Position of each dependency.
    pub depends_on: SortedMap<Arc<str>, Span>,
    /// Networks with their positions.
    pub networks: Vec<(Arc<str>, Span)>,
    /// Mounts with their positions.
    pub mounts: Vec<WrittenMount>,
    /// Ports with their positions.
    pub ports: Vec<WrittenPort>,
    /// Configs and secrets it uses: the word, the name, the position.
    pub grants: Vec<(&'static str, Arc<str>, Span)>,
    /// Position of the container's name.
    pub container_name: Span,
}

/// What a service needs to know of its surroundings.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// Project name.
    pub project: &'a str,
    /// Variables of the environment.
    pub variables: &'a Variables,
    /// Other files.
    pub others: OtherFiles<'a>,
    /// Name of the first file, from which paths are seen.
    pub file: &'a str,
}

/// Reads a service.
pub fn read(
    name: &Arc<str>,
    span: Span,
    field: &Field<'_>,
    scribe: &Scribe,
    around: Around<'_>,
) -> WrittenService {
    field.expect_map(scribe);
    let code = explain::COMPOSE_INVALID_VALUE;
    let get = |key: &str| field.get(scribe, key);
    let build = get("build");
    if let Some(node) = build.node {
        // What a build does is outside; that there is one is all that counts.
        scribe.mark_below(node);
    }
    let image_field = get("image");
    let image = part::image(&image_field, scribe, code, &|text| {
        format!("invalid reference format: {text:?}")
    });
    if image.is_empty() && !build.exists() {
        let message = format!(
            "service \"{name}\" has neither an image nor a build context specified: invalid compose project"
        );
        scribe.error_with_help(
            explain::COMPOSE_NO_IMAGE,
            span,
            message,
            catalogue::IMAGE_NEEDED.plain(),
        );
    }
    let deploy = get("deploy");
    let mounts = part::mounts(field, scribe, code);
    let ports = port::ports(&get("ports"), scribe, code);
    let (dependencies, depends_on) = dependencies(field, scribe);
    let mode = get("network_mode");
    let networks = networks(field, scribe, name, &mode);
    let container = get("container_name");
    let mut resources = part::needs(&deploy.get(scribe, "resources"), scribe, code);
    distinct(name, field, &deploy, scribe);
    let limit = amount::bytes(&get("mem_limit"), scribe, code);
    resources.limits.memory_bytes = resources.limits.memory_bytes.or(limit);
    let cpus = amount::cpu_milli(&get("cpus"), scribe, code);
    resources.limits.cpu_milli = resources.limits.cpu_milli.or(cpus);
    let reservation = amount::bytes(&get("mem_reservation"), scribe, code);
    resources.requests.memory_bytes = resources.requests.memory_bytes.or(reservation);
    let mut grants = Vec::new();
    for (key, word) in [("configs", "config"), ("secrets", "secret")] {
        grants.extend(
            part::grants(&field.peek(key), scribe)
                .into_iter()
                .map(|(name, at, _)| (word, name, at)),
        );
    }
    let image = if image.is_empty() {
        format!("{}-{name}", around.project).into()
    } else {
        image
    };
    let service = Service {
        name: name.clone(),
        build: build.exists(),
        entrypoint: part::command(&get("entrypoint"), scribe, code),
        command: part::command(&get("command"), scribe, code),
        environment: part::environment(field, scribe, around.variables, around.others, around.file),
        labels: part::service_labels(field, scribe, around.others, around.file),
        ports: ports.iter().map(|written| written.port.clone()).collect(),
        expose: expose(&get("expose"), scribe),
        depends_on: dependencies,
        health_check: part::health(&get("healthcheck"), scribe, code),
        restart: restart(&get("restart"), &deploy, scribe),
        scale: scale(name, field, &deploy, scribe),
        networks: networks
            .iter()
            .map(|(network, _)| network.clone())
            .collect(),
        mounts: mounts.iter().map(|written| written.mount.clone()).collect(),
        container_name: container.text(scribe),
        stop_grace_period: part::duration(
            &get("stop_grace_period"),
            scribe,
            code,
            SimDuration::from_secs(10),
        ),
        profiles: get("profiles").texts(scribe),
        pull_policy: pull_policy(
            &get("pull_policy"),
            scribe,
            build.exists() && !image_field.exists(),
        ),
        resources,
        image,
        document: "".into(),
    };
    let container_name = container.span;
    WrittenService {
        service,
        span,
        depends_on,
        networks,
        mounts,
        ports,
        grants,
        container_name,
    }
}

/// Old and new names of one bound have one value, and a name of its own goes with one container.
/// Source: compose-go `loader/validate.go`.
fn distinct(name: &str, field: &Field<'_>, deploy: &Field<'_>, scribe: &Scribe) {
    let old = |key: &str| field.peek(key);
    let new = |group: &str, key: &str| deploy.peek("resources").peek(group).peek(key);
    let text = |field: &Field<'_>| field.node.and_then(|node| node.scalar_text());
    let bytes = |field: &Field<'_>| text(field).and_then(|text| amount::parse_bytes(&text));
    let milli = |field: &Field<'_>| text(field).and_then(|text| amount::parse_decimal(&text, 3));
    for (key, group, other, is_cpu) in [
        ("cpus", "limits", "cpus", true),
        ("mem_limit", "limits", "memory", false),
        ("mem_reservation", "reservations", "memory", false),
        ("pids_limit", "limits", "pids", true),
    ] {
        let (one, two) = (old(key), new(group, other));
        let read =
            |field: &Field<'_>| if is_cpu { milli(field) } else { bytes(field) }.unwrap_or(0);
        let has_group = deploy.peek("resources").peek(group).exists();
        if one.exists() && has_group && read(&one) != 0 && read(&one) != read(&two) {
            let message = format!(
                "services.{name}: can't set distinct values on '{key}' and 'deploy.resources.{group}.{other}': invalid compose project"
            );
            scribe.error(explain::COMPOSE_CONFLICT, one.span, message);
        }
    }
    let container = old("container_name");
    let count = |field: &Field<'_>| text(field).and_then(|text| text.parse::<u32>().ok());
    let scaled = [
        ("scale", old("scale")),
        ("deploy.replicas", deploy.peek("replicas")),
    ]
    .into_iter()
    .find(|(_, field)| field.exists());
    if let Some((attribute, scale)) = scaled
        && container.exists()
        && count(&scale).is_some_and(|count| count > 1)
    {
        // Name and attribute have changed places upstream.
        let message = format!(
            "services.{attribute}: can't set container_name and {name} as container name must be unique: invalid compose project"
        );
        scribe.error(explain::COMPOSE_CONFLICT, container.span, message);
    }
}

/// `depends_on`, and what links and shared namespaces imply.
fn dependencies(
    field: &Field<'_>,
    scribe: &Scribe,
) -> (SortedMap<Arc<str>, Dependency>, SortedMap<Arc<str>, Span>) {
    let plain = Dependency {
        condition: DependencyCondition::Started,
        required: true,
        restart: false,
    };
    let mut found = SortedMap::new();
    let mut spans = SortedMap::new();
    let depends_on = field.get(scribe, "depends_on");
    if depends_on.node.is_some_and(|node| node.as_map().is_some()) {
        for (key, inner) in depends_on.entries(scribe) {
            let dependency = Dependency {
                condition: condition(&inner.get(scribe, "condition"), scribe),
                required: part::truth(&inner.get(scribe, "required"), scribe).unwrap_or(true),
                restart: part::truth(&inner.get(scribe, "restart"), scribe).unwrap_or(false),
            };
            found.insert(key.text.clone(), dependency);
            spans.insert(key.text.clone(), key.span);
        }
    } else {
        for (name, span) in part::names(&depends_on, scribe) {
            found.insert(name.clone(), plain);
            spans.insert(name, span);
        }
    }
    let mut imply = |name: &str, span: Span, restart: bool| {
        found
            .entry(name.into())
            .or_insert(Dependency { restart, ..plain });
        spans.entry(name.into()).or_insert(span);
    };
    for item in field.get(scribe, "links").items(scribe) {
        if let Some(text) = item.text(scribe) {
            imply(text.split(':').next().unwrap_or(""), item.span, true);
        }
    }
    for key in ["network_mode", "ipc", "pid"] {
        let inner = field.peek(key);
        if let Some(other) = inner
            .node
            .and_then(|node| node.as_str())
            .and_then(|text| text.strip_prefix("service:"))
        {
            imply(other, inner.span, true);
        }
    }
    for item in field.peek("volumes_from").items(scribe) {
        let text = item.node.and_then(|node| node.as_str()).unwrap_or("");
        if !text.is_empty() && !text.starts_with("container:") {
            imply(text.split(':').next().unwrap_or(""), item.span, false);
        }
    }
    (found, spans)
}

fn condition(field: &Field<'_>, scribe: &Scribe) -> DependencyCondition {
    match field.text(scribe).as_deref() {
        None | Some("service_started") => DependencyCondition::Started,
        Some("service_healthy") => DependencyCondition::Healthy,
        Some("service_completed_successfully") => DependencyCondition::CompletedSuccessfully,
        Some(other) => {
            let words = [
                "service_started",
                "service_healthy",
                "service_completed_successfully",
            ];
            let help = match nearest(other, words) {
                Some(near) => catalogue::NEAR.with(&[("near", &near)]),
                None => catalogue::ONE_OF.with(&[("names", &words.join(", "))]),
            };
            let message = format!(
                "{} value must be one of '{}'",
                field.path,
                words.join("', '")
            );
            scribe.error_with_help(
                explain::COMPOSE_UNSUPPORTED_VALUE,
                field.span,
                message,
                help,
            );
            DependencyCondition::Started
        }
    }
}

fn networks(
    field: &Field<'_>,
    scribe: &Scribe,
    name: &str,
    mode: &Field<'_>,
) -> Vec<(Arc<str>, Span)> {
    let networks = field.get(scribe, "networks");
    if mode.exists() {
        if networks.exists() {
            let message = format!(
                "service {name} declares mutually exclusive `network_mode` and `networks`: invalid compose project"
            );
            scribe.error_with_help(
                explain::COMPOSE_CONFLICT,
                mode.span,
                message,
                catalogue::REMOVE_ONE.plain(),
            );
        }
        return Vec::new();
    }
    let mut names = part::names(&networks, scribe);
    if names.is_empty() {
        names.push(("default".into(), field.span));
    }
    names.arrange_by(|one, two| one.0.cmp(&two.0));
    names.dedup_by(|one, two| one.0 == two.0);
    names
}

fn expose(field: &Field<'_>, scribe: &Scribe) -> Vec<(u16, PortProtocol)> {
    let mut ports = SortedSet::new();
    for item in field.items(scribe) {
        let Some(text) = item.scalar(scribe) else {
            continue;
        };
        if port::expose(&text, &mut ports).is_none() {
            let message = format!("{}: invalid start port '{text}': invalid syntax", item.path);
            scribe.error(explain::COMPOSE_INVALID_VALUE, item.span, message);
        }
    }
    ports.iter().copied().collect()
}

/// `deploy.restart_policy` stands before `restart`. Source: docker/compose `pkg/compose/create.go`.
fn restart(field: &Field<'_>, deploy: &Field<'_>, scribe: &Scribe) -> Restart {
    let policy = deploy.get(scribe, "restart_policy");
    let text = field.scalar(scribe).unwrap_or_else(|| "no".into());
    let plain = parse_restart(&text).unwrap_or_else(|| {
        let message = format!("{}: invalid restart policy '{text}'", field.path);
        let names = "\"no\", always, unless-stopped, on-failure[:n]";
        let help = catalogue::ONE_OF.with(&[("names", &names)]);
        scribe.error_with_help(explain::COMPOSE_INVALID_VALUE, field.span, message, help);
        Restart::No
    });
    if !policy.exists() || field.exists() {
        return plain;
    }
    let attempts = part::count(
        &policy.get(scribe, "max_attempts"),
        scribe,
        explain::COMPOSE_INVALID_VALUE,
    );
    match policy.get(scribe, "condition").text(scribe).as_deref() {
        Some("none") => Restart::No,
        Some("on-failure") => Restart::OnFailure {
            max_retries: u32::try_from(attempts.unwrap_or(0)).unwrap_or(u32::MAX),
        },
        _ => Restart::Always,
    }
}

/// The engine's restart policy from its text.
pub fn parse_restart(text: &str) -> Option<Restart> {
    match text {
        "no" | "" | "false" => Some(Restart::No),
        "always" => Some(Restart::Always),
        "unless-stopped" => Some(Restart::UnlessStopped),
        "on-failure" => Some(Restart::OnFailure { max_retries: 0 }),
        _ => {
            let number = text.strip_prefix("on-failure:")?;
            Some(Restart::OnFailure {
                max_retries: number.parse().ok()?,
            })
        }
    }
}

fn scale(name: &str, field: &Field<'_>, deploy: &Field<'_>, scribe: &Scribe) -> u32 {
    let code = explain::COMPOSE_INVALID_VALUE;
    let scale_field = field.get(scribe, "scale");
    let scale = part::count(&scale_field, scribe, code);
    let replicas = part::count(&deploy.get(scribe, "replicas"), scribe, code);
    if let (Some(scale), Some(replicas)) = (scale, replicas)
        && scale != replicas
    {
        let message = format!(
            "services.{name}: can't set distinct values on 'scale' and 'deploy.replicas': invalid compose project"
        );
        scribe.error(explain::COMPOSE_CONFLICT, scale_field.span, message);
    }
    let wanted = scale.or(replicas).unwrap_or(1);
    if wanted > u64::from(MAX_REPLICAS) {
        let message = catalogue::SO_MANY
            .with(&[("count", &wanted), ("most", &MAX_REPLICAS)])
            .and("what", catalogue::OF_ONE_SERVICE.plain());
        scribe.error(code, field.span, message.at(format!("services.{name}")));
    }
    u32::try_from(wanted).unwrap_or(u32::MAX)
}

fn pull_policy(field: &Field<'_>, scribe: &Scribe, build_only: bool) -> PullPolicy {
    let default = if build_only {
        PullPolicy::Build
    } else {
        PullPolicy::Missing
    };
    match field.text(scribe).as_deref() {
        None => default,
        Some("always") => PullPolicy::Always,
        Some("missing" | "if_not_present") => PullPolicy::Missing,
        Some("never") => PullPolicy::Never,
        Some("build") => PullPolicy::Build,
        // Refresh after a time: a run is shorter than that.
        Some(text)
            if matches!(text, "daily" | "weekly" | "refresh") || text.starts_with("every_") =>
        {
            default
        }
        Some(text) => {
            let message = format!("{}: unsupported pull_policy value '{text}'", field.path);
            scribe.error(explain::COMPOSE_UNSUPPORTED_VALUE, field.span, message);
            default
        }
    }
}
