//! The Compose client: it reads the state once, plans, executes in dependency order and ends.
//!
//! ```text
//! up:    Pulling ─▶ Networks ─▶ Converging ─▶ Starting ─▶ (Waiting) ─▶ Over
//! down:  Halting ─▶ Over            restart: Restarting ─▶ Over
//! ```
//! Sources: `docker/compose pkg/compose/{up,create,reconcile,convergence,start,stop,down,restart}.go`.
//! Where upstream works in parallel, services go by depth and name.

use std::sync::Arc;

use crate::api::compose::project::Project;
use crate::api::compose::service::{Dependency, Service};
use crate::base::id::Id;
use crate::base::sentence::catalogue;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::symbol::Symbol;
use crate::base::time::{SimDuration, SimTime};
use crate::substrate::Context;
use crate::substrate::order::{Order, Owner, PullError, PullPolicy};

use super::engine::PART_PULL;
use super::store::{ContainerRow, State, Then};
use super::{ComposePlane, DownOptions, Event, Out, Refusal, Response, UpOptions, graph, lower};

mod converge;
mod halt;
mod start;

/// Time between two looks at a dependency. Source: `pkg/compose/convergence.go` (500 ms).
pub const POLL: SimDuration = SimDuration::from_millis(500);

/// Operations kept for reading their progress.
const OPERATIONS_MAX: usize = 10_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    Pulling,
    Networks,
    Converging,
    Starting,
    Waiting,
    Halting,
    Restarting,
    /// Nothing is left to do: also of an operation that is being worked on, outside the list.
    #[default]
    Over,
}

/// How far the containers of a service are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Other services come first.
    Waiting,
    /// Services that ask to be restarted with this one are being stopped.
    Clearing,
    /// Its own containers are being worked on.
    Working,
    /// Over.
    Done,
}

/// A container that is being stopped.
#[derive(Clone, Debug)]
struct Busy {
    id: Id<ContainerRow>,
    name: String,
    /// Whether it is removed then.
    removes: bool,
    /// Whether this is part of a recreation, which has its own lines.
    is_quiet: bool,
}

/// What is to be done with one service.
#[derive(Clone, Debug)]
struct Job {
    name: Arc<str>,
    service: Option<Arc<Service>>,
    depends_on: SortedMap<Arc<str>, Dependency>,
    scale: u32,
    containers: Vec<Id<ContainerRow>>,
    /// Jobs that must be over before this one begins.
    after: Vec<usize>,
    stage: Stage,
    busy: Vec<Busy>,
    /// Containers to be replaced: the old one, then the new one with its last name.
    replaced: Vec<(Id<ContainerRow>, Option<(Id<ContainerRow>, String)>)>,
    /// When the conditions are looked at next.
    next_poll: Option<SimTime>,
    /// Dependencies whose condition held.
    held: SortedSet<Arc<str>>,
    /// The container whose start is under way, and since when.
    starting: Option<(Id<ContainerRow>, SimTime)>,
    /// Containers whose start is over.
    started: SortedSet<Id<ContainerRow>>,
}

impl Job {
    fn new(name: &Arc<str>) -> Self {
        Self {
            name: name.clone(),
            service: None,
            depends_on: SortedMap::new(),
            scale: 1,
            containers: Vec::new(),
            after: Vec::new(),
            stage: Stage::Waiting,
            busy: Vec::new(),
            replaced: Vec::new(),
            next_poll: None,
            held: SortedSet::new(),
            starting: None,
            started: SortedSet::new(),
        }
    }
}

/// One run of the client.
#[derive(Clone, Debug, Default)]
pub struct Operation {
    /// Lines printed so far, without line ends.
    pub lines: Vec<String>,
    /// Exit code once it is over.
    pub exit: Option<i32>,
    project: Arc<Project>,
    options: UpOptions,
    down: Option<DownOptions>,
    only_pulls: bool,
    phase: Phase,
    /// Images still being pulled; the place in the list is the generation of the pull's owner.
    pulls: Vec<Option<Arc<str>>>,
    jobs: Vec<Job>,
    /// Containers to be stopped before networks are made anew.
    busy: Vec<Busy>,
    remade: Vec<Arc<str>>,
    recreated: SortedSet<Arc<str>>,
    grace: Option<SimDuration>,
    stepping: bool,
}

impl Operation {
    fn over(&mut self, code: i32) {
        self.exit = Some(code);
        self.phase = Phase::Over;
    }

    fn fail(&mut self, message: impl Into<String>) {
        self.lines.push(message.into());
        self.over(1);
    }

    fn say(&mut self, kind: &str, name: &str, word: &str) {
        self.lines.push(format!(" {kind} {name} {word}"));
    }

    fn job(&self, name: &str) -> Option<usize> {
        self.jobs.iter().position(|job| &*job.name == name)
    }

    fn may_begin(&self, job: usize) -> bool {
        self.jobs[job]
            .after
            .iter()
            .all(|other| self.jobs[*other].stage == Stage::Done)
    }
}

impl ComposePlane {
    /// Begins an `up`.
    pub(crate) fn begin_up(
        &mut self,
        project: Arc<Project>,
        options: UpOptions,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) -> Result<Response, Refusal> {
        let selected = graph::selected(&project, &options.services)
            .map_err(|name| Refusal::new(format!("no such service: {name}")))?;
        let order = graph::start_order(&project)
            .map_err(|name| Refusal::new(format!("dependency cycle detected: {name}")))?;
        let mut operation = Operation {
            project: project.clone(),
            grace: options.grace,
            options,
            phase: Phase::Pulling,
            ..Operation::default()
        };
        for name in order.iter().filter(|name| selected.contains(name)) {
            let mut service = project.services[name].clone();
            let scaled = operation
                .options
                .scale
                .iter()
                .find(|(scaled, _)| scaled == name);
            if let Some((_, scale)) = scaled {
                service.scale = *scale;
            }
            if let Some(custom) = service
                .container_name
                .as_ref()
                .filter(|_| service.scale > 1)
            {
                return Err(Refusal::new(format!(
                    "WARNING: The {name:?} service is using the custom container name {custom:?}. Docker requires each container to have a unique name. Remove the custom name to scale the service"
                )));
            }
            let mut job = Job::new(name);
            job.depends_on = service.depends_on.clone();
            job.scale = service.scale;
            // What was asked for counts from now on, also if the command fails.
            let names = [&project.name, name].map(|text| ctx.symbols.intern(text));
            if !operation.options.only_resources {
                self.service_row(names[0], names[1], service.scale);
            }
            job.service = Some(Arc::new(service));
            job.after = operation
                .jobs
                .iter()
                .enumerate()
                .filter(|(_, other)| job.depends_on.contains_key(&other.name))
                .map(|(place, _)| place)
                .collect();
            operation.jobs.push(job);
        }
        let number = self.operations.len() as u32;
        self.fetch_images(number, &mut operation, ctx, out);
        self.enlist(operation, out)
    }

    /// Orders what is not there; images of builds are made at once.
    fn fetch_images(
        &mut self,
        number: u32,
        operation: &mut Operation,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) {
        let Some(host) = self.host else { return };
        let mut seen: SortedSet<Arc<str>> = SortedSet::new();
        for place in 0..operation.jobs.len() {
            let Some(service) = operation.jobs[place].service.clone() else {
                continue;
            };
            if !seen.insert(service.image.clone()) {
                continue;
            }
            let image = ctx.symbols.intern(&service.image);
            let present = ctx.machines.has_image(host, &service.image, ctx.symbols);
            if service.build {
                if !present {
                    operation.say("Image", &service.image, "Building");
                    operation.say("Image", &service.image, "Built");
                    self.build(&service.image, ctx, out);
                }
                continue;
            }
            let mut policy = lower::pull_policy(&service);
            if operation.options.pull && policy != PullPolicy::Never {
                policy = PullPolicy::Always;
            }
            if !present || policy == PullPolicy::Always {
                self.fetch(number, operation, (image, &service.image), policy, ctx, out);
            }
        }
    }

    fn fetch(
        &self,
        number: u32,
        operation: &mut Operation,
        (image, text): (Symbol, &Arc<str>),
        policy: PullPolicy,
        _ctx: &Context<'_>,
        out: &mut Out,
    ) {
        let Some(machine) = self.host else { return };
        operation.say("Image", text, "Pulling");
        operation.pulls.push(Some(text.clone()));
        let owner = Owner {
            slot: number,
            generation: operation.pulls.len() as u32,
            part: PART_PULL,
        };
        out.order(Order::Pull {
            owner,
            machine,
            image,
            policy,
        });
    }

    /// Begins a pull of images alone.
    #[inline(never)]
    pub(crate) fn begin_pull(
        &mut self,
        images: &[Arc<str>],
        missing_only: bool,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) -> Result<Response, Refusal> {
        let number = self.operations.len() as u32;
        let mut operation = Operation {
            phase: Phase::Pulling,
            only_pulls: true,
            ..Operation::default()
        };
        for text in images {
            let image = ctx.symbols.intern(text);
            let present = self
                .host
                .is_some_and(|host| ctx.machines.has_image(host, text, ctx.symbols));
            if !(missing_only && present) {
                let policy = PullPolicy::Always;
                self.fetch(number, &mut operation, (image, text), policy, ctx, out);
            }
        }
        self.enlist(operation, out)
    }

    fn enlist(&mut self, operation: Operation, out: &mut Out) -> Result<Response, Refusal> {
        if self.operations.len() >= OPERATIONS_MAX {
            let most = catalogue::MORE_THAN.with(&[("most", &OPERATIONS_MAX)]);
            return Err(Refusal::new(
                most.and("what", catalogue::OPERATIONS.plain()),
            ));
        }
        let number = self.operations.len() as u32;
        self.operations.push(operation);
        self.active.push(number);
        self.wake_one(number, out);
        Ok(Response::Operation(number))
    }

    /// One of a client's pulls ended.
    pub(crate) fn operation_pulled(
        &mut self,
        number: u32,
        image: u32,
        error: Option<PullError>,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) {
        let Some(operation) = self.operations.get_mut(number as usize) else {
            return;
        };
        if operation.phase != Phase::Pulling {
            return;
        }
        let pulled = (image as usize)
            .checked_sub(1)
            .and_then(|place| operation.pulls.get_mut(place)?.take());
        let Some(image) = pulled else { return };
        match error {
            Some(error) => {
                let message = pull_error(&image, error);
                operation.say("Image", &image, &format!("Error {message}"));
                operation.fail(format!("Error response from daemon: {message}"));
                self.retire();
            }
            None => {
                operation.say("Image", &image, "Pulled");
                self.image_event("pull", &image, ctx);
                self.wake_one(number, out);
            }
        }
    }

    /// Something changed: clients that wait look again in the same instant.
    pub(crate) fn wake(&mut self, _ctx: &mut Context<'_>, out: &mut Out) {
        for place in 0..self.active.len() {
            self.wake_one(self.active[place], out);
        }
    }

    fn wake_one(&mut self, number: u32, out: &mut Out) {
        let operation = &mut self.operations[number as usize];
        if !operation.stepping {
            operation.stepping = true;
            out.after(SimDuration::ZERO, Event::Step { operation: number });
        }
    }

    fn retire(&mut self) {
        let operations = &self.operations;
        self.active
            .retain(|number| operations[*number as usize].exit.is_none());
    }

    /// Goes on with an operation as far as it can.
    pub(crate) fn step_operation(&mut self, number: u32, ctx: &mut Context<'_>, out: &mut Out) {
        let mut operation = std::mem::take(&mut self.operations[number as usize]);
        operation.stepping = false;
        // Each phase leads to the next, never back.
        for _ in 0..=Phase::Over as usize {
            let phase = operation.phase;
            match phase {
                Phase::Pulling => {
                    if operation.pulls.iter().all(Option::is_none) {
                        if operation.only_pulls {
                            operation.over(0);
                        } else {
                            operation.phase = Phase::Networks;
                            self.plan_resources(&mut operation, ctx, out);
                            if operation.options.only_resources && operation.exit.is_none() {
                                operation.over(0);
                            }
                        }
                    }
                }
                Phase::Networks => self.remake_networks(&mut operation, ctx, out),
                Phase::Converging => self.converge(&mut operation, ctx, out),
                Phase::Starting => self.start_jobs(number, &mut operation, ctx, out),
                Phase::Waiting => self.wait_jobs(number, &mut operation, ctx, out),
                Phase::Halting => self.halt_jobs(&mut operation, ctx, out),
                Phase::Restarting => self.restart_jobs(&mut operation, ctx, out),
                Phase::Over => {}
            }
            if operation.phase == phase || operation.exit.is_some() {
                break;
            }
        }
        let over = operation.exit.is_some();
        self.operations[number as usize] = operation;
        if over {
            self.retire();
        }
    }

    /// Begins to stop a container; it is removed then if `removes`.
    fn halt(
        &mut self,
        id: Id<ContainerRow>,
        removes: bool,
        is_quiet: bool,
        operation: &mut Operation,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) -> Busy {
        let name = ctx.symbols.text(self.store.containers[id].name).to_owned();
        if !is_quiet {
            operation.say("Container", &name, "Stopping");
        }
        if removes {
            self.store.containers[id].wanted = false;
        }
        self.stop_one(id, operation.grace, Then::Stay, ctx, out);
        Busy {
            id,
            name,
            removes,
            is_quiet,
        }
    }

    /// Goes on with containers that were being stopped; returns those that still are.
    fn settle(
        &mut self,
        busy: Vec<Busy>,
        operation: &mut Operation,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) -> Vec<Busy> {
        let mut left = Vec::new();
        for one in busy {
            let state = self.store.containers.get(one.id).map(|row| row.state);
            if matches!(
                state,
                Some(State::Running | State::Starting | State::Restarting)
            ) {
                left.push(one);
                continue;
            }
            if !one.is_quiet {
                operation.say("Container", &one.name, "Stopped");
            }
            if one.removes {
                if !one.is_quiet {
                    operation.say("Container", &one.name, "Removing");
                }
                if state.is_some() {
                    self.forget(one.id, ctx, out);
                }
                if !one.is_quiet {
                    operation.say("Container", &one.name, "Removed");
                }
            }
        }
        left
    }
}

/// A reference without its tag, and the tag.
pub fn split_tag(image: &str) -> (&str, &str) {
    image
        .rsplit_once(':')
        .filter(|(_, tag)| !tag.contains('/'))
        .unwrap_or((image, "latest"))
}

/// The engine's words for a pull that failed. Source: 28.11.
pub fn pull_error(image: &str, error: PullError) -> String {
    let (repository, tag) = split_tag(image);
    match error {
        PullError::Denied => format!(
            "pull access denied for {repository}, repository does not exist or may require 'docker login'"
        ),
        PullError::ManifestUnknown => {
            format!("manifest for {repository}:{tag} not found: manifest unknown: manifest unknown")
        }
        PullError::RegistryDown => {
            "Get \"https://registry-1.docker.io/v2/\": dial tcp: connect: connection refused"
                .to_owned()
        }
        PullError::NoSpace => {
            "write /var/lib/docker/tmp/GetImageBlob: no space left on device".to_owned()
        }
        PullError::InvalidName => "invalid reference format".to_owned(),
        PullError::NotPresent => format!("No such image: {repository}:{tag}"),
    }
}
