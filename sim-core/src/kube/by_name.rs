//! What runs pods, by name: which pods and sandboxes stand behind a workload.

use std::num::NonZeroU32;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::base::arrange::Arrange;
use crate::base::hash::FxHashMap;
use crate::base::name::Name;
use crate::base::symbol::{Symbol, Symbols};
use crate::substrate::order::{MachineId, Owner, SandboxId};

use super::rows::pod::{PodRow, signed_s};
use super::rows::workload::OwnerKind;
use super::rows::{DeploymentId, PodId, ReplicaSetId};
use super::{KubePlane, Request};

/// What runs pods, by its name.
#[derive(Debug, Default)]
pub struct ByName {
    deployments: FxHashMap<Symbol, DeploymentId>,
    sets: FxHashMap<Symbol, SmallVec<[ReplicaSetId; 2]>>,
    pods: FxHashMap<Name, Vec<PodId>>,
}

impl KubePlane {
    /// The sandbox of a pod.
    pub fn sandbox_of(&self, namespace: &str, name: &str, symbols: &Symbols) -> Option<SandboxId> {
        let pod = self.store.pod_named(namespace, name, symbols)?;
        self.store.pod_details(pod).sandbox
    }

    /// The sandbox of a pod by its name, in whatever namespace.
    pub fn sandbox_named(&self, name: &str, symbols: &Symbols) -> Option<SandboxId> {
        let (pod, _) = self
            .store
            .pods()
            .find(|(_, row)| row.name.is(name, symbols))?;
        self.store.pod_details(pod).sandbox
    }

    /// Sandboxes of a workload's active pods, the oldest first.
    pub fn sandboxes_of(&self, workload: &str, symbols: &Symbols) -> Vec<SandboxId> {
        let name = symbols.get(workload);
        name.map_or_else(Vec::new, |name| {
            self.sandboxes_named(name, &self.workloads_by_name())
        })
    }

    /// What runs pods, by name: one look for all workloads, which holds for as long as
    /// [`Self::roster`] does.
    pub fn workloads_by_name(&self) -> ByName {
        let mut by_name = ByName::default();
        for (id, row) in self.store.pod_controllers() {
            by_name.sets.entry(row.name).or_default().push(id);
        }
        for (id, row) in self.store.deployments() {
            // The first of a name, of whatever namespace.
            by_name.deployments.entry(row.name).or_insert(id);
        }
        for id in self.store.lonely_pods() {
            if let Some(row) = self.store.pod(*id) {
                by_name.pods.entry(row.name).or_default().push(*id);
            }
        }
        by_name
    }

    /// A number that grows when a workload comes or goes.
    pub const fn roster(&self) -> u32 {
        self.store.roster()
    }

    fn sandboxes_named(&self, name: Symbol, by_name: &ByName) -> Vec<SandboxId> {
        let sets = self.sets_named(name, by_name).iter();
        let mut pods: Vec<(PodId, &PodRow)> = sets
            .flat_map(|set| self.store.pods_of(*set))
            .chain(self.lonely_named(name, by_name))
            .filter(|(_, row)| row.is_active())
            .collect();
        pods.arrange_by_key(|(id, row)| (signed_s(row.created_s), *id));
        pods.iter()
            .filter_map(|(id, _)| self.store.pod_details(*id).sandbox)
            .collect()
    }

    /// The sets whose pods are a workload's.
    pub fn sets_named<'a>(&'a self, name: Symbol, by_name: &'a ByName) -> &'a [ReplicaSetId] {
        let deployment = by_name.deployments.get(&name);
        match deployment.and_then(|id| self.store.deployment(*id)) {
            Some(row) => row.replica_sets.as_slice(),
            None => by_name.sets.get(&name).map_or(&[][..], SmallVec::as_slice),
        }
    }

    /// Sandboxes of a set's active pods, in no order that means anything.
    pub fn sandboxes_in(&self, set: ReplicaSetId) -> impl Iterator<Item = SandboxId> {
        let pods = self.store.pods_of(set);
        let active = pods.filter(|(_, row)| row.is_active());
        active.filter_map(|(id, _)| self.store.pod_details(id).sandbox)
    }

    /// Sandboxes of the active pods of this name that no controller made.
    pub fn lonely_sandboxes<'a>(
        &'a self,
        name: Symbol,
        by_name: &'a ByName,
    ) -> impl Iterator<Item = SandboxId> + 'a {
        let pods = self.lonely_named(name, by_name);
        let active = pods.filter(|(_, row)| row.is_active());
        active.filter_map(|(id, _)| self.store.pod_details(id).sandbox)
    }

    fn lonely_named<'a>(
        &'a self,
        name: Symbol,
        by_name: &'a ByName,
    ) -> impl Iterator<Item = (PodId, &'a PodRow)> {
        let lonely = by_name.pods.get(&Name::plain(name)).into_iter().flatten();
        lonely.filter_map(|id| Some((*id, self.store.pod(*id)?)))
    }

    /// The set that has the pod, which an owner is in the substrate's words, among its active ones.
    pub fn set_of(&self, owner: Owner) -> Option<ReplicaSetId> {
        let generation = NonZeroU32::new(owner.generation)?;
        let row = self.store.pod(PodId::new(owner.slot, generation))?;
        row.owner.filter(|_| row.is_active())
    }

    /// How often the sandboxes of a set's active pods became others.
    pub fn turnover(&self, set: ReplicaSetId) -> Option<u32> {
        Some(self.store.replica_set(set)?.turnover)
    }

    /// Namespaces and names of the pods of a machine that a drain evicts: all but those of DaemonSets
    /// and mirrors of static pods. Source: `staging/src/k8s.io/kubectl/pkg/drain/filters.go`.
    pub fn drainable(&self, machine: MachineId, symbols: &Symbols) -> Vec<(Arc<str>, Arc<str>)> {
        let Some(node) = self.store.node_of(machine) else {
            return Vec::new();
        };
        let stays = |row: &PodRow| {
            let owner = row.owner.and_then(|owner| self.store.replica_set(owner));
            let template = self.store.template(row.template);
            let mirror = "kubernetes.io/config.mirror";
            owner.is_some_and(|owner| owner.kind == OwnerKind::DaemonSet)
                || template.annotations.iter().any(|(key, _)| &**key == mirror)
        };
        let mut pods: Vec<(PodId, &PodRow)> = self
            .store
            .pods_on(node)
            .filter(|(_, row)| !row.is_terminating() && !stays(row))
            .collect();
        pods.arrange_by_key(|(pod, _)| *pod);
        pods.iter()
            .map(|(_, row)| {
                let namespace = symbols.text(self.store.template(row.template).namespace);
                (namespace.into(), row.name.text(symbols).into())
            })
            .collect()
    }

    /// The request that deletes, without grace, the pod that owns a sandbox.
    pub fn delete_pod_of(&self, sandbox: SandboxId, symbols: &Symbols) -> Option<Request> {
        let (_, row) = self
            .store
            .pods()
            .find(|(id, _)| self.store.pod_details(*id).sandbox == Some(sandbox))?;
        Some(Request::Delete {
            kind: "Pod".into(),
            namespace: symbols
                .text(self.store.template(row.template).namespace)
                .into(),
            name: row.name.text(symbols).into(),
            propagation: None,
            grace_seconds: Some(0),
        })
    }
}
