//! The scheduler: finds a node for each pod that has none.
//!
//! Owns the queue, its own picture of the nodes and the reasons for its latest decisions. It knows
//! of the cluster what the API server told it one watch lag ago, plus what it assumed itself, and
//! never looks at a machine.
//!
//! ```text
//! PodCreated ─watch lag─▶ queue ─▶ cycle (1 ms each, one after the other) ─▶ assume ─▶ bind
//!                           ▲          └─ no node: PodScheduled=False, FailedScheduling
//!                           └── pod gone, node changed, 5 minutes: queueing hints
//! ```
//! Estimate: two events per pod (seen, bind), one more for each pod that waits behind another.
//!
//! Not modelled: preemption, pod affinity, spread constraints that a pod states itself, volumes,
//! scheduling gates, several profiles; nodes do not post their images, so ImageLocality gives 0.

pub mod cache;
pub mod cycle;
pub mod demand;
pub mod explain;
pub mod message;
pub mod node_tree;
pub mod plugins;
pub mod queue;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::name::{Name, Rule};
use crate::base::symbol::{Symbol, Symbols};
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::{Detail, Notice, Subject};
use crate::substrate::{Context, PlaneOutbox};

use super::limiter::Limiter;
use super::rows::pod::PodRow;
use super::rows::{NodeId, PodId};
use super::selector::label;
use super::store::events::{Message, NewEvent};
use super::store::pods::BindError;
use super::store::{Change, Store, WATCH_LAG};
use super::template::{PodTemplate, TemplateId};

use cache::{Cache, NodeChange, NodeView};
use cycle::{Candidate, Decision, Scratch, Search};
use demand::Demand;
use explain::{Decisions, NodeRecord};
use plugins::{Plugin, PluginSet, affinity, taints};
use queue::SchedulingQueue;

/// Time that one cycle takes. Upstream gives no number; a thousand pods a second is what its own
/// benchmarks reach on small clusters (`test/integration/scheduler_perf`).
pub const CYCLE_TIME: SimDuration = SimDuration::from_millis(1);
/// Time of the binding's way to the API server and back, beside the next cycles. Upstream gives no
/// number; it is one write to etcd.
pub const BIND_LATENCY: SimDuration = SimDuration::from_millis(5);
/// Calls per second of the scheduler's client.
/// Source: `pkg/scheduler/apis/config/v1/defaults.go` (`ClientConnection`).
const CLIENT_QPS: u64 = 50;
/// Calls at once of the scheduler's client. Source: as [`CLIENT_QPS`].
const CLIENT_BURST: u64 = 100;
/// Name under which pods ask for this scheduler, and under which it writes events.
const SCHEDULER_NAME: &str = "default-scheduler";
/// Label that names a node's zone. Source: `staging/src/k8s.io/api/core/v1/well_known_labels.go`.
const ZONE_LABEL: &str = "topology.kubernetes.io/zone";

/// What it schedules for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A pod was created or changed hands, and the informer says so.
    PodSeen(PodId),
    /// A pod has ended or is gone; the template it was made from.
    PodGone(PodId, TemplateId),
    /// A pod is being deleted.
    PodGoing(PodId),
    /// A node was added or changed.
    NodeSeen(NodeId),
    /// A node is gone.
    NodeGone(NodeId),
    /// The next pod's turn.
    Cycle,
    /// A binding reaches the API server.
    Bind(PodId),
    /// Pods that have waited for five minutes are tried again.
    FlushLeftover,
}

const _: () = assert!(size_of::<Event>() <= 16);

/// A binding on its way.
#[derive(Clone, Copy, Debug)]
struct Binding {
    node: NodeId,
    feasible: u32,
    nodes: u32,
    throttled: bool,
}

/// Why a pod went to its node, or to none: one line for each node that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeVerdict {
    /// The node.
    pub node: Name,
    /// The plugin that refused it, with upstream's reasons; `None`: it was feasible.
    pub refused: Option<(&'static str, String)>,
    /// Plugin, normalised score, weight; empty when nothing was scored.
    pub scores: Vec<(&'static str, u32, u32)>,
    /// Sum of weighted scores.
    pub total: u32,
    /// Whether it was taken.
    pub chosen: bool,
}

/// Its state.
#[derive(Clone, Debug)]
pub struct Scheduler {
    queue: SchedulingQueue<PodId>,
    cache: Cache,
    search: Search,
    scratch: Scratch,
    demands: Vec<Option<Arc<Demand>>>,
    qualified: Vec<(Symbol, Symbol)>,
    bindings: BTreeMap<PodId, Binding>,
    decisions: Decisions,
    client: Limiter,
    free_at: SimTime,
    cycle_at: Option<SimTime>,
    flush_at: Option<SimTime>,
}

impl Default for Scheduler {
    fn default() -> Self {
        Self {
            queue: SchedulingQueue::default(),
            cache: Cache::default(),
            search: Search::default(),
            scratch: Scratch::default(),
            demands: Vec::new(),
            qualified: Vec::new(),
            bindings: BTreeMap::new(),
            decisions: Decisions::default(),
            client: Limiter::new(CLIENT_QPS, CLIENT_BURST),
            free_at: SimTime::ZERO,
            cycle_at: None,
            flush_at: None,
        }
    }
}

impl Scheduler {
    /// Handles an event of its own.
    pub fn handle(
        &mut self,
        event: Event,
        store: &mut Store,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<super::Event>,
    ) {
        match event {
            Event::PodSeen(pod) => self.pod_seen(pod, store, ctx.now),
            Event::PodGone(pod, template) => self.pod_gone(pod, template, store, ctx.now),
            Event::PodGoing(pod) => self.cache.discount(pod),
            Event::NodeSeen(node) => self.node_seen(node, store, ctx),
            Event::NodeGone(node) => self.cache.remove_node(node),
            Event::Cycle => {
                if self.cycle_at == Some(ctx.now) {
                    self.cycle_at = None;
                }
            }
            Event::Bind(pod) => self.bind(pod, store, ctx, out),
            Event::FlushLeftover => {
                self.flush_at = None;
                self.queue.flush_leftover(ctx.now);
            }
        }
        self.go_on(store, ctx, out);
    }

    /// Sees a write to the store, in the event of the write; what it does about it comes after the
    /// watch lag.
    pub fn observe(
        &mut self,
        change: Change,
        store: &mut Store,
        _ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<super::Event>,
    ) {
        let event = match change {
            Change::PodCreated(pod) => Event::PodSeen(pod),
            Change::PodBound(pod) if self.cache.node_of(pod).is_none() => Event::PodSeen(pod),
            Change::PodStatus(pod) => match store.pod(pod) {
                Some(row) if row.phase.is_terminal() => Event::PodGone(pod, row.template),
                _ => return,
            },
            Change::PodTerminating(pod) => Event::PodGoing(pod),
            Change::PodRemoved(pod, row) => Event::PodGone(pod, row.template),
            Change::NodeAdded(node) | Change::NodeUpdated(node) => Event::NodeSeen(node),
            Change::NodeRemoved(node, _) => Event::NodeGone(node),
            Change::PodBound(_)
            | Change::Deployment(..)
            | Change::DeploymentRemoved(_)
            | Change::ReplicaSet(..)
            | Change::ReplicaSetRemoved(..)
            | Change::Service(_)
            | Change::ServiceRemoved(_)
            | Change::Watched(..)
            | Change::WatchedRemoved(_)
            | Change::OwnerRemoved
            | Change::NamespaceTerminating => return,
        };
        out.after(WATCH_LAG, super::Event::Scheduler(event));
    }

    /// Why the latest decision about a pod went as it did; empty when it is not kept any more.
    /// Nodes in the order in which they were looked at.
    pub fn explain(&self, pod: PodId) -> Vec<NodeVerdict> {
        let Some(decision) = self.decisions.of(pod) else {
            return Vec::new();
        };
        let line = |record: &NodeRecord| {
            let feasible = record.verdict.plugin().is_none();
            let scorers = Plugin::ALL
                .into_iter()
                .filter(|plugin| decision.scored && feasible && plugin.weight() > 0);
            NodeVerdict {
                node: Name::plain(self.cache.facts(record.slot).name),
                refused: record
                    .verdict
                    .plugin()
                    .map(|plugin| (plugin.name(), record.verdict.text())),
                scores: scorers
                    .map(|plugin| {
                        (
                            plugin.name(),
                            u32::from(record.scores[plugin as usize]),
                            plugin.weight(),
                        )
                    })
                    .collect(),
                total: u32::from(record.total),
                chosen: decision.chosen == Some(record.slot),
            }
        };
        decision.nodes.iter().map(line).collect()
    }

    /// When the decision that [`Self::explain`] shows was taken.
    pub fn decided_at(&self, pod: PodId) -> Option<SimTime> {
        self.decisions.of(pod).map(|decision| decision.at)
    }

    /// Pods that are active, in back-off and unschedulable.
    pub fn pending(&self) -> (u32, u32, u32) {
        self.queue.pending()
    }

    /// Changes a field of its configuration; `false` when the key is not one of its.
    ///
    /// # Errors
    /// A sentence when the value is not one for the key.
    pub fn set(&mut self, key: &str, value: &str) -> Result<bool, String> {
        let number = || {
            value
                .parse::<u32>()
                .map_err(|_| format!("{key}: \"{value}\" is not a number"))
        };
        match key {
            PERCENTAGE => self.search.percentage = number()?.min(100),
            INITIAL_BACKOFF => {
                self.queue.initial_backoff = SimDuration::from_secs(u64::from(number()?.max(1)))
            }
            MAX_BACKOFF => self.queue.max_backoff = SimDuration::from_secs(u64::from(number()?)),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Its configuration.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            (PERCENTAGE, self.search.percentage.to_string()),
            (
                INITIAL_BACKOFF,
                self.queue.initial_backoff.as_secs().to_string(),
            ),
            (MAX_BACKOFF, self.queue.max_backoff.as_secs().to_string()),
        ]
    }

    fn pod_seen(&mut self, pod: PodId, store: &Store, now: SimTime) {
        let Some(row) = store.pod(pod).copied() else {
            return;
        };
        if row.phase.is_terminal() {
            return;
        }
        let demand = self.demand(row.template, store);
        if let Some(node) = row.node {
            self.queue.remove(pod);
            let counted = row.owner.is_some() && !row.is_terminating();
            self.cache
                .place(pod, node.slot(), row.template, &demand, counted);
            return;
        }
        if &*store.template(row.template).spec.scheduler_name == SCHEDULER_NAME {
            self.queue.add(pod, demand.priority, row.template.0, now);
        }
    }

    fn pod_gone(&mut self, pod: PodId, template: TemplateId, store: &Store, now: SimTime) {
        self.queue.remove(pod);
        self.bindings.remove(&pod);
        let demand = self.demand(template, store);
        if self.cache.displace(pod, &demand).is_some() {
            self.announce_freed(&demand, now);
        }
    }

    /// An assigned pod is gone, or an assumed one will not come.
    fn announce_freed(&mut self, freed: &Demand, now: SimTime) {
        let demands = &self.demands;
        self.queue.announce(now, |group, by| {
            let waiting = known(demands, group);
            by.has(Plugin::NodeResourcesFit)
                || by.has(Plugin::NodePorts)
                    && waiting
                        .ports
                        .iter()
                        .any(|port| freed.ports.iter().any(|other| port.conflicts(other)))
        });
    }

    fn node_seen(&mut self, node: NodeId, store: &Store, ctx: &mut Context<'_>) {
        let Some(row) = store.node(node) else { return };
        let zone =
            label(&row.labels, ZONE_LABEL).map_or(Symbol::EMPTY, |zone| ctx.symbols.intern(zone));
        let text: Arc<str> = ctx.symbols.text(row.name).into();
        let change = self.cache.set_node(&NodeView {
            id: node,
            name: row.name,
            text: &text,
            zone,
            tree_zone: row.zone,
            labels: &row.labels,
            taints: &row.taints,
            unschedulable: row.unschedulable,
            allocatable: &row.allocatable,
        });
        if change.added {
            // Pods that were bound before the node was seen here, as after a node object's return.
            let there: Vec<(PodId, PodRow)> =
                store.pods_on(node).map(|(pod, row)| (pod, *row)).collect();
            for (pod, row) in there {
                if !row.phase.is_terminal() {
                    let demand = self.demand(row.template, store);
                    let counted = row.owner.is_some() && !row.is_terminating();
                    self.cache
                        .place(pod, node.slot(), row.template, &demand, counted);
                }
            }
        }
        if change.is_nothing() {
            return;
        }
        let (demands, cache) = (&self.demands, &self.cache);
        self.queue.announce(ctx.now, |group, by| {
            node_may_help(
                change,
                by,
                known(demands, group),
                store.template(TemplateId(group)),
                cache,
                node.slot(),
            )
        });
    }

    /// Runs the next cycle if it is time for it, and makes sure that there will be another one.
    fn go_on(
        &mut self,
        store: &mut Store,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<super::Event>,
    ) {
        if self.free_at <= ctx.now && self.queue.has_work(ctx.now) {
            self.cycle(store, ctx, out);
        }
        if self.queue.has_work(ctx.now) {
            self.wake_at(self.free_at, ctx.now, out);
        } else if let Some(retry) = self.queue.next_error_retry() {
            self.wake_at(retry, ctx.now, out);
        }
        if let Some(flush) = self.queue.next_leftover_flush()
            && self.flush_at.is_none()
        {
            self.flush_at = Some(flush);
            out.after(
                flush.since(ctx.now),
                super::Event::Scheduler(Event::FlushLeftover),
            );
        }
    }

    fn wake_at(&mut self, at: SimTime, now: SimTime, out: &mut PlaneOutbox<super::Event>) {
        let at = at.max(now);
        if self
            .cycle_at
            .is_none_or(|planned| planned > at || planned < now)
        {
            self.cycle_at = Some(at);
            out.after(at.since(now), super::Event::Scheduler(Event::Cycle));
        }
    }

    fn cycle(
        &mut self,
        store: &mut Store,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<super::Event>,
    ) {
        let Some(popped) = self.queue.pop(ctx.now) else {
            return;
        };
        let pod = popped.pod;
        let Some(row) = store
            .pod(pod)
            .copied()
            .filter(|row| row.node.is_none() && !row.is_terminating())
        else {
            self.queue.remove(pod);
            return;
        };
        self.free_at = ctx.now + CYCLE_TIME;
        let demand = self.demand(row.template, store);
        let template = store.template(row.template).clone();
        let decision = cycle::run(
            Candidate {
                id: row.template,
                template: &template,
                demand: &demand,
                has_spread: row.owner.is_some(),
            },
            &mut self.cache,
            &mut self.search,
            &mut self.scratch,
            ctx.symbols,
        );
        match decision {
            Decision::Bind {
                slot,
                feasible,
                nodes,
            } => {
                self.decisions.keep(
                    pod,
                    ctx.now,
                    Some(slot),
                    feasible > 1,
                    &self.scratch.records,
                );
                self.cache
                    .place(pod, slot, row.template, &demand, row.owner.is_some());
                let decided = ctx.now + CYCLE_TIME;
                let sent = self.client.take(decided);
                let node = self
                    .cache
                    .facts(slot)
                    .id
                    .expect("a feasible node has a row");
                self.bindings.insert(
                    pod,
                    Binding {
                        node,
                        feasible,
                        nodes,
                        throttled: sent > decided,
                    },
                );
                out.after(
                    sent.since(ctx.now) + BIND_LATENCY,
                    super::Event::Scheduler(Event::Bind(pod)),
                );
            }
            Decision::Unschedulable { by, message } => {
                self.decisions
                    .keep(pod, ctx.now, None, false, &self.scratch.records);
                self.queue.reject(pod, by, ctx.now);
                report_failure(pod, &row, &message, store, ctx, out);
            }
            Decision::NoNodes => {
                self.queue.fail(pod, ctx.now);
                report_failure(pod, &row, message::NO_NODES, store, ctx, out);
            }
        }
    }

    fn bind(
        &mut self,
        pod: PodId,
        store: &mut Store,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<super::Event>,
    ) {
        let Some(binding) = self.bindings.remove(&pod) else {
            return;
        };
        let row = store.pod(pod).copied();
        match store.bind(pod, binding.node, ctx.now) {
            Ok(()) => {
                self.queue.remove(pod);
                let row = row.expect("a pod that was bound is there");
                let node = store
                    .node(binding.node)
                    .map_or(Symbol::EMPTY, |node| node.name);
                let rule = binding.throttled.then_some(Rule {
                    key: "kube-scheduler.kube-api-qps",
                    value: SimDuration::from_micros(1_000_000 / CLIENT_QPS),
                });
                let detail = Detail::ToOf(Name::plain(node), binding.feasible, binding.nodes);
                out.notice(notice("bind", row.name, detail, rule));
                let namespace = store.template(row.template).namespace;
                let name = self.qualified(row.template, namespace, row.name, ctx.symbols);
                let message =
                    Message::Names("Successfully assigned {} to {}", name, Name::plain(node));
                record(
                    store,
                    namespace,
                    row.name,
                    false,
                    "Scheduled",
                    message,
                    ctx.now,
                );
            }
            Err(error) => {
                if let Some(row) = row {
                    let demand = self.demand(row.template, store);
                    self.cache.displace(pod, &demand);
                    self.announce_freed(&demand, ctx.now);
                }
                match error {
                    BindError::NoNode => self.queue.fail(pod, ctx.now),
                    BindError::Gone | BindError::Bound => self.queue.remove(pod),
                }
            }
        }
    }

    fn demand(&mut self, template: TemplateId, store: &Store) -> Arc<Demand> {
        let index = template.0 as usize;
        if index >= self.demands.len() {
            self.demands.resize(index + 1, None);
        }
        self.demands[index]
            .get_or_insert_with(|| Arc::new(Demand::of(store.template(template))))
            .clone()
    }

    /// `namespace/name`, interned once for the pods of one template.
    fn qualified(
        &mut self,
        template: TemplateId,
        namespace: Symbol,
        name: Name,
        symbols: &mut Symbols,
    ) -> Name {
        let index = template.0 as usize;
        if index >= self.qualified.len() {
            self.qualified
                .resize(index + 1, (Symbol::EMPTY, Symbol::EMPTY));
        }
        let (prefix, known) = self.qualified[index];
        if prefix == name.prefix && !known.is_empty() {
            return Name {
                prefix: known,
                suffix: name.suffix,
            };
        }
        let text = format!("{}/{}", symbols.text(namespace), symbols.text(name.prefix));
        let symbol = symbols.intern(&text);
        self.qualified[index] = (name.prefix, symbol);
        Name {
            prefix: symbol,
            suffix: name.suffix,
        }
    }
}

const PERCENTAGE: &str = "kube-scheduler.percentageOfNodesToScore";
const INITIAL_BACKOFF: &str = "kube-scheduler.podInitialBackoffSeconds";
const MAX_BACKOFF: &str = "kube-scheduler.podMaxBackoffSeconds";

fn known(demands: &[Option<Arc<Demand>>], group: u32) -> &Demand {
    demands[group as usize]
        .as_deref()
        .expect("a pod in the queue was seen")
}

/// Whether the plugins that rejected a pod hope for something from a changed node.
/// Source: the `isSchedulableAfter…` functions in `pkg/scheduler/framework/plugins`.
fn node_may_help(
    change: NodeChange,
    by: PluginSet,
    demand: &Demand,
    template: &PodTemplate,
    cache: &Cache,
    slot: u32,
) -> bool {
    let numbers = cache.numbers(slot);
    let facts = cache.facts(slot);
    let fits_empty = demand.milli_cpu <= numbers.milli_cpu
        && demand.memory <= numbers.memory
        && demand.ephemeral <= numbers.ephemeral
        && numbers.pods > 0
        && demand.extended.iter().all(|(name, amount)| {
            facts
                .extended
                .iter()
                .any(|(other, have)| other == name && have >= amount)
        });
    by.has(Plugin::NodeResourcesFit) && (change.added || change.grown) && fits_empty
        || by.has(Plugin::TaintToleration)
            && (change.added || change.taints)
            && taints::tolerated(&facts.taints, &template.tolerations)
        || by.has(Plugin::NodeUnschedulable)
            && (change.added || change.uncordoned)
            && !facts.unschedulable
        || by.has(Plugin::NodeAffinity)
            && (change.added || change.labels)
            && affinity::allowed(&template.spec, &facts.text, &facts.labels)
        || by.has(Plugin::NodePorts) && change.added
}

/// Writes PodScheduled=False and FailedScheduling. The same verdict again is counted on the Event
/// object; the trace keeps changes.
fn report_failure(
    pod: PodId,
    row: &PodRow,
    text: &str,
    store: &mut Store,
    ctx: &mut Context<'_>,
    out: &mut PlaneOutbox<super::Event>,
) {
    if store.pod_details(pod).unschedulable.as_deref() != Some(text) {
        let symbol = ctx.symbols.intern(text);
        out.notice(notice("failed", row.name, Detail::Text(symbol), None));
    }
    store.set_unschedulable(pod, text.into(), None, ctx.now);
    let namespace = store.template(row.template).namespace;
    let shown: Arc<str> = message::truncated(text).into();
    record(
        store,
        namespace,
        row.name,
        true,
        "FailedScheduling",
        Message::Text(shown),
        ctx.now,
    );
}

fn notice(verb: &'static str, name: Name, detail: Detail, rule: Option<Rule>) -> Notice {
    Notice {
        source: "kube.scheduler",
        verb,
        subject: Subject { kind: "pod", name },
        detail,
        rule,
    }
}

fn record(
    store: &mut Store,
    namespace: Symbol,
    name: Name,
    warning: bool,
    reason: &'static str,
    message: Message,
    now: SimTime,
) {
    let event = NewEvent {
        kind: "Pod",
        namespace,
        name,
        warning,
        reason,
        message,
        component: SCHEDULER_NAME,
        host: None,
        container: None,
    };
    store.record(event, now);
}
