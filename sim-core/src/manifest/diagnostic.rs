//! Diagnostics: what is said about a text, where, and how to put it right.
//!
//! ```text
//! web.yaml:6:3: error K8S001: unknown field "spec.replica"
//!   6 |   replica: 3
//!     |   ^^^^^^^
//!   help: did you mean "replicas"?
//! ```
//! The plain renderer is the same for the command line and golden files; the editor takes the
//! spans. A [`Report`] collects diagnostics while a text is read.
use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::limits::MAX_DIAGNOSTICS;
use crate::base::sentence::Sentence;
use crate::manifest::lines::{Source, Sources, Span, cells};

/// Longest part of a line that is shown, in terminal cells.
const EXCERPT_CELLS_MAX: u32 = 160;

/// A stable name of a rule, such as `K8S001`; see [`crate::manifest::explain`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub &'static str);

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The real tool refuses the text.
    Error,
    /// Accepted, but hardly meant.
    Warning,
    /// Worth knowing.
    Info,
}

impl Severity {
    /// `error`, `warning` or `info`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// One remark about a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The rule.
    pub code: Code,
    /// How much it matters.
    pub severity: Severity,
    /// Name of the file.
    pub file: Arc<str>,
    /// Where.
    pub span: Span,
    /// What is wrong, in the real tool's words where it has some, without what to do.
    pub message: Sentence,
    /// What to do about it.
    pub help: Option<Sentence>,
    /// An edit that puts it right.
    pub fix: Option<Fix>,
    /// The field, such as `spec.containers[0].image`; empty for the whole document.
    pub path: String,
}

/// A text edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// What is replaced.
    pub span: Span,
    /// By what.
    pub replacement: String,
}

impl Diagnostic {
    /// A remark without path and fix; what the message advises is its help.
    #[must_use]
    pub fn new(
        code: Code,
        severity: Severity,
        source: &Source,
        span: Span,
        message: impl Into<Sentence>,
    ) -> Self {
        Self::of(code, severity, (source.name.clone(), span), message)
    }

    /// A remark about a place of a file.
    #[must_use]
    pub fn of(
        code: Code,
        severity: Severity,
        (file, span): (Arc<str>, Span),
        message: impl Into<Sentence>,
    ) -> Self {
        let message = message.into();
        Self {
            code,
            severity,
            file,
            span,
            help: message.advice().cloned(),
            message: message.statement(),
            fix: None,
            path: String::new(),
        }
    }

    /// With the field it is about.
    #[must_use]
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// With advice.
    #[must_use]
    pub fn help(mut self, help: Sentence) -> Self {
        self.help = Some(help);
        self
    }

    /// With an edit that puts it right.
    #[must_use]
    pub fn fix(mut self, span: Span, replacement: impl Into<String>) -> Self {
        self.fix = Some(Fix {
            span,
            replacement: replacement.into(),
        });
        self
    }

    /// Whether the real tool would refuse the text.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The remark as plain text, ending in a line break. Without the source only the first line.
    #[must_use]
    pub fn render(&self, source: Option<&Source>) -> String {
        let mut out = String::new();
        let head = format!(
            "{} {}: {}",
            self.severity.word(),
            self.code.0,
            printable(&self.message.words())
        );
        match source {
            Some(source) => {
                let at = source.position(self.span.start);
                let _ = writeln!(
                    out,
                    "{}:{}:{}: {head}",
                    printable(&self.file),
                    at.line,
                    at.column
                );
                excerpt(&mut out, source, self.span);
            }
            None => {
                let _ = writeln!(out, "{}: {head}", printable(&self.file));
            }
        }
        if let Some(help) = &self.help {
            let _ = writeln!(out, "  help: {}", printable(&help.words()));
        }
        out
    }
}

/// Renders many, each from its own file, with nothing between them.
#[must_use]
pub fn render_all(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    diagnostics
        .iter()
        .map(|diagnostic| diagnostic.render(sources.get(diagnostic.span.file)))
        .collect()
}

/// The line of a span with the span underlined.
fn excerpt(out: &mut String, source: &Source, span: Span) {
    let at = source.position(span.start);
    let line = source.line(at.line);
    let line_start = source.line_start(at.line) as usize;
    let first = (span.start as usize)
        .saturating_sub(line_start)
        .min(line.len());
    let last = (span.end as usize)
        .saturating_sub(line_start)
        .clamp(first, line.len());
    // A long line is cut so that the start of the span stays in view.
    let mut shown = String::new();
    let mut marks = String::new();
    let lead: u32 = line
        .get(..first)
        .map_or(0, |text| text.chars().map(cells).sum());
    let mut skip = lead.saturating_sub(EXCERPT_CELLS_MAX / 2);
    if lead < EXCERPT_CELLS_MAX / 2 {
        skip = 0;
    }
    if skip > 0 {
        shown.push('…');
        marks.push(' ');
    }
    let mut used = 0;
    let mut passed = 0;
    let mut has_mark = false;
    for (at_byte, character) in line.char_indices() {
        let width = cells(character);
        passed += width;
        if passed <= skip && skip > 0 {
            continue;
        }
        if used + width > EXCERPT_CELLS_MAX {
            shown.push('…');
            break;
        }
        used += width;
        shown.push(visible(character));
        let is_inside = (first..last).contains(&at_byte);
        has_mark |= is_inside && width > 0;
        let mark = if is_inside { '^' } else { ' ' };
        if character == '\t' {
            marks.push(if is_inside { '^' } else { '\t' });
        } else {
            for _ in 0..width {
                marks.push(mark);
            }
        }
    }
    if !has_mark {
        marks.truncate(marks.trim_end().len().max(if first >= line.len() {
            marks.len()
        } else {
            0
        }));
        if first < line.len() {
            marks = " ".repeat(
                usize::try_from(lead - skip.min(lead)).unwrap_or(0) + usize::from(skip > 0),
            );
        }
        marks.push('^');
    }
    let number = at.line.to_string();
    let _ = writeln!(out, "  {number} | {}", shown.trim_end());
    let _ = writeln!(out, "  {} | {}", " ".repeat(number.len()), marks.trim_end());
}

/// Control characters must not reach a terminal.
fn visible(character: char) -> char {
    if character.is_control() && character != '\t' {
        '\u{FFFD}'
    } else {
        character
    }
}

fn printable(text: &str) -> String {
    text.chars()
        .map(|character| {
            if character == '\n' {
                '\n'
            } else {
                visible(character)
            }
        })
        .collect()
}

/// Collects diagnostics about the texts of one reading; shared by all that read them.
#[derive(Debug)]
pub struct Report<'s> {
    sources: &'s Sources,
    diagnostics: RefCell<Vec<Diagnostic>>,
}

impl<'s> Report<'s> {
    /// An empty report about these texts.
    #[must_use]
    pub fn new(sources: &'s Sources) -> Self {
        Self {
            sources,
            diagnostics: RefCell::default(),
        }
    }

    /// The texts.
    #[must_use]
    pub fn sources(&self) -> &'s Sources {
        self.sources
    }

    /// A diagnostic with its file's name filled in; hand it to [`Report::push`].
    #[must_use]
    pub fn draft(
        &self,
        code: Code,
        severity: Severity,
        span: Span,
        message: impl Into<Sentence>,
    ) -> Diagnostic {
        let place = (self.sources.name(span.file), span);
        Diagnostic::of(code, severity, place, message)
    }

    /// Adds an error about a field.
    pub fn error(&self, code: Code, span: Span, path: &str, message: impl Into<Sentence>) {
        self.push(self.draft(code, Severity::Error, span, message).at(path));
    }

    /// Adds a warning about a field.
    pub fn warning(&self, code: Code, span: Span, path: &str, message: impl Into<Sentence>) {
        self.push(self.draft(code, Severity::Warning, span, message).at(path));
    }

    /// Adds a remark about a field.
    pub fn info(&self, code: Code, span: Span, path: &str, message: impl Into<Sentence>) {
        self.push(self.draft(code, Severity::Info, span, message).at(path));
    }

    /// Adds a diagnostic, unless the very same is there or there are [`MAX_DIAGNOSTICS`].
    pub fn push(&self, diagnostic: Diagnostic) {
        let mut diagnostics = self.diagnostics.borrow_mut();
        if diagnostics.len() < MAX_DIAGNOSTICS && !diagnostics.contains(&diagnostic) {
            diagnostics.push(diagnostic);
        }
    }

    /// Whether an error is reported on exactly this span: a reader need not repeat it.
    #[must_use]
    pub fn has_error_at(&self, span: Span) -> bool {
        self.diagnostics
            .borrow()
            .iter()
            .any(|diagnostic| diagnostic.is_error() && diagnostic.span == span)
    }

    /// Whether there is any error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.borrow().iter().any(Diagnostic::is_error)
    }

    /// Everything reported so far, in order of report.
    #[must_use]
    pub fn to_vec(&self) -> Vec<Diagnostic> {
        self.diagnostics.borrow().clone()
    }

    /// Everything, in order of place, then severity.
    #[must_use]
    pub fn finish(self) -> Vec<Diagnostic> {
        let mut diagnostics = self.diagnostics.into_inner();
        diagnostics.arrange_by(|one, two| {
            (one.span, one.severity, one.code).cmp(&(two.span, two.severity, two.code))
        });
        diagnostics
    }
}
