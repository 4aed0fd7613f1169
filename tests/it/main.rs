//! One binary for every integration test.
mod bounds;
mod calibration;
mod conformance;
mod contradictions;
mod diagnostics;
mod fuzz;
mod miniatures;
mod page_hash;
mod replay;
mod scenarios;
mod side_by_side;
mod soak;
mod tidy_api;
mod tidy_elsewhere;
mod tidy_layers;
mod tidy_words;
mod transcripts;
