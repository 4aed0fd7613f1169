//! Pods whose objects are gone before their containers have ended: deleted with force, or by the
//! collector of pods. Nobody but their node knows of them.
//!
//! ```text
//! PodRemoved ─▶ Removed ─▶ hooks, Stop, with the grace of the spec ─▶ Relist ─▶ directories
//! ```
//! An agent that has heard of the pod ends it as any other; one that was started anew meanwhile knows
//! only what the runtime says, and gives it the least grace that there is. New pods may have its room at once.
//! Sources: `pkg/kubelet/kubelet.go` (`HandlePodRemoves`, `deletePod`), `pkg/kubelet/pod_workers.go`
//! (`calculateEffectiveGracePeriod`, `SyncTerminatingRuntimePod`), `pkg/kubelet/kubelet_pods.go`
//! (`HandlePodCleanups`).

use std::sync::Arc;

use crate::des::notice::Detail;
use crate::kube::rows::PodId;
use crate::substrate::order::{MachineId, Owner};

use super::desk::Desk;
use super::lifecycle::MINIMUM_GRACE;
use super::worker::Worker;
use super::{Kubelets, reattach, stop};

impl Kubelets {
    /// The agent hears that a pod's object is gone: what is left of it ends.
    pub(super) fn removed(&mut self, pod: PodId, desk: &mut Desk<'_, '_>) {
        let own = self.workers.get(pod.slot()).clone();
        let own = own.filter(|worker| worker.pod == pod);
        if own.is_some() {
            self.workers.clear(pod.slot());
        }
        let Some(mut made) = own.or_else(|| self.departed.remove(&pod)) else {
            return;
        };
        let (machine, node) = (made.machine, made.node);
        let (asleep, lost) = self.trouble.get(&machine).map_or((false, false), |it| {
            (it.down || it.unlinked, it.down && it.lost)
        });
        let is_there = desk.ctx.machines.machine(machine).is_some();
        let runs = made.sandbox.is_some() && is_there && !lost;
        if runs {
            if !asleep {
                let deadline = desk.now() + made.recipe.grace;
                stop::terminate(Arc::make_mut(&mut made), deadline, desk);
            }
            self.departed.insert(pod, made);
        } else {
            self.forget(&made, desk);
        }
        self.ended_on(Some(machine), desk);
        self.retry_sizes(node, desk);
    }

    /// All of a departed pod has ended.
    pub(super) fn departed_ended(&mut self, pod: PodId, desk: &mut Desk<'_, '_>) {
        if self.awake(pod).is_none_or(|worker| !worker.finished) {
            return;
        }
        let Some(worker) = self.departed.remove(&pod) else {
            return;
        };
        desk.note("removed", &worker, Detail::None, None);
        self.forget(&worker, desk);
        self.ended_on(Some(worker.machine), desk);
    }

    /// An agent is there again, without its memory, started anew, or with a link.
    pub(super) fn departed_go_on(
        &mut self,
        machine: MachineId,
        (lost, restarted): (bool, bool),
        desk: &mut Desk<'_, '_>,
    ) {
        let settings = self.settings.workers;
        for pod in self.departed_on(machine) {
            if lost {
                if let Some(worker) = self.departed.remove(&pod) {
                    self.forget(&worker, desk);
                }
                continue;
            }
            let Some(worker) = self.departed.get_mut(&pod).map(Arc::make_mut) else {
                continue;
            };
            if restarted || worker.deadline.is_none() {
                let grace = if restarted {
                    MINIMUM_GRACE
                } else {
                    worker.recipe.grace
                };
                worker.deadline = Some(desk.now() + grace);
                reattach::reattach(worker, &settings, desk);
            }
        }
    }

    /// A machine's departed pods.
    pub(super) fn departed_on(&self, machine: MachineId) -> Vec<PodId> {
        self.departed
            .iter()
            .filter(|(_, worker)| worker.machine == machine)
            .map(|(pod, _)| *pod)
            .collect()
    }

    /// A machine is gone for good, with all that it ran.
    pub(in crate::kube) fn forget_departed(&mut self, machine: MachineId) {
        for pod in self.departed_on(machine) {
            self.departed.remove(&pod);
            self.left.push(pod);
        }
    }

    /// Whether an agent has a pod.
    pub(in crate::kube) fn runs(&self, pod: PodId) -> bool {
        self.worker(pod).is_some()
    }

    /// Pods without objects that have ended since the last call.
    pub(in crate::kube) fn take_left(&mut self) -> Vec<PodId> {
        std::mem::take(&mut self.left)
    }

    /// Lets go of what an agent kept for a pod.
    fn forget(&mut self, worker: &Worker, desk: &mut Desk<'_, '_>) {
        self.left.push(worker.pod);
        self.images.released(worker, desk.now());
        let lost = self.trouble.get_mut(&worker.machine);
        if let Some(trouble) = lost.filter(|it| it.lost) {
            trouble.orphans.push(Owner {
                slot: worker.pod.slot(),
                generation: worker.pod.generation().get(),
                part: 0,
            });
        }
    }
}
