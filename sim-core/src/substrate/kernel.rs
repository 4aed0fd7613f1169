//! The kernel of a machine: how it shares the CPU among control groups.
//!
//! ```text
//! cpus       task by task on a few CPUs: ticks, slices, throttling     the microscope
//!  └─ bandwidth   quota and period of one group
//! ```
//!
//! Stands alone: numbers of groups and CPUs, nothing of containers. [`cpus::Cpus`] follows single
//! tasks at the kernel's own grain and is what measurements of a real kernel are held against.
//!
//! Not modelled: real-time and deadline classes, autogroups, migration between CPUs while a group
//! runs (its tasks stay where they were put), task-based throttling's last stretch in kernel mode,
//! interrupt and steal time, SMT and frequency scaling, idle states.

pub mod bandwidth;
pub mod busy;
pub mod cpus;
