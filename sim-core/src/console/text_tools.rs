//! The few text filters that people pipe into.

use super::{Output, after, not_modelled};
use crate::base::arrange::Arrange;
use crate::base::sentence::{Sentence, catalogue};

/// Whether a command is one of these.
pub fn knows(name: &str) -> bool {
    matches!(
        name,
        "grep" | "head" | "tail" | "wc" | "sort" | "uniq" | "echo" | "true" | "false"
    )
}

/// Runs a filter over `input`.
pub fn run(words: &[String], input: &str) -> Output {
    let arguments: Vec<&str> = words[1..].iter().map(String::as_str).collect();
    match words[0].as_str() {
        "grep" => grep(&arguments, input),
        "head" => head(&arguments, input),
        "tail" => tail(&arguments, input),
        "wc" => wc(&arguments, input),
        "sort" => sort(&arguments, input),
        "uniq" => uniq(input),
        "echo" => Output::text(arguments.join(" ") + "\n"),
        "false" => Output {
            code: 1,
            ..Output::default()
        },
        _ => Output::default(),
    }
}

fn option(name: &str) -> Sentence {
    not_modelled(catalogue::OPTION.with(&[("name", &name)]))
}

fn grep(arguments: &[&str], input: &str) -> Output {
    let (mut invert, mut ignore_case, mut count, mut quiet) = (false, false, false, false);
    let mut patterns: Vec<&str> = Vec::new();
    let mut iterator = arguments.iter();
    while let Some(argument) = iterator.next() {
        match argument.strip_prefix('-').filter(|_| patterns.is_empty()) {
            Some("e") => patterns.extend(iterator.next()),
            Some(flags) if !flags.is_empty() => {
                for flag in flags.chars() {
                    match flag {
                        'v' => invert = true,
                        'i' => ignore_case = true,
                        'c' => count = true,
                        'q' => quiet = true,
                        'E' | 'F' | 'w' => {}
                        other => {
                            return Output::error(2, after("grep: ", option(&format!("-{other}"))));
                        }
                    }
                }
            }
            _ => patterns.push(argument),
        }
    }
    let Some(pattern) = patterns.first() else {
        return Output::error(2, "usage: grep [-civq] PATTERN\n".to_owned());
    };
    let alternatives: Vec<String> = pattern
        .split('|')
        .map(|part| part.trim_end_matches('\\'))
        .map(|part| {
            if ignore_case {
                part.to_lowercase()
            } else {
                part.to_owned()
            }
        })
        .collect();
    let found: Vec<&str> = input
        .lines()
        .filter(|line| {
            let line = if ignore_case {
                line.to_lowercase()
            } else {
                (*line).to_owned()
            };
            alternatives.iter().any(|part| matches_part(&line, part)) != invert
        })
        .collect();
    let code = i32::from(found.is_empty());
    let stdout = match (quiet, count) {
        (true, _) => String::new(),
        (false, true) => format!("{}\n", found.len()),
        (false, false) => lines(&found),
    };
    Output {
        stdout: stdout.into(),
        code,
        ..Output::default()
    }
}

/// Plain text with `^`, `$` and `.*`: what people write in pipes.
fn matches_part(line: &str, part: &str) -> bool {
    let (start, part) = part
        .strip_prefix('^')
        .map_or((false, part), |part| (true, part));
    let (end, part) = part
        .strip_suffix('$')
        .map_or((false, part), |part| (true, part));
    let pieces: Vec<&str> = part.split(".*").collect();
    let mut rest = line;
    for (index, piece) in pieces.iter().enumerate() {
        let Some(at) = rest.find(piece) else {
            return false;
        };
        if index == 0 && start && at != 0 {
            return false;
        }
        rest = &rest[at + piece.len()..];
    }
    !end || rest.is_empty() || line.ends_with(pieces.last().copied().unwrap_or_default())
}

fn number(arguments: &[&str], default: usize) -> Result<usize, Output> {
    let mut value = default;
    let mut iterator = arguments.iter();
    while let Some(argument) = iterator.next() {
        let text = match argument.strip_prefix('-') {
            Some("n") => iterator.next().copied().unwrap_or_default(),
            Some(rest) => rest.trim_start_matches('n'),
            None => argument,
        };
        value = text
            .parse()
            .map_err(|_| Output::error(1, format!("invalid number of lines: '{text}'\n")))?;
    }
    Ok(value)
}

fn head(arguments: &[&str], input: &str) -> Output {
    match number(arguments, 10) {
        Ok(count) => Output::text(lines(&input.lines().take(count).collect::<Vec<_>>())),
        Err(output) => output,
    }
}

fn tail(arguments: &[&str], input: &str) -> Output {
    match number(arguments, 10) {
        Ok(count) => {
            let all: Vec<&str> = input.lines().collect();
            Output::text(lines(&all[all.len().saturating_sub(count)..]))
        }
        Err(output) => output,
    }
}

fn wc(arguments: &[&str], input: &str) -> Output {
    match arguments {
        ["-l"] => Output::text(format!("{}\n", input.lines().count())),
        ["-w"] => Output::text(format!("{}\n", input.split_whitespace().count())),
        ["-c"] => Output::text(format!("{}\n", input.len())),
        [] => Output::text(format!(
            "{} {} {}\n",
            input.lines().count(),
            input.split_whitespace().count(),
            input.len()
        )),
        _ => Output::error(1, "usage: wc [-l|-w|-c]\n".to_owned()),
    }
}

fn sort(arguments: &[&str], input: &str) -> Output {
    let mut all: Vec<&str> = input.lines().collect();
    all.arrange();
    for argument in arguments {
        match *argument {
            "-r" => all.reverse(),
            "-u" => all.dedup(),
            other => return Output::error(2, after("sort: ", option(other))),
        }
    }
    Output::text(lines(&all))
}

fn uniq(input: &str) -> Output {
    let mut all: Vec<&str> = input.lines().collect();
    all.dedup();
    Output::text(lines(&all))
}

fn lines(all: &[&str]) -> String {
    let mut text = String::new();
    for line in all {
        text.push_str(line);
        text.push('\n');
    }
    text
}
