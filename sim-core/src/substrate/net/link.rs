//! Who reaches whom.
//!
//! Machines that every rule about links treats alike form a *side*: a small number. Side 0 is named
//! by no rule. All questions are asked of sides, so their cost does not grow with the machines. A
//! partition is a way on which every packet is lost.
//!
//! A way that loses packets now and then loses so many in a row that callers give up: then the
//! machine is cut off until a packet comes through. The next such time is drawn ahead.

use crate::base::arrange::Arrange;
use crate::base::name::{Name, Rule as Reason};
use crate::base::rng::{Seed, Stream};
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::{Detail, Notice, Subject};
use crate::substrate::load::PATIENCE;
use crate::substrate::order::{MachineId, SandboxId, Upcall};
use crate::substrate::rule::{Rule, Side};
use crate::substrate::{Event, Scope, Substrate};

use super::wire::{WHOLE, Wire};

/// An agent says something at least this often. Source: swarmkit `manager/dispatcher/dispatcher.go`
/// (DefaultHeartBeatPeriod); a kubelet renews its lease every ten seconds and speaks of its pods
/// between.
const WORD_PERIOD: SimDuration = SimDuration::from_secs(5);
/// Silence after which a caller gives up. Source: swarmkit `agent/session.go` (dispatcherRPCTimeout);
/// a kubelet's renewal waits for ten seconds.
const CALL_PATIENCE: SimDuration = SimDuration::from_secs(5);
/// How many words are drawn ahead: an hour's.
const WORDS_AHEAD: u64 = 720;
/// How far ahead standstills are drawn.
pub const STANDSTILLS_AHEAD: SimDuration = SimDuration::from_minutes(60);

/// Where the rules put somebody, in the order of their ids: 0 on no side, else 1 or 2.
type Place = Vec<u8>;

/// What a rule does to packets between its two sides; without a second one, to those that leave the
/// first.
#[derive(Clone, Copy, Debug)]
struct Shaped {
    wire: Wire,
    both: bool,
}

/// The sides that the rules in force make.
#[derive(Clone, Debug)]
pub struct Sides {
    /// By side's number; side 0 is on no side of anything.
    places: Vec<Place>,
    users: Place,
    shaped: Vec<Shaped>,
    /// Groups of machines that requests enter at alike.
    pub(super) groups: Vec<EntryGroup>,
}

/// Machines that are alike for requests that enter there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EntryGroup {
    pub(super) side: u16,
    /// As in the machine's row.
    pub(super) frozen_at: Option<u64>,
    /// How many of them run.
    pub(super) powered: u32,
}

impl Default for Sides {
    fn default() -> Self {
        Self {
            places: vec![Vec::new()],
            users: Vec::new(),
            shaped: Vec::new(),
            groups: Vec::new(),
        }
    }
}

impl Sides {
    /// Number of sides.
    pub(super) fn count(&self) -> usize {
        self.places.len()
    }

    /// Whether connections between the two sides live.
    pub fn reach(&self, a: u16, b: u16) -> bool {
        a == b || self.open(&self.places[usize::from(a)], &self.places[usize::from(b)])
    }

    /// Whether users reach the machines of a side.
    pub fn users_reach(&self, side: u16) -> bool {
        self.open(&self.users, &self.places[usize::from(side)])
    }

    fn open(&self, a: &[u8], b: &[u8]) -> bool {
        self.wire(a, b).connects(self.wire(b, a))
    }

    /// What happens to packets on their way.
    fn wire(&self, from: &[u8], to: &[u8]) -> Wire {
        let mut all = Wire::default();
        for (at, shaped) in self.shaped.iter().enumerate() {
            let mark = |place: &[u8]| place.get(at).copied().unwrap_or(0);
            let (from, to) = (mark(from), mark(to));
            if from == 1 && (!shaped.both || to == 2) || shaped.both && from == 2 && to == 1 {
                all = all.plus(shaped.wire);
            }
        }
        all
    }

    /// The way there and back of requests that enter at one side and are answered on another.
    fn round(&self, entry: u16, backend: u16, users: bool) -> (Wire, Wire) {
        let (mut there, mut back) = (Wire::default(), Wire::default());
        let entry_place = &self.places[usize::from(entry)];
        if entry != backend {
            let backend = &self.places[usize::from(backend)];
            there = self.wire(entry_place, backend);
            back = self.wire(backend, entry_place);
        }
        if users {
            there = there.plus(self.wire(&self.users, entry_place));
            back = back.plus(self.wire(entry_place, &self.users));
        }
        (there, back)
    }

    /// Of requests that enter at one side, the share that another side's backends get to answer, in
    /// millionths.
    pub(super) fn pass(&self, entry: u16, backend: u16, users: bool) -> u64 {
        if self.shaped.is_empty() {
            return u64::from(WHOLE);
        }
        if !self.reach(entry, backend) {
            return 0;
        }
        let (there, back) = self.round(entry, backend, users);
        there.answered(back, PATIENCE)
    }
}

impl Substrate {
    /// Whether packets pass between two running machines.
    pub fn reachable(&self, a: MachineId, b: MachineId) -> bool {
        match (self.machines.get(a), self.machines.get(b)) {
            (Some(a), Some(b)) => a.is_on() && b.is_on() && self.sides.reach(a.side, b.side),
            (None, _) | (_, None) => false,
        }
    }

    /// Whether packets pass between the sandboxes of two running machines: those of a bridge never
    /// leave it.
    pub fn connects(&self, a: MachineId, b: MachineId) -> bool {
        a == b || self.reachable(a, b) && self.crosses(a) && self.crosses(b)
    }

    /// Whether a machine's sandboxes are joined to other machines'.
    pub fn crosses(&self, machine: MachineId) -> bool {
        self.machines
            .get(machine)
            .and_then(|row| row.profile.network)
            .is_none_or(|kind| kind.driver().crosses)
    }

    /// Whether users' packets reach a running machine.
    pub fn users_reach(&self, machine: MachineId) -> bool {
        self.machines
            .get(machine)
            .is_some_and(|row| row.is_on() && self.sides.users_reach(row.side))
    }

    /// Whether a running machine can talk to a running control machine. Without control machines
    /// in the world, always.
    pub fn control_reachable(&self, machine: MachineId) -> bool {
        let Some(row) = self.machines.get(machine) else {
            return false;
        };
        row.is_on()
            && !row.is_mute
            && !row.is_distrusted
            && (self.controls.is_empty()
                || self
                    .controls
                    .iter()
                    .any(|control| self.reachable(machine, *control)))
    }

    /// What happens to packets from one machine to another; none: somewhere outside.
    pub fn wire(&self, from: Option<MachineId>, to: Option<MachineId>) -> Wire {
        if self.sides.shaped.is_empty() || from == to {
            return Wire::default();
        }
        let place = |machine: Option<MachineId>| {
            let row = machine.and_then(|machine| self.machines.get(machine));
            row.map_or(&[][..], |row| &self.sides.places[usize::from(row.side)])
        };
        self.sides.wire(place(from), place(to))
    }

    /// How much longer a message that is sent now takes between two machines.
    pub fn transit(
        &self,
        from: Option<MachineId>,
        to: Option<MachineId>,
        (seed, now): (Seed, SimTime),
    ) -> SimDuration {
        let wire = self.wire(from, to);
        if wire.is_clear() {
            return SimDuration::ZERO;
        }
        let key = |machine: Option<MachineId>| {
            let row = machine.and_then(|machine| self.machines.get(machine));
            row.map_or(0, |row| row.stable_key)
        };
        let key = key(from) ^ key(to).rotate_left(1) ^ now.as_micros().rotate_left(20);
        let mut stream = Stream::new(seed, "link", key, 0);
        wire.transit(self.wire(to, from), &mut stream)
    }

    /// Whether any rule about links is in force.
    pub fn shapes_links(&self) -> bool {
        !self.sides.shaped.is_empty()
    }

    /// How much longer an agent's messages take to the control plane when none gets lost.
    pub fn delay_to_control(&self, machine: MachineId) -> SimDuration {
        if self.sides.shaped.is_empty() {
            return SimDuration::ZERO;
        }
        self.wire(Some(machine), self.control_of(machine)).delay
    }

    /// The control machine that a machine's agent talks to: itself, or the first that it reaches;
    /// none: outside.
    fn control_of(&self, machine: MachineId) -> Option<MachineId> {
        let mut controls = self.controls.iter().copied();
        if self.controls.contains(&machine) {
            return Some(machine);
        }
        controls.find(|control| self.reachable(machine, *control))
    }

    /// How much longer an agent's message takes to the control plane.
    pub fn to_control(&self, machine: MachineId, luck: (Seed, SimTime)) -> SimDuration {
        if self.sides.shaped.is_empty() {
            return SimDuration::ZERO;
        }
        self.transit(Some(machine), self.control_of(machine), luck)
    }

    /// How much longer the control plane's message takes to an agent.
    pub fn from_control(&self, machine: MachineId, luck: (Seed, SimTime)) -> SimDuration {
        if self.sides.shaped.is_empty() {
            return SimDuration::ZERO;
        }
        self.transit(self.control_of(machine), Some(machine), luck)
    }

    /// Within which time of the world the control plane's certificates are valid.
    pub fn set_certificates(&mut self, from: SimTime, until: SimTime) {
        self.certificates = Some((from.signed_micros(), until.signed_micros()));
    }

    /// A machine's agent makes a new connection: are the certificates valid by its own clock? If they
    /// are not yet, it looks again when they will be.
    fn check_certificates(&mut self, machine: MachineId, scope: &mut Scope<'_>) {
        let clock = self.wall(machine, scope.now).signed_micros();
        let (from, until) = self.certificates.unwrap_or((i64::MIN, i64::MAX));
        let row = &mut self.machines[machine];
        row.is_distrusted =
            !(from..=until).contains(&clock) && !row.control && !row.clock.is_empty();
        if row.is_distrusted && clock < from && row.trust_due.is_none_or(|due| due <= scope.now) {
            let wait = SimDuration::from_micros(clock.abs_diff(from));
            row.trust_due = Some(scope.now + wait);
            scope.out.after(wait, Event::Trust { machine });
        }
    }

    /// A machine's clock was turned, or certificates become valid by it: one that was refused for it
    /// tries again.
    pub(in crate::substrate) fn clock_turned(&mut self, machine: MachineId, scope: &mut Scope<'_>) {
        let Some(row) = self.machines.get_mut(machine) else {
            return;
        };
        row.trust_due = None;
        if row.is_distrusted && self.refresh_link(machine, None, scope) {
            self.regroup();
        }
    }

    /// How much longer a request to a machine takes with its connection, on average over the
    /// machines at which requests enter.
    pub(in crate::substrate) fn way_us(&self, machine: MachineId) -> u64 {
        let Some(side) = self.machines.get(machine).map(|row| row.side) else {
            return 0;
        };
        if self.sides.shaped.is_empty() {
            return 0;
        }
        let (mut sum, mut entries) = (0, 0);
        for group in &self.sides.groups {
            let (there, back) = self.sides.round(group.side, side, true);
            if there.connects(back) {
                sum += 2 * (there.delay + back.delay).as_micros() * u64::from(group.powered);
                entries += u64::from(group.powered);
            }
        }
        sum.checked_div(entries).unwrap_or(0)
    }

    /// What happens to the packets that a sandbox sends, and their luck.
    pub(in crate::substrate) fn sandbox_wire(&self, sandbox: SandboxId) -> (Wire, u64) {
        let mut all = (Wire::default(), 0);
        for rule in self.rules.values() {
            if let Rule::ShapeSandbox {
                sandbox: of,
                wire,
                luck,
            } = rule.as_ref()
                && *of == sandbox
            {
                all = (all.0.plus(*wire), all.1 ^ luck);
            }
        }
        all
    }

    /// Brings a sandbox's probes up to now: what it sends is about to take another time.
    pub(in crate::substrate) fn before_shaping(&mut self, rule: &Rule, now: SimTime) {
        if let Rule::ShapeSandbox { sandbox, .. } = rule
            && self.sandboxes.contains(*sandbox)
        {
            let containers: Vec<_> = self.containers_in(*sandbox).map(|(id, _)| id).collect();
            for container in containers {
                self.catch_up_probes(container, now);
            }
        }
    }

    /// What a sandbox sends takes another time from now on.
    pub(in crate::substrate) fn sandbox_shaped(
        &mut self,
        sandbox: SandboxId,
        scope: &mut Scope<'_>,
    ) {
        if !self.sandboxes.contains(sandbox) {
            return;
        }
        let containers: Vec<_> = self.containers_in(sandbox).map(|(id, _)| id).collect();
        for container in containers {
            self.plan_probes(container, scope);
        }
        self.serving_changed(sandbox, scope);
    }

    /// Draws when a machine's next words to the control plane get lost so often that its agent's
    /// callers give up.
    pub(in crate::substrate) fn plan_silence(&mut self, machine: MachineId, scope: &mut Scope<'_>) {
        let control = self.control_of(machine);
        let wire = self.wire(Some(machine), control);
        let back = self.wire(control, Some(machine));
        let row = &self.machines[machine];
        if wire.loss == 0 || !wire.connects(back) || !row.is_on() {
            if row.silence_due != SimTime::MAX || row.is_mute {
                let row = &mut self.machines[machine];
                (row.silence_due, row.is_mute) = (SimTime::MAX, false);
            }
            return;
        }
        if row.is_mute && row.silence_due > scope.now {
            // Its timers run on, whatever becomes of other links.
            return;
        }
        let key = row.stable_key;
        let first = scope.now.as_micros() / WORD_PERIOD.as_micros() + 1;
        let mut due = SimTime::ZERO + WORD_PERIOD * (first + WORDS_AHEAD);
        let mut held = SimDuration::ZERO;
        for word in first..first + WORDS_AHEAD {
            let draw = u32::try_from(word).unwrap_or(u32::MAX);
            let mut stream = Stream::new(scope.seed, "link silence", key, draw);
            held = wire.held_up(back, &mut stream);
            if held >= CALL_PATIENCE {
                due = SimTime::ZERO + WORD_PERIOD * word;
                break;
            }
            held = SimDuration::ZERO;
        }
        let row = &mut self.machines[machine];
        let planned = std::mem::replace(&mut row.silence_due, due);
        (row.is_mute, row.silence) = (false, held);
        if planned != due {
            let wait = due.since(scope.now);
            scope.out.after(wait, Event::Silence { machine });
        }
    }

    /// When, within [`STANDSTILLS_AHEAD`], words from one machine to another, one in each period, do not come for
    /// longer than somebody waits, because packets get lost: from the end of the patience until one comes.
    pub fn standstills(
        &self,
        (from, to): (MachineId, MachineId),
        (period, patience): (SimDuration, SimDuration),
        (seed, now): (Seed, SimTime),
    ) -> impl Iterator<Item = (SimTime, SimTime)> + use<> {
        let (wire, back) = (
            self.wire(Some(from), Some(to)),
            self.wire(Some(to), Some(from)),
        );
        let key = |machine| {
            self.machine(machine)
                .map_or(0, |row: &crate::substrate::machine::Machine| row.stable_key)
        };
        let key = key(from) ^ key(to).rotate_left(1);
        let period_us = period.as_micros().max(1);
        let mut word = now.as_micros() / period_us + 1;
        let mut end = word + STANDSTILLS_AHEAD.as_micros() / period_us;
        if wire.loss == 0 || !wire.connects(back) {
            end = word;
        }
        std::iter::from_fn(move || {
            while word < end {
                let draw = u32::try_from(word).unwrap_or(u32::MAX);
                let mut stream = Stream::new(seed, "heartbeats", key, draw);
                let held = wire.held_up(back, &mut stream);
                let at = SimTime::ZERO + period * word;
                // What was said behind it comes with it.
                word += 1 + held.as_micros() / period_us;
                if held >= patience {
                    return Some((at + patience, at + held));
                }
            }
            None
        })
    }

    /// A machine's words begin to get lost, or one comes through again.
    pub(in crate::substrate) fn silence_due(&mut self, machine: MachineId, scope: &mut Scope<'_>) {
        let Some(row) = self.machines.get_mut(machine) else {
            return;
        };
        if row.silence_due != scope.now {
            return;
        }
        let held = std::mem::replace(&mut row.silence, SimDuration::ZERO);
        if held.is_zero() {
            self.plan_silence(machine, scope);
        } else {
            row.is_mute = true;
            row.silence_due = scope.now + held;
            scope.out.after(held, Event::Silence { machine });
        }
        let reason = Reason {
            key: "TCP retransmissions",
            value: held,
        };
        if self.refresh_link(machine, (!held.is_zero()).then_some(reason), scope) {
            self.regroup();
        }
    }

    /// Works out the sides anew: the rules in force have changed.
    pub(in crate::substrate) fn links_changed(&mut self, scope: &mut Scope<'_>) {
        let mut rules = 0_usize;
        self.sides.users.clear();
        self.sides.shaped.clear();
        let nobody = Side::default();
        let mut places: Vec<Place> = vec![Vec::new(); self.machines.capacity_slots() as usize];
        for rule in self.rules.values() {
            let (a, b, wire) = match rule.as_ref() {
                Rule::Partition { a, b } => (a, Some(b), Wire::CUT),
                Rule::Shape { a, b, wire } => (a, b.as_ref(), *wire),
                Rule::ShapeSandbox { .. }
                | Rule::DiskSlow { .. }
                | Rule::RegistryDown
                | Rule::RegistrySlow { .. }
                | Rule::ImageMissing { .. } => continue,
            };
            rules += 1;
            self.sides.shaped.push(Shaped {
                wire,
                both: b.is_some(),
            });
            for (mark, side) in [(1, a), (2, b.unwrap_or(&nobody))] {
                for machine in side
                    .machines
                    .iter()
                    .filter(|machine| self.machines.contains(**machine))
                {
                    let place = &mut places[machine.slot() as usize];
                    place.resize(rules, 0);
                    // Whoever is on both sides is cut off from both by the first mark alone.
                    if place[rules - 1] == 0 {
                        place[rules - 1] = mark;
                    }
                }
                if side.users {
                    self.sides.users.resize(rules, 0);
                    self.sides.users[rules - 1] = mark;
                }
            }
        }
        self.sides.places = vec![Vec::new()];
        for slot in 0..self.machines.capacity_slots() {
            let Some(machine) = self.machines.id_at(slot) else {
                continue;
            };
            let place = &places[slot as usize];
            let known = self.sides.places.iter().position(|known| known == place);
            let number = known.unwrap_or_else(|| {
                self.sides.places.push(place.clone());
                self.sides.places.len() - 1
            });
            let side = u16::try_from(number).expect("rules are few");
            if self.machines[machine].side != side {
                self.machines[machine].side = side;
            }
        }
        for slot in 0..self.machines.capacity_slots() {
            if let Some(machine) = self.machines.id_at(slot) {
                self.plan_silence(machine, scope);
            }
        }
        self.recount_members();
        self.refresh_control_links(scope);
        self.regroup();
        // Several control machines may have lost or found each other; their plane looks for itself.
        if self.controls.len() > 1 {
            for machine in self.controls.clone() {
                if self.machines.get(machine).is_some_and(|row| row.is_on()) {
                    scope.out.order(Upcall::ControlLink {
                        machine,
                        connected: true,
                    });
                }
            }
        }
    }

    /// Tells planes whose machines' way to the control plane has changed.
    pub(in crate::substrate) fn refresh_control_links(&mut self, scope: &mut Scope<'_>) {
        let mut changed = false;
        for slot in 0..self.machines.capacity_slots() {
            if let Some(machine) = self.machines.id_at(slot) {
                changed |= self.refresh_link(machine, None, scope);
            }
        }
        if changed {
            self.regroup();
        }
    }

    /// As [`Self::refresh_control_links`], for one machine that has just booted.
    pub(in crate::substrate) fn refresh_control_link(
        &mut self,
        machine: MachineId,
        booted: bool,
        scope: &mut Scope<'_>,
    ) {
        self.plan_silence(machine, scope);
        self.check_certificates(machine, scope);
        let ahead = self.clock_ahead(machine).unsigned_abs();
        let rule = self.machines[machine].is_distrusted.then_some(Reason {
            key: "certificate has expired or is not yet valid; clock off by",
            value: SimDuration::from_micros(ahead),
        });
        if self.refresh_link(machine, rule, scope) {
            if booted {
                // It has no rules at all and cannot get any.
                self.machines[machine].frozen_at = Some(0);
            }
            self.regroup();
        }
    }

    fn refresh_link(
        &mut self,
        machine: MachineId,
        rule: Option<Reason>,
        scope: &mut Scope<'_>,
    ) -> bool {
        if !self.machines[machine].connected {
            // A connection that stands is not asked again.
            self.check_certificates(machine, scope);
        }
        let connected = self.control_reachable(machine);
        let row = &self.machines[machine];
        if !row.is_on() || row.connected == connected {
            return false;
        }
        let name = row.name;
        let revision = self.revision;
        let row = &mut self.machines[machine];
        row.connected = connected;
        row.frozen_at = if connected { None } else { Some(revision) };
        scope.out.notice(Notice {
            source: "substrate.link",
            verb: if connected { "joined" } else { "cut" },
            subject: Subject {
                kind: "node",
                name: Name::plain(name),
            },
            detail: Detail::None,
            rule,
        });
        scope.out.order(Upcall::ControlLink { machine, connected });
        true
    }

    /// Counts the groups of machines anew.
    pub(super) fn regroup(&mut self) {
        let mut groups: Vec<EntryGroup> = Vec::new();
        for row in self.machines.rows().filter(|row| row.is_on()) {
            match groups
                .iter_mut()
                .find(|group| group.side == row.side && group.frozen_at == row.frozen_at)
            {
                Some(group) => group.powered += 1,
                None => groups.push(EntryGroup {
                    side: row.side,
                    frozen_at: row.frozen_at,
                    powered: 1,
                }),
            }
        }
        groups.arrange_by_key(|group| (group.side, group.frozen_at));
        self.sides.groups = groups;
        self.drop_unused_versions();
        self.touch_all();
    }

    /// A machine was turned on or off. While all are alike, that moves no share, save at the first
    /// and the last.
    pub(in crate::substrate) fn count_power(&mut self, machine: MachineId, on: bool) {
        let row = &self.machines[machine];
        let alike = row.side == 0 && row.frozen_at.is_none();
        match self.sides.groups.as_mut_slice() {
            [group] if alike && group.side == 0 && group.frozen_at.is_none() => {
                group.powered = if on {
                    group.powered + 1
                } else {
                    group.powered - 1
                };
                let is_edge = group.powered <= u32::from(on);
                if is_edge {
                    self.touch_all();
                } else {
                    self.touch_entries_of(machine);
                }
            }
            _ => self.regroup(),
        }
    }

    /// Counts everything anew that is otherwise kept up to date: the oracle of the tests.
    #[cfg(test)]
    pub(in crate::substrate) fn recount(&mut self, scope: &mut Scope<'_>) {
        self.recount_members();
        self.regroup();
        self.settle(scope);
    }
}
