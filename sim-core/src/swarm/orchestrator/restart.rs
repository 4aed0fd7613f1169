//! The restart supervisor: a task that ended, or whose node is lost, gets a successor in its slot.
//! Source: swarmkit `manager/orchestrator/restart/restart.go`.
//!
//! ```text
//! old: desired SHUTDOWN                       new: desired READY --delay and old stopped--> RUNNING
//! ```

use smallvec::SmallVec;

use crate::api::swarm::service::RestartCondition;
use crate::base::name::Rule;
use crate::base::sorted::SortedMap;
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::Detail;
use crate::substrate::{Context, PlaneOutbox};
use crate::swarm::orchestrator::Place;
use crate::swarm::state::{Availability, NodeState, TaskState};
use crate::swarm::store::{ServiceId, SlotKey, TaskId};
use crate::swarm::{Event, SwarmPlane};

/// Longest wait for the old task to stop before the new one runs anyway.
/// Source: `manager/orchestrator/restart/restart.go` defaultOldTaskTimeout.
pub const OLD_TASK_TIMEOUT: SimDuration = SimDuration::from_minutes(1);

/// A new task that waits to be started.
#[derive(Clone, Debug)]
struct Delay {
    /// The task it replaces, while that must stop first.
    old: Option<TaskId>,
    /// When the delay is over.
    until: SimTime,
    /// The delay's length.
    span: SimDuration,
    /// When the wait for the old task is given up.
    give_up: SimTime,
    /// Whether the new task is itself to be replaced when the delay is over.
    waiter: bool,
}

/// Replacements made for one slot under one version of the specification.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    spec_version: u64,
    total: u64,
    times: SmallVec<[SimTime; 4]>,
}

impl History {
    /// Notes a replacement.
    pub(crate) fn record(&mut self, spec_version: u64, window: SimDuration, now: SimTime) {
        if self.spec_version != spec_version {
            *self = Self {
                spec_version,
                ..Self::default()
            };
        }
        self.total += 1;
        if !window.is_zero() {
            // Whoever asks later asks about a later end: what lies before this window counts no more.
            self.times.retain(|time| *time + window > now);
            self.times.push(now);
        }
    }

    /// Whether one more replacement is allowed for a task whose status is of `timestamp`.
    pub(crate) fn allows(
        &self,
        spec_version: u64,
        max_attempts: u64,
        window: SimDuration,
        timestamp: SimTime,
    ) -> bool {
        if max_attempts == 0 || self.spec_version != spec_version {
            return true;
        }
        if window.is_zero() {
            return self.total < max_attempts;
        }
        // Only replacements inside the window, and before the end that is looked at, count.
        let counts = |time: &SimTime| *time + window > timestamp && *time < timestamp;
        let count = self.times.iter().filter(|time| counts(time)).count() as u64;
        count < max_attempts
    }
}

/// Waiting restarts and the history that limits them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Restarts {
    delays: SortedMap<TaskId, Delay>,
    waiting: SortedMap<TaskId, TaskId>,
    history: SortedMap<(ServiceId, SlotKey), History>,
}

impl Restarts {
    /// Forgets what was restarted for a service.
    pub(crate) fn forget_service(&mut self, service: ServiceId) {
        self.history.retain(|(other, _), _| *other != service);
    }

    /// Whether a task still waits to be started.
    pub(crate) fn is_delayed(&self, task: TaskId) -> bool {
        self.delays.contains_key(&task)
    }

    /// Gives up the wait of a task that is gone, or whose wait begins anew. Says whether somebody
    /// waits for the end of the wait to replace the task.
    pub(crate) fn cancel(&mut self, task: TaskId) -> bool {
        let Some(delay) = self.delays.remove(&task) else {
            return false;
        };
        if let Some(old) = delay.old {
            self.waiting.remove(&old);
        }
        delay.waiter
    }
}

impl SwarmPlane {
    /// Whether the restart policy asks for a successor of the task.
    pub(crate) fn should_restart(&self, task: TaskId) -> bool {
        let row = self.store.tasks[task];
        let template = self.store.template(row.template);
        let policy = template.spec.task.restart_policy;
        let allowed = match policy.condition {
            // A job that completed is done, whatever the policy.
            RestartCondition::Any => !(template.is_job() && row.state == TaskState::Complete),
            RestartCondition::OnFailure => row.state != TaskState::Complete,
            RestartCondition::None => false,
        };
        if !allowed || policy.max_attempts == 0 {
            return allowed;
        }
        let spec_version = template.spec_version;
        let key = (row.service, self.store.slot_key(&row));
        match self.restarts.history.get(&key) {
            Some(history) => history.allows(
                spec_version,
                policy.max_attempts,
                policy.window,
                row.status_at,
            ),
            None => true,
        }
    }

    /// Replaces a task if its policy allows it; stops it in any case.
    pub(crate) fn restart(
        &mut self,
        task: TaskId,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        if let Some(delay) = self.restarts.delays.get_mut(&task) {
            // It never got to run. Its successor waits for what is left of its delay, so that a
            // missing image does not become a tight loop.
            delay.waiter = true;
            return;
        }
        let row = self.store.tasks[task];
        if row.desired > TaskState::Complete {
            return;
        }
        self.set_desired(task, TaskState::Shutdown);
        if !self.should_restart(task) {
            self.note_task(out, "swarm.restart", "give-up", task, Detail::None, None);
            return;
        }
        let Some(service) = self.store.service(row.service) else {
            return;
        };
        let node = if service.is_global() { row.node } else { None };
        let current = self.store.template(service.template);
        let (limited, window, spec_version) = (
            current.spec.task.restart_policy.max_attempts != 0,
            current.spec.task.restart_policy.window,
            current.spec_version,
        );
        let object = row.node.and_then(|node| self.store.node(node));
        let drained = object.is_some_and(|node| node.availability == Availability::Drain);
        let down = object.is_some_and(|node| node.state == NodeState::Down);
        let delay = if drained {
            SimDuration::ZERO
        } else {
            self.store
                .template(row.template)
                .spec
                .task
                .restart_policy
                .delay
        };
        let wait_stop = !down && row.state <= TaskState::Running;
        let place = Place {
            service: row.service,
            slot: row.slot,
            node,
        };
        let Some(new) = self.create_task(place, TaskState::Ready, ctx, out) else {
            return;
        };
        if limited {
            let key = (row.service, self.store.slot_key(&self.store.tasks[new]));
            self.restarts
                .history
                .entry(key)
                .or_default()
                .record(spec_version, window, ctx.now);
        }
        self.delay_start(new, wait_stop.then_some(task), delay, ctx, out);
    }

    /// Starts `new` once `span` is over and `old` has stopped.
    pub(crate) fn delay_start(
        &mut self,
        new: TaskId,
        old: Option<TaskId>,
        span: SimDuration,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        // Whoever waits for the wait that is given up finds the one that follows it, and waits for
        // that (`restart.go` DelayStart, waitRestart).
        let waiter = self.restarts.cancel(new);
        let old = old.filter(|old| {
            self.store
                .tasks
                .get(*old)
                .is_some_and(|row| row.state <= TaskState::Running)
        });
        let delay = Delay {
            old,
            until: ctx.now + span,
            span,
            give_up: ctx.now + OLD_TASK_TIMEOUT,
            waiter,
        };
        if let Some(old) = old {
            self.restarts.waiting.insert(old, new);
            out.after(OLD_TASK_TIMEOUT.max(span), Event::Delay(new));
        }
        self.restarts.delays.insert(new, delay);
        if span.is_zero() {
            self.delay_over(new, ctx, out);
        } else {
            out.after(span, Event::Delay(new));
        }
    }

    /// A timer of a waiting task fired, or what it waits for may have happened.
    pub(crate) fn delay_over(
        &mut self,
        new: TaskId,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let Some(delay) = self.restarts.delays.get(&new) else {
            return;
        };
        if ctx.now < delay.until || (delay.old.is_some() && ctx.now < delay.give_up) {
            return;
        }
        let delay = delay.clone();
        self.restarts.cancel(new);
        let Some(row) = self.store.tasks.get(new).copied() else {
            return;
        };
        if row.desired < TaskState::Running {
            let job = self.store.template(row.template).is_job();
            self.set_desired(
                new,
                if job {
                    TaskState::Complete
                } else {
                    TaskState::Running
                },
            );
            let rule = (!delay.span.is_zero()).then_some(Rule {
                key: "restart_policy.delay",
                value: delay.span,
            });
            let verb = if rule.is_some() { "restart" } else { "start" };
            self.note_task(out, "swarm.restart", verb, new, Detail::None, rule);
        }
        self.update_sees(new, ctx, out);
        let still_wanted = self
            .store
            .tasks
            .get(new)
            .is_some_and(|row| row.desired <= TaskState::Complete);
        if delay.waiter && still_wanted {
            self.restart(new, ctx, out);
        }
    }

    /// A task ended, or its node is lost: whoever waits for that goes on.
    pub(crate) fn old_task_stopped(
        &mut self,
        old: TaskId,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let Some(new) = self.restarts.waiting.remove(&old) else {
            return;
        };
        if let Some(delay) = self.restarts.delays.get_mut(&new) {
            delay.old = None;
        }
        self.delay_over(new, ctx, out);
    }
}
