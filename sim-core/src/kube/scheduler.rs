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
//! Estimate: two events per pod (seen, bind), one more for each pod that waits behind another, or is
//! bound while some pod waits for others to come.
//!
//! Not modelled: extenders, resource claims and what groups of pods need, gates that are off.

mod attempt;
mod bind;
pub mod cache;
pub mod class;
pub mod columns;
pub mod config;
pub mod counts;
pub mod cycle;
pub mod demand;
pub mod explain;
mod failure;
pub mod filter;
pub mod hints;
pub mod index;
pub mod matcher;
pub mod message;
pub mod node_tree;
pub mod nominator;
pub mod oracle;
pub mod plan;
pub mod plugins;
pub mod preemption;
pub mod profile;
pub mod queue;
pub mod quick;
pub mod restart;
pub mod score;
mod seen;
mod settings;
pub mod touched;
pub mod volumes;

use std::sync::Arc;

use crate::base::name::{Name, Rule};
use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::symbol::{Symbol, Symbols};
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::{Detail, Notice, Subject};
use crate::manifest::value::Value;
use crate::substrate::{Context, PlaneOutbox};

use super::limiter::Limiter;
use super::rows::pod::PodRow;
use super::rows::{NodeId, PodId};
use super::store::document::DocumentKey;
use super::store::events::{Incarnation, Isomorphic, Message, NewEvent};
use super::store::{Change, Store};
use super::template::TemplateId;

use cache::Cache;
use cycle::{Scratch, Search};
use demand::Demand;
use explain::{Decisions, NodeRecord};
use matcher::Look;
use nominator::Nominator;
use plugins::Plugin;
use profile::Profile;
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
/// Component of its events: the name of the first profile.
const SCHEDULER_NAME: &str = "default-scheduler";

/// What it schedules for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A pod was created or changed hands, and the informer says so.
    PodSeen(PodId),
    /// A pod has ended or is gone; the template it was made from.
    PodGone(PodId, TemplateId),
    /// A pod is being deleted.
    PodGoing(PodId),
    /// A pod of this template has lost the node that it was promised.
    Unpromised(TemplateId),
    /// A node was added or changed.
    NodeSeen(NodeId),
    /// A node is gone.
    NodeGone(NodeId),
    /// The next pod's turn.
    Cycle,
    /// A binding reaches the API server.
    Bind(PodId),
    /// Claims, volumes, classes or attachments were written.
    VolumesSeen,
    /// Pods that have waited for five minutes are tried again.
    FlushLeftover,
}

const _: () = assert!(size_of::<Event>() <= 16);

/// A binding on its way.
#[derive(Clone, Debug)]
struct Binding {
    /// When the call is carried out.
    due: SimTime,
    node: NodeId,
    feasible: u32,
    nodes: u32,
    throttled: bool,
    /// The claims that it waits for.
    volumes: Option<Box<volumes::Awaited>>,
}

/// One plugin's score of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PluginScore {
    /// The plugin.
    pub plugin: &'static str,
    /// As the plugin gave it.
    pub raw: i32,
    /// From 0 to 100.
    pub score: u32,
    /// What it is multiplied by.
    pub weight: u32,
}

/// Why a pod went to its node, or to none: one line for each node that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeVerdict {
    /// The node.
    pub node: Name,
    /// The plugin that refused it, with upstream's status code and reasons; `None`: it was feasible.
    pub refused: Option<(&'static str, &'static str, Vec<String>)>,
    /// Scores; empty when nothing was scored.
    pub scores: Vec<PluginScore>,
    /// Sum of weighted scores.
    pub total: u32,
    /// Whether it was taken.
    pub chosen: bool,
}

/// What is kept of a template.
#[derive(Clone, Debug)]
struct Standing {
    demand: Arc<Demand>,
    /// The profile that it asks for; `None`: another scheduler's.
    profile: Option<usize>,
    /// [`Scheduler::configured`] when that was found.
    configured: u32,
}

/// Its state.
#[derive(Clone, Debug)]
pub struct Scheduler {
    queue: SchedulingQueue<PodId>,
    cache: Cache,
    search: Search,
    scratch: Scratch,
    profiles: Vec<Arc<Profile>>,
    nominator: Nominator,
    gated: SortedSet<PodId>,
    /// Pods that it has evicted and that, as far as it has heard, are still there.
    victims: SortedSet<PodId>,
    /// What was written of claims, volumes and the like, and when the informers have it.
    storage: Vec<(SimTime, DocumentKey, Option<Value>)>,
    /// How often the profiles were others.
    configured: u32,
    /// By template.
    standings: Vec<Option<Standing>>,
    qualified: Vec<(Symbol, Symbol)>,
    bindings: SortedMap<PodId, Binding>,
    decisions: Decisions,
    client: Limiter,
    /// How often Services changed.
    services: u64,
    /// Number and newest revision of the namespaces, when their labels were last read.
    namespaces: (u32, u32),
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
            profiles: vec![Arc::default()],
            nominator: Nominator::default(),
            gated: SortedSet::new(),
            victims: SortedSet::new(),
            storage: Vec::new(),
            configured: 0,
            standings: Vec::new(),
            qualified: Vec::new(),
            bindings: SortedMap::new(),
            decisions: Decisions::default(),
            client: Limiter::new(CLIENT_QPS, CLIENT_BURST),
            services: 0,
            namespaces: (0, 0),
            free_at: SimTime::ZERO,
            cycle_at: None,
            flush_at: None,
        }
    }
}

impl Scheduler {
    /// Bytes of rows that `later`, a clone that went on, no longer shares.
    pub fn bytes_apart(&self, later: &Self) -> usize {
        self.cache.bytes_apart(&later.cache)
    }

    /// Handles an event of its own.
    pub fn handle(
        &mut self,
        event: Event,
        store: &mut Store,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<super::Event>,
    ) {
        match event {
            Event::PodSeen(pod) => self.pod_seen(pod, store, ctx),
            Event::PodGone(pod, template) => self.pod_gone(pod, template, store, ctx),
            Event::PodGoing(pod) => {
                let look = Look {
                    store,
                    symbols: ctx.symbols,
                };
                self.cache.discount(pod, look);
            }
            Event::Unpromised(template) => self.unpromised(template, store, ctx),
            Event::NodeSeen(node) => self.node_seen(node, store, ctx),
            Event::NodeGone(node) => self.node_gone(node, store, ctx),
            Event::VolumesSeen => self.storage_seen(store, ctx),
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
            // One that names its node is bound in the same write.
            Change::PodCreated(pod) if store.pod(pod).is_some_and(|row| row.node.is_some()) => {
                return;
            }
            Change::PodCreated(pod) => Event::PodSeen(pod),
            // One that was bound from here is known, but that it has come may help others.
            Change::PodBound(pod)
                if self.cache.node_of(pod).is_none() || self.queue.waits_for_others() =>
            {
                Event::PodSeen(pod)
            }
            Change::PodStatus(pod) | Change::PodTemplate(pod, _) => match store.pod(pod) {
                Some(row) if row.phase.is_terminal() => Event::PodGone(pod, row.template),
                Some(row) if self.is_other(pod, row) => Event::PodSeen(pod),
                _ => return,
            },
            Change::PodTerminating(pod) => Event::PodGoing(pod),
            Change::PodRemoved(pod, row) => Event::PodGone(pod, row.template),
            Change::NodeAdded(node) | Change::NodeUpdated(node) | Change::NodeImages(node) => {
                Event::NodeSeen(node)
            }
            Change::NodeRemoved(node, ..) => Event::NodeGone(node),
            Change::Service(_) | Change::ServiceRemoved(_) => {
                self.services += 1;
                return;
            }
            Change::PodBound(_)
            | Change::Deployment(..)
            | Change::DeploymentRemoved(_)
            | Change::ReplicaSet(..)
            | Change::ReplicaSetRemoved(..)
            | Change::Watched(..)
            | Change::WatchedRemoved(_)
            | Change::OwnerRemoved
            | Change::NamespaceTerminating
            | Change::Stranded(_)
            | Change::NamespaceAdded => return,
        };
        out.after(store.watch_lag(), super::Event::Scheduler(event));
    }

    /// Why the latest decision about a pod went as it did; empty when it is not kept any more.
    /// Nodes in the order in which they were looked at.
    pub fn explain(&self, pod: PodId, symbols: &Symbols) -> Vec<NodeVerdict> {
        let Some(decision) = self.decisions.of(pod) else {
            return Vec::new();
        };
        let line = |record: &NodeRecord| {
            let feasible = record.verdict.plugin().is_none();
            let scores = Plugin::SCORERS.into_iter().enumerate();
            NodeVerdict {
                node: Name::plain(self.cache.facts(record.slot).name),
                refused: record.verdict.plugin().map(|plugin| {
                    (
                        plugin.name(),
                        record.verdict.code(),
                        record.verdict.reasons(&decision.extended, symbols),
                    )
                }),
                scores: scores
                    .filter(|(place, _)| feasible && decision.scored & 1 << place != 0)
                    .map(|(place, plugin)| PluginScore {
                        plugin: plugin.name(),
                        raw: record.raw[place],
                        score: u32::from(record.scores[place]),
                        weight: decision.weights[place],
                    })
                    .collect(),
                total: record.total,
                chosen: decision.chosen == Some(record.slot),
            }
        };
        decision.records().iter().map(line).collect()
    }

    /// When the decision that [`Self::explain`] shows was taken.
    pub fn decided_at(&self, pod: PodId) -> Option<SimTime> {
        self.decisions.of(pod).map(|decision| decision.at)
    }

    /// Pods that are active, in back-off and unschedulable.
    pub fn pending(&self) -> (u32, u32, u32) {
        self.queue.pending()
    }

    /// What it keeps of a template.
    fn standing(&mut self, id: TemplateId, store: &Store) -> &Standing {
        let index = id.0 as usize;
        if index >= self.standings.len() {
            self.standings.resize(index + 1, None);
        }
        let slot = &mut self.standings[index];
        let known = slot.take();
        let standing = match known {
            Some(standing) if standing.configured == self.configured => standing,
            known => {
                let template = store.template(id);
                let mut profiles = self.profiles.iter();
                let asked = &template.spec.scheduler_name;
                Standing {
                    demand: known
                        .map_or_else(|| Arc::new(Demand::of(template)), |known| known.demand),
                    profile: profiles.position(|profile| profile.name == *asked),
                    configured: self.configured,
                }
            }
        };
        slot.insert(standing)
    }

    fn demand(&mut self, template: TemplateId, store: &Store) -> Arc<Demand> {
        self.standing(template, store).demand.clone()
    }
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

/// Tells of a pod as it was when it was tried.
fn record(
    store: &mut Store,
    (pod, row): (PodId, &PodRow),
    warning: bool,
    (reason, action): (&'static str, &'static str),
    message: Message,
    now: SimTime,
) {
    let event = NewEvent {
        kind: "Pod",
        namespace: store.template(row.template).namespace,
        name: row.name,
        warning,
        reason,
        message,
        component: SCHEDULER_NAME,
        host: store.scheduler_host,
        container: None,
        pod: Some(Incarnation {
            id: pod,
            created_s: row.created_s,
        }),
        series: Some(Isomorphic {
            action,
            revision: row.revision,
        }),
    };
    store.record(event, now);
}
