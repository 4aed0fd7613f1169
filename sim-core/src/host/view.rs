//! Frames: what the page shows of the worlds at one time. Every value is read from the worlds.

pub mod compose;
pub mod kube;
pub mod swarm;

use crate::base::arrange::Arrange;
use crate::base::symbol::Symbol;
use crate::base::time::SimTime;
use crate::engine::fault::FaultState;
use crate::engine::lab::Lab;
use crate::engine::observe::Series;
use crate::engine::report::RunReport;
use crate::engine::trace::{Entry, detail_text, subject_text};
use crate::engine::why;
use crate::engine::world::{Plane, World};
use crate::protocol::{
    DENSE_MACHINES, DENSE_UNITS, EventLine, FaultMark, Frame, MachineFrame, Said, SeriesFrame,
    ServiceFrame, Unit, View, Why, WorldFrame,
};
use crate::substrate::machine::Machine;

/// Events that a view may ask for.
const EVENTS_MAX: usize = 1_000;

/// Points that a view may ask for.
const POINTS_MAX: usize = 4_096;

/// The lab as far as `view` shows it. The host fills in what belongs to the clock.
pub fn frame(lab: &Lab, view: &View) -> Frame {
    let mut frame = Frame {
        now_us: lab.now.as_micros(),
        hash: lab.fingerprint().hex(),
        ..Frame::default()
    };
    for world in &lab.worlds {
        let report = RunReport::of(world);
        frame.faults.extend(faults(world, &report));
        frame.worlds.push(of_world(world, &report, view));
    }
    frame.events = events(lab, (view.events as usize).min(EVENTS_MAX));
    if let Some(asked) = &view.why {
        frame.why = chain(lab, asked);
    }
    if let Some(target) = &view.anatomy {
        frame.anatomy = super::anatomy::of(lab, target).map(Box::new);
    }
    frame
}

/// Which machines are asked for, and how much of them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// All, with what runs on each by name.
    Named,
    /// All, with what runs on each counted: of many thousand replicas nobody reads the names, and they
    /// are what costs.
    Counted,
    /// The one of this name, with what runs on it by name.
    One(Symbol),
}

impl Wanted {
    fn is_named(self) -> bool {
        self != Self::Counted
    }

    fn wants(self, machine: &Machine) -> bool {
        match self {
            Self::Named | Self::Counted => true,
            Self::One(name) => machine.name == name,
        }
    }
}

/// Machines in the order in which they were added.
fn machines(world: &World, wanted: Wanted) -> Vec<MachineFrame> {
    match &world.plane {
        Plane::Kubernetes(plane) => kube::machines(world, plane, wanted),
        Plane::Swarm(plane) => swarm::machines(world, plane, wanted),
        Plane::Compose(plane) => {
            let mut machines = compose::machines(world, plane, wanted);
            for machine in machines.iter_mut().filter(|_| !wanted.is_named()) {
                for unit in machine.units.drain(..) {
                    machine.counts[unit.group as usize] += 1;
                }
            }
            machines
        }
    }
}

/// Replicas without a machine: at most `named` of them by name, and how many there are.
fn unplaced(world: &World, named: usize) -> (Vec<Unit>, usize) {
    match &world.plane {
        Plane::Kubernetes(plane) => kube::unplaced(world, plane, named),
        Plane::Swarm(plane) => swarm::unplaced(plane, named),
        Plane::Compose(_) => (Vec::new(), 0),
    }
}

/// One machine with all that runs there.
pub fn one_machine(lab: &Lab, orchestrator: &str, name: &str) -> Option<MachineFrame> {
    let world = lab
        .worlds
        .iter()
        .find(|world| world.orchestrator.name() == orchestrator)?;
    let name = world.symbols.get(name)?;
    machines(world, Wanted::One(name)).pop()
}

/// All replicas of a world, placed or not.
pub fn units(world: &World) -> Vec<Unit> {
    let (mut units, _) = unplaced(world, usize::MAX);
    let machines = machines(world, Wanted::Named).into_iter();
    units.extend(machines.flat_map(|machine| machine.units));
    units
}

fn of_world(world: &World, report: &RunReport, view: &View) -> WorldFrame {
    let workloads = world.workloads();
    let replicas: u64 = workloads
        .iter()
        .map(|workload| u64::from(workload.desired))
        .sum();
    // Replicas that are on their way out are there as well.
    let there = match &world.plane {
        Plane::Kubernetes(plane) => u64::from(plane.store().pod_count()),
        Plane::Swarm(plane) => u64::from(plane.store.tasks.len()),
        Plane::Compose(_) => 0,
    };
    let dense = replicas.max(there) > u64::from(DENSE_UNITS)
        || world.substrate.machines().count() > DENSE_MACHINES;
    let machines = machines(
        world,
        if dense {
            Wanted::Counted
        } else {
            Wanted::Named
        },
    );
    let (unplaced, waiting) = unplaced(world, if dense { DENSE_MACHINES } else { usize::MAX });
    // The report has the workloads first, in their order.
    let believed = workloads.iter().map(|workload| workload.ready);
    let believed = believed.chain(std::iter::repeat(0));
    let services = report
        .services
        .iter()
        .zip(believed)
        .map(|(service, ready)| ServiceFrame {
            name: service.name.to_string(),
            desired: service.desired,
            ready,
            serving: service.ready,
            answered_ppm: service.answered_ppm.unwrap_or(u32::MAX),
            availability_ppm: service.availability_ppm.unwrap_or(u32::MAX),
        });
    let points = (view.points as usize).min(POINTS_MAX);
    WorldFrame {
        orchestrator: world.orchestrator.name().to_owned(),
        machines,
        unplaced,
        waiting: u32::try_from(waiting).unwrap_or(u32::MAX),
        dense,
        services: services.collect(),
        series: world
            .observer
            .series
            .iter()
            .map(|series| sampled(series, points))
            .collect(),
        converged: world.unmet() == 0,
        mechanism: Said::from(&report.mechanism.outcome),
        steps: report.mechanism.steps.iter().map(Said::from).collect(),
        events: report.events,
    }
}

/// A series with at most `points` points: of every stretch the last is kept.
fn sampled(series: &Series, points: usize) -> SeriesFrame {
    let mut frame = SeriesFrame {
        name: series.name.to_string(),
        ..SeriesFrame::default()
    };
    let stride = if points == 0 {
        usize::MAX
    } else {
        series.points.len().div_ceil(points).max(1)
    };
    for part in series.points.chunks(stride) {
        let Some(point) = part.last().filter(|_| points > 0) else {
            continue;
        };
        frame.at_us.push(point.at.as_micros());
        frame.desired.push(point.desired);
        frame.ready.push(point.ready);
        frame.answered_ppm.push(point.answered_ppm);
    }
    frame
}

fn time(at: Option<SimTime>) -> u64 {
    at.map_or(u64::MAX, SimTime::as_micros)
}

fn faults(world: &World, report: &RunReport) -> Vec<FaultMark> {
    let marks = world.faults.list.iter().zip(&report.faults).enumerate();
    marks
        .map(|(number, (fault, outcome))| FaultMark {
            number: u32::try_from(number).unwrap_or(u32::MAX),
            orchestrator: world.orchestrator.name().to_owned(),
            text: format!("{} {}", fault.spec.kind.name(), fault.spec.target),
            line: u32::MAX,
            at_us: time(fault.spec.at),
            until_us: time(
                fault
                    .begun
                    .and_then(|begun| Some(begun + fault.spec.duration?)),
            ),
            machines: fault.machines.iter().map(ToString::to_string).collect(),
            active: fault.state == FaultState::Active,
            begun_us: time(fault.begun),
            ended_us: time(fault.ended),
            applicable: fault.state != FaultState::NotApplicable,
            detected_us: time(outcome.detected),
            recovered_us: time(outcome.recovered),
        })
        .collect()
}

/// An entry of a world's trace.
pub fn line(world: &World, entry: &Entry) -> EventLine {
    let notice = &entry.notice;
    EventLine {
        orchestrator: world.orchestrator.name().to_owned(),
        at_us: entry.at.as_micros(),
        seq: entry.seq.0,
        source: notice.source.to_owned(),
        verb: notice.verb.to_owned(),
        subject: subject_text(notice, &world.symbols),
        detail: detail_text(notice, &world.symbols),
        rule: notice
            .rule
            .map_or_else(String::new, |rule| format!("{} {}", rule.key, rule.value)),
    }
}

/// The latest events of all worlds, oldest first; of one time in the order of the worlds.
fn events(lab: &Lab, count: usize) -> Vec<EventLine> {
    let mut latest: Vec<(SimTime, usize, usize, &World, &Entry)> = Vec::new();
    for (place, world) in lab.worlds.iter().enumerate() {
        let tail = world.trace.iter().rev().take(count).enumerate();
        latest.extend(tail.map(|(back, entry)| (entry.at, place, usize::MAX - back, world, entry)));
    }
    latest.arrange_by_key(|(at, place, order, ..)| (*at, *place, *order));
    let skip = latest.len().saturating_sub(count);
    latest[skip..]
        .iter()
        .map(|(.., world, entry)| line(world, entry))
        .collect()
}

/// The causal chain asked for; empty if there is no such event or object.
fn chain(lab: &Lab, asked: &Why) -> Vec<EventLine> {
    let Some(world) = lab
        .worlds
        .iter()
        .find(|world| world.orchestrator.name() == asked.orchestrator)
    else {
        return Vec::new();
    };
    let entries = if asked.seq == 0 {
        why::why(world, &asked.object).unwrap_or_default()
    } else {
        let seq = crate::des::queue::Seq(asked.seq);
        let mut entries = world.trace.chain(seq);
        // The chain ends with the event's representative; the line asked for may be another of it.
        let own = world
            .trace
            .of(seq)
            .find(|entry| subject_text(&entry.notice, &world.symbols) == asked.object);
        if let (Some(end), Some(own)) = (entries.last_mut(), own) {
            *end = *own;
        }
        entries
    };
    entries.iter().map(|entry| line(world, entry)).collect()
}

/// What every plane's machines have in common.
fn machine(world: &World, machine: &Machine) -> MachineFrame {
    MachineFrame {
        name: world.symbols.text(machine.name).to_owned(),
        powered: machine.is_on(),
        control: machine.control,
        ..MachineFrame::default()
    }
}

/// `part` of `whole` in thousandths.
fn permille(part: i64, whole: i64) -> u32 {
    if whole <= 0 {
        return 0;
    }
    u32::try_from(i128::from(part.max(0)) * 1_000 / i128::from(whole)).unwrap_or(u32::MAX)
}
