//! Collection of images that no container is made of: when the disk is fuller than a threshold, those
//! that were used longest ago go until another one is reached.
//!
//! Owns what each node's manager knows of its images. It looks every five minutes from the agent's
//! start; a look that would find the disk below the threshold is no event, and what it would have
//! noted of the images is worked out when one is.
//!
//! ```text
//! ticks  |----------|----------|----------|
//! pulled      ^ detected at the next tick, not before; used until then: used at the tick before
//! ```
//!
//! Sources: `pkg/kubelet/images/image_gc_manager.go`, `pkg/kubelet/kubelet.go`
//! (`StartGarbageCollection`).
//!
//! Not modelled: `imageMaximumGCAge`, which is off by default; collection of dead containers, which
//! are forgotten when the next one is made.

use std::sync::Arc;

use crate::base::arrange::Arrange;
use crate::base::name::{Name, Rule};
use crate::base::sentence::Sentence;
use crate::base::sorted::SortedMap;
use crate::base::symbol::Symbol;
use crate::base::time::{SimDuration, SimTime};
use crate::des::notice::{Detail, Notice, Subject};
use crate::kube::rows::NodeId;
use crate::kube::store::events::{Message, NewEvent};
use crate::substrate::Substrate;
use crate::substrate::image::ImageRef;
use crate::substrate::machine::Power;
use crate::substrate::order::{MachineId, Order};

use super::desk::Desk;
use super::worker::Worker;
use super::{Event, Kubelets};

/// Time between two looks. Source: `pkg/kubelet/kubelet.go` (`ImageGCPeriod`), and the same for the
/// detection of images in `Start`.
const PERIOD: SimDuration = SimDuration::from_minutes(5);
/// Time between two lists of the images, of which a node's status is made. Source:
/// `pkg/kubelet/images/image_gc_manager.go` (`Start`).
const LIST_PERIOD: SimDuration = SimDuration::from_secs(30);

/// Configuration of all nodes' managers.
/// Source: `pkg/kubelet/apis/config/v1beta1/defaults.go`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageSettings {
    /// `imageGCHighThresholdPercent`: from there on images go; 100: never.
    pub high: u64,
    /// `imageGCLowThresholdPercent`: until there.
    pub low: u64,
    /// `imageMinimumGCAge`: younger ones stay.
    pub minimum_age: SimDuration,
}

impl Default for ImageSettings {
    fn default() -> Self {
        Self {
            high: 85,
            low: 80,
            minimum_age: SimDuration::from_minutes(2),
        }
    }
}

const HIGH: [&str; 2] = [
    "kubelet.image-gc-high-threshold",
    "kubelet.imageGCHighThresholdPercent",
];
const LOW: [&str; 2] = [
    "kubelet.image-gc-low-threshold",
    "kubelet.imageGCLowThresholdPercent",
];
const AGE: [&str; 2] = [
    "kubelet.minimum-image-ttl-duration",
    "kubelet.imageMinimumGCAge",
];

/// Whether a key has a second spelling that is accepted here but not listed.
pub fn is_alias(key: &str) -> bool {
    [HIGH, LOW, AGE].iter().any(|[_, alias]| *alias == key)
}

impl ImageSettings {
    /// Changes a setting; false if the key is not one of these.
    ///
    /// # Errors
    /// A sentence when the value is not one for the key.
    pub fn set(&mut self, key: &str, value: &str) -> Result<bool, Sentence> {
        let percent = || match value.parse::<u64>() {
            Ok(percent) if percent <= 100 => Ok(percent),
            Ok(_) | Err(_) => Err(Sentence::quoted(format!(
                "invalid configuration: {key} {value} must be between 0 and 100, inclusive"
            ))),
        };
        let mut next = *self;
        if HIGH.contains(&key) {
            next.high = percent()?;
        } else if LOW.contains(&key) {
            next.low = percent()?;
        } else if AGE.contains(&key) {
            next.minimum_age = SimDuration::parse(value)?;
        } else {
            return Ok(false);
        }
        if next.low >= next.high {
            return Err(format!(
                "invalid configuration: imageGCLowThresholdPercent (--image-gc-low-threshold) {} must be less than imageGCHighThresholdPercent (--image-gc-high-threshold) {}",
                next.low, next.high
            )
            .into());
        }
        *self = next;
        Ok(true)
    }

    /// All settings.
    pub fn list(&self) -> Vec<(&'static str, String)> {
        vec![
            (HIGH[0], self.high.to_string()),
            (LOW[0], self.low.to_string()),
            (AGE[0], self.minimum_age.exact()),
        ]
    }
}

/// What is known of one image on one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    /// When it was first seen.
    first_detected: SimTime,
    /// When it was last seen in use; none: never.
    last_used: Option<SimTime>,
}

/// One node's manager.
#[derive(Clone, Debug, Default)]
struct Manager {
    /// When the agent started; none: with its machine.
    started: Option<SimTime>,
    /// Images that were seen at a look, by their full names.
    records: SortedMap<Arc<str>, Record>,
    /// When containers of an image last went, by the image as written.
    released: Vec<(Symbol, SimTime)>,
    /// The next look.
    pass_at: Option<SimTime>,
    /// When the last list is made that tells of a change.
    listed_at: Option<SimTime>,
    /// Whether the last look freed too little.
    failed: bool,
}

/// All nodes' managers that know something.
#[derive(Clone, Debug, Default)]
pub struct ImageManagers {
    nodes: SortedMap<NodeId, Manager>,
    /// Nodes whose images changed, and when their kubelets will know.
    changed: Vec<(NodeId, SimTime)>,
}

impl ImageManagers {
    /// An agent has started anew: it has forgotten all, and its clock begins.
    pub fn restarted(&mut self, node: NodeId, now: SimTime) {
        let manager = Manager {
            started: Some(now),
            ..Manager::default()
        };
        self.nodes.insert(node, manager);
    }

    /// A pod's containers are gone.
    pub fn released(&mut self, worker: &Worker, now: SimTime) {
        let manager = self.nodes.entry(worker.node).or_default();
        for lowered in &*worker.lowered {
            let known = manager
                .released
                .iter_mut()
                .find(|(image, _)| *image == lowered.image);
            match known {
                Some((_, at)) => *at = now,
                None => manager.released.push((lowered.image, now)),
            }
        }
    }

    /// Nodes whose images changed since the last call, each with the time from which its kubelet knows.
    pub fn take_changed(&mut self) -> Vec<(NodeId, SimTime)> {
        std::mem::take(&mut self.changed)
    }

    /// A node is gone.
    pub fn forget(&mut self, node: NodeId) {
        self.nodes.remove(&node);
    }
}

/// An image that may go.
struct Candidate {
    name: Arc<str>,
    bytes: u64,
    record: Record,
}

/// When a manager looks.
#[derive(Clone, Copy)]
struct Ticks {
    start: SimTime,
    period: SimDuration,
}

impl Ticks {
    /// The last tick at or before a time.
    fn before(self, time: SimTime) -> SimTime {
        let since = time.max(self.start).since(self.start).as_micros();
        let period = self.period.as_micros();
        self.start + SimDuration::from_micros(since / period * period)
    }

    /// The first tick at or after a time.
    fn at_or_after(self, time: SimTime) -> SimTime {
        let before = self.before(time);
        if before >= time {
            before
        } else {
            before + self.period
        }
    }
}

/// How full a disk is, in percent as upstream rounds it.
pub(super) fn used_percent(available: u64, capacity: u64) -> u64 {
    let free = u128::from(available) * 100 / u128::from(capacity.max(1));
    100 - u64::try_from(free).unwrap_or(100).min(100)
}

impl Kubelets {
    fn image_ticks(&self, node: NodeId, machine: MachineId, machines: &Substrate) -> Ticks {
        let own = self
            .images
            .nodes
            .get(&node)
            .and_then(|manager| manager.started);
        let boot = machines.machine(machine).map(|row| row.power);
        let start = own.unwrap_or(match boot {
            Some(Power::On { since }) => since,
            Some(Power::Off | Power::Booting { .. }) | None => SimTime::ZERO,
        });
        let period = PERIOD;
        Ticks { start, period }
    }

    /// A node's images may have changed: the next list of them will show it.
    pub(super) fn images_changed(&mut self, node: NodeId, machine: MachineId, desk: &Desk<'_, '_>) {
        let mut ticks = self.image_ticks(node, machine, desk.ctx.machines);
        ticks.period = LIST_PERIOD;
        let at = ticks.at_or_after(desk.now());
        let manager = self.images.nodes.entry(node).or_default();
        if manager.listed_at.replace(at) != Some(at) {
            self.images.changed.push((node, at));
        }
    }

    /// When a node's kubelet last listed its images.
    pub fn images_listed(
        &self,
        node: NodeId,
        machine: MachineId,
        machines: &Substrate,
        now: SimTime,
    ) -> SimTime {
        let mut ticks = self.image_ticks(node, machine, machines);
        ticks.period = LIST_PERIOD;
        ticks.before(now)
    }

    /// How full the disk with a node's images is, in percent as upstream rounds it, and its size.
    fn image_disk(machine: MachineId, desk: &Desk<'_, '_>) -> (u64, u64, u64) {
        let (machines, now) = (desk.ctx.machines, desk.now());
        let capacity = machines.disk_bytes(machine).max(1);
        let available = machines.disk_free(machine, now).min(capacity);
        (used_percent(available, capacity), available, capacity)
    }

    /// Plans the next look at a node's images if its disk is too full.
    pub(super) fn watch_images(&mut self, node: NodeId, desk: &mut Desk<'_, '_>) {
        let high = self.settings.images.high;
        let Some(machine) = desk.store.node(node).map(|row| row.machine) else {
            return;
        };
        if high >= 100 || !desk.ctx.machines.is_on(machine) || self.is_down(machine) {
            return;
        }
        let (used, _, _) = Self::image_disk(machine, desk);
        if used < high {
            return;
        }
        let now = desk.now();
        let at = self
            .image_ticks(node, machine, desk.ctx.machines)
            .before(now)
            + PERIOD;
        let manager = self.images.nodes.entry(node).or_default();
        if manager.pass_at.is_none_or(|planned| planned <= now) {
            manager.pass_at = Some(at);
            desk.at(at, Event::ImagePass(node));
        }
    }

    /// A manager looks at its images.
    pub(super) fn image_pass(&mut self, node: NodeId, desk: &mut Desk<'_, '_>) {
        let now = desk.now();
        let settings = self.settings.images;
        let Some(manager) = self.images.nodes.get_mut(&node) else {
            return;
        };
        if manager.pass_at != Some(now) {
            return;
        }
        manager.pass_at = None;
        let machine = desk.store.node(node).map(|row| row.machine);
        let Some(machine) =
            machine.filter(|machine| !self.is_down(*machine) && desk.ctx.machines.is_on(*machine))
        else {
            return;
        };
        let (used, available, capacity) = Self::image_disk(machine, desk);
        if used < settings.high {
            if let Some(manager) = self.images.nodes.get_mut(&node) {
                manager.failed = false;
            }
            return;
        }
        let low = u128::from(capacity) * u128::from(100 - settings.low) / 100;
        let wanted = u64::try_from(low)
            .unwrap_or(u64::MAX)
            .saturating_sub(available);
        let freed = self.free_images(node, machine, wanted, desk);
        let failed = freed < wanted;
        let again = self
            .images
            .nodes
            .get_mut(&node)
            .is_some_and(|manager| std::mem::replace(&mut manager.failed, failed));
        if failed {
            let message: Arc<str> = format!(
                "Insufficient free disk space on the node's image filesystem ({used}% of {} used). Failed to free sufficient space by deleting unused images (freed {freed} bytes). Investigate disk usage, as it could be used by active images, logs, volumes, or other data.",
                size(capacity)
            )
            .into();
            report(node, "FreeDiskSpaceFailed", message.clone(), desk);
            // One failure may be a matter of figures that are not there yet.
            if again {
                report(node, "ImageGCFailed", message, desk);
            }
        }
        self.watch_images(node, desk);
    }

    /// Deletes images that no container is made of, until so many bytes are free. Answers the bytes,
    /// as the runtime states images' sizes.
    pub(super) fn free_images(
        &mut self,
        node: NodeId,
        machine: MachineId,
        wanted: u64,
        desk: &mut Desk<'_, '_>,
    ) -> u64 {
        let now = desk.now();
        let minimum_age = self.settings.images.minimum_age;
        let mut freed = 0_u64;
        for candidate in self.detect_images(node, machine, desk) {
            if now.since(candidate.record.first_detected) < minimum_age {
                continue;
            }
            let image = desk.ctx.symbols.intern(&candidate.name);
            desk.order(Order::RemoveImage { machine, image });
            note_removal(node, image, minimum_age, desk);
            if let Some(manager) = self.images.nodes.get_mut(&node) {
                manager.records.remove(&candidate.name);
            }
            freed = freed.saturating_add(candidate.bytes);
            if freed >= wanted {
                break;
            }
        }
        self.images_changed(node, machine, desk);
        freed
    }

    /// Looks at a node's images: notes which are new and which are in use, and answers those that
    /// are not, in the order in which they go.
    fn detect_images(
        &mut self,
        node: NodeId,
        machine: MachineId,
        desk: &Desk<'_, '_>,
    ) -> Vec<Candidate> {
        let now = desk.now();
        let ticks = self.image_ticks(node, machine, desk.ctx.machines);
        let full = |image: Symbol| {
            ImageRef::parse(desk.ctx.symbols.text(image)).map(|it| Arc::from(it.canonical()))
        };
        let used: Vec<Arc<str>> = desk
            .store
            .pods_on(node)
            .map(|(pod, _)| pod)
            .chain(self.statics.on(machine))
            .filter_map(|pod| self.worker(pod))
            .flat_map(|worker| worker.lowered.iter().map(|lowered| lowered.image))
            .filter_map(full)
            .collect();
        let manager = self.images.nodes.entry(node).or_default();
        let mut released: SortedMap<Arc<str>, SimTime> = SortedMap::new();
        for (image, at) in &manager.released {
            if let Some(name) = full(*image) {
                let last = released.entry(name).or_insert(*at);
                *last = (*last).max(*at);
            }
        }
        let mut candidates = Vec::new();
        let mut records = SortedMap::new();
        for (image, pulled) in desk.ctx.machines.images_since(machine) {
            let Some(reference) = &image.reference else {
                continue;
            };
            let name: Arc<str> = reference.canonical().into();
            let before = manager.records.get(&name).copied();
            let detected = ticks.at_or_after(pulled).min(now);
            let mut record = before.unwrap_or(Record {
                first_detected: detected,
                last_used: None,
            });
            // The last tick that saw a container of it, if none does now.
            let seen = released
                .get(&name)
                .map(|at| ticks.before(*at))
                .filter(|at| *at >= record.first_detected);
            record.last_used = record.last_used.max(seen);
            if used.contains(&name) {
                record.last_used = Some(now);
            } else {
                candidates.push(Candidate {
                    name: name.clone(),
                    bytes: image.program.size_bytes,
                    record,
                });
            }
            records.insert(name, record);
        }
        manager.records = records;
        // What is known of them is in the records now; those of other images will be detected anew.
        manager.released.clear();
        candidates.arrange_by(|a, b| {
            let key = |it: &Candidate| (it.record.last_used, it.record.first_detected);
            key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name))
        });
        candidates
    }
}

/// A size as upstream writes it, e.g. `100.0 GiB`.
fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut unit = 0;
    let mut tenths = u128::from(bytes) * 10;
    while tenths >= 10_240 && unit + 1 < units.len() {
        tenths /= 1_024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, units[unit])
}

fn report(node: NodeId, reason: &'static str, message: Arc<str>, desk: &mut Desk<'_, '_>) {
    let Some(name) = desk.store.node(node).map(|row| row.name) else {
        return;
    };
    let event = NewEvent::of_node(name, true, reason, Message::Text(message));
    let now = desk.now();
    desk.store.record(event, now);
}

fn note_removal(node: NodeId, image: Symbol, age: SimDuration, desk: &mut Desk<'_, '_>) {
    let Some(name) = desk.store.node(node).map(|row| row.name) else {
        return;
    };
    desk.out.notice(Notice {
        source: "kube.kubelet",
        verb: "image-gc",
        subject: Subject {
            kind: "node",
            name: Name::plain(name),
        },
        detail: Detail::Text(image),
        rule: Some(Rule {
            key: AGE[0],
            value: age,
        }),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_keep_their_order() {
        let mut settings = ImageSettings::default();
        assert!(
            settings
                .set("kubelet.image-gc-high-threshold", "80")
                .is_err()
        );
        assert!(
            settings
                .set("kubelet.image-gc-high-threshold", "101")
                .is_err()
        );
        assert_eq!(
            settings.set("kubelet.image-gc-low-threshold", "40"),
            Ok(true)
        );
        assert_eq!(
            settings.set("kubelet.imageGCHighThresholdPercent", "50"),
            Ok(true)
        );
        assert_eq!(settings.set("kubelet.unknown", "1"), Ok(false));
        assert_eq!((settings.high, settings.low), (50, 40));
    }

    #[test]
    fn looks_come_every_five_minutes_from_the_start() {
        let at = |seconds| SimTime::ZERO + SimDuration::from_secs(seconds);
        let ticks = Ticks {
            start: at(7),
            period: PERIOD,
        };
        assert_eq!(ticks.before(at(3)), at(7));
        assert_eq!(ticks.before(at(306)), at(7));
        assert_eq!(ticks.before(at(307)), at(307));
        assert_eq!(ticks.at_or_after(at(8)), at(307));
        assert_eq!(ticks.at_or_after(at(307)), at(307));
    }

    #[test]
    fn sizes_have_one_digit() {
        assert_eq!(size(100 << 30), "100.0 GiB");
        assert_eq!(size(1_536), "1.5 KiB");
        assert_eq!(size(10), "10.0 B");
    }
}
