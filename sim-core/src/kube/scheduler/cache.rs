//! The scheduler's own picture of nodes and of the pods on them, the assumed ones included.
//!
//! Nodes are named by the slot of their row. The numbers that filters and scores read are one small
//! row for each node; labels and taints lie beside them and are looked at once for each pod
//! template until they change.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::api::kube::affinity::Taint;
use crate::base::resources::ResourceVector;
use crate::base::symbol::Symbol;
use crate::kube::rows::{NodeId, PodId};
use crate::kube::template::TemplateId;
use crate::store::paged::Paged;

use super::demand::{Demand, HostPort};
use super::node_tree::NodeTree;
use super::plugins::resources::reciprocal;

/// The numbers of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeNumbers {
    /// Allocatable CPU in millicores.
    pub milli_cpu: i64,
    /// Allocatable memory in bytes.
    pub memory: i64,
    /// Allocatable scratch storage in bytes.
    pub ephemeral: i64,
    /// [`reciprocal`] of the allocatable CPU.
    pub per_milli_cpu: u64,
    /// [`reciprocal`] of the allocatable memory.
    pub per_memory: u64,
    /// Requested CPU.
    pub used_milli_cpu: i64,
    /// Requested memory.
    pub used_memory: i64,
    /// Requested scratch storage.
    pub used_ephemeral: i64,
    /// Requested CPU as scores count it.
    pub scored_milli_cpu: i64,
    /// Requested memory as scores count it.
    pub scored_memory: i64,
    /// Allocatable pods.
    pub pods: u32,
    /// Pods there.
    pub used_pods: u32,
    /// Value of the zone label, empty when there is none.
    pub zone: Symbol,
    /// Changes whenever labels, taints or the cordon change; never 0 for a node that is there.
    pub generation: u32,
}

/// The rest of a node.
#[derive(Clone, Debug)]
pub struct NodeFacts {
    /// Its row.
    pub id: Option<NodeId>,
    /// Its name.
    pub name: Symbol,
    /// Its name as text.
    pub text: Arc<str>,
    /// Zone and region, as the node tree groups them.
    pub tree_zone: Symbol,
    /// Labels, sorted by key.
    pub labels: Arc<[(Arc<str>, Arc<str>)]>,
    /// Taints.
    pub taints: Arc<[Taint]>,
    /// Whether it is cordoned.
    pub unschedulable: bool,
    /// Allocatable amounts of other resources.
    pub extended: SmallVec<[(Symbol, i64); 2]>,
    /// Requested amounts of other resources.
    pub used_extended: ResourceVector,
    /// Host ports that pods there hold.
    pub ports: Vec<HostPort>,
}

/// A slot without a node: nothing fits.
impl Default for NodeNumbers {
    fn default() -> Self {
        Self {
            milli_cpu: 0,
            memory: 0,
            ephemeral: 0,
            per_milli_cpu: 0,
            per_memory: 0,
            used_milli_cpu: 0,
            used_memory: 0,
            used_ephemeral: 0,
            scored_milli_cpu: 0,
            scored_memory: 0,
            pods: 0,
            used_pods: 0,
            zone: Symbol::EMPTY,
            generation: 0,
        }
    }
}

/// A slot without a node.
impl Default for NodeFacts {
    fn default() -> Self {
        Self {
            id: None,
            name: Symbol::EMPTY,
            text: "".into(),
            tree_zone: Symbol::EMPTY,
            labels: Arc::default(),
            taints: Arc::default(),
            unschedulable: false,
            extended: SmallVec::new(),
            used_extended: ResourceVector::new(),
            ports: Vec::new(),
        }
    }
}

/// What a pod of the cache holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Placement {
    /// Generation of the pod; 0: nothing is held.
    generation: u32,
    node: u32,
    template: u32,
    /// Whether the spreading counts it: not while it is being deleted, nor without a controller.
    counted: bool,
}

/// Pods of one template by node and by zone: what the spreading counts.
#[derive(Clone, Debug, Default)]
pub struct Spread {
    nodes: Counts,
    /// Zones of nodes that are there, with their counts.
    zones: Vec<(Symbol, u32)>,
}

/// Counts by node slot: a short list, or a column once many nodes have some.
#[derive(Clone, Debug)]
enum Counts {
    Few(Vec<(u32, u32)>),
    Many(Vec<u32>),
}

/// Entries after which a list becomes a column.
const FEW_MAX: usize = 64;

impl Default for Counts {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Counts {
    fn get(&self, slot: u32) -> u32 {
        match self {
            Self::Few(list) => list
                .binary_search_by_key(&slot, |(node, _)| *node)
                .map_or(0, |index| list[index].1),
            Self::Many(column) => column.get(slot as usize).copied().unwrap_or(0),
        }
    }

    fn add(&mut self, slot: u32, sign: i32) {
        match self {
            Self::Few(list) => match list.binary_search_by_key(&slot, |(node, _)| *node) {
                Ok(index) => {
                    list[index].1 = list[index].1.saturating_add_signed(sign);
                    if list[index].1 == 0 {
                        list.remove(index);
                    }
                }
                Err(index) if sign > 0 => list.insert(index, (slot, 1)),
                Err(_) => {}
            },
            Self::Many(column) => {
                let index = slot as usize;
                if index >= column.len() {
                    column.resize(index + 1, 0);
                }
                column[index] = column[index].saturating_add_signed(sign);
            }
        }
        if let Self::Few(list) = self
            && list.len() > FEW_MAX
        {
            let last = list.last().map_or(0, |(slot, _)| *slot as usize);
            let mut column = vec![0; last + 1];
            for (slot, count) in list.iter() {
                column[*slot as usize] = *count;
            }
            *self = Self::Many(column);
        }
    }

    fn for_each(&self, mut visit: impl FnMut(u32, u32)) {
        match self {
            Self::Few(list) => list.iter().for_each(|(slot, count)| visit(*slot, *count)),
            Self::Many(column) => {
                (0..)
                    .zip(column)
                    .filter(|(_, count)| **count > 0)
                    .for_each(|(slot, count)| visit(slot, *count));
            }
        }
    }
}

impl Spread {
    /// Pods on a node.
    pub fn on_node(&self, slot: u32) -> u32 {
        self.nodes.get(slot)
    }

    /// Pods in a zone.
    pub fn in_zone(&self, zone: Symbol) -> u32 {
        self.zones
            .iter()
            .find(|(known, _)| *known == zone)
            .map_or(0, |(_, count)| *count)
    }

    fn add_to_zone(&mut self, zone: Symbol, sign: i32, count: u32) {
        match self.zones.iter_mut().find(|(known, _)| *known == zone) {
            Some((_, sum)) if sign > 0 => *sum += count,
            Some((_, sum)) => *sum = sum.saturating_sub(count),
            None if sign > 0 => self.zones.push((zone, count)),
            None => {}
        }
    }
}

/// What the scheduler is told of a node.
#[derive(Clone, Debug)]
pub struct NodeView<'a> {
    /// Its row.
    pub id: NodeId,
    /// Its name.
    pub name: Symbol,
    /// Its name as text.
    pub text: &'a str,
    /// Value of the zone label, empty when there is none.
    pub zone: Symbol,
    /// Zone and region.
    pub tree_zone: Symbol,
    /// Labels.
    pub labels: &'a Arc<[(Arc<str>, Arc<str>)]>,
    /// Taints.
    pub taints: &'a Arc<[Taint]>,
    /// Whether it is cordoned.
    pub unschedulable: bool,
    /// Allocatable.
    pub allocatable: &'a ResourceVector,
}

/// What a change of a node may mean for pods that wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeChange {
    /// It is new.
    pub added: bool,
    /// Some allocatable amount grew.
    pub grown: bool,
    /// Taints are others.
    pub taints: bool,
    /// Labels are others.
    pub labels: bool,
    /// The cordon was lifted.
    pub uncordoned: bool,
}

impl NodeChange {
    /// Whether nothing changed that a waiting pod could profit from.
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

/// The cache.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    numbers: Paged<NodeNumbers>,
    facts: Paged<NodeFacts>,
    placements: Paged<Placement>,
    spreads: Vec<Option<Arc<Spread>>>,
    generations: u32,
    /// Nodes in the order of search.
    pub tree: NodeTree,
}

impl Cache {
    /// The numbers of a node.
    pub fn numbers(&self, slot: u32) -> &NodeNumbers {
        self.numbers.get(slot)
    }

    /// The rest of a node.
    pub fn facts(&self, slot: u32) -> &NodeFacts {
        self.facts.get(slot)
    }

    /// Pods of a template, as the spreading counts them.
    pub fn spread(&self, template: TemplateId) -> Option<&Spread> {
        self.spreads.get(template.0 as usize)?.as_deref()
    }

    /// The node that a pod is on or assumed to be on.
    pub fn node_of(&self, pod: PodId) -> Option<u32> {
        let placement = self.placements.get(pod.slot());
        (placement.generation == pod.generation().get()).then_some(placement.node)
    }

    /// Takes over a node's state, new or changed.
    pub fn set_node(&mut self, view: &NodeView<'_>) -> NodeChange {
        let slot = view.id.slot();
        let old = self.facts.get(slot);
        if old.id.is_some_and(|id| id != view.id) {
            self.remove_node(old.id.expect("just seen"));
        }
        let old = self.facts.get(slot);
        let numbers = self.numbers.get(slot);
        let allocatable = view.allocatable;
        let pods = u32::try_from(allocatable.pods).unwrap_or(0);
        let change = NodeChange {
            added: old.id.is_none(),
            grown: allocatable.milli_cpu > numbers.milli_cpu
                || allocatable.memory > numbers.memory
                || allocatable.ephemeral_storage > numbers.ephemeral
                || pods > numbers.pods
                || allocatable.extended.iter().any(|(name, amount)| {
                    old.extended
                        .iter()
                        .find(|(other, _)| other == name)
                        .map_or(0, |(_, amount)| *amount)
                        < *amount
                }),
            taints: old.taints != *view.taints,
            labels: old.labels != *view.labels,
            uncordoned: old.unschedulable && !view.unschedulable,
        };
        let cordoned = !old.unschedulable && view.unschedulable;
        if change.is_nothing()
            && !cordoned
            && numbers.milli_cpu == allocatable.milli_cpu
            && numbers.pods == pods
        {
            return change;
        }
        let (had_node, old_zone) = (old.id.is_some(), old.tree_zone);
        if !had_node || old_zone != view.tree_zone {
            if had_node {
                self.tree.remove(slot, old_zone);
            }
            self.tree.add(slot, view.tree_zone);
        }
        self.generations += 1;
        let generation = self.generations;
        let facts = self.facts.get_mut(slot);
        facts.id = Some(view.id);
        facts.name = view.name;
        if &*facts.text != view.text {
            facts.text = view.text.into();
        }
        facts.tree_zone = view.tree_zone;
        facts.labels = view.labels.clone();
        facts.taints = view.taints.clone();
        facts.unschedulable = view.unschedulable;
        facts.extended = allocatable.extended.clone();
        let numbers = self.numbers.get_mut(slot);
        numbers.milli_cpu = allocatable.milli_cpu;
        numbers.memory = allocatable.memory;
        numbers.ephemeral = allocatable.ephemeral_storage;
        numbers.pods = pods;
        let moved = !had_node || numbers.zone != view.zone;
        numbers.zone = view.zone;
        numbers.generation = generation;
        numbers.per_milli_cpu = reciprocal(allocatable.milli_cpu);
        numbers.per_memory = reciprocal(allocatable.memory);
        if moved {
            self.recount_zones(slot);
        }
        change
    }

    /// Forgets a node. Its pods' placements are forgotten when the pods go.
    pub fn remove_node(&mut self, node: NodeId) {
        let slot = node.slot();
        let facts = self.facts.get(slot);
        if facts.id != Some(node) {
            return;
        }
        self.tree.remove(slot, facts.tree_zone);
        self.facts.clear(slot);
        self.numbers.clear(slot);
        self.recount_zones(slot);
    }

    /// Puts a pod on a node: assumed by a decision, or seen there. A pod that has a place keeps it.
    pub fn place(
        &mut self,
        pod: PodId,
        slot: u32,
        template: TemplateId,
        demand: &Demand,
        counted: bool,
    ) {
        if self.node_of(pod).is_some() || self.facts.get(slot).id.is_none() {
            return;
        }
        *self.placements.get_mut(pod.slot()) = Placement {
            generation: pod.generation().get(),
            node: slot,
            template: template.0,
            counted,
        };
        self.account(slot, demand, 1);
        if counted {
            self.count(template.0, slot, 1);
        }
    }

    /// Takes a pod off its node. Returns the node.
    pub fn displace(&mut self, pod: PodId, demand: &Demand) -> Option<u32> {
        let placement = *self.placements.get(pod.slot());
        if placement.generation != pod.generation().get() {
            return None;
        }
        self.placements.clear(pod.slot());
        if placement.counted {
            self.count(placement.template, placement.node, -1);
        }
        if self.facts.get(placement.node).id.is_some() {
            self.account(placement.node, demand, -1);
        }
        Some(placement.node)
    }

    /// A pod is being deleted: it holds its resources but spreading does not count it any more.
    pub fn discount(&mut self, pod: PodId) {
        let placement = *self.placements.get(pod.slot());
        if placement.generation == pod.generation().get() && placement.counted {
            self.placements.get_mut(pod.slot()).counted = false;
            self.count(placement.template, placement.node, -1);
        }
    }

    fn account(&mut self, slot: u32, demand: &Demand, sign: i64) {
        let numbers = self.numbers.get_mut(slot);
        numbers.used_milli_cpu += sign * demand.milli_cpu;
        numbers.used_memory += sign * demand.memory;
        numbers.used_ephemeral += sign * demand.ephemeral;
        numbers.scored_milli_cpu += sign * demand.scored_milli_cpu;
        numbers.scored_memory += sign * demand.scored_memory;
        numbers.used_pods = numbers.used_pods.saturating_add_signed(sign as i32);
        if demand.extended.is_empty() && demand.ports.is_empty() {
            return;
        }
        let facts = self.facts.get_mut(slot);
        for (name, amount) in &demand.extended {
            let used = facts.used_extended.extended(*name) + sign * amount;
            facts.used_extended.set_extended(*name, used);
        }
        for port in &demand.ports {
            if sign > 0 {
                facts.ports.push(port.clone());
            } else if let Some(index) = facts.ports.iter().position(|other| other == port) {
                facts.ports.remove(index);
            }
        }
    }

    fn count(&mut self, template: u32, slot: u32, sign: i32) {
        let template = template as usize;
        if template >= self.spreads.len() {
            self.spreads.resize(template + 1, None);
        }
        let zone = self.numbers.get(slot).zone;
        let present = self.facts.get(slot).id.is_some();
        let spread = Arc::make_mut(self.spreads[template].get_or_insert_default());
        spread.nodes.add(slot, sign);
        if present {
            spread.add_to_zone(zone, sign, 1);
        }
    }

    /// A node came, went or changed its zone: counts its pods where they are now.
    fn recount_zones(&mut self, slot: u32) {
        for index in 0..self.spreads.len() {
            if self.spreads[index]
                .as_ref()
                .is_none_or(|spread| spread.on_node(slot) == 0)
            {
                continue;
            }
            let mut spread = self.spreads[index].take().expect("just seen");
            let changed = Arc::make_mut(&mut spread);
            changed.zones.clear();
            let nodes = std::mem::take(&mut changed.nodes);
            nodes.for_each(|slot, count| {
                if self.facts.get(slot).id.is_some() {
                    changed.add_to_zone(self.numbers.get(slot).zone, 1, count);
                }
            });
            changed.nodes = nodes;
            self.spreads[index] = Some(spread);
        }
    }
}
