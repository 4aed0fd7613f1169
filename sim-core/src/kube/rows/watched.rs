//! Documents that a loop follows without controlling pods: CronJobs, autoscalers, budgets, quotas.

use std::sync::Arc;

use crate::base::sorted::SortedMap;
use crate::base::symbol::Symbol;
use crate::base::time::SimTime;
use crate::kube::selector::Selector;
use crate::kube::store::document::DocumentKey;
use crate::manifest::value::Value;

use super::PodId;
use super::read;
use super::workload::Amount;

/// What is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WatchedKind {
    /// `batch/v1` CronJob.
    CronJob,
    /// `autoscaling/v2` HorizontalPodAutoscaler.
    Autoscaler,
    /// `policy/v1` PodDisruptionBudget.
    Budget,
    /// `v1` ResourceQuota.
    Quota,
}

impl WatchedKind {
    /// The kind of that name.
    pub fn parse(kind: &str) -> Option<Self> {
        Some(match kind {
            "CronJob" => Self::CronJob,
            "HorizontalPodAutoscaler" => Self::Autoscaler,
            "PodDisruptionBudget" => Self::Budget,
            "ResourceQuota" => Self::Quota,
            _ => return None,
        })
    }

    /// `kind`.
    pub const fn text(self) -> &'static str {
        match self {
            Self::CronJob => "CronJob",
            Self::Autoscaler => "HorizontalPodAutoscaler",
            Self::Budget => "PodDisruptionBudget",
            Self::Quota => "ResourceQuota",
        }
    }
}

/// How much disruption a budget allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowance {
    /// `minAvailable`.
    MinAvailable(Amount),
    /// `maxUnavailable`.
    MaxUnavailable(Amount),
}

/// A PodDisruptionBudget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetPart {
    /// `spec.selector`; `None`: selects nothing.
    pub selector: Option<Arc<Selector>>,
    /// How much.
    pub allowance: Allowance,
    /// `unhealthyPodEvictionPolicy: AlwaysAllow`.
    pub always_allow: bool,
    /// `status.disruptedPods`: pods whose eviction was granted, and when.
    pub disrupted: SortedMap<PodId, SimTime>,
    /// `status.disruptionsAllowed`.
    pub allowed: i64,
    /// `status.currentHealthy`.
    pub healthy: i64,
    /// `status.desiredHealthy`.
    pub desired: i64,
    /// `status.observedGeneration`.
    pub observed: i64,
}

/// A HorizontalPodAutoscaler's memory. Its recommendations are lost with the controller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AutoscalerPart {
    /// Recommendations with the time of each.
    pub recommendations: Vec<(SimTime, i64)>,
    /// Pods added, with the time.
    pub ups: Vec<(SimTime, i64)>,
    /// Pods removed, with the time.
    pub downs: Vec<(SimTime, i64)>,
    /// When it is looked at next.
    pub due: Option<SimTime>,
}

/// A CronJob's memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CronJobPart {
    /// When it is looked at next.
    pub due: Option<SimTime>,
}

/// What one kind remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchedPart {
    /// A CronJob.
    CronJob(CronJobPart),
    /// An autoscaler.
    Autoscaler(AutoscalerPart),
    /// A budget.
    Budget(BudgetPart),
    /// A quota: everything is in the document.
    Quota,
}

/// A followed document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedRow {
    /// Its kind.
    pub kind: WatchedKind,
    /// Namespace.
    pub namespace: Symbol,
    /// Name.
    pub name: Symbol,
    /// Its document.
    pub key: DocumentKey,
    /// What its loop remembers.
    pub part: WatchedPart,
}

impl WatchedPart {
    /// What a fresh or changed document comes down to; memory is kept.
    pub fn read(kind: WatchedKind, document: &Value, old: Option<Self>) -> Self {
        match (kind, old) {
            (WatchedKind::CronJob, Some(Self::CronJob(part))) => Self::CronJob(part),
            (WatchedKind::CronJob, _) => Self::CronJob(CronJobPart::default()),
            (WatchedKind::Autoscaler, Some(Self::Autoscaler(part))) => Self::Autoscaler(part),
            (WatchedKind::Autoscaler, _) => Self::Autoscaler(AutoscalerPart::default()),
            (WatchedKind::Budget, old) => {
                let mut part = budget(document);
                if let Some(Self::Budget(old)) = old {
                    part.disrupted = old.disrupted;
                }
                Self::Budget(part)
            }
            (WatchedKind::Quota, _) => Self::Quota,
        }
    }
}

fn budget(document: &Value) -> BudgetPart {
    let spec = document.get("spec");
    let amount = |key| read::amount(spec.and_then(|spec| spec.get(key)));
    let allowance = match (amount("maxUnavailable"), amount("minAvailable")) {
        (Some(amount), _) => Allowance::MaxUnavailable(amount),
        (None, Some(amount)) => Allowance::MinAvailable(amount),
        // Upstream treats a budget that says neither as "at least one".
        (None, None) => Allowance::MinAvailable(Amount::Count(1)),
    };
    let status = |key| read::number(document, &["status", key]);
    BudgetPart {
        selector: spec
            .and_then(|spec| spec.get("selector"))
            .filter(|selector| !selector.is_null())
            .map(|selector| Arc::new(read::selector(selector))),
        allowance,
        always_allow: read::text(document, &["spec", "unhealthyPodEvictionPolicy"])
            == "AlwaysAllow",
        disrupted: SortedMap::new(),
        allowed: status("disruptionsAllowed"),
        healthy: status("currentHealthy"),
        desired: status("desiredHealthy"),
        observed: status("observedGeneration"),
    }
}
