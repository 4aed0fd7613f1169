//! What network policies say to a packet: at the pod that sends it, and at the one that gets it.

use std::fmt::Display;
use std::net::Ipv4Addr;

use crate::base::sentence::passage::Passage;
use crate::base::sentence::{Sentence, catalogue};
use crate::kube::network_policy::{Direction, Peer, Pod, Policies, Verdict};
use crate::kube::rows::PodId;
use crate::substrate::cgroup::settings::Sharing;
use crate::substrate::net::filter::{End, Way};
use crate::substrate::order::SandboxId;
use crate::substrate::profile::network::NetworkKind;

use super::firewall::sandbox_of;
use super::place::Place;

/// What is said of a packet.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// Lines of what was passed.
    pub steps: Passage,
    /// Where and why it was dropped.
    pub dropped: Option<Sentence>,
}

impl Said {
    fn step(&mut self, step: Sentence) {
        self.steps.push(Passage::from("  ").then(step).then("\n"));
    }
}

/// A pod of a sandbox, with its name.
struct Known {
    sandbox: SandboxId,
    pod: Pod,
    name: String,
}

fn known(place: &Place<'_>, sandbox: SandboxId) -> Option<Known> {
    let world = place.world;
    let store = world.kube()?.store();
    let on_host = world
        .substrate
        .sandbox(sandbox)
        .is_none_or(|row| row.spec.network == Sharing::Host);
    let (id, row): (PodId, _) = store
        .pods()
        .find(|(id, _)| store.pod_details(*id).sandbox == Some(sandbox))
        .filter(|_| !on_host)?;
    let pod = Policies::pod(id, store, &world.symbols)?;
    let name = format!("{}/{}", pod.namespace, row.name.text(&world.symbols));
    Some(Known { sandbox, pod, name })
}

/// Asks the policies of both ends about a packet that the rules let pass.
pub fn ask(place: &Place<'_>, from: Option<SandboxId>, way: &Way, own: u32) -> Said {
    let mut said = Said::default();
    let Some(kube) = place.world.kube() else {
        return said;
    };
    if way.end != End::Passed || !Policies::are_in(kube.store()) {
        return said;
    }
    let policies = Policies::read(kube.store());
    let packet = &way.packet;
    let sender = from.and_then(|sandbox| known(place, sandbox));
    let receiver = sandbox_of(place, packet.destination).and_then(|it| known(place, it));
    let own_traffic = sender.as_ref().map(|it| it.sandbox)
        == receiver.as_ref().map(|it| it.sandbox)
        && sender.is_some();
    if own_traffic {
        return said;
    }
    if let Some(sender) = &sender {
        let peer = Peer {
            address: packet.destination,
            pod: receiver.as_ref().map(|it| &it.pod),
        };
        let to = Ipv4Addr::from(packet.destination).to_string();
        judge(
            place,
            &policies,
            (Direction::Egress, sender, peer, &to),
            way,
            &mut said,
        );
    }
    let Some(receiver) = receiver.filter(|_| said.dropped.is_none()) else {
        return said;
    };
    let source = if way.masquerade { own } else { packet.source };
    let machines = &place.world.substrate;
    let node = machines
        .sandbox(receiver.sandbox)
        .and_then(|row| machines.machine(row.machine));
    // What comes from the pod's own node is let in.
    if node.is_some_and(|row| row.address == source) {
        return said;
    }
    let peer = Peer {
        address: source,
        pod: sender
            .as_ref()
            .filter(|_| !way.masquerade)
            .map(|it| &it.pod),
    };
    let by = Ipv4Addr::from(source).to_string();
    judge(
        place,
        &policies,
        (Direction::Ingress, &receiver, peer, &by),
        way,
        &mut said,
    );
    said
}

fn judge(
    place: &Place<'_>,
    policies: &Policies,
    (direction, at, peer, other): (Direction, &Known, Peer<'_>, &str),
    way: &Way,
    said: &mut Said,
) {
    let packet = &way.packet;
    let verdict = policies.judge(direction, &at.pod, peer, (packet.protocol, packet.port));
    if verdict == Verdict::Free {
        return;
    }
    let machines = &place.world.substrate;
    let machine = machines.sandbox(at.sandbox).map(|row| row.machine);
    let driver = machine
        .and_then(|machine| machines.machine(machine)?.profile.network)
        .unwrap_or(NetworkKind::Routed)
        .driver();
    let word = direction.text();
    let node = machine.map_or("", |machine| place.world.machine_text(machine));
    if !driver.policies {
        let parts: [(_, &dyn Display); 4] = [
            ("machine", &node),
            ("direction", &word),
            ("pod", &at.name),
            ("driver", &driver.name),
        ];
        said.step(catalogue::POLICY_IDLE.with(&parts));
        return;
    }
    match verdict {
        Verdict::Free => {}
        Verdict::Allowed { policy, rule } => said.step(catalogue::POLICY_ALLOWS.with(&[
            ("machine", &node),
            ("direction", &word),
            ("pod", &at.name),
            ("policy", &policy),
            ("kind", &word.to_lowercase()),
            ("rule", &rule),
        ])),
        Verdict::Denied { policies } => {
            let (from, to) = match direction {
                Direction::Ingress => (other, &*at.name),
                Direction::Egress => (&*at.name, other),
            };
            said.dropped = Some(catalogue::POLICY_DROPS.with(&[
                ("machine", &node),
                ("kind", &word.to_lowercase()),
                ("policies", &policies.join(", ")),
                ("from", &from),
                ("to", &to),
                ("port", &format!("{}/{}", packet.port, packet.protocol)),
            ]));
        }
    }
}
