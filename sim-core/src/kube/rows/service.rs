//! Services and the endpoints behind them.

use std::sync::Arc;

use crate::api::kube::service::{ServiceKind, ServicePort};
use crate::base::sorted::SortedMap;
use crate::base::symbol::Symbol;
use crate::base::time::SimTime;
use crate::kube::selector::Selector;

use super::PodId;

/// One endpoint. Those that are equal are told alike.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    /// Whose address it is.
    pub pod: PodId,
    /// The address.
    pub ip: u32,
    /// Takes traffic.
    pub ready: bool,
    /// Is ready, terminating or not.
    pub serving: bool,
    /// Is being deleted.
    pub terminating: bool,
    /// When its pod's condition Ready had changed, as the last sync saw it; whole seconds, none: it has none.
    pub changed_s: Option<u32>,
}

impl PartialEq for Endpoint {
    fn eq(&self, other: &Self) -> bool {
        let told = |one: &Self| (one.pod, one.ip, one.ready, one.serving, one.terminating);
        told(self) == told(other)
    }
}

impl Eq for Endpoint {}

impl Endpoint {
    /// Whether it is ready, in the older Endpoints; none: it is not among them.
    pub const fn in_endpoints(&self) -> Option<bool> {
        match (self.ready, self.terminating) {
            (true, _) => Some(true),
            (false, false) => Some(false),
            (false, true) => None,
        }
    }
}

/// A Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRow {
    /// Namespace.
    pub namespace: Symbol,
    /// Name.
    pub name: Symbol,
    /// Type.
    pub kind: ServiceKind,
    /// `clusterIP`; 0: headless or none.
    pub cluster_ip: u32,
    /// Ports, in order.
    pub ports: Arc<[ServicePort]>,
    /// `spec.selector`; `None`: the endpoints are somebody else's business.
    pub selector: Option<Arc<Selector>>,
    /// `publishNotReadyAddresses`.
    pub publish_not_ready: bool,
    /// Endpoints as the slices say, by pod slot.
    pub endpoints: Arc<SortedMap<u32, Endpoint>>,
    /// Pods that changed since the last sync of the slices.
    pub dirty: Vec<PodId>,
    /// Whether all pods are to be looked at.
    pub dirty_all: bool,
    /// Earliest time of the next sync.
    pub not_before: SimTime,
    /// Writes to its slices.
    pub slice_generation: i64,
    /// When its slices were first written.
    pub slices_written: Option<SimTime>,
    /// What had changed when its slices were written last, and when its Endpoints were; seconds.
    pub triggers: [Option<i64>; 2],
    /// When it was created.
    pub created: SimTime,
    /// `resourceVersion`.
    pub revision: u32,
}
