//! The task reaper: keeps a bounded history of each slot.
//! Source: swarmkit `manager/orchestrator/taskreaper/task_reaper.go`.

use crate::base::arrange::Arrange;
use crate::base::sorted::SortedSet;
use crate::base::time::SimDuration;
use crate::substrate::PlaneOutbox;
use crate::swarm::state::TaskState;
use crate::swarm::store::{ServiceId, SlotKey, TaskId};
use crate::swarm::{Event, SwarmPlane};

/// Wait for more work after the first. Source: `task_reaper.go` reaperBatchingInterval.
pub const BATCHING_INTERVAL: SimDuration = SimDuration::from_millis(250);

/// Entries above which the reaper does not wait. Source: `task_reaper.go` maxDirty.
pub const MAX_DIRTY: usize = 1000;

/// What the reaper has to look at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reaper {
    dirty: SortedSet<(ServiceId, SlotKey)>,
    cleanup: SortedSet<TaskId>,
    scheduled: bool,
}

impl SwarmPlane {
    /// A task was made: its slot's history may be too long now.
    pub(crate) fn reaper_sees_created(&mut self, task: TaskId, out: &mut PlaneOutbox<Event>) {
        let Some(row) = self.store.tasks.get(task).copied() else {
            return;
        };
        self.reaper
            .dirty
            .insert((row.service, self.store.slot_key(&row)));
        self.wake_reaper(out);
    }

    /// A task was written: it may be ready to be deleted.
    pub(crate) fn reaper_sees_updated(&mut self, task: TaskId, out: &mut PlaneOutbox<Event>) {
        let Some(row) = self.store.tasks.get(task) else {
            return;
        };
        if row.desired == TaskState::Remove
            && (row.state < TaskState::Assigned || row.state >= TaskState::Complete)
        {
            self.reaper.cleanup.insert(task);
            self.wake_reaper(out);
        }
    }

    fn wake_reaper(&mut self, out: &mut PlaneOutbox<Event>) {
        if self.reaper.dirty.len() + self.reaper.cleanup.len() > MAX_DIRTY {
            out.after(SimDuration::ZERO, Event::Reap);
        } else if !self.reaper.scheduled {
            out.after(BATCHING_INTERVAL, Event::Reap);
        }
        self.reaper.scheduled = true;
    }

    /// Deletes what may go.
    pub(crate) fn reap(&mut self) {
        self.reaper.scheduled = false;
        for task in std::mem::take(&mut self.reaper.cleanup) {
            self.store.remove_task(task);
        }
        for (service, key) in std::mem::take(&mut self.reaper.dirty) {
            let Some(object) = self.store.service(service) else {
                continue;
            };
            // Jobs are not trimmed: their old iterations are removed as a whole.
            if object.is_job() {
                continue;
            }
            let attempts = object.spec.task.restart_policy.max_attempts;
            let limit = if attempts > 0 {
                attempts as i64 + 1
            } else {
                self.settings.task_history_limit
            };
            let Some(slot) = object.slots.get(&key) else {
                continue;
            };
            if limit < 0 || slot.len() as i64 <= limit {
                continue;
            }
            let mut tasks: Vec<TaskId> = slot.to_vec();
            let mut excess = tasks.len() as i64 - limit;
            tasks.arrange_by_key(|task| {
                let row = &self.store.tasks[*task];
                (row.status_at, row.created_at)
            });
            let mut running = 0;
            for task in tasks {
                let row = self.store.tasks[task];
                let never = row.state < TaskState::Assigned && row.desired > TaskState::Running;
                if row.state > TaskState::Running || never {
                    if excess > 0 {
                        self.store.remove_task(task);
                        excess -= 1;
                    }
                } else {
                    running += 1;
                }
            }
            if running > 1 {
                // Two tasks run in one slot: look again when one has stopped.
                self.reaper.dirty.insert((service, key));
            }
        }
    }
}
