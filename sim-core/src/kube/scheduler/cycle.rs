//! One scheduling cycle: which nodes can take a pod, and which of them is the best.
//!
//! Cost: a few comparisons for each node looked at and four divisions for each node scored. What was
//! found of a node holds for every template of its class until the node changes.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::base::symbol::Symbols;
use crate::des::choice::Choices;
use crate::kube::rows::PodId;

use super::cache::{Cache, Taken};
use super::class::Classes;
use super::columns::{Column, Columns, know};
use super::demand::Demand;
use super::explain::{Glance, NodeRecord, Verdict};
use super::filter::{Candidate, Known};
use super::message::Tally;
use super::nominator::Nominator;
use super::plugins::{Plugin, SCORERS, affinity};
use super::quick::{self, Quick};
use super::score::Board;

/// Nodes that are enough when there are fewer than this many to choose from.
/// Source: `pkg/scheduler/schedule_one.go`.
const MIN_FEASIBLE_NODES: u32 = 100;

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

/// The nodes are filtered in parallel upstream, so that their order, and with it which of the best
/// comes to the heap's root, is open.
fn among_ties(totals: &[i64], root: usize, open: &mut Choices) -> usize {
    if !open.active() {
        return root;
    }
    let tied = |at: &usize| totals[*at] == totals[root];
    let arity = (0..totals.len()).filter(tied).count() as u32;
    if arity < 2 {
        return root;
    }
    let default = (0..root).filter(tied).count() as u32;
    let way = open.choose("scheduler-tie", arity, default);
    (0..totals.len())
        .filter(tied)
        .nth(way as usize)
        .unwrap_or(root)
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
        /// Who said no, how often.
        tally: Tally,
        /// Nodes that were not looked at because the pod names others, and the plugins that say so.
        absent: u32,
        /// All nodes.
        nodes: u32,
    },
    /// It was refused before nodes were looked at.
    Rejected {
        /// By whom.
        by: Plugin,
        /// Why.
        message: String,
        /// All nodes.
        nodes: u32,
    },
    /// There are no nodes.
    NoNodes,
}

/// Remembered [`Known`]s, and buffers. Holds nothing that a run depends on, so that a snapshot
/// starts without it.
#[derive(Debug, Default)]
pub struct Scratch {
    /// What is known of the nodes for each class.
    pub columns: Columns,
    quick: Quick,
    /// What the last cycle saw, if it went the quick way.
    pub glance: Option<Arc<Glance>>,
    /// Whether it did.
    pub glanced: bool,
    /// Which templates are the same to a node.
    pub classes: Classes,
    feasible: Vec<u32>,
    known: Vec<Known>,
    heap: Vec<u32>,
    /// Scores of the last cycle.
    pub board: Board,
    /// Verdict and scores of each node that the last cycle looked at, unless it went the quick way.
    pub records: Vec<NodeRecord>,
}

impl Clone for Scratch {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Scratch {
    /// Forgets what was found for templates: the profiles have changed.
    pub fn forget(&mut self) {
        self.columns.forget();
    }

    /// Forgets the last cycle.
    fn clear(&mut self) {
        self.glanced = false;
        self.records.clear();
        self.feasible.clear();
        self.known.clear();
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

/// The pod of a cycle.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    /// The pod.
    pub pod: PodId,
    /// The class of its template.
    pub class: u32,
    /// The node that it is nominated to.
    pub nominated: Option<u32>,
}

/// Finds a node for one pod.
pub fn run(
    subject: Subject,
    candidate: &Candidate<'_>,
    cache: &mut Cache,
    search: &mut Search,
    scratch: &mut Scratch,
    nominator: &Nominator,
    (symbols, open): (&Symbols, &mut Choices),
) -> Decision {
    scratch.clear();
    let nodes = cache.tree.len();
    if nodes == 0 {
        return Decision::NoNodes;
    }
    let Ok(named) = named(candidate, cache) else {
        return Decision::Rejected {
            by: Plugin::NodeAffinity,
            message: "pod affinity terms conflict".to_owned(),
            nodes,
        };
    };
    cache.tree.order();
    let lasting = candidate.reads_numbers_only() && nominator.is_empty();
    let candidates = named.as_ref().map_or(nodes, |named| named.len() as u32);
    let wanted = wanted(candidate, search, candidates);
    let mut column = scratch.columns.take(subject.class);
    let plain = lasting && named.is_none() && subject.nominated.is_none() && !open.active();
    let decision = plain
        .then(|| quickly(candidate, cache, search, wanted, &mut column, scratch))
        .flatten();
    if let Some(decision) = decision {
        scratch.columns.keep(subject.class, column);
        return decision;
    }
    let mut walk = Walk {
        pod: subject.pod,
        candidate,
        cache,
        nominator,
        memo: &mut column.known,
        lasting,
        scratch,
    };
    let tally = match subject.nominated {
        Some(slot) if walk.nominee_fits(slot) => Tally::default(),
        Some(_) | None => walk.nodes(search, named.as_deref(), wanted),
    };
    scratch.columns.keep(subject.class, column);
    match scratch.feasible.as_slice() {
        [] => Decision::Unschedulable {
            tally,
            absent: nodes - candidates,
            nodes,
        },
        [slot] => Decision::Bind {
            slot: *slot,
            feasible: 1,
            nodes,
        },
        _ => Decision::Bind {
            slot: best(candidate, (cache, symbols), scratch, open),
            feasible: scratch.feasible.len() as u32,
            nodes,
        },
    }
}

/// The nodes that the pod's affinity names, if it names any; the others are not looked at.
///
/// # Errors
/// Its terms name different nodes.
fn named(candidate: &Candidate<'_>, cache: &Cache) -> Result<Option<Vec<u32>>, ()> {
    if !candidate.demand.requires || !candidate.profile.filters.has(Plugin::NodeAffinity) {
        return Ok(None);
    }
    match affinity::named_nodes(&candidate.template.spec) {
        Some(names) if names.is_empty() => Err(()),
        Some(names) => {
            let slots = names.iter().filter_map(|name| cache.named(name));
            Ok(Some(slots.collect()))
        }
        None => Ok(None),
    }
}

/// How many feasible nodes are enough.
fn wanted(candidate: &Candidate<'_>, search: &Search, candidates: u32) -> u32 {
    let profile = candidate.profile;
    if profile.weights.iter().all(|weight| *weight == 0) {
        return 1;
    }
    feasible_nodes_to_find(candidates, profile.percentage.unwrap_or(search.percentage))
}

/// The quick way, if it knows enough.
fn quickly(
    candidate: &Candidate<'_>,
    cache: &mut Cache,
    search: &mut Search,
    wanted: u32,
    column: &mut Column,
    scratch: &mut Scratch,
) -> Option<Decision> {
    if !quick::is_enough(candidate, &cache.index) {
        return None;
    }
    column.catch_up(candidate, cache);
    for constraint in &candidate.plan.soft {
        cache.index.arrange(constraint.column, &cache.tree);
    }
    let Scratch {
        columns,
        quick,
        glance,
        glanced,
        ..
    } = scratch;
    let glance = Arc::make_mut(glance.get_or_insert_default());
    let buffers = (columns, quick, glance);
    let decision = quick::run(candidate, cache, search, wanted, column, buffers)?;
    *glanced = true;
    Some(decision)
}

/// The best of the feasible nodes.
fn best(
    candidate: &Candidate<'_>,
    seen: (&Cache, &Symbols),
    scratch: &mut Scratch,
    open: &mut Choices,
) -> u32 {
    let Scratch {
        board,
        feasible,
        known,
        heap,
        ..
    } = scratch;
    board.score(candidate, seen, feasible, known);
    let best = among_ties(&board.totals, heap_root(&board.totals, heap), open);
    keep_scores(scratch);
    scratch.feasible[best]
}

/// The long way: node by node.
struct Walk<'a> {
    pod: PodId,
    candidate: &'a Candidate<'a>,
    cache: &'a mut Cache,
    nominator: &'a Nominator,
    memo: &'a mut Vec<Known>,
    /// Whether what is known of a node holds until its numbers change.
    lasting: bool,
    scratch: &'a mut Scratch,
}

impl Walk<'_> {
    /// Whether the node that the pod is nominated to, if it is still there, can take it.
    fn nominee_fits(&mut self, slot: u32) -> bool {
        let fits = self.cache.facts(slot).id.is_some() && self.look_at(slot) == Verdict::Fits;
        if !fits {
            self.scratch.records.clear();
        }
        fits
    }

    /// Looks for feasible nodes, `wanted` of them at most, where the last cycle ended. Who said no.
    fn nodes(&mut self, search: &mut Search, named: Option<&[u32]>, wanted: u32) -> Tally {
        let nodes = self.cache.tree.len();
        let candidates = named.map_or(nodes, |named| named.len() as u32);
        let mut tally = Tally::default();
        let mut looked_at = 0;
        let mut next = search.next_start % candidates.max(1);
        while looked_at < candidates && (self.scratch.feasible.len() as u32) < wanted {
            let slot = match named {
                Some(named) => named[next as usize],
                None => self.cache.tree.at(next),
            };
            next = if next + 1 == candidates { 0 } else { next + 1 };
            looked_at += 1;
            let verdict = self.look_at(slot);
            if verdict != Verdict::Fits {
                tally.add(verdict);
            }
        }
        search.next_start = (search.next_start + looked_at) % nodes;
        tally
    }

    /// Looks at one node and notes what the filters say.
    fn look_at(&mut self, slot: u32) -> Verdict {
        let (candidate, cache) = (self.candidate, &mut *self.cache);
        let known = if self.lasting {
            know(self.memo, candidate, cache, slot)
        } else {
            let generation = cache.numbers(slot).generation;
            let examine = || candidate.examine(cache, slot);
            let mut known = labels_of(self.memo, slot, generation, examine);
            known.now = known.verdict;
            if known.verdict == Verdict::Fits {
                known.now = check(self.pod, candidate, cache, slot, self.nominator);
            }
            known
        };
        let verdict = known.now;
        if verdict == Verdict::Fits {
            self.scratch.feasible.push(slot);
            self.scratch.known.push(known);
        }
        self.scratch.records.push(NodeRecord {
            slot,
            verdict,
            ..NodeRecord::default()
        });
        verdict
    }
}

/// The filters, with and without the pods of at least its priority that are nominated to the node.
/// Source: `pkg/scheduler/framework/runtime/framework.go` (`RunFilterPluginsWithNominatedPods`).
pub fn check(
    pod: PodId,
    candidate: &Candidate<'_>,
    cache: &mut Cache,
    slot: u32,
    nominator: &Nominator,
) -> Verdict {
    let guests = nominator.on(slot, pod, candidate.demand.priority);
    if guests.is_empty() {
        return candidate.check(cache, slot);
    }
    let mut placed: Vec<(PodId, Arc<Demand>)> = Vec::new();
    for guest in guests {
        if cache.node_of(guest.pod).is_none() {
            let place = Taken {
                slot,
                template: guest.template,
                live: true,
            };
            cache.place(guest.pod, place, &guest.demand, candidate.look);
            placed.push((guest.pod, guest.demand.clone()));
        }
    }
    let with = candidate.check(cache, slot);
    for (guest, demand) in placed.iter().rev() {
        cache.displace(*guest, demand, candidate.look);
    }
    if with == Verdict::Fits && !placed.is_empty() {
        candidate.check(cache, slot)
    } else {
        with
    }
}

/// The remembered verdict, or a fresh one when the node changed.
fn labels_of(
    memo: &mut Vec<Known>,
    slot: u32,
    generation: u32,
    examine: impl FnOnce() -> Known,
) -> Known {
    let index = slot as usize;
    if index >= memo.len() {
        memo.resize(index + 1, Known::default());
    }
    if memo[index].generation != generation {
        memo[index] = examine();
    }
    memo[index]
}

/// Copies scores and totals into the records of the feasible nodes.
fn keep_scores(scratch: &mut Scratch) {
    let Scratch { board, records, .. } = scratch;
    let columns: SmallVec<[_; SCORERS]> = (0..SCORERS)
        .map(|place| (place, &*board.scores[place], &*board.raw[place]))
        .filter(|(_, scores, _)| !scores.is_empty())
        .collect();
    let fits = records
        .iter_mut()
        .filter(|record| record.verdict == Verdict::Fits);
    for (index, (record, total)) in fits.zip(&board.totals).enumerate() {
        for (place, scores, raw) in &columns {
            record.scores[*place] = u8::try_from(scores[index]).unwrap_or(0);
            record.raw[*place] = i32::try_from(raw[index]).unwrap_or(i32::MAX);
        }
        record.total = u32::try_from(*total).unwrap_or(0);
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
