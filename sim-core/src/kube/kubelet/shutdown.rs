//! Graceful shutdown: an agent that holds the machine's end up until its pods have ended, those of
//! ordinary priority first, the critical ones in the time that is kept for them.
//!
//! ```text
//! shut down ─▶ NotReady, no new pods ─▶ ordinary pods end ─▶ critical pods end ─▶ power off
//!              └── shutdownGracePeriod − …CriticalPods ──┘ └── …CriticalPods ──┘
//! ```
//! Each of the two stretches is over as soon as all its pods have ended.
//! Sources: `pkg/kubelet/nodeshutdown/{nodeshutdown_manager,nodeshutdown_manager_linux}.go`.
//!
//! Not modelled: `shutdownGracePeriodByPodPriority`.

use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::name::Rule;
use crate::base::sentence::Sentence;
use crate::base::sorted::SortedMap;
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::Detail;
use crate::kube::apiserver::priority::SYSTEM_CLUSTER_CRITICAL;
use crate::kube::rows::{NodeId, PodId};
use crate::kube::store::Store;
use crate::kube::store::events::{Message, NewEvent};
use crate::kube::{Event as PlaneEvent, KubePlane};
use crate::substrate::order::{MachineId, Order};
use crate::substrate::{Context, PlaneOutbox};

use super::admission::Rejection;
use super::desk::Desk;
use super::{Event, Kubelets, stop};

const GRACE: &str = "kubelet.shutdownGracePeriod";
const CRITICAL: &str = "kubelet.shutdownGracePeriodCriticalPods";
/// What a pod's status says that was ended so.
const MESSAGE: &str = "Pod was terminated in response to imminent node shutdown.";

/// Configuration of all agents. Both zero: the machine's end is not held up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownSettings {
    /// `shutdownGracePeriod`: both stretches together.
    pub grace: SimDuration,
    /// `shutdownGracePeriodCriticalPods`: the second stretch.
    pub critical: SimDuration,
}

impl ShutdownSettings {
    /// Changes a setting; false if the key is not one of these.
    ///
    /// # Errors
    /// A sentence when the value is not one for the key.
    /// Source: `pkg/kubelet/apis/config/validation/validation.go`.
    pub fn set(&mut self, key: &str, value: &str) -> Result<bool, Sentence> {
        if key != GRACE && key != CRITICAL {
            return Ok(false);
        }
        let span = if value == "0" {
            SimDuration::ZERO
        } else {
            SimDuration::parse(value)?
        };
        if !span.is_zero() && span < SimDuration::from_secs(1) {
            let name = key.trim_start_matches("kubelet.");
            return Err(format!(
                "invalid configuration: {name} {{{value}}} must be either zero or otherwise >= 1 sec"
            )
            .into());
        }
        let mut next = *self;
        if key == GRACE {
            next.grace = span;
        } else {
            next.critical = span;
        }
        if next.critical > next.grace {
            return Err(format!(
                "invalid configuration: shutdownGracePeriodCriticalPods {{{}}} must be <= shutdownGracePeriod {{{}}}",
                next.critical.exact(),
                next.grace.exact()
            )
            .into());
        }
        *self = next;
        Ok(true)
    }

    /// Both, as they are.
    pub fn list(&self) -> Vec<(&'static str, String)> {
        vec![
            (GRACE, self.grace.exact()),
            (CRITICAL, self.critical.exact()),
        ]
    }
}

/// Which pods are ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stretch {
    Ordinary,
    Critical,
}

/// One machine's shutdown.
#[derive(Clone, Debug)]
struct Shutdown {
    stretch: Stretch,
    ends: SimTime,
    pods: Vec<PodId>,
}

/// Machines that are being shut down.
#[derive(Clone, Debug, Default)]
pub(super) struct Shutdowns(SortedMap<MachineId, Shutdown>);

impl Shutdowns {
    /// A machine is off.
    pub(super) fn over(&mut self, machine: MachineId) {
        self.0.remove(&machine);
    }
}

impl KubePlane {
    /// A machine is told to shut down: its agent holds that up, or the power goes at once.
    pub fn shut_down(
        &mut self,
        machine: MachineId,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<PlaneEvent>,
    ) {
        let mut desk = Desk {
            store: &mut self.store,
            ctx,
            out,
        };
        self.kubelets.begin_shutdown(machine, &mut desk);
        self.tell(ctx, out);
    }
}

impl Kubelets {
    fn begin_shutdown(&mut self, machine: MachineId, desk: &mut Desk<'_, '_>) {
        if self.shutdowns.0.contains_key(&machine) {
            return;
        }
        let settings = self.settings.shutdown;
        if settings.grace.is_zero() || self.is_down(machine) {
            desk.order(Order::PowerOff { machine });
            return;
        }
        super::agent::note(machine, "shutdown", desk);
        if let Some(name) = desk.ctx.machines.machine(machine).map(|row| row.name) {
            let event = NewEvent::of_node(
                name,
                false,
                "NodeShutdown",
                Message::Plain("Shutdown manager detected shutdown event"),
            );
            let now = desk.now();
            desk.store.record(event, now);
        }
        if let Some(node) = desk.store.node_of(machine) {
            let wait = desk.write_time(machine);
            desk.out.after(wait, PlaneEvent::NodeStatus(node));
        }
        self.begin_stretch(machine, Stretch::Ordinary, desk);
    }

    /// Ends the pods of a stretch.
    fn begin_stretch(&mut self, machine: MachineId, stretch: Stretch, desk: &mut Desk<'_, '_>) {
        let settings = self.settings.shutdown;
        let now = desk.now();
        let (span, key) = match stretch {
            Stretch::Ordinary => (
                SimDuration::from_micros(
                    settings.grace.as_micros() - settings.critical.as_micros(),
                ),
                GRACE,
            ),
            Stretch::Critical => (settings.critical, CRITICAL),
        };
        let pods = self.pods_of_stretch(machine, stretch, desk);
        self.shutdowns.0.insert(
            machine,
            Shutdown {
                stretch,
                ends: now + span,
                pods: pods.clone(),
            },
        );
        for pod in pods {
            let grace = self
                .worker(pod)
                .map_or(span, |worker| worker.recipe.grace.min(span));
            let rule = Rule { key, value: span };
            self.end_for_shutdown(pod, grace, rule, desk);
        }
        desk.at(now + span, Event::ShutdownStep(machine));
        desk.at(now, Event::ShutdownStep(machine));
    }

    fn pods_of_stretch(
        &self,
        machine: MachineId,
        stretch: Stretch,
        desk: &Desk<'_, '_>,
    ) -> Vec<PodId> {
        let node = desk.store.node_of(machine);
        let rows = node.into_iter().flat_map(|node| desk.store.pods_on(node));
        let mut pods: Vec<PodId> = rows.map(|(pod, _)| pod).collect();
        pods.arrange();
        pods.extend(self.statics.on(machine));
        pods.retain(|pod| {
            self.worker(*pod).is_some_and(|worker| {
                let critical =
                    desk.store.template(worker.template).priority >= SYSTEM_CLUSTER_CRITICAL;
                !worker.finished
                    && worker.aside.rejected.is_none()
                    && !worker.phase().is_terminal()
                    && critical == (stretch == Stretch::Critical)
            })
        });
        pods
    }

    fn end_for_shutdown(
        &mut self,
        pod: PodId,
        grace: SimDuration,
        rule: Rule,
        desk: &mut Desk<'_, '_>,
    ) {
        let now = desk.now();
        let message: Arc<str> = MESSAGE.into();
        let Some(worker) = self.worker_mut(pod) else {
            return;
        };
        let aside = worker.aside.write();
        aside.disruption = Some(message.clone());
        aside.evicted = Some(("Terminated", message));
        desk.note("terminate", worker, Detail::Span(grace), Some(rule));
        stop::terminate(worker, now + grace, desk);
    }

    /// A pod of a machine has ended: the stretch may be over.
    pub(super) fn shutdown_goes_on(&mut self, machine: MachineId, desk: &mut Desk<'_, '_>) {
        if self.shutdowns.0.contains_key(&machine) {
            self.shutdown_step(machine, desk);
        }
    }

    /// Looks whether a stretch is over: by its time, or because all its pods have ended.
    pub(super) fn shutdown_step(&mut self, machine: MachineId, desk: &mut Desk<'_, '_>) {
        let Some(shutdown) = self.shutdowns.0.get(&machine) else {
            return;
        };
        let over = desk.now() >= shutdown.ends
            || shutdown
                .pods
                .iter()
                .all(|pod| self.worker(*pod).is_none_or(|worker| worker.finished));
        if !over {
            return;
        }
        match shutdown.stretch {
            Stretch::Ordinary => self.begin_stretch(machine, Stretch::Critical, desk),
            Stretch::Critical => {
                self.shutdowns.over(machine);
                desk.order(Order::PowerOff { machine });
            }
        }
    }

    /// Whether a node's machine is being shut down.
    pub(in crate::kube) fn is_shutting_down(&self, node: NodeId, store: &Store) -> bool {
        store
            .node(node)
            .is_some_and(|row| self.shutdowns.0.contains_key(&row.machine))
    }

    /// A machine that is being shut down takes no pod.
    pub(super) fn refuse_at_shutdown(&self, machine: MachineId) -> Option<Rejection> {
        self.shutdowns.0.contains_key(&machine).then(|| {
            let text = "Pod was rejected as the node is shutting down.";
            ("NodeShutdown", Arc::from(text))
        })
    }
}
