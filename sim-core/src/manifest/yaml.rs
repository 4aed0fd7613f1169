//! YAML or JSON text to documents; the only file that knows the parser crate.
//!
//! Never fails: a document that cannot be read is reported and marked broken, and reading goes on
//! at the next `---`. Aliases and merge keys are expanded within a budget.
use std::sync::Arc;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, StrInput, options};
use rustc_hash::FxHashMap;

use crate::base::limits::{MAX_ALIASES_EXPANDED, MAX_DEPTH, MAX_DOCUMENTS, MAX_TEXT_BYTES};
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
            format!("the text is larger than {MAX_TEXT_BYTES} bytes"),
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
                        let message = format!("more than {MAX_DOCUMENTS} documents in one text");
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
        message: impl Into<String>,
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
        let mut diagnostic = self.report.draft(
            code,
            severity,
            self.span(offset, offset + width),
            error.info(),
        );
        diagnostic.help = Some(remedy(error.kind()).to_owned());
        self.report.push(diagnostic);
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
                self.error(explain::YAML_BAD_KEY, at, "keys must be text");
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
                let help = "kubectl keeps the last one";
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
                    let message = format!("cannot decode !!str {text:?} as a !!{wanted}");
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
fn remedy(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabInPlainScalar => "indent with spaces; YAML does not allow tabs here",
        ErrorKind::RecursionLimitExceeded => "nest less deeply",
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => {
            "indent the key as its neighbours are, or put quotes around a value that holds a colon"
        }
        ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::MismatchedFlowCollectionEnd { .. } => {
            "close every [ with ] and every { with }, the inner ones first"
        }
        ErrorKind::UnclosedQuotedScalar => "close the quotation mark",
        ErrorKind::UnknownAnchor => "define the anchor with & before the * that uses it",
        ErrorKind::InvalidIndentation
        | ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::BlockSequenceEntryNotAllowed => {
            "indent all entries of a mapping or list by the same number of spaces"
        }
        ErrorKind::UnexpectedCharacter { .. } => {
            "put quotes around a value that starts with a special character"
        }
        _ => "look at the indentation, colons and quotes here and on the line above",
    }
}

#[cfg(test)]
mod tests {
    use arbtest::arbtest;
    use expect_test::{Expect, expect};

    use super::parse;
    use crate::manifest::diagnostic::{Report, render_all};
    use crate::manifest::lines::Sources;
    use crate::manifest::scalar::Dialect;
    use crate::manifest::tree::{Node, NodeValue, Tag};
    use crate::object::print::{KeyOrder, json};

    fn check(text: &str, dialect: Dialect, expected: &Expect) {
        let mut sources = Sources::new();
        let file = sources.add("a.yaml", text);
        let report = Report::new(&sources);
        let mut out = String::new();
        for document in parse(sources.get(file).unwrap(), dialect, &report) {
            let broken = if document.is_broken { "broken " } else { "" };
            out.push_str(&format!(
                "{broken}{}\n",
                json(&document.root.to_value(), KeyOrder::Stored)
            ));
        }
        out.push_str(&render_all(&report.finish(), &sources));
        expected.assert_eq(&out);
    }

    #[test]
    fn a_broken_document_does_not_hide_the_others() {
        check(
            "a: 1\n---\nb: [1, 2\nc: 3\n---\n# nothing\n---\nd: 中文 x: y\n---\ne: 5\n",
            Dialect::Kubernetes,
            &expect![[r#"
                {"a":1}
                broken null
                null
                broken null
                {"e":5}
                a.yaml:4:2: error YAML001: illegal placement of ':' indicator
                  4 | c: 3
                    |  ^
                  help: indent the key as its neighbours are, or put quotes around a value that holds a colon
                a.yaml:8:8: error YAML001: mapping values are not allowed in this context
                  8 | d: 中文 x: y
                    |          ^
                  help: indent the key as its neighbours are, or put quotes around a value that holds a colon
            "#]],
        );
    }

    #[test]
    fn tabs_get_advice() {
        check(
            "a:\n\tb: 1\n",
            Dialect::Kubernetes,
            &expect![[r#"
            broken null
            a.yaml:2:2: error YAML001: tabs disallowed within this context (block indentation)
              2 | 	b: 1
                | 	^
              help: indent with spaces; YAML does not allow tabs here
        "#]],
        );
    }

    #[test]
    fn merge_keys_yield_to_explicit_ones() {
        check(
            "base: &b {x: 1, y: 2}\nmore: &m\n  y: 3\n  z: 4\nuse:\n  y: 9\n  <<: [*m, *b]\nquoted: {'<<': 1}\n",
            Dialect::Compose,
            &expect![[r#"
                {"base":{"x":1,"y":2},"more":{"y":3,"z":4},"use":{"y":9,"z":4,"x":1},"quoted":{"\u003c\u003c":1}}
            "#]],
        );
        check(
            "a:\n  <<: 5\n",
            Dialect::Compose,
            &expect![[r#"
            broken {"a":{}}
            a.yaml:2:3: error YAML005: map merge requires map or sequence of maps as the value
              2 |   <<: 5
                |   ^^
        "#]],
        );
    }

    #[test]
    fn repeated_keys_are_accepted_by_one_and_refused_by_the_other() {
        check(
            "名: 1\nb: 2\n名: 3\n",
            Dialect::Kubernetes,
            &expect![[r#"
                {"名":3,"b":2}
                a.yaml:3:1: warning YAML002: mapping key "名" already defined at line 1
                  3 | 名: 3
                    | ^^
                  help: kubectl keeps the last one
            "#]],
        );
        check(
            "b: 1\nb: 2\n",
            Dialect::Compose,
            &expect![[r#"
            broken {"b":2}
            a.yaml:2:1: error YAML002: mapping key "b" already defined at line 1
              2 | b: 2
                | ^
        "#]],
        );
    }

    #[test]
    fn keys_become_text() {
        check(
            "on: 1\n8080: 2\n1.50: 3\n? [a]\n: 4\n~: 5\n",
            Dialect::Kubernetes,
            &expect![[r#"
                broken {"true":1,"8080":2,"1.5":3}
                a.yaml:4:3: error YAML006: keys must be text
                  4 | ? [a]
                    |   ^^^
                a.yaml:6:1: error YAML006: keys must be text
                  6 | ~: 5
                    | ^
            "#]],
        );
    }

    #[test]
    fn aliases_are_bounded() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let items = vec![format!("*a{}", level - 1); 9].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{items}]\n"));
        }
        let mut sources = Sources::new();
        let file = sources.add("laughs.yaml", &text);
        let report = Report::new(&sources);
        let documents = parse(sources.get(file).unwrap(), Dialect::Kubernetes, &report);
        assert!(documents[0].is_broken);
        assert!(documents[0].root.count() < 1_000_000);
        assert!(
            report
                .to_vec()
                .iter()
                .all(|found| found.code.0 == "YAML004")
        );
        check(
            "a: &a [*a, *b]\n",
            Dialect::Kubernetes,
            &expect![[r#"
            broken {"a":[null,null]}
            a.yaml:1:8: error YAML004: anchor 'a' value contains itself
              1 | a: &a [*a, *b]
                |        ^^
            a.yaml:1:12: error YAML003: unknown anchor 'b' referenced
              1 | a: &a [*a, *b]
                |            ^^
        "#]],
        );
    }

    #[test]
    fn json_streams_and_tags_are_read() {
        check(
            "{\"a\": 1}\n{\"b\": \"\\u4e2d\"}",
            Dialect::Kubernetes,
            &expect![[r#"
                {"a":1}
                {"b":"中"}
            "#]],
        );
        check(
            "{a: 1, b: yes, c: !!str 1, d: ! 2, e: !!int x}",
            Dialect::Kubernetes,
            &expect![[r#"
                broken {"a":1,"b":true,"c":"1","d":"2","e":"x"}
                a.yaml:1:45: error YAML008: cannot decode !!str "x" as a !!int
                  1 | {a: 1, b: yes, c: !!str 1, d: ! 2, e: !!int x}
                    |                                             ^
            "#]],
        );
        let mut sources = Sources::new();
        let file = sources.add("a.yaml", "a: !reset null\nb: !override\n  - 1\n");
        let report = Report::new(&sources);
        let documents = parse(sources.get(file).unwrap(), Dialect::Compose, &report);
        assert_eq!(documents[0].root.get("a").unwrap().tag, Some(Tag::Reset));
        assert_eq!(documents[0].root.get("b").unwrap().tag, Some(Tag::Override));
    }

    #[test]
    fn spans_cover_what_was_written() {
        let text =
            "a:\n  b: |\n    text\n    more\n\n  c: [1, {d: 'x'}] # note\nlast: &k v\nagain: *k\n";
        let mut sources = Sources::new();
        let file = sources.add("a.yaml", text);
        let source = sources.get(file).unwrap();
        let report = Report::new(&sources);
        let documents = parse(source, Dialect::Kubernetes, &report);
        let root = &documents[0].root;
        let slice = |path: &[&str]| source.slice(root.path(path).unwrap().span);
        assert_eq!(slice(&["a", "b"]), "text\n    more");
        assert_eq!(slice(&["a", "c"]), "[1, {d: 'x'}]");
        assert_eq!(slice(&["a", "c", "1", "d"]), "'x'");
        assert_eq!(
            slice(&["a"]),
            "b: |\n    text\n    more\n\n  c: [1, {d: 'x'}]"
        );
        assert_eq!(slice(&["again"]), "v");
        assert_eq!(source.slice(root.span_at("a.c[0].gone")), "1");
        assert_eq!(source.slice(documents[0].comments[0].span), "# note");
    }

    fn assert_in_bounds(node: &Node, text: &str) {
        let (start, end) = (node.span.start as usize, node.span.end as usize);
        assert!(text.get(start..end).is_some(), "{start}..{end} in {text:?}");
        match &node.value {
            NodeValue::Seq(items) => items.iter().for_each(|item| assert_in_bounds(item, text)),
            NodeValue::Map(entries) => {
                for entry in entries {
                    assert!(
                        text.get(entry.key.span.start as usize..entry.key.span.end as usize)
                            .is_some()
                    );
                    assert_in_bounds(&entry.value, text);
                }
            }
            NodeValue::Null
            | NodeValue::Bool(_)
            | NodeValue::Int(_)
            | NodeValue::Float(_)
            | NodeValue::Str { .. } => {}
        }
    }

    #[test]
    fn any_text_is_read_without_panic_and_spans_stay_inside() {
        const PIECES: &[&str] = &[
            "a", "b", ": ", ":", "\n", "\n  ", "- ", "-", "[", "]", "{", "}", ", ", "&x ", "*x",
            "<<: ", "|\n", ">\n", "'", "\"", "#", "---\n", "...\n", "!!str ", "!x ", "? ", "中",
            "😀", "\t", "%", "\\", "\u{FEFF}", "\r\n", "@", "0x1", "1e9",
        ];
        arbtest(|u| {
            let mut text = String::new();
            if u.arbitrary()? {
                for _ in 0..u.int_in_range(0..=60)? {
                    text.push_str(u.choose(PIECES)?);
                }
            } else {
                text = String::from_utf8_lossy(u.arbitrary::<&[u8]>()?).into_owned();
            }
            let mut sources = Sources::new();
            let file = sources.add("x", &text);
            for dialect in [Dialect::Kubernetes, Dialect::Compose] {
                let report = Report::new(&sources);
                for document in parse(sources.get(file).unwrap(), dialect, &report) {
                    assert_in_bounds(&document.root, &text);
                }
                let found = report.finish();
                for one in &found {
                    assert!(
                        text.get(one.span.start as usize..one.span.end as usize)
                            .is_some()
                    );
                }
                assert_eq!(render_all(&found, &sources).is_empty(), found.is_empty());
            }
            Ok(())
        });
    }
}
