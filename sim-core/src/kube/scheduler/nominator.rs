//! Pods that preemption has promised a node, until they are bound.
//!
//! Source: `pkg/scheduler/backend/queue/nominator.go`.

use std::sync::Arc;

use crate::base::sorted::SortedMap;
use crate::kube::rows::PodId;
use crate::kube::template::TemplateId;

use super::demand::Demand;

/// A pod with a promise.
#[derive(Clone, Debug)]
pub struct Guest {
    /// The pod.
    pub pod: PodId,
    /// Its template.
    pub template: TemplateId,
    /// What it asks for.
    pub demand: Arc<Demand>,
}

/// All promises.
#[derive(Clone, Debug, Default)]
pub struct Nominator {
    node_of: SortedMap<PodId, u32>,
    guests: SortedMap<u32, Vec<Guest>>,
}

impl Nominator {
    /// The node that a pod was promised.
    pub fn node_of(&self, pod: PodId) -> Option<u32> {
        self.node_of.get(&pod).copied()
    }

    /// Promises a node.
    pub fn add(&mut self, guest: Guest, slot: u32) {
        self.remove(guest.pod);
        self.node_of.insert(guest.pod, slot);
        self.guests.entry(slot).or_default().push(guest);
    }

    /// Takes a promise back.
    pub fn remove(&mut self, pod: PodId) {
        let Some(slot) = self.node_of.remove(&pod) else {
            return;
        };
        if let Some(list) = self.guests.get_mut(&slot) {
            list.retain(|guest| guest.pod != pod);
            if list.is_empty() {
                self.guests.remove(&slot);
            }
        }
    }

    /// Whether no pod is nominated to any node.
    pub fn is_empty(&self) -> bool {
        self.guests.is_empty()
    }

    /// Guests of a node with at least this priority, other than the pod itself.
    pub fn on(&self, slot: u32, pod: PodId, priority: i32) -> Vec<Guest> {
        if self.guests.is_empty() {
            return Vec::new();
        }
        let list = self.guests.get(&slot).map_or(&[][..], Vec::as_slice);
        list.iter()
            .filter(|guest| guest.pod != pod && guest.demand.priority >= priority)
            .cloned()
            .collect()
    }

    /// Guests of a node with less than this priority.
    pub fn lower_on(&self, slot: u32, priority: i32) -> Vec<PodId> {
        let list = self.guests.get(&slot).map_or(&[][..], Vec::as_slice);
        list.iter()
            .filter(|guest| guest.demand.priority < priority)
            .map(|guest| guest.pod)
            .collect()
    }
}
