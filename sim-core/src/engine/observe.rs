//! What is derived from a run by watching it: series for charts, convergence, and for each fault
//! when it was noticed and when users were served as before. Nothing here is ever read by the run.

mod service;

use std::sync::Arc;

use crate::base::hash::FxHashMap;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::symbol::Symbols;
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::Notice;
use crate::des::queue::Seq;
use crate::kube::KubePlane;
use crate::kube::status::WorkloadKey;
use crate::substrate::order::Owner;

use super::world::World;
use service::{Baseline, Served};

pub use service::{Serving, serving};

/// How long service must last to count as recovered. Design §3.1.
pub const RECOVERED_FOR: SimDuration = SimDuration::from_secs(30);

/// Points kept of one series; at the bound every second point goes and the step doubles.
const POINTS_MAX: usize = 4096;

/// Time between two samples of a small cluster.
const STEP: SimDuration = SimDuration::from_secs(1);

/// For each further so many workloads a sample comes a step later: the cost of sampling a simulated
/// second does not grow with the cluster.
const WORKLOADS_PER_STEP: usize = 200;

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
    /// Which of the observer's baselines it is measured against.
    baseline: usize,
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
    baselines: Vec<Baseline>,
    /// Outcomes whose detection is open.
    undetected: Vec<usize>,
    ever_wanted: bool,
    changed: bool,
    next_sample: SimTime,
    step: SimDuration,
    replicas: u32,
    roster: Roster,
    served: Served,
}

/// Which series the workloads of a Kubernetes world have, as long as no two share one: then a sample
/// is a look at the numbers of those that changed, without names.
#[derive(Clone, Debug, Default)]
struct Roster {
    /// The workloads' places in what follows.
    places: Arc<FxHashMap<WorkloadKey, u32>>,
    /// Their series.
    series: Arc<[u32]>,
    /// How many replicas of each are wanted, and of all.
    desired: Vec<u32>,
    total: u32,
    /// Pods of nobody among them.
    lonely: usize,
    /// How many series there were when two workloads had one name.
    shared: Option<usize>,
}

impl Observer {
    /// Whether a sample is due before `at`.
    pub fn wants_sample(&self, at: SimTime) -> bool {
        self.next_sample < at
    }

    /// Whether anything was noted since the last sample.
    pub const fn has_changed(&self) -> bool {
        self.changed
    }

    /// Takes the samples that are due before `at`. Between events nothing changes, so one look
    /// stands for all samples of the gap. `moved`: Kubernetes' workloads that came, changed or went
    /// since the last one.
    pub fn sample_until(&mut self, at: SimTime, world: &World, moved: &[WorkloadKey]) {
        if self.step.as_micros() == 0 {
            self.step = STEP;
        }
        let gap = at.since(self.next_sample).as_micros().saturating_sub(1);
        if self.changed {
            self.changed = false;
            self.sample(self.next_sample, world, moved);
            if self.replicas > CLOSE_WATCH_MAX {
                self.judge_service(world, Seq::default());
            }
        }
        let steps = gap / self.step.as_micros() + 1;
        self.next_sample += SimDuration::from_micros(steps * self.step.as_micros());
        for baseline in &mut self.baselines {
            baseline.pass(at);
        }
    }

    fn sample(&mut self, at: SimTime, world: &World, moved: &[WorkloadKey]) {
        let quiet = world.kube().filter(|_| world.answered().is_empty());
        let Some(plane) = quiet else {
            self.roster = Roster::default();
            self.sample_named(at, world);
            return;
        };
        if !self.sample_known(at, plane, moved) {
            self.sample_named(at, world);
            self.enlist(plane, &world.symbols);
        }
    }

    /// Takes a sample of those workloads of the roster that moved. `false`: there are others.
    fn sample_known(&mut self, at: SimTime, plane: &KubePlane, moved: &[WorkloadKey]) -> bool {
        let roster = &mut self.roster;
        let lonely = plane.lonely_workloads();
        if roster.series.is_empty() || lonely.len() != roster.lonely {
            return false;
        }
        let mut points = Vec::with_capacity(moved.len() + lonely.len());
        let controlled = moved.iter().copied();
        for key in controlled.chain(lonely) {
            match (roster.places.get(&key), plane.distance_of(key)) {
                (Some(place), Some(distance)) => points.push((*place as usize, distance)),
                (None, None) => {}
                _ => return false,
            }
        }
        for (place, distance) in &points {
            let desired = narrow(distance.desired);
            let before = std::mem::replace(&mut roster.desired[*place], desired);
            roster.total = roster.total - before + desired;
        }
        let (total, workloads, series) = (roster.total, roster.series.len(), roster.series.clone());
        self.count(total, workloads);
        for (place, distance) in points {
            let point = Point {
                at,
                desired: narrow(distance.desired),
                ready: narrow(distance.ready),
                answered_ppm: u32::MAX,
            };
            self.put(series[place] as usize, point);
        }
        true
    }

    /// Makes the roster anew.
    fn enlist(&mut self, plane: &KubePlane, symbols: &Symbols) {
        if self.roster.shared == Some(self.series.len()) {
            return;
        }
        self.roster = Roster {
            shared: Some(self.series.len()),
            ..Roster::default()
        };
        let mut series: SortedMap<&str, u32> = SortedMap::new();
        for (place, one) in (0..).zip(&self.series) {
            series.insert(&one.name, place);
        }
        let mut roster = Roster::default();
        let mut places = FxHashMap::default();
        let mut taken = Vec::new();
        let mut seen = SortedSet::new();
        for (place, (key, distance)) in (0..).zip(plane.distances()) {
            let name = plane.workload_name(key, symbols);
            let of = name.and_then(|name| series.get(name.as_str()).copied());
            let Some(of) = of.filter(|of| seen.insert(*of)) else {
                return;
            };
            places.insert(key, place);
            taken.push(of);
            roster.desired.push(narrow(distance.desired));
            roster.lonely += usize::from(matches!(key, WorkloadKey::Pod(_)));
        }
        roster.total = roster.desired.iter().sum();
        (roster.places, roster.series) = (Arc::new(places), taken.into());
        self.roster = roster;
    }

    /// Takes over how much is wanted of how many workloads.
    fn count(&mut self, replicas: u32, workloads: usize) {
        self.replicas = replicas;
        let crowd = workloads.div_ceil(WORKLOADS_PER_STEP).max(1) as u64;
        self.step = self
            .step
            .max(SimDuration::from_micros(STEP.as_micros() * crowd));
    }

    /// Adds a point to a series if it says anything new.
    fn put(&mut self, place: usize, point: Point) {
        let series = &mut self.series[place];
        let at = point.at;
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

    fn sample_named(&mut self, at: SimTime, world: &World) {
        let workloads = world.workloads();
        let replicas = workloads.iter().map(|workload| workload.desired).sum();
        self.count(replicas, workloads.len());
        let answered = world.answered();
        let known = self.series.len();
        let mut seen = vec![false; known];
        for (index, workload) in workloads.iter().enumerate() {
            let answered_ppm = world
                .symbols
                .get(&workload.name)
                .and_then(|name| answered.get(&name).copied())
                .unwrap_or(u32::MAX);
            let point = Point {
                at,
                desired: workload.desired,
                ready: workload.ready,
                answered_ppm,
            };
            // Workloads come in one order, so that a series mostly stands where it stood.
            let is_of = |series: &Series| *series.name == *workload.name;
            let place = match self.series.get(index) {
                Some(series) if is_of(series) => index,
                _ => match self.series.iter().position(is_of) {
                    Some(place) => place,
                    None => {
                        self.series.push(Series {
                            name: workload.name.as_str().into(),
                            points: Vec::new(),
                        });
                        self.series.len() - 1
                    }
                },
            };
            if let Some(seen) = seen.get_mut(place) {
                *seen = true;
            }
            self.put(place, point);
        }
        // A workload that is gone ends its series at zero.
        for (series, _) in self
            .series
            .iter_mut()
            .zip(seen)
            .filter(|(_, present)| !present)
        {
            if series
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

    /// Takes over whether something is not as it is wanted after an event.
    pub const fn distance(&mut self, lacks: bool, now: SimTime) {
        if lacks {
            self.ever_wanted = true;
            self.converged_at = None;
        } else if self.converged_at.is_none() && self.ever_wanted {
            self.converged_at = Some(now);
        }
    }

    /// Something was noted, so that the next sample may differ.
    pub const fn change(&mut self) {
        self.changed = true;
    }

    /// Whether each event that notes something is to be looked at.
    pub const fn looks_closely(&self) -> bool {
        !self.undetected.is_empty() || self.replicas <= CLOSE_WATCH_MAX
    }

    /// Looks at the notices of one event, after it was carried out.
    pub fn noted(&mut self, notices: &[Notice], seq: Seq, world: &World) {
        if !self.undetected.is_empty() {
            self.look_for_detection(notices, seq, world);
        }
        if self.replicas <= CLOSE_WATCH_MAX {
            self.judge_service(world, seq);
        }
    }

    fn look_for_detection(&mut self, notices: &[Notice], seq: Seq, world: &World) {
        let record: Vec<&Notice> = notices.iter().filter(of_control_plane).collect();
        let nodes: Vec<_> = record
            .iter()
            .filter(|notice| notice.subject.kind == "node")
            .map(|notice| notice.subject.name.text(&world.symbols))
            .collect();
        let outcomes = &mut self.outcomes;
        self.undetected.retain(|index| {
            let outcome = &mut outcomes[*index];
            if outcome.began_seq == Seq::default() {
                outcome.began_seq = seq;
            }
            if outcome.began_seq == seq {
                return true;
            }
            let of_machine = nodes
                .iter()
                .any(|node| outcome.machines.iter().any(|machine| **node == **machine));
            if !of_machine && (record.is_empty() || !follows_kill(outcome, seq, world)) {
                return true;
            }
            outcome.detected = Some(world.now);
            outcome.detected_seq = Some(seq);
            false
        });
    }

    /// Takes over that something happened to sandboxes of these owners: how many replicas serve is to be
    /// counted anew.
    pub fn stirred(&mut self, owners: &[Owner], plane: &KubePlane) {
        self.served.forget(owners, plane);
    }

    /// What is known and does not hold, one sentence each; `told`: of what [`Self::stirred`] was not told
    /// yet.
    pub fn breaches(&self, world: &World, told: &[Owner]) -> Vec<String> {
        self.served.breaches(world, told)
    }

    /// How many replicas of each workload serve, before a fault changes that.
    pub fn before_fault(&mut self, world: &World) -> Serving {
        match self.baselines.last() {
            Some(last) if last.at == world.now => last.before.clone(),
            _ => self.served.all(world),
        }
    }

    /// A fault began in the event being handled.
    pub fn fault_began(
        &mut self,
        number: u32,
        now: SimTime,
        machines: Vec<Arc<str>>,
        before: Serving,
    ) {
        if self.baselines.last().is_none_or(|last| last.at != now) {
            self.baselines.push(Baseline::new(now, before));
        }
        self.undetected.push(self.outcomes.len());
        self.outcomes.push(Outcome {
            number,
            began: now,
            began_seq: Seq::default(),
            machines,
            detected: None,
            detected_seq: None,
            baseline: self.baselines.len() - 1,
        });
    }

    /// When users were served as before the fault again, seen from `now`: `None` while that has not
    /// yet lasted for [`RECOVERED_FOR`].
    pub fn recovered(&self, outcome: &Outcome, now: SimTime) -> Option<(SimTime, Seq)> {
        let baseline = &self.baselines[outcome.baseline];
        let (at, seq) = baseline.since?;
        (baseline.confirmed || now.since(at) >= RECOVERED_FOR).then_some((at, seq))
    }

    /// Since when users have been served as before the fault, however short a time it has lasted.
    pub fn served_since(&self, outcome: &Outcome) -> Option<SimTime> {
        self.baselines[outcome.baseline].since.map(|(at, _)| at)
    }

    fn judge_service(&mut self, world: &World, seq: Seq) {
        let open = |baseline: &Baseline| !baseline.confirmed;
        if !self.baselines.iter().any(open) {
            return;
        }
        let names = self.served.names(world);
        for baseline in self.baselines.iter_mut().filter(|baseline| open(baseline)) {
            baseline.judge(world, seq, &mut self.served, &names);
        }
    }
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Whether a notice is of a record that the control plane keeps.
fn of_control_plane(notice: &&Notice) -> bool {
    // Swarm's mesh is what the data plane's gossip knows, not a record of the manager.
    !notice.source.starts_with("substrate") && !matches!(notice.source, "fault" | "swarm.mesh")
}

/// Whether a fault killed a pod or container and the event follows from it.
fn follows_kill(outcome: &Outcome, seq: Seq, world: &World) -> bool {
    let kill = world
        .faults
        .list
        .get(outcome.number as usize)
        .is_some_and(|fault| {
            matches!(
                fault.spec.kind,
                super::command::FaultKind::PodKill
                    | super::command::FaultKind::ContainerKill
                    | super::command::FaultKind::Oom
            )
        });
    kill && world
        .trace
        .chain(seq)
        .first()
        .is_some_and(|root| root.seq == outcome.began_seq)
}
