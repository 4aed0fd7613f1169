//! Reading a template: text and actions to nodes. Source: Go's `text/template/parse/{lex,parse}.go`.

use crate::base::limits::MAX_DEPTH;
use crate::base::sentence::{Sentence, catalogue};
use crate::manifest::value::Value;

use super::functions;
use super::{Argument, Dialect, Node, Pipe, What};

/// Reads all of a template.
///
/// # Errors
/// Go's text, which names the line.
pub(super) fn nodes(text: &str, dialect: Dialect) -> Result<Vec<Node>, Sentence> {
    let mut reader = Reader {
        text,
        at: 0,
        dialect,
        variables: vec!["$".to_owned()],
        depth: 0,
        ranges: 0,
    };
    let (nodes, end) = reader.list()?;
    match end {
        None => Ok(nodes),
        Some(word) => Err(reader.wrong(format!("unexpected {{{{{word}}}}}"))),
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    dialect: Dialect,
    variables: Vec<String>,
    depth: usize,
    ranges: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn wrong(&self, said: impl Into<Sentence>) -> Sentence {
        self.here(said.into())
    }

    #[inline(never)]
    fn here(&self, said: Sentence) -> Sentence {
        let lines = self.text[..self.at].matches('\n').count();
        said.behind(&format!("template: {}:{}: ", self.dialect.name, lines + 1))
    }

    fn deeper(&mut self) -> Result<(), Sentence> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.wrong(catalogue::TEMPLATE_DEEP.plain()));
        }
        Ok(())
    }

    /// Nodes to the end, or to an `end` or `else`, whose word is left to be read.
    fn list(&mut self) -> Result<(Vec<Node>, Option<&'static str>), Sentence> {
        let mut nodes = Vec::new();
        while self.at < self.text.len() {
            let length = self.rest().find("{{").unwrap_or(self.rest().len());
            let mut plain = &self.rest()[..length];
            self.at += length;
            let opens = self.at < self.text.len();
            let trims = opens && trims_before(&self.rest()[2..]);
            if trims {
                plain = plain.trim_end_matches(SPACE);
            }
            if !plain.is_empty() {
                nodes.push(Node::Text(plain.to_owned()));
            }
            if !opens {
                break;
            }
            let start = self.at;
            self.at += if trims { 3 } else { 2 };
            if self.comment(trims)? {
                continue;
            }
            self.blanks();
            let word = self.word();
            match word {
                "end" | "else" if nodes_end(self.rest(), word) => {
                    return Ok((nodes, Some(if word == "end" { "end" } else { "else" })));
                }
                "if" | "with" | "range" => {
                    self.at += word.len();
                    nodes.push(self.block(word)?);
                }
                "break" | "continue" => {
                    self.at += word.len();
                    if self.ranges == 0 {
                        return Err(self.wrong(format!("{{{{{word}}}}} outside {{{{range}}}}")));
                    }
                    self.close(start)?;
                    nodes.push(if word == "break" {
                        Node::Break
                    } else {
                        Node::Continue
                    });
                }
                "define" | "template" | "block" => {
                    return Err(self.wrong(
                        catalogue::NOT_MODELLED.with(&[("what", &format!("{{{{{word}}}}}"))]),
                    ));
                }
                _ => {
                    let pipe = self.pipe(false)?;
                    self.close(start)?;
                    nodes.push(Node::Action(pipe));
                }
            }
        }
        Ok((nodes, None))
    }

    /// A comment, which has an action of its own.
    fn comment(&mut self, trims: bool) -> Result<bool, Sentence> {
        let text = self.rest();
        let text = if trims {
            text.trim_start_matches(SPACE)
        } else {
            text
        };
        if !text.starts_with("/*") {
            return Ok(false);
        }
        self.at = self.text.len() - text.len();
        let Some(end) = text.find("*/") else {
            return Err(self.wrong("unclosed comment"));
        };
        self.at += end + 2;
        if !self.ends() {
            return Err(self.wrong("comment ends before closing delimiter"));
        }
        Ok(true)
    }

    /// `}}`, or ` -}}` and the white space behind it.
    fn ends(&mut self) -> bool {
        let rest = self.rest();
        if let Some(after) = rest.strip_prefix("}}") {
            self.at = self.text.len() - after.len();
            return true;
        }
        let inner = rest.trim_start_matches(SPACE);
        if inner.len() < rest.len()
            && let Some(after) = inner.strip_prefix("-}}")
        {
            self.at = self.text.len() - after.trim_start_matches(SPACE).len();
            return true;
        }
        false
    }

    /// The end of an action.
    fn close(&mut self, start: usize) -> Result<(), Sentence> {
        if self.ends() {
            return Ok(());
        }
        self.blanks();
        if self.ends() {
            return Ok(());
        }
        match self.rest().chars().next() {
            None => {
                self.at = start;
                Err(self.wrong("unclosed action"))
            }
            Some('\'') => Err(self.wrong("malformed character constant")),
            Some(other) => {
                Err(self.wrong(format!("unexpected {:?} in operand", other.to_string())))
            }
        }
    }

    fn blanks(&mut self) {
        // A trim marker needs its blank.
        let inner = self.rest().trim_start_matches(SPACE);
        if !inner.starts_with("-}}") {
            self.at = self.text.len() - inner.len();
        }
    }

    fn word(&self) -> &'t str {
        let rest = self.rest();
        let end = rest
            .find(|letter: char| !is_letter(letter))
            .unwrap_or(rest.len());
        &rest[..end]
    }

    /// `if`, `with` or `range` with all that belongs to it.
    fn block(&mut self, word: &str) -> Result<Node, Sentence> {
        self.deeper()?;
        let (start, mark) = (self.at, self.variables.len());
        let pipe = self.pipe(word == "range")?;
        self.close(start)?;
        self.ranges += usize::from(word == "range");
        let (inner, end) = self.list()?;
        self.ranges -= usize::from(word == "range");
        let mut otherwise = Vec::new();
        match end {
            None => return Err(self.wrong("unexpected EOF")),
            Some("else") => {
                self.at += 4;
                self.blanks();
                let next = self.word();
                if next == word && word != "range" {
                    // Its end is the end of both.
                    self.at += next.len();
                    otherwise.push(self.block(word)?);
                    self.variables.truncate(mark);
                    self.depth -= 1;
                    return Ok(made(word, pipe, inner, otherwise));
                }
                self.close(start)?;
                let (nodes, end) = self.list()?;
                otherwise = nodes;
                match end {
                    None => return Err(self.wrong("unexpected EOF")),
                    Some("else") => return Err(self.wrong("expected end; found {{else}}")),
                    Some(_) => {}
                }
            }
            Some(_) => {}
        }
        self.at += 3;
        self.close(start)?;
        self.variables.truncate(mark);
        self.depth -= 1;
        Ok(made(word, pipe, inner, otherwise))
    }

    /// Commands with `|` between them, and variables before them.
    fn pipe(&mut self, is_range: bool) -> Result<Pipe, Sentence> {
        self.blanks();
        let from = self.at;
        let (variables, assigns) = self.declared(is_range);
        let mut commands = Vec::new();
        loop {
            let command = self.command()?;
            if command.is_empty() {
                let unclosed = self.at >= self.text.len();
                return Err(self.wrong(if unclosed {
                    "unclosed action"
                } else {
                    "missing value for command"
                }));
            }
            if let (Some(first), false) = (command.first(), commands.is_empty())
                && let What::Constant(_) | What::Dot | What::Nil = first.what
            {
                let text = &self.text[first.from..first.to];
                let place = commands.len() + 1;
                return Err(self.wrong(format!(
                    "non executable command in pipeline stage {place}: {text}"
                )));
            }
            commands.push(command);
            self.blanks();
            if !self.rest().starts_with('|') {
                break;
            }
            self.at += 1;
        }
        // As Go, which finds out only at the execution that what is assigned was never declared.
        self.variables.extend_from_slice(&variables);
        let to = from + self.text[from..self.at].trim_end_matches(SPACE).len();
        Ok(Pipe {
            variables,
            assigns,
            commands,
            from,
            to,
        })
    }

    /// `$x :=`, `$x =`, `$i, $x :=`.
    fn declared(&mut self, is_range: bool) -> (Vec<String>, bool) {
        let start = self.at;
        let mut names = Vec::new();
        while self.rest().starts_with('$') {
            self.at += 1;
            names.push(format!("${}", self.word()));
            self.at += self.word().len();
            self.blanks();
            for (sign, assigns) in [(":=", false), ("=", true)] {
                if self.rest().starts_with(sign) {
                    self.at += sign.len();
                    return (names, assigns);
                }
            }
            if !is_range || names.len() > 1 || !self.rest().starts_with(',') {
                break;
            }
            self.at += 1;
            self.blanks();
        }
        self.at = start;
        (Vec::new(), false)
    }

    fn command(&mut self) -> Result<Vec<Argument>, Sentence> {
        let mut arguments = Vec::new();
        loop {
            self.blanks();
            let rest = self.rest();
            if rest.is_empty()
                || rest.starts_with(['|', ')'])
                || rest.starts_with("}}")
                || rest.trim_start_matches(SPACE).starts_with("-}}")
            {
                return Ok(arguments);
            }
            arguments.push(self.operand()?);
        }
    }

    fn operand(&mut self) -> Result<Argument, Sentence> {
        let from = self.at;
        let first = self.rest().chars().next().unwrap_or(' ');
        let mut what = match first {
            '.' => {
                if self.rest()[1..].starts_with(is_letter) {
                    What::Field(Vec::new())
                } else {
                    self.at += 1;
                    What::Dot
                }
            }
            '$' => {
                self.at += 1;
                let name = format!("${}", self.word());
                self.at += self.word().len();
                if !self.variables.contains(&name) {
                    return Err(self.wrong(format!("undefined variable {name:?}")));
                }
                What::Variable(name, Vec::new())
            }
            '(' => {
                self.deeper()?;
                self.at += 1;
                let pipe = self.pipe(false)?;
                self.blanks();
                if !self.rest().starts_with(')') {
                    return Err(self.wrong("unclosed left paren"));
                }
                self.at += 1;
                self.depth -= 1;
                What::Chain(Box::new(pipe), Vec::new())
            }
            '"' => What::Constant(Value::string(&self.quoted()?)),
            '`' => {
                let Some(length) = self.rest()[1..].find('`') else {
                    return Err(self.wrong("unterminated raw quoted string"));
                };
                let text = &self.rest()[1..=length];
                self.at += length + 2;
                What::Constant(Value::string(text))
            }
            '0'..='9' | '+' | '-' => What::Constant(self.number()?),
            _ if is_letter(first) => {
                let word = self.word();
                match word {
                    "true" | "false" => What::Constant(Value::Bool(word == "true")),
                    "nil" => What::Nil,
                    _ if functions::OWN.contains(&word)
                        || self.dialect.functions.contains(&word) =>
                    {
                        What::Function(word.to_owned())
                    }
                    _ => return Err(self.wrong(format!("function {word:?} not defined"))),
                }
            }
            '\'' => return Err(self.wrong("malformed character constant")),
            _ => return Err(self.wrong(format!("unexpected {:?} in command", first.to_string()))),
        };
        if let What::Function(word) = &what {
            self.at += word.len();
        } else if let What::Constant(Value::Bool(_)) | What::Nil = what {
            self.at += self.word().len();
        }
        // A chain of fields stands where its second one does.
        let mut at = from;
        let mut count = usize::from(!matches!(what, What::Field(_)));
        while self.rest().starts_with('.') && self.rest()[1..].starts_with(is_letter) {
            let fields = match &mut what {
                What::Field(fields) | What::Variable(_, fields) | What::Chain(_, fields) => fields,
                _ => return Err(self.wrong("unexpected . after term")),
            };
            if count == 1 {
                at = self.at;
            }
            count += 1;
            self.at += 1;
            let word = self.word();
            fields.push(word.to_owned());
            self.at += word.len();
        }
        Ok(Argument {
            what,
            at,
            from,
            to: self.at,
        })
    }

    fn quoted(&mut self) -> Result<String, Sentence> {
        let mut characters = self.rest().char_indices().skip(1);
        let mut text = String::new();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.at += at + 1;
                    return Ok(text);
                }
                '\n' => break,
                '\\' => match characters.next().map(|(_, next)| next) {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some('r') => text.push('\r'),
                    Some(same @ ('"' | '\\')) => text.push(same),
                    Some(_) => return Err(self.wrong("invalid syntax")),
                    None => break,
                },
                other => text.push(other),
            }
        }
        Err(self.wrong("unterminated quoted string"))
    }

    fn number(&mut self) -> Result<Value, Sentence> {
        let rest = self.rest();
        let end = rest[1..].find(|letter: char| !is_letter(letter) && letter != '.');
        let text = &rest[..end.map_or(rest.len(), |end| end + 1)];
        let number = match text.parse::<i64>() {
            Ok(number) => Value::Int(number),
            Err(_) if is_fraction(text) => Value::Number(text.into()),
            Err(_) => return Err(self.wrong(format!("bad number syntax: {text:?}"))),
        };
        self.at += text.len();
        Ok(number)
    }
}

/// What Go's lexer calls space.
const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

fn is_letter(letter: char) -> bool {
    letter == '_' || letter.is_alphanumeric()
}

/// Whether it is a number with a point.
fn is_fraction(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    text.split_once('.')
        .is_some_and(|(whole, part)| digits(whole) && digits(part))
}

/// Whether an action begins with a trim marker: a minus and a blank.
fn trims_before(inner: &str) -> bool {
    inner
        .strip_prefix('-')
        .is_some_and(|rest| rest.starts_with(SPACE))
}

/// Whether it is the word alone, or `else if`, `else with`.
fn nodes_end(rest: &str, word: &str) -> bool {
    let after = rest[word.len()..].trim_start_matches(SPACE);
    after.is_empty()
        || after.starts_with("}}")
        || after.starts_with("-}}")
        || word == "else" && (after.starts_with("if") || after.starts_with("with"))
}

fn made(word: &str, pipe: Pipe, inner: Vec<Node>, otherwise: Vec<Node>) -> Node {
    match word {
        "if" => Node::If(pipe, inner, otherwise),
        "with" => Node::With(pipe, inner, otherwise),
        _ => Node::Range(pipe, inner, otherwise),
    }
}
