//! Starting containers in the order of their dependencies, and waiting for them.
//!
//! Source: `docker/compose pkg/compose/{convergence,start}.go`.

use crate::api::compose::service::DependencyCondition;
use crate::base::name::{Name, Rule};
use crate::des::notice::{Detail, Notice, Subject};
use crate::substrate::Context;

use super::super::store::{ContainerRow, Health, State};
use super::super::{ComposePlane, Event, Out};
use super::{POLL, Phase};

impl ComposePlane {
    /// Starts every service whose dependencies hold.
    pub(super) fn start_jobs(&mut self, number: u32, ctx: &mut Context<'_>, out: &mut Out) {
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
    pub(super) fn refused(&self, number: u32, ctx: &Context<'_>) -> Option<String> {
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

    pub(super) fn end_of_start(&mut self, number: u32, ctx: &mut Context<'_>, out: &mut Out) {
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

    pub(super) fn wait_jobs(&mut self, number: u32, ctx: &mut Context<'_>, _out: &mut Out) {
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

    pub(super) fn start_job(
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
