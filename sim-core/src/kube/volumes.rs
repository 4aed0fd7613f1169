//! Volumes: claims, the volumes for them, and where they are attached.

pub mod attach;
pub mod binder;
pub mod claim;
pub mod controller;
pub mod reclaim;
