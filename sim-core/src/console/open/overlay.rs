//! Folders with a kustomization: deployed as `kubectl apply -k` does.

use std::sync::Arc;

use crate::base::sentence::{Sentence, catalogue};
use crate::base::sorted::SortedMap;
use crate::console::kubectl::kustomize::{self, Given};
use crate::engine::command::Orchestrator;
use crate::manifest::detect::Inputs;
use crate::manifest::diagnostic::{Diagnostic, Severity};
use crate::manifest::explain;
use crate::manifest::lines::{Source, Span};
use crate::object::print::yaml;

use super::Experiment;

/// What the name of a built text begins with.
const BUILT: &str = "kubectl kustomize ";

/// If an overlay is there, puts what it builds in the place of the manifests that it is built from,
/// and returns its folder.
pub(super) fn take(
    experiment: &Experiment,
    files: &[(String, Arc<str>)],
    inputs: &mut Inputs,
    problems: &mut Vec<Diagnostic>,
) -> Option<String> {
    let wanted = experiment.only.unwrap_or(Orchestrator::Kubernetes);
    if wanted != Orchestrator::Kubernetes {
        return None;
    }
    let files: SortedMap<String, Arc<str>> = files.iter().cloned().collect();
    let outermost = kustomize::outermost(&files);
    let top = outermost.iter().find(|folder| folder.is_empty());
    let folder = match (&experiment.overlay, top, outermost.as_slice()) {
        (Some(folder), ..) => folder.clone(),
        (None, Some(top), _) => top.clone(),
        (None, None, []) => return None,
        (None, None, [only]) => only.clone(),
        (None, None, [first, ..]) => {
            let message = catalogue::FILES_ALIKE
                .with(&[("names", &outermost.join(", "))])
                .and("what", catalogue::FILE_OVERLAY.plain())
                .advise(catalogue::NAME_OVERLAY.plain());
            let file = kustomization(files.iter(), first).into();
            problems.push(Diagnostic::of(
                explain::FILES_AMBIGUOUS,
                Severity::Error,
                (file, Span::default()),
                message,
            ));
            inputs.kube.clear();
            return None;
        }
    };
    // What lies in the folders that it stands upon is read by the build, or by nobody.
    let below = kustomize::foundations(&files, &folder);
    let is_outside = |source: &Source| {
        !below.iter().any(|folder| {
            let rest = source.name.strip_prefix(&**folder);
            folder.is_empty() || rest.is_some_and(|rest| rest.starts_with('/'))
        })
    };
    inputs.kube.retain(is_outside);
    inputs.files.retain(is_outside);
    match kustomize::build(Given::new(&files, &experiment.environment), &folder) {
        Ok(objects) => {
            let texts: Vec<String> = objects.iter().map(yaml).collect();
            let shown = if folder.is_empty() { "." } else { &folder };
            let name = format!("{BUILT}{shown}");
            let built = Source::new(&name, &texts.join("---\n"));
            inputs.kube.insert(0, built);
        }
        Err(problem) => problems.push(Diagnostic::of(
            explain::KUSTOMIZE_FAILED,
            Severity::Error,
            (kustomization(files.iter(), &folder).into(), Span::default()),
            // The finding says already that it is an error.
            Sentence::from(problem.text.without_start("error: ")),
        )),
    }
    Some(folder)
}

/// Whether a text is what an overlay builds.
pub(super) fn is_built(source: &Source) -> bool {
    source.name.starts_with(BUILT)
}

/// The name of a folder's file that makes it an overlay.
pub(super) fn kustomization<'a>(
    files: impl IntoIterator<Item = (&'a String, &'a Arc<str>)>,
    folder: &str,
) -> &'a str {
    let mut names = files.into_iter().map(|(name, _)| name.as_str());
    let of = |name: &&str| {
        let parent = name.rsplit_once('/').map_or("", |(parent, _)| parent);
        parent == folder && kustomize::describes(name)
    };
    names.find(of).unwrap_or("")
}

/// A finding in what an overlay builds, at the file that everybody can read.
pub(super) fn built(found: Diagnostic, source: &Source, file: &str) -> Diagnostic {
    let line = source.position(found.span.start).line;
    let message = catalogue::BUILT_LINE
        .with(&[("line", &line)])
        .and("what", found.message);
    Diagnostic {
        file: file.into(),
        span: Span::default(),
        message,
        fix: None,
        ..found
    }
}
