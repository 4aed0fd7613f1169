//! Services and the endpoints behind them.

use std::sync::Arc;

use crate::api::kube::service::{ServiceKind, ServicePort};
use crate::base::sorted::SortedMap;
use crate::base::symbol::Symbol;
use crate::base::time::SimTime;
use crate::kube::selector::Selector;

use super::PodId;

/// One endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// When its slices were last written.
    pub slices_written: Option<SimTime>,
    /// When it was created.
    pub created: SimTime,
    /// `resourceVersion`.
    pub revision: u32,
}
