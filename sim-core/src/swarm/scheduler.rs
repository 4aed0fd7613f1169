//! The scheduler: spreads the tasks of each service over the nodes that pass its filters.
//! Source: swarmkit `manager/scheduler/scheduler.go`.
//!
//! Owns the queue of tasks without a node and the debouncing. A pass over one group of tasks costs
//! one look at each node and keeps only as many candidates as the group has tasks.

pub mod filter;
pub mod roster;
pub mod spread;

use crate::base::arrange::Arrange;
use crate::base::name::Name;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::Detail;
use crate::substrate::{Context, PlaneOutbox};
use crate::swarm::scheduler::roster::Roster;
use crate::swarm::scheduler::spread::Branch;
use crate::swarm::state::{Message, TaskState};
use crate::swarm::store::{NodeId, ServiceId, TaskError, TaskId, TemplateId};
use crate::swarm::{Event, SwarmPlane};

/// Wait after the last commit. Source: `scheduler.go` commitDebounceGap.
pub const COMMIT_DEBOUNCE_GAP: SimDuration = SimDuration::from_millis(50);

/// Longest wait after the first commit. Source: `scheduler.go` maxLatency.
pub const MAX_LATENCY: SimDuration = SimDuration::from_secs(1);

/// Failures of a service on a node, within [`MONITOR_FAILURES`], from which on it is avoided.
/// Source: `nodeinfo.go` maxFailures.
pub const MAX_FAILURES: usize = 5;

/// Source: `nodeinfo.go` monitorFailures.
pub const MONITOR_FAILURES: SimDuration = SimDuration::from_minutes(5);

/// Tasks that wait for a node, and the debouncing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scheduler {
    unassigned: SortedSet<TaskId>,
    preassigned: SortedSet<TaskId>,
    tick_required: bool,
    debouncing_since: Option<SimTime>,
    last_commit: SimTime,
}

impl SwarmPlane {
    /// A task is pending: it needs a node, or a confirmation for the one it has.
    pub(crate) fn scheduler_enqueues(&mut self, task: TaskId) {
        let Some(row) = self.store.tasks.get(task) else {
            return;
        };
        if row.node.is_some() {
            self.scheduler.preassigned.insert(task);
        } else {
            self.scheduler.unassigned.insert(task);
            self.scheduler.tick_required = true;
        }
    }

    /// Resources became free, or a node changed: what could not be placed is tried again.
    pub(crate) fn scheduler_retries(&mut self) {
        self.scheduler.tick_required = true;
    }

    /// Something was committed: the next pass is put off, but not for ever. While nothing waits
    /// for a node a pass would do nothing, and none is scheduled.
    pub(crate) fn scheduler_debounces(&mut self, ctx: &Context<'_>, out: &mut PlaneOutbox<Event>) {
        self.scheduler.last_commit = ctx.now;
        let idle = self.scheduler.unassigned.is_empty() && self.scheduler.preassigned.is_empty();
        if idle || self.scheduler.debouncing_since.is_some() {
            return;
        }
        if self.scheduler.tick_required || !self.scheduler.preassigned.is_empty() {
            self.scheduler.debouncing_since = Some(ctx.now);
            out.after(COMMIT_DEBOUNCE_GAP, Event::Schedule);
        }
    }

    /// The debouncing timer fired.
    pub(crate) fn schedule(&mut self, ctx: &mut Context<'_>, out: &mut PlaneOutbox<Event>) {
        let Some(since) = self.scheduler.debouncing_since else {
            return;
        };
        let due = (self.scheduler.last_commit + COMMIT_DEBOUNCE_GAP).min(since + MAX_LATENCY);
        if ctx.now < due {
            out.after(due.since(ctx.now), Event::Schedule);
            return;
        }
        self.scheduler.debouncing_since = None;
        self.confirm_preassigned(ctx, out);
        if std::mem::take(&mut self.scheduler.tick_required) {
            self.tick(ctx, out);
        }
    }

    /// Tasks that already have a node only need room there. Source: `scheduler.go` taskFitNode.
    fn confirm_preassigned(&mut self, ctx: &mut Context<'_>, out: &mut PlaneOutbox<Event>) {
        for task in std::mem::take(&mut self.scheduler.preassigned) {
            let Some(row) = self.store.tasks.get(task).copied() else {
                continue;
            };
            if row.state != TaskState::Pending {
                continue;
            }
            if row.desired >= TaskState::Shutdown {
                self.store.update_task(task, |row| {
                    row.state = TaskState::Shutdown;
                    row.status_at = ctx.now;
                });
                continue;
            }
            let template = self.store.template(row.template).clone();
            let Some(node) = row.node.and_then(|node| self.store.node(node)) else {
                continue;
            };
            match filter::first_failing(&template, node, filter::Extent::Preassigned) {
                None => {
                    let name = Name::plain(node.name);
                    self.store.update_task(task, |row| {
                        row.state = TaskState::Assigned;
                        row.message = Message::SchedulerConfirmed;
                        row.error = TaskError::None;
                        row.status_at = ctx.now;
                    });
                    self.note_task(
                        out,
                        "swarm.scheduler",
                        "confirm",
                        task,
                        Detail::To(name),
                        None,
                    );
                }
                Some(failing) => {
                    let text = ctx.symbols.intern(&filter::explain_one(failing, 1));
                    if row.error != TaskError::Text(text) {
                        self.store.update_task(task, |row| {
                            row.error = TaskError::Text(text);
                            row.status_at = ctx.now;
                        });
                    }
                    self.scheduler.preassigned.insert(task);
                }
            }
        }
    }

    /// Places all tasks that wait, grouped by service and version of its specification.
    fn tick(&mut self, ctx: &mut Context<'_>, out: &mut PlaneOutbox<Event>) {
        let mut groups: SortedMap<(ServiceId, TemplateId), Vec<TaskId>> = SortedMap::new();
        for task in std::mem::take(&mut self.scheduler.unassigned) {
            let Some(row) = self.store.tasks.get(task) else {
                continue;
            };
            if row.node.is_none() && row.state == TaskState::Pending {
                groups
                    .entry((row.service, row.template))
                    .or_default()
                    .push(task);
            }
        }
        if groups.is_empty() {
            return;
        }
        let mut roster = Roster::of(&mut self.store);
        let count = roster.entries.len() as u32;
        for ((service, template), mut tasks) in groups {
            tasks.arrange_by_key(|task| {
                let row = &self.store.tasks[*task];
                (row.slot, row.created_at, row.identity)
            });
            let template_row = self.store.template(template).clone();
            let mut tree = Branch::build(
                (&self.store, &mut roster),
                service,
                &template_row,
                tasks.len(),
                (ctx.now, ctx.choices),
            );
            let mut left = tasks.as_slice();
            let wanted = left.len();
            let mut placed = Vec::with_capacity(wanted);
            tree.place(wanted, &mut |node: NodeId| {
                let task = left[0];
                left = &left[1..];
                placed.push((task, node));
            });
            let (left, fits) = (left.to_vec(), tree.candidates());
            for (task, node) in placed {
                self.store.update_task(task, |row| {
                    row.node = Some(node);
                    row.state = TaskState::Assigned;
                    row.message = Message::SchedulerAssigned;
                    row.error = TaskError::None;
                    row.status_at = ctx.now;
                });
                roster.refresh(&self.store, node);
                let name = self.store.node(node).map(|node| Name::plain(node.name));
                let detail = name.map_or(Detail::None, |name| Detail::ToOf(name, fits, count));
                self.note_task(out, "swarm.scheduler", "assign", task, detail, None);
            }
            if !left.is_empty() {
                self.no_suitable_node(service, template, &left, ctx, out);
            }
        }
    }

    /// Says why tasks stay pending, and keeps them for the next pass.
    fn no_suitable_node(
        &mut self,
        service: ServiceId,
        template: TemplateId,
        tasks: &[TaskId],
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let Some(object) = self.store.service(service) else {
            return;
        };
        let outdated = object.template != template;
        let explanation = filter::explain(&self.store, self.store.template(template));
        let text = ctx.symbols.intern(&explanation);
        for task in tasks {
            let row = self.store.tasks[*task];
            if outdated {
                if row.desired >= TaskState::Shutdown {
                    self.store.update_task(*task, |row| {
                        row.state = TaskState::Shutdown;
                        row.error = TaskError::None;
                        row.status_at = ctx.now;
                    });
                }
                continue;
            }
            self.scheduler.unassigned.insert(*task);
            if row.error != TaskError::Text(text) {
                self.store.update_task(*task, |row| {
                    row.error = TaskError::Text(text);
                    row.status_at = ctx.now;
                });
                self.note_task(
                    out,
                    "swarm.scheduler",
                    "unschedulable",
                    *task,
                    Detail::Text(text),
                    None,
                );
            }
        }
    }
}
