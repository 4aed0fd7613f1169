//! Carrying a template out over a document. Source: Go's `text/template/exec.go`.

use crate::base::limits::MAX_TEXT_BYTES;
use crate::manifest::value::Value;

use super::{Argument, Missing, Node, Pipe, Template, What, functions};

/// Nodes that are carried out at most: what a range within a range makes of a long list has an end.
const STEPS_MAX: u32 = 5_000_000;

/// The text, or what was written until something went wrong, and what that was.
///
/// # Errors
/// Go's text.
pub(super) fn print(template: &Template, document: &Value) -> Result<String, (String, String)> {
    let mut run = Run {
        template,
        variables: vec![("$", Some(document.clone()))],
        out: String::new(),
        steps: 0,
    };
    match run.list(&template.nodes, &Some(document.clone())) {
        Ok(_) => Ok(run.out),
        Err(error) => Err((run.out, error)),
    }
}

/// A value; none: there is none.
pub type Got = Option<Value>;

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
    steps: u32,
}

impl<'t> Run<'t> {
    fn wrong(&self, at: usize, (from, to): (usize, usize), said: &str) -> String {
        let (text, name) = (&self.template.text, self.template.dialect.name);
        let before = &text[..at];
        let line = before.matches('\n').count() + 1;
        let column = at - before.rfind('\n').map_or(0, |end| end + 1);
        format!(
            "template: {name}:{line}:{column}: executing \"{name}\" at <{}>: {said}",
            &text[from..to]
        )
    }

    fn list(&mut self, nodes: &'t [Node], dot: &Got) -> Result<Flow, String> {
        for node in nodes {
            self.steps += 1;
            if self.steps > STEPS_MAX || self.out.len() > MAX_TEXT_BYTES {
                return Err(format!(
                    "template: {}: what it prints is longer than {MAX_TEXT_BYTES} bytes, or takes too long",
                    self.template.dialect.name
                ));
            }
            match node {
                Node::Text(text) => self.out.push_str(text),
                Node::Action(pipe) => {
                    let value = self.pipe(pipe, dot)?;
                    if pipe.variables.is_empty() {
                        let text = match (&value, self.template.dialect.missing) {
                            (Some(Value::Null), Missing::Typed(types)) => {
                                let zero = last_field(pipe).and_then(|name| types.zero(name));
                                zero.unwrap_or("<nil>").to_owned()
                            }
                            _ => functions::show(&value),
                        };
                        self.out.push_str(&text);
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
    ) -> Result<(), String> {
        let value = self.pipe(pipe, dot)?;
        let items: Vec<(Value, Value)> = match &value {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::List(items)) => {
                let number = |place: usize| Value::Int(i64::try_from(place).unwrap_or(i64::MAX));
                let items = items.iter().enumerate();
                items
                    .map(|(place, item)| (number(place), item.clone()))
                    .collect()
            }
            Some(Value::Map(map)) => map
                .sorted()
                .into_iter()
                .map(|(key, item)| (Value::String(key.clone()), item.clone()))
                .collect(),
            Some(Value::Int(count)) => (0..*count)
                .take(1_000_000)
                .map(|place| (Value::Int(place), Value::Int(place)))
                .collect(),
            Some(_) => {
                let said = format!("range can't iterate over {}", functions::show(&value));
                return Err(self.wrong(pipe.from, (pipe.from, pipe.to), &said));
            }
        };
        if items.is_empty() {
            self.list(otherwise, dot)?;
            return Ok(());
        }
        let mark = self.variables.len();
        for (key, item) in items {
            let item = Some(item);
            match pipe.variables.as_slice() {
                [one] => self.name(pipe.assigns, one, item.clone()),
                [index, one, ..] => {
                    self.name(pipe.assigns, index, Some(key));
                    self.name(pipe.assigns, one, item.clone());
                }
                [] => {}
            }
            let flow = self.list(inner, &item)?;
            self.variables.truncate(mark);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(())
    }

    fn name(&mut self, assigns: bool, name: &'t str, value: Got) {
        let known = self
            .variables
            .iter_mut()
            .rev()
            .find(|(known, _)| *known == name);
        match known {
            Some((_, known)) if assigns => *known = value,
            _ => self.variables.push((name, value)),
        }
    }

    fn pipe(&mut self, pipe: &'t Pipe, dot: &Got) -> Result<Got, String> {
        let mut value: Option<Got> = None;
        for command in &pipe.commands {
            let next = self.command(command, value.take(), dot)?;
            // What is null without a type is no value.
            let typed = matches!(self.template.dialect.missing, Missing::Typed(_));
            value = Some(next.filter(|value| typed || !value.is_null()));
        }
        let value = value.flatten();
        if let [name] = pipe.variables.as_slice() {
            self.name(pipe.assigns, name, value.clone());
        }
        Ok(value)
    }

    /// A command, with what the one before it has made as its last argument.
    fn command(
        &mut self,
        words: &'t [Argument],
        last: Option<Got>,
        dot: &Got,
    ) -> Result<Got, String> {
        let Some((first, rest)) = words.split_first() else {
            return Ok(None);
        };
        let end = words.last().map_or(first.to, |word| word.to);
        if let What::Function(name) = &first.what {
            return self.call(name, first, (rest, end), last, dot);
        }
        if let (What::Field(path), Missing::Unknown(_)) =
            (&first.what, self.template.dialect.missing)
            && let ([field], [key]) = (path.as_slice(), rest)
            && field == "Label"
        {
            // The one method of docker's rows that takes an argument.
            let key = functions::show(&self.argument(key, dot)?);
            let labels = dot.as_ref().and_then(|row| row.get("Labels"));
            let labels = labels.and_then(Value::as_str).unwrap_or("");
            let found = labels.split(',').find_map(|pair| {
                let (name, value) = pair.split_once('=')?;
                (name == key).then_some(value)
            });
            return Ok(Some(Value::string(found.unwrap_or(""))));
        }
        if !rest.is_empty() || last.is_some() {
            let said = format!(
                "can't give argument to non-function {}",
                &self.template.text[first.from..first.to]
            );
            return Err(self.wrong(first.at, (first.from, first.to), &said));
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
    ) -> Result<Got, String> {
        // `and` and `or` look no further than they must.
        if let "and" | "or" = name {
            let mut value = None;
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
        functions::call(name, &values, missing).map_err(|said| {
            // A wrong number of arguments is the name's fault, what a function says the command's.
            let end = if said.starts_with("wrong number") {
                first.to
            } else {
                end
            };
            self.wrong(first.at, (first.from, end), &said)
        })
    }

    fn argument(&mut self, word: &'t Argument, dot: &Got) -> Result<Got, String> {
        match &word.what {
            What::Dot => Ok(dot.clone()),
            What::Nil => Ok(None),
            What::Constant(value) => Ok(Some(value.clone())),
            What::Field(path) => self.walk(dot.clone(), path, word),
            What::Variable(name, path) => {
                let known = self.variables.iter().rev().find(|(known, _)| known == name);
                let value = known.and_then(|(_, value)| value.clone());
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

    fn walk(&self, start: Got, path: &[String], word: &Argument) -> Result<Got, String> {
        let wrong = |said: &str| Err(self.wrong(word.at, (word.from, word.to), said));
        let mut value = start;
        let mut above = "";
        for (place, name) in path.iter().enumerate() {
            value = match &value {
                None => None,
                Some(Value::Null) => {
                    return wrong(&format!("nil pointer evaluating interface {{}}.{name}"));
                }
                Some(Value::Map(map)) => match (map.get(name), self.template.dialect.missing) {
                    (Some(inner), _) => Some(inner.clone()),
                    (None, Missing::NoValue) => None,
                    (None, Missing::Typed(types)) if types.maps.contains(&above) => None,
                    (None, Missing::Typed(types)) => {
                        let zero = types.zero(name).filter(|_| place + 1 == path.len());
                        let Some(zero) = zero else {
                            return wrong(&format!("map has no entry for key {name:?}"));
                        };
                        Some(match zero {
                            "" => Value::string(""),
                            "0" => Value::Int(0),
                            "false" => Value::Bool(false),
                            _ => Value::Null,
                        })
                    }
                    // Of maps, keys are the user's.
                    (None, Missing::Unknown(_)) if matches!(above, "Attributes" | "Labels") => None,
                    (None, Missing::Unknown(of)) => {
                        return wrong(&format!("can't evaluate field {name} in type {of}"));
                    }
                },
                Some(_) => {
                    return wrong(&format!(
                        "can't evaluate field {name} in type interface {{}}"
                    ));
                }
            };
            above = name;
        }
        Ok(value)
    }
}

/// The field that a pipe is about, if it is about one alone.
fn last_field(pipe: &Pipe) -> Option<&str> {
    let [command] = pipe.commands.as_slice() else {
        return None;
    };
    match &command.as_slice() {
        [one] => match &one.what {
            What::Field(path) | What::Variable(_, path) | What::Chain(_, path) => {
                path.last().map(String::as_str)
            }
            What::Dot | What::Nil | What::Constant(_) | What::Function(_) => None,
        },
        _ => None,
    }
}
