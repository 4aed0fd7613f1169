//! Maps and sets in the order of their keys that cost few bytes of code.
//!
//! The standard library's B-trees are compiled anew for each type of key and value: 74 of them were
//! 197 KiB of the page's engine after gzip, a tenth of it; these are a third of that. They hold their
//! entries in sorted runs of bounded size: a look-up is two binary searches, an insertion moves part of
//! one run. The benches took as long with either.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::mem;
use std::ops::Index;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use set::{Members, SortedSet};

mod set;
#[cfg(test)]
mod tests;

/// A map in the order of its keys.
#[derive(Clone)]
pub struct SortedMap<K, V> {
    /// Entries in order; no run is empty or longer than [`Self::RUN`].
    runs: Vec<Vec<(K, V)>>,
}

/// Where a key is, or would be put.
#[derive(Clone, Copy)]
struct Place {
    run: usize,
    at: usize,
    found: bool,
}

impl<K, V> SortedMap<K, V> {
    /// Entries of one run at most: about two KiB, which are moved faster than a tree is descended.
    const RUN: usize = {
        let entry = size_of::<(K, V)>();
        if entry <= 16 {
            128
        } else if entry >= 128 {
            16
        } else {
            2_048 / entry
        }
    };

    /// An empty map; takes no memory.
    #[must_use]
    pub const fn new() -> Self {
        Self { runs: Vec::new() }
    }

    /// The number of entries: a sum over the runs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.runs.iter().map(Vec::len).sum()
    }

    /// Whether there is no entry.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Removes every entry.
    pub fn clear(&mut self) {
        self.runs.clear();
    }

    /// Entries in order.
    #[must_use]
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter {
            runs: self.runs.iter(),
            front: [].iter(),
            back: [].iter(),
        }
    }

    /// Entries in order, values changeable.
    pub fn iter_mut(&mut self) -> IterMut<'_, K, V> {
        IterMut {
            runs: self.runs.iter_mut(),
            run: [].iter_mut(),
        }
    }

    /// Keys in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> + Clone {
        self.iter().map(|(key, _)| key)
    }

    /// Values in the order of their keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> + Clone {
        self.iter().map(|(_, value)| value)
    }

    /// Values in the order of their keys, changeable.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.iter_mut().map(|(_, value)| value)
    }

    /// Values in the order of their keys, taken.
    pub fn into_values(self) -> impl Iterator<Item = V> {
        self.into_iter().map(|(_, value)| value)
    }

    /// The entry with the least key.
    #[must_use]
    pub fn first_key_value(&self) -> Option<(&K, &V)> {
        let (key, value) = self.runs.first()?.first()?;
        Some((key, value))
    }

    /// The entry with the greatest key.
    #[must_use]
    pub fn last_key_value(&self) -> Option<(&K, &V)> {
        let (key, value) = self.runs.last()?.last()?;
        Some((key, value))
    }

    /// Takes the entry with the least key away.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        (!self.is_empty()).then(|| self.take(0, 0))
    }

    /// Keeps the entries that `keep` says.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        for run in &mut self.runs {
            run.retain_mut(|(key, value)| keep(key, value));
        }
        self.runs.retain(|run| !run.is_empty());
    }

    /// Takes out an entry that is there.
    fn take(&mut self, run: usize, at: usize) -> (K, V) {
        let entry = self.runs[run].remove(at);
        if self.runs[run].is_empty() {
            self.runs.remove(run);
        }
        entry
    }

    /// Puts an entry at the place where its key was not found.
    fn put(&mut self, mut place: Place, key: K, value: V) -> &mut V {
        if self.runs.is_empty() {
            self.runs = vec![Vec::new()];
        } else if self.runs[place.run].len() == Self::RUN {
            // What comes in order fills its runs.
            let half = if place.at == Self::RUN {
                Self::RUN
            } else {
                Self::RUN / 2
            };
            let tail = self.runs[place.run].split_off(half);
            self.runs.insert(place.run + 1, tail);
            if place.at > half || half == Self::RUN {
                place.run += 1;
                place.at -= half;
            }
        }
        let run = &mut self.runs[place.run];
        run.insert(place.at, (key, value));
        &mut run[place.at].1
    }

    fn place<Q: Ord + ?Sized>(&self, key: &Q) -> Place
    where
        K: Borrow<Q>,
    {
        // Most have one run.
        let run = match self.runs.len() {
            0 | 1 => 0,
            // The last run that does not begin after the key.
            runs => least(runs, &mut |at| {
                let first = self.runs[at].first();
                first.is_some_and(|(first, _)| first.borrow().cmp(key).is_le())
            })
            .saturating_sub(1),
        };
        let entries = self.runs.get(run).map_or(&[][..], Vec::as_slice);
        let at = least(entries.len(), &mut |at| {
            entries[at].0.borrow().cmp(key).is_lt()
        });
        let found = entries
            .get(at)
            .is_some_and(|(other, _)| other.borrow().cmp(key).is_eq());
        Place { run, at, found }
    }
}

/// The first of `len` positions that is not before what is sought. Compiled once where code is to be
/// small: the standard library's search is made anew for each kind of key.
#[inline]
fn least(len: usize, is_before: &mut dyn FnMut(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = low.midpoint(high);
        if is_before(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

impl<K: Ord, V> SortedMap<K, V> {
    /// The value of a key.
    #[must_use]
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.get_key_value(key).map(|(_, value)| value)
    }

    /// A key as it is held, and its value.
    #[must_use]
    pub fn get_key_value<Q: Ord + ?Sized>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
    {
        // Many are empty for most of the time.
        if self.is_empty() {
            return None;
        }
        let place = self.place(key);
        if !place.found {
            return None;
        }
        let (key, value) = &self.runs[place.run][place.at];
        Some((key, value))
    }

    /// The value of a key, changeable.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let place = self.place(key);
        place.found.then(|| &mut self.runs[place.run][place.at].1)
    }

    /// Whether a key is there.
    #[must_use]
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        !self.is_empty() && self.place(key).found
    }

    /// Sets a key's value; returns the one before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let place = self.place(&key);
        if place.found {
            let held = &mut self.runs[place.run][place.at].1;
            return Some(mem::replace(held, value));
        }
        self.put(place, key, value);
        None
    }

    /// Takes a key away; returns its value.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        if self.is_empty() {
            return None;
        }
        let place = self.place(key);
        place.found.then(|| self.take(place.run, place.at).1)
    }

    /// A key's entry, there or not.
    pub fn entry(&mut self, key: K) -> Entry<'_, K, V> {
        let place = self.place(&key);
        Entry {
            map: self,
            key,
            place,
        }
    }

    /// Entries in order from the first whose key is not less than `key`.
    pub fn since<Q: Ord + ?Sized>(&self, key: &Q) -> Iter<'_, K, V>
    where
        K: Borrow<Q>,
    {
        let place = self.place(key);
        let mut runs = self.runs.iter();
        let front = match runs.nth(place.run) {
            Some(run) => run[place.at..].iter(),
            None => [].iter(),
        };
        Iter {
            runs,
            front,
            back: [].iter(),
        }
    }
}

/// A key's entry, there or not.
pub struct Entry<'a, K, V> {
    map: &'a mut SortedMap<K, V>,
    key: K,
    place: Place,
}

impl<'a, K, V> Entry<'a, K, V> {
    /// The value, which `make` makes when there is none.
    pub fn or_insert_with(self, make: impl FnOnce() -> V) -> &'a mut V {
        let Place { run, at, found } = self.place;
        if found {
            return &mut self.map.runs[run][at].1;
        }
        self.map.put(self.place, self.key, make())
    }

    /// The value, `value` when there is none.
    pub fn or_insert(self, value: V) -> &'a mut V {
        self.or_insert_with(|| value)
    }

    /// The value, the type's default when there is none.
    pub fn or_default(self) -> &'a mut V
    where
        V: Default,
    {
        self.or_insert_with(V::default)
    }

    /// Changes the value if there is one.
    #[must_use]
    pub fn and_modify(self, change: impl FnOnce(&mut V)) -> Self {
        if self.place.found {
            change(&mut self.map.runs[self.place.run][self.place.at].1);
        }
        self
    }
}

/// Entries of a [`SortedMap`] in order.
pub struct Iter<'a, K, V> {
    runs: std::slice::Iter<'a, Vec<(K, V)>>,
    front: std::slice::Iter<'a, (K, V)>,
    back: std::slice::Iter<'a, (K, V)>,
}

impl<K, V> Clone for Iter<'_, K, V> {
    fn clone(&self) -> Self {
        Self {
            runs: self.runs.clone(),
            front: self.front.clone(),
            back: self.back.clone(),
        }
    }
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.front.next() {
                return Some((key, value));
            }
            let Some(run) = self.runs.next() else {
                let (key, value) = self.back.next()?;
                return Some((key, value));
            };
            self.front = run.iter();
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let runs = self.runs.clone().map(Vec::len).sum::<usize>();
        let len = self.front.len() + runs + self.back.len();
        (len, Some(len))
    }
}

impl<K, V> DoubleEndedIterator for Iter<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.back.next_back() {
                return Some((key, value));
            }
            let Some(run) = self.runs.next_back() else {
                let (key, value) = self.front.next_back()?;
                return Some((key, value));
            };
            self.back = run.iter();
        }
    }
}

impl<K, V> ExactSizeIterator for Iter<'_, K, V> {}

/// Entries of a [`SortedMap`] in order, values changeable.
pub struct IterMut<'a, K, V> {
    runs: std::slice::IterMut<'a, Vec<(K, V)>>,
    run: std::slice::IterMut<'a, (K, V)>,
}

impl<'a, K, V> Iterator for IterMut<'a, K, V> {
    type Item = (&'a K, &'a mut V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.run.next() {
                return Some((key, value));
            }
            self.run = self.runs.next()?.iter_mut();
        }
    }
}

/// Entries of a [`SortedMap`] in order, taken.
pub struct IntoIter<K, V> {
    runs: std::vec::IntoIter<Vec<(K, V)>>,
    run: std::vec::IntoIter<(K, V)>,
}

impl<K, V> Iterator for IntoIter<K, V> {
    type Item = (K, V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.run.next() {
                return Some(entry);
            }
            self.run = self.runs.next()?.into_iter();
        }
    }
}

impl<'a, K, V> IntoIterator for &'a SortedMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Iter<'a, K, V> {
        self.iter()
    }
}

impl<'a, K, V> IntoIterator for &'a mut SortedMap<K, V> {
    type Item = (&'a K, &'a mut V);
    type IntoIter = IterMut<'a, K, V>;

    fn into_iter(self) -> IterMut<'a, K, V> {
        self.iter_mut()
    }
}

impl<K, V> IntoIterator for SortedMap<K, V> {
    type Item = (K, V);
    type IntoIter = IntoIter<K, V>;

    fn into_iter(self) -> Self::IntoIter {
        IntoIter {
            runs: self.runs.into_iter(),
            run: Vec::new().into_iter(),
        }
    }
}

impl<K: Ord, V> Extend<(K, V)> for SortedMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for SortedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        map.extend(entries);
        map
    }
}

impl<K: Ord, V, const N: usize> From<[(K, V); N]> for SortedMap<K, V> {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Ord + Borrow<Q>, V, Q: Ord + ?Sized> Index<&Q> for SortedMap<K, V> {
    type Output = V;

    /// # Panics
    /// When the key is not there.
    fn index(&self, key: &Q) -> &V {
        let place = self.place(key);
        assert!(place.found, "no entry found for key");
        &self.runs[place.run][place.at].1
    }
}

impl<K: PartialEq, V: PartialEq> PartialEq for SortedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other)
    }
}

impl<K: Eq, V: Eq> Eq for SortedMap<K, V> {}

impl<K: PartialOrd, V: PartialOrd> PartialOrd for SortedMap<K, V> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.iter().partial_cmp(other)
    }
}

impl<K: Ord, V: Ord> Ord for SortedMap<K, V> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.iter().cmp(other)
    }
}

impl<K: Hash, V: Hash> Hash for SortedMap<K, V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.len());
        for entry in self {
            entry.hash(state);
        }
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for SortedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

impl<K: Serialize, V: Serialize> Serialize for SortedMap<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (key, value) in self {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Deserialize<'de> for SortedMap<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

struct Entries<K, V>(PhantomData<(K, V)>);

impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Visitor<'de> for Entries<K, V> {
    type Value = SortedMap<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut map = SortedMap::new();
        while let Some((key, value)) = entries.next_entry()? {
            map.insert(key, value);
        }
        Ok(map)
    }
}
