//! The quick way through a cycle, for pods whose filters read nothing but a node's own numbers: the
//! same nodes, scores and winner as the long way gives, read from columns.
//!
//! Columns are in the order of search, and what was looked at is a stretch of them: a node that does
//! not fit has so small a total that it is never the best, and needs no branch. Estimate: one
//! nanosecond for each node that is looked at, some more for each that has pods of the controller.

use super::cache::Cache;
use super::columns::{Column, Columns, IMAGES_MAX, Window};
use super::counts::Counts;
use super::cycle::{Decision, Search};
use super::explain::Glance;
use super::filter::Candidate;
use super::index::{HOLDERS_MAX, Index};
use super::plan::Spread;
use super::plugins::{MAX_NODE_SCORE, Plugin, spread};
use super::score::{BALANCE, FIT, IMAGES, SPREAD, TAINTS};

/// Values of a topology key beyond which a table of them is no gain.
const VALUES_MAX: u32 = 1_024;
/// [`Glance::COUNTS`].
const COUNTS: usize = Glance::COUNTS as usize;

/// Buffers.
#[derive(Debug, Default)]
pub struct Quick {
    /// By turn.
    totals: Vec<i32>,
    sums: Vec<i64>,
    table: Vec<i64>,
    /// How many nodes have each of the rates.
    seen: Vec<u32>,
    /// By rate: what it weighs more than that of no pods.
    beyond: Vec<i32>,
    /// Numbers of nodes and of values, and the weights of so many domains.
    weights: [(u32, i64); 2],
}

/// [`spread::topology_weight`], found out anew only if the domains are not as many as before.
fn weight_of(known: &mut (u32, i64), domains: u32) -> i64 {
    if *known == (0, 0) || known.0 != domains {
        *known = (domains, spread::topology_weight(domains));
    }
    known.1
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
    let window = column.find(search.next_start % nodes, wanted);
    let (feasible, looked_at) = (window.fits, window.looked_at);
    glance.clear();
    let mut masks = &[][..];
    if feasible > 1 && scores(Plugin::ImageLocality) {
        masks = columns.images(candidate, cache, &mut glance.by_mask)?;
    }
    glance.order = cache.tree.shared();
    glance.start = window.start;
    glance.looked_at = looked_at;
    glance.verdicts = (feasible < looked_at).then(|| column.verdicts.clone());
    search.next_start = (window.start + looked_at) % nodes;
    let turn = match feasible {
        0 => {
            return Some(Decision::Unschedulable {
                tally: column.refusals.clone(),
                absent: 0,
                nodes,
            });
        }
        1 => column.turn_of(window, 0),
        _ => {
            score(candidate, cache, (column, window), masks, quick, glance);
            heap_root(&quick.totals, column, window)
        }
    };
    Some(Decision::Bind {
        slot: cache.tree.at(window.place(turn)),
        feasible,
        nodes,
    })
}

/// Scores the nodes of a window. What all of them have alike is left out of the totals. Weights are
/// 10,000 at most ([`super::config`]), so that no sum comes near the end of its type.
fn score(
    candidate: &Candidate<'_>,
    cache: &Cache,
    (column, window): (&Column, Window),
    masks: &[u8],
    quick: &mut Quick,
    glance: &mut Glance,
) {
    let demand = candidate.demand;
    let weight = |plugin| candidate.profile.weight(plugin).cast_signed();
    let mut say = |scorer: usize, says: bool| glance.said |= u8::from(says) << scorer;
    let by_spread = weight(Plugin::PodTopologySpread);
    let spreads = by_spread > 0 && !candidate.plan.soft.is_empty();
    let by_image = weight(Plugin::ImageLocality);
    let asks = demand.milli_cpu > 0 || demand.memory > 0;
    // Nobody has a taint that matters, so that all are the best.
    say(TAINTS, weight(Plugin::TaintToleration) > 0);
    say(FIT, weight(Plugin::NodeResourcesFit) > 0);
    say(
        BALANCE,
        asks && weight(Plugin::NodeResourcesBalancedAllocation) > 0,
    );
    say(SPREAD, spreads);
    say(IMAGES, by_image > 0);
    quick.totals.clear();
    for part in window.of(&column.totals) {
        quick.totals.extend_from_slice(part);
    }
    for part in window.of(&column.marks) {
        glance.marks.extend_from_slice(part);
    }
    if spreads {
        let constraints = &candidate.plan.soft;
        let at = (column, window);
        if !spread_by_rate(constraints, by_spread, cache, at, quick, glance) {
            spread_each(constraints, by_spread, cache, at, quick, glance);
        }
    }
    if !masks.is_empty() {
        let mut table = [0; 1 << IMAGES_MAX];
        for (weighted, score) in table.iter_mut().zip(&glance.by_mask) {
            *weighted = by_image * i32::from(*score);
        }
        for part in window.of(masks) {
            let at = glance.masks.len();
            glance.masks.extend_from_slice(part);
            if glance.by_mask.iter().any(|score| *score > 0) {
                for (mask, total) in part.iter().zip(&mut quick.totals[at..]) {
                    let score = table[usize::from(*mask) % table.len()];
                    *total = total.wrapping_add(score);
                }
            }
        }
    }
}

/// PodTopologySpread by the node and by one label at most of few values: what the constraints read of a
/// node is its value and how many of the pods it has, and each such pair is rated once. `false`: they
/// are others, or there are too many pairs; nothing was changed.
fn spread_by_rate(
    constraints: &[Spread],
    by_spread: i32,
    cache: &Cache,
    (column, window): (&Column, Window),
    quick: &mut Quick,
    glance: &mut Glance,
) -> bool {
    let index = &cache.index;
    let (mut by_host, mut by_label) = (None, None);
    for constraint in constraints {
        let known = if constraint.hostname {
            &mut by_host
        } else {
            &mut by_label
        };
        if known.replace(constraint).is_some() {
            return false;
        }
    }
    if by_host.is_some_and(|it| !index.is_on_all(it.column)) {
        return false;
    }
    let seen = &mut quick.seen;
    seen.clear();
    match by_label {
        Some(it) => {
            let holders = index.holders(it.column);
            seen.resize(holders.len() * COUNTS, 0);
            for (seen, holders) in seen.chunks_exact_mut(COUNTS).zip(holders) {
                seen[0] = column.count(window, holders);
            }
        }
        None => {
            seen.resize(COUNTS, 0);
            seen[0] = window.fits;
        }
    }
    if seen.is_empty() {
        return false;
    }
    // Nodes without the label are a domain, too.
    let domains = seen.chunks_exact(COUNTS).filter(|it| it[0] > 0).count() as u32;
    let values = by_label.map(|it| index.by_place(it.column));
    let counted = &mut glance.spread_counted;
    let mut most = 0;
    if let Some(constraint) = by_host {
        each_count(constraint, cache, window, |turn, place, count| {
            if !column.fits_at(place) {
                return;
            }
            most = most.max(count);
            let value = values.map_or(0, |values| values[place as usize]);
            let first = value.wrapping_mul(Glance::COUNTS);
            let rate = first | (count % Glance::COUNTS);
            let (none, some) = (&mut seen[first as usize], rate);
            *none = none.wrapping_sub(1);
            seen[some as usize] += 1;
            counted.push((turn, rate));
        });
    }
    if most as usize >= COUNTS {
        counted.clear();
        return false;
    }
    rate_seen((by_host, by_label), domains, (window, index), quick, glance);
    let mut table = [0; HOLDERS_MAX];
    quick.beyond.clear();
    for (weight, rates) in table.iter_mut().zip(glance.spread_rates.chunks(COUNTS)) {
        let weighted = |rate: &(i32, u8)| by_spread * i32::from(rate.1);
        *weight = weighted(&rates[0]);
        let beyond = rates.iter().map(|rate| weighted(rate) - *weight);
        quick.beyond.extend(beyond);
    }
    if let Some(values) = values {
        let mut totals = &mut quick.totals[..];
        for part in window.of(values) {
            let (some, others) = totals.split_at_mut(part.len());
            totals = others;
            for (value, total) in part.iter().zip(some) {
                *total = total.wrapping_add(table[*value as usize % HOLDERS_MAX]);
            }
        }
    }
    for (turn, rate) in &glance.spread_counted {
        let total = &mut quick.totals[*turn as usize];
        *total = total.wrapping_add(quick.beyond[*rate as usize]);
    }
    glance.spread_values = values.cloned();
    true
}

/// Rates the pairs of a value and a number of pods that some node has.
fn rate_seen(
    (by_host, by_label): (Option<&Spread>, Option<&Spread>),
    domains: u32,
    (window, index): (Window, &Index),
    quick: &mut Quick,
    glance: &mut Glance,
) {
    let [by_hosts, by_labels] = &mut quick.weights;
    let host_weight = weight_of(by_hosts, window.fits);
    let label_weight = weight_of(by_labels, domains);
    let score = |constraint: &Spread, count: u32, weight| {
        spread::constraint_score(count.into(), weight, constraint.max_skew.into())
    };
    let (mut least, mut most) = (i64::MAX, i64::MIN);
    quick.sums.clear();
    for (value, counts) in (0..).zip(quick.seen.chunks_exact(COUNTS)) {
        // Without the label the constraint adds nothing.
        let by_label = by_label.filter(|_| value > 0);
        let label = by_label.map_or(0, |it| score(it, it.count(index, value), label_weight));
        for (count, nodes) in (0..).zip(counts) {
            let host = by_host.map_or(0, |it| score(it, count, host_weight));
            let raw = spread::rounded(label + host);
            quick.sums.push(raw);
            if *nodes > 0 {
                least = least.min(raw);
                most = most.max(raw);
            }
        }
    }
    let rates = quick.sums.iter().zip(&quick.seen);
    glance.spread_rates.extend(rates.map(|(raw, nodes)| {
        if *nodes > 0 {
            rate(*raw, least, most)
        } else {
            (0, 0)
        }
    }));
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

/// PodTopologySpread without nodes that are left out: each node is rated.
fn spread_each(
    constraints: &[Spread],
    by_spread: i32,
    cache: &Cache,
    (column, window): (&Column, Window),
    quick: &mut Quick,
    glance: &mut Glance,
) {
    quick.sums.clear();
    quick.sums.resize(window.looked_at as usize, 0);
    for constraint in constraints {
        if constraint.hostname {
            by_node(constraint, cache, window, quick);
        } else {
            by_value(constraint, &cache.index, (column, window), quick);
        }
    }
    for sum in &mut quick.sums {
        *sum = spread::rounded(*sum);
    }
    let fits = |turn: &u32| column.fits_at(window.place(*turn));
    let turns = || (0..window.looked_at).filter(fits);
    let raws = || turns().map(|turn| quick.sums[turn as usize]);
    let (least, most) = (raws().min().unwrap_or(0), raws().max().unwrap_or(0));
    for turn in turns() {
        let rated = rate(quick.sums[turn as usize], least, most);
        quick.totals[turn as usize] += by_spread * i32::from(rated.1);
        let at = glance.spread_rates.len() as u32;
        glance.spread_counted.push((turn, at));
        glance.spread_rates.push(rated);
    }
}

/// Visits the nodes of a window that have some of the pods of a constraint by node: turn, place, and how
/// many pods.
#[inline]
fn each_count(
    constraint: &Spread,
    cache: &Cache,
    window: Window,
    mut visit: impl FnMut(u32, u32, u32),
) {
    match cache.index.counts(constraint.source) {
        Counts::Few(list) => {
            for (slot, count) in list {
                if let Some(place) = cache.tree.place(*slot)
                    && let Some(turn) = window.turn(place)
                {
                    visit(turn, place, *count);
                }
            }
        }
        Counts::Many(column) => {
            let slots = window.of(cache.tree.slots()).into_iter().flatten();
            for (turn, slot) in (0..).zip(slots) {
                let count = column.get(*slot as usize).copied().unwrap_or(0);
                if count > 0 {
                    visit(turn, window.place(turn), count);
                }
            }
        }
    }
}

/// A constraint whose domains are the nodes.
fn by_node(constraint: &Spread, cache: &Cache, window: Window, quick: &mut Quick) {
    let weight = spread::topology_weight(window.fits);
    let skew = i64::from(constraint.max_skew);
    let values = cache.index.by_place(constraint.column);
    let none = spread::constraint_score(0, weight, skew);
    let nodes = window.of(values).into_iter().flatten();
    for (value, sum) in nodes.zip(&mut quick.sums) {
        if *value != 0 {
            *sum += none;
        }
    }
    let sums = &mut quick.sums;
    each_count(constraint, cache, window, |turn, place, count| {
        if values[place as usize] != 0 {
            sums[turn as usize] += spread::constraint_score(count.into(), weight, skew) - none;
        }
    });
}

/// A constraint whose domains are the values of a label.
fn by_value(
    constraint: &Spread,
    index: &Index,
    (column, window): (&Column, Window),
    quick: &mut Quick,
) {
    let values = index.by_place(constraint.column);
    let different = index.different(constraint.column);
    quick.seen.clear();
    quick.seen.resize(different as usize + 1, 0);
    for place in (0..window.looked_at).map(|turn| window.place(turn)) {
        if column.fits_at(place) {
            quick.seen[values[place as usize] as usize] = 1;
        }
    }
    // Nodes without the label are a domain, too.
    let domains = quick.seen.iter().sum();
    let weight = spread::topology_weight(domains);
    quick.table.clear();
    quick.table.push(0);
    quick.table.extend((1..=different).map(|value| {
        let count = constraint.count(index, value);
        spread::constraint_score(count.into(), weight, constraint.max_skew.into())
    }));
    let nodes = window.of(values).into_iter().flatten();
    for (value, sum) in nodes.zip(&mut quick.sums) {
        *sum += quick.table[*value as usize];
    }
}

/// The turn that [`super::cycle::heap_root`] finds, without the heap: what comes to the root is, among
/// the largest, the one that a walk through the tree meets first, parents before children, left before
/// right.
fn heap_root(totals: &[i32], column: &Column, window: Window) -> u32 {
    let most = totals.iter().fold(i32::MIN, |most, total| most.max(*total));
    // The walk goes down the left side first.
    let is_best = |turn: u32| totals[turn as usize] == most;
    if let Some(turn) = column.first_on_left(window, is_best) {
        return turn;
    }
    // Where a node of the tree is: the way down to it, and then how deep it is.
    let path = |place: u32| {
        let zeros = place.leading_zeros();
        u64::from(place << zeros) << 32 | u64::from(32 - zeros)
    };
    let (mut best, mut first) = (0, u64::MAX);
    let mut before = 0;
    for (turn, nodes, bits) in column.stretches(window) {
        let some = &totals[turn..turn + nodes];
        let is_most = |total: &i32| *total == most;
        if some.iter().fold(false, |any, total| any | is_most(total)) {
            for (at, _) in some.iter().enumerate().filter(|(_, total)| is_most(total)) {
                let rank = before + (bits & ((1 << at) - 1)).count_ones();
                let path = path(rank + 1);
                if path < first {
                    (best, first) = ((turn + at) as u32, path);
                }
            }
        }
        before += bits.count_ones();
    }
    best
}

#[cfg(test)]
mod tests {
    use super::super::columns::UNFIT;
    use super::super::columns::tests::column;
    use super::super::explain::Verdict;
    use super::*;
    use crate::base::rng::{Seed, Stream};

    #[test]
    fn the_root_is_found_without_a_heap() {
        let mut stream = Stream::new(Seed(1), "test", 0, 0);
        let mut heap = Vec::new();
        for length in 1..200 {
            for (range, gaps) in [(1, 1), (2, 3), (3, 1), (10, 2), (1000, 5), (1000, 1)] {
                let verdicts: Vec<Verdict> = (0..length)
                    .map(|_| match stream.below(gaps) {
                        0 => Verdict::Fits,
                        _ => Verdict::Taint,
                    })
                    .collect();
                let column = column(&verdicts);
                let window = column.find(stream.below(length), u32::MAX);
                let turns = (0..length).filter(|turn| column.fits_at(window.place(*turn)));
                let turns: Vec<u32> = turns.collect();
                let mut totals = vec![UNFIT; length as usize];
                for turn in &turns {
                    totals[*turn as usize] = stream.below(range) as i32;
                }
                let known = turns.iter().map(|turn| totals[*turn as usize].into());
                let known: Vec<i64> = known.collect();
                if known.is_empty() {
                    continue;
                }
                let root = super::super::cycle::heap_root(&known, &mut heap);
                assert_eq!(
                    heap_root(&totals, &column, window),
                    turns[root],
                    "{totals:?}"
                );
            }
        }
    }
}
