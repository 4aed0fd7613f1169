//! Rules that requests to one name follow, and how many of their receivers answer.
//!
//! A balancer keeps, for each side of the net, the count of backends that would answer there; a
//! backend's change moves one count. Machines that are cut off from the control plane keep the
//! rules that they had: a balancer keeps an older version for as long as such a machine runs.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::base::id::Id;
use crate::base::symbol::Symbol;
use crate::base::time::SimTime;
use crate::substrate::load::PATIENCE;
use crate::substrate::order::{
    Backend, BalanceMode, BalancerSpec, Entry, MachineId, Owner, SandboxId,
};
use crate::substrate::{Event, Scope, Substrate};

use super::flow::{Flow, Share};
use super::wire::Wire;

/// All of a backend's requests, in millionths.
const WHOLE: u32 = 1_000_000;

/// Names a member.
pub type MemberId = Id<Member>;

/// A backend as its sandbox knows it.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// Balancer's key.
    key: u32,
    /// Version of its rules.
    version: u32,
    port: u16,
    /// Side of the net that its machine is on.
    side: u16,
    /// Share of the requests sent to it that it answers, in millionths.
    served: u32,
    next: Option<MemberId>,
}

/// One state of a balancer's rules.
#[derive(Clone, Debug)]
pub struct Version {
    number: u32,
    /// Revision at which it was programmed.
    from: u64,
    backends: Arc<[Backend]>,
    /// What backends answer, by side, in millionths of one backend's requests.
    answering: SmallVec<[u64; 2]>,
}

/// The rules for one name.
#[derive(Clone, Debug)]
pub struct Balancer {
    /// The name as its users know it.
    pub name: Symbol,
    /// How a backend is chosen. All three modes spread requests evenly over the backends and try
    /// none twice, so the mode does not move the answered share.
    pub mode: BalanceMode,
    /// Where requests enter.
    pub entry: Entry,
    /// What users offered and got.
    pub flow: Flow,
    /// Oldest first; the last is what connected machines have.
    versions: SmallVec<[Version; 1]>,
    touched: bool,
}

impl Balancer {
    /// Backends of the newest rules, in rule order.
    pub fn backends(&self) -> &[Backend] {
        self.versions
            .last()
            .map_or(&[], |version| &version.backends)
    }

    fn version_for(&self, frozen_at: Option<u64>) -> Option<&Version> {
        match frozen_at {
            None => self.versions.last(),
            Some(revision) => self
                .versions
                .iter()
                .rev()
                .find(|version| version.from <= revision),
        }
    }
}

impl Substrate {
    pub(in crate::substrate) fn set_balancer(
        &mut self,
        key: u32,
        spec: &BalancerSpec,
        scope: &mut Scope<'_>,
    ) {
        self.revision += 1;
        let revision = self.revision;
        let rate = self.rate_of(spec.name);
        let side_count = self.sides.count();
        let balancer = Arc::make_mut(self.balancers.entry(key).or_insert_with(|| {
            Arc::new(Balancer {
                name: spec.name,
                mode: spec.mode,
                entry: spec.entry,
                flow: Flow::new(scope.now, rate),
                versions: SmallVec::new(),
                touched: false,
            })
        }));
        balancer.name = spec.name;
        balancer.mode = spec.mode;
        balancer.entry = spec.entry;
        let old = balancer.versions.last();
        let number = old.map_or(0, |version| version.number);
        let is_kept = old.is_some_and(|old| {
            self.sides.groups.iter().any(|group| {
                group
                    .frozen_at
                    .is_some_and(|frozen_at| frozen_at >= old.from)
            })
        });
        if is_kept || old.is_none() {
            let number = number + 1;
            balancer.versions.push(Version {
                number,
                from: revision,
                backends: spec.backends.clone(),
                answering: SmallVec::from_elem(0, side_count),
            });
            self.add_members(key, number, &spec.backends, scope);
            self.unsummed
                .extend(spec.backends.iter().map(|backend| backend.sandbox));
        } else if let Some(version) = balancer.versions.last_mut() {
            version.from = revision;
            let old = std::mem::replace(&mut version.backends, spec.backends.clone());
            if old.len() != spec.backends.len() {
                // Each of them gets another part of the requests.
                self.unsummed
                    .extend(spec.backends.iter().map(|backend| backend.sandbox));
            }
            let same_ahead = old
                .iter()
                .zip(spec.backends.iter())
                .take_while(|(old, new)| old == new)
                .count();
            let same_behind = old[same_ahead..]
                .iter()
                .rev()
                .zip(spec.backends[same_ahead..].iter().rev())
                .take_while(|(old, new)| old == new)
                .count();
            self.drop_members(key, number, &old[same_ahead..old.len() - same_behind]);
            self.add_members(
                key,
                number,
                &spec.backends[same_ahead..spec.backends.len() - same_behind],
                scope,
            );
        }
        self.touch(key);
    }

    pub(in crate::substrate) fn remove_balancer(&mut self, key: u32) {
        let Some(balancer) = self.balancers.get(&key).cloned() else {
            return;
        };
        for version in &balancer.versions {
            self.drop_members(key, version.number, &version.backends);
        }
        self.balancers.remove(&key);
    }

    fn add_members(&mut self, key: u32, version: u32, backends: &[Backend], scope: &mut Scope<'_>) {
        for backend in backends {
            let Some(sandbox) = self.sandboxes.get(backend.sandbox) else {
                continue;
            };
            let side = self.machines[sandbox.machine].side;
            let next = sandbox.first_member;
            let member = self.members.insert(Member {
                key,
                version,
                port: backend.port,
                side,
                served: 0,
                next,
            });
            self.sandboxes[backend.sandbox].first_member = Some(member);
            self.serving_changed(backend.sandbox, scope);
        }
    }

    fn drop_members(&mut self, key: u32, version: u32, backends: &[Backend]) {
        for backend in backends {
            let mut previous: Option<MemberId> = None;
            let mut at = self
                .sandboxes
                .get(backend.sandbox)
                .and_then(|row| row.first_member);
            while let Some(id) = at {
                let member = self.members[id];
                if (member.key, member.version, member.port) == (key, version, backend.port) {
                    match previous {
                        Some(previous) => self.members[previous].next = member.next,
                        None => self.sandboxes[backend.sandbox].first_member = member.next,
                    }
                    self.count_answer(member, 0);
                    self.members.remove(id);
                    self.unsummed.push(backend.sandbox);
                    break;
                }
                previous = at;
                at = member.next;
            }
        }
    }

    /// Owners of sandboxes that may serve otherwise than they did, since [`Self::settle_stirred`]. A
    /// program's becoming ready is not told of.
    pub fn stirred(&self) -> &[Owner] {
        &self.stirred
    }

    /// Forgets what [`Self::stirred`] told.
    pub fn settle_stirred(&mut self) {
        self.stirred.clear();
    }

    /// Forgets a sandbox as a backend; the rules that name its address stay.
    pub(in crate::substrate) fn drop_members_of(&mut self, sandbox: SandboxId) {
        let row = &mut self.sandboxes[sandbox];
        self.stirred.push(row.owner);
        let mut next = row.first_member.take();
        while let Some(id) = next {
            let member = self.members[id];
            self.count_answer(member, 0);
            self.members.remove(id);
            next = member.next;
        }
    }

    /// Moves a member's count to the new answer, and remembers the balancer.
    fn count_answer(&mut self, member: Member, served: u32) {
        if member.served == served {
            return;
        }
        let Some(balancer) = self.balancers.get_mut(&member.key) else {
            return;
        };
        let balancer = Arc::make_mut(balancer);
        if let Some(version) = balancer
            .versions
            .iter_mut()
            .find(|version| version.number == member.version)
        {
            let count = &mut version.answering[usize::from(member.side)];
            *count = *count + u64::from(served) - u64::from(member.served);
        }
        self.touch(member.key);
    }

    /// Looks again at what a sandbox answers; called when one of its containers changes.
    pub(in crate::substrate) fn serving_changed(
        &mut self,
        sandbox: SandboxId,
        scope: &mut Scope<'_>,
    ) {
        let row = &self.sandboxes[sandbox];
        self.stirred.push(row.owner);
        let mut next = row.first_member;
        let mut soonest = SimTime::MAX;
        while let Some(id) = next {
            let member = self.members[id];
            next = member.next;
            let from = self
                .containers_in(sandbox)
                .filter_map(|(_, container)| container.serves_from(member.port))
                .min()
                .unwrap_or(SimTime::MAX);
            let from = if self.lets_in(sandbox, member.port) {
                from
            } else {
                SimTime::MAX
            };
            let answers = from <= scope.now;
            if !answers {
                soonest = soonest.min(from);
            }
            let served = if answers {
                self.served_at(sandbox, member.port, scope.now)
            } else {
                0
            };
            if served != member.served {
                if (served == 0) != (member.served == 0) {
                    self.unsummed.push(sandbox);
                }
                self.count_answer(member, served);
                self.members[id].served = served;
            }
        }
        let row = &self.sandboxes[sandbox];
        if row.serving_due != soonest {
            self.sandboxes[sandbox].serving_due = soonest;
            if soonest != SimTime::MAX {
                scope
                    .out
                    .after(soonest.since(scope.now), Event::Serving { sandbox });
            }
        }
    }

    /// Sets at which ports requests get to a sandbox; none: at all.
    pub(in crate::substrate) fn set_filter(
        &mut self,
        sandbox: SandboxId,
        open: Option<Arc<[(u16, u16)]>>,
        scope: &mut Scope<'_>,
    ) {
        if !self.sandboxes.contains(sandbox) {
            return;
        }
        match open {
            Some(open) => self.filters.insert(sandbox, open),
            None => self.filters.remove(&sandbox),
        };
        self.serving_changed(sandbox, scope);
    }

    /// Whether requests get to a port of a sandbox.
    pub fn lets_in(&self, sandbox: SandboxId, port: u16) -> bool {
        self.filters.is_empty()
            || self.filters.get(&sandbox).is_none_or(|open| {
                open.iter()
                    .any(|(first, last)| port == 0 || (*first..=*last).contains(&port))
            })
    }

    /// A program has become ready, if nothing came between.
    pub(in crate::substrate) fn serving_due(&mut self, sandbox: SandboxId, scope: &mut Scope<'_>) {
        if self
            .sandboxes
            .get(sandbox)
            .is_some_and(|row| row.serving_due == scope.now)
        {
            self.sandboxes[sandbox].serving_due = SimTime::MAX;
            self.serving_changed(sandbox, scope);
        }
    }

    /// Counts all answers anew: the sides have changed.
    pub(super) fn recount_members(&mut self) {
        let side_count = self.sides.count();
        for balancer in self.balancers.values_mut() {
            for version in &mut Arc::make_mut(balancer).versions {
                version.answering = SmallVec::from_elem(0, side_count);
            }
        }
        for slot in 0..self.sandboxes.capacity_slots() {
            let Some(sandbox) = self.sandboxes.id_at(slot) else {
                continue;
            };
            let row = &self.sandboxes[sandbox];
            let side = self.machines[row.machine].side;
            let mut next = row.first_member;
            while let Some(id) = next {
                let member = self.members[id];
                next = member.next;
                let uncounted = Member {
                    side,
                    served: 0,
                    ..member
                };
                self.count_answer(uncounted, member.served);
                if member.side != side {
                    self.members[id].side = side;
                }
            }
        }
        self.touch_all();
    }

    /// Forgets older rules that no running machine has any more.
    pub(super) fn drop_unused_versions(&mut self) {
        let keys: Vec<u32> = self
            .balancers
            .iter()
            .filter(|(_, row)| row.versions.len() > 1)
            .map(|(key, _)| *key)
            .collect();
        for key in keys {
            let balancer = &self.balancers[&key];
            let newest = balancer.versions.last().map_or(0, |version| version.number);
            let mut used: Vec<u32> = vec![newest];
            for group in &self.sides.groups {
                used.extend(
                    balancer
                        .version_for(group.frozen_at)
                        .map(|version| version.number),
                );
            }
            let unused: Vec<Version> = balancer
                .versions
                .iter()
                .filter(|version| !used.contains(&version.number))
                .cloned()
                .collect();
            for version in unused {
                self.drop_members(key, version.number, &version.backends);
                if let Some(balancer) = self.balancers.get_mut(&key) {
                    Arc::make_mut(balancer)
                        .versions
                        .retain(|other| other.number != version.number);
                }
            }
        }
    }

    pub(super) fn touch(&mut self, key: u32) {
        if let Some(balancer) = self.balancers.get_mut(&key)
            && !balancer.touched
        {
            Arc::make_mut(balancer).touched = true;
            self.touched.push(key);
        }
    }

    pub(super) fn touch_all(&mut self) {
        let keys: Vec<u32> = self.balancers.keys().copied().collect();
        for key in keys {
            self.touch(key);
        }
    }

    /// Balancers that are entered at one machine only.
    pub(super) fn touch_entries_of(&mut self, machine: MachineId) {
        let keys: Vec<u32> = self
            .balancers
            .iter()
            .filter(|(_, row)| matches!(row.entry, Entry::OneMachine(entry, _) if entry == machine))
            .map(|(key, _)| *key)
            .collect();
        for key in keys {
            self.touch(key);
        }
    }

    /// The share of requests that would be answered now: over the machines at which requests enter,
    /// each as likely, the share of the backends in its rules that answer and that it reaches.
    fn share(&self, balancer: &Balancer) -> Share {
        let mut sum = Share::NONE;
        let mut entries = 0_u64;
        let users = !matches!(balancer.entry, Entry::Inside);
        let mut add = |side: u16, frozen_at: Option<u64>, weight: u32| {
            entries += u64::from(weight);
            let Some(version) = balancer.version_for(frozen_at) else {
                return;
            };
            let answering: u64 = version
                .answering
                .iter()
                .zip(0_u16..)
                .map(|(count, other)| {
                    *count * self.sides.pass(side, other, users) / u64::from(WHOLE)
                })
                .sum();
            let backends = version.backends.len() as u64;
            // Where nothing joins machines, each backend answers what enters at its own only: over
            // all of a group's machines, as much as if one machine reached them all.
            let weight = if self.bridged > 0 { 1 } else { weight };
            if backends > 0 {
                sum = sum.plus(Share::new(
                    answering * u64::from(weight),
                    backends * u64::from(WHOLE),
                ));
            }
        };
        match balancer.entry {
            Entry::OneMachine(machine, _) => {
                if let Some(row) = self
                    .machines
                    .get(machine)
                    .filter(|_| self.users_reach(machine))
                {
                    add(row.side, row.frozen_at, 1);
                }
            }
            // The balancer outside checks the machines' health: those that are off or out of reach
            // get nothing.
            Entry::EveryMachine(_) => {
                for group in self
                    .sides
                    .groups
                    .iter()
                    .filter(|group| self.sides.users_reach(group.side))
                {
                    add(group.side, group.frozen_at, group.powered);
                }
            }
            Entry::Inside => {
                for group in &self.sides.groups {
                    add(group.side, group.frozen_at, group.powered);
                }
            }
        }
        if entries == 0 {
            Share::NONE
        } else {
            sum.divided(entries)
        }
    }

    /// Works out the share of every balancer that was touched, and closes the flow's stretch where
    /// it has changed. The last act of every call from outside.
    pub(in crate::substrate) fn settle(&mut self, scope: &mut Scope<'_>) {
        // What a sandbox answers may change with what it is asked; what it is asked does not change
        // with what it answers, so one round is enough.
        if self.unsummed.is_empty() && self.touched.is_empty() {
            return;
        }
        let mut unsummed = std::mem::take(&mut self.unsummed);
        unsummed.sort_unstable();
        unsummed.dedup();
        for sandbox in unsummed.drain(..) {
            self.add_up(sandbox, scope);
        }
        let mut touched = std::mem::take(&mut self.touched);
        for key in touched.drain(..) {
            let Some(row) = self.balancers.get(&key) else {
                continue;
            };
            let share = self.share(row);
            let Some(row) = self.balancers.get_mut(&key) else {
                continue;
            };
            let row = Arc::make_mut(row);
            row.touched = false;
            row.flow.set_share(row.name, share, scope.now, scope.out);
        }
        self.touched = touched;
    }

    /// Share of the requests at a port of a sandbox that its program has the CPU time to answer, in
    /// millionths.
    fn served_at(&self, sandbox: SandboxId, port: u16, now: SimTime) -> u32 {
        self.containers_in(sandbox)
            .find(|(_, container)| container.serves_from(port).is_some_and(|from| from <= now))
            .map_or(0, |(_, container)| {
                let share = u64::from(container.cpu.served()) * self.sandbox_answers(sandbox);
                u32::try_from(share / u64::from(WHOLE)).unwrap_or(WHOLE)
            })
    }

    /// Share of a sandbox's answers that its clients wait for, in millionths.
    fn sandbox_answers(&self, sandbox: SandboxId) -> u64 {
        Wire::default().answered(self.sandbox_wire(sandbox).0, PATIENCE)
    }

    /// Requests that reach a sandbox by the newest rules: port and millionths per second.
    pub(in crate::substrate) fn rates_of(&self, sandbox: SandboxId) -> SmallVec<[(u16, u64); 2]> {
        let mut all = SmallVec::new();
        let mut next = self.sandboxes.get(sandbox).and_then(|row| row.first_member);
        while let Some(id) = next {
            let member = self.members[id];
            next = member.next;
            let Some(balancer) = self.balancers.get(&member.key) else {
                continue;
            };
            let Some(version) = balancer
                .versions
                .last()
                .filter(|version| version.number == member.version)
            else {
                continue;
            };
            let count = version.backends.len() as u64;
            if count > 0 && member.served > 0 {
                all.push((member.port, balancer.flow.rate / count));
            }
        }
        all
    }

    /// The rules of a key; none: they are not written.
    pub fn balancer(&self, key: u32) -> Option<&Balancer> {
        self.balancers.get(&key).map(Arc::as_ref)
    }

    /// Rules in force, by the planes' keys.
    pub fn balancers(&self) -> impl Iterator<Item = (u32, &Balancer)> {
        self.balancers.iter().map(|(key, row)| (*key, row.as_ref()))
    }
}
