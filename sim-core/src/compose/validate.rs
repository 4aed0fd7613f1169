//! What the daemon checks of a container's bounds before it makes or changes it.
//! Source: moby `daemon/daemon_unix.go` verifyPlatformContainerResources.

use crate::api::compose::container::{ContainerConfig, ContainerLimits};
use crate::api::compose::service::Restart;

use super::Refusal;

/// Smallest memory bound. Source: moby `daemon/daemon_unix.go` (linuxMinMemory).
const MEMORY_MIN: i64 = 6 << 20;

/// Checks a container's configuration on a machine with so many CPUs, in thousandths.
///
/// # Errors
/// The daemon's sentence.
pub fn config(config: &ContainerConfig, milli_cpu: i64) -> Result<(), Refusal> {
    if config.auto_remove && config.restart != Restart::No {
        return Err(Refusal::new(
            "can't create 'AutoRemove' container with restart policy",
        ));
    }
    limits(&config.limits, milli_cpu)
}

/// Checks bounds.
///
/// # Errors
/// The daemon's sentence.
pub fn limits(limits: &ContainerLimits, milli_cpu: i64) -> Result<(), Refusal> {
    let refuse = |message: &str| Err(Refusal::new(message));
    if limits.memory != 0 && limits.memory < MEMORY_MIN {
        return refuse("Minimum memory limit allowed is 6MB");
    }
    if limits.memory > 0 && limits.memory_swap > 0 && limits.memory_swap < limits.memory {
        return refuse("Minimum memoryswap limit should be larger than memory limit, see usage");
    }
    if limits.memory == 0 && limits.memory_swap > 0 {
        return refuse(
            "You should always set the Memory limit when using Memoryswap limit, see usage",
        );
    }
    if limits.memory_reservation > 0 && limits.memory_reservation < MEMORY_MIN {
        return refuse("Minimum memory reservation allowed is 6MB");
    }
    if limits.memory > 0
        && limits.memory_reservation > 0
        && limits.memory < limits.memory_reservation
    {
        return refuse(
            "Minimum memory limit can not be less than memory reservation limit, see usage",
        );
    }
    if limits.nano_cpus > 0 && limits.cpu_period > 0 {
        return refuse("Conflicting options: Nano CPUs and CPU Period cannot both be set.");
    }
    if limits.nano_cpus > 0 && limits.cpu_quota > 0 {
        return refuse("Conflicting options: Nano CPUs and CPU Quota cannot both be set.");
    }
    let most = milli_cpu.saturating_mul(1_000_000);
    if limits.nano_cpus < 0 || limits.nano_cpus > most {
        let count = milli_cpu / 1_000;
        return Err(Refusal::new(format!(
            "range of CPUs is from 0.01 to {count}.00, as there are only {count} CPUs available"
        )));
    }
    if limits.cpu_period != 0 && !(1_000..=1_000_000).contains(&limits.cpu_period) {
        return refuse(
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
        );
    }
    if limits.cpu_quota > 0 && limits.cpu_quota < 1_000 {
        return refuse("CPU cfs quota can not be less than 1ms (i.e. 1000)");
    }
    if limits.blkio_weight != 0 && !(10..=1_000).contains(&limits.blkio_weight) {
        return refuse("Range of blkio weight is from 10 to 1000");
    }
    Ok(())
}
