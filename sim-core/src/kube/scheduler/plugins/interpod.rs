//! InterPodAffinity's scores.
//!
//! Source: `pkg/scheduler/framework/plugins/interpodaffinity/scoring.go`.

use super::MAX_NODE_SCORE;

/// Scales raw scores, which may be negative: the smallest gets 0, the largest 100. Upstream divides
/// first, in floating point, and truncates: the same operations give the same number.
pub fn normalize(scores: &mut [i64]) {
    let max = scores.iter().copied().max().unwrap_or(0);
    let min = scores.iter().copied().min().unwrap_or(0);
    let range = max - min;
    for score in scores {
        *score = if range == 0 {
            0
        } else {
            (MAX_NODE_SCORE as f64 * ((*score - min) as f64 / range as f64)) as i64
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference 23.9.
    #[test]
    fn example() {
        let mut scores = [80, 5, -20];
        normalize(&mut scores);
        assert_eq!(scores, [100, 25, 0]);
        let mut equal = [7, 7];
        normalize(&mut equal);
        assert_eq!(equal, [0, 0]);
    }
}
