//! Driver profiles: what is under a machine's containers and can be replaced.
//!
//! Everything that differs between runtimes is a field here, so that a new one is a row and not a
//! branch. Figures that no project promises are our own orders of magnitude and say so.

pub mod network;
pub mod storage;

use crate::base::time::SimDuration;

use super::cgroup::place::{Driver, Version};
use network::NetworkKind;

/// Engine that agents speak to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Engine {
    /// containerd.
    #[default]
    Containerd,
    /// CRI-O.
    Crio,
}

impl Engine {
    /// Name in scopes of a container that an agent of an orchestrator made.
    pub const fn scope_prefix(self) -> &'static str {
        match self {
            Self::Containerd => "cri-containerd",
            Self::Crio => "crio",
        }
    }

    /// Scheme of identifiers and its version as agents report it.
    pub const fn version(self) -> &'static str {
        match self {
            Self::Containerd => "containerd://2.2.1",
            Self::Crio => "cri-o://1.36.0",
        }
    }
}

/// What runs a container's processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Isolation {
    /// The machine's own kernel.
    #[default]
    Shared,
    /// A kernel in user space that takes system calls.
    UserKernel,
    /// A virtual machine for each sandbox, with a kernel of its own.
    VirtualMachine,
}

/// A runtime that a handler's name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Runtime {
    /// Handler's name.
    pub name: &'static str,
    /// The program that is run.
    pub binary: &'static str,
    /// What runs the processes.
    pub isolation: Isolation,
    /// Time that a sandbox takes more than with the default runtime.
    pub sandbox_extra: SimDuration,
    /// Time that a container takes more.
    pub container_extra: SimDuration,
    /// CPU time that a request takes, in hundredths of what it takes on the machine's own kernel.
    pub request_percent: u64,
    /// Release of the kernel inside; empty: the machine's.
    pub kernel: &'static str,
}

/// Release of a machine's kernel.
pub const KERNEL: &str = "6.12.57+deb13-amd64";

/// A machine's operating system.
pub const SYSTEM: &str = "Debian GNU/Linux 13 (trixie)";

/// Runtimes that machines have. Times: a virtual machine's boot is Firecracker's promise of 125 ms
/// plus its guest's and its agent's start; gVisor's sandbox adds a process start. CPU: Firecracker
/// promises more than 95 % of the machine's own speed; what system calls cost under gVisor depends on
/// the program, and half as much again is our own figure.
pub static RUNTIMES: [Runtime; 4] = [
    Runtime {
        name: "runc",
        binary: "runc",
        isolation: Isolation::Shared,
        sandbox_extra: SimDuration::ZERO,
        container_extra: SimDuration::ZERO,
        request_percent: 100,
        kernel: "",
    },
    Runtime {
        name: "crun",
        binary: "crun",
        isolation: Isolation::Shared,
        sandbox_extra: SimDuration::ZERO,
        container_extra: SimDuration::ZERO,
        request_percent: 100,
        kernel: "",
    },
    Runtime {
        name: "runsc",
        binary: "runsc",
        isolation: Isolation::UserKernel,
        sandbox_extra: SimDuration::from_millis(150),
        container_extra: SimDuration::from_millis(50),
        request_percent: 150,
        kernel: "4.4.0",
    },
    Runtime {
        name: "kata",
        binary: "kata-runtime",
        isolation: Isolation::VirtualMachine,
        sandbox_extra: SimDuration::from_millis(800),
        container_extra: SimDuration::from_millis(100),
        request_percent: 105,
        kernel: "6.12.47",
    },
];

/// What stands under a machine's containers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Profile {
    /// Version of control groups.
    pub cgroups: Version,
    /// Who makes groups; none: as distributions of that version do.
    pub driver: Option<Driver>,
    /// Engine.
    pub engine: Engine,
    /// Swap in bytes.
    pub swap_bytes: u64,
    /// Size of the disk in bytes; 0: nothing is said.
    pub disk_bytes: u64,
    /// Runtime of sandboxes that name no handler; none: the engine's own default.
    pub default_runtime: Option<&'static str>,
    /// How sandboxes on different machines are joined; none: as the orchestrator's default.
    pub network: Option<NetworkKind>,
}

impl Profile {
    /// Who makes groups: systemd with the second version, the runtime itself with the first.
    pub fn driver(&self) -> Driver {
        self.driver.unwrap_or(match self.cgroups {
            Version::V1 => Driver::Cgroupfs,
            Version::V2 => Driver::Systemd,
        })
    }

    /// The runtime of a handler; the empty name is the engine's default. None: no such handler.
    pub fn runtime(&self, handler: &str) -> Option<&'static Runtime> {
        let handler = match (handler, self.default_runtime) {
            ("", Some(name)) => name,
            (handler, _) => handler,
        };
        let name = match (handler, self.engine) {
            ("", Engine::Containerd) => "runc",
            ("", Engine::Crio) => "crun",
            ("gvisor", _) => "runsc",
            (name, _) if name.starts_with("kata") => "kata",
            (name, _) => name,
        };
        RUNTIMES.iter().find(|runtime| runtime.name == name)
    }
}
