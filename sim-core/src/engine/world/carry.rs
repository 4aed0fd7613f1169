//! What a command does to a world.

use std::sync::Arc;

use crate::base::resources::ResourceVector;
use crate::base::sentence::catalogue;
use crate::des::queue::Seq;
use crate::engine::command::{Answer, Command, MachineChange, MachineSpec, Orchestrator};
use crate::kube::Request;
use crate::kube::apiserver::thaw::uids::Extent;
use crate::kube::controllers::operators::plan::Operator;
use crate::kube::kubelet::statics::INSTALLED;
use crate::substrate::order::MachineId;
use crate::substrate::{self, Context};

use super::{Plane, World, gather};

impl World {
    pub(in crate::engine) fn carry_out(&mut self, seq: Seq, command: &Command) -> Answer {
        match command {
            Command::AddMachine(spec) => self.add_machine(seq, spec),
            Command::ChangeMachine(change) => self.change_machine(seq, change),
            Command::RemoveMachine(name) => self.remove_machine(seq, name),
            Command::Kube(request) => self.ask_kubernetes(seq, request),
            Command::Swarm(request) => {
                let Plane::Swarm(plane) = &mut self.plane else {
                    return self.wrong_world("Swarm");
                };
                Answer::Swarm(Box::new(lend!(self, seq, swarm, |context, out| plane
                    .request(request, context, out))))
            }
            Command::Compose(request) => {
                let Plane::Compose(plane) = &mut self.plane else {
                    return self.wrong_world("Compose");
                };
                Answer::Compose(Box::new(lend!(self, seq, compose, |context, out| plane
                    .request(request, context, out))))
            }
            Command::Inject(spec) => self.inject(spec),
            Command::Heal(number) => self.heal(*number),
            Command::Traffic(service, rate) => {
                let service = self.symbols.intern(service);
                let rate = u64::from(*rate) * 1_000_000;
                self.on_substrate(|substrate, scope| substrate.set_traffic(service, rate, scope));
                Answer::Done
            }
            Command::WriteFile(write) => self.write_file(write),
            Command::ChangeFile(change) => self.change_file(change),
            Command::Process(container, act) => self.process_act(*container, act),
            Command::Controllers(on, names) => self.switch_controllers(seq, *on, names),
            Command::Metric(object, metric, value) => {
                let Plane::Kubernetes(plane) = &mut self.plane else {
                    return self.wrong_world("Kubernetes");
                };
                let set = plane.set_metric(object, metric, value);
                set.map_or_else(Answer::Refused, |()| Answer::Done)
            }
            Command::Operator(operator) => self.operate(seq, Ok(operator.clone())),
            Command::StopOperator(name) => self.operate(seq, Err(name)),
            Command::Set(key, value) => self.set(seq, key, value),
        }
    }

    fn ask_kubernetes(&mut self, seq: Seq, request: &Request) -> Answer {
        let Plane::Kubernetes(plane) = &mut self.plane else {
            return self.wrong_world("Kubernetes");
        };
        let answer = lend!(self, seq, kube, |context, out| plane
            .request(request, context, out));
        if answer.is_ok() {
            self.stand_frozen(request);
        }
        Answer::Kube(Box::new(answer))
    }

    /// Switches loops on or off; no names: all of them.
    fn switch_controllers(&mut self, seq: Seq, on: bool, names: &[Arc<str>]) -> Answer {
        if on {
            self.stand_for_nodes(seq);
        }
        let Plane::Kubernetes(plane) = &mut self.plane else {
            return self.wrong_world("Kubernetes");
        };
        let result = lend!(self, seq, kube, |context, out| {
            if on {
                // Who tries single loops has loaded all that they are to see.
                let extent = if names.is_empty() {
                    Extent::Part
                } else {
                    Extent::Whole
                };
                plane.thaw(extent, context, out);
            }
            plane.switch(on, names, out)
        });
        result.map_or_else(|why| Answer::Refused(why.into()), |()| Answer::Done)
    }

    /// Starts an operator, or stops the one of a name.
    fn operate(&mut self, seq: Seq, operator: Result<Arc<Operator>, &str>) -> Answer {
        let Plane::Kubernetes(plane) = &mut self.plane else {
            return self.wrong_world("Kubernetes");
        };
        let result = lend!(self, seq, kube, |context, out| plane
            .operate(operator, context, out));
        result.map_or_else(Answer::Refused, |()| Answer::Done)
    }

    fn set(&mut self, seq: Seq, key: &str, value: &str) -> Answer {
        let result = match &mut self.plane {
            Plane::Kubernetes(plane) => plane.set(key, value),
            Plane::Swarm(plane) => plane.set(key, value),
            Plane::Compose(plane) => plane.set(key, value),
        };
        if result.is_ok()
            && let Plane::Kubernetes(plane) = &mut self.plane
        {
            lend!(self, seq, kube, |context, out| plane
                .settings_changed(context, out));
        }
        result.map_or_else(Answer::Refused, |()| Answer::Done)
    }

    fn remove_machine(&mut self, seq: Seq, name: &str) -> Answer {
        let Some(machine) = self.machine(name) else {
            return Answer::Refused(catalogue::NO_MACHINE.with(&[("word", &name)]));
        };
        lend_any!(self, seq, |plane, context, out| plane
            .machine_removed(machine, context, out));
        self.on_substrate(|substrate, scope| substrate.remove_machine(machine, scope));
        Answer::Done
    }

    fn wrong_world(&self, wanted: &str) -> Answer {
        let names: [(_, &dyn std::fmt::Display); 2] =
            [("runs", &self.orchestrator.name()), ("wanted", &wanted)];
        Answer::Refused(catalogue::WRONG_WORLD.with(&names))
    }

    pub(in crate::engine) fn add_machine(&mut self, seq: Seq, spec: &MachineSpec) -> Answer {
        if !self.give_way(&spec.name) {
            return Answer::Refused(catalogue::MACHINE_THERE.with(&[("word", &spec.name)]));
        }
        let Some(machine) = self.make_machine(spec) else {
            return Answer::Refused(catalogue::MACHINE_THERE.with(&[("word", &spec.name)]));
        };
        lend_any!(self, seq, |plane, context, out| plane.machine_added(
            machine,
            &spec.setup,
            context,
            out
        ));
        Answer::Done
    }

    /// Adds a machine that its plane hears nothing of.
    pub(in crate::engine) fn make_machine(&mut self, spec: &MachineSpec) -> Option<MachineId> {
        let mut capacity = ResourceVector {
            milli_cpu: spec.milli_cpu,
            memory: spec.memory_bytes,
            ephemeral_storage: i64::try_from(spec.profile.disk_bytes).unwrap_or(i64::MAX),
            ..ResourceVector::default()
        };
        for (resource, amount) in &spec.extended {
            capacity.set_extended(self.symbols.intern(resource), *amount);
        }
        let name = self.symbols.intern(&spec.name);
        let zone = (!spec.zone.is_empty()).then(|| self.symbols.intern(&spec.zone));
        let made = substrate::machine::MachineSpec {
            name,
            capacity,
            zone,
            control: spec.setup.control
                || (spec.setup.manager && self.orchestrator == Orchestrator::Swarm),
            profile: spec.profile,
            // Of Swarm's agent it is only what it says.
            address: spec
                .setup
                .address
                .as_ref()
                .filter(|_| self.orchestrator == Orchestrator::Kubernetes)
                .and_then(|text| text.parse::<std::net::Ipv4Addr>().ok())
                .map(u32::from),
            subnet: spec.subnet,
        };
        let mut added = None;
        self.on_substrate(|substrate, scope| added = substrate.add_machine(made, scope));
        if let Some(machine) = added
            && self.orchestrator == Orchestrator::Kubernetes
        {
            self.substrate
                .make_directories(machine, &INSTALLED, self.now);
        }
        added
    }

    /// Swarm's agents tell what their machine has when it changes; a kubelet tells when it starts,
    /// which is not modelled, and nobody asks on a single host.
    #[inline(never)]
    fn change_machine(&mut self, seq: Seq, change: &MachineChange) -> Answer {
        let Some(machine) = self.machine(&change.name) else {
            return Answer::Refused(catalogue::NO_MACHINE.with(&[("word", &change.name)]));
        };
        if !matches!(self.plane, Plane::Swarm(_)) {
            return Answer::Refused(catalogue::ONLY_SWARM_CHANGES.plain());
        }
        let mut capacity = self
            .substrate
            .machine(machine)
            .map(|row| row.capacity.clone())
            .unwrap_or_default();
        capacity.milli_cpu = change.milli_cpu.unwrap_or(capacity.milli_cpu);
        capacity.memory = change.memory_bytes.unwrap_or(capacity.memory);
        for (resource, amount) in &change.extended {
            capacity.set_extended(self.symbols.intern(resource), *amount);
        }
        self.substrate.set_capacity(machine, capacity);
        if let Plane::Swarm(plane) = &mut self.plane {
            lend!(self, seq, swarm, |context, out| plane
                .machine_changed(machine, context, out));
        }
        Answer::Done
    }
}
