//! kubectl's JSONPath templates: `{.items[*].metadata.name}`, `{range .items[*]}…{end}`,
//! `{.status.conditions[?(@.type=="Ready")].status}`. Source: `k8s.io/client-go/util/jsonpath`.
//! Missing keys give nothing, as `kubectl get` has it.

use std::cmp::Ordering;

use crate::manifest::value::Value;

use super::print::{KeyOrder, json};

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Path(Vec<Step>),
    Range(Vec<Step>, Vec<Part>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Root,
    Field(String),
    All,
    Deep,
    Index(i64),
    Slice(Option<i64>, Option<i64>, i64),
    Union(Vec<Step>),
    Filter(Box<Operand>, Option<(Compare, Box<Operand>)>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Operand {
    Path(Vec<Step>),
    Literal(Value),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compare {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A value as a template prints it.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.to_string(),
        other => json(other, KeyOrder::Sorted),
    }
}

impl Template {
    /// Parses a template with its braces.
    ///
    /// # Errors
    /// Upstream's text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader { rest: text };
        let parts = reader.parts(false)?;
        Ok(Self(parts))
    }

    /// Parses a path as `--sort-by` and custom columns take it: braces and first dot may be left out.
    ///
    /// # Errors
    /// Upstream's text.
    pub fn relaxed(text: &str) -> Result<Self, String> {
        if text.contains('{') {
            return Self::parse(text);
        }
        let dot = if text.starts_with(['.', '[']) {
            ""
        } else {
            "."
        };
        Self::parse(&format!("{{{dot}{text}}}"))
    }

    /// The text for a document.
    ///
    /// # Errors
    /// An index that is out of bounds.
    pub fn print(&self, document: &Value) -> Result<String, String> {
        let mut out = String::new();
        write(&self.0, document, document, &mut out)?;
        Ok(out)
    }

    /// Values of the template's first path.
    pub fn values(&self, document: &Value) -> Vec<Value> {
        let path = self.0.iter().find_map(|part| match part {
            Part::Path(steps) => Some(steps),
            Part::Text(_) | Part::Range(..) => None,
        });
        path.and_then(|steps| walk(steps, document, document).ok())
            .unwrap_or_default()
    }

    /// The first value of the template's first path.
    pub fn first(&self, document: &Value) -> Option<Value> {
        self.values(document).into_iter().next()
    }
}

fn write(parts: &[Part], root: &Value, current: &Value, out: &mut String) -> Result<(), String> {
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Path(steps) => {
                let found: Vec<String> = walk(steps, root, current)?.iter().map(text).collect();
                out.push_str(&found.join(" "));
            }
            Part::Range(steps, inner) => {
                for item in walk(steps, root, current)? {
                    write(inner, root, &item, out)?;
                }
            }
        }
    }
    Ok(())
}

fn walk(steps: &[Step], root: &Value, current: &Value) -> Result<Vec<Value>, String> {
    let mut found = vec![current.clone()];
    for step in steps {
        let mut next = Vec::new();
        for value in &found {
            take(step, root, value, &mut next)?;
        }
        found = next;
    }
    Ok(found)
}

fn take(step: &Step, root: &Value, value: &Value, out: &mut Vec<Value>) -> Result<(), String> {
    match step {
        Step::Root => out.push(root.clone()),
        Step::Field(name) => out.extend(value.get(name).cloned()),
        Step::All => match value {
            Value::List(items) => out.extend(items.iter().cloned()),
            Value::Map(map) => out.extend(map.sorted().into_iter().map(|(_, value)| value.clone())),
            _ => {}
        },
        Step::Deep => deep(value, out),
        Step::Index(index) => {
            let Some(items) = value.as_list() else {
                return Ok(());
            };
            let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
            let at = if *index < 0 { index + length } else { *index };
            if at < 0 || at >= length {
                return Err(format!(
                    "array index out of bounds: index {index}, length {length}"
                ));
            }
            out.extend(
                usize::try_from(at)
                    .ok()
                    .and_then(|at| items.get(at))
                    .cloned(),
            );
        }
        Step::Slice(from, to, by) => {
            let Some(items) = value.as_list() else {
                return Ok(());
            };
            let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
            let place = |number: i64| {
                if number < 0 {
                    (number + length).max(0)
                } else {
                    number.min(length)
                }
            };
            let (mut at, to) = (place(from.unwrap_or(0)), place(to.unwrap_or(length)));
            while at < to {
                out.extend(
                    usize::try_from(at)
                        .ok()
                        .and_then(|at| items.get(at))
                        .cloned(),
                );
                at += (*by).max(1);
            }
        }
        Step::Union(steps) => {
            for step in steps {
                take(step, root, value, out)?;
            }
        }
        Step::Filter(left, test) => {
            for item in value.as_list().unwrap_or(&[]) {
                let first = |operand: &Operand| match operand {
                    Operand::Literal(value) => Ok(Some(value.clone())),
                    Operand::Path(steps) => {
                        walk(steps, root, item).map(|found| found.into_iter().next())
                    }
                };
                let left = first(left)?;
                let holds = match test {
                    None => left.is_some(),
                    Some((compare, right)) => match (left, first(right)?) {
                        (Some(left), Some(right)) => holds(*compare, &left, &right),
                        _ => false,
                    },
                };
                if holds {
                    out.push(item.clone());
                }
            }
        }
    }
    Ok(())
}

fn deep(value: &Value, out: &mut Vec<Value>) {
    out.push(value.clone());
    match value {
        Value::List(items) => items.iter().for_each(|item| deep(item, out)),
        Value::Map(map) => map
            .sorted()
            .into_iter()
            .for_each(|(_, value)| deep(value, out)),
        _ => {}
    }
}

fn holds(compare: Compare, left: &Value, right: &Value) -> bool {
    let order = match (left.as_i64(), right.as_i64()) {
        (Some(left), Some(right)) => left.cmp(&right),
        _ => text(left).cmp(&text(right)),
    };
    match compare {
        Compare::Equal => order == Ordering::Equal,
        Compare::NotEqual => order != Ordering::Equal,
        Compare::Less => order == Ordering::Less,
        Compare::LessOrEqual => order != Ordering::Greater,
        Compare::Greater => order == Ordering::Greater,
        Compare::GreaterOrEqual => order != Ordering::Less,
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn eat(&mut self, word: &str) -> bool {
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn until(&mut self, end: &[char]) -> &'a str {
        let at = self.rest.find(end).unwrap_or(self.rest.len());
        let (head, rest) = self.rest.split_at(at);
        self.rest = rest;
        head
    }

    /// Text and braces, to the end or to `{end}`.
    fn parts(&mut self, inside: bool) -> Result<Vec<Part>, String> {
        let mut parts = Vec::new();
        while !self.rest.is_empty() {
            let plain = self.until(&['{']);
            if !plain.is_empty() {
                parts.push(Part::Text(plain.to_owned()));
            }
            if !self.eat("{") {
                break;
            }
            self.blanks();
            if self.eat("end") {
                self.close()?;
                return if inside {
                    Ok(parts)
                } else {
                    Err("not in range, nothing to end".to_owned())
                };
            }
            if self.eat("range") {
                self.blanks();
                let steps = self.path()?;
                self.close()?;
                parts.push(Part::Range(steps, self.parts(true)?));
                continue;
            }
            if self.rest.starts_with(['"', '\'']) {
                let text = self.quoted()?;
                parts.push(Part::Text(text));
            } else {
                let steps = self.path()?;
                parts.push(Part::Path(steps));
            }
            self.close()?;
        }
        if inside {
            Err("unclosed action".to_owned())
        } else {
            Ok(parts)
        }
    }

    fn close(&mut self) -> Result<(), String> {
        self.blanks();
        if self.eat("}") {
            Ok(())
        } else {
            Err("unclosed action".to_owned())
        }
    }

    fn quoted(&mut self) -> Result<String, String> {
        let mut characters = self.rest.char_indices();
        let quote = characters.next().map_or('"', |(_, quote)| quote);
        let mut text = String::new();
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => match characters.next().map(|(_, next)| next) {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some('r') => text.push('\r'),
                    Some(other) => text.push(other),
                    None => break,
                },
                _ if character == quote => {
                    self.rest = &self.rest[at + quote.len_utf8()..];
                    return Ok(text);
                }
                other => text.push(other),
            }
        }
        Err("unterminated quoted string".to_owned())
    }

    fn path(&mut self) -> Result<Vec<Step>, String> {
        let mut steps = Vec::new();
        if self.eat("$") {
            steps.push(Step::Root);
        } else {
            self.eat("@");
        }
        loop {
            if self.eat("..") {
                steps.push(Step::Deep);
                if !self.rest.starts_with(['[', '*'])
                    && let Some(field) = self.field()
                {
                    steps.push(Step::Field(field));
                }
            } else if self.eat(".") {
                if self.eat("*") {
                    steps.push(Step::All);
                } else if let Some(field) = self.field() {
                    steps.push(Step::Field(field));
                }
            } else if self.eat("*") {
                steps.push(Step::All);
            } else if self.eat("[") {
                steps.push(self.bracket()?);
            } else if steps.is_empty()
                && self
                    .rest
                    .starts_with(|first: char| first.is_alphanumeric() || first == '_')
            {
                let word = self.field().unwrap_or_default();
                return Err(format!("unrecognized identifier {word}"));
            } else {
                return Ok(steps);
            }
        }
    }

    /// A name; a backslash keeps a dot in it.
    fn field(&mut self) -> Option<String> {
        let mut name = String::new();
        let mut characters = self.rest.char_indices();
        let mut end = self.rest.len();
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => name.extend(characters.next().map(|(_, next)| next)),
                '.' | '[' | ']' | '}' | ' ' | ')' | '=' | '!' | '<' | '>' | ',' | '(' | '|'
                | '&' => {
                    end = at;
                    break;
                }
                other => name.push(other),
            }
        }
        self.rest = &self.rest[end..];
        Some(name).filter(|name| !name.is_empty())
    }

    fn bracket(&mut self) -> Result<Step, String> {
        self.blanks();
        if self.eat("?(") {
            return self.filter();
        }
        let mut union = Vec::new();
        loop {
            self.blanks();
            let step = if self.rest.starts_with(['"', '\'']) {
                Step::Field(self.quoted()?)
            } else {
                let inner = self.until(&[',', ']']).trim().to_owned();
                index(&inner)?
            };
            union.push(step);
            self.blanks();
            if self.eat("]") {
                break;
            }
            if !self.eat(",") {
                return Err("unterminated array".to_owned());
            }
        }
        if union.len() == 1 {
            Ok(union.remove(0))
        } else {
            Ok(Step::Union(union))
        }
    }

    fn filter(&mut self) -> Result<Step, String> {
        let left = self.operand()?;
        self.blanks();
        let signs = [
            ("==", Compare::Equal),
            ("!=", Compare::NotEqual),
            ("<=", Compare::LessOrEqual),
            (">=", Compare::GreaterOrEqual),
            ("<", Compare::Less),
            (">", Compare::Greater),
        ];
        let compare = signs
            .into_iter()
            .find(|(sign, _)| self.eat(sign))
            .map(|(_, compare)| compare);
        let test = match compare {
            Some(compare) => Some((compare, Box::new(self.operand()?))),
            None => None,
        };
        self.blanks();
        if !self.eat(")") {
            return Err("unterminated filter".to_owned());
        }
        self.blanks();
        if self.eat("]") {
            Ok(Step::Filter(Box::new(left), test))
        } else {
            Err("unterminated filter".to_owned())
        }
    }

    fn operand(&mut self) -> Result<Operand, String> {
        self.blanks();
        if self.rest.starts_with(['"', '\'']) {
            return Ok(Operand::Literal(Value::from(self.quoted()?)));
        }
        if self.rest.starts_with(['@', '.', '$']) {
            return Ok(Operand::Path(self.path()?));
        }
        let word = self.until(&[')', '=', '!', '<', '>', ' ']);
        Ok(Operand::Literal(match word {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => word
                .parse::<i64>()
                .map_or_else(|_| Value::from(word), Value::Int),
        }))
    }
}

fn index(text: &str) -> Result<Step, String> {
    let wrong = || format!("invalid array index {text}");
    if text == "*" {
        return Ok(Step::All);
    }
    if !text.contains(':') {
        return text.parse().map(Step::Index).map_err(|_| wrong());
    }
    let mut numbers = text.split(':').map(|part| {
        if part.is_empty() {
            Ok(None)
        } else {
            part.parse::<i64>().map(Some).map_err(|_| wrong())
        }
    });
    let mut next = || numbers.next().unwrap_or(Ok(None));
    Ok(Step::Slice(next()?, next()?, next()?.unwrap_or(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(template: &str) -> String {
        let document = Value::parse_json(r#"{"items":[{"name":"a","n":1,"labels":{"x.y/z":"v"},"c":[{"type":"Ready","status":"True"}]},{"name":"b","n":12}]}"#).unwrap();
        Template::parse(template)
            .and_then(|parsed| parsed.print(&document))
            .unwrap_or_else(|error| format!("! {error}"))
    }

    #[test]
    fn templates_print_what_kubectl_prints() {
        for (template, text) in [
            ("{.items[*].name}", "a b"),
            ("{.items[0].labels}", r#"{"x.y/z":"v"}"#),
            (r"{.items[0].labels.x\.y/z}", "v"),
            ("{.items[0].labels['x.y/z']}", "v"),
            (
                "{range .items[*]}{.name}{\"\\t\"}{.n}{\"\\n\"}{end}",
                "a\t1\nb\t12\n",
            ),
            ("{.items[?(@.n>2)].name}", "b"),
            ("{.items[*].c[?(@.type==\"Ready\")].status}", "True"),
            ("{.items[-1:].name}", "b"),
            ("{..name}", "a b"),
            ("{.items[0]['name','n']}", "a 1"),
            ("{.nothing.here}", ""),
            (
                "{.items[5].name}",
                "! array index out of bounds: index 5, length 2",
            ),
            ("{.items", "! unclosed action"),
        ] {
            assert_eq!(print(template), text, "{template}");
        }
    }
}
