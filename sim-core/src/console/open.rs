//! From files and options to a session that is ready to run: detection, checking, machines, and the
//! command lines that deploy what was given.

mod deploy;
mod overlay;
mod worlds;

pub use deploy::quoted;

use std::sync::Arc;

use crate::api::node::NodeSetup;
use crate::base::rng::Seed;
use crate::base::sentence::{Sentence, catalogue};
use crate::base::sorted::{SortedMap, SortedSet};
use crate::engine::command::{FaultSpec, MachineSpec, Orchestrator};
use crate::engine::history::History;
use crate::engine::lab::Lab;
use crate::kube::apiserver::BUILT_IN_NAMESPACES;
use crate::kube::kinds;
use crate::manifest::compose::loaded::Variables;
use crate::manifest::compose::project::{Setting, load_compose};
use crate::manifest::compose::stack::load_stack;
use crate::manifest::decode::kube::kinds::group;
use crate::manifest::decode::kube::{KubeObject, decode_kube};
use crate::manifest::detect::{self, Inputs, Wishes};
use crate::manifest::diagnostic::{Diagnostic, Severity};
use crate::manifest::explain;
use crate::manifest::lines::{Source, Sources, Span};
use crate::manifest::scalar::Dialect;
use crate::manifest::value::Value;

use super::cluster::{self, Cluster};
use super::scenario::{self, Scenario};
use super::{Session, images, sim};
use deploy::Deployment;

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
    let taken = (inputs, overlay.as_deref());
    let mut opened = build(experiment, &files, taken, None, problems, said.machines)?;
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
    // Files of a scenario are deployed by its script.
    let inputs = Inputs::default();
    if only.is_empty() {
        only = experiment
            .only
            .map_or_else(|| Orchestrator::ALL.to_vec(), |only| vec![only]);
    }
    let files = parsed.files.clone();
    let taken = (inputs, None);
    let mut opened = build(&own, &files, taken, Some(&only), Vec::new(), machines)?;
    opened.script = parsed.script.clone();
    opened.scenario = Some(parsed);
    Ok(opened)
}

/// The object in the namespace that it comes to.
fn settled(document: &Value) -> Value {
    let mut object = document.clone();
    let text = |path: &[&str]| document.str_at(path).unwrap_or("");
    let kind = kinds::of_object(text(&["apiVersion"]), text(&["kind"]));
    if text(&["metadata", "namespace"]).is_empty() && kind.is_some_and(|kind| kind.namespaced) {
        object.set_path(&["metadata", "namespace"], "default".into());
    }
    object
}

fn build(
    experiment: &Experiment,
    files: &[(String, Arc<str>)],
    (inputs, overlay): (Inputs, Option<&str>),
    forced: Option<&[Orchestrator]>,
    problems: Vec<Diagnostic>,
    own_machines: Vec<MachineSpec>,
) -> Result<Opened, Sentence> {
    let mut found = problems;
    let mut sources: Vec<Source> = Vec::new();
    let mut not_modelled = Vec::new();
    let mut deployments = Vec::new();
    let mut objects_read = Vec::new();
    let mut orchestrators = Vec::new();
    let others = |name: &str| {
        let name = name.strip_prefix("./").unwrap_or(name);
        files
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, text)| text.clone())
    };
    let variables: Variables = experiment
        .environment
        .iter()
        .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
        .collect();
    let wanted = |orchestrator| experiment.only.is_none_or(|only| only == orchestrator);

    if !inputs.kube.is_empty() && wanted(Orchestrator::Kubernetes) {
        orchestrators.push(Orchestrator::Kubernetes);
        let mut plain = Vec::new();
        let decoded: Vec<_> = inputs.kube.iter().map(decode_kube).collect();
        // A custom resource whose definition is there is as well known as it says.
        let defined: Vec<(&str, &str)> = decoded
            .iter()
            .flat_map(|(objects, _)| objects)
            .filter(|object| &*object.kind == "CustomResourceDefinition")
            .filter_map(|object| {
                let spec = object.document.get("spec")?;
                Some((spec.str_at(&["group"])?, spec.str_at(&["names", "kind"])?))
            })
            .collect();
        let mut namespaces: SortedSet<&str> = BUILT_IN_NAMESPACES.into_iter().collect();
        for (source, (objects, diagnostics)) in inputs.kube.iter().zip(&decoded) {
            let installed = |problem: &&Diagnostic| {
                problem.code != explain::KUBERNETES_UNKNOWN_KIND
                    || problem.severity == Severity::Error
                    || !objects.iter().any(|object| {
                        let kind = (group(&object.api_version), &*object.kind);
                        object.holds(problem.span) && defined.contains(&kind)
                    })
            };
            let mut said: Vec<Diagnostic> = diagnostics.iter().filter(installed).cloned().collect();
            said.extend(homeless(source, objects, &mut namespaces));
            said.extend(images::missing(source, Dialect::Kubernetes));
            let overlay = overlay.filter(|_| overlay::is_built(source));
            if let Some(folder) = overlay {
                let file =
                    overlay::kustomization(files.iter().map(|(name, text)| (name, text)), folder);
                said = said
                    .into_iter()
                    .map(|one| overlay::built(one, source, file))
                    .collect();
            }
            found.extend(said);
            for object in objects {
                objects_read.push(settled(&object.document));
                if defined.contains(&(group(&object.api_version), &*object.kind)) {
                    continue;
                }
                for (path, span) in &object.not_modelled {
                    not_modelled.push(NotModelled {
                        file: source.name.clone(),
                        line: source.position(span.start).line,
                        object: format!("{}/{}", object.kind, object.meta.name),
                        path: path.clone(),
                    });
                }
            }
            match overlay {
                Some(folder) => deployments.push(Deployment::overlay(folder, source)),
                None => plain.push(source.clone()),
            }
            sources.push(source.clone());
        }
        if !plain.is_empty() {
            deployments.push(Deployment::manifests(plain));
        }
        if experiment.server_side {
            deployments.iter_mut().for_each(Deployment::by_server);
        }
    }
    if let Some(source) = inputs
        .stack
        .as_ref()
        .filter(|_| wanted(Orchestrator::Swarm))
    {
        orchestrators.push(Orchestrator::Swarm);
        let loaded = load_stack(source, PROJECT, &variables, &others);
        found.extend(loaded.problems);
        found.extend(
            loaded
                .sources
                .iter()
                .flat_map(|source| images::missing(source, Dialect::Compose)),
        );
        list_not_modelled(&loaded.sources, loaded.not_modelled, &mut not_modelled);
        take(&loaded.sources, &mut sources);
        deployments.push(Deployment::stack(&source.name));
    }
    if !inputs.compose.is_empty() && wanted(Orchestrator::Compose) {
        orchestrators.push(Orchestrator::Compose);
        let setting = Setting {
            environment: &variables,
            project_name: Some(PROJECT),
            folder: PROJECT,
            profiles: &[],
            named: &[],
            all_resources: false,
            env_files: &[],
            others: &others,
        };
        let loaded = load_compose(&inputs.compose, setting);
        found.extend(loaded.problems);
        found.extend(
            loaded
                .sources
                .iter()
                .flat_map(|source| images::missing(source, Dialect::Compose)),
        );
        list_not_modelled(&loaded.sources, loaded.not_modelled, &mut not_modelled);
        take(&loaded.sources, &mut sources);
        // Of a project whose services all wait for a profile there is nothing to bring up.
        if loaded.model.is_some_and(|it| !it.services.is_empty()) {
            let names = inputs.compose.iter().map(|source| &*source.name);
            deployments.push(Deployment::compose(names));
        }
    }
    match forced {
        Some(forced) => orchestrators = forced.to_vec(),
        None if orchestrators.is_empty() => {
            if let (Some(only), false) = (experiment.only, experiment.files.is_empty()) {
                return Err(catalogue::INPUT_MISSING_FOR.with(&[("orchestrator", &only.name())]));
            }
            if !experiment.files.is_empty()
                && found
                    .iter()
                    .all(|problem| problem.severity != Severity::Error)
            {
                return Err(catalogue::INPUT_MISSING.plain());
            }
            orchestrators = experiment
                .only
                .map_or_else(|| Orchestrator::ALL.to_vec(), |only| vec![only]);
        }
        None => {}
    }

    let mut lab = Lab::new(&orchestrators, experiment.seed);
    worlds::choices(&mut lab, experiment);
    worlds::settings(&mut lab, experiment)?;
    let mut session = Session::new(History::new(lab));
    worlds::machines(&mut session, experiment);
    worlds::add(&mut session, own_machines);
    for (name, text) in files {
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
        not_modelled,
        worker_milli_cpu: experiment.worker.milli_cpu,
        deployments,
        objects: objects_read,
        sources,
        found,
        faults: experiment.faults.clone(),
    })
}

/// A warning for the first object of each namespace that no document before it makes.
fn homeless<'a>(
    source: &Source,
    objects: &'a [KubeObject],
    known: &mut SortedSet<&'a str>,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for object in objects {
        if &*object.kind == "Namespace" && &*object.api_version == "v1" {
            known.insert(&object.meta.name);
            continue;
        }
        let kind = kinds::of_object(&object.api_version, &object.kind);
        let namespace = object.meta.namespace.as_deref();
        let is_namespaced = kind.is_none_or(|kind| kind.namespaced);
        if let Some(namespace) = namespace.filter(|_| is_namespaced)
            && known.insert(namespace)
        {
            let message = Sentence::quoted(format_args!("namespaces {namespace:?} not found"));
            found.push(Diagnostic::of(
                explain::KUBERNETES_NO_NAMESPACE,
                Severity::Warning,
                (source.name.clone(), object.namespace_span),
                message.advise(catalogue::NAMESPACE_FIRST.with(&[("name", &namespace)])),
            ));
        }
    }
    found
}

/// Adds what one loader listed.
fn list_not_modelled(sources: &Sources, listed: Vec<(String, Span)>, to: &mut Vec<NotModelled>) {
    for (path, span) in listed {
        let Some(source) = sources.get(span.file) else {
            continue;
        };
        let line = source.position(span.start).line;
        to.push(NotModelled {
            file: source.name.clone(),
            line,
            object: String::new(),
            path,
        });
    }
}

/// Keeps the texts that diagnostics refer to, each once.
fn take(from: &Sources, to: &mut Vec<Source>) {
    for source in from.iter() {
        if !to.iter().any(|known| known.name == source.name) {
            to.push(source.clone());
        }
    }
}

#[cfg(test)]
mod tests;
