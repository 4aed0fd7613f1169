//! Network drivers: how packets of sandboxes get from one machine to another.

use crate::base::time::SimDuration;

/// A way to join sandboxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NetworkKind {
    /// A bridge on each machine, and nothing between them.
    Bridge,
    /// Packets are wrapped and sent between the machines' addresses.
    Overlay,
    /// Each machine has a route to the others' subnets.
    Routed,
}

/// What differs between the drivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkDriver {
    /// Which.
    pub kind: NetworkKind,
    /// Name as machines' descriptions say it.
    pub name: &'static str,
    /// Time that a sandbox's set-up takes more than with the default. Our own figures: an overlay
    /// writes neighbours and forwarding entries.
    pub setup_extra: SimDuration,
    /// Bytes of each packet that headers take.
    pub header_bytes: u32,
    /// The interface that joins machines; empty: their own.
    pub device: &'static str,
    /// Whether sandboxes of different machines reach each other.
    pub crosses: bool,
    /// Whether its agents enforce policies: Calico's and kindnet's do, flannel's and a bare bridge's do
    /// not.
    pub policies: bool,
}

/// The drivers. Headers: 50 bytes of VXLAN over IPv4 (RFC 7348); the overlay's interface is named as
/// flannel does.
pub const NETWORK_DRIVERS: [NetworkDriver; 3] = [
    NetworkDriver {
        kind: NetworkKind::Bridge,
        name: "bridge",
        setup_extra: SimDuration::ZERO,
        header_bytes: 0,
        device: "",
        crosses: false,
        policies: false,
    },
    NetworkDriver {
        kind: NetworkKind::Overlay,
        name: "overlay",
        setup_extra: SimDuration::from_millis(40),
        header_bytes: 50,
        device: "flannel.1",
        crosses: true,
        policies: false,
    },
    NetworkDriver {
        kind: NetworkKind::Routed,
        name: "routed",
        setup_extra: SimDuration::ZERO,
        header_bytes: 0,
        device: "",
        crosses: true,
        policies: true,
    },
];

impl NetworkKind {
    /// What the driver does.
    pub const fn driver(self) -> NetworkDriver {
        match self {
            Self::Bridge => NETWORK_DRIVERS[0],
            Self::Overlay => NETWORK_DRIVERS[1],
            Self::Routed => NETWORK_DRIVERS[2],
        }
    }

    /// The driver of that name.
    pub fn parse(name: &str) -> Option<Self> {
        NETWORK_DRIVERS
            .iter()
            .find(|driver| driver.name == name)
            .map(|driver| driver.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_its_own_row() {
        for driver in NETWORK_DRIVERS {
            assert_eq!(driver.kind.driver(), driver);
            assert_eq!(NetworkKind::parse(driver.name), Some(driver.kind));
        }
    }
}
