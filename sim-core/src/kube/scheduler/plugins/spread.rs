//! PodTopologySpread's scores.
//!
//! Source: `pkg/scheduler/framework/plugins/podtopologyspread/scoring.go`.

use super::MAX_NODE_SCORE;
use super::logarithm::{PLACES, ln};

/// Weight of one pod of a domain, when there are `domains` of them: `ln(domains + 2)`.
pub fn topology_weight(domains: u32) -> i64 {
    ln(domains.saturating_add(2))
}

/// What one constraint adds to a node's raw score, not yet rounded: binary places as [`PLACES`].
pub fn constraint_score(matching: i64, weight: i64, max_skew: i64) -> i64 {
    matching
        .saturating_mul(weight)
        .saturating_add((max_skew - 1) << PLACES)
}

/// Rounds the sum of [`constraint_score`]s, halves up.
pub fn rounded(sum: i64) -> i64 {
    sum.saturating_add(1 << (PLACES - 1)) >> PLACES
}

/// Scales raw scores: the smallest gets 100, the largest `100 * min / max`. Nodes that are ignored
/// get 0.
pub fn normalize(scores: &mut [i64], ignored: &[bool]) {
    let counted = || {
        let pairs = scores.iter().zip(ignored);
        pairs
            .filter(|(_, ignored)| !**ignored)
            .map(|(score, _)| *score)
    };
    let max = counted().max().unwrap_or(0);
    let min = counted().min().unwrap_or(0);
    for (score, ignored) in scores.iter_mut().zip(ignored) {
        *score = if *ignored {
            0
        } else if max == 0 {
            MAX_NODE_SCORE
        } else {
            MAX_NODE_SCORE * (max + min - *score) / max
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference 23.6.
    #[test]
    fn one_constraint() {
        let weight = topology_weight(3);
        let mut scores = [3, 1, 0].map(|count| rounded(constraint_score(count, weight, 1)));
        assert_eq!(scores, [5, 2, 0]);
        normalize(&mut scores, &[false; 3]);
        assert_eq!(scores, [0, 60, 100]);
    }

    /// Reference 23.7.
    #[test]
    fn two_constraints() {
        let zone = topology_weight(2);
        let host = topology_weight(4);
        let mut scores = [(3, 2), (3, 1), (1, 1), (1, 0)].map(|(in_zone, on_node)| {
            rounded(constraint_score(in_zone, zone, 1) + constraint_score(on_node, host, 2))
        });
        assert_eq!(scores, [9, 7, 4, 2]);
        normalize(&mut scores, &[false; 4]);
        assert_eq!(scores, [22, 44, 77, 100]);
    }
}
