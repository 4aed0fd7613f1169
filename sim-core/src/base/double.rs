//! What double-precision arithmetic gives, in integers: upstream's ceilings are taken of products that
//! are a little too large or too small, and people see it.
//!
//! ```text
//! 100 × (1 + 10/100) = 110.00000000000001, whose ceiling is 111
//! ```

use std::cmp::Ordering;

/// A number that is not negative, as a double keeps it: `mantissa / 2^shift`.
#[derive(Clone, Copy, Debug)]
pub struct Double {
    mantissa: u128,
    shift: u32,
}

/// Binary digits that a double keeps.
const DIGITS: u32 = 53;

impl Double {
    /// A quotient; the divisor counts as one at least.
    pub fn ratio(number: u64, divisor: u64) -> Self {
        let divisor = u128::from(divisor.max(1));
        let shift = u128::from(number).leading_zeros().min(127);
        let wide = u128::from(number) << shift;
        // What is left over is more than nothing: it decides between two equally near ones.
        let rest = u128::from(wide % divisor != 0);
        Self::nearest((wide / divisor) | rest, shift)
    }

    /// The nearest that a double keeps, the even one of two.
    fn nearest(number: u128, shift: u32) -> Self {
        let digits = u128::BITS - number.leading_zeros();
        let dropped = digits.saturating_sub(DIGITS).min(shift);
        let mut mantissa = number >> dropped;
        if dropped > 0 {
            let rest = number & ((1 << dropped) - 1);
            let half = 1 << (dropped - 1);
            mantissa += u128::from(rest > half || (rest == half && mantissa % 2 == 1));
        }
        Self {
            mantissa,
            shift: shift - dropped,
        }
    }

    /// One more.
    pub fn plus_one(self) -> Self {
        Self::nearest(self.mantissa + (1 << self.shift), self.shift)
    }

    /// What is left to one; nothing above it.
    pub fn from_one(self) -> Self {
        let left = (1_u128 << self.shift).saturating_sub(self.mantissa);
        Self::nearest(left, self.shift)
    }

    /// So many times it.
    pub fn times(self, count: u64) -> Self {
        Self::nearest(self.mantissa * u128::from(count), self.shift)
    }

    /// Mantissa and how far it is to be shifted, without zeros behind it.
    const fn reduced(self) -> (u128, u32) {
        let zeros = self.mantissa.trailing_zeros();
        let zeros = if zeros < self.shift {
            zeros
        } else {
            self.shift
        };
        (self.mantissa >> zeros, self.shift - zeros)
    }

    /// The whole number below or at it.
    pub fn floor(self) -> i64 {
        i64::try_from(self.mantissa >> self.shift).unwrap_or(i64::MAX)
    }

    /// The whole number above or at it.
    pub fn ceiling(self) -> i64 {
        let rest = self.mantissa & ((1 << self.shift) - 1);
        self.floor().saturating_add(i64::from(rest > 0))
    }
}

impl PartialEq for Double {
    fn eq(&self, other: &Self) -> bool {
        self.reduced() == other.reduced()
    }
}

impl PartialOrd for Double {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let ((one, fine), (two, coarse)) = (self.reduced(), other.reduced());
        let whole = (one >> fine).cmp(&(two >> coarse));
        let rest = |mantissa: u128, shift: u32| {
            // What is left of the whole number, as a share of 2^127.
            (mantissa & ((1 << shift) - 1)) << (127 - shift)
        };
        Some(whole.then_with(|| rest(one, fine).cmp(&rest(two, coarse))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_a_little_off_where_doubles_are() {
        let up = |base, percent| Double::ratio(percent, 100).plus_one().times(base).ceiling();
        assert_eq!(up(100, 10), 111);
        assert_eq!(up(10, 10), 11);
        assert_eq!(up(100, 100), 200);
        let down = |base, percent| Double::ratio(percent, 100).from_one().times(base).floor();
        assert_eq!(down(10, 90), 0);
        assert_eq!(down(100, 10), 90);
        assert_eq!(down(7, 100), 0);
        assert_eq!(Double::ratio(110, 100).times(100).ceiling(), 111);
        assert_eq!(Double::ratio(50, 30).times(3).ceiling(), 5);
        assert_eq!(Double::ratio(0, 5).times(3).ceiling(), 0);
        // 1 - 0.18 is a little more than 0.82, 1 - 0.1 is 0.9.
        let left = |percent| Double::ratio(percent, 100).from_one();
        assert!(left(18) > Double::ratio(82, 100));
        assert!(left(10) <= Double::ratio(9, 10) && Double::ratio(9, 10) <= left(10));
        assert!(Double::ratio(0, 1) < Double::ratio(1, 3));
        assert!(Double::ratio(7, 2) > Double::ratio(13, 4));
        assert_eq!(Double::ratio(u64::MAX, 1).floor(), i64::MAX);
    }
}
