//! Volumes: claims, the volumes for them, and where they are attached.

pub mod claim;
pub mod controller;
