//! The allocator: virtual addresses, published ports, and the step from NEW to PENDING.
//! Source: swarmkit `manager/allocator`.

use crate::api::swarm::service::{EndpointMode, PortProtocol, PublishMode};
use crate::base::sorted::SortedSet;
use crate::base::time::SimDuration;
use crate::substrate::{Context, PlaneOutbox};
use crate::swarm::addresses::PREDEFINED;
use crate::swarm::state::{Message, TaskState};
use crate::swarm::store::{ServiceId, TaskId};
use crate::swarm::{Event, SwarmPlane};

/// Time from a new task to PENDING: two transactions of a leader without load. Modelled; upstream
/// has no timer here.
pub const ALLOCATION_LATENCY: SimDuration = SimDuration::from_millis(5);

/// First port that is picked when none is asked for. Source: `manager/allocator/portallocator.go`.
pub const DYNAMIC_PORT_FIRST: u16 = 30_000;

/// Last port that is picked.
pub const DYNAMIC_PORT_LAST: u16 = 32_767;

/// First address of the default pool 10.0.0.0/8; networks take a /24 each.
pub const POOL_FIRST: u32 = 10 << 24;

/// What waits to be allocated.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allocator {
    pub(crate) waiting: SortedSet<TaskId>,
    /// Tasks for which a network had no address left.
    pub(crate) starved: SortedSet<TaskId>,
}

impl SwarmPlane {
    /// A task was made: it becomes PENDING a moment later.
    pub(crate) fn allocator_sees(&mut self, task: TaskId, out: &mut PlaneOutbox<Event>) {
        if self.allocator.waiting.is_empty() {
            out.after(ALLOCATION_LATENCY, Event::Allocate);
        }
        self.allocator.waiting.insert(task);
    }

    /// Makes everything that waits PENDING.
    pub(crate) fn allocate(&mut self, ctx: &mut Context<'_>) {
        for task in std::mem::take(&mut self.allocator.waiting) {
            if !self.give_task_addresses(task) {
                self.allocator.starved.insert(task);
                continue;
            }
            self.store.update_task(task, |row| {
                if row.state == TaskState::New {
                    row.state = TaskState::Pending;
                    row.message = Message::PendingScheduling;
                    row.status_at = ctx.now;
                }
            });
        }
    }

    /// A task's addresses are free; those that waited for one are looked at again.
    pub(crate) fn addresses_back(&mut self, task: TaskId, out: &mut PlaneOutbox<Event>) {
        self.free_task_addresses(task);
        self.allocator.starved.remove(&task);
        for task in std::mem::take(&mut self.allocator.starved) {
            self.allocator_sees(task, out);
        }
    }

    /// Gives a service its ports and virtual addresses; what it has it keeps.
    pub(crate) fn allocate_service(&mut self, service: ServiceId) {
        let Some(object) = self.store.service(service) else {
            return;
        };
        let old_ports = object.ports.clone();
        let spec = object.spec.clone();
        let mut used: SortedSet<(PortProtocol, u16)> = self
            .store
            .services()
            .filter(|(other, _)| *other != service)
            .flat_map(|(_, other)| other.ports.iter())
            .filter(|port| port.mode == PublishMode::Ingress)
            .map(|port| (port.protocol, port.published))
            .collect();
        let mut ports = spec.ports.clone();
        for port in &mut ports {
            if port.mode == PublishMode::Host || port.published != 0 {
                continue;
            }
            let kept = old_ports.iter().find(|old| {
                old.target == port.target
                    && old.protocol == port.protocol
                    && old.mode == port.mode
                    && old.published >= DYNAMIC_PORT_FIRST
            });
            port.published = match kept {
                Some(kept) => kept.published,
                None => (DYNAMIC_PORT_FIRST..=DYNAMIC_PORT_LAST)
                    .find(|number| !used.contains(&(port.protocol, *number)))
                    .unwrap_or(0),
            };
            used.insert((port.protocol, port.published));
        }
        let ingress = ports.iter().any(|port| port.mode == PublishMode::Ingress);
        let mut networks: Vec<std::sync::Arc<str>> = Vec::new();
        if ingress {
            networks.push("ingress".into());
        }
        let own = spec.task.networks.iter();
        networks.extend(own.filter(|name| !PREDEFINED.contains(&&***name)).cloned());
        if spec.endpoint_mode == EndpointMode::Dnsrr {
            networks.clear();
        }
        let addresses = self.service_addresses(service, &networks);
        self.store.touch_service(service, |service| {
            service.ports = ports;
            service.virtual_addresses = addresses;
        });
    }
}
