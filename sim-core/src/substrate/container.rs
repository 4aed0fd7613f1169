//! Containers: one main process each, from creation to exit.

use std::sync::Arc;

use crate::base::time::SimTime;

use super::health::ProbeId;
use super::load::Cpu;
use super::order::{ContainerId, ContainerSpec, Owner, SandboxId};
use super::program::{Behaviour, OnStop};

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
    /// Whether it has been sent its stop signal.
    pub stopping: bool,
    /// Whether its program has stopped answering without ending.
    pub hung: bool,
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

    /// When it will answer requests at this port, or already does; none if it never will as things
    /// stand. Port 0 is the lowest port that it listens on. A program that ends in an orderly way
    /// takes no more requests from its stop signal on.
    pub fn serves_from(&self, port: u16) -> Option<SimTime> {
        let since = self.running_since()?;
        let listens = if port == 0 {
            !self.behaviour.ports.is_empty()
        } else {
            self.behaviour.ports.contains(&port)
        };
        let leaves = self.stopping && matches!(self.behaviour.on_stop, OnStop::Exit { .. });
        if !listens || self.hung || leaves {
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
        accepts && self.behaviour.ports.contains(&port)
    }

    /// What the process has printed by now, with the times.
    pub fn log(&self, now: SimTime) -> impl Iterator<Item = (SimTime, &str)> {
        let (since, until) = match self.state {
            ContainerState::Created => (None, now),
            ContainerState::Running { since } => (Some(since), now),
            ContainerState::Exited { since, at, .. } => (since, at),
        };
        self.behaviour.lines.iter().filter_map(move |(span, line)| {
            let at = since? + *span;
            (at <= until).then_some((at, line.as_ref()))
        })
    }
}
