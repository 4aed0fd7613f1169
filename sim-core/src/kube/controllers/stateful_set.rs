//! The StatefulSet controller: pods with identities, made, replaced and given up in order.
//! Sources: `pkg/controller/statefulset/{stateful_set,stateful_set_control,stateful_set_utils,stateful_pod_control}.go`.

pub mod claims;
pub mod identity;

use std::ops::Range;
use std::sync::Arc;

use crate::base::name::{Name, Suffix};
use crate::base::sorted::SortedMap;
use crate::base::symbol::Symbol;
use crate::base::time::SimTime;
use crate::des::notice::Detail;
use crate::kube::event::{Event, Key};
use crate::kube::limiter::Limiter;
use crate::kube::rows::pod::{Phase, PodCondition, PodRow, signed_s};
use crate::kube::rows::stateful_set::StatefulSetPart;
use crate::kube::rows::workload::{Part, ReplicaSetRow};
use crate::kube::rows::{PodId, ReplicaSetId, read};
use crate::kube::selector::label;
use crate::kube::store::document::DocumentKey;
use crate::kube::store::events::Message;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

use self::claims::Provided;
use super::hands::{Actor, Hands, PodPlan, RETRY};
use super::{admission, revisions};

/// Pods of one wave. Source: `stateful_set_control.go`, `MaxBatchSize`.
const BATCH: usize = 500;

/// The controller.
#[derive(Clone, Debug)]
pub struct StatefulSetController {
    /// Its hands, and its client's rate limiter.
    pub hands: Hands,
    /// The pod that each set waits for, so that it is noted once.
    waits: SortedMap<ReplicaSetId, PodId>,
    /// The API server refused something in this pass.
    is_refused: bool,
}

/// One pass's view of a set.
struct Pass {
    id: ReplicaSetId,
    row: ReplicaSetRow,
    part: StatefulSetPart,
    /// Pods in range, by index from the start; `None`: absent.
    replicas: Vec<Option<PodId>>,
    /// Pods out of range, the highest ordinal first.
    condemned: Vec<(i64, PodId)>,
    /// The pod of the lowest ordinal that is not available, wanted ones before condemned ones.
    first_unhealthy: Option<PodId>,
    /// `status.currentReplicas` as this pass leaves it.
    current: Symbol,
    update: Symbol,
}

impl StatefulSetController {
    /// A controller that has done nothing yet.
    pub const fn new(limiter: Limiter) -> Self {
        Self {
            hands: Hands::new(
                Actor {
                    kind: "StatefulSet",
                    component: "statefulset-controller",
                    source: "kube.statefulset",
                    retry_first: RETRY.0,
                    retry_longest: RETRY.1,
                },
                limiter,
            ),
            waits: SortedMap::new(),
            is_refused: false,
        }
    }

    /// One pass over one set.
    #[inline(never)]
    pub fn sync(&mut self, id: ReplicaSetId, turn: &mut Turn<'_, '_>) {
        let Some(row) = turn.store.replica_set(id).cloned() else {
            return;
        };
        let Part::StatefulSet(part) = &row.part else {
            return;
        };
        let mut part = StatefulSetPart::clone(part);
        if part.revisions.is_empty() {
            part.revisions = revisions::load(id, turn);
        }
        let Some(update) = revisions::update(id, &mut part.revisions, &mut part.collisions, turn)
        else {
            return;
        };
        let current = part
            .current
            .filter(|name| part.revision(Some(*name)).is_some())
            .unwrap_or(update);
        part.current = Some(current);
        part.update = Some(update);
        let mut pass = Pass::new(id, row, part, current, update, turn);
        self.is_refused = false;
        if !pass.row.deleting {
            self.reconcile(&mut pass, turn);
        }
        let creates = turn
            .store
            .replica_set(id)
            .is_some_and(|row| row.creating > 0);
        if !self.is_refused && !creates {
            self.hands.forget(id);
        }
        self.write_status(pass, turn);
    }

    fn reconcile(&mut self, pass: &mut Pass, turn: &mut Turn<'_, '_>) {
        if pass.part.parallel {
            self.fill_parallel(pass, turn);
            if self.is_refused {
                return;
            }
        } else {
            for index in 0..pass.replicas.len() {
                if self.replica(pass, index, turn) {
                    return;
                }
            }
        }
        claims::condemn(pass.id, &pass.part, &pass.condemned, turn);
        if self.give_up(pass, turn) {
            return;
        }
        self.roll(pass, turn);
    }

    /// Repairs or makes one wanted pod in order. Whether the pass ends here.
    fn replica(&mut self, pass: &Pass, index: usize, turn: &mut Turn<'_, '_>) -> bool {
        let Some(pod) = pass.replicas.get(index).copied().flatten() else {
            self.create(pass, index, turn);
            return true;
        };
        let Some(row) = turn.store.pod(pod).copied() else {
            return true;
        };
        if row.phase.is_terminal() {
            self.replace(pass, pod, &row, turn);
            return true;
        }
        if row.phase == Phase::Pending {
            claims::provide(pass.id, &pass.part, pass.ordinal(index), turn);
        }
        if row.is_terminating() || !healthy(&row) {
            self.note_wait(pass, pod, row.name, turn);
            return true;
        }
        if let Some(at) = unavailable_until(pod, &pass.row, turn) {
            turn.at(at, Event::Sync(Key::ReplicaSet(pass.id)));
            return true;
        }
        self.keep(pass, (pass.ordinal(index), pod), turn);
        false
    }

    /// Puts back what a pod of the set has of its own.
    /// Source: `stateful_pod_control.go` (`UpdateStatefulPod`).
    fn keep(&mut self, pass: &Pass, at: (i64, PodId), turn: &mut Turn<'_, '_>) {
        claims::keep(pass.id, &pass.part, at, turn);
        let (ordinal, pod) = at;
        if !identity::restore(pass.row.name, ordinal, pod, turn) {
            return;
        }
        self.hands.limiter.take(turn.now());
        let set = turn.ctx.symbols.text(pass.row.name);
        let text = format!("Update Pod {set}-{ordinal} in StatefulSet {set} successful");
        let message = Message::Text(text.into());
        self.hands
            .normal(pass.id, "SuccessfulUpdate", message, turn);
    }

    /// Leaves a line that says which pod everything waits for, once per pod.
    fn note_wait(&mut self, pass: &Pass, pod: PodId, name: Name, turn: &mut Turn<'_, '_>) {
        let busy = !pass.condemned.is_empty()
            || pass.replicas.iter().any(Option::is_none)
            || pass.current != pass.update;
        if busy && self.waits.insert(pass.id, pod) != Some(pod) {
            turn.note("kube.statefulset", "wait-for", "pod", name, Detail::None);
        }
    }

    /// Without order: what is missing is made in waves over all indices, existing ones included. The
    /// wave in which something is refused is the last.
    fn fill_parallel(&mut self, pass: &Pass, turn: &mut Turn<'_, '_>) {
        let mut plans = Vec::new();
        for wave in waves(pass.replicas.len()) {
            for index in wave {
                self.fill(pass, index, &mut plans, turn);
            }
            if self.is_refused {
                break;
            }
        }
        self.hands.create(pass.id, plans, turn);
    }

    fn fill(
        &mut self,
        pass: &Pass,
        index: usize,
        plans: &mut Vec<PodPlan>,
        turn: &mut Turn<'_, '_>,
    ) {
        let Some(pod) = pass.replicas.get(index).copied().flatten() else {
            if plans.len() < BATCH {
                plans.extend(self.plan(pass, index, turn));
            }
            return;
        };
        let Some(row) = turn.store.pod(pod).copied() else {
            return;
        };
        if row.phase.is_terminal() {
            self.replace(pass, pod, &row, turn);
        } else if row.phase == Phase::Pending {
            claims::provide(pass.id, &pass.part, pass.ordinal(index), turn);
        } else {
            self.keep(pass, (pass.ordinal(index), pod), turn);
        }
    }

    /// The API server refused something: the set is looked at again later.
    fn refused(&mut self, id: ReplicaSetId, turn: &mut Turn<'_, '_>) {
        self.is_refused = true;
        self.hands.retry_later(id, turn);
    }

    fn plan(&mut self, pass: &Pass, index: usize, turn: &mut Turn<'_, '_>) -> Option<PodPlan> {
        let ordinal = pass.ordinal(index);
        match claims::provide(pass.id, &pass.part, ordinal, turn) {
            Provided::All => {}
            Provided::Waits => return None,
            Provided::Refused(why) => {
                let set = turn.ctx.symbols.text(pass.row.name);
                let text =
                    format!("Create Pod {set}-{ordinal} in StatefulSet {set} failed error: {why}");
                self.hands
                    .warning(pass.id, "FailedCreate", Message::Text(text.into()), turn);
                self.refused(pass.id, turn);
                return None;
            }
        }
        let template = identity::template(pass.id, &pass.part, ordinal, turn)?;
        let name = pod_name(pass.row.name, ordinal);
        // Somebody else's pod has the name: nobody is told (`AlreadyExists`).
        // Source: `pkg/controller/statefulset/stateful_pod_control.go` (`CreateStatefulPod`).
        let namespace = turn.ctx.symbols.text(pass.row.namespace);
        let text = name.text(turn.ctx.symbols);
        let taken = turn.store.pod_named(namespace, &text, turn.ctx.symbols);
        if taken.is_some() {
            self.refused(pass.id, turn);
            return None;
        }
        Some(PodPlan { name, template })
    }

    fn create(&mut self, pass: &Pass, index: usize, turn: &mut Turn<'_, '_>) {
        let Some(plan) = self.plan(pass, index, turn) else {
            return;
        };
        let now = turn.now();
        let (pod, set) = (
            plan.name.text(turn.ctx.symbols),
            turn.ctx.symbols.text(pass.row.name).to_owned(),
        );
        let template = match admission::admit(pass.id, plan.template, plan.name, turn) {
            Ok(template) => template,
            Err(refusal) => {
                let text = format!("Create Pod {pod} in StatefulSet {set} failed error: {refusal}");
                self.hands
                    .warning(pass.id, "FailedCreate", Message::Text(text.into()), turn);
                self.refused(pass.id, turn);
                return;
            }
        };
        self.hands.limiter.take(now);
        let flags = admission::flags(template, turn);
        turn.store
            .create_pod(plan.name, template, Some(pass.id), flags, now);
        turn.note("kube.statefulset", "create", "pod", plan.name, Detail::None);
        let text = format!("Create Pod {pod} in StatefulSet {set} successful");
        self.hands.normal(
            pass.id,
            "SuccessfulCreate",
            Message::Text(text.into()),
            turn,
        );
    }

    /// A pod that ended is deleted; the next pass after it is gone makes it anew.
    fn replace(&mut self, pass: &Pass, pod: PodId, row: &PodRow, turn: &mut Turn<'_, '_>) {
        if row.is_terminating() {
            return;
        }
        let text = format!(
            "StatefulSet {}/{} is recreating {} Pod {}",
            turn.ctx.symbols.text(pass.row.namespace),
            turn.ctx.symbols.text(pass.row.name),
            if row.phase == Phase::Failed {
                "failed"
            } else {
                "terminated"
            },
            row.name.text(turn.ctx.symbols)
        );
        let message = Message::Text(text.into());
        if row.phase == Phase::Failed {
            self.hands
                .warning(pass.id, "RecreatingFailedPod", message, turn);
        } else {
            self.hands
                .normal(pass.id, "RecreatingTerminatedPod", message, turn);
        }
        self.delete(pass.id, pod, turn);
    }

    fn delete(&mut self, id: ReplicaSetId, pod: PodId, turn: &mut Turn<'_, '_>) {
        let now = turn.now();
        let (Some(row), Some(set)) = (turn.store.pod(pod).copied(), turn.store.replica_set(id))
        else {
            return;
        };
        if row.is_terminating() {
            return;
        }
        let (pod_name, set_name) = (
            row.name.text(turn.ctx.symbols),
            turn.ctx.symbols.text(set.name).to_owned(),
        );
        if let Err(refusal) = self.hands.judge(id, pod, turn) {
            let text =
                format!("Delete Pod {pod_name} in StatefulSet {set_name} failed error: {refusal}");
            self.hands
                .warning(id, "FailedDelete", Message::Text(text.into()), turn);
            self.refused(id, turn);
            return;
        }
        let text = format!("Delete Pod {pod_name} in StatefulSet {set_name} successful");
        self.hands.limiter.take(now);
        self.hands
            .normal(id, "SuccessfulDelete", Message::Text(text.into()), turn);
        turn.note("kube.statefulset", "delete", "pod", row.name, Detail::None);
        turn.store.mark_terminating(pod, None, now);
    }

    /// Deletes pods out of range, the highest ordinal first. Whether the pass ends here.
    fn give_up(&mut self, pass: &Pass, turn: &mut Turn<'_, '_>) -> bool {
        if pass.part.parallel {
            for wave in waves(pass.condemned.len()) {
                for (_, pod) in &pass.condemned[wave] {
                    self.delete(pass.id, *pod, turn);
                }
                if self.is_refused {
                    return true;
                }
            }
            return false;
        }
        for (_, pod) in &pass.condemned {
            let Some(row) = turn.store.pod(*pod).copied() else {
                continue;
            };
            if row.is_terminating() {
                return true;
            }
            if Some(*pod) != pass.first_unhealthy {
                if !healthy(&row) {
                    return true;
                }
                if let Some(at) = unavailable_until(*pod, &pass.row, turn) {
                    turn.at(at, Event::Sync(Key::ReplicaSet(pass.id)));
                    return true;
                }
            }
            self.delete(pass.id, *pod, turn);
            return true;
        }
        false
    }

    /// The rolling update: one outdated pod, from the highest index down to the partition.
    fn roll(&mut self, pass: &Pass, turn: &mut Turn<'_, '_>) {
        if pass.part.on_delete {
            return;
        }
        let from = usize::try_from(pass.part.partition.max(0)).unwrap_or(usize::MAX);
        if turn.settings.max_unavailable_stateful_set
            && let Some(amount) = pass.part.max_unavailable
        {
            let bound = amount.floor(pass.row.replicas).max(1);
            self.roll_some(pass, from, bound, turn);
            return;
        }
        for pod in pass.replicas.iter().skip(from).rev() {
            // Made in this pass: not available yet.
            let Some(pod) = pod else { return };
            let Some(row) = turn.store.pod(*pod).copied() else {
                return;
            };
            if !row.is_terminating() && revision_of(&row, turn) != Some(pass.update) {
                self.delete(pass.id, *pod, turn);
                return;
            }
            if row.is_terminating() || !healthy(&row) {
                return;
            }
            if let Some(at) = unavailable_until(*pod, &pass.row, turn) {
                turn.at(at, Event::Sync(Key::ReplicaSet(pass.id)));
                return;
            }
        }
    }

    /// The same with feature gate MaxUnavailableStatefulSet: several at once.
    fn roll_some(&mut self, pass: &Pass, from: usize, bound: i64, turn: &mut Turn<'_, '_>) {
        let mut unavailable = 0;
        for pod in &pass.replicas {
            let row = pod.and_then(|pod| Some((pod, turn.store.pod(pod).copied()?)));
            let well = row.is_some_and(|(pod, row)| {
                !row.is_terminating()
                    && healthy(&row)
                    && unavailable_until(pod, &pass.row, turn).is_none()
            });
            unavailable += i64::from(!well);
        }
        let mut room = bound - unavailable;
        for pod in pass.replicas.iter().skip(from).rev().flatten() {
            if room <= 0 {
                return;
            }
            let outdated = turn.store.pod(*pod).is_some_and(|row| {
                !row.is_terminating() && revision_of(row, turn) != Some(pass.update)
            });
            if outdated {
                self.delete(pass.id, *pod, turn);
                room -= 1;
            }
        }
    }

    fn write_status(&mut self, mut pass: Pass, turn: &mut Turn<'_, '_>) {
        let mut count = Counts::default();
        let mut live = vec![pass.current, pass.update];
        for (pod, row) in turn.store.pods_of(pass.id) {
            count.all += 1;
            let well = healthy(row);
            count.ready += i64::from(well);
            count.available += i64::from(well && unavailable_until(pod, &pass.row, turn).is_none());
            let Some(revision) = revision_of(row, turn) else {
                continue;
            };
            live.push(revision);
            let counts = !row.is_terminating();
            count.current += i64::from(counts && revision == pass.current);
            count.updated += i64::from(counts && revision == pass.update);
        }
        let wanted = pass.row.replicas;
        let whole = count.updated == wanted && count.ready == wanted && count.all == wanted;
        if !pass.part.on_delete && whole {
            if pass.current != pass.update {
                // The old revision is free from the next pass on, which the status brings about.
                turn.after(
                    turn.store.watch_lag(),
                    Event::Sync(Key::ReplicaSet(pass.id)),
                );
            }
            pass.current = pass.update;
            count.current = count.updated;
        }
        let from = pass.part.partition.clamp(0, wanted.max(0));
        pass.part.outdated = if pass.part.on_delete {
            0
        } else {
            u64::try_from((wanted - from - count.updated).max(0)).unwrap_or(0)
        };
        pass.part.current = Some(pass.current);
        pass.part.update = Some(pass.update);
        pass.part.current_replicas = count.current;
        revisions::trim(
            pass.id,
            &mut pass.part.revisions,
            &live,
            pass.part.history,
            turn,
        );
        let status = pass.status(&count, turn);
        let key = key(&pass.row, turn);
        if let Some(row) = turn.store.replica_set_mut(pass.id) {
            row.observed = row.generation;
            row.part = Part::StatefulSet(Arc::new(pass.part));
        }
        if turn.store.write_status(&key, status) {
            self.hands.limiter.take(turn.now());
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    all: i64,
    ready: i64,
    available: i64,
    current: i64,
    updated: i64,
}

impl Pass {
    fn new(
        id: ReplicaSetId,
        row: ReplicaSetRow,
        part: StatefulSetPart,
        current: Symbol,
        update: Symbol,
        turn: &Turn<'_, '_>,
    ) -> Self {
        let mut by_ordinal: SortedMap<i64, PodId> = SortedMap::new();
        for (pod, found) in turn.store.pods_of(id) {
            if let Some(ordinal) = ordinal_of(found, &row, turn) {
                by_ordinal.insert(ordinal, pod);
            }
        }
        let range = part.start..part.start.saturating_add(row.replicas.max(0));
        let replicas: Vec<Option<PodId>> = range
            .clone()
            .map(|ordinal| by_ordinal.get(&ordinal).copied())
            .collect();
        let condemned: Vec<(i64, PodId)> = by_ordinal
            .iter()
            .rev()
            .filter(|(ordinal, _)| !range.contains(ordinal))
            .map(|(ordinal, pod)| (*ordinal, *pod))
            .collect();
        let unhealthy = |pod: &PodId| {
            turn.store.pod(*pod).is_some_and(|found| {
                found.is_terminating()
                    || !healthy(found)
                    || unavailable_until(*pod, &row, turn).is_some()
            })
        };
        // An absent pod is the first unhealthy one as well; then no condemned pod is.
        let absent = replicas.iter().any(Option::is_none);
        let first = replicas
            .iter()
            .flatten()
            .find(|pod| unhealthy(pod))
            .copied();
        let first_unhealthy = first.or_else(|| {
            let lowest = condemned.iter().rev().map(|(_, pod)| *pod);
            lowest.filter(|_| !absent).find(unhealthy)
        });
        Self {
            id,
            row,
            part,
            replicas,
            condemned,
            first_unhealthy,
            current,
            update,
        }
    }

    fn ordinal(&self, index: usize) -> i64 {
        self.part
            .start
            .saturating_add(i64::try_from(index).unwrap_or(i64::MAX))
    }

    fn status(&self, count: &Counts, turn: &Turn<'_, '_>) -> Value {
        let symbols = &turn.ctx.symbols;
        let text = |name| Value::from(symbols.text(name));
        let mut status = Value::map();
        status.set("availableReplicas", count.available.into());
        status.set("collisionCount", self.part.collisions.into());
        if count.current > 0 {
            status.set("currentReplicas", count.current.into());
        }
        status.set("currentRevision", text(self.current));
        status.set("observedGeneration", self.row.generation.into());
        if count.ready > 0 {
            status.set("readyReplicas", count.ready.into());
        }
        status.set("replicas", count.all.into());
        status.set("updateRevision", text(self.update));
        if count.updated > 0 {
            status.set("updatedReplicas", count.updated.into());
        }
        status
    }
}

/// Indices in waves of 1, 2, 4, …. Source: `stateful_set_control.go` (`slowStartBatch`).
fn waves(count: usize) -> impl Iterator<Item = Range<usize>> {
    let (mut from, mut size) = (0, 1);
    std::iter::from_fn(move || {
        let wave = from..count.min(from + size);
        from = wave.end;
        size = BATCH.min(size * 2);
        (!wave.is_empty()).then_some(wave)
    })
}

/// The document of a controller of pods.
pub fn key(row: &ReplicaSetRow, turn: &Turn<'_, '_>) -> DocumentKey {
    DocumentKey {
        resource: row.kind.resource().into(),
        namespace: turn.ctx.symbols.text(row.namespace).into(),
        name: turn.ctx.symbols.text(row.name).into(),
    }
}

/// Running and ready.
fn healthy(row: &PodRow) -> bool {
    row.phase == Phase::Running && row.is_ready()
}

/// When a ready pod will have been ready for `minReadySeconds`; `None`: it has.
fn unavailable_until(pod: PodId, set: &ReplicaSetRow, turn: &Turn<'_, '_>) -> Option<SimTime> {
    if set.min_ready_s == 0 {
        return None;
    }
    let since = turn.store.pod_details(pod).transitions_s[PodCondition::Ready as usize];
    let at = u64::try_from(signed_s(since) + set.min_ready_s).unwrap_or(0);
    Some(SimTime::from_micros(at.saturating_mul(1_000_000))).filter(|at| *at > turn.now())
}

/// The revision that a pod was made from.
fn revision_of(row: &PodRow, turn: &Turn<'_, '_>) -> Option<Symbol> {
    let labels = &turn.store.template(row.template).labels;
    turn.ctx
        .symbols
        .get(label(labels, "controller-revision-hash")?)
}

/// The ordinal in a pod's name.
fn ordinal_of(pod: &PodRow, set: &ReplicaSetRow, turn: &Turn<'_, '_>) -> Option<i64> {
    if let (Suffix::Dash(ordinal), true) = (pod.name.suffix, pod.name.prefix == set.name) {
        return Some(i64::from(ordinal));
    }
    let text = pod.name.text(turn.ctx.symbols);
    text.strip_prefix(turn.ctx.symbols.text(set.name))?
        .strip_prefix('-')?
        .parse()
        .ok()
}

/// Name of a set's pod.
fn pod_name(set: Symbol, ordinal: i64) -> Name {
    Name {
        prefix: set,
        suffix: Suffix::Dash(u32::try_from(ordinal).unwrap_or(u32::MAX)),
    }
}

/// Labels that the set selects by, for what it makes besides pods.
fn selector_labels(document: &Value) -> Vec<(Arc<str>, Arc<str>)> {
    read::text_map(document.path(&["spec", "selector", "matchLabels"]))
        .into_iter()
        .collect()
}
