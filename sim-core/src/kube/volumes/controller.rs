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
use crate::base::time::SimTime;
use crate::des::notice::Detail;
use crate::kube::controllers::stateful_set::claims::pod_reference;
use crate::kube::event::Event;
use crate::kube::render::{uid, uid_text};
use crate::kube::rows::{PodId, read};
use crate::kube::selector::label;
use crate::kube::store::document::DocumentKey;
use crate::kube::store::events::Message;
use crate::kube::template::PodTemplate;
use crate::kube::turn::Turn;
use crate::manifest::value::Value;
use crate::substrate::order::Order;
use crate::substrate::profile::storage::{self, Reach};

use super::claim::{
    self, BIND_COMPLETED, BOUND_BY_CONTROLLER, CLAIM_PROTECTION, CLAIMS, CLASSES, Claim,
    PersistentVolume, VOLUME_PROTECTION, VOLUMES, key,
};

const COMPONENT: &str = "persistentvolume-controller";
/// Annotation: who made the volume.
const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
/// Annotation: who is to make a volume for the claim.
const STORAGE_PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";
/// Label of zones.
const ZONE: &str = "topology.kubernetes.io/zone";
const HOSTNAME: &str = "kubernetes.io/hostname";

/// Namespace and name of a claim.
type ClaimName = (Arc<str>, Arc<str>);

/// Its state.
#[derive(Clone, Debug, Default)]
pub struct VolumeController {
    /// Claims that got nothing yet.
    waiting: SortedSet<ClaimName>,
    /// When the volumes that are being made will be there.
    making: SortedMap<ClaimName, SimTime>,
    /// Claims that are being deleted while pods use them.
    deleting: SortedSet<ClaimName>,
    /// Pods whose ephemeral volumes have no claims yet.
    ephemeral: SortedSet<PodId>,
    sync_at: Option<SimTime>,
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
            self.ephemeral.insert(pod);
            self.touched(turn);
        }
    }

    /// Makes the claims of a pod's ephemeral volumes; they go with the pod.
    fn make_claims(pod: PodId, turn: &mut Turn<'_, '_>) {
        let Some(row) = turn.store.pod(pod).filter(|row| !row.is_terminating()) else {
            return;
        };
        let name = row.name.text(turn.ctx.symbols);
        let template = turn.store.template(row.template).clone();
        let namespace = turn.ctx.symbols.text(template.namespace).to_owned();
        let Some(mut owner) = pod_reference(pod, turn) else {
            return;
        };
        owner.set("blockOwnerDeletion", true.into());
        owner.set("controller", true.into());
        for volume in read::list(&template.document, &["spec", "volumes"]) {
            let Some(wanted) = volume.path(&["ephemeral", "volumeClaimTemplate"]) else {
                continue;
            };
            let key = key(
                CLAIMS,
                &namespace,
                &format!("{name}-{}", read::text(volume, &["name"])),
            );
            if turn.store.documents().get(&key).is_some() {
                continue;
            }
            let mut value = claim::of_template(wanted, &key);
            value.set_path(
                &["metadata", "ownerReferences"],
                Value::list(vec![owner.clone()]),
            );
            claim::admit(CLAIMS, &mut value, turn.store);
            let now = turn.now();
            turn.store.add_document(key, value, 0, now);
        }
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
        for pod in std::mem::take(&mut self.ephemeral) {
            Self::make_claims(pod, turn);
        }
        let written = turn.store.documents_mut().take_storage();
        let mut claims: SortedSet<ClaimName> = SortedSet::new();
        let mut wider = false;
        for key in &written {
            match &*key.resource {
                CLAIMS => {
                    claims.insert((key.namespace.clone(), key.name.clone()));
                }
                VOLUMES => {
                    wider = true;
                    self.sync_volume(&key.name, turn);
                    if let Some(owner) =
                        claim::volume(&key.name, turn.store).and_then(|it| it.claim)
                    {
                        claims.insert(owner);
                    }
                }
                CLASSES => wider = true,
                _ => {}
            }
        }
        if wider {
            claims.extend(self.waiting.iter().cloned());
        }
        claims.extend(self.deleting.iter().cloned());
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
    }

    /// A volume without a claim is Available; one whose claim is gone is taken back.
    fn sync_volume(&mut self, name: &str, turn: &mut Turn<'_, '_>) {
        let Some(volume) = claim::volume(name, turn.store) else {
            // Claims that had it have lost it.
            let lost = turn.store.documents().of(CLAIMS).filter(|(_, document)| {
                document.value.str_at(&["spec", "volumeName"]) == Some(name)
            });
            let lost: Vec<ClaimName> = lost
                .map(|(key, _)| (key.namespace.clone(), key.name.clone()))
                .collect();
            for claim in lost {
                self.sync_claim(&claim, turn);
            }
            return;
        };
        if volume.deleting && &*volume.phase != "Bound" {
            unprotect(&key(VOLUMES, "", name), VOLUME_PROTECTION, turn);
            return;
        }
        let phase = |turn: &mut Turn<'_, '_>, phase: &str| {
            let key = key(VOLUMES, "", name);
            let known =
                turn.store.documents().get(&key).is_some_and(|document| {
                    document.value.str_at(&["status", "phase"]) == Some(phase)
                });
            if !known {
                claim::write(&key, turn.store, |value| {
                    value.set_path(&["status", "phase"], phase.into());
                });
            }
        };
        let Some((namespace, owner)) = &volume.claim else {
            phase(turn, "Available");
            return;
        };
        match claim::find(namespace, owner, turn.store) {
            Some(claim) if *claim.volume == *name && claim.is_bound() => phase(turn, "Bound"),
            Some(_) => {
                if turn
                    .store
                    .documents()
                    .get(&key(VOLUMES, "", name))
                    .is_some_and(|document| document.value.path(&["status", "phase"]).is_none())
                {
                    phase(turn, "Available");
                }
            }
            None if &*volume.phase == "Bound" => self.release(&volume, turn),
            None => {
                if &*volume.phase != "Released" {
                    phase(turn, "Available");
                }
            }
        }
    }

    /// The claim of a volume is gone: `persistentVolumeReclaimPolicy`.
    fn release(&mut self, volume: &PersistentVolume, turn: &mut Turn<'_, '_>) {
        let key = key(VOLUMES, "", &volume.name);
        let policy = turn
            .store
            .documents()
            .get(&key)
            .and_then(|document| {
                document
                    .value
                    .str_at(&["spec", "persistentVolumeReclaimPolicy"])
            })
            .unwrap_or("Retain")
            .to_owned();
        let name = Name::plain(turn.ctx.symbols.intern(&volume.name));
        if policy == "Delete" {
            turn.store.documents_mut().remove(&key);
            turn.store.bump();
            turn.note(SOURCE, "delete", "volume", name, Detail::None);
            turn.out.order(Order::RemoveDisk {
                name: volume.name.clone(),
            });
            return;
        }
        claim::write(&key, turn.store, |value| {
            value.set_path(&["status", "phase"], "Released".into());
        });
        turn.note(SOURCE, "release", "volume", name, Detail::None);
    }

    fn sync_claim(&mut self, name: &ClaimName, turn: &mut Turn<'_, '_>) {
        let Some(claim) = claim::find(&name.0, &name.1, turn.store) else {
            self.waiting.remove(name);
            self.making.remove(name);
            self.deleting.remove(name);
            let orphans: Vec<PersistentVolume> = claim::volumes(turn.store)
                .into_iter()
                .filter(|volume| volume.claim.as_ref() == Some(name) && &*volume.phase == "Bound")
                .collect();
            for volume in orphans {
                self.release(&volume, turn);
            }
            return;
        };
        if claim.deleting {
            self.let_go(name, turn);
            return;
        }
        let claim = self.with_class(claim, turn);
        if claim.is_bound() {
            self.waiting.remove(name);
            self.check_bound(&claim, turn);
            return;
        }
        self.waiting.insert(name.clone());
        let known = turn
            .store
            .documents()
            .get(&key(CLAIMS, &name.0, &name.1))
            .is_some_and(|document| document.value.path(&["status", "phase"]).is_some());
        if !known {
            claim::write(&key(CLAIMS, &name.0, &name.1), turn.store, |value| {
                value.set_path(&["status", "phase"], "Pending".into());
            });
        }
        if !claim.volume.is_empty() {
            match claim::volume(&claim.volume, turn.store) {
                Some(volume) if volume.claim.as_ref().is_none_or(|owner| owner == name) => {
                    self.bind(&claim, &volume, true, turn);
                }
                Some(_) => {
                    let text = format!(
                        "volume \"{}\" already bound to a different claim.",
                        claim.volume
                    );
                    report(&claim, true, "FailedBinding", text, turn);
                }
                None => {}
            }
            return;
        }
        let delayed = claim.waits(turn.store);
        let best = claim::candidates(&claim, turn.store)
            .into_iter()
            .find(|volume| !delayed || volume.claim.is_some());
        if let Some(volume) = best {
            self.bind(&claim, &volume, false, turn);
            return;
        }
        if delayed && claim.selected_node.is_empty() {
            let text = "waiting for first consumer to be created before binding".to_owned();
            report(&claim, false, "WaitForFirstConsumer", text, turn);
            return;
        }
        self.provision(&claim, turn);
    }

    /// A claim that is being deleted goes when no pod on a node uses it.
    /// Source: `pkg/controller/volume/pvcprotection/pvc_protection_controller.go`.
    fn let_go(&mut self, name: &ClaimName, turn: &mut Turn<'_, '_>) {
        let namespace = turn.ctx.symbols.get(&name.0);
        let uses = |pod: &str, template: &PodTemplate| {
            Some(template.namespace) == namespace
                && template
                    .spec
                    .volumes
                    .iter()
                    .any(|volume| match &volume.source {
                        VolumeSource::Claim { name: claim, .. } => *claim == name.1,
                        VolumeSource::Ephemeral => format!("{pod}-{}", volume.name) == *name.1,
                        VolumeSource::EmptyDir { .. }
                        | VolumeSource::ConfigMap(..)
                        | VolumeSource::Secret(..)
                        | VolumeSource::Disk { .. }
                        | VolumeSource::Image(_)
                        | VolumeSource::Other => false,
                    })
        };
        let is_used = turn.store.pods().any(|(_, row)| {
            let template = turn.store.template(row.template);
            row.node.is_some()
                && template.claims
                && uses(&row.name.text(turn.ctx.symbols), template)
        });
        if is_used {
            if self.deleting.insert(name.clone()) {
                let subject = Name::plain(turn.ctx.symbols.intern(&name.1));
                turn.note(SOURCE, "protect", "claim", subject, Detail::None);
            }
            return;
        }
        unprotect(&key(CLAIMS, &name.0, &name.1), CLAIM_PROTECTION, turn);
    }

    /// A claim that says nothing of a class gets the default one.
    fn with_class(&mut self, claim: Claim, turn: &mut Turn<'_, '_>) -> Claim {
        let key = key(CLAIMS, &claim.namespace, &claim.name);
        let stated =
            turn.store.documents().get(&key).is_none_or(|document| {
                document.value.path(&["spec", "storageClassName"]).is_some()
            });
        if stated || claim.is_bound() {
            return claim;
        }
        let Some(class) = claim::default_class(turn.store) else {
            return claim;
        };
        claim::write(&key, turn.store, |value| {
            value.set_path(&["spec", "storageClassName"], (&*class).into());
        });
        Claim { class, ..claim }
    }

    /// A bound claim keeps its volume, or has lost it.
    fn check_bound(&mut self, claim: &Claim, turn: &mut Turn<'_, '_>) {
        let owner = (claim.namespace.clone(), claim.name.clone());
        let volume = claim::volume(&claim.volume, turn.store);
        match volume {
            Some(volume) if volume.claim.as_ref() == Some(&owner) => {
                let known = turn
                    .store
                    .documents()
                    .get(&key(CLAIMS, &owner.0, &owner.1))
                    .is_some_and(|document| {
                        document.value.str_at(&["status", "phase"]) == Some("Bound")
                    });
                if !known || &*volume.phase != "Bound" {
                    self.bind(claim, &volume, true, turn);
                }
            }
            _ if !claim.lost => {
                claim::write(&key(CLAIMS, &owner.0, &owner.1), turn.store, |value| {
                    value.set_path(&["status", "phase"], "Lost".into());
                });
                let text = "Bound claim has lost its PersistentVolume. Data on the volume is lost!";
                report(claim, true, "ClaimLost", text.to_owned(), turn);
            }
            _ => {}
        }
    }

    /// Writes both halves of a binding. `named`: the claim named the volume itself.
    fn bind(
        &mut self,
        claim: &Claim,
        volume: &PersistentVolume,
        named: bool,
        turn: &mut Turn<'_, '_>,
    ) {
        let claim_key = key(CLAIMS, &claim.namespace, &claim.name);
        let id = claim_uid(claim, turn);
        let reserved = volume.claim.is_some();
        let volume_key = key(VOLUMES, "", &volume.name);
        claim::write(&volume_key, turn.store, |value| {
            let reference = Value::object([
                ("apiVersion", Value::from("v1")),
                ("kind", "PersistentVolumeClaim".into()),
                ("name", (&*claim.name).into()),
                ("namespace", (&*claim.namespace).into()),
                ("uid", id.as_str().into()),
            ]);
            value.set_path(&["spec", "claimRef"], reference);
            if !reserved {
                let path = ["metadata", "annotations", BOUND_BY_CONTROLLER];
                value.set_path(&path, "yes".into());
            }
            value.set_path(&["status", "phase"], "Bound".into());
        });
        let document = turn.store.documents().get(&volume_key);
        let part = |path: &[&str]| {
            document
                .and_then(|document| document.value.path(path))
                .cloned()
                .unwrap_or_default()
        };
        let (modes, capacity) = (part(&["spec", "accessModes"]), part(&["spec", "capacity"]));
        claim::write(&claim_key, turn.store, |value| {
            value.set_path(&["spec", "volumeName"], (&*volume.name).into());
            let annotation = |name| ["metadata", "annotations", name];
            value.set_path(&annotation(BIND_COMPLETED), "yes".into());
            if !named {
                value.set_path(&annotation(BOUND_BY_CONTROLLER), "yes".into());
            }
            let status = Value::object([
                ("accessModes", modes),
                ("capacity", capacity),
                ("phase", "Bound".into()),
            ]);
            value.set("status", status);
        });
        self.waiting
            .remove(&(claim.namespace.clone(), claim.name.clone()));
        let subject = Name::plain(turn.ctx.symbols.intern(&claim.name));
        let to = Name::plain(turn.ctx.symbols.intern(&volume.name));
        turn.note(SOURCE, "bind", "claim", subject, Detail::To(to));
    }

    /// No volume fits: one is made, if the class can.
    fn provision(&mut self, claim: &Claim, turn: &mut Turn<'_, '_>) {
        let name = (claim.namespace.clone(), claim.name.clone());
        if self.making.contains_key(&name) {
            return;
        }
        if claim.class.is_empty() {
            let text = "no persistent volumes available for this claim and no storage class is set";
            report(claim, false, "FailedBinding", text.to_owned(), turn);
            return;
        }
        let Some(class) = claim::class(&claim.class, turn.store) else {
            let text = format!("storageclass.storage.k8s.io \"{}\" not found", claim.class);
            report(claim, true, "ProvisioningFailed", text, turn);
            return;
        };
        let provisioner = class.str_at(&["provisioner"]).unwrap_or("").to_owned();
        if provisioner.starts_with("kubernetes.io/") {
            let text = format!("no volume plugin matched name: {provisioner}");
            report(claim, true, "ProvisioningFailed", text, turn);
            return;
        }
        claim::write(&key(CLAIMS, &name.0, &name.1), turn.store, |value| {
            let path = ["metadata", "annotations", STORAGE_PROVISIONER];
            value.set_path(&path, provisioner.as_str().into());
        });
        let text = format!(
            "Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered."
        );
        report(claim, false, "ExternalProvisioning", text, turn);
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
        let id = claim_uid(&claim, turn);
        let volume = format!("pvc-{id}");
        let document = turn
            .store
            .documents()
            .get(&key(CLAIMS, &name.0, &name.1))
            .map(|document| document.value.clone())
            .unwrap_or_default();
        let part = |path: &[&str]| document.path(path).cloned().unwrap_or_default();
        let provisioner = class.str_at(&["provisioner"]).unwrap_or("");
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
        let reference = Value::object([
            ("apiVersion", Value::from("v1")),
            ("kind", "PersistentVolumeClaim".into()),
            ("name", (&*claim.name).into()),
            ("namespace", (&*claim.namespace).into()),
            ("uid", id.as_str().into()),
        ]);
        spec.set("claimRef", reference);
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
        value.set_path(&["status", "phase"], "Pending".into());
        claim::protect(VOLUMES, &mut value);
        let now = turn.now();
        turn.store
            .add_document(key(VOLUMES, "", &volume), value, 0, now);
        let text = format!("Successfully provisioned volume {volume}");
        report(&claim, false, "ProvisioningSucceeded", text, turn);
        if let Some(volume) = claim::volume(&volume, turn.store) {
            self.bind(&claim, &volume, false, turn);
        }
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
const SOURCE: &str = "kube.volumes";

/// The zone of a node.
fn zone_of(node: &str, turn: &Turn<'_, '_>) -> Option<Arc<str>> {
    let id = turn.store.node_named(turn.ctx.symbols.get(node)?)?;
    label(&turn.store.node(id)?.labels, ZONE).cloned()
}

/// A claim's uid.
fn claim_uid(claim: &Claim, turn: &Turn<'_, '_>) -> String {
    let created = turn
        .store
        .documents()
        .get(&key(CLAIMS, &claim.namespace, &claim.name))
        .map_or(0, |document| document.created.as_micros());
    uid_text(uid(
        turn.ctx.seed,
        CLAIMS,
        &claim.namespace,
        &claim.name,
        created,
    ))
}

fn report(
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
