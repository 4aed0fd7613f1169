//! Looks at the machines that the engine's observers and reports need: who serves, who is asked.

use rustc_hash::FxHashMap;

use crate::base::symbol::Symbol;
use crate::base::time::{SimDuration, SimTime};
use crate::substrate::net::balancer::Balancer;
use crate::substrate::order::{Entry, MachineId, SandboxId};

use super::world::World;

/// A service's figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowFigures {
    /// Share of requests answered now, in millionths.
    pub answered_ppm: u32,
    /// Share answered since the first answer, in millionths; `None`: none was ever answered and none
    /// was sent.
    pub availability_ppm: Option<u32>,
    /// Time during which not every request was answered, since the first answer (since the rules
    /// were there, if none was ever answered).
    pub unavailable: SimDuration,
}

impl World {
    /// A machine's name.
    pub fn machine_text(&self, machine: MachineId) -> &str {
        self.substrate
            .machine(machine)
            .map_or("", |row| self.symbols.text(row.name))
    }

    /// Machines of a zone, in table order.
    pub fn machines_in_zone(&self, zone: Symbol) -> Vec<MachineId> {
        self.substrate
            .machines()
            .filter(|(_, row)| row.zone == Some(zone))
            .map(|(id, _)| id)
            .collect()
    }

    /// Machines with power, and all machines.
    pub fn machines_up(&self) -> (usize, usize) {
        let all = self.substrate.machines().count();
        (
            self.substrate
                .machines()
                .filter(|(_, row)| row.is_on())
                .count(),
            all,
        )
    }

    /// From when on a sandbox really serves, now or later: its machine has power, all its processes run,
    /// and those that listen are ready. `None`: not as things stand.
    pub fn serves_from(&self, sandbox: SandboxId) -> Option<SimTime> {
        let row = self.substrate.sandbox(sandbox)?;
        if !self.substrate.is_on(row.machine) {
            return None;
        }
        let mut from = None;
        for container in self.newest_in(sandbox) {
            let running = container.running_since()?;
            let listens =
                container.behaviour.listen.is_some() && !container.behaviour.ports.is_empty();
            let own = if listens {
                container.serves_from(0)?
            } else {
                running
            };
            from = from.max(Some(own));
        }
        from
    }

    /// Balancers of a name: one for each port of a service.
    pub(super) fn balancers_of(&self, name: Symbol) -> impl Iterator<Item = &Balancer> {
        self.substrate
            .balancers()
            .map(|(_, balancer)| balancer)
            .filter(move |balancer| balancer.name == name)
    }

    /// Backends of a service that answer now: machine up, process ready. `None`: no such service, or
    /// one that nobody can ask.
    pub fn answering_backends(&self, name: Symbol) -> Option<u32> {
        let balancer = self
            .balancers_of(name)
            .find(|balancer| self.can_be_asked(balancer))?;
        let answers = |sandbox: SandboxId, port: u16| {
            self.substrate
                .sandbox(sandbox)
                .is_some_and(|row| self.substrate.is_on(row.machine))
                && self.substrate.containers_in(sandbox).any(|(_, container)| {
                    container
                        .serves_from(port)
                        .is_some_and(|from| from <= self.now)
                })
        };
        Some(
            balancer
                .backends()
                .iter()
                .filter(|backend| answers(backend.sandbox, backend.port))
                .count() as u32,
        )
    }

    /// Share of requests that is answered now, in millionths, for each service that somebody asks; with
    /// several ports, the worst of each.
    pub fn answered(&self) -> FxHashMap<Symbol, u32> {
        let mut answered = FxHashMap::default();
        for (_, balancer) in self.substrate.balancers() {
            if self.can_be_asked(balancer) {
                let share = share_ppm(balancer);
                answered
                    .entry(balancer.name)
                    .and_modify(|least: &mut u32| *least = share.min(*least))
                    .or_insert(share);
            }
        }
        answered
    }

    /// A service's figures; with several ports, the worst of each. `None`: nobody asks it.
    pub fn flow_figures(&self, name: Symbol) -> Option<FlowFigures> {
        let asked = self
            .balancers_of(name)
            .filter(|balancer| self.can_be_asked(balancer));
        asked
            .map(|balancer| figures(balancer, self.now))
            .reduce(|left, right| FlowFigures {
                answered_ppm: left.answered_ppm.min(right.answered_ppm),
                availability_ppm: match (left.availability_ppm, right.availability_ppm) {
                    (Some(left), Some(right)) => Some(left.min(right)),
                    (left, right) => left.or(right),
                },
                unavailable: left.unavailable.max(right.unavailable),
            })
    }

    /// Whether there is something to ask: a service inside the cluster whose rules name no port, and
    /// whose programs listen nowhere, is a name without an address to send a request to.
    pub(super) fn can_be_asked(&self, balancer: &Balancer) -> bool {
        if balancer.flow.first_answered.is_some() || balancer.entry != Entry::Inside {
            return true;
        }
        let backends = balancer.backends();
        backends.is_empty()
            || backends.iter().any(|backend| {
                let listens = |sandbox| {
                    self.substrate
                        .containers_in(sandbox)
                        .any(|(_, container)| !container.behaviour.ports.is_empty())
                };
                backend.port != 0 || listens(backend.sandbox)
            })
    }

    /// Names that users ask, in the order of the balancers' keys, each once.
    pub fn asked_names(&self) -> Vec<Symbol> {
        let mut names = Vec::new();
        for (_, balancer) in self.substrate.balancers() {
            if !names.contains(&balancer.name) {
                names.push(balancer.name);
            }
        }
        names
    }
}

/// Share of requests answered now, in millionths.
fn share_ppm(balancer: &Balancer) -> u32 {
    u32::try_from(balancer.flow.share.of(1_000_000)).unwrap_or(1_000_000)
}

fn figures(balancer: &Balancer, now: SimTime) -> FlowFigures {
    let flow = &balancer.flow;
    let answered_ppm = share_ppm(balancer);
    let totals = flow.totals(now);
    // Before the first answer the service was being set up: users had not been told of it.
    let (availability, unavailable) = match flow.first_answered {
        Some(first) => {
            let before = first.since(flow.since);
            let offered = totals.offered.saturating_sub(flow.offered_before);
            let share = (totals.answered * 1_000_000).checked_div(offered);
            (share, totals.unserved.saturating_sub(before))
        }
        None if totals.offered == 0 => (None, SimDuration::ZERO),
        None => (Some(0), totals.unserved),
    };
    FlowFigures {
        answered_ppm,
        availability_ppm: availability.map(|share| u32::try_from(share).unwrap_or(1_000_000)),
        unavailable,
    }
}
