//! Cells of StatefulSets, DaemonSets, Jobs, CronJobs, ControllerRevisions and PodTemplates.

use crate::base::time::{EPOCH_UNIX_SECONDS, SimTime};
use crate::console::kubectl::clock::{age, human, unix};
use crate::console::kubectl::pod_status::{condition, items};
use crate::kube::kinds::Kind;
use crate::manifest::value::Value;

use super::{container_names, containers, or_none, pairs, selector};

/// Cells of one object.
pub fn cells(
    kind: &Kind,
    object: &Value,
    title: String,
    own_age: String,
    now: SimTime,
) -> Vec<String> {
    let number = |path: &[&str]| object.i64_at(path).unwrap_or(0).to_string();
    let text = |path: &[&str]| object.str_at(path).unwrap_or("").to_owned();
    let chosen = || selector(object.path(&["spec", "selector"]));
    match kind.kind {
        "StatefulSet" => {
            let (names, images) = containers(object);
            let ready = format!(
                "{}/{}",
                number(&["status", "readyReplicas"]),
                number(&["spec", "replicas"])
            );
            vec![title, ready, own_age, names, images]
        }
        "DaemonSet" => {
            let (names, images) = containers(object);
            vec![
                title,
                number(&["status", "desiredNumberScheduled"]),
                number(&["status", "currentNumberScheduled"]),
                number(&["status", "numberReady"]),
                number(&["status", "updatedNumberScheduled"]),
                number(&["status", "numberAvailable"]),
                pairs(object.path(&["spec", "template", "spec", "nodeSelector"])),
                own_age,
                names,
                images,
                chosen(),
            ]
        }
        "Job" => {
            let (names, images) = containers(object);
            vec![
                title,
                job_status(object).to_owned(),
                completions(object),
                duration(object, now),
                own_age,
                names,
                images,
                chosen(),
            ]
        }
        "CronJob" => {
            let template = [
                "spec",
                "jobTemplate",
                "spec",
                "template",
                "spec",
                "containers",
            ];
            let (names, images) = container_names(items(object, &template));
            let suspend = object.path(&["spec", "suspend"]).and_then(Value::as_bool);
            let last = object.str_at(&["status", "lastScheduleTime"]);
            vec![
                title,
                text(&["spec", "schedule"]),
                or_none(object.str_at(&["spec", "timeZone"])),
                if suspend == Some(true) {
                    "True"
                } else {
                    "False"
                }
                .to_owned(),
                items(object, &["status", "active"]).len().to_string(),
                last.map_or_else(|| "<none>".to_owned(), |last| age(Some(last), now)),
                own_age,
                names,
                images,
                selector(object.path(&["spec", "jobTemplate", "spec", "selector"])),
            ]
        }
        "ControllerRevision" => vec![title, owner(object), number(&["revision"]), own_age],
        _ => {
            let (names, images) =
                container_names(items(object, &["template", "spec", "containers"]));
            vec![
                title,
                names,
                images,
                pairs(object.path(&["template", "metadata", "labels"])),
            ]
        }
    }
}

/// STATUS of a Job: the first of its conditions that decides.
pub fn job_status(job: &Value) -> &'static str {
    let is = |kind| condition(job, kind, "True");
    if is("Complete") {
        "Complete"
    } else if is("Failed") {
        "Failed"
    } else if job.path(&["metadata", "deletionTimestamp"]).is_some() {
        "Terminating"
    } else if is("Suspended") {
        "Suspended"
    } else if is("FailureTarget") {
        "FailureTarget"
    } else if is("SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    }
}

fn completions(job: &Value) -> String {
    let done = job.i64_at(&["status", "succeeded"]).unwrap_or(0);
    if let Some(wanted) = job.i64_at(&["spec", "completions"]) {
        return format!("{done}/{wanted}");
    }
    match job.i64_at(&["spec", "parallelism"]).unwrap_or(0) {
        parallel if parallel > 1 => format!("{done}/1 of {parallel}"),
        _ => format!("{done}/1"),
    }
}

/// How long a Job took, or has taken so far.
pub fn duration(job: &Value, now: SimTime) -> String {
    let Some(start) = job.str_at(&["status", "startTime"]).and_then(unix) else {
        return String::new();
    };
    let now = EPOCH_UNIX_SECONDS.cast_signed() + now.whole_seconds().cast_signed();
    let end = job.str_at(&["status", "completionTime"]).and_then(unix);
    human(end.unwrap_or(now) - start)
}

/// `daemonset.apps/foo` of the controller.
fn owner(object: &Value) -> String {
    let owner = items(object, &["metadata", "ownerReferences"])
        .iter()
        .find(|owner| owner.get("controller").and_then(Value::as_bool) == Some(true));
    let shown = owner.map(|owner| {
        let version = owner.str_at(&["apiVersion"]).unwrap_or("");
        let group = version
            .split_once('/')
            .map_or_else(String::new, |(group, _)| format!(".{group}"));
        format!(
            "{}{group}/{}",
            owner.str_at(&["kind"]).unwrap_or("").to_lowercase(),
            owner.str_at(&["name"]).unwrap_or("")
        )
    });
    or_none(shown.as_deref())
}
