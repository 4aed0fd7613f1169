//! Agents that stop and start while their machines run on, and runtimes that answer nobody.
//!
//! While a runtime is down its shims keep the containers running: nothing is started or stopped, and
//! no relist sees an end. The plane holds the orders back; here the agent's own knowledge stands.
//! Sources: `pkg/kubelet/runtime.go`, `pkg/kubelet/kubelet.go` (`syncLoop`).

use crate::base::arrange::Arrange;
use crate::base::name::Name;
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::{Detail, Notice, Subject};
use crate::kube::rows::{NodeId, PodId};
use crate::kube::store::events::{Message, NewEvent};
use crate::substrate::Substrate;
use crate::substrate::order::{MachineId, Order};

use super::desk::Desk;
use super::{AGENT_START, Event, Kubelets};

/// Time after which an agent says that its runtime is down.
/// Source: `pkg/kubelet/kubelet.go` (`maxWaitForContainerRuntime`).
pub const RUNTIME_PATIENCE: SimDuration = SimDuration::from_secs(30);

impl Kubelets {
    /// An agent ends. Its containers run on and nobody looks after them.
    pub fn stop_agent(&mut self, machine: MachineId, desk: &mut Desk<'_, '_>) {
        let trouble = self.trouble.entry(machine).or_default();
        trouble.down = true;
        trouble.starting = false;
        trouble.blind = false;
        trouble.restarted = true;
        note(machine, "exit", desk);
    }

    /// An agent is started again.
    pub fn start_agent(&mut self, machine: MachineId, desk: &mut Desk<'_, '_>) {
        let Some(trouble) = self.trouble.get_mut(&machine) else {
            return;
        };
        if !desk
            .ctx
            .machines
            .machine(machine)
            .is_some_and(|row| row.is_on())
        {
            // It starts with the machine.
            return;
        }
        trouble.starting = true;
        let at = desk.now() + AGENT_START;
        desk.at(at, Event::AgentUp(machine));
    }

    /// A runtime answers no more.
    pub fn stop_runtime(&mut self, machine: MachineId, desk: &mut Desk<'_, '_>) {
        let now = desk.now();
        self.dead_runtimes.insert(machine, now);
        note(machine, "runtime-down", desk);
    }

    /// A runtime answers again: what happened meanwhile is seen by the next relist.
    pub fn start_runtime(&mut self, machine: MachineId, desk: &mut Desk<'_, '_>) {
        self.dead_runtimes.remove(&machine);
        note(machine, "runtime-up", desk);
        let Some(node) = desk.store.node_of(machine) else {
            return;
        };
        let mut pods: Vec<PodId> = desk.store.pods_on(node).map(|(pod, _)| pod).collect();
        pods.arrange();
        pods.extend(self.departed_on(machine));
        for pod in pods {
            if let Some(worker) = self.awake(pod).filter(|worker| !worker.finished) {
                desk.request_relist(worker);
            }
        }
    }

    /// Whether any runtime is down: then orders are looked at.
    pub fn has_dead_runtimes(&self) -> bool {
        !self.dead_runtimes.is_empty()
    }

    /// Since when a machine's runtime answers nobody.
    pub fn runtime_down(&self, machine: MachineId) -> Option<SimTime> {
        self.dead_runtimes.get(&machine).copied()
    }

    /// Whether a node's agent says that its runtime is down.
    pub fn misses_runtime(&self, node: NodeId, store: &super::Store, now: SimTime) -> bool {
        store
            .node(node)
            .and_then(|row| self.runtime_down(row.machine))
            .is_some_and(|since| since + RUNTIME_PATIENCE <= now)
    }

    /// The machine whose runtime an order is for, if that runtime is down.
    pub fn dead_runtime_of(&self, order: &Order, machines: &Substrate) -> Option<MachineId> {
        let of_sandbox = |sandbox| machines.sandbox(sandbox).map(|row| row.machine);
        let of_container = |container| {
            let row = machines.container(container)?;
            machines.sandbox(row.sandbox).map(|row| row.machine)
        };
        let machine = match order {
            Order::CreateSandbox { machine, .. } | Order::Pull { machine, .. } => Some(*machine),
            Order::RemoveSandbox { sandbox }
            | Order::StopSandbox { sandbox }
            | Order::ResizeSandbox { sandbox, .. }
            | Order::Start { sandbox, .. } => of_sandbox(*sandbox),
            Order::Stop { container, .. }
            | Order::Kill { container }
            | Order::Resize { container, .. }
            | Order::RemoveContainer { container } => of_container(*container),
            Order::PowerOff { .. }
            | Order::AddImage { .. }
            | Order::RemoveImage { .. }
            | Order::RemoveLayer { .. }
            | Order::RemoveVolume { .. }
            | Order::RemoveDirectories { .. }
            | Order::RemoveDisk { .. }
            | Order::ProbeNow { .. }
            | Order::ProbeQuiet { .. }
            | Order::SetBalancer { .. }
            | Order::RemoveBalancer { .. }
            | Order::SetLevel { .. }
            | Order::SetFilter { .. }
            | Order::HoldSubnets { .. }
            | Order::FreeSubnets { .. }
            | Order::BindPort { .. } => None,
        };
        machine.filter(|machine| self.runtime_down(*machine).is_some())
    }
}

/// `Starting kubelet.`, as every start says it.
pub fn record_start(machine: MachineId, desk: &mut Desk<'_, '_>) {
    let Some(name) = desk.ctx.machines.machine(machine).map(|row| row.name) else {
        return;
    };
    let event = NewEvent::of_node(name, false, "Starting", Message::Plain("Starting kubelet."));
    let now = desk.now();
    desk.store.record(event, now);
    note(machine, "restart", desk);
}

pub(super) fn note(machine: MachineId, verb: &'static str, desk: &mut Desk<'_, '_>) {
    let Some(name) = desk.ctx.machines.machine(machine).map(|row| row.name) else {
        return;
    };
    desk.out.notice(Notice {
        source: "kube.kubelet",
        verb,
        subject: Subject {
            kind: "node",
            name: Name::plain(name),
        },
        detail: Detail::None,
        rule: None,
    });
}
