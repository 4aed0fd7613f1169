//! Distributions of counted things, in integers.

use crate::base::ratio::Ratio;

/// Buckets per power of two: a quantile is off by at most an eighth.
const PARTS: u64 = 8;
const PARTS_LOG2: u32 = 3;

/// Counts of values in buckets that grow with the value; values below 16 are exact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Grown on demand, at most 496 long.
    counts: Vec<u64>,
    count: u64,
    sum: u128,
    min: u64,
    max: u64,
}

impl Histogram {
    /// A histogram without values.
    pub const fn new() -> Self {
        Self {
            counts: Vec::new(),
            count: 0,
            sum: 0,
            min: 0,
            max: 0,
        }
    }

    /// Counts one value.
    pub fn record(&mut self, value: u64) {
        let bucket = bucket_of(value);
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.min = if self.count == 0 {
            value
        } else {
            self.min.min(value)
        };
        self.max = self.max.max(value);
        self.count += 1;
        self.sum += u128::from(value);
    }

    /// Adds all values of `other`.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if other.counts.len() > self.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (count, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *count += theirs;
        }
        self.min = if self.count == 0 {
            other.min
        } else {
            self.min.min(other.min)
        };
        self.max = self.max.max(other.max);
        self.count += other.count;
        self.sum += other.sum;
    }

    /// Number of values.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Sum of all values.
    pub const fn sum(&self) -> u128 {
        self.sum
    }

    /// The smallest value, exactly.
    pub fn min(&self) -> Option<u64> {
        (self.count > 0).then_some(self.min)
    }

    /// The largest value, exactly.
    pub fn max(&self) -> Option<u64> {
        (self.count > 0).then_some(self.max)
    }

    /// The mean, rounded down.
    pub fn mean(&self) -> Option<u64> {
        let mean = self.sum.checked_div(u128::from(self.count))?;
        Some(u64::try_from(mean).expect("a mean is at most the largest value"))
    }

    /// A value that at least `share` of all values do not exceed: the upper end of the bucket the
    /// quantile falls into, at most the largest value. `None` without values.
    pub fn quantile(&self, share: Ratio) -> Option<u64> {
        if self.count == 0 {
            return None;
        }
        let rank = share.of_rounded_up(self.count).clamp(1, self.count);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Some(upper_end(bucket).clamp(self.min, self.max));
            }
        }
        Some(self.max)
    }

    /// Buckets that hold values: the smallest and largest value that falls in, and the count.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64, u64)> {
        self.counts
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
            .map(|(bucket, count)| (lower_end(bucket), upper_end(bucket), *count))
    }
}

fn bucket_of(value: u64) -> usize {
    if value < PARTS {
        return value as usize;
    }
    let shift = value.ilog2() - PARTS_LOG2;
    (u64::from(shift) * PARTS + (value >> shift)) as usize
}

fn lower_end(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < PARTS {
        return bucket;
    }
    let shift = bucket / PARTS - 1;
    (bucket - shift * PARTS) << shift
}

fn upper_end(bucket: usize) -> u64 {
    let shift = (bucket as u64 / PARTS).saturating_sub(1);
    lower_end(bucket) + ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_cover_every_value_once() {
        assert_eq!(upper_end(bucket_of(u64::MAX)), u64::MAX);
        assert_eq!(bucket_of(u64::MAX), 495);
        for bucket in 0..495 {
            assert_eq!(upper_end(bucket) + 1, lower_end(bucket + 1));
        }
        for bucket in 0..496 {
            assert_eq!(bucket_of(lower_end(bucket)), bucket);
            assert_eq!(bucket_of(upper_end(bucket)), bucket);
        }
    }

    #[test]
    fn quantiles_are_at_most_an_eighth_too_large() {
        arbtest::arbtest(|u| {
            let mut values: Vec<u64> = u.arbitrary()?;
            let mut histogram = Histogram::new();
            let mut halves = [Histogram::new(), Histogram::new()];
            for (position, value) in values.iter().enumerate() {
                histogram.record(*value);
                halves[position % 2].record(*value);
            }
            let [mut merged, second] = halves;
            merged.merge(&second);
            assert_eq!(merged, histogram);
            values.sort_unstable();
            assert_eq!(histogram.min(), values.first().copied());
            assert_eq!(histogram.max(), values.last().copied());
            for percent in [0, 1, 50, 90, 100] {
                let rank = (values.len() * percent as usize).div_ceil(100).max(1);
                let exact = values.get(rank - 1).copied();
                let found = histogram.quantile(Ratio::percent(percent));
                assert_eq!(found.is_some(), exact.is_some());
                if let (Some(found), Some(exact)) = (found, exact) {
                    assert!(found >= exact, "{found} {exact}");
                    assert!(found - exact <= exact / 8, "{found} {exact}");
                }
            }
            Ok(())
        });
    }
}
