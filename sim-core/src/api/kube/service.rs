//! Service, `v1`.

use std::sync::Arc;

use crate::api::kube::container::Protocol;
use crate::base::sorted::SortedMap;

/// `spec` of a Service. Defaults: `pkg/apis/core/v1/defaults.go`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Service {
    /// How it is reached. Default `ClusterIp`.
    pub kind: ServiceKind,
    /// Its ports.
    pub ports: Vec<ServicePort>,
    /// Labels of the pods behind it; absent: someone else writes its endpoints.
    pub selector: Option<SortedMap<Arc<str>, Arc<str>>>,
    /// Virtual address.
    pub cluster_ip: ClusterIp,
    /// Whether pods that are not ready are answered with too.
    pub publish_not_ready_addresses: bool,
    /// Whether the server picks node ports where none is stated: a LoadBalancer may do without.
    pub allocates_node_ports: bool,
}

/// How a service is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServiceKind {
    /// Inside the cluster only.
    ClusterIp,
    /// Also at a port of every node.
    NodePort,
    /// Also through a balancer outside.
    LoadBalancer,
    /// Only a DNS name for something else.
    ExternalName,
}

/// Virtual address of a service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ClusterIp {
    /// The server picks one.
    Allocate,
    /// `None`: headless; the name resolves to the pods.
    Headless,
    /// This one.
    Fixed(Arc<str>),
}

/// A port of a service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServicePort {
    /// Name; empty when there is only one port without a name.
    pub name: Arc<str>,
    /// Number at the service's address.
    pub port: u16,
    /// Where it leads in the pods. Default: the same number.
    pub target_port: PortTarget,
    /// Number at every node; 0: the server picks one if the kind needs it.
    pub node_port: u16,
    /// Protocol; default TCP.
    pub protocol: Protocol,
}

/// A port by number or by a name that the pods' containers give it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PortTarget {
    /// The number.
    Number(u16),
    /// The name of a container's port.
    Name(Arc<str>),
}
