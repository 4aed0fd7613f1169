//! The hash index under the interners: numbers found by the hash of what they stand for.
//!
//! Open addressing in pages that snapshots share, so that cloning an interner of 100,000 entries
//! copies some hundred pointers and the next new entry copies one kilobyte.

use std::sync::Arc;

const PAGE_CELLS: usize = 256;

/// Finds numbers `0, 1, 2, ...` by hash; the owner keeps what the numbers stand for.
#[derive(Clone, Debug, Default)]
pub(crate) struct HashIndex {
    /// 0 is empty, `n + 1` stands for `n`. The number of cells is a power of two, or zero.
    pages: Vec<Arc<[u32; PAGE_CELLS]>>,
    len: u32,
}

impl HashIndex {
    /// The number with this hash for which `is_same` holds.
    pub(crate) fn find(&self, hash: u64, mut is_same: impl FnMut(u32) -> bool) -> Option<u32> {
        if self.pages.is_empty() {
            return None;
        }
        let mask = self.cells() - 1;
        let mut cell = hash as usize & mask;
        loop {
            let number = self.pages[cell / PAGE_CELLS][cell % PAGE_CELLS].checked_sub(1)?;
            if is_same(number) {
                return Some(number);
            }
            cell = (cell + 1) & mask;
        }
    }

    /// Adds the next number, which must not be there, and returns it. `hash_of` gives the hash of
    /// any number added before, for when the index doubles.
    pub(crate) fn push(&mut self, hash: u64, hash_of: impl Fn(u32) -> u64) -> u32 {
        // At most half full, so that a probe ends soon.
        if (self.len as usize + 1) * 2 > self.cells() {
            self.double(hash_of);
        }
        let number = self.len;
        assert!(number < u32::MAX - 1, "interner is full");
        self.place(hash, number);
        self.len += 1;
        number
    }

    fn cells(&self) -> usize {
        self.pages.len() * PAGE_CELLS
    }

    fn place(&mut self, hash: u64, number: u32) {
        let mask = self.cells() - 1;
        let mut cell = hash as usize & mask;
        while self.pages[cell / PAGE_CELLS][cell % PAGE_CELLS] != 0 {
            cell = (cell + 1) & mask;
        }
        Arc::make_mut(&mut self.pages[cell / PAGE_CELLS])[cell % PAGE_CELLS] = number + 1;
    }

    fn double(&mut self, hash_of: impl Fn(u32) -> u64) {
        let pages = (self.pages.len() * 2).max(1);
        // Each page its own allocation: sharing one would copy it at the first write anyway.
        self.pages = (0..pages).map(|_| Arc::new([0; PAGE_CELLS])).collect();
        for number in 0..self.len {
            self.place(hash_of(number), number);
        }
    }
}
