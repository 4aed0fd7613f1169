//! Time travel: a log of inputs, snapshots by replay debt, seek and fork.
//!
//! A snapshot is a clone of the lab (pages are shared). One is taken when replaying to the present
//! from the last would cost more than [`REPLAY_DEBT_EVENTS`]. Snapshots are thinned, within a number
//! and within bytes, so that the distance between kept ones grows with their age. What a snapshot
//! costs is what it does not share with the next: at 5,000 machines and 150,000 pods some 10 MB for
//! those next to each other, and up to 30 MB, most of it trace, for those far apart.

use crate::base::time::SimTime;
use crate::des::fingerprint::Fingerprint;

use super::command::{Answer, Orchestrator};
use super::lab::{Input, Lab};

/// Events between snapshots.
pub const REPLAY_DEBT_EVENTS: u64 = 20_000;

/// Events between snapshots that cost little: less than their share of [`SNAPSHOT_BYTES_MAX`].
const CHEAP_DEBT_EVENTS: u64 = 5_000;

/// Snapshots kept of a branch.
pub const SNAPSHOTS_MAX: usize = 48;

/// Bytes that the snapshots of all branches may keep for themselves: a browser's tab is to stay
/// below 400 MB. The first and the last of a branch are kept whatever they cost.
pub const SNAPSHOT_BYTES_MAX: usize = 48 << 20;

/// Branches kept; the oldest ghost goes first.
pub const BRANCHES_MAX: usize = 16;

/// An input with its time. Inputs of one time are in the order in which they came.
#[derive(Clone, Debug)]
pub struct Logged {
    /// When it came.
    pub at: SimTime,
    /// What came.
    pub input: Input,
}

#[derive(Clone, Debug)]
struct Snapshot {
    /// Inputs carried out before it.
    inputs: usize,
    events: u64,
    fingerprint: Fingerprint,
    /// Bytes that it does not share with the next one, once there is one.
    bytes: usize,
    lab: Lab,
}

/// One line of time.
#[derive(Clone, Debug)]
pub struct Branch {
    /// Number of the branch that it left, and when; `None` for the first.
    pub parent: Option<(u32, SimTime)>,
    /// Its whole log, the parent's part included.
    pub log: Vec<Logged>,
    /// The latest time that it has been run to.
    pub tip: SimTime,
    snapshots: Vec<Snapshot>,
}

/// The experiment: branches of one lab, and the present.
#[derive(Clone, Debug)]
pub struct History {
    branches: Vec<Branch>,
    current: usize,
    present: Lab,
    /// Inputs of the current branch carried out so far.
    inputs: usize,
    dropped: u32,
}

impl History {
    /// Starts from a lab at time zero.
    pub fn new(lab: Lab) -> Self {
        let first = Snapshot {
            inputs: 0,
            events: lab.events(),
            fingerprint: lab.fingerprint(),
            bytes: 0,
            lab: lab.clone(),
        };
        let branch = Branch {
            parent: None,
            log: Vec::new(),
            tip: lab.now,
            snapshots: vec![first],
        };
        Self {
            branches: vec![branch],
            current: 0,
            present: lab,
            inputs: 0,
            dropped: 0,
        }
    }

    /// The lab as it is now.
    pub fn lab(&self) -> &Lab {
        &self.present
    }

    /// Now.
    pub fn now(&self) -> SimTime {
        self.present.now
    }

    /// The latest time of the current branch.
    pub fn tip(&self) -> SimTime {
        self.branches[self.current].tip
    }

    /// Branches, oldest first, and the index of the current one.
    pub fn branches(&self) -> (&[Branch], usize) {
        (&self.branches, self.current)
    }

    /// Branches that were given up to stay within [`BRANCHES_MAX`].
    pub fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Bytes that the snapshots of all branches keep for themselves.
    fn bytes(&self) -> usize {
        let snapshots = self.branches.iter().flat_map(|branch| &branch.snapshots);
        snapshots.map(|snapshot| snapshot.bytes).sum()
    }

    /// The current branch's log.
    pub fn log(&self) -> &[Logged] {
        &self.branches[self.current].log
    }

    /// Gives an input now. If the branch has been run further than now, a new branch opens here and
    /// the old one keeps its future.
    pub fn input(&mut self, input: Input) -> Vec<(Orchestrator, Answer)> {
        self.settle();
        self.leave_future();
        let answers = self.present.input(&input);
        let branch = &mut self.branches[self.current];
        branch.log.push(Logged {
            at: self.present.now,
            input,
        });
        self.inputs += 1;
        branch.tip = branch.tip.max(self.present.now);
        answers
    }

    /// An input comes after every event of its time, in every world: a replay knows of the time only.
    /// After a slice some worlds may be ahead of the common clock; the others catch up with them.
    fn settle(&mut self) {
        let reached = self.present.worlds.iter().map(|world| world.now).max();
        self.advance_to(reached.unwrap_or(SimTime::ZERO).max(self.present.now));
    }

    /// Opens a branch here even without an input.
    pub fn fork(&mut self) {
        self.settle();
        self.branch_off();
    }

    fn leave_future(&mut self) {
        let branch = &self.branches[self.current];
        if branch.tip > self.present.now || branch.log.len() > self.inputs {
            self.branch_off();
        }
    }

    fn branch_off(&mut self) {
        let parent = &self.branches[self.current];
        let log = parent.log[..self.inputs].to_vec();
        let now = self.present.now;
        let snapshots = parent
            .snapshots
            .iter()
            .filter(|snapshot| snapshot.lab.now <= now && snapshot.inputs <= self.inputs)
            .cloned()
            .collect();
        let number = u32::try_from(self.current).expect("bounded");
        self.branches.push(Branch {
            parent: Some((number, now)),
            log,
            tip: now,
            snapshots,
        });
        self.current = self.branches.len() - 1;
        if self.branches.len() > BRANCHES_MAX {
            self.branches.remove(0);
            self.current -= 1;
            self.dropped += 1;
            for branch in &mut self.branches {
                branch.parent = branch
                    .parent
                    .and_then(|(number, at)| number.checked_sub(1).map(|number| (number, at)));
            }
        }
    }

    /// Makes another branch the current one, at the present time or its tip, whichever is earlier.
    /// Returns whether there is such a branch.
    pub fn switch(&mut self, branch: usize) -> bool {
        if branch >= self.branches.len() {
            return false;
        }
        let to = self.present.now.min(self.branches[branch].tip);
        self.current = branch;
        self.restore(to);
        true
    }

    /// Moves forward, replaying logged inputs that are due on the way.
    pub fn advance_to(&mut self, deadline: SimTime) {
        while !self.advance_some(deadline, u32::MAX) {}
    }

    /// Moves forward by about `budget` events at most. Returns whether `deadline` was reached.
    pub fn advance_some(&mut self, deadline: SimTime, budget: u32) -> bool {
        let mut left = budget;
        loop {
            let due = self.branches[self.current]
                .log
                .get(self.inputs)
                .map(|logged| logged.at);
            let target = due.map_or(deadline, |due| due.min(deadline));
            let before = self.present.events();
            let reached = self.present.advance_some(target, left.min(4_096));
            let handled = u32::try_from(self.present.events() - before).unwrap_or(u32::MAX);
            left = left.saturating_sub(handled.max(1));
            self.remember();
            if reached {
                if due.is_some_and(|due| due <= deadline) {
                    self.replay_input();
                } else {
                    break;
                }
            } else if left == 0 {
                return false;
            }
        }
        let branch = &mut self.branches[self.current];
        branch.tip = branch.tip.max(self.present.now);
        true
    }

    /// Moves forward by one event, or by one logged input, whichever is next. Returns whether
    /// `deadline` was reached. For observers that want to see every write.
    pub fn step(&mut self, deadline: SimTime) -> bool {
        let due = self.branches[self.current]
            .log
            .get(self.inputs)
            .map(|logged| logged.at);
        let next = [due, self.present.next_at()].into_iter().flatten().min();
        let target = next.map_or(deadline, |at| at.min(deadline));
        let reached = self.present.advance_some(target, 1);
        self.remember();
        if !reached {
            return false;
        }
        if due.is_some_and(|due| due <= target) {
            self.replay_input();
            return false;
        }
        let branch = &mut self.branches[self.current];
        branch.tip = branch.tip.max(self.present.now);
        target == deadline
    }

    fn replay_input(&mut self) {
        let input = self.branches[self.current].log[self.inputs].input.clone();
        self.present.input(&input);
        self.inputs += 1;
    }

    fn remember(&mut self) {
        let events = self.present.events();
        let branch = &self.branches[self.current];
        let mut latest = branch.snapshots.iter().rev();
        let last = latest.next().map_or(0, |snapshot| snapshot.events);
        // What the last costs is known when there is another.
        let is_cheap = latest.all(|snapshot| snapshot.bytes <= SNAPSHOT_BYTES_MAX / SNAPSHOTS_MAX);
        let debt = if is_cheap {
            CHEAP_DEBT_EVENTS
        } else {
            REPLAY_DEBT_EVENTS
        };
        if events >= last + debt {
            self.keep();
        }
    }

    fn keep(&mut self) {
        let events = self.present.events();
        let branch = &mut self.branches[self.current];
        branch.tip = branch.tip.max(self.present.now);
        // Only a lab whose worlds all stand at its clock is a state that a seek could reach.
        let lab = self.present.clone();
        if let Some(last) = branch.snapshots.last_mut() {
            last.bytes = last.lab.bytes_apart(&lab);
        }
        branch.snapshots.push(Snapshot {
            inputs: self.inputs,
            events,
            fingerprint: lab.fingerprint(),
            bytes: 0,
            lab,
        });
        if branch.snapshots.len() > SNAPSHOTS_MAX {
            thin(&mut branch.snapshots);
        }
        // Those of futures that were left go first: nobody may ever come back to them.
        let present = std::iter::once(self.current);
        for branch in (0..self.branches.len())
            .filter(|branch| *branch != self.current)
            .chain(present)
        {
            while self.bytes() > SNAPSHOT_BYTES_MAX && thin(&mut self.branches[branch].snapshots) {}
        }
    }

    /// Goes to a time, backward or forward. The result is exactly what a run to that time gives.
    pub fn seek(&mut self, at: SimTime) {
        if at < self.present.now {
            self.restore(at);
        } else {
            self.advance_to(at);
        }
    }

    /// Goes back to the beginning, before the first input of its instant.
    pub fn begin(&mut self) {
        if let Some(first) = self.branches[self.current].snapshots.first() {
            self.present = first.lab.clone();
            self.inputs = first.inputs;
        }
    }

    /// Goes back to the last snapshot before `at` and from there towards it, by about `budget` events
    /// at most. Returns whether `at` was reached.
    pub fn rewind(&mut self, at: SimTime, budget: u32) -> bool {
        let branch = &self.branches[self.current];
        let snapshot = branch
            .snapshots
            .iter()
            .rev()
            .find(|snapshot| {
                snapshot.lab.worlds.iter().all(|world| world.now <= at) && snapshot.lab.now <= at
            })
            .expect("the snapshot at time zero is never thinned");
        assert!(
            snapshot.lab.fingerprint() == snapshot.fingerprint,
            "a snapshot does not change"
        );
        self.present = snapshot.lab.clone();
        self.inputs = snapshot.inputs;
        self.advance_some(at, budget)
    }

    fn restore(&mut self, at: SimTime) {
        if !self.rewind(at, u32::MAX) {
            self.advance_to(at);
        }
    }
}

/// Drops the snapshot that leaves the smallest gap for its age; the first and the last stay. Returns
/// whether there was one to drop.
fn thin(snapshots: &mut Vec<Snapshot>) -> bool {
    let now = snapshots.last().map_or(0, |last| last.events);
    let gap = |place: &usize| {
        let gap = snapshots[place + 1].events - snapshots[place - 1].events;
        gap.saturating_mul(1_000) / (now - snapshots[*place].events).max(1)
    };
    let Some(place) = (1..snapshots.len().saturating_sub(1)).min_by_key(gap) else {
        return false;
    };
    snapshots.remove(place);
    snapshots[place - 1].bytes = snapshots[place - 1].lab.bytes_apart(&snapshots[place].lab);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::node::NodeSetup;
    use crate::base::rng::Seed;
    use crate::base::time::SimDuration;
    use crate::engine::command::{Command, MachineSpec};
    use crate::kube::Request;
    use crate::manifest::value::Value;
    use std::sync::Arc;

    /// A cluster of ten machines whose pods come one after the other.
    fn history() -> History {
        let mut history = History::new(Lab::new(&[Orchestrator::Kubernetes], Seed(42)));
        let mut input = |command| {
            history.input(Input {
                only: None,
                command,
            });
        };
        for number in 0..=10 {
            input(Command::AddMachine(Box::new(MachineSpec {
                name: format!("machine-{number}").into(),
                milli_cpu: 16_000,
                memory_bytes: 64 << 30,
                zone: "".into(),
                extended: Vec::new(),
                profile: Default::default(),
                subnet: None,
                setup: NodeSetup {
                    control: number == 0,
                    ..NodeSetup::default()
                },
            })));
        }
        let object = r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":600,
            "selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},
            "spec":{"containers":[{"name":"main","image":"nginx"}]}}}}"#;
        input(Command::Kube(Arc::new(Request::Create {
            object: Value::parse_json(object).expect("JSON"),
            namespace: "default".into(),
        })));
        history
    }

    #[test]
    fn thinning_keeps_both_ends_and_gaps_that_grow_with_age() {
        let mut history = history();
        let seconds = |seconds: u64| SimTime::ZERO + SimDuration::from_secs(seconds);
        let mut hashes = Vec::new();
        // As many snapshots as may be, however few events there are.
        for second in 1..=40 {
            history.advance_to(seconds(second));
            hashes.push(history.present.fingerprint());
            history.keep();
        }
        let first = history.branches[0].snapshots[0].events;
        let snapshots = &mut history.branches[0].snapshots;
        let last = snapshots.last().map(|last| last.events);
        assert!(snapshots[..20].iter().all(|snapshot| snapshot.bytes > 0));
        while snapshots.len() > 8 {
            assert!(thin(snapshots));
        }
        assert_eq!(snapshots[0].events, first);
        assert_eq!(snapshots.last().map(|last| last.events), last);
        let gaps: Vec<u64> = snapshots
            .windows(2)
            .map(|pair| pair[1].events - pair[0].events)
            .collect();
        assert!(gaps[0] > 3 * gaps[6], "{gaps:?}");
        for second in [39, 1, 17, 30, 2] {
            history.seek(seconds(second));
            let hash = history.present.fingerprint();
            assert_eq!(hash, hashes[second as usize - 1], "at {second} s");
        }
        // In steps it is the same.
        let second = history.branches[0].snapshots[1].lab.now.as_micros() / 1_000_000 - 1;
        assert!(!history.rewind(seconds(second), 10));
        history.advance_to(seconds(second));
        let hash = history.present.fingerprint();
        assert_eq!(hash, hashes[second as usize - 1]);
        while thin(&mut history.branches[0].snapshots) {}
        assert_eq!(history.branches[0].snapshots.len(), 2);
    }
}
