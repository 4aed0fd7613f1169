//! Storage drivers: where a volume's bytes are, and who can reach them.

use crate::base::time::SimDuration;

/// Who reaches a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// The machine whose disk it lies on: it is lost for as long as the machine is.
    Machine,
    /// Any machine of the zone, one at a time.
    Zone,
}

/// What differs between drivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorageDriver {
    /// Name of the profile.
    pub name: &'static str,
    /// Who reaches its volumes.
    pub reach: Reach,
    /// Time to make a volume. Upstream promises none: a directory takes a helper's start, a disk of
    /// a cloud a few seconds. Our own figures.
    pub provision: SimDuration,
}

/// A directory or disk of the machine.
pub const LOCAL: StorageDriver = StorageDriver {
    name: "local",
    reach: Reach::Machine,
    provision: SimDuration::from_millis(1_500),
};

/// A block device over the network.
pub const BLOCK: StorageDriver = StorageDriver {
    name: "network block",
    reach: Reach::Zone,
    provision: SimDuration::from_secs(3),
};

/// Drivers whose volumes lie on the machine, by the names that they register.
/// Sources: rancher/local-path-provisioner, kubernetes-csi/csi-driver-host-path, openebs,
/// topolvm, minikube's and kind's defaults.
const ON_MACHINE: [&str; 6] = [
    "rancher.io/local-path",
    "hostpath.csi.k8s.io",
    "k8s.io/minikube-hostpath",
    "openebs.io/local",
    "topolvm.io",
    "local.csi.openebs.io",
];

/// The profile of a driver's name; one that nobody knows is a block device over the network.
pub fn driver(name: &str) -> StorageDriver {
    if ON_MACHINE.contains(&name) {
        LOCAL
    } else {
        BLOCK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_choose_the_profile() {
        assert_eq!(driver("rancher.io/local-path").reach, Reach::Machine);
        assert_eq!(driver("ebs.csi.aws.com").reach, Reach::Zone);
    }
}
