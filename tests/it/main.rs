//! One binary for every integration test.
mod tidy_api;
