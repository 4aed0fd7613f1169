//! Compose and stack files against the tables, in the words of the two loaders.
//!
//! `docker compose` checks after interpolation against the Compose Specification (compose-go
//! `schema/schema.go`), `docker stack` against the older format 3.13 (docker/cli
//! `cli/compose/schema/schema.go`). Each tool reports one problem, the most deeply nested;
//! here all are reported and [`first_refusal`] picks the tool's. Unlike the tools, an unknown
//! property comes with a suggestion.
use crate::base::arrange::Arrange;
use crate::base::sentence::{Sentence, catalogue};
use crate::base::time::SimDuration;
use crate::manifest::diagnostic::{Code, Diagnostic, Report, Severity};
use crate::manifest::explain;
use crate::manifest::lines::{Sources, Span};
use crate::manifest::scalar::{Dialect, resolve};
use crate::manifest::schema::suggest::nearest;
use crate::manifest::schema::table::{Shape, Table, compose, stack};
use crate::manifest::tree::{Key, Node, NodeValue};

/// Whose format applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `docker compose`.
    Compose,
    /// `docker stack deploy`.
    Stack,
}

/// Checks a file after interpolation.
pub fn check(root: &Node, format: Format, report: &Report<'_>) {
    let table = match format {
        Format::Compose => compose(),
        Format::Stack => stack(),
    };
    let checker = Checker {
        table,
        format,
        report,
    };
    if root.as_map().is_none() {
        // Both loaders refuse this before they look at any schema.
        let message = "top-level object must be a mapping";
        report.error(checker.code(Problem::Type), root.span, "", message);
        return;
    }
    if let Some((key, place)) = key_without_text(root, "", report.sources()) {
        let message = match (format, &*place) {
            (Format::Compose, "") => format!("non-string key at top level: {}", key.text),
            (Format::Compose, place) => format!("non-string key in {place}: {}", key.text),
            (Format::Stack, "") => "top-level object must be a mapping".to_owned(),
            // What the encoder before the schema says.
            (Format::Stack, _) => {
                "json: unsupported type: map[interface {}]interface {}".to_owned()
            }
        };
        report.error(checker.code(Problem::Type), key.span, "", message);
        return;
    }
    let mut found = Vec::new();
    checker.structure(root, "file", "", &mut found);
    for one in found {
        report.push(one.into_diagnostic(&checker));
    }
}

/// The one problem the real tool would name: the most deeply nested, the first of equals.
#[must_use]
pub fn first_refusal(diagnostics: &[Diagnostic]) -> Option<&Diagnostic> {
    // The path of an unknown property ends with its name, one level below the mapping it is in:
    // compose-go counts that level, the library behind docker stack does not.
    let depth = |one: &Diagnostic| {
        let does_not_count = one.code == explain::STACK_UNKNOWN_PROPERTY;
        depth(&one.path).saturating_sub(usize::from(does_not_count))
    };
    let mut best: Option<(usize, &Diagnostic)> = None;
    for one in diagnostics.iter().filter(|one| one.is_error()) {
        let depth = depth(one);
        if best.is_none_or(|(most, _)| depth > most) {
            best = Some((depth, one));
        }
    }
    best.map(|(_, one)| one)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Problem {
    Unknown,
    Type,
    Value,
    Missing,
}

/// A problem before it is put into words of a diagnostic.
struct Found {
    problem: Problem,
    /// Dotted, indices as segments; of the property itself.
    path: String,
    span: Span,
    text: String,
    near: Option<String>,
    /// What is allowed, where the tool's sentence names one alternative of several.
    allowed: Option<Sentence>,
    /// How deep the tool thinks it is.
    depth: usize,
}

impl Found {
    fn into_diagnostic(self, checker: &Checker<'_, '_>) -> Diagnostic {
        let draft = checker
            .report
            .draft(
                checker.code(self.problem),
                Severity::Error,
                self.span,
                self.text,
            )
            .at(self.path);
        match (self.near, self.allowed) {
            (Some(near), _) => draft
                .help(catalogue::NEAR.with(&[("near", &near)]))
                .fix(self.span, near),
            (None, Some(allowed)) => draft.help(allowed),
            (None, None) => draft,
        }
    }
}

struct Checker<'a, 's> {
    table: &'static Table,
    format: Format,
    report: &'a Report<'s>,
}

impl Checker<'_, '_> {
    fn code(&self, problem: Problem) -> Code {
        match (self.format, problem) {
            (Format::Compose, Problem::Unknown) => explain::COMPOSE_UNKNOWN_PROPERTY,
            (Format::Compose, Problem::Type) => explain::COMPOSE_WRONG_TYPE,
            (Format::Compose, Problem::Value) => explain::COMPOSE_UNSUPPORTED_VALUE,
            (Format::Compose, Problem::Missing) => explain::COMPOSE_MISSING_PROPERTY,
            (Format::Stack, Problem::Unknown) => explain::STACK_UNKNOWN_PROPERTY,
            (Format::Stack, Problem::Type) => explain::STACK_WRONG_TYPE,
            (Format::Stack, Problem::Value) => explain::STACK_UNSUPPORTED_VALUE,
            (Format::Stack, Problem::Missing) => explain::STACK_MISSING_PROPERTY,
        }
    }

    fn structure(&self, node: &Node, name: &str, path: &str, found: &mut Vec<Found>) {
        let (Some(structure), NodeValue::Map(entries)) = (self.table.named(name), &node.value)
        else {
            return;
        };
        for entry in entries {
            let inner = join(path, &entry.key.text);
            if let Some(field) = structure.field(&entry.key.text) {
                self.value(&entry.value, &field.shape, &inner, entry.key.span, found);
            } else if !(structure.is_open
                || structure.has_extensions && entry.key.text.starts_with("x-"))
            {
                let near = nearest(
                    &entry.key.text,
                    structure.fields.iter().map(|field| &*field.name),
                );
                found.push(self.unknown(path, inner, &entry.key.text, entry.key.span, near));
            }
        }
        for field in structure.fields.iter().filter(|field| field.is_required) {
            if node.get(&field.name).is_none() {
                let text = match self.format {
                    Format::Compose => format!("{path} missing property '{}'", field.name),
                    Format::Stack => format!("{} {} is required", rooted(path), field.name),
                };
                let at = Span {
                    end: node.span.start.saturating_add(1).min(node.span.end),
                    ..node.span
                };
                found.push(Found {
                    problem: Problem::Missing,
                    path: join(path, &field.name),
                    span: at,
                    text,
                    near: None,
                    allowed: None,
                    depth: depth(path),
                });
            }
        }
    }

    fn unknown(
        &self,
        path: &str,
        inner: String,
        key: &str,
        span: Span,
        near: Option<&str>,
    ) -> Found {
        let text = match self.format {
            Format::Compose if path.is_empty() => {
                format!("additional properties '{key}' not allowed")
            }
            Format::Compose => format!("{path} additional properties '{key}' not allowed"),
            Format::Stack => format!("{} Additional property {key} is not allowed", rooted(path)),
        };
        // compose-go counts an unknown property one level deeper than the mapping it is in.
        let deeper = usize::from(self.format == Format::Compose);
        Found {
            problem: Problem::Unknown,
            path: inner,
            span,
            text,
            near: near.map(str::to_owned),
            allowed: None,
            depth: depth(path) + deeper,
        }
    }

    fn value(&self, node: &Node, shape: &Shape, path: &str, key: Span, found: &mut Vec<Found>) {
        // The one property of both formats that has a smallest value.
        if path.ends_with(".tmpfs.size") && node.as_i64().is_some_and(|size| size < 0) {
            let must = match self.format {
                Format::Compose => "must",
                Format::Stack => "Must",
            };
            found.push(Found {
                problem: Problem::Value,
                path: path.to_owned(),
                span: node.span,
                text: format!("{path} {must} be greater than or equal to 0"),
                near: None,
                allowed: None,
                depth: depth(path),
            });
            return;
        }
        match shape {
            Shape::OneOf(shapes) => self.one_of(node, shapes, path, key, found),
            Shape::Plain(shapes) => match shapes.iter().find(|shape| self.fits(node, shape)) {
                Some(shape) => self.value(node, shape, path, key, found),
                None => found.push(self.wrong_type(node, shapes, path, key)),
            },
            _ if !self.fits(node, shape) => {
                found.push(self.wrong_type(node, std::slice::from_ref(shape), path, key));
            }
            Shape::List(inner) => {
                for (index, item) in node.as_seq().unwrap_or(&[]).iter().enumerate() {
                    self.value(
                        item,
                        inner,
                        &join(path, &index.to_string()),
                        item.span,
                        found,
                    );
                }
            }
            Shape::Map { values, is_named } => {
                for entry in node.as_map().unwrap_or(&[]) {
                    let inner = join(path, &entry.key.text);
                    if *is_named && !is_name(&entry.key.text) {
                        found.push(self.unknown(
                            path,
                            inner,
                            &entry.key.text,
                            entry.key.span,
                            None,
                        ));
                    } else {
                        self.value(&entry.value, values, &inner, entry.key.span, found);
                    }
                }
            }
            Shape::Type(id) => self.structure(node, &self.table.get(*id).name, path, found),
            Shape::Enum(words) => self.word(node, words, path, found),
            Shape::Duration => {
                if node
                    .as_str()
                    .is_some_and(|text| SimDuration::parse(text).is_err())
                {
                    let text = format!("{path} Does not match format 'duration'");
                    let (problem, span) = (Problem::Value, node.span);
                    found.push(Found {
                        problem,
                        path: path.to_owned(),
                        span,
                        text,
                        near: None,
                        allowed: None,
                        depth: depth(path),
                    });
                }
            }
            Shape::Any
            | Shape::Null
            | Shape::String
            | Shape::Time
            | Shape::Bytes
            | Shape::Bool
            | Shape::Int32
            | Shape::Int64
            | Shape::Number
            | Shape::Quantity
            | Shape::IntOrString
            | Shape::Object => {}
        }
    }

    /// If no alternative fits without a problem, the tool names the deepest problem of any
    /// (compose-go) or the problems of the alternative that fits best (gojsonschema).
    fn one_of(&self, node: &Node, shapes: &[Shape], path: &str, key: Span, found: &mut Vec<Found>) {
        let mut best: Option<Vec<Found>> = None;
        for shape in shapes {
            let mut problems = Vec::new();
            self.value(node, shape, path, key, &mut problems);
            if problems.is_empty() {
                return;
            }
            let rank = |problems: &[Found]| {
                let depth = problems.iter().map(|one| one.depth).max().unwrap_or(0);
                let has_type = self.format == Format::Stack
                    && !problems
                        .iter()
                        .any(|one| one.problem == Problem::Type && one.path == path);
                (has_type, depth)
            };
            if best
                .as_ref()
                .is_none_or(|held| rank(&problems) > rank(held))
            {
                best = Some(problems);
            }
        }
        let mut words: Vec<&str> = shapes
            .iter()
            .flat_map(|shape| self.type_words(shape))
            .collect();
        words.dedup();
        for mut problem in best.unwrap_or_default() {
            if problem.problem == Problem::Type && problem.path == path {
                problem.allowed =
                    Some(catalogue::SHAPES_ALLOWED.with(&[("names", &words.join(", "))]));
            }
            found.push(problem);
        }
    }

    fn word(&self, node: &Node, words: &[Box<str>], path: &str, found: &mut Vec<Found>) {
        let Some(given) = node.as_str() else { return };
        if words.iter().any(|word| **word == *given) {
            return;
        }
        let text = match self.format {
            Format::Compose if words.len() == 1 => format!("{path} value must be '{}'", words[0]),
            Format::Compose => {
                let list: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
                format!("{path} value must be one of {}", list.join(", "))
            }
            // The loader prints the field, and the library's sentence starts with it again.
            Format::Stack => {
                let list: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
                format!(
                    "{path} {path} must be one of the following: {}",
                    list.join(", ")
                )
            }
        };
        let near = nearest(given, words.iter().map(|word| &**word)).map(str::to_owned);
        let (problem, span) = (Problem::Value, node.span);
        found.push(Found {
            problem,
            path: path.to_owned(),
            span,
            text,
            near,
            allowed: None,
            depth: depth(path),
        });
    }

    fn wrong_type(&self, node: &Node, shapes: &[Shape], path: &str, key: Span) -> Found {
        let mut words: Vec<&str> = shapes.iter().map(|shape| self.type_word(shape)).collect();
        if self.format == Format::Compose {
            words.arrange();
        }
        let words = match words.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            Some((last, _)) => (*last).to_owned(),
            None => String::new(),
        };
        // A missing value has no text of its own to point at.
        let span = if node.is_null() { key } else { node.span };
        Found {
            problem: Problem::Type,
            path: path.to_owned(),
            span,
            text: format!("{} must be a {words}", rooted(path)),
            near: None,
            allowed: None,
            depth: depth(path),
        }
    }

    fn type_words(&self, shape: &Shape) -> Vec<&'static str> {
        match shape {
            Shape::OneOf(shapes) | Shape::Plain(shapes) => shapes
                .iter()
                .flat_map(|shape| self.type_words(shape))
                .collect(),
            one => vec![self.type_word(one)],
        }
    }

    fn type_word(&self, shape: &Shape) -> &'static str {
        match shape {
            Shape::Null => "null",
            Shape::String | Shape::Enum(_) | Shape::Duration | Shape::Time | Shape::Bytes => {
                "string"
            }
            Shape::Bool => "boolean",
            Shape::Int32 | Shape::Int64 => "integer",
            Shape::Number | Shape::Quantity => "number",
            Shape::List(_) => match self.format {
                Format::Compose => "array",
                Format::Stack => "list",
            },
            Shape::Any
            | Shape::IntOrString
            | Shape::Object
            | Shape::Map { .. }
            | Shape::Type(_)
            | Shape::Plain(_)
            | Shape::OneOf(_) => "mapping",
        }
    }

    /// Whether the plain type fits, whatever is inside.
    fn fits(&self, node: &Node, shape: &Shape) -> bool {
        match shape {
            Shape::Any | Shape::Plain(_) | Shape::OneOf(_) => true,
            Shape::Null => node.is_null(),
            Shape::String | Shape::Enum(_) | Shape::Duration | Shape::Time | Shape::Bytes => {
                node.as_str().is_some()
            }
            Shape::Bool => node.as_bool().is_some(),
            Shape::Int32 | Shape::Int64 => node.as_i64().is_some(),
            Shape::Number | Shape::Quantity => {
                matches!(node.value, NodeValue::Int(_) | NodeValue::Float(_))
            }
            Shape::IntOrString => node.as_str().is_some() || node.as_i64().is_some(),
            Shape::List(_) => node.as_seq().is_some(),
            Shape::Object | Shape::Map { .. } | Shape::Type(_) => node.as_map().is_some(),
        }
    }
}

/// The first key that is no text, and the mapping it is in: both loaders refuse it before they look
/// into any schema. Source: `convertToStringKeysRecursive`.
fn key_without_text<'n>(node: &'n Node, place: &str, texts: &Sources) -> Option<(&'n Key, String)> {
    if let Some(items) = node.as_seq() {
        let mut items = items.iter().enumerate();
        return items
            .find_map(|(index, item)| key_without_text(item, &format!("{place}[{index}]"), texts));
    }
    node.as_map()?.iter().find_map(|entry| {
        let text = &entry.key.text;
        let written = texts.get(entry.key.span.file);
        let is_plain = written.is_some_and(|source| source.slice(entry.key.span) == &**text);
        let is_tagged = || {
            // A tag stands before the key, outside its span.
            let before = written.and_then(|it| it.text.get(..entry.key.span.start as usize));
            before.is_some_and(|before| before.trim_end_matches([' ', '\t']).ends_with("!!str"))
        };
        let is_text = matches!(resolve(text, Dialect::Compose), NodeValue::Str { .. });
        if is_plain && !is_text && !is_tagged() {
            return Some((&entry.key, place.to_owned()));
        }
        key_without_text(&entry.value, &join(place, text), texts)
    })
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn rooted(path: &str) -> &str {
    if path.is_empty() { "(root)" } else { path }
}

fn depth(path: &str) -> usize {
    path.split('.').filter(|part| !part.is_empty()).count()
}

/// `^[a-zA-Z0-9._-]+$`
fn is_name(key: &str) -> bool {
    !key.is_empty()
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::{Format, check, first_refusal};
    use crate::manifest::diagnostic::{Report, render_all};
    use crate::manifest::lines::Sources;
    use crate::manifest::scalar::Dialect;
    use crate::manifest::yaml::parse;

    fn lint(text: &str, format: Format, expected: &Expect) {
        let mut sources = Sources::new();
        let file = sources.add("compose.yaml", text);
        let report = Report::new(&sources);
        for document in parse(sources.get(file).unwrap(), Dialect::Compose, &report) {
            check(&document.root, format, &report);
        }
        let found = report.finish();
        let mut out = render_all(&found, &sources);
        if let Some(first) = first_refusal(&found) {
            out.push_str(&format!("refusal: {}\n", first.message));
        }
        expected.assert_eq(&out);
    }

    #[test]
    fn compose_speaks_as_compose() {
        lint(
            "\
nmae: demo
x-common: &common {restart: always}
services:
  web:
    <<: *common
    image: 5
    prots: ['80']
    environment: {A: 1, B: null, C: {d: e}}
    command: {a: b}
    ports: ['80', 81, {target: 80, foo: 1}]
    volumes: [{source: x}]
    deploy: {update_config: {order: start-frist}}
    depends_on: {db: {condition: service_healthy}}
    x-own: anything
  db:
  'a b': {image: x}
",
            Format::Compose,
            &expect![[r#"
                compose.yaml:1:1: error CMP001: additional properties 'nmae' not allowed
                  1 | nmae: demo
                    | ^^^^
                  help: did you mean "name"?
                compose.yaml:6:12: error CMP002: services.web.image must be a string
                  6 |     image: 5
                    |            ^
                compose.yaml:7:5: error CMP001: services.web additional properties 'prots' not allowed
                  7 |     prots: ['80']
                    |     ^^^^^
                  help: did you mean "ports"?
                compose.yaml:8:37: error CMP002: services.web.environment.C must be a boolean, null, number or string
                  8 |     environment: {A: 1, B: null, C: {d: e}}
                    |                                     ^^^^^^
                compose.yaml:9:14: error CMP002: services.web.command must be a null
                  9 |     command: {a: b}
                    |              ^^^^^^
                  help: allowed here: null, string, array
                compose.yaml:10:36: error CMP001: services.web.ports.2 additional properties 'foo' not allowed
                  10 |     ports: ['80', 81, {target: 80, foo: 1}]
                     |                                    ^^^
                compose.yaml:11:15: error CMP002: services.web.volumes.0 must be a string
                  11 |     volumes: [{source: x}]
                     |               ^^^^^^^^^^^
                  help: allowed here: string, mapping
                compose.yaml:12:37: error CMP003: services.web.deploy.update_config.order value must be one of 'start-first', 'stop-first'
                  12 |     deploy: {update_config: {order: start-frist}}
                     |                                     ^^^^^^^^^^^
                  help: did you mean "start-first"?
                compose.yaml:15:3: error CMP002: services.db must be a mapping
                  15 |   db:
                     |   ^^
                compose.yaml:16:3: error CMP001: services additional properties 'a b' not allowed
                  16 |   'a b': {image: x}
                     |   ^^^^^
                refusal: services.web.ports.2 additional properties 'foo' not allowed
            "#]],
        );
    }

    #[test]
    fn stacks_are_stricter() {
        lint(
            "\
name: demo
services:
  web:
    image: nginx
    profiles: [a]
    depends_on: {db: {condition: service_healthy}}
    ports: [{published: '80', target: 80}]
    stop_grace_period: 10
    healthcheck: {interval: 10}
    deploy: {replicas: '2', update_config: {order: startfirst, delay: 1x}}
",
            Format::Stack,
            &expect![[r#"
                compose.yaml:1:1: error STK001: (root) Additional property name is not allowed
                  1 | name: demo
                    | ^^^^
                compose.yaml:5:5: error STK001: services.web Additional property profiles is not allowed
                  5 |     profiles: [a]
                    |     ^^^^^^^^
                compose.yaml:6:17: error STK002: services.web.depends_on must be a list
                  6 |     depends_on: {db: {condition: service_healthy}}
                    |                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
                compose.yaml:7:25: error STK002: services.web.ports.0.published must be a integer
                  7 |     ports: [{published: '80', target: 80}]
                    |                         ^^^^
                compose.yaml:8:24: error STK002: services.web.stop_grace_period must be a string
                  8 |     stop_grace_period: 10
                    |                        ^^
                compose.yaml:9:29: error STK002: services.web.healthcheck.interval must be a string
                  9 |     healthcheck: {interval: 10}
                    |                             ^^
                compose.yaml:10:24: error STK002: services.web.deploy.replicas must be a integer
                  10 |     deploy: {replicas: '2', update_config: {order: startfirst, delay: 1x}}
                     |                        ^^^
                compose.yaml:10:52: error STK003: services.web.deploy.update_config.order services.web.deploy.update_config.order must be one of the following: "start-first", "stop-first"
                  10 |     deploy: {replicas: '2', update_config: {order: startfirst, delay: 1x}}
                     |                                                    ^^^^^^^^^^
                  help: did you mean "start-first"?
                compose.yaml:10:71: error STK003: services.web.deploy.update_config.delay Does not match format 'duration'
                  10 |     deploy: {replicas: '2', update_config: {order: startfirst, delay: 1x}}
                     |                                                                       ^^
                refusal: services.web.ports.0.published must be a integer
            "#]],
        );
        lint(
            "name: demo\nservices: {web: {image: nginx, profiles: [a]}}\n",
            Format::Stack,
            &expect![[r#"
                compose.yaml:1:1: error STK001: (root) Additional property name is not allowed
                  1 | name: demo
                    | ^^^^
                compose.yaml:2:32: error STK001: services.web Additional property profiles is not allowed
                  2 | services: {web: {image: nginx, profiles: [a]}}
                    |                                ^^^^^^^^
                refusal: services.web Additional property profiles is not allowed
            "#]],
        );
        lint(
            "services:\n  web:\n    depends_on: db\n",
            Format::Stack,
            &expect![[r#"
                compose.yaml:3:17: error STK002: services.web.depends_on must be a list
                  3 |     depends_on: db
                    |                 ^^
                refusal: services.web.depends_on must be a list
            "#]],
        );
        lint(
            "[]",
            Format::Stack,
            &expect![[r#"
            compose.yaml:1:1: error STK002: top-level object must be a mapping
              1 | []
                | ^^
            refusal: top-level object must be a mapping
        "#]],
        );
    }

    #[test]
    fn any_tree_is_checked_without_panic() {
        const KEYS: &[&str] = &[
            "apiVersion: apps/v1",
            "kind: Deployment",
            "kind: List",
            "items:",
            "spec:",
            "metadata:",
            "containers:",
            "services:",
            "web:",
            "image: 5",
            "ports:",
            "deploy:",
            "- a",
            "- {b: c}",
            "replicas: x",
            "data: {k: =}",
            "template:",
            "resources: {limits: {cpu: 1z}}",
            "networks: [1]",
            "x-y: 1",
            "depends_on:",
            "字: 1",
        ];
        arbtest::arbtest(|u| {
            let mut text = String::new();
            for _ in 0..u.int_in_range(0..=20)? {
                let indent = u.int_in_range(0..=4)?;
                text.push_str(&"  ".repeat(indent));
                text.push_str(u.choose(KEYS)?);
                text.push('\n');
            }
            let mut sources = Sources::new();
            let file = sources.add("x.yaml", &text);
            let report = Report::new(&sources);
            for document in parse(sources.get(file).unwrap(), Dialect::Compose, &report) {
                check(&document.root, Format::Compose, &report);
                check(&document.root, Format::Stack, &report);
                crate::manifest::schema::kubernetes::check(&document.root, &|_, _| false, &report);
            }
            for found in report.finish() {
                let (start, end) = (found.span.start as usize, found.span.end as usize);
                assert!(text.get(start..end).is_some(), "{found:?}");
            }
            Ok(())
        });
    }
}
