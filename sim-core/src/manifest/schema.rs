//! Structural schemas: which fields exist, of what type, and what is said when a text differs.
//!
//! The tables are generated at authoring time (`sim-core/schema/README.md` has their provenance)
//! and parsed on first use. The checks use the words of the tool that would refuse the text.
pub mod compose;
pub mod kubernetes;
pub mod prune;
pub mod suggest;
pub mod table;
