//! Columns of `kubectl get`. Source: `pkg/printers/internalversion/printers.go`.

pub mod autoscaler;
pub mod headers;
pub mod kept;
pub mod storage;
pub mod workload;

use crate::base::arrange::Arrange;
use crate::base::time::SimTime;
use crate::kube::kinds::Kind;
use crate::kube::kinds::convert::to_stored;
use crate::manifest::value::Value;

use super::clock::{age, age_of};
use super::pod_status::{condition, items, pod_status};

/// Cells of an object, as many as its kind has columns. `title` is the first cell's text.
pub fn cells(kind: &Kind, object: &Value, title: &str, now: SimTime, wide: bool) -> Vec<String> {
    let number = |path: &[&str]| object.i64_at(path).unwrap_or(0).to_string();
    let text = |path: &[&str]| object.str_at(path).unwrap_or("").to_owned();
    let count = |key: &str| {
        object
            .get(key)
            .and_then(Value::as_map)
            .map_or(0, |map| map.len())
    };
    let own_age = age_of(object, now);
    let title = title.to_owned();
    match kind.kind {
        "Pod" => {
            let shown = pod_status(object, now);
            let ip = items(object, &["status", "podIPs"])
                .first()
                .and_then(|ip| ip.str_at(&["ip"]));
            let gates = items(object, &["spec", "readinessGates"]);
            let passed = gates
                .iter()
                .filter(|gate| {
                    gate.str_at(&["conditionType"])
                        .is_some_and(|kind| condition(object, kind, "True"))
                })
                .count();
            let gates = if gates.is_empty() {
                "<none>".to_owned()
            } else {
                format!("{passed}/{}", gates.len())
            };
            vec![
                title,
                shown.ready,
                shown.status,
                shown.restarts,
                own_age,
                or_none(ip),
                or_none(object.str_at(&["spec", "nodeName"])),
                or_none(object.str_at(&["status", "nominatedNodeName"])),
                gates,
            ]
        }
        "Deployment" => {
            let (names, images) = containers(object);
            let ready = format!(
                "{}/{}",
                number(&["status", "readyReplicas"]),
                number(&["spec", "replicas"])
            );
            vec![
                title,
                ready,
                number(&["status", "updatedReplicas"]),
                number(&["status", "availableReplicas"]),
                own_age,
                names,
                images,
                selector(object.path(&["spec", "selector"])),
            ]
        }
        "ReplicaSet" | "ReplicationController" => {
            let (names, images) = containers(object);
            vec![
                title,
                number(&["spec", "replicas"]),
                number(&["status", "replicas"]),
                number(&["status", "readyReplicas"]),
                own_age,
                names,
                images,
                selector(object.path(&["spec", "selector"])),
            ]
        }
        "Service" => {
            let ip = object
                .str_at(&["spec", "clusterIP"])
                .filter(|ip| !ip.is_empty());
            vec![
                title,
                text(&["spec", "type"]),
                or_none(ip),
                external_ip(object, wide),
                service_ports(object),
                own_age,
                pairs(object.path(&["spec", "selector"])),
            ]
        }
        "Node" => node(object, title, own_age),
        "Event" => event(&to_stored(object), now, title),
        "Namespace" => vec![title, text(&["status", "phase"]), own_age],
        "EndpointSlice" => {
            let ports = items(object, &["ports"])
                .iter()
                .map(|port| {
                    port.i64_at(&["port"])
                        .map_or_else(|| "*".to_owned(), |port| port.to_string())
                })
                .collect();
            let addresses = items(object, &["endpoints"])
                .iter()
                .flat_map(|endpoint| items(endpoint, &["addresses"]))
                .filter_map(|ip| ip.as_str().map(str::to_owned))
                .collect();
            vec![
                title,
                text(&["addressType"]),
                three(ports),
                three(addresses),
                own_age,
            ]
        }
        "Endpoints" => vec![title, endpoints(object), own_age],
        "ConfigMap" => vec![
            title,
            (count("data") + count("binaryData")).to_string(),
            own_age,
        ],
        "Secret" => vec![title, text(&["type"]), count("data").to_string(), own_age],
        "Lease" => vec![title, text(&["spec", "holderIdentity"]), own_age],
        "PriorityClass" => vec![
            title,
            number(&["value"]),
            truth(object, &["globalDefault"]),
            own_age,
            object
                .str_at(&["preemptionPolicy"])
                .unwrap_or("PreemptLowerPriority")
                .to_owned(),
        ],
        "RuntimeClass" => vec![title, text(&["handler"]), own_age],
        "LimitRange" | "Role" | "ClusterRole" | "CustomResourceDefinition" => {
            vec![title, text(&["metadata", "creationTimestamp"])]
        }
        "RoleBinding" | "ClusterRoleBinding" => {
            let role = format!(
                "{}/{}",
                text(&["roleRef", "kind"]),
                text(&["roleRef", "name"])
            );
            let of = |kind: &str| {
                let subjects = items(object, &["subjects"]).iter();
                let shown = subjects
                    .filter(|one| one.str_at(&["kind"]) == Some(kind))
                    .map(|one| {
                        let name = one.str_at(&["name"]).unwrap_or("");
                        match one
                            .str_at(&["namespace"])
                            .filter(|_| kind == "ServiceAccount")
                        {
                            Some(namespace) => format!("{namespace}/{name}"),
                            None => name.to_owned(),
                        }
                    });
                shown.collect::<Vec<_>>().join(", ")
            };
            vec![
                title,
                role,
                own_age,
                of("User"),
                of("Group"),
                of("ServiceAccount"),
            ]
        }
        "Ingress" => vec![
            title,
            or_none(object.str_at(&["spec", "ingressClassName"])),
            hosts(object),
            balancer_ingress(object, wide),
            if items(object, &["spec", "tls"]).is_empty() {
                "80"
            } else {
                "80, 443"
            }
            .to_owned(),
            own_age,
        ],
        "IngressClass" => {
            let parameters = object.path(&["spec", "parameters"]).map(|one| {
                let group = one
                    .str_at(&["apiGroup"])
                    .map_or_else(String::new, |group| format!(".{group}"));
                format!(
                    "{}{group}/{}",
                    one.str_at(&["kind"]).unwrap_or(""),
                    one.str_at(&["name"]).unwrap_or("")
                )
            });
            let key = "ingressclass.kubernetes.io/is-default-class";
            let marked = object.str_at(&["metadata", "annotations", key]) == Some("true");
            vec![
                format!("{title}{}", if marked { " (default)" } else { "" }),
                text(&["spec", "controller"]),
                or_none(parameters.as_deref()),
                own_age,
            ]
        }
        "NetworkPolicy" => vec![
            title,
            selector(object.path(&["spec", "podSelector"])),
            own_age,
        ],
        "ValidatingAdmissionPolicy" => {
            vec![
                title,
                items(object, &["spec", "validations"]).len().to_string(),
                kept::parameter_kind(object),
                own_age,
            ]
        }
        "ValidatingAdmissionPolicyBinding" => {
            vec![
                title,
                text(&["spec", "policyName"]),
                cell_of_parameter(object),
                own_age,
            ]
        }
        "StatefulSet" | "DaemonSet" | "Job" | "CronJob" | "ControllerRevision" | "PodTemplate" => {
            workload::cells(kind, object, title, own_age, now)
        }
        "HorizontalPodAutoscaler" | "PodDisruptionBudget" | "ResourceQuota" => {
            autoscaler::cells(kind, object, title, own_age)
        }
        "PersistentVolume"
        | "PersistentVolumeClaim"
        | "StorageClass"
        | "VolumeAttachment"
        | "CSIDriver"
        | "CSINode" => storage::cells(kind, object, title, own_age),
        other => {
            kept::cells(other, object, &title, &own_age).unwrap_or_else(|| vec![title, own_age])
        }
    }
}

/// `spec.paramRef` of an admission policy's binding. Whether the parameter has a namespace is not
/// known where it is printed.
fn cell_of_parameter(object: &Value) -> String {
    let Some(of) = object.path(&["spec", "paramRef"]) else {
        return "<unset>".to_owned();
    };
    let text = |key: &str| of.str_at(&[key]).filter(|text| !text.is_empty());
    match text("name") {
        Some(name) => format!("{}/{name}", text("namespace").unwrap_or("*")),
        None => selector(of.get("selector")),
    }
}

/// The text, or `<none>`.
pub fn or_none(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty())
        .unwrap_or("<none>")
        .to_owned()
}

/// `a=b,c=d` of a map, sorted; `<none>` if it is empty.
pub fn pairs(map: Option<&Value>) -> String {
    let list: Vec<String> = map
        .and_then(Value::as_map)
        .unwrap_or_default()
        .sorted()
        .into_iter()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or("")))
        .collect();
    or_none(Some(&list.join(",")))
}

/// A label selector in one line; a plain map counts as labels.
pub fn selector(selector: Option<&Value>) -> String {
    let Some(selector) = selector else {
        return "<none>".to_owned();
    };
    let expressions = items(selector, &["matchExpressions"]);
    if selector.get("matchLabels").is_none() && expressions.is_empty() {
        return pairs(Some(selector));
    }
    // By their keys, whichever list they stand in, and so are the values of each.
    // Source: `k8s.io/apimachinery/pkg/labels/selector.go` (`ByKey`, `Requirement.String`).
    let mut list: Vec<(&str, String)> = selector
        .get("matchLabels")
        .and_then(Value::as_map)
        .unwrap_or_default()
        .sorted()
        .into_iter()
        .map(|(key, value)| {
            let shown = format!("{key}={}", value.as_str().unwrap_or(""));
            (&**key, shown)
        })
        .collect();
    for one in expressions {
        let key = one.str_at(&["key"]).unwrap_or("");
        let mut values: Vec<&str> = items(one, &["values"])
            .iter()
            .filter_map(Value::as_str)
            .collect();
        values.arrange();
        let shown = match one.str_at(&["operator"]) {
            Some("In") => format!("{key} in ({})", values.join(",")),
            Some("NotIn") => format!("{key} notin ({})", values.join(",")),
            Some("DoesNotExist") => format!("!{key}"),
            _ => key.to_owned(),
        };
        list.push((key, shown));
    }
    list.arrange_by_key(|(key, _)| *key);
    let list: Vec<String> = list.into_iter().map(|(_, shown)| shown).collect();
    or_none(Some(&list.join(",")))
}

fn containers(object: &Value) -> (String, String) {
    container_names(items(object, &["spec", "template", "spec", "containers"]))
}

/// Names and images of containers.
pub fn container_names(list: &[Value]) -> (String, String) {
    let all = |key: &str| {
        list.iter()
            .map(|one| one.str_at(&[key]).unwrap_or(""))
            .collect::<Vec<_>>()
            .join(",")
    };
    (all("name"), all("image"))
}

fn three(list: Vec<String>) -> String {
    match list.len() {
        0 => "<unset>".to_owned(),
        1..=3 => list.join(","),
        more => format!("{} + {} more...", list[..3].join(","), more - 3),
    }
}

fn endpoints(object: &Value) -> String {
    let mut list = Vec::new();
    for subset in items(object, &["subsets"]) {
        for address in items(subset, &["addresses"]) {
            let ip = address.str_at(&["ip"]).unwrap_or("");
            let ports = items(subset, &["ports"]);
            if ports.is_empty() {
                list.push(ip.to_owned());
            }
            list.extend(
                ports
                    .iter()
                    .map(|port| format!("{ip}:{}", port.i64_at(&["port"]).unwrap_or(0))),
            );
        }
    }
    if list.is_empty() {
        "<none>".to_owned()
    } else {
        three(list)
    }
}

fn external_ip(object: &Value, wide: bool) -> String {
    let own: Vec<&str> = items(object, &["spec", "externalIPs"])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    match object.str_at(&["spec", "type"]) {
        Some("LoadBalancer") => {
            let joined = balancer_ingress(object, wide);
            let list: Vec<&str> = std::iter::once(joined.as_str())
                .filter(|text| !text.is_empty())
                .chain(own)
                .collect();
            if list.is_empty() {
                "<pending>".to_owned()
            } else {
                list.join(",")
            }
        }
        Some("ExternalName") => object
            .str_at(&["spec", "externalName"])
            .unwrap_or("")
            .to_owned(),
        _ => or_none(Some(&own.join(","))),
    }
}

/// Addresses of the load balancer; a long list is cut unless it is wide.
fn balancer_ingress(object: &Value, wide: bool) -> String {
    let given: Vec<&str> = items(object, &["status", "loadBalancer", "ingress"])
        .iter()
        .filter_map(|one| {
            let ip = one.str_at(&["ip"]).filter(|ip| !ip.is_empty());
            ip.or_else(|| one.str_at(&["hostname"]))
        })
        .collect();
    let joined = given.join(",");
    if joined.len() > 16 && !wide {
        return format!("{}...", joined.chars().take(13).collect::<String>());
    }
    joined
}

/// Hosts of an Ingress: the first three.
fn hosts(object: &Value) -> String {
    let rules = items(object, &["spec", "rules"]);
    let mut list: Vec<&str> = Vec::new();
    let mut more = false;
    for rule in rules {
        if list.len() == 3 {
            more = true;
            break;
        }
        list.extend(rule.str_at(&["host"]).filter(|host| !host.is_empty()));
    }
    if list.is_empty() {
        return "*".to_owned();
    }
    let shown = list.join(",");
    if more {
        format!("{shown} + {} more...", rules.len() - 3)
    } else {
        shown
    }
}

/// `true` or `false`, which it is when it is absent.
pub fn truth(object: &Value, path: &[&str]) -> String {
    object
        .path(path)
        .and_then(Value::as_bool)
        .unwrap_or(false)
        .to_string()
}

fn service_ports(object: &Value) -> String {
    let list: Vec<String> = items(object, &["spec", "ports"])
        .iter()
        .map(|port| {
            let node = port
                .i64_at(&["nodePort"])
                .filter(|port| *port > 0)
                .map_or_else(String::new, |port| format!(":{port}"));
            format!(
                "{}{node}/{}",
                port.i64_at(&["port"]).unwrap_or(0),
                port.str_at(&["protocol"]).unwrap_or("TCP")
            )
        })
        .collect();
    or_none(Some(&list.join(",")))
}

/// Roles of a node by its labels.
pub fn roles(object: &Value) -> String {
    let labels = object.path(&["metadata", "labels"]).and_then(Value::as_map);
    let mut list: Vec<&str> = labels
        .unwrap_or_default()
        .iter()
        .filter_map(
            |(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
                Some(role) => Some(role).filter(|role| !role.is_empty()),
                None => value.as_str().filter(|_| &**key == "kubernetes.io/role"),
            },
        )
        .collect();
    list.arrange();
    or_none(Some(&list.join(",")))
}

fn node(object: &Value, title: String, own_age: String) -> Vec<String> {
    let ready = items(object, &["status", "conditions"])
        .iter()
        .find(|one| one.str_at(&["type"]) == Some("Ready"));
    let mut status = match ready.map(|one| one.str_at(&["status"])) {
        Some(Some("True")) => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if object
        .path(&["spec", "unschedulable"])
        .and_then(Value::as_bool)
        == Some(true)
    {
        status.push_str(",SchedulingDisabled");
    }
    let address = |kind: &str| {
        or_none(
            items(object, &["status", "addresses"])
                .iter()
                .find(|one| one.str_at(&["type"]) == Some(kind))
                .and_then(|one| one.str_at(&["address"])),
        )
    };
    let info = |key: &str| {
        object
            .str_at(&["status", "nodeInfo", key])
            .filter(|text| !text.is_empty())
            .unwrap_or("<unknown>")
            .to_owned()
    };
    let mut kernel = info("kernelVersion");
    if let Some(architecture) = object.str_at(&["status", "nodeInfo", "architecture"])
        && kernel != "<unknown>"
        && !architecture.is_empty()
    {
        kernel = format!("{kernel} ({architecture})");
    }
    vec![
        title,
        status,
        roles(object),
        own_age,
        object
            .str_at(&["status", "nodeInfo", "kubeletVersion"])
            .unwrap_or("")
            .to_owned(),
        address("InternalIP"),
        address("ExternalIP"),
        info("osImage"),
        kernel,
        info("containerRuntimeVersion"),
    ]
}

/// Text of the first of these fields that is not empty.
pub fn first_text<'a>(object: &'a Value, paths: &[&[&str]]) -> Option<&'a str> {
    paths
        .iter()
        .filter_map(|path| object.str_at(path))
        .find(|text| !text.is_empty())
}

/// When an event was seen last, first, and how often.
pub fn event_times(object: &Value) -> (Option<&str>, Option<&str>, i64) {
    let first = first_text(object, &[&["firstTimestamp"], &["eventTime"]]);
    let last = first_text(object, &[&["lastTimestamp"]]).or(first);
    let count = object.i64_at(&["count"]).filter(|count| *count > 0);
    match object.get("series").filter(|series| !series.is_null()) {
        Some(series) => (
            series.str_at(&["lastObservedTime"]).or(last),
            first,
            series.i64_at(&["count"]).unwrap_or(1),
        ),
        None => (last, first, count.unwrap_or(1)),
    }
}

fn event(object: &Value, now: SimTime, title: String) -> Vec<String> {
    let text = |path: &[&str]| object.str_at(path).unwrap_or("").to_owned();
    let mut involved = text(&["involvedObject", "kind"]).to_lowercase();
    let name = text(&["involvedObject", "name"]);
    if !name.is_empty() {
        involved = format!("{involved}/{name}");
    }
    let component = first_text(
        object,
        &[
            &["source", "component"],
            &["reportingComponent"],
            &["reportingController"],
        ],
    );
    let host = first_text(object, &[&["source", "host"], &["reportingInstance"]]);
    let host = host.map_or_else(String::new, |host| format!(", {host}"));
    let (last, first, count) = event_times(object);
    vec![
        age(last, now),
        text(&["type"]),
        text(&["reason"]),
        involved,
        text(&["involvedObject", "fieldPath"]),
        format!("{}{host}", component.unwrap_or("")),
        text(&["message"]).trim().to_owned(),
        age(first, now),
        count.to_string(),
        title,
    ]
}
