//! The doubling wait between restarts of a container, and between pulls of an image.
//!
//! Source: `staging/src/k8s.io/client-go/util/flowcontrol/backoff.go`, `pkg/kubelet/kuberuntime/kuberuntime_manager.go`.

use crate::base::time::{SimDuration, SimTime};

/// First wait. Source: `pkg/kubelet/kubelet.go` (`backOffPeriod`, `imageBackOffPeriod`).
pub const INITIAL: SimDuration = SimDuration::from_secs(10);
/// Longest wait. Source: `pkg/kubelet/kubelet.go` (`MaxContainerBackOff`, `MaxImageBackOff`).
pub const MAX: SimDuration = SimDuration::from_secs(300);

/// One key's back-off. Forgotten when its last step is twice the longest wait ago.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Backoff {
    wait: SimDuration,
    updated: SimTime,
}

impl Backoff {
    /// No wait.
    pub const NONE: Self = Self {
        wait: SimDuration::ZERO,
        updated: SimTime::ZERO,
    };

    /// The wait that counts from `event`, if there is one: a crash at `event` is restarted no
    /// sooner than this much later.
    pub fn wait_since(&self, event: SimTime, max: SimDuration) -> Option<SimDuration> {
        (self.wait > SimDuration::ZERO && !self.has_expired(event, max)).then_some(self.wait)
    }

    /// Until when it holds, counted from its last step; it may be over.
    /// Source: as above, `IsInBackOffSinceUpdate`.
    pub fn until(&self) -> SimTime {
        self.updated + self.wait
    }

    /// Takes the next step because of something that happened at `event`.
    pub fn step(&mut self, event: SimTime, now: SimTime, max: SimDuration) {
        let first = INITIAL.min(max);
        self.wait = match self.wait_since(event, max) {
            Some(wait) => wait.saturating_mul(2).min(max),
            None => first,
        };
        self.updated = now;
    }

    fn has_expired(&self, event: SimTime, max: SimDuration) -> bool {
        event > self.updated && event.since(self.updated) > max.saturating_mul(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(time: SimTime) -> u64 {
        time.as_micros() / 1_000_000
    }

    /// Reference 12.5.1: a container that exits at once.
    #[test]
    fn crash_trace() {
        let mut backoff = Backoff::default();
        let mut now = SimTime::ZERO;
        let mut starts = vec![0];
        for _ in 0..8 {
            // It exits as it starts, and is looked at then.
            let finished = now;
            if let Some(wait) = backoff.wait_since(finished, MAX) {
                now = finished + wait;
            }
            backoff.step(finished, now, MAX);
            starts.push(seconds(now));
        }
        assert_eq!(starts, [0, 0, 10, 30, 70, 150, 310, 610, 910]);
    }

    #[test]
    fn ten_minutes_of_running_forgive() {
        let mut backoff = Backoff::default();
        backoff.step(SimTime::ZERO, SimTime::ZERO, MAX);
        let limit = SimTime::ZERO + SimDuration::from_secs(600);
        assert_eq!(backoff.wait_since(limit, MAX), Some(INITIAL));
        assert_eq!(
            backoff.wait_since(limit + SimDuration::from_micros(1), MAX),
            None
        );
    }
}
