//! What the engine is told of a container when it is created.
//! Source: moby `api/types/container/config.go`, `hostconfig.go`.

use std::sync::Arc;

use crate::api::compose::service::{Port, Restart};
use crate::api::health::HealthCheck;
use crate::api::swarm::service::{Mount, PortProtocol};
use crate::base::sorted::SortedMap;
use crate::base::time::SimDuration;

/// A container as it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ContainerConfig {
    /// Image reference as written.
    pub image: Arc<str>,
    /// Entry point; absent: the image's.
    pub entrypoint: Option<Vec<Arc<str>>>,
    /// Command; absent: the image's.
    pub command: Option<Vec<Arc<str>>>,
    /// Variables by name.
    pub environment: SortedMap<Arc<str>, Arc<str>>,
    /// Labels by key.
    pub labels: SortedMap<Arc<str>, Arc<str>>,
    /// Host name; empty: the first twelve digits of the id.
    pub hostname: Arc<str>,
    /// User; empty: the image's.
    pub user: Arc<str>,
    /// Working directory; empty: the image's.
    pub working_dir: Arc<str>,
    /// Signal that asks it to stop; empty: the image's, else SIGTERM.
    pub stop_signal: Arc<str>,
    /// Time between stop signal and kill; absent: 10 s.
    pub stop_timeout: Option<SimDuration>,
    /// Health check; absent: the image's.
    pub health_check: Option<HealthCheck>,
    /// What happens after an exit.
    pub restart: Restart,
    /// Published ports.
    pub ports: Vec<Port>,
    /// Ports that are only declared.
    pub expose: Vec<(u16, PortProtocol)>,
    /// Mounts.
    pub mounts: Vec<Mount>,
    /// `bridge`, `host`, `none`, `container:ID` or the first network's name; empty: `bridge`.
    pub network_mode: Arc<str>,
    /// Networks by full name, with the names under which others find it there.
    pub networks: SortedMap<Arc<str>, Vec<Arc<str>>>,
    /// What it may use.
    pub limits: ContainerLimits,
    /// Whether it has a terminal.
    pub tty: bool,
    /// Whether its standard input stays open.
    pub open_stdin: bool,
    /// Whether it may do what the host's root may.
    pub privileged: bool,
    /// Whether its root file system is read-only.
    pub read_only: bool,
    /// Whether it is removed when it ends.
    pub auto_remove: bool,
    /// Whether a small init is its first process; absent: the daemon's default, no.
    pub init: Option<bool>,
    /// Capabilities added.
    pub cap_add: Vec<Arc<str>>,
    /// Capabilities dropped.
    pub cap_drop: Vec<Arc<str>>,
    /// Name servers.
    pub dns: Vec<Arc<str>>,
    /// Extra lines of its hosts file, `name:address`.
    pub extra_hosts: Vec<Arc<str>>,
}

/// Bounds of a container in the engine's own units. Zero: not set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ContainerLimits {
    /// Memory, bytes.
    pub memory: i64,
    /// Memory and swap together, bytes; -1: unlimited.
    pub memory_swap: i64,
    /// Memory that reclaim spares, bytes.
    pub memory_reservation: i64,
    /// CPUs, thousand-millionths.
    pub nano_cpus: i64,
    /// Weight of its CPU share.
    pub cpu_shares: i64,
    /// Length of a quota's period, microseconds.
    pub cpu_period: i64,
    /// CPU time in each period, microseconds.
    pub cpu_quota: i64,
    /// CPUs it may run on, e.g. `0-2`.
    pub cpuset_cpus: Arc<str>,
    /// Processes and threads; -1: unlimited.
    pub pids_limit: i64,
    /// Weight of its block input and output.
    pub blkio_weight: i64,
    /// What is added to its score when the kernel looks for a victim.
    pub oom_score_adj: i64,
    /// Size of `/dev/shm`, bytes.
    pub shm_size: i64,
}
