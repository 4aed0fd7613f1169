//! The `host` grammar.

use super::{Output, Session};

/// Runs one `host` command.
pub fn run(_session: &mut Session, words: &[String], _input: &str) -> Output {
    Output::error(1, format!("host {} is not modelled", words.join(" ")))
}
