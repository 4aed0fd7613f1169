//! `kernel-panic`: what goes down with a kernel.
//!
//! A container's kernel is its machine's, so a panic there takes every neighbour along. One with a
//! kernel of its own (a virtual machine, or a kernel in user space) goes alone.
//!
//! The kubelet sets `kernel.panic=10`: its nodes boot anew ten seconds later. Elsewhere the
//! kernel's default of 0 holds: the machine stands still until somebody resets it.
//! Sources: `pkg/kubelet/cm/container_manager_linux.go` (`setupKernelTunables`), Linux
//! `Documentation/admin-guide/sysctl/kernel.rst`.

use crate::base::time::SimDuration;
use crate::substrate::order::{MachineId, SubstrateFault};
use crate::substrate::profile::Isolation;

use super::command::{FaultSpec, Orchestrator};
use super::world::World;

/// Time between a panic and the boot on the kubelet's nodes.
const PANIC: SimDuration = SimDuration::from_secs(10);

impl World {
    /// Lets the kernel panic that the target's processes run on. `None`: there is no target.
    pub(super) fn kernel_panics(&mut self, index: usize, spec: &FaultSpec) -> Option<()> {
        if let Some(machine) = self.machine(&spec.target) {
            self.machine_panics(index, spec, machine);
            return Some(());
        }
        let sandbox = self.target_sandbox(&spec.target)?;
        let machine = self.substrate.sandbox(sandbox)?.machine;
        let own = self
            .substrate
            .runtime_of(sandbox)
            .is_some_and(|runtime| runtime.isolation != Isolation::Shared);
        if !own {
            self.machine_panics(index, spec, machine);
            return Some(());
        }
        self.note_target(spec, "sandbox");
        self.on_substrate(|substrate, scope| {
            substrate.fault(SubstrateFault::PanicGuest(sandbox), scope);
        });
        Some(())
    }

    fn machine_panics(&mut self, index: usize, spec: &FaultSpec, machine: MachineId) {
        self.hit(index, machine);
        self.note_fault(spec, machine);
        let fault = match self.orchestrator {
            Orchestrator::Kubernetes => SubstrateFault::Reboot(machine, PANIC),
            Orchestrator::Swarm | Orchestrator::Compose => SubstrateFault::Crash(machine),
        };
        self.on_substrate(|substrate, scope| substrate.fault(fault, scope));
    }
}
