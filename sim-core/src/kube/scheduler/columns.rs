//! What is known of every node for one class of templates, as columns in the order of search.
//!
//! A column holds for as long as the nodes do not change; of those that changed the cache keeps a
//! list, so that a cycle looks anew at the few nodes that the last ones touched and at no other.
//!
//! Cost: eleven bytes for each node and class beside the remembered [`Known`]s.

use std::ops::Range;
use std::sync::Arc;

use crate::base::hash::FxHashMap;

use super::cache::Cache;
use super::explain::Verdict;
use super::filter::{Candidate, Known};
use super::message::Tally;
use super::plugins::{Plugin, images};
use super::score::plain_scores;

/// Classes of templates whose columns are kept.
const CLASSES_MAX: usize = 128;
/// Lists of images whose columns are kept.
const PICTURES_MAX: usize = 32;
/// Images of a list that a column can tell apart.
pub const IMAGES_MAX: usize = 4;

/// Total of a node that does not fit: whatever is added to it, one that fits has more.
pub const UNFIT: i32 = i32::MIN / 2;

/// The columns of one class.
#[derive(Clone, Debug, Default)]
pub struct Column {
    /// By slot.
    pub known: Vec<Known>,
    /// Entries of the cache's list that were taken over; `None`: no node was looked at yet.
    cursor: Option<u64>,
    /// The order of nodes that the places are of.
    order: u32,
    /// What the filters say, by place.
    pub verdicts: Arc<Vec<Verdict>>,
    /// Scores of NodeResourcesFit and NodeResourcesBalancedAllocation, by place, where the node fits.
    pub marks: Vec<[u8; 2]>,
    /// Their weighted sum, by place; [`UNFIT`] where the node does not fit.
    pub totals: Vec<i32>,
    /// Their weights.
    weights: [i32; 2],
    /// Whether the node has taints which pods of the class would rather avoid, by place.
    avoided: Vec<bool>,
    /// One bit for each node that fits, by place.
    bits: Vec<u64>,
    /// Nodes that fit.
    pub fits: u32,
    /// Nodes that have such taints.
    pub unpreferred: u32,
    /// Nodes that do not fit.
    pub refusals: Tally,
    /// What was last said of a pod that no node could take.
    pub said: Option<Arc<str>>,
}

impl Column {
    /// Takes over what changed. The candidate is of the class and reads nothing but a node's numbers.
    pub fn catch_up(&mut self, candidate: &Candidate<'_>, cache: &Cache) {
        let touched = cache.touched();
        let news = self.cursor.and_then(|cursor| touched.since(cursor));
        match news {
            Some(news) if self.order == cache.tree.version() => {
                for slot in news {
                    if let Some(place) = cache.tree.place(*slot) {
                        self.renew(place, *slot, candidate, cache);
                    }
                }
            }
            _ => self.rebuild(candidate, cache),
        }
        self.cursor = Some(touched.end());
    }

    fn rebuild(&mut self, candidate: &Candidate<'_>, cache: &Cache) {
        self.order = cache.tree.version();
        self.weights = plain_weights(candidate);
        self.said = None;
        self.refusals = Tally::default();
        (self.fits, self.unpreferred) = (0, 0);
        let nodes = cache.tree.slots().len();
        self.bits.clear();
        self.bits.resize(nodes.div_ceil(64), 0);
        self.marks.clear();
        self.totals.clear();
        self.avoided.clear();
        self.verdicts = Arc::new(Vec::with_capacity(nodes));
        let verdicts = Arc::make_mut(&mut self.verdicts);
        for (place, slot) in cache.tree.slots().iter().enumerate() {
            let known = know(&mut self.known, candidate, cache, *slot);
            verdicts.push(known.now);
            self.marks.push([known.fit, known.balance]);
            self.totals.push(total(known, self.weights));
            self.avoided.push(known.unpreferred > 0);
            self.unpreferred += u32::from(known.unpreferred > 0);
            if known.now == Verdict::Fits {
                self.fits += 1;
                self.bits[place / 64] |= 1 << (place % 64);
            } else {
                self.refusals.add(known.now);
            }
        }
    }

    /// Looks at one node anew.
    fn renew(&mut self, place: u32, slot: u32, candidate: &Candidate<'_>, cache: &Cache) {
        let known = know(&mut self.known, candidate, cache, slot);
        let index = place as usize;
        let avoided = std::mem::replace(&mut self.avoided[index], known.unpreferred > 0);
        self.unpreferred -= u32::from(avoided);
        self.unpreferred += u32::from(known.unpreferred > 0);
        self.marks[index] = [known.fit, known.balance];
        self.totals[index] = total(known, self.weights);
        let before = self.verdicts[index];
        if before == known.now {
            return;
        }
        Arc::make_mut(&mut self.verdicts)[index] = known.now;
        self.said = None;
        if before == Verdict::Fits {
            self.fits -= 1;
        } else {
            self.refusals.take(before);
        }
        if known.now == Verdict::Fits {
            self.fits += 1;
        } else {
            self.refusals.add(known.now);
        }
        self.bits[index / 64] ^= if (before == Verdict::Fits) == (known.now == Verdict::Fits) {
            0
        } else {
            1 << (index % 64)
        };
    }

    /// Whether both say the same of the nodes, however they came to it.
    pub fn agrees(&self, other: &Self) -> bool {
        self.verdicts == other.verdicts
            && self.marks == other.marks
            && self.totals == other.totals
            && self.avoided == other.avoided
            && self.bits == other.bits
            && (self.fits, self.unpreferred) == (other.fits, other.unpreferred)
            && self.refusals.agrees(&other.refusals)
    }

    /// Looks from a place on and around for nodes that fit, `wanted` of them at most.
    pub fn find(&self, start: u32, wanted: u32) -> Window {
        let nodes = self.verdicts.len() as u32;
        let mut window = Window {
            start,
            looked_at: nodes,
            fits: self.fits,
            nodes,
        };
        if self.fits < wanted {
            return window;
        }
        window.fits = wanted;
        window.looked_at = if self.fits == nodes {
            wanted
        } else {
            self.turn_of(window, wanted - 1) + 1
        };
        window
    }

    /// Whether the node at a place fits.
    pub fn fits_at(&self, place: u32) -> bool {
        self.bits[place as usize / 64] & 1 << (place % 64) != 0
    }

    /// How many nodes of a window fit and are among these, one bit each, by place.
    pub fn count(&self, window: Window, some: &[u64]) -> u32 {
        let parts = window.parts().into_iter().flat_map(words);
        parts
            .map(|(word, mask)| (self.bits[word] & some[word] & mask).count_ones())
            .sum()
    }

    /// The turn of the node that fits as the `rank`-th of a window, from 0. It is there.
    pub fn turn_of(&self, window: Window, rank: u32) -> u32 {
        if window.fits == window.looked_at {
            return rank;
        }
        let mut left = rank;
        for (word, mask) in window.parts().into_iter().flat_map(words) {
            let bits = self.bits[word] & mask;
            let here = bits.count_ones();
            if left < here {
                return window.turn(nth(word, bits, left)).unwrap_or(0);
            }
            left -= here;
        }
        0
    }

    /// The turn of the first node that `is_it`, among those on the left side of the tree that a heap
    /// makes of the nodes of a window that fit: of ranks 0, 1, 3, 7, …
    pub fn first_on_left(&self, window: Window, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let mut rank = 0;
        if window.fits == window.looked_at {
            while rank < window.fits {
                if is_it(rank) {
                    return Some(rank);
                }
                rank = 2 * rank + 1;
            }
            return None;
        }
        let mut before = 0;
        for (word, mask) in window.parts().into_iter().flat_map(words) {
            let bits = self.bits[word] & mask;
            let after = before + bits.count_ones();
            while rank < after {
                let turn = window.turn(nth(word, bits, rank - before))?;
                if is_it(turn) {
                    return Some(turn);
                }
                rank = 2 * rank + 1;
            }
            before = after;
        }
        None
    }

    /// A window in short stretches: turn of the first node, how many nodes, and one bit for each that
    /// fits, the first one's lowest.
    pub fn stretches(&self, window: Window) -> impl Iterator<Item = (usize, usize, u64)> {
        let mut turn = 0;
        let parts = window.parts().into_iter().flat_map(words);
        parts.map(move |(word, mask)| {
            let (first, nodes) = (turn, mask.count_ones() as usize);
            turn += nodes;
            (
                first,
                nodes,
                (self.bits[word] & mask) >> mask.trailing_zeros(),
            )
        })
    }
}

/// The nodes that a cycle looked at: places that follow one another, around the end of the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first place.
    pub start: u32,
    /// How many places; the node at the first has turn 0.
    pub looked_at: u32,
    /// Nodes that fit, among them.
    pub fits: u32,
    /// All places.
    nodes: u32,
}

impl Window {
    /// Up to the end of the order, and what comes after it.
    fn parts(self) -> [Range<usize>; 2] {
        let end = (self.start + self.looked_at) as usize;
        let nodes = self.nodes as usize;
        [
            self.start as usize..end.min(nodes),
            0..end.saturating_sub(nodes),
        ]
    }

    /// The parts of a column by place.
    pub fn of<T>(self, column: &[T]) -> [&[T]; 2] {
        self.parts().map(|part| &column[part])
    }

    /// The turn of a place; `None`: it was not looked at.
    pub fn turn(self, place: u32) -> Option<u32> {
        let turn = if place < self.start {
            place + self.nodes - self.start
        } else {
            place - self.start
        };
        (turn < self.looked_at).then_some(turn)
    }

    /// The place of a turn.
    pub fn place(self, turn: u32) -> u32 {
        let place = self.start + turn;
        if place < self.nodes {
            place
        } else {
            place - self.nodes
        }
    }
}

/// Place of a word's bit that is set as the `n`-th, from 0.
fn nth(word: usize, mut bits: u64, n: u32) -> u32 {
    for _ in 0..n {
        bits &= bits - 1;
    }
    word as u32 * 64 + bits.trailing_zeros()
}

/// The words of a stretch of bits, each with a mask of its bits.
fn words(part: Range<usize>) -> impl Iterator<Item = (usize, u64)> {
    let (from, to) = (part.start, part.end);
    (from / 64..to.div_ceil(64)).map(move |word| {
        let mut mask = u64::MAX;
        if word == from / 64 {
            mask <<= from % 64;
        }
        if word == to / 64 {
            mask &= (1 << (to % 64)) - 1;
        }
        (word, mask)
    })
}

/// Weights of NodeResourcesFit and NodeResourcesBalancedAllocation; what asks for nothing is not
/// balanced.
pub(super) fn plain_weights(candidate: &Candidate<'_>) -> [i32; 2] {
    let (profile, demand) = (candidate.profile, candidate.demand);
    let weight = |plugin| profile.weight(plugin).cast_signed();
    let asks = demand.milli_cpu > 0 || demand.memory > 0;
    [
        weight(Plugin::NodeResourcesFit),
        i32::from(asks) * weight(Plugin::NodeResourcesBalancedAllocation),
    ]
}

/// The weighted sum of a node's marks. Weights are 10,000 at most ([`super::config`]), so that no sum
/// comes near the end of its type.
fn total(known: Known, [by_fit, by_balance]: [i32; 2]) -> i32 {
    if known.now != Verdict::Fits {
        return UNFIT;
    }
    by_fit * i32::from(known.fit) + by_balance * i32::from(known.balance)
}

/// What is known of a node, looked up or found out.
pub(super) fn know(
    memo: &mut Vec<Known>,
    candidate: &Candidate<'_>,
    cache: &Cache,
    slot: u32,
) -> Known {
    let index = slot as usize;
    if index >= memo.len() {
        memo.resize(index + 1, Known::default());
    }
    let stamp = cache.stamp(slot);
    if memo[index].stamp == stamp {
        return memo[index];
    }
    let mut known = memo[index];
    if known.generation != cache.numbers(slot).generation {
        known = candidate.examine(cache, slot);
    }
    known.now = if known.verdict == Verdict::Fits {
        candidate.check(cache, slot)
    } else {
        known.verdict
    };
    (known.fit, known.balance) = if known.now == Verdict::Fits {
        plain_scores(cache.numbers(slot), candidate.demand)
    } else {
        (0, 0)
    };
    known.stamp = stamp;
    memo[index] = known;
    known
}

/// Which of a list's images each node has.
#[derive(Clone, Debug, Default)]
struct Picture {
    cursor: Option<u64>,
    order: u32,
    /// By place: one bit for each image of the list that the node has.
    masks: Vec<u8>,
    /// By slot: what the node had when its mask was found out, and that.
    known: Vec<(Arc<[(Arc<str>, u64)]>, u8)>,
}

/// All columns.
#[derive(Debug, Default)]
pub struct Columns {
    classes: FxHashMap<u32, Box<Column>>,
    pictures: FxHashMap<Vec<Arc<str>>, Picture>,
}

impl Columns {
    /// Forgets everything: the profiles have changed.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// Takes the columns of a class out; where there are too many, those that were brought up to
    /// date longest ago are forgotten.
    #[expect(
        clippy::disallowed_methods,
        reason = "the least is the same in any order"
    )]
    pub fn take(&mut self, class: u32) -> Box<Column> {
        if self.classes.len() >= CLASSES_MAX && !self.classes.contains_key(&class) {
            let ages = self.classes.iter();
            let oldest = ages.min_by_key(|(class, column)| (column.cursor, **class));
            if let Some(oldest) = oldest.map(|(class, _)| *class) {
                self.classes.remove(&oldest);
            }
        }
        self.classes.remove(&class).unwrap_or_default()
    }

    /// Puts them back.
    pub fn keep(&mut self, class: u32, column: Box<Column>) {
        self.classes.insert(class, column);
    }

    /// The columns of a class as they are.
    pub fn get(&self, class: u32) -> Option<&Column> {
        self.classes.get(&class).map(|column| &**column)
    }

    /// Whether every list of images, brought up to date, says of each node what the node says.
    #[expect(
        clippy::disallowed_methods,
        reason = "the answer is the same in any order"
    )]
    pub fn pictures_agree(&self, cache: &Cache) -> bool {
        self.pictures.iter().all(|(wanted, picture)| {
            let mut kept = picture.clone();
            kept.catch_up(wanted, cache);
            let mut fresh = Picture::default();
            fresh.catch_up(wanted, cache);
            kept.masks == fresh.masks
        })
    }

    /// The columns of a class, if it is known.
    pub fn get_mut(&mut self, class: u32) -> Option<&mut Column> {
        self.classes.get_mut(&class).map(|column| &mut **column)
    }

    /// ImageLocality: which of the pod's images each node has, by place, and the score of each such
    /// mask; nothing where no node has any. `None`: there are too many images for a column.
    pub fn images(
        &mut self,
        candidate: &Candidate<'_>,
        cache: &Cache,
        by_mask: &mut Vec<u8>,
    ) -> Option<&[u8]> {
        let wanted = &candidate.demand.images;
        if wanted.len() > IMAGES_MAX {
            return None;
        }
        by_mask.clear();
        if !cache.has_images() {
            return Some(&[]);
        }
        if !self.pictures.contains_key(wanted) {
            if self.pictures.len() >= PICTURES_MAX {
                self.pictures.clear();
            }
            self.pictures.insert(wanted.clone(), Picture::default());
        }
        let picture = self.pictures.get_mut(wanted)?;
        picture.catch_up(wanted, cache);
        let nodes = cache.tree.len();
        let containers = candidate.demand.containers;
        by_mask.extend((0..1_u32 << wanted.len()).map(|mask| {
            let shares = wanted.iter().enumerate().map(|(bit, name)| {
                let image = cache.image(name).filter(|_| mask & 1 << bit != 0);
                image.map_or(0, |image| images::share(image.size, image.nodes, nodes))
            });
            let score = images::scaled(shares.sum(), containers);
            u8::try_from(score).expect("scores are 0 to 100")
        }));
        Some(&picture.masks)
    }
}

impl Picture {
    fn catch_up(&mut self, wanted: &[Arc<str>], cache: &Cache) {
        let touched = cache.touched();
        let news = self.cursor.and_then(|cursor| touched.since(cursor));
        match news {
            Some(news) if self.order == cache.tree.version() => {
                for slot in news {
                    if let Some(place) = cache.tree.place(*slot) {
                        self.renew(place, *slot, wanted, cache);
                    }
                }
            }
            _ => {
                self.order = cache.tree.version();
                self.masks.clear();
                self.masks.resize(cache.tree.slots().len(), 0);
                for (place, slot) in (0..).zip(cache.tree.slots()) {
                    self.renew(place, *slot, wanted, cache);
                }
            }
        }
        self.cursor = Some(touched.end());
    }

    fn renew(&mut self, place: u32, slot: u32, wanted: &[Arc<str>], cache: &Cache) {
        let index = slot as usize;
        if index >= self.known.len() {
            self.known.resize_with(index + 1, Default::default);
        }
        let there = &cache.facts(slot).images;
        let (before, mask) = &mut self.known[index];
        if !Arc::ptr_eq(before, there) {
            let has = |name: &Arc<str>| there.iter().any(|(other, _)| other == name);
            *mask = (0..)
                .zip(wanted)
                .filter(|(_, name)| has(name))
                .fold(0, |mask, (bit, _): (u32, _)| mask | 1 << bit);
            *before = there.clone();
        }
        self.masks[place as usize] = *mask;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A column of nodes of which the filters say this.
    pub(in super::super) fn column(verdicts: &[Verdict]) -> Column {
        let mut column = Column {
            verdicts: Arc::new(verdicts.to_vec()),
            bits: vec![0; verdicts.len().div_ceil(64)],
            ..Column::default()
        };
        for (place, verdict) in verdicts.iter().enumerate() {
            if *verdict == Verdict::Fits {
                column.fits += 1;
                column.bits[place / 64] |= 1 << (place % 64);
            } else {
                column.refusals.add(*verdict);
            }
        }
        column
    }

    /// One by one, as the long way does it.
    fn walk(verdicts: &[Verdict], start: u32, wanted: u32) -> (Vec<u32>, u32) {
        let (mut found, mut looked_at) = (Vec::new(), 0);
        while looked_at < verdicts.len() as u32 && (found.len() as u32) < wanted {
            let place = (start + looked_at) % verdicts.len() as u32;
            looked_at += 1;
            if verdicts[place as usize] == Verdict::Fits {
                found.push(place);
            }
        }
        (found, looked_at)
    }

    #[test]
    fn the_search_is_a_walk() {
        for nodes in [1, 5, 63, 64, 65, 128, 130] {
            for step in [1, 2, 3, 7, 64, 1_000] {
                let verdicts: Vec<Verdict> = (0..nodes)
                    .map(|place| match (place + 1) % step {
                        0 => Verdict::Fits,
                        _ => Verdict::Taint,
                    })
                    .collect();
                let column = column(&verdicts);
                let odd: Vec<u64> = vec![0xAAAA_AAAA_AAAA_AAAA; column.bits.len()];
                let places: Vec<u32> = (0..nodes).collect();
                for start in 0..nodes {
                    for wanted in [1, 2, 50, nodes] {
                        let window = column.find(start, wanted);
                        let (found, looked_at) = walk(&verdicts, start, wanted);
                        assert_eq!(window.looked_at, looked_at);
                        assert_eq!(window.fits as usize, found.len());
                        let all: Vec<u32> = window.of(&places).concat();
                        assert_eq!(all.len() as u32, looked_at);
                        let odd_ones = found.iter().filter(|place| **place % 2 == 1).count();
                        assert_eq!(column.count(window, &odd) as usize, odd_ones);
                        for place in 0..nodes {
                            let turn = all.iter().position(|other| *other == place);
                            let turn = turn.map(|turn| turn as u32);
                            assert_eq!(window.turn(place), turn);
                            assert!(turn.is_none_or(|turn| window.place(turn) == place));
                        }
                        let mut turns = Vec::new();
                        for (first, nodes, bits) in column.stretches(window) {
                            let fit = (0..nodes).filter(|at| bits & 1 << at != 0);
                            turns.extend(fit.map(|at| first + at));
                        }
                        let known = found.iter().filter_map(|place| window.turn(*place));
                        assert!(known.eq(turns.iter().map(|turn| *turn as u32)));
                        for (rank, place) in (0..).zip(&found) {
                            let turn = window.turn(*place).expect("found in it");
                            assert!(column.fits_at(*place));
                            assert_eq!(column.turn_of(window, rank), turn);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_missed_change_is_seen() {
        let kept = column(&[Verdict::Fits, Verdict::Fits]);
        assert!(kept.agrees(&kept.clone()));
        assert!(!kept.agrees(&column(&[Verdict::Fits, Verdict::Taint])));
        let mut other = kept.clone();
        other.marks.push([1, 2]);
        assert!(!kept.agrees(&other));
    }
}
