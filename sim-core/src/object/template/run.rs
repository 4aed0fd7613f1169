//! Carrying a template out over a document. Source: Go's `text/template/exec.go`.

use crate::base::sentence::{Sentence, catalogue};
use crate::manifest::value::Value;

use super::functions::{self, Text};
use super::{Argument, Missing, Node, Pipe, Template, Type, What};

/// Nodes and items that are carried out at most: what a range within a range makes of a long list has
/// an end.
const STEPS_MAX: usize = 5_000_000;

/// The text, or what was written until something went wrong, and what that was; `left` bytes may be made.
///
/// # Errors
/// Go's text.
pub(super) fn print(
    template: &Template,
    document: &Value,
    left: usize,
) -> Result<String, (String, Sentence)> {
    let document = Got::plain(document.clone());
    let mut run = Run {
        template,
        variables: vec![("$", document.clone())],
        out: String::new(),
        left,
        steps: 0,
    };
    match run.list(&template.nodes, &document) {
        Ok(_) => Ok(run.out),
        Err(error) => Err((run.out, error)),
    }
}

/// A value, and what is known of its type beside what it shows itself: null of a list is an empty list.
/// Null of no type is no value.
#[derive(Clone, Debug)]
pub(super) struct Got {
    pub value: Value,
    pub of: Type,
}

impl Got {
    pub(super) const NOTHING: Self = Self {
        value: Value::Null,
        of: Type::Unknown,
    };

    /// A value that was made, or that is not null.
    pub(super) fn plain(value: Value) -> Self {
        Self {
            value,
            of: Type::Unknown,
        }
    }

    /// What stands in a list or a map: its null is one that points nowhere.
    pub(super) fn inside(value: &Value) -> Self {
        Self {
            value: value.clone(),
            of: if value.is_null() {
                Type::Pointer
            } else {
                Type::Unknown
            },
        }
    }

    /// Whether it is no value at all.
    pub(super) fn is_nothing(&self) -> bool {
        self.value.is_null() && self.of == Type::Unknown
    }
}

/// How a list of nodes ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

struct Run<'t> {
    template: &'t Template,
    variables: Vec<(&'t str, Got)>,
    out: String,
    /// Bytes that may still be made.
    left: usize,
    steps: usize,
}

impl<'t> Run<'t> {
    fn wrong(&self, at: usize, (from, to): (usize, usize), said: impl Into<Sentence>) -> Sentence {
        let (text, name) = (&self.template.text, self.template.dialect.name);
        let before = &text[..at];
        let line = before.matches('\n').count() + 1;
        let column = at - before.rfind('\n').map_or(0, |end| end + 1);
        let place = format!(
            "template: {name}:{line}:{column}: executing \"{name}\" at <{}>: ",
            &text[from..to]
        );
        said.into().behind(&place)
    }

    fn step(&mut self, count: usize) -> Result<(), Sentence> {
        self.steps += count;
        if self.steps <= STEPS_MAX {
            return Ok(());
        }
        let name = self.template.dialect.name;
        let most = catalogue::TEMPLATE_TAKES.with(&[("most", &STEPS_MAX)]);
        Err(most.behind(&format!("template: {name}: ")))
    }

    fn write(
        &mut self,
        write: impl FnOnce(&mut Text<'_>) -> Result<(), Sentence>,
    ) -> Result<(), Sentence> {
        let mut text = Text {
            out: &mut self.out,
            left: &mut self.left,
        };
        write(&mut text)
            .map_err(|said| said.behind(&format!("template: {}: ", self.template.dialect.name)))
    }

    fn list(&mut self, nodes: &'t [Node], dot: &Got) -> Result<Flow, Sentence> {
        for node in nodes {
            self.step(1)?;
            match node {
                Node::Text(plain) => self.write(|text| text.push(plain))?,
                Node::Action(pipe) => {
                    let value = self.pipe(pipe, dot)?;
                    if pipe.variables.is_empty() {
                        self.write(|text| functions::write_action(&value, text))?;
                    }
                }
                Node::If(pipe, inner, otherwise) => {
                    let mark = self.variables.len();
                    let value = self.pipe(pipe, dot)?;
                    let nodes = if functions::truth(&value) {
                        inner
                    } else {
                        otherwise
                    };
                    let flow = self.list(nodes, dot)?;
                    self.variables.truncate(mark);
                    if flow != Flow::On {
                        return Ok(flow);
                    }
                }
                Node::With(pipe, inner, otherwise) => {
                    let mark = self.variables.len();
                    let value = self.pipe(pipe, dot)?;
                    let flow = if functions::truth(&value) {
                        self.list(inner, &value)?
                    } else {
                        self.list(otherwise, dot)?
                    };
                    self.variables.truncate(mark);
                    if flow != Flow::On {
                        return Ok(flow);
                    }
                }
                Node::Range(pipe, inner, otherwise) => {
                    let mark = self.variables.len();
                    self.range(pipe, inner, otherwise, dot)?;
                    self.variables.truncate(mark);
                }
                Node::Break => return Ok(Flow::Break),
                Node::Continue => return Ok(Flow::Continue),
            }
        }
        Ok(Flow::On)
    }

    fn range(
        &mut self,
        pipe: &'t Pipe,
        inner: &'t [Node],
        otherwise: &'t [Node],
        dot: &Got,
    ) -> Result<(), Sentence> {
        let value = self.pipe(pipe, dot)?;
        let number = |place: usize| Value::Int(i64::try_from(place).unwrap_or(i64::MAX));
        let is_empty = match &value.value {
            Value::Null => self.each(pipe, inner, std::iter::empty())?,
            Value::List(items) => {
                let items = items.iter().enumerate();
                let items = items.map(|(place, item)| (number(place), Got::inside(item)));
                self.each(pipe, inner, items)?
            }
            Value::Map(map) => {
                // Sorting takes its time, too.
                self.step(map.len())?;
                let items = map.sorted().into_iter();
                let items =
                    items.map(|(key, item)| (Value::String(key.clone()), Got::inside(item)));
                self.each(pipe, inner, items)?
            }
            Value::Int(count) => {
                let items = (0..*count).map(Value::Int);
                self.each(
                    pipe,
                    inner,
                    items.map(|place| (place.clone(), Got::plain(place))),
                )?
            }
            other => {
                let said = format!("range can't iterate over {}", functions::show(other));
                return Err(self.wrong(pipe.from, (pipe.from, pipe.to), said));
            }
        };
        if is_empty {
            self.list(otherwise, dot)?;
        }
        Ok(())
    }

    /// The inner nodes for each item; tells whether there is none.
    fn each(
        &mut self,
        pipe: &'t Pipe,
        inner: &'t [Node],
        items: impl Iterator<Item = (Value, Got)>,
    ) -> Result<bool, Sentence> {
        let mark = self.variables.len();
        let mut is_empty = true;
        for (key, item) in items {
            is_empty = false;
            self.step(1)?;
            match pipe.variables.as_slice() {
                [one] => self.name(pipe, one, item.clone())?,
                [index, one, ..] => {
                    self.name(pipe, index, Got::plain(key))?;
                    self.name(pipe, one, item.clone())?;
                }
                [] => {}
            }
            let flow = self.list(inner, &item)?;
            self.variables.truncate(mark);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(is_empty)
    }

    /// Gives a variable its value, a new one unless the pipe assigns.
    fn name(&mut self, pipe: &'t Pipe, name: &'t str, value: Got) -> Result<(), Sentence> {
        if !pipe.assigns {
            self.variables.push((name, value));
            return Ok(());
        }
        let mut known = self.variables.iter_mut().rev();
        if let Some((_, known)) = known.find(|(known, _)| *known == name) {
            *known = value;
            return Ok(());
        }
        // Go is then still where it evaluated last.
        let last = pipe.commands.last().and_then(|words| words.last());
        let (at, span) = last.map_or((pipe.from, (pipe.from, pipe.to)), |word| {
            (word.at, (word.from, word.to))
        });
        Err(self.wrong(at, span, format!("undefined variable: {name}")))
    }

    fn pipe(&mut self, pipe: &'t Pipe, dot: &Got) -> Result<Got, Sentence> {
        let mut value: Option<Got> = None;
        for command in &pipe.commands {
            let next = self.command(command, value.take(), dot)?;
            // What is null without a type is no value.
            let typed = matches!(self.template.dialect.missing, Missing::Typed(_));
            value = Some(if typed || !next.value.is_null() {
                next
            } else {
                Got::NOTHING
            });
        }
        let value = value.unwrap_or(Got::NOTHING);
        // Those of a range get their values again with each item.
        for name in &pipe.variables {
            self.name(pipe, name, value.clone())?;
        }
        Ok(value)
    }

    /// A command, with what the one before it has made as its last argument.
    fn command(
        &mut self,
        words: &'t [Argument],
        last: Option<Got>,
        dot: &Got,
    ) -> Result<Got, Sentence> {
        let Some((first, rest)) = words.split_first() else {
            return Ok(Got::NOTHING);
        };
        let end = words.last().map_or(first.to, |word| word.to);
        if let What::Function(name) = &first.what {
            return self.call(name, first, (rest, end), last, dot);
        }
        if let What::Field(path) = &first.what
            && let ([method], [key]) = (path.as_slice(), rest)
            && let Some((_, field)) = self.template.dialect.method(method)
        {
            let key = self.argument(key, dot)?;
            let pairs = dot.value.str_at(&[field]).unwrap_or("");
            let found = pairs.split(',').find_map(|pair| {
                let (name, value) = pair.split_once('=')?;
                (Some(name) == key.value.as_str()).then_some(value)
            });
            return Ok(Got::plain(Value::string(found.unwrap_or(""))));
        }
        if !rest.is_empty() || last.is_some() {
            let said = format!(
                "can't give argument to non-function {}",
                &self.template.text[first.from..first.to]
            );
            return Err(self.wrong(first.at, (first.from, first.to), said));
        }
        if let What::Nil = first.what {
            return Err(self.wrong(first.at, (first.from, first.to), "nil is not a command"));
        }
        self.argument(first, dot)
    }

    fn call(
        &mut self,
        name: &str,
        first: &'t Argument,
        (rest, end): (&'t [Argument], usize),
        last: Option<Got>,
        dot: &Got,
    ) -> Result<Got, Sentence> {
        // `and` and `or` look no further than they must.
        if let "and" | "or" = name {
            let mut value = Got::NOTHING;
            for word in rest {
                value = self.argument(word, dot)?;
                if functions::truth(&value) == (name == "or") {
                    return Ok(value);
                }
            }
            return Ok(last.unwrap_or(value));
        }
        let mut values = Vec::new();
        for word in rest {
            values.push(self.argument(word, dot)?);
        }
        values.extend(last);
        let missing = self.template.dialect.missing;
        functions::call(name, &values, missing, &mut self.left).map_err(|said| {
            // A wrong number of arguments is the name's fault, what a function says the command's.
            let end = if said.words().starts_with("wrong number") {
                first.to
            } else {
                end
            };
            self.wrong(first.at, (first.from, end), said)
        })
    }

    fn argument(&mut self, word: &'t Argument, dot: &Got) -> Result<Got, Sentence> {
        match &word.what {
            What::Dot => Ok(dot.clone()),
            What::Nil => Ok(Got::NOTHING),
            What::Constant(value) => Ok(Got::plain(value.clone())),
            What::Field(path) => self.walk(dot.clone(), path, word),
            What::Variable(name, path) => {
                let known = self.variables.iter().rev().find(|(known, _)| known == name);
                let value = known.map_or(Got::NOTHING, |(_, value)| value.clone());
                self.walk(value, path, word)
            }
            What::Function(name) => self.call(name, word, (&[], word.to), None, dot),
            What::Chain(pipe, path) => {
                let mark = self.variables.len();
                let value = self.pipe(pipe, dot)?;
                self.variables.truncate(mark);
                self.walk(value, path, word)
            }
        }
    }

    fn walk(&self, start: Got, path: &[String], word: &Argument) -> Result<Got, Sentence> {
        let wrong = |said: &str| Err(self.wrong(word.at, (word.from, word.to), said));
        let dialect = self.template.dialect;
        let mut got = start;
        for (place, name) in path.iter().enumerate() {
            got = match (&got.value, got.of) {
                (Value::Null, Type::Unknown | Type::Map) => Got::NOTHING,
                (Value::Null, _) => {
                    return wrong(&format!("nil pointer evaluating interface {{}}.{name}"));
                }
                (Value::Map(map), of) => match (map.get(name), dialect.missing) {
                    (Some(inner), _) => dialect.field(name, inner),
                    // Keys of maps are the user's.
                    (None, _) if of == Type::Map => Got::NOTHING,
                    (None, Missing::Typed(_)) => {
                        let is_last = place + 1 == path.len();
                        let zero = dialect.zero(name);
                        let Some(of) = zero.filter(|of| is_last || *of == Type::Map) else {
                            return wrong(&format!("map has no entry for key {name:?}"));
                        };
                        of.zero()
                    }
                    (None, Missing::NoValue) => Got::NOTHING,
                    (None, Missing::Refused) => {
                        return wrong(&format!("map has no entry for key {name:?}"));
                    }
                    (None, Missing::Unknown(of)) => {
                        return wrong(&format!("can't evaluate field {name} in type {of}"));
                    }
                },
                _ => {
                    return wrong(&format!(
                        "can't evaluate field {name} in type interface {{}}"
                    ));
                }
            };
        }
        Ok(got)
    }
}
