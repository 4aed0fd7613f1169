//! Label sets, interned, and selectors that match sets instead of objects.
//!
//! Objects carry a [`LabelSetId`]; there are hundreds of sets for 150,000 objects. A
//! [`CompiledSelector`] remembers for every set whether it matches, and looks only at sets that are
//! new since its last refresh.

mod parse;
pub mod syntax;

use std::fmt;
use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::bits::BitSet;
use crate::base::intern::HashIndex;
use crate::base::rng::stable_hash_parts;

/// Labels sorted by key, each key once.
pub type Labels = [(Arc<str>, Arc<str>)];

/// The value of `key` in sorted labels.
pub fn value<'a>(labels: &'a Labels, key: &str) -> Option<&'a Arc<str>> {
    let position = labels
        .binary_search_by(|(name, _)| (**name).cmp(key))
        .ok()?;
    Some(&labels[position].1)
}

/// The labels sorted by key; of several with one key the last wins.
pub fn sorted(mut labels: Vec<(Arc<str>, Arc<str>)>) -> Vec<(Arc<str>, Arc<str>)> {
    // Stable, and `dedup` keeps the first: so the later is put first.
    labels.reverse();
    labels.arrange_by(|(left, _), (right, _)| left.cmp(right));
    labels.dedup_by(|(later, _), (earlier, _)| later == earlier);
    labels
}

/// Names an interned label set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LabelSetId(u32);

impl LabelSetId {
    /// No labels, in every interner.
    pub const EMPTY: Self = Self(0);
}

/// The interner of label sets: append-only, shared by snapshots.
#[derive(Clone, Debug)]
pub struct LabelSets {
    /// Chunks of [`CHUNK_SETS`], only the last of which grows.
    chunks: Vec<Arc<Vec<Arc<Labels>>>>,
    index: HashIndex,
    len: u32,
}

const CHUNK_SETS: usize = 64;

impl LabelSets {
    /// An interner that knows the empty set.
    pub fn new() -> Self {
        let mut sets = Self {
            chunks: Vec::new(),
            index: HashIndex::default(),
            len: 0,
        };
        let empty = sets.intern(&[]);
        assert!(empty == LabelSetId::EMPTY);
        sets
    }

    /// The id of these labels, made when they are new. They need not be sorted; of several with
    /// one key the last wins.
    pub fn intern(&mut self, labels: &[(Arc<str>, Arc<str>)]) -> LabelSetId {
        if labels.is_sorted_by(|(left, _), (right, _)| left < right) {
            self.intern_sorted(labels)
        } else {
            self.intern_sorted(&sorted(labels.to_vec()))
        }
    }

    /// The labels of `id`, sorted by key.
    pub fn labels(&self, id: LabelSetId) -> &Labels {
        chunk_labels(&self.chunks, id.0)
    }

    /// The value of `key` in the set `id`.
    pub fn value(&self, id: LabelSetId, key: &str) -> Option<&Arc<str>> {
        value(self.labels(id), key)
    }

    /// Number of sets; ids are below it.
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Never: the empty set is always there.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn intern_sorted(&mut self, labels: &Labels) -> LabelSetId {
        let hash = hash_of(labels);
        let chunks = &self.chunks;
        let found = self
            .index
            .find(hash, |number| chunk_labels(chunks, number) == labels);
        if let Some(number) = found {
            return LabelSetId(number);
        }
        let number = self
            .index
            .push(hash, |number| hash_of(chunk_labels(chunks, number)));
        assert!(number == self.len);
        if (number as usize).is_multiple_of(CHUNK_SETS) {
            self.chunks.push(Arc::default());
        }
        let last = self.chunks.len() - 1;
        Arc::make_mut(&mut self.chunks[last]).push(labels.into());
        self.len += 1;
        LabelSetId(number)
    }
}

impl Default for LabelSets {
    fn default() -> Self {
        Self::new()
    }
}

fn chunk_labels(chunks: &[Arc<Vec<Arc<Labels>>>], number: u32) -> &Labels {
    &chunks[number as usize / CHUNK_SETS][number as usize % CHUNK_SETS]
}

fn hash_of(labels: &Labels) -> u64 {
    labels
        .iter()
        .fold(labels.len() as u64, |state, (key, value)| {
            state.rotate_left(5) ^ stable_hash_parts(&[key, value])
        })
}

/// How a requirement compares a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// Present, with one of the values.
    In,
    /// Absent, or with none of the values.
    NotIn,
    /// Present.
    Exists,
    /// Absent.
    DoesNotExist,
    /// Present, and as a number greater than the value.
    Gt,
    /// Present, and as a number less than the value.
    Lt,
    /// As [`Op::In`] with one value, written `key=value`: from `matchLabels` and `-l`.
    Equals,
    /// As [`Op::NotIn`] with one value, written `key!=value`: from `-l`.
    NotEquals,
}

/// One condition on one label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Requirement {
    /// The label's key.
    pub key: Arc<str>,
    /// How to compare.
    pub op: Op,
    /// With what.
    pub values: Vec<Arc<str>>,
}

impl Requirement {
    /// `key=value`.
    pub fn equals(key: Arc<str>, value: Arc<str>) -> Self {
        Self {
            key,
            op: Op::Equals,
            values: vec![value],
        }
    }

    /// Whether sorted labels fulfil this.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.matches_value(value(labels, &self.key).map(|value| &**value))
    }

    /// Whether the label's value, `None` when it is absent, fulfils this.
    pub fn matches_value(&self, value: Option<&str>) -> bool {
        let is_listed = |value: &str| self.values.iter().any(|listed| **listed == *value);
        match self.op {
            Op::In | Op::Equals => value.is_some_and(is_listed),
            Op::NotIn | Op::NotEquals => !value.is_some_and(is_listed),
            Op::Exists => value.is_some(),
            Op::DoesNotExist => value.is_none(),
            Op::Gt => self
                .numbers(value)
                .is_some_and(|(label, bound)| label > bound),
            Op::Lt => self
                .numbers(value)
                .is_some_and(|(label, bound)| label < bound),
        }
    }

    fn numbers(&self, value: Option<&str>) -> Option<(i64, i64)> {
        let [bound] = self.values.as_slice() else {
            return None;
        };
        Some((value?.parse().ok()?, bound.parse().ok()?))
    }
}

impl fmt::Display for Requirement {
    /// As upstream writes it: `a=b`, `a in (b,c)`, `!a`, `a>5`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        let mut values: Vec<&str> = self.values.iter().map(|value| &**value).collect();
        values.arrange();
        let values = values.join(",");
        match self.op {
            Op::In => write!(formatter, "{key} in ({values})"),
            Op::NotIn => write!(formatter, "{key} notin ({values})"),
            Op::Exists => write!(formatter, "{key}"),
            Op::DoesNotExist => write!(formatter, "!{key}"),
            Op::Gt => write!(formatter, "{key}>{values}"),
            Op::Lt => write!(formatter, "{key}<{values}"),
            Op::Equals => write!(formatter, "{key}={values}"),
            Op::NotEquals => write!(formatter, "{key}!={values}"),
        }
    }
}

/// Conditions that must all hold. Without any it matches everything; where upstream means nothing
/// by an absent selector, the owner has none at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selector {
    /// The conditions; sorted by key when they come from this module.
    pub requirements: Vec<Requirement>,
}

impl Selector {
    /// A selector that matches everything.
    pub const fn everything() -> Self {
        Self {
            requirements: Vec::new(),
        }
    }

    /// `key=value` for each label.
    pub fn from_match_labels(labels: &[(Arc<str>, Arc<str>)]) -> Self {
        let labels = sorted(labels.to_vec());
        let requirements = labels
            .into_iter()
            .map(|(key, value)| Requirement::equals(key, value))
            .collect();
        Self { requirements }
    }

    /// Reads what follows kubectl's `-l`: `a=b,c!=d,e in (x,y),!f,g`.
    ///
    /// # Errors
    /// Upstream's text.
    pub fn parse(text: &str) -> Result<Self, String> {
        parse::selector(text)
    }

    /// Whether sorted labels fulfil every condition.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.requirements
            .iter()
            .all(|requirement| requirement.matches(labels))
    }

    /// Whether it has no condition.
    pub const fn is_everything(&self) -> bool {
        self.requirements.is_empty()
    }
}

impl fmt::Display for Selector {
    /// As upstream writes it: conditions joined by commas.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, requirement) in self.requirements.iter().enumerate() {
            if position > 0 {
                formatter.write_str(",")?;
            }
            requirement.fmt(formatter)?;
        }
        Ok(())
    }
}

/// A selector and the sets it matches.
#[derive(Clone, Debug)]
pub struct CompiledSelector {
    selector: Arc<Selector>,
    matched: Arc<BitSet>,
    /// Sets below this are decided.
    seen: u32,
}

impl CompiledSelector {
    /// Compiles for all sets there are.
    pub fn new(selector: Selector, sets: &LabelSets) -> Self {
        let selector = Arc::new(selector);
        let mut compiled = Self {
            selector,
            matched: Arc::default(),
            seen: 0,
        };
        compiled.refresh(sets);
        compiled
    }

    /// Decides the sets that are new since the last time.
    pub fn refresh(&mut self, sets: &LabelSets) {
        for number in self.seen..sets.len() {
            if self.selector.matches(sets.labels(LabelSetId(number))) {
                Arc::make_mut(&mut self.matched).insert(number);
            }
        }
        self.seen = self.seen.max(sets.len());
    }

    /// Whether the set matches. Panics when it is newer than the last refresh.
    pub fn matches(&self, id: LabelSetId) -> bool {
        assert!(id.0 < self.seen, "a compiled selector was not refreshed");
        self.matched.contains(id.0)
    }

    /// Refreshes if need be, then as [`CompiledSelector::matches`].
    pub fn matches_refreshed(&mut self, id: LabelSetId, sets: &LabelSets) -> bool {
        if id.0 >= self.seen {
            self.refresh(sets);
        }
        self.matches(id)
    }

    /// The selector.
    pub fn selector(&self) -> &Selector {
        &self.selector
    }

    /// The sets that match, in order of appearance.
    pub fn sets(&self) -> impl Iterator<Item = LabelSetId> + '_ {
        self.matched.iter().map(LabelSetId)
    }
}

#[cfg(test)]
mod tests;
