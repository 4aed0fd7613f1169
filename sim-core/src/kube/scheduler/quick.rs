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

/// Pods of one controller on one node whose scores are computed once a cycle.
const COUNTS: usize = 8;

/// Buffers.
#[derive(Debug, Default)]
pub struct Quick {
    places: Vec<u32>,
    slots: Vec<u32>,
    sums: Vec<i64>,
    totals: Vec<i64>,
    table: Vec<i64>,
    seen: Vec<bool>,
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

/// Scores the feasible nodes; ImageLocality's are there already.
fn score(
    candidate: &Candidate<'_>,
    cache: &Cache,
    column: &Column,
    quick: &mut Quick,
    glance: &mut Glance,
) {
    let (profile, demand) = (candidate.profile, candidate.demand);
    let weight = |plugin| i64::from(profile.weight(plugin));
    let mut base = 0;
    if weight(Plugin::TaintToleration) > 0 {
        // Nobody has a taint that matters, so that all are the best.
        glance.said |= 1 << TAINTS;
        base = weight(Plugin::TaintToleration) * MAX_NODE_SCORE;
    }
    quick.totals.clear();
    quick.totals.resize(quick.places.len(), base);
    let balances = weight(Plugin::NodeResourcesBalancedAllocation) > 0
        && (demand.milli_cpu > 0 || demand.memory > 0);
    let fits = weight(Plugin::NodeResourcesFit) > 0;
    if fits {
        glance.said |= 1 << FIT;
    }
    if balances {
        glance.said |= 1 << BALANCE;
    }
    let (by_fit, by_balance) = (
        weight(Plugin::NodeResourcesFit),
        if balances {
            weight(Plugin::NodeResourcesBalancedAllocation)
        } else {
            0
        },
    );
    glance.marks.reserve(quick.places.len());
    for (place, total) in quick.places.iter().zip(&mut quick.totals) {
        let marks = column.marks[*place as usize];
        glance.marks.push(marks);
        *total += by_fit * i64::from(marks[0]) + by_balance * i64::from(marks[1]);
    }
    if weight(Plugin::PodTopologySpread) > 0 && !candidate.plan.soft.is_empty() {
        glance.said |= 1 << SPREAD;
        spreading(candidate, &cache.index, quick, glance);
        let by_spread = weight(Plugin::PodTopologySpread);
        for (score, total) in glance.spread.iter().zip(&mut quick.totals) {
            *total += by_spread * i64::from(*score);
        }
    }
    if weight(Plugin::ImageLocality) > 0 {
        glance.said |= 1 << IMAGES;
        let by_image = weight(Plugin::ImageLocality);
        for (score, total) in glance.images.iter().zip(&mut quick.totals) {
            *total += by_image * i64::from(*score);
        }
    }
}

/// PodTopologySpread without nodes that are left out.
fn spreading(candidate: &Candidate<'_>, index: &Index, quick: &mut Quick, glance: &mut Glance) {
    quick.sums.clear();
    quick.sums.resize(quick.slots.len(), 0);
    for constraint in &candidate.plan.soft {
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
    let scaled = |raw: i64| {
        if most == 0 {
            MAX_NODE_SCORE
        } else {
            MAX_NODE_SCORE * (most + least - raw) / most
        }
    };
    glance.spread_raw.extend(
        quick
            .sums
            .iter()
            .map(|raw| i32::try_from(*raw).unwrap_or(i32::MAX)),
    );
    let narrow = |score: i64| u8::try_from(score).unwrap_or(0);
    if most - least <= WIDTH_MAX {
        quick.table.clear();
        quick.table.extend((least..=most).map(scaled));
        let table = &quick.table;
        glance.spread.extend(
            quick
                .sums
                .iter()
                .map(|raw| narrow(table[(raw - least) as usize])),
        );
    } else {
        glance
            .spread
            .extend(quick.sums.iter().map(|raw| narrow(scaled(*raw))));
    }
}

/// A constraint whose domains are the nodes.
fn by_node(constraint: &Spread, index: &Index, quick: &mut Quick) {
    let weight = spread::topology_weight(quick.slots.len() as u32);
    let skew = i64::from(constraint.max_skew);
    let (values, _) = index.values(constraint.column);
    let labelled = |slot: u32| values.get(slot as usize).is_some_and(|value| *value != 0);
    let counts = match index.counts(constraint.source) {
        Counts::Few(list) => {
            let last = list.last().map_or(0, |(slot, _)| *slot as usize + 1);
            if quick.dense.len() < last {
                quick.dense.resize(last, 0);
            }
            for (slot, count) in list {
                quick.dense[*slot as usize] = *count;
            }
            &quick.dense
        }
        Counts::Many(column) => column,
    };
    let mut small = [0; COUNTS];
    for (count, score) in (0..).zip(&mut small) {
        *score = spread::constraint_score(count, weight, skew);
    }
    for (slot, sum) in quick.slots.iter().zip(&mut quick.sums) {
        if labelled(*slot) {
            let count = counts.get(*slot as usize).copied().unwrap_or(0);
            *sum += match small.get(count as usize) {
                Some(score) => *score,
                None => spread::constraint_score(count.into(), weight, skew),
            };
        }
    }
    if let Counts::Few(list) = index.counts(constraint.source) {
        for (slot, _) in list {
            quick.dense[*slot as usize] = 0;
        }
    }
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
fn heap_root(totals: &[i64]) -> usize {
    let most = totals.iter().copied().max().unwrap_or(0);
    let ties = (1_u32..)
        .zip(totals)
        .filter(|(_, total)| **total == most)
        .map(|(place, _)| place);
    let path = |place: &u32| {
        let zeros = place.leading_zeros();
        (place << zeros, 32 - zeros)
    };
    ties.min_by_key(path).unwrap_or(1) as usize - 1
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
                assert_eq!(heap_root(&totals), known, "{totals:?}");
            }
        }
    }
}
