//! What is derived from a run by watching it: series for charts, convergence, and for each fault
//! when it was noticed and when users were served as before. Nothing here is ever read by the run.

use std::sync::Arc;

use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::Notice;
use crate::des::queue::Seq;

use super::world::World;

/// How long service must last to count as recovered. Design §3.1.
pub const RECOVERED_FOR: SimDuration = SimDuration::from_secs(30);

/// Points kept of one series; at the bound every second point goes and the step doubles.
const POINTS_MAX: usize = 4096;

/// Workloads' replicas above which service is checked at samples only, not at every noted event.
const CLOSE_WATCH_MAX: u32 = 2_000;

/// One sample of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Point {
    /// When.
    pub at: SimTime,
    /// Replicas wanted.
    pub desired: u32,
    /// Replicas the control plane believes ready.
    pub ready: u32,
    /// Share of users' requests answered, in millionths; `u32::MAX`: nobody asks.
    pub answered_ppm: u32,
}

/// A workload's samples, one for each change.
#[derive(Clone, Debug)]
pub struct Series {
    /// The workload.
    pub name: Arc<str>,
    /// Samples, oldest first; each holds until the next.
    pub points: Vec<Point>,
}

/// What became of a fault.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The fault's number.
    pub number: u32,
    /// When it began.
    pub began: SimTime,
    /// Event in which it began.
    pub began_seq: Seq,
    /// Machines that it hit.
    pub machines: Vec<Arc<str>>,
    /// When the control plane's own record of the target first changed.
    pub detected: Option<SimTime>,
    /// Event of that change.
    pub detected_seq: Option<Seq>,
    /// Since when every workload serves as before.
    since: Option<(SimTime, Seq)>,
    /// Whether that lasted long enough.
    confirmed: bool,
    before: Vec<(Arc<str>, u32)>,
}

impl Outcome {
    /// When users were served as before the fault again, seen from `now`: `None` while that has not
    /// yet lasted for [`RECOVERED_FOR`].
    pub fn recovered(&self, now: SimTime) -> Option<(SimTime, Seq)> {
        let (at, seq) = self.since?;
        (self.confirmed || now.since(at) >= RECOVERED_FOR).then_some((at, seq))
    }
}

/// The observer of one world.
#[derive(Clone, Debug, Default)]
pub struct Observer {
    /// Charts.
    pub series: Vec<Series>,
    /// Faults.
    pub outcomes: Vec<Outcome>,
    /// The last time the run became converged; `None` while it is not.
    pub converged_at: Option<SimTime>,
    ever_wanted: bool,
    changed: bool,
    next_sample: SimTime,
    step: SimDuration,
    replicas: u32,
}

impl Observer {
    /// Whether a sample is due before `at`.
    pub fn wants_sample(&self, at: SimTime) -> bool {
        self.next_sample < at
    }

    /// Takes the samples that are due before `at`. Between events nothing changes, so one look
    /// stands for all samples of the gap.
    pub fn sample_until(&mut self, at: SimTime, world: &World) {
        if self.step.as_micros() == 0 {
            self.step = SimDuration::from_secs(1);
        }
        let gap = at.since(self.next_sample).as_micros().saturating_sub(1);
        if self.changed {
            self.changed = false;
            self.sample(self.next_sample, world);
            if self.outcomes.iter().any(|outcome| !outcome.confirmed)
                && self.replicas > CLOSE_WATCH_MAX
            {
                self.judge_service(world, Seq::default());
            }
        }
        let steps = gap / self.step.as_micros() + 1;
        self.next_sample += SimDuration::from_micros(steps * self.step.as_micros());
        for outcome in &mut self.outcomes {
            if let Some((since, _)) = outcome.since
                && at.since(since) > RECOVERED_FOR
            {
                outcome.confirmed = true;
            }
        }
    }

    fn sample(&mut self, at: SimTime, world: &World) {
        let workloads = world.workloads();
        self.replicas = workloads.iter().map(|workload| workload.desired).sum();
        for workload in &workloads {
            let answered_ppm = world
                .symbols
                .get(&workload.name)
                .and_then(|name| world.answered_ppm(name))
                .unwrap_or(u32::MAX);
            let point = Point {
                at,
                desired: workload.desired,
                ready: workload.ready,
                answered_ppm,
            };
            let series = match self
                .series
                .iter_mut()
                .find(|series| *series.name == *workload.name)
            {
                Some(series) => series,
                None => {
                    self.series.push(Series {
                        name: workload.name.as_str().into(),
                        points: Vec::new(),
                    });
                    self.series.last_mut().expect("just pushed")
                }
            };
            let same = series
                .points
                .last()
                .is_some_and(|last| Point { at, ..*last } == point);
            if !same {
                series.points.push(point);
            }
            if series.points.len() > POINTS_MAX {
                let mut index = 0;
                series.points.retain(|_| {
                    index += 1;
                    index % 2 == 1
                });
                self.step = SimDuration::from_micros(self.step.as_micros() * 2);
            }
        }
        // A workload that is gone ends its series at zero.
        for series in &mut self.series {
            if !workloads
                .iter()
                .any(|workload| *workload.name == *series.name)
                && series
                    .points
                    .last()
                    .is_some_and(|last| last.desired + last.ready > 0)
            {
                series.points.push(Point {
                    at,
                    desired: 0,
                    ready: 0,
                    answered_ppm: u32::MAX,
                });
            }
        }
    }

    /// Takes the distance to the desired state after an event.
    pub fn distance(&mut self, unmet: u64, now: SimTime) {
        if unmet > 0 {
            self.ever_wanted = true;
            self.converged_at = None;
        } else if self.converged_at.is_none() && self.ever_wanted {
            self.converged_at = Some(now);
        }
    }

    /// Looks at the notices of one event, after it was carried out.
    pub fn noted(&mut self, notices: &[Notice], seq: Seq, world: &World) {
        self.changed = true;
        if self
            .outcomes
            .iter()
            .all(|outcome| outcome.confirmed && outcome.detected.is_some())
        {
            return;
        }
        for outcome in &mut self.outcomes {
            if outcome.began_seq == Seq::default() {
                outcome.began_seq = seq;
            }
            if outcome.detected.is_none()
                && outcome.began_seq != seq
                && detects(outcome, notices, seq, world)
            {
                outcome.detected = Some(world.now);
                outcome.detected_seq = Some(seq);
            }
        }
        if self.replicas <= CLOSE_WATCH_MAX {
            self.judge_service(world, seq);
        }
    }

    /// How many replicas of each workload serve, before a fault changes that.
    pub fn before_fault(&self, world: &World) -> Vec<(Arc<str>, u32)> {
        serving(world)
    }

    /// A fault began in the event being handled.
    pub fn fault_began(
        &mut self,
        number: u32,
        now: SimTime,
        machines: Vec<Arc<str>>,
        before: Vec<(Arc<str>, u32)>,
    ) {
        self.outcomes.push(Outcome {
            number,
            began: now,
            began_seq: Seq::default(),
            machines,
            detected: None,
            detected_seq: None,
            since: None,
            confirmed: false,
            before,
        });
    }

    fn judge_service(&mut self, world: &World, seq: Seq) {
        if self.outcomes.iter().all(|outcome| outcome.confirmed) {
            return;
        }
        let present = serving(world);
        for outcome in self
            .outcomes
            .iter_mut()
            .filter(|outcome| !outcome.confirmed)
        {
            let as_before = outcome.before.iter().all(|(name, count)| {
                present
                    .iter()
                    .find(|(other, _)| other == name)
                    .is_some_and(|(_, present)| present >= count)
            });
            if !as_before {
                outcome.since = None;
            } else if outcome.since.is_none() {
                outcome.since = Some((world.now, seq));
            }
        }
    }
}

/// Whether one of the notices is the control plane's record of the fault's target changing.
fn detects(outcome: &Outcome, notices: &[Notice], seq: Seq, world: &World) -> bool {
    // Swarm's mesh is what the data plane's gossip knows, not a record of the manager.
    let control = |notice: &&Notice| {
        !notice.source.starts_with("substrate") && !matches!(notice.source, "fault" | "swarm.mesh")
    };
    let of_machine = notices.iter().filter(control).any(|notice| {
        notice.subject.kind == "node"
            && outcome
                .machines
                .iter()
                .any(|machine| *notice.subject.name.text(&world.symbols) == **machine)
    });
    if of_machine {
        return true;
    }
    let kill = world
        .faults
        .list
        .get(outcome.number as usize)
        .is_some_and(|fault| {
            matches!(
                fault.spec.kind,
                super::command::FaultKind::PodKill | super::command::FaultKind::ContainerKill
            )
        });
    kill && notices.iter().any(|notice| control(&notice))
        && world
            .trace
            .chain(seq)
            .first()
            .is_some_and(|root| root.seq == outcome.began_seq)
}

/// How many replicas of each workload really serve: processes run on a machine that is up, the
/// program is ready, and where requests are balanced, a rule leads to it.
pub fn serving(world: &World) -> Vec<(Arc<str>, u32)> {
    world
        .workloads()
        .iter()
        .map(|workload| {
            let sandboxes = world.sandboxes_of(&workload.name);
            let running = sandboxes
                .iter()
                .filter(|sandbox| world.serving(**sandbox))
                .count() as u32;
            let behind = world
                .symbols
                .get(&workload.name)
                .and_then(|name| world.answering_backends(name));
            (
                workload.name.as_str().into(),
                behind.map_or(running, |behind| behind.min(running)),
            )
        })
        .collect()
}
