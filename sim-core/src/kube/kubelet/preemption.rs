//! Whom a node's agent puts out to make room for a pod that the node cannot do without.
//!
//! Owns the choice and the wait: the pod is taken when those that were chosen have ended. As few
//! guaranteed pods as possible go, then as few burstable ones, then best-effort ones; of each class
//! those whose requests come nearest to what is lacking.
//! Source: `pkg/kubelet/preemption/preemption.go`.

use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::name::Name;
use crate::base::resources::ResourceVector;
use crate::des::notice::Detail;
use crate::kube::rows::{NodeId, PodId};
use crate::kube::store::events::Message;
use crate::kube::template::{PodTemplate, QosClass};
use crate::substrate::order::MachineId;

use super::admission::{NAMES, NO_NODE, is_critical, lacking};
use super::desk::{Desk, Report};
use super::{Event, Kubelets, stop};

const REASON: &str = "Preempting";
const MESSAGE: &str = "Preempted in order to admit critical pod";
const CONDITION: &str = "Pod was preempted by Kubelet to accommodate a critical pod.";

/// Amounts of pods, CPU, memory and disk.
type Amounts = [i64; 4];

/// A pod that may go.
#[derive(Clone, Copy, Debug)]
struct Victim {
    pod: PodId,
    qos: QosClass,
    asks: Amounts,
}

/// What an agent does with a pod that has no room.
#[derive(Debug)]
pub(super) enum Room {
    /// It waits until those that were put out have ended.
    Waits,
    /// It is refused in these words.
    Refused(Arc<str>),
}

impl Kubelets {
    /// Puts pods out so that one fits that the node cannot do without.
    pub(super) fn make_room(
        &mut self,
        (pod, name): (PodId, Name),
        template: &PodTemplate,
        (node, machine): (NodeId, MachineId),
        desk: &mut Desk<'_, '_>,
    ) -> Room {
        if self.is_being_emptied(node, desk) {
            self.making_room.insert(machine);
            return Room::Waits;
        }
        let Some(row) = desk.store.node(node) else {
            return Room::Refused(NO_NODE.into());
        };
        let needs = self
            .amounts(pod, template, node, row, desk.store)
            .map(lacking);
        let mut may_go: Vec<Victim> = desk
            .store
            .pods_on(node)
            .filter(|(other, row)| *other != pod && !row.phase.is_terminal())
            .filter_map(|(other, row)| {
                let known = desk.store.template(row.template);
                let yields = !is_critical(known) || known.priority < template.priority;
                (yields && self.worker(other).is_some()).then(|| Victim {
                    pod: other,
                    qos: known.qos,
                    asks: amounts(&known.requests),
                })
            })
            .collect();
        may_go.arrange_by_key(|victim| victim.pod);
        let chosen = match choose(&may_go, needs) {
            Ok(chosen) => chosen,
            Err(left) => {
                let list: String = NAMES
                    .iter()
                    .zip(left)
                    .filter(|(_, amount)| *amount > 0)
                    .map(|(name, amount)| format!("(res: {name}, q: {amount}), "))
                    .collect();
                let text = format!(
                    "Unexpected error while attempting to recover from admission failure: preemption: error finding a set of pods to preempt: no set of running pods found to reclaim resources: [{list}]"
                );
                return Room::Refused(text.into());
            }
        };
        for victim in chosen {
            self.preempt(victim, name, desk);
        }
        self.making_room.insert(machine);
        Room::Waits
    }

    fn preempt(&mut self, pod: PodId, by: Name, desk: &mut Desk<'_, '_>) {
        let now = desk.now();
        let Some(worker) = self.worker_mut(pod) else {
            return;
        };
        let aside = worker.aside.write();
        aside.evicted = Some((REASON, MESSAGE.into()));
        aside.disruption = Some(CONDITION.into());
        desk.record(
            worker,
            None,
            Report::warning(REASON, Message::Plain(MESSAGE)),
        );
        desk.note("preempt", worker, Detail::To(by), None);
        let deadline = now + worker.recipe.grace;
        stop::terminate(worker, deadline, desk);
    }

    /// Whether pods that were put out still run on a node.
    fn is_being_emptied(&self, node: NodeId, desk: &Desk<'_, '_>) -> bool {
        desk.store.pods_on(node).any(|(pod, row)| {
            let worker = self.worker(pod);
            !row.phase.is_terminal()
                && worker
                    .and_then(|worker| worker.aside.evicted.as_ref())
                    .is_some_and(|(reason, _)| *reason == REASON)
        })
    }

    /// A pod of a machine has ended: those that wait for room are looked at again.
    pub(super) fn room_made(&mut self, machine: MachineId, desk: &mut Desk<'_, '_>) {
        let Some(node) = desk.store.node_of(machine) else {
            return;
        };
        if !self.making_room.contains(&machine) || self.is_being_emptied(node, desk) {
            return;
        }
        self.making_room.remove(&machine);
        let now = desk.now();
        desk.at(now, Event::Manifests(machine));
        let waiting: Vec<PodId> = desk
            .store
            .pods_on(node)
            .filter(|(pod, row)| !row.phase.is_terminal() && self.worker(*pod).is_none())
            .map(|(pod, _)| pod)
            .collect();
        for pod in waiting {
            desk.at(now, Event::Sync(pod));
        }
    }
}

fn amounts(requests: &ResourceVector) -> Amounts {
    [
        1,
        requests.milli_cpu,
        requests.memory,
        requests.ephemeral_storage,
    ]
}

/// What is still needed when these have gone.
fn without<'a>(needs: Amounts, gone: impl IntoIterator<Item = &'a Victim>) -> Amounts {
    gone.into_iter().fold(needs, |mut left, victim| {
        for (left, amount) in left.iter_mut().zip(victim.asks) {
            *left = (*left - amount).max(0);
        }
        left
    })
}

/// The pods that go; what all of them together leave lacking.
fn choose(may_go: &[Victim], needs: Amounts) -> Result<Vec<PodId>, Amounts> {
    let of = |qos: QosClass| -> Vec<Victim> {
        let all = may_go.iter().filter(|victim| victim.qos == qos);
        all.copied().collect()
    };
    let (best_effort, burstable, guaranteed) = (
        of(QosClass::BestEffort),
        of(QosClass::Burstable),
        of(QosClass::Guaranteed),
    );
    let left = without(needs, may_go);
    if left != [0; 4] {
        return Err(left);
    }
    let lower = best_effort.iter().chain(&burstable);
    let guaranteed = nearest(guaranteed, without(needs, lower));
    let burstable = nearest(
        burstable,
        without(needs, best_effort.iter().chain(&guaranteed)),
    );
    let best_effort = nearest(
        best_effort,
        without(needs, burstable.iter().chain(&guaranteed)),
    );
    let all = best_effort.iter().chain(&burstable).chain(&guaranteed);
    Ok(all.map(|victim| victim.pod).collect())
}

/// One after the other, the pod whose requests come nearest to what is needed; of two as near, the
/// one that asks for less memory, then less CPU.
fn nearest(mut pods: Vec<Victim>, mut needs: Amounts) -> Vec<Victim> {
    let mut gone = Vec::new();
    while needs != [0; 4] && !pods.is_empty() {
        let key = |victim: &Victim| {
            let [_, cpu, memory, _] = victim.asks;
            (distance(needs, victim.asks), memory, cpu)
        };
        let mut best = 0;
        for at in 1..pods.len() {
            if key(&pods[at]) < key(&pods[best]) {
                best = at;
            }
        }
        let victim = pods.remove(best);
        needs = without(needs, [&victim]);
        gone.push(victim);
    }
    gone
}

/// Sum of the squares of what is left of each need, as shares of it.
fn distance(needs: Amounts, asks: Amounts) -> u128 {
    const WHOLE: u128 = 1_000_000_000;
    let share = |(need, ask): (i64, i64)| {
        if need <= ask {
            return 0;
        }
        let left = u128::from((need - ask).unsigned_abs()) * WHOLE;
        let share = left / u128::from(need.unsigned_abs());
        share * share
    };
    needs.into_iter().zip(asks).map(share).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    fn victim(slot: u32, qos: QosClass, cpu: i64, memory: i64) -> Victim {
        Victim {
            pod: PodId::new(slot, NonZeroU32::MIN),
            qos,
            asks: [1, cpu, memory, 0],
        }
    }

    fn slots(chosen: Vec<PodId>) -> Vec<u32> {
        chosen.into_iter().map(PodId::slot).collect()
    }

    #[test]
    fn guaranteed_pods_are_spared_and_the_nearest_go() {
        let all = [
            victim(1, QosClass::BestEffort, 0, 0),
            victim(2, QosClass::Burstable, 100, 100),
            victim(3, QosClass::Burstable, 300, 300),
            victim(4, QosClass::Guaranteed, 100, 100),
            victim(5, QosClass::Guaranteed, 300, 300),
        ];
        // The smaller burstable pod is enough.
        assert_eq!(slots(choose(&all, [0, 0, 100, 0]).expect("room")), [2]);
        // The larger one alone, then both.
        assert_eq!(slots(choose(&all, [0, 0, 250, 0]).expect("room")), [3]);
        assert_eq!(slots(choose(&all, [0, 350, 0, 0]).expect("room")), [3, 2]);
        // All burstable ones and the nearest guaranteed one; the large burstable one goes first.
        assert_eq!(
            slots(choose(&all, [0, 0, 500, 0]).expect("room")),
            [3, 2, 4]
        );
        // A place is freed by a pod without requests.
        assert_eq!(slots(choose(&all, [1, 0, 0, 0]).expect("room")), [1]);
        assert_eq!(choose(&all, [0, 900, 0, 0]), Err([0, 100, 0, 0]));
    }
}
