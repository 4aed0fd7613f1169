//! A machine's disk: which tree a path of a container leads to, and what changes there.
//!
//! ```text
//! path ──▶ Spot ──▶ the container's own layer   over its image     (overlay, copy-up, whiteouts)
//!              ──▶ a volume, a directory of the machine, memory    (mounted over it)
//! ```
//!
//! The root is made by `pivot_root` into the merged overlay, not by `chroot`: the machine's own root
//! is detached, so that no path leads back to it (runc `libcontainer/rootfs_linux.go`).

mod write;

use std::sync::Arc;

use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::symbol::Symbol;
use crate::base::time::SimTime;

use super::file::{Kind, Tree, below};
use super::order::{ContainerId, Owner};
use super::{Substrate, catalogue};

/// Where something that a container mounts comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum From {
    /// A volume of the machine, by name.
    Volume(Arc<str>),
    /// A path of the machine.
    Machine(Arc<str>),
    /// Memory, at most so many bytes; 0: half of the machine's.
    Memory(u64),
    /// A directory that lives as long as the sandbox's owner has one, by name.
    Sandbox(Arc<str>),
    /// Memory that a sandbox's containers share, by name, at most so many bytes; 0: half of the
    /// machine's.
    Shared(Arc<str>, u64),
    /// A disk over the network, by name, of so many bytes.
    Remote(Arc<str>, u64),
    /// Files that whoever made the sandbox keeps up to date in it, by name.
    Provided(Arc<str>),
}

/// One mount of a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mount {
    /// Where it is mounted.
    pub target: Arc<str>,
    /// What is mounted.
    pub from: From,
    /// Which path of it; empty: all.
    pub sub: Arc<str>,
    /// Whether it cannot be written to.
    pub read_only: bool,
}

/// How a container's root is made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RootSpec {
    /// What is mounted over it.
    pub mounts: Vec<Mount>,
    /// Whether it cannot be written to.
    pub read_only: bool,
    /// Whether a small init is the first process.
    pub init: bool,
    /// Whether its standard input stays open, so that a shell waits.
    pub stdin: bool,
}

/// One tree of a disk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Store {
    /// The machine's own root.
    Machine,
    /// The writable layer of a container that goes with it.
    Layer(ContainerId),
    /// The writable layer of an owner's containers, one after another.
    Lasting(Owner),
    /// A volume.
    Volume(Arc<str>),
    /// A directory of the sandbox of an owner: on the machine's disk, so that it outlives a loss of
    /// power, as does what the owner knows of it.
    Sandbox(Owner, Arc<str>),
    /// A disk over the network: the same on all machines that have it.
    Remote(Arc<str>),
    /// Memory of the sandbox of an owner. This and what follows is memory: [`Disk::has_memory`].
    Shared(Owner, Arc<str>),
    /// Memory of a container, by where it is mounted.
    Memory(ContainerId, Arc<str>),
}

impl Store {
    /// Whether it takes room on the disk of its machine: it is neither memory nor elsewhere.
    pub const fn is_local_disk(&self) -> bool {
        match self {
            Self::Machine
            | Self::Layer(_)
            | Self::Lasting(_)
            | Self::Volume(_)
            | Self::Sandbox(..) => true,
            Self::Remote(_) | Self::Shared(..) | Self::Memory(..) => false,
        }
    }
}

/// A path in one tree.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Spot {
    /// The tree.
    pub store: Store,
    /// Absolute path in it.
    pub path: String,
    /// Whether it is mounted read-only.
    pub read_only: bool,
    /// The container whose image is below; none: nothing is.
    pub over: Option<ContainerId>,
    /// Bytes that the tree may hold; none: what the disk has.
    pub limit: Option<u64>,
}

/// What is done at a spot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// A file with this text.
    Write(Arc<str>),
    /// A file of this size whose text nobody asks for.
    Fill(u64),
    /// A file's time is set; it is made if it is missing.
    Touch,
    /// A directory is made.
    MakeDirectory,
    /// A file is removed.
    Remove,
    /// A directory is removed with all in it.
    RemoveTree,
}

/// Trees of one machine's disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    pub(super) trees: SortedMap<Store, Tree>,
}

impl Disk {
    /// Whether nobody wrote but into the machine's own root.
    pub(super) fn is_untouched(&self) -> bool {
        self.trees.keys().all(|store| *store == Store::Machine)
    }

    /// A tree; none: nothing was written there.
    pub fn tree(&self, store: &Store) -> Option<&Tree> {
        self.trees.get(store)
    }

    /// Trees in memory of one container.
    pub fn in_memory(&self, container: ContainerId) -> impl Iterator<Item = &Tree> {
        let from = self
            .has_memory()
            .then(|| Store::Memory(container, "".into()));
        let own = move |store: &Store| matches!(store, Store::Memory(of, _) if *of == container);
        from.into_iter()
            .flat_map(|from| self.trees.since(&from))
            .take_while(move |(store, _)| own(store))
            .map(|(_, tree)| tree)
    }

    /// Trees in memory of an owner's sandbox, by name.
    pub fn shared_by(&self, owner: Owner) -> impl Iterator<Item = (&str, &Tree)> {
        let from = self.has_memory().then(|| Store::Shared(owner, "".into()));
        from.into_iter()
            .flat_map(|from| self.trees.since(&from))
            .map_while(move |(store, tree)| match store {
                Store::Shared(of, name) if *of == owner => Some((&**name, tree)),
                _ => None,
            })
    }

    /// Whether something is in memory: such trees come last.
    fn has_memory(&self) -> bool {
        let last = self.trees.last_key_value();
        last.is_some_and(|(store, _)| matches!(store, Store::Shared(..) | Store::Memory(..)))
    }

    /// Puts a whole tree into a copy of a disk.
    pub fn provide(&mut self, store: Store, tree: Tree) {
        self.trees.insert(store, tree);
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.trees.is_empty()
    }

    /// All trees.
    pub fn trees(&self) -> impl Iterator<Item = (&Store, &Tree)> {
        self.trees.iter()
    }
}

/// Directories of every image's root.
const DIRECTORIES: [&str; 19] = [
    "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/media", "/mnt", "/opt", "/proc", "/root",
    "/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/var", "/var/log",
];
/// More directories of a machine's own root.
const SYSTEM: [&str; 4] = ["/usr/local", "/usr/share", "/var/lib", "/var/tmp"];
/// Files of every image, with their sizes.
const FILES: [(&str, u64); 4] = [
    ("/bin/sh", 129_736),
    ("/etc/group", 26),
    ("/etc/passwd", 100),
    ("/usr/bin/env", 48_536),
];
/// Size of `/dev/shm` and of the memory behind `/dev`, in bytes. Source: runc
/// `libcontainer/specconv/example.go`.
const DEVICES: u64 = 64 << 20;
/// Where shared memory is mounted.
const SHM: &str = "/dev/shm";

impl Substrate {
    /// What is below a container's layer at a path: what its image brings.
    fn lower(&self, container: ContainerId, path: &str) -> Option<Kind> {
        self.image_at(self.container(container)?.spec.image, path)
    }

    /// What an image has at a path.
    fn image_at(&self, image: Symbol, path: &str) -> Option<Kind> {
        let file = |bytes: u64| Kind::File { bytes, text: None };
        let directory = Kind::Directory { opaque: false };
        if path == "/" || DIRECTORIES.contains(&path) {
            return Some(directory);
        }
        let files = self.image_files(image);
        if let Some((_, bytes)) = files.iter().find(|(known, _)| *known == path) {
            return Some(file(*bytes));
        }
        files
            .iter()
            .any(|(known, _)| below(known, path).is_some())
            .then_some(directory)
    }

    /// Files of an image that are known by name.
    fn image_files(&self, image: Symbol) -> Vec<(&'static str, u64)> {
        let own = self
            .image_named(image)
            .and_then(|image| image.reference.as_ref())
            .map(|reference| catalogue::files(&reference.repository()))
            .unwrap_or_default();
        FILES.into_iter().chain(own.iter().copied()).collect()
    }

    /// Whether a container's own program has made (true) or removed (false) a file by now.
    fn made(&self, container: ContainerId, path: &str, now: SimTime) -> Option<bool> {
        let row = self.container(container)?;
        let age = now.since(row.running_since()?);
        row.behaviour
            .files
            .iter()
            .rev()
            .find(|(at, file, _)| *at <= age && &**file == path)
            .map(|(_, _, present)| *present)
    }

    /// The tree of a container's writable layer.
    pub fn layer_of(&self, container: ContainerId) -> Option<Store> {
        let row = self.container(container)?;
        let lasting = self
            .sandbox(row.sandbox)
            .is_some_and(|sandbox| sandbox.spec.lasting);
        Some(if lasting {
            Store::Lasting(row.owner)
        } else {
            Store::Layer(container)
        })
    }

    /// Where a path of a container leads.
    pub fn spot(&self, container: ContainerId, path: &str) -> Option<Spot> {
        let row = self.container(container)?;
        let root = &row.spec.root;
        let inside = |target: &str| path == target || below(path, target).is_some();
        let mount = root
            .mounts
            .iter()
            .filter(|mount| inside(&mount.target))
            .max_by_key(|mount| mount.target.len());
        let memory = |target: &str, limit: u64, read_only: bool| Spot {
            store: Store::Memory(container, target.into()),
            path: rest(path, target),
            read_only,
            over: None,
            limit: Some(limit),
        };
        let sandbox = self.sandbox(row.sandbox)?;
        let shared = |name: &str, target: &str, limit: u64, read_only: bool| Spot {
            store: Store::Shared(sandbox.owner, name.into()),
            ..memory(target, limit, read_only)
        };
        let half = || {
            self.machine(sandbox.machine)
                .map_or(0, |row| row.capacity.memory.unsigned_abs() / 2)
        };
        let Some(mount) = mount else {
            let device = [SHM, "/dev"].into_iter().find(|at| inside(at));
            return Some(match device {
                // A pod's containers have one, of their sandbox. Source: containerd
                // `internal/cri/server/container_create.go` (`/dev/shm`).
                Some(SHM) if sandbox.spec.holder => shared(SHM, SHM, DEVICES, false),
                Some(target) => memory(target, DEVICES, false),
                None => Spot {
                    store: self.layer_of(container)?,
                    path: path.to_owned(),
                    read_only: root.read_only,
                    over: Some(container),
                    limit: None,
                },
            });
        };
        let own = rest(path, &mount.target);
        let own = match &*mount.sub {
            "" => own,
            sub => format!("/{sub}{}", own.trim_end_matches('/')),
        };
        let plain = |store: Store, path: String| Spot {
            store,
            path,
            read_only: mount.read_only,
            over: None,
            limit: None,
        };
        Some(match &mount.from {
            From::Volume(name) => plain(Store::Volume(name.clone()), own),
            From::Machine(source) => {
                let whole = format!("{}{own}", source.trim_end_matches('/'));
                plain(Store::Machine, whole.trim_end_matches('/').to_owned())
            }
            From::Sandbox(name) | From::Provided(name) => {
                plain(Store::Sandbox(sandbox.owner, name.clone()), own)
            }
            From::Shared(name, limit) => {
                let limit = if *limit == 0 { half() } else { *limit };
                Spot {
                    path: own,
                    ..shared(name, &mount.target, limit, mount.read_only)
                }
            }
            From::Remote(name, bytes) => Spot {
                limit: Some(*bytes),
                ..plain(Store::Remote(name.clone()), own)
            },
            From::Memory(0) => memory(&mount.target, half(), mount.read_only),
            From::Memory(limit) => memory(&mount.target, *limit, mount.read_only),
        })
    }

    /// What is at a spot; none: nothing.
    pub fn at(&self, disk: &Disk, spot: &Spot, now: SimTime) -> Option<Kind> {
        let tree = disk.tree(&spot.store);
        if let Some(entry) = tree.and_then(|tree| tree.get(&spot.path)) {
            return (entry.kind != Kind::Whiteout).then(|| entry.kind.clone());
        }
        let is_system = spot.store == Store::Machine
            && (DIRECTORIES.contains(&&*spot.path) || SYSTEM.contains(&&*spot.path));
        if spot.path == "/" || spot.path.is_empty() || is_system {
            return Some(Kind::Directory { opaque: false });
        }
        if tree.is_some_and(|tree| tree.hides(&spot.path)) {
            return None;
        }
        let implied = tree.is_some_and(|tree| !tree.names(&spot.path).0.is_empty());
        if implied {
            return Some(Kind::Directory { opaque: false });
        }
        let container = spot.over?;
        match self.made(container, &spot.path, now) {
            Some(true) => {
                return Some(Kind::File {
                    bytes: 0,
                    text: Some("".into()),
                });
            }
            Some(false) => return None,
            None => {}
        }
        let is_mount = self.container(container).is_some_and(|row| {
            let targets = row.spec.root.mounts.iter();
            targets
                .map(|mount| &mount.target)
                .any(|target| below(target, &spot.path).is_some())
        });
        if is_mount {
            return Some(Kind::Directory { opaque: false });
        }
        self.lower(container, &spot.path)
    }

    /// Names in the directory at a spot.
    pub fn names(&self, disk: &Disk, spot: &Spot, now: SimTime) -> SortedSet<String> {
        let mut all = SortedSet::new();
        let tree = disk.tree(&spot.store);
        let (there, gone) = tree.map(|tree| tree.names(&spot.path)).unwrap_or_default();
        let opaque = tree.is_some_and(|tree| {
            matches!(
                tree.get(&spot.path).map(|entry| &entry.kind),
                Some(Kind::Directory { opaque: true })
            ) || tree.hides(&spot.path)
        });
        let row = spot.over.and_then(|container| self.container(container));
        if let Some(row) = row.filter(|_| !opaque) {
            let mut add = |path: &str| {
                if let Some(rest) = below(path, &spot.path) {
                    let first = rest.split('/').next().unwrap_or(rest);
                    all.insert(first.to_owned());
                }
            };
            DIRECTORIES.into_iter().for_each(&mut add);
            self.image_files(row.spec.image)
                .iter()
                .for_each(|(path, _)| add(path));
            if let Some(since) = row.running_since() {
                let age = now.since(since);
                let made = row.behaviour.files.iter();
                made.filter(|(at, path, _)| {
                    *at <= age
                        && self.made(spot.over.expect("a row has an id"), path, now) == Some(true)
                })
                .for_each(|(_, path, _)| add(path));
            }
            row.spec
                .root
                .mounts
                .iter()
                .for_each(|mount| add(&mount.target));
        }
        for name in gone {
            all.remove(name);
        }
        all.extend(there.into_iter().map(str::to_owned));
        all
    }
}

/// A path as it is called from a mount's own root.
fn rest(path: &str, target: &str) -> String {
    below(path, target).map_or_else(|| "/".to_owned(), |rest| format!("/{rest}"))
}
