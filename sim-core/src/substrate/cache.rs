//! Page cache and block input and output of containers.
//! Sources: Linux `mm/memcontrol.c`, `Documentation/admin-guide/cgroup-v2.rst`.
//!
//! Pages of files are counted where they were first touched, are no part of the working set, and are
//! the first to go: at the group's own `memory.max` and `memory.high`, and when the machine runs
//! short, those last that `memory.low` and `memory.min` protect. Only what commands inside a
//! container read and write is counted; what its program reads by itself is not modelled.

use crate::base::sorted::SortedMap;

use super::cgroup::limits::PAGE;
use super::disk::REQUEST;
use super::order::{ContainerId, MachineId};
use super::{Scope, Substrate};

/// What the kernel charges at once, in bytes: 64 pages. Source: `include/linux/memcontrol.h`
/// (`MEMCG_CHARGE_BATCH`).
pub(super) const BATCH: u64 = 64 * PAGE;
/// Bytes per second of a machine's disk. Our own figure, an ordinary SSD.
pub const DISK_RATE: u64 = 500_000_000;

/// Pages and requests of one container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cache {
    /// Pages of files, in bytes.
    pub bytes: u64,
    /// Times that `memory.max` made the kernel reclaim.
    pub max_events: u64,
    /// Times that `memory.high` did.
    pub high_events: u64,
    /// Times that pages went although `memory.low` protected them.
    pub low_events: u64,
    /// Read and written bytes, and the numbers of both.
    pub io: [u64; 4],
    /// Most memory that was in use at once, in bytes.
    pub peak: u64,
}

impl Substrate {
    /// Pages and requests of a container.
    pub fn cache_of(&self, container: ContainerId) -> Cache {
        self.container(container)
            .and_then(|row| self.sandbox(row.sandbox))
            .and_then(|row| self.machine(row.machine)?.caches.get(&container).copied())
            .unwrap_or_default()
    }

    /// A command in a container has written a file of this size over one of `before` bytes.
    pub(super) fn through_cache(
        &mut self,
        machine: MachineId,
        container: ContainerId,
        (before, bytes): (u64, u64),
        scope: &mut Scope<'_>,
    ) {
        let used = self.container_memory(container, scope.now);
        let others = used.current() - used.inactive_file;
        let bounds = self.memory_bounds(container);
        let max = bounds.max.unwrap_or(u64::MAX);
        let high = bounds.high.unwrap_or(u64::MAX);
        let pages = |bytes: u64| bytes.div_ceil(PAGE) * PAGE;
        let wanted = used.inactive_file.saturating_sub(pages(before)) + pages(bytes);
        let room = max.min(high).saturating_sub(others);
        let over = wanted.saturating_sub(room);
        let cache = self.machines[machine].caches.entry(container).or_default();
        cache.bytes = wanted.min(room);
        if over > 0 && high < max {
            cache.high_events += over.div_ceil(BATCH);
        } else if over > 0 {
            cache.max_events += over.div_ceil(BATCH);
        }
        cache.io[1] += bytes;
        cache.io[3] += bytes.div_ceil(REQUEST);
        cache.peak = cache.peak.max(others + cache.bytes);
        self.stall_for_io((machine, container), bytes, scope);
        self.reclaim(machine, scope);
    }

    /// The machine is short of memory: pages of files go, unprotected ones first.
    pub(super) fn reclaim(&mut self, machine: MachineId, scope: &Scope<'_>) {
        let row = &self.machines[machine];
        if row.caches.is_empty() {
            return;
        }
        let free = self.memory_available(machine, scope.now);
        let all: u64 = row.caches.values().map(|cache| cache.bytes).sum();
        let mut over = all.saturating_sub(free);
        if over == 0 {
            return;
        }
        // What may go of each: at first all above what is protected, then what is protected softly.
        let mut parts: SortedMap<ContainerId, [u64; 2]> = SortedMap::new();
        for (container, cache) in &row.caches {
            let limits = self.container_limits(*container);
            let used = self.container_memory(*container, scope.now);
            let others = used.current() - used.inactive_file;
            let kept = |limit: Option<u64>| limit.unwrap_or(0).saturating_sub(others);
            let hard = kept(limits.memory_min).min(cache.bytes);
            let soft = kept(limits.memory_low).min(cache.bytes).max(hard);
            parts.insert(*container, [cache.bytes - soft, soft - hard]);
        }
        for round in 0..2 {
            for (container, part) in &parts {
                let gone = part[round].min(over);
                over -= gone;
                let cache = self.machines[machine].caches.entry(*container).or_default();
                cache.bytes -= gone.min(cache.bytes);
                if round == 1 && gone > 0 {
                    cache.low_events += 1;
                }
            }
        }
    }

    /// Drops so many bytes of a container's pages; how many went.
    pub fn reclaim_from(&mut self, container: ContainerId, bytes: u64) -> u64 {
        let machine = self
            .container(container)
            .and_then(|row| self.sandbox(row.sandbox))
            .map(|row| row.machine);
        let cache = machine.and_then(|machine| self.machines[machine].caches.get_mut(&container));
        cache.map_or(0, |cache| {
            let gone = cache.bytes.min(bytes);
            cache.bytes -= gone;
            gone
        })
    }
}
