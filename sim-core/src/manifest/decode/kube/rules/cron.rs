//! Schedules as the CronJob controller's parser reads them, and names of time zones.
//! Source: `github.com/robfig/cron/v3/parser.go`.

/// Checks a schedule.
///
/// # Errors
/// The parser's text.
pub fn check(schedule: &str) -> Result<(), String> {
    if schedule.is_empty() {
        return Err("empty spec string".to_owned());
    }
    let mut rest = schedule;
    for head in ["TZ=", "CRON_TZ="] {
        if let Some(after) = schedule.strip_prefix(head) {
            let Some((zone, tail)) = after.split_once(' ') else {
                return Err(format!(
                    "provided bad location {after}: unknown time zone {after}"
                ));
            };
            if !is_zone(zone) && zone != "Local" {
                return Err(format!(
                    "provided bad location {zone}: unknown time zone {zone}"
                ));
            }
            rest = tail.trim();
        }
    }
    if rest.starts_with('@') {
        return descriptor(rest);
    }
    let fields: Vec<&str> = rest.split_whitespace().collect();
    if fields.len() != 5 {
        return Err(format!(
            "expected exactly 5 fields, found {}: [{}]",
            fields.len(),
            fields.join(" ")
        ));
    }
    const MONTHS: [&str; 12] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    let bounds: [(u32, u32, &[&str], u32); 5] = [
        (0, 59, &[], 0),
        (0, 23, &[], 0),
        (1, 31, &[], 0),
        (1, 12, &MONTHS, 1),
        (0, 6, &DAYS, 0),
    ];
    for (field, (low, high, names, first)) in fields.iter().zip(bounds) {
        for part in field.split(',') {
            range(part, low, high, names, first)?;
        }
    }
    Ok(())
}

fn descriptor(text: &str) -> Result<(), String> {
    if let Some(span) = text.strip_prefix("@every ") {
        return match crate::base::time::SimDuration::parse(span) {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("failed to parse duration {text}: {error}")),
        };
    }
    match text {
        "@yearly" | "@annually" | "@monthly" | "@weekly" | "@daily" | "@midnight" | "@hourly" => {
            Ok(())
        }
        _ => Err(format!("unrecognized descriptor: {text}")),
    }
}

fn range(part: &str, low: u32, high: u32, names: &[&str], first: u32) -> Result<(), String> {
    let steps: Vec<&str> = part.split('/').collect();
    let ends: Vec<&str> = steps[0].split('-').collect();
    let number = |text: &str| -> Result<u32, String> {
        let lower = text.to_lowercase();
        if let Some(at) = names.iter().position(|name| *name == lower) {
            return Ok(first + u32::try_from(at).unwrap_or(0));
        }
        match text.parse::<i64>() {
            Ok(found) if found < 0 => Err(format!("negative number ({found}) not allowed: {text}")),
            Ok(found) => Ok(u32::try_from(found).unwrap_or(u32::MAX)),
            Err(_) => Err(format!(
                "failed to parse int from {text}: strconv.Atoi: parsing {text:?}: invalid syntax"
            )),
        }
    };
    let (start, mut end) = if ends[0] == "*" || ends[0] == "?" {
        (low, high)
    } else {
        let start = number(ends[0])?;
        match ends.len() {
            1 => (start, start),
            2 => (start, number(ends[1])?),
            _ => return Err(format!("too many hyphens: {part}")),
        }
    };
    match steps.len() {
        1 => {}
        2 => {
            let step = number(steps[1])?;
            if ends.len() == 1 {
                end = high;
            }
            if step == 0 {
                return Err(format!("step of range should be a positive number: {part}"));
            }
        }
        _ => return Err(format!("too many slashes: {part}")),
    }
    if start < low {
        return Err(format!(
            "beginning of range ({start}) below minimum ({low}): {part}"
        ));
    }
    if end > high {
        return Err(format!(
            "end of range ({end}) above maximum ({high}): {part}"
        ));
    }
    if start > end {
        return Err(format!(
            "beginning of range ({start}) beyond end of range ({end}): {part}"
        ));
    }
    Ok(())
}

/// Whether a name has the form of the time zone database's names: a known area and a place, or one of
/// the names without an area. Places are not looked up.
pub fn is_zone(name: &str) -> bool {
    const AREAS: [&str; 16] = [
        "Africa",
        "America",
        "Antarctica",
        "Arctic",
        "Asia",
        "Atlantic",
        "Australia",
        "Brazil",
        "Canada",
        "Chile",
        "Etc",
        "Europe",
        "Indian",
        "Mexico",
        "Pacific",
        "US",
    ];
    const PLAIN: [&str; 38] = [
        "CET",
        "CST6CDT",
        "Cuba",
        "EET",
        "EST",
        "EST5EDT",
        "Egypt",
        "Eire",
        "GB",
        "GB-Eire",
        "GMT",
        "GMT+0",
        "GMT-0",
        "GMT0",
        "Greenwich",
        "HST",
        "Hongkong",
        "Iceland",
        "Iran",
        "Israel",
        "Jamaica",
        "Japan",
        "Kwajalein",
        "Libya",
        "MET",
        "MST",
        "MST7MDT",
        "NZ",
        "PRC",
        "PST8PDT",
        "Poland",
        "Portugal",
        "ROC",
        "ROK",
        "Singapore",
        "Turkey",
        "UTC",
        "Universal",
    ];
    match name.split_once('/') {
        None => PLAIN.contains(&name) || matches!(name, "UCT" | "W-SU" | "WET" | "Zulu" | "Navajo"),
        Some((area, place)) => {
            AREAS.contains(&area)
                && !place.is_empty()
                && place.starts_with(|letter: char| letter.is_ascii_uppercase())
                && place.chars().all(|letter| {
                    letter.is_ascii_alphanumeric() || matches!(letter, '/' | '_' | '-' | '+')
                })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{check, is_zone};

    #[test]
    fn schedules_fail_in_the_parsers_words() {
        for good in [
            "*/5 * * * *",
            "0 9-17 * jan-mar mon",
            "@hourly",
            "@every 1h",
            "0 0 1,15 * ?",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let cases = [
            ("bad", "expected exactly 5 fields, found 1: [bad]"),
            ("60 * * * *", "end of range (60) above maximum (59): 60"),
            ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
            (
                "5-2 * * * *",
                "beginning of range (5) beyond end of range (2): 5-2",
            ),
            (
                "*/0 * * * *",
                "step of range should be a positive number: */0",
            ),
            (
                "a * * * *",
                "failed to parse int from a: strconv.Atoi: parsing \"a\": invalid syntax",
            ),
            ("@foo", "unrecognized descriptor: @foo"),
        ];
        for (text, why) in cases {
            assert_eq!(check(text), Err(why.to_owned()));
        }
        assert!(is_zone("Europe/Berlin") && is_zone("UTC") && !is_zone("Mars/Base"));
    }
}
