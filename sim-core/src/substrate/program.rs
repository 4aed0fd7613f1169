//! What the main process of an image does, and what a container with a given command does.
//!
//! A [`Program`] is a fact about an image (from the catalogue or a scenario's own block); a
//! [`Behaviour`] is what one container does with it: a course on the time since its start.

use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::time::SimDuration;

use super::catalogue;
use super::order::{ContainerSpec, Flaw};
use super::script::client::{Answer, Client};
use super::script::hands::{Done, Line, OWN};
use super::script::{Script, Shell, Status, Word};

use circle::{Circle, keep};

mod check;
mod circle;

/// What the process does when nobody disturbs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Run {
    /// Listens on its ports.
    Serve,
    /// Runs without listening anywhere.
    Work,
    /// Ends by itself this long after its start.
    Exit {
        /// Time from start to end.
        after: SimDuration,
        /// Exit code.
        code: i32,
    },
}

/// What the process does at its stop signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnStop {
    /// Ends in an orderly way.
    Exit {
        /// Time from the signal to the end.
        after: SimDuration,
        /// Exit code.
        code: i32,
    },
    /// Has no handler, and as the first process of its namespace gets no default action either:
    /// only SIGKILL ends it. Source: `pid_namespaces(7)`.
    Ignore,
}

/// Which tags a repository has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tags {
    /// Any tag exists.
    Any,
    /// Versions up to these (major, highest minor), with the usual variant words; `latest` too.
    Versions(&'static [(u32, u32)]),
}

/// Facts about an image.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Program {
    /// Name of the program that its entry point runs.
    pub name: Arc<str>,
    /// Whether the repository exists in its registry.
    pub exists: bool,
    /// Which tags it has.
    pub tags: Tags,
    /// Compressed size that a pull transfers, in bytes.
    pub size_bytes: u64,
    /// Ports it listens on, ascending; empty with [`Run::Serve`]: those that the container declares.
    pub ports: Arc<[u16]>,
    /// Time from start to accepting connections.
    pub listen: SimDuration,
    /// Time from start to answering requests well; at least `listen`.
    pub ready: SimDuration,
    /// CPU time of one request.
    pub request_cpu: SimDuration,
    /// Memory in steady use, in bytes.
    pub memory_bytes: u64,
    /// Its course.
    pub run: Run,
    /// Its answer to the stop signal.
    pub on_stop: OnStop,
    /// Whether the image has a shell.
    pub shell: bool,
    /// Whether the image is in the catalogue.
    pub known: bool,
    /// The image's files outside the usual directories, with their sizes in bytes, if they are known:
    /// then no other program is there, mounts aside.
    pub files: Option<&'static [(&'static str, u64)]>,
    /// Paths that GET answers well; empty: any.
    pub paths: Arc<[Arc<str>]>,
    /// Directories whose content a mount replaces, after which any path is taken to answer.
    pub content: Arc<[Arc<str>]>,
    /// What it prints when it has started; may be empty.
    pub line: Arc<str>,
}

/// How a health check of a container ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Succeeds after this long.
    Success(SimDuration),
    /// Fails after this long.
    Failure(SimDuration, Flaw),
    /// Gets no answer.
    Hang(Flaw),
}

impl Outcome {
    /// The same, so much later.
    pub fn later(self, span: SimDuration) -> Self {
        match self {
            Self::Success(took) => Self::Success(took + span),
            Self::Failure(took, flaw) => Self::Failure(took + span, flaw),
            Self::Hang(flaw) => Self::Hang(flaw),
        }
    }
}

/// Duration of a probe over the network to the same machine: connect and a short answer.
/// Our own figure; what matters is that it is far below any period.
pub const NETWORK_PROBE: SimDuration = SimDuration::from_millis(1);

/// Duration of a command run inside a container: a `runc exec` takes tens of milliseconds.
pub const EXEC_PROBE: SimDuration = SimDuration::from_millis(40);

/// Bytes after which a log is begun anew; what was before is not shown.
/// Source: `pkg/kubelet/apis/config/v1beta1/defaults.go` (`ContainerLogMaxSize`).
const LOG_MAX: usize = 10 << 20;

/// Changes of files by one script that are followed.
const FILES_MAX: usize = 4_096;

/// Start of a process that has nothing to load: a shell and its commands.
const SHELL_START: SimDuration = SimDuration::from_millis(2);

/// Time that a command takes which does something and ends. Our own figure.
const ONE_SHOT: SimDuration = SimDuration::from_secs(1);

/// What one container does, on the time since its process started. Shared by equal containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// It cannot be started at all: the code of the failure (127: no such command).
    pub start_failure: Option<i32>,
    /// Its own end: time and exit code.
    pub end: Option<(SimDuration, i32)>,
    /// A question that its script goes on after, once it has the answer.
    question: Option<Box<Pending>>,
    /// When it accepts connections, if ever.
    pub listen: Option<SimDuration>,
    /// When it answers well, if ever.
    pub ready: Option<SimDuration>,
    /// Name of its program, where its command does not say.
    pub program: Arc<str>,
    /// Ports it listens on, ascending.
    pub ports: Arc<[u16]>,
    /// As [`ContainerSpec::any_but`].
    any_but: Option<Arc<[u16]>>,
    /// What it does at the stop signal.
    pub on_stop: OnStop,
    /// Memory in steady use, in bytes.
    pub memory_bytes: u64,
    /// CPU time of one request.
    pub request_cpu: SimDuration,
    /// Threads that never sleep.
    pub busy: u16,
    /// Files that its script makes (true) and removes (false), in order of time.
    pub files: Vec<(SimDuration, Arc<str>, bool)>,
    /// The same by others' hands, in order of time.
    pub by_hand: Vec<(SimDuration, Arc<str>, bool)>,
    /// Bytes that its script writes into files, in order of time.
    pub writes: Vec<(SimDuration, Arc<str>, u64)>,
    /// What it prints, in order of time; without what a loop prints that never ends.
    pub(super) lines: Vec<(SimDuration, Arc<str>)>,
    /// Bytes that commands of its script have printed since its log was begun anew.
    printed_bytes: usize,
    /// What it has printed of a line that is not over.
    open_line: String,
    /// The loop that its script never leaves.
    circle: Option<Box<Circle>>,
    paths: Arc<[Arc<str>]>,
    mounts: Arc<[Arc<str>]>,
    shell: bool,
    /// As [`Program::files`].
    image_files: Option<&'static [(&'static str, u64)]>,
    /// Times at which the outcome of some health check can change, ascending.
    changes: Vec<SimDuration>,
}

/// What a script waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// An answer of the network.
    Network(Client),
    /// A command line of its container.
    Line(Line),
}

/// What a script learns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The network's answer, and what the client says of it.
    Answer(Answer, Option<String>),
    /// What became of the command line; none: nobody knows.
    Done(Option<Done>),
}

/// A script that waits for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pending {
    question: Question,
    shell: Shell,
    /// What the image runs where the script starts it.
    program: Program,
    ports: Arc<[u16]>,
}

/// Time from a server's start until it asks for its port. Our own figure.
const BIND: SimDuration = SimDuration::from_millis(50);

impl Behaviour {
    /// The same program where its port is taken: it says so and ends.
    pub fn without_port(&self, port: u16) -> Self {
        let line = format!("listen tcp 0.0.0.0:{port}: bind: address already in use");
        Self {
            end: Some((BIND, 1)),
            listen: None,
            ready: None,
            busy: 0,
            lines: vec![(BIND, line.into())],
            ..self.clone()
        }
    }

    /// What a container does that runs this image in this way.
    pub fn new(program: &Program, spec: &ContainerSpec) -> Self {
        let mut behaviour = Self {
            start_failure: None,
            end: None,
            question: None,
            listen: None,
            ready: None,
            program: program.name.clone(),
            ports: Arc::from([]),
            any_but: spec.any_but.clone(),
            on_stop: OnStop::Ignore,
            memory_bytes: MEMORY_OF_A_SHELL,
            request_cpu: SimDuration::ZERO,
            busy: 0,
            files: Vec::new(),
            by_hand: Vec::new(),
            writes: Vec::new(),
            lines: Vec::new(),
            printed_bytes: 0,
            open_line: String::new(),
            circle: None,
            paths: program.paths.clone(),
            mounts: spec.mounts.clone(),
            shell: program.shell,
            image_files: program.files,
            changes: Vec::new(),
        };
        let replaced = program.content.iter().any(|place| {
            spec.mounts
                .iter()
                .any(|mount| lies_in(mount, place) || lies_in(place, mount))
        });
        if replaced {
            behaviour.paths = Arc::from([]);
        }
        let words: Vec<&str> = if spec.command.is_empty() {
            // Arguments alone go to the image's entry point; where that is a shell's or a wrapper
            // that runs them, they are the command.
            spec.arguments.iter().map(AsRef::as_ref).collect()
        } else {
            spec.command
                .iter()
                .chain(spec.arguments.iter())
                .map(AsRef::as_ref)
                .collect()
        };
        let script = Script::of_command(&words, &spec.environment);
        if script.needs_shell && !program.shell {
            behaviour.start_failure = Some(127);
            return behaviour;
        }
        let shell = Shell::new(&script, SHELL_START).with_hands(&script);
        behaviour.follow(shell, program, &spec.ports);
        if spec.root.stdin && reads_commands(&words, program) {
            (behaviour.end, behaviour.ready) = (None, Some(SHELL_START));
        }
        behaviour.strain(&words);
        behaviour.note_changes();
        behaviour
    }

    fn note_changes(&mut self) {
        let files = self.files.iter().map(|(at, _, _)| *at);
        let times = self.listen.into_iter().chain(self.ready).chain(files);
        self.changes = times.collect();
        self.changes.arrange();
        self.changes.dedup();
    }

    /// A script makes a file or removes it, where that is a change.
    fn make(&mut self, at: SimDuration, path: &Arc<str>, there: bool) {
        let mut before = self.files.iter().rev();
        let known = before.find(|(_, file, _)| file == path);
        let same = known.is_some_and(|(_, _, was)| *was == there);
        if !same && self.files.len() < FILES_MAX {
            self.files.push((at, path.clone(), there));
        }
    }

    /// What its script asks next, and when.
    pub fn question(&self) -> Option<(SimDuration, &Question)> {
        let pending = self.question.as_deref()?;
        Some((pending.shell.at, &pending.question))
    }

    /// Nobody waits for the answer any more.
    pub fn forget_question(&mut self) {
        self.question = None;
    }

    /// Its script has its answer and goes on.
    pub fn answered(&mut self, heard: Heard) {
        let Some(pending) = self.question.take() else {
            return;
        };
        let Pending {
            question,
            mut shell,
            program,
            ports,
        } = *pending;
        match (question, heard) {
            (Question::Network(client), Heard::Answer(answer, said)) => {
                shell.answered(&client, answer);
                if let Some(said) = said.filter(|_| shell.is_heard) {
                    keep(&mut self.lines, shell.at, said.into());
                }
            }
            (Question::Line(line), Heard::Done(done)) => {
                let seen = shell.done(&line, done);
                self.print(shell.at, &seen);
            }
            // An answer to another question.
            (Question::Network(_), Heard::Done(_)) | (Question::Line(_), Heard::Answer(..)) => {}
        }
        let before = (self.listen, self.ready, self.files.len());
        self.follow(shell, &program, &ports);
        if before != (self.listen, self.ready, self.files.len()) {
            self.note_changes();
        }
    }

    /// What tools that strain a machine take: `stress` and `stress-ng` with their usual options,
    /// and loops that do nothing but run.
    fn strain(&mut self, words: &[&str]) {
        let flat: Vec<&str> = words
            .iter()
            .flat_map(|word| word.split_whitespace())
            .collect();
        let is_tool = |word: &&str| matches!(word.rsplit('/').next(), Some("stress" | "stress-ng"));
        let Some(at) = flat.iter().position(is_tool) else {
            let text = flat.join(" ");
            let loops = [
                "while true; do :; done",
                "while :; do :; done",
                "yes > /dev/null",
                "cat /dev/zero > /dev/null",
                "dd if=/dev/zero of=/dev/null",
            ];
            if loops.iter().any(|line| text.contains(line)) {
                self.busy = 1;
            }
            return;
        };
        let mut rest = flat[at + 1..].iter();
        let (mut workers, mut bytes) = (0_u64, 256_u64 << 20);
        while let Some(word) = rest.next() {
            let (name, given) = word
                .split_once('=')
                .map_or((*word, None), |(name, value)| (name, Some(value)));
            let mut value = || given.or_else(|| rest.next().copied()).unwrap_or("");
            match name {
                "-c" | "--cpu" => self.busy = value().parse().unwrap_or(1),
                "-m" | "--vm" => workers = value().parse().unwrap_or(1),
                "--vm-bytes" => bytes = stress_bytes(value()).unwrap_or(bytes),
                _ => {}
            }
        }
        if workers > 0 {
            self.memory_bytes = workers.saturating_mul(bytes).min(ADDRESS_SPACE);
            self.busy = self
                .busy
                .saturating_add(u16::try_from(workers).unwrap_or(u16::MAX));
        }
    }

    /// Walks through a script's commands and lays them on the time axis, up to its end or its next
    /// question.
    fn follow(&mut self, mut shell: Shell, program: &Program, ports: &Arc<[u16]>) {
        while let Some(command) = shell.command() {
            let at = shell.at;
            let leaves = |line: &Line| shell.leaves(line) || self.has_own_mount();
            if let Some(line) = command.line.filter(leaves) {
                self.waits_for(Question::Line(line), shell, program, ports);
                return;
            }
            let mut took = SimDuration::ZERO;
            let status = match command.word {
                Word::Program if command.one_shot => {
                    took = ONE_SHOT;
                    Status::Ended(0)
                }
                Word::Program if command.asked => Status::Unknown,
                Word::Unknown | Word::Nested(_) | Word::Timeout(..) | Word::ErrorExit(_) => {
                    Status::Unknown
                }
                Word::Program => match program.run {
                    Run::Exit { after, code } if command.name.is_empty() => {
                        self.run_program(at, program, ports);
                        took = after;
                        Status::Ended(code)
                    }
                    Run::Exit { .. } => {
                        // A tool's image that is told to run something of the user's own.
                        self.run_program(at, &catalogue::stranger(true), ports);
                        return;
                    }
                    Run::Serve | Run::Work => {
                        self.run_program(at, program, ports);
                        return;
                    }
                },
                Word::Ask(client) => {
                    self.waits_for(Question::Network(client), shell, program, ports);
                    return;
                }
                Word::Forever => match shell.left() {
                    Some(left) => {
                        took = left;
                        Status::Ended(0)
                    }
                    None => {
                        self.ready = Some(at);
                        self.go_round(shell);
                        return;
                    }
                },
                Word::Sleep(span) => {
                    took = span;
                    Status::Ended(0)
                }
                Word::Exit(code) => {
                    shell.exit(code);
                    continue;
                }
                Word::Echo(line) if self.open_line.is_empty() && !line.contains('\n') => {
                    keep(&mut self.lines, at, line);
                    Status::Ended(0)
                }
                Word::Echo(line) => {
                    self.print(at, &format!("{line}\n"));
                    Status::Ended(0)
                }
                Word::Files(files) => {
                    for (path, there) in files.iter() {
                        self.make(at, path, *there);
                    }
                    Status::Ended(0)
                }
                Word::Write(path, bytes) => {
                    self.make(at, &path, true);
                    self.writes.push((at, path, bytes));
                    Status::Ended(0)
                }
                Word::Test(path) => Status::Ended(i32::from(!self.has_file(&path, at))),
                Word::Lacks(path) => Status::Ended(i32::from(self.has_file(&path, at))),
                Word::Status(code) => Status::Ended(code),
            };
            shell.ended(status, took);
        }
        if !self.open_line.is_empty() {
            self.print(shell.at, "\n");
        }
        self.end = Some((shell.at, shell.status().code()));
    }

    /// Its script goes on when it has its answer.
    fn waits_for(
        &mut self,
        question: Question,
        shell: Shell,
        program: &Program,
        ports: &Arc<[u16]>,
    ) {
        self.question = Some(Box::new(Pending {
            question,
            shell,
            program: program.clone(),
            ports: ports.clone(),
        }));
    }

    /// Text is printed; a line is seen when it is over.
    fn print(&mut self, at: SimDuration, text: &str) {
        self.open_line += text;
        while let Some((line, rest)) = self.open_line.split_once('\n') {
            let (line, rest) = (Arc::from(line), rest.to_owned());
            keep(&mut self.lines, at, line);
            self.open_line = rest;
        }
        self.printed_bytes += text.len();
        if self.printed_bytes > LOG_MAX {
            self.printed_bytes = 0;
            self.open_line.clear();
            self.lines.clear();
        }
    }

    /// Whether something is mounted where processes keep their own files.
    fn has_own_mount(&self) -> bool {
        self.mounts.iter().any(|mount| lies_in(mount, OWN))
    }

    fn run_program(&mut self, at: SimDuration, program: &Program, ports: &[u16]) {
        self.memory_bytes = program.memory_bytes;
        self.request_cpu = program.request_cpu;
        self.on_stop = program.on_stop;
        self.ready = Some(at + program.ready);
        if matches!(program.run, Run::Serve) {
            self.listen = Some(at + program.listen);
            self.ports = if program.ports.is_empty() {
                sorted(ports)
            } else {
                self.any_but = None;
                program.ports.clone()
            };
        }
        if !program.line.is_empty() {
            self.lines.push((at + program.listen, program.line.clone()));
        }
    }

    /// As [`crate::substrate::Substrate::openness`].
    pub fn openness(&self, program: &Program) -> Option<u8> {
        let listens = self.listen.is_some() && self.any_but.is_some();
        let may = self.question.is_some() && matches!(program.run, Run::Serve);
        let may = may && program.ports.is_empty();
        listens.then_some(0).or(may.then_some(1))
    }

    /// Whether its program takes connections at a port, once it listens.
    pub fn takes(&self, port: u16) -> bool {
        let elsewhere = |but: &Arc<[u16]>| port != 0 && !but.contains(&port);
        let listens = self.listen.is_some();
        self.ports.contains(&port) || listens && self.any_but.as_ref().is_some_and(elsewhere)
    }

    /// The first time after `age` at which the outcome of a check may change by itself.
    pub fn next_change(&self, age: SimDuration) -> Option<SimDuration> {
        self.changes
            .get(self.changes.partition_point(|change| *change <= age))
            .copied()
    }

    /// Whether a file is there: made by the script, mounted, or part of every image.
    fn has_file(&self, path: &str, age: SimDuration) -> bool {
        self.has_file_after(&self.files, path, age)
    }

    /// The same after these of its script's changes.
    fn has_file_after(
        &self,
        changes: &[(SimDuration, Arc<str>, bool)],
        path: &str,
        age: SimDuration,
    ) -> bool {
        let mut made = None;
        for (at, file, present) in changes.iter().chain(&self.by_hand) {
            if *at <= age && file.as_ref() == path && made.is_none_or(|(before, _)| before <= *at) {
                made = Some((*at, *present));
            }
        }
        made.map(|(_, present)| present).unwrap_or_else(|| {
            self.mounts.iter().any(|mount| lies_in(path, mount))
                || in_usual_place(path)
                || self.is_in_image(path).unwrap_or(false)
        })
    }

    /// Whether the image has a file outside the usual directories; none: that is not known.
    fn is_in_image(&self, path: &str) -> Option<bool> {
        let files = self.image_files?;
        Some(files.iter().any(|(file, _)| *file == path))
    }

    /// Whether a program named by its path is surely missing.
    fn lacks_program(&self, name: &str) -> bool {
        name.starts_with('/')
            && self.is_in_image(name) == Some(false)
            && !self.mounts.iter().any(|mount| lies_in(name, mount))
            && !in_usual_place(name)
    }
}

/// Whether what runs is a shell that takes its commands from its input.
fn reads_commands(words: &[&str], program: &Program) -> bool {
    let first = match words {
        [] => &*program.name,
        [first, rest @ ..] if rest.iter().all(|word| word.starts_with('-')) => *first,
        [..] => return false,
    };
    let base = first.rsplit('/').next().unwrap_or_default();
    matches!(base, "sh" | "bash" | "ash" | "dash") && !words.contains(&"-c")
}

/// Bytes as `stress` reads them: with a suffix of `b`, `k`, `m` or `g`.
fn stress_bytes(text: &str) -> Option<u64> {
    let text = text.to_ascii_lowercase();
    let (digits, shift) = match text.as_bytes().last()? {
        b'b' => (&text[..text.len() - 1], 0),
        b'k' => (&text[..text.len() - 1], 10),
        b'm' => (&text[..text.len() - 1], 20),
        b'g' => (&text[..text.len() - 1], 30),
        _ => (text.as_str(), 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// What a process of a 64-bit machine can address, in bytes: no machine has as much.
/// Source: Linux `Documentation/arch/x86/x86_64/mm.rst`.
const ADDRESS_SPACE: u64 = 1 << 47;

/// Memory of a shell and its small commands, in bytes.
const MEMORY_OF_A_SHELL: u64 = 1 << 20;

/// Whether `path` is `place` or below it.
fn lies_in(path: &str, place: &str) -> bool {
    let place = place.strip_suffix('/').unwrap_or(place);
    path.strip_prefix(place)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a path lies in a directory that images come with.
fn in_usual_place(path: &str) -> bool {
    const PLACES: [&str; 10] = [
        "/bin", "/sbin", "/usr", "/opt", "/etc", "/lib", "/dev", "/proc", "/sys", "/app",
    ];
    path == "/" || PLACES.iter().any(|place| lies_in(path, place))
}

fn sorted(ports: &[u16]) -> Arc<[u16]> {
    let mut ports = ports.to_vec();
    ports.arrange();
    ports.dedup();
    ports.into()
}
