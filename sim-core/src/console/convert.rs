//! Drafts of one orchestrator's files from another's, with a list of what could not be carried.
//!
//! ```text
//! Compose, stack ─ services ─┐            ┌─ kubernetes
//!                            ├─ Workload ─┼─ stack
//! Kubernetes ────── kube ────┘            └─ compose
//! ```
//! The choices follow Kompose where it has one; where the two sides mean different things the draft
//! takes the nearest and says so.

pub mod kube;
pub mod services;
pub mod write;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::sorted::SortedMap;
use crate::manifest::detect::{self, Wishes};
use crate::manifest::diagnostic::{Diagnostic, Severity};
use crate::manifest::lines::Source;
use crate::manifest::value::Value;

/// What is drafted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Deployments, Jobs, Services and claims.
    Kubernetes,
    /// A stack file.
    Stack,
    /// A Compose file.
    Compose,
}

impl Target {
    /// The target of this name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "kubernetes" => Some(Self::Kubernetes),
            "stack" => Some(Self::Stack),
            "compose" => Some(Self::Compose),
            _ => None,
        }
    }
}

/// Something that the draft does not say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lost {
    /// File.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// What is written there.
    pub what: String,
    /// Why it is not carried over, or what stands in its place.
    pub why: String,
}

/// A draft.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// YAML.
    pub text: String,
    /// What it does not say, in order of place.
    pub lost: Vec<Lost>,
    /// Errors of the input, with their sources; then there is no text.
    pub problems: Vec<(Source, Diagnostic)>,
}

/// A thing that runs, in terms that all three share.
#[derive(Clone, Debug, Default)]
pub struct Workload {
    /// Name.
    pub name: String,
    /// Image.
    pub image: String,
    /// Entry point.
    pub entrypoint: Option<Vec<String>>,
    /// Command.
    pub command: Option<Vec<String>>,
    /// Variables.
    pub environment: SortedMap<String, String>,
    /// Ports.
    pub ports: Vec<Port>,
    /// Replicas.
    pub replicas: u32,
    /// What kind of work it is.
    pub course: Course,
    /// How its health is asked for.
    pub check: Option<Check>,
    /// CPU that it may use and that is reserved, thousandths.
    pub cpu: (Option<u64>, Option<u64>),
    /// Memory that it may use and that is reserved, bytes.
    pub memory: (Option<u64>, Option<u64>),
    /// Mounts.
    pub mounts: Vec<Mount>,
    /// Other names under which it is found.
    pub aliases: Vec<String>,
    /// Labels.
    pub labels: SortedMap<String, String>,
    /// Keys of `deploy` that only Swarm reads, in canonical form.
    pub deploy: Vec<(&'static str, Value)>,
}

/// What kind of work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Course {
    /// Runs for ever.
    #[default]
    Forever,
    /// One on every machine.
    Everywhere,
    /// Runs until it has ended well.
    Once,
}

/// A port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// In the container.
    pub target: u16,
    /// Outside, if it is open to the outside.
    pub published: Option<u16>,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: &'static str,
}

/// A health check.
#[derive(Clone, Debug)]
pub struct Check {
    /// What is run.
    pub test: Test,
    /// Seconds between two.
    pub interval_s: u64,
    /// Seconds after which it has failed.
    pub timeout_s: u64,
    /// Failures in a row.
    pub retries: u32,
    /// Seconds at the start in which failures do not count.
    pub start_s: u64,
}

/// What a check runs.
#[derive(Clone, Debug)]
pub enum Test {
    /// A command.
    Command(Vec<String>),
    /// A line for a shell.
    Shell(String),
    /// GET of a path at a port.
    Http(u16, String),
    /// A connection to a port.
    Tcp(u16),
}

/// A mount of a volume or of memory.
#[derive(Clone, Debug)]
pub struct Mount {
    /// Volume; empty: memory.
    pub volume: String,
    /// Path in the container.
    pub target: String,
    /// Whether it is read-only.
    pub read_only: bool,
}

/// Drafts `target` from whatever else is among the files.
///
/// # Errors
/// That there is nothing to draft from.
pub fn convert(target: Target, files: &[(String, Arc<str>)]) -> Result<Draft, String> {
    let named: Vec<(Arc<str>, Arc<str>)> = files
        .iter()
        .map(|(name, text)| (name.as_str().into(), text.clone()))
        .collect();
    let wishes = Wishes {
        stack: None,
        compose: &[],
    };
    let (inputs, _) = detect::detect(&named, wishes);
    let others = |path: &str| {
        let path = path.strip_prefix("./").unwrap_or(path);
        files
            .iter()
            .find(|(name, _)| name == path)
            .map(|(_, text)| text.clone())
    };
    let stack = inputs.stack.iter().cloned().collect::<Vec<_>>();
    let (mut draft, workloads) = if target != Target::Compose && !inputs.compose.is_empty() {
        services::read(&inputs.compose, target, false, &others)
    } else if target != Target::Stack && !stack.is_empty() {
        services::read(&stack, target, true, &others)
    } else if target != Target::Kubernetes && !inputs.kube.is_empty() {
        kube::read(&inputs.kube, target)
    } else {
        return Err(format!(
            "nothing to draft {} from: give a {} file",
            match target {
                Target::Kubernetes => "Kubernetes manifests",
                Target::Stack => "a stack file",
                Target::Compose => "a Compose file",
            },
            match target {
                Target::Kubernetes => "Compose or stack",
                Target::Stack => "Compose file or Kubernetes",
                Target::Compose => "stack file or Kubernetes",
            }
        ));
    };
    // Advice about running the input is not about the draft.
    draft
        .problems
        .retain(|(_, problem)| problem.severity == Severity::Error);
    if draft.problems.is_empty() {
        draft.text = write::text(&workloads, target);
    }
    draft.lost.arrange();
    draft.lost.dedup();
    Ok(draft)
}
