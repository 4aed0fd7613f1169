//! Which nodes can take a pod: the filters, in their order, until the first refusal.

use crate::kube::template::PodTemplate;

use super::cache::{Cache, NodeNumbers};
use super::demand::Demand;
use super::explain::Verdict;
use super::matcher::Look;
use super::plan::Plan;
use super::plugins::{Plugin, affinity, taints};
use super::profile::Profile;
use super::volumes::VolumeNeeds;

/// The pod that a cycle is about, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its template.
    pub template: &'a PodTemplate,
    /// What it asks for.
    pub demand: &'a Demand,
    /// Its profile.
    pub profile: &'a Profile,
    /// Its rules about other pods.
    pub plan: &'a Plan,
    /// Its volumes.
    pub volumes: &'a VolumeNeeds,
    /// Where templates and documents are looked up.
    pub look: Look<'a>,
}

/// What is known of one node for one template: what labels and taints say and, for pods whose
/// filters read nothing but the node's numbers, the whole verdict and its scores.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known {
    /// Generation of the node that this was found for; 0: nothing was found yet.
    pub generation: u32,
    /// The first refusal among the filters that read labels and taints.
    pub verdict: Verdict,
    /// Raw score of TaintToleration.
    pub unpreferred: u8,
    /// Raw score of NodeAffinity.
    pub preference: i32,
    /// [`Cache::stamp`] that the rest was found for; 0: nothing was found yet.
    pub stamp: u32,
    /// What all filters say.
    pub now: Verdict,
    /// Score of NodeResourcesFit, if the node fits.
    pub fit: u8,
    /// Score of NodeResourcesBalancedAllocation, if the node fits.
    pub balance: u8,
}

impl Candidate<'_> {
    /// What labels, taints and the cordon say.
    pub fn examine(&self, cache: &Cache, slot: u32) -> Known {
        let facts = cache.facts(slot);
        let (template, profile) = (self.template, self.profile);
        let tolerations = &template.tolerations;
        let on = |plugin| profile.filters.has(plugin);
        let named = template.spec.node_name.as_ref();
        let verdict = if on(Plugin::NodeUnschedulable)
            && facts.unschedulable
            && !taints::tolerates_cordon(tolerations)
        {
            Verdict::Unschedulable
        } else if on(Plugin::NodeName) && named.is_some_and(|name| *name != facts.text) {
            Verdict::NodeName
        } else if on(Plugin::TaintToleration) && !taints::tolerated(&facts.taints, tolerations) {
            Verdict::Taint
        } else if on(Plugin::NodeAffinity)
            && !affinity::allowed_by(&profile.added_affinity, &facts.text, &facts.labels)
        {
            Verdict::AddedAffinity
        } else if on(Plugin::NodeAffinity)
            && !affinity::allowed(&template.spec, &facts.text, &facts.labels)
        {
            Verdict::Affinity
        } else {
            Verdict::Fits
        };
        let preference = affinity::preference(&template.spec.affinity, &facts.text, &facts.labels)
            .saturating_add(affinity::preference(
                &profile.added_affinity,
                &facts.text,
                &facts.labels,
            ));
        Known {
            generation: cache.numbers(slot).generation,
            verdict,
            unpreferred: taints::unpreferred(&facts.taints, tolerations),
            preference,
            ..Known::default()
        }
    }

    /// Whether the filters and the two resource scores read nothing but the node's own labels,
    /// taints and numbers, so that what was found holds until the node's stamp changes.
    pub fn reads_numbers_only(&self) -> bool {
        self.demand.ports.is_empty()
            && self.volumes.is_empty()
            && self.plan.hard.is_empty()
            && !self.plan.filters_by_pods()
            && self.profile.has_plain_resources()
    }

    /// The filters that depend on the pods there.
    pub fn check(&self, cache: &Cache, slot: u32) -> Verdict {
        let filters = self.profile.filters;
        if !self.demand.ports.is_empty() && filters.has(Plugin::NodePorts) {
            let held = &cache.facts(slot).ports;
            let wanted = &self.demand.ports;
            if wanted
                .iter()
                .any(|port| held.iter().any(|other| port.conflicts(other)))
            {
                return Verdict::Ports;
            }
        }
        if filters.has(Plugin::NodeResourcesFit) {
            let lacking = self.lacking(cache.numbers(slot), cache, slot);
            if lacking != 0 {
                return Verdict::Lacking(lacking);
            }
        }
        if !self.volumes.is_empty() {
            let verdict = self.volumes.check(filters, cache, slot, self.look);
            if verdict != Verdict::Fits {
                return verdict;
            }
        }
        if !self.plan.hard.is_empty() && filters.has(Plugin::PodTopologySpread) {
            let verdict = self.spread(cache, slot);
            if verdict != Verdict::Fits {
                return verdict;
            }
        }
        if self.plan.filters_by_pods() && filters.has(Plugin::InterPodAffinity) {
            return self.neighbours(cache, slot);
        }
        Verdict::Fits
    }

    /// NodeResourcesFit. Source: `pkg/scheduler/framework/plugins/noderesources/fit.go`.
    fn lacking(&self, numbers: &NodeNumbers, cache: &Cache, slot: u32) -> u16 {
        let demand = self.demand;
        let mut lacking = 0;
        if numbers.used_pods + 1 > numbers.pods {
            lacking |= Verdict::PODS;
            if numbers.pods == 0 {
                lacking |= Verdict::NEVER;
            }
        }
        let mut weigh = |bit: u16, asked: i64, used: i64, have: i64| {
            if asked > 0 && asked > have - used {
                lacking |= bit;
                if asked > have {
                    lacking |= Verdict::NEVER;
                }
            }
        };
        weigh(
            Verdict::CPU,
            demand.milli_cpu,
            numbers.used_milli_cpu,
            numbers.milli_cpu,
        );
        weigh(
            Verdict::MEMORY,
            demand.memory,
            numbers.used_memory,
            numbers.memory,
        );
        weigh(
            Verdict::EPHEMERAL,
            demand.ephemeral,
            numbers.used_ephemeral,
            numbers.ephemeral,
        );
        if !demand.extended.is_empty() {
            let facts = cache.facts(slot);
            for (index, (name, amount)) in demand.extended.iter().enumerate() {
                if self.profile.ignores_any() && self.profile.ignores(self.look.symbols.text(*name))
                {
                    continue;
                }
                let have = facts.allocatable(*name);
                let bit = Verdict::EXTENDED.checked_shl(index as u32).unwrap_or(0);
                let used = facts.used_extended.extended(*name);
                weigh(bit, *amount, used, have);
            }
        }
        lacking
    }

    /// PodTopologySpread.
    /// Source: `pkg/scheduler/framework/plugins/podtopologyspread/filtering.go`.
    fn spread(&self, cache: &Cache, slot: u32) -> Verdict {
        let index = &cache.index;
        for constraint in &self.plan.hard {
            let value = index.value(constraint.column, slot);
            if value == 0 {
                return Verdict::SpreadLabel;
            }
            let emptiest = match constraint.count {
                super::plan::SpreadCount::Domains(domains) => {
                    index.emptiest(domains, constraint.min_domains)
                }
                super::plan::SpreadCount::Tally(_) | super::plan::SpreadCount::Nodes => 0,
            };
            let there = constraint.count(index, value) + constraint.own;
            if there > constraint.max_skew.saturating_add(emptiest) {
                return Verdict::Spread;
            }
        }
        Verdict::Fits
    }

    /// InterPodAffinity.
    /// Source: `pkg/scheduler/framework/plugins/interpodaffinity/filtering.go`.
    fn neighbours(&self, cache: &Cache, slot: u32) -> Verdict {
        let (index, plan) = (&cache.index, self.plan);
        if !plan.near.is_empty() {
            if plan.near.iter().any(|tally| !index.has_label(*tally, slot)) {
                return Verdict::NotNear;
            }
            let all_there = plan.near.iter().all(|tally| index.near(*tally, slot) > 0);
            let is_first =
                || plan.near_itself && plan.near.iter().all(|tally| index.total(*tally) == 0);
            if !all_there && !is_first() {
                return Verdict::NotNear;
            }
        }
        if plan.far.iter().any(|tally| index.near(*tally, slot) > 0) {
            return Verdict::Near;
        }
        if plan.closed.iter().any(|tally| index.near(*tally, slot) > 0) {
            return Verdict::Unwanted;
        }
        Verdict::Fits
    }
}
