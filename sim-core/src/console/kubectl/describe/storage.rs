//! `describe` of volumes, claims and classes.

use crate::console::kubectl::clock::long;
use crate::console::kubectl::columns::autoscaler::quantity;
use crate::console::kubectl::columns::or_none;
use crate::console::kubectl::columns::storage::{access_modes, class};
use crate::console::kubectl::pod_status::items;
use crate::console::kubectl::problem::Problem;
use crate::console::kubectl::{Call, kind_of, name_of};
use crate::manifest::value::Value;
use crate::object::jsonpath::text;

use super::{Sheet, head, meta};

fn finalizers(object: &Value, sheet: &mut Sheet) {
    let list: Vec<String> = items(object, &["metadata", "finalizers"])
        .iter()
        .map(text)
        .collect();
    sheet.line(0, &format!("Finalizers:\t[{}]", list.join(" ")));
}

fn phase(object: &Value) -> String {
    match object.str_at(&["metadata", "deletionTimestamp"]) {
        Some(_) => "Terminating".to_owned(),
        None => object.str_at(&["status", "phase"]).unwrap_or("").to_owned(),
    }
}

/// A PersistentVolumeClaim.
///
/// # Errors
/// If there is no Kubernetes.
pub fn claim(call: &Call<'_>, object: &Value, sheet: &mut Sheet) -> Result<(), Problem> {
    head(object, sheet);
    sheet.line(0, &format!("StorageClass:\t{}", class(object)));
    sheet.line(0, &format!("Status:\t{}", phase(object)));
    let volume = object.str_at(&["spec", "volumeName"]).unwrap_or("");
    sheet.line(0, &format!("Volume:\t{volume}"));
    meta(object, sheet);
    finalizers(object, sheet);
    let (mut capacity, mut modes) = (String::new(), String::new());
    if !volume.is_empty() {
        modes = access_modes(items(object, &["status", "accessModes"]));
        capacity = object
            .path(&["status", "capacity", "storage"])
            .map_or_else(|| "0".to_owned(), quantity);
    }
    sheet.line(0, &format!("Capacity:\t{capacity}"));
    sheet.line(0, &format!("Access Modes:\t{modes}"));
    if let Some(mode) = object.str_at(&["spec", "volumeMode"]) {
        sheet.line(0, &format!("VolumeMode:\t{mode}"));
    }
    let pods = call
        .listing(kind_of("pods")?, object.str_at(&["metadata", "namespace"]))
        .unwrap_or_default();
    let users: Vec<String> = pods
        .iter()
        .filter(|pod| {
            items(pod, &["spec", "volumes"]).iter().any(|volume| {
                volume.str_at(&["persistentVolumeClaim", "claimName"]) == Some(name_of(object))
            })
        })
        .map(|pod| name_of(pod).to_owned())
        .collect();
    sheet.many(0, "Used By", &users);
    Ok(())
}

/// A PersistentVolume.
pub fn volume(object: &Value, sheet: &mut Sheet) {
    sheet.line(0, &format!("Name:\t{}", name_of(object)));
    meta(object, sheet);
    finalizers(object, sheet);
    sheet.line(0, &format!("StorageClass:\t{}", class(object)));
    sheet.line(0, &format!("Status:\t{}", phase(object)));
    let claim = object
        .path(&["spec", "claimRef"])
        .map_or_else(String::new, |claim| {
            format!(
                "{}/{}",
                claim.str_at(&["namespace"]).unwrap_or(""),
                claim.str_at(&["name"]).unwrap_or("")
            )
        });
    sheet.line(0, &format!("Claim:\t{claim}"));
    let policy = object
        .str_at(&["spec", "persistentVolumeReclaimPolicy"])
        .unwrap_or("");
    sheet.line(0, &format!("Reclaim Policy:\t{policy}"));
    let modes = access_modes(items(object, &["spec", "accessModes"]));
    sheet.line(0, &format!("Access Modes:\t{modes}"));
    if let Some(mode) = object.str_at(&["spec", "volumeMode"]) {
        sheet.line(0, &format!("VolumeMode:\t{mode}"));
    }
    let size = object
        .path(&["spec", "capacity", "storage"])
        .map_or_else(|| "0".to_owned(), quantity);
    sheet.line(0, &format!("Capacity:\t{size}"));
    affinity(object, sheet);
    let message = object.str_at(&["status", "message"]).unwrap_or("");
    sheet.line(0, &format!("Message:\t{message}"));
    sheet.line(0, "Source:");
    source(object, sheet);
}

fn affinity(object: &Value, sheet: &mut Sheet) {
    let Some(required) = object.path(&["spec", "nodeAffinity", "required"]) else {
        sheet.line(0, "Node Affinity:\t<none>");
        return;
    };
    sheet.line(0, "Node Affinity:");
    sheet.line(1, "Required Terms:");
    for (index, term) in items(required, &["nodeSelectorTerms"]).iter().enumerate() {
        let list: Vec<String> = items(term, &["matchExpressions"])
            .iter()
            .map(|one| {
                let values: Vec<String> = items(one, &["values"]).iter().map(text).collect();
                format!(
                    "{} {} [{}]",
                    one.str_at(&["key"]).unwrap_or(""),
                    one.str_at(&["operator"]).unwrap_or("").to_lowercase(),
                    values.join(", ")
                )
            })
            .collect();
        sheet.line(
            2,
            &format!("Term {index}:\t{}", or_none(Some(&list.join("\n")))),
        );
    }
}

fn source(object: &Value, sheet: &mut Sheet) {
    let spec = |path: &[&str]| object.path(path).map(text).unwrap_or_default();
    if object.path(&["spec", "hostPath"]).is_some() {
        sheet.line(2, "Type:\tHostPath (bare host directory volume)");
        sheet.line(
            2,
            &format!("Path:\t{}", spec(&["spec", "hostPath", "path"])),
        );
        sheet.line(
            2,
            &format!("HostPathType:\t{}", spec(&["spec", "hostPath", "type"])),
        );
    } else if object.path(&["spec", "nfs"]).is_some() {
        sheet.line(
            2,
            "Type:\tNFS (an NFS mount that lasts the lifetime of a pod)",
        );
        sheet.line(2, &format!("Server:\t{}", spec(&["spec", "nfs", "server"])));
        sheet.line(2, &format!("Path:\t{}", spec(&["spec", "nfs", "path"])));
        let read_only =
            crate::console::kubectl::columns::truth(object, &["spec", "nfs", "readOnly"]);
        sheet.line(2, &format!("ReadOnly:\t{read_only}"));
    } else if object.path(&["spec", "local"]).is_some() {
        sheet.line(
            2,
            "Type:\tLocalVolume (a persistent volume backed by local storage on a node)",
        );
        sheet.line(2, &format!("Path:\t{}", spec(&["spec", "local", "path"])));
    } else if object.path(&["spec", "csi"]).is_some() {
        sheet.line(
            2,
            "Type:\tCSI (a Container Storage Interface (CSI) volume source)",
        );
        sheet.line(2, &format!("Driver:\t{}", spec(&["spec", "csi", "driver"])));
        sheet.line(2, &format!("FSType:\t{}", spec(&["spec", "csi", "fsType"])));
        sheet.line(
            2,
            &format!("VolumeHandle:\t{}", spec(&["spec", "csi", "volumeHandle"])),
        );
        let read_only =
            crate::console::kubectl::columns::truth(object, &["spec", "csi", "readOnly"]);
        sheet.line(2, &format!("ReadOnly:\t{read_only}"));
        sheet.many(
            2,
            "VolumeAttributes",
            &super::map_lines(object, &["spec", "csi", "volumeAttributes"], "="),
        );
    } else {
        sheet.line(2, "<unknown>");
    }
}

/// A CSINode.
pub fn csi_node(object: &Value, sheet: &mut Sheet) {
    sheet.line(0, &format!("Name:\t{}", name_of(object)));
    meta(object, sheet);
    let created = object.str_at(&["metadata", "creationTimestamp"]);
    sheet.line(
        0,
        &format!("CreationTimestamp:\t{}", long(created.unwrap_or(""))),
    );
    sheet.line(0, "Spec:");
    let drivers = items(object, &["spec", "drivers"]);
    if !drivers.is_empty() {
        sheet.line(1, "Drivers:");
    }
    for driver in drivers {
        let text = |field: &str| driver.str_at(&[field]).unwrap_or("");
        sheet.line(2, &format!("{}:", text("name")));
        sheet.line(3, &format!("Node ID:\t{}", text("nodeID")));
        if let Some(count) = driver.i64_at(&["allocatable", "count"]) {
            sheet.line(3, "Allocatables:");
            sheet.line(4, &format!("Count:\t{count}"));
        }
        if let Some(keys) = driver.get("topologyKeys").and_then(Value::as_list) {
            let keys: Vec<&str> = keys.iter().filter_map(Value::as_str).collect();
            sheet.line(3, &format!("Topology Keys:\t[{}]", keys.join(" ")));
        }
    }
}

/// A StorageClass.
pub fn storage_class(object: &Value, sheet: &mut Sheet) {
    sheet.line(0, &format!("Name:\t{}", name_of(object)));
    let annotation = "storageclass.kubernetes.io/is-default-class";
    let is_default = object.str_at(&["metadata", "annotations", annotation]) == Some("true");
    sheet.line(
        0,
        &format!("IsDefaultClass:\t{}", if is_default { "Yes" } else { "No" }),
    );
    let pairs = |path: &[&str], separator: &str| {
        or_none(Some(&super::map_lines(object, path, separator).join(",")))
    };
    sheet.line(
        0,
        &format!("Annotations:\t{}", pairs(&["metadata", "annotations"], "=")),
    );
    let field = |key: &str| object.get(key).map(text);
    sheet.line(
        0,
        &format!("Provisioner:\t{}", field("provisioner").unwrap_or_default()),
    );
    sheet.line(0, &format!("Parameters:\t{}", pairs(&["parameters"], "=")));
    let unset = || "<unset>".to_owned();
    let expands = field("allowVolumeExpansion")
        .map(|value| if value == "true" { "True" } else { "False" }.to_owned());
    sheet.line(
        0,
        &format!("AllowVolumeExpansion:\t{}", expands.unwrap_or_else(unset)),
    );
    let options: Vec<String> = items(object, &["mountOptions"]).iter().map(text).collect();
    if options.is_empty() {
        sheet.line(0, "MountOptions:\t<none>");
    } else {
        sheet.many(0, "MountOptions", &options);
    }
    sheet.line(
        0,
        &format!(
            "ReclaimPolicy:\t{}",
            field("reclaimPolicy").unwrap_or_default()
        ),
    );
    sheet.line(
        0,
        &format!(
            "VolumeBindingMode:\t{}",
            field("volumeBindingMode").unwrap_or_default()
        ),
    );
}
