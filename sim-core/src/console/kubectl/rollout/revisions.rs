//! Revisions of a workload: ReplicaSets of a Deployment, ControllerRevisions of a DaemonSet or
//! StatefulSet. Sources: `k8s.io/kubectl/pkg/polymorphichelpers/{history,rollback}.go`.

use crate::base::arrange::Arrange;
use crate::console::kubectl::pod_status::items;
use crate::console::kubectl::problem::Problem;
use crate::console::kubectl::{Call, kind_of};
use crate::kube::kinds::Kind;
use crate::manifest::value::Value;

/// One revision.
#[derive(Clone, Debug)]
pub struct Revision {
    /// Its number.
    pub number: i64,
    /// `kubernetes.io/change-cause` of it.
    pub cause: Option<String>,
    /// The pod template as it was made.
    pub template: Value,
    /// Annotations of the object that keeps it.
    pub annotations: Value,
}

/// The number in a Deployment's or ReplicaSet's annotation.
pub fn number(object: &Value) -> i64 {
    object
        .str_at(&[
            "metadata",
            "annotations",
            "deployment.kubernetes.io/revision",
        ])
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

fn owned(call: &Call<'_>, word: &str, owner: &Value) -> Result<Vec<Value>, Problem> {
    let uid = owner.str_at(&["metadata", "uid"]);
    let mut found = call.listing(kind_of(word)?, owner.str_at(&["metadata", "namespace"]))?;
    found.retain(|object| {
        items(object, &["metadata", "ownerReferences"])
            .iter()
            .any(|reference| reference.str_at(&["uid"]) == uid)
    });
    Ok(found)
}

/// The ReplicaSets that a Deployment owns, by revision.
///
/// # Errors
/// If there is no Kubernetes.
pub fn replica_sets(call: &Call<'_>, deployment: &Value) -> Result<Vec<Value>, Problem> {
    let mut sets = owned(call, "replicasets", deployment)?;
    sets.arrange_by_key(number);
    Ok(sets)
}

/// All revisions of a workload, the oldest first.
///
/// # Errors
/// If there is no Kubernetes.
pub fn of(call: &Call<'_>, kind: &Kind, object: &Value) -> Result<Vec<Revision>, Problem> {
    let cause = |object: &Value| {
        object
            .str_at(&["metadata", "annotations", "kubernetes.io/change-cause"])
            .map(str::to_owned)
    };
    let annotations = |object: &Value| {
        let found = object.path(&["metadata", "annotations"]);
        found.cloned().unwrap_or_default()
    };
    let mut list: Vec<Revision> = if kind.kind == "Deployment" {
        replica_sets(call, object)?
            .iter()
            .map(|set| Revision {
                number: number(set),
                cause: cause(set),
                template: set.path(&["spec", "template"]).cloned().unwrap_or_default(),
                annotations: annotations(set),
            })
            .filter(|revision| revision.number > 0)
            .collect()
    } else {
        owned(call, "controllerrevisions", object)?
            .iter()
            .map(|found| {
                let data = found.path(&["data", "spec", "template"]);
                let mut template = data.cloned().unwrap_or_default();
                template.remove("$patch");
                Revision {
                    number: found.i64_at(&["revision"]).unwrap_or(0),
                    cause: cause(found),
                    template,
                    annotations: annotations(found),
                }
            })
            .collect()
    };
    list.arrange_by_key(|revision| revision.number);
    Ok(list)
}
