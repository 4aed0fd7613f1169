//! Names that a node's server gives services on their networks.
//! Source: moby `daemon/libnetwork/{resolver,service_common}.go`.

use crate::substrate::Substrate;
use crate::substrate::order::SandboxId;
use crate::substrate::script::client::{Behind, is_outside};

use super::SwarmPlane;
use super::addresses::INGRESS;
use super::control_api::short_name;
use super::store::{Service, ServiceId};

impl SwarmPlane {
    /// Services of a name, in full or within its stack.
    pub fn services_called<'a>(
        &'a self,
        name: &'a str,
    ) -> impl Iterator<Item = (ServiceId, &'a Service)> + 'a {
        let services = self.store.services();
        services.filter(move |(_, service)| {
            &*service.spec.name == name || short_name(&service.spec) == name
        })
    }

    /// What stands behind a name for a sandbox, at a port: a virtual address sends each connection to
    /// one task, and so does the list of their addresses.
    pub fn behind(
        &self,
        (own, host, port): (SandboxId, &str, u16),
        machines: &Substrate,
    ) -> Behind {
        let networks = machines.named_networks(own);
        let usable =
            |network: &str| network != INGRESS && networks.iter().any(|own| own == network);
        let wanted = host.strip_prefix("tasks.").unwrap_or(host);
        let mut known = false;
        let mut at = Vec::new();
        for (id, service) in self.services_called(wanted) {
            let mut addresses = service.virtual_addresses.iter();
            known |= wanted == host && addresses.any(|(network, _)| usable(network));
            for (_, sandbox) in self.receivers(id) {
                let mut plugs = machines.plugs(sandbox).into_iter();
                if plugs.any(|(plug, _)| usable(&plug.network)) {
                    at.push((sandbox, port));
                }
            }
        }
        match (at.is_empty(), known) {
            (false, _) => Behind::Sandboxes(at),
            (true, true) => Behind::Nobody,
            (true, false) if is_outside(host) => Behind::Outside,
            (true, false) => Behind::Unknown,
        }
    }
}
