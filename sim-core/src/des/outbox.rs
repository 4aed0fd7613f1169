//! What a handler wants done, collected in buffers that are used again and again.

use std::collections::VecDeque;

use crate::base::time::SimDuration;

/// Wishes of one handler call: `E` events, `O` orders to another layer, `N` notices to observers.
#[derive(Clone, Debug)]
pub struct Outbox<E, O, N> {
    /// Events to schedule, with their delays from now.
    pub after: Vec<(SimDuration, E)>,
    /// Orders, carried out right after the handler, in this order.
    pub orders: VecDeque<O>,
    /// What observers may see.
    pub notices: Vec<N>,
}

impl<E, O, N> Outbox<E, O, N> {
    /// An empty outbox.
    pub const fn new() -> Self {
        Self {
            after: Vec::new(),
            orders: VecDeque::new(),
            notices: Vec::new(),
        }
    }

    /// Schedules `event` after `delay`.
    pub fn after(&mut self, delay: SimDuration, event: E) {
        self.after.push((delay, event));
    }

    /// Gives an order.
    pub fn order(&mut self, order: O) {
        self.orders.push_back(order);
    }

    /// Tells observers.
    pub fn notice(&mut self, notice: N) {
        self.notices.push(notice);
    }

    /// Whether nothing is wished.
    pub fn is_empty(&self) -> bool {
        self.after.is_empty() && self.orders.is_empty() && self.notices.is_empty()
    }

    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.after.clear();
        self.orders.clear();
        self.notices.clear();
    }

    /// Empties the scheduled events.
    pub fn drain_after(&mut self) -> impl Iterator<Item = (SimDuration, E)> + '_ {
        self.after.drain(..)
    }

    /// Empties the orders.
    pub fn drain_orders(&mut self) -> impl Iterator<Item = O> + '_ {
        self.orders.drain(..)
    }

    /// Empties the notices.
    pub fn drain_notices(&mut self) -> impl Iterator<Item = N> + '_ {
        self.notices.drain(..)
    }

    /// Moves everything to the end of another outbox, wrapping events and orders on the way: how a
    /// layer's wishes enter a larger one's.
    pub fn move_into<F, P>(
        &mut self,
        other: &mut Outbox<F, P, N>,
        mut event: impl FnMut(E) -> F,
        order: impl FnMut(O) -> P,
    ) {
        other.after.extend(
            self.after
                .drain(..)
                .map(|(delay, inner)| (delay, event(inner))),
        );
        other.orders.extend(self.orders.drain(..).map(order));
        other.notices.append(&mut self.notices);
    }
}

impl<E, O, N> Default for Outbox<E, O, N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_move_into_a_larger_outbox_in_order() {
        let mut inner = Outbox::<u8, u8, &str>::new();
        inner.after(SimDuration::ZERO, 1);
        inner.order(2);
        inner.notice("bound");
        let mut outer = Outbox::<Option<u8>, Result<u8, ()>, &str>::new();
        outer.notice("first");
        inner.move_into(&mut outer, Some, Ok);
        assert!(inner.is_empty());
        assert_eq!(
            outer.drain_after().collect::<Vec<_>>(),
            [(SimDuration::ZERO, Some(1))]
        );
        assert_eq!(outer.drain_orders().collect::<Vec<_>>(), [Ok(2)]);
        assert_eq!(
            outer.drain_notices().collect::<Vec<_>>(),
            ["first", "bound"]
        );
        assert!(outer.is_empty());
    }
}
