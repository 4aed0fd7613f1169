//! ImageLocality: nodes that have the pod's images already.
//!
//! Source: `pkg/scheduler/framework/plugins/imagelocality/image_locality.go`.

use std::sync::Arc;

use super::MAX_NODE_SCORE;

/// Sum of images below which a node gets nothing, in bytes.
const MIN_THRESHOLD: i64 = 23 << 20;
/// Sum of images, for each container, from which a node gets the full score, in bytes.
const MAX_CONTAINER_THRESHOLD: i64 = 1000 << 20;

/// Score of a node with these images. `state` knows an image's size and on how many nodes it is.
pub fn score(
    wanted: &[Arc<str>],
    containers: u32,
    there: &[(Arc<[Arc<str>]>, u64)],
    nodes: u32,
    state: impl Fn(&str) -> (u64, u32),
) -> i64 {
    let sum = wanted
        .iter()
        .filter(|image| there.iter().any(|(names, _)| names.contains(*image)))
        .map(|image| {
            let (size, on) = state(image);
            share(size, on, nodes)
        })
        .sum::<i64>();
    scaled(sum, containers)
}

/// What an image of this size adds that so many of the nodes have. An image that is everywhere counts
/// fully: otherwise nodes would attract each other's pods.
pub fn share(size: u64, on: u32, nodes: u32) -> i64 {
    (size as f64 * (f64::from(on) / f64::from(nodes.max(1)))) as i64
}

/// The score for a sum of [`share`]s.
pub fn scaled(sum: i64, containers: u32) -> i64 {
    let max = MAX_CONTAINER_THRESHOLD * i64::from(containers);
    if max <= MIN_THRESHOLD {
        return 0;
    }
    let sum = sum.clamp(MIN_THRESHOLD, max);
    MAX_NODE_SCORE * (sum - MIN_THRESHOLD) / (max - MIN_THRESHOLD)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference 23.10.
    #[test]
    fn example() {
        let (x, y): (Arc<str>, Arc<str>) = ("x:1".into(), "y:1".into());
        let state = |name: &str| match name {
            "x:1" => (600 << 20, 2),
            _ => (90 << 20, 1),
        };
        let wanted = [x.clone(), y.clone()];
        let both = [([x].into(), 600 << 20), ([y].into(), 90 << 20)];
        assert_eq!(score(&wanted, 2, &both, 4, state), 15);
        assert_eq!(score(&wanted, 2, &both[..1], 4, state), 14);
        assert_eq!(score(&wanted, 2, &[], 4, state), 0);
    }
}
