//! The APIServices that the server registers for what it serves itself.
//! Sources: `pkg/controlplane/apiserver/aggregator.go`, `pkg/controlplane/controller/crdregistration`,
//! `k8s.io/kube-aggregator/pkg/controllers/autoregister`.

use crate::base::sorted::SortedSet;
use crate::base::time::{SimDuration, SimTime};
use crate::kube::render::time;
use crate::kube::store::document::DocumentKey;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

/// Resource under which they are stored.
pub const RESOURCE: &str = "apiservices.apiregistration.k8s.io";

/// Who keeps one: `onstart` for what is built in, which is made once; `true` for what definitions make.
const MANAGED: [&str; 3] = [
    "metadata",
    "labels",
    "kube-aggregator.kubernetes.io/automanaged",
];

/// Group versions with the priorities of their group and of the version in it.
const BUILT_IN: [(&str, i64, i64); 22] = [
    ("v1", 18_000, 1),
    ("apps/v1", 17_800, 15),
    ("events.k8s.io/v1", 17_750, 15),
    ("authentication.k8s.io/v1", 17_700, 15),
    ("authorization.k8s.io/v1", 17_600, 15),
    ("autoscaling/v1", 17_500, 15),
    ("autoscaling/v2", 17_500, 30),
    ("batch/v1", 17_400, 15),
    ("certificates.k8s.io/v1", 17_300, 15),
    ("networking.k8s.io/v1", 17_200, 15),
    ("policy/v1", 17_100, 15),
    ("rbac.authorization.k8s.io/v1", 17_000, 15),
    ("storage.k8s.io/v1", 16_800, 15),
    ("admissionregistration.k8s.io/v1", 16_700, 15),
    ("apiextensions.k8s.io/v1", 16_700, 15),
    ("scheduling.k8s.io/v1", 16_600, 15),
    ("coordination.k8s.io/v1", 16_500, 15),
    ("node.k8s.io/v1", 16_300, 15),
    ("discovery.k8s.io/v1", 16_200, 15),
    ("resource.k8s.io/v1", 16_200, 20),
    ("flowcontrol.apiserver.k8s.io/v1", 16_100, 21),
    // The aggregator's own, which lists itself first and registers nothing.
    ("apiregistration.k8s.io/v1", i64::MAX, 1),
];

/// Of a group version that a definition makes.
const DEFINED: (i64, i64) = (1_000, 100);

/// The place of a group version among those of a list: its group's priority and its own.
pub fn priority(api_version: &str) -> (i64, i64) {
    let mut known = BUILT_IN.iter();
    let found = known.find(|(own, ..)| *own == api_version);
    found.map_or(DEFINED, |(_, group, version)| (*group, *version))
}

fn name(api_version: &str) -> String {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    format!("{version}.{group}")
}

fn object(api_version: &str, managed: &str, now: SimTime) -> Value {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let (group_priority, version_priority) = priority(api_version);
    let mut spec = Value::object([
        ("groupPriorityMinimum", Value::Int(group_priority)),
        ("version", version.into()),
        ("versionPriority", Value::Int(version_priority)),
    ]);
    if !group.is_empty() {
        spec.set("group", group.into());
    }
    let available = Value::object([
        ("lastTransitionTime", time(now)),
        ("message", "Local APIServices are always available".into()),
        ("reason", "Local".into()),
        ("status", "True".into()),
        ("type", "Available".into()),
    ]);
    let mut value = Value::object([
        ("apiVersion", Value::from("apiregistration.k8s.io/v1")),
        ("kind", "APIService".into()),
        ("spec", spec),
    ]);
    value.set_path(&["metadata", "name"], name(api_version).into());
    value.set_path(&MANAGED, managed.into());
    value.set_path(&["status", "conditions"], Value::list(vec![available]));
    value
}

/// Those of a fresh cluster.
pub fn built_in() -> impl Iterator<Item = Value> {
    let registered = BUILT_IN.iter().filter(|(_, group, _)| *group < i64::MAX);
    registered.map(|(own, ..)| object(own, "onstart", SimTime::ZERO))
}

fn key(name: &str) -> DocumentKey {
    DocumentKey {
        resource: RESOURCE.into(),
        namespace: "".into(),
        name: name.into(),
    }
}

/// Makes those of definitions that lack, and removes those that nothing serves any more.
pub fn sync(turn: &mut Turn<'_, '_>) {
    let served = turn.store.definitions().served();
    let wanted: SortedSet<&'static str> = served.map(|kind| kind.api_version).collect();
    let documents = turn.store.documents().of(RESOURCE);
    let kept = documents.filter(|(_, it)| it.value.str_at(&MANAGED) == Some("true"));
    let gone: Vec<DocumentKey> = kept
        .filter(|(key, _)| !wanted.iter().any(|one| name(one) == *key.name))
        .map(|(key, _)| key.clone())
        .collect();
    for key in gone {
        turn.store.remove_document(&key);
    }
    for api_version in wanted {
        let key = key(&name(api_version));
        if turn.store.documents().get(&key).is_none() {
            // After what asked for it, so that one that was deleted comes back as another.
            let now = turn.now() + SimDuration::from_micros(1);
            turn.store
                .add_document(key, object(api_version, "true", now), 0, now);
        }
    }
}
