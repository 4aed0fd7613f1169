//! Addresses, links, and the rules that users' requests follow.

pub mod address;
pub mod balancer;
pub mod filter;
pub mod flow;
pub mod link;
pub mod wire;
