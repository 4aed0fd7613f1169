//! The console: one grammar for page, command line, scenarios and tests.
//!
//! A [`Session`] owns the experiment's history and a small directory of files. It turns lines into
//! commands for the worlds and answers with text, an error text and an exit code, as the real tools
//! do. It holds no state of the worlds.

pub mod cluster;
pub mod condition;
pub mod convert;
pub mod docker;
pub mod follow;
pub mod host;
pub mod images;
pub mod import;
pub mod kubectl;
pub mod operator;
pub mod open;
pub mod scenario;
pub mod script;
pub mod scores;
pub mod sim;
pub mod table;
pub mod text_tools;
pub mod unified;
pub mod watch;

use std::sync::Arc;

use crate::base::limits::MAX_CONSOLE_LINE;
use crate::base::rng::Seed;
use crate::base::sentence::passage::Passage;
use crate::base::sentence::{Sentence, catalogue};
use crate::base::sorted::SortedMap;
use crate::base::time::{SimDuration, SimTime};
use crate::engine::command::{Answer, Command, Orchestrator};
use crate::engine::history::History;
use crate::engine::lab::{Input, Lab};
use crate::engine::world::World;
use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::lines::Source;

use script::{Join, Simple};

/// Commands of the console.
const KNOWN: &str =
    "kubectl, docker, host, sim, cat, ls, grep, head, tail, wc, sort, uniq, echo, sleep, help";

/// What a command printed and how it ended. What Podium itself says in it is sentences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Standard output.
    pub stdout: Passage,
    /// Standard error.
    pub stderr: Passage,
    /// Exit code, as the real tool's.
    pub code: i32,
}

impl Output {
    /// Success with text.
    pub fn text(stdout: impl Into<Passage>) -> Self {
        Self {
            stdout: stdout.into(),
            ..Self::default()
        }
    }

    /// Failure with an error text; a missing line end is added.
    pub fn error(code: i32, stderr: impl Into<Passage>) -> Self {
        let mut stderr = stderr.into();
        stderr.end_line();
        Self {
            stderr,
            code,
            ..Self::default()
        }
    }
}

/// Empty worlds whose containers' scripts have the console's commands.
pub fn lab(orchestrators: &[Orchestrator], seed: Seed) -> Lab {
    Lab::new(orchestrators, seed).with_hands(host::hands)
}

/// A switch's value, as Go's `strconv.ParseBool` takes it.
fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// The refusal of what the real tools have and nothing here stands for.
fn not_modelled(what: impl Into<Sentence>) -> Sentence {
    catalogue::NOT_MODELLED.plain().and("what", what.into())
}

/// The same, with why.
fn not_modelled_since(what: impl Into<Sentence>, why: Sentence) -> Sentence {
    let form = catalogue::NOT_MODELLED_SINCE.plain();
    form.and("what", what.into()).and("why", why)
}

/// What was found in a file, with its line.
fn located(found: &Diagnostic, source: &Source) -> Sentence {
    let line = source.position(found.span.start).line;
    let place = found.message.clone().at(format!("{}:{line}", found.file));
    match &found.help {
        Some(help) => place.advise(help.clone()),
        None => place,
    }
}

/// A sentence behind what a real tool puts before its own.
fn after(prefix: impl Into<Passage>, sentence: Sentence) -> Passage {
    prefix.into().then(sentence)
}

/// The experiment and the files that commands can name.
#[derive(Clone, Debug)]
pub struct Session {
    /// The experiment.
    pub history: History,
    /// Files by name. Sorted, so that a directory argument lists them in a fixed order.
    pub files: SortedMap<String, Arc<str>>,
    /// Variables for interpolation (`.env`, `--env`). Never the host's own.
    pub environment: SortedMap<String, String>,
    /// kubectl's current context.
    pub context: String,
    /// kubectl's contexts with their namespaces; an empty one means `default`.
    pub contexts: SortedMap<String, String>,
    /// Whether commands that wait (compose up, rollout status) let time pass. Off while several
    /// orchestrators are set up at one moment.
    pub wait: bool,
}

impl Session {
    /// A session on an experiment.
    pub fn new(history: History) -> Self {
        Self {
            history,
            files: SortedMap::new(),
            environment: SortedMap::new(),
            context: kubectl::config::CLUSTER.to_owned(),
            contexts: SortedMap::from([(
                kubectl::config::CLUSTER.to_owned(),
                "default".to_owned(),
            )]),
            wait: true,
        }
    }

    /// The world of an orchestrator.
    ///
    /// # Errors
    /// A sentence if this session has none.
    pub fn world(&self, orchestrator: Orchestrator) -> Result<&World, Output> {
        self.history
            .lab()
            .world(orchestrator)
            .ok_or_else(|| no_world(orchestrator))
    }

    /// Gives a command to one world and returns its answer.
    ///
    /// # Errors
    /// A sentence if this session has no such world.
    pub fn command(
        &mut self,
        orchestrator: Orchestrator,
        command: Command,
    ) -> Result<Answer, Output> {
        self.world(orchestrator)?;
        let mut answers = self.history.input(Input {
            only: Some(orchestrator),
            command,
        });
        Ok(answers.pop().map_or(Answer::Done, |(_, answer)| answer))
    }

    /// Reads a file of the session's directory.
    pub fn file(&self, name: &str) -> Option<&Arc<str>> {
        self.files.get(name.strip_prefix("./").unwrap_or(name))
    }

    /// Runs a whole script. Stops at the first failing line if `strict`. `each` sees every line's
    /// output as it comes. Returns the last exit code.
    pub fn script(
        &mut self,
        text: &str,
        strict: bool,
        each: &mut dyn FnMut(&script::Line, &Output),
    ) -> i32 {
        let lines = match script::parse(text) {
            Ok(lines) => lines,
            Err(error) => {
                let line = script::Line {
                    number: error.line,
                    text: String::new(),
                    at: None,
                    pipelines: Vec::new(),
                };
                each(&line, &Output::error(2, error));
                return 2;
            }
        };
        let mut code = 0;
        for line in &lines {
            let output = self.line(line);
            code = output.code;
            each(line, &output);
            if strict && code != 0 {
                break;
            }
        }
        code
    }

    /// Runs one line of text (it may hold a here-document).
    pub fn run(&mut self, text: &str) -> Output {
        if text.len() > MAX_CONSOLE_LINE {
            return Output::error(2, catalogue::LINE_LONG.with(&[("most", &MAX_CONSOLE_LINE)]));
        }
        let mut all = Output::default();
        let code = self.script(text, false, &mut |_, output| {
            all.stdout.push(&output.stdout);
            all.stderr.push(&output.stderr);
        });
        all.code = code;
        all
    }

    /// Runs one parsed line.
    pub fn line(&mut self, line: &script::Line) -> Output {
        if let Some(at) = line.at {
            if at < self.history.now() {
                let what = past(&at, &self.history);
                let said = catalogue::LINE_SAYS.with(&[("line", &line.number)]);
                return Output::error(2, said.and("what", what));
            }
            self.history.advance_to(at);
        }
        let mut all = Output::default();
        for pipeline in &line.pipelines {
            let skip = match pipeline.join {
                Join::Always => false,
                Join::And => all.code != 0,
                Join::Or => all.code == 0,
            };
            if skip {
                continue;
            }
            let output = self.pipeline(&pipeline.commands);
            all.stdout.push(output.stdout);
            all.stderr.push(output.stderr);
            all.code = output.code;
        }
        all
    }

    fn pipeline(&mut self, commands: &[Simple]) -> Output {
        let mut input = String::new();
        let mut stderr = Passage::default();
        let mut last = Output::default();
        for simple in commands {
            let given = simple.input.as_ref().unwrap_or(&input);
            last = self.simple(&simple.words, given);
            if simple.merge_errors {
                let errors = std::mem::take(&mut last.stderr);
                last.stdout.push(errors);
            }
            stderr.push(&last.stderr);
            if let Some((file, _)) = &simple.output
                && file.starts_with('/')
                && let Some(("host", node)) = simple
                    .words
                    .first()
                    .map(String::as_str)
                    .zip(simple.words.get(1))
            {
                // A shell there would write to a file there.
                let text = std::mem::take(&mut last.stdout);
                let written = host::redirect(self, &node.clone(), file, &text);
                stderr.push(written.stderr);
                last.code = last.code.max(written.code);
            } else if let Some((file, append)) = &simple.output {
                let mut text = match (append, self.file(file)) {
                    (true, Some(present)) => present.to_string(),
                    (true, None) | (false, _) => String::new(),
                };
                text.push_str(&last.stdout);
                last.stdout = Passage::default();
                self.files.insert(
                    file.strip_prefix("./").unwrap_or(file).to_owned(),
                    text.into(),
                );
            }
            input = last.stdout.to_string();
        }
        Output { stderr, ..last }
    }

    /// Runs one command; `NAME=value` before it sets variables for it alone, or for good if no
    /// command follows.
    fn simple(&mut self, words: &[String], input: &str) -> Output {
        let assigned = words.iter().take_while(|word| assignment(word).is_some());
        let count = assigned.count();
        if count == 0 {
            return self.command_line(words, input);
        }
        let before = self.environment.clone();
        self.export(&words[..count]);
        if count == words.len() {
            return Output::default();
        }
        let output = self.command_line(&words[count..], input);
        self.environment = before;
        output
    }

    fn export(&mut self, words: &[String]) {
        for (name, value) in words.iter().filter_map(|word| assignment(word)) {
            self.environment.insert(name.to_owned(), value.to_owned());
        }
    }

    fn command_line(&mut self, words: &[String], input: &str) -> Output {
        let Some(name) = words.first() else {
            return Output::default();
        };
        match name.as_str() {
            "kubectl" | "k" => kubectl::run(self, &words[1..], input),
            "docker" => docker::run(self, &words[1..], input),
            "docker-compose" => {
                let mut all = vec!["compose".to_owned()];
                all.extend_from_slice(&words[1..]);
                docker::run(self, &all, input)
            }
            "host" => host::run(self, &words[1..], input),
            "sim" => sim::run(self, &words[1..], input),
            "cat" => self.cat(&words[1..], input),
            "export" => {
                self.export(&words[1..]);
                Output::default()
            }
            "unset" => {
                for name in &words[1..] {
                    self.environment.remove(name);
                }
                Output::default()
            }
            // Folders are part of the files' names.
            "mkdir" => Output::default(),
            "rm" => self.remove(&words[1..]),
            "ls" => Output::text(
                self.files
                    .keys()
                    .map(|name| format!("{name}\n"))
                    .collect::<String>(),
            ),
            // As the real tool where there is no terminal to draw on.
            "watch" => Output::error(1, "Error opening terminal: unknown."),
            "sleep" => self.sleep(&words[1..]),
            name if text_tools::knows(name) => text_tools::run(words, input),
            "help" => {
                let more = after("\n", catalogue::HELP_MORE.plain()).then("\n");
                Output::text(Passage::from(known()).then(more))
            }
            name => Output::error(127, after(format!("{name}: command not found; "), known())),
        }
    }

    /// `sleep`: simulated time passes. Source: coreutils `src/sleep.c`.
    fn sleep(&mut self, words: &[String]) -> Output {
        let refused = |what: String| {
            let text = format!("sleep: {what}\nTry 'sleep --help' for more information.");
            Output::error(1, text)
        };
        if words.is_empty() {
            return refused("missing operand".to_owned());
        }
        let mut whole = SimDuration::ZERO;
        for word in words {
            let Some(span) = interval(word) else {
                return refused(format!("invalid time interval \u{2018}{word}\u{2019}"));
            };
            whole += span;
        }
        self.history.advance_to(self.history.now() + whole);
        Output::default()
    }

    fn remove(&mut self, words: &[String]) -> Output {
        let mut output = Output::default();
        let force = words
            .iter()
            .any(|word| word.starts_with('-') && word.contains('f'));
        for name in words.iter().filter(|word| !word.starts_with('-')) {
            let plain = name.strip_prefix("./").unwrap_or(name);
            if self.files.remove(plain).is_none() && !force {
                let line = format!("rm: cannot remove '{name}': No such file or directory\n");
                output.stderr.push(line);
                output.code = 1;
            }
        }
        output
    }

    fn cat(&self, names: &[String], input: &str) -> Output {
        if names.is_empty() {
            return Output::text(input);
        }
        let mut output = Output::default();
        for name in names {
            match self.file(name) {
                Some(text) => output.stdout.push(&**text),
                None if name == "-" => output.stdout.push(input),
                None => {
                    let line = format!("cat: {name}: No such file or directory\n");
                    output.stderr.push(line);
                    output.code = 1;
                }
            }
        }
        output
    }
}

/// A number of seconds, or of what its letter says: `10`, `0.5`, `2m`, `1h`, `1d`.
fn interval(word: &str) -> Option<SimDuration> {
    let number = word.trim_end_matches(['s', 'm', 'h', 'd']);
    if number.contains(|letter: char| !letter.is_ascii_digit() && letter != '.') {
        return None;
    }
    let (unit, times) = match &word[number.len()..] {
        "" | "s" => ("s", 1),
        "d" => ("h", 24),
        unit => (unit, 1),
    };
    let one = SimDuration::parse(&format!("{number}{unit}")).ok()?;
    Some(one.saturating_mul(times))
}

/// `NAME=value`.
fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let starts = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let fits = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (starts && fits).then_some((name, value))
}

fn no_world(orchestrator: Orchestrator) -> Output {
    Output::error(
        1,
        catalogue::NO_WORLD.with(&[("orchestrator", &orchestrator.name())]),
    )
}

/// What this console knows.
fn known() -> Sentence {
    catalogue::CONSOLE_KNOWS.with(&[("names", &KNOWN)])
}

/// Nothing happens before now.
fn past(at: &SimTime, history: &History) -> Sentence {
    catalogue::PAST.with(&[("at", at), ("now", &history.now())])
}

/// How a command is written.
fn usage(usage: &str) -> Output {
    Output::error(2, catalogue::USAGE.with(&[("usage", &usage)]))
}
