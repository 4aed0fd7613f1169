//! What Go's encoder writes of a status, or of an Event, even though nobody has put anything there.
//! Source: `k8s.io/api/*/types.go`, fields without `omitempty`.

use crate::manifest::value::Value;

/// Numbers of a kind's status that are always written.
const NUMBERS: [(&str, &str); 6] = [
    (
        "DaemonSet",
        "currentNumberScheduled desiredNumberScheduled numberMisscheduled numberReady",
    ),
    ("HorizontalPodAutoscaler", "desiredReplicas"),
    (
        "PodDisruptionBudget",
        "currentHealthy desiredHealthy disruptionsAllowed expectedPods",
    ),
    ("ReplicaSet", "replicas"),
    ("ReplicationController", "replicas"),
    ("StatefulSet", "availableReplicas replicas"),
];

/// Fills the status of an object as it is read.
pub fn fill(kind: &str, value: &mut Value) {
    if let Some((_, names)) = NUMBERS.iter().find(|(own, _)| *own == kind) {
        for name in names.split(' ') {
            default(value, &["status", name], Value::Int(0));
        }
    }
    match kind {
        "HorizontalPodAutoscaler" => default(value, &["status", "currentMetrics"], Value::Null),
        "Event" => {
            for field in ["eventTime", "firstTimestamp", "lastTimestamp"] {
                default(value, &[field], Value::Null);
            }
            for field in ["reportingComponent", "reportingInstance"] {
                default(value, &[field], "".into());
            }
            default(value, &["involvedObject"], Value::map());
            default(value, &["source"], Value::map());
        }
        "Ingress" | "Service" => default(value, &["status", "loadBalancer"], Value::map()),
        "CertificateSigningRequest" | "CronJob" | "Deployment" | "Job" | "ResourceQuota" => {
            default(value, &["status"], Value::map());
        }
        _ => {}
    }
}

/// Whether nobody has written the status of an object as it is read.
pub fn is_blank(kind: &str, value: &Value) -> bool {
    let mut blank = Value::map();
    fill(kind, &mut blank);
    blank.get("status") == value.get("status")
}

fn default(object: &mut Value, path: &[&str], value: Value) {
    if object.path(path).is_none() {
        object.set_path(path, value);
    }
}
