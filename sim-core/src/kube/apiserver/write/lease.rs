//! Leases that their holders renew: they are made when somebody reads them and are not stored.

use crate::kube::apiserver::Refusal;
use crate::kube::control_plane::leases;
use crate::kube::kinds::Kind;
use crate::kube::turn::Turn;

/// Refuses an object that is not stored: a lease of a leader, an API server or a kubelet is there
/// all the same.
pub fn missing(kind: &Kind, namespace: &str, name: &str, turn: &Turn<'_, '_>) -> Refusal {
    let is_renewed = match namespace {
        leases::NAMESPACE => {
            let is_leaders = matches!(name, "kube-controller-manager" | "kube-scheduler");
            is_leaders || name.starts_with("apiserver-")
        }
        "kube-node-lease" => {
            let name = turn.ctx.symbols.get(name);
            name.is_some_and(|name| turn.store.node_named(name).is_some())
        }
        _ => false,
    };
    if kind.kind == "Lease" && !kind.custom && is_renewed {
        return Refusal::forbidden(
            kind,
            name,
            "its holder renews it; writing it is not modelled",
        );
    }
    Refusal::not_found(kind, name)
}
