//! How each kind of fault ends.

use std::sync::Arc;

use crate::des::notice::Detail;
use crate::substrate::order::SubstrateFault;

use super::super::command::FaultKind;
use super::super::world::World;
use super::{Fault, FaultState};

impl World {
    /// Ends a fault: what is in force is taken back, what waits for its time does not begin.
    pub(in crate::engine) fn fault_ends(&mut self, number: u32) {
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
        self.end(index, &fault);
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

    fn end(&mut self, index: usize, fault: &Fault) {
        match fault.spec.kind {
            FaultKind::NodeCrash
            | FaultKind::ZoneOutage
            | FaultKind::LeaderLoss
            | FaultKind::NodeShutdown
            | FaultKind::KernelPanic => self.power_on(&fault.machines),
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
                for wish in &fault.strains {
                    let end = self.back(*wish);
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
            | FaultKind::NodeDrain => self.end_outage(index, fault),
            FaultKind::NodeReboot
            | FaultKind::PodKill
            | FaultKind::ContainerKill
            | FaultKind::Oom => {}
        }
    }

    fn power_on(&mut self, machines: &[Arc<str>]) {
        for name in machines {
            if let Some(machine) = self.machine(name) {
                let on = SubstrateFault::PowerOn(machine);
                self.on_substrate(|substrate, scope| substrate.fault(on, scope));
            }
        }
    }

    /// What takes a strain back.
    fn back(&self, wish: SubstrateFault) -> SubstrateFault {
        match wish {
            SubstrateFault::Hog(machine, _) => SubstrateFault::Hog(machine, 0),
            SubstrateFault::HogInside(container, _) => {
                let row = self.substrate.container(container);
                SubstrateFault::HogInside(container, row.map_or(0, |row| row.behaviour.busy))
            }
            SubstrateFault::Leak(container, _) => SubstrateFault::Leak(container, 0),
            SubstrateFault::FillDisk(machine, _) => SubstrateFault::FillDisk(machine, 0),
            SubstrateFault::TurnClock(machine, by) => SubstrateFault::TurnClock(machine, -by),
            SubstrateFault::CutStorage(machine, _) => SubstrateFault::CutStorage(machine, false),
            other => other,
        }
    }
}
