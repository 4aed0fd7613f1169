//! Pods by their names: lists of slots, one for each part of the names' hashes.
//!
//! Eight bytes for each pod, in pages that snapshots share; a map of its own would be copied whole by the
//! first write after each snapshot. A list has few pods: two of 150,000.

use crate::base::hash::lookup_hash;
use crate::base::name::Name;
use crate::base::symbol::Symbol;
use crate::store::paged::{Paged, SMALL};

/// Number of lists.
const LISTS: u32 = 1 << 16;

/// Lists of pods' slots; in both columns a slot stands as one more than it is, 0 is the end.
#[derive(Clone, Debug, Default)]
pub struct PodNames {
    /// First of each list.
    first: Paged<u32, 256>,
    /// The next after a slot.
    next: Paged<u32, SMALL>,
}

fn list_of(namespace: Symbol, name: Name) -> u32 {
    lookup_hash((namespace, name)) % LISTS
}

impl PodNames {
    /// Adds a slot.
    pub fn insert(&mut self, namespace: Symbol, name: Name, slot: u32) {
        let first = self.first.get_mut(list_of(namespace, name));
        *self.next.get_mut(slot) = std::mem::replace(first, slot + 1);
    }

    /// Takes a slot out.
    pub fn remove(&mut self, namespace: Symbol, name: Name, slot: u32) {
        let list = list_of(namespace, name);
        let after = *self.next.get(slot);
        if *self.first.get(list) == slot + 1 {
            *self.first.get_mut(list) = after;
        } else {
            let before = self.slots(list).find(|it| *self.next.get(*it) == slot + 1);
            if let Some(before) = before {
                *self.next.get_mut(before) = after;
            }
        }
        self.next.clear(slot);
    }

    /// Slots whose pods may be of that name.
    pub fn candidates(&self, namespace: Symbol, name: Name) -> impl Iterator<Item = u32> {
        self.slots(list_of(namespace, name))
    }

    fn slots(&self, list: u32) -> impl Iterator<Item = u32> {
        let mut next = *self.first.get(list);
        std::iter::from_fn(move || {
            let slot = next.checked_sub(1)?;
            next = *self.next.get(slot);
            Some(slot)
        })
    }

    /// Bytes of these that `later`, a clone that went on, no longer shares.
    pub fn bytes_apart(&self, later: &Self) -> usize {
        self.first.bytes_apart(&later.first) + self.next.bytes_apart(&later.next)
    }

    /// How many slots stand in lists.
    pub fn count(&self) -> usize {
        (0..LISTS).map(|list| self.slots(list).count()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::name::Suffix;
    use crate::base::symbol::Symbols;

    #[test]
    fn names_are_found_until_they_are_removed() {
        let mut symbols = Symbols::new();
        let (space, prefix) = (symbols.intern("default"), symbols.intern("web"));
        let name = |number| Name {
            prefix,
            suffix: Suffix::Letters(number),
        };
        let mut names = PodNames::default();
        // More than lists: some hold two.
        let all = LISTS + 1_000;
        for number in 0..all {
            names.insert(space, name(number), number);
        }
        for number in (0..all).filter(|number| number % 3 != 0) {
            names.remove(space, name(number), number);
        }
        for number in 0..all {
            let mut found = names.candidates(space, name(number));
            assert_eq!(found.any(|slot| slot == number), number % 3 == 0);
        }
        assert_eq!(names.count(), all.div_ceil(3) as usize);
    }
}
