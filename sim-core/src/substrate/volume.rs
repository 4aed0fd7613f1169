//! Disks over the network, memory that containers share, and how long each lasts.
//!
//! ```text
//! tmpfs, /dev/shm of a container     until its process ends
//! memory of a sandbox                until the sandbox goes, or the machine loses power
//! directory of a sandbox             until its owner gives it up; on the machine's disk
//! volume of the machine              until it is removed; on the machine's disk
//! disk over the network              until it is removed; apart from all machines
//! ```
//!
//! A machine that loses the network to its disks waits: a process that reads or writes sleeps
//! without being killed, until the path is back or the initiator gives up.
//! Sources: open-iscsi `etc/iscsid.conf` (`node.session.timeo.replacement_timeout`), Linux
//! `drivers/scsi/scsi_transport_iscsi.c`.
//!
//! Not modelled: what a program does with an error of a disk but to stop answering.

use std::sync::Arc;

use crate::base::time::{SimDuration, SimTime};

use super::file::Tree;
use super::order::{ContainerId, MachineId, SandboxId};
use super::pressure::{Resource, WHOLE};
use super::root_fs::{From, Store};
use super::{Scope, Substrate};

/// Time for which the kernel holds requests to a disk that it does not reach, then they fail.
pub const REPLACEMENT_TIMEOUT: SimDuration = SimDuration::from_secs(120);

impl Substrate {
    /// Whether requests to a tree wait or fail, since its disk cannot be reached.
    pub fn is_cut_off(&self, machine: MachineId, store: &Store) -> bool {
        matches!(store, Store::Remote(_))
            && self
                .machine(machine)
                .is_some_and(|row| row.storage_cut.is_some())
    }

    /// Time until requests to unreachable disks of a machine fail; none: it reaches them.
    pub fn storage_wait(&self, machine: MachineId, now: SimTime) -> Option<SimDuration> {
        let since = self.machine(machine)?.storage_cut?;
        Some((since + REPLACEMENT_TIMEOUT).max(now).since(now))
    }

    /// A machine loses its disks over the network, or has them again.
    pub(super) fn cut_storage(&mut self, machine: MachineId, cut: bool, scope: &mut Scope<'_>) {
        let Some(row) = self.machines.get_mut(machine) else {
            return;
        };
        if row.storage_cut.is_some() == cut {
            return;
        }
        row.storage_cut = cut.then_some(scope.now);
        let users: Vec<ContainerId> = self
            .sandboxes_on(machine)
            .flat_map(|(sandbox, _)| self.containers_in(sandbox))
            .filter(|(id, row)| row.running_since().is_some() && self.uses_remote(*id))
            .map(|(id, _)| id)
            .collect();
        let verb = if cut { "storage-lost" } else { "storage-back" };
        self.note_machine(machine, verb, scope);
        let now = scope.now;
        for container in users {
            self.change_silence(container, scope, |row| row.asleep = cut);
            if cut {
                self.sleep_on_disk(container, now);
            } else {
                let at = (machine, container);
                self.stall(at, Resource::Io, (0, 0), (now, None));
            }
            // Signals that were waiting are taken when the process wakes.
            self.plan_end_anew(container, scope);
        }
    }

    /// A container's first request to a disk that its machine does not reach: it sleeps, and waits
    /// until requests fail.
    pub(super) fn sleep_on_disk(&mut self, container: ContainerId, now: SimTime) {
        self.containers[container].asleep = true;
        let sandbox = self.containers[container].sandbox;
        let machine = self.sandboxes[sandbox].machine;
        if let Some(wait) = self.sleeps_on_disk(container, now) {
            let at = (machine, container);
            self.stall(at, Resource::Io, (WHOLE, WHOLE), (now, Some(now + wait)));
        }
    }

    /// Whether a container has a disk over the network mounted.
    pub fn uses_remote(&self, container: ContainerId) -> bool {
        self.container(container).is_some_and(|row| {
            let mut mounts = row.spec.root.mounts.iter();
            mounts.any(|mount| matches!(mount.from, From::Remote(..)))
        })
    }

    /// Whether a container uses a disk that its machine does not reach.
    pub fn lacks_disk(&self, container: ContainerId) -> bool {
        let machine = self
            .container(container)
            .and_then(|row| self.sandbox(row.sandbox))
            .and_then(|row| self.machine(row.machine));
        machine.is_some_and(|row| row.storage_cut.is_some()) && self.uses_remote(container)
    }

    /// Whether a container's process sleeps in a request to a disk, and for how long at most.
    pub fn sleeps_on_disk(&self, container: ContainerId, now: SimTime) -> Option<SimDuration> {
        let row = self.container(container)?;
        row.running_since()?;
        let machine = self.sandbox(row.sandbox)?.machine;
        let wait = self.storage_wait(machine, now)?;
        (!wait.is_zero() && self.uses_remote(container)).then_some(wait)
    }

    /// Shows the disks that a container mounts on its machine, as they are wherever else they are.
    pub(super) fn attach_remote(&mut self, machine: MachineId, names: &[Arc<str>]) {
        for name in names {
            let store = Store::Remote(name.clone());
            if self.machines[machine].disk.trees.contains_key(&store) {
                continue;
            }
            let elsewhere = self
                .machines()
                .find_map(|(_, row)| row.disk.trees.get(&store).cloned());
            let tree = elsewhere.or_else(|| Arc::make_mut(&mut self.detached).remove(name));
            let disk = Arc::make_mut(&mut self.machines[machine].disk);
            disk.trees.insert(store, tree.unwrap_or_default());
        }
    }

    /// A disk over the network was changed by one machine: all see the same bytes.
    pub(super) fn share_remote(&mut self, machine: MachineId, store: &Store) {
        let Some(tree) = self.machines[machine].disk.trees.get(store).cloned() else {
            return;
        };
        let others: Vec<MachineId> = self
            .machines()
            .filter(|(id, row)| *id != machine && row.disk.trees.contains_key(store))
            .map(|(id, _)| id)
            .collect();
        for other in others {
            let disk = Arc::make_mut(&mut self.machines[other].disk);
            disk.trees.insert(store.clone(), tree.clone());
        }
    }

    /// A machine goes for good: disks over the network stay.
    pub(super) fn keep_remote(&mut self, machine: MachineId) {
        let Some(row) = self.machines.get(machine) else {
            return;
        };
        let kept: Vec<(Arc<str>, Tree)> = row
            .disk
            .trees()
            .filter_map(|(store, tree)| match store {
                Store::Remote(name) => Some((name.clone(), tree.clone())),
                _ => None,
            })
            .collect();
        if !kept.is_empty() {
            Arc::make_mut(&mut self.detached).extend(kept);
        }
    }

    /// A disk over the network is deleted, wherever it lies.
    #[inline(never)]
    pub(super) fn remove_remote(&mut self, name: &Arc<str>) {
        let store = Store::Remote(name.clone());
        if self.detached.contains_key(name) {
            Arc::make_mut(&mut self.detached).remove(name);
        }
        let machines: Vec<MachineId> = self.machines().map(|(id, _)| id).collect();
        for machine in machines {
            self.forget_trees(machine, |other| *other == store);
        }
    }

    /// The container that memory of a sandbox counts for: the oldest that runs and has it. The kernel
    /// counts each page for who touched it first.
    pub(super) fn charged(&self, sandbox: SandboxId, name: &str) -> Option<ContainerId> {
        let has =
            |id: ContainerId| {
                self.container(id).is_some_and(|row| {
                    name == "/dev/shm"
                        || row.spec.root.mounts.iter().any(
                            |mount| matches!(&mount.from, From::Shared(own, _) if **own == *name),
                        )
                })
            };
        self.containers_in(sandbox)
            .filter(|(id, row)| row.running_since().is_some() && has(*id))
            .map(|(id, _)| id)
            .last()
    }

    /// Bytes of a sandbox's memory that count for a container.
    pub(super) fn shared_of_sandbox(&self, container: ContainerId) -> u64 {
        let Some(row) = self.container(container) else {
            return 0;
        };
        let Some(sandbox) = self.sandbox(row.sandbox).filter(|row| row.spec.holder) else {
            return 0;
        };
        let Some(machine) = self.machine(sandbox.machine) else {
            return 0;
        };
        machine
            .disk
            .shared_by(sandbox.owner)
            .filter(|(name, _)| self.charged(row.sandbox, name) == Some(container))
            .map(|(_, tree)| tree.blocks())
            .sum()
    }
}
