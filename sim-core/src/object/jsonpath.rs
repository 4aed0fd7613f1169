//! kubectl's JSONPath templates: `{.items[*].metadata.name}`, `{range .items[*]}…{end}`,
//! `{.status.conditions[?(@.type=="Ready")].status}`. Source: `k8s.io/client-go/util/jsonpath`.
//! Missing keys give nothing, as `kubectl get` has it.

use std::cmp::Ordering;

use crate::manifest::value::Value;

use super::print::{KeyOrder, json};

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>, Keys);

/// Whether fields that are not there are an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    Allowed,
    Required,
}

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
    /// A path of keys, as one of several.
    Path(Vec<Step>),
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

/// A value of a path as the template prints it.
/// Source: `k8s.io/client-go/util/jsonpath/jsonpath.go` (`evalToText`).
fn printed(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        other => text(other),
    }
}

/// A value in words: texts as they are, nothing as nothing, all else as JSON.
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
        Ok(Self(parts, Keys::Allowed))
    }

    /// Parses a path as `--sort-by` and custom columns take it: braces and first dot may be left out.
    ///
    /// # Errors
    /// Upstream's text.
    /// Source: `k8s.io/kubectl/pkg/cmd/get/customcolumn.go` (`RelaxedJSONPathExpression`).
    pub fn relaxed(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Self::parse(text);
        }
        let inner = text.strip_prefix('{').and_then(|it| it.strip_suffix('}'));
        let path = inner.unwrap_or(text);
        let path = path
            .strip_prefix('.')
            .filter(|it| !it.is_empty())
            .unwrap_or(path);
        if path.is_empty() || path.contains(['{', '}']) {
            return Err("unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or '{.name1.name2}'".to_owned());
        }
        Self::parse(&format!("{{.{path}}}"))
    }

    /// The same where fields that are not there are an error.
    #[must_use]
    pub fn strict(self) -> Self {
        Self(self.0, Keys::Required)
    }

    /// The text for a document.
    ///
    /// # Errors
    /// An index that is out of bounds.
    pub fn print(&self, document: &Value) -> Result<String, String> {
        let mut out = String::new();
        write(&self.0, (document, self.1), document, &mut out)?;
        Ok(out)
    }

    /// Values of the template's first path; none where it does not fit the document.
    pub fn values(&self, document: &Value) -> Vec<Value> {
        self.find(document).unwrap_or_default()
    }

    /// Values of the template's first path.
    ///
    /// # Errors
    /// An index that is out of bounds, an index of what is no list.
    pub fn find(&self, document: &Value) -> Result<Vec<Value>, String> {
        let path = self.0.iter().find_map(|part| match part {
            Part::Path(steps) => Some(steps),
            Part::Text(_) | Part::Range(..) => None,
        });
        path.map_or(Ok(Vec::new()), |steps| {
            walk(steps, (document, self.1), document)
        })
    }

    /// The first value of the template's first path.
    pub fn first(&self, document: &Value) -> Option<Value> {
        self.values(document).into_iter().next()
    }
}

/// The document, and what is to be done about fields that it does not have.
type Root<'a> = (&'a Value, Keys);

fn write(parts: &[Part], root: Root<'_>, current: &Value, out: &mut String) -> Result<(), String> {
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Path(steps) => {
                let found = walk(steps, root, current)?;
                let found: Vec<String> = found.iter().map(printed).collect();
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

fn walk(steps: &[Step], root: Root<'_>, current: &Value) -> Result<Vec<Value>, String> {
    let mut found = vec![current.clone()];
    for step in steps {
        let mut next = Vec::new();
        // Of several keys each is looked up in all values before the next is.
        // Source: `client-go/util/jsonpath/jsonpath.go` (`evalUnion`).
        let each = match step {
            Step::Union(steps) => steps,
            step => std::slice::from_ref(step),
        };
        for step in each {
            for value in &found {
                take(step, root, value, &mut next)?;
            }
        }
        if let (Step::Field(name), Keys::Required, true) = (step, root.1, next.is_empty()) {
            return Err(format!("{name} is not found"));
        }
        found = next;
    }
    Ok(found)
}

fn take(step: &Step, root: Root<'_>, value: &Value, out: &mut Vec<Value>) -> Result<(), String> {
    match step {
        Step::Root => out.push(root.0.clone()),
        Step::Field(name) => out.extend(value.get(name).cloned()),
        Step::All => match value {
            Value::List(items) => out.extend(items.iter().cloned()),
            Value::Map(map) => out.extend(map.sorted().into_iter().map(|(_, value)| value.clone())),
            _ => {}
        },
        Step::Deep => deep(value, out),
        Step::Index(index) => {
            if let Some(items) = listed(value)? {
                let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
                let at = if *index < 0 { index + length } else { *index };
                out.extend(between(items, at, at + 1)?.iter().cloned());
            }
        }
        Step::Slice(from, to, by) => {
            if *by <= 0 {
                return Err("step must be > 0".to_owned());
            }
            if let Some(items) = listed(value)? {
                let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
                let place = |number: i64| if number < 0 { number + length } else { number };
                let (from, to) = (place(from.unwrap_or(0)), place(to.unwrap_or(length)));
                let step = usize::try_from(*by).unwrap_or(usize::MAX);
                out.extend(between(items, from, to)?.iter().step_by(step).cloned());
            }
        }
        Step::Path(steps) => out.extend(walk(steps, root, value)?),
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

/// The items of a list; nothing is none.
fn listed(value: &Value) -> Result<Option<&[Value]>, String> {
    let kind = match value {
        Value::List(items) => return Ok(Some(items)),
        Value::Null => return Ok(None),
        Value::Map(_) => "map[string]interface {}",
        Value::String(_) => "string",
        Value::Int(_) => "int64",
        Value::Bool(_) => "bool",
        _ => "float64",
    };
    Err(format!("{kind} is not array or slice"))
}

/// A part of a list, whose bounds must be in it; nothing of it is always there.
/// Source: `k8s.io/client-go/util/jsonpath/jsonpath.go` (`evalArray`).
fn between(items: &[Value], from: i64, to: i64) -> Result<&[Value], String> {
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    if from == to {
        return Ok(&[]);
    }
    let outside = |index: i64| {
        Err(format!(
            "array index out of bounds: index {index}, length {length}"
        ))
    };
    if from >= length || from < 0 {
        return outside(from);
    }
    if to > length || to < 0 {
        return outside(to - 1);
    }
    if from > to {
        return Err(format!(
            "starting index {from} is greater than ending index {to}"
        ));
    }
    let place = |number: i64| usize::try_from(number).unwrap_or(0);
    Ok(&items[place(from)..place(to)])
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

    /// A key in quotes, or a path of keys: a dot parts them, unless a backslash is before it.
    /// Source: `client-go/util/jsonpath/parser.go` (`parseArray`).
    fn keys(&mut self) -> Result<Step, String> {
        let rest = self.rest;
        let text = self.quoted()?;
        let raw = &rest[1..rest.len() - self.rest.len() - 1];
        if !raw.replace("\\.", "").contains('.') {
            return Ok(Step::Field(text));
        }
        let marked = raw.replace("\\.", "\0");
        let keys = marked.split('.').filter(|key| !key.is_empty());
        let keys = keys.map(|key| Step::Field(key.replace('\0', ".").replace('\\', "")));
        Ok(Step::Path(keys.collect()))
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
                self.keys()?
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
        // What goes on after the operands is read as an action of its own, as if there were no more.
        if let Some(sign) = self.rest.chars().next().filter(|one| "|&".contains(*one)) {
            return Err(format!(
                "unrecognized character in action: U+{:04X} '{sign}'",
                u32::from(sign)
            ));
        }
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
        let word = self.until(&[')', '=', '!', '<', '>', ' ', '|', '&']);
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
    // Nothing in the brackets is the first item.
    if text.is_empty() {
        return Ok(Step::Index(0));
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
            (r"{.items[0].labels['x\.y/z']}", "v"),
            ("{.items[0].labels['x.y/z']}", ""),
            ("{.items[*]['name','n']}", "a b 1 12"),
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
            (
                "{.items[-3].name}",
                "! array index out of bounds: index -1, length 2",
            ),
            (
                "{.items[1:0].name}",
                "! starting index 1 is greater than ending index 0",
            ),
            ("{.items[].name}", "a"),
            (
                "{.items[0].labels[0]}",
                "! map[string]interface {} is not array or slice",
            ),
            ("{.items", "! unclosed action"),
            (
                "{.items[?(@.n==1||@.n==2)].name}",
                "! unrecognized character in action: U+007C '|'",
            ),
        ] {
            assert_eq!(print(template), text, "{template}");
        }
    }
}
