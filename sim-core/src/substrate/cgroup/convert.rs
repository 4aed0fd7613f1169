//! From what is asked for to what the files take: shares to weights, quotas, swap, block IO.

/// Smallest shares that the kernel takes. Source: `kernel/sched/sched.h`.
pub const SHARES_MIN: u64 = 2;
/// Largest shares that the kernel takes.
pub const SHARES_MAX: u64 = 262_144;
/// `cpu.weight` of a new group.
pub const WEIGHT_DEFAULT: u64 = 100;
/// Largest `cpu.weight`.
pub const WEIGHT_MAX: u64 = 10_000;

/// Shares for thousandths of a CPU. Source: `pkg/kubelet/cm/helpers_linux.go`.
pub fn shares_of_milli(milli_cpu: i64) -> u64 {
    let milli = u64::try_from(milli_cpu).unwrap_or(0);
    (milli.saturating_mul(1_024) / 1_000).clamp(SHARES_MIN, SHARES_MAX)
}

/// Quota in microseconds for thousandths of a CPU; none for 0. Source: as above.
pub fn quota_of_milli(milli_cpu: i64, period_us: u64) -> Option<i64> {
    /// Smallest quota that the kernel takes.
    const QUOTA_MIN_US: i64 = 1_000;
    if milli_cpu <= 0 {
        return None;
    }
    let period = i64::try_from(period_us).unwrap_or(i64::MAX);
    Some((milli_cpu.saturating_mul(period) / 1_000).max(QUOTA_MIN_US))
}

/// The kubelet's weight for a group of its own: linear.
/// Source: `pkg/kubelet/cm/cgroup_v2_manager_linux.go`.
pub fn weight_linear(shares: u64) -> u64 {
    let shares = shares.clamp(SHARES_MIN, SHARES_MAX);
    1 + (shares - SHARES_MIN) * 9_999 / 262_142
}

/// The kubelet's way back. Source: as above.
pub fn shares_of_weight(weight: u64) -> u64 {
    weight.clamp(1, WEIGHT_MAX).saturating_sub(1) * 262_142 / 9_999 + SHARES_MIN
}

/// The runtime's weight for a container: the default of shares gives the default weight. 0 for 0:
/// nothing is written. Source: opencontainers/cgroups `utils.go` since v0.0.3.
pub fn weight_of_shares(shares: u64) -> u64 {
    if shares == 0 {
        return 0;
    }
    if shares <= SHARES_MIN {
        return 1;
    }
    if shares >= SHARES_MAX {
        return WEIGHT_MAX;
    }
    // ceil(10^((l² + 125 l)/612 - 7/34)) with l = log2(shares), in fixed point: the weights of the
    // powers of two at which the result is whole must not be lifted by the last bit.
    let log = log2(shares);
    let log = i128::from(log);
    let square = (log * log) >> FRACTION;
    let exponent = (square + 125 * log) / 612 - (7 << FRACTION) / 34;
    let two = (exponent * i128::from(LOG2_OF_10)) >> FRACTION;
    let value = exp2(two);
    let whole = value >> FRACTION;
    let rest = value - (whole << FRACTION);
    let lifted = rest > 1 << (FRACTION - 30);
    u64::try_from(whole + i128::from(lifted))
        .unwrap_or(WEIGHT_MAX)
        .clamp(1, WEIGHT_MAX)
}

/// Bits behind the point.
const FRACTION: u32 = 48;

/// log2(10) in fixed point.
const LOG2_OF_10: u64 = 935_039_633_142_894;

/// ln(2) in fixed point.
const LN_2: i128 = 195_103_586_505_167;

/// log2 of a number from 1 up, in fixed point.
fn log2(value: u64) -> u64 {
    let whole = value.ilog2();
    let mut mantissa = (u128::from(value) << 62) >> whole;
    let mut result = u64::from(whole);
    for _ in 0..FRACTION {
        mantissa = (mantissa * mantissa) >> 62;
        result <<= 1;
        if mantissa >= 1 << 63 {
            mantissa >>= 1;
            result |= 1;
        }
    }
    result
}

/// 2 to a power from 0 to 14, in fixed point.
fn exp2(power: i128) -> i128 {
    let power = power.max(0);
    let whole = power >> FRACTION;
    let rest = ((power - (whole << FRACTION)) * LN_2) >> FRACTION;
    let mut term = 1_i128 << FRACTION;
    let mut sum = term;
    for step in 1..24 {
        term = ((term * rest) >> FRACTION) / step;
        sum += term;
    }
    sum << whole.min(14)
}

/// What the systemd driver makes of a quota: whole percents of a CPU, rounded up.
/// Source: opencontainers/cgroups `systemd/common.go` (`addCPUQuota`).
pub fn systemd_quota(quota_us: i64, period_us: u64) -> i64 {
    if quota_us <= 0 {
        return quota_us;
    }
    let period = i128::from(period_us.max(1));
    // Microseconds of CPU for each second, up to a multiple of 10 ms, and back into the period.
    let mut per_second = i128::from(quota_us) * 1_000_000 / period;
    if per_second % 10_000 != 0 {
        per_second = (per_second / 10_000 + 1) * 10_000;
    }
    i64::try_from(per_second * period / 1_000_000).unwrap_or(i64::MAX)
}

/// A limit of swap alone out of one for memory and swap. None: nothing is written; -1: `max`.
///
/// # Errors
/// The runtime's sentence. Source: opencontainers/cgroups `utils.go`
/// (`ConvertMemorySwapToCgroupV2Value`).
pub fn swap_only(memory_swap: i64, memory: i64) -> Result<Option<i64>, &'static str> {
    if memory == -1 && memory_swap == 0 {
        return Ok(Some(-1));
    }
    if memory_swap == 0 {
        return Ok(None);
    }
    if memory_swap == -1 {
        return Ok(Some(-1));
    }
    if memory == -1 {
        return Ok(Some(memory_swap));
    }
    if memory == 0 {
        return Err("unable to set swap limit without memory limit");
    }
    if memory < 0 {
        return Err("invalid memory value");
    }
    if memory_swap < memory {
        return Err("memory+swap limit should be >= memory limit");
    }
    Ok(Some(memory_swap - memory))
}

/// `io.weight` for a block IO weight from 10 to 1000; 0 for 0: nothing is written.
/// Source: opencontainers/cgroups `utils.go` (`ConvertBlkIOToIOWeightValue`).
pub fn io_weight(blkio_weight: u16) -> u64 {
    if blkio_weight == 0 {
        return 0;
    }
    1 + u64::from(blkio_weight.saturating_sub(10)) * 9_999 / 990
}

/// The nice value that stands for a weight in `cpu.weight.nice`: the nearest one.
/// Source: `kernel/sched/core.c` (`cpu_weight_nice_read_s64`, `sched_prio_to_weight`).
pub fn nice_of_weight(weight: u64) -> i64 {
    const WEIGHTS: [u64; 40] = [
        88_761, 71_755, 56_483, 46_273, 36_291, 29_154, 23_254, 18_705, 14_949, 11_916, 9_548,
        7_620, 6_100, 4_904, 3_906, 3_121, 2_501, 1_991, 1_586, 1_277, 1_024, 820, 655, 526, 423,
        335, 272, 215, 172, 137, 110, 87, 70, 56, 45, 36, 29, 23, 18, 15,
    ];
    let scaled = (weight * 1_024 + 50) / 100;
    let mut best = (u64::MAX, 0);
    for (position, candidate) in (-20_i64..).zip(WEIGHTS) {
        let distance = candidate.abs_diff(scaled);
        if distance >= best.0 {
            break;
        }
        best = (distance, position);
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_follow_both_formulas() {
        let table: [(u64, u64, u64); 16] = [
            (2, 1, 1),
            (10, 1, 4),
            (51, 2, 11),
            (102, 4, 17),
            (204, 8, 29),
            (256, 10, 35),
            (512, 20, 59),
            (1_024, 39, 100),
            (1_536, 59, 138),
            (2_048, 79, 174),
            (4_096, 157, 303),
            (8_192, 313, 532),
            (16_384, 625, 942),
            (32_768, 1_250, 1_681),
            (65_536, 2_500, 3_023),
            (262_144, 10_000, 10_000),
        ];
        for (shares, linear, runtime) in table {
            assert_eq!(weight_linear(shares), linear, "{shares}");
            assert_eq!(weight_of_shares(shares), runtime, "{shares}");
        }
        assert_eq!(weight_of_shares(3), 2);
        assert_eq!(weight_of_shares(307), 40);
        assert_eq!(weight_of_shares(24_576), 1_321);
        assert_eq!(weight_of_shares(262_143), 10_000);
        assert_eq!(weight_of_shares(0), 0);
        assert_eq!((shares_of_weight(39), shares_of_weight(100)), (998, 2_597));
        assert_eq!(nice_of_weight(100), 0);
    }

    #[test]
    fn weights_rise_with_shares() {
        let mut last = 0;
        for shares in (2..=SHARES_MAX).step_by(97) {
            let weight = weight_of_shares(shares);
            assert!(weight >= last, "{shares}");
            last = weight;
        }
    }

    #[test]
    fn quotas_are_cut_and_rounded() {
        assert_eq!(quota_of_milli(5, 100_000), Some(1_000));
        assert_eq!(quota_of_milli(200, 5_000), Some(1_000));
        assert_eq!(quota_of_milli(0, 100_000), None);
        assert_eq!(systemd_quota(12_500, 100_000), 13_000);
        assert_eq!(systemd_quota(123_456, 100_000), 124_000);
        assert_eq!(systemd_quota(500_000, 900_000), 504_000);
        assert_eq!(systemd_quota(500_000, 1_000_000), 500_000);
        assert_eq!(
            (io_weight(0), io_weight(10), io_weight(1_000)),
            (0, 1, 10_000)
        );
    }

    #[test]
    fn swap_is_what_is_left_of_both() {
        assert_eq!(swap_only(0, 0), Ok(None));
        assert_eq!(swap_only(-1, 5), Ok(Some(-1)));
        assert_eq!(swap_only(300, -1), Ok(Some(300)));
        assert_eq!(swap_only(1_000, 1_000), Ok(Some(0)));
        assert_eq!(swap_only(500, 200), Ok(Some(300)));
        for (swap, memory) in [(300, 400), (300, 0), (-2, 0), (300, -300)] {
            assert!(swap_only(swap, memory).is_err(), "{swap} {memory}");
        }
    }
}
