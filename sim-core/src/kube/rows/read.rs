//! Reading documents that have passed validation: what has an unexpected shape reads as absent.

use std::sync::Arc;

use crate::base::sorted::SortedMap;
use crate::base::time::{EPOCH_UNIX_SECONDS, SimTime};
use crate::kube::selector::{Requirement, Selector};
use crate::manifest::value::Value;

use super::workload::Amount;

/// A number, 0 when absent.
pub fn number(value: &Value, path: &[&str]) -> i64 {
    value.i64_at(path).unwrap_or(0)
}

/// A truth, false when absent.
pub fn truth(value: &Value, path: &[&str]) -> bool {
    value.path(path).and_then(Value::as_bool).unwrap_or(false)
}

/// A text, empty when absent.
pub fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    value.str_at(path).unwrap_or("")
}

/// A list, empty when absent.
pub fn list<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    value.path(path).and_then(Value::as_list).unwrap_or(&[])
}

/// A number or percentage.
pub fn amount(value: Option<&Value>) -> Option<Amount> {
    match value? {
        Value::Int(count) => Some(Amount::Count(*count)),
        Value::String(text) => Amount::parse(text),
        _ => None,
    }
}

/// Text by text.
pub fn text_map(value: Option<&Value>) -> SortedMap<Arc<str>, Arc<str>> {
    value
        .and_then(Value::as_map)
        .unwrap_or_default()
        .iter()
        .filter_map(|(key, value)| Some((key.clone(), Arc::from(value.as_str()?))))
        .collect()
}

/// A label selector: `matchLabels` and `matchExpressions`.
pub fn selector(value: &Value) -> Selector {
    let mut all: Vec<Requirement> = text_map(value.get("matchLabels"))
        .into_iter()
        .map(|(key, value)| Requirement::In(key, [value].into()))
        .collect();
    for expression in list(value, &["matchExpressions"]) {
        let key: Arc<str> = text(expression, &["key"]).into();
        let values: Arc<[Arc<str>]> = list(expression, &["values"])
            .iter()
            .filter_map(|value| value.as_str().map(Arc::from))
            .collect();
        all.push(match text(expression, &["operator"]) {
            "In" => Requirement::In(key, values),
            "NotIn" => Requirement::NotIn(key, values),
            "Exists" => Requirement::Exists(key),
            _ => Requirement::DoesNotExist(key),
        });
    }
    Selector(all)
}

/// A plain map of labels, as Services and ReplicationControllers select.
pub fn plain_selector(value: &Value) -> Selector {
    Selector(
        text_map(Some(value))
            .into_iter()
            .map(|(key, value)| Requirement::In(key, [value].into()))
            .collect(),
    )
}

/// An API time (`2026-01-01T00:00:00Z`); one before the run's epoch reads as the epoch.
pub fn time(text: &str) -> Option<SimTime> {
    let unix = unix_seconds(text)?;
    let since = unix.saturating_sub(EPOCH_UNIX_SECONDS.cast_signed());
    Some(SimTime::from_micros(
        u64::try_from(since).unwrap_or(0).saturating_mul(1_000_000),
    ))
}

/// An API time, one before the run in two's complement (see [`SimTime::signed_micros`]).
pub fn signed_time(text: &str) -> Option<SimTime> {
    let since = unix_seconds(text)?.checked_sub(EPOCH_UNIX_SECONDS.cast_signed())?;
    Some(SimTime::from_micros(
        since.checked_mul(1_000_000)?.cast_unsigned(),
    ))
}

/// Seconds since 1970 of an API time in UTC.
pub fn unix_seconds(text: &str) -> Option<i64> {
    let field = |from: usize, to: usize| -> Option<i64> { text.get(from..to)?.parse().ok() };
    let (year, month, day) = (field(0, 4)?, field(5, 7)?, field(8, 10)?);
    let (hour, minute, second) = (field(11, 13)?, field(14, 16)?, field(17, 19)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 {
        return None;
    }
    Some(days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// Days from 1970-01-01 to a day of the Gregorian calendar.
pub const fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years counted from March, so that the leap day is the last of them.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    era * 146_097 + of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_1970() {
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(2000, 3, 1), 11_017);
        assert_eq!(
            unix_seconds("2026-01-01T00:00:00Z"),
            Some(EPOCH_UNIX_SECONDS.cast_signed())
        );
    }
}
