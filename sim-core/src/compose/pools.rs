//! Ranges of the engine's networks, and how a container is plugged into them.
//! Source: moby `daemon/libnetwork/ipamutils/utils.go` (default pools), `ipams/defaultipam`.
//!
//! Not modelled: the pools behind `172.31.0.0/16`, which lie in `192.168.0.0/16`: the machines' own
//! network is there, and the engine takes no pool that overlaps a route of its host.

use std::sync::Arc;

use crate::api::compose::container::ContainerConfig;
use crate::base::id::Id;
use crate::manifest::value::Value;
use crate::substrate::cgroup::settings::{Plug, SandboxSpec, Sharing};
use crate::substrate::net::filter::Cidr;
use crate::substrate::order::MachineId;

use super::store::ContainerRow;
use super::{ComposePlane, Refusal};

/// Range of the default bridge, `docker0`: the first pool.
pub const DEFAULT_RANGE: (u32, u8) = ((172 << 24) | (17 << 16), 16);

/// Last pool that does not overlap the machines' own network.
const LAST_POOL: u32 = 31;

impl ComposePlane {
    /// The machine whose engine this is.
    pub const fn host(&self) -> Option<MachineId> {
        self.host
    }

    /// The first pool that no network has.
    pub(crate) fn free_range(&self) -> Result<(u32, u8), Refusal> {
        let (first, prefix) = DEFAULT_RANGE;
        (1..=LAST_POOL - 17)
            .map(|step| first + (step << 16))
            .find(|base| {
                !self.overlaps(Cidr {
                    base: *base,
                    prefix,
                })
            })
            .map(|base| (base, prefix))
            .ok_or_else(|| {
                Refusal::new("all predefined address pools have been fully subnetted".to_owned())
            })
    }

    fn overlaps(&self, range: Cidr) -> bool {
        let networks = self.store.networks.values().map(|made| made.range);
        let mut taken = networks.chain([DEFAULT_RANGE]);
        taken.any(|(base, prefix)| {
            let shorter = Cidr {
                base: base.min(range.base),
                prefix: prefix.min(range.prefix),
            };
            prefix > 0 && shorter.holds(base) && shorter.holds(range.base)
        })
    }

    /// A range that somebody chose, if no network has a part of it.
    pub(crate) fn pool(&self, range: Cidr) -> Result<(u32, u8), Refusal> {
        if self.overlaps(range) {
            return Err(Refusal::new(
                "invalid pool request: Pool overlaps with other one on this address space"
                    .to_owned(),
            ));
        }
        Ok((range.base, range.prefix))
    }

    /// The network of a container that has no address left: all but its own, the gateway's and the
    /// broadcast address are those of running containers.
    pub(crate) fn used_up(&self, id: Id<ContainerRow>) -> Option<&Arc<str>> {
        let rows = &self.store.containers;
        rows[id].config.networks.keys().find(|name| {
            let prefix = self
                .store
                .networks
                .get(*name)
                .map_or(DEFAULT_RANGE.1, |made| made.range.1);
            let usable = (1_u64 << (32 - u32::from(prefix))).saturating_sub(3);
            let others = rows.iter().filter(|(other, row)| {
                *other != id && row.sandbox.is_some() && row.config.networks.contains_key(*name)
            });
            others.count() as u64 >= usable
        })
    }

    /// The range that a Compose file gives a network, else the first free pool. Networks of drivers
    /// without addresses have none.
    pub(crate) fn range_of(&self, driver: &str, document: &Value) -> Result<(u32, u8), Refusal> {
        if matches!(driver, "host" | "null" | "none") {
            return Ok((0, 0));
        }
        let configs = document.path(&["ipam", "config"]).and_then(Value::as_list);
        let written = configs
            .unwrap_or_default()
            .iter()
            .find_map(|one| Cidr::parse(one.str_at(&["subnet"])?));
        match written {
            Some(range) => self.pool(range),
            None => self.free_range(),
        }
    }

    /// How the sandbox of a container is made: one interface for each of its networks.
    pub(crate) fn sandbox_of(&self, id: Id<ContainerRow>) -> SandboxSpec {
        let config: &ContainerConfig = &self.store.containers[id].config;
        let mut spec = SandboxSpec {
            lasting: true,
            ..SandboxSpec::default()
        };
        match &*config.network_mode {
            "host" => spec.network = Sharing::Host,
            "none" => spec.unplugged = config.networks.is_empty(),
            _ => {}
        }
        if spec.network == Sharing::Host || spec.unplugged {
            return spec;
        }
        spec.host_aliases = config
            .extra_hosts
            .iter()
            .filter_map(|line| {
                let (name, address) = line.split_once(':')?;
                let address: Arc<str> = if address == "host-gateway" {
                    crate::substrate::net::address::text(DEFAULT_RANGE.0 + 1).into()
                } else {
                    address.into()
                };
                Some((address, vec![Arc::from(name)]))
            })
            .collect();
        spec.plugs = config
            .networks
            .keys()
            .filter_map(|name| self.plug(name))
            .collect();
        if spec.plugs.is_empty() {
            spec.plugs.extend(self.plug(&"bridge".into()));
        }
        spec
    }

    fn plug(&self, name: &Arc<str>) -> Option<Plug> {
        let (base, prefix) = match self.store.networks.get(name) {
            Some(made) => made.range,
            None if &**name == "bridge" => DEFAULT_RANGE,
            None => return None,
        };
        (prefix > 0).then(|| Plug {
            network: name.clone(),
            base,
            prefix,
            address: 0,
        })
    }
}
