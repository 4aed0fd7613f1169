//! Mount tables: the machine's disk, and a container's root made of layers.
//! Sources: Linux `Documentation/filesystems/overlayfs.rst`, runc `libcontainer/rootfs_linux.go`.

use crate::engine::command::Orchestrator;
use crate::substrate::cgroup::place::{CONTROLLERS_V1, Version};
use crate::substrate::file::below;
use crate::substrate::process::Process;
use crate::substrate::root_fs::From;

use super::provided;
use super::sight::Sight;

/// One mount.
struct Mount {
    device: String,
    at: String,
    kind: &'static str,
    options: String,
    /// Path inside its file system that is mounted.
    root: String,
}

fn mount(device: &str, at: &str, kind: &'static str, options: &str) -> Mount {
    Mount {
        device: device.to_owned(),
        at: at.to_owned(),
        kind,
        options: options.to_owned(),
        root: "/".to_owned(),
    }
}

/// The mounts of a process.
fn of(sight: &Sight<'_>, process: &Process) -> Vec<Mount> {
    if process.container.is_some() {
        return container(sight, process);
    }
    let mut all = vec![
        mount("sysfs", "/sys", "sysfs", "rw,nosuid,nodev,noexec,relatime"),
        mount("proc", "/proc", "proc", "rw,nosuid,nodev,noexec,relatime"),
        mount("udev", "/dev", "devtmpfs", "rw,nosuid,relatime,mode=755"),
        mount(
            "tmpfs",
            "/run",
            "tmpfs",
            "rw,nosuid,nodev,noexec,relatime,mode=755",
        ),
        mount("/dev/sda1", "/", "ext4", "rw,relatime,errors=remount-ro"),
    ];
    groups(sight, &mut all, "rw");
    for (sandbox, _) in sight
        .place
        .world
        .substrate
        .sandboxes_on(sight.place.machine)
    {
        for (id, row) in sight.place.world.substrate.containers_in(sandbox) {
            if row.running_since().is_none() {
                continue;
            }
            let name = sight.place.ids.get(&id).cloned().unwrap_or_default();
            let at = match sight.place.world.orchestrator {
                Orchestrator::Kubernetes => {
                    format!("/run/containerd/io.containerd.runtime.v2.task/k8s.io/{name}/rootfs")
                }
                Orchestrator::Swarm | Orchestrator::Compose => {
                    let [_, _, merged] = directories(sight, &name);
                    merged
                }
            };
            all.push(overlay(sight, &name, layers_of(sight, row.spec.image), &at));
        }
    }
    all
}

fn groups(sight: &Sight<'_>, all: &mut Vec<Mount>, access: &str) {
    let options = format!("{access},nosuid,nodev,noexec,relatime");
    match sight.version() {
        Version::V2 => all.push(mount(
            if sight.inside.is_some() {
                "cgroup"
            } else {
                "cgroup2"
            },
            "/sys/fs/cgroup",
            "cgroup2",
            &format!("{options},nsdelegate,memory_recursiveprot"),
        )),
        Version::V1 => {
            all.push(mount(
                "tmpfs",
                "/sys/fs/cgroup",
                "tmpfs",
                "ro,nosuid,nodev,noexec,mode=755",
            ));
            for name in CONTROLLERS_V1 {
                let controllers = match name {
                    "systemd" => "xattr,name=systemd".to_owned(),
                    name => name.to_owned(),
                };
                all.push(mount(
                    "cgroup",
                    &format!("/sys/fs/cgroup/{name}"),
                    "cgroup",
                    &format!("{options},{controllers}"),
                ));
            }
        }
    }
}

/// Read-only layers of an image.
fn layers_of(sight: &Sight<'_>, image: crate::base::symbol::Symbol) -> Vec<String> {
    sight
        .place
        .world
        .substrate
        .layers(sight.place.machine, image)
}

/// A container's upper directory, work directory and the place where all is merged.
pub fn directories(sight: &Sight<'_>, name: &str) -> [String; 3] {
    let base = match sight.place.world.orchestrator {
        Orchestrator::Kubernetes => {
            let number = name.bytes().fold(0_u64, |sum, byte| {
                sum.wrapping_mul(31).wrapping_add(u64::from(byte))
            }) % 9_000
                + 100;
            format!("/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/{number}")
        }
        Orchestrator::Swarm | Orchestrator::Compose => format!("/var/lib/docker/overlay2/{name}"),
    };
    match sight.place.world.orchestrator {
        Orchestrator::Kubernetes => [
            format!("{base}/fs"),
            format!("{base}/work"),
            format!("{base}/merged"),
        ],
        Orchestrator::Swarm | Orchestrator::Compose => [
            format!("{base}/diff"),
            format!("{base}/work"),
            format!("{base}/merged"),
        ],
    }
}

fn overlay(sight: &Sight<'_>, name: &str, layers: Vec<String>, at: &str) -> Mount {
    let [upper, work, _] = directories(sight, name);
    // The topmost layer comes first.
    let lower: Vec<String> = match sight.place.world.orchestrator {
        Orchestrator::Kubernetes => layers
            .iter()
            .rev()
            .map(|layer| {
                format!(
                    "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/{layer}/fs"
                )
            })
            .collect(),
        Orchestrator::Swarm | Orchestrator::Compose => layers
            .iter()
            .rev()
            .map(|layer| format!("/var/lib/docker/overlay2/l/{}", layer.to_uppercase()))
            .collect(),
    };
    mount(
        "overlay",
        at,
        "overlay",
        &format!(
            "rw,relatime,lowerdir={},upperdir={upper},workdir={work}",
            lower.join(":")
        ),
    )
}

fn container(sight: &Sight<'_>, process: &Process) -> Vec<Mount> {
    let Some((id, row)) = process
        .container
        .and_then(|id| Some((id, sight.place.world.substrate.container(id)?)))
    else {
        return Vec::new();
    };
    let name = sight.place.ids.get(&id).cloned().unwrap_or_default();
    let mut all = vec![
        overlay(sight, &name, layers_of(sight, row.spec.image), "/"),
        mount("proc", "/proc", "proc", "rw,nosuid,nodev,noexec,relatime"),
        mount("tmpfs", "/dev", "tmpfs", "rw,nosuid,size=65536k,mode=755"),
        mount(
            "devpts",
            "/dev/pts",
            "devpts",
            "rw,nosuid,noexec,relatime,gid=5,mode=620,ptmxmode=666",
        ),
        mount(
            "mqueue",
            "/dev/mqueue",
            "mqueue",
            "rw,nosuid,nodev,noexec,relatime",
        ),
        mount("sysfs", "/sys", "sysfs", "ro,nosuid,nodev,noexec,relatime"),
    ];
    let inside = Sight::container(sight.place, id);
    groups(&inside, &mut all, "ro");
    let kubernetes = sight.place.world.orchestrator == Orchestrator::Kubernetes;
    for file in ["hosts", "hostname", "resolv.conf"] {
        let mut bind = mount("/dev/sda1", &format!("/etc/{file}"), "ext4", "rw,relatime");
        bind.root = if kubernetes {
            format!("/var/lib/kubelet/pods/{file}")
        } else {
            format!("/var/lib/docker/containers/{name}/{file}")
        };
        all.push(bind);
    }
    all.push(mount(
        "shm",
        "/dev/shm",
        "tmpfs",
        "rw,nosuid,nodev,noexec,relatime,size=65536k",
    ));
    for path in row.spec.mounts.iter() {
        all.push(mount("/dev/sda1", path, "ext4", "rw,relatime"));
    }
    for own in row.spec.root.mounts.iter().filter(|_| kubernetes) {
        let access = if own.read_only { "ro" } else { "rw" };
        let disk = ("/dev/sda1", "ext4", format!("{access},relatime"));
        let (device, kind, options) = match &own.from {
            From::Memory(_) | From::Shared(..) => ("tmpfs", "tmpfs", format!("{access},relatime")),
            // ConfigMaps are on the disk, other such volumes in memory.
            From::Provided(name) => {
                let name = name.split('/').next().unwrap_or(name);
                match provided::directory(sight.place, Some(row.sandbox), name) {
                    Some(("configmap", _)) | None => disk,
                    Some(_) => ("tmpfs", "tmpfs", format!("{access},relatime,noswap")),
                }
            }
            From::Remote(..) => ("/dev/sdb", "ext4", format!("{access},relatime")),
            From::Volume(_) | From::Machine(_) | From::Sandbox(_) => disk,
        };
        // `/var/run` is a link.
        let target = own
            .target
            .strip_prefix("/var")
            .filter(|it| below(it, "/run").is_some());
        all.push(mount(device, target.unwrap_or(&own.target), kind, &options));
    }
    for path in [
        "/proc/bus",
        "/proc/fs",
        "/proc/irq",
        "/proc/sys",
        "/proc/sysrq-trigger",
    ] {
        all.push(mount(
            "proc",
            path,
            "proc",
            "ro,nosuid,nodev,noexec,relatime",
        ));
    }
    for path in [
        "/proc/acpi",
        "/proc/kcore",
        "/proc/keys",
        "/proc/timer_list",
        "/sys/firmware",
    ] {
        all.push(mount("tmpfs", path, "tmpfs", "ro,relatime"));
    }
    all
}

/// `/proc/PID/mounts`.
pub fn table(sight: &Sight<'_>, process: &Process) -> String {
    of(sight, process)
        .iter()
        .map(|one| {
            format!(
                "{} {} {} {} 0 0\n",
                one.device, one.at, one.kind, one.options
            )
        })
        .collect()
}

/// `/proc/PID/mountinfo`.
pub fn info(sight: &Sight<'_>, process: &Process) -> String {
    of(sight, process)
        .iter()
        .zip(100..)
        .map(|(one, number)| {
            let (own, rest) = one.options.split_once(",lowerdir=").map_or_else(
                || (one.options.clone(), "rw".to_owned()),
                |(own, lower)| (own.to_owned(), format!("rw,lowerdir={lower}")),
            );
            format!(
                "{number} 99 0:{} {} {} {own} - {} {} {rest}\n",
                number - 50,
                one.root,
                one.at,
                one.kind,
                one.device
            )
        })
        .collect()
}

/// What `mount` prints.
pub fn listing(sight: &Sight<'_>, process: &Process) -> String {
    of(sight, process)
        .iter()
        .map(|one| {
            format!(
                "{} on {} type {} ({})\n",
                one.device, one.at, one.kind, one.options
            )
        })
        .collect()
}
