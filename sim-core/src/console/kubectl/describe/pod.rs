//! `describe pod`, and the parts of pods that templates share.

use crate::base::arrange::Arrange;
use crate::base::quantity::Quantity;
use crate::console::kubectl::Call;
use crate::console::kubectl::clock::{age, long};
use crate::console::kubectl::columns::{or_none, selector};
use crate::console::kubectl::pod_status::items;
use crate::manifest::value::Value;
use crate::object::jsonpath::text;

use super::container::{containers, resources, seccomp};
use super::volume::volumes;
use super::{Sheet, controller, head, labels, meta};

/// A pod.
pub fn describe(call: &Call<'_>, pod: &Value, sheet: &mut Sheet) {
    let said = |path: &[&str]| pod.str_at(path).filter(|text| !text.is_empty());
    head(pod, sheet);
    if let Some(priority) = pod.i64_at(&["spec", "priority"]) {
        sheet.row(0, "Priority", priority.to_string());
    }
    for (label, key) in [
        ("Priority Class Name", "priorityClassName"),
        ("Runtime Class Name", "runtimeClassName"),
        ("Service Account", "serviceAccountName"),
    ] {
        if let Some(name) = said(&["spec", key]) {
            sheet.row(0, label, name);
        }
    }
    let node = said(&["spec", "nodeName"])
        .map(|node| format!("{node}/{}", pod.str_at(&["status", "hostIP"]).unwrap_or("")));
    sheet.row(0, "Node", or_none(node.as_deref()));
    if let Some(started) = pod.str_at(&["status", "startTime"]) {
        sheet.row(0, "Start Time", long(started));
    }
    meta(pod, sheet);
    let phase = pod.str_at(&["status", "phase"]).unwrap_or("");
    match pod
        .str_at(&["metadata", "deletionTimestamp"])
        .filter(|_| phase != "Succeeded" && phase != "Failed")
    {
        Some(deletion) => {
            let since = age(Some(deletion), call.now());
            sheet.line(0, &format!("Status:\tTerminating (lasts {since})"));
            let grace = pod.i64_at(&["metadata", "deletionGracePeriodSeconds"]);
            sheet.line(
                0,
                &format!("Termination Grace Period:\t{}s", grace.unwrap_or(0)),
            );
        }
        None => sheet.row(0, "Status", phase),
    }
    for (label, key) in [("Reason", "reason"), ("Message", "message")] {
        if let Some(found) = said(&["status", key]) {
            sheet.row(0, label, found);
        }
    }
    seccomp(pod.get("spec").unwrap_or(&Value::Null), 0, 0, sheet);
    sheet.row(0, "IP", pod.str_at(&["status", "podIP"]).unwrap_or(""));
    let ips = items(pod, &["status", "podIPs"]);
    if ips.is_empty() {
        sheet.line(0, "IPs:\t<none>");
    } else {
        sheet.line(0, "IPs:");
        for ip in ips {
            sheet.row(1, "IP", ip.str_at(&["ip"]).unwrap_or(""));
        }
    }
    if let Some(owner) = controller(pod) {
        sheet.row(0, "Controlled By", owner);
    }
    if let Some(node) = said(&["status", "nominatedNodeName"]) {
        sheet.row(0, "NominatedNodeName", node);
    }
    if let Some(whole) = pod.path(&["spec", "resources"]) {
        sheet.line(0, "Resources:");
        resources(Some(whole), 1, sheet);
    }
    for (label, list, statuses) in [
        ("Init Containers", "initContainers", "initContainerStatuses"),
        ("Containers", "containers", "containerStatuses"),
        (
            "Ephemeral Containers",
            "ephemeralContainers",
            "ephemeralContainerStatuses",
        ),
    ] {
        let list = items(pod, &["spec", list]);
        if !list.is_empty() || label == "Containers" {
            containers(label, list, Some((pod, statuses)), 0, sheet);
        }
    }
    gates(pod, sheet);
    conditions(pod, sheet);
    volumes(items(pod, &["spec", "volumes"]), 0, sheet);
    sheet.row(0, "QoS Class", qos(pod));
    labels(pod, &["spec", "nodeSelector"], "Node-Selectors", 0, sheet);
    sheet.many(0, "Tolerations", &tolerations(pod));
    spread(pod, 0, sheet);
}

/// The class that the server wrote; without one it is worked out, as the client does.
/// Source: `k8s.io/kubectl/pkg/util/qos/qos.go` (`GetPodQOS`).
fn qos(pod: &Value) -> String {
    let written = pod.str_at(&["status", "qosClass"]).unwrap_or("");
    if !written.is_empty() {
        return written.to_owned();
    }
    let whole = pod
        .get("spec")
        .filter(|spec| spec.get("resources").is_some());
    let lists = ["containers", "initContainers"];
    let each = lists.iter().flat_map(|list| items(pod, &["spec", list]));
    let parts: Vec<&Value> = whole.map_or_else(|| each.collect(), |spec| vec![spec]);
    let of = |part: &Value, side: &str, name: &str| {
        let amount = part.path(&["resources", side, name]).map(text);
        let amount = amount.and_then(|amount| Quantity::parse(&amount).ok());
        amount.map_or(0, |amount| amount.milli_value().max(0))
    };
    let sum = |side: &str, name: &str| -> i64 {
        let all = parts.iter().map(|part| of(part, side, name));
        all.fold(0, i64::saturating_add)
    };
    let sums = ["cpu", "memory"].map(|name| (sum("requests", name), sum("limits", name)));
    let limited = |part: &&Value| of(part, "limits", "cpu") > 0 && of(part, "limits", "memory") > 0;
    let class = if sums == [(0, 0); 2] {
        "BestEffort"
    } else if parts.iter().all(limited) && sums.iter().all(|(asked, most)| asked == most) {
        "Guaranteed"
    } else {
        "Burstable"
    };
    class.to_owned()
}

/// Topology spread constraints, by key.
pub fn spread(pod: &Value, level: usize, sheet: &mut Sheet) {
    let mut list: Vec<(&str, String)> = items(pod, &["spec", "topologySpreadConstraints"])
        .iter()
        .map(|one| {
            let key = one.str_at(&["topologyKey"]).unwrap_or("");
            let chosen = one.get("labelSelector").map_or_else(String::new, |chosen| {
                format!(" for selector {}", selector(Some(chosen)))
            });
            let line = format!(
                "{key}:{} when max skew {} is exceeded{chosen}",
                one.str_at(&["whenUnsatisfiable"]).unwrap_or(""),
                one.i64_at(&["maxSkew"]).unwrap_or(0)
            );
            (key, line)
        })
        .collect();
    if list.is_empty() {
        return;
    }
    list.arrange_by_key(|(key, _)| *key);
    let lines: Vec<String> = list.into_iter().map(|(_, line)| line).collect();
    sheet.many(level, "Topology Spread Constraints", &lines);
}

/// The conditions; upstream writes a blank after each cell and no rule below the headings.
fn conditions(pod: &Value, sheet: &mut Sheet) {
    let list = items(pod, &["status", "conditions"]);
    if list.is_empty() {
        return;
    }
    sheet.line(0, "Conditions:");
    sheet.line(1, "Type\tStatus");
    for one in list {
        let text = |field: &str| one.str_at(&[field]).unwrap_or("");
        sheet.line(1, &format!("{} \t{} ", text("type"), text("status")));
    }
}

/// Readiness gates and what their conditions say.
fn gates(pod: &Value, sheet: &mut Sheet) {
    let list = items(pod, &["spec", "readinessGates"]);
    if list.is_empty() {
        return;
    }
    sheet.line(0, "Readiness Gates:");
    sheet.line(1, "Type\tStatus");
    for gate in list {
        let kind = gate.str_at(&["conditionType"]).unwrap_or("");
        let status = items(pod, &["status", "conditions"])
            .iter()
            .find(|one| one.str_at(&["type"]) == Some(kind))
            .and_then(|one| one.str_at(&["status"]));
        sheet.line(1, &format!("{kind} \t{} ", status.unwrap_or("<none>")));
    }
}

/// Tolerations in one line each.
pub fn tolerations(pod: &Value) -> Vec<String> {
    let mut all = items(pod, &["spec", "tolerations"]).to_vec();
    all.arrange_by_key(|one| one.str_at(&["key"]).unwrap_or("").to_owned());
    let shown = all.iter().map(|one| {
        let field = |key: &str| one.str_at(&[key]).unwrap_or("");
        let mut line = field("key").to_owned();
        if !field("value").is_empty() {
            line.push_str(&format!("={}", field("value")));
        }
        if !field("effect").is_empty() {
            line.push_str(&format!(":{}", field("effect")));
        }
        if field("operator") == "Exists" && field("value").is_empty() {
            line.push_str(if field("key").is_empty() && field("effect").is_empty() {
                "op=Exists"
            } else {
                " op=Exists"
            });
        }
        if let Some(seconds) = one.i64_at(&["tolerationSeconds"]) {
            line.push_str(&format!(" for {seconds}s"));
        }
        line
    });
    shown.collect()
}
