//! `describe` of HorizontalPodAutoscalers and PodDisruptionBudgets.

use crate::console::kubectl::clock::long;
use crate::console::kubectl::columns::autoscaler::quantity;
use crate::console::kubectl::columns::selector;
use crate::console::kubectl::name_of;
use crate::console::kubectl::pod_status::items;
use crate::manifest::value::Value;
use crate::object::jsonpath::text;

use super::{Sheet, head, meta};

/// A HorizontalPodAutoscaler.
pub fn autoscaler(object: &Value, sheet: &mut Sheet) {
    head(object, sheet);
    meta(object, sheet);
    let created = object.str_at(&["metadata", "creationTimestamp"]);
    sheet.line(
        0,
        &format!("CreationTimestamp:\t{}", long(created.unwrap_or(""))),
    );
    let target = |key| {
        object
            .str_at(&["spec", "scaleTargetRef", key])
            .unwrap_or("")
    };
    sheet.line(
        0,
        &format!("Reference:\t{}/{}", target("kind"), target("name")),
    );
    sheet.line(0, "Metrics:\t( current / target )");
    let statuses = items(object, &["status", "currentMetrics"]);
    for (index, spec) in items(object, &["spec", "metrics"]).iter().enumerate() {
        let (label, value) = metric(spec, statuses.get(index));
        sheet.line(1, &format!("{label}:\t{value}"));
    }
    let least = object.i64_at(&["spec", "minReplicas"]);
    let least = least.map_or_else(|| "<unset>".to_owned(), |least| least.to_string());
    sheet.line(0, &format!("Min replicas:\t{least}"));
    let most = object.i64_at(&["spec", "maxReplicas"]).unwrap_or(0);
    sheet.line(0, &format!("Max replicas:\t{most}"));
    if let Some(behavior) = object.path(&["spec", "behavior"]) {
        sheet.line(0, "Behavior:");
        for (label, key) in [("Scale Up", "scaleUp"), ("Scale Down", "scaleDown")] {
            if let Some(rules) = behavior.get(key) {
                direction(label, rules, sheet);
            }
        }
    }
    let count = |key| object.i64_at(&["status", key]).unwrap_or(0);
    sheet.line(
        0,
        &format!(
            "{} pods:\t{} current / {} desired",
            target("kind"),
            count("currentReplicas"),
            count("desiredReplicas")
        ),
    );
    super::conditions(object, &["type", "status", "reason", "message"], sheet);
}

fn direction(label: &str, rules: &Value, sheet: &mut Sheet) {
    sheet.line(1, &format!("{label}:"));
    let window = rules.i64_at(&["stabilizationWindowSeconds"]);
    if let Some(window) = window {
        sheet.line(2, &format!("Stabilization Window: {window} seconds"));
    }
    let policies = items(rules, &["policies"]);
    if !policies.is_empty() {
        let choice = rules.str_at(&["selectPolicy"]).unwrap_or("Max");
        sheet.line(2, &format!("Select Policy: {choice}"));
        sheet.line(2, "Policies:");
        for policy in policies {
            sheet.line(
                3,
                &format!(
                    "- Type: {}\tValue: {}\tPeriod: {} seconds",
                    policy.str_at(&["type"]).unwrap_or(""),
                    policy.i64_at(&["value"]).unwrap_or(0),
                    policy.i64_at(&["periodSeconds"]).unwrap_or(0)
                ),
            );
        }
    }
}

/// Label and `current / target` of one metric.
fn metric(spec: &Value, status: Option<&Value>) -> (String, String) {
    let (part, word) = match spec.str_at(&["type"]) {
        Some("External") => ("external", "external"),
        Some("Pods") => ("pods", "pods"),
        Some("Object") => ("object", "object"),
        Some("Resource") => ("resource", "resource"),
        Some("ContainerResource") => ("containerResource", "resource"),
        _ => return ("<unknown metric type>".to_owned(), String::new()),
    };
    let unknown = || "<unknown>".to_owned();
    let current = |key: &str| status.and_then(|status| status.path(&[part, "current", key]));
    let target = |key: &str| spec.path(&[part, "target", key]);
    let pair = |key: &str| {
        format!(
            "{} / {}",
            current(key).map_or_else(unknown, quantity),
            target(key).map_or_else(unknown, quantity)
        )
    };
    let name = spec.str_at(&[part, "metric", "name"]).unwrap_or("");
    let quoted = format!("\"{name}\"");
    match word {
        "resource" => {
            let resource = spec.str_at(&[part, "name"]).unwrap_or("");
            let of = match spec.str_at(&[part, "container"]) {
                Some(container) => {
                    format!("resource {resource} of container \"{container}\" on pods")
                }
                None => format!("resource {resource} on pods"),
            };
            if target("averageValue").is_some() {
                return (of, pair("averageValue"));
            }
            let now = match (current("averageUtilization"), current("averageValue")) {
                (Some(percent), Some(value)) => format!("{}% ({})", text(percent), quantity(value)),
                (Some(percent), None) => format!("{}%", text(percent)),
                _ => unknown(),
            };
            let wanted = target("averageUtilization").map_or_else(
                || "<auto>".to_owned(),
                |percent| format!("{}%", text(percent)),
            );
            (
                format!("{of}  (as a percentage of request)"),
                format!("{now} / {wanted}"),
            )
        }
        "pods" => (format!("{quoted} on pods"), pair("averageValue")),
        "object" => {
            let of = |key| {
                spec.str_at(&["object", "describedObject", key])
                    .unwrap_or("")
            };
            let key = if target("averageValue").is_some() {
                "averageValue"
            } else {
                "value"
            };
            let kind = if key == "value" {
                "target value"
            } else {
                "target average value"
            };
            (
                format!("{quoted} on {}/{} ({kind})", of("kind"), of("name")),
                pair(key),
            )
        }
        _ => {
            let key = if target("averageValue").is_some() {
                "averageValue"
            } else {
                "value"
            };
            let kind = if key == "value" {
                "target value"
            } else {
                "target average value"
            };
            (format!("{quoted} ({kind})"), pair(key))
        }
    }
}

/// A PodDisruptionBudget.
pub fn budget(object: &Value, sheet: &mut Sheet) {
    sheet.line(0, &format!("Name:\t{}", name_of(object)));
    let namespace = object.str_at(&["metadata", "namespace"]).unwrap_or("");
    sheet.line(0, &format!("Namespace:\t{namespace}"));
    for (label, key) in [
        ("Min available", "minAvailable"),
        ("Max unavailable", "maxUnavailable"),
    ] {
        if let Some(bound) = object.path(&["spec", key]) {
            sheet.line(0, &format!("{label}:\t{}", text(bound)));
        }
    }
    let chosen = object.path(&["spec", "selector"]);
    let chosen = chosen.map_or_else(|| "<unset>".to_owned(), |chosen| selector(Some(chosen)));
    sheet.line(0, &format!("Selector:\t{chosen}"));
    sheet.line(0, "Status:");
    for (label, key) in [
        ("Allowed disruptions", "disruptionsAllowed"),
        ("Current", "currentHealthy"),
        ("Desired", "desiredHealthy"),
        ("Total", "expectedPods"),
    ] {
        let count = object.i64_at(&["status", key]).unwrap_or(0);
        sheet.line(2, &format!("{label}:\t{count}"));
    }
}
