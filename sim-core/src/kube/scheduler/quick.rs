//! The quick way through a cycle, for pods whose filters read nothing but a node's own numbers: the
//! same nodes, scores and winner as the long way gives, read from columns.
//!
//! Columns are in the order of search, and what was looked at is a stretch of them. Nodes that the
//! scores tell apart in nothing are rated together, the best first: those of one total, one value of
//! the label that pods are spread by and the same images. Only nodes that have pods of the controller
//! are rated one by one.

use smallvec::SmallVec;

use super::cache::Cache;
use super::columns::{Column, Columns, IMAGES_MAX, Picture, Window, Words, nth};
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
/// [`Glance::COUNTS`].
const COUNTS: usize = Glance::COUNTS as usize;

/// Buffers.
#[derive(Debug, Default)]
pub struct Quick {
    /// The nodes that fit, of those that were looked at.
    words: Words,
    best: Best,
    /// By turn.
    totals: Vec<i32>,
    sums: Vec<i64>,
    table: Vec<i64>,
    /// How many nodes have each of the rates.
    seen: Vec<u32>,
    /// Nodes that are rated one by one: one bit each, by place.
    apart: Vec<u64>,
    /// Numbers of nodes and of values, and the weights of so many domains.
    weights: [(u32, i64); 2],
}

/// The best nodes so far.
#[derive(Debug, Default)]
struct Best {
    /// Their total.
    total: i32,
    /// One bit for each, by place.
    nodes: Vec<u64>,
}

impl Best {
    fn clear(&mut self, words: usize) {
        self.total = i32::MIN;
        self.nodes.clear();
        self.nodes.resize(words, 0);
    }

    /// Forgets the others if this is more. Whether it is at least as much.
    fn reaches(&mut self, total: i32) -> bool {
        if total > self.total {
            self.total = total;
            self.nodes.fill(0);
        }
        total == self.total
    }

    /// One more node.
    fn add(&mut self, place: u32, total: i32) {
        if self.reaches(total) {
            self.nodes[place as usize / 64] |= 1 << (place % 64);
        }
    }

    /// Some more nodes that have the same total, if there are any.
    fn add_all(&mut self, nodes: impl Iterator<Item = (usize, u64)> + Clone, total: i32) {
        let is_any = |(_, bits): (usize, u64)| bits != 0;
        if total > self.total && !nodes.clone().any(is_any) || !self.reaches(total) {
            return;
        }
        for (word, bits) in nodes {
            self.nodes[word] |= bits;
        }
    }
}

/// Nodes that the scores beside their own numbers tell apart in nothing.
struct Kind<'a> {
    /// What is added to their totals.
    weight: i32,
    /// The nodes of one value of the label that pods are spread by; `None`: of all.
    value: Option<&'a [u64]>,
    /// The nodes that have the same images; `None`: they do not count.
    images: Option<&'a [u64]>,
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
    let pictured = || candidate.demand.images.len() <= IMAGES_MAX;
    let prefers = candidate.demand.prefers || !profile.added_affinity.node_preferred.is_empty();
    !(scores(Plugin::NodeAffinity) && prefers)
        && (!scores(Plugin::ImageLocality) || pictured())
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
    let window = column.find(search.next_start % nodes, wanted, &mut quick.words);
    let (feasible, looked_at) = (window.fits, window.looked_at);
    glance.clear();
    glance.order = cache.tree.shared();
    glance.start = window.start;
    glance.looked_at = looked_at;
    glance.verdicts = (feasible < looked_at).then(|| column.verdicts.clone());
    search.next_start = (window.start + looked_at) % nodes;
    if feasible == 0 {
        return Some(Decision::Unschedulable {
            tally: column.refusals.clone(),
            absent: 0,
            nodes,
        });
    }
    quick.best.clear(nodes.div_ceil(64) as usize);
    if feasible == 1 {
        let alone = quick
            .words
            .iter()
            .map(|(word, bits)| (*word as usize, *bits));
        quick.best.add_all(alone, 0);
    } else {
        let picture = if scores(Plugin::ImageLocality) {
            columns.images(candidate, cache, &mut glance.by_mask)
        } else {
            None
        };
        score(candidate, cache, (column, window), picture, quick, glance);
    }
    Some(Decision::Bind {
        slot: cache.tree.at(heap_root(&quick.words, &quick.best.nodes)),
        feasible,
        nodes,
    })
}

/// Finds the best nodes of a window. What all of them have alike is left out of the totals. Weights are
/// 10,000 at most ([`super::config`]), so that no sum comes near the end of its type.
fn score(
    candidate: &Candidate<'_>,
    cache: &Cache,
    (column, window): (&Column, Window),
    picture: Option<&Picture>,
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
    for part in window.of(&column.marks) {
        glance.marks.extend_from_slice(part);
    }
    let mut images = [0; 1 << IMAGES_MAX];
    if let Some(picture) = picture {
        for part in window.of(&picture.masks) {
            glance.masks.extend_from_slice(part);
        }
        for (weighted, score) in images.iter_mut().zip(&glance.by_mask) {
            *weighted = by_image * i32::from(*score);
        }
    }
    // Images that are small, or on few nodes, are worth nothing anywhere.
    let picture = picture.filter(|_| images.iter().any(|weighted| *weighted > 0));
    let pictured = (picture, &images[..]);
    let constraints = if spreads {
        &candidate.plan.soft[..]
    } else {
        &[]
    };
    let at = (column, window);
    match spread_by_rate(constraints, cache, at, quick, glance) {
        Some(by_label) => best_of_kinds(by_spread, by_label, pictured, at, cache, quick, glance),
        None => {
            spread_each(constraints, by_spread, cache, at, quick, glance);
            for (word, bits) in &quick.words {
                for place in ones(*word, *bits) {
                    let turn = window.turn(place).unwrap_or(0);
                    let total = quick.totals[turn as usize] + of_images(pictured, place);
                    quick.best.add(place, total);
                }
            }
        }
    }
}

/// What a node's images are worth.
fn of_images((picture, by_mask): (Option<&Picture>, &[i32]), place: u32) -> i32 {
    let mask = picture.map(|picture| picture.masks[place as usize]);
    mask.map_or(0, |mask| by_mask[usize::from(mask)])
}

/// Places of the bits of a word.
fn ones(word: u32, mut bits: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let at = (bits != 0).then(|| word * 64 + bits.trailing_zeros())?;
        bits &= bits - 1;
        Some(at)
    })
}

/// Finds the best nodes, after they were spread by rate: kind by kind, and those that have pods of the
/// controller one by one. `by_label`: the column whose values tell them apart.
fn best_of_kinds(
    by_spread: i32,
    by_label: Option<u32>,
    (picture, by_mask): (Option<&Picture>, &[i32]),
    (column, window): (&Column, Window),
    cache: &Cache,
    quick: &mut Quick,
    glance: &Glance,
) {
    let Quick {
        words,
        best,
        seen,
        apart,
        ..
    } = quick;
    apart.clear();
    apart.resize(best.nodes.len(), 0);
    let rates = &glance.spread_rates;
    let of_rate = |rate: usize| {
        rates
            .get(rate)
            .map_or(0, |rate| by_spread * i32::from(rate.1))
    };
    for (turn, rate) in &glance.spread_counted {
        let place = window.place(*turn);
        apart[place as usize / 64] |= 1 << (place % 64);
        let total = column.totals[place as usize] + of_rate(*rate as usize);
        best.add(place, total + of_images((picture, by_mask), place));
    }
    let holders = by_label.map_or(&[][..], |it| cache.index.holders(it));
    let mut kinds: SmallVec<[Kind<'_>; 8]> = SmallVec::new();
    for (value, counts) in seen.chunks_exact(COUNTS).enumerate() {
        if counts[0] == 0 {
            continue;
        }
        let weight = of_rate(value * COUNTS);
        let value = holders.get(value).map(|nodes| &nodes[..]);
        let Some(picture) = picture else {
            kinds.push(Kind {
                weight,
                value,
                images: None,
            });
            continue;
        };
        kinds.extend(
            picture
                .holders
                .iter()
                .zip(by_mask)
                .map(|(nodes, images)| Kind {
                    weight: weight + images,
                    value,
                    images: Some(nodes),
                }),
        );
    }
    let most = kinds.iter().map(|kind| kind.weight).max().unwrap_or(0);
    for level in &column.levels {
        if level.total + most < best.total {
            break;
        }
        for kind in &kinds {
            let total = level.total + kind.weight;
            if total < best.total {
                continue;
            }
            let of = |nodes: Option<&[u64]>, word: usize| nodes.map_or(u64::MAX, |it| it[word]);
            let nodes = words.iter().map(|(word, fit)| {
                let word = *word as usize;
                let here = of(kind.value, word) & of(kind.images, word) & !apart[word];
                (word, fit & level.bits[word] & here)
            });
            best.add_all(nodes, total);
        }
    }
}

/// PodTopologySpread by the node and by one label at most of few values: what the constraints read of a
/// node is its value and how many of the pods it has, and each such pair is rated once. The label's
/// column, if there is one; `None`: the constraints are others, or there are too many pairs; nothing was
/// changed.
fn spread_by_rate(
    constraints: &[Spread],
    cache: &Cache,
    (column, window): (&Column, Window),
    quick: &mut Quick,
    glance: &mut Glance,
) -> Option<Option<u32>> {
    let index = &cache.index;
    let (mut by_host, mut by_label) = (None, None);
    for constraint in constraints {
        let known = if constraint.hostname {
            &mut by_host
        } else {
            &mut by_label
        };
        if known.replace(constraint).is_some() {
            return None;
        }
    }
    if by_host.is_some_and(|it| !index.is_on_all(it.column)) {
        return None;
    }
    let seen = &mut quick.seen;
    seen.clear();
    match by_label {
        Some(it) => {
            let holders = index.holders(it.column);
            if holders.is_empty() {
                return None;
            }
            seen.resize(holders.len() * COUNTS, 0);
            for (seen, holders) in seen.chunks_exact_mut(COUNTS).zip(holders) {
                let words = quick.words.iter();
                let count = |(word, fit): &(u32, u64)| (fit & holders[*word as usize]).count_ones();
                seen[0] = words.map(count).sum();
            }
        }
        None => {
            seen.resize(COUNTS, 0);
            seen[0] = window.fits;
        }
    }
    if constraints.is_empty() {
        return Some(None);
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
        return None;
    }
    rate_seen((by_host, by_label), domains, (window, index), quick, glance);
    glance.spread_values = values.cloned();
    Some(by_label.map(|it| it.column))
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
            let mut raw = 0;
            if *nodes > 0 {
                let host = by_host.map_or(0, |it| score(it, count, host_weight));
                raw = spread::rounded(label + host);
                least = least.min(raw);
                most = most.max(raw);
            }
            quick.sums.push(raw);
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
    quick.totals.clear();
    for part in window.of(&column.totals) {
        quick.totals.extend_from_slice(part);
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

/// The place of the node that [`super::cycle::heap_root`] finds, without the heap: what comes to the
/// root is, among the best, the one that a walk through the tree meets first, parents before children,
/// left before right. Of the best in one row of the tree only the first can be it. `words`: the nodes
/// that the heap is made of, in its order.
fn heap_root(words: &[(u32, u64)], best: &[u64]) -> u32 {
    // Where the n-th node of the tree is, from 1: the way down to it, and then how deep it is.
    let path = |nth: u32| {
        let zeros = nth.leading_zeros();
        u64::from(nth << zeros) << 32 | u64::from(32 - zeros)
    };
    let (mut place, mut first) = (0, u64::MAX);
    // The row's first node, and the nodes before the word, counted from 0.
    let (mut row, mut before) = (0, 0);
    for (word, fit) in words {
        let after = before + fit.count_ones();
        let mut left = fit & best[*word as usize];
        while left != 0 && row < after {
            if row > before {
                left &= u64::MAX << nth(*fit, row - before);
                if left == 0 {
                    break;
                }
            }
            let at = left.trailing_zeros();
            let rank = before + (fit & ((1 << at) - 1)).count_ones();
            let path = path(rank + 1);
            if path < first {
                (place, first) = (word * 64 + at, path);
            }
            row = u32::MAX >> (rank + 1).leading_zeros();
        }
        before = after;
    }
    place
}

#[cfg(test)]
mod tests {
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
                let mut words = Vec::new();
                let window = column.find(stream.below(length), u32::MAX, &mut words);
                let turns = (0..length).filter(|turn| column.fits_at(window.place(*turn)));
                let places: Vec<u32> = turns.map(|turn| window.place(turn)).collect();
                let known: Vec<i64> = places.iter().map(|_| stream.below(range).into()).collect();
                let Some(most) = known.iter().max() else {
                    continue;
                };
                let mut best = vec![0; length.div_ceil(64) as usize];
                for (place, _) in places
                    .iter()
                    .zip(&known)
                    .filter(|(_, total)| *total == most)
                {
                    best[*place as usize / 64] |= 1 << (place % 64);
                }
                let root = super::super::cycle::heap_root(&known, &mut heap);
                assert_eq!(heap_root(&words, &best), places[root], "{known:?}");
            }
        }
    }
}
