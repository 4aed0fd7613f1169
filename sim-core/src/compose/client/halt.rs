//! Stopping, removing and restarting the containers of a project, those first that others depend on
//! last.
//!
//! Source: `docker/compose pkg/compose/{stop,down,start,restart}.go`.

use std::sync::Arc;

use crate::api::compose::project::Project;
use crate::api::compose::service::{Dependency, DependencyCondition};
use crate::base::arrange::Arrange;
use crate::base::id::Id;
use crate::base::sorted::SortedMap;
use crate::substrate::Context;

use super::super::store::{ContainerRow, State, Then};
use super::super::view::container_id;
use super::super::{ComposePlane, DownOptions, Images, Out, Part, Refusal, Response, graph, lower};
use super::{Job, Operation, Phase, Stage};

impl ComposePlane {
    /// One job for each service that has containers, in start order. Dependencies are those of the
    /// file, or of the labels where there is no file.
    fn jobs_of(&self, part: &Part, ctx: &Context<'_>) -> Vec<Job> {
        let Some(project) = ctx.symbols.get(&part.project) else {
            return Vec::new();
        };
        let mut found: SortedMap<Arc<str>, Vec<(u32, Id<ContainerRow>)>> = SortedMap::new();
        for (id, row) in self.store.containers.iter() {
            if row.project == project && !row.is_one_off {
                let service = ctx.symbols.text(row.service);
                found
                    .entry(service.into())
                    .or_default()
                    .push((row.number, id));
            }
        }
        let mut jobs: Vec<Job> = Vec::new();
        for (name, mut members) in found {
            members.arrange();
            let mut job = Job::new(&name);
            job.containers = members.into_iter().map(|(_, id)| id).collect();
            let written = part
                .model
                .as_ref()
                .and_then(|model| model.services.get(&name));
            job.depends_on = match (written, job.containers.first()) {
                (Some(service), _) => service.depends_on.clone(),
                (None, Some(id)) => self.labelled(*id),
                (None, None) => SortedMap::new(),
            };
            jobs.push(job);
        }
        let edges: SortedMap<Arc<str>, Vec<Arc<str>>> = jobs
            .iter()
            .map(|job| (job.name.clone(), job.depends_on.keys().cloned().collect()))
            .collect();
        let depth = graph::depths(&edges);
        jobs.arrange_by_key(|job| (depth.get(&job.name).copied().unwrap_or(0), job.name.clone()));
        jobs
    }

    /// Dependencies as a container's label has them.
    fn labelled(&self, id: Id<ContainerRow>) -> SortedMap<Arc<str>, Dependency> {
        let key = format!("{}depends_on", lower::LABEL);
        let Some(label) = self.store.containers[id].config.labels.get(key.as_str()) else {
            return SortedMap::new();
        };
        label
            .split(',')
            .filter(|entry| !entry.is_empty())
            .map(|entry| {
                let mut parts = entry.split(':');
                let name = Arc::from(parts.next().unwrap_or(""));
                let condition = match parts.next() {
                    Some("service_healthy") => DependencyCondition::Healthy,
                    Some("service_completed_successfully") => {
                        DependencyCondition::CompletedSuccessfully
                    }
                    _ => DependencyCondition::Started,
                };
                let dependency = Dependency {
                    condition,
                    required: true,
                    restart: parts.next() == Some("true"),
                };
                (name, dependency)
            })
            .collect()
    }

    /// Begins `down` (with options) or `stop`.
    #[inline(never)]
    pub(crate) fn begin_halt(
        &mut self,
        part: &Part,
        down: Option<DownOptions>,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) -> Result<Response, Refusal> {
        let mut jobs = self.jobs_of(part, ctx);
        jobs.retain(|job| part.services.is_empty() || part.services.contains(&job.name));
        if let (Some(options), Some(model)) = (&down, &part.model) {
            // What is not in the file is an orphan.
            jobs.retain(|job| {
                options.orphans
                    || model.services.contains_key(&job.name)
                    || model.disabled.contains_key(&job.name)
            });
        }
        jobs.reverse();
        for place in 0..jobs.len() {
            let name = jobs[place].name.clone();
            jobs[place].after = (0..place)
                .filter(|other| jobs[*other].depends_on.contains_key(&name))
                .collect();
        }
        let model = part.model.clone().unwrap_or_else(|| {
            Arc::new(Project {
                name: part.project.clone(),
                ..Project::default()
            })
        });
        if down.is_some() {
            let project = ctx.symbols.intern(&part.project);
            let gone = |name: &str| jobs.iter().any(|job| &*job.name == name);
            self.store.services.retain(|service| {
                service.project != project || !gone(ctx.symbols.text(service.name))
            });
        }
        let mut operation = Operation {
            project: model,
            down,
            grace: part.grace,
            phase: Phase::Halting,
            jobs,
            ..Operation::default()
        };
        if operation.down.as_ref().is_some_and(|down| down.orphans) {
            self.one_offs(part, &mut operation, ctx, out);
        }
        self.enlist(operation, out)
    }

    /// Containers of `compose run` go with the orphans.
    fn one_offs(
        &mut self,
        part: &Part,
        operation: &mut Operation,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) {
        let project = ctx.symbols.intern(&part.project);
        let found: Vec<Id<ContainerRow>> = self
            .store
            .containers
            .iter()
            .filter(|(_, row)| row.project == project && row.is_one_off)
            .map(|(id, _)| id)
            .collect();
        for id in found {
            let busy = self.halt(id, true, false, operation, ctx, out);
            operation.busy.push(busy);
        }
    }

    /// Stops every service that nothing running depends on any more.
    #[inline(never)]
    pub(super) fn halt_jobs(
        &mut self,
        operation: &mut Operation,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) {
        let busy = std::mem::take(&mut operation.busy);
        operation.busy = self.settle(busy, operation, ctx, out);
        for place in 0..operation.jobs.len() {
            if operation.jobs[place].stage == Stage::Waiting && operation.may_begin(place) {
                operation.jobs[place].stage = Stage::Working;
                let removes = operation.down.is_some();
                for id in operation.jobs[place].containers.clone() {
                    if self.store.containers.get(id).is_none() {
                        continue;
                    }
                    let busy = self.halt(id, removes, false, operation, ctx, out);
                    operation.jobs[place].busy.push(busy);
                }
            }
            if operation.jobs[place].stage == Stage::Working {
                let busy = std::mem::take(&mut operation.jobs[place].busy);
                let busy = self.settle(busy, operation, ctx, out);
                operation.jobs[place].busy = busy;
                if operation.jobs[place].busy.is_empty() {
                    operation.jobs[place].stage = Stage::Done;
                }
            }
        }
        let done = operation.jobs.iter().all(|job| job.stage == Stage::Done);
        if done && operation.busy.is_empty() {
            if let Some(down) = operation.down.clone() {
                self.clean(&down, operation, ctx, out);
            }
            operation.over(0);
        }
    }

    /// Networks, then images and volumes if asked for.
    fn clean(
        &mut self,
        down: &DownOptions,
        operation: &mut Operation,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) {
        let project = operation.project.clone();
        let key = format!("{}project", lower::LABEL);
        let own = |labels: &SortedMap<Arc<str>, Arc<str>>| {
            labels
                .get(key.as_str())
                .is_some_and(|name| *name == project.name)
        };
        let made = &self.store.networks;
        let networks: Vec<Arc<str>> = made
            .iter()
            .filter(|(_, made)| own(&made.labels))
            .map(|(name, _)| name.clone())
            .collect();
        let volumes: Vec<Arc<str>> = self
            .store
            .volumes
            .iter()
            .filter(|(_, made)| down.volumes && own(&made.labels))
            .map(|(name, _)| name.clone())
            .collect();
        let mut images: Vec<Arc<str>> = Vec::new();
        for service in project.services.values() {
            let is_own = self.store.built.contains(&service.image)
                && *service.image == *format!("{}-{}", project.name, service.name);
            let wanted = match down.images {
                None => false,
                Some(Images::Local) => is_own,
                Some(Images::All) => true,
            };
            if wanted && !images.contains(&service.image) {
                images.push(service.image.clone());
            }
        }
        if operation.jobs.is_empty()
            && networks.is_empty()
            && volumes.is_empty()
            && images.is_empty()
        {
            operation.lines.push(format!(
                "WARN[0000] Warning: No resource found to remove for project {:?}. ",
                project.name
            ));
        }
        for name in networks {
            operation.say("Network", &name, "Removing");
            let word = match self.remove_network(&name, ctx) {
                Ok(_) => "Removed",
                Err(_) => "Resource is still in use",
            };
            operation.say("Network", &name, word);
        }
        for name in images {
            operation.say("Image", &name, "Removing");
            let word = match self.remove_image(&name, ctx, out) {
                Ok(_) => "Removed",
                Err(refusal) if refusal.message.starts_with("conflict") => {
                    "Resource is still in use"
                }
                Err(_) => "Warning: No resource found to remove",
            };
            operation.say("Image", &name, word);
        }
        for name in volumes {
            operation.say("Volume", &name, "Removing");
            let word = match self.remove_volume(&name, ctx, out) {
                Ok(_) => "Removed",
                Err(_) => "Resource is still in use",
            };
            operation.say("Volume", &name, word);
        }
    }

    /// Begins `start`: containers that are there, in start order, with the conditions of their
    /// dependencies.
    #[inline(never)]
    pub(crate) fn begin_start_project(
        &mut self,
        part: &Part,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) -> Result<Response, Refusal> {
        let mut jobs = self.jobs_of(part, ctx);
        let mut kept: Vec<Arc<str>> = part.services.clone();
        let mut place = 0;
        while place < kept.len() {
            let needed = jobs.iter().find(|job| job.name == kept[place]);
            for name in needed.into_iter().flat_map(|job| job.depends_on.keys()) {
                if !kept.contains(name) {
                    kept.push(name.clone());
                }
            }
            place += 1;
        }
        jobs.retain(|job| kept.is_empty() || kept.contains(&job.name));
        for name in &part.services {
            if !jobs.iter().any(|job| job.name == *name) {
                return Err(Refusal::new(format!(
                    "service {name:?} has no container to start"
                )));
            }
        }
        let operation = Operation {
            phase: Phase::Starting,
            jobs: linked(jobs, |_| true),
            ..Operation::default()
        };
        self.enlist(operation, out)
    }

    /// Begins `restart`: also of services that ask to be restarted with the named ones.
    #[inline(never)]
    pub(crate) fn begin_restart(
        &mut self,
        part: &Part,
        no_dependents: bool,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) -> Result<Response, Refusal> {
        let mut jobs = self.jobs_of(part, ctx);
        let mut kept: Vec<Arc<str>> = part.services.clone();
        let mut place = 0;
        while !no_dependents && place < kept.len() {
            for job in &jobs {
                let follows = job
                    .depends_on
                    .get(&kept[place])
                    .is_some_and(|dependency| dependency.restart);
                if follows && !kept.contains(&job.name) {
                    kept.push(job.name.clone());
                }
            }
            place += 1;
        }
        jobs.retain(|job| kept.is_empty() || kept.contains(&job.name));
        let operation = Operation {
            phase: Phase::Restarting,
            grace: part.grace,
            jobs: linked(jobs, |dependency| dependency.restart),
            ..Operation::default()
        };
        self.enlist(operation, out)
    }

    #[inline(never)]
    pub(super) fn restart_jobs(
        &mut self,
        operation: &mut Operation,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) {
        for place in 0..operation.jobs.len() {
            let containers = operation.jobs[place].containers.clone();
            if operation.jobs[place].stage == Stage::Waiting && operation.may_begin(place) {
                operation.jobs[place].stage = Stage::Working;
                operation.jobs[place].next_poll = Some(ctx.now);
                for id in &containers {
                    let Some(row) = self.store.containers.get(*id) else {
                        continue;
                    };
                    let name = ctx.symbols.text(row.name).to_owned();
                    operation.say("Container", &name, "Restarting");
                    self.stop_one(*id, operation.grace, Then::Start, ctx, out);
                }
            }
            if operation.jobs[place].stage != Stage::Working {
                continue;
            }
            let since = operation.jobs[place].next_poll;
            let mut all = true;
            for id in &containers {
                let Some(row) = self.store.containers.get(*id) else {
                    continue;
                };
                let name = ctx.symbols.text(row.name).to_owned();
                if operation.jobs[place].started.contains(id) {
                    continue;
                }
                if let Some(error) = row.error.filter(|_| row.state == State::Created) {
                    operation.fail(format!(
                        "Error response from daemon: Cannot restart container {}: {}",
                        container_id(row, ctx.seed),
                        ctx.symbols.text(error)
                    ));
                    return;
                }
                if row.started_at >= since && row.started_at.is_some() && !row.restarted {
                    operation.say("Container", &name, "Started");
                    operation.jobs[place].started.insert(*id);
                } else {
                    all = false;
                }
            }
            if all {
                operation.jobs[place].stage = Stage::Done;
            }
        }
        if operation.jobs.iter().all(|job| job.stage == Stage::Done) {
            operation.over(0);
        }
    }
}

/// The jobs with what comes before each, of the dependencies that count.
fn linked(mut jobs: Vec<Job>, counts: fn(&Dependency) -> bool) -> Vec<Job> {
    for place in 0..jobs.len() {
        let after: Vec<usize> = jobs
            .iter()
            .enumerate()
            .filter(|(other, job)| {
                *other < place && jobs[place].depends_on.get(&job.name).is_some_and(counts)
            })
            .map(|(other, _)| other)
            .collect();
        jobs[place].after = after;
    }
    jobs
}
