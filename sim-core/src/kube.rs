//! Kubernetes: an API server with its store, the controllers, the scheduler and the kubelets.
//!
//! ```text
//! request ─▶ apiserver ─▶ store ─▶ change log ─▶ loops, each told after the watch lag:
//!                                   deployment · replica_set · endpoint_slice ─▶ proxy
//!                                   node_lifecycle · taint_eviction · garbage_collector · pod_gc
//!                                   scheduler ─▶ bind     kubelets ─▶ substrate orders
//! ```
//! Estimate: about six control plane events per pod start, one per second and changed service, none
//! for a quiet cluster; 64 bytes hot and about 250 cold per pod.

pub mod apiserver;
mod by_name;
pub mod control_plane;
pub mod controllers;
pub mod event;
pub mod heartbeat;
pub mod kinds;
pub mod kubelet;
pub mod limiter;
pub mod names;
pub mod network_policy;
pub mod pod_word;
pub mod proxy;
pub mod render;
pub mod reserved;
pub mod rows;
pub mod scheduler;
pub mod selector;
pub mod settings;
pub mod stale;
pub mod status;
pub mod store;
pub mod switch;
pub mod template;
pub mod thresholds;
pub mod turn;
pub mod volumes;

#[cfg(test)]
mod tests;

pub use apiserver::{Refusal, Request, Response};
pub use by_name::ByName;
pub use event::Event;

use std::num::NonZeroU32;

use crate::api::node::NodeSetup;
use crate::base::arrange::Arrange;
use crate::base::sentence::{Sentence, catalogue};
use crate::base::sorted::SortedMap;
use crate::base::symbol::Symbols;
use crate::base::time::{SimDuration, SimTime};
use crate::substrate::order::{MachineId, Order, Owner, Upcall};
use crate::substrate::{Context, PlaneOutbox, Substrate};

use apiserver::ApiServer;
use apiserver::thaw::uids::Extent;
use control_plane::ControlPlane;
use controllers::Controllers;
use controllers::operators::plan::Operator;
use controllers::quota;
use controllers::service_account;
use event::Key;
use heartbeat::{Health, Heartbeats};
use kubelet::Kubelets;
use kubelet::desk::Desk;
use network_policy::agents::Agents;
use rows::PodId;
use scheduler::Scheduler;
use settings::Settings;
use stale::Stale;
use status::WorkloadKey;
use store::{Change, Store};
use switch::Switches;
use turn::Turn;
use volumes::attach::AttachDetach;
use volumes::controller::VolumeController;

/// A Kubernetes control plane and the agents on its machines.
#[derive(Clone, Debug, Default)]
pub struct KubePlane {
    store: Store,
    settings: Settings,
    apiserver: ApiServer,
    controllers: Controllers,
    heartbeats: Heartbeats,
    scheduler: Scheduler,
    kubelets: Kubelets,
    switches: Switches,
    volumes: VolumeController,
    attach: AttachDetach,
    policies: Agents,
    control_plane: ControlPlane,
    stale: Stale,
    /// Orders for runtimes that do not answer.
    held_orders: SortedMap<MachineId, Vec<Order>>,
}

impl KubePlane {
    /// A control plane without nodes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of rows that `later`, a clone that went on, no longer shares.
    pub fn bytes_apart(&self, later: &Self) -> usize {
        self.store.bytes_apart(&later.store)
            + self.scheduler.bytes_apart(&later.scheduler)
            + self.kubelets.bytes_apart(&later.kubelets)
    }

    /// The store, for readers.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// What is kept incrementally otherwise than it would be found anew, one sentence each: for soak
    /// runs.
    pub fn breaches(&self, symbols: &Symbols, machines: &Substrate, now: SimTime) -> Vec<String> {
        let mut found = self.scheduler.breaches(&self.store, symbols);
        for machine in self.kubelets.beyond_bounds(machines, now) {
            let name = symbols.text(machine);
            found.push(format!("machine {name}: containers use more than they can"));
        }
        if !self.store.events().index_agrees() {
            found.push("events: the index is not of the events that are kept".to_owned());
        }
        // What a cache has not seen is not looked at yet.
        let lacked = self.distances().map(|(key, distance)| match key {
            WorkloadKey::Pod(_) => 0,
            WorkloadKey::Deployment(_) | WorkloadKey::Set(_) => distance.unmet,
        });
        if self.stale.is_idle() && lacked.sum::<u64>() != self.controllers.lacked(&self.store) {
            found.push("controllers: the sum of distances is not of the workloads".to_owned());
        }
        if !self.store.dependents_agree() {
            found.push("store: the index of dependents is not of the references".to_owned());
        }
        if !self.store.tallies_agree() || !quota::sums_agree(&self.store, symbols) {
            found.push("store: what quotas count is not of the pods".to_owned());
        }
        if !self.store.names_agree() {
            found.push("store: the indices of names are not of what is there".to_owned());
        }
        found
    }

    /// The agents, for readers.
    pub const fn kubelets(&self) -> &Kubelets {
        &self.kubelets
    }

    /// The scheduler, for readers.
    pub const fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// Reads what an event is about before its turn.
    pub fn glance(&self, event: Event, machines: &Substrate) {
        if let Some(pod) = event.pod() {
            self.glance_at(pod, machines);
        } else if let Event::CreatePod(set) = event {
            self.store.glance_at_set(set);
        }
    }

    /// Reads what is kept of a pod that the machines have something of.
    pub fn glance_of(&self, owner: Owner, machines: &Substrate) {
        if let Some(generation) = NonZeroU32::new(owner.generation) {
            self.glance_at(PodId::new(owner.slot, generation), machines);
        }
    }

    fn glance_at(&self, pod: PodId, machines: &Substrate) {
        self.store.glance(pod);
        if let Some(container) = self.kubelets.glance(pod) {
            machines.glance_at(container);
        }
    }

    /// Handles a scheduled event.
    pub fn handle(&mut self, event: Event, ctx: &mut Context<'_>, out: &mut PlaneOutbox<Event>) {
        let Some(event) = self.control_plane.pass(event) else {
            return;
        };
        let Some(event) = self.switches.pass(event, &self.store) else {
            return;
        };
        if self.conflicts(event, ctx, out) {
            return;
        }
        match event {
            Event::Scheduler(event) => self.scheduler.handle(event, &mut self.store, ctx, out),
            Event::Kubelet(kubelet::Event::Manifests(machine)) => {
                self.read_manifests(machine, ctx, out);
            }
            Event::Kubelet(kubelet::Event::Mirrors(machine)) => {
                self.reconcile_mirrors(machine, ctx, out);
            }
            Event::Kubelet(event) => self.kubelets.handle(event, &mut self.store, ctx, out),
            Event::ControlPlane(event) => self.handle_control_plane(event, ctx, out),
            _ => self.take_turn(event, ctx, out),
        }
        self.tell(ctx, out);
    }

    /// Handles an event of the controller manager and of what is near it.
    fn take_turn(&mut self, event: Event, ctx: &mut Context<'_>, out: &mut PlaneOutbox<Event>) {
        let turn = &mut Turn {
            store: &mut self.store,
            settings: &self.settings,
            ctx,
            out,
        };
        match event {
            Event::NodeStatus(node) => {
                let now = turn.now();
                let health = Health {
                    no_runtime: self.kubelets.misses_runtime(node, turn.store, now),
                    shutting_down: self.kubelets.is_shutting_down(node, turn.store),
                    ..self.kubelets.evictions.health(node)
                };
                self.heartbeats.post_status(node, health, turn);
                // A status says which volumes are in use, whether or not anything else has changed.
                if !self.heartbeats.is_silent(node) {
                    if let Some(machine) = turn.store.node(node).map(|row| row.machine) {
                        let machines = turn.ctx.machines;
                        let listed = self.kubelets.images_listed(node, machine, machines, now);
                        self.heartbeats.post_images(node, listed, turn);
                    }
                    self.attach.node_updated(node, turn);
                }
            }
            Event::AttachPass => self.attach.pass(turn),
            Event::PolicySync => self.policies.sync(turn),
            Event::VolumeSync => self.volumes.sync(turn),
            Event::Sync(Key::Namespaces) => {
                self.controllers.taken(Key::Namespaces);
                self.apiserver.finish_namespaces(turn);
            }
            _ => {
                let (heartbeats, apiserver) = (&mut self.heartbeats, &mut self.apiserver);
                self.controllers.handle(event, heartbeats, apiserver, turn);
            }
        }
    }

    /// A machine reports.
    pub fn upcall(&mut self, upcall: Upcall, ctx: &mut Context<'_>, out: &mut PlaneOutbox<Event>) {
        if !self.upcall_control_plane(upcall, ctx, out) {
            return;
        }
        if let Upcall::MachineDown { machine } = upcall {
            self.held_orders.remove(&machine);
        }
        {
            let mut turn = Turn {
                store: &mut self.store,
                settings: &self.settings,
                ctx,
                out,
            };
            self.heartbeats.upcall(upcall, &mut turn);
        }
        self.kubelets.upcall(upcall, &mut self.store, ctx, out);
        self.tell(ctx, out);
    }

    /// A machine was added: its kubelet registers a node.
    pub fn machine_added(
        &mut self,
        machine: MachineId,
        setup: &NodeSetup,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        {
            let mut turn = Turn {
                store: &mut self.store,
                settings: &self.settings,
                ctx,
                out,
            };
            self.apiserver.bootstrap(&mut turn);
            self.heartbeats.register(machine, setup, &mut turn);
            apiserver::load::join(machine, &mut turn);
            if turn.now() == SimTime::ZERO {
                apiserver::own_service::found(&mut turn);
            }
        }
        self.mind_own_service(ctx, out);
        self.tell(ctx, out);
    }

    /// A machine is taken away for good, and its node object with it.
    #[inline(never)]
    pub fn machine_removed(
        &mut self,
        machine: MachineId,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        if let Some(node) = self.store.node_of(machine) {
            self.store.remove_node(node);
        }
        self.kubelets.forget_statics(machine);
        self.kubelets.forget_departed(machine);
        self.mind_own_service(ctx, out);
        self.tell(ctx, out);
    }

    /// A request to the API server.
    ///
    /// # Errors
    /// The API server's refusal, in upstream's words.
    pub fn request(
        &mut self,
        request: &Request,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) -> Result<Response, Refusal> {
        if let Some(refusal) = self.control_plane.refusal() {
            return Err(refusal);
        }
        let answer = {
            let mut turn = Turn {
                store: &mut self.store,
                settings: &self.settings,
                ctx,
                out,
            };
            self.apiserver.request(request, &mut turn)
        };
        self.mind_own_service(ctx, out);
        self.tell(ctx, out);
        answer
    }

    /// Gives rows to everything that was taken over from a live cluster.
    #[inline(never)]
    pub fn thaw(&mut self, extent: Extent, ctx: &mut Context<'_>, out: &mut PlaneOutbox<Event>) {
        let mut turn = Turn {
            store: &mut self.store,
            settings: &self.settings,
            ctx,
            out,
        };
        let running = self.apiserver.thaw(extent, &mut turn);
        self.attach.take_over(&mut turn);
        let now = turn.now();
        self.kubelets.resume(running, now);
        self.tell(ctx, out);
    }

    /// Switches loops of the control plane off or on; no name: all of them.
    ///
    /// # Errors
    /// A sentence naming a word that is no loop's name.
    #[inline(never)]
    pub fn switch(
        &mut self,
        on: bool,
        names: &[std::sync::Arc<str>],
        out: &mut PlaneOutbox<Event>,
    ) -> Result<(), String> {
        let free = self.switches.switch(on, names, &self.store)?;
        for event in free {
            out.after.push((SimDuration::ZERO, event));
        }
        Ok(())
    }

    /// Starts an operator, or stops the one of a name.
    ///
    /// # Errors
    /// A sentence when there are too many, or none of that name.
    #[inline(never)]
    pub fn operate(
        &mut self,
        change: Result<std::sync::Arc<Operator>, &str>,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) -> Result<(), Sentence> {
        let mut turn = Turn {
            store: &mut self.store,
            settings: &self.settings,
            ctx,
            out,
        };
        let operators = self.controllers.operators_mut();
        match change {
            Ok(operator) => operators.install(operator, &mut turn),
            Err(name) if operators.remove(name, &mut turn) => Ok(()),
            Err(name) => Err(catalogue::NO_OPERATOR.with(&[("word", &name)])),
        }
    }

    /// Operators that run here.
    pub fn operators(&self) -> &[std::sync::Arc<Operator>] {
        self.controllers.operators().plans()
    }

    /// Sets a sample of the metrics API, or takes it back with an empty value.
    ///
    /// # Errors
    /// A sentence when the value is no quantity.
    #[inline(never)]
    pub fn set_metric(&mut self, object: &str, metric: &str, value: &str) -> Result<(), Sentence> {
        self.controllers.samples_mut().set(object, metric, value)
    }

    /// Samples of the metrics API that a person has set.
    pub fn samples(&self) -> &controllers::autoscaler::metrics::Overrides {
        self.controllers.samples()
    }

    /// Why a client gets no answer now, if it gets none.
    pub fn refusal(&self) -> Option<Refusal> {
        self.control_plane.refusal()
    }

    /// Loops of the control plane that are switched off.
    pub fn switched_off(&self) -> Vec<&'static str> {
        self.switches.off().collect()
    }

    /// Changes a component's flag.
    ///
    /// # Errors
    /// A sentence when the flag is unknown or the value is not one for it.
    #[inline(never)]
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), Sentence> {
        if self.scheduler.set(key, value)? || self.kubelets.set(key, value)? {
            return Ok(());
        }
        let before = self.settings.reserved;
        self.settings.set(key, value)?;
        if self.settings.reserved != before {
            self.reserve_anew();
        }
        self.controllers.configure(&self.settings);
        self.kubelets.configure(&self.settings.reserved);
        Ok(())
    }

    /// A flag was changed: agents look at what follows, as they do when they start with it.
    #[inline(never)]
    pub fn settings_changed(&mut self, ctx: &mut Context<'_>, out: &mut PlaneOutbox<Event>) {
        let mut desk = Desk {
            store: &mut self.store,
            ctx,
            out,
        };
        self.kubelets.recheck(&mut desk);
        self.tell(ctx, out);
    }

    /// Nodes' allocatable amounts follow the reservations.
    fn reserve_anew(&mut self) {
        let nodes: Vec<_> = self
            .store
            .nodes()
            .map(|(id, row)| (id, row.capacity.clone()))
            .collect();
        for (id, capacity) in nodes {
            let rest = self.settings.reserved.allocatable(&capacity);
            self.store.set_node_resources(id, capacity, rest);
        }
    }

    /// Component flags with their values.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = self.settings.list();
        settings.extend(self.scheduler.settings());
        settings.extend(self.kubelets.settings());
        settings.arrange();
        settings
    }

    /// Distance to the desired state: what workloads still lack, keys that loops have not taken,
    /// and lost nodes that nobody has noticed.
    pub fn unmet(&self) -> u64 {
        self.controllers.unmet(&self.store) + self.lonely_unmet()
    }

    /// Whether that is more than nothing.
    pub fn lacks(&mut self) -> bool {
        self.lonely_unmet() > 0 || self.controllers.lack(&self.store)
    }

    fn lonely_unmet(&self) -> u64 {
        self.store.lonely_unmet() + self.heartbeats.unnoticed()
    }

    /// Stops a machine's agent, or starts it again.
    pub fn agent_runs(
        &mut self,
        machine: MachineId,
        runs: bool,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let mut turn = Turn {
            store: &mut self.store,
            settings: &self.settings,
            ctx,
            out,
        };
        self.heartbeats.agent(machine, runs, &mut turn);
        let mut desk = Desk {
            store: &mut self.store,
            ctx,
            out,
        };
        if runs {
            self.kubelets.start_agent(machine, &mut desk);
        } else {
            self.kubelets.stop_agent(machine, &mut desk);
        }
        self.tell(ctx, out);
    }

    /// Stops a machine's container runtime, or starts it again; containers run on.
    pub fn runtime_runs(
        &mut self,
        machine: MachineId,
        runs: bool,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let mut desk = Desk {
            store: &mut self.store,
            ctx,
            out,
        };
        let mut wait = SimDuration::ZERO;
        if runs {
            self.kubelets.start_runtime(machine, &mut desk);
            out.orders
                .extend(self.held_orders.remove(&machine).unwrap_or_default());
        } else {
            self.kubelets.stop_runtime(machine, &mut desk);
            wait = kubelet::agent::RUNTIME_PATIENCE;
        }
        let frequency = self.settings.node_status_update_frequency;
        if let Some(node) = self.store.node_of(machine)
            && let Some(next) = self
                .heartbeats
                .until_status(node, ctx.now + wait, frequency)
        {
            out.after(wait + next, Event::NodeStatus(node));
        }
        self.tell(ctx, out);
    }

    /// Keeps orders for runtimes that do not answer until they do.
    fn hold_orders(&mut self, ctx: &Context<'_>, out: &mut PlaneOutbox<Event>) {
        for order in std::mem::take(&mut out.orders) {
            match self.kubelets.dead_runtime_of(&order, ctx.machines) {
                Some(machine) => self.held_orders.entry(machine).or_default().push(order),
                None => out.order(order),
            }
        }
    }

    /// Tells the loops of every write since the last time.
    fn tell(&mut self, ctx: &mut Context<'_>, out: &mut PlaneOutbox<Event>) {
        for node in self.kubelets.evictions.take_changed() {
            let frequency = self.settings.node_status_update_frequency;
            if let Some(wait) = self.heartbeats.until_status(node, ctx.now, frequency) {
                out.after(wait, Event::NodeStatus(node));
            }
        }
        for (node, known) in self.kubelets.images.take_changed() {
            let frequency = self.settings.node_status_update_frequency;
            if let Some(wait) = self.heartbeats.until_status(node, known, frequency) {
                out.after(known.since(ctx.now) + wait, Event::NodeStatus(node));
            }
        }
        for pod in self.kubelets.take_left() {
            let mut turn = Turn {
                store: &mut self.store,
                settings: &self.settings,
                ctx,
                out,
            };
            self.attach.pod_gone(pod, &mut turn);
        }
        while let Some(change) = self.store.next_change() {
            if let Change::NodeRemoved(node, ..) = change {
                self.heartbeats.forget(node);
            }
            if let Change::NodeUpdated(node) = change
                && let Some(row) = self.store.node(node)
                && self.heartbeats.is_cordon_news(node, row.unschedulable)
            {
                let frequency = self.settings.node_status_update_frequency;
                if let Some(wait) = self.heartbeats.until_status(node, ctx.now, frequency) {
                    out.after(wait, Event::NodeStatus(node));
                }
            }
            self.tell_of(change, ctx, out);
        }
        // Most events write pods and nodes only.
        if self.store.has_news() || !self.controllers.operators().plans().is_empty() {
            self.tell_of_documents(ctx, out);
        }
        if self.kubelets.has_dead_runtimes() {
            self.hold_orders(ctx, out);
        }
    }

    /// Tells loops of what is kept as it was written, and of what is noted beside the change log.
    fn tell_of_documents(&mut self, ctx: &mut Context<'_>, out: &mut PlaneOutbox<Event>) {
        self.apiserver.free(&self.store.take_services_gone());
        let mut turn = Turn {
            store: &mut self.store,
            settings: &self.settings,
            ctx,
            out,
        };
        self.controllers
            .operators_mut()
            .observe_documents(&mut turn);
        if turn.store.has_counted() {
            self.controllers.observe_counted(&mut turn);
        }
        if turn.store.documents_mut().take_networking() {
            self.policies.touched(&mut turn);
        }
        if turn.store.documents_mut().take_mirrored() {
            self.controllers.endpoints_written(&mut turn);
        }
        if turn.store.documents_mut().take_cluster_roles() {
            self.controllers.roles_written(&mut turn);
        }
        if turn.store.documents_mut().take_cidrs() {
            self.controllers.cidrs_written(&mut turn);
        }
        if turn.store.documents().has_storage() {
            self.volumes.touched(&mut turn);
            self.attach.storage_written(&mut turn);
        }
        let changes = turn.store.documents_mut().take_changes();
        if !changes.is_empty() {
            let lag = turn.store.watch_lag();
            self.scheduler.storage_written(turn.now() + lag, changes);
            let event = Event::Scheduler(scheduler::Event::VolumesSeen);
            turn.out.after(lag, event);
        }
        let written = turn.store.documents_mut().take_sources();
        let mut keys = written.iter();
        if keys.any(|key| service_account::concerns(key, turn.store)) {
            self.controllers.accounts_written(&mut turn);
        }
        if !written.is_empty() {
            let store = &mut self.store;
            let mut desk = Desk { store, ctx, out };
            self.kubelets.sources_written(&written, &mut desk);
        }
    }
}
