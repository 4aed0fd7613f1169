//! Why a service answers nobody, read from the rules and programs as they stand.

use crate::base::sentence::{Sentence, catalogue};
use crate::base::symbol::Symbol;
use crate::substrate::net::balancer::Balancer;
use crate::substrate::order::Backend;

use super::command::Orchestrator;
use super::world::World;

impl World {
    /// Why no request to a service of that name is answered; of several ports, at the first that is
    /// silent. `None`: requests are answered, or nobody asks.
    pub fn silence(&self, name: Symbol) -> Option<Sentence> {
        let silent = self
            .balancers_of(name)
            .find(|balancer| balancer.flow.share.of(1) == 0 && self.can_be_asked(balancer))?;
        Some(self.why_silent(silent))
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
        let programs = || {
            let containers = self.substrate.containers_in(backend.sandbox);
            containers.map(|(_, container)| &container.behaviour)
        };
        if port == 0 || programs().any(|program| program.takes(port)) {
            return catalogue::SILENT_PROGRAM.plain();
        }
        let others: Vec<String> = programs()
            .flat_map(|program| program.ports.iter())
            .map(u16::to_string)
            .collect();
        if others.is_empty() {
            catalogue::SILENT_PORT.with(&[("port", &port)])
        } else {
            let ports = others.join(", ");
            catalogue::SILENT_PORTS.with(&[("port", &port), ("ports", &ports)])
        }
    }
}
