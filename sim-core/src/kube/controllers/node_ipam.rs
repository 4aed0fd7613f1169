//! The node IPAM controller: ranges of pods' addresses for nodes that no machine stands for. A machine
//! has its own from when it joins, which is where the next one here comes after.
//!
//! Not modelled: an end of the cluster's range (CIDRNotAvailable), and a second family.
//! Source: `pkg/controller/nodeipam/ipam/range_allocator.go` (`AllocateOrOccupyCIDR`, `ReleaseCIDR`).

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::kube::rows::NodeId;
use crate::kube::turn::Turn;
use crate::substrate::order::{MachineId, Order};

/// Bits of a node's range. Source: `cmd/kube-controller-manager/app/core.go` (`startNodeIpamController`).
const NODE_PREFIX: u32 = 24;

/// Gives a node a range, or marks the one that it has as taken.
pub fn sync(node: NodeId, turn: &mut Turn<'_, '_>) {
    let Some(row) = turn.store.node(node).filter(|row| row.by_hand) else {
        return;
    };
    let machine = row.machine;
    let range = match row.pod_ranges.first() {
        Some(range) => range.clone(),
        None => {
            let next = Ipv4Addr::from_bits(turn.ctx.machines.next_subnet());
            let range: Arc<str> = format!("{next}/{NODE_PREFIX}").into();
            turn.store.set_pod_ranges(node, [range.clone()].into());
            range
        }
    };
    if let Some((base, prefix)) = parse(&range) {
        let count = 1 << (NODE_PREFIX - prefix.min(NODE_PREFIX));
        turn.out.order(Order::HoldSubnets {
            machine,
            base,
            count,
        });
    }
}

/// A node is gone: its range is free.
pub fn forget(machine: MachineId, turn: &mut Turn<'_, '_>) {
    if turn.ctx.machines.machine(machine).is_none() {
        turn.out.order(Order::FreeSubnets { machine });
    }
}

fn parse(range: &str) -> Option<(u32, u32)> {
    let (base, prefix) = range.split_once('/')?;
    let base: Ipv4Addr = base.parse().ok()?;
    Some((base.to_bits(), prefix.parse().ok()?))
}
