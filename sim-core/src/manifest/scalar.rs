//! What a plain scalar means: truth values, numbers, nothing, or text.
//!
//! The two tools read different dialects of YAML 1.1. kubectl goes through sigs.k8s.io/yaml, whose
//! decoder takes `y`, `yes`, `on` and their opposites for truth values; Compose and the stack
//! loader use the decoder's next major version, where they are text. Both read `010` as octal and
//! ignore `_` in numbers. Numbers never become floats here: decimal text is normalised to what
//! Go's JSON encoder would print.
use std::sync::Arc;

use crate::manifest::tree::{NodeValue, Style};

/// Whose reading of YAML applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// kubectl: sigs.k8s.io/yaml over go-yaml v2.
    Kubernetes,
    /// docker compose and docker stack: go-yaml v3.
    Compose,
}

/// The value of a plain scalar.
#[must_use]
pub fn resolve(text: &str, dialect: Dialect) -> NodeValue {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return NodeValue::Null,
        "true" | "True" | "TRUE" => return NodeValue::Bool(true),
        "false" | "False" | "FALSE" => return NodeValue::Bool(false),
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON"
            if dialect == Dialect::Kubernetes =>
        {
            return NodeValue::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF"
            if dialect == Dialect::Kubernetes =>
        {
            return NodeValue::Bool(false);
        }
        _ => {}
    }
    number(text).unwrap_or_else(|| plain(text))
}

/// Whether a text, printed bare, would be read as something else by either dialect.
#[must_use]
pub fn is_ambiguous(text: &str) -> bool {
    !matches!(resolve(text, Dialect::Kubernetes), NodeValue::Str { .. })
        || matches!(text, "<<" | ".nan" | ".NaN" | ".NAN")
        || matches!(
            text.strip_prefix(['+', '-']).unwrap_or(text),
            ".inf" | ".Inf" | ".INF"
        )
        || is_timestamp(text)
}

/// Whether go-yaml v2 takes a text for a point in time: a date, or a date and a time of day.
fn is_timestamp(text: &str) -> bool {
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let (Some(year), Some(month), Some(day), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    if year.len() != 4 || field(year, 0, 9999).is_none() {
        return false;
    }
    field(month, 1, 12).is_some() && field(day, 1, 31).is_some() && time.is_none_or(is_time_of_day)
}

fn is_time_of_day(text: &str) -> bool {
    let clock = text.find(['Z', '+', '-']).map_or(text, |at| &text[..at]);
    let zone = &text[clock.len()..];
    let mut parts = clock.splitn(3, ':');
    let (Some(hour), Some(minute), Some(second)) = (parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let (second, fraction) = second.split_once('.').unwrap_or((second, "0"));
    let is_zone = matches!(zone, "" | "Z")
        || zone.len() == 6
            && field(&zone[1..3], 0, 24).is_some()
            && &zone[3..4] == ":"
            && field(&zone[4..], 0, 60).is_some();
    field(hour, 0, 23).is_some()
        && field(minute, 0, 59).is_some()
        && field(second, 0, 59).is_some()
        && !fraction.is_empty()
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
        && is_zone
}

fn field(text: &str, first: u32, last: u32) -> Option<u32> {
    let is_number =
        !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|number| is_number && (first..=last).contains(number))
}

/// A number in any notation go-yaml reads, if the text is one.
#[must_use]
pub fn number(text: &str) -> Option<NodeValue> {
    if !text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.')) {
        return None;
    }
    let digits: String = text.chars().filter(|character| *character != '_').collect();
    if let Some(number) = integer(&digits) {
        return Some(number);
    }
    decimal(&digits)
}

/// Decimal text (`12`, `-1.50`, `1e3`) as a whole number or in Go's JSON notation. Text that is
/// not a number, or beyond a 64-bit float's range, is nothing.
#[must_use]
pub fn decimal(text: &str) -> Option<NodeValue> {
    let (is_negative, rest) = sign(text);
    let (mantissa, exponent) = match rest.find(['e', 'E']) {
        Some(at) => (&rest[..at], parse_exponent(&rest[at + 1..])?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    if !whole
        .bytes()
        .chain(fraction.bytes())
        .all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let all = format!("{whole}{fraction}");
    let leading = all.len() - all.trim_start_matches('0').len();
    let significant = all.trim_matches('0');
    if significant.is_empty() {
        return Some(NodeValue::Int(0));
    }
    // The value is 0.significant times ten to the power of `point`.
    let point = i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()? + exponent;
    if !(-330..=309).contains(&point) {
        return None;
    }
    let text = go_notation(significant, point, is_negative);
    Some(match text.parse() {
        Ok(number) => NodeValue::Int(number),
        Err(_) => NodeValue::Float(text.into()),
    })
}

fn plain(text: &str) -> NodeValue {
    NodeValue::Str {
        text: Arc::from(text),
        style: Style::Plain,
    }
}

fn sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// Whole numbers with Go's prefixes: `0x`, `0o`, `0b`, and `0` alone for octal.
fn integer(text: &str) -> Option<NodeValue> {
    let (is_negative, rest) = sign(text);
    let lower = rest.to_ascii_lowercase();
    let (digits, radix) = if let Some(hex) = lower.strip_prefix("0x") {
        (hex, 16)
    } else if let Some(octal) = lower.strip_prefix("0o") {
        (octal, 8)
    } else if let Some(binary) = lower.strip_prefix("0b") {
        (binary, 2)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (&lower[1..], 8)
    } else {
        (lower.as_str(), 10)
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let magnitude = i128::from_str_radix(digits, radix).ok()?;
    let number = if is_negative { -magnitude } else { magnitude };
    match i64::try_from(number) {
        Ok(number) => Some(NodeValue::Int(number)),
        Err(_) if !is_negative && u64::try_from(magnitude).is_ok() => {
            Some(NodeValue::Float(magnitude.to_string().into()))
        }
        Err(_) => None,
    }
}

fn parse_exponent(text: &str) -> Option<i64> {
    let (is_negative, digits) = sign(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Anything longer than four digits is out of range anyway.
    let magnitude = digits.trim_start_matches('0').get(..5).map_or_else(
        || digits.trim_start_matches('0').parse().unwrap_or(0),
        |_| 100_000,
    );
    Some(if is_negative { -magnitude } else { magnitude })
}

/// Go's JSON encoder: plain notation from 1e-6 up to, not including, 1e21, else an exponent.
fn go_notation(significant: &str, point: i64, is_negative: bool) -> String {
    let sign = if is_negative { "-" } else { "" };
    let exponent = point - 1;
    if !(-6..21).contains(&exponent) {
        let (first, rest) = significant.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        let plus = if exponent < 0 { "" } else { "+" };
        return format!("{sign}{first}{dot}{rest}e{plus}{exponent}");
    }
    let Ok(places) = usize::try_from(point) else {
        let zeros = "0".repeat(usize::try_from(-point).unwrap_or(0));
        return format!("{sign}0.{zeros}{significant}");
    };
    if places == 0 {
        return format!("{sign}0.{significant}");
    }
    if significant.len() <= places {
        return format!(
            "{sign}{significant}{}",
            "0".repeat(places - significant.len())
        );
    }
    let (whole, fraction) = significant.split_at(places);
    format!("{sign}{whole}.{fraction}")
}

#[cfg(test)]
mod tests {
    use super::{Dialect, resolve};
    use crate::manifest::tree::NodeValue;

    fn show(text: &str, dialect: Dialect) -> String {
        match resolve(text, dialect) {
            NodeValue::Null => "null".into(),
            NodeValue::Bool(truth) => format!("bool {truth}"),
            NodeValue::Int(number) => format!("int {number}"),
            NodeValue::Float(text) => format!("float {text}"),
            NodeValue::Str { text, .. } => format!("str {text}"),
            NodeValue::Seq(_) | NodeValue::Map(_) => unreachable!("scalars only"),
        }
    }

    #[test]
    fn plain_scalars_resolve_as_the_real_decoders_do() {
        let cases = [
            ("yes", "bool true", "str yes"),
            ("Off", "bool false", "str Off"),
            ("y", "bool true", "str y"),
            ("True", "bool true", "bool true"),
            ("~", "null", "null"),
            ("", "null", "null"),
            ("010", "int 8", "int 8"),
            ("08", "int 8", "int 8"),
            ("0x1F", "int 31", "int 31"),
            ("-0b101", "int -5", "int -5"),
            ("1_000", "int 1000", "int 1000"),
            ("+5", "int 5", "int 5"),
            ("1e3", "int 1000", "int 1000"),
            ("1.50", "float 1.5", "float 1.5"),
            (".5", "float 0.5", "float 0.5"),
            ("1.", "int 1", "int 1"),
            ("1e21", "float 1e+21", "float 1e+21"),
            ("-0.0000001", "float -1e-7", "float -1e-7"),
            ("0.05", "float 0.05", "float 0.05"),
            (
                "9223372036854775808",
                "float 9223372036854775808",
                "float 9223372036854775808",
            ),
            ("1e999", "str 1e999", "str 1e999"),
            ("22:22", "str 22:22", "str 22:22"),
            ("3.7.1", "str 3.7.1", "str 3.7.1"),
            ("2001-12-14", "str 2001-12-14", "str 2001-12-14"),
            ("500m", "str 500m", "str 500m"),
            ("-", "str -", "str -"),
            ("0x", "str 0x", "str 0x"),
        ];
        for (text, kubernetes, compose) in cases {
            assert_eq!(show(text, Dialect::Kubernetes), kubernetes, "{text}");
            assert_eq!(show(text, Dialect::Compose), compose, "{text}");
        }
    }
}
