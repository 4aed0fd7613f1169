//! Messages between the page and the engine. The only serde of the library.
//!
//! One message is one buffer in postcard's format. Types are plain: no maps, no untagged enums, no
//! ids of the engine; strings are made for what is on screen only. A message that cannot be read is
//! an error that the page shows, never a panic. [`VERSION`] is part of the handshake.

pub mod views;

use serde::{Deserialize, Serialize};

use crate::base::sentence::passage::{Passage, Stretch};
use crate::base::sentence::{Form, Part, Sentence};

use views::{Graph, Loop, Outcome, Picture};

/// Raised with every change of a message's shape.
pub const VERSION: u32 = 13;

/// Machines above which a world is shown as tiles: frames then count replicas instead of naming them.
pub const DENSE_MACHINES: usize = 200;

/// Replicas, wanted or there, above which it is, too.
pub const DENSE_UNITS: u32 = 2_000;

/// Stretches of time for which the events are counted.
pub const DENSITY_CELLS: usize = 120;

/// Longest message that is accepted, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 32 << 20;

/// What the engine says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Said {
    /// A name or a number; where it stands alone, words of the real tools, which speak English.
    Plain(String),
    /// A sentence of Podium's own, which the page has in each of its languages.
    Own {
        /// Which: `said-KEY` of the page's locale files.
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
            Form { key: "", .. } => parts.next().map_or_else(Self::default, |(_, text)| text),
            Form { key, english } => Self::Own {
                key: key.to_owned(),
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

/// A file of the project: an editor's tab or a mounted file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Name, with directories.
    pub name: String,
    /// Text.
    pub text: String,
}

/// Everything that makes an experiment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Files; what each is, is detected as on the command line.
    pub files: Vec<File>,
    /// Worker machines.
    pub nodes: u32,
    /// Seed.
    pub seed: u64,
    /// Faults as on the command line: `KIND TARGET at T [for D]`.
    pub faults: Vec<String>,
    /// How far the experiment goes, in microseconds of simulated time.
    pub length_us: u64,
}

/// Something that a person did to a running experiment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deed {
    /// A file's text was applied.
    Edit(File),
    /// Something was broken: `KIND TARGET [for D]`.
    Inject(String),
    /// One fault or all were mended.
    Heal(Option<u32>),
    /// A console line.
    Console(String),
}

/// A deed at its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// Time of the run, in microseconds.
    pub at_us: u64,
    /// What was done.
    pub deed: Deed,
}

/// A whole experiment with what was done to it: enough to come to the same state again. Links hold
/// it: its shape, and that of what it is made of, never changes; another shape is another version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// As it began.
    pub project: Project,
    /// What was done on the current branch, in order.
    pub acts: Vec<Act>,
    /// The time shown, in microseconds.
    pub at_us: u64,
}

/// Name under which the fault script is edited, and findings about it are shown: a fault a line.
pub const FAULTS: &str = "faults";

impl Recording {
    /// The fault script: the faults that were planned, comments and empty lines among them, and those
    /// that were injected, each at its time.
    pub fn script(&self) -> Vec<String> {
        below(&self.project.faults, &self.injected())
    }

    /// The faults that were injected, as lines of the script.
    pub fn injected(&self) -> Vec<String> {
        self.acts.iter().filter_map(Act::scripted).collect()
    }
}

/// A script with more lines below the last that says something.
pub fn below(script: &[String], more: &[String]) -> Vec<String> {
    let mut lines = script.to_vec();
    while !more.is_empty() && lines.last().is_some_and(|line| line.trim().is_empty()) {
        lines.pop();
    }
    lines.extend_from_slice(more);
    lines
}

impl Act {
    /// An injected fault as a line of the script.
    pub fn scripted(&self) -> Option<String> {
        let Deed::Inject(text) = &self.deed else {
            return None;
        };
        if text.contains(" at ") {
            return Some(text.clone());
        }
        let (seconds, rest) = (self.at_us / 1_000_000, self.at_us % 1_000_000);
        let at = match rest {
            0 => format!("at {seconds}s"),
            _ if rest % 1_000 == 0 => format!("at {seconds}.{:03}s", rest / 1_000),
            _ => format!("at {}us", self.at_us),
        };
        Some(match text.split_once(" for ") {
            Some((what, long)) => format!("{what} {at} for {long}"),
            None => format!("{text} {at}"),
        })
    }
}

/// Whether a line of the script is a fault, not a comment.
pub fn is_fault(line: &str) -> bool {
    !line.trim().is_empty() && !line.trim_start().starts_with('#')
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

/// The worlds at one time, as far as the view shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Number, from 1; the page acknowledges it.
    pub number: u32,
    /// Simulated time in microseconds.
    pub now_us: u64,
    /// The latest time that the branch has been run to.
    pub tip_us: u64,
    /// Where the clock stops by itself.
    pub length_us: u64,
    /// Whether the clock runs.
    pub playing: bool,
    /// Whether the engine is still on its way to a time that was asked for.
    pub seeking: bool,
    /// Speed asked for, in thousandths of simulated seconds for each real second.
    pub speed_milli: u64,
    /// Fingerprint of the lab at this time: `sim hash`.
    pub hash: String,
    /// Branches; the current one's index.
    pub branches: Vec<String>,
    /// Index of the current branch.
    pub branch: u32,
    /// One for each world, in the order Kubernetes, Swarm, Compose.
    pub worlds: Vec<WorldFrame>,
    /// The latest events before now, oldest first.
    pub events: Vec<EventLine>,
    /// Faults and their times, for marks on the time axis.
    pub faults: Vec<FaultMark>,
    /// The causal chain asked for, oldest first.
    pub why: Vec<EventLine>,
    /// What was asked to be taken apart; none: nothing, or it is not there.
    pub anatomy: Option<Box<Anatomy>>,
    /// How many events were noted in each world, under its orchestrator's name, in each of
    /// [`DENSITY_CELLS`] equal stretches of the length.
    pub density: Vec<(String, Vec<u32>)>,
}

/// One orchestrator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorldFrame {
    /// `kubernetes`, `swarm` or `compose`.
    pub orchestrator: String,
    /// Machines in the order in which they were added.
    pub machines: Vec<MachineFrame>,
    /// Replicas that have no machine; of a dense world the first ones.
    pub unplaced: Vec<Unit>,
    /// How many replicas have no machine.
    pub waiting: u32,
    /// Whether there is too much to be named: more than [`DENSE_MACHINES`] or [`DENSE_UNITS`].
    pub dense: bool,
    /// Services with their present figures.
    pub services: Vec<ServiceFrame>,
    /// Chart series.
    pub series: Vec<SeriesFrame>,
    /// Whether nothing is left to do.
    pub converged: bool,
    /// What came of the first fault, or of the run.
    pub mechanism: Said,
    /// Who did what on the way there, in order.
    pub steps: Vec<Said>,
    /// Events handled so far.
    pub events: u64,
}

/// One machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineFrame {
    /// Name.
    pub name: String,
    /// Whether it has power.
    pub powered: bool,
    /// The orchestrator's own word for its state: `Ready`, `NotReady`, `Down`; empty: it keeps none.
    pub state: String,
    /// Whether it carries the control plane or is a manager.
    pub control: bool,
    /// Requested or reserved CPU, in thousandths of its capacity.
    pub cpu_permille: u32,
    /// Requested or reserved memory, in thousandths of its capacity.
    pub memory_permille: u32,
    /// What runs or ran there; empty in a dense world, see `counts`.
    pub units: Vec<Unit>,
    /// In such a world, how many replicas are in each state group, in the groups' order.
    pub counts: [u32; 7],
}

/// A replica: a pod, a task, a container, in its own world's word.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// `pod`, `task` or `container`.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Workload that it belongs to.
    pub workload: String,
    /// One of the palette's seven state groups.
    pub group: StateGroup,
    /// The orchestrator's own word: `Running`, `ContainerCreating`, `Terminating`, `preparing` …
    pub state: String,
}

/// The palette's state groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum StateGroup {
    /// Running and ready.
    Ready,
    /// On its way.
    Progressing,
    /// Waits for a machine.
    #[default]
    Pending,
    /// Is being stopped.
    Terminating,
    /// Failed, crashed, cannot be pulled.
    Failed,
    /// Its machine is lost: nobody knows.
    Unknown,
    /// Ended well.
    Completed,
}

/// A service's figures now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceFrame {
    /// Name.
    pub name: String,
    /// Replicas wanted; none of a service of other workloads' replicas.
    pub desired: Option<u32>,
    /// Replicas that the control plane believes ready.
    pub ready: u32,
    /// Replicas that really serve.
    pub serving: u32,
    /// Share of requests answered now, in millionths; `u32::MAX`: nobody asks.
    pub answered_ppm: u32,
    /// Share answered since the first answer, in millionths; `u32::MAX`: none yet.
    pub availability_ppm: u32,
}

/// A chart series: each point holds until the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesFrame {
    /// Workload.
    pub name: String,
    /// Times in microseconds.
    pub at_us: Vec<u64>,
    /// Replicas wanted.
    pub desired: Vec<u32>,
    /// Replicas ready.
    pub ready: Vec<u32>,
    /// Share of requests answered, in millionths; `u32::MAX`: nobody asks.
    pub answered_ppm: Vec<u32>,
}

/// One line of the trace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventLine {
    /// World.
    pub orchestrator: String,
    /// Time in microseconds.
    pub at_us: u64,
    /// The event's number in its world.
    pub seq: u64,
    /// Who.
    pub source: String,
    /// Did what.
    pub verb: String,
    /// To what, `kind/name`.
    pub subject: String,
    /// The rest.
    pub detail: String,
    /// Timer or rule that made it wait, with its value; empty: none.
    pub rule: String,
}

/// A fault on the time axis.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultMark {
    /// Number in its world.
    pub number: u32,
    /// World.
    pub orchestrator: String,
    /// `KIND TARGET`.
    pub text: String,
    /// Line of the fault script that says it, from 0; `u32::MAX`: none does.
    pub line: u32,
    /// Time it was asked for, in microseconds; `u64::MAX`: at once.
    pub at_us: u64,
    /// When it will end by itself, in microseconds; `u64::MAX`: it will not.
    pub until_us: u64,
    /// Machines that it hit.
    pub machines: Vec<String>,
    /// Whether it is in force.
    pub active: bool,
    /// Begin in microseconds; `u64::MAX`: not yet.
    pub begun_us: u64,
    /// End in microseconds; `u64::MAX`: not yet.
    pub ended_us: u64,
    /// Whether this world has such a target.
    pub applicable: bool,
    /// When the control plane noticed; `u64::MAX`: it has not.
    pub detected_us: u64,
    /// Since when every service serves as before; `u64::MAX`: not yet.
    pub recovered_us: u64,
}

impl FaultMark {
    /// When it began, or is to begin, in microseconds; none: it was asked for at once and has not begun.
    pub fn begins_us(&self) -> Option<u64> {
        let times = [self.begun_us, self.at_us];
        times.into_iter().find(|at| *at != u64::MAX)
    }
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
