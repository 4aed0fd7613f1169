//! Which kinds exist in Kubernetes 1.36, under which versions, and what older versions became.

use crate::manifest::decode::kube::name::NameRule;
use crate::manifest::decode::nearest;

/// Whether a kind exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A built-in kind.
    Known,
    /// Not built in; a custom resource if its definition is installed.
    Foreign,
    /// Once served under this version.
    Old {
        /// Where it is served now.
        instead: &'static str,
    },
    /// No such kind in a built-in group.
    Unknown {
        /// What was probably meant.
        suggestion: Option<String>,
    },
}

/// Built-in kinds that people put into manifests, by group and version.
const KINDS: &[(&str, &[&str])] = &[
    (
        "v1",
        &[
            "Binding", "ConfigMap", "Endpoints", "Event", "LimitRange", "Namespace", "Node", "PersistentVolume",
            "PersistentVolumeClaim", "Pod", "PodTemplate", "ReplicationController", "ResourceQuota", "Secret",
            "Service", "ServiceAccount",
        ],
    ),
    ("apps/v1", &["ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"]),
    ("batch/v1", &["CronJob", "Job"]),
    ("autoscaling/v1", &["HorizontalPodAutoscaler"]),
    ("autoscaling/v2", &["HorizontalPodAutoscaler"]),
    ("policy/v1", &["Eviction", "PodDisruptionBudget"]),
    ("networking.k8s.io/v1", &["IPAddress", "Ingress", "IngressClass", "NetworkPolicy", "ServiceCIDR"]),
    ("discovery.k8s.io/v1", &["EndpointSlice"]),
    ("rbac.authorization.k8s.io/v1", &["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]),
    (
        "storage.k8s.io/v1",
        &["CSIDriver", "CSINode", "CSIStorageCapacity", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"],
    ),
    ("scheduling.k8s.io/v1", &["PriorityClass"]),
    ("coordination.k8s.io/v1", &["Lease"]),
    ("node.k8s.io/v1", &["RuntimeClass"]),
    ("apiextensions.k8s.io/v1", &["CustomResourceDefinition"]),
    ("apiregistration.k8s.io/v1", &["APIService"]),
    (
        "admissionregistration.k8s.io/v1",
        &[
            "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration",
        ],
    ),
    ("certificates.k8s.io/v1", &["CertificateSigningRequest"]),
    ("flowcontrol.apiserver.k8s.io/v1", &["FlowSchema", "PriorityLevelConfiguration"]),
    ("resource.k8s.io/v1", &["DeviceClass", "ResourceClaim", "ResourceClaimTemplate", "ResourceSlice"]),
    ("events.k8s.io/v1", &["Event"]),
];

/// Versions that are no longer served.
const REMOVED: &[&str] = &[
    "extensions/v1beta1",
    "apps/v1beta1",
    "apps/v1beta2",
    "batch/v1beta1",
    "batch/v2alpha1",
    "autoscaling/v2beta1",
    "autoscaling/v2beta2",
    "policy/v1beta1",
    "networking.k8s.io/v1beta1",
    "discovery.k8s.io/v1beta1",
    "rbac.authorization.k8s.io/v1beta1",
    "rbac.authorization.k8s.io/v1alpha1",
    "storage.k8s.io/v1beta1",
    "scheduling.k8s.io/v1beta1",
    "coordination.k8s.io/v1beta1",
    "node.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1beta1",
    "apiregistration.k8s.io/v1beta1",
    "admissionregistration.k8s.io/v1beta1",
    "certificates.k8s.io/v1beta1",
];

/// What is to be said about a kind under a version.
pub fn judge(api_version: &str, kind: &str) -> Verdict {
    let served = |version: &str| KINDS.iter().any(|(known, kinds)| *known == version && kinds.contains(&kind));
    if served(api_version) || kind == "List" && api_version == "v1" {
        return Verdict::Known;
    }
    let now = KINDS.iter().rev().find(|(_, kinds)| kinds.contains(&kind)).map(|(version, _)| *version);
    if let Some(instead) = now.filter(|_| REMOVED.contains(&api_version)) {
        return Verdict::Old { instead };
    }
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let built_in = !group.contains('.') || KINDS.iter().any(|(known, _)| known.starts_with(&format!("{group}/")));
    if !built_in {
        return Verdict::Foreign;
    }
    let suggestion = match now {
        Some(version) => Some(format!("{kind} is in `apiVersion: {version}`")),
        None => nearest(kind, KINDS.iter().flat_map(|(_, kinds)| kinds.iter().copied()))
            .map(|word| format!("did you mean `kind: {word}`?")),
    };
    Verdict::Unknown { suggestion }
}

/// Which rule the names of a kind follow.
pub fn name_rule(kind: &str) -> NameRule {
    match kind {
        "Namespace" | "Service" | "StatefulSet" => NameRule::Label,
        "ClusterRole" | "ClusterRoleBinding" | "Role" | "RoleBinding" => NameRule::PathSegment,
        _ => NameRule::Subdomain,
    }
}
