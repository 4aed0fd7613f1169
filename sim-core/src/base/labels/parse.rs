//! The selector syntax of kubectl's `-l`.
//!
//! Source: `pkg/labels/selector.go` of apimachinery. Its refusals are kept word for word, `<nil>`
//! where it has no field path included.

use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::labels::syntax::{label_value_errors, qualified_name_errors};
use crate::base::labels::{Op, Requirement, Selector};
use crate::base::sorted::SortedSet;

pub(super) fn selector(text: &str) -> Result<Selector, String> {
    let mut parser = Parser {
        tokens: tokens(text),
        position: 0,
    };
    let mut requirements = parser.requirements()?;
    requirements.arrange_by(|left, right| left.key.cmp(&right.key));
    Ok(Selector { requirements })
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    /// One of `( ) , ! = == != < >`.
    Sign(&'static str),
    End,
}

impl Token {
    /// As it is named in refusals.
    fn text(&self) -> String {
        match self {
            Self::Word(word) => word.clone(),
            Self::Sign(sign) => (*sign).to_owned(),
            Self::End => String::new(),
        }
    }
}

const SIGNS: [&str; 9] = ["==", "!=", "=", "!", "(", ")", ",", "<", ">"];

fn tokens(text: &str) -> Vec<Token> {
    let is_special = |c: char| "=!(),<>".contains(c);
    let is_blank = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n');
    let mut tokens = Vec::new();
    let mut rest = text.trim_start_matches(is_blank);
    while !rest.is_empty() {
        // A NUL ends the input, as it does upstream.
        if rest.starts_with('\0') {
            break;
        }
        let token = match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            Some(sign) => {
                rest = &rest[sign.len()..];
                Token::Sign(sign)
            }
            None => {
                let is_end = |c: char| is_special(c) || is_blank(c) || c == '\0';
                let (word, tail) = rest.split_at(rest.find(is_end).unwrap_or(rest.len()));
                rest = tail;
                Token::Word(word.to_owned())
            }
        };
        tokens.push(token);
        rest = rest.trim_start_matches(is_blank);
    }
    tokens.push(Token::End);
    tokens
}

struct Parser {
    tokens: Vec<Token>,
    position: usize,
}

impl Parser {
    fn requirements(&mut self) -> Result<Vec<Requirement>, String> {
        let mut requirements = Vec::new();
        loop {
            match self.peek() {
                Token::Word(_) | Token::Sign("!") => {}
                Token::End => return Ok(requirements),
                other => {
                    let found = other.text();
                    return Err(format!(
                        "found '{found}', expected: !, identifier, or 'end of string'"
                    ));
                }
            }
            let requirement = self.requirement();
            requirements.push(
                requirement.map_err(|error| format!("unable to parse requirement: {error}"))?,
            );
            match self.next() {
                Token::End => return Ok(requirements),
                Token::Sign(",") => match self.peek() {
                    Token::Word(_) | Token::Sign("!") => {}
                    other => {
                        let found = other.text();
                        return Err(format!("found '{found}', expected: identifier after ','"));
                    }
                },
                other => {
                    let found = other.text();
                    return Err(format!("found '{found}', expected: ',' or 'end of string'"));
                }
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let is_negated = *self.peek() == Token::Sign("!");
        if is_negated {
            self.next();
        }
        let key = match self.next() {
            Token::Word(key) => key,
            other => return Err(format!("found '{}', expected: identifier", other.text())),
        };
        check_key("<nil>", &key)?;
        let key: Arc<str> = key.into();
        if is_negated {
            return Ok(Requirement {
                key,
                op: Op::DoesNotExist,
                values: Vec::new(),
            });
        }
        if matches!(self.peek(), Token::End | Token::Sign(",")) {
            return Ok(Requirement {
                key,
                op: Op::Exists,
                values: Vec::new(),
            });
        }
        let op = self.operator()?;
        let values = match op {
            Op::In | Op::NotIn => self.list()?,
            _ => self.exact_value()?,
        };
        let values: Vec<Arc<str>> = values.into_iter().map(Arc::from).collect();
        let requirement = Requirement { key, op, values };
        check(&requirement)?;
        Ok(requirement)
    }

    fn operator(&mut self) -> Result<Op, String> {
        let token = self.next();
        Ok(match &token {
            Token::Sign("=" | "==") => Op::Equals,
            Token::Sign("!=") => Op::NotEquals,
            Token::Sign(">") => Op::Gt,
            Token::Sign("<") => Op::Lt,
            Token::Word(word) if word == "in" => Op::In,
            Token::Word(word) if word == "notin" => Op::NotIn,
            other => {
                let found = other.text();
                return Err(format!(
                    "found '{found}', expected: in, notin, =, ==, !=, gt, lt"
                ));
            }
        })
    }

    /// `(a,b)`. An empty place between commas is an empty value.
    fn list(&mut self) -> Result<SortedSet<String>, String> {
        let opening = self.next();
        if opening != Token::Sign("(") {
            return Err(format!("found '{}' expected: '('", opening.text()));
        }
        let mut values = SortedSet::new();
        match self.peek() {
            Token::Sign(")") => {
                self.next();
                return Ok(values);
            }
            Token::Word(_) | Token::Sign(",") => {}
            other => {
                return Err(format!(
                    "found '{}', expected: ',', ')' or identifier",
                    other.text()
                ));
            }
        }
        loop {
            match self.next() {
                Token::Word(word) => {
                    values.insert(word);
                    match self.peek() {
                        Token::Sign(",") => {}
                        Token::Sign(")") => break,
                        other => {
                            return Err(format!("found '{}', expected: ',' or ')'", other.text()));
                        }
                    }
                }
                Token::Sign(",") => {
                    if values.is_empty() {
                        values.insert(String::new());
                    }
                    match self.peek() {
                        Token::Sign(")") => {
                            values.insert(String::new());
                            break;
                        }
                        Token::Sign(",") => {
                            self.next();
                            values.insert(String::new());
                        }
                        _ => {}
                    }
                }
                other => {
                    return Err(format!(
                        "found '{}', expected: ',', or identifier",
                        other.text()
                    ));
                }
            }
        }
        // Only the closing parenthesis leads here.
        self.next();
        Ok(values)
    }

    fn exact_value(&mut self) -> Result<SortedSet<String>, String> {
        if matches!(self.peek(), Token::End | Token::Sign(",")) {
            return Ok(SortedSet::from([String::new()]));
        }
        match self.next() {
            Token::Word(word) => Ok(SortedSet::from([word])),
            other => Err(format!("found '{}', expected: identifier", other.text())),
        }
    }

    fn peek(&self) -> &Token {
        // The last token is the end, which is never passed.
        &self.tokens[self.position]
    }

    fn next(&mut self) -> Token {
        let token = self.tokens[self.position].clone();
        if token != Token::End {
            self.position += 1;
        }
        token
    }
}

fn check(requirement: &Requirement) -> Result<(), String> {
    let Requirement { key, op, values } = requirement;
    let mut errors = Vec::new();
    match op {
        Op::In | Op::NotIn if values.is_empty() => {
            errors.push(
                "values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty"
                    .to_owned(),
            );
        }
        Op::Gt | Op::Lt => {
            for (position, value) in values.iter().enumerate() {
                if value.parse::<i64>().is_err() {
                    errors.push(format!(
                        "values[{position}]: Invalid value: {value:?}: for 'Gt', 'Lt' operators, \
                         the value must be an integer"
                    ));
                }
            }
        }
        _ => {}
    }
    for (position, value) in values.iter().enumerate() {
        let found = label_value_errors(value);
        if !found.is_empty() {
            let found = found.join("; ");
            errors.push(format!(
                "values[{position}][{key}]: Invalid value: {value:?}: {found}"
            ));
        }
    }
    match errors.as_slice() {
        [] => Ok(()),
        [error] => Err(error.clone()),
        // As upstream prints an aggregate.
        errors => Err(format!("[{}]", errors.join(", "))),
    }
}

fn check_key(path: &str, key: &str) -> Result<(), String> {
    let errors = qualified_name_errors(key);
    if errors.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{path}: Invalid value: {key:?}: {}",
        errors.join("; ")
    ))
}
