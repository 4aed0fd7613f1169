//! Containers: one main process each, from creation to exit.

use std::sync::Arc;

use crate::base::time::{SimDuration, SimTime};

use super::health::ProbeId;
use super::load::Cpu;
use super::order::{ContainerId, ContainerSpec, Owner, SandboxId};
use super::program::{Behaviour, OnStop};
use super::script::value::with_times;

/// How far a container is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContainerState {
    /// Made; the process does not run yet.
    Created,
    /// The process runs.
    Running {
        /// Its start.
        since: SimTime,
    },
    /// The process ended, or could not be started.
    Exited {
        /// Its start; none if it never ran.
        since: Option<SimTime>,
        /// Its end.
        at: SimTime,
        /// Exit code; 128 + signal if a signal ended it.
        code: i32,
        /// Whether the kernel killed it for its memory limit.
        oom: bool,
    },
}

/// What has been asked of a container that is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It was sent its stop signal, and gets SIGKILL then.
    Stop {
        /// When the grace is over.
        by: SimTime,
    },
    /// It ends as soon as it can: killed, or without the machine that it ran on.
    Now {
        /// Exit code.
        code: i32,
        /// Whether the kernel kills it for memory.
        oom: bool,
    },
}

/// One container.
#[derive(Clone, Debug)]
pub struct Container {
    /// Whose it is.
    pub owner: Owner,
    /// Where it is.
    pub sandbox: SandboxId,
    /// How far it is.
    pub state: ContainerState,
    /// How it is to be run.
    pub spec: Arc<ContainerSpec>,
    /// What it does, on the time since its start.
    pub behaviour: Arc<Behaviour>,
    /// How it is to end; none: nobody has asked for that.
    pub(super) ending: Option<Ending>,
    /// Whether its program has stopped answering without ending.
    pub(super) hung: bool,
    /// Whether it sleeps in a request to a disk that its machine has lost, or has been told that
    /// the request failed.
    pub(super) asleep: bool,
    /// What its processes want of the CPUs and get.
    pub cpu: Cpu,
    /// Whether the end that is due is the kernel's doing.
    pub(super) due_oom: bool,
    /// Exit code of the end that is due.
    pub(super) due_code: i32,
    /// When the next step is due: start or end; [`SimTime::MAX`]: never.
    pub(super) due: SimTime,
    pub(super) next_in_sandbox: Option<ContainerId>,
    pub(super) first_probe: Option<ProbeId>,
}

const _: () = assert!(size_of::<Container>() <= 160, "150,000 of these are kept");

impl Container {
    /// Start of the running process.
    pub fn running_since(&self) -> Option<SimTime> {
        match self.state {
            ContainerState::Running { since } => Some(since),
            ContainerState::Created | ContainerState::Exited { .. } => None,
        }
    }

    /// Whether its program answers nobody, although it runs.
    pub const fn is_silent(&self) -> bool {
        self.hung || self.asleep
    }

    /// When it will answer requests at this port, or already does; none if it never will as things
    /// stand. Port 0 is the lowest port that it listens on. A program that ends in an orderly way
    /// takes no more requests from its stop signal on.
    pub fn serves_from(&self, port: u16) -> Option<SimTime> {
        let since = self.running_since()?;
        let listens = if port == 0 {
            !self.behaviour.ports.is_empty()
        } else {
            self.behaviour.takes(port)
        };
        let leaves = self.ending.is_some() && matches!(self.behaviour.on_stop, OnStop::Exit { .. });
        if !listens || self.is_silent() || leaves {
            return None;
        }
        self.behaviour.listen?;
        Some(since + self.behaviour.ready?)
    }

    /// Whether the process accepts connections at this port.
    pub fn listens(&self, port: u16, now: SimTime) -> bool {
        let accepts = self
            .running_since()
            .zip(self.behaviour.listen)
            .is_some_and(|(since, span)| now >= since + span);
        accepts && self.behaviour.takes(port)
    }

    /// What the process has printed by now, with the times.
    pub fn log(&self, now: SimTime) -> Vec<(SimTime, Arc<str>)> {
        let (since, until) = match self.state {
            ContainerState::Created => (None, now),
            ContainerState::Running { since } => (Some(since), now),
            ContainerState::Exited { since, at, .. } => (since, at),
        };
        since.map_or_else(Vec::new, |since| self.printed(since, until.since(since)))
    }

    /// What a process that ends by itself will have printed by then, and its exit code.
    pub fn to_the_end(&self) -> Option<(Vec<(SimTime, Arc<str>)>, i32)> {
        let (span, code) = self.behaviour.end?;
        Some((self.printed(self.running_since()?, span), code))
    }

    fn printed(&self, since: SimTime, age: SimDuration) -> Vec<(SimTime, Arc<str>)> {
        let lines = self.behaviour.printed(age).into_iter();
        lines
            .map(|(at, line)| (since + at, with_times(&line, since)))
            .collect()
    }
}
