//! Podium's engine: machines, and three orchestrators on them, in virtual time.
//!
//! Modules in reading order; a module may name only those above it, as the layer table in
//! ARCHITECTURE.md says and a test enforces.
#![forbid(unsafe_code)]

pub mod base;
pub mod des;
pub mod api;
pub mod manifest;
pub mod object;
pub mod store;
pub mod substrate;
pub mod kube;
pub mod swarm;
pub mod compose;
pub mod engine;
pub mod bench;
pub mod console;
pub mod soak;
pub mod protocol;
pub mod host;
#[cfg(feature = "cli")]
pub mod cli;
