//! Columns of `kubectl get`. Source: `pkg/printers/internalversion/printers.go`.

use crate::base::time::SimTime;
use crate::kube::kinds::Kind;
use crate::manifest::value::Value;

use super::clock::{age, age_of};
use super::pod_status::{condition, items, pod_status};

/// A column: its header, and whether only `-o wide` shows it.
pub type Column = (&'static str, bool);

const NAME_AGE: &[Column] = &[("NAME", false), ("AGE", false)];

/// Columns of a kind.
pub fn columns(kind: &Kind) -> &'static [Column] {
    match kind.kind {
        "Pod" => &[
            ("NAME", false),
            ("READY", false),
            ("STATUS", false),
            ("RESTARTS", false),
            ("AGE", false),
            ("IP", true),
            ("NODE", true),
            ("NOMINATED NODE", true),
            ("READINESS GATES", true),
        ],
        "Deployment" => &[
            ("NAME", false),
            ("READY", false),
            ("UP-TO-DATE", false),
            ("AVAILABLE", false),
            ("AGE", false),
            ("CONTAINERS", true),
            ("IMAGES", true),
            ("SELECTOR", true),
        ],
        "ReplicaSet" | "ReplicationController" => &[
            ("NAME", false),
            ("DESIRED", false),
            ("CURRENT", false),
            ("READY", false),
            ("AGE", false),
            ("CONTAINERS", true),
            ("IMAGES", true),
            ("SELECTOR", true),
        ],
        "Service" => &[
            ("NAME", false),
            ("TYPE", false),
            ("CLUSTER-IP", false),
            ("EXTERNAL-IP", false),
            ("PORT(S)", false),
            ("AGE", false),
            ("SELECTOR", true),
        ],
        "Node" => &[
            ("NAME", false),
            ("STATUS", false),
            ("ROLES", false),
            ("AGE", false),
            ("VERSION", false),
            ("INTERNAL-IP", true),
            ("EXTERNAL-IP", true),
            ("OS-IMAGE", true),
            ("KERNEL-VERSION", true),
            ("CONTAINER-RUNTIME", true),
        ],
        "Event" => &[
            ("LAST SEEN", false),
            ("TYPE", false),
            ("REASON", false),
            ("OBJECT", false),
            ("SUBOBJECT", true),
            ("SOURCE", true),
            ("MESSAGE", false),
            ("FIRST SEEN", true),
            ("COUNT", true),
            ("NAME", true),
        ],
        "Namespace" => &[("NAME", false), ("STATUS", false), ("AGE", false)],
        "EndpointSlice" => &[
            ("NAME", false),
            ("ADDRESSTYPE", false),
            ("PORTS", false),
            ("ENDPOINTS", false),
            ("AGE", false),
        ],
        "Endpoints" => &[("NAME", false), ("ENDPOINTS", false), ("AGE", false)],
        "ConfigMap" => &[("NAME", false), ("DATA", false), ("AGE", false)],
        "Secret" => &[
            ("NAME", false),
            ("TYPE", false),
            ("DATA", false),
            ("AGE", false),
        ],
        "Lease" => &[("NAME", false), ("HOLDER", false), ("AGE", false)],
        "PriorityClass" => &[
            ("NAME", false),
            ("VALUE", false),
            ("GLOBAL-DEFAULT", false),
            ("AGE", false),
            ("PREEMPTIONPOLICY", false),
        ],
        "CustomResourceDefinition" => &[("NAME", false), ("CREATED AT", false)],
        _ => NAME_AGE,
    }
}

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
        "Event" => event(object, now, title),
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
        "Secret" => vec![
            title,
            text(&["type"]),
            (count("data") + count("stringData")).to_string(),
            own_age,
        ],
        "Lease" => vec![title, text(&["spec", "holderIdentity"]), own_age],
        "PriorityClass" => vec![
            title,
            number(&["value"]),
            object
                .get("globalDefault")
                .and_then(Value::as_bool)
                .unwrap_or(false)
                .to_string(),
            own_age,
            object
                .str_at(&["preemptionPolicy"])
                .unwrap_or("PreemptLowerPriority")
                .to_owned(),
        ],
        "CustomResourceDefinition" => vec![title, text(&["metadata", "creationTimestamp"])],
        _ => vec![title, own_age],
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
        .into_iter()
        .flat_map(|map| map.sorted())
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
    let mut list: Vec<String> = selector
        .get("matchLabels")
        .and_then(Value::as_map)
        .into_iter()
        .flat_map(|map| map.sorted())
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or("")))
        .collect();
    for one in expressions {
        let key = one.str_at(&["key"]).unwrap_or("");
        let values: Vec<&str> = items(one, &["values"])
            .iter()
            .filter_map(Value::as_str)
            .collect();
        list.push(match one.str_at(&["operator"]) {
            Some("In") => format!("{key} in ({})", values.join(",")),
            Some("NotIn") => format!("{key} notin ({})", values.join(",")),
            Some("DoesNotExist") => format!("!{key}"),
            _ => key.to_owned(),
        });
    }
    or_none(Some(&list.join(",")))
}

fn containers(object: &Value) -> (String, String) {
    let list = items(object, &["spec", "template", "spec", "containers"]);
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
            let given: Vec<&str> = items(object, &["status", "loadBalancer", "ingress"])
                .iter()
                .filter_map(|one| one.str_at(&["ip"]).or_else(|| one.str_at(&["hostname"])))
                .collect();
            let mut joined = given.join(",");
            if joined.len() > 16 && !wide {
                joined = format!("{}...", joined.chars().take(13).collect::<String>());
            }
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
        .into_iter()
        .flat_map(|map| map.iter())
        .filter_map(
            |(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
                Some(role) => Some(role).filter(|role| !role.is_empty()),
                None => value.as_str().filter(|_| &**key == "kubernetes.io/role"),
            },
        )
        .collect();
    list.sort_unstable();
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
    let kernel = format!("{} ({})", info("kernelVersion"), info("architecture"));
    vec![
        title,
        status,
        roles(object),
        own_age,
        info("kubeletVersion"),
        address("InternalIP"),
        address("ExternalIP"),
        info("osImage"),
        kernel,
        info("containerRuntimeVersion"),
    ]
}

fn event(object: &Value, now: SimTime, title: String) -> Vec<String> {
    let text = |path: &[&str]| object.str_at(path).unwrap_or("").to_owned();
    let involved = format!(
        "{}/{}",
        text(&["involvedObject", "kind"]).to_lowercase(),
        text(&["involvedObject", "name"])
    );
    let host = object
        .str_at(&["source", "host"])
        .map_or_else(String::new, |host| format!(", {host}"));
    vec![
        age(object.str_at(&["lastTimestamp"]), now),
        text(&["type"]),
        text(&["reason"]),
        involved,
        text(&["involvedObject", "fieldPath"]),
        format!("{}{host}", text(&["source", "component"])),
        text(&["message"]).trim().to_owned(),
        age(object.str_at(&["firstTimestamp"]), now),
        object.i64_at(&["count"]).unwrap_or(1).to_string(),
        title,
    ]
}
