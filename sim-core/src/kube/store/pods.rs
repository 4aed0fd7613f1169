//! Writes to pods. Each keeps the pod's ReplicaSet's counts, its node's sums and both lists.

use std::sync::Arc;

use crate::base::glance::glance;
use crate::base::name::Name;
use crate::base::resources::ResourceVector;
use crate::base::symbol::Symbols;
use crate::base::time::{SimDuration, SimTime};
use crate::kube::render::pod::OF_NODE;
use crate::kube::rows::node::ConditionStatus;
use crate::kube::rows::pod::{
    NO_POD, Phase, PodCondition, PodDetails, PodFlags, PodRow, PodStatus, Sizes,
};
use crate::kube::rows::workload::PodCounts;
use crate::kube::rows::{NodeId, PodId, ReplicaSetId, read};
use crate::kube::selector::label;
use crate::kube::template::{PodTemplate, TemplateId};
use crate::manifest::value::Value;

use super::dependents::RowOwner;
use super::events::Incarnation;
use super::{Change, Store, seconds};

/// Pods without a controller, in the order of their creation.
#[derive(Clone, Debug, Default)]
pub struct LonelyPods {
    ids: Arc<Vec<PodId>>,
    unmet: u64,
}

/// What a pod that was taken over from a live cluster brings with it.
#[derive(Clone, Debug)]
pub struct Restored {
    /// `creationTimestamp` in whole seconds, two's complement before the run.
    pub created_s: Option<u32>,
    /// `lastTransitionTime` by condition, likewise.
    pub transitions: [Option<u32>; 6],
    /// `metadata.uid`.
    pub uid: Option<Arc<str>>,
}

/// Why a binding is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BindError {
    /// The pod is gone or going.
    Gone,
    /// The node is gone.
    NoNode,
    /// It is bound already.
    Bound,
}

impl Store {
    /// A pod; `None` once it is gone.
    pub fn pod(&self, pod: PodId) -> Option<&PodRow> {
        self.pods.get(pod)
    }

    /// The pod of a name.
    pub fn pod_named(&self, namespace: &str, name: &str, symbols: &Symbols) -> Option<PodId> {
        let namespace = symbols.get(namespace)?;
        Name::readings(name, symbols).find_map(|name| {
            let slots = self.pod_names.candidates(namespace, name);
            let mut ids = slots.filter_map(|slot| self.pods.id_at(slot));
            ids.find(|id| {
                let row = &self.pods[*id];
                row.name == name && self.template(row.template).namespace == namespace
            })
        })
    }

    /// What tells a pod from others of its name.
    pub fn incarnation(&self, pod: PodId) -> Option<Incarnation> {
        let row = self.pod(pod)?;
        Some(Incarnation {
            id: pod,
            created_s: row.created_s,
        })
    }

    /// The cold part of a pod.
    pub fn pod_details(&self, pod: PodId) -> &PodDetails {
        self.details.get(pod.slot())
    }

    /// Reads a pod before its turn.
    pub fn glance(&self, pod: PodId) {
        if let Some(row) = self.pods.get(pod) {
            glance((row.template, row.owner_next, row.flags, row.name));
        }
        let details = self.details.get(pod.slot());
        glance((details.sandbox, details.transitions_s[0], details.started));
        self.events.glance(pod);
    }

    /// All pods in table order.
    pub fn pods(&self) -> impl Iterator<Item = (PodId, &PodRow)> {
        self.pods.iter()
    }

    /// Number of pods.
    pub fn pod_count(&self) -> u32 {
        self.pods.len()
    }

    /// The pods bound to a node, the newest binding first.
    pub fn pods_on(&self, node: NodeId) -> impl Iterator<Item = (PodId, &PodRow)> {
        let first = self.nodes.get(node).map_or(NO_POD, |row| row.first_pod);
        self.walk(first, |row| row.node_next)
    }

    /// The pods of a ReplicaSet, the newest first.
    pub fn pods_of(&self, replica_set: ReplicaSetId) -> impl Iterator<Item = (PodId, &PodRow)> {
        let first = self
            .replica_sets
            .get(replica_set)
            .map_or(NO_POD, |row| row.first_pod);
        self.walk(first, |row| row.owner_next)
    }

    /// Pods without a controller.
    pub fn lonely_pods(&self) -> &[PodId] {
        &self.lonely.ids
    }

    /// A number that grows when a Deployment, another controller of pods or a pod without one comes or
    /// goes.
    pub const fn roster(&self) -> u32 {
        self.roster
    }

    /// How many pods without a controller are not where they should be.
    pub const fn lonely_unmet(&self) -> u64 {
        self.lonely.unmet
    }

    fn walk(&self, first: u32, next: fn(&PodRow) -> u32) -> impl Iterator<Item = (PodId, &PodRow)> {
        let mut slot = first;
        std::iter::from_fn(move || {
            if slot == NO_POD {
                return None;
            }
            let id = self.pods.id_at(slot).expect("a listed pod is there");
            let row = self.pods.get(id).expect("a listed pod is there");
            slot = next(row);
            Some((id, row))
        })
    }

    /// Creates a pod. `node` is the template's nodeName, when it has one.
    pub fn create_pod(
        &mut self,
        name: Name,
        template: TemplateId,
        owner: Option<ReplicaSetId>,
        flags: PodFlags,
        now: SimTime,
    ) -> PodId {
        let row = PodRow {
            name,
            template,
            owner: owner.filter(|id| self.replica_sets.get(*id).is_some()),
            node: None,
            node_next: NO_POD,
            node_previous: NO_POD,
            owner_next: NO_POD,
            owner_previous: NO_POD,
            created_s: seconds(now),
            revision: self.revision.bump(),
            phase: Phase::Pending,
            ready_containers: 0,
            flags,
        };
        let finalizers = self.template(template).finalizers.clone();
        let pod = self.pods.insert(row);
        let namespace = self.template(template).namespace;
        self.pod_names.insert(namespace, name, pod.slot());
        self.details.clear(pod.slot());
        if let Some(finalizers) = finalizers {
            let aside = self.details.get_mut(pod.slot()).aside.write();
            aside.finalizers = Some(finalizers);
        }
        match row.owner {
            Some(owner) => self.link_to_owner(pod, owner),
            None => {
                self.roster += 1;
                Arc::make_mut(&mut self.lonely.ids).push(pod);
                self.lonely.unmet += self.lonely_share(&row);
            }
        }
        self.recount(&row, PodCounts::default(), self.counts_of(&row));
        self.recount_quotas(pod, None, Some(&row));
        self.log.push(Change::PodCreated(pod));
        pod
    }

    /// Binds a pod to a node.
    ///
    /// # Errors
    /// When pod or node are gone or the pod is bound.
    pub fn bind(&mut self, pod: PodId, node: NodeId, now: SimTime) -> Result<(), BindError> {
        let Some(row) = self.pods.get(pod).filter(|row| !row.is_terminating()) else {
            return Err(BindError::Gone);
        };
        if row.node.is_some() {
            return Err(BindError::Bound);
        }
        let template = row.template;
        let Some(target) = self.nodes.get(node) else {
            return Err(BindError::NoNode);
        };
        let first = target.first_pod;
        let requests = self.template(template).requests.clone();
        let target = self.nodes.get_mut(node).expect("checked above");
        target.first_pod = pod.slot();
        target.pods += 1;
        target.requested.add(&requests);
        if first != NO_POD {
            self.pod_slot_mut(first).node_previous = pod.slot();
        }
        let details = self.details.get_mut(pod.slot());
        details.transitions_s[PodCondition::Scheduled as usize] = seconds(now);
        if let Some(aside) = details.aside.written() {
            aside.unschedulable = None;
        }
        self.write(pod, |row| {
            row.node = Some(node);
            row.node_next = first;
            row.node_previous = NO_POD;
            row.flags.set(PodFlags::UNSCHEDULABLE, false);
        });
        self.log.push(Change::PodBound(pod));
        self.take_place(pod, node);
        Ok(())
    }

    /// What a pod says of itself where its node says where it stands gives way.
    /// Source: `pkg/registry/core/pod/storage/storage.go` (`copyLabelsWithOverwriting`).
    fn take_place(&mut self, pod: PodId, node: NodeId) {
        let (Some(row), Some(target)) = (self.pods.get(pod), self.nodes.get(node)) else {
            return;
        };
        let template = self.template(row.template);
        let place = |key: &Arc<str>, own: &Arc<str>| {
            if !OF_NODE.contains(&&**key) {
                return None;
            }
            label(&target.labels, key)
                .filter(|place| *place != own)
                .cloned()
        };
        let mut own = template.labels.iter();
        if own.all(|(key, value)| place(key, value).is_none()) {
            return;
        }
        let own = template.labels.iter();
        let labels = own.map(|(key, own)| {
            let place = place(key, own).unwrap_or_else(|| own.clone());
            (key.clone(), place)
        });
        let template = PodTemplate {
            labels: labels.collect(),
            ..PodTemplate::clone(template)
        };
        let set = row.owner.and_then(|owner| self.replica_set(owner));
        let released = set.is_some_and(|set| !set.selector.matches(&template.labels));
        let template = self.intern_template(template);
        self.set_pod_template(pod, template);
        if released {
            self.orphan(pod);
        }
    }

    /// Writes PodScheduled=False with this message. The same message again is no write.
    pub fn set_unschedulable(
        &mut self,
        pod: PodId,
        message: Arc<str>,
        nominated: Option<NodeId>,
        now: SimTime,
    ) {
        let Some(row) = self.pods.get(pod) else {
            return;
        };
        let fresh = !row.flags.has(PodFlags::UNSCHEDULABLE);
        let details = self.details.get_mut(pod.slot());
        if !fresh
            && details.aside.unschedulable.as_ref() == Some(&message)
            && details.aside.nominated == nominated
        {
            return;
        }
        if fresh {
            details.transitions_s[PodCondition::Scheduled as usize] = seconds(now);
        }
        let aside = details.aside.write();
        aside.unschedulable = Some(message);
        aside.nominated = nominated;
        self.write(pod, |row| row.flags.set(PodFlags::UNSCHEDULABLE, true));
        self.log.push(Change::PodStatus(pod));
    }

    /// Writes `status.nominatedNodeName`.
    pub fn set_nominated(&mut self, pod: PodId, nominated: Option<NodeId>) {
        if self.pods.get(pod).is_none() || self.pod_details(pod).aside.nominated == nominated {
            return;
        }
        let aside = self.details.get_mut(pod.slot()).aside.write();
        aside.nominated = nominated;
        self.write(pod, |_| {});
        self.log.push(Change::PodStatus(pod));
    }

    /// Writes what the kubelet says. An equal status is no write.
    pub fn set_pod_status(&mut self, pod: PodId, status: PodStatus, now: SimTime) {
        let Some(old) = self.pods.get(pod).copied() else {
            return;
        };
        let mut flags = old.flags;
        flags.set(PodFlags::READY, status.ready);
        flags.set(PodFlags::CONTAINERS_READY, status.containers_ready);
        // A pod that was initialized once stays so, also while its init containers run again.
        // Source: `pkg/kubelet/status/generate.go` (`GeneratePodInitializedCondition`).
        flags.set(
            PodFlags::INITIALIZED,
            status.initialized || old.flags.has(PodFlags::INITIALIZED),
        );
        flags.set(PodFlags::SANDBOX_READY, status.sandbox_ready);
        flags.set(PodFlags::ACKNOWLEDGED, true);
        if !status.ready {
            flags.set(PodFlags::AVAILABLE, false);
        }
        let ready = status
            .containers
            .iter()
            .filter(|container| container.ready)
            .count();
        let ready = u8::try_from(ready).unwrap_or(u8::MAX);
        let known = self.details.get(pod.slot());
        let aside = (
            &known.aside.reason,
            &known.aside.message,
            &known.aside.sizes,
        );
        let restarting = known.aside.restarting_all;
        let same_aside = aside == (&status.reason, &status.message, &status.sizes)
            && restarting.map(|(on, _)| on) == status.restarting_all;
        let same = (known.sandbox, known.ip, known.started)
            == (status.sandbox, status.ip, status.started)
            && same_aside
            && *known.containers == *status.containers;
        if same && flags == old.flags && status.phase == old.phase {
            return;
        }
        if known.sandbox != status.sandbox
            && let Some(set) = old.owner.and_then(|set| self.replica_sets.get_mut(set))
        {
            set.turnover = set.turnover.wrapping_add(1);
        }
        let details = self.details.get_mut(pod.slot());
        match Arc::get_mut(&mut details.containers) {
            // Where no snapshot shares them, they are written over.
            Some(own) if own.len() == status.containers.len() => {
                own.clone_from_slice(&status.containers);
            }
            Some(_) | None => details.containers = status.containers.as_slice().into(),
        }
        details.sandbox = status.sandbox;
        details.ip = status.ip;
        details.started = status.started;
        if !same_aside {
            let aside = details.aside.write();
            aside.reason = status.reason;
            aside.message = status.message;
            aside.sizes = status.sizes;
            aside.restarting_all = status.restarting_all.map(|on| {
                let kept = restarting.filter(|(was, _)| *was == on);
                kept.unwrap_or((on, seconds(now)))
            });
        }
        for (flag, condition) in CONDITION_FLAGS {
            let changed =
                flags.has(flag) != old.flags.has(flag) || !old.flags.has(PodFlags::ACKNOWLEDGED);
            if changed {
                details.transitions_s[condition as usize] = seconds(now);
            }
        }
        self.write(pod, |row| {
            row.phase = status.phase;
            row.flags = flags;
            row.ready_containers = ready;
        });
        self.log.push(Change::PodStatus(pod));
    }

    /// Sets condition Ready=False as the node lifecycle controller does for a lost node.
    pub fn set_not_ready(&mut self, pod: PodId, now: SimTime) -> bool {
        if !self.pods.get(pod).is_some_and(PodRow::is_ready) {
            return false;
        }
        self.details.get_mut(pod.slot()).transitions_s[PodCondition::Ready as usize] = seconds(now);
        self.write(pod, |row| {
            row.flags.set(PodFlags::READY, false);
            row.flags.set(PodFlags::AVAILABLE, false);
        });
        self.log.push(Change::PodStatus(pod));
        true
    }

    /// Marks a ready pod as available. Not a write to the API: availability is what a controller
    /// concludes from Ready's time.
    pub fn set_available(&mut self, pod: PodId) -> bool {
        let Some(row) = self
            .pods
            .get(pod)
            .filter(|row| row.is_ready() && !row.flags.has(PodFlags::AVAILABLE))
            .copied()
        else {
            return false;
        };
        let before = self.counts_of(&row);
        let row_mut = self.pods.get_mut(pod).expect("checked above");
        row_mut.flags.set(PodFlags::AVAILABLE, true);
        let row = *row_mut;
        self.recount(&row, before, self.counts_of(&row));
        true
    }

    /// Sets the conditions that others than the kubelet and the control plane wrote.
    pub fn set_conditions(&mut self, pod: PodId, conditions: Vec<Value>) {
        if self.pods.get(pod).is_none() {
            return;
        }
        let conditions = (!conditions.is_empty()).then(|| Arc::new(conditions));
        let aside = self.details.get_mut(pod.slot()).aside.write();
        aside.conditions = conditions;
        self.write(pod, |_| {});
        self.log.push(Change::PodStatus(pod));
    }

    /// Sets DisruptionTarget=True.
    pub fn set_disruption(
        &mut self,
        pod: PodId,
        reason: &'static str,
        message: Arc<str>,
        now: SimTime,
    ) {
        if self.pods.get(pod).is_none() {
            return;
        }
        let details = self.details.get_mut(pod.slot());
        details.transitions_s[PodCondition::DisruptionTarget as usize] = seconds(now);
        details.aside.write().disruption = Some((reason, message));
        self.write(pod, |row| row.flags.set(PodFlags::DISRUPTION_TARGET, true));
    }

    /// A ready pod is not available any more: its controller asks for a longer time.
    pub fn unset_available(&mut self, pod: PodId) {
        let Some(row) = self
            .pods
            .get(pod)
            .filter(|row| row.flags.has(PodFlags::AVAILABLE))
            .copied()
        else {
            return;
        };
        let before = self.counts_of(&row);
        let row_mut = self.pods.get_mut(pod).expect("checked above");
        row_mut.flags.set(PodFlags::AVAILABLE, false);
        let row = *row_mut;
        self.recount(&row, before, self.counts_of(&row));
    }

    /// Sets DisruptionTarget=False, without a reason.
    pub fn clear_disruption(&mut self, pod: PodId, now: SimTime) {
        if self.pods.get(pod).is_none() {
            return;
        }
        let details = self.details.get_mut(pod.slot());
        details.transitions_s[PodCondition::DisruptionTarget as usize] = seconds(now);
        details.aside.write().disruption = Some(("", Arc::from("")));
        self.write(pod, |row| row.flags.set(PodFlags::DISRUPTION_TARGET, false));
        self.log.push(Change::PodStatus(pod));
    }

    /// Sets a pod's phase to Failed, as others than its kubelet do.
    pub fn set_failed(&mut self, pod: PodId) {
        if self.pods.get(pod).is_none_or(|row| row.phase.is_terminal()) {
            return;
        }
        self.write(pod, |row| row.phase = Phase::Failed);
        self.log.push(Change::PodStatus(pod));
    }

    /// Deletes a pod as the API does: sets deletionTimestamp, or removes it at once when the grace
    /// is zero, it is not bound or it has ended. `grace`: the request's, else the template's. A
    /// second call can only shorten the grace.
    pub fn mark_terminating(&mut self, pod: PodId, grace: Option<SimDuration>, now: SimTime) {
        let Some(row) = self.pods.get(pod).copied() else {
            return;
        };
        let mut grace = grace.unwrap_or_else(|| self.template(row.template).grace);
        if row.node.is_none() || row.phase.is_terminal() {
            grace = SimDuration::ZERO;
        }
        if grace == SimDuration::ZERO {
            let details = self.details.get_mut(pod.slot());
            details.terminating_since.get_or_insert(now);
            self.remove_pod(pod);
            return;
        }
        let details = self.details.get_mut(pod.slot());
        if row.is_terminating() {
            if grace < details.deletion_grace {
                details.deletion_grace = grace;
                self.write(pod, |_| {});
                self.log.push(Change::PodTerminating(pod));
            }
            return;
        }
        details.terminating_since = Some(now);
        details.deletion_grace = grace;
        self.write(pod, |row| row.flags.set(PodFlags::TERMINATING, true));
        self.log.push(Change::PodTerminating(pod));
    }

    /// Says that a pod that was taken over is being deleted since then; it stays until whoever has to
    /// finish that has, also if it has ended or has no node.
    pub fn restore_terminating(&mut self, pod: PodId, since: SimTime, grace: SimDuration) {
        if self.pods.get(pod).is_none() {
            return;
        }
        let details = self.details.get_mut(pod.slot());
        details.terminating_since = Some(since);
        details.deletion_grace = grace;
        self.write(pod, |row| row.flags.set(PodFlags::TERMINATING, true));
        self.log.push(Change::PodTerminating(pod));
    }

    /// Writes `metadata.finalizers`. A pod that only these have kept goes with the last of them.
    pub fn set_finalizers(&mut self, pod: PodId, finalizers: Arc<[Arc<str>]>) {
        if self.pods.get(pod).is_none() {
            return;
        }
        let details = self.details.get_mut(pod.slot());
        details.aside.write().finalizers = Some(finalizers);
        if details.aside.held && details.finalizers().is_empty() {
            self.remove_pod(pod);
            return;
        }
        self.write(pod, |_| {});
        self.log.push(Change::PodStatus(pod));
    }

    /// Replaces the references to owners that have no row of pods.
    pub fn set_owners(&mut self, pod: PodId, owners: Vec<Value>) {
        if self.pods.get(pod).is_none() || self.pod_details(pod).owners() == owners {
            return;
        }
        let controlled = owners
            .iter()
            .any(|owner| read::truth(owner, &["controller"]));
        self.references.see(&owners);
        self.tie(pod, &owners);
        let owners = (!owners.is_empty()).then(|| owners.into());
        self.details.get_mut(pod.slot()).aside.write().owners = owners;
        self.write(pod, |row| row.flags.set(PodFlags::FOREIGN, controlled));
        self.log.push(Change::PodStatus(pod));
        self.log.push(Change::OwnerRemoved);
    }

    /// Tells the index of a pod's references, before they are written.
    fn tie(&mut self, pod: PodId, owners: &[Value]) {
        let namespace = self.template(self.pods[pod].template).namespace;
        let before = self.details.get(pod.slot()).owners();
        let dependents = self.documents.dependents_mut();
        dependents.pod(pod, namespace, before, owners);
    }

    /// Keeps a pod that is to be removed until its finalizers are off. Answers whether it is kept.
    fn hold(&mut self, pod: PodId, was_terminating: bool) -> bool {
        let details = self.details.get(pod.slot());
        if details.finalizers().is_empty() {
            return false;
        }
        if details.aside.held {
            return true;
        }
        let details = self.details.get_mut(pod.slot());
        details.aside.write().held = true;
        details.deletion_grace = SimDuration::ZERO;
        self.write(pod, |row| row.flags.set(PodFlags::TERMINATING, true));
        if !was_terminating {
            self.log.push(Change::PodTerminating(pod));
        }
        true
    }

    /// Removes a pod: the kubelet's last delete, or a forced one.
    pub fn remove_pod(&mut self, pod: PodId) {
        let Some(row) = self.pods.get(pod).copied() else {
            return;
        };
        if self.hold(pod, row.is_terminating()) {
            return;
        }
        self.recount(&row, self.counts_of(&row), PodCounts::default());
        self.lonely.unmet -= self.lonely_share(&row);
        if let Some(node) = row.node.filter(|node| self.nodes.get(*node).is_some()) {
            let requests = self.template(row.template).requests.clone();
            let target = self.nodes.get_mut(node).expect("checked above");
            target.pods -= 1;
            target.requested.sub(&requests);
            if row.node_previous == NO_POD {
                target.first_pod = row.node_next;
            }
        }
        if row.node_previous != NO_POD {
            self.pod_slot_mut(row.node_previous).node_next = row.node_next;
        }
        if row.node_next != NO_POD {
            self.pod_slot_mut(row.node_next).node_previous = row.node_previous;
        }
        match row.owner {
            Some(owner) => {
                if let Some(set) = self.replica_sets.get_mut(owner) {
                    set.pods_all -= 1;
                    if row.owner_previous == NO_POD {
                        set.first_pod = row.owner_next;
                    }
                }
            }
            None => {
                self.roster += 1;
                Arc::make_mut(&mut self.lonely.ids).retain(|id| *id != pod);
            }
        }
        if row.owner_previous != NO_POD {
            self.pod_slot_mut(row.owner_previous).owner_next = row.owner_next;
        }
        if row.owner_next != NO_POD {
            self.pod_slot_mut(row.owner_next).owner_previous = row.owner_previous;
        }
        let namespace = self.template(row.template).namespace;
        self.pod_names.remove(namespace, row.name, pod.slot());
        if !self.pod_details(pod).owners().is_empty() {
            self.tie(pod, &[]);
            self.log.push(Change::OwnerRemoved);
        }
        self.row_gone(RowOwner {
            resource: "pods",
            namespace: Some(namespace),
            name: row.name,
        });
        self.recount_quotas(pod, Some(&row), None);
        self.pods.remove(pod);
        self.details.clear(pod.slot());
        self.revision.bump();
        self.log.push(Change::PodRemoved(pod, row));
    }

    /// Re-reads a pod's share in its owner's counts after its node's condition changed.
    pub(super) fn recount_on(&mut self, node: NodeId, change: impl FnOnce(&mut Self)) {
        let pods: Vec<PodId> = self
            .pods_on(node)
            .filter(|(_, row)| row.is_terminating())
            .map(|(id, _)| id)
            .collect();
        let shares = |store: &Self, pod: PodId| {
            (
                store.counts_of(&store.pods[pod]),
                store.lonely_share(&store.pods[pod]),
            )
        };
        let before: Vec<(PodCounts, u64)> = pods.iter().map(|pod| shares(self, *pod)).collect();
        change(self);
        for (pod, (counts, unmet)) in pods.into_iter().zip(before) {
            let row = self.pods[pod];
            let after = self.counts_of(&row);
            if let Some(owner) = row.owner.filter(|_| after != counts) {
                self.log.push(Change::Stranded(owner));
            }
            self.recount(&row, counts, after);
            self.lonely.unmet = self.lonely.unmet + self.lonely_share(&row) - unmet;
        }
    }

    /// Replaces what a pod is described by: its labels or annotations were written.
    pub fn set_pod_template(&mut self, pod: PodId, template: TemplateId) {
        let Some(row) = self.pods.get(pod).copied() else {
            return;
        };
        let (old, new) = (
            self.template(row.template).requests.clone(),
            self.template(template).requests.clone(),
        );
        if let Some(set) = row.owner.and_then(|owner| self.replica_sets.get_mut(owner)) {
            set.mixed = true;
        }
        if old != new
            && let Some(node) = row.node.and_then(|node| self.nodes.get_mut(node))
        {
            node.requested.sub(&old);
            node.requested.add(&new);
        }
        self.write(pod, |row| row.template = template);
        self.log.push(Change::PodTemplate(pod, row.template));
    }

    /// What a pod counts for on its node, where that is not what its spec says.
    pub fn set_pod_requests(&mut self, pod: PodId, requests: ResourceVector) {
        let Some(row) = self.pods.get(pod) else {
            return;
        };
        let template = self.template(row.template);
        if template.requests == requests {
            return;
        }
        let mut template = PodTemplate::clone(template);
        template.requests = requests;
        let template = self.intern_template(template);
        self.set_pod_template(pod, template);
    }

    /// A pod is asked to become another size: until its agent says more, its status is of the old.
    pub fn keep_sizes(&mut self, pod: PodId, old: TemplateId) {
        if self.pods.get(pod).is_none() || self.pod_details(pod).aside.sizes.is_some() {
            return;
        }
        let aside = self.details.get_mut(pod.slot()).aside.write();
        aside.sizes = Some(Arc::new(Sizes {
            allocated: old,
            actual: old,
            pending: None,
            progress: None,
            error: None,
        }));
    }

    /// A pod's spec was written: `metadata.generation` goes on.
    pub fn bump_generation(&mut self, pod: PodId) {
        if self.pods.get(pod).is_some() {
            let aside = self.details.get_mut(pod.slot()).aside.write();
            aside.respecified += 1;
        }
    }

    /// `metadata.generation` of a pod.
    pub fn generation(&self, pod: PodId) -> u32 {
        let going = self.pods.get(pod).is_some_and(PodRow::is_terminating);
        1 + self.pod_details(pod).aside.respecified + u32::from(going)
    }

    /// Puts back what a pod that was taken over brought with it.
    pub fn restore_pod(&mut self, pod: PodId, restored: Restored) {
        let Some(row) = self.pods.get_mut(pod) else {
            return;
        };
        if let Some(created) = restored.created_s {
            row.created_s = created;
        }
        let details = self.details.get_mut(pod.slot());
        for (slot, kept) in details.transitions_s.iter_mut().zip(restored.transitions) {
            if let Some(kept) = kept {
                *slot = kept;
            }
        }
        if restored.uid.is_some() {
            details.aside.write().uid = restored.uid;
        }
        self.log.push(Change::PodStatus(pod));
    }

    /// Gives a pod without a controller to one.
    pub fn adopt_pod(&mut self, pod: PodId, owner: ReplicaSetId) {
        let Some(row) = self.pods.get(pod).copied() else {
            return;
        };
        if row.owner.is_some() || self.replica_sets.get(owner).is_none() {
            return;
        }
        self.lonely.unmet -= self.lonely_share(&row);
        self.roster += 1;
        Arc::make_mut(&mut self.lonely.ids).retain(|id| *id != pod);
        let revision = self.revision.bump();
        let waits = self.replica_sets.get(owner);
        let waits = waits.is_some_and(|set| set.min_ready_s > 0);
        let row = self.pods.get_mut(pod).expect("read above");
        row.owner = Some(owner);
        row.revision = revision;
        if waits {
            // The new owner asks for longer; who looks at the change finds out.
            row.flags.set(PodFlags::AVAILABLE, false);
        }
        let row = *row;
        self.link_to_owner(pod, owner);
        self.recount(&row, PodCounts::default(), self.counts_of(&row));
        if let Some(set) = self.replica_sets.get_mut(owner) {
            set.mixed = true;
        }
        self.log.push(Change::PodStatus(pod));
    }

    /// Leaves its owner: the owner is gone and the pod is kept.
    pub fn orphan(&mut self, pod: PodId) {
        let Some(row) = self.pods.get(pod).copied() else {
            return;
        };
        let Some(owner) = row.owner else { return };
        self.recount(&row, self.counts_of(&row), PodCounts::default());
        if let Some(set) = self.replica_sets.get_mut(owner) {
            set.pods_all -= 1;
            if row.owner_previous == NO_POD {
                set.first_pod = row.owner_next;
            }
        }
        if row.owner_previous != NO_POD {
            self.pod_slot_mut(row.owner_previous).owner_next = row.owner_next;
        }
        if row.owner_next != NO_POD {
            self.pod_slot_mut(row.owner_next).owner_previous = row.owner_previous;
        }
        let revision = self.revision.bump();
        let row = self.pods.get_mut(pod).expect("checked above");
        row.owner = None;
        row.owner_next = NO_POD;
        row.owner_previous = NO_POD;
        row.revision = revision;
        let row = *row;
        self.roster += 1;
        Arc::make_mut(&mut self.lonely.ids).push(pod);
        self.lonely.unmet += self.lonely_share(&row);
        self.log.push(Change::PodStatus(pod));
        // Its owner, where it goes on, has to look at what it has now.
        self.log.push(Change::ReplicaSet(owner, true));
    }

    /// Distance of a pod without a controller from what it should be; of others, nothing.
    fn lonely_share(&self, row: &PodRow) -> u64 {
        if row.owner.is_some() || self.counts_of(row).stranded > 0 {
            0
        } else {
            lonely_unmet(row)
        }
    }

    fn pod_slot_mut(&mut self, slot: u32) -> &mut PodRow {
        let id = self.pods.id_at(slot).expect("a listed pod is there");
        self.pods.get_mut(id).expect("a listed pod is there")
    }

    fn link_to_owner(&mut self, pod: PodId, owner: ReplicaSetId) {
        let set = self
            .replica_sets
            .get_mut(owner)
            .expect("the owner is there");
        let first = set.first_pod;
        set.first_pod = pod.slot();
        set.pods_all += 1;
        self.pod_slot_mut(pod.slot()).owner_next = first;
        if first != NO_POD {
            self.pod_slot_mut(first).owner_previous = pod.slot();
        }
    }

    /// Changes a row, its revision and what is counted from it.
    fn write(&mut self, pod: PodId, change: impl FnOnce(&mut PodRow)) {
        let revision = self.revision.bump();
        let Some(old) = self.pods.get(pod).copied() else {
            return;
        };
        let before = self.counts_of(&old);
        let unmet = self.lonely_share(&old);
        let row = self.pods.get_mut(pod).expect("read above");
        change(row);
        row.revision = revision;
        let mut row_after = *row;
        if row_after.is_ready()
            && !row_after.flags.has(PodFlags::AVAILABLE)
            && self.min_ready_s(&row_after) == 0
        {
            row_after.flags.set(PodFlags::AVAILABLE, true);
            self.pods.get_mut(pod).expect("read above").flags = row_after.flags;
        }
        self.lonely.unmet = self.lonely.unmet + self.lonely_share(&row_after) - unmet;
        self.recount(&row_after, before, self.counts_of(&row_after));
        self.recount_quotas(pod, Some(&old), Some(&row_after));
    }

    fn min_ready_s(&self, row: &PodRow) -> i64 {
        row.owner
            .and_then(|owner| self.replica_sets.get(owner))
            .map_or(0, |set| set.min_ready_s)
    }

    /// What one pod adds to its owner's counts.
    fn counts_of(&self, row: &PodRow) -> PodCounts {
        let active = row.is_active();
        let going = row.is_terminating() && !row.phase.is_terminal();
        let lost = || {
            let node = row.node.and_then(|node| self.nodes.get(node));
            node.is_some_and(|node| node.ready() == ConditionStatus::Unknown)
        };
        PodCounts {
            active: i64::from(active),
            ready: i64::from(active && row.is_ready()),
            available: i64::from(active && row.is_ready() && row.flags.has(PodFlags::AVAILABLE)),
            terminating: i64::from(going),
            stranded: i64::from(going && lost()),
        }
    }

    fn recount(&mut self, row: &PodRow, before: PodCounts, after: PodCounts) {
        if before == after {
            return;
        }
        let Some(set) = row.owner.and_then(|owner| self.replica_sets.get_mut(owner)) else {
            return;
        };
        if after.active != before.active {
            set.turnover = set.turnover.wrapping_add(1);
        }
        let counts = &mut set.pods;
        counts.active += after.active - before.active;
        counts.ready += after.ready - before.ready;
        counts.available += after.available - before.available;
        counts.terminating += after.terminating - before.terminating;
        counts.stranded += after.stranded - before.stranded;
        assert!(
            counts.active >= 0 && counts.ready >= 0 && counts.terminating >= 0,
            "counts of pods went below zero"
        );
    }
}

/// Conditions that have a flag of their own in a pod's row.
const CONDITION_FLAGS: [(PodFlags, PodCondition); 4] = [
    (PodFlags::READY, PodCondition::Ready),
    (PodFlags::CONTAINERS_READY, PodCondition::ContainersReady),
    (PodFlags::INITIALIZED, PodCondition::Initialized),
    (PodFlags::SANDBOX_READY, PodCondition::SandboxReady),
];

/// Distance of a pod without a controller from what it should be.
const fn lonely_unmet(row: &PodRow) -> u64 {
    if row.is_terminating() {
        return 1;
    }
    match row.phase {
        Phase::Succeeded => 0,
        Phase::Running if row.is_ready() => 0,
        Phase::Running | Phase::Pending | Phase::Unknown | Phase::Failed => 1,
    }
}
