//! Addresses of sandboxes: one /24 for each machine, handed out in turn.

use crate::substrate::Substrate;
use crate::substrate::order::{MachineId, SandboxId};

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
            if row.addresses[word] & bit == 0 {
                row.addresses[word] |= bit;
                row.last_address = host;
                return Some(self.network.wrapping_add(row.subnet << 8) | u32::from(host));
            }
        }
        None
    }

    /// Frees an address; 0 is none.
    pub(in crate::substrate) fn give_back_address(&mut self, machine: MachineId, address: u32) {
        if address != 0 {
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
