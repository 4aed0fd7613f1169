//! Volumes of a pod, and the data of ConfigMaps and Secrets.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::api::kube::pod::{Volume, VolumeSource};
use crate::manifest::decode::kube::{fault, name};
use crate::manifest::decode::scribe::{Field, Scribe};

/// `volumes` of a pod.
pub fn volumes(field: &Field<'_>, scribe: &Scribe) -> Vec<Volume> {
    let mut volumes = Vec::new();
    let mut names: BTreeSet<Arc<str>> = BTreeSet::new();
    for item in field.items(scribe) {
        let name_field = item.get(scribe, "name");
        let name = name_field.text_or_empty(scribe);
        if name.is_empty() {
            fault::required(scribe, &name_field, "");
        } else if !names.insert(name.clone()) {
            fault::duplicate(scribe, &name_field, format!("{name:?}"));
        }
        for detail in Some(&name).filter(|name| !name.is_empty()).iter().flat_map(|name| name::label(name)) {
            fault::invalid(scribe, &name_field, format!("{name:?}"), &detail);
        }
        volumes.push(Volume { name, source: source(&item, scribe) });
    }
    volumes
}

fn source(item: &Field<'_>, scribe: &Scribe) -> VolumeSource {
    let mut keys = item
        .node
        .and_then(|node| node.as_map())
        .unwrap_or_default()
        .iter()
        .filter(|entry| &*entry.key.text != "name" && !entry.value.is_null())
        .map(|entry| entry.key.text.clone());
    let Some(key) = keys.next() else { return VolumeSource::EmptyDir };
    for extra in keys {
        fault::forbidden(scribe, &item.peek(&extra), "may not specify more than 1 volume type");
    }
    match &*key {
        "emptyDir" => {
            item.get(scribe, "emptyDir");
            VolumeSource::EmptyDir
        }
        "configMap" => {
            let field = item.get(scribe, "configMap");
            VolumeSource::ConfigMap { name: named(&field, scribe, "name"), optional: field.get(scribe, "optional").truth(scribe) }
        }
        "secret" => {
            let field = item.get(scribe, "secret");
            VolumeSource::Secret {
                name: named(&field, scribe, "secretName"),
                optional: field.get(scribe, "optional").truth(scribe),
            }
        }
        "persistentVolumeClaim" => {
            let field = item.get(scribe, "persistentVolumeClaim");
            VolumeSource::PersistentVolumeClaim { claim_name: named(&field, scribe, "claimName") }
        }
        _ => VolumeSource::Other(key),
    }
}

fn named(field: &Field<'_>, scribe: &Scribe, key: &str) -> Arc<str> {
    let inner = field.get(scribe, key);
    let name = inner.text_or_empty(scribe);
    if name.is_empty() {
        fault::required(scribe, &inner, "");
    }
    name
}

/// Checks the keys of a ConfigMap or a Secret; the data itself stays in the document.
pub fn config_data(field: &Field<'_>, scribe: &Scribe, keys: &[&str]) {
    let mut bytes = 0;
    let mut seen: BTreeSet<Arc<str>> = BTreeSet::new();
    for key in keys {
        let inner = field.get(scribe, key);
        if !key.to_ascii_lowercase().contains("data") {
            continue;
        }
        for (entry, value) in inner.entries(scribe) {
            bytes += value.text(scribe).map_or(0, |text| text.len());
            let at = Field { path: format!("{}[{}]", inner.path, entry.text), span: entry.span, ..value };
            let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            if entry.text.is_empty() || !entry.text.bytes().all(good) {
                let detail = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. \
                              'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is \
                              '[-._a-zA-Z0-9]+')";
                fault::invalid(scribe, &at, format!("{:?}", &*entry.text), detail);
            }
            if !seen.insert(entry.text.clone()) && *key == "binaryData" {
                let at = Field { path: "data".to_owned(), ..at };
                fault::invalid(scribe, &at, format!("{:?}", &*entry.text), "duplicate of key present in binaryData");
            }
        }
    }
    if bytes > 1 << 20 {
        let at = Field { path: String::new(), ..field.clone() };
        fault::invalid(scribe, &at, bytes, "must have at most 1048576 bytes");
    }
}
