//! One simulated world: machines, one orchestrator on them, and the queue that drives both.

use crate::api::status::WorkloadStatus;
use crate::base::name::Name;
use crate::base::rng::Seed;
use crate::base::room;
use crate::base::symbol::Symbols;
use crate::base::time::{SimDuration, SimTime};
use crate::compose::ComposePlane;
use crate::des::choice::Choices;
use crate::des::fingerprint::Fingerprint;
use crate::des::notice::{Detail, Notice, Subject};
use crate::des::outbox::Outbox;
use crate::des::queue::{Queue, Seq};
use crate::kube::KubePlane;
use crate::substrate::order::{MachineId, Order, Upcall};
use crate::substrate::{Context, PlaneOutbox, Scope, Substrate, SubstrateOutbox};
use crate::swarm::SwarmPlane;

use super::client::Hands;
use super::command::{Answer, Command, Orchestrator};
use super::event::Event;
use super::fault::Faults;
use super::observe::{Observer, Serving};
use super::trace::{Entry, Trace};

/// How many events are glanced at together: their rows are a small part of the fastest cache.
const AHEAD: usize = 16;
/// Events between two looks at the program's room.
const ROOM_EVERY: u64 = 1024;

/// Lends a plane the machines (read-only) and its outbox, lets it act, and collects what it asks for.
/// Macros, not functions, since each plane has an event type of its own.
macro_rules! lend {
    ($world:ident, $seq:expr, $outbox:ident, |$context:ident, $out:ident| $act:expr) => {{
        let $context = &mut Context {
            now: $world.now,
            seq: $seq,
            seed: $world.seed,
            choices: &mut $world.choices,
            symbols: &mut $world.symbols,
            machines: &$world.substrate,
        };
        let $out = &mut $world.scratch.$outbox;
        let result = $act;
        let scratch = &mut $world.scratch;
        gather(
            &mut scratch.$outbox,
            (&mut scratch.after, &mut scratch.notices),
        );
        result
    }};
}

/// The same for whichever plane this world runs.
macro_rules! lend_any {
    ($world:ident, $seq:expr, |$plane:ident, $context:ident, $out:ident| $act:expr) => {
        match &mut $world.plane {
            Plane::Kubernetes($plane) => lend!($world, $seq, kube, |$context, $out| $act),
            Plane::Swarm($plane) => lend!($world, $seq, swarm, |$context, $out| $act),
            Plane::Compose($plane) => lend!($world, $seq, compose, |$context, $out| $act),
        }
    };
}

mod carry;

/// The orchestrator of a world.
#[derive(Clone, Debug)]
pub enum Plane {
    /// Kubernetes.
    Kubernetes(Box<KubePlane>),
    /// Docker Swarm.
    Swarm(Box<SwarmPlane>),
    /// Compose.
    Compose(Box<ComposePlane>),
}

/// Buffers of one step, reused; empty between steps and so never part of a snapshot.
#[derive(Debug, Default)]
struct Scratch {
    kube: PlaneOutbox<crate::kube::Event>,
    swarm: PlaneOutbox<crate::swarm::Event>,
    compose: PlaneOutbox<crate::compose::Event>,
    substrate: SubstrateOutbox,
    after: Vec<(SimDuration, Event)>,
    notices: Vec<Notice>,
}

/// Moves what a layer wished for to what the step has to do at its end. Orders are carried out from where
/// they are.
fn gather<E: Into<Event>, O>(
    outbox: &mut Outbox<E, O, Notice>,
    (after, notices): (&mut Vec<(SimDuration, Event)>, &mut Vec<Notice>),
) {
    // Most outboxes have one thing in them.
    if !outbox.after.is_empty() {
        let events = outbox.after.drain(..);
        after.extend(events.map(|(delay, event)| (delay, event.into())));
    }
    if !outbox.notices.is_empty() {
        notices.append(&mut outbox.notices);
    }
}

impl Clone for Scratch {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// The whole simulated world. `clone` is a snapshot: pages are shared.
#[derive(Clone)]
pub struct World {
    /// Which orchestrator runs here.
    pub orchestrator: Orchestrator,
    /// Time of the last event or of the last advance, whichever is later.
    pub now: SimTime,
    /// Seed of the run.
    pub seed: Seed,
    /// What was chosen where the real system leaves an order open; off unless a search asks.
    pub choices: Choices,
    /// Interned text.
    pub symbols: Symbols,
    /// The machines.
    pub substrate: Substrate,
    /// The orchestrator.
    pub plane: Plane,
    /// What was noted.
    pub trace: Trace,
    /// Faults injected so far.
    pub faults: Faults,
    /// What observers derived from the run; never read back by it.
    pub observer: Observer,
    /// Who carries out command lines in containers.
    pub hands: Hands,
    queue: Queue<Event>,
    run: Fingerprint,
    events: u64,
    /// Events and commands carried out: numbers the trace and its causes, in the order in which
    /// things happened (the queue's own numbers are in the order in which they were scheduled).
    acts: u64,
    scratch: Scratch,
    /// Events that were glanced at and have not had their turn.
    glanced: u32,
}

impl std::fmt::Debug for World {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "World({} at {}, {} events)",
            self.orchestrator.name(),
            self.now,
            self.events
        )
    }
}

/// How long before its beginning, and until when after it, a cluster's certificates are valid.
/// Sources: kubeadm `cmd/kubeadm/app/constants/constants.go` (CertificateBackdate,
/// CertificateValidityPeriod), swarmkit `ca/certificates.go` (CertBackdate,
/// DefaultNodeCertExpiration).
fn certificates(orchestrator: Orchestrator) -> Option<(SimDuration, SimDuration)> {
    let days = |days: u64| SimDuration::from_secs(days * 86_400);
    match orchestrator {
        Orchestrator::Kubernetes => Some((SimDuration::from_minutes(5), days(365))),
        Orchestrator::Swarm => Some((SimDuration::from_minutes(60), days(90))),
        Orchestrator::Compose => None,
    }
}

impl World {
    /// An empty world: no machines.
    pub fn new(orchestrator: Orchestrator, seed: Seed) -> Self {
        let plane = match orchestrator {
            Orchestrator::Kubernetes => Plane::Kubernetes(Box::new(KubePlane::new())),
            Orchestrator::Swarm => Plane::Swarm(Box::new(SwarmPlane::new())),
            Orchestrator::Compose => Plane::Compose(Box::default()),
        };
        let mut substrate = Substrate::new();
        if let Some((back, ahead)) = certificates(orchestrator) {
            let from = SimTime::ZERO.shifted(-back.as_micros().cast_signed());
            substrate.set_certificates(from, SimTime::ZERO + ahead);
        }
        let mut run = Fingerprint::new();
        run.fold(&(orchestrator, seed));
        Self {
            orchestrator,
            now: SimTime::ZERO,
            seed,
            choices: Choices::new(),
            symbols: Symbols::new(),
            substrate,
            plane,
            trace: Trace::default(),
            faults: Faults::default(),
            observer: Observer::default(),
            hands: |_, _, _| None,
            queue: Queue::new(),
            run,
            events: 0,
            acts: 0,
            scratch: Scratch::default(),
            glanced: 0,
        }
    }

    /// Events handled so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Events that wait.
    pub fn pending(&self) -> usize {
        self.queue.len()
    }

    /// Fingerprint of everything that happened so far.
    pub fn fingerprint(&self) -> Fingerprint {
        self.run
    }

    /// Bytes that `later`, a clone of this world that went on, no longer shares with it, as far as
    /// they grow with machines, replicas and events.
    pub fn bytes_apart(&self, later: &Self) -> usize {
        let plane = match (&self.plane, &later.plane) {
            (Plane::Kubernetes(plane), Plane::Kubernetes(later)) => plane.bytes_apart(later),
            (Plane::Swarm(plane), Plane::Swarm(later)) => plane.bytes_apart(later),
            // One machine's containers.
            _ => 0,
        };
        plane + self.substrate.bytes_apart(&later.substrate) + self.trace.bytes_apart(&later.trace)
    }

    /// Time of the next event.
    pub fn next_at(&self) -> Option<SimTime> {
        self.queue.peek_time()
    }

    /// Handles every event up to and including `deadline`, then stands at `deadline`.
    pub fn advance_to(&mut self, deadline: SimTime) {
        while self.step_until(deadline) {}
    }

    /// Handles at most `budget` events up to `deadline`. Returns whether the deadline was reached.
    pub fn advance_some(&mut self, deadline: SimTime, budget: u32) -> bool {
        for _ in 0..budget {
            if !self.step_until(deadline) {
                return true;
            }
        }
        false
    }

    /// Handles one event if one is due by `deadline`; else moves the clock there.
    fn step_until(&mut self, deadline: SimTime) -> bool {
        match self.queue.due_by(deadline) {
            Some(at) => {
                self.sample_before(at);
                self.glance_ahead();
                self.step();
                true
            }
            None => {
                if deadline > self.now {
                    self.sample_before(deadline);
                    self.now = deadline;
                }
                false
            }
        }
    }

    /// Reads what the next events are about, all together.
    fn glance_ahead(&mut self) {
        if let Some(left) = self.glanced.checked_sub(1) {
            self.glanced = left;
            return;
        }
        let ahead = self.queue.ahead(AHEAD);
        // A row alone arrives no sooner for it.
        self.glanced = ahead.len().saturating_sub(1) as u32;
        if ahead.len() < 2 {
            return;
        }
        for scheduled in ahead {
            match (scheduled.event, &self.plane) {
                (Event::Kube(event), Plane::Kubernetes(plane)) => {
                    plane.glance(event, &self.substrate);
                }
                (Event::Substrate(event), Plane::Kubernetes(plane)) => {
                    if let Some(owner) = self.substrate.glance(event) {
                        plane.glance_of(owner, &self.substrate);
                    }
                }
                _ => {}
            }
        }
    }

    fn sample_before(&mut self, at: SimTime) {
        if self.observer.wants_sample(at) {
            let moved = match &mut self.plane {
                Plane::Kubernetes(plane) if self.observer.has_changed() => plane.take_moved(),
                _ => Vec::new(),
            };
            self.observing(|observer, world| observer.sample_until(at, world, &moved));
        }
    }

    /// How many replicas of each workload serve, before a fault changes that.
    pub(super) fn served_before_fault(&mut self) -> Serving {
        self.observing(|observer, world| observer.before_fault(world))
    }

    /// Lets the observer, told of what happened to the machines since, look at everything else.
    fn observing<T>(&mut self, look: impl FnOnce(&mut Observer, &World) -> T) -> T {
        let mut observer = std::mem::take(&mut self.observer);
        if let Plane::Kubernetes(plane) = &self.plane {
            observer.stirred(self.substrate.stirred(), plane);
        }
        self.substrate.settle_stirred();
        let seen = look(&mut observer, self);
        self.observer = observer;
        seen
    }

    /// Handles the next event.
    ///
    /// # Panics
    /// If nothing is scheduled.
    pub fn step(&mut self) {
        let scheduled = self.queue.pop().expect("step needs a scheduled event");
        assert!(scheduled.at >= self.now, "time does not run backwards");
        self.now = scheduled.at;
        self.events += 1;
        if self.events.is_multiple_of(ROOM_EVERY) {
            room::keep();
        }
        self.run.fold(&(
            scheduled.at,
            scheduled.seq,
            scheduled.cause,
            scheduled.event,
        ));
        let act = self.next_act();
        self.dispatch(act, scheduled.event);
        self.settle(act, scheduled.cause);
    }

    fn next_act(&mut self) -> Seq {
        self.acts += 1;
        Seq(self.acts)
    }

    fn dispatch(&mut self, seq: Seq, event: Event) {
        match event {
            Event::Substrate(event) => {
                self.on_substrate(|substrate, scope| substrate.handle(event, scope));
            }
            Event::Kube(event) => {
                if let Plane::Kubernetes(plane) = &mut self.plane {
                    lend!(self, seq, kube, |context, out| plane
                        .handle(event, context, out));
                }
            }
            Event::Swarm(event) => {
                if let Plane::Swarm(plane) = &mut self.plane {
                    lend!(self, seq, swarm, |context, out| plane
                        .handle(event, context, out));
                }
            }
            Event::Compose(event) => {
                if let Plane::Compose(plane) = &mut self.plane {
                    lend!(self, seq, compose, |context, out| plane
                        .handle(event, context, out));
                }
            }
            Event::FaultBegins(number) => self.fault_begins(number),
            Event::Drain(number) => self.drain_again(number),
            Event::FaultEnds(number) => self.fault_ends(number),
        }
    }

    /// Carries out orders and upcalls until none is left, then schedules and notes.
    fn settle(&mut self, seq: Seq, cause: Seq) {
        loop {
            if let Some(order) = self.next_order() {
                self.on_substrate(|substrate, scope| substrate.order(order, scope));
            } else if let Some(upcall) = self.scratch.substrate.orders.pop_front() {
                self.upcall(seq, upcall);
            } else {
                break;
            }
        }
        let noted = if self.scratch.notices.is_empty() {
            cause
        } else {
            seq
        };
        for (delay, event) in self.scratch.after.drain(..) {
            self.queue.schedule(self.now + delay, noted, event);
        }
        let lacks = match &mut self.plane {
            Plane::Kubernetes(plane) => plane.lacks(),
            Plane::Swarm(plane) => plane.unmet() > 0,
            Plane::Compose(plane) => plane.unmet() > 0,
        };
        self.observer.distance(lacks, self.now);
        if self.scratch.notices.is_empty() {
            return;
        }
        let notices = std::mem::take(&mut self.scratch.notices);
        for notice in &notices {
            self.trace.push(Entry {
                at: self.now,
                seq,
                cause,
                notice: *notice,
            });
        }
        self.observer.change();
        if self.observer.looks_closely() {
            self.observing(|observer, world| observer.noted(&notices, seq, world));
        }
        self.scratch.notices = notices;
        self.scratch.notices.clear();
    }

    /// The next order of the plane that was not carried out yet.
    fn next_order(&mut self) -> Option<Order> {
        let scratch = &mut self.scratch;
        match self.plane {
            Plane::Kubernetes(_) => scratch.kube.orders.pop_front(),
            Plane::Swarm(_) => scratch.swarm.orders.pop_front(),
            Plane::Compose(_) => scratch.compose.orders.pop_front(),
        }
    }

    fn upcall(&mut self, seq: Seq, upcall: Upcall) {
        if let Upcall::Asks { container, .. } = upcall {
            self.answer_script(seq, container);
            return;
        }
        lend_any!(self, seq, |plane, context, out| plane
            .upcall(upcall, context, out));
    }

    /// Carries out one command now. A command is a cause of its own: it takes a sequence number.
    pub fn command(&mut self, command: &Command) -> Answer {
        let seq = self.next_act();
        self.run.fold(&(command, self.now, seq));
        let answer = self.carry_out(seq, command);
        self.settle(seq, Seq::default());
        answer
    }

    /// A request to the API server that the engine itself makes, within the present event.
    pub(super) fn kube_request(
        &mut self,
        request: &crate::kube::Request,
    ) -> Result<crate::kube::Response, crate::kube::Refusal> {
        let seq = Seq(self.acts);
        let Plane::Kubernetes(plane) = &mut self.plane else {
            unreachable!("asked of the Kubernetes world only")
        };
        lend!(self, seq, kube, |context, out| plane
            .request(request, context, out))
    }

    /// Lets the Kubernetes plane do something that the engine itself asks for, within the present
    /// event.
    pub(super) fn lend_kube(
        &mut self,
        act: impl FnOnce(&mut KubePlane, &mut Context<'_>, &mut PlaneOutbox<crate::kube::Event>),
    ) {
        let seq = self.act();
        if let Plane::Kubernetes(plane) = &mut self.plane {
            lend!(self, seq, kube, |context, out| act(plane, context, out));
        }
    }

    /// The same of a swarm.
    pub(super) fn lend_swarm(
        &mut self,
        act: impl FnOnce(&mut SwarmPlane, &mut Context<'_>, &mut PlaneOutbox<crate::swarm::Event>),
    ) {
        let seq = self.act();
        if let Plane::Swarm(plane) = &mut self.plane {
            lend!(self, seq, swarm, |context, out| act(plane, context, out));
        }
    }

    /// The number of the event or command in hand.
    pub(super) const fn act(&self) -> Seq {
        Seq(self.acts)
    }

    /// The machine of that name.
    pub fn machine(&self, name: &str) -> Option<MachineId> {
        let symbol = self.symbols.get(name)?;
        self.substrate.machine_by_name(symbol)
    }

    /// Leaves a trace line that the engine itself is the source of.
    pub(super) fn note(
        &mut self,
        source: &'static str,
        verb: &'static str,
        kind: &'static str,
        name: &str,
        detail: Detail,
    ) {
        let name = Name::plain(self.symbols.intern(name));
        self.scratch.notices.push(Notice {
            source,
            verb,
            subject: Subject { kind, name },
            detail,
            rule: None,
        });
    }

    /// Lets the machines do something and collects what follows.
    pub(super) fn on_substrate(&mut self, act: impl FnOnce(&mut Substrate, &mut Scope<'_>)) {
        let mut scope = Scope {
            now: self.now,
            seed: self.seed,
            symbols: &self.symbols,
            out: &mut self.scratch.substrate,
        };
        act(&mut self.substrate, &mut scope);
        let scratch = &mut self.scratch;
        gather(
            &mut scratch.substrate,
            (&mut scratch.after, &mut scratch.notices),
        );
    }

    /// Schedules one of the engine's own events after the present one.
    pub(super) fn schedule(&mut self, delay: SimDuration, event: Event) {
        self.scratch.after.push((delay, event));
    }

    /// Every workload's wanted and present state, in the plane's own order.
    pub fn workloads(&self) -> Vec<WorkloadStatus> {
        match &self.plane {
            Plane::Kubernetes(plane) => plane.workloads(&self.symbols),
            Plane::Swarm(plane) => plane.workloads(&self.symbols),
            Plane::Compose(plane) => plane.workloads(&self.symbols),
        }
    }

    /// Distance to the desired state; zero: converged.
    pub fn unmet(&self) -> u64 {
        match &self.plane {
            Plane::Kubernetes(plane) => plane.unmet(),
            Plane::Swarm(plane) => plane.unmet(),
            Plane::Compose(plane) => plane.unmet(),
        }
    }

    /// What stands in the way of a workload that is not as it is wanted, in the words of its
    /// orchestrator; `None`: nothing that anybody has noted.
    pub fn obstacle(&self) -> Option<(String, String)> {
        match &self.plane {
            Plane::Kubernetes(plane) => plane.obstacle(&self.symbols, self.now),
            Plane::Swarm(plane) => plane.obstacle(&self.symbols),
            Plane::Compose(plane) => plane.obstacle(&self.symbols),
        }
    }

    /// Component flags and their values.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        match &self.plane {
            Plane::Kubernetes(plane) => plane.settings(),
            Plane::Swarm(plane) => plane.settings(),
            Plane::Compose(plane) => plane.settings(),
        }
    }

    /// The kind that a person means in this world, as traces call it: `cm`, `configmaps` and
    /// `configmap` are one. What no kind is called is itself.
    pub fn trace_kind<'a>(&self, word: &'a str) -> &'a str {
        let plane = self.kube();
        plane
            .and_then(|plane| plane.store().kind_of_word(word))
            .map_or(word, |kind| crate::kube::apiserver::singular(kind))
    }

    /// `KIND/NAME` with the kind as traces call it; anything else is itself.
    pub fn trace_object(&self, object: &str) -> String {
        match object.split_once('/') {
            Some((kind, name)) => format!("{}/{name}", self.trace_kind(kind)),
            None => object.to_owned(),
        }
    }

    /// The Kubernetes plane, if this world runs it.
    pub fn kube(&self) -> Option<&KubePlane> {
        match &self.plane {
            Plane::Kubernetes(plane) => Some(plane),
            Plane::Swarm(_) | Plane::Compose(_) => None,
        }
    }

    /// The Swarm plane, if this world runs it.
    pub fn swarm(&self) -> Option<&SwarmPlane> {
        match &self.plane {
            Plane::Swarm(plane) => Some(plane),
            Plane::Kubernetes(_) | Plane::Compose(_) => None,
        }
    }

    /// The Compose plane, if this world runs it.
    pub fn compose(&self) -> Option<&ComposePlane> {
        match &self.plane {
            Plane::Compose(plane) => Some(plane),
            Plane::Kubernetes(_) | Plane::Swarm(_) => None,
        }
    }
}
