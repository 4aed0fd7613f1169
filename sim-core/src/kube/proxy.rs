//! kube-proxy: turns services and endpoints into the rules that requests follow.
//!
//! The proxies of all nodes hear of the same change within milliseconds of each other and are
//! modelled as one: one write of rules for the whole cluster, at least the minimum sync period
//! after the one before. Source: `pkg/proxy/iptables/proxier.go`.

pub mod rules;

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::api::kube::service::{PortTarget, ServiceKind, ServicePort};
use crate::base::arrange::Arrange;
use crate::base::name::{Name, Rule};
use crate::base::sorted::SortedSet;
use crate::base::time::SimTime;
use crate::des::notice::Detail;
use crate::substrate::order::{Backend, BalanceMode, BalancerSpec, Entry, Order};

use super::event::Event;
use super::rows::ServiceId;
use super::rows::service::{Endpoint, ServiceRow};
use super::store::Store;
use super::turn::Turn;

/// Ports of one service that get rules; upstream has no such bound, manifests with more do not occur.
const PORTS_MAX: u32 = 64;

/// The proxies.
#[derive(Clone, Debug, Default)]
pub struct Proxy {
    /// Services to be written.
    changed: SortedSet<ServiceId>,
    /// When the last write was.
    last: Option<SimTime>,
    scheduled: bool,
    /// Ports programmed, by service slot: what is to be removed with the service.
    programmed: crate::base::sorted::SortedMap<ServiceId, u32>,
    /// Services that were removed.
    removed: SortedSet<ServiceId>,
    /// Whether the write that is scheduled had to wait for the period.
    waited: bool,
}

impl Proxy {
    /// Services whose rules are not up to date.
    pub fn waiting(&self) -> u64 {
        (self.changed.len() + self.removed.len()) as u64
    }

    /// A Service was written.
    pub fn service_changed(&mut self, id: ServiceId, turn: &mut Turn<'_, '_>) {
        let program = turn
            .store
            .service(id)
            .is_some_and(|row| row.slices_written.is_some());
        if program {
            self.slices_changed(id, turn);
        }
    }

    /// Its slices were written.
    pub fn slices_changed(&mut self, id: ServiceId, turn: &mut Turn<'_, '_>) {
        self.changed.insert(id);
        self.schedule(turn);
    }

    /// A Service is gone.
    pub fn service_removed(&mut self, id: ServiceId, turn: &mut Turn<'_, '_>) {
        self.changed.remove(&id);
        if self.programmed.contains_key(&id) {
            self.removed.insert(id);
            self.schedule(turn);
        }
    }

    fn schedule(&mut self, turn: &mut Turn<'_, '_>) {
        if self.scheduled {
            return;
        }
        self.scheduled = true;
        let soon = turn.now() + turn.store.watch_lag();
        let earliest = self
            .last
            .map(|last| last + turn.settings.proxy_min_sync_period);
        self.waited = earliest.is_some_and(|earliest| earliest > soon);
        let at = earliest.filter(|_| self.waited).unwrap_or(soon);
        turn.at(at, Event::ProxySync);
    }

    /// Writes the rules of all changed services.
    pub fn sync(&mut self, turn: &mut Turn<'_, '_>) {
        self.scheduled = false;
        self.last = Some(turn.now());
        let period = turn.settings.proxy_min_sync_period;
        let rule = self.waited.then_some(Rule {
            key: "iptables-min-sync-period",
            value: period,
        });
        while let Some(id) = self.removed.pop_first() {
            let ports = self.programmed.remove(&id).unwrap_or(0);
            for port in 0..ports {
                turn.out.order(Order::RemoveBalancer { key: key(id, port) });
            }
        }
        while let Some(id) = self.changed.pop_first() {
            let Some(row) = turn.store.service(id).cloned() else {
                continue;
            };
            let ports = if row.kind == ServiceKind::ExternalName {
                0
            } else {
                row.ports.len().min(PORTS_MAX as usize) as u32
            };
            let before = self.programmed.insert(id, ports).unwrap_or(0);
            for port in ports..before {
                turn.out.order(Order::RemoveBalancer { key: key(id, port) });
            }
            let receivers = receivers(&row);
            for (index, port) in row.ports.iter().take(ports as usize).enumerate() {
                let spec = balancer(&row, index, port, &receivers, turn);
                turn.out.order(Order::SetBalancer {
                    key: key(id, index as u32),
                    spec: Arc::new(spec),
                });
            }
            let detail = Detail::Number(receivers.len() as i64);
            turn.note_rule(
                "kube.proxy",
                "program",
                "service",
                Name::plain(row.name),
                detail,
                rule,
            );
        }
    }
}

/// Number of a service port's balancer.
pub(super) const fn key(id: ServiceId, port: u32) -> u32 {
    id.slot() * PORTS_MAX + port
}

/// Endpoints that take traffic: the ready ones, else those that still serve while they go, in the
/// order of their addresses' text.
fn receivers(row: &ServiceRow) -> Vec<Endpoint> {
    let mut chosen: Vec<Endpoint> = row
        .endpoints
        .values()
        .filter(|endpoint| endpoint.ready)
        .copied()
        .collect();
    if chosen.is_empty() {
        chosen = row
            .endpoints
            .values()
            .filter(|endpoint| endpoint.serving && endpoint.terminating)
            .copied()
            .collect();
    }
    let mut named: Vec<(String, Endpoint)> = chosen
        .into_iter()
        .map(|endpoint| (Ipv4Addr::from(endpoint.ip).to_string(), endpoint))
        .collect();
    named.arrange_by(|(a, _), (b, _)| a.cmp(b));
    named.into_iter().map(|(_, endpoint)| endpoint).collect()
}

fn balancer(
    row: &ServiceRow,
    index: usize,
    port: &ServicePort,
    receivers: &[Endpoint],
    turn: &mut Turn<'_, '_>,
) -> BalancerSpec {
    let mut name = turn.ctx.symbols.text(row.name).to_owned();
    let namespace = turn.ctx.symbols.text(row.namespace);
    if namespace != "default" {
        name = format!("{name}.{namespace}");
    }
    if index > 0 {
        let suffix = if port.name.is_empty() {
            port.port.to_string()
        } else {
            port.name.to_string()
        };
        name = format!("{name}:{suffix}");
    }
    let name = turn.ctx.symbols.intern(&name);
    let backends = receivers
        .iter()
        .filter_map(|endpoint| {
            let sandbox = turn.store.pod_details(endpoint.pod).sandbox?;
            Some(Backend {
                sandbox,
                port: target(endpoint, port, turn.store)?,
            })
        })
        .collect();
    let entry = if port.node_port == 0 {
        Entry::Inside
    } else {
        Entry::EveryMachine(port.node_port)
    };
    let mode = if row.cluster_ip == 0 {
        BalanceMode::Dns
    } else {
        BalanceMode::Random
    };
    BalancerSpec {
        name,
        mode,
        entry,
        backends,
    }
}

/// The port at the pod: by number, or by the name that the pod's own containers and sidecars give it.
/// Source: `staging/src/k8s.io/endpointslice/utils.go` (`FindPort`).
pub fn target(endpoint: &Endpoint, port: &ServicePort, store: &Store) -> Option<u16> {
    match &port.target_port {
        PortTarget::Number(number) => Some(*number),
        PortTarget::Name(name) => {
            let row = store.pod(endpoint.pod)?;
            let spec = &store.template(row.template).spec;
            let sidecars = spec.init_containers.iter().filter(|one| one.sidecar);
            let containers = spec.containers.iter().chain(sidecars);
            containers
                .flat_map(|container| &container.ports)
                .find(|declared| declared.name == *name && declared.protocol == port.protocol)
                .map(|declared| declared.container_port)
        }
    }
}
