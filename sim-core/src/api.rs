//! Plain data of the three dialects: no behaviour, no text, no storage.
//!
//! One file per kind. A field is here because some loop, scheduler or lowering reads it; what a
//! user writes beyond that stays in the document and is listed as not modelled. Fields hold the
//! value after upstream defaulting, so a reader never has to know a default; an `Option` means that
//! absence itself has a meaning.

pub mod compose;
pub mod health;
pub mod kube;
pub mod meta;
pub mod node;
pub mod resources;
pub mod selector;
pub mod status;
pub mod swarm;
