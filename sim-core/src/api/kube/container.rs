//! A container of a pod.

use std::sync::Arc;

use crate::api::kube::pod::RestartPolicy;
use crate::api::kube::probe::{Hook, Probe};
use crate::api::resources::ResourceNeeds;

/// One entry of `containers` or `initContainers`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Container {
    /// Name, unique in the pod.
    pub name: Arc<str>,
    /// Image reference as written.
    pub image: Arc<str>,
    /// Entry point; empty: the image's.
    pub command: Vec<Arc<str>>,
    /// Arguments; empty: the image's.
    pub args: Vec<Arc<str>>,
    /// Variables in the order written; those taken from elsewhere (`valueFrom`) are not here.
    pub env: Vec<(Arc<str>, Arc<str>)>,
    /// Declared ports.
    pub ports: Vec<ContainerPort>,
    /// Requests and limits.
    pub resources: ResourceNeeds,
    /// Kills and restarts the container when it fails.
    pub liveness_probe: Option<Probe>,
    /// Takes the pod out of its services when it fails.
    pub readiness_probe: Option<Probe>,
    /// Holds back the other two until it has succeeded.
    pub startup_probe: Option<Probe>,
    /// When the image is pulled. Default: `Always` for the tag `latest` or none, else `IfNotPresent`.
    pub image_pull_policy: ImagePullPolicy,
    /// `lifecycle.postStart`.
    pub post_start: Option<Hook>,
    /// `lifecycle.preStop`.
    pub pre_stop: Option<Hook>,
    /// Only for init containers: `restartPolicy: Always`, which makes it a sidecar.
    pub sidecar: bool,
    /// `restartPolicy` of another container, which takes precedence over the pod's.
    pub restart: Option<RestartPolicy>,
    /// `restartPolicyRules`: the first that matches an exit code precedes the policies.
    pub restart_rules: Vec<RestartRule>,
    /// `targetContainerName`, only of ephemeral ones: the container whose processes it is among.
    pub target: Option<Arc<str>>,
}

/// What is done after some exit codes of a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RestartRule {
    /// What is done.
    pub action: RestartAction,
    /// Those that are not listed (`NotIn`) instead of those that are (`In`).
    pub others: bool,
    /// The list.
    pub codes: Vec<i64>,
}

/// What follows a container's exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RestartAction {
    /// The container is started again.
    Restart,
    /// So are all containers of its pod, init containers among them.
    RestartAllContainers,
}

impl RestartRule {
    /// Whether an exit code is one of them.
    pub fn matches(&self, code: i32) -> bool {
        self.codes.contains(&i64::from(code)) != self.others
    }
}

/// A port that a container declares.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContainerPort {
    /// Name; empty when it has none.
    pub name: Arc<str>,
    /// Number inside the pod.
    pub container_port: u16,
    /// Number on the node; 0: none.
    pub host_port: u16,
    /// Address on the node that the host port is for; empty: all.
    pub host_ip: Arc<str>,
    /// Protocol; default TCP.
    pub protocol: Protocol,
}

/// Transport protocol of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// When an image is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImagePullPolicy {
    /// Before every start.
    Always,
    /// When the node does not have it.
    IfNotPresent,
    /// Never.
    Never,
}
