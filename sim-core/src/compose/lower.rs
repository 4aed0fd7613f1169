//! From a service of the file to what the engine is told, and from that to what the machine runs.

use std::hash::Hash;
use std::sync::Arc;

use crate::api::compose::container::{ContainerConfig, ContainerLimits};
use crate::api::compose::project::Project;
use crate::api::compose::service::{DependencyCondition, PullPolicy as Pull, Service};
use crate::api::health::{HealthCheck, HealthTest};
use crate::api::swarm::service::{Mount, MountKind, PortProtocol};
use crate::base::resources::ResourceVector;
use crate::base::sorted::SortedMap;
use crate::base::symbol::{Symbol, Symbols};
use crate::base::time::SimDuration;
use crate::des::fingerprint::Fingerprint;
use crate::manifest::value::Value;
use crate::object::print::{KeyOrder, json};
use crate::substrate::cgroup::settings::{CPU_PERIOD_US, GroupSettings, OomScore};
use crate::substrate::order::{ContainerSpec, ProbeAction, ProbePacing, ProbeSpec, PullPolicy};
use crate::substrate::root_fs::{self, From, RootSpec};

use super::view::hash_text;

/// Labels that Compose puts on its containers. Source: docker/compose `pkg/api/labels.go`.
pub const LABEL: &str = "com.docker.compose.";

/// What the client tells the engine of one container of a service.
/// Source: docker/compose `pkg/compose/create.go` getCreateConfigs.
pub fn config(project: &Project, service: &Service, number: u32, hash: u64) -> ContainerConfig {
    let document = Value::parse_json(&service.document).unwrap_or_default();
    let text = |key: &str| -> Arc<str> { document.str_at(&[key]).unwrap_or_default().into() };
    let flag = |key: &str| document.get(key).and_then(Value::as_bool).unwrap_or(false);
    let texts = |key: &str| -> Vec<Arc<str>> {
        let items = document.get(key).and_then(Value::as_list);
        items
            .unwrap_or_default()
            .iter()
            .filter_map(|item| item.as_str().map(Arc::from))
            .collect()
    };
    let mut labels = service.labels.clone();
    let depends_on: Vec<String> = service
        .depends_on
        .iter()
        .map(|(name, dependency)| {
            let condition = match dependency.condition {
                DependencyCondition::Started => "service_started",
                DependencyCondition::Healthy => "service_healthy",
                DependencyCondition::CompletedSuccessfully => "service_completed_successfully",
            };
            format!("{name}:{condition}:{}", dependency.restart)
        })
        .collect();
    for (key, value) in [
        ("config-hash", hash_text(hash)),
        ("container-number", number.to_string()),
        ("depends_on", depends_on.join(",")),
        ("oneoff", "False".to_owned()),
        ("project", project.name.to_string()),
        ("service", service.name.to_string()),
    ] {
        labels.insert(format!("{LABEL}{key}").into(), value.into());
    }
    let mut networks = SortedMap::new();
    for key in &service.networks {
        let Some(network) = project.networks.get(key) else {
            continue;
        };
        let mut aliases: Vec<Arc<str>> = vec![service.name.clone()];
        let written = document
            .path(&["networks", key, "aliases"])
            .and_then(Value::as_list);
        aliases.extend(
            written
                .unwrap_or_default()
                .iter()
                .filter_map(|alias| alias.as_str().map(Arc::from)),
        );
        networks.insert(network.name.clone(), aliases);
    }
    let mode = text("network_mode");
    let network_mode = if mode.is_empty() {
        networks
            .keys()
            .next()
            .cloned()
            .unwrap_or_else(|| "none".into())
    } else {
        mode
    };
    ContainerConfig {
        image: service.image.clone(),
        entrypoint: service.entrypoint.clone(),
        command: service.command.clone(),
        environment: service.environment.clone(),
        labels,
        hostname: text("hostname"),
        user: text("user"),
        working_dir: text("working_dir"),
        stop_signal: text("stop_signal"),
        stop_timeout: document
            .get("stop_grace_period")
            .map(|_| service.stop_grace_period),
        health_check: service.health_check.clone(),
        restart: service.restart,
        ports: service.ports.clone(),
        expose: service.expose.clone(),
        mounts: service.mounts.clone(),
        network_mode,
        networks,
        limits: limits(service, &document),
        tty: flag("tty"),
        open_stdin: flag("stdin_open"),
        privileged: flag("privileged"),
        read_only: flag("read_only"),
        auto_remove: false,
        init: document.get("init").and_then(Value::as_bool),
        cap_add: texts("cap_add"),
        cap_drop: texts("cap_drop"),
        dns: texts("dns"),
        extra_hosts: texts("extra_hosts")
            .iter()
            .map(|line| line.replacen('=', ":", 1).into())
            .collect(),
    }
}

fn limits(service: &Service, document: &Value) -> ContainerLimits {
    let number = |path: &[&str]| match document.path(path) {
        Some(Value::Int(number)) => *number,
        Some(Value::String(text)) => text.parse().unwrap_or(0),
        _ => 0,
    };
    let pids = number(&["pids_limit"]);
    ContainerLimits {
        memory: amount(service.resources.limits.memory_bytes),
        memory_swap: number(&["memswap_limit"]),
        memory_reservation: amount(service.resources.requests.memory_bytes),
        nano_cpus: amount(service.resources.limits.cpu_milli).saturating_mul(1_000_000),
        cpu_shares: number(&["cpu_shares"]),
        cpu_period: number(&["cpu_period"]),
        cpu_quota: number(&["cpu_quota"]),
        cpuset_cpus: document.str_at(&["cpuset"]).unwrap_or_default().into(),
        pids_limit: if pids == 0 {
            number(&["deploy", "resources", "limits", "pids"])
        } else {
            pids
        },
        blkio_weight: number(&["blkio_config", "weight"]),
        oom_score_adj: number(&["oom_score_adj"]),
        shm_size: number(&["shm_size"]),
    }
}

/// Services whose namespaces or volumes a service shares: it is recreated with them.
/// Source: docker/compose `pkg/compose/reconcile.go` parentNamespaceRecreated.
pub fn parents(service: &Service) -> Vec<Arc<str>> {
    let document = Value::parse_json(&service.document).unwrap_or_default();
    let mut found: Vec<Arc<str>> = ["network_mode", "ipc", "pid"]
        .iter()
        .filter_map(|key| document.str_at(&[key])?.strip_prefix("service:"))
        .map(Arc::from)
        .collect();
    let shared = document.get("volumes_from").and_then(Value::as_list);
    for text in shared.unwrap_or_default().iter().filter_map(Value::as_str) {
        if !text.starts_with("container:") {
            found.push(text.split(':').next().unwrap_or("").into());
        }
    }
    found
}

/// What the machine runs for a container.
pub fn spec(
    config: &ContainerConfig,
    (name, key): (Symbol, u64),
    symbols: &mut Symbols,
) -> ContainerSpec {
    let mut limits = ResourceVector::default();
    let bounds = &config.limits;
    limits.memory = bounds.memory;
    limits.milli_cpu = match (bounds.nano_cpus, bounds.cpu_quota) {
        (0, quota) if quota > 0 => {
            // Source: moby daemon/oci_linux.go: the period defaults to 100 ms.
            let period = if bounds.cpu_period > 0 {
                bounds.cpu_period
            } else {
                100_000
            };
            quota.saturating_mul(1_000) / period
        }
        (nano, _) => nano / 1_000_000,
    };
    let targets = config.ports.iter().map(|port| port.target);
    let ports: Vec<u16> = targets
        .chain(config.expose.iter().map(|(port, _)| *port))
        .collect();
    ContainerSpec {
        name,
        image: symbols.intern(&config.image),
        command: config.entrypoint.clone().unwrap_or_default().into(),
        arguments: config.command.clone().unwrap_or_default().into(),
        environment: config
            .environment
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        ports: ports.into(),
        any_but: None,
        group: group(bounds),
        oom: OomScore::Fixed(i32::try_from(bounds.oom_score_adj).unwrap_or(0)),
        requests: ResourceVector::default(),
        limits,
        mounts: config
            .mounts
            .iter()
            .map(|mount| mount.target.clone())
            .collect(),
        root: Arc::new(root(config, key)),
        joins: None,
        probes: config
            .health_check
            .as_ref()
            .and_then(probe)
            .into_iter()
            .collect(),
    }
}

/// Bounds as the daemon hands them to the runtime.
/// Source: moby `daemon/daemon_unix.go` (adaptContainerSettings), `daemon/oci_linux.go`.
fn group(bounds: &ContainerLimits) -> GroupSettings {
    let set = |amount: i64| (amount != 0).then_some(amount);
    let positive = |amount: i64| u64::try_from(amount).ok().filter(|amount| *amount > 0);
    let from_cpus = bounds.nano_cpus > 0;
    GroupSettings {
        cpu_shares: positive(bounds.cpu_shares),
        cpu_quota_us: if from_cpus {
            // Thousand-millionths of a CPU in each 100 ms.
            Some(bounds.nano_cpus / 10_000)
        } else {
            set(bounds.cpu_quota)
        },
        cpu_period_us: if from_cpus {
            Some(CPU_PERIOD_US)
        } else {
            positive(bounds.cpu_period)
        },
        memory_limit: set(bounds.memory),
        memory_reservation: set(bounds.memory_reservation),
        memory_swap: match (bounds.memory_swap, bounds.memory) {
            (0, memory) => set(memory.saturating_mul(2)),
            (swap, _) => Some(swap),
        },
        pids_limit: set(bounds.pids_limit),
        cpuset_cpus: (!bounds.cpuset_cpus.is_empty()).then(|| bounds.cpuset_cpus.clone()),
        blkio_weight: u16::try_from(bounds.blkio_weight)
            .ok()
            .filter(|weight| *weight > 0),
        ..GroupSettings::default()
    }
}

/// Docker's health check as the substrate runs it: the first probe comes one interval after the
/// start. Source: `moby/moby daemon/health.go`.
fn probe(check: &HealthCheck) -> Option<ProbeSpec> {
    let command: Arc<[Arc<str>]> = match check.test.as_ref()? {
        HealthTest::Disabled => return None,
        HealthTest::Command(words) => words.clone().into(),
        HealthTest::Shell(line) => [Arc::from("/bin/sh"), Arc::from("-c"), line.clone()].into(),
    };
    Some(ProbeSpec {
        which: 0,
        action: ProbeAction::Exec { command },
        initial_delay: SimDuration::ZERO,
        period: check.interval,
        timeout: check.timeout,
        success_threshold: 1,
        failure_threshold: check.retries,
        start_period: check.start_period,
        pacing: ProbePacing::Gaps,
        initial: None,
        after: None,
        once: false,
        each: false,
        start_interval: if check.start_period.is_zero() {
            SimDuration::ZERO
        } else {
            check.start_interval
        },
    })
}

fn amount(amount: Option<u64>) -> i64 {
    i64::try_from(amount.unwrap_or(0)).unwrap_or(i64::MAX)
}

/// A protocol's name in lower case.
pub fn protocol(protocol: PortProtocol) -> &'static str {
    match protocol {
        PortProtocol::Tcp => "tcp",
        PortProtocol::Udp => "udp",
        PortProtocol::Sctp => "sctp",
    }
}

/// When the engine pulls.
pub fn pull_policy(service: &Service) -> PullPolicy {
    match service.pull_policy {
        Pull::Always => PullPolicy::Always,
        Pull::Missing | Pull::Build => PullPolicy::IfNotPresent,
        Pull::Never => PullPolicy::Never,
    }
}

/// Hash of what makes a container another one: everything but build, pull policy, scale,
/// dependencies and profiles. Source: `docker/compose pkg/compose/hash.go`.
pub fn config_hash(service: &Service) -> u64 {
    let mut hash = Fingerprint::new();
    match Value::parse_json(&service.document) {
        Ok(mut document) => {
            for key in ["build", "pull_policy", "scale", "depends_on", "profiles"] {
                document.remove(key);
            }
            document.remove_path(&["deploy", "replicas"]);
            json(&document, KeyOrder::Sorted).hash(&mut hash);
        }
        Err(_) => service.hash(&mut hash),
    }
    std::hash::Hasher::finish(&hash)
}

/// Name of a container's volume that has none: made of the container's key, which outlives a change
/// of its name, and of where it is mounted.
pub fn anonymous(key: u64, target: &str) -> Arc<str> {
    format!("{key:016x}{target}").into()
}

/// What is mounted into a container.
fn root(config: &ContainerConfig, key: u64) -> RootSpec {
    let from = |mount: &Mount| match mount.kind {
        MountKind::Bind if mount.source.starts_with('/') => From::Machine(mount.source.clone()),
        // Relative to where the command line is: root's home.
        MountKind::Bind => {
            From::Machine(format!("/root/{}", mount.source.trim_start_matches("./")).into())
        }
        MountKind::Tmpfs => From::Memory(0),
        MountKind::Volume if mount.source.is_empty() => From::Volume(anonymous(key, &mount.target)),
        MountKind::Volume => From::Volume(mount.source.clone()),
    };
    RootSpec {
        mounts: config
            .mounts
            .iter()
            .map(|mount| root_fs::Mount {
                target: mount.target.trim_end_matches('/').into(),
                from: from(mount),
                sub: "".into(),
                read_only: mount.read_only,
            })
            .collect(),
        read_only: config.read_only,
        init: config.init == Some(true),
        stdin: false,
    }
}
