//! Objects as people wrote them, defaults filled in, by kind, namespace and name.
//!
//! A kind that a loop reads has a row as well; the document holds what the row does not.

use std::sync::Arc;

use crate::base::hash::FxHashSet;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::symbol::Symbol;
use crate::base::time::SimTime;
use crate::kube::apiserver::admission::webhook::CONFIGURATIONS;
use crate::kube::controllers::{endpoint_mirror, service_cidr};
use crate::kube::rows::{DeploymentId, NodeId, PodId, ReplicaSetId, ServiceId, WatchedId, read};
use crate::manifest::value::Value;

use super::dependents::{Dependents, Writing};

/// Name of a document: resource with group, e.g. `deployments.apps`, namespace (empty for
/// cluster-wide kinds), name. Ordered as lists are printed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentKey {
    /// Resource with group.
    pub resource: Arc<str>,
    /// Namespace.
    pub namespace: Arc<str>,
    /// Name.
    pub name: Arc<str>,
}

/// The row that a document belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RowReference {
    /// No loop reads this kind.
    None,
    /// A Deployment.
    Deployment(DeploymentId),
    /// A ReplicaSet or another controller of pods.
    ReplicaSet(ReplicaSetId),
    /// A pod.
    Pod(PodId),
    /// A Service.
    Service(ServiceId),
    /// A node.
    Node(NodeId),
    /// A kind that a loop follows and that controls no pods.
    Watched(WatchedId),
}

/// One document.
#[derive(Clone, Debug)]
pub struct Document {
    /// The object: what was written, defaults filled in, server's metadata included.
    pub value: Value,
    /// Its row.
    pub row: RowReference,
    /// When it was created.
    pub created: SimTime,
    /// `resourceVersion` of the last write to the document itself.
    pub revision: u32,
    /// `metadata.generation`; 0: the kind has none.
    pub generation: i64,
    /// `metadata.deletionTimestamp`.
    pub deletion: Option<SimTime>,
}

impl Document {
    /// A document without a row, as it is when it is made.
    pub const fn new(value: Value, generation: i64, created: SimTime, revision: u32) -> Self {
        Self {
            value,
            row: RowReference::None,
            created,
            revision,
            generation,
            deletion: None,
        }
    }

    /// Whether it is being deleted.
    pub fn is_going(&self) -> bool {
        let stamp = ["metadata", "deletionTimestamp"];
        self.deletion.is_some() || self.value.path(&stamp).is_some()
    }

    /// Whether it has a finalizer.
    pub fn has_finalizer(&self, finalizer: &str) -> bool {
        read::list(&self.value, &["metadata", "finalizers"])
            .iter()
            .any(|one| one.as_str() == Some(finalizer))
    }
}

/// All documents.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    by_key: Arc<SortedMap<DocumentKey, Document>>,
    /// Claims, volumes and classes that were written since the volume controller looked last.
    storage: SortedSet<DocumentKey>,
    /// What was written of these, and of attachments, since the scheduler was told last: what each was
    /// before, if it was there.
    changes: SortedMap<DocumentKey, Option<Value>>,
    /// ConfigMaps and Secrets that were written since agents looked last.
    sources: SortedSet<DocumentKey>,
    /// Whether a network policy or a namespace was written since the drivers' agents looked last.
    networking: bool,
    /// Whether a ClusterRole was written since aggregated ones were looked at last.
    cluster_roles: bool,
    /// Whether a range of Services' addresses, or an address, was written since these were looked at last.
    cidrs: bool,
    /// Whether Endpoints were written since their mirror was looked at last, or what these depend on
    /// while a person keeps some.
    mirrored: bool,
    /// How many Endpoints are kept by people, or by the API servers for themselves.
    endpoints: u32,
    /// Whether operators want to hear of writes.
    follows: bool,
    /// What was written since they heard last.
    stirred: SortedSet<DocumentKey>,
    /// How many of [`JUDGES`] there are.
    judges: u32,
    /// Namespaces that were found to ask nothing of their pods, until something of [`ADMISSION`] is
    /// written.
    lenient: FxHashSet<Symbol>,
    /// How many quotas a namespace has; only those that have any.
    quotas: SortedMap<Arc<str>, u32>,
    /// Namespaces with quotas in which something came, went or got another size since these looked
    /// last.
    counted: SortedSet<Arc<str>>,
    /// Who depends on whom, pods with references among them.
    dependents: Dependents,
}

/// Resources whose writes the volume controller hears of.
const STORAGE: [&str; 6] = [
    "persistentvolumeclaims",
    "persistentvolumes",
    "storageclasses.storage.k8s.io",
    "csinodes.storage.k8s.io",
    "csistoragecapacities.storage.k8s.io",
    "volumeattributesclasses.storage.k8s.io",
];

/// Resource of the attachments of volumes to nodes.
pub const ATTACHMENTS: &str = "volumeattachments.storage.k8s.io";

/// What makes policies matter.
pub const POLICY_BINDINGS: &str = "validatingadmissionpolicybindings.admissionregistration.k8s.io";

/// What may refuse requests by rules of its own.
const JUDGES: [&str; 3] = [POLICY_BINDINGS, CONFIGURATIONS[0], CONFIGURATIONS[1]];

/// Quotas of a namespace.
const QUOTAS: &str = "resourcequotas";

/// Resources whose writes alter what quotas count. Of others each object counts as one.
const SIZED: [&str; 2] = ["persistentvolumeclaims", "services"];

/// Resources that say what admission asks of a namespace's pods.
const ADMISSION: [&str; 8] = [
    "limitranges",
    "namespaces",
    "priorityclasses.scheduling.k8s.io",
    "resourcequotas",
    "serviceaccounts",
    POLICY_BINDINGS,
    CONFIGURATIONS[0],
    CONFIGURATIONS[1],
];

/// Resources whose writes the network drivers' agents hear of.
const NETWORKING: [&str; 2] = ["networkpolicies.networking.k8s.io", "namespaces"];

/// Roles of the whole cluster.
pub const CLUSTER_ROLES: &str = "clusterroles.rbac.authorization.k8s.io";

impl Documents {
    /// Whether a ClusterRole was written since the last call.
    pub const fn take_cluster_roles(&mut self) -> bool {
        std::mem::replace(&mut self.cluster_roles, false)
    }

    /// Whether a range of Services' addresses, or an address, was written since the last call.
    pub const fn take_cidrs(&mut self) -> bool {
        std::mem::replace(&mut self.cidrs, false)
    }

    /// Whether a network policy or a namespace was written since the last call.
    pub const fn take_networking(&mut self) -> bool {
        std::mem::replace(&mut self.networking, false)
    }

    /// Whether Endpoints that people keep, or what they depend on, were written since the last call.
    pub const fn take_mirrored(&mut self) -> bool {
        std::mem::replace(&mut self.mirrored, false)
    }

    /// Whether a namespace is known to ask nothing of its pods.
    pub fn is_lenient(&self, namespace: Symbol) -> bool {
        self.lenient.contains(&namespace)
    }

    /// Remembers that a namespace asks nothing of its pods.
    pub fn keep_lenient(&mut self, namespace: Symbol) {
        self.lenient.insert(namespace);
    }

    /// One document.
    pub fn get(&self, key: &DocumentKey) -> Option<&Document> {
        self.by_key.get(key)
    }

    /// One document, for writing.
    pub fn get_mut<'a>(&'a mut self, key: &'a DocumentKey) -> Option<Writing<'a>> {
        if !self.by_key.contains_key(key) {
            return None;
        }
        self.touch(key);
        if SIZED.contains(&&*key.resource) {
            self.count(&key.namespace);
        }
        let document = Arc::make_mut(&mut self.by_key).get_mut(key)?;
        Some(Writing::new(key, document, &mut self.dependents))
    }

    /// Who depends on whom.
    pub(super) const fn dependents(&self) -> &Dependents {
        &self.dependents
    }

    /// The same, for writing.
    pub(super) const fn dependents_mut(&mut self) -> &mut Dependents {
        &mut self.dependents
    }

    /// Adds one that a fresh cluster has: nobody needs to look at it.
    pub fn insert_quietly(&mut self, key: DocumentKey, document: Document) {
        self.lenient.clear();
        self.put(key, document);
    }

    fn put(&mut self, key: DocumentKey, document: Document) {
        let is_judge = JUDGES.contains(&&*key.resource);
        let is_endpoints = &*key.resource == endpoint_mirror::ENDPOINTS;
        self.count(&key.namespace);
        let quota_of = (&*key.resource == QUOTAS).then(|| key.namespace.clone());
        if let Some(before) = self.by_key.get(&key) {
            self.dependents.removed(&key, before);
        }
        self.dependents.added(&key, &document);
        let before = Arc::make_mut(&mut self.by_key).insert(key, document);
        self.judges += u32::from(is_judge && before.is_none());
        self.endpoints += u32::from(is_endpoints && before.is_none());
        if let Some(namespace) = quota_of.filter(|_| before.is_none()) {
            *self.quotas.entry(namespace).or_default() += 1;
        }
    }

    /// Whether there is any of [`JUDGES`].
    pub const fn has_judges(&self) -> bool {
        self.judges > 0
    }

    /// Says whether operators want to hear of writes.
    pub fn follow(&mut self, follows: bool) {
        self.follows = follows;
        self.stirred.clear();
    }

    /// What was written since the last call.
    pub fn take_stirred(&mut self) -> SortedSet<DocumentKey> {
        std::mem::take(&mut self.stirred)
    }

    fn touch(&mut self, key: &DocumentKey) {
        if self.follows {
            self.stirred.insert(key.clone());
        }
        self.cluster_roles |= &*key.resource == CLUSTER_ROLES;
        self.cidrs |= [service_cidr::RANGES, service_cidr::ADDRESSES].contains(&&*key.resource);
        self.mirrored |= endpoint_mirror::concerns(&key.resource)
            && (&*key.resource == endpoint_mirror::ENDPOINTS || self.endpoints > 1);
        self.networking |= NETWORKING.contains(&&*key.resource);
        if ADMISSION.contains(&&*key.resource) {
            self.lenient.clear();
        }
        let is_storage = STORAGE.contains(&&*key.resource);
        if is_storage || &*key.resource == ATTACHMENTS {
            let before = self.by_key.get(key).map(|document| document.value.clone());
            self.changes.entry(key.clone()).or_insert(before);
        }
        if is_storage {
            self.storage.insert(key.clone());
        }
        if matches!(&*key.resource, "configmaps" | "secrets") {
            self.sources.insert(key.clone());
        }
    }

    /// The ConfigMaps and Secrets that were written since the last call.
    pub fn take_sources(&mut self) -> SortedSet<DocumentKey> {
        std::mem::take(&mut self.sources)
    }

    /// Whether some claim, volume or class was written.
    pub fn has_storage(&self) -> bool {
        !self.storage.is_empty()
    }

    /// The claims, volumes and classes that were written since the last call.
    pub fn take_storage(&mut self) -> SortedSet<DocumentKey> {
        std::mem::take(&mut self.storage)
    }

    /// What the scheduler hears of claims, volumes and the like since the last call.
    pub fn take_changes(&mut self) -> SortedMap<DocumentKey, Option<Value>> {
        std::mem::take(&mut self.changes)
    }

    /// Whether one of the calls that take what was written since has something to take.
    pub fn has_news(&self) -> bool {
        self.networking
            || self.mirrored
            || self.cluster_roles
            || self.cidrs
            || self.has_storage()
            || self.has_counted()
            || !self.changes.is_empty()
            || !self.sources.is_empty()
    }

    /// Adds or replaces one.
    pub fn insert(&mut self, key: DocumentKey, document: Document) {
        self.touch(&key);
        self.put(key, document);
    }

    /// Removes one.
    pub fn remove(&mut self, key: &DocumentKey) -> Option<Document> {
        if !self.by_key.contains_key(key) {
            return None;
        }
        self.touch(key);
        self.judges -= u32::from(JUDGES.contains(&&*key.resource));
        self.endpoints -= u32::from(&*key.resource == endpoint_mirror::ENDPOINTS);
        if &*key.resource == QUOTAS
            && let Some(quotas) = self.quotas.get_mut(&key.namespace)
        {
            *quotas -= 1;
            if *quotas == 0 {
                self.quotas.remove(&key.namespace);
            }
        }
        self.count(&key.namespace);
        let gone = Arc::make_mut(&mut self.by_key).remove(key)?;
        self.dependents.removed(key, &gone);
        Some(gone)
    }

    /// Something that quotas may count came, went or got another size.
    pub fn count(&mut self, namespace: &Arc<str>) {
        if self.quotas.contains_key(namespace) {
            self.counted.insert(namespace.clone());
        }
    }

    /// Whether there are any of [`Self::take_counted`].
    pub fn has_counted(&self) -> bool {
        !self.counted.is_empty()
    }

    /// Namespaces whose quotas have something to count since the last call.
    pub fn take_counted(&mut self) -> SortedSet<Arc<str>> {
        std::mem::take(&mut self.counted)
    }

    /// All of a resource in a namespace, by name.
    pub fn within(
        &self,
        resource: &str,
        namespace: &str,
    ) -> impl Iterator<Item = (&DocumentKey, &Document)> {
        let from = DocumentKey {
            resource: resource.into(),
            namespace: namespace.into(),
            name: "".into(),
        };
        let (resource, namespace) = (from.resource.clone(), from.namespace.clone());
        self.by_key
            .since(&from)
            .take_while(move |(key, _)| key.resource == resource && key.namespace == namespace)
    }

    /// All of a resource, by namespace and name.
    pub fn of(&self, resource: &str) -> impl Iterator<Item = (&DocumentKey, &Document)> {
        let from = DocumentKey {
            resource: resource.into(),
            namespace: "".into(),
            name: "".into(),
        };
        let resource: Arc<str> = resource.into();
        self.by_key
            .since(&from)
            .take_while(move |(key, _)| key.resource == resource)
    }

    /// All documents.
    pub fn iter(&self) -> impl Iterator<Item = (&DocumentKey, &Document)> {
        self.by_key.iter()
    }
}
