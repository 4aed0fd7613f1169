//! HorizontalPodAutoscalers. Source: `pkg/apis/autoscaling/validation/validation.go`.

use crate::manifest::decode::kube::fault;
use crate::manifest::decode::scribe::{Field, Scribe};

use super::{items, natural, needed, number, one_of, text};

/// Longest stabilisation window and period of a policy, in seconds.
const WINDOW_MAX: i64 = 3_600;
const PERIOD_MAX: i64 = 1_800;

/// `spec` of a HorizontalPodAutoscaler.
#[inline(never)]
pub fn check(spec: &Field<'_>, scribe: &Scribe) {
    let (least, most) = (spec.peek("minReplicas"), spec.peek("maxReplicas"));
    if let Some(found) = number(&least).filter(|found| *found < 1) {
        fault::invalid(scribe, &least, found, "must be greater than or equal to 1");
    }
    match number(&most) {
        None => {}
        Some(found) if found < 1 => {
            fault::invalid(scribe, &most, found, "must be greater than 0");
        }
        Some(found) if number(&least).is_some_and(|least| found < least) => {
            fault::invalid(
                scribe,
                &most,
                found,
                "must be greater than or equal to `minReplicas`",
            );
        }
        Some(_) => {}
    }
    let target = spec.peek("scaleTargetRef");
    if target.exists() {
        for key in ["kind", "name"] {
            needed(&target.peek(key), "", scribe);
        }
    }
    for metric in items(&spec.peek("metrics")) {
        metric_source(&metric, scribe);
    }
    let behavior = spec.peek("behavior");
    for direction in ["scaleUp", "scaleDown"] {
        rules(&behavior.peek(direction), scribe);
    }
}

/// Sources by type: the field, and the texts of a name and of a target that are missing.
const SOURCES: [(&str, &str); 5] = [
    ("ContainerResource", "containerResource"),
    ("External", "external"),
    ("Object", "object"),
    ("Pods", "pods"),
    ("Resource", "resource"),
];

fn metric_source(metric: &Field<'_>, scribe: &Scribe) {
    let kind = metric.peek("type");
    if text(&kind).is_empty() {
        fault::required(scribe, &kind, "must specify a metric source type");
        return;
    }
    let Some((_, field)) = SOURCES.iter().find(|(name, _)| *name == text(&kind)) else {
        let words: Vec<&str> = SOURCES.iter().map(|(name, _)| *name).collect();
        fault::unsupported(scribe, &kind, text(&kind), &words);
        return;
    };
    let source = metric.peek(field);
    if !source.exists() {
        fault::required(
            scribe,
            &source,
            &format!("must populate the given metric source type field: {field}"),
        );
        return;
    }
    for (_, other) in SOURCES.iter().filter(|(_, other)| other != field) {
        let other = metric.peek(other);
        if other.exists() {
            fault::forbidden(scribe, &other, "must populate the given metric source only");
        }
    }
    let target = source.peek("target");
    let value = |key: &str| target.peek(key).exists();
    target_type(&target, scribe);
    match *field {
        "resource" | "containerResource" => {
            needed(&source.peek("name"), "must specify a resource name", scribe);
            if *field == "containerResource" {
                needed(
                    &source.peek("container"),
                    "must specify a container",
                    scribe,
                );
            }
            let utilization = target.peek("averageUtilization");
            if let Some(found) = number(&utilization).filter(|found| *found < 1) {
                fault::invalid(scribe, &utilization, found, "must be greater than 0");
            }
            if !value("averageUtilization") && !value("averageValue") {
                fault::required(
                    scribe,
                    &utilization,
                    "must set either a target raw value or a target utilization",
                );
            }
            if value("averageUtilization") && value("averageValue") {
                fault::forbidden(
                    scribe,
                    &target.peek("averageValue"),
                    "may not set both a target raw value and a target utilization",
                );
            }
        }
        "pods" => {
            needed(
                &source.peek("metric").peek("name"),
                "must specify a metric name",
                scribe,
            );
            if !value("averageValue") {
                fault::required(
                    scribe,
                    &target.peek("averageValue"),
                    "must specify a positive target averageValue",
                );
            }
        }
        _ => {
            needed(
                &source.peek("metric").peek("name"),
                "must specify a metric name",
                scribe,
            );
            if !value("value") && !value("averageValue") {
                fault::required(
                    scribe,
                    &target.peek("averageValue"),
                    "must set either a target value for metric or a per-pod target",
                );
            }
        }
    }
}

fn target_type(target: &Field<'_>, scribe: &Scribe) {
    let kind = target.peek("type");
    if text(&kind).is_empty() {
        fault::required(scribe, &kind, "must specify a metric target type");
        return;
    }
    let words = ["Utilization", "Value", "AverageValue"];
    if !words.contains(&text(&kind)) {
        fault::invalid(
            scribe,
            &kind,
            format!("{:?}", text(&kind)),
            "must be either Utilization, Value, or AverageValue",
        );
    }
}

fn rules(rules: &Field<'_>, scribe: &Scribe) {
    if !rules.exists() {
        return;
    }
    let window = rules.peek("stabilizationWindowSeconds");
    natural(&window, scribe);
    if let Some(found) = number(&window).filter(|found| *found > WINDOW_MAX) {
        fault::invalid(scribe, &window, found, "must be less than or equal to 3600");
    }
    one_of(
        &rules.peek("selectPolicy"),
        &["Disabled", "Max", "Min"],
        scribe,
    );
    let policies = rules.peek("policies");
    if policies.exists() && items(&policies).is_empty() {
        fault::required(scribe, &policies, "must specify at least one Policy");
    }
    for policy in items(&policies) {
        one_of(&policy.peek("type"), &["Percent", "Pods"], scribe);
        for (key, most) in [("value", i64::MAX), ("periodSeconds", PERIOD_MAX)] {
            let field = policy.peek(key);
            match number(&field) {
                Some(found) if found <= 0 => {
                    fault::invalid(scribe, &field, found, "must be greater than zero");
                }
                Some(found) if found > most => {
                    fault::invalid(
                        scribe,
                        &field,
                        found,
                        &format!("must be less than or equal to {most}"),
                    );
                }
                _ => {}
            }
        }
    }
}
