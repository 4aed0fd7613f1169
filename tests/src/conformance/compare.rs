//! Compares what was seen with what a case expects. Each function answers with the first difference.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sim_core::console::Output;
use sim_core::object::structural::regex::Regex;

use super::look;

/// Texts that one key of an expectation names: one string or a list.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => value.as_str().into_iter().collect(),
    }
}

/// Compares one command's output with one key of an expectation. `None`: the key is not known.
pub fn output(key: &str, expected: &Value, seen: &Output) -> Option<Result<(), String>> {
    let trimmed = |text: &str| text.trim_end_matches('\n').to_owned();
    let equal = |stream: &str, text: &str| {
        let wanted = trimmed(expected.as_str().unwrap_or_default());
        check(trimmed(text) == wanted, || {
            format!(
                "{stream} is {text:?}, not {wanted:?}; standard error: {:?}",
                short(&seen.stderr)
            )
        })
    };
    let all = |stream: &str, text: &str| {
        let missing = texts(expected)
            .into_iter()
            .find(|part| !text.contains(part));
        missing.map_or(Ok(()), |part| {
            Err(format!("{stream} lacks {part:?}: {}", short(text)))
        })
    };
    Some(match key {
        "exit" => match expected.as_i64() {
            Some(code) => check(i64::from(seen.code) == code, || {
                format!(
                    "exit {} instead of {code}: {}",
                    seen.code,
                    short(&seen.stderr)
                )
            }),
            None => check(seen.code != 0, || "exit 0 instead of a failure".to_owned()),
        },
        "stdout" => equal("standard output", &seen.stdout),
        "stderr" => equal("standard error", &seen.stderr),
        "stdout_contains" | "stdout_contains_all" => all("standard output", &seen.stdout),
        "stderr_contains" | "stderr_contains_all" | "api_error_contains" | "error_contains" => {
            all("standard error", &seen.stderr)
        }
        "stderr_contains_any" => check(
            texts(expected)
                .into_iter()
                .any(|part| seen.stderr.contains(part)),
            || {
                format!(
                    "standard error has none of {expected}: {}",
                    short(&seen.stderr)
                )
            },
        ),
        "stdout_not_contains" => {
            let found = texts(expected)
                .into_iter()
                .find(|part| seen.stdout.contains(part));
            found.map_or(Ok(()), |part| Err(format!("standard output has {part:?}")))
        }
        "stdout_regex" => matches("standard output", expected, &trimmed(&seen.stdout)),
        "stderr_regex" => matches("standard error", expected, &trimmed(&seen.stderr)),
        "stdout_lines" => in_order(seen.stdout.lines(), &texts(expected)),
        "first_stdout_line" => {
            let first = seen.stdout.lines().next().unwrap_or_default();
            check(Some(first) == expected.as_str(), || {
                format!(
                    "first line is {first:?}, not {expected}; standard error: {:?}",
                    short(&seen.stderr)
                )
            })
        }
        "table" => table(expected, &seen.stdout),
        "header" => header(expected, &look::table(&seen.stdout).0),
        "cells" => rows(&[expected], &seen.stdout),
        "rows" => rows(
            &expected
                .as_array()
                .map(|rows| rows.iter().collect::<Vec<_>>())
                .unwrap_or_default(),
            &seen.stdout,
        ),
        "lines" | "lines_in_order_subset" => labelled(expected, &seen.stdout),
        _ => return None,
    })
}

/// `^` and `$` are the text's ends, as in most tools without flags.
fn matches(stream: &str, expected: &Value, text: &str) -> Result<(), String> {
    let pattern = expected.as_str().unwrap_or_default();
    let regex = Regex::parse(pattern)?;
    check(regex.is_match(text), || {
        format!("{stream} does not match {pattern:?}: {:?}", short(text))
    })
}

fn check(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

/// The beginning of a text, for a reason.
pub fn short(text: &str) -> String {
    text.chars().take(300).collect()
}

fn in_order<'a>(mut lines: impl Iterator<Item = &'a str>, expected: &[&str]) -> Result<(), String> {
    for wanted in expected {
        if !lines.any(|line| line.trim_end() == *wanted) {
            return Err(format!("no line {wanted:?}, or not in this order"));
        }
    }
    Ok(())
}

fn header(expected: &Value, seen: &[String]) -> Result<(), String> {
    check(texts(expected) == seen, || {
        format!("the header is {seen:?}, not {expected}")
    })
}

fn table(expected: &Value, text: &str) -> Result<(), String> {
    let (seen_header, seen) = look::table(text);
    header(&expected["header"], &seen_header)?;
    let wanted: Vec<Vec<&str>> = expected["rows"]
        .as_array()
        .into_iter()
        .flatten()
        .map(texts)
        .collect();
    check(
        seen.len() == wanted.len()
            && seen
                .iter()
                .zip(&wanted)
                .all(|(seen, wanted)| seen == wanted),
        || format!("the rows are {seen:?}, not {wanted:?}"),
    )
}

/// Every expected row matches one printed row of its own, in the named columns.
fn rows(expected: &[&Value], text: &str) -> Result<(), String> {
    let (header, mut seen) = look::table(text);
    for row in expected {
        let wanted: BTreeMap<&String, &str> = row
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, value)| (key, value.as_str().unwrap_or_default()))
            .collect();
        let matches = |cells: &Vec<String>| {
            wanted.iter().all(|(key, value)| {
                header
                    .iter()
                    .position(|name| name == *key)
                    .is_some_and(|column| cells[column] == *value)
            })
        };
        match seen.iter().position(matches) {
            Some(position) => {
                seen.remove(position);
            }
            None => return Err(format!("no row {row}; printed: {}", short(text))),
        }
    }
    Ok(())
}

fn labelled(expected: &Value, text: &str) -> Result<(), String> {
    let plain = |value: &Value| {
        value
            .as_str()
            .unwrap_or_default()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    let seen = look::labelled(text);
    let mut lines = seen.iter();
    for pair in expected.as_array().into_iter().flatten() {
        let (label, value) = (&pair[0], plain(&pair[1]));
        let found = lines.any(|(seen_label, seen_value, whole)| match label {
            Value::Null => *whole == value,
            _ => *seen_label == plain(label) && *seen_value == value,
        });
        if !found {
            return Err(format!(
                "no line {pair}, or not in this order; printed: {}",
                short(text)
            ));
        }
    }
    Ok(())
}

/// Compares a value of an object. `None`: the operation is not known.
pub fn value(
    op: &str,
    seen: Option<&Value>,
    expected: &Value,
    object: &Value,
    saved: &BTreeMap<String, String>,
) -> Option<Result<(), String>> {
    let differs = || {
        format!(
            "{} instead of {}",
            seen.map_or_else(|| "nothing".to_owned(), |seen| short(&seen.to_string())),
            short(&expected.to_string())
        )
    };
    let holds = match op {
        "equals" | "eventually_equals" => seen.is_some_and(|seen| same(seen, expected)),
        "empty_or_absent" => seen.is_none_or(empty),
        "present" => seen.is_some(),
        "subset" => seen.is_some_and(|seen| subset(expected, seen)),
        "contains" => seen.is_some_and(|seen| contains(seen, expected)),
        "contains_all" => expected.as_array().is_some_and(|all| {
            all.iter()
                .all(|item| seen.is_some_and(|seen| contains(seen, item)))
        }),
        "contains_subset" => seen
            .and_then(Value::as_array)
            .is_some_and(|items| items.iter().any(|item| subset(expected, item))),
        "json_equals" => seen
            .and_then(Value::as_str)
            .and_then(|text| serde_json::from_str::<Value>(text).ok())
            .is_some_and(|value| same(&value, expected)),
        "equals_saved" => expected
            .as_str()
            .and_then(|name| saved.get(name))
            .is_some_and(|text| {
                seen.is_some_and(|seen| {
                    seen.as_str()
                        .map_or_else(|| seen.to_string(), str::to_owned)
                        == *text
                })
            }),
        "equals_path" => {
            look::at(object, expected.as_str().unwrap_or_default()).as_ref() == seen
                && seen.is_some()
        }
        "int_between" => seen.and_then(Value::as_i64).is_some_and(|seen| {
            expected[0].as_i64().is_some_and(|low| low <= seen)
                && expected[1].as_i64().is_some_and(|high| seen <= high)
        }),
        "managed_paths_equal" => {
            let owned = look::managed(seen.unwrap_or(&Value::Null));
            let none = BTreeSet::new();
            return Some(expected.as_object().into_iter().flatten().try_for_each(
                |(manager, paths)| {
                    let wanted: BTreeSet<String> =
                        texts(paths).into_iter().map(str::to_owned).collect();
                    let found = owned.get(manager).unwrap_or(&none);
                    check(*found == wanted, || {
                        format!("{manager} owns {found:?}, not {wanted:?}")
                    })
                },
            ));
        }
        "owners_of" => {
            let (path, wanted) = (
                expected["path"].as_str().unwrap_or_default(),
                texts(&expected["managers"]),
            );
            let found = look::owners(seen.unwrap_or(&Value::Null), path);
            return Some(check(
                found
                    .iter()
                    .map(String::as_str)
                    .eq(wanted.iter().copied().collect::<BTreeSet<_>>()),
                || format!("{path} is owned by {found:?}, not {wanted:?}"),
            ));
        }
        _ => return None,
    };
    Some(check(holds, differs))
}

fn empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Equality; numbers by value.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right || left.as_f64() == right.as_f64()
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, left)| right.get(key).is_some_and(|right| same(left, right)))
        }
        _ => left == right,
    }
}

fn subset(expected: &Value, seen: &Value) -> bool {
    match (expected, seen) {
        (Value::Object(expected), Value::Object(seen)) => expected
            .iter()
            .all(|(key, expected)| seen.get(key).is_some_and(|seen| subset(expected, seen))),
        (Value::Array(expected), Value::Array(seen)) => {
            expected.len() == seen.len()
                && expected
                    .iter()
                    .zip(seen)
                    .all(|(expected, seen)| subset(expected, seen))
        }
        _ => same(expected, seen),
    }
}

fn contains(seen: &Value, item: &Value) -> bool {
    match seen {
        Value::Array(items) => items.iter().any(|seen| same(seen, item)),
        Value::String(text) => item.as_str().is_some_and(|part| text.contains(part)),
        Value::Object(map) => item.as_str().is_some_and(|key| map.contains_key(key)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
