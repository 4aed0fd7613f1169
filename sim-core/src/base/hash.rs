//! Hash tables for lookup.
//!
//! The hash differs between 32- and 64-bit targets: iterating such a table would make the page and
//! the command line disagree. Iterate a `SortedMap`, a sorted `Vec` or a table instead.

/// A map for lookup; never iterated.
pub type FxHashMap<K, V> = rustc_hash::FxHashMap<K, V>;

/// A set for lookup; never iterated.
pub type FxHashSet<K> = rustc_hash::FxHashSet<K>;
