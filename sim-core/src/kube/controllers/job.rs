//! The Job controller: pods that run to their end, counted once each.
//!
//! Upstream keeps a pod that has not been counted alive with a finalizer; here a pod that vanishes
//! uncounted leaves its end with the Job's row, which comes to the same.
//! Sources: `pkg/controller/job/{job_controller,backoff_utils,indexed_job_utils}.go`.

pub mod backoff;
pub mod create;
pub mod failure;
pub mod status;
pub mod success;

use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::time::{SimDuration, SimTime};
use crate::kube::event::{Event, Key};
use crate::kube::limiter::Limiter;
use crate::kube::rows::job::{Ended, FailureAction, JobPart};
use crate::kube::rows::node::ConditionStatus;
use crate::kube::rows::pod::{Phase, PodRow};
use crate::kube::rows::workload::{Part, ReplicaSetRow};
use crate::kube::rows::{PodId, ReplicaSetId, WatchedId};
use crate::kube::selector::label;
use crate::kube::store::events::Message;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

use super::hands::{Actor, Hands};
use failure::Matched;

/// Label and annotation of a pod's completion index.
pub const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// Changes of pods within this time make one pass. Source: `job_controller.go`, `syncJobBatchPeriod`.
pub const BATCH: SimDuration = SimDuration::from_secs(1);

/// Creations, and deletions, of one pass. Source: as above, `MaxPodCreateDeletePerSync`.
const BURST: usize = 500;

/// The controller.
#[derive(Clone, Debug)]
pub struct JobController {
    /// Its hands, and its client's rate limiter.
    pub hands: Hands,
}

/// A condition that is to be written, in upstream's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the Job failed.
    pub failed: bool,
    /// `reason`.
    pub reason: String,
    /// `message`.
    pub message: String,
}

/// One pass's view of a Job.
struct Pass {
    id: ReplicaSetId,
    row: ReplicaSetRow,
    part: JobPart,
    active: Vec<PodId>,
    ready: i64,
    terminating: i64,
    /// Conditions as they stand, changed by this pass.
    conditions: Vec<Value>,
    completion: Option<SimTime>,
}

impl JobController {
    /// A controller that has done nothing yet.
    pub const fn new(limiter: Limiter) -> Self {
        Self {
            hands: Hands::new(
                Actor {
                    kind: "Job",
                    component: "job-controller",
                    source: "kube.job",
                    // Source: `job_controller.go`, `DefaultJobApiBackOff`, `MaxJobApiBackOff`.
                    retry_first: SimDuration::from_secs(1),
                    retry_longest: SimDuration::from_secs(60),
                },
                limiter,
            ),
        }
    }

    /// One pass over one Job.
    pub fn sync(&mut self, id: ReplicaSetId, turn: &mut Turn<'_, '_>) {
        let Some(row) = turn.store.replica_set(id).cloned() else {
            return;
        };
        let Part::Job(part) = &row.part else { return };
        let part = JobPart::clone(part);
        if part.foreign || row.deleting {
            return;
        }
        if part.finished.is_some() {
            expire(id, &row, &part, turn);
            return;
        }
        let mut pass = Pass::new(id, row, part, turn);
        pass.part.forget_surplus_indexes();
        if pass.part.started.is_none() && !pass.part.suspend {
            pass.part.started = Some(turn.now().truncated_to_second());
        }
        let matched = self.count(&mut pass, turn);
        let verdict = self.verdict(&pass, matched, turn);
        let active = match verdict {
            Some(verdict) => self.finish(&mut pass, &verdict, turn),
            None => self.manage(&mut pass, turn),
        };
        self.write(pass, active, turn);
    }

    /// Counts pods that ended. Answers the first rule that fails the whole Job.
    fn count(&mut self, pass: &mut Pass, turn: &mut Turn<'_, '_>) -> Option<String> {
        let mut whole = None;
        let mut ended: Vec<(Ended, Option<PodId>)> = std::mem::take(&mut pass.part.vanished)
            .into_iter()
            .map(|ended| (ended, None))
            .collect();
        for (pod, row) in turn.store.pods_of(pass.id) {
            if pass.part.counted.contains(&pod) {
                continue;
            }
            let failed = is_failed(row, &pass.part);
            if failed || row.phase == Phase::Succeeded {
                let end = Ended {
                    failed,
                    at_s: backoff::finish_s(pod, row, turn),
                    index: index_of(row, turn),
                };
                ended.push((end, Some(pod)));
            }
        }
        ended.arrange_by_key(|(end, pod)| (end.at_s, end.failed, end.index, *pod));
        // Pods without an index of the Job are no part of it.
        // Source: `job_controller.go` (`getValidPodsWithFilter`).
        if pass.part.indexed {
            let completions = pass.part.completions.unwrap_or(i64::MAX);
            ended.retain(|(end, pod)| {
                let valid = end
                    .index
                    .is_some_and(|index| (0..completions).contains(&index));
                if let (false, Some(pod)) = (valid, pod) {
                    pass.part.counted.insert(*pod);
                }
                valid
            });
        }
        for (end, pod) in &ended {
            if let Some(pod) = pod {
                pass.part.counted.insert(*pod);
            }
            if end.failed {
                let matched = pod.and_then(|pod| failure::judge(pod, &pass.part, turn));
                if let (Some(pod), Some(index)) = (pod, end.index) {
                    failure::recall(*pod, index, &mut pass.part, turn);
                }
                self.count_failure(pass, *end, matched.as_ref());
                if let Some(Matched {
                    action: FailureAction::FailJob,
                    message,
                }) = matched
                    && whole.is_none()
                {
                    whole = Some(message);
                }
            } else if let (true, Some(index)) = (pass.part.indexed, end.index) {
                let in_range = pass.part.completions.is_none_or(|count| index < count);
                if in_range {
                    pass.part.done.insert(index);
                }
            } else if !pass.part.indexed {
                pass.part.succeeded += 1;
            }
        }
        if pass.part.indexed {
            pass.part.succeeded = i64::try_from(pass.part.done.len()).unwrap_or(i64::MAX);
        }
        if !pass.part.unreplaced.is_empty() {
            let active = active_indexes(pass, turn);
            let part = &mut pass.part;
            part.unreplaced.retain(|index| {
                !active.contains_key(index)
                    && !part.done.contains(index)
                    && !part.lost.contains(index)
            });
        }
        let ends: Vec<Ended> = ended.iter().map(|(end, _)| *end).collect();
        backoff::record(&mut pass.part.backoff, &ends);
        whole
    }

    fn count_failure(&mut self, pass: &mut Pass, end: Ended, matched: Option<&Matched>) {
        let part = &mut pass.part;
        let ignored = matched.is_some_and(|matched| matched.action == FailureAction::Ignore);
        if !ignored {
            part.failed += 1;
        }
        let (Some(limit), Some(index)) = (part.per_index, end.index) else {
            return;
        };
        let (count, passed, newest) = part.index_failures.entry(index).or_default();
        // 0: none yet; a pod that was taken over may have ended before the run began.
        if *newest == 0 || end.at_s > *newest {
            *newest = end.at_s;
        }
        if ignored {
            *passed += 1;
            part.unreplaced.remove(&index);
            return;
        }
        part.unreplaced.insert(index);
        let lost = *count >= limit
            || matched.is_some_and(|matched| matched.action == FailureAction::FailIndex);
        *count += 1;
        if lost && !part.done.contains(&index) {
            part.lost.insert(index);
        }
    }

    /// Whether, and how, the Job is over. The order is upstream's.
    fn verdict(
        &mut self,
        pass: &Pass,
        matched: Option<String>,
        turn: &mut Turn<'_, '_>,
    ) -> Option<Verdict> {
        for (kind, failed) in [("SuccessCriteriaMet", false), ("FailureTarget", true)] {
            if let Some(condition) = status::condition(&pass.conditions, kind) {
                return Some(Verdict {
                    failed,
                    reason: condition.str_at(&["reason"]).unwrap_or("").to_owned(),
                    message: condition.str_at(&["message"]).unwrap_or("").to_owned(),
                });
            }
        }
        let failure = |reason: &str, message: &str| {
            Some(Verdict {
                failed: true,
                reason: reason.to_owned(),
                message: message.to_owned(),
            })
        };
        if let Some(message) = matched {
            return failure("PodFailurePolicy", &message);
        }
        if pass.part.failed > pass.part.backoff_limit || restarted_too_often(pass, turn) {
            return failure(
                "BackoffLimitExceeded",
                "Job has reached the specified backoff limit",
            );
        }
        if let (Some(deadline), Some(started), false) =
            (pass.part.deadline_s, pass.part.started, pass.part.suspend)
        {
            let ends = later(started, deadline);
            if turn.now() >= ends {
                return failure(
                    "DeadlineExceeded",
                    "Job was active longer than specified deadline",
                );
            }
            look_again(pass.id, ends, turn);
        }
        if pass.part.indexed && pass.part.per_index.is_some() {
            let lost = i64::try_from(pass.part.lost.len()).unwrap_or(i64::MAX);
            if pass
                .part
                .max_failed_indexes
                .is_some_and(|limit| lost > limit)
            {
                return failure(
                    "MaxFailedIndexesExceeded",
                    "Job has exceeded the specified maximal number of failed indexes",
                );
            }
            if lost > 0
                && pass
                    .part
                    .completions
                    .is_some_and(|count| lost + pass.part.succeeded >= count)
            {
                return failure("FailedIndexes", "Job has failed indexes");
            }
        }
        if let Some(rule) = success::matched(&pass.part) {
            return Some(Verdict {
                failed: false,
                reason: "SuccessPolicy".to_owned(),
                message: format!("Matched rules at index {rule}"),
            });
        }
        let active = pass.active.len();
        let complete = match pass.part.completions {
            None => pass.part.succeeded > 0 && active == 0,
            Some(wanted) => pass.part.succeeded >= wanted && active == 0,
        };
        complete.then(|| Verdict {
            failed: false,
            reason: "CompletionsReached".to_owned(),
            message: "Reached expected number of succeeded pods".to_owned(),
        })
    }

    /// The Job is over: its pods go, and when they are gone the last condition comes.
    fn finish(&mut self, pass: &mut Pass, verdict: &Verdict, turn: &mut Turn<'_, '_>) -> i64 {
        let now = turn.now();
        pass.row.replicas = 0;
        let target = if verdict.failed {
            "FailureTarget"
        } else {
            "SuccessCriteriaMet"
        };
        status::set(
            &mut pass.conditions,
            target,
            ConditionStatus::True,
            (&verdict.reason, &verdict.message),
            now,
        );
        close(pass, verdict, turn);
        if !pass.active.is_empty() {
            self.hands.delete(pass.id, &pass.active, turn);
        }
        if !pass.active.is_empty() || pass.terminating > 0 {
            return 0;
        }
        let kind = if verdict.failed { "Failed" } else { "Complete" };
        status::set(
            &mut pass.conditions,
            kind,
            ConditionStatus::True,
            (&verdict.reason, &verdict.message),
            now,
        );
        pass.part.finished = Some(now.truncated_to_second());
        pass.part.complete = !verdict.failed;
        if verdict.failed {
            self.hands.warning(
                pass.id,
                reason_text(&verdict.reason),
                Message::Text(verdict.message.as_str().into()),
                turn,
            );
        } else {
            pass.completion = Some(now);
            let too_many = pass.part.completions;
            if too_many.is_some_and(|wanted| pass.part.succeeded > wanted) {
                self.hands.warning(
                    pass.id,
                    "TooManySucceededPods",
                    Message::Plain(
                        "Too many succeeded pods running after completion count reached",
                    ),
                    turn,
                );
            }
            self.hands
                .normal(pass.id, "Completed", Message::Plain("Job completed"), turn);
        }
        turn.note(
            "kube.job",
            if verdict.failed { "fail" } else { "complete" },
            "job",
            crate::base::name::Name::plain(pass.row.name),
            crate::des::notice::Detail::None,
        );
        if let Some(ttl) = pass.part.ttl_s {
            let at = now.truncated_to_second() + SimDuration::from_secs(ttl.unsigned_abs());
            turn.at(at, Event::Sync(Key::ReplicaSet(pass.id)));
        }
        0
    }

    /// Makes or deletes pods. Answers what the status calls active.
    fn manage(&mut self, pass: &mut Pass, turn: &mut Turn<'_, '_>) -> i64 {
        self.follow_suspension(pass, turn);
        let active = i64::try_from(pass.active.len()).unwrap_or(i64::MAX);
        if pass.part.suspend {
            pass.row.replicas = 0;
            let victims = std::mem::take(&mut pass.active);
            self.give_up(pass, &victims, turn);
            return 0;
        }
        let wanted = wanted(pass, active);
        pass.row.replicas = wanted.min(open_indexes(&pass.part));
        let surplus = self.surplus(pass, active - wanted, turn);
        if !surplus.is_empty() {
            let count = surplus.len().min(BURST);
            self.give_up(pass, &surplus[..count], turn);
            return active - i64::try_from(count).unwrap_or(0);
        }
        let held = if pass.part.replace_failed_only || pass.part.failure_rules.is_some() {
            pass.terminating
        } else {
            0
        };
        let missing = (wanted - held - active).clamp(0, 500);
        if missing == 0 {
            return active;
        }
        if pass.part.per_index.is_none()
            && let Some(until) = backoff::until(&pass.part.backoff).filter(|at| *at > turn.now())
        {
            look_again(pass.id, until, turn);
            self.note_wait(pass, until, turn);
            return 0;
        }
        let plans = create::plans(pass, missing, turn);
        let count = i64::try_from(plans.len()).unwrap_or(0);
        self.hands.create(pass.id, plans, turn);
        if self.hands.is_refused(pass.id) {
            return active;
        }
        active + count
    }

    /// Deletes pods that are not wanted any more. They are no part of the Job from then on, however
    /// they end: upstream takes its finalizer from them first.
    /// Source: `job_controller.go` (`deleteJobPods`).
    fn give_up(&mut self, pass: &mut Pass, victims: &[PodId], turn: &mut Turn<'_, '_>) {
        pass.part.counted.extend(victims.iter().copied());
        self.hands.delete(pass.id, victims, turn);
    }

    /// Leaves a line that says how long the back-off lasts, once.
    fn note_wait(&self, pass: &mut Pass, until: SimTime, turn: &mut Turn<'_, '_>) {
        if pass.part.next_look == Some(until) {
            return;
        }
        pass.part.next_look = Some(until);
        let span = until.since(turn.now());
        turn.note(
            "kube.job",
            "back-off",
            "job",
            crate::base::name::Name::plain(pass.row.name),
            crate::des::notice::Detail::Span(span),
        );
    }

    fn follow_suspension(&mut self, pass: &mut Pass, turn: &mut Turn<'_, '_>) {
        let now = turn.now();
        let suspended = status::condition(&pass.conditions, "Suspended").is_some();
        if pass.part.suspend && !suspended {
            status::set(
                &mut pass.conditions,
                "Suspended",
                ConditionStatus::True,
                ("JobSuspended", "Job suspended"),
                now,
            );
            pass.part.started = None;
            self.hands
                .normal(pass.id, "Suspended", Message::Plain("Job suspended"), turn);
        } else if !pass.part.suspend && suspended {
            status::set(
                &mut pass.conditions,
                "Suspended",
                ConditionStatus::False,
                ("JobResumed", "Job resumed"),
                now,
            );
            pass.part.started = Some(now.truncated_to_second());
            self.hands
                .normal(pass.id, "Resumed", Message::Plain("Job resumed"), turn);
        }
    }

    /// Pods too many: of an index that has another or is none of the Job's, then by rank. A pod whose
    /// index is over stays while it is not too many.
    /// Source: `indexed_job_utils.go` (`appendDuplicatedIndexPodsForRemoval`).
    fn surplus(&self, pass: &Pass, count: i64, turn: &Turn<'_, '_>) -> Vec<PodId> {
        let mut chosen: Vec<PodId> = Vec::new();
        let mut rest: Vec<PodId> = Vec::new();
        let mut order: Vec<PodId> = pass.active.clone();
        order.arrange_by_key(|pod| rank(*pod, turn));
        if pass.part.indexed {
            // The pod that would be given up last keeps its index.
            let mut seen = SortedSet::new();
            for pod in order.into_iter().rev() {
                let index = turn.store.pod(pod).and_then(|row| index_of(row, turn));
                let valid =
                    index.is_some_and(|index| is_in_range(index, &pass.part) && seen.insert(index));
                if valid {
                    rest.push(pod);
                } else {
                    chosen.push(pod);
                }
            }
            rest.reverse();
        } else {
            rest = order;
        }
        let more = usize::try_from(count)
            .unwrap_or(0)
            .saturating_sub(chosen.len());
        chosen.extend(rest.into_iter().take(more));
        chosen
    }

    fn write(&mut self, pass: Pass, active: i64, turn: &mut Turn<'_, '_>) {
        let key = super::stateful_set::key(&pass.row, turn);
        let status = status::render(&pass.part, &pass, active);
        let wanted = if pass.part.finished.is_some() {
            0
        } else {
            pass.row.replicas
        };
        if let Some(row) = turn.store.replica_set_mut(pass.id) {
            row.observed = row.generation.max(1);
            row.replicas = wanted;
            row.part = Part::Job(Arc::new(pass.part));
        }
        if turn.store.write_status(&key, status) {
            self.hands.limiter.take(turn.now());
        }
    }
}

impl Pass {
    fn new(id: ReplicaSetId, row: ReplicaSetRow, mut part: JobPart, turn: &Turn<'_, '_>) -> Self {
        let (mut active, mut ready, mut terminating) = (Vec::new(), 0, 0);
        for (pod, found) in turn.store.pods_of(id) {
            if found.is_active() {
                active.push(pod);
                ready += i64::from(found.is_ready());
            } else if found.is_terminating() && !found.phase.is_terminal() {
                terminating += 1;
            }
        }
        part.counted.retain(|pod| turn.store.pod(*pod).is_some());
        let document = turn
            .store
            .documents()
            .get(&super::stateful_set::key(&row, turn));
        let conditions = document
            .and_then(|document| document.value.path(&["status", "conditions"]))
            .and_then(Value::as_list)
            .unwrap_or(&[])
            .to_vec();
        Self {
            id,
            row,
            part,
            active,
            ready,
            terminating,
            conditions,
            completion: None,
        }
    }
}

/// Closes the account of a Job that is over: of its pods that have not ended, each counts as failed
/// if it failed and as nothing if it succeeded, and none counts later.
/// Source: `job_controller.go` (`trackJobStatusAndRemoveFinalizers`).
fn close(pass: &mut Pass, verdict: &Verdict, turn: &Turn<'_, '_>) {
    pass.part.unreplaced.clear();
    let rest: Vec<PodId> = turn
        .store
        .pods_of(pass.id)
        .map(|(pod, _)| pod)
        .filter(|pod| !pass.part.counted.contains(pod))
        .collect();
    for pod in rest {
        pass.part.counted.insert(pod);
        let ignored = failure::judge(pod, &pass.part, turn)
            .is_some_and(|matched| matched.action == FailureAction::Ignore);
        let index = turn.store.pod(pod).and_then(|row| index_of(row, turn));
        let own = !pass.part.indexed || index.is_some_and(|index| is_in_range(index, &pass.part));
        if verdict.failed && !ignored && own {
            pass.part.failed += 1;
        }
    }
}

/// Whether a pod counts as failed.
pub fn is_failed(row: &PodRow, part: &JobPart) -> bool {
    let only_ended = part.replace_failed_only || part.failure_rules.is_some();
    row.phase == Phase::Failed
        || (!only_ended && row.is_terminating() && row.phase != Phase::Succeeded)
}

/// A pod's completion index. A negative one is none.
/// Source: `indexed_job_utils.go` (`getCompletionIndex`).
pub fn index_of(row: &PodRow, turn: &Turn<'_, '_>) -> Option<i64> {
    let template = turn.store.template(row.template);
    label(&template.annotations, INDEX)
        .or_else(|| label(&template.labels, INDEX))?
        .parse()
        .ok()
        .filter(|index| *index >= 0)
}

/// Whether a Job has such an index.
fn is_in_range(index: i64, part: &JobPart) -> bool {
    part.completions
        .is_none_or(|completions| index < completions)
}

/// Pods that are to be active.
fn wanted(pass: &Pass, active: i64) -> i64 {
    let part = &pass.part;
    match part.completions {
        None if part.succeeded > 0 => active,
        None => part.parallelism,
        Some(completions) => (completions - part.succeeded).min(part.parallelism).max(0),
    }
}

/// Pods that can still end with success: those of failed indexes cannot.
fn open_indexes(part: &JobPart) -> i64 {
    let lost = i64::try_from(part.lost.len()).unwrap_or(0);
    part.completions.map_or(i64::MAX, |completions| {
        (completions - part.succeeded - lost).max(0)
    })
}

/// With restartPolicy OnFailure, restarts of containers count against the limit.
fn restarted_too_often(pass: &Pass, turn: &Turn<'_, '_>) -> bool {
    if !pass.part.restarts {
        return false;
    }
    let restarts: i64 = pass
        .active
        .iter()
        .flat_map(|pod| turn.store.pod_details(*pod).containers.iter())
        .map(|container| i64::from(container.restarts))
        .sum();
    if pass.part.backoff_limit == 0 {
        restarts > 0
    } else {
        restarts >= pass.part.backoff_limit
    }
}

/// What goes first: as a ReplicaSet's order, without cost, neighbours and logarithm.
fn rank(pod: PodId, turn: &Turn<'_, '_>) -> (bool, Phase, bool, u32, i64, i64, PodId) {
    use crate::kube::rows::pod::PodCondition;
    let details = turn.store.pod_details(pod);
    let restarts = details
        .containers
        .iter()
        .map(|status| i64::from(status.restarts))
        .max()
        .unwrap_or(0);
    match turn.store.pod(pod) {
        Some(row) => (
            row.node.is_some(),
            row.phase,
            row.is_ready(),
            u32::MAX - details.transitions_s[PodCondition::Ready as usize],
            -restarts,
            -i64::from(row.created_s),
            pod,
        ),
        None => (false, Phase::Pending, false, 0, 0, 0, pod),
    }
}

/// So many seconds after a time, which may lie before the run; not before the run itself.
fn later(since: SimTime, seconds: i64) -> SimTime {
    let span = seconds.saturating_mul(1_000_000);
    let micros = since.signed_micros().saturating_add(span);
    SimTime::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// Looks again at a time, at least one second from now.
fn look_again(id: ReplicaSetId, at: SimTime, turn: &mut Turn<'_, '_>) {
    let earliest = turn.now() + BATCH;
    let at = if at > earliest { at } else { earliest };
    turn.at(at, Event::Sync(Key::ReplicaSet(id)));
}

/// A finished Job goes, in the foreground, when its time to live is over.
/// Source: `pkg/controller/ttlafterfinished/ttlafterfinished_controller.go`.
fn expire(id: ReplicaSetId, row: &ReplicaSetRow, part: &JobPart, turn: &mut Turn<'_, '_>) {
    let (Some(finished), Some(ttl)) = (part.finished, part.ttl_s) else {
        return;
    };
    let due = later(finished, ttl);
    let now = turn.now();
    if due > now {
        turn.at(due, Event::Sync(Key::ReplicaSet(id)));
        return;
    }
    let key = super::stateful_set::key(row, turn);
    if let Some(mut document) = turn.store.documents_mut().get_mut(&key) {
        document.deletion.get_or_insert(now);
    }
    turn.note_rule(
        "kube.ttl-after-finished",
        "delete",
        "job",
        crate::base::name::Name::plain(row.name),
        crate::des::notice::Detail::None,
        Some(crate::base::name::Rule {
            key: "ttlSecondsAfterFinished",
            value: SimDuration::from_secs(ttl.unsigned_abs()),
        }),
    );
    turn.store.write_replica_set(id, true, |row| {
        row.deleting = true;
        row.foreground = true;
    });
}

/// A reason as events keep it.
fn reason_text(reason: &str) -> &'static str {
    const REASONS: [&str; 5] = [
        "BackoffLimitExceeded",
        "DeadlineExceeded",
        "FailedIndexes",
        "MaxFailedIndexesExceeded",
        "PodFailurePolicy",
    ];
    REASONS
        .into_iter()
        .find(|known| *known == reason)
        .unwrap_or("Failed")
}

/// A pod of a Job is gone: if nobody has counted it, its end is kept.
pub fn vanished(pod: PodId, row: &PodRow, owner: ReplicaSetId, turn: &mut Turn<'_, '_>) {
    let index = index_of(row, turn);
    let now_s = turn.now().signed_seconds();
    let Some(Part::Job(part)) = turn
        .store
        .replica_set_mut(owner)
        .map(|owner| &mut owner.part)
    else {
        return;
    };
    if part.counted.contains(&pod) || part.finished.is_some() {
        return;
    }
    Arc::make_mut(part).vanished.push(Ended {
        failed: row.phase != Phase::Succeeded,
        at_s: now_s,
        index,
    });
}

/// Indexes of active pods.
fn active_indexes(pass: &Pass, turn: &Turn<'_, '_>) -> SortedMap<i64, PodId> {
    let row = |pod: &PodId| Some((index_of(turn.store.pod(*pod)?, turn)?, *pod));
    pass.active.iter().filter_map(row).collect()
}

/// The CronJob that a Job belongs to.
pub fn cron_job(id: ReplicaSetId, turn: &Turn<'_, '_>) -> Option<WatchedId> {
    let row = turn.store.replica_set(id)?;
    let Part::Job(part) = &row.part else {
        return None;
    };
    turn.store.cron_job_named(row.namespace, part.cron_job?)
}
