//! A node and its lease as objects.

use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::quantity::{Format, Quantity};
use crate::base::resources::ResourceVector;
use crate::kube::control_plane::leases;
use crate::kube::rows::NodeId;
use crate::kube::rows::node::{NodeCondition, NodeRow, effect_text};
use crate::kube::volumes::claim;
use crate::manifest::value::Value;
use crate::substrate::profile;

use super::{View, object, text_map, text_or_null, time, uid, uid_text};

/// Version that is modelled.
pub const VERSION: &str = "v1.36.2";

/// What a kubelet of this version declares with every gate as it is by default.
/// Source: `staging/src/k8s.io/component-helpers/nodedeclaredfeatures/features/registry.go`.
const DECLARED: [&str; 4] = [
    "ExtendWebSocketsToKubelet",
    "InPlacePodLevelResourcesVerticalScaling",
    "InPlacePodVerticalScalingInitContainers",
    "RestartAllContainersOnContainerExits",
];

/// `metadata.uid`.
pub fn own_uid(view: &View<'_>, row: &NodeRow) -> String {
    let name = view.symbols.text(row.name);
    uid_text(uid(view.seed, "nodes", "", name, row.created.as_micros()))
}

/// The node, complete.
pub fn render(view: &View<'_>, id: NodeId) -> Value {
    let Some(row) = view.store.node(id) else {
        return Value::Null;
    };
    let name = view.symbols.text(row.name);
    let taints: Vec<Value> = row
        .taints
        .iter()
        .enumerate()
        .map(|(index, taint)| {
            let added = row.taint_times.get(index).copied().flatten();
            let added = added.map_or(Value::Null, time);
            object([
                ("effect", effect_text(taint.effect).into()),
                ("key", Value::String(taint.key.clone())),
                ("timeAdded", added),
                ("value", text_or_null(&taint.value)),
            ])
        })
        .collect();
    let metadata = object([
        ("annotations", text_map(&row.annotations)),
        ("creationTimestamp", time(row.created)),
        ("labels", text_map(&row.labels)),
        ("name", name.into()),
        ("resourceVersion", row.revision.to_string().into()),
        ("uid", own_uid(view, row).into()),
    ]);
    // Of `--allocate-node-cidrs`: the node's part of the cluster's range.
    let range = view.machines.subnet(row.machine).map(Arc::from);
    let own = row.pod_ranges.iter().cloned();
    let ranges: Vec<Value> = own.chain(range).map(Value::from).collect();
    let spec = object([
        ("podCIDR", ranges.first().cloned().unwrap_or_default()),
        ("podCIDRs", some(ranges)),
        (
            "taints",
            if taints.is_empty() {
                Value::Null
            } else {
                Value::list(taints)
            },
        ),
        (
            "unschedulable",
            if row.unschedulable {
                true.into()
            } else {
                Value::Null
            },
        ),
    ]);
    object([
        ("apiVersion", "v1".into()),
        ("kind", "Node".into()),
        ("metadata", metadata),
        ("spec", spec),
        ("status", status(view, (id, row), name)),
    ])
}

fn status(view: &View<'_>, (id, row): (NodeId, &NodeRow), name: &str) -> Value {
    let heartbeat = view.machines.wall(row.machine, row.heartbeat);
    let kinds = [
        (NodeCondition::MemoryPressure, "MemoryPressure"),
        (NodeCondition::DiskPressure, "DiskPressure"),
        (NodeCondition::PidPressure, "PIDPressure"),
        (NodeCondition::Ready, "Ready"),
    ];
    let said = kinds
        .into_iter()
        .filter(|(which, _)| !row.conditions[*which as usize].reason.is_empty());
    let conditions = said.map(|(which, kind)| {
        let condition = row.conditions[which as usize];
        object([
            ("lastHeartbeatTime", time(heartbeat)),
            ("lastTransitionTime", time(condition.transition)),
            ("message", condition.message.into()),
            ("reason", condition.reason.into()),
            ("status", condition.status.text().into()),
            ("type", kind.into()),
        ])
    });
    let conditions: Vec<Value> = conditions.collect();
    if row.by_hand {
        return by_hand(view, row, conditions);
    }
    let address =
        |kind: &str, address: &str| object([("address", address.into()), ("type", kind.into())]);
    let mut addresses = Vec::new();
    if let Some(ip) = view.machines.machine_address(row.machine) {
        addresses.push(address("InternalIP", &ip));
    }
    addresses.push(address("Hostname", name));
    let machine_id = format!("{:032x}", uid(view.seed, "machines", "", name, 0));
    // Thresholds are taken off in bytes, and the result is written so.
    let mut allocatable = resources(view, &row.allocatable);
    allocatable.set(
        "ephemeral-storage",
        row.allocatable.ephemeral_storage.to_string().into(),
    );
    let machine = view.machines.machine(row.machine);
    let engine = machine
        .map(|machine| machine.profile.engine)
        .unwrap_or_default();
    let boots = machine.map_or(0, |machine| u64::from(machine.boots.saturating_sub(1)));
    let info = object([
        ("architecture", "amd64".into()),
        (
            "bootID",
            uid_text(uid(view.seed, "boots", "", name, boots)).into(),
        ),
        ("containerRuntimeVersion", engine.version().into()),
        ("kernelVersion", profile::KERNEL.into()),
        // The kubelet does not know it, and says so.
        // Source: `pkg/kubelet/nodestatus/setters.go` (`VersionInfo`).
        ("kubeProxyVersion", "".into()),
        ("kubeletVersion", VERSION.into()),
        ("machineID", machine_id.as_str().into()),
        ("operatingSystem", "linux".into()),
        ("osImage", profile::SYSTEM.into()),
        (
            "systemUUID",
            uid_text(uid(view.seed, "systems", "", name, 0)).into(),
        ),
    ]);
    object([
        ("addresses", Value::list(addresses)),
        ("allocatable", allocatable),
        ("capacity", resources(view, &row.capacity)),
        ("conditions", Value::list(conditions)),
        (
            "daemonEndpoints",
            object([("kubeletEndpoint", object([("Port", Value::Int(10250))]))]),
        ),
        (
            "declaredFeatures",
            Value::list(DECLARED.map(Value::from).to_vec()),
        ),
        (
            "features",
            object([("supplementalGroupsPolicy", true.into())]),
        ),
        ("images", images(row)),
        ("nodeInfo", info),
        ("volumesAttached", attached(view, id)),
        ("volumesInUse", in_use(view, id)),
    ])
}

/// Status of a node of which no kubelet has ever said anything.
fn by_hand(view: &View<'_>, row: &NodeRow, mut conditions: Vec<Value>) -> Value {
    const FACTS: [&str; 10] = [
        "architecture",
        "bootID",
        "containerRuntimeVersion",
        "kernelVersion",
        "kubeProxyVersion",
        "kubeletVersion",
        "machineID",
        "operatingSystem",
        "osImage",
        "systemUUID",
    ];
    // The controller asks for readiness first.
    if let Some(last) = conditions.pop() {
        conditions.insert(0, last);
    }
    let stated = |amounts| {
        let all = resources(view, amounts);
        let all = all.as_map().unwrap_or_default().iter();
        let own = all.filter(|(_, amount)| amount.as_str() != Some("0"));
        let own: Vec<_> = own
            .map(|(name, amount)| (name.to_string(), amount.clone()))
            .collect();
        if own.is_empty() {
            Value::Null
        } else {
            Value::object(own)
        }
    };
    object([
        ("allocatable", stated(&row.allocatable)),
        ("capacity", stated(&row.capacity)),
        ("conditions", some(conditions)),
        (
            "daemonEndpoints",
            object([("kubeletEndpoint", object([("Port", Value::Int(0))]))]),
        ),
        ("nodeInfo", object(FACTS.map(|fact| (fact, "".into())))),
    ])
}

/// Volumes by the names that the attach/detach controller has for them.
/// Source: `pkg/volume/util/util.go` (`GetUniqueVolumeNameFromSpec`), `pkg/volume/csi/csi_plugin.go`.
fn unique_names(view: &View<'_>, volumes: Vec<Arc<str>>) -> Vec<String> {
    let names = volumes.into_iter().filter_map(|volume| {
        let (driver, handle) = claim::volume(&volume, view.store)?.csi?;
        Some(format!("kubernetes.io/csi/{driver}^{handle}"))
    });
    let mut names: Vec<String> = names.collect();
    names.arrange();
    names
}

fn attached(view: &View<'_>, id: NodeId) -> Value {
    let names = unique_names(view, view.store.attached_to(id)).into_iter();
    let list = names.map(|name| object([("devicePath", "".into()), ("name", name.into())]));
    some(list.collect())
}

fn in_use(view: &View<'_>, id: NodeId) -> Value {
    let names = unique_names(view, view.store.in_use_on(id)).into_iter();
    some(names.map(Value::from).collect())
}

/// A list that is left out where it is empty.
fn some(list: Vec<Value>) -> Value {
    if list.is_empty() {
        Value::Null
    } else {
        Value::list(list)
    }
}

/// Amounts as a kubelet writes them: whole cores without a suffix, memory in binary units.
fn resources(view: &View<'_>, amounts: &ResourceVector) -> Value {
    let mut list: Vec<(String, Value)> = vec![
        ("cpu".to_owned(), cpu(amounts.milli_cpu).into()),
        (
            "ephemeral-storage".to_owned(),
            bytes(amounts.ephemeral_storage).into(),
        ),
        ("hugepages-1Gi".to_owned(), "0".into()),
        ("hugepages-2Mi".to_owned(), "0".into()),
        ("memory".to_owned(), bytes(amounts.memory).into()),
        ("pods".to_owned(), amounts.pods.to_string().into()),
    ];
    for (name, amount) in &amounts.extended {
        let text = view.symbols.text(*name);
        list.retain(|(known, _)| known != text);
        list.push((
            view.symbols.text(*name).to_owned(),
            amount.to_string().into(),
        ));
    }
    list.arrange_by(|one, two| one.0.cmp(&two.0));
    Value::object(list)
}

/// Images that the kubelet has posted.
fn images(row: &NodeRow) -> Value {
    if row.images.is_empty() {
        return Value::Null;
    }
    let list = row.images.iter().map(|(names, size)| {
        let names = names.iter().map(|name| Value::String(name.clone()));
        object([
            ("names", Value::list(names.collect())),
            (
                "sizeBytes",
                Value::Int(i64::try_from(*size).unwrap_or(i64::MAX)),
            ),
        ])
    });
    Value::list(list.collect())
}

fn cpu(milli: i64) -> String {
    if milli % 1_000 == 0 {
        (milli / 1_000).to_string()
    } else {
        format!("{milli}m")
    }
}

/// Bytes as the API server shows what a kubelet sent in binary notation: by the largest suffix that leaves a
/// whole number, which is a decimal one where no binary fits.
/// Source: `k8s.io/apimachinery/pkg/api/resource/quantity.go` (`CanonicalizeBytes`).
fn bytes(amount: i64) -> String {
    let sent = Quantity::from_units(amount, Format::BinarySi).canonical();
    Quantity::parse(&sent).map_or(sent, |read| read.canonical())
}

/// A node's lease, as it is at this moment.
pub fn lease(view: &View<'_>, id: NodeId) -> Option<Value> {
    let row = view.store.node(id)?;
    let name = view.symbols.text(row.name);
    let renewed = view.heartbeats?.renewed(id, row, view.settings, view.now)?;
    let metadata = object([
        ("creationTimestamp", time(row.created)),
        ("name", name.into()),
        ("namespace", "kube-node-lease".into()),
        (
            "ownerReferences",
            vec![object([
                ("apiVersion", "v1".into()),
                ("kind", "Node".into()),
                ("name", name.into()),
                ("uid", own_uid(view, row).into()),
            ])]
            .into(),
        ),
        ("resourceVersion", leases::version(view)),
        (
            "uid",
            uid_text(uid(
                view.seed,
                "leases",
                "kube-node-lease",
                name,
                row.created.as_micros(),
            ))
            .into(),
        ),
    ]);
    let spec = object([
        ("holderIdentity", name.into()),
        (
            "leaseDurationSeconds",
            Value::Int(view.settings.node_lease_duration.as_secs().cast_signed()),
        ),
        (
            "renewTime",
            view.machines
                .wall(row.machine, renewed)
                .rfc3339_micros()
                .into(),
        ),
    ]);
    Some(object([
        ("apiVersion", "coordination.k8s.io/v1".into()),
        ("kind", "Lease".into()),
        ("metadata", metadata),
        ("spec", spec),
    ]))
}
