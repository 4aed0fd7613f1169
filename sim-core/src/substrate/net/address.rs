//! Addresses of sandboxes: one /24 for each machine, handed out in turn.

use std::sync::Arc;

use crate::base::sorted::SortedSet;
use crate::substrate::Substrate;
use crate::substrate::cgroup::settings::{Plug, Sharing};
use crate::substrate::order::{MachineId, SandboxId};

/// A range of addresses on one machine: the machine and the range's first address.
pub type RangeKey = (MachineId, u32);

/// What is in use of a range.
#[derive(Clone, Debug, Default)]
pub struct Range {
    used: SortedSet<u32>,
    /// Host part below which nothing is free.
    free_from: u32,
}

impl Range {
    /// The lowest free one of the addresses that a plug's range has.
    fn take(&mut self, plug: &Plug) -> Option<u32> {
        let size = 1_u32.checked_shl(32 - u32::from(plug.prefix)).unwrap_or(0);
        // The network itself, its gateway, and at the end the broadcast address.
        let host = (self.free_from.max(2)..size.saturating_sub(1))
            .find(|host| !self.used.contains(&(plug.base + host)))?;
        self.used.insert(plug.base + host);
        self.free_from = host + 1;
        Some(plug.base + host)
    }

    fn give_back(&mut self, plug: &Plug, address: u32) {
        if self.used.remove(&address) {
            self.free_from = self.free_from.min(address - plug.base);
        }
    }
}

/// Network that machines' subnets are cut from, unless the plane sets another.
/// Source: kubeadm and flannel's default `10.244.0.0/16`.
pub const DEFAULT_NETWORK: u32 = (10 << 24) | (244 << 16);

/// First host part given out; 0 is the network and 1 the machine's own bridge.
const FIRST_HOST: u8 = 2;

/// Last host part given out; 255 is the broadcast address.
const LAST_HOST: u8 = 254;

/// Dotted text of an IPv4 address.
pub fn text(address: u32) -> String {
    let [a, b, c, d] = address.to_be_bytes();
    format!("{a}.{b}.{c}.{d}")
}

impl Substrate {
    /// Sets the network of sandboxes' addresses; before the first sandbox.
    pub fn set_network(&mut self, base: u32) {
        self.network = base & !0xff;
    }

    /// First address of what machines' subnets are cut from.
    pub const fn network(&self) -> u32 {
        self.network
    }

    /// A free address of the machine's subnet: the next after the last one given out, as the
    /// `host-local` plugin does, so that an address is not used again at once.
    pub(in crate::substrate) fn take_address(&mut self, machine: MachineId) -> Option<u32> {
        let row = &mut self.machines[machine];
        let mut host = row.last_address;
        for _ in FIRST_HOST..=LAST_HOST {
            host = if (FIRST_HOST..LAST_HOST).contains(&host) {
                host + 1
            } else {
                FIRST_HOST
            };
            let (word, bit) = (usize::from(host / 64), 1_u64 << (host % 64));
            let address = self.network.wrapping_add(row.subnet << 8) | u32::from(host);
            if row.addresses[word] & bit == 0 && !self.foreign.contains(&address) {
                row.addresses[word] |= bit;
                row.last_address = host;
                return Some(address);
            }
        }
        None
    }

    /// Takes an address that is wanted; none if there is none, or somebody has it. One outside of the
    /// machine's subnet comes from a network plugin with ranges of its own.
    fn take_wanted(&mut self, machine: MachineId, address: u32) -> Option<u32> {
        if address == 0 {
            return None;
        }
        if self.is_of_subnet(machine, address) {
            let [_, _, _, host] = address.to_be_bytes();
            let (word, bit) = (usize::from(host / 64), 1_u64 << (host % 64));
            let row = &mut self.machines[machine];
            if row.addresses[word] & bit != 0 || self.foreign.contains(&address) {
                return None;
            }
            row.addresses[word] |= bit;
            // The plugin goes on after the highest that it has given out.
            row.last_address = row.last_address.max(host);
            return Some(address);
        }
        let [_, _, _, host] = address.to_be_bytes();
        let taken = self.machine_of_subnet(address).is_some_and(|other| {
            let used = &self.machines[other].addresses;
            used[usize::from(host / 64)] & (1_u64 << (host % 64)) != 0
        });
        (!taken && self.foreign.insert(address)).then_some(address)
    }

    fn is_of_subnet(&self, machine: MachineId, address: u32) -> bool {
        self.machine_of_subnet(address) == Some(machine)
    }

    /// Number of the subnet that an address lies in.
    pub(in crate::substrate) const fn number_of_subnet(&self, address: u32) -> u32 {
        address.wrapping_sub(self.network) >> 8
    }

    /// The machine in whose subnet an address lies.
    pub(in crate::substrate) fn machine_of_subnet(&self, address: u32) -> Option<MachineId> {
        let machine = *self.subnets.get(&self.number_of_subnet(address))?;
        self.machines.contains(machine).then_some(machine)
    }

    /// The sandboxes that have an address: of the machine in whose subnet it lies, else those on a machine's
    /// own network, of which there may be several, else the one whose plugin has ranges of its own.
    pub fn sandboxes_at(&self, address: u32) -> Vec<SandboxId> {
        let has = |machine: MachineId| {
            let own = self.sandboxes_on(machine);
            let own = own.filter(|(_, row)| row.address == address);
            own.map(|(id, _)| id)
        };
        let machine = self.machine_of_subnet(address).or_else(|| {
            let mut machines = self.machines();
            let found = machines.find(|(_, row)| row.address == address);
            found.map(|(id, _)| id)
        });
        match machine {
            Some(machine) => has(machine).collect(),
            None if self.foreign.contains(&address) => {
                let machines = self.machines();
                machines.flat_map(|(machine, _)| has(machine)).collect()
            }
            None => Vec::new(),
        }
    }

    /// Addresses for a sandbox, in the order of its plugs. None: a range is used up.
    pub(in crate::substrate) fn take_addresses(&mut self, sandbox: SandboxId) -> Option<u32> {
        let row = self.sandboxes.get(sandbox)?;
        let (machine, spec) = (row.machine, row.spec.clone());
        if spec.network == Sharing::Host {
            return Some(self.machines.get(machine)?.address);
        }
        if spec.unplugged {
            return Some(0);
        }
        if spec.plugs.is_empty() {
            return self
                .take_wanted(machine, spec.address)
                .or_else(|| self.take_address(machine));
        }
        let mut all = Vec::with_capacity(spec.plugs.len());
        for plug in &spec.plugs {
            match self.take_of(machine, plug) {
                Some(address) => all.push(address),
                None => {
                    self.give_back(machine, &spec.plugs, &all);
                    return None;
                }
            }
        }
        let first = all[0];
        if all.len() > 1 {
            self.plugged.insert(sandbox, all.into());
        }
        Some(first)
    }

    /// The address that a plug names, or the lowest free one of its range, as the engine's own
    /// address management does. Source: moby `daemon/libnetwork/ipams/defaultipam`.
    fn take_of(&mut self, machine: MachineId, plug: &Plug) -> Option<u32> {
        if plug.address != 0 {
            return Some(plug.address);
        }
        self.ranges
            .entry((machine, plug.base))
            .or_default()
            .take(plug)
    }

    fn give_back(&mut self, machine: MachineId, plugs: &[Plug], addresses: &[u32]) {
        for (plug, address) in plugs.iter().zip(addresses) {
            if plug.address == 0
                && let Some(range) = self.ranges.get_mut(&(machine, plug.base))
            {
                range.give_back(plug, *address);
            }
        }
    }

    /// Frees what a sandbox has.
    pub(in crate::substrate) fn give_back_addresses(&mut self, sandbox: SandboxId) {
        let Some(row) = self.sandboxes.get(sandbox) else {
            return;
        };
        let (machine, address, spec) = (row.machine, row.address, row.spec.clone());
        if spec.network == Sharing::Host || address == 0 {
            return;
        }
        if spec.plugs.is_empty() {
            self.give_back_address(machine, address);
            return;
        }
        match self.plugged.remove(&sandbox) {
            Some(all) => self.give_back(machine, &spec.plugs, &all),
            None => self.give_back(machine, &spec.plugs, &[address]),
        }
    }

    /// The networks of a sandbox with its addresses there; empty before it is ready, and where it
    /// has its machine's network or an address of its machine's subnet.
    pub fn plugs(&self, sandbox: SandboxId) -> Vec<(Plug, u32)> {
        let Some(row) = self.sandboxes.get(sandbox).filter(|row| row.address != 0) else {
            return Vec::new();
        };
        let one: Arc<[u32]> = Arc::new([row.address]);
        let addresses = self.plugged.get(&sandbox).unwrap_or(&one);
        row.spec
            .plugs
            .iter()
            .cloned()
            .zip(addresses.iter().copied())
            .collect()
    }

    /// Networks of a sandbox in which names are known, each by its name: the default bridge and the
    /// one that leads outside have no names.
    pub fn named_networks(&self, sandbox: SandboxId) -> Vec<String> {
        let plugs = self.plugs(sandbox).into_iter();
        let names = plugs.map(|(plug, _)| plug.network.to_string());
        names
            .filter(|name| !matches!(name.as_str(), "bridge" | "docker_gwbridge"))
            .collect()
    }

    /// Whether an address is one of a sandbox's own.
    pub fn has_address(&self, sandbox: SandboxId, address: u32) -> bool {
        let Some(row) = self.sandboxes.get(sandbox) else {
            return false;
        };
        row.spec.network != Sharing::Host
            && address != 0
            && (row.address == address
                || self
                    .plugged
                    .get(&sandbox)
                    .is_some_and(|all| all.contains(&address)))
    }

    /// The address that a sandbox has in a network.
    pub fn address_in(&self, sandbox: SandboxId, network: &str) -> Option<u32> {
        self.plugs(sandbox)
            .into_iter()
            .find(|(plug, _)| &*plug.network == network)
            .map(|(_, address)| address)
    }

    /// Frees an address; 0 is none.
    pub(in crate::substrate) fn give_back_address(&mut self, machine: MachineId, address: u32) {
        if address != 0 && !self.foreign.remove(&address) {
            let host = address.to_be_bytes()[3];
            self.machines[machine].addresses[usize::from(host / 64)] &= !(1_u64 << (host % 64));
        }
    }

    /// The sandbox's address as text; none before it is ready.
    pub fn sandbox_address(&self, sandbox: SandboxId) -> Option<String> {
        self.sandboxes
            .get(sandbox)
            .filter(|row| row.address != 0)
            .map(|row| text(row.address))
    }

    /// The machine's subnet, e.g. `10.244.3.0/24`.
    pub fn subnet(&self, machine: MachineId) -> Option<String> {
        let row = self.machines.get(machine)?;
        Some(format!(
            "{}/24",
            text(self.network.wrapping_add(row.subnet << 8))
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_gives_the_lowest_free_address() {
        let plug = Plug {
            network: "bridge".into(),
            base: 172 << 24,
            prefix: 29,
            address: 0,
        };
        let mut range = Range::default();
        let all: Vec<u32> = std::iter::from_fn(|| range.take(&plug)).collect();
        let hosts: Vec<u32> = all.iter().map(|address| address - plug.base).collect();
        assert_eq!(hosts, [2, 3, 4, 5, 6]);
        range.give_back(&plug, all[3]);
        range.give_back(&plug, all[1]);
        assert_eq!(range.take(&plug), Some(all[1]));
        assert_eq!(range.take(&plug), Some(all[3]));
        assert_eq!(range.take(&plug), None);
    }
}
