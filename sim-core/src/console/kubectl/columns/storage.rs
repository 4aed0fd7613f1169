//! Cells of volumes, claims, classes and drivers.

use crate::console::kubectl::pod_status::items;
use crate::kube::kinds::Kind;
use crate::manifest::value::Value;

use super::autoscaler::quantity;
use super::{or_none, truth};

/// Cells of one object.
pub fn cells(kind: &Kind, object: &Value, title: String, own_age: String) -> Vec<String> {
    let text = |path: &[&str]| object.str_at(path).unwrap_or("").to_owned();
    let unset = |path: &[&str]| object.str_at(path).unwrap_or("<unset>").to_owned();
    match kind.kind {
        "PersistentVolume" => {
            let claim = object
                .path(&["spec", "claimRef"])
                .map_or_else(String::new, |claim| {
                    format!(
                        "{}/{}",
                        claim.str_at(&["namespace"]).unwrap_or(""),
                        claim.str_at(&["name"]).unwrap_or("")
                    )
                });
            vec![
                title,
                storage(object.path(&["spec", "capacity", "storage"])),
                access_modes(items(object, &["spec", "accessModes"])),
                text(&["spec", "persistentVolumeReclaimPolicy"]),
                phase(object),
                claim,
                class(object),
                unset(&["spec", "volumeAttributesClassName"]),
                text(&["status", "reason"]),
                own_age,
                unset(&["spec", "volumeMode"]),
            ]
        }
        "PersistentVolumeClaim" => {
            let volume = text(&["spec", "volumeName"]);
            // Without a volume there is nothing to say of its size.
            let (capacity, modes) = if volume.is_empty() {
                (String::new(), String::new())
            } else {
                (
                    storage(object.path(&["status", "capacity", "storage"])),
                    access_modes(items(object, &["status", "accessModes"])),
                )
            };
            vec![
                title,
                phase(object),
                volume,
                capacity,
                modes,
                class(object),
                unset(&["spec", "volumeAttributesClassName"]),
                own_age,
                unset(&["spec", "volumeMode"]),
            ]
        }
        "StorageClass" => {
            let marked = ["", "beta."].iter().any(|version| {
                let key = format!("storageclass.{version}kubernetes.io/is-default-class");
                object.str_at(&["metadata", "annotations", &key]) == Some("true")
            });
            let or = |key, otherwise: &str| object.str_at(&[key]).unwrap_or(otherwise).to_owned();
            vec![
                if marked {
                    format!("{title} (default)")
                } else {
                    title
                },
                text(&["provisioner"]),
                or("reclaimPolicy", "Delete"),
                or("volumeBindingMode", "Immediate"),
                truth(object, &["allowVolumeExpansion"]),
                own_age,
            ]
        }
        "VolumeAttachment" => vec![
            title,
            text(&["spec", "attacher"]),
            text(&["spec", "source", "persistentVolumeName"]),
            text(&["spec", "nodeName"]),
            truth(object, &["status", "attached"]),
            own_age,
        ],
        "CSINode" => vec![
            title,
            items(object, &["spec", "drivers"]).len().to_string(),
            own_age,
        ],
        _ => {
            let list = |path: &[&str], key: Option<&str>| {
                let found: Vec<&str> = items(object, path)
                    .iter()
                    .filter_map(|one| key.map_or_else(|| one.as_str(), |key| one.str_at(&[key])))
                    .collect();
                found.join(",")
            };
            // The server fills in what nobody wrote: attach, and mount as a file system.
            let attach = object
                .path(&["spec", "attachRequired"])
                .and_then(Value::as_bool);
            let modes = list(&["spec", "volumeLifecycleModes"], None);
            let tokens = list(&["spec", "tokenRequests"], Some("audience"));
            vec![
                title,
                attach.unwrap_or(true).to_string(),
                truth(object, &["spec", "podInfoOnMount"]),
                truth(object, &["spec", "storageCapacity"]),
                if tokens.is_empty() {
                    "<unset>".to_owned()
                } else {
                    tokens
                },
                truth(object, &["spec", "requiresRepublish"]),
                or_none(Some(if modes.is_empty() {
                    "Persistent"
                } else {
                    &modes
                })),
                own_age,
            ]
        }
    }
}

fn storage(value: Option<&Value>) -> String {
    value.map_or_else(|| "0".to_owned(), quantity)
}

/// Phase, or that it is being deleted.
fn phase(object: &Value) -> String {
    if object.path(&["metadata", "deletionTimestamp"]).is_some() {
        return "Terminating".to_owned();
    }
    object.str_at(&["status", "phase"]).unwrap_or("").to_owned()
}

/// Class of a volume or claim; the old annotation wins.
/// Source: `pkg/apis/core/v1/helper/helpers.go`.
pub fn class(object: &Value) -> String {
    object
        .str_at(&[
            "metadata",
            "annotations",
            "volume.beta.kubernetes.io/storage-class",
        ])
        .or_else(|| object.str_at(&["spec", "storageClassName"]))
        .unwrap_or("")
        .to_owned()
}

/// `RWO,ROX,RWX,RWOP`, in this order, each once.
pub fn access_modes(modes: &[Value]) -> String {
    let known = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let shown: Vec<&str> = known
        .iter()
        .filter(|(name, _)| modes.iter().any(|mode| mode.as_str() == Some(name)))
        .map(|(_, short)| *short)
        .collect();
    shown.join(",")
}
