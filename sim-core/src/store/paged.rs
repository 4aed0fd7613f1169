//! A column of values beside a table of rows: pages that snapshots share and that are copied on the
//! first write to them. A slot that was never written reads as the default.
//!
//! Pages have sixteen values; columns of a few bytes have larger ones, so that the list of pages and
//! their counts of owners stay in the cache ([`SMALL`]).

use std::sync::Arc;

/// Values of a page of a column whose values have a few bytes.
pub const SMALL: usize = 64;

/// A copy-on-write column keyed by row slot.
#[derive(Clone, Debug)]
pub struct Paged<T, const PAGE: usize = 16> {
    pages: Vec<Option<Arc<[T; PAGE]>>>,
    empty: T,
}

impl<T: Clone + Default, const PAGE: usize> Default for Paged<T, PAGE> {
    fn default() -> Self {
        Self {
            pages: Vec::new(),
            empty: T::default(),
        }
    }
}

impl<T: Clone + Default, const PAGE: usize> Paged<T, PAGE> {
    /// The value at a slot.
    pub fn get(&self, slot: u32) -> &T {
        let slot = slot as usize;
        match self.pages.get(slot / PAGE) {
            Some(Some(page)) => &page[slot % PAGE],
            _ => &self.empty,
        }
    }

    /// The value at a slot, for writing.
    pub fn get_mut(&mut self, slot: u32) -> &mut T {
        let slot = slot as usize;
        let page = slot / PAGE;
        if !matches!(self.pages.get(page), Some(Some(_))) {
            self.begin(page);
        }
        let shared = self.pages[page].as_mut().expect("it was begun");
        &mut Arc::make_mut(shared)[slot % PAGE]
    }

    #[inline(never)]
    fn begin(&mut self, page: usize) {
        if page >= self.pages.len() {
            self.pages.resize(page + 1, None);
        }
        self.pages[page] = Some(Arc::new(std::array::from_fn(|_| T::default())));
    }

    /// All values of the pages that were ever written, by slot.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        let pages = self.pages.iter().flatten();
        pages.flat_map(|page| page.iter())
    }

    /// Slots of the pages so far: one past the last that was ever written, or some more.
    pub fn capacity_slots(&self) -> u32 {
        (self.pages.len() * PAGE) as u32
    }

    /// Bytes of this column that `later`, a clone that went on, no longer shares, list of pages included.
    pub fn bytes_apart(&self, later: &Self) -> usize {
        let pages = self.pages.iter().enumerate();
        let own = pages.filter(|(place, page)| match (page, later.pages.get(*place)) {
            (Some(page), Some(Some(other))) => !Arc::ptr_eq(page, other),
            (page, _) => page.is_some(),
        });
        own.count() * size_of::<[T; PAGE]>() + size_of_val(self.pages.as_slice())
    }

    /// Sets a slot back to the default.
    pub fn clear(&mut self, slot: u32) {
        if matches!(self.pages.get(slot as usize / PAGE), Some(Some(_))) {
            *self.get_mut(slot) = T::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_keeps_what_it_saw() {
        let mut column: Paged<u32> = Paged::default();
        *column.get_mut(40) = 7;
        let before = column.clone();
        *column.get_mut(40) = 8;
        column.clear(1_000_000);
        assert_eq!(
            (*before.get(40), *column.get(40), *column.get(3)),
            (7, 8, 0)
        );
    }
}
