//! Resource quotas: what is used of each, what an object takes, and whether one more pod fits.
//! Sources: `pkg/controller/resourcequota/resource_quota_controller.go`, `pkg/quota/v1/evaluator/core/pods.go`,
//! `plugin/pkg/admission/resourcequota/controller.go`.

pub mod scope;

use std::sync::Arc;

use crate::base::name::Name;
use crate::base::quantity::{Format, Quantity};
use crate::base::sorted::SortedMap;
use crate::base::symbol::{Symbol, Symbols};
use crate::base::time::{SimDuration, SimTime};
use crate::kube::apiserver::template::limits;
use crate::kube::event::{Event, Key};
use crate::kube::heartbeat::tick_after;
use crate::kube::kinds::{KINDS, Kind};
use crate::kube::rows::{PodId, WatchedId, read as values};
use crate::kube::store::Store;
use crate::kube::store::document::Document;
use crate::kube::store::tally::{Alike, Sums};
use crate::kube::template::TemplateId;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

/// Whether a pod of this template may be made in its namespace.
///
/// # Errors
/// Upstream's refusal.
pub fn admit(template: TemplateId, name: Name, turn: &mut Turn<'_, '_>) -> Result<(), String> {
    admit_change(None, template, name, turn)
}

/// Whether a pod of one template may become one of another: quotas that counted it are asked for what
/// it takes more only.
///
/// # Errors
/// Upstream's refusal.
pub fn admit_change(
    old: Option<TemplateId>,
    template: TemplateId,
    name: Name,
    turn: &mut Turn<'_, '_>,
) -> Result<(), String> {
    let namespace = turn.store.template(template).namespace;
    let quotas = turn.store.quotas_of(namespace).to_vec();
    if quotas.is_empty() {
        return Ok(());
    }
    let share = |template| pod_share(template, turn.store, turn.ctx.symbols);
    let whole = share(template);
    let mut more = whole.clone();
    for (resource, had) in old.map(share).unwrap_or_default() {
        if let Some(share) = more.get_mut(&resource) {
            share.sub(&had);
        }
    }
    for id in quotas {
        let Some(document) = turn.store.watched_document(id) else {
            continue;
        };
        if !scope::counts(&document.value, spec(template, turn.store)) {
            continue;
        }
        let counted = old.is_some_and(|old| scope::counts(&document.value, spec(old, turn.store)));
        let wanted = if counted { &more } else { &whole };
        let late = is_late(document, namespace, turn);
        let hard = limits_of(document, late);
        let written = written_of(document, late);
        let used = usage(id, &hard, turn);
        let over: Vec<Over> = hard
            .into_iter()
            .filter_map(|(resource, limit)| {
                let share = wanted.get(resource.as_str())?.clone();
                let used = used.get(&resource).cloned().unwrap_or_default();
                let used = at_least(used, written.get(&resource));
                Over::judge(resource, share, used, limit)
            })
            .collect();
        if over.is_empty() {
            continue;
        }
        let row = turn.store.watched(id);
        let quota = row.map_or("", |row| turn.ctx.symbols.text(row.name));
        return Err(format!(
            "pods \"{}\" is forbidden: {}",
            name.text(turn.ctx.symbols),
            exceeded(quota, &over)
        ));
    }
    Ok(())
}

/// How long the controller may take before admission goes by what it has written last.
const LATE: SimDuration = SimDuration::from_secs(1);

/// Notes that the controller has something to count.
pub fn unseen(id: WatchedId, turn: &mut Turn<'_, '_>) {
    let now = turn.now();
    let namespace = turn.store.watched(id).map(|row| row.namespace);
    if let Some(tally) = namespace.and_then(|namespace| turn.store.tally_mut(namespace)) {
        tally.unseen.get_or_insert(now);
    }
}

/// Whether the controller does not keep up: then what it has written of a quota last holds, and one
/// that it has not seen limits nothing. While it does, what it is about to write is known already.
pub fn is_late(document: &Document, namespace: Symbol, turn: &Turn<'_, '_>) -> bool {
    let created = document
        .value
        .path(&["status", "hard"])
        .is_none()
        .then_some(document.created);
    let unseen = turn.store.tally(namespace).and_then(|tally| tally.unseen);
    created
        .or(unseen)
        .is_some_and(|since| since + LATE < turn.now())
}

/// The limits that admission goes by.
pub fn limits_of(document: &Document, late: bool) -> SortedMap<String, Quantity> {
    let part = if late { "status" } else { "spec" };
    amounts(&document.value, [part, "hard"])
}

/// What a controller that does not keep up has counted last; nothing of one that does.
pub fn written_of(document: &Document, late: bool) -> SortedMap<String, Quantity> {
    if late {
        amounts(&document.value, ["status", "used"])
    } else {
        SortedMap::new()
    }
}

/// What is used of a resource, or was when the controller counted last: the larger.
pub fn at_least(used: Quantity, written: Option<&Quantity>) -> Quantity {
    let larger = written.filter(|written| **written > used);
    larger.cloned().unwrap_or(used)
}

/// A resource of which a quota has not enough left.
#[derive(Clone, Debug)]
pub struct Over {
    resource: String,
    asked: Quantity,
    used: Quantity,
    limit: Quantity,
}

impl Over {
    /// Whether `asked` more, if it is more at all, is too much.
    pub fn judge(
        resource: String,
        asked: Quantity,
        used: Quantity,
        limit: Quantity,
    ) -> Option<Self> {
        let mut sum = used.clone();
        sum.add(&asked);
        let is_over = !asked.is_zero() && !asked.is_negative() && sum > limit;
        is_over.then_some(Self {
            resource,
            asked,
            used,
            limit,
        })
    }
}

/// Upstream's refusal, resources by name.
/// Source: `staging/src/k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go`
/// (`CheckRequest`, `prettyPrint`).
pub fn exceeded(quota: &str, over: &[Over]) -> String {
    let list = |amount: &dyn Fn(&Over) -> &Quantity| {
        let parts: Vec<String> = over
            .iter()
            .map(|one| format!("{}={}", one.resource, amount(one)))
            .collect();
        parts.join(",")
    };
    format!(
        "exceeded quota: {quota}, requested: {}, used: {}, limited: {}",
        list(&|one| &one.asked),
        list(&|one| &one.used),
        list(&|one| &one.limit)
    )
}

/// The same for a pod that is written: its time to end in alone may have quotas count it that did not.
/// Source: `pkg/quota/v1/evaluator/core/pods.go` (`Handles`).
///
/// # Errors
/// Upstream's refusal.
pub fn admit_write(
    old: TemplateId,
    template: TemplateId,
    name: Name,
    turn: &mut Turn<'_, '_>,
) -> Result<(), String> {
    let ends = |template| scope::ends(spec(template, turn.store));
    if ends(old) == ends(template) {
        return Ok(());
    }
    admit_change(Some(old), template, name, turn)
}

fn spec(template: TemplateId, store: &Store) -> &Value {
    const NOTHING: &Value = &Value::Null;
    let document = &store.template(template).document;
    document.get("spec").unwrap_or(NOTHING)
}

/// What a pod counts for, by resource of a quota. Amounts are in the notation that the first container
/// with one writes it in, as upstream's sums have it.
/// Source: `pkg/quota/v1/evaluator/core/pods.go` (`PodUsageFunc`, `podComputeUsageHelper`).
fn pod_share(
    template: TemplateId,
    store: &Store,
    symbols: &Symbols,
) -> SortedMap<Arc<str>, Quantity> {
    let spec = spec(template, store);
    let template = store.template(template);
    let requests = &template.requests;
    let limits = limits(&template.spec);
    let mut share: SortedMap<Arc<str>, Quantity> = SortedMap::new();
    let mut put = |resources: &[&str], amount: Quantity| {
        for resource in resources {
            share.insert((*resource).into(), amount.clone());
        }
    };
    put(&[COUNT, "pods"], one());
    let milli = Quantity::from_milli;
    put(&["cpu", "requests.cpu"], milli(requests.milli_cpu));
    put(&["limits.cpu"], milli(limits.milli_cpu));
    let bytes = |amount: i64, field: &str, resource: &str| {
        Quantity::from_units(amount, notation(spec, field, resource))
    };
    let memory = bytes(requests.memory, "requests", "memory");
    put(&["memory", "requests.memory"], memory);
    put(&["limits.memory"], bytes(limits.memory, "limits", "memory"));
    let disk = "ephemeral-storage";
    let scratch = bytes(requests.ephemeral_storage, "requests", disk);
    put(&[disk, "requests.ephemeral-storage"], scratch);
    let scratch = bytes(limits.ephemeral_storage, "limits", disk);
    put(&["limits.ephemeral-storage"], scratch);
    for (name, amount) in &requests.extended {
        let name = symbols.text(*name);
        let amount = bytes(*amount, "requests", name);
        put(&[&format!("requests.{name}")], amount.clone());
        if name.starts_with(HUGE_PAGES) {
            put(&[name], amount);
        }
    }
    share
}

/// All pods, those that have ended too.
const COUNT: &str = "count/pods";
const HUGE_PAGES: &str = "hugepages-";

/// The notation of the first amount of a resource that a pod's spec states.
fn notation(spec: &Value, field: &str, resource: &str) -> Format {
    let path = ["resources", field, resource];
    let containers = ["containers", "initContainers"];
    let lists = containers
        .iter()
        .flat_map(|list| values::list(spec, &[*list]));
    std::iter::once(spec)
        .chain(lists)
        .filter_map(|owner| read(owner.path(&path)?))
        .find(|amount| !amount.is_zero())
        .map_or(Format::DecimalSi, |amount| amount.format())
}

/// Adds what so many pods of a template use.
fn add(
    used: &mut SortedMap<Arc<str>, Quantity>,
    share: &SortedMap<Arc<str>, Quantity>,
    alike: Alike,
) {
    for (resource, share) in share.iter() {
        let mut share = share.clone();
        share.mul(if &**resource == COUNT {
            alike.all
        } else {
            alike.live
        });
        used.entry(resource.clone())
            .or_insert(Quantity::ZERO)
            .add(&share);
    }
}

fn sum(
    scopes: Value,
    alike: impl Iterator<Item = (TemplateId, Alike)>,
    store: &Store,
    symbols: &Symbols,
) -> Sums {
    let mut used = SortedMap::new();
    for (template, alike) in alike {
        if scope::counts(&scopes, spec(template, store)) {
            add(&mut used, &pod_share(template, store, symbols), alike);
        }
    }
    Sums { scopes, used }
}

/// What the pods use that a quota counts.
fn pods_use<'a>(
    id: WatchedId,
    namespace: Symbol,
    quota: &Value,
    turn: &'a mut Turn<'_, '_>,
) -> Option<&'a SortedMap<Arc<str>, Quantity>> {
    settle(namespace, turn);
    let scopes = scope::of(quota);
    let tally = turn.store.tally(namespace)?;
    let kept = tally.sums().get(&id);
    if kept.is_none_or(|sums| sums.scopes != scopes) {
        let fresh = sum(scopes, tally.alike(), turn.store, turn.ctx.symbols);
        turn.store
            .tally_mut(namespace)?
            .sums_mut()
            .insert(id, fresh);
    }
    Some(&turn.store.tally(namespace)?.sums().get(&id)?.used)
}

/// Brings the sums of a namespace up to its pods.
fn settle(namespace: Symbol, turn: &mut Turn<'_, '_>) {
    let Some(tally) = turn.store.tally_mut(namespace) else {
        return;
    };
    let changed = tally.take_changed();
    if changed.is_empty() {
        return;
    }
    let mut sums = std::mem::take(tally.sums_mut());
    for (template, by) in changed {
        let share = pod_share(template, turn.store, turn.ctx.symbols);
        let spec = spec(template, turn.store);
        for sums in sums.values_mut() {
            if scope::counts(&sums.scopes, spec) {
                add(&mut sums.used, &share, by);
            }
        }
    }
    if let Some(tally) = turn.store.tally_mut(namespace) {
        *tally.sums_mut() = sums;
    }
}

/// Whether the sums are of the pods that they are made of: for soak runs.
pub fn sums_agree(store: &Store, symbols: &Symbols) -> bool {
    store.tallied().all(|tally| {
        let summed = tally.summed();
        tally.sums().values().all(|kept| {
            let alike = summed.iter().map(|(id, alike)| (*id, *alike));
            let fresh = sum(kept.scopes.clone(), alike, store, symbols);
            let some = |used: &SortedMap<Arc<str>, Quantity>| -> Vec<(Arc<str>, i128)> {
                let used = used.iter().filter(|(_, amount)| !amount.is_zero());
                used.map(|(resource, amount)| (resource.clone(), amount.nano_value()))
                    .collect()
            };
            some(&fresh.used) == some(&kept.used)
        })
    })
}

const fn one() -> Quantity {
    Quantity::from_units(1, Format::DecimalSi)
}

/// What a quota limits, as it is written.
fn hard(document: &Value) -> SortedMap<String, Quantity> {
    amounts(document, ["spec", "hard"])
}

fn amounts(document: &Value, path: [&str; 2]) -> SortedMap<String, Quantity> {
    document
        .path(&path)
        .and_then(Value::as_map)
        .unwrap_or_default()
        .iter()
        .filter_map(|(resource, amount)| Some((resource.to_string(), read(amount)?)))
        .collect()
}

fn read(amount: &Value) -> Option<Quantity> {
    match amount {
        Value::Int(number) => Quantity::parse(&number.to_string()).ok(),
        other => Quantity::parse(other.as_str()?).ok(),
    }
}

/// How much of each limited resource the namespace uses.
fn usage(
    id: WatchedId,
    hard: &SortedMap<String, Quantity>,
    turn: &mut Turn<'_, '_>,
) -> SortedMap<String, Quantity> {
    let mut used: SortedMap<String, Quantity> = hard
        .keys()
        .map(|key| (key.clone(), Quantity::ZERO))
        .collect();
    let Some(row) = turn.store.watched(id) else {
        return used;
    };
    let namespace = row.namespace;
    let quota = turn
        .store
        .watched_document(id)
        .map(|document| document.value.clone())
        .unwrap_or_default();
    if hard.keys().any(|key| pod_resource(key))
        && let Some(sums) = pods_use(id, namespace, &quota, turn)
    {
        for (resource, amount) in &mut used {
            if let Some(sum) = sums.get(resource.as_str()) {
                *amount = sum.clone();
            }
        }
    }
    let text = turn.ctx.symbols.text(namespace);
    for (resource, sum) in &mut used {
        if let Some(kind) = counted_kind(resource) {
            *sum = objects_share(kind, resource, &quota, text, turn);
        }
    }
    used
}

/// The kind whose objects, pods aside, a resource of a quota counts.
fn counted_kind(resource: &str) -> Option<&'static Kind> {
    let counted = match resource.strip_prefix("count/") {
        Some(counted) => counted,
        None if resource == STORAGE || resource.contains(OF_CLASS) => "persistentvolumeclaims",
        None if resource.starts_with("services.") => "services",
        None => resource,
    };
    let kind = KINDS.iter().find(|kind| kind.resource() == counted);
    kind.filter(|kind| kind.kind != "Pod" && kind.namespaced)
}

/// What an object takes of a quota's resource; `None`: the resource does not count its kind.
/// Source: `pkg/quota/v1/evaluator/core/registry.go`.
pub fn object_share(kind: &Kind, resource: &str, object: &Value) -> Option<Quantity> {
    if let Some(counted) = resource.strip_prefix("count/") {
        return (counted == kind.resource()).then(one);
    }
    match kind.kind {
        "ConfigMap"
        | "Secret"
        | "PersistentVolumeClaim"
        | "ReplicationController"
        | "ResourceQuota"
        | "Service"
            if resource == kind.plural =>
        {
            Some(one())
        }
        "PersistentVolumeClaim" => claim_share(resource, object),
        "Service" => service_share(resource, object),
        _ => None,
    }
}

/// What all objects of a kind in a namespace take of a resource.
pub fn objects_share(
    kind: &Kind,
    resource: &str,
    quota: &Value,
    namespace: &str,
    turn: &Turn<'_, '_>,
) -> Quantity {
    if kind.kind == "ReplicaSet" && !scope::is_scoped(quota) {
        let symbol = turn.ctx.symbols.get(namespace);
        let sets = turn
            .store
            .replica_sets()
            .filter(|(_, row)| Some(row.namespace) == symbol)
            .count();
        return Quantity::from_units(i64::try_from(sets).unwrap_or(i64::MAX), Format::DecimalSi);
    }
    let mut sum = Quantity::ZERO;
    let documents = turn.store.documents();
    for (_, document) in documents.within(&kind.resource(), namespace) {
        if scope::counts_object(quota, kind, &document.value)
            && let Some(share) = object_share(kind, resource, &document.value)
        {
            sum.add(&share);
        }
    }
    sum
}

/// Whether a resource of a quota is one that pods use.
/// Source: `pkg/quota/v1/evaluator/core/pods.go` (`podResources`, `podResourcePrefixes`,
/// `isExtendedResourceNameForQuota`).
fn pod_resource(resource: &str) -> bool {
    let fixed = matches!(
        resource,
        COUNT
            | "pods"
            | "cpu"
            | "memory"
            | "requests.cpu"
            | "requests.memory"
            | "limits.cpu"
            | "limits.memory"
            | "ephemeral-storage"
            | "requests.ephemeral-storage"
            | "limits.ephemeral-storage"
    );
    let plain = resource.strip_prefix("requests.");
    let huge = plain.unwrap_or(resource).starts_with(HUGE_PAGES);
    let extended = plain.is_some_and(|name| name.contains('/') && !name.contains("kubernetes.io/"));
    fixed || huge || extended
}

/// The storage that claims ask for.
const STORAGE: &str = "requests.storage";
/// Between a class's name and what of its claims is counted.
/// Source: `pkg/quota/v1/evaluator/core/persistent_volume_claims.go` (`storageClassSuffix`).
const OF_CLASS: &str = ".storageclass.storage.k8s.io/";

/// Source: `staging/src/k8s.io/api/core/v1/annotation_key_constants.go`.
const BETA_CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// What a claim takes of a resource: bytes, or one of a class's claims. `None`: it takes nothing.
/// Sources: `pkg/quota/v1/evaluator/core/persistent_volume_claims.go` (`Usage`, `getStorageUsage`),
/// `component-helpers/storage/volume/helpers.go` (`GetPersistentVolumeClaimClass`).
fn claim_share(resource: &str, claim: &Value) -> Option<Quantity> {
    let bytes = || {
        let asked = read(claim.path(&["spec", "resources", "requests", "storage"])?)?;
        let granted = claim.path(&["status", "allocatedResources", "storage"]);
        let most = match granted.and_then(read) {
            Some(granted) if granted > asked => granted,
            _ => asked,
        };
        Some(if most.is_whole() {
            most
        } else {
            Quantity::from_units(most.value(), most.format())
        })
    };
    if resource == STORAGE {
        return bytes();
    }
    let (class, what) = resource.split_once(OF_CLASS)?;
    let own = claim
        .str_at(&["metadata", "annotations", BETA_CLASS])
        .or_else(|| claim.str_at(&["spec", "storageClassName"]));
    if own != Some(class) {
        return None;
    }
    match what {
        STORAGE => bytes(),
        "persistentvolumeclaims" => Some(one()),
        _ => None,
    }
}

/// What a Service takes: ports of all nodes, load balancers.
/// Source: `pkg/quota/v1/evaluator/core/services.go` (`Usage`).
fn service_share(resource: &str, service: &Value) -> Option<Quantity> {
    let balances = service.str_at(&["spec", "type"]) == Some("LoadBalancer");
    let whole = |count: usize| {
        Quantity::from_units(i64::try_from(count).unwrap_or(i64::MAX), Format::DecimalSi)
    };
    match resource {
        "services.loadbalancers" => Some(whole(usize::from(balances))),
        "services.nodeports" => {
            let ports = service.path(&["spec", "ports"]).and_then(Value::as_list);
            let ports = ports.unwrap_or(&[]);
            let allocates = service.path(&["spec", "allocateLoadBalancerNodePorts"]);
            let count = match service.str_at(&["spec", "type"]) {
                Some("NodePort") => ports.len(),
                Some("LoadBalancer") if allocates == Some(&Value::Bool(false)) => {
                    let stated = |port: &&Value| port.i64_at(&["nodePort"]).unwrap_or(0) != 0;
                    ports.iter().filter(stated).count()
                }
                Some("LoadBalancer") => ports.len(),
                _ => 0,
            };
            Some(whole(count))
        }
        _ => None,
    }
}

/// How often all quotas are counted, whether or not anything was written.
/// Source: `pkg/controller/resourcequota/config/v1alpha1/defaults.go`.
const RESYNC: SimDuration = SimDuration::from_secs(300);

/// A status that somebody else writes stays until the next count.
/// Source: `resource_quota_controller.go` (`UpdateFunc`).
pub fn status_written(id: WatchedId, turn: &mut Turn<'_, '_>) {
    let at = tick_after(turn.now(), RESYNC);
    turn.at(at, Event::Sync(Key::Watched(id)));
}

/// Pods of a namespace that have been asked to go are counted as long again as they have to do so.
/// What is still there then is not seen before the quotas are counted for another reason.
/// Source: `pkg/quota/v1/evaluator/core/pods.go` (`QuotaV1Pod`).
pub fn follow_going(namespace: Symbol, turn: &mut Turn<'_, '_>) {
    let now = turn.now();
    let Some(tally) = turn.store.tally_mut(namespace) else {
        return;
    };
    if tally.going().is_empty() || tally.counted_at.is_some_and(|at| at > now) {
        return;
    }
    let at = tick_after(now, RESYNC);
    tally.counted_at = Some(at);
    for id in turn.store.quotas_of(namespace).to_vec() {
        turn.at(at, Event::Sync(Key::Watched(id)));
    }
}

/// Leaves out pods that have had twice the time to go.
fn drop_overdue(namespace: Symbol, turn: &mut Turn<'_, '_>) {
    let Some(tally) = turn.store.tally(namespace) else {
        return;
    };
    let overdue = |pod: &PodId| {
        let details = turn.store.pod_details(*pod);
        let twice = 2 * details.deletion_grace.as_micros().cast_signed();
        let asked = details.terminating_since.map(SimTime::signed_micros);
        asked.is_some_and(|asked| turn.now().signed_micros() > asked + twice)
    };
    let overdue: Vec<PodId> = tally.going().iter().copied().filter(overdue).collect();
    for pod in overdue {
        turn.store.set_overdue(pod);
    }
    follow_going(namespace, turn);
}

/// Writes what is used of a quota.
#[inline(never)]
pub fn sync(id: WatchedId, turn: &mut Turn<'_, '_>) {
    if let Some(row) = turn.store.watched(id) {
        drop_overdue(row.namespace, turn);
    }
    let Some(document) = turn.store.watched_document(id) else {
        return;
    };
    let Some(row) = turn.store.watched(id) else {
        return;
    };
    let key = row.key.clone();
    let namespace = row.namespace;
    let limits = document
        .value
        .path(&["spec", "hard"])
        .cloned()
        .unwrap_or_default();
    let used = usage(id, &hard(&document.value), turn);
    if let Some(tally) = turn.store.tally_mut(namespace) {
        tally.unseen = None;
    }
    let used = Value::object(
        used.iter()
            .map(|(resource, amount)| (resource.as_str(), Value::from(amount.to_string()))),
    );
    let status = Value::object([("hard", limits), ("used", used)]);
    turn.store.write_status(&key, status);
}

#[cfg(test)]
mod tests;
