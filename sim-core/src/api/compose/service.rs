//! A service of Compose.

use std::sync::Arc;

use crate::api::health::HealthCheck;
use crate::api::resources::ResourceNeeds;
use crate::api::swarm::service::{Mount, PortProtocol};
use crate::base::sorted::SortedMap;
use crate::base::time::SimDuration;

/// A service after normalisation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Service {
    /// Its key.
    pub name: Arc<str>,
    /// Image reference; for a service that is only built, `<project>-<service>`.
    pub image: Arc<str>,
    /// Whether the image comes from a build.
    pub build: bool,
    /// Entry point; absent: the image's.
    pub entrypoint: Option<Vec<Arc<str>>>,
    /// Command; absent: the image's.
    pub command: Option<Vec<Arc<str>>>,
    /// Variables by name; those without a value anywhere are left out.
    pub environment: SortedMap<Arc<str>, Arc<str>>,
    /// Labels by key.
    pub labels: SortedMap<Arc<str>, Arc<str>>,
    /// Published ports.
    pub ports: Vec<Port>,
    /// Ports that are only declared (`expose`).
    pub expose: Vec<(u16, PortProtocol)>,
    /// What must be there first, by service name.
    pub depends_on: SortedMap<Arc<str>, Dependency>,
    /// Health check; absent: the image's.
    pub health_check: Option<HealthCheck>,
    /// What happens after an exit. Default `No`.
    pub restart: Restart,
    /// Containers wanted. Default 1.
    pub scale: u32,
    /// Keys of the networks it joins, in order of key; empty with a `network_mode`.
    pub networks: Vec<Arc<str>>,
    /// Mounts in the order written.
    pub mounts: Vec<Mount>,
    /// Name of its one container; absent: `<project>-<service>-<n>`.
    pub container_name: Option<Arc<str>>,
    /// Time between the stop signal and the kill. Default 10 s.
    pub stop_grace_period: SimDuration,
    /// Profiles that enable it; empty: always enabled.
    pub profiles: Vec<Arc<str>>,
    /// When its image is pulled. Default `Missing`.
    pub pull_policy: PullPolicy,
    /// Reservations and limits.
    pub resources: ResourceNeeds,
    /// The whole of it in canonical form, as JSON: what `docker compose config` prints, and what
    /// decides whether a container is still up to date.
    pub document: Arc<str>,
}

/// What a service waits for before it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dependency {
    /// What must hold. Default `Started`.
    pub condition: DependencyCondition,
    /// Whether its failure stops the start; otherwise a warning. Default true.
    pub required: bool,
    /// Whether this service restarts when Compose restarts the other by command. Default false.
    pub restart: bool,
}

/// What must hold of a dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DependencyCondition {
    /// `service_started`.
    Started,
    /// `service_healthy`.
    Healthy,
    /// `service_completed_successfully`.
    CompletedSuccessfully,
}

/// The engine's restart policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Restart {
    /// Not at all.
    #[default]
    No,
    /// After every exit, and when the engine starts.
    Always,
    /// As `Always`, unless stopped by hand before.
    UnlessStopped,
    /// After an exit other than 0.
    OnFailure {
        /// Attempts; 0: unlimited.
        max_retries: u32,
    },
}

/// A published port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Port {
    /// Port in the container.
    pub target: u16,
    /// Ports on the host, of which one is taken; absent: any free one.
    pub published: Option<PortRange>,
    /// Address on the host; empty: all.
    pub host_ip: Arc<str>,
    /// Protocol; default TCP.
    pub protocol: PortProtocol,
}

/// Ports from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PortRange {
    /// Lowest.
    pub first: u16,
    /// Highest.
    pub last: u16,
}

/// When an image is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PullPolicy {
    /// Before every create.
    Always,
    /// When it is absent; also `if_not_present`.
    Missing,
    /// Never.
    Never,
    /// Built, not pulled.
    Build,
}
