//! The versioned store behind the API server: rows for what machines make, documents for what
//! people write, one revision counter, one change log.
//!
//! All writes to rows go through here, so that counts, lists and the log can never disagree with
//! the rows. It knows no controller: it says what changed, and the plane tells who listens.

pub mod custom;
pub mod dependents;
pub mod document;
pub mod events;
pub mod managed;
pub mod nodes;
pub mod pod_names;
pub mod pods;
pub mod references;
pub mod tally;
pub mod watched;
pub mod workloads;

use std::sync::Arc;

use crate::base::hash::FxHashMap;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::symbol::Symbol;
use crate::base::table::Table;
use crate::base::time::{SimDuration, SimTime};
use crate::manifest::value::Value;
use crate::store::log::{ChangeLog, Revision};
use crate::store::paged::Paged;
use crate::substrate::order::MachineId;

use super::kinds::{self, Kind};
use super::rows::node::NodeRow;
use super::rows::pod::{PodDetails, PodRow};
use super::rows::service::ServiceRow;
use super::rows::watched::WatchedRow;
use super::rows::workload::{DeploymentRow, OwnerKind, ReplicaSetRow};
use super::rows::{DeploymentId, NodeId, PodId, ReplicaSetId, ServiceId, WatchedId};
use super::template::{PodTemplate, TemplateId};

/// Time from a write until a loop that watches the kind has it in its cache: etcd's commit, the
/// API server's watch cache and the informer's queue. Upstream gives no number; any value above
/// zero is faithful (reference 16.6).
pub const WATCH_LAG: SimDuration = SimDuration::from_millis(5);

/// One write, as observers hear of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// A pod was created; it may already name a node.
    PodCreated(PodId),
    /// A pod was bound to a node.
    PodBound(PodId),
    /// A pod's status was written.
    PodStatus(PodId),
    /// What a pod is described by was written: its labels, annotations or spec; what it was before.
    PodTemplate(PodId, TemplateId),
    /// A pod got its deletionTimestamp.
    PodTerminating(PodId),
    /// A pod is gone; its last row.
    PodRemoved(PodId, PodRow),
    /// A node was registered.
    NodeAdded(NodeId),
    /// A node's labels, taints, conditions or allocatable resources changed.
    NodeUpdated(NodeId),
    /// A node has other images than before, which nobody but the scheduler minds.
    NodeImages(NodeId),
    /// A node object is gone; its machine.
    NodeRemoved(NodeId, MachineId, Symbol),
    /// A Deployment was created or written; `true` when its spec or annotations changed.
    Deployment(DeploymentId, bool),
    /// A Deployment is gone.
    DeploymentRemoved(DeploymentId),
    /// A ReplicaSet was created or written; `true` when its spec changed.
    ReplicaSet(ReplicaSetId, bool),
    /// Other pods of a ReplicaSet than before wait for a lost node to go. No write of its own.
    Stranded(ReplicaSetId),
    /// A ReplicaSet is gone; its Deployment.
    ReplicaSetRemoved(ReplicaSetId, Option<DeploymentId>),
    /// A Service was created or written.
    Service(ServiceId),
    /// A Service is gone.
    ServiceRemoved(ServiceId),
    /// A document that a loop follows was created or written; `true` when its spec changed.
    Watched(WatchedId, bool),
    /// Such a document is gone.
    WatchedRemoved(WatchedId),
    /// A document that may own others is gone, or one was written that has owners.
    OwnerRemoved,
    /// A namespace is being deleted.
    NamespaceTerminating,
    /// A namespace was made.
    NamespaceAdded,
}

/// The store.
#[derive(Clone, Debug, Default)]
pub struct Store {
    revision: Revision,
    log: ChangeLog<Change>,
    pods: Table<PodRow>,
    details: Paged<PodDetails>,
    pod_names: pod_names::PodNames,
    nodes: Table<NodeRow>,
    node_of_machine: Arc<FxHashMap<MachineId, NodeId>>,
    node_names: Arc<FxHashMap<Symbol, NodeId>>,
    /// Name and machine of nodes whose objects are gone: their pods go on naming them.
    nodes_gone: SortedMap<NodeId, (Symbol, MachineId)>,
    deployments: Table<DeploymentRow>,
    replica_sets: Table<ReplicaSetRow>,
    /// Controllers of pods by kind, namespace and name.
    controller_names: Arc<FxHashMap<(OwnerKind, Symbol, Symbol), ReplicaSetId>>,
    services: Table<ServiceRow>,
    /// Services that have gone and whose addresses and ports are not yet free.
    services_gone: Vec<ServiceRow>,
    /// By namespace and name.
    service_names: Arc<FxHashMap<(Symbol, Symbol), ServiceId>>,
    watched: Table<WatchedRow>,
    /// Quotas by namespace; only namespaces that have any.
    quotas: FxHashMap<Symbol, Vec<WatchedId>>,
    /// What they count of pods.
    tallies: Arc<FxHashMap<Symbol, tally::Tally>>,
    /// Quotas of namespaces in which ReplicaSets came or went since they looked last.
    counted: SortedSet<WatchedId>,
    templates: Arc<Vec<Arc<PodTemplate>>>,
    template_index: Arc<FxHashMap<u64, Vec<TemplateId>>>,
    documents: document::Documents,
    definitions: custom::Definitions,
    managed: managed::ManagedFields,
    events: events::Events,
    lonely: pods::LonelyPods,
    roster: u32,
    references: references::References,
    /// Pods of ReplicaSets that are gone, until the garbage collector has seen them.
    orphans: SortedMap<ReplicaSetId, Vec<PodId>>,
    /// ReplicaSets that go once their pods have.
    foreground: SortedSet<ReplicaSetId>,
    /// ReplicaSets of Deployments that are gone, until the garbage collector has seen them.
    orphan_sets: SortedMap<DeploymentId, Vec<ReplicaSetId>>,
    /// Labels that people gave ReplicaSets of Deployments, and annotations that those have of their
    /// own.
    kept: SortedMap<ReplicaSetId, Value>,
    /// How much longer than usual etcd takes for a commit.
    pub(super) commit_delay: SimDuration,
    /// By how many microseconds the controller manager's clock is ahead.
    pub(super) controllers_ahead: i64,
    /// Where the scheduler leads; none: at the first control machine.
    pub(super) scheduler_host: Option<Symbol>,
    /// Volumes that are attached to nodes: the nodes' `status.volumesAttached`.
    attached: SortedSet<(Arc<str>, NodeId)>,
    /// Volumes that nodes use: their `status.volumesInUse`.
    in_use: SortedSet<(Arc<str>, NodeId)>,
    /// What uids are made of.
    pub(super) seed: u64,
}

impl Store {
    /// The newest resourceVersion.
    pub const fn revision(&self) -> u32 {
        self.revision.0
    }

    /// Bytes of rows that `later`, a clone that went on, no longer shares.
    pub fn bytes_apart(&self, later: &Self) -> usize {
        self.pods.bytes_apart(&later.pods)
            + self.details.bytes_apart(&later.details)
            + self.pod_names.bytes_apart(&later.pod_names)
            + self.nodes.bytes_apart(&later.nodes)
            + self.events.bytes_apart(&later.events)
    }

    /// Whether the indices of names hold what is there, and nothing else: for soak runs.
    pub fn names_agree(&self) -> bool {
        let pod = |(id, row): (PodId, &PodRow)| {
            let namespace = self.template(row.template).namespace;
            let mut slots = self.pod_names.candidates(namespace, row.name);
            slots.any(|slot| slot == id.slot())
        };
        let controller = |(id, row): (ReplicaSetId, &ReplicaSetRow)| {
            self.pod_controller_named(row.kind, row.namespace, row.name) == Some(id)
        };
        self.pods.iter().all(pod)
            && self.pod_names.count() == self.pods.len() as usize
            && self
                .nodes()
                .all(|(id, row)| self.node_named(row.name) == Some(id))
            && self.node_names.len() == self.nodes.len() as usize
            && self.pod_controllers().all(controller)
            && self.controller_names.len() == self.replica_sets.len() as usize
    }

    /// The next write that was not told to the loops yet.
    pub fn next_change(&mut self) -> Option<Change> {
        self.log.next_change()
    }

    /// Time from a write until a loop has it in its cache, as etcd is now.
    pub fn watch_lag(&self) -> SimDuration {
        WATCH_LAG + self.commit_delay
    }

    /// Whether a volume is attached to a node.
    pub fn is_attached(&self, volume: &Arc<str>, node: NodeId) -> bool {
        self.attached.contains(&(volume.clone(), node))
    }

    /// Says whether a volume is attached to a node.
    pub fn set_attached(&mut self, place: &(Arc<str>, NodeId), attached: bool) {
        if attached {
            self.attached.insert(place.clone());
        } else {
            self.attached.remove(place);
        }
    }

    /// Volumes that are attached to a node.
    pub fn attached_to(&self, node: NodeId) -> Vec<Arc<str>> {
        on_node(&self.attached, node)
    }

    /// Volumes that a node's kubelet says it uses.
    pub fn in_use_on(&self, node: NodeId) -> Vec<Arc<str>> {
        on_node(&self.in_use, node)
    }

    /// Whether a node's kubelet says that it uses a volume.
    pub fn is_in_use(&self, place: &(Arc<str>, NodeId)) -> bool {
        self.in_use.contains(place)
    }

    /// What a node's kubelet says of a volume.
    pub fn set_in_use(&mut self, place: (Arc<str>, NodeId), used: bool) {
        if used {
            self.in_use.insert(place);
        } else {
            self.in_use.remove(&place);
        }
    }

    /// How much longer than usual etcd takes for a commit: what every writer waits.
    pub const fn commit_delay(&self) -> SimDuration {
        self.commit_delay
    }

    /// ReplicaSets that are gone and whose pods the garbage collector has not seen yet.
    pub fn orphaned(&self) -> impl Iterator<Item = ReplicaSetId> + '_ {
        self.orphans.keys().copied()
    }

    /// Keeps a template once, however many pods are made from it.
    pub fn intern_template(&mut self, template: PodTemplate) -> TemplateId {
        let key = template.fingerprint();
        if let Some(ids) = self.template_index.get(&key) {
            for id in ids {
                let known = &self.templates[id.0 as usize];
                if known.namespace == template.namespace
                    && known.document == template.document
                    && known.requests == template.requests
                {
                    return *id;
                }
            }
        }
        let id =
            TemplateId(u32::try_from(self.templates.len()).expect("fewer than 2^32 templates"));
        Arc::make_mut(&mut self.templates).push(Arc::new(template));
        Arc::make_mut(&mut self.template_index)
            .entry(key)
            .or_default()
            .push(id);
        id
    }

    /// Keeps a template that differs from a kept one in what its document does not say. Equal
    /// documents mean equal templates, so the kept one is changed in its place.
    pub fn replace_template(&mut self, id: TemplateId, template: PodTemplate) -> TemplateId {
        if let Some(kept) = Arc::make_mut(&mut self.templates).get_mut(id.0 as usize) {
            *kept = Arc::new(template);
        }
        id
    }

    /// A template.
    pub fn template(&self, id: TemplateId) -> &Arc<PodTemplate> {
        &self.templates[id.0 as usize]
    }

    /// Pods that a ReplicaSet left behind.
    pub fn take_orphans(&mut self, id: ReplicaSetId) -> Vec<PodId> {
        self.orphans.remove(&id).unwrap_or_default()
    }

    /// ReplicaSets that a Deployment left behind.
    pub fn take_orphan_sets(&mut self, id: DeploymentId) -> Vec<ReplicaSetId> {
        self.orphan_sets.remove(&id).unwrap_or_default()
    }

    /// ReplicaSets that go once their pods have, by id.
    pub fn foreground_sets(&self) -> Vec<ReplicaSetId> {
        self.foreground.iter().copied().collect()
    }

    /// What a ReplicaSet without a document has of its own among its `labels` or `annotations`.
    pub fn kept(&self, id: ReplicaSetId, field: &str) -> Option<&Value> {
        self.kept.get(&id)?.get(field)
    }

    /// Keeps the `labels` or `annotations` of a ReplicaSet without a document.
    pub fn keep(&mut self, id: ReplicaSetId, field: &str, value: Value) {
        self.kept
            .entry(id)
            .or_insert_with(Value::map)
            .set(field, value);
    }

    /// Says that a namespace is being deleted.
    pub fn namespace_terminates(&mut self) {
        self.log.push(Change::NamespaceTerminating);
    }

    /// Documents.
    pub const fn documents(&self) -> &document::Documents {
        &self.documents
    }

    /// Documents, for writing.
    pub const fn documents_mut(&mut self) -> &mut document::Documents {
        &mut self.documents
    }

    /// Definitions of custom resources.
    pub const fn definitions(&self) -> &custom::Definitions {
        &self.definitions
    }

    /// Definitions of custom resources, for writing.
    pub const fn definitions_mut(&mut self) -> &mut custom::Definitions {
        // What names an owner of a kind that was not served could not be judged.
        self.look_at_all_dependents();
        &mut self.definitions
    }

    /// Owners of fields.
    pub const fn managed(&self) -> &managed::ManagedFields {
        &self.managed
    }

    /// Owners of fields, for writing.
    pub const fn managed_mut(&mut self) -> &mut managed::ManagedFields {
        &mut self.managed
    }

    /// The kind that an object names, built in or defined here.
    pub fn kind_of_object(&self, api_version: &str, kind: &str) -> Option<&'static Kind> {
        kinds::of_object(api_version, kind)
            .or_else(|| self.definitions.of_object(api_version, kind))
    }

    /// The kind that a person means, built in or defined here.
    pub fn kind_of_word(&self, word: &str) -> Option<&'static Kind> {
        kinds::of_word(word).or_else(|| self.definitions.of_word(word))
    }

    /// Event objects.
    pub const fn events(&self) -> &events::Events {
        &self.events
    }

    /// Removes an Event object that a component keeps, by its number.
    pub fn forget_event(&mut self, number: u32) {
        self.revision.bump();
        self.events.forget(number);
    }

    /// Records an Event object; a repetition counts. Returns whether the API server is told of it now:
    /// what comes too often is kept back.
    pub fn record(&mut self, event: events::NewEvent, now: SimTime) -> bool {
        self.record_often(event, 1, now).now
    }

    /// Records what has happened `count` times, once at least, since it was recorded last.
    pub fn record_often(
        &mut self,
        event: events::NewEvent,
        count: u32,
        now: SimTime,
    ) -> events::Told {
        self.events.record(event, count, now, &mut self.revision)
    }

    /// Takes a number for a write outside the rows.
    pub fn bump(&mut self) -> u32 {
        self.revision.bump()
    }
}

fn on_node(places: &SortedSet<(Arc<str>, NodeId)>, node: NodeId) -> Vec<Arc<str>> {
    let here = places.iter().filter(|(_, other)| *other == node);
    here.map(|(volume, _)| volume.clone()).collect()
}

/// Whole seconds since the epoch, as rows keep API times: in two's complement, as they may lie before it
/// ([`super::rows::pod::signed_s`] reads them).
pub fn seconds(time: SimTime) -> u32 {
    let whole = time.signed_seconds();
    i32::try_from(whole).unwrap_or(i32::MAX).cast_unsigned()
}
