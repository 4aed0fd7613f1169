//! Faults: from a specification to what the machines do.

use std::sync::Arc;

use crate::base::sentence::catalogue;
use crate::base::time::SimTime;
use crate::des::notice::Detail;
use crate::substrate::order::{MachineId, SandboxId, SubstrateFault};
use crate::substrate::rule::{Rule, RuleId};

use super::command::{Answer, FaultKind, FaultSpec};
use super::event::Event;
use super::world::{Plane, World};

mod begin;
mod end;

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
        let before = self.served_before_fault();
        let applied = self.begin(index, &spec).is_some();
        let fault = &mut self.faults.list[index];
        fault.begun = Some(self.now);
        if !applied {
            fault.state = FaultState::NotApplicable;
            self.note("fault", "skip", "fault", spec.kind.name(), Detail::None);
            return;
        }
        fault.state = FaultState::Active;
        let machines = fault.machines.clone();
        self.observer
            .fault_began(number, self.now, machines, before);
        if !spec.is_momentary() {
            if let Some(duration) = spec.duration {
                self.schedule(duration, Event::FaultEnds(number));
            }
            return;
        }
        if spec.kind == FaultKind::ControllerRestart {
            let fault = self.faults.list[index].clone();
            self.end_outage(index, &fault);
        }
        let fault = &mut self.faults.list[index];
        fault.state = FaultState::Ended;
        fault.ended = Some(self.now);
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

    /// Remembers that a fault hits a machine.
    pub(super) fn hit(&mut self, index: usize, machine: MachineId) {
        let name: Arc<str> = self.machine_text(machine).into();
        let fault = &mut self.faults.list[index];
        if !fault.machines.contains(&name) {
            fault.machines.push(name);
        }
    }

    /// Notes that a fault begins on a machine.
    pub(super) fn note_fault(&mut self, spec: &FaultSpec, machine: MachineId) {
        let name = self.machine_text(machine).to_owned();
        self.note("fault", spec.kind.name(), "node", &name, Detail::None);
    }

    /// Notes that a fault begins on what its target says.
    pub(super) fn note_target(&mut self, spec: &FaultSpec, kind: &'static str) {
        let name = spec.kind.name();
        self.note("fault", name, kind, &spec.target, Detail::None);
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
