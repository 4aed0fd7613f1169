//! Double-precision numbers, in integers.
//!
//! What their arithmetic gives: upstream's ceilings are taken of products that are a little too large or
//! too small, and people see it. And how they are read: the standard library's way is faster, and brings
//! a table of ten thousand bytes with it, which the page would be larger by.
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

/// Digits that can matter: what is behind them only tells that there is more.
/// Source: IEEE 754, 767 digits lie between two neighbours at most.
const DIGITS_MAX: usize = 780;

/// Bits of a quotient that are worked out; more than a double keeps, so that the rest only breaks ties.
const WORKED_OUT: i64 = 66;

/// A number as Rust and Go write it, `-1.5e-3`, as the nearest double; none: it is no number.
pub fn parse(text: &str) -> Option<f64> {
    let (is_negative, plain) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let bits = match plain.to_ascii_lowercase().as_str() {
        "inf" | "infinity" => f64::INFINITY.to_bits(),
        "nan" => f64::NAN.to_bits(),
        plain => decimal(plain)?,
    };
    Some(f64::from_bits(bits | u64::from(is_negative) << 63))
}

/// The bits of a number without a sign, in small letters.
fn decimal(text: &str) -> Option<u64> {
    let (number, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let signless = exponent.trim_start_matches(['+', '-']);
    let are_digits = |text: &str| text.bytes().all(|letter| letter.is_ascii_digit());
    let is_number = !(whole.is_empty() && fraction.is_empty())
        && [whole, fraction, signless].into_iter().all(are_digits)
        && !signless.is_empty()
        && exponent.len() - signless.len() < 2;
    if !is_number {
        return None;
    }
    // Beyond this nothing but zero and infinity is left, however many digits there are.
    let far = 2_000 + text.len() as i64;
    let named = signless.parse().unwrap_or(far).min(far);
    let named = if exponent.starts_with('-') {
        -named
    } else {
        named
    };
    let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    let leading = digits.iter().take_while(|digit| **digit == b'0').count();
    digits.drain(..leading);
    let mut ten = named - fraction.len() as i64;
    if digits.len() > DIGITS_MAX {
        let more = digits[DIGITS_MAX..].iter().any(|digit| *digit != b'0');
        ten += (digits.len() - DIGITS_MAX) as i64;
        digits.truncate(DIGITS_MAX);
        if more {
            digits[DIGITS_MAX - 1] = digits[DIGITS_MAX - 1].max(b'1');
        }
    }
    let place = digits.len() as i64 + ten;
    if digits.is_empty() || place < -330 {
        return Some(0);
    }
    if place > 310 {
        return Some(f64::INFINITY.to_bits());
    }
    let (mut number, mut divisor) = (Natural(Vec::new()), Natural(vec![1]));
    for digit in digits {
        number.times(10, u32::from(digit - b'0'));
    }
    let scaled = if ten < 0 { &mut divisor } else { &mut number };
    for _ in 0..ten.abs() {
        scaled.times(10, 0);
    }
    Some(quotient(number, divisor))
}

/// The bits of the double that is nearest to a quotient, the even one of two.
fn quotient(mut number: Natural, mut divisor: Natural) -> u64 {
    let shift = WORKED_OUT + divisor.bits() - number.bits();
    let scaled = if shift < 0 { &mut divisor } else { &mut number };
    for _ in 0..shift.abs() {
        scaled.times(2, 0);
    }
    // Bit after bit, as by hand: how often the divisor goes into what is left.
    let mut quotient = 0_u128;
    let mut parts = vec![divisor];
    for bit in 0..WORKED_OUT as usize {
        let mut double = parts[bit].clone();
        double.times(2, 0);
        parts.push(double);
    }
    for part in parts.iter().rev() {
        quotient *= 2;
        if number.take(part) {
            quotient += 1;
        }
    }
    let bits = i64::from(u128::BITS - quotient.leading_zeros());
    // Of the highest bit; below the least exponent there are fewer digits.
    let exponent = bits - 1 - shift;
    let kept = i64::from(DIGITS) + (exponent + 1_022).min(0);
    let dropped = (bits - kept).clamp(1, 127) as u32;
    let rest = quotient & ((1 << dropped) - 1);
    let half = 1 << (dropped - 1);
    let mut mantissa = (quotient >> dropped) as u64;
    let is_more = rest > half || rest == half && !number.0.is_empty();
    if is_more || rest == half && mantissa % 2 == 1 {
        mantissa += 1;
    }
    // The highest digit is not written; one that is carried over makes the exponent larger.
    let written = mantissa + ((exponent.max(-1_022) + 1_022) as u64).wrapping_shl(DIGITS - 1);
    written.min(f64::INFINITY.to_bits())
}

/// A whole number of any size: 32 bits each, the lowest first, without zeros at the end.
#[derive(Clone)]
struct Natural(Vec<u32>);

impl Natural {
    fn bits(&self) -> i64 {
        let last = self.0.last().map_or(0, |last| 32 - last.leading_zeros());
        (self.0.len() as i64 - 1).max(0) * 32 + i64::from(last)
    }

    /// Multiplies and adds.
    fn times(&mut self, factor: u32, more: u32) {
        let mut carried = u64::from(more);
        for part in &mut self.0 {
            carried += u64::from(*part) * u64::from(factor);
            *part = carried as u32;
            carried >>= 32;
        }
        if carried > 0 {
            self.0.push(carried as u32);
        }
    }

    /// Takes another away if it is not larger; whether it did.
    fn take(&mut self, other: &Self) -> bool {
        let by_size = self.0.len().cmp(&other.0.len());
        if by_size.then_with(|| self.0.iter().rev().cmp(other.0.iter().rev())) == Ordering::Less {
            return false;
        }
        let mut borrowed = false;
        for (place, part) in self.0.iter_mut().enumerate() {
            let taken = other.0.get(place).copied().unwrap_or(0);
            let (left, first) = part.overflowing_sub(taken);
            let (left, second) = left.overflowing_sub(u32::from(borrowed));
            *part = left;
            borrowed = first || second;
        }
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        true
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

    #[test]
    fn numbers_are_read_as_the_standard_library_reads_them() {
        let known = [
            "0",
            "-0",
            "1",
            "0.1",
            "1e23",
            "9007199254740993",
            "9007199254740991.5",
            "5e-324",
            "2e-324",
            "2.4703282292062327e-324",
            "2.4703282292062328e-324",
            "2.2250738585072011e-308",
            "2.2250738585072014e-308",
            "1.7976931348623157e308",
            "1.7976931348623159e308",
            "1e400",
            "-1e-400",
            ".5",
            "5.",
            "+3",
            "1E5",
            "1e+5",
            "inf",
            "-Infinity",
            "NaN",
            "",
            ".",
            "e5",
            "1e",
            "1e+-5",
            "--1",
            "1_0",
            "0x10",
            "1e99999999999999999999",
            "0e99999999999999999999",
        ];
        let same = |text: &str| {
            let bits = |number: f64| if number.is_nan() { 1 } else { number.to_bits() };
            assert_eq!(
                parse(text).map(bits),
                text.parse::<f64>().ok().map(bits),
                "{text}"
            );
        };
        known.into_iter().for_each(same);
        same(&format!("0.{}1", "0".repeat(1_000)));
        same(&format!("1{}", "0".repeat(308)));
        same(&format!("9007199254740993{}1", "0".repeat(900)));
        arbtest::arbtest(|u| {
            let (number, digits): (f64, u64) = u.arbitrary()?;
            let (place, exponent) = (u.int_in_range(0..=19)?, u.int_in_range(-345..=330)?);
            same(&format!("{number:e}"));
            same(&format!("{digits}e{exponent}"));
            let text = digits.to_string();
            let (whole, fraction) = text.split_at(text.len().min(place));
            same(&format!("{whole}.{fraction}e{exponent}"));
            // Halfway between two neighbours, and a little beside it.
            if number.is_finite() {
                let exact = format!("{:.1080}", f64::from_bits(number.to_bits() & !(1 << 63)));
                same(&exact);
            }
            Ok(())
        });
    }
}
