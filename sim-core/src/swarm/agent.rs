//! A node's agent and its executor: lowers a task to one sandbox with one container.
//! Source: swarmkit `agent/{worker,task,exec/controller}.go`, moby
//! `daemon/cluster/executor/container/{controller,adapter}.go`.
//!
//! ```text
//! ACCEPTED -> PREPARING: sandbox, pull -> READY -> STARTING: start [-> healthy] -> RUNNING
//!                    \-> REJECTED                     \-> FAILED       \-> COMPLETE | FAILED | SHUTDOWN
//! ```
//!
//! The agent goes on by itself when it is cut off, starts nothing it was not told to start, and
//! never restarts a container.

use crate::base::id::Id;
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::Detail;
use crate::substrate::order::{
    ContainerId, MachineId, Order, Owner, PullError, PullPolicy, SandboxId,
};
use crate::substrate::{Context, PlaneOutbox};
use crate::swarm::state::{Message, TaskState};
use crate::swarm::store::{NodeId, ServiceId, TaskError, TaskId, TemplateId};
use crate::swarm::{Event, SwarmPlane};

mod upcalls;

/// Wait between leaving the load balancers and the stop signal.
/// Source: moby `daemon/cluster/executor/container/controller.go` defaultGossipConvergeDelay.
pub const GOSSIP_CONVERGE_DELAY: SimDuration = SimDuration::from_secs(2);

/// Exit code of a container that died with its machine.
/// Source: moby `daemon/daemon.go` restore.
pub const EXIT_LOST: i32 = 255;

/// A task on its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentTask {
    /// The manager's task.
    pub task: TaskId,
    /// Its service.
    pub service: ServiceId,
    /// What it was made from.
    pub template: TemplateId,
    /// The node.
    pub node: NodeId,
    /// The machine.
    pub machine: MachineId,
    /// State the agent has seen.
    pub state: TaskState,
    /// State the agent was told to bring it to.
    pub desired: TaskState,
    /// Message of its status.
    pub message: Message,
    /// Error of its status.
    pub error: TaskError,
    /// When its status last changed.
    pub status_at: SimTime,
    /// Its sandbox, while there is one.
    pub sandbox: Option<SandboxId>,
    /// Its container, while there is one.
    pub container: Option<ContainerId>,
    network_ready: bool,
    pulled: bool,
    pull_error: Option<PullError>,
    stopping: bool,
    unhealthy: bool,
    dropped: bool,
}

impl SwarmPlane {
    /// The agent is told about a task: new, changed, or gone.
    pub(crate) fn agent_hears(
        &mut self,
        node: NodeId,
        task: TaskId,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let Some(session) = self.sessions.get(&node) else {
            return;
        };
        let Some(row) = self.store.tasks.get(task).copied() else {
            let known = session
                .agents
                .iter()
                .copied()
                .find(|id| self.agents.get(*id).is_some_and(|agent| agent.task == task));
            if let Some(id) = known {
                self.agent_drops(id, out);
            }
            return;
        };
        if row.state < TaskState::Assigned || row.node != Some(node) {
            return;
        }
        if let Some(id) = row.agent.filter(|id| self.agents.contains(*id)) {
            if self.agents[id].desired != row.desired {
                self.agents[id].desired = row.desired;
                self.agent_acts(id, ctx, out);
            }
            return;
        }
        if row.state > TaskState::Running {
            return;
        }
        let Some(machine) = self.store.node(node).map(|node| node.machine) else {
            return;
        };
        let agent = AgentTask {
            task,
            service: row.service,
            template: row.template,
            node,
            machine,
            state: TaskState::Accepted,
            desired: row.desired,
            message: Message::Accepted,
            error: TaskError::None,
            status_at: ctx.now,
            sandbox: None,
            container: None,
            network_ready: false,
            pulled: false,
            pull_error: None,
            stopping: false,
            unhealthy: false,
            dropped: false,
        };
        let id = self.agents.insert(agent);
        self.store.touch_task(task, |row| row.agent = Some(id));
        if let Some(session) = self.sessions.get_mut(&node) {
            session.agents.push(id);
        }
        if row.desired >= TaskState::Shutdown {
            self.agent_acts(id, ctx, out);
        } else {
            self.prepare(id, ctx, out);
        }
    }

    /// Gets image and network.
    fn prepare(&mut self, id: Id<AgentTask>, ctx: &mut Context<'_>, out: &mut PlaneOutbox<Event>) {
        let agent = self.agents[id];
        let image = self.store.template(agent.template).image;
        self.agent_enters(
            id,
            TaskState::Preparing,
            Message::Preparing,
            TaskError::None,
            ctx,
            out,
        );
        self.note_task(
            out,
            "swarm.agent",
            "prepare",
            agent.task,
            Detail::None,
            None,
        );
        let owner = owner(id);
        self.node_takes_task(agent.node, agent.task);
        let spec = self.sandbox_of_task(agent.task, agent.service);
        out.order(Order::CreateSandbox {
            owner,
            machine: agent.machine,
            spec,
        });
        out.order(Order::Pull {
            owner,
            machine: agent.machine,
            image,
            policy: PullPolicy::Always,
        });
    }

    /// Does the next step towards what is desired.
    fn agent_acts(
        &mut self,
        id: Id<AgentTask>,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let agent = self.agents[id];
        if agent.state > TaskState::Running {
            return;
        }
        if agent.desired > TaskState::Complete {
            if agent.state <= TaskState::Ready {
                self.agent_ends(
                    id,
                    TaskState::Shutdown,
                    Message::Shutdown,
                    TaskError::None,
                    ctx,
                    out,
                );
            } else {
                self.stop(id, out);
            }
        } else if agent.state == TaskState::Ready && agent.desired >= TaskState::Running {
            self.start(id, ctx, out);
        }
    }

    fn start(&mut self, id: Id<AgentTask>, ctx: &mut Context<'_>, out: &mut PlaneOutbox<Event>) {
        let agent = self.agents[id];
        let Some(sandbox) = agent.sandbox else { return };
        let template = self.store.template(agent.template).clone();
        self.agent_enters(
            id,
            TaskState::Starting,
            Message::Starting,
            TaskError::None,
            ctx,
            out,
        );
        self.note_task(out, "swarm.agent", "start", agent.task, Detail::None, None);
        let owner = owner(id);
        for port in template.host_ports() {
            out.order(Order::BindPort {
                owner,
                sandbox,
                port: port.published,
            });
        }
        out.order(Order::Start {
            owner,
            sandbox,
            spec: template.container.clone(),
        });
    }

    /// Takes a task off the load balancers, then stops its container.
    fn stop(&mut self, id: Id<AgentTask>, out: &mut PlaneOutbox<Event>) {
        let agent = self.agents[id];
        if agent.stopping {
            return;
        }
        self.agents[id].stopping = true;
        self.announce(id, false, out);
        if self.store.template(agent.template).balanced {
            out.after(GOSSIP_CONVERGE_DELAY, Event::Drained(id));
        } else {
            self.drained(id, out);
        }
    }

    /// The load balancers have heard: the stop signal follows.
    pub(crate) fn drained(&mut self, id: Id<AgentTask>, out: &mut PlaneOutbox<Event>) {
        let Some(agent) = self.agents.get(id).copied() else {
            return;
        };
        if agent.state <= TaskState::Running
            && let Some(container) = agent.container
        {
            let grace = self
                .store
                .template(agent.template)
                .spec
                .task
                .container
                .stop_grace_period;
            out.order(Order::Stop { container, grace });
        }
    }

    /// The task is no longer assigned: it is shut down as any other, then whatever is left goes.
    /// Source: moby `daemon/cluster/executor/container/controller.go` Remove.
    fn agent_drops(&mut self, id: Id<AgentTask>, out: &mut PlaneOutbox<Event>) {
        let agent = &mut self.agents[id];
        let runs = agent.state <= TaskState::Running && agent.container.is_some();
        agent.dropped = true;
        if runs {
            agent.desired = TaskState::Remove;
            self.stop(id, out);
        } else {
            self.agent_forgets(id, out);
        }
    }

    /// Nothing is left of a task.
    fn agent_forgets(&mut self, id: Id<AgentTask>, out: &mut PlaneOutbox<Event>) {
        self.announce(id, false, out);
        let Some(agent) = self.agents.remove(id) else {
            return;
        };
        if let Some(sandbox) = agent.sandbox {
            out.order(Order::RemoveSandbox { sandbox });
        }
        if let Some(session) = self.sessions.get_mut(&agent.node) {
            session.agents.retain(|other| *other != id);
            session.outbox.retain(|other| *other != id);
        }
    }

    /// All that a removed node's agent had is gone.
    pub(crate) fn agent_removed(&mut self, node: NodeId, out: &mut PlaneOutbox<Event>) {
        let agents = self
            .sessions
            .get(&node)
            .map(|session| session.agents.clone())
            .unwrap_or_default();
        for id in agents {
            self.agent_forgets(id, out);
        }
        self.sessions.remove(&node);
    }

    /// The node leaves the swarm: its engine removes the swarm's containers.
    /// Source: moby `daemon/cluster/swarm.go` Leave.
    pub(crate) fn agent_leaves(&mut self, node: NodeId, out: &mut PlaneOutbox<Event>) {
        let agents = self.sessions.get(&node);
        let agents = agents.map(|session| session.agents.clone());
        for id in agents.unwrap_or_default() {
            self.agent_forgets(id, out);
        }
    }

    fn agent_enters(
        &mut self,
        id: Id<AgentTask>,
        state: TaskState,
        message: Message,
        error: TaskError,
        ctx: &Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let agent = &mut self.agents[id];
        agent.state = state;
        agent.message = message;
        agent.error = error;
        agent.status_at = ctx.now;
        let node = agent.node;
        if let Some(session) = self.sessions.get_mut(&node) {
            if !session.outbox.contains(&id) {
                session.outbox.push(id);
            }
            self.send_reports(node, ctx, out);
        }
    }

    fn agent_ends(
        &mut self,
        id: Id<AgentTask>,
        state: TaskState,
        message: Message,
        error: TaskError,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        assert!(state > TaskState::Running, "a task ends in a final state");
        self.announce(id, false, out);
        self.agent_enters(id, state, message, error, ctx, out);
        let task = self.agents[id].task;
        let (verb, detail) = match (state, error) {
            (TaskState::Complete, _) => ("complete", Detail::Exit(0)),
            (_, TaskError::Exit(code) | TaskError::Unhealthy(code)) => ("exit", Detail::Exit(code)),
            (TaskState::Shutdown, _) => ("shutdown", Detail::None),
            (_, TaskError::Text(text)) => (
                if state == TaskState::Rejected {
                    "reject"
                } else {
                    "fail"
                },
                Detail::Text(text),
            ),
            (_, TaskError::None | TaskError::Enforced) => ("fail", Detail::None),
        };
        self.note_task(out, "swarm.agent", verb, task, detail, None);
        if self.agents[id].dropped {
            self.agent_forgets(id, out);
        }
    }

    /// The machine lost power: its containers are gone, and its agent knows it only after the boot.
    pub(crate) fn agent_loses_power(&mut self, node: NodeId) {
        let agents = self
            .sessions
            .get(&node)
            .map(|session| session.agents.clone())
            .unwrap_or_default();
        for id in agents {
            let agent = &mut self.agents[id];
            agent.sandbox = None;
            agent.container = None;
            agent.network_ready = false;
            let agent = *agent;
            self.receiver_lost(&agent, id);
        }
    }

    /// The agent starts anew and looks at what became of its tasks.
    pub(crate) fn agent_boots(
        &mut self,
        node: NodeId,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let agents = self
            .sessions
            .get(&node)
            .map(|session| session.agents.clone())
            .unwrap_or_default();
        for id in agents {
            let agent = self.agents[id];
            if agent.state > TaskState::Running {
                continue;
            }
            if agent.desired > TaskState::Complete {
                self.agent_ends(
                    id,
                    TaskState::Shutdown,
                    Message::Shutdown,
                    TaskError::None,
                    ctx,
                    out,
                );
            } else if agent.state >= TaskState::Starting {
                self.agent_ends(
                    id,
                    TaskState::Failed,
                    Message::Started,
                    TaskError::Exit(EXIT_LOST),
                    ctx,
                    out,
                );
            } else {
                self.agents[id].pulled = false;
                self.agents[id].pull_error = None;
                self.prepare(id, ctx, out);
            }
        }
    }
}

fn owner(id: Id<AgentTask>) -> Owner {
    Owner {
        slot: id.slot(),
        generation: id.generation().get(),
        part: 0,
    }
}
