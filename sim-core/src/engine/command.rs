//! The inputs of a run. The log of commands plus the seed *is* the run.

use std::fmt;
use std::sync::Arc;

use crate::api::node::NodeSetup;
use crate::base::quantity::Quantity;
use crate::base::sentence::{Form, Sentence, catalogue};
use crate::base::time::{SimDuration, SimTime};
use crate::substrate::cgroup::tree::GroupKey;
use crate::substrate::order::ContainerId;
use crate::substrate::profile::Profile;
use crate::substrate::root_fs::{Change, Spot};

/// Which orchestrator a world runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Orchestrator {
    /// Kubernetes.
    Kubernetes,
    /// Docker Swarm.
    Swarm,
    /// Compose on one host.
    Compose,
}

impl Orchestrator {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Kubernetes, Self::Swarm, Self::Compose];

    /// Lower-case name, as on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kubernetes => "kubernetes",
            Self::Swarm => "swarm",
            Self::Compose => "compose",
        }
    }

    /// The orchestrator of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|orchestrator| orchestrator.name() == name)
    }
}

/// A machine to add.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MachineSpec {
    /// Host name.
    pub name: Arc<str>,
    /// Cores, in thousandths.
    pub milli_cpu: i64,
    /// Memory in bytes.
    pub memory_bytes: i64,
    /// Zone; empty: none.
    pub zone: Arc<str>,
    /// Extended resources, name and amount.
    pub extended: Vec<(Arc<str>, i64)>,
    /// What stands under its containers.
    pub profile: Profile,
    /// First address of the /24 that its sandboxes' addresses are from; none: the next free one.
    pub subnet: Option<u32>,
    /// What the orchestrator is told about it.
    pub setup: NodeSetup,
}

/// What goes wrong. Vocabulary of design §3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// A machine loses power until healed.
    NodeCrash,
    /// A machine is switched off and boots again.
    NodeReboot,
    /// Two groups of machines cannot reach each other.
    Partition,
    /// A replica's containers get SIGKILL.
    PodKill,
    /// One container gets SIGKILL.
    ContainerKill,
    /// Registries answer nobody.
    RegistryDown,
    /// Registries send little at a time.
    RegistrySlow,
    /// An image vanishes from its registry.
    ImageMissing,
    /// All machines of a zone lose power.
    ZoneOutage,
    /// The machine whose manager leads loses power until healed.
    LeaderLoss,
    /// The kernel kills one container for memory.
    Oom,
    /// Threads that never sleep, on a machine or inside a replica.
    CpuHog,
    /// A replica takes more and more memory.
    MemoryLeak,
    /// A machine's disk fills up.
    DiskFill,
    /// Kubernetes' API servers do not run.
    ApiserverDown,
    /// Kubernetes' API servers answer late.
    ApiserverSlow,
    /// Commits of Kubernetes' etcd take long.
    EtcdSlow,
    /// The etcd member of a control machine does not run.
    EtcdMemberLoss,
    /// The controller manager or the scheduler is killed and starts with cold caches.
    ControllerRestart,
    /// No scheduler runs.
    SchedulerDown,
    /// A node's kubelet does not run; its containers do.
    KubeletKill,
    /// A node's container runtime answers nobody; its containers run.
    RuntimeKill,
    /// A node is cordoned and its pods are evicted.
    NodeDrain,
    /// The watch of a control plane's process, or of a node's kubelet, lags or stands still.
    WatchStale,
    /// A machine is told to shut down; its kubelet may hold that up until its pods have ended.
    NodeShutdown,
    /// A kernel panics: a machine's, or that of a virtual machine around a replica.
    KernelPanic,
    /// A machine does not reach its disks over the network.
    StorageLoss,
    /// Packets on a link, or those that a machine or a replica sends, arrive later.
    Delay,
    /// Some of them do not arrive.
    Loss,
    /// A machine's disk answers late, or carries little at a time.
    DiskSlow,
    /// A machine's clock is ahead or behind.
    ClockSkew,
}

/// What makes groups of managers or members wait otherwise than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// What passes between machines.
    Links,
    /// Their disks and clocks.
    Machines,
}

impl FaultKind {
    /// All kinds that are modelled, with their names.
    pub const ALL: [(Self, &'static str); 31] = [
        (Self::NodeCrash, "node-crash"),
        (Self::NodeReboot, "node-reboot"),
        (Self::Partition, "partition"),
        (Self::PodKill, "pod-kill"),
        (Self::ContainerKill, "container-kill"),
        (Self::RegistryDown, "registry-down"),
        (Self::RegistrySlow, "registry-slow"),
        (Self::ImageMissing, "image-missing"),
        (Self::ZoneOutage, "zone-outage"),
        (Self::LeaderLoss, "leader-loss"),
        (Self::Oom, "oom"),
        (Self::CpuHog, "cpu-hog"),
        (Self::MemoryLeak, "memory-leak"),
        (Self::DiskFill, "disk-fill"),
        (Self::ApiserverDown, "apiserver-down"),
        (Self::ApiserverSlow, "apiserver-slow"),
        (Self::EtcdSlow, "etcd-slow"),
        (Self::EtcdMemberLoss, "etcd-member-loss"),
        (Self::ControllerRestart, "controller-restart"),
        (Self::SchedulerDown, "scheduler-down"),
        (Self::KubeletKill, "kubelet-kill"),
        (Self::RuntimeKill, "runtime-kill"),
        (Self::NodeDrain, "node-drain"),
        (Self::KernelPanic, "kernel-panic"),
        (Self::NodeShutdown, "node-shutdown"),
        (Self::WatchStale, "watch-stale"),
        (Self::StorageLoss, "storage-loss"),
        (Self::Delay, "delay"),
        (Self::Loss, "loss"),
        (Self::DiskSlow, "disk-slow"),
        (Self::ClockSkew, "clock-skew"),
    ];

    /// What of the pace of groups it changes.
    pub(super) const fn pace(self) -> Option<Pace> {
        match self {
            Self::Partition | Self::Delay | Self::Loss => Some(Pace::Links),
            Self::DiskSlow | Self::ClockSkew => Some(Pace::Machines),
            _ => None,
        }
    }

    /// Its name in the vocabulary.
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(kind, _)| *kind == self)
            .map_or("", |(_, name)| name)
    }

    /// Whether the kind needs a target.
    pub const fn needs_target(self) -> bool {
        !matches!(
            self,
            Self::RegistryDown
                | Self::LeaderLoss
                | Self::RegistrySlow
                | Self::ApiserverDown
                | Self::ApiserverSlow
                | Self::EtcdSlow
                | Self::ControllerRestart
                | Self::SchedulerDown
        )
    }
}

/// A fault to inject.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FaultSpec {
    /// What.
    pub kind: FaultKind,
    /// To whom, as written: a machine, `of:WORKLOAD`, `A|B`, `pod/NAME`, an image, a zone.
    pub target: Arc<str>,
    /// When; `None`: now.
    pub at: Option<SimTime>,
    /// For how long; `None`: until healed (a reboot: the boot's own time).
    pub duration: Option<SimDuration>,
    /// How much.
    pub strength: Strength,
}

/// How much of a fault: each kind has a word of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Strength {
    /// As much as is usual.
    #[default]
    Usual,
    /// `cpu-hog … cores=2`.
    Threads(u64),
    /// Bytes per second: `memory-leak … rate=50Mi`, `registry-slow rate=1Mi`.
    Rate(u64),
    /// Bytes: `disk-fill … size=10Gi`.
    Size(u64),
    /// `etcd-slow delay=2s`, `watch-stale … lag=5s`.
    Wait(SimDuration),
    /// `delay … 200ms jitter=50ms`.
    Delay {
        /// How much later packets arrive.
        latency: Option<SimDuration>,
        /// By how much that varies.
        jitter: Option<SimDuration>,
    },
    /// Millionths of the packets: `loss … 10%`.
    Loss(u32),
    /// Bytes per second and how much longer a request takes: `disk-slow … 5Mi`, `disk-slow … 200ms`.
    Disk {
        /// How much it reads or writes.
        rate_bytes_per_s: Option<u64>,
        /// How much longer a request takes.
        delay: Option<SimDuration>,
    },
    /// Microseconds that a clock is turned by: `clock-skew … -10m`.
    Clock(i64),
}

impl Strength {
    /// Takes in one of a kind's words; a bare one has no key. `false`: the kind knows no such word, or
    /// has it already.
    fn read(&mut self, kind: FaultKind, key: &str, value: &str) -> Result<bool, Sentence> {
        let (mut latency, mut jitter, mut rate_bytes_per_s, mut delay) = (None, None, None, None);
        match *self {
            Self::Delay {
                latency: known,
                jitter: by,
            } => (latency, jitter) = (known, by),
            Self::Disk {
                rate_bytes_per_s: rate,
                delay: known,
            } => (rate_bytes_per_s, delay) = (rate, known),
            _ => {}
        }
        let span = || span(value);
        *self = match (kind, key) {
            (FaultKind::CpuHog, "cores" | "workers" | "threads") => Self::Threads(bytes(value)?),
            (FaultKind::MemoryLeak | FaultKind::RegistrySlow, "rate") => Self::Rate(bytes(value)?),
            (FaultKind::DiskFill, "size") => Self::Size(bytes(value)?),
            (FaultKind::EtcdSlow | FaultKind::ApiserverSlow, "delay")
            | (FaultKind::WatchStale, "lag") => Self::Wait(span()?),
            (FaultKind::Delay, key) => {
                match key {
                    "jitter" => jitter = Some(span()?),
                    "latency" => latency = Some(span()?),
                    "" if latency.is_none() => latency = Some(span()?),
                    _ => return Ok(false),
                }
                Self::Delay { latency, jitter }
            }
            (FaultKind::DiskSlow, key) => {
                match key {
                    "rate" => rate_bytes_per_s = Some(bytes(value)?),
                    "delay" => delay = Some(span()?),
                    // What is no time is bytes per second.
                    "" if *self == Self::Usual => match span() {
                        Ok(span) => delay = Some(span),
                        Err(_) => rate_bytes_per_s = Some(bytes(value)?),
                    },
                    _ => return Ok(false),
                }
                Self::Disk {
                    rate_bytes_per_s,
                    delay,
                }
            }
            (FaultKind::Loss, "loss") => Self::Loss(share(value)?),
            (FaultKind::Loss, "") if *self == Self::Usual => Self::Loss(share(value)?),
            (FaultKind::ClockSkew, "offset") => Self::Clock(offset(value)?),
            (FaultKind::ClockSkew, "") if *self == Self::Usual => Self::Clock(offset(value)?),
            _ => return Ok(false),
        };
        Ok(true)
    }

    /// How long somebody waits, where the fault says so.
    pub const fn wait(self) -> Option<SimDuration> {
        match self {
            Self::Wait(wait) => Some(wait),
            _ => None,
        }
    }
}

impl FaultSpec {
    /// Whether it is over as soon as it has happened, whatever follows.
    pub const fn is_momentary(&self) -> bool {
        match self.kind {
            FaultKind::NodeReboot
            | FaultKind::PodKill
            | FaultKind::ContainerKill
            | FaultKind::Oom => true,
            FaultKind::ControllerRestart => self.duration.is_none(),
            FaultKind::NodeCrash
            | FaultKind::Partition
            | FaultKind::RegistryDown
            | FaultKind::RegistrySlow
            | FaultKind::ImageMissing
            | FaultKind::ZoneOutage
            | FaultKind::LeaderLoss
            | FaultKind::CpuHog
            | FaultKind::MemoryLeak
            | FaultKind::DiskFill
            | FaultKind::StorageLoss
            | FaultKind::Delay
            | FaultKind::Loss
            | FaultKind::DiskSlow
            | FaultKind::ClockSkew
            | FaultKind::KernelPanic
            | FaultKind::NodeShutdown
            | FaultKind::WatchStale
            | FaultKind::ApiserverDown
            | FaultKind::ApiserverSlow
            | FaultKind::EtcdSlow
            | FaultKind::EtcdMemberLoss
            | FaultKind::SchedulerDown
            | FaultKind::KubeletKill
            | FaultKind::RuntimeKill
            | FaultKind::NodeDrain => false,
        }
    }

    /// Parses `KIND TARGET [at T] [for D]`.
    ///
    /// # Errors
    /// A sentence that says which word is wrong and what would be right.
    pub fn parse(text: &str) -> Result<Self, Sentence> {
        let mut words = text.split_whitespace().peekable();
        let Some(kind_word) = words.next() else {
            return Err(catalogue::FAULT_FORM.plain());
        };
        let Some((kind, _)) = FaultKind::ALL
            .into_iter()
            .find(|(_, name)| *name == kind_word)
        else {
            let names: Vec<&str> = FaultKind::ALL.iter().map(|(_, name)| *name).collect();
            return Err(catalogue::FAULT_UNKNOWN
                .with(&[("word", &kind_word)])
                .advise(catalogue::KNOWN.with(&[("names", &names.join(", "))])));
        };
        let mut target = String::new();
        let mut at = None;
        let mut duration = None;
        let mut strength = Strength::Usual;
        while let Some(word) = words.next() {
            let lacks = |form: Form| move || form.with(&[("word", &word)]);
            match word {
                "at" => {
                    let value = words.next().ok_or_else(lacks(catalogue::FAULT_AT))?;
                    at = Some(SimTime::ZERO + span(value)?);
                }
                "for" => {
                    let value = words.next().ok_or_else(lacks(catalogue::FAULT_FOR))?;
                    duration = Some(span(value)?);
                }
                _ if word.contains('=') && (!target.is_empty() || !kind.needs_target()) => {
                    let (key, value) = word.split_once('=').unwrap_or((word, ""));
                    if key.is_empty() || !strength.read(kind, key, value)? {
                        let parts: [(&str, &dyn fmt::Display); 2] =
                            [("kind", &kind_word), ("word", &key)];
                        return Err(catalogue::FAULT_KEY.with(&parts));
                    }
                }
                _ if target.is_empty() => target = word.to_owned(),
                "|" => {
                    target.push('|');
                    target.push_str(words.next().ok_or_else(lacks(catalogue::FAULT_SIDES))?);
                }
                _ if strength.read(kind, "", word)? => {}
                _ => {
                    return Err(catalogue::FAULT_UNEXPECTED
                        .with(&[("word", &word), ("fault", &text)])
                        .advise(catalogue::FAULT_FORM.plain()));
                }
            }
        }
        if kind.needs_target() && target.is_empty() {
            return Err(catalogue::FAULT_TARGET.with(&[("word", &kind_word)]));
        }
        if kind == FaultKind::ControllerRestart
            && !target.is_empty()
            && crate::kube::control_plane::Part::parse(&target).is_none()
        {
            return Err(catalogue::FAULT_CONTROLLER.with(&[("word", &target)]));
        }
        if kind == FaultKind::Partition && !target.contains('|') {
            return Err(catalogue::FAULT_GROUPS.plain().about(&target));
        }
        Ok(Self {
            kind,
            target: target.into(),
            at,
            duration,
            strength,
        })
    }
}

/// A span as Go writes it.
fn span(text: &str) -> Result<SimDuration, Sentence> {
    SimDuration::parse(text).map_err(|error| Sentence::quoted(error).about(text))
}

fn bytes(text: &str) -> Result<u64, Sentence> {
    let value = Quantity::parse(text).map_err(|error| {
        catalogue::AMOUNT
            .with(&[("word", &text)])
            .and("why", error.into())
    })?;
    u64::try_from(value.value()).map_err(|_| catalogue::NEGATIVE.with(&[("word", &text)]))
}

/// Most that a clock is turned by: a year.
const SKEW_MAX: SimDuration = SimDuration::from_secs(365 * 86_400);

/// What a clock is turned by, in microseconds.
fn offset(text: &str) -> Result<i64, Sentence> {
    let (sign, by) = match text.strip_prefix(['-', '−']) {
        Some(by) => (-1, by),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let by = span(by)?;
    if by > SKEW_MAX {
        return Err(catalogue::SKEW_LONG.with(&[("word", &text)]));
    }
    Ok(sign * by.as_micros().cast_signed())
}

/// A share in percent, as millionths.
fn share(text: &str) -> Result<u32, Sentence> {
    let wrong = || {
        catalogue::NO_SHARE
            .with(&[("word", &text)])
            .advise(catalogue::WRITE_SHARE.plain())
    };
    let number = text.strip_suffix('%').unwrap_or(text);
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let whole: u32 = whole.parse().map_err(|_| wrong())?;
    let is_number = part.len() <= 4 && part.bytes().all(|digit| digit.is_ascii_digit());
    let share = whole.saturating_mul(10_000);
    let share = share.saturating_add(format!("{part:0<4}").parse().map_err(|_| wrong())?);
    if is_number && share <= 1_000_000 {
        Ok(share)
    } else {
        Err(wrong())
    }
}

/// A write to a control group's file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileWrite {
    /// Name of the machine.
    pub machine: Arc<str>,
    /// The group.
    pub group: GroupKey,
    /// The file.
    pub file: Arc<str>,
    /// What is written.
    pub text: Arc<str>,
}

/// What a machine has from now on; none: as before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct MachineChange {
    /// Its name.
    pub name: Arc<str>,
    /// CPU in thousandths.
    pub milli_cpu: Option<i64>,
    /// Memory in bytes.
    pub memory_bytes: Option<i64>,
    /// Resources by name.
    pub extended: Vec<(Arc<str>, i64)>,
}

/// A change of a file of a machine's disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileChange {
    /// Name of the machine.
    pub machine: Arc<str>,
    /// Where.
    pub spot: Spot,
    /// How.
    pub change: Change,
    /// The container whose process does it; none: one of the machine's own.
    pub by: Option<ContainerId>,
}

/// Something done to the processes of a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ProcessAct {
    /// A process is left behind.
    Leave {
        /// Its command line.
        command: Arc<[Arc<str>]>,
        /// How long it runs; none: until it is killed.
        span: Option<SimDuration>,
    },
    /// A signal.
    Signal {
        /// To whom, by its number in the container.
        inner: u32,
        /// Which.
        signal: u8,
    },
}

/// One input from outside.
#[derive(Clone, Debug, Hash)]
pub enum Command {
    /// Add a machine.
    AddMachine(Box<MachineSpec>),
    /// Change what a machine has. Only Swarm's agents tell their manager at once.
    ChangeMachine(MachineChange),
    /// Remove a machine for good.
    RemoveMachine(Arc<str>),
    /// A request to the Kubernetes API server.
    Kube(Arc<crate::kube::Request>),
    /// A request to the Swarm manager.
    Swarm(Arc<crate::swarm::Request>),
    /// A request to the Compose project's engine.
    Compose(Arc<crate::compose::Request>),
    /// Break something.
    Inject(FaultSpec),
    /// Mend the fault with this number; `None`: all.
    Heal(Option<u32>),
    /// Users' requests per second for a service.
    Traffic(Arc<str>, u32),
    /// Write to a file of a machine's control groups, as root there.
    WriteFile(FileWrite),
    /// Change a file of a machine's disk, as root there or in a container.
    ChangeFile(FileChange),
    /// Do something to the processes of a container.
    Process(ContainerId, ProcessAct),
    /// Change a component's flag.
    Set(Arc<str>, Arc<str>),
    /// Switch loops of the Kubernetes control plane on (true) or off; no name: all of them.
    Controllers(bool, Vec<Arc<str>>),
    /// Set a sample of the metrics API: object (`pod/x`, `external`), metric, quantity; an empty
    /// quantity takes it back.
    Metric(Arc<str>, Arc<str>, Arc<str>),
    /// Start an operator over a custom resource.
    Operator(Arc<crate::kube::controllers::operators::plan::Operator>),
    /// Stop the operator of that name.
    StopOperator(Arc<str>),
}

/// What a command answers.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Done; nothing to say.
    Done,
    /// The number of the fault that was injected.
    Fault(u32),
    /// The API server's answer.
    Kube(Box<Result<crate::kube::Response, crate::kube::Refusal>>),
    /// The Swarm manager's answer.
    Swarm(Box<Result<crate::swarm::Response, crate::swarm::Refusal>>),
    /// The Compose engine's answer.
    Compose(Box<Result<crate::compose::Response, crate::compose::Refusal>>),
    /// It cannot be done; a sentence.
    Refused(Sentence),
}
