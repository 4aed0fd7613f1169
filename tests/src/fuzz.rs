//! Malformed input for everything that reads text.
//!
//! ```text
//! corpus ─▶ mutate ─▶ target ─▶ nothing breaks
//!    ▲                   │
//!    └── kept if the engine said, or did, something new
//! ```
//! A target takes bytes and may do anything but panic, hang, or take memory without bound. What it
//! returns is what the engine said; an input that makes it say something new is worth mutating
//! further. The program `fuzz` runs a target for a while in processes of its own, with limits of time
//! and memory, and makes what breaks smaller; `cargo test` runs a few hundred inputs of every target
//! and all that ever broke (`tests/fuzz/TARGET/*`).

pub mod corpus;
pub mod mutate;
pub mod shrink;
pub mod targets;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mutate::Mutator;
use targets::Target;

/// Longest input, in bytes. Longer ones find the same and are slow.
pub const INPUT_BYTES_MAX: usize = 32 << 10;

/// Inputs that are kept for further mutation at most.
const CORPUS_MAX: usize = 4_000;

/// Counters of the code that ran, if the program was built with them.
pub trait Coverage {
    /// Sets all to zero.
    fn reset(&mut self);
    /// Whether code ran, or ran more often by an order, that never did before.
    fn news(&mut self) -> bool;
}

/// A build without counters.
#[derive(Debug)]
pub struct Blind;

impl Coverage for Blind {
    fn reset(&mut self) {}
    fn news(&mut self) -> bool {
        false
    }
}

/// A run of one target.
#[derive(Debug)]
pub struct Campaign {
    target: Target,
    mutator: Mutator,
    corpus: Vec<Vec<u8>>,
    said: BTreeSet<u64>,
    /// Inputs run so far.
    pub runs: u64,
}

impl Campaign {
    /// Begins with a corpus. The seed decides every input that is made from it.
    pub fn new(target: Target, corpus: Vec<Vec<u8>>, seed: u64) -> Self {
        Self {
            mutator: Mutator::new(seed, target.words()),
            target,
            corpus,
            said: BTreeSet::new(),
            runs: 0,
        }
    }

    /// Inputs worth mutating.
    pub fn kept(&self) -> usize {
        self.corpus.len()
    }

    /// Runs one more input: first the corpus as it is, then mutations.
    ///
    /// # Errors
    /// The input and the message of a panic.
    pub fn step(
        &mut self,
        coverage: &mut dyn Coverage,
        before: &mut dyn FnMut(&[u8]),
    ) -> Result<(), (Vec<u8>, String)> {
        let index = usize::try_from(self.runs).unwrap_or(usize::MAX);
        self.runs += 1;
        let fresh = index >= self.corpus.len();
        let input = match self.corpus.get(index) {
            Some(whole) if !fresh => whole.clone(),
            _ => self.mutator.next(&self.corpus),
        };
        before(&input);
        coverage.reset();
        let said = attempt(self.target, &input).map_err(|message| (input.clone(), message))?;
        let new_words = self.said.insert(said);
        if (coverage.news() || new_words) && fresh {
            if self.corpus.len() < CORPUS_MAX {
                self.corpus.push(input);
            } else {
                let at = self.mutator.below(CORPUS_MAX);
                self.corpus[at] = input;
            }
        }
        Ok(())
    }
}

/// Runs a target once; what the engine said, as a number.
///
/// # Errors
/// The message of a panic.
pub fn attempt(target: Target, input: &[u8]) -> Result<u64, String> {
    match catch_unwind(AssertUnwindSafe(|| target.run(input))) {
        Ok(said) => Ok(digest(&said)),
        Err(panic) => Err(panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_else(|| "a panic without a text".to_owned())),
    }
}

/// The same for two texts that differ in numbers and quoted words only.
fn digest(said: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut quoted = false;
    for byte in said.bytes().take(400) {
        if byte == b'"' {
            quoted = !quoted;
        }
        if !quoted && !byte.is_ascii_digit() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}
