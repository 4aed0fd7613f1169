//! The scheduler's own picture of nodes and of the pods on them, the assumed ones included.
//!
//! Nodes are named by the slot of their row. The numbers that filters and scores read are one small
//! row for each node; labels and taints lie beside them and are looked at once for each pod
//! template until they change.

use std::num::NonZeroU32;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::api::kube::affinity::Taint;
use crate::base::hash::FxHashMap;
use crate::base::resources::ResourceVector;
use crate::base::sorted::SortedMap;
use crate::base::symbol::Symbol;
use crate::kube::rows::node::NodeImages;
use crate::kube::rows::{NodeId, PodId};
use crate::kube::template::TemplateId;
use crate::store::paged::Paged;

use super::demand::{Demand, HostPort};
use super::index::{Index, Nodes};
use super::matcher::Look;
use super::node_tree::NodeTree;
use super::plugins::resources::reciprocal;
use super::touched::Touched;

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
    /// Images there, with their sizes, by name.
    pub images: NodeImages,
    /// Slot after that of the newest pod there; 0: none.
    first: u32,
}

impl NodeFacts {
    /// Allocatable amount of one of the other resources.
    pub fn allocatable(&self, name: Symbol) -> i64 {
        self.extended
            .iter()
            .find(|(other, _)| *other == name)
            .map_or(0, |(_, amount)| *amount)
    }
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
            images: Arc::default(),
            first: 0,
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
    /// Slot after that of the next pod on the node; 0: none.
    next: u32,
    /// The same of the one before.
    previous: u32,
    priority: i32,
    /// Whether the spreading counts it: not while it is being deleted.
    live: bool,
}

/// A pod taken off its node for a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its node.
    pub slot: u32,
    /// Its template.
    pub template: TemplateId,
    /// Whether the spreading counted it.
    pub live: bool,
}

/// Where an image is.
#[derive(Clone, Debug, Default)]
pub struct ImageState {
    /// Its size in bytes.
    pub size: u64,
    /// On how many nodes.
    pub nodes: u32,
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
    /// Images and their sizes.
    pub images: &'a NodeImages,
}

/// What a change of a node may mean for pods that wait.
#[derive(Clone, Debug, Default)]
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
    /// The node as it was.
    pub before: NodeBefore,
}

/// What hints compare a node's new state with.
#[derive(Clone, Debug, Default)]
pub struct NodeBefore {
    /// Labels, sorted by key.
    pub labels: Arc<[(Arc<str>, Arc<str>)]>,
    /// Taints.
    pub taints: Arc<[Taint]>,
    /// Allocatable CPU in millicores.
    pub milli_cpu: i64,
    /// Allocatable memory in bytes.
    pub memory: i64,
    /// Allocatable scratch storage in bytes.
    pub ephemeral: i64,
    /// Allocatable pods.
    pub pods: u32,
    /// Allocatable amounts of other resources.
    pub extended: SmallVec<[(Symbol, i64); 2]>,
}

impl NodeChange {
    /// Whether nothing changed that a waiting pod could profit from.
    pub const fn is_nothing(&self) -> bool {
        !(self.added || self.grown || self.taints || self.labels || self.uncordoned)
    }
}

/// The cache.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    numbers: Paged<NodeNumbers>,
    facts: Paged<NodeFacts>,
    placements: Paged<Placement>,
    generations: u32,
    /// By slot: changes whenever anything of a node changes that filters or scores read.
    stamps: Arc<Vec<u32>>,
    last_stamp: u32,
    touched: Touched,
    /// Pods that are placed, by priority.
    priorities: SortedMap<i32, u32>,
    by_name: Arc<FxHashMap<Arc<str>, u32>>,
    images: Arc<FxHashMap<Arc<str>, ImageState>>,
    /// Nodes in the order of search.
    pub tree: NodeTree,
    /// Counts over domains.
    pub index: Index,
}

impl Cache {
    /// Bytes of rows that `later`, a clone that went on, no longer shares.
    pub fn bytes_apart(&self, later: &Self) -> usize {
        self.numbers.bytes_apart(&later.numbers)
            + self.facts.bytes_apart(&later.facts)
            + self.placements.bytes_apart(&later.placements)
    }

    /// The numbers of a node.
    pub fn numbers(&self, slot: u32) -> &NodeNumbers {
        self.numbers.get(slot)
    }

    /// Changes whenever anything of the node does; 0: no node was ever there.
    pub fn stamp(&self, slot: u32) -> u32 {
        self.stamps.get(slot as usize).copied().unwrap_or(0)
    }

    fn touch(&mut self, slot: u32) {
        let stamps = Arc::make_mut(&mut self.stamps);
        if slot as usize >= stamps.len() {
            stamps.resize(slot as usize + 1, 0);
        }
        self.last_stamp += 1;
        stamps[slot as usize] = self.last_stamp;
        self.touched.push(slot, stamps.len());
    }

    /// The nodes that changed lately.
    pub const fn touched(&self) -> &Touched {
        &self.touched
    }

    /// Whether some pod that is placed has a lower priority than this.
    pub fn holds_below(&self, priority: i32) -> bool {
        let lowest = self.priorities.first_key_value();
        lowest.is_some_and(|(lowest, _)| *lowest < priority)
    }

    /// Whether the counts by priority are those of the pods that are placed.
    pub fn priorities_agree(&self) -> bool {
        let mut counted: SortedMap<i32, u32> = SortedMap::new();
        for slot in self.tree.slots() {
            for pod in self.pods_on(*slot) {
                *counted
                    .entry(self.placements.get(pod.slot()).priority)
                    .or_default() += 1;
            }
        }
        counted == self.priorities
    }

    /// Whether the numbers that admit pods are the sums of the placed pods' demands: for soak runs.
    pub fn numbers_agree<'a>(&self, demand_of: impl Fn(TemplateId) -> Option<&'a Demand>) -> bool {
        self.tree.slots().iter().all(|slot| {
            let pods = self.pods_on(*slot);
            let demands: Vec<&Demand> = pods
                .iter()
                .filter_map(|pod| demand_of(self.template_of(*pod)?))
                .collect();
            let sum = |part: fn(&Demand) -> i64| demands.iter().map(|it| part(it)).sum::<i64>();
            let numbers = self.numbers(*slot);
            demands.len() == pods.len()
                && numbers.used_pods as usize == pods.len()
                && numbers.used_milli_cpu == sum(|it| it.milli_cpu)
                && numbers.used_memory == sum(|it| it.memory)
                && numbers.used_ephemeral == sum(|it| it.ephemeral)
                && numbers.scored_milli_cpu == sum(|it| it.scored_milli_cpu)
                && numbers.scored_memory == sum(|it| it.scored_memory)
        })
    }

    fn count_priority(&mut self, priority: i32, by: i32) {
        let count = self.priorities.entry(priority).or_default();
        *count = count.saturating_add_signed(by);
        if *count == 0 {
            self.priorities.remove(&priority);
        }
    }

    /// The rest of a node.
    pub fn facts(&self, slot: u32) -> &NodeFacts {
        self.facts.get(slot)
    }

    /// The node of that name.
    pub fn named(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// An image that some node has.
    pub fn image(&self, name: &str) -> Option<&ImageState> {
        self.images.get(name)
    }

    /// Whether any node has one of these images.
    pub fn has_any(&self, images: &[Arc<str>]) -> bool {
        images.iter().any(|name| self.images.contains_key(name))
    }

    /// The nodes as the index sees them.
    pub fn split(&mut self) -> (&mut Index, Nodes<'_>) {
        self.tree.order();
        (
            &mut self.index,
            Nodes {
                facts: &self.facts,
                slots: self.tree.slots(),
            },
        )
    }

    /// Counts pods anew if a snapshot has dropped the counts.
    pub fn count(&mut self, look: Look<'_>) {
        if self.index.is_built() {
            return;
        }
        self.index.start();
        self.tree.order();
        for slot in self.tree.slots() {
            let mut next = self.facts.get(*slot).first;
            while next != 0 {
                let placement = self.placements.get(next - 1);
                let live = i32::from(placement.live);
                self.index.add(placement.template, *slot, 1, live, look);
                next = placement.next;
            }
        }
    }

    /// Pods on a node, the newest first.
    pub fn pods_on(&self, slot: u32) -> Vec<PodId> {
        let mut pods = Vec::new();
        let mut next = self.facts.get(slot).first;
        while next != 0 {
            let placement = self.placements.get(next - 1);
            let Some(generation) = NonZeroU32::new(placement.generation) else {
                break;
            };
            pods.push(PodId::new(next - 1, generation));
            next = placement.next;
        }
        pods
    }

    /// The template of a pod that is placed.
    pub fn template_of(&self, pod: PodId) -> Option<TemplateId> {
        let placement = self.placements.get(pod.slot());
        (placement.generation == pod.generation().get()).then_some(TemplateId(placement.template))
    }

    /// The node that a pod is on or assumed to be on.
    pub fn node_of(&self, pod: PodId) -> Option<u32> {
        let placement = self.placements.get(pod.slot());
        (placement.generation == pod.generation().get()).then_some(placement.node)
    }

    /// Takes over a node's state, new or changed.
    pub fn set_node(&mut self, view: &NodeView<'_>, look: Look<'_>) -> NodeChange {
        let slot = view.id.slot();
        let old = self.facts.get(slot);
        if old.id.is_some_and(|id| id != view.id) {
            self.remove_node(old.id.expect("just seen"), look);
        }
        let old = self.facts.get(slot);
        let numbers = self.numbers.get(slot);
        let allocatable = view.allocatable;
        let pods = u32::try_from(allocatable.pods).unwrap_or(0);
        let mut change = NodeChange {
            before: NodeBefore::default(),
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
        let same_images = old.images == *view.images;
        if change.is_nothing()
            && !cordoned
            && same_images
            && numbers.milli_cpu == allocatable.milli_cpu
            && numbers.memory == allocatable.memory
            && numbers.ephemeral == allocatable.ephemeral_storage
            && old.extended == allocatable.extended
            && numbers.pods == pods
        {
            return change;
        }
        change.before = NodeBefore {
            labels: old.labels.clone(),
            taints: old.taints.clone(),
            milli_cpu: numbers.milli_cpu,
            memory: numbers.memory,
            ephemeral: numbers.ephemeral,
            pods: numbers.pods,
            extended: old.extended.clone(),
        };
        if !same_images {
            self.set_images(slot, view.images);
        }
        let old = self.facts.get(slot);
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
        if !had_node {
            Arc::make_mut(&mut self.by_name).insert(facts.text.clone(), slot);
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
        numbers.generation = generation;
        numbers.per_milli_cpu = reciprocal(allocatable.milli_cpu);
        numbers.per_memory = reciprocal(allocatable.memory);
        self.touch(slot);
        self.index.node_changed(slot, self.facts.get(slot), look);
        change
    }

    fn set_images(&mut self, slot: u32, images: &NodeImages) {
        let old = self.facts.get(slot).images.clone();
        let known = Arc::make_mut(&mut self.images);
        for name in old.iter().flat_map(|(names, _)| &**names) {
            if let Some(state) = known.get_mut(name) {
                state.nodes -= 1;
                if state.nodes == 0 {
                    known.remove(name);
                }
            }
        }
        for (names, size) in images.iter() {
            for name in &**names {
                let state = known.entry(name.clone()).or_default();
                state.size = *size;
                state.nodes += 1;
            }
        }
        self.facts.get_mut(slot).images = images.clone();
    }

    /// Forgets a node and what was on it.
    pub fn remove_node(&mut self, node: NodeId, look: Look<'_>) {
        let slot = node.slot();
        let facts = self.facts.get(slot);
        if facts.id != Some(node) {
            return;
        }
        let (zone, text) = (facts.tree_zone, facts.text.clone());
        for pod in self.pods_on(slot) {
            let placement = *self.placements.get(pod.slot());
            let live = i32::from(placement.live);
            self.placements.clear(pod.slot());
            self.count_priority(placement.priority, -1);
            self.index.add(placement.template, slot, -1, -live, look);
        }
        self.set_images(slot, &Arc::default());
        self.tree.remove(slot, zone);
        Arc::make_mut(&mut self.by_name).remove(&text);
        self.facts.clear(slot);
        self.numbers.clear(slot);
        self.touch(slot);
        self.index.node_changed(slot, self.facts.get(slot), look);
    }

    /// Puts a pod on a node: assumed by a decision, or seen there. A pod that has a place keeps it.
    pub fn place(&mut self, pod: PodId, taken: Taken, demand: &Demand, look: Look<'_>) {
        let Taken {
            slot,
            template,
            live,
        } = taken;
        if self.node_of(pod).is_some() || self.facts.get(slot).id.is_none() {
            return;
        }
        let first = std::mem::replace(&mut self.facts.get_mut(slot).first, pod.slot() + 1);
        *self.placements.get_mut(pod.slot()) = Placement {
            generation: pod.generation().get(),
            node: slot,
            template: template.0,
            next: first,
            previous: 0,
            priority: demand.priority,
            live,
        };
        self.count_priority(demand.priority, 1);
        if first != 0 {
            self.placements.get_mut(first - 1).previous = pod.slot() + 1;
        }
        self.account(slot, demand, 1);
        self.index.add(template.0, slot, 1, i32::from(live), look);
    }

    /// Takes a pod off its node.
    pub fn displace(&mut self, pod: PodId, demand: &Demand, look: Look<'_>) -> Option<Taken> {
        let placement = *self.placements.get(pod.slot());
        if placement.generation != pod.generation().get() {
            return None;
        }
        self.placements.clear(pod.slot());
        self.count_priority(placement.priority, -1);
        if placement.previous == 0 {
            self.facts.get_mut(placement.node).first = placement.next;
        } else {
            self.placements.get_mut(placement.previous - 1).next = placement.next;
        }
        if placement.next != 0 {
            self.placements.get_mut(placement.next - 1).previous = placement.previous;
        }
        let live = i32::from(placement.live);
        self.index
            .add(placement.template, placement.node, -1, -live, look);
        self.account(placement.node, demand, -1);
        Some(Taken {
            slot: placement.node,
            template: TemplateId(placement.template),
            live: placement.live,
        })
    }

    /// A pod is being deleted: it holds its resources but spreading does not count it any more.
    pub fn discount(&mut self, pod: PodId, look: Look<'_>) {
        let placement = *self.placements.get(pod.slot());
        if placement.generation == pod.generation().get() && placement.live {
            self.placements.get_mut(pod.slot()).live = false;
            self.index
                .add(placement.template, placement.node, 0, -1, look);
        }
    }

    fn account(&mut self, slot: u32, demand: &Demand, sign: i64) {
        self.touch(slot);
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
}
