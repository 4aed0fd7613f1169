//! Sets of small numbers as bits.

/// A set of `u32`, dense from zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct BitSet {
    /// No trailing zero word, so that equal sets have equal words.
    words: Vec<u64>,
}

impl BitSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self { words: Vec::new() }
    }

    /// Adds `number`; whether it was new.
    pub fn insert(&mut self, number: u32) -> bool {
        let word = number as usize / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let bit = 1 << (number % 64);
        let is_new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        is_new
    }

    /// Takes `number` out; whether it was there.
    pub fn remove(&mut self, number: u32) -> bool {
        let Some(word) = self.words.get_mut(number as usize / 64) else {
            return false;
        };
        let bit = 1 << (number % 64);
        let was_there = *word & bit != 0;
        *word &= !bit;
        self.trim();
        was_there
    }

    /// Whether `number` is in the set.
    pub fn contains(&self, number: u32) -> bool {
        self.words
            .get(number as usize / 64)
            .is_some_and(|word| word >> (number % 64) & 1 != 0)
    }

    /// Empties the set and keeps its memory.
    pub fn clear(&mut self) {
        self.words.clear();
    }

    /// Number of elements.
    pub fn len(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    /// Whether nothing is in the set.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Elements, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + Clone {
        self.words.iter().enumerate().flat_map(|(position, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                if rest == 0 {
                    return None;
                }
                let bit = rest.trailing_zeros();
                rest &= rest - 1;
                Some(position as u32 * 64 + bit)
            })
        })
    }

    /// Adds every element of `other`.
    pub fn union_with(&mut self, other: &Self) {
        if other.words.len() > self.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (word, theirs) in self.words.iter_mut().zip(&other.words) {
            *word |= theirs;
        }
    }

    /// Keeps only what `other` has too.
    pub fn intersect_with(&mut self, other: &Self) {
        self.words.truncate(other.words.len());
        for (word, theirs) in self.words.iter_mut().zip(&other.words) {
            *word &= theirs;
        }
        self.trim();
    }

    /// Takes out every element of `other`.
    pub fn subtract(&mut self, other: &Self) {
        for (word, theirs) in self.words.iter_mut().zip(&other.words) {
            *word &= !theirs;
        }
        self.trim();
    }

    /// Whether some element is in both.
    pub fn intersects(&self, other: &Self) -> bool {
        self.words
            .iter()
            .zip(&other.words)
            .any(|(word, theirs)| word & theirs != 0)
    }

    fn trim(&mut self) {
        while self.words.last() == Some(&0) {
            self.words.pop();
        }
    }
}

impl FromIterator<u32> for BitSet {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        let mut set = Self::new();
        for number in numbers {
            set.insert(number);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use crate::base::sorted::SortedSet;

    use super::*;

    #[test]
    fn it_agrees_with_a_sorted_set() {
        arbtest::arbtest(|u| {
            let mut pairs = [
                (BitSet::new(), SortedSet::new()),
                (BitSet::new(), SortedSet::new()),
            ];
            for _ in 0..u.int_in_range(0..=60)? {
                let (bits, model) = &mut pairs[usize::from(u.arbitrary::<bool>()?)];
                let number = u.int_in_range(0..=200)?;
                if u.ratio(2, 3)? {
                    assert_eq!(bits.insert(number), model.insert(number));
                } else {
                    assert_eq!(bits.remove(number), model.remove(&number));
                }
                assert_eq!(bits.contains(number), model.contains(&number));
            }
            let [(left, left_model), (right, right_model)] = pairs;
            assert_eq!(
                left.iter().collect::<Vec<_>>(),
                Vec::from_iter(left_model.clone())
            );
            assert_eq!(left.len() as usize, left_model.len());
            assert_eq!(left.is_empty(), left_model.is_empty());
            assert_eq!(
                left.intersects(&right),
                !left_model.is_disjoint(&right_model)
            );
            let combined = |operation: fn(&mut BitSet, &BitSet)| {
                let mut result = left.clone();
                operation(&mut result, &right);
                result
            };
            assert_eq!(
                combined(BitSet::union_with),
                BitSet::from_iter(left_model.union(&right_model).into_iter().copied())
            );
            assert_eq!(
                combined(BitSet::intersect_with),
                BitSet::from_iter(left_model.intersection(&right_model).copied())
            );
            assert_eq!(
                combined(BitSet::subtract),
                BitSet::from_iter(left_model.difference(&right_model).copied())
            );
            Ok(())
        });
    }
}
