//! Machines for the nodes of a cluster that was taken over.

use std::sync::Arc;

use crate::api::node::NodeSetup;
use crate::base::quantity::Quantity;
use crate::des::queue::Seq;
use crate::kube::rows::read as fields;
use crate::kube::store::document::RowReference;
use crate::kube::{KubePlane, Request};
use crate::manifest::value::Value;

use super::command::{Answer, FaultKind, FaultSpec, MachineSpec, Strength};
use super::world::World;

/// A machine that stands for a node, and whether its kubelet was ready.
struct Stand {
    spec: MachineSpec,
    ready: bool,
}

/// A node without capacity is a name only: no machine can stand for it.
fn stand(name: &str, node: &Value) -> Option<Stand> {
    let amount = |key: &str| {
        let text = node.path(&["status", "capacity", key])?;
        Quantity::parse(&crate::object::jsonpath::text(text)).ok()
    };
    let (cpu, memory) = (amount("cpu")?, amount("memory")?);
    let labels: Vec<(Arc<str>, Arc<str>)> = fields::text_map(node.path(&["metadata", "labels"]))
        .into_iter()
        .collect();
    let zone = labels
        .iter()
        .find(|(key, _)| &**key == "topology.kubernetes.io/zone")
        .map_or_else(|| "".into(), |(_, zone)| zone.clone());
    let control = labels
        .iter()
        .any(|(key, _)| &**key == "node-role.kubernetes.io/control-plane");
    let taints = fields::list(node, &["spec", "taints"]).iter().map(|taint| {
        let field = |key| fields::text(taint, &[key]);
        Arc::from(format!(
            "{}={}:{}",
            field("key"),
            field("value"),
            field("effect")
        ))
    });
    let capacity = node.path(&["status", "capacity"]).and_then(Value::as_map);
    let extended = capacity
        .unwrap_or_default()
        .iter()
        .filter(|(key, _)| key.contains('/'))
        .filter_map(|(key, value)| {
            let quantity = Quantity::parse(&crate::object::jsonpath::text(value)).ok()?;
            Some((key.clone(), quantity.value()))
        })
        .collect();
    let ready = fields::list(node, &["status", "conditions"])
        .iter()
        .find(|one| fields::text(one, &["type"]) == "Ready")
        .is_none_or(|one| fields::text(one, &["status"]) == "True");
    let spec = MachineSpec {
        name: name.into(),
        milli_cpu: cpu.milli_value(),
        memory_bytes: memory.value(),
        zone,
        extended,
        setup: NodeSetup {
            control,
            labels,
            taints: taints.collect(),
            address: fields::list(node, &["status", "addresses"])
                .iter()
                .find(|one| fields::text(one, &["type"]) == "InternalIP")
                .map(|one| fields::text(one, &["address"]).into()),
            allocatable: allocatable(node),
            images: images(node),
            ..NodeSetup::default()
        },
        profile: Default::default(),
        subnet: subnet(node),
    };
    (spec.milli_cpu > 0 && spec.memory_bytes > 0).then_some(Stand { spec, ready })
}

/// First address of the range that the node's pods had; of a longer one its first /24.
fn subnet(node: &Value) -> Option<u32> {
    let base = node.str_at(&["spec", "podCIDR"])?.split('/').next()?;
    let base: std::net::Ipv4Addr = base.parse().ok()?;
    Some(u32::from(base) & !0xff)
}

/// What pods may ask for, as the node said.
fn allocatable(node: &Value) -> Vec<(Arc<str>, i64)> {
    let list = node
        .path(&["status", "allocatable"])
        .and_then(Value::as_map);
    list.unwrap_or_default()
        .iter()
        .filter_map(|(key, value)| {
            let amount = Quantity::parse(&crate::object::jsonpath::text(value)).ok()?;
            let amount = if &**key == "cpu" {
                amount.milli_value()
            } else {
                amount.value()
            };
            Some((key.clone(), amount))
        })
        .collect()
}

/// Images that the node said it has.
fn images(node: &Value) -> Vec<(Arc<[Arc<str>]>, u64)> {
    let images = fields::list(node, &["status", "images"]).iter();
    let read = |image: &Value| {
        let size = image.i64_at(&["sizeBytes"]).unwrap_or(0).unsigned_abs();
        let names = fields::list(image, &["names"]).iter();
        let names = names.filter_map(|name| name.as_str().map(Arc::from));
        (names.collect(), size)
    };
    images.map(read).collect()
}

fn stands(plane: &KubePlane) -> Vec<Stand> {
    plane
        .store()
        .documents()
        .of("nodes")
        .filter(|(_, document)| document.row == RowReference::None)
        .filter_map(|(key, document)| stand(&key.name, &document.value))
        .collect()
}

impl World {
    /// A node that is taken over while the loops are off has a machine to look at and to send packets
    /// from; no agent runs there.
    #[inline(never)]
    pub(super) fn stand_frozen(&mut self, request: &Request) {
        let Request::Load { object } = request else {
            return;
        };
        if object.str_at(&["kind"]) != Some("Node") {
            return;
        }
        let name = object.str_at(&["metadata", "name"]).unwrap_or("");
        let Some(one) = stand(name, object) else {
            return;
        };
        if self.machine(name).is_none() {
            self.make_machine(&one.spec);
        }
    }

    /// Whether the name is free, once a machine that only stands for a node that was taken over has
    /// gone.
    pub(super) fn give_way(&mut self, name: &str) -> bool {
        let Some(machine) = self.machine(name) else {
            return true;
        };
        let known = self
            .kube()
            .is_none_or(|plane| plane.store().node_of(machine).is_some());
        if !known {
            self.on_substrate(|substrate, scope| substrate.remove_machine(machine, scope));
        }
        !known
    }

    /// Adds a machine for each node that was taken over; those whose kubelet was not ready have no
    /// power.
    #[inline(never)]
    pub(super) fn stand_for_nodes(&mut self, seq: Seq) {
        let found = self.kube().map_or_else(Vec::new, stands);
        for one in found {
            let added = self.add_machine(seq, &one.spec);
            if matches!(added, Answer::Done) && !one.ready {
                self.inject(&FaultSpec {
                    kind: FaultKind::NodeCrash,
                    target: one.spec.name.clone(),
                    at: None,
                    duration: None,
                    strength: Strength::Usual,
                });
            }
        }
    }
}
