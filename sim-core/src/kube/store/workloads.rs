//! Writes to Deployments, ReplicaSets and Services.

use std::sync::Arc;

use crate::base::glance::glance;
use crate::base::name::Name;
use crate::base::symbol::Symbol;
use crate::kube::rows::pod::{NO_POD, PodFlags, PodRow};
use crate::kube::rows::service::ServiceRow;
use crate::kube::rows::workload::{DeploymentRow, OwnerKind, Part, ReplicaSetRow};
use crate::kube::rows::{DeploymentId, PodId, ReplicaSetId, ServiceId};

use super::dependents::RowOwner;
use super::{Change, Store};

const REPLICA_SETS: &str = "replicasets.apps";

impl Store {
    /// A Deployment.
    pub fn deployment(&self, id: DeploymentId) -> Option<&DeploymentRow> {
        self.deployments.get(id)
    }

    /// All Deployments.
    pub fn deployments(&self) -> impl Iterator<Item = (DeploymentId, &DeploymentRow)> {
        self.deployments.iter()
    }

    /// Creates a Deployment.
    pub fn add_deployment(&mut self, mut row: DeploymentRow) -> DeploymentId {
        row.revision = self.revision.bump();
        self.roster += 1;
        let id = self.deployments.insert(row);
        self.log.push(Change::Deployment(id, true));
        id
    }

    /// Writes a Deployment; `spec` says whether its spec or annotations changed.
    pub fn write_deployment(
        &mut self,
        id: DeploymentId,
        spec: bool,
        change: impl FnOnce(&mut DeploymentRow),
    ) {
        let revision = self.revision.bump();
        let Some(row) = self.deployments.get_mut(id) else {
            return;
        };
        change(row);
        row.revision = revision;
        if spec {
            row.generation += 1;
        }
        self.log.push(Change::Deployment(id, spec));
    }

    /// Changes what the controller derived and nobody watches.
    pub fn deployment_mut(&mut self, id: DeploymentId) -> Option<&mut DeploymentRow> {
        self.deployments.get_mut(id)
    }

    /// Removes a Deployment.
    pub fn remove_deployment(&mut self, id: DeploymentId) {
        if let Some(row) = self.deployments.remove(id) {
            let mut sets = row.replica_sets;
            sets.sort_unstable();
            self.orphan_sets.insert(id, sets);
            self.roster += 1;
            self.revision.bump();
            self.log.push(Change::DeploymentRemoved(id));
        }
    }

    /// A ReplicaSet, or another controller of pods.
    pub fn replica_set(&self, id: ReplicaSetId) -> Option<&ReplicaSetRow> {
        self.replica_sets.get(id)
    }

    /// Reads a controller of pods before its turn.
    pub fn glance_at_set(&self, id: ReplicaSetId) {
        if let Some(row) = self.replica_sets.get(id) {
            glance((row.creating, row.ordinal, row.template, row.first_pod));
            glance((row.kind, row.pods.active, row.status.active));
            glance(self.template(row.template).refers);
        }
    }

    /// All ReplicaSets.
    pub fn replica_sets(&self) -> impl Iterator<Item = (ReplicaSetId, &ReplicaSetRow)> {
        self.replica_sets
            .iter()
            .filter(|(_, row)| row.kind == OwnerKind::ReplicaSet)
    }

    /// All controllers of pods, ReplicaSets among them.
    pub fn pod_controllers(&self) -> impl Iterator<Item = (ReplicaSetId, &ReplicaSetRow)> {
        self.replica_sets.iter()
    }

    /// The controller of pods of that kind and name.
    pub fn pod_controller_named(
        &self,
        kind: OwnerKind,
        namespace: Symbol,
        name: Symbol,
    ) -> Option<ReplicaSetId> {
        let key = (kind, namespace, name);
        self.controller_names.get(&key).copied()
    }

    /// The ReplicaSet of that name.
    pub fn replica_set_named(&self, namespace: Symbol, name: Symbol) -> Option<ReplicaSetId> {
        self.pod_controller_named(OwnerKind::ReplicaSet, namespace, name)
    }

    /// Creates a ReplicaSet and lists it at its Deployment.
    pub fn add_replica_set(&mut self, mut row: ReplicaSetRow) -> ReplicaSetId {
        row.revision = self.revision.bump();
        row.first_pod = NO_POD;
        self.roster += 1;
        let owner = row.owner;
        let key = (row.kind, row.namespace, row.name);
        let waits = row.foreground && row.kind == OwnerKind::ReplicaSet;
        let id = self.replica_sets.insert(row);
        if waits {
            self.foreground.insert(id);
        }
        self.count(key.1);
        Arc::make_mut(&mut self.controller_names).insert(key, id);
        if let Some(deployment) = owner.and_then(|owner| self.deployments.get_mut(owner)) {
            deployment.replica_sets.push(id);
        }
        self.log.push(Change::ReplicaSet(id, true));
        id
    }

    /// Writes a ReplicaSet; `spec` says whether its spec changed.
    pub fn write_replica_set(
        &mut self,
        id: ReplicaSetId,
        spec: bool,
        change: impl FnOnce(&mut ReplicaSetRow),
    ) {
        let revision = self.revision.bump();
        let Some(row) = self.replica_sets.get_mut(id) else {
            return;
        };
        let min_ready = row.min_ready_s;
        let waited = row.foreground;
        change(row);
        row.revision = revision;
        let waits =
            (!waited && row.foreground && row.kind == OwnerKind::ReplicaSet).then(|| RowOwner {
                resource: REPLICA_SETS,
                namespace: Some(row.namespace),
                name: Name::plain(row.name),
            });
        if spec {
            row.generation += 1;
        }
        let relaxed = row.min_ready_s == 0 && min_ready != 0;
        self.log.push(Change::ReplicaSet(id, spec));
        if let Some(owner) = waits {
            self.foreground.insert(id);
            self.documents.dependents_mut().row(owner);
        }
        if relaxed {
            let waiting: Vec<PodId> = self
                .pods_of(id)
                .filter(|(_, pod)| awaits_availability(pod))
                .map(|(pod, _)| pod)
                .collect();
            for pod in waiting {
                self.set_available(pod);
            }
        }
    }

    /// Changes what the controller keeps to itself.
    pub fn replica_set_mut(&mut self, id: ReplicaSetId) -> Option<&mut ReplicaSetRow> {
        self.replica_sets.get_mut(id)
    }

    /// Removes a ReplicaSet. Its pods keep its stale id until the garbage collector sees them.
    pub fn remove_replica_set(&mut self, id: ReplicaSetId) {
        let pods: Vec<PodId> = self.pods_of(id).map(|(pod, _)| pod).collect();
        if let Some(row) = self.replica_sets.remove(id) {
            self.roster += 1;
            let key = (row.kind, row.namespace, row.name);
            self.count(row.namespace);
            Arc::make_mut(&mut self.controller_names).remove(&key);
            if let Some(deployment) = row.owner.and_then(|owner| self.deployments.get_mut(owner)) {
                deployment.replica_sets.retain(|other| *other != id);
            }
            self.revision.bump();
            self.kept.remove(&id);
            self.foreground.remove(&id);
            self.row_gone(RowOwner {
                resource: REPLICA_SETS,
                namespace: Some(row.namespace),
                name: Name::plain(row.name),
            });
            self.orphans.insert(id, pods);
            self.log.push(Change::ReplicaSetRemoved(id, row.owner));
            if let Part::Job(part) = &row.part
                && let Some(cron_job) = part.cron_job
                && let Some(cron_job) = self.cron_job_named(row.namespace, cron_job)
            {
                self.log.push(Change::Watched(cron_job, true));
            }
        }
    }

    /// A Service.
    pub fn service(&self, id: ServiceId) -> Option<&ServiceRow> {
        self.services.get(id)
    }

    /// The Service of a name.
    pub fn service_named(&self, namespace: Symbol, name: Symbol) -> Option<ServiceId> {
        self.service_names.get(&(namespace, name)).copied()
    }

    /// All Services.
    pub fn services(&self) -> impl Iterator<Item = (ServiceId, &ServiceRow)> {
        self.services.iter()
    }

    /// Creates a Service.
    pub fn add_service(&mut self, mut row: ServiceRow) -> ServiceId {
        row.revision = self.revision.bump();
        let name = (row.namespace, row.name);
        let id = self.services.insert(row);
        Arc::make_mut(&mut self.service_names).insert(name, id);
        self.log.push(Change::Service(id));
        id
    }

    /// Writes a Service.
    pub fn write_service(&mut self, id: ServiceId, change: impl FnOnce(&mut ServiceRow)) {
        let revision = self.revision.bump();
        let Some(row) = self.services.get_mut(id) else {
            return;
        };
        change(row);
        row.revision = revision;
        self.log.push(Change::Service(id));
    }

    /// Changes what the controllers keep to themselves.
    pub fn service_mut(&mut self, id: ServiceId) -> Option<&mut ServiceRow> {
        self.services.get_mut(id)
    }

    /// Removes a Service.
    pub fn remove_service(&mut self, id: ServiceId) {
        if let Some(row) = self.services.remove(id) {
            let name = (row.namespace, row.name);
            Arc::make_mut(&mut self.service_names).remove(&name);
            self.revision.bump();
            self.log.push(Change::ServiceRemoved(id));
            self.services_gone.push(row);
        }
    }

    /// Whether Services have gone since they were taken last.
    pub(super) const fn has_services_gone(&self) -> bool {
        !self.services_gone.is_empty()
    }

    /// Services that have gone since the last call, whoever removed them.
    pub fn take_services_gone(&mut self) -> Vec<ServiceRow> {
        std::mem::take(&mut self.services_gone)
    }
}

const fn awaits_availability(pod: &PodRow) -> bool {
    pod.is_ready() && !pod.flags.has(PodFlags::AVAILABLE)
}
