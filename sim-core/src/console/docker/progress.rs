//! Waiting for a service to converge, and what is shown meanwhile.
//! Source: docker/cli `cli/command/service/progress/progress.go`.
//!
//! A terminal would redraw these lines; here they are printed once, as they last stood.

use super::swarm;
use super::words::ellipsis;
use crate::api::swarm::service::ServiceMode;
use crate::base::sorted::SortedMap;
use crate::base::time::{SimDuration, SimTime};
use crate::console::{Output, Session};
use crate::engine::command::Orchestrator;
use crate::swarm::SwarmPlane;
use crate::swarm::state::{NodeState, TaskState, UpdateState};
use crate::swarm::store::{ServiceId, SlotKey, TaskError, TaskId};
use crate::swarm::view::error_text;

/// Time between two looks. Source: `progress.go` (200 ms).
const POLL: SimDuration = SimDuration::from_millis(200);

/// After this much simulated time a waiting command gives up, as a person who presses Ctrl-C.
pub const LONGEST: SimDuration = SimDuration::from_minutes(30);

/// Most tasks that get a line each. Source: `progress.go` maxProgressBars.
const BARS_MAX: usize = 20;

/// Longest error in a line. Source: `progress.go` truncError.
const ERROR_COLUMNS: usize = 75;

/// Lets time pass until the service has converged. Does nothing if the session does not wait.
pub fn wait(session: &mut Session, name: &str) -> Output {
    if !session.wait {
        return Output::default();
    }
    let Some(id) = swarm(session)
        .ok()
        .and_then(|plane| plane.find_service(name))
    else {
        return Output::default();
    };
    let deadline = session.history.now() + LONGEST;
    let mut watch = Watch::default();
    loop {
        let now = session.history.now();
        match watch.look(session, id, now) {
            Some(output) => return output,
            None if now >= deadline => return watch.given_up(session, id),
            None => session.history.advance_to(now + POLL),
        }
    }
}

#[derive(Default)]
struct Watch {
    converged_at: Option<SimTime>,
    failed: bool,
    rollback: Option<String>,
    rollback_done: Option<String>,
    rolling_back: bool,
}

impl Watch {
    fn look(&mut self, session: &Session, id: ServiceId, now: SimTime) -> Option<Output> {
        let plane = swarm(session).ok()?;
        let Some(service) = plane.store.service(id) else {
            return Some(Output::default());
        };
        let job = service.is_job();
        if let Some(status) = &service.update_status {
            match status.state {
                UpdateState::Updating => self.rolling_back = false,
                UpdateState::Completed => {
                    if self.converged_at.is_none() {
                        return Some(Output::text(self.text(session, id, None)));
                    }
                }
                UpdateState::Paused => {
                    return Some(self.failure(
                        session,
                        id,
                        &format!("service update paused: {}", status.message),
                    ));
                }
                UpdateState::RollbackStarted => {
                    if !self.rolling_back && !status.message.is_empty() {
                        self.rollback = Some(status.message.clone());
                    }
                    self.rolling_back = true;
                }
                UpdateState::RollbackPaused => {
                    return Some(self.failure(
                        session,
                        id,
                        &format!("service rollback paused: {}", status.message),
                    ));
                }
                UpdateState::RollbackCompleted => {
                    if self.converged_at.is_none() {
                        self.rollback_done = Some(status.message.clone());
                    }
                    self.rolling_back = true;
                }
            }
        }
        let monitor = service.spec.update_config.monitor;
        if self
            .converged_at
            .is_some_and(|at| now.since(at) >= monitor || job)
        {
            let last = if job {
                "job complete".to_owned()
            } else {
                format!("verify: Service {} converged", service.identity.text())
            };
            return Some(Output::text(self.text(session, id, Some(&last))));
        }
        if count(plane, id).converged {
            self.converged_at = self.converged_at.or(Some(now));
        } else {
            self.failed |= self.converged_at.is_some();
            self.converged_at = None;
        }
        None
    }

    fn failure(&self, session: &Session, id: ServiceId, message: &str) -> Output {
        Output {
            stdout: self.text(session, id, None).into(),
            stderr: format!("{message}\n").into(),
            code: 1,
        }
    }

    fn given_up(&self, session: &Session, id: ServiceId) -> Output {
        let identity = swarm(session)
            .ok()
            .and_then(|plane| plane.store.service(id))
            .map(|service| service.identity.text())
            .unwrap_or_default();
        let last = format!(
            "Operation continuing in background.\nUse `docker service ps {identity}` to check progress."
        );
        Output::text(self.text(session, id, Some(&last)))
    }

    /// All lines as they stand.
    fn text(&self, session: &Session, id: ServiceId, last: Option<&str>) -> String {
        let mut text = String::new();
        if let Some(message) = &self.rollback {
            text.push_str(&format!("rollback: {message}\n"));
        }
        text.push_str(&tasks_text(session, id, self.rolling_back));
        if self.failed {
            text.push_str("verify: Detected task failure\n");
        }
        if let Some(last) = last {
            text.push_str(last);
            text.push('\n');
        }
        if let Some(message) = &self.rollback_done {
            text.push_str(&format!("rollback: {message}\n"));
        }
        text
    }
}

struct Count {
    running: usize,
    all: usize,
    converged: bool,
}

fn count(plane: &SwarmPlane, id: ServiceId) -> Count {
    let shown = shown_tasks(plane, id);
    let is_running = |task: &&TaskId| {
        let row = &plane.store.tasks[**task];
        row.desired <= TaskState::Running && row.state == TaskState::Running
    };
    let running = shown.values().filter(is_running).count();
    let service = plane.store.service(id);
    let mode = service.map_or(ServiceMode::Global, |service| service.spec.mode);
    match mode {
        ServiceMode::Replicated { replicas } => Count {
            running,
            all: replicas as usize,
            converged: running == replicas as usize,
        },
        ServiceMode::Global => Count {
            running,
            all: shown.len(),
            converged: !shown.is_empty() && running == shown.len(),
        },
        ServiceMode::ReplicatedJob {
            total_completions, ..
        } => {
            let done = service.map_or(0, |service| service.counts.completed) as usize;
            Count {
                running: done,
                all: total_completions as usize,
                converged: done >= total_completions as usize,
            }
        }
        ServiceMode::GlobalJob => {
            let done = service.map_or(0, |service| service.counts.completed) as usize;
            Count {
                running: done,
                all: shown.len(),
                converged: !shown.is_empty() && done >= shown.len(),
            }
        }
    }
}

/// One task of each slot, without those on nodes that are down: lowest desired state, then lowest
/// state, wins.
fn shown_tasks(plane: &SwarmPlane, id: ServiceId) -> SortedMap<SlotKey, TaskId> {
    let mut shown = SortedMap::new();
    let Some(service) = plane.store.service(id) else {
        return shown;
    };
    for (key, slot) in &service.slots {
        // The daemon lists only tasks that need no update.
        let current = slot.iter().filter(|task| !plane.is_dirty(**task));
        let alive = current.filter(|task| {
            let node = plane.store.tasks[**task]
                .node
                .and_then(|node| plane.store.node(node));
            node.is_none_or(|node| node.state != NodeState::Down)
        });
        let best = alive.min_by_key(|task| {
            let row = &plane.store.tasks[**task];
            (row.desired, row.state)
        });
        // A slot whose tasks all have ended well or were scaled away has no line.
        let has_line = |task: &&TaskId| {
            let row = &plane.store.tasks[**task];
            row.desired <= TaskState::Complete
                || (row.error != TaskError::None && row.desired != TaskState::Remove)
        };
        if let Some(task) = best.filter(has_line) {
            shown.insert(*key, *task);
        }
    }
    shown
}

fn tasks_text(session: &Session, id: ServiceId, rolling_back: bool) -> String {
    let (Ok(plane), Ok(world)) = (swarm(session), session.world(Orchestrator::Swarm)) else {
        return String::new();
    };
    let Some(service) = plane.store.service(id) else {
        return String::new();
    };
    let count = count(plane, id);
    let back = if rolling_back {
        "rolling back update: "
    } else {
        ""
    };
    if service.is_job() {
        return format!(
            "job progress: {} out of {} complete\n",
            count.running, count.all
        );
    }
    if service.is_global() && count.all == 0 {
        return "overall progress: waiting for new tasks\n".to_owned();
    }
    let mut text = format!(
        "overall progress: {back}{} out of {} tasks\n",
        count.running, count.all
    );
    if count.all > BARS_MAX {
        return text;
    }
    let shown = shown_tasks(plane, id);
    for (number, task) in shown.values().take(count.all).enumerate() {
        let row = &plane.store.tasks[*task];
        let error = error_text(row.error, &world.symbols);
        // A global service's lines carry the node's name, a replicated one's the number.
        let who = match row.node.and_then(|node| plane.store.node(node)) {
            Some(node) if service.is_global() => node.identity.short(),
            Some(_) | None => format!("{}/{}", number + 1, count.all),
        };
        let state = if error.is_empty() {
            format!("{:<9} {}", row.state.word(), bar(row.state))
        } else {
            ellipsis(&error, ERROR_COLUMNS)
        };
        text.push_str(&format!("{who}: {}\n", state.trim_end()));
    }
    // Bars are drawn before there is anything to show.
    if !service.is_global() {
        for number in shown.len()..count.all {
            text.push_str(&format!("{}/{}:  \n", number + 1, count.all));
        }
    }
    text
}

/// The progress bar of a state: nine steps on fifty columns.
fn bar(state: TaskState) -> String {
    let step = match state {
        TaskState::New => 1,
        TaskState::Pending => 2,
        TaskState::Assigned => 3,
        TaskState::Accepted => 4,
        TaskState::Preparing => 5,
        TaskState::Ready => 6,
        TaskState::Starting => 7,
        TaskState::Running => 9,
        TaskState::Complete
        | TaskState::Shutdown
        | TaskState::Failed
        | TaskState::Rejected
        | TaskState::Remove
        | TaskState::Orphaned => return String::new(),
    };
    let step = if state >= TaskState::Preparing && state < TaskState::Running {
        step + 1
    } else {
        step
    };
    let filled = step * 100 / 9 / 2;
    format!("[{}>{}]", "=".repeat(filled), " ".repeat(50 - filled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_wide_as_upstream() {
        assert_eq!(
            bar(TaskState::Running),
            "[==================================================>]"
        );
        assert_eq!(
            bar(TaskState::Preparing),
            "[=================================>                 ]"
        );
    }
}
