//! The console grammar of page, CLI and tests.
