//! Queueing hints: whether a change in the cluster may help a pod that waits.
//!
//! Source: the `isSchedulableAfter…` functions in `pkg/scheduler/framework/plugins`.

use crate::api::kube::affinity::PodAffinityTerm;
use crate::kube::template::PodTemplate;

use super::cache::{Cache, NodeChange};
use super::demand::Demand;
use super::matcher::{Look, Term, spread_selector};
use super::plugins::{Plugin, PluginSet, affinity, taints};

/// A pod that waits.
#[derive(Clone, Copy, Debug)]
pub struct Waiting<'a> {
    /// Its template.
    pub template: &'a PodTemplate,
    /// What it asks for.
    pub demand: &'a Demand,
    /// Who rejected it.
    pub by: PluginSet,
}

/// Whether a new or changed node may help.
pub fn node(waiting: Waiting<'_>, change: NodeChange, cache: &Cache, slot: u32) -> bool {
    let Waiting {
        template,
        demand,
        by,
    } = waiting;
    let numbers = cache.numbers(slot);
    let facts = cache.facts(slot);
    let fits_empty = demand.milli_cpu <= numbers.milli_cpu
        && demand.memory <= numbers.memory
        && demand.ephemeral <= numbers.ephemeral
        && numbers.pods > 0
        && demand
            .extended
            .iter()
            .all(|(name, amount)| facts.allocatable(*name) >= *amount);
    let relabelled = change.added || change.labels;
    by.has(Plugin::NodeResourcesFit) && (change.added || change.grown) && fits_empty
        || by.has(Plugin::TaintToleration)
            && (change.added || change.taints)
            && taints::tolerated(&facts.taints, &template.tolerations)
        || by.has(Plugin::NodeUnschedulable)
            && (change.added || change.uncordoned)
            && !facts.unschedulable
        || by.has(Plugin::NodeAffinity)
            && relabelled
            && affinity::allowed(&template.spec, &facts.text, &facts.labels)
        || by.has(Plugin::NodePorts) && change.added
        || by.has(Plugin::NodeName) && change.added
        || by.has(Plugin::InterPodAffinity) && relabelled
        || by.has(Plugin::PodTopologySpread) && (relabelled || change.taints)
        || relabelled
            && [
                Plugin::VolumeBinding,
                Plugin::VolumeZone,
                Plugin::NodeVolumeLimits,
                Plugin::VolumeRestrictions,
            ]
            .into_iter()
            .any(|plugin| by.has(plugin))
}

/// Whether a node's departure may help: only the emptiest domain can change by it.
pub fn node_gone(waiting: Waiting<'_>) -> bool {
    waiting.by.has(Plugin::PodTopologySpread)
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
    } = waiting;
    by.has(Plugin::NodeResourcesFit)
        || by.has(Plugin::NodePorts)
            && demand
                .ports
                .iter()
                .any(|port| freed.ports.iter().any(|other| port.conflicts(other)))
        || by.has(Plugin::PodTopologySpread) && counts(template, gone, look)
        || by.has(Plugin::InterPodAffinity)
            && (any_term(&template.spec.affinity.anti_required, template, gone, look)
                || any_term(&gone.spec.affinity.anti_required, gone, template, look))
        || by.has(Plugin::VolumeRestrictions)
        || by.has(Plugin::NodeVolumeLimits) && !gone.spec.volumes.is_empty()
}

/// Whether a pod that came to a node may help.
pub fn pod_came(waiting: Waiting<'_>, came: &PodTemplate, look: Look<'_>) -> bool {
    let Waiting { template, by, .. } = waiting;
    by.has(Plugin::PodTopologySpread) && counts(template, came, look)
        || by.has(Plugin::InterPodAffinity)
            && any_term(&template.spec.affinity.pod_required, template, came, look)
}

/// Whether a pod's own new self may be taken where its old self was not.
pub fn own(old: &PodTemplate, new: &PodTemplate, by: PluginSet) -> bool {
    (by.has(Plugin::TaintToleration) || by.has(Plugin::NodeUnschedulable))
        && old.tolerations != new.tolerations
        || (by.has(Plugin::PodTopologySpread) || by.has(Plugin::InterPodAffinity))
            && old.labels != new.labels
        || by.has(Plugin::NodeResourcesFit) && new.requests != old.requests
        || by.has(Plugin::NodeAffinity)
            && (old.spec.affinity != new.spec.affinity
                || old.spec.node_selector != new.spec.node_selector)
}

fn counts(waiting: &PodTemplate, other: &PodTemplate, look: Look<'_>) -> bool {
    let namespace = look.symbols.text(waiting.namespace);
    waiting.spec.topology_spread.iter().any(|constraint| {
        let keys = &constraint.match_label_keys;
        let selector = spread_selector(constraint.selector.as_ref(), keys, &waiting.labels);
        Term::counted(namespace, selector).matches(other, look)
    })
}

fn any_term(
    terms: &[PodAffinityTerm],
    of: &PodTemplate,
    other: &PodTemplate,
    look: Look<'_>,
) -> bool {
    let namespace = look.symbols.text(of.namespace);
    terms
        .iter()
        .any(|term| Term::of(term, namespace, &of.labels).matches(other, look))
}
