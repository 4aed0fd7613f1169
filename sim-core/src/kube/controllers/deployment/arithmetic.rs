//! How many pods each ReplicaSet may have: bounds, rolling steps and proportional scaling.
//! Numbers in, numbers out. Sources: `pkg/controller/deployment/util/deployment_util.go`,
//! `rolling.go` and `sync.go` beside it.

use crate::kube::rows::workload::Amount;

/// The bounds that a rolling update keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// `spec.replicas`.
    pub replicas: i64,
    /// Pods allowed above.
    pub surge: i64,
    /// Pods allowed to be unavailable.
    pub unavailable: i64,
}

impl Bounds {
    /// Resolves percentages: surge up, unavailable down, and never both to zero.
    pub fn new(replicas: i64, surge: Amount, unavailable: Amount, recreate: bool) -> Self {
        if recreate {
            return Self {
                replicas,
                surge: 0,
                unavailable: 0,
            };
        }
        let surge = surge.ceiling(replicas);
        let mut unavailable = unavailable.floor(replicas);
        if surge == 0 && unavailable == 0 {
            unavailable = 1;
        }
        Self {
            replicas,
            surge,
            unavailable: unavailable.min(replicas),
        }
    }

    /// Ceiling on the sum of ReplicaSet sizes.
    pub const fn ceiling(self) -> i64 {
        self.replicas + self.surge
    }

    /// Pods that must stay available.
    pub const fn floor(self) -> i64 {
        self.replicas - self.unavailable
    }
}

/// Size of a ReplicaSet, and how many of its pods are available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// `spec.replicas`.
    pub spec: i64,
    /// `status.availableReplicas`.
    pub available: i64,
}

/// Size the new ReplicaSet is to have now, `total` being the sum of all sizes.
pub const fn new_size(bounds: Bounds, recreate: bool, new: i64, total: i64) -> i64 {
    if recreate {
        return bounds.replicas;
    }
    if new >= bounds.replicas {
        return bounds.replicas;
    }
    let room = bounds.ceiling() - total;
    if room <= 0 {
        return new;
    }
    let missing = bounds.replicas - new;
    new + if room < missing { room } else { missing }
}

/// Sizes the old ReplicaSets, oldest first, are to have now: first those pods go that are not
/// available anyway, then as many as availability allows.
pub fn old_sizes(bounds: Bounds, new: Size, old: &[Size]) -> Vec<i64> {
    let mut sizes: Vec<i64> = old.iter().map(|set| set.spec).collect();
    let total: i64 = new.spec + sizes.iter().sum::<i64>();
    let mut budget = total - bounds.floor() - (new.spec - new.available);
    if budget <= 0 {
        return sizes;
    }
    for (size, set) in sizes.iter_mut().zip(old) {
        let dead = (*size - set.available).clamp(0, budget.max(0));
        *size -= dead;
        budget -= dead;
    }
    let available: i64 = new.available + old.iter().map(|set| set.available).sum::<i64>();
    let mut budget = available - bounds.floor();
    for size in &mut sizes {
        if budget <= 0 {
            break;
        }
        let taken = (*size).min(budget);
        *size -= taken;
        budget -= taken;
    }
    sizes
}

/// A ReplicaSet in a proportional scaling, in the order in which it is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// `spec.replicas`.
    pub spec: i64,
    /// Annotation `max-replicas`; `None` or 0: unknown.
    pub max: Option<i64>,
}

/// Sizes after a proportional scaling; `sets` are the active ones in serving order,
/// `status_replicas` is the Deployment's `status.replicas`.
pub fn proportional(bounds: Bounds, sets: &[Share], status_replicas: i64) -> Vec<i64> {
    let allowed = if bounds.replicas > 0 {
        bounds.ceiling()
    } else {
        0
    };
    let to_add = allowed - sets.iter().map(|set| set.spec).sum::<i64>();
    let mut added = 0;
    let mut sizes: Vec<i64> = Vec::with_capacity(sets.len());
    for set in sets {
        let mut share = if to_add == 0 {
            0
        } else {
            fraction(bounds, *set, status_replicas)
        };
        let rest = to_add - added;
        share = if to_add > 0 {
            share.min(rest)
        } else {
            share.max(rest)
        };
        added += share;
        sizes.push(set.spec + share);
    }
    if let Some(first) = sizes.first_mut() {
        *first = (*first + to_add - added).max(0);
    }
    sizes
}

fn fraction(bounds: Bounds, set: Share, status_replicas: i64) -> i64 {
    if bounds.replicas == 0 {
        return -set.spec;
    }
    let before = set.max.filter(|max| *max != 0).unwrap_or(status_replicas);
    if before == 0 {
        return 0;
    }
    // Half away from zero; all three numbers are positive, and 32 bits wide.
    let (product, before) = (
        i128::from(set.spec) * i128::from(bounds.ceiling()),
        i128::from(before),
    );
    let size = (2 * product + before) / (2 * before);
    i64::try_from(size).unwrap_or(i64::MAX) - set.spec
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUARTER: Amount = Amount::Percent(25);

    fn defaults(replicas: i64) -> Bounds {
        Bounds::new(replicas, QUARTER, QUARTER, false)
    }

    #[test]
    fn a_quarter_is_rounded_up_for_surge_and_down_for_unavailable() {
        for (replicas, surge, unavailable) in [
            (1, 1, 0),
            (2, 1, 0),
            (3, 1, 0),
            (4, 1, 1),
            (5, 2, 1),
            (8, 2, 2),
            (10, 3, 2),
            (100, 25, 25),
        ] {
            assert_eq!(
                defaults(replicas),
                Bounds {
                    replicas,
                    surge,
                    unavailable
                }
            );
        }
        let forced = Bounds::new(2, Amount::Count(0), Amount::Percent(1), false);
        assert_eq!((forced.surge, forced.unavailable), (0, 1));
        let upward = Bounds::new(2, Amount::Percent(1), QUARTER, false);
        assert_eq!((upward.surge, upward.unavailable), (1, 0));
    }

    #[test]
    fn ten_replicas_roll_as_upstream_does() {
        let bounds = defaults(10);
        assert_eq!(new_size(bounds, false, 0, 10), 3);
        let old = old_sizes(
            bounds,
            Size {
                spec: 3,
                available: 0,
            },
            &[Size {
                spec: 10,
                available: 10,
            }],
        );
        assert_eq!(old, [8]);
        assert_eq!(new_size(bounds, false, 3, 11), 5);
        // Nothing more happens while no new pod becomes available.
        assert_eq!(new_size(bounds, false, 5, 13), 5);
        assert_eq!(
            old_sizes(
                bounds,
                Size {
                    spec: 5,
                    available: 0
                },
                &[Size {
                    spec: 8,
                    available: 8
                }]
            ),
            [8]
        );
        // One more available, one old goes.
        assert_eq!(
            old_sizes(
                bounds,
                Size {
                    spec: 5,
                    available: 1
                },
                &[Size {
                    spec: 8,
                    available: 8
                }]
            ),
            [7]
        );
        assert_eq!(new_size(bounds, false, 5, 12), 6);
    }

    #[test]
    fn pods_that_are_not_available_go_first_and_without_waiting() {
        let bounds = defaults(10);
        let old = [
            Size {
                spec: 5,
                available: 0,
            },
            Size {
                spec: 8,
                available: 8,
            },
        ];
        assert_eq!(
            old_sizes(
                bounds,
                Size {
                    spec: 0,
                    available: 0
                },
                &old
            ),
            [0, 8]
        );
    }

    #[test]
    fn scaling_in_the_middle_of_a_rollout_keeps_proportions() {
        let bounds = Bounds {
            replicas: 20,
            surge: 5,
            unavailable: 5,
        };
        let sets = [
            Share {
                spec: 8,
                max: Some(13),
            },
            Share {
                spec: 5,
                max: Some(13),
            },
        ];
        let sizes = proportional(bounds, &sets, 13);
        assert_eq!(sizes, [15, 10]);
        assert_eq!(
            proportional(
                Bounds {
                    replicas: 0,
                    surge: 0,
                    unavailable: 0
                },
                &sets,
                13
            ),
            [0, 0]
        );
        let unknown = [Share { spec: 8, max: None }, Share { spec: 5, max: None }];
        assert_eq!(proportional(bounds, &unknown, 0), [20, 5]);
    }

    #[test]
    fn sizes_after_a_scaling_are_upstreams() {
        // Replicas and surge after; sizes in serving order; ceiling before; sizes expected.
        type Case<'a> = (i64, i64, &'a [i64], i64, &'a [i64]);
        let cases: [Case<'_>; 7] = [
            (3, 0, &[3, 2], 5, &[2, 1]),
            (8, 0, &[8, 3, 2], 13, &[5, 2, 1]),
            (5, 0, &[2, 2], 4, &[3, 2]),
            (0, 0, &[3, 2, 1], 6, &[0, 0, 0]),
            (20, 2, &[6, 6], 12, &[11, 11]),
            (50, 6, &[8, 5], 13, &[34, 22]),
            (14, 0, &[7, 3], 10, &[10, 4]),
        ];
        for (replicas, surge, sizes, before, expected) in cases {
            let sets: Vec<Share> = sizes
                .iter()
                .map(|spec| Share {
                    spec: *spec,
                    max: Some(before),
                })
                .collect();
            let bounds = Bounds {
                replicas,
                surge,
                unavailable: 0,
            };
            assert_eq!(
                proportional(bounds, &sets, 0),
                expected,
                "{sizes:?} to {replicas}"
            );
        }
        let one = |replicas, max| {
            fraction(
                Bounds {
                    replicas,
                    surge: 10,
                    unavailable: 0,
                },
                Share {
                    spec: 50,
                    max: Some(max),
                },
                0,
            )
        };
        assert_eq!((one(120, 110), one(100, 130)), (9, -8));
    }
}
