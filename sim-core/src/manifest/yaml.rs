//! YAML or JSON text to documents; the only file that knows the parser crate.
//!
//! Never fails: a document that cannot be read is reported and marked broken, and reading goes on
//! at the next `---`. Aliases and merge keys are expanded within a budget.
use std::sync::Arc;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, StrInput, options};
use rustc_hash::FxHashMap;

use crate::base::limits::{MAX_ALIASES_EXPANDED, MAX_DEPTH, MAX_DOCUMENTS, MAX_TEXT_BYTES};
use crate::base::sentence::{Form, Sentence, catalogue};
use crate::manifest::diagnostic::Report;
use crate::manifest::explain;
use crate::manifest::json;
use crate::manifest::lines::{Source, Span};
use crate::manifest::scalar::{self, Dialect};
use crate::manifest::tree::{Entry, Key, Node, NodeValue, Style, Tag};

/// One document of a text.
#[derive(Clone, Debug)]
pub struct Document {
    /// The tree; null for an empty or a broken document.
    pub root: Node,
    /// The bytes between the markers.
    pub span: Span,
    /// Comments in the order written.
    pub comments: Vec<Comment>,
    /// Whether the text of this document could not be read to its end.
    pub is_broken: bool,
}

impl Document {
    /// Whether nothing but comments is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.is_broken && self.root.is_null()
    }
}

/// A comment.
#[derive(Clone, Debug)]
pub struct Comment {
    /// Its bytes from `#` to the end of the line.
    pub span: Span,
    /// The text after `#`.
    pub text: Arc<str>,
}

/// Reads all documents of a text. A text that starts with `{` is tried as JSON first.
#[must_use]
pub fn parse(source: &Source, dialect: Dialect, report: &Report<'_>) -> Vec<Document> {
    let whole = Span::new(source.file, 0, source.text.len());
    if source.text.len() > MAX_TEXT_BYTES {
        let at = Span::new(source.file, 0, 0);
        report.error(
            explain::YAML_LIMIT,
            at,
            "",
            catalogue::TEXT_LONG.with(&[("most", &MAX_TEXT_BYTES)]),
        );
        return vec![broken(whole)];
    }
    if source
        .text
        .trim_start_matches('\u{FEFF}')
        .trim_start()
        .starts_with('{')
        && let Ok(nodes) = json::parse_stream(&source.text, source.file)
    {
        return nodes
            .into_iter()
            .map(|root| Document {
                span: root.span,
                root,
                comments: Vec::new(),
                is_broken: false,
            })
            .collect();
    }
    Builder::new(source, dialect, report).documents()
}

fn broken(span: Span) -> Document {
    Document {
        root: Node::new(NodeValue::Null, span),
        span,
        comments: Vec::new(),
        is_broken: true,
    }
}

/// What a mapping waits for.
enum Awaits {
    Key,
    Value(Key),
    Merge(Span),
    /// The value of a key that was refused.
    Nothing,
}

enum Content {
    Seq(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        places: FxHashMap<Arc<str>, usize>,
        merges: Vec<Entry>,
        awaits: Awaits,
    },
}

/// A collection that is still open.
struct Frame {
    content: Content,
    start: usize,
    /// Where the last child ended; block collections have no end of their own.
    end: usize,
    is_flow: bool,
    anchor: usize,
    tag: Option<Tag>,
    nodes: usize,
}

struct Builder<'a, 's> {
    source: &'a Source,
    dialect: Dialect,
    report: &'a Report<'s>,
    frames: Vec<Frame>,
    anchors: FxHashMap<usize, (Node, usize)>,
    copied: usize,
    root: Option<Node>,
    comments: Vec<Comment>,
    /// The document has an error beyond its syntax that leaves the tree unreliable.
    is_broken: bool,
}

impl<'a, 's> Builder<'a, 's> {
    fn new(source: &'a Source, dialect: Dialect, report: &'a Report<'s>) -> Self {
        Self {
            source,
            dialect,
            report,
            frames: Vec::new(),
            anchors: FxHashMap::default(),
            copied: 0,
            root: None,
            comments: Vec::new(),
            is_broken: false,
        }
    }

    fn documents(mut self) -> Vec<Document> {
        let text = self.source.text.clone();
        let mut parser = Parser::new_from_str_with_options(
            &text,
            options! {
                emit_unresolved_aliases: true,
                block_scalar_eof_without_line_feed: true,
                max_buffered_comment_events: 1_000_000,
                flow_nesting_limit: MAX_DEPTH,
                block_nesting_limit: MAX_DEPTH,
            },
        );
        let mut documents = Vec::new();
        let mut start = 0;
        let mut last_error = None;
        while let Some(next) = parser.next_event() {
            match next {
                Ok((Event::DocumentStart(..), span)) => {
                    start = range(&span).1;
                    self.reset();
                }
                Ok((Event::DocumentEnd, span)) => {
                    let document = self.take_document(start, range(&span).0);
                    documents.push(document);
                    if documents.len() >= MAX_DOCUMENTS {
                        let at = Span::new(self.source.file, start, start);
                        let message = catalogue::DOCUMENTS_MOST.with(&[("most", &MAX_DOCUMENTS)]);
                        self.report.error(explain::YAML_LIMIT, at, "", message);
                        break;
                    }
                }
                Ok((event, span)) => self.event(event, range(&span)),
                Err(error) => {
                    let offset = self.syntax_error(&error);
                    if last_error == Some(offset) {
                        break;
                    }
                    last_error = Some(offset);
                    documents.push(broken(Span::new(self.source.file, start, offset)));
                    self.reset();
                    if !self.resume(&mut parser) {
                        break;
                    }
                }
            }
        }
        documents
    }

    fn resume<'t>(&self, parser: &mut Parser<'t, StrInput<'t>>) -> bool {
        match parser.proceed_next_document() {
            Ok(has_more) => has_more,
            Err(error) => {
                self.syntax_error(&error);
                false
            }
        }
    }

    fn reset(&mut self) {
        self.frames.clear();
        self.anchors.clear();
        self.root = None;
        self.comments.clear();
        self.is_broken = false;
    }

    fn take_document(&mut self, start: usize, end: usize) -> Document {
        let span = Span::new(self.source.file, start, end);
        let root = self
            .root
            .take()
            .unwrap_or_else(|| Node::new(NodeValue::Null, span));
        Document {
            root,
            span,
            comments: std::mem::take(&mut self.comments),
            is_broken: self.is_broken,
        }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.source.file, start, end)
    }

    fn error(
        &mut self,
        code: crate::manifest::diagnostic::Code,
        span: Span,
        message: impl Into<Sentence>,
    ) {
        self.is_broken = true;
        self.report.error(code, span, "", message);
    }

    /// Reports a syntax error and returns its byte.
    fn syntax_error(&self, error: &ScanError) -> usize {
        let text = &self.source.text;
        let mut offset = error
            .marker()
            .byte_offset()
            .unwrap_or(text.len())
            .min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        // An error at the end of the text is shown behind the last character.
        if offset == text.len() {
            offset = text.trim_end().len();
        }
        let width = text[offset..]
            .chars()
            .next()
            .filter(|next| *next != '\n')
            .map_or(0, char::len_utf8);
        let code = match error.kind() {
            ErrorKind::RecursionLimitExceeded => explain::YAML_LIMIT,
            _ => explain::YAML_SYNTAX,
        };
        let severity = crate::manifest::diagnostic::Severity::Error;
        let span = self.span(offset, offset + width);
        let diagnostic = self.report.draft(code, severity, span, error.info());
        let remedy = remedy(error.kind()).plain();
        self.report.push(diagnostic.help(remedy));
        offset
    }

    fn event(&mut self, event: Event<'_>, (start, end): (usize, usize)) {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let node = self.scalar(&text, style, tag.as_deref(), self.span(start, end));
                // `<<` means merge only when bare or tagged so.
                let is_merge = text == "<<" && style == ScalarStyle::Plain;
                self.complete(node, anchor, 1, is_merge);
            }
            Event::SequenceStart(style, anchor, tag) => {
                let is_flow = style == granit_parser::StructureStyle::Flow;
                self.open(
                    Content::Seq(Vec::new()),
                    start,
                    end,
                    is_flow,
                    anchor,
                    tag.as_deref(),
                );
            }
            Event::MappingStart(style, anchor, tag) => {
                let is_flow = style == granit_parser::StructureStyle::Flow;
                let content = Content::Map {
                    entries: Vec::new(),
                    places: FxHashMap::default(),
                    merges: Vec::new(),
                    awaits: Awaits::Key,
                };
                self.open(content, start, end, is_flow, anchor, tag.as_deref());
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(end),
            Event::Alias(anchor) => self.alias(anchor, self.span(start, end)),
            Event::UnresolvedAlias(name) => {
                let span = self.span(start, end);
                self.error(
                    explain::YAML_UNKNOWN_ANCHOR,
                    span,
                    format!("unknown anchor '{name}' referenced"),
                );
                self.complete(Node::new(NodeValue::Null, span), 0, 1, false);
            }
            Event::Comment(text, _) => {
                self.comments.push(Comment {
                    span: self.span(start, end),
                    text: text.as_ref().into(),
                });
            }
            // Stream and document borders were handled before; the rest carries no data.
            _ => {}
        }
    }

    fn open(
        &mut self,
        content: Content,
        start: usize,
        end: usize,
        is_flow: bool,
        anchor: usize,
        tag: Option<&granit_parser::Tag>,
    ) {
        self.frames.push(Frame {
            content,
            start,
            end,
            is_flow,
            anchor,
            tag: custom_tag(tag),
            nodes: 1,
        });
    }

    fn close(&mut self, end: usize) {
        let Some(frame) = self.frames.pop() else {
            return;
        };
        let end = if frame.is_flow { end } else { frame.end };
        let value = match frame.content {
            Content::Seq(items) => NodeValue::Seq(items),
            Content::Map {
                mut entries,
                mut places,
                merges,
                ..
            } => {
                for merged in merges {
                    if !places.contains_key(&merged.key.text) {
                        places.insert(merged.key.text.clone(), entries.len());
                        entries.push(merged);
                    }
                }
                NodeValue::Map(entries)
            }
        };
        let node = Node {
            value,
            span: self.span(frame.start, end),
            tag: frame.tag,
        };
        self.complete(node, frame.anchor, frame.nodes, false);
    }

    fn alias(&mut self, anchor: usize, span: Span) {
        match self.anchors.get(&anchor) {
            Some((node, nodes)) if self.copied + nodes <= MAX_ALIASES_EXPANDED => {
                let (node, nodes) = (node.clone(), *nodes);
                self.copied += nodes;
                self.complete_at(node, 0, nodes, false, span);
            }
            Some(_) => {
                self.error(
                    explain::YAML_EXCESSIVE_ALIASING,
                    span,
                    "document contains excessive aliasing",
                );
                self.complete(Node::new(NodeValue::Null, span), 0, 1, false);
            }
            None => {
                let name = self.source.slice(span).trim_start_matches('*').to_owned();
                self.error(
                    explain::YAML_EXCESSIVE_ALIASING,
                    span,
                    format!("anchor '{name}' value contains itself"),
                );
                self.complete(Node::new(NodeValue::Null, span), 0, 1, false);
            }
        }
    }

    fn complete(&mut self, node: Node, anchor: usize, nodes: usize, is_merge: bool) {
        let span = node.span;
        self.complete_at(node, anchor, nodes, is_merge, span);
    }

    /// A node is whole: remember it if it has an anchor, hand it to its parent. `at` is where it
    /// stands in the text, which for an alias is not where it was written.
    fn complete_at(&mut self, node: Node, anchor: usize, nodes: usize, is_merge: bool, at: Span) {
        if anchor != 0 {
            if self.copied + nodes <= MAX_ALIASES_EXPANDED {
                self.copied += nodes;
                self.anchors.insert(anchor, (node.clone(), nodes));
            } else {
                self.error(
                    explain::YAML_EXCESSIVE_ALIASING,
                    at,
                    "document contains excessive aliasing",
                );
            }
        }
        let Some(mut frame) = self.frames.pop() else {
            self.root = Some(node);
            return;
        };
        frame.nodes += nodes;
        frame.end = frame.end.max(at.end as usize);
        match &mut frame.content {
            Content::Seq(items) => items.push(node),
            Content::Map {
                entries,
                places,
                merges,
                awaits,
            } => match std::mem::replace(awaits, Awaits::Key) {
                Awaits::Key if is_merge => *awaits = Awaits::Merge(at),
                Awaits::Key => *awaits = self.key(&node, at),
                Awaits::Value(key) => self.put(entries, places, key, node),
                Awaits::Merge(key) => self.merge(merges, key, node),
                Awaits::Nothing => {}
            },
        }
        self.frames.push(frame);
    }

    /// A node in the place of a key.
    fn key(&mut self, node: &Node, at: Span) -> Awaits {
        match node.scalar_text() {
            Some(text) => Awaits::Value(Key { text, span: at }),
            None => {
                self.error(explain::YAML_BAD_KEY, at, catalogue::KEYS_TEXT.plain());
                Awaits::Nothing
            }
        }
    }

    fn put(
        &mut self,
        entries: &mut Vec<Entry>,
        places: &mut FxHashMap<Arc<str>, usize>,
        key: Key,
        value: Node,
    ) {
        let Some(&place) = places.get(&key.text) else {
            places.insert(key.text.clone(), entries.len());
            entries.push(Entry { key, value });
            return;
        };
        let first = self.source.position(entries[place].key.span.start).line;
        let message = format!(
            "mapping key {:?} already defined at line {first}",
            &*key.text
        );
        match self.dialect {
            // As sigs.k8s.io/yaml without its strict mode: the last value silently wins.
            Dialect::Kubernetes => {
                let help = catalogue::KEEPS_LAST.plain();
                let severity = crate::manifest::diagnostic::Severity::Warning;
                let draft =
                    self.report
                        .draft(explain::YAML_DUPLICATE_KEY, severity, key.span, message);
                self.report.push(draft.help(help));
            }
            Dialect::Compose => self.error(explain::YAML_DUPLICATE_KEY, key.span, message),
        }
        entries[place] = Entry { key, value };
    }

    fn merge(&mut self, merges: &mut Vec<Entry>, key: Span, value: Node) {
        match value.value {
            NodeValue::Map(entries) => merges.extend(entries),
            NodeValue::Seq(items) if items.iter().all(|item| item.as_map().is_some()) => {
                for item in items {
                    if let NodeValue::Map(entries) = item.value {
                        merges.extend(entries);
                    }
                }
            }
            NodeValue::Null
            | NodeValue::Bool(_)
            | NodeValue::Int(_)
            | NodeValue::Float(_)
            | NodeValue::Str { .. }
            | NodeValue::Seq(_) => {
                self.error(
                    explain::YAML_BAD_MERGE,
                    key,
                    "map merge requires map or sequence of maps as the value",
                );
            }
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&granit_parser::Tag>,
        span: Span,
    ) -> Node {
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::Single,
            ScalarStyle::DoubleQuoted => Style::Double,
            ScalarStyle::Literal => Style::Literal,
            ScalarStyle::Folded => Style::Folded,
        };
        // The parser's span of a block scalar runs to the next token.
        let span = if matches!(style, Style::Literal | Style::Folded) {
            let kept = self.source.slice(span).trim_end().len();
            self.span(span.start as usize, span.start as usize + kept)
        } else {
            span
        };
        let as_text = || NodeValue::Str {
            text: text.into(),
            style,
        };
        let value = match tag.and_then(granit_parser::Tag::core_suffix) {
            Some("str") => as_text(),
            Some(wanted @ ("int" | "float" | "bool" | "null")) => {
                let value = scalar::resolve(text, self.dialect);
                let fits = match &value {
                    NodeValue::Null => wanted == "null",
                    NodeValue::Bool(_) => wanted == "bool",
                    NodeValue::Int(_) => wanted == "int" || wanted == "float",
                    NodeValue::Float(_) => wanted == "float",
                    NodeValue::Str { .. } | NodeValue::Seq(_) | NodeValue::Map(_) => false,
                };
                if !fits {
                    let message = format!("cannot decode !!str `{text}` as a !!{wanted}");
                    self.error(explain::YAML_BAD_TAG, span, message);
                }
                value
            }
            Some(_) | None
                if style == Style::Plain && tag.is_none_or(|tag| tag.original() != "!") =>
            {
                scalar::resolve(text, self.dialect)
            }
            Some(_) | None => as_text(),
        };
        Node {
            value,
            span,
            tag: custom_tag(tag),
        }
    }
}

fn custom_tag(tag: Option<&granit_parser::Tag>) -> Option<Tag> {
    let tag = tag.filter(|tag| tag.core_suffix().is_none())?;
    match tag.original().as_str() {
        "!" => None,
        "!reset" => Some(Tag::Reset),
        "!override" => Some(Tag::Override),
        other => Some(Tag::Other(other.into())),
    }
}

/// First byte and one past the last.
fn range(span: &granit_parser::Span) -> (usize, usize) {
    span.byte_range()
        .map_or((0, 0), |range| (range.start, range.end))
}

/// What to do about a syntax error.
fn remedy(kind: &ErrorKind) -> Form {
    match kind {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabInPlainScalar => catalogue::YAML_TAB,
        ErrorKind::RecursionLimitExceeded => catalogue::YAML_DEEP,
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => {
            catalogue::YAML_COLON
        }
        ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::MismatchedFlowCollectionEnd { .. } => catalogue::YAML_BRACKETS,
        ErrorKind::UnclosedQuotedScalar => catalogue::YAML_QUOTES,
        ErrorKind::UnknownAnchor => catalogue::YAML_ANCHOR,
        ErrorKind::InvalidIndentation
        | ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::BlockSequenceEntryNotAllowed => catalogue::YAML_INDENT,
        ErrorKind::UnexpectedCharacter { .. } => catalogue::YAML_SPECIAL,
        _ => catalogue::YAML_LOOK,
    }
}

#[cfg(test)]
mod tests;
