//! A merged document to a project.

use std::sync::Arc;

use crate::api::compose::project::{Project, Resource};
use crate::api::compose::service::Service;
use crate::api::swarm::service::MountKind;
use crate::base::sentence::catalogue;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::manifest::compose::canonical::{self, Place, shape};
use crate::manifest::compose::check;
use crate::manifest::compose::loaded::Variables;
use crate::manifest::compose::service::{Around, WrittenService, read};
use crate::manifest::decode::scribe::{Field, Scribe};
use crate::manifest::explain;
use crate::manifest::tree::Node;
use crate::manifest::value::Value;

use super::{Setting, extensions, resource};

type Services = SortedMap<Arc<str>, WrittenService>;
type Enabled<'a> = SortedMap<&'a Arc<str>, &'a WrittenService>;

/// What a project is made from besides its document.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    /// The first file's name.
    pub first: &'a str,
    /// What was asked for.
    pub setting: Setting<'a>,
    /// Variables, those of `.env` among them.
    pub variables: &'a Variables,
}

impl Given<'_> {
    /// Reads the document.
    pub(super) fn assemble(self, root: &Node, scribe: &Scribe) -> Project {
        let field = Field::root(root);
        let version = field.get(scribe, "version");
        if version.exists() {
            let message = "the attribute `version` is obsolete, it will be ignored, please remove it to avoid potential confusion";
            scribe.warning(explain::COMPOSE_OBSOLETE, version.span, message);
        }
        extensions(root, scribe);
        let name = project_name(&field, scribe, self);
        let services = self.services(&field, &name, scribe);
        let mut resources = Resources::read(&field, &name, scribe);
        let active = active_profiles(self, &services);
        check::names(&services, &resources.declared(&field), scribe);
        check::cycles(&services, scribe);
        let enabled: Enabled<'_> = services
            .iter()
            .filter(|(_, written)| is_enabled(&written.service, &active))
            .collect();
        check::profiles(&enabled, &services, scribe);
        check::ports(&enabled, scribe);
        check::container_names(&enabled, scribe);
        resources.keep_used(&enabled, self.setting.all_resources, root);
        let folder = folder_path(self.first, self.setting.folder);
        let place = Place {
            project: &name,
            folder: &folder,
            variables: self.variables,
        };
        resources.document(root, place);
        let (mut running, mut disabled) = (SortedMap::new(), SortedMap::new());
        for (key, written) in &services {
            let service = finished(key, written, &resources, (root, place));
            let place = if enabled.contains_key(key) {
                &mut running
            } else {
                &mut disabled
            };
            place.insert(key.clone(), service);
        }
        Project {
            services: running,
            disabled,
            networks: resources.networks,
            volumes: resources.volumes,
            secrets: resources.secrets,
            configs: resources.configs,
            extensions: extension_document(root),
            name,
        }
    }

    fn services(self, field: &Field<'_>, project: &Arc<str>, scribe: &Scribe) -> Services {
        let around = Around {
            project,
            variables: self.variables,
            others: self.setting.others,
            file: self.first,
        };
        let mut services = SortedMap::new();
        for (key, inner) in field.get(scribe, "services").entries(scribe) {
            if let Some(node) = inner.node {
                extensions(node, scribe);
            }
            let written = read(&key.text, key.span, &inner, scribe, around);
            services.insert(key.text.clone(), written);
        }
        for (key, inner) in field.peek("services").entries(scribe) {
            check::watch(&key.text, &inner, scribe);
            check::devices(&inner, scribe);
        }
        services
    }
}

/// What services share.
struct Resources {
    networks: SortedMap<Arc<str>, Resource>,
    volumes: SortedMap<Arc<str>, Resource>,
    secrets: SortedMap<Arc<str>, Resource>,
    configs: SortedMap<Arc<str>, Resource>,
}

impl Resources {
    fn read(field: &Field<'_>, project: &str, scribe: &Scribe) -> Self {
        for kind in ["volumes", "networks", "secrets", "configs"] {
            check::external(&field.peek(kind), kind, scribe);
        }
        let of = |scribe: &Scribe, key| resources(field, scribe, key, project);
        let volumes = of(scribe, "volumes");
        let mut networks = of(scribe, "networks");
        // Their content is not modelled: they are looked at, and still listed as unread.
        let secrets = scribe.checking(|scribe| of(scribe, "secrets"));
        let configs = scribe.checking(|scribe| of(scribe, "configs"));
        let written = field.peek("secrets");
        let written = written.node.and_then(Node::as_map).unwrap_or_default();
        for entry in written {
            check::secret(&entry.key, &entry.value, scribe);
        }
        networks
            .entry("default".into())
            .or_insert_with(|| Resource {
                name: format!("{project}_default").into(),
                ..Resource::default()
            });
        Self {
            networks,
            volumes,
            secrets,
            configs,
        }
    }

    fn declared(&self, field: &Field<'_>) -> check::Declared {
        check::Declared {
            networks: self.networks.keys().cloned().collect(),
            volumes: self.volumes.keys().cloned().collect(),
            configs: keys(field, "configs"),
            secrets: keys(field, "secrets"),
        }
    }

    /// Forgets what no enabled service uses, unless all is to be kept; then only the default network.
    fn keep_used(&mut self, enabled: &Enabled<'_>, all: bool, root: &Node) {
        let services = || enabled.values();
        let used: SortedSet<&Arc<str>> = services()
            .flat_map(|written| &written.service.networks)
            .collect();
        if all {
            let default: Arc<str> = "default".into();
            if !used.contains(&default) && root.path(&["networks", "default"]).is_none() {
                self.networks.remove(&default);
            }
            return;
        }
        let mounts = services().flat_map(|written| &written.mounts);
        let mounted: SortedSet<&Arc<str>> = mounts
            .filter(|mount| mount.named)
            .map(|mount| &mount.mount.source)
            .collect();
        let granted: SortedSet<(&str, &Arc<str>)> = services()
            .flat_map(|written| &written.grants)
            .map(|(word, name, _)| (*word, name))
            .collect();
        self.networks.retain(|key, _| used.contains(key));
        self.volumes.retain(|key, _| mounted.contains(key));
        self.secrets
            .retain(|key, _| granted.contains(&("secret", key)));
        self.configs
            .retain(|key, _| granted.contains(&("config", key)));
    }

    /// Writes each in canonical form.
    fn document(&mut self, root: &Node, place: Place<'_>) {
        for (map, key, fields) in [
            (&mut self.networks, "networks", shape::NETWORK),
            (&mut self.volumes, "volumes", shape::VOLUME),
            (&mut self.secrets, "secrets", shape::FILE),
            (&mut self.configs, "configs", shape::FILE),
        ] {
            let keys: SortedSet<Arc<str>> = map.keys().cloned().collect();
            let documents = canonical::resources(root, key, fields, Some(&keys), place);
            for (key, resource) in map.iter_mut() {
                if let Some(document) = documents.get(key) {
                    resource.document = canonical::text(document);
                }
            }
        }
    }
}

/// A service with its canonical form, and its volumes by their names in the engine.
fn finished(
    key: &str,
    written: &WrittenService,
    resources: &Resources,
    (root, place): (&Node, Place<'_>),
) -> Service {
    let mut service = written.service.clone();
    if let Some(node) = root.path(&["services", key]) {
        let document = canonical::service(node, &service, place);
        service.document = canonical::text(&document);
    }
    for mount in &mut service.mounts {
        if mount.kind == MountKind::Volume
            && let Some(volume) = resources.volumes.get(&mount.source)
        {
            mount.source = volume.name.clone();
        }
    }
    service
}

fn is_enabled(service: &Service, active: &SortedSet<Arc<str>>) -> bool {
    let mut profiles = service.profiles.iter();
    service.profiles.is_empty()
        || active.contains("*")
        || profiles.any(|profile| active.contains(profile))
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

/// The profiles that are active: those that are asked for, and those of services that are named.
fn active_profiles(given: Given<'_>, services: &Services) -> SortedSet<Arc<str>> {
    let setting = given.setting;
    let mut active: SortedSet<Arc<str>> = setting.profiles.iter().cloned().collect();
    let listed = given
        .variables
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
    for named in setting.named {
        if let Some(written) = services.get(named)
            && !is_enabled(&written.service, &active)
        {
            active.extend(written.service.profiles.iter().cloned());
        }
    }
    active
}

fn project_name(
    field: &Field<'_>,
    scribe: &Scribe,
    Given {
        first,
        setting,
        variables,
    }: Given<'_>,
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
