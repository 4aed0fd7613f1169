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
//! Not modelled: extenders, resource claims and what groups of pods need, gates that are off.

pub mod cache;
pub mod class;
pub mod columns;
pub mod config;
pub mod counts;
pub mod cycle;
pub mod demand;
pub mod explain;
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
pub mod touched;
pub mod volumes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::name::{Name, Rule};
use crate::base::symbol::{Symbol, Symbols};
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::{Detail, Notice, Subject};
use crate::substrate::{Context, PlaneOutbox};

use super::limiter::Limiter;
use super::render::{uid, uid_text};
use super::rows::pod::PodRow;
use super::rows::{NodeId, PodId};
use super::selector::Selector;
use super::store::events::{Message, NewEvent};
use super::store::pods::BindError;
use super::store::{Change, Store};
use super::template::{PodTemplate, TemplateId};

use cache::{Cache, NodeView, Taken};
use cycle::{Decision, Scratch, Search, Subject as CycleSubject};
use demand::Demand;
use explain::{DecisionRecord, Decisions, Looked, NodeRecord};
use filter::Candidate;
use hints::Waiting;
use matcher::Look;
use message::{NO_CLAIMS, Tally};
use nominator::{Guest, Nominator};
use plan::Plan;
use plugins::{Plugin, PluginSet};
use preemption::Outcome;
use profile::Profile;
use queue::SchedulingQueue;
use volumes::{Choice, Rejection, VolumeNeeds};

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
/// Time between two looks at the claims of a pod that waits for its volumes.
/// Source: `pkg/scheduler/framework/plugins/volumebinding/binder.go` (`BindPodVolumes`).
const VOLUME_POLL: SimDuration = SimDuration::from_secs(1);
/// Time after which it gives up. Source: `pkg/scheduler/apis/config/v1/defaults.go` (`BindTimeoutSeconds`).
const VOLUME_TIMEOUT: SimDuration = SimDuration::from_secs(600);

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
    /// Claims, volumes or classes were written.
    VolumesSeen,
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
    /// Whether its volumes are bound, and until when to wait for them.
    volumes_until: Option<SimTime>,
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

/// Its state.
#[derive(Clone, Debug)]
pub struct Scheduler {
    queue: SchedulingQueue<PodId>,
    cache: Cache,
    search: Search,
    scratch: Scratch,
    profiles: Vec<Arc<Profile>>,
    nominator: Nominator,
    gated: BTreeSet<PodId>,
    /// Pods that it has evicted and that, as far as it has heard, are still there.
    victims: BTreeSet<PodId>,
    demands: Vec<Option<Arc<Demand>>>,
    qualified: Vec<(Symbol, Symbol)>,
    bindings: BTreeMap<PodId, Binding>,
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
            gated: BTreeSet::new(),
            victims: BTreeSet::new(),
            demands: Vec::new(),
            qualified: Vec::new(),
            bindings: BTreeMap::new(),
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
            Event::NodeSeen(node) => self.node_seen(node, store, ctx),
            Event::NodeGone(node) => self.node_gone(node, store, ctx),
            Event::VolumesSeen => self.volumes_changed(ctx.now),
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
                Some(row) if self.is_other(pod, row) => Event::PodSeen(pod),
                _ => return,
            },
            Change::PodTerminating(pod) => Event::PodGoing(pod),
            Change::PodRemoved(pod, row) => Event::PodGone(pod, row.template),
            Change::NodeAdded(node) | Change::NodeUpdated(node) => Event::NodeSeen(node),
            Change::NodeRemoved(node, _) => Event::NodeGone(node),
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
            CONFIG => self.configure(config::parse(value)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Takes a whole configuration over, as a start with `--config` does.
    fn configure(&mut self, configuration: config::Configuration) {
        self.search.percentage = configuration.percentage;
        self.queue.initial_backoff = configuration.initial_backoff;
        self.queue.max_backoff = configuration.max_backoff;
        self.profiles = configuration.profiles;
        self.scratch.forget();
        self.cache.index.forget();
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
            (CONFIG, self.profile_names()),
        ]
    }

    /// Names of the profiles, joined by commas.
    fn profile_names(&self) -> String {
        let names: Vec<&str> = self.profiles.iter().map(|profile| &*profile.name).collect();
        names.join(",")
    }

    /// Whether what is known of a pod was made from another template than it has now.
    fn is_other(&self, pod: PodId, row: &PodRow) -> bool {
        if self.gated.contains(&pod) {
            return true;
        }
        if row.node.is_some() {
            return self
                .cache
                .template_of(pod)
                .is_some_and(|known| known != row.template);
        }
        self.queue
            .group_of(pod)
            .is_some_and(|known| known != row.template.0)
    }

    fn pod_seen(&mut self, pod: PodId, store: &Store, ctx: &mut Context<'_>) {
        let Some(row) = store.pod(pod).copied() else {
            return;
        };
        if row.phase.is_terminal() {
            return;
        }
        let demand = self.demand(row.template, store);
        let look = Look {
            store,
            symbols: ctx.symbols,
        };
        if let Some(node) = row.node {
            self.queue.remove(pod);
            self.gated.remove(&pod);
            self.nominator.remove(pod);
            if let Some(known) = self.cache.template_of(pod)
                && known != row.template
            {
                let old = self.demand(known, store);
                self.cache.displace(pod, &old, look);
            }
            let place = Taken {
                slot: node.slot(),
                template: row.template,
                live: !row.is_terminating(),
            };
            self.cache.place(pod, place, &demand, look);
            let came = store.template(row.template);
            let demands = &self.demands;
            self.queue.announce(ctx.now, |group, by| {
                hints::pod_came(waiting(demands, group, by, store), came, look)
            });
            return;
        }
        let template = store.template(row.template);
        if self.profile_of(template).is_none() {
            return;
        }
        if !template.spec.scheduling_gates.is_empty() {
            self.gated.insert(pod);
            return;
        }
        self.gated.remove(&pod);
        match self.queue.group_of(pod) {
            None => self
                .queue
                .add(pod, demand.priority, row.template.0, ctx.now),
            Some(known) if known != row.template.0 => {
                let old = store.template(TemplateId(known));
                let now = ctx.now;
                self.queue
                    .update(pod, demand.priority, row.template.0, now, |by| {
                        hints::own(old, template, by)
                    });
            }
            Some(_) => {}
        }
    }

    fn pod_gone(&mut self, pod: PodId, template: TemplateId, store: &Store, ctx: &mut Context<'_>) {
        self.queue.remove(pod);
        self.gated.remove(&pod);
        self.victims.remove(&pod);
        self.nominator.remove(pod);
        self.bindings.remove(&pod);
        let look = Look {
            store,
            symbols: ctx.symbols,
        };
        let template = self.cache.template_of(pod).unwrap_or(template);
        let demand = self.demand(template, store);
        if self.cache.displace(pod, &demand, look).is_some() {
            self.announce_freed(template, &demand, look, ctx.now);
        }
    }

    /// An assigned pod is gone, or an assumed one will not come.
    fn announce_freed(&mut self, gone: TemplateId, freed: &Demand, look: Look<'_>, now: SimTime) {
        let demands = &self.demands;
        let gone = look.store.template(gone);
        self.queue.announce(now, |group, by| {
            hints::pod_gone(waiting(demands, group, by, look.store), (gone, freed), look)
        });
    }

    /// Something about claims or volumes changed.
    fn volumes_changed(&mut self, now: SimTime) {
        self.queue.announce(now, |_, by| {
            [
                Plugin::VolumeBinding,
                Plugin::VolumeZone,
                Plugin::NodeVolumeLimits,
                Plugin::VolumeRestrictions,
            ]
            .into_iter()
            .any(|plugin| by.has(plugin))
        });
    }

    fn node_gone(&mut self, node: NodeId, store: &Store, ctx: &mut Context<'_>) {
        let look = Look {
            store,
            symbols: ctx.symbols,
        };
        self.cache.remove_node(node, look);
        let demands = &self.demands;
        self.queue.announce(ctx.now, |group, by| {
            hints::node_gone(waiting(demands, group, by, store))
        });
    }

    fn node_seen(&mut self, node: NodeId, store: &Store, ctx: &mut Context<'_>) {
        let Some(row) = store.node(node) else { return };
        let text: Arc<str> = ctx.symbols.text(row.name).into();
        let look = Look {
            store,
            symbols: ctx.symbols,
        };
        let view = NodeView {
            id: node,
            name: row.name,
            text: &text,
            tree_zone: row.zone,
            labels: &row.labels,
            taints: &row.taints,
            unschedulable: row.unschedulable,
            allocatable: &row.allocatable,
            images: &row.images,
        };
        let change = self.cache.set_node(&view, look);
        if change.added {
            // Pods that were bound before the node was seen here, as after a node object's return.
            let there: Vec<(PodId, PodRow)> =
                store.pods_on(node).map(|(pod, row)| (pod, *row)).collect();
            for (pod, row) in there {
                if !row.phase.is_terminal() {
                    let demand = self.demand(row.template, store);
                    let place = Taken {
                        slot: node.slot(),
                        template: row.template,
                        live: !row.is_terminating(),
                    };
                    self.cache.place(pod, place, &demand, look);
                }
            }
        }
        if change.is_nothing() {
            return;
        }
        let (demands, cache) = (&self.demands, &self.cache);
        self.queue.announce(ctx.now, |group, by| {
            hints::node(
                waiting(demands, group, by, store),
                change,
                cache,
                node.slot(),
            )
        });
    }

    /// The profile that a pod asks for; `None`: another scheduler's.
    fn profile_of(&self, template: &PodTemplate) -> Option<usize> {
        self.profiles
            .iter()
            .position(|profile| profile.name == template.spec.scheduler_name)
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
        let template = store.template(row.template).clone();
        let Some(profile) = self.profile_of(&template) else {
            self.queue.remove(pod);
            return;
        };
        self.free_at = ctx.now + CYCLE_TIME;
        let demand = self.demand(row.template, store);
        let look = Look {
            store,
            symbols: ctx.symbols,
        };
        let key = (row.template.0, profile as u32);
        let profile = self.profiles[profile].clone();
        let plan = self.plan(key, &row, &profile, look);
        let needs = self.needs(&row, &template, look);
        let none = VolumeNeeds::default();
        let candidate = Candidate {
            template: &template,
            demand: &demand,
            profile: &profile,
            plan: &plan,
            volumes: needs.as_ref().unwrap_or(&none),
            look,
        };
        let class = self.scratch.classes.of(row.template, &template, &demand);
        let decision = match &needs {
            Ok(_) => cycle::run(
                CycleSubject {
                    pod,
                    class,
                    nominated: self.nominator.node_of(pod),
                },
                &candidate,
                &mut self.cache,
                &mut self.search,
                &mut self.scratch,
                &self.nominator,
                (look.symbols, ctx.choices),
            ),
            Err(rejection) => Decision::Rejected {
                by: rejection.plugin,
                message: rejection.message.clone(),
                nodes: self.cache.tree.len(),
            },
        };
        self.remember(pod, &decision, &candidate, ctx.now);
        let failure = match decision {
            Decision::Bind {
                slot,
                feasible,
                nodes,
            } => {
                let choices = candidate.volumes.choose(self.cache.facts(slot));
                let place = Taken {
                    slot,
                    template: row.template,
                    live: true,
                };
                self.cache.place(pod, place, &demand, look);
                self.cache.index.keep_plan(key, plan);
                let claims = needs.map_or_else(|_| Vec::new(), |needs| needs.waiting);
                self.assume(
                    pod,
                    (slot, feasible, nodes),
                    &claims,
                    choices,
                    store,
                    (ctx, out),
                );
                return;
            }
            Decision::Unschedulable {
                tally,
                absent,
                nodes,
            } => {
                let at = (class, absent, nodes);
                let (message, found) = self.post_filter(pod, &candidate, &tally, at);
                Failure {
                    by: tally.rejected_by(),
                    message,
                    found,
                }
            }
            Decision::Rejected { by, message, nodes } => Failure {
                by: PluginSet::NONE.with(by),
                message: format!("0/{nodes} nodes are available: {message}. not found").into(),
                found: None,
            },
            Decision::NoNodes => {
                self.cache.index.keep_plan(key, plan);
                self.queue.fail(pod, ctx.now);
                let text = message::NO_NODES.into();
                report_failure(pod, &row, &text, None, store, ctx, out);
                return;
            }
        };
        self.cache.index.keep_plan(key, plan);
        self.queue.reject(pod, failure.by, ctx.now);
        let mut nominated = self.nominator.node_of(pod);
        match failure.found {
            Some(Some(found)) => {
                nominated = Some(found.slot);
                self.evict(pod, &row, &demand, &found, store, (ctx, out));
            }
            Some(None) => {
                nominated = None;
                self.nominator.remove(pod);
            }
            None => {}
        }
        let nominated = nominated.and_then(|slot| self.cache.facts(slot).id);
        report_failure(pod, &row, &failure.message, nominated, store, ctx, out);
    }

    /// The rules of a pod about other pods, as they stand.
    fn plan(&mut self, key: (u32, u32), row: &PodRow, profile: &Profile, look: Look<'_>) -> Plan {
        if self.cache.index.reads_namespaces() {
            let documents = look.store.documents();
            let stamp = documents
                .of("namespaces")
                .fold((0, 0), |(count, newest), (_, it)| {
                    (count + 1, it.revision.max(newest))
                });
            if self.namespaces != stamp {
                self.namespaces = stamp;
                self.cache.index.forget();
            }
        }
        if self.cache.index.is_full() {
            self.cache.index.forget();
        }
        self.cache.count(look);
        let services = self.services;
        let (index, nodes) = self.cache.split();
        let kept = index.take_plan(key).filter(|plan| plan.is_fresh(services));
        let template = TemplateId(key.0);
        let mut plan = match kept {
            Some(plan) => plan,
            None => {
                let owner: Option<Arc<Selector>> = row
                    .owner
                    .and_then(|owner| look.store.replica_set(owner))
                    .map(|set| set.selector.clone());
                let at = (nodes, look);
                Plan::make(template, owner.as_deref(), profile, services, index, at)
            }
        };
        plan.extend(look.store.template(template), profile, index, (nodes, look));
        plan
    }

    /// A pod's volumes and claims.
    fn needs(
        &self,
        row: &PodRow,
        template: &PodTemplate,
        look: Look<'_>,
    ) -> Result<VolumeNeeds, Rejection> {
        if template.spec.volumes.is_empty() {
            return Ok(VolumeNeeds::default());
        }
        let name = row.name.text(look.symbols);
        let users = |claim: &str| volumes::users(claim, template.namespace, &self.cache, look);
        VolumeNeeds::find(&name, template, &users, look)
    }

    /// Keeps what a cycle found, for those who ask why.
    fn remember(
        &mut self,
        pod: PodId,
        decision: &Decision,
        candidate: &Candidate<'_>,
        now: SimTime,
    ) {
        let (chosen, scored) = match decision {
            Decision::Bind { slot, feasible, .. } => (
                Some(*slot),
                if self.scratch.glanced {
                    self.scratch.glance.said
                } else if *feasible > 1 {
                    self.scratch.board.said()
                } else {
                    0
                },
            ),
            Decision::Unschedulable { .. } => (None, 0),
            Decision::Rejected { .. } | Decision::NoNodes => return,
        };
        let record = DecisionRecord {
            pod,
            at: now,
            chosen,
            scored,
            weights: Plugin::SCORERS.map(|plugin| candidate.profile.weight(plugin)),
            extended: candidate.demand.extended.to_vec(),
            nodes: if self.scratch.glanced {
                Looked::Glance(Arc::new(std::mem::take(&mut self.scratch.glance)))
            } else {
                Looked::Records(Arc::new(self.scratch.records.clone()))
            },
        };
        if let Some(used) = self.decisions.keep(record) {
            self.scratch.glance = used;
        }
    }

    /// Sends a pod to the node that was found for it.
    fn assume(
        &mut self,
        pod: PodId,
        (slot, feasible, nodes): (u32, u32, u32),
        claims: &[volumes::Waiting],
        choices: Option<Vec<Choice>>,
        store: &mut Store,
        (ctx, out): (&mut Context<'_>, &mut PlaneOutbox<super::Event>),
    ) {
        let decided = ctx.now + CYCLE_TIME;
        let sent = self.client.take(decided);
        let facts = self.cache.facts(slot);
        let Some(node) = facts.id else { return };
        let mut volumes_until = None;
        if let Some(choices) = choices.filter(|choices| !choices.is_empty()) {
            volumes_until = Some(ctx.now + VOLUME_TIMEOUT);
            let node = facts.text.clone();
            for (waiting, choice) in claims.iter().zip(&choices) {
                volumes::reserve(&waiting.claim, choice, &node, store);
            }
        }
        self.bindings.insert(
            pod,
            Binding {
                node,
                feasible,
                nodes,
                throttled: sent > decided,
                volumes_until,
            },
        );
        out.after(
            sent.since(ctx.now) + BIND_LATENCY + store.commit_delay(),
            super::Event::Scheduler(Event::Bind(pod)),
        );
    }

    /// What happens when no node can take a pod: the text, and what preemption found. `None`: it
    /// was not tried; `Some(None)`: nothing.
    fn post_filter(
        &mut self,
        pod: PodId,
        candidate: &Candidate<'_>,
        tally: &Tally,
        (class, absent, nodes): (u32, u32, u32),
    ) -> (Arc<str>, Option<Option<preemption::Plan>>) {
        let look = candidate.look;
        let preempts = candidate.profile.filters.has(Plugin::DefaultPreemption)
            && candidate.template.preempts
            && !self.waits_for_victims(pod, candidate);
        let alone = preempts && !self.cache.holds_below(candidate.demand.priority);
        let column = self.scratch.columns.of(class);
        let mut said = column
            .filter(|_| self.scratch.glanced && alone)
            .map(|column| &mut column.said);
        if let Some(Some(text)) = &said {
            return (text.clone(), Some(None));
        }
        let mut reasons = tally.reasons(&candidate.demand.extended, look.symbols);
        reasons.add("node(s) didn't satisfy plugin(s) [NodeAffinity]", absent);
        let text = reasons.text(nodes);
        if !candidate.profile.filters.has(Plugin::DefaultPreemption) {
            return (format!("{text} {NO_CLAIMS}").into(), None);
        }
        let refused = |why: &str| format!("{text} {NO_CLAIMS}, preemption: {why}").into();
        if !candidate.template.preempts {
            return (refused("not eligible due to preemptionPolicy=Never."), None);
        }
        if !preempts {
            let why = "not eligible due to a terminating pod on the nominated node.";
            return (refused(why), None);
        }
        if alone {
            let text: Arc<str> = refused(&preemption::nobody(tally, nodes).text(nodes));
            if let Some(said) = &mut said {
                **said = Some(text.clone());
            }
            return (text, Some(None));
        }
        let records = self.decisions.latest().map(DecisionRecord::records);
        let demands = &self.demands;
        let demand_of = |pod: PodId| {
            let id = look.store.pod(pod)?.template;
            demands.get(id.0 as usize)?.clone()
        };
        let outcome = preemption::find(
            pod,
            candidate,
            &records.unwrap_or_default(),
            &mut self.cache,
            &self.nominator,
            &demand_of,
        );
        match outcome {
            Outcome::Found(plan) => (text.into(), Some(Some(plan))),
            Outcome::Nothing(reasons) => (refused(&reasons.text(nodes)), Some(None)),
        }
    }

    /// Whether pods of lower priority are still on their way out of the node that a pod was promised.
    fn waits_for_victims(&self, pod: PodId, candidate: &Candidate<'_>) -> bool {
        let Some(slot) = self.nominator.node_of(pod) else {
            return false;
        };
        let refused = self.scratch.records.iter().find(|it| it.slot == slot);
        if refused.is_none_or(|record| !record.verdict.is_resolvable()) {
            return false;
        }
        let store = candidate.look.store;
        self.cache.pods_on(slot).into_iter().any(|other| {
            let lower = self.cache.template_of(other).is_some_and(|template| {
                store.template(template).priority < candidate.demand.priority
            });
            lower && self.victims.contains(&other)
        })
    }

    /// Evicts the victims and promises the node.
    /// Source: `pkg/scheduler/framework/preemption/executor.go`.
    fn evict(
        &mut self,
        pod: PodId,
        row: &PodRow,
        demand: &Arc<Demand>,
        plan: &preemption::Plan,
        store: &mut Store,
        (ctx, out): (&mut Context<'_>, &mut PlaneOutbox<super::Event>),
    ) {
        for lower in self.nominator.lower_on(plan.slot, demand.priority) {
            self.nominator.remove(lower);
            store.set_nominated(lower, None);
        }
        let node = self.cache.facts(plan.slot).name;
        let template = store.template(row.template).clone();
        let namespace = ctx.symbols.text(template.namespace).to_owned();
        let name = row.name.text(ctx.symbols);
        let created = u64::from(row.created_s);
        let id = uid_text(uid(ctx.seed, "pods", &namespace, &name, created));
        let text = format!("Preempted by pod {id} on node {}", ctx.symbols.text(node));
        let text: Arc<str> = text.into();
        let why: Arc<str> = format!(
            "{}: preempting to accommodate a higher priority pod",
            template.spec.scheduler_name
        )
        .into();
        for victim in &plan.victims {
            let Some(victim_row) = store.pod(*victim).copied() else {
                continue;
            };
            out.notice(notice(
                "preempt",
                victim_row.name,
                Detail::To(row.name),
                None,
            ));
            let namespace = store.template(victim_row.template).namespace;
            let message = Message::Text(text.clone());
            record(
                store,
                namespace,
                victim_row.name,
                false,
                "Preempted",
                message,
                ctx.now,
            );
            if !victim_row.is_terminating() {
                self.victims.insert(*victim);
                store.set_disruption(*victim, PREEMPTED, why.clone(), ctx.now);
                store.mark_terminating(*victim, None, ctx.now);
            }
        }
        let guest = Guest {
            pod,
            template: row.template,
            demand: demand.clone(),
        };
        self.nominator.add(guest, plan.slot);
        out.notice(notice(
            "nominate",
            row.name,
            Detail::To(Name::plain(node)),
            None,
        ));
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
        if let (Some(until), Some(row)) = (binding.volumes_until, row)
            && !volumes::are_bound(
                &row,
                Look {
                    store,
                    symbols: ctx.symbols,
                },
            )
        {
            if ctx.now < until {
                self.bindings.insert(pod, binding);
                out.after(VOLUME_POLL, super::Event::Scheduler(Event::Bind(pod)));
                return;
            }
            self.unassume(pod, &row, store, ctx);
            self.queue.fail(pod, ctx.now);
            let text = "running PreBind plugin \"VolumeBinding\": binding volumes: context deadline exceeded";
            report_failure(pod, &row, &text.into(), None, store, ctx, out);
            return;
        }
        match store.bind(pod, binding.node, ctx.now) {
            Ok(()) => {
                self.queue.remove(pod);
                self.nominator.remove(pod);
                let Some(row) = row else { return };
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
                    self.unassume(pod, &row, store, ctx);
                }
                match error {
                    BindError::NoNode => self.queue.fail(pod, ctx.now),
                    BindError::Gone | BindError::Bound => self.queue.remove(pod),
                }
            }
        }
    }

    /// An assumed pod will not come to its node.
    fn unassume(&mut self, pod: PodId, row: &PodRow, store: &Store, ctx: &mut Context<'_>) {
        let look = Look {
            store,
            symbols: ctx.symbols,
        };
        let template = self.cache.template_of(pod).unwrap_or(row.template);
        let demand = self.demand(template, store);
        self.cache.displace(pod, &demand, look);
        self.announce_freed(template, &demand, look, ctx.now);
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

/// A `KubeSchedulerConfiguration` document.
const CONFIG: &str = "kube-scheduler.config";
const PERCENTAGE: &str = "kube-scheduler.percentageOfNodesToScore";
const INITIAL_BACKOFF: &str = "kube-scheduler.podInitialBackoffSeconds";
const MAX_BACKOFF: &str = "kube-scheduler.podMaxBackoffSeconds";

/// Reason of the DisruptionTarget condition of pods that were evicted for others.
/// Source: `staging/src/k8s.io/api/core/v1/types.go`.
const PREEMPTED: &str = "PreemptionByScheduler";

/// How a cycle without a node ended.
struct Failure {
    by: PluginSet,
    message: Arc<str>,
    found: Option<Option<preemption::Plan>>,
}

/// The pods of a group in the queue.
fn waiting<'a>(
    demands: &'a [Option<Arc<Demand>>],
    group: u32,
    by: PluginSet,
    store: &'a Store,
) -> Waiting<'a> {
    Waiting {
        template: store.template(TemplateId(group)),
        demand: demands[group as usize]
            .as_deref()
            .expect("a pod in the queue was seen"),
        by,
    }
}

/// Writes PodScheduled=False and FailedScheduling. The same verdict again is counted on the Event
/// object; the trace keeps changes.
fn report_failure(
    pod: PodId,
    row: &PodRow,
    text: &Arc<str>,
    nominated: Option<NodeId>,
    store: &mut Store,
    ctx: &mut Context<'_>,
    out: &mut PlaneOutbox<super::Event>,
) {
    if store.pod_details(pod).unschedulable.as_ref() != Some(text) {
        let symbol = ctx.symbols.intern(text);
        out.notice(notice("failed", row.name, Detail::Text(symbol), None));
    }
    store.set_unschedulable(pod, text.clone(), nominated, ctx.now);
    let namespace = store.template(row.template).namespace;
    let shown = message::truncated(text);
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
