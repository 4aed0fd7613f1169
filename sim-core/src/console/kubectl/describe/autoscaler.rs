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
    sheet.row(0, "CreationTimestamp", long(created.unwrap_or("")));
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
        match metric(spec, statuses.get(index)) {
            Some((label, value)) => sheet.row(1, &label, value),
            None => {
                let kind = spec.str_at(&["type"]).unwrap_or("");
                sheet.line(1, &format!("<unknown metric type \"{kind}\">"));
            }
        }
    }
    let least = object.i64_at(&["spec", "minReplicas"]);
    let least = least.map_or_else(|| "<unset>".to_owned(), |least| least.to_string());
    sheet.row(0, "Min replicas", least);
    let most = object.i64_at(&["spec", "maxReplicas"]).unwrap_or(0);
    sheet.row(0, "Max replicas", most.to_string());
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
    let columns = ["Type", "Status", "Reason", "Message"].map(|heading| (heading, ""));
    super::conditions(object, &columns, sheet);
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

/// Label and `current / target` of one metric; none of a kind that the client does not know.
fn metric(spec: &Value, status: Option<&Value>) -> Option<(String, String)> {
    let part = match spec.str_at(&["type"])? {
        "External" => "external",
        "Pods" => "pods",
        "Object" => "object",
        "Resource" => "resource",
        "ContainerResource" => "containerResource",
        _ => return None,
    };
    let reported = status.and_then(|status| status.get(part));
    let current = |key: &str| reported.and_then(|status| status.path(&["current", key]));
    let target = |key: &str| spec.path(&[part, "target", key]);
    // Go prints an amount that is not there so.
    let shown = |amount: Option<&Value>| amount.map_or_else(|| "<nil>".to_owned(), quantity);
    let pair = |key: &str| {
        let known =
            reported.is_some() && (part != "external" || key == "value") || current(key).is_some();
        let now = match known {
            true => shown(current(key)),
            false => "<unknown>".to_owned(),
        };
        format!("{now} / {}", shown(target(key)))
    };
    let name = spec.str_at(&[part, "metric", "name"]).unwrap_or("");
    let (average, way) = match part {
        "object" => {
            let average = spec.str_at(&[part, "target", "type"]) == Some("AverageValue");
            let of = |key| {
                let found = spec.str_at(&[part, "describedObject", key]);
                found.unwrap_or("")
            };
            (average, format!(" on {}/{}", of("kind"), of("name")))
        }
        "external" => (target("averageValue").is_some(), String::new()),
        "pods" => {
            let label = format!("\"{name}\" on pods");
            return Some((label, pair("averageValue")));
        }
        _ => return Some(resource(spec, part, current, target, pair)),
    };
    let (key, word) = match average {
        true => ("averageValue", "target average value"),
        false => ("value", "target value"),
    };
    Some((format!("\"{name}\"{way} ({word})"), pair(key)))
}

/// A metric of resources, of pods or of one of their containers.
fn resource<'a>(
    spec: &Value,
    part: &str,
    current: impl Fn(&str) -> Option<&'a Value>,
    target: impl Fn(&str) -> Option<&'a Value>,
    pair: impl Fn(&str) -> String,
) -> (String, String) {
    let name = spec.str_at(&[part, "name"]).unwrap_or("");
    let of = match spec.str_at(&[part, "container"]) {
        Some(container) => format!("resource {name} of container \"{container}\" on pods"),
        None => format!("resource {name} on pods"),
    };
    if target("averageValue").is_some() {
        return (of, pair("averageValue"));
    }
    let now = current("averageUtilization").map_or_else(
        || "<unknown>".to_owned(),
        |percent| {
            let value = current("averageValue").map_or_else(|| "<nil>".to_owned(), quantity);
            format!("{}% ({value})", text(percent))
        },
    );
    let wanted = target("averageUtilization").map_or_else(
        || "<auto>".to_owned(),
        |percent| format!("{}%", text(percent)),
    );
    (
        format!("{of}  (as a percentage of request)"),
        format!("{now} / {wanted}"),
    )
}

/// A PodDisruptionBudget.
pub fn budget(object: &Value, sheet: &mut Sheet) {
    sheet.row(0, "Name", name_of(object));
    let namespace = object.str_at(&["metadata", "namespace"]).unwrap_or("");
    sheet.row(0, "Namespace", namespace);
    for (label, key) in [
        ("Min available", "minAvailable"),
        ("Max unavailable", "maxUnavailable"),
    ] {
        if let Some(bound) = object.path(&["spec", key]) {
            sheet.row(0, label, text(bound));
            break;
        }
    }
    let chosen = object.path(&["spec", "selector"]);
    let chosen = chosen.map_or_else(|| "<unset>".to_owned(), |chosen| selector(Some(chosen)));
    sheet.row(0, "Selector", chosen);
    sheet.line(0, "Status:");
    for (label, key) in [
        ("Allowed disruptions", "disruptionsAllowed"),
        ("Current", "currentHealthy"),
        ("Desired", "desiredHealthy"),
        ("Total", "expectedPods"),
    ] {
        let count = object.i64_at(&["status", key]).unwrap_or(0);
        sheet.row(2, label, count.to_string());
    }
}
