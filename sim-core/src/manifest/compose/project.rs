//! Files to a project.

use std::sync::Arc;

use crate::api::compose::project::{Project, Resource};
use crate::base::arrange::Arrange;
use crate::manifest::compose::extends::Gather;
use crate::manifest::compose::loaded::{Loaded, OtherFiles, Variables};
use crate::manifest::compose::{dotenv, merge};
use crate::manifest::decode::scribe::{Field, Scribe};
use crate::manifest::diagnostic::{Diagnostic, Report, Severity};
use crate::manifest::explain;
use crate::manifest::lines::Source;
use crate::manifest::schema::compose;
use crate::manifest::tree::Node;

mod assemble;

use assemble::Given;

/// What a project is made from besides its files.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    /// The process environment; `.env` fills what it lacks.
    pub environment: &'a Variables,
    /// `-p`; absent: `COMPOSE_PROJECT_NAME`, `name:`, the folder.
    pub project_name: Option<&'a str>,
    /// Name of the folder, if the path of the first file does not tell.
    pub folder: &'a str,
    /// `--profile`, besides `COMPOSE_PROFILES`; `*` is all.
    pub profiles: &'a [Arc<str>],
    /// Services that the command line names: their profiles are active too.
    pub named: &'a [Arc<str>],
    /// Whether networks, volumes, secrets and configs that no service uses are kept.
    pub all_resources: bool,
    /// Files that are read instead of `.env`, in order.
    pub env_files: &'a [Arc<str>],
    /// Files that are named inside files, and `.env`.
    pub others: OtherFiles<'a>,
}

/// Reads a project from files, the later on top of the earlier.
pub fn load_compose(files: &[Source], setting: Setting<'_>) -> Loaded<Project> {
    let mut variables = setting.environment.clone();
    let first = files
        .first()
        .map_or_else(|| Arc::from(""), |source| source.name.clone());
    let env_files = if setting.env_files.is_empty() {
        vec![Arc::from(crate::manifest::compose::loaded::relative(
            &first, ".env",
        ))]
    } else {
        setting.env_files.to_vec()
    };
    let mut from_files = Variables::new();
    for path in env_files {
        if let Some(text) = (setting.others)(&path) {
            // What an earlier file set can be referred to; the process environment wins.
            let mut outer = from_files.clone();
            outer.extend(setting.environment.clone());
            from_files.extend(dotenv::parse(&text, &outer));
        }
    }
    for (name, value) in from_files {
        variables.entry(name).or_insert(value);
    }
    let mut gather = Gather::new(variables.clone(), setting.others);
    let mut whole: Option<Node> = None;
    for file in files {
        let Some(root) = gather.file(&file.name, &file.text) else {
            continue;
        };
        whole = Some(match whole {
            Some(base) => merge::merge(base, root, &gather.scribe),
            None => root,
        });
    }
    let Gather { texts, scribe, .. } = gather;
    let mut model = None;
    let mut not_modelled = Vec::new();
    let mut known = Vec::new();
    match &mut whole {
        Some(root) => {
            merge::drop_resets(root);
            merge::enforce_unicity(root);
            let report = Report::new(&texts.sources);
            compose::check(root, compose::Format::Compose, &report);
            known = report.finish();
            let given = Given {
                first: &first,
                setting,
                variables: &variables,
            };
            model = Some(given.assemble(root, &scribe));
            not_modelled = scribe.unread(root);
        }
        None if texts.problems.is_empty() && files.is_empty() => {}
        None if texts.problems.is_empty() && !scribe.failed() => {
            let span = crate::manifest::lines::Span::default();
            scribe.error(
                explain::COMPOSE_MISSING_PROPERTY,
                span,
                "empty compose file",
            );
        }
        None => {}
    }
    scribe.join(known);
    let mut problems = texts.problems;
    problems.extend(scribe.into_problems());
    problems.arrange_by_key(|problem| problem.span);
    if failed(&problems) {
        model = None;
    }
    Loaded {
        model,
        problems,
        not_modelled,
        sources: texts.sources,
    }
}

fn failed(problems: &[Diagnostic]) -> bool {
    problems
        .iter()
        .any(|problem| problem.severity == Severity::Error)
}

/// Keys that start with `x-` are the author's own.
pub fn extensions(node: &Node, scribe: &Scribe) {
    for entry in node.as_map().unwrap_or_default() {
        if entry.key.text.starts_with("x-") {
            scribe.mark(&entry.key);
            scribe.mark_below(&entry.value);
        }
    }
}

/// A network, volume, config or secret; `prefix` is the project's or stack's name.
pub fn resource(key: &str, field: &Field<'_>, scribe: &Scribe, prefix: &str) -> Resource {
    if field.exists() {
        field.expect_map(scribe);
    }
    let external_field = field.get(scribe, "external");
    // Older files write the name below `external`.
    let old_name = external_field
        .node
        .and_then(|node| node.get("name"))
        .and_then(Node::scalar_text);
    let external = match external_field.node {
        Some(node) if node.as_map().is_some() => {
            scribe.mark_below(node);
            true
        }
        Some(_) => crate::manifest::compose::part::truth(&external_field, scribe).unwrap_or(false),
        None => false,
    };
    let given = field.get(scribe, "name").scalar(scribe).or(old_name);
    let name = match given {
        Some(name) => name,
        None if external => key.into(),
        None => format!("{prefix}_{key}").into(),
    };
    Resource {
        name,
        external,
        document: "".into(),
    }
}
