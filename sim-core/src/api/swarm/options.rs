//! What else a task's container may be told: everything of `docker service create` that no loop of
//! the swarm looks at, but that makes two tasks differ. Source: moby `api/types/swarm/container.go`.

use std::sync::Arc;

use crate::base::sorted::{SortedMap, SortedSet};

/// Fields of a container that the swarm only carries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ContainerOptions {
    /// Labels of the container, not of the service.
    pub labels: SortedMap<Arc<str>, Arc<str>>,
    /// Host name inside; empty: the container's identifier.
    pub hostname: Arc<str>,
    /// Working directory; empty: the image's.
    pub directory: Arc<str>,
    /// User and group; empty: the image's.
    pub user: Arc<str>,
    /// Further groups, sorted after an update.
    pub groups: Vec<Arc<str>>,
    /// Signal that asks it to stop; empty: the image's, else SIGTERM.
    pub stop_signal: Arc<str>,
    /// Whether it has a terminal.
    pub tty: bool,
    /// Whether its root file system cannot be written to.
    pub read_only: bool,
    /// Whether an init process is its first; absent: the daemon decides.
    pub init: Option<bool>,
    /// Lines of `/etc/hosts`, `ADDRESS NAME…`.
    pub hosts: Vec<Arc<str>>,
    /// Name servers.
    pub dns_servers: Vec<Arc<str>>,
    /// Search domains.
    pub dns_search: Vec<Arc<str>>,
    /// Options of the resolver.
    pub dns_options: Vec<Arc<str>>,
    /// Kernel settings of its namespaces.
    pub sysctls: SortedMap<Arc<str>, Arc<str>>,
    /// Resource limits of its processes, soft and hard.
    pub ulimits: SortedMap<Arc<str>, (i64, i64)>,
    /// Capabilities given, sorted, e.g. `CAP_NET_ADMIN`.
    pub capabilities_add: Vec<Arc<str>>,
    /// Capabilities taken, sorted.
    pub capabilities_drop: Vec<Arc<str>>,
    /// Adjustment for the kernel's killer of last resort.
    pub oom_score_adjustment: i64,
    /// Processes and threads that it may have; 0: any number.
    pub pids_limit: i64,
    /// Where its output goes; absent: the daemon's default.
    pub log_driver: Option<LogDriver>,
    /// Where secrets are put that do not lie at `/run/secrets/NAME`, by secret.
    pub secret_files: SortedMap<Arc<str>, FileTarget>,
    /// Where configs are put that do not lie at `/NAME`, by config.
    pub config_files: SortedMap<Arc<str>, FileTarget>,
    /// Whether the client sent its credentials for the registry along (`--with-registry-auth`).
    pub registry_auth: bool,
}

/// A log driver and its options.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LogDriver {
    /// Its name, e.g. `json-file`.
    pub name: Arc<str>,
    /// Its options.
    pub options: SortedMap<Arc<str>, Arc<str>>,
}

/// The file that a secret or config becomes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileTarget {
    /// Path; a secret's is below `/run/secrets`.
    pub name: Arc<str>,
    /// Owner.
    pub uid: Arc<str>,
    /// Group.
    pub gid: Arc<str>,
    /// Permission bits. Default 0444.
    pub mode: u32,
}

impl FileTarget {
    /// A file of that name that everybody may read.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.into(),
            uid: "0".into(),
            gid: "0".into(),
            mode: 0o444,
        }
    }
}

/// Every capability.
pub const ALL_CAPABILITIES: &str = "ALL";

/// Takes back what was stated before.
pub const RESET_CAPABILITIES: &str = "RESET";

/// Names of capabilities as they are stored: upper case with `CAP_`, each once, sorted.
/// Source: docker/cli `opts/capabilities.go` (`CapabilitiesMap`).
pub fn capability_names<T: AsRef<str>>(texts: &[T]) -> SortedSet<Arc<str>> {
    let normal = |text: &T| -> Arc<str> {
        let text = text.as_ref().trim().to_ascii_uppercase();
        let is_word = text == ALL_CAPABILITIES || text == RESET_CAPABILITIES;
        if is_word || text.starts_with("CAP_") {
            text.into()
        } else {
            format!("CAP_{text}").into()
        }
    };
    texts.iter().map(normal).collect()
}

/// What is to be added and dropped: adding wins, and `ALL` stands for every other name of its list.
/// Source: docker/cli `opts/capabilities.go` (`EffectiveCapAddCapDrop`).
pub fn effective_capabilities<T: AsRef<str>>(
    add: &[T],
    drop: &[T],
) -> (Vec<Arc<str>>, Vec<Arc<str>>) {
    let (mut added, mut dropped) = (capability_names(add), capability_names(drop));
    for names in [&mut added, &mut dropped] {
        if names.contains(ALL_CAPABILITIES) {
            names.retain(|name| &**name == ALL_CAPABILITIES);
        }
        names.remove(RESET_CAPABILITIES);
    }
    dropped.retain(|name| !added.contains(name));
    (added.into_iter().collect(), dropped.into_iter().collect())
}
