//! Addresses and node ports of Services.
//! Sources: `pkg/registry/core/service/ipallocator`, `portallocator`.

use std::sync::Arc;

use crate::api::kube::object::KubeSpec;
use crate::api::kube::service::{ClusterIp, Service, ServiceKind, ServicePort};
use crate::base::rng::{Seed, Stream, stable_hash_parts};
use crate::base::sorted::SortedSet;
use crate::kube::controllers::service_cidr::Range;
use crate::kube::rows::service::ServiceRow;
use crate::manifest::decode::kube::decode_value;
use crate::manifest::value::Value;

use super::ApiServer;
use super::refusal::{Cause, cause};

/// kubeadm's service range, 10.96.0.0/12.
pub(in crate::kube) const RANGE_BASE: u32 = 0x0a60_0000;

/// Addresses of a range that are kept for those who ask for one.
/// Source: `pkg/registry/core/service/ipallocator/bitmap.go` (`calculateRangeOffset`).
fn lower(size: u32) -> u32 {
    if size <= 16 {
        0
    } else {
        (size / 16).clamp(16, 256)
    }
}

/// Default range of node ports, and its part kept for those who ask for one.
const PORT_FIRST: u16 = 30_000;
const PORT_LAST: u16 = 32_767;
const PORT_LOWER: u16 = 86;

/// What has been given out.
#[derive(Clone, Debug, Default)]
pub struct Allocations {
    addresses: Arc<SortedSet<u32>>,
    ports: Arc<SortedSet<u16>>,
}

/// A Service's addresses and ports after allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocated {
    /// `clusterIP`; 0: none.
    pub cluster_ip: u32,
    /// The ports, node ports filled in.
    pub ports: Vec<ServicePort>,
}

/// Whose luck decides: seed, namespace and name.
#[derive(Clone, Copy, Debug)]
pub struct Luck<'a> {
    /// Seed of the run.
    pub seed: Seed,
    /// Namespace.
    pub namespace: &'a str,
    /// Name.
    pub name: &'a str,
}

impl Allocations {
    /// Gives a Service what it asks for; `old` is what it holds already.
    ///
    /// # Errors
    /// The fields that cannot be granted; nothing is given out then.
    pub fn grant(
        &mut self,
        service: &Service,
        old: Option<&Allocated>,
        luck: Luck<'_>,
        ranges: &[Range],
    ) -> Result<Allocated, Vec<Cause>> {
        let mut next = self.clone();
        if let Some(old) = old {
            next.release(old);
        }
        let key = stable_hash_parts(&[luck.namespace, luck.name]);
        let stream = Stream::new(luck.seed, "cluster ip", key, 0);
        let cluster_ip = next.address(service, old, stream, ranges)?;
        let ports = next.node_ports(service, old, Stream::new(luck.seed, "node port", key, 0))?;
        *self = next;
        Ok(Allocated { cluster_ip, ports })
    }

    /// Takes back what a Service held.
    pub fn release(&mut self, allocated: &Allocated) {
        Arc::make_mut(&mut self.addresses).remove(&allocated.cluster_ip);
        for port in &allocated.ports {
            Arc::make_mut(&mut self.ports).remove(&port.node_port);
        }
    }

    fn address(
        &mut self,
        service: &Service,
        old: Option<&Allocated>,
        mut stream: Stream,
        ranges: &[Range],
    ) -> Result<u32, Vec<Cause>> {
        if service.kind == ServiceKind::ExternalName {
            return Ok(0);
        }
        let wrong = |message: String| vec![cause("spec.clusterIPs", message)];
        let taken = Arc::make_mut(&mut self.addresses);
        match &service.cluster_ip {
            ClusterIp::Headless => Ok(0),
            ClusterIp::Fixed(text) => {
                // Source: `pkg/registry/core/service/ipallocator/cidrallocator.go` (`getAllocator`).
                let ip = text.parse::<std::net::Ipv4Addr>().map(u32::from);
                let kept = |ip| old.is_some_and(|old| old.cluster_ip == ip);
                let granted = |ip| kept(ip) || ranges.iter().any(|range| range.gives(ip));
                let Some(ip) = ip.ok().filter(|ip| granted(*ip)) else {
                    return Err(wrong(format!(
                        "Invalid value: [\"{text}\"]: failed to allocate IP {text}: the provided network does not match the current range"
                    )));
                };
                let is_first = ip == RANGE_BASE + 1 && old.is_none_or(|old| old.cluster_ip != ip);
                if is_first || !taken.insert(ip) {
                    return Err(wrong(format!(
                        "Invalid value: [\"{text}\"]: failed to allocate IP {text}: provided IP is already allocated"
                    )));
                }
                Ok(ip)
            }
            ClusterIp::Allocate => {
                if let Some(kept) = old.map(|old| old.cluster_ip).filter(|ip| *ip != 0) {
                    taken.insert(kept);
                    return Ok(kept);
                }
                for range in ranges {
                    let (lower, most) = (lower(range.size), range.size.saturating_sub(2));
                    let upper = most.saturating_sub(lower);
                    let start = stream.below(upper.max(1));
                    // From somewhere in the upper part on, and round; then the lower one.
                    let steps = (0..upper).map(|step| lower + (start + step) % upper);
                    let mut offsets = steps.chain(0..lower.min(most));
                    let free = offsets.find(|offset| taken.insert(range.base + 1 + offset));
                    if let Some(offset) = free {
                        return Ok(range.base + 1 + offset);
                    }
                }
                Err(wrong(
                    "Internal error: failed to allocate a serviceIP: range is full".to_owned(),
                ))
            }
        }
    }

    fn node_ports(
        &mut self,
        service: &Service,
        old: Option<&Allocated>,
        mut stream: Stream,
    ) -> Result<Vec<ServicePort>, Vec<Cause>> {
        let mut ports = service.ports.clone();
        if !matches!(
            service.kind,
            ServiceKind::NodePort | ServiceKind::LoadBalancer
        ) {
            ports.iter_mut().for_each(|port| port.node_port = 0);
            return Ok(ports);
        }
        let taken = Arc::make_mut(&mut self.ports);
        let mut own: Vec<(u16, crate::api::kube::container::Protocol)> = Vec::new();
        for (index, port) in ports.iter_mut().enumerate() {
            let field = format!("spec.ports[{index}].nodePort");
            if port.node_port == 0 {
                continue;
            }
            let number = port.node_port;
            if !(PORT_FIRST..=PORT_LAST).contains(&number) {
                let message = format!(
                    "Invalid value: {number}: provided port is not in the valid range. The range of valid ports is {PORT_FIRST}-{PORT_LAST}"
                );
                return Err(vec![cause(field, message)]);
            }
            // One number may serve two protocols of the same Service.
            let shared = own
                .iter()
                .any(|(other, protocol)| *other == number && *protocol != port.protocol);
            if !taken.insert(number) && !shared {
                return Err(vec![cause(
                    field,
                    format!("Invalid value: {number}: provided port is already allocated"),
                )]);
            }
            own.push((number, port.protocol));
        }
        for (index, port) in ports.iter_mut().enumerate() {
            if port.node_port != 0 {
                continue;
            }
            let kept = old
                .and_then(|old| {
                    old.ports
                        .iter()
                        .find(|known| known.port == port.port && known.protocol == port.protocol)
                })
                .map(|known| known.node_port);
            if let Some(kept) = kept.filter(|kept| *kept != 0 && taken.insert(*kept)) {
                port.node_port = kept;
                continue;
            }
            if !service.allocates_node_ports {
                continue;
            }
            port.node_port = free_port(taken, &mut stream).ok_or_else(|| {
                vec![cause(
                    format!("spec.ports[{index}].nodePort"),
                    "Internal error: failed to allocate a nodePort: range is full",
                )]
            })?;
        }
        Ok(ports)
    }
}

/// A port by chance from the upper part of the range, else the first free one of the lower part.
fn free_port(taken: &mut SortedSet<u16>, stream: &mut Stream) -> Option<u16> {
    let upper = PORT_FIRST + PORT_LOWER;
    let count = PORT_LAST - upper + 1;
    let start = u16::try_from(stream.below(u32::from(count))).expect("below 2768");
    let mut candidates = (0..count)
        .map(|step| upper + (start + step) % count)
        .chain(PORT_FIRST..upper);
    candidates.find(|port| taken.insert(*port))
}

/// Takes off what only the old type has and the writer did not change.
/// Source: `pkg/registry/core/service/strategy.go` (`dropTypeDependentFields`).
pub fn drop_of_type(old: &Value, new: &mut Value) {
    let kind = |object: &Value| {
        object
            .str_at(&["spec", "type"])
            .unwrap_or("ClusterIP")
            .to_owned()
    };
    let (before, after) = (kind(old), kind(new));
    if before == after {
        return;
    }
    let has_ports = |kind: &str| matches!(kind, "NodePort" | "LoadBalancer");
    let mut gone: Vec<&str> = Vec::new();
    if before != "ExternalName" && after == "ExternalName" {
        gone.extend(["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"]);
        gone.push("internalTrafficPolicy");
    }
    if has_ports(&before) && !has_ports(&after) {
        gone.extend(["externalTrafficPolicy", "healthCheckNodePort"]);
        let ports = |object: &Value| -> Vec<i64> {
            let list = object.path(&["spec", "ports"]).and_then(Value::as_list);
            let numbers = list.unwrap_or(&[]).iter();
            numbers
                .filter_map(|port| port.i64_at(&["nodePort"]))
                .collect()
        };
        let known = ports(old);
        if ports(new).iter().all(|port| known.contains(port)) {
            let list = new
                .path_mut(&["spec", "ports"])
                .and_then(Value::as_list_mut);
            for port in list.into_iter().flatten() {
                port.remove("nodePort");
            }
        }
    }
    if before == "LoadBalancer" && after != "LoadBalancer" {
        gone.extend(["allocateLoadBalancerNodePorts", "loadBalancerClass"]);
    }
    for field in gone {
        if old.path(&["spec", field]) == new.path(&["spec", field]) {
            new.remove_path(&["spec", field]);
        }
    }
}

/// What a Service without a row holds, by its document: the API servers' own.
pub fn held(document: &Value) -> Option<Allocated> {
    let (object, _) = decode_value(document);
    let KubeSpec::Service(spec) = object?.spec else {
        return None;
    };
    let cluster_ip = match &spec.cluster_ip {
        ClusterIp::Fixed(text) => text.parse::<std::net::Ipv4Addr>().ok().map(u32::from),
        ClusterIp::Headless | ClusterIp::Allocate => None,
    };
    Some(Allocated {
        cluster_ip: cluster_ip.unwrap_or(0),
        ports: spec.ports.clone(),
    })
}

impl ApiServer {
    /// Frees what Services held that have gone, whether by a request or by the garbage collector.
    pub fn free(&mut self, gone: &[ServiceRow]) {
        for row in gone {
            self.allocations.release(&Allocated {
                cluster_ip: row.cluster_ip,
                ports: row.ports.to_vec(),
            });
        }
    }
}

/// Writes addresses and ports into a Service's document.
pub fn write_back(allocated: &Allocated, service: &Service, document: &mut Value) {
    if service.kind == ServiceKind::ExternalName {
        return;
    }
    let address = if allocated.cluster_ip == 0 {
        "None".to_owned()
    } else {
        crate::kube::render::address(allocated.cluster_ip)
    };
    document.set_path(&["spec", "clusterIP"], address.as_str().into());
    document.set_path(&["spec", "clusterIPs"], Value::list(vec![address.into()]));
    for (index, port) in allocated.ports.iter().enumerate() {
        let index = index.to_string();
        let path = ["spec", "ports", &index, "nodePort"];
        if port.node_port == 0 {
            document.remove_path(&path);
        } else {
            document.set_path(&path, Value::Int(port.node_port.into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::kube::container::Protocol;
    use crate::api::kube::service::PortTarget;

    fn node_port(number: u16) -> Service {
        let port = ServicePort {
            name: "".into(),
            port: 80,
            target_port: PortTarget::Number(80),
            node_port: number,
            protocol: Protocol::Tcp,
        };
        Service {
            allocates_node_ports: true,
            kind: ServiceKind::NodePort,
            ports: vec![port],
            selector: None,
            cluster_ip: ClusterIp::Allocate,
            publish_not_ready_addresses: false,
        }
    }

    #[test]
    fn a_node_port_is_given_once_and_comes_back() {
        let mut allocations = Allocations::default();
        let ranges = [Range {
            base: RANGE_BASE,
            size: 1 << 20,
        }];
        let luck = |name| Luck {
            seed: Seed(1),
            namespace: "default",
            name,
        };
        let first = allocations
            .grant(&node_port(30_080), None, luck("a"), &ranges)
            .unwrap();
        let refused = allocations
            .grant(&node_port(30_080), None, luck("b"), &ranges)
            .unwrap_err();
        assert_eq!(
            refused[0].message,
            "Invalid value: 30080: provided port is already allocated"
        );
        assert!(
            allocations
                .grant(&node_port(30_080), Some(&first), luck("a"), &ranges)
                .is_ok(),
            "its own port is no conflict"
        );
        allocations.release(&first);
        assert!(
            allocations
                .grant(&node_port(30_080), None, luck("b"), &ranges)
                .is_ok()
        );
        let drawn = allocations
            .grant(&node_port(0), None, luck("c"), &ranges)
            .unwrap();
        assert!(drawn.ports[0].node_port >= 30_086);
        assert!(drawn.cluster_ip > RANGE_BASE + lower(1 << 20));
    }
}
