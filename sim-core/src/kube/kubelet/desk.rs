//! What a pod worker has in its hands while it handles one event.

use std::sync::Arc;

use crate::base::name::{Name, Rule};
use crate::base::rng::{Stream, stable_hash_parts};
use crate::base::symbol::Symbol;
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::{Detail, Notice, Subject};
use crate::kube::Event as PlaneEvent;
use crate::kube::store::Store;
use crate::kube::store::events::{ContainerList, Message, NewEvent};
use crate::substrate::order::{MachineId, Order, Owner};
use crate::substrate::{Context, PlaneOutbox};

use super::Event;
use super::worker::Worker;

/// Time of a status write's way to the API server. Upstream gives no number; it is one write to etcd.
pub const API_LATENCY: SimDuration = SimDuration::from_millis(5);
/// Time between two looks at the container runtime. Source: `pkg/kubelet/kubelet.go`
/// (`genericPlegRelistPeriod`).
pub const RELIST_PERIOD: SimDuration = SimDuration::from_secs(1);

/// Store, context and outbox of one event.
#[derive(Debug)]
pub struct Desk<'a, 'b> {
    /// The store behind the API server.
    pub store: &'a mut Store,
    /// Time, seed, text, machines.
    pub ctx: &'a mut Context<'b>,
    /// Where wishes go.
    pub out: &'a mut PlaneOutbox<PlaneEvent>,
}

impl Desk<'_, '_> {
    /// Now.
    pub const fn now(&self) -> SimTime {
        self.ctx.now
    }

    /// Time of a write's way from a machine to the API server, as the link and etcd are now.
    pub fn write_time(&self, machine: MachineId) -> SimDuration {
        let luck = (self.ctx.seed, self.ctx.now);
        API_LATENCY + self.store.commit_delay() + self.ctx.machines.to_control(machine, luck)
    }

    /// Schedules an event of the kubelets.
    pub fn at(&mut self, time: SimTime, event: Event) {
        self.out.after(
            time.max(self.ctx.now).since(self.ctx.now),
            PlaneEvent::Kubelet(event),
        );
    }

    /// Orders something of the machine.
    pub fn order(&mut self, order: Order) {
        self.out.order(order);
    }

    /// Says that a pod was taken on or rejected.
    pub fn taken_on(&mut self, worker: &Worker, host: Symbol) {
        let Some((reason, message)) = &worker.aside.rejected else {
            return self.note("start", worker, Detail::To(Name::plain(host)), None);
        };
        let report = Report::warning(reason, sentence(message.to_string()));
        self.record(worker, None, report);
        let symbol = self.ctx.symbols.intern(reason);
        self.note("reject", worker, Detail::Text(symbol), None);
    }

    /// Leaves a line about a pod in the trace.
    pub fn note(
        &mut self,
        verb: &'static str,
        worker: &Worker,
        detail: Detail,
        rule: Option<Rule>,
    ) {
        let subject = Subject {
            kind: "pod",
            name: worker.name,
        };
        self.out.notice(Notice {
            source: "kube.kubelet",
            verb,
            subject,
            detail,
            rule,
        });
    }

    /// Records an Event object about a pod or one of its containers.
    pub fn record(&mut self, worker: &Worker, container: Option<Symbol>, event: Report) {
        let new = self.about(worker, container, event);
        self.store.record(new, self.ctx.now);
    }

    /// Records what has happened `count` times since it was recorded last. Returns when the next can be
    /// told.
    pub fn record_often(
        &mut self,
        worker: &Worker,
        container: Option<Symbol>,
        event: Report,
        count: u32,
    ) -> SimTime {
        let new = self.about(worker, container, event);
        self.store.record_often(new, count, self.ctx.now).next
    }

    fn about(&self, worker: &Worker, container: Option<Symbol>, event: Report) -> NewEvent {
        let container = container.map(|name| (list_of(worker, name), name));
        NewEvent {
            kind: "Pod",
            namespace: worker.namespace,
            name: worker.name,
            warning: event.warning,
            reason: event.reason,
            message: event.message,
            component: "kubelet",
            host: Some(worker.host),
            container,
            pod: self.store.incarnation(worker.pod).or(worker.aside.departed),
            series: None,
        }
    }

    /// Tells the API server soon; several reasons in one moment make one write.
    pub fn request_status(&mut self, worker: &mut Worker) {
        if !worker.status_pending {
            worker.status_pending = true;
            let at = self.now() + self.write_time(worker.machine);
            self.at(at, Event::Status(worker.pod));
        }
    }

    /// Lets the next relist look at a pod.
    pub fn request_relist(&mut self, worker: &mut Worker) {
        let at = self.next_relist(worker);
        if worker
            .relist_at
            .is_none_or(|planned| planned < self.now() || planned > at)
        {
            worker.relist_at = Some(at);
            self.at(at, Event::Relist(worker.pod));
        }
    }

    /// Wakes the worker by itself, unless it wakes sooner.
    pub fn wake(&mut self, worker: &mut Worker, at: SimTime) {
        if worker
            .wake_at
            .is_none_or(|planned| planned <= self.now() || planned > at)
        {
            worker.wake_at = Some(at);
            self.at(at, Event::Wake(worker.pod));
        }
    }

    /// `base` lengthened by up to a half, as workers do with their waits.
    /// Source: `pkg/kubelet/pod_workers.go` (`workerBackOffPeriodJitterFactor`).
    pub fn jitter(&mut self, worker: &mut Worker, base: SimDuration) -> SimDuration {
        let name = worker.name.text(self.ctx.symbols);
        let key = stable_hash_parts(&[self.ctx.symbols.text(worker.namespace), &name]);
        let mut stream = Stream::new(self.ctx.seed, "kubelet.pod-worker", key, worker.draws);
        worker.draws += 1;
        stream.duration_between(base, base + SimDuration::from_micros(base.as_micros() / 2))
    }

    /// The node's relists go on from a phase of its own.
    fn next_relist(&self, worker: &Worker) -> SimTime {
        let period = RELIST_PERIOD.as_micros();
        let key = stable_hash_parts(&[self.ctx.symbols.text(worker.host)]);
        let phase = Stream::new(self.ctx.seed, "kubelet.relist", key, 0).between(0, period - 1);
        let now = self.ctx.now.as_micros();
        let behind = (now + period - phase) % period;
        SimTime::from_micros(now + period - behind)
    }
}

/// Where the pod's spec lists a container.
fn list_of(worker: &Worker, name: Symbol) -> ContainerList {
    match worker.lowered.iter().find(|one| one.name == name) {
        Some(one) if one.init || one.sidecar => ContainerList::Init,
        Some(one) if one.ephemeral => ContainerList::Ephemeral,
        _ => ContainerList::Main,
    }
}

/// An Event object's own part.
#[derive(Clone, Debug)]
pub struct Report {
    /// Warning instead of Normal.
    pub warning: bool,
    /// `reason`.
    pub reason: &'static str,
    /// `message`.
    pub message: Message,
}

impl Report {
    /// A Normal event.
    pub const fn normal(reason: &'static str, message: Message) -> Self {
        Self {
            warning: false,
            reason,
            message,
        }
    }

    /// A Warning event.
    pub const fn warning(reason: &'static str, message: Message) -> Self {
        Self {
            warning: true,
            reason,
            message,
        }
    }
}

/// A sentence with one name in it.
pub const fn naming(sentence: &'static str, name: Symbol) -> Message {
    Message::Name(sentence, Name::plain(name))
}

/// A sentence of its own.
pub fn sentence(text: String) -> Message {
    Message::Text(Arc::from(text))
}

/// Whose order it is.
pub fn owner(worker: &Worker, part: usize) -> Owner {
    Owner {
        slot: worker.pod.slot(),
        generation: worker.pod.generation().get(),
        part: part as u32,
    }
}
