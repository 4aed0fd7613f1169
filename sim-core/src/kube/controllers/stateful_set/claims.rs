//! Claims of a set's pods: made before the pod, kept or given up by the retention policy.
//! Sources: `pkg/controller/statefulset/{stateful_pod_control,stateful_set_utils}.go`.

use crate::base::name::Name;
use crate::kube::apiserver::admission::{limits, quota};
use crate::kube::render::pod_uid;
use crate::kube::rows::stateful_set::StatefulSetPart;
use crate::kube::rows::{PodId, ReplicaSetId, read};
use crate::kube::store::document::DocumentKey;
use crate::kube::store::events::Message;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

use super::selector_labels;
use crate::kube::controllers::revisions::owner_reference;

/// Name of a claim template.
pub fn template_name(claim: &Value) -> &str {
    read::text(claim, &["metadata", "name"])
}

/// Name of a pod's claim.
pub fn name(template: &str, set: &str, ordinal: i64) -> String {
    format!("{template}-{set}-{ordinal}")
}

fn keys(
    id: ReplicaSetId,
    part: &StatefulSetPart,
    ordinal: i64,
    turn: &Turn<'_, '_>,
) -> Vec<DocumentKey> {
    let Some(row) = turn.store.replica_set(id) else {
        return Vec::new();
    };
    let (namespace, set) = (
        turn.ctx.symbols.text(row.namespace),
        turn.ctx.symbols.text(row.name),
    );
    part.claims
        .iter()
        .map(|claim| DocumentKey {
            resource: "persistentvolumeclaims".into(),
            namespace: namespace.into(),
            name: name(template_name(claim), set, ordinal).into(),
        })
        .collect()
}

/// What became of the claims of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provided {
    /// They are there.
    All,
    /// One of them is being deleted: the pod has to wait.
    Waits,
    /// The API server refused one.
    Refused(String),
}

/// Makes the claims that a pod lacks.
/// Source: `stateful_pod_control.go` (`createPersistentVolumeClaims`).
pub fn provide(
    id: ReplicaSetId,
    part: &StatefulSetPart,
    ordinal: i64,
    turn: &mut Turn<'_, '_>,
) -> Provided {
    let now = turn.now();
    let mut refused: Vec<String> = Vec::new();
    for (key, claim) in keys(id, part, ordinal, turn)
        .into_iter()
        .zip(part.claims.iter())
    {
        if let Some(document) = turn.store.documents().get(&key) {
            if document.deletion.is_some() || owned_by_pod(&document.value) {
                return Provided::Waits;
            }
            continue;
        }
        let mut value = crate::kube::volumes::claim::of_template(claim, &key);
        if let Some(row) = turn.store.replica_set(id) {
            let own = super::key(row, turn);
            let labels = turn
                .store
                .documents()
                .get(&own)
                .map(|document| selector_labels(&document.value))
                .unwrap_or_default();
            for (label, text) in labels {
                value.set_path(&["metadata", "labels", &label], Value::from(&*text));
            }
        }
        if part.delete_claims_with_set
            && let Some(owner) = owner_reference(id, turn)
        {
            value.set_path(&["metadata", "ownerReferences"], Value::list(vec![owner]));
        }
        crate::kube::volumes::claim::admit(&key.resource, &mut value, turn.store, turn.now());
        if let Err(why) = fits(&key, &value, turn) {
            report(id, &key, ordinal, Some(&why), turn);
            refused.push(format!("failed to create PVC {}: {why}", key.name));
            continue;
        }
        turn.store.add_document(key.clone(), value, 0, now);
        report(id, &key, ordinal, None, turn);
    }
    match refused.as_slice() {
        [] => Provided::All,
        [one] => Provided::Refused(one.clone()),
        many => Provided::Refused(format!("[{}]", many.join(", "))),
    }
}

/// Whether the namespace's limits and quotas let a claim be made.
fn fits(key: &DocumentKey, claim: &Value, turn: &Turn<'_, '_>) -> Result<(), String> {
    let Some(kind) = turn.store.kind_of_object("v1", "PersistentVolumeClaim") else {
        return Ok(());
    };
    limits::check_claim(&key.namespace, claim, turn)
        .and_then(|()| quota::fits(kind, &key.namespace, (None, claim), turn))
        .map_err(|why| format!("{} \"{}\" is forbidden: {why}", key.resource, key.name))
}

fn report(
    id: ReplicaSetId,
    key: &DocumentKey,
    ordinal: i64,
    refusal: Option<&str>,
    turn: &mut Turn<'_, '_>,
) {
    let Some(row) = turn.store.replica_set(id) else {
        return;
    };
    let set = turn.ctx.symbols.text(row.name);
    let object = ("StatefulSet", row.namespace, Name::plain(row.name));
    let component = "statefulset-controller";
    let claim = &key.name;
    match refusal {
        None => {
            let text =
                format!("Create Claim {claim} Pod {set}-{ordinal} in StatefulSet {set} success");
            let message = Message::Text(text.into());
            turn.normal(object, component, "SuccessfulCreate", message);
        }
        Some(why) => {
            let text = format!(
                "Create Claim {claim} for Pod {set}-{ordinal} in StatefulSet {set} failed error: {why}"
            );
            let message = Message::Text(text.into());
            turn.warning(object, component, "FailedCreate", message);
        }
    }
}

fn owned_by_pod(claim: &Value) -> bool {
    read::list(claim, &["metadata", "ownerReferences"])
        .iter()
        .any(|owner| read::text(owner, &["kind"]) == "Pod")
}

/// Claims of a pod in range belong to the set if they go with it, else to nobody.
pub fn keep(id: ReplicaSetId, part: &StatefulSetPart, at: (i64, PodId), turn: &mut Turn<'_, '_>) {
    if part.claims.is_empty() {
        return;
    }
    let (ordinal, pod) = at;
    let owner = part.delete_claims_with_set;
    let owners = [owner_reference(id, turn), pod_reference(pod, turn)];
    let owner = owner.then(|| owners[0].clone()).flatten();
    for key in keys(id, part, ordinal, turn) {
        set_owner((id, part), &key, &owners, owner.as_ref(), turn);
    }
}

/// Claims of condemned pods go with the pod if they go with scaling.
pub fn condemn(
    id: ReplicaSetId,
    part: &StatefulSetPart,
    condemned: &[(i64, PodId)],
    turn: &mut Turn<'_, '_>,
) {
    if !part.delete_claims_with_pod {
        for at in condemned {
            keep(id, part, *at, turn);
        }
        return;
    }
    for (ordinal, pod) in condemned {
        let owners = [owner_reference(id, turn), pod_reference(*pod, turn)];
        for key in keys(id, part, *ordinal, turn) {
            set_owner((id, part), &key, &owners, owners[1].as_ref(), turn);
        }
    }
}

/// A controller's reference to a pod.
pub fn pod_reference(pod: PodId, turn: &Turn<'_, '_>) -> Option<Value> {
    let name = turn.store.pod(pod)?.name.text(turn.ctx.symbols);
    let uid = pod_uid(pod, turn.store, turn.ctx.symbols)?;
    Some(Value::object([
        ("apiVersion", Value::from("v1")),
        ("blockOwnerDeletion", true.into()),
        ("controller", true.into()),
        ("kind", "Pod".into()),
        ("name", name.into()),
        ("uid", Value::String(uid)),
    ]))
}

/// Gives a claim the owner that the retention policy asks for. A claim of an earlier set or pod of the
/// name is left alone, and one that somebody else controls has none of `owners`, the set and the pod.
/// Source: `stateful_set_utils.go` (`isClaimOwnerUpToDate`, `updateClaimOwnerRefForSetAndPod`).
fn set_owner(
    (id, part): (ReplicaSetId, &StatefulSetPart),
    key: &DocumentKey,
    owners: &[Option<Value>; 2],
    owner: Option<&Value>,
    turn: &mut Turn<'_, '_>,
) {
    let path = ["metadata", "ownerReferences"];
    let Some(document) = turn.store.documents().get(key) else {
        return;
    };
    let same =
        |field, one: &Value, two: &Value| read::text(one, &[field]) == read::text(two, &[field]);
    let ours = |reference: &Value| {
        let named = |own: &&Value| {
            ["apiVersion", "kind", "name"]
                .iter()
                .all(|field| same(field, own, reference))
        };
        owners.iter().flatten().find(named)
    };
    let written = read::list(&document.value, &path);
    let is_stale =
        |reference: &Value| ours(reference).is_some_and(|own| !same("uid", own, reference));
    if written.iter().any(is_stale) {
        return;
    }
    let (mine, mut wanted): (Vec<Value>, Vec<Value>) = written
        .iter()
        .cloned()
        .partition(|reference| ours(reference).is_some());
    let controls = |reference: &Value| read::truth(reference, &["controller"]);
    let conflicts =
        (part.delete_claims_with_set || part.delete_claims_with_pod) && wanted.iter().any(controls);
    let owner = owner.filter(|_| !conflicts);
    let settled = match (mine.as_slice(), owner) {
        ([], None) => true,
        ([one], Some(owner)) => controls(one) && same("uid", one, owner),
        _ => false,
    };
    if conflicts && let Some(row) = turn.store.replica_set(id) {
        let text = format!(
            "PersistentVolumeClaim {} has a conflicting OwnerReference that acts as a manging controller, the retention policy is ignored for this claim",
            key.name
        );
        let object = ("StatefulSet", row.namespace, Name::plain(row.name));
        let message = Message::Text(text.into());
        turn.warning(
            object,
            "statefulset-controller",
            "ConflictingController",
            message,
        );
    }
    if settled {
        return;
    }
    wanted.extend(owner.cloned());
    turn.store.change_document(key, |value| {
        if wanted.is_empty() {
            value.remove_path(&path);
        } else {
            value.set_path(&path, Value::list(wanted));
        }
    });
}
