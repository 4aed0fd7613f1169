//! etcd's group: who leads it, how long an election takes, and what lost heartbeats do to it.
//!
//! Members ask for votes only once they know that they would get them (pre-vote), and the leader steps
//! down when it hears of no majority for an election's time. So one member that hears nothing changes
//! nothing; a majority that does makes another leader. While there is none, writes wait.
//! Sources: etcd `server/embed/config.go` (`TickMs`, `ElectionMs`, `PreVote`),
//! `server/etcdserver/bootstrap.go` (`CheckQuorum`), raft `raft.go`.

use crate::base::arrange::Arrange;
use crate::base::rng::Stream;
use crate::base::time::{SimDuration, SimTime};
use crate::substrate::net::link::STANDSTILLS_AHEAD;
use crate::substrate::order::MachineId;
use crate::substrate::{Context, PlaneOutbox, Substrate};

use super::super::{KubePlane, event};
use super::{ControlPlane, Event, note, note_rule};
use crate::base::name::Rule;

/// Time between two words of the leader.
const HEARTBEAT: SimDuration = SimDuration::from_millis(100);
/// Time without a word after which a member stands for election; it draws up to nearly twice that.
const ELECTION: SimDuration = SimDuration::from_secs(1);
const ELECTION_MAX: SimDuration = SimDuration::from_millis(1_900);
/// Most candidacies in a row that are looked at ahead.
const CAMPAIGNS_MAX: u32 = 100;

/// The group as it stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Etcd {
    leader: Option<MachineId>,
    /// Distinguishes elections and plans.
    turn: u32,
    /// Until when writes wait for a leader.
    pub(super) wait: SimDuration,
    electing: bool,
    /// Votes take longer than candidates wait for them, time after time.
    pub(super) stuck: bool,
    /// The members that ran when lost heartbeats were last drawn.
    planned: Vec<MachineId>,
}

impl ControlPlane {
    /// Members that run.
    pub(super) fn members(&self, machines: &Substrate) -> Vec<MachineId> {
        let all = machines.control_machines().iter().copied();
        all.filter(|machine| {
            self.serves(*machine, machines) && !self.lost_members.contains_key(machine)
        })
        .collect()
    }

    /// The member that leads, or would be asked first.
    pub(super) fn etcd_leader(&self, machines: &Substrate) -> Option<MachineId> {
        let members = self.members(machines);
        let known = self.etcd.leader.filter(|leader| members.contains(leader));
        known.or(members.first().copied())
    }

    /// Members that reach more than half of all, themselves included.
    pub(super) fn candidates(&self, machines: &Substrate) -> Vec<MachineId> {
        let (all, members) = (machines.control_machines().len(), self.members(machines));
        let reach = |one: &MachineId| {
            let others = members.iter();
            let heard = others.filter(|other| *other == one || machines.reachable(*one, **other));
            heard.count()
        };
        let enough = members.iter().filter(|one| reach(one) > all / 2);
        enough.copied().collect()
    }
}

impl KubePlane {
    /// A member came, went or was cut off, or links have changed: is there still a leader?
    pub(super) fn etcd_check(&mut self, ctx: &Context<'_>, out: &mut PlaneOutbox<event::Event>) {
        let plane = &mut self.control_plane;
        let candidates = plane.candidates(ctx.machines);
        if plane
            .etcd
            .leader
            .is_some_and(|leader| candidates.contains(&leader))
        {
            if plane.etcd.planned != plane.members(ctx.machines) {
                self.etcd_plan(ctx, out);
            }
            return;
        }
        let all = ctx.machines.control_machines();
        // Whoever made the group leads it until it is lost; a group of one waits for nobody.
        let is_first = plane.etcd.leader.is_none() && plane.etcd.turn == 0;
        if is_first && all.first().is_some_and(|first| candidates.contains(first)) || all.len() == 1
        {
            plane.etcd.leader = candidates.first().copied();
            return;
        }
        let had = plane
            .etcd
            .leader
            .take()
            .or(all.first().copied().filter(|_| is_first));
        if had.is_some() || !plane.etcd.electing {
            self.etcd_elect(&candidates, ctx, out);
        }
    }

    fn etcd_elect(
        &mut self,
        candidates: &[MachineId],
        ctx: &Context<'_>,
        out: &mut PlaneOutbox<event::Event>,
    ) {
        let etcd = &mut self.control_plane.etcd;
        etcd.turn += 1;
        let turn = etcd.turn;
        let majority = ctx.machines.control_machines().len() / 2;
        let rounds = |one: MachineId, at: SimTime| {
            let round = |other| {
                let (a, b) = (Some(one), Some(other));
                let luck = (ctx.seed, at);
                ctx.machines.transit(a, b, luck) + ctx.machines.transit(b, a, luck)
            };
            let mut all: Vec<SimDuration> = candidates.iter().map(|other| round(*other)).collect();
            all.arrange();
            all.get(majority).copied()
        };
        let times = (0..).zip(candidates).filter_map(|(place, one)| {
            let mut stream = Stream::new(ctx.seed, "etcd.election", place, turn);
            let mut wait = SimDuration::ZERO;
            // Who has no votes in time asks again.
            (0..CAMPAIGNS_MAX).find_map(|_| {
                let patience = stream.duration_between(ELECTION, ELECTION_MAX);
                wait += patience;
                let round = rounds(*one, ctx.now + wait).filter(|round| *round < patience)?;
                Some((wait + round * 2, *one))
            })
        });
        let won = times.min();
        etcd.electing = won.is_some();
        etcd.stuck = won.is_none() && !candidates.is_empty();
        etcd.wait = won.map_or(SimDuration::ZERO, |(wait, _)| wait);
        if let Some((wait, winner)) = won {
            let elected = Event::EtcdElects(winner, turn);
            out.after(wait, event::Event::ControlPlane(elected));
        }
        self.store.commit_delay = self.control_plane.delay();
    }

    /// An election is over.
    pub(super) fn etcd_elected(
        &mut self,
        winner: MachineId,
        turn: u32,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<event::Event>,
    ) {
        let candidates = self.control_plane.candidates(ctx.machines);
        let etcd = &mut self.control_plane.etcd;
        if etcd.turn != turn || !etcd.electing {
            return;
        }
        etcd.electing = false;
        etcd.wait = SimDuration::ZERO;
        if candidates.contains(&winner) {
            etcd.leader = Some(winner);
            let rule = Rule {
                key: "election-timeout",
                value: ELECTION,
            };
            note_rule("etcd", "elected", Some(rule), out, ctx);
            self.etcd_plan(ctx, out);
            self.plan_leases(ctx, out);
        }
        self.store.commit_delay = self.control_plane.delay();
        self.look_again(ctx, out);
    }

    /// Draws when the leader is next heard by too few because heartbeats get lost.
    pub(super) fn etcd_plan(&mut self, ctx: &Context<'_>, out: &mut PlaneOutbox<event::Event>) {
        let plane = &mut self.control_plane;
        let Some(leader) = plane.etcd.leader else {
            return;
        };
        // What was drawn before counts no more, also when nothing gets lost any longer.
        plane.etcd.turn += 1;
        let turn = plane.etcd.turn;
        let members = plane.members(ctx.machines);
        plane.etcd.planned.clone_from(&members);
        if !ctx.machines.shapes_links() || members.len() < 2 {
            return;
        }
        let too_few = ctx.machines.control_machines().len() / 2;
        let luck = (ctx.seed, ctx.now);
        let others = members.iter().filter(|member| **member != leader);
        let holds = others.map(|member| {
            let ends = (leader, *member);
            ctx.machines.standstills(ends, (HEARTBEAT, ELECTION), luck)
        });
        let lost = first_together(holds.collect(), members.len() - too_few);
        let at = lost.unwrap_or(ctx.now + STANDSTILLS_AHEAD);
        let unheard = Event::EtcdUnheard(turn, lost.is_some());
        out.after(at.since(ctx.now), event::Event::ControlPlane(unheard));
    }

    /// Too few have heard the leader for an election's time.
    pub(super) fn etcd_unheard(
        &mut self,
        (turn, is_lost): (u32, bool),
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<event::Event>,
    ) {
        if self.control_plane.etcd.turn != turn {
            return;
        }
        if !is_lost {
            return self.etcd_plan(ctx, out);
        }
        note("etcd", "leader-lost", out, ctx);
        self.control_plane.etcd.leader = None;
        let candidates = self.control_plane.candidates(ctx.machines);
        self.etcd_elect(&candidates, ctx, out);
        self.look_again(ctx, out);
    }
}

/// When first so many of them stand still at once. Each tells its own standstills in their order.
fn first_together(
    mut holds: Vec<impl Iterator<Item = (SimTime, SimTime)>>,
    needed: usize,
) -> Option<SimTime> {
    let mut heads: Vec<_> = holds.iter_mut().map(Iterator::next).collect();
    loop {
        let mut begun: Vec<SimTime> = heads.iter().flatten().map(|head| head.0).collect();
        begun.arrange();
        // Before this moment fewer have begun.
        let at = *begun.get(needed.checked_sub(1)?)?;
        let mut over = false;
        for (head, rest) in heads.iter_mut().zip(&mut holds) {
            if head.is_some_and(|(_, until)| until < at) {
                *head = rest.next();
                over = true;
            }
        }
        if !over {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_are_needed_must_stand_still_at_once() {
        let spans = |list: &[(u64, u64)]| {
            let list = list.iter().map(|(from, until)| {
                let at = |seconds| SimTime::ZERO + SimDuration::from_secs(seconds);
                (at(*from), at(*until))
            });
            list.collect::<Vec<_>>().into_iter()
        };
        let one = || spans(&[(1, 3), (10, 14), (20, 22)]);
        let other = || spans(&[(4, 9), (12, 13), (21, 30)]);
        let first = |holds, needed| {
            first_together(holds, needed).map(|at| at.since(SimTime::ZERO).as_millis() / 1_000)
        };
        assert_eq!(first(vec![one(), other()], 1), Some(1));
        assert_eq!(first(vec![one(), other()], 2), Some(12));
        assert_eq!(first(vec![one(), other(), spans(&[(21, 22)])], 3), Some(21));
        assert_eq!(first(vec![one(), spans(&[(4, 9), (15, 16)])], 2), None);
        assert_eq!(first(vec![one(), spans(&[])], 2), None);
    }
}
