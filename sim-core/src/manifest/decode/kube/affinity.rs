//! Affinity, tolerations, taints and spreading.

use std::sync::Arc;

use crate::api::kube::affinity::{
    Affinity, NodeSelectorTerm, PodAffinityTerm, PreferredNodeTerm, Taint, TaintEffect, Toleration,
    TolerationOperator, WeightedPodTerm,
};
use crate::api::kube::spread::SpreadConstraint;
use crate::manifest::decode::kube::meta::Of;
use crate::manifest::decode::kube::{fault, meta, name};
use crate::manifest::decode::scribe::{Field, Scribe};

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// `affinity` of a pod.
pub fn affinity(field: &Field<'_>, scribe: &Scribe) -> Affinity {
    let node = field.get(scribe, "nodeAffinity");
    let required = node.get(scribe, REQUIRED);
    let terms = required.get(scribe, "nodeSelectorTerms");
    let node_required = required.exists().then(|| {
        if !terms.exists() {
            fault::required(scribe, &terms, "must have at least one node selector term");
        }
        terms
            .items(scribe)
            .iter()
            .map(|item| node_term(item, scribe, Of::Node))
            .collect()
    });
    let node_preferred = node
        .get(scribe, PREFERRED)
        .items(scribe)
        .iter()
        .map(|item| PreferredNodeTerm {
            weight: weight(item, scribe),
            preference: node_term(&item.get(scribe, "preference"), scribe, Of::PreferredNode),
        })
        .collect();
    let required = |key: &str| -> Vec<PodAffinityTerm> {
        let list = field.get(scribe, key).get(scribe, REQUIRED);
        list.items(scribe)
            .iter()
            .map(|item| pod_term(item, scribe))
            .collect()
    };
    let preferred = |key: &str| -> Vec<WeightedPodTerm> {
        let list = field.get(scribe, key).get(scribe, PREFERRED);
        list.items(scribe)
            .iter()
            .map(|item| WeightedPodTerm {
                weight: weight(item, scribe),
                term: pod_term(&item.get(scribe, "podAffinityTerm"), scribe),
            })
            .collect()
    };
    Affinity {
        node_required,
        node_preferred,
        pod_required: required("podAffinity"),
        pod_preferred: preferred("podAffinity"),
        anti_required: required("podAntiAffinity"),
        anti_preferred: preferred("podAntiAffinity"),
    }
}

fn node_term(field: &Field<'_>, scribe: &Scribe, of: Of) -> NodeSelectorTerm {
    NodeSelectorTerm {
        match_expressions: meta::requirements(&field.get(scribe, "matchExpressions"), scribe, of),
        match_fields: meta::requirements(&field.get(scribe, "matchFields"), scribe, Of::NodeFields),
    }
}

fn pod_term(field: &Field<'_>, scribe: &Scribe) -> PodAffinityTerm {
    let selector = meta::selector(&field.get(scribe, "labelSelector"), scribe);
    let namespace_selector = meta::selector(&field.get(scribe, "namespaceSelector"), scribe);
    let namespaces = field.get(scribe, "namespaces");
    for item in namespaces.items(scribe) {
        let text = item.text_or_empty(scribe);
        for detail in name::label(&text) {
            // Upstream's path has the singular, and no index.
            let at = Field {
                path: field.peek("namespace").path,
                ..item.clone()
            };
            fault::invalid(scribe, &at, format!("{text:?}"), &detail);
        }
    }
    let keys = |key: &str| label_keys(&field.get(scribe, key), selector.is_some(), scribe);
    let match_label_keys = keys("matchLabelKeys");
    let mismatch_label_keys = keys("mismatchLabelKeys");
    let topology_key = topology_key(field, scribe);
    for detail in name::qualified(&topology_key) {
        let key = field.get(scribe, "topologyKey");
        fault::invalid(scribe, &key, format!("{topology_key:?}"), &detail);
    }
    PodAffinityTerm {
        topology_key,
        selector,
        namespaces: namespaces.texts(scribe),
        namespace_selector,
        match_label_keys,
        mismatch_label_keys,
    }
}

/// Keys of the incoming pod's labels that are added to a selector.
/// Source: `pkg/apis/core/validation/validation.go` (`validateLabelKeys`).
fn label_keys(field: &Field<'_>, has_selector: bool, scribe: &Scribe) -> Vec<Arc<str>> {
    let keys = field.texts(scribe);
    if keys.is_empty() {
        return keys;
    }
    if !has_selector {
        let detail = "must not be specified when labelSelector is not set";
        fault::forbidden(scribe, field, detail);
        return keys;
    }
    for item in field.items(scribe) {
        let text = item.text_or_empty(scribe);
        for detail in name::qualified(&text) {
            fault::invalid(scribe, &item, format!("{text:?}"), &detail);
        }
    }
    keys
}

fn topology_key(field: &Field<'_>, scribe: &Scribe) -> Arc<str> {
    let key = field.get(scribe, "topologyKey");
    let text = key.text_or_empty(scribe);
    if text.is_empty() {
        fault::required(scribe, &key, "can not be empty");
    }
    text
}

fn weight(item: &Field<'_>, scribe: &Scribe) -> u32 {
    let field = item.get(scribe, "weight");
    let number = field.integer(scribe).unwrap_or(0);
    match u32::try_from(number) {
        Ok(weight @ 1..=100) => weight,
        _ => {
            fault::invalid(scribe, &field, number, "must be in the range 1-100");
            1
        }
    }
}

const EFFECTS: [(&str, TaintEffect); 3] = [
    ("NoSchedule", TaintEffect::NoSchedule),
    ("PreferNoSchedule", TaintEffect::PreferNoSchedule),
    ("NoExecute", TaintEffect::NoExecute),
];

/// `tolerations` of a pod.
pub fn tolerations(field: &Field<'_>, scribe: &Scribe) -> Vec<Toleration> {
    field
        .items(scribe)
        .iter()
        .map(|item| toleration(item, scribe))
        .collect()
}

fn toleration(item: &Field<'_>, scribe: &Scribe) -> Toleration {
    let operators = [
        ("Equal", TolerationOperator::Equal),
        ("Exists", TolerationOperator::Exists),
    ];
    let key_field = item.get(scribe, "key");
    let key = key_field.text_or_empty(scribe);
    if !key.is_empty() {
        for detail in name::qualified(&key) {
            fault::invalid(scribe, &key_field, format!("{key:?}"), &detail);
        }
    }
    let operator_field = item.get(scribe, "operator");
    let written = operator_field.text_or_empty(scribe);
    let operator = match &*written {
        "" => TolerationOperator::Equal,
        // Behind a gate that is off; the message names them nevertheless.
        "Lt" | "Gt" => {
            let words = ["Equal", "Exists", "Lt", "Gt"];
            fault::unsupported(scribe, &operator_field, &written, &words);
            TolerationOperator::Equal
        }
        _ => fault::word(
            scribe,
            &operator_field,
            &operators,
            TolerationOperator::Equal,
        ),
    };
    let value_field = item.get(scribe, "value");
    let value = value_field.text_or_empty(scribe);
    if key.is_empty() && operator == TolerationOperator::Equal {
        fault::invalid(
            scribe,
            &operator_field,
            format!("{written:?}"),
            "operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
        );
    }
    if operator == TolerationOperator::Exists && !value.is_empty() {
        fault::invalid(
            scribe,
            &operator_field,
            format!("{value:?}"),
            "value must be empty when `operator` is 'Exists'",
        );
    }
    let is_compared = matches!(&*written, "" | "Equal");
    let faults = name::label_value(&value);
    if is_compared && !faults.is_empty() {
        // Upstream names the operator, and the value.
        let detail = faults.join(";");
        fault::invalid(scribe, &operator_field, format!("{value:?}"), &detail);
    }
    let effect_field = item.get(scribe, "effect");
    let effects = EFFECTS.map(|(word, effect)| (word, Some(effect)));
    let effect = if effect_field.node.and_then(|node| node.as_str()) == Some("") {
        None
    } else {
        fault::word(scribe, &effect_field, &effects, None)
    };
    let seconds_field = item.get(scribe, "tolerationSeconds");
    let seconds = seconds_field.integer(scribe);
    if seconds.is_some() && effect != Some(TaintEffect::NoExecute) {
        let shown = effect_field
            .node
            .and_then(|node| node.as_str())
            .unwrap_or("");
        fault::invalid(
            scribe,
            &effect_field,
            format!("{shown:?}"),
            "effect must be 'NoExecute' when `tolerationSeconds` is set",
        );
    }
    Toleration {
        key,
        operator,
        value,
        effect,
        seconds,
    }
}

/// `taints` of a node.
pub fn taints(field: &Field<'_>, scribe: &Scribe) -> Vec<Taint> {
    let mut taints = Vec::new();
    for item in field.items(scribe) {
        let key_field = item.get(scribe, "key");
        let key = key_field.text_or_empty(scribe);
        if key.is_empty() {
            fault::required(scribe, &key_field, "");
        }
        let effect_field = item.get(scribe, "effect");
        if !effect_field.exists() {
            fault::required(scribe, &effect_field, "");
        }
        let effect = fault::word(scribe, &effect_field, &EFFECTS, TaintEffect::NoSchedule);
        taints.push(Taint {
            key,
            value: item.get(scribe, "value").text_or_empty(scribe),
            effect,
        });
    }
    taints
}

/// `topologySpreadConstraints` of a pod.
pub fn spreads(field: &Field<'_>, scribe: &Scribe) -> Vec<SpreadConstraint> {
    let items = field.items(scribe);
    let spreads: Vec<_> = items.iter().map(|item| spread(item, scribe)).collect();
    for (index, one) in spreads.iter().enumerate() {
        let is_same = |other: &SpreadConstraint| {
            (&other.topology_key, other.hard) == (&one.topology_key, one.hard)
        };
        if spreads[index + 1..].iter().any(is_same) {
            let at = items[index].peek("{topologyKey, whenUnsatisfiable}");
            let when = if one.hard {
                "DoNotSchedule"
            } else {
                "ScheduleAnyway"
            };
            let shown = format!("\"{{{}, {when}}}\"", one.topology_key);
            fault::duplicate(scribe, &at, shown);
        }
    }
    spreads
}

fn spread(item: &Field<'_>, scribe: &Scribe) -> SpreadConstraint {
    let skew_field = item.get(scribe, "maxSkew");
    let skew = skew_field.integer(scribe).unwrap_or(0);
    if skew <= 0 {
        fault::invalid(scribe, &skew_field, skew, "must be greater than zero");
    }
    let topology_key = topology_key(item, scribe);
    let words = [("DoNotSchedule", true), ("ScheduleAnyway", false)];
    let when = item.get(scribe, "whenUnsatisfiable");
    let hard = fault::needed_word(scribe, &when, &words, true);
    let domains_field = item.get(scribe, "minDomains");
    let domains = domains_field.integer(scribe);
    if let Some(number) = domains {
        if number <= 0 {
            fault::invalid(scribe, &domains_field, number, "must be greater than zero");
        } else if !hard {
            let detail =
                "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway";
            fault::invalid(scribe, &domains_field, number, detail);
        }
    }
    let policy = |key: &str, default: bool| {
        fault::word(
            scribe,
            &item.get(scribe, key),
            &[("Honor", true), ("Ignore", false)],
            default,
        )
    };
    let number = |value: i64| u32::try_from(value).unwrap_or(1);
    let selector = meta::selector(&item.get(scribe, "labelSelector"), scribe);
    let keys = item.get(scribe, "matchLabelKeys");
    let match_label_keys = label_keys(&keys, selector.is_some(), scribe);
    SpreadConstraint {
        max_skew: number(skew),
        topology_key,
        hard,
        selector,
        min_domains: number(domains.unwrap_or(1)),
        honor_affinity: policy("nodeAffinityPolicy", true),
        honor_taints: policy("nodeTaintsPolicy", false),
        match_label_keys,
    }
}
