//! Scheduled things by the time slice they fall into, 4,096 slices a turn.
//!
//! Order within a slice is not kept: the queue sorts a slice when its time comes. Whoever pushes
//! keeps all slices within one turn.
//!
//! A slice is a chain of segments. Snapshots share segments; a push onto a shared one begins a new
//! segment in front of it instead of copying, unless the old one is short:
//!
//! ```text
//! slice -> [newest: mine alone] -> [shared with a snapshot] -> [shared with an older one]
//! ```
//!
//! Each segment is at least half as long as the next newer, so that chains stay short.
//!
//! A slice that was emptied leaves its segment for the next one that begins: nearly every slice needs
//! one, and few are needed at a time.

use std::sync::Arc;

use crate::des::queue::Scheduled;

const WORDS: usize = 64;
/// Slices of one turn: one bit each in 64 words, whose own occupancy is one word again.
pub(super) const SLICES: u64 = (WORDS * 64) as u64;

/// A shared segment up to this long is copied rather than kept in the chain.
const SHORT: usize = 16;
/// Segments that wait to be used again, at most.
const SPARE: usize = 32;
/// A segment with room for more is given back to the allocator.
const SPARE_ROOM: usize = 64;

/// One turn of slices. Empty slices have no memory.
#[derive(Clone)]
pub(super) struct Wheel<E> {
    slices: Vec<Option<Arc<Segment<E>>>>,
    occupied: [u64; WORDS],
    /// Bit `n`: word `n` of `occupied` is not zero.
    summary: u64,
    len: usize,
    /// Empty segments. Those that a snapshot shares are of no use.
    spare: Vec<Arc<Segment<E>>>,
}

#[derive(Clone)]
struct Segment<E> {
    items: Vec<Scheduled<E>>,
    older: Option<Arc<Segment<E>>>,
}

impl<E: Copy> Wheel<E> {
    pub(super) fn new() -> Self {
        let slices = std::iter::repeat_with(|| None)
            .take(SLICES as usize)
            .collect();
        Self {
            slices,
            occupied: [0; WORDS],
            summary: 0,
            len: 0,
            spare: Vec::new(),
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Adds to the slice numbered `slice`.
    pub(super) fn push(&mut self, slice: u64, scheduled: Scheduled<E>) {
        let place = (slice % SLICES) as usize;
        let head = &mut self.slices[place];
        match head.as_mut().and_then(Arc::get_mut) {
            Some(segment) => segment.items.push(scheduled),
            None => {
                let empty = || Arc::new(Segment::default());
                let mut front = self.spare.pop().unwrap_or_else(empty);
                Arc::make_mut(&mut front).begin(scheduled, head.take());
                *head = Some(front);
            }
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
    pub(super) fn items(&self, slice: u64) -> impl Iterator<Item = &Scheduled<E>> {
        chain(&self.slices[(slice % SLICES) as usize])
    }

    /// Empties the slice and hands out what it held, in parts and in no order.
    pub(super) fn drain(&mut self, slice: u64, mut take: impl FnMut(&[Scheduled<E>])) {
        let place = (slice % SLICES) as usize;
        let taken = self.slices[place].take();
        let mut front = taken.as_deref();
        while let Some(segment) = front {
            take(&segment.items);
            self.len -= segment.items.len();
            front = segment.older.as_deref();
        }
        self.occupied[place / 64] &= !(1 << (place % 64));
        if self.occupied[place / 64] == 0 {
            self.summary &= !(1 << (place / 64));
        }
        if let Some(mut front) = taken
            && self.spare.len() < SPARE
            && let Some(segment) = Arc::get_mut(&mut front)
            && segment.items.capacity() <= SPARE_ROOM
        {
            segment.items.clear();
            segment.older = None;
            self.spare.push(front);
        }
    }

    /// Everything, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Scheduled<E>> {
        self.slices.iter().flat_map(chain)
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

impl<E> Default for Segment<E> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            older: None,
        }
    }
}

impl<E: Copy> Segment<E> {
    /// Becomes the front of a chain whose front is shared, or of an empty one.
    fn begin(&mut self, scheduled: Scheduled<E>, mut older: Option<Arc<Self>>) {
        let items = &mut self.items;
        items.push(scheduled);
        while let Some(front) = &older {
            let next = front
                .older
                .as_ref()
                .map_or(usize::MAX, |next| next.items.len());
            let is_short = front.items.len() <= SHORT.max(2 * items.len());
            if !is_short && next >= front.items.len() / 2 {
                break;
            }
            items.extend_from_slice(&front.items);
            older = front.older.clone();
        }
        self.older = older;
    }
}

/// The items of a chain of segments.
fn chain<E>(front: &Option<Arc<Segment<E>>>) -> impl Iterator<Item = &Scheduled<E>> {
    std::iter::successors(front.as_deref(), |segment| segment.older.as_deref())
        .flat_map(|segment| &segment.items)
}
