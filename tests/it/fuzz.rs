//! A few hundred malformed inputs for every reader of outside text, and everything that ever broke one.
//! Long runs: `cargo run --profile parity -p tests --bin fuzz -- all --seconds 600`.

use tests::fuzz::targets::Target;
use tests::fuzz::{Blind, Campaign, attempt, corpus};

/// Mutations for each target.
const INPUTS: u64 = 60;

#[test]
fn what_once_broke_does_not_again() {
    for target in Target::ALL {
        for (file, input) in corpus::regressions(target) {
            if let Err(message) = attempt(target, &input) {
                panic!("{}: {message}", file.display());
            }
        }
    }
}

#[test]
fn malformed_input_breaks_nothing() {
    for target in Target::ALL {
        let inputs: Vec<Vec<u8>> = corpus::own(target).into_iter().take(100).collect();
        let end = inputs.len() as u64 + INPUTS;
        let mut campaign = Campaign::new(target, inputs, 1);
        for _ in 0..end {
            if let Err((input, message)) = campaign.step(&mut Blind, &mut |_| {}) {
                let text = String::from_utf8_lossy(&input);
                panic!("{}: {message}\n{text}", target.name());
            }
        }
    }
}
