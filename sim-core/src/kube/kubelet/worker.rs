//! What a kubelet knows of one pod, and the status that follows from it.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::api::kube::pod::RestartPolicy;
use crate::base::name::Name;
use crate::base::rare::{Nothing, Rare};
use crate::base::symbol::Symbol;
use crate::base::time::{SimDuration, SimTime};
use crate::kube::rows::pod::{
    ContainerState, ContainerStatus, Pending, Phase, PodStatus, Termination,
};
use crate::kube::rows::{NodeId, PodId};
use crate::kube::store::events::Incarnation;
use crate::kube::template::TemplateId;
use crate::substrate::cgroup::settings::SandboxSpec;
use crate::substrate::order::{ContainerId, MachineId, SandboxId};

use super::backoff::Backoff;
use super::content::Taken;
use super::lower::Lowered;
use super::recipe::Recipe;
use super::restart_all;

/// What the worker is doing about one container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Step {
    /// Not started, or exited and to be started when its turn comes.
    #[default]
    Idle,
    /// Its image is being pulled since then.
    Pulling(SimTime),
    /// Ordered; not yet running.
    Starting,
    /// Runs; the kubelet knows it from the next relist on.
    Running,
    /// Exited; the kubelet knows it from the next relist on.
    Exited,
    /// Ended for good.
    Done,
}

/// Why a running container is being stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StopReason {
    /// A probe failed.
    Probe,
    /// The pod is to go.
    Pod,
    /// It is described anew.
    Changed,
    /// Its hook after the start has failed.
    Hook,
    /// All containers of the pod restart.
    RestartAll,
}

/// One container of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerWork {
    /// What is being done.
    pub step: Step,
    /// What the status says.
    pub state: ContainerState,
    /// How the last run ended.
    pub last: Option<Arc<Termination>>,
    /// Readiness probe's verdict; true when there is none and it runs.
    pub ready: bool,
    /// Startup probe's verdict; true when there is none and it runs.
    pub started: bool,
    /// Restarts so far.
    pub restarts: u32,
    /// Whether a container was made for it: the next one is a restart.
    pub was_made: bool,
    /// The machine's container.
    pub container: Option<ContainerId>,
    /// When its process started.
    pub since: SimTime,
    /// End of a run that was not noticed yet: code, whether by the memory limit, when.
    pub ended: Option<(i32, bool, SimTime)>,
    /// Why it is being stopped.
    pub stopping: Option<StopReason>,
    /// What it waits for after failures.
    pub waits: Rare<Waits>,
    /// It restarts to get another size.
    pub resize_waits: bool,
    /// What its pod took from objects when it was made; none: nothing.
    pub taken: Option<Arc<Taken>>,
}

/// What a container waits for after failures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// Wait between restarts.
    pub crashes: Backoff,
    /// Wait between pulls.
    pub pulls: Backoff,
    /// When the last pull failed, while the image is missing.
    pub pull_failed: Option<SimTime>,
    /// Not started before this: a back-off ends then.
    pub not_before: Option<SimTime>,
    /// The wait that the next start comes after, for the trace.
    pub waited: Option<SimDuration>,
}

impl Nothing for Waits {
    const NOTHING: &'static Self = &Self {
        crashes: Backoff::NONE,
        pulls: Backoff::NONE,
        pull_failed: None,
        not_before: None,
        waited: None,
    };
}

/// One pod on its node.
#[derive(Clone, Debug)]
pub struct Worker {
    /// The pod.
    pub pod: PodId,
    /// What it was lowered from.
    pub template: TemplateId,
    /// What is the same for all pods that were made as it was.
    pub recipe: Arc<Recipe>,
    /// What its volumes are made of, as the agent has seen it last; none: nothing.
    pub taken: Option<Arc<Taken>>,
    /// Its name.
    pub name: Name,
    /// Its namespace.
    pub namespace: Symbol,
    /// Its node.
    pub node: NodeId,
    /// Name of the node.
    pub host: Symbol,
    /// The machine.
    pub machine: MachineId,
    /// Its containers as they are ordered, init containers first.
    pub lowered: Arc<[Lowered]>,
    /// How long it may be on its node.
    pub active_deadline: Option<SimDuration>,
    /// When the kubelet first saw it.
    pub started: SimTime,
    /// Its sandbox.
    pub sandbox: Option<SandboxId>,
    /// Whether the sandbox was ordered.
    pub sandbox_ordered: bool,
    /// Whether the sandbox has its network.
    pub sandbox_ready: bool,
    /// Its address.
    pub ip: u32,
    /// Its containers, in the order of `lowered`.
    pub containers: SmallVec<[ContainerWork; 1]>,
    /// When the pod must be gone: it is being deleted.
    pub deadline: Option<SimTime>,
    /// All containers have stopped and the last status is on its way.
    pub finished: bool,
    /// A status write is scheduled.
    pub status_pending: bool,
    /// The relist that will look at this pod next.
    pub relist_at: Option<SimTime>,
    /// When the worker wakes by itself.
    pub wake_at: Option<SimTime>,
    /// Draws from the pod's random stream.
    pub draws: u32,
    /// Whether Initialized was reached: it stays.
    pub initialized: bool,
    /// Whose containers' sizes were granted.
    pub allocated: TemplateId,
    /// Whose containers' sizes the control groups have.
    pub actual: TemplateId,
    /// What does not happen to most pods.
    pub aside: Rare<Aside>,
}

const _: () = assert!(size_of::<Worker>() <= 400, "150,000 of these are kept");

/// What does not happen to most pods on their nodes.
#[derive(Clone, Debug, Default)]
pub struct Aside {
    /// Wait after the last volume that could not be made; zero: there was none.
    pub mount_wait: SimDuration,
    /// When volumes are looked at again.
    pub mount_until: Option<SimTime>,
    /// Since when it waits for a volume to be attached.
    pub attach_since: Option<SimTime>,
    /// When its claims are looked at again after an error.
    pub claims_until: Option<SimTime>,
    /// When its sidecars must be gone: its other containers have ended.
    pub end_by: Option<SimTime>,
    /// Reason and message of a pod that the node refused.
    pub rejected: Option<(&'static str, Arc<str>)>,
    /// Reason and message of a pod that its node has ended.
    pub evicted: Option<(&'static str, Arc<str>)>,
    /// What DisruptionTarget says of that, once the pod has ended; none: it gets no such condition.
    pub disruption: Option<Arc<str>>,
    /// A size that was not granted.
    pub pending: Option<Pending>,
    /// Since when another size is being made true.
    pub resizing: Option<SimTime>,
    /// Why it is not made true.
    pub resize_error: Option<Arc<str>>,
    /// Which object it was, when that is gone.
    pub departed: Option<Incarnation>,
    /// Its containers are being taken from the runtime, all of them, to begin anew.
    pub restarting_all: bool,
}

impl Nothing for Aside {
    const NOTHING: &'static Self = &Self {
        mount_wait: SimDuration::ZERO,
        mount_until: None,
        attach_since: None,
        claims_until: None,
        end_by: None,
        rejected: None,
        evicted: None,
        disruption: None,
        pending: None,
        resizing: None,
        resize_error: None,
        departed: None,
        restarting_all: false,
    };
}

impl Worker {
    /// A worker that has done nothing yet.
    pub fn new(
        (pod, name): (PodId, Name),
        (template, namespace): (TemplateId, Symbol),
        (node, host, machine): (NodeId, Symbol, MachineId),
        recipe: Arc<Recipe>,
        started: SimTime,
    ) -> Self {
        let fresh = || ContainerWork::fresh(recipe.has_init);
        let initialized = !recipe.has_init;
        Self {
            pod,
            template,
            taken: None,
            name,
            namespace,
            node,
            host,
            machine,
            containers: recipe.containers.iter().map(|_| fresh()).collect(),
            lowered: recipe.containers.clone(),
            active_deadline: recipe.active_deadline,
            recipe,
            started,
            sandbox: None,
            sandbox_ordered: false,
            sandbox_ready: false,
            ip: 0,
            deadline: None,
            finished: false,
            status_pending: false,
            relist_at: None,
            wake_at: None,
            draws: 0,
            initialized,
            allocated: template,
            actual: template,
            aside: Rare::default(),
        }
    }

    /// How its sandbox is to be made, to be made otherwise than those of other pods.
    pub fn own_place(&mut self) -> &mut SandboxSpec {
        Arc::make_mut(&mut Arc::make_mut(&mut self.recipe).place)
    }

    /// Whether the init containers are through and sidecars have started.
    pub fn is_initialized(&self) -> bool {
        self.lowered
            .iter()
            .zip(&self.containers)
            .all(|(lowered, work)| {
                if lowered.init {
                    work.step == Step::Done && self.ended_well(work)
                } else {
                    !lowered.sidecar || work.started
                }
            })
    }

    /// The restart policy that counts for a container: its own, else its pod's.
    pub fn policy_of(&self, index: usize) -> RestartPolicy {
        let lowered = &self.lowered[index];
        lowered.restart.unwrap_or(self.recipe.restart_policy)
    }

    /// Whether a container that fails is started again, as far as policies say.
    pub fn restarts_on_failure(&self, index: usize) -> bool {
        self.lowered[index].sidecar || self.policy_of(index) != RestartPolicy::Never
    }

    /// Whether a container that ended is started again.
    pub fn restarts(&self, index: usize, code: i32) -> bool {
        let lowered = &self.lowered[index];
        if self.deadline.is_some() || lowered.ephemeral {
            return false;
        }
        if lowered.sidecar {
            return true;
        }
        // Source: `pkg/api/v1/pod/util.go` (`ContainerShouldRestart`).
        if lowered.action_after(code).is_some() {
            return true;
        }
        match (self.policy_of(index), lowered.init) {
            (RestartPolicy::Never, _) => false,
            (RestartPolicy::Always, false) => true,
            (RestartPolicy::Always, true) | (RestartPolicy::OnFailure, _) => code != 0,
        }
    }

    /// Whether a container that has ended, or waits since, runs again.
    fn runs_again(&self, index: usize, end: &Termination) -> bool {
        end.reason == restart_all::REASON && self.deadline.is_none()
            || self.restarts(index, end.exit_code)
    }

    /// Whether every container has stopped, or never ran.
    pub fn is_stopped(&self) -> bool {
        self.containers
            .iter()
            .all(|work| !matches!(work.step, Step::Running | Step::Starting))
    }

    /// The status as the API is told it.
    /// Sources: `pkg/kubelet/kubelet_pods.go` (`generateAPIPodStatus`, `getPhase`),
    /// `pkg/kubelet/kubelet.go` (`rejectPod`).
    pub fn status(&self) -> PodStatus {
        if let Some((reason, message)) = &self.aside.rejected {
            return PodStatus {
                phase: Phase::Failed,
                started: Some(self.started),
                reason: Some(reason),
                message: Some(format!("Pod was rejected: {message}").into()),
                ..PodStatus::default()
            };
        }
        let over = self.phase();
        let mut sidecars = self.lowered.iter().zip(&self.containers);
        let goes_on = sidecars.any(|(lowered, work)| {
            lowered.sidecar && matches!(work.state, ContainerState::Running { .. })
        });
        // What its sidecars still do counts to whoever looks at the pod.
        let phase = if over.is_terminal() && goes_on && self.aside.evicted.is_none() {
            Phase::Running
        } else {
            over
        };
        // Why a pod is ended is told when it has ended.
        // Source: `pkg/kubelet/status/status_manager.go` (`mergePodStatus`).
        let evicted = self.aside.evicted.as_ref();
        let evicted = evicted.filter(|_| phase == Phase::Failed);
        let containers = self.containers.iter().map(ContainerWork::status).collect();
        let serving = self
            .lowered
            .iter()
            .zip(&self.containers)
            .filter(|(lowered, _)| !lowered.init && !lowered.ephemeral);
        let mut serving = serving.map(|(_, work)| work.is_ready());
        let ready = !phase.is_terminal() && self.sandbox_ready && serving.all(|ready| ready);
        PodStatus {
            phase,
            containers,
            sandbox: self.sandbox,
            ip: self.ip,
            started: Some(self.started),
            sandbox_ready: self.sandbox_ready,
            initialized: self.initialized,
            containers_ready: ready,
            ready,
            reason: evicted.map(|(reason, _)| *reason),
            message: evicted.map(|(_, message)| message.clone()),
            sizes: self.sizes(),
            restarting_all: restart_all::condition(self, phase),
        }
    }

    /// The phase: in the end a pod has failed, if nothing else can be said of it.
    /// Source: `pkg/kubelet/status/status_manager.go` (`TerminatePod`).
    pub fn phase(&self) -> Phase {
        let phase = self.phase_of_containers();
        if self.finished && !phase.is_terminal() {
            return Phase::Failed;
        }
        phase
    }

    /// The phase that follows from the containers.
    fn phase_of_containers(&self) -> Phase {
        if self.aside.evicted.is_some() && self.is_stopped() {
            return Phase::Failed;
        }
        let mut running = 0;
        let mut waiting = 0;
        let mut restarting = 0;
        let mut failed = 0;
        let mut count = 0;
        for (index, (lowered, work)) in self.lowered.iter().zip(&self.containers).enumerate() {
            let terminated = work.termination();
            if lowered.init {
                match (&work.state, terminated) {
                    (ContainerState::Terminated(end), _) if end.exit_code == 0 => continue,
                    (ContainerState::Running { .. }, _) => return Phase::Pending,
                    (_, Some(end)) if !self.runs_again(index, end) => return Phase::Failed,
                    // One that has ended once holds nothing back: those behind it wait, or have run.
                    (_, Some(_)) if self.deadline.is_none() => continue,
                    _ => return Phase::Pending,
                }
            }
            if lowered.sidecar || lowered.ephemeral {
                continue;
            }
            count += 1;
            match (&work.state, terminated) {
                (ContainerState::Running { .. }, _) => running += 1,
                (_, None) => waiting += 1,
                (_, Some(end)) => {
                    restarting += u32::from(self.runs_again(index, end));
                    failed += u32::from(end.exit_code != 0);
                }
            }
        }
        if waiting > 0 && self.deadline.is_none() {
            return Phase::Pending;
        }
        if running > 0 || restarting > 0 {
            return Phase::Running;
        }
        if waiting == count && self.deadline.is_none() {
            return Phase::Pending;
        }
        if failed > 0 || waiting > 0 {
            Phase::Failed
        } else {
            Phase::Succeeded
        }
    }

    fn ended_well(&self, work: &ContainerWork) -> bool {
        matches!(&work.state, ContainerState::Terminated(end) if end.exit_code == 0)
    }
}

impl ContainerWork {
    /// One that has not been looked at, of a pod with or without init containers.
    pub fn fresh(has_init: bool) -> Self {
        let reason = if has_init {
            "PodInitializing"
        } else {
            "ContainerCreating"
        };
        Self {
            state: ContainerState::Waiting {
                reason,
                message: None,
            },
            ..Self::default()
        }
    }

    /// Whether the pod may count it as ready.
    pub fn is_ready(&self) -> bool {
        self.ready && self.started && matches!(self.state, ContainerState::Running { .. })
    }

    /// How it ended last, if it ever did.
    pub fn termination(&self) -> Option<&Arc<Termination>> {
        match &self.state {
            ContainerState::Terminated(end) => Some(end),
            ContainerState::Running { .. } | ContainerState::Waiting { .. } => self.last.as_ref(),
        }
    }

    /// Says that nobody knows how it ended.
    pub fn lose(&mut self) {
        self.state = ContainerState::Terminated(Arc::new(Termination {
            exit_code: 137,
            reason: "ContainerStatusUnknown",
            message: Some("The container could not be located when the pod was terminated".into()),
            started: None,
            finished: None,
            container: None,
        }));
        self.ready = false;
        self.started = false;
        self.stopping = None;
        self.ended = None;
    }

    /// Says that it waits, and keeps how it ended.
    pub fn wait(&mut self, reason: &'static str, message: Option<Arc<str>>) {
        if let ContainerState::Terminated(end) = &self.state {
            self.last = Some(end.clone());
        }
        self.state = ContainerState::Waiting { reason, message };
    }

    /// Says that it was taken from the runtime to begin anew; one that waits goes on waiting.
    pub fn reset(&mut self) {
        self.step = Step::Idle;
        self.container = None;
        self.ready = false;
        self.started = false;
        self.stopping = None;
        self.ended = None;
        self.resize_waits = false;
        if let Some(waits) = self.waits.written() {
            waits.not_before = None;
            waits.waited = None;
        }
        if matches!(self.state, ContainerState::Waiting { .. }) {
            return;
        }
        self.last = Some(Arc::new(Termination {
            exit_code: restart_all::EXIT_CODE,
            reason: restart_all::REASON,
            message: Some(restart_all::MESSAGE.into()),
            started: None,
            finished: None,
            container: None,
        }));
        self.state = ContainerState::Waiting {
            reason: restart_all::REASON,
            message: Some(restart_all::MESSAGE.into()),
        };
        // The status counts it at once; the next container of it counts as the first.
        self.restarts += 1;
        self.was_made = false;
    }

    /// Says that it ended.
    pub fn terminate(&mut self, code: i32, reason: &'static str, now: SimTime) {
        self.state = ContainerState::Terminated(Arc::new(Termination {
            exit_code: code,
            reason,
            message: None,
            started: Some(self.since),
            finished: Some(now),
            container: self.container,
        }));
        self.ready = false;
        self.started = false;
        self.stopping = None;
        self.ended = None;
    }

    fn status(&self) -> ContainerStatus {
        let ended = |end: &Arc<Termination>| end.container;
        ContainerStatus {
            state: self.state.clone(),
            last: self.last.clone(),
            ready: self.is_ready(),
            started: self.started && matches!(self.state, ContainerState::Running { .. }),
            restarts: self.restarts,
            // It is told still when it has gone with its sandbox.
            container: self
                .container
                .or_else(|| self.termination().and_then(ended))
                .or_else(|| self.last.as_ref().and_then(ended)),
        }
    }
}
