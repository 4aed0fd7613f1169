//! Time zones: their offset and the rule by which their clocks change, as in force in 2026. Zones
//! that are not listed are not modelled and refused in words.
//! Source: the IANA time zone database (facts only: offsets and dates of change).

use super::civil::Local;
use crate::kube::rows::read::days;

/// How a zone's clocks change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Not at all.
    Fixed,
    /// Second Sunday of March to first Sunday of November, at 02:00 local time.
    America,
    /// Last Sunday of March to last Sunday of October, at 01:00 UTC.
    Europe,
    /// First Sunday of October to first Sunday of April, at 02:00 standard time.
    Australia,
    /// Last Sunday of September to first Sunday of April, at 02:00 standard time.
    NewZealand,
}

/// A time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Seconds east of UTC, in standard time.
    standard: i64,
    rule: Rule,
}

/// Names by standard offset in minutes and rule.
const ZONES: &[(i64, Rule, &[&str])] = &[
    (
        0,
        Rule::Fixed,
        &[
            "UTC",
            "Etc/UTC",
            "Etc/GMT",
            "GMT",
            "Etc/UCT",
            "Zulu",
            "Africa/Abidjan",
            "Africa/Accra",
            "Atlantic/Reykjavik",
        ],
    ),
    (
        0,
        Rule::Europe,
        &[
            "Europe/London",
            "Europe/Dublin",
            "Europe/Lisbon",
            "Atlantic/Canary",
        ],
    ),
    (
        60,
        Rule::Europe,
        &[
            "Europe/Amsterdam",
            "Europe/Belgrade",
            "Europe/Berlin",
            "Europe/Brussels",
            "Europe/Budapest",
            "Europe/Copenhagen",
            "Europe/Luxembourg",
            "Europe/Madrid",
            "Europe/Oslo",
            "Europe/Paris",
            "Europe/Prague",
            "Europe/Rome",
            "Europe/Stockholm",
            "Europe/Vienna",
            "Europe/Warsaw",
            "Europe/Zurich",
        ],
    ),
    (
        60,
        Rule::Fixed,
        &["Africa/Lagos", "Africa/Algiers", "Africa/Tunis"],
    ),
    (
        120,
        Rule::Europe,
        &[
            "Europe/Athens",
            "Europe/Bucharest",
            "Europe/Helsinki",
            "Europe/Kiev",
            "Europe/Kyiv",
            "Europe/Riga",
            "Europe/Sofia",
            "Europe/Tallinn",
            "Europe/Vilnius",
        ],
    ),
    (
        120,
        Rule::Fixed,
        &["Africa/Johannesburg", "Africa/Maputo", "Europe/Kaliningrad"],
    ),
    (
        180,
        Rule::Fixed,
        &[
            "Europe/Istanbul",
            "Europe/Moscow",
            "Europe/Minsk",
            "Asia/Riyadh",
            "Asia/Baghdad",
            "Asia/Kuwait",
            "Asia/Qatar",
            "Africa/Nairobi",
        ],
    ),
    (
        240,
        Rule::Fixed,
        &["Asia/Dubai", "Asia/Baku", "Asia/Tbilisi", "Asia/Yerevan"],
    ),
    (
        300,
        Rule::Fixed,
        &[
            "Asia/Karachi",
            "Asia/Tashkent",
            "Asia/Yekaterinburg",
            "Asia/Almaty",
        ],
    ),
    (
        330,
        Rule::Fixed,
        &["Asia/Kolkata", "Asia/Calcutta", "Asia/Colombo"],
    ),
    (345, Rule::Fixed, &["Asia/Kathmandu"]),
    (360, Rule::Fixed, &["Asia/Dhaka", "Asia/Omsk"]),
    (
        420,
        Rule::Fixed,
        &[
            "Asia/Bangkok",
            "Asia/Ho_Chi_Minh",
            "Asia/Jakarta",
            "Asia/Saigon",
        ],
    ),
    (
        480,
        Rule::Fixed,
        &[
            "Asia/Hong_Kong",
            "Asia/Manila",
            "Asia/Shanghai",
            "Asia/Singapore",
            "Asia/Taipei",
            "Asia/Kuala_Lumpur",
            "Australia/Perth",
            "PRC",
            "Singapore",
        ],
    ),
    (540, Rule::Fixed, &["Asia/Seoul", "Asia/Tokyo", "Japan"]),
    (570, Rule::Australia, &["Australia/Adelaide"]),
    (570, Rule::Fixed, &["Australia/Darwin"]),
    (
        600,
        Rule::Australia,
        &[
            "Australia/Sydney",
            "Australia/Melbourne",
            "Australia/Hobart",
            "Australia/Canberra",
        ],
    ),
    (
        600,
        Rule::Fixed,
        &["Australia/Brisbane", "Asia/Vladivostok"],
    ),
    (720, Rule::NewZealand, &["Pacific/Auckland"]),
    (
        -180,
        Rule::Fixed,
        &[
            "America/Sao_Paulo",
            "America/Argentina/Buenos_Aires",
            "America/Montevideo",
        ],
    ),
    (-210, Rule::America, &["America/St_Johns"]),
    (
        -240,
        Rule::America,
        &["America/Halifax", "Atlantic/Bermuda"],
    ),
    (
        -240,
        Rule::Fixed,
        &["America/Caracas", "America/La_Paz", "America/Puerto_Rico"],
    ),
    (
        -300,
        Rule::America,
        &[
            "America/New_York",
            "America/Detroit",
            "America/Toronto",
            "US/Eastern",
            "EST5EDT",
        ],
    ),
    (
        -300,
        Rule::Fixed,
        &["America/Bogota", "America/Lima", "America/Panama", "EST"],
    ),
    (
        -360,
        Rule::America,
        &[
            "America/Chicago",
            "America/Winnipeg",
            "US/Central",
            "CST6CDT",
        ],
    ),
    (
        -360,
        Rule::Fixed,
        &[
            "America/Mexico_City",
            "America/Costa_Rica",
            "America/Guatemala",
        ],
    ),
    (
        -420,
        Rule::America,
        &[
            "America/Denver",
            "America/Edmonton",
            "US/Mountain",
            "MST7MDT",
        ],
    ),
    (-420, Rule::Fixed, &["America/Phoenix", "MST"]),
    (
        -480,
        Rule::America,
        &[
            "America/Los_Angeles",
            "America/Vancouver",
            "America/Tijuana",
            "US/Pacific",
            "PST8PDT",
        ],
    ),
    (-540, Rule::America, &["America/Anchorage"]),
    (-600, Rule::Fixed, &["Pacific/Honolulu", "HST"]),
];

impl Zone {
    /// The controller manager's own zone.
    pub const UTC: Self = Self {
        standard: 0,
        rule: Rule::Fixed,
    };

    /// The zone of that name; `None`: not listed here.
    pub fn named(name: &str) -> Option<Self> {
        if let Some(hours) = name
            .strip_prefix("Etc/GMT")
            .filter(|rest| rest.starts_with(['+', '-']))
        {
            // The sign of these names is the other way round.
            let hours: i64 = hours.parse().ok()?;
            return (-14..=12).contains(&hours).then_some(Self {
                standard: -hours * 3_600,
                rule: Rule::Fixed,
            });
        }
        ZONES
            .iter()
            .find(|(.., names)| names.contains(&name))
            .map(|(minutes, rule, _)| Self {
                standard: minutes * 60,
                rule: *rule,
            })
    }

    /// Seconds east of UTC at an instant.
    pub const fn offset(&self, unix: i64) -> i64 {
        if self.is_summer(unix) {
            self.standard + 3_600
        } else {
            self.standard
        }
    }

    const fn is_summer(&self, unix: i64) -> bool {
        let year = Local::from_seconds(unix + self.standard).year;
        let (begin, end) = match self.rule {
            Rule::Fixed => return false,
            // Local times less the offset in force at each change.
            Rule::America => (
                sunday(year, 3, 2) * 86_400 + 7_200 - self.standard,
                sunday(year, 11, 1) * 86_400 + 3_600 - self.standard,
            ),
            Rule::Europe => (
                last_sunday(year, 3) * 86_400 + 3_600,
                last_sunday(year, 10) * 86_400 + 3_600,
            ),
            Rule::Australia => (
                sunday(year, 10, 1) * 86_400 + 7_200 - self.standard,
                sunday(year, 4, 1) * 86_400 + 7_200 - self.standard,
            ),
            Rule::NewZealand => (
                last_sunday(year, 9) * 86_400 + 7_200 - self.standard,
                sunday(year, 4, 1) * 86_400 + 7_200 - self.standard,
            ),
        };
        if begin < end {
            unix >= begin && unix < end
        } else {
            unix >= begin || unix < end
        }
    }

    /// Wall time at an instant.
    pub const fn local(&self, unix: i64) -> Local {
        Local::from_seconds(unix + self.offset(unix))
    }

    /// The instant of a wall time; one that the clocks skip is taken with the offset before.
    pub const fn unix(&self, local: Local) -> i64 {
        let seconds = local.seconds();
        let guess = seconds - self.offset(seconds - self.standard);
        seconds - self.offset(guess)
    }
}

/// Day number of the n-th Sunday of a month.
const fn sunday(year: i64, month: i64, number: i64) -> i64 {
    let first = days(year, month, 1);
    let weekday = (first + 4).rem_euclid(7);
    first + (7 - weekday) % 7 + (number - 1) * 7
}

/// Day number of the last Sunday of a month of 30 or 31 days.
const fn last_sunday(year: i64, month: i64) -> i64 {
    let length = if month == 9 { 30 } else { 31 };
    let last = days(year, month, length);
    last - (last + 4).rem_euclid(7)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::rows::read::unix_seconds;

    #[test]
    fn clocks_change_on_the_right_days() {
        let offset = |zone: &str, at: &str| {
            Zone::named(zone).unwrap().offset(unix_seconds(at).unwrap()) / 3_600
        };
        assert_eq!(offset("America/New_York", "2026-03-08T06:59:59Z"), -5);
        assert_eq!(offset("America/New_York", "2026-03-08T07:00:00Z"), -4);
        assert_eq!(offset("America/New_York", "2026-11-01T05:59:59Z"), -4);
        assert_eq!(offset("America/New_York", "2026-11-01T06:00:00Z"), -5);
        assert_eq!(offset("Europe/Berlin", "2026-03-29T01:00:00Z"), 2);
        assert_eq!(offset("Europe/Berlin", "2026-10-25T01:00:00Z"), 1);
        assert_eq!(offset("Australia/Sydney", "2026-01-01T00:00:00Z"), 11);
        assert_eq!(offset("Etc/GMT+5", "2026-01-01T00:00:00Z"), -5);
        assert!(Zone::named("bad/timezone").is_none());
    }
}
