//! Ages and times of objects. Source: `k8s.io/apimachinery/pkg/util/duration/duration.go`.

use crate::base::time::{CivilTime, EPOCH_UNIX_SECONDS, RFC1123, SimTime};
use crate::manifest::value::Value;

/// Seconds since the Unix epoch of `2026-01-01T00:00:00Z`, with or without a fraction.
pub fn unix(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    // Days since 1970-01-01, counting years from March.
    let shifted = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = shifted * 365 + shifted.div_euclid(4) - shifted.div_euclid(100)
        + shifted.div_euclid(400)
        + day_of_year
        - 719_468;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// Age of a point in time as a table shows it; `<unknown>` for none.
pub fn age(text: Option<&str>, now: SimTime) -> String {
    match text.and_then(unix) {
        Some(at) => {
            human(EPOCH_UNIX_SECONDS.cast_signed() + now.whole_seconds().cast_signed() - at)
        }
        None => "<unknown>".to_owned(),
    }
}

/// Whole seconds since a point in time.
pub fn seconds_since(text: &str, now: SimTime) -> Option<i64> {
    let now = EPOCH_UNIX_SECONDS.cast_signed() + now.whole_seconds().cast_signed();
    Some(now - unix(text)?)
}

/// Age of an object.
pub fn age_of(object: &Value, now: SimTime) -> String {
    age(object.str_at(&["metadata", "creationTimestamp"]), now)
}

/// `HumanDuration` of whole seconds.
pub fn human(seconds: i64) -> String {
    let two = |first: i64, unit: char, second: i64, small: char| {
        if second == 0 {
            format!("{first}{unit}")
        } else {
            format!("{first}{unit}{second}{small}")
        }
    };
    let (minutes, hours) = (seconds / 60, seconds / 3_600);
    let (days, years) = (hours / 24, hours / 24 / 365);
    match seconds {
        ..=-2 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        _ if seconds < 120 => format!("{seconds}s"),
        _ if minutes < 10 => two(minutes, 'm', seconds % 60, 's'),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => two(hours, 'h', minutes % 60, 'm'),
        _ if hours < 48 => format!("{hours}h"),
        _ if hours < 192 => two(days, 'd', hours % 24, 'h'),
        _ if days < 730 => format!("{days}d"),
        _ if days < 2_920 => two(years, 'y', days % 365, 'd'),
        _ => format!("{years}y"),
    }
}

/// A point in time as `describe` shows it: RFC 1123 with a numeric zone.
pub fn long(text: &str) -> String {
    let seconds = unix(text).and_then(|seconds| u64::try_from(seconds).ok());
    seconds
        .and_then(|seconds| CivilTime::from_unix_seconds(seconds).strftime(RFC1123))
        .unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_cut_not_rounded() {
        let cases = [
            (-2, "<invalid>"),
            (-1, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (600, "10m"),
            (10_799, "179m"),
            (10_800, "3h"),
            (11_000, "3h3m"),
            (28_800, "8h"),
            (172_799, "47h"),
            (172_800, "2d"),
            (180_000, "2d2h"),
            (691_200, "8d"),
            (63_072_000, "2y"),
            (252_288_000, "8y"),
        ];
        for (seconds, text) in cases {
            assert_eq!(human(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn times_are_read_and_written() {
        assert_eq!(
            unix("2026-01-01T00:00:00Z"),
            Some(EPOCH_UNIX_SECONDS.cast_signed())
        );
        assert_eq!(
            long("2026-01-01T00:00:05Z"),
            "Thu, 01 Jan 2026 00:00:05 +0000"
        );
    }
}
