//! What loops read of the stored document itself, beside what decoding makes rows of: it is not to be
//! told as not modelled.
//!
//! A path names a field and all below it; `[]` stands for each item of a list.

use crate::manifest::decode::scribe::{Field, Scribe};
use crate::manifest::explain;
use crate::manifest::lines::Span;

use super::{kinds, pod};

/// Of a container: by admission and the kubelet.
const CONTAINER: &[&str] = &[
    "env[].valueFrom.configMapKeyRef",
    "env[].valueFrom.fieldRef",
    "env[].valueFrom.resourceFieldRef",
    "env[].valueFrom.secretKeyRef",
    "envFrom",
    "resizePolicy",
    "securityContext.allowPrivilegeEscalation",
    "securityContext.capabilities",
    "securityContext.privileged",
    "securityContext.procMount",
    "securityContext.readOnlyRootFilesystem",
    "securityContext.runAsNonRoot",
    "securityContext.runAsUser",
    "securityContext.seccompProfile",
    "stdin",
    "volumeMounts[].mountPath",
    "volumeMounts[].name",
    "volumeMounts[].readOnly",
    "volumeMounts[].subPath",
];

/// Of a pod's specification: by admission, the kubelet and its network.
const POD: &[&str] = &[
    "automountServiceAccountToken",
    "dnsConfig",
    "dnsPolicy",
    "hostAliases",
    "securityContext.fsGroup",
    "securityContext.runAsNonRoot",
    "securityContext.runAsUser",
    "securityContext.seccompProfile",
    "securityContext.sysctls",
    "serviceAccountName",
    "volumes[].configMap",
    "volumes[].downwardAPI",
    "volumes[].ephemeral",
    "volumes[].hostPath.path",
    "volumes[].projected.defaultMode",
    "volumes[].projected.sources[].configMap",
    "volumes[].projected.sources[].downwardAPI",
    "volumes[].projected.sources[].secret",
    "volumes[].projected.sources[].serviceAccountToken.path",
    "volumes[].secret",
];

/// Kinds, by group, of which loops read these fields, and where a pod template is.
const KINDS: &[(&str, &str, &str, &[&str])] = &[
    ("rbac.authorization.k8s.io", "ClusterRole", "", &["rules"]),
    (
        "rbac.authorization.k8s.io",
        "ClusterRoleBinding",
        "",
        &["roleRef", "subjects"],
    ),
    (
        "batch",
        "CronJob",
        "spec.jobTemplate.spec.template",
        &["spec"],
    ),
    (
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        "",
        &["spec"],
    ),
    ("apps", "DaemonSet", "spec.template", &["spec"]),
    ("autoscaling", "HorizontalPodAutoscaler", "", &["spec"]),
    ("batch", "Job", "spec.template", &["spec"]),
    ("", "LimitRange", "", &["spec"]),
    ("networking.k8s.io", "NetworkPolicy", "", &["spec"]),
    (
        "",
        "PersistentVolume",
        "",
        &[
            "spec.accessModes",
            "spec.capacity",
            "spec.claimRef",
            "spec.csi",
            "spec.hostPath",
            "spec.local",
            "spec.nodeAffinity",
            "spec.persistentVolumeReclaimPolicy",
            "spec.storageClassName",
            "spec.volumeMode",
        ],
    ),
    (
        "",
        "PersistentVolumeClaim",
        "",
        &[
            "spec.accessModes",
            "spec.resources",
            "spec.selector",
            "spec.storageClassName",
            "spec.volumeMode",
            "spec.volumeName",
        ],
    ),
    ("policy", "PodDisruptionBudget", "", &["spec"]),
    // Its description is for people.
    (
        "scheduling.k8s.io",
        "PriorityClass",
        "",
        &["description", "globalDefault", "preemptionPolicy", "value"],
    ),
    ("", "ReplicationController", "spec.template", &["spec"]),
    ("", "ResourceQuota", "", &["spec"]),
    ("rbac.authorization.k8s.io", "Role", "", &["rules"]),
    (
        "rbac.authorization.k8s.io",
        "RoleBinding",
        "",
        &["roleRef", "subjects"],
    ),
    (
        "node.k8s.io",
        "RuntimeClass",
        "",
        &["handler", "overhead", "scheduling"],
    ),
    ("", "ServiceAccount", "", &[]),
    ("apps", "StatefulSet", "spec.template", &["spec"]),
    (
        "storage.k8s.io",
        "StorageClass",
        "",
        &[
            "allowedTopologies",
            "provisioner",
            "reclaimPolicy",
            "volumeBindingMode",
        ],
    ),
    (
        "admissionregistration.k8s.io",
        "ValidatingAdmissionPolicy",
        "",
        &["spec"],
    ),
    (
        "admissionregistration.k8s.io",
        "ValidatingAdmissionPolicyBinding",
        "",
        &["spec"],
    ),
];

/// Marks what loops read of a well-formed object. Tells whether they know its kind as it is stored, and
/// what is unread of a pod template within it.
pub fn mark(
    api_version: &str,
    kind: &str,
    root: &Field<'_>,
    scribe: &Scribe,
) -> (bool, Vec<(String, Span)>) {
    let group = kinds::group(api_version);
    let known = KINDS
        .iter()
        .find(|(of, name, ..)| (*of, *name) == (group, kind));
    let Some((_, _, template, paths)) = known else {
        // Kinds that have rows.
        let path = match (group, kind) {
            ("apps", "Deployment" | "ReplicaSet") => "spec.template.spec",
            ("", "Pod") => "spec",
            ("", "Service") => {
                // The cluster's DNS answers with it.
                read(root, "spec.externalName", scribe);
                return (false, Vec::new());
            }
            _ => return (false, Vec::new()),
        };
        let spec = path
            .split('.')
            .fold(root.clone(), |field, key| field.peek(key));
        read_pod(&spec, scribe);
        return (false, Vec::new());
    };
    let mut left = Vec::new();
    if !template.is_empty() {
        // Read with another pen, so that the template does not count as read as a whole.
        let keys = template.split('.');
        let inner = keys.fold(root.clone(), |field, key| field.peek(key));
        let own = Scribe::new(explain::KUBERNETES_WRONG_TYPE, None);
        pod::template(&inner, &own);
        let spec = inner.peek("spec");
        read_pod(&spec, &own);
        let unread = inner.node.map_or_else(Vec::new, |node| own.unread(node));
        let whole = |(path, span)| (format!("{template}.{path}"), span);
        left.extend(unread.into_iter().map(whole));
    }
    paths.iter().for_each(|path| read(root, path, scribe));
    (true, left)
}

fn read_pod(spec: &Field<'_>, scribe: &Scribe) {
    POD.iter().for_each(|path| read(spec, path, scribe));
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for container in spec.peek(list).items(scribe) {
            let paths = CONTAINER.iter();
            paths.for_each(|path| read(&container, path, scribe));
        }
    }
}

/// Marks a field and all below it.
fn read(field: &Field<'_>, path: &str, scribe: &Scribe) {
    let (key, rest) = path.split_once('.').unwrap_or((path, ""));
    let inner = field.get(scribe, key.trim_end_matches("[]"));
    let each = if key.ends_with("[]") {
        inner.items(scribe)
    } else {
        vec![inner]
    };
    for one in each {
        match (rest.is_empty(), one.node) {
            (true, Some(node)) => scribe.mark_below(node),
            (true, None) => {}
            (false, _) => read(&one, rest, scribe),
        }
    }
}
