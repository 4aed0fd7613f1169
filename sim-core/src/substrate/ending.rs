//! How containers end that are asked to: signals, and what a process does with them.
//!
//! ```text
//! stop signal ──▶ handler, if it answers ──▶ its own code, within the grace
//!            └──▶ grace over: SIGKILL ─────▶ 137
//! ```
//!
//! A process that sleeps in a request to a disk takes no signal, nor does anything else, before it
//! wakes. What was sent to it meanwhile is kept, and counts for what it is when it does.

use crate::base::time::{SimDuration, SimTime};

use super::container::{Container, ContainerState, Ending};
use super::order::ContainerId;
use super::program::OnStop;
use super::runtime::EXIT_REPORT;
use super::{Event, Scope, Substrate};

/// Exit code of a process that SIGKILL ended: 128 + 9.
const KILLED: i32 = 137;

/// Upper bound of a process's time to its memory limit, for one that grows past it while starting.
const GROWTH: SimDuration = SimDuration::from_secs(1);

/// An end that is due: when, with which code, and whether the kernel kills for memory.
type End = (SimTime, i32, bool);

impl Substrate {
    /// Sends the stop signal, and SIGKILL after the grace. A later stop may shorten the time left,
    /// never lengthen it.
    #[inline(never)]
    pub(super) fn stop(
        &mut self,
        container: ContainerId,
        grace: SimDuration,
        scope: &mut Scope<'_>,
    ) {
        let by = scope.now + grace;
        self.ask_to_end(container, Ending::Stop { by }, scope);
    }

    /// Sends SIGKILL.
    #[inline(never)]
    pub(super) fn kill(&mut self, container: ContainerId, scope: &mut Scope<'_>) {
        self.end_now(container, KILLED, scope);
    }

    /// The kernel kills a container's processes for memory.
    pub(super) fn kill_for_memory(&mut self, container: ContainerId, scope: &mut Scope<'_>) {
        let kill = Ending::Now {
            code: KILLED,
            oom: true,
        };
        self.ask_to_end(container, kill, scope);
    }

    /// Ends a container as soon as may be.
    pub(super) fn end_now(&mut self, container: ContainerId, code: i32, scope: &mut Scope<'_>) {
        self.ask_to_end(container, Ending::Now { code, oom: false }, scope);
    }

    /// Sees to it that a container ends as it is asked to, or sooner.
    fn ask_to_end(&mut self, container: ContainerId, asked: Ending, scope: &mut Scope<'_>) {
        let Some(row) = self.containers.get(container) else {
            return;
        };
        let (state, sandbox) = (row.state, row.sandbox);
        let asked = match state {
            ContainerState::Exited { .. } => return,
            // Nothing runs yet that could be asked.
            ContainerState::Created => Ending::Now {
                code: KILLED,
                oom: false,
            },
            ContainerState::Running { .. } => asked,
        };
        let ending = match (row.ending, asked) {
            (Some(Ending::Now { code, oom }), Ending::Now { oom: more, .. }) => Ending::Now {
                code,
                oom: oom || more,
            },
            (Some(now @ Ending::Now { .. }), Ending::Stop { .. }) => now,
            (Some(Ending::Stop { by }), Ending::Stop { by: other }) => {
                Ending::Stop { by: by.min(other) }
            }
            (Some(Ending::Stop { .. }) | None, asked) => asked,
        };
        let starts = state == ContainerState::Created && row.ending.is_none();
        // What it does by itself waits while it sleeps.
        let waits = row.asleep && row.ending.is_none();
        self.containers[container].ending = Some(ending);
        let end = self.end_of(container, ending, scope.now);
        if starts || waits || end.0 < self.containers[container].due {
            self.set_end(container, end, scope);
        }
        if matches!(ending, Ending::Now { oom: true, .. }) {
            self.containers[container].due_oom = true;
        }
        self.serving_changed(sandbox, scope);
    }

    pub(super) fn set_end(
        &mut self,
        container: ContainerId,
        (due, code, oom): End,
        scope: &mut Scope<'_>,
    ) {
        let row = &mut self.containers[container];
        row.due = due;
        row.due_code = code;
        row.due_oom = oom;
        scope
            .out
            .after(due.since(scope.now), Event::Step { container });
    }

    /// The end that follows from what was asked, as things stand.
    pub(super) fn end_of(&self, container: ContainerId, ending: Ending, now: SimTime) -> End {
        let row = &self.containers[container];
        let wakes = now + self.sleeps_on_disk(container, now).unwrap_or_default();
        let (at, code, oom) = match ending {
            Ending::Now { code, oom } => (wakes, code, oom),
            Ending::Stop { by } => match row.behaviour.on_stop {
                OnStop::Exit { after, code }
                    if now + after <= by && now < by && !row.is_silent() =>
                {
                    (now + after, code, false)
                }
                OnStop::Exit { .. } | OnStop::Ignore => (by.max(wakes), KILLED, false),
            },
        };
        (at + EXIT_REPORT, code, oom)
    }

    /// How a running container ends by itself, on the time since its start; none: it does not.
    pub(super) fn own_end(&self, container: ContainerId) -> Option<(SimDuration, i32, bool)> {
        let row = self.container(container)?;
        // What it asks before may change how it ends.
        let asks = row.behaviour.question().map(|(span, _)| (span, 0));
        let own = row.behaviour.end.or(asks);
        let own = own.map(|(span, code)| (span, code, false));
        let limit = self
            .memory_bounds(container)
            .max
            .filter(|limit| *limit > 0)
            .or_else(|| u64::try_from(row.spec.limits.memory).ok())
            .unwrap_or(0);
        if limit == 0 || row.behaviour.memory_bytes <= limit {
            return own;
        }
        let growth = row
            .behaviour
            .ready
            .map_or(GROWTH, |ready| ready.min(GROWTH));
        match own {
            Some((span, ..)) if span <= growth => own,
            Some(_) | None => Some((growth, KILLED, true)),
        }
    }

    /// A container would end by itself now. If it sleeps it does so when it wakes.
    pub(super) fn puts_off_end(&mut self, container: ContainerId, scope: &mut Scope<'_>) -> bool {
        let row = &self.containers[container];
        if row.ending.is_some() {
            return false;
        }
        let (code, oom) = (row.due_code, row.due_oom);
        let Some(wait) = self.sleeps_on_disk(container, scope.now) else {
            return false;
        };
        let end = (scope.now + wait + EXIT_REPORT, code, oom);
        self.set_end(container, end, scope);
        true
    }

    /// Lets a program stop answering, or answer again.
    pub(super) fn set_hung(&mut self, container: ContainerId, hung: bool, scope: &mut Scope<'_>) {
        let row = self.containers.get(container);
        if row.is_some_and(|row| row.hung != hung && row.running_since().is_some()) {
            self.change_silence(container, scope, |row| row.hung = hung);
        }
    }

    /// Changes whether a running program answers.
    pub(super) fn change_silence(
        &mut self,
        container: ContainerId,
        scope: &mut Scope<'_>,
        change: impl FnOnce(&mut Container),
    ) {
        self.catch_up_probes(container, scope.now);
        let row = &mut self.containers[container];
        change(row);
        let sandbox = row.sandbox;
        self.plan_probes(container, scope);
        self.serving_changed(sandbox, scope);
    }

    /// A container's process has fallen asleep or woken: what is due is so at another time.
    pub(super) fn plan_end_anew(&mut self, container: ContainerId, scope: &mut Scope<'_>) {
        let row = &self.containers[container];
        let Some(since) = row.running_since() else {
            return;
        };
        let asked = row.ending;
        if row.asleep {
            // Who has ended already is only to be reported.
            if let Some(stop @ Ending::Stop { .. }) = asked
                && row.due > scope.now + EXIT_REPORT
            {
                let end = self.end_of(container, stop, scope.now);
                self.set_end(container, end, scope);
            }
            return;
        }
        let own = self
            .own_end(container)
            .map(|(span, code, oom)| ((since + span).max(scope.now), code, oom));
        let asked = asked.map(|ending| self.end_of(container, ending, scope.now));
        let soonest = own.into_iter().chain(asked).min_by_key(|end| end.0);
        if let Some(end) = soonest.filter(|end| end.0 != row.due) {
            self.set_end(container, end, scope);
        }
    }
}
