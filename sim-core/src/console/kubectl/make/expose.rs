//! `kubectl expose`. Sources: `k8s.io/kubectl/pkg/cmd/expose/expose.go`,
//! `pkg/polymorphichelpers/{mapbasedselectorforobject,portsforobject,multiprotocolsforobject}.go`.

use crate::console::kubectl::edit::as_given;
use crate::console::kubectl::pod_status::items;
use crate::console::kubectl::problem::Problem;
use crate::console::kubectl::{Call, kind_of, name_of, printers};
use crate::kube::apiserver::Request;
use crate::kube::kinds::Kind;
use crate::manifest::value::Value;

use super::run::overridden;
use super::zero;

/// Flags of `expose`.
pub const FLAGS: &[&str] = &[
    "port",
    "target-port",
    "name",
    "type",
    "protocol",
    "selector",
    "labels:l",
    "cluster-ip",
    "?dry-run",
    "output:o",
    "external-ip",
    "load-balancer-ip",
    "session-affinity",
    "filename:f",
    "!recursive:R",
    "kustomize:k",
    "overrides",
    "override-type",
    "field-manager",
    "!save-config",
];

/// Longest name of a Service (`DNS1035LabelMaxLength`).
const NAME_MAX: usize = 63;

/// `expose`.
///
/// # Errors
/// Kinds without pods, selectors and ports that cannot be found out.
pub fn expose(call: &mut Call<'_>) -> Result<(), Problem> {
    let (found, mut problems) = as_given(call, &call.arguments.words)?;
    for (kind, object) in found {
        problems.extend(one(call, kind, &object).err());
    }
    Problem::all(problems)
}

fn one(call: &mut Call<'_>, kind: &Kind, object: &Value) -> Result<(), Problem> {
    let service = overridden(call, service(call, kind, object)?, "Service")?;
    let made = if call.dry_client() {
        zero::filled(&service)
    } else {
        call.ask(Request::Create {
            object: service,
            namespace: call.namespace.as_str().into(),
        })?
        .object
    };
    printers::outcome(call, kind_of("services")?, &made, "exposed")
}

fn given<'a>(call: &'a Call<'_>, flag: &str) -> Option<&'a str> {
    call.arguments.flag(flag).filter(|text| !text.is_empty())
}

/// `a=b,c=d`.
fn labels(text: &str) -> Result<Value, Problem> {
    let mut map = Value::map();
    for pair in text.split(',') {
        let (key, value) = pair
            .split_once('=')
            .filter(|(key, value)| !key.is_empty() && !value.contains('='))
            .ok_or_else(|| Problem::error(format!("unexpected label spec: {pair}")))?;
        map.set(key, value.into());
    }
    Ok(map)
}

fn service(call: &Call<'_>, kind: &Kind, object: &Value) -> Result<Value, Problem> {
    let known = [
        "ReplicationController",
        "Service",
        "Pod",
        "Deployment",
        "ReplicaSet",
    ];
    if !known.contains(&kind.kind) || kind.custom {
        return Err(Problem::error(format!(
            "cannot expose a {}",
            kind.qualified()
        )));
    }
    let selector = match given(call, "selector") {
        Some(text) => labels(text)?,
        None => selected(kind, object).map_err(|why| {
            Problem::error(format!(
                "couldn't retrieve selectors via --selector flag or introspection: {why}"
            ))
        })?,
    };
    let offered = offered(kind, object);
    let wanted: Vec<String> = match given(call, "port") {
        Some(text) => text.split(',').map(str::to_owned).collect(),
        None => {
            let mut list: Vec<String> = Vec::new();
            for (port, _) in &offered {
                let port = port.to_string();
                if !list.contains(&port) {
                    list.push(port);
                }
            }
            list
        }
    };
    if wanted.is_empty() && given(call, "cluster-ip") != Some("None") {
        return Err(Problem::error(
            "couldn't find port via --port flag or introspection",
        ));
    }
    let ports = ports(call, &wanted, &offered)?;
    let own: String = name_of(object).chars().take(NAME_MAX).collect();
    let name = given(call, "name").unwrap_or(&own);
    let mut metadata = Value::object([("name", Value::from(name))]);
    match given(call, "labels") {
        Some(text) => metadata.set("labels", labels(text)?),
        None => {
            if let Some(labels) = object.path(&["metadata", "labels"]) {
                metadata.set("labels", labels.clone());
            }
        }
    }
    let mut spec = Value::object([("selector", selector)]);
    if !ports.is_empty() {
        spec.set("ports", Value::list(ports));
    }
    if let Some(address) = given(call, "external-ip") {
        spec.set("externalIPs", vec![Value::from(address)].into());
    }
    if let Some(word) = given(call, "type") {
        spec.set("type", word.into());
        if let Some(address) = given(call, "load-balancer-ip").filter(|_| word == "LoadBalancer") {
            spec.set("loadBalancerIP", address.into());
        }
    }
    match given(call, "session-affinity") {
        None => {}
        Some(word @ ("None" | "ClientIP")) => spec.set("sessionAffinity", word.into()),
        Some(word) => {
            return Err(Problem::error(format!("unknown session affinity: {word}")));
        }
    }
    if let Some(address) = given(call, "cluster-ip") {
        spec.set("clusterIP", address.into());
    }
    Ok(Value::object([
        ("apiVersion", "v1".into()),
        ("kind", "Service".into()),
        ("metadata", metadata),
        ("spec", spec),
    ]))
}

/// The labels that an object's pods are found by.
fn selected(kind: &Kind, object: &Value) -> Result<Value, String> {
    let map = |path: &[&str]| {
        let map = object
            .path(path)
            .filter(|map| map.as_map().is_some_and(|map| !map.is_empty()));
        map.cloned()
    };
    match kind.kind {
        "ReplicationController" => Ok(map(&["spec", "selector"]).unwrap_or_else(Value::map)),
        "Pod" => map(&["metadata", "labels"])
            .ok_or_else(|| "the pod has no labels and cannot be exposed".to_owned()),
        "Service" => map(&["spec", "selector"])
            .ok_or_else(|| "the service has no pod selector set".to_owned()),
        _ => {
            let expressions = items(object, &["spec", "selector", "matchExpressions"]);
            let labels = map(&["spec", "selector", "matchLabels"]).ok_or_else(|| {
                format!(
                    "invalid {}: no selectors, therefore cannot be exposed",
                    kind.kind.to_lowercase()
                )
            })?;
            if expressions.is_empty() {
                return Ok(labels);
            }
            let shown: Vec<String> = expressions.iter().map(expression).collect();
            Err(format!(
                "couldn't convert expressions - \"[{}]\" to map-based selector format",
                shown.join(" ")
            ))
        }
    }
}

/// As Go prints the structure.
fn expression(one: &Value) -> String {
    let text = |key: &str| one.str_at(&[key]).unwrap_or("");
    let values = items(one, &["values"]).iter().filter_map(Value::as_str);
    format!(
        "{{Key:{} Operator:{} Values:[{}]}}",
        text("key"),
        text("operator"),
        values.collect::<Vec<_>>().join(" ")
    )
}

/// Ports that an object tells, with their protocols, in its order.
fn offered(kind: &Kind, object: &Value) -> Vec<(i64, Vec<String>)> {
    let mut list: Vec<(i64, Vec<String>)> = Vec::new();
    let mut add = |port: &Value, field: &str| {
        let Some(number) = port.i64_at(&[field]) else {
            return;
        };
        let protocol = port.str_at(&["protocol"]).unwrap_or("TCP").to_owned();
        match list.iter_mut().find(|(known, _)| *known == number) {
            Some((_, protocols)) if protocols.contains(&protocol) => {}
            Some((_, protocols)) => protocols.push(protocol),
            None => list.push((number, vec![protocol])),
        }
    };
    if kind.kind == "Service" {
        for port in items(object, &["spec", "ports"]) {
            add(port, "port");
        }
        return list;
    }
    let base: &[&str] = if kind.kind == "Pod" {
        &["spec", "containers"]
    } else {
        &["spec", "template", "spec", "containers"]
    };
    for container in items(object, base) {
        for port in items(container, &["ports"]) {
            add(port, "containerPort");
        }
    }
    list
}

fn ports(
    call: &Call<'_>,
    wanted: &[String],
    offered: &[(i64, Vec<String>)],
) -> Result<Vec<Value>, Problem> {
    let protocol = given(call, "protocol");
    let target = given(call, "target-port").map(|text| {
        text.parse::<i64>()
            .map_or_else(|_| Value::from(text), Value::Int)
    });
    let entry = |name: Option<String>, port: i64, protocol: &str| {
        let mut entry = Value::map();
        if let Some(name) = name {
            entry.set("name", name.into());
        }
        entry.set("port", Value::Int(port));
        entry.set("protocol", protocol.into());
        entry.set("targetPort", target.clone().unwrap_or(Value::Int(port)));
        entry
    };
    let mut ports = Vec::new();
    for (index, text) in wanted.iter().enumerate() {
        let port: i64 = text.parse().map_err(|_| {
            Problem::error(format!("strconv.Atoi: parsing \"{text}\": invalid syntax"))
        })?;
        let name = (wanted.len() > 1).then(|| format!("port-{}", index + 1));
        let own = offered.iter().find(|(known, _)| *known == port);
        match (protocol, own) {
            (None, Some((_, several))) if several.len() > 1 => {
                for protocol in several {
                    let name = format!("port-{}-{}", index + 1, protocol.to_lowercase());
                    ports.push(entry(Some(name), port, protocol));
                }
            }
            (None, Some((_, one))) => ports.push(entry(name, port, &one[0])),
            (None, None) => ports.push(entry(name, port, "TCP")),
            (Some(protocol), _) => ports.push(entry(name, port, protocol)),
        }
    }
    Ok(ports)
}
