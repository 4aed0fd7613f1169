//! What becomes of one claim, and of one volume: who is bound to whom.
//!
//! Each is looked at on its own, as it is now; both halves of a binding are written by the claim's
//! look.
//!
//! Source: `pkg/controller/volume/persistentvolume/pv_controller.go` (`syncUnboundClaim`,
//! `syncBoundClaim`, `syncVolume`).

use crate::api::kube::volume::VolumeSource;
use crate::base::name::Name;
use crate::base::symbol::Symbol;
use crate::des::notice::Detail;
use crate::kube::store::events::Message;
use crate::kube::template::PodTemplate;
use crate::kube::turn::Turn;

use super::claim::{
    self, BIND_COMPLETED, BOUND_BY_CONTROLLER, CLAIMS, Claim, PersistentVolume, VOLUMES, key,
};
use super::controller::{ClaimName, PROVISIONED_BY, SOURCE, VolumeController, report};
use super::reclaim::{policy, reclaim, report_volume, text};

/// Annotation: the size of a volume's file system, while the volume is larger than that.
/// Source: `pkg/volume/util/resize_util.go` (`AnnPreResizeCapacity`).
const PRE_RESIZE: &str = "volume.alpha.kubernetes.io/pre-resize-capacity";
/// Events of claims and volumes that do not suit each other.
const MISMATCH: &str = "VolumeMismatch";

impl VolumeController {
    /// Looks at a volume.
    pub(super) fn sync_volume(&mut self, name: &str, turn: &mut Turn<'_, '_>) {
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
        let Some((namespace, owner)) = &volume.claim else {
            set_phase(&volume, "Available", turn);
            return;
        };
        if volume.claim_uid.is_empty() {
            set_phase(&volume, "Available", turn);
            return;
        }
        // Another one of that name is not the one that it was bound to.
        let found = claim::find(namespace, owner, turn.store);
        match found.filter(|claim| claim.uid == volume.claim_uid) {
            None => reclaim(&volume, turn),
            Some(claim) if claim.volume.is_empty() => {
                if claim.mode == volume.mode {
                    self.sync_claim(&(claim.namespace.clone(), claim.name.clone()), turn);
                    return;
                }
                let text = format!(
                    "Cannot bind PersistentVolume to requested PersistentVolumeClaim \"{}\" due to incompatible volumeMode.",
                    claim.name
                );
                report_volume(&volume, MISMATCH, text, turn);
                let text = format!(
                    "Cannot bind PersistentVolume \"{}\" to requested PersistentVolumeClaim due to incompatible volumeMode.",
                    volume.name
                );
                report(&claim, true, MISMATCH, text, turn);
            }
            Some(claim) if claim.volume == volume.name => set_phase(&volume, "Bound", turn),
            Some(_) => {
                let made = text(&volume, &["metadata", "annotations", PROVISIONED_BY], turn);
                if !made.is_empty() && policy(&volume, turn) == "Delete" {
                    reclaim(&volume, turn);
                } else {
                    unbind(&volume, turn);
                }
            }
        }
    }

    /// Looks at a claim.
    pub(super) fn sync_claim(&mut self, name: &ClaimName, turn: &mut Turn<'_, '_>) {
        let Some(claim) = claim::find(&name.0, &name.1, turn.store) else {
            self.forget(name, turn);
            let volumes = claim::volumes(turn.store).into_iter();
            for volume in volumes.filter(|volume| volume.claim.as_ref() == Some(name)) {
                self.sync_volume(&volume.name, turn);
            }
            return;
        };
        if claim.deleting && self.let_go(name, turn) {
            return;
        }
        if claim.completed {
            self.settled(name);
            self.sync_bound(&claim, turn);
            return;
        }
        self.wait(name);
        if claim.volume.is_empty() {
            self.find_volume(&claim, turn);
        } else {
            self.take_named(&claim, turn);
        }
    }

    /// A bound claim keeps its volume, or has lost it.
    fn sync_bound(&mut self, claim: &Claim, turn: &mut Turn<'_, '_>) {
        let (reason, message) = if claim.volume.is_empty() {
            let text =
                "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!";
            ("ClaimLost", text)
        } else if let Some(volume) = claim::volume(&claim.volume, turn.store) {
            if volume.claim.is_none() || volume.claim_uid == claim.uid {
                self.bind(claim, &volume, turn);
                self.tell_growth(claim, turn);
                return;
            }
            let text = "Two claims are bound to the same volume, this one is bound incorrectly";
            ("ClaimMisbound", text)
        } else {
            let text = "Bound claim has lost its PersistentVolume. Data on the volume is lost!";
            ("ClaimLost", text)
        };
        if &*claim.phase != "Lost" {
            unset(claim, "Lost", turn);
            report(claim, true, reason, message.to_owned(), turn);
        }
    }

    /// A claim that asks for more waits for who made its volume. That one is not modelled: it goes on
    /// waiting. Source: `pkg/controller/volume/expand/expand_controller.go` (`syncHandler`).
    fn tell_growth(&mut self, claim: &Claim, turn: &mut Turn<'_, '_>) {
        let name = (claim.namespace.clone(), claim.name.clone());
        if &*claim.phase != "Bound" || claim.bytes <= claim.capacity {
            self.growing.remove(&name);
        } else if self.growing.insert(name, claim.bytes) < Some(claim.bytes) {
            let text = "waiting for an external controller to expand this PVC";
            let namespace = turn.ctx.symbols.intern(&claim.namespace);
            let name = Name::plain(turn.ctx.symbols.intern(&claim.name));
            let object = ("PersistentVolumeClaim", namespace, name);
            let message = Message::Plain(text);
            turn.normal(object, "volume_expand", "ExternalExpanding", message);
        }
    }

    /// A claim that names its volume gets that one or none.
    fn take_named(&mut self, claim: &Claim, turn: &mut Turn<'_, '_>) {
        if let Some(volume) = claim::volume(&claim.volume, turn.store) {
            let suits = if volume.is_of(claim) {
                true
            } else if volume.claim.is_some() {
                let text = format!(
                    "volume \"{}\" already bound to a different claim.",
                    volume.name
                );
                let given = text_of_claim(claim, BOUND_BY_CONTROLLER, turn);
                report(claim, true, "FailedBinding", text, turn);
                if !given.is_empty() {
                    return;
                }
                false
            } else if let Some(why) = mismatch(&volume, claim) {
                let text = format!("Cannot bind to requested volume \"{}\": {why}", volume.name);
                report(claim, true, MISMATCH, text, turn);
                false
            } else {
                true
            };
            if suits {
                self.bind(claim, &volume, turn);
                return;
            }
        }
        unset(claim, "Pending", turn);
    }

    /// A claim gets the best volume there is, or one that is made for it.
    fn find_volume(&mut self, claim: &Claim, turn: &mut Turn<'_, '_>) {
        let delayed = claim.waits(turn.store);
        if let Some(volume) = claim::best_match(claim, delayed, turn.store) {
            self.bind(claim, &volume, turn);
            return;
        }
        if give_class(claim, turn) {
            return;
        }
        if delayed && claim.selected_node.is_empty() {
            let (reason, text) = waits_for(claim, turn);
            report(claim, false, reason, text, turn);
        } else if !claim.class.is_empty() {
            self.provision(claim, turn);
        } else {
            let text = "no persistent volumes available for this claim and no storage class is set";
            report(claim, false, "FailedBinding", text.to_owned(), turn);
        }
        unset(claim, "Pending", turn);
    }

    /// Writes both halves of a binding.
    pub(super) fn bind(
        &mut self,
        claim: &Claim,
        volume: &PersistentVolume,
        turn: &mut Turn<'_, '_>,
    ) {
        claim::reserve(volume, claim, turn.store);
        set_phase(volume, "Bound", turn);
        self.settled(&(claim.namespace.clone(), claim.name.clone()));
        let found = claim.volume.is_empty();
        if found || !claim.completed {
            let claim_key = key(CLAIMS, &claim.namespace, &claim.name);
            claim::write(&claim_key, turn.store, |value| {
                value.set_path(&["spec", "volumeName"], (&*volume.name).into());
                let annotation = |name| ["metadata", "annotations", name];
                value.set_path(&annotation(BIND_COMPLETED), "yes".into());
                if found {
                    value.set_path(&annotation(BOUND_BY_CONTROLLER), "yes".into());
                }
            });
            let subject = Name::plain(turn.ctx.symbols.intern(&claim.name));
            let to = Name::plain(turn.ctx.symbols.intern(&volume.name));
            turn.note(SOURCE, "bind", "claim", subject, Detail::To(to));
        }
        write_status(claim, volume, turn);
    }
}

/// A claim's status as its volume is. A claim that is bound already keeps its capacity: that of its
/// file system may lie behind the volume's.
fn write_status(claim: &Claim, volume: &PersistentVolume, turn: &mut Turn<'_, '_>) {
    let document = turn.store.documents().get(&key(VOLUMES, "", &volume.name));
    let part = |path: &[&str]| {
        let document = document.as_ref()?;
        document.value.path(path).cloned()
    };
    let modes = part(&["spec", "accessModes"]).unwrap_or_default();
    // The file system of one that was made larger may lie behind it.
    let mut capacity = part(&["spec", "capacity"]).unwrap_or_default();
    if let Some(before) = part(&["metadata", "annotations", PRE_RESIZE]) {
        capacity.set("storage", before);
    }
    let claim_key = key(CLAIMS, &claim.namespace, &claim.name);
    let known = turn.store.documents().get(&claim_key).is_none_or(|it| {
        &*claim.phase == "Bound" && it.value.path(&["status", "accessModes"]) == Some(&modes)
    });
    if known {
        return;
    }
    claim::write(&claim_key, turn.store, |value| {
        value.set_path(&["status", "accessModes"], modes);
        if &*claim.phase != "Bound" {
            value.set_path(&["status", "capacity"], capacity);
        }
        if &*claim.phase == "Pending" && !volume.attributes.is_empty() {
            let path = ["status", "currentVolumeAttributesClassName"];
            value.set_path(&path, (&*volume.attributes).into());
        }
        value.set_path(&["status", "phase"], "Bound".into());
    });
}

/// Writes the phase of a claim that has no volume, and with it that it has none.
fn unset(claim: &Claim, phase: &str, turn: &mut Turn<'_, '_>) {
    const OF_VOLUMES: [&str; 3] = [
        "accessModes",
        "capacity",
        "currentVolumeAttributesClassName",
    ];
    let claim_key = key(CLAIMS, &claim.namespace, &claim.name);
    let known = turn.store.documents().get(&claim_key).is_none_or(|it| {
        let mut fields = OF_VOLUMES.iter();
        &*claim.phase == phase && !fields.any(|field| it.value.path(&["status", field]).is_some())
    });
    if !known {
        claim::write(&claim_key, turn.store, |value| {
            for field in OF_VOLUMES {
                value.remove_path(&["status", field]);
            }
            value.set_path(&["status", "phase"], phase.into());
        });
    }
}

/// Why a claim cannot have the volume that it names. Source: `checkVolumeSatisfyClaim`.
fn mismatch(volume: &PersistentVolume, claim: &Claim) -> Option<String> {
    let text = if volume.deleting {
        return Some(format!(
            "the volume is marked for deletion \"{}\"",
            volume.name
        ));
    } else if volume.bytes < claim.bytes {
        "requested PV is too small"
    } else if volume.class != claim.class {
        "storageClassName does not match"
    } else if volume.attributes != claim.attributes {
        "volumeAttributesClassName does not match"
    } else if volume.mode != claim.mode {
        "incompatible volumeMode"
    } else if !volume.allows(claim) {
        "incompatible accessMode"
    } else {
        return None;
    };
    Some(text.to_owned())
}

/// A claim that says nothing of a class gets the default one, if there is one.
fn give_class(claim: &Claim, turn: &mut Turn<'_, '_>) -> bool {
    let key = key(CLAIMS, &claim.namespace, &claim.name);
    let path = ["spec", "storageClassName"];
    let document = turn.store.documents().get(&key);
    if document.is_none_or(|document| document.value.path(&path).is_some()) {
        return false;
    }
    let class = claim::default_class(turn.store);
    if let Some(class) = &class {
        claim::write(&key, turn.store, |value| {
            value.set_path(&path, (&**class).into());
        });
    }
    class.is_some()
}

/// What a claim waits for whose class binds with its pod. Source:
/// `emitEventForUnboundDelayBindingClaim`.
fn waits_for(claim: &Claim, turn: &Turn<'_, '_>) -> (&'static str, String) {
    let symbols = &turn.ctx.symbols;
    let namespace = symbols.get(&claim.namespace);
    let pods = turn.store.pods().filter_map(|(_, row)| {
        let template = turn.store.template(row.template);
        let open = row.node.is_none() && !row.phase.is_terminal() && template.claims;
        let name = row.name.text(symbols);
        (open && uses(&name, template, &claim.name, namespace)).then(|| name.to_string())
    });
    let pods: Vec<String> = pods.collect();
    let text = match &pods[..] {
        [] => {
            let text = "waiting for first consumer to be created before binding";
            return ("WaitForFirstConsumer", text.to_owned());
        }
        [pod] => format!("waiting for pod {pod} to be scheduled"),
        _ => format!("waiting for pods {} to be scheduled", pods.join(",")),
    };
    ("WaitForPodScheduled", text)
}

/// Whether a pod of this name and template uses a claim of the namespace.
pub fn uses(pod: &str, template: &PodTemplate, claim: &str, namespace: Option<Symbol>) -> bool {
    let mut volumes = template.spec.volumes.iter();
    Some(template.namespace) == namespace
        && volumes.any(|volume| match &volume.source {
            VolumeSource::Claim { name, .. } => **name == *claim,
            VolumeSource::Ephemeral => format!("{pod}-{}", volume.name) == claim,
            VolumeSource::EmptyDir { .. }
            | VolumeSource::ConfigMap(..)
            | VolumeSource::Secret(..)
            | VolumeSource::Disk { .. }
            | VolumeSource::Image(_)
            | VolumeSource::Other => false,
        })
}

/// Writes a volume's phase.
pub(super) fn set_phase(volume: &PersistentVolume, phase: &str, turn: &mut Turn<'_, '_>) {
    if &*volume.phase != phase {
        let now = turn.now();
        claim::write(&key(VOLUMES, "", &volume.name), turn.store, |value| {
            claim::enter(value, phase, now);
            value.remove_path(&["status", "message"]);
        });
    }
}

/// Takes a binding back: a volume that the controller chose is nobody's again, one that a person
/// reserved stays reserved.
fn unbind(volume: &PersistentVolume, turn: &mut Turn<'_, '_>) {
    let annotation = ["metadata", "annotations", BOUND_BY_CONTROLLER];
    let given = !text(volume, &annotation, turn).is_empty();
    claim::write(&key(VOLUMES, "", &volume.name), turn.store, |value| {
        if given {
            value.remove_path(&["spec", "claimRef"]);
            value.remove_path(&annotation);
        } else {
            value.remove_path(&["spec", "claimRef", "uid"]);
        }
    });
    set_phase(volume, "Available", turn);
}

/// An annotation of a claim.
fn text_of_claim(claim: &Claim, annotation: &str, turn: &Turn<'_, '_>) -> String {
    let key = key(CLAIMS, &claim.namespace, &claim.name);
    let path = ["metadata", "annotations", annotation];
    let document = turn.store.documents().get(&key);
    let found = document.and_then(|document| document.value.str_at(&path));
    found.unwrap_or_default().to_owned()
}
