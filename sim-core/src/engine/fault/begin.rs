//! How each kind of fault begins. `None`: this world has no such target.

use crate::base::time::SimDuration;
use crate::des::notice::Detail;
use crate::substrate::order::{ContainerId, MachineId, SandboxId, SubstrateFault};
use crate::substrate::rule::{Rule, Side};

use super::super::command::{FaultKind, FaultSpec, Strength};
use super::super::world::{Plane, World};

/// Threads of a CPU hog unless the fault says how many.
const THREADS: u64 = 1;
/// Bytes per second that a program leaks unless the fault says how many: 10 MiB.
const LEAK: u64 = 10 << 20;
/// Bytes per second of a slow registry unless the fault says how many: 1 MiB.
const REGISTRY: u64 = 1 << 20;

impl World {
    /// Carries out the beginning of a fault.
    pub(super) fn begin(&mut self, index: usize, spec: &FaultSpec) -> Option<()> {
        match spec.kind {
            FaultKind::NodeCrash => self.machine_fails(index, spec, SubstrateFault::Crash),
            FaultKind::NodeReboot => {
                let off = spec.duration.unwrap_or(SimDuration::ZERO);
                self.machine_fails(index, spec, |machine| SubstrateFault::Reboot(machine, off))
            }
            FaultKind::KernelPanic => self.kernel_panics(index, spec),
            FaultKind::NodeShutdown => self.machine_shuts_down(index, spec),
            FaultKind::LeaderLoss => self.lose_leader(index, spec),
            FaultKind::ZoneOutage => self.lose_zone(index, spec),
            FaultKind::Partition => self.part(index, spec),
            FaultKind::Delay | FaultKind::Loss => self.shape_link(index, spec),
            FaultKind::DiskSlow => self.slow_disk(index, spec),
            FaultKind::ClockSkew => self.turn_clock(index, spec),
            FaultKind::PodKill => self.kill_replica(index, spec),
            FaultKind::ContainerKill => self.kill_containers(index, spec, 1),
            FaultKind::Oom => {
                let container = self.target_container(&spec.target)?;
                self.note_target(spec, "sandbox");
                self.strain(index, SubstrateFault::OomKill(container));
                Some(())
            }
            FaultKind::CpuHog => self.hog(index, spec),
            FaultKind::MemoryLeak => {
                let container = self.target_container(&spec.target)?;
                self.note_target(spec, "sandbox");
                let rate = rate_of(spec, LEAK);
                self.strain(index, SubstrateFault::Leak(container, rate));
                Some(())
            }
            FaultKind::DiskFill => self.fill_disk(index, spec),
            FaultKind::StorageLoss => {
                let machine = self.hit_target(index, spec)?;
                self.strain(index, SubstrateFault::CutStorage(machine, true));
                Some(())
            }
            FaultKind::ApiserverDown
            | FaultKind::ApiserverSlow
            | FaultKind::EtcdSlow
            | FaultKind::EtcdMemberLoss
            | FaultKind::ControllerRestart
            | FaultKind::SchedulerDown
            | FaultKind::WatchStale
            | FaultKind::KubeletKill
            | FaultKind::RuntimeKill
            | FaultKind::NodeDrain => self.begin_outage(index, spec),
            FaultKind::RegistryDown | FaultKind::RegistrySlow => {
                self.note("fault", spec.kind.name(), "registry", "all", Detail::None);
                let rule = if spec.kind == FaultKind::RegistryDown {
                    Rule::RegistryDown
                } else {
                    let rate = rate_of(spec, REGISTRY).max(1);
                    Rule::RegistrySlow { rate }
                };
                self.stand(index, rule);
                Some(())
            }
            FaultKind::ImageMissing => {
                self.note_target(spec, "image");
                let image = spec.target.clone();
                self.stand(index, Rule::ImageMissing { image });
                Some(())
            }
        }
    }

    /// The machine that the target means, which is hit.
    fn hit_target(&mut self, index: usize, spec: &FaultSpec) -> Option<MachineId> {
        let machine = self.target_machine(&spec.target)?;
        self.hit(index, machine);
        self.note_fault(spec, machine);
        Some(machine)
    }

    fn machine_fails(
        &mut self,
        index: usize,
        spec: &FaultSpec,
        how: impl FnOnce(MachineId) -> SubstrateFault,
    ) -> Option<()> {
        let machine = self.hit_target(index, spec)?;
        self.on_substrate(|substrate, scope| substrate.fault(how(machine), scope));
        Some(())
    }

    /// A graceful shutdown, of which only a kubelet knows.
    fn machine_shuts_down(&mut self, index: usize, spec: &FaultSpec) -> Option<()> {
        if !matches!(self.plane, Plane::Kubernetes(_)) {
            return None;
        }
        let machine = self.hit_target(index, spec)?;
        self.lend_kube(|plane, context, out| plane.shut_down(machine, context, out));
        Some(())
    }

    /// The manager that leads a swarm crashes.
    fn lose_leader(&mut self, index: usize, spec: &FaultSpec) -> Option<()> {
        let Plane::Swarm(plane) = &self.plane else {
            return None;
        };
        let machine = plane.store.node(plane.leader()?)?.machine;
        self.hit(index, machine);
        self.note_fault(spec, machine);
        let crash = SubstrateFault::Crash(machine);
        self.on_substrate(|substrate, scope| substrate.fault(crash, scope));
        Some(())
    }

    fn lose_zone(&mut self, index: usize, spec: &FaultSpec) -> Option<()> {
        let zone = self.symbols.get(&spec.target)?;
        let machines = self.machines_in_zone(zone);
        if machines.is_empty() {
            return None;
        }
        let count = Detail::Number(machines.len() as i64);
        self.note("fault", spec.kind.name(), "zone", &spec.target, count);
        for machine in machines {
            self.hit(index, machine);
            let crash = SubstrateFault::Crash(machine);
            self.on_substrate(|substrate, scope| substrate.fault(crash, scope));
        }
        Some(())
    }

    /// Parts two groups of machines.
    fn part(&mut self, index: usize, spec: &FaultSpec) -> Option<()> {
        let (left, right) = spec.target.split_once('|')?;
        let (left, right) = (self.machine_list(left), self.machine_list(right));
        if left.is_empty() || right.is_empty() {
            return None;
        }
        for machine in left.iter().chain(&right) {
            self.hit(index, *machine);
        }
        self.note_target(spec, "link");
        let [a, b] = [left, right].map(|machines| Side {
            machines,
            users: false,
        });
        self.stand(index, Rule::Partition { a, b });
        self.pace_changed(spec.kind);
        Some(())
    }

    /// Kubernetes' `pod-kill` deletes the pod with grace 0, as Chaos Mesh does; elsewhere a replica
    /// is no object that a user can delete, and its processes are killed.
    fn kill_replica(&mut self, index: usize, spec: &FaultSpec) -> Option<()> {
        let sandbox = self.target_sandbox(&spec.target)?;
        let request = match &self.plane {
            Plane::Kubernetes(plane) => plane.delete_pod_of(sandbox, &self.symbols),
            Plane::Swarm(_) | Plane::Compose(_) => None,
        };
        let Some(request) = request else {
            return self.kill_containers(index, spec, usize::MAX);
        };
        self.hit_sandbox(index, spec, sandbox);
        if self.kube_request(&request).is_err() {
            self.kill_in(sandbox, usize::MAX);
        }
        Some(())
    }

    /// Kills the first containers of a replica.
    fn kill_containers(&mut self, index: usize, spec: &FaultSpec, most: usize) -> Option<()> {
        let sandbox = self.target_sandbox(&spec.target)?;
        self.hit_sandbox(index, spec, sandbox);
        self.kill_in(sandbox, most);
        Some(())
    }

    fn hit_sandbox(&mut self, index: usize, spec: &FaultSpec, sandbox: SandboxId) {
        if let Some(machine) = self.substrate.sandbox(sandbox).map(|row| row.machine) {
            self.hit(index, machine);
        }
        self.note_target(spec, "sandbox");
    }

    fn kill_in(&mut self, sandbox: SandboxId, most: usize) {
        for container in self.running_in(sandbox).into_iter().take(most) {
            let kill = SubstrateFault::KillContainer(container);
            self.on_substrate(|substrate, scope| substrate.fault(kill, scope));
        }
    }

    /// Takes the processors of a machine, or of what a container may use.
    fn hog(&mut self, index: usize, spec: &FaultSpec) -> Option<()> {
        let threads = match spec.strength {
            Strength::Threads(threads) => threads,
            _ => THREADS,
        };
        let wish = match self.machine(&spec.target) {
            Some(machine) => SubstrateFault::Hog(machine, threads),
            None => {
                let container = self.target_container(&spec.target)?;
                let threads = u16::try_from(threads).unwrap_or(u16::MAX);
                SubstrateFault::HogInside(container, threads)
            }
        };
        self.note_target(spec, "target");
        self.strain(index, wish);
        Some(())
    }

    /// Fills a machine's disk: unless the fault says how much, all that is left.
    fn fill_disk(&mut self, index: usize, spec: &FaultSpec) -> Option<()> {
        let machine = self.hit_target(index, spec)?;
        let size = self.substrate.disk_bytes(machine);
        let left = size.saturating_sub(self.substrate.disk_used(machine, self.now));
        let size = match spec.strength {
            Strength::Size(size) => size,
            _ => left,
        };
        self.strain(index, SubstrateFault::FillDisk(machine, size));
        Some(())
    }

    /// The first running container of the sandbox that a target means.
    fn target_container(&self, target: &str) -> Option<ContainerId> {
        let sandbox = self.target_sandbox(target)?;
        self.running_in(sandbox).first().copied()
    }

    /// Containers of a sandbox that run, the oldest first.
    fn running_in(&self, sandbox: SandboxId) -> Vec<ContainerId> {
        let containers = self.substrate.containers_in(sandbox);
        let mut running: Vec<ContainerId> = containers
            .filter(|(_, row)| row.running_since().is_some())
            .map(|(id, _)| id)
            .collect();
        running.reverse();
        running
    }
}

/// Bytes per second that a fault says.
fn rate_of(spec: &FaultSpec, usual: u64) -> u64 {
    match spec.strength {
        Strength::Rate(rate) => rate,
        _ => usual,
    }
}
