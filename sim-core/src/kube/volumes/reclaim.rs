//! What is done with a volume whose claim is gone: kept, deleted by whoever made it, or failed.
//!
//! ```text
//! Released ─┬─ Retain ──▶ stays
//!           ├─ Delete ──▶ its maker deletes it, or nobody can: Failed
//!           └─ Recycle ─▶ not modelled where a plugin could: stays
//! ```
//! Source: `pkg/controller/volume/persistentvolume/pv_controller.go` (`reclaimVolume`).

use crate::base::name::Name;
use crate::base::symbol::Symbol;
use crate::des::notice::Detail;
use crate::kube::store::events::Message;
use crate::kube::turn::Turn;
use crate::substrate::order::Order;

use super::binder::set_phase;
use super::claim::{self, PersistentVolume, VOLUMES, key};
use super::controller::{COMPONENT, PROVISIONED_BY, SOURCE};

/// The claim of a volume is gone: `persistentVolumeReclaimPolicy`.
pub(super) fn reclaim(volume: &PersistentVolume, turn: &mut Turn<'_, '_>) {
    let subject = Name::plain(turn.ctx.symbols.intern(&volume.name));
    if !matches!(&*volume.phase, "Released" | "Failed") {
        set_phase(volume, "Released", turn);
        turn.note(SOURCE, "release", "volume", subject, Detail::None);
    }
    let failed = match &*policy(volume, turn) {
        "Delete" => deleter(volume, turn),
        "Recycle" => recycler(volume, turn),
        _ => return,
    };
    match failed {
        Err((_, message)) if message.is_empty() => {}
        Err((reason, message)) => fail(volume, reason, message, turn),
        Ok(()) => {
            turn.store.remove_document(&key(VOLUMES, "", &volume.name));
            turn.note(SOURCE, "delete", "volume", subject, Detail::None);
            turn.out.order(Order::RemoveDisk {
                name: volume.name.clone(),
            });
        }
    }
}

/// Why a volume is not deleted; nothing said: somebody else may do it.
/// Source: `findDeletablePlugin`, `pkg/volume/hostpath/host_path.go`,
/// `cmd/kube-controller-manager/app/plugins.go`.
fn deleter(volume: &PersistentVolume, turn: &Turn<'_, '_>) -> Result<(), (&'static str, String)> {
    let failed = |text: String| Err(("VolumeFailedDelete", text));
    let made = text(volume, &["metadata", "annotations", PROVISIONED_BY], turn);
    if !made.is_empty() {
        // Whoever made it deletes it.
        return if made.starts_with("kubernetes.io/") {
            failed(format!("no volume plugin matched name: {made}"))
        } else {
            Ok(())
        };
    }
    let matched = match source(volume, turn) {
        "csi" => return failed(String::new()),
        "hostPath" => {
            let path = text(volume, &["spec", "hostPath", "path"], turn);
            let (_, below) = path.split_once("/tmp/").unwrap_or_default();
            return if below.is_empty() {
                failed(format!(
                    "host_path deleter only supports /tmp/.+ but received provided {path}"
                ))
            } else {
                Ok(())
            };
        }
        "nfs" | "fc" | "iscsi" => "no deletable volume plugin matched",
        _ => "no volume plugin matched",
    };
    failed(format!(
        "error getting deleter volume plugin for volume \"{}\": {matched}",
        volume.name
    ))
}

/// Why a volume is not emptied and given back. The pods that do it are not modelled: such a volume
/// stays Released.
fn recycler(volume: &PersistentVolume, turn: &Turn<'_, '_>) -> Result<(), (&'static str, String)> {
    let text = match source(volume, turn) {
        "nfs" | "hostPath" => "",
        _ => "No recycler plugin found for the volume!",
    };
    Err(("VolumeFailedRecycle", text.to_owned()))
}

/// Where a volume's bytes are, of what the controller manager has a plugin for.
fn source(volume: &PersistentVolume, turn: &Turn<'_, '_>) -> &'static str {
    let document = turn.store.documents().get(&key(VOLUMES, "", &volume.name));
    let known = ["csi", "hostPath", "nfs", "fc", "iscsi"];
    let has = |source: &&str| {
        document.is_some_and(|document| document.value.path(&["spec", source]).is_some())
    };
    known.into_iter().find(has).unwrap_or_default()
}

fn fail(volume: &PersistentVolume, reason: &'static str, message: String, turn: &mut Turn<'_, '_>) {
    if &*volume.phase == "Failed" {
        return;
    }
    let now = turn.now();
    claim::write(&key(VOLUMES, "", &volume.name), turn.store, |value| {
        claim::enter(value, "Failed", now);
        value.set_path(&["status", "message"], message.as_str().into());
    });
    report_volume(volume, reason, message, turn);
}

/// Its policy.
pub(super) fn policy(volume: &PersistentVolume, turn: &Turn<'_, '_>) -> String {
    text(volume, &["spec", "persistentVolumeReclaimPolicy"], turn)
}

/// A field of a volume.
pub(super) fn text(volume: &PersistentVolume, path: &[&str], turn: &Turn<'_, '_>) -> String {
    let document = turn.store.documents().get(&key(VOLUMES, "", &volume.name));
    let found = document.and_then(|document| document.value.str_at(path));
    found.unwrap_or_default().to_owned()
}

/// Tells of a volume.
pub(super) fn report_volume(
    volume: &PersistentVolume,
    reason: &'static str,
    text: String,
    turn: &mut Turn<'_, '_>,
) {
    let name = Name::plain(turn.ctx.symbols.intern(&volume.name));
    let object = ("PersistentVolume", Symbol::EMPTY, name);
    turn.warning(object, COMPONENT, reason, Message::Text(text.into()));
}
