//! Messages between the page and the engine. The only serde of the library.
//!
//! One message is one buffer in postcard's format. Types are plain: no maps, no untagged enums, no
//! ids of the engine; strings are made for what is on screen only. A message that cannot be read is
//! an error that the page shows, never a panic. [`VERSION`] is part of the handshake.

pub mod frame;
pub mod recording;
pub mod views;

use serde::{Deserialize, Serialize};

use crate::base::sentence::passage::{Passage, Stretch};
use crate::base::sentence::{Form, Part, Sentence};

pub use frame::{
    DENSE_MACHINES, DENSE_UNITS, DENSITY_CELLS, EventLine, FaultMark, Frame, MachineFrame,
    SeriesFrame, ServiceFrame, StateGroup, Unit, WorldFrame,
};
pub use recording::{Act, Deed, FAULTS, File, Project, Recording, below, is_fault};
use views::{Graph, Loop, Outcome, Picture};

/// Raised with every change of a message's shape.
pub const VERSION: u32 = 14;

/// Longest message that is accepted, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 32 << 20;

/// What the engine says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Said {
    /// A name or a number; where it stands alone, words of the real tools, which speak English.
    Plain(String),
    /// A sentence of Podium's own, which the page has in each of its languages.
    Own {
        /// Which: `said-KEY` of the page's locale files, or the number of a form of the catalogue.
        key: String,
        /// In English, gaps in braces; empty: the page has that, too. What the command line prints as
        /// well comes from here, so that the page need not hold it twice.
        english: String,
        /// What fills its gaps, by their names.
        parts: Vec<(String, Said)>,
    },
}

impl Default for Said {
    fn default() -> Self {
        Self::Plain(String::new())
    }
}

impl From<&str> for Said {
    fn from(text: &str) -> Self {
        Self::Plain(text.to_owned())
    }
}

impl Said {
    /// A sentence of Podium's own with its parts.
    pub fn own<const N: usize>(key: &str, parts: [(&str, Self); N]) -> Self {
        Self::Own {
            key: key.to_owned(),
            english: String::new(),
            parts: parts.map(|(name, part)| (name.to_owned(), part)).into(),
        }
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Plain(text) if text.is_empty())
    }
}

impl From<&Sentence> for Said {
    /// The sentence itself; what to do about it is another.
    fn from(sentence: &Sentence) -> Self {
        let mut parts = sentence.parts().iter().map(|(name, part)| {
            let part = match part {
                Part::Text(text) => Self::Plain(text.clone()),
                Part::Said(inner) => Self::from(inner),
            };
            ((*name).to_owned(), part)
        });
        match sentence.form() {
            Form { number: 0, .. } => parts.next().map_or_else(Self::default, |(_, text)| text),
            Form { number, english } => Self::Own {
                key: number.to_string(),
                english: english.to_owned(),
                parts: parts.collect(),
            },
        }
    }
}

/// What a command wrote, in parts: words of the real tools are plain.
pub fn spoken(passage: &Passage) -> Vec<Said> {
    let parts = passage.stretches().map(|stretch| match stretch {
        Stretch::Text(text) => Said::from(text),
        Stretch::Said(sentence) => match sentence.advice() {
            None => Said::from(sentence),
            Some(advice) => {
                let parts = [("what", sentence.into()), ("advice", advice.into())];
                Said::own("advised", parts)
            }
        },
    });
    parts.collect()
}

/// A question that changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Query {
    /// What can be written at a place.
    Complete {
        /// The file, with the text as it is now.
        file: File,
        /// Offset in UTF-16 units.
        offset: u32,
    },
    /// What the word at a place means.
    Hover {
        /// The file, with the text as it is now.
        file: File,
        /// Offset in UTF-16 units.
        offset: u32,
    },
    /// What is wrong with a file as it is being written, without running it.
    Check(File),
    /// Everything that the tools tell about an object.
    Inspect {
        /// World.
        orchestrator: String,
        /// `kind/name`.
        object: String,
    },
    /// What can follow in a console line.
    Words(String),
    /// What a `watch` line shows now.
    Look(String),
    /// What happens in the run of a scenario.
    Picture(File),
    /// What each control loop saw and did.
    Loops,
    /// What led to an event and what else came of it, as a graph.
    Causes(Why),
    /// What waits for what among the services of the Compose files.
    Dependencies,
    /// How a branch stands at its latest time.
    Outcome(u32),
    /// What was done on a branch, up to its latest time.
    Branch(u32),
    /// What the run amounts to, as `sim metrics -o json` prints it.
    Report,
    /// What runs on one machine of a world that is shown as tiles.
    Machine {
        /// World.
        orchestrator: String,
        /// Machine.
        machine: String,
    },
}

/// The answer to a [`Query`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Nothing is known.
    Nothing,
    /// Words that fit.
    Words {
        /// Where the word to replace begins, in UTF-16 units.
        from: u32,
        /// The words, the likeliest first.
        words: Vec<Word>,
    },
    /// What a stretch of text means.
    Meaning {
        /// Offset of its first character in UTF-16 units.
        from: u32,
        /// Offset after its last.
        to: u32,
        /// In words, a line each.
        lines: Vec<Said>,
    },
    /// What was found in a file.
    Found(Vec<Diagnostic>),
    /// What the tools print.
    Sheets(Vec<Sheet>),
    /// What a console line prints.
    Printed(Box<Printed>),
    /// A run's picture.
    Picture(Picture),
    /// Control loops.
    Loops(Vec<Loop>),
    /// A graph.
    Graph(Graph),
    /// A branch's outcome.
    Outcome(Box<Outcome>),
    /// What was done on a branch.
    Recording(Box<Recording>),
    /// A JSON document.
    Report(String),
    /// What runs on a machine.
    Machine(Box<MachineFrame>),
}

/// A word that fits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// As it is shown.
    pub label: String,
    /// What it is.
    pub detail: Said,
    /// What is written for it.
    pub text: String,
}

/// A console line that was run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Printed {
    /// The line.
    pub line: String,
    /// Standard output.
    pub stdout: String,
    /// Standard output in parts, if Podium itself speaks in it.
    pub said: Vec<Said>,
    /// Standard error in parts.
    pub stderr: Vec<Said>,
    /// Exit code.
    pub code: i32,
    /// When it ended, in microseconds of the run.
    pub at_us: u64,
    /// Objects that the standard output names, in order.
    pub names: Vec<Mention>,
    /// Of a `watch`, the time between two runs in microseconds; zero: it has ended, or is none.
    pub every_us: u64,
    /// Of a `watch`, what was asked for with it.
    pub watch: WatchOptions,
}

/// What a `watch` makes of what differs from its last run. Source: procps `src/watch.c`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchOptions {
    /// Rows of the header above the command's own output, which are not compared.
    pub header_rows: u32,
    /// `-d`: what differs is marked.
    pub differences: bool,
    /// `-d=permanent`: the marks stay.
    pub permanent: bool,
    /// `-g`: the first difference ends the watch.
    pub until_change: bool,
    /// `-q`: runs in a row without a difference that end the watch; 0: none do.
    pub until_equal: u32,
    /// `-b`: this run failed, and beeped.
    pub beeps: bool,
}

/// The name of an object within a text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mention {
    /// Its first byte.
    pub from: u32,
    /// The byte after its last.
    pub to: u32,
    /// World.
    pub orchestrator: String,
    /// `kind/name`.
    pub object: String,
    /// Workload that it belongs to; empty: none.
    pub workload: String,
}

/// A console line and what it prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sheet {
    /// The line.
    pub line: String,
    /// Standard output, or standard error where it failed.
    pub text: String,
}

/// From the page to the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Begin anew with a project.
    Load(Project),
    /// Begin anew and do again what was done.
    Replay(Recording),
    /// Give what a link needs.
    Record,
    /// Answer a question about the present, without changing anything.
    Ask {
        /// Comes back with the answer.
        number: u32,
        /// The question.
        query: Query,
    },
    /// A file was edited: check it and, if the whole input is valid, apply it to the running worlds
    /// now. Otherwise the last valid state goes on.
    Edit {
        /// The editor's revision; comes back with the diagnostics.
        revision: u32,
        /// The file, new or known.
        file: File,
    },
    /// Let time pass: thousandths of simulated seconds for each real second.
    Run {
        /// 1000 is real time.
        speed_milli: u64,
    },
    /// Stop the clock.
    Pause,
    /// Go to a time, in microseconds.
    Seek(u64),
    /// To the next (true) or previous (false) noted event.
    Step(bool),
    /// Open a branch here.
    Fork,
    /// Make a branch the current one.
    Switch(u32),
    /// Break something: `KIND TARGET [at T] [for D]`.
    Inject(String),
    /// Mend one fault or all.
    Heal(Option<u32>),
    /// A console line.
    Console(String),
    /// What the page shows: nothing else is put into frames.
    Watch(View),
    /// The page has drawn the frame with this number.
    Ack(u32),
}

/// What is on screen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// Lines of the event list, the latest before now.
    pub events: u32,
    /// What is explained; none: nothing.
    pub why: Option<Why>,
    /// Points of each chart series at most.
    pub points: u32,
    /// What is taken apart; none: nothing.
    pub anatomy: Option<Target>,
}

/// A machine or a unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// World.
    pub orchestrator: String,
    /// `node/NAME`, or `pod/…`, `task/…`, `container/…`.
    pub object: String,
}

/// A machine or a container taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anatomy {
    /// As it was asked for.
    pub object: String,
    /// The machine.
    pub machine: String,
    /// Release of the kernel that its processes run on.
    pub kernel: String,
    /// Name of its runtime; empty: a machine.
    pub runtime: String,
    /// Control groups, each followed by those below it.
    pub groups: Vec<GroupLine>,
    /// Namespaces of its first process.
    pub spaces: Vec<SpaceLine>,
    /// Processes that it sees.
    pub processes: Vec<ProcessLine>,
    /// Lines of `mount`: layers of the root file system among them.
    pub mounts: Vec<String>,
    /// Lines of `ip -br addr`.
    pub interfaces: Vec<String>,
    /// Lines of `ip route`.
    pub routes: Vec<String>,
    /// `iptables-save` of its network; empty for a network without rules.
    pub rules: String,
}

/// A control group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupLine {
    /// Levels above it.
    pub depth: u32,
    /// Its directory; the first one with its whole path.
    pub name: String,
    /// Files and what they say.
    pub values: Vec<(String, String)>,
    /// CPU that it gets now, in thousandths.
    pub cpu_milli: u64,
    /// Its quota, in thousandths of a CPU; `u64::MAX`: none.
    pub cpu_limit_milli: u64,
    /// Memory that it uses.
    pub memory_bytes: u64,
    /// Its limit; `u64::MAX`: none.
    pub memory_limit_bytes: u64,
    /// Tasks in it and below.
    pub pids: u64,
    /// Its limit; `u64::MAX`: none.
    pub pids_limit: u64,
}

/// A namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpaceLine {
    /// `mnt`, `net`, …
    pub kind: String,
    /// Its number.
    pub inode: u32,
    /// Whether it is another than the machine's.
    pub own: bool,
}

/// A process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessLine {
    /// Number as it is seen from there.
    pub pid: u32,
    /// Number on the machine.
    pub host_pid: u32,
    /// Command line.
    pub command: String,
    /// Memory.
    pub memory_bytes: u64,
    /// `oom_score_adj`.
    pub oom_score_adj: i32,
}

/// Whose causal chain is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// World.
    pub orchestrator: String,
    /// The event's number; zero: the latest event of `object`.
    pub seq: u64,
    /// `kind/name`; the line to end at where an event left several.
    pub object: String,
}

/// From the engine to the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// The engine runs.
    Ready {
        /// Its protocol.
        version: u32,
    },
    /// What the input's check found. Sent after `Load` and after every `Edit`.
    Checked {
        /// The editor's revision; zero after `Load`.
        revision: u32,
        /// Diagnostics of all files.
        diagnostics: Vec<Diagnostic>,
        /// Fields that no loop reads.
        not_modelled: Vec<String>,
        /// Whether the worlds run this very input (false: the last valid one).
        applied: bool,
        /// What applying printed, in parts.
        output: Vec<Said>,
        /// Whether the worlds began anew at time zero.
        restarted: bool,
        /// What applying made of each object.
        changes: Vec<Change>,
    },
    /// The worlds at one time.
    Frame(Box<Frame>),
    /// What a console line printed.
    Output(Box<Printed>),
    /// The experiment with all that was done to it.
    Recorded(Box<Recording>),
    /// The answer to a question.
    Answer {
        /// The question's number.
        number: u32,
        /// The answer.
        answer: Answer,
    },
    /// A request cannot be carried out: why, and what would be right.
    Refused(Vec<Said>),
    /// The engine has stopped; everything needed to reproduce it.
    Fatal(String),
}

/// What applying an edit made of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// World.
    pub orchestrator: String,
    /// `kind/name`.
    pub object: String,
    /// `created`, `configured` or `updated`.
    pub word: String,
    /// Versions of an updated service, before and now.
    pub versions: (u64, u64),
    /// Who wrote; empty: the world keeps no owners.
    pub manager: String,
    /// Fields, where the world tells their owners.
    pub fields: Vec<FieldLine>,
    /// Else the difference of two texts.
    pub text: String,
}

/// A field of an object that was applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldLine {
    /// `.spec.replicas`.
    pub path: String,
    /// `added`, `changed`, `overwrote`, `removed` or `kept`.
    pub fate: String,
    /// Value before; empty: none.
    pub before: String,
    /// Value now; empty: none.
    pub after: String,
    /// Managers that owned it before.
    pub owners: Vec<String>,
}

/// A finding at a place of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// File.
    pub file: String,
    /// Offset of its first character in UTF-16 units.
    pub from: u32,
    /// Offset after its last.
    pub to: u32,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// `error`, `warning` or `info`.
    pub severity: String,
    /// Stable code.
    pub code: String,
    /// What is wrong.
    pub message: Said,
    /// What to do.
    pub help: Option<Said>,
    /// An edit that would mend it.
    pub fix: Option<TextEdit>,
}

/// A replacement of text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextEdit {
    /// Offset of the first replaced character in UTF-16 units.
    pub from: u32,
    /// Offset after the last.
    pub to: u32,
    /// What comes there.
    pub text: String,
}

/// Writes a message.
///
/// # Panics
/// Never for these types: postcard fails for maps of unknown length only.
pub fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    postcard::to_allocvec(message).expect("plain messages can always be written")
}

/// Reads a message.
///
/// # Errors
/// A sentence for a message that is too long, of another version or damaged.
pub fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(format!(
            "a message of {} bytes is longer than {MESSAGE_BYTES_MAX}",
            bytes.len()
        ));
    }
    postcard::from_bytes(bytes).map_err(|error| format!("a message cannot be read: {error}"))
}
