//! The eviction subresource: a deletion that asks the pod's budget first.
//! Source: `pkg/registry/core/pod/storage/eviction.go`.

use crate::base::arrange::Arrange;
use crate::base::time::SimDuration;
use crate::kube::controllers::disruption;
use crate::kube::rows::PodId;
use crate::kube::rows::pod::Phase;
use crate::kube::rows::read as fields;
use crate::kube::rows::watched::WatchedPart;
use crate::kube::store::document::DocumentKey;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

use super::refusal::{Refusal, cause};
use super::{ApiServer, Response, known, note, read};

/// Granted evictions that are not yet seen by the disruption controller. Source: as above,
/// `MaxDisruptedPodSize`.
const GRANTED_MAX: usize = 2_000;

const SEVERAL: &str = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";

const VIOLATED: &str = "Cannot evict pod as it would violate the pod's disruption budget.";

impl ApiServer {
    /// POST to a pod's `eviction`.
    #[inline(never)]
    pub(super) fn evict(
        &mut self,
        namespace: &str,
        name: &str,
        grace_seconds: Option<i64>,
        turn: &mut Turn<'_, '_>,
    ) -> Result<Response, Refusal> {
        let kind = known("Pod", turn)?;
        let object =
            read(kind, namespace, name, turn).ok_or_else(|| Refusal::not_found(kind, name))?;
        if find(namespace, name, turn).is_none() {
            budget_of_bare(&object, turn)?;
            let key = bare_key(namespace, name);
            note("evict", kind, name, turn);
            self.delete_bare(&key, turn);
            return Ok(Response {
                object,
                changed: true,
            });
        }
        let pod = find(namespace, name, turn).ok_or_else(|| Refusal::not_found(kind, name))?;
        let row = *turn
            .store
            .pod(pod)
            .ok_or_else(|| Refusal::not_found(kind, name))?;
        let free = row.phase == Phase::Pending || row.phase.is_terminal() || row.is_terminating();
        let budgets = if free {
            Vec::new()
        } else {
            disruption::budgets_of(&row, turn)
        };
        if budgets.len() > 1 {
            return Err(refusal(500, "InternalError", name, SEVERAL, None));
        }
        if let Some(id) = budgets.first().copied() {
            let generation = turn
                .store
                .watched_document(id)
                .map_or(0, |document| document.generation);
            let row_name = turn
                .store
                .watched(id)
                .map(|row| turn.ctx.symbols.text(row.name).to_owned())
                .unwrap_or_default();
            let Some(WatchedPart::Budget(part)) =
                turn.store.watched(id).map(|row| row.part.clone())
            else {
                return Err(Refusal::not_found(kind, name));
            };
            let unready_goes = !row.is_ready()
                && (part.always_allow || (part.healthy >= part.desired && part.desired > 0));
            if !unready_goes {
                let denied =
                    |why: String| refusal(429, "TooManyRequests", name, VIOLATED, Some(why));
                if part.observed < generation {
                    return Err(denied(format!(
                        "The disruption budget {row_name} is still being processed by the server."
                    )));
                }
                if part.disrupted.len() > GRANTED_MAX {
                    return Err(forbidden(
                        &row_name,
                        "DisruptedPods map too big - too many evictions not confirmed by PDB controller",
                    ));
                }
                if part.allowed <= 0 {
                    let counts = (part.desired, part.healthy);
                    let budget = turn.store.watched_document(id);
                    let budget = budget.map(|document| &document.value);
                    return Err(denied(needs(&row_name, budget, counts)));
                }
                let mut part = part;
                part.allowed -= 1;
                part.disrupted.insert(pod, turn.now());
                disruption::write(id, part, Ok(None), turn);
            }
        }
        let now = turn.now();
        turn.store.set_disruption(
            pod,
            "EvictionByEvictionAPI",
            "Eviction API: evicting".into(),
            now,
        );
        note("evict", kind, name, turn);
        let grace = grace_seconds
            .map(|seconds| SimDuration::from_secs(u64::try_from(seconds).unwrap_or(1)));
        turn.store.mark_terminating(pod, grace, now);
        Ok(Response {
            object,
            changed: true,
        })
    }
}

fn bare_key(namespace: &str, name: &str) -> DocumentKey {
    DocumentKey {
        resource: "pods".into(),
        namespace: namespace.into(),
        name: name.into(),
    }
}

/// The same question for a pod that was taken over: budgets are asked by their status.
fn budget_of_bare(pod: &Value, turn: &mut Turn<'_, '_>) -> Result<(), Refusal> {
    let text = |path: &[&str]| fields::text(pod, path);
    let name = text(&["metadata", "name"]).to_owned();
    let free = matches!(
        text(&["status", "phase"]),
        "Pending" | "Succeeded" | "Failed"
    ) || pod.path(&["metadata", "deletionTimestamp"]).is_some();
    if free {
        return Ok(());
    }
    let mut labels: Vec<_> = fields::text_map(pod.path(&["metadata", "labels"]))
        .into_iter()
        .collect();
    labels.arrange();
    let budgets: Vec<(DocumentKey, Value, i64)> = turn
        .store
        .documents()
        .of("poddisruptionbudgets.policy")
        .filter(|(key, document)| {
            *key.namespace == *text(&["metadata", "namespace"])
                && document
                    .value
                    .path(&["spec", "selector"])
                    .is_some_and(|selector| fields::selector(selector).matches(&labels))
        })
        .map(|(key, document)| (key.clone(), document.value.clone(), document.generation))
        .collect();
    let [(key, budget, generation)] = budgets.as_slice() else {
        if budgets.is_empty() {
            return Ok(());
        }
        return Err(refusal(500, "InternalError", &name, SEVERAL, None));
    };
    let number = |field| fields::number(budget, &["status", field]);
    let ready = fields::list(pod, &["status", "conditions"])
        .iter()
        .any(|one| {
            fields::text(one, &["type"]) == "Ready" && fields::text(one, &["status"]) == "True"
        });
    let (healthy, desired) = (number("currentHealthy"), number("desiredHealthy"));
    let always = fields::text(budget, &["spec", "unhealthyPodEvictionPolicy"]) == "AlwaysAllow";
    if !ready && (always || healthy >= desired && desired > 0) {
        return Ok(());
    }
    let denied = |why: String| refusal(429, "TooManyRequests", &name, VIOLATED, Some(why));
    if number("observedGeneration") < *generation {
        return Err(denied(format!(
            "The disruption budget {} is still being processed by the server.",
            key.name
        )));
    }
    let allowed = number("disruptionsAllowed");
    if allowed < 0 {
        return Err(forbidden(&key.name, "pdb disruptions allowed is negative"));
    }
    if allowed == 0 {
        let counts = (desired, healthy);
        return Err(denied(needs(&key.name, Some(budget), counts)));
    }
    turn.store.change_document(key, |value| {
        value.set_path(&["status", "disruptionsAllowed"], (allowed - 1).into());
    });
    Ok(())
}

/// Why a budget allows nothing: healthy pods that it needs and has, or that it is not known.
/// Source: `pkg/registry/core/pod/storage/eviction.go` (`checkAndDecrement`).
fn needs(name: &str, budget: Option<&Value>, (desired, healthy): (i64, i64)) -> String {
    let condition = budget.and_then(|budget| budget.path(&["status", "conditions"])?.at(0));
    let text = |field| condition.map_or("", |condition| fields::text(condition, &[field]));
    let (reason, message) = (text("reason"), text("message"));
    let told = text("status") == "False" && !message.is_empty();
    let denied = format!("The disruption budget {name} does not allow evicting pods currently");
    match (told, reason) {
        (true, "SyncFailed") => format!("{denied} because it failed sync: {message}"),
        _ if healthy <= desired => format!(
            "The disruption budget {name} needs {desired} healthy pods and has {healthy} currently"
        ),
        (true, _) => format!("{denied} ({reason}): {message}"),
        _ => denied,
    }
}

/// What a budget's own state forbids.
fn forbidden(budget: &str, why: &str) -> Refusal {
    let message = format!("poddisruptionbudget.policy \"{budget}\" is forbidden: {why}");
    refusal(403, "Forbidden", budget, &message, None)
}

pub(super) fn find(namespace: &str, name: &str, turn: &Turn<'_, '_>) -> Option<PodId> {
    turn.store.pod_named(namespace, name, turn.ctx.symbols)
}

fn refusal(
    code: u16,
    reason: &'static str,
    name: &str,
    message: &str,
    why: Option<String>,
) -> Refusal {
    Refusal {
        code,
        reason,
        message: message.into(),
        kind: "Pod".into(),
        name: name.to_owned(),
        causes: why.map(|message| cause("", message)).into_iter().collect(),
    }
}
