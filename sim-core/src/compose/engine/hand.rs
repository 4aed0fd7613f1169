//! What somebody asks of single containers: start, stop, kill, rename, update, remove.
//! Sources: `moby/moby daemon/{start,stop,kill,rename,update,delete}.go`.

use std::sync::Arc;

use crate::api::compose::container::ContainerLimits;
use crate::api::compose::service::Restart;
use crate::api::swarm::service::MountKind;
use crate::base::id::Id;
use crate::base::time::SimDuration;
use crate::compose::store::{ContainerRow, State, Then};
use crate::compose::{ComposePlane, Out, Refusal, Response, lower, validate, view};
use crate::substrate::Context;
use crate::substrate::order::Order;

impl ComposePlane {
    fn named(
        &self,
        names: &[Arc<str>],
        ctx: &Context<'_>,
    ) -> Result<Vec<Id<ContainerRow>>, Refusal> {
        names
            .iter()
            .map(|name| {
                self.find(name, ctx)
                    .ok_or_else(|| Refusal::new(format!("No such container: {name}")))
            })
            .collect()
    }

    /// A container by name or by the beginning of its id.
    pub(crate) fn find(&self, name: &str, ctx: &Context<'_>) -> Option<Id<ContainerRow>> {
        if let Some(found) = ctx
            .symbols
            .get(name.trim_start_matches('/'))
            .and_then(|symbol| self.store.named(symbol))
        {
            return Some(found);
        }
        let mut matches = self.store.containers.iter().filter(|(_, row)| {
            name.len() >= 2 && view::container_id(row, ctx.seed).starts_with(name)
        });
        let first = matches.next().map(|(id, _)| id);
        if matches.next().is_some() {
            None
        } else {
            first
        }
    }

    fn texts(&self, ids: &[Id<ContainerRow>], ctx: &Context<'_>) -> Response {
        let name =
            |id: &Id<ContainerRow>| ctx.symbols.text(self.store.containers[*id].name).to_owned();
        Response::Containers(ids.iter().map(name).collect())
    }

    #[inline(never)]
    pub(crate) fn stop(
        &mut self,
        names: &[Arc<str>],
        grace: Option<SimDuration>,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) -> Result<Response, Refusal> {
        let ids = self.named(names, ctx)?;
        let response = self.texts(&ids, ctx);
        for id in ids {
            self.stop_one(id, grace, Then::Stay, ctx, out);
        }
        Ok(response)
    }

    /// Stops a container by hand. Returns whether it has to be waited for.
    pub(crate) fn stop_one(
        &mut self,
        id: Id<ContainerRow>,
        grace: Option<SimDuration>,
        then: Then,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) -> bool {
        let row = &mut self.store.containers[id];
        row.stopped_by_user = then != Then::Start;
        row.then = then;
        match (row.state, row.process) {
            (State::Running | State::Starting, Some(process)) => {
                let grace = grace.unwrap_or_else(|| row.grace());
                out.order(Order::Stop {
                    container: process,
                    grace,
                });
                let signal = if grace.is_zero() { 9 } else { 15 };
                self.event("kill", id, &[("signal", signal.to_string())], ctx);
                true
            }
            (State::Starting, None) => {
                row.attempt += 1;
                row.state = State::Created;
                if let Some(sandbox) = row.sandbox.take() {
                    out.order(Order::RemoveSandbox { sandbox });
                }
                self.follow(id, then, ctx, out)
            }
            (State::Restarting, _) => {
                row.attempt += 1;
                row.state = State::Exited;
                self.follow(id, then, ctx, out)
            }
            (State::Created | State::Running | State::Exited | State::Removing, _) => {
                self.follow(id, then, ctx, out)
            }
        }
    }

    fn follow(
        &mut self,
        id: Id<ContainerRow>,
        then: Then,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) -> bool {
        match then {
            Then::Remove => self.forget(id, ctx, out),
            Then::Start => self.begin_start(id, out),
            Then::Policy | Then::Stay | Then::Die => {}
        }
        false
    }

    #[inline(never)]
    pub(crate) fn start(
        &mut self,
        names: &[Arc<str>],
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) -> Result<Response, Refusal> {
        let ids = self.named(names, ctx)?;
        let response = self.texts(&ids, ctx);
        for id in ids {
            self.start_by_hand(id, out);
        }
        Ok(response)
    }

    /// A start by hand or by a client: counters begin anew.
    pub(crate) fn start_by_hand(&mut self, id: Id<ContainerRow>, out: &mut Out) {
        let row = &mut self.store.containers[id];
        if matches!(row.state, State::Running | State::Starting) {
            return;
        }
        row.stopped_by_user = false;
        row.backoff = SimDuration::ZERO;
        row.restart_count = 0;
        row.failures = 0;
        self.begin_start(id, out);
    }

    #[inline(never)]
    pub(crate) fn restart(
        &mut self,
        names: &[Arc<str>],
        grace: Option<SimDuration>,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) -> Result<Response, Refusal> {
        let ids = self.named(names, ctx)?;
        let response = self.texts(&ids, ctx);
        for id in ids {
            self.stop_one(id, grace, Then::Start, ctx, out);
        }
        Ok(response)
    }

    #[inline(never)]
    pub(crate) fn kill(
        &mut self,
        names: &[Arc<str>],
        polite: bool,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) -> Result<Response, Refusal> {
        let ids = self.named(names, ctx)?;
        for id in &ids {
            let row = &self.store.containers[*id];
            if row.state != State::Running {
                let name = ctx.symbols.text(row.name);
                let id = view::container_id(row, ctx.seed);
                return Err(Refusal::new(format!(
                    "cannot kill container: {name}: container {id} is not running"
                )));
            }
        }
        let response = self.texts(&ids, ctx);
        for id in ids {
            let row = &mut self.store.containers[id];
            row.stopped_by_user = true;
            row.then = Then::Die;
            if let Some(process) = row.process {
                out.order(if polite {
                    // Nothing follows the signal: a process without a handler goes on.
                    Order::Stop {
                        container: process,
                        grace: SimDuration::MAX,
                    }
                } else {
                    Order::Kill { container: process }
                });
                let signal = if polite { 15 } else { 9 };
                self.event("kill", id, &[("signal", signal.to_string())], ctx);
            }
        }
        Ok(response)
    }

    #[inline(never)]
    pub(crate) fn remove(
        &mut self,
        names: &[Arc<str>],
        force: bool,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) -> Result<Response, Refusal> {
        let ids = self.named(names, ctx)?;
        for id in &ids {
            let row = &self.store.containers[*id];
            let running = match row.state {
                State::Running | State::Starting => "running",
                State::Restarting => "restarting",
                State::Created | State::Exited | State::Removing => continue,
            };
            if !force {
                let name = ctx.symbols.text(row.name);
                return Err(Refusal::new(format!(
                    "cannot remove container \"{name}\": container is {running}: stop the container before removing or force remove"
                )));
            }
        }
        let response = self.texts(&ids, ctx);
        for id in ids {
            self.forget_anonymous(id, out);
            self.stop_one(id, Some(SimDuration::ZERO), Then::Remove, ctx, out);
        }
        Ok(response)
    }

    /// `docker rename`.
    #[inline(never)]
    pub(crate) fn rename(
        &mut self,
        container: &str,
        name: &str,
        ctx: &mut Context<'_>,
    ) -> Result<Response, Refusal> {
        let id = self.existing(container, ctx)?;
        let symbol = ctx.symbols.intern(name);
        self.free_name(name, Some(id), ctx)?;
        let old = ctx.symbols.text(self.store.containers[id].name).to_owned();
        self.store.containers[id].name = symbol;
        self.event("rename", id, &[("oldName", format!("/{old}"))], ctx);
        Ok(self.texts(&[id], ctx))
    }

    /// `docker update`. What a running process uses changes with its next start.
    pub(crate) fn update(
        &mut self,
        container: &str,
        restart: Option<Restart>,
        limits: Option<&ContainerLimits>,
        ctx: &mut Context<'_>,
        out: &mut Out,
    ) -> Result<Response, Refusal> {
        let id = self.existing(container, ctx)?;
        if let Some(limits) = limits {
            validate::limits(limits, self.host_milli_cpu(ctx))?;
        }
        let row = &mut self.store.containers[id];
        if restart.is_some_and(|restart| restart != Restart::No) && row.config.auto_remove {
            return Err(Refusal::new(
                "Restart policy cannot be updated because AutoRemove is enabled for the container",
            ));
        }
        let config = Arc::make_mut(&mut row.config);
        if let Some(restart) = restart {
            config.restart = restart;
        }
        if let Some(limits) = limits {
            config.limits = limits.clone();
        }
        let config = row.config.clone();
        row.spec = Arc::new(lower::spec(&config, (row.spec.name, row.key), ctx.symbols));
        // Source: moby `daemon/update.go`: a running container's files are written at once.
        if let Some(process) = row.process.filter(|_| limits.is_some()) {
            out.order(Order::Resize {
                container: process,
                spec: row.spec.clone(),
            });
        }
        self.event("update", id, &[], ctx);
        Ok(self.texts(&[id], ctx))
    }

    /// Volumes without a name go with their container. The real engine keeps them without `--volumes`,
    /// under names that nobody knows.
    pub(super) fn forget_anonymous(&self, id: Id<ContainerRow>, out: &mut Out) {
        let (row, Some(machine)) = (&self.store.containers[id], self.host) else {
            return;
        };
        for mount in &row.config.mounts {
            if mount.kind == MountKind::Volume && mount.source.is_empty() {
                out.order(Order::RemoveVolume {
                    machine,
                    name: lower::anonymous(row.key, &mount.target),
                });
            }
        }
    }

    pub(crate) fn existing(
        &self,
        name: &str,
        ctx: &Context<'_>,
    ) -> Result<Id<ContainerRow>, Refusal> {
        self.find(name, ctx)
            .ok_or_else(|| Refusal::new(format!("No such container: {name}")))
    }
}
