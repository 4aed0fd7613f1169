//! A running pod's containers are described anew: those whose image changed are stopped and started
//! with the new one, whatever the restart policy says.
//! Source: `pkg/kubelet/kuberuntime/kuberuntime_manager.go` (`computePodActions`, `containerChanged`).

use std::sync::Arc;

use crate::base::time::SimDuration;
use crate::des::notice::Detail;
use crate::substrate::order::Order;

use super::backoff::Backoff;
use super::desk::{Desk, Report, naming};
use super::lifecycle;
use super::lower::Lowered;
use super::settings::WorkerSettings;
use super::worker::{ContainerWork, Step, StopReason, Worker};

/// Takes a new description over.
pub fn take(
    worker: &mut Worker,
    lowered: Arc<[Lowered]>,
    settings: &WorkerSettings,
    desk: &mut Desk<'_, '_>,
) {
    // Ephemeral containers come at the end, and never go.
    if lowered.len() < worker.lowered.len() {
        return;
    }
    let has_init = lowered.iter().any(|one| one.init || one.sidecar);
    let old = std::mem::replace(&mut worker.lowered, lowered);
    let grown = worker.containers.len() < worker.lowered.len();
    while worker.containers.len() < worker.lowered.len() {
        worker.containers.push(ContainerWork::fresh(has_init));
    }
    if grown {
        desk.request_status(worker);
    }
    for index in 0..old.len() {
        if old[index].image == worker.lowered[index].image {
            continue;
        }
        let name = worker.lowered[index].name;
        let grace = worker.recipe.grace;
        let work = &mut worker.containers[index];
        // The back-off's key holds the image.
        if let Some(waits) = work.waits.written() {
            waits.crashes = Backoff::default();
            waits.pulls = Backoff::default();
            waits.pull_failed = None;
        }
        match (work.step, work.container) {
            (Step::Running | Step::Exited, Some(container)) => {
                let runs = work.step == Step::Running;
                if runs && work.stopping.is_some() {
                    continue;
                }
                work.stopping = Some(StopReason::Changed);
                let text = "Container {} definition changed, will be restarted";
                desk.record(
                    worker,
                    Some(name),
                    Report::normal("Killing", naming(text, name)),
                );
                desk.note("kill", worker, Detail::Text(name), None);
                if runs {
                    let grace = grace.max(SimDuration::from_secs(2));
                    desk.order(Order::Stop { container, grace });
                }
            }
            (Step::Idle, _) => {
                if let Some(waits) = work.waits.written() {
                    waits.not_before = None;
                    waits.waited = None;
                }
            }
            (Step::Pulling(_), _) => work.step = Step::Idle,
            (Step::Starting | Step::Done | Step::Running | Step::Exited, _) => {}
        }
    }
    lifecycle::advance(worker, settings, desk);
}
