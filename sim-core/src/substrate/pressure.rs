//! Pressure stall information: how long tasks waited for CPU, memory or a disk.
//! Sources: Linux `kernel/sched/psi.c`, `include/linux/sched/loadavg.h`, `Documentation/accounting/psi.rst`.
//!
//! While nothing changes, the share of time in which somebody waits is level: a stall is a rate, added
//! up when it changes or when somebody reads. The averages are the kernel's: every two seconds the
//! share of the time behind, in whole percent, goes into three decaying averages of fixed point.
//!
//! ```text
//! some   at least one task waits      full   all that would do something wait
//! ```
//!
//! CPU: what a quota or a lack of CPUs holds back. Memory: sleeps above `memory.high`. Input and output:
//! waits for `io.max` and for a disk that is not reached. Groups above show, of what is below them, the
//! largest `some`, and as `full` the least of those that run: how waits of several groups lie beside
//! each other in time is not modelled, nor are short waits in a queue that is served in time.

use crate::base::time::{SimDuration, SimTime};

use super::load::CPU;
use super::order::{ContainerId, MachineId, SandboxId};
use super::{Scope, Substrate};

/// Time between two looks of the kernel: `PSI_FREQ`, 2 seconds.
const PERIOD: SimDuration = SimDuration::from_secs(2);
/// One in the kernel's fixed point: `FIXED_1`.
const ONE: u64 = 1 << 11;
/// Decay over one period, for averages of 10, 60 and 300 seconds: `EXP_10s`, `EXP_60s`, `EXP_300s`.
const DECAY: [u64; 3] = [1_677, 1_981, 2_034];
/// Whole of a rate, in millionths.
pub(super) const WHOLE: u64 = 1_000_000;

/// One line of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Averages in the kernel's fixed point, in percent.
    averages: [u64; 3],
    /// Microseconds since the group was made.
    total: u64,
    /// Microseconds at the beginning of the period.
    before: u64,
    /// Share of time in which it stalls now, in millionths.
    rate: u64,
}

impl Line {
    fn add(&mut self, span: SimDuration) {
        let part = u128::from(span.as_micros()) * u128::from(self.rate) / u128::from(WHOLE);
        self.total += u64::try_from(part).unwrap_or(0);
    }

    /// Whether the rate was the same all through a period that ends now.
    fn is_even(&self) -> bool {
        let whole = u128::from(PERIOD.as_micros()) * u128::from(self.rate) / u128::from(WHOLE);
        u128::from(self.total - self.before) == whole
    }

    /// The end of a period. Source: `update_averages`, `calc_load`.
    fn close(&mut self) {
        let period = PERIOD.as_micros();
        let percent = (self.total - self.before).min(period) * 100 / period;
        self.before = self.total;
        let active = percent * ONE;
        for (average, decay) in self.averages.iter_mut().zip(DECAY) {
            let mut load = *average * decay + active * (ONE - decay);
            if active >= *average {
                load += ONE - 1;
            }
            *average = load / ONE;
        }
    }

    /// `avg10=0.00 avg60=0.00 avg300=0.00 total=0`.
    pub fn text(&self) -> String {
        let [ten, sixty, more] = self.averages.map(|average| {
            let rest = (average % ONE) * 100 / ONE;
            format!("{}.{rest:02}", average / ONE)
        });
        format!(
            "avg10={ten} avg60={sixty} avg300={more} total={}",
            self.total
        )
    }

    /// Time waited since the group was made.
    pub const fn total(&self) -> SimDuration {
        SimDuration::from_micros(self.total)
    }

    /// The larger of two, average by average.
    fn largest(&mut self, other: &Self) {
        for (own, other) in self.averages.iter_mut().zip(other.averages) {
            *own = (*own).max(other);
        }
        self.total = self.total.max(other.total);
    }

    /// The smaller of two.
    fn least(&mut self, other: &Self) {
        for (own, other) in self.averages.iter_mut().zip(other.averages) {
            *own = (*own).min(other);
        }
        self.total = self.total.min(other.total);
    }
}

/// The two lines of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pressure {
    /// Somebody waits.
    pub some: Line,
    /// Everybody waits.
    pub full: Line,
}

impl Pressure {
    /// What a group shows of one below it; `first`: of the first one that runs.
    pub fn merge(&mut self, below: &Self, first: bool) {
        self.some.largest(&below.some);
        if first {
            self.full = below.full;
        } else {
            self.full.least(&below.full);
        }
    }
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// A CPU.
    Cpu,
    /// Memory.
    Memory,
    /// A disk.
    Io,
}

/// Waits of one container for one resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stall {
    lines: Pressure,
    /// Up to when it is counted.
    counted: SimTime,
    /// Beginning of the period.
    window: SimTime,
    /// Shares of the time in which some and all wait, in millionths.
    rates: (u64, u64),
    /// When these waits end; none: they do not by themselves.
    until: Option<SimTime>,
    /// Up to when everybody waits for what was asked for one after another.
    queue: SimTime,
}

impl Stall {
    /// None so far, in a group that was made then.
    pub fn new(made: SimTime) -> Self {
        Self {
            counted: made,
            window: made,
            ..Self::default()
        }
    }

    /// From a time on, tasks wait for these shares of the time, in millionths.
    pub fn set(&mut self, (some, full): (u64, u64), from: SimTime, until: Option<SimTime>) {
        self.advance(from);
        self.rates = (some.min(WHOLE), full.min(WHOLE));
        self.until = until;
        self.turn();
    }

    /// Something is asked for that takes so long, after all that was asked for before it.
    pub fn queue(&mut self, span: SimDuration, now: SimTime) {
        self.advance(now);
        self.queue = self.queue.max(now) + span;
        self.turn();
    }

    /// Counts up to a time.
    pub fn advance(&mut self, now: SimTime) {
        while let Some(turn) = self.next_turn().filter(|turn| *turn <= now) {
            self.run(turn);
            self.turn();
        }
        self.run(now);
    }

    /// When the waits change next by themselves.
    fn next_turn(&self) -> Option<SimTime> {
        let queue = Some(self.queue).filter(|queue| *queue > self.counted);
        self.until.into_iter().chain(queue).min()
    }

    /// The rates from what is counted on.
    fn turn(&mut self) {
        if self.until.is_some_and(|until| until <= self.counted) {
            self.rates = (0, 0);
            self.until = None;
        }
        let (some, full) = if self.queue > self.counted {
            (WHOLE, WHOLE)
        } else {
            self.rates
        };
        self.lines.some.rate = some;
        self.lines.full.rate = full;
    }

    fn run(&mut self, now: SimTime) {
        while self.counted < now {
            let end = self.window + PERIOD;
            let to = end.min(now);
            let span = to.since(self.counted);
            self.lines.some.add(span);
            self.lines.full.add(span);
            self.counted = to;
            if to < end {
                return;
            }
            let before = self.lines;
            let even = before.some.is_even() && before.full.is_even();
            self.lines.some.close();
            self.lines.full.close();
            self.window = end;
            let level = even
                && before.some.averages == self.lines.some.averages
                && before.full.averages == self.lines.full.averages;
            if level {
                self.skip(now);
            }
        }
    }

    /// Averages that have become level stay so while the rates do: whole periods are skipped.
    fn skip(&mut self, now: SimTime) {
        let left = now.since(self.counted).as_micros() / PERIOD.as_micros();
        if left == 0 {
            return;
        }
        let span = SimDuration::from_micros(left * PERIOD.as_micros());
        for line in [&mut self.lines.some, &mut self.lines.full] {
            let whole = u128::from(PERIOD.as_micros()) * u128::from(line.rate) / u128::from(WHOLE);
            line.total += u64::try_from(whole).unwrap_or(0) * left;
            line.before = line.total;
        }
        self.counted += span;
        self.window = self.counted;
    }

    /// The lines at a time.
    pub fn read(mut self, now: SimTime) -> Pressure {
        self.advance(now);
        self.lines
    }
}

/// Shares of time in which a container's threads wait for a CPU, in millionths: some of them, and all.
///
/// By a quota, all run until it is used up and then all wait. Without one, those that have no CPU wait,
/// and all do while the others' groups have the CPUs.
pub fn cpu_rates(wants: u64, got: u64, cpus: u64, by_quota: bool) -> (u64, u64) {
    if got >= wants {
        return (0, 0);
    }
    let threads = wants.div_ceil(CPU).max(1);
    let width = threads.min(cpus.max(1)) * CPU;
    let full = if by_quota {
        WHOLE
            - u64::try_from(u128::from(got.min(width)) * u128::from(WHOLE) / u128::from(width))
                .unwrap_or(WHOLE)
    } else {
        WHOLE.saturating_sub(got.min(WHOLE))
    };
    let some = if threads * CPU > width || !by_quota && threads > 1 {
        WHOLE
    } else {
        full
    };
    (some, full)
}

impl Substrate {
    /// From now on, a container waits for a resource in these shares of the time.
    pub(super) fn stall(
        &mut self,
        (machine, container): (MachineId, ContainerId),
        resource: Resource,
        rates: (u64, u64),
        (from, until): (SimTime, Option<SimTime>),
    ) {
        let known = self.machines[machine].stalls.contains_key(&container);
        if rates != (0, 0) || known {
            self.stall_of((machine, container), resource, from)
                .set(rates, from, until);
        }
    }

    fn stall_of(
        &mut self,
        (machine, container): (MachineId, ContainerId),
        resource: Resource,
        now: SimTime,
    ) -> &mut Stall {
        let made = self
            .container(container)
            .and_then(|row| row.running_since())
            .unwrap_or(now);
        let stalls = self.machines[machine]
            .stalls
            .entry(container)
            .or_insert_with(|| [Stall::new(made); 3]);
        &mut stalls[resource as usize]
    }

    /// A container's disk is limited or slow: a write of so many bytes waits.
    pub(super) fn stall_for_io(
        &mut self,
        at: (MachineId, ContainerId),
        bytes: u64,
        scope: &Scope<'_>,
    ) {
        let limit = self.container_limits(at.1).io[1].filter(|rate| *rate > 0);
        let slow = self.slow_disk_rate(at.0);
        let Some(rate) = limit.into_iter().chain(slow).min() else {
            return;
        };
        let micros = u128::from(bytes) * 1_000_000 / u128::from(rate);
        let span = SimDuration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX >> 1));
        self.stall_of(at, Resource::Io, scope.now)
            .queue(span, scope.now);
    }

    /// What a container has slept above `memory.high` is kept: what comes may be other.
    pub(super) fn keep_memory_stall(&mut self, at: (MachineId, ContainerId), scope: &Scope<'_>) {
        if !self.machines[at.0].leaks.contains_key(&at.1) {
            return;
        }
        let since = self.slowed_since(at.1).filter(|since| *since < scope.now);
        let stall = self.stall_of(at, Resource::Memory, scope.now);
        if let Some(since) = since {
            stall.set((WHOLE, WHOLE), since, Some(scope.now));
        }
        // A limit that it is above by what it had taken before holds from now on only.
        stall.advance(scope.now);
    }

    /// The same of all containers of a sandbox, whose limits are theirs, too.
    pub(super) fn keep_memory_stalls(&mut self, sandbox: SandboxId, scope: &Scope<'_>) {
        let Some(machine) = self.sandbox(sandbox).map(|row| row.machine) else {
            return;
        };
        let all: Vec<ContainerId> = self.containers_in(sandbox).map(|(id, _)| id).collect();
        for container in all {
            self.keep_memory_stall((machine, container), scope);
        }
    }

    /// Pressures of a container's group: CPU, memory, input and output.
    pub fn container_pressure(&self, container: ContainerId, now: SimTime) -> [Pressure; 3] {
        let Some(row) = self.container(container) else {
            return Default::default();
        };
        let Some(made) = row.running_since() else {
            return Default::default();
        };
        let machine = self
            .sandbox(row.sandbox)
            .and_then(|row| self.machine(row.machine));
        let mut stalls = machine
            .and_then(|row| row.stalls.get(&container).copied())
            .unwrap_or([Stall::new(made); 3]);
        if let Some(since) = self.slowed_since(container).filter(|since| *since < now) {
            stalls[Resource::Memory as usize].set((WHOLE, WHOLE), since, None);
        }
        stalls.map(|stall| stall.read(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_secs(seconds)
    }

    #[test]
    fn averages_follow_the_kernels_decay() {
        let mut stall = Stall::new(at(0));
        stall.set((WHOLE, WHOLE / 2), at(0), None);
        // After ten seconds of waiting: five periods.
        let lines = stall.read(at(10));
        assert_eq!(
            lines.some.text(),
            "avg10=63.18 avg60=15.32 avg300=3.37 total=10000000"
        );
        assert_eq!(
            lines.full.text(),
            "avg10=31.59 avg60=7.66 avg300=1.68 total=5000000"
        );
        stall.set((0, 0), at(3_600), None);
        assert!(
            stall
                .read(at(3_600))
                .some
                .text()
                .starts_with("avg10=100.00")
        );
        assert!(stall.read(at(3_700)).some.text().starts_with("avg10=0.00"));
        assert!(
            stall
                .read(at(3_700))
                .some
                .text()
                .ends_with("total=3600000000")
        );
    }

    #[test]
    fn limited_writes_queue_beside_other_waits() {
        let mut stall = Stall::new(at(0));
        // A second write waits behind the first.
        stall.queue(SimDuration::from_secs(10), at(0));
        stall.queue(SimDuration::from_secs(10), at(5));
        assert_eq!(stall.read(at(100)).full.total(), SimDuration::from_secs(20));
        // A disk is lost for a minute meanwhile.
        stall.set((WHOLE, WHOLE), at(200), Some(at(260)));
        stall.queue(SimDuration::from_secs(10), at(210));
        let lost = stall;
        assert_eq!(lost.read(at(300)).full.total(), SimDuration::from_secs(80));
        // It comes back: what is limited still waits.
        stall.set((0, 0), at(215), None);
        assert_eq!(stall.read(at(300)).full.total(), SimDuration::from_secs(40));
    }

    #[test]
    fn skipping_level_periods_changes_nothing() {
        let mut whole = Stall::new(at(0));
        whole.set((300_000, 0), at(1), Some(at(5_000)));
        let mut steps = whole;
        for second in 0..6_000 {
            steps.advance(at(second));
        }
        assert_eq!(steps.read(at(6_000)), whole.read(at(6_000)));
    }

    #[test]
    fn a_quota_stops_all_threads_and_a_lack_of_cpus_some() {
        // Four threads with half a CPU between them on four CPUs.
        assert_eq!(cpu_rates(4 * CPU, CPU / 2, 4, true), (875_000, 875_000));
        // Eight threads that get two CPUs.
        assert_eq!(cpu_rates(8 * CPU, 2 * CPU, 4, false), (WHOLE, 0));
        // One thread that gets a third of one.
        assert_eq!(cpu_rates(CPU, CPU / 3, 4, false), (666_667, 666_667));
        assert_eq!(cpu_rates(CPU, CPU, 4, true), (0, 0));
    }
}
