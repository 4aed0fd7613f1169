//! The DaemonSet controller: one pod on each node that wants one.
//! Sources: `pkg/controller/daemon/{daemon_controller,update}.go`, `util/daemonset_util.go`.

pub mod placement;
pub mod update;

use std::cmp::Ordering;
use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::name::Name;
use crate::base::sorted::SortedMap;
use crate::base::symbol::Symbol;
use crate::base::time::SimDuration;
use crate::kube::event::{Event, Key};
use crate::kube::limiter::Limiter;
use crate::kube::rows::daemon_set::DaemonSetPart;
use crate::kube::rows::pod::{Phase, PodFlags, PodRow};
use crate::kube::rows::workload::{Part, ReplicaSetRow};
use crate::kube::rows::{NodeId, PodId, ReplicaSetId};
use crate::kube::selector::label;
use crate::kube::store::events::Message;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

use super::hands::{Actor, Hands, PodPlan, RETRY, suffix};
use super::revisions;
use placement::{Fit, fit, target};

/// Creations, and deletions, decided in one sync. Source: `daemon_controller.go`, `BurstReplicas`.
const BURST_REPLICAS: usize = 250;

/// First wait before a failed daemon pod of a node is replaced; doubles up to [`BACKOFF_MAX`].
/// Source: `cmd/kube-controller-manager/app/apps.go`.
const BACKOFF_FIRST: SimDuration = SimDuration::from_secs(1);
/// Longest such wait.
const BACKOFF_MAX: SimDuration = SimDuration::from_secs(900);

/// The controller.
#[derive(Clone, Debug)]
pub struct DaemonSetController {
    /// Its hands, and its client's rate limiter.
    pub hands: Hands,
}

/// One pass's view of a set.
struct Pass {
    id: ReplicaSetId,
    row: ReplicaSetRow,
    part: DaemonSetPart,
    /// Value of label `controller-revision-hash` of up-to-date pods.
    hash: String,
    /// Nodes by name, with what they make of the set's pods.
    nodes: Vec<(NodeId, Fit)>,
    /// The set's pods by node.
    pods: SortedMap<NodeId, Vec<PodId>>,
}

impl DaemonSetController {
    /// A controller that has done nothing yet.
    pub const fn new(limiter: Limiter) -> Self {
        Self {
            hands: Hands::new(
                Actor {
                    kind: "DaemonSet",
                    component: "daemonset-controller",
                    source: "kube.daemonset",
                    retry_first: RETRY.0,
                    retry_longest: RETRY.1,
                },
                limiter,
            ),
        }
    }

    /// One pass over one set.
    #[inline(never)]
    pub fn sync(&mut self, id: ReplicaSetId, turn: &mut Turn<'_, '_>) {
        // One that is being deleted is not touched at all.
        let Some(row) = turn
            .store
            .replica_set(id)
            .filter(|row| !row.deleting)
            .cloned()
        else {
            return;
        };
        let Part::DaemonSet(part) = &row.part else {
            return;
        };
        let mut part = DaemonSetPart::clone(part);
        if row.selector.0.is_empty() {
            self.hands.warning(
                id,
                "SelectingAll",
                Message::Plain(
                    "This daemon set is selecting all pods. A non-empty selector is required.",
                ),
                turn,
            );
            return;
        }
        if part.revisions.is_empty() {
            part.revisions = revisions::load(id, turn);
        }
        let Some(update) = revisions::update(id, &mut part.revisions, &mut part.collisions, turn)
        else {
            return;
        };
        let hash = revisions::hash_of(row.name, update, turn).to_owned();
        let mut pass = Pass::new(id, row, part, hash, turn);
        let (create, delete) = self.manage(&mut pass, turn);
        let settled = create.is_empty() && delete.is_empty();
        self.carry_out(&pass, create, &delete, turn);
        if settled && !pass.part.on_delete {
            let (create, delete) = update::step(&pass, turn);
            self.carry_out(&pass, create, &delete, turn);
        }
        self.write_status(pass, update, turn);
    }

    /// Which nodes lack a pod, and which pods are out of place.
    fn manage(&mut self, pass: &mut Pass, turn: &mut Turn<'_, '_>) -> (Vec<NodeId>, Vec<PodId>) {
        let (mut create, mut delete) = (Vec::new(), Vec::new());
        let surges = pass.surge() > 0;
        for (node, fit) in pass.nodes.clone() {
            let pods = pass.pods.get(&node).cloned().unwrap_or_default();
            match fit {
                Fit::Run if pods.is_empty() => create.push(node),
                Fit::Run | Fit::Continue => {
                    let running = self.tidy(pass, node, &pods, &mut delete, turn);
                    // With a surge, a node does not wait for the end of its last pod.
                    if fit == Fit::Run && running == 0 && surges {
                        create.push(node);
                    }
                }
                Fit::Refuse => delete.extend(
                    pods.iter()
                        .copied()
                        .filter(|pod| alive(*pod, turn).is_some()),
                ),
            }
        }
        // A pod that waits for a node that is gone.
        let lost: Vec<PodId> = turn
            .store
            .pods_of(pass.id)
            .filter(|(_, row)| row.node.is_none() && !row.is_terminating())
            .filter(|(_, row)| target(row, turn).is_none())
            .map(|(pod, _)| pod)
            .collect();
        delete.extend(lost);
        (create, delete)
    }

    /// Pods of one node that the set may run on: what ended goes, and of several one stays. Answers how
    /// many there were that had not ended.
    fn tidy(
        &mut self,
        pass: &mut Pass,
        node: NodeId,
        pods: &[PodId],
        delete: &mut Vec<PodId>,
        turn: &mut Turn<'_, '_>,
    ) -> usize {
        let mut running = Vec::new();
        for pod in pods {
            let Some(row) = alive(*pod, turn) else {
                continue;
            };
            match row.phase {
                Phase::Failed => {
                    if self.may_replace(pass, node, turn) {
                        self.report_ended(pass, &row, node, turn);
                        delete.push(*pod);
                    }
                }
                Phase::Succeeded => {
                    self.report_ended(pass, &row, node, turn);
                    delete.push(*pod);
                }
                _ => running.push(*pod),
            }
        }
        let count = running.len();
        if count <= 1 {
            return count;
        }
        running.arrange_by(|one, two| order(*one, *two, turn));
        if pass.surge() == 0 {
            delete.extend(running.into_iter().skip(1));
            return count;
        }
        let (mut new, mut old) = (None, None);
        for pod in running {
            let kept = if pass.is_new(pod, turn) {
                &mut new
            } else {
                &mut old
            };
            if kept.is_none() {
                *kept = Some(pod);
            } else {
                delete.push(pod);
            }
        }
        if let (Some(new), Some(old)) = (new, old) {
            let ready = turn.store.pod(old).is_some_and(PodRow::is_ready);
            if !ready || available(new, turn) {
                delete.push(old);
            }
        }
        count
    }

    /// Whether the back-off of a node with a failed pod is over; starts the next one.
    fn may_replace(&self, pass: &mut Pass, node: NodeId, turn: &mut Turn<'_, '_>) -> bool {
        let now = turn.now();
        let entry = pass
            .part
            .failures
            .iter_mut()
            .find(|(failed, ..)| *failed == node);
        let Some((_, count, since)) = entry else {
            pass.part.failures.push((node, 1, now));
            return true;
        };
        let wait = BACKOFF_FIRST
            .saturating_mul(1 << (*count - 1).min(20))
            .as_micros()
            .min(BACKOFF_MAX.as_micros());
        let until = *since + SimDuration::from_micros(wait);
        // Forgotten after twice the longest wait without a failure.
        if now > *since + BACKOFF_MAX.saturating_mul(2) {
            (*count, *since) = (1, now);
            return true;
        }
        if until > now {
            turn.at(until, Event::Sync(Key::ReplicaSet(pass.id)));
            return false;
        }
        (*count, *since) = (*count + 1, now);
        true
    }

    fn report_ended(&self, pass: &Pass, row: &PodRow, node: NodeId, turn: &mut Turn<'_, '_>) {
        let failed = row.phase == Phase::Failed;
        let node = turn.store.node(node).map_or(Symbol::EMPTY, |row| row.name);
        let text = format!(
            "Found {} daemon pod {}/{} on node {}, will try to {} it",
            if failed { "failed" } else { "succeeded" },
            turn.ctx.symbols.text(pass.row.namespace),
            row.name.text(turn.ctx.symbols),
            turn.ctx.symbols.text(node),
            if failed { "kill" } else { "delete" }
        );
        let message = Message::Text(text.into());
        if failed {
            self.hands
                .warning(pass.id, "FailedDaemonPod", message, turn);
        } else {
            self.hands
                .normal(pass.id, "SucceededDaemonPod", message, turn);
        }
    }

    fn carry_out(
        &mut self,
        pass: &Pass,
        create: Vec<NodeId>,
        delete: &[PodId],
        turn: &mut Turn<'_, '_>,
    ) {
        let mut plans = Vec::new();
        let first = turn.store.replica_set(pass.id).map_or(0, |row| row.ordinal);
        for (offset, node) in create.into_iter().take(BURST_REPLICAS).enumerate() {
            let Some(template) = placement::template(pass, node, turn) else {
                continue;
            };
            let ordinal = first.saturating_add(u32::try_from(offset).unwrap_or(u32::MAX));
            let name = Name {
                prefix: pass.row.name,
                suffix: suffix(pass.id, ordinal, turn),
            };
            plans.push(PodPlan { name, template });
        }
        self.hands.create(pass.id, plans, turn);
        let count = delete.len().min(BURST_REPLICAS);
        self.hands.delete(pass.id, &delete[..count], turn);
    }

    fn write_status(&mut self, mut pass: Pass, update: Symbol, turn: &mut Turn<'_, '_>) {
        let mut count = [0_i64; 6];
        let [
            desired,
            current,
            misscheduled,
            ready,
            updated,
            available_count,
        ] = &mut count;
        for (node, fit) in &pass.nodes {
            let wanted = *fit == Fit::Run;
            *desired += i64::from(wanted);
            let mut pods = pass.pods.get(node).cloned().unwrap_or_default();
            pods.retain(|pod| turn.store.pod(*pod).is_some());
            let Some(oldest) = pods.into_iter().min_by(|one, two| order(*one, *two, turn)) else {
                continue;
            };
            if !wanted {
                *misscheduled += 1;
                continue;
            }
            *current += 1;
            let is_ready = turn.store.pod(oldest).is_some_and(PodRow::is_ready);
            *ready += i64::from(is_ready);
            *available_count += i64::from(is_ready && available(oldest, turn));
            *updated += i64::from(pass.is_new(oldest, turn));
        }
        let [
            desired,
            current,
            misscheduled,
            ready,
            updated,
            available_count,
        ] = count;
        pass.part.outdated = if pass.part.on_delete {
            0
        } else {
            u64::try_from(desired - updated).unwrap_or(0)
        };
        let mut live = vec![update];
        for (_, row) in turn.store.pods_of(pass.id) {
            let labels = &turn.store.template(row.template).labels;
            let hash = label(labels, "controller-revision-hash");
            let revision = pass.part.revisions.iter().find(|revision| {
                hash.is_some_and(|hash| {
                    **hash == *revisions::hash_of(pass.row.name, revision.name, turn)
                })
            });
            live.extend(revision.map(|revision| revision.name));
        }
        revisions::trim(
            pass.id,
            &mut pass.part.revisions,
            &live,
            pass.part.history,
            turn,
        );
        let mut status = Value::map();
        status.set("currentNumberScheduled", current.into());
        status.set("desiredNumberScheduled", desired.into());
        let mut set = |key: &str, number: i64| {
            if number != 0 {
                status.set(key, number.into());
            }
        };
        set("collisionCount", pass.part.collisions);
        set("numberAvailable", available_count);
        set("numberUnavailable", desired - available_count);
        set("observedGeneration", pass.row.generation);
        set("updatedNumberScheduled", updated);
        status.set("numberMisscheduled", misscheduled.into());
        status.set("numberReady", ready.into());
        let key = super::stateful_set::key(&pass.row, turn);
        if let Some(row) = turn.store.replica_set_mut(pass.id) {
            // Waits are of one generation. Source: `daemon_controller.go` (`failedPodsBackoffKey`).
            if row.observed != row.generation {
                pass.part.failures.clear();
            }
            row.observed = row.generation;
            row.replicas = desired;
            row.part = Part::DaemonSet(Arc::new(pass.part));
        }
        if turn.store.write_status(&key, status) {
            self.hands.limiter.take(turn.now());
        }
    }
}

impl Pass {
    fn new(
        id: ReplicaSetId,
        row: ReplicaSetRow,
        part: DaemonSetPart,
        hash: String,
        turn: &Turn<'_, '_>,
    ) -> Self {
        let tolerations = placement::tolerations(row.template, turn);
        // Upstream walks a map in random order; by name it repeats.
        let mut named: Vec<(String, NodeId)> = turn
            .store
            .nodes()
            .map(|(node, found)| (turn.ctx.symbols.text(found.name).to_owned(), node))
            .collect();
        named.arrange();
        let nodes = named
            .into_iter()
            .map(|(_, node)| (node, fit(row.template, &tolerations, node, turn)))
            .collect();
        let mut pods: SortedMap<NodeId, Vec<PodId>> = SortedMap::new();
        for (pod, found) in turn.store.pods_of(id) {
            if found.phase.is_terminal() && found.is_terminating() {
                continue;
            }
            if let Some(node) = target(found, turn) {
                pods.entry(node).or_default().push(pod);
            }
        }
        Self {
            id,
            row,
            part,
            hash,
            nodes,
            pods,
        }
    }

    /// Nodes that are to run a pod.
    fn desired(&self) -> i64 {
        let count = self
            .nodes
            .iter()
            .filter(|(_, fit)| *fit == Fit::Run)
            .count();
        i64::try_from(count).unwrap_or(i64::MAX)
    }

    /// `maxSurge` as a number of nodes.
    fn surge(&self) -> i64 {
        self.part.surge.ceiling(self.desired())
    }

    /// `maxUnavailable` as a number of nodes.
    fn unavailable(&self) -> i64 {
        let number = self.part.unavailable.ceiling(self.desired());
        if number == 0 && self.surge() == 0 {
            1
        } else {
            number
        }
    }

    /// Whether a pod is of the newest revision.
    fn is_new(&self, pod: PodId, turn: &Turn<'_, '_>) -> bool {
        turn.store.pod(pod).is_some_and(|row| {
            label(
                &turn.store.template(row.template).labels,
                "controller-revision-hash",
            )
            .is_some_and(|hash| **hash == *self.hash)
        })
    }
}

/// Whether a pod is ready and has been for `minReadySeconds`.
fn available(pod: PodId, turn: &Turn<'_, '_>) -> bool {
    turn.store
        .pod(pod)
        .is_some_and(|row| row.is_ready() && row.flags.has(PodFlags::AVAILABLE))
}

/// A pod that is there and not being deleted.
fn alive(pod: PodId, turn: &Turn<'_, '_>) -> Option<PodRow> {
    turn.store
        .pod(pod)
        .filter(|row| !row.is_terminating())
        .copied()
}

/// Bound ones before others, then the oldest, then by name.
/// Source: `daemon_controller.go` (`podByCreationTimestampAndPhase`).
fn order(one: PodId, two: PodId, turn: &Turn<'_, '_>) -> Ordering {
    let age = |pod| {
        let row = turn.store.pod(pod);
        row.map_or((true, 0), |row| (row.node.is_none(), row.created_s))
    };
    let name = |pod| {
        turn.store
            .pod(pod)
            .map(|row| row.name.text(turn.ctx.symbols))
    };
    age(one)
        .cmp(&age(two))
        .then_with(|| name(one).cmp(&name(two)))
}
