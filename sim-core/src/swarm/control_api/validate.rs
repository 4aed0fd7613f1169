//! What a specification must fulfil before it is stored.
//! Source: swarmkit `manager/controlapi/{service,common}.go`.

use crate::api::health::HealthCheck;
use crate::api::resources::ResourceAmounts;
use crate::api::swarm::service::{
    ContainerSpec, EndpointMode, PublishMode, ServiceMode, ServiceSpec, UpdateConfig,
};
use crate::base::arrange::Arrange;
use crate::base::limits::{MAX_PUBLISHED_PORTS, MAX_REPLICAS};
use crate::base::sentence::catalogue;
use crate::base::sentence::passage::Passage;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::time::SimDuration;
use crate::swarm::SwarmPlane;
use crate::swarm::addresses::{GATEWAY, PREDEFINED};
use crate::swarm::constraint;
use crate::swarm::control_api::{Code, Refusal};
use crate::swarm::store::ServiceId;

/// Least CPU that may be asked for, in thousandths.
const CPU_MILLI_MIN: u64 = 1;

/// Least memory that may be asked for, in bytes.
const MEMORY_BYTES_MIN: u64 = 4 << 20;

/// Longest name of a service, in bytes: a DNS label.
const NAME_BYTES_MAX: usize = 63;

/// Longest name of a secret or config, in bytes.
const OBJECT_NAME_BYTES_MAX: usize = 64;

impl SwarmPlane {
    /// Refuses a specification that upstream refuses. `updated`: the service it is for, if there is
    /// one already.
    pub(crate) fn validate(
        &self,
        spec: &ServiceSpec,
        updated: Option<ServiceId>,
    ) -> Result<(), Refusal> {
        if spec.name.is_empty() {
            return Err(invalid("meta: name must be provided"));
        }
        if !is_dns_name(&spec.name) {
            return Err(invalid("name must be valid as a DNS name component"));
        }
        if spec.name.len() > NAME_BYTES_MAX {
            return Err(invalid("name must be 63 characters or fewer"));
        }
        resources(&spec.task.resources.limits)?;
        resources(&spec.task.resources.requests)?;
        container(&spec.task.container)?;
        counts(spec)?;
        constraint::parse(&spec.task.placement.constraints).map_err(invalid)?;
        update(&spec.update_config)?;
        self.endpoint(spec)?;
        self.ports_are_free(spec, updated)?;
        self.references_are_known(spec)?;
        self.networks_are_known(spec)?;
        Ok(())
    }

    /// Whether there are the secrets and configs that a service names.
    fn references_are_known(&self, spec: &ServiceSpec) -> Result<(), Refusal> {
        for (kind, wanted, stored) in [
            ("secret", &spec.task.container.secrets, &self.store.secrets),
            ("config", &spec.task.container.configs, &self.store.configs),
        ] {
            let missing: Vec<&str> = wanted
                .iter()
                .map(|name| &**name)
                .filter(|name| !stored.contains_key(*name))
                .collect();
            if !missing.is_empty() {
                let plural = if missing.len() == 1 { "" } else { "s" };
                return Err(invalid(format!(
                    "{kind}{plural} not found: {}",
                    missing.join(", ")
                )));
            }
        }
        Ok(())
    }

    /// Whether a service can use the networks that it names.
    fn networks_are_known(&self, spec: &ServiceSpec) -> Result<(), Refusal> {
        for network in &spec.task.networks {
            if &**network == "ingress" {
                return Err(invalid(
                    "Service cannot be explicitly attached to the ingress network \"ingress\"",
                ));
            }
            if self.store.networks.contains_key(network) || PREDEFINED.contains(&&**network) {
                continue;
            }
            let said = match &**network {
                // Each node has these, and a service cannot use them.
                "none" => format!(
                    "could not find the corresponding predefined swarm network: network {network} not found"
                ),
                GATEWAY => format!(
                    "The network {network} cannot be used with services. Only networks scoped to the swarm can be used, such as those created with the overlay driver."
                ),
                _ => format!("network {network} not found"),
            };
            return Err(Refusal::new(Code::Plain, said));
        }
        Ok(())
    }

    fn endpoint(&self, spec: &ServiceSpec) -> Result<(), Refusal> {
        let mut seen = SortedSet::new();
        for port in &spec.ports {
            if port.mode == PublishMode::Ingress && spec.endpoint_mode == EndpointMode::Dnsrr {
                return Err(invalid(
                    "EndpointSpec: port published with ingress mode can't be used with dnsrr mode",
                ));
            }
            if port.published != 0 && !seen.insert((port.protocol, port.published)) {
                return Err(invalid("EndpointSpec: duplicate published ports provided"));
            }
        }
        Ok(())
    }

    fn ports_are_free(
        &self,
        spec: &ServiceSpec,
        updated: Option<ServiceId>,
    ) -> Result<(), Refusal> {
        for port in spec.ports.iter().filter(|port| port.published != 0) {
            for (id, other) in self.store.services() {
                if Some(id) == updated {
                    continue;
                }
                for used in &other.ports {
                    let same = used.published == port.published && used.protocol == port.protocol;
                    // Two host-published ports never conflict here: the scheduler sees to it.
                    if !same || (used.mode == PublishMode::Host && port.mode == PublishMode::Host) {
                        continue;
                    }
                    let how = match used.mode {
                        PublishMode::Host => "a host-published port",
                        PublishMode::Ingress => "an ingress port",
                    };
                    return Err(invalid(format!(
                        "port '{}' is already in use by service '{}' ({}) as {how}",
                        port.published,
                        other.spec.name,
                        other.identity.text()
                    )));
                }
            }
        }
        Ok(())
    }
}

fn container(container: &ContainerSpec) -> Result<(), Refusal> {
    if container.image.is_empty() {
        return Err(invalid("ContainerSpec: image reference must be provided"));
    }
    if !reference_is_valid(&container.image) {
        return Err(invalid(format!(
            "ContainerSpec: {:?} is not a valid repository/tag",
            &*container.image
        )));
    }
    let mounts = container.mounts.iter();
    let mut targets: Vec<&str> = mounts.map(|mount| &*mount.target).collect();
    targets.arrange();
    if let Some(pair) = targets.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(invalid(format!(
            "ContainerSpec: duplicate mount point: {}",
            pair[0]
        )));
    }
    if let Some(check) = &container.health_check {
        health_check(check)?;
    }
    for (word, names, files) in [
        (
            "secret",
            &container.secrets,
            &container.options.secret_files,
        ),
        (
            "config",
            &container.configs,
            &container.options.config_files,
        ),
    ] {
        let mut known: SortedMap<&str, &str> = SortedMap::new();
        for name in names {
            let target: &str = files.get(name).map_or(name, |file| &file.name);
            if let Some(first) = known.get(target) {
                return Err(invalid(format!(
                    "{word} references '{first}' and '{name}' have a conflicting target: '{target}'"
                )));
            }
            known.insert(target, name);
        }
    }
    Ok(())
}

/// How many tasks and published ports there may be.
fn counts(spec: &ServiceSpec) -> Result<(), Refusal> {
    let tasks = match spec.mode {
        ServiceMode::Replicated { replicas } => replicas,
        ServiceMode::ReplicatedJob { max_concurrent, .. } => max_concurrent,
        ServiceMode::Global | ServiceMode::GlobalJob => 0,
    };
    if tasks > MAX_REPLICAS {
        let many = catalogue::SO_MANY.with(&[("count", &tasks), ("most", &MAX_REPLICAS)]);
        return Err(invalid(many.and("what", catalogue::AT_A_TIME.plain())));
    }
    if spec.ports.len() > MAX_PUBLISHED_PORTS {
        let many = [
            ("count", &spec.ports.len() as &dyn std::fmt::Display),
            ("most", &MAX_PUBLISHED_PORTS),
        ];
        let many = catalogue::SO_MANY.with(&many);
        return Err(invalid(
            many.and("what", catalogue::PUBLISHED_PORTS.plain()),
        ));
    }
    Ok(())
}

fn invalid(message: impl Into<Passage>) -> Refusal {
    Refusal::new(Code::InvalidArgument, message)
}

fn resources(amounts: &ResourceAmounts) -> Result<(), Refusal> {
    if let Some(milli) = amounts
        .cpu_milli
        .filter(|milli| *milli != 0 && *milli < CPU_MILLI_MIN)
    {
        return Err(invalid(format!(
            "invalid cpu value 0.{milli:03}: Must be at least 0.001"
        )));
    }
    if let Some(bytes) = amounts
        .memory_bytes
        .filter(|bytes| *bytes != 0 && *bytes < MEMORY_BYTES_MIN)
    {
        return Err(invalid(format!(
            "invalid memory value {bytes}: Must be at least 4MiB"
        )));
    }
    Ok(())
}

/// Spans that are stated are at least a millisecond.
/// Source: swarmkit `manager/controlapi/service.go` (`validateHealthCheck`).
fn health_check(check: &HealthCheck) -> Result<(), Refusal> {
    for (name, span) in [
        ("Interval", check.interval),
        ("Timeout", check.timeout),
        ("StartPeriod", check.start_period),
        ("StartInterval", check.start_interval),
    ] {
        if !span.is_zero() && span < SimDuration::from_millis(1) {
            return Err(invalid(format!(
                "ContainerSpec: {name} in HealthConfig cannot be less than 1ms"
            )));
        }
    }
    Ok(())
}

/// Letters and digits, with `-` and `_` between them.
/// Source: swarmkit `manager/controlapi/common.go` (`isValidDNSName`).
fn is_dns_name(name: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    name.bytes().all(inside) && ends_are_alphanumeric(name)
}

/// Whether a secret or config can be called so.
/// Source: swarmkit `manager/controlapi/common.go` (`isValidConfigOrSecretName`).
pub(super) fn object_name(name: &str) -> Result<(), Refusal> {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.len() <= OBJECT_NAME_BYTES_MAX
        && name.bytes().all(inside)
        && ends_are_alphanumeric(name)
    {
        return Ok(());
    }
    Err(invalid(
        "invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end character must be [a-zA-Z0-9]",
    ))
}

fn ends_are_alphanumeric(name: &str) -> bool {
    let ends = [name.bytes().next(), name.bytes().last()];
    ends.iter().flatten().all(u8::is_ascii_alphanumeric)
}

fn update(config: &UpdateConfig) -> Result<(), Refusal> {
    if config.max_failure_ratio_millionths > 1_000_000 {
        return Err(invalid(
            "TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1",
        ));
    }
    Ok(())
}

/// Whether the text can be a reference to an image: lower-case path, optional tag and digest.
fn reference_is_valid(text: &str) -> bool {
    let (name, digest) = match text.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (text, None),
    };
    let (path, tag) = match name.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
        Some(_) | None => (name, None),
    };
    let tag_is_valid = |tag: &str| {
        !tag.is_empty()
            && tag.len() <= 128
            && tag
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
    };
    let parts: Vec<&str> = path.split('/').collect();
    let part_is_valid = |(number, part): (usize, &&str)| {
        // Only the registry's host, which comes first, may have capitals and a port.
        let host = number == 0 && parts.len() > 1;
        !part.is_empty()
            && part.bytes().all(|byte| {
                byte.is_ascii_lowercase()
                    || byte.is_ascii_digit()
                    || matches!(byte, b'_' | b'.' | b'-')
                    || (host && (byte == b':' || byte.is_ascii_uppercase()))
            })
    };
    parts.iter().enumerate().all(part_is_valid)
        && tag.is_none_or(tag_is_valid)
        && digest.is_none_or(|digest| digest.contains(':'))
}
