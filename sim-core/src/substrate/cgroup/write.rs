//! Writing to a group's file, as root on the machine could.

use crate::substrate::errno::Errno;

use super::convert::{SHARES_MAX, SHARES_MIN, WEIGHT_MAX};
use super::limits::{Limits, whole_pages};
use super::place::Version;

/// Largest period, in microseconds. Source: Linux `kernel/sched/core.c`.
const PERIOD_MAX_US: u64 = 1_000_000;
/// Smallest period and smallest quota, in microseconds.
const TIME_MIN_US: u64 = 1_000;

/// Changes limits as a write to a file does. `cpus`: how many the machine has.
///
/// # Errors
/// What the kernel answers: EINVAL for what is no value of the file, ERANGE for one out of its
/// range, EACCES for a file that can only be read.
pub fn write(
    limits: &mut Limits,
    version: Version,
    name: &str,
    text: &str,
    cpus: u64,
) -> Result<(), Errno> {
    let text = text.trim();
    match (version, name) {
        (Version::V2, "cpu.max") => cpu_max(limits, text),
        (Version::V2, "cpu.weight") => {
            limits.weight = within(number(text)?, 1, WEIGHT_MAX)?;
            limits.shares = (limits.weight * 1_024 / 100).clamp(SHARES_MIN, SHARES_MAX);
            Ok(())
        }
        (Version::V1, "cpu.shares") => {
            limits.shares = number(text)?.clamp(SHARES_MIN, SHARES_MAX);
            limits.weight = (limits.shares * 100 / 1_024).clamp(1, WEIGHT_MAX);
            Ok(())
        }
        (Version::V1, "cpu.cfs_quota_us") => {
            let quota: i64 = text.parse().map_err(|_| Errno::Invalid)?;
            limits.quota_us = match u64::try_from(quota) {
                Err(_) => None,
                Ok(quota) if quota < TIME_MIN_US => return Err(Errno::Invalid),
                Ok(quota) => Some(quota),
            };
            Ok(())
        }
        (Version::V1, "cpu.cfs_period_us") => {
            limits.period_us = period(number(text)?)?;
            Ok(())
        }
        (Version::V2, "cpu.max.burst") | (Version::V1, "cpu.cfs_burst_us") => {
            let burst = number(text)?;
            if limits.quota_us.is_none_or(|quota| burst > quota) && burst > 0 {
                return Err(Errno::Invalid);
            }
            limits.burst_us = burst;
            Ok(())
        }
        (_, "cpu.idle") => {
            limits.idle = flag(text)?;
            Ok(())
        }
        (Version::V2, "memory.max") => memory(&mut limits.memory_max, text),
        (Version::V2, "memory.high") => memory(&mut limits.memory_high, text),
        (Version::V2, "memory.low") => memory(&mut limits.memory_low, text),
        (Version::V2, "memory.min") => memory(&mut limits.memory_min, text),
        (Version::V2, "memory.swap.max") => memory(&mut limits.swap_max, text),
        (Version::V2, "memory.oom.group") => {
            limits.oom_group = flag(text)?;
            Ok(())
        }
        (Version::V1, "memory.limit_in_bytes") => {
            let mut wanted = None;
            legacy_memory(&mut wanted, text)?;
            // Memory alone may not be allowed more than memory and swap together.
            if limits
                .swap_max
                .is_some_and(|both| wanted.is_none_or(|wanted| wanted > both))
            {
                return Err(Errno::Invalid);
            }
            limits.memory_max = wanted;
            Ok(())
        }
        (Version::V1, "memory.memsw.limit_in_bytes") => {
            let mut wanted = None;
            legacy_memory(&mut wanted, text)?;
            if wanted.is_some_and(|both| limits.memory_max.is_none_or(|memory| memory > both)) {
                return Err(Errno::Invalid);
            }
            limits.swap_max = wanted;
            Ok(())
        }
        (Version::V1, "memory.soft_limit_in_bytes") => legacy_memory(&mut limits.memory_low, text),
        (_, "pids.max") => {
            limits.pids_max = match text {
                "max" => None,
                text => Some(within(number(text)?, 0, 4_194_304).map_err(|_| Errno::Invalid)?),
            };
            Ok(())
        }
        (_, "cpuset.cpus") => {
            if !cpu_set(text, cpus) {
                return Err(if version == Version::V1 && text.is_empty() {
                    Errno::NoSpace
                } else {
                    Errno::Invalid
                });
            }
            limits.cpus = text.into();
            Ok(())
        }
        (_, "cpuset.mems") => {
            if !matches!(text, "" | "0") {
                return Err(Errno::Invalid);
            }
            limits.mems = text.into();
            Ok(())
        }
        (Version::V2, "io.weight") => {
            let text = text.strip_prefix("default ").unwrap_or(text);
            limits.io_weight = within(number(text)?, 1, WEIGHT_MAX)?;
            Ok(())
        }
        (Version::V2, "io.max") => io_max(limits, text),
        (Version::V1, "blkio.weight") => {
            limits.io_weight = within(number(text)?, 10, 1_000).map_err(|_| Errno::Invalid)?;
            Ok(())
        }
        (Version::V2, "cgroup.freeze") => {
            limits.frozen = flag(text)?;
            Ok(())
        }
        (Version::V1, "freezer.state") => {
            limits.frozen = match text {
                "FROZEN" => true,
                "THAWED" => false,
                _ => return Err(Errno::Invalid),
            };
            Ok(())
        }
        _ => Err(Errno::Permission),
    }
}

/// `cpu.max` takes a quota, or a quota and a period; a quota alone keeps the period.
fn cpu_max(limits: &mut Limits, text: &str) -> Result<(), Errno> {
    let mut words = text.split_whitespace();
    let quota = match words.next().ok_or(Errno::Invalid)? {
        "max" => None,
        word => Some(number(word)?),
    };
    let period_us = match words.next() {
        Some(word) => period(number(word)?)?,
        None => limits.period_us,
    };
    if words.next().is_some() || quota.is_some_and(|quota| quota < TIME_MIN_US) {
        return Err(Errno::Invalid);
    }
    limits.quota_us = quota;
    limits.period_us = period_us;
    Ok(())
}

/// `io.max` takes the numbers of a device and any of four limits. Source: Linux
/// `block/blk-throttle.c` (`tg_set_limit`).
fn io_max(limits: &mut Limits, text: &str) -> Result<(), Errno> {
    let mut words = text.split_whitespace();
    let device = words.next().ok_or(Errno::Invalid)?;
    if !device.contains(':') {
        return Err(Errno::Invalid);
    }
    if device != "8:0" {
        return Err(Errno::NoDevice);
    }
    let mut io = limits.io;
    for word in words {
        let (name, value) = word.split_once('=').ok_or(Errno::Invalid)?;
        let names = ["rbps", "wbps", "riops", "wiops"];
        let place = names.iter().position(|known| *known == name);
        io[place.ok_or(Errno::Invalid)?] = match value {
            "max" => None,
            value => Some(
                number(value)
                    .ok()
                    .filter(|value| *value > 0)
                    .ok_or(Errno::Range)?,
            ),
        };
    }
    limits.io = io;
    Ok(())
}

fn period(value: u64) -> Result<u64, Errno> {
    within(value, TIME_MIN_US, PERIOD_MAX_US).map_err(|_| Errno::Invalid)
}

fn number(text: &str) -> Result<u64, Errno> {
    text.parse().map_err(|_| Errno::Invalid)
}

fn flag(text: &str) -> Result<bool, Errno> {
    match number(text)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Errno::Range),
    }
}

fn within(value: u64, least: u64, most: u64) -> Result<u64, Errno> {
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(Errno::Range)
    }
}

/// Bytes with the suffixes that the kernel's `memparse` knows, in whole pages.
///
/// # Errors
/// EINVAL.
pub fn bytes(text: &str) -> Result<u64, Errno> {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 10),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 20),
        Some(b'g' | b'G') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    number(digits)?
        .checked_mul(1 << shift)
        .map(whole_pages)
        .ok_or(Errno::Invalid)
}

fn memory(limit: &mut Option<u64>, text: &str) -> Result<(), Errno> {
    *limit = match text {
        "max" => None,
        text => Some(bytes(text)?),
    };
    Ok(())
}

fn legacy_memory(limit: &mut Option<u64>, text: &str) -> Result<(), Errno> {
    *limit = match text {
        "-1" => None,
        text => Some(bytes(text)?),
    };
    Ok(())
}

/// Whether a list of CPUs and ranges names only those that there are.
fn cpu_set(text: &str, cpus: u64) -> bool {
    text.is_empty()
        || text.split(',').all(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            match (first.parse::<u64>(), last.parse::<u64>()) {
                (Ok(first), Ok(last)) => first <= last && last < cpus,
                _ => false,
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_are_taken_and_refused_as_the_kernel_does() {
        let mut limits = Limits::default();
        let mut put = |name, text| write(&mut limits, Version::V2, name, text, 4);
        assert_eq!(put("cpu.max", "50000"), Ok(()));
        assert_eq!(put("cpu.max", "max 200000\n"), Ok(()));
        assert_eq!(put("cpu.max", "500 100000"), Err(Errno::Invalid));
        assert_eq!(put("cpu.max", "50000 2000000"), Err(Errno::Invalid));
        assert_eq!(put("cpu.weight", "0"), Err(Errno::Range));
        assert_eq!(put("memory.max", "1G"), Ok(()));
        assert_eq!(put("memory.max", "lots"), Err(Errno::Invalid));
        assert_eq!(put("cpuset.cpus", "0-1,3"), Ok(()));
        assert_eq!(put("cpuset.cpus", "4"), Err(Errno::Invalid));
        assert_eq!(put("memory.current", "1"), Err(Errno::Permission));
        assert_eq!(limits.memory_max, Some(1 << 30));
        assert_eq!((limits.quota_us, limits.period_us), (None, 200_000));
    }
}
