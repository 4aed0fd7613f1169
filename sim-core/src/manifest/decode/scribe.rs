//! Reading a tree field by field: types are checked, problems noted, reads remembered.

use std::cell::RefCell;
use std::sync::Arc;

use crate::base::limits::MAX_DIAGNOSTICS;
use crate::base::sentence::{Form, Sentence, catalogue};
use crate::base::sorted::{SortedMap, SortedSet};
use crate::manifest::diagnostic::{Code, Diagnostic, Severity};
use crate::manifest::lines::{FileId, Source, Span};
use crate::manifest::tree::{Key, Node, NodeValue};

/// Notes of one decoding: problems found and keys read.
#[derive(Debug)]
pub struct Scribe {
    /// Problems in the order found.
    problems: RefCell<Vec<Diagnostic>>,
    /// Code of a value of the wrong type, in the dialect that is read.
    wrong_type: Code,
    names: RefCell<SortedMap<FileId, Arc<str>>>,
    read: RefCell<SortedSet<(FileId, u32, u32)>>,
}

impl Scribe {
    /// Empty notes about these texts.
    pub fn new<'s>(wrong_type: Code, sources: impl IntoIterator<Item = &'s Source>) -> Self {
        let scribe = Self {
            problems: RefCell::default(),
            wrong_type,
            names: RefCell::default(),
            read: RefCell::default(),
        };
        sources.into_iter().for_each(|source| scribe.know(source));
        scribe
    }

    /// Learns the name of one more text.
    pub fn know(&self, source: &Source) {
        self.names
            .borrow_mut()
            .insert(source.file, source.name.clone());
    }

    /// Notes a problem.
    pub fn note(&self, code: Code, severity: Severity, span: Span, message: impl Into<Sentence>) {
        self.push(code, severity, (span, ""), message.into());
    }

    /// Notes an error about a field.
    pub fn fault(&self, code: Code, field: &Field<'_>, message: impl Into<Sentence>) {
        let place = (field.span, field.path.as_str());
        self.push(code, Severity::Error, place, message.into());
    }

    fn push(&self, code: Code, severity: Severity, (span, path): (Span, &str), message: Sentence) {
        let file = self.names.borrow().get(&span.file).cloned();
        let file = file.unwrap_or_else(|| "".into());
        let problem = Diagnostic::of(code, severity, (file, span), message).at(path);
        let mut problems = self.problems.borrow_mut();
        if problems.len() < MAX_DIAGNOSTICS && !problems.contains(&problem) {
            problems.push(problem);
        }
    }

    /// Notes an error.
    pub fn error(&self, code: Code, span: Span, message: impl Into<Sentence>) {
        self.note(code, Severity::Error, span, message);
    }

    /// Notes an error and what to do about it.
    pub fn error_with_help(
        &self,
        code: Code,
        span: Span,
        message: impl Into<Sentence>,
        help: Sentence,
    ) {
        self.note(code, Severity::Error, span, message.into().advise(help));
    }

    /// Notes a warning.
    pub fn warning(&self, code: Code, span: Span, message: impl Into<Sentence>) {
        self.note(code, Severity::Warning, span, message);
    }

    /// Takes over what the schema has found, and drops what the decoder says about the same field
    /// or place: the schema has the real tool's words.
    pub fn join(&self, known: Vec<Diagnostic>) {
        let mut problems = self.problems.borrow_mut();
        problems.retain(|problem| {
            !known.iter().any(|other| {
                other.is_error()
                    && problem.is_error()
                    && (other.span == problem.span && other.span != Span::default()
                        || !problem.path.is_empty() && other.path == problem.path)
            })
        });
        problems.extend(known);
    }

    /// Reads only to check: what is read inside still counts as unread.
    pub fn checking<T>(&self, check: impl FnOnce(&Self) -> T) -> T {
        let before = self.read.borrow().clone();
        let answer = check(self);
        *self.read.borrow_mut() = before;
        answer
    }

    /// Whether a problem of this code is noted at this place.
    pub fn has(&self, code: Code, span: Span) -> bool {
        self.problems
            .borrow()
            .iter()
            .any(|problem| problem.code == code && problem.span == span)
    }

    /// The problems noted.
    pub fn into_problems(self) -> Vec<Diagnostic> {
        self.problems.into_inner()
    }

    /// Remembers that a key was read.
    pub fn mark(&self, key: &Key) {
        self.read
            .borrow_mut()
            .insert((key.span.file, key.span.start, key.span.end));
    }

    /// Remembers all keys below a node.
    pub fn mark_below(&self, node: &Node) {
        for entry in node.as_map().unwrap_or_default() {
            self.mark(&entry.key);
            self.mark_below(&entry.value);
        }
        for item in node.as_seq().unwrap_or_default() {
            self.mark_below(item);
        }
    }

    fn was_read(&self, key: &Key) -> bool {
        self.read
            .borrow()
            .contains(&(key.span.file, key.span.start, key.span.end))
    }

    /// Whether an error was noted.
    pub fn failed(&self) -> bool {
        self.problems
            .borrow()
            .iter()
            .any(|problem| problem.severity == Severity::Error)
    }

    /// Keys below `root` that nobody read, with their paths, outermost only, in written order.
    pub fn unread(&self, root: &Node) -> Vec<(String, Span)> {
        let mut found = Vec::new();
        self.collect_unread(root, "", &mut found);
        found
    }

    fn collect_unread(&self, node: &Node, path: &str, found: &mut Vec<(String, Span)>) {
        for entry in node.as_map().unwrap_or_default() {
            let inner = join(path, &entry.key.text);
            if self.was_read(&entry.key) {
                self.collect_unread(&entry.value, &inner, found);
            } else {
                found.push((inner, entry.key.span));
            }
        }
        for (index, item) in node.as_seq().unwrap_or_default().iter().enumerate() {
            self.collect_unread(item, &format!("{path}[{index}]"), found);
        }
    }
}

/// Appends a key to a path; keys with dots or slashes go in brackets, as upstream prints them.
pub fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else if key.contains(['.', '/']) {
        format!("{path}[{key}]")
    } else {
        format!("{path}.{key}")
    }
}

/// A place in a tree that may be empty: its value, where to point, and its path.
#[derive(Clone, Debug)]
pub struct Field<'node> {
    /// The value; absent or `null` is nothing.
    pub node: Option<&'node Node>,
    /// Where a message about it points: the value, or the nearest parent that exists.
    pub span: Span,
    /// Path such as `spec.containers[0].image`.
    pub path: String,
}

impl<'node> Field<'node> {
    /// The whole tree.
    pub fn root(node: &'node Node) -> Self {
        Self::at(node, String::new())
    }

    /// A node whose path is known.
    pub fn at(node: &'node Node, path: String) -> Self {
        Self {
            node: Some(node),
            span: node.span,
            path,
        }
    }

    /// Whether something other than `null` is written here.
    pub fn exists(&self) -> bool {
        self.node.is_some()
    }

    /// The field under `key`, which counts as read.
    pub fn get(&self, scribe: &Scribe, key: &str) -> Self {
        let path = join(&self.path, key);
        match self.node.and_then(|node| node.entry(key)) {
            Some(entry) => {
                scribe.mark(&entry.key);
                let whole = matches!(
                    entry.value.value,
                    NodeValue::Map(_) | NodeValue::Seq(_) | NodeValue::Null
                );
                let span = if whole {
                    entry.key.span
                } else {
                    entry.value.span
                };
                Self {
                    node: Some(&entry.value).filter(|node| !node.is_null()),
                    span,
                    path,
                }
            }
            None => Self {
                node: None,
                span: self.span,
                path,
            },
        }
    }

    /// The field under `key`, looked at only to check it: it still counts as unread.
    pub fn peek(&self, key: &str) -> Self {
        let path = join(&self.path, key);
        let entry = self.node.and_then(|node| node.entry(key));
        let node = entry
            .map(|entry| &entry.value)
            .filter(|node| !node.is_null());
        let span = entry.map_or(self.span, |entry| {
            if node.is_some() {
                entry.value.span
            } else {
                entry.key.span
            }
        });
        Self { node, span, path }
    }

    /// The items of a list, with their paths; none if absent.
    pub fn items(&self, scribe: &Scribe) -> Vec<Self> {
        let Some(node) = self.node else {
            return Vec::new();
        };
        let Some(items) = node.as_seq() else {
            self.wrong_type(scribe, catalogue::KIND_LIST);
            return Vec::new();
        };
        items
            .iter()
            .enumerate()
            .map(|(index, item)| Self::at(item, format!("{}[{index}]", self.path)))
            .collect()
    }

    /// The entries of a mapping, all of which count as read; none if absent.
    pub fn entries(&self, scribe: &Scribe) -> Vec<(&'node Key, Self)> {
        let Some(node) = self.node else {
            return Vec::new();
        };
        let Some(entries) = node.as_map() else {
            self.wrong_type(scribe, catalogue::KIND_MAP);
            return Vec::new();
        };
        entries
            .iter()
            .map(|entry| {
                scribe.mark(&entry.key);
                let value = Some(&entry.value).filter(|node| !node.is_null());
                let span = if value.is_some() {
                    entry.value.span
                } else {
                    entry.key.span
                };
                (
                    &entry.key,
                    Self {
                        node: value,
                        span,
                        path: join(&self.path, &entry.key.text),
                    },
                )
            })
            .collect()
    }

    /// Whether this is a mapping; anything else that is there is a problem.
    pub fn expect_map(&self, scribe: &Scribe) -> bool {
        match self.node {
            Some(node) if node.as_map().is_some() => true,
            Some(_) => {
                self.wrong_type(scribe, catalogue::KIND_MAP);
                false
            }
            None => false,
        }
    }

    /// Text, strictly.
    pub fn text(&self, scribe: &Scribe) -> Option<Arc<str>> {
        let node = self.node?;
        if let NodeValue::Str { text, .. } = &node.value {
            return Some(text.clone());
        }
        self.wrong_type(scribe, catalogue::KIND_TEXT);
        None
    }

    /// Text, empty if absent.
    pub fn text_or_empty(&self, scribe: &Scribe) -> Arc<str> {
        self.text(scribe).unwrap_or_else(|| "".into())
    }

    /// Any scalar as text, as Compose casts it.
    pub fn scalar(&self, scribe: &Scribe) -> Option<Arc<str>> {
        let text = self.node?.scalar_text();
        if text.is_none() {
            self.wrong_type(scribe, catalogue::KIND_TEXT);
        }
        text
    }

    /// A list of texts.
    pub fn texts(&self, scribe: &Scribe) -> Vec<Arc<str>> {
        self.items(scribe)
            .iter()
            .filter_map(|item| item.text(scribe))
            .collect()
    }

    /// A whole number, strictly.
    pub fn integer(&self, scribe: &Scribe) -> Option<i64> {
        let number = self.node?.as_i64();
        if number.is_none() {
            self.wrong_type(scribe, catalogue::KIND_WHOLE);
        }
        number
    }

    /// A truth value, strictly; absent is false.
    pub fn truth(&self, scribe: &Scribe) -> bool {
        let Some(node) = self.node else { return false };
        node.as_bool().unwrap_or_else(|| {
            self.wrong_type(scribe, catalogue::KIND_TRUTH);
            false
        })
    }

    /// Notes that the value has the wrong type.
    pub fn wrong_type(&self, scribe: &Scribe, wanted: Form) {
        let Some(node) = self.node else { return };
        let found = kind(node);
        let text = node.scalar_text().unwrap_or_default();
        let quoted = format!("\"{text}\"");
        let help = match (wanted, found) {
            (
                catalogue::KIND_TEXT,
                catalogue::KIND_WHOLE | catalogue::KIND_NUMBER | catalogue::KIND_TRUTH,
            ) => Some(catalogue::QUOTE.with(&[("text", &quoted)])),
            (catalogue::KIND_WHOLE | catalogue::KIND_TRUTH, catalogue::KIND_TEXT) => {
                Some(catalogue::UNQUOTE.with(&[("text", &text)]))
            }
            (catalogue::KIND_LIST, _) => Some(catalogue::LIST_ITEMS.plain()),
            _ => None,
        };
        let mut message = catalogue::MUST_BE
            .with(&[("path", &self.path)])
            .and("wanted", wanted.plain())
            .and("found", found.plain());
        if let Some(help) = help {
            message = message.advise(help);
        }
        let code = scribe.wrong_type;
        let at = Field {
            span: node.span,
            ..self.clone()
        };
        scribe.fault(code, &at, message);
    }
}

fn kind(node: &Node) -> Form {
    match node.value {
        NodeValue::Null => catalogue::KIND_NOTHING,
        NodeValue::Bool(_) => catalogue::KIND_TRUTH,
        NodeValue::Int(_) => catalogue::KIND_WHOLE,
        NodeValue::Float(_) => catalogue::KIND_NUMBER,
        NodeValue::Str { .. } => catalogue::KIND_TEXT,
        NodeValue::Seq(_) => catalogue::KIND_LIST,
        NodeValue::Map(_) => catalogue::KIND_MAP,
    }
}
