//! Full objects, made from rows when somebody reads them. Everything a person is shown is printed
//! from these.

pub mod node;
pub mod pod;
pub mod service;
pub mod token;
pub mod workload;
pub mod zero;

use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::labels::Selector;
use crate::base::rng::{Seed, mix, stable_hash_parts, stable_key_with};
use crate::base::sorted::SortedMap;
use crate::base::symbol::Symbols;
use crate::base::time::SimTime;
use crate::manifest::value::Value;
use crate::substrate::Substrate;

use super::KubePlane;
use super::control_plane::{ControlPlane, leases};
use super::controllers::service_cidr;
use super::heartbeat::Heartbeats;
use super::kinds::{self, Kind};
use super::rows::PodId;
use super::settings::Settings;
use super::store::Store;
use super::store::document::{Document, DocumentKey, RowReference};
use super::store::events::EventRow;
use super::template::TemplateId;

/// The API server's data at one instant, as a client reads it.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The store.
    pub store: &'a Store,
    /// Flags.
    pub settings: &'a Settings,
    /// Leases.
    pub heartbeats: Option<&'a Heartbeats>,
    /// The control plane's processes, for their leases.
    pub control_plane: Option<&'a ControlPlane>,
    /// Text.
    pub symbols: &'a Symbols,
    /// The machines, for what kubelets report of them.
    pub machines: &'a Substrate,
    /// Now.
    pub now: SimTime,
    /// Seed, for uids.
    pub seed: Seed,
}

impl KubePlane {
    /// What a client reads at an instant.
    pub fn view<'a>(
        &'a self,
        symbols: &'a Symbols,
        machines: &'a Substrate,
        now: SimTime,
        seed: Seed,
    ) -> View<'a> {
        View {
            store: &self.store,
            settings: &self.settings,
            heartbeats: Some(&self.heartbeats),
            control_plane: Some(&self.control_plane),
            symbols,
            machines,
            now,
            seed,
        }
    }

    /// `status.phase` of a pod of the namespace `default`, or else of the first of that name.
    pub fn phase_of(&self, name: &str, symbols: &Symbols) -> Option<&'static str> {
        let elsewhere = || {
            let mut pods = self.store.pods();
            let found = pods.find(|(_, row)| row.name.is(name, symbols));
            found.map(|(pod, _)| pod)
        };
        let pod = self.store.pod_named("default", name, symbols);
        Some(self.store.pod(pod.or_else(elsewhere)?)?.phase.text())
    }

    /// `Ready`, `NotReady` or `Unknown` of a node, by its condition.
    pub fn node_state(&self, name: &str, symbols: &Symbols) -> Option<&'static str> {
        use super::rows::node::ConditionStatus;
        let node = self.store.node_named(symbols.get(name)?)?;
        Some(match self.store.node(node)?.ready() {
            ConditionStatus::True => "Ready",
            ConditionStatus::False | ConditionStatus::Unknown => "NotReady",
        })
    }
}

/// 128 bits that name an object for ever, from its kind, name and time of creation.
pub fn uid(seed: Seed, plural: &str, namespace: &str, name: &str, created: u64) -> u128 {
    let key = stable_key_with(stable_hash_parts(&[plural, namespace, name]), created);
    let high = mix(key ^ mix(seed.0));
    let low = mix(high ^ key);
    // Version 4, variant 1.
    let bits = u128::from(high) << 64 | u128::from(low);
    bits & !(0xf << 76) & !(0b11 << 62) | 4 << 76 | 0b10 << 62
}

/// A pod's uid, as it is written: one that was taken over keeps its own.
pub fn pod_uid(pod: PodId, store: &Store, symbols: &Symbols) -> Option<Arc<str>> {
    if let Some(uid) = &store.pod_details(pod).aside.uid {
        return Some(uid.clone());
    }
    let row = store.pod(pod)?;
    let namespace = symbols.text(store.template(row.template).namespace);
    let name = row.name.text(symbols);
    let created = row.created_s.into();
    Some(uid_text(uid(Seed(store.seed), "pods", namespace, &name, created)).into())
}

/// A uid as it is written.
pub fn uid_text(uid: u128) -> String {
    let text = format!("{uid:032x}");
    format!(
        "{}-{}-{}-{}-{}",
        &text[..8],
        &text[8..12],
        &text[12..16],
        &text[16..20],
        &text[20..]
    )
}

/// A time as the API writes it: whole seconds.
pub fn time(at: SimTime) -> Value {
    Value::from(time_text(at.signed_seconds()))
}

/// A time kept in whole seconds.
pub fn time_s(seconds: u32) -> Value {
    Value::from(time_text(super::rows::pod::signed_s(seconds)))
}

/// Seconds from the epoch, before it as well, as the API writes them.
pub fn time_text(seconds: i64) -> String {
    let unix = crate::base::time::EPOCH_UNIX_SECONDS.saturating_add_signed(seconds);
    format!("{}Z", crate::base::time::CivilTime::from_unix_seconds(unix))
}

/// An object of these fields; null ones are left out.
pub fn object<const N: usize>(fields: [(&'static str, Value); N]) -> Value {
    Value::object(fields.into_iter().filter(|(_, value)| !value.is_null()))
}

/// Labels or annotations; none is null.
pub fn text_map(pairs: &[(Arc<str>, Arc<str>)]) -> Value {
    if pairs.is_empty() {
        return Value::Null;
    }
    Value::object(
        pairs
            .iter()
            .map(|(key, value)| (key.clone(), Value::String(value.clone()))),
    )
}

/// A text, or null when it is empty.
pub fn text_or_null(text: &str) -> Value {
    if text.is_empty() {
        Value::Null
    } else {
        Value::from(text)
    }
}

/// A number, or null when it is zero.
pub fn number_or_null(number: i64) -> Value {
    if number == 0 {
        Value::Null
    } else {
        Value::Int(number)
    }
}

/// An IPv4 address.
pub fn address(ip: u32) -> String {
    std::net::Ipv4Addr::from(ip).to_string()
}

impl View<'_> {
    /// One object.
    pub fn get(&self, kind: &Kind, namespace: &str, name: &str) -> Option<Value> {
        let mut found = self.stored(kind.stored(), namespace, name)?;
        kinds::convert::to_version(&mut found, kind.api_version);
        Some(found)
    }

    fn stored(&self, kind: &Kind, namespace: &str, name: &str) -> Option<Value> {
        let namespace = if kind.namespaced { namespace } else { "" };
        self.row(kind, namespace, name).or_else(|| {
            let key = DocumentKey {
                resource: kind.resource().into(),
                namespace: namespace.into(),
                name: name.into(),
            };
            let document = self.store.documents().get(&key)?;
            Some(self.document(kind, &key, document))
        })
    }

    /// One object of a kind whose objects are made from rows.
    fn row(&self, kind: &Kind, namespace: &str, name: &str) -> Option<Value> {
        match kind.kind {
            "Pod" => {
                let id = self.store.pod_named(namespace, name, self.symbols)?;
                Some(pod::render(self, id))
            }
            "Node" => {
                let node = self.store.node_named(self.symbols.get(name)?)?;
                Some(node::render(self, node))
            }
            "ReplicaSet" => {
                let id = self
                    .store
                    .replica_set_named(self.symbols.get(namespace)?, self.symbols.get(name)?)?;
                Some(workload::replica_set(self, id))
            }
            "EndpointSlice" | "Endpoints" | "Event" | "IPAddress" | "Lease" => self
                .list(kind, Some(namespace))
                .into_iter()
                .find(|object| object.str_at(&["metadata", "name"]) == Some(name)),
            _ => None,
        }
    }

    /// All objects of a kind in one namespace or in all, by namespace and name.
    pub fn list(&self, kind: &Kind, namespace: Option<&str>) -> Vec<Value> {
        self.list_if(kind, namespace, None)
    }

    /// Those that a selector takes. Pods have their labels from their templates, so that only those
    /// that are taken are rendered: of 150,000 a hundred cost what a hundred cost.
    pub fn list_selected(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        selector: &Selector,
    ) -> Vec<Value> {
        let mut found = self.list_if(kind, namespace, Some(selector));
        found.retain(|object| selector.matches(&label_pairs(object)));
        found
    }

    fn list_if(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        selector: Option<&Selector>,
    ) -> Vec<Value> {
        let mut found = self.list_stored(kind.stored(), namespace, selector);
        for object in &mut found {
            kinds::convert::to_version(object, kind.api_version);
        }
        found
    }

    fn list_stored(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        selector: Option<&Selector>,
    ) -> Vec<Value> {
        let namespace = namespace.filter(|_| kind.namespaced);
        let wanted = |found: &str| namespace.is_none_or(|wanted| wanted == found);
        let mut objects: Vec<Value> = match kind.kind {
            "Pod" => self.pods(namespace, selector),
            "Node" => self
                .store
                .nodes()
                .map(|(id, _)| node::render(self, id))
                .collect(),
            "ReplicaSet" => {
                let sets = self
                    .store
                    .replica_sets()
                    .filter(|(_, row)| wanted(self.symbols.text(row.namespace)));
                sets.map(|(id, _)| workload::replica_set(self, id))
                    .collect()
            }
            "EndpointSlice" | "Endpoints" => {
                let services = self
                    .store
                    .services()
                    .filter(|(_, row)| wanted(self.symbols.text(row.namespace)));
                let render = if kind.kind == "Endpoints" {
                    service::endpoints
                } else {
                    service::slices
                };
                let mut found: Vec<Value> = services.flat_map(|(id, _)| render(self, id)).collect();
                found.extend(self.documents(kind, namespace));
                found
            }
            "Event" => {
                // One that somebody has written stands for the source's own.
                let written = self.store.documents().of("events").next().is_some();
                let events = self.store.events().iter(self.now).filter(|row| {
                    let (namespace, name) = self.event_name(row);
                    wanted(namespace) && !(written && self.is_document("events", namespace, &name))
                });
                events.map(|row| self.event(row)).collect()
            }
            "Lease" => {
                let mut found: Vec<Value> = self.documents(kind, namespace).collect();
                if let Some(plane) = self.control_plane.filter(|_| wanted(leases::NAMESPACE)) {
                    let own = leases::all(plane, self);
                    // One that was taken over is the leader's now.
                    let at =
                        |object: &Value, key| object.str_at(&["metadata", key]).map(str::to_owned);
                    found.retain(|it| {
                        let place = (at(it, "namespace"), at(it, "name"));
                        !own.iter()
                            .any(|it| (at(it, "namespace"), at(it, "name")) == place)
                    });
                    found.extend(own);
                }
                if wanted("kube-node-lease") {
                    found.extend(
                        self.store
                            .nodes()
                            .filter_map(|(id, _)| node::lease(self, id)),
                    );
                }
                found
            }
            "IPAddress" => {
                let held = service_cidr::addresses(self.store);
                let held = held.iter();
                let mut found: Vec<Value> = self.documents(kind, namespace).collect();
                found.extend(held.map(|(key, document)| self.document(kind, key, document)));
                found
            }
            _ => return self.documents(kind, namespace).collect(),
        };
        if super::apiserver::load::is_row_kind(kind) || kind.kind == "Event" {
            // Objects that were taken over, or that nobody stands behind, have no row.
            let resource = kind.resource();
            let bare = self
                .store
                .documents()
                .of(&resource)
                .filter(|(key, document)| {
                    document.row == RowReference::None && wanted(&key.namespace)
                });
            objects.extend(bare.map(|(key, document)| self.document(kind, key, document)));
        }
        objects.arrange_by(|a, b| {
            let by = |key| {
                let path = ["metadata", key];
                a.str_at(&path)
                    .unwrap_or("")
                    .cmp(b.str_at(&path).unwrap_or(""))
            };
            by("namespace").then_with(|| by("name"))
        });
        objects
    }

    fn pods(&self, namespace: Option<&str>, selector: Option<&Selector>) -> Vec<Value> {
        let mut of_template: SortedMap<TemplateId, bool> = SortedMap::new();
        let mut taken = |template: TemplateId| {
            *of_template.entry(template).or_insert_with(|| {
                namespace.is_none_or(|wanted| wanted == self.namespace(template))
                    && selector.is_none_or(|selector| {
                        selector.matches(&self.store.template(template).labels)
                            || selector
                                .requirements
                                .iter()
                                .any(|it| pod::OF_NODE.contains(&&*it.key))
                    })
            })
        };
        self.store
            .pods()
            .filter(|(_, row)| taken(row.template))
            .map(|(id, _)| pod::render(self, id))
            .collect()
    }

    fn documents<'b>(
        &'b self,
        kind: &'b Kind,
        namespace: Option<&'b str>,
    ) -> impl Iterator<Item = Value> + 'b {
        let resource = kind.resource();
        let found: Vec<Value> = self
            .store
            .documents()
            .of(&resource)
            .filter(|(key, _)| namespace.is_none_or(|wanted| &*key.namespace == wanted))
            .map(|(key, document)| self.document(kind, key, document))
            .collect();
        found.into_iter()
    }

    /// A document with what the server knows besides.
    pub fn document(&self, kind: &Kind, key: &DocumentKey, document: &Document) -> Value {
        let mut value = document.value.clone();
        let uid = uid(
            self.seed,
            kind.plural,
            &key.namespace,
            &key.name,
            document.created.as_micros(),
        );
        // What was taken over from a live cluster brings these with it.
        if value.path(&["metadata", "creationTimestamp"]).is_none() {
            value.set_path(&["metadata", "creationTimestamp"], time(document.created));
        }
        if value.path(&["metadata", "uid"]).is_none() {
            value.set_path(&["metadata", "uid"], uid_text(uid).into());
        }
        if let Some(deletion) = document.deletion {
            value.set_path(&["metadata", "deletionTimestamp"], time(deletion));
            // Namespaces and definitions have deletions of their own.
            // Source: apiserver `pkg/registry/generic/registry/store.go` (`markAsDeleting`).
            let grace = ["metadata", "deletionGracePeriodSeconds"];
            if !matches!(kind.kind, "Namespace" | "CustomResourceDefinition")
                && value.path(&grace).is_none()
            {
                value.set_path(&grace, 0.into());
            }
            let waits = matches!(
                document.row,
                RowReference::Deployment(_) | RowReference::ReplicaSet(_)
            );
            let finalizers = ["metadata", "finalizers"];
            if waits && value.path(&finalizers).is_none() {
                // Its dependents go first. Source: `pkg/controller/garbagecollector/graph_builder.go`.
                value.set_path(&finalizers, Value::list(vec!["foregroundDeletion".into()]));
            }
        }
        let mut revision = document.revision;
        let mut generation = document.generation;
        match document.row {
            RowReference::Deployment(id) => {
                if let Some(row) = self.store.deployment(id) {
                    revision = revision.max(row.revision);
                    generation = row.generation;
                    workload::deployment(self, row, &mut value);
                }
            }
            RowReference::Service(id) => {
                if let Some(row) = self.store.service(id) {
                    revision = revision.max(row.revision);
                }
            }
            RowReference::None
            | RowReference::ReplicaSet(_)
            | RowReference::Watched(_)
            | RowReference::Pod(_)
            | RowReference::Node(_) => {}
        }
        if kind.custom {
            // Versions without conversion differ in their name alone.
            value.set("apiVersion", kind.api_version.into());
        }
        if kind.kind == "CustomResourceDefinition" {
            let deleting = document.deletion.is_some();
            let status = super::apiserver::custom::status(&value, document.created, deleting);
            value.set("status", status);
        }
        if kind.kind == "ValidatingAdmissionPolicy" {
            let status =
                super::apiserver::admission::typecheck::status(&value, generation, self.store);
            value.set("status", status);
        }
        if kind.kind == "Namespace" {
            let phase = if document.deletion.is_some() {
                Some("Terminating")
            } else {
                value.get("status").is_none().then_some("Active")
            };
            if let Some(phase) = phase {
                value.set_path(&["status", "phase"], phase.into());
            }
        }
        if !kind.custom {
            zero::fill(kind.kind, &mut value);
        }
        value.set_path(
            &["metadata", "resourceVersion"],
            revision.to_string().into(),
        );
        if generation > 0 {
            value.set_path(&["metadata", "generation"], generation.into());
        }
        value
    }

    fn is_document(&self, resource: &str, namespace: &str, name: &str) -> bool {
        let key = DocumentKey {
            resource: resource.into(),
            namespace: namespace.into(),
            name: name.into(),
        };
        self.store.documents().get(&key).is_some()
    }

    /// Namespace and name of an Event object.
    fn event_name(&self, row: &EventRow) -> (&str, String) {
        let name = row.event.name.text(self.symbols);
        // Upstream's suffix is the time in nanoseconds; the number keeps events of one instant apart.
        let suffix = (crate::base::time::EPOCH_UNIX_SECONDS * 1_000_000 + row.first.as_micros())
            * 1_000
            + u64::from(row.ordinal % 1_000);
        let namespace = self.symbols.text(row.event.namespace);
        (event_namespace(namespace), format!("{name}.{suffix:x}"))
    }

    /// The Event of this name that a component keeps.
    pub fn event_row(&self, namespace: &str, name: &str) -> Option<&EventRow> {
        let mut rows = self.store.events().iter(self.now);
        rows.find(|row| {
            let (within, own) = self.event_name(row);
            within == namespace && own == name
        })
    }

    /// An Event object.
    fn event(&self, row: &EventRow) -> Value {
        let event = &row.event;
        // Whoever records it has the clock of its machine.
        let host = event
            .host
            .and_then(|host| self.machines.machine_by_name(host));
        let clock = |at| time(host.map_or(at, |host| self.machines.wall(host, at)));
        let kind = kinds::KINDS.iter().find(|kind| kind.kind == event.kind);
        let name = event.name.text(self.symbols);
        let namespace = self.symbols.text(event.namespace);
        let (own_namespace, own_name) = self.event_name(row);
        let field = event.container.map_or(Value::Null, |(list, name)| {
            let name = self.symbols.text(name);
            format!("spec.{}{{{name}}}", list.text()).into()
        });
        let involved = object([
            (
                "apiVersion",
                kind.map_or(Value::Null, |kind| kind.api_version.into()),
            ),
            ("fieldPath", field),
            ("kind", event.kind.into()),
            ("name", name.as_str().into()),
            ("namespace", text_or_null(namespace)),
            (
                "resourceVersion",
                event
                    .series
                    .map_or(Value::Null, |series| series.revision.to_string().into()),
            ),
            ("uid", self.uid_of_event(row, kind, namespace, &name)),
        ]);
        let mut annotations = Value::Null;
        for (key, value) in event.message.annotations() {
            annotations.set(key, value.as_str().into());
        }
        let metadata = object([
            ("annotations", annotations),
            ("creationTimestamp", time(row.first)),
            ("name", own_name.as_str().into()),
            ("namespace", own_namespace.into()),
            ("resourceVersion", row.revision.to_string().into()),
            (
                "uid",
                uid_text(uid(
                    self.seed,
                    "events",
                    own_namespace,
                    &own_name,
                    row.first.as_micros(),
                ))
                .into(),
            ),
        ]);
        let instance = event.host.map_or("", |host| self.symbols.text(host));
        let kind = if event.warning { "Warning" } else { "Normal" };
        let (count, last) = self.store.events().told(row, self.now);
        let mut value = object([
            ("apiVersion", "v1".into()),
            ("kind", "Event".into()),
            ("metadata", metadata),
            ("involvedObject", involved),
            ("message", event.message.text(self.symbols).into()),
            ("reason", event.reason.into()),
            ("reportingComponent", event.component.into()),
            ("reportingInstance", instance.into()),
            ("source", Value::map()),
            ("type", kind.into()),
        ]);
        if let Some(series) = event.series {
            value.set("action", series.action.into());
            value.set("eventTime", row.first.rfc3339_micros().into());
            value.set("firstTimestamp", Value::Null);
            value.set("lastTimestamp", Value::Null);
            // The process's name for itself ends in its host's.
            let first = || self.store.nodes().find(|(_, node)| node.control);
            let host = event.host.or_else(|| first().map(|(_, node)| node.name));
            let host = host.map_or(String::new(), |host| {
                format!("-{}", self.symbols.text(host))
            });
            let instance = format!("{}{host}", event.component);
            value.set("reportingInstance", instance.into());
            if count > 1 {
                value.set_path(&["series", "count"], Value::Int(count.into()));
                value.set_path(
                    &["series", "lastObservedTime"],
                    last.rfc3339_micros().into(),
                );
            }
        } else {
            value.set("count", Value::Int(count.into()));
            value.set("eventTime", Value::Null);
            value.set("firstTimestamp", clock(row.first));
            value.set("lastTimestamp", clock(last));
            value.set_path(&["source", "component"], event.component.into());
            if !instance.is_empty() {
                value.set_path(&["source", "host"], instance.into());
            }
        }
        value
    }

    /// The uid of the object that an event is about. Of one that has made way for another of its
    /// name it is not known any more, but for pods.
    fn uid_of_event(
        &self,
        row: &EventRow,
        kind: Option<&Kind>,
        namespace: &str,
        name: &str,
    ) -> Value {
        let event = &row.event;
        let Some(pod) = event.pod else {
            let found = kind.and_then(|kind| self.uid_at(kind, row, namespace, name));
            return found.unwrap_or_default();
        };
        let there = self.store.pod(pod.id);
        let given = there.and_then(|_| self.store.pod_details(pod.id).aside.uid.clone());
        given.map_or_else(
            || {
                let created = u64::from(pod.created_s);
                uid_text(uid(self.seed, "pods", namespace, name, created)).into()
            },
            Value::String,
        )
    }

    /// The uid of an object that was there when an event was first told of.
    fn uid_at(&self, kind: &Kind, row: &EventRow, namespace: &str, name: &str) -> Option<Value> {
        let made = |created: SimTime| {
            let (plural, micros) = (kind.plural, created.as_micros());
            let then = created <= row.first;
            then.then(|| uid_text(uid(self.seed, plural, namespace, name, micros)).into())
        };
        match kind.kind {
            // What runs on a node calls it by its name. Source: `pkg/kubelet/kubelet.go` (`nodeRef`).
            "Node" if row.event.host.is_some() => Some(name.into()),
            "Node" => {
                let id = self.store.node_named(self.symbols.get(name)?)?;
                made(self.store.node(id)?.created)
            }
            "ReplicaSet" => {
                let (namespace, name) = (self.symbols.get(namespace)?, self.symbols.get(name)?);
                let id = self.store.replica_set_named(namespace, name)?;
                made(self.store.replica_set(id)?.created)
            }
            _ => {
                let document = self.store.documents().get(&DocumentKey {
                    resource: kind.resource().into(),
                    namespace: namespace.into(),
                    name: name.into(),
                })?;
                let own = document.value.path(&["metadata", "uid"]).cloned();
                own.or_else(|| made(document.created))
            }
        }
    }

    /// Namespace of a template's pods.
    pub fn namespace(&self, template: TemplateId) -> &str {
        self.symbols.text(self.store.template(template).namespace)
    }
}

/// An object's labels, sorted.
fn label_pairs(object: &Value) -> Vec<(Arc<str>, Arc<str>)> {
    let map = object.path(&["metadata", "labels"]).and_then(Value::as_map);
    crate::base::labels::sorted(
        map.unwrap_or_default()
            .iter()
            .map(|(key, value)| (key.clone(), value.as_str().unwrap_or("").into()))
            .collect(),
    )
}

/// Events of cluster-wide objects are kept in `default`.
fn event_namespace(namespace: &str) -> &str {
    if namespace.is_empty() {
        "default"
    } else {
        namespace
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_looks_like_one() {
        let text = uid_text(uid(Seed(1), "pods", "default", "web", 5));
        assert_eq!(text.len(), 36);
        assert_eq!(&text[14..15], "4");
        assert!("89ab".contains(&text[19..20]));
    }
}
