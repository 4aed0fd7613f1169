//! What every control plane's store is made of: revisions, change logs and paged side tables.
//! Knows no kind, no controller and no machine.

pub mod log;
pub mod paged;
