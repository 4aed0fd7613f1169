//! Trees to api types, dialect by dialect.
//!
//! Every decoder reads through [`scribe::Field`], which checks types, remembers what was read and
//! builds the path that messages name. What nobody read is the "not modelled" list, so the list
//! cannot drift from the code. Decoders never stop at the first problem and never panic.

pub mod amount;
pub mod duration;
pub mod image;
pub mod kube;
pub mod scribe;

use crate::manifest::diagnostic::{Diagnostic, Report};
use crate::manifest::lines::{Source, Sources};
use crate::manifest::scalar::Dialect;
use crate::manifest::tree::Node;
use crate::manifest::yaml;

/// The documents of a text that could be read and are not empty, with what is wrong with the text.
/// Spans and file names are those of `source`.
pub fn documents(source: &Source, dialect: Dialect) -> (Vec<Node>, Vec<Diagnostic>) {
    let sources = Sources::new();
    let report = Report::new(&sources);
    let documents = yaml::parse(source, dialect, &report);
    let mut problems = report.finish();
    for problem in &mut problems {
        problem.file = source.name.clone();
    }
    let roots = documents.into_iter().filter(|document| !document.is_empty() && !document.is_broken);
    (roots.map(|document| document.root).collect(), problems)
}

/// The word that was most likely meant: at most a third of its letters differ.
pub fn nearest<'w>(text: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let lower = text.to_lowercase();
    words
        .into_iter()
        .map(|word| (distance(&lower, &word.to_lowercase()), word))
        .filter(|(distance, word)| *distance <= (word.len().max(text.len()) / 3).min(3))
        .min()
        .map(|(_, word)| word)
}

/// Edits (insert, delete, replace, swap of neighbours) between two words, the latter counted as one.
fn distance(one: &str, two: &str) -> usize {
    let one: Vec<char> = one.chars().take(64).collect();
    let two: Vec<char> = two.chars().take(64).collect();
    let mut rows = vec![(0..=two.len()).collect::<Vec<usize>>()];
    for (i, letter) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, other) in two.iter().enumerate() {
            let mut best = (rows[i][j] + usize::from(letter != other)).min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *letter == two[j - 1] && one[i - 1] == *other {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[one.len()][two.len()]
}
