//! A Job's status as its document carries it.

use crate::base::time::SimTime;
use crate::kube::render::time;
use crate::kube::rows::job::{JobPart, ranges_text};
use crate::kube::rows::node::ConditionStatus;
use crate::manifest::value::Value;

use super::Pass;

/// The condition of a type, while it is True.
pub fn condition<'a>(conditions: &'a [Value], kind: &str) -> Option<&'a Value> {
    conditions.iter().find(|condition| {
        condition.str_at(&["type"]) == Some(kind) && condition.str_at(&["status"]) == Some("True")
    })
}

/// Sets a condition; the same status again is no change.
pub fn set(
    conditions: &mut Vec<Value>,
    kind: &str,
    status: ConditionStatus,
    (reason, message): (&str, &str),
    now: SimTime,
) {
    let old = conditions
        .iter()
        .position(|condition| condition.str_at(&["type"]) == Some(kind));
    if old.is_some_and(|at| conditions[at].str_at(&["status"]) == Some(status.text())) {
        return;
    }
    let fresh = Value::object([
        ("lastProbeTime", time(now)),
        ("lastTransitionTime", time(now)),
        ("message", message.into()),
        ("reason", reason.into()),
        ("status", status.text().into()),
        ("type", kind.into()),
    ]);
    match old {
        Some(at) => conditions[at] = fresh,
        None => conditions.push(fresh),
    }
}

pub(super) fn render(part: &JobPart, pass: &Pass, active: i64) -> Value {
    let mut status = Value::map();
    let mut number = |key: &str, number: i64| {
        if number != 0 {
            status.set(key, number.into());
        }
    };
    number("active", active);
    let unreplaced = i64::try_from(part.unreplaced.len()).unwrap_or(0);
    number("failed", part.failed - unreplaced);
    number("succeeded", part.succeeded);
    status.set("ready", pass.ready.min(active).into());
    status.set("terminating", pass.terminating.into());
    status.set("uncountedTerminatedPods", Value::map());
    if let Some(started) = part.started {
        status.set("startTime", time(started));
    }
    if let Some(completion) = pass.completion {
        status.set("completionTime", time(completion));
    }
    if part.indexed && !part.done.is_empty() {
        status.set("completedIndexes", ranges_text(&part.done).into());
    }
    if part.per_index.is_some() {
        status.set("failedIndexes", ranges_text(&part.lost).into());
    }
    if !pass.conditions.is_empty() {
        status.set("conditions", Value::list(pass.conditions.clone()));
    }
    status
}
