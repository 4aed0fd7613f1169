//! The kubelets: run what is bound to their nodes and write what became of it.

use crate::substrate::{Context, PlaneOutbox};

use super::store::{Change, Store};

/// What it schedules for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {}

/// Its state.
#[derive(Clone, Debug, Default)]
pub struct Kubelets {}

impl Kubelets {
    /// Handles an event of its own.
    pub fn handle(&mut self, event: Event, _store: &mut Store, _ctx: &mut Context<'_>, _out: &mut PlaneOutbox<super::Event>) {
        match event {}
    }

    /// Sees a write to the store, in the event of the write; what it does about it comes after the
    /// watch lag.
    pub fn observe(&mut self, _change: Change, _store: &mut Store, _ctx: &mut Context<'_>, _out: &mut PlaneOutbox<super::Event>) {}
}

impl Kubelets {
    /// A machine reports. The plane has already stopped or resumed the node's heartbeat.
    pub fn upcall(&mut self, _upcall: crate::substrate::order::Upcall, _store: &mut Store, _ctx: &mut Context<'_>, _out: &mut PlaneOutbox<super::Event>) {}
}
