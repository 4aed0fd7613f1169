//! What one process sees: files of the machine, or of a container behind its namespaces.
//!
//! ```text
//! path ──▶ Sight ──▶ /sys/fs/cgroup   groups
//!                ──▶ /proc            procfs
//!                ──▶ /etc             etc
//! ```

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::time::SimDuration;
use crate::substrate::cgroup::place::{CONTROLLERS_V1, Version, controller_v1};
use crate::substrate::cgroup::tree::{Group, GroupKey};
use crate::substrate::cgroup::{files, legacy};
use crate::substrate::errno::Errno;
use crate::substrate::order::ContainerId;
use crate::substrate::root_fs::Disk;

use super::place::Place;
use super::{etc, procfs};

/// Where control groups are mounted.
pub const CGROUPS: &str = "/sys/fs/cgroup";

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A file with this text.
    File(String),
    /// A directory with these names.
    Directory(Vec<String>),
    /// A link to there.
    Link(String),
    /// A file of this size whose text is not known.
    Opaque(u64),
    /// A device 0/0: what an overlay's upper directory hides something with.
    Device,
}

/// What a write reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The group.
    pub group: GroupKey,
    /// The file.
    pub file: String,
    /// Version of the hierarchy.
    pub version: Version,
}

/// The eyes of one process.
#[derive(Clone, Debug)]
pub struct Sight<'a> {
    /// The machine's disk as commands that have run so far left it; none: as it is.
    pub(super) disk: RefCell<Option<Arc<Disk>>>,
    /// Processes that this command has left behind.
    pub(super) left: Cell<u64>,
    /// How long it has to wait for a disk.
    pub(super) waits: Cell<SimDuration>,
    /// The machine.
    pub place: &'a Place<'a>,
    /// The container that the process runs in; none: on the machine itself.
    pub inside: Option<ContainerId>,
}

/// Turns a path into its names; `.` and `..` are followed.
pub fn names(path: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    names
}

impl<'a> Sight<'a> {
    /// That of a process on the machine.
    pub const fn machine(place: &'a Place<'a>) -> Self {
        Self {
            disk: RefCell::new(None),
            left: Cell::new(0),
            waits: Cell::new(SimDuration::ZERO),
            place,
            inside: None,
        }
    }

    /// That of a process in a container.
    pub const fn container(place: &'a Place<'a>, container: ContainerId) -> Self {
        Self {
            disk: RefCell::new(None),
            left: Cell::new(0),
            waits: Cell::new(SimDuration::ZERO),
            place,
            inside: Some(container),
        }
    }

    /// Bytes per second of the machine's disk.
    pub fn disk_rate(&self) -> u64 {
        self.place.world.substrate.disk_rate(self.place.machine)
    }

    /// Version of control groups here.
    pub fn version(&self) -> Version {
        self.place
            .world
            .substrate
            .machine(self.place.machine)
            .map(|row| row.profile.cgroups)
            .unwrap_or_default()
    }

    /// What is at a path.
    ///
    /// # Errors
    /// The kernel's.
    pub fn look(&self, path: &str) -> Result<Node, Errno> {
        let names = names(path);
        match names.as_slice() {
            ["sys", "fs", "cgroup", rest @ ..] => return self.group_node(rest),
            ["proc", rest @ ..] => return procfs::look(self, rest),
            _ => {}
        }
        self.reaches(path)?;
        // What somebody wrote is there, whatever was there before.
        let written = self.on_disk(path);
        if self.inside.is_some() && !matches!(names.as_slice(), ["sys", ..]) {
            let own = match names.as_slice() {
                ["etc", rest @ ..] if !rest.is_empty() => etc::look(self, rest).ok(),
                _ => None,
            };
            return match (written, own) {
                // The text of a file that nobody changed.
                (Some(Node::Opaque(_)) | None, Some(own)) if self.keeps(path) => Ok(own),
                (Some(Node::Directory(mut all)), _) if names == ["etc"] => {
                    all.extend(["hostname", "hosts", "resolv.conf"].map(str::to_owned));
                    all.arrange();
                    all.dedup();
                    Ok(Node::Directory(all))
                }
                (Some(node), _) => Ok(node),
                (None, _) => Err(Errno::NotFound),
            };
        }
        let plain = self.plain_look(&names);
        match (written, self.above_windows(path), plain) {
            (Some(Node::Directory(more)), _, Ok(Node::Directory(mut all)))
            | (None, Some(Node::Directory(more)), Ok(Node::Directory(mut all))) => {
                all.extend(more);
                all.arrange();
                all.dedup();
                Ok(Node::Directory(all))
            }
            (Some(node), _, _) | (None, Some(node), Err(_)) => Ok(node),
            (None, _, plain) => plain,
        }
    }

    /// Whether a file of the image, or one that the runtime mounts, is as it was.
    fn keeps(&self, path: &str) -> bool {
        matches!(
            names(path).as_slice(),
            ["etc", "hostname" | "hosts" | "resolv.conf"]
        ) || matches!(self.on_disk(path), Some(Node::Opaque(_)))
    }

    /// What every machine has at a path.
    fn plain_look(&self, names: &[&str]) -> Result<Node, Errno> {
        match names {
            [] => Ok(directory(&[
                "bin", "dev", "etc", "home", "lib", "mnt", "opt", "proc", "root", "run", "sbin",
                "srv", "sys", "tmp", "usr", "var",
            ])),
            ["sys"] => Ok(directory(&[
                "block", "bus", "class", "dev", "devices", "firmware", "fs", "kernel", "module",
                "power",
            ])),
            ["sys", "fs"] => Ok(directory(&["bpf", "cgroup", "ext4"])),
            ["etc", rest @ ..] => etc::look(self, rest),
            [
                "bin" | "dev" | "home" | "lib" | "mnt" | "opt" | "root" | "run" | "sbin" | "srv"
                | "tmp" | "usr" | "var",
            ] => Ok(Node::Directory(Vec::new())),
            _ => Err(Errno::NotFound),
        }
    }

    /// The path that a link at a path leads to, itself if there is none.
    pub fn follow(&self, path: &str) -> String {
        let plain = path.trim_end_matches('/');
        match self.look(plain) {
            Ok(Node::Link(target)) if target.starts_with('/') => target,
            Ok(Node::Link(target)) => {
                let above = plain.rsplit_once('/');
                format!("{}/{target}", above.map_or("", |(above, _)| above))
            }
            _ => path.to_owned(),
        }
    }

    /// Text of a file; links are followed.
    ///
    /// # Errors
    /// The kernel's.
    pub fn read(&self, path: &str) -> Result<String, Errno> {
        /// Links followed before the kernel gives up.
        const LINKS_MAX: usize = 8;
        let mut path = path.to_owned();
        for _ in 0..LINKS_MAX {
            match self.look(&path)? {
                Node::File(text) if path.ends_with('/') && !text.is_empty() => {
                    return Err(Errno::NotDirectory);
                }
                Node::File(text) => return Ok(text),
                Node::Directory(_) => return Err(Errno::IsDirectory),
                Node::Opaque(_) => return Err(Errno::NotModelled),
                Node::Device => return Err(Errno::NoDevice),
                Node::Link(_) => path = self.follow(&path),
            }
        }
        Err(Errno::Invalid)
    }

    /// The groups as this process finds them below a hierarchy's mount point.
    fn root(&self, groups: &Group) -> Option<Group> {
        match self.inside {
            None => Some(groups.clone()),
            Some(container) => {
                let path = groups.path_of(&GroupKey::Container(container))?;
                groups.at(path.split('/')).cloned()
            }
        }
    }

    fn group_node(&self, names: &[&str]) -> Result<Node, Errno> {
        let groups = self.place.groups().ok_or(Errno::NotFound)?;
        let root = self.root(&groups).ok_or(Errno::NotFound)?;
        match self.version() {
            Version::V2 => walk(&root, names, None),
            Version::V1 => match names {
                [] => {
                    let mut all: Vec<&str> = CONTROLLERS_V1.to_vec();
                    all.extend(["cpu", "cpuacct", "net_cls", "net_prio", "unified"]);
                    all.arrange();
                    Ok(directory(&all))
                }
                [link @ ("cpu" | "cpuacct" | "net_cls" | "net_prio")] => {
                    Ok(Node::Link(controller_v1(link).unwrap_or("").to_owned()))
                }
                ["unified"] => Ok(directory(&["cgroup.controllers", "cgroup.procs"])),
                [controller, rest @ ..] => {
                    let controller = controller_v1(controller).ok_or(Errno::NotFound)?;
                    walk(&root, rest, Some(controller))
                }
            },
        }
    }

    /// What a write to a path would reach.
    ///
    /// # Errors
    /// The kernel's: a container sees control groups read-only.
    pub fn target(&self, path: &str) -> Result<Target, Errno> {
        let names = names(path);
        let ["sys", "fs", "cgroup", rest @ ..] = names.as_slice() else {
            return match self.look(path) {
                Ok(Node::Directory(_)) => Err(Errno::IsDirectory),
                Ok(_) if names.first() == Some(&"proc") || names.first() == Some(&"sys") => {
                    if self.inside.is_some() {
                        Err(Errno::ReadOnly)
                    } else {
                        Err(Errno::Permission)
                    }
                }
                Err(_) if self.inside.is_some() && names.first() == Some(&"sys") => {
                    Err(Errno::ReadOnly)
                }
                Ok(_) => Err(Errno::NotSupported),
                Err(error) => Err(error),
            };
        };
        match self.look(path) {
            Ok(Node::Directory(_)) => return Err(Errno::IsDirectory),
            // Opening a file of the mount for writing fails before its name matters.
            _ if self.inside.is_some() => return Err(Errno::ReadOnly),
            Err(Errno::NotFound) => return Err(Errno::Permission),
            Ok(_) | Err(_) => {}
        }
        let version = self.version();
        let below = match version {
            Version::V2 => rest,
            Version::V1 => rest.get(1..).unwrap_or(&[]),
        };
        let Some((file, directories)) = below.split_last() else {
            return Err(Errno::IsDirectory);
        };
        let groups = self.place.groups().ok_or(Errno::NotFound)?;
        let group = groups
            .at(directories.iter().copied())
            .ok_or(Errno::NotFound)?;
        Ok(Target {
            group: group.key.clone(),
            file: (*file).to_owned(),
            version,
        })
    }
}

/// A directory with these names.
pub fn directory(names: &[&str]) -> Node {
    Node::Directory(names.iter().map(|name| (*name).to_owned()).collect())
}

/// What is below a group: other groups, and its files (of one controller in the first version).
fn walk(root: &Group, names: &[&str], controller: Option<&'static str>) -> Result<Node, Errno> {
    let own = |group: &Group| match controller {
        None => files::names(&group.facts),
        Some(controller) => legacy::names(controller, &group.facts),
    };
    let mut at = root;
    for (index, name) in names.iter().enumerate() {
        if let Some(child) = at.children.get(*name) {
            at = child;
            continue;
        }
        if index + 1 < names.len() {
            return Err(if own(at).contains(name) {
                Errno::NotDirectory
            } else {
                Errno::NotFound
            });
        }
        let text = match controller {
            None => files::read(name, &at.facts),
            Some(controller) => legacy::read(controller, name, &at.facts),
        };
        return text.map(Node::File);
    }
    let mut all: Vec<String> = own(at).into_iter().map(str::to_owned).collect();
    all.extend(at.children.keys().cloned());
    all.arrange();
    Ok(Node::Directory(all))
}

/// Whether a path is one of the kernel's own file systems.
pub fn is_virtual(path: &str) -> bool {
    matches!(names(path).first(), Some(&("proc" | "sys")))
}
