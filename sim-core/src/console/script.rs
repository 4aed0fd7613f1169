//! The shell part of the grammar: words, quotes, pipes, here-documents, redirections.
//!
//! Text in, a list of lines out; nothing is run here. What a shell can do beyond this is refused
//! with its column.

use crate::base::sentence::passage::Passage;
use crate::base::sentence::{Form, Sentence, catalogue};
use crate::base::time::{SimDuration, SimTime};

/// How a pipeline follows the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// Always (`;` or a new line).
    Always,
    /// Only if the one before succeeded (`&&`).
    And,
    /// Only if it failed (`||`).
    Or,
}

/// One simple command: its words after quotes are gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simple {
    /// Words; the first is the command's name.
    pub words: Vec<String>,
    /// `> file` or `>> file` (true: append).
    pub output: Option<(String, bool)>,
    /// Text of a here-document or here-string.
    pub input: Option<String>,
    /// `2>&1` was written.
    pub merge_errors: bool,
}

/// Commands joined by `|`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    /// How it follows the one before.
    pub join: Join,
    /// From left to right.
    pub commands: Vec<Simple>,
}

/// One line of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Number of its first line in the script, from 1.
    pub number: u32,
    /// As written, here-document excluded.
    pub text: String,
    /// `at T` before it.
    pub at: Option<SimTime>,
    /// What to run.
    pub pipelines: Vec<Pipeline>,
}

/// A script that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptError {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// What is wrong and what to do.
    pub message: Sentence,
}

impl ScriptError {
    /// Whether more lines could make it right: a quote or a document is open.
    pub fn is_open(&self) -> bool {
        [catalogue::UNCLOSED, catalogue::DOCUMENT_OPEN].contains(&self.message.form())
    }
}

impl From<ScriptError> for Passage {
    fn from(error: ScriptError) -> Self {
        let place = format!("{}:{}: ", error.line, error.column);
        Self::from(place).then(error.message)
    }
}

impl std::fmt::Display for ScriptError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}: {}", self.line, self.column, self.message)
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Pipe,
    And,
    Or,
    Semicolon,
    Output { append: bool },
    HereDocument { strip_tabs: bool },
    HereString,
    MergeErrors,
}

/// Reads a script.
///
/// # Errors
/// The first thing that is not in the grammar, with its line and column.
pub fn parse(text: &str) -> Result<Vec<Line>, ScriptError> {
    let rows: Vec<&str> = text.lines().collect();
    let mut lines = Vec::new();
    let mut index = 0;
    while index < rows.len() {
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let mut source = rows[index].to_owned();
        index += 1;
        while source.ends_with('\\') && index < rows.len() {
            source.pop();
            source.push_str(rows[index]);
            index += 1;
        }
        // A quote that is left open goes on in the next line.
        let mut tokens = tokens(&source, number);
        while matches!(&tokens, Err(error) if error.message.form() == catalogue::UNCLOSED)
            && index < rows.len()
        {
            source.push('\n');
            source.push_str(rows[index]);
            index += 1;
            tokens = self::tokens(&source, number);
        }
        let tokens = tokens?;
        if tokens.is_empty() {
            continue;
        }
        let line = assemble(tokens, number, &source, &rows, &mut index)?;
        lines.push(line);
    }
    Ok(lines)
}

fn assemble(
    tokens: Vec<Token>,
    number: u32,
    source: &str,
    rows: &[&str],
    index: &mut usize,
) -> Result<Line, ScriptError> {
    let fault = |message: Sentence| ScriptError {
        line: number,
        column: 1,
        message,
    };
    let mut line = Line {
        number,
        text: source.trim().to_owned(),
        at: None,
        pipelines: Vec::new(),
    };
    let mut pipeline = Pipeline {
        join: Join::Always,
        commands: Vec::new(),
    };
    let mut simple = Simple {
        words: Vec::new(),
        output: None,
        input: None,
        merge_errors: false,
    };
    let mut tokens = tokens.into_iter().peekable();
    if matches!(tokens.peek(), Some(Token::Word(word)) if word == "at") {
        tokens.next();
        let Some(Token::Word(time)) = tokens.next() else {
            return Err(fault(catalogue::AT_TIME.plain()));
        };
        line.at = Some(
            SimTime::ZERO + SimDuration::parse(&time).map_err(|message| fault(message.into()))?,
        );
    }
    while let Some(token) = tokens.next() {
        match token {
            Token::Word(word) => simple.words.push(word),
            Token::MergeErrors => simple.merge_errors = true,
            Token::Output { append } => {
                let Some(Token::Word(file)) = tokens.next() else {
                    return Err(fault(needs(">", catalogue::A_FILE_NAME)));
                };
                simple.output = Some((file, append));
            }
            Token::HereString => {
                let Some(Token::Word(text)) = tokens.next() else {
                    return Err(fault(needs("<<<", catalogue::A_WORD)));
                };
                simple.input = Some(text + "\n");
            }
            Token::HereDocument { strip_tabs } => {
                let Some(Token::Word(end)) = tokens.next() else {
                    return Err(fault(needs("<<", catalogue::AN_END)));
                };
                let mut body = String::new();
                loop {
                    let Some(row) = rows.get(*index) else {
                        return Err(fault(catalogue::DOCUMENT_OPEN.with(&[("word", &end)])));
                    };
                    *index += 1;
                    let row = if strip_tabs {
                        row.trim_start_matches('\t')
                    } else {
                        row
                    };
                    if row == end {
                        break;
                    }
                    body.push_str(row);
                    body.push('\n');
                }
                simple.input = Some(body);
            }
            Token::Pipe | Token::And | Token::Or | Token::Semicolon => {
                if simple.words.is_empty() {
                    return Err(fault(catalogue::COMMAND_MISSING.plain()));
                }
                let empty = Simple {
                    words: Vec::new(),
                    output: None,
                    input: None,
                    merge_errors: false,
                };
                pipeline
                    .commands
                    .push(std::mem::replace(&mut simple, empty));
                let join = match token {
                    Token::And => Join::And,
                    Token::Or => Join::Or,
                    _ => Join::Always,
                };
                if token != Token::Pipe {
                    let next = Pipeline {
                        join,
                        commands: Vec::new(),
                    };
                    line.pipelines.push(std::mem::replace(&mut pipeline, next));
                }
            }
        }
    }
    if !simple.words.is_empty() {
        pipeline.commands.push(simple);
    }
    if !pipeline.commands.is_empty() {
        line.pipelines.push(pipeline);
    }
    Ok(line)
}

fn tokens(source: &str, number: u32) -> Result<Vec<Token>, ScriptError> {
    let characters: Vec<char> = source.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    let fault = |column: usize, message: Sentence| ScriptError {
        line: number,
        column: u32::try_from(column + 1).unwrap_or(u32::MAX),
        message,
    };
    while at < characters.len() {
        let next = |offset: usize| characters.get(at + offset).copied();
        match characters[at] {
            ' ' | '\t' | '\r' | '\n' => at += 1,
            '#' => {
                while at < characters.len() && characters[at] != '\n' {
                    at += 1;
                }
            }
            '|' if next(1) == Some('|') => {
                tokens.push(Token::Or);
                at += 2;
            }
            '|' => {
                tokens.push(Token::Pipe);
                at += 1;
            }
            '&' if next(1) == Some('&') => {
                tokens.push(Token::And);
                at += 2;
            }
            '&' => {
                return Err(fault(at, catalogue::JOBS_NO_PART.plain()));
            }
            ';' => {
                tokens.push(Token::Semicolon);
                at += 1;
            }
            '>' => {
                let append = next(1) == Some('>');
                tokens.push(Token::Output { append });
                at += if append { 2 } else { 1 };
            }
            '2' if next(1) == Some('>') && next(2) == Some('&') && next(3) == Some('1') => {
                tokens.push(Token::MergeErrors);
                at += 4;
            }
            '<' if next(1) == Some('<') && next(2) == Some('<') => {
                tokens.push(Token::HereString);
                at += 3;
            }
            '<' if next(1) == Some('<') => {
                let strip_tabs = next(2) == Some('-');
                tokens.push(Token::HereDocument { strip_tabs });
                at += if strip_tabs { 3 } else { 2 };
            }
            '<' => {
                return Err(fault(
                    at,
                    no_part("'<'".into()).advise(catalogue::FILE_AS_ARGUMENT.plain()),
                ));
            }
            '`' => {
                return Err(fault(at, no_part(catalogue::SUBSTITUTION.plain())));
            }
            _ => {
                let word = word(&characters, &mut at)
                    .map_err(|(column, message)| fault(column, message))?;
                tokens.push(Token::Word(word));
            }
        }
    }
    Ok(tokens)
}

fn needs(sign: &str, what: Form) -> Sentence {
    let form = catalogue::SIGN_NEEDS.with(&[("sign", &sign)]);
    form.and("what", what.plain())
}

fn no_part(what: Sentence) -> Sentence {
    catalogue::NO_PART.plain().and("what", what)
}

fn unclosed(sign: &str) -> Sentence {
    catalogue::UNCLOSED.with(&[("sign", &sign)])
}

fn word(characters: &[char], at: &mut usize) -> Result<String, (usize, Sentence)> {
    let mut word = String::new();
    while let Some(&character) = characters.get(*at) {
        match character {
            ' ' | '\t' | '\r' | '\n' | ';' | '<' | '>' => break,
            '&' | '|' => {
                // `A|B` inside a word is a partition's target; with blanks around it is a pipe.
                let inside = character == '|'
                    && !word.is_empty()
                    && characters
                        .get(*at + 1)
                        .is_some_and(|next| next.is_alphanumeric());
                if !inside {
                    break;
                }
                word.push(character);
                *at += 1;
            }
            '\'' => {
                let start = *at;
                *at += 1;
                loop {
                    match characters.get(*at) {
                        Some('\'') => break,
                        Some(&inner) => word.push(inner),
                        None => return Err((start, unclosed("'"))),
                    }
                    *at += 1;
                }
                *at += 1;
            }
            '"' => {
                let start = *at;
                *at += 1;
                loop {
                    match characters.get(*at) {
                        Some('"') => break,
                        Some('\\')
                            if matches!(characters.get(*at + 1), Some('"' | '\\' | '$' | '`')) =>
                        {
                            word.push(characters[*at + 1]);
                            *at += 1;
                        }
                        Some(&inner) => word.push(inner),
                        None => return Err((start, unclosed("\""))),
                    }
                    *at += 1;
                }
                *at += 1;
            }
            '\\' => {
                if let Some(&next) = characters.get(*at + 1) {
                    word.push(next);
                }
                *at += 2;
            }
            '$' if characters.get(*at + 1) == Some(&'(') => {
                return Err((*at, no_part(catalogue::SUBSTITUTION.plain())));
            }
            _ => {
                word.push(character);
                *at += 1;
            }
        }
    }
    Ok(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Vec<String>> {
        let lines = parse(text).expect("a script");
        lines
            .iter()
            .flat_map(|line| &line.pipelines)
            .flat_map(|pipeline| &pipeline.commands)
            .map(|simple| simple.words.clone())
            .collect()
    }

    #[test]
    fn quotes_and_pipes() {
        assert_eq!(
            words("kubectl get po -o jsonpath='{.items[*].x}' | grep \"a b\""),
            [
                vec!["kubectl", "get", "po", "-o", "jsonpath={.items[*].x}"],
                vec!["grep", "a b"]
            ]
        );
    }

    #[test]
    fn here_document_is_input() {
        let lines = parse("kubectl apply -f - <<EOF\na: 1\nEOF\nsim time").expect("a script");
        assert_eq!(
            lines[0].pipelines[0].commands[0].input.as_deref(),
            Some("a: 1\n")
        );
        assert_eq!(lines[1].number, 4);
    }

    #[test]
    fn unclosed_quote_has_a_place() {
        let error = parse("sim time\nkubectl get 'x").expect_err("unclosed");
        assert_eq!((error.line, error.column), (2, 13));
    }

    #[test]
    fn partition_targets_are_words() {
        assert_eq!(
            words("sim fault partition worker-1|worker-2"),
            [vec!["sim", "fault", "partition", "worker-1|worker-2"]]
        );
    }
}
