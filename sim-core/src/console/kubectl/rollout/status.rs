//! What `rollout status` says of a Deployment, DaemonSet or StatefulSet.
//! Source: `k8s.io/kubectl/pkg/polymorphichelpers/rollout_status.go`.

use crate::console::kubectl::name_of;
use crate::console::kubectl::pod_status::items;
use crate::console::kubectl::problem::Problem;
use crate::kube::kinds::Kind;
use crate::manifest::value::Value;

/// The line, and whether the rollout is done.
///
/// # Errors
/// Rollouts that cannot be told, and those that have failed.
pub fn line(kind: &Kind, object: &Value) -> Result<(String, bool), Problem> {
    match kind.kind {
        "Deployment" => deployment(object),
        "DaemonSet" => daemon_set(object),
        "StatefulSet" => stateful_set(object),
        _ => Err(Problem::error(format!(
            "no status viewer has been implemented for {}",
            kind.qualified()
        ))),
    }
}

fn number(object: &Value, path: &[&str]) -> i64 {
    object.i64_at(path).unwrap_or(0)
}

fn not_yet(line: String) -> Result<(String, bool), Problem> {
    Ok((line, false))
}

fn rolling(object: &Value) -> Result<(), Problem> {
    match object.str_at(&["spec", "updateStrategy", "type"]) {
        None | Some("" | "RollingUpdate") => Ok(()),
        Some(_) => Err(Problem::error(
            "rollout status is only available for RollingUpdate strategy type",
        )),
    }
}

fn deployment(object: &Value) -> Result<(String, bool), Problem> {
    let name = name_of(object);
    let number = |path: &[&str]| number(object, path);
    if number(&["status", "observedGeneration"]) < number(&["metadata", "generation"]) {
        return not_yet("Waiting for deployment spec update to be observed...".to_owned());
    }
    let late = items(object, &["status", "conditions"]).iter().any(|one| {
        one.str_at(&["type"]) == Some("Progressing")
            && one.str_at(&["reason"]) == Some("ProgressDeadlineExceeded")
    });
    if late {
        return Err(Problem::error(format!(
            "deployment \"{name}\" exceeded its progress deadline"
        )));
    }
    let head = format!("Waiting for deployment \"{name}\" rollout to finish:");
    let (wanted, updated) = (
        object.i64_at(&["spec", "replicas"]).unwrap_or(1),
        number(&["status", "updatedReplicas"]),
    );
    let (all, available) = (
        number(&["status", "replicas"]),
        number(&["status", "availableReplicas"]),
    );
    if updated < wanted {
        return not_yet(format!(
            "{head} {updated} out of {wanted} new replicas have been updated..."
        ));
    }
    if all > updated {
        return not_yet(format!(
            "{head} {} old replicas are pending termination...",
            all - updated
        ));
    }
    if available < updated {
        return not_yet(format!(
            "{head} {available} of {updated} updated replicas are available..."
        ));
    }
    Ok((
        format!("deployment \"{name}\" successfully rolled out"),
        true,
    ))
}

fn daemon_set(object: &Value) -> Result<(String, bool), Problem> {
    rolling(object)?;
    let name = name_of(object);
    let number = |path: &[&str]| number(object, path);
    if number(&["metadata", "generation"]) > number(&["status", "observedGeneration"]) {
        return not_yet("Waiting for daemon set spec update to be observed...".to_owned());
    }
    let head = format!("Waiting for daemon set \"{name}\" rollout to finish:");
    let wanted = number(&["status", "desiredNumberScheduled"]);
    let updated = number(&["status", "updatedNumberScheduled"]);
    let available = number(&["status", "numberAvailable"]);
    if updated < wanted {
        return not_yet(format!(
            "{head} {updated} out of {wanted} new pods have been updated..."
        ));
    }
    if available < wanted {
        return not_yet(format!(
            "{head} {available} of {wanted} updated pods are available..."
        ));
    }
    Ok((
        format!("daemon set \"{name}\" successfully rolled out"),
        true,
    ))
}

fn stateful_set(object: &Value) -> Result<(String, bool), Problem> {
    rolling(object)?;
    let number = |path: &[&str]| number(object, path);
    let observed = number(&["status", "observedGeneration"]);
    if observed == 0 || number(&["metadata", "generation"]) > observed {
        return not_yet("Waiting for statefulset spec update to be observed...".to_owned());
    }
    let wanted = object.i64_at(&["spec", "replicas"]).unwrap_or(1);
    let ready = number(&["status", "readyReplicas"]);
    if ready < wanted {
        return not_yet(format!(
            "Waiting for {} pods to be ready...",
            wanted - ready
        ));
    }
    let updated = number(&["status", "updatedReplicas"]);
    if let Some(rolling) = object.path(&["spec", "updateStrategy", "rollingUpdate"]) {
        if let Some(partition) = rolling.i64_at(&["partition"])
            && updated < wanted - partition
        {
            return not_yet(format!(
                "Waiting for partitioned roll out to finish: {updated} out of {} new pods have been updated...",
                wanted - partition
            ));
        }
        return Ok((
            format!("partitioned roll out complete: {updated} new pods have been updated..."),
            true,
        ));
    }
    let revision = |key| object.str_at(&["status", key]).unwrap_or("");
    if revision("updateRevision") != revision("currentRevision") {
        return not_yet(format!(
            "waiting for statefulset rolling update to complete {updated} pods at revision {}...",
            revision("updateRevision")
        ));
    }
    Ok((
        format!(
            "statefulset rolling update complete {} pods at revision {}...",
            number(&["status", "currentReplicas"]),
            revision("currentRevision")
        ),
        true,
    ))
}
