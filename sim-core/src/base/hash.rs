//! Hash tables for lookup.
//!
//! The hash differs between 32- and 64-bit targets: iterating such a table would make the page and
//! the command line disagree. Iterate a `SortedMap`, a sorted `Vec` or a table instead.

use std::hash::{BuildHasher, Hash};

/// A map for lookup; never iterated.
pub type FxHashMap<K, V> = rustc_hash::FxHashMap<K, V>;

/// A set for lookup; never iterated.
pub type FxHashSet<K> = rustc_hash::FxHashSet<K>;

/// A hash for lookup, mixed best in its low bits; never kept where two targets could disagree.
pub fn lookup_hash(value: impl Hash) -> u32 {
    rustc_hash::FxBuildHasher.hash_one(value) as u32
}
