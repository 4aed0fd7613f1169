//! How a machine's CPUs are shared among containers: a flow, worked out again where something
//! changes and nowhere else.
//!
//! ```text
//! requests × time of each ─┐
//! busy threads ────────────┴─▶ wanted ──weights, quotas, CPUs──▶ got ──▶ answered share, cpu.stat
//! ```
//!
//! Amounts are millionths of a CPU. As long as there is enough for what everybody's own limits allow,
//! a change costs its own container only; else the machine's tree of groups is filled anew, as the kernel fills it: each level gives
//! to its groups in proportion to their weights, nobody gets more than it wants or its quota allows,
//! and what is left goes to the others. Single tasks are [`super::kernel`]'s business; over seconds
//! both give the same.
//!
//! Not modelled: work that waits is not kept (a request that finds no CPU in time is lost, as its
//! client has gone), and `cpuset` bounds how much, not where.

mod bounds;
mod requests;
mod share;

use crate::base::time::{SimDuration, SimTime};

use super::cgroup::facts::CpuTimes;
use super::kernel::busy;
use super::order::{ContainerId, MachineId};
use super::{Scope, Substrate};
use bounds::Bounds;

/// Time after which a client gives up. Our own figure.
pub(super) const PATIENCE: SimDuration = SimDuration::from_secs(1);
/// One CPU.
pub const CPU: u64 = 1_000_000;

/// What a container's processes want and get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cpu {
    /// CPU time up to `counted`, in nanoseconds.
    usage_ns: u64,
    /// What requests took of it.
    requests_ns: u64,
    /// Up to when it is counted.
    counted: SimTime,
    /// For requests, in millionths of a CPU.
    pub requests: u32,
    /// Threads that never sleep.
    pub busy: u16,
    /// Whether it is held back.
    held: bool,
    /// What it gets, in millionths of a CPU.
    pub got: u32,
}

impl Cpu {
    /// What it wants, in millionths of a CPU.
    pub fn wanted(&self) -> u64 {
        u64::from(self.requests) + u64::from(self.busy) * CPU
    }

    /// The share of its requests that are answered, in millionths: busy threads of its own take
    /// their parts.
    pub fn served(&self) -> u32 {
        if !self.held || self.requests == 0 {
            return 1_000_000;
        }
        let got = u64::from(self.got);
        let for_requests = if self.busy == 0 {
            got
        } else {
            got / (u64::from(self.busy) + 1)
        };
        let share =
            for_requests.min(u64::from(self.requests)) * 1_000_000 / u64::from(self.requests);
        u32::try_from(share).unwrap_or(1_000_000)
    }

    fn count(&mut self, now: SimTime) {
        self.usage_ns = self.usage_ns.saturating_add(self.since_counted(now));
        self.requests_ns = self.requests_ns.saturating_add(self.requests_since(now));
        self.counted = now;
    }

    fn since_counted(&self, now: SimTime) -> u64 {
        self.span_ns(self.got, now)
    }

    /// What requests took since the last count: busy threads of its own take their parts.
    fn requests_since(&self, now: SimTime) -> u64 {
        let share = if self.held {
            (self.got / (u32::from(self.busy) + 1)).min(self.requests)
        } else {
            self.requests
        };
        self.span_ns(share, now)
    }

    /// Nanoseconds of CPU time since the last count at so many millionths of a CPU.
    fn span_ns(&self, share: u32, now: SimTime) -> u64 {
        let product = u128::from(share) * u128::from(now.since(self.counted).as_micros());
        u64::try_from(product / 1_000).unwrap_or(u64::MAX)
    }
}

/// Throttling of a container that has a quota it has reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Throttle {
    /// Up to when it is counted.
    counted: SimTime,
    /// Whether it is held back by its quota now.
    on: bool,
    /// Periods, in millionths.
    periods: u64,
    /// Of these throttled, in millionths.
    throttled: u64,
    /// Time that CPUs were held back, in nanoseconds.
    throttled_ns: u64,
    /// What a second adds while it is held back.
    rate: busy::Second,
}

impl Throttle {
    fn count(&mut self, now: SimTime) {
        if self.on {
            let span = now.since(self.counted).as_micros();
            self.periods += self.rate.periods * span;
            self.throttled += self.rate.throttled * span;
            let held = u128::from(self.rate.throttled_ns) * u128::from(span) / 1_000_000;
            self.throttled_ns += u64::try_from(held).unwrap_or(0);
        }
        self.counted = now;
    }
}

impl Substrate {
    /// Sets what a container wants for requests, in millionths of a CPU.
    pub(super) fn want_requests(
        &mut self,
        container: ContainerId,
        wants: u64,
        scope: &mut Scope<'_>,
    ) {
        let wants = u32::try_from(wants).unwrap_or(u32::MAX);
        let Some(row) = self.containers.get(container) else {
            return;
        };
        if row.cpu.requests == wants {
            return;
        }
        self.change_wants(container, scope, |cpu| cpu.requests = wants);
    }

    /// Sets how many of a container's threads never sleep.
    pub(super) fn want_busy(
        &mut self,
        container: ContainerId,
        threads: u16,
        scope: &mut Scope<'_>,
    ) {
        if self
            .containers
            .get(container)
            .is_some_and(|row| row.cpu.busy != threads)
        {
            self.change_wants(container, scope, |cpu| cpu.busy = threads);
        }
    }

    fn change_wants(
        &mut self,
        container: ContainerId,
        scope: &mut Scope<'_>,
        change: impl FnOnce(&mut Cpu),
    ) {
        let sandbox = self.containers[container].sandbox;
        let machine = self.sandboxes[sandbox].machine;
        let bounds = self.bounds(container);
        // A quota that was lifted is still counted.
        let bounded = bounds != Bounds::NONE || !self.machines[machine].throttles.is_empty();
        let cap = bounds.own;
        let capacity = self.cpu_capacity(machine);
        let cpu = &mut self.containers[container].cpu;
        cpu.count(scope.now);
        let before = cpu.wanted();
        change(cpu);
        let wants = cpu.wanted();
        let (least, most) = (within(before, cap), within(wants, cap));
        let row = &mut self.machines[machine];
        let fitted = row.cpu_capped <= capacity;
        row.cpu_wanted = row.cpu_wanted.saturating_sub(before).saturating_add(wants);
        row.cpu_capped = row.cpu_capped.saturating_sub(least).saturating_add(most);
        // Where there is enough for what everybody's own limits allow, nobody's change is another's.
        let fits = fitted && row.cpu_capped <= capacity;
        if !fits || self.is_held_above(container, bounds.above, least.max(most)) {
            self.share_cpus(machine, scope);
            return;
        }
        let was_held = self.containers[container].cpu.held;
        let is_held = if bounded || was_held {
            self.set_got(container, most, scope)
        } else {
            // It has what it wants, as before: all its requests are answered.
            self.containers[container].cpu.got = u32::try_from(most).unwrap_or(u32::MAX);
            false
        };
        if is_held != was_held {
            let row = &mut self.machines[machine];
            row.cpu_held = (row.cpu_held + u32::from(is_held)).saturating_sub(u32::from(was_held));
        }
    }

    /// A container's processes have ended: they want nothing any more.
    pub(super) fn want_nothing(&mut self, container: ContainerId, scope: &mut Scope<'_>) {
        let idle = self
            .containers
            .get(container)
            .is_none_or(|row| row.cpu.wanted() == 0);
        if !idle {
            self.change_wants(container, scope, |cpu| {
                cpu.requests = 0;
                cpu.busy = 0;
            });
        }
    }

    /// Forgets what a container wanted: its rows go.
    pub(super) fn forget_load(&mut self, container: ContainerId) {
        let cap = self.own_cap(container);
        let Some(row) = self.containers.get_mut(container) else {
            return;
        };
        let wanted = row.cpu.wanted();
        row.cpu.requests = 0;
        row.cpu.busy = 0;
        row.cpu.got = 0;
        let Some(sandbox) = self.sandboxes.get(row.sandbox) else {
            return;
        };
        let machine = sandbox.machine;
        if let Some(row) = self.machines.get_mut(machine) {
            row.cpu_wanted = row.cpu_wanted.saturating_sub(wanted);
            row.cpu_capped = row.cpu_capped.saturating_sub(within(wanted, cap));
            row.throttles.remove(&container);
            row.stalls.remove(&container);
            row.leaks.remove(&container);
            row.caches.remove(&container);
            row.tasks.remove(&container);
        }
    }

    /// Threads of the machine's own that never sleep.
    pub(super) fn set_hogs(&mut self, machine: MachineId, threads: u64, scope: &mut Scope<'_>) {
        let Some(row) = self.machines.get_mut(machine) else {
            return;
        };
        row.cpu_wanted = row
            .cpu_wanted
            .saturating_sub(row.hogs * CPU)
            .saturating_add(threads * CPU);
        row.hogs = threads;
        self.share_cpus(machine, scope);
    }

    /// CPU time of a container, and what its quota did.
    pub fn container_cpu(&self, container: ContainerId, now: SimTime) -> CpuTimes {
        let Some(row) = self.container(container) else {
            return CpuTimes::default();
        };
        let mut times = CpuTimes {
            usage_ns: START_NS + row.cpu.usage_ns + row.cpu.since_counted(now),
            ..CpuTimes::default()
        };
        if row.running_since().is_none() {
            times.usage_ns = 0;
        }
        // A server spends about a fifth of its time in the kernel. Our own figure.
        times.system_ns = times.usage_ns / 5;
        let machine = self.sandbox(row.sandbox).map(|sandbox| sandbox.machine);
        let throttle =
            machine.and_then(|machine| self.machine(machine)?.throttles.get(&container).copied());
        if let Some(mut throttle) = throttle {
            throttle.count(now);
            times.periods = throttle.periods / 1_000_000;
            times.throttled_periods = throttle.throttled / 1_000_000;
            times.throttled_ns = throttle.throttled_ns;
        }
        times
    }

    /// CPU that a machine's processes want, in thousandths.
    pub fn machine_demand_milli(&self, machine: MachineId) -> u64 {
        self.machine(machine)
            .map_or(0, |row| row.cpu_wanted / 1_000)
    }
}

/// What a process uses to come up, in nanoseconds. Our own figure.
const START_NS: u64 = 20_000_000;

/// An amount within a cap.
fn within(amount: u64, cap: Option<u64>) -> u64 {
    cap.map_or(amount, |cap| amount.min(cap))
}
