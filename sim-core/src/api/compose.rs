//! Compose: the model after merge, interpolation and normalisation.

pub mod project;
pub mod service;
