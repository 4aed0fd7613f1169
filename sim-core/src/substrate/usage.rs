//! What containers and machines use: memory and CPU time, worked out for the moment that is asked
//! for.

use crate::base::time::SimTime;

use super::Substrate;
use super::cgroup::facts::{CpuTimes, MemoryUse};
use super::order::{ContainerId, MachineId};

/// Kernel memory of a small process: stacks, page tables and slabs, in bytes.
const KERNEL_BYTES: u64 = 512 << 10;

impl Substrate {
    /// Memory of a container.
    pub fn container_memory(&self, container: ContainerId, _now: SimTime) -> MemoryUse {
        let Some(row) = self.container(container) else {
            return MemoryUse::default();
        };
        if row.running_since().is_none() {
            return MemoryUse::default();
        }
        let anonymous = row.behaviour.memory_bytes;
        let mut used = MemoryUse {
            anonymous,
            kernel: KERNEL_BYTES.min(anonymous / 4),
            ..MemoryUse::default()
        };
        used.peak = used.current();
        used
    }

    /// CPU time of a container.
    pub fn container_cpu(&self, _container: ContainerId, _now: SimTime) -> CpuTimes {
        CpuTimes::default()
    }

    /// Memory of a whole machine; none if it is off.
    pub fn machine_usage(&self, _machine: MachineId, _now: SimTime) -> Option<MemoryUse> {
        None
    }
}
