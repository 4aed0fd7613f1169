//! What the scheduler wants to know of a pod, computed once for each template.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::api::kube::container::{Container, Protocol};
use crate::api::kube::pod::PodSpec;
use crate::api::kube::volume::VolumeSource;
use crate::base::symbol::Symbol;
use crate::kube::template::PodTemplate;

use super::plugins::resources::{DEFAULT_MEMORY, DEFAULT_MILLI_CPU};

/// A port of the node that a pod wants for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// Number.
    pub port: u16,
    /// Protocol.
    pub protocol: Protocol,
    /// Address; empty: all.
    pub ip: Arc<str>,
}

impl HostPort {
    /// Whether two pods cannot have both on one node.
    /// Source: `staging/src/k8s.io/kube-scheduler/framework/types.go`.
    pub fn conflicts(&self, other: &Self) -> bool {
        let wildcard = |ip: &str| ip.is_empty() || ip == "0.0.0.0";
        self.port == other.port
            && self.protocol == other.protocol
            && (wildcard(&self.ip) || wildcard(&other.ip) || self.ip == other.ip)
    }
}

/// Numbers of one pod of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// `spec.priority`.
    pub priority: i32,
    /// CPU requests in millicores.
    pub milli_cpu: i64,
    /// Memory requests in bytes.
    pub memory: i64,
    /// Scratch storage requests in bytes.
    pub ephemeral: i64,
    /// Requests of other resources.
    pub extended: SmallVec<[(Symbol, i64); 2]>,
    /// CPU as scores count it: containers without a request count a default.
    pub scored_milli_cpu: i64,
    /// Memory as scores count it.
    pub scored_memory: i64,
    /// Host ports of its containers and sidecars.
    pub ports: SmallVec<[HostPort; 1]>,
    /// Whether it prefers nodes by affinity.
    pub prefers: bool,
    /// Whether it requires nodes by affinity.
    pub requires: bool,
    /// Whether it has volumes.
    pub mounts: bool,
    /// Whether it waits for its scheduling gates.
    pub gated: bool,
    /// Images of its init containers, containers and volumes, with their tags.
    pub images: Vec<Arc<str>>,
    /// Its init containers and containers.
    pub containers: u32,
}

impl Demand {
    /// Sums a template up.
    pub fn of(template: &PodTemplate) -> Self {
        let spec = &*template.spec;
        let requests = &template.requests;
        Self {
            priority: template.priority,
            milli_cpu: requests.milli_cpu,
            memory: requests.memory,
            ephemeral: requests.ephemeral_storage,
            extended: requests
                .extended
                .iter()
                .copied()
                .filter(|(_, amount)| *amount > 0)
                .collect(),
            scored_milli_cpu: spec.pod_requests.cpu_milli.map_or_else(
                || {
                    scored(spec, |container| {
                        let request = container.resources.requests.cpu_milli;
                        request.map_or(DEFAULT_MILLI_CPU, amount)
                    })
                },
                amount,
            ) + spec.overhead.cpu_milli.map_or(0, amount),
            scored_memory: spec.pod_requests.memory_bytes.map_or_else(
                || {
                    scored(spec, |container| {
                        let request = container.resources.requests.memory_bytes;
                        request.map_or(DEFAULT_MEMORY, amount)
                    })
                },
                amount,
            ) + spec.overhead.memory_bytes.map_or(0, amount),
            ports: host_ports(spec),
            prefers: !spec.affinity.node_preferred.is_empty(),
            requires: spec.affinity.node_required.is_some(),
            mounts: !spec.volumes.is_empty(),
            gated: !spec.scheduling_gates.is_empty(),
            images: spec
                .init_containers
                .iter()
                .chain(&spec.containers)
                .map(|container| tagged(&container.image))
                .chain(
                    spec.volumes
                        .iter()
                        .filter_map(|volume| match &volume.source {
                            VolumeSource::Image(reference) => Some(tagged(reference)),
                            _ => None,
                        }),
                )
                .collect(),
            containers: (spec.init_containers.len() + spec.containers.len()) as u32,
        }
    }
}

/// Ports of their node that a pod's containers and sidecars hold.
pub fn host_ports(spec: &PodSpec) -> SmallVec<[HostPort; 1]> {
    spec.containers
        .iter()
        .chain(spec.init_containers.iter().filter(|init| init.sidecar))
        .flat_map(|container| &container.ports)
        .filter(|port| port.host_port != 0)
        .map(|port| HostPort {
            port: port.host_port,
            protocol: port.protocol,
            ip: port.host_ip.clone(),
        })
        .collect()
}

/// An image name as nodes list it: without a tag it means `latest`.
/// Source: `pkg/scheduler/framework/plugins/imagelocality/image_locality.go`.
pub fn tagged(image: &str) -> Arc<str> {
    let name = image.rsplit_once('/').map_or(image, |(_, name)| name);
    if name.contains(':') || name.contains('@') {
        image.into()
    } else {
        format!("{image}:latest").into()
    }
}

fn amount(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Aggregate of one resource: the sum over containers and sidecars, or, where it is more, an init
/// container and the sidecars before it.
/// Source: `staging/src/k8s.io/component-helpers/resource/helpers.go`.
fn scored(spec: &PodSpec, of: impl Fn(&Container) -> i64) -> i64 {
    let mut sidecars = 0_i64;
    let mut peak = 0_i64;
    for init in &spec.init_containers {
        if init.sidecar {
            sidecars = sidecars.saturating_add(of(init));
            peak = peak.max(sidecars);
        } else {
            peak = peak.max(sidecars.saturating_add(of(init)));
        }
    }
    spec.containers
        .iter()
        .fold(sidecars, |sum, container| sum.saturating_add(of(container)))
        .max(peak)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_conflict_unless_their_addresses_differ() {
        let port = |ip: &str| HostPort {
            port: 80,
            protocol: Protocol::Tcp,
            ip: ip.into(),
        };
        assert!(port("").conflicts(&port("10.0.0.1")));
        assert!(port("0.0.0.0").conflicts(&port("10.0.0.1")));
        assert!(!port("10.0.0.2").conflicts(&port("10.0.0.1")));
        assert!(!port("").conflicts(&HostPort {
            protocol: Protocol::Udp,
            ..port("")
        }));
    }
}
