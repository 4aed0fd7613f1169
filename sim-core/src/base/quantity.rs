//! Kubernetes quantities, exactly: `500m`, `1Gi`, `1.5`, `1e3`.
//!
//! A quantity is a whole number of billionths, the notation it was written in and, where upstream
//! keeps it, its text. Source of every rule: `pkg/api/resource/quantity.go` and `suffix.go` of
//! apimachinery 1.36.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::base::sentence::{Sentence, catalogue};

const NANO_PER_UNIT: i128 = 1_000_000_000;
const NANO_PER_MILLI: i128 = 1_000_000;

/// The family of suffixes a quantity is written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// `12M`, `500m`, `3`.
    DecimalSi,
    /// `12Mi`.
    BinarySi,
    /// `12e6`.
    DecimalExponent,
}

/// An exact amount. Equality and order look at the amount only.
#[derive(Clone, Debug)]
pub struct Quantity {
    nano: i128,
    format: Format,
    /// The text as it was read, where upstream takes it for canonical already.
    kept: Option<Arc<str>>,
}

/// Why a text is not a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QuantityError {
    /// Not a number followed by a suffix.
    Format,
    /// The number before the suffix is none.
    Numeric,
    /// The suffix is none.
    Suffix,
    /// Beyond 10^29, which upstream reads and this does not.
    Range,
}

impl Quantity {
    /// Zero.
    pub const ZERO: Self = Self {
        nano: 0,
        format: Format::DecimalSi,
        kept: None,
    };

    /// Reads a quantity. Blanks are errors, as upstream's parser has it; its JSON decoder trims.
    ///
    /// # Errors
    /// Upstream's three, and [`QuantityError::Range`].
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        let parts = Parts::split(text)?;
        let (suffix, format) = Suffix::parse(parts.suffix)?;
        let read = match suffix {
            Suffix::Decimal(exponent) => parts.read_decimal(exponent, format),
            Suffix::Binary(exponent) => parts.read_binary(exponent),
        }?;
        let kept = read.is_kept.then(|| Arc::from(text));
        Ok(Self {
            nano: read.nano,
            format: read.format,
            kept,
        })
    }

    /// So many units.
    pub const fn from_units(units: i64, format: Format) -> Self {
        Self {
            nano: units as i128 * NANO_PER_UNIT,
            format,
            kept: None,
        }
    }

    /// So many thousandths, in decimal notation.
    pub const fn from_milli(milli: i64) -> Self {
        Self {
            nano: milli as i128 * NANO_PER_MILLI,
            format: Format::DecimalSi,
            kept: None,
        }
    }

    /// Whole units, rounded away from zero and clamped to the number range.
    pub fn value(&self) -> i64 {
        clamp(divide_rounding_away(self.nano, NANO_PER_UNIT))
    }

    /// Thousandths, rounded away from zero and clamped to the number range.
    pub fn milli_value(&self) -> i64 {
        clamp(divide_rounding_away(self.nano, NANO_PER_MILLI))
    }

    /// Billionths, exactly.
    pub const fn nano_value(&self) -> i128 {
        self.nano
    }

    /// The notation.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Whether it is zero.
    pub const fn is_zero(&self) -> bool {
        self.nano == 0
    }

    /// Whether it is below zero.
    pub const fn is_negative(&self) -> bool {
        self.nano < 0
    }

    /// Whether it is a whole number of units.
    pub const fn is_whole(&self) -> bool {
        self.nano % NANO_PER_UNIT == 0
    }

    /// Rounded away from zero to whole thousandths, as API defaulting does with resource lists.
    pub fn rounded_to_milli(self) -> Self {
        if self.nano % NANO_PER_MILLI == 0 {
            return self;
        }
        let nano = divide_rounding_away(self.nano, NANO_PER_MILLI) * NANO_PER_MILLI;
        Self {
            nano,
            format: self.format,
            kept: None,
        }
    }

    /// Adds `other`; the notation of the first that is not zero wins.
    pub fn add(&mut self, other: &Self) {
        self.set(self.nano.saturating_add(other.nano), other.format);
    }

    /// Takes `other` away; the notation of the first that is not zero wins.
    pub fn sub(&mut self, other: &Self) {
        self.set(self.nano.saturating_sub(other.nano), other.format);
    }

    /// Multiplies by a whole number.
    pub fn mul(&mut self, factor: i64) {
        self.set(self.nano.saturating_mul(i128::from(factor)), self.format);
    }

    /// The text in canonical form, whatever text was read.
    pub fn canonical(&self) -> String {
        if self.nano == 0 {
            return "0".to_owned();
        }
        let is_binary = self.format == Format::BinarySi
            && self.is_whole()
            && (self.nano / NANO_PER_UNIT).unsigned_abs() >= 1024;
        if is_binary {
            self.binary_text()
        } else {
            self.decimal_text()
        }
    }

    fn set(&mut self, nano: i128, format_if_zero: Format) {
        if self.nano == 0 {
            self.format = format_if_zero;
        }
        self.nano = nano;
        self.kept = None;
    }

    fn binary_text(&self) -> String {
        let mut mantissa = self.nano / NANO_PER_UNIT;
        let mut power = 0;
        while power < BINARY_SUFFIXES.len() && mantissa % 1024 == 0 {
            mantissa /= 1024;
            power += 1;
        }
        let suffix = if power == 0 {
            ""
        } else {
            BINARY_SUFFIXES[power - 1]
        };
        format!("{mantissa}{suffix}")
    }

    fn decimal_text(&self) -> String {
        let mut mantissa = self.nano;
        let mut exponent = -9;
        while mantissa % 1_000 == 0 {
            mantissa /= 1_000;
            exponent += 3;
        }
        let suffix = DECIMAL_SUFFIXES
            .iter()
            .find(|(_, power)| *power == exponent);
        match (self.format, suffix) {
            (Format::DecimalSi | Format::BinarySi, Some((suffix, _))) => {
                format!("{mantissa}{suffix}")
            }
            _ if exponent == 0 => mantissa.to_string(),
            _ => format!("{mantissa}e{exponent}"),
        }
    }
}

impl fmt::Display for Quantity {
    /// The text as it is stored and shown.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kept {
            Some(text) => formatter.write_str(text),
            None => formatter.write_str(&self.canonical()),
        }
    }
}

impl fmt::Display for QuantityError {
    /// Upstream's text.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Format => {
                "quantities must match the regular expression \
                 '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
            }
            Self::Numeric => "unable to parse numeric part of quantity",
            Self::Suffix => "unable to parse quantity's suffix",
            Self::Range => return Sentence::from(*self).fmt(formatter),
        })
    }
}

impl From<QuantityError> for Sentence {
    fn from(error: QuantityError) -> Self {
        match error {
            QuantityError::Range => catalogue::QUANTITIES.with(&[("most", &"10^29")]),
            QuantityError::Format | QuantityError::Numeric | QuantityError::Suffix => {
                Self::quoted(error)
            }
        }
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nano == other.nano
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nano.cmp(&other.nano)
    }
}

impl Hash for Quantity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.nano.hash(state);
    }
}

impl Default for Quantity {
    fn default() -> Self {
        Self::ZERO
    }
}

const DECIMAL_SUFFIXES: [(&str, i64); 10] = [
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];

/// 1024 to the power of the position plus one.
const BINARY_SUFFIXES: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

#[derive(Clone, Copy)]
enum Suffix {
    /// A power of ten.
    Decimal(i64),
    /// A power of two.
    Binary(u32),
}

impl Suffix {
    fn parse(text: &str) -> Result<(Self, Format), QuantityError> {
        if let Some((_, exponent)) = DECIMAL_SUFFIXES.iter().find(|(name, _)| *name == text) {
            return Ok((Self::Decimal(*exponent), Format::DecimalSi));
        }
        if let Some(power) = BINARY_SUFFIXES.iter().position(|name| *name == text) {
            return Ok((Self::Binary(10 * (power as u32 + 1)), Format::BinarySi));
        }
        let exponent = text
            .strip_prefix(['e', 'E'])
            .and_then(|digits| digits.parse().ok());
        let exponent = exponent.ok_or(QuantityError::Suffix)?;
        Ok((Self::Decimal(exponent), Format::DecimalExponent))
    }
}

/// A quantity's text taken apart.
struct Parts<'a> {
    is_negative: bool,
    /// Digits before the point without leading zeros; "0" when there are none.
    whole: &'a str,
    /// Digits after the point.
    fraction: &'a str,
    suffix: &'a str,
    /// Whether the number has any digit.
    has_digit: bool,
}

struct Read {
    nano: i128,
    format: Format,
    is_kept: bool,
}

/// Digits up to which upstream reads decimal numbers without big integers.
const SHORT_DIGITS: usize = 18;

impl<'a> Parts<'a> {
    fn split(text: &'a str) -> Result<Self, QuantityError> {
        if text.is_empty() {
            return Err(QuantityError::Format);
        }
        let is_negative = text.starts_with('-');
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (digits, rest) = split_digits(unsigned);
        let (fraction, suffix) = match rest.strip_prefix('.') {
            Some(rest) => split_digits(rest),
            None => ("", rest),
        };
        let after_letters = suffix.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
        let exponent = after_letters
            .strip_prefix(['+', '-'])
            .unwrap_or(after_letters);
        if !split_digits(exponent).1.is_empty() {
            return Err(QuantityError::Format);
        }
        let whole = digits.trim_start_matches('0');
        let whole = if whole.is_empty() { "0" } else { whole };
        // Upstream takes a lone sign for zero.
        let has_digit = !digits.is_empty() || !fraction.is_empty() || unsigned.is_empty();
        Ok(Self {
            is_negative,
            whole,
            fraction,
            suffix,
            has_digit,
        })
    }

    fn read_decimal(&self, exponent: i64, format: Format) -> Result<Read, QuantityError> {
        let scale = exponent.saturating_sub(self.fraction.len() as i64);
        let is_short = self.whole.len() + self.fraction.len() <= SHORT_DIGITS && scale >= -9;
        if !is_short && !self.has_digit {
            return Err(QuantityError::Numeric);
        }
        let ends_in_thousands = match self.fraction.len() {
            0 => self.whole.ends_with("000"),
            1 => self.fraction == "0" && self.whole.ends_with("00"),
            2 => self.fraction == "00" && self.whole.ends_with('0'),
            _ => self.fraction.ends_with("000"),
        };
        let is_kept =
            is_short && scale % 3 == 0 && !ends_in_thousands && !self.whole.starts_with('0');
        // The point moved to where billionths are whole.
        let point = exponent.saturating_add(self.whole.len() as i64 + 9);
        let mut nano: i128 = 0;
        let mut is_exact = true;
        let mut position = 0_i64;
        for digit in self.whole.bytes().chain(self.fraction.bytes()) {
            let digit = i128::from(digit - b'0');
            if position < point {
                nano = times_ten_plus(nano, digit)?;
            } else {
                is_exact &= digit == 0;
            }
            position += 1;
        }
        while position < point && nano != 0 {
            nano = times_ten_plus(nano, 0)?;
            position += 1;
        }
        // Finer than a billionth counts as a whole one.
        nano += i128::from(!is_exact);
        Ok(Read {
            nano: self.signed(nano),
            format,
            is_kept,
        })
    }

    fn read_binary(&self, exponent: u32) -> Result<Read, QuantityError> {
        let unit = NANO_PER_UNIT << exponent;
        // Upstream's estimate of the decimal digits its 64-bit path can hold.
        let digits = self.whole.len() + exponent as usize * 3 / 10 + 1;
        if self.fraction.is_empty() && digits <= 15 {
            let whole: i128 = self.whole.parse().map_err(|_| QuantityError::Numeric)?;
            let nano = self.signed(whole * unit);
            return Ok(Read {
                nano,
                format: Format::BinarySi,
                is_kept: whole % 8 != 0,
            });
        }
        if !self.has_digit {
            return Err(QuantityError::Numeric);
        }
        let cap = i128::from(i64::MAX) * NANO_PER_UNIT;
        let whole = self
            .whole
            .parse::<i128>()
            .ok()
            .and_then(|whole| whole.checked_mul(unit));
        let nano = whole
            .unwrap_or(cap)
            .saturating_add(self.fraction_of(unit))
            .min(cap);
        let is_below_one = 0 < nano && nano < NANO_PER_UNIT;
        let format = if is_below_one {
            Format::DecimalSi
        } else {
            Format::BinarySi
        };
        Ok(Read {
            nano: self.signed(nano),
            format,
            is_kept: false,
        })
    }

    /// The digits after the point as a share of `unit`, rounded up.
    fn fraction_of(&self, unit: i128) -> i128 {
        let mut share = 0;
        let mut is_exact = true;
        for digit in self.fraction.bytes().rev() {
            let sum = i128::from(digit - b'0') * unit + share;
            is_exact &= sum % 10 == 0;
            share = sum / 10;
        }
        share + i128::from(!is_exact)
    }

    const fn signed(&self, nano: i128) -> i128 {
        if self.is_negative { -nano } else { nano }
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

fn times_ten_plus(number: i128, digit: i128) -> Result<i128, QuantityError> {
    let product = number
        .checked_mul(10)
        .and_then(|product| product.checked_add(digit));
    // One below the end, so that rounding up cannot overflow.
    product
        .filter(|number| *number < i128::MAX)
        .ok_or(QuantityError::Range)
}

fn divide_rounding_away(number: i128, divisor: i128) -> i128 {
    let quotient = number / divisor;
    if number % divisor == 0 {
        quotient
    } else {
        quotient + number.signum()
    }
}

fn clamp(number: i128) -> i64 {
    number.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

#[cfg(test)]
mod tests;
