//! Faults: from a specification to what the machines do.

use std::sync::Arc;

use crate::base::sentence::catalogue;
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::Detail;
use crate::substrate::order::{ContainerId, MachineId, SandboxId, SubstrateFault};
use crate::substrate::rule::{Rule, RuleId, Side};

use super::command::{Answer, FaultKind, FaultSpec, Strength};
use super::event::Event;
use super::world::{Plane, World};

/// How a fault of this world stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultState {
    /// Waits for its time.
    Scheduled,
    /// In force.
    Active,
    /// Over.
    Ended,
    /// This world has no such target.
    NotApplicable,
}

/// One fault of a world.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What was asked for.
    pub spec: FaultSpec,
    /// How it stands.
    pub state: FaultState,
    /// When it began.
    pub begun: Option<SimTime>,
    /// When it ended.
    pub ended: Option<SimTime>,
    /// Machines that it hit, by name.
    pub machines: Vec<Arc<str>>,
    /// What it strains, to be taken back at its end.
    strains: Vec<SubstrateFault>,
    /// The substrate's number for a rule (partition), if it made one.
    pub(super) rule: Option<RuleId>,
    /// What ends it could not be done yet.
    pub(super) unfinished: bool,
}

/// Faults of one world; the position is the fault's number.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// All, in the order of injection.
    pub list: Vec<Fault>,
}

impl World {
    /// Injects a fault now or schedules it.
    #[inline(never)]
    pub(super) fn inject(&mut self, spec: &FaultSpec) -> Answer {
        let number = self.list_fault(spec, FaultState::Scheduled);
        match spec.at {
            Some(at) if at > self.now => {
                self.schedule(at.since(self.now), Event::FaultBegins(number))
            }
            Some(_) | None => self.fault_begins(number),
        }
        Answer::Fault(number)
    }

    /// Takes a number for a fault of another world.
    pub(super) fn pass_fault(&mut self, spec: &FaultSpec) {
        self.list_fault(spec, FaultState::NotApplicable);
    }

    fn list_fault(&mut self, spec: &FaultSpec, state: FaultState) -> u32 {
        let number =
            u32::try_from(self.faults.list.len()).expect("faults are bounded by the console");
        self.faults.list.push(Fault {
            spec: spec.clone(),
            state,
            begun: None,
            ended: None,
            machines: Vec::new(),
            strains: Vec::new(),
            rule: None,
            unfinished: false,
        });
        number
    }

    /// Ends one fault or all of them.
    #[inline(never)]
    pub(super) fn heal(&mut self, number: Option<u32>) -> Answer {
        match number {
            Some(number) if (number as usize) >= self.faults.list.len() => {
                Answer::Refused(catalogue::NO_FAULT.with(&[("number", &number)]))
            }
            Some(number) => {
                self.fault_ends(number);
                Answer::Done
            }
            None => {
                for number in 0..self.faults.list.len() {
                    self.fault_ends(u32::try_from(number).expect("bounded"));
                }
                Answer::Done
            }
        }
    }

    pub(super) fn fault_begins(&mut self, number: u32) {
        let index = number as usize;
        if self.faults.list[index].state != FaultState::Scheduled {
            return;
        }
        let spec = self.faults.list[index].spec.clone();
        let before = self.observer.before_fault(self);
        let applied = self.apply_fault(index, &spec);
        let fault = &mut self.faults.list[index];
        fault.begun = Some(self.now);
        fault.state = if applied {
            FaultState::Active
        } else {
            FaultState::NotApplicable
        };
        if applied {
            let machines = fault.machines.clone();
            self.observer
                .fault_began(number, self.now, machines, before);
            let end = spec.duration.filter(|_| !spec.is_momentary());
            if let Some(duration) = end {
                self.schedule(duration, Event::FaultEnds(number));
            }
            if spec.is_momentary() {
                if spec.kind == FaultKind::ControllerRestart {
                    let fault = self.faults.list[index].clone();
                    self.end_outage(index, &fault);
                }
                let fault = &mut self.faults.list[index];
                fault.state = FaultState::Ended;
                fault.ended = Some(self.now);
            }
        }
    }

    pub(super) fn fault_ends(&mut self, number: u32) {
        let index = number as usize;
        match self.faults.list[index].state {
            FaultState::Scheduled => {
                self.faults.list[index].state = FaultState::Ended;
                return;
            }
            FaultState::Active => {}
            FaultState::Ended | FaultState::NotApplicable => return,
        }
        let fault = self.faults.list[index].clone();
        match fault.spec.kind {
            FaultKind::NodeCrash
            | FaultKind::ZoneOutage
            | FaultKind::LeaderLoss
            | FaultKind::NodeShutdown
            | FaultKind::KernelPanic => {
                for name in &fault.machines {
                    if let Some(machine) = self.machine(name) {
                        self.on_substrate(|substrate, scope| {
                            substrate.fault(SubstrateFault::PowerOn(machine), scope)
                        });
                    }
                }
            }
            FaultKind::Partition
            | FaultKind::Delay
            | FaultKind::Loss
            | FaultKind::DiskSlow
            | FaultKind::RegistryDown
            | FaultKind::RegistrySlow
            | FaultKind::ImageMissing => {
                if let Some(rule) = fault.rule {
                    self.on_substrate(|substrate, scope| {
                        substrate.remove_rule(rule, scope);
                    });
                    self.pace_changed(fault.spec.kind);
                }
            }
            FaultKind::CpuHog
            | FaultKind::MemoryLeak
            | FaultKind::DiskFill
            | FaultKind::ClockSkew
            | FaultKind::StorageLoss => {
                for wish in fault.strains {
                    let end = match wish {
                        SubstrateFault::Hog(machine, _) => SubstrateFault::Hog(machine, 0),
                        SubstrateFault::HogInside(container, _) => {
                            let own = self
                                .substrate
                                .container(container)
                                .map_or(0, |row| row.behaviour.busy);
                            SubstrateFault::HogInside(container, own)
                        }
                        SubstrateFault::Leak(container, _) => SubstrateFault::Leak(container, 0),
                        SubstrateFault::FillDisk(machine, _) => {
                            SubstrateFault::FillDisk(machine, 0)
                        }
                        SubstrateFault::TurnClock(machine, by) => {
                            SubstrateFault::TurnClock(machine, -by)
                        }
                        SubstrateFault::CutStorage(machine, _) => {
                            SubstrateFault::CutStorage(machine, false)
                        }
                        other => other,
                    };
                    self.on_substrate(|substrate, scope| substrate.fault(end, scope));
                }
                self.pace_changed(fault.spec.kind);
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
            | FaultKind::NodeDrain => self.end_outage(number as usize, &fault),
            FaultKind::NodeReboot
            | FaultKind::PodKill
            | FaultKind::ContainerKill
            | FaultKind::Oom => {}
        }
        self.note(
            "fault",
            "heal",
            "fault",
            fault.spec.kind.name(),
            Detail::Number(i64::from(number)),
        );
        let fault = &mut self.faults.list[index];
        fault.state = FaultState::Ended;
        fault.ended = Some(self.now);
    }

    fn apply_fault(&mut self, index: usize, spec: &FaultSpec) -> bool {
        match spec.kind {
            FaultKind::NodeCrash => {
                let Some(machine) = self.target_machine(&spec.target) else {
                    return self.not_applicable(spec);
                };
                self.hit(index, machine);
                self.note_fault(spec, machine);
                self.on_substrate(|substrate, scope| {
                    substrate.fault(SubstrateFault::Crash(machine), scope)
                });
            }
            FaultKind::KernelPanic => return self.kernel_panics(index, spec),
            FaultKind::NodeShutdown => {
                let Some(machine) = self.target_machine(&spec.target) else {
                    return self.not_applicable(spec);
                };
                if !matches!(self.plane, Plane::Kubernetes(_)) {
                    return self.not_applicable(spec);
                }
                self.hit(index, machine);
                self.note_fault(spec, machine);
                self.lend_kube(|plane, context, out| plane.shut_down(machine, context, out));
            }
            FaultKind::LeaderLoss => {
                let leader = match &self.plane {
                    Plane::Swarm(plane) => plane
                        .leader()
                        .and_then(|id| plane.store.node(id))
                        .map(|node| node.machine),
                    Plane::Kubernetes(_) | Plane::Compose(_) => None,
                };
                let Some(machine) = leader else {
                    return self.not_applicable(spec);
                };
                self.hit(index, machine);
                self.note_fault(spec, machine);
                self.on_substrate(|substrate, scope| {
                    substrate.fault(SubstrateFault::Crash(machine), scope)
                });
            }
            FaultKind::NodeReboot => {
                let Some(machine) = self.target_machine(&spec.target) else {
                    return self.not_applicable(spec);
                };
                self.hit(index, machine);
                self.note_fault(spec, machine);
                let off = spec.duration.unwrap_or(SimDuration::from_micros(0));
                self.on_substrate(|substrate, scope| {
                    substrate.fault(SubstrateFault::Reboot(machine, off), scope)
                });
            }
            FaultKind::ZoneOutage => {
                let Some(zone) = self.symbols.get(&spec.target) else {
                    return self.not_applicable(spec);
                };
                let machines: Vec<MachineId> = self.machines_in_zone(zone);
                if machines.is_empty() {
                    return self.not_applicable(spec);
                }
                self.note(
                    "fault",
                    spec.kind.name(),
                    "zone",
                    &spec.target,
                    Detail::Number(machines.len() as i64),
                );
                for machine in machines {
                    self.hit(index, machine);
                    self.on_substrate(|substrate, scope| {
                        substrate.fault(SubstrateFault::Crash(machine), scope)
                    });
                }
            }
            FaultKind::Partition => {
                let Some((left, right)) = spec.target.split_once('|') else {
                    return self.not_applicable(spec);
                };
                let (left, right) = (self.machine_list(left), self.machine_list(right));
                if left.is_empty() || right.is_empty() {
                    return self.not_applicable(spec);
                }
                for machine in left.iter().chain(&right) {
                    self.hit(index, *machine);
                }
                self.note(
                    "fault",
                    spec.kind.name(),
                    "link",
                    &spec.target,
                    Detail::None,
                );
                let side = |machines| Side {
                    machines,
                    users: false,
                };
                self.stand(
                    index,
                    Rule::Partition {
                        a: side(left),
                        b: side(right),
                    },
                );
                self.pace_changed(spec.kind);
            }
            FaultKind::Delay | FaultKind::Loss => return self.shape_link(index, spec),
            FaultKind::DiskSlow => return self.slow_disk(index, spec),
            FaultKind::ClockSkew => return self.turn_clock(index, spec),
            FaultKind::PodKill | FaultKind::ContainerKill => {
                let Some(sandbox) = self.target_sandbox(&spec.target) else {
                    return self.not_applicable(spec);
                };
                if let Some(machine) = self.substrate.sandbox(sandbox).map(|row| row.machine) {
                    self.hit(index, machine);
                }
                self.note(
                    "fault",
                    spec.kind.name(),
                    "sandbox",
                    &spec.target,
                    Detail::None,
                );
                let every = spec.kind == FaultKind::PodKill;
                if every && self.delete_replica(sandbox) {
                    return true;
                }
                let mut running: Vec<_> = self
                    .substrate
                    .containers_in(sandbox)
                    .filter(|(_, row)| row.running_since().is_some())
                    .map(|(id, _)| id)
                    .collect();
                running.reverse();
                if !every {
                    running.truncate(1);
                }
                for container in running {
                    self.on_substrate(|substrate, scope| {
                        substrate.fault(SubstrateFault::KillContainer(container), scope)
                    });
                }
            }
            FaultKind::Oom => {
                let Some(container) = self.target_container(&spec.target) else {
                    return self.not_applicable(spec);
                };
                self.note(
                    "fault",
                    spec.kind.name(),
                    "sandbox",
                    &spec.target,
                    Detail::None,
                );
                self.strain(index, SubstrateFault::OomKill(container));
            }
            FaultKind::CpuHog => {
                /// Threads unless the fault says how many.
                const THREADS: u64 = 1;
                let threads = match spec.strength {
                    Strength::Threads(threads) => threads,
                    _ => THREADS,
                };
                self.note(
                    "fault",
                    spec.kind.name(),
                    "target",
                    &spec.target,
                    Detail::None,
                );
                let wish = match (
                    self.machine(&spec.target),
                    self.target_container(&spec.target),
                ) {
                    (Some(machine), _) => SubstrateFault::Hog(machine, threads),
                    (None, Some(container)) => SubstrateFault::HogInside(
                        container,
                        u16::try_from(threads).unwrap_or(u16::MAX),
                    ),
                    (None, None) => return self.not_applicable(spec),
                };
                self.strain(index, wish);
            }
            FaultKind::MemoryLeak => {
                /// Bytes per second unless the fault says how many: 10 MiB.
                const RATE: u64 = 10 << 20;
                let Some(container) = self.target_container(&spec.target) else {
                    return self.not_applicable(spec);
                };
                self.note(
                    "fault",
                    spec.kind.name(),
                    "sandbox",
                    &spec.target,
                    Detail::None,
                );
                let rate = match spec.strength {
                    Strength::Rate(rate) => rate,
                    _ => RATE,
                };
                self.strain(index, SubstrateFault::Leak(container, rate));
            }
            FaultKind::DiskFill => {
                let Some(machine) = self.target_machine(&spec.target) else {
                    return self.not_applicable(spec);
                };
                self.hit(index, machine);
                self.note_fault(spec, machine);
                // Unless the fault says how much, all that is left.
                let size = self.substrate.disk_bytes(machine);
                let left = size.saturating_sub(self.substrate.disk_used(machine, self.now));
                let size = match spec.strength {
                    Strength::Size(size) => size,
                    _ => left,
                };
                self.strain(index, SubstrateFault::FillDisk(machine, size));
            }
            FaultKind::StorageLoss => {
                let Some(machine) = self.target_machine(&spec.target) else {
                    return self.not_applicable(spec);
                };
                self.hit(index, machine);
                self.note_fault(spec, machine);
                self.strain(index, SubstrateFault::CutStorage(machine, true));
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
            | FaultKind::NodeDrain => {
                return self.begin_outage(index, spec) || self.not_applicable(spec);
            }
            FaultKind::RegistryDown => {
                self.note("fault", spec.kind.name(), "registry", "all", Detail::None);
                self.stand(index, Rule::RegistryDown);
            }
            FaultKind::RegistrySlow => {
                /// Bytes per second unless the fault says how many: 1 MiB.
                const RATE: u64 = 1 << 20;
                self.note("fault", spec.kind.name(), "registry", "all", Detail::None);
                let rate = match spec.strength {
                    Strength::Rate(rate) => rate.max(1),
                    _ => RATE,
                };
                self.stand(index, Rule::RegistrySlow { rate });
            }
            FaultKind::ImageMissing => {
                self.note(
                    "fault",
                    spec.kind.name(),
                    "image",
                    &spec.target,
                    Detail::None,
                );
                self.stand(
                    index,
                    Rule::ImageMissing {
                        image: spec.target.clone(),
                    },
                );
            }
        }
        true
    }

    /// Kubernetes' `pod-kill` deletes the pod with grace 0, as Chaos Mesh does; elsewhere a replica
    /// is no object that a user can delete, and its processes are killed.
    fn delete_replica(&mut self, sandbox: SandboxId) -> bool {
        let Plane::Kubernetes(plane) = &self.plane else {
            return false;
        };
        let Some(request) = plane.delete_pod_of(sandbox, &self.symbols) else {
            return false;
        };
        self.kube_request(&request).is_ok()
    }

    /// The first running container of the sandbox that a target means.
    fn target_container(&self, target: &str) -> Option<ContainerId> {
        let sandbox = self.target_sandbox(target)?;
        let mut running: Vec<ContainerId> = self
            .substrate
            .containers_in(sandbox)
            .filter(|(_, row)| row.running_since().is_some())
            .map(|(id, _)| id)
            .collect();
        running.reverse();
        running.first().copied()
    }

    /// Strains a machine or a container, and remembers it for the fault's end.
    pub(super) fn strain(&mut self, index: usize, wish: SubstrateFault) {
        let machine = match wish {
            SubstrateFault::Hog(machine, _) | SubstrateFault::FillDisk(machine, _) => Some(machine),
            SubstrateFault::OomKill(container)
            | SubstrateFault::HogInside(container, _)
            | SubstrateFault::Leak(container, _) => self
                .substrate
                .container(container)
                .and_then(|row| self.substrate.sandbox(row.sandbox))
                .map(|row| row.machine),
            _ => None,
        };
        if let Some(machine) = machine {
            self.hit(index, machine);
        }
        self.faults.list[index].strains.push(wish);
        self.on_substrate(|substrate, scope| substrate.fault(wish, scope));
    }

    /// Puts a standing fault into force.
    pub(super) fn stand(&mut self, index: usize, rule: Rule) {
        let mut id = None;
        self.on_substrate(|substrate, scope| id = Some(substrate.add_rule(rule, scope)));
        self.faults.list[index].rule = id;
    }

    pub(super) fn not_applicable(&mut self, spec: &FaultSpec) -> bool {
        self.note("fault", "skip", "fault", spec.kind.name(), Detail::None);
        false
    }

    pub(super) fn hit(&mut self, index: usize, machine: MachineId) {
        let name: Arc<str> = self.machine_text(machine).into();
        let fault = &mut self.faults.list[index];
        if !fault.machines.contains(&name) {
            fault.machines.push(name);
        }
    }

    pub(super) fn note_fault(&mut self, spec: &FaultSpec, machine: MachineId) {
        let name = self.machine_text(machine).to_owned();
        self.note("fault", spec.kind.name(), "node", &name, Detail::None);
    }

    pub(super) fn machine_list(&self, names: &str) -> Vec<MachineId> {
        names
            .split(',')
            .filter_map(|name| self.target_machine(name.trim()))
            .collect()
    }

    /// The machine that a fault's target means: a machine's name, or `of:WORKLOAD`.
    pub fn target_machine(&self, target: &str) -> Option<MachineId> {
        match target.strip_prefix("of:") {
            Some(_) => Some(
                self.substrate
                    .sandbox(self.target_sandbox(target)?)?
                    .machine,
            ),
            None => self.machine(target),
        }
    }

    /// The sandbox that a fault's target means: `of:WORKLOAD` or a workload's name (its first
    /// replica), `pod/NAME`, `task/NAME`, `container/NAME`.
    pub(super) fn target_sandbox(&self, target: &str) -> Option<SandboxId> {
        if let Some((_, name)) = target.split_once('/') {
            return match &self.plane {
                Plane::Kubernetes(plane) => plane.sandbox_named(name, &self.symbols),
                Plane::Swarm(plane) => plane.sandbox_named(name, &self.symbols),
                Plane::Compose(plane) => plane.sandbox_named(name, &self.symbols),
            };
        }
        let workload = target.strip_prefix("of:").unwrap_or(target);
        self.sandboxes_of(workload).first().copied()
    }

    /// Sandboxes of a workload's replicas in the plane's own order.
    pub fn sandboxes_of(&self, workload: &str) -> Vec<SandboxId> {
        match &self.plane {
            Plane::Kubernetes(plane) => plane.sandboxes_of(workload, &self.symbols),
            Plane::Swarm(plane) => plane.sandboxes_of(workload, &self.symbols),
            Plane::Compose(plane) => plane.sandboxes_of(workload, &self.symbols),
        }
    }
}
