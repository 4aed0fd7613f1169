//! The Deployment controller: which ReplicaSet has how many pods.
//! Sources: `pkg/controller/deployment/{deployment_controller,sync,rolling,recreate,progress}.go`.

pub mod arithmetic;
pub mod claim;
pub mod create;
pub mod progress;

use std::sync::Arc;

use smallvec::SmallVec;

use crate::base::arrange::Arrange;
use crate::base::name::Name;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::symbol::Symbol;
use crate::base::time::SimTime;
use crate::des::notice::Detail;
use crate::kube::limiter::Limiter;
use crate::kube::rows::node::ConditionStatus;
use crate::kube::rows::workload::{Amount, DeploymentRow, ReplicaSetRow};
use crate::kube::rows::{DeploymentId, ReplicaSetId};
use crate::kube::store::events::Message;
use crate::kube::template::TemplateId;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

use super::admission;
use arithmetic::{Bounds, Share, Size};

/// ReplicaSets of one Deployment: mostly one, or two while it rolls.
type Sets = SmallVec<[ReplicaSetId; 4]>;

/// The controller.
#[derive(Clone, Debug)]
pub struct DeploymentController {
    /// Its client's rate limiter.
    pub limiter: Limiter,
    /// ReplicaSets that the API server refused: how many in a row.
    refusals: SortedMap<DeploymentId, u32>,
    /// ReplicaSets that nobody controls.
    orphans: SortedSet<ReplicaSetId>,
    /// Those among them that a Deployment matches.
    wanted: SortedSet<ReplicaSetId>,
}

impl DeploymentController {
    /// A controller that has seen nothing.
    pub const fn new(limiter: Limiter) -> Self {
        Self {
            limiter,
            refusals: SortedMap::new(),
            orphans: SortedSet::new(),
            wanted: SortedSet::new(),
        }
    }

    /// One pass over one Deployment.
    pub fn sync(&mut self, id: DeploymentId, turn: &mut Turn<'_, '_>) {
        let Some(mut row) = turn.store.deployment(id).cloned() else {
            return;
        };
        // Those that it has just taken count, and those that it let go do not.
        if self.claim(id, &row, turn)
            && let Some(after) = turn.store.deployment(id)
        {
            row = after.clone();
        }
        if row.deleting {
            progress::write_numbers(self, id, turn);
            return;
        }
        self.note_pause(id, &row, turn);
        let new = find_new(&row, turn);
        if row.paused || scaling_event(&row, turn) {
            // Without making one, the new ReplicaSet's number and what it copies are kept up.
            if new.is_some() {
                self.new_replica_set(id, &row, new, turn);
            }
            self.scale(id, &row, new, turn);
            if row.paused {
                self.clean_up(id, new, turn);
            }
            progress::write_numbers(self, id, turn);
            return;
        } else if row.recreate {
            self.recreate(id, &row, new, turn);
            return;
        } else if self.roll(id, &row, new, turn) {
            return;
        }
        progress::write_status(self, id, find_new(&row, turn), turn);
        if progress::is_complete(id, turn) {
            self.clean_up(id, new, turn);
        }
    }

    fn note_pause(&mut self, id: DeploymentId, row: &DeploymentRow, turn: &mut Turn<'_, '_>) {
        if row.deadline_s.is_none() {
            return;
        }
        let current = row
            .conditions
            .iter()
            .find(|condition| condition.kind == "Progressing");
        if current.is_some_and(|condition| condition.reason == "ProgressDeadlineExceeded") {
            return;
        }
        let paused = current.is_some_and(|condition| condition.reason == "DeploymentPaused");
        if row.paused && !paused {
            progress::set(
                id,
                "Progressing",
                ConditionStatus::Unknown,
                "DeploymentPaused",
                "Deployment is paused",
                turn,
            );
        } else if !row.paused && paused {
            progress::set(
                id,
                "Progressing",
                ConditionStatus::Unknown,
                "DeploymentResumed",
                "Deployment is resumed",
                turn,
            );
        }
    }

    /// One step of a rolling update. Whether the pass ends here.
    fn roll(
        &mut self,
        id: DeploymentId,
        row: &DeploymentRow,
        new: Option<ReplicaSetId>,
        turn: &mut Turn<'_, '_>,
    ) -> bool {
        let bounds = bounds(row);
        let Some(new) = self.new_replica_set(id, row, new, turn) else {
            return true;
        };
        let Some(set) = turn.store.replica_set(new) else {
            return true;
        };
        let spec = set.replicas;
        let total = total(id, turn);
        let wanted = arithmetic::new_size(bounds, false, spec, total);
        if wanted != spec {
            self.resize(id, new, wanted, turn);
            progress::write_status(self, id, Some(new), turn);
            return true;
        }
        let old = old_sets(id, Some(new), turn);
        let sizes: Vec<Size> = old.iter().map(|set| size(*set, turn)).collect();
        let targets = arithmetic::old_sizes(bounds, size(new, turn), &sizes);
        let mut changed = false;
        for ((set, target), before) in old.iter().zip(targets).zip(sizes) {
            if target != before.spec {
                self.resize(id, *set, target, turn);
                changed = true;
            }
        }
        if changed {
            progress::write_status(self, id, Some(new), turn);
        }
        changed
    }

    /// All old pods go, and are gone, before the new ones come.
    fn recreate(
        &mut self,
        id: DeploymentId,
        row: &DeploymentRow,
        new: Option<ReplicaSetId>,
        turn: &mut Turn<'_, '_>,
    ) {
        let mut changed = false;
        for set in old_sets(id, new, turn) {
            if turn
                .store
                .replica_set(set)
                .is_some_and(|set| set.replicas > 0)
            {
                self.resize(id, set, 0, turn);
                changed = true;
            }
        }
        let alive = |set: &ReplicaSetId| {
            turn.store.replica_set(*set).is_some_and(|set| {
                set.status.active > 0 || set.pods.active + set.pods.terminating > 0
            })
        };
        if !changed && !old_sets(id, new, turn).iter().any(alive) {
            let Some(new) = self.new_replica_set(id, row, new, turn) else {
                return;
            };
            if turn
                .store
                .replica_set(new)
                .is_some_and(|set| set.replicas != row.replicas)
            {
                self.resize(id, new, row.replicas, turn);
            }
        }
        let new = find_new(row, turn);
        progress::write_status(self, id, new, turn);
        if progress::is_complete(id, turn) {
            self.clean_up(id, new, turn);
        }
    }

    /// A change of `spec.replicas`, or a pause: sizes follow in proportion.
    fn scale(
        &mut self,
        id: DeploymentId,
        row: &DeploymentRow,
        new: Option<ReplicaSetId>,
        turn: &mut Turn<'_, '_>,
    ) {
        let active: Sets = sets(id, turn)
            .into_iter()
            .filter(|set| {
                turn.store
                    .replica_set(*set)
                    .is_some_and(|set| set.replicas > 0)
            })
            .collect();
        if active.len() <= 1 {
            let only = active
                .first()
                .copied()
                .or(new)
                .or_else(|| old_sets(id, new, turn).last().copied());
            // One that has the size already keeps its annotations, too.
            let differs = |set: &ReplicaSetId| {
                turn.store
                    .replica_set(*set)
                    .is_some_and(|set| set.replicas != row.replicas)
            };
            if let Some(set) = only.filter(differs) {
                self.resize(id, set, row.replicas, turn);
            }
            return;
        }
        let saturated = new
            .and_then(|new| turn.store.replica_set(new))
            .is_some_and(|set| {
                set.replicas == row.replicas
                    && set.desired == Some(row.replicas)
                    && set.status.available == row.replicas
            });
        if saturated {
            for set in old_sets(id, new, turn) {
                if turn
                    .store
                    .replica_set(set)
                    .is_some_and(|set| set.replicas > 0)
                {
                    self.resize(id, set, 0, turn);
                }
            }
            return;
        }
        if row.recreate {
            return;
        }
        let bounds = bounds(row);
        let allowed = if row.replicas > 0 {
            bounds.ceiling()
        } else {
            0
        };
        let grows = allowed >= active.iter().map(|set| size(*set, turn).spec).sum::<i64>();
        let mut order = active;
        order.arrange_by(|one, two| {
            let (first, second) = (&turn.store.replica_set(*one), &turn.store.replica_set(*two));
            let (Some(first), Some(second)) = (first, second) else {
                return std::cmp::Ordering::Equal;
            };
            let name = |set: &ReplicaSetRow| turn.ctx.symbols.text(set.name);
            let second_of = |set: &ReplicaSetRow| set.created.signed_seconds();
            // Those of one second by their names; the whole is turned round for the newer.
            let age = second_of(first)
                .cmp(&second_of(second))
                .then_with(|| name(first).cmp(name(second)));
            let age = if grows { age.reverse() } else { age };
            second.replicas.cmp(&first.replicas).then(age)
        });
        let shares: Vec<Share> = order
            .iter()
            .filter_map(|set| turn.store.replica_set(*set))
            .map(|set| Share {
                spec: set.replicas,
                max: set.max,
            })
            .collect();
        let sizes = arithmetic::proportional(bounds, &shares, row.status_replicas);
        for (set, wanted) in order.into_iter().zip(sizes) {
            self.resize(id, set, wanted, turn);
        }
    }

    /// Sets a ReplicaSet's size and its two annotations.
    fn resize(
        &mut self,
        id: DeploymentId,
        set: ReplicaSetId,
        wanted: i64,
        turn: &mut Turn<'_, '_>,
    ) {
        let Some(deployment) = turn.store.deployment(id) else {
            return;
        };
        let (desired, max) = (deployment.replicas, bounds(deployment).ceiling());
        let object = (
            "Deployment",
            deployment.namespace,
            Name::plain(deployment.name),
        );
        let Some(row) = turn.store.replica_set(set) else {
            return;
        };
        let (before, name) = (row.replicas, row.name);
        if before == wanted && row.desired == Some(desired) && row.max == Some(max) {
            return;
        }
        self.limiter.take(turn.now());
        if before != wanted {
            if admission::judge_size(set, wanted, turn).is_err() {
                self.retry(id, turn);
                return;
            }
            self.refusals.remove(&id);
        }
        turn.store.write_replica_set(set, before != wanted, |row| {
            row.replicas = wanted;
            row.desired = Some(desired);
            row.max = Some(max);
        });
        if before == wanted {
            return;
        }
        self.report(object, name, before, wanted, turn);
        turn.note(
            "kube.deployment",
            "scale",
            "replicaset",
            Name::plain(name),
            Detail::Change(before, wanted),
        );
    }

    fn report(
        &mut self,
        object: (&'static str, Symbol, Name),
        set: Symbol,
        before: i64,
        after: i64,
        turn: &mut Turn<'_, '_>,
    ) {
        let direction = if after > before { "up" } else { "down" };
        let text = format!(
            "Scaled {direction} replica set {} from {before} to {after}",
            turn.ctx.symbols.text(set)
        );
        turn.normal(
            object,
            "deployment-controller",
            "ScalingReplicaSet",
            Message::Text(text.into()),
        );
    }

    /// The new ReplicaSet: the one there is, brought up to date, or a fresh one; none if the API server
    /// refuses it.
    fn new_replica_set(
        &mut self,
        id: DeploymentId,
        row: &DeploymentRow,
        new: Option<ReplicaSetId>,
        turn: &mut Turn<'_, '_>,
    ) -> Option<ReplicaSetId> {
        let highest = old_sets(id, new, turn)
            .iter()
            .filter_map(|set| turn.store.replica_set(*set))
            .map(|set| set.revision_number)
            .max()
            .unwrap_or(0);
        let number = highest.saturating_add(1);
        if let Some(set) = new {
            let known = turn
                .store
                .replica_set(set)
                .expect("the new ReplicaSet was just found");
            let reused = known.revision_number < number;
            let (old_number, name) = (known.revision_number, known.name);
            if reused || known.min_ready_s != row.min_ready_s {
                self.limiter.take(turn.now());
                turn.store
                    .write_replica_set(set, known_min_ready_differs(set, row, turn), |set| {
                        set.min_ready_s = row.min_ready_s;
                        if reused {
                            if old_number > 0 {
                                set.revision_history.push(old_number);
                            }
                            set.revision_number = number;
                        }
                    });
            }
            let current = turn
                .store
                .replica_set(set)
                .map_or(number, |set| set.revision_number);
            self.number(id, current, turn);
            if row.deadline_s.is_some()
                && !row
                    .conditions
                    .iter()
                    .any(|condition| condition.kind == "Progressing")
            {
                let text = format!("Found new replica set \"{}\"", turn.ctx.symbols.text(name));
                progress::set(
                    id,
                    "Progressing",
                    ConditionStatus::True,
                    "FoundNewReplicaSet",
                    &text,
                    turn,
                );
            }
            return Some(set);
        }
        self.create(id, row, number, turn)
    }

    /// Copies the revision number to the Deployment's annotation.
    fn number(&mut self, id: DeploymentId, number: i64, turn: &mut Turn<'_, '_>) {
        if turn
            .store
            .deployment(id)
            .is_some_and(|row| row.revision_number != number)
        {
            self.limiter.take(turn.now());
            // Through the status, so that the generation stays.
            turn.store
                .write_deployment(id, false, |row| row.revision_number = number);
        }
    }

    /// Deletes old ReplicaSets beyond the history limit.
    fn clean_up(&mut self, id: DeploymentId, new: Option<ReplicaSetId>, turn: &mut Turn<'_, '_>) {
        let Some(limit) = turn.store.deployment(id).and_then(|row| row.history) else {
            return;
        };
        let mut old = old_sets(id, new, turn);
        old.retain(|set| {
            turn.store
                .replica_set(*set)
                .is_some_and(|set| !set.deleting)
        });
        let excess = old
            .len()
            .saturating_sub(usize::try_from(limit.max(0)).unwrap_or(usize::MAX));
        old.arrange_by_key(|set| {
            turn.store
                .replica_set(*set)
                .map(|set| (set.revision_number, set.created.signed_micros()))
        });
        for set in old.into_iter().take(excess) {
            let empty = turn.store.replica_set(set).is_some_and(|row| {
                row.replicas == 0 && row.status.active == 0 && row.observed >= row.generation
            });
            if empty {
                self.limiter.take(turn.now());
                let name = turn.store.replica_set(set).expect("read above").name;
                turn.note(
                    "kube.deployment",
                    "delete",
                    "replicaset",
                    Name::plain(name),
                    Detail::None,
                );
                claim::remove(set, turn);
            }
        }
    }
}

fn known_min_ready_differs(set: ReplicaSetId, row: &DeploymentRow, turn: &Turn<'_, '_>) -> bool {
    turn.store
        .replica_set(set)
        .is_some_and(|set| set.min_ready_s != row.min_ready_s)
}

/// The bounds of a Deployment.
pub fn bounds(row: &DeploymentRow) -> Bounds {
    Bounds::new(row.replicas, row.surge, row.unavailable, row.recreate)
}

/// Its ReplicaSets, oldest first, names deciding between equal times.
pub fn sets(id: DeploymentId, turn: &Turn<'_, '_>) -> Sets {
    let row = turn.store.deployment(id);
    let mut sets = row.map_or_else(Sets::new, |row| Sets::from_slice(&row.replica_sets));
    sets.arrange_by(|one, two| {
        let (Some(one), Some(two)) = (turn.store.replica_set(*one), turn.store.replica_set(*two))
        else {
            return std::cmp::Ordering::Equal;
        };
        let second = |time: SimTime| time.signed_seconds();
        second(one.created).cmp(&second(two.created)).then_with(|| {
            turn.ctx
                .symbols
                .text(one.name)
                .cmp(turn.ctx.symbols.text(two.name))
        })
    });
    sets
}

fn old_sets(id: DeploymentId, new: Option<ReplicaSetId>, turn: &Turn<'_, '_>) -> Sets {
    sets(id, turn)
        .into_iter()
        .filter(|set| Some(*set) != new)
        .collect()
}

/// The oldest ReplicaSet made from the Deployment's present template.
pub fn find_new(row: &DeploymentRow, turn: &Turn<'_, '_>) -> Option<ReplicaSetId> {
    let mut found: Option<(i64, ReplicaSetId)> = None;
    for set in &row.replica_sets {
        let Some(candidate) = turn.store.replica_set(*set) else {
            continue;
        };
        if candidate.source != Some(row.template) {
            continue;
        }
        let age = candidate.created.signed_micros();
        if found.is_none_or(|(oldest, _)| age < oldest) {
            found = Some((age, *set));
        }
    }
    found.map(|(_, set)| set)
}

fn scaling_event(row: &DeploymentRow, turn: &Turn<'_, '_>) -> bool {
    let sets = row
        .replica_sets
        .iter()
        .filter_map(|set| turn.store.replica_set(*set));
    sets.filter(|set| set.replicas > 0)
        .any(|set| set.desired.is_some_and(|desired| desired != row.replicas))
}

fn total(id: DeploymentId, turn: &Turn<'_, '_>) -> i64 {
    let row = turn.store.deployment(id);
    let sets = row.map_or(&[][..], |row| &row.replica_sets);
    sets.iter().map(|set| size(*set, turn).spec).sum()
}

/// A ReplicaSet's size. Pods beyond it are on their way out even while the status still counts them,
/// so they do not count as available: a slow client of the ReplicaSet controller must not make the
/// Deployment give up the same pods twice.
fn size(set: ReplicaSetId, turn: &Turn<'_, '_>) -> Size {
    let Some(row) = turn.store.replica_set(set) else {
        return Size {
            spec: 0,
            available: 0,
        };
    };
    Size {
        spec: row.replicas,
        available: row.status.available.min(row.replicas),
    }
}

/// `pod-template-hash`: FNV-32a over the template, printed in decimal, each digit mapped into the
/// alphabet of generated names. Upstream hashes Go's dump of the struct, which nobody else can
/// produce, so the digits differ from a real cluster's. Sources: `pkg/controller/controller_utils.go`
/// and `staging/src/k8s.io/apimachinery/pkg/util/rand/rand.go`.
pub fn template_hash(template: TemplateId, collisions: i64, turn: &Turn<'_, '_>) -> String {
    let mut state = 0x811c_9dc5_u32;
    let mut fold = |text: &str| {
        for byte in text.bytes().chain([0xff]) {
            state = (state ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    };
    fold_value(&turn.store.template(template).document, &mut fold);
    if collisions > 0 {
        fold(&collisions.to_string());
    }
    state
        .to_string()
        .bytes()
        .map(|digit| char::from(crate::base::name::SUFFIX_LETTERS[usize::from(digit) % 27]))
        .collect()
}

fn fold_value(value: &Value, fold: &mut impl FnMut(&str)) {
    match value {
        Value::Null => fold("null"),
        Value::Bool(truth) => fold(if *truth { "true" } else { "false" }),
        Value::Int(number) => fold(&number.to_string()),
        Value::Number(text) | Value::String(text) => fold(text),
        Value::List(items) => {
            fold("[");
            items.iter().for_each(|item| fold_value(item, fold));
            fold("]");
        }
        Value::Map(map) => {
            fold("{");
            for (key, value) in map.sorted() {
                fold(key);
                fold_value(value, fold);
            }
            fold("}");
        }
    }
}

/// The template of a ReplicaSet: the Deployment's with the hash as one more label.
fn with_hash(template: TemplateId, hash: &str, turn: &mut Turn<'_, '_>) -> TemplateId {
    let mut template = (**turn.store.template(template)).clone();
    let mut labels: Vec<(Arc<str>, Arc<str>)> = template.labels.to_vec();
    labels.retain(|(key, _)| &**key != "pod-template-hash");
    labels.push(("pod-template-hash".into(), hash.into()));
    labels.arrange();
    template.labels = labels.into();
    let mut document = Value::clone(&template.document);
    document.set_path(&["metadata", "labels", "pod-template-hash"], hash.into());
    template.document = Arc::new(document);
    turn.store.intern_template(template)
}

/// Reads `maxSurge` or `maxUnavailable` as written.
pub fn amount(value: Option<&Value>, default: Amount) -> Amount {
    match value {
        Some(Value::Int(count)) => Amount::Count(*count),
        Some(Value::String(text)) => Amount::parse(text).unwrap_or(default),
        _ => default,
    }
}
