//! Answers to what containers' scripts ask: the network, and the commands of their own container.
//!
//! What the network says follows from names, rules and programs as they are at that moment: the same
//! that users' requests meet. One receiver is drawn for each question, as each connection goes to one.
//!
//! Not modelled: a name server that is down, receivers that answer only some requests for want of CPU,
//! and machines that have kept older rules because the control plane does not reach them.

use std::num::NonZeroU32;

use crate::base::rng::Stream;
use crate::des::queue::Seq;
use crate::kube::rows::PodId;
use crate::substrate::container::Container;
use crate::substrate::order::{ContainerId, Flaw, Owner, ProbeAction, SandboxId};
use crate::substrate::program::{Heard, Outcome, Question};
use crate::substrate::script::client::{Answer, Behind, Client, Wish};
use crate::substrate::script::hands::Done;

use super::command::Command;
use super::world::{Plane, World};

/// Carries out a command line in a container: what becomes of it, and what it wants to change. None:
/// it is not known. The console's commands do, which stand above the engine.
pub type Hands = fn(&World, ContainerId, &str) -> Option<(Done, Vec<Command>)>;

impl World {
    /// Answers the script of a container that asks.
    #[inline(never)]
    pub(super) fn answer_script(&mut self, seq: Seq, container: ContainerId) {
        let row = self.substrate.container(container);
        let asked = row.and_then(|row| row.behaviour.question());
        let heard = match asked.map(|(_, question)| question.clone()) {
            None => return,
            Some(Question::Network(client)) => {
                let Some((answer, said)) = self.script_hears(container, &client) else {
                    return;
                };
                Heard::Answer(answer, said)
            }
            Some(Question::Line(line)) => {
                let outcome = (self.hands)(self, container, &line.text);
                Heard::Done(outcome.map(|(done, wanted)| {
                    for command in &wanted {
                        self.carry_out(seq, command);
                    }
                    done
                }))
            }
        };
        self.on_substrate(|substrate, scope| substrate.answer(container, heard, scope));
    }

    /// What a script's client hears, and why it fails, as it says so.
    fn script_hears(
        &self,
        container: ContainerId,
        client: &Client,
    ) -> Option<(Answer, Option<String>)> {
        let row = self.substrate.container(container)?;
        let answer = self.hears(container, client)?;
        let address = match &self.plane {
            Plane::Kubernetes(plane) => {
                plane.address_of((pod_of(row.owner)?, &client.host), &self.symbols)
            }
            Plane::Swarm(_) | Plane::Compose(_) => None,
        };
        let address = address.map(|address| std::net::Ipv4Addr::from(address).to_string());
        Some((answer, client.complaint(answer, address.as_deref())))
    }

    /// What a client hears that asks now from within a container.
    pub fn hears(&self, container: ContainerId, client: &Client) -> Option<Answer> {
        let row = self.substrate.container(container)?;
        let port = client.port();
        let behind = match &self.plane {
            Plane::Kubernetes(plane) => {
                let own = pod_of(row.owner)?;
                plane.behind((own, &client.host, port), &self.substrate, &self.symbols)
            }
            Plane::Swarm(plane) => plane.behind((row.sandbox, &client.host, port), &self.substrate),
            Plane::Compose(plane) => plane.behind(
                (row.sandbox, &client.host, port),
                &self.substrate,
                (&self.symbols, self.seed),
            ),
        };
        let well = |status| match client.wish {
            Wish::Name => Answer::Name,
            Wish::Connect(_) => Answer::Open,
            Wish::Get(..) => Answer::Http(status),
        };
        Some(match (behind, &client.wish) {
            (Behind::Unknown, _) => Answer::NoName,
            (_, Wish::Name) => Answer::Name,
            (Behind::Outside, _) => well(200),
            // Nobody has told it who asks.
            (Behind::Guarded, _) => well(403),
            (Behind::Nothing, _) => Answer::Silent,
            (Behind::Nobody, _) => Answer::Refused,
            (Behind::Sandboxes(all), _) => {
                let draw = self.now.as_micros() as u32;
                let mut stream = Stream::new(self.seed, "engine.client", container.bits(), draw);
                let (sandbox, port) = all[stream.below(all.len() as u32) as usize];
                self.asks_at(row.sandbox, (sandbox, port), client)
            }
        })
    }

    /// What a sandbox hears from another at a port.
    fn asks_at(&self, from: SandboxId, (to, port): (SandboxId, u16), client: &Client) -> Answer {
        let machines = &self.substrate;
        let (Some(here), Some(there)) = (machines.sandbox(from), machines.sandbox(to)) else {
            return Answer::Silent;
        };
        if !machines.connects(here.machine, there.machine) {
            return Answer::Silent;
        }
        if let (Plane::Kubernetes(plane), Some(own), Some(other)) =
            (&self.plane, pod_of(here.owner), pod_of(there.owner))
        {
            let (own, other) = ((own, from), (other, to));
            if !plane.lets_connect(own, other, port, machines, &self.symbols) {
                return Answer::Silent;
            }
        }
        let listens = |row: &Container| row.listens(port, self.now);
        let mut inside = machines.containers_in(to);
        let Some((_, program)) = inside.find(|(_, row)| listens(row)) else {
            let mut inside = machines.containers_in(to);
            let found = inside.find_map(|(_, row)| self.heard_anywhere(row, client));
            return found.unwrap_or(Answer::Refused);
        };
        let Wish::Get(_, path) = &client.wish else {
            return Answer::Open;
        };
        let age = program
            .running_since()
            .map_or_else(Default::default, |since| self.now.since(since));
        let request = ProbeAction::Http {
            port,
            path: path.clone(),
        };
        match program
            .behaviour
            .outcome(&request, age, program.is_silent())
        {
            Outcome::Success(_) => Answer::Http(200),
            Outcome::Failure(_, Flaw::Status(status)) => Answer::Http(status),
            Outcome::Failure(..) => Answer::Refused,
            Outcome::Hang(_) => Answer::Silent,
        }
    }
}

impl World {
    /// What a program answers whose ports nobody has said: it is taken to listen where it is asked.
    fn heard_anywhere(&self, row: &Container, client: &Client) -> Option<Answer> {
        let behaviour = &row.behaviour;
        let age = self.now.since(row.running_since()?);
        if !behaviour.ports.is_empty() || age < behaviour.listen? {
            return None;
        }
        let ready = behaviour.ready.is_some_and(|ready| age >= ready);
        Some(match client.wish {
            Wish::Get(..) if row.is_silent() => Answer::Silent,
            Wish::Get(..) if !ready => Answer::Http(503),
            Wish::Get(..) => Answer::Http(200),
            Wish::Name | Wish::Connect(_) => Answer::Open,
        })
    }
}

fn pod_of(owner: Owner) -> Option<PodId> {
    NonZeroU32::new(owner.generation).map(|generation| PodId::new(owner.slot, generation))
}
