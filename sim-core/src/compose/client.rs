//! The Compose client: it reads the state once, plans, executes in dependency order and ends.
//!
//! Sources: `docker/compose pkg/compose/{create,convergence,start,down}.go`.

use std::sync::Arc;

use crate::api::compose::project::Project;
use crate::api::compose::service::{DependencyCondition, Service};
use crate::base::id::Id;
use crate::base::name::{Name, Rule};
use crate::base::symbol::Symbol;
use crate::base::time::SimDuration;
use crate::des::notice::{Detail, Notice, Subject};
use crate::substrate::Context;
use crate::substrate::order::{Order, Owner, PullError, PullPolicy};

use super::engine::PART_PULL;
use super::store::{ContainerRow, Health, Published, ServiceRow, State, Then};
use super::{ComposePlane, Event, Out, Refusal, Response, UpOptions, graph, lower};

/// Time between two looks at a dependency's health. Source: `pkg/compose/convergence.go` (500 ms).
pub const POLL: SimDuration = SimDuration::from_millis(500);

/// Operations kept for reading their progress.
const OPERATIONS_MAX: usize = 10_000;

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationKind {
    /// `up`.
    Up,
    /// `down`.
    Down,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Pulling,
    Removing,
    Starting,
    Waiting,
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
#[derive(Clone, Debug)]
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
            services: Default::default(),
            disabled: Default::default(),
            networks: Default::default(),
            volumes: Default::default(),
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

    /// Creates networks, volumes and containers; removes what is obsolete.
    fn create(&mut self, number: u32, ctx: &mut Context<'_>, out: &mut Out) {
        let mut operation = std::mem::replace(&mut self.operations[number as usize], placeholder());
        let project = operation.project.clone();
        for network in project
            .networks
            .values()
            .filter(|network| !network.external)
        {
            let name = ctx.symbols.intern(&network.name);
            if !self.store.networks.contains(&name) {
                self.store.networks.push(name);
                operation
                    .lines
                    .push(format!(" Network {} Creating", network.name));
                operation
                    .lines
                    .push(format!(" Network {} Created", network.name));
            }
        }
        for volume in project.volumes.values().filter(|volume| !volume.external) {
            let name = ctx.symbols.intern(&volume.name);
            if !self.store.volumes.contains(&name) {
                self.store.volumes.push(name);
                operation
                    .lines
                    .push(format!(" Volume {} Creating", volume.name));
                operation
                    .lines
                    .push(format!(" Volume {} Created", volume.name));
            }
        }
        self.orphans(&mut operation, ctx, out);
        let mut jobs = std::mem::take(&mut operation.jobs);
        for job in &mut jobs {
            self.plan_service(&project, job, &mut operation, ctx, out);
        }
        operation.jobs = jobs;
        operation.phase = if operation.removing.is_empty() {
            Phase::Starting
        } else {
            Phase::Removing
        };
        if operation.options.no_start {
            operation.phase = Phase::Over;
            operation.exit = Some(0);
        }
        self.operations[number as usize] = operation;
    }

    fn orphans(&mut self, operation: &mut Operation, ctx: &mut Context<'_>, out: &mut Out) {
        let project = ctx.symbols.intern(&operation.project.name);
        let orphans: Vec<Id<ContainerRow>> = self
            .store
            .containers
            .iter()
            .filter(|(_, row)| {
                let name = ctx.symbols.text(row.service);
                row.project == project
                    && !operation.project.services.contains_key(name)
                    && !operation.project.disabled.contains_key(name)
            })
            .map(|(id, _)| id)
            .collect();
        if orphans.is_empty() {
            return;
        }
        if operation.options.remove_orphans {
            for id in orphans {
                self.store.containers[id].wanted = false;
                operation.removing.push(id);
                self.stop_one(id, None, Then::Remove, ctx, out);
            }
            return;
        }
        let names: Vec<&str> = orphans
            .iter()
            .map(|id| ctx.symbols.text(self.store.containers[*id].name))
            .collect();
        operation.lines.push(format!(
            "Found orphan containers ([{}]) for this project. If you removed or renamed this service in your compose file, you can run this command with the --remove-orphans flag to clean it up.",
            names.join(" ")
        ));
    }

    /// Compares a service's containers with the file and makes what is missing.
    fn plan_service(
        &mut self,
        project: &Project,
        job: &mut Job,
        operation: &mut Operation,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) {
        let service = job.service.clone();
        let name = ctx.symbols.intern(&service.name);
        let project_name = ctx.symbols.intern(&project.name);
        let hash = lower::config_hash(&service);
        self.service_row(project_name, name, service.scale);
        let mut present: Vec<(u32, Id<ContainerRow>)> = self
            .store
            .of_service(name)
            .filter(|(_, row)| row.project == project_name)
            .map(|(id, row)| (row.number, id))
            .collect();
        present.sort_unstable();
        // Too many: obsolete ones first, then the highest numbers.
        while present.len() > service.scale as usize {
            let obsolete = present
                .iter()
                .rposition(|(_, id)| self.store.containers[*id].config_hash != hash);
            let (_, id) = present.remove(obsolete.unwrap_or(present.len() - 1));
            operation.lines.push(format!(
                " Container {} Stopping",
                ctx.symbols.text(self.store.containers[id].name)
            ));
            self.store.containers[id].wanted = false;
            operation.removing.push(id);
            self.stop_one(id, None, Then::Remove, ctx, out);
        }
        let mut next = present.last().map_or(1, |(number, _)| number + 1);
        for (container_number, id) in present {
            let row = &self.store.containers[id];
            let changed = row.config_hash != hash && !operation.options.no_recreate;
            if changed || operation.options.force_recreate {
                operation.lines.push(format!(
                    " Container {} Recreate",
                    ctx.symbols.text(row.name)
                ));
                self.store.containers[id].wanted = false;
                operation.removing.push(id);
                self.stop_one(id, None, Then::Remove, ctx, out);
                job.containers
                    .push(self.make(project, &service, container_number, hash, ctx, out));
            } else {
                if row.state == State::Running {
                    operation
                        .lines
                        .push(format!(" Container {} Running", ctx.symbols.text(row.name)));
                }
                job.containers.push(id);
            }
        }
        while job.containers.len() < service.scale as usize {
            let id = self.make(project, &service, next, hash, ctx, out);
            let name = ctx.symbols.text(self.store.containers[id].name).to_owned();
            operation.lines.push(format!(" Container {name} Creating"));
            operation.lines.push(format!(" Container {name} Created"));
            job.containers.push(id);
            next += 1;
        }
    }

    fn service_row(&mut self, project: Symbol, name: Symbol, desired: u32) {
        if let Some(row) = self.store.services.iter_mut().find(|row| row.name == name) {
            row.desired = desired;
            row.project = project;
            return;
        }
        let key = self
            .store
            .services
            .iter()
            .map(|row| row.key + 1)
            .max()
            .unwrap_or(0);
        self.store.services.push(ServiceRow {
            project,
            name,
            desired,
            key,
        });
    }

    fn make(
        &mut self,
        project: &Project,
        service: &Service,
        number: u32,
        hash: u64,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) -> Id<ContainerRow> {
        let text = match &service.container_name {
            Some(name) => name.to_string(),
            None => format!("{}-{}-{number}", project.name, service.name),
        };
        let spec = Arc::new(lower::container(service, ctx.symbols));
        let mut ports = Vec::new();
        for port in &service.ports {
            let published = match port.published {
                Some(range) if range.first == range.last => range.first,
                Some(range) => self.free_in(range.first, range.last),
                None => {
                    // Ephemeral range of the kernel, in order. Source: net.ipv4.ip_local_port_range.
                    self.store.next_port = self.store.next_port.max(32_768);
                    self.store.next_port += 1;
                    self.store.next_port - 1
                }
            };
            ports.push(Published {
                host_ip: port.host_ip.clone(),
                published,
                target: port.target,
                protocol: lower::protocol(port.protocol),
            });
        }
        self.store.ordinals += 1;
        let row = ContainerRow {
            name: ctx.symbols.intern(&text),
            project: ctx.symbols.intern(&project.name),
            service: ctx.symbols.intern(&service.name),
            number,
            spec,
            ports: ports.into(),
            restart: service.restart,
            grace: service.stop_grace_period,
            config_hash: hash,
            ordinal: self.store.ordinals,
            state: State::Created,
            health: Health::None,
            sandbox: None,
            process: None,
            created_at: ctx.now,
            started_at: None,
            finished_at: None,
            exit_code: 0,
            oom_killed: false,
            error: None,
            restart_count: 0,
            failures: 0,
            backoff: SimDuration::ZERO,
            stopped_by_user: false,
            wanted: true,
            attempt: 0,
            then: Then::Policy,
        };
        self.note("create", &row, Detail::None, None, out);
        self.store.containers.insert(row)
    }

    fn free_in(&self, first: u16, last: u16) -> u16 {
        (first..=last)
            .find(|port| {
                !self.store.containers.iter().any(|(_, row)| {
                    row.ports
                        .iter()
                        .any(|published| published.published == *port)
                })
            })
            .unwrap_or(first)
    }

    fn removed(&mut self, number: u32, ctx: &mut Context<'_>) {
        let operation = &mut self.operations[number as usize];
        let store = &self.store;
        operation
            .removing
            .retain(|id| store.containers.get(*id).is_some());
        if !operation.removing.is_empty() {
            return;
        }
        match operation.kind {
            OperationKind::Up => operation.phase = Phase::Starting,
            OperationKind::Down => {
                let stopped: Vec<String> = operation
                    .lines
                    .iter()
                    .filter_map(|line| line.strip_suffix(" Stopping"))
                    .flat_map(|line| [format!("{line} Stopped"), format!("{line} Removed")])
                    .collect();
                operation.lines.extend(stopped);
                operation.lines.push(format!(
                    " Network {}_default Removed",
                    operation.project.name
                ));
                operation.phase = Phase::Over;
                operation.exit = Some(0);
            }
        }
        let _ = ctx;
    }

    /// Starts every service whose dependencies hold.
    fn start_jobs(&mut self, number: u32, ctx: &mut Context<'_>, out: &mut Out) {
        let count = self.operations[number as usize].jobs.len();
        let mut poll = false;
        for index in 0..count {
            if self.operations[number as usize].jobs[index].started {
                continue;
            }
            match self.dependencies(number, index, ctx) {
                Readiness::Ready(rule) => self.start_job(number, index, rule, ctx, out),
                Readiness::Later { polled } => {
                    poll |= polled;
                    let operation = &mut self.operations[number as usize];
                    if !operation.jobs[index].announced {
                        operation.jobs[index].announced = true;
                        let waiting = operation.jobs[index]
                            .service
                            .depends_on
                            .keys()
                            .cloned()
                            .collect::<Vec<_>>();
                        for name in waiting {
                            operation.lines.push(format!(
                                " Container {}-{name}-1 Waiting",
                                operation.project.name
                            ));
                        }
                    }
                }
                Readiness::Failed(message) => {
                    let operation = &mut self.operations[number as usize];
                    operation.lines.push(message);
                    operation.exit = Some(1);
                    operation.phase = Phase::Over;
                    return;
                }
            }
        }
        if let Some(message) = self.refused(number, ctx) {
            let operation = &mut self.operations[number as usize];
            operation.lines.push(message);
            operation.exit = Some(1);
            operation.phase = Phase::Over;
            return;
        }
        let operation = &self.operations[number as usize];
        let running = operation.jobs.iter().all(|job| {
            job.started
                && job.containers.iter().all(|id| {
                    self.store
                        .containers
                        .get(*id)
                        .is_none_or(|row| row.started_at.is_some())
                })
        });
        if running {
            self.end_of_start(number, ctx, out);
        } else if poll {
            out.after(POLL, Event::Step { operation: number });
        }
    }

    /// A container that the engine refused to start ends the command.
    fn refused(&self, number: u32, ctx: &Context<'_>) -> Option<String> {
        let operation = &self.operations[number as usize];
        operation
            .jobs
            .iter()
            .filter(|job| job.started)
            .flat_map(|job| &job.containers)
            .find_map(|id| {
                let row = self.store.containers.get(*id)?;
                let error = row.error.filter(|_| row.state == State::Created)?;
                Some(format!(
                    "Error response from daemon: {}",
                    ctx.symbols.text(error)
                ))
            })
    }

    fn end_of_start(&mut self, number: u32, ctx: &mut Context<'_>, out: &mut Out) {
        let operation = &mut self.operations[number as usize];
        let names: Vec<String> = operation
            .jobs
            .iter()
            .flat_map(|job| &job.containers)
            .filter_map(|id| self.store.containers.get(*id))
            .map(|row| format!(" Container {} Started", ctx.symbols.text(row.name)))
            .collect();
        for line in names {
            if !operation.lines.contains(&line) {
                operation.lines.push(line);
            }
        }
        let project = Name::plain(ctx.symbols.intern(&operation.project.name));
        out.notice(Notice {
            source: "compose.client",
            verb: "up",
            subject: Subject {
                kind: "project",
                name: project,
            },
            detail: Detail::None,
            rule: None,
        });
        if operation.options.wait {
            operation.phase = Phase::Waiting;
        } else {
            operation.phase = Phase::Over;
            operation.exit = Some(0);
        }
    }

    fn wait_jobs(&mut self, number: u32, ctx: &mut Context<'_>, _out: &mut Out) {
        let operation = &self.operations[number as usize];
        let rows = || {
            operation
                .jobs
                .iter()
                .flat_map(|job| &job.containers)
                .filter_map(|id| self.store.containers.get(*id))
        };
        let failed =
            rows().find(|row| row.health == Health::Unhealthy || row.state == State::Exited);
        let end = match failed {
            Some(row) => {
                let name = ctx.symbols.text(row.name);
                Some((
                    1,
                    Some(if row.state == State::Exited {
                        format!("container {name} exited ({})", row.exit_code)
                    } else {
                        format!("container {name} is unhealthy")
                    }),
                ))
            }
            None if rows().all(ContainerRow::is_ready) => Some((0, None)),
            None => None,
        };
        if let Some((code, line)) = end {
            let operation = &mut self.operations[number as usize];
            operation.lines.extend(line);
            operation.exit = Some(code);
            operation.phase = Phase::Over;
        }
    }

    fn start_job(
        &mut self,
        number: u32,
        index: usize,
        rule: Option<Rule>,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) {
        let ids = self.operations[number as usize].jobs[index]
            .containers
            .clone();
        self.operations[number as usize].jobs[index].started = true;
        for id in ids {
            let Some(row) = self.store.containers.get(id) else {
                continue;
            };
            if matches!(row.state, State::Running | State::Starting) {
                continue;
            }
            let name = ctx.symbols.text(row.name).to_owned();
            self.operations[number as usize]
                .lines
                .push(format!(" Container {name} Starting"));
            out.notice(Notice {
                source: "compose.client",
                verb: "start",
                subject: Subject {
                    kind: "container",
                    name: Name::plain(row.name),
                },
                detail: Detail::None,
                rule,
            });
            self.start_by_hand(id, out);
        }
    }

    /// Whether a service's dependencies hold.
    fn dependencies(&self, number: u32, index: usize, ctx: &Context<'_>) -> Readiness {
        let operation = &self.operations[number as usize];
        let mut later = None;
        let mut rule = None;
        for (name, dependency) in &operation.jobs[index].service.depends_on {
            let Some(job) = operation.jobs.iter().find(|job| job.service.name == *name) else {
                continue;
            };
            if job.service.scale == 0 {
                continue;
            }
            for id in &job.containers {
                let Some(row) = self.store.containers.get(*id) else {
                    continue;
                };
                let text = ctx.symbols.text(row.name);
                let answer = judge(dependency.condition, row, text, job.started);
                match answer {
                    Ok(true) => {
                        if dependency.condition == DependencyCondition::Healthy {
                            rule = Some(Rule {
                                key: "service_healthy poll",
                                value: POLL,
                            });
                        }
                    }
                    Ok(false) => {
                        later = Some(
                            later.unwrap_or(false)
                                || dependency.condition == DependencyCondition::Healthy,
                        )
                    }
                    Err(message) if dependency.required => return Readiness::Failed(message),
                    Err(_) => {}
                }
            }
        }
        match later {
            Some(polled) => Readiness::Later { polled },
            None => Readiness::Ready(rule),
        }
    }
}

enum Readiness {
    Ready(Option<Rule>),
    Later { polled: bool },
    Failed(String),
}

/// Whether one dependency's container satisfies a condition. Source: 26.9, 26.10.
fn judge(
    condition: DependencyCondition,
    row: &ContainerRow,
    name: &str,
    started: bool,
) -> Result<bool, String> {
    let ended = row.state == State::Exited && started && row.started_at.is_some();
    match condition {
        DependencyCondition::Started => {
            Ok(row.state == State::Running || ended || row.state == State::Restarting)
        }
        DependencyCondition::Healthy => {
            if !row.has_health_check() {
                return Err(format!(
                    "dependency failed to start: container {name} has no healthcheck configured"
                ));
            }
            if ended {
                return Err(format!(
                    "dependency failed to start: container {name} exited ({})",
                    row.exit_code
                ));
            }
            match row.health {
                Health::Healthy => Ok(true),
                Health::Unhealthy => Err(format!(
                    "dependency failed to start: container {name} is unhealthy"
                )),
                Health::None | Health::Starting => Ok(false),
            }
        }
        DependencyCondition::CompletedSuccessfully => match (ended, row.exit_code) {
            (true, 0) => Ok(true),
            (true, code) => Err(format!(
                "service \"{name}\" didn't complete successfully: exit {code}"
            )),
            (false, _) => Ok(false),
        },
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

fn blank_project() -> Project {
    Project {
        name: "".into(),
        services: Default::default(),
        disabled: Default::default(),
        networks: Default::default(),
        volumes: Default::default(),
    }
}

/// Stands in the list while its operation is being worked on.
fn placeholder() -> Operation {
    Operation {
        kind: OperationKind::Up,
        lines: Vec::new(),
        exit: None,
        project: Arc::new(blank_project()),
        options: UpOptions::default(),
        phase: Phase::Over,
        pulls: 0,
        jobs: Vec::new(),
        removing: Vec::new(),
        stepping: false,
    }
}
