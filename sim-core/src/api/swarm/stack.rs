//! A stack: what `docker stack deploy` makes from one file.

use std::sync::Arc;

use crate::api::swarm::service::ServiceSpec;
use crate::base::sorted::SortedMap;

/// A stack. All names carry the prefix `<stack>_` unless the file gives them in full.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stack {
    /// Its name, e.g. `voting`.
    pub name: Arc<str>,
    /// Services, by name.
    pub services: Vec<ServiceSpec>,
    /// Networks, by name; `<stack>_default` is among them if a service uses it.
    pub networks: Vec<StackNetwork>,
    /// Configs to create, by name.
    pub configs: Vec<Arc<str>>,
    /// Secrets to create, by name.
    pub secrets: Vec<Arc<str>>,
    /// What is in the files of secrets and configs, by full name; absent where the file is unknown.
    pub contents: SortedMap<Arc<str>, Arc<str>>,
}

/// A network of a stack.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StackNetwork {
    /// Full name.
    pub name: Arc<str>,
    /// Whether it must already exist.
    pub external: bool,
}
