//! The nodes as one scheduling pass looks at them: a short row each, kept right as tasks are placed.
//!
//! A pass looks at every node once for each group of tasks. A row is what nearly every group needs;
//! only groups that ask for more look at the node itself.

use crate::swarm::scheduler::filter::{self, Extent};
use crate::swarm::state::{Availability, NodeState};
use crate::swarm::store::{Node, NodeId, ServiceId, Store, Template};

/// One node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The node.
    pub id: NodeId,
    /// Its place among all nodes by host name.
    pub name: u32,
    /// Tasks on it that hold resources.
    pub active: u32,
    /// Whether it takes tasks at all.
    pub available: bool,
    /// Whether a service has failed on it lately.
    pub failures: bool,
    /// CPU that is not reserved, in thousandths.
    pub cpu_milli: u64,
    /// Memory that is not reserved, in bytes.
    pub memory_bytes: u64,
}

const _: () = assert!(
    size_of::<Entry>() <= 40,
    "a pass looks at all of them for each group"
);

impl Entry {
    fn of(id: NodeId, node: &Node, name: u32) -> Self {
        Self {
            id,
            name,
            active: node.active,
            available: node.state == NodeState::Ready && node.availability == Availability::Active,
            failures: !node.failures.is_empty(),
            cpu_milli: node.cpu_milli.saturating_sub(node.reserved.cpu_milli),
            memory_bytes: node.memory_bytes.saturating_sub(node.reserved.memory_bytes),
        }
    }
}

/// All nodes, in the order in which they joined.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    /// One for each node.
    pub entries: Vec<Entry>,
    /// Where a node's entry is, by the node's number.
    places: Vec<u32>,
    /// Tasks of the group's service on each node, by entry.
    pub of_service: Vec<u32>,
}

impl Roster {
    /// The nodes as they are.
    pub fn of(store: &mut Store) -> Self {
        let ranks = store.name_ranks();
        let mut roster = Self::default();
        for (id, node) in store.nodes() {
            let number = id.0 as usize;
            roster.places.resize(number + 1, 0);
            roster.places[number] = roster.entries.len() as u32;
            roster.entries.push(Entry::of(id, node, ranks[number]));
        }
        roster.of_service = vec![0; roster.entries.len()];
        roster
    }

    /// A node's entry.
    pub fn entry(&self, id: NodeId) -> &Entry {
        &self.entries[self.places[id.0 as usize] as usize]
    }

    /// A task has been put on a node.
    pub fn refresh(&mut self, store: &Store, id: NodeId) {
        let Some(node) = store.node(id) else { return };
        let entry = &mut self.entries[self.places[id.0 as usize] as usize];
        *entry = Entry::of(id, node, entry.name);
    }

    /// Counts the tasks of a service on each node, whichever way is shorter.
    pub fn count_service(&mut self, store: &Store, service: ServiceId) {
        match store.service(service) {
            Some(object) if object.slots.len() <= self.entries.len() => {
                self.of_service.fill(0);
                for task in object.slots.values().flatten() {
                    let row = &store.tasks[*task];
                    if let Some(node) = row.node
                        && row.state.holds_resources()
                        && store.node(node).is_some()
                    {
                        self.of_service[self.places[node.0 as usize] as usize] += 1;
                    }
                }
            }
            Some(_) | None => {
                for ((_, node), count) in store.nodes().zip(&mut self.of_service) {
                    *count = node.active_of(service);
                }
            }
        }
    }

    /// Whether the node at a place passes the filters that its row answers for. They are all that a
    /// plain template asks for: [`filter::is_plain`].
    pub fn may_pass(&self, place: usize, template: &Template) -> bool {
        let entry = &self.entries[place];
        let fits = |free: u64, asked: u64| asked == 0 || free >= asked;
        if !entry.available
            || !fits(entry.cpu_milli, template.reserved_cpu_milli)
            || !fits(entry.memory_bytes, template.reserved_memory_bytes)
        {
            return false;
        }
        let limit = template.spec.task.placement.max_replicas_per_node;
        limit == 0 || u64::from(self.of_service[place]) < limit
    }

    /// Whether the node at a place passes all filters.
    pub fn passes(&self, place: usize, store: &Store, template: &Template) -> bool {
        store
            .node(self.entries[place].id)
            .is_some_and(|node| filter::first_failing(template, node, Extent::All).is_none())
    }
}
