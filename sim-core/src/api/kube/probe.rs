//! Probes and lifecycle handlers of a container.

use std::sync::Arc;

use crate::api::kube::service::PortTarget;

/// How a container is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ProbeHandler {
    /// GET; 200 to 399 is a success.
    HttpGet {
        /// Port by number or by the container's port name.
        port: PortTarget,
        /// Path; default `/`.
        path: Arc<str>,
    },
    /// A connection is a success.
    TcpSocket {
        /// Port by number or by the container's port name.
        port: PortTarget,
    },
    /// The health service of gRPC.
    Grpc {
        /// Port number.
        port: u16,
    },
    /// Exit 0 is a success.
    Exec {
        /// Words of the command.
        command: Vec<Arc<str>>,
    },
}

/// A probe. Defaults: `pkg/apis/core/v1/defaults.go`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Probe {
    /// How the container is asked.
    pub handler: ProbeHandler,
    /// Seconds from the container's start to the first probe. Default 0.
    pub initial_delay_seconds: u32,
    /// Seconds between probes. Default 10.
    pub period_seconds: u32,
    /// Seconds after which a probe has failed. Default 1.
    pub timeout_seconds: u32,
    /// Successes in a row that count as a success. Default 1; liveness and startup: always 1.
    pub success_threshold: u32,
    /// Failures in a row that count as a failure. Default 3.
    pub failure_threshold: u32,
    /// Grace in seconds when this probe kills the container; absent: the pod's.
    pub termination_grace_period_seconds: Option<u32>,
}

/// What runs after a container's start, or before it is told to stop.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Hook {
    /// A command in the container.
    Exec {
        /// Its words.
        command: Vec<Arc<str>>,
    },
    /// Wait.
    Sleep {
        /// Seconds.
        seconds: u32,
    },
    /// A GET.
    HttpGet {
        /// Port by number or by the container's port name.
        port: PortTarget,
        /// Path; default `/`.
        path: Arc<str>,
    },
}
