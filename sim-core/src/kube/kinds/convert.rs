//! Objects written or read in another version than the one that is stored.

use crate::manifest::value::Value;

/// Fields of an Event by their names in `events.k8s.io/v1` and in `v1`.
/// Source: `pkg/apis/events/v1/conversion.go`.
const EVENT: [(&str, &str); 7] = [
    ("regarding", "involvedObject"),
    ("note", "message"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
    ("reportingController", "reportingComponent"),
];

/// The object in the version in which its kind is stored; others are left as they are.
pub fn to_stored(object: &Value) -> Value {
    let mut value = object.clone();
    let text = |path: &[&str]| object.str_at(path).unwrap_or("");
    match (text(&["apiVersion"]), text(&["kind"])) {
        ("autoscaling/v1", "HorizontalPodAutoscaler") => autoscaler(&mut value),
        ("events.k8s.io/v1", "Event") => event(&mut value),
        _ => {}
    }
    value
}

/// Whether a version that is not the stored one is served.
pub fn is_served(api_version: &str, kind: &str) -> bool {
    matches!(
        (api_version, kind),
        ("autoscaling/v1", "HorizontalPodAutoscaler") | ("events.k8s.io/v1", "Event")
    )
}

/// Source: `pkg/apis/autoscaling/v1/conversion.go`.
fn autoscaler(value: &mut Value) {
    value.set("apiVersion", "autoscaling/v2".into());
    let number = |value: &Value, path: &[&str]| value.path(path).and_then(Value::as_i64);
    if let Some(target) = number(value, &["spec", "targetCPUUtilizationPercentage"]) {
        let metric = resource("target", "averageUtilization", target, Some("Utilization"));
        value.set_path(&["spec", "metrics"], Value::list(vec![metric]));
        value.remove_path(&["spec", "targetCPUUtilizationPercentage"]);
    }
    if let Some(current) = number(value, &["status", "currentCPUUtilizationPercentage"]) {
        let metric = resource("current", "averageUtilization", current, None);
        value.set_path(&["status", "currentMetrics"], Value::list(vec![metric]));
        value.remove_path(&["status", "currentCPUUtilizationPercentage"]);
    }
}

fn resource(side: &str, field: &str, number: i64, kind: Option<&str>) -> Value {
    let mut metric = Value::map();
    metric.set("type", "Resource".into());
    metric.set_path(&["resource", "name"], "cpu".into());
    if let Some(kind) = kind {
        metric.set_path(&["resource", side, "type"], kind.into());
    }
    metric.set_path(&["resource", side, field], number.into());
    metric
}

fn event(value: &mut Value) {
    value.set("apiVersion", "v1".into());
    rename(value, EVENT);
}

fn rename(value: &mut Value, names: [(&str, &str); 7]) {
    for (from, to) in names {
        if let Some(moved) = value.remove(from) {
            value.set(to, moved);
        }
    }
}

/// A stored object as a version of its own shows it.
pub fn to_version(value: &mut Value, api_version: &str) {
    if api_version == "events.k8s.io/v1" {
        value.set("apiVersion", api_version.into());
        rename(value, EVENT.map(|(new, old)| (old, new)));
    }
}
