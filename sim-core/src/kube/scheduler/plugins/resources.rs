//! NodeResourcesFit and NodeResourcesBalancedAllocation.
//!
//! Sources: `pkg/scheduler/framework/plugins/noderesources/{fit,least_allocated,balanced_allocation}.go`.

use smallvec::SmallVec;

use super::MAX_NODE_SCORE;

/// Millicores that a container without a CPU request counts in scores.
/// Source: `pkg/scheduler/util/pod_resources.go`.
pub const DEFAULT_MILLI_CPU: i64 = 100;
/// Bytes that a container without a memory request counts in scores.
/// Source: `pkg/scheduler/util/pod_resources.go`.
pub const DEFAULT_MEMORY: i64 = 200 * 1024 * 1024;

/// Use of one resource on one node, the pod included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// What all pods ask for.
    pub requested: i64,
    /// What the node allows.
    pub allocatable: i64,
}

/// What would be left of one resource on one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Left with the pod; negative: more is asked for than there is.
    pub free: i64,
    /// What the node allows, below 2^48.
    pub allocatable: i64,
    /// [`reciprocal`] of `allocatable`.
    pub reciprocal: u64,
}

/// Binary places of [`reciprocal`]: 100 shifted by them still fits 64 bits.
const RECIPROCAL_PLACES: u32 = 57;

/// `100 / allocatable` in fixed point, for [`least_allocated`]: it is computed when a node changes
/// and spares each score a division. 0 for nothing.
pub fn reciprocal(allocatable: i64) -> u64 {
    u64::try_from(allocatable)
        .ok()
        .and_then(|amount| (100_u64 << RECIPROCAL_PLACES).checked_div(amount))
        .unwrap_or(0)
}

/// LeastAllocated over CPU and memory of weight 1 each; resources that a node has none of do not count.
pub fn least_allocated(resources: [Share; 2]) -> i64 {
    let mut sum = 0;
    let mut weights = 0;
    for resource in resources {
        weights += i64::from(resource.allocatable != 0);
        sum += hundredths(resource);
    }
    if weights == 2 { sum >> 1 } else { sum }
}

/// `free * 100 / allocatable`, exactly: the product falls short by less than one.
fn hundredths(share: Share) -> i64 {
    if share.free <= 0 || share.allocatable <= 0 {
        return 0;
    }
    let free = share.free.min(share.allocatable);
    if share.allocatable > i64::MAX / MAX_NODE_SCORE {
        // Upstream's product wraps.
        return free.wrapping_mul(MAX_NODE_SCORE) / share.allocatable;
    }
    let floor = ((free as u64 * share.reciprocal) >> RECIPROCAL_PLACES) as i64;
    if (floor + 1) * share.allocatable <= free * MAX_NODE_SCORE {
        floor + 1
    } else {
        floor
    }
}

/// One resource of one node, as a strategy weighs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weighed {
    /// What all pods ask for, the new one included, and what the node allows.
    pub used: Use,
    /// Weight of the resource.
    pub weight: i64,
}

/// One point of a RequestedToCapacityRatio shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ShapePoint {
    /// Percent in use.
    pub utilization: i64,
    /// Score, 0..=100: ten times what the configuration says.
    pub score: i64,
}

/// LeastAllocated over any resources. Source: `least_allocated.go`.
pub fn least(resources: &[Weighed]) -> i64 {
    mean(resources, |used| {
        if used.allocatable == 0 || used.requested > used.allocatable {
            0
        } else {
            (used.allocatable - used.requested).wrapping_mul(MAX_NODE_SCORE) / used.allocatable
        }
    })
}

/// MostAllocated over any resources. Source: `most_allocated.go`.
pub fn most(resources: &[Weighed]) -> i64 {
    mean(resources, |used| {
        if used.allocatable == 0 {
            0
        } else {
            used.requested
                .min(used.allocatable)
                .wrapping_mul(MAX_NODE_SCORE)
                / used.allocatable
        }
    })
}

fn mean(resources: &[Weighed], score: impl Fn(Use) -> i64) -> i64 {
    let counted = || resources.iter().filter(|it| it.used.allocatable != 0);
    let weights: i64 = counted().map(|it| it.weight).sum();
    let sum: i64 = counted().map(|it| score(it.used) * it.weight).sum();
    if weights == 0 { 0 } else { sum / weights }
}

/// RequestedToCapacityRatio: the shape at each resource's use, rounded halves up. Resources that
/// score nothing do not count. Source: `requested_to_capacity_ratio.go`.
pub fn ratio(resources: &[Weighed], shape: &[ShapePoint]) -> i64 {
    let (mut sum, mut weights) = (0, 0);
    for resource in resources {
        let Use {
            requested,
            allocatable,
        } = resource.used;
        if allocatable == 0 {
            continue;
        }
        let percent = if requested > allocatable {
            MAX_NODE_SCORE
        } else {
            requested.wrapping_mul(MAX_NODE_SCORE) / allocatable
        };
        let score = broken_line(shape, percent);
        if score > 0 {
            sum += score * resource.weight;
            weights += resource.weight;
        }
    }
    if weights == 0 {
        0
    } else {
        (2 * sum + weights) / (2 * weights)
    }
}

/// Value of a broken line; flat beyond its ends. Source: `pkg/scheduler/framework/plugins/helper/shape_score.go`.
pub fn broken_line(shape: &[ShapePoint], at: i64) -> i64 {
    let mut before: Option<ShapePoint> = None;
    for point in shape {
        if at <= point.utilization {
            return before.map_or(point.score, |before| {
                before.score
                    + (point.score - before.score) * (at - before.utilization)
                        / (point.utilization - before.utilization)
            });
        }
        before = Some(*point);
    }
    before.map_or(0, |last| last.score)
}

/// Balance of the resources with the pod compared with before it: 75 is neutral, 50..=100.
/// Resources of which the node has none do not count.
pub fn balanced_allocation(before: &[Use], after: &[Use]) -> i64 {
    MAX_NODE_SCORE / 2 + (MAX_NODE_SCORE / 2 + balance(after) - balance(before)) / 2
}

/// `(1 - σ) * 100` of the shares in use, truncated. Upstream truncates a floating-point product,
/// so the same operations are done in the same order: the basic ones and the root are exact by
/// IEEE 754 on every target, and an integer formula would differ where the product is whole.
fn balance(resources: &[Use]) -> i64 {
    let mut fractions: SmallVec<[f64; 4]> = SmallVec::new();
    for resource in resources {
        if resource.allocatable != 0 {
            let share = resource.requested as f64 / resource.allocatable as f64;
            fractions.push(share.min(1.0));
        }
    }
    let deviation = match fractions.as_slice() {
        [] | [_] => 0.0,
        [one, other] => ((one - other) / 2.0).abs(),
        several => {
            let count = several.len() as f64;
            let mean = several.iter().fold(0.0, |sum, share| sum + share) / count;
            let squares = several
                .iter()
                .fold(0.0, |sum, share| sum + (share - mean) * (share - mean));
            (squares / count).sqrt()
        }
    };
    ((1.0 - deviation) * MAX_NODE_SCORE as f64) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: i64 = 1 << 30;

    fn node(cpu: i64, memory: i64, pod: (i64, i64)) -> [Use; 2] {
        [
            Use {
                requested: pod.0,
                allocatable: cpu,
            },
            Use {
                requested: pod.1,
                allocatable: memory,
            },
        ]
    }

    /// Reference 6.11: 4 CPU/16 GiB and 8 CPU/32 GiB, empty; pod 1 CPU/2 GiB.
    #[test]
    fn worked_example() {
        let pod = (1000, 2 * GIB);
        let small = node(4000, 16 * GIB, pod);
        let large = node(8000, 32 * GIB, pod);
        assert_eq!(
            [
                least_allocated(shares(small)),
                least_allocated(shares(large))
            ],
            [81, 90]
        );
        assert_eq!(
            balanced_allocation(&node(4000, 16 * GIB, (0, 0)), &small),
            71
        );
        assert_eq!(
            balanced_allocation(&node(8000, 32 * GIB, (0, 0)), &large),
            73
        );
    }

    /// Reference 23.1.
    fn shares(uses: [Use; 2]) -> [Share; 2] {
        uses.map(|used| Share {
            free: used.allocatable - used.requested,
            allocatable: used.allocatable,
            reciprocal: reciprocal(used.allocatable),
        })
    }

    #[test]
    fn reciprocals_divide_exactly() {
        let amounts = [
            1,
            3,
            7,
            99,
            100,
            101,
            4000,
            48_000,
            16 * GIB,
            16 * GIB - 104_857_600,
            1 << 46,
        ];
        for allocatable in amounts {
            for part in 0..=1000 {
                let free = (i128::from(allocatable) * part / 1000) as i64;
                for free in [free - 1, free, free + 1] {
                    let share = Share {
                        free,
                        allocatable,
                        reciprocal: reciprocal(allocatable),
                    };
                    let exact = free.clamp(0, allocatable) * 100 / allocatable;
                    assert_eq!(hundredths(share), exact, "{free} of {allocatable}");
                }
            }
        }
    }

    #[test]
    fn absent_requests_count_in_scores() {
        let requested = (DEFAULT_MILLI_CPU + 500, 2 * DEFAULT_MEMORY);
        assert_eq!(least_allocated(shares(node(4000, 8 * GIB, requested))), 90);
    }

    #[test]
    fn neutral_is_seventy_five() {
        assert_eq!(
            balanced_allocation(&node(10, 10, (0, 0)), &node(10, 10, (5, 5))),
            75
        );
        assert_eq!(
            balanced_allocation(&node(0, 0, (0, 0)), &node(0, 0, (5, 5))),
            75
        );
        assert_eq!(least_allocated(shares(node(0, 0, (5, 5)))), 0);
        assert_eq!(least_allocated(shares(node(4, 4, (5, 4)))), 0);
    }

    /// Reference 23.2 and 23.3.
    #[test]
    fn other_strategies() {
        let weigh = |(cpu, memory): (i64, i64)| {
            node(4000, 8192 << 20, (cpu, memory << 20)).map(|used| Weighed { used, weight: 1 })
        };
        let resources = weigh((600, 400));
        assert_eq!((least(&resources), most(&resources)), (90, 9));
        let point = |utilization, score| ShapePoint { utilization, score };
        assert_eq!(ratio(&resources, &[point(0, 0), point(100, 100)]), 10);
        assert_eq!(ratio(&resources, &[point(0, 100), point(100, 0)]), 91);
        let shape = [point(10, 1), point(90, 9)];
        let line: Vec<i64> = [-10, 10, 19, 20, 89, 90, 110]
            .map(|at| broken_line(&shape, at))
            .into();
        assert_eq!(line, [1, 1, 1, 2, 8, 9, 9]);
    }
}
