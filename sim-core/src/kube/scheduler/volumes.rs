//! VolumeRestrictions, NodeVolumeLimits, VolumeBinding, VolumeZone.
//!
//! Sources: `pkg/scheduler/framework/plugins/volumebinding/{volume_binding,binder}.go`,
//! `pkg/scheduler/framework/plugins/{volumerestrictions,nodevolumelimits,volumezone}`.
//! Storage capacity is looked at where a driver asks for it; it has no score, as without the gate
//! `StorageCapacityScoring`.

use std::cell::OnceCell;
use std::sync::Arc;

use crate::api::kube::affinity::NodeSelectorTerm;
use crate::api::kube::volume::{Volume, VolumeSource};
use crate::base::arrange::Arrange;
use crate::base::sorted::SortedSet;
use crate::base::symbol::Symbol;
use crate::base::time::SimTime;
use crate::kube::rows::PodId;
use crate::kube::rows::pod::PodRow;
use crate::kube::selector::{Selector, label};
use crate::kube::store::Store;
use crate::kube::template::PodTemplate;
use crate::kube::volumes::claim::{self, Claim, PersistentVolume};

use super::cache::{Cache, NodeFacts};
use super::explain::Verdict;
use super::matcher::Look;
use super::plugins::affinity::term_matches;
use super::plugins::{Plugin, PluginSet};

/// Labels of a volume that say where it can be used, the old and the new names.
/// Source: `pkg/scheduler/framework/plugins/volumezone/volume_zone.go`.
pub const TOPOLOGY_LABELS: [&str; 4] = [
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
];

/// Why a pod cannot be tried on any node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Who says so.
    pub plugin: Plugin,
    /// In upstream's words.
    pub message: String,
}

/// A claim that waits for its pod's node.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The claim.
    pub claim: Claim,
    /// Volumes that it could have, the best first.
    pub candidates: Vec<PersistentVolume>,
    /// Terms on nodes for which its class can make one; `None`: it can make none.
    pub provisioned: Option<Vec<NodeSelectorTerm>>,
    /// Nodes that have space for one; `None`: its driver does not say where there is any.
    space: Option<Vec<Selector>>,
}

/// Driver and handle of a volume.
type Handle = (Arc<str>, Arc<str>);

/// A disk that the pod names itself.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Disk {
    identity: Arc<str>,
    shared_read_only: bool,
    read_only: bool,
}

/// What a pod's volumes demand of its node.
#[derive(Clone, Debug, Default)]
pub struct VolumeNeeds {
    disks: Vec<Disk>,
    /// Pods that use a claim which is for one pod.
    exclusive: Vec<PodId>,
    /// Volumes of its bound claims; `None`: one is gone.
    bound: Vec<Option<PersistentVolume>>,
    /// Claims that wait for the node.
    pub waiting: Vec<Waiting>,
    /// What drivers have to attach.
    new: SortedSet<Handle>,
    /// What VolumeAttachments say is to be on which node, by node; looked up for the first node that has
    /// a limit.
    placed: OnceCell<Vec<(Arc<str>, Handle)>>,
    present: bool,
}

/// What becomes of a waiting claim on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// It gets this volume.
    Volume(Arc<str>),
    /// A volume is made for it.
    Provision,
}

impl VolumeNeeds {
    /// Looks a pod's claims up, as PreFilter does.
    ///
    /// # Errors
    /// Why no node can take the pod.
    pub fn find(
        (pod, row): (PodId, &PodRow),
        template: &PodTemplate,
        users: &dyn Fn(&str) -> Vec<PodId>,
        look: Look<'_>,
    ) -> Result<Self, Rejection> {
        let mut needs = Self::default();
        if template.spec.volumes.is_empty() {
            return Ok(needs);
        }
        let namespace = look.symbols.text(template.namespace);
        let rejection = |plugin: Plugin, message: String| Rejection { plugin, message };
        let reject = |message: String| Err(rejection(Plugin::VolumeBinding, message));
        needs.see_disks(template);
        // VolumeRestrictions looks for the access modes of claims before the others look at volumes.
        let named = claims_of(row, template, look);
        for (name, ephemeral) in &named {
            needs.present = true;
            if *ephemeral {
                continue;
            }
            let Some(claim) = claim::find(namespace, name, look.store) else {
                let message = format!("persistentvolumeclaim \"{name}\" not found");
                return Err(rejection(Plugin::VolumeRestrictions, message));
            };
            if claim.is_exclusive() {
                needs.exclusive.extend(users(name));
            }
        }
        let mut claims = Vec::new();
        for (name, ephemeral) in named {
            let Some(claim) = claim::find(namespace, &name, look.store) else {
                return reject(format!(
                    "waiting for ephemeral volume controller to create the persistentvolumeclaim \"{name}\""
                ));
            };
            if &*claim.phase == "Lost" {
                return reject(format!(
                    "persistentvolumeclaim \"{name}\" bound to non-existent persistentvolume \"{}\"",
                    claim.volume
                ));
            }
            if claim.deleting {
                return reject(format!("persistentvolumeclaim \"{name}\" is being deleted"));
            }
            if ephemeral && !claim::is_of_pod(&claim, pod, look) {
                return reject(claim::not_of_pod(&claim, &row.name.text(look.symbols)));
            }
            claims.push((claim, ephemeral));
        }
        if claims
            .iter()
            .any(|(claim, _)| !claim.is_bound() && !claim.waits(look.store))
        {
            return reject("pod has unbound immediate PersistentVolumeClaims".to_owned());
        }
        for (claim, ephemeral) in claims {
            needs.new.extend(claim::attached(&claim, look.store));
            if !claim.is_bound() {
                needs.waiting.push(Waiting {
                    provisioned: claim::provisioner(&claim, look.store),
                    candidates: claim::candidates(&claim, look.store),
                    space: claim::space(&claim, look.store),
                    claim,
                });
                continue;
            }
            let volume = claim::volume(&claim.volume, look.store);
            if volume.is_none() && !ephemeral {
                let message = format!("persistentvolume \"{}\" not found", claim.volume);
                return Err(rejection(Plugin::VolumeZone, message));
            }
            needs.bound.push(volume);
        }
        needs.waiting.arrange_by_key(|waiting| waiting.claim.bytes);
        Ok(needs)
    }

    /// Notes the disks that a pod names itself.
    fn see_disks(&mut self, template: &PodTemplate) {
        for volume in &template.spec.volumes {
            if let VolumeSource::Disk {
                identity,
                shared_read_only,
                read_only,
            } = &volume.source
            {
                self.present = true;
                self.disks.push(Disk {
                    identity: identity.clone(),
                    shared_read_only: *shared_read_only,
                    read_only: *read_only,
                });
            }
        }
    }

    /// Whether there is nothing to ask of a node.
    pub const fn is_empty(&self) -> bool {
        !self.present
    }

    /// What the four plugins say of a node.
    pub fn check(&self, filters: PluginSet, cache: &Cache, slot: u32, look: Look<'_>) -> Verdict {
        let facts = cache.facts(slot);
        if filters.has(Plugin::VolumeRestrictions) {
            if self.disk_is_taken(cache, slot, look) {
                return Verdict::DiskTaken;
            }
            if self
                .exclusive
                .iter()
                .any(|pod| cache.node_of(*pod).is_some())
            {
                return Verdict::ClaimTaken;
            }
        }
        if filters.has(Plugin::NodeVolumeLimits) && self.exceeds_limit(cache, slot, look) {
            return Verdict::VolumeLimit;
        }
        if filters.has(Plugin::VolumeBinding) {
            let mut why = self.choose(facts).err().unwrap_or(0);
            for volume in &self.bound {
                let found = match volume {
                    None => Verdict::GONE,
                    Some(volume) if !reaches(volume, facts) => Verdict::ELSEWHERE,
                    Some(_) => continue,
                };
                why |= found;
                break;
            }
            if why != 0 {
                return Verdict::Volumes(why);
            }
        }
        if filters.has(Plugin::VolumeZone)
            && !self.bound.iter().flatten().all(|it| zoned(it, facts))
        {
            return Verdict::VolumeZone;
        }
        Verdict::Fits
    }

    /// What each waiting claim would get on a node.
    ///
    /// # Errors
    /// Why one would get nothing: a bit of [`Verdict::Volumes`].
    pub fn choose(&self, facts: &NodeFacts) -> Result<Vec<Choice>, u8> {
        let mut chosen: Vec<Choice> = Vec::new();
        for waiting in &self.waiting {
            let selected = &waiting.claim.selected_node;
            if !selected.is_empty() && *selected != facts.text {
                return Err(Verdict::NONE);
            }
            let free = |volume: &&PersistentVolume| {
                let mut others = chosen.iter();
                !others.any(|other| *other == Choice::Volume(volume.name.clone()))
            };
            // One that is the claim's already is not passed over where it does not reach.
            let found = waiting
                .candidates
                .iter()
                .filter(|_| selected.is_empty())
                .filter(free)
                .find(|volume| volume.claim.is_some() || reaches(volume, facts))
                .filter(|volume| reaches(volume, facts))
                .map(|volume| Choice::Volume(volume.name.clone()));
            let choice = match found {
                Some(volume) => volume,
                None => provided(waiting, facts)?,
            };
            chosen.push(choice);
        }
        Ok(chosen)
    }

    fn disk_is_taken(&self, cache: &Cache, slot: u32, look: Look<'_>) -> bool {
        if self.disks.is_empty() {
            return false;
        }
        let there = cache.pods_on(slot);
        let mut sources = there
            .iter()
            .filter_map(|pod| cache.template_of(*pod))
            .flat_map(|id| look.store.template(id).spec.volumes.iter());
        sources.any(|volume| match &volume.source {
            VolumeSource::Disk {
                identity,
                read_only,
                ..
            } => self.disks.iter().any(|disk| {
                disk.identity == *identity
                    && !(disk.shared_read_only && disk.read_only && *read_only)
            }),
            VolumeSource::Claim { .. }
            | VolumeSource::Ephemeral
            | VolumeSource::EmptyDir { .. }
            | VolumeSource::ConfigMap(..)
            | VolumeSource::Secret(..)
            | VolumeSource::Image(_)
            | VolumeSource::Other => false,
        })
    }

    /// Whether a driver would have more volumes on the node than its CSINode allows. Those that only
    /// an attachment speaks of count, too.
    fn exceeds_limit(&self, cache: &Cache, slot: u32, look: Look<'_>) -> bool {
        if self.new.is_empty() {
            return false;
        }
        let facts = cache.facts(slot);
        let limits = claim::limits(&facts.text, look.store);
        if limits.is_empty() {
            return false;
        }
        let mut used: SortedSet<Handle> = SortedSet::new();
        for pod in cache.pods_on(slot) {
            let (Some(id), Some(row)) = (cache.template_of(pod), look.store.pod(pod)) else {
                continue;
            };
            let template = look.store.template(id);
            let namespace = look.symbols.text(template.namespace);
            for (name, _) in claims_of(row, template, look) {
                if let Some(claim) = claim::find(namespace, &name, look.store) {
                    used.extend(claim::attached(&claim, look.store));
                }
            }
        }
        let placed = self.placed.get_or_init(|| claim::attachments(look.store));
        let from = placed.partition_point(|(node, _)| *node < facts.text);
        let mut there = used.clone();
        let here = placed[from..]
            .iter()
            .take_while(|(node, _)| *node == facts.text);
        there.extend(here.map(|(_, handle)| handle.clone()));
        limits.iter().any(|(driver, limit)| {
            let new = self
                .new
                .iter()
                .filter(|it| it.0 == *driver && !used.contains(it));
            let new = new.count() as u64;
            let old = there.iter().filter(|it| it.0 == *driver).count() as u64;
            new > 0 && old + new > *limit
        })
    }
}

/// The name of a volume's claim, and whether it is that of an ephemeral volume.
pub fn claim_of(row: &PodRow, volume: &Volume, look: Look<'_>) -> Option<(Arc<str>, bool)> {
    match &volume.source {
        VolumeSource::Claim { name, .. } => Some((name.clone(), false)),
        VolumeSource::Ephemeral => {
            let pod = row.name.text(look.symbols);
            Some((format!("{pod}-{}", volume.name).into(), true))
        }
        VolumeSource::EmptyDir { .. }
        | VolumeSource::ConfigMap(..)
        | VolumeSource::Secret(..)
        | VolumeSource::Disk { .. }
        | VolumeSource::Image(_)
        | VolumeSource::Other => None,
    }
}

/// The same of all volumes of a pod.
fn claims_of(row: &PodRow, template: &PodTemplate, look: Look<'_>) -> Vec<(Arc<str>, bool)> {
    let volumes = template.spec.volumes.iter();
    volumes.filter_map(|it| claim_of(row, it, look)).collect()
}

/// Whether a claim's class makes volumes for a node, and has space for it there.
/// Source: `binder.go` (`checkVolumeProvisions`).
fn provided(waiting: &Waiting, facts: &NodeFacts) -> Result<Choice, u8> {
    let terms = waiting.provisioned.as_ref().ok_or(Verdict::NONE)?;
    let matches = |term| term_matches(term, &facts.text, &facts.labels);
    if !terms.is_empty() && !terms.iter().any(matches) {
        return Err(Verdict::NONE);
    }
    let nodes = waiting.space.as_ref();
    if nodes.is_some_and(|nodes| !nodes.iter().any(|it| it.matches(&facts.labels))) {
        return Err(Verdict::SPACE);
    }
    Ok(Choice::Provision)
}

/// Pods that are placed and use a claim.
pub fn users(claim: &str, namespace: Symbol, cache: &Cache, look: Look<'_>) -> Vec<PodId> {
    let uses = |template: &PodTemplate| {
        template.namespace == namespace
            && template.spec.volumes.iter().any(|volume| {
                matches!(&volume.source, VolumeSource::Claim { name, .. } if &**name == claim)
            })
    };
    cache
        .tree
        .slots()
        .iter()
        .flat_map(|slot| cache.pods_on(*slot))
        .filter(|pod| {
            let id = cache.template_of(*pod);
            id.is_some_and(|id| uses(look.store.template(id)))
        })
        .collect()
}

/// Writes what was chosen for a claim: the volume is reserved for it, or the claim is told the node.
/// Source: `pkg/scheduler/framework/plugins/volumebinding/binder.go` (`bindAPIUpdate`).
pub fn reserve(claim: &Claim, choice: &Choice, node: &str, store: &mut Store) {
    match choice {
        Choice::Volume(volume) => {
            if let Some(volume) = claim::volume(volume, store) {
                claim::reserve(&volume, claim, store);
            }
        }
        Choice::Provision => claim::select_node(claim, node, store),
    }
}

/// What a pod on its way to a node waits for: its claims and what was chosen for them.
#[derive(Clone, Debug)]
pub struct Awaited {
    /// When it has waited for too long.
    pub until: SimTime,
    /// Claims by namespace and name.
    pub claims: Vec<(Arc<str>, Arc<str>, Choice)>,
}

/// Whether all claims that a pod waits for are bound.
/// Source: `binder.go` (`checkBindings`).
///
/// # Errors
/// Why they will not be as it was chosen.
pub fn are_bound(awaited: &Awaited, facts: &NodeFacts, store: &Store) -> Result<bool, String> {
    let affinity = |volume: &PersistentVolume| {
        if reaches(volume, facts) {
            return Ok(());
        }
        Err(format!(
            "pv \"{}\" node affinity doesn't match node \"{}\": no matching NodeSelectorTerms",
            volume.name, facts.text
        ))
    };
    for (namespace, name, choice) in &awaited.claims {
        let claim = claim::find(namespace, name, store);
        let gone =
            |what: &str| format!("{what}: persistentvolumeclaim \"{namespace}/{name}\" not found");
        let claim = match choice {
            Choice::Volume(volume) => {
                let check = "failed to check binding";
                let found = claim::volume(volume, store);
                let found = found
                    .ok_or_else(|| format!("{check}: persistentvolume \"{volume}\" not found"))?;
                let claim = claim.ok_or_else(|| gone(check))?;
                affinity(&found)?;
                if found.claim_uid.is_empty() {
                    return Err(format!("ClaimRef got reset for pv \"{volume}\""));
                }
                claim
            }
            Choice::Provision => {
                let claim = claim.ok_or_else(|| gone("failed to check provisioning pvc"))?;
                if claim.selected_node != facts.text {
                    return Err(format!("provisioning failed for PVC \"{name}\""));
                }
                if let Some(volume) = claim::volume(&claim.volume, store) {
                    affinity(&volume)?;
                }
                claim
            }
        };
        if !claim.is_bound() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a volume's node affinity allows a node.
fn reaches(volume: &PersistentVolume, facts: &NodeFacts) -> bool {
    let Some(terms) = &volume.node_affinity else {
        return true;
    };
    terms
        .iter()
        .any(|term| term_matches(term, &facts.text, &facts.labels))
}

/// Whether the zone labels of a volume allow a node; a node without any such label passes.
fn zoned(volume: &PersistentVolume, facts: &NodeFacts) -> bool {
    if !TOPOLOGY_LABELS
        .iter()
        .any(|key| label(&facts.labels, key).is_some())
    {
        return true;
    }
    TOPOLOGY_LABELS.iter().enumerate().all(|(place, key)| {
        let Some(zones) = label(&volume.labels, key) else {
            return true;
        };
        if zones.split("__").any(|one| one.trim().is_empty()) {
            return true;
        }
        // A node may have the new name where the volume has the old one.
        let zone =
            label(&facts.labels, key).or_else(|| label(&facts.labels, TOPOLOGY_LABELS[place % 2]));
        zone.is_some_and(|zone| zones.split("__").any(|one| one.trim() == &**zone))
    })
}
