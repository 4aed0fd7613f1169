//! Admission of objects that people create: a pod's runtime class, the namespace's limits, its security
//! level, policies in CEL, its quotas.
//! Source: `pkg/kubeapiserver/options/plugins.go`. What changes an object comes first, then the
//! object is validated, quotas are asked last.

pub mod limits;
pub mod policy;
pub mod quota;
pub mod runtime_class;
pub mod security;
pub mod typecheck;
pub mod webhook;

use std::sync::Arc;

use crate::kube::kinds::Kind;
use crate::kube::rows::node::TAINT_NOT_READY;
use crate::kube::rows::read;
use crate::kube::store::document::DocumentKey;
use crate::kube::turn::Turn;
use crate::kube::volumes::claim;
use crate::manifest::value::Value;

use super::{Refusal, priority, rbac};

/// Classes of Ingresses, the field that names one, and the annotation of what is taken by default.
/// Source: `plugin/pkg/admission/network/defaultingressclass/admission.go`.
const INGRESS_CLASSES: &str = "ingressclasses.networking.k8s.io";
const INGRESS_CLASS_NAME: &str = "ingressClassName";
const DEFAULT_INGRESS: &str = "ingressclass.kubernetes.io/is-default-class";

/// Fills in what the namespace gives to those who say nothing.
pub fn fill(kind: &Kind, namespace: &str, object: &mut Value, turn: &Turn<'_, '_>) {
    if kind.kind == "Pod" {
        limits::fill(namespace, object, turn);
        runtime_class::fill(object, turn);
        priority::fill(object, turn.store);
    }
    if kind.kind == "Node" {
        taint(object);
    }
    let named = object.path(&["spec", INGRESS_CLASS_NAME]).is_some()
        || object
            .path(&["metadata", "annotations", "kubernetes.io/ingress.class"])
            .is_some();
    if kind.kind == "Ingress"
        && !named
        && let Some(class) = claim::default_of(INGRESS_CLASSES, DEFAULT_INGRESS, turn.store)
    {
        object.set_path(&["spec", INGRESS_CLASS_NAME], (&*class).into());
    }
}

/// A node is not ready until somebody says that it is.
/// Source: `plugin/pkg/admission/nodetaint/admission.go`.
fn taint(node: &mut Value) {
    let mut taints = read::list(node, &["spec", "taints"]).to_vec();
    let ours = |taint: &Value| {
        read::text(taint, &["key"]) == TAINT_NOT_READY
            && read::text(taint, &["effect"]) == "NoSchedule"
    };
    if !taints.iter().any(ours) {
        let mut taint = Value::map();
        taint.set("effect", "NoSchedule".into());
        taint.set("key", TAINT_NOT_READY.into());
        taints.push(taint);
        node.set_path(&["spec", "taints"], Value::list(taints));
    }
}

/// Whether an object may be created by a user.
///
/// # Errors
/// `Forbidden`, in upstream's words.
pub fn check(
    kind: &'static Kind,
    namespace: &str,
    object: &Value,
    (user, who): (&str, Option<&rbac::Who>),
    turn: &Turn<'_, '_>,
) -> Result<(), Refusal> {
    let name: Arc<str> = object.str_at(&["metadata", "name"]).unwrap_or("").into();
    let refuse = |why: String| Refusal::forbidden(kind, &name, &why);
    match kind.kind {
        "Pod" => {
            account(namespace, object, turn).map_err(refuse)?;
            limits::check_pod(namespace, object, turn).map_err(refuse)?;
            security::check(namespace, object, turn).map_err(refuse)?;
            runtime_class::check(object, turn).map_err(refuse)?;
            quota::states_enough(namespace, object, turn).map_err(refuse)?;
        }
        "PersistentVolumeClaim" => {
            limits::check_claim(namespace, object, turn).map_err(refuse)?;
        }
        "PriorityClass" => {
            priority::check_class(&name, object, turn.store).map_err(refuse)?;
        }
        _ => {}
    }
    policy::check(
        &policy::Attempt {
            user,
            who,
            operation: "CREATE",
            kind,
            namespace,
            name: &name,
            object: Some(object),
            old: None,
        },
        turn,
    )?;
    quota::fits(kind, namespace, (None, object), turn).map_err(refuse)
}

/// Whether an object that is written may take what it takes more, of its class's volumes and of quotas.
///
/// # Errors
/// `Forbidden`, in upstream's words.
pub fn check_growth(
    kind: &'static Kind,
    key: &DocumentKey,
    (old, new): (&Value, &Value),
    turn: &Turn<'_, '_>,
) -> Result<(), Refusal> {
    if kind.kind == "PriorityClass" {
        return priority::check_class(&key.name, new, turn.store)
            .map_err(|why| Refusal::forbidden(kind, &key.name, &why));
    }
    if !quota::counts_writes(kind) {
        return Ok(());
    }
    if &*key.resource == claim::CLAIMS {
        claim::may_grow(old, new, turn.store)
            .map_err(|why| Refusal::forbidden(kind, &key.name, why))?;
    }
    quota::fits(kind, &key.namespace, (Some(old), new), turn)
        .map_err(|why| Refusal::forbidden(kind, &key.name, &why))
}

/// Whether the account that a pod names is there. That of every namespace is made by a controller, and
/// waited for by nobody here.
/// Source: `plugin/pkg/admission/serviceaccount/admission.go`.
fn account(namespace: &str, pod: &Value, turn: &Turn<'_, '_>) -> Result<(), String> {
    let name = pod.str_at(&["spec", "serviceAccountName"]).unwrap_or("");
    let key = DocumentKey {
        name: name.into(),
        ..crate::kube::controllers::service_account::key(namespace)
    };
    if matches!(name, "" | "default") || turn.store.documents().get(&key).is_some() {
        return Ok(());
    }
    Err(format!(
        "error looking up service account {namespace}/{name}: serviceaccount \"{name}\" not found"
    ))
}
