//! What is true of one group at one moment: what its files are written from.

use crate::substrate::pressure::Pressure;

use super::limits::Limits;

/// CPU time and throttling of a group since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CpuTimes {
    /// All CPU time, in nanoseconds.
    pub usage_ns: u64,
    /// Part of it spent in the kernel, in nanoseconds.
    pub system_ns: u64,
    /// Periods in which somebody wanted to run.
    pub periods: u64,
    /// Periods in which somebody was held back.
    pub throttled_periods: u64,
    /// Time that CPUs were held back, in nanoseconds.
    pub throttled_ns: u64,
}

impl CpuTimes {
    /// Adds those of a group below. Throttling is each group's own and does not add up.
    pub fn add_usage(&mut self, other: &Self) {
        self.usage_ns = self.usage_ns.saturating_add(other.usage_ns);
        self.system_ns = self.system_ns.saturating_add(other.system_ns);
    }
}

/// Memory of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MemoryUse {
    /// Pages of the processes themselves, in bytes.
    pub anonymous: u64,
    /// Page cache that is in use, in bytes.
    pub active_file: u64,
    /// Page cache that can be dropped, in bytes.
    pub inactive_file: u64,
    /// Pages of file systems in memory, in bytes.
    pub shared: u64,
    /// Kernel memory: stacks, page tables, slabs, in bytes.
    pub kernel: u64,
    /// Most that was in use at once, in bytes.
    pub peak: u64,
    /// Times that pages went although they were protected softly.
    pub low_events: u64,
    /// Times that the group was above `memory.high`.
    pub high_events: u64,
    /// Times that the limit was hit.
    pub max_events: u64,
    /// Times that the kernel found nothing left to reclaim.
    pub oom_events: u64,
    /// Processes that it killed.
    pub oom_kills: u64,
    /// Whole groups that it killed.
    pub oom_group_kills: u64,
}

impl MemoryUse {
    /// `memory.current`: all of it, in bytes.
    pub const fn current(&self) -> u64 {
        self.anonymous + self.active_file + self.inactive_file + self.shared + self.kernel
    }

    /// What cannot be dropped at once, in bytes: `memory.current` less inactive page cache.
    /// Source: cadvisor and the kubelet's `workingSetBytes`.
    pub const fn working_set(&self) -> u64 {
        self.anonymous + self.active_file + self.shared + self.kernel
    }

    /// Adds that of a group below.
    pub fn add(&mut self, other: &Self) {
        self.anonymous += other.anonymous;
        self.active_file += other.active_file;
        self.inactive_file += other.inactive_file;
        self.kernel += other.kernel;
        self.peak += other.peak;
        self.shared += other.shared;
        self.low_events += other.low_events;
        self.high_events += other.high_events;
        self.max_events += other.max_events;
        self.oom_events += other.oom_events;
        self.oom_kills += other.oom_kills;
        self.oom_group_kills += other.oom_group_kills;
    }
}

/// One group.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Its limits.
    pub limits: Limits,
    /// Whether it is the root of the hierarchy, which has fewer files.
    pub root: bool,
    /// CPU time.
    pub cpu: CpuTimes,
    /// Memory.
    pub memory: MemoryUse,
    /// Processes in it, by their number on the machine.
    pub processes: Vec<u32>,
    /// Tasks in it and below.
    pub tasks: u64,
    /// Most tasks at once.
    pub tasks_peak: u64,
    /// Times that a task could not be made.
    pub pids_events: u64,
    /// Groups below it.
    pub descendants: u64,
    /// CPUs of the machine.
    pub cpus: u64,
    /// Read and written bytes of the machine's disk, and the numbers of both.
    pub io: [u64; 4],
    /// Waits for CPU, memory, and disks.
    pub pressure: [Pressure; 3],
}

/// CPUs as a set, e.g. `0-3`.
pub fn cpu_list(cpus: u64) -> String {
    match cpus {
        0 | 1 => "0".to_owned(),
        count => format!("0-{}", count - 1),
    }
}
