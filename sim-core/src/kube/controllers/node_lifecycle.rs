//! The node lifecycle controller: nodes that fall silent become Unknown, their pods not ready, the
//! nodes tainted; NoExecute taints pass a rate-limited queue for each zone.
//! Source: `pkg/controller/nodelifecycle/node_lifecycle_controller.go`.

use std::sync::Arc;

use crate::api::kube::affinity::{Taint, TaintEffect};
use crate::base::name::{Name, Rule};
use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::symbol::Symbol;
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::Detail;
use crate::kube::event::Event;
use crate::kube::heartbeat::{Heartbeats, tick_after};
use crate::kube::rows::node::{
    ConditionStatus, NodeCondition, NodeConditionState, NodeRow, TAINT_NOT_READY,
    TAINT_UNREACHABLE, TAINT_UNSCHEDULABLE,
};
use crate::kube::rows::{NodeId, PodId};
use crate::kube::selector::label;
use crate::kube::settings::Settings;
use crate::kube::store::events::Message;
use crate::kube::turn::Turn;

/// How often the eviction queues are looked at. Source: as above, `nodeEvictionPeriod`.
const EVICTION_POLL: SimDuration = SimDuration::from_millis(100);

/// Taints that this controller sets and removes by conditions.
const CONDITION_TAINTS: [(NodeCondition, ConditionStatus, &str); 5] = [
    (
        NodeCondition::Ready,
        ConditionStatus::False,
        TAINT_NOT_READY,
    ),
    (
        NodeCondition::Ready,
        ConditionStatus::Unknown,
        TAINT_UNREACHABLE,
    ),
    (
        NodeCondition::MemoryPressure,
        ConditionStatus::True,
        "node.kubernetes.io/memory-pressure",
    ),
    (
        NodeCondition::DiskPressure,
        ConditionStatus::True,
        "node.kubernetes.io/disk-pressure",
    ),
    (
        NodeCondition::PidPressure,
        ConditionStatus::True,
        "node.kubernetes.io/pid-pressure",
    ),
];

/// How much of a zone is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ZoneState {
    /// Little.
    #[default]
    Normal,
    /// Much.
    PartialDisruption,
    /// All.
    FullDisruption,
}

/// State of a zone with so many ready and lost nodes; the threshold is in billionths.
pub fn zone_state(ready: u64, lost: u64, threshold: u64) -> ZoneState {
    if ready == 0 && lost > 0 {
        ZoneState::FullDisruption
    } else if lost > 2 && lost * 1_000_000_000 >= threshold * (ready + lost) {
        ZoneState::PartialDisruption
    } else {
        ZoneState::Normal
    }
}

/// NoExecute taints per second in a zone, in billionths.
fn eviction_rate(state: ZoneState, nodes: u64, settings: &Settings) -> u64 {
    match state {
        ZoneState::Normal | ZoneState::FullDisruption => settings.node_eviction_rate,
        ZoneState::PartialDisruption if nodes > settings.large_cluster_size_threshold => {
            settings.secondary_node_eviction_rate
        }
        ZoneState::PartialDisruption => 0,
    }
}

/// A zone's queue of nodes that are to get a NoExecute taint.
#[derive(Clone, Debug, Default)]
struct Zone {
    /// None until one of its nodes counts.
    state: Option<ZoneState>,
    /// How many of its nodes counted when the state was reached: the rate stays as it was then.
    size: u64,
    /// Taints per second, in billionths.
    rate: u64,
    queue: Vec<NodeId>,
    /// When the bucket of one token is full again.
    next: SimTime,
    /// Whether the node at the head has had to wait for the bucket.
    waited: bool,
}

impl Zone {
    /// Another bucket, full if the one before it had a token, else empty.
    /// Source: `pkg/controller/nodelifecycle/scheduler/rate_limited_queue.go`, `SwapLimiter`.
    fn swap_bucket(&mut self, rate: u64, now: SimTime) {
        if self.rate == rate {
            return;
        }
        let had_token = self.rate > 0 && self.next <= now;
        self.rate = rate;
        self.waited = !had_token && !self.queue.is_empty();
        if rate > 0 {
            self.next = if had_token { now } else { now + interval(rate) };
        }
    }
}

/// Time in which a bucket of a rate (tokens per second, in billionths, not 0) gets one token.
const fn interval(rate: u64) -> SimDuration {
    SimDuration::from_micros(1_000_000 * 1_000_000_000 / rate)
}

/// The controller.
#[derive(Clone, Debug, Default)]
pub struct NodeLifecycle {
    /// By the text of the zone's key.
    zones: SortedMap<String, Zone>,
    /// Every zone is lost: nothing is evicted.
    all_lost: bool,
    /// Nodes that are gone since the last tick.
    gone: Vec<Symbol>,
    /// Ticks that are scheduled.
    ticks: SortedSet<SimTime>,
    /// Time of the next look at the queues that is scheduled.
    poll: Option<SimTime>,
    /// Which of [`TTL_STEPS`] the cluster's size is on.
    ttl_step: usize,
}

impl NodeLifecycle {
    /// The number of nodes may have changed.
    fn step(&mut self, nodes: u32) {
        while nodes > TTL_STEPS[self.ttl_step].1 {
            self.ttl_step += 1;
        }
        while nodes < TTL_STEPS[self.ttl_step].0 {
            self.ttl_step -= 1;
        }
    }

    /// A node was written: at the next tick the zones are looked at again if it is not well or was
    /// not.
    pub fn observe(&mut self, node: NodeId, turn: &mut Turn<'_, '_>) {
        self.step(turn.store.node_count());
        let Some(row) = turn.store.node(node) else {
            return;
        };
        let lost = row.has_conditions() && row.ready() != ConditionStatus::True;
        let tainted = row.has_taint(TAINT_UNREACHABLE, TaintEffect::NoExecute)
            || row.has_taint(TAINT_NOT_READY, TaintEffect::NoExecute);
        let queued = self.zones.values().any(|zone| zone.queue.contains(&node));
        if self.all_lost || lost != (tainted || queued) || (lost && self.wrong_taint(row)) {
            self.schedule_tick(turn);
        }
    }

    fn wrong_taint(&self, row: &NodeRow) -> bool {
        let other = if row.ready() == ConditionStatus::Unknown {
            TAINT_NOT_READY
        } else {
            TAINT_UNREACHABLE
        };
        row.has_taint(other, TaintEffect::NoExecute)
    }

    fn schedule_tick(&mut self, turn: &mut Turn<'_, '_>) {
        let at = tick_after(turn.now(), turn.settings.node_monitor_period);
        if self.ticks.insert(at) {
            turn.at(at, Event::MonitorTick);
        }
    }

    /// A node object is gone.
    pub fn forget(&mut self, node: NodeId, name: Symbol, turn: &mut Turn<'_, '_>) {
        for zone in self.zones.values_mut() {
            zone.queue.retain(|other| *other != node);
        }
        self.gone.push(name);
        self.step(turn.store.node_count());
        self.schedule_tick(turn);
    }

    /// The tick at which a node's silence exceeds the grace period.
    #[inline(never)]
    pub fn check(&mut self, node: NodeId, heartbeats: &mut Heartbeats, turn: &mut Turn<'_, '_>) {
        let now = turn.now();
        let Some(row) = turn.store.node(node) else {
            heartbeats.forget(node);
            return;
        };
        if !heartbeats.knows(node) {
            match (row.has_conditions(), row.ready()) {
                (false, _) => self.mark_never(node, turn),
                (true, ConditionStatus::Unknown) => return,
                (true, _) => self.mark_lost(node, heartbeats, turn),
            }
        } else if !heartbeats.is_silent(node) || row.ready() == ConditionStatus::Unknown {
            return;
        } else if let Some(due) = heartbeats.detection(node, turn).filter(|due| *due > now) {
            // The grace period may have been changed meanwhile, or the node spoke in between.
            turn.at(due, Event::NodeCheck(node));
            return;
        } else {
            self.mark_lost(node, heartbeats, turn);
        }
        // In the same tick, after the other nodes of this tick.
        if self.ticks.insert(now) {
            turn.after(SimDuration::ZERO, Event::MonitorTick);
        }
    }

    /// Nobody has said of a node how it is.
    fn mark_never(&self, node: NodeId, turn: &mut Turn<'_, '_>) {
        let Some(row) = turn.store.node(node) else {
            return;
        };
        let (mut conditions, heartbeat) = (row.conditions, row.created);
        silence(&mut conditions, turn.now());
        turn.store.set_node_conditions(node, conditions, heartbeat);
    }

    fn mark_lost(&mut self, node: NodeId, heartbeats: &mut Heartbeats, turn: &mut Turn<'_, '_>) {
        let now = turn.now();
        let Some(row) = turn.store.node(node) else {
            return;
        };
        let (name, heartbeat, was_ready) = (
            row.name,
            row.heartbeat,
            row.ready() == ConditionStatus::True,
        );
        let mut conditions = row.conditions;
        silence(&mut conditions, now);
        let rule = Rule {
            key: "node-monitor-grace-period",
            value: turn.settings.node_monitor_grace_period,
        };
        turn.note_rule(
            "kube.node-lifecycle",
            "not-ready",
            "node",
            Name::plain(name),
            Detail::None,
            Some(rule),
        );
        turn.store.set_node_conditions(node, conditions, heartbeat);
        heartbeats.noticed(node);
        if !was_ready {
            return;
        }
        let object = ("Node", Symbol::EMPTY, Name::plain(name));
        turn.normal(
            object,
            "node-controller",
            "NodeNotReady",
            Message::Name("Node {} status is now: NodeNotReady", Name::plain(name)),
        );
        let pods: Vec<PodId> = turn.store.pods_on(node).map(|(pod, _)| pod).collect();
        for pod in pods {
            if turn.store.set_not_ready(pod, now)
                && let Some(object) = turn.pod_object(pod)
            {
                turn.warning(
                    object,
                    "node-controller",
                    "NodeNotReady",
                    Message::Plain("Node is not ready"),
                );
            }
        }
    }

    /// Looks at all zones: states, rates, queues, recoveries.
    pub fn tick(&mut self, turn: &mut Turn<'_, '_>) {
        let now = turn.now();
        self.ticks.retain(|tick| *tick > now);
        for name in std::mem::take(&mut self.gone).into_iter().map(Name::plain) {
            turn.normal(
                ("Node", Symbol::EMPTY, name),
                "node-controller",
                "RemovingNode",
                Message::Names(
                    "Node {} event: Removing Node {} from Controller",
                    name,
                    name,
                ),
            );
        }
        let mut counts: SortedMap<String, (u64, u64)> = SortedMap::new();
        let mut nodes: Vec<(NodeId, String)> = Vec::new();
        for (id, row) in turn.store.nodes() {
            let zone = turn.ctx.symbols.text(row.zone).to_owned();
            if label(&row.labels, "node.kubernetes.io/exclude-disruption").is_none() {
                let (ready, lost) = counts.entry(zone.clone()).or_default();
                *(if row.ready() == ConditionStatus::True {
                    ready
                } else {
                    lost
                }) += 1;
            }
            nodes.push((id, zone));
        }
        self.judge(&nodes, &counts, turn);
        if self.all_lost {
            return;
        }
        for (node, zone) in nodes {
            self.queue_or_release(node, &zone, turn);
        }
        self.schedule_poll(turn);
    }

    /// States of zones with so many ready and lost nodes that count, and what follows for the rates. A
    /// zone of nodes none of which counts keeps its rate. Source: as above, `handleDisruption`.
    fn judge(
        &mut self,
        nodes: &[(NodeId, String)],
        counts: &SortedMap<String, (u64, u64)>,
        turn: &mut Turn<'_, '_>,
    ) {
        let threshold = turn.settings.unhealthy_zone_threshold;
        let judged = |(ready, lost): (u64, u64)| zone_state(ready, lost, threshold);
        let all_lost = !counts.is_empty()
            && counts
                .values()
                .all(|count| judged(*count) == ZoneState::FullDisruption);
        if all_lost && !self.all_lost {
            self.withdraw(turn);
        }
        self.all_lost = all_lost;
        let (now, settings) = (turn.now(), turn.settings);
        let names: SortedSet<&String> = nodes.iter().map(|(_, zone)| zone).collect();
        self.zones.retain(|name, _| names.contains(name));
        for name in names {
            let zone = self.zones.entry(name.clone()).or_insert_with(|| Zone {
                rate: settings.node_eviction_rate,
                ..Zone::default()
            });
            let Some(&(ready, lost)) = counts.get(name) else {
                zone.state = None;
                continue;
            };
            let state = judged((ready, lost));
            if zone.state != Some(state) {
                (zone.state, zone.size) = (Some(state), ready + lost);
            }
            let rate = if all_lost {
                0
            } else {
                eviction_rate(state, zone.size, settings)
            };
            zone.swap_bucket(rate, now);
        }
    }

    /// Every zone is lost: more likely the control plane's own fault, so nothing is evicted.
    fn withdraw(&mut self, turn: &mut Turn<'_, '_>) {
        for zone in self.zones.values_mut() {
            zone.queue.clear();
        }
        let nodes: Vec<NodeId> = turn.store.nodes().map(|(id, _)| id).collect();
        for node in nodes {
            release(node, turn);
        }
    }

    fn queue_or_release(&mut self, node: NodeId, zone: &str, turn: &mut Turn<'_, '_>) {
        let Some(row) = turn.store.node(node) else {
            return;
        };
        let (wanted, other) = match row.ready() {
            ConditionStatus::True => {
                for zone in self.zones.values_mut() {
                    zone.queue.retain(|queued| *queued != node);
                }
                release(node, turn);
                return;
            }
            ConditionStatus::Unknown if !row.has_conditions() => return,
            ConditionStatus::Unknown => (TAINT_UNREACHABLE, TAINT_NOT_READY),
            ConditionStatus::False => (TAINT_NOT_READY, TAINT_UNREACHABLE),
        };
        if row.has_taint(wanted, TaintEffect::NoExecute) {
            return;
        }
        if row.has_taint(other, TaintEffect::NoExecute) {
            // Swapping one for the other does not wait.
            put_on(node, wanted, other, None, turn);
            return;
        }
        let Some(zone) = self.zones.get_mut(zone) else {
            return;
        };
        if !zone.queue.contains(&node) {
            zone.queue.push(node);
        }
    }

    fn schedule_poll(&mut self, turn: &mut Turn<'_, '_>) {
        let now = turn.now();
        let soonest = self
            .zones
            .values()
            .filter(|zone| !zone.queue.is_empty() && zone.rate > 0)
            .map(|zone| if zone.next > now { zone.next } else { now })
            .min();
        let Some(soonest) = soonest else { return };
        let at = crate::kube::heartbeat::tick_at_or_after(
            if soonest > now {
                soonest
            } else {
                now + EVICTION_POLL
            },
            EVICTION_POLL,
        );
        if self.poll.is_none_or(|poll| poll <= now || poll > at) {
            self.poll = Some(at);
            turn.at(at, Event::EvictionTick);
        }
    }

    /// Takes off each zone's queue what its bucket allows.
    #[inline(never)]
    pub fn evict(&mut self, turn: &mut Turn<'_, '_>) {
        let now = turn.now();
        if self.poll.is_none_or(|poll| poll > now) {
            return;
        }
        self.poll = None;
        for zone in self.zones.values_mut() {
            if zone.queue.is_empty() || zone.rate == 0 {
                continue;
            }
            if zone.next > now {
                zone.waited = true;
                continue;
            }
            let node = zone.queue.remove(0);
            let interval = interval(zone.rate);
            let rule = zone.waited.then_some(Rule {
                key: "node-eviction-rate",
                value: interval,
            });
            zone.next = now + interval;
            zone.waited = !zone.queue.is_empty();
            let wanted = match turn.store.node(node).map(NodeRow::ready) {
                Some(ConditionStatus::Unknown) => (TAINT_UNREACHABLE, TAINT_NOT_READY),
                Some(ConditionStatus::False) => (TAINT_NOT_READY, TAINT_UNREACHABLE),
                Some(ConditionStatus::True) | None => continue,
            };
            put_on(node, wanted.0, wanted.1, rule, turn);
        }
        self.schedule_poll(turn);
    }

    /// NoSchedule taints follow conditions and `spec.unschedulable` at once.
    #[inline(never)]
    pub fn taint_pass(&mut self, node: NodeId, turn: &mut Turn<'_, '_>) {
        reconcile_labels(node, TTL_STEPS[self.ttl_step].2, turn);
        let Some(row) = turn.store.node(node) else {
            return;
        };
        let mut wanted: Vec<&str> = CONDITION_TAINTS
            .iter()
            .filter(|(condition, status, _)| {
                let condition = row.conditions[*condition as usize];
                condition.status == *status && !condition.reason.is_empty()
            })
            .map(|(_, _, key)| *key)
            .collect();
        if row.unschedulable {
            wanted.push(TAINT_UNSCHEDULABLE);
        }
        let ours = |taint: &Taint| {
            taint.effect == TaintEffect::NoSchedule
                && (&*taint.key == TAINT_UNSCHEDULABLE
                    || CONDITION_TAINTS
                        .iter()
                        .any(|(_, _, key)| **key == *taint.key))
        };
        let mut taints: Vec<Taint> = row
            .taints
            .iter()
            .filter(|taint| !ours(taint) || wanted.contains(&&*taint.key))
            .cloned()
            .collect();
        for key in wanted {
            if !row.has_taint(key, TaintEffect::NoSchedule) {
                taints.push(Taint {
                    key: key.into(),
                    value: "".into(),
                    effect: TaintEffect::NoSchedule,
                });
            }
        }
        let name = row.name;
        let (now, before) = (turn.now(), row.taints.len());
        let after = taints.len();
        if turn.store.set_taints(node, taints, Some(now), now) {
            let detail = effect_detail(TaintEffect::NoSchedule, turn);
            let verb = if after < before { "untaint" } else { "taint" };
            turn.note(
                "kube.node-lifecycle",
                verb,
                "node",
                Name::plain(name),
                detail,
            );
        }
    }
}

/// What a kubelet does not say any more, or has never said.
/// Source: as above (`tryUpdateNodeHealth`).
fn silence(conditions: &mut [NodeConditionState], now: SimTime) {
    for condition in conditions {
        (condition.reason, condition.message) = if condition.reason.is_empty() {
            (
                "NodeStatusNeverUpdated",
                "Kubelet never posted node status.",
            )
        } else {
            ("NodeStatusUnknown", "Kubelet stopped posting node status.")
        };
        condition.status = ConditionStatus::Unknown;
        condition.transition = now;
    }
}

fn effect_detail(effect: TaintEffect, turn: &mut Turn<'_, '_>) -> Detail {
    Detail::Text(
        turn.ctx
            .symbols
            .intern(crate::kube::rows::node::effect_text(effect)),
    )
}

/// Adds one NoExecute taint in place of the other.
fn put_on(
    node: NodeId,
    wanted: &'static str,
    other: &str,
    rule: Option<Rule>,
    turn: &mut Turn<'_, '_>,
) {
    let now = turn.now();
    let Some(row) = turn.store.node(node) else {
        return;
    };
    let name = row.name;
    let mut taints: Vec<Taint> = row
        .taints
        .iter()
        .filter(|taint| !(taint.effect == TaintEffect::NoExecute && &*taint.key == other))
        .cloned()
        .collect();
    taints.push(Taint {
        key: wanted.into(),
        value: "".into(),
        effect: TaintEffect::NoExecute,
    });
    turn.store.set_taints(node, taints, Some(now), now);
    let detail = effect_detail(TaintEffect::NoExecute, turn);
    turn.note_rule(
        "kube.node-lifecycle",
        "taint",
        "node",
        Name::plain(name),
        detail,
        rule,
    );
}

/// Removes both NoExecute taints.
fn release(node: NodeId, turn: &mut Turn<'_, '_>) {
    let now = turn.now();
    let Some(row) = turn.store.node(node) else {
        return;
    };
    let name = row.name;
    let ours = |taint: &&Taint| {
        taint.effect == TaintEffect::NoExecute
            && [TAINT_UNREACHABLE, TAINT_NOT_READY].contains(&&*taint.key)
    };
    let taints: Vec<Taint> = row
        .taints
        .iter()
        .filter(|taint| !ours(taint))
        .cloned()
        .collect();
    if turn.store.set_taints(node, taints, Some(now), now) {
        let detail = effect_detail(TaintEffect::NoExecute, turn);
        turn.note(
            "kube.node-lifecycle",
            "untaint",
            "node",
            Name::plain(name),
            detail,
        );
    }
}

/// Labels of a node with the old name of each, which follows it.
/// Source: `pkg/controller/nodelifecycle/node_lifecycle_controller.go` (`labelReconcileInfo`).
const OLD_LABELS: [(&str, &str); 2] = [
    ("kubernetes.io/arch", "beta.kubernetes.io/arch"),
    ("kubernetes.io/os", "beta.kubernetes.io/os"),
];
/// Annotation: for how long an agent may keep what it has read, in seconds.
const TTL: &str = "node.alpha.kubernetes.io/ttl";
/// That time in clusters of so many nodes, from and up to; between two steps the one before stays.
/// Source: `pkg/controller/ttl/ttl_controller.go` (`ttlBoundaries`).
const TTL_STEPS: [(u32, u32, &str); 5] = [
    (0, 100, "0"),
    (90, 500, "15"),
    (450, 1_000, "30"),
    (900, 2_000, "60"),
    (1_800, u32::MAX, "300"),
];

/// Labels of the old names follow those of the new ones, and the annotation says what the size of the
/// cluster has it say.
fn reconcile_labels(node: NodeId, ttl: &str, turn: &mut Turn<'_, '_>) {
    let Some(row) = turn.store.node(node) else {
        return;
    };
    let stale = |(new, old): &(&str, &str)| {
        let wanted = label(&row.labels, new)?;
        (label(&row.labels, old) != Some(wanted)).then(|| (Arc::from(*old), wanted.clone()))
    };
    let stale: Vec<(Arc<str>, Arc<str>)> = OLD_LABELS.iter().filter_map(stale).collect();
    let kept = label(&row.annotations, TTL).is_some_and(|kept| &**kept == ttl);
    if stale.is_empty() && kept {
        return;
    }
    let with = |all: &[(Arc<str>, Arc<str>)], more: Vec<(Arc<str>, Arc<str>)>| {
        let mut all: SortedMap<Arc<str>, Arc<str>> = all.iter().cloned().collect();
        all.extend(more);
        let all: Vec<(Arc<str>, Arc<str>)> = all.into_iter().collect();
        all
    };
    let ttl = if kept {
        Vec::new()
    } else {
        vec![(TTL.into(), ttl.into())]
    };
    let (labels, annotations) = (with(&row.labels, stale), with(&row.annotations, ttl));
    let zone = row.zone;
    turn.store
        .set_node_labels(node, labels.into(), annotations.into(), zone);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_judged_as_upstream_does() {
        let threshold = Settings::default().unhealthy_zone_threshold;
        assert_eq!(zone_state(2, 3, threshold), ZoneState::PartialDisruption);
        assert_eq!(zone_state(3, 2, threshold), ZoneState::Normal);
        assert_eq!(zone_state(0, 1, threshold), ZoneState::FullDisruption);
        assert_eq!(zone_state(5, 0, threshold), ZoneState::Normal);
        assert_eq!(
            eviction_rate(ZoneState::PartialDisruption, 5, &Settings::default()),
            0
        );
        assert_eq!(
            eviction_rate(ZoneState::PartialDisruption, 51, &Settings::default()),
            10_000_000
        );
    }
}
