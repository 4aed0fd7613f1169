//! Names of table rows: slot and generation, typed by the row.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::num::NonZeroU32;

/// Names a row. A stale id (old generation) reads as absent: deleting a row cancels its timers.
///
/// 8 bytes, and `Option<Id<T>>` is 8 as well. Ordered by slot, then generation; both are the same
/// on every target because tables allocate deterministically.
pub struct Id<T> {
    slot: u32,
    generation: NonZeroU32,
    of: PhantomData<fn() -> T>,
}

const _: () = assert!(size_of::<Id<String>>() == 8);
const _: () = assert!(size_of::<Option<Id<String>>>() == 8);

impl<T> Id<T> {
    /// The id of the row in `slot` at `generation`. Only tables and tests make ids.
    pub const fn new(slot: u32, generation: NonZeroU32) -> Self {
        Self {
            slot,
            generation,
            of: PhantomData,
        }
    }

    /// Position of the row in its table.
    pub const fn slot(self) -> u32 {
        self.slot
    }

    /// How many rows the slot has had, this one included.
    pub const fn generation(self) -> NonZeroU32 {
        self.generation
    }

    /// Slot and generation in one number, for hashes and logs.
    pub const fn bits(self) -> u64 {
        (self.generation.get() as u64) << 32 | self.slot as u64
    }
}

// Written out because derives would ask `T` for the same traits.
impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.slot == other.slot && self.generation == other.generation
    }
}

impl<T> Eq for Id<T> {}

impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.slot, self.generation).cmp(&(other.slot, other.generation))
    }
}

impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.bits());
    }
}

impl<T> fmt::Debug for Id<T> {
    /// `12.1`: slot and generation.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.slot, self.generation)
    }
}
