//! `.env` and `env_file`: lines of `NAME=value`. Source: compose-go `dotenv/parser.go`.

use crate::manifest::compose::interpolate;
use crate::manifest::compose::loaded::Variables;

/// Reads the lines. Single quotes keep everything, double quotes and bare values are interpolated
/// from `outer` and the lines before; lines that are no assignment are skipped.
#[inline(never)]
pub fn parse(text: &str, outer: &Variables) -> Variables {
    let mut found = Variables::new();
    for line in text.lines() {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, rest) = match line.find(['=', ':']) {
            Some(at) => (line[..at].trim(), line[at + 1..].trim()),
            None => {
                // A bare name takes its value from outside.
                if let Some(value) = outer.get(line) {
                    found.insert(line.into(), value.clone());
                }
                continue;
            }
        };
        if name.is_empty()
            || !name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
        {
            continue;
        }
        let value = value(rest, outer, &found);
        found.insert(name.into(), value.into());
    }
    found
}

fn value(rest: &str, outer: &Variables, found: &Variables) -> String {
    if let Some(quoted) = rest.strip_prefix('\'') {
        return quoted.split('\'').next().unwrap_or("").to_owned();
    }
    let (raw, escapes) = match rest.strip_prefix('"') {
        Some(quoted) => (double_quoted(quoted), true),
        None => (bare(rest).to_owned(), false),
    };
    let lookup = |name: &str| outer.get(name).or_else(|| found.get(name)).cloned();
    let value = interpolate::substitute(&raw, &lookup).map_or(raw, |done| done.text);
    if escapes {
        value
            .replace("\\n", "\n")
            .replace("\\t", "\t")
            .replace("\\\"", "\"")
    } else {
        value
    }
}

fn double_quoted(quoted: &str) -> String {
    let mut value = String::new();
    let mut escaped = false;
    for letter in quoted.chars() {
        if letter == '"' && !escaped {
            break;
        }
        escaped = letter == '\\' && !escaped;
        value.push(letter);
    }
    value
}

/// A bare value ends at ` #`.
fn bare(rest: &str) -> &str {
    let end = rest.find(" #").unwrap_or(rest.len());
    rest[..end].trim_end()
}
