//! Health checks: only verdicts that change, and failures that are told, cost an event.
//!
//! What a program answers is known on the time since its start, so the probe that brings the next
//! change of verdict is found by walking over the ticks in thought, jumping over stretches in which
//! nothing can change. One event is scheduled for it. When something else changes what the program
//! answers (a hang), the walk is done again from there with the streak it had.
//!
//! Arithmetic: `pkg/kubelet/prober/worker.go` for ticks, moby `daemon/health.go` for gaps.

use crate::base::id::Id;
use crate::base::rng::{Seed, Stream};
use crate::base::time::{SimDuration, SimTime};

use super::container::Container;
use super::net::wire::Wire;
use super::order::{ContainerId, Flaw, ProbeAction, ProbePacing, ProbeSpec, Upcall};
use super::program::{Behaviour, Outcome};
use super::script::value::with_times;
use super::{Event, Scope, Substrate};

/// Names a probe of a running container.
pub type ProbeId = Id<Probe>;

/// A probe of a running container.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    pub(super) container: ContainerId,
    next: Option<ProbeId>,
    /// State up to the last time it was looked at.
    walk: Walk,
    /// When the next report is due; [`SimTime::MAX`]: never as things stand.
    due: SimTime,
}

const _: () = assert!(
    size_of::<Probe>() <= 64,
    "hundreds of thousands of these are kept"
);

/// Where a probe is in its sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Walk {
    /// A tick of the timer.
    anchor: SimTime,
    /// Start of the next probe; [`SimTime::MAX`]: none will be.
    tick: SimTime,
    /// Failures that change nothing are not told before.
    quiet: SimTime,
    /// Equal results in a row.
    streak: u32,
    /// What they were.
    streak_success: bool,
    /// The verdict that holds.
    verdict: Option<bool>,
    /// How it failed last.
    flaw: Flaw,
    /// Failures since the last report.
    untold: u32,
    /// Position in the container's list of probes; here, where it takes no room.
    index: u8,
}

/// What is probed.
struct Target<'a> {
    spec: &'a ProbeSpec,
    behaviour: &'a Behaviour,
    since: SimTime,
    hung: bool,
    /// What happens to its answers, and their luck.
    wire: (Wire, u64),
}

impl<'a> Target<'a> {
    fn new(container: &'a Container, index: u8, wire: (Wire, u64)) -> Option<Self> {
        Some(Self {
            spec: container.spec.probes.get(usize::from(index))?,
            behaviour: &container.behaviour,
            since: container.running_since()?,
            hung: container.is_silent(),
            wire,
        })
    }

    /// How much longer the answers to a probe take that starts at this time. A connection is
    /// answered, then what is asked on it; with gRPC the other side's settings come between.
    fn way(&self, at: SimTime) -> SimDuration {
        let (wire, luck) = self.wire;
        let answers = match self.spec.action {
            ProbeAction::Exec { .. } => return SimDuration::ZERO,
            ProbeAction::Tcp { .. } => 0,
            ProbeAction::Http { .. } => 1,
            ProbeAction::Grpc { .. } => 2,
        };
        if wire.is_clear() {
            return SimDuration::ZERO;
        }
        let key = at.as_micros().rotate_left(3) ^ u64::from(self.spec.which);
        wire.exchange(answers, &mut Stream::new(Seed(luck), "probe", key, 0))
    }

    /// Whether one probe's outcome says nothing of the next one's.
    const fn is_uneven(&self) -> bool {
        self.wire.0.is_uneven() && !matches!(self.spec.action, ProbeAction::Exec { .. })
    }

    /// Up to when probes are looked at ahead.
    fn horizon(&self, now: SimTime) -> SimTime {
        if self.is_uneven() {
            now + LUCK_AHEAD
        } else {
            SimTime::MAX
        }
    }

    /// Result and duration of a probe that starts at this time.
    fn result(&self, at: SimTime) -> (Result<(), Flaw>, SimDuration) {
        let timeout = if self.spec.timeout.is_zero() {
            SimDuration::MAX
        } else {
            self.spec.timeout
        };
        match self
            .behaviour
            .outcome(&self.spec.action, at.since(self.since), self.hung)
            .later(self.way(at))
        {
            Outcome::Success(span) if span < timeout => (Ok(()), span),
            Outcome::Failure(span, flaw) if span < timeout => (Err(flaw), span),
            Outcome::Success(_) | Outcome::Failure(..) => (Err(Flaw::Late), timeout),
            Outcome::Hang(flaw) => (Err(flaw), timeout),
        }
    }

    fn threshold(&self, success: bool) -> u32 {
        let threshold = if success {
            self.spec.success_threshold
        } else {
            self.spec.failure_threshold
        };
        threshold.max(1)
    }

    /// Whether failures do not count yet.
    fn is_protected(&self, at: SimTime, verdict: Option<bool>) -> bool {
        verdict.is_none() && at < self.since + self.spec.start_period
    }

    /// Time between the end of one probe and the start of the next, with [`ProbePacing::Gaps`].
    fn gap(&self, at: SimTime, verdict: Option<bool>) -> SimDuration {
        let gap = if self.is_protected(at, verdict) && !self.spec.start_interval.is_zero() {
            self.spec.start_interval
        } else {
            self.spec.period
        };
        gap.max(SHORTEST_PERIOD)
    }

    fn period(&self) -> SimDuration {
        self.spec.period.max(SHORTEST_PERIOD)
    }

    /// Start of the first probe not before `from`, which is not before the container's start.
    fn first_tick(&self, anchor: SimTime, from: SimTime) -> SimTime {
        let earliest = from.max(self.since + self.spec.initial_delay);
        match self.spec.pacing {
            ProbePacing::Ticks => tick_from(anchor, self.period(), earliest),
            ProbePacing::Gaps => earliest + self.gap(earliest, self.spec.initial),
        }
    }

    /// Goes on with the probes that end by `limit`, up to the first that is to be told.
    /// Returns where that leaves the sequence, and when that one ended.
    fn walk(&self, mut walk: Walk, limit: SimTime) -> (Walk, Option<SimTime>) {
        loop {
            if walk.tick == SimTime::MAX {
                return (walk, None);
            }
            let start = walk.tick;
            let (result, span) = self.result(start);
            let end = start + span;
            if end > limit || end == SimTime::MAX {
                return (walk, None);
            }
            let success = result.is_ok();
            // A kubelet throws away what it could not run. Source: `pkg/kubelet/prober/worker.go`.
            let void = result == Err(Flaw::Unstarted) && self.spec.pacing == ProbePacing::Ticks;
            let counted = !success && self.spec.each;
            if let Err(flaw) = result {
                walk.flaw = flaw;
            }
            walk.untold = walk.untold.saturating_add(u32::from(counted));
            let early = !success && self.is_protected(start, walk.verdict);
            let protected = early || void;
            if !protected {
                walk.streak = if walk.streak_success == success {
                    walk.streak.saturating_add(1)
                } else {
                    1
                };
                walk.streak_success = success;
            }
            let reached = !protected && walk.streak >= self.threshold(success);
            let changes = reached && walk.verdict != Some(success);
            if changes {
                walk.verdict = Some(success);
            }
            walk.tick = match self.spec.pacing {
                ProbePacing::Gaps => end + self.gap(end, walk.verdict),
                // A tick that falls into a running probe is kept by the timer's channel of one.
                ProbePacing::Ticks => tick_from(
                    walk.anchor,
                    self.period(),
                    start + SimDuration::from_micros(1),
                )
                .max(end),
            };
            if changes && self.spec.once {
                walk.tick = SimTime::MAX;
            }
            if changes || (counted && end >= walk.quiet) {
                return (walk, Some(end));
            }
            if (protected || reached) && !self.is_uneven() {
                // Nothing new until the program changes, or failures begin to count.
                let mut steady_until = self
                    .behaviour
                    .next_change(start.since(self.since))
                    .map_or(SimTime::MAX, |age| self.since + age);
                if early {
                    steady_until = steady_until.min(self.since + self.spec.start_period);
                }
                if counted {
                    steady_until = steady_until.min(walk.quiet);
                }
                let target = steady_until.min(limit);
                if target == SimTime::MAX {
                    return (walk, None);
                }
                if walk.tick < target {
                    let before = walk.tick;
                    let step = match self.spec.pacing {
                        ProbePacing::Ticks => self.period().max(span),
                        ProbePacing::Gaps => span + self.gap(end, walk.verdict),
                    };
                    walk.tick = match self.spec.pacing {
                        ProbePacing::Ticks => tick_from(walk.anchor, self.period(), target),
                        ProbePacing::Gaps => tick_from(walk.tick, step, target),
                    };
                    // The probes that were not looked at one by one all ended alike.
                    let alike = walk.tick.since(before).as_micros() / step.as_micros().max(1);
                    let alike = u32::try_from(alike).unwrap_or(u32::MAX);
                    if reached {
                        walk.streak = walk.streak.saturating_add(alike);
                    }
                    if counted {
                        walk.untold = walk.untold.saturating_add(alike);
                    }
                }
            }
        }
    }
}

/// Shortest period: Docker's smallest, and far below Kubernetes' second. Source: moby
/// `daemon/container.go`, minimum duration of a health check.
const SHORTEST_PERIOD: SimDuration = SimDuration::from_millis(1);

/// The first of `anchor`, `anchor + period`, … that is not before `from`.
fn tick_from(anchor: SimTime, period: SimDuration, from: SimTime) -> SimTime {
    let period = period.as_micros();
    anchor
        + SimDuration::from_micros(
            from.since(anchor)
                .as_micros()
                .div_ceil(period)
                .saturating_mul(period),
        )
}

/// How far ahead the luck of single probes is looked at.
const LUCK_AHEAD: SimDuration = SimDuration::from_minutes(60);

impl Substrate {
    fn target(&self, container: ContainerId, index: u8) -> Option<Target<'_>> {
        let row = &self.containers[container];
        Target::new(row, index, self.sandbox_wire(row.sandbox))
    }

    /// Sets the probes of a container going whose process has just started.
    pub(super) fn start_probes(&mut self, container: ContainerId, scope: &mut Scope<'_>) {
        let row = &self.containers[container];
        let anchor = self.sandboxes[row.sandbox].created;
        let spec = row.spec.clone();
        let mut first = None;
        for (index, probe) in spec.probes.iter().enumerate().rev() {
            let Ok(index) = u8::try_from(index) else {
                continue;
            };
            let Some(target) = self.target(container, index) else {
                continue;
            };
            let anchor = match probe.pacing {
                ProbePacing::Ticks => anchor,
                ProbePacing::Gaps => scope.now,
            };
            let tick = match probe.after {
                Some(_) => SimTime::MAX,
                None => target.first_tick(anchor, scope.now),
            };
            let walk = Walk {
                anchor,
                tick,
                quiet: SimTime::ZERO,
                streak: 0,
                streak_success: false,
                verdict: probe.initial,
                flaw: Flaw::Late,
                untold: 0,
                index,
            };
            first = Some(self.probes.insert(Probe {
                container,
                next: first,
                walk,
                due: SimTime::MAX,
            }));
        }
        self.containers[container].first_probe = first;
        self.plan_probes(container, scope);
    }

    /// Brings the probes' state up to now, with what the program has answered so far. Called before
    /// anything changes what it answers; [`Self::plan_probes`] is called after.
    pub(super) fn catch_up_probes(&mut self, container: ContainerId, now: SimTime) {
        let mut next = self.containers[container].first_probe;
        while let Some(id) = next {
            let probe = self.probes[id];
            next = probe.next;
            if let Some(target) = self.target(container, probe.walk.index) {
                // A change that is due at this very moment is left to its event.
                let (walk, changed) = target.walk(probe.walk, now);
                if changed.is_none() {
                    self.probes[id].walk = walk;
                }
            }
        }
    }

    /// Schedules the next report of every probe of a container.
    pub(super) fn plan_probes(&mut self, container: ContainerId, scope: &mut Scope<'_>) {
        let mut next = self.containers[container].first_probe;
        while let Some(id) = next {
            next = self.probes[id].next;
            self.plan_probe(id, scope);
        }
    }

    fn plan_probe(&mut self, id: ProbeId, scope: &mut Scope<'_>) {
        let probe = self.probes[id];
        let Some(target) = self.target(probe.container, probe.walk.index) else {
            return;
        };
        let horizon = target.horizon(scope.now);
        let due = target.walk(probe.walk, horizon).1.unwrap_or(horizon);
        if due != probe.due {
            self.probes[id].due = due;
            if due != SimTime::MAX {
                scope
                    .out
                    .after(due.since(scope.now), Event::Probe { probe: id });
            }
        }
    }

    /// A verdict changes or a probe fails, unless the plan has changed meanwhile.
    pub(super) fn probe_changes(&mut self, id: ProbeId, scope: &mut Scope<'_>) {
        let Some(probe) = self.probes.get(id).copied() else {
            return;
        };
        if probe.due != scope.now {
            return;
        }
        let container = probe.container;
        let Some(target) = self.target(container, probe.walk.index) else {
            return;
        };
        let (walk, told) = target.walk(probe.walk, scope.now);
        let (which, owner) = (target.spec.which, self.containers[container].owner);
        let is_uneven = target.is_uneven();
        let row = &mut self.probes[id];
        row.due = SimTime::MAX;
        row.walk = walk;
        if told.is_some() {
            row.walk.untold = 0;
        } else {
            if is_uneven {
                self.plan_probe(id, scope);
            }
            return;
        }
        self.plan_probe(id, scope);
        let changed = walk.verdict != probe.walk.verdict;
        let success = changed && walk.verdict == Some(true);
        if success {
            self.open_gates(container, which, scope);
        }
        scope.out.order(Upcall::Probe {
            owner,
            container,
            which,
            success,
            changed,
            failures: walk.untold,
            flaw: walk.flaw,
        });
    }

    /// The probe of a container with this number.
    fn probe_of(&self, container: ContainerId, which: u8) -> Option<ProbeId> {
        let row = self.containers.get(container)?;
        let mut next = row.first_probe;
        while let Some(id) = next {
            let probe = self.probes.get(id)?;
            let spec = row.spec.probes.get(usize::from(probe.walk.index))?;
            if spec.which == which {
                return Some(id);
            }
            next = probe.next;
        }
        None
    }

    /// Keeps a probe's failures back until later.
    pub(super) fn keep_probe_quiet(
        &mut self,
        container: ContainerId,
        which: u8,
        until: SimTime,
        scope: &mut Scope<'_>,
    ) {
        if let Some(id) = self.probe_of(container, which) {
            self.catch_up_probes(container, scope.now);
            self.probes[id].walk.quiet = until;
            self.plan_probe(id, scope);
        }
    }

    /// Tells what was kept back, before a container's probes are forgotten.
    pub(super) fn tell_failures(&mut self, container: ContainerId, scope: &mut Scope<'_>) {
        self.catch_up_probes(container, scope.now);
        let owner = self.containers[container].owner;
        let mut next = self.containers[container].first_probe;
        while let Some(probe) = next.map(|id| self.probes[id]) {
            next = probe.next;
            let spec = &self.containers[container].spec.probes;
            let spec = spec.get(usize::from(probe.walk.index));
            if probe.walk.untold > 0
                && probe.walk.quiet != SimTime::MAX
                && let Some(spec) = spec
            {
                scope.out.order(Upcall::Probe {
                    owner,
                    container,
                    which: spec.which,
                    success: false,
                    changed: false,
                    failures: probe.walk.untold,
                    flaw: probe.walk.flaw,
                });
            }
        }
    }

    /// What the command of a container's probe prints now; none: that is not known.
    pub fn probe_said(&self, container: ContainerId, which: u8, now: SimTime) -> Option<String> {
        let probe = self.probes.get(self.probe_of(container, which)?)?;
        let target = self.target(container, probe.walk.index)?;
        let ProbeAction::Exec { command } = &target.spec.action else {
            return None;
        };
        let age = now.since(target.since);
        let said = target.behaviour.exec_said(command, age, target.hung)?;
        Some(with_times(&said.into(), now).to_string())
    }

    /// Sets the probes going that waited for this one.
    fn open_gates(&mut self, container: ContainerId, which: u8, scope: &mut Scope<'_>) {
        let mut next = self.containers[container].first_probe;
        while let Some(id) = next {
            let probe = self.probes[id];
            next = probe.next;
            let Some(target) = self.target(container, probe.walk.index) else {
                continue;
            };
            if target.spec.after == Some(which) && probe.walk.tick == SimTime::MAX {
                self.probes[id].walk.tick = target.first_tick(probe.walk.anchor, scope.now);
                self.plan_probe(id, scope);
            }
        }
    }

    /// Runs a probe now and starts its timer anew.
    #[inline(never)]
    pub(super) fn probe_now(&mut self, container: ContainerId, which: u8, scope: &mut Scope<'_>) {
        if self.containers.get(container).is_none() {
            return;
        }
        self.catch_up_probes(container, scope.now);
        let mut next = self.containers[container].first_probe;
        while let Some(id) = next {
            let probe = self.probes[id];
            next = probe.next;
            let Some(target) = self.target(container, probe.walk.index) else {
                continue;
            };
            let ticks = target.spec.which == which && target.spec.pacing == ProbePacing::Ticks;
            if ticks && probe.walk.tick != SimTime::MAX && probe.due != scope.now {
                let tick = target.first_tick(scope.now, scope.now);
                let walk = &mut self.probes[id].walk;
                walk.anchor = scope.now;
                walk.tick = tick;
                self.plan_probe(id, scope);
            }
        }
    }

    /// Forgets the probes of a container.
    pub(super) fn drop_probes(&mut self, container: ContainerId) {
        let mut next = self.containers[container].first_probe.take();
        while let Some(id) = next {
            next = self.probes.remove(id).and_then(|probe| probe.next);
        }
    }

    /// Failures in a row of a container's probe up to now.
    pub fn failing_streak(&self, container: ContainerId, which: u8, now: SimTime) -> Option<u32> {
        let probe = self.probes.get(self.probe_of(container, which)?)?;
        let target = self.target(container, probe.walk.index)?;
        let (walk, _) = target.walk(probe.walk, now);
        Some(if walk.streak_success { 0 } else { walk.streak })
    }

    /// The verdict that holds for a probe of a container now, and how it failed last; none before the
    /// first.
    pub fn probe_verdict(&self, container: ContainerId, which: u8) -> Option<(bool, Flaw)> {
        let walk = &self.probes.get(self.probe_of(container, which)?)?.walk;
        walk.verdict.map(|verdict| (verdict, walk.flaw))
    }
}
