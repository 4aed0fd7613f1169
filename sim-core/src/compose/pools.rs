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
        let taken = |base: u32| {
            self.store.networks.values().any(|made| {
                let (other, length) = made.range;
                length > 0 && {
                    let shorter = Cidr {
                        base: base.min(other),
                        prefix: length.min(prefix),
                    };
                    shorter.holds(base) && shorter.holds(other)
                }
            })
        };
        (1..=LAST_POOL - 17)
            .map(|step| first + (step << 16))
            .find(|base| !taken(*base))
            .map(|base| (base, prefix))
            .ok_or_else(|| {
                Refusal::new("all predefined address pools have been fully subnetted".to_owned())
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
            Some(range) => Ok((range.base, range.prefix)),
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
