//! Replicated services: as many slots as replicas.
//! Source: swarmkit `manager/orchestrator/replicated/{services,slot}.go`.

use crate::api::swarm::service::ServiceMode;
use crate::base::arrange::Arrange;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::substrate::{Context, PlaneOutbox};
use crate::swarm::orchestrator::Place;
use crate::swarm::state::TaskState;
use crate::swarm::store::{NodeId, ServiceId, Slot, SlotKey};
use crate::swarm::{Event, SwarmPlane};

/// What scaling down looks at in a slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlotView {
    /// The slot's number.
    pub(crate) slot: SlotKey,
    /// The node of its only task; none when it has no node yet, or several tasks.
    pub(crate) node: Option<NodeId>,
    /// Whether a task in it is observed running.
    pub(crate) running: bool,
}

/// Slots in the order in which they are kept: the first so many stay when scaling down.
///
/// Running slots first, then lower numbers; each slot is then the n-th copy on its node, and lower
/// n go first. What is nowhere, or in two places, goes last. Upstream's first sort is not stable;
/// ties are broken here by slot number.
pub(crate) fn keep_order(slots: &[SlotView]) -> Vec<SlotKey> {
    let mut order = slots.to_vec();
    order.arrange_by_key(|slot| (!slot.running, slot.slot));
    let mut copies: SortedMap<NodeId, u32> = SortedMap::new();
    let mut indexed: Vec<(u32, SlotKey)> = order
        .iter()
        .map(|slot| match slot.node {
            Some(node) => {
                let copy = copies.entry(node).or_insert(0);
                *copy += 1;
                (*copy, slot.slot)
            }
            None => (u32::MAX, slot.slot),
        })
        .collect();
    indexed.arrange_by_key(|(copy, _)| *copy);
    indexed.into_iter().map(|(_, slot)| slot).collect()
}

impl SwarmPlane {
    /// Brings the number of slots to the number of replicas and hands outdated ones to the updater.
    pub(crate) fn reconcile_replicated(
        &mut self,
        service: ServiceId,
        ctx: &mut Context<'_>,
        out: &mut PlaneOutbox<Event>,
    ) {
        let Some(object) = self.store.service(service) else {
            return;
        };
        let ServiceMode::Replicated { replicas } = object.spec.mode else {
            return;
        };
        let wanted = replicas as usize;
        let slots: Vec<(SlotKey, Slot)> = object
            .slots
            .iter()
            .map(|(key, slot)| (*key, slot.clone()))
            .collect();
        let mut occupied: SortedMap<SlotKey, Slot> = SortedMap::new();
        let mut dead: SortedSet<SlotKey> = SortedSet::new();
        for (key, slot) in slots {
            let updatable = self.updatable(&slot, service);
            if updatable.is_empty() {
                // A slot whose tasks are all on their way out is dead, but not yet forgotten.
                dead.insert(key);
            } else {
                occupied.insert(key, updatable);
            }
        }
        if wanted >= occupied.len() {
            let missing = wanted - occupied.len();
            let current: Vec<(SlotKey, Slot)> = occupied
                .iter()
                .map(|(key, slot)| (*key, slot.clone()))
                .collect();
            self.update_slots(service, current, ctx, out);
            let mut slot = 0;
            for _ in 0..missing {
                slot += 1;
                while occupied.contains_key(&slot) {
                    slot += 1;
                }
                dead.remove(&slot);
                self.create_task(
                    Place {
                        service,
                        slot,
                        node: None,
                    },
                    TaskState::Running,
                    ctx,
                    out,
                );
            }
            self.delete_slots(service, &dead);
            return;
        }
        let views: Vec<SlotView> = occupied
            .iter()
            .map(|(key, slot)| SlotView {
                slot: *key,
                node: match slot.as_slice() {
                    [only] => self.store.tasks[*only].node,
                    _ => None,
                },
                running: slot
                    .iter()
                    .any(|task| self.store.tasks[*task].state == TaskState::Running),
            })
            .collect();
        let order = keep_order(&views);
        let kept: Vec<(SlotKey, Slot)> = order[..wanted]
            .iter()
            .map(|key| (*key, occupied[key].clone()))
            .collect();
        self.update_slots(service, kept, ctx, out);
        self.delete_slots(service, &dead);
        for key in &order[wanted..] {
            for task in occupied[key].clone() {
                self.set_desired(task, TaskState::Remove);
                self.note_task(
                    out,
                    "swarm.orchestrator",
                    "remove",
                    task,
                    crate::des::notice::Detail::None,
                    None,
                );
            }
        }
    }

    /// Deletes what is left of dead slots at once; an agent that still stops such a task kills it.
    fn delete_slots(&mut self, service: ServiceId, dead: &SortedSet<SlotKey>) {
        for key in dead {
            let slot = self
                .store
                .service(service)
                .and_then(|object| object.slots.get(key))
                .cloned();
            for task in slot.into_iter().flatten() {
                self.store.remove_task(task);
            }
        }
    }
}
