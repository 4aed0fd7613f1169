//! Words with variables in them, and what these stand for when the word's turn comes.

use std::sync::Arc;

use crate::base::time::{EPOCH_UNIX_SECONDS, SimDuration, SimTime};

use super::hands::Line;
use super::parse::{Step, only, steps};
use super::{Environment, TEXT_MAX};

/// A variable that every container has and no manifest names.
const HOSTNAME: &str = "HOSTNAME";

/// Numbers that `seq` makes, at most.
const NUMBERS_MAX: i64 = 4_096;

/// What a shell knows. A clone shares what neither changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Values {
    /// Variables; none: set to what nobody knows.
    variables: Arc<Vec<(Arc<str>, Option<Arc<str>>)>>,
    /// What the substitutions of the present command have printed; none: nobody knows.
    printed: Vec<(String, Option<Arc<str>>)>,
    /// Time since the process's start.
    pub(super) now: SimDuration,
}

impl Values {
    pub(super) fn of(environment: &Environment) -> Self {
        let known = environment.iter().cloned();
        let known = known.map(|(name, value)| (name, Some(value)));
        Self {
            variables: Arc::new(known.collect()),
            printed: Vec::new(),
            now: SimDuration::ZERO,
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut variables = self.variables.iter();
        let (_, value) = variables.find(|(known, _)| **known == *name)?;
        value.as_deref()
    }

    pub(super) fn set(&mut self, name: Arc<str>, value: Arc<str>) {
        let known = value.len() <= TEXT_MAX;
        self.put(name, known.then_some(value));
    }

    /// A substitution of the present command has printed this; none: nobody knows.
    pub(super) fn note(&mut self, substitution: String, printed: Option<Arc<str>>) {
        let printed = printed.filter(|text| text.len() <= TEXT_MAX);
        self.printed.push((substitution, printed));
    }

    /// Whether a substitution of the present command was carried out.
    pub(super) fn has_printed(&self) -> bool {
        !self.printed.is_empty()
    }

    /// The present command is over.
    pub(super) fn forget_printed(&mut self) {
        self.printed.clear();
    }

    fn noted(&self, substitution: &str) -> Option<&Option<Arc<str>>> {
        let mut printed = self.printed.iter();
        let (_, text) = printed.find(|(known, _)| known == substitution)?;
        Some(text)
    }

    /// It has a value that nobody knows.
    pub(super) fn forget(&mut self, name: Arc<str>) {
        self.put(name, None);
    }

    fn put(&mut self, name: Arc<str>, value: Option<Arc<str>>) {
        let variables = Arc::make_mut(&mut self.variables);
        match variables.iter_mut().find(|(known, _)| *known == name) {
            Some((_, place)) => *place = value,
            None => variables.push((name, value)),
        }
    }
}

/// A part of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// As it is.
    Text(String),
    /// A variable, what stands for it where it is empty, and how it is written.
    Variable(String, Option<String>, String),
    /// What a command prints.
    Printed(String),
    /// `$((…))`.
    Sum(String),
}

/// A word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Template {
    /// Its parts, and whether each stands in quotes.
    pub(super) pieces: Vec<(Piece, bool)>,
}

impl Template {
    pub(super) fn plain(text: &str) -> Self {
        Self {
            pieces: vec![(Piece::Text(text.to_owned()), true)],
        }
    }

    /// Its text, if it is nothing else and not in quotes: a word of the language.
    pub(super) fn bare(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [(Piece::Text(text), false)] => Some(text),
            _ => None,
        }
    }

    pub(super) fn text(&mut self, text: &str, quoted: bool) {
        match self.pieces.last_mut() {
            Some((Piece::Text(before), was)) if *was == quoted => before.push_str(text),
            _ => self.pieces.push((Piece::Text(text.to_owned()), quoted)),
        }
    }

    /// `NAME=…`: the name and the word behind the sign.
    pub(super) fn assignment(&self) -> Option<(Arc<str>, Self)> {
        let Some((Piece::Text(first), false)) = self.pieces.first() else {
            return None;
        };
        let (name, rest) = first.split_once('=')?;
        let is_name = !name.is_empty()
            && !name.starts_with(|letter: char| letter.is_ascii_digit())
            && name
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        if !is_name {
            return None;
        }
        let mut pieces = vec![(Piece::Text(rest.to_owned()), false)];
        if rest.is_empty() {
            pieces.clear();
        }
        pieces.extend_from_slice(&self.pieces[1..]);
        Some((name.into(), Self { pieces }))
    }

    /// Whether a command in it is left to the container.
    pub(super) fn has_left(&self) -> bool {
        let mut pieces = self.pieces.iter();
        pieces.any(|(piece, _)| match piece {
            Piece::Printed(text) => steps(text).iter().any(Step::is_left),
            Piece::Variable(name, ..) => name == HOSTNAME,
            _ => false,
        })
    }

    /// The first substitution that waits for a command of the container, with that.
    pub(super) fn waits(&self, values: &Values) -> Option<(String, Line)> {
        self.pieces.iter().find_map(|(piece, _)| match piece {
            Piece::Printed(text)
                if values.noted(text).is_none() && printed(text, values).is_none() =>
            {
                let line = only(text)?.line(values)?;
                Some((text.clone(), line))
            }
            Piece::Variable(name, ..)
                if name == HOSTNAME
                    && values.get(name).is_none()
                    && values.noted(name).is_none() =>
            {
                Some((name.clone(), Line::plain("hostname")))
            }
            _ => None,
        })
    }

    /// The command whose output it is, if it is nothing else.
    pub(super) fn printed(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [(Piece::Printed(text), _)] => Some(text),
            _ => None,
        }
    }

    /// The words that it becomes: blanks of values that do not stand in quotes part words. What is not
    /// known stays as it is written.
    pub(super) fn expand(&self, values: &Values) -> Vec<String> {
        let mut words = Vec::new();
        let mut word: Option<String> = None;
        for (piece, quoted) in &self.pieces {
            let (text, parts) = match piece {
                Piece::Text(text) => (text.clone(), false),
                piece => (
                    piece.value(values).unwrap_or_else(|| piece.written()),
                    !quoted,
                ),
            };
            if !parts {
                word.get_or_insert_default().push_str(&text);
                continue;
            }
            for (place, part) in text.split([' ', '\t', '\n']).enumerate() {
                if place > 0 {
                    words.extend(word.take());
                }
                if !part.is_empty() {
                    word.get_or_insert_default().push_str(part);
                }
            }
        }
        words.extend(word);
        let mut left = TEXT_MAX;
        words.retain(|word| match left.checked_sub(word.len() + 1) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        });
        words
    }

    /// Its value as one word; none: it is not known.
    pub(super) fn value(&self, values: &Values) -> Option<String> {
        let mut all = String::new();
        for (piece, _) in &self.pieces {
            match piece {
                Piece::Text(text) => all.push_str(text),
                piece => all.push_str(&piece.value(values)?),
            }
            if all.len() > TEXT_MAX {
                return None;
            }
        }
        Some(all)
    }
}

impl Piece {
    fn value(&self, values: &Values) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Variable(name, other, _) => {
                let noted = || values.noted(name).and_then(Option::as_deref);
                let value = values
                    .get(name)
                    .or_else(noted)
                    .filter(|value| other.is_none() || !value.is_empty());
                value.map(str::to_owned).or_else(|| other.clone())
            }
            Self::Printed(text) => match values.noted(text) {
                Some(noted) => noted.as_deref().map(str::to_owned),
                None => printed(text, values),
            },
            Self::Sum(text) => sum(text, values).map(|sum| sum.to_string()),
        }
    }

    fn written(&self) -> String {
        match self {
            Self::Text(text) | Self::Variable(_, _, text) => text.clone(),
            Self::Printed(text) => format!("$({text})"),
            Self::Sum(text) => format!("$(({text}))"),
        }
    }
}

/// What `seq`, `expr` and `echo` print; none: that is not known.
fn printed(text: &str, values: &Values) -> Option<String> {
    let mut words = Vec::new();
    for word in text.split_whitespace() {
        let word = word.trim_matches(['"', '\'']);
        words.push(match word.strip_prefix('$') {
            Some(name) => values.get(name.trim_matches(['{', '}']))?.to_owned(),
            None => word.to_owned(),
        });
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<i64>().ok();
    match words.as_slice() {
        ["seq", rest @ ..] => {
            let numbers: Vec<i64> = rest
                .iter()
                .map(|word| number(word))
                .collect::<Option<_>>()?;
            let (from, step, to) = match numbers.as_slice() {
                [to] => (1, 1, *to),
                [from, to] => (*from, 1, *to),
                [from, step, to] if *step > 0 => (*from, *step, *to),
                _ => return None,
            };
            let count = to.saturating_sub(from) / step;
            if count > NUMBERS_MAX {
                return None;
            }
            let all = (0..=count).map(|turn| from.saturating_add(turn.saturating_mul(step)));
            let all = all
                .filter(|number| *number <= to)
                .map(|number| number.to_string());
            Some(all.collect::<Vec<_>>().join(" "))
        }
        ["expr", rest @ ..] => sum(&rest.join(" "), values).map(|sum| sum.to_string()),
        ["date", rest @ ..] => date(&rest.join(" "), values),
        ["echo", rest @ ..] if !text.contains(['|', '>', '$', '`']) => Some(rest.join(" ")),
        _ => None,
    }
}

/// Begins and ends a time of the clock within a text: a process does not know when it was started.
const TIME: char = '\u{1}';

/// What `date` prints with these words, for [`with_times`]; none: it sets a clock, or a letter of its
/// format is not known.
pub(super) fn date(words: &str, values: &Values) -> Option<String> {
    let words = words.trim_start_matches("-u").trim();
    let format = match words.strip_prefix('+') {
        Some(format) => format.trim_matches(['"', '\'']),
        None if words.is_empty() => "%a %b %e %T %Z %Y",
        None => return None,
    };
    clock(SimTime::ZERO, format)?;
    Some(format!("{TIME}{} {format}{TIME}", values.now.as_micros()))
}

/// A time in a format of `date`; none: a letter of it is not known.
pub fn clock(at: SimTime, format: &str) -> Option<String> {
    match format {
        "%s" => Some((EPOCH_UNIX_SECONDS + at.whole_seconds()).to_string()),
        format => at.civil().strftime(format),
    }
}

/// A text that a process printed that was started then, with the times of the clock in it.
pub fn with_times(text: &Arc<str>, started: SimTime) -> Arc<str> {
    if !text.contains(TIME) {
        return text.clone();
    }
    let parts = text.split(TIME).enumerate().map(|(place, part)| {
        let (micros, format) = part.split_once(' ').filter(|_| place % 2 == 1)?;
        let at = started + SimDuration::from_micros(micros.parse().ok()?);
        clock(at, format)
    });
    let all: String = parts
        .zip(text.split(TIME))
        .map(|(time, part)| time.unwrap_or_else(|| part.to_owned()))
        .collect();
    all.into()
}

/// What `printf` prints: a format without widths, with words put in once.
pub fn printf(words: &[&str]) -> String {
    let (format, mut rest) = match words.split_first() {
        Some((format, rest)) => (*format, rest.iter()),
        None => ("", [].iter()),
    };
    let mut text = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        match (letter, letter == '%' || letter == '\\') {
            (_, false) => text.push(letter),
            ('%', _) => match letters.next() {
                Some('s' | 'd' | 'i' | 'u') => text += rest.next().unwrap_or(&""),
                other => text.extend(other),
            },
            _ => match letters.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                other => text.extend(other),
            },
        }
    }
    text
}

/// Whole numbers and variables with `+ - * / %` from left to right, products first.
fn sum(text: &str, values: &Values) -> Option<i64> {
    let mut parts: Vec<String> = Vec::new();
    for letter in text.chars() {
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        if is_part(letter) {
            match parts.last_mut() {
                Some(part) if part.ends_with(is_part) => part.push(letter),
                _ => parts.push(letter.to_string()),
            }
        } else if "+-*/%".contains(letter) {
            parts.push(letter.to_string());
        } else if matches!(letter, ' ' | '\t') {
            parts.push(String::new());
        } else if !matches!(letter, '$' | '{' | '}' | '\\') {
            return None;
        }
    }
    parts.retain(|part| !part.is_empty());
    let number = |part: &String| -> Option<i64> {
        part.parse().ok().or_else(|| values.get(part)?.parse().ok())
    };
    let mut parts = parts.iter();
    let (mut total, mut product) = (0_i64, number(parts.next()?)?);
    while let Some(sign) = parts.next() {
        let next = number(parts.next()?)?;
        match sign.as_str() {
            "+" | "-" => {
                total = total.checked_add(product)?;
                product = if sign == "-" {
                    next.checked_neg()?
                } else {
                    next
                };
            }
            "*" => product = product.checked_mul(next)?,
            "/" => product = product.checked_div(next)?,
            "%" => product = product.checked_rem(next)?,
            _ => return None,
        }
    }
    total.checked_add(product)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_worked_out() {
        let values = Values::of(&[("N".into(), "3".into())]);
        assert_eq!(printed("seq 1 $N", &values).as_deref(), Some("1 2 3"));
        assert_eq!(printed("seq 2 2 7", &values).as_deref(), Some("2 4 6"));
        assert_eq!(printed("seq 3 1", &values).as_deref(), Some(""));
        assert_eq!(printed("date -s 12:00", &values), None);
        let time = printed("date +%H:%M", &values).map(Arc::from);
        let started = SimTime::ZERO + SimDuration::from_secs(61);
        let shown = time.map(|time| with_times(&time, started));
        assert_eq!(shown.as_deref(), Some("00:01"));
        assert_eq!(sum("N + 2*4-1", &values), Some(10));
        assert_eq!(sum("$N % 2", &values), Some(1));
        assert_eq!(sum("M + 1", &values), None);
        assert_eq!(sum("1 / 0", &values), None);
    }
}
