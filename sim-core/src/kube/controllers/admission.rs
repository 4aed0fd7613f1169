//! Admission of what controllers make: what a person's pod meets, theirs meet too. The namespace's
//! limits fill in what is missing, its limits, security level, policies and quotas are asked. Policies
//! are asked as well before controllers delete pods and give ReplicaSets another size.
//! Source: `pkg/kubeapiserver/options/plugins.go`.

use crate::base::name::Name;
use crate::kube::apiserver::workload::keep_template;
use crate::kube::apiserver::{Cause, Refusal, admission, namespace, priority, read};
use crate::kube::kinds::{self, Kind};
use crate::kube::kubelet::statics::is_mirror;
use crate::kube::rows::pod::PodFlags;
use crate::kube::rows::workload::OwnerKind;
use crate::kube::rows::{PodId, ReplicaSetId};
use crate::kube::store::document::DocumentKey;
use crate::kube::template::{PodTemplate, TemplateId};
use crate::kube::turn::Turn;
use crate::manifest::decode::kube::decode_value;
use crate::manifest::value::Value;

use super::quota;
use super::revisions::owner_reference;

/// The service account that a kind's controller acts as.
/// Source: `plugin/pkg/auth/authorizer/rbac/bootstrappolicy/controller_policy.go`.
pub const fn account(kind: OwnerKind) -> &'static str {
    match kind {
        OwnerKind::ReplicaSet => "system:serviceaccount:kube-system:replicaset-controller",
        OwnerKind::ReplicationController => {
            "system:serviceaccount:kube-system:replication-controller"
        }
        OwnerKind::StatefulSet => "system:serviceaccount:kube-system:statefulset-controller",
        OwnerKind::DaemonSet => "system:serviceaccount:kube-system:daemon-set-controller",
        OwnerKind::Job => "system:serviceaccount:kube-system:job-controller",
    }
}

/// The template that an owner's pod is really made from: the given one, with what its namespace fills
/// in.
///
/// # Errors
/// `pods "x" is forbidden: …`.
pub fn admit(
    owner: ReplicaSetId,
    template: TemplateId,
    name: Name,
    turn: &mut Turn<'_, '_>,
) -> Result<TemplateId, String> {
    let PodTemplate {
        namespace, refers, ..
    } = **turn.store.template(template);
    if !refers && turn.store.documents().is_lenient(namespace) {
        return Ok(template);
    }
    let text = turn.ctx.symbols.text(namespace).to_owned();
    if namespace::is_terminating(&text, turn) {
        let name = name.text(turn.ctx.symbols);
        return Err(format!(
            "pods {name:?} is forbidden: unable to create new content in namespace {text} because it is being terminated"
        ));
    }
    let asks = asks(&text, turn);
    if !asks {
        turn.store.documents_mut().keep_lenient(namespace);
    }
    let admitted = if refers || asks {
        limited(owner, template, name, &text, turn)?
    } else {
        template
    };
    quota::admit(admitted, name, turn)?;
    Ok(admitted)
}

/// What a pod of a template begins with: a token for the API server, unless it or its account has
/// none. Source: `plugin/pkg/admission/serviceaccount/admission.go` (`mountServiceAccountToken`).
pub fn flags(template: TemplateId, turn: &Turn<'_, '_>) -> PodFlags {
    let template = turn.store.template(template);
    let token = template.automount.unwrap_or_else(|| {
        turn.store.documents().is_lenient(template.namespace) && !template.refers
            || account_gives_tokens(template, turn)
    });
    if token && !is_mirror(template) {
        PodFlags::TOKEN
    } else {
        PodFlags::default()
    }
}

fn account_gives_tokens(template: &PodTemplate, turn: &Turn<'_, '_>) -> bool {
    let account = template.document.str_at(&["spec", "serviceAccountName"]);
    let key = DocumentKey {
        resource: "serviceaccounts".into(),
        namespace: turn.ctx.symbols.text(template.namespace).into(),
        name: account.unwrap_or("default").into(),
    };
    let found = turn.store.documents().get(&key);
    found.is_none_or(|found| !withholds(&found.value))
}

fn withholds(account: &Value) -> bool {
    let automount = account.get("automountServiceAccountToken");
    automount.and_then(Value::as_bool) == Some(false)
}

/// Whether a namespace says anything about its pods. Most do not, and cost nothing.
fn asks(namespace: &str, turn: &Turn<'_, '_>) -> bool {
    let documents = turn.store.documents();
    let any = |resource: &str| {
        documents
            .of(resource)
            .any(|(key, _)| &*key.namespace == namespace)
    };
    let key = DocumentKey {
        resource: "namespaces".into(),
        namespace: "".into(),
        name: namespace.into(),
    };
    let accounts = documents.of("serviceaccounts");
    any("limitranges")
        || accounts
            .filter(|(key, _)| &*key.namespace == namespace)
            .any(|(_, account)| withholds(&account.value))
        || any("resourcequotas")
        || priority::has_default(turn.store)
        || admission::policy::is_any_bound(turn)
        || documents
            .get(&key)
            .is_some_and(|document| admission::security::is_enforced(&document.value))
}

fn limited(
    owner: ReplicaSetId,
    template: TemplateId,
    name: Name,
    namespace: &str,
    turn: &mut Turn<'_, '_>,
) -> Result<TemplateId, String> {
    let kind = kinds::KINDS
        .iter()
        .find(|kind| kind.kind == "Pod")
        .expect("Pod is a kind");
    let document = turn.store.template(template).document.clone();
    let mut pod = Value::clone(&document);
    let name = name.text(turn.ctx.symbols);
    pod.set("apiVersion", kind.api_version.into());
    pod.set("kind", kind.kind.into());
    pod.set_path(&["metadata", "namespace"], namespace.into());
    pod.set_path(&["metadata", "name"], name.as_str().into());
    let user = account(
        turn.store
            .replica_set(owner)
            .map_or_else(Default::default, |row| row.kind),
    );
    if let Some(reference) = owner_reference(owner, turn) {
        pod.set_path(
            &["metadata", "ownerReferences"],
            Value::list(vec![reference]),
        );
    }
    let before = pod.clone();
    admission::fill(kind, namespace, &mut pod, turn);
    if pod != before {
        valid(kind, &name, &pod)?;
    }
    admission::check(kind, namespace, &pod, (user, None), turn)
        .map_err(|refusal: Refusal| refusal.message.to_string())?;
    if pod == before {
        return Ok(template);
    }
    for field in ["name", "namespace", "ownerReferences"] {
        pod.remove_path(&["metadata", field]);
    }
    for field in ["apiVersion", "kind"] {
        pod.remove(field);
    }
    keep_template(&pod, namespace, turn)
        .ok_or_else(|| format!("pods \"{name}\" is forbidden: its limits cannot be read"))
}

/// What is filled in may not fit what is there: a request above its limit.
fn valid(kind: &'static Kind, name: &str, pod: &Value) -> Result<(), String> {
    let (_, remarks) = decode_value(pod);
    let causes: Vec<Cause> = remarks
        .iter()
        .filter(|remark| remark.is_error())
        .map(|remark| {
            let message = remark.message.words();
            let (field, message) = message.split_once(": ").unwrap_or(("", &message));
            Cause {
                field: field.to_owned(),
                message: message.into(),
            }
        })
        .collect();
    if causes.is_empty() {
        return Ok(());
    }
    Err(Refusal::invalid(kind, name, causes).message.into())
}

/// Whether bound policies let somebody delete a pod.
///
/// # Errors
/// `pods "x" is forbidden: …`.
pub fn judge_delete(user: &str, pod: PodId, turn: &Turn<'_, '_>) -> Result<(), String> {
    if !admission::policy::is_any_bound(turn) {
        return Ok(());
    }
    let Some(row) = turn.store.pod(pod) else {
        return Ok(());
    };
    let namespace = turn.store.template(row.template).namespace;
    let (namespace, name) = (
        turn.ctx.symbols.text(namespace),
        row.name.text(turn.ctx.symbols),
    );
    let kind = kinds::of_word("pods").expect("Pod is a kind");
    let old = read(kind, namespace, &name, turn);
    let attempt = admission::policy::Attempt {
        user,
        who: None,
        operation: "DELETE",
        kind,
        namespace,
        name: &name,
        object: None,
        old: old.as_ref(),
    };
    admission::policy::check(&attempt, turn).map_err(|refusal| refusal.message.to_string())
}

/// Whether bound policies let the deployment controller give a ReplicaSet another size.
///
/// # Errors
/// `replicasets.apps "x" is forbidden: …`.
pub fn judge_size(set: ReplicaSetId, wanted: i64, turn: &Turn<'_, '_>) -> Result<(), String> {
    if !admission::policy::is_any_bound(turn) {
        return Ok(());
    }
    let Some(row) = turn.store.replica_set(set) else {
        return Ok(());
    };
    let (namespace, name) = (
        turn.ctx.symbols.text(row.namespace),
        turn.ctx.symbols.text(row.name),
    );
    let kind = kinds::of_word("replicasets").expect("ReplicaSet is a kind");
    let old = read(kind, namespace, name, turn);
    let mut new = old.clone().unwrap_or_default();
    new.set_path(&["spec", "replicas"], wanted.into());
    let attempt = admission::policy::Attempt {
        user: DEPLOYMENTS,
        who: None,
        operation: "UPDATE",
        kind,
        namespace,
        name,
        object: Some(&new),
        old: old.as_ref(),
    };
    admission::policy::check(&attempt, turn).map_err(|refusal| refusal.message.to_string())
}

/// Whom the deployment controller acts as.
pub const DEPLOYMENTS: &str = "system:serviceaccount:kube-system:deployment-controller";

/// Whether bound policies let a controller make an object.
///
/// # Errors
/// `replicasets.apps "x" is forbidden: …`.
pub fn judge(
    user: &str,
    kind: &'static str,
    object: &Value,
    turn: &Turn<'_, '_>,
) -> Result<(), String> {
    let kind = kinds::KINDS.iter().find(|one| one.kind == kind);
    let Some(kind) = kind.filter(|_| admission::policy::is_any_bound(turn)) else {
        return Ok(());
    };
    let text = |field: &str| object.str_at(&["metadata", field]).unwrap_or("");
    let attempt = admission::policy::Attempt {
        user,
        who: None,
        operation: "CREATE",
        kind,
        namespace: text("namespace"),
        name: text("name"),
        object: Some(object),
        old: None,
    };
    admission::policy::check(&attempt, turn).map_err(|refusal| refusal.message.to_string())
}
