//! Text to steps: tokens, then a descent through the grammar that lays jumps.
//! Source: POSIX.1-2024, Shell Command Language, 2.3 and 2.10.

use std::sync::Arc;

use super::client::{self, Client};
use super::hands::{self, Line};
use super::tokens::{Sign, Token, tokens};
use super::value::{Piece, Template, Values, date};
use super::{Command, Word, words};

/// Longest script that is looked at, in steps; the rest is cut. Bounds the work of a probe.
const STEPS_MAX: usize = 1_024;
/// How deep loops, branches and groups may stand in each other.
const DEPTH_MAX: usize = 64;

/// One thing after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A command whose meaning is known.
    Fixed(Arc<str>, Word),
    /// A command whose meaning depends on variables.
    Simple(Arc<Simple>),
    /// A shell of its own, in parentheses: what it sets stays in it.
    Subshell {
        steps: Arc<[Step]>,
        /// Whether its failure does not end a script that ends at failures.
        looked_at: bool,
    },
    /// Goes on there.
    Jump(usize),
    /// Goes on there after a success, or after a failure.
    JumpIf { success: bool, to: usize },
    /// A branch begins if the condition holds.
    Branch { otherwise: usize },
    /// A branch ends: past the others, unless nobody knows whether its condition held.
    Over { branch: usize, to: usize },
    /// A loop goes on, or is left.
    Turn { until: bool, to: usize },
    /// Turns the status over.
    Not,
    /// Status zero.
    Done,
    /// Words become the list of the `for` that is the next step.
    List { words: Arc<[Template]> },
    /// The next word of the list becomes the variable, or the loop is left.
    For { name: Arc<str>, to: usize },
    /// Goes round for ever: the steps up to its end, and where among them it begins.
    Endless { steps: Arc<[Step]>, start: usize },
}

/// A part of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Word(Template),
    Sign(Sign),
}

/// Words of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Simple {
    /// Those of the first command of a pipe, with `>` before the file that it prints into.
    words: Vec<Template>,
    /// All parts of the line.
    parts: Vec<Part>,
    /// Whether a loop or a branch hangs on it.
    asked: bool,
    /// Whether its failure does not end a script that ends at failures.
    pub(super) looked_at: bool,
}

impl Step {
    pub(super) fn simple(words: Vec<Template>) -> Self {
        let parts = words.iter().cloned().map(Part::Word).collect();
        Self::Simple(Arc::new(Simple {
            words,
            parts,
            asked: false,
            looked_at: false,
        }))
    }

    /// Whether it is left to the container's commands, as far as its words tell.
    pub(super) fn is_left(&self) -> bool {
        match self {
            Self::Simple(simple) => {
                hands::may_be_left(&simple.parts) || simple.words.iter().any(|word| word.has_left())
            }
            Self::Subshell { steps, .. } | Self::Endless { steps, .. } => {
                steps.iter().any(Self::is_left)
            }
            Self::List { words } => words.iter().any(Template::has_left),
            _ => false,
        }
    }

    /// Whether it may ask somebody.
    pub(super) fn may_ask(&self) -> bool {
        let simple = match self {
            Self::Simple(simple) => simple,
            Self::Subshell { steps, .. } => return steps.iter().any(Self::may_ask),
            _ => return self.is_left(),
        };
        if self.is_left() {
            return true;
        }
        let printed = |word: &Template| {
            let (_, value) = word.assignment()?;
            value.printed().map(str::to_owned)
        };
        let named =
            |name: &str| client::is_client(name) || matches!(name, "timeout" | "sh" | "bash");
        let mut words = simple.words.iter();
        words.any(|word| {
            word.bare().is_some_and(named)
                || printed(word).is_some_and(|text| text.split_whitespace().any(client::is_client))
        })
    }

    /// Whether a loop ends by it.
    fn leaves(&self) -> bool {
        let Self::Simple(simple) = self else {
            return false;
        };
        let first = simple.words.first().and_then(Template::bare);
        matches!(first, Some("exit" | "return" | "exec"))
    }
}

impl Simple {
    /// Whether its command takes the place of the script's process.
    pub(super) fn replaces(&self) -> bool {
        self.words.len() > 1 && self.words[0].bare() == Some("exec")
    }

    /// Whether it reads how the command before it ended.
    pub(super) fn reads_status(&self) -> bool {
        let mut pieces = self.words.iter().flat_map(|word| &word.pieces);
        pieces.any(|(piece, _)| matches!(piece, Piece::Variable(name, ..) if name == "?"))
    }

    /// The first substitution that waits for a command of the container, with that.
    pub(super) fn waits(&self, values: &Values) -> Option<(String, Line)> {
        self.words.iter().find_map(|word| word.waits(values))
    }

    /// The command line for the container's shell; none: it is not for that.
    pub(super) fn line(&self, values: &Values) -> Option<Line> {
        hands::line(&self.parts, values)
    }

    /// What it does; none: it only sets variables.
    pub(super) fn command(&self, values: &mut Values) -> Option<Command> {
        let exported = matches!(
            self.words.first().and_then(Template::bare),
            Some("export" | "local" | "readonly" | "declare")
        );
        let words = &self.words[usize::from(exported)..];
        let mut rest = words;
        while let Some((name, value)) = rest.first().and_then(Template::assignment) {
            rest = &rest[1..];
            let text = value.printed();
            if let Some(client) = text.and_then(|text| client_of(text, values)) {
                // A status that is printed is what the variable becomes.
                let shows =
                    text.is_some_and(|text| text.contains("HTTP") || text.contains("http_code"));
                if !shows {
                    values.forget(name.clone());
                }
                return Some(Command {
                    capture: shows.then_some(name),
                    asked: self.asked,
                    ..Command::new("", Word::Ask(client))
                });
            }
            match value.value(values) {
                Some(value) => values.set(name, value.into()),
                None => values.forget(name),
            }
        }
        if rest.is_empty() {
            return None;
        }
        if exported {
            return Some(Command::new("export", Word::Status(0)));
        }
        let expanded: Vec<String> = rest.iter().flat_map(|word| word.expand(values)).collect();
        if let [name, rest @ ..] = expanded.as_slice()
            && name == "date"
            && !rest.iter().any(|word| word == ">")
            && let Some(time) = date(&rest.join(" "), values)
        {
            return Some(Command::new("date", Word::Echo(time.into())));
        }
        let mut command = words::command(&expanded)?;
        command.asked = self.asked;
        Some(command)
    }
}

/// The client that a substitution begins with.
fn client_of(text: &str, values: &Values) -> Option<Client> {
    let mut steps = steps(text);
    steps.truncate(1);
    let Some(Step::Simple(simple)) = steps.pop() else {
        return None;
    };
    let words: Vec<String> = simple
        .words
        .iter()
        .flat_map(|word| word.expand(values))
        .collect();
    Client::of(&words)
}

/// The one command that a substitution consists of.
pub(super) fn only(text: &str) -> Option<Arc<Simple>> {
    match steps(text).as_slice() {
        [Step::Simple(simple)] => Some(simple.clone()),
        _ => None,
    }
}

/// The steps of the text of a `sh -c`.
pub(super) fn steps(text: &str) -> Vec<Step> {
    let mut parser = Parser {
        tokens: tokens(text),
        at: 0,
        steps: Vec::new(),
        loops: Vec::new(),
        conditions: 0,
        depth: 0,
        around: 0,
        looped: false,
    };
    while parser.at < parser.tokens.len() && !parser.is_full() {
        let before = parser.at;
        parser.list(&[]);
        // A word of the language where none can be.
        if parser.at == before {
            parser.at += 1;
        }
    }
    parser.steps
}

struct Loop {
    start: usize,
    ends: Vec<usize>,
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    steps: Vec<Step>,
    loops: Vec<Loop>,
    /// Conditions that are being read.
    conditions: usize,
    depth: usize,
    /// Steps of the shells around the present one.
    around: usize,
    /// Whether one of them runs in a loop.
    looped: bool,
}

impl Parser {
    fn is_full(&self) -> bool {
        self.around + self.steps.len() >= STEPS_MAX
    }

    fn bare(&self) -> Option<&str> {
        match self.tokens.get(self.at)? {
            Token::Word(word) => word.bare(),
            _ => None,
        }
    }

    fn takes(&mut self, word: &str) -> bool {
        while matches!(self.tokens.get(self.at), Some(Token::Semicolon)) {
            self.at += 1;
        }
        let found = self.bare() == Some(word);
        self.at += usize::from(found);
        found
    }

    /// Commands up to one of these words, which is left.
    fn list(&mut self, ends: &[&str]) {
        loop {
            match self.tokens.get(self.at) {
                None | Some(Token::Close) => return,
                Some(Token::Semicolon | Token::And | Token::Or) => {
                    self.at += 1;
                    continue;
                }
                Some(Token::Word(_) | Token::Sign(_) | Token::Open) => {}
            }
            if self.bare().is_some_and(|word| ends.contains(&word)) || self.is_full() {
                return;
            }
            let before = self.at;
            self.and_or();
            if self.at == before {
                return;
            }
        }
    }

    fn and_or(&mut self) {
        self.pipeline();
        while let Some(success) = match self.tokens.get(self.at) {
            Some(Token::And) => Some(false),
            Some(Token::Or) => Some(true),
            _ => None,
        } {
            self.at += 1;
            while matches!(self.tokens.get(self.at), Some(Token::Semicolon)) {
                self.at += 1;
            }
            self.look_at_last();
            let jump = self.push(Step::JumpIf { success, to: 0 });
            self.pipeline();
            let to = self.steps.len();
            self.steps[jump] = Step::JumpIf { success, to };
        }
    }

    /// The failure of the last command is looked at.
    fn look_at_last(&mut self) {
        match self.steps.last_mut() {
            Some(Step::Simple(simple)) => Arc::make_mut(simple).looked_at = true,
            Some(Step::Subshell { looked_at, .. }) => *looked_at = true,
            Some(_) | None => {}
        }
    }

    fn pipeline(&mut self) {
        let mut turned = false;
        while self.bare() == Some("!") {
            self.at += 1;
            turned = !turned;
        }
        self.command();
        if turned {
            self.look_at_last();
            self.push(Step::Not);
        }
    }

    fn push(&mut self, step: Step) -> usize {
        self.steps.push(step);
        self.steps.len() - 1
    }

    fn command(&mut self) {
        if self.depth >= DEPTH_MAX {
            self.at = self.tokens.len();
            return;
        }
        self.depth += 1;
        if matches!(self.tokens.get(self.at), Some(Token::Open)) {
            self.at += 1;
            self.subshell();
        } else {
            match self.bare() {
                Some("if") => self.branches(),
                Some(word @ ("while" | "until")) => {
                    let until = word == "until";
                    self.turns(until);
                }
                Some("for") => self.each(),
                Some("{") => {
                    self.at += 1;
                    self.list(&["}"]);
                    self.takes("}");
                }
                Some("case") => self.unknown("esac"),
                Some(word @ ("break" | "continue")) if !self.loops.is_empty() => {
                    let leaves = word == "break";
                    self.at += 1;
                    let levels = self.bare().and_then(|word| word.parse::<usize>().ok());
                    self.at += usize::from(levels.is_some());
                    let jump = self.push(Step::Jump(0));
                    let outer = self.loops.len().saturating_sub(levels.unwrap_or(1).max(1));
                    if let Some(inner) = self.loops.get_mut(outer) {
                        if leaves {
                            inner.ends.push(jump);
                        } else {
                            self.steps[jump] = Step::Jump(inner.start);
                        }
                    }
                }
                // It leaves the shell that it is in.
                Some("break" | "continue") if self.looped => {
                    self.at += 1;
                    self.push(Step::Jump(usize::MAX));
                }
                Some("then" | "do" | "done" | "fi" | "else" | "elif" | "esac" | "}") => {}
                _ => self.simple(),
            }
        }
        self.depth -= 1;
    }

    /// A shell of its own, up to its parenthesis: what leaves a loop in it leaves none of those around.
    fn subshell(&mut self) {
        let outer = std::mem::take(&mut self.steps);
        let loops = std::mem::take(&mut self.loops);
        self.around += outer.len();
        let looped = self.looped;
        self.looped |= !loops.is_empty();
        self.list(&[]);
        self.at += usize::from(matches!(self.tokens.get(self.at), Some(Token::Close)));
        self.around -= outer.len();
        self.loops = loops;
        self.looped = looped;
        let steps = std::mem::replace(&mut self.steps, outer);
        let looked_at = self.conditions > 0;
        self.push(Step::Subshell {
            steps: steps.into(),
            looked_at,
        });
    }

    /// What is not understood, up to its last word.
    fn unknown(&mut self, end: &str) {
        while self.at < self.tokens.len() && self.bare() != Some(end) {
            self.at += 1;
        }
        self.at += 1;
        self.push(Step::Fixed("case".into(), Word::Unknown));
    }

    fn condition(&mut self, end: &str) {
        self.conditions += 1;
        self.list(&[end]);
        self.conditions -= 1;
        self.takes(end);
    }

    fn branches(&mut self) {
        let mut overs = Vec::new();
        loop {
            // Past `if` or `elif`.
            self.at += 1;
            self.condition("then");
            let branch = self.push(Step::Branch { otherwise: 0 });
            self.list(&["elif", "else", "fi"]);
            overs.push((self.push(Step::Over { branch, to: 0 }), branch));
            let otherwise = self.steps.len();
            self.steps[branch] = Step::Branch { otherwise };
            if self.bare() != Some("elif") || self.is_full() {
                break;
            }
        }
        if self.takes("else") {
            self.list(&["fi"]);
        } else {
            self.push(Step::Done);
        }
        self.takes("fi");
        let to = self.steps.len();
        for (over, branch) in overs {
            self.steps[over] = Step::Over { branch, to };
        }
    }

    fn turns(&mut self, until: bool) {
        self.at += 1;
        let start = self.steps.len();
        self.condition("do");
        let turn = self.push(Step::Turn { until, to: 0 });
        self.loops.push(Loop {
            start,
            ends: vec![turn],
        });
        self.list(&["done"]);
        self.takes("done");
        let constant = self.is_constant(start, turn, until);
        let inner = self.loops.pop().unwrap_or(Loop {
            start,
            ends: Vec::new(),
        });
        let mut body = self.steps[turn..].iter();
        if constant && inner.ends.len() == 1 && !body.any(|step| step.may_ask() || step.leaves()) {
            self.push(Step::Jump(start));
            let steps = self.steps.as_slice().into();
            self.steps.truncate(start);
            self.push(Step::Endless { steps, start });
            return;
        }
        self.push(Step::Jump(start));
        self.close(inner, |to| Step::Turn { until, to });
        // The condition that ended it is not its status.
        self.push(Step::Done);
    }

    /// Whether the condition of a loop holds whatever happens.
    fn is_constant(&self, start: usize, turn: usize, until: bool) -> bool {
        let [Step::Simple(simple)] = &self.steps[start..turn] else {
            return false;
        };
        let first = simple.words.first().and_then(Template::bare);
        match first {
            Some("true" | ":" | "sleep") => !until,
            Some("false") => until,
            Some("[" | "test") => {
                !until
                    && simple.words.iter().all(|word| word.bare().is_some())
                    && simple.words.len() == 3
            }
            _ => false,
        }
    }

    /// A loop ends here: whatever leaves it goes on behind.
    fn close(&mut self, inner: Loop, turn: impl Fn(usize) -> Step) {
        let to = self.steps.len();
        for end in inner.ends {
            self.steps[end] = match self.steps[end] {
                Step::Jump(_) => Step::Jump(to),
                _ => turn(to),
            };
        }
    }

    fn each(&mut self) {
        self.at += 1;
        let name: Arc<str> = self.bare().unwrap_or_default().into();
        self.at += 1;
        let mut words = Vec::new();
        if self.takes("in") {
            while let Some(Token::Word(word)) = self.tokens.get(self.at) {
                words.push(word.clone());
                self.at += 1;
            }
        }
        self.takes("do");
        self.push(Step::List {
            words: words.into(),
        });
        let step = |to| Step::For {
            name: name.clone(),
            to,
        };
        let start = self.push(step(0));
        self.loops.push(Loop {
            start,
            ends: vec![start],
        });
        self.list(&["done"]);
        self.takes("done");
        self.push(Step::Jump(start));
        if let Some(inner) = self.loops.pop() {
            self.close(inner, step);
        }
    }

    fn simple(&mut self) {
        let (words, parts) = self.line();
        // A function's name: its body is not understood.
        if matches!(self.tokens.get(self.at), Some(Token::Open)) {
            self.at += 1;
            let before = self.steps.len();
            // What leaves a loop there leaves none of those around it.
            let loops = std::mem::take(&mut self.loops);
            self.list(&[]);
            self.at += 1;
            self.command();
            self.loops = loops;
            self.steps.truncate(before);
            return;
        }
        if words.is_empty() {
            return;
        }
        let asked = self.conditions > 0;
        self.push(Step::Simple(Arc::new(Simple {
            words,
            parts,
            asked,
            looked_at: asked,
        })));
    }

    /// The words of a command and the parts of its line, up to the next joint.
    fn line(&mut self) -> (Vec<Template>, Vec<Part>) {
        let (mut words, mut parts) = (Vec::new(), Vec::new());
        // What stands in a pipe, and files that are not printed into, do not say what a command does.
        let (mut in_pipe, mut is_aside) = (false, false);
        while let Some(token) = self.tokens.get(self.at) {
            match token {
                Token::Word(word) => {
                    if !in_pipe && !is_aside {
                        words.push(word.clone());
                    }
                    is_aside = false;
                    parts.push(Part::Word(word.clone()));
                }
                Token::Sign(sign) => {
                    match sign {
                        Sign::Pipe => in_pipe = true,
                        Sign::Into | Sign::Onto | Sign::AllInto if words.is_empty() => {
                            is_aside = true;
                        }
                        Sign::Into | Sign::Onto | Sign::AllInto if !in_pipe => {
                            words.push(Template::plain(">"));
                        }
                        Sign::Errors | Sign::From => is_aside = true,
                        Sign::Into | Sign::Onto | Sign::AllInto | Sign::Merge | Sign::ToErrors => {}
                    }
                    parts.push(Part::Sign(*sign));
                }
                _ => break,
            }
            self.at += 1;
        }
        (words, parts)
    }
}
