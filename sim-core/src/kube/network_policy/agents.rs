//! The network drivers' agents that enforce policies: what users' requests meet at pods.
//!
//! All nodes' agents hear of the same change within milliseconds of each other and are modelled as
//! one. Without policies nothing is scheduled and nothing looked at.
//!
//! Users' requests come from machines' addresses, since they enter at one and are masqueraded there;
//! that a request which enters at the pod's own node is always let in is not counted.

use std::sync::Arc;

use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::time::SimDuration;
use crate::kube::event::Event;
use crate::kube::rows::PodId;
use crate::kube::store::Change;
use crate::kube::turn::Turn;
use crate::substrate::Substrate;
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
    filters: SortedMap<PodId, (SandboxId, Open)>,
    /// The policies as they were read last.
    policies: Arc<Policies>,
    /// Whether there are any.
    has_policies: bool,
    /// Whether policies or namespaces were written since.
    renewed: bool,
    /// Pods that were written since rules were written last.
    changed: SortedSet<PodId>,
    scheduled: bool,
}

impl Agents {
    /// The policies as they are enforced.
    pub fn policies(&self) -> &Policies {
        &self.policies
    }

    /// Sees a write to a pod. What a pod takes in depends on no other pod.
    pub fn observe(&mut self, change: Change, turn: &mut Turn<'_, '_>) {
        match change {
            Change::PodStatus(pod) | Change::PodTemplate(pod, _) | Change::PodBound(pod)
                if self.has_policies =>
            {
                self.changed.insert(pod);
                self.schedule(turn);
            }
            // Its rules went with its network.
            Change::PodRemoved(pod, _) => {
                self.filters.remove(&pod);
                self.changed.remove(&pod);
            }
            _ => {}
        }
    }

    /// A policy or a namespace was written.
    pub fn touched(&mut self, turn: &mut Turn<'_, '_>) {
        self.has_policies = Policies::are_in(turn.store);
        if !self.filters.is_empty() || self.has_policies {
            self.renewed = true;
            self.schedule(turn);
        }
    }

    fn schedule(&mut self, turn: &mut Turn<'_, '_>) {
        if !self.scheduled {
            self.scheduled = true;
            turn.after(DELAY, Event::PolicySync);
        }
    }

    /// Writes what has changed: after a write to a policy for all pods, else for those that changed.
    pub fn sync(&mut self, turn: &mut Turn<'_, '_>) {
        self.scheduled = false;
        let mut pods = std::mem::take(&mut self.changed);
        if std::mem::take(&mut self.renewed) {
            self.policies = Arc::new(Policies::read(turn.store));
            pods = turn.store.pods().map(|(pod, _)| pod).collect();
            pods.extend(self.filters.keys().copied());
        }
        let mut written = Vec::new();
        for id in pods {
            let wanted = self.wanted(id, turn);
            let before = self.filters.get(&id);
            match wanted {
                None => {
                    if let Some((sandbox, _)) = self.filters.remove(&id) {
                        turn.out.order(Order::SetFilter {
                            sandbox,
                            open: None,
                        });
                    }
                }
                Some(wanted) if before == Some(&wanted) => {}
                Some((sandbox, open)) => {
                    self.filters.insert(id, (sandbox, open.clone()));
                    written.push(Order::SetFilter {
                        sandbox,
                        open: Some(open),
                    });
                }
            }
        }
        turn.out.orders.extend(written);
    }

    /// What a pod's rules should say; none: it has none.
    fn wanted(&self, id: PodId, turn: &Turn<'_, '_>) -> Option<(SandboxId, Open)> {
        let row = turn.store.pod(id)?;
        let sandbox = turn.store.pod_details(id).sandbox?;
        if row.phase.is_terminal() || !enforced(sandbox, turn.ctx.machines) {
            return None;
        }
        let pod = Policies::pod(id, turn.store, turn.ctx.symbols)?;
        let peer = Peer {
            address: router(sandbox, turn),
            pod: None,
        };
        let open = self.policies.open_ports(&pod, peer)?;
        Some((sandbox, open.into()))
    }
}

/// Whether the network driver of a sandbox's machine enforces policies on it.
pub fn enforced(sandbox: SandboxId, machines: &Substrate) -> bool {
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
