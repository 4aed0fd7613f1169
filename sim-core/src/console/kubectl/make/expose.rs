//! `kubectl expose`. Source: `k8s.io/kubectl/pkg/cmd/expose`.

use crate::console::kubectl::pod_status::items;
use crate::console::kubectl::problem::Problem;
use crate::console::kubectl::{Call, kind_of, name_of, printers};
use crate::kube::apiserver::Request;
use crate::manifest::value::Value;

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
    "session-affinity",
];

/// `expose`.
///
/// # Errors
/// Kinds without pods, ports that cannot be found out.
pub fn expose(call: &mut Call<'_>) -> Result<(), Problem> {
    for (kind, object) in call.chosen(&call.arguments.words)? {
        let selector = match (call.arguments.flag("selector"), kind.kind) {
            (Some(text), _) => Value::object(
                text.split(',')
                    .filter_map(|pair| pair.split_once('='))
                    .map(|(key, value)| (key, Value::from(value))),
            ),
            (None, "Deployment" | "ReplicaSet") => object
                .path(&["spec", "selector", "matchLabels"])
                .cloned()
                .unwrap_or_default(),
            (None, "Service" | "ReplicationController") => object
                .path(&["spec", "selector"])
                .cloned()
                .unwrap_or_default(),
            (None, "Pod") => object
                .path(&["metadata", "labels"])
                .cloned()
                .unwrap_or_default(),
            _ => {
                return Err(Problem::error(&format!(
                    "cannot expose a {}",
                    kind.qualified()
                )));
            }
        };
        let base: &[&str] = if kind.kind == "Pod" {
            &["spec", "containers"]
        } else {
            &["spec", "template", "spec", "containers"]
        };
        let own = || {
            items(&object, base)
                .iter()
                .flat_map(|container| items(container, &["ports"]))
                .filter_map(|port| port.i64_at(&["containerPort"]))
        };
        let listed = match call.arguments.flag("port") {
            Some(_) => call
                .arguments
                .all("port")
                .iter()
                .map(|text| {
                    text.parse().map_err(|_| {
                        Problem::error(&format!("strconv.Atoi: parsing \"{text}\": invalid syntax"))
                    })
                })
                .collect::<Result<Vec<i64>, Problem>>()?,
            None if kind.kind == "Service" => items(&object, &["spec", "ports"])
                .iter()
                .filter_map(|port| port.i64_at(&["port"]))
                .collect(),
            None => own().collect(),
        };
        if listed.is_empty() {
            return Err(Problem::error(
                "couldn't find port via --port flag or introspection\nSee 'kubectl expose -h' for help and examples",
            ));
        }
        let target = call.arguments.flag("target-port").map(|text| {
            text.parse::<i64>()
                .map_or_else(|_| Value::from(text), Value::Int)
        });
        let protocol = call.arguments.flag("protocol").unwrap_or("TCP");
        let many = listed.len() > 1;
        let ports = listed.iter().enumerate().map(|(index, port)| {
            let mut entry = Value::object([
                ("port", Value::Int(*port)),
                ("protocol", protocol.into()),
                ("targetPort", target.clone().unwrap_or(Value::Int(*port))),
            ]);
            if many {
                entry.set("name", format!("port-{}", index + 1).into());
            }
            entry
        });
        let mut spec = Value::object([
            ("ports", Value::list(ports.collect())),
            ("selector", selector),
        ]);
        if let Some(kind) = call.arguments.flag("type") {
            spec.set("type", kind.into());
        }
        if let Some(ip) = call.arguments.flag("cluster-ip") {
            spec.set("clusterIP", ip.into());
        }
        let name = call
            .arguments
            .flag("name")
            .unwrap_or(name_of(&object))
            .to_owned();
        let mut metadata = Value::object([("name", Value::from(name.as_str()))]);
        if let Some(labels) = object.path(&["metadata", "labels"]) {
            metadata.set("labels", labels.clone());
        }
        let service = Value::object([
            ("apiVersion", "v1".into()),
            ("kind", "Service".into()),
            ("metadata", metadata),
            ("spec", spec),
        ]);
        let made = if call.dry_client() {
            zero::filled(&service)
        } else {
            call.ask(Request::Create {
                object: service,
                namespace: call.namespace.as_str().into(),
            })?
            .object
        };
        printers::outcome(call, kind_of("services")?, &made, "exposed")?;
    }
    Ok(())
}
