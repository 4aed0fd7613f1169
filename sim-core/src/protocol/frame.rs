//! What the page is sent again and again while the clock runs: the worlds at one time.

use serde::{Deserialize, Serialize};

use super::{Anatomy, Said};

/// Machines above which a world is shown as tiles: frames then count replicas instead of naming them.
pub const DENSE_MACHINES: usize = 200;

/// Replicas, wanted or there, above which it is, too.
pub const DENSE_UNITS: u32 = 2_000;

/// Stretches of time for which the events are counted.
pub const DENSITY_CELLS: usize = 120;

/// The worlds at one time, as far as the view shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Number, from 1; the page acknowledges it.
    pub number: u32,
    /// Simulated time in microseconds.
    pub now_us: u64,
    /// The latest time that the branch has been run to.
    pub tip_us: u64,
    /// Where the clock stops by itself.
    pub length_us: u64,
    /// Whether the clock runs.
    pub playing: bool,
    /// Whether the engine is still on its way to a time that was asked for.
    pub seeking: bool,
    /// Speed asked for, in thousandths of simulated seconds for each real second.
    pub speed_milli: u64,
    /// Fingerprint of the lab at this time: `sim hash`.
    pub hash: String,
    /// Branches; the current one's index.
    pub branches: Vec<String>,
    /// Index of the current branch.
    pub branch: u32,
    /// One for each world, in the order Kubernetes, Swarm, Compose.
    pub worlds: Vec<WorldFrame>,
    /// The latest events before now, oldest first.
    pub events: Vec<EventLine>,
    /// Faults and their times, for marks on the time axis.
    pub faults: Vec<FaultMark>,
    /// The causal chain asked for, oldest first.
    pub why: Vec<EventLine>,
    /// What was asked to be taken apart; none: nothing, or it is not there.
    pub anatomy: Option<Box<Anatomy>>,
    /// How many events were noted in each world, under its orchestrator's name, in each of
    /// [`DENSITY_CELLS`] equal stretches of the length.
    pub density: Vec<(String, Vec<u32>)>,
}

/// One orchestrator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorldFrame {
    /// `kubernetes`, `swarm` or `compose`.
    pub orchestrator: String,
    /// Machines in the order in which they were added.
    pub machines: Vec<MachineFrame>,
    /// Replicas that have no machine; of a dense world the first ones.
    pub unplaced: Vec<Unit>,
    /// How many replicas have no machine.
    pub waiting: u32,
    /// Whether there is too much to be named: more than [`DENSE_MACHINES`] or [`DENSE_UNITS`].
    pub dense: bool,
    /// Services with their present figures.
    pub services: Vec<ServiceFrame>,
    /// Chart series.
    pub series: Vec<SeriesFrame>,
    /// Whether nothing is left to do.
    pub converged: bool,
    /// What came of the first fault, or of the run.
    pub mechanism: Said,
    /// Who did what on the way there, in order.
    pub steps: Vec<Said>,
    /// Events handled so far.
    pub events: u64,
}

/// One machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineFrame {
    /// Name.
    pub name: String,
    /// Whether it has power.
    pub powered: bool,
    /// The orchestrator's own word for its state: `Ready`, `NotReady`, `Down`; empty: it keeps none.
    pub state: String,
    /// Its own word for not being given anything new: `SchedulingDisabled`, `Drain`, `Pause`; empty:
    /// it is.
    pub closed: String,
    /// Whether it carries the control plane or is a manager.
    pub control: bool,
    /// Requested or reserved CPU, in thousandths of its capacity.
    pub cpu_permille: u32,
    /// Requested or reserved memory, in thousandths of its capacity.
    pub memory_permille: u32,
    /// What runs or ran there; empty in a dense world, see `counts`.
    pub units: Vec<Unit>,
    /// In such a world, how many replicas are in each state group, in the groups' order.
    pub counts: [u32; 7],
}

/// A replica: a pod, a task, a container, in its own world's word.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// `pod`, `task` or `container`.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Workload that it belongs to.
    pub workload: String,
    /// One of the palette's seven state groups.
    pub group: StateGroup,
    /// The orchestrator's own word: `Running`, `ContainerCreating`, `Terminating`, `preparing` …
    pub state: String,
}

/// The palette's state groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum StateGroup {
    /// Running and ready.
    Ready,
    /// On its way.
    Progressing,
    /// Waits for a machine.
    #[default]
    Pending,
    /// Is being stopped.
    Terminating,
    /// Failed, crashed, cannot be pulled.
    Failed,
    /// Its machine is lost: nobody knows.
    Unknown,
    /// Ended well.
    Completed,
}

/// A service's figures now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceFrame {
    /// Name.
    pub name: String,
    /// Replicas wanted; none of a service of other workloads' replicas.
    pub desired: Option<u32>,
    /// Replicas that the control plane believes ready.
    pub ready: u32,
    /// Replicas that really serve.
    pub serving: u32,
    /// Share of requests answered now, in millionths; `u32::MAX`: nobody asks.
    pub answered_ppm: u32,
    /// Share answered since the first answer, in millionths; `u32::MAX`: none yet.
    pub availability_ppm: u32,
}

/// A chart series: each point holds until the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesFrame {
    /// Workload.
    pub name: String,
    /// Times in microseconds.
    pub at_us: Vec<u64>,
    /// Replicas wanted.
    pub desired: Vec<u32>,
    /// Replicas ready.
    pub ready: Vec<u32>,
    /// Share of requests answered, in millionths; `u32::MAX`: nobody asks.
    pub answered_ppm: Vec<u32>,
}

/// One line of the trace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventLine {
    /// World.
    pub orchestrator: String,
    /// Time in microseconds.
    pub at_us: u64,
    /// The event's number in its world.
    pub seq: u64,
    /// Who.
    pub source: String,
    /// Did what.
    pub verb: String,
    /// To what, `kind/name`.
    pub subject: String,
    /// The rest.
    pub detail: String,
    /// Timer or rule that made it wait, with its value; empty: none.
    pub rule: String,
}

/// A fault on the time axis.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultMark {
    /// Number in its world.
    pub number: u32,
    /// World.
    pub orchestrator: String,
    /// `KIND TARGET`.
    pub text: String,
    /// Line of the fault script that says it, from 0; `u32::MAX`: none does.
    pub line: u32,
    /// Time it was asked for, in microseconds; `u64::MAX`: at once.
    pub at_us: u64,
    /// When it will end by itself, in microseconds; `u64::MAX`: it will not.
    pub until_us: u64,
    /// Machines that it hit.
    pub machines: Vec<String>,
    /// Whether it is in force.
    pub active: bool,
    /// Begin in microseconds; `u64::MAX`: not yet.
    pub begun_us: u64,
    /// End in microseconds; `u64::MAX`: not yet.
    pub ended_us: u64,
    /// Whether this world has such a target.
    pub applicable: bool,
    /// When the control plane noticed; `u64::MAX`: it has not.
    pub detected_us: u64,
    /// Since when every service serves as before; `u64::MAX`: not yet.
    pub recovered_us: u64,
}

impl FaultMark {
    /// When it began, or is to begin, in microseconds; none: it was asked for at once and has not begun.
    pub fn begins_us(&self) -> Option<u64> {
        let times = [self.begun_us, self.at_us];
        times.into_iter().find(|at| *at != u64::MAX)
    }
}
