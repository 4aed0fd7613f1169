//! Text to an expression. The grammar is that of CEL; macros are recognised here, as upstream does.

use std::sync::Arc;

use crate::base::double;
use crate::base::sentence::catalogue;
use crate::manifest::value::Value;

use super::{DEPTH_MAX, Expr, Fault, NODES_DEEP_MAX, Node, TEXT_MAX};

/// Functions and methods, with the numbers of their arguments (a receiver counts).
const FUNCTIONS: [(&str, bool, usize, usize); 24] = [
    ("size", false, 1, 1),
    ("int", false, 1, 1),
    ("string", false, 1, 1),
    ("double", false, 1, 1),
    ("dyn", false, 1, 1),
    ("size", true, 1, 1),
    ("startsWith", true, 2, 2),
    ("endsWith", true, 2, 2),
    ("contains", true, 2, 2),
    ("matches", true, 2, 2),
    ("matches", false, 2, 2),
    ("lowerAscii", true, 1, 1),
    ("upperAscii", true, 1, 1),
    ("trim", true, 1, 1),
    ("split", true, 2, 2),
    ("replace", true, 3, 3),
    ("substring", true, 2, 3),
    ("join", true, 1, 2),
    ("indexOf", true, 2, 2),
    ("lastIndexOf", true, 2, 2),
    ("isSorted", true, 1, 1),
    ("sum", true, 1, 1),
    ("min", true, 1, 1),
    ("max", true, 1, 1),
];

/// Macros over lists and maps.
const MACROS: [&str; 5] = ["all", "exists", "exists_one", "filter", "map"];

/// Binary operators from the loosest level to the tightest; longer ones first within a level.
const LEVELS: [&[&str]; 5] = [
    &["||"],
    &["&&"],
    &["<=", ">=", "==", "!=", "<", ">", "in"],
    &["+", "-"],
    &["*", "/", "%"],
];

/// Words that name nothing. Source: cel-go `parser/gen/CEL.g4` and `parser.go`, `reservedIds`.
const RESERVED: [&str; 18] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
    "in",
];

struct Parser {
    letters: Vec<char>,
    at: usize,
}

/// Reads an expression.
///
/// # Errors
/// A syntax error with its place, or what is not modelled.
pub fn parse(text: &str) -> Result<Expr, Fault> {
    if text.len() > TEXT_MAX {
        return Err(Fault::NotModelled(
            catalogue::MORE_THAN
                .with(&[("most", &TEXT_MAX)])
                .and("what", catalogue::BYTES.plain()),
        ));
    }
    let mut parser = Parser {
        letters: text.chars().collect(),
        at: 0,
    };
    let expr = parser.either(0)?;
    match parser.peek() {
        None => Ok(expr),
        Some(letter) => Err(parser.wrong(&format!("unexpected '{letter}'"))),
    }
}

/// A node at a place, unless it is too deep to walk.
fn made(at: u32, node: Node) -> Result<Expr, Fault> {
    let inner = node.inner().iter().map(|inner| inner.deep).max();
    let deep = inner.unwrap_or(0) + 1;
    if deep > NODES_DEEP_MAX {
        return Err(Fault::NotModelled(
            catalogue::MORE_THAN
                .with(&[("most", &NODES_DEEP_MAX)])
                .and("what", catalogue::LEVELS.plain()),
        ));
    }
    Ok(Expr { at, deep, node })
}

impl Parser {
    fn wrong(&self, message: &str) -> Fault {
        Fault::Wrong(self.place(), format!("Syntax error: {message}"))
    }

    fn place(&self) -> u32 {
        u32::try_from(self.at).unwrap_or(u32::MAX)
    }

    /// The next letter that is neither blank nor comment.
    fn peek(&mut self) -> Option<char> {
        loop {
            match self.letters.get(self.at) {
                Some(letter) if letter.is_whitespace() => self.at += 1,
                Some('/') if self.letters.get(self.at + 1) == Some(&'/') => {
                    while self
                        .letters
                        .get(self.at)
                        .is_some_and(|letter| *letter != '\n')
                    {
                        self.at += 1;
                    }
                }
                other => return other.copied(),
            }
        }
    }

    fn take(&mut self, token: &str) -> bool {
        self.peek();
        let count = token.chars().count();
        let is = self.letters[self.at..]
            .iter()
            .take(count)
            .copied()
            .eq(token.chars());
        let word = token.chars().all(char::is_alphanumeric);
        let goes_on = self
            .letters
            .get(self.at + count)
            .is_some_and(|next| next.is_alphanumeric() || *next == '_');
        if !is || word && goes_on {
            return false;
        }
        self.at += count;
        true
    }

    fn expect(&mut self, token: &str) -> Result<(), Fault> {
        if self.take(token) {
            return Ok(());
        }
        let seen = self.peek().map_or("<EOF>".to_owned(), String::from);
        Err(self.wrong(&format!("mismatched input '{seen}' expecting '{token}'")))
    }

    fn either(&mut self, depth: u32) -> Result<Expr, Fault> {
        if depth > DEPTH_MAX {
            return Err(self.wrong(&format!("expression recursion limit exceeded: {DEPTH_MAX}")));
        }
        let condition = self.binary(0, depth)?;
        self.peek();
        let at = self.place();
        if !self.take("?") {
            return Ok(condition);
        }
        let yes = self.binary(0, depth + 1)?;
        self.expect(":")?;
        let no = self.either(depth + 1)?;
        let node = Node::Either(Box::new([condition, yes, no]));
        made(at, node)
    }

    fn binary(&mut self, level: usize, depth: u32) -> Result<Expr, Fault> {
        let Some(operators) = LEVELS.get(level) else {
            return self.prefix(depth);
        };
        let mut left = self.binary(level + 1, depth)?;
        loop {
            self.peek();
            let at = self.place();
            let Some(&operator) = operators.iter().find(|operator| self.take(operator)) else {
                return Ok(left);
            };
            let right = self.binary(level + 1, depth)?;
            left = made(at, Node::Binary(operator, Box::new([left, right])))?;
        }
    }

    fn prefix(&mut self, depth: u32) -> Result<Expr, Fault> {
        let first = self.peek();
        let at = self.place();
        let sign = match first {
            Some(sign @ ('!' | '-')) => sign,
            _ => return self.member(depth),
        };
        self.at += 1;
        if depth >= DEPTH_MAX {
            return Err(self.wrong(&format!("expression recursion limit exceeded: {DEPTH_MAX}")));
        }
        if sign == '-' && self.letters.get(self.at).is_some_and(char::is_ascii_digit) {
            self.at -= 1;
            return self.member(depth);
        }
        let of = self.prefix(depth + 1)?;
        let node = Node::Prefix(sign, Box::new(of));
        made(at, node)
    }

    fn member(&mut self, depth: u32) -> Result<Expr, Fault> {
        let mut expr = self.primary(depth)?;
        loop {
            self.peek();
            let at = self.place();
            if self.take("[") {
                if self.take("?") {
                    return Err(Fault::lacks("[?…]"));
                }
                let index = self.either(depth + 1)?;
                self.expect("]")?;
                expr = made(at, Node::Index(Box::new([expr, index])))?;
            } else if self.take(".") {
                if self.take("?") {
                    return Err(Fault::lacks(".?"));
                }
                self.peek();
                let Some(name) = self.word() else {
                    return Err(self.wrong("a name must follow '.'"));
                };
                expr = if self.take("(") {
                    self.call(at, &name, Some(expr), depth)?
                } else {
                    let (of, field) = (Box::new(expr), unescaped(&name));
                    let node = Node::Select {
                        of,
                        field,
                        has: false,
                    };
                    made(at, node)?
                };
            } else {
                return Ok(expr);
            }
        }
    }

    fn word(&mut self) -> Option<String> {
        let start = self.at;
        if self.letters.get(start).is_some_and(char::is_ascii_digit) {
            return None;
        }
        while self
            .letters
            .get(self.at)
            .is_some_and(|letter| letter.is_ascii_alphanumeric() || *letter == '_')
        {
            self.at += 1;
        }
        (self.at > start).then(|| self.letters[start..self.at].iter().collect())
    }

    fn primary(&mut self, depth: u32) -> Result<Expr, Fault> {
        let first = self.peek();
        let at = self.place();
        if self.take("(") {
            let inner = self.either(depth + 1)?;
            self.expect(")")?;
            return Ok(inner);
        }
        if self.take("[") {
            let items = self.list("]", depth)?;
            return made(at, Node::List(items));
        }
        if self.take("{") {
            return self.map(at, depth);
        }
        let Some(first) = first else {
            return Err(self.wrong("mismatched input '<EOF>'"));
        };
        if first.is_ascii_digit() || first == '-' {
            return self.number(at);
        }
        let next = self.letters.get(self.at + 1).copied().unwrap_or(' ');
        let quoted = |letter: char| matches!(letter, '"' | '\'');
        if quoted(first) || matches!(first, 'r' | 'R') && quoted(next) {
            let text = self.text()?;
            let node = Node::Literal(text.into());
            return made(at, node);
        }
        if matches!(first, 'b' | 'B') && quoted(next) {
            return Err(Fault::lacks("bytes"));
        }
        let Some(word) = self.word() else {
            return Err(self.wrong(&format!("unexpected '{first}'")));
        };
        if self.take("(") {
            return self.call(at, &word, None, depth);
        }
        let node = match word.as_str() {
            "true" | "false" => Node::Literal((word == "true").into()),
            "null" => Node::Literal(Value::Null),
            word if RESERVED.contains(&word) => {
                return Err(Fault::Wrong(at, format!("reserved identifier: {word}")));
            }
            word => Node::Name(word.into()),
        };
        made(at, node)
    }

    fn list(&mut self, end: &str, depth: u32) -> Result<Vec<Expr>, Fault> {
        let mut items = Vec::new();
        while !self.take(end) {
            if !items.is_empty() {
                self.expect(",")?;
                if self.take(end) {
                    break;
                }
            }
            items.push(self.either(depth + 1)?);
        }
        Ok(items)
    }

    fn map(&mut self, at: u32, depth: u32) -> Result<Expr, Fault> {
        let mut entries = Vec::new();
        while !self.take("}") {
            if !entries.is_empty() {
                self.expect(",")?;
                if self.take("}") {
                    break;
                }
            }
            let key = self.either(depth + 1)?;
            self.expect(":")?;
            entries.push((key, self.either(depth + 1)?));
        }
        let node = Node::Map(entries);
        made(at, node)
    }

    /// The arguments of a call whose bracket is open, and what it means.
    fn call(&mut self, at: u32, name: &str, on: Option<Expr>, depth: u32) -> Result<Expr, Fault> {
        let mut of = self.list(")", depth)?;
        if name == "has" && on.is_none() {
            let Some(Expr {
                node: Node::Select { of, field, .. },
                at,
                ..
            }) = of.pop().filter(|_| of.is_empty())
            else {
                return Err(Fault::Wrong(
                    at,
                    "invalid argument to has() macro".to_owned(),
                ));
            };
            let node = Node::Select {
                of,
                field,
                has: true,
            };
            return made(at, node);
        }
        if let (Some(&known), Some(_)) = (MACROS.iter().find(|known| **known == name), &on) {
            return self.comprehension(at, known, on, of);
        }
        let method = on.is_some();
        if let Some(on) = on {
            of.insert(0, on);
        }
        let known = FUNCTIONS
            .iter()
            .find(|(known, is_method, ..)| *known == name && *is_method == method);
        match known {
            Some((name, _, least, most)) if (*least..=*most).contains(&of.len()) => {
                let node = Node::Call { name, method, of };
                made(at, node)
            }
            Some(_) => Err(Fault::Wrong(
                at,
                format!(
                    "found no matching overload for '{name}' with {} arguments",
                    of.len()
                ),
            )),
            None => Err(Fault::lacks(format!("{name}()"))),
        }
    }

    fn comprehension(
        &self,
        at: u32,
        name: &'static str,
        on: Option<Expr>,
        mut of: Vec<Expr>,
    ) -> Result<Expr, Fault> {
        let most = if name == "map" { 3 } else { 2 };
        if of.len() > most && of.len() <= 3 {
            return Err(Fault::lacks(format!("{name}(i, v, …)")));
        }
        if of.len() < 2 || of.len() > most {
            return Err(Fault::Wrong(
                at,
                format!("invalid number of arguments of {name}()"),
            ));
        }
        let Node::Name(variable) = of.remove(0).node else {
            return Err(Fault::Wrong(
                at,
                "argument must be a simple name".to_owned(),
            ));
        };
        let Some(on) = on else {
            return Err(Fault::Wrong(at, format!("{name}() needs a list or a map")));
        };
        let node = Node::Macro {
            name,
            of: Box::new(on),
            variable,
            bodies: of,
        };
        made(at, node)
    }

    fn number(&mut self, at: u32) -> Result<Expr, Fault> {
        let start = self.at;
        self.at += usize::from(self.letters[start] == '-');
        let is_hex = self.letters.get(self.at) == Some(&'0')
            && matches!(self.letters.get(self.at + 1), Some('x' | 'X'));
        self.at += if is_hex { 2 } else { 0 };
        let mut whole = true;
        while let Some(letter) = self.letters.get(self.at) {
            let before = self.letters[self.at.max(start + 1) - 1];
            match letter {
                digit if digit.is_ascii_digit() || is_hex && digit.is_ascii_hexdigit() => {}
                '.' if whole
                    && self
                        .letters
                        .get(self.at + 1)
                        .is_some_and(char::is_ascii_digit) =>
                {
                    whole = false;
                }
                'e' | 'E' if !is_hex => whole = false,
                '+' | '-' if matches!(before, 'e' | 'E') && !is_hex => {}
                _ => break,
            }
            self.at += 1;
        }
        let text: String = self.letters[start..self.at].iter().collect();
        if matches!(self.letters.get(self.at), Some('u' | 'U')) {
            return Err(Fault::lacks("uint"));
        }
        let value = if is_hex {
            i64::from_str_radix(&text.replacen("0x", "", 1).replacen("0X", "", 1), 16)
                .ok()
                .map(Value::Int)
        } else if whole {
            text.parse().ok().map(Value::Int)
        } else {
            double::parse(&text)
                .filter(|number| number.is_finite())
                .map(super::eval::double)
        };
        match value {
            Some(value) => {
                let node = Node::Literal(value);
                made(at, node)
            }
            None => Err(Fault::Wrong(
                at,
                "Syntax error: invalid number literal".to_owned(),
            )),
        }
    }

    fn text(&mut self) -> Result<String, Fault> {
        let raw = matches!(self.letters[self.at], 'r' | 'R');
        self.at += usize::from(raw);
        let quote = self.letters[self.at];
        let triple = self.letters[self.at..].starts_with(&[quote, quote, quote]);
        let width = if triple { 3 } else { 1 };
        self.at += width;
        let mut text = String::new();
        loop {
            let Some(letter) = self.letters.get(self.at).copied() else {
                return Err(self.wrong("a text is not closed"));
            };
            if self.letters[self.at..].starts_with(&[quote; 3][..width]) {
                self.at += width;
                return Ok(text);
            }
            self.at += 1;
            match letter {
                '\n' if !triple => return Err(self.wrong("a text is not closed")),
                '\\' if !raw => text.push(self.escape()?),
                letter => text.push(letter),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Fault> {
        let letter = self.letters.get(self.at).copied().unwrap_or(' ');
        self.at += 1;
        let digits = match letter {
            'n' => return Ok('\n'),
            't' => return Ok('\t'),
            'r' => return Ok('\r'),
            'a' => return Ok('\u{7}'),
            'b' => return Ok('\u{8}'),
            'f' => return Ok('\u{c}'),
            'v' => return Ok('\u{b}'),
            '\\' | '"' | '\'' | '`' | '?' => return Ok(letter),
            'x' | 'X' => 2,
            'u' => 4,
            'U' => 8,
            _ => return Err(self.wrong("unknown escape")),
        };
        let end = self.letters.len().min(self.at + digits);
        let code: String = self.letters[self.at..end].iter().collect();
        self.at = end;
        u32::from_str_radix(&code, 16)
            .ok()
            .filter(|_| code.len() == digits)
            .and_then(char::from_u32)
            .ok_or_else(|| self.wrong("unknown escape"))
    }
}

/// A field's name from how it must be written. Source: `apiserver/pkg/cel/escaping.go`.
fn unescaped(name: &str) -> Arc<str> {
    if let Some(inner) = name
        .strip_prefix("__")
        .and_then(|rest| rest.strip_suffix("__"))
        && (RESERVED.contains(&inner) || matches!(inner, "true" | "false" | "null"))
    {
        return inner.into();
    }
    let mut plain = name.to_owned();
    for (escape, letter) in [
        ("__dot__", "."),
        ("__dash__", "-"),
        ("__slash__", "/"),
        ("__underscores__", "__"),
    ] {
        plain = plain.replace(escape, letter);
    }
    plain.into()
}
