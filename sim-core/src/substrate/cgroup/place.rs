//! Where groups lie: two versions of the hierarchy, two drivers that name things.

/// Version of control groups that a machine mounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Version {
    /// One hierarchy for each controller.
    V1,
    /// The unified hierarchy.
    #[default]
    V2,
}

/// Who makes the groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Driver {
    /// The runtime writes directories itself.
    Cgroupfs,
    /// The runtime asks systemd for slices and scopes.
    #[default]
    Systemd,
}

/// Directories of the first version below `/sys/fs/cgroup`, each with the controllers in it.
/// `cpu`, `cpuacct`, `net_cls` and `net_prio` are links to the joint ones.
pub const CONTROLLERS_V1: [&str; 13] = [
    "blkio",
    "cpu,cpuacct",
    "cpuset",
    "devices",
    "freezer",
    "hugetlb",
    "memory",
    "misc",
    "net_cls,net_prio",
    "perf_event",
    "pids",
    "rdma",
    "systemd",
];

/// The directory that a link of the first version leads to.
pub fn controller_v1(name: &str) -> Option<&'static str> {
    let real = match name {
        "cpu" | "cpuacct" => "cpu,cpuacct",
        "net_cls" | "net_prio" => "net_cls,net_prio",
        other => other,
    };
    CONTROLLERS_V1.into_iter().find(|known| *known == real)
}

/// One group's way from the root of a hierarchy, by plain names.
///
/// With systemd each level repeats the names above it: `kubepods`, `burstable`, `pod1-2` is
/// `kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice`.
/// Source: `pkg/kubelet/cm/cgroup_manager_linux.go` (`CgroupName.ToSystemd`).
pub fn levels(names: &[&str], driver: Driver) -> Vec<String> {
    match driver {
        Driver::Cgroupfs => names.iter().map(|name| (*name).to_owned()).collect(),
        Driver::Systemd => {
            let mut joined = String::new();
            names
                .iter()
                .map(|name| {
                    if !joined.is_empty() {
                        joined.push('-');
                    }
                    joined.push_str(&name.replace('-', "_"));
                    format!("{joined}.slice")
                })
                .collect()
        }
    }
}

/// The last level of a container's group. `prefix` is what its runtime calls itself in scopes, e.g.
/// `docker`, `cri-containerd`, `crio`.
pub fn leaf(id: &str, prefix: &str, driver: Driver) -> String {
    match driver {
        Driver::Cgroupfs => id.to_owned(),
        Driver::Systemd => format!("{prefix}-{id}.scope"),
    }
}

/// Levels above a container that no group of its owner's holds. Source: moby `daemon/oci_linux.go`.
pub const fn engine_parent(driver: Driver) -> &'static str {
    match driver {
        Driver::Cgroupfs => "docker",
        Driver::Systemd => "system.slice",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_have_both_drivers_names() {
        let uid = "pod6c1a4e95-6bb6-11e6-bc26-28d2444e470d";
        assert_eq!(
            levels(&["kubepods", "burstable", uid], Driver::Systemd).join("/"),
            "kubepods.slice/kubepods-burstable.slice/\
             kubepods-burstable-pod6c1a4e95_6bb6_11e6_bc26_28d2444e470d.slice"
        );
        assert_eq!(
            levels(&["kubepods", uid], Driver::Cgroupfs).join("/"),
            format!("kubepods/{uid}")
        );
        assert_eq!(leaf("ab", "docker", Driver::Systemd), "docker-ab.scope");
        assert_eq!(controller_v1("cpu"), Some("cpu,cpuacct"));
        assert_eq!(controller_v1("network"), None);
    }
}
