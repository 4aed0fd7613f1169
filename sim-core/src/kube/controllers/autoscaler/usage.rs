//! What the machines measure of a pod, as the metrics server reports it.

use crate::kube::rows::PodId;
use crate::kube::rows::pod::ContainerState;
use crate::kube::turn::Turn;

/// A pod's use in thousandths: memory in bytes. Processor time is not measured yet, so that
/// samples of it have to be set.
pub fn measured(pod: PodId, metric: &str, turn: &Turn<'_, '_>) -> Option<i64> {
    if metric != "memory" {
        return None;
    }
    let details = turn.store.pod_details(pod);
    let mut sum = None;
    for status in details.containers.iter() {
        let ContainerState::Running { .. } = status.state else {
            continue;
        };
        let container = turn.ctx.machines.container(status.container?)?;
        let bytes = i64::try_from(container.behaviour.memory_bytes).unwrap_or(i64::MAX);
        sum = Some(
            sum.unwrap_or(0_i64)
                .saturating_add(bytes.saturating_mul(1_000)),
        );
    }
    sum
}
