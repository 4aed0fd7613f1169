//! What is known of every node for one class of templates, as columns in the order of search.
//!
//! A column holds for as long as the nodes do not change; of those that changed the cache keeps a
//! list, so that a cycle looks anew at the few nodes that the last ones touched and at no other.
//!
//! Cost: seven bytes for each node and class beside the remembered [`Known`]s.

use std::sync::Arc;

use crate::base::hash::FxHashMap;

use super::cache::Cache;
use super::explain::Verdict;
use super::filter::{Candidate, Known};
use super::message::Tally;
use super::plugins::images;
use super::score::plain_scores;

/// Classes of templates whose columns are kept.
const CLASSES_MAX: usize = 128;
/// Lists of images whose columns are kept.
const PICTURES_MAX: usize = 32;
/// Images of a list that a column can tell apart.
const IMAGES_MAX: usize = 4;

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
        self.said = None;
        self.refusals = Tally::default();
        (self.fits, self.unpreferred) = (0, 0);
        let nodes = cache.tree.slots().len();
        self.bits.clear();
        self.bits.resize(nodes.div_ceil(64), 0);
        self.marks.clear();
        self.avoided.clear();
        self.verdicts = Arc::new(Vec::with_capacity(nodes));
        let verdicts = Arc::make_mut(&mut self.verdicts);
        for (place, slot) in cache.tree.slots().iter().enumerate() {
            let known = know(&mut self.known, candidate, cache, *slot);
            verdicts.push(known.now);
            self.marks.push([known.fit, known.balance]);
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
            && self.avoided == other.avoided
            && self.bits == other.bits
            && (self.fits, self.unpreferred) == (other.fits, other.unpreferred)
            && self.refusals.agrees(&other.refusals)
    }

    /// The nodes that fit, from a place on and around, `wanted` of them at most. Returns how many
    /// nodes had to be looked at for them.
    pub fn find(&self, start: u32, wanted: u32, found: &mut Found) -> u32 {
        let nodes = self.verdicts.len() as u32;
        found.clear();
        if self.fits == nodes {
            let some = wanted.min(nodes);
            let (tail, head) = (some.min(nodes - start), some.saturating_sub(nodes - start));
            found.push(start, start + tail);
            found.push(0, head);
            return some;
        }
        for (from, to) in [(start, nodes), (0, start)] {
            let mut word_start = from / 64 * 64;
            while word_start < to {
                let mut word = self.bits[word_start as usize / 64];
                if word_start < from {
                    word &= u64::MAX << (from - word_start);
                }
                if to - word_start < 64 {
                    word &= (1 << (to - word_start)) - 1;
                }
                while word != 0 {
                    let first = word.trailing_zeros();
                    let length = (!(word >> first)).trailing_zeros();
                    let place = word_start + first;
                    let length = length.min(wanted - found.count);
                    found.push(place, place + length);
                    if found.count == wanted {
                        return (place + length - 1 + nodes - start) % nodes + 1;
                    }
                    // What was below the run's end is zero but for the run itself.
                    word &= !(u64::MAX >> (64 - length) << first);
                }
                word_start += 64;
            }
        }
        nodes
    }
}

/// Places that follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    from: u32,
    to: u32,
    /// How many were found before it.
    before: u32,
}

/// Places in the order in which they were found, as runs: columns are read a run at a time.
#[derive(Clone, Debug, Default)]
pub struct Found {
    runs: Vec<Run>,
    /// How many they are.
    pub count: u32,
}

impl Found {
    fn clear(&mut self) {
        self.runs.clear();
        self.count = 0;
    }

    fn push(&mut self, from: u32, to: u32) {
        if from == to {
            return;
        }
        let before = self.count;
        self.count += to - from;
        match self.runs.last_mut() {
            Some(last) if last.to == from => last.to = to,
            _ => self.runs.push(Run { from, to, before }),
        }
    }

    /// The parts of a column by place.
    pub fn parts<'a, T>(&'a self, column: &'a [T]) -> impl Iterator<Item = &'a [T]> {
        let runs = self.runs.iter();
        runs.map(|run| &column[run.from as usize..run.to as usize])
    }

    /// What a column by place says of each.
    pub fn of<'a, T>(&'a self, column: &'a [T]) -> impl Iterator<Item = &'a T> {
        self.parts(column).flatten()
    }

    /// What a column by place says of each, with its place.
    pub fn with_places<'a, T>(&'a self, column: &'a [T]) -> impl Iterator<Item = (u32, &'a T)> {
        let runs = self.runs.iter();
        runs.flat_map(|run| (run.from..).zip(&column[run.from as usize..run.to as usize]))
    }

    /// The place that was found as the `index`-th, from 0.
    pub fn place(&self, index: u32) -> u32 {
        let after = self.runs.partition_point(|run| run.before <= index);
        let run = self.runs[after - 1];
        run.from + (index - run.before)
    }

    /// As the how manieth a place was found, from 0. `start`: where the search began.
    pub fn index(&self, place: u32, start: u32) -> Option<u32> {
        // The runs of those that were found after the end was reached come last.
        let key = |place: u32| (place < start, place);
        let after = self.runs.partition_point(|run| key(run.from) <= key(place));
        let run = self.runs[after.checked_sub(1)?];
        (place >= run.from && place < run.to).then(|| run.before + (place - run.from))
    }
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
    classes: FxHashMap<u32, Column>,
    pictures: FxHashMap<Vec<Arc<str>>, Picture>,
    /// Score by mask, while one cycle lasts.
    by_mask: Vec<u8>,
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
    pub fn take(&mut self, class: u32) -> Column {
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
    pub fn keep(&mut self, class: u32, column: Column) {
        self.classes.insert(class, column);
    }

    /// The columns of a class as they are.
    pub fn get(&self, class: u32) -> Option<&Column> {
        self.classes.get(&class)
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
        self.classes.get_mut(&class)
    }

    /// ImageLocality of these nodes. `false`: there are too many images for a column.
    pub fn images(
        &mut self,
        candidate: &Candidate<'_>,
        cache: &Cache,
        found: &Found,
        scores: &mut Vec<u8>,
    ) -> bool {
        let wanted = &candidate.demand.images;
        if wanted.len() > IMAGES_MAX {
            return false;
        }
        scores.clear();
        if !cache.has_images() {
            scores.resize(found.count as usize, 0);
            return true;
        }
        if !self.pictures.contains_key(wanted) {
            if self.pictures.len() >= PICTURES_MAX {
                self.pictures.clear();
            }
            self.pictures.insert(wanted.clone(), Picture::default());
        }
        let Some(picture) = self.pictures.get_mut(wanted) else {
            return false;
        };
        picture.catch_up(wanted, cache);
        self.by_mask.clear();
        let nodes = cache.tree.len();
        let containers = candidate.demand.containers;
        self.by_mask.extend((0..1_u32 << wanted.len()).map(|mask| {
            let shares = wanted.iter().enumerate().map(|(bit, name)| {
                let image = cache.image(name).filter(|_| mask & 1 << bit != 0);
                image.map_or(0, |image| images::share(image.size, image.nodes, nodes))
            });
            let score = images::scaled(shares.sum(), containers);
            u8::try_from(score).expect("scores are 0 to 100")
        }));
        for part in found.parts(&picture.masks) {
            let by_mask = &self.by_mask;
            scores.extend(part.iter().map(|mask| by_mask[usize::from(*mask)]));
        }
        true
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
mod tests {
    use super::*;

    fn column(verdicts: &[Verdict]) -> Column {
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
        for nodes in [1, 5, 63, 64, 65, 130] {
            for step in [1, 2, 3, 7, 64, 1_000] {
                let verdicts: Vec<Verdict> = (0..nodes)
                    .map(|place| match (place + 1) % step {
                        0 => Verdict::Fits,
                        _ => Verdict::Taint,
                    })
                    .collect();
                let column = column(&verdicts);
                let mut found = Found::default();
                let places: Vec<u32> = (0..nodes).collect();
                for start in 0..nodes {
                    for wanted in [1, 2, 50, nodes] {
                        let looked_at = column.find(start, wanted, &mut found);
                        let all: Vec<u32> = found.of(&places).copied().collect();
                        let walked = walk(&verdicts, start, wanted);
                        assert_eq!((&all, looked_at), (&walked.0, walked.1));
                        for place in 0..nodes {
                            let index = all.iter().position(|other| *other == place);
                            let index = index.map(|index| index as u32);
                            assert_eq!(found.index(place, start), index);
                            assert!(index.is_none_or(|index| found.place(index) == place));
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
