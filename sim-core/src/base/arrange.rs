//! Sorting that costs few bytes of code.
//!
//! Every use of the standard library's sort is compiled anew for its type and comparison, at about
//! 4 KB of WebAssembly each: 150 of them were an eighth of the page's engine. Here only a sort of
//! positions is compiled, once; what a use adds is the exchange of elements. Loops that run for
//! every event keep the standard sort, which needs no second array.

use std::cmp::Ordering;

/// Stable sorts, for slices outside the hot loops.
pub trait Arrange<T> {
    /// Sorts by the elements' own order.
    fn arrange(&mut self)
    where
        T: Ord;

    /// Sorts by `compare`, which must be a total order.
    fn arrange_by(&mut self, compare: impl FnMut(&T, &T) -> Ordering);

    /// Sorts by what `key` makes of each element; it is asked anew at each comparison.
    fn arrange_by_key<K: Ord>(&mut self, key: impl FnMut(&T) -> K);

    /// Sorts by what `key` makes of each element, asked once of each.
    fn arrange_by_cached_key<K: Ord>(&mut self, key: impl FnMut(&T) -> K);
}

impl<T> Arrange<T> for [T] {
    fn arrange(&mut self)
    where
        T: Ord,
    {
        self.arrange_by(T::cmp);
    }

    fn arrange_by(&mut self, mut compare: impl FnMut(&T, &T) -> Ordering) {
        if self.len() < 2 {
            return;
        }
        let sources = positions(self.len(), &mut |left, right| {
            compare(&self[left], &self[right])
        });
        place(self, sources);
    }

    fn arrange_by_key<K: Ord>(&mut self, mut key: impl FnMut(&T) -> K) {
        self.arrange_by(|left, right| key(left).cmp(&key(right)));
    }

    fn arrange_by_cached_key<K: Ord>(&mut self, key: impl FnMut(&T) -> K) {
        let keys: Vec<K> = self.iter().map(key).collect();
        let sources = positions(keys.len(), &mut |left, right| keys[left].cmp(&keys[right]));
        place(self, sources);
    }
}

/// Puts at each place the element that `sources` names for it.
fn place<T>(elements: &mut [T], mut sources: Vec<usize>) {
    for start in 0..elements.len() {
        let mut at = start;
        loop {
            let source = std::mem::replace(&mut sources[at], at);
            if source == start {
                break;
            }
            elements.swap(at, source);
            at = source;
        }
    }
}

/// For each place of a sorted sequence of `len` elements, where its element stands now.
fn positions(len: usize, compare: &mut dyn FnMut(usize, usize) -> Ordering) -> Vec<usize> {
    let mut positions: Vec<usize> = (0..len).collect();
    positions.sort_by(|&left, &right| compare(left, right));
    positions
}

#[cfg(test)]
mod tests {
    use super::Arrange;

    #[test]
    fn arranges_as_the_standard_sort_does() {
        arbtest::arbtest(|u| {
            let mut arranged: Vec<(u8, u16)> = u.arbitrary()?;
            let mut sorted = arranged.clone();
            arranged.arrange_by_key(|pair| pair.0);
            sorted.sort_by_key(|pair| pair.0);
            assert_eq!(arranged, sorted, "stable by key");
            let mut asked = 0;
            arranged.arrange_by_cached_key(|pair| {
                asked += 1;
                std::cmp::Reverse(pair.1)
            });
            sorted.sort_by_key(|pair| std::cmp::Reverse(pair.1));
            assert_eq!(arranged, sorted, "stable by cached key");
            assert_eq!(asked, sorted.len());
            arranged.arrange();
            sorted.sort();
            assert_eq!(arranged, sorted);
            arranged.arrange_by(|left, right| right.cmp(left));
            sorted.sort_by(|left, right| right.cmp(left));
            assert_eq!(arranged, sorted);
            Ok(())
        });
    }
}
