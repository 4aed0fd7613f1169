//! What the API server says of itself: versions, groups, resources, health.
//! Sources: `staging/src/k8s.io/apiserver/pkg/endpoints/discovery`, `pkg/server/healthz`.

use crate::base::arrange::Arrange;
use crate::base::base64;
use crate::base::sha256::sha256;
use crate::console::kubectl::problem::Problem;
use crate::console::kubectl::{Call, about};
use crate::console::not_modelled;
use crate::kube::apiserver::api_services;
use crate::kube::kinds::{ALSO, KINDS, Kind};
use crate::kube::render::node::VERSION;
use crate::kube::store::custom::version_rank;
use crate::manifest::value::Value;
use crate::object::print::{KeyOrder, json, json_pretty};

/// Subresources of built-in kinds. Source: `pkg/registry/*/rest/storage_*.go`; those that are modelled.
const SUBRESOURCES: [(&str, &[&str]); 16] = [
    (
        "Pod",
        &[
            "binding",
            "ephemeralcontainers",
            "eviction",
            "resize",
            "status",
        ],
    ),
    ("Namespace", &["status"]),
    ("Node", &["status"]),
    ("PersistentVolume", &["status"]),
    ("PersistentVolumeClaim", &["status"]),
    ("ReplicationController", &["scale", "status"]),
    ("ResourceQuota", &["status"]),
    ("Service", &["status"]),
    ("Deployment", &["scale", "status"]),
    ("ReplicaSet", &["scale", "status"]),
    ("StatefulSet", &["scale", "status"]),
    ("DaemonSet", &["status"]),
    ("Job", &["status"]),
    ("CronJob", &["status"]),
    ("HorizontalPodAutoscaler", &["status"]),
    ("PodDisruptionBudget", &["status"]),
];

/// Verbs of every kind that is stored.
pub const VERBS: [&str; 8] = [
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];

fn words(words: &[&str]) -> Value {
    Value::list(words.iter().map(|word| Value::from(*word)).collect())
}

/// Served kinds, built in and defined.
pub(super) fn served(call: &Call<'_>) -> Result<Vec<&'static Kind>, Problem> {
    let mut all: Vec<&'static Kind> = KINDS.iter().chain(ALSO).collect();
    all.extend(call.view()?.store.definitions().served());
    Ok(all)
}

/// Versions of each group, the preferred first; groups by their priority.
/// Source: `k8s.io/kube-aggregator/pkg/apiserver/handler_apis.go`.
fn groups(call: &Call<'_>) -> Result<Vec<(String, Vec<String>)>, Problem> {
    let mut served: Vec<&str> = served(call)?.iter().map(|kind| kind.api_version).collect();
    served.arrange_by_key(|one| {
        let (group, version) = one.split_once('/').unwrap_or(("", one));
        let (of_group, own) = api_services::priority(one);
        let rank = std::cmp::Reverse((own, version_rank(version)));
        (std::cmp::Reverse(of_group), group, rank)
    });
    served.dedup();
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for (group, version) in served.iter().filter_map(|one| one.split_once('/')) {
        match groups.last_mut().filter(|(last, _)| last == group) {
            Some((_, versions)) => versions.push(version.to_owned()),
            None => groups.push((group.to_owned(), vec![version.to_owned()])),
        }
    }
    Ok(groups)
}

fn group(name: &str, versions: &[String]) -> Value {
    let pair = |version: &String| {
        Value::object([
            ("groupVersion", Value::from(format!("{name}/{version}"))),
            ("version", version.as_str().into()),
        ])
    };
    Value::object([
        ("name", Value::from(name)),
        ("versions", Value::list(versions.iter().map(pair).collect())),
        (
            "preferredVersion",
            versions.first().map_or(Value::Null, pair),
        ),
    ])
}

fn headed(kind: &str, version: &str, rest: Value) -> Value {
    let mut value = Value::object([("kind", Value::from(kind)), ("apiVersion", version.into())]);
    for (key, entry) in rest.as_map().unwrap_or_default().iter() {
        value.set(key, entry.clone());
    }
    value
}

/// Source: `k8s.io/apiserver/pkg/endpoints/discovery/storageversionhash.go`.
fn storage_version(kind: &Kind) -> String {
    let kind = kind.stored();
    let version = kind.api_version.rsplit('/').next().unwrap_or("");
    let stored = format!("{}/{version}/{}", kind.group(), kind.kind);
    base64::encode(&sha256(stored.as_bytes())[..8])
}

fn resources(call: &Call<'_>, api_version: &str) -> Result<Option<Value>, Problem> {
    let mut list = Vec::new();
    for kind in served(call)? {
        if kind.api_version != api_version {
            continue;
        }
        let mut entry = Value::object([
            ("name", Value::from(kind.plural)),
            ("singularName", kind.kind.to_lowercase().into()),
            ("namespaced", Value::Bool(kind.namespaced)),
            ("kind", kind.kind.into()),
            ("verbs", words(&VERBS)),
        ]);
        if !kind.short.is_empty() {
            entry.set("shortNames", words(kind.short));
        }
        let categories = about::categories(kind);
        if !categories.is_empty() {
            entry.set("categories", words(categories));
        }
        entry.set("storageVersionHash", storage_version(kind).into());
        list.push((kind.plural.to_owned(), entry));
        for sub in subresources(call, kind)? {
            let name = format!("{}/{sub}", kind.plural);
            let verbs: &[&str] = match sub {
                "binding" | "eviction" => &["create"],
                _ => &["get", "patch", "update"],
            };
            let (group, version, own) = match sub {
                "binding" => ("", "", "Binding"),
                "eviction" => ("policy", "v1", "Eviction"),
                "scale" => ("autoscaling", "v1", "Scale"),
                _ => ("", "", kind.kind),
            };
            let mut entry = Value::object([
                ("name", Value::from(name.as_str())),
                ("singularName", "".into()),
                ("namespaced", Value::Bool(kind.namespaced)),
            ]);
            if !group.is_empty() {
                entry.set("group", group.into());
                entry.set("version", version.into());
            }
            entry.set("kind", own.into());
            entry.set("verbs", words(verbs));
            list.push((name, entry));
        }
    }
    if list.is_empty() {
        return Ok(None);
    }
    list.arrange_by(|one, two| one.0.cmp(&two.0));
    let entries = list.into_iter().map(|(_, entry)| entry).collect();
    let rest = Value::object([
        ("groupVersion", Value::from(api_version)),
        ("resources", Value::list(entries)),
    ]);
    Ok(Some(headed("APIResourceList", "v1", rest)))
}

fn subresources(call: &Call<'_>, kind: &Kind) -> Result<Vec<&'static str>, Problem> {
    if kind.custom {
        let view = call.view()?;
        let found = view.store.definitions().of_kind(kind);
        return Ok(found.map_or_else(Vec::new, |(_, version)| {
            let scale = version.scale.is_some().then_some("scale");
            scale
                .into_iter()
                .chain(version.status.then_some("status"))
                .collect()
        }));
    }
    let found = SUBRESOURCES.iter().find(|(name, _)| *name == kind.kind);
    Ok(found.map_or_else(Vec::new, |(_, list)| list.to_vec()))
}

/// Checks of the health paths, in order. Source: `pkg/server/healthz.go`, those of a plain server.
const CHECKS: [&str; 3] = ["ping", "log", "etcd"];

fn health(path: &str, query: &str) -> String {
    if !query
        .split('&')
        .any(|part| part == "verbose" || part.starts_with("verbose="))
    {
        return "ok".to_owned();
    }
    let mut text: String = CHECKS
        .iter()
        .map(|check| format!("[+]{check} ok\n"))
        .collect();
    text.push_str(&format!("{path} check passed"));
    text
}

/// The answer to a path that names no object; none for other paths.
///
/// # Errors
/// A session without Kubernetes.
pub(super) fn answer(call: &Call<'_>, path: &str) -> Result<Option<String>, Problem> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let compact = |value: &Value| json(value, KeyOrder::Stored);
    Ok(Some(match parts.as_slice() {
        [] => {
            let mut paths = vec!["/api".to_owned(), "/api/v1".to_owned(), "/apis".to_owned()];
            for (name, versions) in groups(call)? {
                paths.push(format!("/apis/{name}"));
                paths.extend(
                    versions
                        .iter()
                        .map(|version| format!("/apis/{name}/{version}")),
                );
            }
            paths.extend(["/healthz", "/livez", "/readyz", "/version"].map(str::to_owned));
            paths.arrange();
            let paths = paths.into_iter().map(Value::from).collect();
            json_pretty(
                &Value::object([("paths", Value::list(paths))]),
                KeyOrder::Stored,
            )
        }
        [check @ ("healthz" | "livez" | "readyz")] => health(check, query),
        ["version"] => {
            let minor = VERSION.split('.').nth(1).unwrap_or("");
            let version = Value::object([
                ("major", Value::from("1")),
                ("minor", minor.into()),
                ("gitVersion", VERSION.into()),
                ("platform", "linux/amd64".into()),
            ]);
            json_pretty(&version, KeyOrder::Stored)
        }
        ["api"] => compact(&headed(
            "APIVersions",
            "v1",
            Value::object([
                ("versions", words(&["v1"])),
                (
                    "serverAddressByClientCIDRs",
                    Value::list(vec![Value::object([
                        ("clientCIDR", Value::from("0.0.0.0/0")),
                        ("serverAddress", "podium:6443".into()),
                    ])]),
                ),
            ]),
        )),
        ["apis"] => {
            let list = groups(call)?
                .iter()
                .map(|(name, versions)| group(name, versions))
                .collect();
            let rest = Value::object([("groups", Value::list(list))]);
            compact(&headed("APIGroupList", "v1", rest))
        }
        ["api", "v1"] => match resources(call, "v1")? {
            Some(list) => compact(&list),
            None => return Ok(None),
        },
        ["apis", name] => match groups(call)?.iter().find(|(one, _)| one == name) {
            Some((_, versions)) => compact(&headed("APIGroup", "v1", group(name, versions))),
            None => return Ok(None),
        },
        ["apis", name, version] => match resources(call, &format!("{name}/{version}"))? {
            Some(list) => compact(&list),
            None => return Ok(None),
        },
        ["metrics" | "openapi" | "logs" | "debug", ..] => {
            let what = format!("kubectl get --raw {path}");
            return Err(Problem::error(not_modelled(what)));
        }
        _ => return Ok(None),
    }))
}
