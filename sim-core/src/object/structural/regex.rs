//! Regular expressions of schemas: the part of RE2's syntax that schemas use, matched in time
//! proportional to pattern times text, as RE2 promises.
//!
//! Alternation, groups, classes, `\d \w \s \b`, anchors, `* + ? {m,n}` with lazy forms (which do not
//! change whether a text matches). Refused in words: back-references, look-around, `\p{…}` and the
//! flags other than `(?i)`, `(?s)`, `(?m)` at the beginning.

use crate::base::arrange::Arrange;
/// Instructions a pattern may compile to; RE2 bounds its programs too.
const PROGRAM_MAX: usize = 20_000;

/// Highest count of `{m,n}`, as in RE2.
const REPEAT_MAX: u32 = 1_000;

/// Nesting of groups, as in Go's parser.
const DEPTH_MAX: u32 = 250;

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Regex {
    program: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Class(Class),
    Start { lines: bool },
    End { lines: bool },
    Boundary(bool),
    Split(usize, usize),
    Jump(usize),
    Match,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Class {
    negated: bool,
    ranges: Vec<(char, char)>,
}

impl Class {
    fn has(&self, letter: char) -> bool {
        self.ranges
            .iter()
            .any(|(low, high)| (*low..=*high).contains(&letter))
            != self.negated
    }
}

#[derive(Clone, Debug)]
enum Tree {
    Empty,
    Class(Class),
    Start,
    End,
    TextStart,
    TextEnd,
    Boundary(bool),
    Sequence(Vec<Tree>),
    Either(Vec<Tree>),
    Repeat(Box<Tree>, u32, Option<u32>),
}

impl Regex {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// Go's text for a bad pattern, or a sentence for what is not modelled.
    pub fn parse(pattern: &str) -> Result<Self, String> {
        let mut parser = Parser {
            letters: pattern.chars().collect(),
            at: 0,
            ignore_case: false,
            dot_all: false,
            lines: false,
            pattern,
        };
        let tree = parser.either(0)?;
        if parser.at < parser.letters.len() {
            return Err(parser.wrong("unexpected )", pattern));
        }
        let mut program = Vec::new();
        compile(&tree, parser.lines, &mut program)?;
        program.push(Step::Match);
        Ok(Self { program })
    }

    /// Whether the pattern is found anywhere in the text.
    pub fn is_match(&self, text: &str) -> bool {
        let letters: Vec<char> = text.chars().collect();
        let mut current: Vec<usize> = Vec::new();
        let mut next: Vec<usize> = Vec::new();
        let mut seen = vec![usize::MAX; self.program.len()];
        for at in 0..=letters.len() {
            if self.follow(0, at, &letters, &mut current, &mut seen) {
                return true;
            }
            next.clear();
            let Some(letter) = letters.get(at) else { break };
            let mut ahead = vec![usize::MAX; self.program.len()];
            for step in &current {
                if let Step::Class(class) = &self.program[*step]
                    && class.has(*letter)
                    && self.follow(step + 1, at + 1, &letters, &mut next, &mut ahead)
                {
                    return true;
                }
            }
            std::mem::swap(&mut current, &mut next);
            seen = ahead;
        }
        false
    }

    /// Adds what can be reached without a letter; true at a match.
    fn follow(
        &self,
        from: usize,
        at: usize,
        letters: &[char],
        list: &mut Vec<usize>,
        seen: &mut [usize],
    ) -> bool {
        let mut open = vec![from];
        let word = |index: Option<usize>| {
            index
                .and_then(|index| letters.get(index))
                .is_some_and(|letter| letter.is_ascii_alphanumeric() || *letter == '_')
        };
        let line = |index: Option<usize>| index.and_then(|index| letters.get(index)) == Some(&'\n');
        while let Some(step) = open.pop() {
            if seen[step] == at {
                continue;
            }
            seen[step] = at;
            match &self.program[step] {
                Step::Match => return true,
                Step::Class(_) => list.push(step),
                Step::Jump(to) => open.push(*to),
                Step::Split(one, two) => {
                    open.push(*two);
                    open.push(*one);
                }
                Step::Start { lines } => {
                    if at == 0 || *lines && line(at.checked_sub(1)) {
                        open.push(step + 1);
                    }
                }
                Step::End { lines } => {
                    if at == letters.len() || *lines && line(Some(at)) {
                        open.push(step + 1);
                    }
                }
                Step::Boundary(wanted) => {
                    if (word(at.checked_sub(1)) != word(Some(at))) == *wanted {
                        open.push(step + 1);
                    }
                }
            }
        }
        false
    }
}

fn compile(tree: &Tree, lines: bool, program: &mut Vec<Step>) -> Result<(), String> {
    if program.len() > PROGRAM_MAX {
        return Err("expression nests too deeply or is too large".to_owned());
    }
    match tree {
        Tree::Empty => {}
        Tree::Class(class) => program.push(Step::Class(class.clone())),
        Tree::Start => program.push(Step::Start { lines }),
        Tree::End => program.push(Step::End { lines }),
        Tree::TextStart => program.push(Step::Start { lines: false }),
        Tree::TextEnd => program.push(Step::End { lines: false }),
        Tree::Boundary(wanted) => program.push(Step::Boundary(*wanted)),
        Tree::Sequence(parts) => {
            for part in parts {
                compile(part, lines, program)?;
            }
        }
        Tree::Either(arms) => {
            let mut ends = Vec::new();
            for (index, arm) in arms.iter().enumerate() {
                if index + 1 == arms.len() {
                    compile(arm, lines, program)?;
                    break;
                }
                let split = program.len();
                program.push(Step::Split(split + 1, 0));
                compile(arm, lines, program)?;
                ends.push(program.len());
                program.push(Step::Jump(0));
                program[split] = Step::Split(split + 1, program.len());
            }
            let end = program.len();
            for place in ends {
                program[place] = Step::Jump(end);
            }
        }
        Tree::Repeat(inner, least, most) => {
            for _ in 0..*least {
                compile(inner, lines, program)?;
            }
            match most {
                None => {
                    let split = program.len();
                    program.push(Step::Split(split + 1, 0));
                    compile(inner, lines, program)?;
                    program.push(Step::Jump(split));
                    program[split] = Step::Split(split + 1, program.len());
                }
                Some(most) => {
                    let mut splits = Vec::new();
                    for _ in *least..*most {
                        splits.push(program.len());
                        program.push(Step::Split(program.len() + 1, 0));
                        compile(inner, lines, program)?;
                    }
                    let end = program.len();
                    for split in splits {
                        program[split] = Step::Split(split + 1, end);
                    }
                }
            }
        }
    }
    if program.len() > PROGRAM_MAX {
        return Err("expression nests too deeply or is too large".to_owned());
    }
    Ok(())
}

struct Parser<'p> {
    letters: Vec<char>,
    at: usize,
    ignore_case: bool,
    dot_all: bool,
    lines: bool,
    pattern: &'p str,
}

impl Parser<'_> {
    fn wrong(&self, what: &str, part: &str) -> String {
        format!("error parsing regexp: {what}: `{part}`")
    }

    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn take(&mut self, letter: char) -> bool {
        let found = self.peek() == Some(letter);
        self.at += usize::from(found);
        found
    }

    fn either(&mut self, depth: u32) -> Result<Tree, String> {
        if depth > DEPTH_MAX {
            return Err("expression nests too deeply".to_owned());
        }
        let mut arms = vec![self.sequence(depth)?];
        while self.take('|') {
            arms.push(self.sequence(depth)?);
        }
        Ok(if arms.len() == 1 {
            arms.pop().unwrap_or(Tree::Empty)
        } else {
            Tree::Either(arms)
        })
    }

    fn sequence(&mut self, depth: u32) -> Result<Tree, String> {
        let mut parts = Vec::new();
        while let Some(letter) = self.peek() {
            if letter == '|' || letter == ')' {
                break;
            }
            let atom = self.atom(depth)?;
            parts.push(self.repeated(atom)?);
        }
        Ok(Tree::Sequence(parts))
    }

    fn repeated(&mut self, atom: Tree) -> Result<Tree, String> {
        let (least, most) = match self.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => match self.counts()? {
                Some(counts) => counts,
                None => return Ok(atom),
            },
            _ => return Ok(atom),
        };
        self.at += 1;
        // A lazy form matches the same texts.
        self.take('?');
        if matches!(self.peek(), Some('*' | '+')) {
            return Err(self.wrong("invalid nested repetition operator", self.pattern));
        }
        Ok(Tree::Repeat(Box::new(atom), least, most))
    }

    /// `{m}`, `{m,}` or `{m,n}`, standing on the closing brace afterwards; anything else is text.
    fn counts(&mut self) -> Result<Option<(u32, Option<u32>)>, String> {
        let rest: String = self.letters[self.at + 1..].iter().collect();
        let Some(end) = rest.find('}') else {
            return Ok(None);
        };
        let inside = &rest[..end];
        let (low, high) = inside.split_once(',').unwrap_or((inside, inside));
        let Ok(least) = low.parse::<u32>() else {
            return Ok(None);
        };
        let most = if high.is_empty() {
            None
        } else {
            match high.parse::<u32>() {
                Ok(most) => Some(most),
                Err(_) => return Ok(None),
            }
        };
        if least > REPEAT_MAX || most.is_some_and(|most| most > REPEAT_MAX || most < least) {
            return Err(self.wrong("invalid repeat count", &format!("{{{inside}}}")));
        }
        self.at += 1 + inside.chars().count();
        Ok(Some((least, most)))
    }

    fn atom(&mut self, depth: u32) -> Result<Tree, String> {
        let Some(letter) = self.peek() else {
            return Ok(Tree::Empty);
        };
        self.at += 1;
        match letter {
            '(' => self.group(depth),
            '[' => self.class().map(Tree::Class),
            '.' => Ok(Tree::Class(Class {
                negated: true,
                ranges: if self.dot_all {
                    Vec::new()
                } else {
                    vec![('\n', '\n')]
                },
            })),
            '^' => Ok(Tree::Start),
            '$' => Ok(Tree::End),
            '\\' => self.escape(),
            '*' | '+' | '?' => Err(self.wrong(
                "missing argument to repetition operator",
                &letter.to_string(),
            )),
            other => Ok(Tree::Class(self.letter(other))),
        }
    }

    fn letter(&self, letter: char) -> Class {
        let mut ranges = vec![(letter, letter)];
        if self.ignore_case {
            ranges.push((letter.to_ascii_lowercase(), letter.to_ascii_lowercase()));
            ranges.push((letter.to_ascii_uppercase(), letter.to_ascii_uppercase()));
        }
        Class {
            negated: false,
            ranges,
        }
    }

    fn group(&mut self, depth: u32) -> Result<Tree, String> {
        let before = (self.ignore_case, self.dot_all, self.lines);
        if self.take('?') {
            if self.take('P') || self.peek() == Some('<') {
                if !self.take('<') {
                    return Err(self.wrong("invalid named capture", self.pattern));
                }
                if matches!(self.peek(), Some('=' | '!')) {
                    return Err(self.wrong("invalid or unsupported Perl syntax", "(?<"));
                }
                while let Some(letter) = self.peek() {
                    self.at += 1;
                    if letter == '>' {
                        break;
                    }
                }
            } else {
                let mut on = true;
                loop {
                    match self.peek() {
                        Some('i') => self.ignore_case = on,
                        Some('s') => self.dot_all = on,
                        Some('m') => self.lines = on,
                        Some('U') => {}
                        Some('-') => on = false,
                        Some(':') => {
                            self.at += 1;
                            break;
                        }
                        // Flags for the rest of the pattern.
                        Some(')') => {
                            self.at += 1;
                            return Ok(Tree::Empty);
                        }
                        _ => return Err(self.wrong("invalid or unsupported Perl syntax", "(?")),
                    }
                    self.at += 1;
                }
            }
        }
        let inner = self.either(depth + 1)?;
        if !self.take(')') {
            return Err(self.wrong("missing closing )", self.pattern));
        }
        let lines = self.lines;
        (self.ignore_case, self.dot_all, self.lines) = before;
        self.lines |= lines;
        Ok(inner)
    }

    fn escape(&mut self) -> Result<Tree, String> {
        let Some(letter) = self.peek() else {
            return Err(self.wrong("trailing backslash at end of expression", ""));
        };
        match letter {
            'b' | 'B' => {
                self.at += 1;
                return Ok(Tree::Boundary(letter == 'b'));
            }
            'A' => {
                self.at += 1;
                return Ok(Tree::TextStart);
            }
            'z' => {
                self.at += 1;
                return Ok(Tree::TextEnd);
            }
            _ => {}
        }
        self.escaped_class().map(Tree::Class)
    }

    /// After a backslash: a class or one letter.
    fn escaped_class(&mut self) -> Result<Class, String> {
        let Some(letter) = self.peek() else {
            return Err(self.wrong("trailing backslash at end of expression", ""));
        };
        self.at += 1;
        let class = |ranges: &[(char, char)], negated| Class {
            negated,
            ranges: ranges.to_vec(),
        };
        let digit = [('0', '9')];
        let word = [('a', 'z'), ('A', 'Z'), ('0', '9'), ('_', '_')];
        let space = [('\t', '\n'), ('\u{c}', '\r'), (' ', ' ')];
        Ok(match letter {
            'd' => class(&digit, false),
            'D' => class(&digit, true),
            'w' => class(&word, false),
            'W' => class(&word, true),
            's' => class(&space, false),
            'S' => class(&space, true),
            'n' => class(&[('\n', '\n')], false),
            't' => class(&[('\t', '\t')], false),
            'r' => class(&[('\r', '\r')], false),
            'f' => class(&[('\u{c}', '\u{c}')], false),
            'v' => class(&[('\u{b}', '\u{b}')], false),
            'x' => {
                let digits: String = if self.take('{') {
                    let rest: String = self.letters[self.at..].iter().collect();
                    let inside = rest.split('}').next().unwrap_or("").to_owned();
                    self.at += inside.chars().count() + 1;
                    inside
                } else {
                    let end = (self.at + 2).min(self.letters.len());
                    let inside = self.letters[self.at..end].iter().collect();
                    self.at = end;
                    inside
                };
                let code = u32::from_str_radix(&digits, 16)
                    .ok()
                    .and_then(char::from_u32);
                match code {
                    Some(code) => class(&[(code, code)], false),
                    None => return Err(self.wrong("invalid escape sequence", "\\x")),
                }
            }
            other if other.is_ascii_alphanumeric() => {
                return Err(self.wrong("invalid escape sequence", &format!("\\{other}")));
            }
            other => class(&[(other, other)], false),
        })
    }

    fn class(&mut self) -> Result<Class, String> {
        let negated = self.take('^');
        let mut ranges: Vec<(char, char)> = Vec::new();
        let mut first = true;
        loop {
            let Some(letter) = self.peek() else {
                return Err(self.wrong("missing closing ]", self.pattern));
            };
            if letter == ']' && !first {
                self.at += 1;
                break;
            }
            first = false;
            self.at += 1;
            if letter == '[' && self.peek() == Some(':') {
                ranges.extend(self.named_class()?);
                continue;
            }
            let low = if letter == '\\' {
                let class = self.escaped_class()?;
                match class.ranges.as_slice() {
                    [(low, high)] if low == high && !class.negated => *low,
                    _ if class.negated => {
                        ranges.extend(complement(&class.ranges));
                        continue;
                    }
                    _ => {
                        ranges.extend(class.ranges);
                        continue;
                    }
                }
            } else {
                letter
            };
            let is_range = self.peek() == Some('-')
                && self
                    .letters
                    .get(self.at + 1)
                    .is_some_and(|next| *next != ']');
            if !is_range {
                ranges.push((low, low));
                continue;
            }
            self.at += 1;
            let Some(mut high) = self.peek() else {
                return Err(self.wrong("missing closing ]", self.pattern));
            };
            self.at += 1;
            if high == '\\' {
                high = self
                    .escaped_class()?
                    .ranges
                    .first()
                    .map_or(high, |range| range.0);
            }
            if high < low {
                return Err(self.wrong("invalid character class range", &format!("{low}-{high}")));
            }
            ranges.push((low, high));
        }
        if self.ignore_case {
            let folded: Vec<(char, char)> = ranges
                .iter()
                .filter(|(low, high)| low.is_ascii_alphabetic() && high.is_ascii_alphabetic())
                .flat_map(|(low, high)| {
                    [
                        (low.to_ascii_lowercase(), high.to_ascii_lowercase()),
                        (low.to_ascii_uppercase(), high.to_ascii_uppercase()),
                    ]
                })
                .collect();
            ranges.extend(folded);
        }
        Ok(Class { negated, ranges })
    }

    fn named_class(&mut self) -> Result<Vec<(char, char)>, String> {
        let rest: String = self.letters[self.at + 1..].iter().collect();
        let name = rest.split(":]").next().unwrap_or("").to_owned();
        let ranges: &[(char, char)] = match name.as_str() {
            "alpha" => &[('a', 'z'), ('A', 'Z')],
            "digit" => &[('0', '9')],
            "alnum" => &[('a', 'z'), ('A', 'Z'), ('0', '9')],
            "lower" => &[('a', 'z')],
            "upper" => &[('A', 'Z')],
            "space" => &[('\t', '\r'), (' ', ' ')],
            "xdigit" => &[('a', 'f'), ('A', 'F'), ('0', '9')],
            "word" => &[('a', 'z'), ('A', 'Z'), ('0', '9'), ('_', '_')],
            "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
            _ => return Err(self.wrong("invalid character class range", &format!("[:{name}:]"))),
        };
        self.at += 1 + name.chars().count() + 2;
        Ok(ranges.to_vec())
    }
}

/// Everything outside of some ranges.
fn complement(ranges: &[(char, char)]) -> Vec<(char, char)> {
    let mut sorted = ranges.to_vec();
    sorted.arrange();
    let mut result = Vec::new();
    let mut from = Some('\0');
    for (low, high) in sorted {
        if let Some(start) = from
            && start < low
            && let Some(end) = (start..low).next_back()
        {
            result.push((start, end));
        }
        from = (high..=char::MAX).nth(1);
    }
    if let Some(start) = from {
        result.push((start, char::MAX));
    }
    result
}
