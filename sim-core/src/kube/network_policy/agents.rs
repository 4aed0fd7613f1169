//! The network drivers' agents that enforce policies: what users' requests meet at pods.
//!
//! All nodes' agents hear of the same change within milliseconds of each other and are modelled as
//! one. Without policies nothing is scheduled and nothing looked at.
//!
//! Users' requests come from machines' addresses, since they enter at one and are masqueraded there;
//! that a request which enters at the pod's own node is always let in is not counted.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::time::SimDuration;
use crate::kube::event::Event;
use crate::kube::rows::PodId;
use crate::kube::store::Change;
use crate::kube::turn::Turn;
use crate::substrate::cgroup::settings::Sharing;
use crate::substrate::order::{Order, SandboxId};
use crate::substrate::profile::network::NetworkKind;

use super::{Peer, Policies};

/// Time from a change to the rules that follow it. Upstream promises none; Calico and the like report
/// tenths of a second. Our own figure.
const DELAY: SimDuration = SimDuration::from_millis(100);

/// Ports that are open, as ranges.
type Open = Arc<[(u16, u16)]>;

/// What the agents have written.
#[derive(Clone, Debug, Default)]
pub struct Agents {
    filters: BTreeMap<PodId, (SandboxId, Open)>,
    scheduled: bool,
}

impl Agents {
    /// Sees a write to a pod.
    pub fn observe(&mut self, change: Change, turn: &mut Turn<'_, '_>) {
        let concerns = match change {
            Change::PodStatus(_) | Change::PodBound(_) => Policies::are_in(turn.store),
            // Its rules went with its network.
            Change::PodRemoved(pod, _) => {
                self.filters.remove(&pod);
                false
            }
            _ => false,
        };
        if concerns {
            self.schedule(turn);
        }
    }

    /// A policy or a namespace was written.
    pub fn touched(&mut self, turn: &mut Turn<'_, '_>) {
        if !self.filters.is_empty() || Policies::are_in(turn.store) {
            self.schedule(turn);
        }
    }

    fn schedule(&mut self, turn: &mut Turn<'_, '_>) {
        if !self.scheduled {
            self.scheduled = true;
            turn.after(DELAY, Event::PolicySync);
        }
    }

    /// Writes what has changed.
    pub fn sync(&mut self, turn: &mut Turn<'_, '_>) {
        self.scheduled = false;
        let policies = Policies::read(turn.store);
        let mut wanted: BTreeMap<PodId, (SandboxId, Open)> = BTreeMap::new();
        for (id, row) in turn.store.pods() {
            let Some(sandbox) = turn.store.pod_details(id).sandbox else {
                continue;
            };
            if row.phase.is_terminal() || !enforced(sandbox, turn) {
                continue;
            }
            let Some(pod) = Policies::pod(id, turn.store, turn.ctx.symbols) else {
                continue;
            };
            let peer = Peer {
                address: router(sandbox, turn),
                pod: None,
            };
            if let Some(open) = policies.open_ports(&pod, peer) {
                wanted.insert(id, (sandbox, open.into()));
            }
        }
        let before = std::mem::take(&mut self.filters);
        for (id, (sandbox, _)) in &before {
            if !wanted.contains_key(id) {
                turn.out.orders.push(Order::SetFilter {
                    sandbox: *sandbox,
                    open: None,
                });
            }
        }
        for (id, (sandbox, open)) in &wanted {
            if before.get(id) != Some(&(*sandbox, open.clone())) {
                turn.out.orders.push(Order::SetFilter {
                    sandbox: *sandbox,
                    open: Some(open.clone()),
                });
            }
        }
        self.filters = wanted;
    }
}

/// Whether the network driver of a sandbox's machine enforces policies on it.
fn enforced(sandbox: SandboxId, turn: &Turn<'_, '_>) -> bool {
    let machines = turn.ctx.machines;
    let Some(row) = machines.sandbox(sandbox) else {
        return false;
    };
    let kind = machines
        .machine(row.machine)
        .and_then(|machine| machine.profile.network)
        .unwrap_or(NetworkKind::Routed);
    row.spec.network != Sharing::Host && kind.driver().policies
}

/// An address of machines' own network, as requests from any of them have.
fn router(sandbox: SandboxId, turn: &Turn<'_, '_>) -> u32 {
    let machines = turn.ctx.machines;
    machines
        .sandbox(sandbox)
        .and_then(|row| machines.machine(row.machine))
        .map_or(0, |row| row.address)
}
