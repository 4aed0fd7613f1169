use super::*;

fn stream(purpose: &'static str, draw: u32) -> Stream {
    Stream::new(Seed(1), purpose, stable_hash("web-0"), draw)
}

#[test]
fn streams_are_named() {
    let first = |mut stream: Stream| stream.bits();
    assert_eq!(first(stream("jitter", 0)), first(stream("jitter", 0)));
    assert_ne!(first(stream("jitter", 0)), first(stream("jitter", 1)));
    assert_ne!(first(stream("jitter", 0)), first(stream("crash", 0)));
    let other = Stream::new(Seed(2), "jitter", stable_hash("web-0"), 0);
    assert_ne!(first(stream("jitter", 0)), first(other));
}

/// Links carry seeds: a change of these numbers breaks everybody's saved runs.
#[test]
fn the_numbers_are_those_of_every_target_and_version() {
    assert_eq!(stable_hash(""), 0xcbf2_9ce4_8422_2325);
    assert_eq!(stable_hash("a"), 0xaf63_dc4c_8601_ec8c);
    assert_eq!(stable_hash("foobar"), 0x8594_4171_f739_67e8);
    assert_ne!(
        stable_hash_parts(&["a", "bc"]),
        stable_hash_parts(&["ab", "c"])
    );
    let mut stream = stream("jitter", 0);
    let drawn = (stream.bits(), stream.below(1_000), stream.between(10, 20));
    expect_test::expect!["(16907812556629881705, 219, 10)"].assert_eq(&format!("{drawn:?}"));
}

#[test]
fn numbers_stay_in_range_and_are_even() {
    let mut stream = stream("range", 0);
    let mut counts = [0_u32; 6];
    for _ in 0..60_000 {
        counts[stream.below(6) as usize] += 1;
    }
    assert!(
        counts.iter().all(|count| (9_600..10_400).contains(count)),
        "{counts:?}"
    );
    for _ in 0..1_000 {
        assert!((5..=7).contains(&stream.between(5, 7)));
    }
    assert_eq!(stream.between(3, 3), 3);
    stream.between(0, u64::MAX);
    assert_eq!(stream.below(1), 0);
    assert_eq!(stream.pick::<u8>(&[]), None);
    let mut items = [0, 1, 2, 3, 4, 5, 6, 7];
    stream.shuffle(&mut items);
    items.sort_unstable();
    assert_eq!(items, [0, 1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn chances_are_kept() {
    let mut stream = stream("chance", 0);
    let hits = (0..100_000)
        .filter(|_| stream.chance(Ratio::percent(30)))
        .count();
    assert!((29_500..30_500).contains(&hits), "{hits}");
    assert!((0..100).all(|_| stream.chance(Ratio::ONE)));
    assert!(!(0..100).any(|_| stream.chance(Ratio::ZERO)));
}

#[test]
fn logarithms_are_exact_to_the_last_bits() {
    assert_eq!(log2(1), 0);
    assert_eq!(log2(1 << 40), 40 << LOG_BITS);
    // log2(10) = 3.321928094887362...
    let ten = (u128::from(log2(10)) * 1_000_000_000_000) >> LOG_BITS;
    assert_eq!(ten, 3_321_928_094_887);
}

#[test]
fn exponential_spans_have_their_mean_and_median() {
    let mean = SimDuration::from_secs(10);
    let mut stream = stream("exponential", 0);
    let mut spans: Vec<u64> = (0..50_000)
        .map(|_| stream.exponential(mean).as_micros())
        .collect();
    spans.sort_unstable();
    let drawn = spans.iter().sum::<u64>() / 50_000;
    assert!((9_850_000..10_150_000).contains(&drawn), "{drawn}");
    // ln 2 of the mean.
    assert!(
        (6_800_000..7_060_000).contains(&spans[25_000]),
        "{}",
        spans[25_000]
    );
    assert_eq!(stream.exponential(SimDuration::ZERO), SimDuration::ZERO);
}

#[test]
fn geometric_counts_have_their_mean() {
    let mut stream = stream("geometric", 0);
    let total: u64 = (0..50_000)
        .map(|_| stream.geometric(Ratio::new(1, 5)))
        .sum();
    // (1 - p) / p = 4.
    assert!((196_000..204_000).contains(&total), "{total}");
    assert_eq!(stream.geometric(Ratio::ONE), 0);
    assert_eq!(stream.geometric(Ratio::ZERO), u64::MAX);
    let rare: u64 = (0..1_000)
        .map(|_| stream.geometric(Ratio::new(1, u32::MAX)) / 1_000)
        .sum();
    assert!((3_900_000_000..4_700_000_000).contains(&rare), "{rare}");
}
