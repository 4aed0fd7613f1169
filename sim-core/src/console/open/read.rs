//! What the files say, orchestrator by orchestrator: what is wrong with them, what is not modelled, and
//! what is deployed.

use std::sync::Arc;

use crate::base::sentence::{Sentence, catalogue};
use crate::base::sorted::SortedSet;
use crate::console::images;
use crate::engine::command::Orchestrator;
use crate::kube::apiserver::BUILT_IN_NAMESPACES;
use crate::kube::kinds;
use crate::manifest::compose::loaded::Variables;
use crate::manifest::compose::project::{Setting, load_compose};
use crate::manifest::compose::stack::load_stack;
use crate::manifest::decode::kube::kinds::group;
use crate::manifest::decode::kube::{KubeObject, decode_kube};
use crate::manifest::detect::Inputs;
use crate::manifest::diagnostic::{Diagnostic, Severity};
use crate::manifest::explain;
use crate::manifest::lines::{Source, Sources, Span};
use crate::manifest::scalar::Dialect;
use crate::manifest::value::Value;

use super::deploy::Deployment;
use super::{Experiment, NotModelled, PROJECT, overlay};

/// What was read so far.
pub(super) struct Reading<'a> {
    experiment: &'a Experiment,
    /// All files by name.
    pub files: &'a [(String, Arc<str>)],
    variables: Variables,
    /// The orchestrators that have something to run.
    found_for: Vec<Orchestrator>,
    /// What is wrong.
    pub found: Vec<Diagnostic>,
    /// The texts that this refers to.
    pub sources: Vec<Source>,
    /// What no loop reads.
    pub not_modelled: Vec<NotModelled>,
    /// What is to be deployed.
    pub deployments: Vec<Deployment>,
    /// Kubernetes' objects.
    pub objects: Vec<Value>,
}

impl<'a> Reading<'a> {
    /// Nothing is read yet. `found`: what is known to be wrong.
    pub(super) fn new(
        experiment: &'a Experiment,
        files: &'a [(String, Arc<str>)],
        found: Vec<Diagnostic>,
    ) -> Self {
        let variables = experiment.environment.iter();
        Self {
            experiment,
            files,
            variables: variables
                .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
                .collect(),
            found_for: Vec::new(),
            found,
            sources: Vec::new(),
            not_modelled: Vec::new(),
            deployments: Vec::new(),
            objects: Vec::new(),
        }
    }

    /// Reads what was found to be for an orchestrator that is wanted. `overlay`: the folder that
    /// Kubernetes' objects were built from.
    pub(super) fn inputs(&mut self, inputs: &Inputs, overlay: Option<&str>) {
        let only = self.experiment.only;
        let wanted = |orchestrator| only.is_none_or(|only| only == orchestrator);
        if !inputs.kube.is_empty() && wanted(Orchestrator::Kubernetes) {
            self.kubernetes(&inputs.kube, overlay);
        }
        if let Some(source) = &inputs.stack
            && wanted(Orchestrator::Swarm)
        {
            self.stack(source);
        }
        if !inputs.compose.is_empty() && wanted(Orchestrator::Compose) {
            self.compose(&inputs.compose);
        }
    }

    fn kubernetes(&mut self, inputs: &[Source], overlay: Option<&str>) {
        self.found_for.push(Orchestrator::Kubernetes);
        let mut plain = Vec::new();
        let decoded: Vec<_> = inputs.iter().map(decode_kube).collect();
        let objects = decoded.iter().flat_map(|(objects, _)| objects);
        let defined: Vec<Defined<'_>> = objects.filter_map(defined).collect();
        let mut namespaces: SortedSet<&str> = BUILT_IN_NAMESPACES.into_iter().collect();
        for (source, (objects, diagnostics)) in inputs.iter().zip(&decoded) {
            let overlay = overlay.filter(|_| overlay::is_built(source));
            let known = |problem: &&Diagnostic| !is_defined(problem, objects, &defined);
            let mut said: Vec<Diagnostic> = diagnostics.iter().filter(known).cloned().collect();
            said.extend(homeless(source, objects, &mut namespaces));
            said.extend(images::missing(source, Dialect::Kubernetes));
            if let Some(folder) = overlay {
                let files = self.files.iter().map(|(name, text)| (name, text));
                let file = overlay::kustomization(files, folder);
                let built = said
                    .into_iter()
                    .map(|one| overlay::built(one, source, file));
                said = built.collect();
            }
            self.found.extend(said);
            for object in objects {
                self.objects.push(settled(&object.document));
                if !defined.contains(&kind_of(object)) {
                    self.list_fields(source, object);
                }
            }
            match overlay {
                Some(folder) => self.deployments.push(Deployment::overlay(folder, source)),
                None => plain.push(source.clone()),
            }
            self.sources.push(source.clone());
        }
        if !plain.is_empty() {
            self.deployments.push(Deployment::manifests(plain));
        }
        if self.experiment.server_side {
            self.deployments.iter_mut().for_each(Deployment::by_server);
        }
    }

    fn stack(&mut self, source: &Source) {
        self.found_for.push(Orchestrator::Swarm);
        let others = |name: &str| file(self.files, name);
        let loaded = load_stack(source, PROJECT, &self.variables, &others);
        self.take(&loaded.sources, loaded.problems, loaded.not_modelled);
        self.deployments.push(Deployment::stack(&source.name));
    }

    fn compose(&mut self, inputs: &[Source]) {
        self.found_for.push(Orchestrator::Compose);
        let others = |name: &str| file(self.files, name);
        let setting = Setting {
            environment: &self.variables,
            project_name: Some(PROJECT),
            folder: PROJECT,
            profiles: &[],
            named: &[],
            all_resources: false,
            env_files: &[],
            others: &others,
        };
        let loaded = load_compose(inputs, setting);
        self.take(&loaded.sources, loaded.problems, loaded.not_modelled);
        // Of a project whose services all wait for a profile there is nothing to bring up.
        if loaded.model.is_some_and(|it| !it.services.is_empty()) {
            let names = inputs.iter().map(|source| &*source.name);
            self.deployments.push(Deployment::compose(names));
        }
    }

    /// Takes over what a loader of Compose files found; the texts that it refers to are kept once each.
    fn take(&mut self, from: &Sources, problems: Vec<Diagnostic>, listed: Vec<(String, Span)>) {
        self.found.extend(problems);
        let missing = |source| images::missing(source, Dialect::Compose);
        self.found.extend(from.iter().flat_map(missing));
        for (path, span) in listed {
            let Some(source) = from.get(span.file) else {
                continue;
            };
            self.not_modelled.push(NotModelled {
                file: source.name.clone(),
                line: source.position(span.start).line,
                object: String::new(),
                path,
            });
        }
        for source in from.iter() {
            if !self.sources.iter().any(|known| known.name == source.name) {
                self.sources.push(source.clone());
            }
        }
    }

    fn list_fields(&mut self, source: &Source, object: &KubeObject) {
        let fields = object.not_modelled.iter().map(|(path, span)| NotModelled {
            file: source.name.clone(),
            line: source.position(span.start).line,
            object: format!("{}/{}", object.kind, object.meta.name),
            path: path.clone(),
        });
        self.not_modelled.extend(fields);
    }

    /// The orchestrators to run: those that the files are for, or if there are no files those that are
    /// asked for.
    ///
    /// # Errors
    /// There are files, and none is for an orchestrator that is asked for.
    pub(super) fn orchestrators(&self) -> Result<Vec<Orchestrator>, Sentence> {
        if !self.found_for.is_empty() {
            return Ok(self.found_for.clone());
        }
        let only = self.experiment.only;
        let files = &self.experiment.files;
        if let (Some(only), false) = (only, files.is_empty()) {
            return Err(catalogue::INPUT_MISSING_FOR.with(&[("orchestrator", &only.name())]));
        }
        let is_error = |problem: &Diagnostic| problem.severity == Severity::Error;
        if !files.is_empty() && !self.found.iter().any(is_error) {
            return Err(catalogue::INPUT_MISSING.plain());
        }
        Ok(only.map_or_else(|| Orchestrator::ALL.to_vec(), |only| vec![only]))
    }
}

/// Group and kind.
type Defined<'a> = (&'a str, &'a str);

fn kind_of(object: &KubeObject) -> Defined<'_> {
    (group(&object.api_version), &object.kind)
}

/// The kind that a definition of custom resources makes known.
fn defined(object: &KubeObject) -> Option<Defined<'_>> {
    if &*object.kind != "CustomResourceDefinition" {
        return None;
    }
    let spec = object.document.get("spec")?;
    Some((spec.str_at(&["group"])?, spec.str_at(&["names", "kind"])?))
}

/// Whether a problem is only that a custom resource is unknown whose definition is there: it is as well
/// known as that says.
fn is_defined(problem: &Diagnostic, objects: &[KubeObject], defined: &[Defined<'_>]) -> bool {
    problem.code == explain::KUBERNETES_UNKNOWN_KIND
        && problem.severity != Severity::Error
        && objects
            .iter()
            .any(|object| object.holds(problem.span) && defined.contains(&kind_of(object)))
}

/// The text of a file that another one names.
fn file(files: &[(String, Arc<str>)], name: &str) -> Option<Arc<str>> {
    let name = name.strip_prefix("./").unwrap_or(name);
    let (_, text) = files.iter().find(|(known, _)| known == name)?;
    Some(text.clone())
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
