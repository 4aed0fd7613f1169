//! What a Job wants and remembers. Defaults: `pkg/apis/batch/v1/defaults.go`.

use std::sync::Arc;

use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::symbol::Symbol;
use crate::base::time::SimTime;
use crate::kube::rows::PodId;
use crate::manifest::value::Value;

use super::read;

/// `podFailurePolicy.rules[].action`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureAction {
    /// The whole Job fails.
    FailJob,
    /// The failure is not counted.
    Ignore,
    /// Counted as without a rule.
    Count,
    /// The index fails.
    FailIndex,
}

/// What a rule of `podFailurePolicy` looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailureMatch {
    /// `onExitCodes`: the container (any when `None`), whether `In`, the codes.
    ExitCodes(Option<Arc<str>>, bool, Vec<i64>),
    /// `onPodConditions`: type and status.
    Conditions(Vec<(Arc<str>, Arc<str>)>),
}

/// One rule of `podFailurePolicy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureRule {
    /// What follows.
    pub action: FailureAction,
    /// From what.
    pub matches: FailureMatch,
}

/// One rule of `successPolicy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuccessRule {
    /// `succeededIndexes`, as ranges.
    pub indexes: Option<Vec<(i64, i64)>>,
    /// `succeededCount`.
    pub count: Option<i64>,
}

/// How an uncounted pod ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Whether it counts as failed.
    pub failed: bool,
    /// When it ended, in whole seconds; pods that were taken over may have ended before the run.
    pub at_s: i64,
    /// Its completion index.
    pub index: Option<i64>,
}

/// Failures since the last success, for the back-off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    /// Failures in a row.
    pub failures: u32,
    /// Newest failure, in whole seconds.
    pub last_s: i64,
    /// Newest success, in whole seconds.
    pub success_s: Option<i64>,
}

/// A Job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobPart {
    /// `completions`; `None`: a work queue.
    pub completions: Option<i64>,
    /// `parallelism`.
    pub parallelism: i64,
    /// `completionMode: Indexed`.
    pub indexed: bool,
    /// `backoffLimit`.
    pub backoff_limit: i64,
    /// `backoffLimitPerIndex`.
    pub per_index: Option<i64>,
    /// `maxFailedIndexes`.
    pub max_failed_indexes: Option<i64>,
    /// `activeDeadlineSeconds`.
    pub deadline_s: Option<i64>,
    /// `ttlSecondsAfterFinished`.
    pub ttl_s: Option<i64>,
    /// `suspend`.
    pub suspend: bool,
    /// `podReplacementPolicy: Failed`.
    pub replace_failed_only: bool,
    /// `podFailurePolicy.rules`.
    pub failure_rules: Option<Vec<FailureRule>>,
    /// `successPolicy.rules`.
    pub success_rules: Option<Vec<SuccessRule>>,
    /// The template's `restartPolicy: OnFailure`.
    pub restarts: bool,
    /// Whether `managedBy` names another controller.
    pub foreign: bool,
    /// The CronJob that controls it: its name.
    pub cron_job: Option<Symbol>,
    /// Pods that have been counted.
    pub counted: SortedSet<PodId>,
    /// Pods that ended and are gone before they were counted.
    pub vanished: Vec<Ended>,
    /// `status.succeeded`.
    pub succeeded: i64,
    /// `status.failed`.
    pub failed: i64,
    /// Indexes that succeeded.
    pub done: SortedSet<i64>,
    /// Indexes that failed for good.
    pub lost: SortedSet<i64>,
    /// Failures by index: counted ones, ignored ones, the newest in whole seconds.
    pub index_failures: SortedMap<i64, (i64, i64, i64)>,
    /// Indexes whose newest failed pod has no successor yet: `status.failed` leaves it out.
    /// Source: `indexed_job_utils.go` (`getPodsWithDelayedDeletionPerIndex`).
    pub unreplaced: SortedSet<i64>,
    /// The back-off of the whole Job.
    pub backoff: Backoff,
    /// `status.startTime`.
    pub started: Option<SimTime>,
    /// Time of the finish condition.
    pub finished: Option<SimTime>,
    /// Whether it ended with success, once it ended.
    pub complete: bool,
    /// When it is looked at again.
    pub next_look: Option<SimTime>,
}

impl JobPart {
    /// Takes over what a document wants.
    pub fn read(&mut self, document: &Value) {
        let Some(spec) = document.get("spec") else {
            return;
        };
        self.completions = spec.i64_at(&["completions"]);
        self.parallelism = spec.i64_at(&["parallelism"]).unwrap_or(1);
        self.indexed = read::text(spec, &["completionMode"]) == "Indexed";
        self.per_index = spec.i64_at(&["backoffLimitPerIndex"]);
        let default = if self.per_index.is_some() {
            i64::from(i32::MAX)
        } else {
            6
        };
        self.backoff_limit = spec.i64_at(&["backoffLimit"]).unwrap_or(default);
        self.max_failed_indexes = spec.i64_at(&["maxFailedIndexes"]);
        self.deadline_s = spec.i64_at(&["activeDeadlineSeconds"]);
        self.ttl_s = spec.i64_at(&["ttlSecondsAfterFinished"]);
        self.suspend = read::truth(spec, &["suspend"]);
        self.failure_rules = spec
            .path(&["podFailurePolicy", "rules"])
            .and_then(Value::as_list)
            .map(|rules| rules.iter().map(failure_rule).collect());
        self.success_rules = spec
            .path(&["successPolicy", "rules"])
            .and_then(Value::as_list)
            .map(|rules| rules.iter().map(success_rule).collect());
        self.replace_failed_only = match read::text(spec, &["podReplacementPolicy"]) {
            "Failed" => true,
            "TerminatingOrFailed" => false,
            _ => self.failure_rules.is_some(),
        };
        self.restarts = read::text(spec, &["template", "spec", "restartPolicy"]) == "OnFailure";
        let manager = read::text(spec, &["managedBy"]);
        self.foreign = !manager.is_empty() && manager != "kubernetes.io/job-controller";
    }

    /// Forgets indexes that the Job has no more, as an elastic one has that was made smaller.
    /// Source: `indexed_job_utils.go` (`parseIndexesFromString`).
    pub fn forget_surplus_indexes(&mut self) {
        let Some(completions) = self.completions.filter(|_| self.indexed) else {
            return;
        };
        for indexes in [&mut self.done, &mut self.lost] {
            if indexes.last().is_some_and(|index| *index >= completions) {
                indexes.retain(|index| *index < completions);
            }
        }
    }

    /// Takes over what a loaded object says it has got to.
    pub fn resume(&mut self, status: &Value) {
        self.succeeded = read::number(status, &["succeeded"]);
        self.failed = read::number(status, &["failed"]);
        let indexes = |key| {
            ranges(read::text(status, &[key]))
                .into_iter()
                .flat_map(|(from, to)| from..=to)
                .collect()
        };
        self.done = indexes("completedIndexes");
        self.lost = indexes("failedIndexes");
        self.started = read::signed_time(read::text(status, &["startTime"]));
        for condition in read::list(status, &["conditions"]) {
            let kind = read::text(condition, &["type"]);
            if read::text(condition, &["status"]) == "True" && matches!(kind, "Complete" | "Failed")
            {
                self.finished = read::signed_time(read::text(condition, &["lastTransitionTime"]));
                self.complete = kind == "Complete";
            }
        }
    }
}

fn failure_rule(rule: &Value) -> FailureRule {
    let action = match read::text(rule, &["action"]) {
        "FailJob" => FailureAction::FailJob,
        "Ignore" => FailureAction::Ignore,
        "FailIndex" => FailureAction::FailIndex,
        _ => FailureAction::Count,
    };
    let matches = match rule.get("onExitCodes") {
        Some(codes) => FailureMatch::ExitCodes(
            codes.str_at(&["containerName"]).map(Arc::from),
            read::text(codes, &["operator"]) != "NotIn",
            read::list(codes, &["values"])
                .iter()
                .filter_map(Value::as_i64)
                .collect(),
        ),
        None => FailureMatch::Conditions(
            read::list(rule, &["onPodConditions"])
                .iter()
                .map(|condition| {
                    let status = condition.str_at(&["status"]).unwrap_or("True");
                    (read::text(condition, &["type"]).into(), status.into())
                })
                .collect(),
        ),
    };
    FailureRule { action, matches }
}

fn success_rule(rule: &Value) -> SuccessRule {
    SuccessRule {
        indexes: rule.str_at(&["succeededIndexes"]).map(ranges),
        count: rule.i64_at(&["succeededCount"]),
    }
}

/// Reads `0-2,4,6-7`; what is not a range is left out.
pub fn ranges(text: &str) -> Vec<(i64, i64)> {
    text.split(',')
        .filter_map(|part| {
            let (from, to) = part
                .trim()
                .split_once('-')
                .unwrap_or((part.trim(), part.trim()));
            Some((from.parse().ok()?, to.parse().ok()?))
        })
        .collect()
}

/// Writes indexes as `0-2,4,5`: three and more in a row become a range.
/// Source: `pkg/controller/job/indexed_job_utils.go`.
pub fn ranges_text(indexes: &SortedSet<i64>) -> String {
    let mut parts: Vec<(i64, i64)> = Vec::new();
    for index in indexes {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == *index => *last = *index,
            _ => parts.push((*index, *index)),
        }
    }
    let texts: Vec<String> = parts
        .into_iter()
        .map(|(from, to)| match to - from {
            0 => from.to_string(),
            1 => format!("{from},{to}"),
            _ => format!("{from}-{to}"),
        })
        .collect();
    texts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_compressed() {
        let text = |indexes: &[i64]| ranges_text(&indexes.iter().copied().collect());
        assert_eq!(text(&[0, 1, 2, 4, 5, 9]), "0-2,4,5,9");
        assert_eq!(text(&[]), "");
        assert_eq!(ranges("0-2,4"), [(0, 2), (4, 4)]);
    }
}
