//! Disks: what a machine's holds, and what containers wrote to it.
//!
//! A container's script writes at times that are known from its start, so the next write of a
//! machine is known, too. What a container wrote goes with the container.

use crate::base::time::{SimDuration, SimTime};

use super::Substrate;
use super::container::{Container, ContainerState};
use super::order::{ContainerId, MachineId};

/// Processes of a machine's own, threads of its kernel among them. Our own figure.
const SYSTEM_PROCESSES: u64 = 150;

impl Substrate {
    /// Bytes that a container has written to its own files by now.
    pub fn container_disk(&self, container: ContainerId, now: SimTime) -> u64 {
        self.container_disk_below(container, "", now)
    }

    /// Bytes that a container has written below a directory by now; an empty path is everywhere.
    pub fn container_disk_below(&self, container: ContainerId, path: &str, now: SimTime) -> u64 {
        let Some(row) = self.container(container) else {
            return 0;
        };
        let Some(ran) = ran(row, now) else { return 0 };
        let path = path.trim_end_matches('/');
        let below = |file: &str| {
            file.strip_prefix(path)
                .is_some_and(|rest| path.is_empty() || rest.is_empty() || rest.starts_with('/'))
        };
        row.behaviour
            .writes
            .iter()
            .filter(|(at, file, _)| *at <= ran && below(file))
            .map(|(_, _, bytes)| bytes)
            .sum()
    }

    /// Bytes that the containers of a machine have written by now.
    pub fn written(&self, machine: MachineId, now: SimTime) -> u64 {
        self.sandboxes_on(machine)
            .flat_map(|(sandbox, _)| self.containers_in(sandbox))
            .map(|(id, _)| self.container_disk(id, now))
            .sum()
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
    pub fn machine_tasks(&self, machine: MachineId) -> u64 {
        let hogs = self.machine(machine).map_or(0, |row| row.hogs);
        let containers: u64 = self
            .sandboxes_on(machine)
            .flat_map(|(sandbox, _)| self.containers_in(sandbox))
            .map(|(id, _)| self.container_tasks(id))
            .sum();
        SYSTEM_PROCESSES + hogs + containers
    }
}

/// For how long a container's process has run, or ran.
fn ran(row: &Container, now: SimTime) -> Option<SimDuration> {
    match row.state {
        ContainerState::Created => None,
        ContainerState::Running { since } => Some(now.since(since)),
        ContainerState::Exited { since, at, .. } => Some(at.since(since?)),
    }
}
