//! Kubernetes kinds, in the fields that the modelled loops read.

pub mod affinity;
pub mod container;
pub mod deployment;
pub mod node;
pub mod object;
pub mod pod;
pub mod probe;
pub mod replica_set;
pub mod service;
pub mod spread;
pub mod volume;
