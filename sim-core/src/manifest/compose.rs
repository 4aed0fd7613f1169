//! Compose and stack files to projects and stacks.
//!
//! ```text
//! text ─▶ tree ─ interpolate ─ extends, include ─ merge files ─ reset ─▶ one tree
//!      ─ project ─▶ Project ─ check (names, circles, ports, profiles)
//!      ─ stack   ─▶ Stack   (the older format 3: no extends, no include, no profiles)
//! ```
//! Nodes keep the positions of the files they came from through every step, so that a message
//! about a merged value points at the line that set it.

pub mod canonical;
pub mod check;
pub mod dotenv;
pub mod extends;
pub mod interpolate;
pub mod loaded;
pub mod merge;
pub mod part;
pub mod port;
pub mod project;
pub mod service;
pub mod stack;
pub mod stack_container;
pub mod stack_merge;
pub mod words;

#[cfg(test)]
mod tests;
