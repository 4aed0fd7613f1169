//! Files of the first version, one hierarchy for each controller.
//! Source: Linux `Documentation/admin-guide/cgroup-v1`.

use crate::base::arrange::Arrange;
use crate::substrate::errno::Errno;

use super::facts::{Facts, cpu_list};

/// What a page counter of the first version shows without a limit: the largest number of pages.
/// Source: Linux `mm/memcontrol-v1.c`.
pub const NO_LIMIT: u64 = 9_223_372_036_854_771_712;

const COMMON: &[&str] = &[
    "cgroup.clone_children",
    "cgroup.procs",
    "notify_on_release",
    "tasks",
];
const ROOT: &[&str] = &["cgroup.sane_behavior", "release_agent"];
const CPU: &[&str] = &[
    "cpu.cfs_burst_us",
    "cpu.cfs_period_us",
    "cpu.cfs_quota_us",
    "cpu.idle",
    "cpu.shares",
    "cpu.stat",
    "cpuacct.stat",
    "cpuacct.usage",
    "cpuacct.usage_percpu",
];
const CPUSET: &[&str] = &[
    "cpuset.cpu_exclusive",
    "cpuset.cpus",
    "cpuset.effective_cpus",
    "cpuset.effective_mems",
    "cpuset.mem_exclusive",
    "cpuset.mems",
    "cpuset.sched_load_balance",
];
const MEMORY: &[&str] = &[
    "memory.failcnt",
    "memory.kmem.usage_in_bytes",
    "memory.limit_in_bytes",
    "memory.max_usage_in_bytes",
    "memory.memsw.failcnt",
    "memory.memsw.limit_in_bytes",
    "memory.memsw.max_usage_in_bytes",
    "memory.memsw.usage_in_bytes",
    "memory.move_charge_at_immigrate",
    "memory.oom_control",
    "memory.pressure_level",
    "memory.soft_limit_in_bytes",
    "memory.stat",
    "memory.swappiness",
    "memory.usage_in_bytes",
    "memory.use_hierarchy",
];
const PIDS: &[&str] = &["pids.current", "pids.events", "pids.max"];
const BLKIO: &[&str] = &[
    "blkio.bfq.weight",
    "blkio.reset_stats",
    "blkio.throttle.io_service_bytes",
    "blkio.throttle.io_serviced",
    "blkio.throttle.read_bps_device",
    "blkio.throttle.read_iops_device",
    "blkio.throttle.write_bps_device",
    "blkio.throttle.write_iops_device",
    "blkio.weight",
];
const FREEZER: &[&str] = &[
    "freezer.parent_freezing",
    "freezer.self_freezing",
    "freezer.state",
];
const DEVICES: &[&str] = &["devices.allow", "devices.deny", "devices.list"];
const NET: &[&str] = &["net_cls.classid", "net_prio.ifpriomap", "net_prio.prioidx"];

/// Names of a group's files in a controller's directory, sorted.
pub fn names(controller: &str, facts: &Facts) -> Vec<&'static str> {
    let own: &[&str] = match controller {
        "cpu,cpuacct" => CPU,
        "cpuset" => CPUSET,
        "memory" => MEMORY,
        "pids" => PIDS,
        "blkio" => BLKIO,
        "freezer" => FREEZER,
        "devices" => DEVICES,
        "net_cls,net_prio" => NET,
        _ => &[],
    };
    let root = if facts.root { ROOT } else { &[] };
    // The root of these has no limit of its own.
    let hidden = |name: &&str| {
        facts.root
            && matches!(
                *name,
                "pids.current" | "pids.events" | "pids.max" | "freezer.state"
            )
    };
    let mut names: Vec<&'static str> = COMMON
        .iter()
        .chain(root)
        .chain(own)
        .filter(|name| !hidden(name))
        .copied()
        .collect();
    names.arrange();
    names
}

/// Text of a file.
///
/// # Errors
/// ENOENT for a name that no such group has, EINVAL for one that can only be written.
pub fn read(controller: &str, name: &str, facts: &Facts) -> Result<String, Errno> {
    if !names(controller, facts).contains(&name) {
        return Err(Errno::NotFound);
    }
    match name {
        "cgroup.procs" | "tasks" => Ok(facts
            .processes
            .iter()
            .map(|process| format!("{process}\n"))
            .collect()),
        "cgroup.clone_children" | "notify_on_release" | "cgroup.sane_behavior" => {
            Ok("0\n".to_owned())
        }
        _ => match controller {
            "cpu,cpuacct" => Ok(cpu(name, facts)),
            "cpuset" => Ok(cpuset(name, facts)),
            "memory" => memory(name, facts),
            "pids" => Ok(pids(name, facts)),
            "blkio" => Ok(blkio(name, facts)),
            "freezer" => Ok(match name {
                "freezer.state" if facts.limits.frozen => "FROZEN\n".to_owned(),
                "freezer.state" => "THAWED\n".to_owned(),
                _ => "0\n".to_owned(),
            }),
            "devices" if name == "devices.list" => Ok("a *:* rwm\n".to_owned()),
            "devices" => Err(Errno::Invalid),
            "net_cls,net_prio" => Ok(match name {
                "net_prio.ifpriomap" => "lo 0\neth0 0\n".to_owned(),
                _ => "0\n".to_owned(),
            }),
            _ => Ok(String::new()),
        },
    }
}

fn cpu(name: &str, facts: &Facts) -> String {
    let (limits, times) = (&facts.limits, &facts.cpu);
    /// Nanoseconds of a clock tick of user space, of which there are 100 a second.
    const TICK_NS: u64 = 10_000_000;
    match name {
        "cpu.shares" => format!("{}\n", limits.shares),
        "cpu.cfs_quota_us" => limits
            .quota_us
            .map_or_else(|| "-1\n".to_owned(), |quota| format!("{quota}\n")),
        "cpu.cfs_period_us" => format!("{}\n", limits.period_us),
        "cpu.cfs_burst_us" => format!("{}\n", limits.burst_us),
        "cpu.idle" => format!("{}\n", u8::from(limits.idle)),
        "cpu.stat" => format!(
            "nr_periods {}\nnr_throttled {}\nthrottled_time {}\nnr_bursts 0\nburst_time 0\n",
            times.periods, times.throttled_periods, times.throttled_ns
        ),
        "cpuacct.usage" => format!("{}\n", times.usage_ns),
        "cpuacct.usage_percpu" => {
            let each = times.usage_ns / facts.cpus.max(1);
            let texts: Vec<String> = (0..facts.cpus.max(1)).map(|_| each.to_string()).collect();
            format!("{}\n", texts.join(" "))
        }
        "cpuacct.stat" => format!(
            "user {}\nsystem {}\n",
            times.usage_ns.saturating_sub(times.system_ns) / TICK_NS,
            times.system_ns / TICK_NS
        ),
        _ => String::new(),
    }
}

fn cpuset(name: &str, facts: &Facts) -> String {
    let limits = &facts.limits;
    match name {
        // A new group of the first version has none until it is told; runtimes copy the parent's.
        "cpuset.cpus" | "cpuset.effective_cpus" if limits.cpus.is_empty() => {
            format!("{}\n", cpu_list(facts.cpus))
        }
        "cpuset.cpus" | "cpuset.effective_cpus" => format!("{}\n", limits.cpus),
        "cpuset.mems" | "cpuset.effective_mems" if limits.mems.is_empty() => "0\n".to_owned(),
        "cpuset.mems" | "cpuset.effective_mems" => format!("{}\n", limits.mems),
        "cpuset.sched_load_balance" => "1\n".to_owned(),
        _ => "0\n".to_owned(),
    }
}

fn memory(name: &str, facts: &Facts) -> Result<String, Errno> {
    let (limits, used) = (&facts.limits, &facts.memory);
    let limit = |limit: Option<u64>| format!("{}\n", limit.unwrap_or(NO_LIMIT));
    Ok(match name {
        "memory.limit_in_bytes" => limit(limits.memory_max),
        "memory.memsw.limit_in_bytes" => limit(limits.swap_max),
        "memory.soft_limit_in_bytes" => limit(limits.memory_low),
        "memory.usage_in_bytes" | "memory.memsw.usage_in_bytes" => {
            format!("{}\n", used.current())
        }
        "memory.max_usage_in_bytes" | "memory.memsw.max_usage_in_bytes" => {
            format!("{}\n", used.peak.max(used.current()))
        }
        "memory.kmem.usage_in_bytes" => format!("{}\n", used.kernel),
        "memory.failcnt" => format!("{}\n", used.max_events),
        "memory.memsw.failcnt" | "memory.move_charge_at_immigrate" => "0\n".to_owned(),
        "memory.oom_control" => format!(
            "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n",
            used.oom_kills
        ),
        "memory.swappiness" => "60\n".to_owned(),
        "memory.use_hierarchy" => "1\n".to_owned(),
        "memory.pressure_level" => return Err(Errno::Invalid),
        "memory.stat" => {
            let file = used.active_file + used.inactive_file + used.shared;
            format!(
                "cache {file}\nrss {}\nrss_huge 0\nshmem 0\nmapped_file {}\ndirty 0\nwriteback 0\n\
                 swap 0\ninactive_anon 0\nactive_anon {}\ninactive_file {}\nactive_file {}\n\
                 unevictable 0\nhierarchical_memory_limit {}\nhierarchical_memsw_limit {}\n\
                 total_cache {file}\ntotal_rss {}\ntotal_inactive_file {}\ntotal_active_file {}\n",
                used.anonymous,
                used.active_file,
                used.anonymous,
                used.inactive_file,
                used.active_file,
                limits.memory_max.unwrap_or(NO_LIMIT),
                limits.swap_max.unwrap_or(NO_LIMIT),
                used.anonymous,
                used.inactive_file,
                used.active_file
            )
        }
        _ => String::new(),
    })
}

fn pids(name: &str, facts: &Facts) -> String {
    match name {
        "pids.max" => facts
            .limits
            .pids_max
            .map_or_else(|| "max\n".to_owned(), |limit| format!("{limit}\n")),
        "pids.current" => format!("{}\n", facts.tasks),
        _ => format!("max {}\n", facts.pids_events),
    }
}

fn blkio(name: &str, facts: &Facts) -> String {
    let [read, written, reads, writes] = facts.io;
    let table = |read: u64, written: u64| {
        if read + written == 0 {
            return "Total 0\n".to_owned();
        }
        let total = read + written;
        format!(
            "8:0 Read {read}\n8:0 Write {written}\n8:0 Sync {total}\n8:0 Async 0\n8:0 Discard 0\n\
             8:0 Total {total}\nTotal {total}\n"
        )
    };
    match name {
        "blkio.weight" => format!("{}\n", facts.limits.io_weight),
        "blkio.bfq.weight" => format!("{}\n", facts.limits.io_weight),
        "blkio.throttle.io_service_bytes" => table(read, written),
        "blkio.throttle.io_serviced" => table(reads, writes),
        _ => String::new(),
    }
}
