//! Text to api types; never fails, always answers with a value and diagnostics.
