//! How long a Job waits after failures: 10 s, doubled with each in a row, at most 10 minutes.
//! Source: `pkg/controller/job/backoff_utils.go`.

use crate::base::time::{SimDuration, SimTime};
use crate::kube::rows::PodId;
use crate::kube::rows::job::{Backoff, Ended};
use crate::kube::rows::pod::{ContainerState, PodCondition, PodFlags, PodRow, signed_s};
use crate::kube::turn::Turn;

/// First wait. Source: `job_controller.go`, `DefaultJobPodFailureBackOff`.
pub const BASE: SimDuration = SimDuration::from_secs(10);
/// Longest wait. Source: as above, `MaxJobPodFailureBackOff`.
pub const LONGEST: SimDuration = SimDuration::from_secs(600);

/// Takes in pods that have just been counted, in the order of their ends.
pub fn record(backoff: &mut Backoff, ends: &[Ended]) {
    let success = ends
        .iter()
        .filter(|end| !end.failed)
        .map(|end| end.at_s)
        .max();
    if let Some(success) = success {
        backoff.success_s = Some(backoff.success_s.map_or(success, |old| old.max(success)));
        backoff.failures = 0;
    }
    for end in ends.iter().filter(|end| end.failed) {
        if backoff.success_s.is_none_or(|success| end.at_s > success) {
            backoff.last_s = if backoff.failures == 0 {
                end.at_s
            } else {
                backoff.last_s.max(end.at_s)
            };
            backoff.failures = backoff.failures.saturating_add(1);
        }
    }
}

/// Wait after so many failures in a row.
pub fn delay(failures: u64, base: SimDuration, longest: SimDuration) -> SimDuration {
    if failures == 0 {
        return SimDuration::ZERO;
    }
    let factor = 1_u64.checked_shl(u32::try_from(failures - 1).unwrap_or(63).min(40));
    let wait = base.saturating_mul(factor.unwrap_or(u64::MAX));
    if wait > longest { longest } else { wait }
}

/// When the next pod may be made; `None`: at once.
pub fn until(backoff: &Backoff) -> Option<SimTime> {
    after(u64::from(backoff.failures), backoff.last_s)
}

/// The same for so many failures, the newest at that second.
pub fn after(failures: u64, last_s: i64) -> Option<SimTime> {
    let wait = i64::try_from(delay(failures, BASE, LONGEST).as_secs()).unwrap_or(i64::MAX / 4);
    // A wait that was over before the run began is none.
    let until = u64::try_from(last_s.saturating_add(wait)).unwrap_or(0);
    (wait > 0).then(|| SimTime::from_micros(until.saturating_mul(1_000_000)))
}

/// When a pod ended: its last container, else when it ceased to be ready, else when it was asked to
/// go, else when it was made.
pub fn finish_s(pod: PodId, row: &PodRow, turn: &Turn<'_, '_>) -> i64 {
    let details = turn.store.pod_details(pod);
    let finished = |state: &ContainerState| match state {
        ContainerState::Terminated(end) => Some(end.finished.map_or(0, SimTime::signed_seconds)),
        ContainerState::Waiting { .. } | ContainerState::Running { .. } => None,
    };
    let ends: Option<Vec<i64>> = details
        .containers
        .iter()
        .map(|status| finished(&status.state))
        .collect();
    if let Some(newest) = ends.and_then(|ends| ends.into_iter().max()) {
        return newest;
    }
    if !row.is_ready() && row.flags.has(PodFlags::ACKNOWLEDGED) {
        return signed_s(details.transitions_s[PodCondition::Ready as usize]);
    }
    details
        .terminating_since
        .map_or_else(|| signed_s(row.created_s), |since| since.signed_seconds())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_seconds_doubled_up_to_ten_minutes() {
        let waits: Vec<u64> = (1..=9).map(|n| delay(n, BASE, LONGEST).as_secs()).collect();
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 600, 600, 600]);
        let five = SimDuration::from_secs(5);
        let cap = SimDuration::from_secs(700);
        assert_eq!(delay(8, five, cap).as_secs(), 640);
        assert_eq!(delay(9, five, cap).as_secs(), 700);
    }

    #[test]
    fn a_success_forgives_what_came_before_and_what_came_with_it() {
        let end = |failed, at_s| Ended {
            failed,
            at_s,
            index: None,
        };
        let mut backoff = Backoff::default();
        record(&mut backoff, &[end(true, 5), end(true, 7)]);
        assert_eq!((backoff.failures, backoff.last_s), (2, 7));
        record(&mut backoff, &[end(false, 9), end(true, 9)]);
        assert_eq!(backoff.failures, 0);
        record(&mut backoff, &[end(true, 10)]);
        assert_eq!(backoff.failures, 1);
    }
}
