//! What a template may call: Go's own functions, and those of the two tools.
//! Sources: Go's `text/template/funcs.go`, docker/cli `templates/templates.go`,
//! `k8s.io/cli-runtime/pkg/printers/template.go`.

use std::cmp::Ordering;

use crate::base::base64;
use crate::base::limits::MAX_TEMPLATE_BYTES;
use crate::base::sentence::{Sentence, catalogue};
use crate::manifest::json::write_string;
use crate::manifest::value::Value;
use crate::object::print::{self, KeyOrder, json};

use super::run::Got;
use super::{Missing, Type};

/// Functions that every template has.
pub(super) const OWN: [&str; 16] = [
    "and", "eq", "ge", "gt", "html", "index", "le", "len", "lt", "ne", "not", "or", "print",
    "printf", "println", "slice",
];

/// How many arguments a function takes at least, and at most.
fn arity(name: &str) -> (usize, usize) {
    match name {
        "len" | "not" | "json" | "title" | "lower" | "upper" | "base64decode" => (1, 1),
        "lt" | "le" | "gt" | "ge" | "ne" | "split" | "join" | "truncate" => (2, 2),
        "pad" => (3, 3),
        "eq" | "index" | "slice" | "printf" | "exists" => (1, usize::MAX),
        _ => (0, usize::MAX),
    }
}

/// Text that is being made, which asks before it grows.
pub(super) struct Text<'t> {
    pub out: &'t mut String,
    /// Bytes that the whole template may still make.
    pub left: &'t mut usize,
}

impl Text<'_> {
    /// # Errors
    /// The template has made too much.
    pub(super) fn push(&mut self, text: &str) -> Result<(), Sentence> {
        take(self.left, text.len())?;
        self.out.push_str(text);
        Ok(())
    }

    fn letters(&mut self, letters: impl Iterator<Item = char>) -> Result<(), Sentence> {
        for letter in letters {
            take(self.left, letter.len_utf8())?;
            self.out.push(letter);
        }
        Ok(())
    }

    fn fill(&mut self, letter: char, count: usize) -> Result<(), Sentence> {
        take(self.left, count)?;
        self.out.extend(std::iter::repeat_n(letter, count));
        Ok(())
    }
}

/// Takes bytes from those that are left.
fn take(left: &mut usize, bytes: usize) -> Result<(), Sentence> {
    let rest = left.checked_sub(bytes);
    *left = rest.ok_or_else(|| catalogue::TEMPLATE_MAKES.with(&[("most", &MAX_TEMPLATE_BYTES)]))?;
    Ok(())
}

/// A text by itself, made with what is left.
fn made(
    left: &mut usize,
    write: impl FnOnce(&mut Text<'_>) -> Result<(), Sentence>,
) -> Result<String, Sentence> {
    let mut out = String::new();
    write(&mut Text {
        out: &mut out,
        left,
    })?;
    Ok(out)
}

/// Bytes that a value takes at most as JSON.
fn json_bytes(value: &Value) -> usize {
    let text = |text: &str| {
        let plain =
            |byte: &u8| byte.is_ascii_graphic() && !b"\"\\<>&".contains(byte) || *byte == b' ';
        text.len() + 2 + 5 * text.bytes().filter(|byte| !plain(byte)).count()
    };
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Int(_) => 20,
        Value::Number(digits) => digits.len(),
        Value::String(letters) => text(letters),
        Value::List(items) => items.iter().map(|item| json_bytes(item) + 1).sum::<usize>() + 2,
        Value::Map(map) => {
            let entries = map
                .iter()
                .map(|(key, item)| text(key) + json_bytes(item) + 2);
            entries.sum::<usize>() + 2
        }
    }
}

/// Calls a function, which takes the bytes of what it makes from those that are left.
///
/// # Errors
/// Go's text, without the place.
pub(super) fn call(
    name: &str,
    values: &[Got],
    missing: Missing,
    left: &mut usize,
) -> Result<Got, Sentence> {
    let (least, most) = arity(name);
    if values.len() < least || values.len() > most {
        let want = if most == usize::MAX { "at least " } else { "" };
        return Err(format!(
            "wrong number of args for {name}: want {want}{least} got {}",
            values.len()
        )
        .into());
    }
    let failed = |said: Sentence| said.behind(&format!("error calling {name}: "));
    let fails = |said: &str| Err(failed(said.into()));
    let text = |place: usize| -> Result<&str, Sentence> {
        let value = values.get(place).map_or(&Value::Null, |got| &got.value);
        value.as_str().ok_or_else(|| match value {
            Value::Null => "invalid value; expected string".into(),
            value => format!(
                "wrong type for value; expected string; got {}",
                type_of(value)
            )
            .into(),
        })
    };
    let number = |place: usize| -> Result<usize, Sentence> {
        let value = values.get(place).and_then(|got| got.value.as_i64());
        let value = value.ok_or("expected integer")?;
        usize::try_from(value).map_err(|_| "negative count".into())
    };
    let first = values.first().unwrap_or(&Got::NOTHING);
    let mut make = |write: &dyn Fn(&mut Text<'_>) -> Result<(), Sentence>| {
        let text = made(left, write).map_err(failed)?;
        Ok(Got::plain(Value::string(&text)))
    };
    let flag = |flag: bool| Ok(Got::plain(Value::Bool(flag)));
    match name {
        "not" => flag(!truth(&values[0])),
        "len" => Ok(Got::plain(Value::Int(match (&first.value, first.of) {
            (Value::String(text), _) => text.len() as i64,
            (Value::List(items), _) => items.len() as i64,
            (Value::Map(map), _) => map.len() as i64,
            (Value::Null, Type::List | Type::Map) => 0,
            (Value::Null, Type::Pointer) => return fails("len of nil pointer"),
            (Value::Null, _) => return fails("len of untyped nil"),
            (value, _) => return fails(&format!("len of type {}", type_of(value))),
        }))),
        "index" => index(values, missing).map_err(failed),
        "slice" => slice(values).map_err(failed),
        "eq" if values.len() < 2 => fails("missing argument for comparison"),
        "eq" => {
            for other in &values[1..] {
                if order(&values[0], other).map_err(|said| failed(said.into()))?
                    == Some(Ordering::Equal)
                {
                    return flag(true);
                }
            }
            flag(false)
        }
        "ne" => flag(
            order(&values[0], &values[1]).map_err(|said| failed(said.into()))?
                != Some(Ordering::Equal),
        ),
        "lt" | "le" | "gt" | "ge" => {
            let order = order(&values[0], &values[1]).map_err(|said| failed(said.into()))?;
            let Some(order) = order else {
                return fails("incompatible types for comparison");
            };
            flag(match name {
                "lt" => order.is_lt(),
                "le" => order.is_le(),
                "gt" => order.is_gt(),
                _ => order.is_ge(),
            })
        }
        "print" => make(&|out| printed(values, out)),
        "println" => make(&|out| {
            for (place, value) in values.iter().enumerate() {
                if place > 0 {
                    out.push(" ")?;
                }
                write_got(value, out)?;
            }
            out.push("\n")
        }),
        "printf" => {
            let format = text(0)?;
            make(&|out| formatted(format, &values[1..], out))
        }
        "html" => make(&|out| {
            let whole = made(&mut left_of(out.left), |out| printed(values, out))?;
            for piece in whole.split_inclusive(['"', '\'', '&', '<', '>']) {
                let plain = piece.trim_end_matches(['"', '\'', '&', '<', '>']);
                out.push(plain)?;
                out.push(match &piece[plain.len()..] {
                    "\"" => "&#34;",
                    "'" => "&#39;",
                    "&" => "&amp;",
                    "<" => "&lt;",
                    ">" => "&gt;",
                    _ => "",
                })?;
            }
            Ok(())
        }),
        "json" => make(&|out| {
            take(&mut left_of(out.left), json_bytes(&first.value))?;
            out.push(&print::json_plain(&first.value))
        }),
        "lower" => {
            let source = text(0)?;
            make(&|out| out.letters(source.chars().flat_map(char::to_lowercase)))
        }
        "upper" => {
            let source = text(0)?;
            make(&|out| out.letters(source.chars().flat_map(char::to_uppercase)))
        }
        "title" => {
            let source = text(0)?;
            make(&|out| {
                let mut before = ' ';
                out.letters(source.chars().flat_map(|letter| {
                    let starts = !before.is_alphanumeric() && before != '_' && before != '\'';
                    before = letter;
                    let upper = letter.to_uppercase().filter(move |_| starts);
                    upper.chain((!starts).then_some(letter))
                }))
            })
        }
        "split" => {
            let (whole, by) = (text(0)?, text(1)?);
            // Without a separator, letters are the parts.
            let letters = || {
                whole
                    .char_indices()
                    .map(|(at, letter)| &whole[at..at + letter.len_utf8()])
            };
            let mut parts = Vec::new();
            let mut part = |part: &str| -> Result<(), Sentence> {
                take(left, part.len() + PART_BYTES).map_err(failed)?;
                parts.push(Value::string(part));
                Ok(())
            };
            if by.is_empty() {
                letters().try_for_each(&mut part)?;
            } else {
                whole.split(by).try_for_each(&mut part)?;
            }
            Ok(Got::plain(Value::list(parts)))
        }
        "join" => {
            let (items, by) = (first.value.as_list().unwrap_or_default(), text(1)?);
            make(&|out| {
                for (place, item) in items.iter().enumerate() {
                    if place > 0 {
                        out.push(by)?;
                    }
                    write(item, out)?;
                }
                Ok(())
            })
        }
        "pad" => {
            let (source, before, after) = (text(0)?, number(1)?, number(2)?);
            make(&|out| {
                if source.is_empty() {
                    return Ok(());
                }
                out.fill(' ', before)?;
                out.push(source)?;
                out.fill(' ', after)
            })
        }
        "truncate" => {
            let (source, length) = (text(0)?, number(1)?);
            // Bytes are counted; a letter that the cut would go through is left out.
            let mut end = length.min(source.len());
            while !source.is_char_boundary(end) {
                end -= 1;
            }
            make(&|out| out.push(&source[..end]))
        }
        "exists" => {
            let mut value = Some(first.value.clone()).filter(|_| !first.is_nothing());
            for key in &values[1..] {
                value = value.and_then(|value| part(&value, &key.value).ok().flatten());
            }
            flag(value.is_some())
        }
        "base64decode" => match base64::decode(text(0)?) {
            Ok(bytes) => make(&|out| out.push(&String::from_utf8_lossy(&bytes))),
            Err(at) => fails(&format!(
                "base64 decode failed: illegal base64 data at input byte {at}"
            )),
        },
        other => Err(catalogue::NOT_MODELLED.with(&[("what", &other)])),
    }
}

/// What a part of a list takes beside its letters.
const PART_BYTES: usize = 64;

/// Most that a format may ask for as a width. Source: Go's `fmt/print.go` (tooLarge).
const WIDTH_MAX: usize = 1_000_000;

/// What is left, to make something with that is only looked at.
fn left_of(left: &usize) -> usize {
    *left
}

/// What a map or a list has at a key.
fn part(value: &Value, key: &Value) -> Result<Option<Value>, Sentence> {
    match (value, key) {
        (Value::Map(map), Value::String(key)) => Ok(map.get(key).cloned()),
        (Value::List(items), Value::Int(place)) => {
            let found = usize::try_from(*place)
                .ok()
                .and_then(|place| items.get(place));
            found
                .cloned()
                .map(Some)
                .ok_or_else(|| format!("index out of range: {place}").into())
        }
        (_, Value::Null) => Err("value is nil; should be of type string".into()),
        (Value::Map(_), key) => {
            Err(format!("value has type {}; should be string", type_of(key)).into())
        }
        (Value::List(_), key) => {
            Err(format!("cannot index slice/array with type {}", type_of(key)).into())
        }
        (other, _) => Err(format!("can't index item of type {}", type_of(other)).into()),
    }
}

fn index(values: &[Got], missing: Missing) -> Result<Got, Sentence> {
    let empty = || Got::plain(Value::string(""));
    let mut got = values[0].clone();
    for key in &values[1..] {
        if got.value.is_null() {
            if got.of == Type::Map {
                return Ok(empty());
            }
            return Err("index of untyped nil".into());
        }
        got = match part(&got.value, &key.value)? {
            Some(inner) => Got::inside(&inner),
            None if matches!(missing, Missing::NoValue | Missing::Refused) => Got::NOTHING,
            // What maps of texts have not is the empty text.
            None => empty(),
        };
    }
    Ok(got)
}

fn slice(values: &[Got]) -> Result<Got, Sentence> {
    let length = match &values[0].value {
        Value::String(text) => text.len(),
        Value::List(items) => items.len(),
        Value::Null if values[0].of == Type::List => 0,
        Value::Null => return Err("slice of untyped nil".into()),
        other => return Err(format!("can't slice item of type {}", type_of(other)).into()),
    };
    let place = |at: usize, otherwise: usize| match values.get(at).map(|got| &got.value) {
        None => Ok(otherwise),
        Some(Value::Int(number)) => usize::try_from(*number)
            .ok()
            .filter(|number| *number <= length)
            .ok_or_else(|| format!("index out of range: {number}")),
        Some(other) => Err(format!(
            "cannot index slice/array with type {}",
            type_of(other)
        )),
    };
    let (from, to) = (place(1, 0)?, place(2, length)?);
    if from > to {
        return Err(format!("invalid slice index: {from} > {to}").into());
    }
    Ok(match &values[0].value {
        Value::String(text) => Got::plain(Value::string(text.get(from..to).unwrap_or(""))),
        Value::List(items) => Got::plain(Value::list(items[from..to].to_vec())),
        _ => values[0].clone(),
    })
}

/// The order of two plain values; none: one of them is missing.
fn order(left: &Got, right: &Got) -> Result<Option<Ordering>, &'static str> {
    Ok(match (&left.value, &right.value) {
        (Value::Null, Value::Null) => Some(Ordering::Equal),
        (Value::Null, _) if left.is_nothing() => None,
        (_, Value::Null) if right.is_nothing() => None,
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(right)),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Number(left), Value::Number(right)) if left == right => Some(Ordering::Equal),
        (Value::Map(_) | Value::List(_), _) | (_, Value::Map(_) | Value::List(_)) => {
            return Err("non-comparable type");
        }
        _ => return Err("incompatible types for comparison"),
    })
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nil",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::List(_) => "[]interface {}",
        Value::Map(_) => "map[string]interface {}",
    }
}

/// Whether `if` takes it.
pub(super) fn truth(got: &Got) -> bool {
    match &got.value {
        Value::Null | Value::Bool(false) | Value::Int(0) => false,
        Value::List(items) => !items.is_empty(),
        Value::Map(map) => !map.is_empty(),
        Value::Bool(true) | Value::Int(_) => true,
        Value::Number(text) => text.bytes().any(|byte| (b'1'..=b'9').contains(&byte)),
        Value::String(text) => !text.is_empty(),
    }
}

/// A value of a document as an action prints it.
pub fn show(value: &Value) -> String {
    let got = Got::plain(value.clone());
    made(&mut usize::MAX.clone(), |out| write_action(&got, out)).unwrap_or_default()
}

/// A value as `%#v` prints it: in Go's own words.
pub fn spelled(value: &Value) -> String {
    let inside = |parts: Vec<String>| parts.join(", ");
    match value {
        Value::Null => "interface {}(nil)".to_owned(),
        Value::List(items) => {
            let parts = items.iter().map(spelled).collect();
            format!("[]interface {{}}{{{}}}", inside(parts))
        }
        Value::Map(map) => {
            let part = |(key, value): (_, &Value)| format!("{key:?}:{}", spelled(value));
            let parts = map.sorted().into_iter().map(part).collect();
            format!("map[string]interface {{}}{{{}}}", inside(parts))
        }
        plain => json(plain, KeyOrder::Sorted),
    }
}

/// Writes a value as an action prints it.
pub(super) fn write_action(got: &Got, out: &mut Text<'_>) -> Result<(), Sentence> {
    if got.is_nothing() {
        return out.push("<no value>");
    }
    write_got(got, out)
}

/// Writes a value as `%v` prints it.
fn write_got(got: &Got, out: &mut Text<'_>) -> Result<(), Sentence> {
    match (&got.value, got.of) {
        (Value::Null, Type::List) => out.push("[]"),
        (Value::Null, Type::Map) => out.push("map[]"),
        (value, _) => write(value, out),
    }
}

fn write(value: &Value, out: &mut Text<'_>) -> Result<(), Sentence> {
    match value {
        Value::Null => out.push("<nil>"),
        Value::Bool(flag) => out.push(if *flag { "true" } else { "false" }),
        Value::Int(number) => out.push(&number.to_string()),
        Value::Number(text) | Value::String(text) => out.push(text),
        Value::List(items) => {
            let mut before = "[";
            for item in items.iter() {
                out.push(before)?;
                write(item, out)?;
                before = " ";
            }
            out.push(if items.is_empty() { "[]" } else { "]" })
        }
        Value::Map(map) => {
            let mut before = "map[";
            for (key, item) in map.sorted() {
                out.push(before)?;
                out.push(key)?;
                out.push(":")?;
                write(item, out)?;
                before = " ";
            }
            out.push(if map.is_empty() { "map[]" } else { "]" })
        }
    }
}

/// Values one after the other; blanks stand between those that are no texts.
fn printed(values: &[Got], out: &mut Text<'_>) -> Result<(), Sentence> {
    let mut before_is_text = true;
    for got in values {
        let is_text = matches!(got.value, Value::String(_));
        if !is_text && !before_is_text {
            out.push(" ")?;
        }
        before_is_text = is_text;
        write_got(got, out)?;
    }
    Ok(())
}

/// `printf`. Source: Go's `src/fmt/print.go`.
fn formatted(format: &str, values: &[Got], out: &mut Text<'_>) -> Result<(), Sentence> {
    let mut rest = format;
    let mut values = values.iter();
    while let Some(at) = rest.find('%') {
        out.push(&rest[..at])?;
        rest = &rest[at + 1..];
        let flags = &rest[..rest
            .find(|letter| !matches!(letter, '-' | '+' | '0' | ' ' | '#'))
            .unwrap_or(rest.len())];
        rest = &rest[flags.len()..];
        let mut digits = || {
            let end = rest
                .find(|letter: char| !letter.is_ascii_digit())
                .unwrap_or(rest.len());
            let number = rest[..end].parse::<usize>();
            rest = &rest[end..];
            if end == 0 {
                Some(0)
            } else {
                number.ok().filter(|width| *width <= WIDTH_MAX)
            }
        };
        let width = digits();
        let precision = rest.strip_prefix('.').map(|after| {
            let end = after
                .find(|letter: char| !letter.is_ascii_digit())
                .unwrap_or(after.len());
            rest = &after[end..];
            after[..end].parse::<usize>().unwrap_or(0)
        });
        // Behind a width that is too large, Go reads no further.
        let (Some(verb), Some(width)) = (rest.chars().next(), width) else {
            out.push("%!(NOVERB)")?;
            rest = "";
            break;
        };
        rest = &rest[verb.len_utf8()..];
        if verb == '%' {
            out.push("%")?;
            continue;
        }
        let Some(value) = values.next() else {
            out.push(&format!("%!{verb}(MISSING)"))?;
            continue;
        };
        let text = made(&mut left_of(out.left), |out| write_got(value, out))?;
        let of = value.of;
        let value = &value.value;
        let fits = match (verb, value) {
            ('v', _) | ('s' | 'q', Value::String(_) | Value::List(_) | Value::Map(_)) => true,
            ('s' | 'q', Value::Null) => matches!(of, Type::List | Type::Map),
            ('d' | 'x', value) => matches!(value, Value::Int(_)),
            ('t', value) => matches!(value, Value::Bool(_)),
            ('f' | 'g', value) => matches!(value, Value::Number(_)),
            _ => false,
        };
        let text = match (fits, verb, value) {
            (false, _, Value::Null) => {
                out.push(&format!("%!{verb}(<nil>)"))?;
                continue;
            }
            (false, _, value) => {
                out.push(&format!("%!{verb}({}=", type_of(value)))?;
                out.push(&text)?;
                out.push(")")?;
                continue;
            }
            (true, 'q', _) => {
                take(&mut left_of(out.left), 6 * text.len() + 2)?;
                let mut quoted = String::new();
                write_string(&mut quoted, &text, false);
                quoted
            }
            (true, 'x', Value::Int(number)) => format!("{number:x}"),
            (true, 's' | 'v', Value::String(text)) => {
                text.chars().take(precision.unwrap_or(usize::MAX)).collect()
            }
            (true, 'd', _) if flags.contains('+') && !text.starts_with('-') => format!("+{text}"),
            _ => text,
        };
        let blanks = width.saturating_sub(text.chars().count());
        if flags.contains('-') {
            out.push(&text)?;
            out.fill(' ', blanks)?;
        } else if flags.contains('0') && matches!(value, Value::Int(_)) {
            let (sign, digits) = text.split_at(usize::from(text.starts_with(['-', '+'])));
            out.push(sign)?;
            out.fill('0', blanks)?;
            out.push(digits)?;
        } else {
            out.fill(' ', blanks)?;
            out.push(&text)?;
        }
    }
    out.push(rest)?;
    let mut before = "%!(EXTRA ";
    for got in values.by_ref() {
        out.push(before)?;
        if !got.value.is_null() {
            out.push(type_of(&got.value))?;
            out.push("=")?;
        }
        write_got(got, out)?;
        before = ", ";
    }
    out.push(if before == ", " { ")" } else { "" })
}
