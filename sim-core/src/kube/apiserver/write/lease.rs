//! Leases that their holders renew: they are made when somebody reads them and are not stored.

use crate::base::sentence::catalogue;
use crate::kube::apiserver::Refusal;
use crate::kube::control_plane::leases;
use crate::kube::kinds::Kind;
use crate::kube::turn::Turn;

/// Whether an object is a lease of a leader, an API server or a kubelet, which are there without
/// being stored.
pub fn is_renewed(kind: &Kind, namespace: &str, name: &str, turn: &Turn<'_, '_>) -> bool {
    if kind.kind != "Lease" || kind.custom {
        return false;
    }
    match namespace {
        leases::NAMESPACE => {
            let machines = &turn.ctx.machines;
            let controls = machines.control_machines();
            let is_leaders = matches!(name, "kube-controller-manager" | "kube-scheduler");
            let is_servers = controls.iter().any(|machine| {
                let host = machines.machine(*machine).map(|machine| machine.name);
                host.is_some_and(|host| leases::server_name(turn.ctx.symbols.text(host)) == name)
            });
            !controls.is_empty() && (is_leaders || is_servers)
        }
        "kube-node-lease" => {
            let name = turn.ctx.symbols.get(name);
            name.is_some_and(|name| turn.store.node_named(name).is_some())
        }
        _ => false,
    }
}

/// Refuses to write an object that is not stored.
pub fn missing(kind: &Kind, namespace: &str, name: &str, turn: &Turn<'_, '_>) -> Refusal {
    if is_renewed(kind, namespace, name, turn) {
        return Refusal::forbidden(kind, name, catalogue::LEASE_RENEWED.plain());
    }
    Refusal::not_found(kind, name)
}
