//! Text to api types; never fails, always answers with a value and diagnostics.
//!
//! ```text
//! text ─ yaml ─▶ Node (spans, tags, comments) ─ schema ─▶ diagnostics
//!                  │                           └ decode ─▶ api types, "not modelled" list
//!                  └ to_value ─▶ Value (unspanned, what objects and patches are made of)
//! ```
//! Owns positions in text, trees, structural schemas and what is said about them. Knows nothing
//! of the running world.
pub mod compose;
pub mod decode;
pub mod detect;
pub mod diagnostic;
pub mod explain;
pub mod json;
pub mod lines;
pub mod scalar;
pub mod schema;
pub mod tree;
pub mod value;
pub mod yaml;
