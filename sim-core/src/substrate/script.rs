//! The part of a shell that sample commands, waits for other services and health checks use.
//!
//! Understood: words and quotes, variables, `;`, newline, `&&`, `||`, `!`, `if`, `while`, `until`,
//! `for`, `break`, `continue`, groups, `set -e`, `$(seq …)`, `$((…))`, `sh -c`, `exec`, `timeout`,
//! redirection into a file, and the commands `sleep`, `exit`, `true`, `false`, `echo`, `printf`,
//! `date`, `touch`, `rm`, `test`, `[`, `tail -f`, `stress`. Clients ([`client`]) ask the network, and
//! what reads or changes files the commands of the container ([`hands`]); the script goes on with their
//! answer. Every other command stands for the image's own program (as a process)
//! or for a client that asks it (as a health check).
//!
//! ```text
//! text -> tokens (tokens.rs) -> steps with jumps (parse.rs) -> Shell: one command after the other
//! ```
//!
//! Not modelled: functions, `case`, here documents, arrays, and what clients print of an answer.

pub mod client;
pub mod hands;
mod parse;
mod tokens;
pub mod value;
mod words;

use std::sync::Arc;

use crate::base::time::SimDuration;

use client::{Answer, Client};
use hands::{Done, Line};
use parse::Step;
use value::{Template, Values};

/// Steps in which no time passes after which a script is taken to run in circles for ever.
const SPINS_MAX: u32 = 4_096;
/// Steps from one question to the next, or to the end, after which the same is taken.
const STEPS_MAX: u32 = 65_536;
/// Questions of one script: one a second for a day is fewer. Whoever asks more waits for ever.
const QUESTIONS_MAX: u32 = 100_000;
/// Longest value of a variable and longest line, in bytes; longer ones are not known.
const TEXT_MAX: usize = 1 << 16;
/// Scripts that run scripts, at most.
const DEPTH_MAX: usize = 8;
/// Shells in each other, those in parentheses among them, at most.
const SUBSHELLS_MAX: usize = 64;

/// How the last command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// With this exit code.
    Ended(i32),
    /// Nobody knows: what is meant for either way is run through.
    Unknown,
}

impl Status {
    /// The exit code; what is not known went well.
    pub const fn code(self) -> i32 {
        match self {
            Self::Ended(code) => code,
            Self::Unknown => 0,
        }
    }
}

/// What a command does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// Something else: the image's program.
    Program,
    /// Asks the network.
    Ask(Client),
    /// Never ends.
    Forever,
    /// Waits.
    Sleep(SimDuration),
    /// Ends the script; none: as its last command ended.
    Exit(Option<i32>),
    /// Prints a line.
    Echo(Arc<str>),
    /// Makes files (true) and removes them (false).
    Files(Arc<[(Arc<str>, bool)]>),
    /// Makes a file of so many bytes.
    Write(Arc<str>, u64),
    /// Succeeds if the file is there.
    Test(Arc<str>),
    /// Succeeds if it is not.
    Lacks(Arc<str>),
    /// Ends at once with a code.
    Status(i32),
    /// Not known, and over at once.
    Unknown,
    /// Runs another script.
    Nested(Script),
    /// Runs another command for so long at most.
    Timeout(SimDuration, Vec<String>),
    /// Ends at a failure from now on, or no more.
    ErrorExit(bool),
}

/// One command of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Its first word as written.
    pub name: Arc<str>,
    /// What it does.
    pub word: Word,
    /// For [`Word::Program`]: whether it is known as one that does something and ends.
    pub one_shot: bool,
    /// Whether a loop or a branch hangs on it.
    pub asked: bool,
    /// The command line for the container's own commands, where it is left to them.
    pub line: Option<Line>,
    /// The variable that its answer becomes.
    capture: Option<Arc<str>>,
}

/// Variables and their values.
pub type Environment = [(Arc<str>, Arc<str>)];

/// A command line taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    steps: Arc<[Step]>,
    values: Values,
    /// Whether a shell must be in the image.
    pub needs_shell: bool,
    /// `-e`.
    error_exit: bool,
    /// Whether what its commands complain of is seen: nothing sends it elsewhere.
    is_heard: bool,
    /// Whether some of it is left to the container's commands; then all is that is about files.
    is_left: bool,
}

impl Script {
    /// Takes a command apart; an empty one is the image's own program. A shell knows these variables.
    pub fn of_command(words: &[&str], environment: &Environment) -> Self {
        Self::of(words, || Values::of(environment))
    }

    /// What a shell knows is asked for only where there is one.
    fn of(words: &[&str], values: impl FnOnce() -> Values) -> Self {
        let base = |word: &str| word.rsplit('/').next().unwrap_or_default().to_owned();
        let runs_others = |word: &&&str| matches!(base(word).as_str(), "tini" | "dumb-init" | "--");
        let words = &words[words.iter().take_while(runs_others).count()..];
        let first = words.first().map(|word| base(word)).unwrap_or_default();
        let is_shell = matches!(first.as_str(), "sh" | "bash" | "ash" | "dash");
        // `-c`, `-ec`, `-exc`, or flags before it: `-e -c`.
        let flags: Vec<&&str> = words
            .iter()
            .skip(1)
            .take_while(|word| word.starts_with(['-', '+']))
            .collect();
        let at = flags
            .iter()
            .position(|flag| !flag.starts_with("--") && flag.ends_with('c'));
        if is_shell && let Some(at) = at {
            let text = words.get(at + 2).copied().unwrap_or_default();
            let error_exit = flags
                .iter()
                .any(|flag| flag.starts_with('-') && !flag.starts_with("--") && flag.contains('e'));
            let steps = parse::steps(text);
            return Self {
                is_left: steps.iter().any(Step::is_left),
                steps: steps.into(),
                values: values(),
                needs_shell: true,
                error_exit,
                is_heard: !text.contains("2>") && !text.contains("&>"),
            };
        }
        let step = if is_shell && words.len() > 1 {
            // A script file: its content is not known, so it stands for the program.
            Step::Fixed(words[1].into(), Word::Program)
        } else if words.is_empty() {
            Step::Fixed("".into(), Word::Program)
        } else {
            Step::simple(words.iter().map(|word| Template::plain(word)).collect())
        };
        Self {
            is_left: step.is_left(),
            steps: [step].into(),
            values: Values::default(),
            needs_shell: false,
            error_exit: false,
            is_heard: true,
        }
    }
}

/// What a script that is interrupted goes on with.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Frame {
    steps: Arc<[Step]>,
    next: usize,
    /// By place: which word of its list a `for` has, and for a branch that nobody knows whether it is
    /// taken, that both ways are.
    marks: Vec<u32>,
    /// The lists of each `for` that runs, by its place.
    lists: Vec<(usize, Arc<[Arc<str>]>)>,
    /// When it is cut off.
    until: Option<SimDuration>,
    /// Whether it ends at a failure that nobody looks at.
    error_exit: bool,
    /// Whether the failure of its present command is looked at.
    looked_at: bool,
    /// Whether it ends with its present command: that took its process's place.
    replaced: bool,
    /// Variables of the shell around it, which it does not change.
    around: Values,
}

/// A script that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shell {
    frames: Vec<Frame>,
    values: Values,
    status: Status,
    /// Time since its start.
    pub at: SimDuration,
    /// Steps since time has passed.
    spins: u32,
    /// Steps since the last answer.
    steps: u32,
    questions: u32,
    capture: Option<Arc<str>>,
    /// As [`Script::is_heard`].
    pub is_heard: bool,
    /// Whether its files are left to the container's commands; none: nobody carries these out.
    hands: Option<bool>,
    /// The substitution that waits for such a command.
    substitution: Option<String>,
    /// The loop that it has come to and never leaves.
    circle: Option<(Arc<[Step]>, usize)>,
}

impl Shell {
    /// At its beginning, so long after the start of its process.
    pub fn new(script: &Script, at: SimDuration) -> Self {
        let mut shell = Self {
            frames: Vec::new(),
            values: script.values.clone(),
            status: Status::Ended(0),
            at,
            spins: 0,
            steps: 0,
            questions: 0,
            capture: None,
            is_heard: script.is_heard,
            hands: None,
            substitution: None,
            circle: None,
        };
        shell.enter(script, None);
        shell
    }

    /// The same where somebody carries out the commands of its container.
    pub fn with_hands(mut self, script: &Script) -> Self {
        self.hands = Some(script.is_left);
        self
    }

    /// Whether a command line waits for its moment.
    pub fn leaves(&self, line: &Line) -> bool {
        self.hands.is_some_and(|all| all || !line.is_light)
    }

    fn enter(&mut self, script: &Script, until: Option<SimDuration>) {
        self.begin(script.steps.clone(), script.error_exit, until);
        self.hands = self.hands.map(|all| all || script.is_left);
        self.status = Status::Ended(0);
    }

    fn begin(&mut self, steps: Arc<[Step]>, error_exit: bool, until: Option<SimDuration>) {
        self.frames.push(Frame {
            next: 0,
            marks: vec![0; steps.len()],
            steps,
            lists: Vec::new(),
            until,
            error_exit,
            looked_at: false,
            replaced: false,
            around: self.values.clone(),
        });
    }

    /// The innermost shell is over: its variables go with it.
    fn end(&mut self) {
        if let Some(frame) = self.frames.pop() {
            self.values = frame.around;
        }
    }

    /// The same shell in the loop that it has come to and never leaves; its commands come one after the
    /// other as long as they are asked for.
    pub fn circling(mut self) -> Option<Self> {
        let (steps, start) = self.circle.take()?;
        self.hands = None;
        let error_exit = self.frames.last().is_some_and(|frame| frame.error_exit);
        self.begin(steps, error_exit, None);
        self.frames.last_mut()?.next = start;
        Some(self)
    }

    /// However many commands there were, there may be more.
    pub const fn go_on(&mut self) {
        self.steps = 0;
    }

    /// How the last command ended.
    pub const fn status(&self) -> Status {
        self.status
    }

    /// The present command took this long and ended so, unless its time was over before.
    pub fn ended(&mut self, status: Status, took: SimDuration) {
        let took = self.left().map_or(took, |left| took.min(left));
        self.at += took;
        if !took.is_zero() {
            self.spins = 0;
        }
        self.status = status;
    }

    /// A script ends with this code: what ran it goes on.
    pub fn exit(&mut self, code: Option<i32>) {
        self.status = code.map_or(self.status, Status::Ended);
        self.end();
    }

    /// The network has answered the client that asked.
    pub fn answered(&mut self, client: &Client, answer: Answer) {
        let asked = self.at;
        self.steps = 0;
        self.questions += 1;
        let code = match self.capture.take() {
            // What follows it in the pipe succeeds.
            Some(name) => {
                self.values.set(name, client.printed(answer).into());
                0
            }
            None => client.code(answer),
        };
        self.ended(Status::Ended(code), client.took(answer));
        // However short its time is: a question is never free.
        self.at = self.at.max(asked + client::EXCHANGE);
        self.spins = 0;
    }

    /// A command line of the container is over; returns what is seen of it. None: nobody knows what it does.
    pub fn done(&mut self, line: &Line, done: Option<Done>) -> String {
        self.steps = 0;
        self.questions += 1;
        let is_known = done.is_some();
        let done = done.unwrap_or_default();
        let status = if is_known {
            Status::Ended(done.code)
        } else {
            Status::Unknown
        };
        self.ended(status, hands::TOOK + done.took);
        let mut seen = if line.is_quiet {
            String::new()
        } else {
            done.complained
        };
        match self.substitution.take() {
            Some(text) => {
                let printed = done.printed.trim_end_matches('\n').into();
                self.values.note(text, is_known.then_some(printed));
            }
            None => seen.insert_str(0, &done.printed),
        }
        seen
    }

    /// A command that asks for what a substitution of the next step prints.
    fn asked_first(&mut self, (text, line): (String, Line)) -> Command {
        self.substitution = Some(text);
        Command {
            line: Some(line),
            ..Command::new("", Word::Unknown)
        }
    }

    /// The next command; none: the script is over, and its status is [`Shell::status`].
    pub fn command(&mut self) -> Option<Command> {
        loop {
            if let Some(cut) = self.cut() {
                while self.frames.len() > cut {
                    self.end();
                }
                self.status = Status::Ended(124);
            }
            let place = self.frames.len().checked_sub(1)?;
            let failed = matches!(self.status, Status::Ended(code) if code != 0);
            let frame = &mut self.frames[place];
            if frame.replaced || failed && frame.error_exit && !frame.looked_at {
                self.end();
                continue;
            }
            let Some(step) = frame.steps.get(frame.next).cloned() else {
                self.end();
                // A script within a script ends as one command of it.
                continue;
            };
            let at = frame.next;
            frame.next += 1;
            self.spins += 1;
            self.steps += 1;
            let questions = self.questions > QUESTIONS_MAX;
            if questions || self.spins > SPINS_MAX || self.steps > STEPS_MAX {
                return Some(Command::new("while", Word::Forever));
            }
            match step {
                Step::Fixed(name, word) => {
                    frame.looked_at = true;
                    return Some(Command {
                        name,
                        word,
                        one_shot: false,
                        asked: false,
                        line: None,
                        capture: None,
                    });
                }
                Step::Simple(simple) => {
                    if let Some(first) = self.hands.and_then(|_| simple.waits(&self.values)) {
                        frame.next = at;
                        return Some(self.asked_first(first));
                    }
                    frame.looked_at = simple.looked_at;
                    frame.replaced = simple.replaces();
                    if simple.reads_status() {
                        let code = self.status.code().to_string();
                        self.values.set("?".into(), code.into());
                    }
                    self.values.now = self.at;
                    let line = self.hands.and_then(|_| simple.line(&self.values));
                    let had = self.values.has_printed();
                    let command = simple.command(&mut self.values);
                    self.values.forget_printed();
                    let Some(mut command) = command else {
                        if !had {
                            self.status = Status::Ended(0);
                        }
                        continue;
                    };
                    command.line = line.filter(|_| command.is_about_files());
                    match command.word {
                        Word::Nested(script) if self.frames.len() < DEPTH_MAX => {
                            self.enter(&script, None);
                        }
                        Word::Timeout(span, words) if self.frames.len() < DEPTH_MAX => {
                            let words: Vec<&str> = words.iter().map(String::as_str).collect();
                            let script = Script::of(&words, || self.values.clone());
                            let until = (!span.is_zero()).then(|| self.at + span);
                            self.enter(&script, until);
                        }
                        Word::Nested(_) | Word::Timeout(..) => self.status = Status::Unknown,
                        Word::ErrorExit(on) => self.frames[place].error_exit = on,
                        _ => {
                            self.capture = command.capture.clone();
                            return Some(command);
                        }
                    }
                }
                Step::Subshell { steps, looked_at } => {
                    frame.looked_at = looked_at;
                    let error_exit = frame.error_exit && !looked_at;
                    if self.frames.len() < SUBSHELLS_MAX {
                        self.begin(steps, error_exit, None);
                    } else {
                        self.status = Status::Unknown;
                    }
                }
                Step::Jump(to) => self.frames[place].next = to,
                Step::JumpIf { success, to } => {
                    let holds = match self.status {
                        Status::Ended(code) => (code == 0) == success,
                        Status::Unknown => false,
                    };
                    if holds {
                        self.frames[place].next = to;
                    }
                }
                Step::Branch { otherwise } => {
                    let frame = &mut self.frames[place];
                    frame.marks[at] = u32::from(self.status == Status::Unknown);
                    if matches!(self.status, Status::Ended(code) if code != 0) {
                        frame.next = otherwise;
                    }
                }
                Step::Over { branch, to } => {
                    let frame = &mut self.frames[place];
                    if frame.marks[branch] == 0 {
                        frame.next = to;
                    }
                }
                Step::Not => {
                    if let Status::Ended(code) = self.status {
                        self.status = Status::Ended(i32::from(code == 0));
                    }
                }
                Step::Done => self.status = Status::Ended(0),
                Step::List { words } => {
                    let mut waits = words.iter().filter_map(|word| word.waits(&self.values));
                    if let Some(first) = self.hands.and_then(|_| waits.next()) {
                        frame.next = at;
                        return Some(self.asked_first(first));
                    }
                    let values = words.iter().flat_map(|word| word.expand(&self.values));
                    let list: Arc<[Arc<str>]> = values.map(Arc::from).collect();
                    self.values.forget_printed();
                    let frame = &mut self.frames[place];
                    frame.lists.retain(|(of, _)| *of != frame.next);
                    frame.lists.push((frame.next, list));
                    frame.marks[frame.next] = 0;
                    self.status = Status::Ended(0);
                }
                Step::For { name, to } => {
                    let frame = &mut self.frames[place];
                    let turn = frame.marks[at] as usize;
                    let mut lists = frame.lists.iter();
                    let list = lists.find(|(of, _)| *of == at).map(|(_, list)| list);
                    match list.and_then(|list| list.get(turn)).cloned() {
                        Some(value) => {
                            frame.marks[at] += 1;
                            self.values.set(name, value);
                        }
                        None => frame.next = to,
                    }
                }
                Step::Turn { until, to } => match (self.status, until) {
                    (Status::Unknown, true) => self.frames[place].next = to,
                    (Status::Unknown, false) => {
                        return Some(Command::new("while", Word::Forever));
                    }
                    (Status::Ended(code), _) if (code == 0) == until => {
                        self.frames[place].next = to;
                    }
                    (Status::Ended(_), _) => {}
                },
                Step::Endless { steps, start } => {
                    self.circle = Some((steps, start));
                    return Some(Command::new("while", Word::Forever));
                }
            }
        }
    }

    /// The frame whose time is over, by its place.
    fn cut(&self) -> Option<usize> {
        let mut frames = self.frames.iter();
        frames.position(|frame| frame.until.is_some_and(|until| self.at >= until))
    }

    /// How long until the present command is cut off.
    pub fn left(&self) -> Option<SimDuration> {
        let ends = self.frames.iter().filter_map(|frame| frame.until);
        ends.min().map(|until| until.saturating_sub(self.at))
    }
}

impl Command {
    fn new(name: &str, word: Word) -> Self {
        Self {
            name: name.into(),
            word,
            one_shot: false,
            asked: false,
            line: None,
            capture: None,
        }
    }

    /// Whether it is one that reads or changes files, or prints into one.
    const fn is_about_files(&self) -> bool {
        matches!(
            self.word,
            Word::Program
                | Word::Echo(_)
                | Word::Files(_)
                | Word::Test(_)
                | Word::Lacks(_)
                | Word::Status(_)
                | Word::Unknown
        )
    }
}
