//! `/proc`: the machine's figures and its processes, as one of them sees them.
//!
//! Memory and CPUs here are the machine's even inside a container: only the files of control groups
//! know of limits.

use crate::base::arrange::Arrange;
use crate::kube::render::{uid, uid_text};
use crate::substrate::cgroup::files;
use crate::substrate::cgroup::place::{CONTROLLERS_V1, Version};
use crate::substrate::cgroup::tree::GroupKey;
use crate::substrate::errno::Errno;
use crate::substrate::namespace::{Kind, Namespaces};
use crate::substrate::pressure::Resource;
use crate::substrate::process::Process;
use crate::substrate::profile::{Isolation, KERNEL, Runtime};

use super::etc;
use super::mounts;
use super::sight::{Node, Sight, directory};

/// Files of each process.
const FILES: &[&str] = &[
    "cgroup",
    "cmdline",
    "comm",
    "environ",
    "gid_map",
    "limits",
    "mountinfo",
    "mounts",
    "ns",
    "oom_adj",
    "oom_score",
    "oom_score_adj",
    "root",
    "setgroups",
    "stat",
    "status",
    "uid_map",
];

/// What is below `/proc`.
///
/// # Errors
/// The kernel's.
pub fn look(sight: &Sight<'_>, names: &[&str]) -> Result<Node, Errno> {
    match names {
        [] => {
            let mut all: Vec<String> = visible(sight)
                .iter()
                .map(|process| number(sight, process).to_string())
                .collect();
            all.extend(
                [
                    "cpuinfo", "loadavg", "meminfo", "mounts", "pressure", "self", "sys", "uptime",
                    "version",
                ]
                .map(str::to_owned),
            );
            Ok(Node::Directory(all))
        }
        ["self"] => Ok(Node::Link(format!("{}", own_number(sight)))),
        ["mounts"] => Ok(Node::Link("self/mounts".to_owned())),
        ["meminfo"] => Ok(Node::File(meminfo(sight))),
        ["cpuinfo"] => Ok(Node::File(cpuinfo(sight))),
        ["loadavg"] => Ok(Node::File(loadavg(sight))),
        ["uptime"] => Ok(Node::File(uptime(sight))),
        ["version"] => Ok(Node::File(format!(
            "Linux version {} (debian-kernel@lists.debian.org) #1 SMP PREEMPT_DYNAMIC\n",
            kernel(sight)
        ))),
        ["pressure"] => Ok(directory(&["cpu", "io", "memory"])),
        ["pressure", name] => {
            let resource = match *name {
                "cpu" => Resource::Cpu,
                "io" => Resource::Io,
                "memory" => Resource::Memory,
                _ => return Err(Errno::NotFound),
            };
            // The machine's, even inside a container.
            let groups = sight.place.groups().ok_or(Errno::NotFound)?;
            Ok(Node::File(files::pressure(&groups.facts, resource)))
        }
        ["sys"] => Ok(directory(&["fs", "kernel", "net", "vm"])),
        ["sys", "kernel", "random", "boot_id"] => Ok(Node::File(boot_id(sight))),
        ["sys", rest @ ..] => system(sight, &rest.join("/")),
        ["self", rest @ ..] => own(sight, rest),
        [number, rest @ ..] => {
            let wanted: u32 = number.parse().map_err(|_| Errno::NotFound)?;
            if wanted == own_number(sight) {
                return own(sight, rest);
            }
            let all = visible(sight);
            let process = all
                .iter()
                .find(|process| self::number(sight, process) == wanted)
                .ok_or(Errno::NotFound)?;
            of_process(sight, process, rest)
        }
    }
}

/// The runtime of the container that this process runs in.
pub fn runtime(sight: &Sight<'_>) -> Option<&'static Runtime> {
    let machines = &sight.place.world.substrate;
    let sandbox = machines.sandbox(machines.container(sight.inside?)?.sandbox)?;
    machines
        .machine(sandbox.machine)?
        .profile
        .runtime(&sandbox.spec.runtime)
}

/// Release of the kernel that this process runs on.
pub fn kernel(sight: &Sight<'_>) -> &'static str {
    runtime(sight)
        .map(|runtime| runtime.kernel)
        .filter(|kernel| !kernel.is_empty())
        .unwrap_or(KERNEL)
}

/// Number of the boot of the kernel that this process runs on: containers have their machine's.
fn boot_id(sight: &Sight<'_>) -> String {
    let place = sight.place;
    let machines = &place.world.substrate;
    let guest = sight
        .inside
        .filter(|_| own_kernel(sight))
        .and_then(|container| Some(machines.container(container)?.sandbox));
    let (kind, turn) = match guest {
        Some(sandbox) => ("guests", sandbox.bits()),
        None => {
            let boots = machines.machine(place.machine).map_or(1, |row| row.boots);
            ("boots", u64::from(boots.saturating_sub(1)))
        }
    };
    format!(
        "{}\n",
        uid_text(uid(place.world.seed, kind, "", place.node_name(), turn))
    )
}

/// Whether this process runs on a kernel of its own.
fn own_kernel(sight: &Sight<'_>) -> bool {
    runtime(sight).is_some_and(|runtime| runtime.isolation != Isolation::Shared)
}

/// Processes that this one can see, by their numbers on the machine.
pub fn visible(sight: &Sight<'_>) -> Vec<Process> {
    let all = sight.place.processes();
    let Some(container) = sight.inside else {
        return all.into_iter().filter(|process| !process.guest).collect();
    };
    let machines = &sight.place.world.substrate;
    let own = machines.namespaces(container).of(Kind::Pid);
    // The machine's own holds all others, but for what runs inside virtual machines.
    let is_host = own == Namespaces::host().of(Kind::Pid);
    all.into_iter()
        .filter(|process| match is_host {
            true => !process.guest,
            false => process.namespaces.of(Kind::Pid) == own,
        })
        .collect()
}

/// A process's number in this one's namespace.
pub fn number(sight: &Sight<'_>, process: &Process) -> u32 {
    if sight.inside.is_some() {
        process.inner
    } else {
        process.pid
    }
}

/// Number of the process that looks: a command that runs for this one moment.
pub fn own_number(sight: &Sight<'_>) -> u32 {
    let highest = visible(sight)
        .iter()
        .map(|process| number(sight, process))
        .max()
        .unwrap_or(0);
    match sight.inside {
        Some(_) => (highest + 6).max(7),
        None => highest + 13,
    }
}

/// The process that looks: beside the container's first one, in the same group and namespaces.
fn myself(sight: &Sight<'_>) -> Option<Process> {
    let mut process = match sight.inside {
        None => sight.place.processes().into_iter().next()?,
        Some(container) => sight
            .place
            .processes()
            .into_iter()
            .find(|process| process.container == Some(container))?,
    };
    if sight.inside.is_none() {
        process.group = GroupKey::Level("user.slice".to_owned());
    }
    process.inner = own_number(sight);
    process.inner_parent = 0;
    process.name = "cat".to_owned();
    process.command = vec!["cat".to_owned()];
    process.rss = 1 << 20;
    process.start = sight.place.now;
    process.oom_score_adj = if sight.inside.is_some() {
        process.oom_score_adj
    } else {
        0
    };
    if sight.inside.is_none() {
        process.pid = own_number(sight);
    }
    Some(process)
}

fn own(sight: &Sight<'_>, rest: &[&str]) -> Result<Node, Errno> {
    let process = myself(sight).ok_or(Errno::NotFound)?;
    of_process(sight, &process, rest)
}

fn of_process(sight: &Sight<'_>, process: &Process, rest: &[&str]) -> Result<Node, Errno> {
    let file = |text: String| Ok(Node::File(text));
    match rest {
        [] => Ok(directory(FILES)),
        ["status"] => file(status(sight, process)),
        ["stat"] => file(format!(
            "{} ({}) S {} 0 0 0 -1 0\n",
            number(sight, process),
            process.name,
            process.parent
        )),
        ["comm"] => file(format!("{}\n", process.name)),
        ["cmdline"] => file(
            process
                .command
                .iter()
                .map(|word| format!("{word}\0"))
                .collect(),
        ),
        ["cgroup"] => file(cgroup(sight, process)),
        ["oom_score_adj"] => file(format!("{}\n", process.oom_score_adj)),
        ["oom_adj"] => file(format!("{}\n", process.oom_score_adj * 17 / 1_000)),
        ["oom_score"] => file(format!("{}\n", oom_score(sight, process))),
        ["limits"] => file(
            "Limit                     Soft Limit           Hard Limit           Units     \n\
             Max open files            1048576              1048576              files     \n"
                .to_owned(),
        ),
        ["uid_map" | "gid_map"] => file("         0          0 4294967295\n".to_owned()),
        ["setgroups"] => file("allow\n".to_owned()),
        ["environ"] => file(environment(sight, process)),
        ["root"] => Ok(Node::Link("/".to_owned())),
        ["mounts"] => file(mounts::table(sight, process)),
        ["mountinfo"] => file(mounts::info(sight, process)),
        ["ns"] => {
            let mut all: Vec<&str> = Kind::ALL.map(Kind::name).to_vec();
            all.extend(["pid_for_children", "time_for_children"]);
            all.arrange();
            Ok(directory(&all))
        }
        ["ns", name] => {
            let plain = name.strip_suffix("_for_children").unwrap_or(name);
            let kind = Kind::ALL
                .into_iter()
                .find(|kind| kind.name() == plain)
                .ok_or(Errno::NotFound)?;
            Ok(Node::Link(format!(
                "{plain}:[{}]",
                process.namespaces.of(kind)
            )))
        }
        ["task"] => Ok(Node::Directory(vec![number(sight, process).to_string()])),
        _ => Err(Errno::NotFound),
    }
}

/// `/proc/PID/status`, as far as anybody reads it.
fn status(sight: &Sight<'_>, process: &Process) -> String {
    /// Capabilities of a container unless it is told otherwise: the usual fourteen.
    const CONTAINER: &str = "00000000a80425fb";
    /// All capabilities.
    const ALL: &str = "000001ffffffffff";
    let rss = process.rss / 1_024;
    let nested = process.inner != process.pid && sight.inside.is_none();
    let numbers = if nested {
        format!("{}\t{}", process.pid, process.inner)
    } else {
        number(sight, process).to_string()
    };
    let parent = if sight.inside.is_some() {
        process.inner_parent
    } else {
        process.parent
    };
    let capabilities = if process.container.is_some() {
        CONTAINER
    } else {
        ALL
    };
    let (seccomp, filters) = if process.container.is_some() {
        (2, 1)
    } else {
        (0, 0)
    };
    format!(
        "Name:\t{}\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t{}\nNgid:\t0\nPid:\t{1}\nPPid:\t{parent}\n\
         TracerPid:\t0\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nGid:\t{uid}\t{uid}\t{uid}\t{uid}\nFDSize:\t64\n\
         NStgid:\t{numbers}\nNSpid:\t{numbers}\nVmRSS:\t{rss:>8} kB\nThreads:\t{}\nCapInh:\t0000000000000000\n\
         CapPrm:\t{capabilities}\nCapEff:\t{capabilities}\nCapBnd:\t{capabilities}\nCapAmb:\t0000000000000000\n\
         NoNewPrivs:\t0\nSeccomp:\t{seccomp}\nSeccomp_filters:\t{filters}\n",
        process.name,
        number(sight, process),
        process.threads,
        uid = process.uid,
    )
}

/// `/proc/PID/cgroup`. Behind a namespace of groups the path is seen from the namespace's root.
fn cgroup(sight: &Sight<'_>, process: &Process) -> String {
    let path = sight.place.group_path(&process.group);
    match sight.version() {
        Version::V2 => {
            let Some(container) = sight.inside else {
                return format!("0::{path}\n");
            };
            let root = sight.place.group_path(&GroupKey::Container(container));
            match path.strip_prefix(&root) {
                Some("") => "0::/\n".to_owned(),
                Some(rest) => format!("0::{rest}\n"),
                None => format!("0::/../{}\n", path.rsplit('/').next().unwrap_or_default()),
            }
        }
        Version::V1 => {
            let count = CONTROLLERS_V1.len();
            let mut text: String = CONTROLLERS_V1
                .iter()
                .zip((1..=count).rev())
                .map(|(name, number)| {
                    let name = if *name == "systemd" {
                        "name=systemd"
                    } else {
                        name
                    };
                    format!("{number}:{name}:{path}\n")
                })
                .collect();
            text.push_str(&format!("0::{path}\n"));
            text
        }
    }
}

/// The kernel's points for a process, scaled as `/proc` shows them.
/// Source: Linux `fs/proc/base.c` (`proc_oom_score`), `mm/oom_kill.c` (`oom_badness`).
fn oom_score(sight: &Sight<'_>, process: &Process) -> i64 {
    if process.oom_score_adj == -1_000 {
        return 0;
    }
    let total = memory(sight).0 / 4_096;
    let pages = i64::try_from(process.rss / 4_096).unwrap_or(i64::MAX);
    let total = i64::try_from(total).unwrap_or(i64::MAX).max(1);
    let points = pages + i64::from(process.oom_score_adj) * total / 1_000;
    let scaled = (1_000 + points * 1_000 / total) * 2 / 3;
    scaled.max(0)
}

fn environment(sight: &Sight<'_>, process: &Process) -> String {
    let inside = process
        .container
        .map(|id| Sight::container(sight.place, id));
    if let Some(own) = inside.as_ref().and_then(super::provided::variables) {
        return own
            .iter()
            .map(|(name, value)| format!("{name}={value}\0"))
            .collect();
    }
    process
        .container
        .and_then(|container| sight.place.world.substrate.container(container))
        .map(|row| {
            row.spec
                .environment
                .iter()
                .map(|(name, value)| format!("{name}={value}\0"))
                .collect()
        })
        .unwrap_or_default()
}

/// Memory of the kernel that this process runs on, and what is used of it, in bytes.
pub fn memory(sight: &Sight<'_>) -> (u64, u64) {
    let machines = &sight.place.world.substrate;
    let machine = sight.place.machine;
    if let Some(container) = sight.inside.filter(|_| own_kernel(sight)) {
        // A guest has what its container may use, else the usual size of a guest.
        const GUEST_BYTES: u64 = 2 << 30;
        let limit = machines.container_limits(container).memory_max;
        let used = machines
            .container_memory(container, sight.place.now)
            .current();
        return (
            limit.unwrap_or(0).saturating_add(GUEST_BYTES),
            used + (96 << 20),
        );
    }
    let total = machines
        .machine(machine)
        .map_or(0, |row| row.capacity.memory.unsigned_abs());
    let used = sight
        .place
        .groups()
        .map_or(0, |root| root.facts.memory.working_set());
    (total, used.min(total))
}

/// CPUs of the kernel that this process runs on.
pub fn cpus(sight: &Sight<'_>) -> u64 {
    let machine = sight.place.world.substrate.machine(sight.place.machine);
    let all = machine.map_or(1, |row| {
        row.capacity.milli_cpu.unsigned_abs().div_ceil(1_000).max(1)
    });
    if let Some(container) = sight.inside.filter(|_| own_kernel(sight)) {
        let limits = sight.place.world.substrate.container_limits(container);
        return limits
            .quota_milli()
            .map_or(1, |milli| 1 + milli.div_ceil(1_000))
            .min(all);
    }
    all
}

fn meminfo(sight: &Sight<'_>) -> String {
    let (total, used) = memory(sight);
    let cache = sight.place.groups().map_or(0, |root| {
        root.facts.memory.inactive_file + root.facts.memory.active_file
    });
    let available = total.saturating_sub(used);
    let cache = cache.min(available);
    let free = available - cache;
    let swap = sight
        .place
        .world
        .substrate
        .machine(sight.place.machine)
        .map_or(0, |row| row.profile.swap_bytes);
    let rows = [
        ("MemTotal:", total),
        ("MemFree:", free),
        ("MemAvailable:", available),
        ("Buffers:", 0),
        ("Cached:", cache),
        ("SwapCached:", 0),
        ("Active:", used),
        ("Inactive:", cache),
        ("SwapTotal:", swap),
        ("SwapFree:", swap),
    ];
    rows.iter()
        .map(|(key, bytes)| format!("{key:<15} {:>8} kB\n", bytes / 1_024))
        .collect()
}

fn cpuinfo(sight: &Sight<'_>) -> String {
    let count = cpus(sight);
    (0..count)
        .map(|number| {
            format!(
                "processor\t: {number}\nvendor_id\t: GenuineIntel\nmodel name\t: simulated CPU\n\
                 cpu cores\t: {count}\n\n"
            )
        })
        .collect()
}

fn loadavg(sight: &Sight<'_>) -> String {
    let all = sight.place.processes();
    let tasks: u64 = all.iter().map(|process| process.threads).sum();
    let demand = sight
        .place
        .world
        .substrate
        .machine_demand_milli(sight.place.machine);
    let load = format!("{}.{:02}", demand / 1_000, demand % 1_000 / 10);
    let last = all.last().map_or(1, |process| process.pid);
    format!(
        "{load} {load} {load} {}/{tasks} {last}\n",
        demand.div_ceil(1_000)
    )
}

fn uptime(sight: &Sight<'_>) -> String {
    let span = sight
        .place
        .world
        .substrate
        .uptime(sight.place.machine, sight.place.now);
    let hundredths = span.as_micros() / 10_000;
    let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    format!("{text} {text}\n")
}

/// `/proc/sys`.
fn system(sight: &Sight<'_>, path: &str) -> Result<Node, Errno> {
    let text = match path {
        "kernel/hostname" => etc::hostname(sight),
        "kernel/osrelease" => kernel(sight).to_owned(),
        "kernel/ostype" => "Linux".to_owned(),
        "kernel/pid_max" => "4194304".to_owned(),
        "kernel/threads-max" => (memory(sight).0 / 131_072).to_string(),
        "net/ipv4/ip_forward" => "1".to_owned(),
        "net/ipv4/ip_unprivileged_port_start" if sight.inside.is_some() => "0".to_owned(),
        "net/ipv4/ip_unprivileged_port_start" => "1024".to_owned(),
        "net/bridge/bridge-nf-call-iptables" if sight.inside.is_none() => "1".to_owned(),
        "vm/overcommit_memory" => "1".to_owned(),
        "vm/swappiness" => "60".to_owned(),
        "vm/panic_on_oom" => "0".to_owned(),
        "kernel" => {
            return Ok(directory(&[
                "hostname",
                "osrelease",
                "ostype",
                "pid_max",
                "threads-max",
            ]));
        }
        "vm" => {
            return Ok(directory(&[
                "overcommit_memory",
                "panic_on_oom",
                "swappiness",
            ]));
        }
        _ => return Err(Errno::NotFound),
    };
    Ok(Node::File(format!("{text}\n")))
}
