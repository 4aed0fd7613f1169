//! `describe` of volumes, claims and classes.

use crate::base::arrange::Arrange;
use crate::console::kubectl::clock::{age, long};
use crate::console::kubectl::columns::autoscaler::quantity;
use crate::console::kubectl::columns::or_none;
use crate::console::kubectl::columns::storage::{access_modes, class};
use crate::console::kubectl::pod_status::items;
use crate::console::kubectl::problem::Problem;
use crate::console::kubectl::{Call, kind_of, name_of};
use crate::manifest::value::Value;
use crate::object::jsonpath::text;

use super::{Sheet, head, labels, meta};

fn finalizers(object: &Value, sheet: &mut Sheet) {
    let list: Vec<String> = items(object, &["metadata", "finalizers"])
        .iter()
        .map(text)
        .collect();
    sheet.line(0, &format!("Finalizers:\t[{}]", list.join(" ")));
}

/// Phase, or since when it is being deleted.
fn phase(call: &Call<'_>, object: &Value) -> String {
    match object.str_at(&["metadata", "deletionTimestamp"]) {
        Some(at) => format!("Terminating (lasts {})", age(Some(at), call.now())),
        None => object.str_at(&["status", "phase"]).unwrap_or("").to_owned(),
    }
}

/// A PersistentVolumeClaim.
///
/// # Errors
/// If there is no Kubernetes.
pub fn claim(call: &Call<'_>, object: &Value, sheet: &mut Sheet) -> Result<(), Problem> {
    head(object, sheet);
    sheet.row(0, "StorageClass", class(object));
    sheet.row(0, "Status", phase(call, object));
    let volume = object.str_at(&["spec", "volumeName"]).unwrap_or("");
    sheet.row(0, "Volume", volume);
    meta(object, sheet);
    finalizers(object, sheet);
    request(object, 0, sheet);
    let pods = call
        .listing(kind_of("pods")?, object.str_at(&["metadata", "namespace"]))
        .unwrap_or_default();
    // A pod is named as often as it mounts the claim; one that owns it, at least once.
    let mut users: Vec<&str> = Vec::new();
    for pod in &pods {
        let volumes = items(pod, &["spec", "volumes"]).iter();
        let mounts = volumes.filter(|volume| {
            volume.str_at(&["persistentVolumeClaim", "claimName"]) == Some(name_of(object))
        });
        let owners = items(object, &["metadata", "ownerReferences"]);
        let owns = owners.iter().any(|owner| {
            owner.str_at(&["kind"]) == Some("Pod")
                && owner.str_at(&["uid"]) == pod.str_at(&["metadata", "uid"])
        });
        let times = mounts.count().max(usize::from(owns));
        users.extend(std::iter::repeat_n(name_of(pod), times));
    }
    users.arrange();
    let users: Vec<String> = users.into_iter().map(str::to_owned).collect();
    sheet.many(0, "Used By", &users);
    let columns = [
        ("Type", " "),
        ("Status", " "),
        ("LastProbeTime", " "),
        ("LastTransitionTime", " "),
        ("Reason", " "),
        ("Message", ""),
    ];
    super::conditions(object, &columns, sheet);
    Ok(())
}

/// The claim of an ephemeral volume: what has no meaning before it exists is left out.
pub fn claim_template(template: &Value, sheet: &mut Sheet) {
    sheet.row(2, "StorageClass", class(template));
    sheet.line(2, "Volume:\t");
    labels(template, &["metadata", "labels"], "Labels", 2, sheet);
    super::annotations(template, 2, sheet);
    request(template, 2, sheet);
}

/// What was given, and what was asked for.
fn request(object: &Value, level: usize, sheet: &mut Sheet) {
    let (mut capacity, mut modes) = (String::new(), String::new());
    let volume = object.str_at(&["spec", "volumeName"]).unwrap_or("");
    if !volume.is_empty() {
        modes = access_modes(items(object, &["status", "accessModes"]));
        capacity = object
            .path(&["status", "capacity", "storage"])
            .map_or_else(|| "0".to_owned(), quantity);
    }
    sheet.row(level, "Capacity", capacity);
    sheet.row(level, "Access Modes", modes);
    if let Some(mode) = object.str_at(&["spec", "volumeMode"]) {
        sheet.row(level, "VolumeMode", mode);
    }
    if let Some(source) = object.path(&["spec", "dataSource"]) {
        sheet.line(level, "DataSource:");
        if let Some(group) = source.str_at(&["apiGroup"]) {
            sheet.row(level + 1, "APIGroup", group);
        }
        for (label, key) in [("Kind", "kind"), ("Name", "name")] {
            let found = source.str_at(&[key]).unwrap_or("");
            sheet.row(level + 1, label, found);
        }
    }
}

/// A PersistentVolume.
pub fn volume(call: &Call<'_>, object: &Value, sheet: &mut Sheet) {
    sheet.row(0, "Name", name_of(object));
    meta(object, sheet);
    finalizers(object, sheet);
    sheet.row(0, "StorageClass", class(object));
    sheet.row(0, "Status", phase(call, object));
    let claim = object
        .path(&["spec", "claimRef"])
        .map_or_else(String::new, |claim| {
            format!(
                "{}/{}",
                claim.str_at(&["namespace"]).unwrap_or(""),
                claim.str_at(&["name"]).unwrap_or("")
            )
        });
    sheet.row(0, "Claim", claim);
    let policy = object
        .str_at(&["spec", "persistentVolumeReclaimPolicy"])
        .unwrap_or("");
    sheet.row(0, "Reclaim Policy", policy);
    let modes = access_modes(items(object, &["spec", "accessModes"]));
    sheet.row(0, "Access Modes", modes);
    if let Some(mode) = object.str_at(&["spec", "volumeMode"]) {
        sheet.row(0, "VolumeMode", mode);
    }
    let size = object
        .path(&["spec", "capacity", "storage"])
        .map_or_else(|| "0".to_owned(), quantity);
    sheet.row(0, "Capacity", size);
    affinity(object, sheet);
    let message = object.str_at(&["status", "message"]).unwrap_or("");
    sheet.row(0, "Message", message);
    sheet.line(0, "Source:");
    let spec = object.get("spec").unwrap_or(&Value::Null);
    super::volume::source(spec, true, sheet);
}

fn affinity(object: &Value, sheet: &mut Sheet) {
    let Some(required) = object.path(&["spec", "nodeAffinity", "required"]) else {
        sheet.line(0, "Node Affinity:\t<none>");
        return;
    };
    sheet.line(0, "Node Affinity:\t");
    let terms = items(required, &["nodeSelectorTerms"]);
    let none = if terms.is_empty() { "<none>" } else { "" };
    sheet.row(1, "Required Terms", none);
    for (index, term) in terms.iter().enumerate() {
        let expressions = items(term, &["matchExpressions"]).iter().map(|one| {
            let key = one.str_at(&["key"]).unwrap_or("");
            let operator = one.str_at(&["operator"]).unwrap_or("").to_lowercase();
            format!("{key} {operator}{}", values(one))
        });
        let title = format!("Term {index}");
        terms_lines(2, &title, &expressions.collect::<Vec<_>>(), sheet);
    }
}

/// ` [a, b]`, or nothing.
fn values(of: &Value) -> String {
    let list: Vec<String> = items(of, &["values"]).iter().map(text).collect();
    match list.is_empty() {
        true => String::new(),
        false => format!(" [{}]", list.join(", ")),
    }
}

/// A term's expressions; the further ones keep the indentation in their empty first cell.
fn terms_lines(level: usize, title: &str, expressions: &[String], sheet: &mut Sheet) {
    for (index, one) in expressions.iter().enumerate() {
        let label = if index == 0 {
            format!("{title}:")
        } else {
            String::new()
        };
        sheet.line(level, &format!("{label}\t{one}"));
    }
    if expressions.is_empty() {
        sheet.line(level, &format!("{title}:\t<none>"));
    }
}

/// A CSINode.
pub fn csi_node(object: &Value, sheet: &mut Sheet) {
    sheet.row(0, "Name", name_of(object));
    meta(object, sheet);
    let created = object.str_at(&["metadata", "creationTimestamp"]);
    sheet.row(0, "CreationTimestamp", long(created.unwrap_or("")));
    sheet.line(0, "Spec:");
    let drivers = items(object, &["spec", "drivers"]);
    if !drivers.is_empty() {
        sheet.line(1, "Drivers:");
    }
    for driver in drivers {
        let text = |field: &str| driver.str_at(&[field]).unwrap_or("");
        sheet.line(2, &format!("{}:", text("name")));
        sheet.row(3, "Node ID", text("nodeID"));
        if let Some(count) = driver.i64_at(&["allocatable", "count"]) {
            sheet.line(3, "Allocatables:");
            sheet.row(4, "Count", count.to_string());
        }
        if let Some(keys) = driver.get("topologyKeys").and_then(Value::as_list) {
            let keys: Vec<&str> = keys.iter().filter_map(Value::as_str).collect();
            sheet.line(3, &format!("Topology Keys:\t[{}]", keys.join(" ")));
        }
    }
}

/// A StorageClass.
pub fn storage_class(object: &Value, sheet: &mut Sheet) {
    sheet.row(0, "Name", name_of(object));
    let annotation = "storageclass.kubernetes.io/is-default-class";
    let beta = "storageclass.beta.kubernetes.io/is-default-class";
    let is_default = [annotation, beta]
        .iter()
        .any(|key| object.str_at(&["metadata", "annotations", key]) == Some("true"));
    sheet.row(0, "IsDefaultClass", if is_default { "Yes" } else { "No" });
    let pairs = |path: &[&str], separator: &str| {
        or_none(Some(&super::map_lines(object, path, separator).join(",")))
    };
    sheet.row(0, "Annotations", pairs(&["metadata", "annotations"], "="));
    let field = |key: &str| object.get(key).map(text);
    sheet.row(0, "Provisioner", field("provisioner").unwrap_or_default());
    sheet.row(0, "Parameters", pairs(&["parameters"], "="));
    let expands = object.get("allowVolumeExpansion").and_then(Value::as_bool);
    let expands = expands.map_or("<unset>", super::yes);
    sheet.row(0, "AllowVolumeExpansion", expands);
    let options: Vec<String> = items(object, &["mountOptions"]).iter().map(text).collect();
    if options.is_empty() {
        sheet.line(0, "MountOptions:\t<none>");
    } else {
        sheet.line(0, "MountOptions:");
        options.iter().for_each(|option| sheet.line(1, option));
    }
    for (label, key) in [
        ("ReclaimPolicy", "reclaimPolicy"),
        ("VolumeBindingMode", "volumeBindingMode"),
    ] {
        if let Some(found) = field(key) {
            sheet.row(0, label, found);
        }
    }
    if let Some(terms) = object.get("allowedTopologies").and_then(Value::as_list) {
        let none = if terms.is_empty() { "<none>" } else { "" };
        sheet.row(0, "AllowedTopologies", none);
        for (index, term) in terms.iter().enumerate() {
            let all = items(term, &["matchLabelExpressions"]).iter();
            let all = all.map(|one| {
                let key = one.str_at(&["key"]).unwrap_or("");
                format!("{key} in{}", values(one))
            });
            let title = format!("Term {index}");
            terms_lines(1, &title, &all.collect::<Vec<_>>(), sheet);
        }
    }
}
