//! The controller manager: one folder or file per loop, and the work queues they share the shape of.

pub mod admission;
pub mod adoption;
pub mod autoscaler;
pub mod cron_job;
pub mod daemon_set;
pub mod deployment;
pub mod disruption;
pub mod distances;
pub mod endpoint_mirror;
pub mod endpoint_slice;
pub mod garbage_collector;
pub mod hands;
pub mod job;
pub mod node_ipam;
pub mod node_lifecycle;
pub mod operators;
pub mod pod_gc;
pub mod quota;
pub mod replica_set;
pub mod restart;
pub mod revisions;
pub mod service_account;
pub mod service_cidr;
pub mod stateful_set;
pub mod taint_eviction;

use crate::base::hash::FxHashSet;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::time::{SimDuration, SimTime};

use super::apiserver::ApiServer;
use super::apiserver::rbac::aggregation;
use super::event::{Event, Key};
use super::heartbeat::Heartbeats;
use super::limiter::Limiter;
use super::proxy::Proxy;
use super::rows::pod::{PodCondition, PodFlags, PodRow, signed_s};
use super::rows::watched::WatchedKind;
use super::rows::workload::OwnerKind;
use super::rows::{DeploymentId, PodId, ReplicaSetId, WatchedId};
use super::settings::Settings;
use super::status::WorkloadKey;
use super::store::{Change, Store};
use super::turn::Turn;

use autoscaler::AutoscalerController;
use cron_job::CronJobController;
use daemon_set::DaemonSetController;
use deployment::DeploymentController;
use distances::Distances;
use endpoint_slice::EndpointSliceController;
use garbage_collector::GarbageCollector;
use job::JobController;
use node_lifecycle::NodeLifecycle;
use operators::Operators;
use pod_gc::PodGc;
use replica_set::ReplicaSetController;
use stateful_set::StatefulSetController;
use taint_eviction::TaintEviction;

/// All loops and their queues.
#[derive(Clone, Debug)]
pub struct Controllers {
    pending: FxHashSet<Key>,
    /// Keys whose worker waits for the client, each with a token taken for it.
    blocked: FxHashSet<Key>,
    deployment: DeploymentController,
    replica_set: ReplicaSetController,
    stateful_set: StatefulSetController,
    daemon_set: DaemonSetController,
    job: JobController,
    cron_job: CronJobController,
    autoscaler: AutoscalerController,
    /// Jobs whose pods changed: looked at together after a while.
    batched: FxHashSet<Key>,
    /// Controllers that may have pods to take over.
    adopting: SortedSet<ReplicaSetId>,
    endpoint_slice: EndpointSliceController,
    proxy: Proxy,
    node_lifecycle: NodeLifecycle,
    taint_eviction: TaintEviction,
    garbage_collector: GarbageCollector,
    pod_gc: PodGc,
    /// `minReadySeconds` of controllers that ask for any.
    min_ready_s: SortedMap<ReplicaSetId, i64>,
    operators: Operators,
    distances: Distances,
}

impl Default for Controllers {
    fn default() -> Self {
        let settings = Settings::default();
        let limiter = Limiter::new(settings.kube_api_qps, settings.kube_api_burst);
        Self {
            pending: FxHashSet::default(),
            blocked: FxHashSet::default(),
            deployment: DeploymentController::new(limiter),
            replica_set: ReplicaSetController {
                limiter,
                deletions: SortedMap::new(),
                refusals: SortedMap::new(),
            },
            stateful_set: StatefulSetController::new(limiter),
            daemon_set: DaemonSetController::new(limiter),
            job: JobController::new(limiter),
            cron_job: CronJobController::default(),
            autoscaler: AutoscalerController::default(),
            batched: FxHashSet::default(),
            adopting: SortedSet::new(),
            endpoint_slice: EndpointSliceController::new(limiter),
            proxy: Proxy::default(),
            node_lifecycle: NodeLifecycle::default(),
            taint_eviction: TaintEviction::default(),
            garbage_collector: GarbageCollector::default(),
            pod_gc: PodGc::default(),
            min_ready_s: SortedMap::new(),
            operators: Operators::default(),
            distances: Distances::default(),
        }
    }
}

impl Controllers {
    /// Distance of all workloads with a controller, and keys that are still queued.
    pub fn unmet(&self, store: &Store) -> u64 {
        self.lacked(store) + self.queued()
    }

    /// Distance of all workloads with a controller.
    pub fn lacked(&self, store: &Store) -> u64 {
        self.distances.sum(store)
    }

    /// Whether that is more than nothing.
    pub fn lack(&mut self, store: &Store) -> bool {
        self.queued() > 0 || self.distances.lack(store)
    }

    fn queued(&self) -> u64 {
        (self.pending.len() + self.batched.len()) as u64
            + self.proxy.waiting()
            + self.operators.waiting()
    }

    /// Follows a change of the clients' rates.
    pub fn configure(&mut self, settings: &Settings) {
        for limiter in [
            &mut self.deployment.limiter,
            &mut self.replica_set.limiter,
            &mut self.stateful_set.hands.limiter,
            &mut self.daemon_set.hands.limiter,
            &mut self.job.hands.limiter,
            &mut self.endpoint_slice.limiter,
        ] {
            limiter.configure(settings.kube_api_qps, settings.kube_api_burst);
        }
    }

    /// Operators that a person has brought.
    pub const fn operators(&self) -> &Operators {
        &self.operators
    }

    /// Operators that a person brings.
    pub const fn operators_mut(&mut self) -> &mut Operators {
        &mut self.operators
    }

    /// Samples that a person has set.
    pub const fn samples(&self) -> &autoscaler::metrics::Overrides {
        &self.autoscaler.overrides
    }

    /// Samples that a person sets.
    pub const fn samples_mut(&mut self) -> &mut autoscaler::metrics::Overrides {
        &mut self.autoscaler.overrides
    }

    /// A key has left its queue.
    pub fn taken(&mut self, key: Key) {
        self.pending.remove(&key);
    }

    /// Handles an event of the controller manager.
    pub fn handle(
        &mut self,
        event: Event,
        heartbeats: &mut Heartbeats,
        apiserver: &mut ApiServer,
        turn: &mut Turn<'_, '_>,
    ) {
        match event {
            Event::Sync(key) => self.sync(key, apiserver, turn),
            Event::CreatePod(set) => {
                match owner_kind(set, turn) {
                    OwnerKind::ReplicaSet | OwnerKind::ReplicationController => {
                        self.replica_set.create_one(set, turn);
                    }
                    OwnerKind::StatefulSet => self.stateful_set.hands.create_one(set, turn),
                    OwnerKind::DaemonSet => self.daemon_set.hands.create_one(set, turn),
                    OwnerKind::Job => self.job.hands.create_one(set, turn),
                }
                if turn
                    .store
                    .replica_set(set)
                    .is_some_and(|row| row.creating == 0)
                {
                    self.enqueue(Key::ReplicaSet(set), turn);
                }
            }
            Event::DeletePod(pod) => {
                let owner = if self.daemon_set.hands.deletes(pod) {
                    self.daemon_set.hands.delete_one(pod, turn)
                } else if self.job.hands.deletes(pod) {
                    self.job.hands.delete_one(pod, turn)
                } else {
                    self.replica_set.delete_one(pod, turn)
                };
                if let Some(set) = owner {
                    self.enqueue(Key::ReplicaSet(set), turn);
                }
            }
            Event::PodAvailable(pod) => self.pod_available(pod, turn),
            Event::NodeCheck(node) => self.node_lifecycle.check(node, heartbeats, turn),
            Event::MonitorTick => self.node_lifecycle.tick(turn),
            Event::EvictionTick => self.node_lifecycle.evict(turn),
            Event::TolerationEnds(pod) => self.taint_eviction.toleration_ends(pod, turn),
            Event::DisruptionStale(pod) => disruption::stale(pod, turn),
            Event::PodGc => self.pod_gc.round(turn),
            Event::ProxySync => self.proxy.sync(turn),
            Event::NodeStatus(_)
            | Event::VolumeSync
            | Event::PolicySync
            | Event::AttachPass
            | Event::Scheduler(_)
            | Event::Kubelet(_)
            | Event::ControlPlane(_) => {
                unreachable!("not of the controller manager")
            }
        }
    }

    fn sync(&mut self, key: Key, apiserver: &mut ApiServer, turn: &mut Turn<'_, '_>) {
        self.pending.remove(&key);
        self.batched.remove(&key);
        if let Key::ReplicaSet(id) = key
            && let Some(row) = turn.store.replica_set(id)
            && row.creating + row.deleting_pods > 0
        {
            // Its worker is still at the creations or deletions of the last pass, and writes the
            // status when they are done; the key is looked at again then.
            // Source: `pkg/controller/replicaset/replica_set.go` (syncReplicaSet).
            return;
        }
        // A worker whose client is out of tokens blocks. It takes its turn at once, so that each key
        // waits once however many wait with it.
        let limiter = match key {
            Key::Deployment(_) => Some(&mut self.deployment.limiter),
            Key::ReplicaSet(id) => match owner_kind(id, turn) {
                OwnerKind::ReplicaSet | OwnerKind::ReplicationController => {
                    Some(&mut self.replica_set.limiter)
                }
                OwnerKind::StatefulSet => Some(&mut self.stateful_set.hands.limiter),
                OwnerKind::DaemonSet => Some(&mut self.daemon_set.hands.limiter),
                OwnerKind::Job => Some(&mut self.job.hands.limiter),
            },
            Key::Service(_) => Some(&mut self.endpoint_slice.limiter),
            _ => None,
        };
        if let Some(limiter) = limiter {
            if self.blocked.remove(&key) {
                limiter.give_back();
            } else if limiter.ready_at(turn.now()) > turn.now() {
                let at = limiter.take(turn.now());
                self.blocked.insert(key);
                self.pending.insert(key);
                turn.at(at, Event::Sync(key));
                return;
            }
        }
        match key {
            Key::Deployment(id) => {
                self.distances.touch(WorkloadKey::Deployment(id));
                self.deployment.sync(id, turn);
                self.garbage_collector.deployment(id, turn);
            }
            Key::ReplicaSet(id) => {
                if self.adopting.remove(&id) {
                    adoption::adopt(id, turn);
                }
                self.touch(id, turn);
                match owner_kind(id, turn) {
                    OwnerKind::ReplicaSet | OwnerKind::ReplicationController => {
                        self.replica_set.sync(id, turn);
                    }
                    OwnerKind::StatefulSet => self.stateful_set.sync(id, turn),
                    OwnerKind::DaemonSet => self.daemon_set.sync(id, turn),
                    OwnerKind::Job => self.job.sync(id, turn),
                }
                self.garbage_collector.replica_set(id, turn);
            }
            Key::Watched(id) => self.sync_watched(id, apiserver, turn),
            Key::Owners => self.garbage_collector.look(turn),
            Key::Operators => self.operators.sync(apiserver, turn),
            Key::Service(id) => {
                if let Some(later) = self.endpoint_slice.sync(id, &mut self.proxy, turn) {
                    self.pending.insert(key);
                    turn.at(later, Event::Sync(key));
                }
            }
            Key::OrphanedPods(id) => self.garbage_collector.orphaned_pods(id, turn),
            Key::OrphanedReplicaSets(id) => self.garbage_collector.orphaned_replica_sets(id, turn),
            Key::NodeTaints(node) => self.node_lifecycle.taint_pass(node, turn),
            Key::NodeRange(node) => node_ipam::sync(node, turn),
            Key::NodeEvictions(node) => self.taint_eviction.sync(node, turn),
            Key::ServiceAccounts => service_account::sync(turn),
            Key::ClusterRoles => aggregation::sync(turn),
            Key::ServiceCidrs => {
                if let Some(later) = service_cidr::sync(turn) {
                    self.pending.insert(key);
                    turn.at(later, Event::Sync(key));
                }
            }
            Key::Endpoints => endpoint_mirror::sync(turn),
            Key::Namespaces => unreachable!("the API server's own"),
        }
    }

    fn sync_watched(&mut self, id: WatchedId, apiserver: &mut ApiServer, turn: &mut Turn<'_, '_>) {
        match turn.store.watched(id).map(|row| row.kind) {
            Some(WatchedKind::Quota) => quota::sync(id, turn),
            Some(WatchedKind::CronJob) => self.cron_job.sync(id, apiserver, turn),
            Some(WatchedKind::Autoscaler) => self.autoscaler.sync(id, apiserver, turn),
            Some(WatchedKind::Budget) => disruption::sync(id, turn),
            None => {}
        }
    }

    /// Puts a key into its loop's queue, once.
    fn enqueue(&mut self, key: Key, turn: &mut Turn<'_, '_>) {
        if self.pending.insert(key) {
            turn.after(turn.store.watch_lag(), Event::Sync(key));
        }
    }

    /// Endpoints, or a Service beside some, were written.
    pub fn endpoints_written(&mut self, turn: &mut Turn<'_, '_>) {
        self.enqueue(Key::Endpoints, turn);
    }

    /// What the accounts' controllers keep was written.
    pub fn accounts_written(&mut self, turn: &mut Turn<'_, '_>) {
        self.enqueue(Key::ServiceAccounts, turn);
    }

    /// A range of Services' addresses was written, or an address.
    pub fn cidrs_written(&mut self, turn: &mut Turn<'_, '_>) {
        self.enqueue(Key::ServiceCidrs, turn);
    }

    /// A ClusterRole was written: aggregated ones are looked at.
    pub fn roles_written(&mut self, turn: &mut Turn<'_, '_>) {
        self.enqueue(Key::ClusterRoles, turn);
    }

    /// Whether a pass over a set would do nothing, as things stand: its worker is still at its
    /// creations or deletions, whose last one has the set looked at again, or there is nothing to
    /// make, delete or write. Whatever alters that enqueues the set itself, so that such a pass is no
    /// event; there is one for most writes of a pod. From an old cache a worker may write what stands.
    pub(super) fn would_change_nothing(
        &self,
        id: ReplicaSetId,
        fresh: bool,
        turn: &Turn<'_, '_>,
    ) -> bool {
        let Some(row) = turn.store.replica_set(id) else {
            return false;
        };
        let by_replica_set = matches!(
            row.kind,
            OwnerKind::ReplicaSet | OwnerKind::ReplicationController
        );
        row.creating + row.deleting_pods > 0
            || fresh
                && by_replica_set
                && !self.adopting.contains(&id)
                && self.replica_set.is_settled(id, row)
    }

    /// Puts a key into its loop's queue after a while, so that what happens until then is handled at
    /// once.
    fn enqueue_batched(&mut self, key: Key, turn: &mut Turn<'_, '_>) {
        if self.batched.insert(key) {
            turn.after(job::BATCH, Event::Sync(key));
        }
    }

    fn touch(&mut self, set: ReplicaSetId, turn: &Turn<'_, '_>) {
        let owner = turn.store.replica_set(set).and_then(|row| row.owner);
        self.distances
            .touch(owner.map_or(WorkloadKey::Set(set), WorkloadKey::Deployment));
    }

    /// Sees a write. `fresh`: what the loops read is not older than the store.
    pub fn observe(&mut self, change: Change, fresh: bool, turn: &mut Turn<'_, '_>) {
        self.operators.observe(change, turn);
        match change {
            Change::PodCreated(pod)
            | Change::PodBound(pod)
            | Change::PodTerminating(pod)
            | Change::PodStatus(pod)
            | Change::PodTemplate(pod, _) => {
                let Some(row) = turn.store.pod(pod).copied() else {
                    return;
                };
                self.pod_gc.pod_changed(pod, Some(&row), turn);
                self.pod_changed(change, pod, &row, fresh, turn);
            }
            Change::PodRemoved(pod, row) => {
                self.taint_eviction.forget(pod, &row, turn);
                self.pod_gc.pod_changed(pod, None, turn);
                self.pod_changed(change, pod, &row, fresh, turn);
            }
            Change::NodeAdded(node) | Change::NodeUpdated(node) => {
                self.enqueue_daemon_sets(turn);
                self.enqueue(Key::NodeTaints(node), turn);
                if turn.store.node(node).is_some_and(|row| row.by_hand) {
                    self.enqueue(Key::NodeRange(node), turn);
                }
                if self.taint_eviction.concerns(node, turn) {
                    self.enqueue(Key::NodeEvictions(node), turn);
                }
                self.node_lifecycle.observe(node, turn);
                self.pod_gc.node_updated(node, turn);
            }
            Change::NodeImages(_) => {}
            Change::NodeRemoved(node, machine, name) => {
                self.enqueue_daemon_sets(turn);
                self.node_lifecycle.forget(node, name, turn);
                node_ipam::forget(machine, turn);
                self.pod_gc.node_removed(node, turn);
            }
            Change::Deployment(id, _) => {
                self.distances.touch(WorkloadKey::Deployment(id));
                self.enqueue(Key::Deployment(id), turn);
            }
            Change::DeploymentRemoved(id) => {
                self.distances.touch(WorkloadKey::Deployment(id));
                self.enqueue(Key::OrphanedReplicaSets(id), turn);
            }
            Change::ReplicaSet(id, spec) => {
                self.touch(id, turn);
                let row = turn.store.replica_set(id);
                if spec && row.is_some_and(|row| row.observed == 0) {
                    self.adopting.insert(id);
                }
                if spec || row.is_some_and(|row| row.deleting) {
                    self.enqueue(Key::ReplicaSet(id), turn);
                }
                if spec {
                    self.follow_min_ready(id, turn);
                }
                for deployment in self.deployment.observe(id, turn) {
                    self.enqueue(Key::Deployment(deployment), turn);
                }
                if let Some(owner) = row_owner(id, turn) {
                    self.enqueue(Key::Deployment(owner), turn);
                }
                if let Some(cron_job) = job::cron_job(id, turn) {
                    self.enqueue(Key::Watched(cron_job), turn);
                }
            }
            Change::ReplicaSetRemoved(id, owner) => {
                self.min_ready_s.remove(&id);
                self.distances.touch(WorkloadKey::Set(id));
                self.enqueue(Key::OrphanedPods(id), turn);
                if let Some(owner) = owner {
                    self.distances.touch(WorkloadKey::Deployment(owner));
                    self.enqueue(Key::Deployment(owner), turn);
                }
            }
            Change::Service(id) => {
                self.endpoint_slice.service_changed(id, turn);
                self.enqueue(Key::Service(id), turn);
                self.proxy.service_changed(id, turn);
            }
            Change::ServiceRemoved(id) => {
                self.endpoint_slice.service_removed();
                self.proxy.service_removed(id, turn);
                if service_cidr::is_due(turn.store) {
                    self.cidrs_written(turn);
                }
            }
            Change::Watched(id, spec) => {
                if spec {
                    self.enqueue(Key::Watched(id), turn);
                }
            }
            Change::WatchedRemoved(_) => {}
            Change::OwnerRemoved => {
                self.enqueue(Key::Owners, turn);
                if service_account::is_due(turn.store) {
                    self.enqueue(Key::ServiceAccounts, turn);
                }
            }
            Change::Stranded(id) => self.touch(id, turn),
            Change::NamespaceTerminating => {}
            Change::NamespaceAdded => self.enqueue(Key::ServiceAccounts, turn),
        }
        let is_gone = matches!(
            change,
            Change::PodRemoved(..) | Change::NodeRemoved(..) | Change::ReplicaSetRemoved(..)
        );
        if is_gone && turn.store.rows_own() {
            self.enqueue(Key::Owners, turn);
        }
    }

    fn enqueue_daemon_sets(&mut self, turn: &mut Turn<'_, '_>) {
        let sets: Vec<ReplicaSetId> = turn
            .store
            .pod_controllers()
            .filter(|(_, row)| row.kind == OwnerKind::DaemonSet)
            .map(|(id, _)| id)
            .collect();
        for set in sets {
            self.enqueue(Key::ReplicaSet(set), turn);
        }
    }

    fn pod_changed(
        &mut self,
        change: Change,
        pod: PodId,
        row: &PodRow,
        fresh: bool,
        turn: &mut Turn<'_, '_>,
    ) {
        if let Some(owner) = row.owner {
            if turn.store.replica_set(owner).is_some() {
                self.touch(owner, turn);
                if owner_kind(owner, turn) == OwnerKind::Job {
                    if matches!(change, Change::PodRemoved(..)) {
                        job::vanished(pod, row, owner, turn);
                    }
                    self.enqueue_batched(Key::ReplicaSet(owner), turn);
                } else if !self.would_change_nothing(owner, fresh, turn) {
                    self.enqueue(Key::ReplicaSet(owner), turn);
                }
            }
            if row.is_ready() && !row.flags.has(PodFlags::AVAILABLE) {
                self.await_availability(pod, row, turn);
            }
        } else if !matches!(change, Change::PodRemoved(..)) && !row.is_terminating() {
            for owner in adoption::candidates(row, turn) {
                self.adopting.insert(owner);
                self.enqueue(Key::ReplicaSet(owner), turn);
            }
        }
        if matches!(change, Change::PodRemoved(..))
            && row
                .owner
                .is_some_and(|owner| owner_kind(owner, turn) == OwnerKind::StatefulSet)
        {
            // Claims may go with a pod.
            self.enqueue(Key::Owners, turn);
        }
        disruption::watch(pod, row, turn);
        self.enqueue_quotas(change, row, turn);
        for budget in disruption::chosen(pod, row, turn) {
            self.enqueue(Key::Watched(budget), turn);
        }
        if !matches!(change, Change::PodCreated(_)) || row.node.is_some() {
            for service in self.endpoint_slice.pod_changed(pod, row, turn) {
                self.enqueue(Key::Service(service), turn);
            }
            if let Change::PodTemplate(_, old) = change {
                for service in self.endpoint_slice.pod_left(pod, old, turn) {
                    self.enqueue(Key::Service(service), turn);
                }
            }
        }
        if let Some(node) = row.node.filter(|node| {
            is_judged_anew(change, row, turn)
                && turn
                    .store
                    .node(*node)
                    .is_some_and(|row| row.no_execute_since.is_some())
        }) {
            self.enqueue(Key::NodeEvictions(node), turn);
        }
    }

    /// Quotas follow pods that come, end or go, or have got another size.
    /// Source: `pkg/quota/v1/install/update_filter.go`.
    fn enqueue_quotas(&mut self, change: Change, row: &PodRow, turn: &mut Turn<'_, '_>) {
        if matches!(change, Change::PodTerminating(_)) {
            quota::follow_going(turn.store.template(row.template).namespace, turn);
        }
        let counts = matches!(
            change,
            Change::PodCreated(_) | Change::PodTemplate(..) | Change::PodRemoved(..)
        ) || row.phase.is_terminal();
        if !counts {
            return;
        }
        let namespace = turn.store.template(row.template).namespace;
        for id in turn.store.quotas_of(namespace).to_vec() {
            quota::unseen(id, turn);
            self.enqueue(Key::Watched(id), turn);
        }
    }

    /// Quotas follow what else they count: claims, Services, workloads and other objects that came,
    /// went or got another size. Upstream's API server writes `status.used` itself when it admits
    /// one, its controller when one goes.
    /// Sources: `plugin/pkg/admission/resourcequota`, `resource_quota_monitor.go`.
    pub fn observe_counted(&mut self, turn: &mut Turn<'_, '_>) {
        for id in turn.store.take_counted(turn.ctx.symbols) {
            quota::unseen(id, turn);
            self.enqueue(Key::Watched(id), turn);
        }
    }

    /// After a change of `minReadySeconds` pods are available later, or earlier.
    fn follow_min_ready(&mut self, id: ReplicaSetId, turn: &mut Turn<'_, '_>) {
        let wanted = turn.store.replica_set(id).map_or(0, |row| row.min_ready_s);
        let before = if wanted == 0 {
            self.min_ready_s.remove(&id)
        } else {
            self.min_ready_s.insert(id, wanted)
        };
        if before.unwrap_or(0) == wanted {
            return;
        }
        let ready: Vec<(PodId, PodRow)> = turn
            .store
            .pods_of(id)
            .filter(|(_, row)| row.is_ready())
            .map(|(pod, row)| (pod, *row))
            .collect();
        for (pod, row) in ready {
            let since =
                signed_s(turn.store.pod_details(pod).transitions_s[PodCondition::Ready as usize]);
            // A kubelet's clock may be ahead of the controller's.
            if wanted == 0 || (since + wanted) * 1_000_000 <= own_clock(turn).signed_micros() {
                self.pod_available(pod, turn);
            } else {
                turn.store.unset_available(pod);
                self.await_availability(pod, &row, turn);
            }
        }
    }

    fn await_availability(&mut self, pod: PodId, row: &PodRow, turn: &mut Turn<'_, '_>) {
        let Some(set) = row.owner.and_then(|owner| turn.store.replica_set(owner)) else {
            return;
        };
        let since = turn.store.pod_details(pod).transitions_s[PodCondition::Ready as usize];
        let at = (signed_s(since) + set.min_ready_s) * 1_000_000;
        let left = at.saturating_sub(own_clock(turn).signed_micros());
        let left = u64::try_from(left).unwrap_or(0);
        turn.after(SimDuration::from_micros(left), Event::PodAvailable(pod));
    }

    fn pod_available(&mut self, pod: PodId, turn: &mut Turn<'_, '_>) {
        let Some(row) = turn.store.pod(pod).copied().filter(|row| row.is_ready()) else {
            return;
        };
        let Some(owner) = row.owner else { return };
        let Some(set) = turn.store.replica_set(owner) else {
            return;
        };
        let since =
            signed_s(turn.store.pod_details(pod).transitions_s[PodCondition::Ready as usize]);
        let is_old = (since + set.min_ready_s) * 1_000_000 <= own_clock(turn).signed_micros();
        if (set.min_ready_s == 0 || is_old) && turn.store.set_available(pod) {
            self.touch(owner, turn);
            self.enqueue(Key::ReplicaSet(owner), turn);
        }
    }

    /// The workloads with a controller that came, changed or went since the last call, in no order
    /// that means anything.
    pub fn take_moved(&mut self, store: &Store) -> Vec<WorkloadKey> {
        self.distances.take_moved(store)
    }
}

/// What the controller manager's clock shows.
fn own_clock(turn: &Turn<'_, '_>) -> SimTime {
    turn.now().shifted(turn.store.controllers_ahead)
}

fn row_owner(id: ReplicaSetId, turn: &Turn<'_, '_>) -> Option<DeploymentId> {
    turn.store.replica_set(id)?.owner
}

fn owner_kind(id: ReplicaSetId, turn: &Turn<'_, '_>) -> OwnerKind {
    turn.store
        .replica_set(id)
        .map_or(OwnerKind::ReplicaSet, |row| row.kind)
}

/// Whether a pod's tolerations are to be held against its node's taints.
/// Source: `pkg/controller/tainteviction/taint_eviction.go` (`PodUpdated`).
fn is_judged_anew(change: Change, row: &PodRow, turn: &Turn<'_, '_>) -> bool {
    let of = |template| &turn.store.template(template).tolerations;
    match change {
        Change::PodBound(_) | Change::PodCreated(_) => true,
        Change::PodTemplate(_, old) => of(old) != of(row.template),
        _ => false,
    }
}
