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

use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::base::time::SimTime;

use super::cgroup::facts::CpuTimes;
use super::cgroup::limits::Limits;
use super::cgroup::place::{Version, engine_parent};
use super::cgroup::settings::Sharing;
use super::cgroup::tree::GroupKey;
use super::kernel::busy;
use super::order::{ContainerId, MachineId, SandboxId};
use super::pressure::{self, Resource};
use super::profile::Isolation;
use super::{Scope, Substrate};

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

/// A part of the tree of groups.
#[derive(Clone, Debug, Default)]
struct Part {
    weight: u64,
    /// What it may get at most.
    cap: Option<u64>,
    /// What it wants: for a leaf its own, above the sum of what is below, each within its cap.
    wants: u64,
    leaf: Option<ContainerId>,
    below: Vec<usize>,
}

/// Shares an amount among parts by weight; none gets more than it wants. Returns what each gets.
fn fill(amount: u64, parts: &[(u64, u64)]) -> Vec<u64> {
    let mut got = vec![0; parts.len()];
    let mut order: Vec<usize> = (0..parts.len()).collect();
    // Those that want least for their weight are content first.
    order.sort_unstable_by(|a, b| {
        let (left, right) = (parts[*a], parts[*b]);
        let cross = |wants: u64, weight: u64| u128::from(wants) * u128::from(weight.max(1));
        cross(left.1, right.0)
            .cmp(&cross(right.1, left.0))
            .then(a.cmp(b))
    });
    let mut rest = amount;
    let mut weights: u128 = parts
        .iter()
        .map(|(weight, _)| u128::from((*weight).max(1)))
        .sum();
    for index in order {
        let (weight, wants) = parts[index];
        let weight = u128::from(weight.max(1));
        let fair = u64::try_from(u128::from(rest) * weight / weights.max(1)).unwrap_or(rest);
        got[index] = wants.min(fair);
        rest -= got[index];
        weights -= weight;
    }
    got
}

impl Substrate {
    /// Millionths of a CPU that a machine has; one of which nothing is said has enough.
    fn cpu_capacity(&self, machine: MachineId) -> u64 {
        /// More than any machine has, and small enough to be added up.
        const ENOUGH: u64 = u64::MAX >> 16;
        self.machine(machine)
            .map(|row| row.capacity.milli_cpu.unsigned_abs().saturating_mul(1_000))
            .filter(|cpus| *cpus > 0)
            .unwrap_or(ENOUGH)
    }

    /// What a container may get at most by its own quota and set of CPUs.
    fn own_cap(&self, container: ContainerId) -> Option<u64> {
        let row = self.container(container)?;
        let sandbox = self.sandbox(row.sandbox)?;
        let guest = self.guest_cpus(container);
        let written = self.machine(sandbox.machine).is_some_and(|machine| {
            machine
                .written
                .contains_key(&GroupKey::Container(container))
        });
        let group = &row.spec.group;
        if !written && group.cpu_quota_us.is_none() && group.cpuset_cpus.is_none() {
            return guest;
        }
        let set = if written {
            cpus_in(&self.container_limits(container).cpus)
        } else {
            cpus_in(group.cpuset_cpus.as_deref().unwrap_or(""))
        };
        let quota = self
            .quota_of(container)
            .map(|(quota, period)| quota.saturating_mul(CPU) / period.max(1));
        let set = set.map(|count| count * CPU);
        [quota, set, guest].into_iter().flatten().min()
    }

    /// Quota and period of a container's group, in microseconds; none: no quota.
    fn quota_of(&self, container: ContainerId) -> Option<(u64, u64)> {
        let row = self.container(container)?;
        let sandbox = self.sandbox(row.sandbox)?;
        let machine = self.machine(sandbox.machine)?;
        let (quota, period) = match machine.written.get(&GroupKey::Container(container)) {
            Some(limits) => (limits.quota_us, limits.period_us),
            None => Limits::quota(
                &row.spec.group,
                self.driver_of(sandbox.machine, &sandbox.spec),
            ),
        };
        Some((quota?, period))
    }

    /// What a virtual machine around a container has, in millionths of a CPU: one, and as many as its
    /// container's limit asks for. Source: kata-containers `default_vcpus`.
    fn guest_cpus(&self, container: ContainerId) -> Option<u64> {
        let row = self.container(container)?;
        let sandbox = self.sandbox(row.sandbox)?;
        let profile = &self.machine(sandbox.machine)?.profile;
        if sandbox.spec.runtime.is_empty() && profile.default_runtime.is_none() {
            return None;
        }
        let runtime = profile.runtime(&sandbox.spec.runtime)?;
        let limit = row.spec.limits.milli_cpu.unsigned_abs().div_ceil(1_000);
        (runtime.isolation == Isolation::VirtualMachine).then_some((1 + limit) * CPU)
    }

    /// Whether something above a container could hold it back that its own limits do not, when it
    /// wants at most so much.
    fn is_bounded_above(&self, container: ContainerId, most: u64) -> bool {
        let Some(row) = self.container(container) else {
            return false;
        };
        let Some(sandbox) = self.sandbox(row.sandbox) else {
            return false;
        };
        let Some(machine) = self.machine(sandbox.machine) else {
            return false;
        };
        let above = machine
            .written
            .keys()
            .any(|key| !matches!(key, GroupKey::Container(_)))
            || machine
                .levels
                .values()
                .any(|level| level.cpu_quota_us.is_some());
        if above {
            return true;
        }
        let driver = self.driver_of(sandbox.machine, &sandbox.spec);
        let (Some(quota), period) = Limits::quota(&sandbox.spec.group, driver) else {
            return false;
        };
        let others: u64 = self
            .containers_in(row.sandbox)
            .filter(|(other, row)| *other != container && row.cpu.wanted() > 0)
            .map(|(other, row)| within(row.cpu.wanted(), self.own_cap(other)))
            .sum();
        others.saturating_add(most) > quota.saturating_mul(CPU) / period.max(1)
    }

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
        let bounded = !self.is_unbounded(container);
        let cap = if bounded {
            self.own_cap(container)
        } else {
            None
        };
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
        if !fits || (bounded && self.is_bounded_above(container, least.max(most))) {
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

    /// Whether only the machine's size bounds a container: it has no quota, set of CPUs or virtual
    /// machine of its own, and there is no quota above it.
    fn is_unbounded(&self, container: ContainerId) -> bool {
        let Some(row) = self.containers.get(container) else {
            return false;
        };
        let Some(sandbox) = self.sandboxes.get(row.sandbox) else {
            return false;
        };
        let Some(machine) = self.machines.get(sandbox.machine) else {
            return false;
        };
        let group = &row.spec.group;
        group.cpu_quota_us.is_none()
            && group.cpuset_cpus.is_none()
            && sandbox.spec.group.cpu_quota_us.is_none()
            && sandbox.spec.runtime.is_empty()
            && machine.profile.default_runtime.is_none()
            && machine.written.is_empty()
            && machine.throttles.is_empty()
            && machine
                .levels
                .values()
                .all(|level| level.cpu_quota_us.is_none())
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

    /// Fills a machine's tree of groups anew.
    pub(super) fn share_cpus(&mut self, machine: MachineId, scope: &mut Scope<'_>) {
        let Some(row) = self.machine(machine) else {
            return;
        };
        let (capacity, hogs) = (self.cpu_capacity(machine), row.hogs);
        let (mut parts, root) = self.parts(machine, hogs);
        want(&mut parts, root);
        let mut got: BTreeMap<ContainerId, u64> = BTreeMap::new();
        give(&parts, root, capacity, &mut got);
        let leaves: Vec<ContainerId> = parts.iter().filter_map(|part| part.leaf).collect();
        // A leaf's wish is within its cap by now.
        let capped: u64 = parts
            .iter()
            .filter(|part| part.leaf.is_some())
            .map(|part| part.wants)
            .sum();
        self.machines[machine].cpu_capped = capped.saturating_add(hogs * CPU);
        let mut held = 0;
        for container in leaves {
            let amount = got.get(&container).copied().unwrap_or(0);
            if self.set_got(container, amount, scope) {
                held += 1;
            }
        }
        self.machines[machine].cpu_held = held;
    }

    /// The groups of a machine in which somebody wants CPU time.
    fn parts(&self, machine: MachineId, hogs: u64) -> (Vec<Part>, usize) {
        let mut parts = vec![Part::default()];
        let mut levels: BTreeMap<String, usize> = BTreeMap::new();
        let mut weights: BTreeMap<Option<u64>, u64> = BTreeMap::new();
        let version = self
            .machine(machine)
            .map(|row| row.profile.cgroups)
            .unwrap_or_default();
        let weight_of = |limits: &Limits| match version {
            Version::V2 => limits.weight,
            Version::V1 => limits.shares,
        };
        let default = match version {
            Version::V2 => 100,
            Version::V1 => 1_024,
        };
        let driver = self
            .machine(machine)
            .map(|row| row.profile.driver())
            .unwrap_or_default();
        if hogs > 0 {
            parts.push(Part {
                weight: default,
                wants: hogs * CPU,
                ..Part::default()
            });
            let last = parts.len() - 1;
            parts[0].below.push(last);
            levels.insert("system.slice".to_owned(), last);
        }
        for (sandbox, row) in self.sandboxes_on(machine) {
            let wanting: Vec<ContainerId> = self
                .containers_in(sandbox)
                .filter(|(_, container)| {
                    container.running_since().is_some()
                        && (container.cpu.wanted() > 0 || container.cpu.got > 0)
                })
                .map(|(id, _)| id)
                .collect();
            if wanting.is_empty() {
                continue;
            }
            let mut at = 0;
            let mut path = String::new();
            let own_level = [engine_parent(driver)];
            let above: &[&str] = if row.spec.parents.is_empty() {
                &own_level
            } else {
                &row.spec.parents
            };
            for name in above {
                if !path.is_empty() {
                    path.push('/');
                }
                path.push_str(name);
                at = match levels.get(&path) {
                    Some(index) => *index,
                    None => {
                        let limits = self.limits_of(machine, &GroupKey::Level(path.clone()));
                        parts.push(Part {
                            weight: weight_of(&limits),
                            cap: cap_of(&limits),
                            ..Part::default()
                        });
                        let index = parts.len() - 1;
                        parts[at].below.push(index);
                        levels.insert(path.clone(), index);
                        index
                    }
                };
            }
            if !row.spec.parents.is_empty() {
                let limits = self.sandbox_limits(sandbox);
                parts.push(Part {
                    weight: weight_of(&limits),
                    cap: cap_of(&limits),
                    ..Part::default()
                });
                let index = parts.len() - 1;
                parts[at].below.push(index);
                at = index;
            }
            for container in wanting {
                let group = &self.containers[container].spec.group;
                let written = self.machines[machine]
                    .written
                    .get(&GroupKey::Container(container));
                // Equal shares have equal weights, whose formula is long.
                let weight = match written {
                    Some(limits) => weight_of(limits),
                    None => *weights
                        .entry(group.cpu_shares)
                        .or_insert_with(|| weight_of(&self.container_limits(container))),
                };
                parts.push(Part {
                    weight,
                    cap: self.own_cap(container),
                    wants: self.containers[container].cpu.wanted(),
                    leaf: Some(container),
                    below: Vec::new(),
                });
                let index = parts.len() - 1;
                parts[at].below.push(index);
            }
        }
        (parts, 0)
    }

    /// Gives a container an amount; whether that is less than it wants.
    fn set_got(&mut self, container: ContainerId, amount: u64, scope: &mut Scope<'_>) -> bool {
        let cap = self.own_cap(container);
        let sandbox = self.containers[container].sandbox;
        let machine = self.sandboxes[sandbox].machine;
        let cpus = self.cpu_capacity(machine).div_ceil(CPU).max(1);
        let cpu = &mut self.containers[container].cpu;
        cpu.count(scope.now);
        let before = cpu.served();
        let wants = cpu.wanted();
        cpu.got = u32::try_from(amount).unwrap_or(u32::MAX);
        cpu.held = amount < wants;
        let (held, after, threads) = (cpu.held, cpu.served(), cpu.busy);
        let quota = if held { self.quota_of(container) } else { None };
        let by_quota = cap.is_some_and(|cap| amount >= cap) && quota.is_some();
        let known = self.machines[machine].throttles.contains_key(&container);
        if by_quota || known {
            let threads = if threads > 0 {
                u64::from(threads)
            } else {
                wants.div_ceil(CPU).max(1)
            };
            let throttle = self.machines[machine]
                .throttles
                .entry(container)
                .or_default();
            throttle.count(scope.now);
            throttle.on = by_quota;
            if let Some((quota, period)) = quota.filter(|_| by_quota) {
                throttle.rate = busy::second(quota, period, threads.min(cpus), cpus);
            }
        }
        let rates = pressure::cpu_rates(wants, amount, cpus, by_quota);
        let at = (machine, container);
        self.stall(at, Resource::Cpu, rates, (scope.now, None));
        if before != after {
            self.serving_changed(sandbox, scope);
        }
        held
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

    /// Requests that a container has answered since it started; those that it had no CPU time for
    /// are not among them. 0: requests cost it no time, so none are counted.
    pub fn requests_answered(&self, container: ContainerId, now: SimTime) -> u64 {
        let Some(row) = self.container(container) else {
            return 0;
        };
        let took = row.cpu.requests_ns + row.cpu.requests_since(now);
        let each = row.behaviour.request_cpu.as_micros() * self.request_percent(row.sandbox) * 10;
        took.checked_div(each).unwrap_or(0)
    }

    /// Bytes that a container's network interfaces have received and sent: its requests and their
    /// answers. Nothing for one on its machine's own network, as the engine shows it.
    pub fn container_traffic(&self, container: ContainerId, now: SimTime) -> (u64, u64) {
        let on_host = self
            .container(container)
            .and_then(|row| self.sandbox(row.sandbox))
            .is_none_or(|row| row.spec.network == Sharing::Host);
        if on_host {
            return (0, 0);
        }
        let requests = self.requests_answered(container, now);
        (
            requests.saturating_mul(REQUEST_BYTES),
            requests.saturating_mul(ANSWER_BYTES),
        )
    }

    /// CPU that a machine's processes want, in thousandths.
    pub fn machine_demand_milli(&self, machine: MachineId) -> u64 {
        self.machine(machine)
            .map_or(0, |row| row.cpu_wanted / 1_000)
    }

    /// How long one of a container's requests takes, in microseconds; none if it serves none.
    ///
    /// While the CPU suffices: the work, and a wait for the others in the queue (a queue with
    /// random arrivals and equal work). A request longer than the quota waits for whole periods. A
    /// container that is held back answers what it can at the end of its clients' patience.
    pub fn latency_us(&self, container: ContainerId) -> Option<u64> {
        let row = self.container(container)?;
        let work = row.behaviour.request_cpu.as_micros();
        if row.cpu.requests == 0 || work == 0 {
            return None;
        }
        let limits = self.container_limits(container);
        let quota = limits.quota_us.unwrap_or(u64::MAX);
        let mut latency = work;
        if work > quota {
            latency += (work.div_ceil(quota.max(1)) - 1)
                * (limits.period_us - quota.min(limits.period_us));
        }
        if row.cpu.held {
            return Some(latency.max(PATIENCE_US));
        }
        let machine = self.sandbox(row.sandbox)?.machine;
        let capacity = self
            .own_cap(container)
            .unwrap_or_else(|| self.cpu_capacity(machine))
            .clamp(100, u64::MAX >> 32);
        // A queue that is full to the last hundredth has no steady length.
        let used = u64::from(row.cpu.requests).min(capacity / 100 * 99);
        Some(latency + work * used / (2 * (capacity - used)))
    }

    /// What a request costs more in a sandbox's runtime, in hundredths.
    fn request_percent(&self, sandbox: SandboxId) -> u64 {
        let Some(row) = self.sandboxes.get(sandbox) else {
            return 100;
        };
        let profile = &self.machines[row.machine].profile;
        if row.spec.runtime.is_empty() && profile.default_runtime.is_none() {
            return 100;
        }
        profile
            .runtime(&row.spec.runtime)
            .map_or(100, |runtime| runtime.request_percent)
    }

    /// The sandboxes whose requests are to be added up anew, once each.
    pub(super) fn add_up(&mut self, sandbox: SandboxId, scope: &mut Scope<'_>) {
        let mut wants: SmallVec<[(ContainerId, u64); 4]> = self
            .containers_in(sandbox)
            .filter(|(_, row)| row.running_since().is_some())
            .map(|(id, _)| (id, 0))
            .collect();
        if wants.is_empty() {
            return;
        }
        let percent = u128::from(self.request_percent(sandbox));
        for (port, rate) in self.rates_of(sandbox) {
            for (id, sum) in &mut wants {
                let row = &self.containers[*id];
                if row.serves_from(port).is_some_and(|from| from <= scope.now) {
                    // Requests in millionths per second times microseconds each.
                    let cpu = u128::from(rate) * u128::from(row.behaviour.request_cpu.as_micros());
                    *sum += u64::try_from(cpu * percent / 100_000_000).unwrap_or(u64::MAX);
                    break;
                }
            }
        }
        for (id, sum) in wants {
            self.want_requests(id, sum, scope);
        }
    }
}

/// What a process uses to come up, in nanoseconds. Our own figure.
const START_NS: u64 = 20_000_000;

/// Bytes of a short request with its connection: five packets. Our own figure.
const REQUEST_BYTES: u64 = 500;

/// Bytes of its answer: four packets, one with a page's first kilobyte. Our own figure.
const ANSWER_BYTES: u64 = 1_300;

/// Time after which a client gives up, in microseconds. Our own figure.
const PATIENCE_US: u64 = 1_000_000;

fn cap_of(limits: &Limits) -> Option<u64> {
    let quota = limits.quota_us?;
    Some(quota.saturating_mul(CPU) / limits.period_us.max(1))
}

/// An amount within a cap.
fn within(amount: u64, cap: Option<u64>) -> u64 {
    cap.map_or(amount, |cap| amount.min(cap))
}

/// CPUs that a set names; none: it names none, so all.
fn cpus_in(set: &str) -> Option<u64> {
    if set.is_empty() {
        return None;
    }
    let count = set
        .split(',')
        .map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            match (first.parse::<u64>(), last.parse::<u64>()) {
                (Ok(first), Ok(last)) if last >= first => last - first + 1,
                _ => 0,
            }
        })
        .sum();
    Some(count)
}

/// Adds up what parts want, from below.
fn want(parts: &mut [Part], at: usize) {
    let below = std::mem::take(&mut parts[at].below);
    for index in &below {
        want(parts, *index);
        parts[at].wants += parts[*index].wants;
    }
    parts[at].below = below;
    if let Some(cap) = parts[at].cap {
        parts[at].wants = parts[at].wants.min(cap);
    }
}

/// Gives an amount to a part and those below it.
fn give(parts: &[Part], at: usize, amount: u64, got: &mut BTreeMap<ContainerId, u64>) {
    let part = &parts[at];
    let amount = amount.min(part.wants);
    if let Some(container) = part.leaf {
        got.insert(container, amount);
        return;
    }
    // A part that wants of its own beside those below it (the machine's busy threads) is one more.
    let mut wishes: Vec<(u64, u64)> = part
        .below
        .iter()
        .map(|index| (parts[*index].weight, parts[*index].wants))
        .collect();
    let below: u64 = wishes.iter().map(|(_, wants)| *wants).sum();
    if !part.below.is_empty() && part.wants > below {
        wishes.push((100, part.wants - below));
    }
    for (index, share) in part.below.iter().zip(fill(amount, &wishes)) {
        give(parts, *index, share, got);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_follow_weights_and_what_is_left_goes_on() {
        // Two that want all, one that wants little.
        let got = fill(2_000, &[(100, 5_000), (200, 5_000), (100, 50)]);
        assert_eq!(got, [650, 1_300, 50]);
        assert_eq!(fill(1_000, &[(100, 200), (1, 300)]), [200, 300]);
        assert_eq!(fill(0, &[(100, 200)]), [0]);
        assert_eq!(cpus_in("0-1,3"), Some(3));
    }
}
