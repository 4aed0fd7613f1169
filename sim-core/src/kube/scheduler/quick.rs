//! The quick way through a cycle, for pods whose filters read nothing but a node's own numbers: the
//! same nodes, scores and winner as the long way gives, read from columns.
//!
//! Columns are in the order of search, so that the nodes that fit are runs of them and are read one
//! after another. Estimate: a few nanoseconds for each node that is scored, none for those that do
//! not fit.

use super::cache::Cache;
use super::columns::{Column, Columns, Found};
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
    found: Found,
    sums: Vec<i64>,
    totals: Vec<i32>,
    table: Vec<i64>,
    seen: Vec<bool>,
    /// Stride and number of values of each constraint in a node's kind.
    digits: Vec<(u32, u32)>,
    weighted: Vec<i32>,
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
                .all(|it| it.hostname || index.different(it.column) <= VALUES_MAX)
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

/// A cycle over a class's columns, which must be up to date, as must be those of the topology keys.
/// `None`: they do not say enough.
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
    let looked_at = column.find(start, wanted, &mut quick.found);
    let feasible = quick.found.count;
    glance.clear();
    if feasible > 1
        && scores(Plugin::ImageLocality)
        && !columns.images(candidate, cache, &quick.found, &mut glance.images)
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
        slot: cache.tree.at(quick.found.place(best as u32)),
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
    for part in quick.found.parts(&column.marks) {
        glance.marks.extend_from_slice(part);
    }
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
        if !spread_kinds(constraints, cache, quick, glance) {
            spreading(constraints, cache, quick, glance);
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
    cache: &Cache,
    quick: &mut Quick,
    glance: &mut Glance,
) -> bool {
    let index = &cache.index;
    let kinds = &mut glance.spread_kinds;
    kinds.clear();
    kinds.resize(quick.found.count as usize, 0);
    quick.digits.clear();
    let mut all = 1_u32;
    for constraint in constraints {
        let values = index.by_place(constraint.column);
        // Without the label it is the first of its kind.
        let size = 1 + if constraint.hostname {
            COUNTS
        } else {
            index.different(constraint.column).min(KINDS_MAX)
        };
        if all * size > KINDS_MAX {
            return false;
        }
        let mut rest = &mut kinds[..];
        for part in quick.found.parts(values) {
            let (some, others) = rest.split_at_mut(part.len());
            rest = others;
            if constraint.hostname {
                for (value, kind) in part.iter().zip(some) {
                    *kind = kind.wrapping_add(all.wrapping_mul(u32::from(*value != 0)));
                }
            } else {
                for (value, kind) in part.iter().zip(some) {
                    *kind = kind.wrapping_add(all.wrapping_mul(*value));
                }
            }
        }
        if constraint.hostname {
            let mut most = 0;
            each_count(constraint, cache, &quick.found, |at, place, count| {
                most = most.max(count);
                if values[place as usize] != 0 {
                    kinds[at] = kinds[at].wrapping_add(all.wrapping_mul(count));
                }
            });
            if most >= COUNTS {
                return false;
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
            quick.found.count
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
fn spreading(constraints: &[Spread], cache: &Cache, quick: &mut Quick, glance: &mut Glance) {
    quick.sums.clear();
    quick.sums.resize(quick.found.count as usize, 0);
    for constraint in constraints {
        if constraint.hostname {
            by_node(constraint, cache, quick);
        } else {
            by_value(constraint, &cache.index, quick);
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

/// Visits the nodes that were found and have some of the pods of a constraint by node: as the how
/// manieth each was found, its place, and how many pods it has.
fn each_count(
    constraint: &Spread,
    cache: &Cache,
    found: &Found,
    mut visit: impl FnMut(usize, u32, u32),
) {
    let start = found.place(0);
    match cache.index.counts(constraint.source) {
        Counts::Few(list) => {
            for (slot, count) in list {
                let place = cache.tree.place(*slot);
                let at = place.and_then(|place| Some((found.index(place, start)?, place)));
                if let Some((at, place)) = at {
                    visit(at as usize, place, *count);
                }
            }
        }
        Counts::Many(column) => {
            for (at, (place, slot)) in found.with_places(cache.tree.slots()).enumerate() {
                let count = column.get(*slot as usize).copied().unwrap_or(0);
                if count > 0 {
                    visit(at, place, count);
                }
            }
        }
    }
}

/// A constraint whose domains are the nodes.
fn by_node(constraint: &Spread, cache: &Cache, quick: &mut Quick) {
    let weight = spread::topology_weight(quick.found.count);
    let skew = i64::from(constraint.max_skew);
    let values = cache.index.by_place(constraint.column);
    let none = spread::constraint_score(0, weight, skew);
    for (value, sum) in quick.found.of(values).zip(&mut quick.sums) {
        if *value != 0 {
            *sum += none;
        }
    }
    let sums = &mut quick.sums;
    each_count(constraint, cache, &quick.found, |at, place, count| {
        if values[place as usize] != 0 {
            sums[at] += spread::constraint_score(count.into(), weight, skew) - none;
        }
    });
}

/// A constraint whose domains are the values of a label.
fn by_value(constraint: &Spread, index: &Index, quick: &mut Quick) {
    let values = index.by_place(constraint.column);
    let different = index.different(constraint.column);
    quick.seen.clear();
    quick.seen.resize(different as usize + 1, false);
    for value in quick.found.of(values) {
        quick.seen[*value as usize] = true;
    }
    let domains = quick.seen.iter().filter(|seen| **seen).count() as u32;
    let weight = spread::topology_weight(domains);
    quick.table.clear();
    quick.table.push(0);
    quick.table.extend((1..=different).map(|value| {
        let count = constraint.count(index, value);
        spread::constraint_score(count.into(), weight, constraint.max_skew.into())
    }));
    for (value, sum) in quick.found.of(values).zip(&mut quick.sums) {
        *sum += quick.table[*value as usize];
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
