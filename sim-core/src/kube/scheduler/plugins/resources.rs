//! NodeResourcesFit and NodeResourcesBalancedAllocation.
//!
//! Sources: `pkg/scheduler/framework/plugins/noderesources/{fit,least_allocated,balanced_allocation}.go`.

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
    let floor = ((free as u64 * share.reciprocal) >> RECIPROCAL_PLACES) as i64;
    if (floor + 1) * share.allocatable <= free * MAX_NODE_SCORE {
        floor + 1
    } else {
        floor
    }
}

/// Balance of CPU and memory with the pod compared with before it: 75 is neutral, 50..=100.
pub fn balanced_allocation(before: [Use; 2], after: [Use; 2]) -> i64 {
    MAX_NODE_SCORE / 2 + (MAX_NODE_SCORE / 2 + balance(after) - balance(before)) / 2
}

/// `(1 - σ) * 100` of the shares in use, truncated. Upstream truncates a floating-point product,
/// so the same operations are done in the same order: the four basic ones are exact by IEEE 754 on
/// every target, and an integer formula would differ where the product is a whole number.
fn balance(resources: [Use; 2]) -> i64 {
    let mut fractions = [0.0_f64; 2];
    let mut count = 0;
    for resource in resources {
        if resource.allocatable == 0 {
            continue;
        }
        fractions[count] = (resource.requested as f64 / resource.allocatable as f64).min(1.0);
        count += 1;
    }
    let deviation = if count == 2 {
        ((fractions[0] - fractions[1]) / 2.0).abs()
    } else {
        0.0
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
        assert_eq!(balanced_allocation(node(4000, 16 * GIB, (0, 0)), small), 71);
        assert_eq!(balanced_allocation(node(8000, 32 * GIB, (0, 0)), large), 73);
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
            balanced_allocation(node(10, 10, (0, 0)), node(10, 10, (5, 5))),
            75
        );
        assert_eq!(
            balanced_allocation(node(0, 0, (0, 0)), node(0, 0, (5, 5))),
            75
        );
        assert_eq!(least_allocated(shares(node(0, 0, (5, 5)))), 0);
        assert_eq!(least_allocated(shares(node(4, 4, (5, 4)))), 0);
    }
}
