//! A machine's disk: which tree a path of a container leads to, and what changes there.
//!
//! ```text
//! path ──▶ Spot ──▶ the container's own layer   over its image     (overlay, copy-up, whiteouts)
//!              ──▶ a volume, a directory of the machine, memory    (mounted over it)
//! ```
//!
//! The root is made by `pivot_root` into the merged overlay, not by `chroot`: the machine's own root
//! is detached, so that no path leads back to it (runc `libcontainer/rootfs_linux.go`).

use std::sync::Arc;

use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::symbol::Symbol;
use crate::base::time::SimTime;

use super::container::Container;
use super::disk::on_disk;
use super::errno::Errno;
use super::file::{Kind, Tree, below, parent};
use super::order::{ContainerId, MachineId, Owner, Upcall};
use super::{Scope, Substrate, catalogue};

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
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
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

    /// Changes something on a disk: that of the machine, or a copy.
    ///
    /// # Errors
    /// The kernel's.
    pub fn change(
        &self,
        disk: &mut Disk,
        machine: MachineId,
        spot: &Spot,
        change: &Change,
        now: SimTime,
    ) -> Result<(), Errno> {
        let present = self.at(disk, spot, now);
        let above = parent(&spot.path).map(|above| Spot {
            path: above.to_owned(),
            ..spot.clone()
        });
        let above = above.and_then(|above| self.at(disk, &above, now));
        let in_directory = match above {
            Some(Kind::Directory { .. }) => Ok(()),
            Some(Kind::File { .. } | Kind::Link(_) | Kind::Whiteout) => Err(Errno::NotDirectory),
            None => Err(Errno::NotFound),
        };
        let is_directory = matches!(present, Some(Kind::Directory { .. }));
        match change {
            Change::Write(_) | Change::Fill(_) if is_directory => return Err(Errno::IsDirectory),
            Change::Remove if is_directory => return Err(Errno::IsDirectory),
            Change::Remove | Change::RemoveTree if present.is_none() => {
                return Err(Errno::NotFound);
            }
            Change::RemoveTree if is_directory && self.is_mount_point(spot) => {
                return Err(Errno::Busy);
            }
            Change::MakeDirectory if present.is_some() => return Err(Errno::Exists),
            _ => in_directory?,
        }
        if spot.read_only {
            return Err(Errno::ReadOnly);
        }
        if self.is_cut_off(machine, &spot.store) {
            return Err(Errno::Io);
        }
        let kind = match change {
            Change::Write(text) => Some(Kind::File {
                bytes: text.len() as u64,
                text: Some(text.clone()),
            }),
            Change::Fill(bytes) => Some(Kind::File {
                bytes: *bytes,
                text: None,
            }),
            // A change of metadata alone copies the whole file up.
            Change::Touch => present.clone().or(Some(Kind::File {
                bytes: 0,
                text: Some("".into()),
            })),
            Change::MakeDirectory => Some(Kind::Directory {
                opaque: self.hidden(disk, spot),
            }),
            Change::Remove | Change::RemoveTree => None,
        };
        if let Some(kind) = &kind {
            self.fits(disk, machine, spot, kind, now)?;
        }
        let below = self.is_below(spot, now);
        let tree = disk.trees.entry(spot.store.clone()).or_default();
        match kind {
            Some(kind) => tree.put(&spot.path, kind, now),
            None => {
                tree.forget(&spot.path);
                if below && !tree.hides(&spot.path) {
                    tree.put(&spot.path, Kind::Whiteout, now);
                }
            }
        }
        Ok(())
    }

    /// Whether something of the same name is below the layer, hidden or not.
    fn is_below(&self, spot: &Spot, now: SimTime) -> bool {
        spot.over.is_some_and(|container| {
            self.lower(container, &spot.path).is_some()
                || self.made(container, &spot.path, now) == Some(true)
        })
    }

    /// Whether a whiteout is where something is to be made anew.
    fn hidden(&self, disk: &Disk, spot: &Spot) -> bool {
        disk.tree(&spot.store)
            .and_then(|tree| tree.get(&spot.path))
            .is_some_and(|entry| entry.kind == Kind::Whiteout)
    }

    fn is_mount_point(&self, spot: &Spot) -> bool {
        spot.path == "/"
            || spot.over.is_some_and(|container| {
                self.container(container).is_some_and(|row| {
                    let mut targets = row.spec.root.mounts.iter();
                    targets.any(|mount| {
                        *mount.target == *spot.path || below(&mount.target, &spot.path).is_some()
                    })
                })
            })
    }

    /// Whether there is room for an entry.
    fn fits(
        &self,
        disk: &Disk,
        machine: MachineId,
        spot: &Spot,
        kind: &Kind,
        now: SimTime,
    ) -> Result<(), Errno> {
        let Kind::File { bytes, .. } = kind else {
            return Ok(());
        };
        let tree = disk.tree(&spot.store);
        let before = match tree.and_then(|tree| tree.get(&spot.path)) {
            Some(entry) => match entry.kind {
                Kind::File { bytes, .. } => bytes,
                Kind::Directory { .. } | Kind::Link(_) | Kind::Whiteout => 0,
            },
            None => 0,
        };
        let grows = bytes.saturating_sub(before);
        let free = self.room(disk, machine, spot, now);
        if grows > free {
            return Err(Errno::NoSpace);
        }
        Ok(())
    }

    /// Bytes that can still be written at a spot.
    pub fn room(&self, disk: &Disk, machine: MachineId, spot: &Spot, now: SimTime) -> u64 {
        let used = disk.tree(&spot.store).map_or(0, Tree::blocks);
        match spot.limit {
            Some(limit) => limit.saturating_sub(used),
            None => {
                // What a copy of the disk holds more than the machine's own is used, too.
                let own = self.machine(machine).map_or(0, |row| on_disk(&row.disk));
                let more = on_disk(disk).saturating_sub(own);
                self.disk_free(machine, now).saturating_sub(more)
            }
        }
    }

    /// Changes something on a machine's disk.
    ///
    /// # Errors
    /// The kernel's.
    pub fn change_file(
        &mut self,
        machine: MachineId,
        spot: &Spot,
        change: &Change,
        by: Option<ContainerId>,
        scope: &mut Scope<'_>,
    ) -> Result<(), Errno> {
        let before = self
            .machine(machine)
            .and_then(|row| self.at(&row.disk, spot, scope.now));
        let mut disk = self.machine(machine).ok_or(Errno::NoDevice)?.disk.clone();
        let result = self.change(Arc::make_mut(&mut disk), machine, spot, change, scope.now);
        self.machines[machine].disk = disk;
        if result.is_ok() {
            if let Some(container) = spot.over {
                self.probes_see(container, &spot.path, change, scope);
            }
            self.touched_file(machine, spot, (before, change), by, scope);
        }
        self.settle(scope);
        result
    }

    /// Tells what checks a container that a file of its own is there or gone.
    fn probes_see(
        &mut self,
        container: ContainerId,
        path: &str,
        change: &Change,
        scope: &mut Scope<'_>,
    ) {
        let Some(since) = self.container(container).and_then(Container::running_since) else {
            return;
        };
        self.catch_up_probes(container, scope.now);
        let is_there = !matches!(change, Change::Remove | Change::RemoveTree);
        let behaviour = Arc::make_mut(&mut self.containers[container].behaviour);
        // Its checks have come to this time: what was before at the path is over.
        behaviour.by_hand.retain(|(_, known, _)| &**known != path);
        let made = (scope.now.since(since), Arc::from(path), is_there);
        behaviour.by_hand.push(made);
        self.plan_probes(container, scope);
    }

    /// Bytes that a container has written to its own layer.
    pub fn layer_bytes(&self, machine: MachineId, store: &Store) -> u64 {
        self.machine(machine)
            .and_then(|row| row.disk.tree(store))
            .map_or(0, Tree::bytes)
    }

    /// How a layer differs from its image: `A`, `C` or `D`, and the path, by path. `running`: the
    /// container that has it now, whose own program may have made files.
    pub fn differences(
        &self,
        machine: MachineId,
        (image, root): (Symbol, &RootSpec),
        store: &Store,
        running: Option<ContainerId>,
        now: SimTime,
    ) -> Vec<(char, String)> {
        let mut all: SortedMap<String, char> = SortedMap::new();
        let kind = |path: &str| match self.image_at(image, path) {
            Some(_) => 'C',
            None => 'A',
        };
        let mut add = |path: &str, own: char| {
            all.insert(path.to_owned(), own);
            // What lies above was copied up to hold it.
            let mut at = parent(path);
            while let Some(directory) = at.filter(|directory| *directory != "/") {
                all.entry(directory.to_owned()).or_insert(kind(directory));
                at = parent(directory);
            }
        };
        // The runtime makes the places at which something is mounted.
        for mount in &root.mounts {
            if kind(&mount.target) == 'A' {
                add(&mount.target, 'A');
            }
        }
        let row = running.and_then(|container| Some((container, self.container(container)?)));
        if let Some((container, row)) = row {
            for (_, path, _) in &row.behaviour.files {
                if self.made(container, path, now) == Some(true) {
                    add(path, kind(path));
                }
            }
        }
        let tree = self.machine(machine).and_then(|row| row.disk.tree(store));
        let mut gone = Vec::new();
        for (path, entry) in tree.into_iter().flat_map(Tree::iter) {
            match entry.kind {
                Kind::Whiteout if kind(path) == 'A' => gone.push(path.to_owned()),
                Kind::Whiteout => add(path, 'D'),
                Kind::File { .. } | Kind::Directory { .. } | Kind::Link(_) => add(path, kind(path)),
            }
        }
        all.retain(|path, _| !gone.contains(path));
        all.into_iter().map(|(path, kind)| (kind, path)).collect()
    }

    /// A file was changed: its pages, and the room on the disk.
    fn touched_file(
        &mut self,
        machine: MachineId,
        spot: &Spot,
        (before, change): (Option<Kind>, &Change),
        by: Option<ContainerId>,
        scope: &mut Scope<'_>,
    ) {
        if let Store::Memory(container, _) = &spot.store {
            self.shared_changed(*container, scope);
        } else if let Store::Shared(owner, name) = &spot.store {
            let sandbox = self
                .sandboxes_on(machine)
                .find(|(_, row)| row.owner == *owner)
                .map(|(sandbox, _)| sandbox);
            if let Some(container) = sandbox.and_then(|sandbox| self.charged(sandbox, name)) {
                self.shared_changed(container, scope);
            }
        } else if let Some(container) = by.filter(|id| self.containers.contains(*id)) {
            let before = match before {
                Some(Kind::File { bytes, .. }) => bytes,
                Some(Kind::Directory { .. } | Kind::Link(_) | Kind::Whiteout) | None => 0,
            };
            let bytes = match change {
                Change::Write(text) => Some(text.len() as u64),
                Change::Fill(bytes) => Some(*bytes),
                // A copy up, unless it was there already.
                Change::Touch => None,
                Change::Remove => Some(0),
                Change::MakeDirectory | Change::RemoveTree => None,
            };
            if let Some(bytes) = bytes {
                self.through_cache(machine, container, (before, bytes), scope);
            }
        }
        if matches!(spot.store, Store::Remote(_)) {
            self.share_remote(machine, &spot.store);
        } else if matches!(
            change,
            Change::Fill(_) | Change::Remove | Change::RemoveTree
        ) {
            scope.out.order(Upcall::Pressure { machine });
        }
    }

    /// Makes directories on a machine that nobody has written to. Machines that are set up together
    /// share them until somebody does.
    pub fn make_directories(&mut self, machine: MachineId, paths: &[&str], now: SimTime) {
        let mut tree = Tree::default();
        for path in paths {
            tree.put(path, Kind::Directory { opaque: false }, now);
        }
        let disk = Disk {
            trees: SortedMap::from([(Store::Machine, tree)]),
        };
        if *self.installed != disk {
            self.installed = Arc::new(disk);
        }
        if let Some(row) = self.machines.get_mut(machine) {
            assert!(row.disk.is_empty(), "it is new");
            row.disk = self.installed.clone();
        }
    }

    /// Forgets trees of a machine's disk that match.
    #[inline(never)]
    pub(super) fn forget_trees(&mut self, machine: MachineId, gone: impl Fn(&Store) -> bool) {
        let Some(row) = self.machines.get_mut(machine) else {
            return;
        };
        if row.disk.trees.keys().any(&gone) {
            Arc::make_mut(&mut row.disk)
                .trees
                .retain(|store, _| !gone(store));
        }
    }

    /// Fills a volume that is used for the first time with what the image has at its place.
    /// Source: moby `daemon/volumes.go` (populateVolume).
    pub(super) fn populate(&mut self, container: ContainerId, now: SimTime) {
        let Some(row) = self.container(container) else {
            return;
        };
        let Some(machine) = self.sandbox(row.sandbox).map(|sandbox| sandbox.machine) else {
            return;
        };
        let remote: Vec<Arc<str>> = (row.spec.root.mounts.iter())
            .filter_map(|mount| match &mount.from {
                From::Remote(name, _) => Some(name.clone()),
                _ => None,
            })
            .collect();
        if !remote.is_empty() {
            self.attach_remote(machine, &remote);
        }
        let Some(row) = self.container(container) else {
            return;
        };
        let files = self.image_files(row.spec.image);
        let mut fresh: Vec<(Store, Tree)> = Vec::new();
        for mount in &row.spec.root.mounts {
            let From::Volume(name) = &mount.from else {
                continue;
            };
            let store = Store::Volume(name.clone());
            if self.machines[machine].disk.tree(&store).is_some() {
                continue;
            }
            let mut tree = Tree::default();
            for (path, bytes) in &files {
                if let Some(own) = below(path, &mount.target) {
                    let kind = Kind::File {
                        bytes: *bytes,
                        text: None,
                    };
                    tree.put(&format!("/{own}"), kind, now);
                }
            }
            if !tree.is_empty() {
                fresh.push((store, tree));
            }
        }
        // The engine makes a directory of the machine that is to be mounted and is not there, as the
        // kubelet makes one below a volume.
        let sources: Vec<Spot> = row
            .spec
            .root
            .mounts
            .iter()
            .filter(|mount| match mount.from {
                From::Machine(_) => true,
                From::Provided(_) => false,
                _ => !mount.sub.is_empty(),
            })
            .filter_map(|mount| self.spot(container, &mount.target))
            .filter(|spot| self.at(&self.machines[machine].disk, spot, now).is_none())
            .collect();
        if fresh.is_empty() && sources.is_empty() {
            return;
        }
        let disk = Arc::make_mut(&mut self.machines[machine].disk);
        disk.trees.extend(fresh);
        for spot in sources {
            let tree = disk.trees.entry(spot.store).or_default();
            tree.put(&spot.path, Kind::Directory { opaque: false }, now);
        }
    }
}

/// A path as it is called from a mount's own root.
fn rest(path: &str, target: &str) -> String {
    below(path, target).map_or_else(|| "/".to_owned(), |rest| format!("/{rest}"))
}
