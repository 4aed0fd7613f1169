//! Resource quotas: what is used of each, and whether one more pod fits.
//! Sources: `pkg/controller/resourcequota/resource_quota_controller.go`, `pkg/quota/v1/evaluator/core/pods.go`,
//! `plugin/pkg/admission/resourcequota/controller.go`.

pub mod scope;

use crate::base::name::Name;
use crate::base::quantity::Quantity;
use crate::base::sorted::SortedMap;
use crate::kube::apiserver::template::limits;
use crate::kube::kinds::KINDS;
use crate::kube::rows::WatchedId;
use crate::kube::rows::watched::WatchedKind;
use crate::kube::rows::workload::OwnerKind;
use crate::kube::template::TemplateId;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

/// Whether a pod of this template may be made in its namespace.
///
/// # Errors
/// Upstream's refusal.
pub fn admit(template: TemplateId, name: Name, turn: &Turn<'_, '_>) -> Result<(), String> {
    admit_change(None, template, name, turn)
}

/// Whether a pod of one template may become one of another: only what it takes more is asked for.
///
/// # Errors
/// Upstream's refusal.
pub fn admit_change(
    old: Option<TemplateId>,
    template: TemplateId,
    name: Name,
    turn: &Turn<'_, '_>,
) -> Result<(), String> {
    let quotas: Vec<WatchedId> = quotas(turn.store.template(template).namespace, turn);
    if quotas.is_empty() {
        return Ok(());
    }
    let mut wanted = pod_share(template, turn);
    for (resource, had) in old.map(|old| pod_share(old, turn)).unwrap_or_default() {
        if let Some(share) = wanted.get_mut(resource) {
            *share = share.saturating_sub(had);
        }
    }
    for id in quotas {
        let Some(document) = turn.store.watched_document(id) else {
            continue;
        };
        if !scope::counts(&document.value, spec(template, turn)) {
            continue;
        }
        let hard = hard(&document.value);
        let used = usage(id, &hard, turn);
        let mut over: Vec<&str> = Vec::new();
        for (resource, limit) in &hard {
            let Some(share) = wanted.get(resource.as_str()).filter(|share| **share > 0) else {
                continue;
            };
            let used = used.get(resource).copied().unwrap_or(0);
            if used.saturating_add(*share) > *limit {
                over.push(resource);
            }
        }
        if over.is_empty() {
            continue;
        }
        let list = |amount: &dyn Fn(&str) -> i64| {
            let parts: Vec<String> = over
                .iter()
                .map(|resource| format!("{resource}={}", shown(resource, amount(resource))))
                .collect();
            parts.join(",")
        };
        let row = turn.store.watched(id);
        let quota = row.map_or("", |row| turn.ctx.symbols.text(row.name));
        return Err(format!(
            "pods \"{}\" is forbidden: exceeded quota: {quota}, requested: {}, used: {}, limited: {}",
            name.text(turn.ctx.symbols),
            list(&|resource| wanted.get(resource).copied().unwrap_or(0)),
            list(&|resource| used.get(resource).copied().unwrap_or(0)),
            list(&|resource| hard.get(resource).copied().unwrap_or(0)),
        ));
    }
    Ok(())
}

fn quotas(namespace: crate::base::symbol::Symbol, turn: &Turn<'_, '_>) -> Vec<WatchedId> {
    turn.store
        .all_watched()
        .filter(|(_, row)| row.kind == WatchedKind::Quota && row.namespace == namespace)
        .map(|(id, _)| id)
        .collect()
}

fn spec<'a>(template: TemplateId, turn: &'a Turn<'_, '_>) -> &'a Value {
    const NOTHING: &Value = &Value::Null;
    let document = &turn.store.template(template).document;
    document.get("spec").unwrap_or(NOTHING)
}

/// What a pod counts for, by resource of a quota; amounts in thousandths.
fn pod_share(template: TemplateId, turn: &Turn<'_, '_>) -> SortedMap<&'static str, i64> {
    let template = turn.store.template(template);
    let requests = &template.requests;
    let limits = limits(&template.spec);
    let bytes = |amount: i64| amount.saturating_mul(1_000);
    [
        ("pods", 1_000),
        ("count/pods", 1_000),
        ("cpu", requests.milli_cpu),
        ("requests.cpu", requests.milli_cpu),
        ("memory", bytes(requests.memory)),
        ("requests.memory", bytes(requests.memory)),
        ("limits.cpu", limits.milli_cpu),
        ("limits.memory", bytes(limits.memory)),
        ("ephemeral-storage", bytes(requests.ephemeral_storage)),
        (
            "requests.ephemeral-storage",
            bytes(requests.ephemeral_storage),
        ),
        ("limits.ephemeral-storage", bytes(limits.ephemeral_storage)),
    ]
    .into()
}

fn hard(document: &Value) -> SortedMap<String, i64> {
    document
        .path(&["spec", "hard"])
        .and_then(Value::as_map)
        .into_iter()
        .flat_map(|map| map.iter())
        .filter_map(|(resource, amount)| {
            let text = match amount {
                Value::Int(number) => number.to_string(),
                other => other.as_str()?.to_owned(),
            };
            Some((
                resource.to_string(),
                Quantity::parse(&text).ok()?.milli_value(),
            ))
        })
        .collect()
}

/// How much of each limited resource the namespace uses, in thousandths.
fn usage(
    id: WatchedId,
    hard: &SortedMap<String, i64>,
    turn: &Turn<'_, '_>,
) -> SortedMap<String, i64> {
    let mut used: SortedMap<String, i64> = hard.keys().map(|key| (key.clone(), 0)).collect();
    let Some(row) = turn.store.watched(id) else {
        return used;
    };
    let namespace = row.namespace;
    let quota = turn
        .store
        .watched_document(id)
        .map(|document| document.value.clone())
        .unwrap_or_default();
    let scoped = scope::is_scoped(&quota);
    if hard.keys().any(|key| pod_resource(key)) {
        // How many pods are alike, by template.
        let mut alike: Vec<(TemplateId, i64)> = Vec::new();
        for (_, pod) in turn.store.pods() {
            if pod.phase.is_terminal() || turn.store.template(pod.template).namespace != namespace {
                continue;
            }
            match alike.binary_search_by_key(&pod.template, |known| known.0) {
                Ok(at) => alike[at].1 += 1,
                Err(at) => alike.insert(at, (pod.template, 1)),
            }
        }
        for (template, count) in alike {
            if scoped && !scope::counts(&quota, spec(template, turn)) {
                continue;
            }
            for (resource, share) in pod_share(template, turn) {
                if let Some(sum) = used.get_mut(resource) {
                    *sum = sum.saturating_add(share.saturating_mul(count));
                }
            }
        }
    }
    if scoped {
        return used;
    }
    let text = turn.ctx.symbols.text(namespace).to_owned();
    for (resource, sum) in &mut used {
        if resource == STORAGE || resource.contains(OF_CLASS) {
            *sum = claims_share(resource, &text, turn).saturating_mul(1_000);
            continue;
        }
        let counted = resource.strip_prefix("count/").unwrap_or(resource);
        let kind = KINDS.iter().find(|kind| kind.resource() == counted);
        if let Some(kind) = kind.filter(|kind| kind.kind != "Pod" && kind.namespaced) {
            let count = match kind.kind {
                "ReplicaSet" => turn
                    .store
                    .replica_sets()
                    .filter(|(_, row)| {
                        row.kind == OwnerKind::ReplicaSet && row.namespace == namespace
                    })
                    .count(),
                _ => turn
                    .store
                    .documents()
                    .of(counted)
                    .filter(|(key, _)| *key.namespace == *text)
                    .count(),
            };
            *sum = i64::try_from(count).unwrap_or(0).saturating_mul(1_000);
        }
    }
    used
}

fn pod_resource(resource: &str) -> bool {
    matches!(
        resource,
        "pods"
            | "count/pods"
            | "cpu"
            | "memory"
            | "requests.cpu"
            | "requests.memory"
            | "limits.cpu"
            | "limits.memory"
            | "ephemeral-storage"
            | "requests.ephemeral-storage"
            | "limits.ephemeral-storage"
    )
}

/// The storage that claims ask for.
const STORAGE: &str = "requests.storage";
/// Between a class's name and what of its claims is counted.
/// Source: `pkg/quota/v1/evaluator/core/persistent_volume_claims.go` (`storageClassSuffix`).
const OF_CLASS: &str = ".storageclass.storage.k8s.io/";

/// What a claim takes of a resource: bytes, or one of a class's claims. `None`: it takes nothing.
pub fn claim_share(resource: &str, claim: &Value) -> Option<i64> {
    let bytes = || {
        let asked = claim.path(&["spec", "resources", "requests", "storage"])?;
        let asked = match asked {
            Value::Int(number) => number.to_string(),
            other => other.as_str()?.to_owned(),
        };
        Some(Quantity::parse(&asked).ok()?.value())
    };
    if resource == STORAGE {
        return bytes();
    }
    let (class, what) = resource.split_once(OF_CLASS)?;
    if claim.str_at(&["spec", "storageClassName"]) != Some(class) {
        return None;
    }
    match what {
        STORAGE => bytes(),
        "persistentvolumeclaims" => Some(1),
        _ => None,
    }
}

/// What all claims of a namespace take of a resource.
pub fn claims_share(resource: &str, namespace: &str, turn: &Turn<'_, '_>) -> i64 {
    turn.store
        .documents()
        .of("persistentvolumeclaims")
        .filter(|(key, _)| &*key.namespace == namespace)
        .filter_map(|(_, document)| claim_share(resource, &document.value))
        .fold(0, i64::saturating_add)
}

/// An amount as a quantity, memory in binary units when they fit.
pub fn shown(resource: &str, thousandths: i64) -> String {
    let whole = thousandths / 1_000;
    if resource.ends_with("memory") || resource.ends_with("storage") {
        let units = ["Ei", "Pi", "Ti", "Gi", "Mi", "Ki"];
        for (unit, bits) in units.into_iter().zip([60, 50, 40, 30, 20, 10]) {
            let size = 1_i64 << bits;
            if whole > 0 && whole % size == 0 {
                return format!("{}{unit}", whole / size);
            }
        }
    }
    if thousandths % 1_000 == 0 {
        whole.to_string()
    } else {
        format!("{thousandths}m")
    }
}

/// Writes what is used of a quota.
pub fn sync(id: WatchedId, turn: &mut Turn<'_, '_>) {
    let Some(document) = turn.store.watched_document(id) else {
        return;
    };
    let Some(row) = turn.store.watched(id) else {
        return;
    };
    let key = row.key.clone();
    let limits = document
        .value
        .path(&["spec", "hard"])
        .cloned()
        .unwrap_or_default();
    let used = usage(id, &hard(&document.value), turn);
    let used = Value::object(
        used.iter()
            .map(|(resource, amount)| (resource.as_str(), Value::from(shown(resource, *amount)))),
    );
    let status = Value::object([("hard", limits), ("used", used)]);
    turn.store.write_status(&key, status);
}
