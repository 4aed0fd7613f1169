//! The scheduler starts anew: its queue and its cache are filled from what there is.

use crate::base::time::SimDuration;
use crate::kube::rows::{NodeId, PodId};
use crate::kube::store::Store;
use crate::substrate::PlaneOutbox;

use super::{Event, Scheduler};

impl Scheduler {
    /// Forgets back-offs, assumed pods and nominations; keeps its configuration. Its informers'
    /// first lists are events of the same instant, nodes first.
    pub fn restart(&mut self, store: &Store, out: &mut PlaneOutbox<crate::kube::Event>) {
        let mut fresh = Self::default();
        fresh.search.percentage = self.search.percentage;
        fresh.queue.initial_backoff = self.queue.initial_backoff;
        fresh.queue.max_backoff = self.queue.max_backoff;
        fresh.profiles.clone_from(&self.profiles);
        fresh.configured = self.configured;
        // Explanations of earlier decisions are for readers, not the process's memory.
        std::mem::swap(&mut fresh.decisions, &mut self.decisions);
        *self = fresh;
        let mut tell = |event| out.after(SimDuration::ZERO, crate::kube::Event::Scheduler(event));
        let nodes: Vec<NodeId> = store.nodes().map(|(id, _)| id).collect();
        for node in nodes {
            tell(Event::NodeSeen(node));
        }
        let pods: Vec<(PodId, bool)> = store
            .pods()
            .filter(|(_, row)| !row.phase.is_terminal())
            .map(|(id, row)| (id, row.is_terminating()))
            .collect();
        for (pod, going) in pods {
            tell(Event::PodSeen(pod));
            if going {
                tell(Event::PodGoing(pod));
            }
        }
    }
}
