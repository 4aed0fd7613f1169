//! Names that the engine's server gives containers on their networks.
//! Source: moby `daemon/libnetwork/{resolver,sandbox_dns_unix}.go`.

use std::sync::Arc;

use crate::base::rng::Seed;
use crate::base::symbol::Symbols;
use crate::substrate::Substrate;
use crate::substrate::order::SandboxId;
use crate::substrate::script::client::{Behind, is_outside};

use super::{ComposePlane, view};

impl ComposePlane {
    /// Containers that run under a name on one of these networks: by name, short identifier and the
    /// names that each network gives.
    pub fn containers_called(
        &self,
        networks: &[String],
        name: &str,
        symbols: &Symbols,
        seed: Seed,
    ) -> Vec<(SandboxId, String)> {
        let mut found = Vec::new();
        for row in self.containers() {
            let Some(sandbox) = row.sandbox.filter(|_| row.process.is_some()) else {
                continue;
            };
            let own = symbols.text(row.name) == name
                || name.len() == 12 && view::container_id(row, seed)[..12] == *name;
            for network in networks {
                let aliases = row.config.networks.get(network.as_str());
                let alias = aliases
                    .is_some_and(|names| names.iter().any(|alias: &Arc<str>| &**alias == name));
                if own || alias {
                    found.push((sandbox, network.clone()));
                }
            }
        }
        found
    }

    /// What stands behind a name for a sandbox, at a port.
    pub fn behind(
        &self,
        (own, host, port): (SandboxId, &str, u16),
        machines: &Substrate,
        (symbols, seed): (&Symbols, Seed),
    ) -> Behind {
        let found = self.containers_called(&machines.named_networks(own), host, symbols, seed);
        let at: Vec<(SandboxId, u16)> = found.iter().map(|(sandbox, _)| (*sandbox, port)).collect();
        match at.is_empty() {
            false => Behind::Sandboxes(at),
            true if is_outside(host) => Behind::Outside,
            true => Behind::Unknown,
        }
    }
}
