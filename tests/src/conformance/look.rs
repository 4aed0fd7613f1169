//! Reads values out of JSON documents and text tables.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Key(String),
    Index(usize),
    Every,
}

/// Splits `a.b.0["k"][*]`. A number is an index where the value is a list, else a key.
fn parts(path: &str) -> Vec<Part> {
    let mut found = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("[*]") {
            found.push(Part::Every);
            rest = after;
        } else if let Some(after) = rest.strip_prefix("[\"") {
            let (key, after) = after.split_once("\"]").unwrap_or((after, ""));
            found.push(Part::Key(key.to_owned()));
            rest = after;
        } else if let Some(after) = rest.strip_prefix('[') {
            let (index, after) = after.split_once(']').unwrap_or((after, ""));
            found.push(
                index
                    .parse()
                    .map_or_else(|_| Part::Key(index.to_owned()), Part::Index),
            );
            rest = after;
        } else {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            if end > 0 {
                found.push(Part::Key(rest[..end].to_owned()));
            }
            rest = &rest[end..];
        }
    }
    found
}

/// The value at a path; `None` if there is none. `[*]` gives a list.
pub fn at(value: &Value, path: &str) -> Option<Value> {
    walk(value, &parts(path))
}

fn walk(value: &Value, parts: &[Part]) -> Option<Value> {
    let Some((part, rest)) = parts.split_first() else {
        return Some(value.clone());
    };
    match part {
        Part::Every => Some(Value::Array(
            value
                .as_array()?
                .iter()
                .filter_map(|item| walk(item, rest))
                .collect(),
        )),
        Part::Index(index) => walk(value.get(index)?, rest),
        Part::Key(key) => match value {
            Value::Array(items) => walk(items.get(key.parse::<usize>().ok()?)?, rest),
            _ => walk(value.get(key)?, rest),
        },
    }
}

/// Rows of a printed table by column, cut at the offsets of the header's words. Columns are apart by
/// two blanks at least.
pub fn table(text: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let header: Vec<char> = lines.next().unwrap_or_default().chars().collect();
    let blank = |at: usize| header.get(at).is_none_or(|letter| *letter == ' ');
    let starts: Vec<usize> = (0..header.len())
        .filter(|at| !blank(*at) && (*at == 0 || blank(at - 1) && (*at < 2 || blank(at - 2))))
        .collect();
    let cut = |line: &[char]| -> Vec<String> {
        let ends = starts.iter().skip(1).copied().chain([usize::MAX]);
        starts
            .iter()
            .zip(ends)
            .map(|(start, end)| {
                line[(*start).min(line.len())..end.min(line.len())]
                    .iter()
                    .collect::<String>()
                    .trim()
                    .to_owned()
            })
            .collect()
    };
    let rows = lines
        .map(|line| cut(&line.chars().collect::<Vec<_>>()))
        .collect();
    (cut(&header), rows)
}

/// `label: value` lines, blanks collapsed; the label is empty where there is no colon.
pub fn labelled(text: &str) -> Vec<(String, String, String)> {
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines()
        .map(|line| match line.split_once(':') {
            Some((label, value)) => (plain(label), plain(value), plain(line)),
            None => (String::new(), plain(line), plain(line)),
        })
        .collect()
}

/// Paths below `f:spec` that each field manager owns, written as `.a.b[key="x"].c`.
pub fn managed(fields: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in fields.as_array().into_iter().flatten() {
        let manager = entry["manager"].as_str().unwrap_or_default().to_owned();
        let paths = all.entry(manager).or_default();
        owned(&entry["fieldsV1"]["f:spec"], ".spec", paths);
    }
    all
}

/// All paths that each manager owns, those outside of the spec too.
pub fn owners(fields: &Value, path: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fields.as_array().into_iter().flatten() {
        let mut paths = BTreeSet::new();
        owned(&entry["fieldsV1"], "", &mut paths);
        if paths.contains(path) {
            found.insert(entry["manager"].as_str().unwrap_or_default().to_owned());
        }
    }
    found
}

fn owned(fields: &Value, path: &str, to: &mut BTreeSet<String>) {
    let Some(map) = fields.as_object() else {
        return;
    };
    if map.is_empty() {
        to.insert(path.to_owned());
    }
    for (key, inner) in map {
        match key.split_once(':') {
            _ if key == "." => {
                to.insert(path.to_owned());
            }
            Some(("f", name)) => owned(inner, &format!("{path}.{name}"), to),
            Some(("k", keys)) => {
                let keys: BTreeMap<String, Value> = serde_json::from_str(keys).unwrap_or_default();
                let keys: Vec<String> = keys
                    .iter()
                    .map(|(key, value)| format!("{key}={value}"))
                    .collect();
                owned(inner, &format!("{path}[{}]", keys.join(",")), to);
            }
            Some(("v", value)) => owned(inner, &format!("{path}[={value}]"), to),
            Some(("i", index)) => owned(inner, &format!("{path}[{index}]"), to),
            _ => {}
        }
    }
}
