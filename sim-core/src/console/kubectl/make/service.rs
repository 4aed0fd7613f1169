//! `kubectl create service`. Source: `k8s.io/kubectl/pkg/cmd/create/create_service.go`.

use crate::console::kubectl::Call;
use crate::console::kubectl::problem::Problem;
use crate::manifest::decode::kube::name;
use crate::manifest::value::Value;

use super::number;

/// A Service of one type.
///
/// # Errors
/// Without ports where there must be some; ports and names that are none.
pub fn service(call: &Call<'_>, kind: &str, name: &str) -> Result<Value, Problem> {
    let external = call.arguments.flag("external-name");
    if kind == "ExternalName" && external.is_none() {
        return Err(Problem::error("required flag(s) \"external-name\" not set"));
    }
    let ip = call.arguments.flag("clusterip").unwrap_or("");
    let pairs = call.arguments.all("tcp");
    if ip != "None" && pairs.is_empty() && kind != "ExternalName" {
        return Err(Problem::error(
            "at least one tcp port specifier must be provided",
        ));
    }
    let external = external.filter(|_| kind == "ExternalName");
    if let Some(external) = external.filter(|it| !name::subdomain(it).is_empty()) {
        return Err(Problem::error(format!(
            "invalid service external name {external}"
        )));
    }
    let node = number(call, "node-port")?.filter(|_| kind == "NodePort");
    let mut ports = Vec::new();
    for pair in &pairs {
        let (port, target) = ports_of(pair)?;
        let mut entry = Value::object([
            ("name", pair.replace(':', "-").into()),
            ("port", Value::Int(port)),
            ("protocol", "TCP".into()),
            ("targetPort", target),
        ]);
        if let Some(node) = node.filter(|node| *node != 0) {
            entry.set("nodePort", Value::Int(node));
        }
        ports.push(entry);
    }
    let labels = || Value::object([("app", name.into())]);
    let mut spec = Value::map();
    if !ip.is_empty() {
        spec.set("clusterIP", ip.into());
    }
    if let Some(external) = external {
        spec.set("externalName", external.into());
    }
    if !ports.is_empty() {
        spec.set("ports", Value::list(ports));
    }
    spec.set("selector", labels());
    spec.set("type", kind.into());
    Ok(Value::object([
        ("apiVersion", "v1".into()),
        ("kind", "Service".into()),
        (
            "metadata",
            Value::object([("labels", labels()), ("name", name.into())]),
        ),
        ("spec", spec),
    ]))
}

/// `port[:target]`.
fn ports_of(pair: &str) -> Result<(i64, Value), Problem> {
    let mut parts = pair.split(':');
    let first = parts.next().unwrap_or("");
    let port = first.parse::<u64>();
    let port = match port {
        Ok(port) if port <= 65_535 => i64::try_from(port).unwrap_or(0),
        Ok(_) => return Err(unread(first, "value out of range")),
        Err(_) => return Err(unread(first, "invalid syntax")),
    };
    let Some(target) = parts.next() else {
        return Ok((port, Value::Int(port)));
    };
    match target.parse::<i64>() {
        Ok(1..=65_535) => Ok((port, Value::Int(target.parse().unwrap_or(0)))),
        Ok(_) => Err(Problem::error("must be between 1 and 65535, inclusive")),
        Err(_) => match name::port_name(target) {
            faults if faults.is_empty() => Ok((port, target.into())),
            faults => Err(Problem::error(faults.join(","))),
        },
    }
}

fn unread(text: &str, why: &str) -> Problem {
    Problem::error(format!("strconv.ParseUint: parsing \"{text}\": {why}"))
}
