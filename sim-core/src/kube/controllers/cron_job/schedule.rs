//! The dialect of `spec.schedule` and the times it names.
//! Sources: `vendor/github.com/robfig/cron/v3/{parser,spec,constantdelay}.go`.

use super::civil::Local;
use super::zone::Zone;

/// A parsed schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Minutes, hours, days, months, weekdays.
    Fields(Fields),
    /// `@every`: so many seconds.
    Every(i64),
}

/// One bit per value, and whether the field was open (`*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mask {
    bits: u64,
    open: bool,
}

impl Mask {
    const fn has(self, value: i64) -> bool {
        value >= 0 && value < 64 && self.bits & (1 << value) != 0
    }
}

/// The five fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    minute: Mask,
    hour: Mask,
    day: Mask,
    month: Mask,
    weekday: Mask,
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Years that are looked ahead.
const YEARS: i64 = 5;

impl Schedule {
    /// Reads a schedule.
    ///
    /// # Errors
    /// What is wrong, in upstream's words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("empty spec string".to_owned());
        }
        if let Some(descriptor) = text.strip_prefix('@') {
            return described(text, descriptor);
        }
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(format!(
                "expected exactly 5 fields, found {}: [{}]",
                fields.len(),
                fields.join(" ")
            ));
        };
        Ok(Self::Fields(Fields {
            minute: field(minute, 0, 59, &[])?,
            hour: field(hour, 0, 23, &[])?,
            day: field(day, 1, 31, &[])?,
            month: field(month, 1, 12, &MONTHS)?,
            weekday: field(weekday, 0, 6, &WEEKDAYS)?,
        }))
    }

    /// The first time after `unix` seconds; `None`: none within five years.
    pub fn next(&self, unix: i64, zone: &Zone) -> Option<i64> {
        match self {
            Self::Every(seconds) => unix.checked_add(*seconds),
            Self::Fields(fields) => fields.next(unix, zone),
        }
    }
}

fn described(text: &str, descriptor: &str) -> Result<Schedule, String> {
    let fixed = match descriptor {
        "yearly" | "annually" => "0 0 1 1 *",
        "monthly" => "0 0 1 * *",
        "weekly" => "0 0 * * 0",
        "daily" | "midnight" => "0 0 * * *",
        "hourly" => "0 * * * *",
        _ => {
            let Some(span) = descriptor.strip_prefix("every ") else {
                return Err(format!("unrecognized descriptor: {text}"));
            };
            let seconds = duration(span).ok_or_else(|| {
                format!("failed to parse duration {text}: time: invalid duration")
            })?;
            return Ok(Schedule::Every(seconds.max(1)));
        }
    };
    Schedule::parse(fixed)
}

/// A Go duration in whole seconds.
fn duration(text: &str) -> Option<i64> {
    let mut rest = text.trim();
    let mut micros = 0_i64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, tail) = rest.split_at(end);
        let units = [
            ("ms", 1_000),
            ("us", 1),
            ("h", 3_600_000_000),
            ("m", 60_000_000),
            ("s", 1_000_000),
        ];
        let (unit, size) = units.iter().find(|(unit, _)| tail.starts_with(unit))?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let whole: i64 = if whole.is_empty() {
            0
        } else {
            whole.parse().ok()?
        };
        micros = micros.checked_add(whole.checked_mul(*size)?)?;
        let mut part = *size;
        for digit in fraction.bytes() {
            part /= 10;
            micros = micros.checked_add(i64::from(digit - b'0') * part)?;
        }
        rest = &tail[unit.len()..];
    }
    Some(micros / 1_000_000)
}

/// A list of ranges.
fn field(text: &str, low: i64, high: i64, names: &[&str]) -> Result<Mask, String> {
    let mut mask = Mask::default();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let one = range(part, low, high, names)?;
        mask.bits |= one.bits;
        mask.open |= one.open;
    }
    Ok(mask)
}

/// `*`, `?`, `a`, `a-b`, each with `/step`; `a/step` runs to the end.
fn range(text: &str, low: i64, high: i64, names: &[&str]) -> Result<Mask, String> {
    let mut parts = text.split('/');
    let bounds = parts.next().unwrap_or_default();
    let step_text = parts.next();
    if parts.next().is_some() {
        return Err(format!("too many slashes: {text}"));
    }
    let mut ends = bounds.split('-');
    let first = ends.next().unwrap_or_default();
    let second = ends.next();
    let mut open = false;
    let (from, mut to) = if matches!(first, "*" | "?") {
        open = true;
        (low, high)
    } else {
        let from = value(first, low, names)?;
        let to = match second {
            None => from,
            Some(text) => value(text, low, names)?,
        };
        if ends.next().is_some() {
            return Err(format!("too many hyphens: {text}"));
        }
        (from, to)
    };
    let step = match step_text {
        None => 1,
        Some(step) => {
            let step = number(step)?;
            if second.is_none() {
                to = high;
            }
            if step > 1 {
                open = false;
            }
            step
        }
    };
    if from < low {
        return Err(format!(
            "beginning of range ({from}) below minimum ({low}): {text}"
        ));
    }
    if to > high {
        return Err(format!(
            "end of range ({to}) above maximum ({high}): {text}"
        ));
    }
    if from > to {
        return Err(format!(
            "beginning of range ({from}) beyond end of range ({to}): {text}"
        ));
    }
    if step == 0 {
        return Err(format!("step of range should be a positive number: {text}"));
    }
    let mut bits = 0;
    let mut at = from;
    while at <= to {
        bits |= 1_u64 << at;
        at += step;
    }
    Ok(Mask { bits, open })
}

fn value(text: &str, low: i64, names: &[&str]) -> Result<i64, String> {
    let lower = text.to_ascii_lowercase();
    match names.iter().position(|name| *name == lower) {
        Some(position) => Ok(i64::try_from(position).unwrap_or(0) + low),
        None => number(text),
    }
}

fn number(text: &str) -> Result<i64, String> {
    let parsed: i64 = text.parse().map_err(|_| {
        format!("failed to parse int from {text}: strconv.Atoi: parsing {text:?}: invalid syntax")
    })?;
    if parsed < 0 {
        return Err(format!("negative number ({parsed}) not allowed: {text}"));
    }
    Ok(parsed)
}

impl Fields {
    /// In wall time of the zone: hours that are skipped do not run, hours that come twice may.
    fn next(&self, unix: i64, zone: &Zone) -> Option<i64> {
        let mut at = unix.checked_add(1)?;
        let limit = zone.local(at).year + YEARS;
        let mut cut = false;
        'wrap: loop {
            let now = zone.local(at);
            if now.year > limit {
                return None;
            }
            if !self.month.has(now.month) {
                cut = true;
                let (year, month) = if now.month == 12 {
                    (now.year + 1, 1)
                } else {
                    (now.year, now.month + 1)
                };
                at = zone.unix(Local::midnight(year, month, 1));
                continue 'wrap;
            }
            if !self.matches_day(&now) {
                cut = true;
                at = zone.unix(Local::midnight(now.year, now.month, now.day).next_day());
                continue 'wrap;
            }
            loop {
                let now = zone.local(at);
                if self.hour.has(now.hour) {
                    break;
                }
                if !cut {
                    cut = true;
                    at -= now.minute * 60 + now.second;
                }
                at += 3_600;
                at -= at.rem_euclid(60);
                if zone.local(at).hour == 0 {
                    continue 'wrap;
                }
            }
            loop {
                let now = zone.local(at);
                if self.minute.has(now.minute) {
                    break;
                }
                if !cut {
                    cut = true;
                    at -= now.second;
                }
                at += 60;
                if zone.local(at).minute == 0 {
                    continue 'wrap;
                }
            }
            let now = zone.local(at);
            if now.second == 0 {
                return Some(at);
            }
            // The second field is always 0: on to the next minute.
            at += 60 - now.second;
            cut = true;
            if zone.local(at).minute == 0 || !self.minute.has(zone.local(at).minute) {
                continue 'wrap;
            }
            return Some(at);
        }
    }

    /// Both restrict: either will do. Else both must hold.
    fn matches_day(&self, now: &Local) -> bool {
        let (day, weekday) = (self.day.has(now.day), self.weekday.has(now.weekday()));
        if self.day.open || self.weekday.open {
            day && weekday
        } else {
            day || weekday
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::rows::read::unix_seconds;

    fn next(schedule: &str, from: &str, zone: &str) -> Option<String> {
        let zone = Zone::named(zone).unwrap();
        let at = Schedule::parse(schedule)
            .unwrap()
            .next(unix_seconds(from).unwrap(), &zone)?;
        Some(super::super::civil::text(at))
    }

    #[test]
    fn upstreams_own_cases() {
        let cases = [
            ("0 0 * * *", "2012-07-09T14:45:00Z", "2012-07-10T00:00:00Z"),
            (
                "*/15 * * * *",
                "2012-07-09T14:45:00Z",
                "2012-07-09T15:00:00Z",
            ),
            (
                "20-35/15 * * * *",
                "2012-07-09T15:45:00Z",
                "2012-07-09T16:20:00Z",
            ),
            (
                "0 0 9 Apr-Oct ?",
                "2012-11-01T00:00:00Z",
                "2013-04-09T00:00:00Z",
            ),
            (
                "0 0 * Feb Mon",
                "2012-07-09T23:35:00Z",
                "2013-02-04T00:00:00Z",
            ),
            (
                "0 0 29 Feb ?",
                "2012-07-09T23:35:00Z",
                "2016-02-29T00:00:00Z",
            ),
            (
                "0 0 1,15 * Sun",
                "2012-07-09T00:00:00Z",
                "2012-07-15T00:00:00Z",
            ),
            (
                "30 6-16/4 * * 1-5",
                "2026-01-01T10:30:00Z",
                "2026-01-01T14:30:00Z",
            ),
            ("@hourly", "2012-07-09T14:45:30Z", "2012-07-09T15:00:00Z"),
            ("@every 5m", "2012-07-09T14:45:30Z", "2012-07-09T14:50:30Z"),
        ];
        for (schedule, from, expected) in cases {
            assert_eq!(
                next(schedule, from, "UTC").as_deref(),
                Some(expected),
                "{schedule} after {from}"
            );
        }
        assert_eq!(next("59 23 31 2 *", "2012-07-09T00:00:00Z", "UTC"), None);
    }

    #[test]
    fn wall_time_skips_and_repeats() {
        let zone = "America/New_York";
        // 02:30 does not exist on 8 March 2026; 01:30 comes twice on 1 November.
        assert_eq!(
            next("30 2 * * *", "2026-03-08T05:00:00Z", zone).as_deref(),
            Some("2026-03-09T06:30:00Z")
        );
        assert_eq!(
            next("30 1 * * *", "2026-11-01T05:00:00Z", zone).as_deref(),
            Some("2026-11-01T05:30:00Z")
        );
        assert_eq!(
            next("30 1 * * *", "2026-11-01T05:30:00Z", zone).as_deref(),
            Some("2026-11-01T06:30:00Z")
        );
    }

    #[test]
    fn what_upstream_refuses() {
        for wrong in [
            "",
            "* * * *",
            "* * * * 7",
            "60 * * * *",
            "5-2 * * * *",
            "*/0 * * * *",
            "@often",
        ] {
            assert!(Schedule::parse(wrong).is_err(), "{wrong}");
        }
    }
}
