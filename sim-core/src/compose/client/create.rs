//! Creating networks, volumes and containers, and removing what is obsolete or in the way.
//!
//! Source: `docker/compose pkg/compose/{create,convergence}.go`.

use std::sync::Arc;

use crate::api::compose::project::Project;
use crate::api::compose::service::Service;
use crate::base::id::Id;
use crate::base::symbol::Symbol;
use crate::base::time::SimDuration;
use crate::des::notice::Detail;
use crate::substrate::Context;

use super::super::store::{ContainerRow, Health, Published, ServiceRow, State, Then};
use super::super::{ComposePlane, Out, lower};
use super::{Job, Operation, OperationKind, Phase};

impl ComposePlane {
    /// Creates networks, volumes and containers; removes what is obsolete.
    pub(super) fn create(&mut self, number: u32, ctx: &mut Context<'_>, out: &mut Out) {
        let mut operation = std::mem::take(&mut self.operations[number as usize]);
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

    pub(super) fn orphans(
        &mut self,
        operation: &mut Operation,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) {
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
    pub(super) fn plan_service(
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

    pub(super) fn service_row(&mut self, project: Symbol, name: Symbol, desired: u32) {
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

    pub(super) fn make(
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

    pub(super) fn free_in(&self, first: u16, last: u16) -> u16 {
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

    pub(super) fn removed(&mut self, number: u32, ctx: &mut Context<'_>) {
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
}
