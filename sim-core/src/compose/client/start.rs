//! Starting containers in the order of their dependencies, and waiting for them.
//!
//! Source: `docker/compose pkg/compose/{convergence,start}.go`.

use std::sync::Arc;

use crate::api::compose::service::{Dependency, DependencyCondition};
use crate::base::id::Id;
use crate::base::name::{Name, Rule};
use crate::des::notice::{Detail, Notice, Subject};
use crate::substrate::Context;

use super::super::store::{ContainerRow, Health, State};
use super::super::{ComposePlane, Event, Out};
use super::{Operation, POLL, Phase, Stage};

/// What a look at a dependency gives.
enum Verdict {
    Later,
    Holds(&'static str),
    Fails(String),
}

impl ComposePlane {
    /// Starts every service whose dependencies hold.
    #[inline(never)]
    pub(super) fn start_jobs(
        &mut self,
        number: u32,
        operation: &mut Operation,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) {
        for place in 0..operation.jobs.len() {
            if operation.jobs[place].stage == Stage::Waiting && operation.may_begin(place) {
                operation.jobs[place].stage = Stage::Clearing;
                if let Err(message) = self.begin_wait(number, place, operation, ctx, out) {
                    operation.fail(message);
                    return;
                }
            }
            if operation.jobs[place].stage == Stage::Clearing {
                match self.look(number, place, operation, ctx, out) {
                    Ok(false) => continue,
                    Ok(true) => operation.jobs[place].stage = Stage::Working,
                    Err(message) => {
                        operation.fail(message);
                        return;
                    }
                }
            }
            if operation.jobs[place].stage == Stage::Working
                && let Err(message) = self.start_containers(place, operation, ctx, out)
            {
                operation.fail(message);
                return;
            }
        }
        if operation.jobs.iter().all(|job| job.stage == Stage::Done) {
            self.end_of_start(number, operation, ctx, out);
        }
    }

    /// Dependencies that have to be waited for beyond their start.
    fn conditions(operation: &Operation, place: usize) -> Vec<(Arc<str>, Dependency)> {
        let job = &operation.jobs[place];
        job.depends_on
            .iter()
            .filter(|(_, dependency)| dependency.condition != DependencyCondition::Started)
            .map(|(name, dependency)| (name.clone(), *dependency))
            .collect()
    }

    fn begin_wait(
        &mut self,
        number: u32,
        place: usize,
        operation: &mut Operation,
        ctx: &Context<'_>,
        out: &mut Out,
    ) -> Result<(), String> {
        let dependant = operation.jobs[place].name.clone();
        let mut waits = false;
        for (name, dependency) in Self::conditions(operation, place) {
            let Some(other) = operation.job(&name) else {
                // Not enabled, or left out by name: nothing to wait for.
                operation.jobs[place].held.insert(name);
                continue;
            };
            if operation.jobs[other].scale == 0 {
                operation.jobs[place].held.insert(name);
                continue;
            }
            let containers = operation.jobs[other].containers.clone();
            if containers.is_empty() {
                let message = format!("{dependant} is missing dependency {name}");
                if dependency.required {
                    return Err(message);
                }
                operation.lines.push(format!("WARN[0000] {message} "));
                operation.jobs[place].held.insert(name);
                continue;
            }
            self.say_all(&containers, "Waiting", operation, ctx);
            waits = true;
        }
        if waits {
            operation.jobs[place].next_poll = Some(ctx.now + POLL);
            out.after(POLL, Event::Step { operation: number });
        }
        Ok(())
    }

    fn say_all(
        &self,
        containers: &[Id<ContainerRow>],
        word: &str,
        operation: &mut Operation,
        ctx: &Context<'_>,
    ) {
        for id in containers {
            if let Some(row) = self.store.containers.get(*id) {
                let name = ctx.symbols.text(row.name).to_owned();
                operation.say("Container", &name, word);
            }
        }
    }

    /// Looks at the conditions when the next look is due. Returns whether they all hold.
    fn look(
        &mut self,
        number: u32,
        place: usize,
        operation: &mut Operation,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) -> Result<bool, String> {
        let Some(due) = operation.jobs[place].next_poll else {
            return Ok(true);
        };
        if ctx.now < due {
            return Ok(false);
        }
        let mut all = true;
        for (name, dependency) in Self::conditions(operation, place) {
            if operation.jobs[place].held.contains(&name) {
                continue;
            }
            let Some(other) = operation.job(&name) else {
                continue;
            };
            let containers = operation.jobs[other].containers.clone();
            let verdict = if dependency.condition == DependencyCondition::Healthy {
                self.healthy(&containers, false, ctx)
            } else {
                self.completed(&name, &containers)
            };
            let is_health = dependency.condition == DependencyCondition::Healthy;
            match verdict {
                Verdict::Later => all = false,
                Verdict::Holds(word) => {
                    self.say_all(&containers, word, operation, ctx);
                    operation.jobs[place].held.insert(name);
                }
                Verdict::Fails(message) if !dependency.required => {
                    let (reason, message) = if is_health {
                        let reason = format!("optional dependency {name:?} failed to start");
                        (reason.clone(), format!("{reason}: {message}"))
                    } else {
                        let reason = format!("optional dependency {message}");
                        (reason.clone(), reason)
                    };
                    self.say_all(&containers, &format!("Skipped: {reason}"), operation, ctx);
                    operation.lines.push(format!("WARN[0000] {message} "));
                    operation.jobs[place].held.insert(name);
                }
                Verdict::Fails(message) => {
                    let (word, message) = if is_health {
                        (
                            format!("Error dependency {name} failed to start"),
                            format!("dependency failed to start: {message}"),
                        )
                    } else {
                        (
                            format!("Error service {message}"),
                            format!("service {message}"),
                        )
                    };
                    self.say_all(&containers, &word, operation, ctx);
                    return Err(message);
                }
            }
        }
        if !all {
            operation.jobs[place].next_poll = Some(ctx.now + POLL);
            out.after(POLL, Event::Step { operation: number });
        }
        Ok(all)
    }

    /// Whether all containers are healthy, or run where there is no check and that is enough.
    fn healthy(
        &self,
        containers: &[Id<ContainerRow>],
        running_is_enough: bool,
        ctx: &Context<'_>,
    ) -> Verdict {
        for id in containers {
            let Some(row) = self.store.containers.get(*id) else {
                continue;
            };
            let name = ctx.symbols.text(row.name);
            if row.state == State::Exited {
                return Verdict::Fails(format!("container {name} exited ({})", row.exit_code));
            }
            if !row.has_health_check() {
                if !running_is_enough {
                    return Verdict::Fails(format!(
                        "container {name} has no healthcheck configured"
                    ));
                }
                if row.state != State::Running {
                    return Verdict::Later;
                }
                continue;
            }
            match row.health {
                Health::Healthy if row.state == State::Running => {}
                Health::Unhealthy if row.state == State::Running => {
                    return Verdict::Fails(format!("container {name} is unhealthy"));
                }
                Health::Healthy | Health::Unhealthy | Health::None | Health::Starting => {
                    return Verdict::Later;
                }
            }
        }
        Verdict::Holds("Healthy")
    }

    fn completed(&self, name: &str, containers: &[Id<ContainerRow>]) -> Verdict {
        let ended = containers
            .iter()
            .filter_map(|id| self.store.containers.get(*id))
            .find(|row| row.state == State::Exited);
        match ended.map(|row| row.exit_code) {
            None => Verdict::Later,
            Some(0) => Verdict::Holds("Exited"),
            Some(code) => Verdict::Fails(format!(
                "{name:?} didn't complete successfully: exit {code}"
            )),
        }
    }

    /// Starts a service's containers one after another.
    fn start_containers(
        &mut self,
        place: usize,
        operation: &mut Operation,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) -> Result<(), String> {
        let containers = operation.jobs[place].containers.clone();
        for id in containers {
            let under_way = operation.jobs[place].starting;
            let Some(row) = self.store.containers.get(id) else {
                if under_way.is_some_and(|(starting, _)| starting == id) {
                    operation.jobs[place].starting = None;
                }
                continue;
            };
            let name = ctx.symbols.text(row.name).to_owned();
            match under_way {
                Some((starting, since)) if starting == id => {
                    if let Some(error) = row.error.filter(|_| row.state == State::Created) {
                        return Err(format!(
                            "Error response from daemon: {}",
                            ctx.symbols.text(error)
                        ));
                    }
                    if row.started_at.is_none_or(|at| at < since) {
                        return Ok(());
                    }
                    operation.say("Container", &name, "Started");
                    operation.jobs[place].starting = None;
                    operation.jobs[place].started.insert(id);
                }
                Some(_) => {}
                None => {
                    let begun = operation.jobs[place].started.contains(&id);
                    if begun || matches!(row.state, State::Running | State::Restarting) {
                        continue;
                    }
                    let conditions = Self::conditions(operation, place);
                    let rule = conditions
                        .iter()
                        .any(|(_, other)| other.condition == DependencyCondition::Healthy)
                        .then_some(Rule {
                            key: "service_healthy poll",
                            value: POLL,
                        });
                    operation.say("Container", &name, "Starting");
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
                    operation.jobs[place].starting = Some((id, ctx.now));
                    self.start_by_hand(id, out);
                    return Ok(());
                }
            }
        }
        if operation.jobs[place].starting.is_none() {
            operation.jobs[place].stage = Stage::Done;
        }
        Ok(())
    }

    fn end_of_start(
        &mut self,
        number: u32,
        operation: &mut Operation,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) {
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
        if !operation.options.wait {
            operation.over(0);
            return;
        }
        operation.phase = Phase::Waiting;
        for place in 0..operation.jobs.len() {
            let containers = operation.jobs[place].containers.clone();
            self.say_all(&containers, "Waiting", operation, ctx);
            operation.jobs[place].next_poll = Some(ctx.now + POLL);
            operation.jobs[place].stage = Stage::Waiting;
        }
        out.after(POLL, Event::Step { operation: number });
    }

    /// `--wait`: until every container runs, or is healthy where it has a check. One-shot services
    /// that others wait for are to end well. Source: `start.go` getDependencyCondition.
    #[inline(never)]
    pub(super) fn wait_jobs(
        &mut self,
        number: u32,
        operation: &mut Operation,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) {
        let mut again = false;
        for place in 0..operation.jobs.len() {
            let job = &operation.jobs[place];
            if job.stage == Stage::Done {
                continue;
            }
            if job.next_poll.is_some_and(|due| ctx.now < due) {
                return;
            }
            let name = job.name.clone();
            let is_one_shot = operation.jobs.iter().any(|other| {
                other.depends_on.get(&name).is_some_and(|dependency| {
                    dependency.condition == DependencyCondition::CompletedSuccessfully
                })
            });
            let containers = operation.jobs[place].containers.clone();
            let verdict = if is_one_shot {
                self.completed(&name, &containers)
            } else {
                self.healthy(&containers, true, ctx)
            };
            match verdict {
                Verdict::Later => {
                    operation.jobs[place].next_poll = Some(ctx.now + POLL);
                    again = true;
                }
                Verdict::Holds(word) => {
                    self.say_all(&containers, word, operation, ctx);
                    operation.jobs[place].stage = Stage::Done;
                }
                Verdict::Fails(message) => {
                    let message = if is_one_shot {
                        format!("service {message}")
                    } else {
                        message
                    };
                    operation.fail(message);
                    return;
                }
            }
        }
        if again {
            out.after(POLL, Event::Step { operation: number });
        } else {
            operation.over(0);
        }
    }
}
