//! One machine or container taken apart: control groups, namespaces, processes, mounts, interfaces
//! and rules, at the time that is shown. Reads what the console reads and changes nothing.

use crate::console::host::place::Place;
use crate::console::host::sight::Sight;
use crate::console::host::{firewall, mounts, net, procfs, space};
use crate::engine::lab::Lab;
use crate::engine::world::World;
use crate::protocol::{Anatomy, GroupLine, ProcessLine, SpaceLine, Target};
use crate::substrate::cgroup::place::Version;
use crate::substrate::cgroup::tree::{Group, GroupKey};
use crate::substrate::cgroup::{files, legacy};
use crate::substrate::namespace::Kind;
use crate::substrate::order::{ContainerId, MachineId};
use crate::substrate::process::Process;

/// Groups, processes, interfaces and mounts shown at most.
const LINES_MAX: usize = 200;

/// Longest text of rules, in bytes.
const RULES_BYTES_MAX: usize = 32 << 10;

/// Values of a group that are shown, with what a file is called in each version: controller of the
/// first version, its file, the second version's file.
const VALUES: [(&str, &str, &str); 7] = [
    ("cpu,cpuacct", "cpu.cfs_quota_us", "cpu.max"),
    ("cpu,cpuacct", "cpu.shares", "cpu.weight"),
    ("cpu,cpuacct", "cpu.stat", "cpu.stat"),
    ("memory", "memory.usage_in_bytes", "memory.current"),
    ("memory", "memory.limit_in_bytes", "memory.max"),
    ("memory", "memory.failcnt", "memory.events"),
    ("pids", "pids.current", "pids.current"),
];

/// What is asked for: a whole machine, or one container of it.
struct Found {
    machine: MachineId,
    container: Option<ContainerId>,
}

/// Takes an object apart; none if it is not there or has no power.
pub fn of(lab: &Lab, target: &Target) -> Option<Anatomy> {
    let world = lab
        .worlds
        .iter()
        .find(|world| world.orchestrator.name() == target.orchestrator)?;
    let found = find(world, lab, &target.object)?;
    if !world.substrate.is_on(found.machine) {
        return None;
    }
    let place = Place::new(world, found.machine, lab.now);
    let sight = match found.container {
        Some(container) => Sight::container(&place, container),
        None => Sight::machine(&place),
    };
    let mut rules = firewall::ruleset(&place, None).save(None);
    truncate(&mut rules);
    let process = space::first(&sight);
    Some(Anatomy {
        object: target.object.clone(),
        machine: place.node_name().to_owned(),
        kernel: procfs::kernel(&sight).to_owned(),
        runtime: procfs::runtime(&sight)
            .map_or_else(String::new, |runtime| runtime.name.to_owned()),
        groups: groups(&sight),
        spaces: process.as_ref().map(spaces).unwrap_or_default(),
        processes: procfs::visible(&sight)
            .iter()
            .take(LINES_MAX)
            .map(|process| line(&sight, process))
            .collect(),
        mounts: process
            .as_ref()
            .map(|process| mounts::listing(&sight, process))
            .unwrap_or_default()
            .lines()
            .take(LINES_MAX)
            .map(str::to_owned)
            .collect(),
        interfaces: net::ip(&sight, &["-br", "addr"])
            .stdout
            .lines()
            .take(LINES_MAX)
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect(),
        routes: net::ip(&sight, &["route"])
            .stdout
            .lines()
            .take(LINES_MAX)
            .map(str::to_owned)
            .collect(),
        // A container's own network has no rules of its own in this model.
        rules: if net::network(&sight).is_some() {
            String::new()
        } else {
            rules
        },
    })
}

/// The machine `node/NAME`, or the first container of the unit `pod/…`, `task/…`, `container/…`.
fn find(world: &World, lab: &Lab, object: &str) -> Option<Found> {
    let (kind, name) = object.split_once('/')?;
    if matches!(kind, "node" | "host" | "machine") {
        return Some(Found {
            machine: world.machine(name)?,
            container: None,
        });
    }
    let plain = name.rsplit('/').next().unwrap_or(name);
    world.substrate.machines().find_map(|(machine, _)| {
        let place = Place::new(world, machine, lab.now);
        // A task's container is called after the task and its identifier.
        let own = |known: &str| known == plain || known.starts_with(&format!("{plain}."));
        let sandbox = place
            .units
            .iter()
            .find(|(_, unit)| own(&unit.name))
            .map(|(sandbox, _)| *sandbox)?;
        let running = world
            .substrate
            .containers_in(sandbox)
            .filter(|(_, row)| row.running_since().is_some())
            .map(|(id, _)| id)
            .last()?;
        Some(Found {
            machine,
            container: Some(running),
        })
    })
}

fn groups(sight: &Sight<'_>) -> Vec<GroupLine> {
    let Some(root) = sight.place.groups() else {
        return Vec::new();
    };
    let top = match sight.inside {
        None => Some(&root),
        // The container's own and what is above it are one way down the tree.
        Some(container) => root
            .path_of(&GroupKey::Container(container))
            .and_then(|path| root.at(path.split('/'))),
    };
    let mut all = Vec::new();
    if let Some(top) = top {
        let name = match sight.inside {
            None => "/".to_owned(),
            Some(container) => sight.place.group_path(&GroupKey::Container(container)),
        };
        add_group(sight, top, &name, 0, &mut all);
    }
    all
}

fn add_group(sight: &Sight<'_>, group: &Group, name: &str, depth: u32, all: &mut Vec<GroupLine>) {
    if all.len() >= LINES_MAX {
        return;
    }
    let version = sight.version();
    let machines = &sight.place.world.substrate;
    let values = VALUES.iter().filter_map(|(controller, first, second)| {
        let (file, text) = match version {
            Version::V1 => (*first, legacy::read(controller, first, &group.facts)),
            Version::V2 => (*second, files::read(second, &group.facts)),
        };
        Some((file.to_owned(), short(file, &text.ok()?)))
    });
    let limits = &group.facts.limits;
    let got = match &group.key {
        GroupKey::Container(container) => machines
            .container(*container)
            .map_or(0, |row| u64::from(row.cpu.got)),
        GroupKey::Level(_) | GroupKey::Sandbox(_) | GroupKey::Holder(_) => 0,
    };
    all.push(GroupLine {
        depth,
        name: name.to_owned(),
        values: values.collect(),
        cpu_milli: got / 1_000,
        cpu_limit_milli: limits.quota_milli().unwrap_or(u64::MAX),
        memory_bytes: group.facts.memory.current(),
        memory_limit_bytes: limits.memory_max.unwrap_or(u64::MAX),
        pids: group.facts.tasks,
        pids_limit: limits.pids_max.unwrap_or(u64::MAX),
    });
    let index = all.len() - 1;
    for (name, child) in &group.children {
        let at = all.len();
        add_group(sight, child, name, depth + 1, all);
        // What the groups below get is what this one gets.
        if let Some(below) = all.get(at).map(|line| line.cpu_milli) {
            all[index].cpu_milli += below;
        }
    }
}

/// One line of a file: the whole where it has one, else the first keys that matter.
fn short(file: &str, text: &str) -> String {
    let wanted: &[&str] = match file {
        "cpu.stat" => &[
            "nr_periods",
            "nr_throttled",
            "throttled_usec",
            "throttled_time",
        ],
        "memory.events" => &["high", "max", "oom_kill"],
        _ => return text.trim_end().replace('\n', " "),
    };
    let kept: Vec<&str> = text
        .lines()
        .filter(|line| wanted.iter().any(|key| line.split(' ').next() == Some(key)))
        .collect();
    kept.join(" ")
}

fn spaces(process: &Process) -> Vec<SpaceLine> {
    let host = crate::substrate::namespace::Namespaces::host();
    Kind::ALL
        .into_iter()
        .map(|kind| SpaceLine {
            kind: kind.name().to_owned(),
            inode: process.namespaces.of(kind),
            own: process.namespaces.of(kind) != host.of(kind),
        })
        .collect()
}

fn line(sight: &Sight<'_>, process: &Process) -> ProcessLine {
    ProcessLine {
        pid: procfs::number(sight, process),
        host_pid: process.pid,
        command: process.command.join(" "),
        memory_bytes: process.rss,
        oom_score_adj: process.oom_score_adj,
    }
}

fn truncate(text: &mut String) {
    if text.len() > RULES_BYTES_MAX {
        let mut end = RULES_BYTES_MAX;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
}
