//! What reading Compose or stack files gives, and the way to a tree.

use std::sync::Arc;

use crate::base::sorted::SortedMap;
use crate::manifest::decode;
use crate::manifest::diagnostic::{Diagnostic, Severity};
use crate::manifest::lines::{FileId, Source, Sources, Span};
use crate::manifest::scalar::Dialect;
use crate::manifest::tree::Node;

/// Variables by name: the process environment, or `.env`.
pub type Variables = SortedMap<Arc<str>, Arc<str>>;

/// A text by its path, for files that are named inside files.
pub type OtherFiles<'f> = &'f dyn Fn(&str) -> Option<Arc<str>>;

/// What reading gives.
#[derive(Clone, Debug)]
pub struct Loaded<T> {
    /// The model; absent if there are errors.
    pub model: Option<T>,
    /// What is wrong, in order of place.
    pub problems: Vec<Diagnostic>,
    /// Valid fields that nothing reads, outermost only: path and position of the key.
    pub not_modelled: Vec<(String, Span)>,
    /// All texts that were read, also those named inside others; spans refer to these.
    pub sources: Sources,
}

/// Texts and trees read so far.
#[derive(Debug, Default)]
pub struct Texts {
    /// The texts.
    pub sources: Sources,
    /// What is wrong with them as YAML.
    pub problems: Vec<Diagnostic>,
}

impl Texts {
    /// Reads a text; nothing if it has no readable document. Only the first document counts for
    /// a stack; Compose merges all documents of a file, so all are returned.
    pub fn read(&mut self, name: &str, text: &str) -> Vec<Node> {
        let file = self.sources.add(name, text);
        let Some(source) = self.sources.get(file) else {
            return Vec::new();
        };
        let (nodes, problems) = decode::documents(source, Dialect::Compose);
        self.problems.extend(problems);
        nodes
    }

    /// Whether a text cannot be read.
    pub fn failed(&self) -> bool {
        self.problems
            .iter()
            .any(|problem| problem.severity == Severity::Error)
    }

    /// The name of a file.
    pub fn name(&self, file: FileId) -> Arc<str> {
        self.sources.name(file)
    }

    /// The texts one by one.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter()
    }
}

/// `path` as seen from the folder of `from`: joined, with `.` and `..` resolved.
pub fn relative(from: &str, path: &str) -> String {
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let whole = if path.starts_with('/') || folder.is_empty() {
        path.to_owned()
    } else {
        format!("{folder}/{path}")
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    let joined = parts.join("/");
    if whole.starts_with('/') {
        format!("/{joined}")
    } else {
        joined
    }
}
