//! Deployments and ReplicaSets.

use crate::api::kube::deployment::{CountOrPercent, Deployment, Strategy};
use crate::api::kube::pod::PodTemplate;
use crate::api::kube::replica_set::ReplicaSet;
use crate::api::selector::{LabelSelector, Operator};
use crate::base::sentence::{Sentence, catalogue};
use crate::manifest::decode::kube::{fault, meta, pod, rules};
use crate::manifest::decode::scribe::{Field, Scribe};
use crate::manifest::explain;

/// `spec` of a Deployment; nothing if the spec is missing.
pub fn deployment(field: &Field<'_>, scribe: &Scribe) -> Option<Deployment> {
    if !required_spec(field, scribe) {
        return None;
    }
    let replicas = fault::non_negative(scribe, &field.get(scribe, "replicas"), 1);
    let (selector, template) = selector_and_template(field, scribe, "deployment");
    let min_ready_seconds = fault::non_negative(scribe, &field.get(scribe, "minReadySeconds"), 0);
    let limit_field = field.get(scribe, "revisionHistoryLimit");
    let deadline_field = field.get(scribe, "progressDeadlineSeconds");
    let progress_deadline_seconds = fault::non_negative(scribe, &deadline_field, 600);
    if progress_deadline_seconds <= min_ready_seconds {
        let detail = "must be greater than minReadySeconds";
        fault::invalid(scribe, &deadline_field, progress_deadline_seconds, detail);
    }
    Some(Deployment {
        replicas,
        selector,
        strategy: strategy(&field.get(scribe, "strategy"), scribe),
        min_ready_seconds,
        revision_history_limit: fault::non_negative(scribe, &limit_field, 10),
        progress_deadline_seconds,
        paused: field.get(scribe, "paused").truth(scribe),
        template,
    })
}

/// `spec` of a ReplicaSet; nothing if the spec is missing.
pub fn replica_set(field: &Field<'_>, scribe: &Scribe) -> Option<ReplicaSet> {
    if !required_spec(field, scribe) {
        return None;
    }
    let replicas = fault::non_negative(scribe, &field.get(scribe, "replicas"), 1);
    let min_ready_seconds = fault::non_negative(scribe, &field.get(scribe, "minReadySeconds"), 0);
    let (selector, template) = selector_and_template(field, scribe, "replicaset");
    Some(ReplicaSet {
        replicas,
        min_ready_seconds,
        selector,
        template,
    })
}

fn required_spec(field: &Field<'_>, scribe: &Scribe) -> bool {
    if !field.exists() {
        fault::required(scribe, field, "");
        return false;
    }
    field.expect_map(scribe)
}

fn selector_and_template(
    field: &Field<'_>,
    scribe: &Scribe,
    kind: &str,
) -> (LabelSelector, PodTemplate) {
    let selector_field = field.get(scribe, "selector");
    let template_field = field.get(scribe, "template");
    let template = pod::template(&template_field, scribe);
    let selector = meta::selector(&selector_field, scribe);
    match &selector {
        None => {
            let message = format!("{}: Required value", selector_field.path);
            let example = "selector: {matchLabels: {app: web}}";
            let help = catalogue::SELECT_TEMPLATE.with(&[("example", &example)]);
            scribe.fault(
                explain::KUBERNETES_MISSING_FIELD,
                &selector_field,
                Sentence::from(message).advise(help),
            );
        }
        Some(selector)
            if selector.match_labels.is_empty() && selector.match_expressions.is_empty() =>
        {
            let detail = format!("empty selector is invalid for {kind}");
            fault::invalid(scribe, &selector_field, "{}", &detail);
        }
        Some(selector) if is_broken(selector) => {
            let shown = super::rules::shown(&selector_field);
            fault::invalid(scribe, &selector_field, shown, "invalid label selector");
        }
        Some(_) => {}
    }
    if !selector
        .as_ref()
        .is_some_and(|selector| is_broken(selector) || selects(selector, &template))
    {
        let shown: Vec<String> = template
            .labels
            .iter()
            .map(|(key, value)| format!("{:?}:{:?}", &**key, &**value))
            .collect();
        let labels = template_field.peek("metadata").peek("labels");
        let shown = if labels.exists() {
            format!("{{{}}}", shown.join(","))
        } else {
            "null".to_owned()
        };
        fault::invalid(
            scribe,
            &labels,
            shown,
            "`selector` does not match template `labels`",
        );
    }
    rules::always(&template_field, scribe);
    let deadline = template_field.peek("spec").peek("activeDeadlineSeconds");
    if deadline.exists() {
        fault::forbidden(
            scribe,
            &deadline,
            "activeDeadlineSeconds in ReplicaSet is not Supported",
        );
    }
    (selector.unwrap_or_default(), template)
}

/// Whether some requirement has values that its operator does not take.
fn is_broken(selector: &LabelSelector) -> bool {
    selector.match_expressions.iter().any(|one| {
        let lists = matches!(one.operator, Operator::In | Operator::NotIn);
        lists == one.values.is_empty()
    })
}

/// Whether a selector takes a template's labels.
pub fn selects(selector: &LabelSelector, template: &PodTemplate) -> bool {
    let labels = &template.labels;
    selector
        .match_labels
        .iter()
        .all(|(key, value)| labels.get(key) == Some(value))
        && selector.match_expressions.iter().all(|requirement| {
            let value = labels.get(&requirement.key);
            let listed = value.is_some_and(|value| requirement.values.contains(value));
            match requirement.operator {
                Operator::In => listed,
                Operator::NotIn => !listed,
                Operator::Exists => value.is_some(),
                Operator::DoesNotExist => value.is_none(),
                // Label selectors do not have these two; the decoder refuses them.
                Operator::GreaterThan | Operator::LessThan => false,
            }
        })
}

fn strategy(field: &Field<'_>, scribe: &Scribe) -> Strategy {
    let kind = field.get(scribe, "type").text(scribe);
    rules::strategy_kind(field, &["Recreate", "RollingUpdate"], scribe);
    let rolling = kind.as_deref() != Some("Recreate");
    let bounds = field.get(scribe, "rollingUpdate");
    if !rolling {
        if bounds.exists() {
            let detail = "may not be specified when strategy `type` is 'Recreate'";
            fault::forbidden(scribe, &bounds, detail);
        }
        return Strategy::Recreate;
    }
    let surge_field = bounds.get(scribe, "maxSurge");
    let unavailable_field = bounds.get(scribe, "maxUnavailable");
    let max_surge = count_or_percent(&surge_field, scribe);
    let max_unavailable = count_or_percent(&unavailable_field, scribe);
    let is_zero = |bound| matches!(bound, CountOrPercent::Count(0) | CountOrPercent::Percent(0));
    if is_zero(max_surge) && is_zero(max_unavailable) {
        let shown = match max_unavailable {
            CountOrPercent::Count(_) => "0",
            CountOrPercent::Percent(_) => "\"0%\"",
        };
        fault::invalid(
            scribe,
            &unavailable_field,
            shown,
            "may not be 0 when `maxSurge` is 0",
        );
    }
    if let CountOrPercent::Percent(percent @ 101..) = max_unavailable {
        fault::invalid(
            scribe,
            &unavailable_field,
            format!("\"{percent}%\""),
            "must not be greater than 100%",
        );
    }
    Strategy::RollingUpdate {
        max_surge,
        max_unavailable,
    }
}

fn count_or_percent(field: &Field<'_>, scribe: &Scribe) -> CountOrPercent {
    let default = CountOrPercent::Percent(25);
    let Some(node) = field.node else {
        return default;
    };
    let Some(text) = node.as_str() else {
        return CountOrPercent::Count(fault::non_negative(scribe, field, 0));
    };
    let percent = text
        .strip_suffix('%')
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    percent.and_then(|digits| digits.parse().ok()).map_or_else(
        || {
            let detail = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or \
                          '93%', regex used for validation is '[0-9]+%')";
            fault::invalid(scribe, field, format!("{text:?}"), detail);
            default
        },
        CountOrPercent::Percent,
    )
}
