//! Requests: what they cost a container, how long they take, and what goes over its network for them.

use smallvec::SmallVec;

use crate::base::time::SimTime;
use crate::substrate::cgroup::settings::Sharing;
use crate::substrate::order::{ContainerId, SandboxId};
use crate::substrate::{Scope, Substrate};

use super::PATIENCE;

/// Bytes of a short request with its connection: five packets. Our own figure.
const REQUEST_BYTES: u64 = 500;

/// Bytes of its answer: four packets, one with a page's first kilobyte. Our own figure.
const ANSWER_BYTES: u64 = 1_300;

impl Substrate {
    /// Requests that a container has answered since it started; those that it had no CPU time for
    /// are not among them. 0: requests cost it no time, so none are counted.
    pub fn requests_answered(&self, container: ContainerId, now: SimTime) -> u64 {
        let Some(row) = self.container(container) else {
            return 0;
        };
        let took = row.cpu.requests_ns + row.cpu.requests_since(now);
        let each = row.behaviour.request_cpu.as_micros() * self.request_percent(row.sandbox) * 10;
        took.checked_div(each).unwrap_or(0)
    }

    /// Bytes that a container's network interfaces have received and sent: its requests and their
    /// answers. Nothing for one on its machine's own network, as the engine shows it.
    pub fn container_traffic(&self, container: ContainerId, now: SimTime) -> (u64, u64) {
        let on_host = self
            .container(container)
            .and_then(|row| self.sandbox(row.sandbox))
            .is_none_or(|row| row.spec.network == Sharing::Host);
        if on_host {
            return (0, 0);
        }
        let requests = self.requests_answered(container, now);
        (
            requests.saturating_mul(REQUEST_BYTES),
            requests.saturating_mul(ANSWER_BYTES),
        )
    }

    /// How long one of a container's requests takes, in microseconds; none if it serves none.
    ///
    /// While the CPU suffices: the work, and a wait for the others in the queue (a queue with
    /// random arrivals and equal work). A request longer than the quota waits for whole periods. A
    /// container that is held back answers what it can at the end of its clients' patience.
    pub fn latency_us(&self, container: ContainerId) -> Option<u64> {
        let row = self.container(container)?;
        let work = row.behaviour.request_cpu.as_micros();
        if row.cpu.requests == 0 || work == 0 {
            return None;
        }
        let limits = self.container_limits(container);
        let quota = limits.quota_us.unwrap_or(u64::MAX);
        let sandbox = self.sandbox(row.sandbox)?;
        let own = self.sandbox_wire(row.sandbox).0.delay.as_micros();
        let mut latency = work + self.way_us(sandbox.machine) + 2 * own;
        if work > quota {
            latency += (work.div_ceil(quota.max(1)) - 1)
                * (limits.period_us - quota.min(limits.period_us));
        }
        if row.cpu.held {
            return Some(latency.max(PATIENCE.as_micros()));
        }
        let machine = sandbox.machine;
        let capacity = self
            .own_cap(container)
            .unwrap_or_else(|| self.cpu_capacity(machine))
            .clamp(100, u64::MAX >> 32);
        // A queue that is full to the last hundredth has no steady length.
        let used = u64::from(row.cpu.requests).min(capacity / 100 * 99);
        Some(latency + work * used / (2 * (capacity - used)))
    }

    /// What a request costs more in a sandbox's runtime, in hundredths.
    fn request_percent(&self, sandbox: SandboxId) -> u64 {
        let Some(row) = self.sandboxes.get(sandbox) else {
            return 100;
        };
        let profile = &self.machines[row.machine].profile;
        if row.spec.runtime.is_empty() && profile.default_runtime.is_none() {
            return 100;
        }
        profile
            .runtime(&row.spec.runtime)
            .map_or(100, |runtime| runtime.request_percent)
    }

    /// The sandboxes whose requests are to be added up anew, once each.
    pub(in crate::substrate) fn add_up(&mut self, sandbox: SandboxId, scope: &mut Scope<'_>) {
        let mut wants: SmallVec<[(ContainerId, u64); 4]> = self
            .containers_in(sandbox)
            .filter(|(_, row)| row.running_since().is_some())
            .map(|(id, _)| (id, 0))
            .collect();
        if wants.is_empty() {
            return;
        }
        let percent = u128::from(self.request_percent(sandbox));
        for (port, rate) in self.rates_of(sandbox) {
            for (id, sum) in &mut wants {
                let row = &self.containers[*id];
                if row.serves_from(port).is_some_and(|from| from <= scope.now) {
                    // Requests in millionths per second times microseconds each.
                    let cpu = u128::from(rate) * u128::from(row.behaviour.request_cpu.as_micros());
                    *sum += u64::try_from(cpu * percent / 100_000_000).unwrap_or(u64::MAX);
                    break;
                }
            }
        }
        for (id, sum) in wants {
            self.want_requests(id, sum, scope);
        }
    }
}
