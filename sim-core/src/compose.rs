//! A Compose project on one host: the container engine that runs there, and the client that reads
//! the file, plans, executes once and is gone.
//!
//! Nothing here reconciles. What brings a container back is the engine's restart policy alone.

pub mod client;
pub mod engine;
pub mod graph;
pub mod lower;
pub mod store;
pub mod view;

use std::sync::Arc;

use crate::api::compose::project::Project;
use crate::api::node::NodeSetup;
use crate::api::status::WorkloadStatus;
use crate::base::id::Id;
use crate::base::symbol::Symbols;
use crate::base::time::SimDuration;
use crate::substrate::order::{MachineId, Owner, SandboxId, Upcall};
use crate::substrate::{Context, PlaneOutbox};

use client::{Operation, OperationKind};
use store::{ContainerRow, Store};

/// What a handler of this plane fills.
pub type Out = PlaneOutbox<Event>;

/// Events of this plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The restart back-off of a container is over.
    Restart {
        /// Which container.
        container: Id<ContainerRow>,
        /// Number of the attempt that the timer belongs to.
        attempt: u32,
    },
    /// A client's operation looks again.
    Step {
        /// Number of the operation.
        operation: u32,
    },
    /// The engine has loaded its containers after the host booted.
    EngineUp {
        /// Boot that the timer belongs to.
        boot: u32,
    },
}

/// Options of `docker compose up`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct UpOptions {
    /// Recreate containers even if nothing changed.
    pub force_recreate: bool,
    /// Never recreate.
    pub no_recreate: bool,
    /// Remove containers of services that left the file.
    pub remove_orphans: bool,
    /// Wait until running or healthy.
    pub wait: bool,
    /// Only these services and what they depend on; empty: all.
    pub services: Vec<Arc<str>>,
    /// Replica counts that override the file.
    pub scale: Vec<(Arc<str>, u32)>,
    /// Create, but do not start.
    pub no_start: bool,
}

/// A request to the engine or a client's command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// `compose up`: starts a client's operation.
    Up {
        /// The project.
        project: Arc<Project>,
        /// What the command line said.
        options: UpOptions,
    },
    /// `compose down`.
    Down {
        /// The project.
        project: Arc<str>,
        /// Whether volumes go too.
        volumes: bool,
        /// Time between stop signal and kill; none: each container's own.
        grace: Option<SimDuration>,
    },
    /// `compose stop` / `docker stop`: containers by name.
    Stop {
        /// Names, or beginnings of ids.
        containers: Vec<Arc<str>>,
        /// Time between stop signal and kill; none: each container's own.
        grace: Option<SimDuration>,
    },
    /// `docker start`.
    Start {
        /// Names, or beginnings of ids.
        containers: Vec<Arc<str>>,
    },
    /// `docker restart`.
    Restart {
        /// Names, or beginnings of ids.
        containers: Vec<Arc<str>>,
        /// Time between stop signal and kill; none: each container's own.
        grace: Option<SimDuration>,
    },
    /// `docker kill`.
    Kill {
        /// Names, or beginnings of ids.
        containers: Vec<Arc<str>>,
    },
    /// `docker rm`.
    Remove {
        /// Names, or beginnings of ids.
        containers: Vec<Arc<str>>,
        /// Whether a running container is killed first.
        force: bool,
    },
    /// `docker update --restart`.
    SetRestart {
        /// Which container.
        container: Arc<str>,
        /// The new policy.
        restart: crate::api::compose::service::Restart,
    },
}

/// What a request answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// An operation was started; its progress is read with [`ComposePlane::operation`].
    Operation(u32),
    /// Names of the containers that were acted upon.
    Containers(Vec<String>),
}

/// A refusal, in the engine's or the client's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The message without a prefix.
    pub message: String,
    /// Exit code of the command line.
    pub code: i32,
}

impl Refusal {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: 1,
        }
    }
}

/// The plane.
#[derive(Clone, Debug)]
pub struct ComposePlane {
    pub(crate) store: Store,
    pub(crate) host: Option<MachineId>,
    /// Whether the engine runs: the host has power and has booted.
    pub(crate) engine_up: bool,
    pub(crate) boots: u32,
    pub(crate) operations: Vec<Operation>,
}

impl Default for ComposePlane {
    fn default() -> Self {
        Self::new()
    }
}

impl ComposePlane {
    /// No host yet.
    pub fn new() -> Self {
        Self {
            store: Store::default(),
            host: None,
            engine_up: false,
            boots: 0,
            operations: Vec::new(),
        }
    }

    /// The first machine is the host; others are left alone.
    pub fn machine_added(
        &mut self,
        machine: MachineId,
        _setup: &NodeSetup,
        _ctx: &mut Context<'_>,
        _out: &mut Out,
    ) {
        if self.host.is_none() {
            self.host = Some(machine);
            self.engine_up = true;
        }
    }

    /// Without its host the project is gone.
    pub fn machine_removed(&mut self, machine: MachineId, _ctx: &mut Context<'_>, _out: &mut Out) {
        if self.host == Some(machine) {
            self.host = None;
            self.engine_up = false;
        }
    }

    /// Handles one of this plane's events.
    pub fn handle(&mut self, event: Event, ctx: &mut Context<'_>, out: &mut Out) {
        match event {
            Event::Restart { container, attempt } => self.restart_due(container, attempt, ctx, out),
            Event::Step { operation } => self.step_operation(operation, ctx, out),
            Event::EngineUp { boot } => self.engine_started(boot, ctx, out),
        }
    }

    /// Handles what the host reports.
    pub fn upcall(&mut self, upcall: Upcall, ctx: &mut Context<'_>, out: &mut Out) {
        match upcall {
            Upcall::MachineDown { machine } => self.host_down(machine),
            Upcall::MachineUp { machine } => self.host_up(machine, ctx, out),
            Upcall::ControlLink { .. } => {}
            Upcall::Pulled { owner, .. } => self.pulled(owner, None, ctx, out),
            Upcall::PullFailed { owner, error, .. } => self.pulled(owner, Some(error), ctx, out),
            Upcall::SandboxCreated { owner, sandbox } => self.sandbox_created(owner, sandbox),
            Upcall::SandboxReady { owner, sandbox } => self.sandbox_ready(owner, sandbox, ctx, out),
            Upcall::SandboxFailed { owner, .. } => self.start_failed(owner, 125, ctx, out),
            Upcall::PortTaken {
                owner,
                sandbox,
                port,
            } => self.port_taken(owner, sandbox, port, ctx, out),
            Upcall::ContainerCreated { owner, container } => self.process_created(owner, container),
            Upcall::Started { owner, container } => self.started(owner, container, ctx, out),
            Upcall::StartFailed { owner, code, .. } => self.start_failed(owner, code, ctx, out),
            Upcall::Exited {
                owner,
                container,
                code,
                oom,
            } => self.exited(owner, container, code, oom, ctx, out),
            Upcall::Probe {
                owner,
                container,
                success,
                ..
            } => self.probed(owner, container, success, ctx, out),
        }
    }

    /// Carries out a request.
    ///
    /// # Errors
    /// The engine's or the client's own message.
    pub fn request(
        &mut self,
        request: &Request,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) -> Result<Response, Refusal> {
        if self.host.is_none() || !self.engine_up {
            return Err(Refusal::new(
                "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
            ));
        }
        match request {
            Request::Up { project, options } => self.begin(
                OperationKind::Up,
                project.clone(),
                options.clone(),
                ctx,
                out,
            ),
            Request::Down {
                project,
                volumes,
                grace,
            } => self.begin_down(project, *volumes, *grace, ctx, out),
            Request::Stop { containers, grace } => self.stop(containers, *grace, ctx, out),
            Request::Start { containers } => self.start(containers, ctx, out),
            Request::Restart { containers, grace } => self.restart(containers, *grace, ctx, out),
            Request::Kill { containers } => self.kill(containers, ctx, out),
            Request::Remove { containers, force } => self.remove(containers, *force, ctx, out),
            Request::SetRestart { container, restart } => {
                self.set_restart(container, *restart, ctx)
            }
        }
    }

    /// Compose has no flags that this plane models.
    ///
    /// # Errors
    /// Always: the sentence names the key.
    pub fn set(&mut self, key: &str, _value: &str) -> Result<(), String> {
        Err(format!("unknown setting \"{key}\""))
    }

    /// None.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Every service of the projects that were brought up.
    pub fn workloads(&self, symbols: &Symbols) -> Vec<WorkloadStatus> {
        self.store
            .services
            .iter()
            .map(|service| {
                let ready = self
                    .store
                    .of_service(service.name)
                    .filter(|(_, row)| row.is_ready() && self.engine_up)
                    .count() as u32;
                WorkloadStatus {
                    name: symbols.text(service.name).to_owned(),
                    kind: "service",
                    desired: service.desired,
                    ready,
                    unmet: service.desired.saturating_sub(ready),
                    blocked: 0,
                }
            })
            .collect()
    }

    /// Replicas that the file asks for and that are not ready.
    pub fn unmet(&self) -> u64 {
        let wanted: u64 = self
            .store
            .services
            .iter()
            .map(|service| u64::from(service.desired))
            .sum();
        let ready = if self.engine_up {
            self.store
                .containers
                .iter()
                .filter(|(_, row)| row.is_ready() && row.wanted)
                .count() as u64
        } else {
            0
        };
        wanted.saturating_sub(ready)
    }

    /// Sandboxes of a service's containers, by number.
    pub fn sandboxes_of(&self, workload: &str, symbols: &Symbols) -> Vec<SandboxId> {
        let Some(name) = symbols.get(workload) else {
            return Vec::new();
        };
        let mut found: Vec<(u32, SandboxId)> = self
            .store
            .of_service(name)
            .filter_map(|(_, row)| Some((row.number, row.sandbox?)))
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, sandbox)| sandbox).collect()
    }

    /// The sandbox of a container, by its name.
    pub fn sandbox_named(&self, name: &str, symbols: &Symbols) -> Option<SandboxId> {
        let symbol = symbols.get(name)?;
        self.store
            .containers
            .iter()
            .find(|(_, row)| row.name == symbol)?
            .1
            .sandbox
    }

    /// Lines that an operation printed so far, and its exit code once it is over.
    pub fn operation(&self, number: u32) -> Option<(&[String], Option<i32>)> {
        self.operations
            .get(number as usize)
            .map(|operation| (operation.lines.as_slice(), operation.exit))
    }

    pub(crate) fn row_of(&self, owner: Owner) -> Option<Id<ContainerRow>> {
        let id = Id::new(owner.slot, std::num::NonZeroU32::new(owner.generation)?);
        self.store.containers.get(id).map(|_| id)
    }
}
