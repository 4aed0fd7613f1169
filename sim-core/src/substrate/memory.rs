//! Memory: what containers use, leaks, and whom the kernel kills.
//! Source: Linux `mm/oom_kill.c`, `mm/memcontrol.c`.
//!
//! A container's memory is level until it leaks, so the moment at which a limit is reached is known
//! when the leak begins: one event, moved when something changes.

use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::Detail;

use super::cache::BATCH;
use super::cgroup::facts::MemoryUse;
use super::cgroup::limits::PAGE;
use super::container::{Container, Ending};
use super::file::Tree;
use super::order::{ContainerId, MachineId, SandboxId, Upcall};
use super::{Event, Scope, Substrate};

/// A container that takes more and more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leak {
    /// Since when.
    pub since: SimTime,
    /// Bytes per second.
    pub rate: u64,
}

/// Kernel memory of a small process: stacks, page tables and slabs, in bytes.
pub(super) const KERNEL_BYTES: u64 = 512 << 10;

/// What a process that is above `memory.high` can still take, in bytes per second: it sleeps up to
/// two seconds for each batch of 64 pages. Source: Linux `mm/memcontrol.c`
/// (`MEMCG_MAX_HIGH_DELAY_JIFFIES`).
const THROTTLED: u64 = BATCH / 2;

/// Memory of a machine's own processes that containers cannot have, in bytes. Our own figure.
pub(super) const SYSTEM_BYTES: u64 = 200 << 20;

/// Kills of a sandbox's containers, which outlive their groups in the sandbox's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OomCount {
    /// Processes killed.
    pub kills: u32,
}

impl Substrate {
    /// Memory of a container.
    pub fn container_memory(&self, container: ContainerId, now: SimTime) -> MemoryUse {
        let Some(row) = self.container(container) else {
            return MemoryUse::default();
        };
        if row.running_since().is_none() {
            return MemoryUse::default();
        }
        let kernel = KERNEL_BYTES.min(row.behaviour.memory_bytes / 4);
        let machine = self.sandbox(row.sandbox).map(|sandbox| sandbox.machine);
        let leak =
            machine.and_then(|machine| self.machine(machine)?.leaks.get(&container).copied());
        let bounds = self.memory_bounds(container);
        let limit = bounds.max.unwrap_or(u64::MAX);
        let high = bounds.high.unwrap_or(u64::MAX);
        let shared = self.shared_bytes(container);
        let level = row.behaviour.memory_bytes;
        let below = high.saturating_sub(level.saturating_add(kernel).saturating_add(shared));
        let (grown, over) = leak.map_or((0, 0), |leak| leaked(leak, below, now));
        let anonymous = level
            .saturating_add(grown / PAGE * PAGE)
            .min(limit.saturating_sub(kernel).saturating_sub(shared));
        let cache = machine
            .and_then(|machine| self.machine(machine)?.caches.get(&container).copied())
            .unwrap_or_default();
        let room = limit
            .min(high)
            .saturating_sub(anonymous.saturating_add(kernel).saturating_add(shared));
        let mut used = MemoryUse {
            anonymous,
            kernel,
            shared,
            inactive_file: cache.bytes.min(room),
            low_events: cache.low_events,
            high_events: cache.high_events + over.div_ceil(BATCH),
            max_events: cache.max_events,
            ..MemoryUse::default()
        };
        used.peak = used.current().max(cache.peak);
        used
    }

    /// Since when a container that leaks is above `memory.high`, where it is slowed down.
    pub(super) fn slowed_since(&self, container: ContainerId) -> Option<SimTime> {
        let row = self.container(container)?;
        let machine = self.sandbox(row.sandbox)?.machine;
        let leak = self.machine(machine)?.leaks.get(&container)?;
        let high = self.memory_bounds(container).high?;
        let level = row.behaviour.memory_bytes;
        let kernel = KERNEL_BYTES.min(level / 4);
        let shared = self.shared_bytes(container);
        let below = high.saturating_sub(level.saturating_add(kernel).saturating_add(shared));
        (leak.rate > 0).then(|| leak.since + time_to(below, leak.rate))
    }

    /// Bytes of a container's file systems in memory.
    fn shared_bytes(&self, container: ContainerId) -> u64 {
        let disk = self
            .container(container)
            .and_then(|row| self.sandbox(row.sandbox))
            .and_then(|row| self.machine(row.machine))
            .map(|row| &row.disk);
        disk.into_iter()
            .flat_map(|disk| disk.in_memory(container))
            .map(Tree::blocks)
            .sum::<u64>()
            + self.shared_of_sandbox(container)
    }

    /// What a container's file systems in memory hold has changed: they cannot be reclaimed.
    pub(super) fn shared_changed(&mut self, container: ContainerId, scope: &mut Scope<'_>) {
        let Some(row) = self.container(container) else {
            return;
        };
        let least = row.behaviour.memory_bytes + self.shared_bytes(container);
        if self
            .memory_bounds(container)
            .max
            .is_some_and(|limit| least > limit)
        {
            self.oom_kill(container, scope);
        }
    }

    /// Memory of a machine that is in use and cannot be dropped, in bytes: the root group's working
    /// set.
    pub fn working_set(&self, machine: MachineId, now: SimTime) -> u64 {
        self.sandboxes_on(machine)
            .flat_map(|(sandbox, _)| self.containers_in(sandbox))
            .map(|(id, _)| self.container_memory(id, now).working_set())
            .fold(SYSTEM_BYTES, u64::saturating_add)
    }

    /// What `memory.available` says of a machine, in bytes.
    pub fn memory_available(&self, machine: MachineId, now: SimTime) -> u64 {
        let total = self
            .machine(machine)
            .map_or(0, |row| row.capacity.memory.unsigned_abs());
        total.saturating_sub(self.working_set(machine, now))
    }

    /// Lets a container take more memory from now on; a rate of 0 ends it and gives back what it
    /// took.
    pub(super) fn leak(&mut self, container: ContainerId, rate: u64, scope: &mut Scope<'_>) {
        let Some(row) = self.containers.get(container) else {
            return;
        };
        let machine = self.sandboxes[row.sandbox].machine;
        self.keep_memory_stall((machine, container), scope);
        let Some(row) = self.containers.get(container) else {
            return;
        };
        if rate == 0 || row.running_since().is_none() {
            self.machines[machine].leaks.remove(&container);
            return;
        }
        let leak = Leak {
            since: scope.now,
            rate,
        };
        self.machines[machine].leaks.insert(container, leak);
        self.plan_memory(machine, scope);
        scope.out.order(Upcall::Pressure { machine });
    }

    /// Schedules the moment at which the next limit of a machine is reached.
    pub(super) fn plan_memory(&mut self, machine: MachineId, scope: &mut Scope<'_>) {
        let Some(row) = self.machine(machine) else {
            return;
        };
        let leaks: Vec<(ContainerId, Leak)> =
            row.leaks.iter().map(|(id, leak)| (*id, *leak)).collect();
        let mut soonest: Option<SimDuration> = None;
        let mut all = 0_u64;
        for (container, leak) in &leaks {
            let used = self.container_memory(*container, scope.now);
            // Pages of files make room.
            let used = used.current() - used.inactive_file;
            let bounds = self.memory_bounds(*container);
            let high = bounds.high.unwrap_or(u64::MAX);
            let rate = if used >= high {
                leak.rate.min(THROTTLED)
            } else {
                leak.rate
            };
            all = all.saturating_add(rate);
            let Some(limit) = bounds.max else {
                continue;
            };
            let fast = limit.min(high.max(used)).saturating_sub(used);
            let slow = limit.saturating_sub(used) - fast;
            let span = time_to(fast, leak.rate) + time_to(slow, leak.rate.min(THROTTLED));
            soonest = Some(soonest.map_or(span, |soonest| soonest.min(span)));
        }
        if all > 0 {
            let span = time_to(self.memory_available(machine, scope.now), all);
            soonest = Some(soonest.map_or(span, |soonest| soonest.min(span)));
        }
        // Who is being killed gives back what it has when it ends: until then nothing is decided.
        if let Some(span) = soonest
            && let Some(ends) = self.victim(machine).map(|row| row.due)
            && ends >= scope.now
        {
            soonest = Some(span.max(ends.since(scope.now) + SimDuration::from_micros(1)));
        }
        let due = soonest.map_or(SimTime::MAX, |span| scope.now + span);
        if self.machines[machine].memory_due != due {
            self.machines[machine].memory_due = due;
            if let Some(span) = soonest {
                scope.out.after(span, Event::Memory { machine });
            }
        }
    }

    /// A limit may have been reached.
    pub(super) fn memory_due(&mut self, machine: MachineId, scope: &mut Scope<'_>) {
        let Some(row) = self.machine(machine) else {
            return;
        };
        if row.memory_due != scope.now {
            return;
        }
        self.machines[machine].memory_due = SimTime::MAX;
        self.reclaim(machine, scope);
        let leaks: Vec<ContainerId> = self.machines[machine].leaks.keys().copied().collect();
        let mut killed = false;
        for container in leaks {
            let used = self.container_memory(container, scope.now);
            let used = used.current() - used.inactive_file;
            if self
                .memory_bounds(container)
                .max
                .is_some_and(|limit| used >= limit)
            {
                self.oom_kill(container, scope);
                killed = true;
            }
        }
        let waits = self.victim(machine).is_some();
        if !killed && !waits && self.memory_available(machine, scope.now) < PAGE {
            self.global_oom(machine, scope);
        }
        self.plan_memory(machine, scope);
    }

    /// A container of a machine that is being killed for memory and has not ended. The kernel chooses
    /// nobody else meanwhile. Source: `mm/oom_kill.c` (`oom_evaluate_task`, `tsk_is_oom_victim`).
    fn victim(&self, machine: MachineId) -> Option<&Container> {
        self.sandboxes_on(machine)
            .flat_map(|(sandbox, _)| self.containers_in(sandbox))
            .map(|(_, row)| row)
            .find(|row| {
                row.running_since().is_some()
                    && matches!(row.ending, Some(Ending::Now { oom: true, .. }))
            })
    }

    /// The machine has no memory left: the process with the most points goes.
    pub(super) fn global_oom(&mut self, machine: MachineId, scope: &mut Scope<'_>) {
        let Some(row) = self.machine(machine) else {
            return;
        };
        let total = (row.capacity.memory.unsigned_abs() + row.profile.swap_bytes) / PAGE;
        let capacity = row.capacity.memory;
        let total = i64::try_from(total).unwrap_or(i64::MAX);
        let victim = self
            .sandboxes_on(machine)
            .flat_map(|(sandbox, _)| self.containers_in(sandbox))
            .filter(|(_, row)| row.running_since().is_some())
            .filter_map(|(id, row)| {
                let adjustment = row.spec.oom.adjustment(capacity);
                let pages = self.container_memory(id, scope.now).anonymous / PAGE;
                let pages = i64::try_from(pages).unwrap_or(i64::MAX);
                let points = pages + i64::from(adjustment) * total / 1_000;
                (adjustment > -1_000).then_some((points, std::cmp::Reverse(id), id))
            })
            .max();
        if let Some((_, _, container)) = victim {
            self.oom_kill(container, scope);
        }
    }

    /// The kernel kills a container's processes for memory.
    #[inline(never)]
    pub(super) fn oom_kill(&mut self, container: ContainerId, scope: &mut Scope<'_>) {
        let Some(row) = self.containers.get(container) else {
            return;
        };
        if row.running_since().is_none() {
            return;
        }
        let sandbox = row.sandbox;
        let machine = self.sandboxes[sandbox].machine;
        self.machines[machine].leaks.remove(&container);
        self.machines[machine]
            .ooms
            .entry(sandbox)
            .or_default()
            .kills += 1;
        self.note_machine_detail(
            machine,
            "oom-kill",
            Detail::Text(self.containers[container].spec.name),
            scope,
        );
        self.kill_for_memory(container, scope);
    }

    /// Kills what uses more than its limit allows: a limit was lowered below it.
    pub(super) fn over_limit(&mut self, machine: MachineId, scope: &mut Scope<'_>) {
        let over: Vec<ContainerId> = self
            .sandboxes_on(machine)
            .flat_map(|(sandbox, _)| self.containers_in(sandbox))
            .filter(|(_, row)| row.running_since().is_some())
            .map(|(id, row)| (id, row.behaviour.memory_bytes))
            .filter(|(id, bytes)| {
                self.memory_bounds(*id)
                    .max
                    .is_some_and(|limit| *bytes > limit)
            })
            .map(|(id, _)| id)
            .collect();
        for container in over {
            self.oom_kill(container, scope);
        }
    }

    /// Kills of a sandbox's containers so far.
    pub fn oom_kills(&self, sandbox: SandboxId) -> u64 {
        self.sandbox(sandbox)
            .and_then(|row| self.machine(row.machine)?.ooms.get(&sandbox))
            .map_or(0, |count| u64::from(count.kills))
    }
}

/// Bytes that have leaked, and how many of them above the `below` that `memory.high` leaves.
fn leaked(leak: Leak, below: u64, now: SimTime) -> (u64, u64) {
    let span = now.since(leak.since);
    let bytes = |rate: u64, span: SimDuration| {
        let bytes = u128::from(rate) * u128::from(span.as_micros()) / 1_000_000;
        u64::try_from(bytes).unwrap_or(u64::MAX)
    };
    let fast = bytes(leak.rate, span);
    if fast <= below {
        return (fast, 0);
    }
    let reached = time_to(below, leak.rate);
    let slow = SimDuration::from_micros(span.as_micros().saturating_sub(reached.as_micros()));
    let over = bytes(leak.rate.min(THROTTLED), slow);
    (below.saturating_add(over), over)
}

/// Time until so many bytes have leaked, rounded up.
fn time_to(bytes: u64, rate: u64) -> SimDuration {
    let micros = (u128::from(bytes) * 1_000_000).div_ceil(u128::from(rate.max(1)));
    SimDuration::from_micros(
        u64::try_from(micros)
            .unwrap_or(u64::MAX >> 1)
            .min(u64::MAX >> 1),
    )
}
