//! What breaks and mends.

use sim_core::protocol::{FaultMark, Request};

use super::Control;
use crate::links::mending;
use crate::model::Action;

impl Control {
    /// Plans a fault, or causes it at once where no time is given or the time is now.
    pub fn plan_fault(&self, kind: &str, machine: &str, at_us: Option<u64>) {
        match at_us {
            Some(at) => {
                // What lies in the past is done there, on a branch of its own.
                if at < self.model().shown.clock.now_us {
                    self.seek(at);
                    self.break_machine(kind, machine);
                } else {
                    let text = self.fault_text(kind, machine);
                    let seconds = format!("{}.{:03}", at / 1_000_000, at / 1_000 % 1_000);
                    self.perform(&Request::Inject(format!("{text} at {seconds}s")));
                }
            }
            None => self.break_machine(kind, machine),
        }
    }

    /// Goes to the next or the previous begin of a fault.
    pub fn seek_fault(&self, forward: bool) {
        let model = self.model();
        let now = model.shown.clock.now_us;
        let times = model.shown.faults.iter().filter_map(FaultMark::begins_us);
        let found = if forward {
            times.filter(|at| *at > now).min()
        } else {
            times.filter(|at| *at < now).max()
        };
        if let Some(at) = found {
            self.seek(at);
        }
    }

    /// Breaks a machine on every orchestrator.
    pub fn kill_machine(&self, machine: &str) {
        if !machine.is_empty() {
            self.act(Action::Aim(machine.to_owned()));
            self.perform(&Request::Inject(format!("node-crash {machine}")));
        }
    }

    /// Mends what keeps a machine down.
    pub fn heal_machine(&self, machine: &str) {
        if let Some(fault) = self.model().fault_on(machine) {
            self.perform(&Request::Heal(Some(fault)));
        }
    }

    /// Cuts a link between two machines, now or at a time, or mends it.
    pub fn cut(&self, link: &str, at_us: Option<u64>) {
        let model = self.model();
        match mending(&model.shown.faults, link, model.shown.clock.now_us) {
            mending if !mending.is_empty() => self.perform_all(&mending),
            _ => self.plan_fault("partition", link, at_us),
        }
    }

    /// Kills a pod, task or container.
    pub fn kill_unit(&self, name: &str) {
        self.perform(&Request::Inject(format!("pod-kill {name}")));
    }

    /// Breaks a machine in another way: `node-reboot`, `partition` from all others, `registry-down`.
    pub fn break_machine(&self, kind: &str, machine: &str) {
        let text = self.fault_text(kind, machine);
        self.perform(&Request::Inject(text));
    }

    pub(super) fn fault_text(&self, kind: &str, machine: &str) -> String {
        let model = self.model();
        match kind {
            "registry-down" => "registry-down".to_owned(),
            // Of a machine it is a replica of the service on the charts that has to go.
            "oom" if model.shown.workers.iter().any(|name| name == machine) => {
                format!("oom of:{}", model.charted())
            }
            // Both ends are named already.
            "partition" if !machine.contains('|') => {
                let others = model.others_of(machine);
                format!("partition {machine}|{}", others.join(","))
            }
            kind => format!("{kind} {machine}"),
        }
    }
}
