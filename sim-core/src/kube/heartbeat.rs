//! The kubelets' side of node health: registration, leases, status. Steady renewals cost no event:
//! a lease that was renewed in time says nothing new, so only what happens when renewals stop is
//! computed. What the control plane concludes from it is the node lifecycle controller's.
//! Sources: `pkg/kubelet/kubelet_node_status.go`, `staging/src/k8s.io/component-helpers/apimachinery/lease`.

use std::sync::Arc;

use crate::api::kube::affinity::{Taint, TaintEffect};
use crate::api::node::NodeSetup;
use crate::base::arrange::Arrange;
use crate::base::name::Name;
use crate::base::resources::ResourceVector;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::symbol::Symbol;
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::Detail;
use crate::substrate::cgroup::convert::SHARES_MIN;
use crate::substrate::cgroup::settings::GroupSettings;
use crate::substrate::order::{MachineId, Order, Upcall};

use super::event::Event;
use super::rows::NodeId;
use super::rows::node::{
    ConditionStatus, NODE_CONDITIONS, NodeCondition, NodeConditionState, NodeImages, NodeRow,
    parse_effect,
};
use super::rows::pod::NO_POD;
use super::settings::Settings;
use super::store::WATCH_LAG;
use super::store::events::Message;
use super::turn::Turn;

/// Pods of a node. Source: `pkg/kubelet/apis/config/v1beta1/defaults.go`, `maxPods`.
const PODS_MAX: i64 = 110;

/// Images in a node's status. Source: as [`PODS_MAX`] (`nodeStatusMaxImages`).
const IMAGES_MAX: usize = 50;

/// Time from a machine's boot until its kubelet posts that the node is ready: about a second to
/// start, then a look every 100 ms. Source of the latter: `pkg/kubelet/kubelet.go`, `fastStatusUpdateOnce`.
const BOOT_STATUS: SimDuration = SimDuration::from_millis(1_100);

/// What one kubelet's clock is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Heartbeat {
    /// Time of the first renewal after registration, within one renewal period.
    phase: SimTime,
    /// The last renewal that arrived before its agent started anew.
    before: Option<SimTime>,
    /// Since when renewals do not arrive: the machine is off or cannot reach the control plane.
    silent_since: Option<SimTime>,
    /// Whether the machine is on.
    on: bool,
    /// Whether it reaches the control plane.
    linked: bool,
    /// Whether its agent runs.
    runs: bool,
    /// Whether it has said that nothing is to be scheduled on it.
    cordoned: bool,
    /// Images that were stated to be on the machine.
    images: NodeImages,
}

/// All kubelets' heartbeats.
#[derive(Clone, Debug, Default)]
pub struct Heartbeats {
    by_node: SortedMap<NodeId, Heartbeat>,
    /// Silent nodes that the control plane still takes for ready.
    unnoticed: SortedSet<NodeId>,
    /// Since when the node lifecycle controller's clocks run: what it saw before is forgotten.
    watched_from: SimTime,
}

impl Heartbeats {
    /// Silent nodes that the control plane still takes for ready.
    pub fn unnoticed(&self) -> u64 {
        self.unnoticed.len() as u64
    }

    /// Whether a kubelet stands behind a node.
    pub fn knows(&self, node: NodeId) -> bool {
        self.by_node.contains_key(&node)
    }

    /// Whether renewals of a node arrive.
    pub fn is_silent(&self, node: NodeId) -> bool {
        self.by_node
            .get(&node)
            .is_some_and(|beat| beat.silent_since.is_some())
    }

    /// The node lifecycle controller has noticed a silent node.
    pub fn noticed(&mut self, node: NodeId) {
        self.unnoticed.remove(&node);
    }

    /// The newest lease renewal that has reached the API server.
    pub fn renewed(
        &self,
        node: NodeId,
        row: &NodeRow,
        settings: &Settings,
        now: SimTime,
    ) -> Option<SimTime> {
        let beat = self.by_node.get(&node)?;
        let until = beat.silent_since.unwrap_or(now);
        let period = settings.node_lease_duration.scaled(1, 4);
        if until <= beat.phase {
            if beat.before.is_some() {
                return beat.before;
            }
            // A node that was taken over may be older than the run.
            let is_older = row.created.signed_micros() < 0;
            return Some(if is_older { SimTime::ZERO } else { row.created });
        }
        let periods = until.since(beat.phase).as_micros() / period.as_micros();
        Some(beat.phase + period * periods)
    }

    /// A kubelet registers its node.
    pub fn register(&mut self, machine: MachineId, setup: &NodeSetup, turn: &mut Turn<'_, '_>) {
        let now = turn.now();
        let Some(description) = turn.ctx.machines.machine(machine) else {
            return;
        };
        let (name, zone) = (description.name, description.zone.unwrap_or(Symbol::EMPTY));
        let mut capacity = description.capacity.clone();
        let host = turn.ctx.symbols.text(name).to_owned();
        let zone_text = turn.ctx.symbols.text(zone).to_owned();
        let labels = labels(&host, &zone_text, setup);
        let zone = turn.ctx.symbols.intern(&zone_key(&labels));
        capacity.pods = PODS_MAX;
        if capacity.ephemeral_storage == 0 {
            let disk = turn.ctx.machines.disk_bytes(machine);
            capacity.ephemeral_storage = i64::try_from(disk).unwrap_or(i64::MAX);
        }
        let conditions = healthy(now);
        let taints = taints(setup);
        let evicts = taints
            .iter()
            .any(|taint| taint.effect == TaintEffect::NoExecute);
        let images = largest_first(setup.images.clone());
        let row = NodeRow {
            name,
            machine,
            labels: labels.into(),
            annotations: [
                ("node.alpha.kubernetes.io/ttl".into(), "0".into()),
                // Source: `pkg/kubelet/kubelet_node_status.go` (`initialNode`).
                (
                    "volumes.kubernetes.io/controller-managed-attach-detach".into(),
                    "true".into(),
                ),
            ]
            .into(),
            taint_times: taints.iter().map(|_| None).collect(),
            taints,
            no_execute_since: evicts.then_some(now),
            unschedulable: false,
            allocatable: stated(turn.settings.reserved.allocatable(&capacity), setup, turn),
            capacity,
            images: images.clone(),
            conditions,
            heartbeat: now,
            first_pod: NO_POD,
            pods: 0,
            created: now,
            revision: 0,
            control: setup.control,
            pod_ranges: Arc::default(),
            by_hand: false,
            zone,
            requested: ResourceVector::default(),
        };
        levels(machine, &row.capacity, turn);
        let node = turn.store.add_node(row);
        let period = turn.settings.node_lease_duration.scaled(1, 4);
        let offset = turn
            .stream("lease phase", &[&host], 0)
            .duration_between(SimDuration::ZERO, period);
        self.by_node.insert(
            node,
            Heartbeat {
                phase: now + offset,
                before: None,
                silent_since: None,
                on: true,
                linked: true,
                runs: true,
                cordoned: false,
                images,
            },
        );
        let object = ("Node", Symbol::EMPTY, Name::plain(name));
        turn.normal(
            object,
            "node-controller",
            "RegisteredNode",
            Message::Names(
                "Node {} event: Registered Node {} in Controller",
                Name::plain(name),
                Name::plain(name),
            ),
        );
        turn.note(
            "kube.kubelet",
            "register",
            "node",
            Name::plain(name),
            Detail::None,
        );
    }

    /// A machine's power or link changed.
    pub fn upcall(&mut self, upcall: Upcall, turn: &mut Turn<'_, '_>) {
        match upcall {
            Upcall::MachineDown { machine } => self.change(machine, Some(false), None, None, turn),
            // Its agent starts with it.
            Upcall::MachineUp { machine } => {
                self.change(machine, Some(true), None, Some(true), turn)
            }
            Upcall::ControlLink { machine, connected } => {
                self.change(machine, None, Some(connected), None, turn)
            }
            _ => {}
        }
    }

    /// A machine's agent has ended or starts again.
    pub fn agent(&mut self, machine: MachineId, runs: bool, turn: &mut Turn<'_, '_>) {
        self.change(machine, None, None, Some(runs), turn);
    }

    fn change(
        &mut self,
        machine: MachineId,
        on: Option<bool>,
        linked: Option<bool>,
        runs: Option<bool>,
        turn: &mut Turn<'_, '_>,
    ) {
        let Some(node) = turn.store.node_of(machine) else {
            return;
        };
        let Some(beat) = self.by_node.get_mut(&node) else {
            return;
        };
        let booted = on == Some(true) && !beat.on || runs == Some(true) && !beat.runs;
        beat.on = on.unwrap_or(beat.on);
        beat.linked = linked.unwrap_or(beat.linked);
        beat.runs = runs.unwrap_or(beat.runs);
        let talks = beat.on && beat.linked && beat.runs;
        match (talks, beat.silent_since) {
            (false, None) => self.fall_silent(node, turn),
            (true, Some(_)) => self.speak_again(node, booted, turn),
            _ => {}
        }
    }

    fn fall_silent(&mut self, node: NodeId, turn: &mut Turn<'_, '_>) {
        let row = turn.store.node(node);
        let last = row.and_then(|row| self.renewed(node, row, turn.settings, turn.now()));
        let beat = self.by_node.get_mut(&node).expect("checked by the caller");
        beat.before = last;
        beat.silent_since = Some(turn.now());
        if turn
            .store
            .node(node)
            .is_some_and(|row| row.ready() != ConditionStatus::Unknown)
        {
            self.unnoticed.insert(node);
        }
        if let Some(at) = self.detection(node, turn) {
            turn.at(at, Event::NodeCheck(node));
        }
    }

    /// The monitor tick at which the silence of a node exceeds the grace period. The controller's
    /// clock starts at the tick at which it saw the last renewal.
    pub fn detection(&self, node: NodeId, turn: &Turn<'_, '_>) -> Option<SimTime> {
        let row = turn.store.node(node)?;
        let renewal = self.renewed(node, row, turn.settings, turn.now())?;
        let heartbeat = row.heartbeat;
        let last = if heartbeat > renewal {
            heartbeat
        } else {
            renewal
        };
        let period = turn.settings.node_monitor_period;
        let heard = last + WATCH_LAG + turn.ctx.machines.delay_to_control(row.machine);
        let seen = tick_at_or_after(heard.max(self.watched_from), period);
        Some(tick_after(
            seen + turn.settings.node_monitor_grace_period,
            period,
        ))
    }

    /// The node lifecycle controller starts anew: every silent node's grace begins again.
    pub fn watch_anew(&mut self, turn: &mut Turn<'_, '_>) {
        self.watched_from = turn.now();
        let silent: Vec<NodeId> = self
            .by_node
            .iter()
            .filter(|(_, beat)| beat.silent_since.is_some())
            .map(|(node, _)| *node)
            .collect();
        for node in silent {
            if let Some(at) = self.detection(node, turn) {
                turn.at(at, Event::NodeCheck(node));
            }
        }
    }

    fn speak_again(&mut self, node: NodeId, booted: bool, turn: &mut Turn<'_, '_>) {
        let frequency = turn.settings.node_status_update_frequency;
        let now = turn.now();
        let machine = turn.store.node(node).map(|row| row.machine);
        let luck = (turn.ctx.seed, now);
        let way = machine.map_or(SimDuration::ZERO, |machine| {
            turn.ctx.machines.to_control(machine, luck)
        });
        let beat = self.by_node.get_mut(&node).expect("checked by the caller");
        beat.silent_since = None;
        if booted {
            beat.phase = now;
        }
        self.unnoticed.remove(&node);
        // One that ran on posts with its next regular status.
        let wait = if booted {
            BOOT_STATUS
        } else {
            next_beat(beat.phase, now, frequency)
        };
        turn.after(wait + way, Event::NodeStatus(node));
    }

    /// A kubelet posts its node's status.
    pub fn post_status(&mut self, node: NodeId, health: Health, turn: &mut Turn<'_, '_>) {
        let now = turn.now();
        if self.is_silent(node) {
            return;
        }
        let Some(row) = turn.store.node(node) else {
            return;
        };
        let (name, was) = (row.name, row.ready());
        if let Some(beat) = self.by_node.get_mut(&node)
            && beat.cordoned != row.unschedulable
        {
            beat.cordoned = row.unschedulable;
            say_status(name, CORDONS[usize::from(beat.cordoned)], turn);
        }
        let Some(row) = turn.store.node(node) else {
            return;
        };
        let mut conditions = health.conditions(turn.ctx.machines.wall(row.machine, now));
        for (fresh, old) in conditions.iter_mut().zip(row.conditions) {
            if fresh.status == old.status {
                fresh.transition = old.transition;
            }
        }
        if conditions == row.conditions {
            return;
        }
        let old = row.conditions;
        turn.store.set_node_conditions(node, conditions, now);
        for (condition, reasons) in TURNS {
            let (old, new) = (old[condition as usize], conditions[condition as usize]);
            if old.status != new.status && old.status != ConditionStatus::Unknown {
                let text = if new.status == ConditionStatus::True {
                    reasons[0]
                } else {
                    reasons[1]
                };
                say_status(name, text, turn);
            }
        }
        let is = conditions[NodeCondition::Ready as usize].status;
        if was != is {
            let verb = if is == ConditionStatus::True {
                say_status(
                    name,
                    ("NodeReady", "Node {} status is now: NodeReady"),
                    turn,
                );
                "ready"
            } else {
                say_status(
                    name,
                    ("NodeNotReady", "Node {} status is now: NodeNotReady"),
                    turn,
                );
                "not-ready"
            };
            turn.note(
                "kube.kubelet",
                verb,
                "node",
                Name::plain(name),
                Detail::None,
            );
        }
    }

    /// A kubelet posts its node's images as it listed them then.
    pub fn post_images(&self, node: NodeId, listed: SimTime, turn: &mut Turn<'_, '_>) {
        let (Some(beat), Some(row)) = (self.by_node.get(&node), turn.store.node(node)) else {
            return;
        };
        let mut images = beat.images.to_vec();
        let there = turn.ctx.machines.images_since(row.machine);
        for (image, _) in there.filter(|(_, since)| *since <= listed) {
            let Some(reference) = &image.reference else {
                continue;
            };
            let mut names: Vec<Arc<str>> = vec![reference.digested().into()];
            if reference.digest.is_none() {
                names.push(reference.canonical().into());
            }
            let stated =
                |(known, _): &(Arc<[Arc<str>]>, u64)| names.iter().any(|name| known.contains(name));
            if !beat.images.iter().any(stated) {
                images.push((names.into(), image.program.size_bytes));
            }
        }
        let images = largest_first(images);
        if images != row.images {
            let now = turn.now();
            turn.store.set_node_images(node, images, now);
        }
    }

    /// Whether a kubelet has yet to say that its node was cordoned, or uncordoned.
    pub fn is_cordon_news(&self, node: NodeId, unschedulable: bool) -> bool {
        let beat = self.by_node.get(&node);
        beat.is_some_and(|beat| beat.cordoned != unschedulable)
    }

    /// Time until a kubelet posts its next regular status.
    pub fn until_status(
        &self,
        node: NodeId,
        now: SimTime,
        frequency: SimDuration,
    ) -> Option<SimDuration> {
        let beat = self.by_node.get(&node)?;
        Some(next_beat(beat.phase, now, frequency))
    }

    /// A node object is gone.
    pub fn forget(&mut self, node: NodeId) {
        self.by_node.remove(&node);
        self.unnoticed.remove(&node);
    }
}

/// Images as a node's status lists them. Source: `pkg/kubelet/util/sliceutils/sliceutils.go`
/// (`ByImageSize`; of equal ones the runtime's identifiers decide there).
fn largest_first(mut images: Vec<(Arc<[Arc<str>]>, u64)>) -> NodeImages {
    images.arrange_by(|one, two| two.1.cmp(&one.1).then_with(|| two.0.cmp(&one.0)));
    images.truncate(IMAGES_MAX);
    images.into()
}

/// The first multiple of the period that is not before a time.
pub fn tick_at_or_after(time: SimTime, period: SimDuration) -> SimTime {
    SimTime::from_micros(time.as_micros().div_ceil(period.as_micros()) * period.as_micros())
}

/// The first multiple of the period after a time.
pub fn tick_after(time: SimTime, period: SimDuration) -> SimTime {
    SimTime::from_micros((time.as_micros() / period.as_micros() + 1) * period.as_micros())
}

fn next_beat(phase: SimTime, now: SimTime, period: SimDuration) -> SimDuration {
    if now <= phase {
        return phase.since(now);
    }
    let into = now.since(phase).as_micros() % period.as_micros();
    SimDuration::from_micros(period.as_micros() - into)
}

/// What a kubelet has to say about its node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Short of memory, or was until a while ago.
    pub memory: bool,
    /// Short of disk.
    pub disk: bool,
    /// Short of process numbers.
    pub pids: bool,
    /// The container runtime does not answer.
    pub no_runtime: bool,
    /// The machine is being shut down.
    pub shutting_down: bool,
}

impl Health {
    /// The conditions that follow. Source: `pkg/kubelet/nodestatus/setters.go`.
    fn conditions(self, now: SimTime) -> [NodeConditionState; NODE_CONDITIONS] {
        let mut conditions = healthy(now);
        let mut set = |condition: NodeCondition, status, reason, message| {
            conditions[condition as usize] = NodeConditionState {
                status,
                reason,
                message,
                transition: now,
            };
        };
        let yes = ConditionStatus::True;
        if self.memory {
            let message = "kubelet has insufficient memory available";
            set(
                NodeCondition::MemoryPressure,
                yes,
                "KubeletHasInsufficientMemory",
                message,
            );
        }
        if self.disk {
            let message = "kubelet has disk pressure";
            set(
                NodeCondition::DiskPressure,
                yes,
                "KubeletHasDiskPressure",
                message,
            );
        }
        if self.pids {
            let message = "kubelet has insufficient PID available";
            set(
                NodeCondition::PidPressure,
                yes,
                "KubeletHasInsufficientPID",
                message,
            );
        }
        let no = ConditionStatus::False;
        if self.no_runtime {
            set(
                NodeCondition::Ready,
                no,
                "KubeletNotReady",
                "container runtime is down",
            );
        }
        if self.shutting_down {
            set(
                NodeCondition::Ready,
                no,
                "KubeletNotReady",
                "node is shutting down",
            );
        }
        conditions
    }
}

/// Reasons and sentences of the Events when a node is uncordoned and cordoned.
/// Source: `pkg/kubelet/kubelet_node_status.go` (`recordNodeSchedulableEvent`).
const CORDONS: Turned = [
    ("NodeSchedulable", "Node {} status is now: NodeSchedulable"),
    (
        "NodeNotSchedulable",
        "Node {} status is now: NodeNotSchedulable",
    ),
];

/// Reasons and sentences of the Events when a pressure comes or goes.
type Turned = [(&'static str, &'static str); 2];

/// Pressures with their Events. Source: `pkg/kubelet/nodestatus/setters.go`.
const TURNS: [(NodeCondition, Turned); 3] = [
    (
        NodeCondition::MemoryPressure,
        [
            (
                "NodeHasInsufficientMemory",
                "Node {} status is now: NodeHasInsufficientMemory",
            ),
            (
                "NodeHasSufficientMemory",
                "Node {} status is now: NodeHasSufficientMemory",
            ),
        ],
    ),
    (
        NodeCondition::DiskPressure,
        [
            (
                "NodeHasDiskPressure",
                "Node {} status is now: NodeHasDiskPressure",
            ),
            (
                "NodeHasNoDiskPressure",
                "Node {} status is now: NodeHasNoDiskPressure",
            ),
        ],
    ),
    (
        NodeCondition::PidPressure,
        [
            (
                "NodeHasInsufficientPID",
                "Node {} status is now: NodeHasInsufficientPID",
            ),
            (
                "NodeHasSufficientPID",
                "Node {} status is now: NodeHasSufficientPID",
            ),
        ],
    ),
];

fn say_status(name: Symbol, (reason, text): (&'static str, &'static str), turn: &mut Turn<'_, '_>) {
    let object = ("Node", Symbol::EMPTY, Name::plain(name));
    turn.normal(
        object,
        "kubelet",
        reason,
        Message::Name(text, Name::plain(name)),
    );
}

/// Conditions of a kubelet that is well.
pub fn healthy(now: SimTime) -> [NodeConditionState; NODE_CONDITIONS] {
    let mut conditions = [NodeConditionState {
        status: ConditionStatus::False,
        reason: "",
        message: "",
        transition: now,
    }; NODE_CONDITIONS];
    let texts = [
        (
            NodeCondition::MemoryPressure,
            ConditionStatus::False,
            "KubeletHasSufficientMemory",
            "kubelet has sufficient memory available",
        ),
        (
            NodeCondition::DiskPressure,
            ConditionStatus::False,
            "KubeletHasNoDiskPressure",
            "kubelet has no disk pressure",
        ),
        (
            NodeCondition::PidPressure,
            ConditionStatus::False,
            "KubeletHasSufficientPID",
            "kubelet has sufficient PID available",
        ),
        (
            NodeCondition::Ready,
            ConditionStatus::True,
            "KubeletReady",
            "kubelet is posting ready status",
        ),
    ];
    for (condition, status, reason, message) in texts {
        conditions[condition as usize] = NodeConditionState {
            status,
            reason,
            message,
            transition: now,
        };
    }
    conditions
}

/// The groups above pods' own, as a kubelet makes them when it starts.
/// Source: `pkg/kubelet/cm/qos_container_manager_linux.go`.
pub fn levels(machine: MachineId, capacity: &ResourceVector, turn: &mut Turn<'_, '_>) {
    let least = GroupSettings {
        cpu_shares: Some(SHARES_MIN),
        ..GroupSettings::default()
    };
    let all = turn.settings.reserved.group(capacity);
    // The shares of the middle class are the sum of what its pods ask for.
    for (path, settings) in [
        ("kubepods", all),
        ("kubepods/burstable", GroupSettings::default()),
        ("kubepods/besteffort", least),
    ] {
        turn.out.order(Order::SetLevel {
            machine,
            path,
            settings,
        });
    }
}

/// Allocatable amounts that were stated instead of what follows from the machine.
fn stated(
    mut allocatable: ResourceVector,
    setup: &NodeSetup,
    turn: &mut Turn<'_, '_>,
) -> ResourceVector {
    for (name, amount) in &setup.allocatable {
        match &**name {
            "cpu" => allocatable.milli_cpu = *amount,
            "memory" => allocatable.memory = *amount,
            "ephemeral-storage" => allocatable.ephemeral_storage = *amount,
            "pods" => allocatable.pods = *amount,
            other => allocatable.set_extended(turn.ctx.symbols.intern(other), *amount),
        }
    }
    allocatable
}

fn labels(host: &str, zone: &str, setup: &NodeSetup) -> Vec<(Arc<str>, Arc<str>)> {
    let mut labels: SortedMap<Arc<str>, Arc<str>> = SortedMap::new();
    let mut add = |key: &str, value: &str| labels.insert(key.into(), value.into());
    add("beta.kubernetes.io/arch", "amd64");
    add("beta.kubernetes.io/os", "linux");
    add("kubernetes.io/arch", "amd64");
    add("kubernetes.io/hostname", host);
    add("kubernetes.io/os", "linux");
    if !zone.is_empty() {
        add("topology.kubernetes.io/zone", zone);
    }
    if setup.control {
        add("node-role.kubernetes.io/control-plane", "");
        add(
            "node.kubernetes.io/exclude-from-external-load-balancers",
            "",
        );
    }
    for (key, value) in &setup.labels {
        // A bare `zone` is also the short way to say which zone the machine stands in.
        if &**key == "zone" {
            add("topology.kubernetes.io/zone", value);
        }
        add(key, value);
    }
    labels.into_iter().collect()
}

/// Region and zone joined, empty when there are none.
/// Source: `staging/src/k8s.io/component-helpers/node/topology/helpers.go`.
pub fn zone_key(labels: &[(Arc<str>, Arc<str>)]) -> String {
    let text = |key| super::selector::label(labels, key).map_or("", |value| value);
    let (region, zone) = (
        text("topology.kubernetes.io/region"),
        text("topology.kubernetes.io/zone"),
    );
    if region.is_empty() && zone.is_empty() {
        String::new()
    } else {
        format!("{region}:\0:{zone}")
    }
}

fn taints(setup: &NodeSetup) -> Arc<[Taint]> {
    let mut taints = Vec::new();
    if setup.control {
        let key = "node-role.kubernetes.io/control-plane".into();
        taints.push(Taint {
            key,
            value: "".into(),
            effect: TaintEffect::NoSchedule,
        });
    }
    for text in &setup.taints {
        let Some((left, effect)) = text.rsplit_once(':') else {
            continue;
        };
        let Some(effect) = parse_effect(effect) else {
            continue;
        };
        let (key, value) = left.split_once('=').unwrap_or((left, ""));
        if !taints
            .iter()
            .any(|taint: &Taint| &*taint.key == key && taint.effect == effect)
        {
            taints.push(Taint {
                key: key.into(),
                value: value.into(),
                effect,
            });
        }
    }
    taints.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_multiples_of_the_period() {
        let period = SimDuration::from_secs(5);
        let at = |seconds: u64| SimTime::from_micros(seconds * 1_000_000);
        assert_eq!(tick_at_or_after(at(10), period), at(10));
        assert_eq!(tick_at_or_after(at(11), period), at(15));
        assert_eq!(tick_after(at(10), period), at(15));
    }
}
