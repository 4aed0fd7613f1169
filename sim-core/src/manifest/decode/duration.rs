//! Durations as Docker's files write them: Go's notation.

use crate::base::time::SimDuration;

/// Parses Go's notation (`1h2m3.5s`, `500ms`, `0`); finer than a microsecond is cut off.
/// Source: Go `time.ParseDuration`, which Compose and stack files use.
///
/// # Errors
/// Go's sentence about what is wrong. Negative durations are an error: no field here allows them.
pub fn parse(text: &str) -> Result<SimDuration, String> {
    let invalid = || format!("invalid duration {text:?}");
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Ok(SimDuration::ZERO);
    }
    if rest.is_empty() || rest.starts_with('-') {
        return Err(invalid());
    }
    let mut nanos: u128 = 0;
    while !rest.is_empty() {
        let number_end = rest
            .find(|letter: char| !(letter.is_ascii_digit() || letter == '.'))
            .unwrap_or(rest.len());
        let (number, after) = rest.split_at(number_end);
        let unit_end = after
            .find(|letter: char| letter.is_ascii_digit() || letter == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let unit_nanos: u128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "" => return Err(format!("missing unit in duration {text:?}")),
            _ => return Err(format!("unknown unit {unit:?} in duration {text:?}")),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits =
            |part: &str| part.len() <= 18 && part.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
            return Err(invalid());
        }
        let value = |part: &str| part.parse::<u128>().unwrap_or(0);
        let scale = 10_u128.pow(u32::try_from(fraction.len()).unwrap_or(18));
        nanos += value(whole) * unit_nanos + value(fraction) * unit_nanos / scale;
        if nanos > i64::MAX as u128 {
            return Err(invalid());
        }
        rest = after;
    }
    Ok(SimDuration::from_micros(
        u64::try_from(nanos / 1_000).unwrap_or(u64::MAX),
    ))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn go_notation() {
        let micros = |text| parse(text).map(|duration| duration.as_micros());
        assert_eq!(micros("1m30s"), Ok(90_000_000));
        assert_eq!(micros("1.5s"), Ok(1_500_000));
        assert_eq!(micros("250ms"), Ok(250_000));
        assert_eq!(micros("0"), Ok(0));
        assert_eq!(
            micros("5"),
            Err("missing unit in duration \"5\"".to_owned())
        );
        assert_eq!(
            micros("5x"),
            Err("unknown unit \"x\" in duration \"5x\"".to_owned())
        );
        assert_eq!(micros("-5s"), Err("invalid duration \"-5s\"".to_owned()));
        assert_eq!(micros(".s"), Err("invalid duration \".s\"".to_owned()));
    }
}
