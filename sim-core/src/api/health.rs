//! Health checks of Docker, which Swarm and Compose share.

use std::sync::Arc;

use crate::base::time::SimDuration;

/// What is run to find out whether a container is well.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HealthTest {
    /// `NONE`, or `disable: true`: no check even if the image has one.
    Disabled,
    /// `CMD`: the words of a command.
    Command(Vec<Arc<str>>),
    /// `CMD-SHELL`: a line for the image's shell.
    Shell(Arc<str>),
}

/// A container's `healthcheck`. Defaults: moby `daemon/health.go`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HealthCheck {
    /// What is run; absent when the image's own check is kept and only its times are changed.
    pub test: Option<HealthTest>,
    /// Time between the end of a check and the next. Default 30 s.
    pub interval: SimDuration,
    /// Time after which a check has failed. Default 30 s.
    pub timeout: SimDuration,
    /// Failures in a row that make the container unhealthy. Default 3.
    pub retries: u32,
    /// Time after the start in which failures are not counted. Default 0.
    pub start_period: SimDuration,
    /// Time between checks in `start_period`. Default 5 s.
    pub start_interval: SimDuration,
}
