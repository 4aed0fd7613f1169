//! The disruption controller: how many pods of a budget may be evicted now.
//! Source: `pkg/controller/disruption/disruption.go`.

use crate::base::arrange::Arrange;
use crate::base::name::Name;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::symbol::Symbol;
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::Detail;
use crate::kube::apiserver::read as object_of;
use crate::kube::event::{Event, Key};
use crate::kube::render::{object, time};
use crate::kube::rows::pod::{PodCondition, PodFlags, PodRow, signed_s};
use crate::kube::rows::watched::{Allowance, BudgetPart, WatchedPart, WatchedRow};
use crate::kube::rows::workload::{Amount, OwnerKind};
use crate::kube::rows::{DeploymentId, PodId, ReplicaSetId, WatchedId, read};
use crate::kube::store::events::{Incarnation, Message, Regarding};
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

/// How long a granted eviction counts without the pod going. Source: as above, `DeletionTimeout`.
const GRANTED: SimDuration = SimDuration::from_secs(120);

/// How long a pod that was to be disrupted may stay. Source: as above, `stalePodDisruptionTimeout`.
const STALE: SimDuration = SimDuration::from_secs(120);

/// Type of the condition that this controller writes.
/// Source: `staging/src/k8s.io/api/policy/v1/types.go` (`DisruptionAllowedCondition`).
const ALLOWED: &str = "DisruptionAllowed";

const COMPONENT: &str = "controllermanager";

/// When a pod's disruption would be stale; none if it is under way or was none.
fn stale_at(pod: PodId, row: &PodRow, turn: &Turn<'_, '_>) -> Option<SimTime> {
    let due = row.flags.has(PodFlags::DISRUPTION_TARGET)
        && !row.is_terminating()
        && !row.phase.is_terminal();
    if !due {
        return None;
    }
    let since = turn.store.pod_details(pod).transitions_s[PodCondition::DisruptionTarget as usize];
    let at = signed_s(since).saturating_mul(1_000_000);
    let at = at.saturating_add(i64::try_from(STALE.as_micros()).unwrap_or(0));
    Some(SimTime::from_micros(u64::try_from(at).unwrap_or(0)))
}

/// Waits for the end of a disruption that a pod has just been marked with.
pub fn watch(pod: PodId, row: &PodRow, turn: &mut Turn<'_, '_>) {
    if let Some(at) = stale_at(pod, row, turn) {
        turn.at(at, Event::DisruptionStale(pod));
    }
}

/// The condition is taken back from a pod that was not disrupted in time.
#[inline(never)]
pub fn stale(pod: PodId, turn: &mut Turn<'_, '_>) {
    let Some(row) = turn.store.pod(pod).copied() else {
        return;
    };
    let now = turn.now();
    if stale_at(pod, &row, turn).is_some_and(|at| at <= now) {
        turn.note("kube.disruption", "stale", "pod", row.name, Detail::None);
        turn.store.clear_disruption(pod, now);
    }
}

/// Budgets that select a pod.
pub fn budgets_of(row: &PodRow, turn: &Turn<'_, '_>) -> Vec<WatchedId> {
    let selects = |watched: &WatchedRow| {
        let WatchedPart::Budget(part) = &watched.part else {
            return false;
        };
        let template = turn.store.template(row.template);
        let selector = part.selector.as_ref();
        watched.namespace == template.namespace
            && selector.is_some_and(|selector| selector.matches(&template.labels))
    };
    let watched = turn.store.all_watched();
    watched
        .filter(|(_, watched)| selects(watched))
        .map(|(id, _)| id)
        .collect()
}

/// Budgets that are looked at after a write to a pod. Upstream takes one of several, whichever comes
/// first out of a map; all are looked at here, and the first by name is the one that is told.
pub fn chosen(pod: PodId, row: &PodRow, turn: &mut Turn<'_, '_>) -> Vec<WatchedId> {
    let found = budgets_of(row, turn);
    if found.len() > 1 {
        let symbols = &turn.ctx.symbols;
        let names = found.iter().filter_map(|id| turn.store.watched(*id));
        let first = names.map(|budget| symbols.text(budget.name)).min();
        let namespace = symbols.text(turn.store.template(row.template).namespace);
        let text = format!(
            "Pod {namespace:?}/{:?} matches multiple PodDisruptionBudgets.  Chose {:?} arbitrarily.",
            row.name.text(symbols),
            first.unwrap_or_default()
        );
        // Of a pod that is gone, too.
        let object = Regarding {
            kind: "Pod",
            namespace: turn.store.template(row.template).namespace,
            name: row.name,
            pod: Some(Incarnation {
                id: pod,
                created_s: row.created_s,
            }),
        };
        let message = Message::Text(text.into());
        turn.warning(object, COMPONENT, "MultiplePodDisruptionBudgets", message);
    }
    found
}

/// Pods that a budget selects.
fn pods(part: &BudgetPart, namespace: Symbol, turn: &Turn<'_, '_>) -> Vec<PodId> {
    let Some(selector) = &part.selector else {
        return Vec::new();
    };
    let mut found: Vec<PodId> = Vec::new();
    // By controller, so that a budget costs what it selects and not what the cluster holds.
    for (id, row) in turn.store.pod_controllers() {
        if row.namespace == namespace && selector.matches(&turn.store.template(row.template).labels)
        {
            found.extend(turn.store.pods_of(id).map(|(pod, _)| pod));
        }
    }
    found.extend(turn.store.lonely_pods());
    found.retain(|pod| {
        turn.store.pod(*pod).is_some_and(|row| {
            let template = turn.store.template(row.template);
            template.namespace == namespace && selector.matches(&template.labels)
        })
    });
    found.arrange();
    found
}

/// One pass over one budget.
#[inline(never)]
pub fn sync(id: WatchedId, turn: &mut Turn<'_, '_>) {
    let now = turn.now();
    let Some(row) = turn.store.watched(id) else {
        return;
    };
    let WatchedPart::Budget(part) = &row.part else {
        return;
    };
    let (namespace, name, mut part) = (row.namespace, row.name, part.clone());
    let mut before = part.clone();
    let Some(document) = turn.store.watched_document(id) else {
        return;
    };
    let generation = document.generation;
    let object = ("PodDisruptionBudget", namespace, Name::plain(name));
    let pods = pods(&part, namespace, turn);
    if pods.is_empty() {
        turn.normal(
            object,
            COMPONENT,
            "NoPods",
            Message::Plain("No matching pods found"),
        );
    }
    let mut late = Vec::new();
    let granted = i64::try_from(GRANTED.as_micros()).unwrap_or(i64::MAX);
    part.disrupted.retain(|pod, since| {
        let stays = turn
            .store
            .pod(*pod)
            .is_some_and(|row| !row.is_terminating());
        // One of a budget that was taken over may lie before the run.
        let late_by = now.signed_micros() - since.signed_micros() - granted;
        if stays && late_by > 0 {
            late.push(*pod);
        }
        stays && late_by <= 0
    });
    for pod in late {
        // Upstream gives the namespace for the budget's name, too.
        let namespace = turn.ctx.symbols.text(namespace);
        let text =
            format!("Pod was expected by PDB {namespace}/{namespace} to be deleted but it wasn't");
        if let Some(object) = turn.pod_object(pod) {
            turn.warning(object, COMPONENT, "NotDeleted", Message::Text(text.into()));
        }
    }
    let ends = part.disrupted.values().map(|since| since.signed_micros());
    if let Some(next) = ends
        .min()
        .and_then(|since| u64::try_from(since + granted).ok())
    {
        let past = SimDuration::from_micros(1);
        let next = SimTime::from_micros(next);
        turn.at(next + past, Event::Sync(Key::Watched(id)));
    }
    let healthy = pods
        .iter()
        .filter(|pod| !part.disrupted.contains_key(pod))
        .filter(|pod| {
            turn.store
                .pod(**pod)
                .is_some_and(|row| row.is_ready() && !row.is_terminating())
        })
        .count();
    part.healthy = i64::try_from(healthy).unwrap_or(i64::MAX);
    part.observed = generation;
    let expected = match part.allowance {
        Allowance::MinAvailable(Amount::Count(_)) => {
            Ok((i64::try_from(pods.len()).unwrap_or(i64::MAX), false))
        }
        _ => expected(&pods, turn),
    };
    let expected = match expected {
        Ok((expected, unmanaged)) => {
            if unmanaged {
                turn.warning(
                    object,
                    COMPONENT,
                    "UnmanagedPods",
                    Message::Text(unmanaged_text(&part).into()),
                );
            }
            expected
        }
        Err(why) => {
            let text = format!("Failed to calculate the number of expected pods: {why}");
            turn.warning(
                object,
                COMPONENT,
                "CalculateExpectedPodCountFailed",
                Message::Text(text.into()),
            );
            // The rest stays as it was found last. Source: `disruption.go` (`failSafe`).
            before.allowed = 0;
            write(id, before, Err(why), turn);
            return;
        }
    };
    part.desired = match part.allowance {
        Allowance::MinAvailable(Amount::Count(count)) => count,
        Allowance::MinAvailable(amount) => amount.ceiling(expected),
        Allowance::MaxUnavailable(amount) => (expected - amount.ceiling(expected)).max(0),
    };
    part.allowed = if expected <= 0 {
        0
    } else {
        (part.healthy - part.desired).max(0)
    };
    write(id, part, Ok(Some(expected)), turn);
}

/// Sum of the sizes of the distinct controllers, and whether a pod has none.
fn expected(pods: &[PodId], turn: &Turn<'_, '_>) -> Result<(i64, bool), String> {
    let mut sets: SortedSet<ReplicaSetId> = SortedSet::new();
    let mut unmanaged = false;
    let mut others: SortedMap<String, i64> = SortedMap::new();
    for pod in pods {
        let Some(row) = turn.store.pod(*pod) else {
            continue;
        };
        let controller = turn.store.pod_details(*pod).owners();
        let controller = controller
            .iter()
            .find(|owner| read::truth(owner, &["controller"]));
        match (row.owner, controller) {
            (Some(owner), _) => {
                sets.insert(owner);
            }
            (None, Some(controller)) => {
                let uid = read::text(controller, &["uid"]).to_owned();
                if !others.contains_key(&uid) {
                    others.insert(uid, other_scale(row, controller, turn)?);
                }
            }
            (None, None) => unmanaged = true,
        }
    }
    let mut deployments: SortedMap<DeploymentId, i64> = SortedMap::new();
    let mut sum = 0_i64;
    for set in sets {
        let Some(row) = turn.store.replica_set(set) else {
            continue;
        };
        if let Some(owner) = row.owner
            && let Some(deployment) = turn.store.deployment(owner)
        {
            deployments.insert(owner, deployment.replicas);
            continue;
        }
        match row.kind {
            OwnerKind::DaemonSet | OwnerKind::Job => {
                return Err(format!(
                    "{} does not implement the scale subresource",
                    row.kind.resource()
                ));
            }
            OwnerKind::ReplicaSet | OwnerKind::ReplicationController | OwnerKind::StatefulSet => {
                sum = sum.saturating_add(row.replicas);
            }
        }
    }
    let others = others.values().sum::<i64>();
    Ok((sum + deployments.values().sum::<i64>() + others, unmanaged))
}

/// Size of a controller that has no row: of a custom resource, or of one that is gone.
/// Source: `disruption.go` (`getScaleController`).
fn other_scale(pod: &PodRow, controller: &Value, turn: &Turn<'_, '_>) -> Result<i64, String> {
    let part = |field: &str| read::text(controller, &[field]);
    let (version, kind) = (part("apiVersion"), part("kind"));
    let Some(known) = turn.store.kind_of_object(version, kind) else {
        return Err(format!(
            "no matches for kind {kind:?} in version {version:?}"
        ));
    };
    let namespace = turn.store.template(pod.template).namespace;
    let namespace = turn.ctx.symbols.text(namespace);
    let scale = turn.store.definitions().of_kind(known);
    let scale = scale.map(|(_, version)| version.scale.as_ref());
    let path = match scale {
        Some(Some(paths)) => Some(&paths.spec),
        Some(None) => None,
        None => {
            let scales = matches!(
                kind,
                "Deployment" | "ReplicaSet" | "ReplicationController" | "StatefulSet"
            );
            if scales {
                return Err(no_controller(pod, turn));
            }
            None
        }
    };
    let Some(path) = path else {
        let resource = known.resource();
        return Err(format!(
            "{resource} does not implement the scale subresource"
        ));
    };
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let found = object_of(known, namespace, part("name"), turn);
    let found = found.filter(|object| object.str_at(&["metadata", "uid"]) == Some(part("uid")));
    match found {
        Some(object) => Ok(object.i64_at(&path).unwrap_or(0)),
        None => Err(no_controller(pod, turn)),
    }
}

fn no_controller(pod: &PodRow, turn: &Turn<'_, '_>) -> String {
    let name = pod.name.text(turn.ctx.symbols);
    format!("found no controllers for pod {name:?}")
}

fn unmanaged_text(part: &BudgetPart) -> String {
    let labels = part.selector.as_ref().map_or_else(Vec::new, |selector| {
        selector
            .0
            .iter()
            .filter_map(|requirement| match requirement {
                crate::kube::selector::Requirement::In(key, values) if values.len() == 1 => {
                    Some(format!("{key}:{}", values[0]))
                }
                _ => None,
            })
            .collect()
    });
    format!(
        "Pods selected by this PodDisruptionBudget (selector: &LabelSelector{{MatchLabels:map[string]string{{{}}},MatchExpressions:[]LabelSelectorRequirement{{}},}}) were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set \".spec.minAvailable\" field of the PDB to an integer value.",
        labels
            .iter()
            .map(|label| format!("{label},"))
            .collect::<String>()
            .replace(':', ": ")
    )
}

/// Writes a budget's status; the number of expected pods stays as it was if it is not given. An error: the
/// pass failed.
pub fn write(
    id: WatchedId,
    part: BudgetPart,
    expected: Result<Option<i64>, String>,
    turn: &mut Turn<'_, '_>,
) {
    let now = turn.now();
    let Some(row) = turn.store.watched(id) else {
        return;
    };
    let key = row.key.clone();
    let Some(document) = turn.store.documents().get(&key) else {
        return;
    };
    let old = document.value.get("status");
    let (expected, failure) = match expected {
        Ok(expected) => (expected, None),
        Err(why) => (None, Some(why)),
    };
    let expected = expected
        .or_else(|| old.and_then(|status| status.i64_at(&["expectedPods"])))
        .unwrap_or(0);
    let allowed = part.allowed > 0;
    let (status, reason) = match &failure {
        Some(_) => ("False", "SyncFailed"),
        None if allowed => ("True", "SufficientPods"),
        None => ("False", "InsufficientPods"),
    };
    // Conditions of others stay.
    let mut conditions = old
        .and_then(|status| status.path(&["conditions"])?.as_list())
        .unwrap_or(&[])
        .to_vec();
    let place = conditions
        .iter()
        .position(|condition| condition.str_at(&["type"]) == Some(ALLOWED));
    let since = place
        .map(|at| &conditions[at])
        .filter(|condition| condition.str_at(&["status"]) == Some(status))
        .and_then(|condition| condition.get("lastTransitionTime").cloned())
        .unwrap_or_else(|| time(now));
    let condition = Value::object([
        ("lastTransitionTime", since),
        ("message", failure.unwrap_or_default().into()),
        ("observedGeneration", part.observed.into()),
        ("reason", reason.into()),
        ("status", status.into()),
        ("type", ALLOWED.into()),
    ]);
    match place {
        Some(at) => conditions[at] = condition,
        None => conditions.push(condition),
    }
    let disrupted: Vec<(String, SimTime)> = part
        .disrupted
        .iter()
        .filter_map(|(pod, since)| {
            Some((turn.store.pod(*pod)?.name.text(turn.ctx.symbols), *since))
        })
        .collect();
    let disrupted = if disrupted.is_empty() {
        Value::Null
    } else {
        Value::object(
            disrupted
                .into_iter()
                .map(|(name, since)| (name, time(since))),
        )
    };
    let status = object([
        ("conditions", Value::list(conditions)),
        ("currentHealthy", part.healthy.into()),
        ("desiredHealthy", part.desired.into()),
        ("disruptedPods", disrupted),
        ("disruptionsAllowed", part.allowed.into()),
        ("expectedPods", expected.into()),
        ("observedGeneration", part.observed.into()),
    ]);
    if let Some(row) = turn.store.watched_mut(id) {
        row.part = WatchedPart::Budget(part);
    }
    turn.store.write_status(&key, status);
}
