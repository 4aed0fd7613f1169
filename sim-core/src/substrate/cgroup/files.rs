//! Files of the unified hierarchy. Source: Linux `Documentation/admin-guide/cgroup-v2.rst`.

use std::fmt::Write;

use crate::base::arrange::Arrange;
use crate::substrate::errno::Errno;
use crate::substrate::pressure::{Line, Resource};

use super::convert::nice_of_weight;
use super::facts::{Facts, cpu_list};

/// Controllers of the machine's root group, in the kernel's order.
pub const CONTROLLERS: &str = "cpuset cpu io memory hugetlb pids rdma misc";

const COMMON: &[&str] = &[
    "cgroup.controllers",
    "cgroup.max.depth",
    "cgroup.max.descendants",
    "cgroup.pressure",
    "cgroup.procs",
    "cgroup.stat",
    "cgroup.subtree_control",
    "cgroup.threads",
    "cpu.pressure",
    "cpu.stat",
    "cpu.stat.local",
    "cpuset.cpus.effective",
    "cpuset.mems.effective",
    "io.pressure",
    "io.stat",
    "memory.numa_stat",
    "memory.pressure",
    "memory.reclaim",
    "memory.stat",
];

const ROOT_ONLY: &[&str] = &["cpuset.cpus.isolated", "misc.capacity", "misc.current"];

const BELOW: &[&str] = &[
    "cgroup.events",
    "cgroup.freeze",
    "cgroup.kill",
    "cgroup.type",
    "cpu.idle",
    "cpu.max",
    "cpu.max.burst",
    "cpu.uclamp.max",
    "cpu.uclamp.min",
    "cpu.weight",
    "cpu.weight.nice",
    "cpuset.cpus",
    "cpuset.cpus.exclusive",
    "cpuset.cpus.exclusive.effective",
    "cpuset.cpus.partition",
    "cpuset.mems",
    "io.max",
    "io.weight",
    "memory.current",
    "memory.events",
    "memory.events.local",
    "memory.high",
    "memory.low",
    "memory.max",
    "memory.min",
    "memory.oom.group",
    "memory.peak",
    "memory.swap.current",
    "memory.swap.events",
    "memory.swap.high",
    "memory.swap.max",
    "memory.swap.peak",
    "misc.current",
    "misc.events",
    "misc.max",
    "pids.current",
    "pids.events",
    "pids.max",
    "pids.peak",
];

/// Names of a group's files, sorted.
pub fn names(facts: &Facts) -> Vec<&'static str> {
    let more = if facts.root { ROOT_ONLY } else { BELOW };
    let mut names: Vec<&'static str> = COMMON.iter().chain(more).copied().collect();
    names.arrange();
    names
}

/// Text of a limit; `max` without one.
fn or_max(limit: Option<u64>) -> String {
    limit.map_or_else(|| "max\n".to_owned(), |limit| format!("{limit}\n"))
}

/// Text of a file.
///
/// # Errors
/// ENOENT for a name that no such group has, EINVAL for one that can only be written.
pub fn read(name: &str, facts: &Facts) -> Result<String, Errno> {
    if !names(facts).contains(&name) {
        return Err(Errno::NotFound);
    }
    match name
        .split_once('.')
        .map_or(name, |(controller, _)| controller)
    {
        "cgroup" => core(name, facts),
        "cpu" => Ok(cpu(name, facts)),
        "cpuset" => Ok(cpuset(name, facts)),
        "memory" => memory(name, facts),
        "io" => Ok(io(name, facts)),
        "pids" => Ok(pids(name, facts)),
        _ => Ok(String::new()),
    }
}

fn core(name: &str, facts: &Facts) -> Result<String, Errno> {
    let numbers = |numbers: &[u32]| numbers.iter().map(|one| format!("{one}\n")).collect();
    Ok(match name {
        "cgroup.controllers" => format!("{CONTROLLERS}\n"),
        "cgroup.subtree_control" if facts.descendants == 0 => "\n".to_owned(),
        "cgroup.subtree_control" => format!("{CONTROLLERS}\n"),
        "cgroup.procs" | "cgroup.threads" => numbers(&facts.processes),
        "cgroup.events" => format!(
            "populated {}\nfrozen {}\n",
            u8::from(facts.tasks > 0),
            u8::from(facts.limits.frozen)
        ),
        "cgroup.freeze" => format!("{}\n", u8::from(facts.limits.frozen)),
        "cgroup.kill" => return Err(Errno::Invalid),
        "cgroup.max.depth" | "cgroup.max.descendants" => "max\n".to_owned(),
        "cgroup.pressure" => "1\n".to_owned(),
        "cgroup.stat" => format!(
            "nr_descendants {}\nnr_subsys_cpuset {0}\nnr_subsys_cpu {0}\nnr_subsys_io {0}\n\
             nr_subsys_memory {0}\nnr_subsys_pids {0}\nnr_dying_descendants 0\n",
            facts.descendants
        ),
        "cgroup.type" => "domain\n".to_owned(),
        _ => String::new(),
    })
}

/// `some` and `full`, as the kernel prints them.
pub fn pressure(facts: &Facts, resource: Resource) -> String {
    let mut lines = facts.pressure[resource as usize];
    if facts.root && resource == Resource::Cpu {
        // Source: Linux `kernel/sched/psi.c` (`psi_show`): not defined for the whole system.
        lines.full = Line::default();
    }
    format!("some {}\nfull {}\n", lines.some.text(), lines.full.text())
}

fn cpu(name: &str, facts: &Facts) -> String {
    let limits = &facts.limits;
    match name {
        "cpu.max" => match limits.quota_us {
            Some(quota) => format!("{quota} {}\n", limits.period_us),
            None => format!("max {}\n", limits.period_us),
        },
        "cpu.max.burst" => format!("{}\n", limits.burst_us),
        "cpu.weight" if limits.idle => "0\n".to_owned(),
        "cpu.weight" => format!("{}\n", limits.weight),
        "cpu.weight.nice" => format!("{}\n", nice_of_weight(limits.weight)),
        "cpu.idle" => format!("{}\n", u8::from(limits.idle)),
        "cpu.stat" => {
            let times = &facts.cpu;
            let usage = times.usage_ns / 1_000;
            let system = times.system_ns / 1_000;
            let mut text = format!(
                "usage_usec {usage}\nuser_usec {}\nsystem_usec {system}\n",
                usage - system.min(usage)
            );
            if !facts.root {
                let _ = write!(
                    text,
                    "nr_periods {}\nnr_throttled {}\nthrottled_usec {}\nnr_bursts 0\nburst_usec 0\n",
                    times.periods,
                    times.throttled_periods,
                    times.throttled_ns / 1_000
                );
            }
            text
        }
        "cpu.stat.local" => format!("throttled_usec {}\n", facts.cpu.throttled_ns / 1_000),
        "cpu.uclamp.min" => "0.00\n".to_owned(),
        "cpu.uclamp.max" => "max\n".to_owned(),
        "cpu.pressure" => pressure(facts, Resource::Cpu),
        _ => String::new(),
    }
}

fn cpuset(name: &str, facts: &Facts) -> String {
    let limits = &facts.limits;
    let all = cpu_list(facts.cpus);
    match name {
        "cpuset.cpus" => format!("{}\n", limits.cpus),
        "cpuset.mems" => format!("{}\n", limits.mems),
        "cpuset.cpus.effective" if !limits.cpus.is_empty() => format!("{}\n", limits.cpus),
        "cpuset.cpus.effective" => format!("{all}\n"),
        "cpuset.mems.effective" => "0\n".to_owned(),
        "cpuset.cpus.partition" => "member\n".to_owned(),
        _ => "\n".to_owned(),
    }
}

fn memory(name: &str, facts: &Facts) -> Result<String, Errno> {
    let (limits, used) = (&facts.limits, &facts.memory);
    Ok(match name {
        "memory.current" => format!("{}\n", used.current()),
        "memory.peak" => format!("{}\n", used.peak.max(used.current())),
        "memory.max" => or_max(limits.memory_max),
        "memory.high" => or_max(limits.memory_high),
        "memory.low" => format!("{}\n", limits.memory_low.unwrap_or(0)),
        "memory.min" => format!("{}\n", limits.memory_min.unwrap_or(0)),
        "memory.swap.max" => or_max(limits.swap_max),
        "memory.swap.high" => "max\n".to_owned(),
        "memory.swap.current" | "memory.swap.peak" => "0\n".to_owned(),
        "memory.swap.events" => "high 0\nmax 0\nfail 0\n".to_owned(),
        "memory.oom.group" => format!("{}\n", u8::from(limits.oom_group)),
        "memory.events" | "memory.events.local" => format!(
            "low {}\nhigh {}\nmax {}\noom {}\noom_kill {}\noom_group_kill {}\n",
            used.low_events,
            used.high_events,
            used.max_events,
            used.oom_events,
            used.oom_kills,
            used.oom_group_kills
        ),
        "memory.stat" => stat(facts),
        "memory.numa_stat" => format!(
            "anon N0={}\nfile N0={}\nkernel_stack N0={}\n",
            used.anonymous,
            used.active_file + used.inactive_file,
            used.kernel / 4
        ),
        "memory.pressure" => pressure(facts, Resource::Memory),
        "memory.reclaim" => return Err(Errno::Invalid),
        _ => String::new(),
    })
}

fn stat(facts: &Facts) -> String {
    let used = &facts.memory;
    let file = used.active_file + used.inactive_file + used.shared;
    let rows: [(&str, u64); 27] = [
        ("anon", used.anonymous),
        ("file", file),
        ("kernel", used.kernel),
        ("kernel_stack", used.kernel / 4),
        ("pagetables", used.kernel / 4),
        ("sec_pagetables", 0),
        ("percpu", 0),
        ("sock", 0),
        ("vmalloc", 0),
        ("shmem", used.shared),
        ("zswap", 0),
        ("zswapped", 0),
        ("file_mapped", used.active_file),
        ("file_dirty", 0),
        ("file_writeback", 0),
        ("swapcached", 0),
        ("anon_thp", 0),
        ("file_thp", 0),
        ("shmem_thp", 0),
        ("inactive_anon", used.shared),
        ("active_anon", used.anonymous),
        ("inactive_file", used.inactive_file),
        ("active_file", used.active_file),
        ("unevictable", 0),
        ("slab_reclaimable", used.kernel / 4),
        ("slab_unreclaimable", used.kernel / 4),
        ("slab", used.kernel / 4 * 2),
    ];
    rows.iter()
        .map(|(key, value)| format!("{key} {value}\n"))
        .collect()
}

fn io(name: &str, facts: &Facts) -> String {
    match name {
        "io.weight" => format!("default {}\n", facts.limits.io_weight),
        "io.max" if facts.limits.io == [None; 4] => String::new(),
        "io.max" => {
            let names = ["rbps", "wbps", "riops", "wiops"];
            let parts = names.iter().zip(facts.limits.io).map(|(name, limit)| {
                limit.map_or_else(
                    || format!(" {name}=max"),
                    |limit| format!(" {name}={limit}"),
                )
            });
            format!("8:0{}\n", parts.collect::<String>())
        }
        "io.stat" => {
            let [read, written, reads, writes] = facts.io;
            if read + written == 0 {
                return String::new();
            }
            format!(
                "8:0 rbytes={read} wbytes={written} rios={reads} wios={writes} dbytes=0 dios=0\n"
            )
        }
        "io.pressure" => pressure(facts, Resource::Io),
        _ => String::new(),
    }
}

fn pids(name: &str, facts: &Facts) -> String {
    match name {
        "pids.max" => or_max(facts.limits.pids_max),
        "pids.current" => format!("{}\n", facts.tasks),
        "pids.peak" => format!("{}\n", facts.tasks_peak.max(facts.tasks)),
        "pids.events" => format!("max {}\n", facts.pids_events),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::{SimDuration, SimTime};
    use crate::substrate::pressure::Stall;

    /// All tasks of a system waiting for a CPU means nothing; of a group it does.
    #[test]
    fn the_root_has_no_full_pressure_of_cpus() {
        let mut stall = Stall::new(SimTime::ZERO);
        stall.set((1_000_000, 1_000_000), SimTime::ZERO, None);
        let lines = stall.read(SimTime::ZERO + SimDuration::from_secs(10));
        let group = Facts {
            pressure: [lines; 3],
            ..Facts::default()
        };
        let root = Facts {
            root: true,
            ..group.clone()
        };
        let full = |facts, resource| {
            let text = pressure(facts, resource);
            text.lines().nth(1).map(str::to_owned).unwrap_or_default()
        };
        let waits = "full avg10=63.18 avg60=15.32 avg300=3.37 total=10000000";
        assert_eq!(full(&group, Resource::Cpu), waits);
        assert_eq!(full(&root, Resource::Memory), waits);
        assert_eq!(
            full(&root, Resource::Cpu),
            "full avg10=0.00 avg60=0.00 avg300=0.00 total=0"
        );
    }
}
