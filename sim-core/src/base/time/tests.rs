use super::*;

#[test]
fn durations_are_written_as_go_does_rounded_to_milliseconds() {
    let cases = [
        (0, "0s"),
        (1, "1µs"),
        (999, "999µs"),
        (1_499, "1ms"),
        (1_500, "2ms"),
        (350_000, "350ms"),
        (999_600, "1s"),
        (12_350_000, "12.35s"),
        (63_250_000, "1m3.25s"),
        (341_000_000, "5m41s"),
        (60_000_000, "1m0s"),
        (3_600_000_000, "1h0m0s"),
        (3_723_000_000, "1h2m3s"),
        (90_000_000_000, "25h0m0s"),
    ];
    for (micros, text) in cases {
        assert_eq!(SimDuration::from_micros(micros).to_string(), text);
    }
    assert_eq!(SimDuration::from_micros(1_500).exact(), "1.5ms");
    assert_eq!(SimDuration::from_micros(1_000_001).exact(), "1.000001s");
    assert_eq!(SimDuration::from_micros(60_000_010).exact(), "1m0.00001s");
    // The largest does not overflow while it is rounded.
    assert!(SimDuration::MAX.to_string().ends_with('s'));
}

#[test]
fn durations_are_read_as_go_does() {
    let cases = [
        ("0", 0),
        ("+0", 0),
        ("-0", 0),
        ("0s", 0),
        ("1h30m", 5_400_000_000),
        ("1.5s", 1_500_000),
        ("300ms", 300_000),
        ("2us", 2),
        ("2µs", 2),
        ("2μs", 2),
        ("3000ns", 3),
        (".5s", 500_000),
        ("1.s", 1_000_000),
        ("+5s", 5_000_000),
        ("5m0s", 300_000_000),
        ("0.000001s", 1),
    ];
    for (text, micros) in cases {
        assert_eq!(
            SimDuration::parse(text),
            Ok(SimDuration::from_micros(micros)),
            "{text}"
        );
    }
}

#[test]
fn bad_durations_are_refused_in_gos_words() {
    let cases = [
        ("", r#"time: invalid duration """#),
        ("abc", r#"time: invalid duration "abc""#),
        (".s", r#"time: invalid duration ".s""#),
        ("-", r#"time: invalid duration "-""#),
        ("5", r#"time: missing unit in duration "5""#),
        ("1h5", r#"time: missing unit in duration "1h5""#),
        ("5d", r#"time: unknown unit "d" in duration "5d""#),
        ("5 s", r#"time: unknown unit " s" in duration "5 s""#),
        ("9999999999h", r#"time: invalid duration "9999999999h""#),
        (
            "99999999999999999999999s",
            r#"time: invalid duration "99999999999999999999999s""#,
        ),
        ("-5s", r#"negative duration "-5s""#),
        (
            "1ns",
            r#"duration "1ns" is not a whole number of microseconds"#,
        ),
    ];
    for (text, error) in cases {
        assert_eq!(SimDuration::parse(text), Err(error.to_owned()));
    }
}

#[test]
fn a_written_duration_is_read_back() {
    arbtest::arbtest(|u| {
        // Go's durations end at 2^63 nanoseconds.
        let span = SimDuration::from_micros(u.int_in_range(0..=i64::MAX as u64 / 1_000)?);
        assert_eq!(SimDuration::parse(&span.exact()), Ok(span));
        Ok(())
    });
}

#[test]
fn any_text_is_read_or_refused() {
    arbtest::arbtest(|u| {
        let _ = SimDuration::parse(u.arbitrary()?);
        Ok(())
    });
}

#[test]
fn the_calendar_starts_in_2026_and_knows_leap_years() {
    let day = |days: u64| SimTime::ZERO + SimDuration::from_secs(days * 86_400);
    assert_eq!(SimTime::ZERO.rfc3339(), "2026-01-01T00:00:00Z");
    assert_eq!(SimTime::ZERO.civil().weekday, 4);
    assert_eq!(day(31).rfc3339(), "2026-02-01T00:00:00Z");
    assert_eq!(day(59).rfc3339(), "2026-03-01T00:00:00Z");
    assert_eq!(day(365 + 365 + 59).rfc3339(), "2028-02-29T00:00:00Z");
    assert_eq!(day(365 + 365 + 366).rfc3339(), "2029-01-01T00:00:00Z");
    let late = SimTime::from_micros(86_399_999_999);
    assert_eq!(late.rfc3339(), "2026-01-01T23:59:59Z");
    assert_eq!(late.rfc3339_micros(), "2026-01-01T23:59:59.999999Z");
    assert_eq!(
        late.truncated_to_second().rfc3339_micros(),
        "2026-01-01T23:59:59.000000Z"
    );
    // 2100 is no leap year: the day after its 28 February is 1 March.
    let days_to_2100 = 74 * 365 + 18;
    assert_eq!(day(days_to_2100 + 59).rfc3339(), "2100-03-01T00:00:00Z");
    // The end of time has a date as well.
    assert!(SimTime::MAX.rfc3339().ends_with('Z'));
}

#[test]
fn never_stays_never() {
    assert_eq!(SimTime::MAX + SimDuration::from_secs(1), SimTime::MAX);
    assert_eq!(SimTime::MAX.checked_add(SimDuration::from_micros(1)), None);
    assert_eq!(SimTime::ZERO.since(SimTime::MAX), SimDuration::ZERO);
    assert_eq!(SimDuration::MAX * 2, SimDuration::MAX);
    assert_eq!(
        SimDuration::from_secs(10).scaled(3, 4),
        SimDuration::from_millis(7_500)
    );
}
