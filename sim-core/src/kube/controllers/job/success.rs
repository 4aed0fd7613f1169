//! `successPolicy`: which indexes are enough. Source: `pkg/controller/job/success_policy.go`.

use crate::kube::rows::job::JobPart;

/// The first rule that is met.
pub fn matched(part: &JobPart) -> Option<usize> {
    let rules = part.success_rules.as_ref().filter(|_| part.indexed)?;
    rules
        .iter()
        .position(|rule| match (&rule.indexes, rule.count) {
            (Some(ranges), count) => {
                let listed: i64 = ranges.iter().map(|(from, to)| to - from + 1).sum();
                let done = part
                    .done
                    .iter()
                    .filter(|index| ranges.iter().any(|(from, to)| (from..=to).contains(index)))
                    .count();
                let done = i64::try_from(done).unwrap_or(i64::MAX);
                done >= count.unwrap_or(listed)
            }
            (None, Some(count)) => i64::try_from(part.done.len()).unwrap_or(i64::MAX) >= count,
            (None, None) => false,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::rows::job::{SuccessRule, ranges};

    #[test]
    fn all_listed_or_as_many_as_counted() {
        let part = |done: &str, indexes: Option<&str>, count| JobPart {
            indexed: true,
            done: ranges(done)
                .into_iter()
                .flat_map(|(from, to)| from..=to)
                .collect(),
            success_rules: Some(vec![SuccessRule {
                indexes: indexes.map(ranges),
                count,
            }]),
            ..JobPart::default()
        };
        assert_eq!(matched(&part("0-2,4-7", Some("0-2"), None)), Some(0));
        assert_eq!(matched(&part("0-2", Some("3"), None)), None);
        assert_eq!(matched(&part("0-2", None, Some(2))), Some(0));
        assert_eq!(matched(&part("0-2,4-7", Some("3-6"), Some(2))), Some(0));
        assert_eq!(matched(&part("0-2,4-7", Some("3-6"), Some(4))), None);
    }
}
