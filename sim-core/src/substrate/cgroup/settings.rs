//! What an owner asks the kernel for, before it is turned into files.

use std::sync::Arc;

use super::place::Driver;

/// Limits and weights of one group, in the terms of the OCI runtime specification, which both
/// versions of control groups are filled from. None: the file is left as the kernel made it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct GroupSettings {
    /// CPU shares; 1024 is the kernel's default.
    pub cpu_shares: Option<u64>,
    /// CPU time per period in microseconds; -1: none.
    pub cpu_quota_us: Option<i64>,
    /// Period of the quota in microseconds.
    pub cpu_period_us: Option<u64>,
    /// Memory limit in bytes; -1: none.
    pub memory_limit: Option<i64>,
    /// Memory that is reclaimed last, in bytes (`memory.low`, `memory.soft_limit_in_bytes`).
    pub memory_reservation: Option<i64>,
    /// Memory above which the group is slowed down (`memory.high`), in bytes.
    pub memory_high: Option<i64>,
    /// Memory that is never reclaimed (`memory.min`), in bytes.
    pub memory_min: Option<i64>,
    /// Memory and swap together in bytes; -1: no limit.
    pub memory_swap: Option<i64>,
    /// Tasks; -1: no limit. At this level 0 is one task.
    pub pids_limit: Option<i64>,
    /// CPUs that it may use, e.g. `0-1,3`.
    pub cpuset_cpus: Option<Arc<str>>,
    /// Memory nodes that it may use.
    pub cpuset_mems: Option<Arc<str>>,
    /// Block IO weight from 10 to 1000.
    pub blkio_weight: Option<u16>,
    /// Whether it may not swap, whatever its memory limit (second version only).
    pub no_swap: bool,
    /// Whether the kernel kills all of the group when it kills one for memory (`memory.oom.group`).
    pub oom_group: bool,
}

/// Period of a CPU quota unless another is asked for, in microseconds: the kernel's default.
pub const CPU_PERIOD_US: u64 = 100_000;

impl GroupSettings {
    /// What Docker's daemon writes for a limit on CPU and memory: a quota of the default period,
    /// and swap as large as memory.
    /// Source: moby `daemon/daemon_unix.go` (`adaptContainerSettings`), `daemon/oci_linux.go`.
    pub fn docker(milli_cpu: i64, memory_bytes: i64) -> Self {
        let mut settings = Self::default();
        if milli_cpu > 0 {
            settings.cpu_quota_us = Some(milli_cpu.saturating_mul(100));
            settings.cpu_period_us = Some(CPU_PERIOD_US);
        }
        if memory_bytes > 0 {
            settings.memory_limit = Some(memory_bytes);
            settings.memory_swap = Some(memory_bytes.saturating_mul(2));
        }
        settings
    }
}

/// How the kernel shall weigh a process when it has to kill one for memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OomScore {
    /// This adjustment, from -1000 (never) to 1000.
    Fixed(i32),
    /// The less, the more of the machine's memory was asked for, between 3 and 999.
    /// Source: `pkg/kubelet/qos/policy.go`.
    ByRequest {
        /// What was asked for, in bytes.
        bytes: i64,
    },
}

impl Default for OomScore {
    fn default() -> Self {
        Self::Fixed(0)
    }
}

/// Adjustment of a process that guarantees its memory. Source: `pkg/kubelet/qos/policy.go`.
const GUARANTEED: i64 = -997;

impl OomScore {
    /// `oom_score_adj` on a machine with so much memory.
    pub fn adjustment(self, memory_capacity: i64) -> i32 {
        match self {
            Self::Fixed(score) => score,
            Self::ByRequest { bytes } => {
                let asked = i128::from(bytes) * 1_000 / i128::from(memory_capacity.max(1));
                let score = 1_000 - i64::try_from(asked).unwrap_or(i64::MAX).min(1_000_000);
                let score = if score < 1_000 + GUARANTEED {
                    1_000 + GUARANTEED
                } else if score == 1_000 {
                    999
                } else {
                    score
                };
                i32::try_from(score).unwrap_or(0)
            }
        }
    }
}

/// Whose namespace of a kind a process has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Sharing {
    /// Its own.
    #[default]
    Own,
    /// That of all containers of its sandbox.
    Sandbox,
    /// The machine's.
    Host,
}

/// How names are looked up inside: what `/etc/resolv.conf` says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Resolver {
    /// Servers; empty: the machine's own file.
    pub nameservers: Vec<Arc<str>>,
    /// Search list.
    pub searches: Vec<Arc<str>>,
    /// Options, e.g. `ndots:5`.
    pub options: Vec<Arc<str>>,
}

/// A network that a sandbox is plugged into.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Plug {
    /// The network's name.
    pub network: Arc<str>,
    /// First address of its range; the next one is its gateway's.
    pub base: u32,
    /// Length of the range's prefix.
    pub prefix: u8,
    /// The sandbox's address; 0: the lowest free one on its machine.
    pub address: u32,
}

/// How a sandbox is to be made: shared by all equal ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SandboxSpec {
    /// Groups above its own, outermost first, each by its plain name; empty: it has no group of its
    /// own, and its containers lie where the engine puts them.
    pub parents: Vec<&'static str>,
    /// Limits of its own group.
    pub group: GroupSettings,
    /// CPU that it asks for, in thousandths: levels above add these up.
    pub milli_cpu: i64,
    /// Whether a process of its own holds the namespaces.
    pub holder: bool,
    /// Network namespace.
    pub network: Sharing,
    /// Networks that it is plugged into, in the order of its interfaces; empty: its machine's own
    /// subnet.
    pub plugs: Vec<Plug>,
    /// The address that it had before it was taken over, and keeps if nobody else has it; 0: any of
    /// its machine's subnet.
    pub address: u32,
    /// Whether its network has nothing but a loopback.
    pub unplugged: bool,
    /// Process namespace.
    pub pid: Sharing,
    /// IPC namespace.
    pub ipc: Sharing,
    /// How names are looked up.
    pub resolver: Resolver,
    /// Lines for `/etc/hosts`: address, then names.
    pub host_aliases: Vec<(Arc<str>, Vec<Arc<str>>)>,
    /// Name of the runtime's handler; empty: the default one.
    pub runtime: Arc<str>,
    /// Who makes its groups; none: as on the whole machine.
    pub driver: Option<Driver>,
    /// Whether what its owner's containers write stays when they end, until it is told to go.
    pub lasting: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_adjustment_follows_the_request_within_its_bounds() {
        let adjustment = |bytes, capacity| OomScore::ByRequest { bytes }.adjustment(capacity);
        assert_eq!(adjustment(4_000_000_000, 8_000_000_000), 500);
        assert_eq!(adjustment(7_999_999_999, 8_000_000_000), 3);
        assert_eq!(adjustment(0, 4_000_000_000), 999);
        assert_eq!(adjustment(1_000_000_000, 8_000_000_000), 875);
        assert_eq!(adjustment(i64::MAX, 1), 3);
        assert_eq!(OomScore::Fixed(-997).adjustment(1), -997);
    }
}
