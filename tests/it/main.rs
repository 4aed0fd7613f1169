//! One binary for every integration test.
mod tidy_api;
mod tidy_layers;
