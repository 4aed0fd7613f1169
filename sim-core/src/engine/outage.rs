//! Faults of Kubernetes' control plane and agents, and drains: from a specification to what the
//! plane is told. Other orchestrators have no such parts; there these faults do not apply, but for
//! the drain of a Swarm node.

use std::sync::Arc;

use crate::base::time::SimDuration;
use crate::des::notice::Detail;
use crate::kube::Request;
use crate::kube::control_plane::{Outage, Part};
use crate::kube::kinds;
use crate::kube::stale::Reader;
use crate::substrate::order::MachineId;
use crate::swarm::control_api::NodeChange;
use crate::swarm::state::Availability;

use super::command::{FaultKind, FaultSpec};
use super::event::Event;
use super::fault::{Fault, FaultState};
use super::world::{Plane, World};

/// How much longer a commit takes unless the fault says how much: what a disk with an exhausted
/// budget of operations does to etcd.
const COMMIT_DELAY: SimDuration = SimDuration::from_millis(500);
/// How much longer an answer of the API server takes unless the fault says how much: half of the
/// second that its service level allows a call for one object.
/// Source: kubernetes/community `sig-scalability/slos/api_call_latency.md`.
const ANSWER_DELAY: SimDuration = SimDuration::from_millis(500);
/// Time between two tries to evict a pod that its budget protects.
/// Source: `staging/src/k8s.io/kubectl/pkg/drain/drain.go`.
const DRAIN_RETRY: SimDuration = SimDuration::from_secs(5);

impl World {
    /// Begins a fault of the control plane or of an agent. `None`: this world has no such part.
    pub(super) fn begin_outage(&mut self, index: usize, spec: &FaultSpec) -> Option<()> {
        if spec.kind == FaultKind::NodeDrain {
            return self.begin_drain(index, spec);
        }
        if !matches!(self.plane, Plane::Kubernetes(_)) {
            return None;
        }
        match spec.kind {
            FaultKind::KubeletKill | FaultKind::RuntimeKill => {
                let machine = self.target_machine(&spec.target)?;
                self.hit(index, machine);
                self.note_fault(spec, machine);
                self.agent(spec.kind, machine, false);
            }
            FaultKind::WatchStale => {
                let reader = self.reader_of(spec)?;
                if let Reader::Agent(machine) = reader {
                    self.hit(index, machine);
                }
                self.note_target(spec, "process");
                self.watch_lags(reader, spec, true);
            }
            _ => {
                let outage = self.outage_of(spec)?;
                if let Outage::Member(machine) = outage {
                    self.hit(index, machine);
                }
                let target = match outage {
                    Outage::ApiServers | Outage::Answer(_) => "kube-apiserver".to_owned(),
                    Outage::Commit(_) => "etcd".to_owned(),
                    Outage::Process(part) => part.name().to_owned(),
                    Outage::Member(machine) => self.machine_text(machine).to_owned(),
                };
                self.note("fault", spec.kind.name(), "process", &target, Detail::None);
                self.break_control_plane(outage, true);
            }
        }
        Some(())
    }

    /// Ends one, as its end is asked for or its time is over.
    pub(super) fn end_outage(&mut self, index: usize, fault: &Fault) {
        let spec = &fault.spec;
        match spec.kind {
            FaultKind::NodeDrain => self.end_drain(index, fault),
            FaultKind::KubeletKill | FaultKind::RuntimeKill => {
                for name in &fault.machines {
                    if let Some(machine) = self.machine(name) {
                        self.agent(spec.kind, machine, true);
                    }
                }
            }
            FaultKind::WatchStale => {
                if let Some(reader) = self.reader_of(spec) {
                    self.watch_lags(reader, spec, false);
                }
            }
            _ => {
                if let Some(outage) = self.outage_of(spec) {
                    self.break_control_plane(outage, false);
                }
            }
        }
    }

    /// Whose watch a fault means: a process of the control plane, or a machine's kubelet.
    fn reader_of(&self, spec: &FaultSpec) -> Option<Reader> {
        match Part::parse(&spec.target) {
            Some(part) => Some(Reader::Part(part)),
            None => Some(Reader::Agent(self.target_machine(&spec.target)?)),
        }
    }

    fn watch_lags(&mut self, reader: Reader, spec: &FaultSpec, on: bool) {
        let lag = spec.strength.wait();
        self.lend_kube(|plane, context, out| plane.watch_lags(reader, lag, on, context, out));
    }

    fn outage_of(&self, spec: &FaultSpec) -> Option<Outage> {
        Some(match spec.kind {
            FaultKind::ApiserverDown => Outage::ApiServers,
            FaultKind::EtcdSlow => Outage::Commit(spec.strength.wait().unwrap_or(COMMIT_DELAY)),
            FaultKind::ApiserverSlow => {
                Outage::Answer(spec.strength.wait().unwrap_or(ANSWER_DELAY))
            }
            FaultKind::EtcdMemberLoss => {
                let machine = self.target_machine(&spec.target)?;
                let controls = self.substrate.control_machines();
                Outage::Member(*controls.iter().find(|control| **control == machine)?)
            }
            FaultKind::SchedulerDown => Outage::Process(Part::Scheduler),
            FaultKind::ControllerRestart if spec.target.is_empty() => {
                Outage::Process(Part::ControllerManager)
            }
            FaultKind::ControllerRestart => Outage::Process(Part::parse(&spec.target)?),
            _ => return None,
        })
    }

    fn break_control_plane(&mut self, outage: Outage, on: bool) {
        self.lend_kube(|plane, context, out| plane.outage(outage, on, context, out));
    }

    fn agent(&mut self, kind: FaultKind, machine: MachineId, runs: bool) {
        self.lend_kube(|plane, context, out| {
            if kind == FaultKind::KubeletKill {
                plane.agent_runs(machine, runs, context, out);
            } else {
                plane.runtime_runs(machine, runs, context, out);
            }
        });
    }

    /// `kubectl drain --force --ignore-daemonsets --delete-emptydir-data`, or `docker node update
    /// --availability drain`.
    fn begin_drain(&mut self, index: usize, spec: &FaultSpec) -> Option<()> {
        let machine = self.target_machine(&spec.target)?;
        if matches!(self.plane, Plane::Compose(_)) {
            return None;
        }
        self.hit(index, machine);
        self.note_fault(spec, machine);
        self.set_schedulable(machine, false);
        self.drain_step(u32::try_from(index).expect("faults are bounded by the console"));
        Some(())
    }

    /// Takes a cordon back, unless another drain holds the machine. Without an API server or a leader it
    /// is tried again, as a person would.
    fn end_drain(&mut self, index: usize, fault: &Fault) {
        let mut done = true;
        for name in &fault.machines {
            let holds = |(other, known): (usize, &Fault)| {
                other != index
                    && known.state == FaultState::Active
                    && known.spec.kind == FaultKind::NodeDrain
                    && known.machines.contains(name)
            };
            let is_held = self.faults.list.iter().enumerate().any(holds);
            if let Some(machine) = self.machine(name).filter(|_| !is_held) {
                done &= self.set_schedulable(machine, true);
            }
        }
        self.faults.list[index].unfinished = !done;
        if !done {
            let number = u32::try_from(index).expect("faults are bounded by the console");
            self.schedule(DRAIN_RETRY, Event::Drain(number));
        }
    }

    /// The next round of a drain, unless it was healed meanwhile.
    pub(super) fn drain_again(&mut self, number: u32) {
        let Some(fault) = self.faults.list.get(number as usize).cloned() else {
            return;
        };
        if fault.state == FaultState::Active {
            self.drain_step(number);
        } else if fault.unfinished {
            self.end_drain(number as usize, &fault);
        }
    }

    /// Asks for the eviction of every pod that is left; those that budgets protect are asked for
    /// again.
    fn drain_step(&mut self, number: u32) {
        let Some(fault) = self.faults.list.get(number as usize) else {
            return;
        };
        let name = fault.machines.first().cloned();
        let machine = name.and_then(|name| self.machine(&name));
        let (Plane::Kubernetes(plane), Some(machine)) = (&self.plane, machine) else {
            return;
        };
        let pods = plane.drainable(machine, &self.symbols);
        let mut refused = false;
        for (namespace, name) in pods {
            let request = Request::Evict {
                namespace,
                name,
                grace_seconds: None,
            };
            refused |= self.kube_request(&request).is_err();
        }
        if refused {
            self.schedule(DRAIN_RETRY, Event::Drain(number));
        }
    }

    /// Cordons a node or takes that back. Answers whether there was somebody to ask.
    fn set_schedulable(&mut self, machine: MachineId, schedulable: bool) -> bool {
        let name: Arc<str> = self.machine_text(machine).into();
        match &self.plane {
            Plane::Kubernetes(plane) => {
                let Some(kind) = kinds::of_object("v1", "Node") else {
                    return true;
                };
                let view = plane.view(&self.symbols, &self.substrate, self.now, self.seed);
                let Some(mut object) = view.get(kind, "", &name) else {
                    return true;
                };
                if schedulable {
                    object.remove_path(&["spec", "unschedulable"]);
                } else {
                    object.set_path(&["spec", "unschedulable"], true.into());
                }
                let request = Request::Update {
                    object,
                    namespace: "".into(),
                };
                // Without an API server nobody is cordoned, as with the real command.
                let answers = plane.refusal().is_none();
                let _answer = self.kube_request(&request);
                answers
            }
            Plane::Swarm(plane) => {
                let leads = plane.leader().is_some();
                let availability = if schedulable {
                    Availability::Active
                } else {
                    Availability::Drain
                };
                let request = crate::swarm::Request::UpdateNode {
                    node: name,
                    version: None,
                    change: NodeChange {
                        availability: Some(availability),
                        ..NodeChange::default()
                    },
                };
                let _answer = self.carry_out(
                    self.act(),
                    &super::command::Command::Swarm(Arc::new(request)),
                );
                leads
            }
            Plane::Compose(_) => true,
        }
    }
}
