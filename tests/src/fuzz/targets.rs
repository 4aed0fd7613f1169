//! What is fed: each reader of outside text, with words of its grammar and an oracle where there is
//! one (what is printed reads back, a difference applied gives the other side).

pub mod readers;
pub mod sessions;
pub mod words;

use readers::{compose, manifest, patches, paths, schema, selectors};
use sessions::{lines, message, play};

/// Stands between the parts of an input.
pub const SPLIT: &str = "\n%%\n";

/// Lines of one input that are run.
const LINES_MAX: usize = 6;

/// A reader of outside text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Manifests: YAML, decoding, validation, printing, the editor's questions.
    Yaml,
    /// Compose and stack files, and their canonical form.
    Compose,
    /// JSON, merge and strategic patches.
    Patch,
    /// Label selectors, field selectors, quantities, schedules, regular expressions.
    Selector,
    /// JSONPath templates, custom columns, Go templates of docker.
    Jsonpath,
    /// Schemas of custom resources and objects judged by them.
    Schema,
    /// Lines of kubectl.
    Kubectl,
    /// Lines of docker.
    Docker,
    /// Lines on a machine.
    Host,
    /// Lines of the simulation.
    Sim,
    /// Scenario files with faults.
    Scenario,
    /// Messages to the engine, as links carry them.
    Message,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Yaml,
        Self::Compose,
        Self::Patch,
        Self::Selector,
        Self::Jsonpath,
        Self::Schema,
        Self::Kubectl,
        Self::Docker,
        Self::Host,
        Self::Sim,
        Self::Scenario,
        Self::Message,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Yaml => "yaml",
            Self::Compose => "compose",
            Self::Patch => "patch",
            Self::Selector => "selector",
            Self::Jsonpath => "jsonpath",
            Self::Schema => "schema",
            Self::Kubectl => "kubectl",
            Self::Docker => "docker",
            Self::Host => "host",
            Self::Sim => "sim",
            Self::Scenario => "scenario",
            Self::Message => "message",
        }
    }

    /// The target of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.name() == name)
    }

    /// Runs one input. What comes back is what the engine said.
    pub fn run(self, input: &[u8]) -> String {
        let text = String::from_utf8_lossy(input);
        match self {
            Self::Yaml => manifest(&text),
            Self::Compose => compose(&text),
            Self::Patch => patches(&text),
            Self::Selector => selectors(&text),
            Self::Jsonpath => paths(&text),
            Self::Schema => schema(&text),
            Self::Kubectl | Self::Docker | Self::Host | Self::Sim => lines(self.name(), &text),
            Self::Scenario => play(&text),
            Self::Message => message(input),
        }
    }
}
