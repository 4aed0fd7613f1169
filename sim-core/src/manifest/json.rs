//! Strict JSON text to a spanned tree, and the rules for printing strings.
//!
//! Used for JSON manifests, `sim load`, patches and annotations. Numbers keep their exact digits.
use std::sync::Arc;

use crate::base::limits::MAX_DEPTH;
use crate::manifest::lines::{FileId, Span};
use crate::manifest::scalar;
use crate::manifest::tree::{Entry, Key, Node, NodeValue, Style};

/// Why a text is not JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// Byte where reading stopped.
    pub offset: usize,
    /// What is wrong, in the words of Go's decoder where it has some.
    pub message: String,
}

/// Reads one JSON value; white space may surround it.
///
/// # Errors
/// The first place where the text is not JSON.
pub fn parse(text: &str, file: FileId) -> Result<Node, JsonError> {
    Ok(parse_with_repeated(text, file)?.0)
}

/// The same, and where keys of an object come again.
///
/// # Errors
/// As [`parse`].
pub fn parse_with_repeated(text: &str, file: FileId) -> Result<(Node, Vec<u32>), JsonError> {
    let mut parser = Parser {
        text,
        at: 0,
        depth: 0,
        file,
        repeated: Vec::new(),
    };
    let node = parser.value()?;
    parser.skip_space();
    if parser.at < text.len() {
        return Err(parser.invalid("after top-level value"));
    }
    Ok((node, parser.repeated))
}

/// Reads JSON values one after the other, as `kubectl apply -f` takes them.
///
/// # Errors
/// The first place where the text is not JSON.
pub fn parse_stream(text: &str, file: FileId) -> Result<Vec<Node>, JsonError> {
    let mut parser = Parser {
        text,
        at: 0,
        depth: 0,
        file,
        repeated: Vec::new(),
    };
    let mut nodes = Vec::new();
    loop {
        parser.skip_space();
        if parser.at >= text.len() {
            return Ok(nodes);
        }
        nodes.push(parser.value()?);
    }
}

/// Appends `text` as a JSON string. `<`, `>`, `&` are escaped as Go's default encoder does when
/// `escapes_html` is set.
pub fn write_string(out: &mut String, text: &str, escapes_html: bool) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' if escapes_html => escape(out, character),
            '\u{2028}' | '\u{2029}' => escape(out, character),
            control if u32::from(control) < 0x20 => escape(out, control),
            other => out.push(other),
        }
    }
    out.push('"');
}

fn escape(out: &mut String, character: char) {
    out.push_str(&format!("\\u{:04x}", u32::from(character)));
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    file: FileId,
    /// Where keys of an object come again.
    repeated: Vec<u32>,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn error(&self, message: impl Into<String>) -> JsonError {
        JsonError {
            offset: self.at,
            message: message.into(),
        }
    }

    /// Go's wording: `invalid character 'x' looking for …` or the end of the input.
    fn invalid(&self, context: &str) -> JsonError {
        match self
            .text
            .get(self.at..)
            .and_then(|rest| rest.chars().next())
        {
            Some('\'') => self.error(format!("invalid character '\\'' {context}")),
            Some(character) => self.error(format!(
                "invalid character '{}' {context}",
                character.escape_debug()
            )),
            None => self.error("unexpected end of JSON input"),
        }
    }

    fn span(&self, start: usize) -> Span {
        Span::new(self.file, start, self.at)
    }

    fn value(&mut self) -> Result<Node, JsonError> {
        self.skip_space();
        let start = self.at;
        let value = match self.peek() {
            Some(b'{') => self.nested(Self::object)?,
            Some(b'[') => self.nested(Self::array)?,
            Some(b'"') => NodeValue::Str {
                text: self.string()?,
                style: Style::Double,
            },
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.literal("true", NodeValue::Bool(true))?,
            Some(b'f') => self.literal("false", NodeValue::Bool(false))?,
            Some(b'n') => self.literal("null", NodeValue::Null)?,
            Some(_) | None => return Err(self.invalid("looking for beginning of value")),
        };
        Ok(Node::new(value, self.span(start)))
    }

    fn nested(
        &mut self,
        inside: fn(&mut Self) -> Result<NodeValue, JsonError>,
    ) -> Result<NodeValue, JsonError> {
        if self.depth >= MAX_DEPTH {
            return Err(self.error(format!("exceeded max depth of {MAX_DEPTH}")));
        }
        self.depth += 1;
        let value = inside(self);
        self.depth -= 1;
        value
    }

    fn object(&mut self) -> Result<NodeValue, JsonError> {
        self.at += 1;
        let mut entries = Vec::new();
        let mut places: rustc_hash::FxHashMap<Arc<str>, usize> = rustc_hash::FxHashMap::default();
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(NodeValue::Map(entries));
        }
        loop {
            self.skip_space();
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.invalid("looking for beginning of object key string"));
            }
            let key = Key {
                text: self.string()?,
                span: self.span(start),
            };
            self.skip_space();
            if self.peek() != Some(b':') {
                return Err(self.invalid("after object key"));
            }
            self.at += 1;
            let entry = Entry {
                key,
                value: self.value()?,
            };
            // A repeated key keeps its last value, as encoding/json does.
            match places.get(&entry.key.text) {
                Some(&place) => {
                    self.repeated.push(entry.key.span.start);
                    entries[place] = entry;
                }
                None => {
                    places.insert(entry.key.text.clone(), entries.len());
                    entries.push(entry);
                }
            }
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(NodeValue::Map(entries));
                }
                Some(_) | None => return Err(self.invalid("after object key:value pair")),
            }
        }
    }

    fn array(&mut self) -> Result<NodeValue, JsonError> {
        self.at += 1;
        let mut items = Vec::new();
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(NodeValue::Seq(items));
        }
        loop {
            items.push(self.value()?);
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(NodeValue::Seq(items));
                }
                Some(_) | None => return Err(self.invalid("after array element")),
            }
        }
    }

    fn literal(&mut self, word: &str, value: NodeValue) -> Result<NodeValue, JsonError> {
        for byte in word.bytes() {
            if self.peek() != Some(byte) {
                return Err(self.invalid(&format!("in literal {word}")));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn number(&mut self) -> Result<NodeValue, JsonError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = &self.text[start..self.at];
        scalar::decimal(text).ok_or_else(|| self.error(format!("number {text} is out of range")))
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.invalid("in numeric literal"));
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn string(&mut self) -> Result<Arc<str>, JsonError> {
        self.at += 1;
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        let plain = rest
            .iter()
            .position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1F))
            .unwrap_or(rest.len());
        self.at += plain;
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(self.text[start..self.at - 1].into());
        }
        let mut out = String::from(&self.text[start..self.at]);
        loop {
            let Some(character) = self.text[self.at..].chars().next() else {
                return Err(self.error("unexpected end of JSON input"));
            };
            match character {
                '"' => {
                    self.at += 1;
                    return Ok(out.into());
                }
                '\\' => {
                    self.at += 1;
                    out.push(self.escape()?);
                }
                control if u32::from(control) < 0x20 => {
                    return Err(self.invalid("in string literal"));
                }
                other => {
                    self.at += other.len_utf8();
                    out.push(other);
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let character = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode();
            }
            Some(_) | None => return Err(self.invalid("in string escape code")),
        };
        self.at += 1;
        Ok(character)
    }

    /// After `\u`: one unit, or a pair of surrogates; a lone one becomes U+FFFD as in Go.
    fn unicode(&mut self) -> Result<char, JsonError> {
        let first = self.hex()?;
        if (0xD800..0xDC00).contains(&first) && self.text[self.at..].starts_with("\\u") {
            let back = self.at;
            self.at += 2;
            let second = self.hex()?;
            if (0xDC00..0xE000).contains(&second) {
                let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                return Ok(char::from_u32(code).unwrap_or('\u{FFFD}'));
            }
            self.at = back;
        }
        Ok(char::from_u32(first).unwrap_or('\u{FFFD}'))
    }

    fn hex(&mut self) -> Result<u32, JsonError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else {
                return Err(self.invalid("in \\u hexadecimal character escape"));
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::parse;
    use crate::manifest::lines::FileId;

    fn error(text: &str) -> String {
        match parse(text, FileId(0)) {
            Ok(node) => format!("{:?}", node.to_value()),
            Err(error) => format!("{} at {}", error.message, error.offset),
        }
    }

    #[test]
    fn errors_read_as_in_go() {
        expect!["invalid character '}' looking for beginning of object key string at 7"]
            .assert_eq(&error(r#"{"a":1,}"#));
        expect!["unexpected end of JSON input at 4"].assert_eq(&error(r#"{"a""#));
        expect!["invalid character 'x' after top-level value at 1"].assert_eq(&error("1x"));
        expect!["invalid character 'q' in string escape code at 2"].assert_eq(&error(r#""\q""#));
        expect![[r#"String("😀�x")"#]].assert_eq(&error(r#""\ud83d\ude00\ud83dx""#));
        expect!["exceeded max depth of 128 at 128"].assert_eq(&error(&"[".repeat(300)));
    }
}
