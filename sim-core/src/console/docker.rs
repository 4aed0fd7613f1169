//! The `docker` grammar.

use super::{Output, Session};

/// Runs one `docker` command.
pub fn run(_session: &mut Session, words: &[String], _input: &str) -> Output {
    Output::error(1, format!("docker {} is not modelled", words.join(" ")))
}
