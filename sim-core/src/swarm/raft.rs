//! The managers' raft group: who leads, and what stands still while nobody does.
//! Source: swarmkit `manager/state/raft/raft.go`, `manager/manager.go` (becomeLeader),
//! `manager/dispatcher/dispatcher.go` (markNodesUnknown).
//!
//! Only the leader runs loops. While there is none, what is due for them waits here, and agents go
//! on with what they were told. A new leader takes the waiting up and hears of every node anew.
//!
//! ```text
//! leader lost --10..19 ticks of 1 s--> elected: nodes unknown --back-off < 8 s--> ready
//!                                                             --2 x grace-------> down
//! ```
//! Which managers reach each other is asked of the machines: the group's members find that out by
//! themselves, it is not the swarm's state.
//!
//! Where heartbeats get lost, a manager that hears nothing for its election's time asks for votes in a
//! higher term. The others, who hear the leader, do not answer; but when the leader's word comes
//! through again, the answer in the higher term makes the leader step down: there is no pre-vote here.

use crate::base::arrange::Arrange;
use crate::base::name::{Name, Rule};
use crate::base::rng::Stream;
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::{Detail, Notice, Subject};
use crate::substrate::net::link::STANDSTILLS_AHEAD;
use crate::substrate::{Context, PlaneOutbox};
use crate::swarm::cluster::{LOCKED, NOT_A_MANAGER};
use crate::swarm::control_api::{Code, Refusal};
use crate::swarm::dispatcher::{GRACE_MULTIPLIER, period};
use crate::swarm::state::NodeState;
use crate::swarm::store::NodeId;
use crate::swarm::{Event, SwarmPlane};

/// Time of one tick of raft. Source: `manager/state/raft/raft.go` (TickInterval of the manager).
const TICK: SimDuration = SimDuration::from_secs(1);

/// Ticks of silence before an election, and one below the most that are waited.
/// Source: `manager/state/raft/raft.go` DefaultNodeConfig (ElectionTick); etcd draws up to twice.
const ELECTION_TICKS: (u64, u64) = (10, 19);

/// A node that does not come back after a change of leader is given twice the usual time.
/// Source: `manager/dispatcher/dispatcher.go` markNodesUnknown.
const UNKNOWN_GRACE: u64 = 2;

/// Longest sleep of an agent between two attempts. Source: `agent/config.go`.
const RECONNECT_MAX: SimDuration = SimDuration::from_secs(8);

/// Most candidacies in a row that are looked at ahead.
const VOTES_MAX: u32 = 100;

const NO_LEADER: &str = "The swarm does not have a leader. It's possible that too few managers are online. Make sure more than half of the managers are online.";

/// What the group has come to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Raft {
    leader: Option<NodeId>,
    /// When the last leader was lost.
    lost_at: Option<SimTime>,
    /// Until when the last leader believes in itself.
    believes_until: SimTime,
    /// Distinguishes elections.
    epoch: u32,
    election: bool,
    waiting: Vec<Event>,
    /// Distinguishes plans of when lost heartbeats make a leader step down.
    unrest: u32,
    /// The managers that ran when that was last planned.
    planned: Vec<NodeId>,
}

impl SwarmPlane {
    /// The node whose manager leads.
    pub fn leader(&self) -> Option<NodeId> {
        self.raft.leader
    }

    /// The node that a client speaks to: the first manager that runs, else the first one.
    pub fn spoken_to(&self) -> Option<NodeId> {
        let managers = || {
            let nodes = self.store.nodes().map(|(id, _)| id);
            nodes.filter(|id| self.is_member(*id) && !self.cluster.has_left(*id))
        };
        managers()
            .find(|id| self.is_up(*id))
            .or_else(|| managers().find(|id| self.cluster.locks(*id)))
            .or_else(|| managers().next())
    }

    /// Whether loops run. A swarm without any machine that is a manager is led from outside.
    pub fn is_led(&self) -> bool {
        self.raft.leader.is_some() || self.raft.lost_at.is_none()
    }

    /// Whether the other managers hear this one.
    pub fn is_reachable(&self, node: NodeId) -> bool {
        self.is_up(node)
    }

    fn is_up(&self, node: NodeId) -> bool {
        self.sessions.get(&node).is_some_and(|session| session.up)
    }

    /// What a client is told while nobody leads.
    ///
    /// # Errors
    /// The daemon's text.
    pub fn require_leader(&self, now: SimTime) -> Result<(), Refusal> {
        if self.is_over() {
            return Err(Refusal::new(Code::Plain, NOT_A_MANAGER));
        }
        if self.is_locked() {
            return Err(Refusal::new(Code::Plain, LOCKED));
        }
        if self.is_led() {
            return Ok(());
        }
        if now < self.raft.believes_until {
            return Err(Refusal::new(
                Code::DeadlineExceeded,
                "context deadline exceeded",
            ));
        }
        Err(Refusal::new(Code::Unknown, NO_LEADER))
    }

    /// Whether the event is for a loop that only the leader runs; if nobody leads, it waits.
    pub(crate) fn waits_for_leader(&mut self, event: Event) -> bool {
        let for_leader = match event {
            Event::Service(_)
            | Event::ServiceDeleted(_)
            | Event::Task(_)
            | Event::Node(_)
            | Event::Allocate
            | Event::Schedule
            | Event::Reap
            | Event::Assign(_)
            | Event::Reports
            | Event::Delay(_)
            | Event::Worker(..)
            | Event::Monitor(..)
            | Event::Expire(..)
            | Event::Orphan(..)
            | Event::Register(..) => true,
            Event::Gossip(..)
            | Event::Drained(_)
            | Event::Balance(_)
            | Event::Elect(_)
            | Event::Unrest(..) => false,
        };
        if for_leader && !self.is_led() {
            self.raft.waiting.push(event);
            return true;
        }
        false
    }

    /// A manager came, went, was cut off or changed its role: is there still a leader, and can there
    /// be a new one?
    pub(crate) fn raft_check(&mut self, ctx: &mut Context<'_>, out: &mut PlaneOutbox<Event>) {
        let candidates = self.candidates(ctx);
        if let Some(leader) = self.raft.leader {
            if candidates.contains(&leader) {
                // What is drawn is kept: a word that is held up stays held up.
                if self.raft.planned != self.managers_up() {
                    self.plan_unrest(ctx, out);
                }
                return;
            }
            self.leader_lost(leader, None, ctx, out);
        } else if self.raft.lost_at.is_none() {
            // The first manager of a new swarm leads at once.
            self.raft.leader = candidates.first().copied();
            self.plan_unrest(ctx, out);
            return;
        }
        if candidates.is_empty() {
            // Who waits for an election waits in vain.
            self.raft.epoch += u32::from(self.raft.election);
            self.raft.election = false;
            return;
        }
        if self.raft.election {
            return;
        }
        self.raft.election = true;
        let since = self.raft.lost_at.unwrap_or(ctx.now);
        let mut stream = Stream::new(ctx.seed, "swarm.election", 0, self.raft.epoch);
        // Without an answer a candidate asks again and again: the first time that it can win counts.
        let mut campaign = since;
        while campaign <= since || campaign < ctx.now {
            campaign += stream.duration_between(TICK * ELECTION_TICKS.0, TICK * ELECTION_TICKS.1);
        }
        // A group of one has nobody to wait for.
        let wait = if self.managers().len() == 1 {
            SimDuration::ZERO
        } else {
            let mut votes = self.vote_time(&candidates, campaign, ctx);
            // Votes that come after the candidate's own time count for nothing.
            for _ in 0..VOTES_MAX {
                if votes < TICK * ELECTION_TICKS.0 {
                    break;
                }
                campaign +=
                    stream.duration_between(TICK * ELECTION_TICKS.0, TICK * ELECTION_TICKS.1);
                votes = self.vote_time(&candidates, campaign, ctx);
            }
            campaign.since(ctx.now) + votes
        };
        out.after(wait, Event::Elect(self.raft.epoch));
    }

    /// How much longer it takes until more than half have voted for the candidate that is nearest to
    /// them.
    fn vote_time(&self, candidates: &[NodeId], at: SimTime, ctx: &Context<'_>) -> SimDuration {
        if !ctx.machines.shapes_links() {
            return SimDuration::ZERO;
        }
        let machine = |id: NodeId| self.store.node(id).map(|node| node.machine);
        let managers = self.managers();
        let round = |a: NodeId, b: NodeId| {
            let (a, b) = (machine(a), machine(b));
            let luck = (ctx.seed, at);
            ctx.machines.transit(a, b, luck) + ctx.machines.transit(b, a, luck)
        };
        let times = candidates.iter().filter_map(|one| {
            let voters = managers.iter().filter(|id| *id == one || self.is_up(**id));
            let mut rounds: Vec<SimDuration> = voters.map(|id| round(*one, *id)).collect();
            rounds.arrange();
            rounds.get(managers.len() / 2).copied()
        });
        times.min().unwrap_or(SimDuration::ZERO)
    }

    /// Draws when a manager next stands for election because heartbeats got lost.
    fn plan_unrest(&mut self, ctx: &Context<'_>, out: &mut PlaneOutbox<Event>) {
        self.raft.unrest += 1;
        let plan = self.raft.unrest;
        let managers = self.managers_up();
        self.raft.planned.clone_from(&managers);
        let machine = |id: NodeId| self.store.node(id).map(|node| node.machine);
        let leader = self.raft.leader.filter(|_| ctx.machines.shapes_links());
        let Some(from) = leader.and_then(machine).filter(|_| managers.len() > 1) else {
            return;
        };
        let ends = managers.iter().filter_map(|follower| {
            let to = machine(*follower).filter(|to| *to != from)?;
            let key = u64::from(follower.0);
            let patience = Stream::new(ctx.seed, "swarm.patience", key, plan)
                .duration_between(TICK * ELECTION_TICKS.0, TICK * ELECTION_TICKS.1);
            let luck = (ctx.seed, ctx.now);
            let mut holds = ctx.machines.standstills((from, to), (TICK, patience), luck);
            holds.next().map(|(_, end)| end)
        });
        let first = ends.min();
        let at = first.unwrap_or(ctx.now + STANDSTILLS_AHEAD);
        out.after(at.since(ctx.now), Event::Unrest(plan, first.is_some()));
    }

    /// A manager that had heard nothing hears the leader again, and answers in a higher term.
    pub(crate) fn unrest(
        &mut self,
        plan: u32,
        is_heard: bool,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        if plan != self.raft.unrest {
            return;
        }
        if let Some(leader) = self.raft.leader.filter(|_| is_heard) {
            let rule = Rule {
                key: "answer in a higher term after raft election ticks",
                value: TICK * ELECTION_TICKS.0,
            };
            self.leader_lost(leader, Some(rule), ctx, out);
        }
        self.raft_links_changed(ctx, out);
    }

    /// Lost heartbeats are drawn anew, and the group looks at itself.
    pub(crate) fn raft_links_changed(
        &mut self,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        self.raft.planned.clear();
        self.raft_check(ctx, out);
    }

    fn managers_up(&self) -> Vec<NodeId> {
        let mut managers = self.managers();
        managers.retain(|id| self.is_up(*id));
        managers
    }

    fn managers(&self) -> Vec<NodeId> {
        let nodes = self.store.nodes().map(|(id, _)| id);
        nodes.filter(|id| self.is_member(*id)).collect()
    }

    /// Managers that run and reach more than half of all, themselves included.
    fn candidates(&self, ctx: &Context<'_>) -> Vec<NodeId> {
        let managers = self.managers();
        let machine = |id: NodeId| self.store.node(id).map(|node| node.machine);
        let reach = |a: NodeId, b: NodeId| {
            let both = self.is_up(a) && self.is_up(b);
            both && (a == b
                || machine(a)
                    .zip(machine(b))
                    .is_some_and(|(a, b)| ctx.machines.reachable(a, b)))
        };
        managers
            .iter()
            .copied()
            .filter(|one| {
                let heard = managers.iter().filter(|other| reach(*one, **other)).count();
                heard > managers.len() / 2
            })
            .collect()
    }

    /// Whether the group could do without this member. Source: `raft.go` canRemoveMember.
    pub(crate) fn can_remove_member(&self, node: NodeId) -> bool {
        let managers = self.managers();
        let left = managers.len().saturating_sub(1);
        let reachable = managers
            .iter()
            .filter(|id| **id != node && self.is_up(**id))
            .count();
        reachable > left / 2
    }

    fn leader_lost(
        &mut self,
        leader: NodeId,
        rule: Option<Rule>,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        self.raft.leader = None;
        self.raft.lost_at = Some(ctx.now);
        self.raft.epoch += 1;
        self.raft.election = false;
        // One that is only cut off steps down when it has heard of no majority for an election's
        // time; one that hears of a higher term, at once.
        self.raft.believes_until = if self.is_up(leader) && rule.is_none() {
            ctx.now + TICK * ELECTION_TICKS.0
        } else {
            ctx.now
        };
        for session in self.sessions.values_mut() {
            if session.silent_since.is_none() {
                session.silent_since = Some(ctx.now);
                session.epoch += 1;
            }
        }
        self.note_raft(out, "leader-lost", leader, rule);
    }

    /// The election's time is over.
    pub(crate) fn elect(
        &mut self,
        epoch: u32,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        if epoch != self.raft.epoch || self.raft.leader.is_some() {
            return;
        }
        self.raft.election = false;
        let candidates = self.candidates(ctx);
        let Some(last) = u64::try_from(candidates.len())
            .ok()
            .and_then(|count| count.checked_sub(1))
        else {
            return;
        };
        let mut stream = Stream::new(ctx.seed, "swarm.elected", 0, epoch);
        let drawn = stream
            .duration_between(SimDuration::ZERO, SimDuration::from_micros(last + 1))
            .as_micros()
            .min(last);
        let leader = candidates[drawn as usize];
        self.raft.leader = Some(leader);
        let rule = Rule {
            key: "raft election ticks",
            value: TICK * ELECTION_TICKS.0,
        };
        self.note_raft(out, "elected", leader, Some(rule));
        self.leader_starts(ctx, out);
        self.plan_unrest(ctx, out);
    }

    /// The new leader takes up what waits, and asks every node to register.
    fn leader_starts(&mut self, ctx: &mut Context<'_>, out: &mut PlaneOutbox<Event>) {
        let base = self.settings.heartbeat_period;
        let nodes: Vec<NodeId> = self.sessions.keys().copied().collect();
        for node in nodes {
            let down = self
                .store
                .node(node)
                .is_none_or(|node| node.state == NodeState::Down);
            let Some(session) = self.sessions.get_mut(&node) else {
                continue;
            };
            if !down {
                session.epoch += 1;
            }
            // The count of registrations lives in the old leader's memory.
            session.registrations = 0;
            let (epoch, key, beats) = (session.epoch, session.key(), session.beats());
            let speaks = session.up && session.connected;
            if !down {
                self.store.update_node(node, ctx.now, |node| {
                    node.state = NodeState::Unknown;
                    node.message =
                        "Node moved to \"unknown\" state due to leadership change in cluster";
                });
                let grace = period(ctx.seed, key, beats, base) * GRACE_MULTIPLIER * UNKNOWN_GRACE;
                out.after(grace, Event::Expire(node, epoch));
            }
            if speaks {
                let wait = Stream::new(ctx.seed, "swarm.reconnect", key, epoch)
                    .duration_between(SimDuration::ZERO, RECONNECT_MAX);
                out.after(wait, Event::Register(node, epoch));
            } else if !self.gossips(node, ctx) {
                self.mesh_buries(node, out);
            }
        }
        for event in std::mem::take(&mut self.raft.waiting) {
            out.after(SimDuration::ZERO, event);
        }
    }

    /// A manager becomes the only member of the group, and leads at once.
    pub(crate) fn lead_alone(
        &mut self,
        node: NodeId,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        self.raft.epoch += 1;
        self.raft.election = false;
        self.raft.leader = Some(node);
        self.note_raft(out, "elected", node, None);
        self.leader_starts(ctx, out);
        self.plan_unrest(ctx, out);
    }

    fn note_raft(
        &self,
        out: &mut PlaneOutbox<Event>,
        verb: &'static str,
        node: NodeId,
        rule: Option<Rule>,
    ) {
        if let Some(object) = self.store.node(node) {
            out.notice(Notice {
                source: "swarm.raft",
                verb,
                subject: Subject {
                    kind: "node",
                    name: Name::plain(object.name),
                },
                detail: Detail::None,
                rule,
            });
        }
    }
}
