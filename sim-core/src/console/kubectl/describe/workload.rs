//! `describe` of StatefulSets, DaemonSets, Jobs, CronJobs and ReplicationControllers.

use crate::console::kubectl::Call;
use crate::console::kubectl::clock::long;
use crate::console::kubectl::columns::autoscaler::quantity;
use crate::console::kubectl::columns::storage::class;
use crate::console::kubectl::columns::workload::duration;
use crate::console::kubectl::columns::{or_none, pairs, selector};
use crate::console::kubectl::pod_status::items;
use crate::console::kubectl::problem::Problem;
use crate::manifest::value::Value;
use crate::object::jsonpath::text;

use super::{Sheet, controller, head, labels, meta, pods_status, template_lines};

fn number(object: &Value, path: &[&str]) -> i64 {
    object.i64_at(path).unwrap_or(0)
}

fn pod_template(object: &Value, path: &[&str], sheet: &mut Sheet) {
    template_lines(object.path(path).unwrap_or(&Value::Null), sheet);
}

/// A StatefulSet.
///
/// # Errors
/// If there is no Kubernetes.
pub fn stateful_set(call: &Call<'_>, object: &Value, sheet: &mut Sheet) -> Result<(), Problem> {
    head(object, sheet);
    let created = object.str_at(&["metadata", "creationTimestamp"]);
    sheet.row(0, "CreationTimestamp", long(created.unwrap_or("")));
    sheet.row(0, "Selector", selector(object.path(&["spec", "selector"])));
    meta(object, sheet);
    sheet.line(
        0,
        &format!(
            "Replicas:\t{} desired | {} total",
            number(object, &["spec", "replicas"]),
            number(object, &["status", "replicas"])
        ),
    );
    let kind = object
        .str_at(&["spec", "updateStrategy", "type"])
        .unwrap_or("");
    sheet.row(0, "Update Strategy", kind);
    let rolling = object.path(&["spec", "updateStrategy", "rollingUpdate"]);
    if let Some(rolling) = rolling
        && let Some(partition) = rolling.i64_at(&["partition"])
    {
        sheet.row(1, "Partition", partition.to_string());
        // Only below a partition, in upstream too.
        if let Some(most) = rolling.get("maxUnavailable") {
            sheet.row(1, "MaxUnavailable", text(most));
        }
    }
    sheet.row(0, "Pods Status", pods_status(call, object)?);
    pod_template(object, &["spec", "template"], sheet);
    let claims = items(object, &["spec", "volumeClaimTemplates"]);
    if claims.is_empty() {
        sheet.line(0, "Volume Claims:\t<none>");
    } else {
        sheet.line(0, "Volume Claims:");
    }
    for claim in claims {
        let name = claim.str_at(&["metadata", "name"]).unwrap_or("");
        sheet.row(1, "Name", name);
        sheet.row(1, "StorageClass", class(claim));
        for (title, key) in [("Labels", "labels"), ("Annotations", "annotations")] {
            labels(claim, &["metadata", key], title, 1, sheet);
        }
        let size = claim.path(&["spec", "resources", "requests", "storage"]);
        let size = size.map_or_else(|| "<default>".to_owned(), quantity);
        sheet.row(1, "Capacity", size);
        let modes = items(claim, &["spec", "accessModes"]);
        sheet.line(
            1,
            &format!(
                "Access Modes:\t[{}]",
                modes.iter().map(text).collect::<Vec<_>>().join(" ")
            ),
        );
    }
    Ok(())
}

/// A DaemonSet.
///
/// # Errors
/// If there is no Kubernetes.
pub fn daemon_set(call: &Call<'_>, object: &Value, sheet: &mut Sheet) -> Result<(), Problem> {
    head(object, sheet);
    sheet.row(0, "Selector", selector(object.path(&["spec", "selector"])));
    let nodes = pairs(object.path(&["spec", "template", "spec", "nodeSelector"]));
    sheet.row(0, "Node-Selector", nodes);
    meta(object, sheet);
    for (label, key) in [
        (
            "Desired Number of Nodes Scheduled",
            "desiredNumberScheduled",
        ),
        (
            "Current Number of Nodes Scheduled",
            "currentNumberScheduled",
        ),
        (
            "Number of Nodes Scheduled with Up-to-date Pods",
            "updatedNumberScheduled",
        ),
        (
            "Number of Nodes Scheduled with Available Pods",
            "numberAvailable",
        ),
        ("Number of Nodes Misscheduled", "numberMisscheduled"),
    ] {
        sheet.line(0, &format!("{label}: {}", number(object, &["status", key])));
    }
    sheet.row(0, "Pods Status", pods_status(call, object)?);
    pod_template(object, &["spec", "template"], sheet);
    Ok(())
}

/// A Job.
pub fn job(call: &Call<'_>, object: &Value, sheet: &mut Sheet) {
    head(object, sheet);
    let chosen = object.path(&["spec", "selector"]);
    let chosen = chosen.map_or_else(String::new, |chosen| selector(Some(chosen)));
    sheet.row(0, "Selector", chosen);
    meta(object, sheet);
    if let Some(owner) = controller(object) {
        sheet.row(0, "Controlled By", owner);
    }
    let optional = |key: &str| object.path(&["spec", key]).map(text);
    if let Some(parallel) = optional("parallelism") {
        sheet.row(0, "Parallelism", parallel);
    }
    let unset = || "<unset>".to_owned();
    sheet.row(
        0,
        "Completions",
        optional("completions").unwrap_or_else(unset),
    );
    if let Some(mode) = optional("completionMode") {
        sheet.row(0, "Completion Mode", mode);
    }
    if let Some(suspend) = optional("suspend") {
        sheet.row(0, "Suspend", suspend);
    }
    if let Some(limit) = optional("backoffLimit") {
        sheet.row(0, "Backoff Limit", limit);
    }
    if let Some(seconds) = optional("ttlSecondsAfterFinished") {
        sheet.row(0, "TTL Seconds After Finished", seconds);
    }
    if let Some(start) = object.str_at(&["status", "startTime"]) {
        sheet.row(0, "Start Time", long(start));
    }
    if let Some(end) = object.str_at(&["status", "completionTime"]) {
        sheet.row(0, "Completed At", long(end));
        if object.path(&["status", "startTime"]).is_some() {
            sheet.row(0, "Duration", duration(object, call.now()));
        }
    }
    if let Some(seconds) = optional("activeDeadlineSeconds") {
        sheet.line(0, &format!("Active Deadline Seconds:\t{seconds}s"));
    }
    let count = |key: &str| number(object, &["status", key]);
    let ready = object
        .i64_at(&["status", "ready"])
        .map_or_else(String::new, |ready| format!(" ({ready} Ready)"));
    sheet.line(
        0,
        &format!(
            "Pods Statuses:\t{} Active{ready} / {} Succeeded / {} Failed",
            count("active"),
            count("succeeded"),
            count("failed")
        ),
    );
    if object.str_at(&["spec", "completionMode"]) == Some("Indexed") {
        let done = object.str_at(&["status", "completedIndexes"]).unwrap_or("");
        // Cut behind the first comma after fifty letters. Source: as above (`capIndexesListOrNone`).
        let comma = done.get(50..).and_then(|rest| rest.find(','));
        let shown = comma.map_or_else(|| done.to_owned(), |at| format!("{}...", &done[..=50 + at]));
        sheet.row(0, "Completed Indexes", or_none(Some(&shown)));
    }
    pod_template(object, &["spec", "template"], sheet);
}

/// A CronJob.
pub fn cron_job(object: &Value, sheet: &mut Sheet) {
    head(object, sheet);
    meta(object, sheet);
    let field = |path: &[&str]| object.path(path).map(text);
    let unset = |path: &[&str]| field(path).unwrap_or_else(|| "<unset>".to_owned());
    sheet.row(0, "Schedule", unset(&["spec", "schedule"]));
    let policy = field(&["spec", "concurrencyPolicy"]).unwrap_or_default();
    sheet.row(0, "Concurrency Policy", policy);
    let suspend = object.path(&["spec", "suspend"]).and_then(Value::as_bool);
    sheet.row(0, "Suspend", suspend.map_or("<unset>", super::yes));
    sheet.row(0, "Time Zone", unset(&["spec", "timeZone"]));
    for (label, key) in [
        ("Successful Job History Limit", "successfulJobsHistoryLimit"),
        ("Failed Job History Limit", "failedJobsHistoryLimit"),
    ] {
        sheet.row(0, label, unset(&["spec", key]));
    }
    let starting = field(&["spec", "startingDeadlineSeconds"]);
    let starting = starting.map_or_else(|| "<unset>".to_owned(), |seconds| format!("{seconds}s"));
    sheet.row(0, "Starting Deadline Seconds", starting);
    let job = ["spec", "jobTemplate", "spec"];
    let of_job = |key| [job[0], job[1], job[2], key];
    let chosen = object.path(&of_job("selector"));
    let chosen = chosen.map_or_else(|| "<unset>".to_owned(), |chosen| selector(Some(chosen)));
    sheet.row(0, "Selector", chosen);
    sheet.row(0, "Parallelism", unset(&of_job("parallelism")));
    sheet.row(0, "Completions", unset(&of_job("completions")));
    if let Some(seconds) = field(&of_job("activeDeadlineSeconds")) {
        sheet.line(0, &format!("Active Deadline Seconds:\t{seconds}s"));
    }
    pod_template(object, &of_job("template"), sheet);
    let last = object.str_at(&["status", "lastScheduleTime"]);
    let last = last.map_or_else(|| "<unset>".to_owned(), long);
    sheet.row(0, "Last Schedule Time", last);
    let active: Vec<&str> = items(object, &["status", "active"])
        .iter()
        .filter_map(|one| one.str_at(&["name"]))
        .collect();
    sheet.row(0, "Active Jobs", or_none(Some(&active.join(", "))));
}
