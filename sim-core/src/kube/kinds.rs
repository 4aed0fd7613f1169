//! Kinds, their resources and groups, as `kubectl api-resources` lists them.
//!
//! Built-in kinds are a table. Kinds of CustomResourceDefinitions are made while a run goes on and
//! are kept once each for the life of the process, so that a kind is one pointer everywhere; which
//! of them a cluster serves is told by its store ([`super::store::custom`]).

use std::sync::{Mutex, PoisonError};

use crate::base::sorted::SortedSet;

/// Different custom kinds that one process keeps; a definition beyond them is refused.
pub const CUSTOM_KINDS_MAX: usize = 4_096;

pub mod convert;

/// One kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// `apiVersion`.
    pub api_version: &'static str,
    /// `kind`.
    pub kind: &'static str,
    /// Plural, lower case.
    pub plural: &'static str,
    /// Short names.
    pub short: &'static [&'static str],
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Whether its objects carry a generation.
    pub generation: bool,
    /// Whether a CustomResourceDefinition made it.
    pub custom: bool,
}

const fn kind(
    api_version: &'static str,
    kind: &'static str,
    plural: &'static str,
    short: &'static [&'static str],
    namespaced: bool,
    generation: bool,
) -> Kind {
    Kind {
        api_version,
        kind,
        plural,
        short,
        namespaced,
        generation,
        custom: false,
    }
}

/// Built-in kinds. The generation column follows `pkg/registry/*/*/strategy.go`.
pub const KINDS: &[Kind] = &[
    kind("v1", "ConfigMap", "configmaps", &["cm"], true, false),
    kind("v1", "Endpoints", "endpoints", &["ep"], true, false),
    kind("v1", "Event", "events", &["ev"], true, false),
    kind("v1", "LimitRange", "limitranges", &["limits"], true, false),
    kind("v1", "Namespace", "namespaces", &["ns"], false, false),
    kind("v1", "Node", "nodes", &["no"], false, false),
    kind(
        "v1",
        "PersistentVolumeClaim",
        "persistentvolumeclaims",
        &["pvc"],
        true,
        false,
    ),
    kind(
        "v1",
        "PersistentVolume",
        "persistentvolumes",
        &["pv"],
        false,
        false,
    ),
    kind("v1", "Pod", "pods", &["po"], true, true),
    kind("v1", "PodTemplate", "podtemplates", &[], true, true),
    kind(
        "v1",
        "ReplicationController",
        "replicationcontrollers",
        &["rc"],
        true,
        true,
    ),
    kind(
        "v1",
        "ResourceQuota",
        "resourcequotas",
        &["quota"],
        true,
        false,
    ),
    kind("v1", "Secret", "secrets", &[], true, false),
    kind(
        "v1",
        "ServiceAccount",
        "serviceaccounts",
        &["sa"],
        true,
        false,
    ),
    kind("v1", "Service", "services", &["svc"], true, false),
    kind(
        "apps/v1",
        "ControllerRevision",
        "controllerrevisions",
        &[],
        true,
        false,
    ),
    kind("apps/v1", "DaemonSet", "daemonsets", &["ds"], true, true),
    kind(
        "apps/v1",
        "Deployment",
        "deployments",
        &["deploy"],
        true,
        true,
    ),
    kind("apps/v1", "ReplicaSet", "replicasets", &["rs"], true, true),
    kind(
        "apps/v1",
        "StatefulSet",
        "statefulsets",
        &["sts"],
        true,
        true,
    ),
    kind(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        &["hpa"],
        true,
        false,
    ),
    kind("batch/v1", "CronJob", "cronjobs", &["cj"], true, true),
    kind("batch/v1", "Job", "jobs", &[], true, true),
    kind(
        "coordination.k8s.io/v1",
        "Lease",
        "leases",
        &[],
        true,
        false,
    ),
    kind(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        "endpointslices",
        &[],
        true,
        true,
    ),
    kind(
        "networking.k8s.io/v1",
        "Ingress",
        "ingresses",
        &["ing"],
        true,
        true,
    ),
    kind(
        "networking.k8s.io/v1",
        "IngressClass",
        "ingressclasses",
        &[],
        false,
        true,
    ),
    kind(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        "networkpolicies",
        &["netpol"],
        true,
        true,
    ),
    kind(
        "policy/v1",
        "PodDisruptionBudget",
        "poddisruptionbudgets",
        &["pdb"],
        true,
        true,
    ),
    kind(
        "rbac.authorization.k8s.io/v1",
        "ClusterRoleBinding",
        "clusterrolebindings",
        &[],
        false,
        false,
    ),
    kind(
        "rbac.authorization.k8s.io/v1",
        "ClusterRole",
        "clusterroles",
        &[],
        false,
        false,
    ),
    kind(
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        "rolebindings",
        &[],
        true,
        false,
    ),
    kind(
        "rbac.authorization.k8s.io/v1",
        "Role",
        "roles",
        &[],
        true,
        false,
    ),
    kind(
        "scheduling.k8s.io/v1",
        "PriorityClass",
        "priorityclasses",
        &["pc"],
        false,
        true,
    ),
    kind(
        "node.k8s.io/v1",
        "RuntimeClass",
        "runtimeclasses",
        &[],
        false,
        false,
    ),
    kind(
        "admissionregistration.k8s.io/v1",
        "ValidatingAdmissionPolicy",
        "validatingadmissionpolicies",
        &[],
        false,
        true,
    ),
    kind(
        "admissionregistration.k8s.io/v1",
        "ValidatingAdmissionPolicyBinding",
        "validatingadmissionpolicybindings",
        &[],
        false,
        true,
    ),
    kind(
        "storage.k8s.io/v1",
        "CSIDriver",
        "csidrivers",
        &[],
        false,
        false,
    ),
    kind(
        "storage.k8s.io/v1",
        "CSINode",
        "csinodes",
        &[],
        false,
        false,
    ),
    kind(
        "storage.k8s.io/v1",
        "StorageClass",
        "storageclasses",
        &["sc"],
        false,
        false,
    ),
    kind(
        "storage.k8s.io/v1",
        "VolumeAttachment",
        "volumeattachments",
        &[],
        false,
        false,
    ),
    // Kept for whoever reads them; no loop acts upon them.
    kind(
        "admissionregistration.k8s.io/v1",
        "MutatingAdmissionPolicy",
        "mutatingadmissionpolicies",
        &[],
        false,
        true,
    ),
    kind(
        "admissionregistration.k8s.io/v1",
        "MutatingAdmissionPolicyBinding",
        "mutatingadmissionpolicybindings",
        &[],
        false,
        true,
    ),
    kind(
        "admissionregistration.k8s.io/v1",
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
        &[],
        false,
        true,
    ),
    kind(
        "admissionregistration.k8s.io/v1",
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        &[],
        false,
        true,
    ),
    kind(
        "apiregistration.k8s.io/v1",
        "APIService",
        "apiservices",
        &[],
        false,
        false,
    ),
    kind(
        "certificates.k8s.io/v1",
        "CertificateSigningRequest",
        "certificatesigningrequests",
        &["csr"],
        false,
        false,
    ),
    kind(
        "flowcontrol.apiserver.k8s.io/v1",
        "FlowSchema",
        "flowschemas",
        &[],
        false,
        true,
    ),
    kind(
        "flowcontrol.apiserver.k8s.io/v1",
        "PriorityLevelConfiguration",
        "prioritylevelconfigurations",
        &[],
        false,
        true,
    ),
    kind(
        "networking.k8s.io/v1",
        "IPAddress",
        "ipaddresses",
        &["ip"],
        false,
        false,
    ),
    kind(
        "networking.k8s.io/v1",
        "ServiceCIDR",
        "servicecidrs",
        &[],
        false,
        false,
    ),
    kind(
        "resource.k8s.io/v1",
        "DeviceClass",
        "deviceclasses",
        &[],
        false,
        true,
    ),
    kind(
        "resource.k8s.io/v1",
        "ResourceClaim",
        "resourceclaims",
        &[],
        true,
        false,
    ),
    kind(
        "resource.k8s.io/v1",
        "ResourceClaimTemplate",
        "resourceclaimtemplates",
        &[],
        true,
        false,
    ),
    kind(
        "resource.k8s.io/v1",
        "ResourceSlice",
        "resourceslices",
        &[],
        false,
        true,
    ),
    kind(
        "storage.k8s.io/v1",
        "CSIStorageCapacity",
        "csistoragecapacities",
        &[],
        true,
        false,
    ),
    kind(
        "storage.k8s.io/v1",
        "VolumeAttributesClass",
        "volumeattributesclasses",
        &["vac"],
        false,
        false,
    ),
    kind(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        &["crd", "crds"],
        false,
        true,
    ),
];

/// Versions that are served beside the one that is stored; [`convert`] shows their objects.
pub const ALSO: &[Kind] = &[kind(
    "events.k8s.io/v1",
    "Event",
    "events",
    &["ev"],
    true,
    false,
)];

/// A version of a custom kind; nothing if there are too many already.
pub fn custom(
    api_version: &str,
    kind: &str,
    plural: &str,
    short: &[&str],
    namespaced: bool,
) -> Option<&'static Kind> {
    static KNOWN: Mutex<SortedSet<&'static Kind>> = Mutex::new(SortedSet::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let found = known.iter().find(|one| {
        one.api_version == api_version
            && one.kind == kind
            && one.plural == plural
            && one.short == short
            && one.namespaced == namespaced
    });
    if let Some(found) = found {
        return Some(found);
    }
    if known.len() >= CUSTOM_KINDS_MAX {
        return None;
    }
    // Kept for ever on purpose: see the module's words.
    let keep = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
    let short: Vec<&'static str> = short.iter().map(|text| keep(text)).collect();
    let made: &'static Kind = Box::leak(Box::new(Kind {
        api_version: keep(api_version),
        kind: keep(kind),
        plural: keep(plural),
        short: Box::leak(short.into_boxed_slice()),
        namespaced,
        generation: true,
        custom: true,
    }));
    known.insert(made);
    Some(made)
}

impl Kind {
    /// The kind as which its objects are stored.
    pub fn stored(&self) -> &Self {
        let other = ALSO.iter().any(|kind| kind.api_version == self.api_version);
        let mut stored = KINDS.iter().filter(|_| other);
        stored.find(|kind| kind.kind == self.kind).unwrap_or(self)
    }

    /// How requests name it: by kind, or by resource if a definition made it, because kinds of two
    /// groups may share a name.
    pub fn request_name(&self) -> String {
        if self.custom {
            self.resource()
        } else {
            self.kind.to_owned()
        }
    }

    /// Group, empty for the core.
    pub fn group(&self) -> &'static str {
        self.api_version
            .split_once('/')
            .map_or("", |(group, _)| group)
    }

    /// Resource with group, e.g. `deployments.apps`: how errors and documents name it.
    pub fn resource(&self) -> String {
        if self.group().is_empty() {
            self.plural.to_owned()
        } else {
            format!("{}.{}", self.plural, self.group())
        }
    }

    /// Kind with group, e.g. `Deployment.apps`.
    pub fn qualified(&self) -> String {
        if self.group().is_empty() {
            self.kind.to_owned()
        } else {
            format!("{}.{}", self.kind, self.group())
        }
    }
}

/// The kind that an object names.
pub fn of_object(api_version: &str, name: &str) -> Option<&'static Kind> {
    let group = match api_version.split_once('/') {
        // Events are served by two groups and stored once.
        Some(("events.k8s.io", _)) => "",
        Some((group, _)) => group,
        None => "",
    };
    KINDS
        .iter()
        .find(|kind| kind.kind == name && kind.group() == group)
}

/// The kind as which an object is served, if it is not stored so.
pub fn also(api_version: &str, name: &str) -> Option<&'static Kind> {
    let mut also = ALSO.iter();
    also.find(|kind| kind.api_version == api_version && kind.kind == name)
}

/// The kind that a person means by `po`, `pod`, `pods`, `deployments.apps`, `deployment.v1.apps`.
pub fn of_word(word: &str) -> Option<&'static Kind> {
    let word = word.to_ascii_lowercase();
    let (head, group) = word.split_once('.').unwrap_or((&word, ""));
    KINDS.iter().chain(ALSO).find(|kind| {
        let named = kind.plural == head
            || kind.kind.eq_ignore_ascii_case(head)
            || kind.short.contains(&head);
        named
            && (group.is_empty()
                || kind.group() == group
                || group
                    .split_once('.')
                    .is_some_and(|(_, group)| group == kind.group()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_may_name_a_kind_in_many_ways() {
        for word in [
            "deploy",
            "deployment",
            "Deployments",
            "deployments.apps",
            "deployment.v1.apps",
        ] {
            assert_eq!(
                of_word(word).map(|kind| kind.kind),
                Some("Deployment"),
                "{word}"
            );
        }
        assert_eq!(of_word("deployments.batch"), None);
        assert_eq!(
            of_object("apps/v1", "ReplicaSet").map(Kind::resource),
            Some("replicasets.apps".to_owned())
        );
    }

    #[test]
    fn a_custom_kind_is_one_pointer() {
        let make = || custom("kinds.test/v1", "Gadget", "gadgets", &["gd"], true).unwrap();
        assert!(std::ptr::eq(make(), make()));
        assert_eq!(make().request_name(), "gadgets.kinds.test");
    }
}
