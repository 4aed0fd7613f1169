//! Cells of HorizontalPodAutoscalers, PodDisruptionBudgets and ResourceQuotas.

use crate::base::quantity::Quantity;
use crate::console::kubectl::pod_status::items;
use crate::kube::kinds::Kind;
use crate::manifest::value::Value;
use crate::object::jsonpath;

/// Metrics that a table shows.
const SHOWN_METRICS: usize = 2;

/// Cells of one object.
pub fn cells(kind: &Kind, object: &Value, title: String, own_age: String) -> Vec<String> {
    let number = |path: &[&str]| object.i64_at(path).unwrap_or(0).to_string();
    match kind.kind {
        "HorizontalPodAutoscaler" => {
            let target = |key| {
                object
                    .str_at(&["spec", "scaleTargetRef", key])
                    .unwrap_or("")
            };
            let least = object.i64_at(&["spec", "minReplicas"]);
            vec![
                title,
                format!("{}/{}", target("kind"), target("name")),
                metrics(object),
                least.map_or_else(|| "<unset>".to_owned(), |least| least.to_string()),
                number(&["spec", "maxReplicas"]),
                number(&["status", "currentReplicas"]),
                own_age,
            ]
        }
        "PodDisruptionBudget" => {
            let bound = |key| {
                object
                    .path(&["spec", key])
                    .map_or_else(|| "N/A".to_owned(), jsonpath::text)
            };
            vec![
                title,
                bound("minAvailable"),
                bound("maxUnavailable"),
                number(&["status", "disruptionsAllowed"]),
                own_age,
            ]
        }
        _ => {
            let (requests, limits) = quota(object);
            vec![title, requests, limits, own_age]
        }
    }
}

/// A quantity in its canonical form.
pub fn quantity(value: &Value) -> String {
    let text = jsonpath::text(value);
    Quantity::parse(&text).map_or(text, |quantity| quantity.canonical())
}

/// Current and wanted values of an autoscaler's metrics.
pub fn metrics(object: &Value) -> String {
    let specs = items(object, &["spec", "metrics"]);
    let statuses = items(object, &["status", "currentMetrics"]);
    if specs.is_empty() {
        return "<none>".to_owned();
    }
    let shown: Vec<String> = specs
        .iter()
        .enumerate()
        .map(|(index, spec)| metric(spec, statuses.get(index)))
        .collect();
    let more = shown.len().saturating_sub(SHOWN_METRICS);
    let list = shown[..shown.len() - more].join(", ");
    if more > 0 {
        format!("{list} + {more} more...")
    } else {
        list
    }
}

fn metric(spec: &Value, status: Option<&Value>) -> String {
    let (part, named) = match spec.str_at(&["type"]) {
        Some("External") => ("external", false),
        Some("Pods") => ("pods", false),
        Some("Object") => ("object", false),
        Some("Resource") => ("resource", true),
        Some("ContainerResource") => ("containerResource", true),
        _ => return "<unknown type>".to_owned(),
    };
    let unknown = || "<unknown>".to_owned();
    let current = |key: &str| status.and_then(|status| status.path(&[part, "current", key]));
    let target = |key: &str| spec.path(&[part, "target", key]);
    let pair = |key: &str| {
        let now = current(key).map_or_else(unknown, quantity);
        format!("{now}/{}", target(key).map_or_else(unknown, quantity))
    };
    if named {
        let name = spec.str_at(&[part, "name"]).unwrap_or("");
        if target("averageValue").is_some() {
            return format!("{name}: {}", pair("averageValue"));
        }
        let percent = |value: &Value| format!("{}%", jsonpath::text(value));
        let now = current("averageUtilization").map_or_else(unknown, percent);
        let wanted = target("averageUtilization").map_or_else(|| "<auto>".to_owned(), percent);
        return format!("{name}: {now}/{wanted}");
    }
    match (part, target("averageValue").is_some()) {
        ("pods", _) => pair("averageValue"),
        (_, true) => format!("{} (avg)", pair("averageValue")),
        (_, false) => pair("value"),
    }
}

/// Used and hard amounts of a quota: requests and others, limits.
fn quota(object: &Value) -> (String, String) {
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    let hard = object.path(&["status", "hard"]).and_then(Value::as_map);
    for (name, amount) in hard.unwrap_or_default().sorted().into_iter() {
        let used = object
            .path(&["status", "used", name])
            .map_or_else(|| "0".to_owned(), quantity);
        let text = format!("{name}: {used}/{}", quantity(amount));
        if name.starts_with("limits.") {
            limits.push(text);
        } else {
            requests.push(text);
        }
    }
    (requests.join(", "), limits.join(", "))
}
