//! Variables in values: `$NAME`, `${NAME}` and its forms. Source: compose-go `template/template.go`.

use std::sync::Arc;

use crate::base::sentence::catalogue;
use crate::manifest::compose::loaded::Variables;
use crate::manifest::decode::scribe::Scribe;
use crate::manifest::explain;
use crate::manifest::tree::{Node, NodeValue, Style};

/// Deepest nesting of defaults in defaults.
const DEPTH_MAX: usize = 32;

/// A text whose variables have their values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Substituted {
    /// The text.
    pub text: String,
    /// Variables that were not set and had no default.
    pub unset: Vec<String>,
}

/// Why a text cannot be interpolated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A brace opens something that is no expression.
    Invalid,
    /// A variable that is demanded is not set.
    Required {
        /// Its name.
        name: String,
        /// The author's message; may be empty.
        message: String,
    },
}

/// Interpolates every value of a tree; keys stay as they are.
pub fn tree(node: &mut Node, variables: &Variables, scribe: &Scribe) {
    walk(node, String::new(), variables, scribe);
}

fn walk(node: &mut Node, path: String, variables: &Variables, scribe: &Scribe) {
    let span = node.span;
    match &mut node.value {
        NodeValue::Str { text, style } => {
            if !text.contains('$') {
                return;
            }
            match substitute(text, &|name| variables.get(name).cloned()) {
                Ok(done) => {
                    for name in &done.unset {
                        let message = format!(
                            "The \"{name}\" variable is not set. Defaulting to a blank string."
                        );
                        scribe.warning(explain::COMPOSE_UNSET_VARIABLE, span, message);
                    }
                    if done.text != **text {
                        // A plain style lets readers of numbers take the result for one.
                        *style = Style::Plain;
                        *text = done.text.into();
                    }
                }
                Err(fault) => complain(scribe, span, &path, text, &fault),
            }
        }
        NodeValue::Seq(items) => {
            for item in items {
                walk(item, format!("{path}.[]"), variables, scribe);
            }
        }
        NodeValue::Map(entries) => {
            for entry in entries {
                let inner = if path.is_empty() {
                    entry.key.text.to_string()
                } else {
                    format!("{path}.{}", entry.key.text)
                };
                walk(&mut entry.value, inner, variables, scribe);
            }
        }
        NodeValue::Null | NodeValue::Bool(_) | NodeValue::Int(_) | NodeValue::Float(_) => {}
    }
}

fn complain(
    scribe: &Scribe,
    span: crate::manifest::lines::Span,
    path: &str,
    text: &str,
    fault: &Fault,
) {
    match fault {
        Fault::Invalid => scribe.error_with_help(
            explain::COMPOSE_BAD_INTERPOLATION,
            span,
            format!("invalid interpolation format for {path}.\nYou may need to escape any $ with another $.\n{text}"),
            catalogue::DOLLAR.with(&[("example", &"${NAME}")]),
        ),
        Fault::Required { name, message } => {
            let tail = if message.is_empty() { String::new() } else { format!(": {message}") };
            scribe.error_with_help(
                explain::COMPOSE_REQUIRED_VARIABLE,
                span,
                format!("error while interpolating {path}: required variable {name} is missing a value{tail}"),
                catalogue::SET_VARIABLE.with(&[("name", name)]),
            );
        }
    }
}

/// Interpolates one text.
///
/// # Errors
/// The first expression that cannot be read, or the first demanded variable that is not set.
pub fn substitute(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<Arc<str>>,
) -> Result<Substituted, Fault> {
    let mut done = Substituted {
        text: String::with_capacity(text.len()),
        unset: Vec::new(),
    };
    expand(text, lookup, &mut done, 0)?;
    Ok(done)
}

fn expand(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<Arc<str>>,
    done: &mut Substituted,
    depth: usize,
) -> Result<(), Fault> {
    if depth > DEPTH_MAX {
        return Err(Fault::Invalid);
    }
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        done.text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            done.text.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let end = closing_brace(after).ok_or(Fault::Invalid)?;
            braced(&after[..end], lookup, done, depth)?;
            rest = &after[end + 1..];
        } else {
            let length = name_length(rest);
            if length == 0 {
                done.text.push('$');
            } else {
                plain(&rest[..length], lookup, done);
                rest = &rest[length..];
            }
        }
    }
    done.text.push_str(rest);
    Ok(())
}

fn plain(name: &str, lookup: &dyn Fn(&str) -> Option<Arc<str>>, done: &mut Substituted) {
    match lookup(name) {
        Some(value) => done.text.push_str(&value),
        None => done.unset.push(name.to_owned()),
    }
}

fn braced(
    inside: &str,
    lookup: &dyn Fn(&str) -> Option<Arc<str>>,
    done: &mut Substituted,
    depth: usize,
) -> Result<(), Fault> {
    let (name, tail) = inside.split_at(name_length(inside));
    if name.is_empty() {
        return Err(Fault::Invalid);
    }
    if tail.is_empty() {
        plain(name, lookup, done);
        return Ok(());
    }
    let (counts_empty, operation) = match tail.strip_prefix(':') {
        Some(operation) => (true, operation),
        None => (false, tail),
    };
    let mut letters = operation.chars();
    let kind = letters.next();
    let argument = letters.as_str();
    let value = lookup(name).filter(|value| !(counts_empty && value.is_empty()));
    match (kind, value) {
        (Some('-' | '?'), Some(value)) => done.text.push_str(&value),
        (Some('-'), None) | (Some('+'), Some(_)) => expand(argument, lookup, done, depth + 1)?,
        (Some('+'), None) => {}
        (Some('?'), None) => {
            let mut message = Substituted {
                text: String::new(),
                unset: Vec::new(),
            };
            expand(argument, lookup, &mut message, depth + 1)?;
            return Err(Fault::Required {
                name: name.to_owned(),
                message: message.text,
            });
        }
        _ => return Err(Fault::Invalid),
    }
    Ok(())
}

/// Length of the variable name that a text starts with.
fn name_length(text: &str) -> usize {
    let starts = text
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    if !starts {
        return 0;
    }
    text.bytes()
        .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        .count()
}

/// Where the brace that is already open closes. Every brace inside counts, and what follows an
/// opening one is not looked at. Source: compose-go `template/template.go` getFirstBraceClosingIndex.
fn closing_brace(text: &str) -> Option<usize> {
    let mut open = 1;
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'{' => {
                open += 1;
                bytes.next();
            }
            b'}' => {
                open -= 1;
                if open == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Fault, substitute};

    #[test]
    fn expressions_have_their_values() {
        let lookup = |name: &str| match name {
            "A" => Some(Arc::from("a")),
            "EMPTY" => Some(Arc::from("")),
            _ => None,
        };
        let text = |source| substitute(source, &lookup).map(|done| done.text);
        for (source, expected) in [
            ("$A-${A}", "a-a"),
            ("${EMPTY:-d}${EMPTY-d}", "d"),
            ("${X:-${Y:-$A}}", "a"),
            ("${A:+yes}${EMPTY:+no}${EMPTY+is}", "yesis"),
            ("$$A ^x$ a $ b", "$A ^x$ a $ b"),
            ("${X}", ""),
        ] {
            assert_eq!(text(source), Ok(expected.to_owned()), "{source}");
        }
        for source in ["${", "${}", "${ }", "${ A}", "${A }", "${A!}", "${X:-${}"] {
            assert_eq!(text(source), Err(Fault::Invalid), "{source}");
        }
        let required = Fault::Required {
            name: "X".to_owned(),
            message: "set it".to_owned(),
        };
        assert_eq!(text("${X:?set it}"), Err(required));
        assert_eq!(
            substitute("$X ${Y}", &lookup).map(|done| done.unset),
            Ok(vec!["X".to_owned(), "Y".to_owned()])
        );
    }
}
