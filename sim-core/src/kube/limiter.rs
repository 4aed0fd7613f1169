//! A client's token bucket, as client-go's `flowcontrol` has it, kept as one time.

use crate::base::time::{SimDuration, SimTime};

/// A rate limiter: so many calls at once, then one per interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limiter {
    interval: SimDuration,
    burst: u64,
    /// When the bucket will be full again.
    full_at: SimTime,
}

impl Limiter {
    /// `per_second` calls a second after a burst.
    pub const fn new(per_second: u64, burst: u64) -> Self {
        Self {
            interval: SimDuration::from_micros(1_000_000 / per_second),
            burst,
            full_at: SimTime::ZERO,
        }
    }

    /// Changes the rate; tokens already taken stay taken.
    pub const fn configure(&mut self, per_second: u64, burst: u64) {
        self.interval = SimDuration::from_micros(1_000_000 / per_second);
        self.burst = burst;
    }

    /// When the next call is let through.
    pub fn ready_at(&self, now: SimTime) -> SimTime {
        let slack = self.interval.saturating_mul(self.burst - 1);
        let earliest = self.full_at.saturating_sub(slack);
        if earliest > now { earliest } else { now }
    }

    /// Takes a token for a call at the earliest time there is one, and returns that time.
    pub fn take(&mut self, now: SimTime) -> SimTime {
        let at = self.ready_at(now);
        let base = if self.full_at > at { self.full_at } else { at };
        self.full_at = base + self.interval;
        at
    }

    /// Puts back a token that was taken ahead of time and is about to be used or not needed.
    pub fn give_back(&mut self) {
        self.full_at = self.full_at.saturating_sub(self.interval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_calls_at_once_then_twenty_a_second() {
        let mut limiter = Limiter::new(20, 30);
        let now = SimTime::from_micros(5_000_000);
        let times: Vec<u64> = (0..33)
            .map(|_| limiter.take(now).since(now).as_millis())
            .collect();
        assert_eq!(times[..30], [0; 30]);
        assert_eq!(times[30..], [50, 100, 150]);
    }
}
