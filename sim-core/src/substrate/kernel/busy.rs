//! What one second does to a group whose threads never sleep and whose quota holds them back.
//!
//! The microscope runs a group of that shape for a while; equal shapes are asked for often, so the
//! formula is what counts at large, and the microscope is what it is held against.

/// What a second adds to a group's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Second {
    /// Periods.
    pub periods: u64,
    /// Of these throttled.
    pub throttled: u64,
    /// Time that CPUs were held back, in nanoseconds, summed over them.
    pub throttled_ns: u64,
}

/// Counters of a second: `threads` on so many CPUs, a quota in each period, in microseconds.
///
/// Each period is one refill. Slices of 5 ms are taken in turn, so only as many CPUs run as there
/// are slices in the quota; each is held back for what is left of the period.
pub fn second(quota_us: u64, period_us: u64, threads: u64, cpus: u64) -> Second {
    /// A slice, in microseconds.
    const SLICE_US: u64 = 5_000;
    let period = period_us.max(1);
    let parallel = threads.min(cpus).max(1);
    let running = parallel.min(quota_us.div_ceil(SLICE_US).max(1));
    let periods = 1_000_000 / period;
    if quota_us == 0 || quota_us >= parallel * period {
        return Second {
            periods,
            ..Second::default()
        };
    }
    let runs = quota_us / running;
    let held = running * (period - runs.min(period)) + (parallel - running) * period;
    Second {
        periods,
        throttled: periods,
        throttled_ns: held * periods * 1_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::substrate::kernel::bandwidth::Limit;
    use crate::substrate::kernel::cpus::{Cpus, Work};

    #[test]
    fn a_second_is_what_the_microscope_sees() {
        for (quota_us, period_us, threads) in [
            (10_000, 100_000, 1),
            (50_000, 100_000, 1),
            (10_000, 50_000, 1),
        ] {
            let mut cpus = Cpus::new(2);
            let limit = Limit {
                quota_ns: quota_us as i64 * 1_000,
                period_ns: period_us * 1_000,
                burst_ns: 0,
            };
            let group = cpus.add_group(1_024, Some((limit, 0)));
            for thread in 0..threads {
                cpus.start(group, thread, Work::Until(u64::MAX / 2));
            }
            cpus.run(3_000_000_000);
            let seen = cpus.counters(group);
            let told = second(quota_us, period_us, threads as u64, 2);
            assert!(
                seen.throttled.abs_diff(told.throttled * 3) <= 1,
                "{seen:?} {told:?}"
            );
            let near = told.throttled_ns * 3 / 20;
            assert!(
                seen.throttled_ns.abs_diff(told.throttled_ns * 3) <= near,
                "{seen:?} {told:?}"
            );
        }
    }
}
