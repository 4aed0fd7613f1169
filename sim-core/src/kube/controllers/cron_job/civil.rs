//! Days and clock times of the Gregorian calendar, from seconds since 1970.

use crate::base::time::{CivilTime, RFC1123};
use crate::kube::rows::read::days;

/// A wall clock's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Local {
    /// Year.
    pub year: i64,
    /// Month, 1 to 12.
    pub month: i64,
    /// Day, 1 to 31.
    pub day: i64,
    /// Hour, 0 to 23.
    pub hour: i64,
    /// Minute.
    pub minute: i64,
    /// Second.
    pub second: i64,
}

impl Local {
    /// The wall time of so many seconds since 1970-01-01T00:00:00 on the same wall.
    pub const fn from_seconds(seconds: i64) -> Self {
        let day_number = seconds.div_euclid(86_400);
        let of_day = seconds.rem_euclid(86_400);
        // As in `days`, backwards: eras of 400 years from 1 March of year 0.
        let shifted = day_number + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * of_year + 2) / 153;
        let month = if shifted_month < 10 {
            shifted_month + 3
        } else {
            shifted_month - 9
        };
        let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
        Self {
            year,
            month,
            day: of_year - (153 * shifted_month + 2) / 5 + 1,
            hour: of_day / 3_600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
        }
    }

    /// Seconds since 1970-01-01T00:00:00 on the same wall.
    pub const fn seconds(self) -> i64 {
        days(self.year, self.month, self.day) * 86_400
            + self.hour * 3_600
            + self.minute * 60
            + self.second
    }

    /// The beginning of a day.
    pub const fn midnight(year: i64, month: i64, day: i64) -> Self {
        Self {
            year,
            month,
            day,
            hour: 0,
            minute: 0,
            second: 0,
        }
    }

    /// The same time on the next day.
    pub const fn next_day(self) -> Self {
        Self::from_seconds(self.seconds() + 86_400)
    }

    /// 0: Sunday.
    pub const fn weekday(&self) -> i64 {
        (days(self.year, self.month, self.day) + 4).rem_euclid(7)
    }
}

/// An API time in UTC.
pub fn text(unix: i64) -> String {
    let local = Local::from_seconds(unix);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        local.year, local.month, local.day, local.hour, local.minute, local.second
    )
}

/// An API time with the zone's offset.
pub fn text_in(unix: i64, offset: i64) -> String {
    if offset == 0 {
        return text(unix);
    }
    let mut plain = text(unix + offset);
    plain.pop();
    let sign = if offset < 0 { '-' } else { '+' };
    let minutes = offset.abs() / 60;
    format!("{plain}{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// A time as upstream's sentences have it: `Thu, 01 Jan 2026 10:00:00 +0000`.
pub fn rfc1123(unix: i64) -> String {
    let seconds = u64::try_from(unix).unwrap_or(0);
    let text = CivilTime::from_unix_seconds(seconds).strftime(RFC1123);
    text.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for unix in [0, 951_782_400, 1_767_225_600, -1, 4_102_444_799] {
            assert_eq!(Local::from_seconds(unix).seconds(), unix);
        }
        assert_eq!(Local::from_seconds(1_767_225_600).weekday(), 4);
        assert_eq!(text_in(1_767_225_600, -18_000), "2025-12-31T19:00:00-05:00");
        assert_eq!(rfc1123(1_767_225_600), "Thu, 01 Jan 2026 00:00:00 +0000");
    }
}
