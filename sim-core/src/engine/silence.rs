//! Why a service answers nobody, read from the rules and programs as they stand.

use crate::base::arrange::Arrange;
use crate::base::sentence::{Sentence, catalogue};
use crate::base::symbol::Symbol;
use crate::substrate::container::Container;
use crate::substrate::net::balancer::Balancer;
use crate::substrate::net::flow::Share;
use crate::substrate::order::{Backend, Entry, SandboxId};

use super::command::Orchestrator;
use super::world::World;

impl World {
    /// That no request to a service of that name is answered, or none at one of its ports, and why.
    /// `None`: some are at each, or nobody asks.
    pub fn silence(&self, name: Symbol) -> Option<Sentence> {
        let is_silent = |balancer: &&Balancer| balancer.flow.share == Share::NONE;
        let asked = || {
            let all = self.balancers_of(name);
            all.filter(|balancer| self.can_be_asked(balancer))
        };
        let silent = asked().find(is_silent)?;
        let why = self.why_silent(silent);
        let name = self.symbols.text(name);
        let port = match silent.entry {
            Entry::EveryMachine(port) | Entry::OneMachine(_, port) => Some(port),
            Entry::Inside => None,
        };
        Some(match port {
            Some(port) if !asked().all(|balancer| is_silent(&balancer)) => catalogue::SILENT_AT
                .with(&[("name", &name), ("port", &port)])
                .and("why", why),
            _ => catalogue::SILENT.with(&[("name", &name)]).and("why", why),
        })
    }

    fn why_silent(&self, balancer: &Balancer) -> Sentence {
        let backends = balancer.backends();
        if backends.is_empty() {
            let form = match self.orchestrator {
                Orchestrator::Kubernetes => catalogue::SILENT_EMPTY,
                Orchestrator::Swarm => catalogue::SILENT_TASKS,
                Orchestrator::Compose => catalogue::SILENT_CONTAINERS,
            };
            return form.plain();
        }
        let is_there = |backend: &&Backend| self.substrate.sandbox(backend.sandbox).is_some();
        if !backends.iter().any(|backend| is_there(&backend)) {
            return catalogue::SILENT_GONE.plain();
        }
        let is_on = |backend: &&Backend| {
            let row = self.substrate.sandbox(backend.sandbox);
            row.is_some_and(|row| self.substrate.is_on(row.machine))
        };
        let Some(backend) = backends.iter().find(is_on) else {
            return catalogue::SILENT_OFF.plain();
        };
        let port = backend.port;
        if !self.substrate.lets_in(backend.sandbox, port) {
            return catalogue::SILENT_FILTERED.with(&[("port", &port)]);
        }
        let ready = |container: &Container| {
            let from = container.serves_from(port);
            from.is_some_and(|from| from <= self.now)
        };
        if self.newest_in(backend.sandbox).any(ready) {
            return catalogue::SILENT_WAY.plain();
        }
        let mut programs = self.newest_in(backend.sandbox).map(|it| &it.behaviour);
        if port == 0 || programs.any(|program| program.takes(port)) {
            return catalogue::SILENT_PROGRAM.plain();
        }
        let programs = self.newest_in(backend.sandbox).map(|it| &it.behaviour);
        let mut others: Vec<u16> = programs.flat_map(|it| it.ports.iter().copied()).collect();
        others.arrange();
        others.dedup();
        if others.is_empty() {
            return catalogue::SILENT_PORT.with(&[("port", &port)]);
        }
        let others: Vec<String> = others.iter().map(u16::to_string).collect();
        catalogue::SILENT_PORTS.with(&[("port", &port), ("ports", &others.join(", "))])
    }

    /// The containers of a sandbox without those that others have replaced.
    pub(super) fn newest_in(&self, sandbox: SandboxId) -> impl Iterator<Item = &Container> {
        let containers = move || self.substrate.containers_in(sandbox);
        containers()
            .enumerate()
            .filter(move |(index, (_, container))| {
                let mut newer = containers().take(*index);
                !newer.any(|(_, newer)| newer.owner == container.owner)
            })
            .map(|(_, (_, container))| container)
    }
}
