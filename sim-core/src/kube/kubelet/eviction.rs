//! Node-pressure eviction by memory: when a node's free memory falls below its hard threshold, the
//! kubelet evicts one pod at each pass, the worst one first.
//!
//! Owns what each node's manager knows. A pass is scheduled only while something can come of it:
//! memory ran short, or the pressure's transition period has not ended.
//!
//! Sources: `pkg/kubelet/eviction/{eviction_manager,helpers}.go`,
//! `pkg/kubelet/apis/config/v1beta1/defaults.go`.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::name::Name;
use crate::base::quantity::{Format, Quantity};
use crate::base::symbol::Symbol;
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::{Detail, Notice, Subject};
use crate::kube::apiserver::priority::SYSTEM_CLUSTER_CRITICAL;
use crate::kube::heartbeat::Health;
use crate::kube::rows::pod::ContainerState;
use crate::kube::rows::{NodeId, PodId};
use crate::kube::store::events::{Message, NewEvent};
use crate::substrate::order::MachineId;

use super::desk::{Desk, Report, sentence};
use super::worker::Worker;
use super::{Event, Kubelets, lifecycle};

/// Time between two passes. Source: `pkg/kubelet/kubelet.go` (`evictionMonitoringPeriod`).
const PERIOD: SimDuration = SimDuration::from_secs(10);
/// Time for which a pressure condition outlasts the pressure.
/// Source: `pkg/kubelet/apis/config/v1beta1/defaults.go` (`evictionPressureTransitionPeriod`).
const TRANSITION: SimDuration = SimDuration::from_secs(5 * 60);
/// Grace of a pod that is evicted at a hard threshold.
/// Source: `pkg/kubelet/eviction/eviction_manager.go` (`immediateEvictionGracePeriodSeconds`).
const GRACE: SimDuration = SimDuration::from_secs(1);

/// One node's manager.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Manager {
    /// When memory was last seen below its threshold, while MemoryPressure is True.
    pressed: Option<SimTime>,
    /// The next pass.
    pass_at: Option<SimTime>,
}

/// All nodes' managers that have something to do.
#[derive(Clone, Debug, Default)]
pub struct Evictions {
    nodes: BTreeMap<NodeId, Manager>,
    /// Nodes whose pressure changed and whose status does not say so yet.
    changed: Vec<NodeId>,
}

impl Evictions {
    /// Whether a node is short of memory, or was until a while ago.
    pub fn has_memory_pressure(&self, node: NodeId) -> bool {
        self.nodes
            .get(&node)
            .is_some_and(|manager| manager.pressed.is_some())
    }

    /// What a node's kubelet says of its pressures.
    pub fn health(&self, node: NodeId) -> Health {
        Health {
            memory: self.has_memory_pressure(node),
            ..Health::default()
        }
    }

    /// Nodes whose pressure changed since the last call.
    pub fn take_changed(&mut self) -> Vec<NodeId> {
        std::mem::take(&mut self.changed)
    }
}

/// A pod that could go, and how bad it is.
struct Candidate {
    pod: PodId,
    usage: i64,
    request: i64,
    priority: i32,
}

impl Candidate {
    /// Over its request first, then low priority, then much over its request.
    fn rank(&self) -> (bool, i32, Reverse<i64>, PodId) {
        let over = self.usage - self.request;
        (
            self.usage <= self.request,
            self.priority,
            Reverse(over),
            self.pod,
        )
    }
}

impl Kubelets {
    /// Memory use of a node may have grown: a pass is due if it is too much.
    pub(super) fn watch_memory(&mut self, node: NodeId, desk: &mut Desk<'_, '_>) {
        let Some((available, threshold)) = self.memory(node, desk) else {
            return;
        };
        if available < threshold {
            let at = next_pass(desk.now());
            self.plan(node, at, desk);
        }
    }

    fn plan(&mut self, node: NodeId, at: SimTime, desk: &mut Desk<'_, '_>) {
        let manager = self.evictions.nodes.entry(node).or_default();
        if manager
            .pass_at
            .is_none_or(|planned| planned > at || planned < desk.now())
        {
            manager.pass_at = Some(at);
            desk.at(at, Event::EvictionPass(node));
        }
    }

    /// Free memory of a node and what must stay free, in bytes.
    fn memory(&self, node: NodeId, desk: &Desk<'_, '_>) -> Option<(i64, i64)> {
        let row = desk.store.node(node)?;
        let capacity = row.capacity.memory;
        let threshold = self.settings.hard_memory?.of(capacity);
        if threshold <= 0 {
            return None;
        }
        let used = match desk.ctx.machines.machine_usage(row.machine, desk.now()) {
            Some(used) => i64::try_from(used.working_set()).unwrap_or(i64::MAX),
            None => desk
                .store
                .pods_on(node)
                .filter_map(|(pod, _)| self.worker(pod))
                .map(|worker| {
                    usage(worker, desk)
                        .iter()
                        .map(|(_, bytes)| bytes)
                        .sum::<i64>()
                })
                .sum(),
        };
        Some((capacity - used, threshold))
    }

    /// One pass over a node.
    pub(super) fn eviction_pass(&mut self, node: NodeId, desk: &mut Desk<'_, '_>) {
        let now = desk.now();
        let Some(manager) = self.evictions.nodes.get_mut(&node) else {
            return;
        };
        if manager.pass_at != Some(now) {
            return;
        }
        manager.pass_at = None;
        let pressed = manager.pressed;
        let Some(row) = desk.store.node(node) else {
            self.evictions.nodes.remove(&node);
            return;
        };
        let (name, machine) = (row.name, row.machine);
        if self.is_down(machine) {
            self.evictions.nodes.remove(&node);
            return;
        }
        let memory = self.memory(node, desk);
        let Some((available, threshold)) = memory.filter(|(available, limit)| available < limit)
        else {
            match pressed {
                Some(since) if now < since + TRANSITION => {
                    let at = next_pass(since + TRANSITION);
                    self.plan(node, at, desk);
                }
                Some(_) => {
                    self.evictions.nodes.remove(&node);
                    self.evictions.changed.push(node);
                }
                None => {
                    self.evictions.nodes.remove(&node);
                }
            }
            return;
        };
        if let Some(manager) = self.evictions.nodes.get_mut(&node) {
            manager.pressed = Some(now);
        }
        if pressed.is_none() {
            self.evictions.changed.push(node);
        }
        report_node(name, desk);
        self.evict_worst(node, available, threshold, desk);
        self.plan(node, next_pass(now), desk);
    }

    /// Evicts the pod that ranks first.
    fn evict_worst(
        &mut self,
        node: NodeId,
        available: i64,
        threshold: i64,
        desk: &mut Desk<'_, '_>,
    ) {
        let mut candidates: Vec<Candidate> = Vec::new();
        for (pod, row) in desk.store.pods_on(node) {
            let Some(worker) = self.worker(pod) else {
                continue;
            };
            let template = desk.store.template(row.template);
            let is_running = worker.deadline.is_none()
                && worker.evicted.is_none()
                && worker.rejected.is_none()
                && !worker.phase().is_terminal();
            if !is_running || template.priority >= SYSTEM_CLUSTER_CRITICAL {
                continue;
            }
            candidates.push(Candidate {
                pod,
                usage: usage(worker, desk).iter().map(|(_, bytes)| bytes).sum(),
                request: template.requests.memory,
                priority: template.priority,
            });
        }
        candidates.sort_by_key(Candidate::rank);
        let Some(first) = candidates.first() else {
            return;
        };
        let pod = first.pod;
        let message = {
            let Some(worker) = self.worker(pod) else {
                return;
            };
            let mut text = format!(
                "The node was low on resource: memory. Threshold quantity: {}, available: {}. ",
                binary(threshold),
                binary(available)
            );
            let spec = &desk
                .store
                .pod(pod)
                .map(|row| desk.store.template(row.template).spec.clone());
            for (container, bytes) in usage(worker, desk) {
                let name = desk.ctx.symbols.text(container).to_owned();
                let request = spec
                    .as_ref()
                    .and_then(|spec| spec.containers.iter().find(|it| *it.name == *name))
                    .and_then(|it| it.resources.requests.memory_bytes)
                    .map_or(0, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
                if bytes > request {
                    text.push_str(&format!(
                        "Container {name} was using {}, request is {}, has larger consumption of memory. ",
                        binary(bytes),
                        binary(request)
                    ));
                }
            }
            Arc::<str>::from(text)
        };
        let now = desk.now();
        desk.store
            .set_disruption(pod, "TerminationByKubelet", message.clone(), now);
        let Some(worker) = self.worker_mut(pod) else {
            return;
        };
        worker.evicted = Some(message.clone());
        desk.record(
            worker,
            None,
            Report::warning("Evicted", sentence(message.to_string())),
        );
        desk.note("evict", worker, Detail::Text(Symbol::EMPTY), None);
        lifecycle::terminate(worker, now + GRACE, desk);
    }

    fn is_down(&self, machine: MachineId) -> bool {
        self.trouble
            .get(&machine)
            .is_some_and(|trouble| trouble.down)
    }
}

/// Working sets of a pod's running containers, in bytes.
fn usage(worker: &Worker, desk: &Desk<'_, '_>) -> Vec<(Symbol, i64)> {
    let running = worker.lowered.iter().zip(&worker.containers);
    running
        .filter(|(_, work)| {
            !matches!(work.state, ContainerState::Terminated(_)) && work.container.is_some()
        })
        .filter_map(|(lowered, work)| {
            let used = desk
                .ctx
                .machines
                .container_memory(work.container?, desk.ctx.now);
            Some((
                lowered.name,
                i64::try_from(used.working_set()).unwrap_or(i64::MAX),
            ))
        })
        .collect()
}

fn binary(bytes: i64) -> String {
    Quantity::from_units(bytes, Format::BinarySi).canonical()
}

/// The first pass after a time.
fn next_pass(time: SimTime) -> SimTime {
    SimTime::from_micros((time.as_micros() / PERIOD.as_micros() + 1) * PERIOD.as_micros())
}

/// Event and trace line of a threshold that was met.
fn report_node(node: Symbol, desk: &mut Desk<'_, '_>) {
    let event = NewEvent {
        kind: "Node",
        namespace: Symbol::EMPTY,
        name: Name::plain(node),
        warning: true,
        reason: "EvictionThresholdMet",
        message: Message::Plain("Attempting to reclaim memory"),
        component: "kubelet",
        host: Some(node),
        container: None,
    };
    let now = desk.now();
    desk.store.record(event, now);
    desk.out.notice(Notice {
        source: "kube.kubelet",
        verb: "pressure",
        subject: Subject {
            kind: "node",
            name: Name::plain(node),
        },
        detail: Detail::None,
        rule: None,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    /// Reference 14.10.
    #[test]
    fn over_the_request_goes_before_priority_and_size() {
        let candidate = |slot, usage, request, priority| Candidate {
            pod: PodId::new(slot, NonZeroU32::MIN),
            usage,
            request,
            priority,
        };
        let mut all = [
            candidate(0, 199, 200, -1),
            candidate(1, 101, 100, 1),
            candidate(2, 600, 100, 1),
            candidate(3, 50, 0, -1),
            candidate(4, 500, 0, -1),
            candidate(5, 800, 1000, 1),
        ];
        all.sort_by_key(Candidate::rank);
        assert_eq!(all.map(|it| it.pod.slot()), [4, 3, 2, 1, 0, 5]);
    }
}
