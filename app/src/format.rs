//! Numbers as people read them. No words: those are in the locale files.

/// A time of the run: `7:05.2`, in hours too where there are any.
#[must_use]
pub fn clock(us: u64) -> String {
    let tenths = us / 100_000;
    let (seconds, tenth) = (tenths / 10, tenths % 10);
    let (minutes, second) = (seconds / 60, seconds % 60);
    if minutes >= 60 {
        return format!("{}:{:02}:{second:02}.{tenth}", minutes / 60, minutes % 60);
    }
    format!("{minutes}:{second:02}.{tenth}")
}

/// A text whose arrows are one letter, which no line is broken within.
#[must_use]
pub fn arrows(text: &str) -> String {
    text.replace("->", "→")
}

/// A span: `5 ms`, `0.25 s`, `41.2 s`, `6 min 32 s`.
#[must_use]
pub fn span(us: u64) -> String {
    match us {
        1..10_000 => format!("{} ms", us.div_ceil(1_000)),
        0..10_000_000 => format!("{}.{:02} s", us / 1_000_000, us % 1_000_000 / 10_000),
        10_000_000..120_000_000 => format!("{}.{} s", us / 1_000_000, us % 1_000_000 / 100_000),
        _ => format!("{} min {} s", us / 60_000_000, us / 1_000_000 % 60),
    }
}

/// Millionths as a percentage, rounded down so that 100 % means all.
#[must_use]
pub fn percent(ppm: u32) -> String {
    let tenths = ppm / 1_000;
    if tenths.is_multiple_of(10) {
        format!("{} %", tenths / 10)
    } else {
        format!("{}.{} %", tenths / 10, tenths % 10)
    }
}

/// Thousandths of real time as a factor: `0.1`, `10`.
#[must_use]
pub fn factor(milli: u64) -> String {
    if milli.is_multiple_of(1_000) {
        (milli / 1_000).to_string()
    } else {
        format!("{}.{}", milli / 1_000, milli % 1_000 / 100)
    }
}

/// A unit's name without what its place says already: a pod keeps its workload and its suffix, a
/// task and a container lose the name of their stack or project.
#[must_use]
pub fn short_name(name: &str, workload: &str) -> String {
    let Some(at) = name.find(workload).filter(|_| !workload.is_empty()) else {
        return name.to_owned();
    };
    let rest = &name[at + workload.len()..];
    match rest.rsplit_once('-') {
        Some((hash, suffix)) if !hash.is_empty() => format!("{workload}-{suffix}"),
        Some(_) | None => format!("{workload}{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_people_write_them() {
        assert_eq!(clock(425_200_000), "7:05.2");
        assert_eq!(clock(3_725_000_000), "1:02:05.0");
        assert_eq!(span(250_000), "0.25 s");
        assert_eq!((span(0).as_str(), span(4_200).as_str()), ("0.00 s", "5 ms"));
        assert_eq!(span(41_230_000), "41.2 s");
        assert_eq!(span(392_000_000), "6 min 32 s");
        assert_eq!(percent(999_999), "99.9 %");
        assert_eq!(percent(1_000_000), "100 %");
        assert_eq!(factor(100), "0.1");
        assert_eq!(factor(10_000), "10");
    }

    #[test]
    fn names_lose_what_their_place_says() {
        assert_eq!(short_name("poll-6d5f7c9b8-x2k4q", "poll"), "poll-x2k4q");
        assert_eq!(short_name("app_poll.1", "poll"), "poll.1");
        assert_eq!(short_name("app-poll-1", "poll"), "poll-1");
        assert_eq!(short_name("lonely", "other"), "lonely");
    }
}
