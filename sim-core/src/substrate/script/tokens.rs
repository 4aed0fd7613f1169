//! A script's text as tokens: words with their quotes and variables, signs of redirection, joints.
//! Source: POSIX.1-2024, Shell Command Language, 2.2, 2.3 and 2.6.

use super::value::{Piece, Template};

/// A sign between the words of a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// `|`
    Pipe,
    /// `> file`
    Into,
    /// `>> file`
    Onto,
    /// `&> file`
    AllInto,
    /// `2> file`, `2>> file`
    Errors,
    /// `< file`
    From,
    /// `2>&1`
    Merge,
    /// `>&2`
    ToErrors,
}

/// A part of a script's text.
pub(super) enum Token {
    Word(Template),
    Sign(Sign),
    Semicolon,
    And,
    Or,
    Open,
    Close,
}

/// Splits text into words, signs and joints.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut word: Option<Template> = None;
    let mut in_pipe = false;
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        match character {
            '\'' => {
                let (inner, after) = rest.split_once('\'').unwrap_or((rest, ""));
                word.get_or_insert_default().text(inner, true);
                rest = after;
            }
            '"' => rest = quoted(rest, word.get_or_insert_default()),
            '\\' => rest = escaped(rest, &mut word),
            '$' => rest = dollar(rest, word.get_or_insert_default(), false),
            '`' => {
                let (inner, after) = rest.split_once('`').unwrap_or((rest, ""));
                let piece = Piece::Printed(inner.to_owned());
                word.get_or_insert_default().pieces.push((piece, false));
                rest = after;
            }
            '#' if word.is_none() => rest = rest.find('\n').map_or("", |end| &rest[end..]),
            ' ' | '\t' | '\r' | ';' | '\n' | '&' | '|' | '(' | ')' => {
                tokens.extend(word.take().map(Token::Word));
                let twice = rest.strip_prefix(character);
                let joint = match character {
                    ';' | '\n' => Some(Token::Semicolon),
                    '&' if twice.is_some() => Some(Token::And),
                    '&' if rest.starts_with('>') => {
                        rest = &rest[1..];
                        Some(Token::Sign(Sign::AllInto))
                    }
                    '&' => Some(Token::Semicolon),
                    '|' if twice.is_some() => Some(Token::Or),
                    '|' => Some(Token::Sign(Sign::Pipe)),
                    '(' if !in_pipe => Some(Token::Open),
                    ')' => Some(Token::Close),
                    _ => None,
                };
                if let Some(joint) = joint {
                    if matches!(joint, Token::And | Token::Or) {
                        rest = twice.unwrap_or(rest);
                    }
                    match joint {
                        Token::Sign(sign) => in_pipe |= sign == Sign::Pipe,
                        _ => in_pipe = false,
                    }
                    tokens.push(joint);
                }
            }
            // Here documents and descriptors are nothing that we follow.
            '<' if rest.starts_with(['<', '&']) => {
                tokens.extend(word.take().map(Token::Word));
                rest = past_target(rest.trim_start_matches(['<', '&']));
            }
            '<' => {
                tokens.extend(word.take().map(Token::Word));
                tokens.push(Token::Sign(Sign::From));
            }
            '>' => {
                let before = word.take();
                let number = before.as_ref().and_then(Template::bare).map(str::to_owned);
                let errors = number.as_deref() == Some("2");
                if !errors && number.as_deref() != Some("1") {
                    tokens.extend(before.map(Token::Word));
                }
                let onto = rest.starts_with('>');
                rest = rest.trim_start_matches('>');
                let sign = match rest.strip_prefix('&') {
                    Some(descriptor) => {
                        rest = past_target(descriptor);
                        if errors { Sign::Merge } else { Sign::ToErrors }
                    }
                    None if errors => Sign::Errors,
                    None if onto => Sign::Onto,
                    None => Sign::Into,
                };
                tokens.push(Token::Sign(sign));
            }
            other => {
                let mut letter = [0; 4];
                word.get_or_insert_default()
                    .text(other.encode_utf8(&mut letter), false);
            }
        }
    }
    tokens.extend(word.map(Token::Word));
    tokens
}

/// What follows the name of a file.
fn past_target(rest: &str) -> &str {
    let rest = rest.trim_start_matches([' ', '\t']);
    let end = rest.find([' ', '\t', '\n', ';', '&', '|', ')']);
    end.map_or("", |end| &rest[end..])
}

/// Adds what stands in double quotes; returns what follows them.
fn quoted<'t>(mut rest: &'t str, word: &mut Template) -> &'t str {
    // Nothing in quotes is a word, too.
    word.text("", true);
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        match character {
            '"' => break,
            '\\' => {
                let mut characters = rest.chars();
                let mut letter = [0; 4];
                match characters.next() {
                    Some('\n') | None => {}
                    Some(next @ ('"' | '\\' | '$' | '`')) => {
                        word.text(next.encode_utf8(&mut letter), true);
                    }
                    Some(next) => {
                        word.text("\\", true);
                        word.text(next.encode_utf8(&mut letter), true);
                    }
                }
                rest = characters.as_str();
            }
            '$' => rest = dollar(rest, word, true),
            other => {
                let mut letter = [0; 4];
                word.text(other.encode_utf8(&mut letter), true);
            }
        }
    }
    rest
}

/// Adds the character that follows a backslash; returns what follows it.
fn escaped<'t>(rest: &'t str, word: &mut Option<Template>) -> &'t str {
    let mut characters = rest.chars();
    match characters.next() {
        // The line goes on.
        Some('\n') | None => {}
        Some(letter) => word
            .get_or_insert_default()
            .text(letter.encode_utf8(&mut [0; 4]), true),
    }
    characters.as_str()
}

/// Adds what a `$` begins: `NAME`, `{NAME}`, `{NAME:-other}`, `(command)`, `((sum))`; returns what
/// follows it.
fn dollar<'t>(rest: &'t str, word: &mut Template, in_quotes: bool) -> &'t str {
    let mut push = |piece| word.pieces.push((piece, in_quotes));
    if let Some(inner) = rest.strip_prefix("((")
        && let Some((inner, after)) = inner.split_once("))")
    {
        push(Piece::Sum(inner.to_owned()));
        return after;
    }
    if let Some(inner) = rest.strip_prefix('(') {
        let end = closing(inner);
        push(Piece::Printed(inner[..end].to_owned()));
        return inner.get(end + 1..).unwrap_or("");
    }
    let variable = |name: &str, other: Option<&str>, length: usize| {
        let written = format!("${}", &rest[..length]);
        Piece::Variable(name.to_owned(), other.map(str::to_owned), written)
    };
    if let Some(inner) = rest.strip_prefix('{')
        && let Some(end) = inner.find('}')
    {
        let (name, other) = match inner[..end].split_once(":-") {
            Some((name, other)) => (name, Some(other)),
            None => (&inner[..end], None),
        };
        push(variable(name, other, end + 2));
        return &inner[end + 1..];
    }
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let length = if rest.starts_with('?') {
        1
    } else {
        rest.find(|letter| !is_part(letter)).unwrap_or(rest.len())
    };
    if length == 0 {
        word.text("$", in_quotes);
        return rest;
    }
    push(variable(&rest[..length], None, length));
    &rest[length..]
}

/// Where the parenthesis is closed that stands before the text.
fn closing(text: &str) -> usize {
    let mut depth = 0;
    let mut quote = None;
    for (at, letter) in text.char_indices() {
        match (letter, quote) {
            ('\'' | '"', None) => quote = Some(letter),
            (letter, Some(open)) if letter == open => quote = None,
            ('(', None) => depth += 1,
            (')', None) if depth == 0 => return at,
            (')', None) => depth -= 1,
            _ => {}
        }
    }
    text.len()
}
