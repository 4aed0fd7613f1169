//! The dispatcher: sessions with the nodes' agents, heartbeats, assignments and status reports.
//! Source: swarmkit `manager/dispatcher/{dispatcher,nodes,period}.go`, `agent/{agent,session}.go`.
//!
//! Heartbeats of a node that answers change nothing and cost no event. When a node falls silent the
//! beats it sent are counted up to that moment, and the one expiry that follows is scheduled:
//!
//! ```text
//! beat k --period k (5 s +- 0.5 s)--> beat k+1 ...   expiry = last beat + 3 x its own period
//! ```

use crate::base::id::Id;
use crate::base::name::{Name, Rule};
use crate::base::rng::{Stream, stable_hash};
use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::{Detail, Notice, Subject};
use crate::substrate::{Context, PlaneOutbox};
use crate::swarm::agent::AgentTask;
use crate::swarm::state::{NodeState, TaskState};
use crate::swarm::store::{NodeId, TaskId};
use crate::swarm::{Event, SwarmPlane};

/// Default time between heartbeats. Source: `dispatcher.go` DefaultHeartBeatPeriod.
pub const HEARTBEAT_PERIOD: SimDuration = SimDuration::from_secs(5);

/// Largest deviation of one period. Source: `dispatcher.go` defaultHeartBeatEpsilon.
pub const HEARTBEAT_EPSILON: SimDuration = SimDuration::from_millis(500);

/// Periods without a beat after which a node is down. Source: `dispatcher.go` defaultGracePeriodMultiplier.
pub const GRACE_MULTIPLIER: u64 = 3;

/// Time after which tasks of a node that is down are given up. Source: `dispatcher.go` defaultNodeDownPeriod.
pub const NODE_DOWN_PERIOD: SimDuration = SimDuration::from_minutes(24 * 60);

/// Wait after the last change before assignments are sent. Source: `dispatcher.go` batchingWaitTime.
pub const ASSIGNMENT_BATCHING: SimDuration = SimDuration::from_millis(100);

/// Changes after which assignments are sent at once. Source: `dispatcher.go` modificationBatchLimit.
pub const ASSIGNMENT_BATCH_LIMIT: u32 = 100;

/// Period at which reported statuses are written. Source: `dispatcher.go` maxBatchInterval.
pub const STATUS_BATCH_INTERVAL: SimDuration = SimDuration::from_millis(100);

/// Time after which an agent gives up a call. Source: `agent/session.go` dispatcherRPCTimeout.
pub const AGENT_CALL_TIMEOUT: SimDuration = SimDuration::from_secs(5);

/// First back-off of an agent that lost its session. Source: `agent/agent.go` initialSessionFailureBackoff.
pub const BACKOFF_FIRST: SimDuration = SimDuration::from_millis(100);

/// Longest back-off. Source: `agent/agent.go` maxSessionFailureBackoff.
pub const BACKOFF_MAX: SimDuration = SimDuration::from_secs(8);

/// Registrations of a node that are taken without a pause between them.
/// Source: `manager/dispatcher/nodes.go` rateLimitCount.
const RATE_LIMIT_COUNT: u32 = 3;

/// The pause that lets a node start anew. Source: `manager/dispatcher/dispatcher.go`
/// defaultRateLimitPeriod.
const RATE_LIMIT_PERIOD: SimDuration = SimDuration::from_secs(8);

/// One node's agent and its session with the manager.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// Whether the machine, and so the agent, runs.
    pub(crate) up: bool,
    /// Whether the agent can reach the manager.
    pub(crate) connected: bool,
    /// Since when the manager hears nothing.
    pub(crate) silent_since: Option<SimTime>,
    /// Distinguishes timers of this session from older ones.
    pub(crate) epoch: u32,
    /// The agent's tasks, in no order.
    pub(crate) agents: Vec<Id<AgentTask>>,
    /// Statuses that the manager has not got.
    pub(crate) outbox: Vec<Id<AgentTask>>,
    /// Registrations without a pause.
    pub(crate) registrations: u32,
    registered_at: SimTime,
    last_beat: SimTime,
    beats: u32,
    key: u64,
    changed: SortedSet<TaskId>,
    modifications: u32,
    assign_due: SimTime,
    assign_scheduled: bool,
}

impl Session {
    /// A session that starts now.
    pub(crate) fn new(hostname: &str, now: SimTime) -> Self {
        Self {
            up: true,
            connected: true,
            silent_since: None,
            epoch: 0,
            agents: Vec::new(),
            outbox: Vec::new(),
            registrations: 1,
            registered_at: now,
            last_beat: now,
            beats: 0,
            key: stable_hash(hostname),
            changed: SortedSet::new(),
            modifications: 0,
            assign_due: now,
            assign_scheduled: false,
        }
    }

    /// What distinguishes the node's luck.
    pub(crate) fn key(&self) -> u64 {
        self.key
    }

    /// Number of heartbeats counted so far.
    pub(crate) fn beats(&self) -> u32 {
        self.beats
    }

    /// Whether messages pass between manager and agent.
    pub(crate) fn is_live(&self) -> bool {
        self.up && self.connected && self.silent_since.is_none()
    }
}

/// What waits to be written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reports {
    /// Nodes with the time at which their reports arrive.
    nodes: SortedMap<NodeId, SimTime>,
    /// The next round, if there is one.
    due: Option<SimTime>,
}

/// The period that follows a node's `beat`th heartbeat.
pub(crate) fn period(
    seed: crate::base::rng::Seed,
    key: u64,
    beat: u32,
    base: SimDuration,
) -> SimDuration {
    let low = base.saturating_sub(HEARTBEAT_EPSILON);
    Stream::new(seed, "swarm.heartbeat", key, beat).duration_between(low, base + HEARTBEAT_EPSILON)
}

/// The last beat at or before `now`, its number, and when the node expires if none follows.
pub(crate) fn last_beat(
    seed: crate::base::rng::Seed,
    key: u64,
    start: (SimTime, u32),
    base: SimDuration,
    now: SimTime,
) -> (SimTime, u32, SimTime) {
    let (mut at, mut beat) = start;
    loop {
        let period = period(seed, key, beat, base);
        if at + period > now {
            return (at, beat, at + period * GRACE_MULTIPLIER);
        }
        at += period;
        beat += 1;
    }
}

impl SwarmPlane {
    /// The manager hears nothing from the node any more.
    pub(crate) fn node_falls_silent(
        &mut self,
        node: NodeId,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let base = self.settings.heartbeat_period;
        let Some(session) = self.sessions.get_mut(&node) else {
            return;
        };
        if session.silent_since.is_some() {
            // While nobody leads all are silent; peers find a dead machine all the same.
            if !session.up {
                let epoch = session.epoch;
                self.mesh_loses(node, epoch, out);
            }
            return;
        }
        session.silent_since = Some(ctx.now);
        let (at, beat, expiry) = last_beat(
            ctx.seed,
            session.key,
            (session.last_beat, session.beats),
            base,
            ctx.now,
        );
        session.last_beat = at;
        session.beats = beat;
        session.epoch += 1;
        let epoch = session.epoch;
        if self
            .store
            .node(node)
            .is_some_and(|node| node.state == NodeState::Ready)
        {
            out.after(expiry.since(ctx.now), Event::Expire(node, epoch));
        }
        self.mesh_loses(node, epoch, out);
    }

    /// The agent can reach the manager again, or has started: it will ask for a session.
    pub(crate) fn node_speaks(
        &mut self,
        node: NodeId,
        rebooted: bool,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        if !self.is_led() {
            // The next leader hears of all that can reach it.
            return;
        }
        let Some(session) = self.sessions.get_mut(&node) else {
            return;
        };
        if !session.up || !session.connected {
            return;
        }
        let Some(since) = session.silent_since else {
            return;
        };
        let silence = ctx.now.since(since);
        if !rebooted && silence < AGENT_CALL_TIMEOUT {
            // No call has timed out: the session survives, and the beat that hung is through.
            session.silent_since = None;
            session.epoch += 1;
            session.last_beat = ctx.now;
            session.beats += 1;
            self.mesh_regains(node, out);
            self.send_reports(node, ctx, out);
            self.assignments_changed(node, None, ctx, out);
            return;
        }
        // The epoch stays: the expiry must still fire if the agent comes too late.
        let (epoch, key) = (session.epoch, session.key);
        let mut stream = Stream::new(ctx.seed, "swarm.register", key, epoch);
        let wait = if rebooted {
            stream.duration_between(SimDuration::ZERO, BACKOFF_FIRST)
        } else {
            reconnect_wait(&mut stream, silence)
        };
        out.after(wait, Event::Register(node, epoch));
    }

    /// The agent registers: the node is ready, tells all it knows and gets all it shall do.
    pub(crate) fn register(
        &mut self,
        node: NodeId,
        epoch: u32,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let Some(session) = self
            .sessions
            .get_mut(&node)
            .filter(|session| session.epoch == epoch && session.up && session.connected)
        else {
            return;
        };
        if ctx.now.since(session.registered_at) > RATE_LIMIT_PERIOD {
            session.registrations = 0;
        }
        if session.registrations >= RATE_LIMIT_COUNT {
            self.refuse_registration(node, epoch, ctx, out);
            return;
        }
        session.registrations += 1;
        session.registered_at = ctx.now;
        session.silent_since = None;
        session.epoch += 1;
        session.last_beat = ctx.now;
        session.beats += 1;
        session.outbox = session.agents.clone();
        let was_ready = self
            .store
            .node(node)
            .is_some_and(|node| node.state == NodeState::Ready);
        if !was_ready {
            self.store.update_node(node, ctx.now, |node| {
                node.state = NodeState::Ready;
                node.message = "";
            });
            self.note_node(out, "swarm.dispatcher", "ready", node, None);
        }
        self.mesh_regains(node, out);
        self.send_reports(node, ctx, out);
        self.hand_out_all(node, ctx, out);
    }

    /// A node that registers again and again is refused for a while; its agent comes back after a
    /// pause of its own.
    fn refuse_registration(
        &mut self,
        node: NodeId,
        epoch: u32,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let Some(object) = self.store.node(node) else {
            return;
        };
        let message = format!(
            "node {} exceeded rate limit count of registrations",
            object.identity.text()
        );
        let subject = Subject {
            kind: "node",
            name: Name::plain(object.name),
        };
        let key = ctx.now.as_micros();
        let wait = Stream::new(ctx.seed, "swarm.register-again", key, epoch)
            .duration_between(BACKOFF_FIRST, BACKOFF_MAX);
        out.after(wait, Event::Register(node, epoch));
        out.notice(Notice {
            source: "swarm.dispatcher",
            verb: "refuse",
            subject,
            detail: Detail::Text(ctx.symbols.intern(&message)),
            rule: None,
        });
    }

    /// No beat came in time.
    pub(crate) fn expire(
        &mut self,
        node: NodeId,
        epoch: u32,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let Some(session) = self
            .sessions
            .get(&node)
            .filter(|session| session.epoch == epoch)
        else {
            return;
        };
        assert!(
            session.silent_since.is_some(),
            "a node that speaks does not expire"
        );
        if self
            .store
            .node(node)
            .is_none_or(|node| node.state == NodeState::Down)
        {
            return;
        }
        self.store.update_node(node, ctx.now, |node| {
            node.message = if node.state == NodeState::Unknown {
                "heartbeat failure for node in \"unknown\" state"
            } else {
                "heartbeat failure"
            };
            node.state = NodeState::Down;
        });
        let rule = Rule {
            key: "dispatcher heartbeat × 3",
            value: self.settings.heartbeat_period * GRACE_MULTIPLIER,
        };
        self.note_node(out, "swarm.dispatcher", "down", node, Some(rule));
        out.after(NODE_DOWN_PERIOD, Event::Orphan(node, epoch));
    }

    /// The node has been down for a day: nobody knows what its tasks do.
    pub(crate) fn orphan(
        &mut self,
        node: NodeId,
        epoch: u32,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let still = self
            .sessions
            .get(&node)
            .is_some_and(|session| session.epoch == epoch);
        if !still
            || self
                .store
                .node(node)
                .is_none_or(|node| node.state != NodeState::Down)
        {
            return;
        }
        for task in self.tasks_on(node) {
            let row = self.store.tasks[task];
            if row.state >= TaskState::Assigned && row.state <= TaskState::Running {
                self.store.update_task(task, |row| {
                    row.state = TaskState::Orphaned;
                    row.status_at = ctx.now;
                });
                let rule = Rule {
                    key: "node down period",
                    value: NODE_DOWN_PERIOD,
                };
                self.note_task(
                    out,
                    "swarm.dispatcher",
                    "orphan",
                    task,
                    Detail::None,
                    Some(rule),
                );
            }
        }
    }

    /// Something that the node's agent must know changed: it is told a moment later, together with
    /// what else changes until then.
    pub(crate) fn assignments_changed(
        &mut self,
        node: NodeId,
        task: Option<TaskId>,
        ctx: &Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let wait = ASSIGNMENT_BATCHING + self.way(node, true, ctx);
        let Some(session) = self.sessions.get_mut(&node) else {
            return;
        };
        session.changed.extend(task);
        session.modifications += 1;
        if session.modifications < ASSIGNMENT_BATCH_LIMIT || !session.assign_scheduled {
            session.assign_due = ctx.now + wait;
        }
        if !session.assign_scheduled {
            session.assign_scheduled = true;
            out.after(wait, Event::Assign(node));
        }
    }

    /// How much longer a message takes between the leader and a node's agent.
    fn way(&self, node: NodeId, to_agent: bool, ctx: &Context<'_>) -> SimDuration {
        if !ctx.machines.shapes_links() {
            return SimDuration::ZERO;
        }
        let machine = |node| self.store.node(node).map(|node| node.machine);
        let leader = self.leader().and_then(machine);
        let (from, to) = if to_agent {
            (leader, machine(node))
        } else {
            (machine(node), leader)
        };
        ctx.machines.transit(from, to, (ctx.seed, ctx.now))
    }

    /// The batching timer of a node's assignments fired.
    pub(crate) fn assign(
        &mut self,
        node: NodeId,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let Some(session) = self.sessions.get_mut(&node) else {
            return;
        };
        if session.modifications < ASSIGNMENT_BATCH_LIMIT && ctx.now < session.assign_due {
            out.after(session.assign_due.since(ctx.now), Event::Assign(node));
            return;
        }
        session.assign_scheduled = false;
        session.modifications = 0;
        if !session.is_live() {
            // The complete set follows with the next session.
            return;
        }
        for task in std::mem::take(&mut session.changed) {
            self.agent_hears(node, task, ctx, out);
        }
    }

    /// A new session starts with the complete set of assignments.
    fn hand_out_all(&mut self, node: NodeId, ctx: &mut Context<'_>, out: &mut PlaneOutbox<Event>) {
        let Some(session) = self.sessions.get_mut(&node) else {
            return;
        };
        session.changed.clear();
        let known: Vec<TaskId> = session
            .agents
            .clone()
            .iter()
            .filter_map(|id| self.agents.get(*id))
            .map(|agent| agent.task)
            .collect();
        let mut tasks = self.tasks_on(node);
        tasks.extend(
            known
                .into_iter()
                .filter(|task| !self.store.tasks.contains(*task)),
        );
        for task in tasks {
            self.agent_hears(node, task, ctx, out);
        }
    }

    /// An agent has statuses to report: they are written at the next round of the manager's batch.
    pub(crate) fn send_reports(
        &mut self,
        node: NodeId,
        ctx: &Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let Some(session) = self.sessions.get(&node) else {
            return;
        };
        if !session.is_live() || session.outbox.is_empty() {
            return;
        }
        let arrives = ctx.now + self.way(node, false, ctx);
        if !self.reports.nodes.contains_key(&node) {
            self.reports.nodes.insert(node, arrives);
            self.next_reports(arrives, ctx.now, out);
        }
    }

    /// Schedules the manager's next round after reports have arrived.
    fn next_reports(&mut self, arrives: SimTime, now: SimTime, out: &mut PlaneOutbox<Event>) {
        let interval = STATUS_BATCH_INTERVAL.as_micros();
        let next = SimTime::from_micros((arrives.as_micros() / interval + 1) * interval);
        if self.reports.due.is_none_or(|due| due > next) {
            self.reports.due = Some(next);
            out.after(next.since(now), Event::Reports);
        }
    }

    /// Writes all reported statuses.
    pub(crate) fn write_reports(&mut self, ctx: &Context<'_>, out: &mut PlaneOutbox<Event>) {
        self.reports.due = self.reports.due.filter(|due| *due > ctx.now);
        let mut there = std::mem::take(&mut self.reports.nodes);
        there.retain(|node, arrives| {
            let is_there = *arrives <= ctx.now;
            if !is_there {
                self.reports.nodes.insert(*node, *arrives);
            }
            is_there
        });
        if let Some(first) = self.reports.nodes.values().min().copied() {
            self.next_reports(first, ctx.now, out);
        }
        for (node, _) in there {
            let Some(session) = self
                .sessions
                .get_mut(&node)
                .filter(|session| session.is_live())
            else {
                continue;
            };
            for id in std::mem::take(&mut session.outbox) {
                let Some(agent) = self.agents.get(id).copied() else {
                    continue;
                };
                let Some(row) = self.store.tasks.get(agent.task).copied() else {
                    continue;
                };
                // A report that is behind what is stored is ignored.
                let news = agent.state > row.state
                    || (agent.state == row.state && agent.error != row.error);
                if !news || agent.state < TaskState::Accepted {
                    continue;
                }
                self.store.update_task(agent.task, |row| {
                    row.state = agent.state;
                    row.message = agent.message;
                    row.error = agent.error;
                    row.status_at = agent.status_at;
                    row.container = agent.container.or(row.container);
                });
            }
        }
    }

    /// Leaves a line of the trace about a node.
    pub(crate) fn note_node(
        &self,
        out: &mut PlaneOutbox<Event>,
        source: &'static str,
        verb: &'static str,
        node: NodeId,
        rule: Option<Rule>,
    ) {
        if let Some(object) = self.store.node(node) {
            let subject = Subject {
                kind: "node",
                name: Name::plain(object.name),
            };
            out.notice(Notice {
                source,
                verb,
                subject,
                detail: Detail::None,
                rule,
            });
        }
    }
}

/// How long an agent that was cut off for `silence` takes to try again after the link is back.
///
/// Each attempt fails after the call's time-out and is followed by a random sleep below a back-off
/// of 100 ms plus twice the one before, at most 8 s.
fn reconnect_wait(stream: &mut Stream, silence: SimDuration) -> SimDuration {
    let mut elapsed = AGENT_CALL_TIMEOUT;
    let mut backoff = BACKOFF_FIRST;
    loop {
        elapsed += stream.duration_between(SimDuration::ZERO, backoff);
        if elapsed >= silence {
            return elapsed.saturating_sub(silence);
        }
        // The attempt is made while the link is still cut.
        elapsed += AGENT_CALL_TIMEOUT;
        backoff = (BACKOFF_FIRST + backoff * 2).min(BACKOFF_MAX);
        if elapsed >= silence {
            return stream.duration_between(SimDuration::ZERO, backoff);
        }
    }
}
