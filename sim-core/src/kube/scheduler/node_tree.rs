//! The order in which nodes are looked at: one of each zone in turn, zones in the order first seen,
//! nodes inside a zone in the order of addition.
//!
//! Source: `pkg/scheduler/backend/cache/node_tree.go`.

use std::sync::Arc;

use crate::base::symbol::Symbol;

/// Nodes by zone. Nodes are slots of the cache.
#[derive(Clone, Debug, Default)]
pub struct NodeTree {
    zones: Vec<(Symbol, Vec<u32>)>,
    order: Arc<Vec<u32>>,
    /// By slot: place in the order.
    places: Arc<Vec<u32>>,
    /// How often the order was made anew.
    version: u32,
    stale: bool,
    count: u32,
}

impl NodeTree {
    /// Adds a node to its zone; it must not be in the tree.
    pub fn add(&mut self, slot: u32, zone: Symbol) {
        match self.zones.iter_mut().find(|(known, _)| *known == zone) {
            Some((_, slots)) => slots.push(slot),
            None => self.zones.push((zone, vec![slot])),
        }
        self.count += 1;
        self.stale = true;
    }

    /// Takes a node out. A zone without nodes is forgotten.
    pub fn remove(&mut self, slot: u32, zone: Symbol) {
        let Some(index) = self.zones.iter().position(|(known, _)| *known == zone) else {
            return;
        };
        let before = self.zones[index].1.len();
        self.zones[index].1.retain(|other| *other != slot);
        self.count -= (before - self.zones[index].1.len()) as u32;
        if self.zones[index].1.is_empty() {
            self.zones.remove(index);
        }
        self.stale = true;
    }

    /// All nodes in order.
    pub fn order(&mut self) -> &[u32] {
        if self.stale {
            self.stale = false;
            self.version += 1;
            let order = Arc::make_mut(&mut self.order);
            order.clear();
            let longest = self
                .zones
                .iter()
                .map(|(_, slots)| slots.len())
                .max()
                .unwrap_or(0);
            for round in 0..longest {
                order.extend(self.zones.iter().filter_map(|(_, slots)| slots.get(round)));
            }
            let places = Arc::make_mut(&mut self.places);
            places.clear();
            for (place, slot) in (0..).zip(order.iter()) {
                if *slot as usize >= places.len() {
                    places.resize(*slot as usize + 1, u32::MAX);
                }
                places[*slot as usize] = place;
            }
        }
        &self.order
    }

    /// All nodes in the order that [`Self::order`] made last.
    pub fn slots(&self) -> &[u32] {
        &self.order
    }

    /// The order, shared.
    pub fn shared(&self) -> Arc<Vec<u32>> {
        self.order.clone()
    }

    /// Whether the order is to be made anew.
    pub const fn is_stale(&self) -> bool {
        self.stale
    }

    /// Changes whenever the order does.
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// Where a node stands in the order, which must be up to date.
    pub fn place(&self, slot: u32) -> Option<u32> {
        let place = self.places.get(slot as usize).copied();
        place.filter(|place| *place != u32::MAX)
    }

    /// The node at a place of the order, which must be up to date (see [`Self::order`]).
    pub fn at(&self, place: u32) -> u32 {
        debug_assert!(!self.stale);
        self.order[place as usize]
    }

    /// Number of nodes.
    pub fn len(&self) -> u32 {
        self.count
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.zones.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::symbol::Symbols;

    #[test]
    fn zones_take_turns() {
        let mut symbols = Symbols::new();
        let (a, b) = (symbols.intern("a"), symbols.intern("b"));
        let mut tree = NodeTree::default();
        for (slot, zone) in [(0, a), (1, a), (2, b), (3, a), (4, b)] {
            tree.add(slot, zone);
        }
        assert_eq!(tree.order(), [0, 2, 1, 4, 3]);
        tree.remove(0, a);
        assert_eq!(tree.order(), [1, 2, 3, 4]);
        assert_eq!(tree.len(), 4);
    }
}
