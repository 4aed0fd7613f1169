//! How many replicas of each workload really serve, and what faults are measured against.
//!
//! Cost: a set's replicas are counted anew only where something happened to them. What the machines did
//! is told by owner ([`Served::forget`]), what the control plane did by the set's turnover.

use std::sync::Arc;

use crate::base::hash::FxHashSet;
use crate::base::symbol::Symbol;
use crate::base::time::SimTime;
use crate::des::queue::Seq;
use crate::engine::world::World;
use crate::kube::rows::ReplicaSetId;
use crate::kube::{ByName, KubePlane};
use crate::substrate::order::{Owner, SandboxId};

use super::RECOVERED_FOR;

/// Replicas of each workload that serve, in the plane's order of workloads.
pub type Serving = Arc<[(Arc<str>, u32)]>;

/// What was served when faults began. Faults of one instant share it: before the first of them is
/// before all of them.
#[derive(Clone, Debug)]
pub(super) struct Baseline {
    /// When.
    pub(super) at: SimTime,
    /// Workloads and how many replicas of each served.
    pub(super) before: Serving,
    /// A workload that served too little at the last look. Looked at first: while it does, the others
    /// need not be looked at, and those before it served enough when it was found.
    witness: usize,
    /// Since when every workload serves as before.
    pub(super) since: Option<(SimTime, Seq)>,
    /// Whether that lasted long enough.
    pub(super) confirmed: bool,
}

impl Baseline {
    /// What is served at the beginning of a fault.
    pub(super) fn new(at: SimTime, before: Serving) -> Self {
        Self {
            at,
            before,
            witness: 0,
            since: None,
            confirmed: false,
        }
    }

    /// Takes over that time has passed.
    pub(super) fn pass(&mut self, now: SimTime) {
        if let Some((since, _)) = self.since
            && now.since(since) > RECOVERED_FOR
        {
            self.confirmed = true;
        }
    }

    /// Looks whether every workload serves as before, as of an event.
    pub(super) fn judge(&mut self, world: &World, seq: Seq, served: &mut Served, names: &ByName) {
        let mut is_short = |(name, count): &(Arc<str>, u32)| {
            // What served nothing cannot serve less.
            *count > 0 && served.of(world, name, names) < *count
        };
        let (earlier, later) = self.before.split_at(self.witness);
        let from_witness = (self.witness..).zip(later);
        let short = from_witness
            .chain((0..).zip(earlier))
            .find(|(_, entry)| is_short(entry))
            .map(|(index, _)| index);
        match short {
            Some(index) => {
                self.witness = index;
                self.since = None;
            }
            None if self.since.is_none() => self.since = Some((world.now, seq)),
            None => {}
        }
    }
}

/// How many of a set's replicas served when they were counted.
#[derive(Clone, Copy, Debug)]
struct Count {
    set: ReplicaSetId,
    /// The set's turnover then.
    turnover: u32,
    serving: u32,
}

/// What sets of pods serve, as far as it was counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Served {
    /// By the set's slot.
    counts: Vec<Option<Count>>,
    /// What runs pods by name, and the number of the plane's roster that it was made of.
    names: Option<(u32, Arc<ByName>)>,
}

impl Served {
    /// Takes over that something happened to sandboxes of these owners.
    pub(super) fn forget(&mut self, owners: &[Owner], plane: &KubePlane) {
        if self.counts.is_empty() {
            return;
        }
        for owner in owners {
            // A pod that is gone or going has left its set, which shows in the set's turnover.
            if let Some(set) = plane.set_of(*owner)
                && let Some(count) = self.counts.get_mut(set.slot() as usize)
            {
                *count = None;
            }
        }
    }

    /// What runs pods by name.
    pub(super) fn names(&mut self, world: &World) -> Arc<ByName> {
        let roster = world.kube().map_or(0, KubePlane::roster);
        match &self.names {
            Some((known, names)) if *known == roster => names.clone(),
            _ => {
                let plane = world.kube();
                let made = plane.map_or_else(ByName::default, KubePlane::workloads_by_name);
                let names = Arc::new(made);
                self.names = Some((roster, names.clone()));
                names
            }
        }
    }

    /// How many replicas of each workload really serve.
    pub(super) fn all(&mut self, world: &World) -> Serving {
        let names = self.names(world);
        world
            .workloads()
            .iter()
            .map(|workload| {
                let name: Arc<str> = workload.name.as_str().into();
                let count = self.of(world, &name, &names);
                (name, count)
            })
            .collect()
    }

    /// How many replicas of a workload really serve: processes run on a machine that is up, the program
    /// is ready, and where requests are balanced, a rule leads to it.
    pub(super) fn of(&mut self, world: &World, workload: &str, names: &ByName) -> u32 {
        let name = world.symbols.get(workload);
        let running = match world.kube().zip(name) {
            Some((plane, name)) => self.of_pods(world, plane, name, names),
            None => tally(world, world.sandboxes_of(workload).into_iter()).0,
        };
        let behind = name.and_then(|name| world.answering_backends(name));
        behind.map_or(running, |behind| behind.min(running))
    }

    fn of_pods(&mut self, world: &World, plane: &KubePlane, name: Symbol, names: &ByName) -> u32 {
        let sets = plane.sets_named(name, names).iter();
        let of_sets: u32 = sets.map(|set| self.of_set(world, plane, *set)).sum();
        of_sets + tally(world, plane.lonely_sandboxes(name, names)).0
    }

    fn of_set(&mut self, world: &World, plane: &KubePlane, set: ReplicaSetId) -> u32 {
        let Some(turnover) = plane.turnover(set) else {
            return 0;
        };
        let slot = set.slot() as usize;
        if slot >= self.counts.len() {
            self.counts.resize(slot + 1, None);
        }
        if let Some(count) = self.counts[slot]
            && (count.set, count.turnover) == (set, turnover)
        {
            return count.serving;
        }
        let (serving, starting) = tally(world, plane.sandboxes_in(set));
        // What becomes ready by itself is not told of.
        self.counts[slot] = (starting == 0).then_some(Count {
            set,
            turnover,
            serving,
        });
        serving
    }

    /// Counts that do not hold, one sentence each: the oracle of soak runs. `told`: what happened since
    /// [`Self::forget`] was told of it.
    pub(super) fn breaches(&self, world: &World, told: &[Owner]) -> Vec<String> {
        let Some(plane) = world.kube() else {
            return Vec::new();
        };
        let open: FxHashSet<ReplicaSetId> =
            told.iter().filter_map(|one| plane.set_of(*one)).collect();
        let kept = self.counts.iter().flatten().filter(|count| {
            plane.turnover(count.set) == Some(count.turnover) && !open.contains(&count.set)
        });
        kept.filter_map(|count| {
            let (serving, _) = tally(world, plane.sandboxes_in(count.set));
            (serving != count.serving).then(|| {
                format!(
                    "set {:?}: {serving} replicas serve, {} are known to",
                    count.set, count.serving
                )
            })
        })
        .collect()
    }
}

/// How many sandboxes serve, and how many will by themselves.
fn tally(world: &World, sandboxes: impl Iterator<Item = SandboxId>) -> (u32, u32) {
    let (mut serving, mut starting) = (0, 0);
    for from in sandboxes.filter_map(|sandbox| world.serves_from(sandbox)) {
        if from <= world.now {
            serving += 1;
        } else {
            starting += 1;
        }
    }
    (serving, starting)
}

/// How many replicas of each workload really serve.
pub fn serving(world: &World) -> Serving {
    Served::default().all(world)
}
