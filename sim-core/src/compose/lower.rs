//! From a service of the file to what the engine runs.

use std::hash::Hash;
use std::sync::Arc;

use crate::api::compose::service::{PullPolicy as Pull, Service};
use crate::api::health::{HealthCheck, HealthTest};
use crate::api::swarm::service::PortProtocol;
use crate::base::resources::ResourceVector;
use crate::base::symbol::Symbols;
use crate::base::time::SimDuration;
use crate::des::fingerprint::Fingerprint;
use crate::manifest::value::Value;
use crate::object::print::{KeyOrder, json};
use crate::substrate::cgroup::settings::{GroupSettings, OomScore};
use crate::substrate::order::{ContainerSpec, ProbeAction, ProbePacing, ProbeSpec, PullPolicy};

/// The container that a service describes.
pub fn container(service: &Service, symbols: &mut Symbols) -> ContainerSpec {
    let requests = ResourceVector::default();
    let mut limits = ResourceVector::default();
    limits.milli_cpu = amount(service.resources.limits.cpu_milli);
    limits.memory = amount(service.resources.limits.memory_bytes);
    let ports: Vec<u16> = service
        .ports
        .iter()
        .map(|port| port.target)
        .chain(service.expose.iter().copied())
        .collect();
    ContainerSpec {
        name: symbols.intern(&service.name),
        image: symbols.intern(&service.image),
        command: service.entrypoint.clone().unwrap_or_default().into(),
        arguments: service.command.clone().unwrap_or_default().into(),
        environment: service
            .environment
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        ports: ports.into(),
        group: group(service),
        oom: OomScore::default(),
        requests,
        limits,
        mounts: service
            .mounts
            .iter()
            .map(|mount| mount.target.clone())
            .collect(),
        probes: service
            .health_check
            .as_ref()
            .and_then(probe)
            .into_iter()
            .collect(),
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
        start_interval: if check.start_period.is_zero() {
            SimDuration::ZERO
        } else {
            check.start_interval
        },
    })
}

/// Limits as the daemon writes them; a reservation of memory is protected memory.
/// Source: docker/compose `pkg/compose/create.go` (`setReservations`).
fn group(service: &Service) -> GroupSettings {
    let mut group = GroupSettings::docker(
        amount(service.resources.limits.cpu_milli),
        amount(service.resources.limits.memory_bytes),
    );
    group.memory_reservation =
        Some(amount(service.resources.requests.memory_bytes)).filter(|bytes| *bytes > 0);
    group
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
