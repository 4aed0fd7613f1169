//! The most that containers can use as long as nothing unforeseen happens on their machine: a sum that
//! one more container only adds to, where the exact figures need a look at every container.
//!
//! Unforeseen are leaks, files that commands in containers write, processes that they leave behind: while
//! a machine has any of those, no bound is known. Its own files are counted as they are.

use crate::base::time::SimTime;

use super::Substrate;
use super::container::{Container, ContainerState};
use super::disk::{LOG_LINE, SYSTEM_PROCESSES, on_disk};
use super::memory::{self, KERNEL_BYTES};
use super::order::{ContainerId, MachineId};

/// The most of each that containers use together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    /// Memory that cannot be dropped, in bytes.
    pub memory: u64,
    /// Bytes that they have written.
    pub disk: u64,
    /// Tasks.
    pub tasks: u64,
}

impl Bound {
    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            memory: self.memory.saturating_add(other.memory),
            disk: self.disk.saturating_add(other.disk),
            tasks: self.tasks.saturating_add(other.tasks),
        }
    }
}

impl Substrate {
    /// The bound of a container; `None`: it does more than start and go on.
    pub fn bound_of(&self, container: ContainerId) -> Option<Bound> {
        self.bound_of_row(self.container(container)?)
    }

    fn bound_of_row(&self, row: &Container) -> Option<Bound> {
        let behaviour = &row.behaviour;
        // Nobody knows what a script does after an answer.
        if !behaviour.writes.is_empty() || behaviour.question().is_some() {
            return None;
        }
        let level = behaviour.memory_bytes;
        let lines = behaviour.lines.iter();
        Some(Bound {
            memory: level.saturating_add(KERNEL_BYTES.min(level / 4)),
            disk: lines.map(|(_, line)| LOG_LINE + line.len() as u64).sum(),
            tasks: 1 + self.child_count(row) + u64::from(row.spec.root.init),
        })
    }

    /// Whether nothing unforeseen happens on a machine.
    pub fn is_foreseen(&self, machine: MachineId) -> bool {
        self.machine(machine).is_some_and(|row| {
            row.leaks.is_empty() && row.tasks.is_empty() && row.disk.is_untouched()
        })
    }

    /// The bound of all containers of a machine, whether they run yet or have ended; `None`: there is
    /// none.
    pub fn bound_on(&self, machine: MachineId) -> Option<Bound> {
        if !self.is_foreseen(machine) {
            return None;
        }
        self.sandboxes_on(machine)
            .flat_map(|(sandbox, _)| self.containers_in(sandbox))
            .try_fold(Bound::default(), |sum, (_, row)| {
                let mut own = self.bound_of_row(row)?;
                if matches!(row.state, ContainerState::Exited { .. }) {
                    // Only its log stays.
                    (own.memory, own.tasks) = (0, 0);
                }
                Some(sum.and(own))
            })
    }

    /// What a machine's containers use by exact figures, beside its own files: never more than the bound
    /// where all is foreseen.
    pub fn used_on(&self, machine: MachineId, now: SimTime) -> Bound {
        let (hogs, own) = self
            .machine(machine)
            .map_or((0, 0), |row| (row.hogs, on_disk(&row.disk)));
        Bound {
            memory: self.working_set(machine, now) - memory::SYSTEM_BYTES,
            disk: self.written_bytes(machine, now) - own,
            tasks: self.machine_tasks(machine, now) - SYSTEM_PROCESSES - hogs,
        }
    }

    /// Free memory, used disk and tasks of a machine if its containers used all of a bound.
    pub fn usage_with(&self, machine: MachineId, bound: Bound) -> Option<(u64, u64, u64)> {
        let row = self.machine(machine)?;
        let memory = row.capacity.memory.unsigned_abs();
        Some((
            memory.saturating_sub(memory::SYSTEM_BYTES.saturating_add(bound.memory)),
            self.disk_used_with(machine, bound.disk + on_disk(&row.disk)),
            SYSTEM_PROCESSES + row.hogs + bound.tasks,
        ))
    }
}
