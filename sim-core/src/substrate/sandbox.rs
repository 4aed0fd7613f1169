//! Sandboxes: the namespaces and the address that containers share.

use std::sync::Arc;

use crate::base::time::SimTime;

use super::cgroup::settings::SandboxSpec;
use super::net::balancer::MemberId;
use super::order::{ContainerId, MachineId, Owner, SandboxId};

/// How far a sandbox is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SandboxState {
    /// Ordered; the network is being set up.
    Creating,
    /// Has its network and address.
    Ready,
    /// Could not be made: the subnet of its machine is used up.
    Failed,
    /// Its containers have ended, and its network is gone.
    Stopped,
}

/// One sandbox.
#[derive(Clone, Debug)]
pub struct Sandbox {
    /// Whose it is.
    pub owner: Owner,
    /// Where it is.
    pub machine: MachineId,
    /// How it was to be made.
    pub spec: Arc<SandboxSpec>,
    /// When it was ordered.
    pub created: SimTime,
    /// IPv4 address; 0 before it is ready.
    pub address: u32,
    /// How far it is.
    pub state: SandboxState,
    pub(super) first_container: Option<ContainerId>,
    pub(super) next_on_machine: Option<SandboxId>,
    pub(super) previous_on_machine: Option<SandboxId>,
    pub(super) first_member: Option<MemberId>,
    /// When the answer to "does it serve" is looked at next; [`SimTime::MAX`]: never.
    pub(super) serving_due: SimTime,
}

const _: () = assert!(size_of::<Sandbox>() <= 96, "150,000 of these are kept");
