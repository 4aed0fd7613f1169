//! EndpointSlices and Endpoints of a Service as objects.

use crate::api::kube::container::Protocol;
use crate::api::kube::service::{PortTarget, ServicePort};
use crate::kube::rows::ServiceId;
use crate::kube::rows::service::{Endpoint, ServiceRow};
use crate::manifest::value::Value;

use super::{View, address, object, text_or_null, time, uid, uid_text};

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

/// The number behind a service's port, as the first endpoint resolves it.
fn port_number(view: &View<'_>, row: &ServiceRow, port: &ServicePort) -> Value {
    match &port.target_port {
        PortTarget::Number(number) => Value::Int((*number).into()),
        PortTarget::Name(name) => {
            let first = row
                .endpoints
                .values()
                .next()
                .and_then(|endpoint| view.store.pod(endpoint.pod));
            let Some(pod) = first else { return Value::Null };
            let spec = &view.store.template(pod.template).spec;
            let mut ports = spec
                .containers
                .iter()
                .flat_map(|container| &container.ports);
            ports
                .find(|declared| declared.name == *name)
                .map_or(Value::Null, |declared| {
                    Value::Int(declared.container_port.into())
                })
        }
    }
}

fn ports(view: &View<'_>, row: &ServiceRow) -> Value {
    let list = row.ports.iter().map(|port| {
        object([
            ("name", Value::String(port.name.clone())),
            ("port", port_number(view, row, port)),
            ("protocol", protocol(port.protocol).into()),
        ])
    });
    Value::list(list.collect())
}

fn target(view: &View<'_>, endpoint: &Endpoint) -> (Value, Value) {
    let Some(pod) = view.store.pod(endpoint.pod) else {
        return (Value::Null, Value::Null);
    };
    let namespace = view.namespace(pod.template);
    let name = pod.name.text(view.symbols);
    let uid = uid_text(uid(
        view.seed,
        "pods",
        namespace,
        &name,
        u64::from(pod.created_s),
    ));
    let reference = object([
        ("kind", "Pod".into()),
        ("name", name.into()),
        ("namespace", namespace.into()),
        ("uid", uid.into()),
    ]);
    let node = pod
        .node
        .and_then(|node| view.store.node(node))
        .map_or(Value::Null, |node| view.symbols.text(node.name).into());
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
    let endpoints: Vec<&Endpoint> = row.endpoints.values().collect();
    let mut chunks: Vec<&[&Endpoint]> = endpoints.chunks(SLICE_MAX).collect();
    if chunks.is_empty() {
        chunks.push(&[]);
    }
    let render = |(index, chunk): (usize, &&[&Endpoint])| {
        let suffix = crate::base::rng::stable_hash_parts(&[namespace, service, &index.to_string()]);
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
        let labels = object([
            (
                "endpointslice.kubernetes.io/managed-by",
                "endpointslice-controller.k8s.io".into(),
            ),
            ("kubernetes.io/service-name", service.into()),
        ]);
        let metadata = object([
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
        object([
            ("addressType", "IPv4".into()),
            ("apiVersion", "discovery.k8s.io/v1".into()),
            (
                "endpoints",
                Value::list(chunk.iter().map(|found| endpoint(view, found)).collect()),
            ),
            ("kind", "EndpointSlice".into()),
            ("metadata", metadata),
            ("ports", ports(view, row)),
        ])
    };
    chunks.iter().enumerate().map(render).collect()
}

fn endpoint(view: &View<'_>, endpoint: &Endpoint) -> Value {
    let (reference, node) = target(view, endpoint);
    let conditions = object([
        ("ready", endpoint.ready.into()),
        ("serving", endpoint.serving.into()),
        ("terminating", endpoint.terminating.into()),
    ]);
    object([
        ("addresses", Value::list(vec![address(endpoint.ip).into()])),
        ("conditions", conditions),
        ("nodeName", node),
        ("targetRef", reference),
    ])
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
    let list = |ready: bool| {
        let chosen = row
            .endpoints
            .values()
            .filter(|endpoint| endpoint.ready == ready && (ready || !endpoint.terminating));
        let addresses: Vec<Value> = chosen
            .map(|endpoint| {
                let (reference, node) = target(view, endpoint);
                object([
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
    let (ready, rest) = (list(true), list(false));
    let subsets = if ready.is_null() && rest.is_null() {
        Value::Null
    } else {
        let port_list = row.ports.iter().map(|port| {
            object([
                ("name", text_or_null(&port.name)),
                ("port", port_number(view, row, port)),
                ("protocol", protocol(port.protocol).into()),
            ])
        });
        Value::list(vec![object([
            ("addresses", ready),
            ("notReadyAddresses", rest),
            ("ports", Value::list(port_list.collect())),
        ])])
    };
    let metadata = object([
        ("creationTimestamp", time(written)),
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
