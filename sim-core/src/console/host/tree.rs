//! Which tree of a machine's disk a path leads to, from inside a container and on the machine, where
//! layers and volumes are plain directories below the runtime's own.

use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::time::SimDuration;
use crate::compose::store::owner;
use crate::compose::view::container_id;
use crate::engine::command::Orchestrator;
use crate::substrate::errno::Errno;
use crate::substrate::file::{Kind, below};
use crate::substrate::root_fs::{Change, Disk, Spot, Store};

use super::mounts;
use super::provided;
use super::shell::Wish;
use super::sight::{Node, Sight, names};

/// Mode of the directory of a volume that is the pod's own.
/// Source: `pkg/volume/emptydir/empty_dir.go` (`perm`), which the kubelet's other such volumes wrap.
const VOLUME_MODE: u16 = 0o777;

/// Where volumes lie. Source: moby `daemon/volume/local`.
const VOLUMES: &str = "/var/lib/docker/volumes";

/// A path without `.`, `..` and doubled slashes.
fn plain(path: &str) -> String {
    format!("/{}", names(path).join("/"))
}

/// A place of the machine's file system that is another tree's root.
struct Window {
    at: String,
    spot: Spot,
    /// Whether the tree is shown as it is, whiteouts included.
    raw: bool,
}

fn window(at: String, store: Store, raw: bool) -> Window {
    let spot = Spot {
        store,
        path: "/".to_owned(),
        read_only: false,
        over: None,
        limit: None,
    };
    Window { at, spot, raw }
}

/// Layers and volumes as the machine's own processes find them.
fn windows(sight: &Sight<'_>) -> Vec<Window> {
    let place = sight.place;
    let machines = &place.world.substrate;
    let mut all = Vec::new();
    for (container, name) in &place.ids {
        let [upper, _, merged] = mounts::directories(sight, name);
        let Some(store) = machines.layer_of(*container) else {
            continue;
        };
        all.push(window(upper, store, true));
        if let Some(spot) = machines.spot(*container, "/") {
            let at = match place.world.orchestrator {
                Orchestrator::Kubernetes => {
                    format!("/run/containerd/io.containerd.runtime.v2.task/k8s.io/{name}/rootfs")
                }
                Orchestrator::Swarm | Orchestrator::Compose => merged,
            };
            all.push(Window {
                at,
                spot,
                raw: false,
            });
        }
    }
    if let Some(plane) = place.world.compose() {
        for (id, row) in plane.rows() {
            let name = container_id(row, place.world.seed);
            let [upper, _, _] = mounts::directories(sight, &name);
            all.push(window(
                upper,
                Store::Lasting(owner(id, crate::compose::engine::PART_RUN)),
                true,
            ));
        }
    }
    for (store, _) in sight.disk().trees() {
        match store {
            Store::Volume(name) if place.world.orchestrator != Orchestrator::Kubernetes => {
                all.push(window(
                    format!("{VOLUMES}/{name}/_data"),
                    store.clone(),
                    false,
                ));
            }
            Store::Sandbox(owner, name) => {
                let sandbox = machines
                    .sandboxes_on(place.machine)
                    .find(|(_, row)| row.owner == *owner)
                    .map(|(id, _)| id);
                let label = sandbox
                    .and_then(|sandbox| place.units.get(&sandbox))
                    .map(|unit| unit.label.clone());
                let uid = label.unwrap_or_default();
                let uid = uid.trim_start_matches("pod");
                // What was mounted in part is nowhere else.
                if let Some((kind, name)) = provided::directory(place, sandbox, name) {
                    all.push(window(
                        format!("/var/lib/kubelet/pods/{uid}/volumes/kubernetes.io~{kind}/{name}"),
                        store.clone(),
                        false,
                    ));
                }
            }
            Store::Volume(_)
            | Store::Machine
            | Store::Layer(_)
            | Store::Lasting(_)
            | Store::Shared(..)
            | Store::Remote(_)
            | Store::Memory(..) => {}
        }
    }
    all
}

impl Sight<'_> {
    /// The disk as this command has left it.
    pub fn disk(&self) -> Arc<Disk> {
        let pending = self.disk.borrow().clone();
        pending.unwrap_or_else(|| {
            let machines = &self.place.world.substrate;
            let row = machines.machine(self.place.machine);
            let mut disk = row.map(|row| row.disk.clone()).unwrap_or_default();
            provided::add(self.place, self.inside, &mut disk);
            *self.disk.borrow_mut() = Some(disk.clone());
            disk
        })
    }

    /// The tree that a path leads to, and whether it is shown as it is.
    fn found(&self, path: &str) -> Option<(Spot, bool)> {
        let path = plain(path);
        if let Some(container) = self.inside {
            let mut spot = self.place.world.substrate.spot(container, &path)?;
            let disk = self.disk();
            // What is mounted in part is what its links lead to.
            let part = matches!(&spot.store, Store::Sandbox(_, name) if name.contains('/'));
            let through = disk
                .tree(&spot.store)
                .and_then(|tree| tree.through(&spot.path, part));
            if let Some(path) = through {
                spot.path = path;
            }
            return Some((spot, false));
        }
        let inner = |window: &Window| {
            if path == window.at {
                return Some("/".to_owned());
            }
            below(&path, &window.at).map(|rest| format!("/{rest}"))
        };
        let found = windows(self)
            .into_iter()
            .find_map(|window| Some((inner(&window)?, window)));
        Some(match found {
            Some((rest, window)) => match window.spot.over {
                // The merged root: what is mounted inside is not mounted here.
                Some(_) => (
                    Spot {
                        path: rest,
                        ..window.spot
                    },
                    false,
                ),
                None => (
                    Spot {
                        path: rest,
                        ..window.spot
                    },
                    window.raw,
                ),
            },
            None => (
                Spot {
                    store: Store::Machine,
                    path,
                    read_only: false,
                    over: None,
                    limit: None,
                },
                false,
            ),
        })
    }

    /// Waits for the disk of a spot if the machine does not reach it.
    ///
    /// # Errors
    /// EIO at the end of the wait.
    fn reach(&self, spot: &Spot) -> Result<(), Errno> {
        let (place, machines) = (self.place, &self.place.world.substrate);
        if !machines.is_cut_off(place.machine, &spot.store) {
            return Ok(());
        }
        let wait = machines.storage_wait(place.machine, place.now);
        self.waits
            .set(self.waits.get().max(wait.unwrap_or(SimDuration::ZERO)));
        Err(Errno::Io)
    }

    /// Whether a path is on a disk that answers.
    ///
    /// # Errors
    /// EIO, after a wait.
    pub fn reaches(&self, path: &str) -> Result<(), Errno> {
        match self.inside.and_then(|_| self.found(path)) {
            Some((spot, _)) => self.reach(&spot),
            None => Ok(()),
        }
    }

    /// What is at a path of a tree; none: no tree has anything there.
    pub fn on_disk(&self, path: &str) -> Option<Node> {
        let machines = &self.place.world.substrate;
        let (spot, raw) = self.found(path)?;
        let disk = self.disk();
        let entry = disk.tree(&spot.store).and_then(|tree| tree.get(&spot.path));
        if raw && entry.is_some_and(|entry| entry.kind == Kind::Whiteout) {
            return Some(Node::Device);
        }
        match machines.at(&disk, &spot, self.place.now) {
            Some(Kind::File {
                text: Some(text), ..
            }) => Some(Node::File(text.to_string())),
            Some(Kind::File { bytes, text: None }) => Some(Node::Opaque(bytes)),
            Some(Kind::Directory { .. }) => {
                let mut all = machines.names(&disk, &spot, self.place.now);
                if let Some(tree) = disk.tree(&spot.store).filter(|_| raw) {
                    all.extend(tree.names(&spot.path).1.into_iter().map(str::to_owned));
                }
                Some(Node::Directory(all.into_iter().collect()))
            }
            Some(Kind::Link(target)) => Some(Node::Link(target.to_string())),
            Some(Kind::Whiteout) | None => None,
        }
    }

    /// Directories of the machine that are above a layer or a volume.
    pub fn above_windows(&self, path: &str) -> Option<Node> {
        if self.inside.is_some() {
            return None;
        }
        let path = plain(path);
        let mut names: Vec<String> = windows(self)
            .iter()
            .filter_map(|window| below(&window.at, &path))
            .map(|rest| rest.split('/').next().unwrap_or(rest).to_owned())
            .collect();
        names.arrange();
        names.dedup();
        (!names.is_empty()).then_some(Node::Directory(names))
    }

    /// Time of day of a file's last change, as `ls -l` writes it.
    pub fn changed(&self, path: &str) -> String {
        let at = self
            .found(path)
            .and_then(|(spot, _)| {
                let disk = self.disk();
                Some(disk.tree(&spot.store)?.get(&spot.path)?.at)
            })
            .unwrap_or(crate::base::time::SimTime::ZERO);
        at.civil().strftime("%b %e %H:%M").unwrap_or_default()
    }

    /// Who may do what with a file, if its tree says so, or the kubelet that makes a pod's volumes.
    pub fn mode(&self, path: &str) -> Option<u16> {
        let (spot, _) = self.found(path)?;
        let disk = self.disk();
        let tree = disk.tree(&spot.store);
        let said = tree.and_then(|tree| tree.get(&spot.path)?.mode);
        said.or(match &spot.store {
            Store::Sandbox(_, name) | Store::Shared(_, name) => {
                (spot.path == "/" && !name.is_empty() && !name.contains('/')).then_some(VOLUME_MODE)
            }
            _ => None,
        })
    }

    /// Changes a file as far as this command can see; the wish has to be carried out.
    ///
    /// # Errors
    /// The kernel's.
    pub fn change(&self, path: &str, change: Change) -> Result<Wish, Errno> {
        let (spot, _) = self.found(path).ok_or(Errno::NotFound)?;
        let place = self.place;
        self.reach(&spot)?;
        let mut disk = self.disk();
        let result = place.world.substrate.change(
            Arc::make_mut(&mut disk),
            place.machine,
            &spot,
            &change,
            place.now,
        );
        *self.disk.borrow_mut() = Some(disk);
        result.map(|()| Wish::File {
            spot,
            change,
            by: self.inside,
        })
    }

    /// Bytes that can still be written at a path.
    pub fn room(&self, path: &str) -> u64 {
        let place = self.place;
        self.found(path).map_or(0, |(spot, _)| {
            place
                .world
                .substrate
                .room(&self.disk(), place.machine, &spot, place.now)
        })
    }
}
