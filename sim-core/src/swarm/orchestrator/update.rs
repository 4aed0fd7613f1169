//! The updater: replaces outdated tasks slot by slot, and pauses or rolls back when too many fail.
//! Source: swarmkit `manager/orchestrator/update/updater.go`.
//!
//! ```text
//! slots --> worker 1: [new READY, old SHUTDOWN] -> old stopped -> new RUNNING -> delay -> next slot
//!       \-> worker 2: ...
//! all slots done -> monitor -> completed
//! ```

use crate::api::swarm::service::{FailureAction, UpdateConfig, UpdateOrder};
use crate::base::name::{Name, Rule};
use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::{Detail, Notice, Subject};
use crate::substrate::{Context, PlaneOutbox};
use crate::swarm::orchestrator::Place;
use crate::swarm::state::{TaskState, UpdateState};
use crate::swarm::store::{NodeId, ServiceId, Slot, SlotKey, TaskId, TemplateId, UpdateStatus};
use crate::swarm::{Event, SwarmPlane};

/// What one worker of an update does.
#[derive(Clone, Debug)]
enum Worker {
    /// Takes the next slot.
    Idle,
    /// Is taking a slot.
    Busy,
    /// Waits for a task's start: its predecessor must stop first.
    WaitStart { task: TaskId, slot: u32, then: Then },
    /// Waits for the task to run or to end.
    WaitRunning { task: TaskId, slot: u32, then: Then },
    /// Sleeps for the configured delay.
    Sleeping,
    /// No slot is left for it.
    Done,
}

/// What follows when a task has been started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// Go on to the next slot: the task was there before.
    Next,
    /// Wait until it runs.
    Watch,
    /// Wait until it runs, then stop the old ones.
    WatchThenStop,
}

/// An update or rollback in progress. Lives in the leader's memory only.
#[derive(Clone, Debug)]
pub(crate) struct Update {
    epoch: u32,
    template: TemplateId,
    config: UpdateConfig,
    rollback: bool,
    slots: Vec<(SlotKey, Slot)>,
    next: usize,
    workers: Vec<Worker>,
    /// Tasks made by this update, and since when they run.
    made: SortedMap<TaskId, Option<SimTime>>,
    failed: SortedSet<TaskId>,
    /// Failures seen while nothing looks at them: all slots are handed out, not all are done.
    unseen: Vec<TaskId>,
    handing_out: bool,
    monitoring: bool,
    stopped: bool,
}

/// Whether so many failures of so many slots trigger the failure action: strictly more than the
/// ratio allows.
pub(crate) fn exceeds_ratio(failures: u32, slots: u32, ratio_millionths: u32) -> bool {
    u64::from(failures) * 1_000_000 > u64::from(ratio_millionths) * u64::from(slots)
}

/// How long is watched after the last slot: longer than the delay between slots.
pub(crate) fn final_monitor(config: &UpdateConfig) -> SimDuration {
    if config.delay >= config.monitor {
        config.delay + SimDuration::from_secs(1)
    } else {
        config.monitor
    }
}

impl SwarmPlane {
    /// Updates these slots to the service's specification, unless that is already under way.
    pub(crate) fn update_slots(
        &mut self,
        service: ServiceId,
        slots: Vec<(SlotKey, Slot)>,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let Some(object) = self.store.service(service) else {
            return;
        };
        if self
            .updates
            .get(&service)
            .is_some_and(|update| update.template == object.template)
        {
            return;
        }
        self.updates.remove(&service);
        let status = object.update_status.as_ref().map(|status| status.state);
        if matches!(
            status,
            Some(UpdateState::Paused | UpdateState::RollbackPaused)
        ) {
            return;
        }
        let (template, spec) = (object.template, object.spec.clone());
        let slots: Vec<(SlotKey, Slot)> = slots
            .into_iter()
            .filter(|(_, slot)| {
                slot.len() > 1 || slot.first().is_some_and(|task| self.is_dirty(*task))
            })
            .collect();
        if slots.is_empty() {
            if matches!(
                status,
                Some(UpdateState::Updating | UpdateState::RollbackStarted)
            ) {
                self.complete_update(service, ctx, out, None);
            }
            return;
        }
        if status.is_none() {
            let started = UpdateStatus {
                state: UpdateState::Updating,
                started_at: ctx.now,
                completed_at: None,
                message: "update in progress".to_owned(),
            };
            self.store
                .touch_service(service, |service| service.update_status = Some(started));
        }
        let rollback = status == Some(UpdateState::RollbackStarted);
        let config = if rollback {
            spec.rollback_config
        } else {
            spec.update_config
        };
        let parallelism = if config.parallelism == 0 {
            slots.len()
        } else {
            config.parallelism.min(slots.len() as u64) as usize
        };
        self.update_epoch += 1;
        self.note_service(
            out,
            "swarm.updater",
            if rollback { "rollback" } else { "update" },
            service,
            Detail::Number(slots.len() as i64),
            None,
        );
        let update = Update {
            epoch: self.update_epoch,
            template,
            config,
            rollback,
            slots,
            next: 0,
            workers: vec![Worker::Idle; parallelism],
            made: SortedMap::new(),
            failed: SortedSet::new(),
            unseen: Vec::new(),
            handing_out: true,
            monitoring: false,
            stopped: false,
        };
        self.updates.insert(service, update);
        self.advance_update(service, ctx, out);
    }

    /// Lets every worker go as far as it can.
    fn advance_update(
        &mut self,
        service: ServiceId,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let Some(epoch) = self.updates.get(&service).map(|update| update.epoch) else {
            return;
        };
        let mut worker = 0;
        while let Some(update) = self
            .updates
            .get_mut(&service)
            .filter(|update| update.epoch == epoch)
        {
            if worker == update.workers.len() {
                break;
            }
            if !matches!(update.workers[worker], Worker::Idle) {
                worker += 1;
                continue;
            }
            if update.stopped || update.next == update.slots.len() {
                update.workers[worker] = Worker::Done;
                continue;
            }
            let slot = update.next;
            update.workers[worker] = Worker::Busy;
            update.next += 1;
            update.handing_out = update.next < update.slots.len();
            self.update_one_slot(service, worker, slot, ctx, out);
        }
        let Some(update) = self
            .updates
            .get_mut(&service)
            .filter(|update| update.epoch == epoch)
        else {
            return;
        };
        if update.monitoring
            || !update
                .workers
                .iter()
                .all(|worker| matches!(worker, Worker::Done))
        {
            return;
        }
        if update.stopped {
            self.updates.remove(&service);
            return;
        }
        update.monitoring = true;
        out.after(
            final_monitor(&update.config),
            Event::Monitor(service, update.epoch),
        );
        for task in std::mem::take(&mut update.unseen) {
            self.count_failure(service, task, ctx, out);
        }
    }

    /// One worker takes one slot.
    fn update_one_slot(
        &mut self,
        service: ServiceId,
        worker: usize,
        number: usize,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let update = &self.updates[&service];
        let (config, (key, mut tasks)) = (update.config, update.slots[number].clone());
        tasks.retain(|task| self.store.tasks.contains(*task));
        let clean = |plane: &Self, task: &TaskId| !plane.is_dirty(*task);
        let existing = tasks
            .iter()
            .copied()
            .find(|task| clean(self, task) && self.store.tasks[*task].desired == TaskState::Running)
            .or_else(|| {
                tasks.iter().rev().copied().find(|task| {
                    clean(self, task) && self.store.tasks[*task].desired < TaskState::Running
                })
            });
        let slot = number as u32;
        let started = if let Some(existing) = existing {
            let others: Slot = tasks
                .iter()
                .copied()
                .filter(|task| *task != existing)
                .collect();
            let removed = self.stop_old(&others);
            if self.store.tasks[existing].desired == TaskState::Running {
                None
            } else {
                self.delay_start(existing, removed, SimDuration::ZERO, ctx, out);
                Some((existing, Then::Next))
            }
        } else {
            let global = self
                .store
                .service(service)
                .is_some_and(|service| service.is_global());
            let place = Place {
                service,
                slot: if global { 0 } else { key },
                node: global.then_some(NodeId(key)),
            };
            match self.create_task(place, TaskState::Ready, ctx, out) {
                None => None,
                Some(new) => {
                    if let Some(update) = self.updates.get_mut(&service) {
                        update.made.insert(new, None);
                    }
                    match config.order {
                        UpdateOrder::StartFirst => {
                            self.delay_start(new, None, SimDuration::ZERO, ctx, out);
                            Some((new, Then::WatchThenStop))
                        }
                        UpdateOrder::StopFirst => {
                            let removed = self.stop_old(&tasks);
                            self.delay_start(new, removed, SimDuration::ZERO, ctx, out);
                            Some((new, Then::Watch))
                        }
                    }
                }
            }
        };
        let Some(update) = self.updates.get_mut(&service) else {
            return;
        };
        match started {
            Some((task, then)) => {
                update.workers[worker] = Worker::WaitStart { task, slot, then };
                self.advance_worker(service, worker, ctx, out);
            }
            None => self.slot_done(service, worker, out),
        }
    }

    /// Shuts down the tasks that still run and names the last of them.
    fn stop_old(&mut self, tasks: &Slot) -> Option<TaskId> {
        let mut removed = None;
        for task in tasks {
            if self
                .store
                .tasks
                .get(*task)
                .is_some_and(|row| row.desired <= TaskState::Running)
            {
                self.set_desired(*task, TaskState::Shutdown);
                removed = Some(*task);
            }
        }
        removed
    }

    fn slot_done(&mut self, service: ServiceId, worker: usize, out: &mut PlaneOutbox<Event>) {
        let Some(update) = self.updates.get_mut(&service) else {
            return;
        };
        if update.config.delay.is_zero() {
            update.workers[worker] = Worker::Idle;
        } else {
            update.workers[worker] = Worker::Sleeping;
            // Workers beyond 65,535 share a number; their sleep is then at most shortened.
            out.after(
                update.config.delay,
                Event::Worker(service, (update.epoch << 16) | (worker as u32 & 0xffff)),
            );
        }
    }

    /// Looks whether what a worker waits for has happened.
    fn advance_worker(
        &mut self,
        service: ServiceId,
        worker: usize,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let Some(update) = self.updates.get_mut(&service) else {
            return;
        };
        if let Worker::WaitStart { task, slot, then } = update.workers[worker] {
            if self.restarts.is_delayed(task) {
                return;
            }
            if then == Then::Next {
                self.slot_done(service, worker, out);
                return;
            }
            update.workers[worker] = Worker::WaitRunning { task, slot, then };
        }
        let Worker::WaitRunning { task, slot, then } = update.workers[worker] else {
            return;
        };
        // A task that was deleted before it ran ends the wait like one that failed.
        let state = self
            .store
            .tasks
            .get(task)
            .map_or(TaskState::Remove, |row| row.state);
        if state < TaskState::Running {
            return;
        }
        update.made.insert(task, Some(ctx.now));
        if then == Then::WatchThenStop && state == TaskState::Running {
            let old: Slot = update.slots[slot as usize].1.clone();
            self.stop_old(&old);
        }
        self.slot_done(service, worker, out);
    }

    /// A task changed: the update that made it, or waits for it, goes on.
    pub(crate) fn update_sees(
        &mut self,
        task: TaskId,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        if self.updates.is_empty() {
            return;
        }
        let service = self.store.tasks.get(task).map(|row| row.service);
        let mut candidates = self
            .updates
            .iter()
            .filter(|(other, _)| service.is_none_or(|service| service == **other));
        let waiting = candidates.find_map(|(service, update)| {
            let worker = update.workers.iter().position(|worker| {
                matches!(worker, Worker::WaitStart { task: other, .. } | Worker::WaitRunning { task: other, .. } if *other == task)
            });
            (worker.is_some() || update.made.contains_key(&task)).then_some((*service, worker))
        });
        let Some((service, worker)) = waiting else {
            return;
        };
        let ended = self
            .store
            .tasks
            .get(task)
            .is_some_and(|row| row.state > TaskState::Running);
        if ended && let Some(update) = self.updates.get_mut(&service) {
            if update.handing_out || update.monitoring {
                self.count_failure(service, task, ctx, out);
            } else if !update.unseen.contains(&task) {
                update.unseen.push(task);
            }
        }
        if let Some(worker) = worker {
            self.advance_worker(service, worker, ctx, out);
        }
        self.advance_update(service, ctx, out);
    }

    /// A worker's delay is over.
    pub(crate) fn worker_wakes(
        &mut self,
        service: ServiceId,
        which: u32,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let Some(update) = self
            .updates
            .get_mut(&service)
            .filter(|update| update.epoch & 0xffff == which >> 16)
        else {
            return;
        };
        if let Some(worker @ Worker::Sleeping) = update.workers.get_mut((which & 0xffff) as usize) {
            *worker = Worker::Idle;
        }
        self.advance_update(service, ctx, out);
    }

    /// The last monitor period is over.
    pub(crate) fn monitor_over(
        &mut self,
        service: ServiceId,
        epoch: u32,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let Some(update) = self
            .updates
            .get(&service)
            .filter(|update| update.epoch == epoch)
        else {
            return;
        };
        let span = final_monitor(&update.config);
        let key = if update.rollback {
            "rollback_config.monitor"
        } else {
            "update_config.monitor"
        };
        self.updates.remove(&service);
        self.complete_update(service, ctx, out, Some(Rule { key, value: span }));
    }

    /// A task of this update ended: count it, and act when there are too many.
    fn count_failure(
        &mut self,
        service: ServiceId,
        task: TaskId,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let Some(update) = self.updates.get_mut(&service) else {
            return;
        };
        let Some(since) = update.made.get(&task).copied() else {
            return;
        };
        if update.config.failure_action == FailureAction::Continue
            || update.stopped
            || update.failed.contains(&task)
        {
            return;
        }
        if since.is_some_and(|since| ctx.now.since(since) > update.config.monitor) {
            return;
        }
        update.failed.insert(task);
        if !exceeds_ratio(
            update.failed.len() as u32,
            update.slots.len() as u32,
            update.config.max_failure_ratio_millionths,
        ) {
            return;
        }
        update.stopped = true;
        let (monitoring, rollback, action) = (
            update.monitoring,
            update.rollback,
            update.config.failure_action,
        );
        if monitoring {
            self.updates.remove(&service);
        }
        let id = self
            .store
            .tasks
            .get(task)
            .map(|row| row.identity.text())
            .unwrap_or_default();
        if action == FailureAction::Rollback && !rollback {
            self.roll_back(service, &id, ctx, out);
        } else {
            let word = if rollback { "rollback" } else { "update" };
            let message = format!("{word} paused due to failure or early termination of task {id}");
            let text = ctx.symbols.intern(&message);
            let paused = if rollback {
                UpdateState::RollbackPaused
            } else {
                UpdateState::Paused
            };
            self.store.update_service(service, ctx.now, |service| {
                if let Some(status) = &mut service.update_status {
                    status.state = paused;
                    status.message = message;
                }
            });
            self.note_service(
                out,
                "swarm.updater",
                "pause",
                service,
                Detail::Text(text),
                None,
            );
        }
    }

    /// Returns to the previous specification after too many failures.
    fn roll_back(
        &mut self,
        service: ServiceId,
        task: &str,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let Some((spec, spec_version)) = self
            .store
            .service(service)
            .and_then(|object| object.previous.clone())
        else {
            return;
        };
        let message =
            format!("update rolled back due to failure or early termination of task {task}");
        let text = ctx.symbols.intern(&message);
        self.put_spec(service, spec, Some(spec_version), ctx, |service| {
            service.previous = None;
            if let Some(status) = &mut service.update_status {
                status.state = UpdateState::RollbackStarted;
                status.message = message;
            }
        });
        self.note_service(
            out,
            "swarm.updater",
            "roll-back",
            service,
            Detail::Text(text),
            None,
        );
    }

    fn complete_update(
        &mut self,
        service: ServiceId,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
        rule: Option<Rule>,
    ) {
        let now = ctx.now;
        self.store.update_service(service, now, |service| {
            if let Some(status) = &mut service.update_status {
                let rollback = status.state == UpdateState::RollbackStarted;
                status.state = if rollback {
                    UpdateState::RollbackCompleted
                } else {
                    UpdateState::Completed
                };
                status.message = if rollback {
                    "rollback completed"
                } else {
                    "update completed"
                }
                .to_owned();
                status.completed_at = Some(now);
            }
        });
        self.note_service(
            out,
            "swarm.updater",
            "complete",
            service,
            Detail::None,
            rule,
        );
    }

    /// Leaves a line of the trace about a service.
    pub(crate) fn note_service(
        &self,
        out: &mut PlaneOutbox<Event>,
        source: &'static str,
        verb: &'static str,
        service: ServiceId,
        detail: Detail,
        rule: Option<Rule>,
    ) {
        if let Some(object) = self.store.service(service) {
            let name = Name::plain(self.store.template(object.template).name);
            out.notice(Notice {
                source,
                verb,
                subject: Subject {
                    kind: "service",
                    name,
                },
                detail,
                rule,
            });
        }
    }
}
