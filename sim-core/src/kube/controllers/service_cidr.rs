//! Ranges of Services' addresses, and the addresses that are given out.
//!
//! A range is ready once its controller has put its finalizer on it, and is held while an address would
//! be left without one. The IPAddress of a Service is told from the Service, until somebody writes it.
//! Sources: `pkg/controller/servicecidrs/servicecidrs_controller.go`,
//! `pkg/registry/core/service/ipallocator/{cidrallocator,ipallocator}.go`,
//! `pkg/controlplane/controller/defaultservicecidr`.

use crate::base::arrange::Arrange;
use crate::base::time::{SimDuration, SimTime};
use crate::kube::apiserver::service::RANGE_BASE;
use crate::kube::render::time;
use crate::kube::rows::read as fields;
use crate::kube::store::Store;
use crate::kube::store::document::{Document, DocumentKey};
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

/// Resource of the ranges.
pub const RANGES: &str = "servicecidrs.networking.k8s.io";
/// Resource of the addresses.
pub const ADDRESSES: &str = "ipaddresses.networking.k8s.io";

const FINALIZER: &str = "networking.k8s.io/service-cidr-finalizer";
/// `deletionGracePeriod`.
const GRACE: SimDuration = SimDuration::from_secs(10);

const FAMILY: [&str; 3] = ["metadata", "labels", "ipaddress.kubernetes.io/ip-family"];
const MANAGED: [&str; 3] = ["metadata", "labels", "ipaddress.kubernetes.io/managed-by"];
const MANAGER: &str = "ipallocator.k8s.io";

/// A range of IPv4 addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Its network's address.
    pub base: u32,
    /// How many addresses it has, the first and the last among them.
    pub size: u32,
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let (base, bits) = text.split_once('/')?;
        let bits: u32 = bits.parse().ok().filter(|bits| (1..=32).contains(bits))?;
        let size = 1_u32 << (32 - bits);
        let base = u32::from(base.parse::<std::net::Ipv4Addr>().ok()?) & !(size - 1);
        Some(Self { base, size })
    }

    /// Whether a Service may have the address: neither the network's own nor the last one.
    pub fn gives(self, ip: u32) -> bool {
        let at = ip.wrapping_sub(self.base);
        at > 0 && at < self.size - 1
    }

    fn contains(self, other: Self) -> bool {
        self.base <= other.base
            && u64::from(other.base) + u64::from(other.size)
                <= u64::from(self.base) + u64::from(self.size)
    }
}

fn key(resource: &str, name: &str) -> DocumentKey {
    DocumentKey {
        resource: resource.into(),
        namespace: "".into(),
        name: name.into(),
    }
}

fn of(value: &Value) -> Vec<Range> {
    let texts = fields::list(value, &["spec", "cidrs"]).iter();
    texts
        .filter_map(|text| Range::parse(text.as_str()?))
        .collect()
}

fn condition(ready: bool, now: SimTime) -> Value {
    let (status, reason, message) = if ready {
        ("True", "", "Kubernetes Service CIDR is ready")
    } else {
        let message = "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR";
        ("False", "Terminating", message)
    };
    Value::object([
        ("lastTransitionTime", time(now)),
        ("message", message.into()),
        ("reason", reason.into()),
        ("status", status.into()),
        ("type", "Ready".into()),
    ])
}

fn is_ready(value: &Value) -> bool {
    let mut conditions = fields::list(value, &["status", "conditions"]).iter();
    conditions.any(|one| {
        fields::text(one, &["type"]) == "Ready" && fields::text(one, &["status"]) == "True"
    })
}

/// The range that a cluster begins with.
pub fn first() -> Value {
    let cidr = format!("{}/12", crate::kube::render::address(RANGE_BASE));
    let mut value = Value::object([
        ("apiVersion", Value::from("networking.k8s.io/v1")),
        ("kind", "ServiceCIDR".into()),
    ]);
    value.set_path(&["metadata", "name"], "kubernetes".into());
    value.set_path(
        &["metadata", "finalizers"],
        Value::list(vec![FINALIZER.into()]),
    );
    value.set_path(&["spec", "cidrs"], Value::list(vec![cidr.into()]));
    let ready = condition(true, SimTime::ZERO);
    value.set_path(&["status", "conditions"], Value::list(vec![ready]));
    value
}

/// Ranges that addresses are given out of. Upstream's order is a map's; here the oldest is first.
pub fn ready(store: &Store) -> Vec<Range> {
    let documents = store.documents().of(RANGES);
    let mut found: Vec<&Document> = documents
        .filter(|(_, range)| is_ready(&range.value) && range.deletion.is_none())
        .map(|(_, range)| range)
        .collect();
    found.arrange_by_key(|range| range.created);
    found.iter().flat_map(|range| of(&range.value)).collect()
}

/// Addresses that Services have, with their Services.
fn held(store: &Store) -> impl Iterator<Item = (&str, &DocumentKey, &Document)> {
    let services = store.documents().of("services");
    services.flat_map(|(key, service)| {
        let ips = fields::list(&service.value, &["spec", "clusterIPs"]).iter();
        let ips = ips.filter_map(Value::as_str).filter(|ip| *ip != "None");
        ips.map(move |ip| (ip, key, service))
    })
}

fn address(ip: &str, service: &DocumentKey) -> Value {
    let parent = Value::object([
        ("group", Value::from("")),
        ("name", (&*service.name).into()),
        ("namespace", (&*service.namespace).into()),
        ("resource", "services".into()),
    ]);
    let mut value = Value::object([
        ("apiVersion", Value::from("networking.k8s.io/v1")),
        ("kind", "IPAddress".into()),
    ]);
    let family = if ip.contains(':') { "IPv6" } else { "IPv4" };
    value.set_path(&["metadata", "name"], ip.into());
    value.set_path(&FAMILY, family.into());
    value.set_path(&MANAGED, MANAGER.into());
    value.set_path(&["spec", "parentRef"], parent);
    value
}

/// The addresses of Services that nobody has written.
pub fn addresses(store: &Store) -> Vec<(DocumentKey, Document)> {
    let held = held(store).filter(|(ip, ..)| store.documents().get(&key(ADDRESSES, ip)).is_none());
    held.map(|(ip, service, document)| {
        let made = Document::new(address(ip, service), 0, document.created, document.revision);
        (key(ADDRESSES, ip), made)
    })
    .collect()
}

/// A Service's address that somebody writes is a document from now on.
pub fn adopt(wanted: &DocumentKey, turn: &mut Turn<'_, '_>) {
    let mut found = addresses(turn.store).into_iter();
    if let Some((key, made)) = found.find(|(key, _)| key == wanted) {
        let created = made.created;
        turn.store.add_document(key, made.value, 0, created);
    }
}

/// Makes the address of a Service that somebody deletes anew, as another object.
/// Source: `pkg/registry/core/service/ipallocator/controller/repairip.go`.
pub fn repair(wanted: &DocumentKey, turn: &mut Turn<'_, '_>) {
    let mut found = addresses(turn.store).into_iter();
    if let Some((key, made)) = found.find(|(key, _)| key == wanted) {
        let later = turn.now() + SimDuration::from_micros(1);
        turn.store.add_document(key, made.value, 0, later);
    }
}

/// Whether the removal of a Service may matter.
pub fn is_due(store: &Store) -> bool {
    let mut ranges = store.documents().of(RANGES);
    ranges.any(|(_, range)| range.deletion.is_some())
        || store.documents().of(ADDRESSES).next().is_some()
}

/// Whether no address is left without a range when this one goes.
fn may_go(name: &str, range: &Document, store: &Store) -> bool {
    let others = || {
        let all = store.documents().of(RANGES);
        all.filter(|(key, _)| *key.name != *name)
            .flat_map(|(_, other)| of(&other.value))
    };
    of(&range.value).into_iter().all(|own| {
        others().any(|other| other.contains(own))
            || held(store).all(|(ip, ..)| {
                let ip = ip.parse::<std::net::Ipv4Addr>().map_or(0, u32::from);
                !own.gives(ip) || others().any(|other| other.gives(ip))
            })
    })
}

/// Puts every range right; tells when to look again.
pub fn sync(turn: &mut Turn<'_, '_>) -> Option<SimTime> {
    let now = turn.now();
    let mut later: Option<SimTime> = None;
    let ranges = turn.store.documents().of(RANGES);
    let ranges: Vec<(DocumentKey, Document)> = ranges
        .map(|(key, range)| (key.clone(), range.clone()))
        .collect();
    for (key, range) in ranges {
        match range.deletion {
            None => settle(&key, true, turn),
            Some(_) if !may_go(&key.name, &range, turn.store) => settle(&key, false, turn),
            Some(since) if now < since + GRACE => {
                let at = since + GRACE;
                later = Some(later.map_or(at, |known| known.min(at)));
            }
            Some(_) => release(&key, turn),
        }
    }
    let documents = turn.store.documents().of(ADDRESSES);
    let managed = documents.filter(|(_, one)| one.value.str_at(&MANAGED) == Some(MANAGER));
    let orphans: Vec<DocumentKey> = managed
        .filter(|(key, _)| held(turn.store).all(|(ip, ..)| *ip != *key.name))
        .map(|(key, _)| key.clone())
        .collect();
    for key in orphans {
        turn.store.remove_document(&key);
    }
    later
}

/// Takes the finalizer off a range that may go.
fn release(key: &DocumentKey, turn: &mut Turn<'_, '_>) {
    let path = ["metadata", "finalizers"];
    let Some(range) = turn.store.documents().get(key) else {
        return;
    };
    let mut rest = fields::list(&range.value, &path).to_vec();
    rest.retain(|name| name.as_str() != Some(FINALIZER));
    if rest.is_empty() {
        turn.store.remove_document(key);
    } else {
        turn.store
            .change_document(key, |value| value.set_list(&path, rest));
    }
}

/// Writes a range's finalizer and condition, where they are not as they should be.
fn settle(key: &DocumentKey, ready: bool, turn: &mut Turn<'_, '_>) {
    let now = turn.now();
    let Some(range) = turn.store.documents().get(key) else {
        return;
    };
    let value = &range.value;
    let finalizers = ["metadata", "finalizers"];
    let mut names = fields::list(value, &finalizers).to_vec();
    let lacks = ready && !names.contains(&FINALIZER.into());
    let wanted = condition(ready, now);
    let mut conditions = fields::list(value, &["status", "conditions"]).to_vec();
    let known = |one: &&mut Value| one.get("type") == wanted.get("type");
    let parts = ["status", "reason", "message"];
    let same = match conditions.iter_mut().find(known) {
        Some(old) => {
            let same = parts.iter().all(|part| old.get(part) == wanted.get(part));
            if !same {
                *old = wanted;
            }
            same
        }
        None => {
            conditions.push(wanted);
            false
        }
    };
    if same && !lacks {
        return;
    }
    turn.store.change_document(key, |value| {
        if lacks {
            names.push(FINALIZER.into());
            value.set_path(&finalizers, Value::list(names));
        }
        value.set_path(&["status", "conditions"], Value::list(conditions));
    });
}
