//! How long processes take to lose a lease, to take one, and to notice that the API server is back.
//! Sources: `staging/src/k8s.io/client-go/tools/leaderelection/leaderelection.go`,
//! `staging/src/k8s.io/component-base/config/v1alpha1/defaults.go`,
//! `staging/src/k8s.io/client-go/tools/cache/reflector.go`.

use crate::base::rng::Stream;
use crate::base::time::SimDuration;

/// Time for which a lease stands that is not renewed (`--leader-elect-lease-duration`).
pub const DURATION: SimDuration = SimDuration::from_secs(15);
/// Time after which a leader that cannot renew gives up and ends (`--leader-elect-renew-deadline`).
pub const RENEW_DEADLINE: SimDuration = SimDuration::from_secs(10);
/// Time between two renewals (`--leader-elect-retry-period`).
pub const RETRY: SimDuration = SimDuration::from_secs(2);
/// Time after which one renewal is given up: half of the deadline.
/// Source: `cmd/kube-controller-manager/app/options/options.go` (the lease client's `Timeout`).
pub const RENEW_TIMEOUT: SimDuration = SimDuration::from_secs(5);
/// Longest time between two tries of a candidate: the period is lengthened by up to 1.2 times itself
/// (`JitterFactor`).
const RETRY_MAX: SimDuration = SimDuration::from_millis(4_400);
/// First wait of a client that lists and watches, before its jitter of up to as much again.
const LIST_WAIT: SimDuration = SimDuration::from_millis(800);
/// Longest such wait.
const LIST_WAIT_MAX: SimDuration = SimDuration::from_secs(30);

/// Time from the first renewal that cannot succeed until the leader ends.
pub fn until_exit(stream: &mut Stream) -> SimDuration {
    stream.duration_between(SimDuration::ZERO, RETRY) + RENEW_DEADLINE
}

/// Time until a candidate leads that knows nothing yet: the old lease must stand unrenewed for its
/// whole duration from the candidate's first look on.
pub fn until_fresh_leads(stream: &mut Stream) -> SimDuration {
    let first = stream.duration_between(SimDuration::ZERO, RETRY);
    tries(stream, first, first + DURATION)
}

/// Time until another candidate leads that has watched the lease while its holder lived.
pub fn until_standby_leads(stream: &mut Stream) -> SimDuration {
    // The last renewal was up to one period before the end, and was seen at the next try.
    let renewed = stream.duration_between(SimDuration::ZERO, RETRY);
    let seen = stream.duration_between(SimDuration::ZERO, RETRY_MAX);
    let seen = seen.saturating_sub(renewed);
    tries(stream, seen, seen + DURATION)
}

fn tries(stream: &mut Stream, from: SimDuration, due: SimDuration) -> SimDuration {
    let mut at = from;
    while at < due {
        at += stream.duration_between(RETRY, RETRY_MAX);
    }
    at
}

/// Time from the end of an outage until a client's next try to list and watch.
pub fn until_list(stream: &mut Stream, outage: SimDuration) -> SimDuration {
    let mut wait = LIST_WAIT;
    let mut at = SimDuration::ZERO;
    while at <= outage {
        at += stream.duration_between(wait, wait.saturating_mul(2));
        wait = wait.saturating_mul(2).min(LIST_WAIT_MAX);
    }
    at.saturating_sub(outage)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Seed;

    #[test]
    fn waits_keep_to_upstreams_bounds() {
        for draw in 0..200 {
            let mut stream = Stream::new(Seed(7), "test", 1, draw);
            let exit = until_exit(&mut stream);
            assert!((10_000..=12_000).contains(&exit.as_millis()), "{exit:?}");
            let fresh = until_fresh_leads(&mut stream);
            assert!((15_000..=21_400).contains(&fresh.as_millis()), "{fresh:?}");
            let standby = until_standby_leads(&mut stream);
            assert!(
                (15_000..=23_800).contains(&standby.as_millis()),
                "{standby:?}"
            );
            let short = until_list(&mut stream, SimDuration::from_secs(3));
            assert!(short.as_millis() <= 6_400, "{short:?}");
            let long = until_list(&mut stream, SimDuration::from_secs(3_600));
            assert!(long.as_millis() <= 60_000, "{long:?}");
        }
    }
}
