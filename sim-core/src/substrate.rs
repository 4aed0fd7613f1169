//! The machines: power, links, images, sandboxes, containers, programs and the rules that requests
//! follow. Knows nothing of pods, tasks or services.
//!
//! ```text
//! plane ──Order──▶ Substrate ──Upcall──▶ plane          (in the same event)
//!                     │  ▲
//!              Event after a span (start, pull, verdict, boot)
//! ```
//!
//! What stays as it is costs nothing: no probe, request or process that changes nothing has an
//! event. For 150,000 running containers that means about 128 bytes each for container and sandbox,
//! 64 for a probe, 32 for a place behind a balancer, and an empty queue.

pub mod bound;
pub mod cache;
pub mod catalogue;
pub mod cgroup;
pub mod container;
pub mod disk;
pub mod root_fs;
mod ending;
pub mod errno;
pub mod file;
pub mod health;
pub mod image;
pub mod kernel;
pub mod layer;
pub mod load;
pub mod machine;
pub mod memory;
pub mod namespace;
pub mod net;
pub mod order;
mod panic;
pub mod pressure;
pub mod process;
pub mod profile;
pub mod program;
pub mod registry;
pub mod rule;
pub mod runtime;
pub mod sandbox;
pub mod script;
pub mod task;
pub mod usage;
pub mod volume;

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::base::glance::glance;
use crate::base::hash::FxHashMap;
use crate::base::rng::Seed;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::symbol::{Symbol, Symbols};
use crate::base::table::Table;
use crate::base::time::SimTime;
use crate::des::choice::Choices;
use crate::des::notice::Notice;
use crate::des::outbox::Outbox;
use crate::des::queue::Seq;

use container::Container;
use health::{Probe, ProbeId};
use machine::Machine;
use net::balancer::{Balancer, Member};
use net::link::Sides;
use order::{
    ContainerId, ContainerSpec, MachineId, Order, Owner, SandboxId, SubstrateFault, Upcall,
};
use program::Behaviour;
use registry::{Images, Pull, PullId};
use rule::{Rule, RuleId};
use sandbox::Sandbox;

/// What a plane's handler returns: its own events to come, orders to the machines, trace lines.
pub type PlaneOutbox<E> = Outbox<E, Order, Notice>;

/// What the machines return: their own events to come, upcalls to the plane, trace lines.
pub type SubstrateOutbox = Outbox<Event, Upcall, Notice>;

/// What a plane's handler may read besides itself.
#[derive(Debug)]
pub struct Context<'a> {
    /// Now.
    pub now: SimTime,
    /// The event being handled.
    pub seq: Seq,
    /// Seed of the run; random numbers are drawn from named streams of it.
    pub seed: Seed,
    /// Where upstream leaves an order open, it is chosen here.
    pub choices: &'a mut Choices,
    /// Interned text.
    pub symbols: &'a mut Symbols,
    /// The machines, read-only: for agents, never for control planes.
    pub machines: &'a Substrate,
}

/// What every change to the machines is given: the time, the run's luck, text, and where wishes go.
#[derive(Debug)]
pub struct Scope<'a> {
    /// Now.
    pub now: SimTime,
    /// Seed of the run.
    pub seed: Seed,
    /// Interned text.
    pub symbols: &'a Symbols,
    /// Events to come, upcalls and notices.
    pub out: &'a mut SubstrateOutbox,
}

/// A fact about the machines that was scheduled. An event that the plan has overtaken does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A machine's boot ends.
    Booted {
        /// Which.
        machine: MachineId,
    },
    /// A pull ends.
    Pull {
        /// Which.
        pull: PullId,
    },
    /// A sandbox's network is set up.
    SandboxMade {
        /// Which.
        sandbox: SandboxId,
    },
    /// A container's process starts or ends.
    Step {
        /// Which.
        container: ContainerId,
    },
    /// A health check's verdict changes.
    Probe {
        /// Which.
        probe: ProbeId,
    },
    /// A program behind a balancer becomes ready.
    Serving {
        /// Where.
        sandbox: SandboxId,
    },
    /// What a machine's agent says begins to get lost, or comes through again.
    Silence {
        /// Whose.
        machine: MachineId,
    },
    /// Certificates become valid by a machine's clock.
    Trust {
        /// Whose.
        machine: MachineId,
    },
    /// A machine's or a container's memory may be used up.
    Memory {
        /// Where.
        machine: MachineId,
    },
}

const _: () = assert!(
    size_of::<Event>() <= 16,
    "events are kept by the hundred thousand"
);

/// How a container is run, as far as that decides how it behaves.
#[derive(Clone, Debug)]
struct BehaviourKey(Arc<ContainerSpec>);

impl BehaviourKey {
    fn parts(&self) -> impl Hash + Eq {
        let spec = &*self.0;
        (
            spec.image,
            &*spec.command,
            &*spec.arguments,
            &*spec.ports,
            spec.any_but.as_deref(),
            &*spec.mounts,
        )
    }
}

impl PartialEq for BehaviourKey {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.parts() == other.parts()
    }
}

impl Eq for BehaviourKey {}

impl Hash for BehaviourKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

/// Everything physical. A clone is a snapshot and shares what neither changes.
#[derive(Clone, Debug)]
pub struct Substrate {
    machines: Table<Machine>,
    sandboxes: Table<Sandbox>,
    containers: Table<Container>,
    probes: Table<Probe>,
    pulls: Table<Pull>,
    members: Table<Member>,
    machine_names: FxHashMap<Symbol, MachineId>,
    controls: Vec<MachineId>,
    images: Arc<Images>,
    behaviours: Arc<FxHashMap<BehaviourKey, Arc<Behaviour>>>,
    /// From when until when the control plane's certificates are valid, in microseconds.
    certificates: Option<(i64, i64)>,
    /// Whether any machine's clock was ever turned.
    odd_clocks: bool,
    rules: SortedMap<RuleId, Arc<Rule>>,
    next_rule: u32,
    sides: Sides,
    balancers: SortedMap<u32, Arc<Balancer>>,
    /// Sandboxes whose requests are to be added up before the call ends.
    unsummed: Vec<SandboxId>,
    /// Owners of sandboxes whose containers changed, since [`Self::settle_stirred`].
    stirred: Vec<Owner>,
    /// Balancers whose share is to be worked out before the call ends.
    touched: Vec<u32>,
    /// Counts the times that rules were programmed.
    revision: u64,
    rates: FxHashMap<Symbol, u64>,
    network: u32,
    next_subnet: u32,
    /// Whose subnets are which, by number: no other machine gets one.
    subnets: SortedMap<u32, MachineId>,
    /// Addresses of sandboxes that are not from their machines' subnets.
    foreign: SortedSet<u32>,
    /// The disk of the machines that were set up last, as it was then.
    installed: Arc<root_fs::Disk>,
    /// Machines whose sandboxes nothing joins to others'.
    bridged: u32,
    /// Addresses in use on machines' own networks.
    ranges: SortedMap<net::address::RangeKey, net::address::Range>,
    /// Addresses of sandboxes with more than one, in the order of their plugs.
    plugged: SortedMap<SandboxId, Arc<[u32]>>,
    /// Ports at which users' requests get to sandboxes that not all are let into.
    filters: SortedMap<SandboxId, Arc<[(u16, u16)]>>,
    /// Disks over the network whose last machine is gone.
    detached: Arc<SortedMap<Arc<str>, file::Tree>>,
}

impl Default for Substrate {
    fn default() -> Self {
        Self::new()
    }
}

impl Substrate {
    /// No machines.
    pub fn new() -> Self {
        Self {
            machines: Table::new(),
            sandboxes: Table::new(),
            containers: Table::new(),
            probes: Table::new(),
            pulls: Table::new(),
            members: Table::new(),
            machine_names: FxHashMap::default(),
            controls: Vec::new(),
            images: Arc::default(),
            behaviours: Arc::default(),
            certificates: None,
            odd_clocks: false,
            rules: SortedMap::new(),
            next_rule: 1,
            sides: Sides::default(),
            balancers: SortedMap::new(),
            unsummed: Vec::new(),
            stirred: Vec::new(),
            touched: Vec::new(),
            revision: 0,
            rates: FxHashMap::default(),
            network: net::address::DEFAULT_NETWORK,
            next_subnet: 0,
            subnets: SortedMap::new(),
            foreign: SortedSet::new(),
            installed: Arc::default(),
            bridged: 0,
            ranges: SortedMap::new(),
            plugged: SortedMap::new(),
            filters: SortedMap::new(),
            detached: Arc::default(),
        }
    }

    /// Handles an event that is due now.
    pub fn handle(&mut self, event: Event, scope: &mut Scope<'_>) {
        match event {
            Event::Booted { machine } => self.booted(machine, scope),
            Event::Pull { pull } => self.pull_ends(pull, scope),
            Event::SandboxMade { sandbox } => self.sandbox_made(sandbox, scope),
            Event::Step { container } => self.container_step(container, scope),
            Event::Probe { probe } => self.probe_changes(probe, scope),
            Event::Silence { machine } => self.silence_due(machine, scope),
            Event::Trust { machine } => self.clock_turned(machine, scope),
            Event::Memory { machine } => self.memory_due(machine, scope),
            Event::Serving { sandbox } => self.serving_due(sandbox, scope),
        }
        self.settle(scope);
    }

    /// Reads what an event is about before its turn; answers with whose it is.
    pub fn glance(&self, event: Event) -> Option<Owner> {
        match event {
            Event::SandboxMade { sandbox } | Event::Serving { sandbox } => {
                let row = self.sandboxes.get(sandbox)?;
                glance((row.created, row.address));
                Some(row.owner)
            }
            Event::Step { container } => {
                self.glance_at(container);
                Some(self.containers.get(container)?.owner)
            }
            Event::Probe { probe } => {
                let row = self.probes.get(probe)?;
                self.glance_at(row.container);
                None
            }
            Event::Pull { .. }
            | Event::Booted { .. }
            | Event::Silence { .. }
            | Event::Trust { .. }
            | Event::Memory { .. } => None,
        }
    }

    /// Reads a container and its sandbox before their turn.
    pub fn glance_at(&self, container: ContainerId) {
        if let Some(row) = self.containers.get(container) {
            glance((row.state, row.due, row.first_probe, row.hung));
            if let Some(sandbox) = self.sandboxes.get(row.sandbox) {
                glance((sandbox.created, sandbox.address, sandbox.machine));
            }
        }
    }

    /// Bytes of rows that `later`, a clone that went on, no longer shares.
    pub fn bytes_apart(&self, later: &Self) -> usize {
        self.machines.bytes_apart(&later.machines)
            + self.sandboxes.bytes_apart(&later.sandboxes)
            + self.containers.bytes_apart(&later.containers)
            + self.probes.bytes_apart(&later.probes)
            + self.members.bytes_apart(&later.members)
    }

    /// Carries out an order. Upcalls that answer it at once are in the outbox afterwards.
    pub fn order(&mut self, order: Order, scope: &mut Scope<'_>) {
        match order {
            Order::CreateSandbox {
                owner,
                machine,
                spec,
            } => self.create_sandbox(owner, machine, spec, scope),
            Order::StopSandbox { sandbox } => self.stop_sandbox(sandbox),
            Order::RemoveSandbox { sandbox } => self.give_up_sandbox(sandbox),
            Order::RemoveDirectories { machine, owner } => self.forget_directories(machine, owner),
            Order::RemoveDisk { name } => self.remove_remote(&name),
            Order::Pull {
                owner,
                machine,
                image,
                policy,
            } => self.pull(owner, machine, image, policy, scope),
            Order::AddImage { machine, image } => self.keep_image(machine, image, true, scope),
            Order::RemoveImage { machine, image } => self.keep_image(machine, image, false, scope),
            Order::Start {
                owner,
                sandbox,
                spec,
            } => self.start(owner, sandbox, spec, scope),
            Order::Stop { container, grace } => self.stop(container, grace, scope),
            Order::Kill { container } => self.kill(container, scope),
            Order::ProbeNow { container, which } => self.probe_now(container, which, scope),
            Order::ProbeQuiet {
                container,
                which,
                until,
            } => self.keep_probe_quiet(container, which, until, scope),
            Order::RemoveLayer { machine, owner } => {
                self.forget_trees(machine, |store| *store == root_fs::Store::Lasting(owner));
            }
            Order::RemoveVolume { machine, name } => {
                self.forget_trees(machine, |store| {
                    *store == root_fs::Store::Volume(name.clone())
                });
            }
            Order::Resize { container, spec } => self.resize(container, spec, scope),
            Order::ResizeSandbox { sandbox, spec } => self.resize_sandbox(sandbox, spec, scope),
            Order::PowerOff { machine } => self.power_off(machine, None, scope),
            Order::RemoveContainer { container } => self.remove_container(container, scope),
            Order::SetBalancer { key, spec } => self.set_balancer(key, &spec, scope),
            Order::RemoveBalancer { key } => self.remove_balancer(key),
            Order::SetLevel {
                machine,
                path,
                settings,
            } => self.set_level(machine, path, settings),
            Order::HoldSubnets {
                machine,
                base,
                count,
            } => self.hold_subnets(machine, base, count),
            Order::FreeSubnets { machine } => self.subnets.retain(|_, holder| *holder != machine),
            Order::SetFilter { sandbox, open } => self.set_filter(sandbox, open, scope),
            Order::BindPort {
                owner,
                sandbox,
                port,
            } => self.bind_port(owner, sandbox, port, scope),
        }
        self.settle(scope);
    }

    /// Does what a fault does at once. Faults that stand are rules: [`Self::add_rule`].
    pub fn fault(&mut self, fault: SubstrateFault, scope: &mut Scope<'_>) {
        match fault {
            SubstrateFault::Crash(machine) => self.power_off(machine, None, scope),
            SubstrateFault::Reboot(machine, down_for) => {
                self.power_off(machine, Some(down_for), scope)
            }
            SubstrateFault::PowerOn(machine) => self.power_on(machine, scope),
            SubstrateFault::TurnClock(machine, by) => self.turn_clock(machine, by, scope),
            SubstrateFault::KillContainer(container) => self.kill(container, scope),
            SubstrateFault::OomKill(container) => self.oom_kill(container, scope),
            SubstrateFault::Hog(machine, threads) => self.set_hogs(machine, threads, scope),
            SubstrateFault::HogInside(container, threads) => {
                if self.containers.contains(container) {
                    self.want_busy(container, threads, scope);
                }
            }
            SubstrateFault::PanicGuest(sandbox) => self.panic_guest(sandbox, scope),
            SubstrateFault::Leak(container, rate) => self.leak(container, rate, scope),
            SubstrateFault::FillDisk(machine, bytes) => self.fill_disk(machine, bytes, scope),
            SubstrateFault::CutStorage(machine, cut) => self.cut_storage(machine, cut, scope),
            SubstrateFault::Hang(container) => self.set_hung(container, true, scope),
            SubstrateFault::Unhang(container) => self.set_hung(container, false, scope),
        }
        self.settle(scope);
    }

    /// The machine's row.
    pub fn machine(&self, machine: MachineId) -> Option<&Machine> {
        self.machines.get(machine)
    }

    /// Machines that carry the control plane, in the order of joining.
    pub fn control_machines(&self) -> &[MachineId] {
        &self.controls
    }

    /// All machines, in table order: that of joining until one has been removed.
    pub fn machines(&self) -> impl Iterator<Item = (MachineId, &Machine)> {
        self.machines.iter()
    }

    /// The sandbox's row.
    pub fn sandbox(&self, sandbox: SandboxId) -> Option<&Sandbox> {
        self.sandboxes.get(sandbox)
    }

    /// All sandboxes, in table order.
    pub fn sandboxes(&self) -> impl Iterator<Item = (SandboxId, &Sandbox)> {
        self.sandboxes.iter()
    }

    /// The container's row.
    pub fn container(&self, container: ContainerId) -> Option<&Container> {
        self.containers.get(container)
    }

    /// All containers, in table order.
    pub fn containers(&self) -> impl Iterator<Item = (ContainerId, &Container)> {
        self.containers.iter()
    }

    /// Whether a container's process accepts connections at a port.
    pub fn listening(&self, container: ContainerId, port: u16, now: SimTime) -> bool {
        self.containers
            .get(container)
            .is_some_and(|row| row.listens(port, now))
    }
}

#[cfg(test)]
mod tests;
