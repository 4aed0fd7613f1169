//! `describe node`.

use crate::base::arrange::Arrange;
use crate::base::quantity::Quantity;
use crate::console::kubectl::clock::{age_of, long};
use crate::console::kubectl::columns::autoscaler::quantity;
use crate::console::kubectl::columns::roles;
use crate::console::kubectl::pod_status::items;
use crate::console::kubectl::problem::Problem;
use crate::console::kubectl::{Call, kind_of, name_of};
use crate::manifest::value::Value;
use crate::object::jsonpath::text;

use super::Sheet;
use super::amounts::{Amounts, Side, of_pod};

/// A node.
///
/// # Errors
/// If there is no Kubernetes.
pub fn describe(call: &Call<'_>, node: &Value, sheet: &mut Sheet) -> Result<(), Problem> {
    let name = name_of(node);
    sheet.row(0, "Name", name);
    sheet.row(0, "Roles", roles(node));
    super::meta(node, sheet);
    sheet.row(
        0,
        "CreationTimestamp",
        long(
            node.str_at(&["metadata", "creationTimestamp"])
                .unwrap_or(""),
        ),
    );
    let mut taints = items(node, &["spec", "taints"]).to_vec();
    taints.arrange_by_key(|taint| {
        let text = |field: &str| taint.str_at(&[field]).unwrap_or("").to_owned();
        format!("{},{}", text("effect"), text("key"))
    });
    let taints: Vec<String> = taints
        .iter()
        .map(|taint| {
            // As `Taint.ToString` in `k8s.io/api/core/v1/taint.go`.
            let field = |key: &str| taint.str_at(&[key]).unwrap_or("");
            match (field("key"), field("value"), field("effect")) {
                (key, "", "") => key.to_owned(),
                (key, value, "") => format!("{key}={value}:"),
                (key, "", effect) => format!("{key}:{effect}"),
                (key, value, effect) => format!("{key}={value}:{effect}"),
            }
        })
        .collect();
    sheet.many(0, "Taints", &taints);
    let cordoned = node
        .path(&["spec", "unschedulable"])
        .and_then(Value::as_bool)
        == Some(true);
    sheet.row(0, "Unschedulable", cordoned.to_string());
    let view = call.view()?;
    match view.get(kind_of("leases")?, "kube-node-lease", name) {
        Some(lease) => {
            sheet.line(0, "Lease:");
            let field = |key: &str| lease.str_at(&["spec", key]);
            let holder = field("holderIdentity").unwrap_or("<unset>");
            sheet.row(1, "HolderIdentity", holder);
            for (label, key) in [("AcquireTime", "acquireTime"), ("RenewTime", "renewTime")] {
                let at = field(key).map_or_else(|| "<unset>".to_owned(), long);
                sheet.row(1, label, at);
            }
        }
        None => sheet.line(
            0,
            &format!(
                "Lease:\tFailed to get lease: leases.coordination.k8s.io \"{name}\" not found"
            ),
        ),
    }
    let columns = [
        ("Type", " "),
        ("Status", " "),
        ("LastHeartbeatTime", " "),
        ("LastTransitionTime", " "),
        ("Reason", " "),
        ("Message", ""),
    ];
    super::conditions(node, &columns, sheet);
    sheet.line(0, "Addresses:");
    for one in items(node, &["status", "addresses"]) {
        sheet.line(
            1,
            &format!(
                "{}:\t{}",
                one.str_at(&["type"]).unwrap_or(""),
                one.str_at(&["address"]).unwrap_or("")
            ),
        );
    }
    for (label, key) in [("Capacity", "capacity"), ("Allocatable", "allocatable")] {
        let map = node.path(&["status", key]).and_then(Value::as_map);
        let Some(map) = map.filter(|map| !map.is_empty()) else {
            continue;
        };
        sheet.line(0, &format!("{label}:"));
        for (name, amount) in map.sorted() {
            sheet.row(1, name, quantity(amount));
        }
    }
    sheet.line(0, "System Info:");
    let labels = [
        ("Machine ID", "machineID"),
        ("System UUID", "systemUUID"),
        ("Boot ID", "bootID"),
        ("Kernel Version", "kernelVersion"),
        ("OS Image", "osImage"),
        ("Operating System", "operatingSystem"),
        ("Architecture", "architecture"),
        ("Container Runtime Version", "containerRuntimeVersion"),
        ("Kubelet Version", "kubeletVersion"),
    ];
    for (label, key) in labels {
        sheet.row(
            1,
            label,
            node.str_at(&["status", "nodeInfo", key]).unwrap_or(""),
        );
    }
    if let Some(range) = node
        .str_at(&["spec", "podCIDR"])
        .filter(|range| !range.is_empty())
    {
        sheet.row(0, "PodCIDR", range);
    }
    let ranges: Vec<&str> = items(node, &["spec", "podCIDRs"])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    if !ranges.is_empty() {
        sheet.row(0, "PodCIDRs", ranges.join(","));
    }
    if let Some(id) = node
        .str_at(&["spec", "providerID"])
        .filter(|id| !id.is_empty())
    {
        sheet.row(0, "ProviderID", id);
    }
    pods(call, node, sheet)
}

/// An amount and its share of another, in per cent, cut off.
fn shown(amount: &Quantity, resource: &str, of: &Quantity) -> String {
    let whole = |amount: &Quantity| match resource {
        "cpu" => i128::from(amount.milli_value()),
        _ => i128::from(amount.value()),
    };
    let share = match whole(of) {
        0 => 0,
        of => whole(amount) * 100 / of,
    };
    format!("{} ({share}%)", amount.canonical())
}

/// Pods on the node and what they take of it. Source: as above (`describeNodeResource`).
fn pods(call: &Call<'_>, node: &Value, sheet: &mut Sheet) -> Result<(), Problem> {
    let name = name_of(node);
    let mut list = call.listing(kind_of("pods")?, None).unwrap_or_default();
    list.retain(|pod| {
        pod.str_at(&["spec", "nodeName"]) == Some(name)
            && !matches!(
                pod.str_at(&["status", "phase"]),
                Some("Succeeded" | "Failed")
            )
    });
    let left = node
        .path(&["status", "allocatable"])
        .and_then(Value::as_map);
    let room = match left.is_some_and(|map| !map.is_empty()) {
        true => "allocatable",
        false => "capacity",
    };
    let of = |resource: &str| {
        let found = node.path(&["status", room, resource]).map(text);
        found
            .and_then(|text| Quantity::parse(&text).ok())
            .unwrap_or(Quantity::ZERO)
    };
    sheet.line(
        0,
        &format!("Non-terminated Pods:\t({} in total)", list.len()),
    );
    sheet.line(
        1,
        "Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge",
    );
    sheet.line(
        1,
        "---------\t----\t\t------------\t----------\t---------------\t-------------\t---",
    );
    let (mut requests, mut limits) = (Amounts::default(), Amounts::default());
    for pod in &list {
        let namespace = pod.str_at(&["metadata", "namespace"]).unwrap_or("");
        let mut row = format!("{namespace}\t{}\t", name_of(pod));
        for resource in ["cpu", "memory"] {
            for side in [Side::Requests, Side::Limits] {
                let amount = of_pod(pod, side, true).get(resource);
                row.push_str(&format!("\t{}", shown(&amount, resource, &of(resource))));
            }
        }
        sheet.line(1, &format!("{row}\t{}", age_of(pod, call.now())));
        requests.add(&of_pod(pod, Side::Requests, false));
        limits.add(&of_pod(pod, Side::Limits, false));
    }
    sheet.line(0, "Allocated resources:");
    sheet.line(
        1,
        "(Total limits may be over 100 percent, i.e., overcommitted.)",
    );
    sheet.line(1, "Resource\tRequests\tLimits");
    sheet.line(1, "--------\t--------\t------");
    let map = node.path(&["status", room]).and_then(Value::as_map);
    let names = map.unwrap_or_default().sorted().into_iter();
    let known = ["cpu", "memory", "ephemeral-storage"];
    let (pages, others): (Vec<&str>, Vec<&str>) = names
        .map(|(name, _)| &**name)
        .filter(|name| !known.contains(name) && *name != "pods")
        .partition(|name| name.starts_with("hugepages-"));
    for resource in known.into_iter().chain(pages) {
        let side = |of_all: &Amounts| shown(&of_all.get(resource), resource, &of(resource));
        sheet.line(
            1,
            &format!("{resource}\t{}\t{}", side(&requests), side(&limits)),
        );
    }
    for resource in others {
        let side = |of_all: &Amounts| of_all.get(resource).canonical();
        sheet.line(
            1,
            &format!("{resource}\t{}\t{}", side(&requests), side(&limits)),
        );
    }
    Ok(())
}
