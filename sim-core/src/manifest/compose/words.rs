//! A command line to its words, as the shell would for quotes and backslashes.
//! Source: mattn/go-shellwords, which Compose and the stack loader use.

use std::sync::Arc;

/// The words; nothing if a quote is not closed.
pub fn split(text: &str) -> Option<Vec<Arc<str>>> {
    let mut words: Vec<Arc<str>> = Vec::new();
    let mut word = String::new();
    let mut inside = false;
    let mut quote = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (Some('\''), _) => word.push(letter),
            (_, '\\') => {
                word.push(letters.next()?);
                inside = true;
            }
            (Some(_), _) => word.push(letter),
            (None, '\'' | '"') => {
                quote = Some(letter);
                inside = true;
            }
            (None, _) if letter.is_whitespace() => {
                if inside {
                    words.push(std::mem::take(&mut word).into());
                    inside = false;
                }
            }
            (None, _) => {
                word.push(letter);
                inside = true;
            }
        }
    }
    if quote.is_some() {
        return None;
    }
    if inside {
        words.push(word.into());
    }
    Some(words)
}
