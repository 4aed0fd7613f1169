//! Scheduled things by the time slice they fall into: 4,096 slices of 4.096 ms.
//!
//! Owns everything of the next 16.8 s that is later than the current slice. Order within a slice is
//! not kept: the queue sorts a slice when its time comes. At 150,000 pending within 10 s a slice
//! holds some 60. Slices are shared by snapshots until one of them changes.

use std::sync::Arc;

use crate::des::queue::Scheduled;

/// Microseconds in one slice, as a power of two.
const SLICE_BITS: u32 = 12;
const WORDS: usize = 64;
/// Slices of one turn: one bit each in 64 words, whose own occupancy is one word again.
pub(super) const SLICES: u64 = (WORDS * 64) as u64;

const _: () = assert!(SLICES << SLICE_BITS == 1 << 24);

/// The number of the slice that a time in microseconds falls into, counted from the epoch.
pub(super) const fn slice_of(micros: u64) -> u64 {
    micros >> SLICE_BITS
}

/// One turn of slices. Empty slices have no memory.
#[derive(Clone)]
pub(super) struct Wheel<E> {
    slices: Vec<Option<Arc<Vec<Scheduled<E>>>>>,
    occupied: [u64; WORDS],
    /// Bit `n`: word `n` of `occupied` is not zero.
    summary: u64,
    len: usize,
}

impl<E: Copy> Wheel<E> {
    pub(super) fn new() -> Self {
        Self {
            slices: vec![None; SLICES as usize],
            occupied: [0; WORDS],
            summary: 0,
            len: 0,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Adds to the slice numbered `slice`; the caller keeps all slices within one turn.
    pub(super) fn push(&mut self, slice: u64, scheduled: Scheduled<E>) {
        let place = (slice % SLICES) as usize;
        match &mut self.slices[place] {
            Some(items) => Arc::make_mut(items).push(scheduled),
            empty => *empty = Some(Arc::new(vec![scheduled])),
        }
        self.occupied[place / 64] |= 1 << (place % 64);
        self.summary |= 1 << (place / 64);
        self.len += 1;
    }

    /// The first slice after `current`, at most one turn away, that holds something.
    pub(super) fn next_after(&self, current: u64) -> Option<u64> {
        if self.len == 0 {
            return None;
        }
        let start = ((current + 1) % SLICES) as usize;
        let place = self.first_from(start).or_else(|| self.first_from(0))?;
        let distance = (place + SLICES as usize - start) % SLICES as usize;
        Some(current + 1 + distance as u64)
    }

    /// What the slice holds, in no order.
    pub(super) fn items(&self, slice: u64) -> &[Scheduled<E>] {
        self.slices[(slice % SLICES) as usize]
            .as_deref()
            .map_or(&[], Vec::as_slice)
    }

    /// Moves what the slice holds to the end of `items`.
    pub(super) fn drain_into(&mut self, slice: u64, items: &mut Vec<Scheduled<E>>) {
        let place = (slice % SLICES) as usize;
        let Some(taken) = self.slices[place].take() else {
            return;
        };
        self.len -= taken.len();
        items.extend_from_slice(&taken);
        self.occupied[place / 64] &= !(1 << (place % 64));
        if self.occupied[place / 64] == 0 {
            self.summary &= !(1 << (place / 64));
        }
    }

    /// Everything, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Scheduled<E>> {
        self.slices.iter().flatten().flat_map(|items| items.iter())
    }

    /// The first occupied place at or after `start`.
    fn first_from(&self, start: usize) -> Option<usize> {
        let word = start / 64;
        let rest = self.occupied[word] & (u64::MAX << (start % 64));
        if rest != 0 {
            return Some(word * 64 + rest.trailing_zeros() as usize);
        }
        let later = if word + 1 < WORDS {
            self.summary & (u64::MAX << (word + 1))
        } else {
            0
        };
        if later == 0 {
            return None;
        }
        let word = later.trailing_zeros() as usize;
        Some(word * 64 + self.occupied[word].trailing_zeros() as usize)
    }
}
