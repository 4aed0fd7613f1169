//! Swarm: what a stack file or `docker service create` asks for.

pub mod options;
pub mod service;
pub mod stack;
