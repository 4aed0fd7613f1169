//! VolumeRestrictions, NodeVolumeLimits, VolumeBinding, VolumeZone.
//!
//! Sources: `pkg/scheduler/framework/plugins/volumebinding/{volume_binding,binder}.go`,
//! `pkg/scheduler/framework/plugins/{volumerestrictions,nodevolumelimits,volumezone}`.

use std::sync::Arc;

use crate::api::kube::affinity::NodeSelectorTerm;
use crate::api::kube::volume::VolumeSource;
use crate::base::arrange::Arrange;
use crate::base::sorted::SortedSet;
use crate::base::symbol::Symbol;
use crate::kube::rows::PodId;
use crate::kube::rows::pod::PodRow;
use crate::kube::selector::label;
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
}

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
        pod: &str,
        template: &PodTemplate,
        users: &dyn Fn(&str) -> Vec<PodId>,
        look: Look<'_>,
    ) -> Result<Self, Rejection> {
        let mut needs = Self::default();
        if template.spec.volumes.is_empty() {
            return Ok(needs);
        }
        let namespace = look.symbols.text(template.namespace);
        let reject = |message: String| {
            Err(Rejection {
                plugin: Plugin::VolumeBinding,
                message,
            })
        };
        let mut claims = Vec::new();
        for volume in &template.spec.volumes {
            let (name, ephemeral): (Arc<str>, bool) = match &volume.source {
                VolumeSource::Claim { name, .. } => (name.clone(), false),
                VolumeSource::Ephemeral => (format!("{pod}-{}", volume.name).into(), true),
                VolumeSource::Disk {
                    identity,
                    shared_read_only,
                    read_only,
                } => {
                    needs.present = true;
                    needs.disks.push(Disk {
                        identity: identity.clone(),
                        shared_read_only: *shared_read_only,
                        read_only: *read_only,
                    });
                    continue;
                }
                VolumeSource::EmptyDir { .. }
                | VolumeSource::ConfigMap(..)
                | VolumeSource::Secret(..)
                | VolumeSource::Image(_)
                | VolumeSource::Other => continue,
            };
            needs.present = true;
            let Some(claim) = claim::find(namespace, &name, look.store) else {
                if ephemeral {
                    return reject(format!(
                        "waiting for ephemeral volume controller to create the persistentvolumeclaim \"{name}\""
                    ));
                }
                // It looks for the access modes of claims before the others look at volumes.
                return Err(Rejection {
                    plugin: Plugin::VolumeRestrictions,
                    message: format!("persistentvolumeclaim \"{name}\" not found"),
                });
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
            if claim.is_exclusive() {
                needs.exclusive.extend(users(&name));
            }
            claims.push(claim);
        }
        let mut immediate = false;
        for claim in claims {
            if claim.is_bound() {
                needs.bound.push(claim::volume(&claim.volume, look.store));
            } else if claim.waits(look.store) {
                let provisioned = claim::provisioner(&claim, look.store);
                needs.waiting.push(Waiting {
                    candidates: claim::candidates(&claim, look.store),
                    provisioned,
                    claim,
                });
            } else {
                immediate = true;
            }
        }
        if immediate {
            return reject("pod has unbound immediate PersistentVolumeClaims".to_owned());
        }
        needs.waiting.arrange_by_key(|waiting| waiting.claim.bytes);
        Ok(needs)
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
            for volume in &self.bound {
                match volume {
                    None => return Verdict::VolumeGone,
                    Some(volume) if !reaches(volume, facts) => return Verdict::VolumeElsewhere,
                    Some(_) => {}
                }
            }
            if self.choose(facts).is_none() {
                return Verdict::NoVolume;
            }
        }
        if filters.has(Plugin::VolumeZone)
            && !self.bound.iter().flatten().all(|it| zoned(it, facts))
        {
            return Verdict::VolumeZone;
        }
        Verdict::Fits
    }

    /// What each waiting claim would get on a node; `None`: one would get nothing.
    pub fn choose(&self, facts: &NodeFacts) -> Option<Vec<Choice>> {
        let mut chosen: Vec<Choice> = Vec::new();
        for waiting in &self.waiting {
            let selected = &waiting.claim.selected_node;
            if !selected.is_empty() && *selected != facts.text {
                return None;
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
            let provided = || {
                let terms = waiting.provisioned.as_ref()?;
                let here = terms.is_empty()
                    || terms
                        .iter()
                        .any(|term| term_matches(term, &facts.text, &facts.labels));
                here.then_some(Choice::Provision)
            };
            chosen.push(found.or_else(provided)?);
        }
        Some(chosen)
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

    /// Whether a driver would have more volumes on the node than its CSINode allows.
    fn exceeds_limit(&self, cache: &Cache, slot: u32, look: Look<'_>) -> bool {
        let facts = cache.facts(slot);
        let limits = claim::limits(&facts.text, look.store);
        if limits.is_empty() {
            return false;
        }
        let mut there: SortedSet<(Arc<str>, Arc<str>)> = SortedSet::new();
        for pod in cache.pods_on(slot) {
            let Some(id) = cache.template_of(pod) else {
                continue;
            };
            let template = look.store.template(id);
            let namespace = look.symbols.text(template.namespace);
            for volume in &template.spec.volumes {
                if let VolumeSource::Claim { name, .. } = &volume.source
                    && let Some(claim) = claim::find(namespace, name, look.store)
                {
                    there.extend(claim::attached(&claim, look.store));
                }
            }
        }
        let bound = self.bound.iter().flatten().filter_map(claim::handle);
        let made = self.waiting.iter().filter_map(|waiting| {
            let driver = claim::driver_of_class(&waiting.claim, look.store)?;
            Some((driver, waiting.claim.key()))
        });
        let new: SortedSet<(Arc<str>, Arc<str>)> = bound
            .chain(made)
            .filter(|volume| !there.contains(volume))
            .collect();
        limits.iter().any(|(driver, limit)| {
            let count = |set: &SortedSet<(Arc<str>, Arc<str>)>| {
                set.iter().filter(|(other, _)| other == driver).count() as u64
            };
            count(&new) > 0 && count(&there) + count(&new) > *limit
        })
    }
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

/// Whether all claims of a pod are bound.
pub fn are_bound(row: &PodRow, look: Look<'_>) -> bool {
    let template = look.store.template(row.template);
    let namespace = look.symbols.text(template.namespace);
    let pod = row.name.text(look.symbols);
    template.spec.volumes.iter().all(|volume| {
        let name: Arc<str> = match &volume.source {
            VolumeSource::Claim { name, .. } => name.clone(),
            VolumeSource::Ephemeral => format!("{pod}-{}", volume.name).into(),
            VolumeSource::EmptyDir { .. }
            | VolumeSource::ConfigMap(..)
            | VolumeSource::Secret(..)
            | VolumeSource::Disk { .. }
            | VolumeSource::Image(_)
            | VolumeSource::Other => return true,
        };
        claim::find(namespace, &name, look.store).is_some_and(|claim| claim.is_bound())
    })
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
    TOPOLOGY_LABELS.iter().all(|key| {
        let Some(zones) = label(&volume.labels, key) else {
            return true;
        };
        label(&facts.labels, key).is_some_and(|zone| zones.split("__").any(|one| one == &**zone))
    })
}
