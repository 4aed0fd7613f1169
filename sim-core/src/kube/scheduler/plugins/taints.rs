//! TaintToleration and NodeUnschedulable.
//!
//! Sources: `pkg/scheduler/framework/plugins/{tainttoleration/taint_toleration,nodeunschedulable/node_unschedulable}.go`.

use crate::api::kube::affinity::{Taint, TaintEffect, Toleration, TolerationOperator};
use crate::kube::rows::node::TAINT_UNSCHEDULABLE;
use crate::kube::template::tolerates;

/// Whether every NoSchedule and NoExecute taint is tolerated.
pub fn tolerated(taints: &[Taint], tolerations: &[Toleration]) -> bool {
    taints
        .iter()
        .filter(|taint| taint.effect != TaintEffect::PreferNoSchedule)
        .all(|taint| {
            tolerations
                .iter()
                .any(|toleration| tolerates(toleration, taint))
        })
}

/// Raw score: PreferNoSchedule taints that are not tolerated.
pub fn unpreferred(taints: &[Taint], tolerations: &[Toleration]) -> u8 {
    let count = taints
        .iter()
        .filter(|taint| taint.effect == TaintEffect::PreferNoSchedule)
        .filter(|taint| {
            !tolerations
                .iter()
                .any(|toleration| tolerates(toleration, taint))
        })
        .count();
    u8::try_from(count).unwrap_or(u8::MAX)
}

/// Whether a pod may go to a cordoned node.
pub fn tolerates_cordon(tolerations: &[Toleration]) -> bool {
    tolerations.iter().any(|toleration| {
        toleration
            .effect
            .is_none_or(|effect| effect == TaintEffect::NoSchedule)
            && (toleration.key.is_empty() || &*toleration.key == TAINT_UNSCHEDULABLE)
            && (toleration.operator == TolerationOperator::Exists || toleration.value.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taint(key: &str, effect: TaintEffect) -> Taint {
        Taint {
            key: key.into(),
            value: "v".into(),
            effect,
        }
    }

    fn toleration(key: &str, effect: Option<TaintEffect>) -> Toleration {
        let operator = TolerationOperator::Exists;
        Toleration {
            key: key.into(),
            operator,
            value: "".into(),
            effect,
            seconds: None,
        }
    }

    #[test]
    fn only_hard_taints_filter() {
        let taints = [
            taint("soft", TaintEffect::PreferNoSchedule),
            taint("hard", TaintEffect::NoExecute),
        ];
        assert!(!tolerated(&taints, &[]));
        assert!(!tolerated(
            &taints,
            &[toleration("hard", Some(TaintEffect::NoSchedule))]
        ));
        assert!(tolerated(&taints, &[toleration("hard", None)]));
        assert!(tolerated(&taints, &[toleration("", None)]));
        assert_eq!(unpreferred(&taints, &[toleration("hard", None)]), 1);
        assert_eq!(unpreferred(&taints, &[toleration("soft", None)]), 0);
    }

    #[test]
    fn a_cordon_is_tolerated_by_its_taint() {
        assert!(!tolerates_cordon(&[]));
        assert!(tolerates_cordon(&[toleration(
            TAINT_UNSCHEDULABLE,
            Some(TaintEffect::NoSchedule)
        )]));
        assert!(!tolerates_cordon(&[toleration("other", None)]));
    }
}
