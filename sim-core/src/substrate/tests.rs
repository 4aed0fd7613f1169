//! The machines driven through orders, in a small loop that stands for the engine.

use std::sync::Arc;

use super::net::flow::{DEFAULT_RATE, Share};
use super::order::{
    Backend, BalanceMode, BalancerSpec, ContainerId, ContainerSpec, Entry, MachineId, Order, Owner,
    ProbeAction, ProbePacing, ProbeSpec, PullError, PullPolicy, SandboxId, SubstrateFault, Upcall,
};
use super::rule::{Rule, Side};
use super::*;
use crate::base::resources::ResourceVector;
use crate::base::time::SimDuration;

mod lifecycle;
mod probes;
mod storage;
mod users;

/// A world of machines without a plane: every upcall is kept with its time.
struct Rig {
    now: SimTime,
    symbols: Symbols,
    substrate: Substrate,
    pending: Vec<(SimTime, u64, Event)>,
    scheduled: u64,
    heard: Vec<(SimTime, Upcall)>,
    notices: Vec<Notice>,
}

impl Rig {
    /// A control machine `control-1` and workers `worker-1` … with it.
    fn new(workers: u32) -> (Self, Vec<MachineId>) {
        let mut rig = Self {
            now: SimTime::ZERO,
            symbols: Symbols::new(),
            substrate: Substrate::new(),
            pending: Vec::new(),
            scheduled: 0,
            heard: Vec::new(),
            notices: Vec::new(),
        };
        let mut machines = vec![rig.machine("control-1", true)];
        for number in 1..=workers {
            machines.push(rig.machine(&format!("worker-{number}"), false));
        }
        (rig, machines)
    }

    fn machine(&mut self, name: &str, control: bool) -> MachineId {
        let name = self.symbols.intern(name);
        let spec = machine::MachineSpec {
            name,
            capacity: ResourceVector::new(),
            zone: None,
            control,
            profile: Default::default(),
            address: None,
            subnet: None,
        };
        self.with(|substrate, scope| substrate.add_machine(spec, scope))
            .expect("a new name")
    }

    fn with<R>(&mut self, act: impl FnOnce(&mut Substrate, &mut Scope<'_>) -> R) -> R {
        let mut out = SubstrateOutbox::new();
        let mut scope = Scope {
            now: self.now,
            seed: Seed(7),
            symbols: &self.symbols,
            out: &mut out,
        };
        let result = act(&mut self.substrate, &mut scope);
        for (span, event) in out.drain_after() {
            self.scheduled += 1;
            self.pending.push((self.now + span, self.scheduled, event));
        }
        self.heard
            .extend(out.drain_orders().map(|upcall| (self.now, upcall)));
        self.notices.extend(out.drain_notices());
        result
    }

    fn order(&mut self, order: Order) {
        self.with(|substrate, scope| substrate.order(order, scope));
    }

    fn fault(&mut self, fault: SubstrateFault) {
        self.with(|substrate, scope| substrate.fault(fault, scope));
    }

    fn run_until(&mut self, seconds: u64) {
        let limit = SimTime::ZERO + SimDuration::from_secs(seconds);
        loop {
            self.pending.sort_by_key(|(at, number, _)| (*at, *number));
            if self.pending.first().is_none_or(|(at, _, _)| *at > limit) {
                break;
            }
            let (at, _, event) = self.pending.remove(0);
            self.now = at;
            self.with(|substrate, scope| substrate.handle(event, scope));
        }
        self.now = limit;
    }

    fn sandbox(&mut self, machine: MachineId) -> SandboxId {
        self.order(Order::CreateSandbox {
            owner: OWNER,
            machine,
            spec: Arc::default(),
        });
        match self.heard.last() {
            Some((_, Upcall::SandboxCreated { sandbox, .. })) => *sandbox,
            other => panic!("no sandbox: {other:?}"),
        }
    }

    fn start(&mut self, sandbox: SandboxId, spec: ContainerSpec) -> ContainerId {
        self.order(Order::Start {
            owner: OWNER,
            sandbox,
            spec: Arc::new(spec),
        });
        match self.heard.last() {
            Some((_, Upcall::ContainerCreated { container, .. })) => *container,
            other => panic!("no container: {other:?}"),
        }
    }

    fn spec(&mut self, image: &str, command: &[&str]) -> ContainerSpec {
        ContainerSpec {
            name: self.symbols.intern("main"),
            image: self.symbols.intern(image),
            command: command.iter().map(|word| Arc::from(*word)).collect(),
            arguments: Arc::from([]),
            environment: Arc::from([]),
            ports: Arc::from([]),
            any_but: None,
            requests: ResourceVector::new(),
            limits: ResourceVector::new(),
            group: Default::default(),
            oom: Default::default(),
            mounts: Arc::from([]),
            root: Arc::default(),
            joins: None,
            probes: Arc::from([]),
        }
    }

    /// When the process of a container started.
    fn started(&self, container: ContainerId) -> SimTime {
        let found = self.heard.iter().find_map(|(at, upcall)| match upcall {
            Upcall::Started { container: of, .. } if *of == container => Some(*at),
            _ => None,
        });
        found.expect("it started")
    }

    /// Milliseconds after its start, and code, of a container's end.
    fn exited(&self, container: ContainerId) -> Option<(u64, i32)> {
        self.heard.iter().find_map(|(at, upcall)| match upcall {
            Upcall::Exited {
                container: of,
                code,
                ..
            } if *of == container => Some((at.since(self.started(container)).as_millis(), *code)),
            _ => None,
        })
    }
}

const OWNER: Owner = Owner {
    slot: 1,
    generation: 1,
    part: 0,
};

fn second(count: u64) -> SimDuration {
    SimDuration::from_secs(count)
}
