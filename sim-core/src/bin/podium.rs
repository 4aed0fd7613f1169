//! The native runner; everything is in `sim_core::cli`.
fn main() {}
