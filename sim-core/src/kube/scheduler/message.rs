//! The text of FailedScheduling: reasons counted over nodes, sorted as text.
//!
//! Sources: `pkg/scheduler/framework/types.go` (`FitError`), `pkg/scheduler/framework/preemption/preemption.go`.

use smallvec::SmallVec;

use crate::base::symbol::{Symbol, Symbols};

use super::cache::Cache;
use super::demand::Demand;
use super::explain::Verdict;
use super::plugins::{Plugin, PluginSet};

/// Text when there is no node at all. Source: `pkg/scheduler/schedule_one.go`.
pub const NO_NODES: &str = "no nodes available to schedule pods";
/// Longest text of an event. Source: `pkg/scheduler/util/utils.go`.
const EVENT_CHARACTERS_MAX: usize = 1024;

/// How many nodes gave which reason.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    unschedulable: u32,
    taint: u32,
    affinity: u32,
    ports: u32,
    pods: u32,
    cpu: u32,
    memory: u32,
    ephemeral: u32,
    extended: SmallVec<[(Symbol, u32); 2]>,
    /// Nodes on which the removal of pods cannot help.
    unresolvable: u32,
    nodes: u32,
    by: PluginSet,
}

impl Tally {
    /// Counts a node that said no.
    pub fn add(&mut self, verdict: Verdict, demand: &Demand, cache: &Cache, slot: u32) {
        self.nodes += 1;
        let plugin = match verdict {
            Verdict::Fits => unreachable!("only refusals are counted"),
            Verdict::Unschedulable => {
                self.unschedulable += 1;
                self.unresolvable += 1;
                Plugin::NodeUnschedulable
            }
            Verdict::Taint => {
                self.taint += 1;
                self.unresolvable += 1;
                Plugin::TaintToleration
            }
            Verdict::Affinity => {
                self.affinity += 1;
                self.unresolvable += 1;
                Plugin::NodeAffinity
            }
            Verdict::Ports => {
                self.ports += 1;
                Plugin::NodePorts
            }
            Verdict::Lacking(what) => {
                self.add_lacking(what, demand, cache, slot);
                Plugin::NodeResourcesFit
            }
        };
        self.by = self.by.with(plugin);
    }

    /// Which plugins said no.
    pub const fn rejected_by(&self) -> PluginSet {
        self.by
    }

    /// The whole text, the preemption's part included. Pods of lower priority are never found:
    /// preemption is not modelled.
    pub fn message(&self, nodes: u32, symbols: &Symbols) -> String {
        let extended: Vec<(u32, String)> = self
            .extended
            .iter()
            .map(|(name, count)| (*count, format!("Insufficient {}", symbols.text(*name))))
            .collect();
        let mut reasons = vec![
            (self.unschedulable, "node(s) were unschedulable"),
            (self.taint, "node(s) had untolerated taint(s)"),
            (
                self.affinity,
                "node(s) didn't match Pod's node affinity/selector",
            ),
            (
                self.ports,
                "node(s) didn't have free ports for the requested pod ports",
            ),
            (self.pods, "Too many pods"),
            (self.cpu, "Insufficient cpu"),
            (self.memory, "Insufficient memory"),
            (self.ephemeral, "Insufficient ephemeral-storage"),
        ];
        reasons.extend(extended.iter().map(|(count, text)| (*count, text.as_str())));
        let preemption = vec![
            (
                self.unresolvable,
                "Preemption is not helpful for scheduling",
            ),
            (
                self.nodes - self.unresolvable,
                "No preemption victims found for incoming pod",
            ),
        ];
        format!(
            "0/{nodes} nodes are available: {}. no new claims to deallocate, preemption: 0/{nodes} nodes are available: {}.",
            sorted(reasons),
            sorted(preemption),
        )
    }

    fn add_lacking(&mut self, what: u8, demand: &Demand, cache: &Cache, slot: u32) {
        let node = cache.numbers(slot);
        let mut resolvable = true;
        if what & Verdict::PODS != 0 {
            self.pods += 1;
            resolvable &= node.pods > 0;
        }
        if what & Verdict::CPU != 0 {
            self.cpu += 1;
            resolvable &= demand.milli_cpu <= node.milli_cpu;
        }
        if what & Verdict::MEMORY != 0 {
            self.memory += 1;
            resolvable &= demand.memory <= node.memory;
        }
        if what & Verdict::EPHEMERAL != 0 {
            self.ephemeral += 1;
            resolvable &= demand.ephemeral <= node.ephemeral;
        }
        if what & Verdict::EXTENDED != 0 {
            let facts = cache.facts(slot);
            for (name, amount) in &demand.extended {
                let allocatable = facts
                    .extended
                    .iter()
                    .find(|(other, _)| other == name)
                    .map_or(0, |(_, have)| *have);
                if *amount <= allocatable - facts.used_extended.extended(*name) {
                    continue;
                }
                match self.extended.iter_mut().find(|(other, _)| other == name) {
                    Some((_, count)) => *count += 1,
                    None => self.extended.push((*name, 1)),
                }
                resolvable &= *amount <= allocatable;
            }
        }
        self.unresolvable += u32::from(!resolvable);
    }
}

/// `count reason` strings, sorted as text: "10 x" comes before "2 y".
fn sorted(reasons: Vec<(u32, &str)>) -> String {
    let mut lines: Vec<String> = reasons
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, reason)| format!("{count} {reason}"))
        .collect();
    lines.sort_unstable();
    lines.join(", ")
}

/// Cuts an event's text as upstream does: 1024 characters, the last four of them " ...".
pub fn truncated(message: &str) -> String {
    if message.len() <= EVENT_CHARACTERS_MAX {
        return message.to_owned();
    }
    let mut end = EVENT_CHARACTERS_MAX - 4;
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    format!("{} ...", &message[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(tally: &Tally) -> String {
        tally.message(tally.nodes, &Symbols::new())
    }

    /// Reference 7.8 and 23.14.
    #[test]
    fn examples() {
        let full = Tally {
            cpu: 3,
            nodes: 3,
            ..Tally::default()
        };
        assert_eq!(
            message(&full),
            "0/3 nodes are available: 3 Insufficient cpu. no new claims to deallocate, preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod."
        );
        let mixed = Tally {
            cpu: 2,
            memory: 1,
            taint: 1,
            unresolvable: 1,
            nodes: 4,
            ..Tally::default()
        };
        assert_eq!(
            message(&mixed),
            "0/4 nodes are available: 1 Insufficient memory, 1 node(s) had untolerated taint(s), 2 Insufficient cpu. no new claims to deallocate, preemption: 0/4 nodes are available: 1 Preemption is not helpful for scheduling, 3 No preemption victims found for incoming pod."
        );
        let tainted = Tally {
            taint: 10,
            cpu: 2,
            unresolvable: 10,
            nodes: 12,
            ..Tally::default()
        };
        assert_eq!(
            message(&tainted),
            "0/12 nodes are available: 10 node(s) had untolerated taint(s), 2 Insufficient cpu. no new claims to deallocate, preemption: 0/12 nodes are available: 10 Preemption is not helpful for scheduling, 2 No preemption victims found for incoming pod."
        );
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(truncated(&"x".repeat(1024)).len(), 1024);
        let cut = truncated(&"x".repeat(1025));
        assert_eq!(cut.len(), 1024);
        assert!(cut.ends_with("x ..."));
    }
}
