//! One binary for every integration test.
mod replay;
mod tidy_api;
mod tidy_layers;
