//! Columns of kinds that are kept for whoever reads them, and that no loop here acts upon.

use super::headers::{Column, col};
use super::{cell_of_parameter, or_none};
use crate::console::kubectl::clock::human;
use crate::console::kubectl::pod_status::items;
use crate::manifest::value::Value;

/// The columns; nothing of other kinds.
pub fn headers(kind: &str) -> Option<&'static [Column]> {
    Some(match kind {
        "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => {
            const { &[col("NAME"), col("WEBHOOKS"), col("AGE")] }
        }
        "MutatingAdmissionPolicy" => {
            const { &[col("NAME"), col("MUTATIONS"), col("PARAMKIND"), col("AGE")] }
        }
        "MutatingAdmissionPolicyBinding" => {
            const { &[col("NAME"), col("POLICYNAME"), col("PARAMREF"), col("AGE")] }
        }
        "APIService" => const { &[col("NAME"), col("SERVICE"), col("AVAILABLE"), col("AGE")] },
        "CertificateSigningRequest" => {
            const {
                &[
                    col("NAME"),
                    col("AGE"),
                    col("SIGNERNAME"),
                    col("REQUESTOR"),
                    col("REQUESTEDDURATION"),
                    col("CONDITION"),
                ]
            }
        }
        "FlowSchema" => {
            const {
                &[
                    col("NAME"),
                    col("PRIORITYLEVEL"),
                    col("MATCHINGPRECEDENCE"),
                    col("DISTINGUISHERMETHOD"),
                    col("AGE"),
                    col("MISSINGPL"),
                ]
            }
        }
        "PriorityLevelConfiguration" => {
            const {
                &[
                    col("NAME"),
                    col("TYPE"),
                    col("NOMINALCONCURRENCYSHARES"),
                    col("QUEUES"),
                    col("HANDSIZE"),
                    col("QUEUELENGTHLIMIT"),
                    col("AGE"),
                ]
            }
        }
        "IPAddress" => const { &[col("NAME"), col("PARENTREF")] },
        "ServiceCIDR" => const { &[col("NAME"), col("CIDRS"), col("AGE")] },
        "ResourceClaim" => const { &[col("NAME"), col("STATE"), col("AGE")] },
        "ResourceSlice" => {
            const {
                &[
                    col("NAME"),
                    col("NODE"),
                    col("DRIVER"),
                    col("POOL"),
                    col("AGE"),
                ]
            }
        }
        "VolumeAttributesClass" => const { &[col("NAME"), col("DRIVERNAME"), col("AGE")] },
        "CSIStorageCapacity" => const { &[col("NAME"), col("STORAGECLASSNAME"), col("CAPACITY")] },
        _ => return None,
    })
}

/// The cells; nothing of other kinds.
/// Source: `pkg/printers/internalversion/printers.go`; of an APIService
/// `k8s.io/kube-aggregator/pkg/registry/apiservice/etcd/etcd.go` (`ConvertToTable`).
pub fn cells(kind: &str, object: &Value, title: &str, age: &str) -> Option<Vec<String>> {
    let text = |path: &[&str]| object.str_at(path).unwrap_or("").to_owned();
    let number = |path: &[&str]| object.i64_at(path).unwrap_or(0).to_string();
    let (title, age) = (title.to_owned(), age.to_owned());
    Some(match kind {
        "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => {
            let webhooks = items(object, &["webhooks"]).len();
            vec![title, webhooks.to_string(), age]
        }
        "MutatingAdmissionPolicy" => {
            let mutations = items(object, &["spec", "mutations"]).len();
            vec![title, mutations.to_string(), parameter_kind(object), age]
        }
        "MutatingAdmissionPolicyBinding" => {
            let parameter = cell_of_parameter(object);
            vec![title, text(&["spec", "policyName"]), parameter, age]
        }
        "APIService" => vec![title, service(object), available(object), age],
        "CertificateSigningRequest" => {
            let lasts = object.i64_at(&["spec", "expirationSeconds"]);
            vec![
                title,
                age,
                or_none(object.str_at(&["spec", "signerName"])),
                text(&["spec", "username"]),
                lasts.map_or_else(|| "<none>".to_owned(), human),
                certificate(object),
            ]
        }
        "FlowSchema" => vec![
            title,
            text(&["spec", "priorityLevelConfiguration", "name"]),
            number(&["spec", "matchingPrecedence"]),
            or_none(object.str_at(&["spec", "distinguisherMethod", "type"])),
            age,
            of_type(object, "Dangling")
                .and_then(|one| one.str_at(&["status"]))
                .unwrap_or("?")
                .to_owned(),
        ],
        "PriorityLevelConfiguration" => {
            let limited = |path: &[&str]| {
                let value = object.path(&["spec", "limited"])?.i64_at(path);
                value.map(|value| value.to_string())
            };
            let queues = |field: &str| limited(&["limitResponse", "queuing", field]);
            let none = || "<none>".to_owned();
            vec![
                title,
                text(&["spec", "type"]),
                limited(&["nominalConcurrencyShares"]).unwrap_or_else(none),
                queues("queues").unwrap_or_else(none),
                queues("handSize").unwrap_or_else(none),
                queues("queueLengthLimit").unwrap_or_else(none),
                age,
            ]
        }
        "IPAddress" => vec![title, parent(object)],
        "ServiceCIDR" => {
            let ranges = items(object, &["spec", "cidrs"]);
            let ranges: Vec<&str> = ranges.iter().filter_map(Value::as_str).collect();
            vec![title, ranges.join(","), age]
        }
        "ResourceClaim" => vec![title, claim(object), age],
        "ResourceSlice" => vec![
            title,
            text(&["spec", "nodeName"]),
            text(&["spec", "driver"]),
            text(&["spec", "pool", "name"]),
            age,
        ],
        "VolumeAttributesClass" => vec![title, text(&["driverName"]), age],
        "CSIStorageCapacity" => {
            let capacity = object.str_at(&["capacity"]).unwrap_or("<unset>");
            vec![title, text(&["storageClassName"]), capacity.to_owned()]
        }
        _ => return None,
    })
}

/// `spec.paramKind` of an admission policy.
pub(super) fn parameter_kind(object: &Value) -> String {
    object.path(&["spec", "paramKind"]).map_or_else(
        || "<unset>".to_owned(),
        |one| {
            let (version, kind) = (one.str_at(&["apiVersion"]), one.str_at(&["kind"]));
            format!("{}/{}", version.unwrap_or(""), kind.unwrap_or(""))
        },
    )
}

fn of_type<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = items(object, &["status", "conditions"]);
    let mut found = conditions.iter();
    found.find(|one| one.str_at(&["type"]) == Some(kind))
}

fn service(object: &Value) -> String {
    object.path(&["spec", "service"]).map_or_else(
        || "Local".to_owned(),
        |one| {
            let (namespace, name) = (one.str_at(&["namespace"]), one.str_at(&["name"]));
            format!("{}/{}", namespace.unwrap_or(""), name.unwrap_or(""))
        },
    )
}

fn available(object: &Value) -> String {
    let Some(condition) = of_type(object, "Available") else {
        return "Unknown".to_owned();
    };
    let status = condition.str_at(&["status"]).unwrap_or("");
    match condition.str_at(&["reason"]) {
        Some(reason) if status != "True" && !reason.is_empty() => format!("{status} ({reason})"),
        _ => status.to_owned(),
    }
}

fn certificate(object: &Value) -> String {
    let has = |kind: &str| of_type(object, kind).is_some();
    let mut status = if has("Denied") {
        "Denied"
    } else if has("Approved") {
        "Approved"
    } else {
        "Pending"
    }
    .to_owned();
    if has("Failed") {
        status.push_str(",Failed");
    }
    let issued = object.str_at(&["status", "certificate"]);
    if issued.is_some_and(|text| !text.is_empty()) {
        status.push_str(",Issued");
    }
    status
}

fn parent(object: &Value) -> String {
    let Some(of) = object.path(&["spec", "parentRef"]) else {
        return "<none>".to_owned();
    };
    let text = |key: &str| of.str_at(&[key]).filter(|text| !text.is_empty());
    let mut name = text("resource").unwrap_or("").to_owned();
    if let Some(group) = text("group") {
        name.push_str(&format!(".{group}"));
    }
    let mut parts = vec![name.to_lowercase()];
    parts.extend(text("namespace").map(str::to_owned));
    parts.push(text("name").unwrap_or("").to_owned());
    parts.join("/")
}

fn claim(object: &Value) -> String {
    let ends = object.path(&["metadata", "deletionTimestamp"]).is_some();
    let mut states = Vec::new();
    if ends {
        states.push("deleted");
    }
    if object.path(&["status", "allocation"]).is_some() {
        states.push("allocated");
        if !items(object, &["status", "reservedFor"]).is_empty() {
            states.push("reserved");
        }
    } else if !ends {
        states.push("pending");
    }
    states.join(",")
}
