//! Storage drivers: where a volume's bytes are, who can reach them, and what that costs.
//!
//! ```text
//! local          a directory of one machine   nothing to attach    gone for as long as the machine is
//! network block  a disk of the zone           attached to one      waits for the path, fails after 2 min
//! network file   a server's directory         mounted by any       the same here (a hard NFS mount never fails)
//! ```

use crate::base::time::SimDuration;

/// Who reaches a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// The machine whose disk it lies on: it is lost for as long as the machine is.
    Machine,
    /// Any machine of the zone, one at a time.
    Zone,
    /// All machines at once.
    Everywhere,
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
    /// Time to attach a volume to a machine; none: nothing is attached. Upstream gives no number;
    /// cloud disks take a few seconds.
    pub attach: Option<SimDuration>,
    /// Time to detach one, as above.
    pub detach: SimDuration,
    /// Directory of a machine below which its volumes lie, if they do.
    pub directory: &'static str,
}

/// A directory or disk of the machine. Its place is that of rancher/local-path-provisioner.
pub const LOCAL: StorageDriver = StorageDriver {
    name: "local",
    reach: Reach::Machine,
    provision: SimDuration::from_millis(1_500),
    attach: None,
    detach: SimDuration::ZERO,
    directory: "/opt/local-path-provisioner",
};

/// A block device over the network.
pub const BLOCK: StorageDriver = StorageDriver {
    name: "network block",
    reach: Reach::Zone,
    provision: SimDuration::from_secs(3),
    attach: Some(SimDuration::from_secs(2)),
    detach: SimDuration::from_secs(2),
    directory: "",
};

/// A directory of a file server.
pub const FILE: StorageDriver = StorageDriver {
    name: "network file",
    reach: Reach::Everywhere,
    provision: SimDuration::from_millis(500),
    attach: None,
    detach: SimDuration::ZERO,
    directory: "",
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

/// Drivers of file servers, as above. Sources: kubernetes-csi/csi-driver-nfs,
/// kubernetes-sigs/aws-efs-csi-driver, ceph/ceph-csi, kubernetes-sigs/nfs-subdir-external-provisioner.
const ON_SERVER: [&str; 4] = [
    "nfs.csi.k8s.io",
    "efs.csi.aws.com",
    "cephfs.csi.ceph.com",
    "k8s-sigs.io/nfs-subdir-external-provisioner",
];

/// The profile of a driver's name; one that nobody knows is a block device over the network.
pub fn driver(name: &str) -> StorageDriver {
    if ON_MACHINE.contains(&name) {
        LOCAL
    } else if ON_SERVER.contains(&name) {
        FILE
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
        assert_eq!(driver("nfs.csi.k8s.io").reach, Reach::Everywhere);
        assert_eq!(driver("ebs.csi.aws.com").reach, Reach::Zone);
    }
}
