//! `describe node`.

use crate::base::arrange::Arrange;
use crate::base::quantity::Quantity;
use crate::console::kubectl::clock::{age_of, long};
use crate::console::kubectl::columns::roles;
use crate::console::kubectl::pod_status::items;
use crate::console::kubectl::problem::Problem;
use crate::console::kubectl::{Call, kind_of, name_of};
use crate::manifest::value::Value;
use crate::object::jsonpath::text;

use super::{Sheet, map_lines};

/// A node.
///
/// # Errors
/// If there is no Kubernetes.
pub fn describe(call: &Call<'_>, node: &Value, sheet: &mut Sheet) -> Result<(), Problem> {
    let name = name_of(node);
    sheet.line(0, &format!("Name:\t{name}"));
    sheet.line(0, &format!("Roles:\t{}", roles(node)));
    super::meta(node, sheet);
    sheet.line(
        0,
        &format!(
            "CreationTimestamp:\t{}",
            long(
                node.str_at(&["metadata", "creationTimestamp"])
                    .unwrap_or("")
            )
        ),
    );
    let mut taints = items(node, &["spec", "taints"]).to_vec();
    taints.arrange_by_key(|taint| {
        let text = |field: &str| taint.str_at(&[field]).unwrap_or("").to_owned();
        (text("effect"), text("key"))
    });
    let taints: Vec<String> = taints
        .iter()
        .map(|taint| {
            let value = taint
                .str_at(&["value"])
                .map_or_else(String::new, |value| format!("={value}"));
            format!(
                "{}{value}:{}",
                taint.str_at(&["key"]).unwrap_or(""),
                taint.str_at(&["effect"]).unwrap_or("")
            )
        })
        .collect();
    sheet.many(0, "Taints", &taints);
    let cordoned = node
        .path(&["spec", "unschedulable"])
        .and_then(Value::as_bool)
        == Some(true);
    sheet.line(0, &format!("Unschedulable:\t{cordoned}"));
    let view = call.view()?;
    sheet.line(0, "Lease:");
    match view.get(kind_of("leases")?, "kube-node-lease", name) {
        Some(lease) => {
            sheet.line(
                1,
                &format!(
                    "HolderIdentity:\t{}",
                    lease
                        .str_at(&["spec", "holderIdentity"])
                        .unwrap_or("<unset>")
                ),
            );
            sheet.line(1, "AcquireTime:\t<unset>");
            sheet.line(
                1,
                &format!(
                    "RenewTime:\t{}",
                    long(lease.str_at(&["spec", "renewTime"]).unwrap_or(""))
                ),
            );
        }
        None => sheet.line(1, "HolderIdentity:\t<unset>"),
    }
    sheet.line(0, "Conditions:");
    sheet.line(
        1,
        "Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage",
    );
    sheet.line(
        1,
        "----\t------\t-----------------\t------------------\t------\t-------",
    );
    for one in items(node, &["status", "conditions"]) {
        let field = |key: &str| one.str_at(&[key]).unwrap_or("").to_owned();
        sheet.line(
            1,
            &format!(
                "{}\t{}\t{}\t{}\t{}\t{}",
                field("type"),
                field("status"),
                long(&field("lastHeartbeatTime")),
                long(&field("lastTransitionTime")),
                field("reason"),
                field("message")
            ),
        );
    }
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
        sheet.line(0, &format!("{label}:"));
        for line in map_lines(node, &["status", key], ":\t") {
            sheet.line(1, &line);
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
        sheet.line(
            1,
            &format!(
                "{label}:\t{}",
                node.str_at(&["status", "nodeInfo", key]).unwrap_or("")
            ),
        );
    }
    if let Some(range) = node.str_at(&["spec", "podCIDR"]) {
        sheet.line(0, &format!("PodCIDR:\t{range}"));
    }
    let ranges: Vec<&str> = items(node, &["spec", "podCIDRs"])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    if !ranges.is_empty() {
        sheet.line(0, &format!("PodCIDRs:\t{}", ranges.join(",")));
    }
    pods(call, node, sheet)
}

/// What containers of a pod ask for together; init containers count by the largest.
fn sum(pod: &Value, kind: &str, resource: &str) -> i64 {
    let amount = |container: &Value| {
        let found = container.path(&["resources", kind, resource]).map(text);
        found
            .and_then(|text| Quantity::parse(&text).ok())
            .map_or(0, |amount| {
                if resource == "cpu" {
                    amount.milli_value()
                } else {
                    amount.value()
                }
            })
    };
    let total: i64 = items(pod, &["spec", "containers"]).iter().map(amount).sum();
    items(pod, &["spec", "initContainers"])
        .iter()
        .map(amount)
        .fold(total, i64::max)
}

fn shown(amount: i64, resource: &str, of: i64) -> String {
    let share = if of == 0 {
        0
    } else {
        amount.saturating_mul(100) / of
    };
    let text = match resource {
        "cpu" if amount % 1_000 == 0 => (amount / 1_000).to_string(),
        "cpu" => format!("{amount}m"),
        _ if amount != 0 && amount % (1 << 30) == 0 => format!("{}Gi", amount >> 30),
        _ if amount != 0 && amount % (1 << 20) == 0 => format!("{}Mi", amount >> 20),
        _ if amount != 0 && amount % (1 << 10) == 0 => format!("{}Ki", amount >> 10),
        _ => amount.to_string(),
    };
    format!("{text} ({share}%)")
}

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
    let allocatable = |resource: &str| {
        let found = node
            .str_at(&["status", "allocatable", resource])
            .and_then(|text| Quantity::parse(text).ok());
        found.map_or(0, |amount| {
            if resource == "cpu" {
                amount.milli_value()
            } else {
                amount.value()
            }
        })
    };
    let columns = [
        ("requests", "cpu"),
        ("limits", "cpu"),
        ("requests", "memory"),
        ("limits", "memory"),
    ];
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
    let mut totals = [0; 4];
    for pod in &list {
        let mut row = vec![
            pod.str_at(&["metadata", "namespace"])
                .unwrap_or("")
                .to_owned(),
            name_of(pod).to_owned(),
            String::new(),
        ];
        for (index, (kind, resource)) in columns.into_iter().enumerate() {
            let amount = sum(pod, kind, resource);
            totals[index] += amount;
            row.push(shown(amount, resource, allocatable(resource)));
        }
        row.push(age_of(pod, call.now()));
        sheet.line(1, &row.join("\t"));
    }
    sheet.line(0, "Allocated resources:");
    sheet.line(
        1,
        "(Total limits may be over 100 percent, i.e., overcommitted.)",
    );
    sheet.line(1, "Resource\tRequests\tLimits");
    sheet.line(1, "--------\t--------\t------");
    for (resource, first) in [("cpu", 0), ("memory", 2)] {
        let of = allocatable(resource);
        sheet.line(
            1,
            &format!(
                "{resource}\t{}\t{}",
                shown(totals[first], resource, of),
                shown(totals[first + 1], resource, of)
            ),
        );
    }
    // What pods ask for of these is not summed up.
    let extra = ["ephemeral-storage", "hugepages-1Gi", "hugepages-2Mi"];
    for (index, resource) in extra.into_iter().enumerate() {
        if index == 0 || node.path(&["status", "allocatable", resource]).is_some() {
            sheet.line(1, &format!("{resource}\t0 (0%)\t0 (0%)"));
        }
    }
    Ok(())
}
