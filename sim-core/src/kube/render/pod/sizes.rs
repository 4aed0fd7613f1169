//! Sizes of a pod as a whole in its status: what its node has granted it, and what its control group has.
//!
//! Until the kubelet has read of the pod that it runs, the second is the first; from its next look on the
//! group's files say it, where CPU shares have been rounded to a weight and back:
//!
//! ```text
//! requests cpu 100m ─▶ shares 102 ─▶ cpu.weight 4 ─▶ shares 80 ─▶ status.resources.requests cpu 79m
//! ```
//! Sources: `pkg/kubelet/kubelet_pods.go` (`convertToAPIPodLevelResourcesStatus`),
//! `staging/src/k8s.io/component-helpers/resource/helpers.go` (`PodRequests`, `PodLimits`).
//!
//! Not modelled: the jitter of that look, and that a request of memory stays what it was before a resize.

use std::sync::Arc;

use crate::base::quantity::{Format, Quantity};
use crate::base::sorted::SortedMap;
use crate::base::time::SimDuration;
use crate::kube::kubelet::resources::{ResourceSettings, pod_group};
use crate::kube::render::View;
use crate::kube::rows::pod::{Phase, PodDetails, PodRow};
use crate::kube::rows::read::{list, text};
use crate::kube::template::PodTemplate;
use crate::manifest::value::Value;
use crate::object::jsonpath;
use crate::substrate::cgroup::convert::{shares_of_weight, systemd_quota, weight_linear};
use crate::substrate::cgroup::place::{Driver, Version};

/// Time between two looks at a pod of which nothing is heard. Source:
/// `pkg/kubelet/apis/config/v1beta1/defaults.go` (`syncFrequency`).
const LOOK: SimDuration = SimDuration::from_secs(60);
/// Thousandths of a CPU that files cannot tell from fewer. Source: `pkg/kubelet/cm/helpers_linux.go`
/// (`MinShares`, `MinMilliCPULimit`).
const SHARED_MIN: i64 = 2;
const LIMIT_MIN: i64 = 10;
/// The kernel counts memory in pages.
const PAGE_BYTES: i64 = 4_096;

type Amounts = SortedMap<Arc<str>, Quantity>;

fn amounts(value: &Value, path: &[&str]) -> Amounts {
    let map = value.path(path).and_then(Value::as_map).unwrap_or_default();
    let read = |(name, amount): (&Arc<str>, &Value)| {
        let amount = Quantity::parse(&jsonpath::text(amount)).ok()?;
        Some((name.clone(), amount))
    };
    map.iter().filter_map(read).collect()
}

fn add(sums: &mut Amounts, others: &Amounts) {
    for (name, amount) in others.iter() {
        match sums.get_mut(name) {
            Some(sum) => sum.add(amount),
            None => drop(sums.insert(name.clone(), amount.clone())),
        }
    }
}

fn raise(peaks: &mut Amounts, others: &Amounts) {
    for (name, amount) in others.iter() {
        let peak = peaks.get(name);
        if peak.is_none_or(|peak| peak.nano_value() < amount.nano_value()) {
            peaks.insert(name.clone(), amount.clone());
        }
    }
}

/// What the containers of a pod have together at most, or what it states as a whole, with its runtime's
/// overhead.
fn totals(template: &PodTemplate, part: &str) -> Amounts {
    let document = &template.document;
    let of = |container: &Value| amounts(container, &["resources", part]);
    let (mut all, mut sidecars, mut peak) = (Amounts::new(), Amounts::new(), Amounts::new());
    for container in list(document, &["spec", "containers"]) {
        add(&mut all, &of(container));
    }
    for container in list(document, &["spec", "initContainers"]) {
        let mut own = of(container);
        if text(container, &["restartPolicy"]) == "Always" {
            add(&mut all, &own);
            add(&mut sidecars, &own);
            raise(&mut peak, &sidecars);
        } else {
            add(&mut own, &sidecars);
            raise(&mut peak, &own);
        }
    }
    raise(&mut all, &peak);
    for (name, amount) in amounts(document, &["spec", "resources", part]).iter() {
        all.insert(name.clone(), amount.clone());
    }
    let mut overhead = amounts(document, &["spec", "overhead"]);
    if part == "limits" {
        overhead.retain(|name, _| all.get(name).is_some_and(|limit| !limit.is_zero()));
    }
    add(&mut all, &overhead);
    all
}

fn shown(amounts: &Amounts) -> Value {
    if amounts.is_empty() {
        return Value::Null;
    }
    let each = amounts.iter();
    Value::object(each.map(|(name, amount)| (name.to_string(), amount.canonical().into())))
}

/// `allocatedResources` and `resources` of a pod's status.
pub(super) fn of_pod(
    view: &View<'_>,
    (row, details): (&PodRow, &PodDetails),
    allocated: &PodTemplate,
    actual: &PodTemplate,
) -> (Value, Value) {
    let granted = totals(allocated, "requests");
    let since = details.started.map(|started| view.now.since(started));
    let is_read = row.phase == Phase::Running && since.is_some_and(|since| since >= LOOK);
    let (requests, limits) = if is_read {
        measured(view, row, &granted, actual)
    } else {
        (granted.clone(), totals(allocated, "limits"))
    };
    let mut sizes = Value::map();
    for (part, amounts) in [("limits", &limits), ("requests", &requests)] {
        if !amounts.is_empty() {
            sizes.set(part, shown(amounts));
        }
    }
    (shown(&granted), sizes)
}

/// Requests and limits by the files of the pod's group.
fn measured(
    view: &View<'_>,
    row: &PodRow,
    granted: &Amounts,
    actual: &PodTemplate,
) -> (Amounts, Amounts) {
    let group = pod_group(actual, &ResourceSettings::default());
    let node = row.node.and_then(|node| view.store.node(node));
    let machine = node.and_then(|node| view.machines.machine(node.machine));
    let profile = machine.map(|machine| &machine.profile);
    let is_first = profile.is_some_and(|profile| profile.cgroups == Version::V1);
    let own = |part: &str| amounts(&actual.document, &["spec", "resources", part]);
    let (mut requests, mut limits) = (own("requests"), own("limits"));
    let milli = |amounts: &Amounts| amounts.get("cpu").map_or(0, Quantity::milli_value);
    let mut shares = group.cpu_shares.unwrap_or(0);
    if !is_first {
        shares = shares_of_weight(weight_linear(shares));
    }
    let cpu = i64::try_from((shares * 1_000).div_ceil(1_024)).unwrap_or(i64::MAX);
    if cpu > SHARED_MIN || milli(&requests) > SHARED_MIN {
        requests.insert("cpu".into(), Quantity::from_milli(cpu));
    }
    if let Some(memory) = granted.get("memory")
        && requests.get("memory").is_none()
    {
        requests.insert("memory".into(), memory.clone());
    }
    if let (Some(quota), Some(period)) = (group.cpu_quota_us, group.cpu_period_us) {
        let by_systemd = profile.is_none_or(|profile| profile.driver() == Driver::Systemd);
        let quota = if by_systemd {
            systemd_quota(quota, period)
        } else {
            quota
        };
        let period = i64::try_from(period.max(1)).unwrap_or(i64::MAX);
        let cpu = quota.saturating_mul(1_000) / period;
        if cpu > LIMIT_MIN || cpu > 0 && milli(&limits) > LIMIT_MIN {
            limits.insert("cpu".into(), Quantity::from_milli(cpu));
        }
    }
    if let Some(memory) = group.memory_limit.filter(|memory| *memory > 0) {
        let memory = Quantity::from_units(memory / PAGE_BYTES * PAGE_BYTES, Format::BinarySi);
        limits.insert("memory".into(), memory);
    }
    (requests, limits)
}
