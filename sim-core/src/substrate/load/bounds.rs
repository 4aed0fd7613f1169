//! What may hold a container's CPU time back, beside the size of its machine.

use super::{CPU, within};
use crate::substrate::Substrate;
use crate::substrate::cgroup::limits::Limits;
use crate::substrate::cgroup::tree::GroupKey;
use crate::substrate::container::Container;
use crate::substrate::machine::Machine;
use crate::substrate::order::{ContainerId, MachineId};
use crate::substrate::profile::Isolation;
use crate::substrate::sandbox::Sandbox;

/// All of it for one container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// What its own quota, set of CPUs and virtual machine allow at most, in millionths of a CPU.
    pub own: Option<u64>,
    /// What groups above it do.
    pub above: Above,
}

/// What groups above a container's own allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Above {
    /// All that the machine has.
    Nothing,
    /// What its sandbox has for all its containers, in millionths of a CPU.
    Sandbox(u64),
    /// Something was set further up: only filling the tree anew tells.
    Unknown,
}

/// A container, its sandbox and its machine.
type Rows<'a> = (&'a Container, &'a Sandbox, &'a Machine);

impl Bounds {
    /// Only the machine's size.
    pub(super) const NONE: Self = Self {
        own: None,
        above: Above::Nothing,
    };
}

impl Substrate {
    /// Millionths of a CPU that a machine has; one of which nothing is said has enough.
    pub(super) fn cpu_capacity(&self, machine: MachineId) -> u64 {
        /// More than any machine has, and small enough to be added up.
        const ENOUGH: u64 = u64::MAX >> 16;
        self.machine(machine)
            .map(|row| row.capacity.milli_cpu.unsigned_abs().saturating_mul(1_000))
            .filter(|cpus| *cpus > 0)
            .unwrap_or(ENOUGH)
    }

    /// What a container may get at most by its own quota, set of CPUs and virtual machine.
    pub(super) fn own_cap(&self, container: ContainerId) -> Option<u64> {
        self.own_cap_of(container, self.rows(container)?)
    }

    fn own_cap_of(&self, container: ContainerId, rows: Rows<'_>) -> Option<u64> {
        let (row, _, machine) = rows;
        let guest = guest_cpus(rows);
        let group = &row.spec.group;
        let written = machine.written.get(&GroupKey::Container(container));
        if written.is_none() && group.cpu_quota_us.is_none() && group.cpuset_cpus.is_none() {
            return guest;
        }
        let set = match written {
            Some(limits) => cpus_in(&limits.cpus),
            None => cpus_in(group.cpuset_cpus.as_deref().unwrap_or("")),
        };
        let quota = self
            .quota_of(container)
            .map(|(quota, period)| quota.saturating_mul(CPU) / period.max(1));
        let set = set.map(|count| count * CPU);
        [quota, set, guest].into_iter().flatten().min()
    }

    fn rows(&self, container: ContainerId) -> Option<Rows<'_>> {
        let row = self.container(container)?;
        let sandbox = self.sandbox(row.sandbox)?;
        Some((row, sandbox, self.machine(sandbox.machine)?))
    }

    /// Quota and period of a container's group, in microseconds; none: no quota.
    pub(super) fn quota_of(&self, container: ContainerId) -> Option<(u64, u64)> {
        let row = self.container(container)?;
        let sandbox = self.sandbox(row.sandbox)?;
        let machine = self.machine(sandbox.machine)?;
        let (quota, period) = match machine.written.get(&GroupKey::Container(container)) {
            Some(limits) => (limits.quota_us, limits.period_us),
            None => Limits::quota(
                &row.spec.group,
                self.driver_of(sandbox.machine, &sandbox.spec),
            ),
        };
        Some((quota?, period))
    }

    /// All that may hold a container back beside its machine's size.
    pub(super) fn bounds(&self, container: ContainerId) -> Bounds {
        self.rows(container).map_or(Bounds::NONE, |rows| Bounds {
            own: self.own_cap_of(container, rows),
            above: self.bound_above(rows).unwrap_or(Above::Nothing),
        })
    }

    fn bound_above(&self, (_, sandbox, machine): Rows<'_>) -> Option<Above> {
        let mut written = machine.written.keys();
        let mut levels = machine.levels.values();
        if written.any(|key| !matches!(key, GroupKey::Container(_)))
            || levels.any(|level| level.cpu_quota_us.is_some())
        {
            return Some(Above::Unknown);
        }
        let group = &sandbox.spec.group;
        group.cpu_quota_us?;
        let driver = self.driver_of(sandbox.machine, &sandbox.spec);
        let (quota, period) = Limits::quota(group, driver);
        Some(Above::Sandbox(quota?.saturating_mul(CPU) / period.max(1)))
    }

    /// Whether groups above a container may hold it back where its own limits do not, when it wants
    /// at most so much.
    pub(super) fn is_held_above(&self, container: ContainerId, above: Above, most: u64) -> bool {
        let quota = match above {
            Above::Nothing => return false,
            Above::Unknown => return true,
            Above::Sandbox(quota) => quota,
        };
        let Some(sandbox) = self.container(container).map(|row| row.sandbox) else {
            return false;
        };
        let others: u64 = self
            .containers_in(sandbox)
            .filter(|(other, row)| *other != container && row.cpu.wanted() > 0)
            .map(|(other, row)| within(row.cpu.wanted(), self.own_cap(other)))
            .sum();
        others.saturating_add(most) > quota
    }
}

/// What a virtual machine around a container has, in millionths of a CPU: one, and as many as its
/// container's limit asks for. Source: kata-containers `default_vcpus`.
fn guest_cpus((row, sandbox, machine): Rows<'_>) -> Option<u64> {
    let profile = &machine.profile;
    if sandbox.spec.runtime.is_empty() && profile.default_runtime.is_none() {
        return None;
    }
    let runtime = profile.runtime(&sandbox.spec.runtime)?;
    let limit = row.spec.limits.milli_cpu.unsigned_abs().div_ceil(1_000);
    (runtime.isolation == Isolation::VirtualMachine).then_some((1 + limit) * CPU)
}

/// CPUs that a set names; none: it names none, so all.
fn cpus_in(set: &str) -> Option<u64> {
    if set.is_empty() {
        return None;
    }
    let count = set
        .split(',')
        .map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            match (first.parse::<u64>(), last.parse::<u64>()) {
                (Ok(first), Ok(last)) if last >= first => last - first + 1,
                _ => 0,
            }
        })
        .sum();
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_cpus_are_counted() {
        assert_eq!(cpus_in("0-1,3"), Some(3));
        assert_eq!(cpus_in(""), None);
    }
}
