//! The status subresource of pods: of what is sent only those conditions are taken that neither the
//! kubelet nor the control plane writes, the ones of readiness gates among them.
//! Sources: `pkg/registry/core/pod/strategy.go` (`podStatusStrategy`), `pkg/kubelet/types/pod_status.go`,
//! `pkg/apis/core/validation/validation.go` (`validatePodConditions`).

use crate::base::labels::syntax::qualified_name_errors;
use crate::base::sentence::catalogue;
use crate::kube::rows::read as fields;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;

use super::refusal::{Cause, cause};
use super::write::answer;
use super::write::pod::{Target, target};
use super::{ApiServer, Refusal, Response, note};

/// Conditions that the kubelet or the control plane writes.
const OWN: [&str; 8] = [
    "ContainersReady",
    "DisruptionTarget",
    "Initialized",
    "PodReadyToStartContainers",
    "PodResizeInProgress",
    "PodResizePending",
    "PodScheduled",
    "Ready",
];

fn is_own(condition: &Value) -> bool {
    OWN.contains(&fields::text(condition, &["type"]))
}

/// Conditions of a pod's status that others wrote. Times are never left out.
pub(super) fn of_others(status: &Value) -> Vec<Value> {
    let list = fields::list(status, &["conditions"]).iter();
    let others = list.filter(|condition| !is_own(condition)).cloned();
    others
        .map(|mut condition| {
            for time in ["lastProbeTime", "lastTransitionTime"] {
                if condition.get(time).is_none() {
                    condition.set(time, Value::Null);
                }
            }
            condition
        })
        .collect()
}

/// A status without them.
fn of_own(status: &Value) -> Value {
    let list = fields::list(status, &["conditions"]).iter();
    let mut own: Vec<Value> = list.filter(|it| is_own(it)).cloned().collect();
    for condition in &mut own {
        condition.remove("lastProbeTime");
    }
    let mut rest = status.clone();
    rest.set("conditions", Value::list(own));
    rest
}

impl ApiServer {
    /// PUT to a pod's status subresource.
    #[inline(never)]
    pub(super) fn update_pod_status(
        &mut self,
        object: &Value,
        namespace: &str,
        turn: &mut Turn<'_, '_>,
    ) -> Result<Response, Refusal> {
        let Target {
            asked,
            current,
            pod,
            ..
        } = target(object, namespace, turn)?;
        let (kind, key) = (asked.kind, asked.key);
        let part = |object: &Value| object.get("status").cloned().unwrap_or_else(Value::map);
        let (wanted, known) = (part(&asked.value), part(&current));
        if of_own(&wanted) != of_own(&known) {
            return Err(Refusal::forbidden(
                kind,
                &key.name,
                catalogue::STATUS_OF_POD.plain(),
            ));
        }
        let conditions = of_others(&wanted);
        let causes = check(fields::list(&wanted, &["conditions"]));
        if !causes.is_empty() {
            return Err(Refusal::invalid(kind, &key.name, causes));
        }
        let changed = conditions != of_others(&known);
        if changed {
            turn.store.set_conditions(pod, conditions);
            note("update", kind, &key.name, turn);
        }
        let mut response = answer(kind, &key, turn)?;
        response.changed = changed;
        Ok(response)
    }
}

fn check(conditions: &[Value]) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (index, condition) in conditions.iter().enumerate() {
        if is_own(condition) {
            continue;
        }
        let kind = fields::text(condition, &["type"]);
        for error in qualified_name_errors(kind) {
            causes.push(cause(
                format!("status.conditions[{index}].type"),
                format!("Invalid value: {kind:?}: {error}"),
            ));
        }
    }
    causes
}
