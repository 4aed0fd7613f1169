//! How long a pod may be on its node: `spec.activeDeadlineSeconds`, counted from when its kubelet first
//! saw it, whatever its restart policy.
//!
//! The agent goes over its pods once a second, and does so for each change of a pod besides.
//! Sources: `pkg/kubelet/active_deadline.go`, `pkg/kubelet/kubelet.go` (`syncLoop`, `getPodsToSync`),
//! `pkg/kubelet/kubelet_pods.go` (`generateAPIPodStatus`).

use crate::base::name::Rule;
use crate::base::rng::{Stream, stable_hash_parts};
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::Detail;
use crate::kube::store::events::Message;

use super::desk::{Desk, Report};
use super::stop;
use super::worker::Worker;

const REASON: &str = "DeadlineExceeded";
const MESSAGE: &str = "Pod was active on the node longer than the specified deadline";
/// Time between two looks at all pods. Source: `pkg/kubelet/kubelet.go` (`syncLoop`).
const SYNC_PERIOD: SimDuration = SimDuration::from_secs(1);

/// Ends a pod whose time is over; else sees to it that it is looked at then.
pub(super) fn is_over(worker: &mut Worker, deadline: SimDuration, desk: &mut Desk<'_, '_>) -> bool {
    if worker.phase().is_terminal() {
        return false;
    }
    let (now, end) = (desk.now(), worker.started + deadline);
    if now < end {
        let tick = tick(worker, end, desk);
        desk.wake(worker, tick);
        return false;
    }
    worker.aside.write().evicted = Some((REASON, MESSAGE.into()));
    // Each time a status is made, an event is: the worker's last turn, and the first of the end.
    tell(worker, 2, desk);
    let rule = Rule {
        key: "activeDeadlineSeconds",
        value: deadline,
    };
    desk.note("deadline", worker, Detail::None, Some(rule));
    let deadline = now + worker.recipe.grace;
    stop::terminate(worker, deadline, desk);
    true
}

/// Its containers have stopped: two more statuses are made.
pub(super) fn told_again(worker: &Worker, desk: &mut Desk<'_, '_>) {
    if matches!(worker.aside.evicted, Some((REASON, _))) && !worker.finished {
        tell(worker, 2, desk);
    }
}

fn tell(worker: &Worker, times: u8, desk: &mut Desk<'_, '_>) {
    for _ in 0..times {
        desk.record(
            worker,
            None,
            Report::normal(REASON, Message::Plain(MESSAGE)),
        );
    }
}

/// The node's first look at all pods that is not before a time.
fn tick(worker: &Worker, from: SimTime, desk: &Desk<'_, '_>) -> SimTime {
    let period = SYNC_PERIOD.as_micros();
    let key = stable_hash_parts(&[desk.ctx.symbols.text(worker.host)]);
    let phase = Stream::new(desk.ctx.seed, "kubelet.sync", key, 0).between(0, period - 1);
    let from = from.as_micros();
    let behind = (from + period - phase) % period;
    SimTime::from_micros(from + (period - behind) % period)
}
