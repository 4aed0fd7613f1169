//! What the engine remembers of its containers, on disk: it survives a reboot of the host.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::api::compose::container::ContainerConfig;
use crate::base::id::Id;
use crate::base::sorted::SortedMap;
use crate::base::symbol::Symbol;
use crate::base::table::Table;
use crate::base::time::{SimDuration, SimTime};
use crate::substrate::order::{ContainerId, ContainerSpec, Owner, SandboxId};

/// The word that `docker inspect` shows as `State.Status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Made, never started (or its start was refused).
    Created,
    /// A start is under way; shown as `created` until the process runs.
    Starting,
    /// Its process runs.
    Running,
    /// Waits for its restart back-off.
    Restarting,
    /// Its process ended.
    Exited,
    /// Is being removed.
    Removing,
}

/// `State.Health.Status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Health {
    /// No health check.
    None,
    /// No verdict yet.
    Starting,
    /// The last verdict was good.
    Healthy,
    /// So many failures in a row.
    Unhealthy,
}

/// A published port of a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Published {
    /// Host address; empty: all.
    pub host_ip: Arc<str>,
    /// Host port.
    pub published: u16,
    /// Container port.
    pub target: u16,
    /// `tcp` or `udp`.
    pub protocol: &'static str,
}

/// One container of the engine.
#[derive(Clone, Debug)]
pub struct ContainerRow {
    /// Full name.
    pub name: Symbol,
    /// Hash of the name it was made with; seeds its id.
    pub key: u64,
    /// Project; empty for `docker run`.
    pub project: Symbol,
    /// Service; its first name for `docker run`.
    pub service: Symbol,
    /// Number in its service, from 1.
    pub number: u32,
    /// Whether `compose run` made it: no part of the service's scale.
    pub is_one_off: bool,
    /// As it was asked for, with later updates.
    pub config: Arc<ContainerConfig>,
    /// How it is run.
    pub spec: Arc<ContainerSpec>,
    /// Ports to publish at start.
    pub ports: Arc<[Published]>,
    /// Hash of the service's configuration (label `com.docker.compose.config-hash`).
    pub config_hash: u64,
    /// Creation ordinal; seeds its id.
    pub ordinal: u32,
    /// State.
    pub state: State,
    /// Health.
    pub health: Health,
    /// Its network, while it has one.
    pub sandbox: Option<SandboxId>,
    /// Its process, while it has one.
    pub process: Option<ContainerId>,
    /// Times.
    pub created_at: SimTime,
    /// Start of the present or last run.
    pub started_at: Option<SimTime>,
    /// End of the last run.
    pub finished_at: Option<SimTime>,
    /// Exit code of the last run.
    pub exit_code: i32,
    /// Whether the kernel killed it for memory.
    pub oom_killed: bool,
    /// Message of a refused start (`State.Error`).
    pub error: Option<Symbol>,
    /// Exit code of `docker run` for a refused start.
    pub refusal: i32,
    /// Whether the start under way is the second half of a restart by hand.
    pub restarted: bool,
    /// Restarts by policy since the last start by hand.
    pub restart_count: u32,
    /// Restarts that `on-failure:n` counts.
    pub failures: u32,
    /// The next restart's wait.
    pub backoff: SimDuration,
    /// Whether a person stopped it.
    pub stopped_by_user: bool,
    /// Whether the file still asks for it.
    pub wanted: bool,
    /// The engine number of the timer that may restart it.
    pub attempt: u32,
    /// Remove it once it has stopped; start it again once it has stopped.
    pub then: Then,
    /// What earlier runs printed, the newest lines.
    pub log: Arc<Vec<(SimTime, Arc<str>)>>,
}

/// What follows when a container has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Then {
    /// Nothing by hand: the policy decides.
    Policy,
    /// Stay stopped.
    Stay,
    /// Stay stopped after a signal by hand.
    Die,
    /// Be removed.
    Remove,
    /// Start again at once.
    Start,
}

impl ContainerRow {
    /// Running, and healthy where a check says so.
    pub fn is_ready(&self) -> bool {
        self.state == State::Running && matches!(self.health, Health::None | Health::Healthy)
    }

    /// Time between stop signal and kill.
    pub fn grace(&self) -> SimDuration {
        self.config.stop_timeout.unwrap_or(STOP_TIMEOUT)
    }

    /// Whether it has done what it had to: ended well, and nothing is to start it again.
    pub fn is_completed(&self) -> bool {
        use crate::api::compose::service::Restart;
        self.state == State::Exited
            && self.exit_code == 0
            && !self.stopped_by_user
            && matches!(self.config.restart, Restart::No | Restart::OnFailure { .. })
    }

    /// Whether the engine starts it again after its end, as its restart policy says.
    pub fn is_restarted(&self) -> bool {
        use crate::api::compose::service::Restart;
        !self.stopped_by_user
            && match self.config.restart {
                Restart::No => false,
                Restart::Always | Restart::UnlessStopped => true,
                Restart::OnFailure { max_retries } => {
                    self.exit_code != 0 && (max_retries == 0 || self.failures < max_retries)
                }
            }
    }

    /// Whether the container has a health check.
    pub fn has_health_check(&self) -> bool {
        !self.spec.probes.is_empty()
    }
}

/// A service that some `up` asked for, or a container of `docker run`.
#[derive(Clone, Copy, Debug)]
pub struct ServiceRow {
    /// Project.
    pub project: Symbol,
    /// Name in the file.
    pub name: Symbol,
    /// Replicas asked for.
    pub desired: u32,
    /// Number of its balancer.
    pub key: u32,
}

/// A network or a volume that was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// When.
    pub at: SimTime,
    /// Driver: `bridge`, `local`, …
    pub driver: Arc<str>,
    /// Labels, sorted by key.
    pub labels: SortedMap<Arc<str>, Arc<str>>,
    /// Whether containers cannot reach beyond it.
    pub internal: bool,
    /// A network's range: first address and length of the prefix; zero for volumes and for networks
    /// without one.
    pub range: (u32, u8),
    /// Its canonical form when Compose made it; empty else.
    pub document: Arc<str>,
}

/// What `docker events` tells.
#[derive(Clone, Debug, Default)]
pub struct EngineEvent {
    /// When.
    pub at: SimTime,
    /// `container`, `network`, `volume` or `image`.
    pub kind: &'static str,
    /// What happened, e.g. `start`.
    pub action: Arc<str>,
    /// Identifier of the object.
    pub actor: Arc<str>,
    /// Facts about it, sorted by key.
    pub attributes: SortedMap<Arc<str>, Arc<str>>,
}

/// Events that can still be asked for. Source: moby `daemon/events/events.go` (eventsLimit).
pub const EVENTS_MAX: usize = 256;

/// Lines of a container's earlier runs that are kept: a bound of our own.
pub const LOG_LINES_MAX: usize = 1_000;

/// Time between stop signal and kill. Source: moby `daemon/container/container_unix.go`.
const STOP_TIMEOUT: SimDuration = SimDuration::from_secs(10);

/// The engine's store.
#[derive(Clone, Debug, Default)]
pub struct Store {
    /// Containers.
    pub containers: Table<ContainerRow>,
    /// Services in the order in which they were first asked for (by name within one `up`).
    pub services: Vec<ServiceRow>,
    /// Networks that were made, by full name.
    pub networks: SortedMap<Arc<str>, Made>,
    /// Volumes, by full name.
    pub volumes: SortedMap<Arc<str>, Made>,
    /// Images built here, by reference.
    pub built: Vec<Arc<str>>,
    /// What happened last, oldest first.
    pub events: VecDeque<EngineEvent>,
    /// Containers ever made.
    pub ordinals: u32,
    /// Next host port for a port published without a number.
    pub next_port: u16,
}

impl Store {
    /// Containers of a service, without those of `compose run`.
    pub fn of_service(
        &self,
        project: Symbol,
        service: Symbol,
    ) -> impl Iterator<Item = (Id<ContainerRow>, &ContainerRow)> {
        self.containers.iter().filter(move |(_, row)| {
            row.service == service && row.project == project && !row.is_one_off
        })
    }

    /// A container by name.
    pub fn named(&self, name: Symbol) -> Option<Id<ContainerRow>> {
        self.containers
            .iter()
            .find(|(_, row)| row.name == name)
            .map(|(id, _)| id)
    }
}

/// The owner that orders for a container carry.
pub fn owner(id: Id<ContainerRow>, part: u32) -> Owner {
    Owner {
        slot: id.slot(),
        generation: id.generation().get(),
        part,
    }
}
