//! How full disks are, and how slow: what a machine's holds, and what each container has of it.
//!
//! A container's script writes at times that are known from its start, so the next write of a
//! machine is known, too; commands in a container write into the trees of `root_fs`. What is in a
//! container's own layer goes with the container.

use crate::base::time::{SimDuration, SimTime};

use super::Substrate;
use super::cache::DISK_RATE;
use super::container::{Container, ContainerState};
use super::file::Tree;
use super::order::{ContainerId, MachineId, SandboxId};
use super::root_fs::{Disk, Store};
use super::rule::Rule;

/// Processes of a machine's own, threads of its kernel among them. Our own figure.
pub(super) const SYSTEM_PROCESSES: u64 = 150;
/// What the runtime writes around each line of a log, in bytes. Source: moby
/// `daemon/logger/jsonfilelog`.
pub(super) const LOG_LINE: u64 = 70;

/// Bytes of one request to the disk. Source: the block layer's usual `max_sectors_kb`.
pub(super) const REQUEST: u64 = 512 << 10;
/// Requests that are under way at once when much is read or written. Source: Linux
/// `drivers/ata/libata-core.c` (queues of 32).
const QUEUE: u64 = 32;
/// Requests that follow one another when a container is made: its directories, the runtime's records
/// and the first pages of its program. Our own figure.
const START_TURNS: u64 = 10;
/// Bytes of a program with its libraries. Our own figure.
const START_BYTES: u64 = 10_000_000;
/// What a runtime waits for with each layer that it keeps: data and record. Source: containerd
/// `core/metadata/db.go` (a write of bbolt is one fsync), `core/diff/apply`.
const LAYER_SYNCS: u64 = 2;
/// Bytes and requests of a synchronous write of a log: the page, and the disk's cache.
const SYNC: (u64, u64) = (4_096, 2);

impl Substrate {
    /// Bytes per second of a machine's disk, and how much longer each request takes; none: nothing
    /// slows it down.
    pub fn slow_disk(&self, machine: MachineId) -> Option<(u64, SimDuration)> {
        let mut slow = None;
        for rule in self.rules.values() {
            if let Rule::DiskSlow {
                machine: of,
                rate,
                delay,
            } = rule.as_ref()
                && *of == machine
            {
                let (least, all) = slow.unwrap_or((DISK_RATE, SimDuration::ZERO));
                slow = Some((least.min(*rate), all + *delay));
            }
        }
        slow
    }

    /// Bytes per second that a machine's disk carries when many requests are under way.
    pub fn disk_rate(&self, machine: MachineId) -> u64 {
        self.slow_disk_rate(machine).unwrap_or(DISK_RATE)
    }

    /// The same of a disk that is slower than it should be.
    pub(super) fn slow_disk_rate(&self, machine: MachineId) -> Option<u64> {
        let (rate, delay) = self.slow_disk(machine)?;
        let queued = (REQUEST * QUEUE * 1_000_000).checked_div(delay.as_micros());
        Some(rate.min(queued.unwrap_or(rate)).max(1))
    }

    /// How much longer so many bytes take in so many requests one after another.
    fn disk_wait(&self, machine: MachineId, (bytes, turns): (u64, u64)) -> SimDuration {
        let Some((rate, delay)) = self.slow_disk(machine) else {
            return SimDuration::ZERO;
        };
        let second = SimDuration::from_secs(1);
        let usual = second.scaled(bytes, DISK_RATE);
        second.scaled(bytes, rate.max(1)).saturating_sub(usual) + delay * turns
    }

    /// How much longer it takes to make a container.
    pub(super) fn start_wait(&self, machine: MachineId) -> SimDuration {
        self.disk_wait(machine, (START_BYTES, START_TURNS))
    }

    /// Time to unpack so many bytes in so many layers.
    pub(super) fn unpack_time(&self, machine: MachineId, bytes: u64, layers: u64) -> SimDuration {
        let pace = SimDuration::from_secs(1).scaled(bytes, self.disk_rate(machine));
        pace + self.disk_wait(machine, (0, LAYER_SYNCS * layers))
    }

    /// How much longer a log's synchronous write takes.
    pub fn sync_wait(&self, machine: MachineId) -> SimDuration {
        self.disk_wait(machine, SYNC)
    }

    /// Bytes of a container's own layer and log: what its script wrote beside its mounts, and what
    /// commands in it wrote.
    pub fn container_disk(&self, container: ContainerId, now: SimTime) -> u64 {
        let Some(row) = self.container(container) else {
            return 0;
        };
        let mounted = |file: &str| {
            let mounts = &row.spec.root.mounts;
            mounts.iter().any(|mount| is_below(file, &mount.target))
        };
        let layer = self.layer_of(container).and_then(|store| {
            let sandbox = self.sandbox(row.sandbox)?;
            self.machine(sandbox.machine)?.disk.tree(&store)
        });
        scripted(row, now, |file| !mounted(file)) + layer.map_or(0, Tree::blocks) + log(row, now)
    }

    /// Bytes that a container's script has written below a directory by now.
    pub fn container_disk_below(&self, container: ContainerId, path: &str, now: SimTime) -> u64 {
        self.container(container)
            .map_or(0, |row| scripted(row, now, |file| is_below(file, path)))
    }

    /// Bytes that commands wrote into a directory that lives as long as its sandbox.
    pub fn directory_bytes(&self, sandbox: SandboxId, name: &str) -> u64 {
        let row = self.sandbox(sandbox);
        row.map(|row| (row.owner, row.machine))
            .and_then(|(owner, machine)| {
                let disk = &self.machine(machine)?.disk;
                disk.tree(&Store::Sandbox(owner, name.into()))
            })
            .map_or(0, Tree::blocks)
    }

    /// What containers, volumes and logs of a machine take on its disk, in bytes.
    pub fn written_bytes(&self, machine: MachineId, now: SimTime) -> u64 {
        let files = self.machine(machine).map_or(0, |row| on_disk(&row.disk));
        let own: u64 = self
            .sandboxes_on(machine)
            .flat_map(|(sandbox, _)| self.containers_in(sandbox))
            .map(|(id, row)| scripted(row, now, |file| self.is_local(id, file)) + log(row, now))
            .sum();
        files + own
    }

    /// Whether a container's file lies on its machine's disk.
    fn is_local(&self, container: ContainerId, file: &str) -> bool {
        self.spot(container, file)
            .is_none_or(|spot| spot.store.is_local_disk())
    }

    /// When a container of a machine writes next, if one will.
    pub fn next_write(&self, machine: MachineId, now: SimTime) -> Option<SimTime> {
        self.sandboxes_on(machine)
            .flat_map(|(sandbox, _)| self.containers_in(sandbox))
            .filter_map(|(_, row)| {
                let since = row.running_since()?;
                let times = row.behaviour.writes.iter().map(|(at, _, _)| since + *at);
                times.filter(|at| *at > now).min()
            })
            .min()
    }

    /// Bytes of memory that the containers of a machine take more each second.
    pub fn memory_growth(&self, machine: MachineId) -> u64 {
        let leaks = self.machine(machine).map(|row| row.leaks.values());
        leaks.map_or(0, |leaks| leaks.map(|leak| leak.rate).sum())
    }

    /// Tasks of a machine: its own and those of its containers.
    pub fn machine_tasks(&self, machine: MachineId, now: SimTime) -> u64 {
        let hogs = self.machine(machine).map_or(0, |row| row.hogs);
        let containers: u64 = self
            .sandboxes_on(machine)
            .flat_map(|(sandbox, _)| self.containers_in(sandbox))
            .map(|(id, _)| self.container_tasks(id, now))
            .sum();
        SYSTEM_PROCESSES + hogs + containers
    }
}

/// What trees take on a disk: all but those in memory and on other disks.
pub(super) fn on_disk(disk: &Disk) -> u64 {
    disk.trees()
        .filter(|(store, _)| store.is_local_disk())
        .map(|(_, tree)| tree.blocks())
        .sum()
}

/// Bytes that a container's script has written by now into files that are asked for.
fn scripted(row: &Container, now: SimTime, wanted: impl Fn(&str) -> bool) -> u64 {
    let writes = &row.behaviour.writes;
    let Some(ran) = ran(row, now).filter(|_| !writes.is_empty()) else {
        return 0;
    };
    writes
        .iter()
        .filter(|(at, file, _)| *at <= ran && wanted(file))
        .map(|(_, _, bytes)| bytes)
        .sum()
}

/// Bytes of a container's log on disk. Not modelled: what a loop prints that never ends.
fn log(row: &Container, now: SimTime) -> u64 {
    let lines = &row.behaviour.lines;
    let Some(ran) = ran(row, now).filter(|_| !lines.is_empty()) else {
        return 0;
    };
    let printed = lines.iter().filter(|(at, _)| *at <= ran);
    printed.map(|(_, line)| LOG_LINE + line.len() as u64).sum()
}

/// Whether a file is a path, or lies below it; an empty path is the root.
fn is_below(file: &str, path: &str) -> bool {
    let path = path.trim_end_matches('/');
    file.strip_prefix(path)
        .is_some_and(|rest| path.is_empty() || rest.is_empty() || rest.starts_with('/'))
}

/// For how long a container's process has run, or ran.
fn ran(row: &Container, now: SimTime) -> Option<SimDuration> {
    match row.state {
        ContainerState::Created => None,
        ContainerState::Running { since } => Some(now.since(since)),
        ContainerState::Exited { since, at, .. } => Some(at.since(since?)),
    }
}
