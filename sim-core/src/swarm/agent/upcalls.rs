//! What an agent does when its machine reports about one of its tasks.

use crate::base::id::Id;
use crate::base::name::Name;
use crate::base::symbol::Symbol;
use crate::des::notice::Detail;
use crate::substrate::order::{Order, Owner, PullError, PullPolicy, Upcall};
use crate::substrate::{Context, PlaneOutbox};
use crate::swarm::state::{Message, TaskState};
use crate::swarm::store::TaskError;
use crate::swarm::{Event, SwarmPlane};

use super::AgentTask;

impl SwarmPlane {
    /// A machine reports about one of the agent's tasks.
    pub(crate) fn agent_upcall(
        &mut self,
        upcall: Upcall,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let owner = match upcall {
            Upcall::Pressure { .. } | Upcall::Asks { .. } => return,
            Upcall::SandboxCreated { owner, .. }
            | Upcall::SandboxReady { owner, .. }
            | Upcall::SandboxFailed { owner, .. }
            | Upcall::Pulled { owner, .. }
            | Upcall::PullFailed { owner, .. }
            | Upcall::ContainerCreated { owner, .. }
            | Upcall::Started { owner, .. }
            | Upcall::StartFailed { owner, .. }
            | Upcall::Exited { owner, .. }
            | Upcall::Probe { owner, .. }
            | Upcall::PortTaken { owner, .. } => owner,
            Upcall::MachineDown { .. } | Upcall::MachineUp { .. } | Upcall::ControlLink { .. } => {
                unreachable!("reports about machines concern no single task")
            }
        };
        let Some(id) = self.agent_of(owner) else {
            // Of a task that was forgotten meanwhile.
            if let Upcall::SandboxCreated { sandbox, .. } = upcall {
                out.order(Order::RemoveSandbox { sandbox });
            }
            return;
        };
        match upcall {
            Upcall::SandboxCreated { sandbox, .. } => self.agents[id].sandbox = Some(sandbox),
            Upcall::ContainerCreated { container, .. } => {
                self.agents[id].container = Some(container);
            }
            Upcall::SandboxReady { .. } => {
                self.agents[id].network_ready = true;
                self.prepared(id, ctx, out);
            }
            Upcall::Pulled { .. } => {
                self.agents[id].pulled = true;
                self.prepared(id, ctx, out);
            }
            Upcall::SandboxFailed { .. } if self.agents[id].state < TaskState::Starting => {
                self.refuses(
                    id,
                    "node is missing network attachments, ip addresses may be exhausted",
                    (ctx, out),
                );
            }
            Upcall::PullFailed { image, error, .. } => {
                self.pull_failed((id, owner), image, error, (ctx, out));
            }
            Upcall::Started { .. } => {
                let template = self.store.template(self.agents[id].template);
                if template.container.probes.is_empty() {
                    self.runs(id, ctx, out);
                }
            }
            Upcall::StartFailed { code, .. } if self.agents[id].state <= TaskState::Running => {
                let template = self.store.template(self.agents[id].template);
                let container = &template.spec.task.container;
                let words = container.command.first().or(container.args.first());
                let text = start_text(code, words.map_or("", |word| word));
                self.start_failed(id, &text, (ctx, out));
            }
            Upcall::Exited { code, .. } => self.exited(id, code, ctx, out),
            Upcall::Probe { success: true, .. } => self.runs(id, ctx, out),
            Upcall::Probe { success: false, .. } => self.unhealthy(id, out),
            Upcall::PortTaken { port, .. } if self.agents[id].state <= TaskState::Running => {
                if let Some(container) = self.agents[id].container {
                    out.order(Order::Kill { container });
                }
                let text = format!(
                    "starting container failed: driver failed programming external connectivity: Bind for 0.0.0.0:{port} failed: port is already allocated"
                );
                self.start_failed(id, &text, (ctx, out));
            }
            // A task that has ended, or machines, of which the plane hears by itself.
            _ => {}
        }
    }

    /// A task cannot be prepared.
    fn refuses(
        &mut self,
        id: Id<AgentTask>,
        text: &str,
        (ctx, out): (&mut Context<'_>, &mut PlaneOutbox<Event>),
    ) {
        let error = TaskError::Text(ctx.symbols.intern(text));
        let message = Message::Preparing;
        self.agent_ends(id, TaskState::Rejected, message, error, ctx, out);
    }

    /// A task's container cannot be started.
    fn start_failed(
        &mut self,
        id: Id<AgentTask>,
        text: &str,
        (ctx, out): (&mut Context<'_>, &mut PlaneOutbox<Event>),
    ) {
        let error = TaskError::Text(ctx.symbols.intern(text));
        self.agent_ends(id, TaskState::Failed, Message::Starting, error, ctx, out);
    }

    /// A pull may fail if the image is there all the same.
    fn pull_failed(
        &mut self,
        (id, owner): (Id<AgentTask>, Owner),
        image: Symbol,
        error: PullError,
        (ctx, out): (&mut Context<'_>, &mut PlaneOutbox<Event>),
    ) {
        let agent = self.agents[id];
        if agent.state != TaskState::Preparing {
            return;
        }
        let Some(first) = agent.pull_error else {
            self.agents[id].pull_error = Some(error);
            out.order(Order::Pull {
                owner,
                machine: agent.machine,
                image,
                policy: PullPolicy::Never,
            });
            return;
        };
        let text = pull_text(first, ctx.symbols.text(image));
        self.refuses(id, &text, (ctx, out));
    }

    /// A health check failed for good.
    fn unhealthy(&mut self, id: Id<AgentTask>, out: &mut PlaneOutbox<Event>) {
        if self.agents[id].stopping {
            return;
        }
        self.agents[id].unhealthy = true;
        let task = self.agents[id].task;
        self.note_task(out, "swarm.agent", "unhealthy", task, Detail::None, None);
        self.stop(id, out);
    }

    fn agent_of(&self, owner: Owner) -> Option<Id<AgentTask>> {
        let id = Id::new(owner.slot, std::num::NonZeroU32::new(owner.generation)?);
        self.agents.contains(id).then_some(id)
    }

    fn prepared(&mut self, id: Id<AgentTask>, ctx: &mut Context<'_>, out: &mut PlaneOutbox<Event>) {
        let agent = self.agents[id];
        if agent.state == TaskState::Preparing && agent.pulled && agent.network_ready {
            self.agent_enters(
                id,
                TaskState::Ready,
                Message::Prepared,
                TaskError::None,
                ctx,
                out,
            );
            self.agent_acts(id, ctx, out);
        }
    }

    fn runs(&mut self, id: Id<AgentTask>, ctx: &mut Context<'_>, out: &mut PlaneOutbox<Event>) {
        let agent = self.agents[id];
        if agent.state != TaskState::Starting || agent.stopping {
            return;
        }
        self.agent_enters(
            id,
            TaskState::Running,
            Message::Started,
            TaskError::None,
            ctx,
            out,
        );
        self.announce(id, true, out);
        let node = self
            .store
            .node(agent.node)
            .map(|node| Name::plain(node.name));
        self.note_task(
            out,
            "swarm.agent",
            "running",
            agent.task,
            node.map_or(Detail::None, Detail::To),
            None,
        );
    }

    fn exited(
        &mut self,
        id: Id<AgentTask>,
        code: i32,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let agent = self.agents[id];
        if agent.state > TaskState::Running {
            return;
        }
        let (state, message, error) = if agent.unhealthy {
            (
                TaskState::Failed,
                Message::Started,
                TaskError::Unhealthy(code),
            )
        } else if agent.desired > TaskState::Complete {
            (TaskState::Shutdown, Message::Shutdown, TaskError::None)
        } else if code == 0 {
            (TaskState::Complete, Message::Finished, TaskError::None)
        } else {
            (TaskState::Failed, Message::Started, TaskError::Exit(code))
        };
        self.agent_ends(id, state, message, error, ctx, out);
    }
}

/// The daemon's words for a failed pull. Source: moby `daemon/images`, distribution error codes.
fn pull_text(error: PullError, image: &str) -> String {
    match error {
        PullError::Denied => format!(
            "pull access denied for {}, repository does not exist or may require 'docker login'",
            repository(image)
        ),
        PullError::ManifestUnknown => {
            format!("manifest for {image} not found: manifest unknown: manifest unknown")
        }
        PullError::RegistryDown => format!(
            "Get \"https://registry-1.docker.io/v2/\": net/http: request canceled while waiting for connection while pulling {image}"
        ),
        PullError::NotPresent => format!("No such image: {image}"),
        PullError::NoSpace => {
            "write /var/lib/docker/tmp/GetImageBlob: no space left on device".to_owned()
        }
        PullError::InvalidName => "invalid reference format".to_owned(),
    }
}

/// The image's name without tag and digest.
fn repository(image: &str) -> &str {
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        Some(_) | None => name,
    }
}

fn start_text(code: i32, word: &str) -> String {
    let reason = if code == 126 {
        "permission denied"
    } else {
        "executable file not found in $PATH"
    };
    format!(
        "starting container failed: failed to create task for container: OCI runtime create failed: \
         runc create failed: unable to start container process: error during container init: exec: \"{word}\": {reason}"
    )
}
