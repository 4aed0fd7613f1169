//! A Compose project.

use std::sync::Arc;

use crate::api::compose::service::Service;
use crate::base::sorted::SortedMap;

/// A project with its enabled services.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Project {
    /// Project name; valid as such.
    pub name: Arc<str>,
    /// Enabled services by name.
    pub services: SortedMap<Arc<str>, Service>,
    /// Services that no active profile enables, by name.
    pub disabled: SortedMap<Arc<str>, Service>,
    /// Networks by key; `default` is among them if a service uses it.
    pub networks: SortedMap<Arc<str>, Resource>,
    /// Volumes by key.
    pub volumes: SortedMap<Arc<str>, Resource>,
    /// Secrets by key.
    pub secrets: SortedMap<Arc<str>, Resource>,
    /// Configs by key.
    pub configs: SortedMap<Arc<str>, Resource>,
    /// The author's own keys (`x-…`) of the top level, in canonical form, as a JSON object.
    pub extensions: Arc<str>,
}

/// A network, a volume, a secret or a config.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Resource {
    /// Name in the engine: `<project>_<key>` unless given.
    pub name: Arc<str>,
    /// Whether it must already exist.
    pub external: bool,
    /// The whole of it in canonical form, as JSON.
    pub document: Arc<str>,
}
