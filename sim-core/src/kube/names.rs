//! Names of the cluster as a pod's programs use them, and who answers behind them.
//! Sources: kubernetes/dns `docs/specification.md`, `pkg/proxy/iptables/proxier.go`.

use std::net::Ipv4Addr;

use crate::api::kube::service::ServiceKind;
use crate::base::symbol::Symbols;
use crate::substrate::Substrate;
use crate::substrate::order::SandboxId;
use crate::substrate::script::client::{Behind, is_outside};

use super::KubePlane;
use super::kubelet::resources::{CLUSTER_DNS, CLUSTER_DOMAIN};
use super::network_policy::agents::enforced;
use super::network_policy::{Direction, Peer, Policies, Verdict};
use super::proxy;
use super::rows::service::ServiceRow;
use super::rows::{PodId, ServiceId};

/// Address of the API servers' own Service: the first of the range.
/// Source: `pkg/controlplane/instance.go`.
const OWN_ADDRESS: u32 = (10 << 24) | (96 << 16) | 1;

/// Whether an address is one of those that are private: RFC 1918, first block.
const fn is_private(address: u32) -> bool {
    address >> 24 == 10
}

/// A name without what all names of the cluster end in.
fn within_cluster(host: &str) -> &str {
    let inner = host.strip_suffix(CLUSTER_DOMAIN);
    let inner = inner
        .and_then(|host| host.strip_suffix('.'))
        .unwrap_or(host);
    inner.strip_suffix(".svc").unwrap_or(inner)
}

fn is_own_service(inner: &str, namespace: &str) -> bool {
    inner == "kubernetes.default" || inner == "kubernetes" && namespace == "default"
}

impl KubePlane {
    /// What stands behind a name for a pod, at a port.
    pub fn behind(
        &self,
        (own, host, port): (PodId, &str, u16),
        machines: &Substrate,
        symbols: &Symbols,
    ) -> Behind {
        let Some(row) = self.store().pod(own) else {
            return Behind::Unknown;
        };
        let namespace = symbols.text(self.store().template(row.template).namespace);
        let host = host.trim_end_matches('.');
        if let Ok(address) = host.parse::<Ipv4Addr>() {
            return self.at_address((address.into(), port), machines);
        }
        let asks_cluster = self
            .store()
            .pod_details(own)
            .sandbox
            .and_then(|sandbox| machines.sandbox(sandbox))
            .is_some_and(|row| {
                let mut servers = row.spec.resolver.nameservers.iter();
                servers.any(|server| &**server == CLUSTER_DNS)
            });
        let inner = within_cluster(host);
        if is_own_service(inner, namespace) && asks_cluster {
            return Behind::Guarded;
        }
        let (service, among) = self.service_meant(namespace, inner, symbols);
        match service {
            Some(id) if asks_cluster => match among {
                Some(name) => self.among(id, name, port, symbols),
                None => self.of_service((id, port), machines),
            },
            _ if is_outside(host) && !self.is_inside(host, symbols) => Behind::Outside,
            _ => Behind::Unknown,
        }
    }

    /// The service of a name without the cluster's own, and which of its endpoints is meant.
    fn service_meant<'a>(
        &self,
        namespace: &str,
        inner: &'a str,
        symbols: &Symbols,
    ) -> (Option<ServiceId>, Option<&'a str>) {
        let parts: Vec<&str> = inner.split('.').collect();
        match parts.as_slice() {
            [service] => (self.service_of(namespace, service, symbols), None),
            [first, second] => match self.service_of(second, first, symbols) {
                Some(found) => (Some(found), None),
                None => (self.service_of(namespace, second, symbols), Some(*first)),
            },
            [first, service, namespace] => {
                (self.service_of(namespace, service, symbols), Some(*first))
            }
            _ => (None, None),
        }
    }

    /// The address that a name stands for, for a pod; none: it has several, or none.
    pub fn address_of(&self, (own, host): (PodId, &str), symbols: &Symbols) -> Option<u32> {
        if let Ok(address) = host.parse::<Ipv4Addr>() {
            return Some(address.into());
        }
        let row = self.store().pod(own)?;
        let namespace = symbols.text(self.store().template(row.template).namespace);
        let inner = within_cluster(host.trim_end_matches('.'));
        let (service, among) = self.service_meant(namespace, inner, symbols);
        let row = self.store().service(service.filter(|_| among.is_none())?)?;
        Some(row.cluster_ip).filter(|address| *address != 0)
    }

    fn service_of(&self, namespace: &str, name: &str, symbols: &Symbols) -> Option<ServiceId> {
        let (namespace, name) = (symbols.get(namespace)?, symbols.get(name)?);
        self.store().service_named(namespace, name)
    }

    fn of_service(&self, (id, port): (ServiceId, u16), machines: &Substrate) -> Behind {
        let Some(row) = self.store().service(id) else {
            return Behind::Unknown;
        };
        if row.kind == ServiceKind::ExternalName {
            return Behind::Outside;
        }
        if row.cluster_ip == 0 {
            let at = self.endpoints(row).map(|(_, sandbox)| (sandbox, port));
            let at: Vec<_> = at.collect();
            // A name without addresses is none.
            return if at.is_empty() {
                Behind::Unknown
            } else {
                Behind::Sandboxes(at)
            };
        }
        // What the proxies have written, not what they will.
        let index = row.ports.iter().position(|known| known.port == port);
        let rules = index.and_then(|index| machines.balancer(proxy::key(id, index as u32)));
        let Some(rules) = rules else {
            return Behind::Nothing;
        };
        let at = rules.backends().iter();
        let at: Vec<(SandboxId, u16)> = at.map(|to| (to.sandbox, to.port)).collect();
        if at.is_empty() {
            Behind::Nobody
        } else {
            Behind::Sandboxes(at)
        }
    }

    /// One endpoint by its pod's name.
    fn among(&self, id: ServiceId, name: &str, port: u16, symbols: &Symbols) -> Behind {
        let Some(row) = self.store().service(id) else {
            return Behind::Unknown;
        };
        let mut endpoints = self.endpoints(row);
        let found = endpoints.find(|(pod, _)| {
            let row = self.store().pod(*pod);
            row.is_some_and(|row| row.name.is(name, symbols))
        });
        found.map_or(Behind::Unknown, |(_, sandbox)| {
            Behind::Sandboxes(vec![(sandbox, port)])
        })
    }

    fn endpoints<'a>(
        &'a self,
        row: &'a ServiceRow,
    ) -> impl Iterator<Item = (PodId, SandboxId)> + 'a {
        let ready = row.endpoints.values().filter(|endpoint| endpoint.ready);
        ready.filter_map(|endpoint| {
            let sandbox = self.store().pod_details(endpoint.pod).sandbox?;
            Some((endpoint.pod, sandbox))
        })
    }

    fn at_address(&self, (address, port): (u32, u16), machines: &Substrate) -> Behind {
        let mut services = self.store().services();
        if let Some((id, _)) = services.find(|(_, row)| row.cluster_ip == address) {
            return self.of_service((id, port), machines);
        }
        // On a machine's own network each port is one pod's.
        let all = machines.sandboxes_at(address);
        let serves = |sandbox: &&SandboxId| {
            let mut inside = machines.containers_in(**sandbox);
            inside.any(|(_, row)| row.serves_from(port).is_some())
        };
        match all.iter().find(serves).or(all.first()) {
            Some(sandbox) => Behind::Sandboxes(vec![(*sandbox, port)]),
            None if address == OWN_ADDRESS => Behind::Guarded,
            None if is_private(address) => Behind::Nothing,
            None => Behind::Outside,
        }
    }

    /// Whether a name ends in a namespace: then it is a Service's that is not there.
    fn is_inside(&self, host: &str, symbols: &Symbols) -> bool {
        let last = host.rsplit('.').next().unwrap_or_default();
        let mut namespaces = self.store().documents().of("namespaces");
        symbols.get(last).is_some() && namespaces.any(|(key, _)| &*key.name == last)
    }

    /// Whether policies let a pod connect to a port of another's.
    pub fn lets_connect(
        &self,
        (from, here): (PodId, SandboxId),
        (to, there): (PodId, SandboxId),
        port: u16,
        machines: &Substrate,
        symbols: &Symbols,
    ) -> bool {
        let (store, policies) = (self.store(), self.policies.policies());
        if policies.is_empty() {
            return true;
        }
        let (Some(own), Some(other)) = (
            Policies::pod(from, store, symbols),
            Policies::pod(to, store, symbols),
        ) else {
            return true;
        };
        let allows = |direction, pod, address, peer| {
            let peer = Peer {
                address,
                pod: Some(peer),
            };
            !matches!(
                policies.judge(direction, pod, peer, ("tcp", port)),
                Verdict::Denied { .. }
            )
        };
        let address = |pod| store.pod_details(pod).ip;
        (!enforced(here, machines) || allows(Direction::Egress, &own, address(to), &other))
            && (!enforced(there, machines)
                || allows(Direction::Ingress, &other, address(from), &own))
    }
}
