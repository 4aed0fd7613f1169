//! The words of SwarmKit's objects: states, availability, roles, and the texts that go with them.
//! Source: swarmkit `api/types.proto`.

/// A task's state, observed or desired. Compared as numbers: progress never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TaskState {
    /// Made by an orchestrator (0).
    New,
    /// The allocator is done with it (64).
    Pending,
    /// The scheduler has chosen a node (192).
    Assigned,
    /// The node's agent has it (256).
    Accepted,
    /// Image and networks are being fetched (320).
    Preparing,
    /// Could start at once (384).
    Ready,
    /// The container starts, or its health check has not passed yet (448).
    Starting,
    /// Running, and healthy if it has a health check (512).
    Running,
    /// Ended with exit code 0 (576).
    Complete,
    /// Stopped on request (640).
    Shutdown,
    /// Ended otherwise, or could not be started (704).
    Failed,
    /// The node could not prepare it (768).
    Rejected,
    /// To be deleted; only ever a desired state (800).
    Remove,
    /// Its node is gone for good (832).
    Orphaned,
}

impl TaskState {
    /// Lower-case name as the API prints it, e.g. `running`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Pending => "pending",
            Self::Assigned => "assigned",
            Self::Accepted => "accepted",
            Self::Preparing => "preparing",
            Self::Ready => "ready",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Shutdown => "shutdown",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Remove => "remove",
            Self::Orphaned => "orphaned",
        }
    }

    /// Name as tables print it, e.g. `Running`.
    pub const fn title(self) -> &'static str {
        match self {
            Self::New => "New",
            Self::Pending => "Pending",
            Self::Assigned => "Assigned",
            Self::Accepted => "Accepted",
            Self::Preparing => "Preparing",
            Self::Ready => "Ready",
            Self::Starting => "Starting",
            Self::Running => "Running",
            Self::Complete => "Complete",
            Self::Shutdown => "Shutdown",
            Self::Failed => "Failed",
            Self::Rejected => "Rejected",
            Self::Remove => "Remove",
            Self::Orphaned => "Orphaned",
        }
    }

    /// Whether a task in this state holds its node's resources: pending to running.
    /// Source: swarmkit `manager/scheduler/scheduler.go`.
    pub fn holds_resources(self) -> bool {
        self >= Self::Assigned && self <= Self::Running
    }
}

/// The message of a task's status. Source: swarmkit `manager/orchestrator/task.go`,
/// `manager/allocator/network.go`, `manager/scheduler/scheduler.go`, `agent/exec/controller.go`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// `created`.
    Created,
    /// `pending task scheduling`.
    PendingScheduling,
    /// `scheduler assigned task to node`.
    SchedulerAssigned,
    /// `scheduler confirmed task can run on preassigned node`.
    SchedulerConfirmed,
    /// `accepted`.
    Accepted,
    /// `preparing`.
    Preparing,
    /// `prepared`.
    Prepared,
    /// `starting`.
    Starting,
    /// `started`.
    Started,
    /// `finished`.
    Finished,
    /// `shutdown`.
    Shutdown,
    /// Rejected by the constraint enforcer.
    Enforced,
    /// Orphaned with its node.
    NodeDeleted,
    /// Orphaned after the node was down for a day.
    NodeDownTooLong,
    /// A pending task was no longer wanted.
    PendingShutdown,
}

impl Message {
    /// The text.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::PendingScheduling => "pending task scheduling",
            Self::SchedulerAssigned => "scheduler assigned task to node",
            Self::SchedulerConfirmed => "scheduler confirmed task can run on preassigned node",
            Self::Accepted => "accepted",
            Self::Preparing => "preparing",
            Self::Prepared => "prepared",
            Self::Starting => "starting",
            Self::Started => "started",
            Self::Finished => "finished",
            Self::Shutdown => "shutdown",
            Self::Enforced => "task rejected by constraint enforcer",
            Self::NodeDeleted => "Task belonged to a node that has been deleted",
            Self::NodeDownTooLong => "Node hosting the task has been down for too long",
            Self::PendingShutdown => "task shut down before it was scheduled",
        }
    }
}

/// What the manager thinks of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeState {
    /// Not registered since the leader took over.
    Unknown,
    /// Missed its heartbeats.
    Down,
    /// Has a session.
    Ready,
    /// The manager dropped its session.
    Disconnected,
}

impl NodeState {
    /// Lower-case name as the API prints it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Down => "down",
            Self::Ready => "ready",
            Self::Disconnected => "disconnected",
        }
    }

    /// Name as tables print it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown",
            Self::Down => "Down",
            Self::Ready => "Ready",
            Self::Disconnected => "Disconnected",
        }
    }
}

/// What an operator wants of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Availability {
    /// Takes tasks.
    Active,
    /// Keeps its tasks, takes no new ones.
    Pause,
    /// Gives its tasks away.
    Drain,
}

impl Availability {
    /// Lower-case name.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pause => "pause",
            Self::Drain => "drain",
        }
    }

    /// Name as tables print it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Pause => "Pause",
            Self::Drain => "Drain",
        }
    }
}

/// A node's role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Runs tasks only.
    Worker,
    /// Takes part in the management of the swarm, and runs tasks unless drained.
    Manager,
}

impl Role {
    /// Lower-case name.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Manager => "manager",
        }
    }
}

/// Where an update or a rollback is. Source: swarmkit `api/types.proto` UpdateStatus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UpdateState {
    /// Slots are being replaced.
    Updating,
    /// A failure stopped it.
    Paused,
    /// Done.
    Completed,
    /// Slots return to the previous specification.
    RollbackStarted,
    /// A failure stopped the rollback.
    RollbackPaused,
    /// The rollback is done.
    RollbackCompleted,
}

impl UpdateState {
    /// Name as the API prints it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Updating => "updating",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::RollbackStarted => "rollback_started",
            Self::RollbackPaused => "rollback_paused",
            Self::RollbackCompleted => "rollback_completed",
        }
    }
}
