//! The numbers that the kernel keeps of a group's limits, from whatever side they came.

use std::sync::Arc;

use super::convert;
use super::place::{Driver, Version};
use super::settings::{CPU_PERIOD_US, GroupSettings};

/// Size of a page, in bytes.
pub const PAGE: u64 = 4_096;

/// `cpu.weight`'s way from shares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WeightBy {
    /// The agent's own linear one.
    Linear,
    /// The runtime's.
    #[default]
    Runtime,
}

/// Limits and weights as the kernel has them. None: no limit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// `cpu.weight`.
    pub weight: u64,
    /// `cpu.shares`.
    pub shares: u64,
    /// Quota in microseconds.
    pub quota_us: Option<u64>,
    /// Its period in microseconds.
    pub period_us: u64,
    /// `cpu.max.burst`, in microseconds.
    pub burst_us: u64,
    /// Whether the group gets only what nobody else wants (`cpu.idle`).
    pub idle: bool,
    /// `memory.max`, `memory.limit_in_bytes`.
    pub memory_max: Option<u64>,
    /// `memory.high`.
    pub memory_high: Option<u64>,
    /// `memory.low`, `memory.soft_limit_in_bytes`; none on the first version: no soft limit.
    pub memory_low: Option<u64>,
    /// `memory.min`.
    pub memory_min: Option<u64>,
    /// `memory.swap.max`; on the first version memory and swap together.
    pub swap_max: Option<u64>,
    /// `memory.oom.group`.
    pub oom_group: bool,
    /// `pids.max`.
    pub pids_max: Option<u64>,
    /// `cpuset.cpus`; empty: those of the group above.
    pub cpus: Arc<str>,
    /// `cpuset.mems`; empty: those of the group above.
    pub mems: Arc<str>,
    /// `io.weight`; on the first version `blkio.weight`.
    pub io_weight: u64,
    /// `io.max` of the machine's disk: bytes read and written, requests read and written, each per
    /// second.
    pub io: [Option<u64>; 4],
    /// Whether it is frozen.
    pub frozen: bool,
}

/// `memory.high` and `memory.max` alone, in bytes: what is asked for again and again. None: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryBounds {
    /// Above it processes are slowed down and pages reclaimed.
    pub high: Option<u64>,
    /// Above it something is killed.
    pub max: Option<u64>,
}

impl MemoryBounds {
    /// What a driver makes of settings.
    pub fn of(settings: &GroupSettings) -> Self {
        Self {
            high: bytes(settings.memory_high),
            max: bytes(settings.memory_limit),
        }
    }

    /// The tighter of two groups, one inside the other.
    pub fn within(self, above: Self) -> Self {
        let least = |own: Option<u64>, above: Option<u64>| match (own, above) {
            (Some(own), Some(above)) => Some(own.min(above)),
            (own, above) => own.or(above),
        };
        Self {
            high: least(self.high, above.high),
            max: least(self.max, above.max),
        }
    }
}

impl From<&Limits> for MemoryBounds {
    fn from(limits: &Limits) -> Self {
        Self {
            high: limits.memory_high,
            max: limits.memory_max,
        }
    }
}

impl Default for Limits {
    /// Those of a new group.
    fn default() -> Self {
        Self {
            weight: convert::WEIGHT_DEFAULT,
            shares: 1_024,
            quota_us: None,
            period_us: CPU_PERIOD_US,
            burst_us: 0,
            idle: false,
            memory_max: None,
            memory_high: None,
            memory_low: None,
            memory_min: None,
            swap_max: None,
            oom_group: false,
            pids_max: None,
            cpus: "".into(),
            mems: "".into(),
            io_weight: 100,
            io: [None; 4],
            frozen: false,
        }
    }
}

impl Limits {
    /// What a driver makes of settings. What the runtime would refuse is checked where containers
    /// are made; here it is left out.
    pub fn of(
        settings: &GroupSettings,
        version: Version,
        driver: Driver,
        weight_by: WeightBy,
    ) -> Self {
        let mut limits = Self::default();
        if let Some(shares) = settings.cpu_shares.filter(|shares| *shares > 0) {
            limits.shares = shares.clamp(convert::SHARES_MIN, convert::SHARES_MAX);
            limits.weight = match weight_by {
                WeightBy::Linear => convert::weight_linear(shares),
                WeightBy::Runtime => convert::weight_of_shares(shares),
            };
        }
        (limits.quota_us, limits.period_us) = Self::quota(settings, driver);
        let memory = MemoryBounds::of(settings);
        (limits.memory_high, limits.memory_max) = (memory.high, memory.max);
        limits.memory_low = bytes(settings.memory_reservation);
        limits.memory_min = bytes(settings.memory_min);
        limits.oom_group = settings.oom_group;
        if let Some(swap) = settings.memory_swap {
            limits.swap_max = match version {
                Version::V1 => bytes(Some(swap)),
                Version::V2 => match convert::swap_only(swap, settings.memory_limit.unwrap_or(0)) {
                    Ok(Some(only)) => u64::try_from(only).ok().map(whole_pages),
                    Ok(None) | Err(_) => None,
                },
            };
        }
        if settings.no_swap && version == Version::V2 {
            limits.swap_max = Some(0);
        }
        limits.pids_max = Self::pids(settings);
        limits.cpus = settings.cpuset_cpus.clone().unwrap_or_default();
        limits.mems = settings.cpuset_mems.clone().unwrap_or_default();
        if let Some(weight) = settings.blkio_weight.filter(|weight| *weight > 0) {
            limits.io_weight = match version {
                Version::V1 => u64::from(weight),
                Version::V2 => convert::io_weight(weight),
            };
        } else if version == Version::V1 {
            limits.io_weight = 500;
        }
        limits
    }

    /// `pids.max` alone; none: no limit.
    pub fn pids(settings: &GroupSettings) -> Option<u64> {
        settings.pids_limit.and_then(|limit| match limit {
            0 => Some(1),
            limit => u64::try_from(limit).ok(),
        })
    }

    /// Quota (none: none) and period alone, in microseconds: what is asked for again and again.
    pub fn quota(settings: &GroupSettings, driver: Driver) -> (Option<u64>, u64) {
        let period = settings
            .cpu_period_us
            .filter(|period| *period > 0)
            .unwrap_or(CPU_PERIOD_US);
        let quota = settings.cpu_quota_us.map(|quota| match driver {
            Driver::Systemd => convert::systemd_quota(quota, period),
            Driver::Cgroupfs => quota,
        });
        let quota = quota.and_then(|quota| u64::try_from(quota).ok());
        (quota.filter(|quota| *quota > 0), period)
    }

    /// Thousandths of a CPU that the quota allows; none: no quota.
    pub fn quota_milli(&self) -> Option<u64> {
        Some(self.quota_us?.saturating_mul(1_000) / self.period_us.max(1))
    }
}

/// A limit in bytes as a page counter keeps it; 0 and less: none.
fn bytes(amount: Option<i64>) -> Option<u64> {
    let amount = u64::try_from(amount?).ok()?;
    (amount > 0).then(|| whole_pages(amount))
}

/// Bytes in whole pages, rounded down.
pub const fn whole_pages(bytes: u64) -> u64 {
    bytes / PAGE * PAGE
}
