//! The container runtime: sandboxes and containers from creation to removal.
//!
//! One driver profile, containerd with runc. Upstream promises no times; these are the order of
//! magnitude of idle machines ("namespaces, cgroup and mounts are tens of milliseconds, the rest is
//! the daemon's"), with a little jitter from a stream of the machine, so that a thousand starts do
//! not fall on one instant.
//!
//! An order for a row that is gone is dropped: the machine that would have answered has lost it, and
//! the loss was reported.

use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::ratio::Ratio;
use crate::base::rng::Stream;
use crate::base::symbol::{Symbol, Symbols};
use crate::base::time::{SimDuration, SimTime};

use super::cgroup::settings::{SandboxSpec, Sharing};
use super::container::{Container, ContainerState};
use super::load::Cpu;
use super::order::{ContainerId, ContainerSpec, MachineId, Owner, SandboxId, Upcall};
use super::profile::Runtime;
use super::program::{Behaviour, Heard};
use super::root_fs::Store;
use super::sandbox::{Sandbox, SandboxState};
use super::{BehaviourKey, Event, Scope, Substrate};

/// Making a sandbox: the process that holds the namespaces, and the network plugin.
pub const SANDBOX_CREATE: SimDuration = SimDuration::from_millis(200);

/// Creating and starting a container whose image is there: snapshot, runc create, runc start.
pub const CONTAINER_START: SimDuration = SimDuration::from_millis(120);

/// From a process's death to the report of its exit.
pub const EXIT_REPORT: SimDuration = SimDuration::from_millis(10);

/// Largest share by which a step of the runtime takes longer than its figure.
const JITTER: Ratio = Ratio::percent(20);

/// Whether what a container does depends on its variables.
fn uses_values(spec: &ContainerSpec) -> bool {
    let mut words = spec.command.iter().chain(spec.arguments.iter());
    words.any(|word| word.contains('$'))
}

impl Substrate {
    /// Length of a runtime step on this machine.
    fn step_span(
        &mut self,
        machine: MachineId,
        span: SimDuration,
        scope: &Scope<'_>,
    ) -> SimDuration {
        let row = &mut self.machines[machine];
        let draw = row.draws;
        row.draws = draw.wrapping_add(1);
        Stream::new(scope.seed, "substrate.runtime", row.stable_key, draw).jitter(span, JITTER)
    }

    #[inline(never)]
    pub(super) fn create_sandbox(
        &mut self,
        owner: Owner,
        machine: MachineId,
        spec: Arc<SandboxSpec>,
        scope: &mut Scope<'_>,
    ) {
        if !self.is_on(machine) {
            return;
        }
        let next = self.machines[machine].first_sandbox;
        let sandbox = self.sandboxes.insert(Sandbox {
            owner,
            machine,
            spec,
            created: scope.now,
            address: 0,
            state: SandboxState::Creating,
            first_container: None,
            next_on_machine: next,
            previous_on_machine: None,
            first_member: None,
            serving_due: SimTime::MAX,
        });
        if let Some(next) = next {
            self.sandboxes[next].previous_on_machine = Some(sandbox);
        }
        self.machines[machine].first_sandbox = Some(sandbox);
        scope.out.order(Upcall::SandboxCreated { owner, sandbox });
        let extra = self
            .runtime_of(sandbox)
            .map_or(SimDuration::ZERO, |runtime| runtime.sandbox_extra);
        let network = self.machines[machine]
            .profile
            .network
            .map_or(SimDuration::ZERO, |kind| kind.driver().setup_extra);
        let span = self.step_span(machine, SANDBOX_CREATE + extra + network, scope);
        scope.out.after(span, Event::SandboxMade { sandbox });
    }

    /// The network plugin has answered.
    pub(super) fn sandbox_made(&mut self, sandbox: SandboxId, scope: &mut Scope<'_>) {
        let Some(row) = self.sandboxes.get(sandbox) else {
            return;
        };
        let owner = row.owner;
        // Without its handler there is nothing that could make it; on the machine's own network it has
        // the machine's address, which is not taken from the subnet.
        let address = match self.runtime_of(sandbox) {
            Some(_) => self.take_addresses(sandbox),
            None => None,
        };
        let row = &mut self.sandboxes[sandbox];
        match address {
            Some(address) => {
                row.address = address;
                row.state = SandboxState::Ready;
                scope.out.order(Upcall::SandboxReady { owner, sandbox });
            }
            None => {
                row.state = SandboxState::Failed;
                scope.out.order(Upcall::SandboxFailed { owner, sandbox });
            }
        }
    }

    /// The runtime that a sandbox's handler names; none: the machine has no such handler.
    pub fn runtime_of(&self, sandbox: SandboxId) -> Option<&'static Runtime> {
        let row = self.sandbox(sandbox)?;
        self.machine(row.machine)?
            .profile
            .runtime(&row.spec.runtime)
    }

    /// Removes a sandbox with its owner's directories.
    #[inline(never)]
    pub(super) fn give_up_sandbox(&mut self, sandbox: SandboxId) {
        if let Some(row) = self.sandboxes.get(sandbox) {
            let (machine, owner) = (row.machine, row.owner);
            self.remove_sandbox(sandbox);
            self.forget_directories(machine, owner);
        }
    }

    /// Forgets what an owner's sandbox had on a disk.
    #[inline(never)]
    pub(super) fn forget_directories(&mut self, machine: MachineId, owner: Owner) {
        self.forget_trees(
            machine,
            |store| matches!(store, Store::Sandbox(own, _) if *own == owner),
        );
    }

    /// Takes a sandbox's network and directories and leaves its containers, which have ended.
    #[inline(never)]
    pub(super) fn stop_sandbox(&mut self, sandbox: SandboxId) {
        let Some(row) = self.sandboxes.get(sandbox) else {
            return;
        };
        let (machine, owner) = (row.machine, row.owner);
        self.drop_members_of(sandbox);
        self.filters.remove(&sandbox);
        self.give_back_addresses(sandbox);
        self.machines[machine]
            .ports
            .retain(|(_, holder)| *holder != sandbox);
        let row = &mut self.sandboxes[sandbox];
        (row.address, row.state) = (0, SandboxState::Stopped);
        self.forget_directories(machine, owner);
    }

    pub(super) fn remove_sandbox(&mut self, sandbox: SandboxId) {
        if !self.sandboxes.contains(sandbox) {
            return;
        }
        while let Some(container) = self.sandboxes[sandbox].first_container {
            self.forget_container(container);
        }
        self.drop_members_of(sandbox);
        let row = self.sandboxes[sandbox].clone();
        match row.previous_on_machine {
            Some(previous) => self.sandboxes[previous].next_on_machine = row.next_on_machine,
            None => self.machines[row.machine].first_sandbox = row.next_on_machine,
        }
        if let Some(next) = row.next_on_machine {
            self.sandboxes[next].previous_on_machine = row.previous_on_machine;
        }
        // Directories are on the disk and memory is not: an owner finds its own after a loss of power.
        // Who has no holder gets a new owner for each sandbox.
        let (owner, keeps) = (row.owner, row.spec.holder);
        self.forget_trees(row.machine, |store| match store {
            Store::Shared(own, _) => *own == owner,
            Store::Sandbox(own, _) => *own == owner && !keeps,
            Store::Machine
            | Store::Layer(_)
            | Store::Lasting(_)
            | Store::Volume(_)
            | Store::Remote(_)
            | Store::Memory(..) => false,
        });
        self.filters.remove(&sandbox);
        self.give_back_addresses(sandbox);
        self.machines[row.machine]
            .ports
            .retain(|(_, holder)| *holder != sandbox);
        self.sandboxes.remove(sandbox);
    }

    #[inline(never)]
    pub(super) fn bind_port(
        &mut self,
        owner: Owner,
        sandbox: SandboxId,
        port: u16,
        scope: &mut Scope<'_>,
    ) {
        let Some(row) = self.sandboxes.get(sandbox) else {
            return;
        };
        let ports = &mut self.machines[row.machine].ports;
        if ports
            .iter()
            .any(|(taken, holder)| *taken == port && *holder != sandbox)
        {
            scope.out.order(Upcall::PortTaken {
                owner,
                sandbox,
                port,
            });
        } else if !ports.contains(&(port, sandbox)) {
            ports.push((port, sandbox));
        }
    }

    #[inline(never)]
    pub(super) fn start(
        &mut self,
        owner: Owner,
        sandbox: SandboxId,
        spec: Arc<ContainerSpec>,
        scope: &mut Scope<'_>,
    ) {
        let Some(row) = self.sandboxes.get(sandbox) else {
            return;
        };
        let (machine, next) = (row.machine, row.first_container);
        let behaviour = self.behaviour(&spec, scope);
        let extra = self
            .runtime_of(sandbox)
            .map_or(SimDuration::ZERO, |runtime| runtime.container_extra);
        let span = self.step_span(machine, CONTAINER_START + extra, scope);
        let span = span + self.start_wait(machine);
        let due = scope.now + span;
        let container = self.containers.insert(Container {
            owner,
            sandbox,
            state: ContainerState::Created,
            spec,
            behaviour,
            ending: None,
            hung: false,
            asleep: false,
            cpu: Cpu::default(),
            due_oom: false,
            due_code: 0,
            due,
            next_in_sandbox: next,
            first_probe: None,
        });
        self.sandboxes[sandbox].first_container = Some(container);
        self.populate(container, scope.now);
        scope
            .out
            .order(Upcall::ContainerCreated { owner, container });
        scope.out.after(span, Event::Step { container });
    }

    /// How soon a program that nobody knows starts in a container and listens: 0: at once, 1: when its script
    /// has its answers. None: what it runs is known, or never listens.
    pub fn openness(&self, spec: &ContainerSpec, symbols: &Symbols) -> Option<u8> {
        let spec = ContainerSpec {
            any_but: Some(Arc::from([])),
            ..spec.clone()
        };
        let program = self.known_program(spec.image, symbols);
        Behaviour::new(&program, &spec).openness(&program)
    }

    /// Ports that a container has, by what it says and what is known of its image, ascending.
    pub fn ports_of(&self, spec: &ContainerSpec, symbols: &Symbols) -> Vec<u16> {
        let program = self.known_program(spec.image, symbols);
        let own = Behaviour::new(&program, spec).ports;
        let mut all: Vec<u16> = spec.ports.iter().chain(own.iter()).copied().collect();
        all.arrange();
        all.dedup();
        all
    }

    /// What a container does that is run in this way: worked out once for equal ones.
    fn behaviour(&mut self, spec: &Arc<ContainerSpec>, scope: &Scope<'_>) -> Arc<Behaviour> {
        // With values of its own it is like no other.
        if uses_values(spec) {
            let program = self.program_of(spec.image, scope.symbols);
            return Arc::new(Behaviour::new(&program, spec));
        }
        let key = BehaviourKey(spec.clone());
        if let Some(behaviour) = self.behaviours.get(&key) {
            return behaviour.clone();
        }
        let program = self.program_of(spec.image, scope.symbols);
        let behaviour = Arc::new(Behaviour::new(&program, spec));
        Arc::make_mut(&mut self.behaviours).insert(key, behaviour.clone());
        behaviour
    }

    /// The step of a container that was due: its start or its end.
    pub(super) fn container_step(&mut self, container: ContainerId, scope: &mut Scope<'_>) {
        let Some(row) = self.containers.get(container) else {
            return;
        };
        if row.due != scope.now {
            return;
        }
        let (state, is_asked) = (row.state, row.ending.is_some());
        if let Some(since) = row.running_since()
            && let Some((span, _)) = row.behaviour.question()
            && since + span <= scope.now
        {
            self.asks(container, scope);
            return;
        }
        match state {
            ContainerState::Created if is_asked => {
                self.container_ends(container, scope);
            }
            ContainerState::Created => self.container_starts(container, scope),
            ContainerState::Running { .. } if self.puts_off_end(container, scope) => {}
            ContainerState::Running { .. } => self.container_ends(container, scope),
            ContainerState::Exited { .. } => {}
        }
    }

    /// A script's question is due.
    fn asks(&mut self, container: ContainerId, scope: &mut Scope<'_>) {
        let row = &self.containers[container];
        match row.ending {
            // Nothing that it learns keeps it from its end.
            Some(ending) => {
                let behaviour = &mut self.containers[container].behaviour;
                Arc::make_mut(behaviour).forget_question();
                let end = self.end_of(container, ending, scope.now);
                self.set_end(container, end, scope);
            }
            // It asks when it wakes.
            None if row.asleep => self.containers[container].due = SimTime::MAX,
            None => {
                let owner = row.owner;
                scope.out.order(Upcall::Asks { owner, container });
            }
        }
    }

    /// A script gets its answer and goes on.
    pub fn answer(&mut self, container: ContainerId, heard: Heard, scope: &mut Scope<'_>) {
        if !self.containers.contains(container) {
            return;
        }
        self.change_silence(container, scope, |row| {
            Arc::make_mut(&mut row.behaviour).answered(heard);
        });
        self.containers[container].due = SimTime::MAX;
        self.plan_end_anew(container, scope);
        self.settle(scope);
    }

    fn container_starts(&mut self, container: ContainerId, scope: &mut Scope<'_>) {
        let row = &mut self.containers[container];
        let (owner, sandbox) = (row.owner, row.sandbox);
        if let Some(code) = row.behaviour.start_failure {
            row.state = ContainerState::Exited {
                since: None,
                at: scope.now,
                code,
                oom: false,
            };
            row.due = SimTime::MAX;
            scope.out.order(Upcall::StartFailed {
                owner,
                container,
                code,
            });
            return;
        }
        if let Some(port) = self.port_in_use(container) {
            let row = &mut self.containers[container];
            row.behaviour = Arc::new(row.behaviour.without_port(port));
        }
        let row = &mut self.containers[container];
        if !row.behaviour.by_hand.is_empty() {
            for made in &mut Arc::make_mut(&mut row.behaviour).by_hand {
                made.0 = SimDuration::ZERO;
            }
        }
        row.state = ContainerState::Running { since: scope.now };
        row.due = SimTime::MAX;
        if self.lacks_disk(container) {
            self.sleep_on_disk(container, scope.now);
        }
        if let Some((span, code, oom)) = self.own_end(container) {
            let row = &mut self.containers[container];
            row.due = scope.now + span;
            row.due_code = code;
            row.due_oom = oom;
            scope.out.after(span, Event::Step { container });
        }
        scope.out.order(Upcall::Started { owner, container });
        let busy = self.containers[container].behaviour.busy;
        if busy > 0 {
            self.want_busy(container, busy, scope);
        }
        if !self.containers[container].spec.probes.is_empty() {
            self.start_probes(container, scope);
        }
        self.serving_changed(sandbox, scope);
    }

    /// A port that a container's program wants on its machine's own network, where another container
    /// listens on it already.
    ///
    /// Not modelled: the same within a sandbox that several containers share.
    fn port_in_use(&self, container: ContainerId) -> Option<u16> {
        let row = self.containers.get(container)?;
        let wanted = &row.behaviour.ports;
        let sandbox = self.sandboxes.get(row.sandbox)?;
        if wanted.is_empty() || row.behaviour.listen.is_none() {
            return None;
        }
        let taken_in = |sandbox: SandboxId| {
            self.containers_in(sandbox)
                .filter(|(id, other)| {
                    *id != container
                        && other.running_since().is_some()
                        && other.behaviour.listen.is_some()
                })
                .find_map(|(_, other)| {
                    let mut ports = other.behaviour.ports.iter();
                    ports.find(|port| wanted.contains(port)).copied()
                })
        };
        if sandbox.spec.network != Sharing::Host {
            return None;
        }
        self.sandboxes_on(sandbox.machine)
            .filter(|(_, other)| other.spec.network == Sharing::Host)
            .find_map(|(other, _)| taken_in(other))
    }

    fn container_ends(&mut self, container: ContainerId, scope: &mut Scope<'_>) {
        self.tell_failures(container, scope);
        self.want_nothing(container, scope);
        let row = &mut self.containers[container];
        let (owner, sandbox, code, oom) = (row.owner, row.sandbox, row.due_code, row.due_oom);
        let since = row.running_since();
        row.state = ContainerState::Exited {
            since,
            at: scope.now,
            code,
            oom,
        };
        row.due = SimTime::MAX;
        // Memory that was mounted goes with the processes' mount table.
        let machine = self.sandboxes[sandbox].machine;
        self.forget_trees(
            machine,
            |store| matches!(store, Store::Memory(own, _) if *own == container),
        );
        self.drop_probes(container);
        self.forget_load(container);
        self.serving_changed(sandbox, scope);
        // With the first process of a namespace all others end. Source: `pid_namespaces(7)`.
        let name = self.containers[container].spec.name;
        let inside: Vec<ContainerId> = self
            .containers_in(sandbox)
            .filter(|(_, row)| self.joins(row) == Some(name) && row.running_since().is_some())
            .map(|(id, _)| id)
            .collect();
        for other in inside {
            self.kill(other, scope);
        }
        scope.out.order(Upcall::Exited {
            owner,
            container,
            code,
            oom,
        });
    }

    #[inline(never)]
    pub(super) fn remove_container(&mut self, container: ContainerId, scope: &mut Scope<'_>) {
        let Some(row) = self.containers.get(container) else {
            return;
        };
        let sandbox = row.sandbox;
        self.forget_container(container);
        self.serving_changed(sandbox, scope);
    }

    fn forget_container(&mut self, container: ContainerId) {
        self.drop_probes(container);
        self.forget_load(container);
        let Some(row) = self.containers.remove(container) else {
            return;
        };
        let machine = self.sandboxes[row.sandbox].machine;
        self.forget_trees(machine, |store| match store {
            Store::Layer(own) | Store::Memory(own, _) => *own == container,
            Store::Machine
            | Store::Lasting(_)
            | Store::Volume(_)
            | Store::Sandbox(..)
            | Store::Shared(..)
            | Store::Remote(_) => false,
        });
        let sandbox = &mut self.sandboxes[row.sandbox];
        if sandbox.first_container == Some(container) {
            sandbox.first_container = row.next_in_sandbox;
            return;
        }
        let mut at = sandbox.first_container;
        while let Some(id) = at {
            at = self.containers[id].next_in_sandbox;
            if at == Some(container) {
                self.containers[id].next_in_sandbox = row.next_in_sandbox;
                return;
            }
        }
    }

    /// Containers of a sandbox, newest first.
    pub fn containers_in(
        &self,
        sandbox: SandboxId,
    ) -> impl Iterator<Item = (ContainerId, &Container)> {
        let mut next = self
            .sandboxes
            .get(sandbox)
            .and_then(|row| row.first_container);
        std::iter::from_fn(move || {
            let id = next?;
            let row = self.containers.get(id)?;
            next = row.next_in_sandbox;
            Some((id, row))
        })
    }

    /// Sandboxes of a machine, newest first.
    pub fn sandboxes_on(&self, machine: MachineId) -> impl Iterator<Item = (SandboxId, &Sandbox)> {
        let mut next = self.machines.get(machine).and_then(|row| row.first_sandbox);
        std::iter::from_fn(move || {
            let id = next?;
            let row = self.sandboxes.get(id)?;
            next = row.next_on_machine;
            Some((id, row))
        })
    }

    /// Memory that the running containers of a machine use, in bytes.
    pub fn memory_used(&self, machine: MachineId) -> u64 {
        self.sandboxes_on(machine)
            .flat_map(|(sandbox, _)| self.containers_in(sandbox))
            .filter(|(_, row)| row.running_since().is_some())
            .map(|(_, row)| row.behaviour.memory_bytes)
            .sum()
    }

    /// Exit code of a command run inside a container; none if no process runs there.
    pub fn exec(&self, container: ContainerId, command: &[Arc<str>], now: SimTime) -> Option<i32> {
        let row = self.containers.get(container)?;
        let since = row.running_since()?;
        Some(
            row.behaviour
                .exec(command, now.since(since), row.is_silent()),
        )
    }

    /// The image of a container, as written.
    pub fn image_of(&self, container: ContainerId) -> Option<Symbol> {
        self.containers.get(container).map(|row| row.spec.image)
    }
}
