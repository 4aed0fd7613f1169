//! The API server's own Service: `kubernetes` in `default`, at the first address of the range, with
//! the control machines that serve behind it.
//!
//! Owns the three objects and when they are written again. The loop looks every ten seconds; a look
//! that would change nothing costs no event. It makes a Service that is gone, and leaves one that was
//! changed as it is; addresses and ports are put right. A machine that stops serving stays among the
//! addresses until its lease has run out.
//! Sources: `pkg/controlplane/controller/kubernetesservice/controller.go`,
//! `pkg/controlplane/reconcilers/lease.go`, `endpointsadapter.go`.

use crate::base::arrange::Arrange;
use crate::base::time::{SimDuration, SimTime};
use crate::kube::render::{address, object};
use crate::kube::store::Store;
use crate::kube::store::document::{Document, DocumentKey};
use crate::kube::turn::Turn;
use crate::manifest::value::Value;
use crate::substrate::Substrate;
use crate::substrate::order::MachineId;

use super::service::RANGE_BASE;

/// Time between two looks. Source: `pkg/controlplane/instance.go` (`DefaultEndpointReconcilerInterval`).
const INTERVAL: SimDuration = SimDuration::from_secs(10);
/// Time for which a server that has gone silent stays among the addresses.
/// Source: `pkg/controlplane/instance.go` (`DefaultEndpointReconcilerTTL`).
pub const LEASE: SimDuration = SimDuration::from_secs(15);
/// The API server's port.
pub const PORT: i64 = 6443;
/// Address of a control plane that is not part of the experiment: the machines' gateway.
const ELSEWHERE: u32 = 0xc0a8_0001;

const SERVICES: &str = "services";
const ENDPOINTS: &str = "endpoints";
const SLICES: &str = "endpointslices.discovery.k8s.io";

fn key(resource: &str) -> DocumentKey {
    DocumentKey {
        resource: resource.into(),
        namespace: "default".into(),
        name: "kubernetes".into(),
    }
}

fn shell(api_version: &'static str, kind: &'static str, labels: Value) -> Value {
    let metadata = object([
        ("labels", labels),
        ("name", "kubernetes".into()),
        ("namespace", "default".into()),
    ]);
    object([
        ("apiVersion", api_version.into()),
        ("kind", kind.into()),
        ("metadata", metadata),
    ])
}

fn port(name: &'static str, number: i64) -> Value {
    object([
        (name, Value::Int(number)),
        ("name", "https".into()),
        ("protocol", "TCP".into()),
    ])
}

fn service() -> Value {
    let own = address(RANGE_BASE + 1);
    let labels = object([
        ("component", "apiserver".into()),
        ("provider", "kubernetes".into()),
    ]);
    let mut port = port("port", 443);
    port.set("targetPort", PORT.into());
    let mut value = shell("v1", "Service", labels);
    let spec = object([
        ("clusterIP", own.as_str().into()),
        ("clusterIPs", Value::list(vec![own.into()])),
        ("internalTrafficPolicy", "Cluster".into()),
        ("ipFamilies", Value::list(vec!["IPv4".into()])),
        ("ipFamilyPolicy", "SingleStack".into()),
        ("ports", Value::list(vec![port])),
        ("sessionAffinity", "None".into()),
        ("type", "ClusterIP".into()),
    ]);
    value.set("spec", spec);
    value.set("status", object([("loadBalancer", Value::map())]));
    value
}

fn endpoints(addresses: &[String]) -> Value {
    let labels = object([("endpointslice.kubernetes.io/skip-mirror", "true".into())]);
    let mut value = shell("v1", "Endpoints", labels);
    let one = |ip: &String| object([("ip", ip.as_str().into())]);
    let subset = object([
        (
            "addresses",
            Value::list(addresses.iter().map(one).collect()),
        ),
        ("ports", Value::list(vec![port("port", PORT)])),
    ]);
    value.set("subsets", Value::list(vec![subset]));
    value
}

fn slice(addresses: &[String]) -> Value {
    let labels = object([("kubernetes.io/service-name", "kubernetes".into())]);
    let mut value = shell("discovery.k8s.io/v1", "EndpointSlice", labels);
    let one = |ip: &String| {
        object([
            ("addresses", Value::list(vec![ip.as_str().into()])),
            ("conditions", object([("ready", true.into())])),
        ])
    };
    value.set("addressType", "IPv4".into());
    let list = addresses.iter().map(one).collect();
    value.set("endpoints", Value::list(list));
    value.set("ports", Value::list(vec![port("port", PORT)]));
    value
}

/// What belongs behind the Service now.
fn addresses(serves: impl Fn(MachineId) -> bool, machines: &Substrate) -> Vec<String> {
    let all = machines.control_machines();
    if all.is_empty() {
        return vec![address(ELSEWHERE)];
    }
    let mut found: Vec<u32> = all
        .iter()
        .filter(|machine| serves(**machine))
        .filter_map(|machine| Some(machines.machine(*machine)?.address))
        .collect();
    found.arrange();
    found.into_iter().map(address).collect()
}

/// What differs from what should be there: the objects to write.
fn wanted(
    serves: impl Fn(MachineId) -> bool,
    store: &Store,
    machines: &Substrate,
) -> Vec<(DocumentKey, Value, i64)> {
    let addresses = addresses(serves, machines);
    let mut list = Vec::new();
    if store.documents().get(&key(SERVICES)).is_none() {
        list.push((key(SERVICES), service(), 0));
    }
    // Without a server there is nobody who could write.
    if addresses.is_empty() {
        return list;
    }
    let differs = |key: &DocumentKey, value: &Value, part: &str| {
        let found = store.documents().get(key);
        found.is_none_or(|found| {
            found.value.get(part) != value.get(part)
                || found.value.get("ports") != value.get("ports")
        })
    };
    let older = endpoints(&addresses);
    if differs(&key(ENDPOINTS), &older, "subsets") {
        list.push((key(ENDPOINTS), older, 0));
    }
    let slice = slice(&addresses);
    if differs(&key(SLICES), &slice, "endpoints") {
        list.push((key(SLICES), slice, 1));
    }
    list
}

/// Whether a look would find something to do.
pub fn is_due(serves: impl Fn(MachineId) -> bool, store: &Store, machines: &Substrate) -> bool {
    !wanted(serves, store, machines).is_empty()
}

/// When the next look is.
pub fn next_look(now: SimTime) -> SimTime {
    let interval = INTERVAL.as_micros();
    now + SimDuration::from_micros(interval - now.as_micros() % interval)
}

/// Makes the objects that a fresh cluster has.
pub fn found(turn: &mut Turn<'_, '_>) {
    for (key, value, generation) in wanted(|_| true, turn.store, turn.ctx.machines) {
        let revision = turn.store.bump();
        turn.store.documents_mut().insert_quietly(
            key,
            Document::new(value, generation, SimTime::ZERO, revision),
        );
    }
}

/// One look.
pub fn sync(serves: impl Fn(MachineId) -> bool, turn: &mut Turn<'_, '_>) {
    let now = turn.now();
    for (key, value, generation) in wanted(serves, turn.store, turn.ctx.machines) {
        if turn.store.documents().get(&key).is_none() {
            turn.store.add_document(key, value, generation, now);
            continue;
        }
        turn.store.change_document(&key, |stored| {
            for part in ["subsets", "endpoints", "ports"] {
                if let Some(part_value) = value.get(part) {
                    stored.set(part, part_value.clone());
                }
            }
        });
        if let Some(mut document) = turn.store.documents_mut().get_mut(&key) {
            document.generation += generation;
        }
    }
}
