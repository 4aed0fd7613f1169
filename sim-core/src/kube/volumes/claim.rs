//! Claims and volumes as loops read them from their documents, and which volume a claim gets.
//!
//! Sources: `staging/src/k8s.io/component-helpers/storage/volume/pv_helpers.go`,
//! `pkg/controller/volume/persistentvolume/index.go`.

use std::sync::Arc;

use crate::api::kube::affinity::{NodeSelectorTerm, PreferredNodeTerm};
use crate::api::selector::{LabelSelector, Operator, Requirement};
use crate::base::arrange::Arrange;
use crate::base::quantity::Quantity;
use crate::kube::apiserver::template::selector;
use crate::kube::selector::Selector;
use crate::kube::store::Store;
use crate::kube::store::document::DocumentKey;
use crate::manifest::value::Value;

/// Resource of claims.
pub const CLAIMS: &str = "persistentvolumeclaims";
/// Resource of volumes.
pub const VOLUMES: &str = "persistentvolumes";
/// Resource of storage classes.
pub const CLASSES: &str = "storageclasses.storage.k8s.io";
/// Resource of the nodes' drivers.
pub const CSI_NODES: &str = "csinodes.storage.k8s.io";
/// Finalizer of claims: they stay while a pod uses them.
/// Source: `pkg/volume/util/finalizer.go`.
pub const CLAIM_PROTECTION: &str = "kubernetes.io/pvc-protection";
/// Finalizer of volumes: they stay while they are bound. Source: as above.
pub const VOLUME_PROTECTION: &str = "kubernetes.io/pv-protection";
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

/// A claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Bytes asked for.
    pub bytes: i128,
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
    /// Whether the binding is complete.
    pub completed: bool,
    /// Phase Lost.
    pub lost: bool,
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
    /// Its phase.
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

/// The class of claims that say nothing of one: the newest of those that are marked.
pub fn default_class(store: &Store) -> Option<Arc<str>> {
    let marked = store.documents().of(CLASSES).filter(|(_, class)| {
        let path = ["metadata", "annotations", DEFAULT_CLASS];
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
    value.set("status", Value::object([("phase", Value::from("Pending"))]));
    value
}

/// What admission adds to a new claim or volume: the default class, and the finalizer.
/// Source: `plugin/pkg/admission/storage/storageclass/setdefault/admission.go`.
pub fn admit(resource: &str, value: &mut Value, store: &Store) {
    let stated = value.path(&["spec", "storageClassName"]).is_some();
    if resource == CLAIMS
        && !stated
        && let Some(class) = default_class(store)
    {
        value.set_path(&["spec", "storageClassName"], (&*class).into());
    }
    protect(resource, value);
}

/// Adds the finalizer that new claims and volumes get.
/// Source: `plugin/pkg/admission/storage/storageobjectinuseprotection/admission.go`.
pub fn protect(resource: &str, value: &mut Value) {
    let finalizer = match resource {
        CLAIMS => CLAIM_PROTECTION,
        VOLUMES => VOLUME_PROTECTION,
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
    Some(claim(
        namespace,
        name,
        &document.value,
        document.deletion.is_some(),
    ))
}

/// A claim from its document.
pub fn claim(namespace: &str, name: &str, value: &Value, deleting: bool) -> Claim {
    let text = |path: &[&str]| -> Arc<str> { value.str_at(path).unwrap_or("").into() };
    let annotation = |key: &str| value.str_at(&["metadata", "annotations", key]);
    Claim {
        namespace: namespace.into(),
        name: name.into(),
        bytes: bytes(value, &["spec", "resources", "requests", "storage"]),
        modes: modes(value),
        class: text(&["spec", "storageClassName"]),
        mode: volume_mode(value),
        selector: value
            .path(&["spec", "selector"])
            .map(label_selector)
            .unwrap_or_default(),
        volume: text(&["spec", "volumeName"]),
        completed: annotation(BIND_COMPLETED).is_some()
            || value.str_at(&["status", "phase"]) == Some("Bound"),
        lost: value.str_at(&["status", "phase"]) == Some("Lost"),
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
        .into_iter()
        .flat_map(|map| map.iter())
        .filter_map(|(key, value)| Some((key.clone(), Arc::from(value.as_str()?))))
        .collect();
    labels.arrange();
    PersistentVolume {
        name: name.into(),
        bytes: bytes(value, &["spec", "capacity", "storage"]),
        modes: modes(value),
        class: value
            .str_at(&["spec", "storageClassName"])
            .unwrap_or("")
            .into(),
        mode: volume_mode(value),
        labels,
        claim,
        phase: value
            .str_at(&["status", "phase"])
            .unwrap_or("Available")
            .into(),
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
        .into_iter()
        .flatten()
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
        .into_iter()
        .flatten()
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
            .into_iter()
            .flat_map(|map| map.iter())
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
        list.into_iter()
            .flatten()
            .map(|term| NodeSelectorTerm {
                match_expressions: requirements(term.get("matchLabelExpressions")),
                match_fields: Vec::new(),
            })
            .collect(),
    )
}

/// The driver that makes and attaches the volumes of a claim's class.
pub fn driver_of_class(claim: &Claim, store: &Store) -> Option<Arc<str>> {
    class(&claim.class, store)?
        .str_at(&["provisioner"])
        .map(Arc::from)
}

/// Driver and handle of a volume.
pub fn handle(volume: &PersistentVolume) -> Option<(Arc<str>, Arc<str>)> {
    volume.csi.clone()
}

/// Driver and handle that a claim takes on its pod's node.
pub fn attached(claim: &Claim, store: &Store) -> Option<(Arc<str>, Arc<str>)> {
    if claim.is_bound() {
        return volume(&claim.volume, store)?.csi;
    }
    Some((driver_of_class(claim, store)?, claim.key()))
}

/// Volumes that a node's drivers can attach, by driver.
pub fn limits(node: &str, store: &Store) -> Vec<(Arc<str>, u64)> {
    let Some(document) = store.documents().get(&key(CSI_NODES, "", node)) else {
        return Vec::new();
    };
    let drivers = document
        .value
        .path(&["spec", "drivers"])
        .and_then(Value::as_list);
    drivers
        .into_iter()
        .flatten()
        .filter_map(|driver| {
            let count = driver.i64_at(&["allocatable", "count"])?;
            Some((driver.str_at(&["name"])?.into(), count.unsigned_abs()))
        })
        .collect()
}

/// Volumes that a claim could have, the best first: one that is reserved for it; else those with
/// the fewest access modes, the smallest of them first.
pub fn candidates(claim: &Claim, store: &Store) -> Vec<PersistentVolume> {
    let mut found: Vec<PersistentVolume> = volumes(store)
        .into_iter()
        .filter(|volume| suits(volume, claim))
        .collect();
    found.arrange_by(|one, other| {
        let rank =
            |volume: &PersistentVolume| (volume.claim.is_none(), volume.modes.len(), volume.bytes);
        (rank(one), &one.modes, &one.name).cmp(&(rank(other), &other.modes, &other.name))
    });
    found
}

/// Whether a claim could have a volume, wherever its pod is.
fn suits(volume: &PersistentVolume, claim: &Claim) -> bool {
    let large = volume.bytes >= claim.bytes;
    let alike = volume.mode == claim.mode;
    if let Some((namespace, name)) = &volume.claim {
        return *namespace == claim.namespace && *name == claim.name && large && alike;
    }
    large
        && alike
        && !volume.deleting
        && &*volume.phase == "Available"
        && volume.class == claim.class
        && claim.modes.iter().all(|mode| volume.modes.contains(mode))
        && claim.selector.matches(&volume.labels)
}

/// Reserves a volume for a claim.
pub fn reserve(volume: &str, claim: &Claim, store: &mut Store) {
    let uid = store
        .documents()
        .get(&key(CLAIMS, &claim.namespace, &claim.name))
        .and_then(|document| document.value.str_at(&["metadata", "uid"]))
        .map(str::to_owned);
    let reference = Value::object([
        ("apiVersion", Value::from("v1")),
        ("kind", "PersistentVolumeClaim".into()),
        ("name", (&*claim.name).into()),
        ("namespace", (&*claim.namespace).into()),
    ]);
    write(&key(VOLUMES, "", volume), store, |value| {
        value.set_path(&["spec", "claimRef"], reference);
        if let Some(uid) = uid {
            value.set_path(&["spec", "claimRef", "uid"], uid.into());
        }
        value.set_path(
            &["metadata", "annotations", BOUND_BY_CONTROLLER],
            "yes".into(),
        );
    });
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
