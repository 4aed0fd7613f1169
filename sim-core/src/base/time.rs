//! Simulated time in whole microseconds, its text, and its calendar.
//!
//! Nothing here is derived from the host's clock: the calendar starts at a fixed epoch.

use std::fmt;
use std::ops::{Add, AddAssign, Div, Mul, Sub};

/// Seconds from 1970-01-01T00:00:00Z to the simulated epoch 2026-01-01T00:00:00Z.
pub const EPOCH_UNIX_SECONDS: u64 = 1_767_225_600;

const MICROS_PER_SECOND: u64 = 1_000_000;

/// Microseconds since the scenario's epoch. Never derived from the host's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SimTime(u64);

impl SimTime {
    /// The epoch.
    pub const ZERO: Self = Self(0);
    /// Later than any event: "never".
    pub const MAX: Self = Self(u64::MAX);

    /// The instant `micros` microseconds after the epoch.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Microseconds since the epoch of an instant that may lie before it: such times, of objects
    /// taken over from a live cluster, are kept in two's complement.
    pub const fn signed_micros(self) -> i64 {
        self.0.cast_signed()
    }

    /// Whole seconds since the epoch, rounded down, of an instant that may lie before it.
    pub const fn signed_seconds(self) -> i64 {
        self.signed_micros()
            .div_euclid(MICROS_PER_SECOND.cast_signed())
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn whole_seconds(self) -> u64 {
        self.0 / MICROS_PER_SECOND
    }

    /// Time since `earlier`; zero when `earlier` is later than this.
    pub const fn since(self, earlier: Self) -> SimDuration {
        SimDuration(self.0.saturating_sub(earlier.0))
    }

    /// Time since `earlier`, which may lie before the epoch; zero when it is later than this.
    pub const fn elapsed(self, earlier: Self) -> SimDuration {
        let micros = self.signed_micros().saturating_sub(earlier.signed_micros());
        SimDuration(if micros < 0 {
            0
        } else {
            micros.cast_unsigned()
        })
    }

    /// `self + span`, or `None` past the end of time.
    pub const fn checked_add(self, span: SimDuration) -> Option<Self> {
        match self.0.checked_add(span.0) {
            Some(micros) => Some(Self(micros)),
            None => None,
        }
    }

    /// `self - span`, stopping at the epoch.
    pub const fn saturating_sub(self, span: SimDuration) -> Self {
        Self(self.0.saturating_sub(span.0))
    }

    /// This instant on a clock that is so many microseconds ahead; it may lie before the epoch.
    pub const fn shifted(self, micros: i64) -> Self {
        Self(self.0.wrapping_add_signed(micros))
    }

    /// This instant cut down to the whole second, as API timestamps are.
    pub const fn truncated_to_second(self) -> Self {
        let part = self
            .signed_micros()
            .rem_euclid(MICROS_PER_SECOND.cast_signed());
        self.shifted(-part)
    }

    /// Date and time of day in UTC.
    pub const fn civil(self) -> CivilTime {
        CivilTime::from_unix_seconds(
            EPOCH_UNIX_SECONDS.saturating_add_signed(self.signed_seconds()),
        )
    }

    /// RFC 3339 in UTC with whole seconds, rounded down: `2026-01-01T00:00:00Z`.
    pub fn rfc3339(self) -> String {
        format!("{}Z", self.civil())
    }

    /// RFC 3339 in UTC with six decimals: `2026-01-01T00:00:00.000000Z`.
    pub fn rfc3339_micros(self) -> String {
        let part = self.signed_micros().rem_euclid(MICROS_PER_SECOND as i64);
        format!("{}.{part:06}Z", self.civil())
    }

    /// RFC 3339 in UTC as Go's `RFC3339Nano` has it: as many decimals as there are.
    pub fn rfc3339_nano(self) -> String {
        let text = self.rfc3339_micros();
        let text = text.trim_end_matches('Z').trim_end_matches('0');
        format!("{}Z", text.trim_end_matches('.'))
    }

    /// As Go prints a time without a format: `2026-01-01 00:00:00.5 +0000 UTC`.
    pub fn go_text(self) -> String {
        go_time(&self.rfc3339_nano())
    }
}

/// A time of RFC 3339 in UTC as Go prints it without a format.
pub fn go_time(rfc3339: &str) -> String {
    let text = rfc3339.trim_end_matches('Z').replace('T', " ");
    format!("{text} +0000 UTC")
}

impl Add<SimDuration> for SimTime {
    type Output = Self;
    /// Stops at [`SimTime::MAX`]: "never" plus anything is never.
    fn add(self, span: SimDuration) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl AddAssign<SimDuration> for SimTime {
    fn add_assign(&mut self, span: SimDuration) {
        *self = *self + span;
    }
}

impl Sub for SimTime {
    type Output = SimDuration;
    /// Panics when `earlier` is later than `self`; use [`SimTime::since`] where that is legal.
    fn sub(self, earlier: Self) -> SimDuration {
        assert!(
            earlier <= self,
            "time difference below zero: {self:?} - {earlier:?}"
        );
        SimDuration(self.0 - earlier.0)
    }
}

impl fmt::Display for SimTime {
    /// Time since the epoch, as [`SimDuration`]'s text.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        SimDuration(self.0).fmt(formatter)
    }
}

/// A span of simulated time, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SimDuration(u64);

impl SimDuration {
    /// No time.
    pub const ZERO: Self = Self(0);
    /// The longest span.
    pub const MAX: Self = Self(u64::MAX);

    /// A span of `micros` microseconds.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// A span of `millis` milliseconds, stopping at [`SimDuration::MAX`].
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// A span of `secs` seconds, stopping at [`SimDuration::MAX`].
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(MICROS_PER_SECOND))
    }

    /// A span of `minutes` minutes, stopping at [`SimDuration::MAX`].
    pub const fn from_minutes(minutes: u64) -> Self {
        Self::from_secs(minutes.saturating_mul(60))
    }

    /// Microseconds.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Whole milliseconds, rounded down.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }

    /// Whole seconds, rounded down.
    pub const fn as_secs(self) -> u64 {
        self.0 / MICROS_PER_SECOND
    }

    /// Whether this is no time at all.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Difference, zero when `other` is longer.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Product, stopping at [`SimDuration::MAX`].
    pub const fn saturating_mul(self, factor: u64) -> Self {
        Self(self.0.saturating_mul(factor))
    }

    /// `self * numerator / denominator` rounded down, without overflow in between.
    /// Panics when `denominator` is zero.
    pub const fn scaled(self, numerator: u64, denominator: u64) -> Self {
        assert!(denominator != 0, "scaling by x/0");
        let micros = self.0 as u128 * numerator as u128 / denominator as u128;
        Self(if micros > u64::MAX as u128 {
            u64::MAX
        } else {
            micros as u64
        })
    }

    /// Reads a duration as Go writes it: `1h30m`, `1.5s`, `300ms`, `2us`, `0`.
    ///
    /// # Errors
    /// The text of Go's `time.ParseDuration` for what it refuses; own words for a negative span
    /// and for a span that is not a whole number of microseconds.
    pub fn parse(text: &str) -> Result<Self, String> {
        parse_go(text)
    }

    /// The span exactly as Go's `Duration.String` writes it, down to microseconds: `1m3.25s`.
    pub fn exact(self) -> String {
        span_text(self.0)
    }
}

impl Add for SimDuration {
    type Output = Self;
    /// Stops at [`SimDuration::MAX`].
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for SimDuration {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for SimDuration {
    type Output = Self;
    /// Panics below zero; use [`SimDuration::saturating_sub`] where that is legal.
    fn sub(self, other: Self) -> Self {
        assert!(other <= self, "duration below zero: {self:?} - {other:?}");
        Self(self.0 - other.0)
    }
}

impl Mul<u64> for SimDuration {
    type Output = Self;
    /// Stops at [`SimDuration::MAX`].
    fn mul(self, factor: u64) -> Self {
        self.saturating_mul(factor)
    }
}

impl Div<u64> for SimDuration {
    type Output = Self;
    /// Rounds down. Panics when `divisor` is zero.
    fn div(self, divisor: u64) -> Self {
        assert!(divisor != 0, "duration divided by zero");
        Self(self.0 / divisor)
    }
}

impl fmt::Display for SimDuration {
    /// As Go writes a duration rounded to milliseconds: `0s`, `350ms`, `12.35s`, `5m41s`, `1h2m3s`.
    /// Spans below a millisecond are shown exactly (`200µs`), so that they do not look like none.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0;
        if micros < 1_000 {
            return formatter.write_str(&span_text(micros));
        }
        let remainder = micros % 1_000;
        let rounded = if remainder < 500 {
            micros - remainder
        } else {
            (micros - remainder).saturating_add(1_000)
        };
        formatter.write_str(&span_text(rounded))
    }
}

/// Go's `RFC1123Z` in UTC, for [`CivilTime::strftime`].
pub const RFC1123: &str = "%a, %d %b %Y %T %z";

/// Date and time of day in UTC, proleptic Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CivilTime {
    /// Year, e.g. 2026.
    pub year: u32,
    /// Month, 1 to 12.
    pub month: u32,
    /// Day of the month, 1 to 31.
    pub day: u32,
    /// Hour, 0 to 23.
    pub hour: u32,
    /// Minute, 0 to 59.
    pub minute: u32,
    /// Second, 0 to 59.
    pub second: u32,
    /// Day of the week, 0 = Sunday.
    pub weekday: u32,
}

impl CivilTime {
    /// The civil time so many seconds after 1970.
    pub const fn from_unix_seconds(seconds: u64) -> Self {
        let days = seconds / 86_400;
        let second_of_day = (seconds % 86_400) as u32;
        // Years are counted from March, so that the leap day is a year's last day; eras of 400
        // years (146,097 days) repeat exactly. Day 719,468 before 1970 is 0000-03-01.
        let shifted = days + 719_468;
        let era = shifted / 146_097;
        let day_of_era = shifted % 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * march_month + 2) / 5 + 1) as u32;
        let month = if march_month < 10 {
            march_month + 3
        } else {
            march_month - 9
        } as u32;
        let year = (year_of_era + era * 400) as u32 + (month <= 2) as u32;
        Self {
            year,
            month,
            day,
            hour: second_of_day / 3_600,
            minute: second_of_day / 60 % 60,
            second: second_of_day % 60,
            // 1970-01-01 was a Thursday.
            weekday: ((days + 4) % 7) as u32,
        }
    }

    /// The time as `date` writes it in the C locale, in UTC; none for a letter that is not known.
    /// Source: POSIX `strftime(3p)`.
    pub fn strftime(&self, format: &str) -> Option<String> {
        const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
        const MONTHS: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        let name = |names: &[&'static str], place: u32| names.get(place as usize).copied();
        let mut text = String::new();
        let mut letters = format.chars();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                text.push(letter);
                continue;
            }
            let two = |number: u32| format!("{number:02}");
            text.push_str(&match letters.next()? {
                'Y' => self.year.to_string(),
                'm' => two(self.month),
                'd' => two(self.day),
                'e' => format!("{:>2}", self.day),
                'H' => two(self.hour),
                'M' => two(self.minute),
                'S' => two(self.second),
                'a' => name(&DAYS, self.weekday)?.to_owned(),
                'b' => name(&MONTHS, self.month.wrapping_sub(1))?.to_owned(),
                'F' => self.strftime("%Y-%m-%d")?,
                'T' => self.strftime("%H:%M:%S")?,
                'Z' => "UTC".to_owned(),
                'z' => "+0000".to_owned(),
                '%' => "%".to_owned(),
                _ => return None,
            });
        }
        Some(text)
    }
}

impl fmt::Display for CivilTime {
    /// `2026-01-01T00:00:00`, without a zone.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
            weekday: _,
        } = self;
        write!(
            formatter,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )
    }
}

fn span_text(micros: u64) -> String {
    if micros == 0 {
        return "0s".to_owned();
    }
    if micros < 1_000 {
        return format!("{micros}µs");
    }
    if micros < MICROS_PER_SECOND {
        return format!("{}ms", with_decimals(micros / 1_000, micros % 1_000, 3));
    }
    let seconds = micros / MICROS_PER_SECOND;
    let last = with_decimals(seconds % 60, micros % MICROS_PER_SECOND, 6);
    match (seconds / 3_600, seconds / 60 % 60) {
        (0, 0) => format!("{last}s"),
        (0, minutes) => format!("{minutes}m{last}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{last}s"),
    }
}

fn with_decimals(whole: u64, fraction: u64, digits: usize) -> String {
    if fraction == 0 {
        return whole.to_string();
    }
    let text = format!("{whole}.{fraction:0digits$}");
    text.trim_end_matches('0').to_owned()
}

/// Nanoseconds per unit, with the texts of Go's `time.ParseDuration`.
const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

fn parse_go(text: &str) -> Result<SimDuration, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    let (negative, body) = match text.strip_prefix('-') {
        Some(body) => (true, body),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if body == "0" {
        return Ok(SimDuration::ZERO);
    }
    if body.is_empty() {
        return Err(invalid());
    }
    let mut rest = body;
    // Thousandths of a nanosecond would be lost by Go as well; 18 decimals lose nothing it keeps.
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let whole_end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (whole, after_whole) = rest.split_at(whole_end);
        let (fraction, after_number) = match after_whole.strip_prefix('.') {
            Some(tail) => {
                let end = tail
                    .find(|c: char| !c.is_ascii_digit())
                    .unwrap_or(tail.len());
                tail.split_at(end)
            }
            None => ("", after_whole),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let unit_end = after_number
            .find(|c: char| c == '.' || c.is_ascii_digit())
            .unwrap_or(after_number.len());
        let (unit_text, tail) = after_number.split_at(unit_end);
        if unit_text.is_empty() {
            return Err(format!("time: missing unit in duration {text:?}"));
        }
        let Some((_, unit)) = UNITS.iter().find(|(name, _)| *name == unit_text) else {
            return Err(format!(
                "time: unknown unit {unit_text:?} in duration {text:?}"
            ));
        };
        let whole: u64 = if whole.is_empty() {
            0
        } else {
            whole.parse().map_err(|_| invalid())?
        };
        total += u128::from(whole) * unit;
        let kept = &fraction[..fraction.len().min(18)];
        if !kept.is_empty() {
            let scale = 10_u128.pow(kept.len() as u32);
            let digits: u64 = kept.parse().map_err(|_| invalid())?;
            total += u128::from(digits) * unit / scale;
        }
        if total > i64::MAX as u128 {
            return Err(invalid());
        }
        rest = tail;
    }
    if negative && total > 0 {
        return Err(format!("negative duration {text:?}"));
    }
    if !total.is_multiple_of(1_000) {
        return Err(format!(
            "duration {text:?} is not a whole number of microseconds"
        ));
    }
    Ok(SimDuration((total / 1_000) as u64))
}

#[cfg(test)]
mod tests;
