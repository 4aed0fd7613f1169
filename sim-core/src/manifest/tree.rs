//! `Node`: a document with positions, tags and the way each scalar was written.
//!
//! What people wrote, as near as a program needs it: diagnostics point into it, Compose merges
//! it, decoders read it. Anchors and merge keys are already expanded (nodes keep the position of
//! the text they came from).
use std::sync::Arc;

use crate::manifest::lines::Span;
use crate::manifest::value::Value;

/// A value and where it was written.
#[derive(Clone, Debug)]
pub struct Node {
    /// The value.
    pub value: NodeValue,
    /// From its first to its last byte, without the comment or line break after it.
    pub span: Span,
    /// A tag that asks the reader for something, if there was one.
    pub tag: Option<Tag>,
}

/// The value of a node.
#[derive(Clone, Debug)]
pub enum NodeValue {
    /// `null`, `~` or nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number that fits 64 bits.
    Int(i64),
    /// Another number, in the notation Go's JSON encoder would print it.
    Float(Arc<str>),
    /// Text.
    Str {
        /// The text after escapes and folding.
        text: Arc<str>,
        /// How it was written.
        style: Style,
    },
    /// A sequence.
    Seq(Vec<Node>),
    /// A mapping, in the order written; keys are unique.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// The value.
    pub value: Node,
}

/// A key and where it was written.
#[derive(Clone, Debug)]
pub struct Key {
    /// The key as text; other scalars are turned into text as the dialect's tool does.
    pub text: Arc<str>,
    /// Its bytes, with quotes.
    pub span: Span,
}

/// How a text was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Bare.
    Plain,
    /// `'…'`.
    Single,
    /// `"…"`.
    Double,
    /// `|`.
    Literal,
    /// `>`.
    Folded,
}

/// A tag that is not one of YAML's own types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tag {
    /// Compose's `!reset`: remove the key.
    Reset,
    /// Compose's `!override`: replace instead of merge.
    Override,
    /// Any other tag, as written.
    Other(Arc<str>),
}

impl Node {
    /// A node without a tag.
    #[must_use]
    pub fn new(value: NodeValue, span: Span) -> Self {
        Self {
            value,
            span,
            tag: None,
        }
    }

    /// The text, if this is text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let NodeValue::Str { text, .. } = &self.value {
            Some(text)
        } else {
            None
        }
    }

    /// The whole number, if this is one.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        if let NodeValue::Int(number) = self.value {
            Some(number)
        } else {
            None
        }
    }

    /// The truth value, if this is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        if let NodeValue::Bool(truth) = self.value {
            Some(truth)
        } else {
            None
        }
    }

    /// The items, if this is a sequence.
    #[must_use]
    pub fn as_seq(&self) -> Option<&[Self]> {
        if let NodeValue::Seq(items) = &self.value {
            Some(items)
        } else {
            None
        }
    }

    /// The entries, if this is a mapping.
    #[must_use]
    pub fn as_map(&self) -> Option<&[Entry]> {
        if let NodeValue::Map(entries) = &self.value {
            Some(entries)
        } else {
            None
        }
    }

    /// The entries to change, if this is a mapping.
    pub fn as_map_mut(&mut self) -> Option<&mut Vec<Entry>> {
        if let NodeValue::Map(entries) = &mut self.value {
            Some(entries)
        } else {
            None
        }
    }

    /// Whether this is `null` or nothing.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.value, NodeValue::Null)
    }

    /// The value under `key`, if this is a mapping that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The entry under `key`, if this is a mapping that has it.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.as_map()?.iter().find(|entry| &*entry.key.text == key)
    }

    /// Follows keys inward; a segment that is a number also indexes sequences.
    #[must_use]
    pub fn path(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, segment| {
            node.get(segment)
                .or_else(|| node.as_seq()?.get(segment.parse::<usize>().ok()?))
        })
    }

    /// A scalar as text, the way Compose casts numbers and truth values; nothing for the rest.
    #[must_use]
    pub fn scalar_text(&self) -> Option<Arc<str>> {
        match &self.value {
            NodeValue::Bool(truth) => Some(if *truth { "true" } else { "false" }.into()),
            NodeValue::Int(number) => Some(number.to_string().into()),
            NodeValue::Float(text) | NodeValue::Str { text, .. } => Some(text.clone()),
            NodeValue::Null | NodeValue::Seq(_) | NodeValue::Map(_) => None,
        }
    }

    /// The same without positions.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match &self.value {
            NodeValue::Null => Value::Null,
            NodeValue::Bool(truth) => Value::Bool(*truth),
            NodeValue::Int(number) => Value::Int(*number),
            NodeValue::Float(text) => Value::Number(text.clone()),
            NodeValue::Str { text, .. } => Value::String(text.clone()),
            NodeValue::Seq(items) => Value::list(items.iter().map(Self::to_value).collect()),
            NodeValue::Map(entries) => Value::object(
                entries
                    .iter()
                    .map(|entry| (entry.key.text.clone(), entry.value.to_value())),
            ),
        }
    }

    /// A node for a value made by a program; every part gets the same span.
    #[must_use]
    pub fn of_value(value: &Value, span: Span) -> Self {
        let value = match value {
            Value::Null => NodeValue::Null,
            Value::Bool(truth) => NodeValue::Bool(*truth),
            Value::Int(number) => NodeValue::Int(*number),
            Value::Number(text) => NodeValue::Float(text.clone()),
            Value::String(text) => NodeValue::Str {
                text: text.clone(),
                style: Style::Double,
            },
            Value::List(items) => NodeValue::Seq(
                items
                    .iter()
                    .map(|item| Self::of_value(item, span))
                    .collect(),
            ),
            Value::Map(map) => NodeValue::Map(
                map.iter()
                    .map(|(key, value)| Entry {
                        key: Key {
                            text: key.clone(),
                            span,
                        },
                        value: Self::of_value(value, span),
                    })
                    .collect(),
            ),
        };
        Self::new(value, span)
    }

    /// The span of the value at a field path such as `spec.containers[0].image` or
    /// `metadata.labels[a.b/c]`; the deepest part that exists, so that "Required value" points at
    /// the parent. Keys point at the key, items at the item.
    #[must_use]
    pub fn span_at(&self, path: &str) -> Span {
        let mut node = self;
        let mut span = self.span;
        for segment in segments(path) {
            if let Some(entry) = node.entry(segment) {
                node = &entry.value;
                span = if node.as_map().is_some() || node.as_seq().is_some() {
                    entry.key.span
                } else {
                    node.span
                };
                if node.is_null() {
                    span = entry.key.span;
                }
            } else if let Some(item) = segment
                .parse::<usize>()
                .ok()
                .and_then(|index| node.as_seq()?.get(index))
            {
                node = item;
                span = item.span;
            } else {
                break;
            }
        }
        span
    }

    /// How many nodes this tree has, itself included.
    #[must_use]
    pub fn count(&self) -> usize {
        1 + match &self.value {
            NodeValue::Seq(items) => items.iter().map(Self::count).sum(),
            NodeValue::Map(entries) => entries.iter().map(|entry| entry.value.count()).sum(),
            NodeValue::Null
            | NodeValue::Bool(_)
            | NodeValue::Int(_)
            | NodeValue::Float(_)
            | NodeValue::Str { .. } => 0,
        }
    }
}

/// Splits `a.b[0].c[x.y/z]` into its parts.
fn segments(path: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let end = inside.find(']').unwrap_or(inside.len());
            parts.push(&inside[..end]);
            rest = inside.get(end + 1..).unwrap_or("");
        } else {
            let rest_of = rest.strip_prefix('.').unwrap_or(rest);
            let end = rest_of.find(['.', '[']).unwrap_or(rest_of.len());
            if end > 0 {
                parts.push(&rest_of[..end]);
            } else if !rest_of.starts_with('[') {
                // Two dots in a row: nothing is between them.
                rest = rest_of.get(1..).unwrap_or("");
                continue;
            }
            rest = &rest_of[end..];
        }
    }
    parts
}
