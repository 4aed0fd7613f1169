//! A Compose project on one host: the container engine that runs there, and the client that reads
//! the file, plans, executes once and is gone.
//!
//! Nothing here reconciles. What brings a container back is the engine's restart policy alone.

pub mod client;
pub mod engine;
pub mod pools;
pub mod resource;
pub mod graph;
pub mod lower;
pub mod names;
pub mod store;
pub mod validate;
pub mod view;

use std::sync::Arc;

use crate::api::compose::container::{ContainerConfig, ContainerLimits};
use crate::api::compose::project::Project;
use crate::api::compose::service::Restart;
use crate::api::node::NodeSetup;
use crate::api::status::WorkloadStatus;
use crate::base::arrange::Arrange;
use crate::base::id::Id;
use crate::base::sentence::passage::Passage;
use crate::base::sentence::{Sentence, catalogue};
use crate::base::sorted::SortedMap;
use crate::base::symbol::Symbols;
use crate::base::time::SimDuration;
use crate::substrate::net::filter::Cidr;
use crate::substrate::order::{MachineId, Owner, SandboxId, Upcall};
use crate::substrate::{Context, PlaneOutbox};

use client::Operation;
use store::{ContainerRow, State, Store};

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
    /// Recreate containers of the named services even if nothing changed.
    pub force_recreate: bool,
    /// Recreate those of their dependencies too.
    pub recreate_dependencies: bool,
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
    /// Only see to images, networks and volumes: what `compose run` needs of its own service.
    pub only_resources: bool,
    /// Ask the registry for every image first.
    pub pull: bool,
    /// Time between stop signal and kill of containers in the way; none: each container's own.
    pub grace: Option<SimDuration>,
}

/// Options of `docker compose down`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DownOptions {
    /// Whether named volumes go too.
    pub volumes: bool,
    /// Whether containers of services that are not in the file go too.
    pub orphans: bool,
    /// Whether images go too: those that were built without a name of their own, or all.
    pub images: Option<Images>,
}

/// Which images `down --rmi` removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Images {
    /// Those that Compose named.
    Local,
    /// All that services use.
    All,
}

/// A project and the part of it that a command is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Part {
    /// Name of the project.
    pub project: Arc<str>,
    /// The project as its files say; none: as its containers' labels say.
    pub model: Option<Arc<Project>>,
    /// Only these services; empty: all.
    pub services: Vec<Arc<str>>,
    /// Time between stop signal and kill; none: each container's own.
    pub grace: Option<SimDuration>,
}

/// A request to the engine or a client's command.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
        /// What of it.
        part: Part,
        /// What the command line said.
        options: DownOptions,
    },
    /// `compose stop`.
    StopProject {
        /// What of it.
        part: Part,
    },
    /// `compose start`.
    StartProject {
        /// What of it.
        part: Part,
    },
    /// `compose restart`.
    RestartProject {
        /// What of it.
        part: Part,
        /// Whether services that ask to be restarted with others are left alone.
        no_dependents: bool,
    },
    /// `docker pull`, `compose pull`: starts an operation.
    Pull {
        /// References as written.
        images: Vec<Arc<str>>,
        /// Only those that are not there.
        missing_only: bool,
    },
    /// An image that is built here: what is in it is not modelled.
    Build {
        /// Its reference.
        image: Arc<str>,
    },
    /// `docker image rm`.
    RemoveImage {
        /// Its reference.
        image: Arc<str>,
    },
    /// `docker create`.
    Create {
        /// Its name.
        name: Arc<str>,
        /// What it is to be.
        config: Arc<ContainerConfig>,
        /// Project and service, for `compose run`.
        one_off: Option<(Arc<str>, Arc<str>)>,
    },
    /// `docker stop`: containers by name.
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
        /// Whether it is the signal that asks for an orderly end, instead of SIGKILL.
        polite: bool,
    },
    /// `docker rm`.
    Remove {
        /// Names, or beginnings of ids.
        containers: Vec<Arc<str>>,
        /// Whether a running container is killed first.
        force: bool,
    },
    /// `docker rename`.
    Rename {
        /// Which container.
        container: Arc<str>,
        /// Its new name.
        name: Arc<str>,
    },
    /// `docker update`.
    Update {
        /// Which container.
        container: Arc<str>,
        /// The new policy, if it changes.
        restart: Option<Restart>,
        /// The new bounds, if they change.
        limits: Option<ContainerLimits>,
    },
    /// `docker network create`.
    CreateNetwork {
        /// Its name.
        name: Arc<str>,
        /// Driver.
        driver: Arc<str>,
        /// Labels.
        labels: SortedMap<Arc<str>, Arc<str>>,
        /// Whether containers cannot reach beyond it.
        internal: bool,
        /// Its range; none: the first free pool.
        range: Option<Cidr>,
    },
    /// `docker network rm`.
    RemoveNetwork {
        /// Its name.
        name: Arc<str>,
    },
    /// `docker volume create`.
    CreateVolume {
        /// Its name.
        name: Arc<str>,
        /// Labels.
        labels: SortedMap<Arc<str>, Arc<str>>,
    },
    /// `docker volume rm`.
    RemoveVolume {
        /// Its name.
        name: Arc<str>,
    },
}

/// What a request answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// An operation was started; its progress is read with [`ComposePlane::operation`].
    Operation(u32),
    /// Names of the containers that were acted upon; ids of those that were made.
    Containers(Vec<String>),
    /// Lines for the command to print.
    Lines(Vec<String>),
}

/// A refusal, in the engine's or the client's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The message without a prefix.
    pub message: Passage,
    /// Exit code of the command line.
    pub code: i32,
}

impl Refusal {
    pub(crate) fn new(message: impl Into<Passage>) -> Self {
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
    /// Numbers of the operations that are not over.
    pub(crate) active: Vec<u32>,
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
            active: Vec::new(),
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
            Upcall::ControlLink { .. } | Upcall::Pressure { .. } | Upcall::Asks { .. } => {}
            Upcall::Pulled { owner, .. } => self.pulled(owner, None, ctx, out),
            Upcall::PullFailed { owner, error, .. } => self.pulled(owner, Some(error), ctx, out),
            Upcall::SandboxCreated { owner, sandbox } => self.sandbox_created(owner, sandbox),
            Upcall::SandboxReady { owner, sandbox } => self.sandbox_ready(owner, sandbox, ctx, out),
            Upcall::SandboxFailed { owner, .. } => self.sandbox_failed(owner, ctx, out),
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
            Request::Up { project, options } => {
                self.begin_up(project.clone(), options.clone(), ctx, out)
            }
            Request::Down { part, options } => {
                self.begin_halt(part, Some(options.clone()), ctx, out)
            }
            Request::StopProject { part } => self.begin_halt(part, None, ctx, out),
            Request::StartProject { part } => self.begin_start_project(part, ctx, out),
            Request::RestartProject {
                part,
                no_dependents,
            } => self.begin_restart(part, *no_dependents, ctx, out),
            Request::Pull {
                images,
                missing_only,
            } => self.begin_pull(images, *missing_only, ctx, out),
            Request::Build { image } => Ok(self.build(image, ctx, out)),
            Request::RemoveImage { image } => self.remove_image(image, ctx, out),
            Request::Create {
                name,
                config,
                one_off,
            } => self.create_container(name, config, one_off.as_ref(), ctx, out),
            Request::Stop { containers, grace } => self.stop(containers, *grace, ctx, out),
            Request::Start { containers } => self.start(containers, ctx, out),
            Request::Restart { containers, grace } => self.restart(containers, *grace, ctx, out),
            Request::Kill { containers, polite } => self.kill(containers, *polite, ctx, out),
            Request::Remove { containers, force } => self.remove(containers, *force, ctx, out),
            Request::Rename { container, name } => self.rename(container, name, ctx),
            Request::Update {
                container,
                restart,
                limits,
            } => self.update(container, *restart, limits.as_ref(), ctx, out),
            Request::CreateNetwork {
                name,
                driver,
                labels,
                internal,
                range,
            } => self.create_network(name, driver, labels, *internal, *range, ctx),
            Request::RemoveNetwork { name } => self.remove_network(name, ctx),
            Request::CreateVolume { name, labels } => Ok(self.create_volume(name, labels, ctx)),
            Request::RemoveVolume { name } => self.remove_volume(name, ctx, out),
        }
    }

    /// Compose has no flags that this plane models.
    ///
    /// # Errors
    /// Always: the sentence names the key.
    pub fn set(&mut self, key: &str, _value: &str) -> Result<(), Sentence> {
        Err(catalogue::SETTING_UNKNOWN.with(&[("word", &key)]))
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
                let rows = || self.store.of_service(service.project, service.name);
                let count = |holds: fn(&ContainerRow) -> bool| {
                    rows().filter(|(_, row)| holds(row)).count() as u32
                };
                let ready = if self.engine_up {
                    count(ContainerRow::is_ready)
                } else {
                    0
                };
                // What has done its work well is not missed.
                let desired = service
                    .desired
                    .saturating_sub(count(ContainerRow::is_completed));
                WorkloadStatus {
                    name: symbols.text(service.name).to_owned(),
                    kind: "service",
                    desired,
                    ready,
                    unmet: desired.saturating_sub(ready),
                    blocked: 0,
                }
            })
            .collect()
    }

    /// Whether whatever is missed stays so until somebody types a command: no client is at work, and
    /// what does not run was never started, or ended and is not restarted by its policy; what was
    /// never made is so because the client that should have made it failed.
    pub fn waits_for_person(&self) -> bool {
        let services = self.store.services.iter();
        let wanted: u64 = services.map(|service| u64::from(service.desired)).sum();
        let mut rows = 0;
        let mut at_rest = true;
        for (_, row) in self.store.containers.iter().filter(|(_, row)| row.wanted) {
            rows += 1;
            at_rest &= row.is_ready()
                || match row.state {
                    State::Created => true,
                    State::Exited => !row.is_restarted(),
                    State::Starting | State::Running | State::Restarting | State::Removing => false,
                };
        }
        let failed = self
            .operations
            .last()
            .is_some_and(|operation| operation.exit.is_some_and(|code| code != 0));
        self.engine_up && self.active.is_empty() && at_rest && (rows >= wanted || failed)
    }

    /// What stands in a service's way: the name of a container that does not run, and why, or what
    /// the client said last when it failed.
    pub fn obstacle(&self, symbols: &Symbols) -> Option<(String, String)> {
        let ended = self
            .store
            .containers
            .iter()
            .find(|(_, row)| row.wanted && row.state == State::Exited && !row.is_completed());
        if let Some((_, row)) = ended {
            let why = match row.error {
                Some(error) => symbols.text(error).to_owned(),
                None => format!("Exited ({})", row.exit_code),
            };
            return Some((symbols.text(row.service).to_owned(), why));
        }
        let failed = self.operations.last()?;
        let is_failed = failed.exit.is_some_and(|code| code != 0);
        let said = failed.lines.last().filter(|_| is_failed)?;
        Some(("docker compose".to_owned(), said.clone()))
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
                .filter(|(_, row)| row.wanted && (row.is_ready() || row.is_completed()))
                .count() as u64
        } else {
            self.store
                .containers
                .iter()
                .filter(|(_, row)| row.wanted && row.is_completed())
                .count() as u64
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
            .containers
            .iter()
            .filter(|(_, row)| row.service == name && !row.is_one_off)
            .filter_map(|(_, row)| Some((row.number, row.sandbox?)))
            .collect();
        found.arrange();
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
