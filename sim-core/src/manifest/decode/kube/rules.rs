//! What the server checks of kinds beyond Deployments, ReplicaSets, Pods and Services.
//! Sources: `pkg/apis/{apps,batch,autoscaling,policy,core,networking,rbac,scheduling,storage}/validation`.
//!
//! Everything is looked at only to check it; who reads a field for a loop says so elsewhere.

pub mod autoscaling;
pub mod batch;
pub mod cron;
pub mod network;
pub mod pods;
pub mod policy;
pub mod secret;

use crate::manifest::decode::kube::{fault, meta, pod};
use crate::manifest::decode::scribe::{Field, Scribe};
use crate::manifest::json::write_string;
use crate::manifest::tree::Node;
use crate::manifest::value::Value;

/// Checks an object of a kind that has rules here.
pub fn check(api_version: &str, kind: &str, object: &Field<'_>, scribe: &Scribe) {
    scribe.checking(|scribe| {
        let spec = object.peek("spec");
        match (api_version, kind) {
            ("apps/v1", "StatefulSet") => stateful_set(&spec, scribe),
            ("apps/v1", "DaemonSet") => daemon_set(&spec, scribe),
            ("v1", "ReplicationController") => controller(&spec, scribe),
            ("batch/v1", "Job") => batch::job(&spec, scribe),
            ("batch/v1", "CronJob") => batch::cron_job(object, scribe),
            ("autoscaling/v2", "HorizontalPodAutoscaler") => autoscaling::check(&spec, scribe),
            ("policy/v1", "PodDisruptionBudget") => policy::budget(&spec, scribe),
            ("v1", "Secret") => secret::check(object, scribe),
            ("v1", "LimitRange") => policy::limit_range(&spec, scribe),
            ("v1", "ResourceQuota") => policy::quota(&spec, scribe),
            ("scheduling.k8s.io/v1", "PriorityClass") => policy::priority_class(object, scribe),
            ("v1", "PersistentVolumeClaim") => policy::claim(&spec, scribe),
            ("v1", "PersistentVolume") => policy::volume(&spec, scribe),
            ("storage.k8s.io/v1", "StorageClass") => policy::storage_class(object, scribe),
            ("networking.k8s.io/v1", "NetworkPolicy") => network::policy(&spec, scribe),
            ("networking.k8s.io/v1", "ServiceCIDR") => network::ranges(&spec, scribe),
            ("networking.k8s.io/v1", "Ingress") => policy::ingress(&spec, scribe),
            ("rbac.authorization.k8s.io/v1", "RoleBinding" | "ClusterRoleBinding") => {
                policy::binding(object, scribe);
            }
            ("rbac.authorization.k8s.io/v1", "Role" | "ClusterRole") => {
                policy::role(object, kind == "Role", scribe);
            }
            _ => {}
        }
    });
}

/// A value as messages print it.
pub fn shown(field: &Field<'_>) -> String {
    field
        .node
        .map_or_else(|| "null".to_owned(), |node| json(&node.to_value()))
}

/// JSON as messages print it: keys sorted.
fn json(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Number(text) => text.to_string(),
        Value::String(text) => {
            let mut out = String::new();
            write_string(&mut out, text, true);
            out
        }
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(json).collect();
            format!("[{}]", items.join(","))
        }
        Value::Map(map) => {
            let pairs: Vec<String> = map
                .sorted()
                .into_iter()
                .map(|(key, value)| {
                    format!("{}:{}", json(&Value::String(key.clone())), json(value))
                })
                .collect();
            format!("{{{}}}", pairs.join(","))
        }
    }
}

/// The text at a field, empty if there is none.
pub fn text<'n>(field: &Field<'n>) -> &'n str {
    field.node.and_then(Node::as_str).unwrap_or("")
}

/// The number at a field.
pub fn number(field: &Field<'_>) -> Option<i64> {
    field.node.and_then(|node| node.to_value().as_i64())
}

/// The items of a list.
pub fn items<'n>(field: &Field<'n>) -> Vec<Field<'n>> {
    let list = field.node.and_then(Node::as_seq).unwrap_or(&[]);
    list.iter()
        .enumerate()
        .map(|(index, item)| Field::at(item, format!("{}[{index}]", field.path)))
        .collect()
}

/// A number that may not be negative.
pub fn natural(field: &Field<'_>, scribe: &Scribe) {
    if let Some(found) = number(field).filter(|found| *found < 0) {
        fault::invalid(scribe, field, found, "must be greater than or equal to 0");
    }
}

/// A word that must be one of a few, if it is there.
pub fn one_of(field: &Field<'_>, words: &[&str], scribe: &Scribe) {
    let found = text(field);
    if field.exists() && !words.contains(&found) {
        fault::unsupported(scribe, field, found, words);
    }
}

/// The type of a Deployment's or DaemonSet's strategy; what is refused is the strategy around the word.
pub fn strategy_kind(strategy: &Field<'_>, words: &[&str], scribe: &Scribe) {
    let kind = strategy.peek("type");
    let found = text(&kind);
    if found.is_empty() || words.contains(&found) {
        return;
    }
    let rolling = strategy.peek("rollingUpdate");
    let bounds = if rolling.exists() {
        let bound = |key: &str, absent: &str| {
            let field = rolling.peek(key);
            if field.exists() {
                shown(&field)
            } else {
                absent.to_owned()
            }
        };
        format!(
            "{{\"MaxUnavailable\":{},\"MaxSurge\":{}}}",
            bound("maxUnavailable", "null"),
            bound("maxSurge", "null"),
        )
    } else {
        "null".to_owned()
    };
    let whole = format!("{{\"Type\":{found:?},\"RollingUpdate\":{bounds}}}");
    let at = Field {
        path: strategy.path.clone(),
        ..kind.clone()
    };
    fault::unsupported_shown(scribe, &at, found, &whole, words);
}

/// A text that must be there.
pub fn needed(field: &Field<'_>, detail: &str, scribe: &Scribe) -> bool {
    let is_there = field.exists() && (field.node.and_then(Node::as_str) != Some(""));
    if !is_there {
        fault::required(scribe, field, detail);
    }
    is_there
}

/// Selector and template of a controller of pods, with its own name in the messages.
fn template(spec: &Field<'_>, kind: &str, scribe: &Scribe) {
    let (selector_field, template_field) = (spec.peek("selector"), spec.peek("template"));
    let selector = meta::selector(&selector_field, scribe);
    let labels = template_field.peek("metadata").peek("labels");
    match &selector {
        None => fault::required(scribe, &selector_field, ""),
        Some(selector)
            if selector.match_labels.is_empty() && selector.match_expressions.is_empty() =>
        {
            let detail = format!("empty selector is invalid for {kind}");
            fault::invalid(scribe, &selector_field, "{}", &detail);
        }
        Some(_) => {}
    }
    let claimed = with_claims(spec, &template_field);
    let template = match &claimed {
        Some(node) => pod::template(&Field::at(node, template_field.path.clone()), scribe),
        None => pod::template(&template_field, scribe),
    };
    let takes = selector
        .as_ref()
        .is_some_and(|selector| super::workload::selects(selector, &template));
    if !takes {
        fault::invalid(
            scribe,
            &labels,
            shown(&labels),
            "`selector` does not match template `labels`",
        );
    }
    always(&template_field, scribe);
    let deadline = template_field.peek("spec").peek("activeDeadlineSeconds");
    if deadline.exists() {
        let word = match kind {
            "daemonset" => "DaemonSet",
            _ => "StatefulSet",
        };
        let detail = format!("activeDeadlineSeconds in {word} is not Supported");
        fault::forbidden(scribe, &deadline, &detail);
    }
}

/// A template with a volume for each claim that its pods will have; nothing if they have none.
fn with_claims(spec: &Field<'_>, template: &Field<'_>) -> Option<Node> {
    let claims = items(&spec.peek("volumeClaimTemplates"));
    if claims.is_empty() {
        return None;
    }
    let mut value = template.node?.to_value();
    let path = ["spec", "volumes"];
    let mut volumes = value
        .path(&path)
        .and_then(Value::as_list)
        .unwrap_or(&[])
        .to_vec();
    for claim in claims {
        let name = text(&claim.peek("metadata").peek("name")).to_owned();
        if !volumes
            .iter()
            .any(|one| one.str_at(&["name"]) == Some(&name))
        {
            volumes.push(Value::object([
                ("name", Value::from(name)),
                ("emptyDir", Value::map()),
            ]));
        }
    }
    value.set_path(&path, volumes.into());
    Some(Node::of_value(&value, template.span))
}

/// Pods of a controller that keeps them running restart always.
pub fn always(template: &Field<'_>, scribe: &Scribe) {
    let policy = template.peek("spec").peek("restartPolicy");
    if policy.exists() && text(&policy) != "Always" {
        fault::unsupported(scribe, &policy, text(&policy), &["Always"]);
    }
}

#[inline(never)]
fn stateful_set(spec: &Field<'_>, scribe: &Scribe) {
    let policy = spec.peek("podManagementPolicy");
    match text(&policy) {
        "OrderedReady" | "Parallel" => {}
        "" if !policy.exists() => {}
        other => fault::invalid(
            scribe,
            &policy,
            format!("{other:?}"),
            "must be 'OrderedReady' or 'Parallel'",
        ),
    }
    let strategy = spec.peek("updateStrategy");
    let kind = strategy.peek("type");
    match text(&kind) {
        "RollingUpdate" => {
            let rolling = strategy.peek("rollingUpdate");
            natural(&rolling.peek("partition"), scribe);
        }
        "OnDelete" => {
            let rolling = strategy.peek("rollingUpdate");
            if rolling.exists() {
                fault::invalid(
                    scribe,
                    &rolling,
                    shown(&rolling),
                    "only allowed for updateStrategy 'RollingUpdate'",
                );
            }
        }
        "" if !kind.exists() => {}
        _ => fault::invalid(
            scribe,
            &strategy,
            shown(&strategy),
            "must be 'RollingUpdate' or 'OnDelete'",
        ),
    }
    let retention = spec.peek("persistentVolumeClaimRetentionPolicy");
    for key in ["whenDeleted", "whenScaled"] {
        one_of(&retention.peek(key), &["Retain", "Delete"], scribe);
    }
    for key in ["replicas", "minReadySeconds"] {
        natural(&spec.peek(key), scribe);
    }
    natural(&spec.peek("ordinals").peek("start"), scribe);
    template(spec, "statefulset", scribe);
}

#[inline(never)]
fn daemon_set(spec: &Field<'_>, scribe: &Scribe) {
    template(spec, "daemonset", scribe);
    for key in ["minReadySeconds", "revisionHistoryLimit"] {
        natural(&spec.peek(key), scribe);
    }
    let strategy = spec.peek("updateStrategy");
    let kind = strategy.peek("type");
    if text(&kind) == "RollingUpdate" {
        let rolling = strategy.peek("rollingUpdate");
        let (surge, unavailable) = (rolling.peek("maxSurge"), rolling.peek("maxUnavailable"));
        let zero =
            |field: &Field<'_>| !field.exists() || number(field) == Some(0) || text(field) == "0%";
        // Both are defaults when nothing is written.
        if rolling.exists() && surge.exists() {
            if zero(&surge) && unavailable.exists() && zero(&unavailable) {
                fault::required(scribe, &unavailable, "cannot be 0 when maxSurge is 0");
            } else if !zero(&surge) && unavailable.exists() && !zero(&unavailable) {
                fault::invalid(
                    scribe,
                    &surge,
                    shown(&surge),
                    "may not be set when maxUnavailable is non-zero",
                );
            }
        }
    } else {
        strategy_kind(&strategy, &["RollingUpdate", "OnDelete"], scribe);
    }
}

#[inline(never)]
fn controller(spec: &Field<'_>, scribe: &Scribe) {
    for key in ["replicas", "minReadySeconds"] {
        natural(&spec.peek(key), scribe);
    }
    let template = spec.peek("template");
    if !template.exists() {
        fault::required(scribe, &template, "");
        return;
    }
    pod::template(&template, scribe);
    always(&template, scribe);
}
