//! Writes to nodes.

use std::sync::Arc;

use crate::api::kube::affinity::{Taint, TaintEffect};
use crate::base::name::Name;
use crate::base::resources::ResourceVector;
use crate::base::symbol::{Symbol, Symbols};
use crate::base::time::SimTime;
use crate::kube::rows::NodeId;
use crate::kube::rows::node::{NODE_CONDITIONS, NodeConditionState, NodeImages, NodeRow};
use crate::kube::selector::Labels;
use crate::kube::template::TemplateId;
use crate::substrate::order::MachineId;

use super::dependents::RowOwner;
use super::{Change, Store};

impl Store {
    /// A node.
    pub fn node(&self, node: NodeId) -> Option<&NodeRow> {
        self.nodes.get(node)
    }

    /// Name and machine of a node, also once its object is gone.
    pub fn node_place(&self, node: NodeId) -> Option<(Symbol, MachineId)> {
        let there = self.nodes.get(node).map(|row| (row.name, row.machine));
        there.or_else(|| self.nodes_gone.get(&node).copied())
    }

    /// Whether pods of a template were made for a node that there is not.
    pub fn is_for_nowhere(&self, template: TemplateId, symbols: &Symbols) -> bool {
        let wanted = self.template(template).spec.node_name.as_deref();
        wanted.is_some_and(|name| {
            let name = symbols.get(name);
            name.is_none_or(|name| self.node_named(name).is_none())
        })
    }

    /// All nodes in the order of their registration, as far as slots are not reused.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &NodeRow)> {
        self.nodes.iter()
    }

    /// Number of nodes.
    pub const fn node_count(&self) -> u32 {
        self.nodes.len()
    }

    /// The node that a machine is registered as.
    pub fn node_of(&self, machine: MachineId) -> Option<NodeId> {
        self.node_of_machine.get(&machine).copied()
    }

    /// The node of that name.
    pub fn node_named(&self, name: Symbol) -> Option<NodeId> {
        self.node_names.get(&name).copied()
    }

    /// Registers a node.
    pub fn add_node(&mut self, mut row: NodeRow) -> NodeId {
        row.revision = self.revision.bump();
        let (machine, name) = (row.machine, row.name);
        let node = self.nodes.insert(row);
        Arc::make_mut(&mut self.node_names).insert(name, node);
        Arc::make_mut(&mut self.node_of_machine).insert(machine, node);
        self.log.push(Change::NodeAdded(node));
        node
    }

    /// Removes the node object. Its pods keep its name until they are collected.
    pub fn remove_node(&mut self, node: NodeId) {
        let Some(row) = self.nodes.get(node) else {
            return;
        };
        let (machine, name) = (row.machine, row.name);
        if row.pods > 0 {
            self.nodes_gone.insert(node, (name, machine));
        }
        self.recount_on(node, |store| {
            store.nodes.remove(node);
        });
        Arc::make_mut(&mut self.node_of_machine).remove(&machine);
        Arc::make_mut(&mut self.node_names).remove(&name);
        self.row_gone(RowOwner {
            resource: "nodes",
            namespace: None,
            name: Name::plain(name),
        });
        self.revision.bump();
        self.log.push(Change::NodeRemoved(node, machine, name));
    }

    /// Writes a node's conditions.
    pub fn set_node_conditions(
        &mut self,
        node: NodeId,
        conditions: [NodeConditionState; NODE_CONDITIONS],
        heartbeat: SimTime,
    ) {
        if self.nodes.get(node).is_none() {
            return;
        }
        let revision = self.revision.bump();
        self.recount_on(node, |store| {
            let row = store.nodes.get_mut(node).expect("checked above");
            row.conditions = conditions;
            row.heartbeat = heartbeat;
            row.revision = revision;
        });
        self.log.push(Change::NodeUpdated(node));
    }

    /// Writes a node's taints; equal ones are no write. Returns whether it wrote. `added` is the time
    /// that the writer gives those that are new.
    pub fn set_taints(
        &mut self,
        node: NodeId,
        taints: Vec<Taint>,
        added: Option<SimTime>,
        now: SimTime,
    ) -> bool {
        let Some(row) = self.nodes.get(node) else {
            return false;
        };
        if *row.taints == *taints {
            return false;
        }
        let evicts = taints
            .iter()
            .any(|taint| taint.effect == TaintEffect::NoExecute);
        let revision = self.revision.bump();
        let row = self.nodes.get_mut(node).expect("checked above");
        row.no_execute_since = evicts.then(|| row.no_execute_since.unwrap_or(now));
        let time_of = |taint: &Taint| {
            let before = row.taints.iter().position(|old| old == taint);
            before.map_or(added, |index| row.taint_times.get(index).copied().flatten())
        };
        row.taint_times = taints.iter().map(time_of).collect();
        row.taints = taints.into();
        row.revision = revision;
        self.log.push(Change::NodeUpdated(node));
        true
    }

    /// Says when the taints of a node that was taken over were added, in their order.
    pub fn set_taint_times(&mut self, node: NodeId, times: Arc<[Option<SimTime>]>) {
        if let Some(row) = self.nodes.get_mut(node) {
            row.taint_times = times;
        }
    }

    /// Says when a node object was created that is older than its machine.
    pub fn set_node_created(&mut self, node: NodeId, created: SimTime) {
        self.write_node(node, |row| row.created = created);
    }

    /// Cordons or uncordons.
    pub fn set_unschedulable_node(&mut self, node: NodeId, unschedulable: bool) {
        self.write_node(node, |row| row.unschedulable = unschedulable);
    }

    /// Says which addresses a node's pods have.
    pub fn set_pod_ranges(&mut self, node: NodeId, ranges: Arc<[Arc<str>]>) {
        self.write_node(node, |row| row.pod_ranges = ranges);
    }

    /// Replaces a node's labels and annotations.
    pub fn set_node_labels(
        &mut self,
        node: NodeId,
        labels: Labels,
        annotations: Labels,
        zone: Symbol,
    ) {
        self.write_node(node, |row| {
            row.labels = labels;
            row.annotations = annotations;
            row.zone = zone;
        });
    }

    /// Replaces what a node has and what pods may ask for.
    pub fn set_node_resources(
        &mut self,
        node: NodeId,
        capacity: ResourceVector,
        allocatable: ResourceVector,
    ) {
        self.write_node(node, |row| {
            row.capacity = capacity;
            row.allocatable = allocatable;
        });
    }

    /// Writes which images a node has.
    pub fn set_node_images(&mut self, node: NodeId, images: NodeImages, heartbeat: SimTime) {
        if let Some(row) = self.nodes.get_mut(node) {
            (row.images, row.heartbeat) = (images, heartbeat);
            row.revision = self.revision.bump();
            self.log.push(Change::NodeImages(node));
        }
    }

    fn write_node(&mut self, node: NodeId, change: impl FnOnce(&mut NodeRow)) {
        if self.nodes.get(node).is_none() {
            return;
        }
        let revision = self.revision.bump();
        let row = self.nodes.get_mut(node).expect("checked above");
        change(row);
        row.revision = revision;
        self.log.push(Change::NodeUpdated(node));
    }
}
