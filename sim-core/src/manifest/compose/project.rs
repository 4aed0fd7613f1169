//! Files to a project.

use std::sync::Arc;

use crate::api::compose::project::{Project, Resource};
use crate::api::compose::service::Service;
use crate::api::swarm::service::MountKind;
use crate::base::arrange::Arrange;
use crate::base::sentence::catalogue;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::manifest::compose::canonical::{self, Place, shape};
use crate::manifest::compose::extends::Gather;
use crate::manifest::compose::loaded::{Loaded, OtherFiles, Variables};
use crate::manifest::compose::service::{Around, WrittenService, read};
use crate::manifest::compose::{check, dotenv, merge};
use crate::manifest::decode::scribe::{Field, Scribe};
use crate::manifest::diagnostic::{Diagnostic, Report, Severity};
use crate::manifest::explain;
use crate::manifest::lines::Source;
use crate::manifest::schema::compose;
use crate::manifest::tree::Node;
use crate::manifest::value::Value;

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
            model = Some(assemble(root, &scribe, &first, setting, &variables));
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

fn assemble(
    root: &Node,
    scribe: &Scribe,
    first: &str,
    setting: Setting<'_>,
    variables: &Variables,
) -> Project {
    let field = Field::root(root);
    let version = field.get(scribe, "version");
    if version.exists() {
        let message = "the attribute `version` is obsolete, it will be ignored, please remove it to avoid potential confusion";
        scribe.warning(explain::COMPOSE_OBSOLETE, version.span, message);
    }
    extensions(root, scribe);
    let name = project_name(&field, scribe, first, setting, variables);
    let around = Around {
        project: &name,
        variables,
        others: setting.others,
        file: first,
    };
    let services_field = field.get(scribe, "services");
    let mut services: SortedMap<Arc<str>, WrittenService> = SortedMap::new();
    for (key, inner) in services_field.entries(scribe) {
        if let Some(node) = inner.node {
            extensions(node, scribe);
        }
        services.insert(
            key.text.clone(),
            read(&key.text, key.span, &inner, scribe, around),
        );
    }
    for (key, inner) in field.peek("services").entries(scribe) {
        check::watch(&key.text, &inner, scribe);
        check::devices(&inner, scribe);
    }
    for kind in ["volumes", "networks", "secrets", "configs"] {
        check::external(&field.peek(kind), kind, scribe);
    }
    let mut volumes = resources(&field, scribe, "volumes", &name);
    let mut networks = resources(&field, scribe, "networks", &name);
    // Their content is not modelled: they are looked at, and still listed as unread.
    let mut secrets = scribe.checking(|scribe| resources(&field, scribe, "secrets", &name));
    let mut configs = scribe.checking(|scribe| resources(&field, scribe, "configs", &name));
    let written_secrets = root.get("secrets").and_then(Node::as_map);
    for entry in written_secrets.unwrap_or_default() {
        check::secret(&entry.key, &entry.value, scribe);
    }
    networks
        .entry("default".into())
        .or_insert_with(|| Resource {
            name: format!("{name}_default").into(),
            ..Resource::default()
        });
    let mut active = active_profiles(setting, variables);
    for named in setting.named {
        let service = services.get(named).map(|written| &written.service);
        if let Some(service) = service.filter(|service| {
            !service.profiles.is_empty()
                && !service
                    .profiles
                    .iter()
                    .any(|profile| active.contains(profile))
        }) {
            active.extend(service.profiles.iter().cloned());
        }
    }
    let is_enabled = |service: &Service| {
        service.profiles.is_empty()
            || active.contains("*")
            || service
                .profiles
                .iter()
                .any(|profile| active.contains(profile))
    };
    let others = check::Declared {
        networks: networks.keys().cloned().collect(),
        volumes: volumes.keys().cloned().collect(),
        configs: keys(&field, "configs"),
        secrets: keys(&field, "secrets"),
    };
    check::names(&services, &others, scribe);
    check::cycles(&services, scribe);
    let enabled: SortedMap<&Arc<str>, &WrittenService> = services
        .iter()
        .filter(|(_, written)| is_enabled(&written.service))
        .collect();
    check::profiles(&enabled, &services, scribe);
    check::ports(&enabled, scribe);
    check::container_names(&enabled, scribe);
    let used: SortedSet<Arc<str>> = enabled
        .values()
        .flat_map(|written| written.service.networks.iter().cloned())
        .collect();
    if !setting.all_resources {
        networks.retain(|key, _| used.contains(key));
        let mounted: SortedSet<Arc<str>> = enabled
            .values()
            .flat_map(|written| &written.mounts)
            .filter(|mount| mount.named)
            .map(|mount| mount.mount.source.clone())
            .collect();
        volumes.retain(|key, _| mounted.contains(key));
        let granted: SortedSet<(&str, Arc<str>)> = enabled
            .values()
            .flat_map(|written| &written.grants)
            .map(|(word, name, _)| (*word, name.clone()))
            .collect();
        secrets.retain(|key, _| granted.contains(&("secret", key.clone())));
        configs.retain(|key, _| granted.contains(&("config", key.clone())));
    } else if !used.contains("default") && root.path(&["networks", "default"]).is_none() {
        networks.remove("default");
    }
    let folder = folder_path(first, setting.folder);
    let place = Place {
        project: &name.clone(),
        folder: &folder,
        variables,
    };
    for (map, key, fields) in [
        (&mut networks, "networks", shape::NETWORK),
        (&mut volumes, "volumes", shape::VOLUME),
        (&mut secrets, "secrets", shape::FILE),
        (&mut configs, "configs", shape::FILE),
    ] {
        let keys: SortedSet<Arc<str>> = map.keys().cloned().collect();
        let documents = canonical::resources(root, key, fields, Some(&keys), place);
        for (key, resource) in map.iter_mut() {
            if let Some(document) = documents.get(key) {
                resource.document = canonical::text(document);
            }
        }
    }
    let enabled: SortedSet<Arc<str>> = enabled.keys().map(|key| (*key).clone()).collect();
    let mut project = Project {
        name,
        services: SortedMap::new(),
        disabled: SortedMap::new(),
        networks,
        volumes,
        secrets,
        configs,
        extensions: extension_document(root),
    };
    for (key, written) in services {
        let mut service = written.service;
        if let Some(node) = root.path(&["services", &key]) {
            let document = canonical::service(node, &service, place);
            service.document = canonical::text(&document);
        }
        for mount in service
            .mounts
            .iter_mut()
            .filter(|mount| mount.kind == MountKind::Volume)
        {
            if let Some(volume) = project.volumes.get(&mount.source) {
                mount.source = volume.name.clone();
            }
        }
        let place = if enabled.contains(&key) {
            &mut project.services
        } else {
            &mut project.disabled
        };
        place.insert(key, service);
    }
    project
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

fn extension_document(root: &Node) -> Arc<str> {
    let own = root
        .as_map()
        .unwrap_or_default()
        .iter()
        .filter(|entry| entry.key.text.starts_with("x-"))
        .map(|entry| (entry.key.text.clone(), entry.value.to_value()));
    canonical::text(&Value::object(own))
}

/// The folder of the first file, absolute: the console's directory is named after the project's
/// folder and stands below the root.
fn folder_path(first: &str, folder: &str) -> String {
    let inside = crate::manifest::compose::loaded::relative(first, ".");
    if inside.is_empty() {
        format!("/{folder}")
    } else if inside.starts_with('/') {
        inside
    } else {
        format!("/{folder}/{inside}")
    }
}

fn keys(field: &Field<'_>, key: &str) -> SortedSet<Arc<str>> {
    let entries = field
        .peek(key)
        .node
        .and_then(|node| node.as_map())
        .unwrap_or_default();
    entries.iter().map(|entry| entry.key.text.clone()).collect()
}

fn resources(
    field: &Field<'_>,
    scribe: &Scribe,
    key: &str,
    project: &str,
) -> SortedMap<Arc<str>, Resource> {
    let mut found = SortedMap::new();
    for (key, inner) in field.get(scribe, key).entries(scribe) {
        found.insert(
            key.text.clone(),
            resource(&key.text, &inner, scribe, project),
        );
    }
    found
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

fn active_profiles(setting: Setting<'_>, variables: &Variables) -> SortedSet<Arc<str>> {
    let mut active: SortedSet<Arc<str>> = setting.profiles.iter().cloned().collect();
    let listed = variables
        .get("COMPOSE_PROFILES")
        .cloned()
        .unwrap_or_else(|| "".into());
    active.extend(
        listed
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty())
            .map(Arc::from),
    );
    active
}

fn project_name(
    field: &Field<'_>,
    scribe: &Scribe,
    first: &str,
    setting: Setting<'_>,
    variables: &Variables,
) -> Arc<str> {
    let written = field.get(scribe, "name");
    let from_file = written.text(scribe);
    let given: Option<Arc<str>> = setting
        .project_name
        .map(Arc::from)
        .or_else(|| {
            variables
                .get("COMPOSE_PROJECT_NAME")
                .cloned()
                .filter(|name| !name.is_empty())
        })
        .or(from_file);
    if let Some(name) = given {
        let good = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-')
        };
        let starts = name
            .bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if !starts || !name.bytes().all(good) {
            let message = format!(
                "invalid project name {name:?}: must consist only of lowercase alphanumeric characters, hyphens, and \
                 underscores as well as start with a letter or number"
            );
            scribe.error(explain::COMPOSE_INVALID_VALUE, written.span, message);
        }
        return name;
    }
    let folder = first
        .rsplit('/')
        .nth(1)
        .filter(|folder| !matches!(*folder, "" | "." | ".."))
        .unwrap_or(setting.folder);
    let name: String = folder
        .to_lowercase()
        .chars()
        .filter(|letter| {
            letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '_' | '-')
        })
        .collect();
    let name = name.trim_start_matches(['_', '-']);
    if name.is_empty() {
        scribe.error_with_help(
            explain::COMPOSE_INVALID_VALUE,
            field.span,
            "project name must not be empty",
            catalogue::NAME_PROJECT.with(&[("text", &"name: my-project")]),
        );
    }
    name.into()
}
