//! What a pod's rules about other pods come down to: which counts are to be asked.
//!
//! Sources: `pkg/scheduler/framework/plugins/podtopologyspread/{common,plugin,filtering,scoring}.go`,
//! `pkg/scheduler/framework/plugins/interpodaffinity/{filtering,scoring}.go`,
//! `pkg/scheduler/framework/plugins/helper/spread.go`.

use crate::api::kube::affinity::{PodAffinityTerm, WeightedPodTerm};
use crate::api::kube::spread::SpreadConstraint;
use crate::kube::selector::{Labels, Requirement, Selector};
use crate::kube::template::{PodTemplate, TemplateId};

use super::index::{Eligible, Index, Nodes, SourceKey, pods_of};
use super::matcher::{Look, PodMatcher, Term, spread_selector};
use super::profile::Profile;

/// Label that every node has with its own name.
const HOSTNAME: &str = "kubernetes.io/hostname";

/// One spread constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread {
    /// Pods that count, by node.
    pub source: u32,
    /// Column of the topology key.
    pub column: u32,
    /// Whether the key is the hostname: each node is a domain.
    pub hostname: bool,
    /// `maxSkew`.
    pub max_skew: u32,
    /// `minDomains`.
    pub min_domains: u32,
    /// Whether the pod counts itself.
    pub own: u32,
    /// Counts by domain.
    pub count: SpreadCount,
}

/// Where a constraint's counts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpreadCount {
    /// Each node is a domain of its own: its pods are counted by node.
    Nodes,
    /// All nodes are domains.
    Tally(u32),
    /// Some are.
    Domains(u32),
}

impl Spread {
    /// Pods in the domain of a value.
    pub fn count(&self, index: &Index, value: u32) -> u32 {
        match self.count {
            SpreadCount::Nodes => 0,
            SpreadCount::Tally(tally) => index.in_domain(tally, value),
            SpreadCount::Domains(domains) => index.eligible_in(domains, value),
        }
    }
}

/// The rules of one template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Constraints that filter.
    pub hard: Vec<Spread>,
    /// Constraints that score.
    pub soft: Vec<Spread>,
    /// Nodes without one of the keys get no score for spreading.
    pub all_keys: bool,
    /// Tallies of the pods that match all required affinity terms, one for each term.
    pub near: Vec<u32>,
    /// Whether the pod matches its own affinity terms.
    pub near_itself: bool,
    /// Tallies of the pods that it must not be near.
    pub far: Vec<u32>,
    /// Tallies of the pods that do not want it near.
    pub closed: Vec<u32>,
    /// Weights and tallies of what it, or pods that are there, would like.
    pub wishes: Vec<(i64, u32)>,
    /// How many templates with terms it has been compared with.
    seen: usize,
    /// State of the Services that the default constraints were made for, and the profile.
    made_for: (u64, u32),
}

impl Plan {
    /// Whether it filters by other pods.
    pub fn filters_by_pods(&self) -> bool {
        !(self.near.is_empty() && self.far.is_empty() && self.closed.is_empty())
    }

    /// Whether it was made for this state of the Services and this profile.
    pub fn is_of(&self, made_for: (u64, u32)) -> bool {
        self.made_for == made_for
    }

    /// Makes the plan of a template. `owner`: the selector of what controls the pod. `made_for`: see
    /// [`Self::is_of`].
    pub fn make(
        id: TemplateId,
        owner: Option<&Selector>,
        profile: &Profile,
        made_for: (u64, u32),
        index: &mut Index,
        (nodes, look): (Nodes<'_>, Look<'_>),
    ) -> Self {
        let template = look.store.template(id).clone();
        let namespace = look.symbols.text(template.namespace);
        let spec = &template.spec;
        let labels = &template.labels;
        let mut plan = Self {
            made_for,
            ..Self::default()
        };
        let at = (nodes, look);
        if spec.topology_spread.is_empty() {
            plan.default_spread(id, &template, owner, profile, index, at);
        } else {
            let (hard, soft): (Vec<_>, Vec<_>) =
                spec.topology_spread.iter().partition(|it| it.hard);
            plan.hard = spreads(id, &template, &hard, index, at);
            plan.soft = spreads(id, &template, &soft, index, at);
            plan.all_keys = true;
        }
        let term = |written: &PodAffinityTerm| Term::of(written, namespace, labels);
        let affinity = &spec.affinity;
        if !affinity.pod_required.is_empty() {
            let matcher = PodMatcher(affinity.pod_required.iter().map(term).collect());
            plan.near_itself = matcher.matches(&template, look);
            let source = index.source(SourceKey::Pods(matcher, false), look);
            for written in &affinity.pod_required {
                let column = index.column(&written.topology_key, nodes);
                plan.near.push(index.tally(source, column));
            }
        }
        for written in &affinity.anti_required {
            let source = index.source(pods_of(term(written), false), look);
            let column = index.column(&written.topology_key, nodes);
            plan.far.push(index.tally(source, column));
        }
        let mut wish = |list: &[WeightedPodTerm], sign: i64| {
            for written in list {
                let source = index.source(pods_of(term(&written.term), false), look);
                let column = index.column(&written.term.topology_key, nodes);
                let tally = index.tally(source, column);
                plan.wishes.push((sign * i64::from(written.weight), tally));
            }
        };
        wish(&affinity.pod_preferred, 1);
        wish(&affinity.anti_preferred, -1);
        plan
    }

    /// Compares with the terms of templates that were placed since.
    pub fn extend(
        &mut self,
        template: &PodTemplate,
        profile: &Profile,
        index: &mut Index,
        (nodes, look): (Nodes<'_>, Look<'_>),
    ) {
        let new: Vec<u32> = index.affine_from(self.seen).to_vec();
        self.seen += new.len();
        for id in new {
            let other = look.store.template(TemplateId(id)).clone();
            let namespace = look.symbols.text(other.namespace);
            let affinity = &other.spec.affinity;
            let tally = |written: &PodAffinityTerm, index: &mut Index| {
                if !Term::of(written, namespace, &other.labels).matches(template, look) {
                    return None;
                }
                let source = index.source(SourceKey::Template(id), look);
                let column = index.column(&written.topology_key, nodes);
                Some(index.tally(source, column))
            };
            for written in &affinity.anti_required {
                if let Some(tally) = tally(written, index)
                    && !self.closed.contains(&tally)
                {
                    self.closed.push(tally);
                }
            }
            if profile.hard_pod_affinity_weight > 0 {
                for written in &affinity.pod_required {
                    if let Some(tally) = tally(written, index) {
                        self.wishes.push((profile.hard_pod_affinity_weight, tally));
                    }
                }
            }
            if profile.ignore_preferred {
                continue;
            }
            for (list, sign) in [(&affinity.pod_preferred, 1), (&affinity.anti_preferred, -1)] {
                for written in list {
                    if let Some(tally) = tally(&written.term, index) {
                        self.wishes.push((sign * i64::from(written.weight), tally));
                    }
                }
            }
        }
    }

    /// Constraints of the profile, for pods that belong to some Service or controller.
    fn default_spread(
        &mut self,
        id: TemplateId,
        template: &PodTemplate,
        owner: Option<&Selector>,
        profile: &Profile,
        index: &mut Index,
        at: (Nodes<'_>, Look<'_>),
    ) {
        let selector = default_selector(template, owner, at.1);
        if selector.0.is_empty() {
            return;
        }
        let make = |hard: bool, index: &mut Index| {
            let list: Vec<(&SpreadConstraint, Option<Selector>)> = profile
                .default_constraints
                .iter()
                .filter(|constraint| constraint.hard == hard)
                .map(|constraint| (constraint, Some(selector.clone())))
                .collect();
            compile(id, template, &list, profile.system_defaults, index, at)
        };
        self.hard = make(true, index);
        self.soft = make(false, index);
        self.all_keys = !profile.system_defaults;
    }
}

/// Constraints that the pod states.
fn spreads(
    id: TemplateId,
    template: &PodTemplate,
    list: &[&SpreadConstraint],
    index: &mut Index,
    at: (Nodes<'_>, Look<'_>),
) -> Vec<Spread> {
    let list: Vec<(&SpreadConstraint, Option<Selector>)> = list
        .iter()
        .map(|constraint| {
            let keys = &constraint.match_label_keys;
            let selector = spread_selector(constraint.selector.as_ref(), keys, &template.labels);
            (*constraint, selector)
        })
        .collect();
    compile(id, template, &list, false, index, at)
}

fn compile(
    id: TemplateId,
    template: &PodTemplate,
    list: &[(&SpreadConstraint, Option<Selector>)],
    system: bool,
    index: &mut Index,
    (nodes, look): (Nodes<'_>, Look<'_>),
) -> Vec<Spread> {
    let namespace = look.symbols.text(template.namespace);
    let columns: Vec<u32> = list
        .iter()
        .map(|(constraint, _)| index.column(&constraint.topology_key, nodes))
        .collect();
    let restricted =
        !template.spec.node_selector.is_empty() || template.spec.affinity.node_required.is_some();
    let one_key = columns.iter().all(|column| *column == columns[0]);
    let mut spreads = Vec::new();
    for ((constraint, selector), column) in list.iter().zip(&columns) {
        let own = selector
            .as_ref()
            .is_some_and(|selector| selector.matches(&template.labels));
        let source = index.source(
            pods_of(Term::counted(namespace, selector.clone()), true),
            look,
        );
        let honor_affinity = constraint.honor_affinity && restricted;
        let plain =
            !constraint.hard && !honor_affinity && !constraint.honor_taints && (system || one_key);
        let hostname = &*constraint.topology_key == HOSTNAME;
        let count = if plain && hostname {
            SpreadCount::Nodes
        } else if plain {
            SpreadCount::Tally(index.tally(source, *column))
        } else {
            let rule = Eligible {
                template: id,
                honor_affinity,
                honor_taints: constraint.honor_taints,
                columns: if system { Vec::new() } else { columns.clone() },
            };
            SpreadCount::Domains(index.domains(source, *column, rule, nodes, look))
        };
        spreads.push(Spread {
            source,
            column: *column,
            hostname,
            max_skew: constraint.max_skew,
            min_domains: constraint.min_domains,
            own: u32::from(own),
            count,
        });
    }
    spreads
}

/// The merged selectors of the Services that select the pod and of what controls it.
fn default_selector(template: &PodTemplate, owner: Option<&Selector>, look: Look<'_>) -> Selector {
    let mut merged: Vec<Requirement> = Vec::new();
    for (_, service) in look.store.services() {
        if service.namespace != template.namespace {
            continue;
        }
        let Some(selector) = &service.selector else {
            continue;
        };
        if matches(selector, &template.labels) {
            merge(&mut merged, selector);
        }
    }
    if let Some(owner) = owner {
        merge(&mut merged, owner);
    }
    Selector(merged)
}

fn matches(selector: &Selector, labels: &Labels) -> bool {
    selector.matches(labels)
}

fn merge(into: &mut Vec<Requirement>, selector: &Selector) {
    for requirement in &selector.0 {
        if !into.contains(requirement) {
            into.push(requirement.clone());
        }
    }
}
