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

/// LeastAllocated over CPU and memory of weight 1 each; resources that a node has none of do not count.
pub fn least_allocated(resources: [Use; 2]) -> i64 {
    let mut sum = 0;
    let mut weights = 0;
    for resource in resources {
        if resource.allocatable == 0 {
            continue;
        }
        weights += 1;
        if resource.requested <= resource.allocatable {
            sum += (resource.allocatable - resource.requested) * MAX_NODE_SCORE / resource.allocatable;
        }
    }
    if weights == 0 { 0 } else { sum / weights }
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
    let deviation = if count == 2 { ((fractions[0] - fractions[1]) / 2.0).abs() } else { 0.0 };
    ((1.0 - deviation) * MAX_NODE_SCORE as f64) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: i64 = 1 << 30;

    fn node(cpu: i64, memory: i64, pod: (i64, i64)) -> [Use; 2] {
        [Use { requested: pod.0, allocatable: cpu }, Use { requested: pod.1, allocatable: memory }]
    }

    /// Reference 6.11: 4 CPU/16 GiB and 8 CPU/32 GiB, empty; pod 1 CPU/2 GiB.
    #[test]
    fn worked_example() {
        let pod = (1000, 2 * GIB);
        let small = node(4000, 16 * GIB, pod);
        let large = node(8000, 32 * GIB, pod);
        assert_eq!([least_allocated(small), least_allocated(large)], [81, 90]);
        assert_eq!(balanced_allocation(node(4000, 16 * GIB, (0, 0)), small), 71);
        assert_eq!(balanced_allocation(node(8000, 32 * GIB, (0, 0)), large), 73);
    }

    /// Reference 23.1.
    #[test]
    fn absent_requests_count_in_scores() {
        let requested = (DEFAULT_MILLI_CPU + 500, 2 * DEFAULT_MEMORY);
        assert_eq!(least_allocated(node(4000, 8 * GIB, requested)), 90);
    }

    #[test]
    fn neutral_is_seventy_five() {
        assert_eq!(balanced_allocation(node(10, 10, (0, 0)), node(10, 10, (5, 5))), 75);
        assert_eq!(balanced_allocation(node(0, 0, (0, 0)), node(0, 0, (5, 5))), 75);
        assert_eq!(least_allocated(node(0, 0, (5, 5))), 0);
        assert_eq!(least_allocated(node(4, 4, (5, 4))), 0);
    }
}
