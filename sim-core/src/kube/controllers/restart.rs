//! The controller manager starts anew: what was in memory is gone, everything is listed and every
//! key is looked at once. Decisions that were not carried out are taken again from what is there.

use crate::base::sorted::SortedSet;
use crate::kube::event::Key;
use crate::kube::rows::watched::WatchedPart;
use crate::kube::rows::{DeploymentId, NodeId, PodId, ReplicaSetId, ServiceId, WatchedId};
use crate::kube::status::WorkloadKey;
use crate::kube::store::Change;
use crate::kube::turn::Turn;

use super::Controllers;

impl Controllers {
    /// Starts with cold caches. What proxies on the machines know, what a person has set and what
    /// observers count is no memory of the process.
    pub fn restart(&mut self, turn: &mut Turn<'_, '_>) {
        let fresh = Self::default();
        let old = std::mem::replace(self, fresh);
        self.proxy = old.proxy;
        // Operators are processes of their own.
        self.operators = old.operators;
        self.distances = old.distances;
        self.autoscaler.keep_samples(old.autoscaler);
        self.configure(turn.settings);
        forget_plans(turn);
        self.list(turn);
        self.list_left_behind(turn);
        self.roles_written(turn);
        self.cidrs_written(turn);
    }

    /// Tells every loop of everything there is, as informers do when they start.
    fn list(&mut self, turn: &mut Turn<'_, '_>) {
        let nodes: Vec<NodeId> = turn.store.nodes().map(|(id, _)| id).collect();
        for node in nodes {
            self.observe(Change::NodeAdded(node), false, turn);
        }
        let deployments: Vec<DeploymentId> = turn.store.deployments().map(|(id, _)| id).collect();
        for id in deployments {
            self.distances.touch(WorkloadKey::Deployment(id));
            self.observe(Change::Deployment(id, true), false, turn);
        }
        let sets: Vec<ReplicaSetId> = turn.store.pod_controllers().map(|(id, _)| id).collect();
        for id in sets {
            self.observe(Change::ReplicaSet(id, true), false, turn);
        }
        let pods: Vec<PodId> = turn.store.pods().map(|(id, _)| id).collect();
        for pod in pods {
            self.observe(Change::PodStatus(pod), false, turn);
        }
        let services: Vec<ServiceId> = turn.store.services().map(|(id, _)| id).collect();
        for id in services {
            self.observe(Change::Service(id), false, turn);
        }
        let watched: Vec<WatchedId> = turn.store.all_watched().map(|(id, _)| id).collect();
        for id in watched {
            self.observe(Change::Watched(id, true), false, turn);
        }
        turn.store.look_at_all_dependents();
        self.observe(Change::OwnerRemoved, false, turn);
    }

    /// Finds dependents whose owners went while nobody looked.
    fn list_left_behind(&mut self, turn: &mut Turn<'_, '_>) {
        let mut keys: SortedSet<Key> = SortedSet::new();
        for (_, row) in turn.store.replica_sets() {
            if let Some(owner) = row
                .owner
                .filter(|owner| turn.store.deployment(*owner).is_none())
            {
                keys.insert(Key::OrphanedReplicaSets(owner));
            }
        }
        keys.extend(turn.store.orphaned().map(Key::OrphanedPods));
        let mut missing: SortedSet<NodeId> = SortedSet::new();
        for (_, row) in turn.store.pods() {
            missing.extend(row.node.filter(|node| turn.store.node(*node).is_none()));
        }
        for key in keys {
            self.enqueue(key, turn);
        }
        for node in missing {
            self.pod_gc.node_removed(node, turn);
        }
    }
}

/// What rows keep for the process that is gone.
fn forget_plans(turn: &mut Turn<'_, '_>) {
    let sets: Vec<ReplicaSetId> = turn
        .store
        .pod_controllers()
        .filter(|(_, row)| row.creating + row.deleting_pods > 0)
        .map(|(id, _)| id)
        .collect();
    for set in sets {
        if let Some(row) = turn.store.replica_set_mut(set) {
            row.creating = 0;
            row.deleting_pods = 0;
        }
    }
    let watched: Vec<WatchedId> = turn.store.all_watched().map(|(id, _)| id).collect();
    for id in watched {
        let Some(row) = turn.store.watched_mut(id) else {
            continue;
        };
        match &mut row.part {
            WatchedPart::CronJob(part) => part.due = None,
            WatchedPart::Autoscaler(part) => *part = Default::default(),
            WatchedPart::Budget(_) | WatchedPart::Quota => {}
        }
    }
}
