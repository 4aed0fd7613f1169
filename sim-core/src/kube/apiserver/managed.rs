//! Who owns which field: requests with a field manager, and server-side apply.
//! Sources: `staging/src/k8s.io/apimachinery/pkg/util/managedfields/internal`,
//! `sigs.k8s.io/structured-merge-diff/merge/update.go`.

mod contest;

use std::sync::Arc;

use crate::kube::kinds::Kind;
use crate::kube::render::View;
use crate::kube::store::custom::Version;
use crate::kube::store::document::DocumentKey;
use crate::kube::store::managed::{Owner, Subresource, sort};
use crate::kube::turn::Turn;
use crate::manifest::schema::prune;
use crate::manifest::schema::table::{Shape, kubernetes};
use crate::manifest::value::Value;
use crate::object::fields::FieldSet;
use crate::object::patch::without_nulls;
use crate::object::structural::Structural;
use crate::object::typed::Typed;
use crate::object::typed::compare::compare;
use crate::object::typed::field_set::{declared, field_set, field_set_lax};
use crate::object::typed::merge::merge;

use contest::{conflict_text, not_last_applied, prune_unapplied, tell_applied};

use super::write::parse::{defaulted, without_allocated};
use super::{ApiServer, Refusal, Request, Response, conflict, known, read};

/// Update entries that are kept; older ones become one. Source: `capmanagers.go`.
const UPDATES_MAX: usize = 10;

/// Longest name of a manager. Source: `validation/validation.go`.
const MANAGER_MAX: usize = 128;

/// The schema of a kind, kept while it is used.
pub(super) enum Schema {
    Table(Shape),
    Custom(Arc<Structural>),
    Nothing,
}

impl Schema {
    pub(super) fn of(kind: &Kind, version: Option<&Version>) -> Self {
        match version {
            Some(version) => Self::Custom(version.schema.clone()),
            None => kubernetes()
                .kind(kind.api_version, kind.kind)
                .and_then(|kind| kind.root)
                .map_or(Self::Nothing, |root| Self::Table(Shape::Type(root))),
        }
    }

    pub(super) fn typed(&self) -> Typed<'_> {
        match self {
            Self::Table(shape) => Typed::Table(shape, None),
            Self::Custom(schema) => Typed::CustomRoot(schema),
            Self::Nothing => Typed::Unknown,
        }
    }
}

fn schema(kind: &Kind, turn: &Turn<'_, '_>) -> Schema {
    let version = turn.store.definitions().of_kind(kind);
    Schema::of(kind, version.map(|(_, version)| version))
}

/// Fields that nobody owns. Source: `stripmeta.go`.
const UNOWNED: [&[&str]; 14] = [
    &["f:apiVersion"],
    &["f:kind"],
    &["f:metadata"],
    &["f:metadata", "f:name"],
    &["f:metadata", "f:namespace"],
    &["f:metadata", "f:creationTimestamp"],
    &["f:metadata", "f:selfLink"],
    &["f:metadata", "f:uid"],
    &["f:metadata", "f:clusterName"],
    &["f:metadata", "f:generation"],
    &["f:metadata", "f:managedFields"],
    &["f:metadata", "f:resourceVersion"],
    &["f:metadata", "f:deletionTimestamp"],
    &["f:metadata", "f:deletionGracePeriodSeconds"],
];

/// A set without the fields that nobody owns.
pub(super) fn stripped(mut set: FieldSet, has_status: bool) -> FieldSet {
    for path in UNOWNED {
        set.remove(path);
    }
    if has_status {
        set.without("f:status")
    } else {
        set
    }
}

/// Whether the status of a kind is written through requests of its own.
pub(super) fn has_status(kind: &Kind, version: Option<&Version>) -> bool {
    match version {
        Some(version) => version.status,
        None => kubernetes()
            .kind(kind.api_version, kind.kind)
            .and_then(|kind| kind.root)
            .is_some_and(|root| kubernetes().get(root).field("status").is_some()),
    }
}

/// What the server's own decoder makes of an object without contents: structures that are always
/// there, so that nobody is the first to write them. Custom objects have none.
fn blank(kind: &Kind) -> Value {
    let mut value = Value::map();
    value.set("metadata", Value::map());
    let Some(root) = kubernetes()
        .kind(kind.api_version, kind.kind)
        .and_then(|kind| kind.root)
        .filter(|_| !kind.custom)
    else {
        return value;
    };
    for field in ["spec", "status"] {
        if kubernetes().get(root).field(field).is_some() {
            value.set(field, Value::map());
        }
    }
    let template = |value: &mut Value, base: &[&str]| {
        let path = |tail: &[&'static str]| -> Vec<String> {
            base.iter()
                .chain(tail)
                .map(|part| (*part).to_owned())
                .collect()
        };
        for (tail, content) in [
            (&["metadata"][..], Value::map()),
            (&["spec", "containers"][..], Value::Null),
        ] {
            let full = path(tail);
            let full: Vec<&str> = full.iter().map(String::as_str).collect();
            value.set_path(&full, content);
        }
    };
    match kind.kind {
        "Pod" => value.set_path(&["spec", "containers"], Value::Null),
        "Deployment" => {
            template(&mut value, &["spec", "template"]);
            value.set_path(&["spec", "selector"], Value::Null);
            value.set_path(&["spec", "strategy"], Value::map());
        }
        "StatefulSet" | "DaemonSet" => {
            template(&mut value, &["spec", "template"]);
            value.set_path(&["spec", "selector"], Value::Null);
            value.set_path(&["spec", "updateStrategy"], Value::map());
        }
        "ReplicaSet" => {
            template(&mut value, &["spec", "template"]);
            value.set_path(&["spec", "selector"], Value::Null);
        }
        "Job" => template(&mut value, &["spec", "template"]),
        "CronJob" => {
            value.set_path(&["spec", "jobTemplate", "metadata"], Value::map());
            template(&mut value, &["spec", "jobTemplate", "spec", "template"]);
        }
        "Service" | "Ingress" => value.set_path(&["status", "loadBalancer"], Value::map()),
        "PersistentVolumeClaim" => value.set_path(&["spec", "resources"], Value::map()),
        _ => {}
    }
    value
}

fn key_of(kind: &Kind, object: &Value) -> DocumentKey {
    let text = |field: &str| object.str_at(&["metadata", field]).unwrap_or("");
    DocumentKey {
        resource: kind.stored().resource().into(),
        namespace: if kind.namespaced {
            text("namespace")
        } else {
            ""
        }
        .into(),
        name: text("name").into(),
    }
}

fn uid_of(object: &Value) -> &str {
    object.str_at(&["metadata", "uid"]).unwrap_or("")
}

/// Owners of an object that no request has written: what made it owns all of it.
fn derived(kind: &Kind, object: &Value, typed: Typed<'_>, has_status: bool) -> Vec<Owner> {
    let manager = match kind.kind {
        "Node" => "kubelet",
        _ => "kube-controller-manager",
    };
    let fields = stripped(field_set_lax(object, typed), has_status);
    if fields.is_empty() {
        return Vec::new();
    }
    vec![Owner {
        manager: manager.into(),
        applies: false,
        subresource: Subresource::Main,
        api_version: kind.api_version.into(),
        time: time_of(object),
        fields,
    }]
}

/// When an object was made, in the run's time.
fn time_of(object: &Value) -> crate::base::time::SimTime {
    let text = object.str_at(&["metadata", "creationTimestamp"]);
    text.and_then(crate::kube::rows::read::time)
        .unwrap_or(crate::base::time::SimTime::ZERO)
}

impl View<'_> {
    /// `metadata.managedFields` of an object that was read.
    pub fn managed_fields(&self, kind: &Kind, object: &Value) -> Value {
        Value::list(self.owners(kind, object).iter().map(rendered).collect())
    }

    /// Owners of an object that was read, in the order in which they are listed.
    pub(super) fn owners(&self, kind: &Kind, object: &Value) -> Vec<Owner> {
        let version = self.store.definitions().of_kind(kind).map(|found| found.1);
        let (schema, has_status) = (Schema::of(kind, version), has_status(kind, version));
        let key = key_of(kind, object);
        let mut owners = match self.store.managed().get(&key, uid_of(object)) {
            Some(owners) => owners.to_vec(),
            None => derived(kind, object, schema.typed(), has_status),
        };
        let written = owners
            .iter()
            .any(|owner| owner.subresource == Subresource::Status);
        let status = field_set_lax(object, schema.typed()).only("f:status");
        let known = status.below("f:status").is_some()
            && !crate::kube::render::zero::is_blank(kind.kind, object);
        if has_status && !written && !kind.custom && known {
            let manager = match kind.kind {
                "Pod" | "Node" => "kubelet",
                _ => "kube-controller-manager",
            };
            owners.push(Owner {
                manager: manager.into(),
                applies: false,
                subresource: Subresource::Status,
                api_version: kind.api_version.into(),
                time: time_of(object),
                fields: status,
            });
        }
        sort(&mut owners);
        owners
    }
}

fn rendered(owner: &Owner) -> Value {
    let mut value = Value::object([
        ("apiVersion", Value::String(owner.api_version.clone())),
        ("fieldsType", "FieldsV1".into()),
        ("fieldsV1", owner.fields.to_value()),
        ("manager", Value::String(owner.manager.clone())),
        (
            "operation",
            if owner.applies { "Apply" } else { "Update" }.into(),
        ),
        ("time", crate::kube::render::time(owner.time)),
    ]);
    if owner.subresource != Subresource::Main {
        value.set("subresource", owner.subresource.text().into());
    }
    value
}

/// Owners as a client writes them back.
fn parsed(value: &Value) -> Option<Vec<Owner>> {
    let list = value.as_list()?;
    let owners = list.iter().map(|entry| {
        let text = |field: &str| entry.str_at(&[field]).unwrap_or("");
        Some(Owner {
            manager: Arc::from(text("manager")),
            applies: match text("operation") {
                "Apply" => true,
                "Update" => false,
                _ => return None,
            },
            subresource: Subresource::parse(text("subresource")),
            api_version: text("apiVersion").into(),
            time: crate::kube::rows::read::time(text("time"))
                .unwrap_or(crate::base::time::SimTime::ZERO),
            fields: FieldSet::from_value(entry.get("fieldsV1")?),
        })
    });
    owners.collect()
}

/// What an update asks of the owners themselves.
enum Asked {
    /// Nothing: they are kept.
    Keep,
    /// That nobody owns anything.
    Reset,
    /// That it be these.
    Set(Vec<Owner>),
}

fn asked(object: &Value) -> Asked {
    match object.path(&["metadata", "managedFields"]) {
        None | Some(Value::Null) => Asked::Keep,
        Some(Value::List(list))
            if list.is_empty()
                || list.len() == 1 && list[0].as_map().is_some_and(|map| map.is_empty()) =>
        {
            Asked::Reset
        }
        Some(value) => parsed(value).map_or(Asked::Keep, Asked::Set),
    }
}

impl ApiServer {
    /// Answers a request of a field manager.
    pub(super) fn managed(
        &mut self,
        manager: &str,
        request: &Request,
        turn: &mut Turn<'_, '_>,
    ) -> Result<Response, Refusal> {
        if manager.len() > MANAGER_MAX {
            return Err(Refusal::bad_request(format!(
                "fieldManager: Invalid value: {manager:?}: may not be more than {MANAGER_MAX} bytes"
            )));
        }
        match request {
            Request::As { manager, request } => self.managed(manager, request, turn),
            Request::By { request, .. } => self.managed(manager, request, turn),
            Request::Apply {
                object,
                namespace,
                force,
                status,
            } => {
                let part = if *status {
                    Subresource::Status
                } else {
                    Subresource::Main
                };
                self.apply((manager, part), object, namespace, *force, turn)
            }
            Request::Create { object, namespace } => {
                let (response, read) = self.create(object, namespace, turn)?;
                if let Some(kind) = kind_of(&response.object, turn) {
                    let new = without_allocated(object, read);
                    let writer = (manager, Subresource::Main);
                    let change = (&blank(kind), &new);
                    self.record(writer, kind, change, &response.object, Vec::new(), turn);
                }
                Ok(response)
            }
            Request::Update { object, namespace }
            | Request::UpdateStatus { object, namespace }
            | Request::Resize { object, namespace }
            | Request::Ephemeral { object, namespace } => {
                let subresource = match request {
                    Request::UpdateStatus { .. } => Subresource::Status,
                    Request::Resize { .. } => Subresource::Resize,
                    Request::Ephemeral { .. } => Subresource::Ephemeral,
                    _ => Subresource::Main,
                };
                let Some((kind, old)) = current(object, namespace, turn) else {
                    return self.plain(request, turn);
                };
                let response = self.plain(request, turn)?;
                let owners = match asked(object) {
                    Asked::Keep => self.owners(kind, &old, turn),
                    Asked::Reset => {
                        let key = key_of(kind, &old);
                        turn.store.managed_mut().set(key, uid_of(&old), Vec::new());
                        return Ok(response);
                    }
                    Asked::Set(owners) => {
                        let key = key_of(kind, &old);
                        turn.store
                            .managed_mut()
                            .set(key, uid_of(&old), owners.clone());
                        owners
                    }
                };
                if response.changed {
                    let writer = (manager, subresource);
                    let new = defaulted(object, namespace, turn);
                    let new = new.as_ref().unwrap_or(&response.object);
                    self.record(writer, kind, (&old, new), &response.object, owners, turn);
                }
                Ok(response)
            }
            Request::Scale {
                kind,
                namespace,
                name,
                ..
            } => {
                let kind = known(kind, turn)?;
                let old = read(kind, namespace, name, turn);
                let response = self.plain(request, turn)?;
                if let Some(old) = old {
                    let owners = self.owners(kind, &old, turn);
                    let writer = (manager, Subresource::Scale);
                    let new = &response.object;
                    self.record(writer, kind, (&old, new), new, owners, turn);
                }
                Ok(response)
            }
            Request::Delete { .. }
            | Request::Evict { .. }
            | Request::Bind { .. }
            | Request::Finalize(_)
            | Request::Load { .. } => self.plain(request, turn),
        }
    }

    /// Owners of an object as they are before a write.
    fn owners(&self, kind: &Kind, object: &Value, turn: &Turn<'_, '_>) -> Vec<Owner> {
        let key = key_of(kind, object);
        match turn.store.managed().get(&key, uid_of(object)) {
            Some(owners) => owners.to_vec(),
            None => {
                let version = turn.store.definitions().of_kind(kind).map(|found| found.1);
                let schema = Schema::of(kind, version);
                derived(kind, object, schema.typed(), has_status(kind, version))
            }
        }
    }

    /// Notes what an update changed: its manager owns that now, and nobody else does.
    fn record(
        &mut self,
        (manager, subresource): (&str, Subresource),
        kind: &Kind,
        (old, new): (&Value, &Value),
        stored: &Value,
        mut owners: Vec<Owner>,
        turn: &mut Turn<'_, '_>,
    ) {
        let schema = schema(kind, turn);
        let version = turn.store.definitions().of_kind(kind).map(|found| found.1);
        let has_status = has_status(kind, version);
        let found = compare(old, new, schema.typed());
        let own = |set: FieldSet| match subresource {
            Subresource::Status => stripped(set, false).only("f:status"),
            Subresource::Main
            | Subresource::Scale
            | Subresource::Resize
            | Subresource::Ephemeral => stripped(set, has_status),
        };
        let (written, removed) = (own(found.added.union(&found.modified)), own(found.removed));
        let now = turn.now();
        let mut entry = Owner {
            manager: manager.into(),
            applies: false,
            subresource,
            api_version: kind.api_version.into(),
            time: now,
            fields: FieldSet::new(),
        };
        owners.retain_mut(|owner| {
            owner.fields = owner.fields.difference(&removed);
            if owner.is(&entry) {
                entry.fields = owner.fields.clone();
                if written.is_empty() {
                    entry.time = owner.time;
                }
                return false;
            }
            owner.fields = owner.fields.difference(&written);
            !owner.fields.is_empty()
        });
        entry.fields = entry.fields.union(&written);
        if !entry.fields.is_empty() {
            owners.push(entry);
        }
        sort(&mut owners);
        cap(&mut owners);
        turn.store
            .managed_mut()
            .set(key_of(kind, stored), uid_of(stored), owners);
    }

    /// Server-side apply.
    fn apply(
        &mut self,
        (manager, part): (&str, Subresource),
        object: &Value,
        namespace: &str,
        force: bool,
        turn: &mut Turn<'_, '_>,
    ) -> Result<Response, Refusal> {
        if manager.is_empty() {
            return Err(Refusal::bad_request(
                "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch".to_owned(),
            ));
        }
        let Some(kind) = kind_of(object, turn) else {
            return Err(Refusal::no_such_resource());
        };
        if let Some(Value::List(list)) = object.path(&["metadata", "managedFields"])
            && !list.is_empty()
        {
            return Err(Refusal::bad_request(
                "metadata.managedFields must be nil".to_owned(),
            ));
        }
        let mut config = self.config(kind, object, namespace, turn);
        let key = key_of(kind, &config);
        if part == Subresource::Status {
            config = only_status(config);
        }
        let live = read(kind, &key.namespace, &key.name, turn);
        if live.is_none() && !uid_of(&config).is_empty() {
            return Err(conflict(
                kind,
                &key.name,
                format!(
                    "uid mismatch: the provided object specified uid {}, and no existing object was found",
                    uid_of(&config)
                ),
            ));
        }
        let schema = schema(kind, turn);
        let typed = schema.typed();
        let version = turn.store.definitions().of_kind(kind).map(|found| found.1);
        let has_status = has_status(kind, version);
        let fields = declared(object, typed).and_then(|()| field_set(&config, typed));
        let fields = fields.map_err(|errors| {
            let text = match errors.as_slice() {
                [one] => one.clone(),
                many => format!("errors:\n  {}", many.join("\n  ")),
            };
            Refusal::internal(&format!(
                "failed to create typed patch object ({}/{}; {}, Kind={}): {text}",
                key.namespace, key.name, kind.api_version, kind.kind
            ))
        })?;
        let fields = match part {
            Subresource::Status => stripped(fields, false).only("f:status"),
            _ => stripped(fields, has_status),
        };
        let base = live.clone().unwrap_or_else(|| blank(kind));
        let mut owners = match &live {
            None => Vec::new(),
            Some(live) => self.owners(kind, live, turn),
        };
        if let Some(live) = &live
            && owners.is_empty()
        {
            owners.push(Owner {
                manager: "before-first-apply".into(),
                applies: false,
                subresource: Subresource::Main,
                api_version: kind.api_version.into(),
                time: time_of(live),
                fields: stripped(field_set_lax(live, typed), has_status),
            });
        }
        let mut own = Owner {
            manager: manager.into(),
            applies: true,
            subresource: part,
            api_version: kind.api_version.into(),
            time: turn.now(),
            fields,
        };
        let before = owners.iter().find(|owner| owner.is(&own)).cloned();
        let mut others: Vec<Owner> = owners.into_iter().filter(|owner| !owner.is(&own)).collect();
        let merged = merge(&base, &config, typed);
        let last = before.as_ref().map(|owner| owner.fields.clone());
        let mut merged = prune_unapplied(merged, last, &own, &others, typed);
        let found = compare(&base, &merged, typed);
        let written = found.added.union(&found.modified);
        let clashes: Vec<(Owner, FieldSet)> = others
            .iter()
            .map(|owner| (owner.clone(), owner.fields.intersection(&written)))
            .filter(|(_, fields)| !fields.is_empty())
            .collect();
        if !clashes.is_empty() && !force {
            let left = match &live {
                Some(live) if manager == "kubectl" => not_last_applied(clashes, live, typed),
                _ => clashes,
            };
            if !left.is_empty() {
                return Err(conflict(kind, &key.name, conflict_text(&left)));
            }
        }
        if manager == "kubectl" {
            tell_applied(&mut merged, &config);
        }
        for owner in &mut others {
            owner.fields = owner.fields.difference(&written).difference(&found.removed);
        }
        others.retain(|owner| !owner.fields.is_empty());
        let response = match &live {
            None if part == Subresource::Status => {
                return Err(Refusal::not_found(kind, &key.name));
            }
            None => self.plain(
                &Request::Create {
                    object: without_nulls(&identified(&merged, kind, &key)),
                    namespace: key.namespace.clone(),
                },
                turn,
            )?,
            Some(live) if without_nulls(&merged) == *live => Response {
                object: live.clone(),
                changed: false,
            },
            Some(_) => {
                let object = without_nulls(&identified(&merged, kind, &key));
                let namespace = key.namespace.clone();
                let request = if part == Subresource::Status {
                    Request::UpdateStatus { object, namespace }
                } else {
                    Request::Update { object, namespace }
                };
                self.plain(&request, turn)?
            }
        };
        let same = before
            .as_ref()
            .is_some_and(|before| before.fields == own.fields);
        if same && !response.changed {
            own.time = before.map_or(own.time, |before| before.time);
        } else if !response.changed && live.is_some() {
            // Only who owns what has changed; that is a write too.
            self.touch(kind, &key, turn);
        }
        others.push(own);
        sort(&mut others);
        cap(&mut others);
        let object = read(kind, &key.namespace, &key.name, turn).unwrap_or(response.object);
        turn.store.managed_mut().set(key, uid_of(&object), others);
        Ok(Response {
            object,
            changed: response.changed || !same,
        })
    }

    /// What is applied: the namespace filled in, unknown fields dropped.
    fn config(&self, kind: &Kind, object: &Value, namespace: &str, turn: &Turn<'_, '_>) -> Value {
        let mut config = object.clone();
        if kind.namespaced
            && config
                .str_at(&["metadata", "namespace"])
                .is_none_or(str::is_empty)
        {
            let namespace = if namespace.is_empty() {
                "default"
            } else {
                namespace
            };
            config.set_path(&["metadata", "namespace"], namespace.into());
        }
        config.remove_path(&["metadata", "managedFields"]);
        match turn.store.definitions().of_kind(kind) {
            None => prune::prune(&mut config, kind.api_version, kind.kind),
            Some((_, version)) => {
                crate::object::structural::prune::prune(&mut config, &version.schema);
            }
        }
        config
    }

    /// A new version of an object of which only the owners changed.
    fn touch(&mut self, kind: &Kind, key: &DocumentKey, turn: &mut Turn<'_, '_>) {
        if turn.store.documents().get(key).is_some() {
            turn.store.change_document(key, |_| {});
            super::note("apply", kind_static(kind, turn), &key.name, turn);
        }
    }
}

/// The one pointer of a kind.
fn kind_static(kind: &Kind, turn: &Turn<'_, '_>) -> &'static Kind {
    turn.store
        .kind_of_object(kind.api_version, kind.kind)
        .unwrap_or(&crate::kube::kinds::KINDS[0])
}

fn kind_of(object: &Value, turn: &Turn<'_, '_>) -> Option<&'static Kind> {
    turn.store.kind_of_object(
        object.str_at(&["apiVersion"]).unwrap_or(""),
        object.str_at(&["kind"]).unwrap_or(""),
    )
}

/// The object that an update would replace.
fn current(object: &Value, namespace: &str, turn: &Turn<'_, '_>) -> Option<(&'static Kind, Value)> {
    let kind = kind_of(object, turn)?;
    let written = object.str_at(&["metadata", "namespace"]).unwrap_or("");
    let namespace = [written, namespace, "default"]
        .into_iter()
        .find(|one| !one.is_empty())
        .unwrap_or("");
    let name = object.str_at(&["metadata", "name"]).unwrap_or("");
    Some((kind, read(kind, namespace, name, turn)?))
}

fn identified(value: &Value, kind: &Kind, key: &DocumentKey) -> Value {
    let mut value = value.clone();
    value.set("apiVersion", kind.api_version.into());
    value.set("kind", kind.kind.into());
    value.set_path(&["metadata", "name"], Value::String(key.name.clone()));
    value
}

/// What a request to the subresource `status` has of an object: what names it, and its status.
fn only_status(object: Value) -> Value {
    let mut rest = Value::map();
    for path in [
        &["apiVersion"][..],
        &["kind"],
        &["metadata", "name"],
        &["metadata", "namespace"],
        &["status"],
    ] {
        if let Some(value) = object.path(path) {
            rest.set_path(path, value.clone());
        }
    }
    rest
}

/// Makes one of the oldest update entries when there are too many.
fn cap(owners: &mut Vec<Owner>) {
    loop {
        let updates: Vec<usize> = (0..owners.len())
            .filter(|index| !owners[*index].applies)
            .collect();
        if updates.len() <= UPDATES_MAX {
            return;
        }
        let (first, second) = (updates[0], updates[1]);
        let newer = owners.remove(second);
        let older = &mut owners[first];
        older.manager = "ancient-changes".into();
        older.fields = older.fields.union(&newer.fields);
        older.time = newer.time;
        older.subresource = Subresource::Main;
        sort(owners);
    }
}
