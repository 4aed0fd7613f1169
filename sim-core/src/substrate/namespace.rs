//! The eight kinds of namespaces and the numbers that show whether two processes share one.

use crate::base::symbol::Symbol;

use super::Substrate;
use super::cgroup::place::Version;
use super::cgroup::settings::Sharing;
use super::container::Container;
use super::order::{ContainerId, SandboxId};

/// What a namespace hides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The root of control groups.
    Cgroup,
    /// System V IPC and POSIX message queues.
    Ipc,
    /// The mount table.
    Mount,
    /// Interfaces, routes, ports and filters.
    Net,
    /// Process numbers.
    Pid,
    /// Offsets of the monotonic clocks; the time of day is never hidden.
    Time,
    /// User and group numbers, and capabilities.
    User,
    /// Host and domain name.
    Uts,
}

impl Kind {
    /// All kinds, in the order of their names.
    pub const ALL: [Self; 8] = [
        Self::Cgroup,
        Self::Ipc,
        Self::Mount,
        Self::Net,
        Self::Pid,
        Self::Time,
        Self::User,
        Self::Uts,
    ];

    /// Name in `/proc/PID/ns`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cgroup => "cgroup",
            Self::Ipc => "ipc",
            Self::Mount => "mnt",
            Self::Net => "net",
            Self::Pid => "pid",
            Self::Time => "time",
            Self::User => "user",
            Self::Uts => "uts",
        }
    }

    /// Number of the machine's own. Source: Linux `include/linux/proc_ns.h` and, for mounts and
    /// the network, what a kernel of 6.x gives first.
    const fn first(self) -> u32 {
        match self {
            Self::Cgroup => 4_026_531_835,
            Self::Ipc => 4_026_531_839,
            Self::Mount => 4_026_531_841,
            Self::Net => 4_026_531_840,
            Self::Pid => 4_026_531_836,
            Self::Time => 4_026_531_834,
            Self::User => 4_026_531_837,
            Self::Uts => 4_026_531_838,
        }
    }
}

/// First number of namespaces that are made later.
const MADE: u32 = 4_026_532_200;

/// A process's namespaces, by [`Kind::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespaces(pub [u32; 8]);

impl Namespaces {
    /// Those of the machine.
    pub fn host() -> Self {
        Self(Kind::ALL.map(Kind::first))
    }

    /// Number of the namespace of a kind.
    pub const fn of(&self, kind: Kind) -> u32 {
        self.0[kind as usize]
    }
}

/// Number of the namespace of a kind that a row made. Rows of both tables share one range; it wraps
/// far above what one machine holds.
fn made(slot: u32, generation: u32, of_container: bool, kind: Kind) -> u32 {
    let place = slot.wrapping_mul(2).wrapping_add(u32::from(of_container));
    let turn = place.wrapping_mul(4).wrapping_add(generation % 4);
    MADE.wrapping_add(turn.wrapping_mul(8).wrapping_add(kind as u32) % 260_000_000)
}

impl Substrate {
    /// Namespaces of the process that holds a sandbox's.
    pub fn holder_namespaces(&self, sandbox: SandboxId) -> Namespaces {
        let mut spaces = Namespaces::host();
        let Some(row) = self.sandbox(sandbox) else {
            return spaces;
        };
        let turn = sandbox.generation().get();
        let mut own =
            |kind: Kind| spaces.0[kind as usize] = made(sandbox.slot(), turn, false, kind);
        own(Kind::Mount);
        if row.spec.network != Sharing::Host {
            own(Kind::Net);
            own(Kind::Uts);
        }
        if row.spec.ipc != Sharing::Host {
            own(Kind::Ipc);
        }
        if row.spec.pid != Sharing::Host {
            own(Kind::Pid);
        }
        if self.hides_groups(sandbox) {
            own(Kind::Cgroup);
        }
        spaces
    }

    /// Namespaces of a container's processes.
    pub fn namespaces(&self, container: ContainerId) -> Namespaces {
        let Some(row) = self.container(container) else {
            return Namespaces::host();
        };
        let Some(sandbox) = self.sandbox(row.sandbox) else {
            return Namespaces::host();
        };
        let turn = container.generation().get();
        let mut spaces = if sandbox.spec.holder {
            self.holder_namespaces(row.sandbox)
        } else {
            Namespaces::host()
        };
        let mut own =
            |kind: Kind| spaces.0[kind as usize] = made(container.slot(), turn, true, kind);
        own(Kind::Mount);
        if sandbox.spec.pid == Sharing::Own && self.joined(container).is_none() {
            own(Kind::Pid);
        }
        if self.hides_groups(row.sandbox) {
            own(Kind::Cgroup);
        }
        if !sandbox.spec.holder {
            // One container, whose process holds them itself. Since Engine 29.5 a namespace of
            // clock offsets is among them.
            if sandbox.spec.network != Sharing::Host {
                own(Kind::Net);
            }
            own(Kind::Uts);
            own(Kind::Ipc);
            own(Kind::Time);
        }
        if let Some(other) = self.joined(container) {
            spaces.0[Kind::Pid as usize] = self.namespaces(other).of(Kind::Pid);
        }
        spaces
    }

    /// Name of the container whose processes another one's join: where all are in one namespace anyway,
    /// none.
    pub(in crate::substrate) fn joins(&self, row: &Container) -> Option<Symbol> {
        let own = self.sandbox(row.sandbox)?.spec.pid == Sharing::Own;
        row.spec.joins.filter(|_| own)
    }

    /// The container among whose processes another one's are.
    pub fn joined(&self, container: ContainerId) -> Option<ContainerId> {
        let row = self.container(container)?;
        let name = self.joins(row)?;
        let runs = |(id, other): &(ContainerId, &Container)| {
            *id != container && other.spec.name == name && other.running_since().is_some()
        };
        let found = self.containers_in(row.sandbox).find(runs);
        found.map(|(id, _)| id)
    }

    /// Whether a container's first process is the first of its namespace.
    pub fn is_first(&self, container: ContainerId) -> bool {
        let own = self
            .container(container)
            .and_then(|row| self.sandbox(row.sandbox))
            .is_some_and(|row| row.spec.pid == Sharing::Own);
        own && self.joined(container).is_none()
    }

    /// Whether containers of a sandbox see their own group as the root: with the second version.
    pub fn hides_groups(&self, sandbox: SandboxId) -> bool {
        self.sandbox(sandbox)
            .and_then(|row| self.machine(row.machine))
            .is_some_and(|machine| machine.profile.cgroups == Version::V2)
    }
}
