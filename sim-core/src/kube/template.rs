//! Pod templates, interned: what a pod is made from is kept once, and what loops ask of it is
//! computed once.

use std::sync::Arc;

use crate::api::kube::affinity::{Taint, Toleration, TolerationOperator};
use crate::api::kube::pod::PodSpec;
use crate::base::resources::ResourceVector;
use crate::base::rng::{stable_hash, stable_hash_parts, stable_key_with};
use crate::base::symbol::Symbol;
use crate::base::time::SimDuration;
use crate::manifest::value::Value;

use super::selector::Labels;

/// Names a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TemplateId(pub u32);

/// `status.qosClass`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QosClass {
    /// All limits are set and equal the requests.
    Guaranteed,
    /// Something is set.
    Burstable,
    /// Nothing is set.
    BestEffort,
}

impl QosClass {
    /// Upstream's word.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Guaranteed => "Guaranteed",
            Self::Burstable => "Burstable",
            Self::BestEffort => "BestEffort",
        }
    }
}

/// Whether a toleration tolerates a taint.
/// Source: `staging/src/k8s.io/api/core/v1/toleration.go`.
pub fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    toleration
        .effect
        .is_none_or(|effect| effect == taint.effect)
        && (toleration.key.is_empty() || toleration.key == taint.key)
        && (toleration.operator == TolerationOperator::Exists || toleration.value == taint.value)
}

/// What pods are made from.
#[derive(Clone, Debug)]
pub struct PodTemplate {
    /// Namespace of its pods.
    pub namespace: Symbol,
    /// Labels, sorted by key.
    pub labels: Labels,
    /// Annotations, sorted by key.
    pub annotations: Labels,
    /// The template as a document: `metadata` and `spec`, defaults and admission applied.
    pub document: Arc<Value>,
    /// The decoded spec.
    pub spec: Arc<PodSpec>,
    /// What a pod asks for: `pod requests` as the scheduler sums them, one pod included.
    pub requests: ResourceVector,
    /// `status.qosClass`.
    pub qos: QosClass,
    /// Tolerations, the default ones included.
    pub tolerations: Arc<[Toleration]>,
    /// `terminationGracePeriodSeconds`.
    pub grace: SimDuration,
    /// `activeDeadlineSeconds`.
    pub active_deadline: Option<SimDuration>,
    /// `controller.kubernetes.io/pod-deletion-cost`.
    pub deletion_cost: i32,
    /// `spec.priority`, as admission resolved it.
    pub priority: i32,
    /// Whether it may evict pods of lower priority.
    pub preempts: bool,
    /// Whether it names what admission looks up wherever the pod is made: a class of runtimes, its
    /// overhead, a service account.
    pub refers: bool,
    /// Whether some of its volumes are claims.
    pub claims: bool,
    /// `spec.automountServiceAccountToken`.
    pub automount: Option<bool>,
    /// `metadata.finalizers`.
    pub finalizers: Option<Arc<[Arc<str>]>>,
}

impl PodTemplate {
    /// Number under which equal templates are looked for: labels and images tell most apart, the
    /// document decides.
    pub fn fingerprint(&self) -> u64 {
        let mut key = stable_hash("template");
        for (name, value) in self.labels.iter() {
            key = stable_key_with(key, stable_hash_parts(&[name, value]));
        }
        for container in &self.spec.containers {
            key = stable_key_with(key, stable_hash_parts(&[&container.name, &container.image]));
        }
        key
    }
}
