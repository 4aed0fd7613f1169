//! Sources of volumes, in pods and in PersistentVolumes.
//! Source: `k8s.io/kubectl/pkg/describe/describe.go` (`describeVolumes`, `describePersistentVolume`).

use crate::console::kubectl::columns::autoscaler::quantity;
use crate::console::kubectl::columns::truth;
use crate::console::kubectl::pod_status::items;
use crate::manifest::value::Value;
use crate::object::jsonpath::text;

use super::{Sheet, map_lines, storage};

/// Field of a source, what follows `Type:`, and its lines: label, field and how an absent field is written:
/// `s` nothing, `n` 0, `b` false, `o` `<none>`, `l` as Go prints a list, `r` as Go prints a reference, `j` joined
/// by commas. A label that ends in a blank has no colon of its own.
const SOURCES: [(&str, &str, &str); 25] = [
    (
        "hostPath",
        "HostPath (bare host directory volume)",
        "Path path s;HostPathType type o",
    ),
    (
        "gcePersistentDisk",
        "GCEPersistentDisk (a Persistent Disk resource in Google Compute Engine)",
        "PDName pdName s;FSType fsType s;Partition partition n;ReadOnly readOnly b",
    ),
    (
        "awsElasticBlockStore",
        "AWSElasticBlockStore (a Persistent Disk resource in AWS)",
        "VolumeID volumeID s;FSType fsType s;Partition partition n;ReadOnly readOnly b",
    ),
    (
        "gitRepo",
        "GitRepo (a volume that is pulled from git when the pod is created)",
        "Repository repository s;Revision revision s",
    ),
    (
        "secret",
        "Secret (a volume populated by a Secret)",
        "SecretName secretName s;Optional optional b",
    ),
    (
        "configMap",
        "ConfigMap (a volume populated by a ConfigMap)",
        "Name name s;Optional optional b",
    ),
    (
        "nfs",
        "NFS (an NFS mount that lasts the lifetime of a pod)",
        "Server server s;Path path s;ReadOnly readOnly b",
    ),
    (
        "iscsi",
        "ISCSI (an ISCSI Disk resource that is attached to a kubelet's host machine and then exposed to the pod)",
        "TargetPortal targetPortal s;IQN iqn s;Lun lun n;!ISCSIInterface iscsiInterface s;FSType fsType s;ReadOnly readOnly b;Portals portals l;DiscoveryCHAPAuth chapAuthDiscovery b;SessionCHAPAuth chapAuthSession b;SecretRef secretRef r;InitiatorName initiatorName o",
    ),
    (
        "glusterfs",
        "Glusterfs (a Glusterfs mount on the host that shares a pod's lifetime)",
        "EndpointsName endpoints s;EndpointsNamespace endpointsNamespace v;Path path s;ReadOnly readOnly b",
    ),
    (
        "persistentVolumeClaim",
        "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
        "ClaimName claimName s;ReadOnly readOnly b",
    ),
    (
        "rbd",
        "RBD (a Rados Block Device mount on the host that shares a pod's lifetime)",
        "CephMonitors monitors l;RBDImage image s;FSType fsType s;RBDPool pool s;RadosUser user s;Keyring keyring s;SecretRef secretRef r;ReadOnly readOnly b",
    ),
    (
        "quobyte",
        "Quobyte (a Quobyte mount on the host that shares a pod's lifetime)",
        "Registry registry s;Volume volume s;ReadOnly readOnly b",
    ),
    (
        "azureDisk",
        "AzureDisk (an Azure Data Disk mount on the host and bind mount to the pod)",
        "DiskName diskName s;DiskURI diskURI s;Kind kind s;FSType fsType s;CachingMode cachingMode s;ReadOnly readOnly b",
    ),
    (
        "vsphereVolume",
        "vSphereVolume (a Persistent Disk resource in vSphere)",
        "VolumePath volumePath s;FSType fsType s;StoragePolicyName storagePolicyName s",
    ),
    (
        "cinder",
        "Cinder (a Persistent Disk resource in OpenStack)",
        "VolumeID volumeID s;FSType fsType s;ReadOnly readOnly b;SecretRef secretRef r",
    ),
    (
        "photonPersistentDisk",
        "PhotonPersistentDisk (a Persistent Disk resource in photon platform)",
        "PdID pdID s;FSType fsType s",
    ),
    (
        "portworxVolume",
        "PortworxVolume (a Portworx Volume resource)",
        "VolumeID volumeID s",
    ),
    (
        "cephfs",
        "CephFS (a CephFS mount on the host that shares a pod's lifetime)",
        "Monitors monitors l;Path path s;User user s;SecretFile secretFile s;SecretRef secretRef r;ReadOnly readOnly b",
    ),
    (
        "fc",
        "FC (a Fibre Channel disk)",
        "TargetWWNs targetWWNs j;LUN lun o;FSType fsType s;ReadOnly readOnly b",
    ),
    (
        "azureFile",
        "AzureFile (an Azure File Service mount on the host and bind mount to the pod)",
        "SecretName secretName s;SecretNamespace secretNamespace v;ShareName shareName s;ReadOnly readOnly b",
    ),
    (
        "flocker",
        "Flocker (a Flocker volume mounted by the Flocker agent)",
        "DatasetName datasetName s;DatasetUUID datasetUUID s",
    ),
    (
        "local",
        "LocalVolume (a persistent volume backed by local storage on a node)",
        "Path path s",
    ),
    (
        "csi",
        "CSI (a Container Storage Interface (CSI) volume source)",
        "Driver driver s;FSType fsType s;VolumeHandle volumeHandle v;ReadOnly readOnly b",
    ),
    (
        "image",
        "Image (a container image or OCI artifact)",
        "Reference reference s;PullPolicy pullPolicy s",
    ),
    (
        "ephemeral",
        "EphemeralVolume (an inline specification for a volume that gets created and deleted with the pod)",
        "",
    ),
];

/// Volumes of a pod; those of a template stand one blank further in.
pub fn volumes(list: &[Value], level: usize, sheet: &mut Sheet) {
    if list.is_empty() {
        return sheet.line(level, "Volumes:\t<none>");
    }
    sheet.line(level, "Volumes:");
    for volume in list {
        let name = volume.str_at(&["name"]).unwrap_or("");
        sheet.line(1, &format!("{}{name}:", " ".repeat(level)));
        source(volume, false, sheet);
    }
}

/// The source among the fields of a pod's volume, or of a PersistentVolume's spec (`persistent`).
pub fn source(of: &Value, persistent: bool, sheet: &mut Sheet) {
    if let Some(directory) = of.get("emptyDir") {
        sheet.line(
            2,
            "Type:\tEmptyDir (a temporary directory that shares a pod's lifetime)",
        );
        let medium = directory.str_at(&["medium"]).unwrap_or("");
        sheet.row(2, "Medium", medium);
        let limit = directory.get("sizeLimit").map(quantity);
        let limit = limit.filter(|limit| limit != "0" && !limit.starts_with('-'));
        let limit = limit.unwrap_or_else(|| "<unset>".to_owned());
        return sheet.row(2, "SizeLimit", limit);
    }
    if let Some(projected) = of.get("projected") {
        return projections(projected, sheet);
    }
    if let Some(files) = of.get("downwardAPI") {
        sheet.line(
            2,
            "Type:\tDownwardAPI (a volume populated by information about the pod)",
        );
        sheet.line(2, "Items:");
        for item in items(files, &["items"]) {
            let path = item.str_at(&["path"]).unwrap_or("");
            for field in [["fieldRef", "fieldPath"], ["resourceFieldRef", "resource"]] {
                if let Some(from) = item.str_at(&field) {
                    sheet.line(3, &format!("{from} -> {path}"));
                }
            }
        }
        return;
    }
    let found = SOURCES
        .iter()
        .find_map(|(key, kind, lines)| Some((*key, of.get(key)?, *kind, *lines)));
    let Some((key, found, kind, lines)) = found else {
        return sheet.line(1, "<unknown>");
    };
    sheet.row(2, "Type", kind);
    for line in lines.split(';').filter(|line| !line.is_empty()) {
        let mut words = line.split(' ');
        let mut next = || words.next().unwrap_or("");
        let (label, field, way) = (next(), next(), next());
        // Fields that only the sources of PersistentVolumes have.
        if way == "v" && !persistent {
            continue;
        }
        let value = written(found.get(field), way, key);
        match label.strip_prefix('!') {
            Some(bare) => sheet.line(2, &format!("{bare}\t{value}")),
            None => sheet.row(2, label, value),
        }
    }
    match key {
        "csi" => {
            let lines = map_lines(found, &["volumeAttributes"], "=");
            // As `printCSIPersistentVolumeAttributesMultilineIndent` cuts them.
            let lines: Vec<String> = lines.iter().map(|line| super::shorten(line, 140)).collect();
            sheet.many(2, "VolumeAttributes", &lines);
        }
        "ephemeral" => {
            if let Some(template) = found.get("volumeClaimTemplate") {
                storage::claim_template(template, sheet);
            }
        }
        _ => {}
    }
}

fn written(value: Option<&Value>, way: &str, kind: &str) -> String {
    let list = |separator: &str| {
        let all = value.and_then(Value::as_list).unwrap_or_default();
        let all: Vec<String> = all.iter().map(text).collect();
        all.join(separator)
    };
    match (way, value) {
        ("l", _) => format!("[{}]", list(" ")),
        ("j", _) => list(", "),
        ("r", None) => "nil".to_owned(),
        ("r", Some(reference)) => {
            let name = reference.str_at(&["name"]).unwrap_or("");
            match reference.str_at(&["namespace"]) {
                Some(namespace) => {
                    format!("&SecretReference{{Name:{name},Namespace:{namespace},}}")
                }
                None => format!("&LocalObjectReference{{Name:{name},}}"),
            }
        }
        (_, Some(value)) => text(value),
        ("n", None) => "0".to_owned(),
        ("b", None) => "false".to_owned(),
        ("o", None) => "<none>".to_owned(),
        ("v", None) if kind == "glusterfs" => "<unset>".to_owned(),
        (_, None) => String::new(),
    }
}

fn projections(projected: &Value, sheet: &mut Sheet) {
    sheet.line(
        2,
        "Type:\tProjected (a volume that contains injected data from multiple sources)",
    );
    let mut say = |label: &str, value: &str| sheet.row(2, label, value);
    for one in items(projected, &["sources"]) {
        let name = |kind: &str| one.str_at(&[kind, "name"]).unwrap_or("");
        if one.get("secret").is_some() {
            say("SecretName", name("secret"));
            say("Optional", &truth(one, &["secret", "optional"]));
        } else if one.get("downwardAPI").is_some() {
            say("DownwardAPI", "true");
        } else if one.get("configMap").is_some() {
            say("ConfigMapName", name("configMap"));
            say("Optional", &truth(one, &["configMap", "optional"]));
        } else if let Some(token) = one.get("serviceAccountToken") {
            let seconds = token.i64_at(&["expirationSeconds"]).unwrap_or(3_600);
            say("TokenExpirationSeconds", &seconds.to_string());
        }
    }
}
