//! The volume with a pod's token for the API server, as admission adds it. It is the same for all pods
//! but for its name, so that it is kept nowhere.
//! Source: `plugin/pkg/admission/serviceaccount/admission.go`.

use crate::base::name::{SUFFIX_COUNT, push_letters};
use crate::manifest::value::Value;

use super::object;

/// Where it is mounted. Source: as above (`DefaultAPITokenMountPath`).
pub const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// What its name begins with.
pub const TOKEN_VOLUME: &str = "kube-api-access";
/// How long a token holds: an hour, and a little so that it can be told from others.
/// Source: `pkg/serviceaccount/util.go` (`WarnOnlyBoundTokenExpirationSeconds`).
const SECONDS: i64 = 3_607;

/// Name of the volume of a pod.
pub fn volume_name(uid: u128) -> String {
    let mut name = format!("{TOKEN_VOLUME}-");
    push_letters(&mut name, (uid % u128::from(SUFFIX_COUNT)) as u32);
    name
}

/// Adds the volume to a pod's spec, and its mount to each container that has nothing there.
pub fn add(spec: &mut Value, uid: u128) {
    let name = volume_name(uid);
    let mount = || {
        object([
            ("mountPath", TOKEN_PATH.into()),
            ("name", name.as_str().into()),
            ("readOnly", true.into()),
        ])
    };
    let mut used = false;
    for list in ["initContainers", "containers"] {
        let containers = spec.path_mut(&[list]).and_then(Value::as_list_mut);
        for container in containers.into_iter().flatten() {
            let mounts = container.get("volumeMounts").and_then(Value::as_list);
            let mut all = mounts.unwrap_or(&[]).to_vec();
            let has = |mount: &Value| mount.str_at(&["mountPath"]) == Some(TOKEN_PATH);
            if !all.iter().any(has) {
                all.push(mount());
                container.set("volumeMounts", Value::list(all));
                used = true;
            }
        }
    }
    if used {
        let volumes = spec.get("volumes").and_then(Value::as_list);
        let mut all = volumes.unwrap_or(&[]).to_vec();
        let projected = object([("defaultMode", Value::Int(0o644)), ("sources", sources())]);
        all.push(object([
            ("name", name.as_str().into()),
            ("projected", projected),
        ]));
        spec.set("volumes", Value::list(all));
    }
}

/// Takes away what [`add`] adds to the spec of a pod that is written back.
pub fn remove(spec: &mut Value, uid: u128) {
    let name = volume_name(uid);
    let without = |holder: &mut Value, list: &str| {
        let Some(all) = holder.get(list).and_then(Value::as_list) else {
            return;
        };
        let is_other = |one: &&Value| one.str_at(&["name"]) != Some(&*name);
        let rest: Vec<Value> = all.iter().filter(is_other).cloned().collect();
        if rest.is_empty() {
            holder.remove(list);
        } else if rest.len() < all.len() {
            holder.set(list, Value::list(rest));
        }
    };
    for list in ["initContainers", "containers"] {
        let containers = spec.path_mut(&[list]).and_then(Value::as_list_mut);
        for container in containers.into_iter().flatten() {
            without(container, "volumeMounts");
        }
    }
    without(spec, "volumes");
}

/// What the volume is made of.
pub fn sources() -> Value {
    let token = object([
        ("expirationSeconds", Value::Int(SECONDS)),
        ("path", "token".into()),
    ]);
    let item = object([("key", "ca.crt".into()), ("path", "ca.crt".into())]);
    let map = object([
        ("items", Value::list(vec![item])),
        ("name", "kube-root-ca.crt".into()),
    ]);
    let field = object([
        ("apiVersion", "v1".into()),
        ("fieldPath", "metadata.namespace".into()),
    ]);
    let item = object([("fieldRef", field), ("path", "namespace".into())]);
    let fields = object([("items", Value::list(vec![item]))]);
    Value::list(vec![
        object([("serviceAccountToken", token)]),
        object([("configMap", map)]),
        object([("downwardAPI", fields)]),
    ])
}
