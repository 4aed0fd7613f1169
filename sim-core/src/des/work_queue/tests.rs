use super::*;

fn second(seconds: u64) -> SimTime {
    SimTime::ZERO + SimDuration::from_secs(seconds)
}

#[test]
fn a_key_waits_once_and_keeps_its_first_cause() {
    let mut queue = WorkQueue::new();
    assert!(queue.add("web", Seq(1)));
    assert!(!queue.add("web", Seq(2)));
    assert_eq!(queue.begin("api"), None);
    assert_eq!(queue.begin("web"), Some(Seq(1)));
    assert_eq!(queue.begin("web"), None);
    assert!(!queue.done("web"));
    assert_eq!(queue.begin("web"), None);
    assert!(queue.entries.is_empty());
}

#[test]
fn a_key_marked_while_it_is_processed_comes_once_more() {
    let mut queue = WorkQueue::new();
    queue.add(7, Seq(1));
    queue.begin(7);
    assert!(!queue.add(7, Seq(2)));
    assert!(!queue.add(7, Seq(3)));
    assert_eq!(queue.begin(7), None);
    assert!(queue.done(7));
    assert_eq!(queue.waiting().collect::<Vec<_>>(), [7]);
    assert_eq!(queue.begin(7), Some(Seq(2)));
    assert!(!queue.done(7));
}

#[test]
#[should_panic(expected = "done without begin")]
fn what_was_not_begun_is_not_done() {
    let mut queue = WorkQueue::new();
    queue.add(7, Seq(1));
    queue.done(7);
}

#[test]
fn failures_back_off_to_the_cap_and_are_forgotten() {
    let mut queue = WorkQueue::new();
    let delays: Vec<String> = (0..20)
        .map(|_| queue.retry("web", second(0)).to_string())
        .collect();
    assert_eq!(delays[..4], ["5ms", "10ms", "20ms", "40ms"]);
    assert_eq!(delays[14], "1m21.92s");
    assert_eq!(delays[18..], ["16m40s", "16m40s"]);
    assert_eq!(queue.failures("web"), 20);
    queue.forget("web");
    assert!(queue.entries.is_empty());
    assert_eq!(queue.retry("web", second(0)).to_string(), "5ms");
    let mut jobs = WorkQueue::with_back_off(SimDuration::from_secs(1), SimDuration::from_secs(60));
    let delays: Vec<u64> = (0..80)
        .map(|_| jobs.retry(1, second(0)).as_secs())
        .collect();
    assert_eq!(delays[..7], [1, 2, 4, 8, 16, 32, 60]);
    assert_eq!(delays[79], 60);
}

#[test]
fn many_keys_failing_together_wait_for_the_shared_bucket() {
    let mut queue = WorkQueue::new();
    let delays: Vec<SimDuration> = (0..110).map(|key| queue.retry(key, second(1))).collect();
    assert_eq!(delays[99], SimDuration::from_millis(5));
    assert_eq!(delays[100], SimDuration::from_millis(100));
    assert_eq!(delays[109], SimDuration::from_secs(1));
}

#[test]
fn slow_rates_are_exact() {
    // The zone limiter's 0.1 and 0.01 per second: the first at once, then one per 10 s or 100 s.
    for (rate, period) in [(100_000, 10), (10_000, 100)] {
        let mut bucket = TokenBucket::new(rate, 1);
        assert!(bucket.take(second(1_000)));
        assert_eq!(bucket.next_at(), second(1_000 + period));
        let early = bucket.next_at().saturating_sub(SimDuration::from_micros(1));
        assert!(!bucket.take(early));
        assert!(bucket.take(second(1_000 + period)));
        assert!(!bucket.take(second(1_000 + period)));
    }
}

#[test]
fn a_bucket_holds_its_burst_and_no_more() {
    let mut bucket = TokenBucket::per_second(5, 10);
    assert!((0..10).all(|_| bucket.take(second(100))));
    assert!(!bucket.take(second(100)));
    assert!((0..5).all(|_| bucket.take(second(101))));
    assert!(!bucket.take(second(101)));
    assert!((0..10).all(|_| bucket.take(second(10_000))));
    assert!(!bucket.take(second(10_000)));
    bucket.set_rate(second(10_000), 0);
    assert_eq!(bucket.next_at(), SimTime::MAX);
    assert_eq!(bucket.reserve(second(10_000)), SimDuration::MAX);
    // Without a burst nothing ever passes.
    assert_eq!(TokenBucket::per_second(5, 0).next_at(), SimTime::MAX);
}

/// `next_at` is the first microsecond at which `take` succeeds.
#[test]
fn next_at_is_exact() {
    arbtest::arbtest(|u| {
        let rate = u.int_in_range(1..=200_000_000)?;
        let mut bucket = TokenBucket::new(rate, u.int_in_range(1..=100)?);
        let mut now = SimTime::ZERO;
        for _ in 0..u.int_in_range(0..=30)? {
            now += SimDuration::from_micros(u.int_in_range(0..=3_000_000)?);
            while bucket.take(now) {}
            let next = bucket.next_at();
            assert!(next > now);
            assert!(
                !bucket
                    .clone()
                    .take(next.saturating_sub(SimDuration::from_micros(1)))
            );
            assert!(bucket.clone().take(next));
        }
        Ok(())
    });
}

#[test]
fn slow_start_doubles() {
    let batches = |total| slow_start_batches(total).collect::<Vec<_>>();
    assert_eq!(batches(0), []);
    assert_eq!(batches(1), [1]);
    assert_eq!(batches(10), [1, 2, 4, 3]);
    assert_eq!(batches(500).iter().sum::<u32>(), 500);
    assert_eq!(
        slow_start_batches(u32::MAX).map(u64::from).sum::<u64>(),
        u64::from(u32::MAX)
    );
}
