//! Up to three worlds side by side: one seed, one clock, one fault script.

use crate::base::rng::Seed;
use crate::base::time::SimTime;
use crate::des::fingerprint::Fingerprint;

use super::client::Hands;
use super::command::{Answer, Command, FaultSpec, Orchestrator};
use super::world::World;

/// A command and the worlds that it is for.
#[derive(Clone, Debug)]
pub struct Input {
    /// One world, or all of them.
    pub only: Option<Orchestrator>,
    /// What.
    pub command: Command,
}

/// Worlds under one clock.
#[derive(Clone, Debug)]
pub struct Lab {
    /// The worlds, in the order of [`Orchestrator::ALL`].
    pub worlds: Vec<World>,
    /// The common time: every world has handled all events up to and including it.
    pub now: SimTime,
}

impl Lab {
    /// Empty worlds for these orchestrators.
    pub fn new(orchestrators: &[Orchestrator], seed: Seed) -> Self {
        let worlds = Orchestrator::ALL
            .into_iter()
            .filter(|orchestrator| orchestrators.contains(orchestrator))
            .map(|orchestrator| World::new(orchestrator, seed))
            .collect();
        Self {
            worlds,
            now: SimTime::ZERO,
        }
    }

    /// The same, with somebody who carries out command lines in containers.
    pub fn with_hands(mut self, hands: Hands) -> Self {
        for world in &mut self.worlds {
            world.hands = hands;
        }
        self
    }

    /// The world of an orchestrator.
    pub fn world(&self, orchestrator: Orchestrator) -> Option<&World> {
        self.worlds
            .iter()
            .find(|world| world.orchestrator == orchestrator)
    }

    /// Bytes that `later`, a clone of this lab that went on, no longer shares with it, as far as they
    /// grow with machines, replicas and events.
    pub fn bytes_apart(&self, later: &Self) -> usize {
        let worlds = self.worlds.iter().zip(&later.worlds);
        worlds.map(|(world, later)| world.bytes_apart(later)).sum()
    }

    /// Gives a command to its worlds, now. Answers come in the worlds' order. A number names the same
    /// fault in all worlds: one that is for some only is passed by in the others.
    pub fn input(&mut self, input: &Input) -> Vec<(Orchestrator, Answer)> {
        let mut answers = Vec::new();
        for world in &mut self.worlds {
            if input.only.is_none_or(|only| only == world.orchestrator) {
                answers.push((world.orchestrator, world.command(&input.command)));
            } else if let Command::Inject(spec) = &input.command {
                world.pass_fault(spec);
            }
        }
        answers
    }

    /// Moves the clock, every world with it.
    pub fn advance_to(&mut self, deadline: SimTime) {
        for world in &mut self.worlds {
            world.advance_to(deadline);
        }
        self.now = self.now.max(deadline);
    }

    /// Handles at most about `budget` events on the way to `deadline`. The worlds stay together: the
    /// clock moves to the last time that all of them have reached. Returns whether that is `deadline`.
    pub fn advance_some(&mut self, deadline: SimTime, budget: u32) -> bool {
        let mut reached = deadline;
        for world in &mut self.worlds {
            if !world.advance_some(deadline, budget) {
                // Events at this very time may be left: the common clock stops short of it.
                reached = reached.min(world.next_at().map_or(deadline, |at| {
                    SimTime::from_micros(at.as_micros().saturating_sub(1))
                }));
            }
        }
        if reached == deadline {
            // A world whose budget ended with its last event before the deadline has yet to arrive.
            for world in &mut self.worlds {
                world.advance_to(deadline);
            }
        }
        self.now = self.now.max(reached);
        reached == deadline
    }

    /// Time of the next event of any world.
    pub fn next_at(&self) -> Option<SimTime> {
        self.worlds.iter().filter_map(World::next_at).min()
    }

    /// Whether every world with something to run has converged.
    pub fn converged(&self) -> bool {
        self.worlds.iter().all(|world| world.unmet() == 0)
    }

    /// Events handled by all worlds.
    pub fn events(&self) -> u64 {
        self.worlds.iter().map(World::events).sum()
    }

    /// Fingerprint of all worlds.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut all = Fingerprint::new();
        for world in &self.worlds {
            all.fold(&(world.orchestrator, world.fingerprint()));
        }
        all
    }

    /// Injects one fault into every world.
    #[inline(never)]
    pub fn inject(&mut self, spec: &FaultSpec) -> Vec<(Orchestrator, Answer)> {
        self.input(&Input {
            only: None,
            command: Command::Inject(spec.clone()),
        })
    }
}
