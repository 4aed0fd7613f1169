//! What is known of every node for one class of templates, as columns in the order of search.
//!
//! A column holds for as long as the nodes do not change; of those that changed the cache keeps a
//! list, so that a cycle looks anew at the few nodes that the last ones touched and at no other.
//!
//! Nodes of the same total are kept together as bits, so that a cycle finds the best of a window by
//! words, and not node by node.
//!
//! Cost: eleven bytes for each node and class beside the remembered [`Known`]s, and a bit for each node
//! and different total, of which there are some tens at the default weights.

use std::cmp::Reverse;
use std::ops::Range;
use std::sync::Arc;

use crate::base::hash::FxHashMap;
use crate::kube::rows::node::NodeImages;

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

/// Nodes that fit, as bits by place: numbers of words, and what is set of each, in the order of search.
/// A word stands twice where the search comes around to it again.
pub type Words = Vec<(u32, u64)>;

/// Nodes that fit and have one total.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// The total.
    pub total: i32,
    /// How many.
    nodes: u32,
    /// One bit for each, by place.
    pub bits: Vec<u64>,
}

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
    /// Their weighted sum, by place, where the node fits.
    pub totals: Vec<i32>,
    /// The nodes by their total, the largest first.
    pub levels: Vec<Level>,
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
        self.levels.clear();
        self.avoided.clear();
        let mut verdicts = Vec::with_capacity(nodes);
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
                self.rise(place as u32);
            } else {
                self.refusals.add(known.now);
            }
        }
        self.verdicts = Arc::new(verdicts);
    }

    /// Puts a node, which fits, to the others of its total.
    fn rise(&mut self, place: u32) {
        let total = self.totals[place as usize];
        let level = self
            .levels
            .binary_search_by_key(&Reverse(total), Level::order);
        let level = level.unwrap_or_else(|level| {
            let bits = vec![0; self.bits.len()];
            let empty = Level {
                total,
                nodes: 0,
                bits,
            };
            self.levels.insert(level, empty);
            level
        });
        let level = &mut self.levels[level];
        level.nodes += 1;
        level.bits[place as usize / 64] |= 1 << (place % 64);
    }

    /// Takes it away from them, while its total is still the same.
    fn sink(&mut self, place: u32) {
        let total = self.totals[place as usize];
        if let Ok(at) = self
            .levels
            .binary_search_by_key(&Reverse(total), Level::order)
        {
            let level = &mut self.levels[at];
            level.nodes -= 1;
            level.bits[place as usize / 64] &= !(1 << (place % 64));
            if level.nodes == 0 {
                self.levels.remove(at);
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
        let before = self.verdicts[index];
        let total = total(known, self.weights);
        let stays = before == known.now && self.totals[index] == total;
        if before == Verdict::Fits && !stays {
            self.sink(place);
        }
        self.totals[index] = total;
        if known.now == Verdict::Fits && !stays {
            self.rise(place);
        }
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
            && self.levels == other.levels
            && self.avoided == other.avoided
            && self.bits == other.bits
            && (self.fits, self.unpreferred) == (other.fits, other.unpreferred)
            && self.refusals.agrees(&other.refusals)
    }

    /// Looks from a place on and around for nodes that fit, `wanted` of them at most and at least one;
    /// `words` has them afterwards.
    pub fn find(&self, start: u32, wanted: u32, words: &mut Words) -> Window {
        words.clear();
        let nodes = self.verdicts.len() as u32;
        let mut window = Window {
            start,
            looked_at: nodes,
            fits: self.fits,
            nodes,
        };
        let mut left = if self.fits < wanted { u32::MAX } else { wanted };
        for (word, mask) in window.parts().into_iter().flat_map(words_of) {
            let bits = self.bits[word] & mask;
            let here = bits.count_ones();
            if here < left {
                left -= here;
                words.push((word as u32, bits));
                continue;
            }
            let last = nth(bits, left - 1);
            words.push((word as u32, bits & (u64::MAX >> (63 - last))));
            let turn = window.turn(word as u32 * 64 + last).unwrap_or(0);
            (window.looked_at, window.fits) = (turn + 1, wanted);
            break;
        }
        window
    }

    /// Whether the node at a place fits.
    pub fn fits_at(&self, place: u32) -> bool {
        self.bits[place as usize / 64] & 1 << (place % 64) != 0
    }
}

impl Level {
    fn order(&self) -> Reverse<i32> {
        Reverse(self.total)
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

/// Which bit is set as the `n`-th, from 0. There are as many.
pub fn nth(mut bits: u64, mut n: u32) -> u32 {
    let mut at = 0;
    for half in [32, 16, 8, 4, 2, 1] {
        let lower = (bits & ((1 << half) - 1)).count_ones();
        if n >= lower {
            n -= lower;
            bits >>= half;
            at += half;
        }
    }
    at
}

/// The words of a stretch of bits, each with a mask of its bits.
fn words_of(part: Range<usize>) -> impl Iterator<Item = (usize, u64)> {
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
pub struct Picture {
    cursor: Option<u64>,
    order: u32,
    /// By place: one bit for each image of the list that the node has.
    pub masks: Vec<u8>,
    /// By such a mask: one bit for each node that has it, by place.
    pub holders: Vec<Vec<u64>>,
    /// By slot: what the node had when its mask was found out, and that.
    known: Vec<(NodeImages, u8)>,
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
            kept.masks == fresh.masks && kept.holders == fresh.holders
        })
    }

    /// The columns of a class, if it is known.
    pub fn get_mut(&mut self, class: u32) -> Option<&mut Column> {
        self.classes.get_mut(&class).map(|column| &mut **column)
    }

    /// ImageLocality: which of the pod's images, [`IMAGES_MAX`] at most, each node has, and the score of
    /// each such mask; `None`: no node has any.
    pub fn images(
        &mut self,
        candidate: &Candidate<'_>,
        cache: &Cache,
        by_mask: &mut Vec<u8>,
    ) -> Option<&Picture> {
        let wanted = &candidate.demand.images;
        by_mask.clear();
        if !cache.has_any(wanted) {
            return None;
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
        Some(picture)
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
                let nodes = cache.tree.slots().len();
                self.masks.clear();
                self.masks.resize(nodes, 0);
                self.holders.clear();
                self.holders
                    .resize(1 << wanted.len(), vec![0; nodes.div_ceil(64)]);
                for place in 0..nodes {
                    self.holders[0][place / 64] |= 1 << (place % 64);
                }
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
            let has = |name: &Arc<str>| there.iter().any(|(names, _)| names.contains(name));
            *mask = (0..)
                .zip(wanted)
                .filter(|(_, name)| has(name))
                .fold(0, |mask, (bit, _): (u32, _)| mask | 1 << bit);
            *before = there.clone();
        }
        let was = std::mem::replace(&mut self.masks[place as usize], *mask);
        let (word, bit) = (place as usize / 64, 1 << (place % 64));
        self.holders[usize::from(was)][word] &= !bit;
        self.holders[usize::from(*mask)][word] |= bit;
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
            column.totals.push(0);
            if *verdict == Verdict::Fits {
                column.fits += 1;
                column.bits[place / 64] |= 1 << (place % 64);
                column.rise(place as u32);
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
                let places: Vec<u32> = (0..nodes).collect();
                let mut words = Vec::new();
                for start in 0..nodes {
                    for wanted in [1, 2, 50, nodes] {
                        let window = column.find(start, wanted, &mut words);
                        let (found, looked_at) = walk(&verdicts, start, wanted);
                        assert_eq!(window.looked_at, looked_at);
                        assert_eq!(window.fits as usize, found.len());
                        let all: Vec<u32> = window.of(&places).concat();
                        assert_eq!(all.len() as u32, looked_at);
                        for place in 0..nodes {
                            let turn = all.iter().position(|other| *other == place);
                            let turn = turn.map(|turn| turn as u32);
                            assert_eq!(window.turn(place), turn);
                            assert!(turn.is_none_or(|turn| window.place(turn) == place));
                        }
                        let set = words.iter().flat_map(|(word, bits)| {
                            let fit = (0..64).filter(move |at| bits & 1 << at != 0);
                            fit.map(move |at| word * 64 + at)
                        });
                        assert!(set.eq(found.iter().copied()));
                    }
                }
            }
        }
    }

    #[test]
    fn the_nth_bit() {
        for bits in [1, 0x8000_0000_0000_0000, u64::MAX, 0x00F0_1001_8000_0105] {
            let set: Vec<u32> = (0..64).filter(|at| bits & 1 << at != 0).collect();
            for (n, at) in (0..).zip(set) {
                assert_eq!(nth(bits, n), at);
            }
        }
    }

    #[test]
    fn levels_follow_the_totals() {
        let mut column = column(&[Verdict::Fits; 3]);
        for (place, total) in [(1, 7), (2, 7), (1, 0), (2, 0)] {
            column.sink(place);
            column.totals[place as usize] = total;
            column.rise(place);
        }
        assert_eq!(column.levels, self::column(&[Verdict::Fits; 3]).levels);
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
