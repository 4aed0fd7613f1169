//! Which pods a ReplicaSet gives up first. Source: `pkg/controller/controller_utils.go`,
//! `ActivePodsWithRanks`.

use std::cmp::Ordering;

use crate::kube::rows::pod::{Phase, signed_s};

/// What the order is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate<P> {
    /// The pod.
    pub pod: P,
    /// Whether it is bound to a node.
    pub assigned: bool,
    /// Its phase.
    pub phase: Phase,
    /// Whether it is ready.
    pub ready: bool,
    /// `controller.kubernetes.io/pod-deletion-cost`.
    pub cost: i32,
    /// Active pods of the same Deployment on its node.
    pub neighbours: u32,
    /// Since when it is ready, in whole seconds.
    pub ready_s: u32,
    /// Largest restart count of its containers.
    pub restarts: u32,
    /// The same of its sidecars.
    pub sidecar_restarts: u32,
    /// When it was created, in whole seconds.
    pub created_s: u32,
    /// Its uid, which decides what is left.
    pub uid: u128,
}

/// Less: is deleted first. `now_us`: microseconds since the epoch.
pub fn order<P>(one: &Candidate<P>, two: &Candidate<P>, now_us: u64) -> Ordering {
    one.assigned
        .cmp(&two.assigned)
        .then(one.phase.cmp(&two.phase))
        .then(one.ready.cmp(&two.ready))
        .then(one.cost.cmp(&two.cost))
        .then(two.neighbours.cmp(&one.neighbours))
        .then_with(|| {
            if one.ready && two.ready {
                younger_first(one.ready_s, two.ready_s, one.uid, two.uid, now_us)
            } else {
                Ordering::Equal
            }
        })
        .then(two.restarts.cmp(&one.restarts))
        .then(two.sidecar_restarts.cmp(&one.sidecar_restarts))
        .then_with(|| younger_first(one.created_s, two.created_s, one.uid, two.uid, now_us))
}

/// The candidates, first to go first. Upstream's rules are no total order (equal times pass on to the
/// next rule, equal ranks do not), which Go's sort bears and the standard one refuses. So each is
/// put in its place by halving, which ends and repeats whatever the rules say.
pub fn sorted<P>(candidates: Vec<Candidate<P>>, now_us: u64) -> Vec<Candidate<P>> {
    let mut sorted: Vec<Candidate<P>> = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let place =
            sorted.partition_point(|other| order(other, &candidate, now_us) != Ordering::Greater);
        sorted.insert(place, candidate);
    }
    sorted
}

/// Compares ages on a logarithmic scale; equal times leave the decision to the next rule, equal
/// ranks of different times to the uid.
fn younger_first(one_s: u32, two_s: u32, one_uid: u128, two_uid: u128, now_us: u64) -> Ordering {
    if one_s == two_s {
        return Ordering::Equal;
    }
    logarithmic_rank(one_s, now_us)
        .cmp(&logarithmic_rank(two_s, now_us))
        .then(one_uid.cmp(&two_uid))
}

/// `trunc(log2(age in nanoseconds))`, −1 without age.
fn logarithmic_rank(since_s: u32, now_us: u64) -> i64 {
    let age_us = now_us.cast_signed() - signed_s(since_s) * 1_000_000;
    match u64::try_from(age_us) {
        Ok(age_us) if age_us > 0 => i64::from((u128::from(age_us) * 1_000).ilog2()),
        _ => -1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordinary() -> Candidate<()> {
        Candidate {
            pod: (),
            assigned: true,
            phase: Phase::Running,
            ready: true,
            cost: 0,
            neighbours: 0,
            ready_s: 100,
            restarts: 0,
            sidecar_restarts: 0,
            created_s: 100,
            uid: 5,
        }
    }

    #[test]
    fn each_rule_decides_before_the_next() {
        let now = 200_000_000_000;
        let base = ordinary();
        let firsts = [
            Candidate {
                assigned: false,
                cost: 9,
                ..base
            },
            Candidate {
                phase: Phase::Pending,
                cost: 9,
                ..base
            },
            Candidate {
                ready: false,
                cost: 9,
                ..base
            },
            Candidate { cost: -1, ..base },
            Candidate {
                neighbours: 2,
                restarts: 0,
                ..base
            },
            Candidate {
                ready_s: 199_999,
                ..base
            },
            Candidate {
                restarts: 3,
                ..base
            },
            Candidate {
                created_s: 199_999,
                ..base
            },
        ];
        for first in firsts {
            assert_eq!(order(&first, &base, now), Ordering::Less, "{first:?}");
            assert_eq!(order(&base, &first, now), Ordering::Greater, "{first:?}");
        }
    }

    #[test]
    fn five_and_eight_hours_are_one_age_and_two_hours_another() {
        let hour = 3_600;
        let now = 100 * u64::from(hour) * 1_000_000;
        let aged = |hours: u32, uid| Candidate {
            ready_s: (100 - hours) * hour,
            uid,
            ..ordinary()
        };
        assert_eq!(
            order(&aged(8, 1), &aged(5, 2), now),
            Ordering::Less,
            "the uid decides"
        );
        assert_eq!(
            order(&aged(2, 9), &aged(5, 2), now),
            Ordering::Less,
            "the younger goes"
        );
    }
}
