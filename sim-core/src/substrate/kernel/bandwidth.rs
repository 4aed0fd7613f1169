//! CFS bandwidth control of one group: a pool that a timer fills, and what each CPU took from it.
//!
//! ```text
//! timer ──quota──▶ pool ──slices──▶ CPU 0: what it may still run
//!                   ▲   ──slices──▶ CPU 1: nothing left, nothing to take: throttled until the timer
//!                   └───slack────── a CPU whose tasks have gone to sleep
//! ```
//!
//! Times are nanoseconds. Sources: Linux `kernel/sched/fair.c`
//! (`__assign_cfs_rq_runtime`, `throttle_cfs_rq`, `distribute_cfs_runtime`,
//! `do_sched_cfs_period_timer`, `return_cfs_rq_runtime`),
//! `Documentation/scheduler/sched-bwc.rst`. Knows no tasks.

use std::collections::VecDeque;

/// What a CPU takes from the pool at once: `sched_cfs_bandwidth_slice_us`.
pub const SLICE_NS: i64 = 5_000_000;

/// What a CPU keeps of its slice when its last task sleeps: `min_cfs_rq_runtime`.
pub const KEPT_NS: i64 = 1_000_000;

/// Slack that comes back is handed to throttled CPUs after this long, `cfs_bandwidth_slack_period`.
pub const SLACK_NS: u64 = 5_000_000;

/// Not in the last stretch before the timer: `min_bandwidth_expiration`.
const EXPIRATION_NS: u64 = 2_000_000;

/// A limit on a group's CPU time, all in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    /// CPU time in each period.
    pub quota_ns: i64,
    /// Wall time between refills.
    pub period_ns: u64,
    /// Unused quota that may be kept for later, at most.
    pub burst_ns: i64,
}

/// What `cpu.stat` counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counters {
    /// Periods that ended while the timer ran.
    pub periods: u64,
    /// Of these, those at whose end a CPU was throttled.
    pub throttled: u64,
    /// Time that CPUs were throttled, summed over them.
    pub throttled_ns: u64,
    /// Periods that used what earlier ones had left.
    pub bursts: u64,
    /// CPU time used beyond the quota.
    pub burst_ns: u64,
}

/// The state of one group's limit.
#[derive(Clone, Debug)]
pub struct Bandwidth {
    limit: Limit,
    /// What is left of the period's quota.
    pool: i64,
    /// The pool after the last refill, to see what was used beyond the quota.
    pool_after_refill: i64,
    /// Nothing was taken since the timer last ran.
    idle: bool,
    /// The timer expires at multiples of the period from here.
    phase_ns: u64,
    timer: Option<u64>,
    slack: Option<u64>,
    /// What each CPU may still run; negative after an overrun, which the next refill repays.
    local: Vec<i64>,
    throttled_since: Vec<Option<u64>>,
    throttled: VecDeque<usize>,
    counters: Counters,
}

impl Bandwidth {
    /// A group with a full pool on a machine of so many CPUs. Its timer, whenever it runs, expires
    /// at `phase_ns` plus whole periods: a real one draws the phase when the group is made and
    /// keeps it.
    pub fn new(limit: Limit, cpus: usize, phase_ns: u64) -> Self {
        assert!(limit.period_ns > 0, "a bandwidth period is not zero");
        Self {
            limit,
            pool: limit.quota_ns,
            pool_after_refill: limit.quota_ns,
            idle: false,
            phase_ns: phase_ns % limit.period_ns,
            timer: None,
            slack: None,
            local: vec![0; cpus],
            throttled_since: vec![None; cpus],
            throttled: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// What `cpu.stat` shows at `now`.
    pub fn counters(&self, now: u64) -> Counters {
        let open: u64 = self
            .throttled_since
            .iter()
            .flatten()
            .map(|since| now.saturating_sub(*since))
            .sum();
        Counters {
            throttled_ns: self.counters.throttled_ns + open,
            ..self.counters
        }
    }

    /// Whether this CPU may not run the group.
    pub fn is_throttled(&self, cpu: usize) -> bool {
        self.throttled_since[cpu].is_some()
    }

    /// What this CPU may run before it has to ask again, at least 0.
    pub fn local_ns(&self, cpu: usize) -> u64 {
        u64::try_from(self.local[cpu]).unwrap_or(0)
    }

    /// When a timer of the group is due.
    pub fn next_timer(&self) -> Option<u64> {
        match (self.timer, self.slack) {
            (Some(timer), Some(slack)) => Some(timer.min(slack)),
            (timer, slack) => timer.or(slack),
        }
    }

    /// Accounts for what this CPU ran, and takes a new slice if it has used up the last. False if
    /// there is none: the CPU is throttled now.
    pub fn charge(&mut self, cpu: usize, ran_ns: u64, now: u64) -> bool {
        self.local[cpu] -= i64::try_from(ran_ns).unwrap_or(i64::MAX);
        if self.local[cpu] > 0 || self.take(cpu, SLICE_NS, now) {
            return true;
        }
        // The last look before a CPU is throttled asks for the smallest amount.
        if self.take(cpu, 1, now) {
            return true;
        }
        self.throttled_since[cpu] = Some(now);
        self.throttled.push_back(cpu);
        false
    }

    /// Accounts for what this CPU ran at a moment at which nobody looks at the quota: an overrun
    /// shows when it is charged next.
    pub fn owe(&mut self, cpu: usize, ran_ns: u64) {
        self.local[cpu] -= i64::try_from(ran_ns).unwrap_or(i64::MAX);
    }

    /// Brings this CPU's need up to `target`; whether it may run then.
    fn take(&mut self, cpu: usize, target: i64, now: u64) -> bool {
        self.start_timer(now);
        let amount = self.pool.min(target - self.local[cpu]);
        if amount > 0 {
            self.pool -= amount;
            self.idle = false;
            self.local[cpu] += amount;
        }
        self.local[cpu] > 0
    }

    fn start_timer(&mut self, now: u64) {
        if self.timer.is_none() {
            self.timer = Some(self.expiry_after(now));
        }
    }

    fn expiry_after(&self, now: u64) -> u64 {
        let period = self.limit.period_ns;
        if now < self.phase_ns {
            return self.phase_ns;
        }
        self.phase_ns + ((now - self.phase_ns) / period + 1) * period
    }

    /// This CPU's last task of the group sleeps: most of the slice goes back.
    pub fn give_back(&mut self, cpu: usize, now: u64) {
        let slack = self.local[cpu] - KEPT_NS;
        if slack <= 0 {
            return;
        }
        self.pool += slack;
        self.local[cpu] -= slack;
        let refresh = self.timer.unwrap_or(u64::MAX);
        if self.pool > SLICE_NS
            && !self.throttled.is_empty()
            && self.slack.is_none()
            && refresh.saturating_sub(now) > SLACK_NS + EXPIRATION_NS
        {
            self.slack = Some(now + SLACK_NS);
        }
    }

    /// Runs the timers that are due; returns the CPUs that may run again, in the order in which
    /// they were throttled.
    pub fn run_timers(&mut self, now: u64) -> Vec<usize> {
        let mut released = Vec::new();
        if self.slack.is_some_and(|due| due <= now) {
            self.slack = None;
            let near = self
                .timer
                .is_some_and(|due| due.saturating_sub(now) < EXPIRATION_NS);
            if !near && self.pool > SLICE_NS {
                self.distribute(now, &mut released);
            }
        }
        while self.timer.is_some_and(|due| due <= now) {
            let due = self.timer.unwrap_or(now);
            self.timer = Some(due + self.limit.period_ns);
            self.period_ends(due, &mut released);
        }
        released
    }

    fn period_ends(&mut self, now: u64, released: &mut Vec<usize>) {
        let throttled = !self.throttled.is_empty();
        self.counters.periods += 1;
        self.refill();
        if throttled {
            self.counters.throttled += 1;
            while !self.throttled.is_empty() && self.pool > 0 {
                if !self.distribute(now, released) {
                    break;
                }
            }
            self.idle = false;
        } else if self.idle {
            self.timer = None;
        } else {
            self.idle = true;
        }
    }

    fn refill(&mut self) {
        self.pool += self.limit.quota_ns;
        let beyond = self.pool_after_refill - self.pool;
        if beyond > 0 {
            self.counters.bursts += 1;
            self.counters.burst_ns += beyond.unsigned_abs();
        }
        self.pool = self.pool.min(self.limit.quota_ns + self.limit.burst_ns);
        self.pool_after_refill = self.pool;
    }

    /// Gives each throttled CPU just enough to run; false if the pool could not help any.
    fn distribute(&mut self, now: u64, released: &mut Vec<usize>) -> bool {
        let mut helped = false;
        for cpu in std::mem::take(&mut self.throttled) {
            let amount = (1 - self.local[cpu]).min(self.pool).max(0);
            self.pool -= amount;
            self.local[cpu] += amount;
            if self.local[cpu] > 0 {
                helped = true;
                let since = self.throttled_since[cpu].take().unwrap_or(now);
                self.counters.throttled_ns += now.saturating_sub(since);
                released.push(cpu);
            } else {
                self.throttled.push_back(cpu);
            }
        }
        helped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn limit(quota_ms: i64) -> Limit {
        Limit {
            quota_ns: quota_ms * 1_000_000,
            period_ns: 100 * MS,
            burst_ns: 0,
        }
    }

    #[test]
    fn a_pool_is_taken_in_slices_and_then_throttles() {
        let mut group = Bandwidth::new(limit(10), 2, 0);
        assert!(group.charge(0, 0, MS));
        assert_eq!(group.local_ns(0), 5 * MS);
        assert!(group.charge(0, 5 * MS, 6 * MS));
        assert!(!group.charge(1, 0, 6 * MS), "the pool is empty");
        assert!(!group.charge(0, 7 * MS, 13 * MS));
        assert_eq!(group.next_timer(), Some(100 * MS));
        assert_eq!(group.run_timers(100 * MS), [1, 0]);
        let counters = group.counters(100 * MS);
        assert_eq!((counters.periods, counters.throttled), (1, 1));
        assert_eq!(counters.throttled_ns, (94 + 87) * MS);
        // The overrun of 2 ms came out of the new quota, the two grants are a nanosecond each.
        assert_eq!(group.pool, 8_000_000 - 2);
    }

    #[test]
    fn the_timer_stops_after_an_idle_period_and_keeps_its_phase() {
        let mut group = Bandwidth::new(limit(20), 1, 30 * MS);
        assert!(group.charge(0, 0, 5 * MS));
        group.give_back(0, 6 * MS);
        assert_eq!(group.pool, 19_000_000);
        assert_eq!(group.next_timer(), Some(30 * MS));
        group.run_timers(30 * MS);
        group.run_timers(130 * MS);
        assert_eq!(group.next_timer(), None);
        assert!(group.charge(0, 2 * MS, 555 * MS));
        assert_eq!(group.next_timer(), Some(630 * MS));
    }

    #[test]
    fn unused_quota_is_kept_up_to_the_burst() {
        let mut group = Bandwidth::new(
            Limit {
                burst_ns: 5_000_000,
                ..limit(10)
            },
            1,
            0,
        );
        assert!(group.charge(0, 0, MS));
        group.run_timers(100 * MS);
        assert_eq!(group.pool, 15_000_000);
        assert!(group.charge(0, 18 * MS, 130 * MS));
        group.run_timers(200 * MS);
        let counters = group.counters(200 * MS);
        assert_eq!((counters.bursts, counters.throttled), (1, 0));
    }
}
