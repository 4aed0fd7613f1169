//! EndpointSlices and Endpoints of a Service as objects.

use std::sync::Arc;

use crate::api::kube::container::Protocol;
use crate::api::kube::service::{PortTarget, ServicePort};
use crate::base::arrange::Arrange;
use crate::kube::proxy::target as number;
use crate::kube::rows::service::{Endpoint, ServiceRow};
use crate::kube::rows::{ServiceId, read};
use crate::kube::selector::label;
use crate::kube::store::document::DocumentKey;
use crate::manifest::value::Value;

use super::{View, address, object, pod_uid, text_or_null, time, time_text, uid, uid_text};

/// Endpoints of one slice. Source: `pkg/controller/endpointslice/config/v1alpha1/defaults.go`.
const SLICE_MAX: usize = 100;

/// A protocol's word.
pub const fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "TCP",
        Protocol::Udp => "UDP",
        Protocol::Sctp => "SCTP",
    }
}

/// Ports of a Service, by place, with the numbers that they have at an endpoint; those that it does not
/// have are left out.
type Ports = Vec<(usize, u16)>;

/// Endpoints by their ports: those that give a name another number are told apart.
fn groups<'a>(view: &View<'_>, row: &'a ServiceRow) -> Vec<(Ports, Vec<&'a Endpoint>)> {
    let mut groups: Vec<(Ports, Vec<&Endpoint>)> = Vec::new();
    for endpoint in row.endpoints.values() {
        let numbers = row.ports.iter().enumerate();
        let ports: Ports = numbers
            .filter_map(|(place, port)| Some((place, number(endpoint, port, view.store)?)))
            .collect();
        match groups.iter_mut().find(|(known, _)| *known == ports) {
            Some((_, list)) => list.push(endpoint),
            None => groups.push((ports, vec![endpoint])),
        }
    }
    groups
}

fn ports(view: &View<'_>, row: &ServiceRow, ports: &Ports, name: fn(&Arc<str>) -> Value) -> Value {
    let written = document(view, row).map_or(&[][..], |it| read::list(it, &["spec", "ports"]));
    let list = ports.iter().filter_map(|(place, number)| {
        let port = row.ports.get(*place)?;
        let protocols = written.get(*place).and_then(|it| it.get("appProtocol"));
        Some(object([
            ("appProtocol", protocols.cloned().unwrap_or_default()),
            ("name", name(&port.name)),
            ("port", Value::Int((*number).into())),
            ("protocol", protocol(port.protocol).into()),
        ]))
    });
    Value::list(list.collect())
}

fn document<'a>(view: &View<'a>, row: &ServiceRow) -> Option<&'a Value> {
    let key = DocumentKey {
        resource: "services".into(),
        namespace: view.symbols.text(row.namespace).into(),
        name: view.symbols.text(row.name).into(),
    };
    view.store.documents().get(&key).map(|it| &it.value)
}

/// A Service's labels, for what controllers write for it.
fn labels(view: &View<'_>, row: &ServiceRow) -> Value {
    let own = document(view, row).and_then(|it| it.path(&["metadata", "labels"]));
    let mut labels = own.cloned().unwrap_or_else(Value::map);
    // The controllers' own label, whatever the Service says.
    let headless = "service.kubernetes.io/headless";
    if row.cluster_ip == 0 {
        labels.set(headless, "".into());
    } else {
        labels.remove(headless);
    }
    labels
}

/// When that had changed which was written last, if anything that has a time had.
fn triggered(at_s: Option<i64>) -> Value {
    at_s.map_or(Value::Null, |at_s| {
        let key = "endpoints.kubernetes.io/last-change-trigger-time";
        Value::object([(key, Value::from(time_text(at_s)))])
    })
}

/// The name that a pod has in the Service that it calls its subdomain.
fn hostname(view: &View<'_>, row: &ServiceRow, endpoint: &Endpoint) -> Value {
    let Some(pod) = view.store.pod(endpoint.pod) else {
        return Value::Null;
    };
    let document = &view.store.template(pod.template).document;
    let same = document.str_at(&["spec", "subdomain"]) == Some(view.symbols.text(row.name));
    let name = document.path(&["spec", "hostname"]).filter(|_| same);
    name.cloned().unwrap_or_default()
}

fn target(view: &View<'_>, endpoint: &Endpoint) -> (Value, Value) {
    let Some(pod) = view.store.pod(endpoint.pod) else {
        return (Value::Null, Value::Null);
    };
    let namespace = view.namespace(pod.template);
    let name = pod.name.text(view.symbols);
    let uid = pod_uid(endpoint.pod, view.store, view.symbols);
    let uid = uid.map_or(Value::Null, Value::String);
    let reference = object([
        ("kind", "Pod".into()),
        ("name", name.into()),
        ("namespace", namespace.into()),
        ("uid", uid),
    ]);
    let node = pod
        .node
        .and_then(|node| view.store.node_place(node))
        .map_or(Value::Null, |(node, _)| view.symbols.text(node).into());
    (reference, node)
}

/// The slices of a Service, at most a hundred endpoints each.
pub fn slices(view: &View<'_>, id: ServiceId) -> Vec<Value> {
    let Some(row) = view.store.service(id) else {
        return Vec::new();
    };
    let Some(written) = row.slices_written else {
        return Vec::new();
    };
    let (namespace, service) = (
        view.symbols.text(row.namespace),
        view.symbols.text(row.name),
    );
    let groups = groups(view, row);
    let is_named = |port: &ServicePort| matches!(port.target_port, PortTarget::Name(_));
    let tell_apart = row.ports.iter().any(is_named);
    let mut chunks: Vec<(String, Option<&Ports>, &[&Endpoint])> = groups
        .iter()
        .flat_map(|(ports, list)| {
            let chunks = list.chunks(SLICE_MAX).enumerate();
            chunks.map(move |(index, chunk)| {
                // A slice keeps its name as long as there are endpoints with its ports.
                let mark = if tell_apart {
                    format!("{ports:?}{index}")
                } else {
                    index.to_string()
                };
                (mark, Some(ports), chunk)
            })
        })
        .collect();
    if chunks.is_empty() {
        chunks.push(("0".to_owned(), None, &[]));
    }
    let render = |(mark, known, chunk): &(String, Option<&Ports>, &[&Endpoint])| {
        let suffix = crate::base::rng::stable_hash_parts(&[namespace, service, mark]);
        let suffix = crate::base::name::Suffix::Letters(
            (suffix % u64::from(crate::base::name::SUFFIX_COUNT)) as u32,
        );
        let name = crate::base::name::Name {
            prefix: row.name,
            suffix,
        }
        .text(view.symbols);
        let owner = super::pod::owner_reference(
            view,
            "v1",
            "Service",
            "services",
            namespace,
            service,
            row.created.as_micros(),
        );
        let mut labels = labels(view, row);
        labels.set(
            "endpointslice.kubernetes.io/managed-by",
            "endpointslice-controller.k8s.io".into(),
        );
        labels.set("kubernetes.io/service-name", service.into());
        let metadata = object([
            ("annotations", triggered(row.triggers[0])),
            ("creationTimestamp", time(written)),
            ("generateName", format!("{service}-").into()),
            ("generation", row.slice_generation.into()),
            ("labels", labels),
            ("name", name.as_str().into()),
            ("namespace", namespace.into()),
            ("ownerReferences", Value::list(vec![owner])),
            ("resourceVersion", row.revision.to_string().into()),
            (
                "uid",
                uid_text(uid(
                    view.seed,
                    "endpointslices",
                    namespace,
                    &name,
                    written.as_micros(),
                ))
                .into(),
            ),
        ]);
        // Empty lists are stored as nothing.
        let list = chunk.iter().map(|found| endpoint(view, row, found));
        let list = known.map_or(Value::Null, |_| Value::list(list.collect()));
        let plain = |name: &Arc<str>| Value::String(name.clone());
        Value::object([
            ("addressType", Value::from("IPv4")),
            ("apiVersion", "discovery.k8s.io/v1".into()),
            ("endpoints", list),
            ("kind", "EndpointSlice".into()),
            ("metadata", metadata),
            (
                "ports",
                known
                    .filter(|known| !known.is_empty())
                    .map_or(Value::Null, |known| ports(view, row, known, plain)),
            ),
        ])
    };
    chunks.iter().map(render).collect()
}

fn endpoint(view: &View<'_>, row: &ServiceRow, endpoint: &Endpoint) -> Value {
    let (reference, node) = target(view, endpoint);
    let place = view.store.pod(endpoint.pod).and_then(|pod| pod.node);
    let place = place.and_then(|node| view.store.node(node));
    let zone = place.and_then(|node| label(&node.labels, "topology.kubernetes.io/zone"));
    let conditions = object([
        ("ready", endpoint.ready.into()),
        ("serving", endpoint.serving.into()),
        ("terminating", endpoint.terminating.into()),
    ]);
    object([
        ("addresses", Value::list(vec![address(endpoint.ip).into()])),
        ("conditions", conditions),
        ("hostname", hostname(view, row, endpoint)),
        ("nodeName", node),
        ("targetRef", reference),
        (
            "zone",
            zone.map_or(Value::Null, |zone| Value::String(zone.clone())),
        ),
    ])
}

/// Most addresses of an Endpoints object.
/// Source: `pkg/controller/endpoint/endpoints_controller.go` (`maxCapacity`).
const CAPACITY: usize = 1_000;

/// How many addresses that are ready, or that are not, an Endpoints object has room for.
struct Room {
    /// How many there are.
    all: usize,
    /// How many it may have.
    places: usize,
    /// How many it has.
    taken: usize,
}

impl Room {
    fn of(groups: &[(Ports, Vec<&Endpoint>)], ready: bool) -> Self {
        let all = groups
            .iter()
            .map(|(_, list)| of_ready(list, ready).len())
            .sum();
        Self {
            all,
            places: CAPACITY,
            taken: 0,
        }
    }

    /// How many of a subset's are taken: its part of all, rounded up.
    /// Source: as above (`truncateEndpoints`).
    fn take(&mut self, count: usize) -> usize {
        if self.all <= self.places {
            return count;
        }
        let part = (count * self.places).div_ceil(self.all);
        let part = part.min(self.places - self.taken).min(count);
        self.taken += part;
        part
    }
}

/// Those of a subset that are ready, or those that are not, by address.
fn of_ready<'a>(endpoints: &[&'a Endpoint], ready: bool) -> Vec<&'a Endpoint> {
    let chosen = endpoints.iter().copied();
    let mut chosen: Vec<&Endpoint> = chosen
        .filter(|endpoint| endpoint.in_endpoints() == Some(ready))
        .collect();
    chosen.arrange_by_key(|endpoint| endpoint.ip);
    chosen
}

/// The older Endpoints object of a Service.
pub fn endpoints(view: &View<'_>, id: ServiceId) -> Vec<Value> {
    let Some(row) = view.store.service(id) else {
        return Vec::new();
    };
    let Some(written) = row.slices_written else {
        return Vec::new();
    };
    let (namespace, service) = (
        view.symbols.text(row.namespace),
        view.symbols.text(row.name),
    );
    let groups: Vec<(Ports, Vec<&Endpoint>)> = groups(view, row)
        .into_iter()
        .filter(|(known, _)| !known.is_empty() || row.ports.is_empty())
        .collect();
    let mut room = [true, false].map(|ready| Room::of(&groups, ready));
    let is_full = room[0].all + room[1].all > CAPACITY;
    room[1].places = CAPACITY.saturating_sub(room[0].all);
    let mut list = |endpoints: &[&Endpoint], ready: bool| {
        let chosen = of_ready(endpoints, ready);
        let fits = room[usize::from(!ready)].take(chosen.len());
        let addresses: Vec<Value> = chosen
            .into_iter()
            .take(fits)
            .map(|endpoint| {
                let (reference, node) = target(view, endpoint);
                object([
                    ("hostname", hostname(view, row, endpoint)),
                    ("ip", address(endpoint.ip).into()),
                    ("nodeName", node),
                    ("targetRef", reference),
                ])
            })
            .collect();
        if addresses.is_empty() {
            Value::Null
        } else {
            Value::list(addresses)
        }
    };
    let subsets: Vec<Value> = groups
        .iter()
        .map(|(known, endpoints)| {
            let ports = ports(view, row, known, |name| text_or_null(name));
            object([
                ("addresses", list(endpoints, true)),
                ("notReadyAddresses", list(endpoints, false)),
                ("ports", if known.is_empty() { Value::Null } else { ports }),
            ])
        })
        .filter(|subset| {
            subset.get("addresses").is_some() || subset.get("notReadyAddresses").is_some()
        })
        .collect();
    let subsets = if subsets.is_empty() {
        Value::Null
    } else {
        Value::list(subsets)
    };
    let mut labels = labels(view, row);
    labels.set(
        "endpoints.kubernetes.io/managed-by",
        "endpoint-controller".into(),
    );
    let mut annotations = triggered(row.triggers[1]);
    if is_full {
        if annotations.is_null() {
            annotations = Value::map();
        }
        annotations.set("endpoints.kubernetes.io/over-capacity", "truncated".into());
    }
    let metadata = object([
        ("annotations", annotations),
        ("creationTimestamp", time(written)),
        ("labels", labels),
        ("name", service.into()),
        ("namespace", namespace.into()),
        ("resourceVersion", row.revision.to_string().into()),
        (
            "uid",
            uid_text(uid(
                view.seed,
                "endpoints",
                namespace,
                service,
                written.as_micros(),
            ))
            .into(),
        ),
    ]);
    vec![object([
        ("apiVersion", "v1".into()),
        ("kind", "Endpoints".into()),
        ("metadata", metadata),
        ("subsets", subsets),
    ])]
}
