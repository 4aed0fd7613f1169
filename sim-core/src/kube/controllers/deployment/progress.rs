//! A Deployment's status: numbers, conditions, and the clock of the progress deadline.
//! Sources: `pkg/controller/deployment/progress.go`, `util/deployment_util.go`.

use crate::base::name::Name;
use crate::base::name::Rule;
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::Detail;
use crate::kube::event::{Event, Key};
use crate::kube::rows::node::ConditionStatus;
use crate::kube::rows::workload::{DeploymentRow, WorkloadCondition};
use crate::kube::rows::{DeploymentId, ReplicaSetId};
use crate::kube::turn::Turn;

use super::{DeploymentController, bounds, find_new, sets};

/// The numbers of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Numbers {
    replicas: i64,
    updated: i64,
    ready: i64,
    available: i64,
    missing: i64,
    terminating: i64,
}

impl Numbers {
    const fn stored(row: &DeploymentRow) -> Self {
        Self {
            replicas: row.status_replicas,
            updated: row.updated,
            ready: row.ready,
            available: row.available,
            missing: row.missing,
            terminating: row.terminating,
        }
    }

    const fn complete(self, wanted: i64) -> bool {
        self.updated == wanted && self.replicas == wanted && self.available == wanted
    }
}

/// Writes the status of a rollout if it differs from what is stored.
pub fn write_status(
    controller: &mut DeploymentController,
    id: DeploymentId,
    new: Option<ReplicaSetId>,
    turn: &mut Turn<'_, '_>,
) {
    write(controller, id, new, true, turn);
}

/// Writes the status without a look at how the rollout goes: of what is paused, is being deleted or
/// has got another size.
pub fn write_numbers(
    controller: &mut DeploymentController,
    id: DeploymentId,
    turn: &mut Turn<'_, '_>,
) {
    write(controller, id, None, false, turn);
}

fn write(
    controller: &mut DeploymentController,
    id: DeploymentId,
    new: Option<ReplicaSetId>,
    rolls: bool,
    turn: &mut Turn<'_, '_>,
) {
    let Some(row) = turn.store.deployment(id) else {
        return;
    };
    let before = Numbers::stored(row);
    let row = row.clone();
    let new = new.or_else(|| find_new(&row, turn));
    let numbers = count(id, new, turn);
    let enough = numbers.available >= bounds(&row).floor();
    let (status, reason, message) = if enough {
        (
            ConditionStatus::True,
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.",
        )
    } else {
        (
            ConditionStatus::False,
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
        )
    };
    set(id, "Available", status, reason, message, turn);
    if rolls {
        progress(id, &row, before, numbers, new, turn);
        copy_failure(id, new, turn);
    }
    let Some(current) = turn.store.deployment(id) else {
        return;
    };
    if before == numbers && current.conditions == row.conditions && row.observed == row.generation {
        return;
    }
    controller.limiter.take(turn.now());
    turn.store.write_deployment(id, false, |row| {
        row.status_replicas = numbers.replicas;
        row.updated = numbers.updated;
        row.ready = numbers.ready;
        row.available = numbers.available;
        row.missing = numbers.missing;
        row.terminating = numbers.terminating;
        row.observed = row.generation;
    });
}

/// A ReplicaSet's condition ReplicaFailure is the Deployment's too, that of the new one first.
/// Source: `pkg/controller/deployment/progress.go` (`getReplicaFailures`).
fn copy_failure(id: DeploymentId, new: Option<ReplicaSetId>, turn: &mut Turn<'_, '_>) {
    const KIND: &str = "ReplicaFailure";
    let order = new.into_iter().chain(sets(id, turn));
    let failure = order
        .filter_map(|set| turn.store.replica_set(set))
        .flat_map(|set| &set.conditions)
        .find(|condition| condition.kind == KIND)
        .cloned();
    match failure {
        Some(failure) => {
            let (status, reason) = (failure.status, failure.reason);
            set(id, KIND, status, reason, &failure.message, turn);
        }
        None => remove(id, KIND, turn),
    }
}

fn remove(id: DeploymentId, kind: &str, turn: &mut Turn<'_, '_>) {
    let row = turn.store.deployment(id);
    if row.is_some_and(|row| row.conditions.iter().any(|one| one.kind == kind))
        && let Some(row) = turn.store.deployment_mut(id)
    {
        row.conditions.retain(|condition| condition.kind != kind);
    }
}

fn count(id: DeploymentId, new: Option<ReplicaSetId>, turn: &Turn<'_, '_>) -> Numbers {
    let mut numbers = Numbers {
        replicas: 0,
        updated: 0,
        ready: 0,
        available: 0,
        missing: 0,
        terminating: 0,
    };
    let mut specs = 0;
    for set in sets(id, turn) {
        let Some(row) = turn.store.replica_set(set) else {
            continue;
        };
        numbers.replicas += row.status.active;
        numbers.ready += row.status.ready;
        numbers.available += row.status.available;
        numbers.terminating += row.status.terminating;
        specs += row.replicas;
        if Some(set) == new {
            numbers.updated = row.status.active;
        }
    }
    numbers.missing = (specs - numbers.available).max(0);
    numbers
}

/// Whether the rollout is over: all pods are new, wanted and available.
pub fn is_complete(id: DeploymentId, turn: &Turn<'_, '_>) -> bool {
    turn.store.deployment(id).is_some_and(|row| {
        row.observed >= row.generation && Numbers::stored(row).complete(row.replicas)
    })
}

fn progress(
    id: DeploymentId,
    row: &DeploymentRow,
    before: Numbers,
    after: Numbers,
    new: Option<ReplicaSetId>,
    turn: &mut Turn<'_, '_>,
) {
    let Some(deadline) = row.deadline_s else {
        remove(id, "Progressing", turn);
        return;
    };
    let condition = turn
        .store
        .deployment(id)
        .and_then(|row| {
            row.conditions
                .iter()
                .find(|condition| condition.kind == "Progressing")
        })
        .cloned();
    let reason = condition.as_ref().map_or("", |condition| condition.reason);
    // A rollout that is over stays over, whatever its pods do afterwards.
    if reason == "NewReplicaSetAvailable" && after.replicas == after.updated {
        return;
    }
    let set_name = new
        .and_then(|new| turn.store.replica_set(new))
        .map(|set| set.name);
    let (kind, name) = set_name.map_or(("Deployment", row.name), |name| ("ReplicaSet", name));
    let name = format!("{kind} \"{}\"", turn.ctx.symbols.text(name));
    let progressed = after.updated > before.updated
        || after.replicas - after.updated < before.replicas - before.updated
        || after.ready > before.ready
        || after.available > before.available;
    if after.complete(row.replicas) {
        set(
            id,
            "Progressing",
            ConditionStatus::True,
            "NewReplicaSetAvailable",
            &format!("{name} has successfully progressed."),
            turn,
        );
        return;
    }
    if progressed {
        refresh(id, &format!("{name} is progressing."), turn);
        wait(id, turn.now(), deadline, turn);
        return;
    }
    // Nothing is rolled back or stopped, and what was complete does not time out.
    let open = condition.filter(|_| {
        !matches!(
            reason,
            "ProgressDeadlineExceeded" | "NewReplicaSetAvailable"
        )
    });
    let Some(condition) = open else {
        return;
    };
    if turn.now().signed_micros() > condition.updated.signed_micros() + deadline * 1_000_000 {
        set(
            id,
            "Progressing",
            ConditionStatus::False,
            "ProgressDeadlineExceeded",
            &format!("{name} has timed out progressing."),
            turn,
        );
        let value = SimDuration::from_secs(deadline.unsigned_abs());
        let rule = Some(Rule {
            key: "progressDeadlineSeconds",
            value,
        });
        turn.note_rule(
            "kube.deployment",
            "deadline-exceeded",
            "deployment",
            Name::plain(row.name),
            Detail::None,
            rule,
        );
    } else {
        wait(id, condition.updated, deadline, turn);
    }
}

/// Looks again one second after the deadline.
fn wait(id: DeploymentId, since: SimTime, deadline_s: i64, turn: &mut Turn<'_, '_>) {
    let at = since.signed_micros() + (deadline_s + 1) * 1_000_000;
    let at = SimTime::from_micros(u64::try_from(at).unwrap_or(0));
    let Some(row) = turn.store.deployment_mut(id) else {
        return;
    };
    if row.deadline_check == Some(at) {
        return;
    }
    row.deadline_check = Some(at);
    turn.at(at, Event::Sync(Key::Deployment(id)));
}

/// Restarts the clock: `lastUpdateTime` moves even when nothing else does.
fn refresh(id: DeploymentId, message: &str, turn: &mut Turn<'_, '_>) {
    put(
        id,
        "Progressing",
        ConditionStatus::True,
        "ReplicaSetUpdated",
        message,
        turn,
    );
}

/// Sets a condition; the same status and reason again is no change.
pub fn set(
    id: DeploymentId,
    kind: &'static str,
    status: ConditionStatus,
    reason: &'static str,
    message: &str,
    turn: &mut Turn<'_, '_>,
) {
    let Some(row) = turn.store.deployment(id) else {
        return;
    };
    let same = |condition: &WorkloadCondition| {
        condition.kind == kind && condition.status == status && condition.reason == reason
    };
    if !row.conditions.iter().any(same) {
        put(id, kind, status, reason, message, turn);
    }
}

/// Replaces a condition; the one written last stands last, as upstream's list has it.
fn put(
    id: DeploymentId,
    kind: &'static str,
    status: ConditionStatus,
    reason: &'static str,
    message: &str,
    turn: &mut Turn<'_, '_>,
) {
    let now = turn.now();
    let Some(row) = turn.store.deployment_mut(id) else {
        return;
    };
    let old = row
        .conditions
        .iter()
        .position(|condition| condition.kind == kind)
        .map(|position| row.conditions.remove(position));
    let transition = old
        .filter(|old| old.status == status)
        .map_or(now, |old| old.transition);
    row.conditions.push(WorkloadCondition {
        kind,
        status,
        reason,
        message: message.into(),
        updated: now,
        transition,
    });
}
