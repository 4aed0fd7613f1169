//! Amounts of resources as a person asks for them.

use std::sync::Arc;

use crate::base::sorted::SortedMap;

/// Amounts by resource. An absent amount is not zero: defaults and quality of service differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ResourceAmounts {
    /// Thousandths of a CPU, rounded up.
    pub cpu_milli: Option<u64>,
    /// Memory in bytes, rounded up.
    pub memory_bytes: Option<u64>,
    /// Local storage in bytes, rounded up. Kubernetes only.
    pub ephemeral_storage_bytes: Option<u64>,
    /// Whole units of everything else by name, e.g. `nvidia.com/gpu`, or a Swarm generic resource.
    pub extended: SortedMap<Arc<str>, u64>,
}

/// What is reserved and what may be used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ResourceNeeds {
    /// Reserved: Kubernetes `requests`, Swarm and Compose `reservations`. For a pod of Kubernetes,
    /// amounts that only have a limit are filled in from it, as the server does.
    pub requests: ResourceAmounts,
    /// Upper bounds: `limits`.
    pub limits: ResourceAmounts,
}
