//! Create, update, scale.

pub mod certificate;
pub mod lease;
pub mod parse;
pub mod pod;
pub mod pod_changes;
pub mod rows;

use crate::api::kube::object::KubeSpec;
use crate::api::kube::replica_set::ReplicaSet;
use crate::api::kube::service::Service;
use crate::api::meta::ObjectMeta;
use crate::base::name::{SUFFIX_COUNT, push_letters};
use crate::base::sentence::catalogue;
use crate::kube::controllers::{quota, service_cidr};
use crate::kube::kinds::Kind;
use crate::kube::rows::ServiceId;
use crate::kube::selector::Selector;
use crate::kube::store::document::{Document, DocumentKey, RowReference};
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

use super::refusal::cause;
use super::service::{Allocated, Luck, write_back};
use super::template::{labels, selector};
use super::{ApiServer, Refusal, Response, known, note, read, workload};
use parse::{Old, check_namespace, define, exists, must_state_version, parse, without_meta};
use pod::{create_pod, update_pod};
use rows::{
    create_deployment, create_replica_set, create_service, find_replica_set, service_row,
    update_deployment, update_replica_set,
};

/// What a request's object comes down to.
pub(super) struct Parsed {
    pub(super) kind: &'static Kind,
    pub(super) key: DocumentKey,
    pub(super) value: Value,
    pub(super) meta: ObjectMeta,
    pub(super) spec: KubeSpec,
    custom: Option<Custom>,
}

/// What a definition says of a custom object.
struct Custom {
    /// Whether its status is written by requests of its own.
    status: bool,
}

/// Fields of `metadata` that are the server's.
const SERVERS: [&str; 7] = [
    "creationTimestamp",
    "uid",
    "selfLink",
    "deletionTimestamp",
    "resourceVersion",
    "generation",
    "managedFields",
];

impl ApiServer {
    /// POST. Answers with what was asked for, too, as [`parse`] reads it.
    pub(super) fn create(
        &mut self,
        object: &Value,
        namespace: &str,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(Response, Value), Refusal> {
        let mut object = object.clone();
        self.generate_name(&mut object, turn);
        let parsed = parse(&object, namespace, Old::None, turn)?;
        let (kind, key) = (parsed.kind, parsed.key.clone());
        if object
            .str_at(&["metadata", "resourceVersion"])
            .is_some_and(|version| !version.is_empty())
        {
            return Err(Refusal::internal(
                "resourceVersion should not be set on objects to be created",
            ));
        }
        check_namespace(&parsed, turn)?;
        if exists(&parsed, turn) || lease::is_renewed(kind, &key.namespace, &key.name, turn) {
            return Err(Refusal::already_exists(kind, &key.name));
        }
        let read = parsed.value.clone();
        let mut filled = read.clone();
        super::admission::fill(kind, &key.namespace, &mut filled, turn);
        let parsed = if filled == read {
            parsed
        } else {
            parse(&filled, namespace, Old::None, turn)?
        };
        let user = super::admission::policy::ADMINISTRATOR;
        let who = self.who.as_deref();
        super::admission::check(kind, &key.namespace, &parsed.value, (user, who), turn)?;
        let now = turn.now();
        let mut value = parsed.value.clone();
        if parsed.custom.as_ref().is_none_or(|custom| custom.status) && kind.kind != "Node" {
            value.remove("status");
        }
        for field in SERVERS {
            value.remove_path(&["metadata", field]);
        }
        certificate::check(kind, &key.name, &value)?;
        certificate::prepare(kind, None, &mut value, self.who.as_deref());
        define(kind, &key, &mut value, turn)?;
        workload::count_template(kind.kind, None, &mut value);
        let row = match &parsed.spec {
            KubeSpec::Deployment(spec) => {
                RowReference::Deployment(create_deployment(spec, &key, &value, turn))
            }
            KubeSpec::ReplicaSet(spec) => {
                RowReference::ReplicaSet(create_replica_set(spec, &key, &value, turn))
            }
            KubeSpec::Service(spec) => {
                let luck = Luck {
                    seed: turn.ctx.seed,
                    namespace: &key.namespace,
                    name: &key.name,
                };
                let allocated = self
                    .allocate(spec, luck, turn.store)
                    .map_err(|causes| Refusal::invalid(kind, &key.name, causes))?;
                write_back(&allocated, spec, &mut value);
                RowReference::Service(create_service(spec, &allocated, &key, turn))
            }
            KubeSpec::Pod(spec) => {
                create_pod(spec, &parsed, turn)?;
                note("create", kind, &key.name, turn);
                return Ok((answer(kind, &key, turn)?, read));
            }
            KubeSpec::Node(_)
            | KubeSpec::Namespace
            | KubeSpec::ConfigMap
            | KubeSpec::Secret
            | KubeSpec::Other => RowReference::None,
        };
        if kind.kind == "Namespace" {
            value.set_path(
                &["metadata", "labels", "kubernetes.io/metadata.name"],
                Value::from(&*key.name),
            );
            value.set_path(
                &["spec", "finalizers"],
                Value::list(vec!["kubernetes".into()]),
            );
            turn.store.namespace_added();
        }
        workload::prepare(kind, &key, &mut value, turn);
        crate::kube::volumes::claim::admit(&key.resource, &mut value, turn.store, turn.now());
        let revision = turn.store.bump();
        let generation = i64::from(kind.generation);
        turn.store.documents_mut().insert(
            key.clone(),
            Document {
                value,
                row,
                created: now,
                revision,
                generation,
                deletion: None,
            },
        );
        if kind.kind == "Node" {
            super::revive::by_hand(&key, turn);
        }
        workload::attach(kind.kind, &key, true, turn);
        owned(&parsed.value, turn);
        note("create", kind, &key.name, turn);
        Ok((answer(kind, &key, turn)?, read))
    }

    fn generate_name(&mut self, object: &mut Value, turn: &Turn<'_, '_>) {
        let named = object
            .str_at(&["metadata", "name"])
            .is_some_and(|name| !name.is_empty());
        let Some(base) = object
            .str_at(&["metadata", "generateName"])
            .map(str::to_owned)
            .filter(|base| !named && !base.is_empty())
        else {
            return;
        };
        let base: String = base.chars().take(58).collect();
        let draw = self.draw("generate name");
        let mut stream = turn.stream("generate name", &[&base], draw);
        let mut name = base;
        push_letters(&mut name, stream.below(SUFFIX_COUNT));
        object.set_path(&["metadata", "name"], name.into());
    }

    /// PUT.
    #[inline(never)]
    pub(super) fn update(
        &mut self,
        object: &Value,
        namespace: &str,
        turn: &mut Turn<'_, '_>,
    ) -> Result<Response, Refusal> {
        let mut object = object.clone();
        if object.str_at(&["kind"]) == Some("Service")
            && object.str_at(&["apiVersion"]) == Some("v1")
            && let Some(kind) = crate::kube::kinds::of_word("services")
        {
            let own = object.str_at(&["metadata", "namespace"]);
            let name = object.str_at(&["metadata", "name"]).unwrap_or("");
            if let Some(old) = read(kind, own.unwrap_or(namespace), name, turn) {
                super::service::drop_of_type(&old, &mut object);
            }
        }
        let object = &object;
        let parsed = parse(object, namespace, Old::Stored, turn)
            .map_err(|refusal| beside(refusal, object, namespace, turn))?;
        let (kind, key) = (parsed.kind, parsed.key.clone());
        let Some(current) = read(kind, &key.namespace, &key.name, turn) else {
            return Err(lease::missing(kind, &key.namespace, &key.name, turn));
        };
        let wanted = is_current(object, &current, (kind, &key.name))?;
        if wanted.is_none() && must_state_version(kind) {
            let message = "Invalid value: 0: must be specified for an update";
            return Err(Refusal::invalid(
                kind,
                &key.name,
                vec![cause("metadata.resourceVersion", message)],
            ));
        }
        let causes = super::immutable::check(kind, &current, &parsed.value);
        if !causes.is_empty() {
            return Err(Refusal::invalid(kind, &key.name, causes));
        }
        let attempt = super::admission::policy::Attempt {
            user: super::admission::policy::ADMINISTRATOR,
            who: self.who.as_deref(),
            operation: "UPDATE",
            kind,
            namespace: &key.namespace,
            name: &key.name,
            object: Some(&parsed.value),
            old: Some(&current),
        };
        super::admission::policy::check(&attempt, turn)?;
        super::admission::check_growth(kind, &key, (&current, &parsed.value), turn)?;
        match kind.kind {
            "Event" => super::event::adopt(&key, &current, turn),
            "IPAddress" => service_cidr::adopt(&key, turn),
            _ => {}
        }
        let changed = match (&parsed.spec, kind.kind) {
            _ if super::load::is_bare(&key, turn) => self.update_document(&parsed, turn)?,
            (KubeSpec::Pod(_), _) => update_pod(&parsed, &current, turn)?,
            (KubeSpec::Node(_), _) => update_node(&parsed, turn),
            (KubeSpec::ReplicaSet(spec), _) => self.update_set(spec, &parsed, &current, turn)?,
            _ => self.update_document(&parsed, turn)?,
        };
        if changed {
            note("update", kind, &key.name, turn);
        }
        // The last finalizer is off: the answer is the object as it went.
        let object = read(kind, &key.namespace, &key.name, turn).unwrap_or_else(|| {
            let mut gone = parsed.value;
            let revision = turn.store.revision().to_string();
            gone.set_path(&["metadata", "resourceVersion"], revision.into());
            gone
        });
        Ok(Response { object, changed })
    }

    fn update_set(
        &mut self,
        spec: &ReplicaSet,
        parsed: &Parsed,
        current: &Value,
        turn: &mut Turn<'_, '_>,
    ) -> Result<bool, Refusal> {
        let changed = update_replica_set(spec, parsed, current, turn)?;
        if rows::is_released(&parsed.key, turn) {
            self.finish_document(&parsed.key, turn);
        }
        Ok(changed)
    }

    /// PUT to the status subresource: the spec stays, and what the metadata say is written with the
    /// status. Source: `PrepareForUpdate` of `pkg/registry/*/*/strategy.go`.
    #[inline(never)]
    pub(super) fn update_status(
        &mut self,
        object: &Value,
        namespace: &str,
        turn: &mut Turn<'_, '_>,
    ) -> Result<Response, Refusal> {
        let of_pod = ["apiVersion", "kind"].map(|field| object.str_at(&[field]));
        if of_pod == [Some("v1"), Some("Pod")] {
            return self.update_pod_status(object, namespace, turn);
        }
        let parsed = parse(object, namespace, Old::Stored, turn)?;
        let (kind, key) = (parsed.kind, parsed.key.clone());
        let Some(document) = turn.store.documents().get(&key).cloned() else {
            return Err(match read(kind, &key.namespace, &key.name, turn) {
                Some(_) => Refusal::forbidden(kind, &key.name, catalogue::STATUS_FOUND.plain()),
                None => Refusal::not_found(kind, &key.name),
            });
        };
        match (&parsed.custom, document.row) {
            (Some(custom), _) if !custom.status => return Err(Refusal::no_such_resource()),
            (None, _) if matches!(kind.kind, "Deployment" | "ReplicaSet") => {
                return Err(Refusal::forbidden(
                    kind,
                    &key.name,
                    catalogue::STATUS_FOUND.plain(),
                ));
            }
            _ => {}
        }
        let current = read(kind, &key.namespace, &key.name, turn).unwrap_or_default();
        is_current(object, &current, (kind, &key.name))?;
        if kind.kind == "CustomResourceDefinition" {
            let status = parsed.value.get("status").cloned().unwrap_or_default();
            let causes = super::custom::check_stored(&status, &document.value);
            if !causes.is_empty() {
                return Err(Refusal::invalid(kind, &key.name, causes));
            }
        }
        let mut parts: Vec<&[&str]> = vec![&["status"]];
        if parsed.custom.is_none() && !KEEP_METADATA.contains(&kind.kind) {
            parts.push(&["metadata", "annotations"]);
            parts.push(&["metadata", "labels"]);
        }
        parts.retain(|path| parsed.value.path(path) != document.value.path(path));
        let changed = !parts.is_empty();
        if changed {
            turn.store.change_document(&key, |value| {
                for path in parts {
                    match parsed.value.path(path) {
                        Some(part) => value.set_path(path, part.clone()),
                        None => drop(value.remove_path(path)),
                    }
                }
            });
            workload::attach(kind.kind, &key, false, turn);
            if let (RowReference::Watched(id), "ResourceQuota") = (document.row, kind.kind) {
                quota::status_written(id, turn);
            }
            note("update", kind, &key.name, turn);
        }
        let mut response = answer(kind, &key, turn)?;
        response.changed = changed;
        Ok(response)
    }

    fn update_document(
        &mut self,
        parsed: &Parsed,
        turn: &mut Turn<'_, '_>,
    ) -> Result<bool, Refusal> {
        let (kind, key) = (parsed.kind, &parsed.key);
        let Some(document) = turn.store.documents().get(key) else {
            return Err(Refusal::not_found(kind, &key.name));
        };
        let (old, row) = (document.value.clone(), document.row);
        let mut value = parsed.value.clone();
        if parsed.custom.as_ref().is_none_or(|custom| custom.status) {
            value.remove("status");
        }
        for field in SERVERS {
            value.remove_path(&["metadata", field]);
        }
        define(kind, key, &mut value, turn)?;
        workload::count_template(kind.kind, Some(&old), &mut value);
        value.remove_path(&[
            "metadata",
            "annotations",
            "deployment.kubernetes.io/revision",
        ]);
        if value
            .path(&["metadata", "annotations"])
            .and_then(Value::as_map)
            .is_some_and(|map| map.is_empty())
        {
            value.remove_path(&["metadata", "annotations"]);
        }
        if let (KubeSpec::Service(spec), RowReference::Service(id)) = (&parsed.spec, row) {
            self.update_service(id, spec, key, &mut value, kind, turn)?;
        }
        if let (KubeSpec::Service(spec), RowReference::None) = (&parsed.spec, row) {
            let held = super::service::held(&old);
            self.grant(spec, held.as_ref(), key, &mut value, kind, turn)?;
        }
        super::load::keep(&old, &mut value);
        if kind.kind == "Namespace" {
            super::namespace::keep_finalizers(&old, &mut value);
        }
        certificate::prepare(kind, Some(&old), &mut value, None);
        // A write to the object leaves its status alone.
        if parsed.custom.as_ref().is_none_or(|custom| custom.status)
            && let Some(status) = old.get("status")
            && value.get("status").is_none()
        {
            value.set("status", status.clone());
        }
        let spec_changed = match &parsed.custom {
            None => old.get("spec") != value.get("spec"),
            Some(_) => without_meta(&old) != without_meta(&value),
        };
        let annotated =
            old.path(&["metadata", "annotations"]) != value.path(&["metadata", "annotations"]);
        if old == value && !spec_changed {
            return Ok(false);
        }
        if let (KubeSpec::Deployment(spec), RowReference::Deployment(id)) = (&parsed.spec, row) {
            let written = Selector::clone(
                &turn
                    .store
                    .deployment(id)
                    .expect("a document's row is there")
                    .selector,
            );
            if written != selector(&spec.selector) {
                return Err(Refusal::invalid(
                    kind,
                    &key.name,
                    vec![cause("spec.selector", "Invalid value: field is immutable")],
                ));
            }
            update_deployment(id, spec, key, &value, spec_changed || annotated, turn);
        }
        let revision = turn.store.bump();
        let Some(mut document) = turn.store.documents_mut().get_mut(key) else {
            return Ok(false);
        };
        document.value = value;
        document.revision = revision;
        if spec_changed && document.generation > 0 {
            document.generation += 1;
        }
        let released = document.deletion.is_some() && !super::delete::is_held(&document.value);
        drop(document);
        let references = ["metadata", "ownerReferences"];
        if old.path(&references) != parsed.value.path(&references) {
            owned(&parsed.value, turn);
        }
        workload::attach(kind.kind, key, spec_changed, turn);
        if released {
            self.finish_document(key, turn);
        }
        Ok(true)
    }

    /// Gives a Service that is written what it asks for, and writes that into its document.
    fn grant(
        &mut self,
        spec: &Service,
        held: Option<&Allocated>,
        key: &DocumentKey,
        value: &mut Value,
        kind: &'static Kind,
        turn: &Turn<'_, '_>,
    ) -> Result<Allocated, Refusal> {
        let luck = Luck {
            seed: turn.ctx.seed,
            namespace: &key.namespace,
            name: &key.name,
        };
        let allocated = self
            .allocations
            .grant(spec, held, luck, &service_cidr::ready(turn.store))
            .map_err(|causes| Refusal::invalid(kind, &key.name, causes))?;
        write_back(&allocated, spec, value);
        Ok(allocated)
    }

    fn update_service(
        &mut self,
        id: ServiceId,
        spec: &Service,
        key: &DocumentKey,
        value: &mut Value,
        kind: &'static Kind,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), Refusal> {
        let Some(old) = turn.store.service(id).cloned() else {
            return Err(Refusal::not_found(kind, &key.name));
        };
        let held = Allocated {
            cluster_ip: old.cluster_ip,
            ports: old.ports.to_vec(),
        };
        let allocated = self.grant(spec, Some(&held), key, value, kind, turn)?;
        let fresh = service_row(spec, &allocated, key, turn);
        let same = old.kind == fresh.kind
            && old.cluster_ip == fresh.cluster_ip
            && old.ports == fresh.ports
            && old.selector == fresh.selector
            && old.publish_not_ready == fresh.publish_not_ready;
        if !same {
            turn.store.write_service(id, |row| {
                row.kind = fresh.kind;
                row.cluster_ip = fresh.cluster_ip;
                row.ports = fresh.ports;
                row.selector = fresh.selector;
                row.publish_not_ready = fresh.publish_not_ready;
            });
        }
        Ok(())
    }

    /// PUT to the scale subresource.
    #[inline(never)]
    pub(super) fn scale(
        &mut self,
        kind: &str,
        namespace: &str,
        name: &str,
        replicas: i64,
        turn: &mut Turn<'_, '_>,
    ) -> Result<Response, Refusal> {
        let kind = known(kind, turn)?;
        let key = DocumentKey {
            resource: kind.resource().into(),
            namespace: namespace.into(),
            name: name.into(),
        };
        let missing = || Refusal::not_found(kind, name);
        if replicas < 0 {
            let message = format!("Invalid value: {replicas}: must be greater than or equal to 0");
            return Err(Refusal::invalid(
                kind,
                name,
                vec![cause("spec.replicas", message)],
            ));
        }
        let bare = super::load::is_bare(&key, turn);
        match if bare { "" } else { kind.kind } {
            "Deployment" => {
                let Some(RowReference::Deployment(id)) = turn
                    .store
                    .documents()
                    .get(&key)
                    .map(|document| document.row)
                else {
                    return Err(missing());
                };
                if turn
                    .store
                    .deployment(id)
                    .is_some_and(|row| row.replicas != replicas)
                {
                    turn.store
                        .write_deployment(id, true, |row| row.replicas = replicas);
                    if let Some(mut document) = turn.store.documents_mut().get_mut(&key) {
                        let path = ["spec", "replicas"];
                        document.value.set_path(&path, replicas.into());
                    }
                    note("scale", kind, name, turn);
                }
            }
            "ReplicaSet" => {
                let id = find_replica_set(namespace, name, turn).ok_or_else(missing)?;
                if turn
                    .store
                    .replica_set(id)
                    .is_some_and(|row| row.replicas != replicas)
                {
                    turn.store
                        .write_replica_set(id, true, |row| row.replicas = replicas);
                    note("scale", kind, name, turn);
                }
            }
            _ => {
                let path = match turn.store.definitions().of_kind(kind) {
                    None => vec!["spec".to_owned(), "replicas".to_owned()],
                    Some((_, version)) => match &version.scale {
                        Some(scale) => scale.spec.clone(),
                        None => return Err(Refusal::no_such_resource()),
                    },
                };
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                let Some(mut document) = turn.store.documents_mut().get_mut(&key) else {
                    return Err(missing());
                };
                if document.value.i64_at(&path) != Some(replicas) {
                    document.value.set_path(&path, replicas.into());
                    if document.generation > 0 {
                        document.generation += 1;
                    }
                    drop(document);
                    let revision = turn.store.bump();
                    if let Some(mut document) = turn.store.documents_mut().get_mut(&key) {
                        document.revision = revision;
                    }
                    workload::attach(kind.kind, &key, true, turn);
                    note("scale", kind, name, turn);
                }
            }
        }
        answer(kind, &key, turn)
    }
}

/// Kinds whose status subresource leaves the metadata alone.
/// Source: users of `ResetObjectMetaForStatus` in `pkg/registry`, and `pkg/registry/flowcontrol`.
const KEEP_METADATA: [&str; 7] = [
    "FlowSchema",
    "PodCertificateRequest",
    "PriorityLevelConfiguration",
    "ResourceClaim",
    "ServiceCIDR",
    "ValidatingAdmissionPolicy",
    "VolumeAttachment",
];

/// Tells the garbage collector of an object that names owners.
fn owned(value: &Value, turn: &mut Turn<'_, '_>) {
    if value.path(&["metadata", "ownerReferences"]).is_some() {
        turn.store.references_written(value);
    }
}

pub(super) fn answer(
    kind: &Kind,
    key: &DocumentKey,
    turn: &Turn<'_, '_>,
) -> Result<Response, Refusal> {
    let object = read(kind, &key.namespace, &key.name, turn)
        .ok_or_else(|| Refusal::not_found(kind, &key.name))?;
    Ok(Response {
        object,
        changed: true,
    })
}

fn update_node(parsed: &Parsed, turn: &mut Turn<'_, '_>) -> bool {
    let KubeSpec::Node(spec) = &parsed.spec else {
        return false;
    };
    let Some(node) = turn
        .ctx
        .symbols
        .get(&parsed.key.name)
        .and_then(|name| turn.store.node_named(name))
    else {
        return false;
    };
    let before = turn.store.revision();
    let now = turn.now();
    turn.store.set_taints(node, spec.taints.clone(), None, now);
    let row = turn.store.node(node).expect("found above");
    let (labels, annotations) = (
        labels(&parsed.meta.labels),
        labels(&parsed.meta.annotations),
    );
    let relabelled = row.labels != labels || row.annotations != annotations;
    let ranged = row.pod_ranges.is_empty()
        && !spec.pod_ranges.is_empty()
        && turn.ctx.machines.machine(row.machine).is_none();
    let cordoned = row.unschedulable != spec.unschedulable;
    if relabelled {
        let zone = turn
            .ctx
            .symbols
            .intern(&crate::kube::heartbeat::zone_key(&labels));
        turn.store.set_node_labels(node, labels, annotations, zone);
    }
    if ranged {
        let ranges = spec.pod_ranges.clone();
        turn.store.set_pod_ranges(node, ranges.into());
    }
    if cordoned {
        turn.store.set_unschedulable_node(node, spec.unschedulable);
    }
    turn.store.revision() != before
}

/// What is told of an update whose object is invalid: that there is none, or that it has changed
/// meanwhile, comes before; that a selector may not change, beside it.
/// Source: apiserver `pkg/registry/generic/registry/store.go` (`Update`), `ValidateUpdate` of
/// `pkg/registry/apps/*/strategy.go`.
fn beside(refusal: Refusal, object: &Value, namespace: &str, turn: &Turn<'_, '_>) -> Refusal {
    let text = |path: &[&str]| object.str_at(path).filter(|text| !text.is_empty());
    let (version, kind) = (text(&["apiVersion"]), text(&["kind"]));
    let kind = turn
        .store
        .kind_of_object(version.unwrap_or(""), kind.unwrap_or(""));
    let Some(kind) = kind.filter(|_| refusal.reason == "Invalid") else {
        return refusal;
    };
    let namespace = text(&["metadata", "namespace"]).unwrap_or(namespace);
    let name = text(&["metadata", "name"]).unwrap_or("");
    let Some(current) = read(kind, namespace, name, turn) else {
        return lease::missing(kind, namespace, name, turn);
    };
    if let Err(conflict) = is_current(object, &current, (kind, name)) {
        return conflict;
    }
    let mut causes = refusal.causes.clone();
    causes.extend(super::immutable::selector(kind, &current, object));
    if causes.len() == refusal.causes.len() {
        return refusal;
    }
    Refusal::invalid(kind, name, causes)
}

/// The version that a writer names, if it names one, which must be that of the stored object.
/// Source: apimachinery `pkg/registry/generic/registry/store.go` (Update).
pub(super) fn is_current<'a>(
    object: &'a Value,
    stored: &Value,
    (kind, name): (&'static Kind, &str),
) -> Result<Option<&'a str>, Refusal> {
    let version = ["metadata", "resourceVersion"];
    let wanted = object.str_at(&version).filter(|text| !text.is_empty());
    if wanted.is_some_and(|wanted| Some(wanted) != stored.str_at(&version)) {
        return Err(Refusal::conflict(kind, name));
    }
    Ok(wanted)
}
