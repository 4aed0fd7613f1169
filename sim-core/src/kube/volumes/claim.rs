//! Claims and volumes as loops read them from their documents, and which volume a claim gets.
//!
//! Sources: `staging/src/k8s.io/component-helpers/storage/volume/pv_helpers.go`,
//! `pkg/controller/volume/persistentvolume/index.go`.

use std::sync::Arc;

use crate::api::kube::affinity::{NodeSelectorTerm, PreferredNodeTerm};
use crate::api::selector::{LabelSelector, Operator, Requirement};
use crate::base::arrange::Arrange;
use crate::base::quantity::Quantity;
use crate::base::rng::Seed;
use crate::base::time::SimTime;
use crate::kube::apiserver::template::selector;
use crate::kube::render::{pod_uid, time, uid, uid_text};
use crate::kube::rows::PodId;
use crate::kube::rows::read;
use crate::kube::scheduler::matcher::Look;
use crate::kube::selector::Selector;
use crate::kube::store::Store;
use crate::kube::store::document::{ATTACHMENTS, DocumentKey};
use crate::manifest::value::Value;

/// Resource of claims.
pub const CLAIMS: &str = "persistentvolumeclaims";
/// Resource of volumes.
pub const VOLUMES: &str = "persistentvolumes";
/// Resource of storage classes.
pub const CLASSES: &str = "storageclasses.storage.k8s.io";
/// Resource of the nodes' drivers.
pub const CSI_NODES: &str = "csinodes.storage.k8s.io";
/// Resource of the drivers' descriptions.
pub const DRIVERS: &str = "csidrivers.storage.k8s.io";
/// Resource of what space drivers have.
pub const CAPACITIES: &str = "csistoragecapacities.storage.k8s.io";
/// Finalizer of claims: they stay while a pod uses them.
/// Source: `pkg/volume/util/finalizer.go`.
pub const CLAIM_PROTECTION: &str = "kubernetes.io/pvc-protection";
/// Finalizer of volumes: they stay while they are bound. Source: as above.
pub const VOLUME_PROTECTION: &str = "kubernetes.io/pv-protection";
/// Resource of classes of volumes' attributes.
pub const ATTRIBUTES: &str = "volumeattributesclasses.storage.k8s.io";
/// Finalizer of these: they stay while a claim or volume names them. Source: as above.
pub const ATTRIBUTES_PROTECTION: &str = "kubernetes.io/vac-protection";
/// Provisioner of classes whose volumes somebody makes by hand.
pub const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";
/// Annotation: the binding is complete.
pub const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
/// Annotation: the controller, not a person, made the binding.
pub const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
/// Annotation: the node that the scheduler chose for the claim's pod.
pub const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";

/// How a volume may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessMode {
    /// One node.
    ReadWriteOnce,
    /// Many nodes, reading.
    ReadOnlyMany,
    /// Many nodes.
    ReadWriteMany,
    /// One pod.
    ReadWriteOncePod,
}

/// A claim. Its uid tells it from others that had its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Bytes asked for.
    pub bytes: i128,
    /// Bytes that it has.
    pub capacity: i128,
    /// Modes asked for.
    pub modes: Vec<AccessMode>,
    /// Its class; empty: none.
    pub class: Arc<str>,
    /// `volumeMode`.
    pub mode: Arc<str>,
    /// Which volumes.
    pub selector: Selector,
    /// `spec.volumeName`; empty: none yet.
    pub volume: Arc<str>,
    /// `metadata.uid`.
    pub uid: Arc<str>,
    /// `volumeAttributesClassName`; empty: none.
    pub attributes: Arc<str>,
    /// Whether the binding is complete.
    pub completed: bool,
    /// Its phase; empty: none yet.
    pub phase: Arc<str>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// The node that the scheduler chose; empty: none yet.
    pub selected_node: Arc<str>,
}

/// A volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersistentVolume {
    /// Its name.
    pub name: Arc<str>,
    /// Its size in bytes.
    pub bytes: i128,
    /// What it allows.
    pub modes: Vec<AccessMode>,
    /// Its class; empty: none.
    pub class: Arc<str>,
    /// `volumeMode`.
    pub mode: Arc<str>,
    /// Its labels, sorted by key.
    pub labels: Vec<(Arc<str>, Arc<str>)>,
    /// Namespace and name of the claim that it is for; empty: none.
    pub claim: Option<(Arc<str>, Arc<str>)>,
    /// Uid of that claim; empty: whichever has the name.
    pub claim_uid: Arc<str>,
    /// `volumeAttributesClassName`; empty: none.
    pub attributes: Arc<str>,
    /// Its phase; empty: none yet.
    pub phase: Arc<str>,
    /// Nodes that it can be used on; absent: all.
    pub node_affinity: Option<Vec<NodeSelectorTerm>>,
    /// CSI driver and handle.
    pub csi: Option<(Arc<str>, Arc<str>)>,
    /// Whether it is being deleted.
    pub deleting: bool,
}

impl Claim {
    /// Whether its binding is complete.
    pub fn is_bound(&self) -> bool {
        !self.volume.is_empty() && self.completed
    }

    /// Whether one pod only may use it.
    pub fn is_exclusive(&self) -> bool {
        self.modes == [AccessMode::ReadWriteOncePod]
    }

    /// Whether its binding waits for a pod.
    pub fn waits(&self, store: &Store) -> bool {
        self.volume.is_empty()
            && class(&self.class, store).is_some_and(|class| {
                class.str_at(&["volumeBindingMode"]) == Some("WaitForFirstConsumer")
            })
    }

    /// `namespace/name`.
    pub fn key(&self) -> Arc<str> {
        format!("{}/{}", self.namespace, self.name).into()
    }
}

/// Annotation of the class that claims without one get.
const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";

/// The class of claims that say nothing of one.
pub fn default_class(store: &Store) -> Option<Arc<str>> {
    default_of(CLASSES, DEFAULT_CLASS, store)
}

/// The newest of the classes that an annotation marks as the default one.
pub fn default_of(resource: &str, annotation: &str, store: &Store) -> Option<Arc<str>> {
    let marked = store.documents().of(resource).filter(|(_, class)| {
        let path = ["metadata", "annotations", annotation];
        class.value.str_at(&path) == Some("true")
    });
    let newest = marked
        .max_by_key(|(key, class)| (class.created.signed_micros(), std::cmp::Reverse(&key.name)));
    newest.map(|(key, _)| key.name.clone())
}

/// A new claim of this name as a template describes it.
pub fn of_template(template: &Value, key: &DocumentKey) -> Value {
    let mut value = template.clone();
    value.set("apiVersion", "v1".into());
    value.set("kind", "PersistentVolumeClaim".into());
    value.set_path(&["metadata", "name"], Value::from(&*key.name));
    value.set_path(&["metadata", "namespace"], Value::from(&*key.namespace));
    let mode = volume_mode(&value);
    value.set_path(&["spec", "volumeMode"], (&*mode).into());
    value
}

/// What a new claim or volume gets: the default class, the finalizer, and its first phase.
/// Source: `plugin/pkg/admission/storage/storageclass/setdefault/admission.go`,
/// `pkg/registry/core/{persistentvolume,persistentvolumeclaim}/strategy.go` (`PrepareForCreate`).
pub fn admit(resource: &str, value: &mut Value, store: &Store, now: SimTime) {
    match resource {
        CLAIMS => value.set("status", Value::object([("phase", "Pending".into())])),
        VOLUMES => {
            value.remove("status");
            enter(value, "Pending", now);
        }
        ATTRIBUTES => {}
        _ => return,
    }
    let stated = value.path(&["spec", "storageClassName"]).is_some();
    if resource == CLAIMS
        && !stated
        && let Some(class) = default_class(store)
    {
        value.set_path(&["spec", "storageClassName"], (&*class).into());
    }
    protect(resource, value);
}

/// Whether a claim may ask for as much as it does now.
/// Source: `plugin/pkg/admission/storage/persistentvolume/resize/admission.go`.
///
/// # Errors
/// Why it may not ask for more.
pub fn may_grow(old: &Value, new: &Value, store: &Store) -> Result<(), &'static str> {
    let path = ["spec", "resources", "requests", "storage"];
    if bytes(new, &path) <= bytes(old, &path) {
        return Ok(());
    }
    if old.str_at(&["status", "phase"]) != Some("Bound") {
        return Err("Only bound persistent volume claims can be expanded");
    }
    let class_of = |value: &Value| {
        value
            .str_at(&["spec", "storageClassName"])
            .map(str::to_owned)
    };
    let found = class_of(new).filter(|name| class_of(old).as_ref() == Some(name));
    let expands = |name: &String| {
        let path = ["allowVolumeExpansion"];
        class(name, store).and_then(|it| it.path(&path)?.as_bool()) == Some(true)
    };
    let why = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize";
    found.filter(expands).map(|_| ()).ok_or(why)
}

/// Classes of attributes that a claim or volume has, wants or is changing to.
pub fn attributes_of(value: &Value) -> Vec<&str> {
    let paths: [&[&str]; 3] = [
        &["spec", "volumeAttributesClassName"],
        &["status", "currentVolumeAttributesClassName"],
        &[
            "status",
            "modifyVolumeStatus",
            "targetVolumeAttributesClassName",
        ],
    ];
    let names = paths.iter().map(|path| read::text(value, path));
    names.filter(|name| !name.is_empty()).collect()
}

/// Writes a volume's phase, and since when it is in it.
pub fn enter(value: &mut Value, phase: &str, now: SimTime) {
    value.set_path(&["status", "lastPhaseTransitionTime"], time(now));
    value.set_path(&["status", "phase"], phase.into());
}

/// Adds the finalizer that new claims and volumes get.
/// Source: `plugin/pkg/admission/storage/storageobjectinuseprotection/admission.go`.
pub fn protect(resource: &str, value: &mut Value) {
    let finalizer = match resource {
        CLAIMS => CLAIM_PROTECTION,
        VOLUMES => VOLUME_PROTECTION,
        ATTRIBUTES => ATTRIBUTES_PROTECTION,
        _ => return,
    };
    let path = ["metadata", "finalizers"];
    let mut list: Vec<Value> = value
        .path(&path)
        .and_then(Value::as_list)
        .map(<[Value]>::to_vec)
        .unwrap_or_default();
    if !list.iter().any(|it| it.as_str() == Some(finalizer)) {
        list.push(finalizer.into());
        value.set_path(&path, Value::list(list));
    }
}

/// The name of a document.
pub fn key(resource: &str, namespace: &str, name: &str) -> DocumentKey {
    DocumentKey {
        resource: resource.into(),
        namespace: namespace.into(),
        name: name.into(),
    }
}

/// The document of a storage class.
pub fn class<'a>(name: &str, store: &'a Store) -> Option<&'a Value> {
    if name.is_empty() {
        return None;
    }
    let document = store.documents().get(&key(CLASSES, "", name))?;
    Some(&document.value)
}

/// A claim by its name.
pub fn find(namespace: &str, name: &str, store: &Store) -> Option<Claim> {
    let document = store.documents().get(&key(CLAIMS, namespace, name))?;
    let deleting = document.deletion.is_some();
    let mut found = claim(namespace, name, &document.value, deleting);
    if found.uid.is_empty() {
        let created = document.created.as_micros();
        let id = uid(Seed(store.seed), CLAIMS, namespace, name, created);
        found.uid = uid_text(id).into();
    }
    Some(found)
}

/// A claim from its document.
pub fn claim(namespace: &str, name: &str, value: &Value, deleting: bool) -> Claim {
    let text = |path: &[&str]| -> Arc<str> { value.str_at(path).unwrap_or("").into() };
    let annotation = |key: &str| value.str_at(&["metadata", "annotations", key]);
    Claim {
        namespace: namespace.into(),
        name: name.into(),
        bytes: bytes(value, &["spec", "resources", "requests", "storage"]),
        capacity: bytes(value, &["status", "capacity", "storage"]),
        modes: modes(value),
        class: text(&["spec", "storageClassName"]),
        mode: volume_mode(value),
        selector: value
            .path(&["spec", "selector"])
            .map(label_selector)
            .unwrap_or_default(),
        volume: text(&["spec", "volumeName"]),
        uid: text(&["metadata", "uid"]),
        attributes: text(&["spec", "volumeAttributesClassName"]),
        completed: annotation(BIND_COMPLETED).is_some(),
        phase: text(&["status", "phase"]),
        deleting,
        selected_node: annotation(SELECTED_NODE).unwrap_or("").into(),
    }
}

/// A volume by its name.
pub fn volume(name: &str, store: &Store) -> Option<PersistentVolume> {
    let document = store.documents().get(&key(VOLUMES, "", name))?;
    Some(persistent_volume(
        name,
        &document.value,
        document.deletion.is_some(),
    ))
}

/// All volumes, by name.
pub fn volumes(store: &Store) -> Vec<PersistentVolume> {
    store
        .documents()
        .of(VOLUMES)
        .map(|(key, document)| {
            persistent_volume(&key.name, &document.value, document.deletion.is_some())
        })
        .collect()
}

/// A volume from its document.
pub fn persistent_volume(name: &str, value: &Value, deleting: bool) -> PersistentVolume {
    let text = |path: &[&str]| -> Arc<str> { value.str_at(path).unwrap_or("").into() };
    let claim = value.path(&["spec", "claimRef"]).map(|claim| {
        let text = |key: &str| -> Arc<str> { claim.str_at(&[key]).unwrap_or("").into() };
        (text("namespace"), text("name"))
    });
    let required = value.path(&["spec", "nodeAffinity", "required"]);
    let csi = value.path(&["spec", "csi"]).map(|csi| {
        let text = |key: &str| -> Arc<str> { csi.str_at(&[key]).unwrap_or("").into() };
        (text("driver"), text("volumeHandle"))
    });
    let labels = value.path(&["metadata", "labels"]).and_then(Value::as_map);
    let mut labels: Vec<(Arc<str>, Arc<str>)> = labels
        .unwrap_or_default()
        .iter()
        .filter_map(|(key, value)| Some((key.clone(), Arc::from(value.as_str()?))))
        .collect();
    labels.arrange();
    PersistentVolume {
        name: name.into(),
        bytes: bytes(value, &["spec", "capacity", "storage"]),
        modes: modes(value),
        class: text(&["spec", "storageClassName"]),
        mode: volume_mode(value),
        labels,
        claim,
        claim_uid: text(&["spec", "claimRef", "uid"]),
        attributes: text(&["spec", "volumeAttributesClassName"]),
        phase: text(&["status", "phase"]),
        node_affinity: required.map(node_selector_terms),
        csi,
        deleting,
    }
}

/// Bytes, rounded up; volumes may be larger than what 64 bits count.
fn bytes(value: &Value, path: &[&str]) -> i128 {
    value
        .path(path)
        .and_then(|amount| match amount.as_i64() {
            Some(number) => Some(number.into()),
            None => {
                let amount = Quantity::parse(amount.as_str()?).ok()?;
                Some((amount.nano_value() + 999_999_999) / 1_000_000_000)
            }
        })
        .unwrap_or(0)
}

fn volume_mode(value: &Value) -> Arc<str> {
    value
        .str_at(&["spec", "volumeMode"])
        .unwrap_or("Filesystem")
        .into()
}

fn modes(value: &Value) -> Vec<AccessMode> {
    let list = value
        .path(&["spec", "accessModes"])
        .and_then(Value::as_list);
    let mut modes: Vec<AccessMode> = list
        .unwrap_or_default()
        .iter()
        .filter_map(|mode| {
            Some(match mode.as_str()? {
                "ReadWriteOnce" => AccessMode::ReadWriteOnce,
                "ReadOnlyMany" => AccessMode::ReadOnlyMany,
                "ReadWriteMany" => AccessMode::ReadWriteMany,
                "ReadWriteOncePod" => AccessMode::ReadWriteOncePod,
                _ => return None,
            })
        })
        .collect();
    modes.arrange();
    modes.dedup();
    modes
}

/// `nodeSelectorTerms` of a node selector in a document.
pub fn node_selector_terms(selector: &Value) -> Vec<NodeSelectorTerm> {
    let terms = selector.get("nodeSelectorTerms").and_then(Value::as_list);
    terms
        .unwrap_or_default()
        .iter()
        .map(|term| node_term(term, "matchExpressions", "matchFields"))
        .collect()
}

/// Preferred terms on nodes in a document.
pub fn preferred_terms(list: &Value) -> Vec<PreferredNodeTerm> {
    list.as_list()
        .unwrap_or_default()
        .iter()
        .filter_map(|item| {
            Some(PreferredNodeTerm {
                weight: u32::try_from(item.i64_at(&["weight"])?).ok()?,
                preference: node_term(item.get("preference")?, "matchExpressions", "matchFields"),
            })
        })
        .collect()
}

/// A node selector term from a document.
fn node_term(value: &Value, expressions: &str, fields: &str) -> NodeSelectorTerm {
    NodeSelectorTerm {
        match_expressions: requirements(value.get(expressions)),
        match_fields: requirements(value.get(fields)),
    }
}

fn requirements(list: Option<&Value>) -> Vec<Requirement> {
    list.and_then(Value::as_list)
        .unwrap_or_default()
        .iter()
        .filter_map(|item| {
            let operator = match item.str_at(&["operator"]).unwrap_or("In") {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                "Gt" => Operator::GreaterThan,
                "Lt" => Operator::LessThan,
                _ => return None,
            };
            let values = item.get("values").and_then(Value::as_list);
            Some(Requirement {
                key: item.str_at(&["key"])?.into(),
                operator,
                values: values
                    .into_iter()
                    .flatten()
                    .filter_map(|value| value.as_str().map(Arc::from))
                    .collect(),
            })
        })
        .collect()
}

/// A label selector from a document.
pub fn label_selector(value: &Value) -> Selector {
    let map = value.get("matchLabels").and_then(Value::as_map);
    selector(&LabelSelector {
        match_labels: map
            .unwrap_or_default()
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), Arc::from(value.as_str()?))))
            .collect(),
        match_expressions: requirements(value.get("matchExpressions")),
    })
}

/// Terms on nodes for which a claim's class makes volumes, empty: for all; `None`: it makes none.
pub fn provisioner(claim: &Claim, store: &Store) -> Option<Vec<NodeSelectorTerm>> {
    let class = class(&claim.class, store)?;
    let provisioner = class.str_at(&["provisioner"]).unwrap_or("");
    if provisioner.is_empty() || provisioner == NO_PROVISIONER {
        return None;
    }
    let list = class.get("allowedTopologies").and_then(Value::as_list);
    Some(
        list.unwrap_or_default()
            .iter()
            .map(|term| NodeSelectorTerm {
                match_expressions: requirements(term.get("matchLabelExpressions")),
                match_fields: Vec::new(),
            })
            .collect(),
    )
}

/// Provisioners that were built in, and the drivers that took over from them.
/// Source: `staging/src/k8s.io/csi-translation-lib/plugins`.
const MIGRATED: [(&str, &str); 7] = [
    ("aws-ebs", "ebs.csi.aws.com"),
    ("azure-disk", "disk.csi.azure.com"),
    ("azure-file", "file.csi.azure.com"),
    ("cinder", "cinder.csi.openstack.org"),
    ("gce-pd", "pd.csi.storage.gke.io"),
    ("portworx-volume", "pxd.portworx.com"),
    ("vsphere-volume", "csi.vsphere.vmware.com"),
];

/// The driver that makes and attaches the volumes of a claim's class.
pub fn driver_of_class(claim: &Claim, store: &Store) -> Option<Arc<str>> {
    let name = class(&claim.class, store)?.str_at(&["provisioner"])?;
    let built_in = name.strip_prefix("kubernetes.io/");
    let mut migrated = MIGRATED.iter();
    let driver = migrated.find(|(old, _)| built_in == Some(*old));
    Some(driver.map_or(name, |(_, driver)| driver).into())
}

/// Driver and handle that a claim takes on its pod's node; of its class where its volume is not
/// there. Source: `pkg/scheduler/framework/plugins/nodevolumelimits/csi.go` (`getCSIDriverInfo`).
pub fn attached(claim: &Claim, store: &Store) -> Option<(Arc<str>, Arc<str>)> {
    if let Some(volume) = volume(&claim.volume, store) {
        return volume.csi;
    }
    Some((driver_of_class(claim, store)?, claim.key()))
}

/// Driver and handle of what is attached, or is to be, with the node before it; by node.
/// Source: as above (`getNodeVolumeAttachmentInfo`).
pub fn attachments(store: &Store) -> Vec<(Arc<str>, (Arc<str>, Arc<str>))> {
    let all = store.documents().of(ATTACHMENTS);
    let mut list: Vec<_> = all
        .filter_map(|(_, document)| {
            let text = |path: &[&str]| document.value.str_at(path);
            let volume = text(&["spec", "source", "persistentVolumeName"])?;
            let volume = store.documents().get(&key(VOLUMES, "", volume))?;
            let handle = volume.value.str_at(&["spec", "csi", "volumeHandle"])?;
            let attacher = text(&["spec", "attacher"])?;
            Some((
                text(&["spec", "nodeName"])?.into(),
                (attacher.into(), handle.into()),
            ))
        })
        .collect();
    list.arrange();
    list
}

/// Nodes for which a claim's driver says that it has enough space; `None`: it does not say.
/// Source: `pkg/scheduler/framework/plugins/volumebinding/binder.go` (`hasEnoughCapacity`).
pub fn space(claim: &Claim, store: &Store) -> Option<Vec<Selector>> {
    let driver = class(&claim.class, store)?.str_at(&["provisioner"])?;
    let driver = store.documents().get(&key(DRIVERS, "", driver))?;
    if driver.value.path(&["spec", "storageCapacity"])?.as_bool() != Some(true) {
        return None;
    }
    let all = store.documents().of(CAPACITIES);
    let enough = all.filter_map(|(_, document)| {
        let nodes = document.value.get("nodeTopology")?;
        let fits = document.value.str_at(&["storageClassName"]) == Some(&*claim.class)
            && capacity_limit(&document.value)? >= claim.bytes;
        fits.then(|| label_selector(nodes))
    });
    Some(enough.collect())
}

/// The largest volume for which there is space, bytes. Source: as above (`volumeLimit`).
pub fn capacity_limit(value: &Value) -> Option<i128> {
    let key = ["maximumVolumeSize", "capacity"]
        .into_iter()
        .find(|key| value.get(key).is_some())?;
    Some(bytes(value, &[key]))
}

/// Whether a claim is that of an ephemeral volume of a pod.
/// Source: `staging/src/k8s.io/component-helpers/storage/ephemeral/ephemeral.go` (`VolumeIsForPod`).
pub fn is_of_pod(claim: &Claim, pod: PodId, look: Look<'_>) -> bool {
    let documents = look.store.documents();
    let Some(document) = documents.get(&key(CLAIMS, &claim.namespace, &claim.name)) else {
        return false;
    };
    let mut owners = read::list(&document.value, &["metadata", "ownerReferences"]).iter();
    let owner = owners.find(|it| read::truth(it, &["controller"]));
    let uid = pod_uid(pod, look.store, look.symbols);
    owner.is_some_and(|it| it.str_at(&["uid"]) == uid.as_deref())
}

/// What is said of a claim that is not a pod's. Source: as above.
pub fn not_of_pod(claim: &Claim, pod: &str) -> String {
    let namespace = &claim.namespace;
    let name = &claim.name;
    format!("PVC {namespace}/{name} was not created for pod {namespace}/{pod} (pod is not owner)")
}

/// Volumes that a node's drivers can attach, by driver.
pub fn limits(node: &str, store: &Store) -> Vec<(Arc<str>, u64)> {
    let document = store.documents().get(&key(CSI_NODES, "", node));
    document
        .map(|document| limits_of(&document.value))
        .unwrap_or_default()
}

/// The same, of a CSINode.
pub fn limits_of(value: &Value) -> Vec<(Arc<str>, u64)> {
    let drivers = value.path(&["spec", "drivers"]).and_then(Value::as_list);
    drivers
        .unwrap_or_default()
        .iter()
        .filter_map(|driver| {
            let count = driver.i64_at(&["allocatable", "count"])?;
            Some((driver.str_at(&["name"])?.into(), count.unsigned_abs()))
        })
        .collect()
}

impl PersistentVolume {
    /// Whether it is this claim's, or is to be.
    /// Source: `pv_helpers.go` (`IsVolumeBoundToClaim`).
    pub fn is_of(&self, claim: &Claim) -> bool {
        self.claim.as_ref().is_some_and(|(namespace, name)| {
            (namespace, name) == (&claim.namespace, &claim.name)
                && (self.claim_uid.is_empty() || self.claim_uid == claim.uid)
        })
    }

    /// Whether it allows every mode that a claim asks for.
    pub fn allows(&self, claim: &Claim) -> bool {
        claim.modes.iter().all(|mode| self.modes.contains(mode))
    }

    /// Whether a claim could have it, where it is the claim's already, or nobody's.
    fn suits(&self, claim: &Claim) -> bool {
        self.bytes >= claim.bytes
            && self.mode == claim.mode
            && self.attributes == claim.attributes
            && !self.deleting
            && (self.is_of(claim) || self.claim.is_none() && self.is_free_for(claim))
    }

    fn is_free_for(&self, claim: &Claim) -> bool {
        &*self.phase == "Available"
            && self.class == claim.class
            && claim.selector.matches(&self.labels)
    }
}

/// Volumes that the scheduler could give a claim, the best first: one that is the claim's already,
/// else the smallest. Source: `pv_helpers.go` (`FindMatchingVolume`), with a node.
pub fn candidates(claim: &Claim, store: &Store) -> Vec<PersistentVolume> {
    let mut found: Vec<PersistentVolume> = volumes(store)
        .into_iter()
        .filter(|volume| volume.class == claim.class && volume.suits(claim))
        .filter(|volume| volume.claim.is_some() || volume.allows(claim))
        .collect();
    found.arrange_by(|one, other| {
        let rank = |volume: &PersistentVolume| (volume.claim.is_none(), volume.bytes);
        (rank(one), &one.name).cmp(&(rank(other), &other.name))
    });
    found
}

/// The volume that the controller binds a claim to. Sets of access modes are gone through one by
/// one, the smallest first; in each, one that is the claim's already, else the smallest one.
/// `delayed`: only one that is the claim's. Source: `index.go` (`findByClaim`).
pub fn best_match(claim: &Claim, delayed: bool, store: &Store) -> Option<PersistentVolume> {
    let suitable = volumes(store).into_iter().filter(|volume| {
        volume.allows(claim) && volume.suits(claim) && (!delayed || volume.claim.is_some())
    });
    suitable.min_by(|one, other| {
        let rank =
            |volume: &PersistentVolume| (volume.modes.len(), volume.claim.is_none(), volume.bytes);
        let key = |volume: &PersistentVolume| (volume.modes.len(), volume.modes.clone());
        key(one)
            .cmp(&key(other))
            .then_with(|| rank(one).cmp(&rank(other)))
            .then_with(|| one.name.cmp(&other.name))
    })
}

/// Makes a volume a claim's. Source: `pv_helpers.go` (`GetBindVolumeToClaim`).
pub fn reserve(volume: &PersistentVolume, claim: &Claim, store: &mut Store) {
    let is_of = volume.is_of(claim);
    if is_of && volume.claim_uid == claim.uid {
        return;
    }
    let reference = reference(claim);
    write(&key(VOLUMES, "", &volume.name), store, |value| {
        value.set_path(&["spec", "claimRef"], reference);
        if !is_of {
            let path = ["metadata", "annotations", BOUND_BY_CONTROLLER];
            value.set_path(&path, "yes".into());
        }
    });
}

/// `spec.claimRef` of a claim's volume.
pub fn reference(claim: &Claim) -> Value {
    Value::object([
        ("apiVersion", Value::from("v1")),
        ("kind", "PersistentVolumeClaim".into()),
        ("name", (&*claim.name).into()),
        ("namespace", (&*claim.namespace).into()),
        ("uid", (&*claim.uid).into()),
    ])
}

/// Tells a claim which node its pod goes to.
pub fn select_node(claim: &Claim, node: &str, store: &mut Store) {
    write(
        &key(CLAIMS, &claim.namespace, &claim.name),
        store,
        |value| value.set_path(&["metadata", "annotations", SELECTED_NODE], node.into()),
    );
}

/// Writes a document of claims or volumes.
pub fn write(key: &DocumentKey, store: &mut Store, change: impl FnOnce(&mut Value)) {
    if store.documents().get(key).is_none() {
        return;
    }
    let revision = store.bump();
    if let Some(mut document) = store.documents_mut().get_mut(key) {
        change(&mut document.value);
        document.revision = revision;
    }
}
