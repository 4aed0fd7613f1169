//! What makes an experiment, and what a person did to it: what links and the page's memory hold.

use serde::{Deserialize, Serialize};

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
