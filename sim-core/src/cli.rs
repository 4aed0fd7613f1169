//! The native runner podium.
