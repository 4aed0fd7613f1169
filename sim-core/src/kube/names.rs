//! Names of the cluster as a pod's programs use them, and who answers behind them.
//! Sources: kubernetes/dns `docs/specification.md`, `pkg/proxy/iptables/proxier.go`.

use crate::api::kube::service::ServiceKind;
use crate::base::symbol::Symbols;
use crate::substrate::Substrate;
use crate::substrate::order::SandboxId;
use crate::substrate::script::client::Behind;

use super::KubePlane;
use super::kubelet::resources::{CLUSTER_DNS, CLUSTER_DOMAIN};
use super::network_policy::agents::enforced;
use super::network_policy::{Direction, Peer, Policies, Verdict};
use super::proxy;
use super::rows::PodId;
use super::rows::service::ServiceRow;

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
        if let Ok(address) = host.parse::<std::net::Ipv4Addr>() {
            return self.at_address(address.into(), port, symbols);
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
        let inner = host.strip_suffix(CLUSTER_DOMAIN);
        let inner = inner
            .and_then(|host| host.strip_suffix('.'))
            .unwrap_or(host);
        let inner = inner.strip_suffix(".svc").unwrap_or(inner);
        let parts: Vec<&str> = inner.split('.').collect();
        let (service, among) = match parts.as_slice() {
            [service] => (self.service_of(namespace, service, symbols), None),
            [first, second] => match self.service_of(second, first, symbols) {
                Some(found) => (Some(found), None),
                None => (self.service_of(namespace, second, symbols), Some(*first)),
            },
            [first, service, namespace] => {
                (self.service_of(namespace, service, symbols), Some(*first))
            }
            _ => (None, None),
        };
        match service {
            Some(row) if asks_cluster => match among {
                Some(name) => self.among(row, name, port, symbols),
                None => self.of_service(row, port, symbols),
            },
            _ if host.contains('.') && inner == host => Behind::Outside,
            _ => Behind::Unknown,
        }
    }

    fn service_of(&self, namespace: &str, name: &str, symbols: &Symbols) -> Option<&ServiceRow> {
        let (namespace, name) = (symbols.get(namespace)?, symbols.get(name)?);
        let mut services = self.store().services();
        let found = services.find(|(_, row)| row.name == name && row.namespace == namespace);
        found.map(|(_, row)| row)
    }

    fn of_service(&self, row: &ServiceRow, port: u16, symbols: &Symbols) -> Behind {
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
        let own =
            symbols.text(row.name) == "kubernetes" && symbols.text(row.namespace) == "default";
        if own {
            return Behind::Guarded;
        }
        let Some(port) = row.ports.iter().find(|known| known.port == port) else {
            return Behind::Nothing;
        };
        let at: Vec<(SandboxId, u16)> = proxy::receivers(row)
            .iter()
            .filter_map(|endpoint| {
                let sandbox = self.store().pod_details(endpoint.pod).sandbox?;
                Some((sandbox, proxy::target(endpoint, port, self.store())?))
            })
            .collect();
        if at.is_empty() {
            Behind::Nobody
        } else {
            Behind::Sandboxes(at)
        }
    }

    /// One endpoint by its pod's name.
    fn among(&self, row: &ServiceRow, name: &str, port: u16, symbols: &Symbols) -> Behind {
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

    fn at_address(&self, address: u32, port: u16, symbols: &Symbols) -> Behind {
        if let Some((_, row)) = self
            .store()
            .services()
            .find(|(_, row)| row.cluster_ip == address)
        {
            return self.of_service(row, port, symbols);
        }
        let mut pods = self.store().pods();
        let found = pods.find(|(pod, _)| self.store().pod_details(*pod).ip == address);
        let sandbox = found.and_then(|(pod, _)| self.store().pod_details(pod).sandbox);
        sandbox.map_or(Behind::Outside, |sandbox| {
            Behind::Sandboxes(vec![(sandbox, port)])
        })
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
        let store = self.store();
        if !Policies::are_in(store) {
            return true;
        }
        let (Some(own), Some(other)) = (
            Policies::pod(from, store, symbols),
            Policies::pod(to, store, symbols),
        ) else {
            return true;
        };
        let policies = Policies::read(store);
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
