//! One scheduling cycle: which nodes can take a pod, and which of them is the best.
//!
//! Cost: a few comparisons for each node looked at and four divisions for each node scored. Labels
//! and taints are compared once for each template and node until the node changes.

use rustc_hash::FxHashMap;

use crate::base::symbol::{Symbol, Symbols};
use crate::kube::template::{PodTemplate, TemplateId};

use super::cache::{Cache, NodeNumbers};
use super::demand::Demand;
use super::explain::{NodeRecord, Verdict};
use super::message::Tally;
use super::plugins::resources::{Share, Use, balanced_allocation, least_allocated};
use super::plugins::{PLUGINS, Plugin, PluginSet, ScoreOrder, affinity, normalize, spread, taints};

/// Nodes that are enough when there are fewer than this many to choose from.
/// Source: `pkg/scheduler/schedule_one.go`.
const MIN_FEASIBLE_NODES: u32 = 100;
/// Templates whose label and taint verdicts are remembered.
const MEMO_TEMPLATES: usize = 32;

/// How many feasible nodes end the search. `percentage` 0: the adaptive one.
/// Source: `pkg/scheduler/schedule_one.go` (`numFeasibleNodesToFind`).
pub fn feasible_nodes_to_find(nodes: u32, percentage: u32) -> u32 {
    if nodes < MIN_FEASIBLE_NODES {
        return nodes;
    }
    let percentage = if percentage == 0 {
        50_u32.saturating_sub(nodes / 125).max(5)
    } else {
        percentage
    };
    if percentage >= 100 {
        return nodes;
    }
    let found = u64::from(nodes) * u64::from(percentage) / 100;
    (found as u32).max(MIN_FEASIBLE_NODES)
}

/// Index of the node that is taken: the root after a binary heap is built over the totals.
/// Source: `pkg/scheduler/schedule_one.go` (`prioritizeNodes`) and Go's `container/heap`.
pub fn heap_root(totals: &[i64], heap: &mut Vec<u32>) -> usize {
    heap.clear();
    heap.extend(0..totals.len() as u32);
    let better = |heap: &[u32], one: usize, other: usize| {
        totals[heap[one] as usize] > totals[heap[other] as usize]
    };
    for start in (0..heap.len() / 2).rev() {
        let mut at = start;
        loop {
            let left = 2 * at + 1;
            if left >= heap.len() {
                break;
            }
            let right = left + 1;
            let child = if right < heap.len() && better(heap, right, left) {
                right
            } else {
                left
            };
            if !better(heap, child, at) {
                break;
            }
            heap.swap(at, child);
            at = child;
        }
    }
    heap[0] as usize
}

/// How a cycle ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A node was found.
    Bind {
        /// Its slot.
        slot: u32,
        /// Nodes that could take the pod, among those looked at.
        feasible: u32,
        /// All nodes.
        nodes: u32,
    },
    /// No node can take it.
    Unschedulable {
        /// Who said no.
        by: PluginSet,
        /// The FailedScheduling text.
        message: String,
    },
    /// There are no nodes.
    NoNodes,
}

/// What labels and taints say of one node for one template.
#[derive(Clone, Copy, Debug, Default)]
struct Static {
    /// Generation of the node that this was found for; 0: nothing was found yet.
    generation: u32,
    verdict: Verdict,
    unpreferred: u8,
    preference: i32,
}

/// Remembered [`Static`]s, and buffers. Holds nothing that a run depends on, so that a snapshot
/// starts without it.
#[derive(Debug, Default)]
pub struct Scratch {
    memo: FxHashMap<u32, Vec<Static>>,
    feasible: Vec<u32>,
    statics: Vec<Static>,
    columns: [Vec<i64>; PLUGINS],
    totals: Vec<i64>,
    heap: Vec<u32>,
    zones: Vec<(Symbol, i64)>,
    /// Verdict and scores of each node that the last cycle looked at.
    pub records: Vec<NodeRecord>,
}

impl Clone for Scratch {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// What of the search outlives a cycle.
#[derive(Clone, Copy, Debug, Default)]
pub struct Search {
    /// Where the next cycle starts in the order of nodes.
    pub next_start: u32,
    /// `percentageOfNodesToScore`; 0: adaptive.
    pub percentage: u32,
}

/// The pod that a cycle is about.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its template's id.
    pub id: TemplateId,
    /// Its template.
    pub template: &'a PodTemplate,
    /// What it asks for.
    pub demand: &'a Demand,
    /// Whether the default spreading applies: it has a controller.
    pub has_spread: bool,
}

/// Finds a node for one pod.
pub fn run(
    candidate: Candidate<'_>,
    cache: &mut Cache,
    search: &mut Search,
    scratch: &mut Scratch,
    symbols: &Symbols,
) -> Decision {
    let Candidate {
        id: template_id,
        template,
        demand,
        has_spread,
    } = candidate;
    scratch.records.clear();
    scratch.feasible.clear();
    scratch.statics.clear();
    let nodes = cache.tree.len();
    if nodes == 0 {
        return Decision::NoNodes;
    }
    if scratch.memo.len() >= MEMO_TEMPLATES && !scratch.memo.contains_key(&template_id.0) {
        scratch.memo.clear();
    }
    let mut memo = scratch.memo.remove(&template_id.0).unwrap_or_default();
    let wanted = feasible_nodes_to_find(nodes, search.percentage);
    let mut tally = Tally::default();
    cache.tree.order();
    let mut looked_at = 0;
    while looked_at < nodes && (scratch.feasible.len() as u32) < wanted {
        let slot = cache.tree.at((search.next_start + looked_at) % nodes);
        looked_at += 1;
        let numbers = cache.numbers(slot);
        let known = static_of(&mut memo, slot, numbers.generation, || {
            examine(template, cache, slot)
        });
        let verdict = if known.verdict == Verdict::Fits {
            fit(demand, numbers, cache, slot)
        } else {
            known.verdict
        };
        if verdict == Verdict::Fits {
            scratch.feasible.push(slot);
            scratch.statics.push(known);
        } else {
            tally.add(verdict, demand, cache, slot);
        }
        scratch.records.push(NodeRecord {
            slot,
            verdict,
            ..NodeRecord::default()
        });
    }
    scratch.memo.insert(template_id.0, memo);
    search.next_start = (search.next_start + looked_at) % nodes;
    let feasible = scratch.feasible.len() as u32;
    match feasible {
        0 => Decision::Unschedulable {
            by: tally.rejected_by(),
            message: tally.message(nodes, symbols),
        },
        1 => Decision::Bind {
            slot: scratch.feasible[0],
            feasible,
            nodes,
        },
        _ => {
            score(template_id, demand, has_spread, cache, scratch);
            let best = heap_root(&scratch.totals, &mut scratch.heap);
            keep_scores(scratch);
            Decision::Bind {
                slot: scratch.feasible[best],
                feasible,
                nodes,
            }
        }
    }
}

/// The remembered verdict, or a fresh one when the node changed.
fn static_of(
    memo: &mut Vec<Static>,
    slot: u32,
    generation: u32,
    examine: impl FnOnce() -> Static,
) -> Static {
    let index = slot as usize;
    if index >= memo.len() {
        memo.resize(index + 1, Static::default());
    }
    if memo[index].generation != generation {
        memo[index] = Static {
            generation,
            ..examine()
        };
    }
    memo[index]
}

/// What labels, taints and the cordon say, in the order of the filters.
fn examine(template: &PodTemplate, cache: &Cache, slot: u32) -> Static {
    let facts = cache.facts(slot);
    let tolerations = &template.tolerations;
    let verdict = if facts.unschedulable && !taints::tolerates_cordon(tolerations) {
        Verdict::Unschedulable
    } else if !taints::tolerated(&facts.taints, tolerations) {
        Verdict::Taint
    } else if !affinity::allowed(&template.spec, &facts.text, &facts.labels) {
        Verdict::Affinity
    } else {
        Verdict::Fits
    };
    Static {
        generation: 0,
        verdict,
        unpreferred: taints::unpreferred(&facts.taints, tolerations),
        preference: affinity::preference(&template.spec, &facts.text, &facts.labels),
    }
}

/// NodePorts and NodeResourcesFit.
fn fit(demand: &Demand, numbers: &NodeNumbers, cache: &Cache, slot: u32) -> Verdict {
    if !demand.ports.is_empty() {
        let held = &cache.facts(slot).ports;
        if demand
            .ports
            .iter()
            .any(|port| held.iter().any(|other| port.conflicts(other)))
        {
            return Verdict::Ports;
        }
    }
    let mut lacking = 0;
    if numbers.used_pods + 1 > numbers.pods {
        lacking |= Verdict::PODS;
    }
    if demand.milli_cpu > 0 && demand.milli_cpu > numbers.milli_cpu - numbers.used_milli_cpu {
        lacking |= Verdict::CPU;
    }
    if demand.memory > 0 && demand.memory > numbers.memory - numbers.used_memory {
        lacking |= Verdict::MEMORY;
    }
    if demand.ephemeral > 0 && demand.ephemeral > numbers.ephemeral - numbers.used_ephemeral {
        lacking |= Verdict::EPHEMERAL;
    }
    let facts = (!demand.extended.is_empty()).then(|| cache.facts(slot));
    for (name, amount) in &demand.extended {
        let facts = facts.expect("set when there are extended requests");
        let allocatable = facts
            .extended
            .iter()
            .find(|(other, _)| other == name)
            .map_or(0, |(_, amount)| *amount);
        if *amount > allocatable - facts.used_extended.extended(*name) {
            lacking |= Verdict::EXTENDED;
        }
    }
    if lacking == 0 {
        Verdict::Fits
    } else {
        Verdict::Lacking(lacking)
    }
}

/// Fills columns and totals for the feasible nodes.
fn score(
    template: TemplateId,
    demand: &Demand,
    has_spread: bool,
    cache: &Cache,
    scratch: &mut Scratch,
) {
    let balanced = demand.milli_cpu > 0 || demand.memory > 0;
    for plugin in Plugin::ALL {
        scratch.columns[plugin as usize].clear();
    }
    for (slot, known) in scratch.feasible.iter().zip(&scratch.statics) {
        let node = cache.numbers(*slot);
        scratch.columns[Plugin::TaintToleration as usize].push(i64::from(known.unpreferred));
        scratch.columns[Plugin::NodeAffinity as usize].push(i64::from(known.preference));
        let least = least_allocated([
            Share {
                free: node.milli_cpu - node.scored_milli_cpu - demand.scored_milli_cpu,
                allocatable: node.milli_cpu,
                reciprocal: node.per_milli_cpu,
            },
            Share {
                free: node.memory - node.scored_memory - demand.scored_memory,
                allocatable: node.memory,
                reciprocal: node.per_memory,
            },
        ]);
        scratch.columns[Plugin::NodeResourcesFit as usize].push(least);
        if balanced {
            let uses = |milli_cpu, memory| {
                [
                    Use {
                        requested: node.used_milli_cpu + milli_cpu,
                        allocatable: node.milli_cpu,
                    },
                    Use {
                        requested: node.used_memory + memory,
                        allocatable: node.memory,
                    },
                ]
            };
            let score = balanced_allocation(uses(0, 0), uses(demand.milli_cpu, demand.memory));
            scratch.columns[Plugin::NodeResourcesBalancedAllocation as usize].push(score);
        }
    }
    normalize(
        &mut scratch.columns[Plugin::TaintToleration as usize],
        ScoreOrder::LessIsBetter,
    );
    if demand.prefers {
        normalize(
            &mut scratch.columns[Plugin::NodeAffinity as usize],
            ScoreOrder::MoreIsBetter,
        );
    } else {
        scratch.columns[Plugin::NodeAffinity as usize].clear();
    }
    if has_spread {
        score_spread(template, cache, scratch);
    }
    scratch.totals.clear();
    scratch.totals.resize(scratch.feasible.len(), 0);
    for plugin in Plugin::ALL {
        let weight = i64::from(plugin.weight());
        for (total, score) in scratch
            .totals
            .iter_mut()
            .zip(&scratch.columns[plugin as usize])
        {
            *total += weight * score;
        }
    }
}

/// The system's default constraints: zone and hostname.
fn score_spread(template: TemplateId, cache: &Cache, scratch: &mut Scratch) {
    let Scratch {
        feasible,
        columns,
        zones,
        ..
    } = scratch;
    let spread = cache.spread(template);
    zones.clear();
    for slot in feasible.iter() {
        let zone = cache.numbers(*slot).zone;
        if !zones.iter().any(|(known, _)| *known == zone) {
            let in_zone = spread.map_or(0, |spread| spread.in_zone(zone));
            zones.push((zone, i64::from(in_zone)));
        }
    }
    // A node without the zone label counts as a domain of its own kind, as upstream's map does.
    let zone_weight = spread::topology_weight(zones.len() as u32);
    let host_weight = spread::topology_weight(feasible.len() as u32);
    let column = &mut columns[Plugin::PodTopologySpread as usize];
    for slot in feasible.iter() {
        let on_node = spread.map_or(0, |spread| spread.on_node(*slot));
        let mut sum =
            spread::constraint_score(i64::from(on_node), host_weight, spread::HOSTNAME_MAX_SKEW);
        let zone = cache.numbers(*slot).zone;
        if !zone.is_empty() {
            let in_zone = zones
                .iter()
                .find(|(known, _)| *known == zone)
                .map_or(0, |(_, sum)| *sum);
            sum += spread::constraint_score(in_zone, zone_weight, spread::ZONE_MAX_SKEW);
        }
        column.push(spread::rounded(sum));
    }
    spread::normalize(column);
}

/// Copies scores and totals into the records of the feasible nodes.
fn keep_scores(scratch: &mut Scratch) {
    let feasible = scratch
        .records
        .iter_mut()
        .filter(|record| record.verdict == Verdict::Fits);
    for (index, record) in feasible.enumerate() {
        for plugin in Plugin::ALL {
            let score = scratch.columns[plugin as usize].get(index).copied();
            record.scores[plugin as usize] = score
                .and_then(|score| u8::try_from(score).ok())
                .unwrap_or(0);
        }
        record.total = scratch.totals[index] as u16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference 2.6.
    #[test]
    fn sample_sizes() {
        let table = [
            (99, 99),
            (125, 100),
            (250, 120),
            (500, 230),
            (2000, 680),
            (4000, 720),
            (5500, 330),
            (5625, 281),
            (10_000, 500),
        ];
        for (nodes, found) in table {
            assert_eq!(feasible_nodes_to_find(nodes, 0), found, "{nodes} nodes");
        }
        assert_eq!(feasible_nodes_to_find(1000, 100), 1000);
        assert_eq!(feasible_nodes_to_find(1000, 5), 100);
    }

    /// Reference 2.13.
    #[test]
    fn ties_follow_the_heap() {
        let mut heap = Vec::new();
        assert_eq!(heap_root(&[1, 6, 9, 2, 9], &mut heap), 4);
        assert_eq!(heap_root(&[7, 7, 7, 7], &mut heap), 0);
        assert_eq!(heap_root(&[3], &mut heap), 0);
        assert_eq!(heap_root(&[1, 2], &mut heap), 1);
    }
}
