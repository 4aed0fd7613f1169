//! What containers and machines use: memory and CPU time, worked out for the moment that is asked
//! for.

use crate::base::symbol::Symbol;
use crate::base::time::{SimDuration, SimTime};

use super::machine::Power;
use super::order::{MachineId, Upcall};
use super::{Scope, Substrate};

/// Size of a machine's disk unless it says so, in bytes. Our own figure.
const DISK_BYTES: u64 = 100 << 30;
/// What a machine's system takes of it, in bytes. Our own figure.
const SYSTEM_BYTES: u64 = 6 << 30;

/// Bytes that images take on a disk whose compressed sizes add up to so many.
pub fn unpacked(compressed: u64) -> u64 {
    compressed.saturating_mul(super::layer::UNPACKED_PERCENT) / 100
}

impl Substrate {
    /// Time since a machine's last boot.
    pub fn uptime(&self, machine: MachineId, now: SimTime) -> SimDuration {
        match self.machine(machine).map(|row| row.power) {
            Some(Power::On { since }) => now.since(since),
            Some(Power::Off | Power::Booting { .. }) | None => SimDuration::ZERO,
        }
    }

    /// Size of a machine's disk, in bytes.
    pub fn disk_bytes(&self, machine: MachineId) -> u64 {
        let own = self
            .machine(machine)
            .map_or(0, |row| row.capacity.ephemeral_storage);
        u64::try_from(own)
            .ok()
            .filter(|bytes| *bytes > 0)
            .unwrap_or(DISK_BYTES)
    }

    /// What a machine's disk holds, in bytes: its system, the layers of its images, and what
    /// containers, volumes, logs and a fault wrote.
    pub fn disk_used(&self, machine: MachineId, now: SimTime) -> u64 {
        self.disk_used_with(machine, self.written_bytes(machine, now))
    }

    /// The same if containers, volumes and logs took so many bytes.
    pub(super) fn disk_used_with(&self, machine: MachineId, written: u64) -> u64 {
        let row = self.machine(machine);
        let (filled, images) = row.map_or((0, 0), |row| (row.filled, row.images_bytes));
        (SYSTEM_BYTES + images)
            .saturating_add(written)
            .saturating_add(filled)
            .min(self.disk_bytes(machine))
    }

    /// What is left of a machine's disk, in bytes.
    pub fn disk_free(&self, machine: MachineId, now: SimTime) -> u64 {
        self.disk_bytes(machine) - self.disk_used(machine, now)
    }

    /// Digests of an image's read-only layers, the lowest first.
    pub fn layers(&self, machine: MachineId, image: Symbol) -> Vec<String> {
        self.image_named(image)
            .map(|image| {
                self.image_layers(machine, image)
                    .into_iter()
                    .map(|(layer, _)| layer.digest())
                    .collect()
            })
            .unwrap_or_default()
    }

    /// Limits of groups on a machine changed: whoever is slowed down by them is looked at again.
    pub(super) fn limits_changed(&mut self, machine: MachineId, scope: &mut Scope<'_>) {
        self.share_cpus(machine, scope);
        self.plan_memory(machine, scope);
        self.over_limit(machine, scope);
    }

    /// Fills a part of a machine's disk, or empties it again.
    pub(super) fn fill_disk(&mut self, machine: MachineId, bytes: u64, scope: &mut Scope<'_>) {
        if let Some(row) = self.machines.get_mut(machine) {
            row.filled = bytes;
            scope.out.order(Upcall::Pressure { machine });
        }
    }
}
