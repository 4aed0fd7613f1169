//! From files and options to a session that is ready to run: detection, checking, machines, and the
//! command lines that deploy what was given.

mod deploy;
mod overlay;
mod read;
mod worlds;

pub use deploy::quoted;

use std::sync::Arc;

use crate::api::node::NodeSetup;
use crate::base::rng::Seed;
use crate::base::sentence::Sentence;
use crate::base::sorted::SortedMap;
use crate::engine::command::{FaultSpec, MachineSpec, Orchestrator};
use crate::engine::history::History;
use crate::manifest::detect::{self, Wishes};
use crate::manifest::diagnostic::{Diagnostic, Severity};
use crate::manifest::lines::Source;
use crate::manifest::scalar::Dialect;
use crate::manifest::value::Value;

use super::cluster::{self, Cluster};
use super::scenario::{self, Scenario};
use super::{Session, sim};
use deploy::Deployment;
use read::Reading;

/// Name under which a stack or a Compose project is deployed.
pub const PROJECT: &str = "app";

/// What a person brings.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// Files by name.
    pub files: Vec<(String, Arc<str>)>,
    /// The stack file's name, if it was named.
    pub stack: Option<String>,
    /// The Compose files' names, if they were named.
    pub compose: Vec<String>,
    /// The folder of the overlay that is meant, relative to the files.
    pub overlay: Option<String>,
    /// Only this orchestrator.
    pub only: Option<Orchestrator>,
    /// Worker machines.
    pub nodes: u32,
    /// Managers of Swarm, `control-1` to `control-N`.
    pub managers: u32,
    /// What each worker has.
    pub worker: MachineSpec,
    /// Seed.
    pub seed: Seed,
    /// Faults to come.
    pub faults: Vec<FaultSpec>,
    /// Whether manifests are applied by the server (`kubectl apply --server-side`).
    pub server_side: bool,
    /// Component flags.
    pub settings: Vec<(String, String)>,
    /// Variables for interpolation.
    pub environment: SortedMap<String, String>,
    /// Choices that go another way than by default, by the orchestrator's name and their ordinal.
    pub choices: SortedMap<&'static str, SortedMap<u64, u32>>,
    /// Whether the run keeps a list of its choices.
    pub record_choices: bool,
}

impl Experiment {
    /// Three workers of 4 CPU and 8 GiB, nothing to run.
    pub fn new(seed: Seed) -> Self {
        Self {
            files: Vec::new(),
            stack: None,
            compose: Vec::new(),
            overlay: None,
            only: None,
            nodes: 3,
            managers: 1,
            worker: MachineSpec {
                name: "worker".into(),
                milli_cpu: 4_000,
                memory_bytes: 8 << 30,
                zone: "".into(),
                extended: Vec::new(),
                profile: Default::default(),
                subnet: None,
                setup: NodeSetup::default(),
            },
            seed,
            faults: Vec::new(),
            server_side: false,
            settings: Vec::new(),
            environment: SortedMap::new(),
            choices: SortedMap::new(),
            record_choices: false,
        }
    }
}

/// A field that is valid, kept, and acted upon by no loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotModelled {
    /// File.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// `Kind/name` or `service NAME`.
    pub object: String,
    /// Field path.
    pub path: String,
}

/// A checked experiment.
#[derive(Debug)]
pub struct Opened {
    /// Machines stand, settings are made; nothing is deployed.
    pub session: Session,
    /// The scenario's script, if the input was a scenario.
    pub script: Option<String>,
    /// The scenario, if the input was one.
    pub scenario: Option<Scenario>,
    /// What no loop reads.
    pub not_modelled: Vec<NotModelled>,
    /// Cores of a worker, in thousandths.
    pub worker_milli_cpu: i64,
    deployments: Vec<Deployment>,
    objects: Vec<Value>,
    sources: Vec<Source>,
    found: Vec<Diagnostic>,
    faults: Vec<FaultSpec>,
}

impl Opened {
    /// Diagnostics with their sources, in file order.
    pub fn diagnostics(&self) -> impl Iterator<Item = (&Source, &Diagnostic)> {
        self.found.iter().filter_map(|diagnostic| {
            let source = self
                .sources
                .iter()
                .find(|source| source.name == diagnostic.file)?;
            Some((source, diagnostic))
        })
    }

    /// Whether the input can be run.
    pub fn valid(&self) -> bool {
        self.found
            .iter()
            .all(|diagnostic| diagnostic.severity != Severity::Error)
    }

    /// Number of files.
    pub fn files(&self) -> usize {
        self.sources.len()
    }

    /// The Kubernetes objects of the input.
    pub fn objects(&self) -> impl Iterator<Item = &Value> {
        self.objects.iter()
    }

    /// The not-modelled list for people; empty if there is nothing on it.
    pub fn not_modelled_text(&self) -> String {
        if self.not_modelled.is_empty() {
            return String::new();
        }
        let mut text = String::from("accepted and kept, but not modelled:\n");
        for field in &self.not_modelled {
            text.push_str(&format!(
                "  {}:{}: {} {}\n",
                field.file, field.line, field.object, field.path
            ));
        }
        text
    }
}

/// Checks an experiment and builds its session.
///
/// # Errors
/// A sentence for what is no file's fault: unknown machines in faults, unknown settings, ambiguous
/// candidates, a bad scenario.
pub fn open(experiment: &Experiment) -> Result<Opened, Sentence> {
    let (described, rest): (Vec<_>, Vec<_>) = experiment
        .files
        .iter()
        .partition(|(name, _)| name == cluster::FILE);
    if let [(name, text)] = rest.as_slice()
        && scenario::is_scenario(name)
    {
        let parsed =
            scenario::parse(text).map_err(|(line, what)| what.at(format!("{name}:{line}")))?;
        return open_scenario(experiment, name, parsed);
    }
    let mut own = experiment.clone();
    let mut said = Cluster::default();
    let mut wrong = Vec::new();
    let described = described
        .first()
        .map(|(name, text)| Source::new(name, text));
    if let Some(source) = &described {
        own.files.retain(|(name, _)| name != cluster::FILE);
        (said, wrong) = cluster::file(source, &mut own);
        if !said.machines.is_empty() {
            own.nodes = 0;
        }
    }
    let experiment = &own;
    let files: Vec<(String, Arc<str>)> = rest
        .into_iter()
        .filter(|(name, _)| !scenario::is_scenario(name))
        .cloned()
        .collect();
    let named: Vec<(Arc<str>, Arc<str>)> = files
        .iter()
        .map(|(name, text)| (name.as_str().into(), text.clone()))
        .collect();
    let compose: Vec<&str> = experiment.compose.iter().map(String::as_str).collect();
    let (inputs, problems) = detect::detect(
        &named,
        Wishes {
            stack: experiment.stack.as_deref(),
            compose: &compose,
        },
    );
    let (mut inputs, mut problems) = (inputs, problems);
    let overlay = overlay::take(experiment, &files, &mut inputs, &mut problems);
    problems.extend(unreadable(&inputs.files));
    problems.extend(wrong);
    let mut read = Reading::new(experiment, &files, problems);
    read.inputs(&inputs, overlay.as_deref());
    let mut opened = build(experiment, read, None, said.machines)?;
    opened.sources.extend(described);
    // Findings about the choice of files refer to files that may not have been taken.
    for (name, text) in &files {
        if !opened.sources.iter().any(|source| *source.name == **name) {
            opened.sources.push(Source::new(name, text));
        }
    }
    Ok(opened)
}

/// What is wrong, as YAML, with files that nothing else will read: a manifest that is broken before
/// its first key is recognised as none, and must not be passed over in silence.
fn unreadable(files: &[Source]) -> Vec<Diagnostic> {
    files
        .iter()
        .filter(|source| {
            [".yaml", ".yml"]
                .iter()
                .any(|ending| source.name.ends_with(ending))
        })
        .flat_map(|source| crate::manifest::decode::documents(source, Dialect::Compose).1)
        .filter(|problem| problem.severity == Severity::Error)
        .collect()
}

fn open_scenario(
    experiment: &Experiment,
    name: &str,
    parsed: Scenario,
) -> Result<Opened, Sentence> {
    let mut own = experiment.clone();
    let mut said = Cluster::default();
    for (line, text) in &parsed.cluster {
        cluster::line(text, &mut own, &mut said)
            .map_err(|(_, sentence)| sentence.at(format!("{name}:{line}")))?;
    }
    let Cluster {
        machines,
        orchestrators: mut only,
    } = said;
    if !machines.is_empty() {
        own.nodes = 0;
    }
    if only.is_empty() {
        only = experiment
            .only
            .map_or_else(|| Orchestrator::ALL.to_vec(), |only| vec![only]);
    }
    // Its files are deployed by its script.
    let read = Reading::new(&own, &parsed.files, Vec::new());
    let mut opened = build(&own, read, Some(&only), machines)?;
    opened.script = parsed.script.clone();
    opened.scenario = Some(parsed);
    Ok(opened)
}

/// Puts together what was read of the files and a session for it. `forced`: the orchestrators, whatever
/// the files say.
fn build(
    experiment: &Experiment,
    read: Reading<'_>,
    forced: Option<&[Orchestrator]>,
    own_machines: Vec<MachineSpec>,
) -> Result<Opened, Sentence> {
    let orchestrators = match forced {
        Some(forced) => forced.to_vec(),
        None => read.orchestrators()?,
    };
    let mut lab = super::lab(&orchestrators, experiment.seed);
    worlds::choices(&mut lab, experiment);
    worlds::settings(&mut lab, experiment)?;
    let mut session = Session::new(History::new(lab));
    worlds::machines(&mut session, experiment);
    worlds::add(&mut session, own_machines);
    for (name, text) in read.files {
        session.files.insert(name.clone(), text.clone());
    }
    session.environment = experiment.environment.clone();
    for fault in &experiment.faults {
        sim::check_target(session.history.lab(), fault)?;
    }
    Ok(Opened {
        session,
        script: None,
        scenario: None,
        not_modelled: read.not_modelled,
        worker_milli_cpu: experiment.worker.milli_cpu,
        deployments: read.deployments,
        objects: read.objects,
        sources: read.sources,
        found: read.found,
        faults: experiment.faults.clone(),
    })
}

#[cfg(test)]
mod tests;
