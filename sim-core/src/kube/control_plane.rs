//! The control plane's own processes: API servers, etcd, the controller manager and the scheduler;
//! what fails of them and how they come back.
//!
//! Owns who serves and who leads. It knows no workload: a loop whose process is gone takes no event,
//! and one that starts reads everything anew. What runs on the machines without a control plane
//! follows from nobody being told anything: agents go on with what they knew, rules stay as they
//! were last written.
//!
//! ```text
//! API server gone ─▶ agents cut off ─▶ (10 s) leaders end: their leases are not renewed
//! back ─▶ agents list anew, one by one ─▶ (15 s) leases run out ─▶ leaders start with cold caches
//! ```
//! A sound control plane costs no event: leases that are renewed in time change nothing.
//! Estimate: one event per machine when the API server comes back, beside what controllers re-read.
//!
//! Not modelled: single API servers of several (a client reaches
//! any that serves), compaction and restores of etcd.

pub mod etcd;
mod leader;
pub mod lease;
pub mod leases;

use crate::base::arrange::Arrange;
use crate::base::name::{Name, Rule};
use crate::base::rng::{Stream, stable_hash_parts};
use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::symbol::Symbol;
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::{Detail, Notice, Subject};
use crate::substrate::order::{MachineId, Upcall};
use crate::substrate::{Context, PlaneOutbox, Substrate};

use super::apiserver::{Refusal, own_service};
use super::stale::Reader;
use super::turn::Turn;
use super::{KubePlane, event};

/// Time from the boot of a control machine until its static pods serve: the kubelet's start, etcd's
/// election, the API server's own start. Upstream gives no number.
const STATIC_PODS_START: SimDuration = SimDuration::from_secs(10);
/// Time after which etcd gives a request up: five seconds and two elections' time-outs.
/// Source: etcd `server/config/config.go` (`ReqTimeout`).
const ETCD_REQUEST_TIMEOUT: SimDuration = SimDuration::from_secs(7);
/// A commit that takes longer is warned of. Source: etcd `server/storage/wal/wal.go`
/// (`warnSyncDuration`).
const SLOW_SYNC: SimDuration = SimDuration::from_secs(1);
/// Time from the end of a process until its kubelet has started it again: the first restart has no
/// back-off. Upstream gives no number.
const PROCESS_START: SimDuration = SimDuration::from_secs(1);

/// A process that leads by a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// `kube-controller-manager`.
    ControllerManager,
    /// `kube-scheduler`.
    Scheduler,
}

impl Part {
    /// Both.
    pub const ALL: [Self; 2] = [Self::ControllerManager, Self::Scheduler];

    /// The program's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
        }
    }

    /// The part with this name.
    pub fn parse(name: &str) -> Option<Self> {
        let short = name.strip_prefix("kube-").unwrap_or(name);
        match short {
            "controller-manager" | "controllers" => Some(Self::ControllerManager),
            "scheduler" => Some(Self::Scheduler),
            _ => None,
        }
    }
}

/// What it schedules for itself. Numbers tell events that were overtaken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A control machine's static pods have come up.
    Serves(MachineId),
    /// A process that could not renew its lease ends.
    Exits(Part, u32),
    /// A process that lived through an outage has listed everything again.
    Resumes(Part, u32),
    /// A process has taken the lease.
    Leads(Part, u32),
    /// A process has not renewed its lease in time, or that is drawn anew.
    Unrenewed(Part, bool),
    /// An agent has listed its pods again.
    AgentReturns(MachineId, u32),
    /// A reader whose watch lags is told of some of what it missed.
    CacheSees(Reader),
    /// The API servers look after their own Service.
    OwnService,
    /// etcd has a leader.
    EtcdElects(MachineId, u32),
    /// Too few members hear etcd's leader, or that is drawn anew.
    EtcdUnheard(u32, bool),
}

const _: () = assert!(size_of::<Event>() <= 16);

/// What can be broken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// Every API server.
    ApiServers,
    /// The etcd member on a control machine.
    Member(MachineId),
    /// Commits of etcd take so much longer.
    Commit(SimDuration),
    /// Answers of every API server, and what watches are told, take so much longer.
    Answer(SimDuration),
    /// A process that leads, wherever it runs.
    Process(Part),
}

/// Whether requests are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Serving {
    #[default]
    Yes,
    /// Nobody listens.
    Refused,
    /// No more than half of etcd's members reach each other, or they are too slow to answer.
    NoQuorum,
}

/// How a leading process is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Leads,
    /// Runs and hears nothing.
    Stalled,
    /// Has ended; nobody leads.
    Gone,
}

/// A process that leads, and the events that wait for it.
#[derive(Clone, Debug, Default)]
struct Process {
    state: State,
    /// Faults that keep it from running.
    stopped: u32,
    /// Counts its states, so that events of an earlier one are known.
    turn: u32,
    /// The control machine that it leads from; none: the first.
    place: Option<MachineId>,
    /// It cannot renew its lease, or could not if it led.
    expiring: bool,
    /// When it will not have renewed its lease in time, or that is drawn anew, while it leads.
    expires: Option<SimTime>,
    /// When it took the lease.
    since: SimTime,
    /// How often the lease has changed hands.
    transitions: u32,
    /// When it renewed the lease last, or could have, if it does not any more.
    quiet: Option<SimTime>,
    held: Vec<event::Event>,
}

/// The control plane's processes.
#[derive(Clone, Debug, Default)]
pub struct ControlPlane {
    refused: u32,
    lost_members: SortedMap<MachineId, u32>,
    commits: Vec<SimDuration>,
    answers: Vec<SimDuration>,
    etcd: etcd::Etcd,
    /// How much longer a quorum takes to have a commit on disk because of links and disks.
    quorum: SimDuration,
    /// By how much the control machines' clocks differed at the last look, in microseconds.
    clocks_apart: u64,
    starting: SortedSet<MachineId>,
    /// When control machines were lost that have not come back.
    fallen: SortedMap<MachineId, SimTime>,
    /// The next look at the API servers' own Service, if it is to change something.
    look: Option<SimTime>,
    serving: Serving,
    /// When requests were last answered, while they are not.
    lost_at: SimTime,
    /// Counts outages.
    epoch: u32,
    controller_manager: Process,
    scheduler: Process,
    /// Machines that cannot reach the control plane for a reason of their own.
    cut: SortedSet<MachineId>,
    draws: u32,
}

impl ControlPlane {
    /// Why a request gets no answer from an API server, as clients print it.
    pub fn refusal(&self) -> Option<Refusal> {
        match self.serving {
            Serving::Yes => None,
            Serving::Refused => Some(Refusal::unreachable()),
            Serving::NoQuorum => Some(Refusal::internal("etcdserver: request timed out")),
        }
    }

    /// Keeps or drops an event whose process does not run. Returns it if it does.
    pub fn pass(&mut self, event: event::Event) -> Option<event::Event> {
        let process = match event {
            event::Event::Scheduler(_) => &mut self.scheduler,
            event::Event::NodeStatus(_)
            | event::Event::ProxySync
            | event::Event::PolicySync
            | event::Event::Kubelet(_)
            | event::Event::ControlPlane(_) => return Some(event),
            event::Event::Sync(_)
            | event::Event::CreatePod(_)
            | event::Event::DeletePod(_)
            | event::Event::PodAvailable(_)
            | event::Event::NodeCheck(_)
            | event::Event::MonitorTick
            | event::Event::EvictionTick
            | event::Event::TolerationEnds(_)
            | event::Event::PodGc
            | event::Event::DisruptionStale(_)
            | event::Event::AttachPass
            | event::Event::VolumeSync => &mut self.controller_manager,
        };
        match process.state {
            State::Leads => Some(event),
            State::Stalled => {
                process.held.push(event);
                None
            }
            State::Gone => None,
        }
    }

    /// How much longer a write takes on its way, and the news of it: etcd's part and the API
    /// server's.
    fn delay(&self) -> SimDuration {
        let longest =
            |list: &[SimDuration]| list.iter().copied().max().unwrap_or(SimDuration::ZERO);
        longest(&self.commits) + longest(&self.answers) + self.quorum + self.etcd.wait
    }

    const fn process(&self, part: Part) -> &Process {
        match part {
            Part::ControllerManager => &self.controller_manager,
            Part::Scheduler => &self.scheduler,
        }
    }

    const fn process_mut(&mut self, part: Part) -> &mut Process {
        match part {
            Part::ControllerManager => &mut self.controller_manager,
            Part::Scheduler => &mut self.scheduler,
        }
    }

    /// Whether requests would be answered, as things stand. A cluster whose control machines are
    /// not part of the experiment has a control plane elsewhere.
    fn look(&self, machines: &Substrate) -> Serving {
        if self.refused > 0 {
            return Serving::Refused;
        }
        let is_too_slow = self.etcd.stuck
            || self.quorum >= ETCD_REQUEST_TIMEOUT
            || self.etcd.wait >= ETCD_REQUEST_TIMEOUT
            || self
                .commits
                .iter()
                .any(|delay| *delay >= ETCD_REQUEST_TIMEOUT);
        let all = machines.control_machines();
        if all.is_empty() {
            return if is_too_slow {
                Serving::NoQuorum
            } else {
                Serving::Yes
            };
        }
        if !all.iter().any(|machine| self.serves(*machine, machines)) {
            return Serving::Refused;
        }
        if is_too_slow || self.candidates(machines).is_empty() {
            return Serving::NoQuorum;
        }
        Serving::Yes
    }

    /// Whether a control machine runs and its static pods have come up.
    fn serves(&self, machine: MachineId, machines: &Substrate) -> bool {
        machines.is_on(machine) && !self.starting.contains(&machine)
    }

    /// How much longer etcd's leader waits for a quorum to have a commit on disk, because of links and
    /// disks; all write at the same time.
    fn quorum_wait(&self, machines: &Substrate) -> SimDuration {
        let all = machines.control_machines();
        let leader = self.etcd_leader(machines);
        let wait = |member| {
            let round = machines.wire(leader, Some(member)).delay
                + machines.wire(Some(member), leader).delay;
            round + machines.sync_wait(member)
        };
        let members = self.members(machines);
        let mut waits: Vec<SimDuration> = members.into_iter().map(wait).collect();
        waits.arrange();
        let needed = waits.get(all.len() / 2);
        needed.copied().unwrap_or(SimDuration::ZERO)
    }

    /// A stream of random numbers for one wait.
    fn stream(&mut self, who: &str, ctx: &Context<'_>) -> Stream {
        self.draws += 1;
        Stream::new(
            ctx.seed,
            "control-plane",
            stable_hash_parts(&[who]),
            self.draws,
        )
    }
}

impl KubePlane {
    /// Breaks something of the control plane, or mends it.
    pub fn outage(
        &mut self,
        outage: Outage,
        on: bool,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<event::Event>,
    ) {
        let plane = &mut self.control_plane;
        match outage {
            Outage::ApiServers => plane.refused = count(plane.refused, on),
            Outage::Member(machine) => {
                let faults = count(plane.lost_members.get(&machine).copied().unwrap_or(0), on);
                if faults == 0 {
                    plane.lost_members.remove(&machine);
                } else {
                    plane.lost_members.insert(machine, faults);
                }
            }
            Outage::Commit(delay) => {
                if on {
                    plane.commits.push(delay);
                } else if let Some(at) = plane.commits.iter().position(|known| *known == delay) {
                    plane.commits.remove(at);
                }
                self.store.commit_delay = plane.delay();
            }
            Outage::Answer(delay) => {
                if on {
                    plane.answers.push(delay);
                } else if let Some(at) = plane.answers.iter().position(|known| *known == delay) {
                    plane.answers.remove(at);
                }
                self.store.commit_delay = plane.delay();
            }
            Outage::Process(part) if on => {
                let process = plane.process_mut(part);
                process.stopped += 1;
                if process.stopped == 1 {
                    self.end_process(part, ctx, out);
                    self.succeed(part, ctx, out);
                }
            }
            Outage::Process(part) => {
                let process = plane.process_mut(part);
                process.stopped = process.stopped.saturating_sub(1);
                if process.stopped == 0 && process.state == State::Gone {
                    self.stand_for(part, PROCESS_START, ctx, out);
                }
            }
        }
        self.look_again(ctx, out);
        self.tell(ctx, out);
    }

    /// Disks have become slower or faster, or clocks were turned.
    pub fn pace_changed(&mut self, ctx: &mut Context<'_>, out: &mut PlaneOutbox<event::Event>) {
        self.read_clocks(ctx, out);
        self.look_again(ctx, out);
        self.tell(ctx, out);
    }

    /// Links delay or lose packets otherwise than before.
    pub fn links_changed(&mut self, ctx: &mut Context<'_>, out: &mut PlaneOutbox<event::Event>) {
        self.control_plane.etcd.stuck = false;
        self.look_again(ctx, out);
        self.etcd_plan(ctx, out);
        self.plan_leases(ctx, out);
        self.tell(ctx, out);
    }

    /// Looks at the clocks of the control machines. Members of etcd warn of a peer whose clock differs.
    /// Source: etcd `server/etcdserver/api/rafthttp/probing_status.go`.
    fn read_clocks(&mut self, ctx: &mut Context<'_>, out: &mut PlaneOutbox<event::Event>) {
        const DRIFT_MAX_US: u64 = 1_000_000;
        let controls = ctx.machines.control_machines();
        let place = self.control_plane.process(Part::ControllerManager).place;
        let here = place.or(controls.first().copied());
        self.store.controllers_ahead = here.map_or(0, |machine| ctx.machines.clock_ahead(machine));
        let clocks = controls
            .iter()
            .map(|machine| ctx.machines.clock_ahead(*machine));
        let apart = clocks.clone().max().zip(clocks.min());
        let apart = apart.map_or(0, |(most, least)| most.abs_diff(least));
        let known = std::mem::replace(&mut self.control_plane.clocks_apart, apart);
        if apart > DRIFT_MAX_US && apart != known {
            let rule = Rule {
                key: "clock difference against peer",
                value: SimDuration::from_micros(apart),
            };
            note_rule("etcd", "clock-drift", Some(rule), out, ctx);
        }
    }

    /// Handles an event of the control plane's own.
    pub(super) fn handle_control_plane(
        &mut self,
        event: Event,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<event::Event>,
    ) {
        match event {
            Event::Serves(machine) => {
                self.control_plane.starting.remove(&machine);
                self.control_plane.fallen.remove(&machine);
                self.look_again(ctx, out);
                self.mind_own_service(ctx, out);
            }
            Event::Exits(part, turn) => {
                if self.is_turn(part, turn, State::Stalled) {
                    self.end_process(part, ctx, out);
                }
            }
            Event::Resumes(part, turn) => {
                if self.is_turn(part, turn, State::Stalled) {
                    let process = self.control_plane.process_mut(part);
                    process.state = State::Leads;
                    process.quiet = None;
                    for event in process.held.drain(..) {
                        out.after(SimDuration::ZERO, event);
                    }
                    note(part.name(), "resume", out, ctx);
                    self.mind_leases(ctx, out);
                    self.plan_lease(part, ctx, out);
                }
            }
            Event::Leads(part, turn) => {
                if self.is_turn(part, turn, State::Gone) && self.renews_now(part, ctx) {
                    self.lead(part, ctx, out);
                }
            }
            Event::Unrenewed(part, is_lost) => {
                let process = self.control_plane.process_mut(part);
                if process.expires != Some(ctx.now) {
                    return;
                }
                process.expires = None;
                if is_lost {
                    self.unrenewed(part, ctx, out);
                } else {
                    self.plan_lease(part, ctx, out);
                }
            }
            Event::EtcdElects(winner, turn) => self.etcd_elected(winner, turn, ctx, out),
            Event::EtcdUnheard(turn, lost) => self.etcd_unheard((turn, lost), ctx, out),
            Event::CacheSees(reader) => self.cache_sees(reader, ctx, out),
            Event::OwnService => self.keep_own_service(ctx, out),
            Event::AgentReturns(machine, epoch) => {
                let plane = &self.control_plane;
                if plane.epoch == epoch && !plane.cut.contains(&machine) {
                    self.link(machine, true, ctx, out);
                }
            }
        }
    }

    /// A machine reports: what concerns the control plane. Returns whether the agents hear of it.
    pub(super) fn upcall_control_plane(
        &mut self,
        upcall: Upcall,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<event::Event>,
    ) -> bool {
        let controls = ctx.machines.control_machines();
        match upcall {
            Upcall::ControlLink { machine, connected } => {
                if connected {
                    self.control_plane.cut.remove(&machine);
                } else {
                    self.control_plane.cut.insert(machine);
                }
                if controls.contains(&machine) {
                    self.look_again(ctx, out);
                }
                !connected || self.control_plane.serving == Serving::Yes
            }
            Upcall::MachineDown { machine } if controls.contains(&machine) => {
                self.control_plane.starting.remove(&machine);
                self.control_plane.fallen.insert(machine, ctx.now);
                let at = own_service::next_look(ctx.now + own_service::LEASE);
                let look = event::Event::ControlPlane(Event::OwnService);
                out.after(at.since(ctx.now), look);
                let first = controls.first().copied();
                self.look_again(ctx, out);
                for part in Part::ALL {
                    let process = self.control_plane.process(part);
                    let here = process.place.or(first) == Some(machine);
                    if here && process.state != State::Gone {
                        self.end_process(part, ctx, out);
                        self.succeed(part, ctx, out);
                    }
                }
                true
            }
            Upcall::MachineUp { machine } if controls.contains(&machine) => {
                self.control_plane.starting.insert(machine);
                let event = event::Event::ControlPlane(Event::Serves(machine));
                out.after(STATIC_PODS_START, event);
                true
            }
            _ => true,
        }
    }

    fn is_turn(&self, part: Part, turn: u32, state: State) -> bool {
        let process = self.control_plane.process(part);
        process.turn == turn && process.state == state
    }

    /// Sees whether requests are answered now, and what follows if that has changed.
    fn look_again(&mut self, ctx: &mut Context<'_>, out: &mut PlaneOutbox<event::Event>) {
        self.etcd_check(ctx, out);
        let quorum = self.control_plane.quorum_wait(ctx.machines);
        let slow = |wait: SimDuration| wait >= SLOW_SYNC;
        if quorum != self.control_plane.quorum {
            let before = std::mem::replace(&mut self.control_plane.quorum, quorum);
            self.store.commit_delay = self.control_plane.delay();
            if slow(quorum) && !slow(before) {
                let rule = Rule {
                    key: "slow commit",
                    value: quorum,
                };
                note_rule("etcd", "slow", Some(rule), out, ctx);
            }
        }
        let now = self.control_plane.look(ctx.machines);
        let before = std::mem::replace(&mut self.control_plane.serving, now);
        match (before, now) {
            (Serving::Yes, Serving::Refused | Serving::NoQuorum) => {
                let verb = if now == Serving::Refused {
                    "down"
                } else {
                    "no-quorum"
                };
                let who = if now == Serving::Refused {
                    "kube-apiserver"
                } else {
                    "etcd"
                };
                note(who, verb, out, ctx);
                self.lost(ctx, out);
            }
            (Serving::Refused | Serving::NoQuorum, Serving::Yes) => {
                note("kube-apiserver", "serve", out, ctx);
                self.found(ctx, out);
                self.mind_own_service(ctx, out);
            }
            (Serving::Yes, Serving::Yes)
            | (Serving::Refused | Serving::NoQuorum, Serving::Refused | Serving::NoQuorum) => {}
        }
        self.mind_leases(ctx, out);
    }

    /// Whether a control machine is among the addresses of the API servers' own Service.
    fn is_listed(&self, machine: MachineId, ctx: &Context<'_>) -> bool {
        let plane = &self.control_plane;
        let lasts = |lost: &SimTime| ctx.now < *lost + own_service::LEASE;
        plane.serves(machine, ctx.machines) || plane.fallen.get(&machine).is_some_and(lasts)
    }

    /// Sees whether the API servers' own Service is as it should be, and when they look next.
    pub(super) fn mind_own_service(
        &mut self,
        ctx: &Context<'_>,
        out: &mut PlaneOutbox<event::Event>,
    ) {
        let next = own_service::next_look(ctx.now);
        let plane = &self.control_plane;
        if plane.serving == Serving::Yes
            && plane.look != Some(next)
            && own_service::is_due(
                |machine| self.is_listed(machine, ctx),
                &self.store,
                ctx.machines,
            )
        {
            self.control_plane.look = Some(next);
            let event = event::Event::ControlPlane(Event::OwnService);
            out.after(next.since(ctx.now), event);
        }
    }

    fn keep_own_service(&mut self, ctx: &mut Context<'_>, out: &mut PlaneOutbox<event::Event>) {
        if self.control_plane.serving != Serving::Yes {
            return;
        }
        let controls = ctx.machines.control_machines().iter().copied();
        let listed: SortedSet<MachineId> = controls
            .filter(|machine| self.is_listed(*machine, ctx))
            .collect();
        let mut turn = Turn {
            store: &mut self.store,
            settings: &self.settings,
            ctx,
            out,
        };
        own_service::sync(|machine| listed.contains(&machine), &mut turn);
    }

    /// Nobody is answered any more.
    fn lost(&mut self, ctx: &mut Context<'_>, out: &mut PlaneOutbox<event::Event>) {
        self.control_plane.epoch += 1;
        self.control_plane.lost_at = ctx.now;
        let machines: Vec<MachineId> = ctx.machines.machines().map(|(id, _)| id).collect();
        for machine in machines {
            self.link(machine, false, ctx, out);
        }
        for part in Part::ALL {
            let wait = lease::until_exit(&mut self.control_plane.stream(part.name(), ctx));
            let process = self.control_plane.process_mut(part);
            process.turn += 1;
            process.expires = None;
            if process.state == State::Leads {
                process.state = State::Stalled;
                process.quiet.get_or_insert(ctx.now);
                let event = Event::Exits(part, process.turn);
                out.after(wait, event::Event::ControlPlane(event));
            }
        }
    }

    /// Everybody is answered again; each hears of it at its own next try.
    fn found(&mut self, ctx: &mut Context<'_>, out: &mut PlaneOutbox<event::Event>) {
        self.control_plane.epoch += 1;
        let (epoch, lost_at) = (self.control_plane.epoch, self.control_plane.lost_at);
        let outage = ctx.now.since(lost_at);
        for (machine, row) in ctx.machines.machines() {
            let host = ctx.symbols.text(row.name).to_owned();
            let wait = lease::until_list(&mut self.control_plane.stream(&host, ctx), outage);
            let event = Event::AgentReturns(machine, epoch);
            out.after(wait, event::Event::ControlPlane(event));
        }
        for part in Part::ALL {
            match self.control_plane.process(part).state {
                State::Stalled => {
                    let mut stream = self.control_plane.stream(part.name(), ctx);
                    let wait = lease::until_list(&mut stream, outage);
                    let process = self.control_plane.process_mut(part);
                    process.turn += 1;
                    let event = Event::Resumes(part, process.turn);
                    out.after(wait, event::Event::ControlPlane(event));
                }
                State::Gone if self.control_plane.process(part).stopped == 0 => {
                    self.stand_for(part, SimDuration::ZERO, ctx, out);
                }
                State::Gone | State::Leads => {}
            }
        }
    }

    /// A process lists everything: what it knew does not count.
    pub(super) fn read_anew(
        &mut self,
        part: Part,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<event::Event>,
    ) {
        self.stale.renewed(part, self.store.revision());
        let mut turn = Turn {
            store: &mut self.store,
            settings: &self.settings,
            ctx,
            out,
        };
        match part {
            Part::ControllerManager => {
                self.heartbeats.watch_anew(&mut turn);
                self.controllers.restart(&mut turn);
                self.volumes.restart(&mut turn);
                self.attach.restart(&mut turn);
            }
            Part::Scheduler => self.scheduler.restart(turn.store, turn.out),
        }
    }

    /// Tells a machine's agents that they reach the API server, or do not.
    fn link(
        &mut self,
        machine: MachineId,
        connected: bool,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<event::Event>,
    ) {
        let upcall = Upcall::ControlLink { machine, connected };
        let mut turn = Turn {
            store: &mut self.store,
            settings: &self.settings,
            ctx,
            out,
        };
        self.heartbeats.upcall(upcall, &mut turn);
        self.kubelets.upcall(upcall, &mut self.store, ctx, out);
    }
}

const fn count(faults: u32, on: bool) -> u32 {
    if on {
        faults + 1
    } else {
        faults.saturating_sub(1)
    }
}

fn note(who: &str, verb: &'static str, out: &mut PlaneOutbox<event::Event>, ctx: &mut Context<'_>) {
    note_rule(who, verb, None, out, ctx);
}

fn note_rule(
    who: &str,
    verb: &'static str,
    rule: Option<Rule>,
    out: &mut PlaneOutbox<event::Event>,
    ctx: &mut Context<'_>,
) {
    let name: Symbol = ctx.symbols.intern(who);
    out.notice(Notice {
        source: "kube.control-plane",
        verb,
        subject: Subject {
            kind: "process",
            name: Name::plain(name),
        },
        detail: Detail::None,
        rule,
    });
}
