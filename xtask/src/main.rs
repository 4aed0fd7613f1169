//! Set-up and orchestration of the tools.
fn main() {}
