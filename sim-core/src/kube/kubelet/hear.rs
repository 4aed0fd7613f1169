//! What an agent hears of its pods from the API server, and what it tells of them.

use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::name::Rule;
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::Detail;
use crate::kube::rows::pod::{ContainerState, PodRow, PodStatus, Termination};
use crate::kube::rows::{NodeId, PodId};
use crate::kube::store::Store;
use crate::substrate::order::{MachineId, Order};
use crate::substrate::{Context, PlaneOutbox};

use super::admission::Admission;
use super::desk::Desk;
use super::worker::Worker;
use super::{Event, Kubelets, changes, content, lifecycle, reattach, statics, stop};

/// An end with other times.
fn timed(end: &Termination, clock: impl Fn(SimTime) -> SimTime) -> Arc<Termination> {
    Arc::new(Termination {
        started: end.started.map(&clock),
        finished: end.finished.map(&clock),
        ..end.clone()
    })
}

/// The status of a pod of the API with the times that its machine's clock showed, and what it shows now.
fn by_clock(pod: PodId, worker: &Worker, desk: &Desk<'_, '_>) -> (PodStatus, SimTime) {
    let (machines, now) = (desk.ctx.machines, desk.now());
    let mut status = worker.status();
    if worker.recipe.gated {
        let gates = &desk.store.template(worker.template).spec.readiness_gates;
        status.ready &= desk.store.pod_details(pod).opens(gates);
    }
    if machines.has_odd_clock(worker.machine) {
        let clock = |at: SimTime| machines.wall(worker.machine, at);
        let ended = |end: &Arc<Termination>| timed(end, clock);
        status.started = status.started.map(clock);
        for one in &mut status.containers {
            match &mut one.state {
                ContainerState::Running { started } => *started = clock(*started),
                ContainerState::Terminated(end) => *end = ended(end),
                ContainerState::Waiting { .. } => {}
            }
            one.last = one.last.as_ref().map(ended);
        }
    }
    (status, machines.wall(worker.machine, now))
}

/// Writes a status, and with a pod's last one what disturbed it.
/// Source: `pkg/kubelet/status/status_manager.go` (`mergePodStatus`).
fn write(
    pod: PodId,
    worker: &mut Worker,
    (status, now): (PodStatus, SimTime),
    desk: &mut Desk<'_, '_>,
) {
    if status.phase.is_terminal()
        && let Some(aside) = worker.aside.written()
        && let Some(message) = aside.disruption.take()
    {
        desk.store
            .set_disruption(pod, "TerminationByKubelet", message, now);
    }
    desk.store.set_pod_status(pod, status, now);
}

impl Kubelets {
    /// The agent hears of a pod.
    pub(super) fn sync(&mut self, pod: PodId, desk: &mut Desk<'_, '_>) {
        let Some(row) = desk.store.pod(pod).copied() else {
            return;
        };
        let Some(node) = row.node else { return };
        let Some(node_row) = desk.store.node(node) else {
            return;
        };
        let machine = node_row.machine;
        if self
            .trouble
            .get(&machine)
            .is_some_and(|trouble| trouble.down || trouble.unlinked)
        {
            return;
        }
        if statics::is_mirror(desk.store.template(row.template)) {
            let at = desk.now() + desk.write_time(machine);
            desk.at(at, Event::Mirrors(machine));
            return;
        }
        if self.worker(pod).is_none() {
            if row.is_terminating() {
                let at = desk.now() + desk.write_time(machine);
                desk.at(at, Event::Delete(pod));
                return;
            }
            if row.phase.is_terminal() {
                return;
            }
            self.hire(pod, &row, node, machine, desk);
            return;
        }
        let settings = self.settings.workers;
        let anew = self.is_described_anew(pod, desk.store).then(|| {
            if row.is_terminating() || self.size_up(pod, row.template, desk) {
                self.recipe(row.template, row.has_token(), desk)
                    .containers
                    .clone()
            } else {
                self.lowered_as_granted(pod, row.template, desk)
            }
        });
        let Some(worker) = self.worker_mut(pod) else {
            return;
        };
        worker.template = row.template;
        worker.active_deadline = desk.store.template(row.template).active_deadline;
        if !row.is_terminating() {
            if let Some(lowered) = anew {
                changes::take(worker, lowered, &settings, desk);
            }
            content::refresh(worker, desk);
            if worker.recipe.gated {
                desk.request_status(worker);
            }
            lifecycle::advance(worker, &settings, desk);
            return;
        }
        if worker.finished {
            stop::finish(worker, desk);
            return;
        }
        let deadline = desk.now() + desk.store.pod_details(pod).deletion_grace;
        stop::terminate(worker, deadline, desk);
    }

    /// Makes a worker for a pod that is new to its agent, or refuses the pod.
    pub(super) fn hire(
        &mut self,
        pod: PodId,
        row: &PodRow,
        node: NodeId,
        machine: MachineId,
        desk: &mut Desk<'_, '_>,
    ) {
        let recipe = self.recipe(row.template, row.has_token(), desk);
        let Some(host) = desk.store.node(node).map(|row| row.name) else {
            return;
        };
        let asks = (row.template, &*recipe);
        let rejected = match self.admit((pod, row.name), asks, (node, machine), true, desk) {
            Admission::Waits => return,
            Admission::Taken => None,
            Admission::Refused(why) => Some(why),
        };
        let known = desk.store.pod_details(pod);
        let resumes = self.resuming.contains_key(&pod);
        let started = known
            .started
            .filter(|_| resumes)
            .map_or(desk.now(), |at| desk.ctx.machines.when(machine, at));
        let namespace = desk.store.template(row.template).namespace;
        let mut made = Arc::new(Worker::new(
            (pod, row.name),
            (row.template, namespace),
            (node, host, machine),
            recipe,
            started,
        ));
        let worker = Arc::make_mut(&mut made);
        if resumes {
            worker.own_place().address = known.ip;
        }
        if rejected.is_some() {
            worker.aside.write().rejected = rejected;
        }
        // An agent that was told of a pod before it lost its memory: statuses come from the API.
        if known.containers.len() == worker.containers.len() {
            for (work, status) in worker.containers.iter_mut().zip(known.containers.iter()) {
                work.restarts = status.restarts;
                work.was_made = status.container.is_some();
                // The machine's own clock wrote these times.
                let when = |at| desk.ctx.machines.when(machine, at);
                work.last = status.last.as_ref().map(|end| timed(end, when));
            }
        }
        desk.taken_on(worker, host);
        desk.request_status(worker);
        lifecycle::advance(worker, &self.settings.workers, desk);
        let place = self.workers.get_mut(pod.slot());
        if let Some(old) = place.replace(made) {
            // Its agent has not heard yet that its object is gone.
            self.departed.insert(old.pod, old);
        }
    }

    /// A status arrives at the API server, unless the link is down: then it is sent when it is back.
    pub(super) fn write_status(&mut self, pod: PodId, desk: &mut Desk<'_, '_>) {
        let silent = self.is_unlinked(pod) || self.is_resuming(pod, desk);
        let own = pod;
        let pod = self.api_pod(own);
        let Some(worker) = self.awake(own) else {
            return;
        };
        worker.status_pending = false;
        let Some(pod) = pod.filter(|_| !silent) else {
            return;
        };
        let (status, now) = by_clock(pod, worker, desk);
        let was_ready = desk.store.pod(pod).is_some_and(PodRow::is_ready);
        if status.ready && !was_ready {
            let probe = worker
                .lowered
                .iter()
                .find_map(|lowered| lowered.readiness.as_ref());
            let rule = probe.map(|probe| match probe.initial_delay_seconds {
                0 => Rule {
                    key: "readinessProbe.periodSeconds",
                    value: SimDuration::from_secs(u64::from(probe.period_seconds)),
                },
                delay => Rule {
                    key: "readinessProbe.initialDelaySeconds",
                    value: SimDuration::from_secs(u64::from(delay)),
                },
            });
            desk.note("ready", worker, Detail::None, rule);
        } else if !status.ready && was_ready && worker.deadline.is_none() {
            desk.note("not-ready", worker, Detail::None, None);
        }
        let (node, machine) = (worker.node, worker.machine);
        let ends = status.phase.is_terminal();
        let had_ended = desk
            .store
            .pod(pod)
            .is_none_or(|row| row.phase.is_terminal());
        write(pod, worker, (status, now), desk);
        if ends && !had_ended {
            self.retry_sizes(node, desk);
            self.room_made(machine, desk);
        }
    }

    /// A pod's end arrives at the API server.
    pub(super) fn delete(&mut self, pod: PodId, desk: &mut Desk<'_, '_>) {
        if statics::is_static(pod) {
            self.static_ended(pod, desk);
            return;
        }
        if self.departed.contains_key(&pod) {
            self.departed_ended(pod, desk);
            return;
        }
        let machine = self.worker(pod).map(|worker| worker.machine);
        if self.is_unlinked(pod) {
            // The agent knows, if nobody else does.
            self.ended_on(machine, desk);
            return;
        }
        let Some(row) = desk.store.pod(pod).copied() else {
            return;
        };
        if !row.is_terminating() {
            // A pod that was evicted has ended and stays.
            self.write_status(pod, desk);
            self.ended_on(machine, desk);
            return;
        }
        if self.worker(pod).is_some() {
            let Some(worker) = self.awake(pod) else {
                return;
            };
            if !worker.finished {
                return;
            }
            let (status, wall) = by_clock(pod, worker, desk);
            desk.note("removed", worker, Detail::None, None);
            let now = desk.now();
            write(pod, worker, (status, wall), desk);
            if let Some(worker) = self.workers.get(pod.slot()).clone() {
                self.images.released(&worker, now);
            }
            self.workers.clear(pod.slot());
            self.ended_on(machine, desk);
        }
        let node = row.node;
        desk.store.remove_pod(pod);
        if let Some(node) = node {
            self.retry_sizes(node, desk);
        }
    }

    pub(super) fn ended_on(&mut self, machine: Option<MachineId>, desk: &mut Desk<'_, '_>) {
        if let Some(machine) = machine {
            self.shutdown_goes_on(machine, desk);
            self.room_made(machine, desk);
        }
    }

    /// An agent that has missed changes lists the pods of its node.
    pub(in crate::kube) fn list_anew(
        &mut self,
        machine: MachineId,
        store: &mut Store,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<crate::kube::Event>,
    ) {
        let mut desk = Desk { store, ctx, out };
        let gone: Vec<PodId> = self
            .workers
            .iter()
            .filter_map(Option::as_deref)
            .filter(|worker| worker.machine == machine && desk.store.pod(worker.pod).is_none())
            .map(|worker| worker.pod)
            .collect();
        for pod in gone {
            self.removed(pod, &mut desk);
        }
        let Some(node) = desk.store.node_of(machine) else {
            return;
        };
        let mut pods: Vec<PodId> = desk.store.pods_on(node).map(|(pod, _)| pod).collect();
        pods.arrange();
        for pod in pods {
            self.sync(pod, &mut desk);
        }
        let at = desk.now() + desk.write_time(machine);
        desk.at(at, Event::Mirrors(machine));
    }

    /// An agent reaches the API server again, with or without its memory.
    pub(super) fn catch_up(&mut self, machine: MachineId, desk: &mut Desk<'_, '_>) {
        let Some(trouble) = self.trouble.remove(&machine) else {
            return;
        };
        let settings = self.settings.workers;
        // Source: `pkg/kubelet/kubelet_volumes.go` (`cleanupOrphanedPodDirs`).
        for owner in trouble.orphans {
            desk.order(Order::RemoveDirectories { machine, owner });
        }
        self.departed_go_on(machine, (trouble.lost, trouble.restarted), desk);
        let own = self.statics.on(machine);
        for pod in &own {
            if let Some(worker) = self.worker_mut(*pod) {
                desk.request_status(worker);
            }
        }
        if !own.is_empty() {
            let at = desk.now() + desk.write_time(machine);
            desk.at(at, Event::Mirrors(machine));
        }
        let Some(node) = desk.store.node_of(machine) else {
            return;
        };
        let mut pods: Vec<PodId> = desk.store.pods_on(node).map(|(pod, _)| pod).collect();
        pods.arrange();
        for pod in pods {
            if let Some(worker) = self.worker_mut(pod) {
                if trouble.lost {
                    reattach::lost(worker, desk);
                } else if trouble.restarted {
                    reattach::reattach(worker, &settings, desk);
                }
                desk.request_status(worker);
            }
            self.sync(pod, desk);
        }
        self.retry_sizes(node, desk);
    }
}
