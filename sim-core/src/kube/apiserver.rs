//! The API server: admission, defaults, validation, allocation, and the objects' life from create
//! to delete. Refusals carry upstream's codes, reasons and sentences.
//! Sources: `staging/src/k8s.io/apimachinery/pkg/api/errors/errors.go`, `pkg/registry`.

pub mod admission;
pub mod api_services;
pub mod binding;
pub mod changes;
pub mod conditions;
pub mod custom;
pub mod delete;
pub mod ephemeral;
mod event;
pub mod priority;
pub mod rbac;
pub mod immutable;
pub mod load;
pub mod managed;
pub mod namespace;
pub mod own_service;
pub mod eviction;
pub mod refusal;
pub mod resize;
pub mod revive;
pub mod service;
pub mod template;
pub mod thaw;
pub mod workload;
pub mod write;

use std::sync::Arc;

use crate::base::name::Name;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::des::notice::Detail;
use crate::manifest::value::Value;

use super::controllers::{service_account, service_cidr};
use super::kinds::Kind;
use super::render::View;
use super::store::document::{Document, DocumentKey};
use super::turn::Turn;

pub use refusal::{Cause, Refusal};

/// What becomes of dependents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Propagation {
    /// The owner goes at once, its dependents after it.
    Background,
    /// Dependents go first.
    Foreground,
    /// Dependents stay and lose their owner.
    Orphan,
}

/// A request that changes something. Reading needs none: see [`View`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// POST of an object; the namespace applies when the object names none.
    Create {
        /// The object.
        object: Value,
        /// Namespace of the request.
        namespace: Arc<str>,
    },
    /// PUT of an object, which is also what a patch or an apply comes down to.
    Update {
        /// The whole object.
        object: Value,
        /// Namespace of the request.
        namespace: Arc<str>,
    },
    /// PUT of an object to its status subresource.
    UpdateStatus {
        /// The whole object.
        object: Value,
        /// Namespace of the request.
        namespace: Arc<str>,
    },
    /// PUT of a pod to its resize subresource.
    Resize {
        /// The whole pod.
        object: Value,
        /// Namespace of the request.
        namespace: Arc<str>,
    },
    /// PUT of a pod to its ephemeralcontainers subresource.
    Ephemeral {
        /// The whole pod.
        object: Value,
        /// Namespace of the request.
        namespace: Arc<str>,
    },
    /// A server-side apply.
    Apply {
        /// What the manager wants.
        object: Value,
        /// Namespace of the request.
        namespace: Arc<str>,
        /// Whether conflicts are won.
        force: bool,
        /// Whether it is of the subresource `status`.
        status: bool,
    },
    /// A request of a named field manager; the others are of the manager `unknown`.
    As {
        /// `fieldManager`.
        manager: Arc<str>,
        /// The request.
        request: Arc<Request>,
    },
    /// A request of somebody other than the administrator, who was asked whether he may.
    By {
        /// Whose request it is.
        who: Arc<rbac::Who>,
        /// The request.
        request: Arc<Request>,
    },
    /// An object taken over from a live cluster as it was read there, status included.
    Load {
        /// The object.
        object: Value,
    },
    /// PUT of a size to the scale subresource.
    Scale {
        /// Kind, e.g. `Deployment`.
        kind: Arc<str>,
        /// Namespace.
        namespace: Arc<str>,
        /// Name.
        name: Arc<str>,
        /// Pods wanted.
        replicas: i64,
    },
    /// POST to a pod's eviction subresource: a deletion that its budget may refuse.
    Evict {
        /// Namespace.
        namespace: Arc<str>,
        /// Name.
        name: Arc<str>,
        /// `deleteOptions.gracePeriodSeconds`.
        grace_seconds: Option<i64>,
    },
    /// POST to a pod's binding subresource: what a scheduler does.
    Bind {
        /// Namespace.
        namespace: Arc<str>,
        /// Name.
        name: Arc<str>,
        /// `target.kind`.
        kind: Arc<str>,
        /// `target.name`.
        node: Arc<str>,
    },
    /// DELETE of an object.
    Delete {
        /// Kind, e.g. `Pod`.
        kind: Arc<str>,
        /// Namespace; empty for cluster-wide kinds.
        namespace: Arc<str>,
        /// Name.
        name: Arc<str>,
        /// `propagationPolicy`; none: the kind's own.
        propagation: Option<Propagation>,
        /// `gracePeriodSeconds`.
        grace_seconds: Option<i64>,
    },
    /// PUT of a namespace to its finalize subresource.
    Finalize(
        /// The whole namespace.
        Value,
    ),
}

/// The answer to a request that was granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The object as it is stored now; for a deletion, as it was.
    pub object: Value,
    /// Whether the request wrote anything.
    pub changed: bool,
}

/// The API server's own state: what it has given out.
#[derive(Clone, Debug, Default)]
pub struct ApiServer {
    /// Addresses and node ports of Services.
    allocations: service::Allocations,
    /// Draws made for names and addresses.
    draws: SortedMap<&'static str, u32>,
    /// Whose request is being answered; none: the administrator's.
    who: Option<Arc<rbac::Who>>,
    /// Whether nodes were taken over: one that a pod names and that was not is missing.
    knows_nodes: bool,
    /// Namespaces that are being deleted.
    namespaces: SortedMap<Arc<str>, namespace::Due>,
    /// Uids of owners that objects name which were taken over and have no row yet.
    owners_loaded: SortedSet<String>,
}

/// Namespaces that a fresh cluster has.
pub const BUILT_IN_NAMESPACES: [&str; 4] =
    ["default", "kube-node-lease", "kube-public", "kube-system"];

impl ApiServer {
    /// Answers a request.
    ///
    /// # Errors
    /// A refusal in upstream's words.
    pub fn request(
        &mut self,
        request: &Request,
        turn: &mut Turn<'_, '_>,
    ) -> Result<Response, Refusal> {
        self.bootstrap(turn);
        match request {
            Request::By { who, request } => {
                self.who = Some(who.clone());
                let answer = self.request(request, turn);
                self.who = None;
                answer
            }
            Request::As { manager, request } => self.versioned(manager, request, turn),
            other => self.versioned("unknown", other, turn),
        }
    }

    /// Answers a request without keeping who owns which field.
    fn plain(&mut self, request: &Request, turn: &mut Turn<'_, '_>) -> Result<Response, Refusal> {
        match request {
            Request::As { request, .. } | Request::By { request, .. } => self.plain(request, turn),
            Request::UpdateStatus { object, namespace } => {
                self.update_status(object, namespace, turn)
            }
            Request::Resize { object, namespace } => self.resize(object, namespace, turn),
            Request::Ephemeral { object, namespace } => self.add_ephemeral(object, namespace, turn),
            Request::Finalize(object) => self.put_finalizers(object, turn),
            Request::Apply { .. } => Err(Refusal::bad_request(
                "an apply is merged before it is written".to_owned(),
            )),
            Request::Create { object, namespace } => {
                let (response, _) = self.create(object, namespace, turn)?;
                Ok(response)
            }
            Request::Update { object, namespace } => self.update(object, namespace, turn),
            Request::Load { object } => self.load(object, turn),
            Request::Scale {
                kind,
                namespace,
                name,
                replicas,
            } => self.scale(kind, namespace, name, *replicas, turn),
            Request::Evict {
                namespace,
                name,
                grace_seconds,
            } => self.evict(namespace, name, *grace_seconds, turn),
            Request::Bind {
                namespace,
                name,
                kind,
                node,
            } => self.bind(namespace, name, kind, node, turn),
            Request::Delete {
                kind,
                namespace,
                name,
                propagation,
                grace_seconds,
            } => self.delete(kind, namespace, name, *propagation, *grace_seconds, turn),
        }
    }

    /// Makes what every cluster starts with.
    pub fn bootstrap(&mut self, turn: &mut Turn<'_, '_>) {
        let key = |name: &str| DocumentKey {
            resource: "namespaces".into(),
            namespace: "".into(),
            name: name.into(),
        };
        turn.store.seed = turn.ctx.seed.0;
        if turn.store.documents().get(&key("kube-system")).is_some() {
            return;
        }
        Self::add_default_class(turn);
        for name in BUILT_IN_NAMESPACES {
            let value = write::parse::namespace_object(name);
            let revision = turn.store.bump();
            turn.store.documents_mut().insert(
                key(name),
                Document::new(value, 0, crate::base::time::SimTime::ZERO, revision),
            );
            turn.store.add_document(
                service_account::key(name),
                service_account::account(name),
                0,
                crate::base::time::SimTime::ZERO,
            );
            turn.store.documents_mut().insert_quietly(
                service_account::root_key(name),
                Document::new(
                    service_account::root(name, turn.ctx.seed),
                    0,
                    crate::base::time::SimTime::ZERO,
                    revision,
                ),
            );
        }
        own_service::found(turn);
        let revision = turn.store.bump();
        for value in rbac::bootstrap::roles()
            .into_iter()
            .chain(rbac::bootstrap::bindings())
            .chain(priority::system_classes())
            .chain(api_services::built_in())
            .chain([service_cidr::first()])
        {
            let Some(kind) = super::kinds::of_word(value.str_at(&["kind"]).unwrap_or("")) else {
                continue;
            };
            turn.store.documents_mut().insert_quietly(
                DocumentKey {
                    resource: kind.resource().into(),
                    namespace: "".into(),
                    name: value.str_at(&["metadata", "name"]).unwrap_or("").into(),
                },
                Document::new(value, 0, crate::base::time::SimTime::ZERO, revision),
            );
        }
    }

    /// Address and ports for a Service that has none or brings its own.
    fn allocate(
        &mut self,
        service: &crate::api::kube::service::Service,
        luck: service::Luck<'_>,
        store: &super::store::Store,
    ) -> Result<service::Allocated, Vec<Cause>> {
        self.allocations
            .grant(service, None, luck, &service_cidr::ready(store))
    }

    /// The default class: what a cluster gets with its cloud's driver. Volumes are made where the
    /// first pod goes.
    fn add_default_class(turn: &mut Turn<'_, '_>) {
        let mut value = Value::object([
            ("apiVersion", Value::from("storage.k8s.io/v1")),
            ("kind", "StorageClass".into()),
            ("provisioner", "disk.csi.podium.dev".into()),
            ("reclaimPolicy", "Delete".into()),
            ("volumeBindingMode", "WaitForFirstConsumer".into()),
        ]);
        value.set_path(&["metadata", "name"], "standard".into());
        value.set_path(
            &[
                "metadata",
                "annotations",
                "storageclass.kubernetes.io/is-default-class",
            ],
            "true".into(),
        );
        let revision = turn.store.bump();
        let key = DocumentKey {
            resource: "storageclasses.storage.k8s.io".into(),
            namespace: "".into(),
            name: "standard".into(),
        };
        turn.store.documents_mut().insert_quietly(
            key,
            Document::new(value, 0, crate::base::time::SimTime::ZERO, revision),
        );
    }

    /// Number of the next draw of a kind.
    fn draw(&mut self, what: &'static str) -> u32 {
        let draw = self.draws.entry(what).or_insert(0);
        *draw += 1;
        *draw
    }
}

/// The object as a client would read it now.
pub(crate) fn read(kind: &Kind, namespace: &str, name: &str, turn: &Turn<'_, '_>) -> Option<Value> {
    view(turn).get(kind, namespace, name)
}

/// What a client would read now.
fn view<'a>(turn: &'a Turn<'_, '_>) -> View<'a> {
    View {
        store: turn.store,
        settings: turn.settings,
        heartbeats: None,
        control_plane: None,
        symbols: turn.ctx.symbols,
        machines: turn.ctx.machines,
        now: turn.ctx.now,
        seed: turn.ctx.seed,
    }
}

/// The kind that a request names.
pub(crate) fn known(kind: &str, turn: &Turn<'_, '_>) -> Result<&'static Kind, Refusal> {
    turn.store
        .definitions()
        .request_kind(kind)
        .ok_or_else(Refusal::no_such_resource)
}

/// A conflict in a request's own words.
pub(crate) fn conflict(kind: &Kind, name: &str, message: String) -> Refusal {
    Refusal {
        message: message.into(),
        ..Refusal::conflict(kind, name)
    }
}

/// Leaves the trace line of a request from outside.
pub(crate) fn note(verb: &'static str, kind: &'static Kind, name: &str, turn: &mut Turn<'_, '_>) {
    let name = Name::plain(turn.ctx.symbols.intern(name));
    turn.note("kube.apiserver", verb, singular(kind), name, Detail::None);
}

/// A kind's word in the trace.
pub fn singular(kind: &'static Kind) -> &'static str {
    match kind.kind {
        "Deployment" => "deployment",
        "ReplicaSet" => "replicaset",
        "Pod" => "pod",
        "Service" => "service",
        "Node" => "node",
        "Namespace" => "namespace",
        "StatefulSet" => "statefulset",
        "DaemonSet" => "daemonset",
        "ReplicationController" => "replicationcontroller",
        "Job" => "job",
        "CronJob" => "cronjob",
        "HorizontalPodAutoscaler" => "hpa",
        "PodDisruptionBudget" => "pdb",
        "ResourceQuota" => "resourcequota",
        _ => kind.plural,
    }
}
