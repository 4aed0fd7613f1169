//! A service of Swarm. Defaults: SwarmKit `api/defaults/service.go`.

use std::sync::Arc;

use crate::api::health::HealthCheck;
use crate::api::resources::ResourceNeeds;
use crate::api::swarm::options::ContainerOptions;
use crate::base::sorted::SortedMap;
use crate::base::time::SimDuration;

/// A service's specification.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServiceSpec {
    /// Full name, e.g. `voting_vote`.
    pub name: Arc<str>,
    /// Labels of the service.
    pub labels: SortedMap<Arc<str>, Arc<str>>,
    /// How many tasks and where.
    pub mode: ServiceMode,
    /// What each task is.
    pub task: TaskSpec,
    /// How the name resolves. Default `Vip`.
    pub endpoint_mode: EndpointMode,
    /// Published ports.
    pub ports: Vec<PublishedPort>,
    /// How an update goes.
    pub update_config: UpdateConfig,
    /// How a rollback goes.
    pub rollback_config: UpdateConfig,
}

/// How many tasks and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServiceMode {
    /// So many tasks. Default 1.
    Replicated {
        /// Number of tasks.
        replicas: u32,
    },
    /// One task on each node that fits.
    Global,
    /// Tasks that run to completion.
    ReplicatedJob {
        /// Completions wanted.
        total_completions: u32,
        /// Tasks at one time.
        max_concurrent: u32,
    },
    /// One task to completion on each node that fits.
    GlobalJob,
}

/// What each task is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TaskSpec {
    /// The container.
    pub container: ContainerSpec,
    /// Reservations and limits.
    pub resources: ResourceNeeds,
    /// What happens after a task has ended.
    pub restart_policy: RestartPolicy,
    /// Where tasks may go.
    pub placement: Placement,
    /// Networks by full name, e.g. `voting_frontend`.
    pub networks: Vec<Arc<str>>,
    /// Counter that `--force` raises so that every task is replaced.
    pub force_update: u64,
}

/// The container of a task.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContainerSpec {
    /// Image reference as written.
    pub image: Arc<str>,
    /// Entry point (`entrypoint`); empty: the image's.
    pub command: Vec<Arc<str>>,
    /// Arguments (`command` of the file); empty: the image's.
    pub args: Vec<Arc<str>>,
    /// Variables by name.
    pub env: SortedMap<Arc<str>, Arc<str>>,
    /// Health check; absent: the image's.
    pub health_check: Option<HealthCheck>,
    /// Time between the stop signal and the kill. Default 10 s.
    pub stop_grace_period: SimDuration,
    /// Mounts in the order written.
    pub mounts: Vec<Mount>,
    /// Names of configs that must exist, with stack prefix.
    pub configs: Vec<Arc<str>>,
    /// Names of secrets that must exist, with stack prefix.
    pub secrets: Vec<Arc<str>>,
    /// What the swarm only carries.
    pub options: ContainerOptions,
}

/// A mount of a task or a Compose container.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mount {
    /// What is mounted.
    pub kind: MountKind,
    /// Path on the host, or the volume's full name; empty: anonymous.
    pub source: Arc<str>,
    /// Path in the container.
    pub target: Arc<str>,
    /// Whether it cannot be written to.
    pub read_only: bool,
}

/// What is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MountKind {
    /// A path of the host, which must exist.
    Bind,
    /// A named or anonymous volume.
    Volume,
    /// Memory.
    Tmpfs,
}

/// What happens after a task has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RestartPolicy {
    /// After which ends a new task takes the slot. Default `Any`.
    pub condition: RestartCondition,
    /// Wait before the new task runs. Default 5 s.
    pub delay: SimDuration,
    /// Replacements allowed for the slot and specification; 0: unlimited. Default 0.
    pub max_attempts: u64,
    /// Only replacements younger than this count; 0: all. Default 0.
    pub window: SimDuration,
}

/// After which ends a new task takes the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RestartCondition {
    /// Never.
    None,
    /// Unless it completed.
    OnFailure,
    /// Always.
    Any,
}

/// Where tasks may go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Placement {
    /// Expressions such as `node.role==manager`, as written; all must hold.
    pub constraints: Vec<Arc<str>>,
    /// Labels to spread over, outermost first, e.g. `node.labels.zone`.
    pub preferences: Vec<Arc<str>>,
    /// Tasks of the service allowed on one node; 0: no limit.
    pub max_replicas_per_node: u64,
    /// Platforms that the image is made for, as the registry told the client; empty: any.
    pub platforms: Vec<Platform>,
}

/// What a program is made for. Source: moby `api/types/swarm/task.go` Platform.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Platform {
    /// Operating system, e.g. `linux`; empty: any.
    pub os: Arc<str>,
    /// Architecture as Go writes it, e.g. `amd64`; empty: any.
    pub architecture: Arc<str>,
}

/// How an update or a rollback goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UpdateConfig {
    /// Slots at one time; 0: all. Default 1.
    pub parallelism: u64,
    /// Wait of each worker after a slot. Default 0.
    pub delay: SimDuration,
    /// What a failure leads to. Default `Pause`.
    pub failure_action: FailureAction,
    /// How long a new task is watched after it runs. Default 5 s.
    pub monitor: SimDuration,
    /// Share of failed slots above which the action is taken, in millionths. Default 0.
    pub max_failure_ratio_millionths: u32,
    /// Whether the old task stops before the new one starts. Default `StopFirst`.
    pub order: UpdateOrder,
}

/// What a failure of an update leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureAction {
    /// Stop where it is.
    Pause,
    /// Go on.
    Continue,
    /// Return to the previous specification.
    Rollback,
}

/// Which task of a slot goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UpdateOrder {
    /// The old one stops first.
    StopFirst,
    /// The new one starts first.
    StartFirst,
}

/// How a service's name resolves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndpointMode {
    /// To one virtual address.
    Vip,
    /// To the addresses of the tasks.
    Dnsrr,
}

/// A published port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PublishedPort {
    /// Port in the container.
    pub target: u16,
    /// Port outside; 0: one from 30000 to 32767 is picked.
    pub published: u16,
    /// Protocol; default TCP.
    pub protocol: PortProtocol,
    /// Where it is open. Default `Ingress`.
    pub mode: PublishMode,
}

/// Transport protocol of a published port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// Where a published port is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PublishMode {
    /// On every node, through the routing mesh.
    Ingress,
    /// Only on the nodes that run a task.
    Host,
}
