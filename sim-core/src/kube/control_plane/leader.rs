//! Who leads: processes that stand for a lease, renew it, lose it and end.
//! Source: `staging/src/k8s.io/client-go/tools/leaderelection/leaderelection.go`.

use crate::base::name::{Name, Rule};
use crate::base::time::{SimDuration, SimTime};
use crate::kube::store::events::Message;
use crate::kube::turn::Turn;
use crate::kube::{KubePlane, event};
use crate::substrate::net::link::STANDSTILLS_AHEAD;
use crate::substrate::order::MachineId;
use crate::substrate::{Context, PlaneOutbox, Substrate};

use super::{ControlPlane, Event, PROCESS_START, Part, Serving, State, lease, leases, note_rule};

impl ControlPlane {
    /// Whether a process can renew its lease in time, through the API server and the member on its own
    /// machine.
    fn renews(&self, part: Part, machines: &Substrate) -> bool {
        let leader = self.etcd_leader(machines);
        let place = self
            .process(part)
            .place
            .or(machines.control_machines().first().copied());
        let round = machines.wire(place, leader).delay + machines.wire(leader, place).delay;
        self.delay() + round < lease::RENEW_TIMEOUT
    }
}

impl KubePlane {
    /// As [`ControlPlane::renews`], and remembers it.
    pub(super) fn renews_now(&mut self, part: Part, ctx: &Context<'_>) -> bool {
        let renews = self.control_plane.renews(part, ctx.machines);
        self.control_plane.process_mut(part).expiring = !renews;
        renews
    }

    /// Plans anew what becomes of the leases of both.
    pub(super) fn plan_leases(&mut self, ctx: &Context<'_>, out: &mut PlaneOutbox<event::Event>) {
        for part in Part::ALL {
            self.plan_lease(part, ctx, out);
        }
    }

    /// Draws when a process that leads next cannot renew its lease because what its machine says to
    /// etcd's leader gets lost. One that is too slow anyway has its end already.
    pub(super) fn plan_lease(
        &mut self,
        part: Part,
        ctx: &Context<'_>,
        out: &mut PlaneOutbox<event::Event>,
    ) {
        let leader = self.control_plane.etcd_leader(ctx.machines);
        let first = ctx.machines.control_machines().first().copied();
        let process = self.control_plane.process_mut(part);
        if process.state != State::Leads || process.expiring {
            return;
        }
        process.expires = None;
        let ends = process.place.or(first).zip(leader);
        let Some(ends) = ends.filter(|(place, leader)| place != leader) else {
            return;
        };
        if !ctx.machines.shapes_links() {
            return;
        }
        let spans = (lease::RETRY, lease::RENEW_DEADLINE);
        let mut holds = ctx.machines.standstills(ends, spans, (ctx.seed, ctx.now));
        let lost = holds.next().map(|(from, _)| from);
        let at = lost.unwrap_or(ctx.now + STANDSTILLS_AHEAD);
        process.expires = Some(at);
        let event = Event::Unrenewed(part, lost.is_some());
        out.after(at.since(ctx.now), event::Event::ControlPlane(event));
    }

    /// Sees which processes cannot renew their leases, and which can again.
    pub(super) fn mind_leases(
        &mut self,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<event::Event>,
    ) {
        if self.control_plane.serving != Serving::Yes {
            return;
        }
        for part in Part::ALL {
            let process = self.control_plane.process(part);
            let (state, was_expiring) = (process.state, process.expiring);
            let ends = was_expiring && process.expires.is_some();
            let renews = self.renews_now(part, ctx);
            match state {
                State::Leads if !renews && !ends => {
                    let wait = lease::until_exit(&mut self.control_plane.stream(part.name(), ctx));
                    self.control_plane.process_mut(part).expires = Some(ctx.now + wait);
                    let event = Event::Unrenewed(part, true);
                    out.after(wait, event::Event::ControlPlane(event));
                }
                State::Leads if renews && was_expiring => self.plan_lease(part, ctx, out),
                State::Gone
                    if renews && was_expiring && self.control_plane.process(part).stopped == 0 =>
                {
                    self.stand_for(part, SimDuration::ZERO, ctx, out);
                }
                State::Leads | State::Gone | State::Stalled => {}
            }
        }
    }

    /// A lease was not renewed in time.
    pub(super) fn unrenewed(
        &mut self,
        part: Part,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<event::Event>,
    ) {
        let process = self.control_plane.process_mut(part);
        process.state = State::Stalled;
        let last = ctx
            .now
            .since(SimTime::ZERO)
            .saturating_sub(lease::RENEW_DEADLINE);
        process.quiet.get_or_insert(SimTime::ZERO + last);
        self.end_process(part, ctx, out);
        let has_heir = self.succeed(part, ctx, out);
        // Alone it stands for itself, when it can write again.
        if self.renews_now(part, ctx) && !has_heir {
            self.stand_for(part, PROCESS_START, ctx, out);
        }
    }

    /// A process ends, with all that it had in memory.
    pub(super) fn end_process(
        &mut self,
        part: Part,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<event::Event>,
    ) {
        let process = self.control_plane.process_mut(part);
        let why = (process.state == State::Stalled).then_some(Rule {
            key: "leader-elect-renew-deadline",
            value: lease::RENEW_DEADLINE,
        });
        process.state = State::Gone;
        process.quiet.get_or_insert(ctx.now);
        process.turn += 1;
        process.expires = None;
        process.held.clear();
        note_rule(part.name(), "exit", why, out, ctx);
    }

    /// A process that started anew asks for the lease, which the one before it still holds.
    pub(super) fn stand_for(
        &mut self,
        part: Part,
        start: SimDuration,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<event::Event>,
    ) {
        if self.control_plane.serving != Serving::Yes {
            return;
        }
        let wait = lease::until_fresh_leads(&mut self.control_plane.stream(part.name(), ctx));
        self.will_lead(part, start + wait, out);
    }

    /// Another instance on another control machine takes over when the lease has run out. Answers
    /// whether there is one.
    pub(super) fn succeed(
        &mut self,
        part: Part,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<event::Event>,
    ) -> bool {
        let plane = &mut self.control_plane;
        if plane.serving != Serving::Yes {
            return false;
        }
        let controls = ctx.machines.control_machines();
        let old = plane.process(part).place.or(controls.first().copied());
        let mut others = controls.iter().copied();
        let next =
            others.find(|machine| Some(*machine) != old && plane.serves(*machine, ctx.machines));
        let Some(next) = next else { return false };
        plane.process_mut(part).place = Some(next);
        let wait = lease::until_standby_leads(&mut plane.stream(part.name(), ctx));
        self.will_lead(part, wait, out);
        true
    }

    fn will_lead(&mut self, part: Part, wait: SimDuration, out: &mut PlaneOutbox<event::Event>) {
        let process = self.control_plane.process_mut(part);
        process.turn += 1;
        let event = Event::Leads(part, process.turn);
        out.after(wait, event::Event::ControlPlane(event));
    }

    /// A process has the lease: it starts its loops with empty memory.
    pub(super) fn lead(
        &mut self,
        part: Part,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<event::Event>,
    ) {
        let process = self.control_plane.process_mut(part);
        process.state = State::Leads;
        process.since = ctx.now;
        process.transitions += 1;
        process.quiet = None;
        let rule = Rule {
            key: "leader-elect-lease-duration",
            value: lease::DURATION,
        };
        note_rule(part.name(), "lead", Some(rule), out, ctx);
        let mut turn = Turn {
            store: &mut self.store,
            settings: &self.settings,
            ctx,
            out,
        };
        record_leader(part, self.control_plane.process(part).place, &mut turn);
        self.read_clocks(ctx, out);
        self.read_anew(part, ctx, out);
        self.plan_lease(part, ctx, out);
    }
}

/// `leader-election` Events. Source: `staging/src/k8s.io/client-go/tools/leaderelection/resourcelock`.
fn record_leader(part: Part, place: Option<MachineId>, turn: &mut Turn<'_, '_>) {
    let place = place.or(turn.ctx.machines.control_machines().first().copied());
    let row = place.and_then(|place| turn.ctx.machines.machine(place));
    if part == Part::Scheduler {
        turn.store.scheduler_host = row.map(|row| row.name);
    }
    let host = row.map_or("podium", |row| turn.ctx.symbols.text(row.name));
    let holder = leases::holder(turn.ctx.seed, host, part, turn.now());
    let text = format!("{holder} became leader");
    let namespace = turn.ctx.symbols.intern("kube-system");
    let name = Name::plain(turn.ctx.symbols.intern(part.name()));
    turn.normal(
        ("Lease", namespace, name),
        part.name(),
        "LeaderElection",
        Message::Text(text.into()),
    );
}
