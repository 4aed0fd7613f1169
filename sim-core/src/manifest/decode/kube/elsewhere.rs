//! What loops read of the stored document itself, beside what decoding makes rows of: it is not to be
//! told as not modelled.
//!
//! A path names a field and all below it but what is named beside; `[]` stands for each item of a list.
//! `tests/it/tidy_elsewhere.rs` holds these lists against the loops' sources.

use crate::manifest::decode::scribe::{Field, Scribe};
use crate::manifest::explain;
use crate::manifest::lines::Span;
use crate::manifest::tree::Node;

use super::{kinds, pod};

/// What loops read of one type.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// Group of a kind; of a part of kinds, the name of its type in the schema's table.
    pub group: &'static str,
    /// The kind; empty: a part of kinds.
    pub kind: &'static str,
    /// Where a pod template is within it; empty: nowhere.
    pub template: &'static str,
    /// What is read.
    pub read: &'static [&'static str],
    /// What of it is not.
    pub but: &'static [&'static str],
}

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
    "hostnameOverride",
    "os.name",
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

/// What of these is read by nobody.
const CONTAINER_BUT: &[&str] = &["securityContext.seccompProfile.localhostProfile"];
/// As above.
const POD_BUT: &[&str] = &[
    "securityContext.seccompProfile.localhostProfile",
    "securityContext.sysctls[].value",
    "volumes[].ephemeral.volumeClaimTemplate.spec.dataSource",
    "volumes[].ephemeral.volumeClaimTemplate.spec.dataSourceRef",
];

/// Kinds, by group, of which loops read these fields, and where a pod template is.
const KINDS: &[Claim] = &[
    // Called as far as to a ready endpoint; what the program there answers is not modelled.
    Claim {
        group: "admissionregistration.k8s.io",
        kind: "MutatingWebhookConfiguration",
        template: "",
        read: &["webhooks"],
        but: &[
            "webhooks[].admissionReviewVersions",
            "webhooks[].clientConfig",
            "webhooks[].matchPolicy",
            "webhooks[].reinvocationPolicy",
            "webhooks[].sideEffects",
        ],
    },
    // Called as far as to a ready endpoint; what the program there answers is not modelled.
    Claim {
        group: "admissionregistration.k8s.io",
        kind: "ValidatingWebhookConfiguration",
        template: "",
        read: &["webhooks"],
        but: &[
            "webhooks[].admissionReviewVersions",
            "webhooks[].clientConfig",
            "webhooks[].matchPolicy",
            "webhooks[].sideEffects",
        ],
    },
    Claim {
        group: "networking.k8s.io",
        kind: "ServiceCIDR",
        template: "",
        read: &["spec"],
        but: &[],
    },
    Claim {
        group: "rbac.authorization.k8s.io",
        kind: "ClusterRole",
        template: "",
        read: &["rules"],
        but: &["rules[].nonResourceURLs"],
    },
    Claim {
        group: "rbac.authorization.k8s.io",
        kind: "ClusterRoleBinding",
        template: "",
        read: &["roleRef", "subjects"],
        but: &[],
    },
    Claim {
        group: "batch",
        kind: "CronJob",
        template: "spec.jobTemplate.spec.template",
        read: &["spec"],
        but: &[],
    },
    Claim {
        group: "apiextensions.k8s.io",
        kind: "CustomResourceDefinition",
        template: "",
        read: &["spec"],
        but: &["spec.conversion.webhook"],
    },
    Claim {
        group: "apps",
        kind: "DaemonSet",
        template: "spec.template",
        read: &["spec"],
        but: &[],
    },
    Claim {
        group: "autoscaling",
        kind: "HorizontalPodAutoscaler",
        template: "",
        read: &["spec"],
        but: &[],
    },
    Claim {
        group: "batch",
        kind: "Job",
        template: "spec.template",
        read: &["spec"],
        but: &[],
    },
    Claim {
        group: "",
        kind: "LimitRange",
        template: "",
        read: &["spec"],
        but: &[],
    },
    Claim {
        group: "networking.k8s.io",
        kind: "NetworkPolicy",
        template: "",
        read: &["spec"],
        but: &[],
    },
    Claim {
        group: "",
        kind: "PersistentVolume",
        template: "",
        read: &[
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
        but: &[
            "spec.csi.controllerExpandSecretRef",
            "spec.csi.controllerPublishSecretRef",
            "spec.csi.fsType",
            "spec.csi.nodeExpandSecretRef",
            "spec.csi.nodePublishSecretRef",
            "spec.csi.nodeStageSecretRef",
            "spec.csi.readOnly",
            "spec.csi.volumeAttributes",
            "spec.local.fsType",
        ],
    },
    Claim {
        group: "",
        kind: "PersistentVolumeClaim",
        template: "",
        read: &[
            "spec.accessModes",
            "spec.resources",
            "spec.selector",
            "spec.storageClassName",
            "spec.volumeMode",
            "spec.volumeName",
        ],
        but: &[],
    },
    Claim {
        group: "policy",
        kind: "PodDisruptionBudget",
        template: "",
        read: &["spec"],
        but: &[],
    },
    // Its description is for people.
    Claim {
        group: "scheduling.k8s.io",
        kind: "PriorityClass",
        template: "",
        read: &["description", "globalDefault", "preemptionPolicy", "value"],
        but: &[],
    },
    Claim {
        group: "",
        kind: "ReplicationController",
        template: "spec.template",
        read: &["spec"],
        but: &[],
    },
    Claim {
        group: "",
        kind: "ResourceQuota",
        template: "",
        read: &["spec"],
        but: &[],
    },
    Claim {
        group: "rbac.authorization.k8s.io",
        kind: "Role",
        template: "",
        read: &["rules"],
        but: &["rules[].nonResourceURLs"],
    },
    Claim {
        group: "rbac.authorization.k8s.io",
        kind: "RoleBinding",
        template: "",
        read: &["roleRef", "subjects"],
        but: &[],
    },
    Claim {
        group: "node.k8s.io",
        kind: "RuntimeClass",
        template: "",
        read: &["handler", "overhead", "scheduling"],
        but: &[],
    },
    Claim {
        group: "",
        kind: "ServiceAccount",
        template: "",
        read: &["automountServiceAccountToken"],
        but: &[],
    },
    Claim {
        group: "apps",
        kind: "StatefulSet",
        template: "spec.template",
        read: &["spec"],
        but: &[
            "spec.volumeClaimTemplates[].spec.dataSource",
            "spec.volumeClaimTemplates[].spec.dataSourceRef",
        ],
    },
    Claim {
        group: "storage.k8s.io",
        kind: "StorageClass",
        template: "",
        read: &[
            "allowVolumeExpansion",
            "allowedTopologies",
            "provisioner",
            "reclaimPolicy",
            "volumeBindingMode",
        ],
        but: &[],
    },
    Claim {
        group: "admissionregistration.k8s.io",
        kind: "ValidatingAdmissionPolicy",
        template: "",
        read: &["spec"],
        but: &["spec.auditAnnotations", "spec.matchConstraints.matchPolicy"],
    },
    Claim {
        group: "admissionregistration.k8s.io",
        kind: "ValidatingAdmissionPolicyBinding",
        template: "",
        read: &["spec"],
        but: &[
            "spec.matchResources.matchPolicy",
            "spec.paramRef.parameterNotFoundAction",
        ],
    },
];

/// All that is said to be read here.
pub fn claims() -> impl Iterator<Item = Claim> {
    let part = |name, read, but| Claim {
        group: name,
        kind: "",
        template: "",
        read,
        but,
    };
    let parts = [
        part("core.v1.Container", CONTAINER, CONTAINER_BUT),
        part("core.v1.PodSpec", POD, POD_BUT),
    ];
    parts.into_iter().chain(KINDS.iter().copied())
}

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
        .find(|claim| (claim.group, claim.kind) == (group, kind));
    let Some(Claim {
        template,
        read: paths,
        but,
        ..
    }) = known
    else {
        // Kinds that have rows.
        let path = match (group, kind) {
            ("apps", "Deployment" | "ReplicaSet") => "spec.template.spec",
            ("", "Pod") => "spec",
            ("", "Service") => {
                // The cluster's DNS answers with the name; the others are allocated, or kept from changing.
                for path in [
                    "spec.clusterIPs",
                    "spec.externalName",
                    "spec.healthCheckNodePort",
                ] {
                    read(root, path, &[], scribe);
                }
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
    paths.iter().for_each(|path| read(root, path, but, scribe));
    (true, left)
}

fn read_pod(spec: &Field<'_>, scribe: &Scribe) {
    POD.iter()
        .for_each(|path| read(spec, path, POD_BUT, scribe));
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for container in spec.peek(list).items(scribe) {
            let paths = CONTAINER.iter();
            paths.for_each(|path| read(&container, path, CONTAINER_BUT, scribe));
        }
    }
}

/// Marks a field and all below it but some of it.
fn read(field: &Field<'_>, path: &str, but: &[&str], scribe: &Scribe) {
    let (key, rest) = path.split_once('.').unwrap_or((path, ""));
    let but = below(but, key.trim_end_matches("[]"));
    let inner = field.get(scribe, key.trim_end_matches("[]"));
    let each = if key.ends_with("[]") {
        inner.items(scribe)
    } else {
        vec![inner]
    };
    for one in each {
        match (rest.is_empty(), one.node) {
            (true, Some(node)) => mark_below(node, &but, scribe),
            (true, None) => {}
            (false, _) => read(&one, rest, &but, scribe),
        }
    }
}

/// What of some paths lies below their first key.
fn below<'path>(paths: &[&'path str], key: &str) -> Vec<&'path str> {
    let rest = |path: &&'path str| {
        let rest = path.strip_prefix(key)?;
        rest.strip_prefix("[]").unwrap_or(rest).strip_prefix('.')
    };
    paths.iter().filter_map(rest).collect()
}

/// Marks all keys below a node but some.
fn mark_below(node: &Node, but: &[&str], scribe: &Scribe) {
    if but.is_empty() {
        scribe.mark_below(node);
        return;
    }
    for entry in node.as_map().unwrap_or_default() {
        let key = &entry.key;
        if !but.iter().any(|path| **path == *key.text) {
            scribe.mark(key);
            mark_below(&entry.value, &below(but, &key.text), scribe);
        }
    }
    for item in node.as_seq().unwrap_or_default() {
        mark_below(item, but, scribe);
    }
}
