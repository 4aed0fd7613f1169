//! The ReplicaSet controller: as many active pods as wanted. ReplicationControllers are looked after
//! by the same code, as upstream does it.
//!
//! Creations go out in waves of 1, 2, 4, … and at the rate of the controller's client; until all
//! that was decided has been carried out, nothing more is decided (upstream's expectations).
//! Sources: `pkg/controller/replicaset/replica_set.go`, `pkg/controller/controller_utils.go`.

pub mod ranking;

use std::sync::Arc;

use crate::base::name::Name;
use crate::base::sorted::SortedMap;
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::Detail;
use crate::kube::event::{Event, Key};
use crate::kube::limiter::Limiter;
use crate::kube::render::uid;
use crate::kube::rows::node::ConditionStatus;
use crate::kube::rows::pod::{ContainerStatus, PodCondition, PodRow};
use crate::kube::rows::workload::{OwnerKind, PodCounts, ReplicaSetRow, WorkloadCondition};
use crate::kube::rows::{NodeId, PodId, ReplicaSetId};
use crate::kube::store::events::Message;
use crate::kube::turn::Turn;

use super::admission;
use super::hands::{WRITE_TIME, letters, suffix_of_walk};
use ranking::Candidate;

/// Creations or deletions decided in one sync. Source: `replica_set.go`, `BurstReplicas`.
const BURST_REPLICAS: i64 = 500;

/// The controller.
#[derive(Clone, Debug)]
pub struct ReplicaSetController {
    /// Its client's rate limiter.
    pub limiter: Limiter,
    /// Deletions decided and not yet carried out, and for whom.
    pub deletions: SortedMap<PodId, ReplicaSetId>,
    /// What the API server has refused.
    pub refusals: SortedMap<ReplicaSetId, Refused>,
}

/// Creations or deletions that were refused.
#[derive(Clone, Debug)]
pub struct Refused {
    /// How many in a row.
    times: u32,
    /// Why the newest was.
    why: Arc<str>,
    /// When the next try may be.
    until: SimTime,
    /// Whether they are deletions.
    deletes: bool,
}

impl ReplicaSetController {
    /// One pass over one ReplicaSet.
    pub fn sync(&mut self, id: ReplicaSetId, turn: &mut Turn<'_, '_>) {
        let Some(row) = turn.store.replica_set(id) else {
            return;
        };
        // A refused creation waits for its retry.
        let waits = self
            .refusals
            .get(&id)
            .filter(|refused| refused.deletes == (row.pods.active > row.replicas))
            .is_some_and(|refused| refused.until > turn.now());
        let settled = row.creating == 0 && row.deleting_pods == 0 && !waits;
        let difference = row.pods.active - row.replicas;
        let is_over = |refused: &Refused| difference == 0 || refused.deletes != (difference > 0);
        if self.refusals.get(&id).is_some_and(is_over) {
            self.refusals.remove(&id);
        }
        if !row.deleting && settled && difference < 0 {
            self.create(id, (-difference).min(BURST_REPLICAS), turn);
        } else if !row.deleting && settled && difference > 0 {
            self.delete(id, difference.min(BURST_REPLICAS), turn);
        }
        self.write_status(id, turn);
    }

    /// Whether a pass would find as many pods as wanted and the status as it is.
    pub fn is_settled(&self, id: ReplicaSetId, row: &ReplicaSetRow) -> bool {
        let status = PodCounts {
            stranded: 0,
            ..row.pods
        };
        row.pods.active == row.replicas
            && row.status == status
            && row.observed == row.generation
            && !(row.deleting || row.mixed)
            && row.unlabelled == 0
            && row.conditions.is_empty()
            && !self.refusals.contains_key(&id)
    }

    fn create(&mut self, id: ReplicaSetId, count: i64, turn: &mut Turn<'_, '_>) {
        let row = turn.store.replica_set(id);
        let letters = row.map_or((0, 0), |row| letters(row, turn));
        let row = turn
            .store
            .replica_set_mut(id)
            .expect("synced ReplicaSet is there");
        row.creating = u32::try_from(count).expect("at most 500");
        (row.wave, row.letters) = ((1, 1), letters);
        let at = self.limiter.take(turn.now());
        turn.at(at, Event::CreatePod(id));
    }

    /// One creation goes through.
    pub fn create_one(&mut self, id: ReplicaSetId, turn: &mut Turn<'_, '_>) {
        let now = turn.now();
        let Some(row) = turn.store.replica_set(id).filter(|row| row.creating > 0) else {
            return;
        };
        if row.deleting {
            turn.store.replica_set_mut(id).expect("read above").creating = 0;
            return;
        }
        let (namespace, name, template) = (row.namespace, row.name, row.template);
        let pod_name = Name {
            prefix: name,
            suffix: suffix_of_walk(row.letters, row.ordinal),
        };
        let object = (row.kind.text(), namespace, Name::plain(name));
        let (component, source) = (component(row.kind), source(row.kind));
        let template = match admission::admit(id, template, pod_name, turn) {
            Ok(template) => template,
            Err(refusal) => {
                self.refused(id, refusal, false, turn);
                return;
            }
        };
        let flags = admission::flags(template, turn);
        turn.store
            .create_pod(pod_name, template, Some(id), flags, now);
        turn.note(source, "create", "pod", pod_name, Detail::None);
        let message = Message::Name("Created pod: {}", pod_name);
        if turn.normal(object, component, "SuccessfulCreate", message) {
            self.limiter.take(now);
        }
        let row = turn.store.replica_set_mut(id).expect("read above");
        row.ordinal += 1;
        row.creating -= 1;
        row.wave.0 -= 1;
        if row.creating == 0 {
            return;
        }
        let mut earliest = now;
        if row.wave.0 == 0 {
            row.wave.1 *= 2;
            row.wave.0 = row.wave.1.min(row.creating);
            earliest = now + WRITE_TIME + turn.store.commit_delay();
        }
        let at = self.limiter.take(now);
        turn.at(
            if at > earliest { at } else { earliest },
            Event::CreatePod(id),
        );
    }

    fn delete(&mut self, id: ReplicaSetId, count: i64, turn: &mut Turn<'_, '_>) {
        let victims = self.victims(id, count, turn);
        let row = turn
            .store
            .replica_set_mut(id)
            .expect("synced ReplicaSet is there");
        row.deleting_pods = u32::try_from(victims.len()).expect("at most 500");
        for pod in victims {
            let at = self.limiter.take(turn.now());
            self.deletions.insert(pod, id);
            turn.at(at, Event::DeletePod(pod));
        }
    }

    fn victims(&self, id: ReplicaSetId, count: i64, turn: &Turn<'_, '_>) -> Vec<PodId> {
        let count = usize::try_from(count).expect("a positive difference");
        let active: Vec<PodId> = turn
            .store
            .pods_of(id)
            .filter(|(_, row)| row.is_active())
            .map(|(pod, _)| pod)
            .collect();
        if count >= active.len() {
            return active;
        }
        let neighbours = neighbours(id, turn);
        let now_us = turn.now().as_micros();
        let candidates: Vec<Candidate<PodId>> = active
            .iter()
            .map(|pod| candidate(*pod, &neighbours, turn))
            .collect();
        let mut candidates = ranking::sorted(candidates, now_us);
        candidates.truncate(count);
        candidates
            .into_iter()
            .map(|candidate| candidate.pod)
            .collect()
    }

    /// One deletion goes through. Answers whose it was.
    pub fn delete_one(&mut self, pod: PodId, turn: &mut Turn<'_, '_>) -> Option<ReplicaSetId> {
        let now = turn.now();
        let owner = self.deletions.remove(&pod)?;
        let gone = turn.store.pod(pod).copied();
        let kind = turn.store.replica_set(owner).map(|row| row.kind);
        let judged =
            admission::judge_delete(admission::account(kind.unwrap_or_default()), pod, turn);
        if let Err(refusal) = judged {
            if let Some(set) = turn.store.replica_set_mut(owner) {
                set.deleting_pods -= 1;
            }
            self.refused(owner, refusal, true, turn);
            return Some(owner);
        }
        if let Some(set) = turn.store.replica_set_mut(owner) {
            set.deleting_pods -= 1;
            let object = (set.kind.text(), set.namespace, Name::plain(set.name));
            let component = component(set.kind);
            if let Some(row) = gone {
                turn.normal(
                    object,
                    component,
                    "SuccessfulDelete",
                    Message::Name("Deleted pod: {}", row.name),
                );
                self.limiter.take(now);
            }
        }
        let Some(row) = gone else { return Some(owner) };
        let kind = turn
            .store
            .replica_set(owner)
            .map_or(OwnerKind::ReplicaSet, |row| row.kind);
        turn.note(source(kind), "delete", "pod", row.name, Detail::None);
        turn.store.mark_terminating(pod, None, now);
        Some(owner)
    }

    fn write_status(&mut self, id: ReplicaSetId, turn: &mut Turn<'_, '_>) {
        let Some(row) = turn.store.replica_set(id) else {
            return;
        };
        let status = PodCounts {
            stranded: 0,
            ..row.pods
        };
        let generation = row.generation;
        let conditions = self.conditions(id, turn);
        let mixed = row.mixed;
        let unlabelled = if mixed { unlabelled(id, row, turn) } else { 0 };
        if mixed
            && unlabelled == 0
            && let Some(row) = turn.store.replica_set_mut(id)
        {
            row.mixed = false;
        }
        let Some(row) = turn.store.replica_set(id) else {
            return;
        };
        if row.status == status
            && row.unlabelled == unlabelled
            && row.observed == generation
            && row.conditions == conditions
        {
            return;
        }
        self.limiter.take(turn.now());
        turn.store.write_replica_set(id, false, |row| {
            row.status = status;
            row.unlabelled = unlabelled;
            row.observed = generation;
            row.conditions = conditions;
        });
        if let Some(row) = turn.store.replica_set(id)
            && row.kind == OwnerKind::ReplicationController
        {
            let (key, value) = (
                super::stateful_set::key(row, turn),
                crate::kube::render::workload::replica_status(row, false),
            );
            turn.store.write_status(&key, value);
        }
    }

    /// The API server refused a creation: the rest of the wave's followers is given up, and tried
    /// again from one, after a wait that doubles.
    fn refused(
        &mut self,
        id: ReplicaSetId,
        refusal: String,
        deletes: bool,
        turn: &mut Turn<'_, '_>,
    ) {
        let now = turn.now();
        let Some(row) = turn.store.replica_set_mut(id) else {
            return;
        };
        if !deletes {
            row.creating = 0;
            // The next try has another name.
            row.ordinal += 1;
        }
        let object = (row.kind.text(), row.namespace, Name::plain(row.name));
        let component = component(row.kind);
        let (doing, reason) = if deletes {
            ("deleting", "FailedDelete")
        } else {
            ("creating", "FailedCreate")
        };
        let text: Arc<str> = format!("Error {doing}: {refusal}").into();
        let refused = self.refusals.entry(id).or_insert_with(|| Refused {
            times: 0,
            why: refusal.into(),
            until: now,
            deletes,
        });
        // Deletions of one pass fail together and count once.
        if !deletes || refused.until <= now {
            refused.times += 1;
            // 5 ms, doubled with each failure, at most 1000 s.
            // Source: `staging/src/k8s.io/client-go/util/workqueue/default_rate_limiters.go`.
            let wait = SimDuration::from_millis(5)
                .saturating_mul(1 << (refused.times - 1).min(20))
                .as_micros()
                .min(1_000_000_000);
            refused.until = now + SimDuration::from_micros(wait);
            let at = refused.until;
            turn.at(at, Event::Sync(Key::ReplicaSet(id)));
        }
        turn.warning(object, component, reason, Message::Text(text));
    }

    /// Condition ReplicaFailure while the last creation or deletion was refused.
    fn conditions(&self, id: ReplicaSetId, turn: &Turn<'_, '_>) -> Vec<WorkloadCondition> {
        let Some(row) = turn.store.replica_set(id) else {
            return Vec::new();
        };
        let mut list: Vec<WorkloadCondition> = row
            .conditions
            .iter()
            .filter(|condition| condition.kind != "ReplicaFailure")
            .cloned()
            .collect();
        if let Some(refused) = self.refusals.get(&id) {
            let reason = if refused.deletes {
                "FailedDelete"
            } else {
                "FailedCreate"
            };
            let old = row
                .conditions
                .iter()
                .find(|one| one.kind == "ReplicaFailure" && one.reason == reason);
            list.push(old.cloned().unwrap_or_else(|| WorkloadCondition {
                kind: "ReplicaFailure",
                status: ConditionStatus::True,
                reason,
                message: refused.why.clone(),
                updated: turn.now(),
                transition: turn.now(),
            }));
        }
        list
    }
}

/// How many active pods lack a label of the template: those of a template before, or adopted ones.
/// Source: `pkg/controller/replicaset/replica_set_utils.go` (`calculateStatus`).
fn unlabelled(id: ReplicaSetId, row: &ReplicaSetRow, turn: &Turn<'_, '_>) -> i64 {
    let wanted = &turn.store.template(row.template).labels;
    let lacks = |pod: &PodRow| {
        let labels = &turn.store.template(pod.template).labels;
        wanted.iter().any(|one| !labels.contains(one))
    };
    let count = turn
        .store
        .pods_of(id)
        .filter(|(_, pod)| pod.is_active() && pod.template != row.template && lacks(pod));
    i64::try_from(count.count()).unwrap_or(0)
}

/// `source.component` of a kind's events.
const fn component(kind: OwnerKind) -> &'static str {
    match kind {
        OwnerKind::ReplicationController => "replication-controller",
        _ => "replicaset-controller",
    }
}

/// A kind's controller in the trace.
const fn source(kind: OwnerKind) -> &'static str {
    match kind {
        OwnerKind::ReplicationController => "kube.replicationcontroller",
        _ => "kube.replicaset",
    }
}

/// Active pods of all ReplicaSets of the same Deployment, by node. Nothing without a Deployment.
fn neighbours(id: ReplicaSetId, turn: &Turn<'_, '_>) -> SortedMap<NodeId, u32> {
    let mut counts = SortedMap::new();
    let owner = turn.store.replica_set(id).and_then(|row| row.owner);
    let Some(deployment) = owner.and_then(|owner| turn.store.deployment(owner)) else {
        return counts;
    };
    for set in &deployment.replica_sets {
        for (_, pod) in turn.store.pods_of(*set) {
            if let (true, Some(node)) = (pod.is_active(), pod.node) {
                *counts.entry(node).or_insert(0) += 1;
            }
        }
    }
    counts
}

fn candidate(
    pod: PodId,
    neighbours: &SortedMap<NodeId, u32>,
    turn: &Turn<'_, '_>,
) -> Candidate<PodId> {
    let row = turn.store.pod(pod).expect("an active pod is there");
    let template = turn.store.template(row.template);
    let details = turn.store.pod_details(pod);
    let sidecars = template
        .spec
        .init_containers
        .len()
        .min(details.containers.len());
    let restarts = |range: &[ContainerStatus]| {
        range
            .iter()
            .map(|status| status.restarts)
            .max()
            .unwrap_or(0)
    };
    Candidate {
        pod,
        assigned: row.node.is_some(),
        phase: row.phase,
        ready: row.is_ready(),
        cost: template.deletion_cost,
        neighbours: row
            .node
            .and_then(|node| neighbours.get(&node).copied())
            .unwrap_or(0),
        ready_s: details.transitions_s[PodCondition::Ready as usize],
        restarts: restarts(&details.containers[sidecars..]),
        sidecar_restarts: restarts(&details.containers[..sidecars]),
        created_s: row.created_s,
        uid: details.aside.uid.as_ref().map_or_else(
            || {
                let name = row.name.text(turn.ctx.symbols);
                let namespace = turn.ctx.symbols.text(template.namespace);
                uid(
                    turn.ctx.seed,
                    "pods",
                    namespace,
                    &name,
                    u64::from(row.created_s),
                )
            },
            |uid| first_letters(uid),
        ),
    }
}

/// A text's first sixteen bytes as a number that orders as the text does; of a uid, its digits.
fn first_letters(text: &str) -> u128 {
    let digits: String = text.chars().filter(|letter| *letter != '-').collect();
    if digits.len() == 32
        && let Ok(number) = u128::from_str_radix(&digits, 16)
    {
        return number;
    }
    let mut bytes = [0; 16];
    for (slot, byte) in bytes.iter_mut().zip(text.bytes()) {
        *slot = byte;
    }
    u128::from_be_bytes(bytes)
}
