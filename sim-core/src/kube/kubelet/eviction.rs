//! Node-pressure eviction: when too little of something is left on a node, the kubelet first
//! reclaims what nobody uses, then evicts one pod at each pass, the worst one first.
//!
//! Owns what each node's manager knows. A pass is scheduled only while something can come of it: a
//! signal is crossed, a condition has not ended, memory grows, a container is about to write, or the
//! machine said that something changed.
//!
//! Sources: `pkg/kubelet/eviction/{eviction_manager,helpers}.go`.
//!
//! Not modelled: inodes, file systems of their own for images.

pub mod limits;
pub mod rank;
pub mod settings;

use std::sync::Arc;

use crate::base::name::{Name, Rule};
use crate::base::quantity::{Format, Quantity};
use crate::base::sorted::SortedMap;
use crate::base::symbol::Symbol;
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::{Detail, Notice, Subject};
use crate::kube::heartbeat::Health;
use crate::kube::rows::{NodeId, PodId};
use crate::kube::store::events::{Annotated, Message, NewEvent};
use crate::kube::thresholds::{SIGNALS, Signal};
use crate::store::paged::{Paged, SMALL};
use crate::substrate::Substrate;
use crate::substrate::bound::Bound;
use crate::substrate::order::{ContainerId, MachineId, Upcall};

use super::desk::{Desk, Report};
use super::image_gc::used_percent;
use super::worker::Worker;
use super::{Event, Kubelets, stop};

/// Time between two passes. Source: `pkg/kubelet/kubelet.go` (`evictionMonitoringPeriod`).
const PERIOD: SimDuration = SimDuration::from_secs(10);
/// Grace of a pod that is evicted at a hard threshold.
/// Source: `pkg/kubelet/eviction/eviction_manager.go` (`immediateEvictionGracePeriodSeconds`).
const GRACE: SimDuration = SimDuration::from_secs(1);
/// Memory for which the kernel allows one task: `threads-max` of a 64-bit machine.
const BYTES_PER_TASK: i64 = 131_072;
/// Most process numbers of a 64-bit machine: `kernel.pid_max`.
const PIDS_MAX: i64 = 4_194_304;

/// A condition that pressure makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pressure {
    Memory,
    Disk,
    Pids,
}

const PRESSURES: usize = 3;

/// The condition of a signal.
const fn pressure(signal: Signal) -> Pressure {
    match signal {
        Signal::Memory => Pressure::Memory,
        Signal::Nodefs | Signal::NodefsInodes | Signal::Imagefs | Signal::ImagefsInodes => {
            Pressure::Disk
        }
        Signal::Pids => Pressure::Pids,
    }
}

/// One node's manager.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Manager {
    /// When each pressure was last seen, while its condition is True.
    pressed: [Option<SimTime>; PRESSURES],
    /// Since when each soft threshold is crossed.
    soft_since: [Option<SimTime>; SIGNALS],
    /// Signals that were acted upon and must recover by the minimum reclaim.
    reclaiming: [bool; SIGNALS],
    /// The next pass.
    pass_at: Option<SimTime>,
}

impl Manager {
    fn is_idle(&self) -> bool {
        *self == Self::default()
    }
}

/// All nodes' managers that have something to do.
#[derive(Clone, Debug, Default)]
pub struct Evictions {
    nodes: SortedMap<NodeId, Manager>,
    /// Nodes whose pressure changed and whose status does not say so yet.
    changed: Vec<NodeId>,
    /// The most that the containers of a machine can use, those counted that started since it was
    /// found out. Nothing is lost with it.
    bounds: Paged<Option<(MachineId, Bound)>, SMALL>,
}

impl Evictions {
    /// What a node's kubelet says of its pressures: each holds a while after it has ended.
    pub fn health(&self, node: NodeId) -> Health {
        let pressed = self
            .nodes
            .get(&node)
            .map_or([None; PRESSURES], |it| it.pressed);
        Health {
            memory: pressed[Pressure::Memory as usize].is_some(),
            disk: pressed[Pressure::Disk as usize].is_some(),
            pids: pressed[Pressure::Pids as usize].is_some(),
            ..Health::default()
        }
    }

    /// Nodes whose pressure changed since the last call.
    pub fn take_changed(&mut self) -> Vec<NodeId> {
        std::mem::take(&mut self.changed)
    }
}

/// What would be left of each measure if the containers used all of a bound.
fn at_most(machine: MachineId, bound: Bound, machines: &Substrate) -> Observed {
    let mut observed = [None; SIGNALS];
    if let Some(row) = machines.machine(machine).filter(|row| row.is_on())
        && let Some(used) = machines.usage_with(machine, bound)
    {
        fill(
            &mut observed,
            row.capacity.memory,
            machines.disk_bytes(machine),
            used,
        );
    }
    observed
}

/// Fills in what follows from free memory, used disk and tasks.
fn fill(observed: &mut Observed, memory: i64, disk: u64, used: (u64, u64, u64)) {
    let signed = |amount: u64| i64::try_from(amount).unwrap_or(i64::MAX);
    let (available, disk_used, tasks) = used;
    observed[Signal::Memory as usize] = Some((signed(available), memory));
    let size = signed(disk);
    let free = (size - signed(disk_used)).max(0);
    observed[Signal::Nodefs as usize] = Some((free, size));
    observed[Signal::Imagefs as usize] = Some((free, size));
    let pids = (memory / BYTES_PER_TASK).clamp(1, PIDS_MAX);
    observed[Signal::Pids as usize] = Some((pids - signed(tasks), pids));
}

/// A crossed threshold that is acted upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Crossed {
    signal: Signal,
    available: i64,
    threshold: i64,
    hard: bool,
}

/// A file's, a memory's and a table's state: what is left and what there is.
type Observed = [Option<(i64, i64)>; SIGNALS];

impl Kubelets {
    /// Something of a node may have become short: a pass is due if it is, or when it will be.
    pub(super) fn watch_node(&mut self, node: NodeId, desk: &mut Desk<'_, '_>) {
        let Some(machine) = desk.store.node(node).map(|row| row.machine) else {
            return;
        };
        let observed = self.observe_machine(machine, desk);
        let now = desk.now();
        if self.crosses(&observed) {
            self.plan(node, next_pass(now), desk);
        }
        let rate = desk.ctx.machines.memory_growth(machine);
        if rate > 0
            && let Some(left) = self.memory_left(&observed)
        {
            let span = u128::from(left.unsigned_abs()) * 1_000_000 / u128::from(rate);
            let span = SimDuration::from_micros(u64::try_from(span).unwrap_or(u64::MAX >> 1));
            self.plan(node, next_pass(now + span), desk);
        }
        if let Some(at) = desk.ctx.machines.next_write(machine, now) {
            self.plan(node, next_pass(at), desk);
        }
        self.watch_images(node, desk);
    }

    /// A container has started. As long as everything together cannot cross a threshold, nobody needs
    /// to know how much it really is.
    pub(super) fn watch_start(
        &mut self,
        node: NodeId,
        container: ContainerId,
        desk: &mut Desk<'_, '_>,
    ) {
        let Some(machine) = desk.store.node(node).map(|row| row.machine) else {
            return;
        };
        let machines = desk.ctx.machines;
        let known = *self.evictions.bounds.get(machine.slot());
        let bound = known
            .filter(|(of, _)| *of == machine && machines.is_foreseen(machine))
            .and_then(|(_, bound)| Some(bound.and(machines.bound_of(container)?)))
            .filter(|bound| {
                let observed = at_most(machine, *bound, machines);
                !self.crosses(&observed) && !self.fills(&observed)
            });
        let holds = bound.is_some();
        let bound = bound.or_else(|| machines.bound_on(machine));
        *self.evictions.bounds.get_mut(machine.slot()) = bound.map(|bound| (machine, bound));
        if !holds {
            self.watch_node(node, desk);
        }
    }

    /// Whether a disk is so full that images are looked at.
    fn fills(&self, observed: &Observed) -> bool {
        let high = self.settings.images.high;
        observed[Signal::Imagefs as usize].is_some_and(|(free, size)| {
            let used = used_percent(free.max(0).cast_unsigned(), size.max(1).cast_unsigned());
            high < 100 && used >= high
        })
    }

    /// Machines whose containers use more than was thought possible, by name: for soak runs.
    pub fn beyond_bounds(&self, machines: &Substrate, now: SimTime) -> Vec<Symbol> {
        let bounds = self.evictions.bounds.iter().flatten();
        bounds
            .filter(|(machine, _)| machines.is_foreseen(*machine))
            .filter(|(machine, bound)| {
                let used = machines.used_on(*machine, now);
                used.memory > bound.memory || used.disk > bound.disk || used.tasks > bound.tasks
            })
            .filter_map(|(machine, _)| Some(machines.machine(*machine)?.name))
            .collect()
    }

    /// All nodes: thresholds have changed.
    pub(super) fn watch_all(&mut self, desk: &mut Desk<'_, '_>) {
        let nodes: Vec<NodeId> = desk.store.nodes().map(|(id, _)| id).collect();
        for node in nodes {
            self.watch_node(node, desk);
        }
    }

    /// A machine says that memory or disk is used otherwise than before.
    pub(super) fn pressure(&mut self, upcall: Upcall, desk: &mut Desk<'_, '_>) {
        if let Upcall::Pressure { machine } = upcall
            && let Some(node) = desk.store.node_of(machine)
        {
            self.watch_node(node, desk);
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

    /// What is left of each measure, and of how much.
    fn observe_machine(&self, machine: MachineId, desk: &Desk<'_, '_>) -> Observed {
        let machines = desk.ctx.machines;
        let now = desk.now();
        let mut observed = [None; SIGNALS];
        let Some(row) = machines.machine(machine).filter(|row| row.is_on()) else {
            return observed;
        };
        let used = (
            machines.memory_available(machine, now),
            machines.disk_used(machine, now),
            machines.machine_tasks(machine, now),
        );
        fill(
            &mut observed,
            row.capacity.memory,
            machines.disk_bytes(machine),
            used,
        );
        observed
    }

    /// Memory that is left until the first threshold is crossed, in bytes.
    fn memory_left(&self, observed: &Observed) -> Option<i64> {
        let (available, capacity) = observed[Signal::Memory as usize]?;
        let eviction = &self.settings.eviction;
        let limits = [&eviction.hard, &eviction.soft];
        let highest = limits
            .into_iter()
            .filter_map(|limits| Some(limits.of(Signal::Memory)?.of(capacity)))
            .max()?;
        (available >= highest).then_some(available - highest)
    }

    /// Whether any threshold is crossed.
    fn crosses(&self, observed: &Observed) -> bool {
        let eviction = &self.settings.eviction;
        Signal::ALL.into_iter().any(|signal| {
            observed[signal as usize].is_some_and(|(available, capacity)| {
                [eviction.hard.of(signal), eviction.soft.of(signal)]
                    .into_iter()
                    .flatten()
                    .any(|limit| available < limit.of(capacity))
            })
        })
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
        let machine = desk.store.node(node).map(|row| row.machine);
        let Some(machine) = machine.filter(|machine| !self.is_down(*machine)) else {
            self.evictions.nodes.remove(&node);
            return;
        };
        let observed = self.observe_machine(machine, desk);
        let (crossed, waits) = self.judge(node, &observed, now);
        if self.evict_over_limit(node, desk) {
            self.plan(node, next_pass(now), desk);
            return;
        }
        if let Some(first) = crossed.first() {
            self.reclaim(node, machine, *first, desk);
        }
        if !crossed.is_empty() || waits {
            self.plan(node, next_pass(now), desk);
        } else {
            self.watch_node(node, desk);
        }
        let Some(manager) = self.evictions.nodes.get(&node) else {
            return;
        };
        if manager.is_idle() {
            self.evictions.nodes.remove(&node);
        } else if let Some(since) = manager.pressed.iter().flatten().min() {
            let at = next_pass(*since + self.settings.eviction.transition);
            self.plan(node, at, desk);
        }
    }

    /// Compares with the thresholds and keeps the conditions. Answers what is to be acted upon, the
    /// most urgent first, and whether a soft threshold's grace goes on.
    fn judge(&mut self, node: NodeId, observed: &Observed, now: SimTime) -> (Vec<Crossed>, bool) {
        let eviction = self.settings.eviction;
        let manager = self.evictions.nodes.entry(node).or_default();
        let mut crossed = Vec::new();
        let mut waits = false;
        let mut pressed = [false; PRESSURES];
        for signal in Signal::ALL {
            let place = signal as usize;
            let Some((available, capacity)) = observed[place] else {
                continue;
            };
            let more = if manager.reclaiming[place] {
                eviction
                    .minimum_reclaim
                    .of(signal)
                    .map_or(0, |it| it.of(capacity))
            } else {
                0
            };
            let below = |limit: Option<i64>| limit.is_some_and(|limit| available < limit + more);
            let hard = eviction.hard.of(signal).map(|limit| limit.of(capacity));
            let soft = eviction.soft.of(signal).map(|limit| limit.of(capacity));
            let since = if below(soft) {
                Some(manager.soft_since[place].unwrap_or(now))
            } else {
                None
            };
            manager.soft_since[place] = since;
            let grace = eviction.soft_grace[place].unwrap_or(SimDuration::ZERO);
            let soft_due = since.is_some_and(|since| now >= since + grace);
            waits |= since.is_some() && !soft_due;
            pressed[pressure(signal) as usize] |= below(hard) || since.is_some();
            let acted = if below(hard) {
                hard
            } else {
                soft.filter(|_| soft_due)
            };
            manager.reclaiming[place] = acted.is_some();
            if let Some(threshold) = acted {
                crossed.push(Crossed {
                    signal,
                    available,
                    threshold,
                    hard: below(hard),
                });
            }
        }
        let mut changed = false;
        for (place, is) in pressed.into_iter().enumerate() {
            let was = manager.pressed[place];
            if is {
                manager.pressed[place] = Some(now);
            } else if was.is_some_and(|since| now >= since + eviction.transition) {
                manager.pressed[place] = None;
            }
            changed |= was.is_some() != manager.pressed[place].is_some();
        }
        if changed {
            self.evictions.changed.push(node);
        }
        (crossed, waits)
    }

    /// Reclaims for one signal: what nobody uses, else one pod.
    fn reclaim(
        &mut self,
        node: NodeId,
        machine: MachineId,
        crossed: Crossed,
        desk: &mut Desk<'_, '_>,
    ) {
        report_node(node, crossed, desk);
        if pressure(crossed.signal) == Pressure::Disk {
            let freed = self.drop_images(node, machine, desk);
            if crossed.available + freed >= crossed.threshold {
                return;
            }
        }
        let ranked = rank::candidates(self, node, crossed.signal, desk);
        let Some(pod) = ranked.first().copied() else {
            return;
        };
        let Some(worker) = self.worker(pod) else {
            return;
        };
        let message = rank::message(worker, &crossed_text(crossed), crossed.signal, desk);
        let grace = if crossed.hard {
            GRACE
        } else {
            self.settings
                .eviction
                .max_pod_grace
                .min(worker.recipe.grace)
                .max(GRACE)
        };
        let rule = Rule {
            key: crossed.signal.name(),
            value: if crossed.hard { PERIOD } else { grace },
        };
        self.evict(pod, message, Cause::Pressure(grace, rule), desk);
    }

    /// Deletes images that no container of the node's pods is made from, but for young ones. Answers
    /// the bytes. Source: `pkg/kubelet/images/image_gc_manager.go` (`DeleteUnusedImages`).
    fn drop_images(&mut self, node: NodeId, machine: MachineId, desk: &mut Desk<'_, '_>) -> i64 {
        let before = desk.ctx.machines.disk_used(machine, desk.now());
        let freed = self.free_images(node, machine, u64::MAX, desk);
        // Unpacked they take more than was pulled, in the proportion of the whole disk.
        i64::try_from(crate::substrate::usage::unpacked(freed).min(before)).unwrap_or(i64::MAX)
    }

    /// Evicts one pod.
    pub(super) fn evict(
        &mut self,
        pod: PodId,
        said: Annotated,
        cause: Cause,
        desk: &mut Desk<'_, '_>,
    ) {
        let now = desk.now();
        let message = said.text.clone();
        let (grace, rule) = match cause {
            Cause::Pressure(grace, rule) => (grace, Some(rule)),
            Cause::Limit => (GRACE, None),
        };
        let Some(worker) = self.worker_mut(pod) else {
            return;
        };
        let aside = worker.aside.write();
        aside.disruption = rule.is_some().then(|| message.clone());
        aside.evicted = Some(("Evicted", message));
        desk.record(
            worker,
            None,
            Report::warning("Evicted", Message::Annotated(Arc::new(said))),
        );
        desk.note("evict", worker, Detail::Text(Symbol::EMPTY), rule);
        stop::terminate(worker, now + grace, desk);
    }

    pub(super) fn is_down(&self, machine: MachineId) -> bool {
        self.trouble
            .get(&machine)
            .is_some_and(|trouble| trouble.down)
    }
}

/// Why a pod is evicted.
pub(super) enum Cause {
    /// The node has too little of something: how long it has to end, and the threshold. It gets the
    /// condition DisruptionTarget.
    Pressure(SimDuration, Rule),
    /// It is over a limit of its own, which is its own fault.
    Limit,
}

/// Whether a manager may evict a pod: neither ended nor going, and none that the node cannot do
/// without. Source: `pkg/kubelet/types/pod_update.go` (`IsCriticalPod`).
fn may_go(worker: &Worker, desk: &Desk<'_, '_>) -> bool {
    let runs = worker.deadline.is_none()
        && worker.aside.evicted.is_none()
        && worker.aside.rejected.is_none()
        && !worker.phase().is_terminal();
    let row = desk.store.pod(worker.pod);
    runs && row.is_some_and(|row| !super::admission::is_critical(desk.store.template(row.template)))
}

/// `memory. Threshold quantity: 100Mi, available: 90Mi`.
fn crossed_text(crossed: Crossed) -> String {
    let amount = |amount: i64| match pressure(crossed.signal) {
        Pressure::Memory | Pressure::Disk => binary(amount),
        Pressure::Pids => amount.to_string(),
    };
    format!(
        "{}. Threshold quantity: {}, available: {}. ",
        crossed.signal.resource(),
        amount(crossed.threshold),
        amount(crossed.available)
    )
}

fn binary(bytes: i64) -> String {
    Quantity::from_units(bytes, Format::BinarySi).canonical()
}

/// The first pass after a time.
fn next_pass(time: SimTime) -> SimTime {
    SimTime::from_micros((time.as_micros() / PERIOD.as_micros() + 1) * PERIOD.as_micros())
}

/// Event and trace line of a threshold that was met.
fn report_node(node: NodeId, crossed: Crossed, desk: &mut Desk<'_, '_>) {
    let Some(name) = desk.store.node(node).map(|row| row.name) else {
        return;
    };
    let event = NewEvent::of_node(
        name,
        true,
        "EvictionThresholdMet",
        Message::Text(format!("Attempting to reclaim {}", crossed.signal.resource()).into()),
    );
    let now = desk.now();
    desk.store.record(event, now);
    let signal = desk.ctx.symbols.intern(crossed.signal.name());
    desk.out.notice(Notice {
        source: "kube.kubelet",
        verb: "pressure",
        subject: Subject {
            kind: "node",
            name: Name::plain(name),
        },
        detail: Detail::Text(signal),
        rule: None,
    });
}
