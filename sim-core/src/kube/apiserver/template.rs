//! From decoded manifests to what rows keep: templates with their sums, selectors, amounts.

use std::sync::Arc;

use crate::api::kube::affinity::{TaintEffect, Toleration, TolerationOperator};
use crate::api::kube::container::Container;
use crate::api::kube::deployment::CountOrPercent;
use crate::api::kube::pod::{PodSpec, PodTemplate as ApiTemplate};
use crate::api::resources::ResourceAmounts;
use crate::api::selector::{LabelSelector, Operator};
use crate::base::resources::ResourceVector;
use crate::base::sorted::SortedMap;
use crate::base::symbol::{Symbol, Symbols};
use crate::base::time::SimDuration;
use crate::kube::rows::node::{TAINT_NOT_READY, TAINT_UNREACHABLE};
use crate::kube::rows::workload::Amount;
use crate::kube::selector::{Labels, Requirement, Selector};
use crate::kube::template::{PodTemplate, QosClass};
use crate::kube::turn::Turn;
use crate::kube::volumes::attach::uses_claims;
use crate::manifest::value::Value;

/// Labels or annotations as rows keep them.
pub fn labels(map: &SortedMap<Arc<str>, Arc<str>>) -> Labels {
    map.iter()
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// A selector as it is evaluated.
pub fn selector(written: &LabelSelector) -> Selector {
    let mut list: Vec<Requirement> = written
        .match_labels
        .iter()
        .map(|(key, value)| Requirement::In(key.clone(), [value.clone()].into()))
        .collect();
    for requirement in &written.match_expressions {
        let (key, values): (Arc<str>, Arc<[Arc<str>]>) =
            (requirement.key.clone(), requirement.values.clone().into());
        list.push(match requirement.operator {
            Operator::In => Requirement::In(key, values),
            Operator::NotIn => Requirement::NotIn(key, values),
            Operator::Exists => Requirement::Exists(key),
            // The last two are refused by validation outside node selectors.
            Operator::DoesNotExist | Operator::GreaterThan | Operator::LessThan => {
                Requirement::DoesNotExist(key)
            }
        });
    }
    Selector(list)
}

/// A number or percentage.
pub const fn amount(written: CountOrPercent) -> Amount {
    match written {
        CountOrPercent::Count(count) => Amount::Count(count as i64),
        CountOrPercent::Percent(percent) => Amount::Percent(percent as i64),
    }
}

/// A template with all that loops ask of it.
pub fn build(
    namespace: Symbol,
    written: &ApiTemplate,
    document: Value,
    turn: &mut Turn<'_, '_>,
) -> PodTemplate {
    let spec = &written.spec;
    let priority = super::priority::resolve(spec, turn.store);
    let refers = ["runtimeClassName", "overhead", "serviceAccountName"]
        .iter()
        .any(|field| document.path(&["spec", field]).is_some());
    let automount = document
        .path(&["spec", "automountServiceAccountToken"])
        .and_then(Value::as_bool);
    let finalizers = document.path(&["metadata", "finalizers"]);
    let finalizers = finalizers.and_then(Value::as_list).map(|list| {
        let names = list.iter().filter_map(Value::as_str);
        names.map(Arc::from).collect()
    });
    let annotation = written
        .annotations
        .get("controller.kubernetes.io/pod-deletion-cost");
    PodTemplate {
        namespace,
        labels: labels(&written.labels),
        annotations: labels(&written.annotations),
        document: Arc::new(document),
        requests: requests(spec, turn.ctx.symbols),
        qos: qos(spec),
        tolerations: tolerations(spec, turn).into(),
        grace: SimDuration::from_secs(spec.termination_grace_period_seconds.into()),
        active_deadline: spec.active_deadline_seconds.map(SimDuration::from_secs),
        deletion_cost: annotation.and_then(|text| text.parse().ok()).unwrap_or(0),
        priority: priority.value,
        preempts: priority.preempts,
        refers,
        claims: uses_claims(spec),
        automount,
        finalizers,
        spec: Arc::new(spec.clone()),
    }
}

/// Tolerations after admission: five minutes for a lost node unless the pod says otherwise.
/// Source: `plugin/pkg/admission/defaulttolerationseconds/admission.go`.
fn tolerations(spec: &PodSpec, turn: &Turn<'_, '_>) -> Vec<Toleration> {
    let mut list = spec.tolerations.clone();
    let defaults = [
        (TAINT_NOT_READY, turn.settings.default_not_ready_toleration),
        (
            TAINT_UNREACHABLE,
            turn.settings.default_unreachable_toleration,
        ),
    ];
    for (key, seconds) in defaults {
        let covered = spec.tolerations.iter().any(|toleration| {
            (toleration.key.is_empty() || &*toleration.key == key)
                && toleration
                    .effect
                    .is_none_or(|effect| effect == TaintEffect::NoExecute)
        });
        if !covered {
            list.push(Toleration {
                key: key.into(),
                operator: TolerationOperator::Exists,
                value: "".into(),
                effect: Some(TaintEffect::NoExecute),
                seconds: Some(seconds),
            });
        }
    }
    list
}

/// What a pod asks for.
pub fn requests(spec: &PodSpec, symbols: &mut Symbols) -> ResourceVector {
    let mut sum = together(spec, |container| {
        vector(&container.resources.requests, symbols)
    });
    whole_pod(&mut sum, &spec.pod_requests);
    for (name, amount) in &spec.pod_requests.extended {
        if name.starts_with("hugepages-") {
            let whole = i64::try_from(*amount).unwrap_or(i64::MAX);
            sum.set_extended(symbols.intern(name), whole);
        }
    }
    sum.add(&vector(&spec.overhead, symbols));
    sum.pods = 1;
    sum
}

/// CPU, memory and scratch space that a pod may use; zero: no limit.
pub fn limits(spec: &PodSpec) -> ResourceVector {
    let plain = |amounts: &ResourceAmounts| {
        let whole = |amount: Option<u64>| i64::try_from(amount.unwrap_or(0)).unwrap_or(i64::MAX);
        let mut vector = ResourceVector::new();
        vector.milli_cpu = whole(amounts.cpu_milli);
        vector.memory = whole(amounts.memory_bytes);
        vector.ephemeral_storage = whole(amounts.ephemeral_storage_bytes);
        vector
    };
    let mut sum = together(spec, |container| plain(&container.resources.limits));
    whole_pod(&mut sum, &spec.pod_limits);
    // What a runtime takes besides is let to those that are limited.
    let over = plain(&spec.overhead);
    for (sum, over) in [
        (&mut sum.milli_cpu, over.milli_cpu),
        (&mut sum.memory, over.memory),
        (&mut sum.ephemeral_storage, over.ephemeral_storage),
    ] {
        *sum = sum.saturating_add(if *sum > 0 { over } else { 0 });
    }
    sum
}

/// Containers and sidecars together, or the largest init container with the sidecars started before
/// it, whichever is more.
/// Source: `staging/src/k8s.io/component-helpers/resource/helpers.go`.
fn together(spec: &PodSpec, mut of: impl FnMut(&Container) -> ResourceVector) -> ResourceVector {
    let mut sum = ResourceVector::new();
    for container in &spec.containers {
        sum.add(&of(container));
    }
    let mut sidecars = ResourceVector::new();
    let mut peak = ResourceVector::new();
    for container in &spec.init_containers {
        let own = of(container);
        if container.sidecar {
            sidecars.add(&own);
            peak.max_with(&sidecars);
        } else {
            let mut together = own;
            together.add(&sidecars);
            peak.max_with(&together);
        }
    }
    sum.add(&sidecars);
    sum.max_with(&peak);
    sum
}

/// Requests of the pod as a whole replace the sums of its containers.
fn whole_pod(sum: &mut ResourceVector, pod: &ResourceAmounts) {
    let whole = |amount: u64| i64::try_from(amount).unwrap_or(i64::MAX);
    if let Some(cpu) = pod.cpu_milli {
        sum.milli_cpu = whole(cpu);
    }
    if let Some(memory) = pod.memory_bytes {
        sum.memory = whole(memory);
    }
}

/// Amounts as vectors keep them.
pub fn vector(amounts: &ResourceAmounts, symbols: &mut Symbols) -> ResourceVector {
    let whole = |amount: Option<u64>| i64::try_from(amount.unwrap_or(0)).unwrap_or(i64::MAX);
    let mut vector = ResourceVector::new();
    vector.milli_cpu = whole(amounts.cpu_milli);
    vector.memory = whole(amounts.memory_bytes);
    vector.ephemeral_storage = whole(amounts.ephemeral_storage_bytes);
    for (name, amount) in &amounts.extended {
        vector.set_extended(symbols.intern(name), whole(Some(*amount)));
    }
    vector
}

/// Quality of service. Source: `pkg/apis/core/v1/helper/qos/qos.go`.
fn qos(spec: &PodSpec) -> QosClass {
    let containers = || spec.containers.iter().chain(&spec.init_containers);
    let positive = |amount: Option<u64>| amount.filter(|amount| *amount > 0);
    let pair =
        |amounts: &ResourceAmounts| (positive(amounts.cpu_milli), positive(amounts.memory_bytes));
    let nothing = (None, None);
    // Amounts of the pod as a whole decide alone.
    let whole = (pair(&spec.pod_requests), pair(&spec.pod_limits));
    if whole != (nothing, nothing) {
        let is_full = whole.1.0.is_some() && whole.1.1.is_some() && whole.0 == whole.1;
        return if is_full {
            QosClass::Guaranteed
        } else {
            QosClass::Burstable
        };
    }
    if containers().all(|container| {
        pair(&container.resources.requests) == nothing
            && pair(&container.resources.limits) == nothing
    }) {
        return QosClass::BestEffort;
    }
    let guaranteed = containers().all(|container| {
        let (requests, limits) = (
            pair(&container.resources.requests),
            pair(&container.resources.limits),
        );
        limits.0.is_some() && limits.1.is_some() && requests == limits
    });
    if guaranteed {
        QosClass::Guaranteed
    } else {
        QosClass::Burstable
    }
}
