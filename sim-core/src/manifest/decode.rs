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
    let roots = documents
        .into_iter()
        .filter(|document| !document.is_empty() && !document.is_broken);
    (roots.map(|document| document.root).collect(), problems)
}

/// Runs a schema check that needs a report; the problems name `source`.
pub fn schema_problems(
    source: Option<&Source>,
    check: impl FnOnce(&Report<'_>),
) -> Vec<Diagnostic> {
    let sources = Sources::new();
    let report = Report::new(&sources);
    check(&report);
    let mut problems = report.finish();
    for problem in &mut problems {
        problem.file = source.map_or_else(|| "".into(), |source| source.name.clone());
    }
    problems
}
