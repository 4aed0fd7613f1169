//! The volume controller: binds claims and volumes, has volumes made, takes them back.
//!
//! Owns the claims that wait and the volumes that are being made. It is told which documents were
//! written, once for all writes of a moment, and looks at these only.
//!
//! Sources: `pkg/controller/volume/persistentvolume/pv_controller.go`,
//! kubernetes-csi/external-provisioner. Every class's provisioner is taken to run.

use std::sync::Arc;

use crate::api::kube::volume::VolumeSource;
use crate::base::name::Name;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::Detail;
use crate::kube::controllers::hands::RETRY;
use crate::kube::controllers::stateful_set::claims::pod_reference;
use crate::kube::event::Event;
use crate::kube::rows::{PodId, read};
use crate::kube::scheduler::matcher::Look;
use crate::kube::selector::label;
use crate::kube::store::document::DocumentKey;
use crate::kube::store::events::Message;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;
use crate::substrate::profile::storage::{self, Reach};

use super::binder::uses;
use super::claim::{
    self, ATTRIBUTES, ATTRIBUTES_PROTECTION, CLAIM_PROTECTION, CLAIMS, Claim, VOLUME_PROTECTION,
    VOLUMES, key,
};

pub(super) const COMPONENT: &str = "persistentvolume-controller";
/// Annotation: who made the volume.
pub(super) const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
/// Annotations: who is to make a volume for the claim, by the old and the new name.
const STORAGE_PROVISIONER: [&str; 2] = [
    "volume.beta.kubernetes.io/storage-provisioner",
    "volume.kubernetes.io/storage-provisioner",
];
/// Annotation: the driver that has taken over from a provisioner that was built in.
const MIGRATED_TO: &str = "pv.kubernetes.io/migrated-to";
/// Label of zones.
const ZONE: &str = "topology.kubernetes.io/zone";
const HOSTNAME: &str = "kubernetes.io/hostname";

/// How often all claims and volumes are looked at.
/// Source: `pkg/controller/volume/persistentvolume/config/v1alpha1/defaults.go`
/// (`PVClaimBinderSyncPeriod`).
const RESYNC: SimDuration = SimDuration::from_secs(15);

/// Namespace and name of a claim.
pub(super) type ClaimName = (Arc<str>, Arc<str>);

/// Its state.
#[derive(Clone, Debug, Default)]
pub struct VolumeController {
    /// Claims that got nothing yet.
    waiting: SortedSet<ClaimName>,
    /// When the volumes that are being made will be there.
    making: SortedMap<ClaimName, SimTime>,
    /// Claims that ask for more than they have, and how much: somebody else makes the volume larger.
    pub(super) growing: SortedMap<ClaimName, i128>,
    /// Claims that are being deleted while pods use them.
    deleting: SortedSet<ClaimName>,
    /// Pods whose ephemeral volumes have no claims yet: when to look, after how many failures.
    ephemeral: SortedMap<PodId, (SimTime, u32)>,
    sync_at: Option<SimTime>,
    /// Since when it runs: its looks at everything are counted from then.
    started: SimTime,
    /// The next of these; none while all claims have volumes.
    resync_at: Option<SimTime>,
}

impl VolumeController {
    /// Hears that documents of claims, volumes or classes were written.
    pub fn touched(&mut self, turn: &mut Turn<'_, '_>) {
        self.wake(turn.now() + turn.store.watch_lag(), turn);
    }

    /// A pod is made: its ephemeral volumes get claims.
    /// Source: `pkg/controller/volume/ephemeral/controller.go`.
    pub fn pod_created(&mut self, pod: PodId, turn: &mut Turn<'_, '_>) {
        let is_ephemeral = turn.store.pod(pod).is_some_and(|row| {
            let template = turn.store.template(row.template);
            let mut volumes = template.spec.volumes.iter();
            template.claims && volumes.any(|it| matches!(it.source, VolumeSource::Ephemeral))
        });
        if is_ephemeral {
            self.ephemeral.insert(pod, (turn.now(), 0));
            self.touched(turn);
        }
    }

    /// Makes the claims of pods' ephemeral volumes, as far as it is time to look at them.
    fn make_all(&mut self, turn: &mut Turn<'_, '_>) {
        let now = turn.now();
        let (due, later): (SortedMap<_, _>, SortedMap<_, _>) = std::mem::take(&mut self.ephemeral)
            .into_iter()
            .partition(|(_, (at, _))| *at <= now);
        self.ephemeral = later;
        for (pod, (_, failures)) in due {
            if Self::make_claims(pod, turn).is_none() {
                let (first, longest) = RETRY;
                let wait = first.saturating_mul(1 << failures.min(18)).min(longest);
                self.ephemeral.insert(pod, (now + wait, failures + 1));
            }
        }
        if let Some((at, _)) = self.ephemeral.values().min().copied() {
            self.wake(at, turn);
        }
    }

    /// A claim is gone: a pod whose ephemeral volume it was gets another one.
    fn replace(&mut self, name: &ClaimName, turn: &mut Turn<'_, '_>) {
        let dashes = name.1.match_indices('-');
        let pods = dashes.filter_map(|(at, _)| {
            turn.store
                .pod_named(&name.0, name.1.get(..at)?, turn.ctx.symbols)
        });
        let pods: Vec<PodId> = pods.collect();
        for pod in pods {
            self.pod_created(pod, turn);
        }
    }

    /// Makes the claims of a pod's ephemeral volumes; they go with the pod. `None`: one has a claim
    /// that is not its own.
    fn make_claims(pod: PodId, turn: &mut Turn<'_, '_>) -> Option<()> {
        let Some(row) = turn.store.pod(pod).filter(|row| !row.is_terminating()) else {
            return Some(());
        };
        let name = row.name.text(turn.ctx.symbols);
        let template = turn.store.template(row.template).clone();
        let namespace = turn.ctx.symbols.text(template.namespace).to_owned();
        let owner = pod_reference(pod, turn)?;
        for volume in read::list(&template.document, &["spec", "volumes"]) {
            let Some(wanted) = volume.path(&["ephemeral", "volumeClaimTemplate"]) else {
                continue;
            };
            let volume = read::text(volume, &["name"]);
            let key = key(CLAIMS, &namespace, &format!("{name}-{volume}"));
            if let Some(found) = claim::find(&namespace, &key.name, turn.store) {
                let look = Look {
                    store: turn.store,
                    symbols: turn.ctx.symbols,
                };
                if claim::is_of_pod(&found, pod, look) {
                    continue;
                }
                let why = claim::not_of_pod(&found, &name);
                let text = format!("ephemeral volume {volume}: {why}");
                let object = turn.pod_object(pod)?;
                let message = Message::Text(text.into());
                turn.warning(object, "ephemeral_volume", "FailedBinding", message);
                return None;
            }
            let mut value = claim::of_template(wanted, &key);
            value.set_path(
                &["metadata", "ownerReferences"],
                Value::list(vec![owner.clone()]),
            );
            claim::admit(CLAIMS, &mut value, turn.store, turn.now());
            let now = turn.now();
            turn.store.add_document(key, value, 0, now);
        }
        Some(())
    }

    /// A pod that used claims is gone: claims that wait for it may go.
    pub fn pod_removed(&mut self, turn: &mut Turn<'_, '_>) {
        if !self.deleting.is_empty() {
            self.touched(turn);
        }
    }

    /// The controller manager has started anew; what provisioners are making goes on.
    pub fn restart(&mut self, turn: &mut Turn<'_, '_>) {
        self.sync_at = None;
        self.resync_at = None;
        self.started = turn.now();
        let pods: Vec<PodId> = turn.store.pods().map(|(pod, _)| pod).collect();
        for pod in pods {
            self.pod_created(pod, turn);
        }
        self.touched(turn);
    }

    fn wake(&mut self, at: SimTime, turn: &mut Turn<'_, '_>) {
        if self
            .sync_at
            .is_none_or(|planned| planned > at || planned <= turn.now())
        {
            self.sync_at = Some(at);
            turn.at(at, Event::VolumeSync);
        }
    }

    /// Looks at what was written since the last time.
    pub fn sync(&mut self, turn: &mut Turn<'_, '_>) {
        if self.sync_at == Some(turn.now()) {
            self.sync_at = None;
        }
        self.make_all(turn);
        let written = turn.store.documents_mut().take_storage();
        let of =
            |resource: &'static str| written.iter().filter(move |key| *key.resource == *resource);
        for key in of(VOLUMES) {
            guard(key, VOLUME_PROTECTION, turn);
            self.sync_volume(&key.name, turn);
        }
        let classes = turn.store.documents().of(ATTRIBUTES);
        let classes: Vec<DocumentKey> = classes.map(|(key, _)| key.clone()).collect();
        for key in classes {
            guard(&key, ATTRIBUTES_PROTECTION, turn);
        }
        let mut claims: SortedSet<ClaimName> = self.deleting.clone();
        for key in of(CLAIMS) {
            guard(key, CLAIM_PROTECTION, turn);
            claims.insert((key.namespace.clone(), key.name.clone()));
        }
        if self.resync_at.is_some_and(|at| at <= turn.now()) {
            self.resync_at = None;
            claims.extend(self.waiting.iter().cloned());
            for volume in claim::volumes(turn.store) {
                if !matches!(&*volume.phase, "Bound" | "Available") || volume.claim.is_some() {
                    self.sync_volume(&volume.name, turn);
                }
            }
        }
        for name in claims {
            self.sync_claim(&name, turn);
        }
        let due: Vec<ClaimName> = self
            .making
            .iter()
            .filter(|(_, at)| **at <= turn.now())
            .map(|(name, _)| name.clone())
            .collect();
        for name in due {
            self.making.remove(&name);
            self.made(&name, turn);
        }
        if let Some(next) = self.making.values().min().copied() {
            self.wake(next, turn);
        }
        self.plan_resync(turn);
    }

    /// Claims without a volume are looked at again, whether or not anything was written: nothing
    /// else tells them of a new volume or class.
    fn plan_resync(&mut self, turn: &mut Turn<'_, '_>) {
        if self.resync_at.is_none() && !self.waiting.is_empty() {
            let period = RESYNC.as_micros();
            let passed = turn.now().since(self.started).as_micros() / period + 1;
            self.resync_at = Some(self.started + SimDuration::from_micros(passed * period));
        }
        if let Some(at) = self.resync_at {
            self.wake(at, turn);
        }
    }

    /// A claim is gone.
    pub(super) fn forget(&mut self, name: &ClaimName, turn: &mut Turn<'_, '_>) {
        self.replace(name, turn);
        self.settled(name);
        self.growing.remove(name);
        self.deleting.remove(name);
    }

    /// A claim has a volume.
    pub(super) fn settled(&mut self, name: &ClaimName) {
        self.waiting.remove(name);
        self.making.remove(name);
    }

    /// A claim has no volume yet.
    pub(super) fn wait(&mut self, name: &ClaimName) {
        self.waiting.insert(name.clone());
    }

    /// A claim that is being deleted goes when no pod on a node uses it. Returns whether it has gone.
    /// Source: `pkg/controller/volume/pvcprotection/pvc_protection_controller.go`.
    pub(super) fn let_go(&mut self, name: &ClaimName, turn: &mut Turn<'_, '_>) -> bool {
        let namespace = turn.ctx.symbols.get(&name.0);
        let is_used = turn.store.pods().any(|(_, row)| {
            let template = turn.store.template(row.template);
            row.node.is_some()
                && template.claims
                && uses(
                    &row.name.text(turn.ctx.symbols),
                    template,
                    &name.1,
                    namespace,
                )
        });
        let key = key(CLAIMS, &name.0, &name.1);
        if !is_used {
            unprotect(&key, CLAIM_PROTECTION, turn);
        } else if self.deleting.insert(name.clone()) {
            let subject = Name::plain(turn.ctx.symbols.intern(&name.1));
            turn.note(SOURCE, "protect", "claim", subject, Detail::None);
        }
        turn.store.documents().get(&key).is_none()
    }

    /// No volume fits: one is made, if the class can.
    pub(super) fn provision(&mut self, claim: &Claim, turn: &mut Turn<'_, '_>) {
        let name = (claim.namespace.clone(), claim.name.clone());
        let Some(provisioner) = claim::driver_of_class(claim, turn.store) else {
            let text = format!("storageclass.storage.k8s.io \"{}\" not found", claim.class);
            report(claim, true, "ProvisioningFailed", text, turn);
            return;
        };
        if provisioner.starts_with("kubernetes.io/") {
            let text = format!("no volume plugin matched name: {provisioner}");
            report(claim, true, "ProvisioningFailed", text, turn);
            return;
        }
        let text = format!(
            "Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered."
        );
        report(claim, false, "ExternalProvisioning", text, turn);
        if self.making.contains_key(&name) {
            return;
        }
        let class = claim::class(&claim.class, turn.store);
        let migrated = class.is_some_and(|it| it.str_at(&["provisioner"]) != Some(&*provisioner));
        claim::write(&key(CLAIMS, &name.0, &name.1), turn.store, |value| {
            let migrated = migrated.then_some(MIGRATED_TO);
            for name in STORAGE_PROVISIONER.into_iter().chain(migrated) {
                let path = ["metadata", "annotations", name];
                value.set_path(&path, (&*provisioner).into());
            }
        });
        let text = format!(
            "External provisioner is provisioning volume for claim \"{}/{}\"",
            claim.namespace, claim.name
        );
        report(claim, false, "Provisioning", text, turn);
        let at = turn.now() + storage::driver(&provisioner).provision;
        self.making.insert(name, at);
        self.wake(at, turn);
    }

    /// A provisioner has made a volume.
    fn made(&mut self, name: &ClaimName, turn: &mut Turn<'_, '_>) {
        let Some(claim) = claim::find(&name.0, &name.1, turn.store) else {
            return;
        };
        if claim.is_bound() || claim.deleting {
            return;
        }
        let Some(class) = claim::class(&claim.class, turn.store).cloned() else {
            return;
        };
        let volume = format!("pvc-{}", claim.uid);
        let document = turn
            .store
            .documents()
            .get(&key(CLAIMS, &name.0, &name.1))
            .map(|document| document.value.clone())
            .unwrap_or_default();
        let part = |path: &[&str]| document.path(path).cloned().unwrap_or_default();
        let provisioner = claim::driver_of_class(&claim, turn.store).unwrap_or_default();
        let provisioner = &*provisioner;
        let policy = class.str_at(&["reclaimPolicy"]).unwrap_or("Delete");
        let mut value = Value::object([
            ("apiVersion", Value::from("v1")),
            ("kind", "PersistentVolume".into()),
        ]);
        value.set_path(&["metadata", "name"], volume.as_str().into());
        let path = ["metadata", "annotations", PROVISIONED_BY];
        value.set_path(&path, provisioner.into());
        let mut spec = Value::object([
            ("accessModes", part(&["spec", "accessModes"])),
            ("persistentVolumeReclaimPolicy", policy.into()),
            ("storageClassName", (&*claim.class).into()),
            ("volumeMode", (&*claim.mode).into()),
        ]);
        spec.set_path(
            &["capacity", "storage"],
            part(&["spec", "resources", "requests", "storage"]),
        );
        spec.set("claimRef", claim::reference(&claim));
        spec.set_path(&["csi", "driver"], provisioner.into());
        spec.set_path(&["csi", "volumeHandle"], volume.as_str().into());
        let place = match storage::driver(provisioner).reach {
            // Its bytes lie on the node that was chosen for the first pod.
            Reach::Machine => (!claim.selected_node.is_empty())
                .then(|| (HOSTNAME, claim.selected_node.to_string())),
            Reach::Zone => zone_of(&claim.selected_node, turn).map(|zone| (ZONE, zone.to_string())),
            Reach::Everywhere => None,
        };
        if let Some((label, value)) = place {
            let expression = Value::object([
                ("key", Value::from(label)),
                ("operator", "In".into()),
                ("values", Value::list(vec![Value::from(value.as_str())])),
            ]);
            let term = Value::object([("matchExpressions", Value::list(vec![expression]))]);
            spec.set_path(
                &["nodeAffinity", "required", "nodeSelectorTerms"],
                Value::list(vec![term]),
            );
        }
        value.set("spec", spec);
        let now = turn.now();
        claim::admit(VOLUMES, &mut value, turn.store, now);
        turn.store
            .add_document(key(VOLUMES, "", &volume), value, 0, now);
        let text = format!("Successfully provisioned volume {volume}");
        report(&claim, false, "ProvisioningSucceeded", text, turn);
        if let Some(volume) = claim::volume(&volume, turn.store) {
            self.bind(&claim, &volume, turn);
        }
    }
}

/// A volume that is being deleted goes when it is not bound; any other claim or volume has the
/// finalizer that says so. A class of attributes goes when nothing names it
/// (`pkg/controller/volume/vacprotection/vac_protection_controller.go`).
/// Source: `pkg/controller/volume/pvprotection/pv_protection_controller.go` (`processPV`).
fn guard(key: &DocumentKey, finalizer: &str, turn: &mut Turn<'_, '_>) {
    let Some(document) = turn.store.documents().get(key) else {
        return;
    };
    if !document.is_going() {
        if !document.has_finalizer(finalizer) {
            claim::write(key, turn.store, |value| {
                claim::protect(&key.resource, value)
            });
        }
        return;
    }
    let free = match &*key.resource {
        VOLUMES => document.value.str_at(&["status", "phase"]) != Some("Bound"),
        ATTRIBUTES => {
            let documents = turn.store.documents();
            let mut all = documents.of(CLAIMS).chain(documents.of(VOLUMES));
            document.has_finalizer(finalizer)
                && !all.any(|(_, it)| claim::attributes_of(&it.value).contains(&&*key.name))
        }
        _ => false,
    };
    if free {
        unprotect(key, finalizer, turn);
    }
}

/// Takes a finalizer off an object, which goes if it was the last one.
fn unprotect(key: &DocumentKey, finalizer: &str, turn: &mut Turn<'_, '_>) {
    let path = ["metadata", "finalizers"];
    let mut empty = true;
    turn.store.change_document(key, |value| {
        if let Some(list) = value.path_mut(&path).and_then(Value::as_list_mut) {
            list.retain(|it| it.as_str() != Some(finalizer));
            empty = list.is_empty();
        }
        if empty {
            value.remove_path(&path);
        }
    });
    if empty {
        turn.store.remove_document(key);
    }
}

/// Source of its trace lines.
pub(super) const SOURCE: &str = "kube.volumes";

/// The zone of a node.
fn zone_of(node: &str, turn: &Turn<'_, '_>) -> Option<Arc<str>> {
    let id = turn.store.node_named(turn.ctx.symbols.get(node)?)?;
    label(&turn.store.node(id)?.labels, ZONE).cloned()
}

/// Tells of a claim.
pub(super) fn report(
    claim: &Claim,
    warning: bool,
    reason: &'static str,
    text: String,
    turn: &mut Turn<'_, '_>,
) {
    let namespace = turn.ctx.symbols.intern(&claim.namespace);
    let name = Name::plain(turn.ctx.symbols.intern(&claim.name));
    let object = ("PersistentVolumeClaim", namespace, name);
    let message = Message::Text(text.into());
    if warning {
        turn.warning(object, COMPONENT, reason, message);
    } else {
        turn.normal(object, COMPONENT, reason, message);
    }
}
