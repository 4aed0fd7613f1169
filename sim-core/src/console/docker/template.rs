//! The part of Go's `text/template` that people use with `--format`.
//!
//! Fields, `json`, `index`, `len`, `upper`, `lower`, `println`, `join`, `range`, `if`/`else`, `eq`,
//! `with`. Anything else is refused in words.

use crate::manifest::value::Value;
use crate::object::print::{KeyOrder, json};

/// Renders a template over one object.
///
/// # Errors
/// A sentence if the template cannot be read or uses what is not modelled.
pub fn render(template: &str, root: &Value) -> Result<String, String> {
    let pieces = split(template)?;
    let mut out = String::new();
    let mut at = 0;
    block(&pieces, &mut at, root, root, true, &mut out)?;
    if at < pieces.len() {
        return Err("template parsing error: unexpected {{end}}".to_owned());
    }
    Ok(out)
}

#[derive(Debug)]
enum Piece {
    Text(String),
    Action(Vec<String>),
}

fn split(template: &str) -> Result<Vec<Piece>, String> {
    // The command line turns these two escapes of the shell's single quotes into characters.
    let template = template.replace("\\t", "\t").replace("\\n", "\n");
    let mut pieces = Vec::new();
    let mut rest = template.as_str();
    while let Some(start) = rest.find("{{") {
        pieces.push(Piece::Text(rest[..start].to_owned()));
        let Some(length) = rest[start..].find("}}") else {
            return Err("template parsing error: template: :1: unclosed action".to_owned());
        };
        pieces.push(Piece::Action(tokens(
            rest[start + 2..start + length].trim_matches('-').trim(),
        )));
        rest = &rest[start + length + 2..];
    }
    pieces.push(Piece::Text(rest.to_owned()));
    Ok(pieces)
}

fn tokens(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for character in text.chars() {
        match character {
            '"' => {
                word.push('"');
                quoted = !quoted;
            }
            ' ' if !quoted => {
                if !word.is_empty() {
                    found.push(std::mem::take(&mut word));
                }
            }
            '(' | ')' | '|' if !quoted => {
                if !word.is_empty() {
                    found.push(std::mem::take(&mut word));
                }
                found.push(character.to_string());
            }
            other => word.push(other),
        }
    }
    if !word.is_empty() {
        found.push(word);
    }
    found
}

/// Renders until `end` or `else` of this block, or the end of the template.
fn block(
    pieces: &[Piece],
    at: &mut usize,
    root: &Value,
    dot: &Value,
    print: bool,
    out: &mut String,
) -> Result<(), String> {
    while let Some(piece) = pieces.get(*at) {
        match piece {
            Piece::Text(text) => {
                if print {
                    out.push_str(text);
                }
                *at += 1;
            }
            Piece::Action(words) => match words.first().map(String::as_str) {
                Some("end" | "else") => return Ok(()),
                Some(word @ ("range" | "if" | "with")) => {
                    *at += 1;
                    let value = if print {
                        evaluate(&words[1..], root, dot)?
                    } else {
                        Value::Null
                    };
                    control(word, &value, pieces, at, root, dot, print, out)?;
                }
                _ => {
                    *at += 1;
                    if print {
                        out.push_str(&show(&evaluate(words, root, dot)?));
                    }
                }
            },
        }
    }
    Ok(())
}

#[allow(clippy::too_many_arguments)]
fn control(
    word: &str,
    value: &Value,
    pieces: &[Piece],
    at: &mut usize,
    root: &Value,
    dot: &Value,
    print: bool,
    out: &mut String,
) -> Result<(), String> {
    let start = *at;
    let items: Vec<&Value> = match (word, value) {
        ("range", Value::List(items)) => items.iter().collect(),
        ("range", Value::Map(map)) => map.sorted().into_iter().map(|(_, item)| item).collect(),
        ("with", value) if truth(value) => vec![value],
        ("if", value) if truth(value) => vec![dot],
        _ => Vec::new(),
    };
    for item in &items {
        *at = start;
        block(pieces, at, root, item, print, out)?;
    }
    if items.is_empty() {
        *at = start;
        block(pieces, at, root, dot, false, out)?;
    }
    if is_action(pieces, *at, "else") {
        *at += 1;
        block(pieces, at, root, dot, print && items.is_empty(), out)?;
    }
    if !is_action(pieces, *at, "end") {
        return Err("template parsing error: template: :1: unexpected EOF".to_owned());
    }
    *at += 1;
    Ok(())
}

fn is_action(pieces: &[Piece], at: usize, name: &str) -> bool {
    matches!(pieces.get(at), Some(Piece::Action(words)) if words.first().is_some_and(|word| word == name))
}

fn evaluate(words: &[String], root: &Value, dot: &Value) -> Result<Value, String> {
    if let Some(bar) = words.iter().rposition(|word| word == "|") {
        let given = evaluate(&words[..bar], root, dot)?;
        return call(&words[bar + 1..], vec![given], root, dot);
    }
    call(words, Vec::new(), root, dot)
}

fn call(words: &[String], last: Vec<Value>, root: &Value, dot: &Value) -> Result<Value, String> {
    let Some(first) = words.first() else {
        return Err("template parsing error: template: :1: missing value for command".to_owned());
    };
    if first == "(" || first.starts_with(['.', '$', '"']) || first.parse::<i64>().is_ok() {
        let mut rest = words;
        return operand(&mut rest, root, dot);
    }
    let mut arguments = Vec::new();
    let mut rest = &words[1..];
    while !rest.is_empty() {
        arguments.push(operand(&mut rest, root, dot)?);
    }
    arguments.extend(last);
    let text = |index: usize| arguments.get(index).map(show).unwrap_or_default();
    Ok(match first.as_str() {
        "json" => Value::string(&json(
            arguments.first().unwrap_or(&Value::Null),
            KeyOrder::Stored,
        )),
        "len" => Value::Int(match arguments.first() {
            Some(Value::List(items)) => items.len() as i64,
            Some(Value::Map(map)) => map.len() as i64,
            _ => text(0).len() as i64,
        }),
        "index" => {
            let mut value = arguments.first().cloned().unwrap_or(Value::Null);
            for key in arguments.iter().skip(1) {
                let inner = match (&value, key) {
                    (Value::List(items), Value::Int(index)) => usize::try_from(*index)
                        .ok()
                        .and_then(|index| items.get(index))
                        .cloned(),
                    (map, key) => map.get(&show(key)).cloned(),
                };
                value = inner.unwrap_or(Value::Null);
            }
            value
        }
        "upper" => Value::string(&text(0).to_uppercase()),
        "lower" => Value::string(&text(0).to_lowercase()),
        "print" => Value::string(&arguments.iter().map(show).collect::<String>()),
        "println" => {
            Value::string(&(arguments.iter().map(show).collect::<Vec<_>>().join(" ") + "\n"))
        }
        "join" => Value::string(
            &arguments
                .first()
                .and_then(Value::as_list)
                .unwrap_or_default()
                .iter()
                .map(show)
                .collect::<Vec<_>>()
                .join(&text(1)),
        ),
        "eq" => Value::Bool(text(0) == text(1)),
        "ne" => Value::Bool(text(0) != text(1)),
        "not" => Value::Bool(!arguments.first().is_some_and(truth)),
        "and" => arguments
            .iter()
            .find(|value| !truth(value))
            .or(arguments.last())
            .cloned()
            .unwrap_or(Value::Null),
        "or" => arguments
            .iter()
            .find(|value| truth(value))
            .or(arguments.last())
            .cloned()
            .unwrap_or(Value::Null),
        other => {
            return Err(format!(
                "template parsing error: template: :1: function \"{other}\" not defined (or not modelled)"
            ));
        }
    })
}

fn operand(rest: &mut &[String], root: &Value, dot: &Value) -> Result<Value, String> {
    let Some((first, after)) = rest.split_first() else {
        return Ok(Value::Null);
    };
    *rest = after;
    if first == "(" {
        let mut depth = 1;
        let length = after.iter().position(|word| {
            depth += i32::from(word == "(") - i32::from(word == ")");
            depth == 0
        });
        let Some(length) = length else {
            return Err("template parsing error: template: :1: unclosed left paren".to_owned());
        };
        *rest = &after[length + 1..];
        return evaluate(&after[..length], root, dot);
    }
    if let Some(text) = first.strip_prefix('"') {
        return Ok(Value::string(text.strip_suffix('"').unwrap_or(text)));
    }
    if let Ok(number) = first.parse() {
        return Ok(Value::Int(number));
    }
    let (mut value, path) = match first.strip_prefix('$') {
        Some(path) => (root, path),
        None => (dot, first.as_str()),
    };
    let Some(path) = path.strip_prefix('.') else {
        return if path.is_empty() {
            Ok(value.clone())
        } else {
            Err(format!(
                "template parsing error: template: :1: \"{first}\" is not modelled"
            ))
        };
    };
    for part in path.split('.').filter(|part| !part.is_empty()) {
        match value.get(part) {
            Some(inner) => value = inner,
            None => return Ok(Value::Null),
        }
    }
    Ok(value.clone())
}

fn truth(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) | Value::Int(0) => false,
        Value::List(items) => !items.is_empty(),
        Value::Map(map) => !map.is_empty(),
        Value::Bool(true) | Value::Int(_) | Value::Number(_) => true,
        Value::String(text) => !text.is_empty(),
    }
}

/// A value as Go prints it with `%v`.
fn show(value: &Value) -> String {
    match value {
        Value::Null => "<no value>".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Number(text) => text.to_string(),
        Value::String(text) => text.to_string(),
        Value::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(" ")),
        Value::Map(map) => format!(
            "map[{}]",
            map.sorted()
                .into_iter()
                .map(|(key, item)| format!("{key}:{}", show(item)))
                .collect::<Vec<_>>()
                .join(" ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(template: &str, expected: &str) {
        let object = Value::parse_json(
            r#"{"ID":"a1","Spec":{"Name":"web","Labels":{"x":"1"}},"Ports":[80,443],"None":[]}"#,
        )
        .expect("valid JSON");
        assert_eq!(
            render(template, &object).unwrap_or_else(|error| error),
            expected
        );
    }

    #[test]
    fn templates_of_daily_use() {
        check("{{.ID}}: {{.Spec.Name}}", "a1: web");
        check("{{json .Spec}}", r#"{"Name":"web","Labels":{"x":"1"}}"#);
        check("{{range .Ports}}<{{.}}>{{end}}", "<80><443>");
        check("{{if .None}}yes{{else}}no{{end}}", "no");
        check("{{index .Spec.Labels \"x\"}} {{len .Ports}}", "1 2");
        check("{{.Spec.Name | upper}}", "WEB");
        check("{{.Missing}}", "<no value>");
        check(
            "{{frob .ID}}",
            "template parsing error: template: :1: function \"frob\" not defined (or not modelled)",
        );
        check(
            "{{.ID",
            "template parsing error: template: :1: unclosed action",
        );
    }
}
