//! Harnesses shared by the integration tests and the programs of this package.
pub mod calibration;
pub mod conformance;
pub mod fuzz;
pub mod scenario;
pub mod transcript;
