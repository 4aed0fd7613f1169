//! The kubelets: run what is bound to their nodes and write what became of it.
//!
//! Owns a worker for each pod that a node's agent knows. An agent knows of the API server what it
//! was told one watch lag ago, and of its machine what the runtime said at the last relist. An agent
//! whose machine cannot reach the control plane goes on with what it has and catches up later; one
//! whose machine lost power forgets everything but what the API server tells it again; one that was
//! only started anew finds its containers in the runtime.
//!
//! ```text
//! PodBound ─▶ Sync ─▶ CreateSandbox ─▶ Pull ─▶ Start ─▶ (next) ─▶ Relist ─▶ Status
//! PodTerminating ─▶ Sync ─▶ hooks, Stop ─▶ Exited ─▶ Relist ─▶ Delete
//! ```
//! Estimate: four events of its own per pod that starts (sync, status, relist, status), one more
//! with a readiness probe; three per pod that stops; none for a pod that just runs.
//!
//! Not modelled: what hooks ask of servers (only pauses take time). Failed probes are reported when they
//! change something, not each time.

pub mod active_deadline;
pub mod admission;
pub mod agent;
pub mod backoff;
pub mod changes;
pub mod content;
pub mod departed;
pub mod desk;
pub mod eviction;
pub mod files;
pub mod hear;
pub mod hooks;
pub mod image_gc;
pub mod images;
pub mod lifecycle;
pub mod lower;
pub mod mirror;
pub mod mounts;
pub mod needs;
pub mod preemption;
pub mod probes;
pub mod reattach;
pub mod recipe;
pub mod resize;
pub mod resources;
pub mod restart_all;
pub mod settings;
pub mod shutdown;
pub mod statics;
pub mod stop;
pub mod worker;

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::base::glance::glance;
use crate::base::hash::FxHashMap;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::time::{SimDuration, SimTime};
use crate::store::paged::{Paged, SMALL};
use crate::substrate::order::{ContainerId, MachineId, Owner, Upcall};
use crate::substrate::{Context, PlaneOutbox};

use super::reserved::Reserved;
use super::rows::pod::{PodFlags, PodRow};
use super::rows::{NodeId, PodId};
use super::store::events::Incarnation;
use super::store::{Change, Store};

use desk::{Desk, Report};
use eviction::Evictions;
use image_gc::ImageManagers;
use recipe::Recipe;
use settings::Settings;
use shutdown::Shutdowns;
use statics::Statics;
use worker::Worker;

/// Time from the machine's boot until its kubelet has registered again and knows its pods. Upstream
/// gives no number.
const AGENT_START: SimDuration = SimDuration::from_secs(1);

/// Longest time for which the status of a pod stands that was taken over and is coming up.
const RESUME: SimDuration = SimDuration::from_secs(120);

/// What it schedules for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The agent hears of a pod: it is bound, or is to go.
    Sync(PodId),
    /// The agent hears that a pod is gone.
    Removed(PodId),
    /// A worker looks again by itself: a back-off has ended.
    Wake(PodId),
    /// A worker looks at what its pod's volumes are made of.
    Refresh(PodId),
    /// The relist looks at a pod.
    Relist(PodId),
    /// A status reaches the API server.
    Status(PodId),
    /// The last status and the deletion reach the API server.
    Delete(PodId),
    /// The hook before the stop of a container has run.
    HookEnded(PodId, u8),
    /// The hook after the start of a container has run.
    PostStarted(PodId, u8),
    /// A node's eviction manager looks at its memory.
    EvictionPass(NodeId),
    /// A node's image manager looks at its disk.
    ImagePass(NodeId),
    /// An agent has started.
    AgentUp(MachineId),
    /// An agent reads the manifests in its directory.
    Manifests(MachineId),
    /// An agent compares its static pods with their mirrors.
    Mirrors(MachineId),
    /// An agent whose machine is being shut down looks at what has ended.
    ShutdownStep(MachineId),
}

const _: () = assert!(size_of::<Event>() <= 16);

impl Event {
    /// The pod whose rows its handler reads first.
    pub const fn pod(self) -> Option<PodId> {
        match self {
            Self::Sync(pod)
            | Self::Removed(pod)
            | Self::Wake(pod)
            | Self::Refresh(pod)
            | Self::Relist(pod)
            | Self::Status(pod)
            | Self::Delete(pod)
            | Self::HookEnded(pod, _)
            | Self::PostStarted(pod, _) => Some(pod),
            Self::EvictionPass(_)
            | Self::ImagePass(_)
            | Self::AgentUp(_)
            | Self::Manifests(_)
            | Self::Mirrors(_)
            | Self::ShutdownStep(_) => None,
        }
    }
}

/// What is wrong with an agent.
#[derive(Clone, Debug, Default)]
struct Trouble {
    /// The machine is off, or its agent has not started.
    down: bool,
    /// The machine is up and the agent is starting.
    starting: bool,
    /// The agent cannot reach the API server.
    unlinked: bool,
    /// The agent has started and has not heard of its pods yet.
    blind: bool,
    /// The agent has forgotten everything since it last spoke with the API server.
    lost: bool,
    /// The agent was started anew and its machine ran on.
    restarted: bool,
    /// Pods that went while the machine was off: their directories are still on its disk.
    orphans: Vec<Owner>,
}

/// Their state.
#[derive(Clone, Debug, Default)]
pub struct Kubelets {
    workers: Paged<Option<Arc<Worker>>, SMALL>,
    /// Workers of pods whose objects are gone.
    departed: SortedMap<PodId, Arc<Worker>>,
    /// Those that have ended since the plane asked.
    left: Vec<PodId>,
    /// What templates ask for, without and with a token for the API server.
    recipes: [Vec<Option<Arc<Recipe>>>; 2],
    /// Whether some pod takes something from ConfigMaps, Secrets or itself.
    takes: bool,
    /// Whether some pod has readiness gates.
    gated: bool,
    trouble: FxHashMap<MachineId, Trouble>,
    /// Machines whose container runtime answers nobody, and since when.
    dead_runtimes: SortedMap<MachineId, SimTime>,
    settings: Settings,
    /// Pods that were running before their machines were simulated, and until when what they were
    /// stands.
    resuming: SortedMap<PodId, SimTime>,
    /// The nodes' eviction managers.
    pub evictions: Evictions,
    /// The nodes' image managers.
    pub(super) images: ImageManagers,
    /// Whether thresholds have changed since nodes were looked at.
    recheck: bool,
    /// Pods that agents have from files.
    statics: Statics,
    /// Machines where pods wait until others that were put out for them have ended.
    making_room: SortedSet<MachineId>,
    /// Machines that are being shut down.
    shutdowns: Shutdowns,
    /// Pods whose new size waits for room, by node.
    deferred: SortedMap<NodeId, SortedSet<PodId>>,
}

impl Kubelets {
    /// Bytes of workers that `later`, a clone that went on, no longer shares.
    pub fn bytes_apart(&self, later: &Self) -> usize {
        let own = |slot: &u32| {
            let (worker, other) = (self.workers.get(*slot), later.workers.get(*slot));
            worker.as_ref().map(Arc::as_ptr) != other.as_ref().map(Arc::as_ptr)
        };
        let own = (0..self.workers.capacity_slots()).filter(own).count();
        self.workers.bytes_apart(&later.workers) + own * size_of::<Worker>()
    }

    /// Reads a worker before its pod's turn; answers with its container.
    pub fn glance(&self, pod: PodId) -> Option<ContainerId> {
        let worker = self.workers.get(pod.slot()).as_deref()?;
        glance((worker.pod, worker.started, worker.deadline, worker.draws));
        glance((worker.relist_at, worker.wake_at, worker.sandbox, worker.ip));
        let work = worker.containers.first()?;
        glance((work.since, work.restarts, work.ended, work.ready));
        work.container
    }

    /// Handles an event of its own.
    pub fn handle(
        &mut self,
        event: Event,
        store: &mut Store,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<super::Event>,
    ) {
        let mut desk = Desk { store, ctx, out };
        let settings = self.settings.workers;
        match event {
            Event::Sync(pod) => self.sync(pod, &mut desk),
            Event::Removed(pod) => self.removed(pod, &mut desk),
            Event::Wake(pod) => {
                let Some(worker) = self.awake(pod) else {
                    return;
                };
                if worker.wake_at == Some(desk.now()) {
                    worker.wake_at = None;
                }
                resize::again(worker, &mut desk);
                lifecycle::advance(worker, &settings, &mut desk);
            }
            Event::Refresh(pod) => {
                if let Some(worker) = self.awake(pod) {
                    content::refresh(worker, &desk);
                }
            }
            Event::Relist(pod) => {
                let is_blind = self.is_runtime_down(pod);
                let Some(worker) = self.awake(pod) else {
                    return;
                };
                if worker.relist_at != Some(desk.now()) {
                    return;
                }
                worker.relist_at = None;
                if is_blind {
                    return;
                }
                if worker.finished {
                    stop::finish(worker, &mut desk);
                } else if worker.deadline.is_some() {
                    stop::look(worker, &mut desk);
                } else {
                    let node = worker.node;
                    if lifecycle::relist(worker, &settings, &mut desk) {
                        self.retry_sizes(node, &mut desk);
                    }
                }
            }
            Event::Status(pod) => self.write_status(pod, &mut desk),
            Event::Delete(pod) => self.delete(pod, &mut desk),
            Event::HookEnded(pod, index) => {
                let Some(worker) = self.awake(pod) else {
                    return;
                };
                stop::hook_ended(worker, usize::from(index), &mut desk);
            }
            Event::PostStarted(pod, index) => {
                let Some(worker) = self.awake(pod) else {
                    return;
                };
                lifecycle::post_started(worker, usize::from(index), &settings, &mut desk);
            }
            Event::EvictionPass(node) => self.eviction_pass(node, &mut desk),
            Event::ImagePass(node) => self.image_pass(node, &mut desk),
            Event::AgentUp(machine) => {
                let Some(trouble) = self
                    .trouble
                    .get_mut(&machine)
                    .filter(|trouble| trouble.starting)
                else {
                    return;
                };
                trouble.starting = false;
                let (restarted, unlinked) = (trouble.restarted && !trouble.lost, trouble.unlinked);
                // Without an API server a new agent knows of no pods: those that run go on alone.
                trouble.down = unlinked;
                trouble.blind = unlinked;
                if restarted {
                    agent::record_start(machine, &mut desk);
                }
                self.statics_return(machine, &mut desk);
                if let Some(node) = desk.store.node_of(machine) {
                    let now = desk.now();
                    self.images.restarted(node, now);
                    self.watch_images(node, &mut desk);
                }
                if !unlinked {
                    self.catch_up(machine, &mut desk);
                }
            }
            Event::ShutdownStep(machine) => self.shutdown_step(machine, &mut desk),
            // They need the API server's own hands: the plane takes them.
            Event::Manifests(_) | Event::Mirrors(_) => {}
        }
    }

    /// Sees a write to the store, in the event of the write; what it does about it comes after the
    /// watch lag.
    pub fn observe(
        &mut self,
        change: Change,
        store: &mut Store,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<super::Event>,
    ) {
        let event = match change {
            Change::PodCreated(pod) | Change::PodBound(pod) | Change::PodTerminating(pod) => {
                // A node that was taken over may have no machine here, and no kubelet.
                let node = store.pod(pod).and_then(|row| store.node(row.node?));
                if node.is_none_or(|node| ctx.machines.machine(node.machine).is_none()) {
                    return;
                }
                Event::Sync(pod)
            }
            Change::PodRemoved(pod, row) if self.worker(pod).is_some() => {
                if let Some(worker) = self.worker_mut(pod) {
                    worker.aside.write().departed = Some(Incarnation {
                        id: pod,
                        created_s: row.created_s,
                    });
                }
                Event::Removed(pod)
            }
            Change::PodRemoved(_, row) if statics::is_mirror(store.template(row.template)) => {
                let Some(node) = row.node.and_then(|node| store.node(node)) else {
                    return;
                };
                Event::Mirrors(node.machine)
            }
            Change::NodeRemoved(node, ..) => {
                self.images.forget(node);
                return;
            }
            // Statuses are its own; what it does not know is another description of the pod.
            Change::PodTemplate(pod, _) if self.is_described_anew(pod, store) => Event::Sync(pod),
            // Somebody opened or closed a gate.
            Change::PodStatus(pod) if self.gated && self.has_moved_gates(pod, store) => {
                Event::Sync(pod)
            }
            Change::PodRemoved(..)
            | Change::PodStatus(_)
            | Change::PodTemplate(..)
            | Change::NodeAdded(_)
            | Change::NodeUpdated(_)
            | Change::NodeImages(_)
            | Change::Deployment(..)
            | Change::DeploymentRemoved(_)
            | Change::ReplicaSet(..)
            | Change::ReplicaSetRemoved(..)
            | Change::Service(_)
            | Change::ServiceRemoved(_)
            | Change::Watched(..)
            | Change::WatchedRemoved(_)
            | Change::OwnerRemoved
            | Change::NamespaceTerminating
            | Change::Stranded(_)
            | Change::NamespaceAdded => return,
        };
        let mut lag = store.watch_lag();
        if ctx.machines.shapes_links() {
            let machine = match event {
                Event::Sync(pod) => store
                    .pod(pod)
                    .and_then(|row| store.node(row.node?))
                    .map(|node| node.machine),
                Event::Removed(pod) => self.worker(pod).map(|worker| worker.machine),
                Event::Mirrors(machine) => Some(machine),
                _ => None,
            };
            let luck = (ctx.seed, ctx.now);
            lag += machine.map_or(SimDuration::ZERO, |machine| {
                ctx.machines.from_control(machine, luck)
            });
        }
        out.after(lag, super::Event::Kubelet(event));
    }

    /// A machine reports. The plane has already stopped or resumed the node's heartbeat.
    pub fn upcall(
        &mut self,
        upcall: Upcall,
        store: &mut Store,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<super::Event>,
    ) {
        let mut desk = Desk { store, ctx, out };
        let settings = self.settings.workers;
        match upcall {
            Upcall::SandboxCreated { owner, sandbox } => {
                if let Some((worker, _)) = self.owned(owner) {
                    worker.sandbox = Some(sandbox);
                }
            }
            Upcall::SandboxReady { owner, sandbox } => {
                if let Some((worker, _)) = self.owned(owner) {
                    lifecycle::sandbox_ready(worker, sandbox, &settings, &mut desk);
                }
            }
            Upcall::SandboxFailed { owner, sandbox } => {
                if let Some((worker, _)) = self.owned(owner) {
                    lifecycle::sandbox_failed(worker, sandbox, &mut desk);
                }
            }
            Upcall::Pulled { owner, image } => {
                if let Some((worker, index)) = self.owned(owner)
                    && worker.lowered[index].image == image
                {
                    let (node, machine) = (worker.node, worker.machine);
                    if images::pulled(worker, index, &settings, &mut desk) {
                        self.images_changed(node, machine, &desk);
                    }
                }
            }
            Upcall::PullFailed {
                owner,
                image,
                error,
            } => {
                if let Some((worker, index)) = self.owned(owner)
                    && worker.lowered[index].image == image
                {
                    images::pull_failed(worker, index, error, &settings, &mut desk);
                }
            }
            Upcall::ContainerCreated { owner, container } => {
                if let Some((worker, index)) = self.owned(owner) {
                    worker.containers[index].container = Some(container);
                    let name = worker.lowered[index].name;
                    let message = super::store::events::Message::Plain("Container created");
                    desk.record(worker, Some(name), Report::normal("Created", message));
                }
            }
            Upcall::Started { owner, container } => {
                if let Some((worker, index)) = self.owned(owner) {
                    let node = worker.node;
                    lifecycle::started(worker, index, container, &settings, &mut desk);
                    self.watch_start(node, container, &mut desk);
                }
            }
            Upcall::StartFailed {
                owner,
                container,
                code,
            } => {
                if let Some((worker, index)) = self.owned(owner) {
                    lifecycle::start_failed(worker, index, container, code, &settings, &mut desk);
                }
            }
            Upcall::Exited {
                owner,
                container,
                code,
                oom,
            } => {
                if let Some((worker, index)) = self.owned(owner) {
                    lifecycle::exited(worker, index, container, code, oom, &settings, &mut desk);
                }
            }
            Upcall::Probe {
                owner,
                container,
                which,
                success,
                changed,
                failures,
                flaw,
            } => {
                if let Some((worker, index)) = self.owned(owner) {
                    let verdict = probes::Verdict {
                        which,
                        success,
                        changed,
                        failures,
                        flaw,
                    };
                    probes::probed(worker, index, container, verdict, &settings, &mut desk);
                }
            }
            Upcall::PortTaken { .. } | Upcall::Asks { .. } => {}
            Upcall::Pressure { .. } => self.pressure(upcall, &mut desk),
            Upcall::MachineDown { machine } => {
                let trouble = self.trouble.entry(machine).or_default();
                trouble.down = true;
                trouble.starting = false;
                trouble.blind = false;
                trouble.lost = true;
                self.shutdowns.over(machine);
                self.dead_runtimes.remove(&machine);
            }
            Upcall::MachineUp { machine } => {
                if let Some(trouble) = self.trouble.get_mut(&machine) {
                    trouble.starting = true;
                    let at = desk.now() + AGENT_START;
                    desk.at(at, Event::AgentUp(machine));
                }
            }
            Upcall::ControlLink { machine, connected } => {
                let trouble = self.trouble.entry(machine).or_default();
                let was_unlinked = std::mem::replace(&mut trouble.unlinked, !connected);
                if connected && trouble.blind {
                    trouble.down = false;
                }
                if connected && was_unlinked && !trouble.down {
                    self.catch_up(machine, &mut desk);
                }
            }
        }
    }

    /// Takes pods over that ran before: while their containers come up below them, their status
    /// stands.
    pub fn resume(&mut self, pods: Vec<PodId>, now: SimTime) {
        let until = now + RESUME;
        self.resuming
            .extend(pods.into_iter().map(|pod| (pod, until)));
    }

    /// Whether a pod that ran before is still coming up, so that nothing is said of it.
    fn is_resuming(&mut self, pod: PodId, desk: &Desk<'_, '_>) -> bool {
        let Some(until) = self.resuming.get(&pod).copied() else {
            return false;
        };
        let ready = self.worker(pod).is_some_and(|worker| worker.status().ready);
        let was_ready = desk.store.pod(pod).is_some_and(PodRow::is_ready);
        if ready || !was_ready || desk.now() >= until {
            self.resuming.remove(&pod);
            return false;
        }
        true
    }

    /// Follows a change of the hard eviction thresholds.
    pub const fn configure(&mut self, reserved: &Reserved) {
        self.settings.eviction.hard = reserved.hard;
        self.recheck = true;
    }

    /// Looks at all nodes if thresholds have changed.
    pub fn recheck(&mut self, desk: &mut Desk<'_, '_>) {
        if std::mem::take(&mut self.recheck) {
            self.watch_all(desk);
        }
    }

    /// Whether a pod's readiness is not what its containers and its gates make it.
    /// Source: `pkg/kubelet/status/status_manager.go` (`NeedToReconcilePodReadiness`).
    fn has_moved_gates(&self, pod: PodId, store: &Store) -> bool {
        let gated = self.worker(pod).is_some_and(|worker| worker.recipe.gated);
        gated
            && store.pod(pod).is_some_and(|row| {
                let gates = &store.template(row.template).spec.readiness_gates;
                let ready = row.flags.has(PodFlags::CONTAINERS_READY)
                    && store.pod_details(pod).opens(gates);
                ready != row.is_ready()
            })
    }

    fn is_described_anew(&self, pod: PodId, store: &Store) -> bool {
        self.worker(pod).is_some_and(|worker| {
            store
                .pod(pod)
                .is_some_and(|row| row.template != worker.template)
        })
    }

    fn worker(&self, pod: PodId) -> Option<&Worker> {
        if statics::is_static(pod) {
            return self.statics.worker(pod);
        }
        self.workers
            .get(pod.slot())
            .as_deref()
            .filter(|worker| worker.pod == pod)
            .or_else(|| self.departed.get(&pod).map(|worker| &**worker))
    }

    fn worker_mut(&mut self, pod: PodId) -> Option<&mut Worker> {
        if statics::is_static(pod) {
            return self.statics.worker_mut(pod);
        }
        if self.departed.contains_key(&pod) {
            return self.departed.get_mut(&pod).map(Arc::make_mut);
        }
        self.worker(pod)?;
        self.workers.get_mut(pod.slot()).as_mut().map(Arc::make_mut)
    }

    /// The worker of a pod whose agent runs.
    fn awake(&mut self, pod: PodId) -> Option<&mut Worker> {
        let machine = self.worker(pod)?.machine;
        // An agent that has not reached the API server yet has only its own pods.
        let sleeps = |it: &Trouble| it.down && !(it.blind && statics::is_static(pod));
        if self.trouble.get(&machine).is_some_and(sleeps) {
            return None;
        }
        if statics::is_static(pod) {
            return self.statics.worker_mut(pod);
        }
        if let Some(worker) = self.departed.get_mut(&pod) {
            // One whose agent has not heard of it goes on when it has.
            return Some(Arc::make_mut(worker)).filter(|worker| worker.deadline.is_some());
        }
        // It is this pod's: it was read above.
        self.workers.get_mut(pod.slot()).as_mut().map(Arc::make_mut)
    }

    fn owned(&mut self, owner: Owner) -> Option<(&mut Worker, usize)> {
        let pod = PodId::new(owner.slot, NonZeroU32::new(owner.generation)?);
        let index = owner.part as usize;
        let worker = self.awake(pod)?;
        (index < worker.containers.len()).then_some((worker, index))
    }

    fn is_runtime_down(&self, pod: PodId) -> bool {
        let is_down = |worker: &Worker| self.runtime_down(worker.machine).is_some();
        self.has_dead_runtimes() && self.worker(pod).is_some_and(is_down)
    }

    fn is_unlinked(&self, pod: PodId) -> bool {
        self.worker(pod)
            .and_then(|worker| self.trouble.get(&worker.machine))
            .is_some_and(|trouble| trouble.unlinked)
    }
}

#[cfg(test)]
mod tests;
