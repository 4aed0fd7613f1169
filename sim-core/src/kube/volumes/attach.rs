//! The attach/detach controller and the attacher beside it: volumes of a CSI driver are attached to
//! the nodes of the pods that use them, and detached when nobody there does.
//!
//! Owns which volume is on which node. It looks at its work every 100 ms while there is any; a quiet
//! cluster costs nothing. A volume that one node may use is not attached to a second one before the
//! first has let go of it; a node that is gone lets go after six minutes.
//!
//! ```text
//! PodBound ─▶ Attaching ─▶ Attached ─(no user)─▶ unmounted, or 6 min and not ready ─▶ Detaching ─▶ gone
//! ```
//! Sources: `pkg/controller/volume/attachdetach/reconciler/reconciler.go`,
//! `pkg/volume/csi/csi_attacher.go`, kubernetes-csi/external-attacher.

use std::sync::Arc;

use crate::api::kube::pod::PodSpec;
use crate::api::kube::volume::VolumeSource;
use crate::base::name::{Name, Rule};
use crate::base::sha256::sha256;
use crate::base::sorted::{SortedMap, SortedSet};
use crate::base::symbol::Symbol;
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::Detail;
use crate::kube::event::Event;
use crate::kube::heartbeat::tick_after;
use crate::kube::kubelet;
use crate::kube::rows::node::{ConditionStatus, TAINT_OUT_OF_SERVICE};
use crate::kube::rows::{NodeId, PodId};
use crate::kube::scheduler::matcher::Look;
use crate::kube::scheduler::volumes::claim_of;
use crate::kube::store::document::{ATTACHMENTS, DocumentKey};
use crate::kube::store::events::Message;
use crate::kube::store::{Change, Store};
use crate::kube::turn::Turn;
use crate::manifest::value::Value;
use crate::substrate::profile::storage::{self, StorageDriver};

use super::claim::{self, AccessMode, DRIVERS, PersistentVolume};

/// Time between two looks. Source: `attach_detach_controller.go` (`reconcilerLoopPeriod`).
const PERIOD: SimDuration = SimDuration::from_millis(100);
/// Longest wait for a node to say that it has unmounted a volume. Source:
/// `attach_detach_controller.go` (`ReconcilerMaxWaitForUnmountDuration`).
const UNMOUNT_WAIT_MAX: SimDuration = SimDuration::from_secs(6 * 60);
/// Component of its events.
const COMPONENT: &str = "attachdetach-controller";
/// Source of its trace lines.
const SOURCE: &str = "kube.attach-detach";

/// A volume on a node.
type Place = (Arc<str>, NodeId);

/// How far an attachment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Attaching(SimTime),
    Attached,
    Detaching(SimTime),
}

/// One attachment.
#[derive(Clone, Debug)]
struct Attachment {
    state: State,
    /// Since when nobody wants it there.
    unwanted: Option<SimTime>,
    /// The object in the API.
    key: DocumentKey,
}

/// A pod on a node that uses volumes.
#[derive(Clone, Debug)]
struct User {
    node: NodeId,
    volumes: Vec<Arc<str>>,
    namespace: Symbol,
    name: Name,
}

/// The controller.
#[derive(Clone, Debug, Default)]
pub struct AttachDetach {
    attachments: SortedMap<Place, Attachment>,
    users: SortedMap<PodId, User>,
    /// Where it was said that a volume is on another node.
    told: SortedSet<Place>,
    /// Pods whose objects are gone while their nodes still end them.
    leaving: SortedMap<PodId, User>,
    /// Pods on nodes that have claims without a volume.
    unbound: SortedSet<PodId>,
    pass_at: Option<SimTime>,
}

impl AttachDetach {
    /// Sees a write; `runs` says of a pod whose object is gone that its node still ends it.
    pub fn observe(&mut self, change: Change, runs: bool, turn: &mut Turn<'_, '_>) {
        match change {
            Change::PodCreated(pod) | Change::PodBound(pod) => self.pod_placed(pod, turn),
            Change::PodStatus(pod) if self.users.contains_key(&pod) => {
                let ended = turn
                    .store
                    .pod(pod)
                    .is_none_or(|row| row.phase.is_terminal());
                if ended {
                    self.pod_gone(pod, turn);
                }
            }
            Change::PodRemoved(pod, _) if runs => {
                if let Some(user) = self.users.remove(&pod) {
                    self.leaving.insert(pod, user);
                    self.wake(turn);
                }
            }
            Change::PodRemoved(pod, _) if self.users.contains_key(&pod) => self.pod_gone(pod, turn),
            Change::NodeUpdated(node) => self.node_updated(node, turn),
            Change::NodeRemoved(..) if !self.attachments.is_empty() => self.wake(turn),
            _ => {}
        }
    }

    /// The controller manager starts anew: how long volumes have been unwanted is forgotten.
    pub fn restart(&mut self, turn: &mut Turn<'_, '_>) {
        self.pass_at = None;
        for attachment in self.attachments.values_mut() {
            attachment.unwanted = None;
        }
        let pods: Vec<PodId> = turn.store.pods().map(|(pod, _)| pod).collect();
        self.users.retain(|pod, _| turn.store.pod(*pod).is_some());
        for pod in pods {
            self.pod_placed(pod, turn);
        }
        self.take_over(turn);
        if !self.attachments.is_empty() {
            self.wake(turn);
        }
    }

    /// Takes over what attachments say is attached, whether or not a pod there uses it: the
    /// controller looks at these when it starts only.
    /// Source: `attach_detach_controller.go` (`populateActualStateOfWorld`,
    /// `processVolumeAttachments`).
    pub fn take_over(&mut self, turn: &mut Turn<'_, '_>) {
        let all = turn.store.documents().of(ATTACHMENTS);
        let all: Vec<(DocumentKey, Place, bool)> = all
            .filter_map(|(key, document)| {
                let text = |path: &[&str]| document.value.str_at(path);
                let volume = text(&["spec", "source", "persistentVolumeName"])?;
                let node = turn.ctx.symbols.get(text(&["spec", "nodeName"])?)?;
                let place = (volume.into(), turn.store.node_named(node)?);
                let attached = document.value.path(&["status", "attached"])?.as_bool()?;
                Some((key.clone(), place, attached))
            })
            .collect();
        for (key, place, attached) in all {
            if self.attachments.contains_key(&place) {
                continue;
            }
            if attached {
                turn.store.set_attached(&place, true);
            }
            let attachment = Attachment {
                state: State::Attached,
                unwanted: None,
                key,
            };
            self.attachments.insert(place, attachment);
            self.wake(turn);
        }
    }

    fn pod_placed(&mut self, pod: PodId, turn: &mut Turn<'_, '_>) {
        let Some(row) = turn.store.pod(pod).copied() else {
            return;
        };
        let Some(node) = row.node.filter(|_| !row.phase.is_terminal()) else {
            return;
        };
        let template = turn.store.template(row.template);
        if !template.claims {
            return;
        }
        let namespace = template.namespace;
        let look = Look {
            store: turn.store,
            symbols: turn.ctx.symbols,
        };
        let claimed = claimed(pod, look);
        if claimed.iter().any(|(_, found)| found.is_err()) {
            self.unbound.insert(pod);
        }
        let found = claimed.into_iter().filter_map(|(_, found)| found.ok());
        let volumes = found.filter(|it| attaches(it, turn.store));
        let volumes: Vec<Arc<str>> = volumes.map(|it| it.name).collect();
        if volumes.is_empty() {
            return;
        }
        let user = User {
            node,
            volumes,
            namespace,
            name: row.name,
        };
        if talks(node, turn) {
            for volume in &user.volumes {
                turn.store.set_in_use((volume.clone(), node), true);
            }
        }
        self.users.insert(pod, user);
        self.wake(turn);
    }

    /// Claims or volumes were written: pods that waited for them are looked at again.
    pub fn storage_written(&mut self, turn: &mut Turn<'_, '_>) {
        for pod in std::mem::take(&mut self.unbound) {
            self.pod_placed(pod, turn);
        }
    }

    /// A pod has ended or is gone. Its node has unmounted what it used, unless nobody hears of the
    /// node.
    pub(in crate::kube) fn pod_gone(&mut self, pod: PodId, turn: &mut Turn<'_, '_>) {
        let user = self.users.remove(&pod);
        let Some(user) = user.or_else(|| self.leaving.remove(&pod)) else {
            return;
        };
        let talks = talks(user.node, turn);
        for volume in user.volumes {
            let place = (volume, user.node);
            if self.is_mounted(&place.0, place.1) {
                continue;
            }
            self.told.remove(&place);
            if talks {
                turn.store.set_in_use(place, false);
            }
        }
        self.wake(turn);
    }

    /// A node reports again: it has unmounted what no pod there uses.
    pub(in crate::kube) fn node_updated(&mut self, node: NodeId, turn: &mut Turn<'_, '_>) {
        let ready = turn.store.node(node).map(|row| row.ready());
        if ready != Some(ConditionStatus::True) {
            self.wake_if_attached(node, turn);
            return;
        }
        for volume in turn.store.in_use_on(node) {
            if !self.is_mounted(&volume, node) {
                turn.store.set_in_use((volume, node), false);
            }
        }
        self.wake_if_attached(node, turn);
    }

    fn wake_if_attached(&mut self, node: NodeId, turn: &mut Turn<'_, '_>) {
        if self.attachments.keys().any(|(_, other)| *other == node) {
            self.wake(turn);
        }
    }

    fn is_mounted(&self, volume: &Arc<str>, node: NodeId) -> bool {
        let uses = |user: &User| user.node == node && user.volumes.contains(volume);
        self.is_used(volume, node) || self.leaving.values().any(uses)
    }

    fn is_used(&self, volume: &Arc<str>, node: NodeId) -> bool {
        self.users
            .values()
            .any(|user| user.node == node && user.volumes.contains(volume))
    }

    fn wake(&mut self, turn: &mut Turn<'_, '_>) {
        let at = tick_after(turn.now(), PERIOD);
        self.wake_at(at, turn);
    }

    fn wake_at(&mut self, at: SimTime, turn: &mut Turn<'_, '_>) {
        if self
            .pass_at
            .is_none_or(|planned| planned > at || planned <= turn.now())
        {
            self.pass_at = Some(at);
            turn.at(at, Event::AttachPass);
        }
    }

    /// One look: detaches first, then attaches.
    pub fn pass(&mut self, turn: &mut Turn<'_, '_>) {
        let now = turn.now();
        if self.pass_at != Some(now) {
            return;
        }
        self.pass_at = None;
        let places: Vec<Place> = self.attachments.keys().cloned().collect();
        for place in places {
            self.let_go(&place, turn);
        }
        let users: Vec<PodId> = self.users.keys().copied().collect();
        for pod in users {
            self.serve(pod, turn);
        }
        let next = self.attachments.values().filter_map(|attachment| {
            let due = match attachment.state {
                State::Attaching(until) | State::Detaching(until) => until,
                State::Attached => attachment.unwanted? + UNMOUNT_WAIT_MAX,
            };
            (due > now).then_some(due)
        });
        if let Some(next) = next.min() {
            let at = crate::kube::heartbeat::tick_at_or_after(next, PERIOD);
            self.wake_at(at.max(tick_after(now, PERIOD)), turn);
        }
    }

    /// Goes on with one attachment: what is attached and unwanted is detached when it may be.
    fn let_go(&mut self, place: &Place, turn: &mut Turn<'_, '_>) {
        let now = turn.now();
        let used = self.is_used(&place.0, place.1);
        let Some(attachment) = self.attachments.get_mut(place) else {
            return;
        };
        match attachment.state {
            State::Attaching(until) if until <= now => {
                attachment.state = State::Attached;
                turn.store.set_in_use(place.clone(), used);
                let key = attachment.key.clone();
                self.attached(place, &key, turn);
            }
            State::Detaching(until) if until <= now => {
                let key = attachment.key.clone();
                self.attachments.remove(place);
                turn.store.remove_document(&key);
                note("detached", place, None, turn);
                if turn.store.node(place.1).is_none() {
                    turn.store.set_in_use(place.clone(), false);
                }
            }
            State::Attaching(_) | State::Detaching(_) => {}
            State::Attached if used => attachment.unwanted = None,
            State::Attached => {
                let since = *attachment.unwanted.get_or_insert(now);
                let node = turn.store.node(place.1);
                let gone = node.is_some_and(|row| {
                    row.taints
                        .iter()
                        .any(|taint| &*taint.key == TAINT_OUT_OF_SERVICE)
                });
                let ready = node.is_some_and(|row| row.ready() == ConditionStatus::True);
                let forced = !ready && since + UNMOUNT_WAIT_MAX <= now;
                let mounted = turn.store.is_in_use(place);
                if mounted && !gone && !forced {
                    return;
                }
                let took = claim::volume(&place.0, turn.store)
                    .map_or(storage::BLOCK, |found| profile(&found))
                    .detach;
                let rule = (mounted && !gone).then_some(Rule {
                    key: "max-wait-for-unmount-duration",
                    value: UNMOUNT_WAIT_MAX,
                });
                attachment.state = State::Detaching(now + took);
                turn.store.set_attached(place, false);
                note("detach", place, rule, turn);
            }
        }
    }

    /// A volume is there: pods that wait for it are told.
    fn attached(&mut self, place: &Place, key: &DocumentKey, turn: &mut Turn<'_, '_>) {
        turn.store.set_attached(place, true);
        turn.store.change_document(key, |value| {
            value.set_path(&["status", "attached"], true.into());
        });
        note("attached", place, None, turn);
        let lag = turn.store.watch_lag();
        for (pod, user) in &self.users {
            if user.node != place.1 || !user.volumes.contains(&place.0) {
                continue;
            }
            let text = format!("AttachVolume.Attach succeeded for volume \"{}\" ", place.0);
            let Some(object) = turn.pod_object(*pod) else {
                continue;
            };
            turn.normal(
                object,
                COMPONENT,
                "SuccessfulAttachVolume",
                Message::Text(text.into()),
            );
            turn.after(lag, Event::Kubelet(kubelet::Event::Sync(*pod)));
        }
    }

    /// Attaches what a pod uses, unless another node has it.
    fn serve(&mut self, pod: PodId, turn: &mut Turn<'_, '_>) {
        let Some(user) = self.users.get(&pod).cloned() else {
            return;
        };
        for volume in &user.volumes {
            let place = (volume.clone(), user.node);
            if self.attachments.contains_key(&place) {
                continue;
            }
            let Some(found) = claim::volume(volume, turn.store) else {
                continue;
            };
            let elsewhere = self
                .attachments
                .keys()
                .any(|(other, node)| other == volume && *node != user.node);
            if elsewhere && is_for_one_node(&found) {
                self.refuse(&place, turn);
                continue;
            }
            let Some(key) = make_object(&place, &found, turn) else {
                continue;
            };
            let span = profile(&found).attach.unwrap_or(SimDuration::ZERO);
            let state = State::Attaching(turn.now() + span);
            let attachment = Attachment {
                state,
                unwanted: None,
                key,
            };
            self.attachments.insert(place.clone(), attachment);
            note("attach", &place, None, turn);
        }
    }

    /// Tells the pods of a node, once, that another node has a volume.
    /// Source: `reconciler.go` (`reportMultiAttachError`).
    fn refuse(&mut self, place: &Place, turn: &mut Turn<'_, '_>) {
        if !self.told.insert(place.clone()) {
            return;
        }
        let (volume, node) = place;
        let has = |it: &User| self.attachments.contains_key(&(volume.clone(), it.node));
        let all = self.users.iter();
        let all = all.filter(|(_, it)| it.volumes.contains(volume));
        let (mine, others): (Vec<_>, Vec<_>) = all.partition(|(_, it)| it.node == *node);
        let others: Vec<&User> = others
            .into_iter()
            .map(|(_, it)| it)
            .filter(|it| has(it))
            .collect();
        for (pod, user) in mine {
            let near = others.iter().filter(|it| it.namespace == user.namespace);
            let near: SortedSet<String> = near
                .map(|it| it.name.text(turn.ctx.symbols).to_string())
                .collect();
            let far = others.len() - near.len();
            let near: Vec<String> = near.into_iter().collect();
            let near = near.join(", ");
            let text = match (near.is_empty(), far) {
                (true, 0) => {
                    "exclusively attached to one node and can't be attached to another".to_owned()
                }
                (true, _) => format!("used by {far} pod(s) in different namespaces"),
                (false, 0) => format!("used by pod(s) {near}"),
                (false, _) => {
                    format!("used by pod(s) {near} and {far} pod(s) in different namespaces")
                }
            };
            let text =
                format!("Multi-Attach error for volume \"{volume}\" Volume is already {text}");
            if let Some(object) = turn.pod_object(*pod) {
                let message = Message::Text(text.into());
                turn.warning(object, COMPONENT, "FailedAttachVolume", message);
            }
            let subject = Name::plain(turn.ctx.symbols.intern(volume));
            let detail = Detail::To(user.name);
            turn.note(SOURCE, "multi-attach", "volume", subject, detail);
        }
    }
}

/// Whether a node's kubelet says what it uses.
fn talks(node: NodeId, turn: &Turn<'_, '_>) -> bool {
    let machine = turn.store.node(node).map(|row| row.machine);
    let machine = machine.and_then(|machine| turn.ctx.machines.machine(machine));
    machine.is_some_and(|row| row.is_on() && row.connected)
}

/// Whether one node only may have a volume.
fn is_for_one_node(volume: &PersistentVolume) -> bool {
    volume.modes.iter().all(|mode| {
        matches!(
            mode,
            AccessMode::ReadWriteOnce | AccessMode::ReadWriteOncePod
        )
    })
}

/// Whether a pod uses claims.
pub fn uses_claims(spec: &PodSpec) -> bool {
    spec.volumes.iter().any(|volume| {
        matches!(
            volume.source,
            VolumeSource::Claim { .. } | VolumeSource::Ephemeral
        )
    })
}

/// Volumes of a pod's claims, by their names in the pod, or why there is none.
/// Source: `pkg/kubelet/volumemanager/populator/desired_state_of_world_populator.go`
/// (`createVolumeSpec`).
pub fn claimed(pod: PodId, look: Look<'_>) -> Vec<(Arc<str>, Result<PersistentVolume, String>)> {
    let Look { store, symbols } = look;
    let Some(row) = store.pod(pod) else {
        return Vec::new();
    };
    let template = store.template(row.template);
    let namespace = symbols.text(template.namespace);
    let volumes = template.spec.volumes.iter().filter_map(|volume| {
        let (name, ephemeral) = claim_of(row, volume, look)?;
        let error = |why: String| format!("error processing PVC {namespace}/{name}: {why}");
        let found = match claim::find(namespace, &name, store) {
            None => Err(error(format!(
                "failed to fetch PVC from API server: persistentvolumeclaims \"{name}\" not found"
            ))),
            Some(found) if &*found.phase != "Bound" => Err(error("PVC is not bound".to_owned())),
            Some(found) if ephemeral && !claim::is_of_pod(&found, pod, look) => {
                Err(claim::not_of_pod(&found, &row.name.text(symbols)))
            }
            Some(found) => claim::volume(&found.volume, store).ok_or_else(|| {
                let volume = &found.volume;
                error(format!(
                    "failed to fetch PV {volume} from API server: persistentvolumes \"{volume}\" not found"
                ))
            }),
        };
        Some((volume.name.clone(), found))
    });
    volumes.collect()
}

/// What a volume's driver does.
fn profile(volume: &PersistentVolume) -> StorageDriver {
    volume
        .csi
        .as_ref()
        .map_or(storage::BLOCK, |(driver, _)| storage::driver(driver))
}

/// Whether a volume's driver attaches: `CSIDriver.spec.attachRequired`; without such an object, as
/// the drivers known by their names do.
pub fn attaches(volume: &PersistentVolume, store: &Store) -> bool {
    let Some((driver, _)) = &volume.csi else {
        return false;
    };
    let document = store.documents().get(&claim::key(DRIVERS, "", driver));
    let required = document
        .and_then(|document| document.value.path(&["spec", "attachRequired"]))
        .and_then(Value::as_bool);
    required.unwrap_or_else(|| profile(volume).attach.is_some())
}

/// The VolumeAttachment of a volume and a node. Its name is made as by the driver's plugin.
fn make_object(
    place: &Place,
    volume: &PersistentVolume,
    turn: &mut Turn<'_, '_>,
) -> Option<DocumentKey> {
    let (driver, handle) = volume.csi.as_ref()?;
    let node = turn.store.node(place.1)?.name;
    let node = turn.ctx.symbols.text(node).to_owned();
    let digest = sha256(format!("{handle}{driver}{node}").as_bytes());
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let name = format!("csi-{digest}");
    let mut value = Value::object([
        ("apiVersion", Value::from("storage.k8s.io/v1")),
        ("kind", "VolumeAttachment".into()),
    ]);
    value.set_path(&["metadata", "name"], name.as_str().into());
    let source = Value::object([("persistentVolumeName", Value::from(&*volume.name))]);
    let spec = Value::object([
        ("attacher", Value::from(&**driver)),
        ("nodeName", node.as_str().into()),
        ("source", source),
    ]);
    value.set("spec", spec);
    value.set_path(&["status", "attached"], false.into());
    let key = claim::key(ATTACHMENTS, "", &name);
    let now = turn.now();
    turn.store.add_document(key.clone(), value, 0, now);
    Some(key)
}

fn note(verb: &'static str, place: &Place, rule: Option<Rule>, turn: &mut Turn<'_, '_>) {
    let subject = Name::plain(turn.ctx.symbols.intern(&place.0));
    let node = turn
        .store
        .node(place.1)
        .map_or(Symbol::EMPTY, |row| row.name);
    turn.note_rule(
        SOURCE,
        verb,
        "volume",
        subject,
        Detail::To(Name::plain(node)),
        rule,
    );
}
