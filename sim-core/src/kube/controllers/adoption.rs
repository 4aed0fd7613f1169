//! Adoption: a controller takes over pods that match and that nobody controls.
//! Source: `pkg/controller/controller_ref_manager.go`.

use crate::kube::rows::pod::{PodFlags, PodRow};
use crate::kube::rows::workload::{OwnerKind, ReplicaSetRow};
use crate::kube::rows::{PodId, ReplicaSetId};
use crate::kube::turn::Turn;

/// Controllers that would take a pod.
pub fn candidates(pod: &PodRow, turn: &Turn<'_, '_>) -> Vec<ReplicaSetId> {
    turn.store
        .pod_controllers()
        .filter(|(_, row)| takes(row, pod, turn))
        .map(|(id, _)| id)
        .collect()
}

/// Takes over all pods that match.
#[inline(never)]
pub fn adopt(id: ReplicaSetId, turn: &mut Turn<'_, '_>) {
    let Some(row) = turn.store.replica_set(id) else {
        return;
    };
    let found: Vec<PodId> = turn
        .store
        .lonely_pods()
        .iter()
        .copied()
        .filter(|pod| {
            turn.store
                .pod(*pod)
                .is_some_and(|pod| takes(row, pod, turn))
        })
        .collect();
    for pod in found {
        turn.store.adopt_pod(pod, id);
    }
}

fn takes(row: &ReplicaSetRow, pod: &PodRow, turn: &Turn<'_, '_>) -> bool {
    let template = turn.store.template(pod.template);
    let belongs = || match row.kind {
        // A set adopts only pods with its own names.
        OwnerKind::StatefulSet => {
            let name = pod.name.text(turn.ctx.symbols);
            name.strip_prefix(turn.ctx.symbols.text(row.name))
                .and_then(|rest| rest.strip_prefix('-'))
                .is_some_and(|ordinal| ordinal.parse::<u32>().is_ok())
        }
        _ => true,
    };
    !row.deleting
        && !pod.is_terminating()
        && !pod.flags.has(PodFlags::FOREIGN)
        && row.namespace == template.namespace
        && !row.selector.0.is_empty()
        && row.selector.matches(&template.labels)
        && belongs()
}
