//! The de-duplicating keyed queue of control loops, with back-off; token buckets; slow start.
//!
//! The queue holds no order: a key that must be looked at becomes one scheduled event, and this
//! tells when.
//!
//! ```text
//! change -> add(key) is true  -> schedule Sync{key}
//! Sync   -> begin(key) -> reconcile -> done(key) is true  -> schedule Sync{key} again
//!                          failed   -> retry(key, now) = delay -> schedule Retry{key} after it
//! Retry  -> add(key) is true -> schedule Sync{key}
//! ```

use crate::base::sorted::SortedMap;
use crate::base::time::{SimDuration, SimTime};
use crate::des::queue::Seq;

/// First delay of the default back-off.
/// Source: `staging/src/k8s.io/client-go/util/workqueue/default_rate_limiters.go`.
pub const DEFAULT_BACK_OFF_BASE: SimDuration = SimDuration::from_millis(5);
/// Longest delay of the default back-off. Source: as [`DEFAULT_BACK_OFF_BASE`].
pub const DEFAULT_BACK_OFF_CAP: SimDuration = SimDuration::from_secs(1_000);
/// Retries per second of a whole queue. Source: as [`DEFAULT_BACK_OFF_BASE`].
pub const DEFAULT_RETRIES_PER_SECOND: u32 = 10;
/// Retries that may come at once. Source: as [`DEFAULT_BACK_OFF_BASE`].
pub const DEFAULT_RETRY_BURST: u32 = 100;

/// Which keys wait for a control loop, which it holds, and how often each failed.
#[derive(Clone, Debug)]
pub struct WorkQueue<K> {
    entries: SortedMap<K, Entry>,
    back_off: BackOff,
    /// Shared by all keys; `None` where the loop's limiter is per key only.
    bucket: Option<TokenBucket>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// Must be looked at (again), because of this.
    dirty: Option<Seq>,
    is_processing: bool,
    failures: u32,
}

impl<K: Ord + Copy> WorkQueue<K> {
    /// A queue with client-go's default controller rate limiter.
    pub fn new() -> Self {
        let bucket = TokenBucket::per_second(DEFAULT_RETRIES_PER_SECOND, DEFAULT_RETRY_BURST);
        Self {
            entries: SortedMap::new(),
            back_off: BackOff::new(DEFAULT_BACK_OFF_BASE, DEFAULT_BACK_OFF_CAP),
            bucket: Some(bucket),
        }
    }

    /// A queue whose limiter is per key only, with this back-off.
    pub const fn with_back_off(base: SimDuration, cap: SimDuration) -> Self {
        Self {
            entries: SortedMap::new(),
            back_off: BackOff::new(base, cap),
            bucket: None,
        }
    }

    /// A queue with this back-off per key and this bucket for all.
    pub const fn with_limits(base: SimDuration, cap: SimDuration, bucket: TokenBucket) -> Self {
        Self {
            entries: SortedMap::new(),
            back_off: BackOff::new(base, cap),
            bucket: Some(bucket),
        }
    }

    /// Marks `key`. True when the caller must schedule it; false when it waits already (the first
    /// cause stays) or is being processed ([`WorkQueue::done`] will tell).
    pub fn add(&mut self, key: K, cause: Seq) -> bool {
        let entry = self.entries.entry(key).or_default();
        if entry.dirty.is_some() {
            return false;
        }
        entry.dirty = Some(cause);
        !entry.is_processing
    }

    /// Takes `key` to process it and returns why; `None` when it does not wait or is being
    /// processed.
    pub fn begin(&mut self, key: K) -> Option<Seq> {
        let entry = self.entries.get_mut(&key)?;
        if entry.is_processing {
            return None;
        }
        let cause = entry.dirty.take()?;
        entry.is_processing = true;
        Some(cause)
    }

    /// Ends the processing of `key`. True when it was marked meanwhile: the caller must schedule
    /// it again. Panics when it was not being processed.
    pub fn done(&mut self, key: K) -> bool {
        let entry = self
            .entries
            .get_mut(&key)
            .filter(|entry| entry.is_processing);
        let entry = entry.expect("done without begin");
        entry.is_processing = false;
        let is_dirty = entry.dirty.is_some();
        self.drop_if_idle(key);
        is_dirty
    }

    /// Counts a failure of `key` and returns after how long it is to be added again: the larger of
    /// its own back-off and the wait for the queue's bucket.
    pub fn retry(&mut self, key: K, now: SimTime) -> SimDuration {
        let entry = self.entries.entry(key).or_default();
        let own = self.back_off.delay(entry.failures);
        entry.failures = entry.failures.saturating_add(1);
        let shared = self
            .bucket
            .as_mut()
            .map_or(SimDuration::ZERO, |bucket| bucket.reserve(now));
        own.max(shared)
    }

    /// Forgets the failures of `key`: it succeeded, or is given up.
    pub fn forget(&mut self, key: K) {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.failures = 0;
            self.drop_if_idle(key);
        }
    }

    /// Failures of `key` since it was last forgotten.
    pub fn failures(&self, key: K) -> u32 {
        self.entries.get(&key).map_or(0, |entry| entry.failures)
    }

    /// Whether `key` waits to be processed.
    pub fn is_waiting(&self, key: K) -> bool {
        self.entries
            .get(&key)
            .is_some_and(|entry| entry.dirty.is_some())
    }

    /// Keys that wait to be processed, in key order.
    pub fn waiting(&self) -> impl Iterator<Item = K> + '_ {
        self.entries
            .iter()
            .filter(|(_, entry)| entry.dirty.is_some())
            .map(|(key, _)| *key)
    }

    fn drop_if_idle(&mut self, key: K) {
        let is_idle = self.entries.get(&key).is_some_and(|entry| {
            entry.dirty.is_none() && !entry.is_processing && entry.failures == 0
        });
        if is_idle {
            self.entries.remove(&key);
        }
    }
}

impl<K: Ord + Copy> Default for WorkQueue<K> {
    fn default() -> Self {
        Self::new()
    }
}

/// A delay that doubles with each failure, up to a cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BackOff {
    /// After the first failure.
    pub base: SimDuration,
    /// The longest.
    pub cap: SimDuration,
}

impl BackOff {
    /// From `base`, doubling, up to `cap`.
    pub const fn new(base: SimDuration, cap: SimDuration) -> Self {
        Self { base, cap }
    }

    /// The delay after a failure that `earlier` failures came before.
    pub fn delay(&self, earlier: u32) -> SimDuration {
        let factor = 1_u64.checked_shl(earlier).unwrap_or(u64::MAX);
        self.base.saturating_mul(factor).min(self.cap)
    }
}

/// Tokens come at a fixed rate up to a burst; each action takes one. Starts full.
///
/// Counted in millionths of a millionth, so that rates such as 0.01 per second are exact at every
/// microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenBucket {
    /// Millionths of a token per second; equally, token fractions per microsecond.
    rate: u64,
    burst: u32,
    /// In fractions; below zero when reservations were made ahead.
    level: i128,
    updated: SimTime,
}

/// Parts a token is counted in.
const FRACTIONS: i128 = 1_000_000_000_000;

impl TokenBucket {
    /// A full bucket of `burst` tokens that refills `micro_tokens_per_second` millionths of a
    /// token per second: 10 per second is 10,000,000; 0.1 per second is 100,000.
    pub const fn new(micro_tokens_per_second: u64, burst: u32) -> Self {
        Self {
            rate: micro_tokens_per_second,
            burst,
            level: burst as i128 * FRACTIONS,
            updated: SimTime::ZERO,
        }
    }

    /// A full bucket of `burst` tokens that refills `tokens` per second.
    pub const fn per_second(tokens: u32, burst: u32) -> Self {
        Self::new(tokens as u64 * 1_000_000, burst)
    }

    /// Takes a token if one is there.
    pub fn take(&mut self, now: SimTime) -> bool {
        self.refill(now);
        if self.level < FRACTIONS {
            return false;
        }
        self.level -= FRACTIONS;
        true
    }

    /// Takes a token in any case, ahead of time if need be, and returns how long to wait for it;
    /// [`SimDuration::MAX`] when it never comes.
    pub fn reserve(&mut self, now: SimTime) -> SimDuration {
        self.refill(now);
        self.level -= FRACTIONS;
        self.wait_for(0)
    }

    /// The earliest time, not before the last use, when [`TokenBucket::take`] succeeds.
    pub fn next_at(&self) -> SimTime {
        self.updated + self.wait_for(FRACTIONS)
    }

    /// Changes the rate from `now` on and keeps the tokens, as a zone's limiter is switched.
    pub fn set_rate(&mut self, now: SimTime, micro_tokens_per_second: u64) {
        self.refill(now);
        self.rate = micro_tokens_per_second;
    }

    /// Millionths of a token per second.
    pub const fn rate(&self) -> u64 {
        self.rate
    }

    fn refill(&mut self, now: SimTime) {
        let elapsed = now.since(self.updated).as_micros();
        let full = i128::from(self.burst) * FRACTIONS;
        self.level = (self.level + i128::from(elapsed) * i128::from(self.rate)).min(full);
        self.updated = self.updated.max(now);
    }

    fn wait_for(&self, level: i128) -> SimDuration {
        if self.level >= level {
            return SimDuration::ZERO;
        }
        if self.rate == 0 || level > i128::from(self.burst) * FRACTIONS {
            return SimDuration::MAX;
        }
        let missing = (level - self.level).unsigned_abs();
        let micros = missing.div_ceil(u128::from(self.rate));
        SimDuration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}

/// Sizes of the batches in which `total` calls are made: 1, 2, 4, ... and the rest, each only after
/// the one before succeeded. Source: `pkg/controller/replicaset/replica_set.go`, slow start.
pub fn slow_start_batches(total: u32) -> impl Iterator<Item = u32> + Clone {
    let mut rest = total;
    let mut size = 1_u32;
    std::iter::from_fn(move || {
        let batch = size.min(rest);
        rest -= batch;
        size = size.saturating_mul(2);
        (batch > 0).then_some(batch)
    })
}

#[cfg(test)]
mod tests;
