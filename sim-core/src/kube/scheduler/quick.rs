//! The quick way through a cycle, for pods whose filters read nothing but a node's own numbers: the
//! same nodes, scores and winner as the long way gives, read from columns.
//!
//! Estimate: a few nanoseconds for each node that is scored, none for those that do not fit.

use super::cache::Cache;
use super::columns::{Column, Columns};
use super::counts::Counts;
use super::cycle::{Decision, Search};
use super::explain::Glance;
use super::filter::Candidate;
use super::index::Index;
use super::plan::Spread;
use super::plugins::{MAX_NODE_SCORE, Plugin, spread};
use super::score::{BALANCE, FIT, IMAGES, SPREAD, TAINTS};

/// Values of a topology key beyond which a table of them is no gain.
const VALUES_MAX: u32 = 1_024;
/// Width of raw spreading scores up to which a table of them is made.
const WIDTH_MAX: i64 = 1_024;

/// Pods of one controller on one node below which a node is rated with all others like it.
const COUNTS: u32 = 8;
/// Kinds of nodes, to the spreading constraints, up to which each kind is rated instead of each node.
const KINDS_MAX: u32 = 512;

/// Buffers.
#[derive(Debug, Default)]
pub struct Quick {
    places: Vec<u32>,
    slots: Vec<u32>,
    sums: Vec<i64>,
    totals: Vec<i32>,
    table: Vec<i64>,
    seen: Vec<bool>,
    /// Stride and number of values of each constraint in a node's kind.
    digits: Vec<(u32, u32)>,
    weighted: Vec<i32>,
    /// By slot, zero between two uses.
    dense: Vec<u32>,
}

/// Whether the quick way knows all scores of the candidate.
pub fn is_enough(candidate: &Candidate<'_>, index: &Index) -> bool {
    let (profile, plan) = (candidate.profile, candidate.plan);
    let scores = |plugin| profile.weight(plugin) > 0;
    let spreads = || {
        !plan.all_keys
            && plan
                .soft
                .iter()
                .all(|it| it.hostname || index.values(it.column).1 <= VALUES_MAX)
    };
    let wishes = || {
        let mut tallies = plan.wishes.iter();
        tallies.any(|(_, tally)| index.total(*tally) > 0)
    };
    let prefers = candidate.demand.prefers || !profile.added_affinity.node_preferred.is_empty();
    !(scores(Plugin::NodeAffinity) && prefers)
        && (!scores(Plugin::PodTopologySpread) || plan.soft.is_empty() || spreads())
        && !(scores(Plugin::InterPodAffinity) && wishes())
}

/// A cycle over a class's columns, which must be up to date. `None`: they do not say enough.
pub fn run(
    candidate: &Candidate<'_>,
    cache: &Cache,
    search: &mut Search,
    wanted: u32,
    column: &Column,
    (columns, quick, glance): (&mut Columns, &mut Quick, &mut Glance),
) -> Option<Decision> {
    let profile = candidate.profile;
    let scores = |plugin| profile.weight(plugin) > 0;
    if scores(Plugin::TaintToleration) && column.unpreferred > 0 {
        return None;
    }
    let nodes = cache.tree.len();
    let start = search.next_start % nodes;
    let looked_at = column.find(start, wanted, &mut quick.places);
    let feasible = quick.places.len() as u32;
    glance.clear();
    let order = cache.tree.slots();
    quick.slots.clear();
    quick
        .slots
        .extend(quick.places.iter().map(|place| order[*place as usize]));
    if feasible > 1
        && scores(Plugin::ImageLocality)
        && !columns.images(candidate, cache, &quick.slots, &mut glance.images)
    {
        return None;
    }
    glance.order = cache.tree.shared();
    glance.start = start;
    glance.looked_at = looked_at;
    glance.verdicts = (feasible < looked_at).then(|| column.verdicts.clone());
    search.next_start = (search.next_start + looked_at) % nodes;
    if feasible == 0 {
        return Some(Decision::Unschedulable {
            tally: column.refusals.clone(),
            absent: 0,
            nodes,
        });
    }
    let mut best = 0;
    if feasible > 1 {
        score(candidate, cache, column, quick, glance);
        best = heap_root(&quick.totals);
    }
    Some(Decision::Bind {
        slot: quick.slots[best],
        feasible,
        nodes,
    })
}

/// Scores the feasible nodes; ImageLocality's are there already. Weights are 10,000 at most
/// ([`super::config`]), so that no sum comes near the end of its type.
fn score(
    candidate: &Candidate<'_>,
    cache: &Cache,
    column: &Column,
    quick: &mut Quick,
    glance: &mut Glance,
) {
    let (profile, demand) = (candidate.profile, candidate.demand);
    let weight = |plugin| profile.weight(plugin).cast_signed();
    let mut base = 0;
    if weight(Plugin::TaintToleration) > 0 {
        // Nobody has a taint that matters, so that all are the best.
        glance.said |= 1 << TAINTS;
        base = weight(Plugin::TaintToleration).wrapping_mul(MAX_NODE_SCORE as i32);
    }
    let by_fit = weight(Plugin::NodeResourcesFit);
    if by_fit > 0 {
        glance.said |= 1 << FIT;
    }
    let mut by_balance = 0;
    if demand.milli_cpu > 0 || demand.memory > 0 {
        by_balance = weight(Plugin::NodeResourcesBalancedAllocation);
    }
    if by_balance > 0 {
        glance.said |= 1 << BALANCE;
    }
    let marks = quick.places.iter();
    glance
        .marks
        .extend(marks.map(|place| column.marks[*place as usize]));
    quick.totals.clear();
    quick
        .totals
        .extend(glance.marks.iter().map(|[fit, balance]| {
            let fit = by_fit.wrapping_mul(i32::from(*fit));
            let balance = by_balance.wrapping_mul(i32::from(*balance));
            base.wrapping_add(fit).wrapping_add(balance)
        }));
    let by_spread = weight(Plugin::PodTopologySpread);
    if by_spread > 0 && !candidate.plan.soft.is_empty() {
        glance.said |= 1 << SPREAD;
        let constraints = &candidate.plan.soft;
        if !spread_kinds(constraints, &cache.index, quick, glance) {
            spreading(constraints, &cache.index, quick, glance);
        }
        let rates = glance.spread_rates.iter();
        quick.weighted.clear();
        quick
            .weighted
            .extend(rates.map(|(_, score)| by_spread.wrapping_mul(i32::from(*score))));
        for (kind, total) in glance.spread_kinds.iter().zip(&mut quick.totals) {
            *total = total.wrapping_add(quick.weighted[*kind as usize]);
        }
    }
    let by_image = weight(Plugin::ImageLocality);
    if by_image > 0 {
        glance.said |= 1 << IMAGES;
        for (score, total) in glance.images.iter().zip(&mut quick.totals) {
            *total = total.wrapping_add(by_image.wrapping_mul(i32::from(*score)));
        }
    }
}

/// PodTopologySpread without nodes that are left out, where few kinds of nodes are to be told apart:
/// what the constraints read of a node is its kind, and each kind is rated once. `false`: there are
/// too many.
fn spread_kinds(
    constraints: &[Spread],
    index: &Index,
    quick: &mut Quick,
    glance: &mut Glance,
) -> bool {
    let kinds = &mut glance.spread_kinds;
    kinds.clear();
    kinds.resize(quick.slots.len(), 0);
    quick.digits.clear();
    let mut all = 1_u32;
    for constraint in constraints {
        let (values, different) = index.values(constraint.column);
        // Without the label it is the first of its kind.
        let size = 1 + if constraint.hostname {
            COUNTS
        } else {
            different.min(KINDS_MAX)
        };
        if all * size > KINDS_MAX {
            return false;
        }
        let value = |slot: u32| values.get(slot as usize).copied().unwrap_or(0);
        let places = quick.slots.iter().zip(&mut *kinds);
        if constraint.hostname {
            let counts = by_slot(index.counts(constraint.source), &mut quick.dense);
            let mut most = 0;
            for (slot, kind) in places {
                let count = counts.get(*slot as usize).copied().unwrap_or(0);
                most = most.max(count);
                let digit = if value(*slot) == 0 {
                    0
                } else {
                    1 + count.min(COUNTS - 1)
                };
                *kind = kind.wrapping_add(all.wrapping_mul(digit));
            }
            blank(index.counts(constraint.source), &mut quick.dense);
            if most >= COUNTS {
                return false;
            }
        } else {
            for (slot, kind) in places {
                *kind = kind.wrapping_add(all.wrapping_mul(value(*slot)));
            }
        }
        quick.digits.push((all, size));
        all *= size;
    }
    quick.seen.clear();
    quick.seen.resize(all as usize, false);
    for kind in &*kinds {
        quick.seen[*kind as usize] = true;
    }
    let seen = |kind: &u32| quick.seen[*kind as usize];
    quick.sums.clear();
    quick.sums.resize(all as usize, 0);
    for (constraint, (stride, size)) in constraints.iter().zip(&quick.digits) {
        let digit = |kind: u32| kind / stride % size;
        let domains = if constraint.hostname {
            quick.slots.len() as u32
        } else {
            quick.table.clear();
            quick.table.resize(*size as usize, 0);
            for kind in (0..all).filter(seen) {
                quick.table[digit(kind) as usize] = 1;
            }
            quick.table.iter().sum::<i64>() as u32
        };
        let weight = spread::topology_weight(domains);
        let skew = i64::from(constraint.max_skew);
        for kind in (0..all).filter(seen).filter(|kind| digit(*kind) > 0) {
            let count = if constraint.hostname {
                digit(kind) - 1
            } else {
                constraint.count(index, digit(kind))
            };
            quick.sums[kind as usize] += spread::constraint_score(count.into(), weight, skew);
        }
    }
    for sum in &mut quick.sums {
        *sum = spread::rounded(*sum);
    }
    let raws = || (0..all).filter(seen).map(|kind| quick.sums[kind as usize]);
    let (least, most) = (raws().min().unwrap_or(0), raws().max().unwrap_or(0));
    glance.spread_rates.extend((0..all).map(|kind| {
        let raw = quick.sums[kind as usize];
        if seen(&kind) {
            rate(raw, least, most)
        } else {
            (0, 0)
        }
    }));
    true
}

/// A raw score, and the score that it becomes.
fn rate(raw: i64, least: i64, most: i64) -> (i32, u8) {
    let score = if most == 0 {
        MAX_NODE_SCORE
    } else {
        MAX_NODE_SCORE * (most + least - raw) / most
    };
    (
        i32::try_from(raw).unwrap_or(i32::MAX),
        u8::try_from(score).unwrap_or(0),
    )
}

/// PodTopologySpread without nodes that are left out: each node, or each raw score, is rated.
fn spreading(constraints: &[Spread], index: &Index, quick: &mut Quick, glance: &mut Glance) {
    quick.sums.clear();
    quick.sums.resize(quick.slots.len(), 0);
    for constraint in constraints {
        if constraint.hostname {
            by_node(constraint, index, quick);
        } else {
            by_value(constraint, index, quick);
        }
    }
    let (mut least, mut most) = (i64::MAX, i64::MIN);
    for sum in &mut quick.sums {
        *sum = spread::rounded(*sum);
        least = least.min(*sum);
        most = most.max(*sum);
    }
    let kinds = &mut glance.spread_kinds;
    kinds.clear();
    if most - least <= WIDTH_MAX {
        glance
            .spread_rates
            .extend((least..=most).map(|raw| rate(raw, least, most)));
        kinds.extend(quick.sums.iter().map(|raw| (raw - least) as u32));
    } else {
        let rates = quick.sums.iter().map(|raw| rate(*raw, least, most));
        glance.spread_rates.extend(rates);
        kinds.extend(0..quick.sums.len() as u32);
    }
}

/// Counts by slot, in a column or laid out in one.
fn by_slot<'a>(counts: &'a Counts, dense: &'a mut Vec<u32>) -> &'a [u32] {
    match counts {
        Counts::Few(list) => {
            let last = list.last().map_or(0, |(slot, _)| *slot as usize + 1);
            if dense.len() < last {
                dense.resize(last, 0);
            }
            for (slot, count) in list {
                dense[*slot as usize] = *count;
            }
            dense
        }
        Counts::Many(column) => column,
    }
}

/// Takes what [`by_slot`] laid out away.
fn blank(counts: &Counts, dense: &mut [u32]) {
    if let Counts::Few(list) = counts {
        for (slot, _) in list {
            dense[*slot as usize] = 0;
        }
    }
}

/// A constraint whose domains are the nodes.
fn by_node(constraint: &Spread, index: &Index, quick: &mut Quick) {
    let weight = spread::topology_weight(quick.slots.len() as u32);
    let skew = i64::from(constraint.max_skew);
    let (values, _) = index.values(constraint.column);
    let labelled = |slot: u32| values.get(slot as usize).is_some_and(|value| *value != 0);
    let counts = by_slot(index.counts(constraint.source), &mut quick.dense);
    for (slot, sum) in quick.slots.iter().zip(&mut quick.sums) {
        if labelled(*slot) {
            let count = counts.get(*slot as usize).copied().unwrap_or(0);
            *sum += spread::constraint_score(count.into(), weight, skew);
        }
    }
    blank(index.counts(constraint.source), &mut quick.dense);
}

/// A constraint whose domains are the values of a label.
fn by_value(constraint: &Spread, index: &Index, quick: &mut Quick) {
    let (values, different) = index.values(constraint.column);
    let value = |slot: u32| values.get(slot as usize).copied().unwrap_or(0) as usize;
    quick.seen.clear();
    quick.seen.resize(different as usize + 1, false);
    for slot in &quick.slots {
        quick.seen[value(*slot)] = true;
    }
    let domains = quick.seen.iter().filter(|seen| **seen).count() as u32;
    let weight = spread::topology_weight(domains);
    quick.table.clear();
    quick.table.push(0);
    quick.table.extend((1..=different).map(|value| {
        let count = constraint.count(index, value);
        spread::constraint_score(count.into(), weight, constraint.max_skew.into())
    }));
    for (slot, sum) in quick.slots.iter().zip(&mut quick.sums) {
        *sum += quick.table[value(*slot)];
    }
}

/// As [`super::cycle::heap_root`] without the heap: what comes to the root is, among the largest,
/// the one that a walk through the tree meets first, parents before children, left before right.
fn heap_root(totals: &[i32]) -> usize {
    let most = totals.iter().copied().max().unwrap_or(0);
    let path = |place: u32| {
        let zeros = place.leading_zeros();
        (place << zeros, 32 - zeros)
    };
    let (mut best, mut first) = (0, (u32::MAX, u32::MAX));
    for (index, _) in totals
        .iter()
        .enumerate()
        .filter(|(_, total)| **total == most)
    {
        let path = path(index as u32 + 1);
        if path < first {
            (best, first) = (index, path);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Seed, Stream};

    #[test]
    fn the_root_is_found_without_a_heap() {
        let mut stream = Stream::new(Seed(1), "test", 0, 0);
        let mut heap = Vec::new();
        for length in 1..200 {
            for range in [1, 2, 3, 10, 1000] {
                let totals: Vec<i64> = (0..length).map(|_| stream.below(range) as i64).collect();
                let known = super::super::cycle::heap_root(&totals, &mut heap);
                let narrow: Vec<i32> = totals.iter().map(|total| *total as i32).collect();
                assert_eq!(heap_root(&narrow), known, "{totals:?}");
            }
        }
    }
}
