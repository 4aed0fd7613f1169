//! Exact fractions: probabilities, percentages, thresholds.

use std::fmt;

/// `numerator / denominator`. Probabilities are at most one; factors may be larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ratio {
    /// Above the line.
    pub numerator: u32,
    /// Below the line; never zero.
    pub denominator: u32,
}

impl Ratio {
    /// Never; nothing.
    pub const ZERO: Self = Self {
        numerator: 0,
        denominator: 1,
    };
    /// Always; all.
    pub const ONE: Self = Self {
        numerator: 1,
        denominator: 1,
    };

    /// `numerator / denominator`. Panics when `denominator` is zero.
    pub const fn new(numerator: u32, denominator: u32) -> Self {
        assert!(denominator != 0, "a ratio's denominator is zero");
        Self {
            numerator,
            denominator,
        }
    }

    /// So many hundredths.
    pub const fn percent(percent: u32) -> Self {
        Self::new(percent, 100)
    }

    /// Whether this is zero.
    pub const fn is_zero(self) -> bool {
        self.numerator == 0
    }

    /// `value * self`, rounded down, stopping at the largest number.
    pub const fn of(self, value: u64) -> u64 {
        clamp(value as u128 * self.numerator as u128 / self.denominator as u128)
    }

    /// `value * self`, rounded up, stopping at the largest number.
    pub const fn of_rounded_up(self, value: u64) -> u64 {
        let product = value as u128 * self.numerator as u128;
        clamp(product.div_ceil(self.denominator as u128))
    }
}

impl fmt::Display for Ratio {
    /// `1/3`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.numerator, self.denominator)
    }
}

const fn clamp(value: u128) -> u64 {
    if value > u64::MAX as u128 {
        u64::MAX
    } else {
        value as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_round_as_asked_without_overflow() {
        assert_eq!(Ratio::percent(25).of(10), 2);
        assert_eq!(Ratio::percent(25).of_rounded_up(10), 3);
        assert_eq!(Ratio::ONE.of(u64::MAX), u64::MAX);
        assert_eq!(Ratio::new(3, 2).of(u64::MAX), u64::MAX);
        assert_eq!(Ratio::ZERO.of_rounded_up(u64::MAX), 0);
    }
}
