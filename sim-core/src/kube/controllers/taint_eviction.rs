//! The taint eviction controller: pods that do not, or no longer, tolerate a NoExecute taint of
//! their node are deleted. Source: `pkg/controller/tainteviction/taint_eviction.go`.

use crate::api::kube::affinity::{Taint, TaintEffect, Toleration};
use crate::base::name::{Name, Rule};
use crate::base::sorted::SortedMap;
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::Detail;
use crate::kube::event::Event;
use crate::kube::rows::pod::PodRow;
use crate::kube::rows::{NodeId, PodId};
use crate::kube::store::events::Message;
use crate::kube::template::tolerates;
use crate::kube::turn::Turn;

/// What becomes of a pod under some taints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stays for ever.
    Stays,
    /// It goes at once.
    Goes,
    /// It goes after so many seconds.
    GoesAfter(u64),
}

/// Judges a pod's tolerations against NoExecute taints.
pub fn judge(tolerations: &[Toleration], taints: &[&Taint]) -> Verdict {
    let mut shortest: Option<i64> = None;
    for taint in taints {
        let Some(used) = tolerations
            .iter()
            .find(|toleration| tolerates(toleration, taint))
        else {
            return Verdict::Goes;
        };
        if let Some(seconds) = used.seconds {
            shortest = Some(shortest.map_or(seconds, |other| other.min(seconds)));
        }
    }
    match shortest {
        None => Verdict::Stays,
        Some(seconds) if seconds <= 0 => Verdict::Goes,
        Some(seconds) => Verdict::GoesAfter(seconds.unsigned_abs()),
    }
}

/// A pod's deletion to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Timer {
    started: SimTime,
    ends: SimTime,
}

/// The controller.
#[derive(Clone, Debug, Default)]
pub struct TaintEviction {
    timers: SortedMap<PodId, Timer>,
}

impl TaintEviction {
    /// Whether a written node is of interest: it has a NoExecute taint, or had one that made
    /// timers start.
    pub fn concerns(&self, node: NodeId, turn: &Turn<'_, '_>) -> bool {
        let tainted = turn
            .store
            .node(node)
            .is_some_and(|row| row.no_execute_since.is_some());
        tainted
            || (!self.timers.is_empty()
                && turn
                    .store
                    .pods_on(node)
                    .any(|(pod, _)| self.timers.contains_key(&pod)))
    }

    /// One pass over the pods of one node.
    #[inline(never)]
    pub fn sync(&mut self, node: NodeId, turn: &mut Turn<'_, '_>) {
        let Some(row) = turn.store.node(node) else {
            return;
        };
        let taints: Vec<Taint> = row
            .taints
            .iter()
            .filter(|taint| taint.effect == TaintEffect::NoExecute)
            .cloned()
            .collect();
        let pods: Vec<PodId> = turn
            .store
            .pods_on(node)
            .filter(|(_, pod)| !pod.is_terminating())
            .map(|(pod, _)| pod)
            .collect();
        for pod in pods {
            self.sync_pod(pod, &taints, turn);
        }
    }

    fn sync_pod(&mut self, pod: PodId, taints: &[Taint], turn: &mut Turn<'_, '_>) {
        if taints.is_empty() {
            self.cancel(pod, turn);
            return;
        }
        let row = turn.store.pod(pod).expect("listed by the caller");
        let taints: Vec<&Taint> = taints.iter().collect();
        let verdict = judge(&turn.store.template(row.template).tolerations, &taints);
        match verdict {
            Verdict::Stays => self.cancel(pod, turn),
            Verdict::Goes => {
                self.cancel(pod, turn);
                evict(pod, None, turn);
            }
            // A timer that runs is kept, whatever other taints come to the node or go: upstream
            // compares its start with now, and that lies before. Source: as above
            // (`processPodOnNode`).
            Verdict::GoesAfter(_) if self.timers.contains_key(&pod) => {}
            Verdict::GoesAfter(seconds) => {
                let started = turn.now();
                let ends = started + SimDuration::from_secs(seconds);
                self.timers.insert(pod, Timer { started, ends });
                turn.at(ends, Event::TolerationEnds(pod));
            }
        }
    }

    fn cancel(&mut self, pod: PodId, turn: &mut Turn<'_, '_>) {
        if let Some(row) = turn.store.pod(pod).copied() {
            self.forget(pod, &row, turn);
        }
    }

    /// A pod's timer is stopped: it stays, goes at once, or is gone.
    pub fn forget(&mut self, pod: PodId, row: &PodRow, turn: &mut Turn<'_, '_>) {
        if self.timers.remove(&pod).is_some() {
            tell("Cancelling deletion of Pod {}/{}", row, turn);
        }
    }

    /// A timer fires, unless it was cancelled or replaced.
    #[inline(never)]
    pub fn toleration_ends(&mut self, pod: PodId, turn: &mut Turn<'_, '_>) {
        let now = turn.now();
        let Some(timer) = self
            .timers
            .get(&pod)
            .copied()
            .filter(|timer| timer.ends <= now)
        else {
            return;
        };
        self.timers.remove(&pod);
        if turn.store.pod(pod).is_some_and(|row| !row.is_terminating()) {
            let value = timer.ends.since(timer.started);
            evict(
                pod,
                Some(Rule {
                    key: "tolerationSeconds",
                    value,
                }),
                turn,
            );
        }
    }
}

/// An event about a pod by its name alone.
fn tell(sentence: &'static str, row: &PodRow, turn: &mut Turn<'_, '_>) {
    let namespace = turn.store.template(row.template).namespace;
    let message = Message::Names(sentence, Name::plain(namespace), row.name);
    turn.normal(
        ("Pod", namespace, row.name),
        "taint-eviction-controller",
        "TaintManagerEviction",
        message,
    );
}

fn evict(pod: PodId, rule: Option<Rule>, turn: &mut Turn<'_, '_>) {
    let now = turn.now();
    let Some(row) = turn.store.pod(pod).copied() else {
        return;
    };
    tell("Marking for deletion Pod {}/{}", &row, turn);
    // Tried five times within 50 ms, then given up. Source: `taint_eviction.go` (`deletePodHandler`).
    let user = "system:serviceaccount:kube-system:taint-eviction-controller";
    if super::admission::judge_delete(user, pod, turn).is_err() {
        return;
    }
    turn.store.set_disruption(
        pod,
        "DeletionByTaintManager",
        "Taint manager: deleting due to NoExecute taint".into(),
        now,
    );
    turn.note_rule(
        "kube.taint-eviction",
        "evict",
        "pod",
        row.name,
        Detail::None,
        rule,
    );
    turn.store.mark_terminating(pod, None, now);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::kube::affinity::TolerationOperator;

    fn toleration(key: &str, seconds: Option<i64>) -> Toleration {
        Toleration {
            key: key.into(),
            operator: TolerationOperator::Exists,
            value: "".into(),
            effect: Some(TaintEffect::NoExecute),
            seconds,
        }
    }

    #[test]
    fn the_shortest_toleration_that_is_used_counts() {
        let one = Taint {
            key: "a".into(),
            value: "".into(),
            effect: TaintEffect::NoExecute,
        };
        let two = Taint {
            key: "b".into(),
            ..one.clone()
        };
        let both = [&one, &two];
        assert_eq!(judge(&[toleration("a", Some(300))], &both), Verdict::Goes);
        assert_eq!(
            judge(
                &[toleration("a", Some(300)), toleration("b", Some(20))],
                &both
            ),
            Verdict::GoesAfter(20)
        );
        assert_eq!(judge(&[toleration("", None)], &both), Verdict::Stays);
        assert_eq!(
            judge(&[toleration("a", Some(0)), toleration("b", None)], &both),
            Verdict::Goes
        );
        assert_eq!(
            judge(
                &[toleration("b", Some(5)), toleration("a", Some(300))],
                &[&one]
            ),
            Verdict::GoesAfter(300)
        );
    }
}
