//! Create, update, scale.

use std::sync::Arc;

use crate::api::kube::deployment::{Deployment, Strategy};
use crate::api::kube::object::KubeSpec;
use crate::api::kube::pod::{PodSpec, PodTemplate as ApiTemplate};
use crate::api::kube::replica_set::ReplicaSet;
use crate::api::kube::service::{ClusterIp, Service};
use crate::api::meta::ObjectMeta;
use crate::base::name::{Name, SUFFIX_COUNT, SUFFIX_LETTERS};
use crate::kube::kinds::Kind;
use crate::kube::rows::pod::{NO_POD, PodFlags};
use crate::kube::rows::service::ServiceRow;
use crate::kube::rows::workload::{
    Amount, DeploymentRow, OwnerKind, Part, PodCounts, ReplicaSetRow,
};
use crate::kube::rows::{DeploymentId, NodeId, ReplicaSetId, ServiceId};
use crate::kube::selector::Selector;
use crate::kube::store::document::{Document, DocumentKey, RowReference};
use crate::kube::turn::Turn;
use crate::manifest::decode::kube::decode_value;
use crate::manifest::decode::kube::defaults::apply_defaults;
use crate::manifest::diagnostic::Severity;
use crate::manifest::schema::prune;
use crate::manifest::value::Value;
use crate::object::structural;

use super::refusal::cause;
use super::service::{Allocated, Luck, write_back};
use super::template::{amount, build, labels, selector};
use super::{ApiServer, Refusal, Response, known, note, read, workload};

/// No deadline, or all history: the largest 32-bit number. Source: `deployment_util.go`.
const UNLIMITED: u32 = 2_147_483_647;

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
    /// POST.
    pub(super) fn create(
        &mut self,
        object: &Value,
        namespace: &str,
        turn: &mut Turn<'_, '_>,
    ) -> Result<Response, Refusal> {
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
        if exists(&parsed, turn) {
            return Err(Refusal::already_exists(kind, &key.name));
        }
        let mut filled = parsed.value.clone();
        super::admission::fill(kind, &key.namespace, &mut filled, turn);
        let parsed = if filled == parsed.value {
            parsed
        } else {
            parse(&filled, namespace, Old::None, turn)?
        };
        super::admission::check(kind, &key.namespace, &parsed.value, turn)?;
        let now = turn.now();
        let mut value = parsed.value.clone();
        if parsed.custom.as_ref().is_none_or(|custom| custom.status) {
            value.remove("status");
        }
        for field in SERVERS {
            value.remove_path(&["metadata", field]);
        }
        define(kind, &key, &mut value, turn)?;
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
                    .allocations
                    .grant(spec, None, luck)
                    .map_err(|causes| Refusal::invalid(kind, &key.name, causes))?;
                write_back(&allocated, spec, &mut value);
                RowReference::Service(create_service(spec, &allocated, &key, turn))
            }
            KubeSpec::Pod(spec) => {
                create_pod(spec, &parsed, turn)?;
                note("create", kind, &key.name, turn);
                return answer(kind, &key, turn);
            }
            // A node that no kubelet stands behind: it is stored, and no loop looks at it.
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
        crate::kube::volumes::claim::protect(&key.resource, &mut value);
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
        workload::attach(kind.kind, &key, true, turn);
        note("create", kind, &key.name, turn);
        answer(kind, &key, turn)
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
        let mut number = turn
            .stream("generate name", &[&base], draw)
            .below(SUFFIX_COUNT);
        let mut name = base;
        for _ in 0..5 {
            name.push(char::from(SUFFIX_LETTERS[(number % 27) as usize]));
            number /= 27;
        }
        object.set_path(&["metadata", "name"], name.into());
    }

    /// PUT.
    pub(super) fn update(
        &mut self,
        object: &Value,
        namespace: &str,
        turn: &mut Turn<'_, '_>,
    ) -> Result<Response, Refusal> {
        let parsed = parse(object, namespace, Old::Stored, turn)?;
        let (kind, key) = (parsed.kind, parsed.key.clone());
        let Some(current) = read(kind, &key.namespace, &key.name, turn) else {
            return Err(Refusal::not_found(kind, &key.name));
        };
        let wanted = object
            .str_at(&["metadata", "resourceVersion"])
            .filter(|text| !text.is_empty());
        if wanted
            .is_some_and(|wanted| Some(wanted) != current.str_at(&["metadata", "resourceVersion"]))
        {
            return Err(Refusal::conflict(kind, &key.name));
        }
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
            operation: "UPDATE",
            kind,
            namespace: &key.namespace,
            name: &key.name,
            object: Some(&parsed.value),
            old: Some(&current),
        };
        super::admission::policy::check(&attempt, turn)?;
        let changed = match (&parsed.spec, kind.kind) {
            _ if super::load::is_bare(&key, turn) => self.update_document(&parsed, turn)?,
            (KubeSpec::Pod(_), _) => update_pod(&parsed, &current, turn)?,
            (KubeSpec::Node(_), _) => update_node(&parsed, turn),
            (KubeSpec::ReplicaSet(spec), _) => update_replica_set(spec, &parsed, turn)?,
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

    /// PUT to the status subresource: of the object only its status is written.
    pub(super) fn update_status(
        &mut self,
        object: &Value,
        namespace: &str,
        turn: &mut Turn<'_, '_>,
    ) -> Result<Response, Refusal> {
        let parsed = parse(object, namespace, Old::Stored, turn)?;
        let (kind, key) = (parsed.kind, parsed.key.clone());
        let Some(document) = turn.store.documents().get(&key).cloned() else {
            return Err(match read(kind, &key.namespace, &key.name, turn) {
                Some(_) => Refusal::forbidden(
                    kind,
                    &key.name,
                    "its status is what its controllers find; writing it is not modelled",
                ),
                None => Refusal::not_found(kind, &key.name),
            });
        };
        match (&parsed.custom, document.row) {
            (Some(custom), _) if !custom.status => return Err(Refusal::no_such_resource()),
            (None, RowReference::Deployment(_) | RowReference::Service(_)) => {
                return Err(Refusal::forbidden(
                    kind,
                    &key.name,
                    "its status is what its controllers find; writing it is not modelled",
                ));
            }
            _ => {}
        }
        let current = read(kind, &key.namespace, &key.name, turn).unwrap_or_default();
        let wanted = object
            .str_at(&["metadata", "resourceVersion"])
            .filter(|text| !text.is_empty());
        if wanted
            .is_some_and(|wanted| Some(wanted) != current.str_at(&["metadata", "resourceVersion"]))
        {
            return Err(Refusal::conflict(kind, &key.name));
        }
        let status = parsed.value.get("status").cloned();
        let changed = status.as_ref() != document.value.get("status");
        if changed {
            turn.store.change_document(&key, |value| match status {
                Some(status) => value.set("status", status),
                None => drop(value.remove("status")),
            });
            workload::attach(kind.kind, &key, false, turn);
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
        super::load::keep(&old, &mut value);
        // A write to the object leaves its status alone.
        if parsed.custom.as_ref().is_none_or(|custom| custom.status)
            && let Some(status) = old.get("status")
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
        let document = turn.store.documents_mut().get_mut(key).expect("read above");
        document.value = value;
        document.revision = revision;
        if spec_changed && document.generation > 0 {
            document.generation += 1;
        }
        let released = document.deletion.is_some() && !super::delete::is_held(&document.value);
        workload::attach(kind.kind, key, spec_changed, turn);
        if released {
            self.finish_document(key, turn);
        }
        Ok(true)
    }

    fn update_service(
        &mut self,
        id: ServiceId,
        spec: &Service,
        key: &DocumentKey,
        value: &mut Value,
        kind: &Kind,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), Refusal> {
        let row = turn.store.service(id).expect("a document's row is there");
        let held = Allocated {
            cluster_ip: row.cluster_ip,
            ports: row.ports.to_vec(),
        };
        let luck = Luck {
            seed: turn.ctx.seed,
            namespace: &key.namespace,
            name: &key.name,
        };
        let allocated = self
            .allocations
            .grant(spec, Some(&held), luck)
            .map_err(|causes| Refusal::invalid(kind, &key.name, causes))?;
        write_back(&allocated, spec, value);
        let fresh = service_row(spec, &allocated, key, turn);
        let old = turn.store.service(id).expect("read above");
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
                    let document = turn
                        .store
                        .documents_mut()
                        .get_mut(&key)
                        .expect("read above");
                    document
                        .value
                        .set_path(&["spec", "replicas"], replicas.into());
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
                let Some(document) = turn.store.documents_mut().get_mut(&key) else {
                    return Err(missing());
                };
                if document.value.i64_at(&path) != Some(replicas) {
                    document.value.set_path(&path, replicas.into());
                    if document.generation > 0 {
                        document.generation += 1;
                    }
                    let revision = turn.store.bump();
                    if let Some(document) = turn.store.documents_mut().get_mut(&key) {
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

/// A custom object without what its generation does not count.
fn without_meta(value: &Value) -> Value {
    let mut value = value.clone();
    value.remove("metadata");
    value.remove("apiVersion");
    value
}

/// Whether a PUT must say which version it replaces.
/// Source: `AllowUnconditionalUpdate` of `pkg/registry/*/*/strategy.go`.
fn must_state_version(kind: &Kind) -> bool {
    kind.custom || matches!(kind.kind, "PodDisruptionBudget" | "Lease" | "RuntimeClass")
}

/// A written CustomResourceDefinition is what requests are served by from now on.
pub(super) fn define(
    kind: &Kind,
    key: &DocumentKey,
    value: &mut Value,
    turn: &mut Turn<'_, '_>,
) -> Result<(), Refusal> {
    if kind.kind != "CustomResourceDefinition" {
        return Ok(());
    }
    super::custom::apply_defaults(value);
    value.remove("status");
    let definition =
        super::custom::check(value).map_err(|causes| Refusal::invalid(kind, &key.name, causes))?;
    turn.store.definitions_mut().insert(definition);
    Ok(())
}

/// An object as the server's decoder hands it on: known fields and their defaults, nothing that
/// admission or allocation adds later.
pub(super) fn defaulted(object: &Value, namespace: &str, turn: &Turn<'_, '_>) -> Option<Value> {
    let mut value = parse(object, namespace, Old::Stored, turn).ok()?.value;
    if value.str_at(&["kind"]) == Some("Service") {
        for field in ["ipFamilies", "ipFamilyPolicy"] {
            if object.path(&["spec", field]).is_none() {
                value.remove_path(&["spec", field]);
            }
        }
    }
    Some(value)
}

/// What an object that is written is compared with by rules about changes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Old {
    /// Nothing: it is new.
    None,
    /// The one that is stored.
    Stored,
}

pub(super) fn parse(
    object: &Value,
    namespace: &str,
    old: Old,
    turn: &Turn<'_, '_>,
) -> Result<Parsed, Refusal> {
    let api_version = object.str_at(&["apiVersion"]).unwrap_or("");
    let kind_name = object.str_at(&["kind"]).unwrap_or("");
    let Some(kind) = turn.store.kind_of_object(api_version, kind_name) else {
        return Err(Refusal::no_such_resource());
    };
    let mut value = crate::kube::kinds::convert::to_stored(object);
    let written = value
        .str_at(&["metadata", "namespace"])
        .unwrap_or("")
        .to_owned();
    if kind.namespaced {
        if !written.is_empty() && !namespace.is_empty() && written != namespace {
            return Err(Refusal::bad_request("the namespace of the provided object does not match the namespace sent on the request".to_owned()));
        }
        let namespace = if written.is_empty() {
            namespace
        } else {
            &written
        };
        let namespace = if namespace.is_empty() {
            "default"
        } else {
            namespace
        };
        value.set_path(&["metadata", "namespace"], namespace.into());
    }
    if kind.kind == "Secret" {
        write_out(&mut value);
    }
    let version = turn.store.definitions().of_kind(kind);
    match version {
        None => {
            prune::prune(&mut value, kind.api_version, kind.kind);
            apply_defaults(kind.kind, &mut value);
            if kind.kind == "CustomResourceDefinition" {
                super::custom::apply_defaults(&mut value);
            }
        }
        Some((_, version)) => {
            structural::prune::prune(&mut value, &version.schema);
            structural::defaults::prune_nulls(&mut value, &version.schema);
            structural::defaults::apply(&mut value, &version.schema);
        }
    }
    let name: Arc<str> = value.str_at(&["metadata", "name"]).unwrap_or("").into();
    let (decoded, diagnostics) = decode_value(&value);
    let Some(decoded) = decoded else {
        let errors = diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == Severity::Error);
        let causes = errors
            .map(|diagnostic| split(&diagnostic.message))
            .collect();
        return Err(Refusal::invalid(kind, &name, causes));
    };
    if let Some((_, version)) = version {
        let mut faults = structural::validate::validate(&value, &version.schema);
        if structural::rules::any(&version.schema) {
            if faults.iter().any(structural::validate::blocks) {
                faults.push(structural::rules::not_asked());
            } else {
                let namespace = value.str_at(&["metadata", "namespace"]).unwrap_or("");
                let before = match old {
                    Old::None => None,
                    Old::Stored => read(kind, namespace, &name, turn),
                };
                let schema = &version.schema;
                faults.extend(structural::rules::judge(&value, before.as_ref(), schema));
            }
        }
        if !faults.is_empty() {
            let causes = faults.into_iter().map(|one| cause(one.field, one.message));
            return Err(Refusal::invalid(kind, &name, causes.collect()));
        }
    }
    let mut causes = super::admission::policy::validate(kind, &value);
    causes.extend(super::admission::runtime_class::validate(kind, &value));
    if !causes.is_empty() {
        return Err(Refusal::invalid(kind, &name, causes));
    }
    let namespace = if kind.namespaced {
        value
            .str_at(&["metadata", "namespace"])
            .unwrap_or("default")
    } else {
        ""
    };
    let key = DocumentKey {
        resource: kind.resource().into(),
        namespace: namespace.into(),
        name,
    };
    Ok(Parsed {
        kind,
        key,
        value,
        meta: decoded.meta,
        spec: decoded.spec,
        custom: version.map(|(_, version)| Custom {
            status: version.status,
        }),
    })
}

/// `stringData` is for writing only: it goes into `data`, over what is there.
/// Source: `pkg/apis/core/v1/conversion.go`.
fn write_out(secret: &mut Value) {
    let Some(plain) = secret.remove("stringData") else {
        return;
    };
    for (key, value) in plain.as_map().into_iter().flat_map(|map| map.iter()) {
        let text = crate::base::base64::encode(value.as_str().unwrap_or("").as_bytes());
        secret.set_path(&["data", key], text.into());
    }
}

/// A diagnostic's message is `path: what is wrong`.
fn split(message: &str) -> super::Cause {
    match message.split_once(": ") {
        Some((field, rest)) => cause(field, rest),
        None => cause("", message),
    }
}

fn check_namespace(parsed: &Parsed, turn: &Turn<'_, '_>) -> Result<(), Refusal> {
    if !parsed.kind.namespaced {
        return Ok(());
    }
    let namespace = &parsed.key.namespace;
    let key = DocumentKey {
        resource: "namespaces".into(),
        namespace: "".into(),
        name: namespace.clone(),
    };
    match turn.store.documents().get(&key) {
        None => Err(Refusal::not_found(known("Namespace", turn)?, namespace)),
        Some(document) if document.deletion.is_some() => {
            let why = format!(
                "unable to create new content in namespace {namespace} because it is being terminated"
            );
            Err(Refusal::forbidden(parsed.kind, &parsed.key.name, &why))
        }
        Some(_) => Ok(()),
    }
}

fn exists(parsed: &Parsed, turn: &Turn<'_, '_>) -> bool {
    match parsed.kind.kind {
        "Pod" | "ReplicaSet" | "Node" => {
            read(parsed.kind, &parsed.key.namespace, &parsed.key.name, turn).is_some()
        }
        _ => turn.store.documents().get(&parsed.key).is_some(),
    }
}

/// A namespace as an object.
pub(super) fn namespace_object(name: &str) -> Value {
    let mut value = Value::map();
    value.set("apiVersion", "v1".into());
    value.set("kind", "Namespace".into());
    value.set_path(&["metadata", "name"], name.into());
    value.set_path(
        &["metadata", "labels", "kubernetes.io/metadata.name"],
        name.into(),
    );
    value.set_path(
        &["spec", "finalizers"],
        Value::list(vec!["kubernetes".into()]),
    );
    value
}

fn template_id(
    written: &ApiTemplate,
    document: Option<&Value>,
    key: &DocumentKey,
    turn: &mut Turn<'_, '_>,
) -> crate::kube::template::TemplateId {
    let namespace = turn.ctx.symbols.intern(&key.namespace);
    let template = build(
        namespace,
        written,
        document.cloned().unwrap_or_default(),
        turn,
    );
    turn.store.intern_template(template)
}

struct Knobs {
    recreate: bool,
    surge: Amount,
    unavailable: Amount,
    deadline_s: Option<i64>,
    history: Option<i64>,
}

fn knobs(spec: &Deployment) -> Knobs {
    let (recreate, surge, unavailable) = match spec.strategy {
        Strategy::Recreate => (true, Amount::Count(0), Amount::Count(0)),
        Strategy::RollingUpdate {
            max_surge,
            max_unavailable,
        } => (false, amount(max_surge), amount(max_unavailable)),
    };
    let limited = |number: u32| (number < UNLIMITED).then_some(i64::from(number));
    Knobs {
        recreate,
        surge,
        unavailable,
        deadline_s: limited(spec.progress_deadline_seconds),
        history: limited(spec.revision_history_limit),
    }
}

pub(super) fn create_deployment(
    spec: &Deployment,
    key: &DocumentKey,
    value: &Value,
    turn: &mut Turn<'_, '_>,
) -> DeploymentId {
    let template = template_id(&spec.template, value.path(&["spec", "template"]), key, turn);
    let knobs = knobs(spec);
    let row = DeploymentRow {
        namespace: turn.ctx.symbols.intern(&key.namespace),
        name: turn.ctx.symbols.intern(&key.name),
        replicas: spec.replicas.into(),
        recreate: knobs.recreate,
        surge: knobs.surge,
        unavailable: knobs.unavailable,
        min_ready_s: spec.min_ready_seconds.into(),
        deadline_s: knobs.deadline_s,
        history: knobs.history,
        paused: spec.paused,
        selector: Arc::new(selector(&spec.selector)),
        template,
        generation: 1,
        created: turn.now(),
        deleting: false,
        replica_sets: Vec::new(),
        revision_number: 0,
        observed: 0,
        status_replicas: 0,
        updated: 0,
        ready: 0,
        available: 0,
        missing: 0,
        terminating: 0,
        collisions: 0,
        conditions: Vec::new(),
        deadline_check: None,
        revision: 0,
    };
    turn.store.add_deployment(row)
}

fn update_deployment(
    id: DeploymentId,
    spec: &Deployment,
    key: &DocumentKey,
    value: &Value,
    bump: bool,
    turn: &mut Turn<'_, '_>,
) {
    let template = template_id(&spec.template, value.path(&["spec", "template"]), key, turn);
    let knobs = knobs(spec);
    let newest = turn
        .store
        .deployment(id)
        .filter(|row| row.template != template)
        .and_then(|row| {
            let is_newest = |set: &&ReplicaSetId| {
                let set = turn.store.replica_set(**set);
                set.is_some_and(|set| set.source == Some(row.template))
            };
            row.replica_sets.iter().find(is_newest).copied()
        });
    if let Some(set) = newest {
        let annotations = turn
            .store
            .documents()
            .get(key)
            .and_then(|document| document.value.path(&["metadata", "annotations"]))
            .cloned();
        turn.store
            .keep_annotations(set, annotations.unwrap_or_default());
    }
    turn.store.write_deployment(id, bump, |row| {
        row.replicas = spec.replicas.into();
        row.recreate = knobs.recreate;
        row.surge = knobs.surge;
        row.unavailable = knobs.unavailable;
        row.min_ready_s = spec.min_ready_seconds.into();
        row.deadline_s = knobs.deadline_s;
        row.history = knobs.history;
        row.paused = spec.paused;
        row.template = template;
    });
}

pub(super) fn create_replica_set(
    spec: &ReplicaSet,
    key: &DocumentKey,
    value: &Value,
    turn: &mut Turn<'_, '_>,
) -> ReplicaSetId {
    let row = replica_set_row(spec, key, value, turn);
    turn.store.add_replica_set(row)
}

/// A fresh ReplicaSet that nobody owns.
pub(super) fn replica_set_row(
    spec: &ReplicaSet,
    key: &DocumentKey,
    value: &Value,
    turn: &mut Turn<'_, '_>,
) -> ReplicaSetRow {
    let template = template_id(&spec.template, value.path(&["spec", "template"]), key, turn);
    ReplicaSetRow {
        kind: OwnerKind::ReplicaSet,
        part: Part::None,
        namespace: turn.ctx.symbols.intern(&key.namespace),
        name: turn.ctx.symbols.intern(&key.name),
        owner: None,
        hash: None,
        source: None,
        selector: Arc::new(selector(&spec.selector)),
        template,
        replicas: spec.replicas.into(),
        min_ready_s: spec.min_ready_seconds.into(),
        desired: None,
        max: None,
        revision_number: 0,
        revision_history: Vec::new(),
        generation: 1,
        created: turn.now(),
        deleting: false,
        observed: 0,
        status: PodCounts::default(),
        conditions: Vec::new(),
        pods: PodCounts::default(),
        first_pod: NO_POD,
        pods_all: 0,
        ordinal: 0,
        creating: 0,
        deleting_pods: 0,
        wave: (0, 0),
        revision: 0,
    }
}

fn find_replica_set(namespace: &str, name: &str, turn: &Turn<'_, '_>) -> Option<ReplicaSetId> {
    turn.store.replica_set_named(
        turn.ctx.symbols.get(namespace)?,
        turn.ctx.symbols.get(name)?,
    )
}

fn update_replica_set(
    spec: &ReplicaSet,
    parsed: &Parsed,
    turn: &mut Turn<'_, '_>,
) -> Result<bool, Refusal> {
    let (kind, key) = (parsed.kind, &parsed.key);
    let id = find_replica_set(&key.namespace, &key.name, turn)
        .ok_or_else(|| Refusal::not_found(kind, &key.name))?;
    let row = turn.store.replica_set(id).expect("found above");
    if *row.selector != selector(&spec.selector) {
        return Err(Refusal::invalid(
            kind,
            &key.name,
            vec![cause("spec.selector", "Invalid value: field is immutable")],
        ));
    }
    let owned = row.owner.is_some();
    let template = if owned {
        row.template
    } else {
        template_id(
            &spec.template,
            parsed.value.path(&["spec", "template"]),
            key,
            turn,
        )
    };
    let row = turn.store.replica_set(id).expect("found above");
    let changed = row.replicas != i64::from(spec.replicas)
        || row.min_ready_s != i64::from(spec.min_ready_seconds)
        || row.template != template;
    if changed {
        turn.store.write_replica_set(id, true, |row| {
            row.replicas = spec.replicas.into();
            row.min_ready_s = spec.min_ready_seconds.into();
            row.template = template;
        });
    }
    if let Some(document) = turn.store.documents_mut().get_mut(key) {
        let mut value = parsed.value.clone();
        value.remove("status");
        document.value = value;
        return Ok(true);
    }
    Ok(changed)
}

fn service_row(
    spec: &Service,
    allocated: &Allocated,
    key: &DocumentKey,
    turn: &mut Turn<'_, '_>,
) -> ServiceRow {
    let headless = matches!(spec.cluster_ip, ClusterIp::Headless);
    ServiceRow {
        namespace: turn.ctx.symbols.intern(&key.namespace),
        name: turn.ctx.symbols.intern(&key.name),
        kind: spec.kind,
        cluster_ip: if headless { 0 } else { allocated.cluster_ip },
        ports: allocated.ports.clone().into(),
        selector: spec
            .selector
            .as_ref()
            .filter(|map| !map.is_empty())
            .map(|map| Arc::new(Selector::from_labels(&labels(map)))),
        publish_not_ready: spec.publish_not_ready_addresses,
        endpoints: Arc::default(),
        dirty: Vec::new(),
        dirty_all: true,
        not_before: turn.now(),
        slice_generation: 0,
        slices_written: None,
        created: turn.now(),
        revision: 0,
    }
}

pub(super) fn create_service(
    spec: &Service,
    allocated: &Allocated,
    key: &DocumentKey,
    turn: &mut Turn<'_, '_>,
) -> ServiceId {
    let row = service_row(spec, allocated, key, turn);
    turn.store.add_service(row)
}

/// The document that a pod is rendered from: what a template would say.
pub(crate) fn pod_document(value: &Value) -> Value {
    let mut document = Value::map();
    for field in ["labels", "annotations", "finalizers"] {
        if let Some(map) = value.path(&["metadata", field]) {
            document.set_path(&["metadata", field], map.clone());
        }
    }
    document.set("spec", value.get("spec").cloned().unwrap_or_default());
    document
}

fn create_pod(spec: &PodSpec, parsed: &Parsed, turn: &mut Turn<'_, '_>) -> Result<(), Refusal> {
    super::priority::admit(spec, turn.store)
        .map_err(|why| Refusal::forbidden(parsed.kind, &parsed.key.name, &why))?;
    let written = ApiTemplate {
        labels: parsed.meta.labels.clone(),
        annotations: parsed.meta.annotations.clone(),
        spec: spec.clone(),
    };
    let template = template_id(
        &written,
        Some(&pod_document(&parsed.value)),
        &parsed.key,
        turn,
    );
    let name = Name::plain(turn.ctx.symbols.intern(&parsed.key.name));
    let now = turn.now();
    crate::kube::controllers::quota::admit(template, name, turn)
        .map_err(|why| Refusal::forbidden_text(parsed.kind, &parsed.key.name, why))?;
    let pod = turn
        .store
        .create_pod(name, template, None, PodFlags::default(), now);
    if let Some(node) = &spec.node_name {
        let node: Option<NodeId> = turn
            .ctx
            .symbols
            .get(node)
            .and_then(|name| turn.store.node_named(name));
        if let Some(node) = node {
            turn.store
                .bind(pod, node, now)
                .expect("a fresh pod can be bound");
        }
    }
    Ok(())
}

/// A pod's spec without what an update may change.
fn fixed_spec(object: &Value) -> Value {
    let mut spec = object.get("spec").cloned().unwrap_or_default();
    for field in [
        "activeDeadlineSeconds",
        "tolerations",
        "terminationGracePeriodSeconds",
        "schedulingGates",
    ] {
        spec.remove(field);
    }
    for list in ["containers", "initContainers"] {
        let containers = spec.path_mut(&[list]).and_then(Value::as_list_mut);
        for container in containers.into_iter().flatten() {
            container.remove("image");
        }
    }
    spec
}

/// Whether the fields that may be changed were changed as they may.
fn may_change(old: &Value, new: &Value) -> bool {
    let list = |object: &Value, field: &str| {
        let items = object.path(&["spec", field]).and_then(Value::as_list);
        items.unwrap_or(&[]).to_vec()
    };
    let (before, after) = (list(old, "tolerations"), list(new, "tolerations"));
    let gates = (list(old, "schedulingGates"), list(new, "schedulingGates"));
    let grace = ["spec", "terminationGracePeriodSeconds"];
    before.iter().all(|one| after.contains(one))
        && gates.1.iter().all(|one| gates.0.contains(one))
        && (old.path(&grace) == new.path(&grace)
            || old.i64_at(&grace).is_some_and(|seconds| seconds < 0)
                && new.i64_at(&grace) == Some(1))
}

/// Of a pod, labels and annotations can be changed, tolerations added, gates taken away, images
/// replaced. A container that runs goes on with its image until it restarts.
fn update_pod(parsed: &Parsed, current: &Value, turn: &mut Turn<'_, '_>) -> Result<bool, Refusal> {
    let (kind, key) = (parsed.kind, &parsed.key);
    let same = |path: &[&str]| parsed.value.path(path) == current.path(path);
    let same_spec = same(&["spec"]);
    if !same_spec
        && (fixed_spec(&parsed.value) != fixed_spec(current) || !may_change(current, &parsed.value))
    {
        let message = "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
        return Err(Refusal::invalid(
            kind,
            &key.name,
            vec![cause("spec", message)],
        ));
    }
    let same_labels = same(&["metadata", "labels"]) && same(&["metadata", "annotations"]);
    let same_finalizers = same(&["metadata", "finalizers"]);
    if same_spec && same_labels && same_finalizers {
        return Ok(false);
    }
    let found = turn.store.pods().find(|(_, row)| {
        turn.ctx
            .symbols
            .text(turn.store.template(row.template).namespace)
            == &*key.namespace
            && row.name.text(turn.ctx.symbols) == *key.name
    });
    let Some((pod, row)) = found else {
        return Err(Refusal::not_found(kind, &key.name));
    };
    let (owner, old) = (row.owner, row.template);
    if !same_finalizers {
        let tracking = "batch.kubernetes.io/job-tracking";
        let list = parsed.value.path(&["metadata", "finalizers"]);
        let list = list.and_then(Value::as_list).unwrap_or(&[]);
        let names = list.iter().filter_map(Value::as_str);
        let finalizers = names
            .filter(|name| *name != tracking)
            .map(Arc::from)
            .collect();
        turn.store.set_finalizers(pod, finalizers);
        if same_spec && same_labels || turn.store.pod(pod).is_none() {
            return Ok(true);
        }
    }
    let mut template = (**turn.store.template(old)).clone();
    template.labels = labels(&parsed.meta.labels);
    template.annotations = labels(&parsed.meta.annotations);
    let mut document = pod_document(&parsed.value);
    if let (false, KubeSpec::Pod(spec)) = (same_spec, &parsed.spec) {
        let written = ApiTemplate {
            labels: parsed.meta.labels.clone(),
            annotations: parsed.meta.annotations.clone(),
            spec: (**spec).clone(),
        };
        template = build(template.namespace, &written, document, turn);
        turn.store.bump_generation(pod);
    } else {
        document.set(
            "spec",
            template.document.get("spec").cloned().unwrap_or_default(),
        );
        template.document = Arc::new(document);
    }
    let cost = parsed
        .meta
        .annotations
        .get("controller.kubernetes.io/pod-deletion-cost");
    template.deletion_cost = cost.and_then(|text| text.parse().ok()).unwrap_or(0);
    let released = owner
        .and_then(|owner| turn.store.replica_set(owner))
        .is_some_and(|set| !set.selector.matches(&template.labels));
    let template = turn.store.intern_template(template);
    turn.store.set_pod_template(pod, template);
    if released {
        turn.store.orphan(pod);
    }
    Ok(true)
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
    turn.store.set_taints(node, spec.taints.clone(), now);
    let row = turn.store.node(node).expect("found above");
    let (labels, annotations) = (
        labels(&parsed.meta.labels),
        labels(&parsed.meta.annotations),
    );
    let relabelled = row.labels != labels || row.annotations != annotations;
    let cordoned = row.unschedulable != spec.unschedulable;
    if relabelled {
        let zone = turn
            .ctx
            .symbols
            .intern(&crate::kube::heartbeat::zone_key(&labels));
        turn.store.set_node_labels(node, labels, annotations, zone);
    }
    if cordoned {
        turn.store.set_unschedulable_node(node, spec.unschedulable);
    }
    turn.store.revision() != before
}
