//! The text of FailedScheduling: reasons counted over nodes, sorted as text.
//!
//! Sources: `pkg/scheduler/framework/types.go` (`FitError`), `pkg/scheduler/framework/preemption/preemption.go`.

use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::sorted::SortedMap;
use crate::base::symbol::{Symbol, Symbols};

use super::explain::Verdict;
use super::plugins::PluginSet;

/// Text when there is no node at all. Source: `pkg/scheduler/schedule_one.go`.
pub const NO_NODES: &str = "no nodes available to schedule pods";
/// What DynamicResources says of a pod without claims before preemption is tried.
/// Source: `pkg/scheduler/framework/plugins/dynamicresources/dynamicresources.go`.
pub const NO_CLAIMS: &str = "no new claims to deallocate";
/// What preemption says of a node that no eviction could help.
/// Source: `pkg/scheduler/framework/preemption/preemption.go`.
pub const NOT_HELPFUL: &str = "Preemption is not helpful for scheduling";
/// What preemption says of a node without pods of lower priority.
/// Source: `pkg/scheduler/framework/plugins/defaultpreemption/default_preemption.go`.
pub const NO_VICTIMS: &str = "No preemption victims found for incoming pod";
/// Longest text of an event. Source: `pkg/scheduler/util/utils.go`.
const EVENT_CHARACTERS_MAX: usize = 1024;

/// How many nodes gave which verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    counts: Vec<(Verdict, u32)>,
    by: PluginSet,
}

impl Tally {
    /// Counts a node that said no.
    pub fn add(&mut self, verdict: Verdict) {
        if let Some(plugin) = verdict.plugin() {
            self.by = self.by.with(plugin);
        }
        match self.counts.iter_mut().find(|(known, _)| *known == verdict) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((verdict, 1)),
        }
    }

    /// Whether both have counted the same.
    pub fn agrees(&self, other: &Self) -> bool {
        let has = |counts: &[(Verdict, u32)], entry| counts.contains(entry);
        self.by == other.by
            && self.counts.len() == other.counts.len()
            && self.counts.iter().all(|entry| has(&other.counts, entry))
    }

    /// Counts a node less.
    pub fn take(&mut self, verdict: Verdict) {
        let Some(at) = self.counts.iter().position(|(known, _)| *known == verdict) else {
            return;
        };
        self.counts[at].1 -= 1;
        if self.counts[at].1 == 0 {
            self.counts.remove(at);
            let plugins = self.counts.iter().filter_map(|(known, _)| known.plugin());
            self.by = plugins.fold(PluginSet::NONE, PluginSet::with);
        }
    }

    /// Nodes on which evictions could help.
    pub fn resolvable(&self) -> u32 {
        let counts = self.counts.iter();
        counts
            .filter(|(verdict, _)| verdict.is_resolvable())
            .map(|(_, count)| count)
            .sum()
    }

    /// Which plugins said no.
    pub const fn rejected_by(&self) -> PluginSet {
        self.by
    }

    /// Reasons with the number of nodes that gave them.
    pub fn reasons(&self, extended: &[(Symbol, i64)], symbols: &Symbols) -> Reasons {
        let mut reasons = Reasons::default();
        for (verdict, count) in &self.counts {
            for reason in verdict.reasons(extended, symbols) {
                reasons.add(&reason, *count);
            }
        }
        reasons
    }
}

/// Reasons with their counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasons(SortedMap<String, u32>);

impl Reasons {
    /// Counts a reason.
    pub fn add(&mut self, reason: &str, nodes: u32) {
        if nodes > 0 {
            *self.0.entry(reason.to_owned()).or_insert(0) += nodes;
        }
    }

    /// `0/3 nodes are available: …`: `count reason` strings, sorted as text, so that "10 x" comes
    /// before "2 y".
    pub fn text(&self, nodes: u32) -> String {
        let mut lines: Vec<String> = self
            .0
            .iter()
            .map(|(reason, count)| format!("{count} {reason}"))
            .collect();
        lines.arrange();
        let mut text = format!("0/{nodes} nodes are available:");
        if !lines.is_empty() {
            text.push_str(&format!(" {}.", lines.join(", ")));
        }
        text
    }
}

/// Cuts an event's text as upstream does: 1024 characters, the last four of them " ...".
pub fn truncated(message: &Arc<str>) -> Arc<str> {
    if message.len() <= EVENT_CHARACTERS_MAX {
        return message.clone();
    }
    let mut end = EVENT_CHARACTERS_MAX - 4;
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    format!("{} ...", &message[..end]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(verdicts: &[(Verdict, u32)]) -> String {
        let mut tally = Tally::default();
        let mut nodes = 0;
        for (verdict, count) in verdicts {
            (0..*count).for_each(|_| tally.add(*verdict));
            nodes += count;
        }
        tally.reasons(&[], &Symbols::new()).text(nodes)
    }

    /// Reference 7.8 and 23.14.
    #[test]
    fn examples() {
        let cpu = Verdict::Lacking(Verdict::CPU);
        assert_eq!(
            text(&[(cpu, 3)]),
            "0/3 nodes are available: 3 Insufficient cpu."
        );
        assert_eq!(
            text(&[
                (cpu, 2),
                (Verdict::Lacking(Verdict::MEMORY), 1),
                (Verdict::Taint, 1)
            ]),
            "0/4 nodes are available: 1 Insufficient memory, 1 node(s) had untolerated taint(s), 2 Insufficient cpu."
        );
        assert_eq!(
            text(&[(cpu, 2), (Verdict::Taint, 10)]),
            "0/12 nodes are available: 10 node(s) had untolerated taint(s), 2 Insufficient cpu."
        );
        assert_eq!(
            text(&[(Verdict::Lacking(Verdict::CPU | Verdict::MEMORY), 1)]),
            "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory."
        );
        assert_eq!(text(&[]), "0/0 nodes are available:");
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(truncated(&"x".repeat(1024).into()).len(), 1024);
        let cut = truncated(&"x".repeat(1025).into());
        assert_eq!(cut.len(), 1024);
        assert!(cut.ends_with("x ..."));
    }
}
