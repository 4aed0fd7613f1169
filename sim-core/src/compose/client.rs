//! The Compose client: it reads the state once, plans, executes in dependency order and ends.
//!
//! Sources: `docker/compose pkg/compose/{create,convergence,start,down}.go`.

use std::sync::Arc;

use crate::api::compose::project::Project;
use crate::api::compose::service::Service;
use crate::base::id::Id;
use crate::base::symbol::Symbol;
use crate::base::time::SimDuration;
use crate::substrate::Context;
use crate::substrate::order::{Order, Owner, PullError, PullPolicy};

use super::engine::PART_PULL;
use super::store::{ContainerRow, Then};
use super::{ComposePlane, Event, Out, Refusal, Response, UpOptions, graph, lower};

/// Time between two looks at a dependency's health. Source: `pkg/compose/convergence.go` (500 ms).
pub const POLL: SimDuration = SimDuration::from_millis(500);

/// Operations kept for reading their progress.
const OPERATIONS_MAX: usize = 10_000;

/// What a client does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OperationKind {
    /// `up`.
    #[default]
    Up,
    /// `down`.
    Down,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    Pulling,
    Removing,
    Starting,
    Waiting,
    /// Nothing is left to do: also of an operation that is being worked on, outside the list.
    #[default]
    Over,
}

/// What is to be done with one service.
#[derive(Clone, Debug)]
struct Job {
    service: Arc<Service>,
    containers: Vec<Id<ContainerRow>>,
    started: bool,
    announced: bool,
}

/// One run of the client.
#[derive(Clone, Debug, Default)]
pub struct Operation {
    /// What it does.
    pub kind: OperationKind,
    /// Lines printed so far, without line ends.
    pub lines: Vec<String>,
    /// Exit code once it is over.
    pub exit: Option<i32>,
    project: Arc<Project>,
    options: UpOptions,
    phase: Phase,
    pulls: u32,
    jobs: Vec<Job>,
    removing: Vec<Id<ContainerRow>>,
    stepping: bool,
}

mod create;
mod start;

impl ComposePlane {
    /// Begins an `up`.
    pub(crate) fn begin(
        &mut self,
        kind: OperationKind,
        project: Arc<Project>,
        options: UpOptions,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) -> Result<Response, Refusal> {
        if self.operations.len() >= OPERATIONS_MAX {
            return Err(Refusal::new("too many operations in one experiment"));
        }
        let selected = graph::selected(&project, &options.services)
            .map_err(|name| Refusal::new(format!("no such service: {name}")))?;
        let order = graph::start_order(&project)
            .map_err(|name| Refusal::new(format!("dependency cycle detected: {name}")))?;
        let number = self.operations.len() as u32;
        let mut operation = Operation {
            kind,
            lines: Vec::new(),
            exit: None,
            project: project.clone(),
            options,
            phase: Phase::Pulling,
            pulls: 0,
            jobs: Vec::new(),
            removing: Vec::new(),
            stepping: false,
        };
        for name in order.iter().filter(|name| selected.contains(name)) {
            let mut service = project.services[name].clone();
            if let Some((_, scale)) = operation
                .options
                .scale
                .iter()
                .find(|(scaled, _)| scaled == name)
            {
                service.scale = *scale;
            }
            if service.container_name.is_some() && service.scale > 1 {
                return Err(Refusal::new(format!(
                    "WARNING: The \"{name}\" service is using the custom container name \"{}\". Docker requires each container to have a unique name. Remove the custom name to scale the service",
                    service.container_name.as_deref().unwrap_or_default()
                )));
            }
            operation.jobs.push(Job {
                service: Arc::new(service),
                containers: Vec::new(),
                started: false,
                announced: false,
            });
        }
        let Some(host) = self.host else {
            return Err(Refusal::new("no host"));
        };
        let mut images: Vec<Symbol> = Vec::new();
        for job in &operation.jobs {
            if job.service.build && job.service.image.is_empty() {
                continue;
            }
            let image = ctx.symbols.intern(&job.service.image);
            let policy = lower::pull_policy(&job.service);
            let present = policy != PullPolicy::Always && ctx.machines.has_image(host, image);
            if !present && !images.contains(&image) {
                images.push(image);
                operation.pulls += 1;
                operation
                    .lines
                    .push(format!(" Image {} Pulling", job.service.image));
                let owner = Owner {
                    slot: number,
                    generation: images.len() as u32,
                    part: PART_PULL,
                };
                out.order(Order::Pull {
                    owner,
                    machine: host,
                    image,
                    policy,
                });
            }
        }
        self.operations.push(operation);
        self.wake_one(number, out);
        Ok(Response::Operation(number))
    }

    /// Begins a `down`.
    pub(crate) fn begin_down(
        &mut self,
        project: &str,
        volumes: bool,
        grace: Option<SimDuration>,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) -> Result<Response, Refusal> {
        let symbol = ctx.symbols.intern(project);
        let number = self.operations.len() as u32;
        let mut ids: Vec<Id<ContainerRow>> = self
            .store
            .containers
            .iter()
            .filter(|(_, row)| row.project == symbol)
            .map(|(id, _)| id)
            .collect();
        // Stop in the reverse of the start order: the newest first.
        ids.sort_unstable_by_key(|id| std::cmp::Reverse(self.store.containers[*id].ordinal));
        let mut lines = Vec::new();
        for id in &ids {
            lines.push(format!(
                " Container {} Stopping",
                ctx.symbols.text(self.store.containers[*id].name)
            ));
        }
        let empty = Project {
            name: project.into(),
            ..Project::default()
        };
        self.operations.push(Operation {
            kind: OperationKind::Down,
            lines,
            exit: None,
            project: Arc::new(empty),
            options: UpOptions::default(),
            phase: Phase::Removing,
            pulls: 0,
            jobs: Vec::new(),
            removing: ids.clone(),
            stepping: false,
        });
        for id in ids {
            self.store.containers[id].wanted = false;
            self.stop_one(id, grace, Then::Remove, ctx, out);
        }
        self.store
            .services
            .retain(|service| service.project != symbol);
        let prefix = format!("{project}_");
        let keep = |name: &Symbol| !ctx.symbols.text(*name).starts_with(&prefix);
        self.store.networks.retain(keep);
        if volumes {
            self.store.volumes.retain(keep);
        }
        self.wake_one(number, out);
        Ok(Response::Operation(number))
    }

    /// One of a client's pulls ended.
    pub(crate) fn operation_pulled(
        &mut self,
        number: u32,
        _image: u32,
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
        operation.pulls = operation.pulls.saturating_sub(1);
        if let Some(error) = error {
            let missing: Vec<Arc<str>> = operation
                .jobs
                .iter()
                .map(|job| job.service.image.clone())
                .collect();
            let image = missing
                .iter()
                .find(|image| {
                    self.host.is_some_and(|host| {
                        ctx.symbols
                            .get(image)
                            .is_none_or(|symbol| !ctx.machines.has_image(host, symbol))
                    })
                })
                .cloned()
                .unwrap_or_else(|| "".into());
            let operation = &mut self.operations[number as usize];
            operation.lines.push(format!(
                "Error response from daemon: {}",
                pull_error(&image, error)
            ));
            operation.exit = Some(1);
            operation.phase = Phase::Over;
            return;
        }
        self.wake_one(number, out);
    }

    /// Something changed: clients that wait look again in the same instant.
    pub(crate) fn wake(&mut self, _ctx: &mut Context<'_>, out: &mut Out) {
        for number in 0..self.operations.len() {
            if self.operations[number].exit.is_none() {
                self.wake_one(number as u32, out);
            }
        }
    }

    fn wake_one(&mut self, number: u32, out: &mut Out) {
        let operation = &mut self.operations[number as usize];
        if !operation.stepping && operation.exit.is_none() {
            operation.stepping = true;
            out.after(SimDuration::ZERO, Event::Step { operation: number });
        }
    }

    /// Goes on with an operation as far as it can.
    pub(crate) fn step_operation(&mut self, number: u32, ctx: &mut Context<'_>, out: &mut Out) {
        self.operations[number as usize].stepping = false;
        if self.operations[number as usize].exit.is_some() {
            return;
        }
        if self.operations[number as usize].phase == Phase::Pulling
            && self.operations[number as usize].pulls == 0
        {
            self.create(number, ctx, out);
        }
        if self.operations[number as usize].phase == Phase::Removing {
            self.removed(number, ctx);
        }
        if self.operations[number as usize].phase == Phase::Starting {
            self.start_jobs(number, ctx, out);
        }
        if self.operations[number as usize].phase == Phase::Waiting {
            self.wait_jobs(number, ctx, out);
        }
    }
}

/// The engine's words for a pull that failed. Source: 28.11.
pub fn pull_error(image: &str, error: PullError) -> String {
    let (repository, tag) = image
        .rsplit_once(':')
        .filter(|(_, tag)| !tag.contains('/'))
        .unwrap_or((image, "latest"));
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
        PullError::InvalidName => "invalid reference format".to_owned(),
        PullError::NotPresent => format!("No such image: {repository}:{tag}"),
    }
}
