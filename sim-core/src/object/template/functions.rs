//! What a template may call: Go's own functions, and those of the two tools.
//! Sources: Go's `text/template/funcs.go`, docker/cli `templates/templates.go`,
//! `k8s.io/cli-runtime/pkg/printers/template.go`.

use std::cmp::Ordering;

use crate::base::base64;
use crate::manifest::json::write_string;
use crate::manifest::value::Value;
use crate::object::print;

use super::Missing;
use super::run::Got;

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

/// Calls a function.
///
/// # Errors
/// Go's text, without the place.
pub(super) fn call(name: &str, values: &[Got], missing: Missing) -> Result<Got, String> {
    let (least, most) = arity(name);
    if values.len() < least || values.len() > most {
        let want = if most == usize::MAX { "at least " } else { "" };
        return Err(format!(
            "wrong number of args for {name}: want {want}{least} got {}",
            values.len()
        ));
    }
    let failed = |said: &str| format!("error calling {name}: {said}");
    let fails = |said: &str| Err(failed(said));
    let text = |place: usize| -> Result<&str, String> {
        let value = values.get(place).and_then(Option::as_ref);
        value.and_then(Value::as_str).ok_or_else(|| match value {
            None | Some(Value::Null) => "invalid value; expected string".to_owned(),
            Some(value) => format!(
                "wrong type for value; expected string; got {}",
                type_of(value)
            ),
        })
    };
    let number = |place: usize| -> Result<usize, String> {
        let value = values.get(place).and_then(Option::as_ref);
        let value = value.and_then(Value::as_i64).ok_or("expected integer")?;
        usize::try_from(value).map_err(|_| "negative count".to_owned())
    };
    let first = values.first().and_then(Option::as_ref);
    let first = first.filter(|value| !value.is_null());
    let made = |text: String| Ok(Some(Value::string(&text)));
    let flag = |flag: bool| Ok(Some(Value::Bool(flag)));
    match name {
        "not" => flag(!truth(&values[0])),
        "len" => Ok(Some(Value::Int(match first {
            Some(Value::String(text)) => text.len() as i64,
            Some(Value::List(items)) => items.len() as i64,
            Some(Value::Map(map)) => map.len() as i64,
            Some(value) => return fails(&format!("len of type {}", type_of(value))),
            None if missing == Missing::NoValue => return fails("len of untyped nil"),
            None => 0,
        }))),
        "index" => index(values, missing).or_else(|said| fails(&said)),
        "slice" => slice(values).or_else(|said| fails(&said)),
        "eq" if values.len() < 2 => fails("missing argument for comparison"),
        "eq" => {
            for other in &values[1..] {
                if order(&values[0], other).map_err(failed)? == Some(Ordering::Equal) {
                    return flag(true);
                }
            }
            flag(false)
        }
        "ne" => flag(order(&values[0], &values[1]).map_err(failed)? != Some(Ordering::Equal)),
        "lt" | "le" | "gt" | "ge" => {
            let order = order(&values[0], &values[1]).map_err(failed)?;
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
        "print" => made(printed(values)),
        "println" => {
            let words: Vec<String> = values.iter().map(inner).collect();
            made(words.join(" ") + "\n")
        }
        "printf" => made(formatted(text(0)?, &values[1..])),
        "html" => {
            let mut out = String::new();
            for letter in printed(values).chars() {
                match letter {
                    '"' => out.push_str("&#34;"),
                    '\'' => out.push_str("&#39;"),
                    '&' => out.push_str("&amp;"),
                    '<' => out.push_str("&lt;"),
                    '>' => out.push_str("&gt;"),
                    other => out.push(other),
                }
            }
            made(out)
        }
        "json" => made(print::json_plain(first.unwrap_or(&Value::Null))),
        "lower" => made(text(0)?.to_lowercase()),
        "upper" => made(text(0)?.to_uppercase()),
        "title" => {
            let mut before = ' ';
            let letters = text(0)?.chars().flat_map(|letter| {
                let starts = !before.is_alphanumeric() && before != '_' && before != '\'';
                before = letter;
                let upper = letter.to_uppercase().filter(move |_| starts);
                upper.chain((!starts).then_some(letter))
            });
            made(letters.collect())
        }
        "split" => {
            let (whole, by) = (text(0)?, text(1)?);
            let parts: Vec<Value> = if by.is_empty() {
                whole
                    .chars()
                    .map(|letter| Value::string(&letter.to_string()))
                    .collect()
            } else {
                whole.split(by).map(Value::string).collect()
            };
            Ok(Some(Value::list(parts)))
        }
        "join" => {
            let items = first.and_then(Value::as_list).unwrap_or_default();
            let words: Vec<String> = items
                .iter()
                .map(|item| inner(&Some(item.clone())))
                .collect();
            made(words.join(text(1)?))
        }
        "pad" => {
            let source = text(0)?;
            if source.is_empty() {
                return made(String::new());
            }
            let blanks = |count: usize| " ".repeat(count.min(PAD_MAX));
            made(format!(
                "{}{source}{}",
                blanks(number(1)?),
                blanks(number(2)?)
            ))
        }
        "truncate" => {
            let (source, length) = (text(0)?, number(1)?);
            // Bytes are counted; a letter that the cut would go through is left out.
            let mut end = length.min(source.len());
            while !source.is_char_boundary(end) {
                end -= 1;
            }
            made(source[..end].to_owned())
        }
        "exists" => {
            let mut value = first.cloned();
            for key in &values[1..] {
                value = value.and_then(|value| part(&value, key).ok().flatten());
            }
            flag(value.is_some())
        }
        "base64decode" => match base64::decode(text(0)?) {
            Ok(bytes) => made(String::from_utf8_lossy(&bytes).into_owned()),
            Err(at) => fails(&format!(
                "base64 decode failed: illegal base64 data at input byte {at}"
            )),
        },
        other => Err(format!("function {other:?} is not modelled")),
    }
}

/// Most blanks that a format may ask for.
const PAD_MAX: usize = 1_000;

/// What a map or a list has at a key.
fn part(value: &Value, key: &Got) -> Result<Got, String> {
    match (value, key) {
        (Value::Map(map), Some(Value::String(key))) => Ok(map.get(key).cloned()),
        (Value::List(items), Some(Value::Int(place))) => {
            let found = usize::try_from(*place)
                .ok()
                .and_then(|place| items.get(place));
            found
                .cloned()
                .map(Some)
                .ok_or_else(|| format!("index out of range: {place}"))
        }
        (Value::Map(_), Some(key)) => {
            Err(format!("value has type {}; should be string", type_of(key)))
        }
        (Value::List(_), Some(key)) => Err(format!(
            "cannot index slice/array with type {}",
            type_of(key)
        )),
        (_, None) => Err("value is nil; should be of type string".to_owned()),
        (other, _) => Err(format!("can't index item of type {}", type_of(other))),
    }
}

fn index(values: &[Got], missing: Missing) -> Result<Got, String> {
    let mut value = values[0].clone();
    for key in &values[1..] {
        let Some(inner) = value.filter(|value| !value.is_null()) else {
            if missing == Missing::NoValue {
                return Err("index of untyped nil".to_owned());
            }
            return Ok(Some(Value::string("")));
        };
        value = part(&inner, key)?;
        // What maps of texts have not is the empty text.
        if value.is_none() && missing != Missing::NoValue {
            value = Some(Value::string(""));
        }
    }
    Ok(value)
}

fn slice(values: &[Got]) -> Result<Got, String> {
    let length = match &values[0] {
        Some(Value::String(text)) => text.len(),
        Some(Value::List(items)) => items.len(),
        Some(other) => return Err(format!("can't slice item of type {}", type_of(other))),
        None => return Err("slice of untyped nil".to_owned()),
    };
    let place = |at: usize, otherwise: usize| match values.get(at) {
        None => Ok(otherwise),
        Some(Some(Value::Int(number))) => usize::try_from(*number)
            .ok()
            .filter(|number| *number <= length)
            .ok_or_else(|| format!("index out of range: {number}")),
        Some(other) => Err(format!(
            "cannot index slice/array with type {}",
            other.as_ref().map_or("nil", type_of)
        )),
    };
    let (from, to) = (place(1, 0)?, place(2, length)?);
    if from > to {
        return Err(format!("invalid slice index: {from} > {to}"));
    }
    Ok(match &values[0] {
        Some(Value::String(text)) => Some(Value::string(text.get(from..to).unwrap_or(""))),
        Some(Value::List(items)) => Some(Value::list(items[from..to].to_vec())),
        _ => None,
    })
}

/// The order of two plain values; none: one of them is missing.
fn order(left: &Got, right: &Got) -> Result<Option<Ordering>, &'static str> {
    Ok(match (left, right) {
        (Some(Value::Bool(left)), Some(Value::Bool(right))) => Some(left.cmp(right)),
        (Some(Value::Int(left)), Some(Value::Int(right))) => Some(left.cmp(right)),
        (Some(Value::String(left)), Some(Value::String(right))) => Some(left.cmp(right)),
        (Some(Value::Number(left)), Some(Value::Number(right))) if left == right => {
            Some(Ordering::Equal)
        }
        (None, None) => Some(Ordering::Equal),
        (None, _) | (_, None) => None,
        (Some(Value::Map(_) | Value::List(_)), _) | (_, Some(Value::Map(_) | Value::List(_))) => {
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
pub(super) fn truth(value: &Got) -> bool {
    match value {
        None | Some(Value::Null | Value::Bool(false) | Value::Int(0)) => false,
        Some(Value::List(items)) => !items.is_empty(),
        Some(Value::Map(map)) => !map.is_empty(),
        Some(Value::Bool(true) | Value::Int(_)) => true,
        Some(Value::Number(text)) => text.bytes().any(|byte| (b'1'..=b'9').contains(&byte)),
        Some(Value::String(text)) => !text.is_empty(),
    }
}

/// A value as an action prints it.
pub fn show(value: &Got) -> String {
    match value {
        None | Some(Value::Null) => "<no value>".to_owned(),
        some => inner(some),
    }
}

/// A value as `%v` prints it.
fn inner(value: &Got) -> String {
    match value {
        None | Some(Value::Null) => "<nil>".to_owned(),
        Some(Value::Bool(flag)) => flag.to_string(),
        Some(Value::Int(number)) => number.to_string(),
        Some(Value::Number(text) | Value::String(text)) => text.to_string(),
        Some(Value::List(items)) => {
            let words: Vec<String> = items
                .iter()
                .map(|item| inner(&Some(item.clone())))
                .collect();
            format!("[{}]", words.join(" "))
        }
        Some(Value::Map(map)) => {
            let pairs = map.sorted().into_iter();
            let words: Vec<String> = pairs
                .map(|(key, item)| format!("{key}:{}", inner(&Some(item.clone()))))
                .collect();
            format!("map[{}]", words.join(" "))
        }
    }
}

/// Values one after the other; blanks stand between those that are no texts.
fn printed(values: &[Got]) -> String {
    let mut out = String::new();
    let mut before_is_text = true;
    for value in values {
        let is_text = matches!(value, Some(Value::String(_)));
        if !is_text && !before_is_text {
            out.push(' ');
        }
        before_is_text = is_text;
        out.push_str(&inner(value));
    }
    out
}

/// `printf`. Source: Go's `src/fmt/print.go`.
fn formatted(format: &str, values: &[Got]) -> String {
    let mut out = String::new();
    let mut rest = format;
    let mut values = values.iter();
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let flags = &rest[..rest
            .find(|letter| !matches!(letter, '-' | '+' | '0' | ' ' | '#'))
            .unwrap_or(rest.len())];
        rest = &rest[flags.len()..];
        let mut digits = || {
            let end = rest
                .find(|letter: char| !letter.is_ascii_digit())
                .unwrap_or(rest.len());
            let number = rest[..end].parse::<usize>().ok();
            rest = &rest[end..];
            number
        };
        let width = digits().unwrap_or(0).min(PAD_MAX);
        let precision = rest.strip_prefix('.').map(|after| {
            let end = after
                .find(|letter: char| !letter.is_ascii_digit())
                .unwrap_or(after.len());
            rest = &after[end..];
            after[..end].parse::<usize>().unwrap_or(0)
        });
        let Some(verb) = rest.chars().next() else {
            out.push_str("%!(NOVERB)");
            return out;
        };
        rest = &rest[verb.len_utf8()..];
        if verb == '%' {
            out.push('%');
            continue;
        }
        let Some(value) = values.next() else {
            out.push_str(&format!("%!{verb}(MISSING)"));
            continue;
        };
        let text = inner(value);
        let fits = match (verb, value) {
            ('v', _) | ('s' | 'q', Some(Value::String(_) | Value::List(_) | Value::Map(_))) => true,
            ('d' | 'x', value) => matches!(value, Some(Value::Int(_))),
            ('t', value) => matches!(value, Some(Value::Bool(_))),
            ('f' | 'g', value) => matches!(value, Some(Value::Number(_))),
            _ => false,
        };
        let text = match (fits, verb, value) {
            (false, _, Some(value)) => {
                out.push_str(&format!("%!{verb}({}={text})", type_of(value)));
                continue;
            }
            (false, _, None) => {
                out.push_str(&format!("%!{verb}(<nil>)"));
                continue;
            }
            (true, 'q', _) => {
                let mut quoted = String::new();
                write_string(&mut quoted, &text, false);
                quoted
            }
            (true, 'x', Some(Value::Int(number))) => format!("{number:x}"),
            (true, 's' | 'v', Some(Value::String(text))) => {
                text.chars().take(precision.unwrap_or(usize::MAX)).collect()
            }
            (true, 'd', _) if flags.contains('+') && !text.starts_with('-') => format!("+{text}"),
            _ => text,
        };
        let blanks = width.saturating_sub(text.chars().count());
        if flags.contains('-') {
            out.push_str(&text);
            out.extend(std::iter::repeat_n(' ', blanks));
        } else if flags.contains('0') && matches!(value, Some(Value::Int(_))) {
            let (sign, digits) = text.split_at(usize::from(text.starts_with(['-', '+'])));
            out.push_str(sign);
            out.extend(std::iter::repeat_n('0', blanks));
            out.push_str(digits);
        } else {
            out.extend(std::iter::repeat_n(' ', blanks));
            out.push_str(&text);
        }
    }
    out.push_str(rest);
    let extra: Vec<String> = values
        .map(|value| match value {
            Some(some) => format!("{}={}", type_of(some), inner(value)),
            None => "<nil>".to_owned(),
        })
        .collect();
    if !extra.is_empty() {
        out.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    out
}
