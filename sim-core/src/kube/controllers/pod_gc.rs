//! The pod garbage collector: pods that no kubelet will ever finish.
//! Source: `pkg/controller/podgc/gc_controller.go`.

use crate::base::arrange::Arrange;
use crate::base::name::Rule;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::Detail;
use crate::kube::event::Event;
use crate::kube::heartbeat::tick_after;
use crate::kube::rows::node::{ConditionStatus, TAINT_OUT_OF_SERVICE};
use crate::kube::rows::pod::{PodRow, signed_s};
use crate::kube::rows::{NodeId, PodId};
use crate::kube::turn::Turn;

/// How long a missing node must be missing. Source: as above, `quarantineTime`.
const QUARANTINE: SimDuration = SimDuration::from_secs(40);

/// The collector.
#[derive(Clone, Debug, Default)]
pub struct PodGc {
    /// Missing nodes and since when they are known to be missing.
    missing: SortedMap<NodeId, Option<SimTime>>,
    /// Nodes declared out of service.
    out_of_service: Vec<NodeId>,
    /// Pods that have ended.
    ended: SortedSet<PodId>,
    /// Pods without a node that are being deleted: something has kept them when they were.
    unscheduled: SortedSet<PodId>,
    /// Pods that were made for a node which there is not, and since when that is known.
    nowhere: SortedMap<PodId, Option<SimTime>>,
    scheduled: Option<SimTime>,
}

impl PodGc {
    /// A pod was written or, where there is no row, has gone.
    pub fn pod_changed(&mut self, pod: PodId, row: Option<&PodRow>, turn: &mut Turn<'_, '_>) {
        let ended = row.is_some_and(|row| row.phase.is_terminal());
        if !ended {
            self.ended.remove(&pod);
        } else if self.ended.insert(pod) && self.surplus(turn) > 0 {
            self.schedule(turn);
        }
        let nowhere = row.is_some_and(|row| {
            row.node.is_none() && turn.store.is_for_nowhere(row.template, turn.ctx.symbols)
        });
        if !nowhere {
            self.nowhere.remove(&pod);
        } else if !self.nowhere.contains_key(&pod) {
            self.nowhere.insert(pod, None);
            self.schedule(turn);
        }
        if !row.is_some_and(|row| row.is_terminating() && row.node.is_none()) {
            self.unscheduled.remove(&pod);
        } else if self.unscheduled.insert(pod) {
            self.schedule(turn);
        }
    }

    /// Each is marked failed once, and deleted until nothing keeps it any more.
    fn collect_unscheduled(&mut self, turn: &mut Turn<'_, '_>) {
        let pods: Vec<PodId> = self.unscheduled.iter().copied().collect();
        for pod in pods {
            if turn.store.pod_details(pod).finalizers().is_empty() {
                remove(pod, None, None, turn);
            } else if turn
                .store
                .pod(pod)
                .is_some_and(|row| !row.phase.is_terminal())
            {
                turn.store.set_failed(pod);
                let name = turn.store.pod(pod).map(|row| row.name);
                if let Some(name) = name {
                    turn.note("kube.pod-gc", "fail", "pod", name, Detail::None);
                }
            }
        }
    }

    /// How many ended pods there are too many.
    fn surplus(&self, turn: &Turn<'_, '_>) -> usize {
        let threshold = turn.settings.terminated_pod_gc_threshold;
        if threshold == 0 {
            return 0;
        }
        let threshold = usize::try_from(threshold).unwrap_or(usize::MAX);
        self.ended.len().saturating_sub(threshold)
    }

    /// Evicted pods go first, then the oldest.
    fn collect_ended(&mut self, turn: &mut Turn<'_, '_>) {
        let surplus = self.surplus(turn);
        if surplus == 0 {
            return;
        }
        let mut order: Vec<(bool, i64, String, PodId)> = self
            .ended
            .iter()
            .filter_map(|pod| {
                let row = turn.store.pod(*pod)?;
                let evicted = turn.store.pod_details(*pod).aside.reason == Some("Evicted");
                let name = row.name.text(turn.ctx.symbols);
                Some((!evicted, signed_s(row.created_s), name, *pod))
            })
            .collect();
        order.arrange();
        for (.., pod) in order.into_iter().take(surplus) {
            self.ended.remove(&pod);
            remove(pod, None, None, turn);
        }
    }

    /// A node object is gone.
    pub fn node_removed(&mut self, node: NodeId, turn: &mut Turn<'_, '_>) {
        self.missing.insert(node, None);
        self.schedule(turn);
    }

    /// A node was written.
    pub fn node_updated(&mut self, node: NodeId, turn: &mut Turn<'_, '_>) {
        let declared = turn.store.node(node).is_some_and(|row| {
            row.taints
                .iter()
                .any(|taint| &*taint.key == TAINT_OUT_OF_SERVICE)
        });
        if declared && !self.out_of_service.contains(&node) {
            self.out_of_service.push(node);
        }
        if declared {
            self.schedule(turn);
        }
    }

    fn schedule(&mut self, turn: &mut Turn<'_, '_>) {
        let at = tick_after(turn.now(), turn.settings.pod_gc_period);
        if self
            .scheduled
            .is_none_or(|scheduled| scheduled <= turn.now())
        {
            self.scheduled = Some(at);
            turn.at(at, Event::PodGc);
        }
    }

    /// One round.
    #[inline(never)]
    pub fn round(&mut self, turn: &mut Turn<'_, '_>) {
        self.scheduled = None;
        self.collect_ended(turn);
        self.collect_out_of_service(turn);
        self.collect_missing(turn);
        self.collect_unscheduled(turn);
        if !(self.missing.is_empty() && self.out_of_service.is_empty() && self.nowhere.is_empty()) {
            self.schedule(turn);
        }
    }

    fn collect_out_of_service(&mut self, turn: &mut Turn<'_, '_>) {
        self.out_of_service.retain(|node| {
            turn.store.node(*node).is_some_and(|row| {
                row.pods > 0
                    && row
                        .taints
                        .iter()
                        .any(|taint| &*taint.key == TAINT_OUT_OF_SERVICE)
            })
        });
        for node in self.out_of_service.clone() {
            if turn
                .store
                .node(node)
                .is_some_and(|row| row.ready() == ConditionStatus::True)
            {
                continue;
            }
            let pods: Vec<PodId> = turn
                .store
                .pods_on(node)
                .filter(|(_, row)| row.is_terminating())
                .map(|(pod, _)| pod)
                .collect();
            for pod in pods {
                remove(pod, None, None, turn);
            }
        }
    }

    fn collect_missing(&mut self, turn: &mut Turn<'_, '_>) {
        let now = turn.now();
        for since in self.missing.values_mut() {
            since.get_or_insert(now);
        }
        let due: Vec<NodeId> = self
            .missing
            .iter()
            .filter(|(_, since)| since.is_some_and(|since| since + QUARANTINE <= now))
            .map(|(node, _)| *node)
            .collect();
        for since in self.nowhere.values_mut() {
            since.get_or_insert(now);
        }
        let mut pods: Vec<PodId> = self
            .nowhere
            .iter()
            .filter(|(_, since)| since.is_some_and(|since| since + QUARANTINE <= now))
            .map(|(pod, _)| *pod)
            .collect();
        if due.is_empty() && pods.is_empty() {
            return;
        }
        let stranded = turn.store.pods();
        pods.extend(
            stranded
                .filter(|(_, row)| row.node.is_some_and(|node| due.contains(&node)))
                .map(|(pod, _)| pod),
        );
        for pod in pods {
            remove(
                pod,
                Some(("DeletionByPodGC", "PodGC: node no longer exists")),
                Some(Rule {
                    key: "pod-gc-quarantine",
                    value: QUARANTINE,
                }),
                turn,
            );
        }
        for node in due {
            self.missing.remove(&node);
        }
    }
}

/// Marks a pod failed, for whoever counts it, and removes it without a grace period.
fn remove(
    pod: PodId,
    disrupted: Option<(&'static str, &'static str)>,
    rule: Option<Rule>,
    turn: &mut Turn<'_, '_>,
) {
    let Some(row) = turn.store.pod(pod).copied() else {
        return;
    };
    if !row.phase.is_terminal() {
        let now = turn.now();
        if let Some((reason, message)) = disrupted {
            turn.store.set_disruption(pod, reason, message.into(), now);
        }
        turn.store.set_failed(pod);
        turn.note("kube.pod-gc", "fail", "pod", row.name, Detail::None);
    }
    turn.note_rule("kube.pod-gc", "delete", "pod", row.name, Detail::None, rule);
    turn.store.remove_pod(pod);
}
