//! The container engine of the host: starts, stops, restart policies, health labels.
//!
//! Sources: `moby/moby daemon/internal/restartmanager`, `daemon/health.go`, `daemon/start.go`.

mod hand;

use std::sync::Arc;

use crate::api::compose::service::Restart;
use crate::base::arrange::Arrange;
use crate::base::id::Id;
use crate::base::name::{Name, Rule};
use crate::base::time::SimDuration;
use crate::des::notice::{Detail, Notice, Subject};
use crate::substrate::Context;
use crate::substrate::order::{
    Backend, BalanceMode, BalancerSpec, ContainerId, Entry, MachineId, Order, Owner, PullError,
    SandboxId,
};

use super::store::{ContainerRow, Health, LOG_LINES_MAX, State, Then, owner};
use super::view::network_id;
use super::{ComposePlane, Event, Out};

/// First restart back-off. Source: `restartmanager.go` (`defaultTimeout`).
pub const BACKOFF_FIRST: SimDuration = SimDuration::from_millis(100);
/// Longest restart back-off. Source: `restartmanager.go` (`maxRestartTimeout`).
pub const BACKOFF_MAX: SimDuration = SimDuration::from_secs(60);
/// A run of this length resets the back-off. Source: `restartmanager.go`.
pub const BACKOFF_RESET: SimDuration = SimDuration::from_secs(10);
/// Exit code that the engine gives to containers whose process is gone when it starts.
/// Source: `daemon/daemon.go` (restore).
const EXIT_LOST: i32 = 255;
/// From the host's boot to the engine having loaded its containers (modelled).
const ENGINE_START: SimDuration = SimDuration::from_secs(2);

/// Owner part of a container's own orders; pulls of a client carry [`PART_PULL`].
pub const PART_RUN: u32 = 0;
/// Owner part of a pull.
pub(crate) const PART_PULL: u32 = 1;

impl ComposePlane {
    pub(crate) fn note(
        &self,
        verb: &'static str,
        row: &ContainerRow,
        detail: Detail,
        rule: Option<Rule>,
        out: &mut Out,
    ) {
        let subject = Subject {
            kind: "container",
            name: Name::plain(row.name),
        };
        out.notice(Notice {
            source: "compose.engine",
            verb,
            subject,
            detail,
            rule,
        });
    }

    /// Begins a start: network first.
    pub(crate) fn begin_start(&mut self, id: Id<ContainerRow>, out: &mut Out) {
        let Some(host) = self.host else { return };
        let row = &mut self.store.containers[id];
        row.state = State::Starting;
        row.error = None;
        row.refusal = 0;
        row.then = Then::Policy;
        row.attempt += 1;
        let spec = Arc::new(self.sandbox_of(id));
        out.order(Order::CreateSandbox {
            owner: owner(id, PART_RUN),
            machine: host,
            spec,
        });
    }

    pub(crate) fn sandbox_created(&mut self, owner: Owner, sandbox: SandboxId) {
        if let Some(id) = self.row_of(owner) {
            self.store.containers[id].sandbox = Some(sandbox);
        }
    }

    pub(crate) fn sandbox_ready(
        &mut self,
        by: Owner,
        sandbox: SandboxId,
        _ctx: &mut Context<'_>,
        out: &mut Out,
    ) {
        let Some(id) = self.row_of(by) else { return };
        let row = &self.store.containers[id];
        if row.sandbox != Some(sandbox) || row.state != State::Starting {
            return;
        }
        for port in row.ports.iter() {
            out.order(Order::BindPort {
                owner: by,
                sandbox,
                port: port.published,
            });
        }
        // Ports are bound before the process starts; a port that is taken ends the start.
        out.order(Order::Start {
            owner: by,
            sandbox,
            spec: row.spec.clone(),
        });
    }

    /// Refused by a port: the container stays created, and no policy starts it. Source: 28.7, 28.9.
    pub(crate) fn port_taken(
        &mut self,
        by: Owner,
        sandbox: SandboxId,
        port: u16,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) {
        let Some(id) = self.row_of(by) else { return };
        let row = &self.store.containers[id];
        if row.sandbox != Some(sandbox) {
            return;
        }
        let name = ctx.symbols.text(row.name).to_owned();
        let address = row
            .ports
            .iter()
            .find(|published| published.published == port)
            .map_or("0.0.0.0", |published| {
                if published.host_ip.is_empty() {
                    "0.0.0.0"
                } else {
                    &published.host_ip
                }
            });
        let id_text = super::view::container_id(row, ctx.seed);
        let message = format!(
            "failed to set up container networking: driver failed programming external connectivity on endpoint {name} ({id_text}): Bind for {address}:{port} failed: port is already allocated"
        );
        let message = ctx.symbols.intern(&message);
        let row = &mut self.store.containers[id];
        row.error = Some(message);
        row.refusal = 125;
        row.state = State::Created;
        row.exit_code = 128;
        row.sandbox = None;
        row.process = None;
        row.attempt += 1;
        let row = row.clone();
        out.order(Order::RemoveSandbox { sandbox });
        self.note("refuse", &row, Detail::Text(message), None, out);
        self.wake(ctx, out);
    }

    pub(crate) fn process_created(&mut self, by: Owner, process: ContainerId) {
        if let Some(id) = self.row_of(by)
            && self.store.containers[id].state == State::Starting
        {
            self.store.containers[id].process = Some(process);
        }
    }

    pub(crate) fn started(
        &mut self,
        by: Owner,
        process: ContainerId,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) {
        let Some(id) = self.row_of(by) else { return };
        let row = &mut self.store.containers[id];
        if row.process != Some(process) {
            return;
        }
        row.state = State::Running;
        row.started_at = Some(ctx.now);
        row.health = if row.has_health_check() {
            Health::Starting
        } else {
            Health::None
        };
        let row = row.clone();
        self.note("start", &row, Detail::None, None, out);
        for network in row.config.networks.keys() {
            self.network_event("connect", network, id, ctx);
        }
        self.event("start", id, &[], ctx);
        if row.restarted {
            self.store.containers[id].restarted = false;
            self.event("restart", id, &[], ctx);
        }
        self.balance(id, ctx, out);
        self.wake(ctx, out);
    }

    /// The container has no sandbox because its network has no address left.
    /// Source: moby `daemon/libnetwork/network.go`.
    pub(crate) fn sandbox_failed(&mut self, by: Owner, ctx: &mut Context<'_>, out: &mut Out) {
        let Some(id) = self.row_of(by) else { return };
        let network = self.used_up(id).map_or("bridge", |name| name);
        let message = format!(
            "failed to set up container networking: no available IPv4 addresses on this network's address pools: {network} ({})",
            network_id(network, ctx.seed)
        );
        self.refuse(id, 125, &message, ctx, out);
    }

    pub(crate) fn start_failed(
        &mut self,
        by: Owner,
        code: i32,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) {
        let Some(id) = self.row_of(by) else { return };
        let row = &self.store.containers[id];
        let words = row.spec.command.iter().chain(row.spec.arguments.iter());
        let first = words.map(|word| &**word).next().unwrap_or("");
        // Source: runc `libcontainer/standard_init_linux.go`, as the daemon passes it on.
        let reason = match code {
            127 => format!(": exec: {first:?}: executable file not found in $PATH"),
            126 => format!(": exec: {first:?}: permission denied"),
            _ => String::new(),
        };
        let message = format!(
            "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init{reason}"
        );
        self.refuse(id, code, &message, ctx, out);
    }

    fn refuse(
        &mut self,
        id: Id<ContainerRow>,
        code: i32,
        message: &str,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) {
        let message = ctx.symbols.intern(message);
        let row = &mut self.store.containers[id];
        row.state = State::Created;
        row.exit_code = code;
        row.refusal = code;
        row.error = Some(message);
        row.process = None;
        let sandbox = row.sandbox.take();
        let row = row.clone();
        if let Some(sandbox) = sandbox {
            out.order(Order::RemoveSandbox { sandbox });
        }
        self.note("refuse", &row, Detail::Text(message), None, out);
        self.wake(ctx, out);
    }

    pub(crate) fn probed(
        &mut self,
        by: Owner,
        process: ContainerId,
        success: bool,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) {
        let Some(id) = self.row_of(by) else { return };
        let row = &mut self.store.containers[id];
        if row.process != Some(process) || row.state != State::Running {
            return;
        }
        row.health = if success {
            Health::Healthy
        } else {
            Health::Unhealthy
        };
        let interval = row.spec.probes.first().map(|probe| probe.period);
        let row = row.clone();
        let text = ctx
            .symbols
            .intern(if success { "healthy" } else { "unhealthy" });
        let rule = interval.map(|value| Rule {
            key: "healthcheck.interval",
            value,
        });
        self.note("health", &row, Detail::Text(text), rule, out);
        let action = format!(
            "health_status: {}",
            if success { "healthy" } else { "unhealthy" }
        );
        self.event(&action, id, &[], ctx);
        self.wake(ctx, out);
    }

    pub(crate) fn exited(
        &mut self,
        by: Owner,
        process: ContainerId,
        code: i32,
        oom: bool,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) {
        let Some(id) = self.row_of(by) else { return };
        if self.store.containers[id].process != Some(process) || !self.engine_up {
            return;
        }
        self.keep_log(id, process, ctx);
        if oom {
            self.event("oom", id, &[], ctx);
        }
        self.event("die", id, &[("exitCode", code.to_string())], ctx);
        let row = &mut self.store.containers[id];
        row.process = None;
        row.exit_code = code;
        row.oom_killed = oom;
        row.finished_at = Some(ctx.now);
        row.state = State::Exited;
        if row.health != Health::None {
            row.health = Health::Unhealthy;
        }
        let lasted = row
            .started_at
            .map_or(SimDuration::ZERO, |started| ctx.now.since(started));
        let sandbox = row.sandbox.take();
        let shown = row.clone();
        if let Some(sandbox) = sandbox {
            out.order(Order::RemoveSandbox { sandbox });
        }
        self.note("die", &shown, Detail::Exit(code), None, out);
        for network in shown.config.networks.keys() {
            self.network_event("disconnect", network, id, ctx);
        }
        self.after_exit(id, lasted, ctx, out);
        // It may have been removed with its exit, which balances what is left.
        if self.store.containers.get(id).is_some() {
            self.balance(id, ctx, out);
        }
        self.wake(ctx, out);
    }

    fn after_exit(
        &mut self,
        id: Id<ContainerRow>,
        lasted: SimDuration,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) {
        let then = self.store.containers[id].then;
        if then == Then::Stay || then == Then::Start {
            self.event("stop", id, &[], ctx);
        }
        match then {
            Then::Remove => self.forget(id, ctx, out),
            Then::Start => {
                self.store.containers[id].restarted = true;
                self.begin_start(id, out);
            }
            Then::Policy => self.apply_policy(id, lasted, out),
            Then::Stay | Then::Die => {}
        }
        // The engine removes it after its end, unless it is to run again.
        let ended = self
            .store
            .containers
            .get(id)
            .is_some_and(|row| row.config.auto_remove && row.state == State::Exited);
        if ended {
            self.forget_anonymous(id, out);
            self.forget(id, ctx, out);
        }
    }

    fn apply_policy(&mut self, id: Id<ContainerRow>, lasted: SimDuration, out: &mut Out) {
        let row = &mut self.store.containers[id];
        if !row.is_restarted() {
            return;
        }
        row.failures += 1;
        row.backoff = if lasted >= BACKOFF_RESET || row.backoff.is_zero() {
            BACKOFF_FIRST
        } else {
            row.backoff.saturating_mul(2).min(BACKOFF_MAX)
        };
        row.state = State::Restarting;
        row.attempt += 1;
        out.after(
            row.backoff,
            Event::Restart {
                container: id,
                attempt: row.attempt,
            },
        );
    }

    pub(crate) fn restart_due(
        &mut self,
        id: Id<ContainerRow>,
        attempt: u32,
        _ctx: &mut Context<'_>,
        out: &mut Out,
    ) {
        let Some(row) = self.store.containers.get_mut(id) else {
            return;
        };
        if row.attempt != attempt || row.state != State::Restarting || !self.engine_up {
            return;
        }
        row.restart_count += 1;
        let row = row.clone();
        let rule = Rule {
            key: "restart back-off",
            value: row.backoff,
        };
        self.note(
            "restart",
            &row,
            Detail::Number(i64::from(row.restart_count)),
            Some(rule),
            out,
        );
        self.begin_start(id, out);
    }

    /// Programs where users' requests for the container's service go.
    pub(crate) fn balance(&mut self, id: Id<ContainerRow>, ctx: &mut Context<'_>, out: &mut Out) {
        let row = &self.store.containers[id];
        let (project, service) = (row.project, row.service);
        let Some(entry) = self
            .store
            .services
            .iter()
            .find(|row| row.name == service && row.project == project)
            .copied()
        else {
            return;
        };
        let Some(host) = self.host else { return };
        let mut published = None;
        let mut running: Vec<(u32, Backend)> = Vec::new();
        let mut listens = false;
        for (_, row) in self.store.of_service(project, service) {
            let target = row.ports.first().map_or(0, |port| port.target);
            published = published.or(row.ports.first().map(|port| port.published));
            let program = row
                .process
                .and_then(|process| ctx.machines.container(process));
            listens |= !row.spec.ports.is_empty()
                || program.is_some_and(|program| !program.behaviour.ports.is_empty());
            if row.state == State::Running
                && let Some(sandbox) = row.sandbox
            {
                running.push((
                    row.number,
                    Backend {
                        sandbox,
                        port: target,
                    },
                ));
            }
        }
        if !listens && !ctx.machines.balancers().any(|(key, _)| key == entry.key) {
            return;
        }
        running.arrange_by_key(|(number, _)| *number);
        let backends: Arc<[Backend]> = running.into_iter().map(|(_, backend)| backend).collect();
        let spec = BalancerSpec {
            name: service,
            mode: BalanceMode::Dns,
            entry: published.map_or(Entry::Inside, |port| Entry::OneMachine(host, port)),
            backends,
        };
        out.order(Order::SetBalancer {
            key: entry.key,
            spec: Arc::new(spec),
        });
    }

    /// Removes a container that does not run.
    pub(crate) fn forget(&mut self, id: Id<ContainerRow>, ctx: &mut Context<'_>, out: &mut Out) {
        let row = self.store.containers[id].clone();
        if let Some(sandbox) = row.sandbox {
            out.order(Order::RemoveSandbox { sandbox });
        }
        self.note("destroy", &row, Detail::None, None, out);
        self.event("destroy", id, &[], ctx);
        if let Some(machine) = self.host {
            out.order(Order::RemoveLayer {
                machine,
                owner: owner(id, PART_RUN),
            });
        }
        self.store.containers.remove(id);
        let left = self
            .store
            .of_service(row.project, row.service)
            .next()
            .map(|(id, _)| id);
        match left {
            Some(other) => self.balance(other, ctx, out),
            None => {
                let place =
                    self.store.services.iter().position(|entry| {
                        entry.name == row.service && entry.project == row.project
                    });
                if let Some(place) = place {
                    let key = self.store.services[place].key;
                    out.order(Order::RemoveBalancer { key });
                    // A container of `docker run` is all there is of its service.
                    if ctx.symbols.text(row.project).is_empty() {
                        self.store.services.remove(place);
                    }
                }
            }
        }
        self.wake(ctx, out);
    }

    /// The host lost power: engine, client and every process with it. What is on disk stays.
    pub(crate) fn host_down(&mut self, machine: MachineId) {
        if self.host != Some(machine) {
            return;
        }
        self.engine_up = false;
        self.boots += 1;
        for number in std::mem::take(&mut self.active) {
            let operation = &mut self.operations[number as usize];
            operation.exit = Some(1);
            operation
                .lines
                .push("error during connect: the host is gone".to_owned());
        }
        let ids: Vec<Id<ContainerRow>> = self.store.containers.iter().map(|(id, _)| id).collect();
        for id in ids {
            let row = &mut self.store.containers[id];
            row.sandbox = None;
            row.process = None;
        }
    }

    pub(crate) fn host_up(&mut self, machine: MachineId, _ctx: &mut Context<'_>, out: &mut Out) {
        if self.host == Some(machine) {
            out.after(ENGINE_START, Event::EngineUp { boot: self.boots });
        }
    }

    /// The engine loads its containers and starts those whose policy says so. Dependencies of the
    /// file play no part: they were the client's. Source: 28.4; `daemon/daemon.go` (restore).
    pub(crate) fn engine_started(&mut self, boot: u32, ctx: &mut Context<'_>, out: &mut Out) {
        if boot != self.boots || self.engine_up {
            return;
        }
        self.engine_up = true;
        let ids: Vec<Id<ContainerRow>> = self.store.containers.iter().map(|(id, _)| id).collect();
        for id in ids {
            let row = &mut self.store.containers[id];
            let ran = matches!(
                row.state,
                State::Running | State::Starting | State::Restarting
            );
            if ran {
                row.state = State::Exited;
                row.exit_code = EXIT_LOST;
                row.finished_at = Some(ctx.now);
            }
            row.health = if row.has_health_check() {
                Health::Starting
            } else {
                Health::None
            };
            let start = match row.config.restart {
                Restart::No => false,
                Restart::Always => row.state != State::Created,
                Restart::UnlessStopped => ran && !row.stopped_by_user,
                Restart::OnFailure { .. } => {
                    row.state != State::Created && row.exit_code != 0 && !row.stopped_by_user
                }
            };
            if start {
                row.backoff = SimDuration::ZERO;
                let shown = row.clone();
                self.note(
                    "restart",
                    &shown,
                    Detail::None,
                    Some(Rule {
                        key: "engine start",
                        value: ENGINE_START,
                    }),
                    out,
                );
                self.begin_start(id, out);
            }
        }
    }

    pub(crate) fn pulled(
        &mut self,
        by: Owner,
        error: Option<PullError>,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) {
        if by.part == PART_PULL {
            self.operation_pulled(by.slot, by.generation, error, ctx, out);
        }
    }

    /// Keeps what a process printed, as the engine's log does over restarts.
    fn keep_log(&mut self, id: Id<ContainerRow>, process: ContainerId, ctx: &Context<'_>) {
        let Some(container) = ctx.machines.container(process) else {
            return;
        };
        let new = container.log(ctx.now);
        if new.is_empty() {
            return;
        }
        let log = Arc::make_mut(&mut self.store.containers[id].log);
        log.extend(new);
        let excess = log.len().saturating_sub(LOG_LINES_MAX);
        log.drain(..excess);
    }
}
