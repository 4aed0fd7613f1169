//! In-place resize: whether a pod's new size fits its node, and how its groups get it.
//!
//! Three sizes are kept apart: what the spec asks for, what the agent has granted (allocated), and
//! what the control groups say (actual). Spec is the store's; the other two are the worker's.
//!
//! ```text
//! asked ─▶ its node would not take it so: Deferred ─▶ looked at again when something goes from the node
//!      ─▶ granted ─▶ groups written, or the container restarted ─▶ next relist: done
//! ```
//! Sources: `pkg/kubelet/allocation/allocation_manager.go` (`handlePodResourcesResize`,
//! `canAdmitPod`), `pkg/kubelet/kuberuntime/kuberuntime_manager.go` (`computePodResizeAction`).
//!
//! Not modelled: sizes of the pod as a whole (`spec.resources`), and with them what makes a size
//! Infeasible: swap, and the static policies of CPUs and memory.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::time::SimTime;
use crate::des::notice::Detail;
use crate::kube::apiserver::template::requests;
use crate::kube::rows::pod::{Pending, PodRow, Sizes};
use crate::kube::rows::{NodeId, PodId};
use crate::kube::template::{PodTemplate, QosClass, TemplateId};
use crate::manifest::value::Value;
use crate::object::print::{KeyOrder, json};
use crate::substrate::cgroup::settings::SandboxSpec;
use crate::substrate::order::Order;
use crate::substrate::process::HOLDER_RSS;

use super::admission::Admission;
use super::desk::{Desk, Report, naming, sentence};
use super::lifecycle::MINIMUM_GRACE;
use super::lower::{self, Lowered};
use super::recipe::Recipe;
use super::worker::{Step, StopReason, Worker};
use super::{Kubelets, changes, lifecycle};

/// `resources` of each container of a template, init containers first.
pub fn sizes(template: &PodTemplate) -> Vec<Value> {
    containers(template)
        .iter()
        .map(|container| {
            container
                .get("resources")
                .cloned()
                .unwrap_or_else(Value::map)
        })
        .collect()
}

fn containers(template: &PodTemplate) -> Vec<Value> {
    let list = |name: &str| {
        let items = template
            .document
            .path(&["spec", name])
            .and_then(Value::as_list);
        items.unwrap_or(&[]).to_vec()
    };
    let mut all = list("initContainers");
    all.extend(list("containers"));
    all
}

impl Kubelets {
    /// A pod's spec asks for other sizes than were granted, or does so no more. Answers whether its
    /// containers may be made by the spec.
    pub(super) fn size_up(
        &mut self,
        pod: PodId,
        wanted: TemplateId,
        desk: &mut Desk<'_, '_>,
    ) -> bool {
        let Some(worker) = self.worker(pod) else {
            return true;
        };
        let template = desk.store.template(wanted).clone();
        let granted = desk.store.template(worker.allocated).clone();
        if sizes(&template) == sizes(&granted) {
            let Some(worker) = self.worker_mut(pod) else {
                return true;
            };
            if worker.actual == worker.allocated {
                worker.actual = wanted;
            }
            worker.allocated = wanted;
            let pending = worker.aside.written();
            if pending.and_then(|aside| aside.pending.take()).is_some() {
                desk.request_status(worker);
                settle(worker, desk);
                self.put_off(pod, false);
            }
            return true;
        }
        // Its row counts for more than it asks for.
        let mut plain = PodTemplate::clone(&template);
        plain.requests = requests(&plain.spec, desk.ctx.symbols);
        let wanted = desk.store.intern_template(plain);
        let token = desk.store.pod(pod).is_some_and(PodRow::has_token);
        let recipe = self.recipe(wanted, token, desk);
        let Some(worker) = self.worker(pod) else {
            return true;
        };
        let (whose, place) = ((pod, worker.name), (worker.node, worker.machine));
        match self.admit(whose, (wanted, &*recipe), place, false, desk) {
            Admission::Taken => self.grant(pod, wanted, &recipe, desk),
            Admission::Waits => self.put_off(pod, true),
            Admission::Refused((_, message)) => {
                self.defer(pod, &template, message, desk);
                return false;
            }
        }
        self.worker(pod)
            .is_none_or(|worker| worker.allocated == wanted)
    }

    /// A pod's wish has to wait. Why is told anew, of each wish there is one Event.
    /// Source: `pkg/kubelet/status/status_manager.go` (`SetPodResizePendingCondition`).
    fn defer(
        &mut self,
        pod: PodId,
        template: &PodTemplate,
        message: Arc<str>,
        desk: &mut Desk<'_, '_>,
    ) {
        let generation = desk.store.generation(pod);
        let Some(worker) = self.worker_mut(pod) else {
            return;
        };
        let known = worker.aside.pending.as_ref();
        let since = known.map_or(desk.now(), |known| known.since);
        if known.is_none_or(|known| known.generation != generation) {
            let text = summary(template, generation, &message);
            let text = format!("Pod resize Deferred: {text}");
            let report = Report::warning("ResizeDeferred", sentence(text));
            desk.record(worker, None, report);
            let symbol = desk.ctx.symbols.intern("Deferred");
            desk.note("resize-pending", worker, Detail::Text(symbol), None);
        } else if known.is_some_and(|known| known.message == message) {
            return;
        }
        worker.aside.write().pending = Some(Pending {
            message,
            since,
            looked: desk.now(),
            generation,
        });
        desk.request_status(worker);
        settle(worker, desk);
        self.put_off(pod, true);
    }

    /// A pod gets the size that it asks for.
    fn grant(&mut self, pod: PodId, wanted: TemplateId, recipe: &Recipe, desk: &mut Desk<'_, '_>) {
        let settings = self.settings.workers;
        let generation = desk.store.generation(pod);
        let Some(worker) = self.worker_mut(pod) else {
            return;
        };
        let node = worker.node;
        worker.allocated = wanted;
        let aside = worker.aside.write();
        aside.pending = None;
        aside.resizing = Some(desk.now());
        let runtime = worker.recipe.place.runtime.clone();
        Arc::make_mut(&mut worker.recipe).place = recipe.place.clone();
        if worker.recipe.place.runtime != runtime {
            worker.own_place().runtime = runtime;
        }
        let template = desk.store.template(wanted).clone();
        let text = format!("Pod resize started: {}", summary(&template, generation, ""));
        desk.record(
            worker,
            None,
            Report::normal("ResizeStarted", sentence(text)),
        );
        desk.note("resize", worker, Detail::None, None);
        // Images may have been replaced by the same or an earlier write.
        changes::take(worker, recipe.containers.clone(), &settings, desk);
        forget_error(worker);
        try_to_apply(worker, desk);
        lifecycle::advance(worker, &settings, desk);
        self.put_off(pod, false);
        // What it has given back may be what others wait for.
        self.retry_sizes(node, desk);
    }

    /// A pod's containers as a template describes them, in the sizes that were granted.
    pub(super) fn lowered_as_granted(
        &self,
        pod: PodId,
        wanted: TemplateId,
        desk: &mut Desk<'_, '_>,
    ) -> Arc<[Lowered]> {
        let mut template = PodTemplate::clone(desk.store.template(wanted));
        if let Some(worker) = self.worker(pod) {
            let granted = desk.store.template(worker.allocated).clone();
            let spec = Arc::make_mut(&mut template.spec);
            let lists = [
                (&mut spec.init_containers, &granted.spec.init_containers),
                (&mut spec.containers, &granted.spec.containers),
            ];
            for (own, granted) in lists {
                for (container, granted) in own.iter_mut().zip(granted) {
                    container.resources = granted.resources.clone();
                }
            }
        }
        let token = desk.store.pod(pod).is_some_and(PodRow::has_token);
        lower::containers(
            &template,
            token,
            &self.settings.resources,
            (desk.ctx.machines, &mut *desk.ctx.symbols),
        )
    }

    /// Notes whether a pod's size waits for room on its node.
    fn put_off(&mut self, pod: PodId, waits: bool) {
        let Some(node) = self.worker(pod).map(|worker| worker.node) else {
            return;
        };
        if waits {
            self.deferred.entry(node).or_default().insert(pod);
        } else if let Some(pods) = self.deferred.get_mut(&node)
            && pods.remove(&pod)
            && pods.is_empty()
        {
            self.deferred.remove(&node);
        }
    }

    /// Something has gone from a node, or become smaller: sizes that were put off are looked at
    /// again, those of higher priority first, then guaranteed ones, then those that wait longer.
    /// Source: `pkg/kubelet/allocation/allocation_manager.go` (`RetryPendingResizes`, `sortPendingResizes`).
    pub(super) fn retry_sizes(&mut self, node: NodeId, desk: &mut Desk<'_, '_>) {
        let Some(pods) = self.deferred.get(&node) else {
            return;
        };
        let machine = desk.store.node(node).map(|row| row.machine);
        if machine.is_none_or(|machine| !self.is_heard(machine)) {
            // It looks at them when it has caught up.
            return;
        }
        let mut waiting: Vec<(Reverse<i32>, bool, SimTime, PodId, TemplateId)> = Vec::new();
        let mut gone = Vec::new();
        for pod in pods {
            let worker = self.worker(*pod);
            let row = desk.store.pod(*pod).filter(|row| !row.is_terminating());
            match (worker, row) {
                (Some(worker), Some(row)) => {
                    let template = desk.store.template(row.template);
                    let pending = worker.aside.pending.as_ref();
                    waiting.push((
                        Reverse(template.priority),
                        template.qos != QosClass::Guaranteed,
                        pending.map_or(desk.now(), |pending| pending.since),
                        *pod,
                        row.template,
                    ));
                }
                _ => gone.push(*pod),
            }
        }
        if let Some(pods) = self.deferred.get_mut(&node) {
            pods.retain(|pod| !gone.contains(pod));
            if pods.is_empty() {
                self.deferred.remove(&node);
            }
        }
        waiting.arrange();
        for (.., pod, template) in waiting {
            self.size_up(pod, template, desk);
        }
    }
}

/// Whether a change of size restarts a container: by the policy of what changes.
fn restarts(container: &Value, old: &Value, new: &Value) -> bool {
    let policies = container.get("resizePolicy").and_then(Value::as_list);
    ["cpu", "memory"].into_iter().any(|resource| {
        let differs = ["requests", "limits"]
            .into_iter()
            .any(|part| old.path(&[part, resource]) != new.path(&[part, resource]));
        differs
            && policies.unwrap_or(&[]).iter().any(|policy| {
                policy.str_at(&["resourceName"]) == Some(resource)
                    && policy.str_at(&["restartPolicy"]) == Some("RestartContainer")
            })
    })
}

/// Why memory limits cannot be lowered while containers run on: they use as much.
/// Source: `pkg/kubelet/kuberuntime/kuberuntime_manager.go` (`validateMemoryResizeAction`).
fn too_small(
    worker: &Worker,
    policies: &[Value],
    old: &[Value],
    new: &[Value],
    desk: &Desk<'_, '_>,
) -> Option<String> {
    let limit = |sizes: &Value| {
        let text = sizes.path(&["limits", "memory"])?;
        let text = crate::object::jsonpath::text(text);
        let quantity = crate::base::quantity::Quantity::parse(&text).ok()?;
        u64::try_from(quantity.value()).ok()
    };
    let (machines, now) = (desk.ctx.machines, desk.now());
    let used = |container| machines.container_memory(container, now).current();
    let sandbox = worker.sandbox?;
    let all = machines.containers_in(sandbox).map(|(id, _)| used(id));
    let mut whole: u64 = all.fold(HOLDER_RSS, u64::saturating_add);
    let (mut looks, mut low) = (false, Vec::new());
    for (index, (old, new)) in old.iter().zip(new).enumerate() {
        let work = &worker.containers[index];
        let Some(container) = work.container.filter(|_| work.step == Step::Running) else {
            continue;
        };
        if restarts(&policies[index], old, new) {
            // It ends before the group becomes smaller.
            whole = whole.saturating_sub(used(container));
            continue;
        }
        looks |= limit(old) != limit(new);
        if let Some(after) = limit(new)
            && limit(old).is_none_or(|before| before > after)
            && used(container) >= after
        {
            low.push((worker.lowered[index].name, after));
        }
    }
    let mut wrong = Vec::new();
    let mut refuse = |whose: &str, limit: u64| {
        wrong.push(format!(
            "attempting to set {whose} memory limit ({limit}) below current usage ({whole})"
        ));
    };
    let pod = |place: &SandboxSpec| place.group.memory_limit.map(i64::unsigned_abs);
    let known = machines.sandbox(sandbox).and_then(|row| pod(&row.spec));
    if let (true, Some(before), Some(after)) = (looks, known, pod(&worker.recipe.place))
        && after < before
        && whole >= after
    {
        refuse("pod", after);
    }
    // What is told of a container is what its pod uses.
    for (name, after) in low {
        refuse(
            &format!("container {:?}", desk.ctx.symbols.text(name)),
            after,
        );
    }
    let text = match wrong.as_slice() {
        [] => return None,
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    };
    Some(format!("cannot decrease memory limits: {text}"))
}

/// Gives one container its new size, or stops it so that it starts with it.
fn apply(
    worker: &mut Worker,
    index: usize,
    lowered: &[Lowered],
    restarts: bool,
    desk: &mut Desk<'_, '_>,
) {
    let name = lowered[index].name;
    let grace = worker.recipe.grace.max(MINIMUM_GRACE);
    let work = &mut worker.containers[index];
    let (Step::Running, Some(container)) = (work.step, work.container) else {
        // It starts with what it has now.
        return;
    };
    if !restarts {
        desk.order(Order::Resize {
            container,
            spec: lowered[index].spec.clone(),
        });
        return;
    }
    if work.stopping.is_some() {
        return;
    }
    work.stopping = Some(StopReason::Changed);
    work.resize_waits = true;
    let text = "Container {} resize requires restart";
    desk.record(
        worker,
        Some(name),
        Report::normal("Killing", naming(text, name)),
    );
    desk.note("kill", worker, Detail::Text(name), None);
    desk.order(Order::Stop { container, grace });
}

/// Gives a pod's containers the sizes that were granted, or says why that cannot be: then it is tried
/// again at the pod's next turn.
fn try_to_apply(worker: &mut Worker, desk: &mut Desk<'_, '_>) {
    let template = desk.store.template(worker.allocated).clone();
    let policies = containers(&template);
    let (old, new) = (sizes(desk.store.template(worker.actual)), sizes(&template));
    if let Some(error) = too_small(worker, &policies, &old, &new, desk) {
        if worker.aside.resize_error.as_deref() != Some(&error) {
            let generation = desk.store.generation(worker.pod);
            let text = summary(&template, generation, &error);
            let text = format!("Pod resize error: {text}");
            desk.record(worker, None, Report::warning("ResizeError", sentence(text)));
            let aside = worker.aside.write();
            if aside.resize_error.replace(error.into()).is_none() {
                // Another reason is another condition, since now.
                aside.resizing = Some(desk.now());
            }
            desk.request_status(worker);
        }
        let at = desk.now() + desk.jitter(worker, lifecycle::ERROR_PERIOD);
        desk.wake(worker, at);
        return;
    }
    forget_error(worker);
    if let Some(sandbox) = worker.sandbox {
        desk.order(Order::ResizeSandbox {
            sandbox,
            spec: worker.recipe.place.clone(),
        });
    }
    let lowered = worker.lowered.clone();
    for index in 0..worker.containers.len() {
        if old.get(index) != new.get(index) {
            let restarts = restarts(&policies[index], &old[index], &new[index]);
            apply(worker, index, &lowered, restarts, desk);
        }
    }
    desk.request_status(worker);
    desk.request_relist(worker);
}

fn forget_error(worker: &mut Worker) {
    if let Some(aside) = worker.aside.written() {
        aside.resize_error = None;
    }
}

/// A pod's turn: what could not be made true before may be possible now.
/// Source: `pkg/kubelet/kuberuntime/kuberuntime_manager.go` (`doPodResizeAction`, at each `SyncPod`).
pub fn again(worker: &mut Worker, desk: &mut Desk<'_, '_>) {
    if worker.aside.resize_error.is_some() && worker.deadline.is_none() && !worker.finished {
        try_to_apply(worker, desk);
    }
}

/// The relist sees what the groups say: the resize may be done.
pub fn look(worker: &mut Worker, desk: &mut Desk<'_, '_>) -> bool {
    if worker.aside.resize_error.is_some() {
        again(worker, desk);
        return false;
    }
    let waits = worker.containers.iter().any(|work| work.resize_waits);
    if worker.aside.resizing.is_none() || waits {
        return false;
    }
    worker.aside.write().resizing = None;
    worker.actual = worker.allocated;
    let template = desk.store.template(worker.allocated).clone();
    let generation = desk.store.generation(worker.pod);
    let text = format!(
        "Pod resize completed: {}",
        summary(&template, generation, "")
    );
    desk.record(
        worker,
        None,
        Report::normal("ResizeCompleted", sentence(text)),
    );
    desk.note("resized", worker, Detail::None, None);
    settle(worker, desk);
    desk.request_status(worker);
    true
}

/// The node's room counts for what the pod has, has been granted and wishes.
/// Source: `staging/src/k8s.io/component-helpers/resource/helpers.go` (`PodRequests`).
fn settle(worker: &Worker, desk: &mut Desk<'_, '_>) {
    let granted = desk.store.template(worker.allocated).clone();
    let mut own = requests(&granted.spec, desk.ctx.symbols);
    if worker.aside.resizing.is_some() {
        let actual = desk.store.template(worker.actual).clone();
        own.max_with(&requests(&actual.spec, desk.ctx.symbols));
    }
    let wished = desk.store.pod(worker.pod).map(|row| row.template);
    if let Some(wished) = wished.map(|wished| desk.store.template(wished).clone())
        && sizes(&wished) != sizes(&granted)
    {
        own.max_with(&requests(&wished.spec, desk.ctx.symbols));
    }
    desk.store.set_pod_requests(worker.pod, own);
}

/// Sizes of all containers as Events name them.
/// Source: `pkg/kubelet/events/pod_resize_event.go`.
fn summary(template: &PodTemplate, generation: u32, error: &str) -> String {
    let list = |name: &str| {
        let items = template
            .document
            .path(&["spec", name])
            .and_then(Value::as_list);
        let items = items.unwrap_or(&[]).iter().map(|container| {
            let sizes = container
                .get("resources")
                .cloned()
                .unwrap_or_else(Value::map);
            let mut sorted = Value::map();
            for part in ["limits", "requests"] {
                if let Some(amounts) = sizes.get(part) {
                    sorted.set(part, amounts.clone());
                }
            }
            let mut one = Value::map();
            one.set("name", container.str_at(&["name"]).unwrap_or("").into());
            one.set("resources", sorted);
            one
        });
        Value::list(items.collect())
    };
    let mut text = Value::map();
    for name in ["initContainers", "containers"] {
        let items = list(name);
        if items.as_list().is_some_and(|items| !items.is_empty()) {
            text.set(name, items);
        }
    }
    text.set("generation", Value::Int(i64::from(generation)));
    if !error.is_empty() {
        text.set("error", error.into());
    }
    json(&text, KeyOrder::Stored)
}

impl Worker {
    /// What the status says of sizes; none: nobody has asked for another.
    pub fn sizes(&self) -> Option<Arc<Sizes>> {
        let aside = &self.aside;
        let news = aside.pending.is_some() || aside.resizing.is_some();
        (news || self.actual != self.template || self.allocated != self.template).then(|| {
            Arc::new(Sizes {
                allocated: self.allocated,
                actual: self.actual,
                pending: aside.pending.clone(),
                progress: aside.resizing,
                error: aside.resize_error.clone(),
            })
        })
    }
}
