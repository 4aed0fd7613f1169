//! Everything that can be scheduled in a world. Closed, `Copy`, ids only.

use crate::{compose, kube, substrate, swarm};

/// A scheduled fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Of the machines.
    Substrate(substrate::Event),
    /// Of Kubernetes.
    Kube(kube::Event),
    /// Of Swarm.
    Swarm(swarm::Event),
    /// Of Compose.
    Compose(compose::Event),
    /// The fault with this number begins.
    FaultBegins(u32),
    /// A drain asks again for the pods that are left.
    Drain(u32),
    /// The fault with this number ends.
    FaultEnds(u32),
}

impl From<substrate::Event> for Event {
    fn from(event: substrate::Event) -> Self {
        Self::Substrate(event)
    }
}

impl From<kube::Event> for Event {
    fn from(event: kube::Event) -> Self {
        Self::Kube(event)
    }
}

impl From<swarm::Event> for Event {
    fn from(event: swarm::Event) -> Self {
        Self::Swarm(event)
    }
}

impl From<compose::Event> for Event {
    fn from(event: compose::Event) -> Self {
        Self::Compose(event)
    }
}
