//! `podFailurePolicy`: what a pod's failure means. The first rule that matches decides.
//! Source: `pkg/controller/job/pod_failure_policy.go`.

use crate::kube::rows::job::{FailureAction, FailureMatch, FailureRule, JobPart};
use crate::kube::rows::pod::{ContainerState, PodFlags};
use crate::kube::rows::{PodId, read};
use crate::kube::selector::label;
use crate::kube::turn::Turn;

/// A rule that matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    /// What follows.
    pub action: FailureAction,
    /// The sentence of the Job's condition, should it fail by this.
    pub message: String,
}

/// Takes over what a failed pod says of the failures of its index before it. A controller that has
/// made the pods itself knows as much already.
pub fn recall(pod: PodId, index: i64, part: &mut JobPart, turn: &Turn<'_, '_>) {
    if part.per_index.is_none() {
        return;
    }
    let Some(row) = turn.store.pod(pod) else {
        return;
    };
    let template = turn.store.template(row.template);
    let number = |key: &str| -> i64 {
        label(&template.annotations, key)
            .and_then(|text| text.parse().ok())
            .unwrap_or(0)
    };
    let known = part.index_failures.entry(index).or_default();
    known.0 = known
        .0
        .max(number("batch.kubernetes.io/job-index-failure-count"));
    known.1 = known.1.max(number(
        "batch.kubernetes.io/job-index-ignored-failure-count",
    ));
}

/// The rule that a failed pod matches.
pub fn judge(pod: PodId, part: &JobPart, turn: &Turn<'_, '_>) -> Option<Matched> {
    let rules = part.failure_rules.as_ref()?;
    rules
        .iter()
        .enumerate()
        .find_map(|(number, rule)| matches(pod, number, rule, turn))
}

fn matches(pod: PodId, number: usize, rule: &FailureRule, turn: &Turn<'_, '_>) -> Option<Matched> {
    let row = turn.store.pod(pod)?;
    let template = turn.store.template(row.template);
    let details = turn.store.pod_details(pod);
    let name = format!(
        "{}/{}",
        turn.ctx.symbols.text(template.namespace),
        row.name.text(turn.ctx.symbols)
    );
    let action = action_text(rule.action);
    let message = match &rule.matches {
        FailureMatch::ExitCodes(wanted, listed, codes) => {
            let inits = template.spec.init_containers.len();
            let ends = |containers: std::ops::Range<usize>| {
                containers.filter_map(|index| {
                    let status = details.containers.get(index)?;
                    let ContainerState::Terminated(end) = &status.state else {
                        return None;
                    };
                    let container = match index.checked_sub(inits) {
                        Some(main) => template.spec.containers.get(main)?,
                        None => template.spec.init_containers.get(index)?,
                    };
                    Some((container.name.clone(), end.exit_code))
                })
            };
            // Main containers before init containers.
            let (container, code) = ends(inits..details.containers.len())
                .chain(ends(0..inits))
                .find(|(container, code)| {
                    *code != 0
                        && wanted.as_ref().is_none_or(|wanted| wanted == container)
                        && codes.contains(&i64::from(*code)) == *listed
                })?;
            format!(
                "Container {container} for pod {name} failed with exit code {code} matching {action} rule at index {number}"
            )
        }
        FailureMatch::Conditions(conditions) => {
            let (kind, _) = conditions.iter().find(|(kind, status)| {
                let holds = match &**kind {
                    "DisruptionTarget" => details
                        .aside
                        .disruption
                        .as_ref()
                        .map(|_| row.flags.has(PodFlags::DISRUPTION_TARGET)),
                    "Ready" => Some(row.is_ready()),
                    "ContainersReady" => Some(row.flags.has(PodFlags::CONTAINERS_READY)),
                    "Initialized" => Some(row.flags.has(PodFlags::INITIALIZED)),
                    "PodScheduled" => Some(row.node.is_some()),
                    other => {
                        let found = details.condition(other);
                        return found.is_some_and(|it| read::text(it, &["status"]) == &**status);
                    }
                };
                match holds {
                    Some(true) => &**status == "True",
                    Some(false) => &**status == "False",
                    None => false,
                }
            })?;
            format!("Pod {name} has condition {kind} matching {action} rule at index {number}")
        }
    };
    Some(Matched {
        action: rule.action,
        message,
    })
}

const fn action_text(action: FailureAction) -> &'static str {
    match action {
        FailureAction::FailJob => "FailJob",
        FailureAction::Ignore => "Ignore",
        FailureAction::Count => "Count",
        FailureAction::FailIndex => "FailIndex",
    }
}
