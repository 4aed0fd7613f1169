//! Compose: the model after merge, interpolation and normalisation.

pub mod container;
pub mod project;
pub mod service;
