//! The border between the planes and the machines: orders go down, upcalls come up.
//!
//! The substrate never learns what a pod, a task or a service is. An order carries an [`Owner`],
//! the upcalls that follow bring it back, and the plane that set it knows what it means.

use std::sync::Arc;

use crate::base::id::Id;
use crate::base::resources::ResourceVector;
use crate::base::symbol::Symbol;
use crate::base::time::{SimDuration, SimTime};

use super::cgroup::settings::{GroupSettings, OomScore, SandboxSpec};
use super::container::Container;
use super::machine::Machine;
use super::root_fs::RootSpec;
use super::sandbox::Sandbox;

/// Names a machine.
pub type MachineId = Id<Machine>;
/// Names a container.
pub type ContainerId = Id<Container>;
/// Names a sandbox: the namespaces and the address that containers share.
pub type SandboxId = Id<Sandbox>;

/// Whose order it was. Opaque to the substrate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    /// Slot of the plane's row.
    pub slot: u32,
    /// Generation of the plane's row, so that a late upcall for a row that is gone reads as stale.
    pub generation: u32,
    /// Which part of it: the container's index, or a number of the plane's own.
    pub part: u32,
}

/// What a health check runs. The outcome is the program's, not the plane's, to decide.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ProbeAction {
    /// GET on this port; answered when the program listens there and is ready.
    Http {
        /// The port.
        port: u16,
        /// Path and query.
        path: Arc<str>,
    },
    /// Connect to this port; answered as soon as the program listens.
    Tcp {
        /// The port.
        port: u16,
    },
    /// gRPC health on this port.
    Grpc {
        /// The port.
        port: u16,
    },
    /// Run a command inside the container: exit 0 is a success.
    Exec {
        /// The command and its arguments.
        command: Arc<[Arc<str>]>,
    },
}

/// How a health check failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// It was not answered in time.
    Late,
    /// Nobody listens at the port.
    Refused,
    /// An HTTP answer with this status.
    Status(u16),
    /// A gRPC answer that says so.
    NotServing,
    /// The command ended with another code than 0.
    Code,
    /// The command could not be started, or it is not known which port to ask.
    Unstarted,
}

/// When the next probe is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProbePacing {
    /// On the ticks of a timer that was started when the container's sandbox was ordered, and that
    /// goes on through restarts of the container; ticks before the initial delay has passed since
    /// the container's start are skipped. Source: `pkg/kubelet/prober/worker.go`.
    Ticks,
    /// One period after the previous probe ended; the first one period (after the initial delay)
    /// after the container's start. Source: moby `daemon/health.go`.
    Gaps,
}

/// A health check as the substrate runs it. When its verdict changes an upcall says so, and of single
/// failures if the plane wants to hear of them; other probes that change nothing cost nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProbeSpec {
    /// The plane's number for it: returned in [`Upcall::Probe`].
    pub which: u8,
    /// What is run.
    pub action: ProbeAction,
    /// Time from the container's start to the first probe.
    pub initial_delay: SimDuration,
    /// Time between probes.
    pub period: SimDuration,
    /// Time after which a probe counts as failed.
    pub timeout: SimDuration,
    /// Equal results in a row that make a success.
    pub success_threshold: u32,
    /// Equal results in a row that make a failure.
    pub failure_threshold: u32,
    /// Failures in this span after the start are not counted (Docker's `start_period`); zero elsewhere.
    pub start_period: SimDuration,
    /// Probe period while in `start_period` and not yet healthy (Docker's `start_interval`); zero: `period`.
    pub start_interval: SimDuration,
    /// How probes follow each other.
    pub pacing: ProbePacing,
    /// The verdict that holds before the first one is reached, which is therefore not reported
    /// again; none: the first verdict is reported whatever it is.
    pub initial: Option<bool>,
    /// It runs only once the probe with this number has succeeded (startup probes).
    pub after: Option<u8>,
    /// It stops for good with its first reported verdict (startup probes).
    pub once: bool,
    /// Each failure is reported, unless [`Order::ProbeQuiet`] keeps it back.
    pub each: bool,
}

/// How a container is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerSpec {
    /// The container's own name inside its owner, e.g. `redis`.
    pub name: Symbol,
    /// Image reference as written, e.g. `redis:alpine`.
    pub image: Symbol,
    /// Entry point as written; empty: the image's.
    pub command: Arc<[Arc<str>]>,
    /// Arguments as written; empty: the image's.
    pub arguments: Arc<[Arc<str>]>,
    /// Environment, sorted by name.
    pub environment: Arc<[(Arc<str>, Arc<str>)]>,
    /// Ports that the manifest declares; what a stranger's program listens on.
    pub ports: Arc<[u16]>,
    /// Where the manifest says nothing of a stranger's ports: it listens wherever it is asked but here, where
    /// others of its sandbox do.
    pub any_but: Option<Arc<[u16]>>,
    /// What it asks for (CPU shares).
    pub requests: ResourceVector,
    /// What it may use; zero: no limit.
    pub limits: ResourceVector,
    /// What its control group gets.
    pub group: GroupSettings,
    /// How its processes weigh when memory runs out.
    pub oom: OomScore,
    /// Paths inside the container at which something from outside is mounted, files or directories.
    pub mounts: Arc<[Arc<str>]>,
    /// How its root is made.
    pub root: Arc<RootSpec>,
    /// Health checks, at most 8.
    pub probes: Arc<[ProbeSpec]>,
    /// The container of its sandbox whose processes it is among; none: as the sandbox has it.
    pub joins: Option<Symbol>,
}

/// When an image is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PullPolicy {
    /// Ask the registry even when the image is there (a present digest costs a round trip only).
    Always,
    /// Only when it is not there.
    IfNotPresent,
    /// Never: an absent image is an error.
    Never,
}

/// How requests that enter at a balancer find a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BalanceMode {
    /// Each backend with equal probability (kube-proxy's iptables rules).
    Random,
    /// Round robin among backends (IPVS in Swarm's mesh).
    RoundRobin,
    /// The name resolves to all addresses; clients take one.
    Dns,
}

/// Where users' requests for a balancer come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    /// At a published port of any machine that answers: an outside balancer in front of all machines.
    EveryMachine(u16),
    /// At a published port of this machine only.
    OneMachine(MachineId, u16),
    /// At a virtual address or name, from clients on all machines that are up.
    Inside,
}

/// One receiver behind a balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Backend {
    /// The sandbox that owns the address.
    pub sandbox: SandboxId,
    /// Port the request is sent to there; 0: the lowest port that the program listens on.
    pub port: u16,
}

/// What a plane programs for one name: the rules that requests really follow.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BalancerSpec {
    /// The name as users know it, without a prefix of the plane's.
    pub name: Symbol,
    /// How a backend is chosen.
    pub mode: BalanceMode,
    /// Where requests enter.
    pub entry: Entry,
    /// Where they may go, in rule order.
    pub backends: Arc<[Backend]>,
}

/// A wish of a plane, carried out by the substrate in the same event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Take a sandbox's network and directories; what its containers were stays to be looked at until
    /// [`Order::RemoveSandbox`].
    StopSandbox {
        /// The sandbox.
        sandbox: SandboxId,
    },
    /// Make a sandbox (network namespace and address). Answers [`Upcall::SandboxCreated`] at once
    /// and [`Upcall::SandboxReady`] or [`Upcall::SandboxFailed`] later.
    CreateSandbox {
        /// Whose it is.
        owner: Owner,
        /// The machine.
        machine: MachineId,
        /// How it is to be made.
        spec: Arc<SandboxSpec>,
    },
    /// Remove a sandbox and what is left in it, its owner's directories too: no upcalls follow for
    /// what was.
    RemoveSandbox {
        /// The sandbox.
        sandbox: SandboxId,
    },
    /// Get an image. Answers [`Upcall::Pulled`] or [`Upcall::PullFailed`].
    Pull {
        /// Whose it is.
        owner: Owner,
        /// The machine.
        machine: MachineId,
        /// Reference as written.
        image: Symbol,
        /// When to ask the registry.
        policy: PullPolicy,
    },
    /// An image that was made on the machine itself.
    AddImage {
        /// The machine.
        machine: MachineId,
        /// Reference as written.
        image: Symbol,
    },
    /// Forget an image.
    RemoveImage {
        /// The machine.
        machine: MachineId,
        /// Reference as written.
        image: Symbol,
    },
    /// Create and start a container in a sandbox. Answers [`Upcall::ContainerCreated`] at once,
    /// then [`Upcall::Started`] or [`Upcall::StartFailed`].
    Start {
        /// Whose it is.
        owner: Owner,
        /// The sandbox.
        sandbox: SandboxId,
        /// How it is to be.
        spec: Arc<ContainerSpec>,
    },
    /// Stop signal, then kill after `grace`. Answers [`Upcall::Exited`].
    Stop {
        /// The container.
        container: ContainerId,
        /// Time from the stop signal to SIGKILL.
        grace: SimDuration,
    },
    /// Kill at once.
    Kill {
        /// The container.
        container: ContainerId,
    },
    /// Run a probe with [`ProbePacing::Ticks`] now and start its timer anew from now.
    /// Source: manual trigger in `pkg/kubelet/prober/worker.go`.
    ProbeNow {
        /// The container.
        container: ContainerId,
        /// The probe's number.
        which: u8,
    },
    /// Keep a probe's failures back, unless they change its verdict; the first that is told counts them.
    ProbeQuiet {
        /// The container.
        container: ContainerId,
        /// The probe's number.
        which: u8,
        /// Until when; [`SimTime::MAX`]: for good, and they do not count.
        until: SimTime,
    },
    /// Forget the writable layer of an owner's containers.
    RemoveLayer {
        /// The machine.
        machine: MachineId,
        /// Whose it is.
        owner: Owner,
    },
    /// Forget a volume with what is in it.
    RemoveVolume {
        /// The machine.
        machine: MachineId,
        /// Its name.
        name: Arc<str>,
    },
    /// Give a container's control group what this says from now on.
    Resize {
        /// The container.
        container: ContainerId,
        /// How it is to be.
        spec: Arc<ContainerSpec>,
    },
    /// Give a sandbox's control group what this says from now on.
    ResizeSandbox {
        /// The sandbox.
        sandbox: SandboxId,
        /// How it is to be.
        spec: Arc<SandboxSpec>,
    },
    /// Switch a machine off: what holds its end up has let go.
    PowerOff {
        /// The machine.
        machine: MachineId,
    },
    /// Forget the directories that an owner's sandbox left when its machine lost power.
    RemoveDirectories {
        /// The machine.
        machine: MachineId,
        /// Whose they are.
        owner: Owner,
    },
    /// Forget a disk over the network.
    RemoveDisk {
        /// Its name.
        name: Arc<str>,
    },
    /// Forget a container, killing it without a word if it still runs.
    RemoveContainer {
        /// The container.
        container: ContainerId,
    },
    /// Set or replace the rules for a name. `key` is the plane's number for it.
    SetBalancer {
        /// The plane's number for it.
        key: u32,
        /// How it is to be.
        spec: Arc<BalancerSpec>,
    },
    /// Remove the rules for a name.
    RemoveBalancer {
        /// The plane's number for it.
        key: u32,
    },
    /// Set what is asked for of a control group that belongs to no sandbox.
    SetLevel {
        /// The machine.
        machine: MachineId,
        /// Path of plain names, e.g. `a/b`.
        path: &'static str,
        /// What is asked for.
        settings: GroupSettings,
    },
    /// Set at which ports users' requests get to a sandbox.
    SetFilter {
        /// The sandbox.
        sandbox: SandboxId,
        /// Ranges of open ports; none: all.
        open: Option<Arc<[(u16, u16)]>>,
    },
    /// Keep subnets from machines that join later: addresses from here on are somebody's without a machine.
    HoldSubnets {
        /// Whose they are.
        machine: MachineId,
        /// First address of the first one.
        base: u32,
        /// How many.
        count: u32,
    },
    /// Give back what [`Order::HoldSubnets`] keeps.
    FreeSubnets {
        /// Whose they were.
        machine: MachineId,
    },
    /// Reserve a port of a machine for a sandbox. A port already taken answers [`Upcall::PortTaken`].
    BindPort {
        /// Whose it is.
        owner: Owner,
        /// The sandbox.
        sandbox: SandboxId,
        /// The port.
        port: u16,
    },
}

/// Why a pull failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PullError {
    /// The repository is not in the catalogue of any registry that can be reached.
    Denied,
    /// The repository exists, the tag does not.
    ManifestUnknown,
    /// The registry does not answer.
    RegistryDown,
    /// Policy `Never` and the image is absent.
    NotPresent,
    /// The reference is not a valid one.
    InvalidName,
    /// The machine's disk has no room for its layers.
    NoSpace,
}

/// What the machines report to the plane that owns the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Upcall {
    /// The sandbox's id, in the same event as the order.
    SandboxCreated {
        /// Whose it is.
        owner: Owner,
        /// The sandbox.
        sandbox: SandboxId,
    },
    /// The sandbox has its network and address.
    SandboxReady {
        /// Whose it is.
        owner: Owner,
        /// The sandbox.
        sandbox: SandboxId,
    },
    /// The sandbox could not be made.
    SandboxFailed {
        /// Whose it is.
        owner: Owner,
        /// The sandbox.
        sandbox: SandboxId,
    },
    /// The image is on the machine.
    Pulled {
        /// Whose it is.
        owner: Owner,
        /// Reference as written.
        image: Symbol,
    },
    /// It could not be had.
    PullFailed {
        /// Whose it is.
        owner: Owner,
        /// Reference as written.
        image: Symbol,
        /// Why.
        error: PullError,
    },
    /// The container's id, in the same event as the order.
    ContainerCreated {
        /// Whose it is.
        owner: Owner,
        /// The container.
        container: ContainerId,
    },
    /// Its process runs.
    Started {
        /// Whose it is.
        owner: Owner,
        /// The container.
        container: ContainerId,
    },
    /// It could not be started (no such command: 127, not executable: 126).
    StartFailed {
        /// Whose it is.
        owner: Owner,
        /// The container.
        container: ContainerId,
        /// Exit code.
        code: i32,
    },
    /// Its process ended. `signal` is zero for a plain exit; `code` is 128 + signal otherwise.
    Exited {
        /// Whose it is.
        owner: Owner,
        /// The container.
        container: ContainerId,
        /// Exit code.
        code: i32,
        /// Whether the kernel killed it for its memory limit.
        oom: bool,
    },
    /// A health check's verdict changed (thresholds are applied by the substrate), or it failed.
    Probe {
        /// Whose it is.
        owner: Owner,
        /// The container.
        container: ContainerId,
        /// The probe's number.
        which: u8,
        /// The verdict, or that it failed.
        success: bool,
        /// Whether that is a change of the verdict.
        changed: bool,
        /// How often it failed since the last report.
        failures: u32,
        /// How it failed last.
        flaw: Flaw,
    },
    /// Its script asks the network and waits for the answer.
    Asks {
        /// Whose it is.
        owner: Owner,
        /// The container.
        container: ContainerId,
    },
    /// The port that [`Order::BindPort`] wanted is taken.
    PortTaken {
        /// Whose it is.
        owner: Owner,
        /// The sandbox.
        sandbox: SandboxId,
        /// The port.
        port: u16,
    },
    /// How much memory or disk of a machine is in use has begun to change, or has changed, other
    /// than by containers' coming and going: its agent may want to look.
    Pressure {
        /// The machine.
        machine: MachineId,
    },
    /// The machine lost power. The plane's *agent* there is gone too: a plane must not use this as
    /// knowledge of its control plane, only to stop its own agent and elided heartbeats.
    MachineDown {
        /// The machine.
        machine: MachineId,
    },
    /// The machine has booted; its agent starts anew with no containers running.
    MachineUp {
        /// The machine.
        machine: MachineId,
    },
    /// Whether the machine can talk to the control machine changed.
    ControlLink {
        /// The machine.
        machine: MachineId,
        /// Whether it can.
        connected: bool,
    },
}

/// What a fault does to the machines. Planes add their own kinds above this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubstrateFault {
    /// Power off; on again only when healed.
    Crash(MachineId),
    /// Power off, and on again after this long (the boot comes on top).
    Reboot(MachineId, SimDuration),
    /// Power on a machine that a crash turned off.
    PowerOn(MachineId),
    /// Kill one container with SIGKILL; its owner hears of the exit.
    KillContainer(ContainerId),
    /// The kernel kills one container for memory.
    OomKill(ContainerId),
    /// So many threads of the machine's own never sleep; 0: none.
    Hog(MachineId, u64),
    /// So many threads of a container never sleep; 0: none.
    HogInside(ContainerId, u16),
    /// The kernel that only this sandbox has panics.
    PanicGuest(SandboxId),
    /// A container takes so many bytes more each second; 0: no more, and what it took comes back.
    Leak(ContainerId, u64),
    /// So many bytes of the machine's disk are filled; 0: none.
    FillDisk(MachineId, u64),
    /// The machine does not reach its disks over the network, or reaches them again.
    CutStorage(MachineId, bool),
    /// The machine's clock is turned by so many microseconds.
    TurnClock(MachineId, i64),
    /// The program stops answering without ending, until it is restarted or healed.
    Hang(ContainerId),
    /// A hung program answers again.
    Unhang(ContainerId),
}
