//! What is written to a machine's disk: changes of paths, and what the engine and the kubelet make.

use std::sync::Arc;

use crate::base::sorted::SortedMap;
use crate::base::symbol::Symbol;
use crate::base::time::SimTime;

use super::{Change, Disk, From, Mount, RootSpec, Spot, Store};
use crate::substrate::container::Container;
use crate::substrate::disk::on_disk;
use crate::substrate::errno::Errno;
use crate::substrate::file::{Kind, Tree, below, parent};
use crate::substrate::order::{ContainerId, MachineId, Upcall};
use crate::substrate::{Scope, Substrate};

impl Substrate {
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
    pub(in crate::substrate) fn forget_trees(
        &mut self,
        machine: MachineId,
        gone: impl Fn(&Store) -> bool,
    ) {
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
    pub(in crate::substrate) fn populate(&mut self, container: ContainerId, now: SimTime) {
        let Some(row) = self.container(container) else {
            return;
        };
        let Some(machine) = self.sandbox(row.sandbox).map(|sandbox| sandbox.machine) else {
            return;
        };
        // Most have no mounts, or those only that the sandbox comes with.
        let is_ready = |mount: &Mount| match mount.from {
            From::Machine(_) | From::Volume(_) | From::Remote(..) => false,
            From::Provided(_) => true,
            From::Memory(_) | From::Sandbox(_) | From::Shared(..) => mount.sub.is_empty(),
        };
        if row.spec.root.mounts.iter().all(is_ready) {
            return;
        }
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
            for (path, bytes) in &self.image_files(row.spec.image) {
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
