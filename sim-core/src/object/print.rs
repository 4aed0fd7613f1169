//! Printing `Value`s: JSON (compact, or indented as kubectl does) and YAML as kubectl does.
//!
//! kubectl's YAML comes from sigs.k8s.io/yaml over go-yaml v2: keys sorted, list items not
//! indented under their key, text quoted only where it would be read as something else.
use crate::manifest::json::write_string;
use crate::manifest::scalar;
use crate::manifest::value::{Map, Value};

/// In which order map keys are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOrder {
    /// As stored.
    Stored,
    /// By bytes, as Go prints maps.
    Sorted,
}

/// One line of JSON, as Go's encoder writes it (`<`, `>`, `&` escaped).
#[must_use]
pub fn json(value: &Value, order: KeyOrder) -> String {
    let mut out = String::new();
    Json {
        order,
        indent: None,
        escapes_html: true,
    }
    .write(&mut out, value, 0);
    out
}

/// A value as Go's `%v` writes it.
pub fn go(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Map(map) => {
            let entries = map.sorted().into_iter();
            let entries = entries.map(|(key, value)| format!("{key}:{}", go(value)));
            format!("map[{}]", entries.collect::<Vec<_>>().join(" "))
        }
        Value::List(items) => format!("[{}]", items.iter().map(go).collect::<Vec<_>>().join(" ")),
        Value::String(text) => text.to_string(),
        other => json(other, KeyOrder::Sorted),
    }
}

/// One line of JSON, keys as stored, `<`, `>`, `&` as they are: docker's `json` and what its engine answers.
#[must_use]
pub fn json_plain(value: &Value) -> String {
    let mut out = String::new();
    Json {
        order: KeyOrder::Stored,
        indent: None,
        escapes_html: false,
    }
    .write(&mut out, value, 0);
    out
}

/// JSON indented by four spaces as `kubectl -o json` prints it, without the last line break.
#[must_use]
pub fn json_pretty(value: &Value, order: KeyOrder) -> String {
    json_indented(value, order, "    ")
}

/// JSON indented by `indent`, without the last line break.
#[must_use]
pub fn json_indented(value: &Value, order: KeyOrder, indent: &str) -> String {
    let mut out = String::new();
    Json {
        order,
        indent: Some(indent),
        escapes_html: true,
    }
    .write(&mut out, value, 0);
    out
}

/// YAML as `kubectl -o yaml` prints it, ending in a line break.
#[must_use]
pub fn yaml(value: &Value) -> String {
    let style = Style {
        order: KeyOrder::Sorted,
        list_indent: 0,
    };
    yaml_document(value, style)
}

/// YAML as `docker compose config` prints it, ending in a line break: keys as stored, list items
/// indented below their key, as go-yaml's newer encoders do.
#[must_use]
pub fn yaml_as_stored(value: &Value) -> String {
    let style = Style {
        order: KeyOrder::Stored,
        list_indent: 2,
    };
    yaml_document(value, style)
}

/// What differs between the encoders.
#[derive(Clone, Copy)]
struct Style {
    order: KeyOrder,
    list_indent: usize,
}

fn yaml_document(value: &Value, style: Style) -> String {
    let mut out = String::new();
    match value {
        Value::Map(map) if !map.is_empty() => yaml_map(&mut out, map, 0, false, style),
        Value::List(items) if !items.is_empty() => yaml_list(&mut out, items, 0, false, style),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::List(_)
        | Value::Map(_) => {
            yaml_scalar(&mut out, value, 0);
            out.push('\n');
        }
    }
    out
}

fn entries(map: &Map, order: KeyOrder) -> Vec<(&str, &Value)> {
    match order {
        KeyOrder::Stored => map.iter().map(|(key, value)| (&**key, value)).collect(),
        KeyOrder::Sorted => map
            .sorted()
            .into_iter()
            .map(|(key, value)| (&**key, value))
            .collect(),
    }
}

struct Json<'i> {
    order: KeyOrder,
    indent: Option<&'i str>,
    escapes_html: bool,
}

impl Json<'_> {
    fn write(&self, out: &mut String, value: &Value, depth: usize) {
        match value {
            Value::Null => out.push_str("null"),
            Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
            Value::Int(number) => out.push_str(&number.to_string()),
            Value::Number(text) => out.push_str(text),
            Value::String(text) => write_string(out, text, self.escapes_html),
            Value::List(items) if items.is_empty() => out.push_str("[]"),
            Value::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    self.separate(out, index, depth + 1);
                    self.write(out, item, depth + 1);
                }
                self.line(out, depth);
                out.push(']');
            }
            Value::Map(map) if map.is_empty() => out.push_str("{}"),
            Value::Map(map) => {
                out.push('{');
                for (index, (key, value)) in entries(map, self.order).into_iter().enumerate() {
                    self.separate(out, index, depth + 1);
                    write_string(out, key, self.escapes_html);
                    out.push_str(if self.indent.is_some() { ": " } else { ":" });
                    self.write(out, value, depth + 1);
                }
                self.line(out, depth);
                out.push('}');
            }
        }
    }

    fn separate(&self, out: &mut String, index: usize, depth: usize) {
        if index > 0 {
            out.push(',');
        }
        self.line(out, depth);
    }

    fn line(&self, out: &mut String, depth: usize) {
        if let Some(indent) = self.indent {
            out.push('\n');
            for _ in 0..depth {
                out.push_str(indent);
            }
        }
    }
}

fn pad(out: &mut String, indent: usize) {
    for _ in 0..indent {
        out.push(' ');
    }
}

/// `is_inline`: the cursor stands behind `- `, where the first entry goes.
fn yaml_map(out: &mut String, map: &Map, indent: usize, is_inline: bool, style: Style) {
    for (index, (key, value)) in entries(map, style.order).into_iter().enumerate() {
        if index > 0 || !is_inline {
            pad(out, indent);
        }
        yaml_text(out, key, indent, true);
        out.push(':');
        match value {
            Value::Map(inner) if !inner.is_empty() => {
                out.push('\n');
                yaml_map(out, inner, indent + 2, false, style);
            }
            Value::List(items) if !items.is_empty() => {
                out.push('\n');
                yaml_list(out, items, indent + style.list_indent, false, style);
            }
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::List(_)
            | Value::Map(_) => {
                out.push(' ');
                yaml_scalar(out, value, indent + 2);
                out.push('\n');
            }
        }
    }
}

fn yaml_list(out: &mut String, items: &[Value], indent: usize, is_inline: bool, style: Style) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 || !is_inline {
            pad(out, indent);
        }
        out.push_str("- ");
        match item {
            Value::Map(inner) if !inner.is_empty() => {
                yaml_map(out, inner, indent + 2, true, style);
            }
            Value::List(inner) if !inner.is_empty() => {
                yaml_list(out, inner, indent + 2, true, style);
            }
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::List(_)
            | Value::Map(_) => {
                yaml_scalar(out, item, indent + 2);
                out.push('\n');
            }
        }
    }
}

fn yaml_scalar(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Number(text) => out.push_str(text),
        Value::String(text) => yaml_text(out, text, indent, false),
        // Only empty ones come here.
        Value::List(_) => out.push_str("[]"),
        Value::Map(_) => out.push_str("{}"),
    }
}

fn yaml_text(out: &mut String, text: &str, indent: usize, is_key: bool) {
    if scalar::is_ambiguous(text) || is_base60(text) || needs_escapes(text) {
        double_quoted(out, text);
    } else if text.contains('\n') {
        if is_key || !fits_block(text) {
            double_quoted(out, text);
        } else {
            block(out, text, indent);
        }
    } else if is_plain(text) {
        out.push_str(text);
    } else {
        out.push('\'');
        out.push_str(&text.replace('\'', "''"));
        out.push('\'');
    }
}

/// Text such as `22:22`, a number in base 60 to YAML 1.1; go-yaml quotes it for other readers.
fn is_base60(text: &str) -> bool {
    let rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut parts = rest.split(':');
    let first = parts.next().unwrap_or("");
    let is_number = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'_')
    };
    if !is_number(first)
        || !first.starts_with(|digit: char| digit.is_ascii_digit())
        || !rest.contains(':')
    {
        return false;
    }
    let mut parts: Vec<&str> = parts.collect();
    if let Some(last) = parts.last_mut() {
        *last = last.split('.').next().unwrap_or("");
    }
    parts
        .iter()
        .all(|part| matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']))
}

/// Characters that go-yaml v2 only writes escaped: controls, tabs too, and all beyond the basic
/// plane.
fn needs_escapes(text: &str) -> bool {
    text.chars().any(|character| match character {
        '\n' => false,
        '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{FEFF}' => true,
        other => other.is_control() || other >= '\u{FFFE}',
    })
}

/// Whether libyaml would write a literal block: not when a space ends a line.
fn fits_block(text: &str) -> bool {
    !text.ends_with(' ') && !text.contains(" \n")
}

fn block(out: &mut String, text: &str, indent: usize) {
    let body = text.strip_suffix('\n');
    // The indentation cannot be guessed from a first line that starts with a space.
    out.push_str(if text.starts_with([' ', '\n']) {
        "|2"
    } else {
        "|"
    });
    out.push_str(match body {
        None => "-",
        Some(rest) if rest.ends_with('\n') || rest.is_empty() => "+",
        Some(_) => "",
    });
    for line in body.unwrap_or(text).split('\n') {
        out.push('\n');
        if !line.is_empty() {
            pad(out, indent.max(2));
            out.push_str(line);
        }
    }
}

/// Whether bare text reads back as itself, by libyaml's rules for block context.
fn is_plain(text: &str) -> bool {
    let mut characters = text.chars();
    let Some(first) = characters.next() else {
        return false;
    };
    let second = characters.next();
    if text.starts_with(' ')
        || text.ends_with(' ')
        || text.starts_with("---")
        || text.starts_with("...")
    {
        return false;
    }
    match first {
        '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
        | '@' | '`' => return false,
        '-' | '?' | ':' if second.is_none_or(|next| next == ' ') => return false,
        _ => {}
    }
    !text.contains(": ") && !text.contains(" #") && !text.ends_with(':')
}

fn double_quoted(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0' => out.push_str("\\0"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            '\u{1b}' => out.push_str("\\e"),
            '\u{85}' => out.push_str("\\N"),
            '\u{2028}' => out.push_str("\\L"),
            '\u{2029}' => out.push_str("\\P"),
            other if other.is_control() || other == '\u{FEFF}' || other >= '\u{FFFE}' => {
                let code = u32::from(other);
                out.push_str(&match code {
                    0..=0xFF => format!("\\x{code:02X}"),
                    0x100..=0xFFFF => format!("\\u{code:04X}"),
                    _ => format!("\\U{code:08X}"),
                });
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use arbitrary::Unstructured;
    use arbtest::arbtest;
    use expect_test::expect;

    use super::{KeyOrder, json, json_pretty, yaml};
    use crate::manifest::diagnostic::Report;
    use crate::manifest::lines::Sources;
    use crate::manifest::scalar::Dialect;
    use crate::manifest::value::Value;
    use crate::manifest::yaml::parse;

    fn reread(text: &str) -> Value {
        let mut sources = Sources::new();
        let file = sources.add("out.yaml", text);
        let report = Report::new(&sources);
        let documents = parse(sources.get(file).unwrap(), Dialect::Kubernetes, &report);
        assert!(!report.has_errors(), "{text}\n{:?}", report.to_vec());
        documents
            .first()
            .map_or(Value::Null, |document| document.root.to_value())
    }

    #[test]
    fn yaml_looks_like_kubectls() {
        let value = Value::parse_json(
            r#"{"kind":"X","b":{"list":[{"name":"a","args":["-c","sleep 1"]},[1,[2]],[],{}],"empty":{},"none":[]},
            "text":["yes","1","1.0","a: b","a #b","'q'","","null","~","multi\nline\n","multi\nline","end\n\n"," lead",
            "tab\there","22:22","2024-01-01","*x","-","- x","-x","@a","plain text","x:","0x1f","=","<<","中文","\u001b[0m", "a\n b \n", " a\nb","😀"],
            "on":true,"n":null,"f":1.5,"10":"x"}"#,
        )
        .unwrap();
        expect![[r#"
            "10": x
            b:
              empty: {}
              list:
              - args:
                - -c
                - sleep 1
                name: a
              - - 1
                - - 2
              - []
              - {}
              none: []
            f: 1.5
            kind: X
            "n": null
            "on": true
            text:
            - "yes"
            - "1"
            - "1.0"
            - 'a: b'
            - 'a #b'
            - '''q'''
            - ""
            - "null"
            - "~"
            - |
              multi
              line
            - |-
              multi
              line
            - |+
              end

            - ' lead'
            - "tab\there"
            - "22:22"
            - "2024-01-01"
            - '*x'
            - '-'
            - '- x'
            - -x
            - '@a'
            - plain text
            - 'x:'
            - "0x1f"
            - =
            - "<<"
            - 中文
            - "\e[0m"
            - "a\n b \n"
            - |2-
               a
              b
            - "\U0001F600"
        "#]]
        .assert_eq(&yaml(&value));
        assert_eq!(reread(&yaml(&value)), value);
    }

    #[test]
    fn json_is_compact_or_indented() {
        let value = Value::parse_json(r#"{"b":[1,"<a>"],"a":{},"c":[]}"#).unwrap();
        assert_eq!(
            json(&value, KeyOrder::Stored),
            r#"{"b":[1,"\u003ca\u003e"],"a":{},"c":[]}"#
        );
        expect![[r#"
            {
                "a": {},
                "b": [
                    1,
                    "\u003ca\u003e"
                ],
                "c": []
            }"#]]
        .assert_eq(&json_pretty(&value, KeyOrder::Sorted));
    }

    fn arbitrary_text(u: &mut Unstructured<'_>) -> arbitrary::Result<String> {
        const PIECES: &[&str] = &[
            "a", " ", "\n", ":", "#", "-", "'", "\"", "1", "0x", ".", "yes", "null", "é", "字",
            "\t", "{", "[", "|", "\\", "\u{1}", "%",
        ];
        let mut text = String::new();
        for _ in 0..u.int_in_range(0..=6)? {
            text.push_str(u.choose(PIECES)?);
        }
        Ok(text)
    }

    fn arbitrary_value(u: &mut Unstructured<'_>, depth: u32) -> arbitrary::Result<Value> {
        Ok(match u.int_in_range(0..=if depth == 0 { 4 } else { 6 })? {
            0 => Value::Null,
            1 => Value::Bool(u.arbitrary()?),
            2 => Value::Int(u.arbitrary()?),
            3 | 4 => Value::from(arbitrary_text(u)?),
            5 => {
                let mut items = Vec::new();
                for _ in 0..u.int_in_range(0..=3)? {
                    items.push(arbitrary_value(u, depth - 1)?);
                }
                items.into()
            }
            _ => {
                let mut map = Value::map();
                for _ in 0..u.int_in_range(0..=3)? {
                    map.set(&arbitrary_text(u)?, arbitrary_value(u, depth - 1)?);
                }
                map
            }
        })
    }

    #[test]
    fn what_is_printed_reads_back_the_same() {
        arbtest(|u| {
            let value = arbitrary_value(u, 3)?;
            assert_eq!(reread(&yaml(&value)), value, "{}", yaml(&value));
            for order in [KeyOrder::Stored, KeyOrder::Sorted] {
                assert_eq!(Value::parse_json(&json(&value, order)).as_ref(), Ok(&value));
                assert_eq!(
                    Value::parse_json(&json_pretty(&value, order)).as_ref(),
                    Ok(&value)
                );
            }
            Ok(())
        });
    }
}
