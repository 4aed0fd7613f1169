//! Volumes of a pod, and the data of ConfigMaps and Secrets.

use std::sync::Arc;

use crate::api::kube::volume::{Volume, VolumeSource};
use crate::base::sorted::SortedSet;
use crate::manifest::decode::amount;
use crate::manifest::decode::kube::{fault, name};
use crate::manifest::decode::scribe::{Field, Scribe};

/// Checks `volumes` of a pod and returns their names for the mounts.
pub fn names(field: &Field<'_>, scribe: &Scribe) -> SortedSet<Arc<str>> {
    let mut names: SortedSet<Arc<str>> = SortedSet::new();
    for item in field.items(scribe) {
        let name_field = item.peek("name");
        let name = name_field.text_or_empty(scribe);
        check_source(&item, scribe);
        if name.is_empty() {
            fault::required(scribe, &name_field, "");
            continue;
        }
        for detail in name::label(&name) {
            fault::invalid(scribe, &name_field, format!("{name:?}"), &detail);
        }
        if !names.insert(name.clone()) {
            fault::duplicate(scribe, &name_field, format!("{name:?}"));
        }
    }
    names
}

/// `volumes` of a pod, as far as a loop reads them.
pub fn volumes(field: &Field<'_>, scribe: &Scribe) -> Vec<Volume> {
    field
        .items(scribe)
        .iter()
        .map(|item| Volume {
            name: item.get(scribe, "name").text_or_empty(scribe),
            source: source(item, scribe),
        })
        .collect()
}

fn source(item: &Field<'_>, scribe: &Scribe) -> VolumeSource {
    let has = |key: &str| item.peek(key).exists();
    if has("persistentVolumeClaim") {
        let claim = item.get(scribe, "persistentVolumeClaim");
        return VolumeSource::Claim {
            name: claim.get(scribe, "claimName").text_or_empty(scribe),
            read_only: claim.get(scribe, "readOnly").truth(scribe),
        };
    }
    if has("emptyDir") {
        let empty = item.get(scribe, "emptyDir");
        let limit = empty.get(scribe, "sizeLimit");
        return VolumeSource::EmptyDir {
            memory: &*empty.get(scribe, "medium").text_or_empty(scribe) == "Memory",
            size_limit: amount::quantity(&limit, scribe)
                .map(|size| size.value().unsigned_abs())
                .filter(|size| *size > 0),
        };
    }
    if has("configMap") {
        let map = item.get(scribe, "configMap");
        return VolumeSource::ConfigMap(
            map.get(scribe, "name").text_or_empty(scribe),
            map.get(scribe, "optional").truth(scribe),
        );
    }
    if has("secret") {
        let secret = item.get(scribe, "secret");
        return VolumeSource::Secret(
            secret.get(scribe, "secretName").text_or_empty(scribe),
            secret.get(scribe, "optional").truth(scribe),
        );
    }
    if has("image") {
        let image = item.get(scribe, "image");
        return VolumeSource::Image(image.get(scribe, "reference").text_or_empty(scribe));
    }
    if has("ephemeral") {
        return VolumeSource::Ephemeral;
    }
    disk(item, scribe).unwrap_or(VolumeSource::Other)
}

/// Disks that a pod names itself, and whether readers may share one.
/// Source: `pkg/scheduler/framework/plugins/volumerestrictions/volume_restrictions.go`.
fn disk(item: &Field<'_>, scribe: &Scribe) -> Option<VolumeSource> {
    let kinds: [(&str, &[&str], bool); 4] = [
        ("gcePersistentDisk", &["pdName"], true),
        ("awsElasticBlockStore", &["volumeID"], false),
        ("iscsi", &["targetPortal", "iqn", "lun"], true),
        ("rbd", &["monitors", "pool", "image"], true),
    ];
    let (kind, keys, shared_read_only) = kinds
        .into_iter()
        .find(|(kind, _, _)| item.peek(kind).exists())?;
    let inner = item.get(scribe, kind);
    let mut identity = kind.to_owned();
    for key in keys {
        let part = inner.get(scribe, key);
        identity.push('/');
        if let Some(list) = part.node.and_then(|node| node.as_seq()) {
            for entry in list {
                identity.push_str(&entry.scalar_text().unwrap_or_default());
                identity.push(',');
            }
        } else {
            identity.push_str(&part.scalar(scribe).unwrap_or_default());
        }
    }
    Some(VolumeSource::Disk {
        identity: identity.into(),
        shared_read_only,
        read_only: inner.get(scribe, "readOnly").truth(scribe),
    })
}

/// At most one source, which names what it takes.
fn check_source(item: &Field<'_>, scribe: &Scribe) {
    let entries = item.node.and_then(|node| node.as_map()).unwrap_or_default();
    let mut sources = entries
        .iter()
        .filter(|entry| &*entry.key.text != "name" && !entry.value.is_null());
    let Some(source) = sources.next() else { return };
    for extra in sources {
        fault::forbidden(
            scribe,
            &item.peek(&extra.key.text),
            "may not specify more than 1 volume type",
        );
    }
    let key = match &*source.key.text {
        "configMap" => "name",
        "secret" => "secretName",
        "persistentVolumeClaim" => "claimName",
        _ => return,
    };
    let inner = item.peek(&source.key.text).peek(key);
    if inner.text_or_empty(scribe).is_empty() {
        fault::required(scribe, &inner, "");
    }
}

/// Checks the keys of a ConfigMap or a Secret; the data itself stays in the document.
pub fn config_data(field: &Field<'_>, scribe: &Scribe, keys: &[&str]) {
    let mut bytes = 0;
    let mut seen: SortedSet<Arc<str>> = SortedSet::new();
    for key in keys {
        let inner = field.get(scribe, key);
        if !key.to_ascii_lowercase().contains("data") {
            continue;
        }
        for (entry, value) in inner.entries(scribe) {
            bytes += value.text(scribe).map_or(0, |text| text.len());
            let at = Field {
                path: format!("{}[{}]", inner.path, entry.text),
                span: entry.span,
                ..value
            };
            let good =
                |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            if entry.text.is_empty() || !entry.text.bytes().all(good) {
                let detail = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. \
                              'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is \
                              '[-._a-zA-Z0-9]+')";
                fault::invalid(scribe, &at, format!("{:?}", &*entry.text), detail);
            }
            if !seen.insert(entry.text.clone()) && *key == "binaryData" {
                let at = Field {
                    path: "data".to_owned(),
                    ..at
                };
                fault::invalid(
                    scribe,
                    &at,
                    format!("{:?}", &*entry.text),
                    "duplicate of key present in binaryData",
                );
            }
        }
    }
    if bytes > 1 << 20 {
        let at = Field {
            path: String::new(),
            ..field.clone()
        };
        fault::invalid(scribe, &at, bytes, "must have at most 1048576 bytes");
    }
}
