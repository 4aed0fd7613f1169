//! The `kubectl` grammar.

use super::{Output, Session};

/// Runs one `kubectl` command.
pub fn run(_session: &mut Session, words: &[String], _input: &str) -> Output {
    Output::error(1, format!("kubectl {} is not modelled", words.join(" ")))
}
