//! The endpoint slice mirroring controller: Endpoints that a person keeps for a Service without a
//! selector get EndpointSlices, which is what proxies read.
//!
//! ```text
//! Endpoints, a Service of their name without a selector ──▶ one slice for each subset and family
//! Endpoints gone, or the Service selects                ──▶ none
//! ```
//! Owns nothing: it looks at all Endpoints, which are few, whenever one or its Service was written.
//! Not modelled: subsets that have the same ports are not made one, and none is cut at a thousand
//! addresses.
//! Source: `pkg/controller/endpointslicemirroring/{endpointslicemirroring_controller,reconciler,utils}.go`.

use crate::base::name::{SUFFIX_COUNT, push_letters};
use crate::base::rng::{Seed, stable_hash_parts};
use crate::kube::render::{uid, uid_text};
use crate::kube::rows::read::{list, text};
use crate::kube::store::Store;
use crate::kube::store::document::{Document, DocumentKey};
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

/// Resource of the older objects.
pub const ENDPOINTS: &str = "endpoints";
const SLICES: &str = "endpointslices.discovery.k8s.io";
const SERVICES: &str = "services";
/// Label: whose the slice is.
const SERVICE: &str = "kubernetes.io/service-name";
/// Label: who keeps it.
const KEPT_BY: &str = "endpointslice.kubernetes.io/managed-by";
const OURS: &str = "endpointslicemirroring-controller.k8s.io";
/// Label of Endpoints that are to be left alone.
const SKIP: &str = "endpointslice.kubernetes.io/skip-mirror";
/// Annotation of Endpoints that are a lock.
const LOCK: &str = "control-plane.alpha.kubernetes.io/leader";
/// Annotations that slices do not take over.
const NOT_TAKEN: [&str; 2] = [
    "endpoints.kubernetes.io/last-change-trigger-time",
    "kubectl.kubernetes.io/last-applied-configuration",
];

/// Whether a write may ask for other slices.
pub fn concerns(resource: &str) -> bool {
    [ENDPOINTS, SERVICES, SLICES].contains(&resource)
}

/// One pass over all Endpoints, and over the slices that were made of some.
#[inline(never)]
pub fn sync(turn: &mut Turn<'_, '_>) {
    let ours =
        |document: &Document| text(&document.value, &["metadata", "labels", KEPT_BY]) == OURS;
    let documents = turn.store.documents();
    let slices = documents.of(SLICES).filter(|(_, it)| ours(it));
    let mut rest: Vec<(DocumentKey, Value)> = slices
        .map(|(key, it)| (key.clone(), it.value.clone()))
        .collect();
    let mirrored = documents
        .of(ENDPOINTS)
        .filter(|(key, it)| is_mirrored(key, it, turn.store));
    let wanted: Vec<(DocumentKey, Value)> = mirrored
        .flat_map(|(key, it)| slices_of(key, it, turn.store))
        .collect();
    let now = turn.now();
    for (endpoints, slice) in wanted {
        let alike = |(key, known): &(DocumentKey, Value)| {
            let same = |path: &[&str]| known.path(path) == slice.path(path);
            key.namespace == endpoints.namespace
                && same(&["metadata", "labels", SERVICE])
                && same(&["addressType"])
                && same(&["ports"])
        };
        if let Some(place) = rest.iter().position(alike) {
            let (key, known) = rest.remove(place);
            renew(&key, &known, slice, turn);
            continue;
        }
        let Some(key) = free_name(&endpoints, turn.store) else {
            continue;
        };
        let mut slice = slice;
        slice.set_path(&["metadata", "name"], (&*key.name).into());
        turn.store.add_document(key, slice, 1, now);
    }
    for (key, _) in rest {
        turn.store.remove_document(&key);
    }
}

/// Writes a slice that is there already, if anything differs.
fn renew(key: &DocumentKey, known: &Value, slice: Value, turn: &mut Turn<'_, '_>) {
    let fields = [
        &["endpoints"][..],
        &["metadata", "labels"],
        &["metadata", "annotations"],
    ];
    if fields
        .iter()
        .all(|path| known.path(path) == slice.path(path))
    {
        return;
    }
    turn.store.change_document(key, |value| {
        for path in fields {
            match slice.path(path) {
                Some(wanted) => value.set_path(path, wanted.clone()),
                None => {
                    value.remove_path(path);
                }
            }
        }
    });
}

fn is_mirrored(key: &DocumentKey, endpoints: &Document, store: &Store) -> bool {
    let service = DocumentKey {
        resource: SERVICES.into(),
        ..key.clone()
    };
    let Some(service) = store.documents().get(&service) else {
        return false;
    };
    let metadata = |path: &[&str]| text(&endpoints.value, path).to_owned();
    metadata(&["metadata", "labels", SKIP]) != "true"
        && metadata(&["metadata", "annotations", LOCK]).is_empty()
        && service.value.path(&["spec", "selector"]).is_none()
}

/// The slices of Endpoints, without their names.
fn slices_of(key: &DocumentKey, endpoints: &Document, store: &Store) -> Vec<(DocumentKey, Value)> {
    let mut found = Vec::new();
    for (ports, addresses) in repacked(&endpoints.value) {
        for family in ["IPv4", "IPv6"] {
            let here = addresses
                .iter()
                .filter(|(one, _)| (family == "IPv6") == text(one, &["ip"]).contains(':'));
            let all: Vec<Value> = here.map(|(one, ready)| endpoint(one, *ready)).collect();
            if all.is_empty() {
                continue;
            }
            let mut slice = shell(key, endpoints, store);
            slice.set("addressType", family.into());
            slice.set("endpoints", Value::list(all));
            slice.set(
                "ports",
                Value::list(ports.iter().map(|it| port(it)).collect()),
            );
            found.push((key.clone(), slice));
        }
    }
    found
}

/// Addresses, and whether they are ready.
type Addresses<'a> = Vec<(&'a Value, bool)>;

/// Subsets as few as can be: each port once, those of the same addresses in one.
/// Source: `pkg/api/v1/endpoints/util.go` (`RepackSubsets`).
fn repacked(endpoints: &Value) -> Vec<(Vec<&Value>, Addresses<'_>)> {
    let mut by_port: Vec<(Option<&Value>, Addresses<'_>)> = Vec::new();
    for subset in list(endpoints, &["subsets"]) {
        let of = |field: &str| list(subset, &[field]).iter();
        let ready = of("addresses").map(|one| (one, true));
        let all: Addresses<'_> = ready
            .chain(of("notReadyAddresses").map(|one| (one, false)))
            .collect();
        let mut ports: Vec<Option<&Value>> = of("ports").map(Some).collect();
        if ports.is_empty() {
            ports.push(None);
        }
        for port in ports {
            let place = by_port.iter().position(|(known, _)| *known == port);
            let place = place.unwrap_or(by_port.len());
            if place == by_port.len() {
                by_port.push((port, Vec::new()));
            }
            let known = &mut by_port[place].1;
            let new = all.iter().filter(|one| !known.contains(one));
            let new: Addresses<'_> = new.copied().collect();
            known.extend(new);
        }
    }
    let mut subsets: Vec<(Vec<&Value>, Addresses<'_>)> = Vec::new();
    for (port, addresses) in by_port {
        let same = |(_, known): &&mut (Vec<&Value>, Addresses<'_>)| {
            known.len() == addresses.len() && addresses.iter().all(|one| known.contains(one))
        };
        match subsets.iter_mut().find(same) {
            Some((ports, _)) => ports.extend(port),
            None => subsets.push((port.into_iter().collect(), addresses)),
        }
    }
    subsets
}

fn endpoint(address: &Value, ready: bool) -> Value {
    let mut endpoint = Value::object([(
        "addresses",
        Value::list(vec![text(address, &["ip"]).into()]),
    )]);
    endpoint.set_path(&["conditions", "ready"], ready.into());
    for field in ["hostname", "nodeName", "targetRef"] {
        if let Some(own) = address.get(field) {
            endpoint.set(field, own.clone());
        }
    }
    endpoint
}

fn port(port: &Value) -> Value {
    let mut port = port.clone();
    for (field, default) in [("name", ""), ("protocol", "TCP")] {
        if port.get(field).is_none() {
            port.set(field, default.into());
        }
    }
    port
}

/// A slice with labels, annotations and owner.
fn shell(key: &DocumentKey, endpoints: &Document, store: &Store) -> Value {
    let stated = text(&endpoints.value, &["metadata", "uid"]);
    let own = if stated.is_empty() {
        let created = endpoints.created.as_micros();
        let seed = Seed(store.seed);
        uid_text(uid(seed, ENDPOINTS, &key.namespace, &key.name, created))
    } else {
        stated.to_owned()
    };
    let owner = Value::object([
        ("apiVersion", Value::from("v1")),
        ("blockOwnerDeletion", true.into()),
        ("controller", true.into()),
        ("kind", "Endpoints".into()),
        ("name", (&*key.name).into()),
        ("uid", own.as_str().into()),
    ]);
    let mut slice = Value::object([
        ("apiVersion", Value::from("discovery.k8s.io/v1")),
        ("kind", "EndpointSlice".into()),
    ]);
    let part = |field: &str| endpoints.value.path(&["metadata", field]).cloned();
    if let Some(mut annotations) = part("annotations") {
        for name in NOT_TAKEN {
            annotations.remove(name);
        }
        if annotations
            .as_map()
            .is_some_and(|map| map.iter().next().is_some())
        {
            slice.set_path(&["metadata", "annotations"], annotations);
        }
    }
    let prefix = format!("{}-", key.name);
    slice.set_path(&["metadata", "generateName"], prefix.as_str().into());
    let mut labels = part("labels").unwrap_or_else(Value::map);
    labels.set(KEPT_BY, OURS.into());
    labels.set(SERVICE, (&*key.name).into());
    slice.set_path(&["metadata", "labels"], labels);
    slice.set_path(&["metadata", "namespace"], (&*key.namespace).into());
    slice.set_path(&["metadata", "ownerReferences"], Value::list(vec![owner]));
    slice
}

/// A name that no other slice has, if one is left.
fn free_name(endpoints: &DocumentKey, store: &Store) -> Option<DocumentKey> {
    let count = u64::from(SUFFIX_COUNT);
    let start = stable_hash_parts(&[&endpoints.namespace, &endpoints.name]) ^ store.seed;
    let mut keys = (0..count).map(|draw| {
        let mut name = format!("{}-", endpoints.name);
        push_letters(&mut name, (start.wrapping_add(draw) % count) as u32);
        DocumentKey {
            resource: SLICES.into(),
            namespace: endpoints.namespace.clone(),
            name: name.into(),
        }
    });
    keys.find(|key| store.documents().get(key).is_none())
}
