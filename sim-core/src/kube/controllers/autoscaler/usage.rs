//! What machines measure of pods, as the metrics server reports it.
//!
//! ```text
//! cgroup counters ── every 15 s ─▶ point ── two of them ─▶ CPUs on average, memory at the end
//! ```
//! A container has a sample once it was looked at twice. One that has just started is the exception:
//! its start counts as a first look. The looks happen when an autoscaler looks, so that a cluster
//! without one pays nothing.
//! Source: kubernetes-sigs/metrics-server `pkg/storage/pod.go`.

use crate::base::sorted::SortedMap;
use crate::base::time::{SimDuration, SimTime};
use crate::kube::rows::PodId;
use crate::kube::rows::pod::ContainerState;
use crate::kube::turn::Turn;
use crate::substrate::order::ContainerId;

/// Time between two looks: `--metric-resolution`. Source: metrics-server `pkg/app/options`.
pub const RESOLUTION: SimDuration = SimDuration::from_secs(15);

/// Age from which a fresh container's start counts as a look. Source: as above,
/// `freshContainerMinMetricsResolution`.
const FRESH: SimDuration = SimDuration::from_secs(10);

/// Names under which adapters commonly offer requests per second of pods and Services. A cluster has
/// such an adapter only if somebody installed one; here these two are always there.
pub const REQUEST_RATES: [&str; 2] = ["http_requests_per_second", "requests-per-second"];

/// The newest look at a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Point {
    at: SimTime,
    usage_ns: u64,
    /// Thousandths of a CPU since the look before; none after the first.
    milli_cpu: Option<i64>,
}

/// Looks at containers.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    points: SortedMap<ContainerId, Point>,
}

/// Thousandths of a CPU: nanoseconds in so many microseconds.
fn rate(usage_ns: u64, span: SimDuration) -> Option<i64> {
    i64::try_from(usage_ns.checked_div(span.as_micros())?).ok()
}

impl Meter {
    /// Looks at the containers of these pods, unless that was done just now.
    pub fn look(&mut self, pods: &[PodId], turn: &Turn<'_, '_>) {
        let now = turn.now();
        self.points
            .retain(|container, _| turn.ctx.machines.container(*container).is_some());
        for pod in pods {
            for (container, _) in running(*pod, turn) {
                let usage_ns = turn.ctx.machines.container_cpu(container, now).usage_ns;
                let fresh = match self.points.get(&container) {
                    Some(last) if now < last.at + RESOLUTION => continue,
                    Some(last) => rate(usage_ns.saturating_sub(last.usage_ns), now.since(last.at)),
                    None => turn
                        .ctx
                        .machines
                        .container(container)
                        .and_then(|row| row.running_since())
                        .map(|since| now.since(since))
                        .filter(|age| *age >= FRESH && *age < RESOLUTION)
                        .and_then(|age| rate(usage_ns, age)),
                };
                let point = Point {
                    at: now,
                    usage_ns,
                    milli_cpu: fresh,
                };
                self.points.insert(container, point);
            }
        }
    }

    /// A pod's use in thousandths, memory in bytes, or that of one of its containers. There is none
    /// while one of the containers has no sample.
    pub fn measured(
        &self,
        pod: PodId,
        metric: &str,
        only: Option<&str>,
        turn: &Turn<'_, '_>,
    ) -> Option<i64> {
        if REQUEST_RATES.contains(&metric) {
            return requests(pod, turn);
        }
        let mut sum = None;
        for (container, name) in running(pod, turn) {
            if only.is_some_and(|only| only != name) {
                continue;
            }
            let milli_cpu = self.points.get(&container)?.milli_cpu?;
            let amount = match metric {
                "cpu" => milli_cpu,
                "memory" => {
                    let used = turn.ctx.machines.container_memory(container, turn.now());
                    i64::try_from(used.working_set())
                        .unwrap_or(i64::MAX)
                        .saturating_mul(1_000)
                }
                _ => return None,
            };
            sum = Some(sum.unwrap_or(0_i64).saturating_add(amount));
        }
        sum
    }
}

/// Thousandths of requests per second that come to a pod: their work by the work of one.
fn requests(pod: PodId, turn: &Turn<'_, '_>) -> Option<i64> {
    let mut sum = None;
    for (container, _) in running(pod, turn) {
        let row = turn.ctx.machines.container(container)?;
        let work_us = row.behaviour.request_cpu.as_micros();
        let thousandths = u64::from(row.cpu.requests).saturating_mul(1_000);
        let rate = i64::try_from(thousandths.checked_div(work_us).unwrap_or(0)).ok()?;
        sum = Some(sum.unwrap_or(0_i64).saturating_add(rate));
    }
    sum
}

/// Thousandths of requests per second that come to a Service.
pub fn service_requests(name: &str, turn: &Turn<'_, '_>) -> Option<i64> {
    let name = turn.ctx.symbols.get(name)?;
    let (_, flow) = turn
        .ctx
        .machines
        .flows()
        .find(|(known, _)| *known == name)?;
    // The flow counts millionths.
    i64::try_from(flow.rate / 1_000).ok()
}

/// A pod's running containers and their names.
fn running<'a>(
    pod: PodId,
    turn: &'a Turn<'_, '_>,
) -> impl Iterator<Item = (ContainerId, &'a str)> + 'a {
    let spec = turn
        .store
        .pod(pod)
        .map(|row| &turn.store.template(row.template).spec);
    let names = spec.into_iter().flat_map(|spec| {
        spec.init_containers
            .iter()
            .chain(&spec.containers)
            .map(|container| &*container.name)
    });
    turn.store
        .pod_details(pod)
        .containers
        .iter()
        .zip(names)
        .filter(|(status, _)| matches!(status.state, ContainerState::Running { .. }))
        .filter_map(|(status, name)| Some((status.container?, name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_cpu_is_five_hundred_thousandths() {
        let span = SimDuration::from_secs(15);
        assert_eq!(rate(7_500_000_000, span), Some(500));
        assert_eq!(rate(0, span), Some(0));
        assert_eq!(rate(1, SimDuration::ZERO), None);
    }
}
