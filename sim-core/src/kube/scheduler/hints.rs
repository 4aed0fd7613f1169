//! Queueing hints: whether a change in the cluster may help a pod that waits.
//!
//! Source: `EventsToRegister` and the `isSchedulableAfter…` functions of each plugin in
//! `pkg/scheduler/framework/plugins`.

use std::sync::Arc;

use crate::api::kube::affinity::{Affinity, PodAffinityTerm};
use crate::api::kube::volume::VolumeSource;
use crate::base::symbol::Symbol;
use crate::kube::selector::{Selector, label};
use crate::kube::store::document::{ATTACHMENTS, DocumentKey};
use crate::kube::template::PodTemplate;
use crate::kube::volumes::claim::{
    CAPACITIES, CLAIMS, CLASSES, CSI_NODES, VOLUMES, capacity_limit, limits_of,
};
use crate::manifest::value::Value;

use super::cache::{Cache, NodeBefore, NodeChange, NodeFacts};
use super::demand::Demand;
use super::matcher::{Look, Term, spread_selector};
use super::plugins::{Plugin, PluginSet, affinity, taints};
use super::profile::Profile;
use super::volumes::TOPOLOGY_LABELS;

/// Plugins that a pod's coming to a node may satisfy.
pub const RELATIONS: PluginSet = PluginSet::NONE
    .with(Plugin::PodTopologySpread)
    .with(Plugin::InterPodAffinity);

/// A pod that waits.
#[derive(Clone, Copy, Debug)]
pub struct Waiting<'a> {
    /// Its template.
    pub template: &'a PodTemplate,
    /// What it asks for.
    pub demand: &'a Demand,
    /// Its profile.
    pub profile: &'a Profile,
    /// Who rejected it.
    pub by: PluginSet,
}

/// Whether a new or changed node may help.
pub fn node(waiting: Waiting<'_>, change: &NodeChange, cache: &Cache, slot: u32) -> bool {
    let Waiting { template, by, .. } = waiting;
    let facts = cache.facts(slot);
    let relabelled = change.added || change.labels;
    let allowed =
        |labels: &[(Arc<str>, Arc<str>)]| affinity::allowed(&template.spec, &facts.text, labels);
    let added = &waiting.profile.added_affinity;
    by.has(Plugin::NodeResourcesFit)
        && (change.added || change.grown)
        && has_room(waiting, change, cache, slot)
        || by.has(Plugin::TaintToleration)
            && (change.added
                || change.taints
                    && !taints::tolerated(&change.before.taints, &template.tolerations))
            && taints::tolerated(&facts.taints, &template.tolerations)
        || by.has(Plugin::NodeUnschedulable)
            && (change.added || change.uncordoned)
            && !facts.unschedulable
        || by.has(Plugin::NodeAffinity)
            && relabelled
            && affinity::allowed_by(added, &facts.text, &facts.labels)
            && allowed(&facts.labels)
            && (change.added || !allowed(&change.before.labels))
        || (by.has(Plugin::NodePorts)
            || by.has(Plugin::NodeName)
            || by.has(Plugin::VolumeRestrictions)
            || by.has(Plugin::NodeVolumeLimits))
            && change.added
        || (by.has(Plugin::VolumeBinding) || by.has(Plugin::VolumeZone)) && relabelled
        || by.has(Plugin::InterPodAffinity)
            && relabelled
            && changes_domain(&template.spec.affinity, change, facts)
        || by.has(Plugin::PodTopologySpread)
            && (relabelled || change.taints)
            && changes_spread(waiting, change, facts)
}

/// Whether the pod would fit on the node if it were empty, and the node has more of what it asks for.
fn has_room(waiting: Waiting<'_>, change: &NodeChange, cache: &Cache, slot: u32) -> bool {
    let (demand, numbers, facts) = (waiting.demand, cache.numbers(slot), cache.facts(slot));
    let fits = demand.milli_cpu <= numbers.milli_cpu
        && demand.memory <= numbers.memory
        && demand.ephemeral <= numbers.ephemeral
        && numbers.pods > 0
        && demand
            .extended
            .iter()
            .all(|(name, amount)| facts.allocatable(*name) >= *amount);
    let before = &change.before;
    fits && (change.added
        || numbers.pods > before.pods
        || demand.milli_cpu > 0 && numbers.milli_cpu > before.milli_cpu
        || demand.memory > 0 && numbers.memory > before.memory
        || demand.ephemeral > 0 && numbers.ephemeral > before.ephemeral
        || demand
            .extended
            .iter()
            .any(|(name, _)| facts.allocatable(*name) > allocatable_before(before, *name)))
}

fn allocatable_before(before: &NodeBefore, name: Symbol) -> i64 {
    let mut all = before.extended.iter();
    all.find(|(other, _)| *other == name)
        .map_or(0, |(_, amount)| *amount)
}

/// Whether a node came to another domain of a term: a new one of affinity, or one of anti-affinity
/// that it has left.
fn changes_domain(terms: &Affinity, change: &NodeChange, facts: &NodeFacts) -> bool {
    let values = |term: &PodAffinityTerm| {
        let before = label(&change.before.labels, &term.topology_key);
        (before, label(&facts.labels, &term.topology_key))
    };
    if change.added {
        return !terms.anti_required.is_empty()
            || terms.pod_required.iter().any(|it| values(it).1.is_some());
    }
    let mut wanted = terms.pod_required.iter().map(values);
    let mut hated = terms.anti_required.iter().map(values);
    wanted.any(|(before, now)| now.is_some() && before != now)
        || hated.any(|(before, now)| before.is_some() && before != now)
}

/// Whether a node's place among the domains of the constraints changed.
fn changes_spread(waiting: Waiting<'_>, change: &NodeChange, facts: &NodeFacts) -> bool {
    let keys = hard_keys(waiting);
    let has_all =
        |labels: &[(Arc<str>, Arc<str>)]| keys.iter().all(|key| label(labels, key).is_some());
    let now = has_all(&facts.labels);
    if change.added {
        return now;
    }
    let before = &change.before.labels;
    let mut each = keys.iter();
    now != has_all(before)
        || now && (change.taints || each.any(|key| label(before, key) != label(&facts.labels, key)))
}

/// Topology keys of a pod's hard constraints, or of the profile's where it has none of its own.
fn hard_keys(waiting: Waiting<'_>) -> Vec<&str> {
    let own = &waiting.template.spec.topology_spread;
    let list = if own.is_empty() {
        &waiting.profile.default_constraints
    } else {
        own
    };
    let hard = list.iter().filter(|constraint| constraint.hard);
    hard.map(|constraint| &*constraint.topology_key).collect()
}

/// Whether a node's departure may help: only the emptiest domain can change by it.
pub fn node_gone(waiting: Waiting<'_>, labels: &[(Arc<str>, Arc<str>)]) -> bool {
    waiting.by.has(Plugin::PodTopologySpread)
        && hard_keys(waiting)
            .iter()
            .all(|key| label(labels, key).is_some())
}

/// Whether the end of another pod, or of its hold on a node, may help.
pub fn pod_gone(
    waiting: Waiting<'_>,
    (gone, freed): (&PodTemplate, &Demand),
    look: Look<'_>,
) -> bool {
    let Waiting {
        template,
        demand,
        by,
        ..
    } = waiting;
    by.has(Plugin::NodeResourcesFit)
        || by.has(Plugin::NodePorts)
            && demand
                .ports
                .iter()
                .any(|port| freed.ports.iter().any(|other| port.conflicts(other)))
        || by.has(Plugin::PodTopologySpread)
            && gone.namespace == template.namespace
            && counts(waiting, gone)
        || by.has(Plugin::InterPodAffinity)
            && (all_terms(&template.spec.affinity.anti_required, template, gone, look)
                || all_terms(&gone.spec.affinity.anti_required, gone, template, look))
        || by.has(Plugin::VolumeRestrictions)
            && gone.namespace == template.namespace
            && shares_volume(template, gone)
        || by.has(Plugin::NodeVolumeLimits)
            && gone.spec.volumes.iter().any(|volume| {
                matches!(
                    volume.source,
                    VolumeSource::Claim { .. }
                        | VolumeSource::Ephemeral
                        | VolumeSource::Disk { .. }
                )
            })
}

/// Whether it may help that a claim, a volume or the like was written; what it was before, if it was
/// there.
pub fn storage(
    waiting: Waiting<'_>,
    key: &DocumentKey,
    before: Option<&Value>,
    look: Look<'_>,
) -> bool {
    let Waiting { template, by, .. } = waiting;
    let now = look.store.documents().get(key).map(|it| &it.value);
    let Some(now) = now else {
        let mut volumes = template.spec.volumes.iter();
        return &*key.resource == ATTACHMENTS
            && by.has(Plugin::NodeVolumeLimits)
            && volumes.any(|it| matches!(it.source, VolumeSource::Claim { .. }));
    };
    let added = before.is_none();
    let differs = |path: &[&str]| before.is_some_and(|before| before.path(path) != now.path(path));
    match &*key.resource {
        CLAIMS => {
            let (direct, through) = names_claim(template, key, look);
            direct && (by.has(Plugin::VolumeZone) || added && by.has(Plugin::VolumeRestrictions))
                || (direct || through)
                    && (by.has(Plugin::VolumeBinding) || added && by.has(Plugin::NodeVolumeLimits))
        }
        VOLUMES => {
            let mut labels = TOPOLOGY_LABELS.iter();
            by.has(Plugin::VolumeBinding)
                || by.has(Plugin::VolumeZone)
                    && (added || labels.any(|label| differs(&["metadata", "labels", label])))
        }
        CLASSES => {
            let mode = now.str_at(&["volumeBindingMode"]);
            by.has(Plugin::VolumeBinding) && (added || differs(&["allowedTopologies"]))
                || by.has(Plugin::VolumeZone) && added && mode == Some("WaitForFirstConsumer")
        }
        CSI_NODES => {
            const MIGRATED_PLUGINS: &str = "storage.alpha.kubernetes.io/migrated-plugins";
            let before = before.map(limits_of).unwrap_or_default();
            let limit = |driver: &Arc<str>| {
                let mut all = before.iter();
                all.find(|(name, _)| name == driver)
                    .map_or(0, |(_, count)| *count)
            };
            let migrated = ["metadata", "annotations", MIGRATED_PLUGINS];
            by.has(Plugin::VolumeBinding) && (added || differs(&migrated))
                || by.has(Plugin::NodeVolumeLimits)
                    && (added
                        || limits_of(now)
                            .iter()
                            .any(|(name, count)| limit(name) < *count))
        }
        CAPACITIES => {
            let old = before.and_then(capacity_limit);
            by.has(Plugin::VolumeBinding) && (added || capacity_limit(now) > old)
        }
        _ => false,
    }
}

/// Whether a pod names a claim itself, and whether one of its ephemeral volumes is to be that claim.
/// The pods that wait have one template: the claim's name begins with the pod's.
fn names_claim(template: &PodTemplate, key: &DocumentKey, look: Look<'_>) -> (bool, bool) {
    if look.symbols.text(template.namespace) != &*key.namespace {
        return (false, false);
    }
    let mut found = (false, false);
    for volume in &template.spec.volumes {
        match &volume.source {
            VolumeSource::Claim { name, .. } => found.0 |= *name == key.name,
            VolumeSource::Ephemeral => {
                let pod = key.name.strip_suffix(&*volume.name);
                found.1 |= pod.is_some_and(|pod| pod.ends_with('-'));
            }
            VolumeSource::EmptyDir { .. }
            | VolumeSource::ConfigMap(..)
            | VolumeSource::Secret(..)
            | VolumeSource::Disk { .. }
            | VolumeSource::Image(_)
            | VolumeSource::Other => {}
        }
    }
    found
}

/// Whether two pods want a disk that only one may have, or the same claim.
fn shares_volume(waiting: &PodTemplate, other: &PodTemplate) -> bool {
    let theirs = &other.spec.volumes;
    waiting.spec.volumes.iter().any(|mine| {
        theirs
            .iter()
            .any(|their| match (&mine.source, &their.source) {
                (VolumeSource::Claim { name, .. }, VolumeSource::Claim { name: other, .. }) => {
                    name == other
                }
                (
                    VolumeSource::Disk {
                        identity,
                        shared_read_only,
                        read_only,
                    },
                    VolumeSource::Disk {
                        identity: other,
                        read_only: reads,
                        ..
                    },
                ) => identity == other && !(*shared_read_only && *read_only && *reads),
                _ => false,
            })
    })
}

/// Whether a pod that came to a node may help.
pub fn pod_came(waiting: Waiting<'_>, came: &PodTemplate, look: Look<'_>) -> bool {
    let Waiting { template, by, .. } = waiting;
    by.has(Plugin::PodTopologySpread)
        && came.namespace == template.namespace
        && counts(waiting, came)
        || by.has(Plugin::InterPodAffinity)
            && all_terms(&template.spec.affinity.pod_required, template, came, look)
}

/// Whether it may help that a pod on a node has other labels, or asks for less.
pub fn pod_changed(
    waiting: Waiting<'_>,
    [old, new]: [&PodTemplate; 2],
    [before, after]: [&Demand; 2],
    look: Look<'_>,
) -> bool {
    let Waiting {
        template,
        demand,
        by,
        ..
    } = waiting;
    let affinity = &template.spec.affinity;
    let matches =
        |terms: &[PodAffinityTerm], pod: &PodTemplate| all_terms(terms, template, pod, look);
    by.has(Plugin::NodeResourcesFit)
        && (demand.milli_cpu > 0 && after.milli_cpu < before.milli_cpu
            || demand.memory > 0 && after.memory < before.memory
            || demand.ephemeral > 0 && after.ephemeral < before.ephemeral)
        || old.labels != new.labels
            && (by.has(Plugin::PodTopologySpread)
                && new.namespace == template.namespace
                && recounts(waiting, old, new)
                || by.has(Plugin::InterPodAffinity)
                    && (!matches(&affinity.pod_required, old)
                        && matches(&affinity.pod_required, new)
                        || matches(&affinity.anti_required, old)
                            && !matches(&affinity.anti_required, new)))
}

/// Whether a pod's own new self may be taken where its old self was not.
pub fn own(waiting: Waiting<'_>, old: &PodTemplate, new: &PodTemplate) -> bool {
    let by = waiting.by;
    let tolerates_more = old.tolerations.len() != new.tolerations.len();
    let mut constraints = new.spec.topology_spread.iter();
    tolerates_more
        && (by.has(Plugin::TaintToleration)
            || by.has(Plugin::NodeUnschedulable) && taints::tolerates_cordon(&new.tolerations)
            || by.has(Plugin::PodTopologySpread)
                && constraints.any(|constraint| constraint.hard && constraint.honor_taints))
        || old.labels != new.labels
            && (by.has(Plugin::InterPodAffinity)
                || by.has(Plugin::PodTopologySpread) && recounts(waiting, old, new))
        || by.has(Plugin::NodeResourcesFit)
            && (new.requests.milli_cpu < old.requests.milli_cpu
                || new.requests.memory < old.requests.memory
                || new.requests.ephemeral_storage < old.requests.ephemeral_storage)
}

/// Whether a hard constraint counts pods of a template.
fn counts(waiting: Waiting<'_>, other: &PodTemplate) -> bool {
    any_hard(waiting, |it| it.matches(&other.labels))
}

/// Whether a hard constraint counts a pod with its new labels and did not before, or the other way.
fn recounts(waiting: Waiting<'_>, old: &PodTemplate, new: &PodTemplate) -> bool {
    any_hard(waiting, |it| {
        it.matches(&old.labels) != it.matches(&new.labels)
    })
}

/// Whether the selector of a hard constraint fits. One of the profile has the selector of whoever owns
/// the pod, which is not looked at here.
fn any_hard(waiting: Waiting<'_>, fits: impl Fn(&Selector) -> bool) -> bool {
    let template = waiting.template;
    let mut own = template.spec.topology_spread.iter();
    template.spec.topology_spread.is_empty()
        || own.any(|constraint| {
            let keys = &constraint.match_label_keys;
            constraint.hard
                && spread_selector(constraint.selector.as_ref(), keys, &template.labels)
                    .is_some_and(|selector| fits(&selector))
        })
}

/// Whether a pod matches every one of some terms; no terms: it does not.
fn all_terms(
    terms: &[PodAffinityTerm],
    of: &PodTemplate,
    other: &PodTemplate,
    look: Look<'_>,
) -> bool {
    let namespace = look.symbols.text(of.namespace);
    !terms.is_empty()
        && terms
            .iter()
            .all(|term| Term::of(term, namespace, &of.labels).matches(other, look))
}
